//! A contact's document is begun anew while devices are away (rule 25): no edit is lost, nothing is
//! mixed, and what is to be gone is in no byte of the server's nor of a device's files.
#![allow(clippy::unwrap_used)]

use roadbook_client_core::Receipt;
use roadbook_protocol::document::Command;
use roadbook_protocol::ids::ContactId;
use roadbook_tests::devices;
use roadbook_tests::marker::in_files;
use roadbook_tests::process::Rep;
use roadbook_tests::scene::{Scene, summaries, visit};
use serde_json::Value;

/// The name of somebody who is erased, in another contact.
const MARKER: &str = "zzmentionzz";

fn rewrite(scene: &Scene, id: &str, more: &[&str]) -> Value {
    let args = [&["rewrite", id, "--reason", "request-17", "--json"], more].concat();
    scene.admin(&args).json()
}

/// A contact of Ada that Ben works on too; a phone of hers, a laptop of his, both up to date.
struct World {
    scene: Scene,
    phone: Rep,
    laptop: Rep,
    id: String,
}

impl World {
    fn new() -> Self {
        let scene = Scene::new();
        scene.reps(&["ada", "ben"]);
        scene.import(7, 5, Some("ada"));
        let id = scene.export().keys().next().unwrap().clone();
        scene.admin(&["assign", "--to", "ben", "--collaborator", "--ids", &id]).ok();
        let phone = scene.device("phone", "ada");
        let laptop = scene.device("laptop", "ben");
        let world = Self { scene, phone, laptop, id };
        world.exchange();
        visit(&world.phone, &world.id, "Before, of the phone");
        visit(&world.laptop, &world.id, "Before, of the laptop");
        for n in 0..20 {
            set(&world.phone, &world.id, "website", &format!("https://{n}.example"));
        }
        world.exchange();
        world
    }

    fn exchange(&self) {
        for rep in [&self.phone, &self.laptop, &self.phone, &self.laptop] {
            rep.sync_until_merged();
        }
    }

    fn contact(&self) -> Value {
        self.scene.export()[&self.id].clone()
    }

    #[track_caller]
    fn assert_equal(&self) {
        self.scene.assert_agrees(&self.phone, "ada");
        assert_eq!(
            self.phone.show(&self.id)["interactions"],
            self.laptop.show(&self.id)["interactions"]
        );
        assert_eq!(self.laptop.state_hash(), self.scene.state_hash("ben"));
        self.scene.assert_clean();
    }
}

fn set(rep: &Rep, id: &str, field: &str, value: &str) {
    rep.run(&["set", id, &format!("{field}={value}")]).ok();
}

#[test]
fn what_a_device_made_on_the_old_document_is_made_anew_on_the_fresh_one() {
    let world = World::new();
    let history = |rep: &Rep| {
        rep.json(&["history", &world.id, "--limit", "500"])["history"].as_array().unwrap().len()
    };
    let before = history(&world.phone);
    // The phone is away with edits that were never sent.
    visit(&world.phone, &world.id, "Unsent, of the phone");
    set(&world.phone, &world.id, "job_title", "Unsent title");
    world.phone.run(&["note", &world.id, "--append", "An unsent line."]).ok();
    let preview = world.scene.admin(&["rewrite", &world.id, "--dry-run", "--json"]).json();
    assert_eq!(preview["preview"]["generation"], 1, "{preview}");
    let state = world.scene.state_hash("ben");
    assert_eq!(rewrite(&world.scene, &world.id, &[])["generation"], 2);
    assert_ne!(world.scene.state_hash("ben"), state, "the generation is part of the content");
    // The laptop edits on the fresh one, before and after it has it.
    visit(&world.laptop, &world.id, "Unsent, of the laptop");
    world.laptop.sync_until_merged();
    visit(&world.laptop, &world.id, "After, of the laptop");
    world.exchange();
    let contact = world.contact();
    let mut told = summaries(&contact);
    told.sort();
    told.retain(|text| text.contains(", of the "));
    assert_eq!(
        told,
        [
            "After, of the laptop",
            "Before, of the laptop",
            "Before, of the phone",
            "Unsent, of the laptop",
            "Unsent, of the phone",
        ],
        "each once: {contact:#}"
    );
    assert_eq!(contact["job_title"], "Unsent title", "{contact:#}");
    let note = contact["note"].as_str().unwrap();
    assert_eq!(note.matches("An unsent line.").count(), 1, "{note}");
    assert_eq!(contact["website"], "https://19.example");
    world.assert_equal();
    for rep in [&world.phone, &world.laptop] {
        assert!(rep.json(&["quarantine"])["quarantine"].as_array().unwrap().is_empty());
        assert!(rep.receipts().iter().all(|receipt| receipt == "merged"), "{:?}", rep.receipts());
    }
    // Whoever wrote what is there is told as ever.
    assert!(history(&world.phone) < before);
    let shown = world.phone.json(&["history", &world.id])["history"].clone();
    let of_ada =
        shown.as_array().unwrap().iter().filter(|item| item.to_string().contains("ada")).count();
    assert!(of_ada >= 4, "{shown:#}");
    // Once more, with nothing unsent.
    assert_eq!(rewrite(&world.scene, &world.id, &[])["generation"], 3);
    set(&world.phone, &world.id, "job_title", "In between");
    world.exchange();
    assert_eq!(world.contact()["job_title"], "In between");
    world.assert_equal();
}

