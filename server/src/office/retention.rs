//! Retention rules for administrators: what they are, whom each reaches, and erasing exactly those who
//! were listed. Everything is done by the command of the same name.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::ids::UnixMs;
use serde::Deserialize;
use serde_json::Value;

use super::error::OfficeError;
use super::layout::{self, Page, Place, Shape};
use super::session::{Posted, Viewer};
use super::{OfficeState, decide, settings, url};
use crate::admin::request::Request;
use crate::rights::Action;

/// Contacts of a preview that are shown; all of them are confirmed.
const SHOWN: usize = 500;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    preview: Option<String>,
}

/// `GET /retention`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let rules = state.command(&viewer, Request::RetentionList).await?.data;
    let preview = match ask.preview {
        Some(name) => Some(state.command(&viewer, Request::RetentionPreview { name }).await?.data),
        None => None,
    };
    let rights = viewer.rights.clone();
    let to_decide = state.read(move |conn| decide::count(conn, &rights)).await?;
    let body = html! {
        div.bar { (settings::back()) h1 { (t!("retention-title")) } span.grow {} a.btn.small href="/erasures" { (t!("erasures-title")) } }
        @if let Some(preview) = &preview { (listed(&viewer, preview)) }
        (table(&viewer, &rules["rules"]))
        (form(&viewer))
    };
    let page = Page {
        viewer: &viewer,
        title: &t!("retention-title"),
        place: Some(Place::Settings),
        to_decide,
        cursor: None,
        contact: None,
        body,
    };
    Ok(page.render())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn table(viewer: &Viewer, rules: &Value) -> Markup {
    let rules = rules.as_object();
    html! {
        section.card.list aria-label=(t!("rules")) {
            @if rules.is_none_or(|rules| rules.is_empty()) {
                (layout::empty(&t!("retention-none"), html! { (t!("retention-none-text")) }))
            } @else {
                table {
                    caption.vh { (t!("retention-caption")) }
                    thead { tr { th scope="col" { (t!("retention-rule")) } th scope="col" { (t!("retention-months")) } th.mid scope="col" { (t!("filter")) } th.num scope="col" { span.vh { (t!("actions")) } } } }
                    tbody {
                        @for (name, rule) in rules.into_iter().flatten() {
                            tr {
                                th scope="row" { b { (name) } div.narrow.k.mono { (text(rule, "filter")) } }
                                td { (rule["months"].as_u64().unwrap_or(0)) }
                                td.mid.mono { (text(rule, "filter")) }
                                td.num {
                                    div.bar {
                                        a.btn.small href=(url::with("/retention", &[("preview", name)])) { (t!("preview")) }
                                        form method="post" action="/retention/remove" data-confirm=(t!("retention-remove-confirm", name = name.as_str())) {
                                            (layout::csrf(viewer)) input type="hidden" name="name" value=(name);
                                            button.btn.small { (t!("remove")) span.vh { " " (name) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn form(viewer: &Viewer) -> Markup {
    html! {
        form.card method="post" action="/retention" {
            (layout::csrf(viewer))
            div.fields {
                div { label for="name" { (t!("name")) } input #name name="name" required pattern="[a-z0-9\\-]{1,20}" placeholder="lost-leads" autocapitalize="none" spellcheck="false"; }
                div { label for="filter" { (t!("retention-which")) } input.mono #filter name="filter" required placeholder="status:lost" autocapitalize="none" spellcheck="false"; }
                div { label for="months" { (t!("retention-months-without")) } input #months type="number" name="months" min="1" max="1200" required value="24"; }
                div.wide { button.btn { (t!("retention-set")) } }
            }
        }
    }
}

fn listed(viewer: &Viewer, preview: &Value) -> Markup {
    let due = preview["due"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = text(preview, "rule");
    html! {
        section.card.list aria-labelledby="due" {
            div.pager.bar { h2 #due { (name) } span.k role="status" { (t!("retention-due", n = due.len() as u64)) } }
            @if due.is_empty() {
                (layout::empty(&t!("retention-nobody"), html! { (t!("retention-nobody-text")) }))
            } @else {
                table {
                    caption.vh { (t!("retention-reached")) }
                    thead { tr { th scope="col" { (t!("contact")) } th scope="col" { (t!("retention-last")) } } }
                    tbody {
                        @for one in due.iter().take(SHOWN) {
                            tr {
                                th scope="row" { a.name href={ "/contacts/" (text(one, "contact")) } { (text(one, "display_name")) } }
                                td.muted { (layout::time(one["last"].as_i64().unwrap_or(0) as UnixMs, Shape::Full)) }
                            }
                        }
                    }
                }
                div.pager.bar {
                    @if due.len() > SHOWN { span.k { (t!("and-more", n = (due.len() - SHOWN) as u64)) } }
                    span.grow {}
                    form method="post" action="/retention/apply" data-confirm=(t!("retention-erase-confirm", n = due.len() as u64)) {
                        (layout::csrf(viewer))
                        input type="hidden" name="name" value=(name);
                        input type="hidden" name="confirm" value=(text(preview, "confirm"));
                        button.btn.danger { (t!("retention-erase", n = due.len() as u64)) }
                    }
                }
            }
        }
    }
}

/// `POST /retention`: adds a rule, or changes it.
pub(super) async fn set(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let months = posted.fields.text("months").parse();
    let request = Request::RetentionSet {
        name: posted.fields.text("name").to_owned(),
        filter: posted.fields.text("filter").to_owned(),
        months: months.map_err(|_| OfficeError::refused(t!("retention-whole-months")))?,
    };
    state.command(&posted.viewer, request).await?;
    Ok(Redirect::to("/retention").into_response())
}

/// `POST /retention/remove`
pub(super) async fn remove(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let name = posted.fields.text("name").to_owned();
    state.command(&posted.viewer, Request::RetentionRemove { name }).await?;
    Ok(Redirect::to("/retention").into_response())
}

/// `POST /retention/apply`: erases exactly those who were listed.
pub(super) async fn apply(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let request = Request::RetentionApply {
        name: posted.fields.text("name").to_owned(),
        confirm: posted.fields.text("confirm").to_owned(),
    };
    state.command(&posted.viewer, request).await?;
    Ok(Redirect::to("/erasures").into_response())
}
