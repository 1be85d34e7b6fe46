//! Changes: those that a document consists of beside its snapshot, and the local ones with their
//! commands and receipts, from which the outbox is derived.

use rusqlite::{Connection, OptionalExtension, Row, params};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId, EditId, UnixMs};

use crate::error::Result;
use crate::receipt::Receipt;

/// One local change.
#[derive(Debug, Clone)]
pub(crate) struct LocalChange {
    pub pos: i64,
    pub contact_id: ContactId,
    pub hash: ChangeHash,
    pub bytes: Vec<u8>,
    pub actor: Actor,
    pub seq: u64,
    /// `None` on a bootstrap, and on an old change whose row was forgotten and that is offered again.
    pub edit: Option<EditId>,
    /// JSON; empty where there is no edit.
    pub commands: String,
    pub label: String,
    pub at: UnixMs,
    pub receipt: Receipt,
    pub code: String,
    pub reason: String,
    pub replays: i64,
}

/// A local change to be added.
pub(crate) struct NewLocal<'a> {
    pub hash: ChangeHash,
    pub bytes: &'a [u8],
    pub actor: Actor,
    pub seq: u64,
    pub edit: Option<EditId>,
    pub commands: &'a str,
    pub label: &'a str,
    pub at: UnixMs,
    pub replays: i64,
    pub undoes: Option<EditId>,
}

const LOCAL: &str = "c.pos, k.id, c.hash, c.bytes, c.actor, c.seq, c.edit, c.commands, \
     c.label, c.at, c.receipt, c.code, c.reason, c.replays
     FROM change c JOIN contact k ON k.num = c.contact";

fn local(row: &Row<'_>) -> rusqlite::Result<LocalChange> {
    Ok(LocalChange {
        pos: row.get(0)?,
        contact_id: ContactId::from_bytes(row.get(1)?),
        hash: ChangeHash(row.get(2)?),
        bytes: row.get(3)?,
        actor: Actor::from_bytes(row.get(4)?),
        seq: row.get::<_, i64>(5)?.unsigned_abs(),
        edit: row.get::<_, Option<[u8; 16]>>(6)?.map(EditId::from_bytes),
        commands: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
        label: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
        at: row.get::<_, Option<i64>>(9)?.unwrap_or_default(),
        receipt: Receipt::from_name(row.get_ref(10)?.as_str()?),
        code: row.get::<_, Option<String>>(11)?.unwrap_or_default(),
        reason: row.get::<_, Option<String>>(12)?.unwrap_or_default(),
        replays: row.get(13)?,
    })
}

/// The bytes of the changes that the document needs beside its snapshot, in causal order.
pub(crate) fn live(conn: &Connection, contact: i64) -> Result<Vec<Vec<u8>>> {
    let mut statement = conn
        .prepare_cached("SELECT bytes FROM change WHERE contact = ?1 AND live = 1 ORDER BY pos")?;
    let rows = statement.query_map(params![contact], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many such changes there are.
pub(crate) fn live_count(conn: &Connection, contact: i64) -> Result<i64> {
    Ok(conn
        .prepare_cached("SELECT count(*) FROM change WHERE contact = ?1 AND live = 1")?
        .query_row(params![contact], |row| row.get(0))?)
}

/// Adds a change that came from the server. `false` if it was here already.
pub(crate) fn insert_merged(
    conn: &Connection,
    contact: i64,
    hash: &ChangeHash,
    bytes: &[u8],
) -> Result<bool> {
    let added = conn
        .prepare_cached(
            "INSERT INTO change(contact, hash, bytes, live, local) VALUES (?1, ?2, ?3, 1, 0)
             ON CONFLICT(contact, hash) DO NOTHING",
        )?
        .execute(params![contact, hash.0, bytes])?;
    Ok(added > 0)
}

/// Adds a local change as `saved`; one that is here as a downloaded one becomes local. `true` if it
/// was not here at all.
pub(crate) fn insert_local(conn: &Connection, contact: i64, new: &NewLocal<'_>) -> Result<bool> {
    let taken = conn
        .prepare_cached(
            "UPDATE change SET local = 1, actor = ?3, seq = ?4, receipt = 'saved', settled = 0
             WHERE contact = ?1 AND hash = ?2 AND local = 0",
        )?
        .execute(params![
            contact,
            new.hash.0,
            new.actor.as_bytes(),
            i64::try_from(new.seq).unwrap_or(i64::MAX)
        ])?;
    if taken > 0 {
        return Ok(false);
    }
    let added = conn.prepare_cached(
        "INSERT INTO change(contact, hash, bytes, live, local, actor, seq, edit, commands, label, at,
                            receipt, settled, replays, undoes)
         VALUES (?1, ?2, ?3, 1, 1, ?4, ?5, ?6, ?7, ?8, ?9, 'saved', 0, ?10, ?11)
         ON CONFLICT(contact, hash) DO NOTHING",
    )?
    .execute(params![
        contact,
        new.hash.0,
        new.bytes,
        new.actor.as_bytes(),
        i64::try_from(new.seq).unwrap_or(i64::MAX),
        new.edit.map(|edit| *edit.as_bytes()),
        new.edit.map(|_| new.commands),
        new.label,
        new.at,
        new.replays,
        new.undoes.map(|edit| *edit.as_bytes()),
    ])?;
    Ok(added > 0)
}

/// Local changes that match a condition, oldest first.
pub(crate) fn locals(
    conn: &Connection,
    condition: &'static str,
    params: impl rusqlite::Params,
) -> Result<Vec<LocalChange>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {LOCAL} WHERE c.local = 1 AND {condition}"))?;
    let rows = statement.query_map(params, local)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Local changes of a contact whose fate is not known or not dealt with: what is put on top of a
/// document that comes from the server, or authored anew. In causal order, which is not the order of
/// `pos`: [`offer_again`] moves a change behind those that stand on it.
pub(crate) fn unmerged_of(conn: &Connection, contact: i64) -> Result<Vec<LocalChange>> {
    let mut changes =
        locals(conn, "c.settled = 0 AND c.contact = ?1 ORDER BY c.pos", params![contact])?;
    // The first operation of a change has a higher number than all operations of its dependencies.
    changes.sort_by_cached_key(|change| {
        automerge::Change::from_bytes(change.bytes.clone())
            .map_or(u64::MAX, |parsed| parsed.start_op().get())
    });
    Ok(changes)
}

/// Whether a contact has local changes whose fate is not known or not dealt with.
pub(crate) fn has_unmerged(conn: &Connection, contact: i64) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM change WHERE contact = ?1 AND settled = 0)")?
        .query_row(params![contact], |row| row.get(0))?)
}

