//! A disk that fails as real disks do, under an unchanged SQLite.
//!
//! [`Disk::mount`] makes every SQLite file below a directory belong to a simulated disk; files
//! elsewhere are untouched. The files stay real files, so copying, renaming and measuring them
//! works. What the shim adds is the difference between *written* and *durable*: it keeps, for every
//! file, what was written since its last sync, and a [restart](Disk::restart) after a crash applies
//! the loss to the real files. And it fails any operation it is told to ([`DiskFault`]).
//!
//! The model, wherever real disks differ the mildest that any could show:
//! - a write is durable once a later sync of the same file has succeeded;
//! - a file's name, new or deleted, is durable once any file of its directory was synced (ext4, xfs);
//! - of unsynced writes any subset may survive a power cut, each whole or torn between 512-byte
//!   sectors, never touching a byte outside of its range;
//! - a failed write may have written its first sectors; a failed sync leaves its writes unsynced
//!   ([`DiskFault::LostSync`]: loses them);
//! - the shared-memory index of a write-ahead log is memory and is gone after any crash;
//! - more than 64 MiB unsynced in a file: the system writes the oldest half back by itself.
//!
//! What is written past SQLite (a key file, a lock file, `fs::rename`) is durable at once.
//!
//! The shim must never decide by anything but its seed, its counters and what it is asked to do, so
//! that a run over it can be repeated.

mod fault;
mod journal;
mod methods;
mod shared;
mod vfs;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use fault::{DiskFault, DiskStats, IoKind};

use crate::random::Random;
use shared::Shared;

/// What [`Disk::overwrite_page`] destroys: the size of SQLite's pages unless one asks for another.
pub const PAGE_BYTES: u64 = 4_096;

/// What a crash takes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing that was written: the program was killed, the system goes on. What was unsynced
    /// stays so.
    Process,
    /// Of what was unsynced, a seeded choice: each write is kept, dropped or torn; truncates,
    /// creations and deletions may be undone.
    Power,
    /// Everything unsynced: the worst power cut.
    All,
}

/// What a restart did to unsynced operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Unsynced writes that are there.
    pub kept: u64,
    /// Unsynced writes that are not.
    pub dropped: u64,
    /// Unsynced writes of which some sectors are there.
    pub torn: u64,
    /// Truncates undone.
    pub truncates_undone: u64,
    /// Files gone that were made and never synced.
    pub creations_undone: u64,
    /// Deleted logs that are there again.
    pub deletes_undone: u64,
}

impl Lost {
    fn add(&mut self, other: Lost) {
        self.kept += other.kept;
        self.dropped += other.dropped;
        self.torn += other.torn;
        self.truncates_undone += other.truncates_undone;
        self.creations_undone += other.creations_undone;
        self.deletes_undone += other.deletes_undone;
    }
}

/// A simulated disk. Clones are the same disk; it is unmounted when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Mount>);

#[derive(Debug)]
struct Mount(Arc<Shared>);

impl Drop for Mount {
    fn drop(&mut self) {
        vfs::unmount(&self.0.root);
    }
}

impl Disk {
    /// Puts the disk under every SQLite file below `root`, which is created if it is not there. All
    /// that the disk decides by itself follows from the seed. Files that are open already are not
    /// affected. A mount below another one takes its directory out of that.
    ///
    /// # Panics
    /// If the directory can't be created or is a mounted root already.
    pub fn mount(root: &Path, seed: u64) -> Disk {
        fs::create_dir_all(root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
        let root =
            root.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", root.display()));
        let shared = Arc::new(Shared::new(root, seed));
        vfs::mount(&shared);
        Disk(Arc::new(Mount(shared)))
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }

    /// The mounted directory, canonical.
    pub fn root(&self) -> &Path {
        &self.shared().root
    }

    /// Everything counted since the mount.
    pub fn stats(&self) -> DiskStats {
        self.shared().counters.read()
    }

    /// Operations so far, of every kind in [`IoKind`]: the scale of [`DiskFault::Crash`] and of
    /// [`DiskFault::Fail`] with [`IoKind::Any`]. Operations of a crashed disk don't count.
    pub fn operations(&self) -> u64 {
        self.shared().operations()
    }

    /// Arms a fault. Several may be armed; each strikes once, but a full disk stays full.
    pub fn arm(&self, fault: DiskFault) {
        self.shared().change_faults(|faults| faults.arm(fault));
    }

    /// Takes back everything armed that has not struck, and gives a full disk room again.
    pub fn disarm(&self) {
        self.shared().change_faults(|faults| *faults = fault::Faults::default());
    }

    /// Makes every sync take so long: a slow disk. Inside a [world](crate::World) its clock moves,
    /// elsewhere the thread sleeps. Zero ends it.
    pub fn set_sync_delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.shared().sync_delay_us.store(micros, Ordering::SeqCst);
    }

