//! The tables of a replica, as a numbered list of migrations.
//!
//! A released migration never changes; a new version of the program appends one. A file of a newer
//! program is refused, never "downgraded".

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

use roadbook_protocol::fold::{FTS_COLUMNS, FTS_TOKENIZE};
use roadbook_protocol::projection::COLUMNS;

use crate::error::{Error, Result};

/// One step from a version of the file to the next.
type Migration = fn(&rusqlite::Transaction<'_>) -> rusqlite::Result<()>;

/// All of them; the file's `user_version` is how many were applied.
const MIGRATIONS: &[Migration] = &[first, evidence, rights];

/// The format that this program writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Refuses the file of a newer program before anything is written to it; not even what a crash left in
/// its log is written back.
///
/// # Errors
/// [`Error::NewerFile`].
pub(crate) fn refuse_newer(conn: &Connection, path: &Path) -> Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(Error::NewerFile { path: path.to_owned(), found, known: VERSION });
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// Brings the file to [`VERSION`].
///
/// # Errors
/// [`Error::NewerFile`] where a newer program wrote it.
pub(crate) fn migrate(conn: &mut Connection, path: &Path) -> Result<()> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(Error::NewerFile { path: path.to_owned(), found, known: VERSION });
    }
    if found == VERSION {
        return Ok(());
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in &MIGRATIONS[usize::try_from(found).unwrap_or(0)..] {
        migration(&tx)?;
    }
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(())
}

/// The tables of the first release.
fn first(tx: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(TABLES)?;
    let columns: String =
        COLUMNS.iter().map(|(name, kind)| format!("  {name} {kind},\n")).collect();
    tx.execute_batch(&format!(
        "CREATE TABLE projection(
           num INTEGER PRIMARY KEY REFERENCES contact(num) ON DELETE CASCADE,
           id BLOB NOT NULL UNIQUE,
           {columns}
           company_key BLOB,
           city_key BLOB,
           version INTEGER NOT NULL,
           row TEXT NOT NULL
         ) STRICT;
         -- One per order of `Sort`, with `archived`, so that paging reads no rows but its own.
         CREATE INDEX projection_name ON projection(sort_key, num, archived);
         CREATE INDEX projection_company
           ON projection(company_key IS NULL, company_key, sort_key, num, archived);
         CREATE INDEX projection_city
           ON projection(city_key IS NULL, city_key, sort_key, num, archived);
         CREATE INDEX projection_touched ON projection(touched_at, num, archived);
         CREATE INDEX projection_visit
           ON projection(next_visit IS NULL, next_visit, sort_key, num, archived);
         CREATE INDEX projection_contacted
           ON projection(last_contact_at IS NULL, last_contact_at DESC, sort_key, num, archived);
         CREATE INDEX projection_conflicts ON projection(num) WHERE conflicts > 0;"
    ))?;
    // Searching as somebody types asks for prefixes of one to three letters, which nearly every
    // contact has: with an index of their own 8 ms instead of 18 for two of them (10,000 contacts),
    // for a third more work per contact.
    let names: Vec<&str> = FTS_COLUMNS.iter().map(|(name, _)| *name).collect();
    let weights: Vec<String> = FTS_COLUMNS.iter().map(|(_, weight)| weight.to_string()).collect();
    tx.execute_batch(&format!(
        "CREATE VIRTUAL TABLE search
           USING fts5({}, tokenize = '{FTS_TOKENIZE}', prefix = '1 2 3');
         INSERT INTO search(search, rank) VALUES ('rank', 'bm25({})');",
        names.join(", "),
        weights.join(", "),
    ))
}

/// What the server has signed, and what is to be offered to one that lost it (rule 3).
fn evidence(tx: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(
        "-- A signature over what one frame said of contacts.
         CREATE TABLE seal(
           id INTEGER PRIMARY KEY AUTOINCREMENT,
           timeline BLOB NOT NULL,
           as_of INTEGER NOT NULL,
           leaves BLOB NOT NULL,                -- the hashes of its statements, back to back
           signature BLOB NOT NULL
         ) STRICT;
         -- What it said of one contact: who held it, and the tips of what was sent.
         CREATE TABLE evidence(
           contact INTEGER NOT NULL REFERENCES contact(num) ON DELETE CASCADE,
           seal INTEGER NOT NULL REFERENCES seal(id),
           place INTEGER NOT NULL,              -- among the leaves
           access INTEGER NOT NULL,             -- 0 owner, 1 collaborator
           owner BLOB,
           epoch INTEGER NOT NULL,
           tips BLOB NOT NULL,
           PRIMARY KEY(contact, seal)
         ) STRICT, WITHOUT ROWID;
         CREATE INDEX evidence_by_seal ON evidence(seal);
         -- Not NULL: the server has lost something of it; the heads that it has.
         ALTER TABLE contact ADD COLUMN offer BLOB;
         CREATE INDEX contact_offer ON contact(num) WHERE offer IS NOT NULL;",
    )
}

const TABLES: &str = "
-- One value per name: who this replica is, and where it stands.
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;

