//! Files that somebody else touched: a log that was deleted, a page that was overwritten, a file from
//! a newer version, a port or a directory that is taken. Each is told clearly with the way out, and
//! costs no more than what was destroyed.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use roadbook_client_core::{OpenOptions, Replica};
use roadbook_protocol::ids::ContactId;
use roadbook_tests::devices;
use roadbook_tests::process::{Rep, ServerProcess};
use roadbook_tests::scene::{Scene, copy, visit};
use rusqlite::Connection;
use serde_json::Value;

const PAGE: usize = 4096;

fn summaries(contact: &Value) -> Vec<String> {
    let interactions = contact["interactions"].as_array().into_iter().flatten();
    let mut all: Vec<String> =
        interactions.filter_map(|i| Some(i["summary"].as_str()?.to_owned())).collect();
    all.sort_unstable();
    all
}

/// What the server answers to a plain request.
fn get(listen: &str, path: &str) -> String {
    let mut tcp = TcpStream::connect(listen).unwrap();
    write!(tcp, "GET {path} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    answer
}

struct Book {
    scene: Scene,
    phone: Rep,
    laptop: Rep,
    ids: Vec<String>,
}

fn book(seed: u64, contacts: usize) -> Book {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, contacts, Some("ada"));
    let (phone, laptop) = (scene.device("phone", "ada"), scene.device("laptop", "ada"));
    phone.sync();
    laptop.sync();
    let ids = phone.ids();
    Book { scene, phone, laptop, ids }
}

/// Syncs both devices; then every one of these visits is everywhere, once.
#[track_caller]
fn settle(book: &Book, visits: &[(String, String)]) {
    for _ in 0..2 {
        for rep in [&book.phone, &book.laptop] {
            rep.sync_until_merged();
        }
    }
    let exported = book.scene.export();
    for (id, contact) in &exported {
        let mut expected: Vec<String> =
            visits.iter().filter(|(at, _)| at == id).map(|(_, text)| text.clone()).collect();
        expected.sort_unstable();
        assert_eq!(summaries(contact), expected, "at the server");
    }
    for rep in [&book.phone, &book.laptop] {
        book.scene.assert_agrees(rep, "ada");
        assert!(rep.receipts().iter().all(|receipt| receipt == "merged"), "{:?}", rep.receipts());
    }
    book.scene.assert_clean();
}

// --- the log of the database is deleted --------------------------------------------------------------

#[test]
fn a_server_that_lost_its_log_while_it_was_down_gets_everything_back_from_the_devices() {
    let mut book = book(81, 6);
    // Started anew, so that what follows is in the log alone.
    book.scene.stop();
    book.scene.start();
    let mut visits = Vec::new();
    for (n, rep) in [&book.phone, &book.laptop, &book.phone].into_iter().enumerate() {
        for id in &book.ids[..4] {
            let summary = format!("in the log {n}");
            visit(rep, id, &summary);
            visits.push((id.clone(), summary));
        }
        rep.sync_until_merged();
    }
    book.scene.kill();
    let wal = book.scene.data().join("roadbook.db-wal");
    assert!(wal.metadata().unwrap().len() > PAGE as u64, "there is something to lose");
    std::fs::remove_file(&wal).unwrap();
    book.scene.start();
    assert!(book.scene.export().values().all(|contact| summaries(contact).is_empty()));
    settle(&book, &visits);
}

