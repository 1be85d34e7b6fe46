//! Webhooks: where events go, how far each is, and what was given up.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::{enterers, frame};
use crate::admin::request::{Request, WebhookCommand};
use crate::api::{ATTEMPTS, BACKOFF_MS, event_kinds};
use crate::office::OfficeState;
use crate::office::error::OfficeError;
use crate::office::layout::{self, Shape};
use crate::office::session::{Posted, Viewer};
use crate::rights::Action;
use crate::store::people::User;
use crate::store::webhooks::{self, Dead, Webhook};

/// So many of what was given up are listed.
const DEAD_MAX: u32 = 200;

/// `GET /settings/webhooks`
pub(in crate::office) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    show(&state, &viewer, None).await
}

/// The page; `made` is the address of a new webhook and its secret, which stands here this once.
async fn show(
    state: &OfficeState,
    viewer: &Viewer,
    made: Option<(&str, &str)>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let workspace = viewer.workspace;
    let (hooks, people) = state
        .read(move |conn| {
            let mut hooks = Vec::new();
            for hook in webhooks::list(conn, Some(workspace))? {
                let dead = webhooks::count_dead(conn, &hook.id)?;
                hooks.push((hook, dead));
            }
            Ok((hooks, enterers(conn, workspace)?))
        })
        .await?;
    let now = state.now();
    let body = html! {
        @if let Some((url, secret)) = made {
            div.notice.ok role="status" {
                p { (t!("hooks-made", url = url)) }
                p.mono.once #secret { (secret) }
            }
        }
        section.card.list aria-label=(t!("hooks-title")) {
            @if hooks.is_empty() {
                (layout::empty(&t!("hooks-none"), html! { (t!("hooks-none-text")) }))
            } @else {
                table {
                    caption.vh { (t!("hooks-title")) }
                    thead { tr {
                        th scope="col" { (t!("hooks-address")) } th.mid scope="col" { (t!("state")) } th.wide scope="col" { (t!("hooks-events")) }
                        th.num.mid scope="col" { (t!("hooks-given-up")) } th.num scope="col" { span.vh { (t!("actions")) } }
                    } }
                    tbody { @for (hook, dead) in &hooks { (row(viewer, hook, *dead, now)) } }
                }
            }
        }
        (form(viewer, &people))
    };
    frame(state, viewer, &t!("hooks-title"), body).await
}

fn row(viewer: &Viewer, hook: &Webhook, dead: u64, now: i64) -> Markup {
    let standing = html! {
        @if hook.attempts > 0 {
            span.chip.wait { (t!("hooks-failing", n = hook.attempts)) }
            @if let Some(error) = &hook.last_error { div.k { (error) } }
            @if hook.next_at > now { div.k { (t!("hooks-again-in", span = layout::span(hook.next_at - now))) } }
        } @else if let Some(at) = hook.last_ok {
            span.chip.ok { (t!("hooks-fine")) } div.k { (rich!("hooks-last"; time = layout::time(at, Shape::Full))) }
        } @else { span.chip { (t!("hooks-nothing-yet")) } }
    };
    html! {
        tr id={ "w-" (hook.id) } {
            th scope="row" { b.break { (hook.url) } div.k { (rich!("hooks-since"; time = layout::time(hook.created_at, Shape::Short))) } div.narrow { (standing) } @if dead > 0 { div.narrow { (given_up(hook, dead)) } } }
            td.mid { (standing) }
            td.wide.mono { (hook.events.join(", ")) }
            td.num.mid { @if dead > 0 { (given_up(hook, dead)) } @else { "0" } }
            td.num {
                form method="post" action={ "/settings/webhooks/" (hook.id) "/remove" } data-confirm=(t!("hooks-remove-confirm", url = hook.url.as_str())) {
                    (layout::csrf(viewer))
                    button.btn.small.danger { (t!("remove")) span.vh { " " (hook.url) } }
                }
            }
        }
    }
}

fn given_up(hook: &Webhook, dead: u64) -> Markup {
    html! { a href={ "/settings/webhooks/" (hook.id) } { (t!("hooks-n-given-up", n = dead)) } }
}

