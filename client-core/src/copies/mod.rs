//! Sealed copies (rule 17): each edit is also kept beside the database, sealed to the workspace, until
//! the server has it. So a replica whose key is gone loses none: it is enrolled anew, and the copies go
//! to the server, which alone can read them.
//!
//! An edit is saved when the database has it **and** its copy is on the disk: the copy is written by a
//! second thread while the database commits, so that an edit costs little more than the slower of the
//! two. It never costs an edit: where the copy can't be kept, the edit is saved all the same, and
//! [`CopyStatus::trouble`] says so until it is made good.
//!
//! The file is never more than a shadow of the database. When a replica opens, the two are compared;
//! where they differ the file is written anew. What it has that the database has not is dropped, unless
//! the database is another one than it was: then the file waits to be handed over ([`recover`]).

mod file;
mod recover;
#[cfg(test)]
mod tests;
mod unsent;

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::wire::{CopiesHeader, copy_key_text};
use rusqlite::Connection;
use serde::Serialize;
use zeroize::Zeroizing;

use self::file::{Book, Chance, Mark, Tag, Tagged};
pub use self::recover::Recovered;
use self::recover::Waiting;
pub(crate) use self::recover::erase_all;
pub(crate) use self::unsent::{parts, unsent};
use crate::env::Durability;
use crate::error::{Error, Result};
use crate::replica::{Me, Replica, Write};
use crate::store::meta::{self, key};

/// What the disk refused is tried again after so long, or with the next acknowledgement.
const RETRY: Duration = Duration::from_secs(30);
/// The file is written anew when it has so many parts and most of them have arrived ...
const PARTS_TIDY: u32 = 512;
/// ... or so many at all: many edits in one part take less.
const PARTS_MAX: u32 = 2_048;

/// Why no sealed copies of edits are kept. The edits themselves are saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CopyTrouble {
    /// No server has told the key to seal to: one older than this app.
    NoSealingKey,
    /// The device's own key can't vouch for them now.
    Unsigned {
        /// What the key store says.
        reason: String,
    },
    /// The disk does not take them.
    Storage {
        /// What the system says.
        reason: String,
    },
    /// More edits are unsent than copies are kept of (64 MiB).
    Full,
}

impl std::fmt::Display for CopyTrouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CopyTrouble::NoSealingKey => f.write_str(
                "the server has not told the key to seal them to; sync once, or have the server updated",
            ),
            CopyTrouble::Unsigned { reason } => {
                write!(f, "this device's key can't vouch for them: {reason}")
            }
            CopyTrouble::Storage { reason } => write!(f, "the disk does not take them: {reason}"),
            CopyTrouble::Full => {
                f.write_str("more is unsent than copies are kept of (64 MiB); sync soon")
            }
        }
    }
}

/// The sealed copies of edits (rule 17).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CopyStatus {
    /// Why copies of new edits are not kept; `None`: they are.
    pub trouble: Option<CopyTrouble>,
    /// Edits in the copies of an earlier device that are still to be handed over.
    pub waiting: u64,
    /// Why some of these can't be: they are kept as they are.
    pub refused: Option<String>,
    /// What became of those that were.
    pub recovered: Option<Recovered>,
}

/// The copies of one replica.
#[derive(Default)]
pub(crate) struct Copies {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where copies are written; `None` while they are not.
    book: Option<Book>,
    trouble: Option<CopyTrouble>,
    /// When writing anew was tried last.
    tried: Option<Instant>,
    waiting: Vec<Waiting>,
}

/// What is to be copied with a transaction that is about to be committed.
pub(crate) struct Copying<'a> {
    state: MutexGuard<'a, State>,
    edits: Vec<Tagged>,
    chance: Chance,
    durability: Durability,
}

impl Copies {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the file.
    pub(crate) fn close(&self) {
        *self.lock() = State::default();
    }

