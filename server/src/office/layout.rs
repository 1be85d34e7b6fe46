//! The frame of every page, and the small parts that all pages are made of.
//!
//! maud escapes whatever is put between tags; nothing in the pages uses `PreEscaped`. No page has an inline script or style: the policy forbids them.

use chrono::{DateTime, SecondsFormat};
use maud::{DOCTYPE, Markup, html};
use roadbook_protocol::document::minor_digits;
use roadbook_protocol::ids::{ContactId, Cursor, UnixMs};

use super::assets;
use super::session::Viewer;
use super::words;
use crate::rights::Action;

/// The places of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Today,
    Contacts,
    Segments,
    Funnel,
    Activity,
    Value,
    Decide,
    Devices,
    Alerts,
    Settings,
}

impl Place {
    const ALL: [Place; 10] = [
        Place::Today,
        Place::Contacts,
        Place::Segments,
        Place::Funnel,
        Place::Activity,
        Place::Value,
        Place::Decide,
        Place::Devices,
        Place::Alerts,
        Place::Settings,
    ];

    /// Whether somebody is shown the way there.
    fn is_for(self, viewer: &Viewer) -> bool {
        match self {
            Place::Alerts => viewer.may(Action::SeeAlerts),
            _ => true,
        }
    }

    fn parts(self) -> (&'static str, String, &'static str) {
        match self {
            Place::Today => ("/", t!("nav-today"), "M3 11.5 12 4l9 7.5M5.5 10v9.5h13V10"),
            Place::Contacts => (
                "/contacts",
                t!("nav-contacts"),
                "M8.5 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2 20c.4-3.8 3-6 6.500-6s6.100 2.200 6.500 6M16 4.600a3.300 3.300 0 0 1 0 5.900M18 14.600c2.300.7 3.700 2.700 4 5.400",
            ),
            Place::Segments => (
                "/segments",
                t!("nav-segments"),
                "M12 3v9l6.400 6.400M12 3a9 9 0 1 0 6.400 15.400M12 3a9 9 0 0 1 9 9h-9",
            ),
            Place::Funnel => ("/funnel", t!("nav-funnel"), "M3 5h18l-7 8v6l-4 2v-8Z"),
            Place::Activity => ("/activity", t!("nav-activity"), "M3 12h4l3-7 4 14 3-7h4"),
            Place::Value => ("/value", t!("nav-value"), "M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6"),
            Place::Decide => {
                ("/decide", t!("nav-decide"), "M12 21v-7M12 14 5 7m7 7 7-7M5 12V7h5m9 5V7h-5")
            }
            Place::Devices => (
                "/devices",
                t!("nav-people"),
                "M7 3h10a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1Zm4 15h2",
            ),
            Place::Alerts => (
                "/alerts",
                t!("nav-alerts"),
                "M12 4a5.500 5.500 0 0 0-5.500 5.500V14L5 17h14l-1.500-3V9.500A5.500 5.500 0 0 0 12 4ZM10 20h4",
            ),
            Place::Settings => (
                "/settings",
                t!("nav-settings"),
                "M4 7h9M17 7h3M15 4.500v5M4 17h3M11 17h9M9 14.500v5",
            ),
        }
    }
}

/// One page for somebody who is signed in.
pub(super) struct Page<'a> {
    pub viewer: &'a Viewer,
    pub title: &'a str,
    /// Where in the navigation; `None` for a page outside it.
    pub place: Option<Place>,
    /// What waits for a decision: conflicts and quarantined changes.
    pub to_decide: u64,
    /// Up to where the page was read; `None` for a page that is not live.
    pub cursor: Option<Cursor>,
    /// The contact that the page is about.
    pub contact: Option<ContactId>,
    pub body: Markup,
}

