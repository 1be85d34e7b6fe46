//! The custom fields that the workspace defines: what they are called, what they take, in which order.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::document::{CUSTOM_FIELDS_MAX, CustomField, CustomKind};

use super::frame;
use crate::office::OfficeState;
use crate::office::error::OfficeError;
use crate::office::layout;
use crate::office::session::{Posted, Viewer};
use crate::rights::Action;
use crate::store::custom_fields::{self, Change};

/// Bytes of a name, as the form has it.
const NAME_MAX: usize = 100;

fn kind_word(kind: CustomKind) -> String {
    match kind {
        CustomKind::Text => t!("custom-kind-text"),
        CustomKind::Number => t!("custom-kind-number"),
        CustomKind::Date => t!("custom-kind-date"),
        CustomKind::Choice => t!("custom-kind-choice"),
        CustomKind::YesNo => t!("custom-kind-yes-no"),
    }
}

/// `GET /settings/fields`
pub(in crate::office) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let workspace = viewer.workspace;
    let fields = state.read(move |conn| custom_fields::all(conn, workspace)).await?;
    let body = html! {
        section.card.stack { p.k { (t!("custom-text")) } }
        section.card aria-label=(t!("custom-title")) {
            @if fields.is_empty() {
                (layout::empty(&t!("custom-none"), html! { (t!("custom-none-text")) }))
            } @else {
                ul.plain-rows { @for (at, field) in fields.iter().enumerate() { (row(&viewer, at, field)) } }
            }
        }
        @if fields.len() < CUSTOM_FIELDS_MAX {
            form.card.stack method="post" action="/settings/fields" {
                (layout::csrf(&viewer))
                h2 { (t!("custom-add")) }
                div.fields {
                    div { label for="custom-name" { (t!("custom-name")) } input #custom-name name="name" maxlength=(NAME_MAX) required autocomplete="off"; }
                    (controls("custom", CustomKind::Text, &[]))
                }
                p.hint { (t!("custom-name-hint")) }
                div.bar { button.btn.go name="what" value="put" { (t!("add")) } }
            }
        }
    };
    frame(&state, &viewer, &t!("custom-title"), body).await
}

/// What a field takes.
fn controls(id: &str, kind: CustomKind, choices: &[String]) -> Markup {
    let (kind_id, choices_id) = (format!("{id}-kind"), format!("{id}-choices"));
    html! {
        div { label for=(kind_id) { (t!("custom-kind")) }
            select id=(kind_id) name="kind" { @for one in CustomKind::ALL { option value=(one.as_str()) selected[one == kind] { (kind_word(one)) } } } }
        div.wide { label for=(choices_id) { (t!("custom-choices")) }
            textarea id=(choices_id) name="choices" rows="3" { (choices.join("\n")) } }
    }
}

fn row(viewer: &Viewer, at: usize, field: &CustomField) -> Markup {
    let name = field.name.as_str();
    let hidden = html! { (layout::csrf(viewer)) input type="hidden" name="name" value=(name); };
    html! {
        li.bar {
            b { (name) }
            span.k { (kind_word(field.kind)) @if !field.choices.is_empty() { ": " (field.choices.join(", ")) } }
            span.grow {}
            @if at > 0 {
                form method="post" action="/settings/fields" { (hidden) button.btn.small name="what" value="earlier" aria-label=(t!("custom-earlier-one", name = name)) { "↑ " (t!("custom-earlier")) } }
            }
            form method="post" action="/settings/fields" data-confirm=(t!("custom-remove-confirm", name = name)) { (hidden) button.btn.small.danger name="what" value="remove" { (t!("remove")) } }
            details.more {
                summary { (t!("edit")) }
                form.tight method="post" action="/settings/fields" {
                    (hidden)
                    div.fields { (controls(&format!("custom-{at}"), field.kind, &field.choices)) }
                    div.bar { button.btn.go.small name="what" value="put" { (t!("save")) } }
                }
            }
        }
    }
}

/// `POST /settings/fields`
pub(in crate::office) async fn change(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let form = &posted.fields;
    let name = form.text("name").to_owned();
    let change = match form.text("what") {
        "remove" => Change::Remove(name),
        "earlier" => Change::Earlier(name),
        _ => {
            let kind = CustomKind::from_name(form.text("kind")).unwrap_or_default();
            let lines = form.raw("choices").unwrap_or_default().lines().map(str::trim);
            let choices = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
            Change::Put(CustomField { name, kind, choices })
        }
    };
    let (workspace, by) = (posted.viewer.workspace, posted.viewer.user);
    state.engine_do(move |engine| engine.change_custom_field(workspace, Some(by), change)).await?;
    Ok(Redirect::to("/settings/fields").into_response())
}
