//! The lease (rule 21): reading is locked when it ends, whatever the clock is turned to; uploading goes
//! on; a contact, or a code from the office, brings everything back.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use roadbook_client_core::{Error, LeaseState, ListQuery, Receipt, Replica, Topic};
use roadbook_tests::devices;
use roadbook_tests::hands::{DAY, Hands};
use roadbook_tests::scene::Scene;

/// Ada with ten contacts on one device, whose clock the test holds.
async fn ada(scene: &Scene, hands: &Arc<Hands>) -> Replica {
    scene.reps(&["ada"]);
    scene.import(7, 10, Some("ada"));
    let replica = scene.replica_with("phone", "ada", &scene.url(), hands.options()).await;
    devices::sync(&replica).await.unwrap();
    assert_eq!(replica.ids(None).unwrap().len(), 10);
    replica
}

/// Asserts that nothing of a contact is to be read.
#[track_caller]
fn assert_locked(replica: &Replica, id: roadbook_protocol::ids::ContactId) {
    let refused = [
        replica.list(&ListQuery::default()).err(),
        replica.ids(None).err(),
        replica.search("a", 10).err(),
        replica.contact(id).err(),
        replica.row(id).err(),
        replica.conflicts(None).err(),
        replica.history(id, 10).err(),
        replica.contact_as_of(id, 0).err(),
        replica.authorship(id).err(),
        replica.quarantine().err(),
        replica.export_quarantine(&mut Vec::new()).err(),
    ];
    for (n, error) in refused.into_iter().enumerate() {
        assert!(matches!(error, Some(Error::LeaseEnded { .. })), "call {n}: {error:?}");
    }
    for entry in replica.outbox(true).unwrap() {
        assert_eq!(entry.display_name, "", "the outbox names nobody");
    }
    assert_eq!(replica.status().unwrap().lease.unwrap().state, LeaseState::Ended);
}

