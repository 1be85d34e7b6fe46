//! Today: four figures, what comes in from the field, who is how fresh, what waits for a decision.

use axum::extract::State;
use maud::{Markup, html};
use roadbook_protocol::ids::{Cursor, UnixMs, WorkspaceId};
use rusqlite::{Connection, params};

use super::devices::{self, Freshness};
use super::error::OfficeError;
use super::fields::Names;
use super::layout::{self, Page, Place};
use super::session::Viewer;
use super::{OfficeState, decide, feed};
use crate::rights::Rights;
use crate::store::canaries::AND_REAL;
use crate::store::{self, people, workspaces};

struct Today {
    contacts: u64,
    contacted: u64,
    changed: u64,
    to_decide: u64,
    unsent: u64,
    unsent_devices: u64,
    behind: u64,
    feed: Vec<feed::Line>,
    freshness: Vec<Freshness>,
    contested: Vec<decide::Contested>,
    names: Names,
    cursor: Cursor,
}

/// `GET /`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    let now = state.now();
    let rights = viewer.rights.clone();
    let today = state.read(move |conn| read(conn, &rights, now)).await?;
    let body = render(&viewer, &today, now);
    let page = Page {
        viewer: &viewer,
        title: &t!("nav-today"),
        place: Some(Place::Today),
        to_decide: today.to_decide,
        cursor: Some(today.cursor),
        contact: None,
        body,
    };
    Ok(page.render())
}

/// The names of a workspace's people.
pub(super) fn names(conn: &Connection, workspace: WorkspaceId) -> store::Result<Names> {
    Ok(Names(
        people::list_users(conn, workspace)?.into_iter().map(|user| (user.id, user.name)).collect(),
    ))
}

fn read(conn: &Connection, rights: &Rights, now: UnixMs) -> store::Result<Today> {
    let (workspace, seen) = (rights.workspace, rights.and_seen("p.id"));
    // The cursor first: what is merged while this reads is announced again, never missed.
    let cursor = workspaces::cursor(conn, workspace)?;
    let since = now - 24 * 3600 * 1000;
    let count = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> store::Result<u64> {
        let sql = format!("{sql}{seen}{AND_REAL}");
        Ok(conn.prepare_cached(&sql)?.query_row(params, |row| row.get(0))?)
    };
    let id = workspace.as_bytes();
    let freshness = devices::freshness(conn, rights, now)?;
    let live = || freshness.iter().filter(|device| !device.revoked());
    Ok(Today {
        contacts: count(
            "SELECT count(*) FROM projection p INDEXED BY projection_list WHERE p.workspace = ?1 AND p.archived = 0",
            params![id],
        )?,
        contacted: count(
            "SELECT count(*) FROM projection p INDEXED BY projection_by_contact WHERE p.workspace = ?1 AND p.archived = 0 AND p.last_contact_at >= ?2",
            params![id, since],
        )?,
        changed: count(
            "SELECT count(*) FROM projection p INDEXED BY projection_by_touch WHERE p.workspace = ?1 AND p.touched_at >= ?2",
            params![id, since],
        )?,
        to_decide: decide::count(conn, rights)?,
        unsent: live().map(|device| u64::from(device.unsent())).sum(),
        unsent_devices: live().filter(|device| device.unsent() > 0).count() as u64,
        behind: live().filter(|device| device.is_behind(now)).count() as u64,
        feed: feed::latest(conn, rights)?,
        names: names(conn, workspace)?,
        freshness,
        contested: decide::Contested::read(conn, rights, 1, 0)?,
        cursor,
    })
}

fn render(viewer: &Viewer, today: &Today, now: UnixMs) -> Markup {
    html! {
        div.bar {
            h1 { (t!("nav-today")) }
            (layout::unit("asof", html! {
                (layout::as_of(now))
                @if today.behind > 0 { span.asof { " · " (t!("today-behind", n = today.behind)) } }
            }))
            span.grow {}
            div.mobile-me.bar { (layout::sign_out(viewer)) }
            form.seek action="/contacts" role="search" {
                label.vh for="search" { (t!("search-contacts")) }
                input #search type="search" name="q" placeholder=(t!("search-hint")) autocomplete="off";
            }
        }
        (layout::unit("figures", figures(today)))
        div.two {
            section.card aria-labelledby="feed-title" #feed {
                div.bar { h2 #feed-title { (t!("today-feed")) } span.grow {} (layout::live_chip()) }
                @if today.feed.is_empty() {
                    (layout::unit("feed-empty", layout::empty(&t!("today-quiet"), html! {
                        (t!("today-quiet-text"))
                    })))
                }
                ol.feed aria-live="polite" aria-relevant="additions" data-feed {
                    @for line in &today.feed { (line.render(&today.names)) }
                }
            }
            div.stack {
                (layout::unit("freshness", html! {
                    section.card aria-labelledby="fresh-title" {
                        div.bar { h2 #fresh-title { (t!("today-fresh")) } span.grow {} a.k href="/devices" { (t!("today-all-devices")) } }
                        @if today.freshness.is_empty() {
                            (layout::empty(&t!("today-no-device"), html! { (rich!("today-invite"; command = html! { span.mono { "roadbook-server invite LOGIN" } })) }))
                        }
                        div { @for device in today.freshness.iter().take(12) { (device.brief(now)) } }
                    }
                }))
                (layout::unit("conflicts", html! {
                    @for contested in &today.contested { (contested.render(viewer, &today.names, "/", 1)) }
                    @if today.to_decide > 1 { p.after { a.k href="/decide" { (t!("today-all-to-decide", n = today.to_decide)) } } }
                }))
            }
        }
    }
}

fn figures(today: &Today) -> Markup {
    html! {
        section.figs aria-label=(t!("figures-label")) {
            a.card.fig href="/contacts" { span.k { (t!("contacts")) } b { (layout::count(today.contacts)) } span.asof { (t!("today-changed", n = today.changed)) } }
            a.card.fig href="/contacts?filter=contacted%3A%3C2d&sort=contacted" { span.k { (t!("today-contacted")) } b { (layout::count(today.contacted)) } span.asof { (t!("today-last-24")) } }
            a.card.fig href="/decide" { span.k { (t!("today-to-decide")) } b { (layout::count(today.to_decide)) } span.asof { (t!("today-conflicts")) } }
            a.card.fig href="/devices" { span.k { (t!("today-waiting")) } b { (layout::count(today.unsent)) }
                span.asof { @if today.unsent == 0 { (t!("today-none-known")) } @else { (t!("today-known-on", n = today.unsent_devices)) } } }
        }
    }
}
