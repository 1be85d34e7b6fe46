//! Beginning anew where the key of a replica is gone: what can't be opened any more is put into a
//! directory of its own, whole, so that it can be opened there should the key come back; and it is put
//! back where the new beginning comes to nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::HEADER;
use crate::env::OpenOptions;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::files;
use crate::identity::{Home, INCARNATION};
use crate::keys::DATA_KEY;
use crate::replica::Replica;

/// What the directory's name begins with; the time follows.
const LOST: &str = "lost-";
/// Behind that while files are on their way into the directory, or back.
const MOVING: &str = ".moving";
/// Behind that while no new replica has taken the place.
const UNDECIDED: &str = ".undecided";
const DATABASE: &str = "replica.db";

/// Whether a name in the replica's directory is one of these.
pub(crate) fn is_ours(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(LOST) else { return false };
    let time = rest.strip_suffix(MOVING).or(rest.strip_suffix(UNDECIDED)).unwrap_or(rest);
    time.bytes().all(|byte| byte.is_ascii_digit())
}

/// Destroys such a directory.
pub(crate) fn erase(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).map_err(Error::file(path))? {
        files::erase(&entry.map_err(Error::file(path))?.path())?;
    }
    fs::remove_dir(path).map_err(Error::file(path))
}

/// What was put away. How far that has come stands in the directory's name, so that an end in the middle
/// leaves nothing half done: [`put_back`].
#[derive(Debug)]
pub(crate) struct PutAway {
    to: PathBuf,
    /// Whether the key store has a key of the data that it had before.
    had_key: bool,
}

impl PutAway {
    /// Puts everything away that is encrypted with the key that is gone, or bound to that file.
    fn begin(home: &Home, now_ms: i64) -> Result<PutAway> {
        let free = |at: &i64| {
            let name = |suffix| home.path().join(format!("{LOST}{at}{suffix}"));
            ["", MOVING, UNDECIDED].into_iter().all(|suffix| !name(suffix).exists())
        };
        let at = (now_ms.max(0)..).find(free).unwrap_or(now_ms);
        let moving = home.path().join(format!("{LOST}{at}{MOVING}"));
        fs::create_dir(&moving).map_err(Error::file(&moving))?;
        files::private(&moving, 0o700)?;
        home.sync();
        let had_key = home.secret(DATA_KEY)?.is_some();
        move_all(home.path(), &moving)?;
        failpoint("lost_moved");
        let put_away = PutAway { to: renamed(home, &moving, UNDECIDED)?, had_key };
        failpoint("lost_put_away");
        Ok(put_away)
    }

    /// The new replica is about to take its place: from now on it stays where it is.
    fn keep(&mut self, home: &Home) -> Result<()> {
        self.to = renamed(home, &self.to, "")?;
        Ok(())
    }

    /// Puts it back: what was made in its place is destroyed.
    fn undo(&self, home: &Home) -> Result<()> {
        back(home, &self.to)?;
        if !self.had_key {
            home.forget_secret(DATA_KEY)?;
        }
        Ok(())
    }
}

/// Puts back what was put away by a program that came to its end before a new replica had taken the
/// place. (A key that it had made stays with the store: one that came back must not be lost with it.)
pub(crate) fn put_back(home: &Home) -> Result<()> {
    for entry in fs::read_dir(home.path()).map_err(Error::file(home.path()))? {
        let entry = entry.map_err(Error::file(home.path()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_ours(&name) {
            continue;
        }
        if name.ends_with(UNDECIDED) {
            back(home, &entry.path())?;
        } else if name.ends_with(MOVING) {
            move_back(home, &entry.path())?;
        }
    }
    Ok(())
}

/// From a directory that holds all of it.
fn back(home: &Home, from: &Path) -> Result<()> {
    for name in names(home.path())? {
        files::erase(&home.path().join(name))?;
    }
    // What is new is gone, durably, before anything of the same name is here.
    home.sync();
    move_back(home, &renamed(home, from, MOVING)?)
}

fn move_back(home: &Home, from: &Path) -> Result<()> {
    move_all(from, home.path())?;
    home.sync();
    fs::remove_dir(from).map_err(Error::file(from))?;
    home.sync();
    Ok(())
}

/// What is there already is there as it was: nothing else was made while files were on their way.
fn move_all(from: &Path, to: &Path) -> Result<()> {
    for name in names(from)? {
        fs::rename(from.join(&name), to.join(&name)).map_err(Error::file(to))?;
    }
    files::sync_directory(from);
    files::sync_directory(to);
    Ok(())
}

/// The directory under the name that says how far it has come.
fn renamed(home: &Home, directory: &Path, suffix: &str) -> Result<PathBuf> {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let time = name.split('.').next().unwrap_or_default();
    let to = home.path().join(format!("{time}{suffix}"));
    if to != directory {
        fs::rename(directory, &to).map_err(Error::file(directory))?;
        home.sync();
    }
    Ok(to)
}

/// What is to be put away of a directory.
fn names(of: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(of).map_err(Error::file(of))? {
        let name = entry.map_err(Error::file(of))?.file_name().to_string_lossy().into_owned();
        if name.starts_with(DATABASE) || name == HEADER || name == INCARNATION {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

impl Replica {
    /// Opens the replica in `home` for an enrolment. As [`Self::open`], but where the key of what is
    /// there is lost ([`Error::KeyLost`]), that is put into a directory `lost-` with the time beside it
    /// and an empty replica is opened. It is put back if this is closed without an enrolment. The
    /// sealed copies of its unsent edits stay where they are, and go to the server after the enrolment.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_to_enrol(path: &Path, options: OpenOptions) -> Result<Replica> {
        match Replica::open(path, options.clone()) {
            Err(Error::KeyLost { .. }) => {}
            other => return other,
        }
        let mut put_away = None;
        let now_ms = options.clock.now_ms();
        let replica = Replica::open_after(path, options, |home| {
            put_away = Some(PutAway::begin(home, now_ms)?);
            Ok(())
        })?;
        *replica.lock_put_away() = put_away;
        if let Some(to) = replica.put_away() {
            tracing::warn!(
                to = %to.display(),
                "the key of the replica is lost; it is put there, and a new one is begun"
            );
        }
        Ok(replica)
    }

    /// The directory in which a replica lies whose key is lost, once this new one has taken its place:
    /// until then its name says that this is not decided.
    pub fn put_away(&self) -> Option<PathBuf> {
        self.lock_put_away().as_ref().map(|put_away| put_away.to.with_extension(""))
    }

    /// The new replica is about to take its place.
    ///
    /// # Errors
    /// What the disk says: it must not take it then.
    pub(crate) fn beginning_anew(&self) -> Result<()> {
        match self.lock_put_away().as_mut() {
            Some(put_away) => put_away.keep(&self.inner.home),
            None => Ok(()),
        }
    }

    /// The new replica has taken its place.
    pub(crate) fn begun_anew(&self) {
        *self.lock_put_away() = None;
    }

    /// Nothing came of the new replica, whose files are closed.
    pub(crate) fn not_begun_anew(&self) {
        let Some(put_away) = self.lock_put_away().take() else { return };
        let home = &self.inner.home;
        if let Err(error) = home.lock().and_then(|()| put_away.undo(home)) {
            tracing::warn!(%error, "what was put away could not be put back; it lies in `{}`", put_away.to.display());
        }
        home.unlock();
    }

    fn lock_put_away(&self) -> std::sync::MutexGuard<'_, Option<PutAway>> {
        self.inner.put_away.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
