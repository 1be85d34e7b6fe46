//! By which language a workspace's lists are sorted: chosen, and carried out.
//!
//! The keys by which contacts are sorted stand in their rows. When another order is chosen, they are made anew in
//! slices, each a transaction of its own, so that edits go on meanwhile; until that is over, rows of both orders
//! stand in the list.

use roadbook_protocol::ids::WorkspaceId;
use roadbook_protocol::projection::Row;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::sql::id_column;
use super::{EngineError, Result, projections, workspaces};
use crate::sorting::Sorting;

/// The setting that names the order, by its tag.
const SORTING: &str = "sorting";
/// The setting that says up to which contact the keys are made, while that is under way.
const KEYED_TO: &str = "sorting_keyed_to";
/// So many contacts get their keys in one transaction: some 20 ms.
const SLICE_CONTACTS: usize = 250;

/// The order of a workspace's lists.
///
/// # Errors
/// What the database says.
pub fn of(conn: &Connection, workspace: WorkspaceId) -> Result<Sorting> {
    let tag = workspaces::setting(conn, workspace, SORTING)?;
    Ok(tag.and_then(|tag| Sorting::of_tag(&tag)).unwrap_or(Sorting::GENERAL))
}

/// Chooses the order. Returns whether it is another one than before: then [`key_slice`] is to be called until
/// nothing is left.
///
/// # Errors
/// What the database says.
pub fn choose(tx: &Transaction<'_>, workspace: WorkspaceId, sorting: Sorting) -> Result<bool> {
    if of(tx, workspace)? == sorting {
        return Ok(false);
    }
    workspaces::set_setting(tx, workspace, SORTING, Some(sorting.tag()))?;
    workspaces::set_setting(tx, workspace, KEYED_TO, Some("0"))?;
    Ok(true)
}

/// The number of the last contact whose keys are made; `None` where nothing is under way.
///
/// # Errors
/// [`EngineError::Damaged`] if it can't be read.
pub fn keyed_to(conn: &Connection, workspace: WorkspaceId) -> Result<Option<i64>> {
    let text = workspaces::setting(conn, workspace, KEYED_TO)?;
    text.map(|text| text.parse())
        .transpose()
        .map_err(|error| EngineError::damaged(format!("the setting {KEYED_TO}"), error))
}

/// How many contacts wait for their keys.
///
/// # Errors
/// What the database says.
pub fn left(conn: &Connection, workspace: WorkspaceId) -> Result<u64> {
    let Some(keyed_to) = keyed_to(conn, workspace)? else { return Ok(0) };
    Ok(conn
        .prepare_cached("SELECT count(*) FROM projection WHERE workspace = ? AND n > ?")?
        .query_row(params![workspace.as_bytes(), keyed_to], |row| row.get(0))?)
}

/// Makes the keys of the next contacts of any workspace. Returns whether there may be more.
///
/// # Errors
/// What the database says; [`EngineError::Damaged`] for a row that can't be read.
pub fn key_slice(tx: &Transaction<'_>) -> Result<bool> {
    let found = tx
        .prepare_cached("SELECT workspace FROM setting WHERE name = ? LIMIT 1")?
        .query_row([KEYED_TO], |row| Ok(id_column!(row, 0, WorkspaceId)))
        .optional()?;
    let Some(workspace) = found else { return Ok(false) };
    let keyed_to = keyed_to(tx, workspace)?.unwrap_or_default();
    let sorting = of(tx, workspace)?;
    let rows: Vec<(i64, String)> = tx
        .prepare_cached(
            "SELECT n, row FROM projection WHERE workspace = ? AND n > ? ORDER BY n LIMIT ?",
        )?
        .query_map(params![workspace.as_bytes(), keyed_to, SLICE_CONTACTS], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (n, json) in &rows {
        let row: Row = serde_json::from_str(json).map_err(|error| {
            EngineError::damaged(format!("the projection of contact {n}"), error)
        })?;
        projections::put_keys(tx, *n, &projections::Keys::of(&row, sorting))?;
    }
    let reached = rows.last().map(|(n, _)| n.to_string());
    workspaces::set_setting(tx, workspace, KEYED_TO, reached.as_deref())?;
    Ok(true)
}
