//! An old backup of the server is restored (P6): devices notice by the timeline, take their receipts
//! back, and bring what they hold; no edit of theirs is lost.
#![allow(clippy::unwrap_used)]

use roadbook_tests::process::Rep;
use roadbook_tests::scene::{Scene, copy, summaries, visit};

struct Book {
    scene: Scene,
    phone: Rep,
    laptop: Rep,
    ids: Vec<String>,
}

/// Two devices of one rep, with edits of both that the backup will have.
fn book(seed: u64) -> Book {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, 8, Some("ada"));
    let (phone, laptop) = (scene.device("phone", "ada"), scene.device("laptop", "ada"));
    phone.sync();
    let ids = phone.ids();
    visit(&phone, &ids[0], "phone, in the backup");
    phone.sync();
    laptop.sync();
    visit(&laptop, &ids[1], "laptop, in the backup");
    laptop.sync();
    Book { scene, phone, laptop, ids }
}

/// What the server will have forgotten: edits of both devices, acknowledged and merged, and a new
/// contact.
fn advance(book: &Book) -> String {
    let Book { phone, laptop, ids, .. } = book;
    for n in 0..4 {
        visit(phone, &ids[n % 2], &format!("phone, after the backup {n}"));
        visit(laptop, &ids[n % 2 + 1], &format!("laptop, after the backup {n}"));
    }
    let added = phone.json(&["add", "name=Nina Neu", "city=Ulm"])["contact_id"]
        .as_str()
        .unwrap()
        .to_owned();
    phone.run(&["set", &ids[3], "job_title=Set after the backup"]).ok();
    for rep in [phone, laptop, phone] {
        rep.sync();
        assert!(rep.receipts().iter().all(|receipt| receipt == "merged"));
    }
    added
}

/// The server is the old one; the devices meet it.
fn reconnect(book: &Book, added: &str) {
    let Book { scene, phone, laptop, ids } = book;
    assert!(!scene.export().contains_key(added), "the backup is older: this is not there");
    visit(phone, &ids[0], "phone, before it knows");
    for rep in [phone, laptop, phone, laptop] {
        rep.sync();
    }
    let server = scene.state_hash("ada");
    let exported = scene.export();
    for rep in [phone, laptop] {
        scene.assert_agrees(rep, "ada");
        let receipts = rep.receipts();
        assert!(receipts.iter().all(|receipt| receipt == "merged"), "{receipts:?}");
        assert_eq!(rep.json(&["quarantine"])["quarantine"], serde_json::json!([]));
    }
    assert_eq!(
        exported[added]["city"].as_str().or(exported[added]["addresses"][0]["city"].as_str()),
        Some("Ulm")
    );
    assert_eq!(exported[&ids[3]]["job_title"], "Set after the backup");
    let mut expected: Vec<Vec<String>> = vec![Vec::new(); 3];
    expected[0].extend(["phone, in the backup".to_owned(), "phone, before it knows".to_owned()]);
    expected[1].push("laptop, in the backup".into());
    for n in 0..4 {
        expected[n % 2].push(format!("phone, after the backup {n}"));
        expected[n % 2 + 1].push(format!("laptop, after the backup {n}"));
    }
    for (n, mut expected) in expected.into_iter().enumerate() {
        expected.sort_unstable();
        assert_eq!(summaries(&exported[&ids[n]]), expected, "at the server, contact {n}");
        assert_eq!(summaries(&phone.show(&ids[n])), expected, "on the phone, contact {n}");
    }
    scene.assert_clean();
    let fresh = scene.device("fresh", "ada");
    fresh.sync();
    assert_eq!(fresh.state_hash(), server, "a new device gets the same");
}

#[test]
fn files_copied_back_by_hand_cost_no_edit_that_a_device_holds() {
    let mut book = book(61);
    book.scene.stop();
    let backup = book.scene.dir().join("backup");
    copy(&book.scene.data(), &backup);
    book.scene.start();
    let added = advance(&book);
    book.scene.stop();
    std::fs::remove_dir_all(book.scene.data()).unwrap();
    copy(&backup, &book.scene.data());
    book.scene.start();
    reconnect(&book, &added);
}

#[test]
fn a_restored_server_that_went_on_past_the_devices_cursor_is_found_too() {
    let mut book = book(62);
    book.scene.stop();
    let backup = book.scene.dir().join("backup");
    copy(&book.scene.data(), &backup);
    book.scene.start();
    let added = advance(&book);
    book.scene.stop();
    std::fs::remove_dir_all(book.scene.data()).unwrap();
    copy(&backup, &book.scene.data());
    book.scene.start();
    // Another rep's work moves the cursor far beyond what Ada's devices have seen.
    book.scene.reps(&["ben"]);
    book.scene.import(63, 60, Some("ben"));
    let other = book.scene.device("other", "ben");
    other.sync();
    for id in other.ids() {
        visit(&other, &id, "the world goes on");
    }
    other.sync();
    reconnect(&book, &added);
}

#[test]
fn a_backup_taken_while_the_server_runs_restores_the_same_way() {
    let mut book = book(64);
    let backup = book.scene.dir().join("backup.db");
    book.scene.admin(&["backup", backup.to_str().unwrap()]).ok();
    let again = book.scene.admin(&["backup", backup.to_str().unwrap()]);
    assert!(!again.status.success(), "a backup is never overwritten");
    let added = advance(&book);
    book.scene.stop();
    for name in ["roadbook.db", "roadbook.db-wal", "roadbook.db-shm"] {
        let _ = std::fs::remove_file(book.scene.data().join(name));
    }
    std::fs::copy(&backup, book.scene.data().join("roadbook.db")).unwrap();
    book.scene.start();
    reconnect(&book, &added);
}

#[test]
fn a_restart_without_a_restore_takes_nothing_back() {
    let mut book = book(65);
    let added = advance(&book);
    book.scene.kill();
    book.scene.start();
    for rep in [&book.phone, &book.laptop] {
        let report = rep.json(&["sync"]);
        assert!(rep.receipts().iter().all(|receipt| receipt == "merged"), "{report}");
    }
    assert!(book.scene.export().contains_key(&added));
    book.scene.assert_clean();
}
