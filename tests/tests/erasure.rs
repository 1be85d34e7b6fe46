//! Erasure (P10, rules 4 and 10): an erased person is in no byte of the server's data directory nor of
//! any device's that has come back, a device that was away can't bring them back, a restore of an older
//! backup does not either, and a report says which devices have confirmed. Markers are first shown to be
//! found where they belong.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use roadbook_client_core::sync::{Engine, SyncOptions};
use roadbook_client_core::{Replica, Topic};
use roadbook_tests::devices;
use roadbook_tests::marker::in_files;
use roadbook_tests::process::Rep;
use roadbook_tests::scene::{Scene, copy, visit};
use rusqlite::types::ValueRef;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// In the name of the one who is erased; lower case and one word, as the search index has it.
const MARKER: &str = "zzerasedzz";
/// In an edit that never reached the server.
const UNSENT: &str = "zzunsentzz";
/// Of somebody who stays.
const STAYS: &str = "zzstayszz";

/// Imports one contact of Ada with a marker in several fields; returns its id.
#[track_caller]
fn import(scene: &Scene, marker: &str, note: &str) -> String {
    let csv = format!(
        "customer_no,given_name,family_name,company,city,note,tags,email\n\
         {marker}no,Nina,{marker}name,Company{marker},City{marker},{note},tag{marker},{marker}@example.com\n"
    );
    let file = scene.dir().join(format!("{marker}.csv"));
    std::fs::write(&file, csv).unwrap();
    let args = ["import", file.to_str().unwrap(), "--key", "customer_no", "--owner", "ada"];
    scene.admin(&args).ok();
    let named = format!("Company{marker}");
    let all = scene.export();
    let found = all.iter().find(|(_, contact)| contact["company"] == named.as_str());
    found.unwrap_or_else(|| panic!("{named}: {all:?}")).0.clone()
}

#[track_caller]
fn report(scene: &Scene, id: &str) -> Value {
    let report = scene.admin(&["erase", "report", id, "--json"]).json();
    report["erasures"][0].clone()
}

/// The devices of an erasure that have not confirmed it.
fn waiting(erasure: &Value) -> usize {
    let devices = erasure["devices"].as_array().unwrap();
    devices.iter().filter(|device| device["purged_at"].is_null()).count()
}

/// Ada owns the contact, Ben works on it too; the phone is hers, the laptop his. Both have written.
struct World {
    scene: Scene,
    phone: Rep,
    laptop: Rep,
    id: String,
    stays: String,
}

impl World {
    fn new(args: &[&str]) -> Self {
        let scene = Scene::with(args);
        scene.reps(&["ada", "ben", "cyd"]);
        scene.import(61, 30, Some("ada"));
        let id = import(&scene, MARKER, &format!("Note {MARKER} text"));
        let stays = import(&scene, STAYS, "nothing about anybody");
        scene.admin(&["assign", "--to", "ben", "--collaborator", "--ids", &id]).ok();
        let phone = scene.device("phone", "ada");
        let laptop = scene.device("laptop", "ben");
        let world = Self { scene, phone, laptop, id, stays };
        world.exchange();
        visit(&world.phone, &world.id, &format!("{MARKER} visit of the phone"));
        visit(&world.laptop, &world.id, &format!("{MARKER} visit of the laptop"));
        world.exchange();
        world
    }

    fn exchange(&self) {
        for rep in [&self.phone, &self.laptop, &self.phone, &self.laptop] {
            rep.sync_until_merged();
        }
    }

    #[track_caller]
    fn erase(&self) -> Value {
        self.scene.admin(&["erase", &self.id, "--reason", "request-17", "--json"]).json()
    }

    /// The server's directory is lost but for the keys, and with `ledger` the ledger in it.
    fn lose_and_restore(&mut self, backup: &Path, ledger: bool) -> PathBuf {
        self.scene.stop();
        let (data, lost) = (self.scene.data(), self.scene.dir().join("lost"));
        std::fs::rename(&data, &lost).unwrap();
        self.scene.admin(&["restore", backup.to_str().unwrap()]).ok();
        copy(&lost.join("keys"), &data.join("keys"));
        if ledger {
            copy(&lost.join("ledger"), &data.join("ledger"));
        }
        self.scene.start();
        data
    }
}

