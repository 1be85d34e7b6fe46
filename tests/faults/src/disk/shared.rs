//! The state of a disk behind its handles: files, their journals, what is armed. No C here.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::ffi::{SQLITE_FULL, SQLITE_OK};

use super::fault::{Counters, Faults, IoKind, Verdict, add};
use super::journal::Journal;
use super::{Loss, Lost};
use crate::random::Random;
use crate::world;

/// What a failing write may leave behind is cut at these.
const SECTOR: u64 = 512;

/// The real file under a handle; codes are SQLite's.
pub(super) trait Real {
    fn read(&self, into: &mut [u8], offset: u64) -> c_int;
    fn write(&self, data: &[u8], offset: u64) -> c_int;
    fn truncate(&self, to: u64) -> c_int;
}

/// One disk.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) root: PathBuf,
    seed: u64,
    pub(super) crashed: AtomicBool,
    pub(super) counters: Counters,
    operations: AtomicU64,
    /// Whether anything is armed: the lock of `faults` is taken only then.
    armed: AtomicBool,
    pub(super) faults: Mutex<Faults>,
    files: Mutex<Files>,
    /// Files made or deleted since their directory was last synced.
    loose: AtomicUsize,
    pub(super) open: AtomicUsize,
    cuts: AtomicU64,
    pub(super) sync_delay_us: AtomicU64,
}

#[derive(Debug, Default)]
struct Files {
    known: BTreeMap<PathBuf, Arc<Tracked>>,
    deleted: BTreeMap<PathBuf, Deleted>,
}

/// A file of the disk, shared by its handles; it stays known while it is closed.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) path: PathBuf,
    identity: Identity,
    main: bool,
    handles: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    length: u64,
    /// Its name in the directory is not durable.
    created: bool,
    journal: Journal,
}

/// A write-ahead log or rollback journal that was deleted; the directory was not synced since.
#[derive(Debug)]
struct Deleted {
    content: File,
    file: Arc<Tracked>,
    /// The database that it belongs to: a log must never come back beside another one.
    main_identity: Option<Identity>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What tells a file from another one of the same name: numbers of inodes are used again at once.
type Identity = (u64, Option<SystemTime>);

fn identity(found: &fs::Metadata) -> Identity {
    (found.ino(), found.created().ok())
}

fn identity_of(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| identity(&found))
}

/// The database to which a log or journal belongs.
fn main_of(path: &Path) -> Option<PathBuf> {
    let name = path.to_str()?;
    let main = name.strip_suffix("-wal").or_else(|| name.strip_suffix("-journal"))?;
    Some(PathBuf::from(main))
}

impl Shared {
    pub(super) fn new(root: PathBuf, seed: u64) -> Self {
        Self {
            root,
            seed,
            crashed: AtomicBool::new(false),
            counters: Counters::default(),
            operations: AtomicU64::new(0),
            armed: AtomicBool::new(false),
            faults: Mutex::default(),
            files: Mutex::default(),
            loose: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            cuts: AtomicU64::new(0),
            sync_delay_us: AtomicU64::new(0),
        }
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    pub(super) fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        let mut faults = lock(&self.faults);
        change(&mut faults);
        self.armed.store(!faults.is_empty(), Ordering::SeqCst);
    }

    pub(super) fn crash(&self) {
        if !self.crashed.swap(true, Ordering::SeqCst) {
            add(&self.counters.crashes);
        }
    }

    /// Whether nothing works any more; counts who asked.
    pub(super) fn is_dead(&self) -> bool {
        let dead = self.crashed.load(Ordering::SeqCst);
        if dead {
            add(&self.counters.refused);
        }
        dead
    }

