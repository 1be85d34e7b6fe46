//! Keys of programs: making one, which is shown once, and revoking it.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::{enterers, frame};
use crate::admin::request::{ApiKeyCommand, Request};
use crate::office::OfficeState;
use crate::office::error::OfficeError;
use crate::office::fields::Names;
use crate::office::layout::{self, Shape};
use crate::office::session::{Posted, Viewer};
use crate::office::today;
use crate::rights::{Action, ApiScope};
use crate::store::api_keys::{self, ApiKey};
use crate::store::people::User;

/// Requests a minute, unless something else is asked for.
const RATE: u32 = 600;

/// `GET /settings/keys`
pub(in crate::office) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    show(&state, &viewer, None).await
}

/// The page; `made` is the name of a new key and the key, which stands here this once.
async fn show(
    state: &OfficeState,
    viewer: &Viewer,
    made: Option<(&str, &str)>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let workspace = viewer.workspace;
    let (keys, names, people) = state
        .read(move |conn| {
            Ok((
                api_keys::list(conn, workspace)?,
                today::names(conn, workspace)?,
                enterers(conn, workspace)?,
            ))
        })
        .await?;
    let body = html! {
        @if let Some((name, key)) = made {
            div.notice.ok role="status" {
                p { (t!("keys-made", name = name)) }
                p.mono.once #key { (key) }
            }
        }
        section.card.list aria-label=(t!("keys-title")) {
            @if keys.is_empty() {
                (layout::empty(&t!("keys-none"), html! { (t!("keys-none-text")) }))
            } @else {
                table {
                    caption.vh { (t!("keys-title")) }
                    thead { tr {
                        th scope="col" { (t!("name")) } th.mid scope="col" { (t!("keys-rights-of")) } th.wide scope="col" { (t!("keys-scopes")) }
                        th.mid scope="col" { (t!("keys-last-used")) } th.num scope="col" { span.vh { (t!("actions")) } }
                    } }
                    tbody { @for key in &keys { (row(viewer, key, &names)) } }
                }
            }
        }
        (form(viewer, &people))
    };
    frame(state, viewer, &t!("keys-title"), body).await
}

fn row(viewer: &Viewer, key: &ApiKey, names: &Names) -> Markup {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    html! {
        tr id={ "k-" (key.id) } {
            th scope="row" { b { (key.name) } div.k.mono { (key.id) } div.narrow.k { (names.of(key.user)) " · " (scopes.join(", ")) } }
            td.mid { (names.of(key.user)) }
            td.wide.mono { (scopes.join(", ")) div.k { (t!("keys-rate", n = key.rate)) } }
            td.mid.muted { @match key.last_used { Some(at) => (layout::time(at, Shape::Full)), None => (t!("never")) } }
            td.num {
                @if let Some(at) = key.revoked_at { span.chip.stop { (t!("keys-revoked")) } div.k { (layout::time(at, Shape::Short)) } }
                @else {
                    form method="post" action={ "/settings/keys/" (key.id) "/revoke" } data-confirm=(t!("keys-revoke-confirm", name = key.name.as_str())) {
                        (layout::csrf(viewer))
                        button.btn.small.danger { (t!("device-revoke")) span.vh { " " (key.name) } }
                    }
                }
            }
        }
    }
}

fn form(viewer: &Viewer, people: &[User]) -> Markup {
    html! {
        form.card.stack method="post" action="/settings/keys" aria-labelledby="new-key" {
            (layout::csrf(viewer))
            h2 #new-key { (t!("keys-new")) }
            div.fields {
                div { label for="name" { (t!("name")) } input #name name="name" required maxlength="64" placeholder="erp" autocomplete="off"; }
                div { label for="user" { (t!("keys-rights-of")) }
                    select #user name="user" { @for user in people { option value=(user.login) selected[user.id == viewer.user] { (user.name) } } } }
                div { label for="rate" { (t!("keys-rate-label")) } input #rate type="number" name="rate" min="1" max="60000" value=(RATE) required; }
            }
            fieldset {
                legend { (t!("keys-scopes")) }
                div.fields {
                    @for scope in ApiScope::ALL {
                        @let id = format!("s-{}", scope.as_str().replace(':', "-"));
                        label.check for=(id) { input id=(id) type="checkbox" name="scope" value=(scope.as_str()); span.mono { (scope.as_str()) } }
                    }
                }
            }
            div.bar { button.btn.go { (t!("keys-make")) } span.hint { (t!("keys-hint")) } }
        }
    }
}

/// `POST /settings/keys`
pub(in crate::office) async fn add(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Markup, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let fields = &posted.fields;
    let scopes: Vec<String> = fields.all("scope").map(str::to_owned).collect();
    if scopes.is_empty() {
        return Err(OfficeError::refused(t!("keys-no-scope")));
    }
    let rate = fields.text("rate").parse().ok().filter(|rate| (1..=60_000).contains(rate));
    let name = fields.text("name").to_owned();
    let user = Some(fields.text("user").to_owned()).filter(|login| !login.is_empty());
    let rate = rate.ok_or_else(|| OfficeError::refused(t!("keys-no-rate")))?;
    let add = ApiKeyCommand::Add { name: name.clone(), scopes, user, rate };
    let answer = state.command(&posted.viewer, Request::ApiKey(add)).await?;
    let key = answer.data["key"].as_str().unwrap_or_default();
    show(&state, &posted.viewer, Some((&name, key))).await
}

/// `POST /settings/keys/{id}/revoke`
pub(in crate::office) async fn revoke(
    State(state): State<OfficeState>,
    Path(key): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let revoke = ApiKeyCommand::Revoke { key };
    state.command(&posted.viewer, Request::ApiKey(revoke)).await?;
    Ok(Redirect::to("/settings/keys").into_response())
}
