//! Encryption at rest (P8, P10): what is shipped leaves no plain text of a contact in any file, whatever
//! happens to it, and no key is taken for another. Runs the program that `cargo ship` builds; the other
//! one shows that the markers would be found.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use roadbook_tests::fixtures;
use roadbook_tests::keyring::Desktop;
use roadbook_tests::marker::in_files;
use roadbook_tests::process::{self, Finished, Rep};
use roadbook_tests::scene::Scene;

/// In every contact that is imported.
const IMPORTED: &str = "zzimportedzz";
/// In every edit of the device.
const EDITED: &str = "zzeditedzz";
/// The exit code for what can't be decrypted.
const NO_KEY: Option<i32> = Some(9);

/// A server with contacts of Ada, each with the marker.
fn scene(contacts: usize) -> Scene {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let mut csv = String::from("customer_no,given_name,family_name,company,note\n");
    for n in 0..contacts {
        csv.push_str(&format!("c{n},Given{n},Family {IMPORTED},Company{n},Note {IMPORTED}\n"));
    }
    let file = scene.dir().join("contacts.csv");
    fs::write(&file, csv).unwrap();
    scene.admin(&["import", file.to_str().unwrap(), "--key", "customer_no", "--owner", "ada"]).ok();
    scene
}

/// A device of Ada that runs the shipped program.
fn shipped(scene: &Scene, name: &str) -> Rep {
    let rep = Rep::running(process::shipped(), scene.dir().join(name));
    rep.enrol(scene.server(), "ada");
    rep
}

/// A device of Ada that does not encrypt, with what it fetched and three edits that were not sent; the
/// program died over the last, so that a log is left. And what it held before that: the ids of its
/// contacts, and their hash.
fn plain_with_unsent(scene: &Scene, name: &str) -> (Rep, Vec<String>, String) {
    let rep = scene.device(name, "ada");
    rep.sync();
    let (ids, hash) = (rep.ids(), rep.state_hash());
    rep.run(&["set", &ids[0], &format!("job_title={EDITED} {name}")]).ok();
    rep.run(&["visit", &ids[0], "--summary", EDITED]).ok();
    die(&rep, "edit_after_commit", &["set", &ids[0], &format!("company={EDITED} {name}")]);
    assert!(log_bytes(rep.home()) > 0, "the last edit lies in the log");
    (rep, ids, hash)
}

/// The program dies at a named place, as by `kill -9`.
#[track_caller]
fn die(rep: &Rep, point: &str, args: &[&str]) {
    let mut command = rep.command();
    command.args(args).env("ROADBOOK_FAILPOINT", point);
    let ended = process::run(command);
    assert_eq!(ended.status.code(), None, "{point} was met: {}", ended.stderr);
}

fn log_bytes(home: &Path) -> u64 {
    fs::metadata(home.join("replica.db-wal")).map_or(0, |log| log.len())
}

/// Every file of a directory.
fn files(home: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .filter(|(name, _)| name != "lock")
        .collect()
}

/// No file holds a marker, and there are files to look into.
#[track_caller]
fn nothing_readable(home: &Path, when: &str) {
    assert!(home.join("replica.db").exists(), "there is a database {when}");
    for marker in [IMPORTED, EDITED] {
        assert_eq!(in_files(home, marker), 0, "{marker} is readable {when}");
    }
}

#[track_caller]
fn is_encrypted(rep: &Rep) {
    let encryption = &rep.json(&["status"])["encryption"];
    assert_eq!(encryption["encrypted"], true, "{encryption}");
    assert!(!encryption["cipher"].as_str().unwrap_or_default().is_empty(), "{encryption}");
}

#[track_caller]
fn refused(done: &Finished, word: &str) {
    assert_eq!(done.status.code(), NO_KEY, "{}{}", done.stdout, done.stderr);
    assert!(done.stderr.contains(word), "{}", done.stderr);
}

