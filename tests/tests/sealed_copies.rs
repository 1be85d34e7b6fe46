//! A phone restored elsewhere, a key store that lost its keys (rule 17): nobody can read the replica any
//! more, and none of its edits is lost. They are enrolled anew with, and go up from the sealed copies.
//!
//! The program of these tests does not encrypt. A lost key leaves what can be read without it: the
//! sealed copies, so everything else is taken away. (`at_rest.rs` plays the same with the shipped one.)
#![allow(clippy::unwrap_used)]

use std::fs;

use roadbook_client_core::{OpenOptions, Replica};
use roadbook_tests::devices;
use roadbook_tests::marker::in_files;
use roadbook_tests::process::{self, Rep};
use roadbook_tests::scene::Scene;
use serde_json::Value;

/// How long a server may take to end that dies by itself.
const END_MAX: std::time::Duration = std::time::Duration::from_secs(60);
/// In every edit that is not sent.
const UNSENT: &str = "zzunsentzz";

/// As a lost key leaves it.
fn lose_the_key(rep: &Rep) {
    for entry in fs::read_dir(rep.home()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().starts_with("copies") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_eq!(in_files(rep.home(), UNSENT), 0, "what is left can't be read");
}

fn device_of(rep: &Rep) -> String {
    rep.json(&["status"])["device"]["id"].as_str().unwrap().to_owned()
}

/// What the server says of a device.
#[track_caller]
fn device_row(scene: &Scene, id: &str) -> Value {
    let list = scene.admin(&["device", "list", "--json"]).json();
    let found = list["devices"].as_array().unwrap().iter().find(|row| row["id"] == id).cloned();
    found.unwrap_or_else(|| panic!("{id} is not in {list}"))
}

/// A phone of Ada with 8 contacts and four edits that were not sent: a visit, a field, a new contact,
/// and a field of that.
fn unsent(scene: &Scene) -> (Rep, Vec<String>, String) {
    scene.reps(&["ada", "ben"]);
    scene.import(7, 8, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let (ids, device) = (phone.ids(), device_of(&phone));
    phone.run(&["visit", &ids[0], "--summary", &format!("{UNSENT} visit")]).ok();
    phone.run(&["set", &ids[1], &format!("job_title={UNSENT} title")]).ok();
    phone.run(&["add", &format!("company={UNSENT} made offline")]).ok();
    let new = phone.ids().into_iter().find(|id| !ids.contains(id)).unwrap();
    phone.run(&["set", &new, &format!("source={UNSENT} source")]).ok();
    assert_eq!(phone.json(&["status"])["unsent"], 4);
    assert!(in_files(phone.home(), UNSENT) > 0, "they are where they belong");
    (phone, ids, device)
}

/// Each of the four edits is at the server, once.
#[track_caller]
fn assert_there_once(scene: &Scene) {
    let export = scene.admin(&["export", "--format", "json"]).json().to_string();
    for (field, what) in [
        ("summary", "visit"),
        ("job_title", "title"),
        ("company", "made offline"),
        ("source", "source"),
    ] {
        let pair = format!("\"{field}\":\"{UNSENT} {what}\"");
        assert_eq!(export.matches(&pair).count(), 1, "{what} is there once: {export}");
    }
}

/// The phone is enrolled anew in the same directory; what `enroll` said.
fn enrol_anew(scene: &Scene, phone: &Rep, login: &str) -> Value {
    let code = scene.invite(login);
    phone.json(&["enroll", &scene.url(), &code])
}

#[test]
fn the_edits_of_a_replica_whose_key_is_lost_are_part_of_the_contacts_after_the_next_enrolment() {
    let scene = Scene::new();
    let (phone, ids, old) = unsent(&scene);
    lose_the_key(&phone);
    let enrolled = enrol_anew(&scene, &phone, "ada");
    assert_eq!(enrolled["sealed_edits"], 4, "{enrolled}");
    let status = phone.json(&["status"]);
    assert_eq!(status["copies"]["waiting"], 4, "{status}");
    assert!(phone.run(&["status"]).ok().stdout.contains("4 of an earlier device"));
    assert_ne!(device_of(&phone), old);

    phone.sync();
    let status = phone.json(&["status"]);
    assert_eq!(status["copies"]["waiting"], 0, "{status}");
    assert_eq!(
        status["copies"]["recovered"],
        serde_json::json!({"taken": 4, "proposed": 0, "kept": 0})
    );
    assert!(
        !fs::read_dir(phone.home())
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains("waiting") })
    );
    phone.sync_until_merged();
    scene.assert_agrees(&phone, "ada");
    assert_there_once(&scene);
    assert_eq!(phone.ids().len(), ids.len() + 1);
    let row = device_row(&scene, &old);
    assert_eq!((&row["recovered"], &row["unopened"]), (&4.into(), &0.into()), "{row}");
    let audit = scene.admin(&["audit", "list", "--json"]).json().to_string();
    assert!(audit.contains("\"device.copies\""), "{audit}");

    // It is a device like any other, and its key may be lost again.
    phone.run(&["set", &ids[2], &format!("job_title={UNSENT} again")]).ok();
    lose_the_key(&phone);
    assert_eq!(enrol_anew(&scene, &phone, "ada")["sealed_edits"], 1);
    phone.sync();
    phone.sync_until_merged();
    scene.assert_agrees(&phone, "ada");
    assert!(scene.admin(&["export", "--format", "json"]).json().to_string().contains("again"));
    scene.assert_clean();
}

