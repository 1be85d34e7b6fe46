use std::collections::BTreeSet;

use proptest::prelude::*;
use roadbook_protocol::document::{Command, Value};
use roadbook_protocol::ids::TimelineId;
use roadbook_protocol::wire::{Access, ChangeFate, ContactHeads, Fate, Manifest, Page};

use super::office::Office;
use super::{Device, field, person, saved, set};
use crate::{ListQuery, Receipt};

#[test]
fn two_devices_that_edit_offline_converge_and_the_conflict_is_shown_on_both() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a, &b]);
    a.replica.edit(id, &[set("job_title", "Buyer"), set("company", "Alpha")]).unwrap();
    b.replica.edit(id, &[set("job_title", "Head of purchasing"), set("industry", "Food")]).unwrap();
    office.converge(&[&a, &b]);
    for device in [&a, &b] {
        let contact = device.replica.contact(id).unwrap();
        assert_eq!((contact.text("company"), contact.text("industry")), ("Alpha", "Food"));
        let conflicts = device.replica.conflicts(None).unwrap();
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].field, "job_title");
        assert_eq!(conflicts[0].values.len(), 2);
        assert_eq!(device.replica.status().unwrap().conflicts, 1);
    }
    b.replica.resolve(id, "job_title", Some(Value::from("Buyer"))).unwrap();
    office.converge(&[&a, &b]);
    assert_eq!(a.replica.conflicts(None).unwrap(), []);
    assert_eq!(field(&a.replica, id, "job_title"), "Buyer");
}

#[test]
fn receipts_go_from_saved_over_stored_to_merged() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    let edit = a.replica.outbox(false).unwrap()[0].edit_id;
    let fates = office.receive(&a.replica);
    let stored: Vec<_> = fates.iter().map(|fate| (fate.contact, fate.hash)).collect();
    assert_eq!(a.replica.record_stored(&stored).unwrap(), 2);
    assert_eq!(a.replica.record_stored(&stored).unwrap(), 0, "told twice, counted once");
    assert_eq!(a.replica.receipt(edit).unwrap(), Some(Receipt::Stored));
    assert_eq!(a.replica.status().unwrap().stored_not_merged, 1);
    a.replica.record_fates(&fates).unwrap();
    assert_eq!(a.replica.receipt(edit).unwrap(), Some(Receipt::Merged));
    assert_eq!(a.replica.outbox(false).unwrap(), []);
    assert_eq!(a.replica.outbox(true).unwrap().len(), 1);
    // A late acknowledgement takes nothing back.
    a.replica.record_stored(&stored).unwrap();
    assert_eq!(a.replica.receipt(edit).unwrap(), Some(Receipt::Merged));
    assert_eq!(a.replica.state_hash(Some(&[id])).unwrap().hash, office.state_hash());
}

#[test]
fn an_edit_made_while_its_predecessor_is_under_way_is_not_taken_for_sent() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    let fates = office.receive(&a.replica);
    a.replica.edit(id, &[set("company", "Later")]).unwrap();
    let stored: Vec<_> = fates.iter().map(|fate| (fate.contact, fate.hash)).collect();
    a.replica.record_stored(&stored).unwrap();
    a.replica.record_fates(&fates).unwrap();
    assert_eq!(a.replica.status().unwrap().unsent, 1);
    assert_eq!(a.replica.load_outbox(0, 10, usize::MAX).unwrap().0.len(), 1);
    let state = a.replica.state_hash(None).unwrap();
    assert_eq!((state.hash, state.unmerged), (office.state_hash(), 1), "merged content only");
}

#[test]
fn a_new_device_lists_and_searches_shipped_rows_before_any_document_is_opened() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let ids: Vec<_> = (0..5).map(|n| person(&a.replica, "Karen", &format!("Holm{n}"))).collect();
    office.exchange(&a.replica);
    b.replica.store_manifest(office.timeline, &office.manifest()).unwrap();
    let progress = b.replica.status().unwrap().first_sync.unwrap();
    assert_eq!((progress.done, progress.total), (0, 5));
    let first = b.replica.load_missing(2, &BTreeSet::new()).unwrap();
    b.replica.apply_fetched(office.timeline, &office.fetched(&first)).unwrap();
    let progress = b.replica.status().unwrap().first_sync.unwrap();
    assert_eq!((progress.done, progress.total), (2, 5));
    // Cut here, and go on where it stopped.
    let b = b.reopen();
    let rest = b.replica.load_missing(256, &BTreeSet::new()).unwrap();
    assert_eq!(rest.len(), 3, "nothing is fetched twice");
    b.replica.apply_fetched(office.timeline, &office.fetched(&rest)).unwrap();
    assert_eq!(b.replica.status().unwrap().missing, 0);
    assert_eq!(b.replica.list(&ListQuery::default()).unwrap().total, 5);
    assert_eq!(b.replica.search("karen holm3", 10).unwrap().len(), 1);
    b.replica.edit(ids[0], &[set("company", "From b")]).unwrap();
    office.converge(&[&a, &b]);
    assert_eq!(field(&a.replica, ids[0], "company"), "From b");
}