#[test]
fn what_is_shipped_keeps_no_plain_text_of_a_contact_at_any_moment() {
    let scene = scene(20);
    let plain = scene.device("plain", "ada");
    plain.sync();
    assert!(in_files(plain.home(), IMPORTED) >= 20, "the search finds what is not encrypted");
    let status = plain.json(&["status"]);
    assert_eq!(status["encryption"]["encrypted"], false);
    let told = plain.run(&["status"]).ok().stdout;
    assert!(told.contains("NOT ENCRYPTED") && told.contains("cargo ship"), "{told}");

    let rep = shipped(&scene, "shipped");
    is_encrypted(&rep);
    rep.sync();
    nothing_readable(rep.home(), "after the first sync");
    let ids = rep.ids();
    assert_eq!(ids, plain.ids());
    rep.run(&["set", &ids[0], &format!("job_title={EDITED}")]).ok();
    rep.run(&["note", &ids[1], "--append", EDITED]).ok();
    nothing_readable(rep.home(), "after edits");
    for (point, id) in [("edit_before_commit", &ids[2]), ("edit_after_commit", &ids[3])] {
        die(&rep, point, &["visit", id, "--summary", &format!("{EDITED} {point}")]);
        nothing_readable(rep.home(), &format!("after a death at {point}"));
    }
    assert!(log_bytes(rep.home()) > 0, "a log was looked into");
    let found = rep.json(&["find", EDITED]).to_string();
    assert!(found.contains(&ids[0]) && found.contains(&ids[1]), "{found}");
    assert!(rep.show(&ids[3]).to_string().contains("edit_after_commit"), "what was saved is there");
    assert!(!rep.show(&ids[2]).to_string().contains("edit_before_commit"));
    rep.sync_until_merged();
    nothing_readable(rep.home(), "after a sync");
    plain.sync();
    assert_eq!(rep.state_hash(), plain.state_hash());
    assert!(in_files(plain.home(), EDITED) >= 3);
}

#[test]
fn a_plain_replica_is_encrypted_whatever_ends_the_program_meanwhile() {
    let scene = scene(12);
    for point in [
        "",
        "encrypt_keyed",
        "encrypt_noted",
        "encrypt_exported",
        "encrypt_swapped",
        "encrypt_bound",
    ] {
        let (plain, ids, hash) = plain_with_unsent(&scene, &format!("device {point}"));
        let home = plain.home().to_owned();
        assert!(in_files(&home, IMPORTED) >= 12 && in_files(&home, EDITED) >= 3);
        let rep = Rep::running(process::shipped(), &home);
        if !point.is_empty() {
            die(&rep, point, &["status"]);
            let swapped = ["encrypt_swapped", "encrypt_bound"].contains(&point);
            let opened = plain.run(&["list"]);
            match swapped {
                true => refused(&opened, "encrypted"),
                false => assert!(opened.ok().stdout.contains(IMPORTED), "{point}: still plain"),
            }
        }
        is_encrypted(&rep);
        nothing_readable(&home, &format!("after {point}"));
        assert_eq!(rep.ids(), ids, "{point}");
        assert_eq!(
            (rep.receipts(), rep.state_hash()),
            (vec!["saved".to_owned(); 3], hash),
            "{point}"
        );
        let noticed = rep.json(&["status"])["copied_at"].clone();
        // Between the two a restored file can't be told from a new one: it takes a new actor.
        assert_eq!(noticed.is_null(), point != "encrypt_swapped", "{point}: {noticed}");
        let left: Vec<String> = files(&home).into_keys().collect();
        let known = ["cipher", "copies", "data.key", "device.key", "incarnation", "replica.db"];
        assert_eq!(left, known, "{point}");
        rep.sync_until_merged();
        nothing_readable(&home, "after a sync");
    }
}

