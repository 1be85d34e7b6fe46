//! What waits for a decision: conflicts side by side, and changes that were set aside.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use roadbook_protocol::document::{self, Conflict};
use roadbook_protocol::ids::{ContactId, Cursor};
use roadbook_protocol::wire::Fate;
use rusqlite::{Connection, params};
use serde::Deserialize;

use super::error::OfficeError;
use super::fields::{Names, Sheet};
use super::layout::{self, Page, Place, Shape};
use super::session::Viewer;
use super::{OfficeState, proposals, today, versus};
use crate::engine::{Reading, SetAside};
use crate::rights::Rights;
use crate::store::{self, changes, contacts, documents, workspaces};

/// Contacts with conflicts on one page: each of them opens a document.
const CONTACTS_MAX: u32 = 20;
/// Changes set aside that are listed.
const ASIDE_MAX: u32 = 200;
/// Changes that one export holds.
const EXPORT_MAX: u32 = 10_000;

/// How much waits for a decision: late edits, fields in conflict and quarantined changes.
pub(super) fn count(conn: &Connection, rights: &Rights) -> store::Result<u64> {
    let late = proposals::count(conn, rights)?;
    let others: u64 = conn
        .prepare_cached(&format!(
            "SELECT (SELECT coalesce(sum(p.conflicts), 0) FROM projection p INDEXED BY projection_in_conflict
                     WHERE p.workspace = ?1 AND p.conflicts > 0{})
                  + (SELECT count(*) FROM log INDEXED BY log_set_aside
                     WHERE workspace = ?1 AND fate NOT IN (0, 1) AND fate = 2{})",
            rights.and_seen("p.id"),
            rights.and_seen("log.contact")
        ))?
        .query_row([rights.workspace.as_bytes()], |row| row.get(0))?;
    Ok(late + others)
}

/// One contact's conflicts.
pub(super) struct Contested {
    id: ContactId,
    name: String,
    conflicts: Vec<Conflict>,
}

