//! Words: every text that a person reads on the pages, in five languages.
//!
//! A page asks for a message by its id, `t!("today-title")`, and never for a language: the language is
//! that of the request being answered. [`listen`] takes it from what the browser prefers, and who is
//! signed in and has chosen one gets that ([`speak`]). Work on other threads takes it along
//! ([`within`]); a stream, which outlives its request, holds its own ([`scope`]).
//!
//! Messages are Project Fluent's, one file per language and area in the folders beside this one, built
//! into the binary. The tests hold every id that a page asks for, and its variables, against every
//! language.

/// The text of a message in the language of the request: `t!("id")`, `t!("id", n = 3, name = &name)`.
macro_rules! t {
    ($id:literal) => {
        $crate::office::words::text($id)
    };
    ($id:literal, $($name:ident = $value:expr),+ $(,)?) => {
        $crate::office::words::text_with(
            $id,
            &[$((stringify!($name), ::fluent_bundle::FluentValue::from($value))),+],
        )
    };
}

/// A message with markup in its variables: `rich!("id", n = 3; link = html! { .. })`.
macro_rules! rich {
    ($id:literal $(, $name:ident = $value:expr)*; $($part:ident = $markup:expr),+ $(,)?) => {
        $crate::office::words::rich_with(
            $id,
            &[$((stringify!($name), ::fluent_bundle::FluentValue::from($value))),*],
            &[$((stringify!($part), $markup)),+],
        )
    };
}

mod language;
mod shape;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::LazyLock;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use maud::{Markup, PreEscaped, html};

pub(super) use language::Language;
pub(super) use shape::{
    date, decimal, decimal_point, month_of, months, number, numbers, span, time_of_day,
};

/// The files of a language.
macro_rules! areas {
    ($language:literal: $($area:literal)+) => {
        &[$(concat!(include_str!(concat!($language, "/", $area, ".ftl")), "\n")),+]
    };
}
/// All areas of a language, so that no language can lack one.
macro_rules! every_area {
    ($language:literal) => {
        areas!($language: "frame" "entry" "settings" "audit" "fields" "people" "decide" "order" "figures" "segments" "today" "contact" "bulk" "views")
    };
}

impl Language {
    /// The messages as they were written.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Language::English => every_area!("en"),
            Language::German => every_area!("de"),
            Language::Danish => every_area!("da"),
            Language::Italian => every_area!("it"),
            Language::Russian => every_area!("ru"),
        }
    }
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<Vec<Bundle>> =
    LazyLock::new(|| Language::ALL.into_iter().map(bundle).collect());

fn bundle(language: Language) -> Bundle {
    let mut bundle = Bundle::new_concurrent(vec![language.id()]);
    // Marks around what is put in would stand in the attributes of a page, and in what is copied from
    // it; none of the languages is written from right to left.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(match language {
        Language::English => |value, _| number_in(Language::English, value),
        Language::German => |value, _| number_in(Language::German, value),
        Language::Danish => |value, _| number_in(Language::Danish, value),
        Language::Italian => |value, _| number_in(Language::Italian, value),
        Language::Russian => |value, _| number_in(Language::Russian, value),
    }));
    for source in language.sources() {
        // What can be read of a broken file is used; the tests take no broken one.
        let resource =
            FluentResource::try_new((*source).to_owned()).unwrap_or_else(|(resource, errors)| {
                tracing::error!(?errors, language = language.tag(), "messages that can't be read");
                resource
            });
        bundle.add_resource_overriding(resource);
    }
    bundle
}

/// Numbers in messages are written as the language writes them.
fn number_in(language: Language, value: &FluentValue<'_>) -> Option<String> {
    match value {
        FluentValue::Number(n) if n.value >= 0.0 && n.value.fract() == 0.0 => {
            // Counts: what a float holds exactly is more than there will ever be.
            Some(numbers(language, n.value as u64))
        }
        _ => None,
    }
}

tokio::task_local! {
    static SPOKEN: Cell<Language>;
}

/// The language of the request being answered; English where there is none.
pub(super) fn current() -> Language {
    SPOKEN.try_with(Cell::get).unwrap_or_default()
}

/// From here on the request being answered is answered in this language.
pub(super) fn speak(language: Language) {
    // Outside a request there is nobody to speak to.
    let _ = SPOKEN.try_with(|spoken| spoken.set(language));
}

/// Does something in a language, on this thread.
pub(super) fn within<T>(language: Language, work: impl FnOnce() -> T) -> T {
    SPOKEN.sync_scope(Cell::new(language), work)
}

/// Does something in a language that outlives the request.
pub(super) async fn scope<F: Future>(language: Language, work: F) -> F::Output {
    SPOKEN.scope(Cell::new(language), work).await
}

/// Answers a request in the language that the browser prefers, until it is known who asks.
pub(super) async fn listen(request: Request, next: Next) -> Response {
    let language = Language::preferred(request.headers());
    scope(language, next.run(request)).await
}

/// A message without variables.
pub(super) fn text(id: &str) -> String {
    format(id, None)
}

/// A message and what is put into it.
pub(super) fn text_with(id: &str, args: &[(&'static str, FluentValue<'_>)]) -> String {
    let mut given = FluentArgs::with_capacity(args.len());
    for (name, value) in args {
        given.set(*name, value.clone());
    }
    format(id, Some(&given))
}

/// The message of a family, such as the names of fields, or what stands for it where it has none: what
/// a later version or the workspace itself named.
pub(super) fn text_or(family: &str, name: &str, otherwise: impl FnOnce() -> String) -> String {
    let id = format!("{family}-{}", name.replace(['_', '.'], "-"));
    if BUNDLES[current() as usize].has_message(&id) { text(&id) } else { otherwise() }
}

fn format(id: &str, args: Option<&FluentArgs<'_>>) -> String {
    let bundle = &BUNDLES[current() as usize];
    let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else {
        tracing::error!(id, "a message is missing");
        debug_assert!(false, "the message `{id}` is missing");
        return id.to_owned();
    };
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, args, &mut errors).into_owned();
    debug_assert!(errors.is_empty(), "the message `{id}`: {errors:?}");
    text
}

/// What stands for the markup of a part until the message around it is escaped.
const PARTS_FROM: u32 = 0xE000;

/// A message with markup in it, such as a link; see [`rich!`].
pub(super) fn rich_with(
    id: &str,
    args: &[(&'static str, FluentValue<'_>)],
    parts: &[(&'static str, Markup)],
) -> Markup {
    let marks = (PARTS_FROM..).filter_map(char::from_u32);
    let mut all = args.to_vec();
    all.extend(
        parts
            .iter()
            .zip(marks)
            .map(|((name, _), mark)| (*name, FluentValue::from(mark.to_string()))),
    );
    let text = text_with(id, &all);
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| part(c, parts).is_some()) {
        let mark = piece.chars().next_back().and_then(|c| part(c, parts).map(|markup| (c, markup)));
        let words = mark.map_or(piece, |(c, _)| piece.trim_end_matches(c));
        out.push_str(&html! { (words) }.into_string());
        if let Some((_, markup)) = mark {
            out.push_str(&markup.0);
        }
    }
    PreEscaped(out)
}

fn part<'a>(c: char, parts: &'a [(&'static str, Markup)]) -> Option<&'a Markup> {
    let at = u32::from(c).checked_sub(PARTS_FROM)?;
    parts.get(at as usize).map(|(_, markup)| markup)
}
