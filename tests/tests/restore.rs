//! The restore drill (P6, rule 3): a backup is taken under load, the server goes on, its disk is
//! lost, the backup is put into another directory, devices come back. Every edit that any device
//! still holds is back, also those of a device that never comes back, and each exactly once.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use roadbook_protocol::ids::WorkspaceId;
use roadbook_tests::process::Rep;
use roadbook_tests::scene::{Scene, copy, summaries, visit};

/// Ada owns contacts, Ben works on the first three of them too; the phone is hers, the laptop his.
struct Drill {
    scene: Scene,
    phone: Rep,
    laptop: Rep,
    ids: Vec<String>,
}

impl Drill {
    fn new(seed: u64) -> Self {
        let scene = Scene::new();
        scene.reps(&["ada", "ben", "cyd"]);
        scene.import(seed, 6, Some("ada"));
        let phone = scene.device("phone", "ada");
        phone.sync();
        let ids = phone.ids();
        let shared = ids[..3].join(",");
        scene.admin(&["assign", "--to", "ben", "--collaborator", "--ids", &shared]).ok();
        let laptop = scene.device("laptop", "ben");
        let drill = Self { scene, phone, laptop, ids };
        drill.exchange();
        visit(&drill.phone, &drill.ids[0], "phone, in the backup");
        visit(&drill.laptop, &drill.ids[1], "laptop, in the backup");
        drill.exchange();
        drill
    }

    /// Both devices have everything, and everything is merged.
    fn exchange(&self) {
        for rep in [&self.phone, &self.laptop, &self.phone, &self.laptop] {
            rep.sync_until_merged();
        }
    }

    fn share(&self, id: &str) {
        self.scene.admin(&["assign", "--to", "ben", "--collaborator", "--ids", id]).ok();
    }

    /// A backup while other devices write as fast as they can.
    fn backup(&self) -> PathBuf {
        let file = self.scene.dir().join("backup.db");
        self.scene.import(900, 20, Some("cyd"));
        let loads: Vec<Rep> =
            (0..2).map(|n| self.scene.device(&format!("load-{n}"), "cyd")).collect();
        let stop = AtomicBool::new(false);
        let begun = std::sync::Barrier::new(loads.len() + 1);
        std::thread::scope(|scope| {
            for load in &loads {
                let (stop, begun) = (&stop, &begun);
                scope.spawn(move || {
                    load.sync();
                    let ids = load.ids();
                    begun.wait();
                    for n in 0.. {
                        visit(load, &ids[n % ids.len()], &format!("load {n}"));
                        load.sync();
                        if stop.load(Ordering::SeqCst) {
                            return;
                        }
                    }
                });
            }
            begun.wait();
            let report = self.scene.admin(&["backup", file.to_str().unwrap(), "--json"]).json();
            assert_eq!(report["verified"], true, "{report}");
            stop.store(true, Ordering::SeqCst);
        });
        file
    }

    /// The server's directory is lost; what is left is the backup and the key.
    fn lose_and_restore(&mut self, backup: &Path) {
        self.lose(backup);
        self.scene.confirm_review();
    }

    /// The same, and nobody has confirmed yet what was restored.
    fn lose(&mut self, backup: &Path) {
        self.scene.kill();
        let (data, lost) = (self.scene.data(), self.scene.dir().join("lost"));
        std::fs::rename(&data, &lost).unwrap();
        self.scene.admin(&["restore", backup.to_str().unwrap()]).ok();
        copy(&lost.join("keys"), &data.join("keys"));
        // The ledger is lost too.
        self.scene.start();
    }
}