impl Contested {
    /// The contacts with conflicts that were touched last.
    pub(super) fn read(
        conn: &Connection,
        rights: &Rights,
        limit: u32,
        offset: u32,
    ) -> store::Result<Vec<Contested>> {
        let workspace = rights.workspace;
        let mut statement = conn.prepare_cached(&format!(
            "SELECT p.id, p.display_name FROM projection p INDEXED BY projection_in_conflict WHERE p.workspace = ? AND p.conflicts > 0{}
             ORDER BY p.touched_at DESC LIMIT ? OFFSET ?",
            rights.and_seen("p.id")
        ))?;
        let listed: Vec<(ContactId, String)> = statement
            .query_map(params![workspace.as_bytes(), limit, offset], |row| {
                Ok((ContactId::from_bytes(row.get(0)?), row.get(1)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let mut contested = Vec::new();
        for (id, name) in listed {
            let Some(contact) = contacts::find(conn, workspace, id)? else { continue };
            let doc = documents::document(conn, workspace, &contact)?;
            contested.push(Contested { id, name, conflicts: document::conflicts(id, &doc) });
        }
        Ok(contested)
    }

    /// Its conflicts with their decisions, which lead to `back`: at most `max` of them.
    pub(super) fn render(&self, viewer: &Viewer, names: &Names, back: &str, max: usize) -> Markup {
        let sheet = Sheet { viewer, id: self.id, names, back, authors: None };
        html! {
            section.card.stack aria-label=(t!("conflicts-of", name = self.name.as_str())) {
                @for conflict in self.conflicts.iter().take(max) {
                    (versus::sides(&sheet, conflict, html! {
                        h2 { (versus::path(&conflict.field).label) } a.name.k href={ "/contacts/" (self.id) } { (self.name) }
                    }))
                }
            }
        }
    }
}

struct Decide {
    contested: Vec<Contested>,
    /// Contacts with conflicts in all.
    contacts: u64,
    aside: Vec<SetAside>,
    late: Vec<proposals::Shown>,
    late_total: u64,
    names: Names,
    total: u64,
    cursor: Cursor,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    page: Option<u32>,
}

/// `GET /decide`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    let now = state.now();
    let rights = viewer.rights.clone();
    let page = ask.page.unwrap_or(1).clamp(1, 100_000);
    let found = state.read(move |conn| read(conn, &rights, page)).await?;
    let opened = found.contested.iter().map(|contested| contested.id).collect();
    state.take(&viewer, Reading::Page, opened).await?;
    let pages = found.contacts.div_ceil(CONTACTS_MAX.into());
    let body = html! {
        div.bar { h1 { (t!("nav-decide")) } (layout::live_chip()) (layout::unit("asof", layout::as_of(now))) }
        (layout::unit("proposals", proposals::section(&viewer, &found.names, &found.late, found.late_total)))
        (layout::unit("conflicts", conflicts(&viewer, &found)))
        @if pages > 1 {
            nav.bar aria-label=(t!("pages")) {
                @if page > 1 { a.btn.small href={ "/decide?page=" (page - 1) } rel="prev" { (t!("previous")) } }
                span.k { (t!("page-of", page = page, pages = pages)) }
                @if u64::from(page) < pages { a.btn.small href={ "/decide?page=" (page + 1) } rel="next" { (t!("next")) } }
            }
        }
        (layout::unit("aside", set_aside(&found)))
    };
    let page = Page {
        viewer: &viewer,
        title: &t!("nav-decide"),
        place: Some(Place::Decide),
        to_decide: found.total,
        cursor: Some(found.cursor),
        contact: None,
        body,
    };
    Ok(page.render())
}

fn read(conn: &Connection, rights: &Rights, page: u32) -> store::Result<Decide> {
    let workspace = rights.workspace;
    let cursor = workspaces::cursor(conn, workspace)?;
    let contacts_all = conn
        .prepare_cached(&format!(
            "SELECT count(*) FROM projection p INDEXED BY projection_in_conflict WHERE p.workspace = ? AND p.conflicts > 0{}",
            rights.and_seen("p.id")
        ))?
        .query_row([workspace.as_bytes()], |row| row.get(0))?;
    Ok(Decide {
        contested: Contested::read(conn, rights, CONTACTS_MAX, (page - 1) * CONTACTS_MAX)?,
        contacts: contacts_all,
        aside: aside(conn, rights, ASIDE_MAX)?,
        late: proposals::read(conn, rights)?,
        late_total: proposals::count(conn, rights)?,
        names: today::names(conn, workspace)?,
        total: count(conn, rights)?,
        cursor,
    })
}

/// Changes that were set aside, of contacts that somebody may read.
fn aside(conn: &Connection, rights: &Rights, max: u32) -> store::Result<Vec<SetAside>> {
    let mut found = Vec::new();
    for change in changes::set_aside(conn, rights.workspace, None, None, EXPORT_MAX)? {
        if found.len() >= max as usize {
            break;
        }
        if rights.sees(conn, change.contact)? {
            found.push(change);
        }
    }
    Ok(found)
}

fn conflicts(viewer: &Viewer, found: &Decide) -> Markup {
    html! {
        @if found.contested.is_empty() {
            section.card { (layout::empty(&t!("decide-none"), html! {
                (t!("decide-none-text"))
            })) }
        }
        div.stack {
            @for contested in &found.contested { (contested.render(viewer, &found.names, "/decide", usize::MAX)) }
        }
    }
}

fn fate(fate: Fate) -> Markup {
    match fate {
        Fate::Quarantined => html! { span.chip.stop { (t!("fate-quarantined")) } },
        Fate::Forked => html! { span.chip.wait { (t!("fate-forked")) } },
        Fate::Proposed => html! { span.chip.info { (t!("fate-proposed")) } },
        Fate::Replaced => html! { span.chip { (t!("fate-replaced")) } },
        _ => html! { span.chip { (t!("fate-set-aside")) } },
    }
}

fn set_aside(found: &Decide) -> Markup {
    html! {
        section.card.list aria-labelledby="aside-title" {
            div.pager.bar {
                h2 #aside-title { (t!("aside-title")) }
                @if !found.aside.is_empty() { a.btn.small href="/decide/quarantine.json" download="quarantine.json" { (t!("export")) } }
            }
            @if found.aside.is_empty() {
                (layout::empty(&t!("none"), html! { (t!("aside-none")) }))
            } @else {
                table {
                    caption.vh { (t!("aside-title")) }
                    thead { tr { th scope="col" { (t!("reason")) } th scope="col" { (t!("fate")) } th.mid scope="col" { (t!("who")) } th.mid scope="col" { (t!("received")) } th.wide scope="col" { (t!("change")) } } }
                    tbody {
                        @for change in &found.aside {
                            tr {
                                th scope="row" {
                                    (change.reason)
                                    div.k { a href={ "/contacts/" (change.contact) } { (t!("contact")) } " · " span.mono { (change.code) } }
                                    div.narrow.k { (found.names.of(change.user)) ", " (layout::time(change.received_at, Shape::Short)) }
                                }
                                td { (fate(change.fate)) }
                                td.mid { (found.names.of(change.user)) @if change.device.is_none() { span.k { ", " (t!("office")) } } }
                                td.mid.muted { (layout::time(change.received_at, Shape::Full)) }
                                td.wide.mono { (change.hash.get(..12).unwrap_or_default()) " " span.k { (layout::count(change.bytes)) " B" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `GET /decide/quarantine.json`: what was set aside, with its raw bytes as hexadecimal.
pub(super) async fn export(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Response, OfficeError> {
    let rights = viewer.rights.clone();
    let now = state.now();
    let (items, contacts) = state
        .read(move |conn| {
            let mut items = Vec::new();
            let mut contacts = Vec::new();
            for change in aside(conn, &rights, EXPORT_MAX)? {
                contacts.push(change.contact);
                let bytes = changes::bytes(conn, rights.workspace, change.seq)?.unwrap_or_default();
                items
                    .push(serde_json::json!({ "change": change, "bytes_hex": hex::encode(bytes) }));
            }
            contacts.sort_unstable();
            contacts.dedup();
            Ok((items, contacts))
        })
        .await?;
    state.export(&viewer, contacts).await?;
    let body = serde_json::json!({ "exported_at": now, "quarantine": items }).to_string();
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"quarantine.json\""),
    ];
    Ok((headers, body).into_response())
}
