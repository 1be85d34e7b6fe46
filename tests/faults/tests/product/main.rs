//! The product over a disk that fails: the replica and the engine, unchanged, with an error, a full
//! disk or a crash at one operation after the other.
//!
//! Whatever happens: opening again works, what was answered is there, nothing panics or hangs.
#![allow(clippy::unwrap_used)]

mod engine;
mod replica;
#[allow(dead_code, reason = "the engine's own tests use the rest")]
#[path = "../../../../server/tests/engine/support.rs"]
mod support;

use roadbook_faults::DiskStats;

/// A directory in memory where there is one: beside SQLite, which the disk never syncs for real, the
/// product writes small files of its own and waits for them.
fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// The same, if no operation failed.
fn without_failures(stats: DiskStats) -> DiskStats {
    DiskStats {
        failed_reads: 0,
        failed_writes: 0,
        failed_syncs: 0,
        failed_truncates: 0,
        failed_deletes: 0,
        failed_opens: 0,
        ..stats
    }
}

/// At which of `total` operations to strike: each in turn, or, where there are more than `most`, one
/// in each of as many equal stretches. `ROADBOOK_FAULTS_ALL=1` strikes at each in any case.
fn steps(total: u64, most: u64) -> impl Iterator<Item = u64> {
    let all = std::env::var_os("ROADBOOK_FAULTS_ALL").is_some();
    spread(total, if all { total } else { most })
}

/// Numbers from 1 to `total`, `most` of them at most, one from each of as many equal stretches.
fn spread(total: u64, most: u64) -> impl Iterator<Item = u64> {
    assert!(total > 50, "{total}: too little to be a test");
    let count = total.min(most);
    (0..count).map(move |i| {
        let (from, to) = (i * total / count, (i + 1) * total / count);
        // Somewhere in the stretch, elsewhere in each.
        1 + from + i.wrapping_mul(0x9e37_79b9) % (to - from)
    })
}
