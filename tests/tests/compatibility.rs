//! What earlier versions wrote to disk (`tests/fixtures/`) is opened by this one: databases of the
//! server, replicas with edits that were never sent, documents. Each test goes through every version
//! that there is; a later one is covered by laying its fixtures beside the others.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use automerge::{Automerge, LoadOptions, ReadDoc, TextEncoding};
use roadbook_protocol::document::{self, Command, bootstraps};
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::{PROTOCOL, PROTOCOL_OLDEST};
use roadbook_protocol::{guard, limits::Limits, projection};
use roadbook_server::store::schema;
use roadbook_tests::fixtures::{self, Fixture, assert_holds, merged_state_hash, served};
use roadbook_tests::process::{Rep, admin};
use roadbook_tests::scene::Scene;
use serde_json::{Value, json};

fn user_version(path: &Path) -> i64 {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// A list of objects without what changes by itself, such as when a device was last seen.
fn without(list: &Value, fields: &[&str]) -> Value {
    let mut list = list.clone();
    for entry in list.as_array_mut().unwrap() {
        for field in fields {
            entry.as_object_mut().unwrap().remove(*field);
        }
    }
    list
}

#[test]
fn this_version_has_fixtures_and_no_format_is_older_than_theirs() {
    let all = fixtures::all();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        all.iter().any(|fixture| fixture.version == version),
        "{version} has no fixtures; before it is released: tests/fixtures/make {version}"
    );
    for fixture in &all {
        let about = fixture.json("about");
        let protocol = about["protocol"].as_u64().unwrap();
        assert_eq!(about["version"], fixture.version.as_str());
        assert!(about["server_schema"].as_i64().unwrap() <= schema::LATEST);
        assert!(
            (u64::from(PROTOCOL_OLDEST)..=u64::from(PROTOCOL)).contains(&protocol),
            "{} speaks {protocol}, which is never given up (rule 22)",
            fixture.version
        );
    }
    // Whoever raises these has changed a format: a peer of another version is met by the lower
    // number, so the change needs a test with the fixtures of the version before.
    assert_eq!((PROTOCOL_OLDEST, PROTOCOL), (1, 1));
}

// --- the server --------------------------------------------------------------------------------------

#[test]
fn the_database_of_every_release_is_migrated_and_nothing_of_it_is_lost() {
    for fixture in fixtures::all() {
        let about = fixture.json("about");
        let expected = fixture.json("server/expected");
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fixture.server(&data);
        let file = data.join("roadbook.db");
        assert_eq!(user_version(&file), about["server_schema"].as_i64().unwrap());
        assert_eq!(merged_state_hash(&data), expected["state_hash"], "{}", fixture.version);
        // Twice: what is migrated opens like any other.
        for _ in 0..2 {
            let json = |args: &[&str]| admin(&data, &[args, &["--json"]].concat()).json();
            let check = json(&["check"]);
            assert_eq!(check["clean"], true, "{}: {check:#}", fixture.version);
            assert_eq!(check["contacts"], expected["check"]["contacts"]);
            assert_eq!(json(&["state-hash", "--each"]), expected["state_hash"]);
            assert_holds(&json(&["user", "list"])["users"], &expected["users"]);
            let volatile = ["behind", "last_seen"];
            assert_holds(
                &json(&["device", "list"])["devices"],
                &without(&expected["devices"], &volatile),
            );
            assert_holds(&json(&["conflicts"])["conflicts"], &expected["conflicts"]);
            assert_holds(&json(&["quarantine", "list"]), &expected["quarantine"]);
            let audit = json(&["audit", "list", "--limit", "1000"]);
            for entry in expected["audit"]["entries"].as_array().unwrap() {
                assert!(audit["entries"].as_array().unwrap().contains(entry), "{entry}");
            }
            assert_eq!(user_version(&file), schema::LATEST);
        }
        // The fixture has all of these; an empty list would prove nothing.
        for list in ["users", "devices", "conflicts"] {
            assert_ne!(expected[list], json!([]), "{list}");
        }
        assert_ne!(expected["quarantine"]["quarantine"], json!([]));
        let revoked = expected["devices"].as_array().unwrap().iter().any(|d| d["revoked"] == true);
        assert!(revoked, "a device that was revoked stays revoked");
    }
}