/// The local change with this hash, if the contact has it.
pub(crate) fn find_local(
    conn: &Connection,
    contact: i64,
    hash: &ChangeHash,
) -> Result<Option<LocalChange>> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {LOCAL} WHERE c.local = 1 AND c.contact = ?1 AND c.hash = ?2"
        ))?
        .query_row(params![contact, hash.0], local)
        .optional()?)
}

/// What an edit takes back, and whether it was taken back itself, goes over to the change that
/// carries it now.
pub(crate) fn copy_undo(conn: &Connection, from: i64, contact: i64, to: &ChangeHash) -> Result<()> {
    conn.prepare_cached(
        "UPDATE change SET (undoes, undone) = (SELECT undoes, undone FROM change WHERE pos = ?1)
         WHERE contact = ?2 AND hash = ?3",
    )?
    .execute(params![from, contact, to.0])?;
    Ok(())
}

/// Sets a receipt without asking whether it is a step forward. `settled` says that nothing is left
/// to be done about it.
pub(crate) fn set_receipt(
    conn: &Connection,
    pos: i64,
    receipt: Receipt,
    settled: bool,
    (code, reason): (&str, &str),
    now: UnixMs,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE change SET receipt = ?2, settled = ?3, code = ?4, reason = ?5, receipt_at = ?6
         WHERE pos = ?1",
    )?
    .execute(params![
        pos,
        receipt.as_str(),
        settled,
        (!code.is_empty()).then_some(code),
        (!reason.is_empty()).then_some(reason),
        now
    ])?;
    Ok(())
}

/// Puts a change to the end of the local order as `saved`, so that a running session, which has
/// passed its place already, offers it again.
pub(crate) fn offer_again(conn: &Connection, pos: i64) -> Result<()> {
    conn.prepare_cached(
        "UPDATE change SET receipt = 'saved', settled = 0, code = NULL, reason = NULL,
             pos = (SELECT max(pos) + 1 FROM change)
         WHERE pos = ?1",
    )?
    .execute(params![pos])?;
    // The next insert must not reuse the number should this row be deleted first.
    conn.prepare_cached(
        "UPDATE sqlite_sequence SET seq = (SELECT max(pos) FROM change) WHERE name = 'change'",
    )?
    .execute([])?;
    Ok(())
}

