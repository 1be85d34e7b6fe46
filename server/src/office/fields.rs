//! How one field is shown and edited in place.
//!
//! A field is a `<details>`: closed it shows the value, open it is a form. So it works without a
//! script, with a keyboard and with a screen reader; the script saves without leaving the page.
//! Each is a live unit: it changes under the reader's eyes, but not while they write into it.

use std::collections::{BTreeMap, HashMap};

use maud::{Markup, html};
use roadbook_protocol::document::schema::{FieldSpec, Kind};
use roadbook_protocol::document::{Authorship, CustomField, CustomKind, Entry, Value};
use roadbook_protocol::ids::{ContactId, UserId};

use super::layout::{self, Shape};
use super::session::Viewer;
use super::words;

/// Names of the workspace's people.
#[derive(Debug, Default)]
pub(super) struct Names(pub HashMap<UserId, String>);

impl Names {
    /// The name of somebody, or what to call somebody who is not known.
    pub(super) fn of(&self, user: UserId) -> String {
        self.0.get(&user).cloned().unwrap_or_else(|| t!("field-somebody"))
    }
}

/// What is needed to show the fields of one contact.
pub(super) struct Sheet<'a> {
    pub viewer: &'a Viewer,
    pub id: ContactId,
    pub names: &'a Names,
    /// Where a decision leads back to.
    pub back: &'a str,
    /// Who wrote what, by path; `None` while nobody asked for it.
    pub authors: Option<&'a BTreeMap<String, Authorship>>,
}