fn reopen(home: &Path, hands: &Arc<Hands>) -> Replica {
    Replica::open(home, hands.options()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_lease_locks_reading_and_a_contact_brings_everything_back() {
    let scene = Scene::new();
    let hands = Hands::new();
    let phone = ada(&scene, &hands).await;
    let id = phone.ids(None).unwrap()[0];
    assert_eq!(phone.lease().unwrap().state, LeaseState::Valid);
    hands.pass(6);
    assert_eq!(phone.lease().unwrap().state, LeaseState::Valid);
    hands.pass(2);
    let lease = phone.lease().unwrap();
    assert_eq!(lease.state, LeaseState::Renew, "the user is told from half-life on");
    assert!((5 * DAY..=6 * DAY).contains(&lease.left_ms), "{lease:?}");
    assert_eq!(phone.ids(None).unwrap().len(), 10);
    hands.pass(5);
    assert_eq!(phone.ids(None).unwrap().len(), 10, "a day is left");
    hands.pass(2);
    assert_locked(&phone, id);
    let told = phone.contact(id).unwrap_err().to_string();
    assert!(told.contains("roadbook sync") && told.contains("roadbook lease"), "{told}");

    // Neither the clock turned back, nor a reboot, nor both, with the program closed or open.
    let home = phone.home().to_owned();
    hands.turn(-15);
    assert_locked(&phone, id);
    phone.close();
    drop(phone);
    hands.reboot();
    hands.turn(-400);
    let phone = reopen(&home, &hands);
    assert_locked(&phone, id);

    // Edits are still taken, and go up with the contact that brings everything back.
    devices::visit(&phone, id, "in the dark");
    assert_eq!(phone.status().unwrap().unsent, 1);
    devices::sync_until_merged(&phone).await;
    let lease = phone.lease().unwrap();
    assert_eq!(lease.state, LeaseState::Valid);
    assert!(lease.left_ms > 13 * DAY, "the server's time, not the device's: {lease:?}");
    assert_eq!(phone.ids(None).unwrap().len(), 10);
    assert_eq!(devices::summaries(&phone, id).get("in the dark"), Some(&1));
    assert!(phone.outbox(true).unwrap().iter().all(|entry| entry.receipt == Receipt::Merged));
    assert_eq!(devices::state_hash(&phone), scene.state_hash("ada"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_wrong_ends_no_lease_while_the_machine_runs() {
    let scene = Scene::new();
    let hands = Hands::new();
    let phone = ada(&scene, &hands).await;
    hands.turn(3_650);
    assert_eq!(phone.ids(None).unwrap().len(), 10);
    hands.turn(-7_300);
    assert_eq!(phone.ids(None).unwrap().len(), 10);
    // Days that the machine was off count by the wall clock.
    let home = phone.home().to_owned();
    phone.close();
    drop(phone);
    hands.turn(8);
    hands.reboot();
    let phone = reopen(&home, &hands);
    assert_eq!(phone.lease().unwrap().state, LeaseState::Renew);
    // And what has passed is not taken back by turning the clock.
    hands.turn(-8);
    hands.reboot();
    phone.close();
    drop(phone);
    let phone = reopen(&home, &hands);
    assert_eq!(phone.lease().unwrap().state, LeaseState::Renew);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_of_the_office_extends_a_lease_once_and_on_its_device_only() {
    let scene = Scene::new();
    let hands = Hands::new();
    let phone = ada(&scene, &hands).await;
    let id = phone.ids(None).unwrap()[0];
    let device = phone.status().unwrap().device.unwrap().id.to_string();
    let other = scene.replica("other", "ada").await;
    devices::sync(&other).await.unwrap();
    let others = other.status().unwrap().device.unwrap().id.to_string();
    hands.pass(15);
    assert_locked(&phone, id);
    let extend = |device: &str| {
        let made = scene.admin(&["device", "extend", device, "--days", "3", "--json"]).json();
        made["code"].as_str().unwrap().to_owned()
    };
    let (foreign, code) = (extend(&others), extend(&device));
    for wrong in [foreign.as_str(), "", "ABCD-EFGH", &code.replace(&code[20..24], "0000")] {
        let refused = phone.extend_lease(wrong).unwrap_err();
        assert!(matches!(refused, Error::NotAllowed { .. }), "{wrong}: {refused}");
        assert_locked(&phone, id);
    }
    let mut shown = [Topic::List, Topic::Contact(id)].map(|topic| phone.observe(topic));
    for observer in &mut shown {
        assert!(observer.try_next().is_some(), "the present state");
        assert!(observer.try_next().is_none());
    }
    let lease = phone.extend_lease(&code.to_lowercase()).unwrap().unwrap();
    for observer in &mut shown {
        assert!(observer.try_next().is_some(), "{:?} can be read again", observer.topic());
    }
    assert!((2 * DAY..=3 * DAY + 1_000).contains(&lease.left_ms), "{lease:?}");
    assert_eq!(phone.ids(None).unwrap().len(), 10);
    hands.pass(4);
    assert_locked(&phone, id);
    let again = phone.extend_lease(&code).unwrap_err();
    assert!(again.to_string().contains("used before"), "{again}");
    // A code that was made before a contact is void after it.
    let code = extend(&device);
    devices::sync(&phone).await.unwrap();
    assert_eq!(phone.ids(None).unwrap().len(), 10);
    assert!(phone.extend_lease(&code).is_err(), "the server was reached since");
    let audit = scene.admin(&["audit", "list", "--json"]).json().to_string();
    assert!(audit.contains("device.extend"), "{audit}");

    // A revoked device gets none.
    scene.admin(&["device", "revoke", &others]).ok();
    let refused = scene.admin(&["device", "extend", &others]);
    assert!(refused.stderr.contains("revoked"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_days_of_a_lease_are_set_by_role_and_may_have_no_end() {
    let scene = Scene::new();
    let hands = Hands::new();
    let phone = ada(&scene, &hands).await;
    let days = |days: &[&str]| {
        let mut args = vec!["lease", "set", "--role", "rep"];
        args.extend(days);
        scene.admin(&args)
    };
    days(&["--days", "2"]).ok();
    assert!(phone.lease().unwrap().left_ms > 13 * DAY, "it holds until the next contact");
    devices::sync(&phone).await.unwrap();
    assert!(phone.lease().unwrap().left_ms <= 2 * DAY);
    let list = scene.admin(&["device", "list", "--json"]).json();
    assert!(list["devices"][0]["lease_until"].is_i64(), "{list}");
    assert_eq!(list["devices"][0]["state"], "enrolled", "{list}");
    days(&["--unlimited"]).ok();
    devices::sync(&phone).await.unwrap();
    hands.pass(4_000);
    assert_eq!(phone.lease(), None);
    assert_eq!(phone.ids(None).unwrap().len(), 10);
    assert!(!days(&["--days", "0"]).status.success());
    let shown = scene.admin(&["lease", "show", "--json"]).json();
    assert_eq!(shown["leases"][0]["days"], serde_json::Value::Null, "{shown}");
    assert_eq!(shown["leases"][1]["days"], 14, "{shown}");
}
