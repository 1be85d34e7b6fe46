//! A replica that was copied or restored (P7): the edits of both copies survive, and nobody has to
//! notice for that.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use roadbook_client_core::{Durability, Phase, Topic};
use roadbook_tests::local::Device;
use roadbook_tests::process::Rep;
use roadbook_tests::scene::{Scene, by_id, copy, visit};

/// `cp -a`: new files with the same content.
/// Writes the content of each file over the file of that name, as a restore in place does: the
/// files stay the same ones to the file system.
fn restore_in_place(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(to).unwrap() {
        let name = entry.unwrap().file_name();
        if !from.join(&name).exists() {
            std::fs::remove_file(to.join(&name)).unwrap();
        }
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        std::fs::write(to.join(entry.file_name()), bytes).unwrap();
    }
}

#[track_caller]
fn assert_has(where_: &str, contact: &serde_json::Value, summaries: &[&str]) {
    let mut found: Vec<&str> = contact["interactions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|i| i["summary"].as_str())
        .collect();
    found.sort_unstable();
    let mut expected = summaries.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{where_}");
}

struct Book {
    scene: Scene,
    phone: Rep,
    id: String,
}

fn book(seed: u64) -> Book {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, 5, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let id = phone.ids().remove(0);
    Book { scene, phone, id }
}

/// Syncs until both have everything, and asserts that all sides agree.
fn settle(book: &Book, others: &[&Rep], summaries: &[&str]) {
    for _ in 0..2 {
        book.phone.sync();
        for other in others {
            other.sync();
        }
    }
    book.phone.sync();
    for rep in [&[&book.phone], others].concat() {
        assert_has("on a device", &rep.show(&book.id), summaries);
        book.scene.assert_agrees(rep, "ada");
        let receipts = rep.receipts();
        assert!(receipts.iter().all(|receipt| receipt == "merged"), "{receipts:?}");
        assert_eq!(rep.json(&["quarantine"])["quarantine"], serde_json::json!([]));
    }
    assert_has("at the server", &book.scene.export()[&book.id], summaries);
    book.scene.assert_clean();
}

#[test]
fn a_copied_replica_and_its_original_both_keep_their_edits() {
    let book = book(31);
    visit(&book.phone, &book.id, "before the copy");
    copy(book.phone.home(), &book.scene.dir().join("clone"));
    let clone = Rep::new(book.scene.dir().join("clone"));
    // The same number of edits on both: the sequence numbers meet.
    for n in 0..3 {
        visit(&book.phone, &book.id, &format!("original {n}"));
        visit(&clone, &book.id, &format!("clone {n}"));
    }
    let all = [
        "before the copy",
        "original 0",
        "original 1",
        "original 2",
        "clone 0",
        "clone 1",
        "clone 2",
    ];
    settle(&book, &[&clone], &all);
    assert!(!clone.json(&["status"])["copied_at"].is_null(), "the copy says what it is");
}

#[test]
fn a_restored_older_replica_in_another_place_gets_everything_back_and_loses_nothing() {
    let book = book(32);
    visit(&book.phone, &book.id, "in the backup, unsent");
    let backup = book.scene.dir().join("backup");
    copy(book.phone.home(), &backup);
    visit(&book.phone, &book.id, "after the backup");
    book.phone.sync();
    visit(&book.phone, &book.id, "lost with the phone");

    let restored = Rep::new(&backup);
    visit(&restored, &book.id, "after the restore");
    restored.sync();
    let all = ["in the backup, unsent", "after the backup", "after the restore"];
    assert_has("on the restored one", &restored.show(&book.id), &all);
    // The old phone is found again.
    let all =
        ["in the backup, unsent", "after the backup", "after the restore", "lost with the phone"];
    settle(&book, &[&restored], &all);
}

#[test]
fn a_replica_restored_in_place_that_can_not_be_told_from_the_old_one_is_found_as_forked() {
    let book = book(33);
    visit(&book.phone, &book.id, "in the backup");
    book.phone.sync();
    let backup = book.scene.dir().join("backup");
    copy(book.phone.home(), &backup);
    visit(&book.phone, &book.id, "after the backup 1");
    visit(&book.phone, &book.id, "after the backup 2");
    book.phone.sync();

    restore_in_place(&backup, book.phone.home());
    // Marker, machine and file are the same: these take sequence numbers that were used already.
    visit(&book.phone, &book.id, "after the restore 1");
    visit(&book.phone, &book.id, "after the restore 2");
    visit(&book.phone, &book.id, "after the restore 3");
    let all = [
        "in the backup",
        "after the backup 1",
        "after the backup 2",
        "after the restore 1",
        "after the restore 2",
        "after the restore 3",
    ];
    settle(&book, &[], &all);
}

#[test]
fn the_contacts_of_a_copy_that_were_made_on_both_sides_are_all_there() {
    let book = book(34);
    copy(book.phone.home(), &book.scene.dir().join("clone"));
    let clone = Rep::new(book.scene.dir().join("clone"));
    book.phone.run(&["add", "name=Anna Original"]).ok();
    clone.run(&["add", "name=Karl Klon"]).ok();
    settle(&book, &[&clone], &[]);
    let names: Vec<String> = by_id(&clone.json(&["list"]))
        .values()
        .map(|contact| contact["display_name"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        names.contains(&"Anna Original".to_owned()) && names.contains(&"Karl Klon".to_owned()),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_copies_online_at_once_the_second_is_told_and_loses_nothing_as_a_device_of_its_own()
{
    let book = book(35);
    visit(&book.phone, &book.id, "before the copy");
    copy(book.phone.home(), &book.scene.dir().join("clone"));
    let clone = Rep::new(book.scene.dir().join("clone"));
    visit(&clone, &book.id, "by the clone, offline");

    let mut phone = Device::open(book.phone.home(), Durability::Full);
    let mut observer = phone.replica.observe(Topic::Sync);
    phone.go_online();
    while phone.replica.status().unwrap().connection.phase != Phase::Idle {
        observer.next().await.expect("the replica is open");
    }
    let told = clone.run(&["sync"]);
    assert_eq!(told.status.code(), Some(6), "{}", told.stderr);
    assert!(told.stderr.contains("copied"), "it says why: {}", told.stderr);
    assert_eq!(clone.receipts(), ["saved", "saved"], "what it holds stays");
    // With a code of its own it is a device like any other, and both may be online.
    clone.run(&["enroll", &book.scene.url(), &book.scene.invite("ada")]).ok();
    visit(&clone, &book.id, "by the clone, as itself");
    clone.sync();
    phone.go_offline().await;
    drop(observer);
    phone.replica.close();
    drop(phone);
    visit(&book.phone, &book.id, "by the original");
    let all =
        ["before the copy", "by the clone, offline", "by the clone, as itself", "by the original"];
    settle(&book, &[&clone], &all);
    let list = book.scene.admin(&["device", "list", "--json"]).json();
    assert_eq!(list["devices"].as_array().unwrap().len(), 2, "{list}");
}