impl Page<'_> {
    pub(super) fn render(self) -> Markup {
        let viewer = self.viewer;
        let body = html! {
            body data-events=[self.cursor.map(|_| "/events")] data-cursor=[self.cursor]
                data-contact=[self.contact] data-words=(script_words()) data-stream=(stream_of(viewer)) {
                a.skip href="#main" { (t!("skip-to-content")) }
                div.app {
                    nav.side-nav aria-label=(t!("nav-main")) {
                        a.logo href="/" { @match viewer.look.logo_address() { Some(address) => { img src=(address) alt=""; }, None => (logo()) } span { (viewer.look.name.as_deref().unwrap_or("Roadbook")) } }
                        ul {
                            @for place in Place::ALL.into_iter().filter(|place| place.is_for(viewer)) {
                                @let (href, name, path) = place.parts();
                                li {
                                    a href=(href) aria-current=[(self.place == Some(place)).then_some("page")] {
                                        (icon(path)) span { (name) }
                                        @if place == Place::Decide { (to_decide(self.to_decide)) }
                                        @if place == Place::Alerts { (alerts(viewer.alerts)) }
                                    }
                                }
                            }
                        }
                        div.me {
                            div {
                                b title=(viewer.login) { a href="/account" { (viewer.name) } }
                                span.k { (viewer.role_name()) " · " (viewer.workspace_name) }
                            }
                            (sign_out(viewer))
                        }
                    }
                    main #main tabindex="-1" {
                        @if viewer.review && viewer.may(Action::Administer) {
                            p.card role="status" { b { (t!("held-back")) } " " (rich!("held-back-why"; link = html! { a href="/review" { (t!("held-back-link")) } })) }
                        }
                        (self.body)
                    }
                }
                div.vh #said role="status" aria-live="polite" {}
                @if self.cursor.is_none() { span hidden data-static {} }
            }
        };
        let name = viewer.look.name.as_deref().unwrap_or("Roadbook");
        document(&format!("{} · {name}", self.title), viewer.look.style_address(), body)
    }
}

/// The number beside "Decide" in the navigation; a unit of its own.
fn to_decide(n: u64) -> Markup {
    unit(
        "nav-decide",
        html! { @if n > 0 { span.n { (count(n)) span.vh { " " (t!("n-to-decide-hidden", n = n)) } } } },
    )
}

/// The number beside "Alerts".
fn alerts(n: u64) -> Markup {
    unit(
        "nav-alerts",
        html! { @if n > 0 { span.n { (count(n)) span.vh { " " (t!("n-new-hidden", n = n)) } } } },
    )
}

/// The way out, for places where the navigation has none (a phone).
pub(super) fn sign_out(viewer: &Viewer) -> Markup {
    html! {
        form method="post" action="/sign-out" {
            (csrf(viewer))
            button.btn.small { (t!("sign-out")) }
        }
    }
}

/// A page without navigation: sign-in and errors.
pub(super) fn alone(title: &str, body: Markup) -> Markup {
    document(
        &format!("{title} · Roadbook"),
        None,
        html! { body data-words=(script_words()) { main.alone #main tabindex="-1" { div.card { span.logo { (logo()) "Roadbook" } (body) } } } },
    )
}

/// `colours` is the address of the company's own, if it has them.
fn document(title: &str, colours: Option<String>, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words::current().tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1,viewport-fit=cover";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="stylesheet" href=(assets::style());
                @if let Some(address) = colours { link rel="stylesheet" href=(address); }
                link rel="icon" href=(assets::icon()) type="image/svg+xml";
                script type="module" src=(assets::script()) {}
            }
            (body)
        }
    }
}

/// What the tabs of one session have in common, and those of no other: they share one event stream.
fn stream_of(viewer: &Viewer) -> String {
    rev(&html! { (viewer.csrf()) })
}

/// What the script says, in the reader's language.
fn script_words() -> String {
    serde_json::json!({
        "changed": t!("js-changed"),
        "takeTheirs": t!("js-take-theirs"),
        "live": t!("js-live"),
        "notLive": t!("js-not-live"),
        "reconnecting": t!("js-reconnecting"),
        "saved": t!("js-saved"),
        "unreachable": t!("js-unreachable"),
        "unsaved": t!("js-unsaved"),
        // The number is put in by the script.
        "answered": t!("js-answered", status = "{status}"),
    })
    .to_string()
}

/// The hidden field that proves that a form came from one of our pages.
pub(super) fn csrf(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="csrf" value=(viewer.csrf()); }
}

/// A part of a page that is read again and swapped on its own when it has changed.
pub(super) fn unit(id: &str, content: Markup) -> Markup {
    html! { div id=(id) data-live=(id) data-rev=(rev(&content)) { (content) } }
}

/// A short fingerprint of markup: equal while nothing has changed. Not for security.
pub(super) fn rev(content: &Markup) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    content.0.hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

fn logo() -> Markup {
    html! {
        span.logo-mark aria-hidden="true" {
            svg width="14" height="14" viewBox="0 0 14 14" {
                path d="M3 13V1.500h4.400a3.200 3.200 0 0 1 0 6.400H3m4.600 0L11.500 13" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" {}
            }
        }
    }
}

