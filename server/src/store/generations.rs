//! Generations of a contact's document (rule 25): which one a contact is at, what was there before, and
//! what is kept of it.
//!
//! The index of changes goes on knowing those of older generations, so that they are never taken
//! again, and so that a change upon one of them is known as one of an older generation.

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::Generation;
use roadbook_protocol::ids::{Actor, ContactId, Cursor, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::ledger::{self, Record};
use super::sql::{hash_column, hashes_column, id_column, pack_hashes, sha256};
use super::{EngineError, Result, workspaces};

pub(crate) const TABLES_V3: &str = "
-- Rule 25: of which generation the document is; 1 is a contact's first, else `generation_number`.
-- In the index, 0 is of an unknown one: a document that devices brought stands for the change.
ALTER TABLE contact ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
-- A later one that a restored server is being brought; 0: none.
ALTER TABLE contact ADD COLUMN adopting INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE change_index ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;

-- The whole document of a generation that is over, where it was kept.
CREATE TABLE archive (
    workspace  BLOB NOT NULL,
    contact    BLOB NOT NULL,
    generation INTEGER NOT NULL,
    heads      BLOB NOT NULL,
    at         INTEGER NOT NULL,
    hash       BLOB NOT NULL,             -- SHA-256 of bytes
    bytes      BLOB NOT NULL,
    PRIMARY KEY (workspace, contact, generation)
) STRICT;
";

/// A contact of a workspace.
type Key = (WorkspaceId, ContactId);

/// A change of the fresh document that the rewrite made.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// The change.
    pub hash: ChangeHash,
    /// The actor of the rewrite.
    pub actor: Actor,
    /// Its sequence number.
    pub seq: u64,
}

/// A generation that ends: the document of it.
#[derive(Debug)]
pub struct Archived<'a> {
    /// Its number.
    pub generation: u64,
    /// Its heads.
    pub heads: &'a [ChangeHash],
    /// The document, saved.
    pub bytes: &'a [u8],
}

/// The generation of a change that was taken; `None` for one that was not.
///
/// # Errors
/// What the database says.
pub fn of_change(conn: &Connection, key: Key, hash: &ChangeHash) -> Result<Option<u64>> {
    Ok(conn
        .prepare_cached(
            "SELECT generation FROM change_index WHERE workspace = ? AND contact = ? AND hash = ?",
        )?
        .query_row(params![key.0.as_bytes(), key.1.as_bytes(), hash.0], |row| row.get(0))
        .optional()?)
}