#[test]
fn a_person_who_was_mentioned_is_in_no_byte_after_the_past_is_gone() {
    let world = World::new();
    set(&world.phone, &world.id, "job_title", MARKER);
    world.phone.run(&["note", &world.id, "--append", &format!("Knows {MARKER}.")]).ok();
    let email = format!("{MARKER}@example.com");
    world.laptop.run(&["email", "add", &world.id, &email]).ok();
    world.exchange();
    let places = || {
        [world.scene.data(), world.phone.home().to_owned(), world.laptop.home().to_owned()]
            .map(|dir| in_files(&dir, MARKER))
    };
    assert!(places().iter().all(|found| *found > 0), "it is found before: {:?}", places());
    // An ordinary edit takes it out of sight.
    set(&world.phone, &world.id, "job_title", "Buyer");
    let shown = world.laptop.show(&world.id);
    let emails = shown["emails"].as_array().unwrap();
    let of_hers = |entry: &&Value| entry["address"] == email.as_str();
    let email_id = emails.iter().find(of_hers).unwrap()["id"].as_str().unwrap();
    world.laptop.run(&["email", "remove", &world.id, email_id]).ok();
    let text = shown["note"].as_str().unwrap().replace(&format!("Knows {MARKER}."), "");
    world.laptop.run(&["note", &world.id, "--replace", &text]).ok();
    world.exchange();
    assert!(!world.contact().to_string().contains(MARKER));
    assert!(places().iter().all(|found| *found > 0), "the past has it: {:?}", places());
    let done = rewrite(&world.scene, &world.id, &["--purge"]);
    assert_eq!((&done["purged"], &done["scrubbed"]), (&true.into(), &true.into()), "{done}");
    assert_eq!(in_files(&world.scene.data(), MARKER), 0);
    world.exchange();
    assert_eq!(places(), [0, 0, 0]);
    world.assert_equal();
}

#[test]
fn a_server_that_dies_in_a_rewrite_has_the_one_document_or_the_other() {
    let mut world = World::new();
    visit(&world.phone, &world.id, "Unsent, of the phone");
    for point in ["rewrite_before_commit", "merge_before_commit", "merge_after_commit"] {
        world.scene.stop();
        world.scene.start_with(&[("ROADBOOK_FAILPOINT", point)]);
        let args = ["rewrite", world.id.as_str(), "--reason", "test", "--json"];
        // The command hears that the server is gone, or its answer came first.
        let _ = world.scene.admin(&args);
        world.scene.kill();
        world.scene.start();
        world.exchange();
        world.assert_equal();
    }
    let told = summaries(&world.contact());
    assert_eq!(told.iter().filter(|text| *text == "Unsent, of the phone").count(), 1, "{told:?}");
    assert_eq!(world.contact()["website"], "https://19.example");
}

#[test]
fn a_server_restored_to_before_a_rewrite_is_brought_it_and_no_edit_is_lost() {
    let mut world = World::new();
    let backup = world.scene.dir().join("before.backup");
    world.scene.admin(&["backup", backup.to_str().unwrap()]).ok();
    visit(&world.phone, &world.id, "After the backup");
    world.exchange();
    rewrite(&world.scene, &world.id, &[]);
    // The laptop has the fresh document and edits on it; the phone is away and has the old one.
    world.laptop.sync_until_merged();
    visit(&world.laptop, &world.id, "On the fresh one");
    world.laptop.sync_until_merged();
    visit(&world.phone, &world.id, "Unsent, of the phone");
    world.scene.stop();
    let (data, lost) = (world.scene.data(), world.scene.dir().join("lost"));
    std::fs::rename(&data, &lost).unwrap();
    world.scene.admin(&["restore", backup.to_str().unwrap()]).ok();
    for kept in ["keys", "ledger"] {
        roadbook_tests::scene::copy(&lost.join(kept), &data.join(kept));
    }
    world.scene.start();
    // First the one that knows nothing of it.
    world.phone.sync();
    world.laptop.sync();
    for _ in 0..3 {
        world.exchange();
    }
    let mut told = summaries(&world.contact());
    told.retain(|t| t.contains("backup") || t.contains("fresh") || t.contains("Unsent"));
    told.sort();
    assert_eq!(told, ["After the backup", "On the fresh one", "Unsent, of the phone"]);
    assert_eq!(world.contact()["website"], "https://19.example");
    world.assert_equal();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_made_while_the_fresh_document_comes_is_on_it() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(7, 1, Some("ada"));
    let ada = scene.replica("ada", "ada").await;
    devices::sync(&ada).await.unwrap();
    let id: ContactId = ada.ids(None).unwrap()[0];
    for round in 0..5 {
        rewrite(&scene, &id.to_string(), &[]);
        devices::edit(&ada, id, &[Command::Tag { tag: format!("tag{round}"), at: 1 }]);
        devices::sync_until_merged(&ada).await;
    }
    let tags = ada.contact(id).unwrap().tags;
    for round in 0..5 {
        assert!(tags.contains(&format!("tag{round}")), "{tags:?}");
    }
    assert!(ada.quarantine().unwrap().is_empty());
    assert!(ada.outbox(true).unwrap().iter().all(|entry| entry.receipt == Receipt::Merged));
    assert_eq!(devices::state_hash(&ada), scene.state_hash("ada"));
    scene.assert_clean();
}
