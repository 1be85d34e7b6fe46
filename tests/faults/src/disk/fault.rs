//! Which operation fails, and how: what was armed, counted down operation by operation.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::ffi;

/// What SQLite asks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IoKind {
    /// Bytes of a file.
    Read,
    /// Bytes to a file.
    Write,
    /// What was written before is to be durable on return.
    Sync,
    /// A file is made shorter.
    Truncate,
    /// A file is taken away.
    Delete,
    /// A file is opened, or made.
    Open,
    /// Any of these.
    Any,
}

impl IoKind {
    /// What SQLite is told when the operation fails.
    pub(crate) fn error(self) -> c_int {
        match self {
            IoKind::Read => ffi::SQLITE_IOERR_READ,
            IoKind::Write => ffi::SQLITE_IOERR_WRITE,
            IoKind::Sync => ffi::SQLITE_IOERR_FSYNC,
            IoKind::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
            IoKind::Delete => ffi::SQLITE_IOERR_DELETE,
            IoKind::Open => ffi::SQLITE_CANTOPEN,
            IoKind::Any => ffi::SQLITE_IOERR,
        }
    }

    fn meets(self, operation: IoKind) -> bool {
        self == IoKind::Any || self == operation
    }
}

/// A fault to come. `at: 1` is the next operation. Each strikes once, but for [`DiskFault::Full`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// The `at`-th operation of the kind from now on fails: `EIO`. A write that fails may have
    /// written its first sectors, as a short write does. A sync that fails leaves what it was for
    /// unsynced: the next one that succeeds makes it durable.
    Fail {
        /// Counted in operations of the kind.
        at: u64,
        /// Which operations.
        kind: IoKind,
    },
    /// The `at`-th sync from now on fails, and what it was for is lost at a power cut even if a
    /// later sync of the file succeeds: the kernel marked the pages clean (Linux does so).
    LostSync {
        /// Counted in syncs.
        at: u64,
    },
    /// The disk has so many bytes left: writes that make a file longer fail with `SQLITE_FULL`
    /// from then on, until [`disarm`](super::Disk::disarm). What is truncated is free again.
    Full {
        /// Bytes by which files may still grow.
        after_bytes: u64,
    },
    /// The `at`-th operation of any kind from now on does not happen, nor does any after it: the
    /// disk has [crashed](super::Disk::crash).
    Crash {
        /// Counted in operations of all kinds.
        at: u64,
    },
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    Fail,
    LostSync,
    Crash,
}

/// Everything armed.
#[derive(Debug, Default)]
pub(super) struct Faults {
    coming: Vec<(u64, IoKind, Verdict)>,
    /// Bytes left on the disk, if it is about to be full.
    pub(super) left: Option<u64>,
}

impl Faults {
    pub(super) fn arm(&mut self, fault: DiskFault) {
        let (at, kind, verdict) = match fault {
            DiskFault::Fail { at, kind } => (at, kind, Verdict::Fail),
            DiskFault::LostSync { at } => (at, IoKind::Sync, Verdict::LostSync),
            DiskFault::Crash { at } => (at, IoKind::Any, Verdict::Crash),
            DiskFault::Full { after_bytes } => {
                self.left = Some(after_bytes);
                return;
            }
        };
        self.coming.push((at.max(1), kind, verdict));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.coming.is_empty() && self.left.is_none()
    }

    /// Counts an operation. The worst of what strikes at it is the verdict.
    pub(super) fn decide(&mut self, operation: IoKind) -> Verdict {
        let mut worst = Verdict::Go;
        self.coming.retain_mut(|(left, kind, verdict)| {
            if !kind.meets(operation) {
                return true;
            }
            *left -= 1;
            if *left > 0 {
                return true;
            }
            if worst != Verdict::Crash {
                worst = *verdict;
            }
            false
        });
        worst
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a disk has done since it was mounted, and every fault that it has shown.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct DiskStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The counters behind [`DiskStats`].
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: AtomicU64,)*
        }

        impl Counters {
            pub(super) fn read(&self) -> DiskStats {
                DiskStats { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }

        impl DiskStats {
            /// Each counter with its name, for a table.
            pub fn table(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            /// Adds another disk's counters to these.
            pub fn add(&mut self, other: &DiskStats) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters! {
    /// Reads.
    reads,
    /// Writes.
    writes,
    /// Bytes written.
    bytes_written,
    /// Syncs.
    syncs,
    /// Files made shorter.
    truncates,
    /// Files taken away.
    deletes,
    /// Files opened or made.
    opens,
    /// Reads that failed.
    failed_reads,
    /// Writes that failed; a part may have been written.
    failed_writes,
    /// Syncs that failed.
    failed_syncs,
    /// Of these, syncs after which the writes can't be made durable any more.
    lost_syncs,
    /// Truncates that failed.
    failed_truncates,
    /// Deletes that failed.
    failed_deletes,
    /// Opens that failed.
    failed_opens,
    /// Writes that a full disk refused.
    full,
    /// Crashes.
    crashes,
    /// Operations refused because the disk had crashed.
    refused,
    /// Restarts with [`Loss::Process`](super::Loss::Process).
    restarts_process,
    /// Restarts with [`Loss::Power`](super::Loss::Power).
    restarts_power,
    /// Restarts with [`Loss::All`](super::Loss::All).
    restarts_all,
    /// Unsynced writes that reached the disk before the power went.
    kept,
    /// Unsynced writes that did not.
    dropped,
    /// Unsynced writes of which some sectors reached the disk.
    torn,
    /// Unsynced truncates that were undone.
    truncates_undone,
    /// Files that were made and not synced, and were gone.
    creations_undone,
    /// Files that were deleted and came back.
    deletes_undone,
    /// Writes that the system made durable by itself, because too many were unsynced.
    written_back,
    /// Bits flipped.
    bits_flipped,
    /// Pages overwritten.
    pages_overwritten,
}

impl Counters {
    pub(super) fn count(&self, operation: IoKind) {
        add(match operation {
            IoKind::Read => &self.reads,
            IoKind::Write => &self.writes,
            IoKind::Sync => &self.syncs,
            IoKind::Truncate => &self.truncates,
            IoKind::Delete => &self.deletes,
            IoKind::Open | IoKind::Any => &self.opens,
        });
    }

    pub(super) fn count_failed(&self, operation: IoKind) {
        add(match operation {
            IoKind::Read => &self.failed_reads,
            IoKind::Write => &self.failed_writes,
            IoKind::Sync => &self.failed_syncs,
            IoKind::Truncate => &self.failed_truncates,
            IoKind::Delete => &self.failed_deletes,
            IoKind::Open | IoKind::Any => &self.failed_opens,
        });
    }
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
