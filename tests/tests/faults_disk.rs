//! Disks that are full or can't be written to, under the server and under a device: a clear error,
//! nothing acknowledged and nothing called saved that is not durable, and all goes on by itself when
//! there is room again.
#![allow(clippy::unwrap_used)]

use roadbook_tests::kills::hashes_on_disk;
use roadbook_tests::mount::{ReadOnly, SmallDisk};
use roadbook_tests::process::Rep;
use roadbook_tests::scene::{Scene, by_id, visit};
use serde_json::Value;

/// What is left free in KiB, from nothing to where everything fits: in between lies the place where
/// a change fits and its merge does not.
const FREE: [usize; 7] = [0, 4, 12, 24, 40, 96, 256];

fn summaries(contact: &Value) -> Vec<&str> {
    let interactions = contact["interactions"].as_array().into_iter().flatten();
    let mut all: Vec<&str> = interactions.filter_map(|i| i["summary"].as_str()).collect();
    all.sort_unstable();
    all
}

/// Everything that the device was told is stored is in the server's files.
#[track_caller]
fn assert_acknowledged_is_there(scene: &Scene, rep: &Rep) {
    let there = hashes_on_disk(&scene.data());
    for entry in rep.json(&["outbox", "--all"])["outbox"].as_array().unwrap() {
        let acknowledged = ["stored", "merged"].contains(&entry["receipt"].as_str().unwrap());
        let hash = entry["hash"].as_str().unwrap();
        assert!(!acknowledged || there.contains(hash), "acknowledged and not there: {entry}");
    }
}

#[test]
fn a_server_with_a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_room() {
    let mut disk = None;
    let mut scene =
        Scene::prepared(&[], |data| disk = Some(SmallDisk::mount(data, 24 * 1024 * 1024)));
    let disk = disk.unwrap();
    scene.reps(&["ada"]);
    scene.import(71, 20, Some("ada"));
    let (phone, laptop) = (scene.device("phone", "ada"), scene.device("laptop", "ada"));
    phone.sync();
    laptop.sync();
    let ids = phone.ids();
    let mut visits = Vec::new();
    let (mut refused, mut unmerged) = (0, 0);
    for (n, free) in FREE.into_iter().enumerate() {
        // The log of the database is as large as it was, so only what it grows by needs room.
        disk.leave_free(free * 1024);
        for at in 0..3 {
            let summary = format!("visit {at} with {free} KiB free");
            visit(&phone, &ids[(n + at) % 5], &summary);
            visits.push((ids[(n + at) % 5].clone(), summary));
        }
        let done = phone.run(&["sync", "--timeout", "2"]);
        if done.status.success() {
            let status = phone.json(&["status"]);
            assert_eq!(status["unsent"], 0, "all of it is stored, whether it can be merged or not");
            unmerged += usize::from(status["stored_not_merged"] != 0);
        } else {
            refused += 1;
            assert_eq!(done.status.code(), Some(6), "the server refuses: {done:?}");
            assert!(done.stderr.contains("unavailable"), "with a code: {}", done.stderr);
            assert!(done.stderr.contains("nothing was acknowledged"), "{}", done.stderr);
            let held = phone.json(&["status"])["unsent"].as_u64().unwrap();
            assert!(held >= 3, "they stay in the outbox: {held}");
        }
        assert_acknowledged_is_there(&scene, &phone);
    }
    assert!(refused >= 2 && unmerged >= 1, "the disk was full: {refused}, {unmerged}");
    let told = scene.server().errors().join("\n");
    assert!(told.contains("disk is full"), "the log names the reason: {told}");
    // It does not start on a full disk, and says why.
    disk.leave_free(0);
    scene.kill();
    let refusal = scene.start_or_refuse(&[]).unwrap_err();
    assert!(refusal.contains("disk is full"), "{refusal}");

    disk.free();
    scene.start();
    disk.leave_free(0);
    visit(&phone, &ids[6], "while it was full again");
    visits.push((ids[6].clone(), "while it was full again".into()));
    for _ in 0..3 {
        // The log of the database may have had some room left in itself.
        let _ = phone.run(&["sync", "--timeout", "2"]);
        let summary = format!("visit {} more", visits.len());
        visit(&phone, &ids[6], &summary);
        visits.push((ids[6].clone(), summary));
    }
    assert!(phone.receipts().iter().any(|receipt| receipt != "merged"));
    // No restart: the same server goes on.
    disk.free();
    phone.sync_until_merged();
    laptop.sync();
    let exported = scene.export();
    for contact in exported.values() {
        let mut expected: Vec<&str> = visits
            .iter()
            .filter(|(id, _)| contact["id"] == id.as_str())
            .map(|(_, summary)| summary.as_str())
            .collect();
        expected.sort_unstable();
        assert_eq!(summaries(contact), expected, "each once");
    }
    for rep in [&phone, &laptop] {
        scene.assert_agrees(rep, "ada");
    }
    scene.assert_clean();
    scene.stop();
    drop(disk);
}