    /// What this transaction adds that is not in the file. `None` where that is nothing, and while no
    /// copies are kept.
    pub(crate) fn of(&self, write: &Write<'_>) -> Result<Option<Copying<'_>>> {
        let state = self.lock();
        let Some(book) = &state.book else { return Ok(None) };
        let mut edits = Vec::new();
        for (contact, hash) in write.added.iter().filter(|(_, hash)| !book.tags.contains(&hash.0)) {
            let added = unsent::change(&write.tx, *contact, hash)?;
            edits.extend(added.map(|edit| (hash.0, edit)));
        }
        if edits.is_empty() {
            return Ok(None);
        }
        let replica = write.replica;
        let chance = Chance::draw(replica.entropy(), 1);
        let durability = replica.inner.options.durability;
        Ok(Some(Copying { state, edits, chance, durability }))
    }
}

impl Copying<'_> {
    /// Commits while the copy is written; both are done on return. A copy that can't be written is
    /// noted and does not stand in the way; that of a transaction which was not committed is taken back.
    pub(crate) fn beside<E>(
        mut self,
        commit: impl FnOnce() -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let Some(mut book) = self.state.book.take() else { return commit() };
        let mark: Mark = book.mark();
        let tags: Vec<Tag> = self.edits.iter().map(|(tag, _)| *tag).collect();
        let (edits, chance) = (self.edits, &self.chance);
        let (committed, copied) = match self.durability {
            Durability::Full => both(|| book.append(edits, chance, true), commit),
            Durability::Off => {
                let copied = book.append(edits, chance, false);
                (commit(), copied)
            }
        };
        let kept = match (&committed, copied) {
            (Ok(()), Ok(())) => Ok(()),
            (Ok(()), Err(error)) => {
                // Half a part may be there.
                let _ = book.take_back(&mark, &tags);
                Err(error)
            }
            (Err(_), _) => book.take_back(&mark, &tags),
        };
        match kept {
            Ok(()) => self.state.book = Some(book),
            Err(error) => self.state.failed(&error),
        }
        committed
    }
}

/// Whether a file has something that the database does not know.
fn has_unknown(
    conn: &Connection,
    contents: &file::Contents,
    unsent: &std::collections::HashSet<Tag>,
) -> Result<bool> {
    for tag in contents.tags.difference(unsent) {
        if !unsent::is_known(conn, tag)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs the first on a thread of its own while the second runs here.
fn both<E>(
    beside: impl FnOnce() -> io::Result<()> + Send,
    commit: impl FnOnce() -> std::result::Result<(), E>,
) -> (std::result::Result<(), E>, io::Result<()>) {
    let mut commit = Some(commit);
    let mut run = || commit.take().map_or(Ok(()), |commit| commit());
    thread::scope(|scope| {
        // A thread costs some 30 microseconds; where there is none to be had, nothing is copied.
        match thread::Builder::new().name("copies".into()).spawn_scoped(scope, beside) {
            Ok(thread) => {
                let committed = run();
                let panicked = |_| Err(io::Error::other("the thread that writes them panicked"));
                (committed, thread.join().unwrap_or_else(panicked))
            }
            Err(error) => (run(), Err(error)),
        }
    })
}

impl State {
    fn failed(&mut self, error: &io::Error) {
        let trouble = match error.kind() {
            io::ErrorKind::FileTooLarge => CopyTrouble::Full,
            _ => CopyTrouble::Storage { reason: error.to_string() },
        };
        self.troubled(trouble);
    }

    fn troubled(&mut self, trouble: CopyTrouble) {
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!(%trouble, "edits are saved, but no sealed copies of them are kept");
        }
        self.book = None;
        self.trouble = Some(trouble);
        self.tried = Some(Instant::now());
    }

    fn is_retry_due(&self) -> bool {
        self.book.is_none() && self.has_waited()
    }

    fn has_waited(&self) -> bool {
        self.tried.is_some_and(|tried| tried.elapsed() >= RETRY)
    }

    /// Whether an acknowledgement is a moment to try again. Where there is more than the file may hold,
    /// each attempt writes all of that: not with every one.
    fn may_heal(&self) -> bool {
        self.tried.is_some() && (self.trouble != Some(CopyTrouble::Full) || self.has_waited())
    }
}

/// What a transaction means for the copies, besides what it adds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aftermath {
    /// Nothing.
    #[default]
    Nothing,
    /// Something may have arrived.
    Arrived,
    /// What is unsent, or whom it is sealed to, may be another thing: all of it is looked at.
    Compare,
}

