//! A disk, and whether an error that it leads to was made by the simulation.

use roadbook_faults::disk::{Disk, DiskFault, DiskStats};

/// A failing operation may show up a little later: in a connection that has to be opened anew.
const EXCUSED_MS: i64 = 5_000;

/// A disk with an account of its faults.
pub struct SimDisk {
    /// The disk.
    pub disk: Disk,
    /// Faults that were accounted for.
    known: u64,
    /// When the last one was.
    last_at: i64,
    /// Whether it is about to be full.
    full: bool,
}

impl SimDisk {
    /// A sound disk.
    pub fn new(disk: Disk) -> Self {
        Self { disk, known: 0, last_at: i64::MIN / 2, full: false }
    }

    /// Arms a fault.
    pub fn arm(&mut self, fault: DiskFault) {
        self.full |= matches!(fault, DiskFault::Full { .. });
        self.disk.arm(fault);
    }

    /// Nothing more fails.
    pub fn heal(&mut self, now: i64) {
        self.excuses(now);
        self.disk.disarm();
        self.disk.set_sync_delay(std::time::Duration::ZERO);
        if std::mem::take(&mut self.full) {
            self.last_at = now;
        }
    }

    /// Whether something failed here just now.
    pub fn excuses(&mut self, now: i64) -> bool {
        let faults = failed(&self.disk.stats());
        if faults > self.known {
            self.known = faults;
            self.last_at = now;
        }
        self.full || now - self.last_at < EXCUSED_MS
    }
}

/// Operations that failed because they were to fail.
pub fn failed(stats: &DiskStats) -> u64 {
    stats.failed_reads
        + stats.failed_writes
        + stats.failed_syncs
        + stats.failed_truncates
        + stats.failed_deletes
        + stats.failed_opens
        + stats.full
}
