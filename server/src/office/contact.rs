//! One contact's page: everything, its history, its conflicts, who wrote what.

use automerge::{Automerge, ChangeHash};
use axum::extract::{Path, Query, State};
use maud::Markup;
use roadbook_protocol::document;
use roadbook_protocol::ids::{ContactId, UnixMs, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use super::contact_view::View;
use super::error::OfficeError;
use super::fields::{Names, Sheet};
use super::layout::{Page, Place};
use super::session::Viewer;
use super::{OfficeState, decide};
use crate::engine::{Reading, Touch};
use crate::rights::{Action, Decision, Rights};
use crate::store::{self, contacts, custom_fields, documents, people, workspaces};

/// Changes that the page lists.
const HISTORY_MAX: usize = 25;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    authors: Option<String>,
}

/// A contact that somebody may read, with its document. `None` if they may not, if there is none, if
/// it has no content yet, or if it was erased: all of these look the same.
pub(super) fn load(
    conn: &Connection,
    rights: &Rights,
    id: ContactId,
) -> store::Result<Option<(contacts::Contact, Automerge)>> {
    let workspace = rights.workspace;
    if !rights.sees(conn, id)? {
        return Ok(None);
    }
    let Some(contact) = contacts::find(conn, workspace, id)? else { return Ok(None) };
    if contact.erased_at.is_some() || contact.cursor == 0 {
        return Ok(None);
    }
    let doc = documents::document(conn, workspace, &contact)?;
    Ok(Some((contact, doc)))
}

/// Heads as they stand in a form.
pub(super) fn heads_text(heads: &[ChangeHash]) -> String {
    heads.iter().map(ChangeHash::to_string).collect::<Vec<_>>().join(" ")
}

/// `GET /contacts/{id}`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    let missing = || OfficeError::NotFound { what: "contact" };
    let id: ContactId = id.parse().map_err(|_| missing())?;
    let now = state.now();
    let workspace = viewer.workspace;
    let with_authors = ask.authors.is_some();
    let reader = viewer.clone();
    let found = state
        .read(move |conn| {
            let cursor = workspaces::cursor(conn, workspace)?;
            let Some((stored, doc)) = load(conn, &reader.rights, id)? else { return Ok(None) };
            let people = people::list_users(conn, workspace)?;
            let names = Names(people.iter().map(|user| (user.id, user.name.clone())).collect());
            let contact = document::read(id, &doc);
            let defined = custom_fields::all(conn, workspace)?;
            let conflicts = document::conflicts(id, &doc);
            let history = document::history(id, &doc, HISTORY_MAX);
            let authors = with_authors.then(|| document::authorship(&doc));
            let view = View {
                sheet: Sheet {
                    viewer: &reader,
                    id,
                    names: &names,
                    back: "",
                    authors: authors.as_ref(),
                },
                contact: &contact,
                conflicts: &conflicts,
                history: &history,
                owner: stored.owner,
                people: &people,
                defined: &defined,
                steers: reader.rights.on_contact(conn, Action::Steer, id)? == Decision::Allow,
                heads: heads_text(&stored.heads),
                now,
                merged_at: merged_at(conn, workspace, id)?,
            };
            Ok(Some((
                view.render(),
                contact.display_name,
                decide::count(conn, &reader.rights)?,
                cursor,
            )))
        })
        .await?;
    let (body, name, to_decide, cursor) = found.ok_or_else(missing)?;
    state.take(&viewer, Reading::Page, vec![id]).await?;
    let by = viewer.user;
    state
        .engine_do(move |engine| engine.touch_canaries(workspace, Some(by), Touch::Open, [id]))
        .await?;
    let page = Page {
        viewer: &viewer,
        title: &name,
        place: Some(Place::Contacts),
        to_decide,
        cursor: Some(cursor),
        contact: Some(id),
        body,
    };
    Ok(page.render())
}

/// When the server received the latest change of a contact that is merged.
fn merged_at(
    conn: &Connection,
    workspace: WorkspaceId,
    id: ContactId,
) -> store::Result<Option<UnixMs>> {
    Ok(conn
        .prepare_cached("SELECT received_at FROM log WHERE workspace = ? AND contact = ? AND fate = 1 ORDER BY fate_cursor DESC LIMIT 1")?
        .query_row(params![workspace.as_bytes(), id.as_bytes()], |row| row.get(0))
        .optional()?)
}
