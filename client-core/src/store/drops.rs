//! Contacts that were taken away, until the server knows that they are gone from here (rule 18); and
//! the receipts of late edits, which outlive the contact.
//!
//! Ids, kinds and times only: nothing of a contact stays on the device with them.

use rusqlite::{Connection, params};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, Cursor, UnixMs};

use super::changes::LocalChange;
use crate::error::Result;

pub(crate) const TABLES_V3: &str = "
-- Contacts that were taken away. `cursor` is the replica's when it heard of it; `told` says whether the
-- server knows that nothing of the contact is left here.
CREATE TABLE dropped(
  id BLOB PRIMARY KEY,
  cursor INTEGER NOT NULL,
  told INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX dropped_untold ON dropped(id) WHERE told = 0;

-- Late edits that wait for the new owner's decision, and what was decided.
CREATE TABLE proposed(
  contact BLOB NOT NULL,
  hash BLOB NOT NULL,
  edit BLOB,
  label TEXT NOT NULL,
  at INTEGER NOT NULL,
  code TEXT NOT NULL,                    -- late, accepted, declined, in_part
  reason TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY(contact, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX proposed_edit ON proposed(edit) WHERE edit IS NOT NULL;
";

/// A contact was taken away; heard of at this cursor.
pub(crate) fn note(conn: &Connection, id: ContactId, cursor: Cursor) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO dropped(id, cursor) VALUES (?1, ?2)
         ON CONFLICT(id) DO UPDATE SET cursor = excluded.cursor, told = 0",
    )?
    .execute(params![id.as_bytes(), i64::try_from(cursor).unwrap_or(i64::MAX)])?;
    Ok(())
}

/// A contact is here again.
pub(crate) fn is_back(conn: &Connection, id: ContactId) -> Result<()> {
    conn.prepare_cached("DELETE FROM dropped WHERE id = ?1")?.execute(params![id.as_bytes()])?;
    Ok(())
}

/// Contacts of which nothing is left here, and the server does not know yet.
pub(crate) fn untold(conn: &Connection, limit: usize) -> Result<Vec<ContactId>> {
    let mut statement = conn.prepare_cached(
        "SELECT d.id FROM dropped d
         WHERE d.told = 0 AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.id = d.id)
         ORDER BY d.id LIMIT ?1",
    )?;
    let rows = statement.query_map(params![i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(ContactId::from_bytes(row.get(0)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The server knows, as of this cursor. One that was taken away again since is told again.
pub(crate) fn told(conn: &Connection, ids: &[ContactId], cursor: Cursor) -> Result<()> {
    for id in ids {
        conn.prepare_cached("UPDATE dropped SET told = 1 WHERE id = ?1 AND cursor <= ?2")?
            .execute(params![id.as_bytes(), i64::try_from(cursor).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

/// The server has lost a part of its past: it is told everything again.
pub(crate) fn void(conn: &Connection) -> Result<()> {
    conn.execute("UPDATE dropped SET told = 0, cursor = 0", [])?;
    Ok(())
}

/// This replica is another device now: what was told was told by the one before.
pub(crate) fn untell(conn: &Connection) -> Result<()> {
    conn.execute("UPDATE dropped SET told = 0", [])?;
    Ok(())
}

/// Keeps the receipt of a late edit.
pub(crate) fn keep_receipt(
    conn: &Connection,
    change: &LocalChange,
    (code, reason): (&str, &str),
    now: UnixMs,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO proposed(contact, hash, edit, label, at, code, reason, since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT(contact, hash) DO UPDATE SET code = excluded.code, reason = excluded.reason",
    )?
    .execute(params![
        change.contact_id.as_bytes(),
        change.hash.0,
        change.edit.map(|edit| *edit.as_bytes()),
        change.label,
        change.at,
        code,
        reason,
        now
    ])?;
    Ok(())
}

/// What was decided about a late edit. `false` if there is no receipt of it, or it says so already.
pub(crate) fn decide(
    conn: &Connection,
    contact: ContactId,
    hash: &ChangeHash,
    (code, reason): (&str, &str),
) -> Result<bool> {
    let changed = conn
        .prepare_cached(
            "UPDATE proposed SET code = ?3, reason = ?4
             WHERE contact = ?1 AND hash = ?2 AND code <> ?3",
        )?
        .execute(params![contact.as_bytes(), hash.0, code, reason])?;
    Ok(changed > 0)
}

/// Whether the server knows late edits of this contact from here.
pub(crate) fn has_receipts(conn: &Connection, contact: ContactId) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM proposed WHERE contact = ?1)")?
        .query_row(params![contact.as_bytes()], |row| row.get(0))?)
}

/// The late edits whose decision is asked for: a decision may be taken back, so decided ones too.
pub(crate) fn asked(conn: &Connection, limit: usize) -> Result<Vec<(ContactId, ChangeHash)>> {
    let mut statement = conn.prepare_cached(
        "SELECT contact, hash FROM proposed ORDER BY code <> 'late', since DESC LIMIT ?1",
    )?;
    let rows = statement.query_map(params![i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok((ContactId::from_bytes(row.get(0)?), ChangeHash(row.get(1)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets receipts that were decided about, once they are older than the backup horizon.
pub(crate) fn prune(conn: &Connection, before: UnixMs) -> Result<()> {
    conn.prepare_cached("DELETE FROM proposed WHERE code <> 'late' AND since < ?1")?
        .execute(params![before])?;
    Ok(())
}
