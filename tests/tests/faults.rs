//! The server and the device are killed at every named failpoint, and at random under load: no
//! acknowledged edit is missing, no saved edit is missing, and everything converges afterwards.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use roadbook_client_core::{OpenOptions, Replica};
use roadbook_protocol::ids::ContactId;
use roadbook_tests::devices::{self, full, seed};
use roadbook_tests::kills::{self, Plan, hashes_on_disk};
use roadbook_tests::process::Rep;
use roadbook_tests::scene::{Scene, by_id};
use serde_json::Value;

const FAILPOINT: &str = "ROADBOOK_FAILPOINT";
/// A process that met its failpoint is gone within this time; normally at once.
const END_MAX: Duration = Duration::from_secs(60);

fn summaries(contact: &Value) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for interaction in contact["interactions"].as_array().into_iter().flatten() {
        *all.entry(interaction["summary"].as_str().unwrap_or_default().to_owned()).or_default() +=
            1;
    }
    all
}

/// Asserts that each visit is in its contact exactly once.
#[track_caller]
fn assert_visits(where_: &str, contacts: &BTreeMap<String, Value>, visits: &[(String, String)]) {
    for (contact, summary) in visits {
        let times =
            contacts.get(contact).and_then(|c| summaries(c).get(summary).copied()).unwrap_or(0);
        assert_eq!(times, 1, "`{summary}` is {times} times in {contact} {where_}");
    }
}

/// The server dies at this place while a device sends; then everything goes on.
fn the_server_dies_at(failpoint: &str) {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(11, 12, Some("ada"));
    let (phone, laptop) = (scene.device("phone", "ada"), scene.device("laptop", "ada"));
    phone.sync();
    laptop.sync();
    let ids = phone.ids();
    scene.stop();

    let mut visits = Vec::new();
    for (n, id) in ids.iter().chain(&ids[..6]).enumerate() {
        let summary = format!("visit {n} before the crash");
        phone.run(&["visit", id, "--summary", &summary]).ok();
        visits.push((id.clone(), summary));
    }
    scene.start_with(&[(FAILPOINT, failpoint)]);
    let interrupted = phone.run(&["sync", "--timeout", "60"]);
    assert!(
        scene.server_mut().wait_for_end(END_MAX),
        "the failpoint {failpoint} was not met: {interrupted:?}"
    );
    scene.kill();
    assert_visits("on the device after the crash", &by_id(&phone.json(&["export"])), &visits);
    let on_disk = hashes_on_disk(&scene.data());
    for entry in phone.json(&["outbox", "--all"])["outbox"].as_array().unwrap() {
        let acknowledged = ["stored", "merged"].contains(&entry["receipt"].as_str().unwrap());
        assert!(
            !acknowledged || on_disk.contains(entry["hash"].as_str().unwrap()),
            "acknowledged and not on the server's disk: {entry}"
        );
    }

    scene.start();
    scene.assert_clean();
    phone.sync_until_merged();
    laptop.sync();
    assert_visits("at the server", &scene.export(), &visits);
    assert_visits("on the other device", &by_id(&laptop.json(&["export"])), &visits);
    assert!(phone.receipts().iter().all(|receipt| receipt == "merged"), "{:?}", phone.receipts());
    scene.assert_agrees(&phone, "ada");
    scene.assert_agrees(&laptop, "ada");
    scene.assert_clean();
}

#[test]
fn a_server_that_dies_before_the_commit_of_the_log_has_acknowledged_nothing() {
    the_server_dies_at("log_before_commit");
}

#[test]
fn a_server_that_dies_between_commit_and_acknowledgement_takes_each_edit_once() {
    the_server_dies_at("log_after_commit_before_ack");
}

#[test]
fn a_server_that_dies_before_the_commit_of_a_merge_merges_after_the_restart() {
    the_server_dies_at("merge_before_commit");
}

#[test]
fn a_server_that_dies_after_the_commit_of_a_merge_tells_the_device_later() {
    the_server_dies_at("merge_after_commit");
}