#[test]
fn a_shipped_row_of_another_version_or_contact_is_derived_anew() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    let good = office.document(id).row;
    let other = good.replace(&id.to_string(), &super::WORKSPACE.to_string());
    for row in [good.replace("\"version\":", "\"version\":9"), other, "{".into(), String::new()] {
        let mut item = office.document(id);
        item.row = row;
        let page = Page { cursor: 9, items: vec![item], more: false, seal: None };
        b.replica.apply_page(office.timeline, &page).unwrap();
        assert_eq!(b.replica.check().unwrap(), []);
        assert_eq!(b.replica.row(id).unwrap().display_name, "Karen Holm");
        b.replica.apply_page(office.timeline, &removal(&office, id)).unwrap();
    }
}

fn removal(office: &Office, id: roadbook_protocol::ids::ContactId) -> Page {
    let mut item = office.document(id);
    item.access = Access::Removed;
    item.snapshot.clear();
    Page { cursor: 10, items: vec![item], more: false, seal: None }
}

#[test]
fn a_document_that_was_damaged_on_the_way_is_fetched_again_and_stops_nothing() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let good = person(&a.replica, "Karen", "Holm");
    let bad = person(&a.replica, "Lars", "Holm");
    office.exchange(&a.replica);
    let mut fetched = office.fetched(&[bad, good]);
    let middle = fetched.items[0].snapshot.len() / 2;
    fetched.items[0].snapshot[middle] ^= 1;
    b.replica.store_manifest(office.timeline, &office.manifest()).unwrap();
    b.replica.load_missing(10, &BTreeSet::new()).unwrap();
    b.replica.apply_fetched(office.timeline, &fetched).unwrap();
    assert_eq!(field(&b.replica, good, "given_name"), "Karen");
    assert_eq!(b.replica.status().unwrap().missing, 1);
    office.converge(&[&a, &b]);
    assert_eq!(field(&b.replica, bad, "given_name"), "Lars");
}

#[test]
fn a_contact_that_never_comes_whole_is_not_asked_for_without_end() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    b.replica.store_manifest(office.timeline, &office.manifest()).unwrap();
    let mut asked = 0;
    while let [id] = b.replica.load_missing(10, &BTreeSet::new()).unwrap()[..] {
        let mut fetched = office.fetched(&[id]);
        fetched.items[0].snapshot.truncate(20);
        b.replica.apply_fetched(office.timeline, &fetched).unwrap();
        asked += 1;
        assert!(asked < 10);
    }
    assert_eq!(b.replica.status().unwrap().missing, 1, "{id} waits for the next connection");
}

#[test]
fn changes_whose_dependencies_are_not_here_heal_by_a_fetch() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a, &b]);
    a.replica.edit(id, &[set("company", "One")]).unwrap();
    office.exchange(&a.replica);
    let before = office.cursor;
    a.replica.edit(id, &[set("company", "Two")]).unwrap();
    office.exchange(&a.replica);
    // The page that is lost is the one before.
    b.replica.apply_page(office.timeline, &office.page(&b.replica, before)).unwrap();
    assert_eq!(field(&b.replica, id, "company"), "");
    assert_eq!(b.replica.status().unwrap().missing, 1);
    office.converge(&[&a, &b]);
    assert_eq!(field(&b.replica, id, "company"), "Two");
}

#[test]
fn an_older_document_that_arrives_late_takes_nothing_away() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a, &b]);
    let old = office.document(id);
    a.replica.edit(id, &[set("company", "New")]).unwrap();
    office.exchange(&a.replica);
    office.exchange(&b.replica);
    b.replica.edit(id, &[set("industry", "Food")]).unwrap();
    let page = Page { cursor: office.cursor, items: vec![old], more: false, seal: None };
    b.replica.apply_page(office.timeline, &page).unwrap();
    assert_eq!(field(&b.replica, id, "company"), "New");
    assert_eq!(field(&b.replica, id, "industry"), "Food");
    office.converge(&[&a, &b]);
}

