//! Refused and forked changes: one bad change costs only itself.

use std::collections::BTreeSet;

use roadbook_protocol::document::{Command, schema::Collection};
use roadbook_protocol::ids::{ContactId, TimelineId};
use roadbook_protocol::wire::{Access, ChangeFate, ContactHeads, Fate, Manifest, Need, Page};

use super::office::Office;
use super::{Device, field, person, saved, set};
use crate::Receipt;
use crate::store::{contacts, evidence};

#[test]
fn a_refused_change_costs_only_itself_and_later_edits_are_authored_anew() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    let other = person(&a.replica, "Lars", "Holm");
    office.converge(&[&a, &b]);
    office.refused_label = Some("poison".into());
    a.replica.edit(id, &[set("company", "Before")]).unwrap();
    a.replica.edit_labelled(id, &[set("job_title", "Poison")], "poison").unwrap();
    a.replica.edit(id, &[set("industry", "After")]).unwrap();
    let visit = a.replica.new_entry_id();
    let log = Command::Put {
        collection: Collection::Interactions,
        id: visit,
        fields: [
            ("kind".to_owned(), Some("visit".into())),
            ("at".to_owned(), Some(1_773_000_000_000_i64.into())),
            ("summary".to_owned(), Some("Talked".into())),
        ]
        .into(),
    };
    a.replica.edit(id, &[log]).unwrap();
    a.replica.edit(other, &[set("company", "Elsewhere")]).unwrap();
    office.converge(&[&a, &b]);
    let contact = office.contact(id);
    assert_eq!(contact.text("company"), "Before");
    assert_eq!(contact.text("industry"), "After");
    assert_eq!(contact.text("job_title"), "");
    assert_eq!(contact.interactions.len(), 1);
    assert_eq!(contact.interactions[0].id, visit);
    assert_eq!(office.text(other, "company"), "Elsewhere");
    assert_eq!(field(&a.replica, id, "job_title"), "", "the device shows what the office has");
    let kept = a.replica.quarantine().unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].code.as_str(), kept[0].command.as_str()), ("unwanted", "poison"));
    assert!(kept[0].bytes.is_some() && kept[0].commands.len() == 1);
    let mut export = Vec::new();
    assert_eq!(a.replica.export_quarantine(&mut export).unwrap(), 1);
    assert!(String::from_utf8(export).unwrap().contains("Poison"));
    let outbox = a.replica.outbox(true).unwrap();
    let refused: Vec<_> = outbox.iter().filter(|e| e.receipt == Receipt::Quarantined).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(outbox.iter().filter(|e| e.receipt == Receipt::Merged).count(), outbox.len() - 1);
    // The contact goes on.
    a.replica.edit(id, &[set("website", "https://a.example")]).unwrap();
    office.converge(&[&a, &b]);
    assert_eq!(field(&b.replica, id, "website"), "https://a.example");
}

#[test]
fn a_contact_whose_first_change_is_refused_is_rebuilt_under_the_same_id() {
    let (mut office, a) = (Office::new(), Device::new(1));
    office.refused_label = Some("create".into());
    let id = person(&a.replica, "Karen", "Holm");
    a.replica.edit(id, &[set("company", "Kept")]).unwrap();
    office.converge(&[&a]);
    assert_eq!(office.text(id, "company"), "Kept");
    assert_eq!(field(&a.replica, id, "company"), "Kept");
    assert_eq!(a.replica.quarantine().unwrap().len(), 1);
}

#[test]
fn edits_made_while_the_contact_waits_for_the_servers_document_are_kept() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    office.refused_label = Some("poison".into());
    a.replica.edit_labelled(id, &[set("job_title", "Poison")], "poison").unwrap();
    let fates = office.receive(&a.replica);
    a.replica.record_fates(&fates).unwrap();
    assert_eq!(a.replica.status().unwrap().set_aside, 1);
    a.replica.edit(id, &[set("company", "Meanwhile")]).unwrap();
    assert_eq!(a.replica.load_outbox(0, 10, usize::MAX).unwrap().0, [], "held back");
    let a = a.reopen();
    office.converge(&[&a]);
    assert_eq!(office.text(id, "company"), "Meanwhile");
    assert_eq!(a.replica.status().unwrap().set_aside, 0);
}

