//! What managers are told of: who read unusually much, who touched a planted contact, and what can be
//! done about it from here.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::ids::{Cursor, UserId};
use rusqlite::Connection;
use serde::Deserialize;

use super::error::OfficeError;
use super::fields::Names;
use super::layout::{self, Page, Place, Shape};
use super::session::{Posted, Viewer, read_only};
use super::{OfficeState, decide, today};
use crate::rights::{Action, Decision, Rights};
use crate::store::alerts::{self, Alert};
use crate::store::{self, audit, contacts, devices, projections, sessions, workspaces};

/// Alerts on the page.
const ROWS: usize = 100;
/// Alerts that are looked through for those that somebody may see.
const READ_MAX: u32 = 1_000;

/// How many alerts somebody is told of that nobody has seen.
pub(super) fn count(conn: &Connection, rights: &Rights) -> store::Result<u64> {
    if !rights.may(Action::SeeAlerts) {
        return Ok(0);
    }
    let unseen = alerts::list(conn, rights.workspace, false, READ_MAX)?;
    Ok(unseen.iter().filter(|alert| rights.sees_alert(alert.user)).count() as u64)
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    all: Option<String>,
}

/// One alert, with what its ids are called.
struct Shown {
    alert: Alert,
    /// A device that is not revoked yet.
    device: Option<String>,
    /// A planted contact that the viewer may read.
    contact: Option<String>,
}

struct Found {
    alerts: Vec<Shown>,
    names: Names,
    to_decide: u64,
    cursor: Cursor,
}

/// `GET /alerts`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::SeeAlerts)?;
    let (rights, all) = (viewer.rights.clone(), ask.all.is_some());
    let found = state
        .read(move |conn| {
            let workspace = rights.workspace;
            let mut shown = Vec::new();
            for alert in alerts::list(conn, workspace, all, READ_MAX)? {
                if shown.len() < ROWS && rights.sees_alert(alert.user) {
                    let device = match alert.device {
                        Some(id) => devices::find_device(conn, workspace, id)?,
                        None => None,
                    };
                    let name = device
                        .filter(|device| device.revoked_at.is_none())
                        .map(|device| device.name);
                    let contact = match alert.contact {
                        Some(id) if rights.sees(conn, id)? => contacts::find(conn, workspace, id)?,
                        _ => None,
                    };
                    let contact = match contact {
                        Some(contact) => projections::display_name(conn, contact.n)?,
                        None => None,
                    };
                    shown.push(Shown { alert, device: name, contact });
                }
            }
            Ok(Found {
                alerts: shown,
                names: today::names(conn, workspace)?,
                to_decide: decide::count(conn, &rights)?,
                cursor: workspaces::cursor(conn, workspace)?,
            })
        })
        .await?;
    let body = html! {
        div.bar {
            h1 { (t!("nav-alerts")) } (layout::live_chip()) span.grow {}
            @if all { a.btn.small href="/alerts" { (t!("alerts-only-new")) } } @else { a.btn.small href="/alerts?all=1" { (t!("alerts-all")) } }
        }
        (layout::unit("alerts", section(&viewer, &found)))
    };
    let page = Page {
        viewer: &viewer,
        title: &t!("nav-alerts"),
        place: Some(Place::Alerts),
        to_decide: found.to_decide,
        cursor: Some(found.cursor),
        contact: None,
        body,
    };
    Ok(page.render())
}

fn section(viewer: &Viewer, found: &Found) -> Markup {
    html! {
        @if found.alerts.is_empty() {
            section.card { (layout::empty(&t!("alerts-none"), html! {
                (t!("alerts-none-text"))
            })) }
        }
        div.stack { @for shown in &found.alerts { (card(viewer, &found.names, shown)) } }
    }
}

/// What happened, in a sentence.
fn what(alert: &Alert) -> String {
    let (contacts, most) = (alert.contacts, alert.most);
    match (alert.kind.as_str(), alert.how.as_str()) {
        ("volume", "device") => t!("alert-volume-device", contacts = contacts, most = most),
        ("volume", "page") => t!("alert-volume-page", contacts = contacts, most = most),
        ("volume", "list") => t!("alert-volume-list", contacts = contacts, most = most),
        ("volume", "export") => t!("alert-volume-export", contacts = contacts, most = most),
        ("volume", "api") => t!("alert-volume-api", contacts = contacts, most = most),
        ("canary", "open") => t!("alert-canary-open"),
        ("canary", "edit") => t!("alert-canary-edit"),
        ("canary", "export") => t!("alert-canary-export"),
        ("canary", _) => t!("alert-canary-mailing"),
        (kind, how) => format!("{kind}: {how}"),
    }
}

