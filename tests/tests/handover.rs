//! Contacts change hands while somebody is offline (rules 7, 8, 18, 19; promises P8 and P9): no edit is
//! lost, none gets into the contact without a decision, and nothing of the contact stays behind.
#![allow(clippy::unwrap_used)]

use roadbook_client_core::{Receipt, Replica};
use roadbook_tests::devices;
use roadbook_tests::late::{import, item, marker, number, numbered, proposals, settle};
use roadbook_tests::marker::in_files;
use roadbook_tests::scene::{Scene, summaries};
use serde_json::Value;

/// The contacts of the great scene, and how many of them the new owner edits too.
const MANY: usize = 50;
const EDITED_BY_BOTH: usize = 10;

fn dropped_entries(scene: &Scene) -> u64 {
    let audit = scene.admin(&["audit", "list", "--json"]).json();
    let entries = audit["audit"].as_array().or_else(|| audit["entries"].as_array()).unwrap();
    entries
        .iter()
        .filter(|entry| entry["action"] == "device.dropped")
        .map(|entry| {
            let detail = entry["detail"].as_str().map(|text| serde_json::from_str(text).unwrap());
            let detail: Value = detail.unwrap_or_else(|| entry["detail"].clone());
            detail["contacts"].as_u64().unwrap()
        })
        .sum()
}

