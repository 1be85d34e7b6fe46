//! Notices that somebody deleted or replaced the write-ahead log under the running program. SQLite
//! goes on writing into the file that has no name any more, and the next start would find none of it.

use std::path::{Path, PathBuf};

use super::log_of;

/// The log of a database that is open.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    /// Which file it was when it was first seen; `None` before there is one, and where the file system
    /// of the database is none of this machine's.
    known: Option<u64>,
}

impl LogFile {
    /// The log of this database.
    pub fn of(database: &Path) -> Self {
        let mut log = Self { path: log_of(database), known: None };
        log.known = log.now();
        log
    }

    /// Whether the log that is written to is the one that the next start would find. One look at the
    /// directory: a microsecond, against the milliseconds of the commit before it.
    pub fn is_there(&mut self) -> bool {
        let now = self.now();
        if self.known.is_none() {
            self.known = now;
        }
        self.known == now
    }

    fn now(&self) -> Option<u64> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        #[cfg(unix)]
        return Some(std::os::unix::fs::MetadataExt::ino(&metadata));
        #[cfg(not(unix))]
        return metadata.is_file().then_some(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_deleted_or_replaced_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::of(&dir.path().join("a.db"));
        assert!(log.is_there(), "there is none yet");
        std::fs::write(dir.path().join("a.db-wal"), "one").unwrap();
        assert!(log.is_there() && log.is_there());
        std::fs::write(dir.path().join("other"), "two").unwrap();
        std::fs::rename(dir.path().join("other"), dir.path().join("a.db-wal")).unwrap();
        assert!(!log.is_there());
        std::fs::remove_file(dir.path().join("a.db-wal")).unwrap();
        assert!(!log.is_there());
    }
}
