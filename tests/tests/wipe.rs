//! Revoked devices (P8, P9, rule 20): nothing is sent any more, the device seals what it had not sent,
//! destroys everything, and what it had not sent is at the server.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use roadbook_client_core::sync::Engine;
use roadbook_client_core::{Error, OpenOptions, Replica, Topic};
use roadbook_protocol::ids::ContactId;
use roadbook_tests::devices::{self, Tap, Tapped};
use roadbook_tests::marker::{count, in_files};
use roadbook_tests::process::{self, Finished, Rep};
use roadbook_tests::scene::Scene;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// In every contact that is imported.
const IMPORTED: &str = "zzimportedzz";
/// In every edit that is not sent.
const UNSENT: &str = "zzunsentzz";

fn on_the_wire(heard: &[Tapped], up: bool, marker: &str) -> usize {
    heard.iter().filter(|tapped| tapped.up == up).map(|tapped| count(&tapped.bytes, marker)).sum()
}

/// Contacts of Ada, each with the marker.
fn import(scene: &Scene, contacts: usize) {
    let mut csv = String::from("customer_no,given_name,family_name,company,note\n");
    for n in 0..contacts {
        csv.push_str(&format!("c{n},Given{n},Family{n} {IMPORTED},Company{n},Note {IMPORTED}\n"));
    }
    let file = scene.dir().join("contacts.csv");
    std::fs::write(&file, csv).unwrap();
    scene.admin(&["import", file.to_str().unwrap(), "--key", "customer_no", "--owner", "ada"]).ok();
}

fn device_id(replica: &Replica) -> String {
    replica.status().unwrap().device.unwrap().id.to_string()
}

/// What waits for a decision, once everything that was handed over is taken apart: that goes on behind
/// the receipt.
#[track_caller]
fn proposals(scene: &Scene) -> String {
    for _ in 0..300 {
        let all = scene.admin(&["proposal", "list", "--json"]).json();
        let under_way = all["proposals"].as_array().unwrap().iter().any(|proposal| {
            let items = proposal["items"].as_array().unwrap();
            items.is_empty() || items.iter().any(|item| item["state"] == "due")
        });
        if !under_way {
            return all.to_string();
        }
    }
    panic!("the proposals are never taken apart");
}

/// An exchange that ends with the program's death at a named place.
fn sync_and_die(rep: &Rep, point: &str) -> Finished {
    let mut command = rep.command();
    command.arg("sync").env("ROADBOOK_FAILPOINT", point);
    process::run(command)
}

/// What the server says of a device.
#[track_caller]
fn device_row(scene: &Scene, id: &str) -> Value {
    let list = scene.admin(&["device", "list", "--json"]).json();
    let found = list["devices"].as_array().unwrap().iter().find(|row| row["id"] == id).cloned();
    found.unwrap_or_else(|| panic!("{id} is not in {list}"))
}

/// A phone of Ada with 20 edits that were not sent, revoked meanwhile; and its id.
fn revoked_with_twenty_unsent(scene: &Scene) -> (Rep, String) {
    scene.reps(&["ada"]);
    import(scene, 20);
    let phone = scene.device("phone", "ada");
    phone.sync();
    let replica = Replica::open(phone.home(), OpenOptions::default()).unwrap();
    let (contacts, id) = (replica.ids(None).unwrap(), device_id(&replica));
    edit_twenty(&replica, &contacts);
    replica.close();
    scene.admin(&["device", "revoke", &id]).ok();
    (phone, id)
}