fn form(viewer: &Viewer, people: &[User]) -> Markup {
    html! {
        form.card.stack method="post" action="/settings/webhooks" aria-labelledby="new-hook" {
            (layout::csrf(viewer))
            h2 #new-hook { (t!("hooks-new")) }
            div.fields {
                div.wide { label for="url" { (t!("hooks-address")) } input #url type="url" name="url" required maxlength="2000" placeholder="https://erp.example.com/roadbook" autocomplete="off"; }
                div { label for="user" { (t!("hooks-reach-of")) }
                    select #user name="user" { @for user in people { option value=(user.login) selected[user.id == viewer.user] { (user.name) } } } }
            }
            fieldset {
                legend { (t!("hooks-events")) }
                div.fields {
                    @for kind in event_kinds() {
                        @let id = format!("e-{}", kind.replace('.', "-"));
                        label.check for=(id) { input id=(id) type="checkbox" name="event" value=(kind) checked; span.mono { (kind) } }
                    }
                }
            }
            div.bar { button.btn.go { (t!("add")) } span.hint { (t!("hooks-hint")) } }
        }
    }
}

/// `POST /settings/webhooks`
pub(in crate::office) async fn add(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Markup, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let fields = &posted.fields;
    let events: Vec<String> = fields.all("event").map(str::to_owned).collect();
    if events.is_empty() {
        return Err(OfficeError::refused(t!("hooks-no-event")));
    }
    let url = fields.text("url").to_owned();
    let add = WebhookCommand::Add {
        url: url.clone(),
        // All of them are also those that a later version has.
        events: if events.len() == event_kinds().count() { Vec::new() } else { events },
        user: Some(fields.text("user").to_owned()).filter(|login| !login.is_empty()),
        attempts: ATTEMPTS,
        backoff_ms: BACKOFF_MS,
    };
    let answer = state.command(&posted.viewer, Request::Webhook(add)).await?;
    let secret = answer.data["secret"].as_str().unwrap_or_default();
    show(&state, &posted.viewer, Some((&url, secret))).await
}

/// `POST /settings/webhooks/{id}/remove`
pub(in crate::office) async fn remove(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    state.command(&posted.viewer, Request::Webhook(WebhookCommand::Remove { id })).await?;
    Ok(Redirect::to("/settings/webhooks").into_response())
}

/// `GET /settings/webhooks/{id}`: what was given up.
pub(in crate::office) async fn dead(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Path(id): Path<String>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let workspace = viewer.workspace;
    let found = state
        .read(move |conn| {
            let hook = webhooks::find(conn, &id)?.filter(|hook| hook.workspace == workspace);
            let Some(hook) = hook else { return Ok(None) };
            let dead = webhooks::dead(conn, &hook.id, DEAD_MAX)?;
            let total = webhooks::count_dead(conn, &hook.id)?;
            Ok(Some((hook, dead, total)))
        })
        .await?;
    let Some((hook, dead, total)) = found else {
        return Err(OfficeError::NotFound { what: "webhook" });
    };
    let body = html! {
        p { span.mono.break { (hook.url) } }
        section.card.list aria-label=(t!("hooks-given-up")) {
            @if dead.is_empty() {
                (layout::empty(&t!("hooks-dead-none"), html! { (rich!("hooks-dead-none-text"; link = html! { a href="/settings/webhooks" { (t!("hooks-title")) } })) }))
            } @else {
                div.pager.bar {
                    span.k role="status" { (t!("hooks-n-given-up", n = total)) }
                    span.grow {}
                    form method="post" action={ "/settings/webhooks/" (hook.id) "/retry" } { (layout::csrf(&viewer)) button.btn.go { (t!("hooks-retry-all")) } }
                }
                table {
                    caption.vh { (t!("hooks-given-up")) }
                    thead { tr { th scope="col" { (t!("hooks-event")) } th.mid scope="col" { (t!("when")) } th scope="col" { (t!("reason")) } th.num scope="col" { span.vh { (t!("actions")) } } } }
                    tbody { @for one in &dead { (dead_row(&viewer, &hook, one)) } }
                }
                @if total > dead.len() as u64 { div.pager { span.k { (t!("and-more", n = total - dead.len() as u64)) } } }
            }
        }
    };
    frame(&state, &viewer, &t!("hooks-given-up"), body).await
}

fn dead_row(viewer: &Viewer, hook: &Webhook, dead: &Dead) -> Markup {
    html! {
        tr id={ "n-" (dead.n) } {
            th scope="row" { b.mono { (dead.event) } div.k { a href={ "/contacts/" (dead.contact) } { (t!("contact")) } } }
            td.mid.muted { (layout::time(dead.at, Shape::Full)) }
            td { (dead.error) div.k { (t!("hooks-failing", n = dead.attempts)) } }
            td.num {
                form method="post" action={ "/settings/webhooks/" (hook.id) "/retry" } {
                    (layout::csrf(viewer)) input type="hidden" name="n" value=(dead.n);
                    button.btn.small { (t!("hooks-retry")) span.vh { " " (dead.n) } }
                }
            }
        }
    }
}

/// `POST /settings/webhooks/{id}/retry`: one, or all.
pub(in crate::office) async fn retry(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let n = match posted.fields.text("n") {
        "" => None,
        text => Some(text.parse().map_err(|_| OfficeError::NotFound { what: "webhook" })?),
    };
    let retry = WebhookCommand::Retry { id: id.clone(), n };
    state.command(&posted.viewer, Request::Webhook(retry)).await?;
    Ok(Redirect::to(&format!("/settings/webhooks/{id}")).into_response())
}