    /// From now on every operation fails, through every open file and on opening, until
    /// [`Self::restart`]. Closing a file works and changes nothing: no checkpoint, no deletion.
    pub fn crash(&self) {
        self.shared().crash();
    }

    /// Whether it has crashed and was not restarted.
    pub fn is_crashed(&self) -> bool {
        self.shared().crashed.load(Ordering::SeqCst)
    }

    /// Applies the loss to the real files, deletes shared memory, and lets the disk work again.
    /// Faults that are armed stay armed. Works after a clean shutdown as well.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`], naming the files, while any is open: nothing is changed
    /// then, as a program that goes on after a power cut makes no sense. Else what the real file
    /// system says.
    pub fn restart(&self, loss: Loss) -> io::Result<Lost> {
        let shared = self.shared();
        if shared.open.load(Ordering::SeqCst) > 0 {
            let open = shared.open_files();
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("files are open, drop every connection before a restart: {open:?}"),
            ));
        }
        shared.restart(loss)
    }

    /// How many handles SQLite has on files of this disk.
    pub fn open_handles(&self) -> usize {
        self.shared().open.load(Ordering::SeqCst)
    }

    /// Writes and truncates that are not durable yet. For a look at a quiet disk: it counts.
    pub fn unsynced(&self) -> usize {
        self.shared().unsynced()
    }

    /// Flips one bit of a file (absolute, or relative to the root), durably; tells at which byte.
    /// Close its connections before: what they have cached, they don't read again.
    ///
    /// # Errors
    /// What the real file system says; `InvalidInput` for an empty file.
    pub fn flip_bit(&self, file: &Path, seed: u64) -> io::Result<u64> {
        let (real, length) = self.real(file)?;
        let mut random = Random::nth(seed, 1);
        let at = random.below(length);
        let mut byte = [0];
        real.read_exact_at(&mut byte, at)?;
        byte[0] ^= 1 << random.below(8);
        real.write_all_at(&byte, at)?;
        fault::add(&self.shared().counters.bits_flipped);
        Ok(at)
    }

    /// Overwrites one page ([`PAGE_BYTES`], or what there is of it) of a file with noise, durably;
    /// tells at which byte it begins. As [`Self::flip_bit`] otherwise.
    ///
    /// # Errors
    /// As [`Self::flip_bit`].
    pub fn overwrite_page(&self, file: &Path, seed: u64) -> io::Result<u64> {
        let (real, length) = self.real(file)?;
        let mut random = Random::nth(seed, 2);
        let at = random.below(length.div_ceil(PAGE_BYTES)) * PAGE_BYTES;
        let mut noise = vec![0; PAGE_BYTES.min(length - at) as usize];
        random.fill(&mut noise);
        real.write_all_at(&noise, at)?;
        fault::add(&self.shared().counters.pages_overwritten);
        Ok(at)
    }

    /// Files were written past SQLite, and the system has written them back since: nothing that was
    /// done to them before can be undone by a power cut. No file of the disk may be open.
    pub fn settle(&self) {
        self.shared().settle();
    }

    fn real(&self, file: &Path) -> io::Result<(File, u64)> {
        let path: PathBuf = self.root().join(file);
        let real = File::options().read(true).write(true).open(&path)?;
        match real.metadata()?.len() {
            0 => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is empty: there is nothing to damage", path.display()),
            )),
            length => Ok((real, length)),
        }
    }
}