#[test]
fn a_server_whose_log_is_deleted_while_it_runs_loses_nothing_even_when_it_is_killed() {
    let mut book = book(82, 6);
    let mut visits = Vec::new();
    let mut made = |rep: &Rep, id: &str, summary: &str| {
        visit(rep, id, summary);
        visits.push((id.to_owned(), summary.to_owned()));
    };
    made(&book.phone, &book.ids[0], "before");
    book.phone.sync_until_merged();
    std::fs::remove_file(book.scene.data().join("roadbook.db-wal")).unwrap();
    made(&book.phone, &book.ids[0], "after");
    // The device is told nothing that is not so: this one is stored durably, or is not acknowledged.
    let _ = book.phone.run(&["sync", "--timeout", "4"]);
    made(&book.laptop, &book.ids[1], "later");
    let refused = book.laptop.run(&["sync", "--timeout", "4"]);
    assert_eq!(refused.status.code(), Some(6), "no more writes without a log: {refused:?}");
    let told = book.scene.server().errors().join("\n");
    assert!(told.contains("was deleted") && told.contains("restart the server"), "{told}");
    let ready = get(book.scene.listen(), "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("was deleted"), "{ready}");
    let held: Vec<String> = book.phone.json(&["outbox", "--all"])["outbox"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| ["stored", "merged"].contains(&entry["receipt"].as_str().unwrap()))
        .map(|entry| entry["hash"].as_str().unwrap().to_owned())
        .collect();
    book.scene.kill();
    let there = roadbook_tests::kills::hashes_on_disk(&book.scene.data());
    for hash in &held {
        assert!(there.contains(hash), "acknowledged, and gone with the deleted log: {hash}");
    }
    book.scene.start();
    settle(&book, &visits);
}

#[test]
fn a_device_whose_log_is_deleted_while_it_is_open_keeps_what_it_said_was_saved() {
    let book = book(83, 3);
    let replica = Replica::open(book.phone.home(), OpenOptions::default()).unwrap();
    let id: ContactId = book.ids[0].parse().unwrap();
    devices::visit(&replica, id, "before");
    let wal = book.phone.home().join("replica.db-wal");
    let mut visits = vec![(book.ids[0].clone(), "before".to_owned())];
    for n in 0..3 {
        std::fs::remove_file(&wal).unwrap();
        for at in 0..2 {
            let summary = format!("after deletion {n}, {at}");
            devices::visit(&replica, id, &summary);
            visits.push((book.ids[0].clone(), summary));
        }
    }
    // As `kill -9` would leave it: what another process finds in the files now.
    let copied = book.scene.dir().join("killed");
    copy(book.phone.home(), &copied);
    let found = summaries(&Rep::new(&copied).show(&book.ids[0]));
    let mut expected: Vec<String> = visits.iter().map(|(_, summary)| summary.clone()).collect();
    expected.sort_unstable();
    assert_eq!(found, expected, "said to be saved");
    replica.close();
    drop(replica);
    settle(&book, &visits);
}

#[test]
fn a_device_that_lost_its_log_while_closed_gets_all_back_from_the_server_and_its_sealed_copies() {
    let book = book(84, 4);
    let replica = Replica::open(book.phone.home(), OpenOptions::default()).unwrap();
    let id: ContactId = book.ids[0].parse().unwrap();
    devices::visit(&replica, id, "sent");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(devices::sync_until_merged(&replica));
    devices::visit(&replica, id, "never sent");
    // As `kill -9` would leave it, and then somebody deletes the log: what was only there is gone from the database,
    // and its sealed copy lies beside it (rule 17).
    let killed = book.scene.dir().join("killed");
    copy(book.phone.home(), &killed);
    replica.close();
    drop(replica);
    std::fs::remove_file(killed.join("replica.db-wal")).unwrap();
    std::fs::remove_dir_all(book.phone.home()).unwrap();
    std::fs::rename(&killed, book.phone.home()).unwrap();
    let mut visits =
        ["sent", "never sent"].map(|summary| (book.ids[0].clone(), summary.to_owned())).to_vec();
    // Its sequence numbers were used already, for what it does not know any more.
    for n in 0..3 {
        let summary = format!("after the loss {n}");
        visit(&book.phone, &book.ids[0], &summary);
        visits.push((book.ids[0].clone(), summary));
    }
    settle(&book, &visits);
}

// --- a page is overwritten ---------------------------------------------------------------------------

/// Overwrites one page of a database that nobody has open.
fn overwrite(file: &Path, page: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    let mut rng = fastrand::Rng::with_seed(page as u64);
    bytes[page * PAGE..][..PAGE].fill_with(|| rng.u8(..));
    std::fs::write(file, bytes).unwrap();
}

fn pages(file: &Path) -> usize {
    usize::try_from(file.metadata().unwrap().len()).unwrap() / PAGE
}

/// How many pages of the file nobody uses.
fn free_pages(file: &Path) -> usize {
    let conn = Connection::open(file).unwrap();
    conn.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0)).unwrap() as usize
}

