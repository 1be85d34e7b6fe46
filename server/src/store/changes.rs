//! The log of raw changes, the permanent index of everything that was ever taken (rule 10), and
//! what replaces what (rule 8).

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId, Cursor, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::Fate;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Result;
use super::sql::{fate_code, fate_column, hash_column, id_column, id_column_or_null, pack_hashes};
use crate::engine::SetAside;

/// A change on its way into the log.
#[derive(Debug)]
pub struct NewChange<'a> {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The contact.
    pub contact: ContactId,
    /// The fate it starts with.
    pub fate: Fate,
    /// The cursor of a change that is merged at once, else 0.
    pub fate_cursor: Cursor,
    /// Who made it.
    pub actor: Actor,
    /// The actor's sequence number.
    pub actor_seq: u64,
    /// The change.
    pub hash: ChangeHash,
    /// The device that sent it; `None` for a server's own.
    pub device: Option<DeviceId>,
    /// The user of that device, or in whose name the server made it.
    pub user: UserId,
    /// Now.
    pub received_at: UnixMs,
    /// The contact's epoch when rights were judged.
    pub epoch: u64,
    /// How they were judged: `ordinary`, `server`, `not_yours` ...
    pub verdict: &'a str,
    /// Why it was set aside, if it was.
    pub code: Option<&'a str>,
    /// The same for a person.
    pub reason: Option<&'a str>,
    /// What it replaces.
    pub replaces: &'a [ChangeHash],
    /// Of which generation of the contact's document it is (rule 25).
    pub generation: u64,
    /// The raw bytes.
    pub bytes: &'a [u8],
}

/// The code of a change by an actor of another device. It takes no place in the history of that actor
/// (its number in the index is 0, and they begin with 1): whoever made it up must not have the actor's
/// own device find its next edits forked.
pub const ACTOR_TAKEN: &str = "actor_taken";

/// What was set aside so before this version took a place.
pub(super) const PLACES_V3: &str = "
UPDATE change_index SET seq = 0
    WHERE log_seq IN (SELECT seq FROM log WHERE fate = 2 AND code = 'actor_taken');
";

/// Appends a change to the log and to the index. Returns its place in the log.
///
/// # Errors
/// What the database says; the change must not be in the index.
pub fn append(tx: &Transaction<'_>, new: &NewChange<'_>) -> Result<i64> {
    let replaces = (!new.replaces.is_empty()).then(|| pack_hashes(new.replaces));
    tx.prepare_cached(
        "INSERT INTO log (workspace, contact, fate, fate_cursor, actor, actor_seq, hash, device, user,
                          received_at, epoch, verdict, code, reason, replaces, generation, bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.workspace.as_bytes(),
        new.contact.as_bytes(),
        fate_code(new.fate),
        new.fate_cursor,
        new.actor.as_bytes(),
        new.actor_seq,
        new.hash.0,
        new.device.as_ref().map(DeviceId::as_bytes),
        new.user.as_bytes(),
        new.received_at,
        new.epoch,
        new.verdict,
        new.code,
        new.reason,
        replaces,
        new.generation,
        new.bytes,
    ])?;
    let seq = tx.last_insert_rowid();
    let number = if new.code == Some(ACTOR_TAKEN) { 0 } else { new.actor_seq };
    tx.prepare_cached(
        "INSERT INTO change_index (workspace, contact, hash, actor, seq, fate, log_seq, generation)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.workspace.as_bytes(),
        new.contact.as_bytes(),
        new.hash.0,
        new.actor.as_bytes(),
        number,
        fate_code(new.fate),
        seq,
        new.generation,
    ])?;
    Ok(seq)
}

/// The fate of a change that was taken before, and its place in the log.
///
/// # Errors
/// What the database says.
pub fn find(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    hash: &ChangeHash,
) -> Result<Option<(Fate, i64)>> {
    Ok(conn
        .prepare_cached(
            "SELECT fate, log_seq FROM change_index WHERE workspace = ? AND contact = ? AND hash = ?",
        )?
        .query_row(params![workspace.as_bytes(), contact.as_bytes(), hash.0], |row| {
            Ok((fate_column(row, 0)?, row.get(1)?))
        })
        .optional()?)
}

