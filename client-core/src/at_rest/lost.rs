//! Beginning anew where the key of a replica is gone: what can't be opened any more is put into a
//! directory of its own, whole, so that it can be opened there should the key come back; and it is put
//! back where the new beginning comes to nothing.

use std::fs;
use std::path::{Path, PathBuf};

use super::HEADER;
use crate::env::OpenOptions;
use crate::error::{Error, Result};
use crate::files;
use crate::identity::{Home, INCARNATION};
use crate::keys::DATA_KEY;
use crate::replica::Replica;

/// What the directory's name begins with; the time follows.
const LOST: &str = "lost-";
const DATABASE: &str = "replica.db";

/// Whether a name in the replica's directory is one of these.
pub(crate) fn is_ours(name: &str) -> bool {
    name.strip_prefix(LOST).is_some_and(|time| time.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Destroys such a directory.
pub(crate) fn erase(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path).map_err(Error::file(path))? {
        files::erase(&entry.map_err(Error::file(path))?.path())?;
    }
    fs::remove_dir(path).map_err(Error::file(path))
}

/// What was put away.
#[derive(Debug)]
pub(crate) struct PutAway {
    to: PathBuf,
    /// Whether the key store has a key of the data that it had before.
    had_key: bool,
}

impl PutAway {
    /// Puts everything away that is encrypted with the key that is gone, or bound to that file.
    fn begin(home: &Home, now_ms: i64) -> Result<PutAway> {
        let to = (0..)
            .map(|again| home.path().join(format!("{LOST}{}", now_ms.max(0) + again)))
            .find(|path| !path.exists())
            .unwrap_or_else(|| home.path().join(LOST));
        fs::create_dir(&to).map_err(Error::file(&to))?;
        files::private(&to, 0o700)?;
        let had_key = home.secret(DATA_KEY)?.is_some();
        // The database last: as long as it is here, nothing has happened.
        for name in names(home.path())? {
            fs::rename(home.path().join(&name), to.join(&name)).map_err(Error::file(&to))?;
        }
        home.sync();
        Ok(PutAway { to, had_key })
    }

    /// Puts it back: what was made in its place is destroyed.
    pub(crate) fn undo(&self, home: &Home) -> Result<()> {
        for name in names(home.path())? {
            files::erase(&home.path().join(name))?;
        }
        if !self.had_key {
            home.forget_secret(DATA_KEY)?;
        }
        for name in names(&self.to)? {
            fs::rename(self.to.join(&name), home.path().join(&name))
                .map_err(Error::file(&self.to))?;
        }
        fs::remove_dir(&self.to).map_err(Error::file(&self.to))?;
        home.sync();
        Ok(())
    }
}

/// What is to be put away of a directory, the database itself last.
fn names(of: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(of).map_err(Error::file(of))? {
        let name = entry.map_err(Error::file(of))?.file_name().to_string_lossy().into_owned();
        if name.starts_with(DATABASE) || name == HEADER || name == INCARNATION {
            names.push(name);
        }
    }
    names.sort_by_key(|name| (name == DATABASE, name.clone()));
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
        let home = Home::open(path, options.keys.clone())?;
        let put_away = PutAway::begin(&home, options.clock.now_ms())?;
        tracing::warn!(
            to = %put_away.to.display(),
            "the key of the replica is lost; it is put there, and a new one is begun"
        );
        drop(home);
        let replica = Replica::open(path, options)?;
        *replica.lock_put_away() = Some(put_away);
        Ok(replica)
    }

    /// The directory into which a replica was put whose key is lost, while it is not sure that a new
    /// one takes its place.
    pub fn put_away(&self) -> Option<PathBuf> {
        self.lock_put_away().as_ref().map(|put_away| put_away.to.clone())
    }

    /// The new replica takes its place.
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