#[test]
fn a_migrated_database_can_be_backed_up_and_restored() {
    for fixture in fixtures::all() {
        let scene = served(&fixture);
        let file = scene.dir().join("backup.db");
        scene.admin(&["backup", file.to_str().unwrap()]).ok();
        let other = scene.dir().join("other");
        admin(&other, &["restore", file.to_str().unwrap()]).ok();
        fixtures::copy_keys(&scene.data(), &other);
        let hash = merged_state_hash(&other);
        assert_eq!(hash, fixture.json("server/expected")["state_hash"]);
    }
}

// --- replicas ----------------------------------------------------------------------------------------

#[test]
fn the_replicas_of_every_release_open_with_everything_that_was_in_them() {
    for fixture in fixtures::all() {
        let dir = tempfile::tempdir().unwrap();
        for name in fixture.replicas() {
            let what = format!("{} {name}", fixture.version);
            let home = dir.path().join(&name);
            fixture.replica(&name, &home, "http://127.0.0.1:1");
            let expected = fixture.json(&format!("replicas/{name}/expected"));
            let rep = Rep::new(&home);
            let status = rep.json(&["status"]);
            for field in
                ["contacts", "unsent", "stored_not_merged", "quarantined", "conflicts", "missing"]
            {
                assert_eq!(status[field], expected["status"][field], "{what}: {field}");
            }
            for field in ["user", "workspace", "device", "cursor", "timeline"] {
                assert_holds(&status[field], &expected["status"][field]);
            }
            assert_holds(&rep.json(&["outbox", "--all"])["outbox"], &expected["outbox"]);
            assert_holds(&rep.json(&["quarantine"])["quarantine"], &expected["quarantine"]);
            assert_holds(&json!(rep.conflicts()), &expected["conflicts"]);
            assert_eq!(rep.json(&["state-hash", "--each"]), expected["state_hash"], "{what}");
            for contact in expected["contacts"].as_array().unwrap() {
                assert_holds(&rep.show(contact["id"].as_str().unwrap()), contact);
            }
        }
    }
}

/// The unsent edits of the fixtures, by the words in them, as an export shows them.
fn told_once(exported: &BTreeMap<String, Value>, needle: &str) {
    let found: usize = exported.values().map(|c| c.to_string().matches(needle).count()).sum();
    assert_eq!(found, 1, "`{needle}` is there once");
}

const EDITS: [&str; 12] = [
    "\"visit unsent\"",
    "\"call unsent\"",
    "\"mail unsent\"",
    "\"meeting unsent\"",
    "a line unsent",
    "\"tag-unsent\"",
    "\"unsent & Co\"",
    "\"title\":\"unsent\"",
    "\"text\":\"unsent\"",
    "\"stored, not acknowledged\"",
    "\"Offline GmbH\"",
    "\"Durch GmbH\"",
];

#[test]
fn unsent_edits_of_every_release_arrive_at_a_migrated_server_exactly_once() {
    for fixture in fixtures::all() {
        let scene = served(&fixture);
        let reps: Vec<(String, Rep)> = fixture
            .replicas()
            .into_iter()
            .map(|name| {
                let home = scene.dir().join(&name);
                fixture.replica(&name, &home, &scene.url());
                (name, Rep::new(home))
            })
            .collect();
        let before = scene.export();
        for edit in EDITS {
            let found: usize = before.values().map(|c| c.to_string().matches(edit).count()).sum();
            assert!(found <= 1 && (edit.contains("stored") || found == 0), "{edit} is unsent");
        }
        for _ in 0..2 {
            for (_, rep) in &reps {
                rep.sync_until_merged();
            }
        }
        let exported = scene.export();
        for edit in EDITS {
            told_once(&exported, edit);
        }
        for (name, rep) in &reps {
            let what = format!("{} {name}", fixture.version);
            let expected = fixture.json(&format!("replicas/{name}/expected"));
            let outbox = rep.json(&["outbox", "--all"]);
            let now = fixtures::by(&outbox["outbox"], "edit_id");
            for edit in expected["outbox"].as_array().unwrap() {
                let id = edit["edit_id"].as_str().unwrap();
                assert_eq!(now[id]["receipt"], "merged", "{what}: {edit}");
            }
            assert_holds(&rep.json(&["quarantine"])["quarantine"], &expected["quarantine"]);
            let status = rep.json(&["status"]);
            for field in ["unsent", "stored_not_merged", "missing", "set_aside"] {
                assert_eq!(status[field], 0, "{what}: {field}");
            }
            let user = status["user"]["login"].as_str().unwrap();
            // The export is what the office sees; the hash covers what nobody is shown as well.
            agrees(&scene, rep, user, &what);
        }
        scene.assert_clean();
    }
}

