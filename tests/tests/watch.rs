//! What managers are told of, and what is held back: planted contacts, exports, a restore without its
//! ledger, and people who are shut out. With the shipped programs.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use roadbook_client_core::sync::{Engine, SyncOptions};
use roadbook_client_core::{Phase, Topic};
use roadbook_tests::devices;
use roadbook_tests::marker::in_files;
use roadbook_tests::process::admin;
use roadbook_tests::scene::{Scene, copy, visit};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

#[track_caller]
fn alerts(scene: &Scene) -> Vec<Value> {
    scene.admin(&["alert", "list", "--json"]).json()["alerts"].as_array().unwrap().clone()
}

/// `how` of the alerts, the oldest first.
#[track_caller]
fn told(scene: &Scene) -> Vec<String> {
    let mut told: Vec<String> =
        alerts(scene).iter().map(|alert| alert["how"].as_str().unwrap().to_owned()).collect();
    told.reverse();
    told
}

#[test]
fn a_planted_contact_is_like_any_other_to_its_device_and_touching_it_is_told() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(17, 5, Some("ada"));
    let bird = scene.admin(&["canary", "plant", "--owner", "ada"]).last_line();
    let phone = scene.device("phone", "ada");
    phone.sync_until_merged();
    phone.sync();
    assert_eq!(told(&scene), Vec::<String>::new(), "that a device is given it is no touch");
    assert_eq!(phone.ids().len(), 6);
    // Nothing on the device tells it from the others: neither a word nor a list of planted ones.
    let shown = phone.show(&bird);
    assert!(!shown["family_name"].as_str().unwrap().is_empty(), "{shown}");
    assert_eq!(in_files(phone.home(), "canary"), 0);
    assert_eq!(in_files(phone.home(), "planted"), 0);
    let listed = scene.admin(&["canary", "list", "--json"]).json();
    assert_eq!(listed["canaries"][0]["contact"], bird.as_str());
    assert_eq!(listed["canaries"][0]["owner_login"], "ada");

    // Editing it.
    visit(&phone, &bird, "rang, nobody there");
    phone.sync_until_merged();
    let edited = alerts(&scene);
    assert_eq!(
        (edited.len(), &edited[0]["how"], &edited[0]["login"]),
        (1, &"edit".into(), &"ada".into())
    );
    assert_eq!(edited[0]["contact"], bird.as_str());
    assert_eq!(edited[0]["device"], phone.json(&["status"])["device"]["id"]);

    // Exporting it: it is in the export, as the others are.
    assert!(scene.export().contains_key(&bird));
    assert_eq!(told(&scene), ["edit", "export"]);
    scene.admin(&["export", "--filter", "id:nothing"]);
    assert_eq!(told(&scene), ["edit", "export"]);

    // Mailing it: it is left out, and told only where it would have been mailed.
    let mailing = ["export", "--mailing", "email"];
    scene.admin(&mailing).ok();
    assert_eq!(told(&scene), ["edit", "export"]);
    phone
        .run(&[
            "consent",
            "give",
            &bird,
            "--channel",
            "email",
            "--purpose",
            "news",
            "--how",
            "by phone",
        ])
        .ok();
    phone.sync_until_merged();
    let sent = scene.admin(&mailing).ok();
    assert!(!sent.stdout.contains(&bird), "{}", sent.stdout);
    assert_eq!(told(&scene), ["edit", "export", "mailing"]);

    // Seen is seen, by everybody; the next touch is a new one.
    let numbers: Vec<String> = alerts(&scene).iter().map(|alert| alert["n"].to_string()).collect();
    let mut seen = vec!["alert", "seen"];
    seen.extend(numbers.iter().map(String::as_str));
    scene.admin(&seen).ok();
    assert_eq!(told(&scene), Vec::<String>::new());
    scene.admin(&["access", &bird, "--out", scene.dir().join("all.zip").to_str().unwrap()]).ok();
    assert_eq!(told(&scene), ["export"]);

    let real = phone.ids().into_iter().find(|id| *id != bird).unwrap();
    assert!(!scene.admin(&["canary", "remove", &real]).status.success());
    scene.admin(&["canary", "remove", &bird]).ok();
    phone.sync();
    assert!(!phone.ids().contains(&bird));
    let audit = scene.admin(&["audit", "list", "--json"]).json().to_string();
    for action in ["canary.plant", "canary.remove", "alert.raise", "alert.seen"] {
        assert!(audit.contains(action), "{action}");
    }
    scene.admin(&["audit", "verify"]).ok();
    scene.assert_clean();
}