#[test]
fn replicas_of_every_released_version_are_encrypted_with_all_that_is_in_them() {
    let dir = tempfile::tempdir().unwrap();
    for fixture in fixtures::all() {
        for name in fixture.replicas() {
            let at = |kind: &str| dir.path().join(format!("{} {name} {kind}", fixture.version));
            fixture.replica(&name, &at("plain"), "http://127.0.0.1:1");
            fixture.replica(&name, &at("encrypted"), "http://127.0.0.1:1");
            let plain = Rep::new(at("plain"));
            let rep = Rep::running(process::shipped(), at("encrypted"));
            is_encrypted(&rep);
            for verb in ["list", "quarantine"] {
                assert_eq!(rep.json(&[verb]), plain.json(&[verb]), "{name}: {verb}");
            }
            assert_eq!(rep.receipts(), plain.receipts(), "{name}");
            assert_eq!(rep.state_hash(), plain.state_hash(), "{name}");
            let list = plain.json(&["list"]).to_string();
            let words = list.split('"').filter(|word| word.len() >= 7 && word.contains(' '));
            let words: Vec<&str> = words.take(20).collect();
            let in_plain: usize = words.iter().map(|word| in_files(plain.home(), word)).sum();
            let readable: usize = words.iter().map(|word| in_files(rep.home(), word)).sum();
            assert!(in_plain > 0 || words.is_empty(), "{name}: {words:?}");
            assert_eq!(readable, 0, "{name}: {words:?}");
        }
    }
}

#[test]
fn a_program_that_does_not_encrypt_leaves_an_encrypted_replica_untouched() {
    let scene = scene(3);
    let rep = shipped(&scene, "shipped");
    rep.sync();
    let before = files(rep.home());
    let other = Rep::new(rep.home());
    for verb in ["status", "list", "sync"] {
        refused(&other.run(&[verb]), "this build of the program can't encrypt");
    }
    assert_eq!(files(rep.home()), before);
    assert_eq!(rep.ids().len(), 3);
}

#[test]
fn a_lost_or_a_wrong_key_is_named_and_destroys_nothing() {
    let scene = scene(3);
    let rep = shipped(&scene, "shipped");
    rep.sync();
    let key = rep.home().join("data.key");
    let right = fs::read(&key).unwrap();
    assert_eq!(right.len(), 32);
    fs::remove_file(&key).unwrap();
    let before = files(rep.home());
    refused(&rep.run(&["list"]), "is lost");
    assert_eq!(files(rep.home()), before, "no new key, no new database");
    fs::write(&key, [7; 32]).unwrap();
    refused(&rep.run(&["list"]), "another key");
    fs::write(&key, &right).unwrap();
    assert_eq!(rep.ids().len(), 3);
    // The note of which key it is can be made again from the two.
    fs::remove_file(rep.home().join("cipher")).unwrap();
    assert_eq!(rep.ids().len(), 3);
    assert_eq!(files(rep.home())["cipher"], before["cipher"]);
}

