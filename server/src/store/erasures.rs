//! Erasures: taking out everything about a contact, and who has confirmed that it is gone.
//!
//! What stays of an erased contact is its id, with a number, so that nothing can bring it back: the
//! row of `contact`, who once held it, the erasure itself and which devices confirmed it.

use roadbook_protocol::ids::{ContactId, Cursor, DeviceId, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use super::contacts::Contact;
use super::sql::{id_column, id_column_or_null};
use super::{Result, contacts};

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE erasure (
    workspace BLOB NOT NULL,
    contact   BLOB NOT NULL,
    at        INTEGER NOT NULL,
    by        BLOB,                         -- NULL: the operator at the shell, or the ledger
    reason    TEXT NOT NULL,                -- a short code, no words about anybody
    replayed  INTEGER NOT NULL,             -- 1: the ledger did it again after a restore
    scrubbed  INTEGER NOT NULL DEFAULT 0,   -- 1: no byte of it is left in the files
    PRIMARY KEY (workspace, contact)
) STRICT, WITHOUT ROWID;

-- The devices that held it, and when each confirmed that it does not any more.
CREATE TABLE erasure_device (
    workspace BLOB NOT NULL,
    device    BLOB NOT NULL,
    contact   BLOB NOT NULL,
    purged_at INTEGER,
    PRIMARY KEY (workspace, device, contact)
) STRICT, WITHOUT ROWID;
CREATE INDEX erasure_device_by_contact ON erasure_device (workspace, contact);

-- Other contacts that named the person; somebody decides what becomes of that.
CREATE TABLE erasure_mention (
    workspace BLOB NOT NULL,
    contact   BLOB NOT NULL,
    other     BLOB NOT NULL,
    PRIMARY KEY (workspace, contact, other)
) STRICT, WITHOUT ROWID;
";

/// Tables that go on naming an erased contact, by its id alone.
const KEPT: &[&str] = &["access", "alert", "erasure", "erasure_device", "erasure_mention"];

/// Takes everything about a contact out of every table, whatever tables there are: those with a column
/// `contact`, and those that are filed under its number. Returns how many rows went.
///
/// # Errors
/// What the database says.
pub fn take_out(tx: &Transaction<'_>, workspace: WorkspaceId, contact: &Contact) -> Result<u64> {
    // Children may go after their parents.
    tx.pragma_update(None, "defer_foreign_keys", "ON")?;
    let mut rows = 0;
    for table in tables(tx)? {
        if KEPT.contains(&table.name.as_str()) {
            continue;
        }
        let name = quoted(&table.name);
        if table.by_id {
            let of_workspace = if table.has_workspace { " AND workspace = ?2" } else { "" };
            let condition = format!("contact = ?1{of_workspace}");
            let (id, workspace) = (contact.id.as_bytes(), workspace.as_bytes());
            for child in children(tx, &table.name)? {
                let sql = format!(
                    "DELETE FROM {} WHERE {} IN (SELECT {} FROM {name} WHERE {condition})",
                    quoted(&child.table),
                    quoted(&child.from),
                    quoted(&child.to)
                );
                rows += delete(tx, &sql, id, table.has_workspace.then_some(workspace))?;
            }
            let sql = format!("DELETE FROM {name} WHERE {condition}");
            rows += delete(tx, &sql, id, table.has_workspace.then_some(workspace))?;
        }
        if let Some(column) = &table.by_number {
            let sql = format!("DELETE FROM {name} WHERE {} = ?", quoted(column));
            rows += tx.execute(&sql, [contact.n])? as u64;
        }
    }
    rows += tx.execute("DELETE FROM external_id WHERE n = ?", [contact.n])? as u64;
    rows += tx.execute("DELETE FROM search WHERE rowid = ?", [contact.n])? as u64;
    tx.execute(
        "DELETE FROM erasure_mention WHERE workspace = ? AND other = ?",
        params![workspace.as_bytes(), contact.id.as_bytes()],
    )?;
    Ok(rows)
}

fn delete(
    tx: &Transaction<'_>,
    sql: &str,
    id: &[u8; 16],
    workspace: Option<&[u8; 16]>,
) -> Result<u64> {
    let rows = match workspace {
        Some(workspace) => tx.execute(sql, params![id, workspace])?,
        None => tx.execute(sql, params![id])?,
    };
    Ok(rows as u64)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

struct Table {
    name: String,
    by_id: bool,
    has_workspace: bool,
    by_number: Option<String>,
}

fn tables(conn: &Connection) -> Result<Vec<Table>> {
    let mut statement = conn.prepare_cached(
        "SELECT t.name,
                EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE name = 'contact' AND type = 'BLOB'),
                EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE name = 'workspace'),
                (SELECT f.\"from\" FROM pragma_foreign_key_list(t.name) f
                 WHERE f.\"table\" = 'contact' AND f.\"to\" = 'n')
         FROM sqlite_schema t
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.sql NOT LIKE 'CREATE VIRTUAL%'",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Table {
            name: row.get(0)?,
            by_id: row.get(1)?,
            has_workspace: row.get(2)?,
            by_number: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

struct Child {
    table: String,
    from: String,
    to: String,
}

/// Tables without a column `contact` whose rows belong to a row of this one.
fn children(conn: &Connection, parent: &str) -> Result<Vec<Child>> {
    let mut statement = conn.prepare_cached(
        "SELECT t.name, f.\"from\", f.\"to\"
         FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) f
         WHERE t.type = 'table' AND f.\"table\" = ?1 AND f.\"to\" <> 'workspace'
           AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) WHERE name = 'contact')",
    )?;
    let rows = statement.query_map([parent], |row| {
        Ok(Child { table: row.get(0)?, from: row.get(1)?, to: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Leaves of a contact its id alone, and takes it from everybody who saw it, at `cursor`. Returns who
/// ever held it.
///
/// # Errors
/// What the database says.
pub fn leave_id(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: &Contact,
    cursor: Cursor,
    at: UnixMs,
) -> Result<Vec<UserId>> {
    tx.execute(
        "UPDATE contact SET owner = NULL, heads = x'', cursor = 0, assigned_cursor = ?, changes = 0,
                document_bytes = 0, bytes_since = 0, compacted_cursor = 0, erased_at = ?
         WHERE n = ?",
        params![cursor, at, contact.n],
    )?;
    let mut statement = tx.prepare_cached(
        "UPDATE access SET kind = 2, visible_cursor = ?1, sort_cursor = ?1
         WHERE workspace = ?2 AND contact = ?3 RETURNING user",
    )?;
    let rows = statement
        .query_map(params![cursor, workspace.as_bytes(), contact.id.as_bytes()], |row| {
            Ok(id_column!(row, 0, UserId))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes the id of a contact that was never here, as erased: nothing can bring it in.
///
/// # Errors
/// What the database says; a contact of that id must not exist.
pub fn refuse_id(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    at: UnixMs,
) -> Result<()> {
    let n = contacts::create(tx, workspace, contact, None, 0, at)?;
    tx.execute("UPDATE contact SET erased_at = ? WHERE n = ?", params![at, n])?;
    Ok(())
}

/// An erasure on its way into the table.
#[derive(Debug)]
pub struct NewErasure<'a> {
    /// The contact.
    pub contact: ContactId,
    /// When.
    pub at: UnixMs,
    /// Who asked for it; `None` for the operator or the ledger.
    pub by: Option<UserId>,
    /// A short code.
    pub reason: &'a str,
    /// Whether the ledger did it again.
    pub replayed: bool,
}

/// Records an erasure, and which devices have to confirm it: those of the users `held` that are not
/// revoked. Returns these devices.
///
/// # Errors
/// What the database says.
pub fn record(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    new: &NewErasure<'_>,
    held: &[UserId],
) -> Result<Vec<DeviceId>> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO erasure (workspace, contact, at, by, reason, replayed)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        new.contact.as_bytes(),
        new.at,
        new.by.as_ref().map(UserId::as_bytes),
        new.reason,
        new.replayed,
    ])?;
    let mut devices = Vec::new();
    for user in held {
        for device in super::devices::list_devices(tx, workspace, Some(*user))? {
            if device.revoked_at.is_none() {
                expect(tx, workspace, device.id, new.contact)?;
                devices.push(device.id);
            }
        }
    }
    Ok(devices)
}

/// Notes that a device has to confirm an erasure, unless it has.
///
/// # Errors
/// What the database says.
pub fn expect(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    contact: ContactId,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO erasure_device (workspace, device, contact) VALUES (?, ?, ?)",
    )?
    .execute(params![workspace.as_bytes(), device.as_bytes(), contact.as_bytes()])?;
    Ok(())
}

/// Notes that another contact named the erased person.
///
/// # Errors
/// What the database says.
pub fn add_mention(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    other: ContactId,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO erasure_mention (workspace, contact, other) VALUES (?, ?, ?)",
    )?
    .execute(params![workspace.as_bytes(), contact.as_bytes(), other.as_bytes()])?;
    Ok(())
}

/// Takes a mention off the list: somebody has decided what becomes of it. Whether it was on it.
///
/// # Errors
/// What the database says.
pub fn settle_mention(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    other: ContactId,
) -> Result<bool> {
    let changed = tx.execute(
        "DELETE FROM erasure_mention WHERE workspace = ? AND contact = ? AND other = ?",
        params![workspace.as_bytes(), contact.as_bytes(), other.as_bytes()],
    )?;
    Ok(changed > 0)
}

/// A text that somebody of the office saved to find contacts by: it may name a person too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedText {
    /// `segment`, `view` or `list` (one that was handed over).
    pub kind: &'static str,
    /// What it is called.
    pub name: String,
    /// What it looks for.
    pub text: String,
    /// Whose it is.
    pub owner: UserId,
}

/// All segments, views and lists of a workspace.
///
/// # Errors
/// What the database says.
pub fn saved_texts(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<SavedText>> {
    let mut found = Vec::new();
    for (kind, sql) in [
        ("segment", "SELECT name, filter, owner FROM segment WHERE workspace = ? ORDER BY name"),
        (
            "view",
            "SELECT name, q || ' ' || filter, owner FROM list_view WHERE workspace = ? ORDER BY name",
        ),
        ("list", "SELECT name, filter, by FROM handed_list WHERE workspace = ? ORDER BY name"),
    ] {
        let mut statement = conn.prepare_cached(sql)?;
        let rows = statement.query_map([workspace.as_bytes()], |row| {
            let owner = id_column!(row, 2, UserId);
            Ok(SavedText { kind, name: row.get(0)?, text: row.get(1)?, owner })
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}

/// Notes that a device holds nothing of an erased contact any more. Returns whether that is news.
///
/// # Errors
/// What the database says.
pub fn confirm(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    contact: ContactId,
    at: UnixMs,
) -> Result<bool> {
    let changed = tx
        .prepare_cached(
            "UPDATE erasure_device SET purged_at = ?
             WHERE workspace = ? AND device = ? AND contact = ? AND purged_at IS NULL",
        )?
        .execute(params![at, workspace.as_bytes(), device.as_bytes(), contact.as_bytes()])?;
    Ok(changed > 0)
}

/// The first `limit` erased contacts that a device has still to confirm.
///
/// # Errors
/// What the database says.
pub fn pending_of(
    conn: &Connection,
    workspace: WorkspaceId,
    device: DeviceId,
    limit: usize,
) -> Result<Vec<ContactId>> {
    let mut statement = conn.prepare_cached(
        "SELECT contact FROM erasure_device
         WHERE workspace = ? AND device = ? AND purged_at IS NULL ORDER BY contact LIMIT ?",
    )?;
    let rows = statement
        .query_map(params![workspace.as_bytes(), device.as_bytes(), limit], |row| {
            Ok(id_column!(row, 0, ContactId))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The setting that says that something beside an erasure is still to be scrubbed from the files.
const UNSCRUBBED: &str = "unscrubbed";

/// Notes that rows were emptied whose words are to go from the files as those of an erasure.
///
/// # Errors
/// What the database says.
pub fn note_unscrubbed(tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO setting (workspace, name, value) VALUES (?, ?, '')")?
        .execute(params![workspace.as_bytes(), UNSCRUBBED])?;
    Ok(())
}

/// Whether anything is not scrubbed from the files yet.
///
/// # Errors
/// What the database says.
pub fn any_unscrubbed(conn: &Connection) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM erasure WHERE scrubbed = 0)
                 OR EXISTS (SELECT 1 FROM setting WHERE name = ?)",
        )?
        .query_row([UNSCRUBBED], |row| row.get(0))?)
}

/// Databases up to this size are written anew in memory, larger ones by way of a temporary file.
const VACUUM_IN_MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Takes the words of erased contacts out of where the database keeps them beside its tables: the
/// search index, which only marks them as deleted, and the samples of the query planner. Then the
/// database is written anew and the write-ahead log is emptied.
///
/// `secure_delete` is not enough: where SQLite balances its pages it leaves copies of rows behind in
/// their unused parts (seen in a restored database), and a deletion never comes there. Written anew, a
/// database holds nothing but its rows. Others' writes wait for as long as that takes.
///
/// To be called outside of a transaction. `false` if readers kept the log from being emptied: it is to be
/// tried again.
///
/// # Errors
/// What the database says.
pub fn scrub(conn: &mut Connection) -> Result<bool> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Once may only end a merge of the index that was under way, and what that had merged before the
    // deletion stays; where nothing is left to be done it costs nothing.
    for _ in 0..3 {
        tx.execute("INSERT INTO search(search) VALUES ('optimize')", [])?;
    }
    let samples =
        tx.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat4'")?.exists([])?;
    if samples {
        tx.execute("DELETE FROM sqlite_stat4", [])?;
    }
    tx.commit()?;
    let size =
        conn.path().and_then(|path| std::fs::metadata(path).ok()).map_or(0, |file| file.len());
    let large = size > VACUUM_IN_MEMORY_BYTES_MAX;
    if large {
        conn.pragma_update(None, "temp_store", "FILE")?;
    }
    let written = conn.execute_batch("VACUUM");
    if large {
        conn.pragma_update(None, "temp_store", "MEMORY")?;
    }
    written?;
    if !emptied(conn)? {
        return Ok(false);
    }
    conn.execute("UPDATE erasure SET scrubbed = 1 WHERE scrubbed = 0", [])?;
    conn.execute("DELETE FROM setting WHERE name = ?", [UNSCRUBBED])?;
    Ok(true)
}

fn emptied(conn: &Connection) -> Result<bool> {
    let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// All erasures with the devices that have confirmed them.
///
/// # Errors
/// What the database says.
pub fn all_confirmed(
    conn: &Connection,
    workspace: WorkspaceId,
) -> Result<Vec<(ContactId, Vec<DeviceId>)>> {
    Ok(report(conn, workspace, None)?
        .into_iter()
        .map(|erasure| {
            let confirmed = erasure.devices.iter().filter(|device| device.purged_at.is_some());
            (erasure.contact, confirmed.map(|device| device.device).collect())
        })
        .collect())
}

/// One erasure, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// The contact.
    pub contact: ContactId,
    /// When.
    pub at: UnixMs,
    /// Who asked for it.
    pub by: Option<UserId>,
    /// The short code of the reason.
    pub reason: String,
    /// Whether the ledger did it again after a restore.
    pub replayed: bool,
    /// Whether no byte of it is left in the server's files.
    pub scrubbed: bool,
    /// The devices that held it.
    pub devices: Vec<ErasureDevice>,
    /// Other contacts that named the person.
    pub mentions: Vec<ContactId>,
}

/// One device of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasureDevice {
    /// The device.
    pub device: DeviceId,
    /// Its user.
    pub user: Option<UserId>,
    /// When it confirmed that it holds nothing any more.
    pub purged_at: Option<UnixMs>,
    /// When it was connected last.
    pub last_seen: Option<UnixMs>,
    /// When it was revoked: it is wiped at its next contact.
    pub revoked_at: Option<UnixMs>,
}

/// All erasures, newest first, or that of one contact.
///
/// # Errors
/// What the database says.
pub fn report(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: Option<ContactId>,
) -> Result<Vec<Erasure>> {
    let mut statement = conn.prepare_cached(
        "SELECT contact, at, by, reason, replayed, scrubbed FROM erasure
         WHERE workspace = ?1 AND (?2 IS NULL OR contact = ?2) ORDER BY at DESC, contact",
    )?;
    let contact = contact.as_ref().map(ContactId::as_bytes);
    let rows = statement.query_map(params![workspace.as_bytes(), contact], |row| {
        Ok(Erasure {
            contact: id_column!(row, 0, ContactId),
            at: row.get(1)?,
            by: id_column_or_null!(row, 2, UserId),
            reason: row.get(3)?,
            replayed: row.get(4)?,
            scrubbed: row.get(5)?,
            devices: Vec::new(),
            mentions: Vec::new(),
        })
    })?;
    let mut all: Vec<Erasure> = rows.collect::<rusqlite::Result<_>>()?;
    let mut devices = conn.prepare_cached(
        "SELECT e.device, d.user, e.purged_at, d.last_seen, d.revoked_at
         FROM erasure_device e LEFT JOIN device d ON d.workspace = e.workspace AND d.id = e.device
         WHERE e.workspace = ? AND e.contact = ? ORDER BY e.device",
    )?;
    let mut mentions = conn.prepare_cached(
        "SELECT other FROM erasure_mention WHERE workspace = ? AND contact = ? ORDER BY other",
    )?;
    for erasure in &mut all {
        let key = params![workspace.as_bytes(), erasure.contact.as_bytes()];
        erasure.devices = devices
            .query_map(key, |row| {
                Ok(ErasureDevice {
                    device: id_column!(row, 0, DeviceId),
                    user: id_column_or_null!(row, 1, UserId),
                    purged_at: row.get(2)?,
                    last_seen: row.get(3)?,
                    revoked_at: row.get(4)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        erasure.mentions = mentions
            .query_map(key, |row| Ok(id_column!(row, 0, ContactId)))?
            .collect::<rusqlite::Result<_>>()?;
    }
    Ok(all)
}

/// Whether a contact is erased.
///
/// # Errors
/// What the database says.
pub fn is_erased(conn: &Connection, workspace: WorkspaceId, contact: ContactId) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT 1 FROM contact WHERE workspace = ? AND id = ? AND erased_at IS NOT NULL",
        )?
        .query_row(params![workspace.as_bytes(), contact.as_bytes()], |_| Ok(()))
        .optional()?
        .is_some())
}
