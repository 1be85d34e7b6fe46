//! The SQLite file of a replica: connections, and one file per noun with plain functions over them.
//!
//! One writer behind a mutex, a few readers. Nothing outside this folder writes SQL against a table
//! that has a file here, and nothing here knows of documents, sessions or sockets.

pub(crate) mod bound;
pub(crate) mod changes;
pub(crate) mod contacts;
pub(crate) mod drops;
pub(crate) mod erasures;
pub(crate) mod evidence;
pub(crate) mod handed;
pub(crate) mod lists;
mod mend;
pub(crate) mod meta;
pub(crate) mod projections;
pub(crate) mod proposals;
pub(crate) mod salvage;
pub(crate) mod schema;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use roadbook_wal::LogFile;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::at_rest::{self, DataKey};
use crate::env::Durability;
use crate::error::{Error, Result};
use crate::files::private;

/// Read connections: lists and searches may overlap with opening a contact.
const READERS: usize = 2;
/// SQLite before 3.51.3 may lose a write-ahead log when it is reset.
const SQLITE_OLDEST: i32 = 3_051_003;
/// Prepared statements kept per connection.
const STATEMENTS: usize = 96;

/// The open file.
pub(crate) struct Store {
    path: PathBuf,
    durability: Durability,
    /// What the file is encrypted with; `None` if it is not, and while it is closed.
    key: Mutex<Option<DataKey>>,
    writer: Mutex<Option<Connection>>,
    /// Grows when the writer is taken and when it is given back: odd in between.
    turns: AtomicU64,
    readers: Mutex<Readers>,
    returned: Condvar,
    log_file: Mutex<LogFile>,
}

struct Readers {
    idle: Vec<Connection>,
    lent: usize,
    doors: Doors,
}

/// Whether the file is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doors {
    Open,
    Closed,
    /// It is being replaced: whoever asks waits.
    Replaced,
}

impl Store {
    /// Opens or creates the file, encrypted with this key, and migrates it.
    pub(crate) fn open(
        path: &Path,
        durability: Durability,
        key: Option<&DataKey>,
    ) -> Result<Store> {
        let store = Store {
            path: path.to_owned(),
            durability,
            key: Mutex::new(None),
            writer: Mutex::new(None),
            turns: AtomicU64::new(0),
            readers: Mutex::new(Readers { idle: Vec::new(), lent: 0, doors: Doors::Closed }),
            returned: Condvar::new(),
            log_file: Mutex::new(LogFile::of(path)),
        };
        store.connect(key.cloned())?;
        Ok(store)
    }

    /// Opens the file handles, at first or after [`Self::disconnect`].
    pub(crate) fn connect(&self, key: Option<DataKey>) -> Result<()> {
        self.connect_with(&mut self.lock_writer(), key)
    }

    fn connect_with(&self, writer: &mut Option<Connection>, key: Option<DataKey>) -> Result<()> {
        if writer.is_some() {
            return Ok(());
        }
        if rusqlite::version_number() < SQLITE_OLDEST {
            return Err(Error::Damaged {
                what: "this program".into(),
                reason: format!(
                    "it was built with SQLite {}, which can lose a write-ahead log; 3.51.3 is needed",
                    rusqlite::version()
                ),
            });
        }
        *self.lock_key() = key;
        let (conn, idle) = self.open_connections()?;
        *writer = Some(conn);
        *self.lock_readers() = Readers { idle, lent: 0, doors: Doors::Open };
        self.returned.notify_all();
        Ok(())
    }