#[test]
fn what_was_handed_to_somebody_else_or_comes_from_a_revoked_device_waits_for_a_decision() {
    for revoked in [false, true] {
        let scene = Scene::new();
        let (phone, ids, old) = unsent(&scene);
        match revoked {
            true => scene.admin(&["device", "revoke", &old]).ok(),
            false => scene.admin(&["assign", "--to", "ben", "--ids", &ids[0], &ids[1]]).ok(),
        };
        lose_the_key(&phone);
        enrol_anew(&scene, &phone, "ada");
        phone.sync();
        let recovered = phone.json(&["status"])["copies"]["recovered"].clone();
        let expected = if revoked { (0, 4) } else { (2, 2) };
        assert_eq!(recovered["taken"], expected.0, "{recovered}");
        assert_eq!(recovered["proposed"], expected.1, "{recovered}");
        assert_eq!(recovered["kept"], 0, "{recovered}");
        scene.assert_clean();
    }
}

#[test]
fn a_server_that_is_away_and_a_program_that_ends_cost_nothing() {
    let mut scene = Scene::new();
    let (phone, _, old) = unsent(&scene);
    lose_the_key(&phone);
    enrol_anew(&scene, &phone, "ada");
    scene.stop();
    assert_eq!(phone.run(&["sync"]).status.code(), Some(5));
    assert_eq!(phone.json(&["status"])["copies"]["waiting"], 4);
    scene.start();
    // The server ends with the commit of the first part; what it had is taken once.
    scene.stop();
    scene.start_with(&[("ROADBOOK_FAILPOINT", "log_after_commit_before_ack")]);
    assert!(!phone.run(&["sync", "--timeout", "5"]).status.success());
    assert!(scene.server_mut().wait_for_end(END_MAX), "it ended with the commit");
    scene.kill();
    scene.start();
    phone.sync();
    assert_eq!(phone.json(&["status"])["copies"]["waiting"], 0);
    phone.sync_until_merged();
    assert_there_once(&scene);
    assert_eq!(device_row(&scene, &old)["recovered"], 4);
    scene.assert_clean();
}

#[test]
fn another_user_can_not_hand_them_over_and_they_wait_for_their_own() {
    let scene = Scene::new();
    let (phone, _, _) = unsent(&scene);
    lose_the_key(&phone);
    enrol_anew(&scene, &phone, "ben");
    phone.sync();
    let status = phone.json(&["status"]);
    assert_eq!(status["copies"]["waiting"], 4, "{status}");
    assert!(status["copies"]["refused"].as_str().unwrap().contains("another user"), "{status}");
    lose_the_key(&phone);
    enrol_anew(&scene, &phone, "ada");
    phone.sync();
    let status = phone.json(&["status"]);
    assert_eq!(
        (&status["copies"]["waiting"], &status["copies"]["recovered"]["taken"]),
        (&0.into(), &4.into())
    );
    scene.assert_clean();
}

/// What waits of an earlier device goes up with the bundle of one that is revoked before it could.
#[test]
fn a_wiped_device_hands_over_what_waits_of_an_earlier_one_and_keeps_no_copy() {
    let scene = Scene::new();
    let (phone, ids, old) = unsent(&scene);
    lose_the_key(&phone);
    enrol_anew(&scene, &phone, "ada");
    let new = device_of(&phone);
    // It has something unsent of its own, too: a contact made before its first sync.
    phone.run(&["add", &format!("company={UNSENT} of the second")]).ok();
    scene.admin(&["device", "revoke", &new]).ok();
    assert_eq!(phone.run(&["sync"]).status.code(), Some(6));
    let left: Vec<String> = fs::read_dir(phone.home())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!left.iter().any(|name| name.starts_with("copies")), "{left:?}");
    assert_eq!(device_row(&scene, &old)["recovered"], 4);
    assert_eq!(device_row(&scene, &new)["recovered"], 1);
    assert!(!ids.is_empty());
    scene.assert_clean();
}

/// The program dies around the commit of an edit, and the key is gone at once: what was returned as
/// saved is at the server; an edit that was not may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_was_returned_as_saved_has_its_copy_whatever_ends_the_program() {
    for point in ["edit_before_commit", "edit_after_commit"] {
        let scene = Scene::new();
        let (phone, ids, _) = unsent(&scene);
        let mut command = phone.command();
        command
            .args(["set", &ids[3], &format!("job_title={UNSENT} over {point}")])
            .env("ROADBOOK_FAILPOINT", point);
        assert!(!process::run(command).status.success(), "{point}");
        lose_the_key(&phone);
        let code = scene.invite("ada");
        let replica = Replica::open(phone.home(), OpenOptions::default()).unwrap();
        roadbook_client_core::sync::enrol(&replica, &scene.url(), &code, None, "anew")
            .await
            .unwrap();
        devices::sync(&replica).await.unwrap();
        let recovered = replica.status().unwrap().copies.recovered.unwrap();
        let expected = if point == "edit_before_commit" { 4 } else { 5 };
        assert_eq!(recovered.taken, expected, "{point}");
        replica.close();
        scene.assert_clean();
    }
}