#[test]
fn a_lost_phones_edits_come_back_through_another_device_that_had_received_them() {
    let mut drill = Drill::new(71);
    let backup = drill.backup();

    // The server goes on. All of this is acknowledged and merged, and in no backup.
    for n in 0..4 {
        visit(&drill.phone, &drill.ids[n % 3], &format!("phone, lost {n}"));
        visit(&drill.laptop, &drill.ids[(n + 1) % 3], &format!("laptop, lost {n}"));
        drill.exchange();
    }
    drill.phone.run(&["set", &drill.ids[2], "job_title=Set on the phone"]).ok();
    let added = drill.phone.json(&["add", "name=Nina Neu", "city=Ulm"])["contact_id"]
        .as_str()
        .unwrap()
        .to_owned();
    visit(&drill.phone, &added, "phone, a first visit");
    drill.phone.sync_until_merged();
    drill.share(&added);
    drill.exchange();
    visit(&drill.laptop, &added, "laptop, a second visit");
    drill.exchange();
    // Handed to Ben altogether after the backup.
    drill.scene.admin(&["assign", "--to", "ben", "--ids", &drill.ids[3]]).ok();
    drill.exchange();
    visit(&drill.laptop, &drill.ids[3], "laptop, now the owner");
    drill.exchange();
    let before = drill.scene.export();

    drill.lose_and_restore(&backup);
    let old = drill.scene.export();
    assert!(!old.contains_key(&added), "the backup is older");
    assert!(!summaries(&old[&drill.ids[0]]).contains(&"phone, lost 0".to_owned()));

    // The phone never comes back. The laptop has an edit that it has not sent, too.
    visit(&drill.laptop, &drill.ids[0], "laptop, before it knows");
    for _ in 0..2 {
        drill.laptop.sync_until_merged();
    }
    let after = drill.scene.export();
    for id in [&drill.ids[0], &drill.ids[1], &drill.ids[2], &drill.ids[3], &added] {
        let mut expected = summaries(&before[id]);
        if *id == drill.ids[0] {
            expected.push("laptop, before it knows".into());
            expected.sort_unstable();
        }
        assert_eq!(summaries(&after[id]), expected, "contact {id}");
        assert_eq!(summaries(&drill.laptop.show(id)), expected, "on the laptop, {id}");
    }
    assert_eq!(after[&drill.ids[2]]["job_title"], "Set on the phone");
    for id in [&drill.ids[1], &drill.ids[2], &drill.ids[3], &added] {
        assert_eq!(after[id], before[id], "not a field differs");
    }
    let receipts = drill.laptop.receipts();
    assert!(receipts.iter().all(|receipt| receipt == "merged"), "{receipts:?}");
    assert_eq!(drill.laptop.json(&["quarantine"])["quarantine"], serde_json::json!([]));
    assert_eq!(
        drill.scene.admin(&["quarantine", "list", "--json"]).json()["quarantine"],
        serde_json::json!([])
    );
    drill.scene.assert_clean();
    drill.scene.assert_agrees(&drill.laptop, "ben");

    // Ada gets a new phone: what is hers is there, with what her lost one had written.
    let new_phone = drill.scene.device("new-phone", "ada");
    new_phone.sync();
    assert_eq!(summaries(&new_phone.show(&added)), summaries(&before[&added]));
    assert!(!new_phone.ids().contains(&drill.ids[3]), "handed over before the loss");
    drill.scene.assert_agrees(&new_phone, "ada");
}

#[test]
fn a_phone_that_comes_back_after_all_adds_nothing_twice() {
    let mut drill = Drill::new(72);
    let backup = drill.backup();
    for n in 0..3 {
        visit(&drill.phone, &drill.ids[n], &format!("phone, lost {n}"));
        drill.exchange();
        visit(&drill.laptop, &drill.ids[n], &format!("laptop, on top of it {n}"));
        drill.exchange();
        visit(&drill.phone, &drill.ids[n], &format!("phone, on top of that {n}"));
        drill.exchange();
    }
    let before = drill.scene.export();
    drill.lose_and_restore(&backup);
    drill.laptop.sync_until_merged();
    assert_eq!(drill.scene.export()[&drill.ids[0]], before[&drill.ids[0]]);
    visit(&drill.phone, &drill.ids[0], "phone, before it knows");
    drill.exchange();
    let after = drill.scene.export();
    let mut expected = summaries(&before[&drill.ids[0]]);
    expected.push("phone, before it knows".into());
    expected.sort_unstable();
    assert_eq!(summaries(&after[&drill.ids[0]]), expected);
    for id in &drill.ids[1..] {
        assert_eq!(after[id], before[id]);
    }
    for (rep, login) in [(&drill.phone, "ada"), (&drill.laptop, "ben")] {
        drill.scene.assert_agrees(rep, login);
        let receipts = rep.receipts();
        assert!(receipts.iter().all(|receipt| receipt == "merged"), "{receipts:?}");
        assert_eq!(rep.json(&["quarantine"])["quarantine"], serde_json::json!([]));
    }
    drill.scene.assert_clean();
}

/// The last resort: a device that has no evidence, since it got everything before evidence was kept.
#[test]
fn without_evidence_own_edits_go_on_and_what_others_made_is_kept_and_listed() {
    let mut drill = Drill::new(74);
    let backup = drill.backup();
    let shared = drill.ids[1].clone();
    visit(&drill.phone, &shared, "phone, lost");
    drill.exchange();
    visit(&drill.laptop, &shared, "laptop, on top of it");
    drill.exchange();
    let replica = rusqlite::Connection::open(drill.laptop.home().join("replica.db")).unwrap();
    let forgotten = replica.execute("DELETE FROM evidence", []).unwrap();
    replica.execute("DELETE FROM seal", []).unwrap();
    assert!(forgotten > 0);
    drop(replica);
    drill.lose_and_restore(&backup);
    for _ in 0..3 {
        drill.laptop.sync_until_merged();
    }
    let at_server = summaries(&drill.scene.export()[&shared]);
    assert!(at_server.contains(&"laptop, on top of it".to_owned()), "{at_server:?}");
    assert!(!at_server.contains(&"phone, lost".to_owned()), "nothing proves it");
    let listed = drill.laptop.json(&["quarantine"])["quarantine"].clone();
    let listed = listed.as_array().unwrap();
    assert!(listed.iter().any(|one| one["code"] == "lost_by_server"), "{listed:?}");
    drill.scene.assert_clean();
    // Its author's own device brings it.
    drill.exchange();
    let at_server = summaries(&drill.scene.export()[&shared]);
    assert!(at_server.contains(&"phone, lost".to_owned()), "{at_server:?}");
    drill.scene.assert_agrees(&drill.phone, "ada");
    drill.scene.assert_agrees(&drill.laptop, "ben");
    drill.scene.assert_clean();
}

