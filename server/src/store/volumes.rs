//! How many contacts each person has read, by the hour: what outlives a restart of
//! [`crate::engine`]'s count. Hours that no window reaches any more are deleted with the next entry.

use roadbook_protocol::ids::{UserId, WorkspaceId};
use rusqlite::{Connection, Transaction, params};

use super::Result;

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE volume (
    workspace BLOB NOT NULL,
    user      BLOB NOT NULL,
    kind      TEXT NOT NULL,                -- device, page, list, export
    hour      INTEGER NOT NULL,             -- hours since 1970
    contacts  INTEGER NOT NULL,
    PRIMARY KEY (workspace, user, kind, hour)
) STRICT, WITHOUT ROWID;
";

/// The hours from `since` on, oldest first, with what was read in each.
///
/// # Errors
/// What the database says.
pub fn load(
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
    kind: &str,
    since: i64,
) -> Result<Vec<(i64, u64)>> {
    let mut statement = conn.prepare_cached(
        "SELECT hour, contacts FROM volume
         WHERE workspace = ? AND user = ? AND kind = ? AND hour >= ? ORDER BY hour",
    )?;
    let rows = statement
        .query_map(params![workspace.as_bytes(), user.as_bytes(), kind, since], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Adds to an hour, and forgets the hours before `since`.
///
/// # Errors
/// What the database says.
pub fn add(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    kind: &str,
    (hour, since): (i64, i64),
    contacts: u64,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO volume (workspace, user, kind, hour, contacts) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET contacts = contacts + excluded.contacts",
    )?
    .execute(params![workspace.as_bytes(), user.as_bytes(), kind, hour, contacts])?;
    tx.prepare_cached(
        "DELETE FROM volume WHERE workspace = ? AND user = ? AND kind = ? AND hour < ?",
    )?
    .execute(params![workspace.as_bytes(), user.as_bytes(), kind, since])?;
    Ok(())
}

/// Forgets what somebody has read: the count begins anew.
///
/// # Errors
/// What the database says.
pub fn clear(tx: &Transaction<'_>, workspace: WorkspaceId, user: UserId) -> Result<()> {
    tx.execute(
        "DELETE FROM volume WHERE workspace = ? AND user = ?",
        params![workspace.as_bytes(), user.as_bytes()],
    )?;
    Ok(())
}