/// Every change of a contact that was merged, of whichever generation.
///
/// # Errors
/// What the database says.
pub fn merged(conn: &Connection, key: Key) -> Result<Vec<ChangeHash>> {
    let mut statement = conn.prepare_cached(
        "SELECT hash FROM change_index WHERE workspace = ? AND contact = ? AND fate = 1",
    )?;
    let rows = statement
        .query_map(params![key.0.as_bytes(), key.1.as_bytes()], |row| hash_column(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// That a change was replaced.
#[derive(Debug, Clone, Copy)]
pub struct Replacement {
    /// The change.
    pub hash: ChangeHash,
    /// What replaced it.
    pub by: ChangeHash,
    /// Whose edit it is.
    pub user: UserId,
}

/// What was replaced of a contact, whatever became of the replacement.
///
/// # Errors
/// What the database says.
pub fn replacements(conn: &Connection, key: Key) -> Result<Vec<Replacement>> {
    let mut statement = conn.prepare_cached(
        "SELECT hash, replacement, user FROM replaced WHERE workspace = ? AND contact = ?",
    )?;
    let rows = statement.query_map(params![key.0.as_bytes(), key.1.as_bytes()], |row| {
        Ok(Replacement {
            hash: hash_column(row, 0)?,
            by: hash_column(row, 1)?,
            user: id_column!(row, 2, UserId),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The newest generation of which stored changes wait, if it is later than the contact's.
///
/// # Errors
/// What the database says.
pub fn brought(conn: &Connection, key: Key, generation: u64) -> Result<Option<u64>> {
    Ok(conn
        .prepare_cached(
            "SELECT max(generation) FROM log INDEXED BY log_by_contact
             WHERE workspace = ?1 AND contact = ?2 AND fate = 0 AND generation >> 32 > ?3 >> 32",
        )?
        .query_row(params![key.0.as_bytes(), key.1.as_bytes(), generation], |row| row.get(0))?)
}

/// What a document stands for that devices brought (rule 25) is merged from now on, whatever it was here:
/// unknown, stored, or set aside. What those changes had replaced is replaced by `head`, a change of it.
///
/// # Errors
/// What the database says.
pub fn take_over(
    tx: &Transaction<'_>,
    key: Key,
    found: &Generation,
    head: &ChangeHash,
) -> Result<()> {
    let (workspace, contact) = (key.0.as_bytes(), key.1.as_bytes());
    for hash in found.carried.iter().chain(&found.rewritten) {
        // Whose it was is not known any more, and which of theirs; only that there is nothing to be taken.
        tx.prepare_cached(
            "INSERT INTO change_index (workspace, contact, hash, actor, seq, fate, log_seq, generation)
             VALUES (?1, ?2, ?3, zeroblob(16), 0, 1, 0, 0)
             ON CONFLICT (workspace, contact, hash) DO UPDATE SET fate = 1 WHERE fate <> 4",
        )?
        .execute(params![workspace, contact, hash.0])?;
        tx.prepare_cached(
            "UPDATE log SET fate = 1, code = NULL, reason = NULL
             WHERE workspace = ?1 AND contact = ?2 AND hash = ?3 AND fate NOT IN (1, 4)",
        )?
        .execute(params![workspace, contact, hash.0])?;
    }
    for (user, hash) in &found.replaced {
        super::changes::add_replaced(tx, key.0, key.1, hash, head, *user)?;
    }
    Ok(())
}

/// Notes that a later generation is being brought (rule 3), unless one is waited for already.
///
/// # Errors
/// What the database says.
pub fn set_adopting(tx: &Transaction<'_>, key: Key, generation: u64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE contact SET adopting = ? WHERE workspace = ? AND id = ? AND adopting = 0",
    )?
    .execute(params![generation, key.0.as_bytes(), key.1.as_bytes()])?;
    Ok(())
}

/// The contact goes on with the document that is here: with `brought` in the place of that one, if it is
/// what was waited for; else in any case. The ledger hears of it, and whoever was told nothing of the
/// contact meanwhile is shown it. Returns the cursor at which, and to whom; `None` if it waits on.
///
/// # Errors
/// What the database says.
pub fn give_up(
    tx: &Transaction<'_>,
    key: Key,
    brought: Option<u64>,
) -> Result<Option<(Cursor, Vec<UserId>)>> {
    let (workspace, contact) = (key.0.as_bytes(), key.1.as_bytes());
    let here: Option<u64> = tx
        .prepare_cached(
            "UPDATE contact SET adopting = 0
             WHERE workspace = ?1 AND id = ?2 AND adopting > 0 AND (?3 IS NULL OR adopting = ?3)
             RETURNING generation",
        )?
        .query_row(params![workspace, contact, brought], |row| row.get(0))
        .optional()?;
    let Some(number) = here else { return Ok(None) };
    ledger::note(tx, key.0, Record::Generation { contact: key.1, number })?;
    let cursor = workspaces::assign_cursors(tx, key.0, 1)?;
    let mut statement = tx.prepare_cached(
        "UPDATE access SET sort_cursor = ?1, visible_cursor = ?1
         WHERE workspace = ?2 AND contact = ?3 AND kind <> 2 RETURNING user",
    )?;
    let users = statement
        .query_map(params![cursor, workspace, contact], |row| Ok(id_column!(row, 0, UserId)))?;
    Ok(Some((cursor, users.collect::<rusqlite::Result<_>>()?)))
}

/// The ledger says at which generation the contact was last. Where that is a later one than the database
/// has, nothing is merged into the document here before devices have brought it. Whether it is waited for.
///
/// # Errors
/// What the database says.
pub fn await_later(tx: &Transaction<'_>, key: Key, generation: u64) -> Result<bool> {
    let waits: Option<bool> = tx
        .prepare_cached(
            "UPDATE contact SET adopting = CASE WHEN generation >> 32 < ?1 >> 32 THEN ?1 ELSE 0 END
             WHERE workspace = ?2 AND id = ?3 AND erased_at IS NULL RETURNING adopting > 0",
        )?
        .query_row(params![generation, key.0.as_bytes(), key.1.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(waits.unwrap_or(false))
}

/// Begins a generation: the contact's row says so, what the rewrite wrote is in the index, the raw
/// changes of older generations that were merged go. The snapshot must be written in this transaction.
///
/// # Errors
/// What the database says.
pub fn begin(
    tx: &Transaction<'_>,
    key: Key,
    generation: u64,
    cursor: Cursor,
    changes: u64,
    written: &[Written],
) -> Result<()> {
    let (workspace, contact) = (key.0.as_bytes(), key.1.as_bytes());
    for change in written {
        // What a rewrite writes can be foreseen. Whoever sent it before, as if it were theirs, finds it
        // set aside; it must not keep the rewrite from being committed.
        tx.prepare_cached(
            "DELETE FROM log WHERE seq = (SELECT log_seq FROM change_index
                 WHERE workspace = ? AND contact = ? AND hash = ? AND fate <> 1)",
        )?
        .execute(params![workspace, contact, change.hash.0])?;
        tx.prepare_cached(
            "INSERT INTO change_index (workspace, contact, hash, actor, seq, fate, log_seq, generation)
             VALUES (?, ?, ?, ?, ?, 1, 0, ?)
             ON CONFLICT (workspace, contact, hash) DO UPDATE SET actor = excluded.actor,
                seq = excluded.seq, fate = 1, log_seq = 0, generation = excluded.generation",
        )?
        .execute(params![
            workspace,
            contact,
            change.hash.0,
            change.actor.as_bytes(),
            change.seq,
            generation
        ])?;
    }
    tx.prepare_cached(
        "DELETE FROM log WHERE workspace = ? AND contact = ? AND fate = 1 AND generation <> ?",
    )?
    .execute(params![workspace, contact, generation])?;
    tx.prepare_cached(
        "UPDATE contact SET generation = ?1, changes = ?2, compacted_cursor = ?3,
                adopting = CASE WHEN adopting >> 32 > ?1 >> 32 THEN adopting ELSE 0 END
         WHERE workspace = ?4 AND id = ?5",
    )?
    .execute(params![generation, changes, cursor, workspace, contact])?;
    Ok(())
}

/// Registers the actors of a rewrite to the server whose actor this is, so that no device takes one.
///
/// # Errors
/// What the database says.
pub fn register_actors(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    server: Actor,
    written: &[Written],
    now: UnixMs,
) -> Result<()> {
    let mut last = None;
    for change in written {
        if last.replace(change.actor) == Some(change.actor) {
            continue;
        }
        tx.prepare_cached(
            "INSERT OR IGNORE INTO actor (workspace, actor, timeline, registered_at)
             SELECT workspace, ?, timeline, ? FROM actor WHERE workspace = ? AND actor = ?",
        )?
        .execute(params![
            change.actor.as_bytes(),
            now,
            workspace.as_bytes(),
            server.as_bytes()
        ])?;
    }
    Ok(())
}

/// Keeps the document of a generation that is over.
///
/// # Errors
/// What the database says.
pub fn keep(tx: &Transaction<'_>, key: Key, old: &Archived<'_>, now: UnixMs) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO archive (workspace, contact, generation, heads, at, hash, bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        key.0.as_bytes(),
        key.1.as_bytes(),
        old.generation,
        pack_hashes(old.heads),
        now,
        sha256(old.bytes),
        old.bytes
    ])?;
    Ok(())
}

/// The documents that were kept, newest generation first.
///
/// # Errors
/// [`EngineError::Damaged`] where a checksum is wrong.
pub fn kept(conn: &Connection, key: Key) -> Result<Vec<Vec<u8>>> {
    let mut statement = conn.prepare_cached(
        "SELECT bytes, hash FROM archive WHERE workspace = ? AND contact = ? ORDER BY generation DESC",
    )?;
    let rows = statement.query_map(params![key.0.as_bytes(), key.1.as_bytes()], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, [u8; 32]>(1)?))
    })?;
    let mut kept = Vec::new();
    for row in rows {
        let (bytes, hash) = row?;
        if sha256(&bytes) != hash {
            let what = format!("an archived document of contact {}", key.1);
            return Err(EngineError::damaged(what, "its checksum is wrong"));
        }
        kept.push(bytes);
    }
    Ok(kept)
}

/// Late edits of a contact that wait for a decision, by change; with each whether accepting it a second
/// time would make it twice, as with characters of the note.
///
/// # Errors
/// What the database says.
pub fn undecided(conn: &Connection, key: Key) -> Result<Vec<(ChangeHash, bool)>> {
    let parameters = params![key.0.as_bytes(), key.1.as_bytes()];
    let mut list = Vec::new();
    let mut statement = conn.prepare_cached(
        "SELECT hashes, kind IN ('note', 'unreadable') FROM proposal_item
         WHERE workspace = ? AND contact = ? AND state IN ('due', 'open')",
    )?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let twice: bool = row.get(1)?;
        list.extend(hashes_column(row, 0)?.into_iter().map(|hash| (hash, twice)));
    }
    let mut statement = conn.prepare_cached(
        "SELECT hash FROM proposed_change WHERE workspace = ? AND contact = ? AND taken = 0",
    )?;
    let rows = statement.query_map(parameters, |row| hash_column(row, 0))?;
    for hash in rows {
        list.push((hash?, true));
    }
    Ok(list)
}

/// What holds text of a contact beside its document: archives, changes that were set aside, late edits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Beside {
    /// Documents of generations that are over.
    pub archives: u64,
    /// Quarantined changes.
    pub quarantined: u64,
    /// Other changes that were set aside: replaced, forked, proposed.
    pub set_aside: u64,
    /// Late edits that wait for a decision.
    pub undecided: u64,
}

/// Counts it.
///
/// # Errors
/// What the database says.
pub fn beside(conn: &Connection, key: Key) -> Result<Beside> {
    let count = |sql: &str| -> Result<u64> {
        Ok(conn
            .prepare_cached(sql)?
            .query_row(params![key.0.as_bytes(), key.1.as_bytes()], |row| row.get(0))?)
    };
    Ok(Beside {
        archives: count("SELECT count(*) FROM archive WHERE workspace = ? AND contact = ?")?,
        quarantined: count(
            "SELECT count(*) FROM log WHERE workspace = ? AND contact = ? AND fate = 2",
        )?,
        set_aside: count(
            "SELECT count(*) FROM log WHERE workspace = ? AND contact = ? AND fate NOT IN (0, 1, 2)",
        )?,
        undecided: count(
            "SELECT (SELECT count(*) FROM proposal_item
                     WHERE workspace = ?1 AND contact = ?2 AND state IN ('due', 'open'))
                  + (SELECT count(*) FROM proposed_change
                     WHERE workspace = ?1 AND contact = ?2 AND taken = 0)",
        )?,
    })
}

/// Deletes its text, for good; that it was there, and what became of it, stays, so that a device which
/// asks hears it. What is stored and not merged stays: it is a device's, and is answered first.
///
/// # Errors
/// What the database says.
pub fn purge_beside(tx: &Transaction<'_>, key: Key) -> Result<()> {
    for sql in [
        "DELETE FROM archive WHERE workspace = ? AND contact = ?",
        "UPDATE log SET bytes = x'' WHERE workspace = ? AND contact = ? AND fate NOT IN (0, 1)",
        "UPDATE proposal_item SET base = 'null', proposed = 'null', commands = '[]', reason = NULL
         WHERE workspace = ? AND contact = ?",
    ] {
        tx.prepare_cached(sql)?.execute(params![key.0.as_bytes(), key.1.as_bytes()])?;
    }
    Ok(())
}

/// Contacts of a workspace that are at a later generation than the first.
///
/// # Errors
/// What the database says.
pub fn count_later(conn: &Connection, workspace: WorkspaceId) -> Result<u64> {
    Ok(conn
        .prepare_cached("SELECT count(*) FROM contact WHERE workspace = ? AND generation > 1")?
        .query_row([workspace.as_bytes()], |row| row.get(0))?)
}