fn card(viewer: &Viewer, names: &Names, shown: &Shown) -> Markup {
    let (alert, device) = (&shown.alert, shown.device.as_deref());
    let who = match alert.user {
        Some(user) => names.of(user).to_owned(),
        None => t!("alerts-operator"),
    };
    let steers = alert
        .user
        .filter(|user| viewer.rights.on_person(Action::SteerDevices, *user) == Decision::Allow);
    html! {
        section.card.stack id={ "a-" (alert.n) } aria-label=(t!("alert-number", n = alert.n.to_string())) {
            div.bar {
                h2 { (who) }
                @if alert.seen_at.is_some() { span.chip { (t!("alert-seen-chip")) } }
                @else { span.chip.stop { @if alert.kind == "canary" { (t!("alert-planted")) } @else { (t!("alert-volume")) } } }
                span.grow {}
                span.k { (layout::time(alert.last_at, Shape::Full)) }
            }
            div {
            p { (what(alert)) }
            p.k {
                @if let Some(contact) = alert.contact { span.mono { (contact) } " " }
                @if let Some(name) = &shown.contact { (t!("alert-called", name = name.as_str())) " " }
                @if alert.times > 1 { (rich!("alert-times", n = alert.times; time = layout::time(alert.first_at, Shape::Full))) " " }
                @if let Some(until) = alert.until { (rich!("alert-held"; time = layout::time(until, Shape::Full))) " " }
                @if let Some(name) = device { (t!("alert-device", name = name)) " " }
            }
            }
            div.bar {
                @if let (Some(device), Some(_), Some(name)) = (alert.device, steers, device) {
                    form method="post" action={ "/devices/" (device) "/revoke" } data-confirm=(t!("alert-revoke-confirm", device = name, person = who.as_str())) {
                        (layout::csrf(viewer)) button.btn.small.danger { (t!("alert-revoke")) }
                    }
                }
                @if let Some(user) = steers {
                    form method="post" action={ "/people/" (user) "/sign-out" } data-confirm=(t!("alert-sign-out-confirm", person = who.as_str())) {
                        (layout::csrf(viewer)) button.btn.small { (t!("alert-sign-out")) }
                    }
                    @if alert.kind == "volume" && viewer.may(Action::Administer) {
                        form method="post" action={ "/people/" (user) "/lift" } data-confirm=(t!("alert-lift-confirm", person = who.as_str())) {
                            (layout::csrf(viewer)) button.btn.small { (t!("alert-lift")) }
                        }
                    }
                }
                @if alert.seen_at.is_none() {
                    form method="post" action={ "/alerts/" (alert.n) "/seen" } data-in-place {
                        (layout::csrf(viewer)) button.btn.small.go { (t!("alert-seen")) }
                    }
                }
            }
        }
    }
}

/// `POST /alerts/{n}/seen`
pub(super) async fn seen(
    State(state): State<OfficeState>,
    Path(n): Path<i64>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let missing = || OfficeError::NotFound { what: "alert" };
    let (workspace, by) = (posted.viewer.workspace, posted.viewer.user);
    let alert = state.read(move |conn| alerts::find(conn, workspace, n)).await;
    let alert = alert.map_err(|error| match error {
        OfficeError::NotFound { .. } => missing(),
        other => other,
    })?;
    if !posted.viewer.rights.sees_alert(alert.user) {
        return Err(missing());
    }
    state.engine_do(move |engine| engine.alert_seen(workspace, n, Some(by))).await?;
    Ok(Redirect::to("/alerts").into_response())
}

/// The person of a form, whom the viewer steers.
fn person(posted: &Posted, id: &str) -> Result<UserId, OfficeError> {
    let missing = || OfficeError::NotFound { what: "person" };
    let user: UserId = id.parse().map_err(|_| missing())?;
    match posted.viewer.rights.on_person(Action::SteerDevices, user) {
        Decision::Allow => Ok(user),
        Decision::Forbid => Err(OfficeError::Forbidden { reason: read_only() }),
        Decision::Hide => Err(missing()),
    }
}

/// `POST /people/{id}/sign-out`: ends all browser sessions of somebody.
pub(super) async fn sign_out(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let user = person(&posted, &id)?;
    let (workspace, by, now) = (posted.viewer.workspace, posted.viewer.user, state.now());
    state
        .write(move |tx| {
            sessions::delete_of(tx, workspace, user)?;
            let (what, subject) = ("user.sign_out", user.to_string());
            audit::append(tx, workspace, now, Some(by), what, &subject, &serde_json::json!({}))
        })
        .await?;
    Ok(Redirect::to("/alerts").into_response())
}

/// `POST /people/{id}/lift`: lets somebody go on who is held back.
pub(super) async fn lift(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Administer)?;
    let user = person(&posted, &id)?;
    let (workspace, by) = (posted.viewer.workspace, posted.viewer.user);
    state.engine_do(move |engine| engine.lift_volume(workspace, Some(by), user)).await?;
    Ok(Redirect::to("/alerts").into_response())
}
