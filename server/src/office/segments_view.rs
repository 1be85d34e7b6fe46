//! The page of segments: ready-made and saved ones, the builder, what is found, what to do with it.

use maud::{Markup, html};
use roadbook_protocol::document::CustomField;
use roadbook_protocol::document::schema::{self, FIELDS, Kind};
use roadbook_protocol::filter::Filter;
use roadbook_protocol::ids::UnixMs;

use super::contacts::{self, Ask};
use super::segments::{READY, Segments, Told};
use super::session::Viewer;
use super::{devices, fields, layout, lists as handed, url, words};

/// What can be asked beside the fields of a contact: its name in filters, and what it is called.
const OTHERS: [&str; 24] = [
    "tag",
    "city",
    "postal_code",
    "region",
    "country",
    "owner",
    "contacted",
    "touched",
    "visits",
    "calls",
    "interactions",
    "complaints",
    "bought",
    "purchases",
    "revenue",
    "deal",
    "stage",
    "tasks",
    "consent",
    "recency",
    "frequency",
    "monetary",
    "abc",
    "nps",
];

/// What stands before the name of a custom field.
const CUSTOM: &str = "custom.";

/// How a condition compares: its name in the address, and in words.
const OPS: [&str; 9] =
    ["is", "not", "contains", "min", "max", "older", "within", "there", "missing"];

/// A condition in the grammar of filters, or why it is none.
pub(super) fn condition(field: &str, op: &str, value: &str) -> Result<String, String> {
    let field = field.trim();
    let own = field.strip_prefix(CUSTOM).map(|name| name.trim().replace('"', ""));
    let known = OTHERS.contains(&field) || schema::field(field).is_some();
    if !known && own.as_ref().is_none_or(|name| name.is_empty()) {
        return Err(t!("segments-no-field", field = field));
    }
    let name = own.as_ref().map_or_else(|| field.to_owned(), |name| format!("{CUSTOM}\"{name}\""));
    let there =
        own.map_or_else(|| presence(field).to_owned(), |name| format!("\"{CUSTOM}{name}\""));
    let bare = !value.is_empty() && !value.contains([' ', '"', ',', '(', ')']);
    let days = || -> Result<u32, String> {
        value.trim_end_matches('d').trim().parse().map_err(|_| t!("segments-no-days"))
    };
    let build = |value: &str| -> Result<String, String> {
        Ok(match op {
            "there" => format!("has:{there}"),
            "missing" => format!("no:{there}"),
            _ if value.is_empty() => return Err(t!("segments-no-value")),
            "is" => format!("{name}:{value}"),
            "not" => format!("-{name}:{value}"),
            "contains" if bare => format!("{name}:*{}*", value.trim_matches('"')),
            "contains" => return Err(t!("segments-one-word")),
            "min" => format!("{name}:>={value}"),
            "max" => format!("{name}:<={value}"),
            "older" => format!("{name}:>{}d", days()?),
            "within" => format!("{name}:<{}d", days()?),
            _ => return Err(t!("segments-no-how")),
        })
    };
    // A date or a number in quotes is a text to some fields: as it is, where that can be read too.
    let plain = build(value)?;
    if bare && Filter::parse(&plain).is_ok() {
        return Ok(plain);
    }
    let quoted = match value.is_empty() {
        true => plain,
        false => build(&format!("\"{}\"", value.replace('"', "")))?,
    };
    Filter::parse(&quoted).map_err(|error| error.message)?;
    Ok(quoted)
}

/// What `has:` calls what a condition is about.
fn presence(field: &str) -> &str {
    match field {
        "contacted" => "contact",
        "bought" | "purchases" | "revenue" => "purchase",
        "visits" => "visit",
        "calls" => "call",
        "complaints" => "complaint",
        "interactions" => "interaction",
        "tasks" => "task",
        "stage" => "deal",
        field => field,
    }
}

/// The conditions that stand side by side in a filter; `None` where `or` stands between some of them.
pub(super) fn parts(filter: &str) -> Option<Vec<String>> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut quoted, mut depth) = (false, 0_usize);
    for c in filter.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c.is_whitespace() && !quoted && depth == 0 {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty() && !part.eq_ignore_ascii_case("and"));
    // `not` belongs to what stands behind it.
    let mut joined: Vec<String> = Vec::new();
    for part in parts {
        if part.eq_ignore_ascii_case("or") {
            return None;
        }
        match joined.last_mut().filter(|last| last.eq_ignore_ascii_case("not")) {
            Some(last) => *last = format!("{last} {part}"),
            None => joined.push(part),
        }
    }
    Some(joined)
}