/// 10 visits and 10 values of a field, on as many contacts; not sent.
fn edit_twenty(replica: &Replica, contacts: &[ContactId]) {
    for (n, id) in contacts.iter().enumerate().take(10) {
        devices::visit(replica, *id, &format!("{UNSENT} visit {n}"));
    }
    for (n, id) in contacts.iter().enumerate().skip(10).take(10) {
        devices::set(replica, *id, "job_title", &format!("{UNSENT} title {n}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_device_is_wiped_and_its_unsent_edits_are_at_the_server() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    import(&scene, 30);
    let phone = scene.replica("phone", "ada").await;
    let tap = Tap::default();
    devices::sync_with(&phone, tap.options()).await.unwrap();
    let contacts = phone.ids(None).unwrap();
    assert_eq!(contacts.len(), 30);
    edit_twenty(&phone, &contacts);
    let home = scene.dir().join("phone");
    let id = device_id(&phone);
    // What is to be absent later is found now, where it belongs.
    assert!(on_the_wire(&tap.heard(), false, IMPORTED) >= 30);
    assert!(in_files(&home, IMPORTED) >= 30);
    assert!(in_files(&home, UNSENT) >= 20);

    scene.admin(&["device", "revoke", &id]).ok();
    assert_eq!(device_row(&scene, &id)["state"], "revoked");
    let tap = Tap::default();
    let ended = devices::sync_with(&phone, tap.options()).await.unwrap_err();
    assert!(matches!(ended, Error::Wiped { .. }), "{ended}");
    assert!(ended.to_string().contains("20 unsent edits were handed over"), "{ended}");

    // Nothing went down but the order and receipts, nothing readable went up.
    let down: Vec<&str> =
        tap.frames().iter().filter(|(up, _)| !up).map(|(_, f)| f.name()).collect();
    assert_eq!(down, ["Challenge", "WipeOrder", "SealedStored", "SealedStored"]);
    for marker in [IMPORTED, UNSENT] {
        assert_eq!(on_the_wire(&tap.heard(), false, marker), 0);
        assert_eq!(on_the_wire(&tap.heard(), true, marker), 0, "{marker} was sealed");
        assert_eq!(in_files(&home, marker), 0, "{marker} is still on the device");
    }
    let left: Vec<_> = std::fs::read_dir(&home).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name == "device.key" || name == "sealed"), "{left:?}");

    // Nothing is to be had from it any more, and it says why.
    assert!(matches!(phone.ids(None), Err(Error::Wiped { .. })));
    assert!(matches!(phone.search("Given", 10), Err(Error::Wiped { .. })));
    assert!(matches!(phone.contact(contacts[0]), Err(Error::Wiped { .. })));
    assert!(matches!(devices::sync(&phone).await, Err(Error::Wiped { .. })));
    let status = phone.status().unwrap();
    let wiped = status.wiped.unwrap();
    assert!(wiped.handed_over && wiped.confirmed);
    assert_eq!((wiped.edits, status.contacts, status.unsent), (20, 0, 0));

    // At the server: the visits took place, the rest waits for a decision. None is lost.
    let row = device_row(&scene, &id);
    assert_eq!(row["state"], "wiped");
    assert_eq!((&row["recovered"], &row["unopened"]), (&20.into(), &0.into()));
    assert!(row["wiped_at"].is_i64(), "{row}");
    let waiting = proposals(&scene);
    for n in 10..20 {
        assert!(waiting.contains(&format!("{UNSENT} title {n}")), "title {n} in {waiting}");
    }
    let export = scene.admin(&["export", "--format", "json"]).json().to_string();
    for n in 0..10 {
        assert!(export.contains(&format!("{UNSENT} visit {n}")), "visit {n} took place");
    }
    assert!(!export.contains(&format!("{UNSENT} title")), "what waits is not in the contacts");
    let audit = scene.admin(&["audit", "list", "--json"]).json().to_string();
    for action in ["device.revoke", "device.wipe", "device.wiped"] {
        assert!(audit.contains(&format!("\"{action}\"")), "{action} in {audit}");
    }
    scene.assert_clean();

    // With a new code it is a device like any other.
    let code = scene.invite("ada");
    roadbook_client_core::sync::enrol(&phone, &scene.url(), &code, None, "anew").await.unwrap();
    devices::sync(&phone).await.unwrap();
    assert_eq!(phone.ids(None).unwrap().len(), 30);
    assert_eq!(phone.status().unwrap().wiped, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connected_device_is_cut_off_within_a_second_and_wiped() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    import(&scene, 5);
    let phone = scene.replica("phone", "ada").await;
    let tap = Tap::default();
    let engine = Engine::new(phone.clone(), tap.options());
    let mut observer = phone.observe(Topic::Sync);
    let running = tokio::spawn(async move { engine.run(CancellationToken::new()).await });
    while phone.status().unwrap().last_sync_ms.is_none() {
        observer.next().await.unwrap();
    }
    let id = device_id(&phone);
    scene.admin(&["device", "revoke", &id]).ok();
    let returned = std::time::Instant::now();
    let before = tap.heard().len();
    let ended = tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Error::Wiped { .. })), "{ended:?}");
    let since = &tap.heard()[before.min(tap.heard().len())..];
    assert_eq!(on_the_wire(since, false, IMPORTED), 0);
    assert!(
        returned.elapsed() < Duration::from_secs(10),
        "cut off, wiped and confirmed after {:?}",
        returned.elapsed()
    );
    assert_eq!(in_files(&scene.dir().join("phone"), IMPORTED), 0);
    assert_eq!(device_row(&scene, &id)["state"], "wiped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wipe_that_is_cut_off_goes_on_and_loses_nothing() {
    for point in ["wipe_sealed", "wipe_noted", "wipe_destroyed"] {
        let scene = Scene::new();
        let (phone, id) = revoked_with_twenty_unsent(&scene);
        let died = sync_and_die(&phone, point);
        assert!(
            !died.status.success() && died.status.code() != Some(6),
            "{point}: {}",
            died.stderr
        );
        assert_eq!(device_row(&scene, &id)["recovered"], 0);

        let refused = phone.run(&["sync"]);
        assert_eq!(refused.status.code(), Some(6), "{point}: {}", refused.stderr);
        assert!(refused.stderr.contains("20 unsent edits were handed over"), "{}", refused.stderr);
        for marker in [IMPORTED, UNSENT] {
            assert_eq!(in_files(phone.home(), marker), 0, "{point}: {marker}");
        }
        let row = device_row(&scene, &id);
        assert_eq!((&row["state"], &row["recovered"]), (&"wiped".into(), &20.into()), "{point}");
        let waiting = proposals(&scene);
        let titles = (10..20).filter(|n| waiting.contains(&format!("{UNSENT} title {n}")));
        assert_eq!(titles.count(), 10, "{point}: {waiting}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_edits_wait_for_a_server_that_is_away_and_for_nobody_else() {
    let mut scene = Scene::new();
    let (phone, id) = revoked_with_twenty_unsent(&scene);
    // It is told, seals, destroys; then the server is gone.
    sync_and_die(&phone, "wipe_destroyed");
    scene.stop();
    let away = phone.run(&["sync"]);
    assert_eq!(away.status.code(), Some(5), "{}", away.stderr);
    let status = phone.json(&["status"]);
    assert_eq!(status["wiped"]["handed_over"], false, "{status}");
    assert_eq!(status["wiped"]["edits"], 20, "{status}");
    assert!(in_files(phone.home(), UNSENT) == 0 && in_files(phone.home(), IMPORTED) == 0);
    let enrol = phone.run(&["enroll", &scene.url(), "AAAA-BBBB"]);
    assert!(!enrol.status.success());
    scene.start();
    let code = scene.invite("ada");
    let early = phone.run(&["enroll", &scene.url(), &code]);
    assert!(early.stderr.contains("still to be handed over"), "{}", early.stderr);
    assert_eq!(phone.run(&["sync"]).status.code(), Some(6));
    assert_eq!(device_row(&scene, &id)["recovered"], 20);
    phone.run(&["enroll", &scene.url(), &code]).ok();
    phone.sync();
    assert_eq!(phone.json(&["list"])["total"], 20);
}

/// The key may be changed while sealed edits are on their way: the old one opens what was sealed to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sealed_before_the_sealing_key_was_changed_is_opened_all_the_same() {
    let mut scene = Scene::new();
    let (phone, id) = revoked_with_twenty_unsent(&scene);
    sync_and_die(&phone, "wipe_destroyed");
    let keys = || {
        let all = std::fs::read_dir(scene.data().join("keys")).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".seal-")).count()
    };
    assert_eq!(keys(), 1);
    scene.admin(&["key", "new-sealing"]).ok();
    assert_eq!(keys(), 2);
    assert_eq!(phone.run(&["sync"]).status.code(), Some(6));
    let row = device_row(&scene, &id);
    assert_eq!((&row["recovered"], &row["unopened"]), (&20.into(), &0.into()), "{row}");

    // A second device seals to the new one, and a restart has both.
    scene.stop();
    scene.start();
    let laptop = scene.device("laptop", "ada");
    laptop.sync();
    let other = laptop.json(&["status"])["device"]["id"].as_str().unwrap().to_owned();
    roadbook_tests::scene::visit(&laptop, &laptop.ids()[0], &format!("{UNSENT} on the laptop"));
    scene.admin(&["device", "revoke", &other]).ok();
    assert_eq!(laptop.run(&["sync"]).status.code(), Some(6));
    let row = device_row(&scene, &other);
    assert_eq!((&row["recovered"], &row["unopened"]), (&1.into(), &0.into()), "{row}");
    scene.assert_clean();
}

#[test]
fn a_revoked_laptop_says_what_became_of_it() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    import(&scene, 3);
    let laptop: Rep = scene.device("laptop", "ada");
    laptop.sync();
    let id = laptop.json(&["status"])["device"]["id"].as_str().unwrap().to_owned();
    scene.admin(&["device", "revoke", &id]).ok();
    assert_eq!(laptop.run(&["sync"]).status.code(), Some(6));
    let status = laptop.run(&["status"]).ok();
    assert!(status.stdout.contains("revoked by the office"), "{}", status.stdout);
    let list = laptop.run(&["list"]);
    assert_eq!(list.status.code(), Some(6));
    assert!(list.stderr.contains("revoked") && list.stderr.contains("enroll"), "{}", list.stderr);
    let shown = scene.admin(&["device", "list"]).ok();
    assert!(shown.stdout.contains("wiped"), "{}", shown.stdout);
}