    /// One that writes, and those that read.
    fn open_connections(&self) -> Result<(Connection, Vec<Connection>)> {
        // What a program left behind may be in memory alone, if a sync failed it.
        roadbook_wal::renew(&self.path).map_err(Error::file(&self.path))?;
        let key = self.lock_key().clone();
        let mut conn = at_rest::connect(&self.path, OpenFlags::default(), key.as_ref())?;
        schema::refuse_newer(&conn, &self.path)?;
        // The log and its index take the permissions of the file.
        private(&self.path, 0o600)?;
        configure(&conn, self.durability)?;
        schema::migrate(&mut conn, &self.path)?;
        let mut idle = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let reader = at_rest::connect(
                &self.path,
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                key.as_ref(),
            )?;
            configure(&reader, self.durability)?;
            reader.pragma_update(None, "query_only", true)?;
            idle.push(reader);
        }
        *self.lock_log_file() = LogFile::of(&self.path);
        Ok((conn, idle))
    }

    /// To be called after a commit, before anybody is told of it. Where somebody deleted the log under
    /// the running program, SQLite goes on writing into a file that has no name any more: what it holds
    /// is written back into the database, and the files are opened anew.
    ///
    /// # Errors
    /// Where that can't be done; the commit is not to be relied on then.
    pub(crate) fn keep_log(&self, writer: &mut Option<Connection>) -> Result<()> {
        if self.lock_log_file().is_there() {
            return Ok(());
        }
        tracing::error!(
            file = %self.path.display(),
            "the log of the database was deleted while it was open; what it held is written back"
        );
        let conn = writer.as_ref().ok_or(Error::Suspended)?;
        let (busy, held, written): (i64, i64, i64) =
            conn.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if busy != 0 || held != written {
            return Err(Error::Damaged {
                what: "the log of the database".into(),
                reason: "it was deleted while the program ran; close the program and open it again"
                    .into(),
            });
        }
        let mut readers = self.lock_readers();
        // Whoever wants one now waits for the new ones.
        readers.idle.clear();
        while readers.lent > 0 {
            readers = self.returned.wait(readers).unwrap_or_else(PoisonError::into_inner);
            readers.idle.clear();
        }
        *writer = None;
        let (conn, idle) =
            self.open_connections().inspect_err(|_| readers.doors = Doors::Closed)?;
        *writer = Some(conn);
        readers.idle = idle;
        drop(readers);
        self.returned.notify_all();
        Ok(())
    }

    fn lock_log_file(&self) -> MutexGuard<'_, LogFile> {
        self.log_file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for what is running, then closes every file handle. Uses until [`Self::connect`] fail
    /// with [`Error::Suspended`].
    pub(crate) fn disconnect(&self) {
        self.disconnect_with(&mut self.lock_writer(), Doors::Closed);
    }

    /// Closes every file handle, runs `replace`, which gives the key of what is there then, and opens the
    /// file anew. Whoever reads or writes meanwhile waits; `replace` must do neither.
    ///
    /// # Errors
    /// Those of `replace` and [`Self::connect`]; the file is closed then.
    pub(crate) fn replace(
        &self,
        mut writer: Writer<'_>,
        replace: impl FnOnce() -> Result<Option<DataKey>>,
    ) -> Result<()> {
        /// Nobody waits for what failed, or panicked.
        struct Shut<'a>(&'a Store);
        impl Drop for Shut<'_> {
            fn drop(&mut self) {
                let mut readers = self.0.lock_readers();
                if readers.doors == Doors::Replaced {
                    readers.doors = Doors::Closed;
                }
                self.0.returned.notify_all();
            }
        }
        let _shut = Shut(self);
        self.disconnect_with(&mut writer, Doors::Replaced);
        self.connect_with(&mut writer, replace()?)
    }

    fn disconnect_with(&self, writer: &mut Option<Connection>, doors: Doors) {
        let mut readers = self.lock_readers();
        readers.doors = doors;
        while readers.lent > 0 {
            readers = self.returned.wait(readers).unwrap_or_else(PoisonError::into_inner);
        }
        readers.idle.clear();
        if let Some(conn) = writer.take() {
            // A failing checkpoint loses nothing: the log stays beside the file.
            let _ = conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
        *self.lock_key() = None;
    }

    /// The writer, for as long as the guard lives.
    pub(crate) fn lock_writer(&self) -> Writer<'_> {
        let conn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.turns.fetch_add(1, Ordering::SeqCst);
        Writer { conn, turns: &self.turns }
    }

    /// Which state the file is in, for this process alone; `None` while somebody writes. What was read
    /// between two equal answers is of that state, and of every later time that it is the answer.
    pub(crate) fn state(&self) -> Option<u64> {
        let turns = self.turns.load(Ordering::SeqCst);
        turns.is_multiple_of(2).then_some(turns)
    }

    fn lock_readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on a read connection, in one read transaction.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let conn = {
            let mut readers = self.lock_readers();
            loop {
                if readers.doors == Doors::Closed {
                    return Err(Error::Suspended);
                }
                if let Some(conn) = readers.idle.pop() {
                    readers.lent += 1;
                    break conn;
                }
                readers = self.returned.wait(readers).unwrap_or_else(PoisonError::into_inner);
            }
        };
        let lent = Lent { store: self, conn: Some(conn) };
        let conn = lent.conn.as_ref().expect("it is taken only on drop");
        let tx = conn.unchecked_transaction()?;
        let result = work(&tx);
        // Nothing was written: ending the transaction can't lose anything.
        let _ = tx.finish();
        drop(lent);
        result
    }

    fn lock_key(&self) -> MutexGuard<'_, Option<DataKey>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the file that is open is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.lock_key().is_some()
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The writer, for as long as it is held.
pub(crate) struct Writer<'a> {
    conn: MutexGuard<'a, Option<Connection>>,
    turns: &'a AtomicU64,
}