    /// Counts an operation and says whether it may happen.
    fn begin(&self, operation: IoKind) -> Result<(), (c_int, Verdict)> {
        if self.is_dead() {
            return Err((operation.error(), Verdict::Crash));
        }
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.counters.count(operation);
        if !self.armed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut verdict = Verdict::Go;
        self.change_faults(|faults| verdict = faults.decide(operation));
        match verdict {
            Verdict::Go => return Ok(()),
            Verdict::Crash => self.crash(),
            Verdict::Fail | Verdict::LostSync => self.counters.count_failed(operation),
        }
        Err((operation.error(), verdict))
    }

    pub(super) fn read(&self, real: &impl Real, into: &mut [u8], offset: u64) -> c_int {
        match self.begin(IoKind::Read) {
            Ok(()) => real.read(into, offset),
            Err((code, _)) => code,
        }
    }

    pub(super) fn write(
        &self,
        file: &Tracked,
        real: &impl Real,
        data: &[u8],
        offset: u64,
    ) -> c_int {
        let verdict = self.begin(IoKind::Write);
        let mut state = lock(&file.state);
        if let Err((code, verdict)) = verdict {
            if verdict == Verdict::Fail {
                let chosen = self.random(self.operations()).below(data.len() as u64 / SECTOR + 1);
                self.write_part(&mut state, real, data, offset, chosen * SECTOR);
            }
            return code;
        }
        let growth = (offset + data.len() as u64).saturating_sub(state.length);
        if growth > 0 && self.armed.load(Ordering::Relaxed) {
            let mut left = None;
            self.change_faults(|faults| {
                left = faults.left.filter(|left| *left < growth);
                if let Some(free) = &mut faults.left {
                    *free = free.saturating_sub(growth);
                }
            });
            if let Some(left) = left {
                add(&self.counters.full);
                let fits = (data.len() as u64 - growth + left) / SECTOR * SECTOR;
                self.write_part(&mut state, real, data, offset, fits);
                return SQLITE_FULL;
            }
        }
        self.write_through(&mut state, real, data, offset)
    }

    /// What a write that fails has written before it failed.
    fn write_part(
        &self,
        state: &mut State,
        real: &impl Real,
        data: &[u8],
        offset: u64,
        bytes: u64,
    ) {
        let part = &data[..data.len().min(bytes as usize)];
        if !part.is_empty() {
            self.write_through(state, real, part, offset);
        }
    }

    fn write_through(
        &self,
        state: &mut State,
        real: &impl Real,
        data: &[u8],
        offset: u64,
    ) -> c_int {
        let length = state.length;
        let noted =
            state.journal.write(offset, data, length, |old| real.read(old, offset) == SQLITE_OK);
        let Some(written_back) = noted else { return IoKind::Write.error() };
        self.counters.written_back.fetch_add(written_back, Ordering::Relaxed);
        let code = real.write(data, offset);
        if code == SQLITE_OK {
            state.length = length.max(offset + data.len() as u64);
            self.counters.bytes_written.fetch_add(data.len() as u64, Ordering::Relaxed);
        } else {
            state.journal.forget_last();
        }
        code
    }

    pub(super) fn truncate(&self, file: &Tracked, real: &impl Real, to: u64) -> c_int {
        if let Err((code, _)) = self.begin(IoKind::Truncate) {
            return code;
        }
        let mut state = lock(&file.state);
        let length = state.length;
        if to >= length {
            return SQLITE_OK;
        }
        let noted = state.journal.truncate(to, length, |old| real.read(old, to) == SQLITE_OK);
        if noted.is_none() {
            return IoKind::Truncate.error();
        }
        let code = real.truncate(to);
        if code == SQLITE_OK {
            state.length = to;
            if self.armed.load(Ordering::Relaxed) {
                self.change_faults(|faults| {
                    if let Some(free) = &mut faults.left {
                        *free += length - to;
                    }
                });
            }
        } else {
            state.journal.forget_last();
        }
        code
    }

