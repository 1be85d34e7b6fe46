//! The tables: one file per noun, plain functions over a `rusqlite` connection or transaction.
//!
//! | module | what it holds |
//! |---|---|
//! | [`schema`] | the numbered migrations |
//! | [`workspaces`] | workspaces, their signing keys, timelines, settings |
//! | [`people`] | users, one-time codes |
//! | [`teams`] | teams, and which is a part of which |
//! | [`sessions`] | sessions of browsers |
//! | [`factors`] | second factors and recovery codes |
//! | [`devices`] | devices and the actors that belong to them |
//! | [`contacts`] | contacts, who may see them, their cursors |
//! | [`changes`] | the log, the permanent index, what replaces what |
//! | [`documents`] | snapshots, and a contact's document put together from them |
//! | [`projections`] | projection rows and the full-text index |
//! | [`facts`] | visits, purchases, deals, tasks and consents, one row each |
//! | [`standings`] | the classes of customers |
//! | [`segments`] | saved segments |
//! | [`views`] | saved views of the list, and who wants which columns |
//! | [`bulk`] | what was done to many contacts at once |
//! | [`handed`] | lists that were handed to people |
//! | [`wipes`] | leases, and the wipe of revoked devices |
//! | [`erasures`] | taking out all about a contact, and who has confirmed it |
//! | [`ledger`] | what the ledger outside the database is told |
//! | [`alerts`], [`volumes`], [`canaries`] | what managers are told of, how much who has read, planted contacts |
//! | [`audit`] | who changed access or destroyed data |
//!
//! Functions here decide nothing and never start a transaction of their own: rights, fates and
//! cursors are decided by [`crate::engine`], which gives them a transaction. Nothing here may read a
//! clock or randomness.

pub mod alerts;
pub mod api_keys;
pub mod audit;
pub mod bulk;
pub mod canaries;
pub mod chances;
pub mod changes;
pub mod contacts;
pub mod custom_fields;
pub mod devices;
pub mod documents;
pub mod drops;
pub mod erasures;
mod error;
pub mod factors;
pub mod facts;
pub mod feed;
pub mod generations;
pub mod handed;
pub mod ledger;
pub mod look;
pub mod people;
pub mod projections;
pub mod proposals;
pub mod schema;
pub mod segments;
pub mod sessions;
pub mod sorting;
pub(crate) mod sql;
pub mod standings;
pub mod teams;
pub mod views;
pub mod volumes;
pub mod webhooks;
pub mod wipes;
pub mod workspaces;

pub use error::EngineError;

use std::path::Path;

use roadbook_protocol::fold;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags};

/// The result of everything in the store.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// The name of the database file in the data directory.
pub const DATABASE_FILE: &str = "roadbook.db";

/// SQLite before this has a bug that can lose a WAL after a reset (found in March 2026).
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// How many prepared statements each connection keeps.
const STATEMENTS_MAX: usize = 192;
/// The WAL is cut back to so many bytes once it was written back.
const JOURNAL_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// How hard a transaction holds on to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// `synchronous=FULL`: on return of the commit it is on the disk.
    Full,
    /// `synchronous=NORMAL`: a crash of the process loses nothing, a power cut may lose the newest
    /// transactions. Only for what can be derived again from what was written with [`Self::Full`].
    Derived,
    /// `synchronous=OFF`: for tests and benchmarks that prove that they would notice.
    Off,
}

impl Durability {
    /// The pragma that switches the connection to it; not to be used inside a transaction.
    pub fn pragma(self) -> &'static str {
        match self {
            Durability::Full => "PRAGMA synchronous=FULL",
            Durability::Derived => "PRAGMA synchronous=NORMAL",
            Durability::Off => "PRAGMA synchronous=OFF",
        }
    }
}