#[test]
fn a_server_that_dies_while_it_compacts_loses_no_change() {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(12, 1, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let id = phone.ids().remove(0);
    scene.stop();
    // One contact with many changes: long before the last of them its log is folded.
    let replica = Replica::open(phone.home(), OpenOptions::default()).unwrap();
    let contact: ContactId = id.parse().unwrap();
    let visits: Vec<(String, String)> =
        (0..400).map(|n| (id.clone(), format!("visit {n} of many"))).collect();
    for (_, summary) in &visits {
        devices::visit(&replica, contact, summary);
    }
    replica.close();
    drop(replica);

    scene.start_with(&[(FAILPOINT, "snapshot_before_commit")]);
    let _ = phone.run(&["sync", "--timeout", "60"]);
    assert!(scene.server_mut().wait_for_end(END_MAX), "400 changes of one contact fold its log");
    scene.kill();
    scene.start();
    scene.assert_clean();
    phone.sync_until_merged();
    assert_visits("at the server", &scene.export(), &visits);
    let fresh = scene.device("fresh", "ada");
    fresh.sync();
    assert_visits("on a new device", &by_id(&fresh.json(&["export"])), &visits);
    scene.assert_agrees(&fresh, "ada");
    scene.assert_agrees(&phone, "ada");
    scene.assert_clean();
}

/// Runs the program with a failpoint armed; it must not end by itself.
#[track_caller]
fn killed_at(rep: &Rep, failpoint: &str, args: &[&str]) {
    let mut command = rep.command();
    command.env(FAILPOINT, failpoint).args(args);
    let done = roadbook_tests::process::run(command);
    assert_eq!(done.status.code(), None, "{failpoint} was not met by {args:?}: {done:?}");
}

#[test]
fn a_device_that_dies_around_the_commit_of_an_edit_has_it_or_never_said_so() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(13, 3, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let id = phone.ids().remove(0);
    phone.run(&["visit", &id, "--summary", "saved and said so"]).ok();
    killed_at(&phone, "edit_before_commit", &["visit", &id, "--summary", "never saved"]);
    killed_at(&phone, "edit_after_commit", &["visit", &id, "--summary", "saved and not said"]);

    let known = summaries(&phone.show(&id));
    assert_eq!(known.get("saved and said so"), Some(&1));
    assert_eq!(known.get("never saved"), None, "half an edit would be there");
    assert_eq!(known.get("saved and not said"), Some(&1));
    assert_eq!(phone.receipts(), ["saved", "saved"]);
    phone.sync();
    assert_eq!(phone.receipts(), ["merged", "merged"]);
    assert_eq!(summaries(&scene.export()[&id]), summaries(&phone.show(&id)));
    assert_eq!(phone.state_hash(), scene.state_hash("ada"));
    scene.assert_clean();
}

#[test]
fn a_device_that_dies_around_the_commit_of_a_page_or_a_receipt_goes_on_where_it_was() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(14, 30, Some("ada"));
    let (phone, laptop) = (scene.device("phone", "ada"), scene.device("laptop", "ada"));
    // The first sync: what it lists, what it fetches.
    for failpoint in
        ["page_before_commit", "page_after_commit", "page_before_commit:2", "page_after_commit:2"]
    {
        killed_at(&phone, failpoint, &["sync"]);
    }
    phone.sync();
    laptop.sync();
    let ids = phone.ids();
    assert_eq!(ids.len(), 30);
    let mut visits = Vec::new();
    for failpoint in [
        "ack_before_commit",
        "ack_after_commit",
        "ack_before_commit:2",
        "ack_after_commit:2",
        "page_before_commit",
        "page_after_commit",
    ] {
        // Something to acknowledge, and something to receive.
        for (rep, id) in
            [(&phone, &ids[3]), (&phone, &ids[4]), (&laptop, &ids[4]), (&laptop, &ids[5])]
        {
            let summary = format!("visit {} before {failpoint}", visits.len());
            rep.run(&["visit", id, "--summary", &summary]).ok();
            visits.push((id.clone(), summary));
        }
        laptop.sync();
        killed_at(&phone, failpoint, &["sync"]);
        assert_visits(
            "on the device",
            &by_id(&phone.json(&["export"])),
            &visits[visits.len() - 4..visits.len() - 2],
        );
    }
    phone.sync();
    laptop.sync();
    for rep in [&phone, &laptop] {
        assert_visits("on a device", &by_id(&rep.json(&["export"])), &visits);
        assert!(rep.receipts().iter().all(|receipt| receipt == "merged"), "{:?}", rep.receipts());
        assert_eq!(rep.state_hash(), scene.state_hash("ada"));
    }
    assert_visits("at the server", &scene.export(), &visits);
    scene.assert_clean();
}

#[test]
fn servers_and_devices_killed_at_random_under_load_keep_every_edit() {
    let cycles = if full() { 1_000 } else { 12 };
    let outcome = kills::run(Plan { cycles, seed: seed(), compare_every: 50, tell: false });
    println!("{outcome}");
    assert_eq!(outcome.kills.values().sum::<usize>(), cycles);
    assert!(outcome.said >= cycles, "there was a load");
}