    /// The real file is not synced: tmpfs has nothing below it, and the journal decides.
    pub(super) fn sync(&self, file: &Tracked) -> c_int {
        let delay = self.sync_delay_us.load(Ordering::Relaxed);
        if delay > 0 {
            if world::inside() {
                world::advance(Duration::from_micros(delay));
            } else {
                std::thread::sleep(Duration::from_micros(delay));
            }
        }
        match self.begin(IoKind::Sync) {
            Ok(()) => {}
            Err((code, verdict)) => {
                if verdict == Verdict::LostSync {
                    add(&self.counters.lost_syncs);
                    lock(&file.state).journal.lose_sync();
                }
                return code;
            }
        }
        lock(&file.state).journal.sync();
        if self.loose.load(Ordering::SeqCst) > 0 {
            self.sync_directory(file.path.parent());
        }
        SQLITE_OK
    }

    /// A journaling file system makes every earlier change of a directory durable with the next
    /// sync of a file in it.
    fn sync_directory(&self, directory: Option<&Path>) {
        let mut files = lock(&self.files);
        let mut loose = 0;
        for file in files.known.values() {
            let mut state = lock(&file.state);
            state.created &= file.path.parent() != directory;
            loose += usize::from(state.created);
        }
        files.deleted.retain(|path, _| path.parent() != directory);
        self.loose.store(loose + files.deleted.len(), Ordering::SeqCst);
    }

    /// Opens a file of this disk by `open`, which gives SQLite's code.
    pub(super) fn open(
        &self,
        path: &Path,
        main: bool,
        open: impl FnOnce() -> c_int,
    ) -> Result<Arc<Tracked>, c_int> {
        self.begin(IoKind::Open).map_err(|(code, _)| code)?;
        let mut files = lock(&self.files);
        let existed = fs::symlink_metadata(path).is_ok();
        let code = open();
        if code != SQLITE_OK {
            return Err(code);
        }
        let found = fs::metadata(path).map_err(|_| IoKind::Open.error())?;
        let known = files.known.get(path).filter(|file| file.identity == identity(&found));
        let file = match known {
            Some(file) => Arc::clone(file),
            None => {
                let state =
                    State { length: found.len(), created: !existed, journal: Journal::default() };
                let file = Arc::new(Tracked {
                    path: path.to_owned(),
                    identity: identity(&found),
                    main,
                    handles: AtomicUsize::new(0),
                    state: Mutex::new(state),
                });
                files.known.insert(path.to_owned(), Arc::clone(&file));
                self.loose.fetch_add(usize::from(!existed), Ordering::SeqCst);
                file
            }
        };
        if file.handles.fetch_add(1, Ordering::SeqCst) == 0 {
            // Somebody may have written to it past SQLite while it was closed.
            lock(&file.state).length = found.len();
        }
        self.open.fetch_add(1, Ordering::SeqCst);
        Ok(file)
    }

