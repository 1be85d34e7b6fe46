//! The page of segments: ready-made and saved ones, the builder, what is found, what to do with it.

use maud::{Markup, html};
use roadbook_protocol::document::schema::{self, FIELDS, Kind};
use roadbook_protocol::filter::Filter;
use roadbook_protocol::ids::UnixMs;

use super::contacts::{self, Ask};
use super::segments::{READY, Segments, Told};
use super::session::Viewer;
use super::{devices, layout, url};

/// What can be asked beside the fields of a contact: its name in filters, and what it is called.
const OTHERS: [(&str, &str); 24] = [
    ("tag", "Tag"),
    ("city", "City"),
    ("postal_code", "Postal code"),
    ("region", "Region"),
    ("country", "Country"),
    ("owner", "Owner (login)"),
    ("contacted", "Last contact"),
    ("touched", "Last change"),
    ("visits", "Visits"),
    ("calls", "Calls"),
    ("interactions", "Interactions"),
    ("complaints", "Complaints"),
    ("bought", "Last purchase"),
    ("purchases", "Purchases"),
    ("revenue", "Revenue"),
    ("deal", "Open deals"),
    ("stage", "Stage of a deal"),
    ("tasks", "Open tasks"),
    ("consent", "Consent for channel"),
    ("recency", "Recency class"),
    ("frequency", "Frequency class"),
    ("monetary", "Monetary class"),
    ("abc", "ABC class"),
    ("nps", "Latest answer (NPS)"),
];

/// How a condition compares: its name in the address, and in words.
const OPS: [(&str, &str); 8] = [
    ("is", "is"),
    ("not", "is not"),
    ("contains", "contains"),
    ("min", "is at least"),
    ("max", "is at most"),
    ("older", "is longer ago than (days)"),
    ("within", "is within the last (days)"),
    ("there", "is there"),
];
/// The opposite of the last one.
const MISSING: (&str, &str) = ("missing", "is not there");