pub(super) fn render(viewer: &Viewer, segments: &Segments, now: UnixMs) -> Markup {
    let filter = segments.filter.as_str();
    html! {
        div.bar {
            h1 { (t!("nav-segments")) }
            (layout::live_chip())
            (layout::unit("asof", html! { (layout::as_of(now)) " " (devices::behind(&segments.fresh, now)) }))
        }
        div.side-list {
            nav.stack aria-label=(t!("nav-segments")) { (layout::unit("lists", lists(viewer, segments))) }
            div.stack {
                (builder(filter, &segments.defined))
                (layout::unit("problem", html! {
                    @if let Some(problem) = &segments.found.problem { p.notice.stop role="alert" { (problem.split(" Names are:").next().unwrap_or_default()) } }
                }))
                (layout::unit("chips", chips(filter)))
                @if segments.found.problem.is_none() { (actions(viewer, segments)) }
                (contacts::results(&Ask::of(filter), &segments.found, false))
            }
        }
    }
}

fn entry(name: &str, what: &str, filter: &str, count: Option<u64>, current: bool) -> Markup {
    html! {
        a.seg href=(url::with("/segments", &[("filter", filter)])) aria-current=[current.then_some("true")] {
            span { b { (name) } span.k { (what) } }
            span.count { @match count { Some(count) => (layout::count(count)), None => "…" } }
        }
    }
}

/// A name as a part of the id of a message.
fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

fn lists(viewer: &Viewer, segments: &Segments) -> Markup {
    let missing = segments
        .ready
        .iter()
        .chain(segments.saved.iter().map(|saved| &saved.1))
        .any(Option::is_none);
    // When the page is read again for the counts.
    let again = match missing {
        true => Some("soon"),
        false => (segments.old || !segments.behind.is_empty()).then_some("later"),
    };
    html! {
        section.card.segs aria-labelledby="ready-title" data-counts data-again=[again] {
            h2 #ready-title { (t!("segments-ready")) }
            @for (n, (ready, count)) in READY.iter().zip(&segments.ready).enumerate() {
                @if n == 0 || READY[n - 1].group != ready.group { h3 { (words::text_or("seg-group", &slug(ready.group), || ready.group.to_owned())) } }
                @let id = slug(ready.name);
                (entry(&words::text_or("seg", &id, || ready.name.to_owned()), &words::text_or("seg", &format!("{id}-what"), || ready.what.to_owned()), ready.filter, *count, ready.filter == segments.filter))
            }
        }
        section.card.segs aria-labelledby="saved-title" {
            h2 #saved-title { (t!("segments-saved")) }
            @if segments.saved.is_empty() { p.hint { (t!("segments-saved-none")) } }
            @for (segment, count) in &segments.saved {
                @let own = segment.owner == viewer.user;
                @let what = match (own, segment.shared) { (true, true) => t!("segments-yours-shared"), (true, false) => t!("segments-yours"), _ => t!("segments-shared") };
                div.seg-row {
                    (entry(&segment.name, &what, &segment.filter, *count, segment.filter == segments.filter))
                    @if own {
                        form method="post" action={ "/segments/" (hex::encode(segment.id)) "/remove" } data-confirm=(t!("segments-remove-confirm", name = segment.name.as_str())) {
                            (layout::csrf(viewer))
                            button.tag-x title=(t!("remove")) aria-label=(t!("segments-remove-label", name = segment.name.as_str())) { "×" }
                        }
                    }
                }
            }
        }
        (handed::section(viewer, &segments.handed))
    }
}

