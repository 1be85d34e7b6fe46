//! Webhooks: where events of the change feed are sent, how far each has come, and what could not be
//! delivered.
//!
//! How far a webhook has come is a place in the feed, kept here: after a restart it goes on from there, and
//! nothing is queued anywhere else.

use roadbook_protocol::ids::{ContactId, Cursor, TimelineId, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::Result;
use super::sql::id_column;

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE webhook (
    id           TEXT NOT NULL PRIMARY KEY,
    workspace    BLOB NOT NULL,
    url          TEXT NOT NULL,
    events       TEXT NOT NULL,             -- with spaces between; * is all
    user         BLOB NOT NULL,             -- whose reach it has
    attempts_max INTEGER NOT NULL,
    backoff_ms   INTEGER NOT NULL,          -- after the first failure; doubles with each
    created_at   INTEGER NOT NULL,
    timeline     BLOB NOT NULL,             -- the place up to which everything is settled
    cursor       INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,-- of the next event
    next_at      INTEGER NOT NULL DEFAULT 0,
    last_error   TEXT,                      -- no contact data
    last_ok      INTEGER,
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;

-- What was given up after the last attempt; it waits until somebody has it sent again.
CREATE TABLE webhook_dead (
    n         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    workspace BLOB NOT NULL,
    webhook   TEXT NOT NULL,
    contact   BLOB NOT NULL,
    cursor    INTEGER NOT NULL,
    event     TEXT NOT NULL,
    at        INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    error     TEXT NOT NULL,
    again     INTEGER NOT NULL DEFAULT 0    -- 1: somebody wants it sent again
) STRICT;
CREATE INDEX webhook_dead_by_webhook ON webhook_dead (webhook, n);
CREATE INDEX webhook_dead_by_contact ON webhook_dead (workspace, contact);
";

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// The workspace.
    #[serde(skip)]
    pub workspace: WorkspaceId,
    /// Where events go.
    pub url: String,
    /// Which events; `*` is all.
    pub events: Vec<String>,
    /// Whose reach it has.
    pub user: UserId,
    /// How often an event is tried.
    pub attempts_max: u32,
    /// How long after the first failure it is tried again, in milliseconds; twice that after the second.
    pub backoff_ms: u64,
    /// When it was added.
    pub created_at: UnixMs,
    /// The timeline of the place up to which everything is settled.
    #[serde(skip)]
    pub timeline: TimelineId,
    /// The cursor of that place.
    pub cursor: Cursor,
    /// Failures of the event that is next.
    pub attempts: u32,
    /// When that is tried again.
    pub next_at: UnixMs,
    /// What the last failure was.
    pub last_error: Option<String>,
    /// When something was delivered last.
    pub last_ok: Option<UnixMs>,
}

const COLUMNS: &str = "id, workspace, url, events, user, attempts_max, backoff_ms, created_at, timeline, cursor, attempts, next_at, last_error, last_ok";

fn webhook_row(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let events: String = row.get(3)?;
    Ok(Webhook {
        id: row.get(0)?,
        workspace: id_column!(row, 1, WorkspaceId),
        url: row.get(2)?,
        events: events.split(' ').map(str::to_owned).collect(),
        user: id_column!(row, 4, UserId),
        attempts_max: row.get(5)?,
        backoff_ms: row.get(6)?,
        created_at: row.get(7)?,
        timeline: id_column!(row, 8, TimelineId),
        cursor: row.get(9)?,
        attempts: row.get(10)?,
        next_at: row.get(11)?,
        last_error: row.get(12)?,
        last_ok: row.get(13)?,
    })
}

/// Adds a webhook.
///
/// # Errors
/// What the database says.
pub fn create(tx: &Transaction<'_>, new: &Webhook) -> Result<()> {
    tx.execute(
        "INSERT INTO webhook (id, workspace, url, events, user, attempts_max, backoff_ms, created_at, timeline, cursor)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            new.id,
            new.workspace.as_bytes(),
            new.url,
            new.events.join(" "),
            new.user.as_bytes(),
            new.attempts_max,
            new.backoff_ms,
            new.created_at,
            new.timeline.as_bytes(),
            new.cursor,
        ],
    )?;
    Ok(())
}

/// The webhooks of a workspace, or all, oldest first.
///
/// # Errors
/// What the database says.
pub fn list(conn: &Connection, workspace: Option<WorkspaceId>) -> Result<Vec<Webhook>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM webhook WHERE ?1 IS NULL OR workspace = ?1 ORDER BY created_at, id"
    ))?;
    let workspace = workspace.as_ref().map(WorkspaceId::as_bytes);
    let rows = statement.query_map([workspace], webhook_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One webhook.
///
/// # Errors
/// What the database says.
pub fn find(conn: &Connection, id: &str) -> Result<Option<Webhook>> {
    Ok(conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM webhook WHERE id = ?"))?
        .query_row([id], webhook_row)
        .optional()?)
}

/// Removes a webhook with what it could not deliver. Whether there was one.
///
/// # Errors
/// What the database says.
pub fn remove(tx: &Transaction<'_>, workspace: WorkspaceId, id: &str) -> Result<bool> {
    let changed = tx.execute(
        "DELETE FROM webhook WHERE workspace = ? AND id = ?",
        params![workspace.as_bytes(), id],
    )?;
    if changed > 0 {
        tx.execute("DELETE FROM webhook_dead WHERE webhook = ?", [id])?;
    }
    Ok(changed > 0)
}

/// Everything up to a place is settled. `ok` says when something was delivered.
///
/// # Errors
/// What the database says.
pub fn advance(
    tx: &Transaction<'_>,
    id: &str,
    timeline: TimelineId,
    cursor: Cursor,
    ok: Option<UnixMs>,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE webhook SET timeline = ?1, cursor = ?2, attempts = 0, next_at = 0,
                last_error = CASE WHEN ?3 IS NULL THEN last_error END, last_ok = coalesce(?3, last_ok)
         WHERE id = ?4",
    )?
    .execute(params![timeline.as_bytes(), cursor, ok, id])?;
    Ok(())
}

