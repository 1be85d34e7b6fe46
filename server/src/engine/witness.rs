//! Where the audit log ends, kept in a file beside the database, which no backup of the database holds.
//!
//! The hash chain in the database shows an entry that was altered or taken out of the middle. Who can
//! write to the database could write all of it anew, or take the newest entries out: then the end is not
//! the one that stands here. What was answered as done has been witnessed: the file is written, and
//! synced, between the commit and the answer.
//!
//! A start that does not find the last end in the database records that as an entry
//! ([`audit::note_gap`]), which is told until somebody accepts it: a restored backup looks the same.
//! Who copies this file to another disk now and then can show more (`audit verify --known N:HASH`).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use roadbook_protocol::ids::{UnixMs, WorkspaceId};
use rusqlite::{Connection, Transaction};

use crate::files;
use crate::store::audit::{self, Head};
use crate::store::{EngineError, Result};

/// The file: `WORKSPACE N HASH` a line.
pub const FILE: &str = "audit.end";

/// The file, and what stands in it.
#[derive(Debug)]
pub(super) struct Witness {
    dir: PathBuf,
    written: Vec<Head>,
}

impl Witness {
    /// Looks whether the ends that stand in the file are in the database, records it where one is not,
    /// and begins the chain where there is none. The file itself is written by [`Self::note`].
    ///
    /// # Errors
    /// [`EngineError::Io`], [`EngineError::Damaged`] for a file that is none of ours, what the database
    /// says.
    pub fn open(
        dir: &Path,
        tx: &Transaction<'_>,
        workspaces: impl Iterator<Item = WorkspaceId>,
        now: UnixMs,
    ) -> Result<Witness> {
        let known = read(dir)?;
        for workspace in workspaces {
            audit::adopt(tx, workspace)?;
            for (n, hash) in known.iter().filter(|(of, ..)| *of == workspace).map(|k| (k.1, k.2)) {
                if audit::hash_at(tx, workspace, n)? != Some(hash) {
                    tracing::warn!(%workspace, n, "the audit log does not hold what it once held: an older backup was restored, or entries were taken out");
                    audit::note_gap(tx, workspace, now, n, &hash)?;
                }
            }
        }
        Ok(Witness { dir: dir.to_owned(), written: Vec::new() })
    }

    /// Writes the file if the log has grown since the last time. To be called after a durable commit. A
    /// failure is logged and tried again after the next one: the entry itself is on the disk.
    pub fn note(&mut self, conn: &Connection) {
        let outcome = audit::heads(conn).and_then(|heads| {
            if heads != self.written {
                write(&self.dir, &heads)?;
                self.written = heads;
            }
            Ok(())
        });
        if let Err(error) = outcome {
            tracing::warn!(%error, "where the audit log ends could not be written beside the database");
        }
    }
}

/// What stands in the file: workspace, number of the newest entry, its hash. Nothing if there is none.
///
/// # Errors
/// [`EngineError::Io`]; [`EngineError::Damaged`] for a file that is none of ours.
pub fn read(dir: &Path) -> Result<Vec<(WorkspaceId, i64, audit::Hash)>> {
    let path = dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(EngineError::Io { path, source }),
    };
    let line = |line: &str| {
        let mut words = line.split(' ');
        let workspace = words.next()?.parse().ok()?;
        let n = words.next()?.parse().ok()?;
        Some((workspace, n, audit::parse_hex(words.next()?)?))
    };
    text.lines().map(line).collect::<Option<Vec<_>>>().ok_or_else(|| {
        let reason = "it is not what this program writes there: somebody altered it; put it aside, start, and run `audit verify`";
        EngineError::damaged(path.display().to_string(), reason)
    })
}

fn write(dir: &Path, heads: &[Head]) -> Result<()> {
    let text: String = heads
        .iter()
        .map(|head| format!("{} {} {}\n", head.workspace, head.n, hex::encode(head.hash)))
        .collect();
    let path = dir.join(FILE);
    files::write_whole(&path, text.as_bytes(), files::ORDINARY)
        .map_err(|source| EngineError::Io { path, source })
}
