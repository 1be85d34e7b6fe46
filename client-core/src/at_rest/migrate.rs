//! A plain replica becomes an encrypted one: written anew beside it, synced, and put in its place by one
//! rename. Whatever ends the program in between, one of the two is whole, and the next start goes on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{OpenFlags, params};

use super::{DataKey, connect, seal};
use crate::env::OpenOptions;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::files;
use crate::identity::{Home, machine_id};
use crate::store::salvage;

/// The encrypted copy, until it is whole.
const COPY: &str = "replica.db.encrypting";
/// Another name of the plain file, so that it can be overwritten once it is replaced.
const OLD: &str = "replica.db.plain";
/// What SQLite puts beside a database.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Encrypts the database. A damaged one is set aside first, as ever.
pub(super) fn run(home: &Home, options: &OpenOptions, key: &DataKey) -> Result<()> {
    let database = home.database();
    let (copy, old) = (home.path().join(COPY), home.path().join(OLD));
    // What an earlier attempt left; the second is the database itself under another name.
    for suffix in BESIDE {
        files::remove(&beside(&copy, suffix))?;
    }
    files::remove(&old)?;
    let same_place = home
        .incarnation()
        .filter(|known| known.is_here(&database, &place(options)).unwrap_or(false));
    // Takes in what a crash left in the log, and salvages what is damaged.
    salvage::open(home, options, None)?.disconnect();
    let log = beside(&database, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(Error::Damaged {
            what: log.display().to_string(),
            reason: "it can't be written back into the database, which therefore is not encrypted; close every program that has the database open, then try again".into(),
        });
    }
    if let Err(error) = export(&database, &copy, key) {
        // On a full disk it would stand in the way of everything else.
        for suffix in BESIDE {
            let _ = files::remove(&beside(&copy, suffix));
        }
        return Err(error);
    }
    failpoint("encrypt_exported");
    seal::damaged_files(home, key)?;
    // Without a second name the old file is removed all the same, but not overwritten.
    if let Err(error) = fs::hard_link(&database, &old) {
        tracing::warn!(%error, "the plain database can't be overwritten before it is removed");
    }
    for suffix in &BESIDE[1..] {
        files::remove(&beside(&database, suffix))?;
    }
    fs::rename(&copy, &database).map_err(Error::file(&database))?;
    home.sync();
    failpoint("encrypt_swapped");
    // It is another file now, and no copy.
    if let Some(known) = same_place {
        home.set_incarnation(&known.moved_to(&database)?)?;
    }
    failpoint("encrypt_bound");
    Ok(())
}

fn place(options: &OpenOptions) -> String {
    options.machine_id.clone().unwrap_or_else(machine_id)
}

/// Writes an encrypted copy, compares it with what it was made of, and waits for the disk.
fn export(database: &Path, copy: &Path, key: &DataKey) -> Result<()> {
    let flags = OpenFlags::default();
    let conn = connect(database, flags, None)?;
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.execute(
        "ATTACH DATABASE ?1 AS encrypted KEY ?2",
        params![copy.to_string_lossy(), key.text().as_str()],
    )?;
    conn.query_row("SELECT sqlcipher_export('encrypted')", [], |_| Ok(()))?;
    let version: i64 = conn.query_row("PRAGMA main.user_version", [], |row| row.get(0))?;
    conn.pragma_update(Some("encrypted"), "user_version", version)?;
    let before = counts(&conn)?;
    conn.execute_batch("DETACH DATABASE encrypted")?;
    drop(conn);
    files::private(copy, 0o600)?;
    let conn = connect(copy, flags, Some(key))?;
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    let after = counts(&conn)?;
    drop(conn);
    if verdict != "ok" || before != after {
        return Err(Error::Damaged {
            what: copy.display().to_string(),
            reason: format!(
                "the encrypted copy of the database is not what it was made of ({verdict}); the database is untouched, try again"
            ),
        });
    }
    File::open(copy).and_then(|file| file.sync_all()).map_err(Error::file(copy))
}

/// Every table with its number of rows.
fn counts(conn: &rusqlite::Connection) -> Result<Vec<(String, i64)>> {
    let mut names = conn.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND sql NOT NULL ORDER BY name",
    )?;
    let names: Vec<String> =
        names.query_map([], |row| row.get(0))?.collect::<Result<_, rusqlite::Error>>()?;
    let mut counts = Vec::with_capacity(names.len());
    for name in names {
        let quoted = name.replace('"', "\"\"");
        let count =
            conn.query_row(&format!("SELECT count(*) FROM main.\"{quoted}\""), [], |row| {
                row.get(0)
            })?;
        counts.push((name, count));
    }
    Ok(counts)
}

/// Once the database is encrypted: what is left of the plain one is destroyed.
pub(super) fn sweep(home: &Home) -> Result<()> {
    for suffix in BESIDE {
        let path = home.path().join(format!("{OLD}{suffix}"));
        if is_same_file(&path, &home.database()) {
            files::remove(&path)?;
        } else if path.exists() {
            files::erase(&path)?;
        }
    }
    Ok(())
}

/// Whether two names are of one file; overwriting one of them would destroy the other.
fn is_same_file(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        match (fs::metadata(one), fs::metadata(other)) {
            (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        // Hard links are made and replaced by us alone.
        let _ = (one, other);
        false
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}
