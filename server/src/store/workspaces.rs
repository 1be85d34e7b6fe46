//! Workspaces, their public keys, their cursors and timelines, and settings.

use roadbook_protocol::ids::{Cursor, TimelineId, UnixMs, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::sql::id_column;
use super::{EngineError, Result};

/// A company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name, unique on this server.
    pub name: String,
    /// The Ed25519 public key (32 bytes) that verifies what the workspace signs.
    pub public_key: Vec<u8>,
    /// The oldest app versions that get customer data: `NAME/1.2.3`, several with a space between.
    pub minimum_app: Option<String>,
    /// When it was made.
    pub created_at: UnixMs,
}

/// Creates a workspace. `public_key` verifies what its signing key signs, which stands in a file
/// of its own. Callers use [`crate::engine::Engine::create_workspace`], which also opens its timeline.
///
/// # Errors
/// [`EngineError::Taken`] if there is one of that name.
pub fn create(
    tx: &Transaction<'_>,
    id: WorkspaceId,
    name: &str,
    public_key: &[u8],
    now: UnixMs,
) -> Result<()> {
    tx.execute(
        "INSERT INTO workspace (id, name, public_key, created_at) VALUES (?, ?, ?, ?)",
        params![id.as_bytes(), name, public_key, now],
    )
    .map_err(|error| match EngineError::is_unique_violation(&error) {
        true => EngineError::Taken { what: format!("the workspace name `{name}`") },
        false => error.into(),
    })?;
    Ok(())
}

/// All workspaces, oldest first.
///
/// # Errors
/// What the database says.
pub fn list(conn: &Connection) -> Result<Vec<Workspace>> {
    let mut statement = conn.prepare_cached(
        "SELECT id, name, public_key, minimum_app, created_at FROM workspace ORDER BY created_at, id",
    )?;
    let rows = statement.query_map([], workspace_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One workspace.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn find(conn: &Connection, id: WorkspaceId) -> Result<Workspace> {
    conn.prepare_cached(
        "SELECT id, name, public_key, minimum_app, created_at FROM workspace WHERE id = ?",
    )?
    .query_row([id.as_bytes()], workspace_row)
    .optional()?
    .ok_or_else(|| EngineError::not_found(format!("workspace {id}")))
}

fn workspace_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Workspace> {
    Ok(Workspace {
        id: id_column!(row, 0, WorkspaceId),
        name: row.get(1)?,
        public_key: row.get(2)?,
        minimum_app: row.get(3)?,
        created_at: row.get(4)?,
    })
}

/// Puts another public key in the place of the one that devices know.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn set_public_key(tx: &Transaction<'_>, id: WorkspaceId, public_key: &[u8]) -> Result<()> {
    match tx.execute(
        "UPDATE workspace SET public_key = ? WHERE id = ?",
        params![public_key, id.as_bytes()],
    )? {
        0 => Err(EngineError::not_found(format!("workspace {id}"))),
        _ => Ok(()),
    }
}

/// Sets the oldest app versions that get customer data; `None` lets all have it.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn set_minimum_app(tx: &Transaction<'_>, id: WorkspaceId, minimum: Option<&str>) -> Result<()> {
    match tx.execute(
        "UPDATE workspace SET minimum_app = ? WHERE id = ?",
        params![minimum, id.as_bytes()],
    )? {
        0 => Err(EngineError::not_found(format!("workspace {id}"))),
        _ => Ok(()),
    }
}

/// The last cursor that was assigned in the workspace: its public cursor.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn cursor(conn: &Connection, id: WorkspaceId) -> Result<Cursor> {
    conn.prepare_cached("SELECT cursor FROM workspace WHERE id = ?")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| EngineError::not_found(format!("workspace {id}")))
}

/// Assigns the next `count` cursors and returns the first of them.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn assign_cursors(tx: &Transaction<'_>, id: WorkspaceId, count: u64) -> Result<Cursor> {
    let last: Cursor = tx
        .prepare_cached("UPDATE workspace SET cursor = cursor + ? WHERE id = ? RETURNING cursor")?
        .query_row(params![count, id.as_bytes()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| EngineError::not_found(format!("workspace {id}")))?;
    Ok(last + 1 - count)
}

/// Opens a timeline: from now on cursors are assigned under it (rule 1).
///
/// # Errors
/// What the database says.
pub fn open_timeline(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: TimelineId,
    now: UnixMs,
) -> Result<()> {
    tx.execute(
        "INSERT INTO timeline (workspace, id, n, first_cursor, opened_at)
         SELECT w.id, ?2, (SELECT coalesce(max(n), 0) + 1 FROM timeline WHERE workspace = ?1),
                w.cursor + 1, ?3
         FROM workspace w WHERE w.id = ?1",
        params![workspace.as_bytes(), id.as_bytes(), now],
    )?;
    Ok(())
}

/// Whether there is any timeline: whether this database was ever served.
///
/// # Errors
/// What the database says.
pub fn any_timeline(conn: &Connection) -> Result<bool> {
    Ok(conn.query_row("SELECT EXISTS (SELECT 1 FROM timeline)", [], |row| row.get(0))?)
}

/// Whether a timeline of this name was ever opened in this database.
///
/// # Errors
/// What the database says.
pub fn knows_timeline(conn: &Connection, id: TimelineId) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM timeline WHERE id = ?)")?
        .query_row([id.as_bytes()], |row| row.get(0))?)
}

/// The last cursor that is known of a timeline: for a closed one the cursor before its successor's
/// first, for the open one the workspace's cursor. `None` if the timeline is not known.
///
/// # Errors
/// What the database says.
pub fn timeline_last_cursor(
    conn: &Connection,
    workspace: WorkspaceId,
    id: TimelineId,
) -> Result<Option<Cursor>> {
    let last = conn
        .prepare_cached(
            "SELECT coalesce(
                (SELECT s.first_cursor - 1 FROM timeline s
                 WHERE s.workspace = t.workspace AND s.n > t.n ORDER BY s.n LIMIT 1),
                (SELECT cursor FROM workspace WHERE id = t.workspace))
             FROM timeline t WHERE t.workspace = ? AND t.id = ?",
        )?
        .query_row(params![workspace.as_bytes(), id.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(last)
}

/// The first cursor of the timeline that was opened last.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn newest_first_cursor(conn: &Connection, workspace: WorkspaceId) -> Result<Cursor> {
    conn.prepare_cached(
        "SELECT first_cursor FROM timeline WHERE workspace = ? ORDER BY n DESC LIMIT 1",
    )?
    .query_row([workspace.as_bytes()], |row| row.get(0))
    .optional()?
    .ok_or_else(|| EngineError::not_found(format!("workspace {workspace}")))
}

/// The value of a setting.
///
/// # Errors
/// What the database says.
pub fn setting(conn: &Connection, workspace: WorkspaceId, name: &str) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached("SELECT value FROM setting WHERE workspace = ? AND name = ?")?
        .query_row(params![workspace.as_bytes(), name], |row| row.get(0))
        .optional()?)
}

/// Sets a setting; `None` removes it.
///
/// # Errors
/// What the database says.
pub fn set_setting(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    name: &str,
    value: Option<&str>,
) -> Result<()> {
    match value {
        Some(value) => tx.execute(
            "INSERT INTO setting (workspace, name, value) VALUES (?, ?, ?)
             ON CONFLICT (workspace, name) DO UPDATE SET value = excluded.value",
            params![workspace.as_bytes(), name, value],
        )?,
        None => tx.execute(
            "DELETE FROM setting WHERE workspace = ? AND name = ?",
            params![workspace.as_bytes(), name],
        )?,
    };
    Ok(())
}