#[test]
fn an_earlier_unmerged_edit_is_sent_as_it_is_beside_a_refused_one() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    a.replica.edit(id, &[set("company", "Earlier")]).unwrap();
    let earlier: roadbook_protocol::ChangeHash =
        a.replica.outbox(false).unwrap()[0].hash.parse().unwrap();
    a.replica.edit_labelled(id, &[set("job_title", "Poison")], "poison").unwrap();
    let poison = a.replica.outbox(false).unwrap()[1].hash.parse().unwrap();
    // The server refuses the second before it has merged the first.
    let fate = ChangeFate {
        contact: id,
        hash: poison,
        fate: Fate::Quarantined,
        code: "unwanted".into(),
        reason: "because".into(),
    };
    a.replica.record_fates(&[fate]).unwrap();
    office.converge(&[&a]);
    assert!(office.merged_hashes().contains(&earlier), "it was not authored anew");
    assert_eq!(office.text(id, "company"), "Earlier");
    assert_eq!(office.text(id, "job_title"), "");
}

#[test]
fn an_edit_that_a_change_from_elsewhere_carries_is_authored_anew_until_that_is_merged() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    a.replica.edit(id, &[set("company", "Carried")]).unwrap();
    let edit = a.replica.outbox(false).unwrap()[0].edit_id;
    let replaced = |code: &str| {
        let hash = a.replica.outbox(false).unwrap()[0].hash.parse().unwrap();
        let reason = "another change carries the same edit".to_owned();
        let fate =
            ChangeFate { contact: id, hash, fate: Fate::Replaced, code: code.into(), reason };
        a.replica.record_fates(&[fate]).unwrap();
        assert_eq!(a.replica.status().unwrap().set_aside, 1);
    };
    // The other change, of a copy, is not merged yet: should it be refused, ours is needed.
    replaced("replaced");
    assert_eq!(a.replica.receipt(edit).unwrap(), Some(Receipt::Forked));
    a.replica.in_flight().clear();
    let missing = a.replica.load_missing(256, &BTreeSet::new()).unwrap();
    a.replica.apply_fetched(office.timeline, &office.fetched(&missing)).unwrap();
    assert_eq!(a.replica.receipt(edit).unwrap(), Some(Receipt::Saved), "on its way again");
    // Now it is: the edit is there, and ours is not offered again.
    replaced("original_merged");
    assert_eq!(a.replica.receipt(edit).unwrap(), Some(Receipt::Merged));
    office.converge(&[&a]);
    assert_eq!(a.replica.status().unwrap().unsent, 0);
    assert_eq!(a.replica.quarantine().unwrap(), []);
}

#[test]
fn the_outbox_lists_an_edit_once_however_often_it_was_authored() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    office.refused_label = Some("poison".into());
    a.replica.edit_labelled(id, &[set("job_title", "Poison")], "poison").unwrap();
    a.replica.edit(id, &[set("company", "After")]).unwrap();
    let ids: Vec<_> = a.replica.outbox(false).unwrap().iter().map(|e| e.edit_id).collect();
    office.converge(&[&a]);
    let all = a.replica.outbox(true).unwrap();
    assert_eq!(all.iter().filter(|entry| entry.edit_id == ids[1]).count(), 1);
    assert_eq!(a.replica.receipt(ids[1]).unwrap(), Some(Receipt::Merged));
    // Undo still knows the edit by its name.
    a.replica.undo(Some(id)).unwrap();
    assert_eq!(field(&a.replica, id, "company"), "");
}

#[test]
fn an_actor_that_belongs_to_another_device_is_replaced_and_its_edits_are_authored_anew() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    a.replica.edit(id, &[set("company", "Unsent")]).unwrap();
    let fresh = person(&a.replica, "Never", "Sent");
    let taken = own_actors(&a);
    a.replica.replace_actors(&taken).unwrap();
    assert!(own_actors(&a).iter().all(|actor| !taken.contains(actor)));
    assert_eq!(a.replica.status().unwrap().set_aside, 2);
    office.converge(&[&a]);
    assert_eq!(office.text(id, "company"), "Unsent");
    assert_eq!(office.text(fresh, "given_name"), "Never");
    assert_eq!(a.replica.quarantine().unwrap(), []);
}

fn own_actors(device: &Device) -> Vec<roadbook_protocol::ids::Actor> {
    device
        .replica
        .read(|conn| {
            let me = device.replica.me(conn)?;
            crate::store::lists::own_actors(conn, me.device)
        })
        .unwrap()
}