/// A device and the server hold the same contacts of that user, collaborations too.
fn agrees(scene: &Scene, rep: &Rep, user: &str, what: &str) {
    let here = rep.json(&["state-hash", "--each"]);
    let ids: Vec<&str> = here["each"].as_object().unwrap().keys().map(String::as_str).collect();
    let there = scene.admin(&["state-hash", "--ids", &ids.join(","), "--each", "--json"]).json();
    assert_eq!(here["hash"], there["hash"], "{what} of {user}");
    assert_eq!(here["unmerged"], 0);
}

// --- documents ---------------------------------------------------------------------------------------

fn load(bytes: &[u8]) -> Automerge {
    let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
    Automerge::load_with_options(bytes, options).unwrap()
}

#[test]
fn the_documents_of_every_release_read_as_they_did() {
    for fixture in fixtures::all() {
        let expected = fixture.json("documents/expected");
        let id: ContactId = serde_json::from_value(expected["id"].clone()).unwrap();
        for file in ["contact.automerge", "contact-plain.automerge"] {
            let doc = load(&fixture.bytes(&format!("documents/{file}")));
            reads(&doc, id, &expected);
        }
        // The same from its changes, each through the guard as from a device.
        let constants: Vec<_> = bootstraps().iter().map(|one| (one.hash, one.bytes)).collect();
        let mut doc = document::new_document();
        for change in expected["changes"].as_array().unwrap() {
            let bytes = hex::decode(change["bytes"].as_str().unwrap()).unwrap();
            let admitted = guard::gate1(&bytes, &Limits::DEFAULT, &constants).unwrap();
            doc.apply_changes([automerge::Change::from_bytes(bytes).unwrap()]).unwrap();
            assert!(doc.get_change_by_hash(&admitted.hash).is_some(), "nothing is missing");
            let commands: Vec<Command> =
                serde_json::from_value(change["commands"].clone()).unwrap();
            assert_holds(&serde_json::to_value(&commands).unwrap(), &change["commands"]);
        }
        reads(&doc, id, &expected);
        for old in expected["bootstraps"].as_array().unwrap() {
            let found = bootstraps().iter().find(|one| one.name == old["name"]).unwrap();
            assert_eq!(
                hex::encode(found.bytes),
                old["bytes"],
                "a bootstrap never changes (rule 13)"
            );
            assert_eq!(found.hash.to_string(), old["hash"]);
        }
    }
}

fn reads(doc: &Automerge, id: ContactId, expected: &Value) {
    let mut heads = doc.get_heads();
    heads.sort();
    let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
    assert_eq!(json!(heads), expected["heads"]);
    assert_eq!(hex::encode(document::content_hash(doc, None)), expected["content_hash"]);
    let contact = serde_json::to_value(document::read_with_deleted(id, doc)).unwrap();
    assert_holds(&contact, &expected["contact"]);
    let conflicts = serde_json::to_value(document::conflicts(id, doc)).unwrap();
    assert_holds(&conflicts, &expected["conflicts"]);
    assert_ne!(conflicts, json!([]), "the document has conflicts");
    let mut row = expected["row"].clone();
    row.as_object_mut().unwrap().remove("version");
    assert_holds(&serde_json::to_value(projection::project(id, doc)).unwrap(), &row);
}

/// The file of a program that is newer than this one is refused, with the way out, and left as it
/// is.
#[test]
fn files_of_a_newer_version_are_refused_and_left_alone() {
    let newest: Fixture = fixtures::all().pop().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (data, home) = (dir.path().join("data"), dir.path().join("home"));
    newest.server(&data);
    newest.replica("unsent", &home, "http://127.0.0.1:1");
    let raise = |file: &Path| {
        let conn = rusqlite::Connection::open(file).unwrap();
        conn.pragma_update(None, "user_version", 999).unwrap();
        conn.close().unwrap();
        std::fs::read(file).unwrap()
    };
    let before = (raise(&data.join("roadbook.db")), raise(&home.join("replica.db")));
    for refused in [admin(&data, &["state-hash"]), Rep::new(&home).run(&["status"])] {
        assert!(!refused.status.success());
        assert!(refused.stderr.contains("newer"), "{}", refused.stderr);
        assert!(refused.stderr.contains("999"), "it names the version: {}", refused.stderr);
    }
    let after = (
        std::fs::read(data.join("roadbook.db")).unwrap(),
        std::fs::read(home.join("replica.db")).unwrap(),
    );
    assert!(before == after, "not a byte of them was changed");
}