impl Sheet<'_> {
    /// The address of an action on this contact.
    pub(super) fn action(&self, verb: &str) -> String {
        format!("/contacts/{}/{verb}", self.id)
    }

    /// "by Anna, 3 May 2026" under a value, when authors were asked for.
    pub(super) fn by(&self, path: &str) -> Markup {
        let Some(authors) = self.authors else { return html! {} };
        // Entries carry authors per field; the entry's own line shows the latest of them.
        let own = authors.get(path);
        let prefix = format!("{path}/");
        let inner = authors
            .range(prefix.clone()..)
            .take_while(|(name, _)| name.starts_with(&prefix))
            .map(|(_, authorship)| authorship)
            .max_by_key(|authorship| authorship.at);
        html! {
            @if let Some(authorship) = own.or(inner) {
                span.asof.by {
                    (self.names.of(authorship.author)) ", " (layout::time(authorship.at, Shape::Full))
                }
            }
        }
    }

    /// One root scalar, shown and editable.
    pub(super) fn scalar(&self, spec: &FieldSpec, value: Option<&Value>) -> Markup {
        self.field(spec.name, &label_of(spec), spec, value)
    }

    /// One custom field: by its definition, or as text where the workspace has none or the value is none of
    /// that.
    pub(super) fn custom(
        &self,
        name: &str,
        defined: Option<&CustomField>,
        value: Option<&Value>,
    ) -> Markup {
        let defined = defined.filter(|field| value.is_none_or(|value| field.fits(value)));
        let kind = defined.map_or(Kind::Text, |field| field.kind.kind());
        let spec = FieldSpec { name: "custom", kind, label: "custom" };
        let choices = defined.filter(|field| field.kind == CustomKind::Choice);
        let write = |input: &str, text: &str| match choices {
            Some(field) => choose(input, "value", &field.choices, text),
            None => control(input, "value", &spec, text),
        };
        self.field_with(&format!("custom.{name}"), name, &spec, value, write)
    }

    fn field(&self, path: &str, label: &str, spec: &FieldSpec, value: Option<&Value>) -> Markup {
        self.field_with(path, label, spec, value, |input, text| control(input, "value", spec, text))
    }

    fn field_with(
        &self,
        path: &str,
        label: &str,
        spec: &FieldSpec,
        value: Option<&Value>,
        write: impl Fn(&str, &str) -> Markup,
    ) -> Markup {
        let id = format!("f-{path}");
        let input = format!("i-{path}");
        let closed = html! { span.k { (label) } span { (shown(spec, value)) (self.by(path)) } };
        self.row(
            &id,
            closed,
            html! {
                form method="post" action=(self.action("set")) data-in-place {
                    (layout::csrf(self.viewer))
                    input type="hidden" name="field" value=(path);
                    input type="hidden" name="was" value=(raw(spec, value));
                    label.vh for=(input) { (label) }
                    (write(&input, &raw(spec, value)))
                    div.bar {
                        button.btn.go.small { (t!("save")) }
                        button.btn.link.small type="reset" data-close { (t!("cancel")) }
                    }
                }
            },
        )
    }

    /// A row that opens into a form, or does not for people who may only read.
    fn row(&self, id: &str, closed: Markup, form: Markup) -> Markup {
        if !self.viewer.edits() {
            return html! { div.f.fixed id=(id) data-live=(id) data-rev=(layout::rev(&closed)) { (closed) } };
        }
        let content = html! {
            summary { (closed) span.pen aria-hidden="true" { (t!("edit")) } span.vh { (t!("field-edit-hidden")) } }
            (form)
        };
        html! { details.f id=(id) data-live=(id) data-rev=(layout::rev(&content)) { (content) } }
    }

    /// One entry of a collection: `summary` when closed, a form of all its fields when open.
    pub(super) fn entry(
        &self,
        collection: &str,
        specs: &[FieldSpec],
        entry: &Entry,
        label: &str,
        summary: Markup,
    ) -> Markup {
        let path = format!("{collection}/{}", entry.id);
        let id = format!("f-{}-{}", collection, entry.id);
        let closed = html! { span.k { (label) } span { (summary) (self.by(&path)) } };
        self.row(
            &id,
            closed,
            html! {
                form method="post" action=(self.action("put")) data-in-place {
                    (layout::csrf(self.viewer))
                    input type="hidden" name="collection" value=(collection);
                    input type="hidden" name="id" value=(entry.id);
                    (self.controls(&id, specs, Some(entry)))
                    div.bar {
                        button.btn.go.small { (t!("save")) }
                        button.btn.link.small type="reset" data-close { (t!("cancel")) }
                        span.grow {}
                        button.btn.small.danger name="remove" value="1" formnovalidate { (t!("remove")) }
                    }
                }
            },
        )
    }

    /// The form that adds an entry.
    pub(super) fn add(&self, collection: &str, specs: &[FieldSpec], what: &str) -> Markup {
        let id = format!("add-{collection}");
        if !self.viewer.edits() {
            return html! {};
        }
        html! {
            details.more id=(id) {
                summary { "+ " (what) }
                form.tight method="post" action=(self.action("put")) data-in-place {
                    (layout::csrf(self.viewer))
                    input type="hidden" name="collection" value=(collection);
                    (self.controls(&id, specs, None))
                    div.bar { button.btn.go.small { (t!("add")) } }
                }
            }
        }
    }

    fn controls(&self, id: &str, specs: &[FieldSpec], entry: Option<&Entry>) -> Markup {
        let has_instant = specs.iter().any(|spec| spec.kind == Kind::Instant);
        html! {
            @if has_instant { input type="hidden" name="utc_offset_min" value="0"; }
            div.fields {
                @for spec in specs {
                    @let input = format!("{id}-{}", spec.name);
                    @let value = entry.and_then(|entry| entry.fields.get(spec.name));
                    @let text = match spec.kind {
                        Kind::Minor => money_text(value, entry.map_or("", |entry| entry.text("currency"))),
                        _ => raw(spec, value),
                    };
                    div.wide[is_long(spec)] {
                        label for=(input) { (label_of(spec)) }
                        (control(&input, spec.name, spec, &text))
                        // What was seen, so that nothing newer is written over unseen.
                        @if entry.is_some() { input type="hidden" name={ "was-" (spec.name) } value=(text) data-utc[spec.kind == Kind::Instant && !text.is_empty()]; }
                    }
                }
            }
        }
    }
}

/// Fields of which people write sentences.
fn is_long(spec: &FieldSpec) -> bool {
    matches!(
        spec.name,
        "summary"
            | "outcome"
            | "objections"
            | "comment"
            | "personal_note"
            | "price_conditions"
            | "legal_address"
            | "lost_reason"
    )
}

/// The control for one of some values that the workspace has defined.
fn choose(id: &str, name: &str, choices: &[String], text: &str) -> Markup {
    html! {
        select id=(id) name=(name) {
            option value="" selected[text.is_empty()] { "—" }
            @for choice in choices { option value=(choice) selected[choice == text] { (choice) } }
        }
    }
}