#[test]
fn a_server_with_an_overwritten_page_says_so_at_check_and_at_the_start_and_names_the_way_out() {
    let mut book = book(85, 12);
    visit(&book.phone, &book.ids[0], "before the backup");
    book.phone.sync_until_merged();
    let backup = book.scene.dir().join("backup.db");
    book.scene.admin(&["backup", backup.to_str().unwrap()]).ok();
    visit(&book.phone, &book.ids[1], "after the backup");
    book.phone.sync_until_merged();
    book.scene.stop();
    let whole = book.scene.dir().join("whole");
    copy(&book.scene.data(), &whole);
    let file = whole.join("roadbook.db");
    let (all, unused) = (pages(&file), free_pages(&file));
    let mut found = 0;
    let step = if devices::full() { 1 } else { 8 };
    let tried: Vec<usize> = (0..all).step_by(step).collect();
    for &page in &tried {
        let damaged = book.scene.dir().join("damaged");
        copy(&whole, &damaged);
        overwrite(&damaged.join("roadbook.db"), page);
        let check = roadbook_tests::process::admin(&damaged, &["check"]);
        let start =
            ServerProcess::try_start(&damaged, &["--plain", "--listen", "127.0.0.1:0"], &[]);
        if check.status.success() {
            assert!(start.is_ok(), "page {page}: what `check` finds clean can be served");
        } else {
            found += 1;
            let text = format!("{}{}", check.stdout, check.stderr);
            assert!(text.contains("damaged") && text.contains("restore"), "page {page}: {text}");
            let refusal = start.err().unwrap_or_else(|| panic!("page {page}: it started: {text}"));
            assert!(refusal.contains("damaged") && refusal.contains("restore"), "{refusal}");
        }
        std::fs::remove_dir_all(&damaged).unwrap();
    }
    // Only what nobody uses can be overwritten without a word.
    assert!(found + unused.div_ceil(step) + 1 >= tried.len(), "{found} of {}", tried.len());

    // The way out that it names.
    for name in ["roadbook.db", "roadbook.db-wal", "roadbook.db-shm"] {
        let _ = std::fs::remove_file(book.scene.data().join(name));
    }
    book.scene.admin(&["restore", backup.to_str().unwrap()]).ok();
    book.scene.start();
    let visits = [
        (book.ids[0].clone(), "before the backup".to_owned()),
        (book.ids[1].clone(), "after the backup".to_owned()),
    ];
    settle(&book, &visits);
}

#[test]
fn a_device_with_an_overwritten_page_sets_its_file_aside_and_salvages_what_was_not_sent() {
    let book = book(86, 12);
    let mut visits = Vec::new();
    for n in 0..3 {
        visit(&book.phone, &book.ids[n], &format!("sent {n}"));
        visits.push((book.ids[n].clone(), format!("sent {n}")));
    }
    book.phone.sync_until_merged();
    for n in 0..3 {
        visit(&book.phone, &book.ids[n + 2], &format!("unsent {n}"));
        visits.push((book.ids[n + 2].clone(), format!("unsent {n}")));
    }
    let home = book.phone.home().to_owned();
    let whole = book.scene.dir().join("whole");
    copy(&home, &whole);
    let file = whole.join("replica.db");
    let holders = pages_that_hold(&file, &["unsent 0", "unsent 1", "unsent 2"]);
    let step = if devices::full() { 1 } else { 8 };
    // Page 0 has the root of everything; the ones with the edits themselves can't be had back.
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let data = book.scene.dir().join("server before");
    let Book { mut scene, phone, laptop, ids } = book;
    scene.stop();
    copy(&scene.data(), &data);
    scene.start();
    for page in (0..pages(&file)).step_by(step) {
        std::fs::remove_dir_all(&home).unwrap();
        copy(&whole, &home);
        overwrite(&home.join("replica.db"), page);
        // A person who does what the program says, a few times.
        let mut told = Vec::new();
        let all = [&["sync"][..], &["outbox", "--all"], &["export"], &["state-hash"], &["sync"]];
        while let Some(failed) =
            all.iter().map(|args| phone.run(args)).find(|done| !done.status.success())
        {
            if failed.status.code() == Some(3) {
                let code = scene.invite("ada");
                phone.run(&["enroll", &scene.url(), &code]).ok();
            } else {
                assert!(failed.stderr.contains("open it again"), "page {page}: {failed:?}");
            }
            told.push(failed.stderr);
            assert!(told.len() < 6, "page {page}: {told:?}");
        }
        phone.sync_until_merged();
        scene.assert_agrees(&phone, "ada");
        let exported = scene.export();
        let saved = (0..3)
            .filter(|n| summaries(&exported[&ids[n + 2]]).contains(&format!("unsent {n}")))
            .count();
        let aside = std::fs::read_dir(&home)
            .unwrap()
            .any(|entry| entry.unwrap().file_name().to_string_lossy().contains(".damaged-"));
        if !holders.contains(&page) {
            assert_eq!(saved, 3, "page {page}, set aside: {aside}");
        }
        *outcomes
            .entry(if aside { "set aside" } else { "not noticed, not needed" })
            .or_default() += 1;
        scene.stop();
        std::fs::remove_dir_all(scene.data()).unwrap();
        copy(&data, &scene.data());
        scene.start();
    }
    println!("{outcomes:?}; the edits themselves lay on {holders:?}");
    assert!(outcomes.contains_key("set aside"), "{outcomes:?}");
    std::fs::remove_dir_all(&home).unwrap();
    copy(&whole, &home);
    settle(&Book { scene, phone, laptop, ids }, &visits);
}

