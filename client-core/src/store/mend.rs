//! Making a damaged database file readable as far as anything of it can be read: a copy in which what is
//! lost is replaced by the same page of a new database.
//!
//! Two kinds of loss close the way to everything else. Where the pages are lost that say where the tables
//! are, they are taken from a new database: it is made by the same statements in the same order, so its
//! tables lie in the same places. And of an encrypted file one page that does not decrypt ends every
//! connection that meets it; a page of another file with the same key and salt decrypts in its place.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;

use super::schema;
use crate::at_rest::{self, DataKey};
use crate::error::{Error, Result};
use crate::files;

/// Behind the name of the new database, while it is read.
pub(super) const PATTERN: &str = ".pattern";

/// Where the tables are taken to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Where the file itself says.
    Own,
    /// Where the migrations put them.
    Migrated,
    /// Where they are once a database was written anew as a whole.
    Vacuumed,
}

/// Writes the copy to `to`.
///
/// # Errors
/// What the disk says; [`Error::Damaged`] where the layout is to be the file's own and is lost.
pub(super) fn mend(from: &Path, to: &Path, layout: Layout, key: Option<&DataKey>) -> Result<()> {
    let mut lost = match key {
        Some(key) => at_rest::unreadable_pages(from, key)?,
        None => BTreeSet::new(),
    };
    let damaged = fs::read(from).map_err(Error::file(from))?;
    let log = beside(from, "-wal");
    let pattern = Pattern::make(&beside(from, PATTERN), layout, key, damaged.len(), log.exists())?;
    if layout != Layout::Own {
        lost.extend(&pattern.schema);
    } else if lost.iter().any(|page| *page == 1 || pattern.schema.contains(page)) {
        return Err(Error::Damaged {
            what: from.display().to_string(),
            reason: "what says where its tables are is lost".into(),
        });
    }
    let Pattern { mut bytes, page_size, .. } = pattern;
    let pages = bytes.chunks_exact_mut(page_size).zip(damaged.chunks_exact(page_size));
    for (number, (to, from)) in (1..).zip(pages) {
        if !lost.contains(&number) {
            to.copy_from_slice(from);
        }
    }
    fs::write(to, bytes).map_err(Error::file(to))?;
    if log.exists() {
        let copy = beside(to, "-wal");
        fs::copy(&log, &copy).map_err(Error::file(&copy))?;
    }
    Ok(())
}

/// A new database with as many pages as the damaged one, at least.
struct Pattern {
    bytes: Vec<u8>,
    page_size: usize,
    /// The pages that say where the tables are.
    schema: BTreeSet<u64>,
}

impl Pattern {
    fn make(
        path: &Path,
        layout: Layout,
        key: Option<&DataKey>,
        bytes_min: usize,
        with_log: bool,
    ) -> Result<Pattern> {
        remove(path)?;
        let mut conn = at_rest::connect(path, OpenFlags::default(), key)?;
        schema::migrate(&mut conn, path)?;
        if layout == Layout::Vacuumed {
            conn.execute_batch("VACUUM")?;
        }
        let schema = conn
            .prepare("SELECT pageno FROM dbstat WHERE name = 'sqlite_schema'")?
            .query_map([], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?
            .collect::<Result<_, _>>()?;
        let number = |name: &str| -> Result<usize> {
            // SQLCipher says some of them as text.
            let sql = format!("SELECT CAST({name} AS INTEGER) FROM pragma_{name}");
            let found: i64 = conn.query_row(&sql, [], |row| row.get(0))?;
            Ok(usize::try_from(found).unwrap_or(0))
        };
        let page_size = number("page_size")?;
        let missing = bytes_min.saturating_sub(number("page_count")? * page_size);
        if missing > 0 {
            conn.execute(
                "INSERT INTO meta(key, value) VALUES ('filler', zeroblob(?1))",
                [i64::try_from(missing).unwrap_or(i64::MAX)],
            )?;
        }
        // The first page says whether there is a log.
        if with_log {
            super::write_ahead(&conn)?;
        }
        drop(conn);
        let bytes = fs::read(path).map_err(Error::file(path))?;
        remove(path)?;
        Ok(Pattern { bytes, page_size, schema })
    }
}

/// Removes a copy with what SQLite put beside it.
pub(super) fn remove(path: &Path) -> Result<()> {
    ["", "-wal", "-shm", "-journal"].iter().try_for_each(|end| files::remove(&beside(path, end)))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(end);
    text.into()
}
