//! The look of the office: the company's name, colour and logo.
//!
//! A colour is made readable before it is used, on light and on dark; a logo is a picture that browsers
//! draw without running anything, known by its first bytes and not by what it is said to be.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use serde_json::json;

use super::frame;
use crate::office::OfficeState;
use crate::office::error::OfficeError;
use crate::office::layout;
use crate::office::session::{Posted, Viewer};
use crate::rights::Action;
use crate::store::audit;
use crate::store::look::{self, Look};

/// The largest logo, in bytes: it is sent with a form.
const LOGO_BYTES_MAX: usize = 96 * 1024;
/// The longest name.
const NAME_CHARS_MAX: usize = 40;
/// The largest side of a logo, in pixels.
const SIDE_MAX: u32 = 2_048;
/// The colour where none was chosen.
const USUAL: &str = "#0f5c4d";

/// `GET /settings/look`
pub(in crate::office) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let look = &viewer.look;
    let body = html! {
        form.card.stack method="post" action="/settings/look" {
            (layout::csrf(&viewer))
            div.fields {
                div { label for="name" { (t!("look-name")) } input #name name="name" value=[look.name.as_deref()] maxlength=(NAME_CHARS_MAX) placeholder="Roadbook" autocomplete="organization" aria-describedby="name-hint"; p.hint #name-hint { (t!("look-name-hint")) } }
                div { label for="colour" { (t!("look-colour")) } input.colour #colour type="color" name="colour" value=(look.colour.as_deref().unwrap_or(USUAL)) aria-describedby="colour-hint"; p.hint #colour-hint { (t!("look-colour-hint")) } }
                div { label for="logo" { (t!("look-logo")) } input #logo type="file" accept="image/png,image/jpeg,image/webp" data-into="logo-data" data-bytes-max=(LOGO_BYTES_MAX) data-too-large=(t!("look-logo-large", n = (LOGO_BYTES_MAX / 1024) as u64)) aria-describedby="logo-hint"; input #logo-data type="hidden" name="logo"; p.hint #logo-hint { (t!("look-logo-hint", n = (LOGO_BYTES_MAX / 1024) as u64)) } }
            }
            @if let Some(address) = look.logo_address() { div.bar { img.logo-shown src=(address) alt=(t!("look-logo")); label.check for="no-logo" { input #no-logo type="checkbox" name="no_logo" value="1"; (t!("look-logo-remove")) } } }
            div.bar { button.btn.go { (t!("save")) } button.btn name="usual" value="1" { (t!("look-usual")) } }
        }
    };
    frame(&state, &viewer, &t!("look-title"), body).await
}

/// `POST /settings/look`
pub(in crate::office) async fn set(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let fields = &posted.fields;
    let usual = fields.has("usual");
    let name = fields.text("name");
    if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(OfficeError::refused(t!("look-no-name", n = NAME_CHARS_MAX as u64)));
    }
    let colour = fields.text("colour").to_ascii_lowercase();
    if !colour.is_empty() && Rgb::parse(&colour).is_none() {
        return Err(OfficeError::refused(t!("look-no-colour")));
    }
    let logo = match fields.text("logo") {
        "" => None,
        text => Some(picture(text)?),
    };
    let (name, drop_logo) = (name.to_owned(), usual || fields.has("no_logo"));
    let (workspace, by, now) = (posted.viewer.workspace, posted.viewer.user, state.now());
    state
        .write(move |tx| {
            let name = Some(name.as_str()).filter(|name| !usual && !name.is_empty());
            let colour =
                Some(colour.as_str()).filter(|one| !usual && !one.is_empty() && *one != USUAL);
            look::set(tx, workspace, name, colour)?;
            if drop_logo {
                look::set_logo(tx, workspace, None)?;
            } else if let Some((kind, bytes)) = &logo {
                look::set_logo(tx, workspace, Some((kind, bytes)))?;
            }
            let detail = json!({ "named": name.is_some(), "colour": colour, "logo_bytes": logo.as_ref().map(|(_, bytes)| bytes.len()), "logo_removed": drop_logo });
            audit::append(tx, workspace, now, Some(by), "look.set", "", &detail)
        })
        .await?;
    Ok(Redirect::to("/settings/look").into_response())
}

/// A picture as it stands in the form, if it is one that may be shown.
fn picture(text: &str) -> Result<(&'static str, Vec<u8>), OfficeError> {
    let bytes = STANDARD.decode(text).map_err(|_| OfficeError::refused(t!("look-logo-kind")))?;
    if bytes.len() > LOGO_BYTES_MAX {
        return Err(OfficeError::refused(t!(
            "look-logo-large",
            n = (LOGO_BYTES_MAX / 1024) as u64
        )));
    }
    match kind_of(&bytes) {
        Some(kind) => Ok((kind, bytes)),
        None => Err(OfficeError::refused(t!("look-logo-kind"))),
    }
}

/// The media type of a picture by its first bytes; none for anything else, such as SVG, which may run
/// scripts, and for a picture that would take much memory to draw.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let side = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let small = |side: u32| (1..=SIDE_MAX).contains(&side);
        return (small(side(16)?) && small(side(20)?)).then_some("image/png");
    }
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return Some("image/jpeg");
    }
    (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")).then_some("image/webp")
}

/// `GET /look/{name}`: the logo, or the colours as a style sheet. Their addresses carry a hash.
pub(in crate::office) async fn get(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Path(name): Path<String>,
) -> Result<Response, OfficeError> {
    let missing = || OfficeError::NotFound { what: "page" };
    let wanted = format!("/look/{name}");
    let kept = (header::CACHE_CONTROL, "private, max-age=86400");
    if viewer.look.style_address().is_some_and(|address| address == wanted) {
        let style = viewer.look.colour.as_deref().and_then(style).unwrap_or_default();
        return Ok(
            ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), kept], style).into_response()
        );
    }
    if viewer.look.logo_address().is_none_or(|address| address != wanted) {
        return Err(missing());
    }
    let workspace = viewer.workspace;
    let found = state.read(move |conn| look::logo(conn, workspace)).await?;
    let (kind, bytes) = found.ok_or_else(missing)?;
    // As it was judged when it came, and never as a browser guesses it.
    let kind = kind_of(&bytes).filter(|known| *known == kind).ok_or_else(missing)?;
    Ok(([(header::CONTENT_TYPE, kind), kept], bytes).into_response())
}