/// Pages that hold one of these texts.
fn pages_that_hold(file: &Path, texts: &[&str]) -> Vec<usize> {
    let bytes = std::fs::read(file).unwrap();
    let holds = |page: &[u8]| {
        texts.iter().any(|text| page.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    bytes.chunks(PAGE).enumerate().filter(|(_, page)| holds(page)).map(|(at, _)| at).collect()
}

// --- a newer version, and what is taken --------------------------------------------------------------

/// Makes a database one of a newer version, with a log that has not been written back, as a crash
/// of that version leaves it.
fn make_newer(file: &Path) {
    let conn = Connection::open(file).unwrap();
    conn.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 99").unwrap();
    // Closing it writes the log back: what lay there before is put in its place again.
    let (db, wal) = (std::fs::read(file).unwrap(), file.with_extension("db-wal"));
    let log = std::fs::read(&wal).unwrap();
    drop(conn);
    std::fs::write(file, db).unwrap();
    std::fs::write(wal, log).unwrap();
}

/// The files of a directory that hold data: all but the lock and SQLite's own shared memory.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(name, _)| !name.ends_with("lock") && !name.ends_with("-shm"))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn files_of_a_newer_version_are_refused_and_not_touched() {
    let mut book = book(87, 3);
    visit(&book.phone, &book.ids[0], "unsent");
    book.scene.stop();
    let (data, home) = (book.scene.data(), book.phone.home().to_owned());
    let whole = book.scene.dir().join("whole");
    std::fs::create_dir(&whole).unwrap();
    for dir in [&data, &home] {
        copy(dir, &whole);
    }
    make_newer(&data.join("roadbook.db"));
    make_newer(&home.join("replica.db"));
    let before = (contents(&data), contents(&home));
    assert!(before.0.contains_key("roadbook.db-wal") && before.1.contains_key("replica.db-wal"));

    let refusal = book.scene.start_or_refuse(&[]).unwrap_err();
    assert!(refusal.contains("99") && refusal.contains("newer version"), "{refusal}");
    for args in [&["check"][..], &["user", "list"], &["backup", "/nowhere/at/all"]] {
        let done = book.scene.admin(args);
        assert_eq!(done.status.code(), Some(3), "{done:?}");
        assert!(done.stderr.contains("99") && done.stderr.contains("newer version"), "{done:?}");
    }
    for args in [&["list"][..], &["visit", &book.ids[0], "--summary", "x"], &["sync"]] {
        let done = book.phone.run(args);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(done.stderr.contains("newer version of Roadbook"), "{}", done.stderr);
        assert!(done.stderr.contains("update the program"), "{}", done.stderr);
    }
    assert!((contents(&data), contents(&home)) == before, "not a byte is different");

    // With the version that wrote them they go on.
    for (dir, name) in [(&data, "data"), (&home, "phone")] {
        std::fs::remove_dir_all(dir).unwrap();
        std::fs::rename(whole.join(name), dir).unwrap();
    }
    book.scene.start();
    let visits = [(book.ids[0].clone(), "unsent".to_owned())];
    settle(&book, &visits);
}

#[test]
fn a_taken_port_and_a_taken_directory_are_told_with_who_has_them_and_disturb_nobody() {
    let book = book(88, 2);
    let scene = &book.scene;
    // The port.
    let other = scene.dir().join("other");
    let refusal =
        ServerProcess::try_start(&other, &["--plain", "--listen", scene.listen()], &[]).err();
    let refusal = refusal.unwrap();
    assert!(refusal.contains(scene.listen()) && refusal.contains("--listen"), "{refusal}");
    // It let go of its data, too.
    ServerProcess::try_start(&other, &["--plain", "--listen", "127.0.0.1:0"], &[]).unwrap();
    // The directory.
    let again =
        ServerProcess::try_start(&scene.data(), &["--plain", "--listen", "127.0.0.1:0"], &[]);
    let refusal = again.err().unwrap();
    let holder = format!("process {}", scene.server().id());
    assert!(refusal.contains(&holder) && refusal.contains("stop it"), "{refusal}");
    // The home of a device.
    let replica = Replica::open(book.phone.home(), OpenOptions::default()).unwrap();
    let done = book.phone.run(&["visit", &book.ids[0], "--summary", "not saved"]);
    assert_eq!(done.status.code(), Some(7), "{done:?}");
    let holder = format!("process {}", std::process::id());
    assert!(done.stderr.contains(&holder) && done.stderr.contains("--home"), "{}", done.stderr);
    replica.close();
    drop(replica);
    visit(&book.phone, &book.ids[0], "saved");
    settle(&book, &[(book.ids[0].clone(), "saved".to_owned())]);
    // A stale lock file of a process that is gone keeps nobody out.
    std::fs::write(other.join("roadbook.lock"), "process 1").unwrap();
    ServerProcess::try_start(&other, &["--plain", "--listen", "127.0.0.1:0"], &[]).unwrap();
}