#[test]
fn an_export_beyond_what_is_usual_is_refused_in_somebodys_name_and_told_of_the_operator() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(18, 6, Some("ada"));
    scene.manager("mia");
    scene.admin(&["volume", "set", "export", "--contacts", "5"]).ok();
    let refused = scene.admin(&["export", "--as", "mia"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("volume lift mia") && refused.stdout.is_empty(), "{refused:?}");
    assert_eq!(told(&scene), ["export"]);
    scene.admin(&["export"]).ok();
    assert_eq!(told(&scene), ["export", "export"], "the operator has the files anyway");
    // Who did it is not told of it; the administrator is.
    let own = scene.admin(&["alert", "list", "--json", "--as", "mia"]).json();
    assert_eq!(own["alerts"].as_array().unwrap().len(), 0, "{own}");
    assert!(!scene.admin(&["alert", "seen", "1", "--as", "mia"]).status.success());
    let theirs = scene.admin(&["alert", "list", "--json", "--as", "admin"]).json();
    assert_eq!(theirs["alerts"].as_array().unwrap().len(), 2, "{theirs}");
    assert!(!scene.admin(&["volume", "lift", "mia", "--as", "mia"]).status.success());
    scene.admin(&["volume", "set", "export", "--contacts", "6"]).ok();
    scene.admin(&["export", "--as", "mia"]).ok();
    assert!(!scene.admin(&["export", "--as", "mia"]).status.success(), "the second one on a day");
    scene.admin(&["volume", "lift", "mia"]).ok();
    scene.admin(&["export", "--as", "mia"]).ok();
    let audit = scene.admin(&["audit", "list", "--json"]).json().to_string();
    assert!(audit.contains("volume.set") && audit.contains("volume.lift"), "{audit}");
}

