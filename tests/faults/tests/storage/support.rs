//! A small bank of numbered transactions.

use std::path::PathBuf;

use roadbook_faults::Disk;
use rusqlite::{Connection, Result};
use tempfile::TempDir;

/// Rows of one transaction: some pages, so that a commit has many frames.
const ROWS: i64 = 5;

/// A disk with a database on it.
pub struct Bank {
    pub disk: Disk,
    synchronous: &'static str,
    // After the disk, so that it is unmounted first.
    _dir: TempDir,
}

impl Bank {
    pub fn new(seed: u64, synchronous: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { disk: Disk::mount(dir.path(), seed), synchronous, _dir: dir }
    }

    /// With the table made and synced.
    pub fn ready(seed: u64, synchronous: &'static str) -> Self {
        let bank = Self::new(seed, synchronous);
        bank.open().unwrap();
        bank
    }

    pub fn path(&self) -> PathBuf {
        self.disk.root().join("bank.db")
    }

    /// As the product opens its files, but that the write-ahead log is written back early.
    pub fn open(&self) -> Result<Connection> {
        let conn = Connection::open(self.path())?;
        // To its end: the pragma gives its answer before it commits, and whoever only takes the
        // answer misses an error at the commit. SQLite then says `wal` of a file that has a rollback
        // journal, for the deletion of which FULL does not wait.
        let mut statement = conn.prepare("PRAGMA journal_mode=WAL")?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        drop(rows);
        drop(statement);
        conn.pragma_update(None, "synchronous", self.synchronous)?;
        conn.pragma_update(None, "wal_autocheckpoint", 40)?;
        conn.pragma_update(None, "cache_size", 8)?;
        conn.execute_batch(
            "CREATE TABLE IF NOT EXISTS paid (id INTEGER PRIMARY KEY, n INTEGER, note BLOB) STRICT;
             CREATE INDEX IF NOT EXISTS paid_n ON paid (n)",
        )?;
        Ok(conn)
    }

    /// The transactions that are there, each whole, in a file without a fault.
    pub fn paid(&self) -> Vec<i64> {
        let conn = self.open().unwrap();
        let whole: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok");
        let mut statement =
            conn.prepare("SELECT n, COUNT(*) FROM paid GROUP BY n ORDER BY n").unwrap();
        let paid = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)));
        paid.unwrap()
            .map(|row| {
                let (n, rows) = row.unwrap();
                assert_eq!(rows, ROWS, "transaction {n} is torn apart");
                n
            })
            .collect()
    }
}

/// One transaction, durable when it returns if the connection syncs.
pub fn pay(conn: &mut Connection, n: i64) -> Result<()> {
    let tx = conn.transaction()?;
    for row in 0..ROWS {
        let note = vec![n as u8; 700 + 97 * row as usize];
        tx.prepare_cached("INSERT INTO paid (n, note) VALUES (?1, ?2)")?.execute((n, note))?;
    }
    tx.commit()
}

/// Which transactions were acknowledged, and the number after the last that was tried.
pub struct Run {
    pub acknowledged: Vec<i64>,
    pub tried: i64,
}

/// Opens, pays with the numbers from `first` on, writes the log back, closes; goes on after an error
/// with the next.
pub fn run_from(bank: &Bank, first: i64, count: i64) -> Run {
    let mut run = Run { acknowledged: Vec::new(), tried: 0 };
    let mut conn = None;
    for n in first..first + count {
        if conn.is_none() {
            conn = bank.open().ok();
        }
        let Some(conn) = &mut conn else { continue };
        run.tried = n + 1;
        if pay(conn, n).is_ok() {
            run.acknowledged.push(n);
        }
    }
    run
}

/// [`run_from`] 0.
pub fn run(bank: &Bank, count: i64) -> Run {
    run_from(bank, 0, count)
}
