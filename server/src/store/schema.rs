//! The tables, as a numbered list of migrations.
//!
//! A migration that was released is never edited: a change of the schema is a new entry. All of them
//! run in one transaction, so a file is either at its old version or at the newest. A file that is
//! newer than this code is refused, since an older program could destroy what it does not know.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::{EngineError, Result};

/// Migration `i` takes a file from version `i` to `i + 1`.
const MIGRATIONS: &[&[&str]] = &[&[V1], &[V2], V3];

/// The version of a file that was opened by this code.
pub const LATEST: i64 = MIGRATIONS.len() as i64;

/// Refuses the file of a newer version before anything is written to it; not even what a crash left
/// in its log is written back.
///
/// # Errors
/// [`EngineError::NewerSchema`].
pub fn refuse_newer(conn: &Connection) -> Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > LATEST {
        return Err(EngineError::NewerSchema { found, known: LATEST });
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(())
}

/// Brings the file to [`LATEST`]. Returns whether it was older.
///
/// # Errors
/// [`EngineError::NewerSchema`] if it is beyond that; nothing is touched then.
pub fn migrate(conn: &mut Connection) -> Result<bool> {
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > LATEST {
        return Err(EngineError::NewerSchema { found, known: LATEST });
    }
    if found == LATEST {
        return Ok(false);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for part in MIGRATIONS.iter().skip(found as usize).copied().flatten() {
        tx.execute_batch(part)?;
    }
    tx.pragma_update(None, "user_version", LATEST)?;
    tx.commit()?;
    Ok(true)
}

/// Ids are 16 bytes, hashes 32, times milliseconds since 1970.
const V1: &str = "
CREATE TABLE workspace (
    id          BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT NOT NULL UNIQUE,
    signing_key BLOB NOT NULL,              -- Ed25519, PKCS#8
    public_key  BLOB NOT NULL,
    cursor      INTEGER NOT NULL DEFAULT 0, -- the last that was assigned
    minimum_app TEXT,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rule 1: one row per start of a server, in the order of n.
CREATE TABLE timeline (
    workspace    BLOB NOT NULL REFERENCES workspace (id),
    id           BLOB NOT NULL,
    n            INTEGER NOT NULL,
    first_cursor INTEGER NOT NULL,          -- the first cursor that it may assign
    opened_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    workspace BLOB NOT NULL REFERENCES workspace (id),
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE team (
    workspace BLOB NOT NULL REFERENCES workspace (id),
    name      TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    workspace     BLOB NOT NULL REFERENCES workspace (id),
    id            BLOB NOT NULL,
    login         TEXT NOT NULL COLLATE NOCASE,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('rep', 'manager', 'admin', 'read_only')),
    team          TEXT COLLATE NOCASE,
    password_hash TEXT,
    created_at    INTEGER NOT NULL,
    disabled_at   INTEGER,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, login),
    FOREIGN KEY (workspace, team) REFERENCES team (workspace, name)
) STRICT, WITHOUT ROWID;

-- One-time codes: only the SHA-256 of a code is stored.
CREATE TABLE one_time_code (
    workspace  BLOB NOT NULL,
    hash       BLOB NOT NULL,
    purpose    TEXT NOT NULL CHECK (purpose IN ('enrol', 'sign_in')),
    user       BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    PRIMARY KEY (hash),
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;

-- Sessions of browsers: only the SHA-256 of the cookie is stored.
CREATE TABLE web_session (
    hash       BLOB NOT NULL PRIMARY KEY,
    workspace  BLOB NOT NULL,
    user       BLOB NOT NULL,
    csrf       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX web_session_by_user ON web_session (workspace, user);

CREATE TABLE device (
    workspace  BLOB NOT NULL,
    id         BLOB NOT NULL,
    user       BLOB NOT NULL,
    algorithm  TEXT NOT NULL CHECK (algorithm IN ('ed25519', 'ecdsa_p256')),
    public_key BLOB NOT NULL,
    name       TEXT NOT NULL,
    platform   TEXT NOT NULL,
    app        TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen  INTEGER,
    revoked_at INTEGER,
    unsent     INTEGER NOT NULL DEFAULT 0,  -- local changes not acknowledged, as it last said
    cursor     INTEGER NOT NULL DEFAULT 0,  -- durable on the device, as it last said
    missing    INTEGER NOT NULL DEFAULT 0,  -- contacts of a first sync still to come
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_by_user ON device (workspace, user);

-- Whose an actor is: a device's, or that of one timeline of a server.
CREATE TABLE actor (
    workspace     BLOB NOT NULL,
    actor         BLOB NOT NULL,
    device        BLOB,
    timeline      BLOB,
    registered_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, actor),
    CHECK ((device IS NULL) <> (timeline IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX actor_by_device ON actor (workspace, device) WHERE device IS NOT NULL;

-- n is the number under which its snapshot, projection and search text are filed.
CREATE TABLE contact (
    n                INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    workspace        BLOB NOT NULL,
    id               BLOB NOT NULL,
    owner            BLOB,
    epoch            INTEGER NOT NULL DEFAULT 0, -- grows with every change of owner
    heads            BLOB NOT NULL DEFAULT x'',  -- of the merged changes, sorted
    cursor           INTEGER NOT NULL DEFAULT 0, -- of the last merge
    assigned_cursor  INTEGER NOT NULL DEFAULT 0, -- of the last change of owner or collaborators
    changes          INTEGER NOT NULL DEFAULT 0, -- merged ones
    document_bytes   INTEGER NOT NULL DEFAULT 0, -- saved without compression
    bytes_since      INTEGER NOT NULL DEFAULT 0, -- of changes merged since its snapshot
    compacted_cursor INTEGER NOT NULL DEFAULT 0, -- raw changes up to here may be gone
    created_at       INTEGER NOT NULL,
    erased_at        INTEGER,
    UNIQUE (workspace, id)
) STRICT;
CREATE INDEX contact_by_owner ON contact (workspace, owner);

-- Rule 15: who sees a contact, since which cursor, and where it stands in that user's order.
CREATE TABLE access (
    workspace      BLOB NOT NULL,
    contact        BLOB NOT NULL,
    user           BLOB NOT NULL,
    kind           INTEGER NOT NULL,        -- 0 owner, 1 collaborator, 2 removed
    visible_cursor INTEGER NOT NULL,        -- 0: from its first change
    sort_cursor    INTEGER NOT NULL,        -- the larger of its public cursor and the above
    PRIMARY KEY (workspace, contact, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX access_by_user ON access (workspace, user, sort_cursor);

-- Every raw change that was taken, until compaction drops merged ones. Never reordered.
CREATE TABLE log (
    seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    workspace   BLOB NOT NULL,
    contact     BLOB NOT NULL,
    fate        INTEGER NOT NULL,           -- 0 stored, 1 merged, 2 quarantined, 3 replaced, ...
    fate_cursor INTEGER NOT NULL DEFAULT 0,
    actor       BLOB NOT NULL,
    actor_seq   INTEGER NOT NULL,
    hash        BLOB NOT NULL,
    device      BLOB,                       -- NULL: a server's own change
    user        BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,           -- of the contact when rights were judged (rule 7)
    verdict     TEXT NOT NULL,
    code        TEXT,
    reason      TEXT,
    replaces    BLOB,
    bytes       BLOB NOT NULL
) STRICT;
CREATE INDEX log_by_contact ON log (workspace, contact, fate, fate_cursor, seq);
CREATE INDEX log_unmerged ON log (seq) WHERE fate = 0;
CREATE INDEX log_set_aside ON log (workspace, seq) WHERE fate NOT IN (0, 1);

-- Rule 10: what was ever taken. Outlives compaction, ends only by erasure.
CREATE TABLE change_index (
    workspace BLOB NOT NULL,
    contact   BLOB NOT NULL,
    hash      BLOB NOT NULL,
    actor     BLOB NOT NULL,
    seq       INTEGER NOT NULL,
    fate      INTEGER NOT NULL,
    log_seq   INTEGER NOT NULL,
    PRIMARY KEY (workspace, contact, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_by_actor ON change_index (workspace, contact, actor, seq);

-- Rule 8: `hash` was superseded by `replacement`, whether or not `hash` ever arrives.
CREATE TABLE replaced (
    workspace   BLOB NOT NULL,
    contact     BLOB NOT NULL,
    hash        BLOB NOT NULL,
    replacement BLOB NOT NULL,
    user        BLOB NOT NULL,              -- only changes of this user are superseded by it
    PRIMARY KEY (workspace, contact, hash, replacement)
) STRICT, WITHOUT ROWID;

-- A whole document of merged changes, saved without compression and without orphans.
CREATE TABLE snapshot (
    n           INTEGER NOT NULL PRIMARY KEY REFERENCES contact (n),
    heads       BLOB NOT NULL,
    cursor      INTEGER NOT NULL,           -- holds every change merged up to here
    hash        BLOB NOT NULL,              -- SHA-256 of bytes
    bytes       BLOB NOT NULL
) STRICT;

-- Derived: could be dropped and rebuilt. Columns as in roadbook_protocol::projection::COLUMNS.
CREATE TABLE projection (
    n               INTEGER NOT NULL PRIMARY KEY REFERENCES contact (n),
    workspace       BLOB NOT NULL,
    id              BLOB NOT NULL,
    owner_login     TEXT,
    version         INTEGER NOT NULL,
    display_name    TEXT NOT NULL,
    sort_key        BLOB NOT NULL,
    company         TEXT,
    status          TEXT,
    category        TEXT,
    city            TEXT,
    country         TEXT,
    next_visit      TEXT,
    next_due        TEXT,
    last_contact_at INTEGER,
    touched_at      INTEGER NOT NULL,
    conflicts       INTEGER NOT NULL,
    archived        INTEGER NOT NULL,
    row             TEXT NOT NULL
) STRICT;
-- The list by name. What follows the key is there so that a filter is judged without reading the
-- wide rows of the table: 100,000 contacts, none in that city: 10 ms instead of 200.
CREATE INDEX projection_list ON projection (workspace, sort_key, status, category, city, country,
    company, owner_login, next_visit, next_due, last_contact_at, conflicts) WHERE archived = 0;
CREATE INDEX projection_by_contact ON projection (workspace, last_contact_at) WHERE archived = 0;
CREATE INDEX projection_by_visit ON projection (workspace, next_visit)
    WHERE archived = 0 AND next_visit IS NOT NULL;
CREATE INDEX projection_by_due ON projection (workspace, next_due)
    WHERE archived = 0 AND next_due IS NOT NULL;
CREATE INDEX projection_in_conflict ON projection (workspace, touched_at, conflicts)
    WHERE conflicts > 0;
CREATE INDEX projection_by_owner ON projection (workspace, owner_login, sort_key);
CREATE INDEX projection_by_touch ON projection (workspace, touched_at);
CREATE INDEX projection_by_status ON projection (workspace, status, sort_key);

-- Derived: ids in other systems, so that an import finds what it brought before.
CREATE TABLE external_id (
    workspace BLOB NOT NULL,
    system    TEXT NOT NULL,
    value     TEXT NOT NULL,
    n         INTEGER NOT NULL,
    PRIMARY KEY (workspace, system, value, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX external_id_by_contact ON external_id (n);

-- The text is folded before it is indexed, so the tokenizer only splits at spaces. rowid = n.
CREATE VIRTUAL TABLE search USING fts5 (
    names, company, reach, place, tags, note,
    content = '', contentless_delete = 1, tokenize = 'ascii'
);

-- Append-only: who changed access or destroyed data.
CREATE TABLE audit (
    n         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    workspace BLOB NOT NULL,
    at        INTEGER NOT NULL,
    by        BLOB,                         -- NULL: the server's own doing or its operator's
    action    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    detail    TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (workspace, n);
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
";

/// Signing keys stand in files of their own (`engine::keys`), which are written before this runs.
/// The column is emptied first, so that `secure_delete` wipes the bytes.
const V2: &str = "
UPDATE workspace SET signing_key = zeroblob(48);
ALTER TABLE workspace DROP COLUMN signing_key;
";

/// Rights: each part stands with the noun that it is for.
const V3: &[&str] = &[
    super::drops::TABLES_V3,
    super::erasures::TABLES_V3,
    super::ledger::TABLES_V3,
    super::proposals::TABLES_V3,
    super::audit::TABLES_V3,
    super::teams::TABLES_V3,
    super::sessions::TABLES_V3,
    super::factors::TABLES_V3,
    super::wipes::TABLES_V3,
    super::alerts::TABLES_V3,
    super::volumes::TABLES_V3,
    super::canaries::TABLES_V3,
    super::changes::PLACES_V3,
    super::facts::TABLES_V3,
    super::standings::TABLES_V3,
    super::segments::TABLES_V3,
    super::handed::TABLES_V3,
    super::api_keys::TABLES_V3,
    super::feed::TABLES_V3,
    super::webhooks::TABLES_V3,
    super::people::COLUMNS_V3,
    super::look::TABLES_V3,
    super::generations::TABLES_V3,
    super::bulk::TABLES_V3,
    super::views::TABLES_V3,
    super::projections::TABLES_V3,
];

#[cfg(test)]
mod tests {
    use roadbook_protocol::{fold, projection};

    use super::*;

    fn columns(conn: &Connection, table: &str) -> Vec<(String, String)> {
        let mut statement = conn.prepare("SELECT name, type FROM pragma_table_info(?1)").unwrap();
        statement
            .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap()
    }

    #[test]
    fn the_latest_version_is_pinned() {
        // Raise this together with a new migration, and never edit a released one.
        assert_eq!(LATEST, 3);
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.pragma_update(None, "user_version", LATEST + 1).unwrap();
        assert!(matches!(migrate(&mut conn), Err(EngineError::NewerSchema { .. })));
        assert_eq!(columns(&conn, "contact"), []);
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        migrate(&mut conn).unwrap();
    }

    #[test]
    fn projection_and_search_have_the_columns_of_the_protocol() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        let found = columns(&conn, "projection");
        for (name, kind) in projection::COLUMNS {
            let kind = kind.split(' ').next().unwrap();
            assert!(found.contains(&((*name).to_owned(), kind.to_owned())), "{name} {kind}");
        }
        let names: Vec<String> = columns(&conn, "search").into_iter().map(|c| c.0).collect();
        let expected: Vec<&str> = fold::FTS_COLUMNS.iter().map(|c| c.0).collect();
        assert_eq!(names, expected);
        assert_eq!(fold::FTS_TOKENIZE, "ascii");
    }

    #[test]
    fn the_audit_log_is_append_only() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn).unwrap();
        conn.execute(
            "INSERT INTO audit (workspace, at, action, subject, detail) VALUES (x'00', 1, 'a', 'b', '')",
            [],
        )
        .unwrap();
        assert!(conn.execute("DELETE FROM audit", []).is_err());
        assert!(conn.execute("UPDATE audit SET action = 'c'", []).is_err());
    }
}
