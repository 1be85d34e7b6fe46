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
        div.bar { h1 { "After the restore" } }
        @match &found {
            None => section.card { (layout::empty("Nothing is held back", html! { "Devices and pages get what their people may see." })) },
            Some(found) => (section(&viewer, found)),
        }
    };
    let page = Page {
        viewer: &viewer,
        title: "After the restore",
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
            h2 { "Customer data is held back" }
            p { "This database was there before, and its ledger is missing. "
                "What happened after "
                @match found.known_until { Some(at) => (layout::time(at, Shape::Full)), None => "an unknown time" }
                " may be missing here: erasures, revoked devices, contacts that were given to somebody else." }
            p.k { "Since " (layout::time(found.since, Shape::Full)) " devices deliver their edits and get nothing; only administrators see these pages. "
                "If there is a copy of the ledger, stop the server and put it back: then nothing has to be decided." }
        }
        section.card.list aria-labelledby="review-devices" {
            div.pager { h2 #review-devices { "1. Which devices were lost or revoked since?" } }
            table {
                caption.vh { "Devices" }
                thead { tr { th scope="col" { "Device" } th scope="col" { "State" } th.mid scope="col" { "Last seen" } th.num scope="col" { span.vh { "Revoke" } } } }
                tbody {
                    @for device in &found.devices {
                        tr {
                            th scope="row" { b { (name(device.user)) } div.k { (device.name) " · " (device.platform) } }
                            td { @if device.revoked_at.is_some() { span.chip.stop { "revoked" } } @else { span.chip.wait { "gets data again" } } }
                            td.mid.muted { @match device.last_seen { Some(at) => (layout::time(at, Shape::Full)), None => "never" } }
                            td.num { @if device.revoked_at.is_none() {
                                form method="post" action={ "/devices/" (device.id) "/revoke" } data-confirm={ "Revoke the device " (device.name) "?" } {
                                    (layout::csrf(viewer)) input type="hidden" name="back" value="/review"; button.btn.small.danger { "Revoke" }
                                }
                            } }
                        }
                    }
                }
            }
        }
        section.card.list aria-labelledby="review-people" {
            div.pager { h2 #review-people { "2. Who comes in, and whose contacts are whose?" } }
            table {
                caption.vh { "People" }
                thead { tr { th scope="col" { "Name" } th scope="col" { "Role" } th.num scope="col" { "Contacts" } } }
                tbody {
                    @for (user, contacts) in &found.people {
                        tr {
                            th scope="row" { b { (user.name) } div.k.mono { (user.login) } }
                            td { (user.role.as_str()) @if user.disabled_at.is_some() { " " span.chip.stop { "disabled" } } }
                            td.num { (layout::count(*contacts)) }
                        }
                    }
                    tr { th scope="row" { "Nobody's" } td {} td.num { (layout::count(found.unowned)) } }
                }
            }
        }
        section.card.stack {
            h2 { "3. What was erased since?" }
            p.k { "Erase it again: " span.mono { "roadbook-server erase ID --reason CODE" } ". People: " span.mono { "user change LOGIN --disable" } ", contacts: " span.mono { "assign --to LOGIN --filter FILTER" } "." }
            form method="post" action="/review/confirm" data-confirm="Are devices, people and assignments right? Customer data goes out again at once." {
                (layout::csrf(viewer)) input type="hidden" name="code" value=(found.code);
                button.btn.go { "Confirm: send customer data again" }
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
