//! Alerts: something that a manager should look at, with who did it, when, and how often.
//!
//! They hold ids and words of this program, as the audit log does. What goes on happening while nobody
//! has looked yet is one alert that counts, so that their number is bounded by who there is and not by
//! how often somebody tries.

use roadbook_protocol::ids::{ContactId, DeviceId, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::json;

use super::sql::id_column_or_null;
use super::{EngineError, Result, audit};

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE alert (
    n         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    workspace BLOB NOT NULL,
    kind      TEXT NOT NULL,                -- volume, canary
    how       TEXT NOT NULL,                -- device, page, list, export, open, edit, mailing
    user      BLOB,                         -- who did it; NULL: the operator at the shell
    device    BLOB,
    contact   BLOB,                         -- the canary
    times     INTEGER NOT NULL,             -- how often, until somebody looked
    contacts  INTEGER NOT NULL,             -- of a volume: how many it would have been
    most      INTEGER NOT NULL,             -- of a volume: how many are allowed
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    until     INTEGER,                      -- held back until then
    seen_at   INTEGER,
    seen_by   BLOB
) STRICT;
CREATE INDEX alert_unseen ON alert (workspace, n) WHERE seen_at IS NULL;
CREATE INDEX alert_by_time ON alert (workspace, n);
";

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Its number.
    pub n: i64,
    /// `volume` or `canary`.
    pub kind: String,
    /// What was done: `device`, `page`, `list`, `export` of a volume; `open`, `edit`, `export`,
    /// `mailing` of a canary.
    pub how: String,
    /// Who did it; `None` for the operator at the shell.
    pub user: Option<UserId>,
    /// With which device, where it was one.
    pub device: Option<DeviceId>,
    /// The canary.
    pub contact: Option<ContactId>,
    /// How often it happened until somebody looked.
    pub times: u64,
    /// Of a volume: how many contacts it would have been.
    pub contacts: u64,
    /// Of a volume: how many are allowed.
    pub most: u64,
    /// When it happened first, milliseconds since 1970.
    pub first_at: UnixMs,
    /// When it happened last.
    pub last_at: UnixMs,
    /// Until when it is held back, where waiting helps.
    pub until: Option<UnixMs>,
    /// When somebody said that they have seen it.
    pub seen_at: Option<UnixMs>,
    /// Who.
    pub seen_by: Option<UserId>,
}

/// Something to raise an alert about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// As in [`Alert`].
    pub kind: &'static str,
    /// As in [`Alert`].
    pub how: &'static str,
    /// As in [`Alert`].
    pub user: Option<UserId>,
    /// As in [`Alert`].
    pub device: Option<DeviceId>,
    /// As in [`Alert`].
    pub contact: Option<ContactId>,
    /// As in [`Alert`].
    pub contacts: u64,
    /// As in [`Alert`].
    pub most: u64,
    /// As in [`Alert`].
    pub until: Option<UnixMs>,
}

/// Raises an alert, or counts up the one about the same that nobody has seen yet. A new one goes into
/// the audit log. Returns its number.
///
/// # Errors
/// What the database says.
pub fn raise(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    now: UnixMs,
    new: &NewAlert,
) -> Result<i64> {
    let user = new.user.as_ref().map(UserId::as_bytes);
    let device = new.device.as_ref().map(DeviceId::as_bytes);
    let contact = new.contact.as_ref().map(ContactId::as_bytes);
    let counted: Option<i64> = tx
        .prepare_cached(
            "UPDATE alert SET times = times + 1, contacts = max(contacts, ?1), most = ?2, last_at = ?3, until = ?4
             WHERE workspace = ?5 AND seen_at IS NULL AND kind = ?6 AND how = ?7 AND user IS ?8
               AND device IS ?9 AND contact IS ?10
             RETURNING n",
        )?
        .query_row(
            params![
                new.contacts, new.most, now, new.until, workspace.as_bytes(), new.kind, new.how, user,
                device, contact
            ],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(n) = counted {
        return Ok(n);
    }
    tx.prepare_cached(
        "INSERT INTO alert (workspace, kind, how, user, device, contact, times, contacts, most, first_at, last_at,
                            until)
         VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        new.kind,
        new.how,
        user,
        device,
        contact,
        new.contacts,
        new.most,
        now,
        now,
        new.until
    ])?;
    let n = tx.last_insert_rowid();
    let detail = json!({
        "kind": new.kind,
        "how": new.how,
        "device": new.device.map(|device| device.to_string()),
        "contact": new.contact.map(|contact| contact.to_string()),
        "contacts": new.contacts,
        "most": new.most,
    });
    audit::append(tx, workspace, now, new.user, "alert.raise", &n.to_string(), &detail)?;
    Ok(n)
}

const COLUMNS: &str = "n, kind, how, user, device, contact, times, contacts, most, first_at, last_at, until, seen_at, seen_by";

fn read(row: &Row<'_>) -> rusqlite::Result<Alert> {
    Ok(Alert {
        n: row.get(0)?,
        kind: row.get(1)?,
        how: row.get(2)?,
        user: id_column_or_null!(row, 3, UserId),
        device: id_column_or_null!(row, 4, DeviceId),
        contact: id_column_or_null!(row, 5, ContactId),
        times: row.get(6)?,
        contacts: row.get(7)?,
        most: row.get(8)?,
        first_at: row.get(9)?,
        last_at: row.get(10)?,
        until: row.get(11)?,
        seen_at: row.get(12)?,
        seen_by: id_column_or_null!(row, 13, UserId),
    })
}

/// Alerts, newest first: at most `limit`, without those that were seen unless `all`.
///
/// # Errors
/// What the database says.
pub fn list(
    conn: &Connection,
    workspace: WorkspaceId,
    all: bool,
    limit: u32,
) -> Result<Vec<Alert>> {
    let unseen = if all { "" } else { " AND seen_at IS NULL" };
    let sql =
        format!("SELECT {COLUMNS} FROM alert WHERE workspace = ?{unseen} ORDER BY n DESC LIMIT ?");
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params![workspace.as_bytes(), limit], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One alert.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn find(conn: &Connection, workspace: WorkspaceId, n: i64) -> Result<Alert> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM alert WHERE workspace = ? AND n = ?"))?
        .query_row(params![workspace.as_bytes(), n], read)
        .optional()?
        .ok_or_else(|| EngineError::not_found(format!("alert {n}")))
}

/// Notes that somebody has looked at an alert; into the audit log too. Returns whether it is news.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn set_seen(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    n: i64,
    by: Option<UserId>,
    now: UnixMs,
) -> Result<bool> {
    if find(tx, workspace, n)?.seen_at.is_some() {
        return Ok(false);
    }
    tx.execute(
        "UPDATE alert SET seen_at = ?, seen_by = ? WHERE n = ?",
        params![now, by.as_ref().map(UserId::as_bytes), n],
    )?;
    audit::append(tx, workspace, now, by, "alert.seen", &n.to_string(), &json!({}))?;
    Ok(true)
}