#[test]
fn a_device_with_a_full_disk_never_says_saved_and_goes_on_when_there_is_room() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(72, 30, Some("ada"));
    let laptop = scene.device("laptop", "ada");
    laptop.sync();
    let disk = SmallDisk::mount(&scene.dir().join("phone"), 8 * 1024 * 1024);
    let phone = scene.device("phone", "ada");
    phone.sync();
    let ids = phone.ids();
    let (mut said, mut refused, mut cut_off) = (Vec::new(), Vec::new(), 0);
    for (n, free) in FREE.into_iter().enumerate() {
        visit(&laptop, &ids[n], &format!("laptop, {free} KiB"));
        visit(&laptop, &ids[n + 10], &format!("laptop, {free} KiB"));
        laptop.sync();
        disk.leave_free(free * 1024);
        for at in 0..3 {
            let summary = format!("phone {at}, {free} KiB");
            let done = phone.run(&["visit", &ids[n], "--summary", &summary]);
            if done.status.success() {
                said.push((ids[n].clone(), summary));
            } else {
                assert_eq!(done.status.code(), Some(1), "{done:?}");
                assert!(done.stderr.contains("disk is full"), "{}", done.stderr);
                refused.push(summary);
            }
        }
        let done = phone.run(&["sync", "--timeout", "20"]);
        if !done.status.success() {
            cut_off += 1;
            assert!(done.stderr.contains("disk is full"), "{}", done.stderr);
        }
    }
    assert!(
        refused.len() >= 2 && said.len() >= 2 && cut_off >= 1,
        "{refused:?} {said:?} {cut_off}"
    );
    disk.free();
    phone.sync_until_merged();
    let contacts = by_id(&phone.json(&["export"]));
    for (id, summary) in &said {
        let times = summaries(&contacts[id]).into_iter().filter(|s| s == summary).count();
        assert_eq!(times, 1, "said to be saved: {summary}");
    }
    let all: Vec<&str> = contacts.values().flat_map(summaries).collect();
    for summary in &refused {
        assert!(!all.contains(&summary.as_str()), "refused, and there all the same: {summary}");
    }
    laptop.sync();
    for rep in [&phone, &laptop] {
        scene.assert_agrees(rep, "ada");
    }
    scene.assert_clean();
    drop(disk);
}

#[test]
fn a_directory_that_can_not_be_written_is_named_and_nothing_in_it_is_touched() {
    let mut scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(73, 3, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let id = phone.ids().remove(0);
    visit(&phone, &id, "unsent");
    scene.stop();

    let locked = ReadOnly::make(&scene.data());
    let refusal = scene.start_or_refuse(&[]).unwrap_err();
    let data = scene.data().display().to_string();
    for args in [&["check"][..], &["user", "list"]] {
        let done = scene.admin(args);
        assert_eq!(done.status.code(), Some(4), "{done:?}");
        for text in [&refusal, &done.stderr] {
            assert!(text.contains(&data) && text.contains("Read-only"), "{text}");
            assert!(text.contains("make it writable"), "the way out: {text}");
        }
    }
    drop(locked);
    scene.start();

    let locked = ReadOnly::make(phone.home());
    for args in [&["list"][..], &["visit", &id, "--summary", "not saved"], &["sync"]] {
        let done = phone.run(args);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        let home = phone.home().display().to_string();
        let text = done.stderr;
        assert!(text.contains(&home) && text.contains("Read-only"), "{text}");
        assert!(text.contains("make it writable"), "the way out: {text}");
    }
    drop(locked);
    phone.sync();
    assert_eq!(summaries(&phone.show(&id)), ["unsent"]);
    assert_eq!(phone.receipts(), ["merged"]);
    scene.assert_agrees(&phone, "ada");
    scene.assert_clean();
}
