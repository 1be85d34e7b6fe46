//! Erasures for administrators: which devices have confirmed, which have not, and which other contacts
//! name somebody who was erased.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::ids::{ContactId, Cursor, DeviceId, UnixMs};
use rusqlite::Connection;

use super::error::OfficeError;
use super::fields::Names;
use super::layout::{self, Page, Place, Shape};
use super::session::{Posted, Viewer};
use super::{OfficeState, decide, settings, today};
use crate::admin::request::{EraseSettled, Request};
use crate::rights::{Action, Rights};
use crate::store::erasures::{self, Erasure, ErasureDevice};
use crate::store::{self, contacts, devices, projections, workspaces};

/// Erasures on the page, the newest ones.
const ROWS: usize = 100;

struct Found {
    erasures: Vec<Erasure>,
    total: usize,
    /// What other contacts are called.
    others: HashMap<ContactId, String>,
    devices: HashMap<DeviceId, String>,
    names: Names,
    to_decide: u64,
    cursor: Cursor,
}

/// `GET /erasures`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Administer)?;
    let now = state.now();
    let rights = viewer.rights.clone();
    let found = state.read(move |conn| read(conn, &rights)).await?;
    let body = html! {
        div.bar { (settings::back()) h1 { (t!("erasures-title")) } (layout::live_chip()) span.grow {} a.btn.small href="/retention" { (t!("retention-title")) } }
        (layout::unit("erasures", section(&viewer, &found, now)))
    };
    let page = Page {
        viewer: &viewer,
        title: &t!("erasures-title"),
        place: Some(Place::Settings),
        to_decide: found.to_decide,
        cursor: Some(found.cursor),
        contact: None,
        body,
    };
    Ok(page.render())
}

fn read(conn: &Connection, rights: &Rights) -> store::Result<Found> {
    let workspace = rights.workspace;
    let mut all = erasures::report(conn, workspace, None)?;
    let total = all.len();
    all.truncate(ROWS);
    let mut others = HashMap::new();
    for other in all.iter().flat_map(|erasure| &erasure.mentions) {
        if let Some(contact) = contacts::find(conn, workspace, *other)? {
            let name = projections::display_name(conn, contact.n)?;
            others.insert(*other, name.unwrap_or_else(|| other.to_string()));
        }
    }
    Ok(Found {
        erasures: all,
        total,
        others,
        devices: devices::list_devices(conn, workspace, None)?
            .into_iter()
            .map(|device| (device.id, device.name))
            .collect(),
        names: today::names(conn, workspace)?,
        to_decide: decide::count(conn, rights)?,
        cursor: workspaces::cursor(conn, workspace)?,
    })
}

fn section(viewer: &Viewer, found: &Found, now: UnixMs) -> Markup {
    html! {
        @if found.erasures.is_empty() {
            section.card { (layout::empty(&t!("erasures-none"), html! {
                (rich!("erasures-none-text"; command = html! { span.mono { "roadbook-server erase ID --reason CODE" } }))
            })) }
        }
        div.stack { @for erasure in &found.erasures { (card(viewer, found, erasure, now)) } }
        @if found.total > found.erasures.len() {
            p.hint { (rich!("erasures-older", n = (found.total - found.erasures.len()) as u64; command = html! { span.mono { "roadbook-server erase report" } })) }
        }
    }
}

fn card(viewer: &Viewer, found: &Found, erasure: &Erasure, now: UnixMs) -> Markup {
    let open = erasure.devices.iter().filter(|device| device.purged_at.is_none()).count() as u64;
    html! {
        section.card.stack id={ "x-" (erasure.contact) } aria-label=(t!("erasure-of", id = erasure.contact.to_string())) {
            div.bar {
                h2 { (erasure.reason) }
                @if open == 0 { span.chip.ok { (t!("erasure-all")) } } @else { span.chip.wait { (t!("erasure-open", n = open)) } }
                @if !erasure.scrubbed { span.chip.stop { (t!("erasure-files")) } }
                @if erasure.replayed { span.chip { (t!("erasure-replayed")) } }
                span.grow {}
                span.k { (layout::time(erasure.at, Shape::Full)) }
            }
            p.k { (rich!("erasure-by", who = erasure.by.map_or_else(|| t!("erasure-operator"), |user| found.names.of(user)); id = html! { span.mono { (erasure.contact) } })) }
            @if erasure.devices.is_empty() { p.k { (t!("erasure-no-device")) } } @else {
                table {
                    caption.vh { (t!("devices")) }
                    thead { tr { th scope="col" { (t!("device")) } th scope="col" { (t!("state")) } th.mid scope="col" { (t!("last-seen")) } } }
                    tbody { @for device in &erasure.devices { (device_row(found, device, now)) } }
                }
            }
            @if !erasure.mentions.is_empty() {
                div.stack {
                    h3 { (t!("erasure-mentions")) }
                    p.k { (t!("erasure-mentions-text")) }
                    @for other in &erasure.mentions { (mention(viewer, found, erasure.contact, *other)) }
                }
            }
        }
    }
}

fn device_row(found: &Found, device: &ErasureDevice, now: UnixMs) -> Markup {
    let name = found.devices.get(&device.device).cloned().unwrap_or_default();
    html! {
        tr {
            th scope="row" { b { @if let Some(user) = device.user { (found.names.of(user)) } } div.k { (name) } }
            td {
                @match (device.purged_at, device.revoked_at) {
                    (Some(at), _) => { span.chip.ok { (t!("erasure-confirmed")) } div.k { (layout::time(at, Shape::Full)) } },
                    (None, Some(_)) => { span.chip.stop { (t!("erasure-revoked")) } div.k { (t!("erasure-wiped-next")) } },
                    (None, None) => span.chip.wait { (t!("erasure-not-yet")) },
                }
            }
            td.mid.muted {
                @match device.last_seen {
                    Some(at) => { (layout::time(at, Shape::Full)) div.k { (t!("span-ago", span = layout::span(now - at))) } },
                    None => (t!("never")),
                }
            }
        }
    }
}

fn mention(viewer: &Viewer, found: &Found, contact: ContactId, other: ContactId) -> Markup {
    let name = found.others.get(&other).cloned().unwrap_or_else(|| other.to_string());
    let settle = |how: &str, text: &str| {
        html! {
            form method="post" action={ "/erasures/" (contact) "/" (other) } data-in-place {
                (layout::csrf(viewer)) input type="hidden" name="how" value=(how);
                button.btn.small { (text) span.vh { ": " (name) } }
            }
        }
    };
    html! {
        div.bar {
            a.name href={ "/contacts/" (other) } { (name) } span.grow {}
            (settle("edited", &t!("erasure-taken-out"))) (settle("left", &t!("erasure-leave")))
        }
    }
}

/// `POST /erasures/{contact}/{other}`: what becomes of a mention.
pub(super) async fn settle(
    State(state): State<OfficeState>,
    Path((id, other)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let how = match posted.fields.text("how") {
        "edited" => EraseSettled::Edited,
        "left" => EraseSettled::Left,
        _ => return Err(OfficeError::refused(t!("erasure-say"))),
    };
    state.command(&posted.viewer, Request::EraseSettle { id, other, how }).await?;
    Ok(Redirect::to("/erasures").into_response())
}