/// Ada and Ben, and one contact, on Ada's device.
async fn one_contact() -> (Scene, Replica) {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    import(&scene, 1, "ada");
    let ada = scene.replica("ada", "ada").await;
    devices::sync(&ada).await.unwrap();
    (scene, ada)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_contacts_edited_offline_and_handed_over_become_fifty_sets_of_proposals() {
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    import(&scene, MANY, "ada");
    let ada = scene.replica("ada", "ada").await;
    devices::sync(&ada).await.unwrap();
    let hers = numbered(&ada);
    assert_eq!(hers.len(), MANY);

    // Offline: in each contact a field, a visit, and words in the note.
    for (n, id) in &hers {
        devices::set(&ada, *id, "job_title", &format!("Title{}", marker(*n)));
        devices::visit(&ada, *id, &format!("Visit{}", marker(*n)));
    }
    // Meanwhile all are handed over, and the new owner edits ten of them.
    scene.admin(&["assign", "--to", "ben", "--filter", "*"]).ok();
    let ben = scene.replica("ben", "ben").await;
    devices::sync(&ben).await.unwrap();
    for id in hers.values().take(EDITED_BY_BOTH) {
        devices::set(&ben, *id, "job_title", "Chosen by Ben");
    }
    devices::sync_until_merged(&ben).await;
    for n in 0..MANY {
        assert!(in_files(&scene.dir().join("ada"), &marker(n)) >= 5, "the search finds {n}");
    }

    let told = devices::sync(&ada).await.unwrap();
    assert_eq!(
        (told.sent, told.left, told.received),
        (2 * MANY as u64, MANY as u64, 0),
        "{told:?}"
    );
    assert!(told.late >= MANY as u64, "{told:?}");
    settle(&ada).await;

    let sets = proposals(&scene, MANY);
    for (n, id) in &hers {
        let set = &sets[&id.to_string()];
        assert_eq!(set["author_login"], "ada", "{set:#}");
        let title = item(set, "job_title");
        assert_eq!(title["base"], "Baker", "what she saw: {set:#}");
        assert_eq!(title["proposed"], format!("Title{}", marker(*n)));
        assert_eq!(title["state"], "open");
        assert!(title["at"].as_i64().unwrap() > 0);
        let visit = item(set, "interaction");
        assert_eq!(visit["state"], "accepted", "it did take place: {set:#}");
        assert_eq!(visit["taken_at_once"], true);
    }
    // The visits are in, the fields are not.
    let exported = scene.export();
    for (at, (n, id)) in hers.iter().enumerate() {
        let contact = &exported[&id.to_string()];
        assert_eq!(summaries(contact), [format!("Visit{}", marker(*n))], "{contact:#}");
        let title = if at < EDITED_BY_BOTH { "Chosen by Ben" } else { "Baker" };
        assert_eq!(
            contact["fields"]["job_title"].as_str().or(contact["job_title"].as_str()),
            Some(title),
            "{contact:#}"
        );
    }
    // The new owner has them too, and agrees with the server.
    devices::sync_until_merged(&ben).await;
    assert_eq!(devices::state_hash(&ben), scene.state_hash("ben"));
    for id in hers.values() {
        assert_eq!(devices::summaries(&ben, *id).len(), 1);
    }
    // Nothing was refused, and the receipts outlive the contacts.
    assert!(ada.quarantine().unwrap().is_empty());
    let outbox = ada.outbox(true).unwrap();
    let waiting = outbox.iter().filter(|entry| entry.receipt == Receipt::Proposed);
    assert_eq!(waiting.count(), 2 * MANY, "{outbox:#?}");
    assert_eq!(ada.ids(None).unwrap().len(), 0, "all have left the device");
    assert_eq!(dropped_entries(&scene), MANY as u64, "and the server knows");
    ada.close();
    for n in 0..MANY {
        assert_eq!(in_files(&scene.dir().join("ada"), &marker(n)), 0, "{n} is still on the device");
    }
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_edit_is_accepted_in_part_declined_and_undone_and_its_author_hears_of_it() {
    let (scene, ada) = one_contact().await;
    let id = numbered(&ada)[&0];
    devices::set(&ada, id, "job_title", "Butcher");
    devices::set(&ada, id, "website", "https://example.org");
    scene.admin(&["assign", "--to", "ben", "--filter", "*"]).ok();
    settle(&ada).await;
    let set = proposals(&scene, 1).remove(&id.to_string()).unwrap();
    let n = number(&set);
    let exported = || scene.export()[&id.to_string()].clone();
    let field = |contact: &Value, name: &str| {
        let value = contact["fields"][name].as_str().or(contact[name].as_str());
        value.map(str::to_owned)
    };
    let job = item(&set, "job_title")["i"].to_string();

    // One field is accepted: in her name.
    let shown = scene.admin(&["proposal", "accept", &n, "--item", &job, "--json"]).json();
    assert_eq!(item(&shown, "job_title")["state"], "accepted");
    assert_eq!(item(&shown, "website")["state"], "open");
    assert_eq!(field(&exported(), "job_title").as_deref(), Some("Butcher"));
    assert_eq!(field(&exported(), "website"), None);
    let again = scene.admin(&["proposal", "accept", &n, "--item", &job]);
    assert_eq!(again.status.code(), Some(1), "twice is refused: {}", again.stderr);

    // The rest is declined.
    let shown = scene.admin(&["proposal", "decline", &n, "--json"]).json();
    assert_eq!(shown["state"], "in_part", "{shown:#}");
    assert_eq!(field(&exported(), "website"), None);
    settle(&ada).await;
    let decisions: Vec<Option<String>> =
        ada.outbox(true).unwrap().into_iter().map(|entry| entry.decision).collect();
    assert!(decisions.contains(&Some("accepted".into())), "{decisions:?}");
    assert!(decisions.contains(&Some("declined".into())), "{decisions:?}");

    // Both decisions are taken back, and the whole is accepted.
    let shown = scene.admin(&["proposal", "undo", &n, "--json"]).json();
    assert_eq!(shown["state"], "open", "{shown:#}");
    assert_eq!(field(&exported(), "job_title").as_deref(), Some("Baker"), "undone in the contact");
    let shown = scene.admin(&["proposal", "accept", &n, "--json"]).json();
    assert_eq!(shown["state"], "accepted", "{shown:#}");
    assert_eq!(field(&exported(), "job_title").as_deref(), Some("Butcher"));
    assert_eq!(field(&exported(), "website").as_deref(), Some("https://example.org"));
    let open = scene.admin(&["proposal", "list", "--json"]).json();
    assert_eq!(open["proposals"].as_array().unwrap().len(), 0, "nothing waits any more");
    settle(&ada).await;
    assert!(
        ada.outbox(true).unwrap().iter().all(|entry| entry.decision.as_deref() == Some("accepted")),
        "{:#?}",
        ada.outbox(true).unwrap()
    );
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_held_for_two_reasons_leaves_with_the_last_and_comes_back_clean() {
    let (scene, ada) = one_contact().await;
    let id = numbered(&ada)[&0].to_string();
    let contact = numbered(&ada)[&0];
    // Owner and collaborator: the owner's part goes first.
    scene.admin(&["assign", "--to", "ben", "--ids", &id]).ok();
    scene.admin(&["assign", "--to", "ada", "--collaborator", "--ids", &id]).ok();
    devices::sync(&ada).await.unwrap();
    devices::set(&ada, contact, "job_title", "As collaborator");
    devices::sync_until_merged(&ada).await;
    assert_eq!(ada.ids(None).unwrap().len(), 1, "she still works on it");

    // The last reason goes while an edit is unsent, and comes back before she is online again: hers.
    devices::set(&ada, contact, "website", "https://late.example");
    scene.admin(&["assign", "--to", "ada", "--collaborator", "--remove", "--ids", &id]).ok();
    scene.admin(&["assign", "--to", "ada", "--ids", &id]).ok();
    devices::sync_until_merged(&ada).await;
    assert_eq!(ada.contact(contact).unwrap().text("website"), "https://late.example");
    let none = scene.admin(&["proposal", "list", "--all", "--json"]).json();
    assert_eq!(none["proposals"].as_array().unwrap().len(), 0, "who holds it writes it: {none}");

    // Taken away with an unsent edit, dropped; given back: as the server has it.
    devices::set(&ada, contact, "website", "https://proposed.example");
    scene.admin(&["assign", "--to", "ben", "--ids", &id]).ok();
    settle(&ada).await;
    assert_eq!(ada.ids(None).unwrap().len(), 0);
    proposals(&scene, 1);
    scene.admin(&["assign", "--to", "ada", "--ids", &id]).ok();
    devices::sync(&ada).await.unwrap();
    assert_eq!(ada.contact(contact).unwrap().text("website"), "https://late.example", "clean");
    devices::set(&ada, contact, "job_title", "Back again");
    devices::sync_until_merged(&ada).await;
    assert_eq!(devices::state_hash(&ada), scene.state_hash("ada"));
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_hand_over_keeps_what_waits_and_two_devices_are_two_sets() {
    let scene = Scene::new();
    scene.reps(&["ada", "ben", "cy"]);
    import(&scene, 1, "ada");
    let phone = scene.replica("phone", "ada").await;
    let laptop = scene.replica("laptop", "ada").await;
    devices::sync(&phone).await.unwrap();
    devices::sync(&laptop).await.unwrap();
    let id = numbered(&phone)[&0];
    devices::set(&phone, id, "job_title", "By phone");
    devices::set(&laptop, id, "job_title", "By laptop");
    scene.admin(&["assign", "--to", "ben", "--filter", "*"]).ok();
    settle(&phone).await;
    scene.admin(&["assign", "--to", "cy", "--filter", "*"]).ok();
    settle(&laptop).await;
    for _ in 0..600 {
        let list = scene.admin(&["proposal", "list", "--json"]).json();
        let sets = list["proposals"].as_array().unwrap();
        let ready = sets.iter().filter(|set| !set["items"].as_array().unwrap().is_empty()).count();
        if ready == 2 {
            let mut wanted: Vec<&str> = sets
                .iter()
                .map(|set| item(set, "job_title")["proposed"].as_str().unwrap())
                .collect();
            wanted.sort_unstable();
            assert_eq!(wanted, ["By laptop", "By phone"]);
            return;
        }
    }
    panic!("{:#}", scene.admin(&["proposal", "list", "--all", "--json"]).json());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_hands_everything_over_by_rule_and_what_is_unsent_is_told() {
    let scene = Scene::new();
    scene.reps(&["ada", "ben", "cy"]);
    import(&scene, 4, "ada");
    let ada = scene.replica("ada", "ada").await;
    devices::sync(&ada).await.unwrap();
    let hers = numbered(&ada);
    let dry = scene
        .admin(&[
            "leaver",
            "ada",
            "--to",
            "ben",
            "--rule",
            "company:Companyzzmark000zz=cy",
            "--dry-run",
            "--json",
        ])
        .json();
    assert_eq!(dry["to"]["cy"], 1, "{dry:#}");
    assert_eq!(dry["to"]["ben"], 3);
    assert_eq!(ada.ids(None).unwrap().len(), 4, "nothing was done");
    assert_eq!(dry["devices"][0]["revoked"], false);
    // A phone that was lost and wiped long ago has handed over what it had: nothing of it waits.
    let lost = scene.device("lost", "ada");
    lost.sync();
    lost.run(&["note", &hers[&0].to_string(), "--append", "unsent"]).ok();
    let id = lost.json(&["status"])["device"]["id"].as_str().unwrap().to_owned();
    scene.admin(&["device", "revoke", &id]).ok();
    assert_eq!(lost.run(&["sync"]).status.code(), Some(6));
    let left = scene
        .admin(&[
            "leaver",
            "ada",
            "--to",
            "ben",
            "--rule",
            "company:Companyzzmark000zz=cy",
            "--json",
        ])
        .json();
    assert_eq!(left["contacts"], 4, "{left:#}");
    let states: std::collections::BTreeSet<&str> = left["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|device| device["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["revoked", "wiped"].into());
    assert_eq!(left["unsent"], 0, "{left:#}");
    assert_eq!(left["api_keys"], serde_json::json!([]));
    let exported = scene.export();
    let owner = |n: usize| exported[&hers[&n].to_string()]["owner"].clone();
    assert_eq!(owner(0), "cy", "{:#}", exported[&hers[&0].to_string()]);
    assert_eq!(owner(1), "ben");
    let again = devices::sync(&ada).await;
    assert!(again.is_err() || ada.ids(None).map_or(true, |ids| ids.is_empty()), "no way back in");
}

#[test]
fn programs_that_act_for_who_leaves_are_named() {
    let scene = Scene::new();
    scene.reps(&["ben"]);
    scene.admin(&["user", "add", "mona", "--role", "manager"]).ok();
    let key = ["api-key", "add", "her-script", "--scope", "contacts:read", "--user", "mona"];
    scene.admin(&key).ok();
    let left = scene.admin(&["leaver", "mona", "--to", "ben", "--json"]).json();
    assert_eq!(left["api_keys"], serde_json::json!(["her-script"]), "{left:#}");
}