/// Whether another change than `hash` has this actor and sequence number in this generation of the
/// contact.
///
/// # Errors
/// What the database says.
pub fn is_forked(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    actor: Actor,
    seq: u64,
    (hash, generation): (&ChangeHash, u64),
) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT 1 FROM change_index
             WHERE workspace = ? AND contact = ? AND actor = ? AND seq = ? AND hash <> ?
               AND generation = ? LIMIT 1",
        )?
        .exists(params![
            workspace.as_bytes(),
            contact.as_bytes(),
            actor.as_bytes(),
            seq,
            hash.0,
            generation
        ])?)
}

/// Code and reason of a change in the log; `None` once compaction has dropped it.
///
/// # Errors
/// What the database says.
pub fn reason(conn: &Connection, seq: i64) -> Result<Option<(String, String)>> {
    Ok(conn
        .prepare_cached("SELECT coalesce(code, ''), coalesce(reason, '') FROM log WHERE seq = ?")?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// A stored change that waits to be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its place in the log.
    pub seq: i64,
    /// The change.
    pub hash: ChangeHash,
    /// The device that sent it.
    pub device: Option<DeviceId>,
    /// Of which generation it is.
    pub generation: u64,
    /// The raw bytes.
    pub bytes: Vec<u8>,
}

/// The oldest stored, unmerged changes of a contact in the order of the log: at most `changes_max`,
/// and no more once they have `bytes_max`. Also whether more are left.
///
/// # Errors
/// What the database says.
pub fn pending(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    changes_max: usize,
    bytes_max: usize,
) -> Result<(Vec<Pending>, bool)> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, hash, device, generation, bytes FROM log INDEXED BY log_by_contact
         WHERE workspace = ? AND contact = ? AND fate = 0 ORDER BY fate_cursor, seq",
    )?;
    let mut rows = statement.query(params![workspace.as_bytes(), contact.as_bytes()])?;
    let mut list: Vec<Pending> = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if list.len() >= changes_max || bytes >= bytes_max {
            return Ok((list, true));
        }
        let change = pending_row(row)?;
        bytes += change.bytes.len();
        list.push(change);
    }
    Ok((list, false))
}