#[test]
fn a_document_from_the_server_keeps_local_edits_on_top() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a, &b]);
    a.replica.edit(id, &[set("company", "Alpha")]).unwrap();
    office.exchange(&a.replica);
    b.replica.edit(id, &[set("industry", "Food")]).unwrap();
    let page =
        Page { cursor: office.cursor, items: vec![office.document(id)], more: false, seal: None };
    b.replica.apply_page(office.timeline, &page).unwrap();
    assert_eq!(field(&b.replica, id, "company"), "Alpha");
    assert_eq!(field(&b.replica, id, "industry"), "Food");
    assert_eq!(b.replica.check().unwrap(), [], "the shipped row is not used");
    assert_eq!(b.replica.status().unwrap().unsent, 1);
    office.converge(&[&a, &b]);
}

#[test]
fn a_contact_that_is_taken_away_leaves_after_its_edits_were_sent_and_leaves_nothing_behind() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Zebedäus", "Marker");
    let other = person(&a.replica, "Other", "Person");
    office.exchange(&a.replica);
    for needle in [&b"Marker"[..], b"zebedaus"] {
        // Nothing is to be found where it is encrypted, before or after.
        let found = on_disk(&a, needle);
        assert_eq!(found, !crate::at_rest::BUILT_IN, "the search finds what is there");
    }
    a.replica.edit(id, &[set("company", "MarkerUnsent")]).unwrap();
    office.remove(id);
    let page = office.page(&a.replica, a.replica.status().unwrap().cursor);
    a.replica.apply_page(office.timeline, &page).unwrap();
    assert_eq!(a.replica.status().unwrap().unsent, 1, "it is still here to be sent");
    assert!(a.replica.edit(id, &[set("company", "again")]).is_err());
    office.exchange(&a.replica);
    assert!(a.replica.contact(id).is_err());
    assert_eq!(a.replica.search("zebedaus", 10).unwrap(), []);
    a.replica.suspend();
    for needle in [&b"Marker"[..], b"zebedaus", b"marker"] {
        assert!(!on_disk(&a, needle), "{} is still there", String::from_utf8_lossy(needle));
    }
    a.replica.resume().unwrap();
    assert_eq!(field(&a.replica, other, "given_name"), "Other");
}

fn on_disk(device: &Device, needle: &[u8]) -> bool {
    ["replica.db", "replica.db-wal"].iter().any(|name| {
        let bytes = std::fs::read(device.home().join(name)).unwrap_or_default();
        contains(&bytes, needle)
    })
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Taken away while an edit of it is unsent: the contact stays until that is delivered. A server that is
/// put back meanwhile may lack what was merged before, and nobody else may have it.
#[test]
fn what_is_held_of_a_contact_that_was_taken_away_is_compared_with_a_restored_server() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a]);
    let merged = office.document(id).heads;
    a.replica.edit(id, &[set("company", "Unsent")]).unwrap();
    a.replica.apply_page(office.timeline, &removal(&office, id)).unwrap();
    assert_eq!(a.replica.status().unwrap().unsent, 1);
    let compared = a.replica.read(crate::sync::all_heads).unwrap();
    assert_eq!(compared, [ContactHeads { contact: id, heads: merged }]);
}

#[test]
fn a_lost_timeline_takes_receipts_back_and_everything_is_offered_again() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    a.replica.edit(id, &[set("company", "Stored only")]).unwrap();
    let hash = saved_hash(&a, id);
    a.replica.record_stored(&[(id, hash)]).unwrap();
    assert_eq!(a.replica.status().unwrap().unsent, 0);
    // The server comes back from a backup that knows nothing of all this.
    let mut restored = Office::new();
    restored.timeline = TimelineId::from_bytes([8; 16]);
    a.replica.void_acknowledgements().unwrap();
    assert_eq!(a.replica.status().unwrap().unsent, 1);
    let heads = a
        .replica
        .read(|conn| crate::store::contacts::find(conn, id))
        .unwrap()
        .unwrap()
        .merged_heads;
    a.replica.reoffer(&[ContactHeads { contact: id, heads }], &[]).unwrap();
    assert_eq!(a.replica.status().unwrap().unsent, 2);
    let manifest = Manifest { cursor: 0, contacts: vec![], last: true, bytes_total: 0 };
    a.replica.store_manifest(restored.timeline, &manifest).unwrap();
    let b = Device::new(2);
    restored.converge(&[&a, &b]);
    assert_eq!(restored.text(id, "company"), "Stored only");
    assert_eq!(field(&b.replica, id, "given_name"), "Karen");
}

