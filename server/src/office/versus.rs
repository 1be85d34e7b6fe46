//! A conflict, side by side: every value with its author and time, and a decision for each.

use maud::{Markup, html};
use roadbook_protocol::document::schema::{self, Kind};
use roadbook_protocol::document::{Collection, Conflict, ConflictValue, Value};

use super::fields::{self, Sheet};
use super::layout::{self, Shape};
use super::words;

/// What a path in a document is called, and what it holds.
pub(super) struct Path<'a> {
    pub label: String,
    pub kind: Kind,
    /// Collection and entry, where the path leads into one.
    pub entry: Option<(Collection, &'a str)>,
    /// Whether the path is an entry as a whole: one side deleted it, another changed it.
    pub whole_entry: bool,
}

/// Reads a path as [`Conflict::field`] has it.
pub(super) fn path(text: &str) -> Path<'_> {
    let mut parts = text.splitn(3, '/');
    let first = parts.next().unwrap_or_default();
    if let (Some(collection), Some(id)) = (Collection::from_name(first), parts.next()) {
        let noun = noun(collection);
        let name = parts.next();
        let spec = name.and_then(|name| collection.fields().iter().find(|spec| spec.name == name));
        return Path {
            label: match (name, spec) {
                (None, _) => noun,
                (Some(name), spec) => format!(
                    "{noun}: {}",
                    spec.map_or(name.to_owned(), |spec| fields::label_of(spec).to_lowercase())
                ),
            },
            kind: spec.map_or(Kind::Text, |spec| spec.kind),
            entry: Some((collection, id)),
            whole_entry: name.is_none(),
        };
    }
    let root = schema::field(text);
    let label = match root {
        Some(spec) => fields::label_of(spec),
        None => fields::word(
            text.strip_prefix("custom.").or(text.strip_prefix("custom/")).unwrap_or(text),
        ),
    };
    Path { label, kind: root.map_or(Kind::Text, |spec| spec.kind), entry: None, whole_entry: false }
}

/// One entry of a collection, as a word.
pub(super) fn noun(collection: Collection) -> String {
    words::text_or("noun", collection.name(), || fields::word(collection.name()))
}

/// One conflict with its decisions. `heading` stands above it.
pub(super) fn sides(sheet: &Sheet<'_>, conflict: &Conflict, heading: Markup) -> Markup {
    let path = path(&conflict.field);
    let edits = sheet.viewer.edits();
    let key = layout::rev(&html! { (conflict.contact_id) (conflict.field) });
    html! {
        div.tight {
            div.bar { (heading) span.grow {} span.chip.wait { (t!("conflict-decide")) } }
            div.vs {
                @for (n, side) in conflict.values.iter().enumerate() {
                    div.side.on[side.shown] {
                        strong { (value(&path, side)) }
                        span.k { (sheet.names.of(side.author)) " · " (layout::time(side.at, Shape::Full)) }
                        @if side.shown { span.asof { (t!("conflict-shown")) } }
                        @if edits { form method="post" action=(sheet.action("resolve")) data-in-place {
                            (layout::csrf(sheet.viewer))
                            input type="hidden" name="field" value=(conflict.field);
                            input type="hidden" name="back" value=(sheet.back);
                            input type="hidden" name="change" value=(side.change);
                            button.btn.small.go[side.shown] {
                                @if side.value.is_none() && path.whole_entry { (t!("conflict-keep-deleted")) } @else { (keep(n)) }
                            }
                        } }
                    }
                }
            }
            @if edits && !path.whole_entry {
                details.another {
                    summary { (t!("conflict-another")) }
                    form method="post" action=(sheet.action("resolve")) data-in-place {
                        (layout::csrf(sheet.viewer))
                        input type="hidden" name="field" value=(conflict.field);
                        input type="hidden" name="back" value=(sheet.back);
                        input type="hidden" name="another" value="1";
                        @let id = format!("another-{key}");
                        label.vh for=(id) { (t!("conflict-another-for", field = path.label.as_str())) }
                        (fields::control_for(&id, "value", path.kind, ""))
                        button.btn.go { (t!("conflict-write")) }
                    }
                }
            }
        }
    }
}

fn keep(n: usize) -> String {
    match n {
        0 => t!("conflict-keep-first"),
        1 => t!("conflict-keep-second"),
        2 => t!("conflict-keep-third"),
        3 => t!("conflict-keep-fourth"),
        _ => t!("conflict-keep-this"),
    }
}

fn value(path: &Path<'_>, side: &ConflictValue) -> Markup {
    let spec = schema::FieldSpec { name: "value", kind: path.kind, label: "Value" };
    match &side.value {
        None if path.whole_entry => html! { (t!("conflict-deleted")) },
        None => html! { (t!("conflict-cleared")) },
        Some(Value::Bool(_)) if path.whole_entry => html! { (t!("conflict-changed")) },
        some => fields::shown(&spec, some.as_ref()),
    }
}

/// The headings of a conflict on its contact's own page.
pub(super) fn on_contact(sheet: &Sheet<'_>, conflict: &Conflict) -> Markup {
    sides(sheet, conflict, html! { h3 { (path(&conflict.field).label) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_as_a_person_would() {
        assert_eq!(path("job_title").label, "Job title");
        assert_eq!(path("custom.colour_code").label, "Colour code");
        assert_eq!(path("phones/0192/number").label, "Phone: number");
        assert_eq!(path("phones/0192/number").kind, Kind::Phone);
        assert!(path("tasks/0192").whole_entry);
        assert_eq!(path("newer_field").label, "Newer field");
    }
}