/// All stored, unmerged changes of one generation of a contact (rule 25). What a document may have bounds
/// them.
///
/// # Errors
/// What the database says.
pub fn stored_of(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    generation: u64,
) -> Result<Vec<Pending>> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, hash, device, generation, bytes FROM log INDEXED BY log_by_contact
         WHERE workspace = ? AND contact = ? AND fate = 0 AND generation = ? ORDER BY fate_cursor, seq",
    )?;
    let rows = statement
        .query_map(params![workspace.as_bytes(), contact.as_bytes(), generation], pending_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn pending_row(row: &Row<'_>) -> rusqlite::Result<Pending> {
    Ok(Pending {
        seq: row.get(0)?,
        hash: hash_column(row, 1)?,
        device: id_column_or_null!(row, 2, DeviceId),
        generation: row.get(3)?,
        bytes: row.get(4)?,
    })
}

/// All contacts with stored, unmerged changes: what a start has to take up again.
///
/// # Errors
/// What the database says.
pub fn contacts_pending(conn: &Connection) -> Result<Vec<(WorkspaceId, ContactId)>> {
    let mut statement = conn.prepare(
        "SELECT DISTINCT workspace, contact FROM log INDEXED BY log_unmerged WHERE fate = 0",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((id_column!(row, 0, WorkspaceId), id_column!(row, 1, ContactId)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many stored changes are not merged.
///
/// # Errors
/// What the database says.
pub fn count_pending(conn: &Connection) -> Result<u64> {
    Ok(conn
        .prepare_cached("SELECT count(*) FROM log INDEXED BY log_unmerged WHERE fate = 0")?
        .query_row([], |row| row.get(0))?)
}

/// The same of one contact.
///
/// # Errors
/// What the database says.
pub fn count_pending_of(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<u64> {
    Ok(conn
        .prepare_cached(
            "SELECT count(*) FROM log WHERE workspace = ? AND contact = ? AND fate = 0",
        )?
        .query_row(params![workspace.as_bytes(), contact.as_bytes()], |row| row.get(0))?)
}

/// Calls `each` with hash and raw bytes of the merged changes of a contact beyond `since`, in causal
/// order. Those at or below the contact's compacted cursor may be gone.
///
/// # Errors
/// What the database says.
pub fn for_each_merged(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    since: Cursor,
    mut each: impl FnMut(ChangeHash, &[u8]),
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT hash, bytes FROM log INDEXED BY log_by_contact
         WHERE workspace = ? AND contact = ? AND fate = 1 AND fate_cursor > ?
         ORDER BY fate_cursor, seq",
    )?;
    let mut rows = statement.query(params![workspace.as_bytes(), contact.as_bytes(), since])?;
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        each(hash_column(row, 0)?, bytes);
    }
    Ok(())
}

/// Gives a stored change its final fate. Returns whether it was still stored: a fate is given once
/// (rule 8).
///
/// # Errors
/// What the database says.
pub fn settle(
    tx: &Transaction<'_>,
    (workspace, contact): (WorkspaceId, ContactId),
    seq: i64,
    hash: &ChangeHash,
    fate: Fate,
    cursor: Cursor,
    why: Option<(&str, &str)>,
) -> Result<bool> {
    let changed = tx
        .prepare_cached(
            "UPDATE log SET fate = ?, fate_cursor = ?, code = ?, reason = ? WHERE seq = ? AND fate = 0",
        )?
        .execute(params![fate_code(fate), cursor, why.map(|w| w.0), why.map(|w| w.1), seq])?;
    if changed == 0 {
        return Ok(false);
    }
    tx.prepare_cached(
        "UPDATE change_index SET fate = ? WHERE workspace = ? AND contact = ? AND hash = ?",
    )?
    .execute(params![fate_code(fate), workspace.as_bytes(), contact.as_bytes(), hash.0])?;
    Ok(true)
}

/// Drops raw bytes of merged changes of a contact up to `cursor`, all but the newest `keep`. A
/// snapshot that holds them must be written in the same transaction. Returns the highest cursor
/// that was dropped.
///
/// # Errors
/// What the database says.
pub fn drop_merged(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    cursor: Cursor,
    keep: u32,
) -> Result<Option<Cursor>> {
    let edge: Option<Cursor> = tx
        .prepare_cached(
            "SELECT fate_cursor FROM log
             WHERE workspace = ? AND contact = ? AND fate = 1 AND fate_cursor <= ?
             ORDER BY fate_cursor DESC, seq DESC LIMIT 1 OFFSET ?",
        )?
        .query_row(params![workspace.as_bytes(), contact.as_bytes(), cursor, keep], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(edge) = edge else { return Ok(None) };
    tx.prepare_cached(
        "DELETE FROM log WHERE workspace = ? AND contact = ? AND fate = 1 AND fate_cursor <= ?",
    )?
    .execute(params![workspace.as_bytes(), contact.as_bytes(), edge])?;
    Ok(Some(edge))
}

/// Records that `replacement` supersedes `hash`, whether or not that ever arrives.
///
/// # Errors
/// What the database says.
pub fn add_replaced(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    hash: &ChangeHash,
    replacement: &ChangeHash,
    user: UserId,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO replaced (workspace, contact, hash, replacement, user) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        contact.as_bytes(),
        hash.0,
        replacement.0,
        user.as_bytes()
    ])?;
    Ok(())
}

/// What supersedes a change of this user, if anything does.
///
/// # Errors
/// What the database says.
pub fn replacement_of(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    hash: &ChangeHash,
    user: UserId,
) -> Result<Option<ChangeHash>> {
    Ok(conn
        .prepare_cached(
            "SELECT replacement FROM replaced WHERE workspace = ? AND contact = ? AND hash = ? AND user = ?",
        )?
        .query_row(
            params![workspace.as_bytes(), contact.as_bytes(), hash.0, user.as_bytes()],
            |row| hash_column(row, 0),
        )
        .optional()?)
}

/// The replacement of a change of this user that is merged, or else one that will be unless it is
/// refused, or else one that waits for a decision or was decided about; with its fate. `None` if there
/// is none, or each was set aside.
///
/// # Errors
/// What the database says.
pub fn carrier_of(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    hash: &ChangeHash,
    user: UserId,
) -> Result<Option<(ChangeHash, Fate)>> {
    Ok(conn
        .prepare_cached(
            "SELECT r.replacement, i.fate FROM replaced r
             JOIN change_index i
               ON i.workspace = r.workspace AND i.contact = r.contact AND i.hash = r.replacement
             WHERE r.workspace = ? AND r.contact = ? AND r.hash = ? AND r.user = ? AND i.fate IN (0, 1, 4)
             ORDER BY CASE i.fate WHEN 1 THEN 0 WHEN 0 THEN 1 ELSE 2 END LIMIT 1",
        )?
        .query_row(
            params![workspace.as_bytes(), contact.as_bytes(), hash.0, user.as_bytes()],
            |row| Ok((hash_column(row, 0)?, fate_column(row, 1)?)),
        )
        .optional()?)
}

/// The user who sent a change that is in the log.
///
/// # Errors
/// What the database says.
pub fn sender(conn: &Connection, seq: i64) -> Result<Option<(UserId, Option<DeviceId>)>> {
    Ok(conn
        .prepare_cached("SELECT user, device FROM log WHERE seq = ?")?
        .query_row([seq], |row| {
            Ok((id_column!(row, 0, UserId), id_column_or_null!(row, 1, DeviceId)))
        })
        .optional()?)
}

/// Changes that were set aside (quarantined, forked, proposed, replaced), newest first: of the
/// workspace or of one contact, before the place `before` in the log.
///
/// # Errors
/// What the database says.
pub fn set_aside(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: Option<ContactId>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<SetAside>> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, contact, hash, fate, device, user, received_at, coalesce(code, ''),
                coalesce(reason, ''), length(bytes)
         FROM log INDEXED BY log_set_aside
         WHERE workspace = ?1 AND fate NOT IN (0, 1) AND (?2 IS NULL OR contact = ?2) AND seq < ?3
         ORDER BY seq DESC LIMIT ?4",
    )?;
    let contact = contact.as_ref().map(ContactId::as_bytes);
    let rows = statement.query_map(
        params![workspace.as_bytes(), contact, before.unwrap_or(i64::MAX), limit],
        set_aside_row,
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn set_aside_row(row: &Row<'_>) -> rusqlite::Result<SetAside> {
    Ok(SetAside {
        seq: row.get(0)?,
        contact: id_column!(row, 1, ContactId),
        hash: hash_column(row, 2)?.to_string(),
        fate: fate_column(row, 3)?,
        device: id_column_or_null!(row, 4, DeviceId),
        user: id_column!(row, 5, UserId),
        received_at: row.get(6)?,
        code: row.get(7)?,
        reason: row.get(8)?,
        bytes: row.get(9)?,
    })
}

/// The raw bytes of a change in the log, for export.
///
/// # Errors
/// What the database says.
pub fn bytes(conn: &Connection, workspace: WorkspaceId, seq: i64) -> Result<Option<Vec<u8>>> {
    Ok(conn
        .prepare_cached("SELECT bytes FROM log WHERE workspace = ? AND seq = ?")?
        .query_row(params![workspace.as_bytes(), seq], |row| row.get(0))
        .optional()?)
}
