//! What happened with a contact: what people logged, and what each change did.

use maud::{Markup, html};
use roadbook_protocol::document::schema::{self, FieldSpec};
use roadbook_protocol::document::{Contact, FieldChange, HistoryItem, Value};

use super::fields::{self, Sheet};
use super::layout::{self, Shape};
use super::{versus, words};

/// The interactions, newest first.
pub(super) fn interactions(sheet: &Sheet<'_>, contact: &Contact) -> Markup {
    const SHOWN_MAX: usize = 30;
    let all = &contact.interactions;
    layout::unit(
        "interactions",
        html! {
            section.card aria-labelledby="interactions-title" {
                div.bar { h2 #interactions-title { (t!("history-timeline")) } span.k { (t!("history-n", n = all.len() as u64)) } }
                @if all.is_empty() {
                    (layout::empty(&t!("history-none"), html! { (t!("history-none-text")) }))
                }
                ol.time-line {
                    @for entry in all.iter().rev().take(SHOWN_MAX) {
                        li {
                            div.bar {
                                b { (fields::word(entry.text("kind"))) }
                                @if let Some(at) = entry.int("at") { span.asof { (layout::time(at, Shape::Full)) } }
                                @if let Some(nps) = entry.int("nps") { span.chip.info { "NPS " (nps) } }
                            }
                            @if !entry.text("summary").is_empty() { p.pre { (entry.text("summary")) } }
                            @for name in ["outcome", "objections", "place", "comment"] {
                                @if !entry.text(name).is_empty() { p.k { (words::text_or("field", name, || fields::word(name))) ": " (entry.text(name)) } }
                            }
                            (sheet.by(&format!("interactions/{}", entry.id)))
                        }
                    }
                }
                @if all.len() > SHOWN_MAX { p.hint { (t!("history-newest", n = SHOWN_MAX as u64)) } }
            }
        },
    )
}

/// The newest changes: who, when, what it was before and after.
pub(super) fn changes(sheet: &Sheet<'_>, history: &[HistoryItem]) -> Markup {
    layout::unit(
        "changes",
        html! {
            section.card aria-labelledby="changes-title" {
                div.bar { h2 #changes-title { (t!("history-changes")) } }
                @if history.is_empty() { p.k { (t!("history-no-change")) } }
                ol.time-line {
                    @for item in history {
                        li.change {
                            div.bar {
                                b { (sheet.names.of(item.author)) }
                                span.k { (doing(&item.command)) }
                                span.asof { (layout::time(item.at, Shape::Full)) }
                            }
                            @let lines = told(item);
                            @for line in lines.iter().take(CHANGE_LINES) { p.k { (line) } }
                            @if lines.len() > CHANGE_LINES { p.hint { (t!("and-more", n = (lines.len() - CHANGE_LINES) as u64)) } }
                        }
                    }
                }
                p.hint { (t!("history-claims")) }
            }
        },
    )
}

/// Lines of one change that are shown.
const CHANGE_LINES: usize = 6;

/// What a change did, a line per field; an entry that it made is one line.
fn told(item: &HistoryItem) -> Vec<Markup> {
    let entry = |change: &FieldChange| {
        let path = versus::path(&change.field);
        path.entry.map(|(collection, id)| (collection, id.to_owned()))
    };
    item.fields
        .chunk_by(|a, b| entry(a).is_some() && entry(a) == entry(b))
        .flat_map(|run| match entry(&run[0]) {
            Some((collection, _))
                if run.len() > 1 && run.iter().all(|change| change.before.is_none()) =>
            {
                let value = |names: &[&str]| {
                    run.iter()
                        .find(|change| {
                            names.iter().any(|name| change.field.ends_with(&format!("/{name}")))
                        })
                        .and_then(|change| change.after.as_ref().map(Value::to_string))
                };
                let kind = value(&["kind"])
                    .map_or_else(|| versus::noun(collection), |kind| fields::word(&kind));
                let text = value(&[
                    "summary", "title", "text", "number", "address", "street", "handle", "product",
                    "date", "channel",
                ]);
                vec![html! { (kind) ": " ins { (text.unwrap_or_default()) } }]
            }
            _ => run.iter().map(change_line).collect(),
        })
        .collect()
}

/// A command of the history, as what somebody did.
fn doing(command: &str) -> String {
    match command {
        "set" | "put" | "group" => t!("doing-edited"),
        "create" => t!("doing-create"),
        "resolve" => t!("doing-resolve"),
        "note" => t!("doing-note"),
        "tag" | "untag" => t!("doing-tags"),
        "remove" => t!("doing-remove"),
        "restore" => t!("doing-restore"),
        "import" => t!("doing-import"),
        kind if schema::INTERACTIONS.contains(&kind) => {
            t!("doing-logged", what = fields::word(kind))
        }
        other => fields::word(other).to_lowercase(),
    }
}

fn change_line(change: &FieldChange) -> Markup {
    let path = versus::path(&change.field);
    let spec = FieldSpec { name: "value", kind: path.kind, label: "Value" };
    let short = |value: &Option<Value>| match value {
        Some(Value::Text(text)) if text.chars().count() > 120 => {
            html! { (text.chars().take(120).collect::<String>()) "…" }
        }
        other => fields::shown(&spec, other.as_ref()),
    };
    html! {
        (path.label) ": "
        @if change.before.is_some() { del { (short(&change.before)) } " → " }
        @match &change.after { None => (t!("feed-removed")), after => ins { (short(after)) } }
    }
}