#[test]
fn what_the_waiting_room_needs_is_offered_again_behind_what_was_sent() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    a.replica.edit(id, &[set("company", "First")]).unwrap();
    a.replica.edit(id, &[set("company", "Second")]).unwrap();
    let (sent, _) = a.replica.load_outbox(0, 10, usize::MAX).unwrap();
    let first = sent[0].hash;
    a.replica.record_stored(&[(id, first)]).unwrap();
    // The acknowledged change was lost on the other side.
    a.replica.supply(&Need { contact: id, hashes: vec![first] }).unwrap();
    let (again, _) = a.replica.load_outbox(sent[1].position, 10, usize::MAX).unwrap();
    let hashes: Vec<_> = again.iter().map(|change| change.hash).collect();
    assert_eq!(hashes, [first, sent[1].hash], "in causal order");
    office.converge(&[&a]);
    // What is needed is nothing of ours: the contact waits for the server's document.
    a.replica.edit(id, &[set("company", "Third")]).unwrap();
    let foreign = roadbook_protocol::ChangeHash([9; 32]);
    a.replica.supply(&Need { contact: id, hashes: vec![foreign] }).unwrap();
    assert_eq!(a.replica.status().unwrap().set_aside, 1);
    office.converge(&[&a]);
    assert_eq!(office.text(id, "company"), "Third");
}

#[test]
fn a_directory_is_taken_only_with_the_signature_of_the_workspace() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use roadbook_protocol::wire::{self, Directory, DirectoryUser};
    let a = Device::new(1);
    let key = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    a.replica
        .write("test", |write| {
            crate::store::meta::set(&write.tx, "workspace_key", key.public_key().as_ref())
        })
        .unwrap();
    let user = roadbook_protocol::ids::UserId::from_bytes([8; 16]);
    let named = DirectoryUser { user, login: "boss".into(), name: "The boss".into() };
    let mut directory = Directory {
        users: vec![named],
        actors: vec![],
        signature: vec![0; 64],
        custom_fields: None,
    };
    assert!(!a.replica.store_directory(&directory).unwrap());
    assert_eq!(a.replica.user_name(user), None);
    let text = wire::directory_text(&super::WORKSPACE, &directory);
    directory.signature = key.sign(&text).as_ref().to_vec();
    assert!(a.replica.store_directory(&directory).unwrap());
    assert_eq!(a.replica.user_name(user).as_deref(), Some("The boss"));
}

#[test]
fn a_contact_made_here_that_is_anothers_leaves_and_its_edits_stay_listed() {
    let a = Device::new(1);
    let id = person(&a.replica, "Karen", "Holm");
    let fate = |hash, fate, code: &str| ChangeFate {
        contact: id,
        hash,
        fate,
        code: code.to_owned(),
        reason: "it is assigned to somebody else".to_owned(),
    };
    let made = a.replica.outbox(false).unwrap()[0].hash.parse().unwrap();
    let bootstraps = roadbook_protocol::document::bootstraps();
    let mut fates: Vec<ChangeFate> =
        bootstraps.iter().map(|known| fate(known.hash, Fate::Merged, "")).collect();
    fates.push(fate(made, Fate::Quarantined, "not_yours"));
    a.replica.record_fates(&fates).unwrap();
    assert_eq!(a.replica.ids(None).unwrap(), [], "no news of its removal would ever come");
    let kept = a.replica.quarantine().unwrap();
    assert_eq!((kept.len(), kept[0].code.as_str()), (1, "not_yours"));
    assert!(kept[0].bytes.is_some());
}

#[test]
fn anothers_change_that_its_author_alone_can_bring_back_is_listed_until_then() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a, &b]);
    let hash = saved(a.replica.edit(id, &[set("company", "Nordhav")]).unwrap()).hash;
    office.converge(&[&a, &b]);
    let refused = |code: &str| ChangeFate {
        contact: id,
        hash,
        fate: Fate::Replaced,
        code: code.into(),
        reason: "as told".into(),
    };
    // Another change carries the very edit: there is nothing to be seen to.
    b.replica.record_offered(&[id], &[refused("replaced")]).unwrap();
    assert!(b.replica.quarantine().unwrap().is_empty());
    // It stands on a change that another carries.
    b.replica.record_offered(&[id], &[refused("dependency")]).unwrap();
    let listed = b.replica.quarantine().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].contact_id, listed[0].hash.clone()), (id, Some(hash.to_string())));
    assert!(listed[0].bytes.is_some(), "nothing of it is lost");
}