impl Look {
    /// The address of the logo, if there is one.
    pub(in crate::office) fn logo_address(&self) -> Option<String> {
        Some(format!("/look/logo-{}", self.logo.as_ref()?))
    }
    /// The address of the colours, if others than the usual ones were chosen.
    pub(in crate::office) fn style_address(&self) -> Option<String> {
        Some(format!("/look/colour-{}.css", self.colour.as_ref()?.strip_prefix('#')?))
    }
}

/// The style sheet of a colour: text in it is readable on the paper, light and dark, and text on it too.
fn style(colour: &str) -> Option<String> {
    let colour = Rgb::parse(colour)?;
    let light = colour.until_readable(Rgb(255, 255, 255), Rgb(0, 0, 0), 6.0);
    let dark = colour.until_readable(Rgb(27, 30, 34), Rgb(255, 255, 255), 7.0);
    let rule = |brand: Rgb, ink: Rgb, towards: Rgb| {
        format!(
            "--brand:{};--brand-2:{};--brand-ink:{};--brand-soft:color-mix(in srgb,var(--brand) 12%,var(--card))",
            brand.hex(),
            brand.mix(towards, 0.15).hex(),
            ink.hex()
        )
    };
    Some(format!(
        ":root{{{}}}@media (prefers-color-scheme:dark){{:root{{{}}}}}",
        rule(light, Rgb(255, 255, 255), Rgb(0, 0, 0)),
        rule(dark, Rgb(15, 17, 20), Rgb(255, 255, 255)),
    ))
}

/// A colour of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

impl Rgb {
    /// Reads `#rrggbb`.
    fn parse(text: &str) -> Option<Rgb> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Rgb(part(0)?, part(2)?, part(4)?))
    }

    fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    fn mix(self, other: Rgb, share: f64) -> Rgb {
        let part =
            |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
        Rgb(part(self.0, other.0), part(self.1, other.1), part(self.2, other.2))
    }

    /// Relative luminance, as WCAG 2 has it.
    fn luminance(self) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(self.0) + 0.7152 * part(self.1) + 0.0722 * part(self.2)
    }

    fn contrast(self, other: Rgb) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The same colour moved towards another until it stands out from a background.
    fn until_readable(self, background: Rgb, towards: Rgb, contrast: f64) -> Rgb {
        (0..=20)
            .map(|step| self.mix(towards, f64::from(step) / 20.0))
            .find(|colour| colour.contrast(background) >= contrast)
            .unwrap_or(towards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_is_made_readable_on_light_and_on_dark() {
        for colour in ["#ffff00", "#000000", "#ffffff", "#ff0000", "#0000ff", "#7f7f7f", "#0f5c4d"]
        {
            let style = style(colour).unwrap();
            let brands: Vec<Rgb> = style
                .match_indices("--brand:")
                .map(|(at, _)| Rgb::parse(&style[at + 8..at + 15]).unwrap())
                .collect();
            let [light, dark] = brands[..] else { panic!("{style}") };
            assert!(light.contrast(Rgb(250, 249, 246)) >= 4.5, "{colour}: {style}");
            assert!(light.contrast(Rgb(255, 255, 255)) >= 4.5, "{colour}: {style}");
            assert!(dark.contrast(Rgb(27, 30, 34)) >= 4.5, "{colour}: {style}");
            assert!(dark.contrast(Rgb(15, 17, 20)) >= 4.5, "{colour}: {style}");
        }
        for bad in ["", "red", "#12345", "#12345g", "#1234567", "#ééé"] {
            assert_eq!(style(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_logo_is_what_its_bytes_say() {
        let png = |width: u32| {
            let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
            bytes.extend(width.to_be_bytes());
            bytes.extend(32_u32.to_be_bytes());
            bytes
        };
        assert_eq!(kind_of(&png(64)), Some("image/png"));
        assert_eq!(kind_of(&png(100_000)), None, "too large to draw");
        assert_eq!(kind_of(&[0xff, 0xd8, 0xff, 0xe0]), Some("image/jpeg"));
        assert_eq!(kind_of(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for bad in [&b"<svg xmlns"[..], b"<html>", b"GIF89a", b"", b"\x89PNG\r\n\x1a\n"] {
            assert_eq!(kind_of(bad), None, "{bad:?}");
        }
    }
}
