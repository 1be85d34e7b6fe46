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

/// Older changes of a contact than this go when it changes again, in milliseconds: what a reader gets is the
/// contact as it is, so only the latest of them says something. First contents, hand-overs and erasures
/// stay: no place in the feed is ever too old, and what is kept is bounded by the contacts, not by time.
pub const KEEP_MS: i64 = 30 * 24 * 60 * 60 * 1000;

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
    if happened.kind == Kind::Changed {
        tx.prepare_cached(
            "DELETE FROM feed WHERE workspace = ?1 AND contact = ?2 AND kind = 1 AND cursor < ?3 AND at < ?4",
        )?
        .execute(params![
            workspace.as_bytes(),
            happened.contact.as_bytes(),
            happened.cursor,
            happened.at - KEEP_MS,
        ])?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    #[test]
    fn of_old_changes_the_latest_stays_and_nothing_else_goes() {
        let mut conn = Connection::open_in_memory().unwrap();
        schema::migrate(&mut conn).unwrap();
        let (workspace, day) = (WorkspaceId::from_bytes([1; 16]), 24 * 60 * 60 * 1000);
        let contact = ContactId::from_bytes([2; 16]);
        let other = ContactId::from_bytes([3; 16]);
        let tx = conn.transaction().unwrap();
        for (cursor, days, kind, contact) in [
            (1, 1, Kind::Created, contact),
            (2, 1, Kind::Changed, contact),
            (3, 2, Kind::Assigned, contact),
            (4, 3, Kind::Changed, contact),
            (5, 3, Kind::Changed, other),
            (6, 20, Kind::Changed, contact),
            (7, 40, Kind::Changed, contact),
            (8, 90, Kind::Erased, contact),
        ] {
            let at = UnixMs::from(days) * day;
            let happened = Happened { cursor, at, kind, contact, holders: None };
            append(&tx, workspace, &happened).unwrap();
        }
        let left: Vec<Cursor> =
            since(&tx, workspace, 0, 100).unwrap().iter().map(|one| one.cursor).collect();
        assert_eq!(left, [1, 3, 5, 6, 7, 8]);
        // A reader who was behind all of it is told of the latest change, and of all else.
        let behind = since(&tx, workspace, 2, 100).unwrap();
        assert!(behind.iter().any(|one| one.cursor == 7));
    }
}