#[test]
fn an_erased_contact_is_in_no_byte_of_the_server_nor_of_its_devices() {
    let mut world = World::new(&[]);
    // A change that is set aside: the phone's second user never held the contact.
    let other = world.scene.device("tablet", "cyd");
    other.sync();
    // What the query planner samples is written when the server ends.
    world.scene.stop();
    world.scene.start();
    visit(&world.phone, &world.id, &format!("{UNSENT} on the phone"));
    for (what, dir) in [
        ("the server", world.scene.data()),
        ("the phone", world.phone.home().to_owned()),
        ("the laptop", world.laptop.home().to_owned()),
    ] {
        assert!(in_files(&dir, MARKER) >= 5, "the marker is found at {what} before");
        assert!(in_files(&dir, STAYS) >= 5 || what == "the laptop", "{what}");
    }
    assert!(in_files(world.phone.home(), UNSENT) >= 1);

    let preview = world.scene.admin(&["erase", &world.id, "--dry-run", "--json"]).json();
    assert_eq!(preview["devices"].as_array().unwrap().len(), 2, "{preview}");
    assert!(in_files(&world.scene.data(), MARKER) >= 5, "a dry run erases nothing");
    let erased = world.erase();
    assert_eq!(erased["scrubbed"], true, "{erased}");
    // The server runs on, and no byte is left in any of its files.
    assert_eq!(in_files(&world.scene.data(), MARKER), 0);
    assert!(in_files(&world.scene.data(), STAYS) >= 5, "others are untouched");
    world.scene.assert_clean();
    assert_eq!(waiting(&report(&world.scene, &world.id)), 2, "nobody has confirmed yet");

    world.phone.sync();
    assert_eq!(waiting(&report(&world.scene, &world.id)), 1, "the phone has");
    world.laptop.sync();
    let told = report(&world.scene, &world.id);
    assert_eq!((waiting(&told), &told["reason"]), (0, &Value::from("request-17")));
    for rep in [&world.phone, &world.laptop] {
        assert_eq!(in_files(rep.home(), MARKER), 0, "{}", rep.home().display());
        assert_eq!(in_files(rep.home(), UNSENT), 0, "{}", rep.home().display());
        assert!(!rep.ids().contains(&world.id));
    }
    assert!(in_files(world.phone.home(), STAYS) >= 5);
    assert_eq!(in_files(&world.scene.data(), UNSENT), 0, "what came late was not kept");
    assert!(world.phone.ids().contains(&world.stays));
    world.scene.stop();
    assert_eq!(in_files(&world.scene.data(), MARKER), 0);
    world.scene.start();
    world.scene.assert_clean();
    world.scene.assert_agrees(&world.phone, "ada");

    let again = world.scene.admin(&["erase", &world.id, "--reason", "request-17"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let named = world.scene.admin(&["erase", &world.stays, "--reason", "Nina asked for it"]);
    assert!(named.stderr.contains("must not tell of the person"), "{named:?}");
    assert!(world.scene.export().contains_key(&world.stays));
}

/// Whatever tables there are: after an erasure no column of any row holds the id, but for those that
/// say that it was erased.
#[test]
fn no_table_is_forgotten() {
    let mut world = World::new(&[]);
    let rows = |scene: &Scene| {
        let conn = rusqlite::Connection::open(scene.data().join("roadbook.db")).unwrap();
        let mut found: Vec<String> = Vec::new();
        let tables: Vec<String> = conn
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let id: uuid::Uuid = world.id.parse().unwrap();
        for table in tables {
            let mut statement = conn.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let holds = (0..columns).any(|column| match row.get_ref(column).unwrap() {
                    ValueRef::Blob(bytes) => bytes.windows(16).any(|w| w == id.as_bytes()),
                    _ => false,
                });
                if holds && !found.contains(&table) {
                    found.push(table.clone());
                }
            }
        }
        found.sort();
        found
    };
    world.scene.stop();
    let before = rows(&world.scene);
    for table in ["log", "change_index", "projection"] {
        assert!(before.contains(&table.to_owned()), "{table} is looked at: {before:?}");
    }
    world.scene.start();
    world.erase();
    world.scene.stop();
    assert_eq!(rows(&world.scene), ["access", "contact", "erasure", "erasure_device", "feed"]);
}

#[test]
fn a_device_long_behind_cannot_bring_it_back() {
    let world = World::new(&[]);
    // The phone goes offline and works on; the laptop has dropped nothing either.
    for n in 0..20 {
        visit(&world.phone, &world.id, &format!("{UNSENT} {n}"));
    }
    visit(&world.phone, &world.stays, "about somebody else");
    world.erase();
    let before = world.scene.export();
    assert!(!before.contains_key(&world.id));
    world.phone.sync_until_merged();
    world.laptop.sync();
    assert!(!world.scene.export().contains_key(&world.id));
    for dir in [&world.scene.data(), world.phone.home(), world.laptop.home()] {
        assert_eq!(in_files(dir, UNSENT) + in_files(dir, MARKER), 0, "{}", dir.display());
    }
    let told = world.phone.json(&["outbox"]);
    assert_eq!(told["outbox"], serde_json::json!([]), "nothing waits for ever");
    assert_eq!(
        world.scene.export()[&world.stays]["interactions"].as_array().unwrap().len(),
        1,
        "other edits go their way"
    );
    // Whoever names the id is refused: for a device it does not exist, for an import neither.
    assert_eq!(
        world.scene.admin(&["erase", &world.id, "--reason", "again"]).status.code(),
        Some(1)
    );
    world.scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_online_purges_at_once() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let id = import(&scene, MARKER, "text");
    let phone = scene.replica("phone", "ada").await;
    devices::sync(&phone).await.unwrap();
    assert!(in_files(&scene.dir().join("phone"), MARKER) >= 5);
    let stop = CancellationToken::new();
    let engine = Engine::new(phone.clone(), SyncOptions::default());
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(stop).await }
    });
    let mut list = phone.observe(Topic::List);
    scene.admin(&["erase", &id, "--reason", "request-1"]).ok();
    tokio::time::timeout(devices::SYNC_MAX, async {
        while !phone.ids(None).unwrap().is_empty() {
            list.next().await;
        }
        // The confirmation comes behind the scrubbed files.
        let mut sync = phone.observe(Topic::Sync);
        while waiting(&report(&scene, &id)) > 0 {
            sync.next().await;
        }
    })
    .await
    .expect("the device purges while it is online");
    stop.cancel();
    running.await.unwrap().unwrap();
    close(&phone);
    assert_eq!(in_files(&scene.dir().join("phone"), MARKER), 0);
}

