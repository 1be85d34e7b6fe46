//! A log that a program left behind, made durable before anything is added to it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::log_of;

/// Puts a durable copy of the log in the log's place, if a program left one behind. Returns whether it
/// did. To be called before the database is opened, by whoever holds the lock of its directory.
///
/// After a sync that failed, Linux takes the pages for clean: the next program reads them from memory,
/// adds to the log, and syncs with success, while the disk has a hole where they should be. A power cut
/// then takes back everything behind the hole, whatever was acknowledged. (Rebello et al., *Can
/// Applications Recover from fsync Failures?*, 2020.) The pages of a new file are written whole.
///
/// On an error the log is what it was. A copy that was not finished is overwritten by the next.
///
/// # Errors
/// What the file system says; a full disk among it.
pub fn renew(database: &Path) -> io::Result<bool> {
    let log = log_of(database);
    let mut from = match File::open(&log) {
        Ok(from) => from,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let found = from.metadata()?;
    if found.len() == 0 {
        return Ok(false);
    }
    let mut copy = log.clone().into_os_string();
    copy.push(".new");
    let mut to = File::create(&copy)?;
    io::copy(&mut from, &mut to)?;
    to.set_permissions(found.permissions())?;
    to.sync_all()?;
    fs::rename(&copy, &log)?;
    #[cfg(unix)]
    if let Some(directory) = log.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogFile;

    #[test]
    fn a_log_that_was_left_behind_is_another_file_with_the_same_content() {
        let dir = tempfile::tempdir().unwrap();
        let (database, log) = (dir.path().join("a.db"), dir.path().join("a.db-wal"));
        assert!(!renew(&database).unwrap(), "there is none");
        fs::write(&log, "").unwrap();
        assert!(!renew(&database).unwrap(), "there is nothing in it");
        fs::write(&log, "frames").unwrap();
        // What an earlier attempt left is longer than what takes its place.
        fs::write(dir.path().join("a.db-wal.new"), "a copy that was not finished").unwrap();
        let mut before = LogFile::of(&database);
        assert!(renew(&database).unwrap());
        assert!(!before.is_there());
        assert_eq!(fs::read(&log).unwrap(), b"frames");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