-- The actors that this replica has written with, and the device they are registered to.
CREATE TABLE own_actor(
  actor BLOB PRIMARY KEY,
  device BLOB,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE contact(
  num INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  access TEXT NOT NULL,                  -- owner, collaborator, removed (waits for its unsent edits)
  owner BLOB,
  epoch INTEGER NOT NULL DEFAULT 0,
  heads BLOB NOT NULL,                   -- of the document here, local changes included
  merged_heads BLOB NOT NULL,            -- of what is merged at the server; empty: nothing is
  content_hash BLOB,                     -- of the content at merged_heads, once computed
  set_aside INTEGER NOT NULL DEFAULT 0,  -- 1: waits for the server's document (rules 11 and 12)
  keep_local INTEGER NOT NULL DEFAULT 0  -- 1: the server lost content of it; a snapshot is united
) STRICT;
CREATE INDEX contact_set_aside ON contact(num) WHERE set_aside = 1;
CREATE INDEX contact_removed ON contact(num) WHERE access = 'removed';

-- A document up to some change. `trusted` is 0 until it has been opened once.
CREATE TABLE snapshot(
  contact INTEGER PRIMARY KEY REFERENCES contact(num) ON DELETE CASCADE,
  bytes BLOB NOT NULL,
  trusted INTEGER NOT NULL
) STRICT;

-- Changes in the order in which this replica took them. Local ones stay until their fate is known
-- and the backup horizon is over, as the outbox and the source of re-authoring; `live` says whether
-- the document needs the row beside its snapshot.
CREATE TABLE change(
  pos INTEGER PRIMARY KEY AUTOINCREMENT,
  contact INTEGER NOT NULL REFERENCES contact(num) ON DELETE CASCADE,
  hash BLOB NOT NULL,
  bytes BLOB NOT NULL,
  live INTEGER NOT NULL,
  local INTEGER NOT NULL,
  actor BLOB,
  seq INTEGER,
  edit BLOB,                             -- NULL on a bootstrap
  commands TEXT,
  label TEXT,
  at INTEGER,
  receipt TEXT,
  code TEXT,
  reason TEXT,
  receipt_at INTEGER,
  settled INTEGER NOT NULL DEFAULT 1,    -- 0: local, and its fate is not known or not dealt with
  replays INTEGER NOT NULL DEFAULT 0,    -- how often the edit has been authored anew
  undoes BLOB,                           -- the edit that this one takes back
  undone INTEGER NOT NULL DEFAULT 0,
  UNIQUE(contact, hash)
) STRICT;
CREATE INDEX change_live ON change(contact, pos) WHERE live = 1;
CREATE INDEX change_receipt ON change(receipt, pos, edit) WHERE local = 1;
CREATE INDEX change_unsettled ON change(contact, pos) WHERE settled = 0;
CREATE INDEX change_local ON change(pos) WHERE local = 1;
CREATE INDEX change_hash ON change(hash) WHERE local = 1;
CREATE INDEX change_edit ON change(edit) WHERE edit IS NOT NULL;

-- What could not become part of a contact, with the reason; outlives the contact on this device.
CREATE TABLE quarantine(
  pos INTEGER PRIMARY KEY AUTOINCREMENT,
  contact BLOB NOT NULL,
  display_name TEXT NOT NULL,
  edit BLOB,
  hash BLOB,
  bytes BLOB,
  commands TEXT NOT NULL,
  label TEXT NOT NULL,
  at INTEGER NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  since INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX quarantine_hash ON quarantine(contact, hash, code) WHERE hash IS NOT NULL;

-- Documents still to be fetched, in the order to fetch them. `wish` grows when a contact is wanted
-- again, so that an answer to an older request does not take it off the list.
CREATE TABLE missing(
  id BLOB PRIMARY KEY,
  place INTEGER NOT NULL,
  wish INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX missing_place ON missing(place);

-- Names of users, and which actor is whose.
CREATE TABLE directory_user(user BLOB PRIMARY KEY, login TEXT NOT NULL, name TEXT NOT NULL)
  STRICT, WITHOUT ROWID;
CREATE TABLE directory_actor(actor BLOB PRIMARY KEY, user BLOB) STRICT, WITHOUT ROWID;

-- The actor for a contact whose document was replaced or dropped (rule 12), if not the usual one;
-- NULL: a fresh one, with the next edit.
CREATE TABLE contact_actor(id BLOB PRIMARY KEY, actor BLOB) STRICT, WITHOUT ROWID;
";

/// What a device has to tell and to keep because rights may change: each part stands with its noun.
fn rights(tx: &rusqlite::Transaction<'_>) -> rusqlite::Result<()> {
    for part in RIGHTS {
        tx.execute_batch(part)?;
    }
    Ok(())
}

const RIGHTS: &[&str] = &[
    super::drops::TABLES_V3,
    super::proposals::TABLES_V3,
    super::contacts::TABLES_V3,
    super::handed::TABLES_V3,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_version_is_the_one_the_release_notes_name() {
        assert_eq!(VERSION, 3, "a new migration needs a test that brings an old file along");
    }

    #[test]
    fn a_file_of_the_first_release_is_brought_along_with_what_is_in_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        let tx = conn.transaction().unwrap();
        first(&tx).unwrap();
        tx.execute(
            "INSERT INTO contact(id, access, heads, merged_heads) VALUES (x'01', 'owner', x'02', x'03')",
            [],
        )
        .unwrap();
        tx.pragma_update(None, "user_version", 1).unwrap();
        tx.commit().unwrap();
        migrate(&mut conn, Path::new("x")).unwrap();
        let row: (Vec<u8>, Option<Vec<u8>>) = conn
            .query_row("SELECT merged_heads, offer FROM contact WHERE id = x'01'", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(row, (vec![3], None));
        let empty: i64 =
            conn.query_row("SELECT count(*) FROM evidence", [], |row| row.get(0)).unwrap();
        assert_eq!(empty, 0);
    }

    #[test]
    fn a_file_of_a_newer_program_is_refused() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "user_version", VERSION + 1).unwrap();
        let error = migrate(&mut conn, Path::new("replica.db")).unwrap_err();
        assert!(matches!(error, Error::NewerFile { found, known, .. } if found == known + 1));
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, Path::new("x")).unwrap();
        migrate(&mut conn, Path::new("x")).unwrap();
        let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(found, VERSION);
    }
}