#[test]
fn a_restore_without_its_ledger_gives_nobody_customer_data_until_it_is_confirmed() {
    let mut scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    let phone = scene.device("phone", "ada");
    let lost = scene.device("lost", "ben");
    scene.import(19, 8, Some("ada"));
    phone.sync_until_merged();
    lost.sync();
    let backup = scene.dir().join("backup.db");
    scene.admin(&["backup", backup.to_str().unwrap()]).ok();
    // After the backup a phone is revoked, and a contact is given away that Ben must not get.
    let id = lost.json(&["status"])["device"]["id"].as_str().unwrap().to_owned();
    scene.admin(&["device", "revoke", &id]).ok();
    let (first, second) = (phone.ids()[0].clone(), phone.ids()[1].clone());
    scene.stop();
    let (data, kept) = (scene.data(), scene.dir().join("kept"));
    std::fs::rename(&data, &kept).unwrap();
    scene.admin(&["restore", backup.to_str().unwrap()]).ok();
    copy(&kept.join("keys"), &data.join("keys"));
    scene.start();

    // The database says that Ben's phone is fine, and that these contacts are now his: not sent.
    scene.admin(&["assign", "--to", "ben", "--ids", &second]).ok();
    assert!(lost.run(&["sync"]).stderr.contains("ledger"), "it says why nothing comes");
    assert_eq!(lost.ids(), Vec::<String>::new());
    // Edits are taken all the while.
    visit(&phone, &first, "zzwhile");
    let sync = phone.run(&["sync"]).ok();
    assert!(
        sync.stderr.contains("administrator") || sync.stdout.contains("administrator"),
        "{sync:?}"
    );
    assert_eq!(phone.receipts().iter().filter(|receipt| *receipt == "saved").count(), 0);
    assert!(scene.export()[&first].to_string().contains("zzwhile"));
    // It goes on over a restart, and what is confirmed is what was seen.
    scene.stop();
    scene.start();
    let shown = scene.admin(&["review", "show"]).ok();
    assert!(shown.stdout.contains(&id) && shown.stdout.contains("gets data again"), "{shown:?}");
    let code = scene.admin(&["review", "show", "--json"]).json()["review"]["code"].clone();
    scene.admin(&["device", "revoke", &id]).ok();
    let stale = scene.admin(&["review", "confirm", "--code", code.as_str().unwrap()]);
    assert!(stale.stderr.contains("not what was seen"), "{stale:?}");
    // Another way out: the ledger that was missing is found, and knows all of it.
    scene.stop();
    let copied = scene.dir().join("copied");
    copy(&data, &copied);
    std::fs::copy(kept.join("ledger"), copied.join("ledger")).unwrap();
    let found = admin(&copied, &["review", "show"]).ok();
    assert!(found.stdout.contains("no review"), "{found:?}");
    assert!(admin(&copied, &["audit", "list", "--json"]).ok().stdout.contains("review.end"));
    scene.start();
    // A revoked device wipes itself meanwhile, without having got anything.
    let wiped = lost.run(&["sync"]);
    assert!(wiped.stderr.contains("revoked"), "{wiped:?}");
    scene.confirm_review();
    phone.sync_until_merged();
    assert!(!phone.ids().contains(&second) && phone.ids().contains(&first));
    assert!(scene.admin(&["review", "show"]).ok().stdout.contains("no review"));
    let audit = scene.admin(&["audit", "list", "--json"]).json().to_string();
    for action in ["ledger.lost", "review.begin", "review.confirm"] {
        assert!(audit.contains(action), "{action}");
    }
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_is_disabled_is_cut_off_within_a_second_and_nothing_is_wiped() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(20, 4, Some("ada"));
    let phone = scene.replica("phone", "ada").await;
    let stop = CancellationToken::new();
    let engine = Engine::new(phone.clone(), SyncOptions::default());
    let mut observer = phone.observe(Topic::Sync);
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(stop).await }
    });
    while phone.status().unwrap().last_sync_ms.is_none() {
        observer.next().await.unwrap();
    }
    scene.admin(&["user", "change", "ada", "--disable"]).ok();
    let begun = Instant::now();
    let connected =
        || matches!(phone.status().unwrap().connection.phase, Phase::Idle | Phase::Syncing);
    while connected() {
        observer.next().await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(phone.ids(None).unwrap().len(), 4, "nothing is wiped");
    stop.cancel();
    let _ = running.await;
    scene.admin(&["user", "change", "ada", "--enable"]).ok();
    devices::sync(&phone).await.unwrap();
}

#[test]
fn who_is_not_to_be_contacted_and_who_consented_to_what_is_shown_on_the_device() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let phone = scene.device("phone", "ada");
    let id = phone.json(&["add", "name=Nina Neu"])["contact_id"].as_str().unwrap().to_owned();
    let consent = |what: &str, purpose: &str, how: &str| {
        let args = ["consent", what, &id, "--channel", "email", "--purpose", purpose, "--how", how];
        phone.run(&args).ok();
    };
    let shown = || phone.run(&["show", &id]).ok().stdout;
    assert!(!shown().contains("DO NOT CONTACT") && !shown().contains("consent now"), "{}", shown());
    consent("give", "news", "signed form 12");
    consent("give", "offers", "by telephone");
    consent("withdraw", "offers", "letter of 3 May");
    let text = shown();
    let line = |purpose: &str| {
        let now = text.split("consent now:").nth(1).unwrap_or_else(|| panic!("{text}"));
        now.lines()
            .find(|line| line.contains(purpose))
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    };
    assert!(line("news").contains("may be written to") && line("news").contains("signed form 12"));
    assert!(line("offers").contains("withdrawn") && line("offers").contains("letter of 3 May"));
    phone.run(&["set", &id, "do_not_contact=yes"]).ok();
    assert!(shown().starts_with("DO NOT CONTACT"), "{}", shown());
    assert!(shown().contains("given, but do not contact"), "{}", shown());
    for args in [&["list"][..], &["find", "Nina"]] {
        let listed = phone.run(args).ok().stdout;
        assert!(listed.contains("DO NOT CONTACT"), "{args:?}: {listed}");
    }
    assert_eq!(phone.show(&id)["do_not_contact"], true);
}
