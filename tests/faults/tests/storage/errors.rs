//! Errors of single operations, and a full disk.

use roadbook_faults::{DiskFault, DiskStats, IoKind, Loss};

use crate::support::{Bank, pay, run};

/// Runs with the `n`-th operation of a kind failing, for every `n` until none is left, and cuts the
/// power afterwards.
fn step(kind: IoKind, at_least: u64) -> DiskStats {
    let mut total = DiskStats::default();
    for n in 1.. {
        let bank = Bank::new(n, "FULL");
        bank.disk.arm(DiskFault::Fail { at: n, kind });
        let run = run(&bank, 8);
        let stats = bank.disk.stats();
        let struck = stats.failed_reads
            + stats.failed_writes
            + stats.failed_syncs
            + stats.failed_truncates
            + stats.failed_deletes
            + stats.failed_opens;
        bank.disk.disarm();
        bank.disk.restart(Loss::All).unwrap();
        let paid = bank.paid();
        // What is there beyond the acknowledged was tried.
        assert!(run.acknowledged.iter().all(|n| paid.contains(n)), "{kind:?} at {n}: {paid:?}");
        assert!(paid.iter().all(|n| *n < run.tried), "{kind:?} at {n}: {paid:?}");
        total.add(&stats);
        if struck == 0 {
            assert_eq!(run.acknowledged.len(), 8, "{kind:?} at {n}");
            assert!(n > at_least, "only {n} {kind:?}: too few to be a test");
            return total;
        }
    }
    unreachable!()
}

#[test]
fn with_any_write_failing_each_transaction_is_durable_or_reported() {
    assert!(step(IoKind::Write, 40).failed_writes > 40);
}

#[test]
fn with_any_sync_failing_each_transaction_is_durable_or_reported() {
    assert!(step(IoKind::Sync, 8).failed_syncs > 8);
}

#[test]
fn with_any_read_failing_each_transaction_is_durable_or_reported() {
    assert!(step(IoKind::Read, 10).failed_reads > 10);
}

#[test]
fn with_any_open_truncate_or_delete_failing_each_transaction_is_durable_or_reported() {
    assert!(step(IoKind::Open, 2).failed_opens > 2);
    assert!(step(IoKind::Delete, 1).failed_deletes > 1);
    step(IoKind::Truncate, 0);
}

#[test]
fn with_any_operation_failing_each_transaction_is_durable_or_reported() {
    step(IoKind::Any, 100);
}

#[test]
fn a_full_disk_refuses_and_keeps_what_it_took() {
    let mut refused = 0;
    for bytes in (0..240_000).step_by(3_331) {
        let bank = Bank::new(bytes, "FULL");
        bank.disk.arm(DiskFault::Full { after_bytes: bytes });
        let run = run(&bank, 8);
        let stats = bank.disk.stats();
        // Full while the log is written back: nothing is refused, the log stays.
        refused += usize::from(run.acknowledged.len() < 8);
        assert!(stats.full > 0 || run.acknowledged.len() == 8);
        bank.disk.restart(Loss::Power).unwrap();
        bank.disk.disarm();
        let paid = bank.paid();
        assert!(run.acknowledged.iter().all(|n| paid.contains(n)), "{bytes}: {paid:?}");
        pay(&mut bank.open().unwrap(), 100).unwrap();
    }
    assert!(refused > 10, "a full disk refused {refused} times");
}

#[test]
fn a_full_disk_is_said_to_be_full() {
    let bank = Bank::ready(1, "FULL");
    let mut conn = bank.open().unwrap();
    bank.disk.arm(DiskFault::Full { after_bytes: 0 });
    let error = pay(&mut conn, 0).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull), "{error}");
    bank.disk.disarm();
    pay(&mut conn, 1).unwrap();
}

/// Why the product takes the pragma to its end: see `write_ahead` in both of its stores.
#[test]
fn an_error_while_the_mode_is_changed_is_hidden_behind_the_answer() {
    let bank = Bank::new(1, "FULL");
    bank.disk.arm(DiskFault::Fail { at: 1, kind: IoKind::Sync });
    let conn = rusqlite::Connection::open(bank.path()).unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    assert_eq!(bank.disk.stats().failed_syncs, 1);
    let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    conn.execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(!bank.disk.root().join("bank.db-wal").exists(), "there is no log after all");
}
