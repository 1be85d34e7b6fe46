//! The review after a restore without the ledger (rule 4), for administrators: what is held back, what is
//! to be decided, and letting it go.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::error::OfficeError;
use super::layout::{self, Page, Shape};
use super::session::{Posted, Viewer};
use super::{OfficeState, decide};
use crate::engine::review::{self, Review};
use crate::rights::Action;

/// `GET /review`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let rights = viewer.rights.clone();
    let (found, to_decide) = state
        .read(move |conn| {
            Ok((review::read(conn, rights.workspace)?, decide::count(conn, &rights)?))
        })
        .await?;
    let body = html! {
        div.bar { h1 { (t!("review-title")) } }
        @match &found {
            None => section.card { (layout::empty(&t!("review-none"), html! { (t!("review-none-text")) })) },
            Some(found) => (section(&viewer, found)),
        }
    };
    let page = Page {
        viewer: &viewer,
        title: &t!("review-title"),
        place: None,
        to_decide,
        cursor: None,
        contact: None,
        body,
    };
    Ok(page.render())
}

fn section(viewer: &Viewer, found: &Review) -> Markup {
    let name = |id| {
        let user = found.people.iter().find(|(user, _)| user.id == id);
        user.map_or("", |(user, _)| user.name.as_str())
    };
    html! {
        section.card.stack {
            h2 { (t!("review-held")) }
            p { (rich!("review-why"; time = match found.known_until { Some(at) => layout::time(at, Shape::Full), None => html! { (t!("review-unknown-time")) } })) }
            p.k { (rich!("review-since"; time = layout::time(found.since, Shape::Full))) }
        }
        section.card.list aria-labelledby="review-devices" {
            div.pager { h2 #review-devices { (t!("review-devices")) } }
            table {
                caption.vh { (t!("devices")) }
                thead { tr { th scope="col" { (t!("device")) } th scope="col" { (t!("state")) } th.mid scope="col" { (t!("last-seen")) } th.num scope="col" { span.vh { (t!("device-revoke")) } } } }
                tbody {
                    @for device in &found.devices {
                        tr {
                            th scope="row" { b { (name(device.user)) } div.k { (device.name) " · " (device.platform) } }
                            td { @if device.revoked_at.is_some() { span.chip.stop { (t!("erasure-revoked")) } } @else { span.chip.wait { (t!("review-gets-data")) } } }
                            td.mid.muted { @match device.last_seen { Some(at) => (layout::time(at, Shape::Full)), None => (t!("never")) } }
                            td.num { @if device.revoked_at.is_none() {
                                form method="post" action={ "/devices/" (device.id) "/revoke" } data-confirm=(t!("review-revoke-confirm", device = device.name.as_str())) {
                                    (layout::csrf(viewer)) input type="hidden" name="back" value="/review"; button.btn.small.danger { (t!("device-revoke")) }
                                }
                            } }
                        }
                    }
                }
            }
        }
        section.card.list aria-labelledby="review-people" {
            div.pager { h2 #review-people { (t!("review-people")) } }
            table {
                caption.vh { (t!("people")) }
                thead { tr { th scope="col" { (t!("name")) } th scope="col" { (t!("role")) } th.num scope="col" { (t!("contacts")) } } }
                tbody {
                    @for (user, contacts) in &found.people {
                        tr {
                            th scope="row" { b { (user.name) } div.k.mono { (user.login) } }
                            td { (super::devices::role_name(user.role)) @if user.disabled_at.is_some() { " " span.chip.stop { (t!("person-disabled")) } } }
                            td.num { (layout::count(*contacts)) }
                        }
                    }
                    tr { th scope="row" { (t!("review-nobodys")) } td {} td.num { (layout::count(found.unowned)) } }
                }
            }
        }
        section.card.stack {
            h2 { (t!("review-erased")) }
            p.k { (rich!("review-again"; erase = html! { span.mono { "roadbook-server erase ID --reason CODE" } }, disable = html! { span.mono { "user change LOGIN --disable" } }, assign = html! { span.mono { "assign --to LOGIN --filter FILTER" } })) }
            form method="post" action="/review/confirm" data-confirm=(t!("review-confirm")) {
                (layout::csrf(viewer)) input type="hidden" name="code" value=(found.code);
                button.btn.go { (t!("review-confirm-button")) }
            }
        }
    }
}

/// `POST /review/confirm`
pub(super) async fn confirm(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let (workspace, by) = (posted.viewer.workspace, posted.viewer.user);
    let code = posted.fields.text("code").to_owned();
    state.engine_do(move |engine| engine.confirm_review(workspace, Some(by), &code)).await?;
    Ok(Redirect::to("/review").into_response())
}