#[test]
fn a_document_that_can_not_be_opened_comes_again_and_keeps_nothing_else_from_being_in_step() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a]);
    // A bit flips where SQLite does not look.
    let damaged = a.replica.write("test", |write| {
        Ok(write.tx.execute("UPDATE change SET bytes = zeroblob(8) WHERE live = 1", [])?)
    });
    assert!(damaged.unwrap() > 0);
    let a = a.reopen_beyond_the_horizon();
    crate::sync::mark_synced(&a.replica).unwrap();
    assert_eq!(a.replica.status().unwrap().missing, 1, "it is on the list of what to fetch");
    // Its heads are the server's all the while.
    office.converge(&[&a]);
    assert_eq!(a.replica.status().unwrap().missing, 0);
    assert_eq!(field(&a.replica, id, "given_name"), "Karen");
}

/// Two devices hold a contact, an old server only what the first made at first: the second's edit, whose
/// commands are forgotten by now, stands on one of the first's that the server has lost.
fn stands_on_what_was_lost() -> (Office, Device, Device, ContactId) {
    let (mut office, mut restored) = (Office::new(), Office::new());
    restored.timeline = TimelineId::from_bytes([8; 16]);
    let (a, b) = (Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    restored.receive(&a.replica);
    office.converge(&[&a, &b]);
    a.replica.edit(id, &[set("company", "Nordhav")]).unwrap();
    office.converge(&[&a, &b]);
    b.replica.edit(id, &[set("job_title", "Buyer")]).unwrap();
    office.converge(&[&a, &b]);
    let b = b.reopen_beyond_the_horizon();
    crate::sync::mark_synced(&b.replica).unwrap();
    assert_eq!(b.replica.outbox(true).unwrap(), [], "the commands are forgotten");
    for device in [&a, &b] {
        let row = device.replica.read(|conn| contacts::find(conn, id)).unwrap().unwrap();
        let (timeline, tips) = (office.timeline, row.merged_heads.clone());
        let signed = device.replica.write("test", |write| {
            let seal = evidence::SealRow { timeline, as_of: 1, leaves: vec![], signature: vec![] };
            let seal = evidence::insert_seal(&write.tx, &seal)?;
            let (access, owner) = (Access::Owner, None);
            let held = evidence::EvidenceRow { seal, place: 0, access, owner, epoch: 1, tips };
            evidence::insert(&write.tx, row.num, &held)
        });
        signed.unwrap();
        let unknown = ContactHeads { contact: id, heads: row.merged_heads };
        let known = ContactHeads { contact: id, heads: restored.document(id).heads };
        device.replica.reoffer(&[unknown], &[known]).unwrap();
        let manifest = Manifest { cursor: 0, contacts: vec![], last: true, bytes_total: 0 };
        device.replica.store_manifest(restored.timeline, &manifest).unwrap();
    }
    (restored, a, b, id)
}

#[test]
fn what_a_restored_server_sends_before_it_has_everything_again_takes_nothing_of_it_away() {
    let (mut restored, a, b, id) = stands_on_what_was_lost();
    let c = Device::new(3);
    restored.exchange(&c.replica);
    // It sends the contact as it is there, twice, before the first device has brought its part.
    for company in ["Elsewhere", "Somewhere"] {
        c.replica.edit(id, &[set("industry", company)]).unwrap();
        restored.exchange(&c.replica);
        let items = vec![restored.document(id)];
        let page = Page { cursor: restored.cursor, items, more: false, seal: None };
        b.replica.apply_page(restored.timeline, &page).unwrap();
        assert_eq!(field(&b.replica, id, "job_title"), "Buyer");
    }
    for device in [&a, &b] {
        device.replica.record_offered(&[id], &[]).unwrap();
    }
    restored.converge(&[&a, &b, &c]);
    assert_eq!(restored.text(id, "company"), "Nordhav");
    assert_eq!(restored.text(id, "job_title"), "Buyer");
    assert_eq!(b.replica.quarantine().unwrap(), []);
}

#[test]
fn an_edit_that_can_neither_be_sent_as_it_is_nor_authored_anew_is_listed() {
    let (mut restored, a, b, id) = stands_on_what_was_lost();
    // Nobody brings what it stands on.
    b.replica.record_offered(&[id], &[]).unwrap();
    let forget = |device: &Device| {
        device.replica.write("test", |write| {
            let row = contacts::find(&write.tx, id)?.expect("it is here");
            contacts::set_keep_local(&write.tx, row.num, false)?;
            write.tx.execute("UPDATE contact SET merged_heads = x''", [])?;
            Ok(())
        })
    };
    forget(&b).unwrap();
    let items = vec![restored.document(id)];
    let page = Page { cursor: restored.cursor, items, more: false, seal: None };
    b.replica.apply_page(restored.timeline, &page).unwrap();
    let listed = b.replica.quarantine().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].code, "not_replayed");
    assert!(listed[0].bytes.is_some(), "nothing of it is lost");
    restored.exchange(&b.replica);
    drop(a);
}

