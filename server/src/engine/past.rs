//! Notices that the database in the data directory is an older one than the directory last had: a
//! backup was restored, or files were copied back by hand.
//!
//! The timelines of the last start stand in a file beside the database, which no backup of the
//! database holds. If the database does not know one of them, it has lost a part of its past; the
//! first cursor after that is kept in it. An assignment from there on is newer than anything that
//! evidence from a timeline nobody here remembers can tell (rule 3).
//!
//! A data directory that is copied back as a whole brings its file along: that is not noticed.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use roadbook_protocol::ids::{Cursor, TimelineId, WorkspaceId};
use rusqlite::{Connection, Transaction};

use crate::files;
use crate::store::{EngineError, Result, workspaces};

/// The file: one identifier a line.
const FILE: &str = "timelines";
/// The setting of a workspace: the first cursor after the first part of its past that was lost.
const SETTING: &str = "past_lost_before";

/// Whether the database has lost a part of its past since the last start in this directory. One that
/// has a past and comes without the file counts as one that has: nothing tells otherwise.
///
/// # Errors
/// [`EngineError::Io`], what the database says.
pub(super) fn is_lost(dir: &Path, conn: &Connection) -> Result<bool> {
    let text = match fs::read_to_string(dir.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return workspaces::any_timeline(conn),
        Err(source) => return Err(EngineError::Io { path: dir.join(FILE), source }),
    };
    for line in text.lines() {
        // A line that is none was not written by this program: whatever it was, it is not known.
        match line.parse::<TimelineId>() {
            Ok(id) if workspaces::knows_timeline(conn, id)? => {}
            _ => return Ok(true),
        }
    }
    Ok(false)
}

/// Keeps that a workspace has lost a part of its past, unless that is known of an earlier one. To be
/// called before the new timeline is opened.
///
/// # Errors
/// What the database says.
pub(super) fn note_lost(tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<()> {
    if lost_before(tx, workspace)?.is_none() {
        let first = workspaces::cursor(tx, workspace)? + 1;
        workspaces::set_setting(tx, workspace, SETTING, Some(&first.to_string()))?;
    }
    Ok(())
}

/// The first cursor after the first part of its past that the workspace has lost, if it has.
///
/// # Errors
/// What the database says.
pub(super) fn lost_before(conn: &Connection, workspace: WorkspaceId) -> Result<Option<Cursor>> {
    let Some(text) = workspaces::setting(conn, workspace, SETTING)? else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|error| EngineError::damaged(format!("the setting `{SETTING}`"), error))
}

/// Writes the file anew, durably.
///
/// # Errors
/// [`EngineError::Io`].
pub(super) fn remember(dir: &Path, timelines: &[TimelineId]) -> Result<()> {
    let text: String = timelines.iter().map(|id| format!("{id}\n")).collect();
    let path = dir.join(FILE);
    files::write_whole(&path, text.as_bytes(), files::ORDINARY)
        .map_err(|source| EngineError::Io { path, source })
}