impl Replica {
    pub(crate) fn copies(&self) -> &Copies {
        &self.inner.copies
    }

    /// Brings the copies in step with the database. Never fails what it is called for.
    ///
    /// `moved`: the database is another file than it was, restored or salvaged.
    pub(crate) fn compare_copies(&self, conn: &Connection, moved: bool) {
        let mut state = self.copies().lock();
        match self.begin_copies(conn, &mut state, moved) {
            Ok(()) => {}
            Err(Error::File { source, .. }) => state.failed(&source),
            Err(error) => state.troubled(CopyTrouble::Storage { reason: error.to_string() }),
        }
    }

    /// After the database was opened: the file is compared with it.
    ///
    /// # Errors
    /// [`Error::Suspended`].
    pub(crate) fn open_copies(&self, moved: bool) -> Result<()> {
        if let Some(note) = self.wipe_note() {
            self.find_copies(note.workspace, note.user);
            return Ok(());
        }
        let writer = self.inner.store.lock_writer();
        let conn = writer.as_ref().ok_or(Error::Suspended)?;
        self.compare_copies(conn, moved);
        Ok(())
    }

    /// After a commit: what the transaction meant for the copies is done.
    pub(crate) fn settle_copies(&self, conn: &Connection, aftermath: Aftermath) {
        let arrived = aftermath == Aftermath::Arrived;
        let (retry, parts, tags) = {
            let state = self.copies().lock();
            let (parts, tags) =
                state.book.as_ref().map_or((0, 0), |book| (book.parts, book.tags.len()));
            (state.is_retry_due() || arrived && state.may_heal(), parts, tags)
        };
        if aftermath == Aftermath::Compare || retry {
            return self.compare_copies(conn, false);
        }
        if parts == 0 || !(arrived || parts >= PARTS_MAX) {
            return;
        }
        match unsent::is_empty(conn) {
            Ok(true) => {
                let mut state = self.copies().lock();
                if let Some(Err(error)) = state.book.as_mut().map(Book::empty) {
                    state.failed(&error);
                }
            }
            Ok(false) => {
                let much_arrived = parts >= PARTS_TIDY
                    && unsent::tags(conn).is_ok_and(|unsent| unsent.len() * 2 < tags);
                if parts >= PARTS_MAX || much_arrived {
                    self.write_copies_anew(conn);
                }
            }
            // The database says so itself where it matters.
            Err(_) => {}
        }
    }

    fn write_copies_anew(&self, conn: &Connection) {
        self.copies().lock().book = None;
        self.compare_copies(conn, false);
    }

