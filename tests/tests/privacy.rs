//! A device receives nothing that its user is not assigned (P8): looked for in every plain frame
//! that was sent to it and in every byte of its files, by markers that are first shown to be found
//! where they belong.
#![allow(clippy::unwrap_used)]

use roadbook_client_core::{OpenOptions, Replica};
use roadbook_tests::devices::{self, Tap, Tapped};
use roadbook_tests::marker::{count, in_files};
use roadbook_tests::process::Rep;
use roadbook_tests::scene::Scene;

/// How often the marker occurs in what went down.
fn on_the_wire(heard: &[Tapped], marker: &str) -> usize {
    heard.iter().filter(|tapped| !tapped.up).map(|tapped| count(&tapped.bytes, marker)).sum()
}

/// Three contacts: one of Ada, one of Ben, one of nobody; each with a marker in several fields.
fn import(scene: &Scene) {
    for (owner, marker) in
        [(Some("ada"), "zzadamarkzz"), (Some("ben"), "zzbenmarkzz"), (None, "zznobodyzz")]
    {
        let csv = format!(
            "customer_no,given_name,family_name,company,city,note,tags\n\
             {marker}no,Name{marker},Family{marker},Company{marker},City{marker},Note {marker} text,tag{marker}\n"
        );
        let file = scene.dir().join(format!("{marker}.csv"));
        std::fs::write(&file, csv).unwrap();
        let mut args = vec!["import", file.to_str().unwrap(), "--key", "customer_no"];
        if let Some(owner) = owner {
            args.extend(["--owner", owner]);
        }
        scene.admin(&args).ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_assigned_is_never_sent_nor_stored() {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    import(&scene);
    let tap = Tap::default();
    let ada = scene.replica("ada", "ada").await;
    devices::sync_with(&ada, tap.options()).await.unwrap();
    // Ben works too, and his contact changes while Ada is connected and after.
    let ben = scene.replica("ben", "ben").await;
    devices::sync(&ben).await.unwrap();
    let bens = ben.ids(None).unwrap();
    assert_eq!(bens.len(), 1);
    devices::visit(&ben, bens[0], "zzbenmarkzz visit");
    devices::sync(&ben).await.unwrap();
    devices::sync_with(&ada, tap.options()).await.unwrap();
    assert_eq!(ada.ids(None).unwrap().len(), 1);

    // A device that asks for a contact by its id gets nothing either: the same answer as for one
    // that does not exist. (Its own program never asks; hostile.rs does.)
    let heard = tap.heard();
    ada.close();
    assert!(on_the_wire(&heard, "zzadamarkzz") >= 5, "the assigned marker is found in the frames");
    assert!(
        in_files(&scene.dir().join("ada"), "zzadamarkzz") >= 5,
        "the assigned marker is found in the files"
    );
    for marker in ["zzbenmarkzz", "zznobodyzz"] {
        assert!(in_files(&scene.data(), marker) >= 5, "{marker} is at the server");
        assert_eq!(on_the_wire(&heard, marker), 0, "{marker} was sent");
        assert_eq!(in_files(&scene.dir().join("ada"), marker), 0, "{marker} was stored");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_assigned_late_comes_and_one_taken_away_gets_no_further_byte() {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    import(&scene);
    let ada = scene.replica("ada", "ada").await;
    devices::sync(&ada).await.unwrap();
    assert_eq!(ada.ids(None).unwrap().len(), 1);

    scene.admin(&["assign", "--to", "ada", "--filter", "company:Companyzznobodyzz"]).ok();
    let tap = Tap::default();
    devices::sync_with(&ada, tap.options()).await.unwrap();
    assert!(on_the_wire(&tap.heard(), "zznobodyzz") >= 5, "late, and not skipped");
    assert_eq!(ada.ids(None).unwrap().len(), 2);

    scene.admin(&["assign", "--to", "ben", "--filter", "company:Companyzznobodyzz"]).ok();
    let ben = scene.replica("ben", "ben").await;
    devices::sync(&ben).await.unwrap();
    let id = *ben
        .ids(None)
        .unwrap()
        .iter()
        .find(|id| ben.contact(**id).unwrap().text("company") == "Companyzznobodyzz")
        .expect("Ben has it now");
    devices::visit(&ben, id, "zzsecretzz of the new owner");
    devices::sync(&ben).await.unwrap();
    let tap = Tap::default();
    devices::sync_with(&ada, tap.options()).await.unwrap();
    assert_eq!(on_the_wire(&tap.heard(), "zzsecretzz"), 0, "nothing of the new owner's comes");
    assert_eq!(ada.ids(None).unwrap().len(), 1, "it has left the device");
    // And back again: nothing that happened meanwhile is skipped.
    scene.admin(&["assign", "--to", "ada", "--ids", &id.to_string()]).ok();
    devices::sync(&ada).await.unwrap();
    assert_eq!(devices::summaries(&ada, id).get("zzsecretzz of the new owner"), Some(&1));
    assert_eq!(devices::state_hash(&ada), scene.state_hash("ada"));
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_device_gets_no_further_byte_of_customer_data() {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    import(&scene);
    let phone = Rep::new(scene.dir().join("phone"));
    phone.run(&["enroll", &scene.url(), &scene.invite("ada"), "--name", "phone"]).ok();
    phone.sync();
    let laptop = scene.replica("laptop", "ada").await;
    devices::sync(&laptop).await.unwrap();
    let list = scene.admin(&["device", "list", "--json"]).json();
    let devices_ = list["devices"].as_array().unwrap();
    assert_eq!(devices_.len(), 2, "{list}");
    let phones = phone.json(&["status"])["device"]["id"].as_str().unwrap().to_owned();
    scene.admin(&["device", "revoke", &phones]).ok();
    let id = laptop.ids(None).unwrap()[0];
    devices::visit(&laptop, id, "zzafterrevocationzz");
    devices::sync(&laptop).await.unwrap();

    let replica = Replica::open(phone.home(), OpenOptions::default()).unwrap();
    let tap = Tap::default();
    let again = devices::sync_with(&replica, tap.options()).await;
    assert!(again.is_err());
    replica.close();
    assert!(tap.heard().iter().any(|tapped| !tapped.up), "the server answered");
    assert_eq!(on_the_wire(&tap.heard(), "zz"), 0, "no customer data comes down");
    let refused = phone.run(&["sync"]);
    assert_eq!(refused.status.code(), Some(6), "it stays out: {}", refused.stderr);
    assert!(refused.stderr.contains("revoked"), "it says why: {}", refused.stderr);
    assert_eq!(in_files(phone.home(), "zzafterrevocationzz"), 0);
}