fn close(replica: &Replica) {
    replica.close();
}

#[test]
fn a_restore_of_an_older_backup_replays_the_ledger() {
    let elsewhere = tempfile::tempdir().unwrap();
    let ledger = elsewhere.path().join("roadbook.ledger");
    let mut world = World::new(&["--ledger", ledger.to_str().unwrap()]);
    let lost_phone = world.scene.device("lost-phone", "ben");
    lost_phone.sync();
    let moved = world.phone.ids()[0].clone();
    let backup = world.scene.dir().join("backup.db");
    world.scene.admin(&["backup", backup.to_str().unwrap()]).ok();
    assert!(in_files(backup.parent().unwrap(), MARKER) >= 5, "it is in the backup");
    assert!(!world.scene.data().join("ledger").exists(), "it is where it was said to be");

    // After the backup: an erasure, an assignment, a revocation, a new device.
    world.erase();
    world.exchange();
    world.scene.admin(&["assign", "--to", "ben", "--ids", &moved]).ok();
    let list = world.scene.admin(&["device", "list", "--json"]).json();
    let of = |name: &Rep| name.json(&["status"])["device"]["id"].as_str().unwrap().to_owned();
    assert!(list.to_string().contains(&of(&lost_phone)));
    world.scene.admin(&["device", "revoke", &of(&lost_phone)]).ok();
    let tablet = world.scene.device("tablet", "ada");
    tablet.sync();
    // A contact of Ada that was made after the backup, and is Ben's by now.
    let added = world.phone.json(&["add", "name=Nils Neu", "city=Ulm"])["contact_id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.phone.sync_until_merged();
    world.scene.admin(&["assign", "--to", "ben", "--ids", &added]).ok();
    let owner = |scene: &Scene, id: &str| scene.export().get(id).map(|c| c["owner"].clone());
    assert_eq!(owner(&world.scene, &moved), Some("ben".into()));

    let data = world.lose_and_restore(&backup, false);
    // Before any device has come: what was erased stays erased, in every byte.
    assert!(!world.scene.export().contains_key(&world.id));
    assert_eq!(in_files(&data, MARKER), 0);
    let told = report(&world.scene, &world.id);
    assert_eq!(told["replayed"], true, "{told}");
    assert_eq!(owner(&world.scene, &moved), Some("ben".into()), "the assignment is known");
    let audit = world.scene.admin(&["audit", "list", "--json"]).json().to_string();
    assert!(audit.contains("ledger.replay"), "{audit}");
    // The revoked phone stays revoked, the new tablet is known.
    assert!(!lost_phone.run(&["sync"]).status.success(), "it was revoked");
    tablet.sync_until_merged();
    world.exchange();
    assert_eq!(owner(&world.scene, &added), Some("ben".into()), "it came back as Ben's");
    assert!(world.laptop.ids().contains(&moved) && !world.phone.ids().contains(&moved));
    for dir in [&data, world.phone.home(), world.laptop.home(), tablet.home()] {
        assert_eq!(in_files(dir, MARKER), 0, "{}", dir.display());
    }
    world.scene.assert_clean();
}

/// People come and go after the backup too: the ledger has their ids, and not their names.
#[test]
fn whoever_was_added_after_the_backup_is_back_after_the_restore_and_who_had_left_stays_out() {
    let mut world = World::new(&[]);
    let backup = world.scene.dir().join("backup.db");
    world.scene.admin(&["backup", backup.to_str().unwrap()]).ok();
    // After it: somebody new, with a device and a contact; a manager; and somebody leaves.
    world.scene.reps(&["nora"]);
    world.scene.manager("mira");
    let phone = world.scene.device("noras-phone", "nora");
    let id = phone.json(&["add", "name=Nils Neu", "city=Ulm"])["contact_id"]
        .as_str()
        .unwrap()
        .to_owned();
    phone.sync_until_merged();
    visit(&phone, &id, "not sent before the restore");
    world.scene.admin(&["user", "change", "cyd", "--disable"]).ok();
    let users = |scene: &Scene| scene.admin(&["user", "list", "--json"]).json()["users"].clone();
    let before = users(&world.scene);
    let of = |users: &Value, login: &str| {
        users.as_array().unwrap().iter().find(|user| user["login"] == login).cloned()
    };
    let (nora, mira) = (of(&before, "nora").unwrap(), of(&before, "mira").unwrap());

    let data = world.lose_and_restore(&backup, true);
    let after = users(&world.scene);
    assert!(of(&after, "nora").is_none(), "no name is in the ledger: {after}");
    let ledger = std::fs::read_to_string(data.join("ledger")).unwrap();
    assert!(ledger.contains("user ") && !ledger.contains("nora"), "{ledger}");
    let by_id = |id: &Value| {
        after.as_array().unwrap().iter().find(|user| user["id"] == *id).cloned().unwrap()
    };
    let (back, steered) = (by_id(&nora["id"]), by_id(&mira["id"]));
    assert_eq!((&back["role"], &back["has_password"]), (&"rep".into(), &false.into()), "{back}");
    assert_eq!(steered["role"], "rep", "without a team she would steer everybody");
    assert!(!of(&after, "cyd").unwrap()["disabled_at"].is_null(), "who has left stays out");
    // Her phone goes on, and what it had not sent is there.
    phone.sync_until_merged();
    let contact = world.scene.export()[&id].clone();
    assert_eq!(contact["interactions"][0]["summary"], "not sent before the restore");
    let login = back["login"].as_str().unwrap();
    assert!(login.starts_with("restored-"), "{login}");
    world.scene.admin(&["user", "change", login, "--login", "nora", "--name", "Nora"]).ok();
    let twice = world.scene.admin(&["user", "change", "nora", "--login", "ada"]);
    assert_eq!(twice.status.code(), Some(1), "{}", twice.stderr);
    assert_eq!(of(&users(&world.scene), "nora").unwrap()["id"], nora["id"]);
    assert_eq!(phone.json(&["list"])["total"], 1);
    world.scene.assert_clean();
}

#[test]
fn a_ledger_in_the_data_directory_works_as_well_and_a_damaged_one_is_refused() {
    let mut world = World::new(&[]);
    let backup = world.scene.dir().join("backup.db");
    world.scene.admin(&["backup", backup.to_str().unwrap()]).ok();
    world.erase();
    let data = world.lose_and_restore(&backup, true);
    assert_eq!(in_files(&data, MARKER), 0);
    world.exchange();
    assert_eq!(waiting(&report(&world.scene, &world.id)), 0);
    world.scene.stop();
    let ledger = data.join("ledger");
    let whole = std::fs::read_to_string(&ledger).unwrap();
    let named = whole.split_whitespace().any(|word| word == "ada");
    assert!(!whole.contains(MARKER) && !named, "ids only: {whole}");
    std::fs::write(&ledger, whole.replacen("enrol", "unrol", 1)).unwrap();
    let refused = world.scene.start_or_refuse(&[]).unwrap_err();
    assert!(refused.contains("ledger") && refused.contains("put a copy of it back"), "{refused}");
    // The end of an append that a crash cut off is none that anybody was told of.
    std::fs::write(&ledger, format!("{whole}99 1")).unwrap();
    world.scene.start();
    assert_eq!(std::fs::read_to_string(&ledger).unwrap(), whole);
}

#[test]
fn mentions_in_other_contacts_are_listed_for_a_person_to_decide() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let id = import(&scene, MARKER, "text");
    let other = import(&scene, STAYS, &format!("Ask {MARKER}NAME first"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    visit(&phone, &other, &format!("with Nina {MARKER}name"));
    phone.sync_until_merged();
    // Searches that were saved may name the person too.
    let named = format!("{MARKER}NAME");
    scene.admin(&["list", "hand", "Hers", "--filter", &named, "--to", "ada"]).ok();
    scene.admin(&["list", "hand", "All", "--filter", "*", "--to", "ada"]).ok();
    let dry = scene.admin(&["erase", &id, "--dry-run", "--json"]).json();
    assert_eq!(dry["saved"].as_array().unwrap().len(), 1, "{dry}");
    assert_eq!(
        (&dry["saved"][0]["kind"], &dry["saved"][0]["name"]),
        (&"list".into(), &"Hers".into())
    );
    let erased = scene.admin(&["erase", &id, "--reason", "request-2", "--json"]).json();
    assert_eq!(erased["saved"], dry["saved"]);
    let mentions = erased["mentions"].as_array().unwrap();
    assert_eq!(mentions.len(), 2, "{erased}");
    assert!(mentions.iter().all(|mention| mention["contact"] == other.as_str()), "{erased}");
    assert!(mentions.iter().any(|mention| mention["at"] == "note"), "{erased}");
    let told = report(&scene, &id);
    assert_eq!(told["mentions"], serde_json::json!([other]), "as ids alone");
}

/// The files of an uncompressed zip archive, by name.
fn unzipped(file: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    let number = |at: usize, size: usize| {
        bytes[at..at + size].iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte))
    };
    let mut files = std::collections::BTreeMap::new();
    let mut at = 0;
    while bytes[at..].starts_with(b"PK\x03\x04") {
        let (size, name) = (number(at + 18, 4), number(at + 26, 2));
        let begins = at + 30 + name;
        let name = String::from_utf8(bytes[at + 30..begins].to_vec()).unwrap();
        files.insert(name, bytes[begins..begins + size].to_vec());
        at = begins + size;
    }
    assert!(bytes[at..].starts_with(b"PK\x01\x02"), "the directory follows the files");
    files
}