/// Every change that carried the edit of this one, newest first; bounded, since an
/// edit is authored anew a few times at most.
pub(crate) fn carriers(conn: &Connection, change: &LocalChange) -> Result<Vec<ChangeHash>> {
    let Some(edit) = change.edit else { return Ok(vec![change.hash]) };
    let mut statement =
        conn.prepare_cached("SELECT hash FROM change WHERE edit = ?1 ORDER BY pos DESC LIMIT 16")?;
    let rows = statement.query_map(params![edit.as_bytes()], |row| Ok(ChangeHash(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The change that `replacement` was made for is merged after all: its receipt says so again.
pub(crate) fn merged_as_before(
    conn: &Connection,
    replacement: &LocalChange,
    now: UnixMs,
) -> Result<()> {
    let Some(edit) = replacement.edit else { return Ok(()) };
    conn.prepare_cached(
        "UPDATE change SET receipt = 'merged', settled = 1, code = NULL, reason = NULL, receipt_at = ?3
         WHERE pos = (SELECT max(pos) FROM change
                      WHERE edit = ?1 AND pos < ?2 AND receipt = 'replaced')",
    )?
    .execute(params![edit.as_bytes(), replacement.pos, now])?;
    Ok(())
}

/// The change that `replacement` was made for: the one of which the server has said that it waits for a
/// decision, or else the newest.
pub(crate) fn replaced_by(
    conn: &Connection,
    replacement: &LocalChange,
) -> Result<Option<LocalChange>> {
    let Some(edit) = replacement.edit else { return Ok(None) };
    let condition = "c.edit = ?1 AND c.pos < ?2 AND c.receipt = 'replaced'
         ORDER BY c.code IN ('late', 'accepted', 'declined', 'in_part') DESC, c.pos DESC LIMIT 1";
    Ok(locals(conn, condition, params![edit.as_bytes(), replacement.pos])?.pop())
}

/// Whether the document needs this change beside its snapshot.
pub(crate) fn set_live(conn: &Connection, pos: i64, live: bool) -> Result<()> {
    conn.prepare_cached("UPDATE change SET live = ?2 WHERE pos = ?1")?
        .execute(params![pos, live])?;
    Ok(())
}

/// After a snapshot covers everything: others' rows go, local ones stay for their receipts.
pub(crate) fn cover_all(conn: &Connection, contact: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM change WHERE contact = ?1 AND local = 0")?
        .execute(params![contact])?;
    conn.prepare_cached("UPDATE change SET live = 0 WHERE contact = ?1 AND live = 1")?
        .execute(params![contact])?;
    Ok(())
}

/// Forgets what was dealt with of a contact, words and all: its past is to be gone for good (rule 25).
/// What an edit was that is still on its way stays.
pub(crate) fn forget_settled(conn: &Connection, contact: i64) -> Result<()> {
    conn.prepare_cached(
        "DELETE FROM change WHERE contact = ?1 AND settled = 1
           AND (edit IS NULL OR NOT EXISTS (SELECT 1 FROM change other
                                            WHERE other.edit = change.edit AND other.settled = 0))",
    )?
    .execute(params![contact])?;
    Ok(())
}

/// What was merged of a contact is to go to the server again, which lost it.
pub(crate) fn not_merged_any_more(conn: &Connection, contact: i64) -> Result<()> {
    conn.prepare_cached(
        "UPDATE change SET receipt = 'saved', settled = 0
         WHERE contact = ?1 AND local = 1 AND receipt IN ('merged', 'stored')",
    )?
    .execute(params![contact])?;
    Ok(())
}

/// Everything of a contact that is still `saved` or `stored` is merged: the server's heads are ours.
pub(crate) fn all_merged(conn: &Connection, contact: i64, now: UnixMs) -> Result<usize> {
    Ok(conn
        .prepare_cached(
            "UPDATE change SET receipt = 'merged', settled = 1, receipt_at = ?2
             WHERE contact = ?1 AND settled = 0 AND receipt IN ('saved', 'stored')",
        )?
        .execute(params![contact, now])?)
}

/// Forgets local changes that have been finished for longer than the backup horizon (rule 12) and
/// that a snapshot covers: an edit with all changes that carried it, or what is left would tell what became
/// of one of those alone. (A clock that was turned back makes the last of them look like the oldest.)
pub(crate) fn prune_finished(conn: &Connection, before: UnixMs) -> Result<usize> {
    Ok(conn
        .prepare_cached(
            "DELETE FROM change WHERE local = 1 AND live = 0 AND settled = 1 AND receipt_at < ?1
               AND (edit IS NULL OR NOT EXISTS (
                 SELECT 1 FROM change other
                 WHERE other.edit = change.edit AND (other.settled = 0 OR other.receipt_at >= ?1)))",
        )?
        .execute(params![before])?)
}

/// Some contacts whose documents still need finished local changes of before that time beside their
/// snapshot.
pub(crate) fn finished_live(
    conn: &Connection,
    before: UnixMs,
    limit: i64,
) -> Result<Vec<ContactId>> {
    let mut statement = conn.prepare_cached(
        "SELECT DISTINCT k.id FROM change c JOIN contact k ON k.num = c.contact
         WHERE c.local = 1 AND c.live = 1 AND c.settled = 1 AND c.receipt_at < ?1 LIMIT ?2",
    )?;
    let rows = statement
        .query_map(params![before, limit], |row| Ok(ContactId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many edits have each receipt.
pub(crate) fn count(conn: &Connection, receipt: Receipt) -> Result<u64> {
    let count: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM change WHERE local = 1 AND receipt = ?1 AND edit IS NOT NULL",
        )?
        .query_row(params![receipt.as_str()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
