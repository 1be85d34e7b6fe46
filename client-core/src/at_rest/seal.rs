//! Damaged plain databases, which are kept, become encrypted before the replica does.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rusqlite::{OpenFlags, params};

use super::{DataKey, connect};
use crate::error::{Error, Result};
use crate::files;
use crate::identity::Home;
use crate::store::salvage::{ASIDE, mended_from};

/// Behind the name of a file that was sealed: an encrypted database that holds its bytes in parts.
const SEALED: &str = ".sealed";
const PART_BYTES: usize = 1 << 20;

/// Seals every damaged plain database in the directory, and destroys the plain files. May be done twice.
pub(super) fn damaged_files(home: &Home, key: &DataKey) -> Result<()> {
    let path = home.path();
    for entry in fs::read_dir(path).map_err(Error::file(path))? {
        let entry = entry.map_err(Error::file(path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(ASIDE) || name.contains(SEALED) {
            continue;
        }
        // The index of a log and a copy that was being read hold nothing of their own.
        if !name.ends_with("-shm") && !mended_from(&name) {
            seal(&entry.path(), &path.join(format!("{name}{SEALED}")), key)?;
        }
        files::erase(&entry.path())?;
    }
    home.sync();
    Ok(())
}

fn seal(from: &Path, to: &Path, key: &DataKey) -> Result<()> {
    for suffix in ["", "-journal"] {
        let mut pending = to.as_os_str().to_owned();
        pending.push(suffix);
        files::remove(Path::new(&pending))?;
    }
    let mut conn = connect(to, OpenFlags::default(), Some(key))?;
    files::private(to, 0o600)?;
    let tx = conn.transaction()?;
    tx.execute_batch("CREATE TABLE part(number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT")?;
    let mut file = File::open(from).map_err(Error::file(from))?;
    let mut part = vec![0; PART_BYTES];
    for number in 0.. {
        let mut read = 0;
        while read < part.len() {
            match file.read(&mut part[read..]).map_err(Error::file(from))? {
                0 => break,
                more => read += more,
            }
        }
        if read == 0 {
            break;
        }
        tx.execute("INSERT INTO part VALUES (?1, ?2)", params![number, &part[..read]])?;
    }
    tx.commit()?;
    drop(conn);
    File::open(to).and_then(|file| file.sync_all()).map_err(Error::file(to))
}
