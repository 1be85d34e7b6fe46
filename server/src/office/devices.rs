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
use super::{OfficeState, decide, url, words};
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
            _ if self.revoked() => {
                html! { span.chip.stop { (state_of(&self.standing, &self.device)) } }
            }
            None => html! { span.chip.wait { (t!("never-seen")) } },
            Some(_) if self.device.missing > 0 => {
                html! { span.chip.info { (t!("device-first-sync", n = self.device.missing)) } }
            }
            Some(seen) if now - seen > NOW_MS => {
                html! { span.chip.wait { (t!("device-behind", span = layout::span(now - seen))) } }
            }
            Some(_) => html! { span.chip.ok { (t!("device-now")) } },
        }
    }

    /// What is known to be on one side only.
    fn difference(&self) -> String {
        let unsent = match self.device.unsent {
            0 => t!("device-nothing-unsent"),
            n => t!("device-known-unsent", edits = t!("n-edits", n = n)),
        };
        match (self.revoked(), self.newer) {
            (true, _) => unsent,
            (false, 0) => t!("device-has-all", unsent = unsent),
            (false, n) => t!("device-newer", unsent = unsent, n = n),
        }
    }

    /// How long it may be read without a contact; what came of a wipe.
    fn lease(&self, now: UnixMs) -> Markup {
        let Standing { lease_issued_at, lease_until, wiped_at, recovered, .. } = self.standing;
        if let Some(at) = wiped_at.filter(|_| self.revoked()) {
            return html! { (rich!("device-wiped"; time = layout::time(at, Shape::Full))) @if recovered > 0 { div.k { (t!("device-recovered", edits = t!("n-edits", n = recovered))) } } };
        }
        if self.revoked() {
            return html! { (t!("device-wipes-itself")) };
        }
        match (lease_issued_at, lease_until) {
            (None, _) => html! { "–" },
            (Some(_), None) => html! { (t!("device-no-end")) },
            (Some(_), Some(until)) if until <= now => {
                html! { span.chip.wait { (t!("device-locked")) } div.k { (rich!("device-since"; time = layout::time(until, Shape::Full))) } }
            }
            (Some(_), Some(until)) => {
                html! { (rich!("device-until"; time = layout::time(until, Shape::Full))) }
            }
        }
    }

    /// Its app, and whether that gets no customer data any more.
    fn app(&self) -> Markup {
        html! {
            (self.device.app)
            @if let Some(needs) = self.needs.as_ref().filter(|_| !self.revoked()) {
                " " span.chip.wait { (t!("device-outdated")) } div.k { (t!("device-needs", app = needs.to_string())) }
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
                th scope="row" { b { (self.user) } div.k { (device.name) " · " (device.platform) } div.narrow { (self.chip(now)) div.k { (self.difference()) } div.k { (self.app()) " · " @if self.revoked() { (self.lease(now)) } @else { (rich!("device-readable"; lease = self.lease(now))) } } } }
                td.mid { (self.chip(now)) }
                td.mid.muted { @match device.last_seen { Some(at) => (layout::time(at, Shape::Full)), None => (t!("never")) } }
                td.wide.muted { (self.difference()) }
                td.wide.muted { (self.lease(now)) }
                td.wide.muted { (self.app()) }
                td.num {
                    @if viewer.rights.on_person(Action::SteerDevices, device.user) == Decision::Allow {
                        @if !self.revoked() {
                            form method="post" action={ "/devices/" (device.id) "/revoke" } data-confirm=(t!("device-revoke-confirm", device = device.name.as_str(), person = self.user.as_str())) {
                                (layout::csrf(viewer))
                                button.btn.small.danger { (t!("device-revoke")) span.vh { " " (t!("device-of", device = device.name.as_str(), person = self.user.as_str())) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How a device stands with its wipe, as a word.
fn state_of(standing: &Standing, device: &Device) -> String {
    let word = standing.state(device);
    words::text_or("wipe", word, || word.to_owned())
}

/// What a role is called.
pub(super) fn role_name(role: Role) -> String {
    match role {
        Role::Rep => t!("role-rep"),
        Role::Manager => t!("role-manager"),
        Role::Admin => t!("role-admin"),
        Role::ReadOnly => t!("role-read-only"),
    }
}

/// Whose devices are behind, beside a total: what they hold and have not sent is not in it.
pub(super) fn behind(fresh: &[Freshness], now: UnixMs) -> Markup {
    let behind: Vec<&Freshness> = fresh.iter().filter(|device| device.is_behind(now)).collect();
    if behind.is_empty() {
        return html! { span.asof { (t!("device-none-behind")) } };
    }
    html! {
        details.behind {
            summary { (t!("device-n-behind", n = behind.len() as u64)) }
            ul {
                @for device in behind.iter().take(BEHIND_NAMED) {
                    li { b { (device.user) } " · " (device.device.name) ": "
                        @match device.device.last_seen { Some(seen) => { (t!("device-last-seen", span = layout::span(now - seen))) }, None => (t!("never-seen")) }
                        @if device.unsent() > 0 { ", " (t!("device-known-unsent", edits = t!("n-edits", n = device.unsent()))) } }
                }
                @if behind.len() > BEHIND_NAMED { li { (rich!("device-and-more", n = (behind.len() - BEHIND_NAMED) as u64; link = html! { a href="/devices" { (t!("device-all")) } })) } }
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
        div.bar { h1 { (t!("people-title")) } (layout::live_chip()) (layout::unit("asof", layout::as_of(now))) }
        (layout::unit("freshness", device_table(&viewer, &found, now)))
        (user_table(&viewer, &found.users, &found.fresh))
    };
    let page = Page {
        viewer: &viewer,
        title: &t!("people-title"),
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
        section.card.list aria-label=(t!("devices")) {
            @if found.fresh.is_empty() {
                (layout::empty(&t!("devices-none"), html! {
                    (rich!("devices-none-text"; invite = html! { span.mono { "roadbook-server invite LOGIN" } }, enroll = html! { span.mono { "roadbook enroll URL CODE" } }))
                }))
            } @else {
                table {
                    caption.vh { (t!("devices-caption")) }
                    thead { tr {
                        th scope="col" { (t!("device")) } th.mid scope="col" { (t!("freshness")) } th.mid scope="col" { (t!("last-seen")) }
                        th.wide scope="col" { (t!("difference")) } th.wide scope="col" { (t!("readable")) } th.wide scope="col" { (t!("app")) } th.num scope="col" { span.vh { (t!("actions")) } }
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
                caption.vh #people-title { (t!("people")) }
                thead { tr { th scope="col" { (t!("person")) } th.mid scope="col" { (t!("sign-in-login")) } th.mid scope="col" { (t!("role")) } th.mid scope="col" { (t!("team")) } th.num.mid scope="col" { (t!("devices")) } @if viewer.may(Action::ManagePeople) { th.num scope="col" { span.vh { (t!("actions")) } } } } }
                tbody {
                    @for user in users {
                        @let role = role_name(user.role);
                        @let devices = fresh.iter().filter(|fresh| fresh.device.user == user.id && !fresh.revoked()).count();
                        tr {
                            th scope="row" { b { (user.name) } div.narrow.k.login { (user.login) } div.narrow.k { (role) ", " (t!("n-devices", n = devices as u64)) @if user.disabled_at.is_some() { " " span.chip.stop { (t!("person-disabled")) } } } }
                            td.mid.mono { (user.login) }
                            td.mid {
                                (role)
                                @if user.disabled_at.is_some() { " " span.chip.stop { (t!("person-disabled")) } }
                            }
                            td.mid.muted { (user.team.as_deref().unwrap_or("–")) }
                            td.num.mid { (devices) }
                            @if viewer.may(Action::ManagePeople) {
                                td.num {
                                    @if user.disabled_at.is_none() && user.role != Role::Rep && user.id != viewer.user {
                                        form method="post" action={ "/people/" (user.id) "/code" } data-confirm=(t!("person-code-confirm", person = user.name.as_str())) {
                                            (layout::csrf(viewer))
                                            button.btn.small { (t!("person-code")) span.vh { " " (t!("person-for-hidden", person = user.name.as_str())) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        p.hint { (rich!("people-add-hint"; add = html! { span.mono { "roadbook-server user add LOGIN --role ROLE" } }, invite = html! { span.mono { "roadbook-server invite LOGIN" } })) }
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
        &t!("welcome-code"),
        html! {
            div.tight { h1 { (t!("welcome-code")) } p.k { (rich!("person-code-for", span = layout::span(people::CODE_MS); person = html! { b { (owner.name) } })) } }
            p.mono #one-time-code { (code) }
            p.k { (rich!("person-code-used"; link = html! { a href="/welcome" { "/welcome" } })) }
            a.btn href="/devices" { (t!("people-back")) }
        },
    ))
}