impl Deref for Writer<'_> {
    type Target = Option<Connection>;

    fn deref(&self) -> &Self::Target {
        &self.conn
    }
}

impl DerefMut for Writer<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.conn
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        // Before the lock is given back: the next one to take it finds an even number.
        self.turns.fetch_add(1, Ordering::SeqCst);
    }
}

/// Gives a read connection back, also when `work` panics.
struct Lent<'a> {
    store: &'a Store,
    conn: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut readers = self.store.lock_readers();
        readers.lent -= 1;
        if let Some(conn) = self.conn.take()
            && readers.doors == Doors::Open
        {
            readers.idle.push(conn);
        }
        self.store.returned.notify_all();
    }
}

/// Pragmas and SQL functions of every connection.
pub(crate) fn configure(conn: &Connection, durability: Durability) -> Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    // Without it a statement is compiled anew whenever a value is bound that a partial index or the
    // statistics were compared with.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    write_ahead(conn)?;
    conn.pragma_update(
        None,
        "synchronous",
        match durability {
            Durability::Full => "FULL",
            Durability::Off => "OFF",
        },
    )?;
    // On Apple `fsync` does not reach the medium; elsewhere these two change nothing.
    conn.pragma_update(None, "fullfsync", durability == Durability::Full)?;
    conn.pragma_update(None, "checkpoint_fullfsync", durability == Durability::Full)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    // A contact that left the device leaves no bytes in free pages (P8, P10).
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -16_000)?;
    for (name, function) in roadbook_protocol::fold::SQL_FUNCTIONS {
        let function = *function;
        conn.create_scalar_function(
            *name,
            1,
            FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
            move |context| match context.get_raw(0) {
                ValueRef::Text(text) => Ok(std::str::from_utf8(text).ok().map(function)),
                _ => Ok(None),
            },
        )?;
    }
    Ok(())
}

/// Switches to a write-ahead log.
///
/// The statement runs to its end: it gives its answer before it commits, so whoever only takes the
/// answer misses an error at the commit. SQLite then says `wal` of a file that keeps its rollback
/// journal, and a power cut can take back what a commit with `synchronous=FULL` has acknowledged.
fn write_ahead(conn: &Connection) -> Result<()> {
    let mut statement = conn.prepare("PRAGMA journal_mode=WAL")?;
    let mut answer = statement.query([])?;
    while answer.next()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P1 and P2 stand on these two lines.
    #[test]
    fn an_edit_waits_for_the_disk() {
        let dir = tempfile::TempDir::new().unwrap();
        let store = Store::open(&dir.path().join("replica.db"), Durability::Full, None).unwrap();
        let writer = store.lock_writer();
        let pragma = |name: &str| {
            writer
                .as_ref()
                .unwrap()
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(
            (pragma("synchronous"), pragma("fullfsync"), pragma("secure_delete")),
            (2, 1, 1)
        );
        drop(writer);
        let mode = store.read(|conn| {
            Ok(conn.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0))?)
        });
        assert_eq!(mode.unwrap(), "wal");
    }

    #[test]
    fn a_page_in_the_middle_of_any_order_is_found_in_an_index() {
        let dir = tempfile::TempDir::new().unwrap();
        let store = Store::open(&dir.path().join("replica.db"), Durability::Off, None).unwrap();
        for sort in crate::Sort::ALL {
            let plan: String = store
                .read(|conn| {
                    let mut statement = conn.prepare(&format!(
                        "EXPLAIN QUERY PLAN SELECT p.num FROM projection p WHERE (p.archived = 0)
                         ORDER BY {} LIMIT 50 OFFSET 5000",
                        sort.sql()
                    ))?;
                    let lines = statement.query_map([], |row| row.get::<_, String>(3))?;
                    Ok(lines.collect::<Result<Vec<_>, _>>()?.join("; "))
                })
                .unwrap();
            assert!(!plan.contains("TEMP B-TREE"), "{sort:?}: {plan}");
            assert!(plan.contains("COVERING INDEX"), "{sort:?}: {plan}");
        }
    }
}