/// A condition in the grammar of filters, or why it is none.
pub(super) fn condition(field: &str, op: &str, value: &str) -> Result<String, String> {
    let field = field.trim();
    let known = OTHERS.iter().any(|(name, _)| *name == field) || schema::field(field).is_some();
    if !known {
        return Err(format!("There is no field “{field}” to choose."));
    }
    let quoted = |value: &str| format!("\"{}\"", value.replace('"', ""));
    let bare = |value: &str| !value.is_empty() && !value.contains([' ', '"', ',', '(', ')']);
    let text = match op {
        "there" => format!("has:{}", presence(field)),
        "missing" => format!("no:{}", presence(field)),
        _ if value.is_empty() => return Err("Write what to compare with.".to_owned()),
        "is" => format!("{field}:{}", quoted(value)),
        "not" => format!("-{field}:{}", quoted(value)),
        "contains" if bare(value) => format!("{field}:*{value}*"),
        "contains" => return Err("“contains” takes one word.".to_owned()),
        "min" => format!("{field}:>={}", quoted(value)),
        "max" => format!("{field}:<={}", quoted(value)),
        "older" | "within" => {
            let days: u32 = value
                .trim_end_matches('d')
                .trim()
                .parse()
                .map_err(|_| "Write a number of days.".to_owned())?;
            format!("{field}:{}{days}d", if op == "older" { ">" } else { "<" })
        }
        _ => return Err("Choose how to compare.".to_owned()),
    };
    // A date or a number in quotes is a text to some fields: as it is, where that can be read too.
    let plain = text.replace('"', "");
    let text = if bare(value) && Filter::parse(&plain).is_ok() { plain } else { text };
    Filter::parse(&text).map_err(|error| error.message)?;
    Ok(text)
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
            h1 { "Segments" }
            (layout::live_chip())
            (layout::unit("asof", html! { (layout::as_of(now)) " " (devices::behind(&segments.fresh, now)) }))
        }
        div.side-list {
            nav.stack aria-label="Segments" { (layout::unit("lists", lists(viewer, segments))) }
            div.stack {
                (builder(filter))
                (layout::unit("problem", html! {
                    @if let Some(problem) = &segments.found.problem { p.notice.stop role="alert" { (problem.split(" Names are:").next().unwrap_or_default()) } }
                }))
                (layout::unit("chips", chips(filter)))
                @if segments.found.problem.is_none() { (actions(viewer, segments)) }
                (contacts::results(&Ask::of(filter), &segments.found))
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

fn lists(viewer: &Viewer, segments: &Segments) -> Markup {
    let waiting = segments
        .ready
        .iter()
        .chain(segments.saved.iter().map(|saved| &saved.1))
        .any(Option::is_none);
    html! {
        section.card.segs aria-labelledby="ready-title" data-counts data-again[waiting] {
            h2 #ready-title { "Ready made" }
            @for (n, (ready, count)) in READY.iter().zip(&segments.ready).enumerate() {
                @if n == 0 || READY[n - 1].group != ready.group { h3 { (ready.group) } }
                (entry(ready.name, ready.what, ready.filter, *count, ready.filter == segments.filter))
            }
        }
        section.card.segs aria-labelledby="saved-title" {
            h2 #saved-title { "Saved" }
            @if segments.saved.is_empty() { p.hint { "Build a segment and save it under a name." } }
            @for (segment, count) in &segments.saved {
                @let own = segment.owner == viewer.user;
                @let what = match (own, segment.shared) { (true, true) => "yours, shared", (true, false) => "yours", _ => "shared" };
                div.seg-row {
                    (entry(&segment.name, what, &segment.filter, *count, segment.filter == segments.filter))
                    @if own {
                        form method="post" action={ "/segments/" (format!("{:032x}", u128::from_be_bytes(segment.id))) "/remove" } data-confirm={ "Remove the segment " (segment.name) "? The contacts stay." } {
                            (layout::csrf(viewer))
                            button.tag-x title="Remove" aria-label={ "Remove the segment " (segment.name) } { "×" }
                        }
                    }
                }
            }
        }
    }
}

fn builder(filter: &str) -> Markup {
    html! {
        section.card aria-labelledby="build-title" {
            div.bar { h2 #build-title { "Build a segment" } }
            form.builder action="/segments" {
                input type="hidden" name="filter" value=(filter);
                div { label for="field" { "Field" }
                    select #field name="field" {
                        optgroup label="What happened, where, whose" { @for (name, label) in OTHERS { option value=(name) { (label) } } }
                        optgroup label="Fields of the contact" { @for spec in FIELDS.iter().filter(|spec| asked(spec)) { option value=(spec.name) { (spec.label) } } }
                    } }
                div { label for="op" { "How" } select #op name="op" { @for (name, label) in OPS.iter().chain([&MISSING]) { option value=(name) { (label) } } } }
                div { label for="value" { "Value" } input #value name="value" autocomplete="off" spellcheck="false"; }
                button.btn { "Add condition" }
            }
            form.by-hand action="/segments" {
                div { label for="filter" { "As a filter; fields of your own are custom.NAME" }
                    input #filter name="filter" value=(filter) placeholder="status:customer contacted:>60d" autocomplete="off" spellcheck="false" autocapitalize="none"; }
                button.btn { "Show" }
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
            Some([]) => p.hint { "All contacts. Choose a segment, or add conditions: all of them must hold." },
            Some(parts) => div.tags {
                @for (n, part) in parts.iter().enumerate() {
                    @let rest: Vec<&str> = parts.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, part)| part.as_str()).collect();
                    span.chip.brand { span.mono { (part) } a.tag-x href=(url::with("/segments", &[("filter", &rest.join(" "))])) aria-label={ "Take out " (part) } { "×" } }
                }
                a.k href="/segments" { "Clear" }
            },
            None => div.tags { span.chip.brand { span.mono { (filter) } a.tag-x href="/segments" aria-label="Take out the filter" { "×" } } },
        }
    }
}

fn actions(viewer: &Viewer, segments: &Segments) -> Markup {
    let filter = segments.filter.as_str();
    html! {
        section.card.acts aria-labelledby="acts-title" {
            (layout::unit("total", html! { h2 #acts-title { (layout::plural(segments.exact.unwrap_or(0), "contact", "contacts")) " in this segment" } }))
            div.act-forms {
                details.act {
                    summary.btn.small { "Save" }
                    form.tight method="post" action="/segments" {
                        (layout::csrf(viewer)) input type="hidden" name="filter" value=(filter);
                        div { label for="name" { "Name" } input #name name="name" maxlength="80" required autocomplete="off"; }
                        @if viewer.edits() { label.check { input type="checkbox" name="shared" value="1"; " Everybody of the office sees it" } }
                        button.btn.small.go { "Save" }
                    }
                }
                @if viewer.edits() {
                    details.act {
                        summary.btn.small { "Assign" }
                        form.tight method="post" action="/segments/assign" {
                            (layout::csrf(viewer)) input type="hidden" name="filter" value=(filter);
                            div { label for="to" { "To" } select #to name="to" { @for user in &segments.receivers { option value=(user.login) { (user.name) " (" (user.login) ")" } } option value="" { "nobody" } } }
                            button.btn.small.go { "See what would move" }
                        }
                    }
                }
                @if segments.exports {
                    details.act {
                        summary.btn.small { "Export" }
                        form.tight method="post" action="/segments/export" {
                            (layout::csrf(viewer)) input type="hidden" name="filter" value=(filter);
                            @if segments.mails {
                                div { label for="channel" { "Whom" }
                                    select #channel name="channel" { option value="" { "everybody in it" } @for channel in ["email", "phone", "post", "sms"] { option value=(channel) { "with consent for " (channel) } } } }
                            }
                            button.btn.small.go { "Export as CSV" }
                            p.hint { "Every export stands in the audit log." @if segments.mails { " With a channel, who has not consented and who must not be contacted is left out." } }
                        }
                    }
                } @else { p.hint { "Only somebody with the whole base may export." } }
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
    let whom = if to.is_empty() { "nobody" } else { to };
    let back = url::with("/segments", &[("filter", filter)]);
    let moving: u64 = told.moves.iter().map(|one| one.contacts).sum();
    html! {
        div.bar { h1 { "Assign a segment" } }
        section.card.tight {
            @if done {
                p.notice.ok role="status" { (layout::plural(told.changed, "contact", "contacts")) " went to " b { (whom) } "; " (layout::count(told.unchanged)) " were theirs already." }
                p { a.btn href=(back) { "Back to the segment" } }
            } @else {
                p { (layout::plural(moving, "contact", "contacts")) " would go to " b { (whom) } "; " (layout::count(told.unchanged)) " are theirs already." }
                @if !told.moves.is_empty() {
                    table.tight-table {
                        thead { tr { th scope="col" { "From" } th scope="col" { "To" } th.num scope="col" { "Contacts" } } }
                        tbody { @for one in &told.moves { tr { td { (one.from) } td { (one.to) } td.num { (layout::count(one.contacts)) } } } }
                    }
                }
                p.hint { "The contacts are taken from their present owners' devices at their next connection, and come to those of the new owner." }
                form.bar method="post" action="/segments/assign" {
                    (layout::csrf(viewer))
                    input type="hidden" name="filter" value=(filter); input type="hidden" name="to" value=(to); input type="hidden" name="confirmed" value="1";
                    @if moving > 0 { button.btn.go { "Assign " (layout::plural(moving, "contact", "contacts")) } }
                    a.btn href=(back) { "Cancel" }
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
        let fields = OTHERS.iter().map(|other| other.0);
        for field in fields.chain(FIELDS.iter().filter(|spec| asked(spec)).map(|spec| spec.name)) {
            let some = OPS.iter().flat_map(|(op, _)| values.map(|value| (op, value)));
            let works = some.filter(|(op, value)| condition(field, op, value).is_ok()).count();
            assert!(works > 0, "{field}");
        }
        assert_eq!(condition("city", "is", "Bad Homburg").unwrap(), "city:\"Bad Homburg\"");
        assert_eq!(condition("contacted", "older", "60").unwrap(), "contacted:>60d");
        assert_eq!(condition("visits", "there", "").unwrap(), "has:visit");
        assert_eq!(condition("revenue", "min", "1000 EUR").unwrap(), "revenue:>=\"1000 EUR\"");
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
