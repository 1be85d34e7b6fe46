//! Canaries: contacts that nobody real belongs to, planted to show who goes through a base.
//!
//! The mark stands in a table of its own, which no page, export or device is ever given: to all of them
//! a canary is a contact as any other.

use std::collections::HashSet;

use roadbook_protocol::ids::{ContactId, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use super::sql::{id_column, id_column_or_null};
use super::{EngineError, Result, contacts};

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE canary (
    n          INTEGER NOT NULL PRIMARY KEY REFERENCES contact (n),
    workspace  BLOB NOT NULL,
    contact    BLOB NOT NULL,
    planted_at INTEGER NOT NULL,
    planted_by BLOB
) STRICT;
CREATE UNIQUE INDEX canary_by_contact ON canary (workspace, contact);
";

/// The condition of a projection row `p` that is no canary: totals are of customers.
pub const AND_REAL: &str = " AND NOT EXISTS (SELECT 1 FROM canary WHERE canary.n = p.n)";

/// One canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Canary {
    /// The contact.
    pub contact: ContactId,
    /// When it was planted, milliseconds since 1970.
    pub planted_at: UnixMs,
    /// By whom; `None` for the operator at the shell.
    pub planted_by: Option<UserId>,
    /// In whose base it is now.
    pub owner: Option<UserId>,
    /// What it is called.
    pub display_name: String,
}

/// Marks a contact that exists as a canary.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn mark(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    at: UnixMs,
    by: Option<UserId>,
) -> Result<()> {
    let found = contacts::find(tx, workspace, contact)?
        .ok_or_else(|| EngineError::not_found(format!("contact {contact}")))?;
    tx.execute(
        "INSERT OR IGNORE INTO canary (n, workspace, contact, planted_at, planted_by) VALUES (?, ?, ?, ?, ?)",
        params![
            found.n,
            workspace.as_bytes(),
            contact.as_bytes(),
            at,
            by.as_ref().map(UserId::as_bytes)
        ],
    )?;
    Ok(())
}

/// Whether a contact is a canary.
///
/// # Errors
/// What the database says.
pub fn is_one(conn: &Connection, workspace: WorkspaceId, contact: ContactId) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM canary WHERE workspace = ? AND contact = ?")?
        .exists(params![workspace.as_bytes(), contact.as_bytes()])?)
}

/// All of them, by id.
///
/// # Errors
/// What the database says.
pub fn ids(conn: &Connection, workspace: WorkspaceId) -> Result<HashSet<ContactId>> {
    let mut statement = conn.prepare_cached("SELECT contact FROM canary WHERE workspace = ?")?;
    let rows =
        statement.query_map([workspace.as_bytes()], |row| Ok(id_column!(row, 0, ContactId)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All of them, the newest first.
///
/// # Errors
/// What the database says.
pub fn list(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<Canary>> {
    let mut statement = conn.prepare_cached(
        "SELECT y.contact, y.planted_at, y.planted_by, c.owner, coalesce(p.display_name, '')
         FROM canary y JOIN contact c ON c.n = y.n LEFT JOIN projection p ON p.n = y.n
         WHERE y.workspace = ? ORDER BY y.n DESC",
    )?;
    let rows = statement.query_map([workspace.as_bytes()], |row| {
        Ok(Canary {
            contact: id_column!(row, 0, ContactId),
            planted_at: row.get(1)?,
            planted_by: id_column_or_null!(row, 2, UserId),
            owner: id_column_or_null!(row, 3, UserId),
            display_name: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