/// Rule 17: with a code in the hand, a replica that nobody can open any more does not stand in the way,
/// and what it had not sent goes to the server from its sealed copies.
#[test]
fn a_replica_whose_key_is_lost_is_enrolled_anew_and_loses_no_edit() {
    let scene = scene(3);
    let rep = shipped(&scene, "shipped");
    rep.sync();
    let ids = rep.ids();
    rep.run(&["visit", &ids[0], "--summary", EDITED]).ok();
    rep.run(&["set", &ids[1], &format!("job_title={EDITED}")]).ok();
    nothing_readable(rep.home(), "with unsent edits");
    fs::remove_file(rep.home().join("data.key")).unwrap();
    let before = files(rep.home());
    let told = rep.run(&["list"]);
    refused(&told, "enroll");
    // A code that is none: everything is as it was.
    let wrong = rep.run(&["enroll", &scene.url(), "AAAA-BBBB"]);
    assert!(!wrong.status.success());
    let after = files(rep.home());
    for name in ["replica.db", "cipher", "incarnation", "copies"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert!(!after.contains_key("data.key"), "no new key is left");
    refused(&rep.run(&["list"]), "is lost");

    // Killed while it was put away, and when a new one was begun: the same.
    for (point, word) in [
        ("lost_moved", "no key for it any more"),
        ("lost_put_away", "no key for it any more"),
        ("encrypt_noted", "another key"),
    ] {
        die(&rep, point, &["enroll", &scene.url(), "AAAA-BBBB"]);
        refused(&rep.run(&["list"]), word);
        let after = files(rep.home());
        for name in ["replica.db", "cipher", "incarnation", "copies"] {
            assert_eq!(after[name], before[name], "{name} after {point}");
        }
    }
    fs::remove_file(rep.home().join("data.key")).unwrap();

    let code = scene.invite("ada");
    let enrolled = rep.json(&["enroll", &scene.url(), &code]);
    assert_eq!(enrolled["sealed_edits"], 2, "{enrolled}");
    let put_away = Path::new(enrolled["put_away"].as_str().unwrap()).to_owned();
    assert_eq!(fs::read(put_away.join("replica.db")).unwrap(), before["replica.db"]);
    rep.sync();
    rep.sync_until_merged();
    scene.assert_agrees(&rep, "ada");
    let status = rep.json(&["status"]);
    assert_eq!(status["copies"]["recovered"]["taken"], 2, "{status}");
    let export = scene.admin(&["export", "--format", "json"]).json().to_string();
    assert_eq!(export.matches(EDITED).count(), 2, "{export}");
    nothing_readable(rep.home(), "after it was handed over");
    is_encrypted(&rep);
}

#[test]
fn a_passphrase_seals_the_keys_and_a_change_of_it_leaves_the_database_alone() {
    let scene = scene(3);
    let rep = shipped(&scene, "shipped");
    rep.sync();
    let secrets = ["data.key", "device.key"].map(|name| fs::read(rep.home().join(name)).unwrap());
    let file = |name: &str, text: &str| {
        let path = scene.dir().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let first = file("first", "one two three four\n");
    let second = file("second", "five six seven eight\n");
    let short = rep.run(&["key", "passphrase", "--new-file", &file("short", "short\n")]);
    refused(&short, "shorter than");
    rep.run(&["key", "passphrase", "--new-file", &first]).ok();
    let sealed = files(rep.home());
    for secret in &secrets {
        let found =
            sealed.values().any(|bytes| bytes.windows(32).any(|part| part == &secret[..32]));
        assert!(!found, "a key lies in a file");
    }
    refused(&rep.run(&["list"]), "--passphrase-file");
    refused(&rep.run(&["--passphrase-file", &second, "list"]), "passphrase is wrong");
    assert_eq!(files(rep.home()), sealed, "nothing was changed");
    let status = rep.json(&["--passphrase-file", &first, "status"]);
    assert_eq!(status["encryption"]["keys_kept_by"], "passphrase");
    assert_eq!(status["encryption"]["warning"], serde_json::Value::Null);

    let before = files(rep.home());
    let refused_change =
        rep.run(&["--passphrase-file", &second, "key", "passphrase", "--new-file", &second]);
    refused(&refused_change, "passphrase is wrong");
    rep.run(&["--passphrase-file", &first, "key", "passphrase", "--new-file", &second]).ok();
    let after = files(rep.home());
    assert_eq!(after["replica.db"], before["replica.db"], "it is not written anew");
    refused(&rep.run(&["--passphrase-file", &first, "list"]), "passphrase is wrong");
    rep.run(&["--passphrase-file", &second, "sync"]).ok();
    rep.run(&["--passphrase-file", &second, "key", "file"]).ok();
    assert_eq!(rep.ids().len(), 3);
    assert_eq!(fs::read(rep.home().join("data.key")).unwrap(), secrets[0]);
    assert!(!rep.home().join("keys").exists());
}

#[test]
fn a_wipe_destroys_the_key_of_the_data_first() {
    let scene = scene(10);
    let rep = shipped(&scene, "shipped");
    rep.sync();
    let ids = rep.ids();
    rep.run(&["visit", &ids[0], "--summary", EDITED]).ok();
    let key = fs::read(rep.home().join("data.key")).unwrap();
    let device = rep.json(&["status"])["device"]["id"].as_str().unwrap().to_owned();
    scene.admin(&["device", "revoke", &device]).ok();
    die(&rep, "wipe_key_destroyed", &["sync"]);
    let left = files(rep.home());
    assert!(left.contains_key("replica.db"), "the data is there still");
    assert!(!left.contains_key("data.key") && !left.contains_key("cipher"), "its key is not");
    let wiped = rep.run(&["sync"]);
    assert_eq!(wiped.status.code(), Some(6), "{}", wiped.stderr);
    nothing_readable(rep.home(), "after the wipe");
    for (name, bytes) in files(rep.home()) {
        assert!(!bytes.windows(32).any(|part| part == key), "{name} holds the old key");
    }
    is_encrypted(&rep);
    let status = rep.json(&["status"]);
    assert_eq!((&status["contacts"], &status["wiped"]["edits"]), (&0.into(), &1.into()));
}

#[test]
fn the_keyring_of_a_desktop_keeps_the_keys_of_a_new_replica_and_a_closed_one_destroys_nothing() {
    let scene = scene(3);
    let mut desktop = Desktop::new(&scene.dir().join("desktop"));
    let home = scene.dir().join("laptop");
    let rep = Rep::running(process::shipped(), &home).on_desktop(desktop.address());
    rep.enrol(scene.server(), "ada");
    rep.sync();
    is_encrypted(&rep);
    let status = rep.json(&["status"]);
    assert_eq!(status["encryption"]["keys_kept_by"], "keyring");
    assert_eq!(status["encryption"]["warning"], serde_json::Value::Null);
    let left: Vec<String> = files(&home).into_keys().collect();
    assert!(!left.iter().any(|name| name.ends_with(".key")), "no key lies in a file: {left:?}");
    let ids = rep.ids();
    rep.run(&["visit", &ids[0], "--summary", EDITED]).ok();

    // A program that can't reach it, and one whose user does not open it.
    let before = files(&home);
    let elsewhere = Rep::running(process::shipped(), &home);
    refused(&elsewhere.run(&["list"]), "DBUS_SESSION_BUS_ADDRESS");
    refused(&Rep::new(&home).on_desktop(desktop.address()).run(&["list"]), "keyring");
    desktop.lock();
    refused(&rep.run(&["list"]), "keyring");
    let other = Rep::running(process::shipped(), scene.dir().join("other"));
    let other = other.on_desktop(desktop.address());
    assert_eq!(
        other.json(&["status"])["encryption"]["keys_kept_by"],
        "file",
        "a closed one asks nobody"
    );
    desktop.sign_out();
    refused(&rep.run(&["list"]), "keyring");
    assert_eq!(files(&home), before, "nothing was changed");

    // The next sign-in brings everything back.
    desktop.sign_in();
    assert!(rep.show(&ids[0]).to_string().contains(EDITED));
    rep.sync_until_merged();
    other.run(&["key", "keyring"]).ok();
    assert_eq!(other.json(&["key"])["keys_kept_by"], "keyring");
    assert!(!other.home().join("data.key").exists());
    other.enrol(scene.server(), "ada");
    other.sync();
    assert_eq!(other.state_hash(), rep.state_hash());

    // Moved, it takes its keys along; and back into files, and out of the keyring.
    let moved = scene.dir().join("moved");
    fs::rename(&home, &moved).unwrap();
    let rep = Rep::running(process::shipped(), &moved).on_desktop(desktop.address());
    assert_eq!(rep.ids(), ids);
    rep.run(&["key", "file"]).ok();
    assert!(moved.join("data.key").exists() && !moved.join("keyring").exists());
    let rep = Rep::running(process::shipped(), &moved);
    assert_eq!(rep.ids(), ids, "without the desktop");

    // A wipe takes the key out of the keyring first.
    let device = other.json(&["status"])["device"]["id"].as_str().unwrap().to_owned();
    scene.admin(&["device", "revoke", &device]).ok();
    die(&other, "wipe_key_destroyed", &["sync"]);
    nothing_readable(other.home(), "after its key was destroyed");
    refused(&Rep::running(process::shipped(), other.home()).run(&["list"]), "keyring");
    assert_eq!(other.run(&["sync"]).status.code(), Some(6));
}
