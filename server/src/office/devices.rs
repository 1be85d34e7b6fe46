//! People, their devices, and how fresh each of them is.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::ids::{Cursor, DeviceId, UnixMs, UserId};
use roadbook_protocol::session::outdated;
use rusqlite::{Connection, params};

use super::error::OfficeError;
use super::layout::{self, Page, Place, Shape};
use super::session::{Posted, Viewer, read_only};
use super::{OfficeState, decide, url};
use crate::rights::{Action, Decision, Rights};
use crate::store::devices::{self, Device};
use crate::store::people::{self, Role, User};
use crate::store::wipes::{self, Standing};
use crate::store::{self, audit, workspaces};

/// A device that was heard of within this time is fresh.
const NOW_MS: UnixMs = 5 * 60 * 1000;

/// So many devices that are behind are named beside a total.
const BEHIND_NAMED: usize = 12;

/// A device, its user, and what the server has that it lacks.
pub(super) struct Freshness {
    device: Device,
    standing: Standing,
    user: String,
    /// Contacts with something newer than the device's cursor.
    newer: u64,
    /// The oldest version of its app that gets customer data, if the device runs an older one.
    needs: Option<String>,
}

/// All devices of the people that somebody sees: the ones that need a look first.
pub(super) fn freshness(
    conn: &Connection,
    rights: &Rights,
    now: UnixMs,
) -> store::Result<Vec<Freshness>> {
    let workspace = rights.workspace;
    let users = people::list_users(conn, workspace)?;
    let minimum = workspaces::find(conn, workspace)?.minimum_app.unwrap_or_default();
    let mut found = Vec::new();
    for device in devices::list_devices(conn, workspace, None)? {
        if rights.on_person(Action::SeePerson, device.user) != Decision::Allow {
            continue;
        }
        let user = users.iter().find(|user| user.id == device.user);
        let newer = conn
            .prepare_cached(
                "SELECT count(*) FROM access WHERE workspace = ? AND user = ? AND sort_cursor > ?",
            )?
            .query_row(
                params![workspace.as_bytes(), device.user.as_bytes(), device.cursor],
                |row| row.get(0),
            )?;
        found.push(Freshness {
            user: user.map_or_else(String::new, |user| user.name.clone()),
            standing: wipes::standing(conn, workspace, device.id)?,
            needs: outdated(&device.app, &minimum).map(str::to_owned),
            device,
            newer,
        });
    }
    found.sort_by_key(|fresh| {
        let urgent = fresh.is_behind(now) || fresh.device.unsent > 0;
        (fresh.revoked(), !urgent, std::cmp::Reverse(fresh.device.unsent), fresh.device.last_seen)
    });
    Ok(found)
}

impl Freshness {
    pub(super) fn revoked(&self) -> bool {
        self.device.revoked_at.is_some()
    }
    pub(super) fn unsent(&self) -> u32 {
        self.device.unsent
    }
    /// Whether the device has not been heard of for a while, so that it may know less than the
    /// server, and the server less than it.
    pub(super) fn is_behind(&self, now: UnixMs) -> bool {
        !self.revoked() && self.device.last_seen.is_none_or(|seen| now - seen > NOW_MS)
    }

    fn chip(&self, now: UnixMs) -> Markup {
        match self.device.last_seen {
            _ if self.revoked() => html! { span.chip.stop { (self.standing.state(&self.device)) } },
            None => html! { span.chip.wait { "never seen" } },
            Some(_) if self.device.missing > 0 => {
                html! { span.chip.info { "first sync, " (layout::count(self.device.missing.into())) " to go" } }
            }
            Some(seen) if now - seen > NOW_MS => {
                html! { span.chip.wait { (layout::span(now - seen)) " behind" } }
            }
            Some(_) => html! { span.chip.ok { "now" } },
        }
    }

    /// What is known to be on one side only.
    fn difference(&self) -> String {
        let unsent = match self.device.unsent {
            0 => "nothing unsent".to_owned(),
            n => format!("{} known unsent", layout::plural(n.into(), "edit", "edits")),
        };
        match (self.revoked(), self.newer) {
            (true, _) => unsent,
            (false, 0) => format!("{unsent}, has all that is here"),
            (false, n) => {
                format!("{unsent}, {} newer here", layout::plural(n, "contact", "contacts"))
            }
        }
    }

    /// How long it may be read without a contact; what came of a wipe.
    fn lease(&self, now: UnixMs) -> Markup {
        let Standing { lease_issued_at, lease_until, wiped_at, recovered, .. } = self.standing;
        if let Some(at) = wiped_at.filter(|_| self.revoked()) {
            return html! { "wiped " (layout::time(at, Shape::Full)) @if recovered > 0 { div.k { (layout::plural(recovered, "edit", "edits")) " recovered" } } };
        }
        if self.revoked() {
            return html! { "wipes itself at its next contact" };
        }
        match (lease_issued_at, lease_until) {
            (None, _) => html! { "–" },
            (Some(_), None) => html! { "without an end" },
            (Some(_), Some(until)) if until <= now => {
                html! { span.chip.wait { "locked" } div.k { "since " (layout::time(until, Shape::Full)) } }
            }
            (Some(_), Some(until)) => html! { "until " (layout::time(until, Shape::Full)) },
        }
    }

