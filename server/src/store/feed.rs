//! What happened to contacts, in the order of the public cursor: what programs follow that keep a copy.
//!
//! A row is written in the transaction that assigns its cursor, and cursors are assigned by the one
//! writer: who reads everything up to the public cursor in one transaction has missed nothing below it. A
//! row names people and contacts by their ids, and goes with its contact when that is erased; the erasure
//! itself is a row that stays.

use roadbook_protocol::ids::{ContactId, Cursor, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use super::sql::id_column;
use super::{EngineError, Result};

/// Tables of version 3. What was there before is told once, as it stood.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE feed (
    workspace BLOB NOT NULL,
    cursor    INTEGER NOT NULL,
    at        INTEGER NOT NULL,             -- 0: not known
    kind      INTEGER NOT NULL,             -- 0 created, 1 changed, 2 assigned, 3 erased
    contact   BLOB NOT NULL,
    detail    TEXT,                         -- JSON: who held it
    PRIMARY KEY (workspace, cursor)
) STRICT, WITHOUT ROWID;
CREATE INDEX feed_by_contact ON feed (workspace, contact);
INSERT INTO feed SELECT workspace, cursor, created_at, 0, id, NULL FROM contact
    WHERE erased_at IS NULL AND cursor > 0;
INSERT OR IGNORE INTO feed SELECT workspace, assigned_cursor, 0, 2, id, NULL FROM contact
    WHERE erased_at IS NULL AND assigned_cursor > 0;
INSERT OR IGNORE INTO feed SELECT workspace, assigned_cursor, erased_at, 3, id, NULL FROM contact
    WHERE erased_at IS NOT NULL AND assigned_cursor > 0;
";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first content of a contact.
    Created,
    /// More content.
    Changed,
    /// Another owner, or other collaborators.
    Assigned,
    /// It was erased for good.
    Erased,
}

impl Kind {
    fn code(self) -> i64 {
        match self {
            Kind::Created => 0,
            Kind::Changed => 1,
            Kind::Assigned => 2,
            Kind::Erased => 3,
        }
    }
    fn of(code: i64) -> Kind {
        match code {
            0 => Kind::Created,
            2 => Kind::Assigned,
            3 => Kind::Erased,
            _ => Kind::Changed,
        }
    }
}

/// Who held a contact before and after an assignment, or before an erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holders {
    /// The owner before.
    #[serde(default)]
    pub from: Option<UserId>,
    /// The owner after.
    #[serde(default)]
    pub to: Option<UserId>,
    /// The epoch after.
    #[serde(default)]
    pub epoch: u64,
    /// Everybody who held it before, the owner too.
    #[serde(default)]
    pub before: Vec<UserId>,
    /// Everybody who holds it after, the owner too.
    #[serde(default)]
    pub after: Vec<UserId>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Its cursor: no other has it.
    pub cursor: Cursor,
    /// When, by the server's clock; 0 where that is not known.
    pub at: UnixMs,
    /// What.
    pub kind: Kind,
    /// To which contact.
    pub contact: ContactId,
    /// Who held it, where it is about that and known.
    pub holders: Option<Holders>,
}

/// Writes down what happened at a cursor that was assigned in this transaction.
///
/// # Errors
/// What the database says.
pub fn append(tx: &Transaction<'_>, workspace: WorkspaceId, happened: &Happened) -> Result<()> {
    let detail = match &happened.holders {
        None => None,
        Some(holders) => Some(
            serde_json::to_string(holders)
                .map_err(|error| EngineError::damaged("an entry of the change feed", error))?,
        ),
    };
    tx.prepare_cached(
        "INSERT OR REPLACE INTO feed (workspace, cursor, at, kind, contact, detail)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        happened.cursor,
        happened.at,
        happened.kind.code(),
        happened.contact.as_bytes(),
        detail,
    ])?;
    Ok(())
}

/// What happened beyond a cursor, at most so much, in order.
///
/// # Errors
/// What the database says.
pub fn since(
    conn: &Connection,
    workspace: WorkspaceId,
    since: Cursor,
    limit: usize,
) -> Result<Vec<Happened>> {
    let mut statement = conn.prepare_cached(
        "SELECT cursor, at, kind, contact, detail FROM feed
         WHERE workspace = ? AND cursor > ? ORDER BY cursor LIMIT ?",
    )?;
    let rows = statement.query_map(params![workspace.as_bytes(), since, limit], |row| {
        let detail: Option<String> = row.get(4)?;
        Ok(Happened {
            cursor: row.get(0)?,
            at: row.get(1)?,
            kind: Kind::of(row.get(2)?),
            contact: id_column!(row, 3, ContactId),
            holders: detail.and_then(|text| serde_json::from_str(&text).ok()),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// In whose names the changes were made that were merged at a cursor. Empty once compaction has dropped
/// them.
///
/// # Errors
/// What the database says.
pub fn authors(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    cursor: Cursor,
) -> Result<Vec<UserId>> {
    let mut statement = conn.prepare_cached(
        "SELECT DISTINCT user FROM log INDEXED BY log_by_contact
         WHERE workspace = ? AND contact = ? AND fate = 1 AND fate_cursor = ? ORDER BY user",
    )?;
    let rows = statement
        .query_map(params![workspace.as_bytes(), contact.as_bytes(), cursor], |row| {
            Ok(id_column!(row, 0, UserId))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