    pub(super) fn close(&self, file: &Tracked) {
        file.handles.fetch_sub(1, Ordering::SeqCst);
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    pub(super) fn delete(&self, path: &Path, sync: bool, delete: impl FnOnce() -> c_int) -> c_int {
        if let Err((code, _)) = self.begin(IoKind::Delete) {
            return code;
        }
        let mut files = lock(&self.files);
        // Only of these: closing a second descriptor of a database drops the locks on it.
        let main = main_of(path);
        let content = main.as_ref().and_then(|_| File::open(path).ok());
        let code = delete();
        if code != SQLITE_OK {
            return code;
        }
        let file = files.known.remove(path);
        if let (Some(file), Some(content), Some(main)) = (file, content, main) {
            let created = std::mem::take(&mut lock(&file.state).created);
            if created {
                // It never was durable, so there is nothing that could come back.
                self.loose.fetch_sub(1, Ordering::SeqCst);
            } else if !sync {
                let main_identity = identity_of(&main);
                let gone = Deleted { content, file, main_identity };
                if files.deleted.insert(path.to_owned(), gone).is_none() {
                    self.loose.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        drop(files);
        if sync && self.loose.load(Ordering::SeqCst) > 0 {
            self.sync_directory(path.parent());
        }
        SQLITE_OK
    }

    /// Forgets what was done to the files: what they hold now is durable.
    pub(super) fn settle(&self) {
        let mut files = lock(&self.files);
        files.known.clear();
        files.deleted.clear();
        self.loose.store(0, Ordering::SeqCst);
    }

    pub(super) fn unsynced(&self) -> usize {
        lock(&self.files).known.values().map(|file| lock(&file.state).journal.unsynced()).sum()
    }

    /// The files that are open.
    pub(super) fn open_files(&self) -> Vec<PathBuf> {
        let files = lock(&self.files);
        let open = |file: &&Arc<Tracked>| file.handles.load(Ordering::SeqCst) > 0;
        files.known.values().filter(open).map(|file| file.path.clone()).collect()
    }

    fn random(&self, n: u64) -> Random {
        Random::nth(self.seed, n)
    }

    /// Applies the loss to the real files and lets the disk work again.
    pub(super) fn restart(&self, loss: Loss) -> io::Result<Lost> {
        let cut = self.cuts.fetch_add(1, Ordering::SeqCst);
        let mut random = self.random(0x6375_7400_0000_0000 ^ cut);
        let mut files = lock(&self.files);
        let mut lost = Lost::default();
        add(match loss {
            Loss::Process => &self.counters.restarts_process,
            Loss::Power => &self.counters.restarts_power,
            Loss::All => &self.counters.restarts_all,
        });
        if loss != Loss::Process {
            self.cut(&mut files, loss, &mut random, &mut lost)?;
        }
        for file in files.known.values().filter(|file| file.main) {
            let mut shm = file.path.clone().into_os_string();
            shm.push("-shm");
            match fs::remove_file(&shm) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for (counter, n) in [
            (&self.counters.kept, lost.kept),
            (&self.counters.dropped, lost.dropped),
            (&self.counters.torn, lost.torn),
            (&self.counters.truncates_undone, lost.truncates_undone),
            (&self.counters.creations_undone, lost.creations_undone),
            (&self.counters.deletes_undone, lost.deletes_undone),
        ] {
            counter.fetch_add(n, Ordering::Relaxed);
        }
        self.crashed.store(false, Ordering::SeqCst);
        Ok(lost)
    }

    fn cut(
        &self,
        files: &mut Files,
        loss: Loss,
        random: &mut Random,
        lost: &mut Lost,
    ) -> io::Result<()> {
        let undone = |random: &mut Random| loss == Loss::All || random.coin();
        let mut gone = Vec::new();
        for (path, file) in &files.known {
            // Another file may have taken its place, past SQLite: that one is not ours to change.
            if identity_of(path) != Some(file.identity) {
                gone.push(path.clone());
                continue;
            }
            let mut state = lock(&file.state);
            if state.created && undone(random) {
                fs::remove_file(path)?;
                lost.creations_undone += 1;
                gone.push(path.clone());
                continue;
            }
            state.created = false;
            if state.journal.unsynced() > 0 {
                let real = File::options().write(true).open(path)?;
                lost.add(state.journal.cut(&real, loss, random)?);
                state.length = real.metadata()?.len();
            }
        }
        for path in gone {
            files.known.remove(&path);
        }
        for (path, deleted) in std::mem::take(&mut files.deleted) {
            let same = main_of(&path).and_then(|main| identity_of(&main)) == deleted.main_identity
                && deleted.main_identity.is_some();
            if !same || path.exists() || !undone(random) {
                continue;
            }
            let mut again = File::create_new(&path)?;
            io::copy(&mut &deleted.content, &mut again)?;
            lost.add(lock(&deleted.file.state).journal.cut(&again, loss, random)?);
            lost.deletes_undone += 1;
        }
        self.loose.store(0, Ordering::SeqCst);
        Ok(())
    }
}