#[test]
fn everything_about_one_person_is_in_one_archive_with_authors_and_nothing_about_others() {
    let world = World::new(&[]);
    let file = world.scene.dir().join("nina.zip");
    world.scene.admin(&["access", &world.id, "--out", file.to_str().unwrap()]).ok();
    let files = unzipped(&file);
    let json = |name: &str| serde_json::from_slice::<Value>(&files[name]).unwrap();
    assert_eq!(json("contact.json"), {
        let mut exported = world.scene.export()[&world.id].clone();
        for office in ["owner", "collaborators"] {
            exported.as_object_mut().unwrap().remove(office);
        }
        exported
    });
    let history = json("history.json");
    let authors: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["author_name"].as_str())
        .collect();
    for author in ["Rep ada (ada)", "Rep ben (ben)"] {
        assert!(authors.contains(&author), "{authors:?}");
    }
    let rights = json("rights.json").to_string();
    assert!(rights.contains("owner") && rights.contains("collaborator"), "{rights}");
    let page = String::from_utf8(files["contact.html"].clone()).unwrap();
    for shown in ["visit of the phone", "visit of the laptop", "Rep ben (ben)"] {
        assert!(page.contains(shown), "{shown} is to be read: {page}");
    }
    for bytes in files.values() {
        assert!(!String::from_utf8_lossy(bytes).contains(STAYS), "nothing of anybody else");
    }
    let again = world.scene.admin(&["access", &world.id, "--out", file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(4), "a file that exists is never replaced");
}