/// The next event could not be delivered; it is tried again at `next_at`.
///
/// # Errors
/// What the database says.
pub fn fail(
    tx: &Transaction<'_>,
    id: &str,
    attempts: u32,
    next_at: UnixMs,
    error: &str,
) -> Result<()> {
    tx.prepare_cached("UPDATE webhook SET attempts = ?, next_at = ?, last_error = ? WHERE id = ?")?
        .execute(params![attempts, next_at, error, id])?;
    Ok(())
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dead {
    /// Its number.
    pub n: i64,
    /// Of which webhook.
    pub webhook: String,
    /// The contact.
    pub contact: ContactId,
    /// Its cursor.
    pub cursor: Cursor,
    /// Which event.
    pub event: String,
    /// When it was given up.
    pub at: UnixMs,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last failure was.
    pub error: String,
}

/// Puts an event on the list of what was given up. The number of `dead` is not used.
///
/// # Errors
/// What the database says.
pub fn bury(tx: &Transaction<'_>, workspace: WorkspaceId, dead: &Dead) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO webhook_dead (workspace, webhook, contact, cursor, event, at, attempts, error)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        dead.webhook,
        dead.contact.as_bytes(),
        dead.cursor,
        dead.event,
        dead.at,
        dead.attempts,
        dead.error,
    ])?;
    Ok(())
}

/// What a webhook has given up, oldest first.
///
/// # Errors
/// What the database says.
pub fn dead(conn: &Connection, webhook: &str, limit: u32) -> Result<Vec<Dead>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {DEAD} FROM webhook_dead WHERE webhook = ? ORDER BY n LIMIT ?"
    ))?;
    let rows = statement.query_map(params![webhook, limit], dead_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

const DEAD: &str = "n, webhook, contact, cursor, event, at, attempts, error";

fn dead_row(row: &Row<'_>) -> rusqlite::Result<Dead> {
    Ok(Dead {
        n: row.get(0)?,
        webhook: row.get(1)?,
        contact: id_column!(row, 2, ContactId),
        cursor: row.get(3)?,
        event: row.get(4)?,
        at: row.get(5)?,
        attempts: row.get(6)?,
        error: row.get(7)?,
    })
}

/// How many events a webhook has given up.
///
/// # Errors
/// What the database says.
pub fn count_dead(conn: &Connection, webhook: &str) -> Result<u64> {
    Ok(conn
        .prepare_cached("SELECT count(*) FROM webhook_dead WHERE webhook = ?")?
        .query_row([webhook], |row| row.get(0))?)
}

/// Takes an event off the list. Whether it was on it.
///
/// # Errors
/// What the database says.
pub fn unbury(tx: &Transaction<'_>, webhook: &str, n: i64) -> Result<bool> {
    let changed = tx
        .prepare_cached("DELETE FROM webhook_dead WHERE webhook = ? AND n = ?")?
        .execute(params![webhook, n])?;
    Ok(changed > 0)
}

/// Has what a webhook has given up sent again: one event, or all of them. How many there are.
///
/// # Errors
/// What the database says.
pub fn again(tx: &Transaction<'_>, webhook: &str, n: Option<i64>) -> Result<u64> {
    let changed = tx.execute(
        "UPDATE webhook_dead SET again = 1 WHERE webhook = ?1 AND (?2 IS NULL OR n = ?2)",
        params![webhook, n],
    )?;
    tx.execute("UPDATE webhook SET next_at = 0 WHERE id = ?", [webhook])?;
    Ok(changed as u64)
}

/// The first event that somebody wants sent again.
///
/// # Errors
/// What the database says.
pub fn next_again(conn: &Connection, webhook: &str) -> Result<Option<Dead>> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {DEAD} FROM webhook_dead WHERE webhook = ? AND again = 1 ORDER BY n LIMIT 1"
        ))?
        .query_row([webhook], dead_row)
        .optional()?)
}

/// It failed again: it waits until somebody wants it sent once more.
///
/// # Errors
/// What the database says.
pub fn failed_again(tx: &Transaction<'_>, n: i64, error: &str) -> Result<()> {
    tx.prepare_cached(
        "UPDATE webhook_dead SET again = 0, attempts = attempts + 1, error = ? WHERE n = ?",
    )?
    .execute(params![error, n])?;
    Ok(())
}