fn icon(path: &str) -> Markup {
    html! {
        svg width="18" height="18" viewBox="0 0 24 24" aria-hidden="true" {
            path d=(path) fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

/// How a time is shown once the script has brought it into the reader's zone.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Day and time.
    Full,
    /// The time today, else the day.
    Short,
    /// The time with seconds.
    Second,
}

/// An instant: UTC for who has no script, the reader's zone for everybody else.
pub(super) fn time(at: UnixMs, shape: Shape) -> Markup {
    let Some(utc) = DateTime::from_timestamp_millis(at) else {
        return html! { (t!("time-unknown")) };
    };
    let (name, text) = match shape {
        Shape::Full => {
            let of_day = words::time_of_day(utc, false);
            let text = t!("date-time", date = words::date(utc.date_naive(), true), time = of_day);
            ("full", t!("time-utc", time = text))
        }
        Shape::Short => {
            let of_day = words::time_of_day(utc, false);
            let date = words::date(utc.date_naive(), false);
            ("short", t!("date-time", date = date, time = of_day))
        }
        Shape::Second => ("second", t!("time-utc", time = words::time_of_day(utc, true))),
    };
    html! { time datetime=(utc.to_rfc3339_opts(SecondsFormat::Millis, true)) data-shape=(name) { (text) } }
}

/// A calendar date `YYYY-MM-DD`, which is no instant and has no zone.
pub(super) fn date(text: &str) -> Markup {
    match text.parse::<chrono::NaiveDate>() {
        Ok(day) => html! { time datetime=(text) { (words::date(day, true)) } },
        Err(_) => html! { (text) },
    }
}

/// "as of 14:03:27".
pub(super) fn as_of(now: UnixMs) -> Markup {
    html! { span.asof { (rich!("as-of"; time = time(now, Shape::Second))) } }
}

/// A count as the reader's language writes it.
pub(super) fn count(n: u64) -> String {
    words::number(n)
}

/// How long something lasts or is ago, in the largest unit that fits: `3 min`, `5 h`, `2 d`.
pub(super) fn span(ms: i64) -> String {
    words::span(ms)
}

/// An amount in minor units with its currency: `12,400.50 EUR`.
pub(super) fn money(minor: i64, currency: &str) -> String {
    let (sign, whole, part) = money_parts(minor, currency);
    let part = part.replace('.', &words::decimal_point().to_string());
    let sign = if sign { "−" } else { "" };
    t!("money", amount = format!("{sign}{}{part}", count(whole)), currency = currency.to_owned())
}

/// The same as it stands in a form: `12400.50`.
pub(super) fn money_plain(minor: i64, currency: &str) -> String {
    let (sign, whole, part) = money_parts(minor, currency);
    format!("{}{whole}{part}", if sign { "-" } else { "" })
}

fn money_parts(minor: i64, currency: &str) -> (bool, u64, String) {
    let digits = minor_digits(currency);
    let unit = 10_u64.pow(digits);
    let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    let part = if digits == 0 {
        String::new()
    } else {
        format!(".{part:0width$}", width = digits as usize)
    };
    (minor < 0, whole, part)
}

/// The three-segment receipt: on the device, on the server, merged; the last is red in quarantine.
pub(super) fn receipt(merged: bool, quarantined: bool) -> Markup {
    let text = if quarantined {
        t!("receipt-quarantined")
    } else if merged {
        t!("receipt-merged")
    } else {
        t!("receipt-stored")
    };
    html! {
        span.rc role="img" aria-label=(text) title=(text) {
            i.a {} i.a {} i.a[merged && !quarantined].q[quarantined] {}
        }
    }
}

/// A list with nothing in it says why, and what to do.
pub(super) fn empty(title: &str, text: Markup) -> Markup {
    html! { div.empty { b { (title) } p { (text) } } }
}

/// The chip that says whether the page is live; the script keeps it true.
pub(super) fn live_chip() -> Markup {
    html! { span.chip #live data-state="still" { i.dot aria-hidden="true" {} span { (t!("not-live")) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_their_currency_and_their_decimals() {
        assert_eq!(money(1_240_050, "EUR"), "12,400.50 EUR");
        assert_eq!(money(-5, "USD"), "−0.05 USD");
        assert_eq!(money(1200, "JPY"), "1,200 JPY");
        assert_eq!(money(i64::MIN, "EUR"), "−92,233,720,368,547,758.08 EUR");
    }

    #[test]
    fn a_time_is_text_in_utc_and_a_machine_readable_attribute() {
        let shown = time(1_700_000_000_000, Shape::Full).into_string();
        assert!(shown.contains("datetime=\"2023-11-14T22:13:20.000Z\""), "{shown}");
        assert!(shown.contains("14 Nov 2023, 22:13 UTC"), "{shown}");
        assert_eq!(time(i64::MAX, Shape::Full).into_string(), "unknown");
        assert_eq!(date("<b>").into_string(), "&lt;b&gt;");
    }

    #[test]
    fn spans_are_told_in_one_unit() {
        assert_eq!(span(59_000), "under a minute");
        assert_eq!(span(5 * 3_600_000), "5 h");
        assert_eq!(span(50 * 3_600_000), "2 d");
    }
}
