//! Real files, several disks, damage, and runs that repeat themselves.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use roadbook_faults::{Disk, DiskFault, DiskStats, IoKind, Loss, Lost, World, world};
use rusqlite::Connection;

use crate::support::{Bank, pay, run, run_from};

#[test]
fn the_files_of_a_mounted_disk_can_be_copied() {
    let bank = Bank::ready(1, "FULL");
    let mut conn = bank.open().unwrap();
    for n in 0..5 {
        pay(&mut conn, n).unwrap();
    }
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["bank.db", "bank.db-wal"] {
        fs::copy(bank.disk.root().join(name), elsewhere.path().join(name)).unwrap();
    }
    let operations = bank.disk.operations();
    let copy = Connection::open(elsewhere.path().join("bank.db")).unwrap();
    let rows: i64 =
        copy.query_row("SELECT COUNT(DISTINCT n) FROM paid", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 5);
    assert_eq!(bank.disk.operations(), operations, "a file elsewhere is no business of the disk");
}

#[test]
fn a_file_that_took_anothers_place_is_not_changed_by_its_journal() {
    let bank = Bank::ready(1, "OFF");
    run(&bank, 5);
    assert!(bank.disk.unsynced() > 0);
    let other = Bank::ready(2, "FULL");
    run(&other, 3);
    fs::remove_file(bank.path()).unwrap();
    fs::copy(other.path(), bank.path()).unwrap();
    bank.disk.restart(Loss::All).unwrap();
    assert_eq!(bank.paid(), [0, 1, 2]);
}

#[test]
fn two_disks_do_not_disturb_each_other() {
    let one = Bank::ready(1, "FULL");
    let two = Bank::ready(2, "FULL");
    let mut conn_one = one.open().unwrap();
    let mut conn_two = two.open().unwrap();
    let before = two.disk.stats();
    one.disk.arm(DiskFault::Full { after_bytes: 0 });
    assert!(pay(&mut conn_one, 0).is_err());
    one.disk.crash();
    assert_eq!(two.disk.stats(), before);
    pay(&mut conn_two, 0).unwrap();
    assert!(two.disk.stats().syncs > before.syncs);
    drop(conn_one);
    one.disk.restart(Loss::All).unwrap();
    one.disk.disarm();
    assert_eq!((one.paid(), two.paid()), (vec![], vec![0]));
}

#[test]
fn a_mount_inside_a_mount_is_a_disk_of_its_own_and_ends_with_its_last_clone() {
    let dir = tempfile::tempdir().unwrap();
    let outer = Disk::mount(dir.path(), 1);
    let inner = Disk::mount(&dir.path().join("inner"), 2);
    let clone = inner.clone();
    drop(inner);
    let path = clone.root().join("a.db");
    let write = || {
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (1)").unwrap();
    };
    write();
    assert!(clone.operations() > 0);
    assert_eq!(outer.operations(), 0);
    drop(clone);
    write();
    assert!(outer.operations() > 0);
    drop(outer);
    write();
}

#[test]
fn damage_is_in_the_file_and_is_found() {
    let mut found = 0;
    for seed in 0..20 {
        let bank = Bank::ready(seed, "FULL");
        run(&bank, 20);
        let before = fs::read(bank.path()).unwrap();
        let at = bank.disk.flip_bit(Path::new("bank.db"), seed).unwrap() as usize;
        let flipped = fs::read(bank.path()).unwrap();
        assert_eq!((before[at] ^ flipped[at]).count_ones(), 1);
        assert_eq!(before[..at], flipped[..at]);
        assert_eq!(before[at + 1..], flipped[at + 1..]);

        bank.disk.overwrite_page(&bank.path(), seed).unwrap();
        let checked = Connection::open(bank.path()).and_then(|conn| {
            conn.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
        });
        found += usize::from(checked.map_or(true, |said| said != "ok"));
        let stats = bank.disk.stats();
        assert_eq!((stats.bits_flipped, stats.pages_overwritten), (1, 1));
    }
    assert!(found > 15, "a page of noise was found {found} times of 20");
    let bank = Bank::ready(1, "FULL");
    fs::write(bank.disk.root().join("empty"), []).unwrap();
    assert!(bank.disk.flip_bit(Path::new("empty"), 1).is_err());
}

/// All that a run may decide, on a thread of its own.
fn repeat(seed: u64) -> (DiskStats, Vec<Lost>, Vec<i64>, Vec<u8>) {
    std::thread::spawn(move || {
        let _world = World::enter(seed);
        let bank = Bank::ready(seed, "NORMAL");
        let mut lost = Vec::new();
        for round in 0..6 {
            bank.disk.arm(DiskFault::Fail { at: 5 + round, kind: IoKind::Write });
            bank.disk.arm(DiskFault::Crash { at: 60 + round });
            run_from(&bank, 100 * round as i64, 10);
            bank.disk.crash();
            lost.push(bank.disk.restart(Loss::Power).unwrap());
            bank.disk.disarm();
        }
        let paid = bank.paid();
        (bank.disk.stats(), lost, paid, fs::read(bank.path()).unwrap())
    })
    .join()
    .unwrap()
}

#[test]
fn a_run_in_a_world_repeats_itself_to_the_byte() {
    assert_eq!(repeat(5), repeat(5));
    assert_ne!(repeat(5).1, repeat(6).1);
}

#[test]
fn sqlite_takes_its_time_from_the_world() {
    std::thread::spawn(|| {
        let _world = World::enter(1);
        let bank = Bank::ready(1, "FULL");
        world::set_now_ms(-1_000);
        let conn = bank.open().unwrap();
        let now: String = conn
            .query_row("SELECT strftime('%Y-%m-%dT%H:%M:%S', 'now')", [], |row| row.get(0))
            .unwrap();
        assert_eq!(now, "1969-12-31T23:59:59");

        // Waiting for a lock takes virtual time only.
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut other = bank.open().unwrap();
        let (started, real) = (Instant::now(), std::thread::spawn(Instant::now).join().unwrap());
        other.busy_timeout(Duration::from_secs(60)).unwrap();
        assert!(pay(&mut other, 0).is_err());
        assert!(started.elapsed() >= Duration::from_secs(59));
        assert!(std::thread::spawn(Instant::now).join().unwrap() - real < Duration::from_secs(20));

        // A slow disk as well.
        conn.execute_batch("ROLLBACK").unwrap();
        bank.disk.set_sync_delay(Duration::from_secs(30));
        let started = Instant::now();
        pay(&mut other, 1).unwrap();
        assert!(started.elapsed() >= Duration::from_secs(30));
    })
    .join()
    .unwrap();
}