/// The control for a kind of value.
fn control(id: &str, name: &str, spec: &FieldSpec, text: &str) -> Markup {
    match spec.kind {
        Kind::Choice(choices) => {
            let foreign = !text.is_empty() && !choices.contains(&text);
            html! {
                select id=(id) name=(name) {
                    option value="" selected[text.is_empty()] { "—" }
                    @for choice in choices { option value=(choice) selected[*choice == text] { (word(choice)) } }
                    // A value that a newer version wrote is kept, not replaced by the first choice.
                    @if foreign { option value=(text) selected { (text) } }
                }
            }
        }
        Kind::Bool => html! {
            select id=(id) name=(name) {
                option value="" selected[text.is_empty()] { "—" }
                option value="yes" selected[text == "yes"] { (t!("yes")) }
                option value="no" selected[text == "no"] { (t!("no")) }
            }
        },
        Kind::Date => html! { input type="date" id=(id) name=(name) value=(text); },
        Kind::Instant => {
            html! { input type="datetime-local" id=(id) name=(name) value=(text) data-utc[!text.is_empty()]; }
        }
        Kind::Int => html! { input type="number" step="1" id=(id) name=(name) value=(text); },
        Kind::Minor | Kind::Number => {
            html! { input inputmode="decimal" id=(id) name=(name) value=(text); }
        }
        Kind::Currency => {
            html! { input id=(id) name=(name) value=(text) maxlength="3" placeholder="EUR" autocapitalize="characters"; }
        }
        Kind::Email => {
            html! { input type="email" id=(id) name=(name) value=(text) autocomplete="off"; }
        }
        Kind::Phone => {
            html! { input type="tel" id=(id) name=(name) value=(text) autocomplete="off"; }
        }
        Kind::Text if is_long(spec) => html! { textarea id=(id) name=(name) rows="3" { (text) } },
        Kind::Text => html! { input id=(id) name=(name) value=(text) autocomplete="off"; },
    }
}

/// The control that writes another value for a path in conflict.
pub(super) fn control_for(id: &str, name: &str, kind: Kind, text: &str) -> Markup {
    control(id, name, &FieldSpec { name: "value", kind, label: "Value" }, text)
}

/// A value as it stands in a form.
pub(super) fn raw(spec: &FieldSpec, value: Option<&Value>) -> String {
    match (spec.kind, value) {
        (_, None) => String::new(),
        (Kind::Instant, Some(Value::Int(at))) => chrono::DateTime::from_timestamp_millis(*at)
            .map_or(String::new(), |utc| utc.format("%Y-%m-%dT%H:%M").to_string()),
        (_, Some(value)) => value.to_string(),
    }
}

pub(super) fn money_text(value: Option<&Value>, currency: &str) -> String {
    match value.and_then(Value::as_int) {
        Some(minor) => layout::money_plain(minor, currency),
        None => value.map_or(String::new(), Value::to_string),
    }
}

/// A value as it is read.
pub(super) fn shown(spec: &FieldSpec, value: Option<&Value>) -> Markup {
    match (spec.kind, value) {
        (_, None) => html! { span.muted aria-label=(t!("not-set")) { "–" } },
        (Kind::Instant, Some(Value::Int(at))) => layout::time(*at, Shape::Full),
        (Kind::Date, Some(Value::Text(text))) => layout::date(text),
        (Kind::Choice(_), Some(Value::Text(text))) => html! { (word(text)) },
        (_, Some(Value::Bool(on))) => html! { @if *on { (t!("yes")) } @else { (t!("no")) } },
        (_, Some(value)) => html! { span.pre { (value) } },
    }
}

/// A choice as a word in a sentence, in the reader's language; what is not known, such as the word of a
/// newer version, as it is: `in_person` becomes `In person`.
pub(super) fn word(text: &str) -> String {
    words::text_or("choice", text, || {
        let text = text.replace('_', " ");
        let mut chars = text.chars();
        match chars.next() {
            Some(first) => first.to_uppercase().chain(chars).collect(),
            None => text,
        }
    })
}

/// What a field is called, in the reader's language.
pub(super) fn label_of(spec: &FieldSpec) -> String {
    words::text_or("field", spec.name, || spec.label.to_owned())
}