fn saved_hash(
    device: &Device,
    id: roadbook_protocol::ids::ContactId,
) -> roadbook_protocol::ChangeHash {
    let entry = device.replica.outbox(false).unwrap().pop().unwrap();
    assert_eq!(entry.contact_id, id);
    entry.hash.parse().unwrap()
}

#[test]
fn what_the_server_has_never_seen_goes_back_to_the_outbox() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    let hash = saved_hash(&a, id);
    a.replica.record_stored(&[(id, hash)]).unwrap();
    let unknown = ChangeFate {
        contact: id,
        hash,
        fate: Fate::Unknown,
        code: String::new(),
        reason: String::new(),
    };
    a.replica.record_fates(&[unknown]).unwrap();
    assert_eq!(a.replica.status().unwrap().unsent, 1);
    office.converge(&[&a]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_of_edits_and_exchanges_converges(
        plan in prop::collection::vec((0..3usize, 0..6u8, 0..4u8), 5..40), seed in 1..500u64
    ) {
        let mut office = Office::new();
        let devices: Vec<Device> = (0..3).map(|n| Device::new(seed * 3 + n)).collect();
        let shared = person(&devices[0].replica, "Karen", "Holm");
        let first: Vec<&Device> = devices.iter().collect();
        office.converge(&first);
        for (who, what, value) in plan {
            let replica = &devices[who].replica;
            match what {
                0 | 1 => { replica.edit(shared, &[set("company", &format!("C{value}"))]).unwrap(); }
                2 => { replica.edit(shared, &[set("job_title", &format!("J{who}{value}"))]).unwrap(); }
                3 => {
                    let at = replica.now_ms();
                    replica.edit(shared, &[Command::Tag { tag: format!("t{value}"), at }]).unwrap();
                }
                4 => { person(replica, "New", &format!("N{who}{value}")); }
                _ => office.exchange(replica),
            }
        }
        office.converge(&first);
        let hashes: BTreeSet<String> =
            devices.iter().map(|device| device.replica.state_hash(None).unwrap().hash).collect();
        prop_assert_eq!(hashes.len(), 1);
        for device in &devices {
            prop_assert_eq!(device.replica.status().unwrap().quarantined, 0);
        }
    }
}

#[test]
fn saved_is_what_an_edit_returns() {
    let a = Device::new(1);
    let id = person(&a.replica, "Karen", "Holm");
    let edit = saved(a.replica.edit(id, &[set("company", "x")]).unwrap());
    assert_eq!(a.replica.receipt(edit.edit_id).unwrap(), Some(Receipt::Saved));
    assert_eq!(edit.contact_id, id);
}

#[test]
fn finished_edits_are_forgotten_after_the_backup_horizon_and_the_contact_stays_whole() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    crate::sync::mark_synced(&a.replica).unwrap();
    assert_eq!(a.replica.outbox(true).unwrap().len(), 1, "kept, as long as a backup may need it");
    let a = a.reopen_beyond_the_horizon();
    a.replica.edit(id, &[set("company", "Unsent")]).unwrap();
    crate::sync::mark_synced(&a.replica).unwrap();
    let left: Vec<String> =
        a.replica.outbox(true).unwrap().into_iter().map(|entry| entry.command).collect();
    assert_eq!(left, ["set"], "what is not finished stays");
    assert_eq!(field(&a.replica, id, "given_name"), "Karen");
    office.converge(&[&a]);
    // A server that lost everything gets the pruned edit again, out of the document.
    let mut restored = Office::new();
    let heads = a
        .replica
        .read(|conn| crate::store::contacts::find(conn, id))
        .unwrap()
        .unwrap()
        .merged_heads;
    a.replica.reoffer(&[ContactHeads { contact: id, heads }], &[]).unwrap();
    restored.timeline = TimelineId::from_bytes([8; 16]);
    let manifest = Manifest { cursor: 0, contacts: vec![], last: true, bytes_total: 0 };
    a.replica.store_manifest(restored.timeline, &manifest).unwrap();
    for _ in 0..2 {
        restored.exchange(&a.replica);
    }
    assert_eq!(restored.text(id, "given_name"), "Karen");
    assert_eq!(restored.text(id, "company"), "Unsent");
}
