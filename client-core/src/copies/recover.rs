//! Handing over what an earlier device left behind: the copies of a replica that can't be opened any
//! more, sealed to the workspace, in files that wait beside the new one.
//!
//! Each part goes to the server by itself; a file is deleted when all of its parts were taken. Nothing
//! of it can be read here. A part that the server refuses stays, and is tried again when the replica is
//! opened the next time.

use std::path::{Path, PathBuf};

use roadbook_protocol::ids::{EditId, UserId, WorkspaceId};
use roadbook_protocol::wire::{Sealed, SealedStored};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::file::{self, Part};
use super::{Copies, Me};
use crate::error::{Error, Result};
use crate::files;
use crate::identity::Home;
use crate::replica::Replica;
use crate::store::meta::{self, key};

/// What became of the copies that were handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recovered {
    /// Edits that are part of their contacts now, or were already.
    pub taken: u64,
    /// Edits that wait for a decision of the new owner or the manager.
    pub proposed: u64,
    /// Edits that the office keeps and may look at.
    pub kept: u64,
}

impl Recovered {
    pub(super) fn load(conn: &Connection) -> Result<Option<Recovered>> {
        let text = meta::get::<String>(conn, key::RECOVERED)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn add(self, conn: &Connection) -> Result<()> {
        let before = Recovered::load(conn)?.unwrap_or_default();
        let sum = Recovered {
            taken: before.taken + self.taken,
            proposed: before.proposed + self.proposed,
            kept: before.kept + self.kept,
        };
        meta::set(conn, key::RECOVERED, serde_json::to_string(&sum).unwrap_or_default())
    }
}

/// A file that waits to be handed over.
#[derive(Debug)]
pub(super) struct Waiting {
    path: PathBuf,
    pub edits: u64,
    /// Why it can't be, or a part of it could not.
    pub refused: Option<String>,
    /// The part that is on its way, and where the next one lies.
    sent: Option<((EditId, u32), u64)>,
    /// Where the next part to hand over lies; `None` at the end.
    at: Option<u64>,
}

/// The files that wait, of this user or not.
pub(super) fn find(home: &Path, me: &Me) -> Vec<Waiting> {
    of(home, me.workspace, me.user)
}

fn of(home: &Path, workspace: WorkspaceId, user: UserId) -> Vec<Waiting> {
    let found = file::waiting(home).unwrap_or_else(|error| {
        tracing::warn!(%error, "it can't be told whether sealed copies wait to be handed over");
        Vec::new()
    });
    let look = |path: PathBuf| {
        let kept = |edits, refused: String| Waiting {
            path: path.clone(),
            edits,
            refused: Some(format!("{}: {refused}", path.display())),
            sent: None,
            at: None,
        };
        match file::read(&path) {
            Ok(Some(contents)) => {
                let header = &contents.header;
                if (header.workspace, header.user) != (workspace, user) {
                    return kept(contents.edits, OTHERS.to_owned());
                }
                Waiting { path, edits: contents.edits, refused: None, sent: None, at: Some(0) }
            }
            Ok(None) => {
                kept(0, "its beginning is damaged; nothing of it can be handed over".into())
            }
            Err(error) => kept(0, error.to_string()),
        }
    };
    found.into_iter().map(look).collect()
}

const DAMAGED: &str =
    "a part of these sealed edits is damaged and could not be handed over; the file is kept";
const OTHERS: &str = "these are sealed edits of another user; they are kept until that user enrols in this directory";

impl Copies {
    /// Edits that wait to be handed over, whosever they are.
    pub(crate) fn waiting(&self) -> u64 {
        self.lock().waiting.iter().map(|waiting| waiting.edits).sum()
    }

    /// The server has lost what it acknowledged: what is still here is handed over from its beginning.
    pub(crate) fn void(&self) {
        for waiting in &mut self.lock().waiting {
            waiting.at = waiting.at.map(|_| 0);
        }
    }

    /// Whether something waits that can be handed over now.
    pub(crate) fn are_due(&self) -> bool {
        self.lock().waiting.iter().any(|waiting| waiting.at.is_some())
    }
}

impl Replica {
    /// Looks for files that wait, where the database does not say whose it is.
    pub(crate) fn find_copies(&self, workspace: WorkspaceId, user: UserId) {
        self.copies().lock().waiting = of(self.inner.home.path(), workspace, user);
    }

    /// The next part to hand over, if there is one left.
    pub(crate) fn next_copy(&self) -> Result<Option<Sealed>> {
        let mut state = self.copies().lock();
        let mut done = Vec::new();
        let mut found = None;
        for (n, waiting) in state.waiting.iter_mut().enumerate() {
            let Some(at) = waiting.at else { continue };
            match file::part_at(&waiting.path, at) {
                Ok(Some(Part { sealed, next, behind_damage })) => {
                    if behind_damage && waiting.refused.is_none() {
                        // The file stays: what is in it is nowhere else.
                        waiting.refused = Some(DAMAGED.to_owned());
                    }
                    waiting.sent = Some(((sealed.bundle, sealed.part), next));
                    found = Some(sealed);
                    break;
                }
                Ok(None) => {
                    waiting.at = None;
                    let rest = |file: std::fs::Metadata| at > 0 && file.len() > at;
                    if waiting.refused.is_none() && waiting.path.metadata().is_ok_and(rest) {
                        waiting.refused = Some(DAMAGED.to_owned());
                    }
                    if waiting.refused.is_none() {
                        files::erase(&waiting.path)?;
                        done.push(n);
                    }
                }
                Err(error) => {
                    waiting.at = None;
                    waiting.refused = Some(error.to_string());
                }
            }
        }
        for n in done.into_iter().rev() {
            state.waiting.remove(n);
        }
        Ok(found)
    }

    /// What became of the part that was handed over last. Durable, for what is shown of it; the part
    /// itself is forgotten with its file.
    pub(crate) fn record_copied(&self, stored: &SealedStored) -> Result<()> {
        {
            let mut state = self.copies().lock();
            let sent = (stored.bundle, stored.part);
            let of =
                state.waiting.iter_mut().find(|w| w.sent.is_some_and(|(part, _)| part == sent));
            let Some(waiting) = of else { return Ok(()) };
            waiting.at = waiting.sent.take().map(|(_, next)| next);
            if !stored.code.is_empty() {
                waiting.refused = Some(format!("{} ({})", stored.reason, stored.code));
            }
        }
        let [taken, proposed, kept] = [stored.taken, stored.proposed, stored.kept].map(u64::from);
        let became = Recovered { taken, proposed, kept };
        if became == Recovered::default() || self.wipe_note().is_some() {
            return Ok(());
        }
        self.write("recovered", |write| {
            write.notices.sync = true;
            became.add(&write.tx)
        })
    }
}

/// Destroys every file of copies in a directory.
pub(crate) fn erase_all(home: &Home) -> Result<()> {
    let path = home.path();
    for entry in std::fs::read_dir(path).map_err(Error::file(path))? {
        let entry = entry.map_err(Error::file(path))?;
        if file::is_ours(&entry.file_name().to_string_lossy()) {
            files::erase(&entry.path())?;
        }
    }
    Ok(())
}