/// Opens the one connection that writes, creating the file if it is not there, and migrates it.
/// The caller must hold the lock of the data directory. `before` is called before the migration: it
/// brings out what a migration takes away.
///
/// # Errors
/// [`EngineError::Unsuitable`], [`EngineError::NewerSchema`], what SQLite says, or `before`.
pub fn open_writer(
    path: &Path,
    before: impl FnOnce(&Connection) -> Result<()>,
) -> Result<Connection> {
    assert_suitable()?;
    // What a program left behind may be in memory alone, if a sync failed it.
    roadbook_wal::renew(path)
        .map_err(|source| EngineError::Io { path: path.to_owned(), source })?;
    let mut conn = Connection::open(path)?;
    schema::refuse_newer(&conn)?;
    refuse_damaged(&conn, path)?;
    write_ahead(&conn)?;
    conn.pragma_update(None, "secure_delete", "ON")?;
    // After a burst (an import behind a long read) the WAL gives its space back.
    conn.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_MAX)?;
    prepare(&conn)?;
    conn.execute_batch(Durability::Full.pragma())?;
    before(&conn)?;
    if schema::migrate(&mut conn)? {
        // What a migration took away is not left in the log.
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(conn)
}

/// Switches to a write-ahead log.
///
/// The statement runs to its end: it gives its answer before it commits, so whoever only takes the
/// answer misses an error at the commit. SQLite then says `wal` of a file that keeps its rollback
/// journal, and a power cut can take back what a commit with `synchronous=FULL` has acknowledged.
fn write_ahead(conn: &Connection) -> Result<()> {
    let mut statement = conn.prepare("PRAGMA journal_mode=WAL")?;
    let mut answer = statement.query([])?;
    let mut mode = String::new();
    while let Some(row) = answer.next()? {
        mode = row.get(0)?;
    }
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(EngineError::Unsuitable {
        reason: format!("journal mode is {mode}, the file system does not allow WAL"),
    })
}

/// Files up to this size are examined at each start, in a quarter of a second at most; for larger ones
/// there is `check`.
const EXAMINED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Refuses a file whose pages are not what SQLite wrote: served on, the damage would spread into what
/// devices are sent and into backups.
fn refuse_damaged(conn: &Connection, path: &Path) -> Result<()> {
    if path.metadata().map_or(0, |file| file.len()) > EXAMINED_BYTES_MAX {
        return Ok(());
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(EngineError::damaged(path.display().to_string(), verdict))
}

/// What SQLite finds wrong with a file that can't be served, at most 100 lines.
///
/// # Errors
/// Where it can't even be opened: what SQLite says.
pub fn examine(path: &Path) -> Result<Vec<String>> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.pragma_update(None, "query_only", "ON")?;
    let mut statement = conn.prepare("PRAGMA integrity_check(100)")?;
    let lines = statement.query_map([], |row| row.get(0))?;
    Ok(lines.collect::<rusqlite::Result<_>>()?)
}

/// Opens a connection that only reads.
///
/// # Errors
/// What SQLite says.
pub fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    prepare(&conn)?;
    conn.pragma_update(None, "query_only", "ON")?;
    Ok(conn)
}

fn prepare(conn: &Connection) -> Result<()> {
    conn.busy_timeout(std::time::Duration::from_secs(10))?;
    // Without it a statement is compiled anew whenever a value is bound that a partial index or the
    // statistics were compared with.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "foreign_keys", "ON")?;
    conn.pragma_update(None, "trusted_schema", "OFF")?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -16_384)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    register_functions(conn)?;
    Ok(())
}

/// Registers the functions that filters use in SQL ([`fold::SQL_FUNCTIONS`]).
///
/// # Errors
/// What SQLite says.
pub fn register_functions(conn: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    for (name, function) in fold::SQL_FUNCTIONS {
        conn.create_scalar_function(*name, 1, flags, move |context| {
            Ok(context.get_raw(0).as_str().ok().map(function))
        })?;
    }
    Ok(())
}

fn assert_suitable() -> Result<()> {
    let version = rusqlite::version_number();
    if version < SQLITE_VERSION_MIN {
        return Err(EngineError::Unsuitable {
            reason: format!("version {} is older than 3.51.3", rusqlite::version()),
        });
    }
    let conn = Connection::open_in_memory()?;
    let cipher: Option<String> =
        conn.query_row("PRAGMA cipher_version", [], |row| row.get(0)).ok().flatten();
    match cipher {
        Some(cipher) if !cipher.is_empty() => Err(EngineError::Unsuitable {
            reason: format!("it is SQLCipher {cipher}, meant for devices only"),
        }),
        _ => Ok(()),
    }
}