    fn begin_copies(&self, conn: &Connection, state: &mut State, moved: bool) -> Result<()> {
        let before = state.book.take();
        let Ok(me) = self.me(conn) else {
            *state = State::default();
            return Ok(());
        };
        let path = self.inner.home.path().join(file::FILE);
        let on_disk = |error| Error::file(&path)(error);
        let contents = file::read(&path).map_err(on_disk)?;
        if contents.is_none()
            && path.exists()
            && meta::get::<Vec<u8>>(conn, key::COPY_KEY)?.is_none()
        {
            // It can't be read, and it was not written with this database.
            file::let_wait(self.inner.home.path()).map_err(on_disk)?;
        }
        let unsent = unsent::tags(conn)?;
        if let Some(contents) = &contents {
            let header = &contents.header;
            let ours = (header.workspace, header.device) == (me.workspace, me.device) && !moved;
            if !ours && has_unknown(conn, contents, &unsent)? {
                file::let_wait(self.inner.home.path()).map_err(on_disk)?;
            }
        }
        state.waiting = recover::find(self.inner.home.path(), &me);
        let Some(sealed_to) = meta::get::<Vec<u8>>(conn, key::SEALING_KEY)? else {
            state.troubled(CopyTrouble::NoSealingKey);
            return Ok(());
        };
        let (pair, vouched) = match self.copy_key(conn, &me) {
            Ok(key) => key,
            Err(error @ Error::Storage(_)) => return Err(error),
            Err(error) => {
                state.troubled(CopyTrouble::Unsigned { reason: error.to_string() });
                return Ok(());
            }
        };
        let key = pair.public_key().as_ref().to_vec();
        let Me { workspace, device, user } = me;
        let header = CopiesHeader { workspace, device, user, sealed_to, key, vouched };
        let fits = |contents: &file::Contents| {
            contents.header == header && !contents.torn && contents.tags == unsent
        };
        let (book, left_out) = match contents {
            Some(contents) if fits(&contents) && contents.parts < PARTS_MAX => {
                drop(before);
                (Book::go_on(&path, contents, pair).map_err(on_disk)?, false)
            }
            _ => {
                let edits = unsent::tagged(unsent::unsent(conn)?);
                let parts = parts(edits, |(_, edit)| edit);
                let chance = Chance::draw(self.entropy(), parts.len());
                Book::write(&path, header, pair, parts, chance).map_err(on_disk)?
            }
        };
        (state.trouble, state.tried) = (None, None);
        state.book = Some(book);
        if left_out {
            state.troubled(CopyTrouble::Full);
        }
        Ok(())
    }

    /// The key that signs copies, with the device's word for it. Made when it is first needed: the
    /// device's own key signs once.
    fn copy_key(&self, conn: &Connection, me: &Me) -> Result<(Ed25519KeyPair, Vec<u8>)> {
        const SEED: usize = 32;
        let unusable = || Error::Damaged {
            what: "the key that signs copies".into(),
            reason: "it is made anew with the next enrolment".into(),
        };
        let pair = |seed: &[u8]| Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| unusable());
        if let Some(kept) = meta::get::<Vec<u8>>(conn, key::COPY_KEY)?
            && let Some(kept) = kept.strip_prefix(me.device.as_bytes().as_slice())
            && let Some((seed, vouched)) = kept.split_at_checked(SEED)
        {
            return Ok((pair(seed)?, vouched.to_vec()));
        }
        let own = self.inner.home.key()?.ok_or(Error::NotEnrolled)?;
        let mut seed = Zeroizing::new([0; SEED]);
        self.entropy().fill(seed.as_mut());
        let made = pair(seed.as_ref())?;
        let public = made.public_key().as_ref();
        let vouched = own.sign(&copy_key_text(&me.workspace, &me.device, &me.user, public))?;
        let kept =
            Zeroizing::new([me.device.as_bytes().as_slice(), seed.as_ref(), &vouched].concat());
        meta::set(conn, key::COPY_KEY, kept.as_slice())?;
        Ok((made, vouched))
    }

    /// How the copies are.
    pub(crate) fn copy_status(&self, conn: &Connection) -> Result<CopyStatus> {
        let recovered = Recovered::load(conn)?;
        let state = self.copies().lock();
        let refused = state.waiting.iter().find_map(|waiting| waiting.refused.clone());
        Ok(CopyStatus {
            trouble: state.trouble.clone(),
            waiting: state.waiting.iter().map(|waiting| waiting.edits).sum(),
            refused,
            recovered,
        })
    }

    /// The file, for those who destroy the replica.
    pub(crate) fn copies_path(&self) -> PathBuf {
        self.inner.home.path().join(file::FILE)
    }
}
