//! The append-only record of everything that changes access or destroys data.

use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, Transaction, params};

use super::Result;
use super::sql::id_column_or_null;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// Its number: entries are ordered by it.
    pub n: i64,
    /// When, by the server's clock.
    pub at: UnixMs,
    /// Who; `None` for the operator at the shell.
    pub by: Option<UserId>,
    /// What was done: `user.add`, `device.revoke`, `contact.assign` ...
    pub action: String,
    /// To what.
    pub subject: String,
    /// Details as JSON; no contact data.
    pub detail: String,
}

/// Appends an entry. `detail` must hold no contact data.
///
/// # Errors
/// What the database says.
pub fn append(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    now: UnixMs,
    by: Option<UserId>,
    action: &str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO audit (workspace, at, by, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        now,
        by.as_ref().map(UserId::as_bytes),
        action,
        subject,
        detail.to_string(),
    ])?;
    Ok(())
}

/// The newest `limit` entries, newest first.
///
/// # Errors
/// What the database says.
pub fn latest(conn: &Connection, workspace: WorkspaceId, limit: u32) -> Result<Vec<Entry>> {
    let mut statement = conn.prepare_cached(
        "SELECT n, at, by, action, subject, detail FROM audit
         WHERE workspace = ? ORDER BY n DESC LIMIT ?",
    )?;
    let rows = statement.query_map(params![workspace.as_bytes(), limit], |row| {
        Ok(Entry {
            n: row.get(0)?,
            at: row.get(1)?,
            by: id_column_or_null!(row, 2, UserId),
            action: row.get(3)?,
            subject: row.get(4)?,
            detail: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