#[test]
fn a_backup_does_not_hold_the_key_and_a_server_without_it_says_where_it_belongs() {
    let mut drill = Drill::new(73);
    let keys = drill.scene.data().join("keys");
    let secrets: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(&keys)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    // The key that signs; the others have something in their names.
    let signs = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.strip_suffix(".pk8").is_some_and(|id| id.parse::<WorkspaceId>().is_ok())
    };
    let key = secrets.iter().map(|(path, _)| path).find(signs).unwrap();
    let holds = |file: &Path| {
        let bytes = std::fs::read(file).unwrap();
        secrets.iter().any(|(_, secret)| {
            let secret = &secret[secret.len() - 32..];
            bytes.windows(secret.len()).any(|window| window == secret)
        })
    };
    assert!(secrets.iter().all(|(path, _)| holds(path)), "the search finds them where they are");
    let backup = drill.scene.dir().join("backup.db");
    let report = drill.scene.admin(&["backup", backup.to_str().unwrap()]);
    assert!(report.stderr.contains("keys"), "it says what it leaves out: {report:?}");
    report.ok();
    assert!(!holds(&backup));
    drill.scene.stop();
    assert!(!holds(&drill.scene.data().join("roadbook.db")));
    std::fs::rename(drill.scene.data(), drill.scene.dir().join("lost")).unwrap();
    drill.scene.admin(&["restore", backup.to_str().unwrap()]).ok();
    let refused = drill.scene.start_or_refuse(&[]).unwrap_err();
    let name = key.file_name().unwrap().to_str().unwrap();
    assert!(refused.contains(name) && refused.contains("copy it back"), "{refused}");
    copy(&drill.scene.dir().join("lost/keys"), &drill.scene.data().join("keys"));
    drill.scene.start();
    drill.scene.confirm_review();
    drill.exchange();
}

/// The server is put back to before they were enrolled, and the ledger is gone. What the workspace's
/// key wrote for them lets their edits in, and nothing out, until an administrator has looked.
#[test]
fn devices_and_people_that_came_after_the_backup_are_let_in_by_their_certificates() {
    let mut drill = Drill::new(75);
    let backup = drill.backup();
    let tablet = drill.scene.device("tablet", "ada");
    let late = drill.scene.device("late", "ada");
    drill.scene.reps(&["dora"]);
    let new = drill.scene.device("new", "dora");
    for rep in [&tablet, &late, &new] {
        rep.sync();
    }
    visit(&tablet, &drill.ids[0], "tablet, on a plane");
    visit(&late, &drill.ids[0], "late, on a ship");
    let added = new.json(&["add", "name=Nina Neu"])["contact_id"].as_str().unwrap().to_owned();

    drill.lose(&backup);
    let marker = "Written behind the review";
    visit(&drill.laptop, &drill.ids[1], marker);
    for rep in [&drill.laptop, &tablet, &new] {
        rep.sync();
        assert_eq!(rep.json(&["status"])["unsent"], 0);
    }
    let export = drill.scene.export();
    assert!(summaries(&export[&drill.ids[0]]).contains(&"tablet, on a plane".to_owned()));
    assert!(export.contains_key(&added));
    assert!(!tablet.run(&["show", &drill.ids[1]]).ok().stdout.contains(marker), "nothing goes out");
    let review = drill.scene.admin(&["review", "show", "--json"]).json();
    let devices = review["review"]["devices"].as_array().unwrap();
    let of = |login: &str| devices.iter().filter(|device| device["login"] == login).count();
    assert_eq!((of("ada"), of("dora")), (2, 1), "phone and tablet, and the new one: {review}");
    let log = drill.scene.admin(&["audit", "list", "--json"]).ok().stdout;
    assert_eq!(log.matches("device.readmit").count(), 2, "{log}");

    drill.scene.confirm_review();
    tablet.sync_until_merged();
    assert!(tablet.run(&["show", &drill.ids[1]]).ok().stdout.contains(marker));
    // Who did not come in time is enrolled anew: afterwards nobody is let in by a certificate.
    let refused = late.run(&["sync"]);
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("enrol"), "{}", refused.stderr);
    late.enrol(drill.scene.server(), "ada");
    late.sync_until_merged();
    let export = drill.scene.export();
    assert!(summaries(&export[&drill.ids[0]]).contains(&"late, on a ship".to_owned()));
}