#[test]
fn a_retention_rule_erases_exactly_the_list_that_was_confirmed() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let lost = import(&scene, MARKER, "text");
    let stays = import(&scene, STAYS, "text");
    let phone = scene.device("phone", "ada");
    phone.sync();
    phone.run(&["set", &lost, "status=lost"]).ok();
    phone.sync_until_merged();
    let rule = ["retention", "set", "lost-leads", "--filter", "status:lost", "--months", "24"];
    scene.admin(&rule).ok();
    let preview = || scene.admin(&["retention", "preview", "lost-leads", "--json"]).json();
    assert_eq!(preview()["due"], serde_json::json!([]), "it was edited today");
    // Three years ago, as far as the row says.
    scene.admin(&["retention", "set", "all-old", "--filter", "*", "--months", "24"]).ok();
    let conn = rusqlite::Connection::open(scene.data().join("roadbook.db")).unwrap();
    let old = "UPDATE projection SET row = json_set(row, '$.touched_at', 1000000000000)
               WHERE n = (SELECT n FROM contact WHERE id = ?)";
    let id: uuid::Uuid = lost.parse().unwrap();
    assert_eq!(conn.execute(old, [id.as_bytes()]).unwrap(), 1);
    drop(conn);
    let listed = preview();
    assert_eq!(listed["due"][0]["contact"], lost.as_str(), "{listed}");
    assert_eq!(listed["due"].as_array().unwrap().len(), 1);
    let wrong = scene.admin(&["retention", "apply", "lost-leads", "--confirm", "000000000000"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(scene.export().contains_key(&lost), "nothing is erased unless the list was confirmed");
    let code = listed["confirm"].as_str().unwrap();
    scene.admin(&["retention", "apply", "lost-leads", "--confirm", code]).ok();
    let left = scene.export();
    assert!(!left.contains_key(&lost) && left.contains_key(&stays));
    assert_eq!(report(&scene, &lost)["reason"], "retention/lost-leads");
    assert_eq!(in_files(&scene.data(), MARKER), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_for_mailing_holds_only_those_who_may_be_written_to() {
    use roadbook_protocol::document::{Collection, Command};
    use roadbook_tests::generate::put;
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let asked = import(&scene, MARKER, "text");
    let never = import(&scene, STAYS, "text");
    let silent = import(&scene, "zzsilentzz", "text");
    let phone = scene.replica("phone", "ada").await;
    devices::sync(&phone).await.unwrap();
    for id in [&asked, &never] {
        let fields = [("channel", "email".into()), ("state", "given".into())];
        let consent = put(Collection::Consents, phone.new_entry_id(), fields);
        devices::edit(&phone, id.parse().unwrap(), &[consent]);
    }
    let flag = Command::Set { field: "do_not_contact".into(), value: Some(true.into()) };
    devices::edit(&phone, never.parse().unwrap(), &[flag]);
    devices::sync_until_merged(&phone).await;
    let mailing = scene.admin(&["export", "--mailing", "email"]).json();
    let ids = roadbook_tests::scene::by_id(&mailing);
    assert!(ids.contains_key(&asked), "{ids:?}");
    assert!(!ids.contains_key(&never) && !ids.contains_key(&silent), "{ids:?}");
    assert_eq!(scene.export().len(), 3, "an export for oneself holds all");
}