    /// Its app, and whether that gets no customer data any more.
    fn app(&self) -> Markup {
        html! {
            (self.device.app)
            @if let Some(needs) = self.needs.as_ref().filter(|_| !self.revoked()) {
                " " span.chip.wait { "outdated" } div.k { "needs " (needs) }
            }
        }
    }

    /// Two lines, for Today.
    pub(super) fn brief(&self, now: UnixMs) -> Markup {
        html! {
            div.rep {
                b { (self.user) } (self.chip(now))
                span.k { (self.device.name) " · " (self.difference()) }
            }
        }
    }

    fn row(&self, viewer: &Viewer, now: UnixMs) -> Markup {
        let device = &self.device;
        html! {
            tr id={ "d-" (device.id) } {
                th scope="row" { b { (self.user) } div.k { (device.name) " · " (device.platform) } div.narrow { (self.chip(now)) div.k { (self.difference()) } div.k { (self.app()) " · " @if !self.revoked() { "readable " } (self.lease(now)) } } }
                td.mid { (self.chip(now)) }
                td.mid.muted { @match device.last_seen { Some(at) => (layout::time(at, Shape::Full)), None => "never" } }
                td.wide.muted { (self.difference()) }
                td.wide.muted { (self.lease(now)) }
                td.wide.muted { (self.app()) }
                td.num {
                    @if viewer.rights.on_person(Action::SteerDevices, device.user) == Decision::Allow {
                        @if !self.revoked() {
                            form method="post" action={ "/devices/" (device.id) "/revoke" } data-confirm={ "Revoke the device " (device.name) " of " (self.user) "? It gets no further data and can't be connected again under this key." } {
                                (layout::csrf(viewer))
                                button.btn.small.danger { "Revoke" span.vh { " " (device.name) " of " (self.user) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whose devices are behind, beside a total: what they hold and have not sent is not in it.
pub(super) fn behind(fresh: &[Freshness], now: UnixMs) -> Markup {
    let behind: Vec<&Freshness> = fresh.iter().filter(|device| device.is_behind(now)).collect();
    if behind.is_empty() {
        return html! { span.asof { "no device is behind" } };
    }
    html! {
        details.behind {
            summary { (layout::plural(behind.len() as u64, "device", "devices")) " behind" }
            ul {
                @for device in behind.iter().take(BEHIND_NAMED) {
                    li { b { (device.user) } " · " (device.device.name) ": "
                        @match device.device.last_seen { Some(seen) => { "last seen " (layout::span(now - seen)) " ago" }, None => "never seen" }
                        @if device.unsent() > 0 { ", " (layout::plural(device.unsent().into(), "edit", "edits")) " known unsent" } }
                }
                @if behind.len() > BEHIND_NAMED { li { "and " (layout::count((behind.len() - BEHIND_NAMED) as u64)) " more; " a href="/devices" { "all devices" } } }
            }
        }
    }
}

struct Devices {
    users: Vec<User>,
    fresh: Vec<Freshness>,
    to_decide: u64,
    cursor: Cursor,
}

/// `GET /devices`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    let now = state.now();
    let rights = viewer.rights.clone();
    let found = state
        .read(move |conn| {
            Ok(Devices {
                cursor: workspaces::cursor(conn, rights.workspace)?,
                users: people::list_users(conn, rights.workspace)?
                    .into_iter()
                    .filter(|user| rights.on_person(Action::SeePerson, user.id) == Decision::Allow)
                    .collect(),
                fresh: freshness(conn, &rights, now)?,
                to_decide: decide::count(conn, &rights)?,
            })
        })
        .await?;
    let body = html! {
        div.bar { h1 { "People and devices" } (layout::live_chip()) (layout::unit("asof", layout::as_of(now))) }
        (layout::unit("freshness", device_table(&viewer, &found, now)))
        (user_table(&viewer, &found.users, &found.fresh))
    };
    let page = Page {
        viewer: &viewer,
        title: "People and devices",
        place: Some(Place::Devices),
        to_decide: found.to_decide,
        cursor: Some(found.cursor),
        contact: None,
        body,
    };
    Ok(page.render())
}

fn device_table(viewer: &Viewer, found: &Devices, now: UnixMs) -> Markup {
    html! {
        section.card.list aria-label="Devices" {
            @if found.fresh.is_empty() {
                (layout::empty("No device is enrolled yet", html! {
                    span.mono { "roadbook-server invite LOGIN" } " prints a code; on the rep's device " span.mono { "roadbook enroll URL CODE" } " uses it."
                }))
            } @else {
                table {
                    caption.vh { "Devices and how fresh they are" }
                    thead { tr {
                        th scope="col" { "Device" } th.mid scope="col" { "Freshness" } th.mid scope="col" { "Last seen" }
                        th.wide scope="col" { "Difference" } th.wide scope="col" { "Readable" } th.wide scope="col" { "App" } th.num scope="col" { span.vh { "Actions" } }
                    } }
                    tbody { @for fresh in &found.fresh { (fresh.row(viewer, now)) } }
                }
            }
        }
    }
}

fn user_table(viewer: &Viewer, users: &[User], fresh: &[Freshness]) -> Markup {
    html! {
        section.card.list aria-labelledby="people-title" {
            table {
                caption.vh #people-title { "People" }
                thead { tr { th scope="col" { "Person" } th.mid scope="col" { "Login" } th.mid scope="col" { "Role" } th.mid scope="col" { "Team" } th.num.mid scope="col" { "Devices" } @if viewer.may(Action::ManagePeople) { th.num scope="col" { span.vh { "Actions" } } } } }
                tbody {
                    @for user in users {
                        @let role = match user.role { Role::Rep => "Rep", Role::Manager => "Manager", Role::Admin => "Admin", Role::ReadOnly => "Read only" };
                        @let devices = fresh.iter().filter(|fresh| fresh.device.user == user.id && !fresh.revoked()).count();
                        tr {
                            th scope="row" { b { (user.name) } div.narrow.k.login { (user.login) } div.narrow.k { (role) ", " (layout::plural(devices as u64, "device", "devices")) @if user.disabled_at.is_some() { " " span.chip.stop { "disabled" } } } }
                            td.mid.mono { (user.login) }
                            td.mid {
                                (role)
                                @if user.disabled_at.is_some() { " " span.chip.stop { "disabled" } }
                            }
                            td.mid.muted { (user.team.as_deref().unwrap_or("–")) }
                            td.num.mid { (devices) }
                            @if viewer.may(Action::ManagePeople) {
                                td.num {
                                    @if user.disabled_at.is_none() && user.role != Role::Rep && user.id != viewer.user {
                                        form method="post" action={ "/people/" (user.id) "/code" } data-confirm={ "Make a one-time code with which " (user.name) " sets a new password?" } {
                                            (layout::csrf(viewer))
                                            button.btn.small { "Sign-in code" span.vh { " for " (user.name) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        p.hint { "People are added with " span.mono { "roadbook-server user add LOGIN --role ROLE" } ", devices with " span.mono { "roadbook-server invite LOGIN" } "." }
    }
}

/// `POST /devices/{id}/revoke`
pub(super) async fn revoke(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let device: DeviceId = id.parse().map_err(|_| OfficeError::NotFound { what: "device" })?;
    let (workspace, by) = (posted.viewer.workspace, posted.viewer.user);
    let known = state.read(move |conn| devices::find_device(conn, workspace, device)).await?;
    let missing = || OfficeError::NotFound { what: "device" };
    let owner = known.ok_or_else(missing)?.user;
    match posted.viewer.rights.on_person(Action::SteerDevices, owner) {
        Decision::Allow => {}
        Decision::Forbid => return Err(OfficeError::Forbidden { reason: read_only() }),
        Decision::Hide => return Err(missing()),
    }
    state.engine_do(move |engine| engine.revoke(workspace, Some(by), device)).await?;
    let back = match posted.fields.text("back") {
        "" => "/devices",
        back => url::local(back),
    };
    Ok(Redirect::to(back).into_response())
}

/// `POST /people/{id}/code`: a one-time code with which somebody sets a new password. Shown once, to the
/// administrator who asked for it.
pub(super) async fn code(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Markup, OfficeError> {
    posted.viewer.must(Action::ManagePeople)?;
    let missing = || OfficeError::NotFound { what: "person" };
    let user: UserId = id.parse().map_err(|_| missing())?;
    let (workspace, by, now) = (posted.viewer.workspace, posted.viewer.user, state.now());
    let (owner, code) = state
        .engine_do(move |engine| {
            let random = engine.random();
            engine.write(move |tx| {
                let owner = people::user(tx, workspace, user)?;
                let (purpose, valid) = (people::Purpose::SignIn, people::CODE_MS);
                let code = people::new_code(tx, workspace, user, purpose, random, now, valid)?;
                let (what, subject) = ("user.code", user.to_string());
                let detail = serde_json::json!({ "for": "sign_in" });
                audit::append(tx, workspace, now, Some(by), what, &subject, &detail)?;
                Ok((owner, code))
            })
        })
        .await?;
    Ok(layout::alone(
        "One-time code",
        html! {
            div.tight { h1 { "One-time code" } p.k { "For " b { (owner.name) } ", once, for " (layout::span(people::CODE_MS)) ". Tell it by telephone or in person; it is shown only now." } }
            p.mono #one-time-code { (code) }
            p.k { "It is used at " a href="/welcome" { "/welcome" } ". A second factor stays as it is." }
            a.btn href="/devices" { "Back to people" }
        },
    ))
}
