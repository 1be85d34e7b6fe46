//! Crashes: what was synced stays, what was not may go.

use std::collections::BTreeSet;

use roadbook_faults::{DiskFault, DiskStats, Loss};

use crate::support::{Bank, pay, run};

const SEEDS: u64 = 60;

/// Pays `count` times on one connection, crashes, closes, restarts.
fn crashed(bank: &Bank, count: i64, loss: Loss) -> Vec<i64> {
    let mut conn = bank.open().unwrap();
    for n in 0..count {
        pay(&mut conn, n).unwrap();
    }
    bank.disk.crash();
    drop(conn);
    bank.disk.restart(loss).unwrap();
    bank.paid()
}

#[test]
fn what_was_committed_with_full_sync_survives_every_power_cut() {
    for seed in 0..SEEDS {
        for loss in [Loss::Process, Loss::Power, Loss::All] {
            let bank = Bank::ready(seed, "FULL");
            let all: Vec<i64> = (0..20).collect();
            assert_eq!(crashed(&bank, 20, loss), all, "seed {seed}, {loss:?}");
        }
    }
}

#[test]
fn what_was_committed_without_sync_is_lost_with_everything_unsynced() {
    let bank = Bank::ready(1, "OFF");
    assert_eq!(crashed(&bank, 20, Loss::All), Vec::<i64>::new());
    // The same without a power cut: the disk lost it, nothing else did.
    let bank = Bank::ready(1, "OFF");
    assert_eq!(crashed(&bank, 20, Loss::Process).len(), 20);
}

#[test]
fn with_normal_sync_the_tail_is_lost_and_never_a_hole() {
    let mut lengths = BTreeSet::new();
    let mut torn = 0;
    for seed in 0..SEEDS {
        let bank = Bank::ready(seed, "NORMAL");
        let paid = crashed(&bank, 20, Loss::Power);
        let prefix: Vec<i64> = (0..paid.len() as i64).collect();
        assert_eq!(paid, prefix, "seed {seed}");
        lengths.insert(paid.len());
        torn += bank.disk.stats().torn;
    }
    assert!(lengths.len() > 3, "cuts at different places: {lengths:?}");
    assert!(lengths.contains(&20) && *lengths.first().unwrap() < 20, "{lengths:?}");
    assert!(torn > 0, "no write was torn");
}

/// Every operation of a run, one run for each: the crash strikes there.
#[test]
fn after_a_crash_at_any_operation_exactly_the_acknowledged_are_there() {
    let mut total = DiskStats::default();
    let mut in_flight = 0;
    for n in 1.. {
        let bank = Bank::new(n, "FULL");
        bank.disk.arm(DiskFault::Crash { at: n });
        let run = run(&bank, 12);
        if !bank.disk.is_crashed() {
            assert_eq!(run.acknowledged.len(), 12);
            assert!(n > 150, "only {n} operations: too little to be a test");
            break;
        }
        let loss = [Loss::Power, Loss::All, Loss::Power][n as usize % 3];
        bank.disk.restart(loss).unwrap();
        let paid = bank.paid();
        let more: Vec<i64> = (0..run.acknowledged.len() as i64 + 1).collect();
        assert!(
            paid == run.acknowledged || paid == more,
            "crash at {n}, {loss:?}: acknowledged {:?}, there are {paid:?}",
            run.acknowledged
        );
        in_flight += usize::from(paid == more);
        // And it goes on.
        pay(&mut bank.open().unwrap(), 100).unwrap();
        total.add(&bank.disk.stats());
    }
    assert!(in_flight > 0, "no unacknowledged transaction ever reached the disk");
    for (name, n) in [
        ("torn", total.torn),
        ("kept", total.kept),
        ("dropped", total.dropped),
        ("creations_undone", total.creations_undone),
        ("deletes_undone", total.deletes_undone),
    ] {
        assert!(n > 0, "{name} never happened: {total:?}");
    }
}

/// A crash while the crash before is being recovered from.
#[test]
fn a_crash_at_any_operation_of_the_recovery_loses_nothing() {
    for n in 1.. {
        let bank = Bank::ready(n, "FULL");
        let mut conn = bank.open().unwrap();
        for i in 0..9 {
            pay(&mut conn, i).unwrap();
        }
        bank.disk.crash();
        drop(conn);
        bank.disk.restart(Loss::Power).unwrap();
        bank.disk.arm(DiskFault::Crash { at: n });
        let recovered = bank.open().and_then(|mut conn| pay(&mut conn, 9)).is_ok();
        let struck = bank.disk.is_crashed();
        bank.disk.disarm();
        bank.disk.restart(Loss::Power).unwrap();
        let paid = bank.paid();
        assert!(paid.len() >= 9 + usize::from(recovered), "crash at {n}: {paid:?}");
        if !struck {
            assert!(n > 10);
            break;
        }
    }
}

#[test]
fn a_log_that_comes_back_after_a_clean_close_changes_nothing() {
    let mut back = 0;
    for seed in 0..SEEDS {
        let bank = Bank::ready(seed, "FULL");
        let acknowledged = run(&bank, 10).acknowledged;
        let lost = bank.disk.restart(Loss::Power).unwrap();
        assert_eq!(bank.paid(), acknowledged, "seed {seed}");
        back += lost.deletes_undone;
    }
    assert!(back > 0, "no log ever came back");
}

#[test]
fn a_sync_that_lost_its_writes_is_not_healed_by_the_next() {
    let paid = |fault: Option<DiskFault>| {
        let bank = Bank::ready(3, "NORMAL");
        let mut conn = bank.open().unwrap();
        pay(&mut conn, 0).unwrap();
        if let Some(fault) = fault {
            bank.disk.arm(fault);
            conn.pragma_update(None, "synchronous", "FULL").unwrap();
            assert!(pay(&mut conn, 1).is_err());
        }
        conn.pragma_update(None, "synchronous", "FULL").unwrap();
        pay(&mut conn, 2).unwrap();
        bank.disk.crash();
        drop(conn);
        bank.disk.restart(Loss::All).unwrap();
        (bank.paid(), bank.disk.stats().lost_syncs)
    };
    assert_eq!(paid(None), (vec![0, 2], 0));
    let kind = roadbook_faults::IoKind::Sync;
    assert_eq!(paid(Some(DiskFault::Fail { at: 1, kind })), (vec![0, 2], 0));
    // Transaction 2 was acknowledged by a sync that succeeded, and is not there: SQLite can't know.
    // Who uses NORMAL and FULL on one file must not go on after a failed sync.
    assert_eq!(paid(Some(DiskFault::LostSync { at: 1 })), (vec![], 1));
}

#[test]
fn a_crashed_disk_does_nothing_until_every_file_is_closed() {
    let bank = Bank::ready(1, "FULL");
    let mut conn = bank.open().unwrap();
    pay(&mut conn, 0).unwrap();
    bank.disk.crash();
    let before = bank.disk.operations();
    assert!(pay(&mut conn, 1).is_err());
    assert!(bank.open().is_err());
    let refused = bank.disk.restart(Loss::Power).unwrap_err();
    assert!(refused.to_string().contains("bank.db"), "{refused}");
    assert!(bank.disk.is_crashed());
    let wal = bank.disk.root().join("bank.db-wal");
    let bytes = std::fs::read(&wal).unwrap();
    drop(conn);
    assert_eq!(std::fs::read(&wal).unwrap(), bytes, "closing wrote the log back or deleted it");
    assert_eq!(bank.disk.operations(), before);
    assert!(bank.disk.stats().refused > 0);
    bank.disk.restart(Loss::Power).unwrap();
    assert_eq!(bank.paid(), [0]);
}