fn builder(filter: &str, defined: &[CustomField]) -> Markup {
    html! {
        section.card aria-labelledby="build-title" {
            div.bar { h2 #build-title { (t!("segments-build")) } }
            form.builder action="/segments" {
                input type="hidden" name="filter" value=(filter);
                div { label for="field" { (t!("field")) }
                    select #field name="field" {
                        optgroup label=(t!("segments-others")) { @for name in OTHERS { option value=(name) { (words::text_or("by", name, || name.to_owned())) } } }
                        optgroup label=(t!("segments-fields")) { @for spec in FIELDS.iter().filter(|spec| asked(spec)) { option value=(spec.name) { (fields::label_of(spec)) } } }
                        @if !defined.is_empty() { optgroup label=(t!("custom-title")) { @for field in defined { option value={ (CUSTOM) (field.name) } { (field.name) } } } }
                    } }
                div { label for="op" { (t!("segments-how")) } select #op name="op" { @for name in OPS { option value=(name) { (words::text_or("op", name, || name.to_owned())) } } } }
                div { label for="value" { (t!("segments-value")) } input #value name="value" autocomplete="off" spellcheck="false"; }
                div { label for="join" { (t!("segments-join")) } select #join name="join" { option value="" { (t!("segments-and")) } option value="or" { (t!("segments-or")) } } }
                button.btn { (t!("segments-add")) }
            }
            form.by-hand action="/segments" {
                div { label for="filter" { (t!("segments-by-hand")) }
                    input #filter name="filter" value=(filter) placeholder="status:customer contacted:>60d" autocomplete="off" spellcheck="false" autocapitalize="none"; }
                button.btn { (t!("show")) }
            }
        }
    }
}

/// Whether a field stands in the builder: what is no number on a map.
fn asked(spec: &schema::FieldSpec) -> bool {
    spec.kind != Kind::Number
}

/// The conditions one by one, each with a way to take it out.
fn chips(filter: &str) -> Markup {
    let parts = parts(filter);
    html! {
        @match parts.as_deref() {
            Some([]) => p.hint { (t!("segments-all")) },
            Some(parts) => div.tags {
                @for (n, part) in parts.iter().enumerate() {
                    @let rest: Vec<&str> = parts.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, part)| part.as_str()).collect();
                    span.chip.brand { span.mono { (part) } a.tag-x href=(url::with("/segments", &[("filter", &rest.join(" "))])) aria-label=(t!("segments-take-out", condition = part.as_str())) { "×" } }
                }
                a.k href="/segments" { (t!("segments-clear")) }
            },
            None => div.tags { span.chip.brand { span.mono { (filter) } a.tag-x href="/segments" aria-label=(t!("segments-take-out-filter")) { "×" } } },
        }
    }
}

fn actions(viewer: &Viewer, segments: &Segments) -> Markup {
    let filter = segments.filter.as_str();
    html! {
        section.card.acts aria-labelledby="acts-title" {
            (layout::unit("total", html! { h2 #acts-title { (t!("segments-count", n = segments.exact.unwrap_or(0))) } }))
            div.act-forms {
                details.act {
                    summary.btn.small { (t!("save")) }
                    form.tight method="post" action="/segments" {
                        (layout::csrf(viewer)) input type="hidden" name="filter" value=(filter);
                        div { label for="name" { (t!("name")) } input #name name="name" maxlength="80" required autocomplete="off"; }
                        @if viewer.edits() { label.check { input type="checkbox" name="shared" value="1"; " " (t!("segments-everybody-sees")) } }
                        button.btn.small.go { (t!("save")) }
                    }
                }
                @if viewer.edits() {
                    details.act {
                        summary.btn.small { (t!("assign")) }
                        form.tight method="post" action="/segments/assign" {
                            (layout::csrf(viewer)) input type="hidden" name="filter" value=(filter);
                            div { label for="to" { (t!("segments-to")) } select #to name="to" { @for user in &segments.receivers { option value=(user.login) { (user.name) " (" (user.login) ")" } } option value="" { (t!("nobody")) } } }
                            button.btn.small.go { (t!("segments-see-move")) }
                        }
                    }
                }
                @if viewer.edits() { (handed::form(viewer, segments)) }
                @if segments.exports {
                    details.act {
                        summary.btn.small { (t!("export")) }
                        form.tight method="post" action="/segments/export" {
                            (layout::csrf(viewer)) input type="hidden" name="filter" value=(filter);
                            @if segments.mails {
                                div { label for="channel" { (t!("segments-whom")) }
                                    select #channel name="channel" { option value="" { (t!("segments-everybody")) } @for (channel, text) in [("email", t!("segments-consent-email")), ("phone", t!("segments-consent-phone")), ("post", t!("segments-consent-post")), ("sms", t!("segments-consent-sms"))] { option value=(channel) { (text) } } } }
                            }
                            button.btn.small.go { (t!("segments-export-csv")) }
                            p.hint { (t!("segments-in-audit")) @if segments.mails { " " (t!("segments-mails")) } }
                        }
                    }
                } @else { p.hint { (t!("segments-whole-base")) } }
            }
        }
    }
}

/// What assigning would do, with the way to do it; or what it did.
pub(super) fn assigning(
    viewer: &Viewer,
    filter: &str,
    to: &str,
    told: &Told,
    done: bool,
) -> Markup {
    let whom = if to.is_empty() { t!("nobody") } else { to.to_owned() };
    let back = url::with("/segments", &[("filter", filter)]);
    let moving: u64 = told.moves.iter().map(|one| one.contacts).sum();
    html! {
        div.bar { h1 { (t!("segments-assign-title")) } }
        section.card.tight {
            @if done {
                p.notice.ok role="status" { (rich!("segments-went", n = told.changed, unchanged = told.unchanged; whom = html! { b { (whom) } })) }
                p { a.btn href=(back) { (t!("segments-back")) } }
            } @else {
                p { (rich!("segments-would-go", n = moving, unchanged = told.unchanged; whom = html! { b { (whom) } })) }
                @if !told.moves.is_empty() {
                    table.tight-table {
                        thead { tr { th scope="col" { (t!("segments-from")) } th scope="col" { (t!("segments-to")) } th.num scope="col" { (t!("contacts")) } } }
                        tbody { @for one in &told.moves { tr { td { (one.from) } td { (one.to) } td.num { (layout::count(one.contacts)) } } } }
                    }
                }
                p.hint { (t!("segments-assign-hint")) }
                form.bar method="post" action="/segments/assign" {
                    (layout::csrf(viewer))
                    input type="hidden" name="filter" value=(filter); input type="hidden" name="to" value=(to); input type="hidden" name="confirmed" value="1";
                    @if moving > 0 { button.btn.go { (t!("segments-assign-n", n = moving)) } }
                    a.btn href=(back) { (t!("cancel")) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_of_the_builder_is_a_condition_that_can_be_read() {
        let values = ["customer", "person", "cold", "3", "2026-01-01", "yes", "A", "10", "won"];
        let fields = OTHERS.iter().copied();
        for field in fields.chain(FIELDS.iter().filter(|spec| asked(spec)).map(|spec| spec.name)) {
            let some = OPS.iter().flat_map(|op| values.map(|value| (op, value)));
            let works = some.filter(|(op, value)| condition(field, op, value).is_ok()).count();
            assert!(works > 0, "{field}");
        }
        assert_eq!(condition("city", "is", "Bad Homburg").unwrap(), "city:\"Bad Homburg\"");
        assert_eq!(condition("contacted", "older", "60").unwrap(), "contacted:>60d");
        assert_eq!(condition("visits", "there", "").unwrap(), "has:visit");
        assert_eq!(condition("revenue", "min", "1000 EUR").unwrap(), "revenue:>=\"1000 EUR\"");
        assert_eq!(
            condition("custom.Shoe size", "min", "42").unwrap(),
            "custom.\"Shoe size\":>=42"
        );
        assert_eq!(condition("custom.Tier", "is", "a b").unwrap(), "custom.\"Tier\":\"a b\"");
        for (op, value) in
            [("there", ""), ("missing", ""), ("not", "x"), ("contains", "x"), ("max", "2026-01-01")]
        {
            let text = condition("custom.Shoe size", op, value).unwrap();
            assert!(text.contains("Shoe size"), "{text}");
        }
        assert!(condition("custom. ", "is", "x").is_err());
        assert!(condition("city", "contains", "a b").is_err());
        assert!(condition("status", "is", "nonsense").unwrap_err().contains("status"));
        assert!(condition("x\" or owner:none", "is", "a").is_err());
    }

    #[test]
    fn ready_made_segments_can_be_read() {
        for ready in &READY {
            Filter::parse(ready.filter).unwrap_or_else(|error| panic!("{}: {error}", ready.name));
        }
    }

    #[test]
    fn conditions_are_told_apart_unless_or_stands_between() {
        let split = |filter: &str| parts(filter);
        assert_eq!(
            split("status:lead city:\"Bad Homburg\" not (tag:x or tag:y)").unwrap(),
            ["status:lead", "city:\"Bad Homburg\"", "not (tag:x or tag:y)"]
        );
        assert_eq!(split("a or b"), None);
        assert_eq!(split("  ").unwrap(), Vec::<String>::new());
    }
}