#[test]
fn an_own_edit_that_is_refused_is_listed_as_own_though_it_was_offered_before() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a]);
    let edit = saved(a.replica.edit(id, &[set("company", "Nordhav")]).unwrap());
    let refused = ChangeFate {
        contact: id,
        hash: edit.hash,
        fate: Fate::Quarantined,
        code: "not_yours".into(),
        reason: "as told".into(),
    };
    a.replica.record_offered(&[id], std::slice::from_ref(&refused)).unwrap();
    a.replica.record_fates(&[refused]).unwrap();
    let listed = a.replica.quarantine().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].edit_id, Some(edit.edit_id));
    assert_eq!(listed[0].commands.len(), 1, "what it was can be seen and made again");
}

#[test]
fn an_edit_that_was_authored_anew_before_it_was_heard_to_be_proposed_stands_as_proposed() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    let edit = saved(a.replica.edit(id, &[set("company", "Late")]).unwrap());
    let tell = |hash, fate, code: &str| {
        let (code, reason) = (code.to_owned(), "as told".to_owned());
        a.replica.record_fates(&[ChangeFate { contact: id, hash, fate, code, reason }]).unwrap();
    };
    // The contact was away and is back: the edit does not fit on it as it is.
    tell(edit.hash, Fate::Forked, "forked");
    a.replica.in_flight().clear();
    let missing = a.replica.load_missing(256, &BTreeSet::new()).unwrap();
    a.replica.apply_fetched(office.timeline, &office.fetched(&missing)).unwrap();
    let anew = a.replica.outbox(false).unwrap()[0].hash.parse().unwrap();
    assert_ne!(anew, edit.hash);
    tell(edit.hash, Fate::Proposed, "late");
    assert_eq!(a.replica.receipt(edit.edit_id).unwrap(), Some(Receipt::Saved), "not refused yet");
    tell(anew, Fate::Replaced, "original_proposed");
    assert_eq!(a.replica.receipt(edit.edit_id).unwrap(), Some(Receipt::Proposed));
    let listed = a.replica.outbox(true).unwrap();
    let listed: Vec<_> = listed.iter().filter(|entry| entry.edit_id == edit.edit_id).collect();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].receipt, &listed[0].hash), (Receipt::Proposed, &edit.hash.to_string()));
    // What is decided about it is heard.
    tell(edit.hash, Fate::Proposed, "accepted");
    let listed = a.replica.outbox(true).unwrap();
    assert!(listed.iter().any(|entry| entry.decision.as_deref() == Some("accepted")));
}

#[test]
fn an_edit_that_was_authored_anew_is_forgotten_as_a_whole_whatever_the_clock_showed() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    let edit = saved(a.replica.edit(id, &[set("company", "Nordhav")]).unwrap());
    let (code, reason) = ("forked".to_owned(), "as told".to_owned());
    let forked = ChangeFate { contact: id, hash: edit.hash, fate: Fate::Forked, code, reason };
    a.replica.record_fates(&[forked]).unwrap();
    a.replica.in_flight().clear();
    let missing = a.replica.load_missing(256, &BTreeSet::new()).unwrap();
    a.replica.apply_fetched(office.timeline, &office.fetched(&missing)).unwrap();
    // What was made anew of it is merged while the clock shows a day years ago.
    let a = a.reopen_after_days(-3_000);
    office.exchange(&a.replica);
    assert_eq!(a.replica.receipt(edit.edit_id).unwrap(), Some(Receipt::Merged));
    let a = a.reopen_after_days(0);
    crate::sync::mark_synced(&a.replica).unwrap();
    assert_eq!(a.replica.receipt(edit.edit_id).unwrap(), Some(Receipt::Merged));
    let a = a.reopen_beyond_the_horizon();
    crate::sync::mark_synced(&a.replica).unwrap();
    assert_eq!(a.replica.receipt(edit.edit_id).unwrap(), None);
}
