//! What goes down to devices.

use roadbook_protocol::ids::UserId;
use roadbook_protocol::wire::{Access, ContactHeads, Dropped};
use roadbook_server::engine::{Assign, PageLimits, TimelineStatus};

use super::support::{Replica, World, set};

fn give(world: &World, contacts: &[roadbook_protocol::ids::ContactId], owner: Option<UserId>) {
    let assign = Assign { contacts: contacts.to_vec(), owner: Some(owner), ..Default::default() };
    let report = world.engine.assign(world.workspace, Some(world.office), assign).unwrap();
    assert_eq!(report.changed.len(), contacts.len());
}

#[test]
fn a_device_gets_its_contacts_and_nothing_else() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let hers = world.import(Some(anna.user), 3);
    let his = world.import(Some(bert.user), 2);
    world.import(None, 1);
    let mut replica = Replica::default();
    replica.catch_up(&world, anna.user);
    assert!(replica.documents.keys().eq(&hers));
    let fetched = world.engine.fetch(world.workspace, anna.user, &his, 1 << 20).unwrap();
    let unknown =
        world.engine.fetch(world.workspace, anna.user, &[world.contact_id()], 1 << 20).unwrap();
    assert!(
        fetched
            .iter()
            .chain(&unknown)
            .all(|item| item.access == Access::Removed && item.snapshot.is_empty())
    );
    let manifest = world.engine.manifest(world.workspace, anna.user).unwrap();
    assert_eq!(manifest.contacts.len(), 3);
    assert_eq!(manifest.cursor, world.cursor());
    assert!(manifest.bytes_total > 300);
}

#[test]
fn a_contact_that_is_assigned_late_is_never_skipped() {
    let world = World::new();
    let anna = world.rep("anna");
    let old = world.import(None, 1);
    let mut replica = Replica::default();
    world.import(Some(anna.user), 5);
    replica.catch_up(&world, anna.user);
    let ahead = replica.cursor;
    give(&world, &old, Some(anna.user));
    let page = world.page(anna.user, ahead);
    assert_eq!(page.items.len(), 1);
    assert!(!page.items[0].snapshot.is_empty() && !page.items[0].row.is_empty());
    replica.apply(page);
    assert!(replica.documents.contains_key(&old[0]));
    world.assert_clean();
}

#[test]
fn a_contact_that_the_office_makes_comes_whole_and_with_its_row() {
    let world = World::new();
    let anna = world.rep("anna");
    let mut replica = Replica::default();
    replica.catch_up(&world, anna.user);
    world.import(Some(anna.user), 1);
    let page = world.page(anna.user, replica.cursor);
    assert!(!page.items[0].snapshot.is_empty() && page.items[0].row.contains("Company 0"));
    let before = world.cursor();
    let (_, made) = anna.create(world.contact_id(), 2);
    world.append(&anna, &made);
    world.merged();
    let page = world.page(anna.user, before);
    assert_eq!(
        (page.items.len(), page.items[0].changes.len()),
        (1, 2),
        "one made on a device as changes"
    );
}

#[test]
fn content_is_sent_only_while_the_user_may_see_it() {
    let world = World::new();
    let anna = world.rep("anna");
    let contact = world.import(Some(anna.user), 1);
    let page = world.page(anna.user, 0);
    let may = |world: &World| {
        world.engine.may_send(world.workspace, anna.id, anna.user, page.as_of).unwrap()
    };
    assert!(may(&world));
    world.office_edit(contact[0], vec![set("company", "Changed")]);
    assert!(may(&world));
    give(&world, &contact, None);
    assert!(!may(&world), "the contact was taken away");
    let page = world.page(anna.user, 0);
    world.engine.revoke(world.workspace, None, anna.id).unwrap();
    assert!(!world.engine.may_send(world.workspace, anna.id, anna.user, page.as_of).unwrap());
}

#[test]
fn a_contact_that_is_moved_away_and_back_is_there_again_with_what_happened_meanwhile() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let contact = world.import(Some(anna.user), 1);
    let mut replica = Replica::default();
    replica.catch_up(&world, anna.user);
    let mut sleepy = Replica { cursor: replica.cursor, documents: replica.documents.clone() };
    give(&world, &contact, Some(bert.user));
    replica.catch_up(&world, anna.user);
    assert!(replica.documents.is_empty());
    world.office_edit(contact[0], vec![set("company", "Meanwhile")]);
    replica.catch_up(&world, anna.user);
    assert!(replica.documents.is_empty());
    give(&world, &contact, Some(anna.user));
    for replica in [&mut replica, &mut sleepy] {
        replica.catch_up(&world, anna.user);
        let doc = &replica.documents[&contact[0]];
        assert_eq!(roadbook_protocol::document::read(contact[0], doc).text("company"), "Meanwhile");
    }
    assert!(world.page(bert.user, 0).items.iter().all(|item| item.access == Access::Removed));
    world.assert_clean();
}

#[test]
fn a_change_of_owner_reaches_the_collaborator_with_a_new_epoch() {
    let world = World::new();
    let (anna, bert, carl) = (world.rep("anna"), world.rep("bert"), world.rep("carl"));
    let contact = world.import(Some(anna.user), 1);
    let assign = Assign {
        contacts: contact.clone(),
        add_collaborators: vec![bert.user],
        ..Default::default()
    };
    world.engine.assign(world.workspace, None, assign).unwrap();
    let before = world.page(bert.user, 0);
    assert_eq!(
        (before.items[0].access, before.items[0].owner),
        (Access::Collaborator, Some(anna.user))
    );
    give(&world, &contact, Some(carl.user));
    let after = world.page(bert.user, before.cursor);
    assert_eq!(after.items[0].owner, Some(carl.user));
    assert_eq!(after.items[0].epoch, before.items[0].epoch + 1);
    assert!(after.items[0].snapshot.is_empty() && after.items[0].changes.is_empty());
    let assign =
        Assign { contacts: contact, remove_collaborators: vec![bert.user], ..Default::default() };
    world.engine.assign(world.workspace, None, assign).unwrap();
    assert_eq!(world.page(bert.user, after.cursor).items[0].access, Access::Removed);
    world.assert_clean();
}

#[test]
fn a_page_has_the_changes_since_the_cursor_and_skips_the_devices_own() {
    let world = World::new();
    let anna = world.rep("anna");
    let contact = world.import(Some(anna.user), 1)[0];
    let mut replica = Replica::default();
    replica.catch_up(&world, anna.user);
    let own =
        anna.edit(contact, &mut replica.documents[&contact].clone(), &[set("job_title", "Buyer")]);
    world.append(&anna, std::slice::from_ref(&own));
    world.merged();
    let skipping = world
        .engine
        .page(world.workspace, anna.user, replica.cursor, PageLimits::default(), &|hash| {
            *hash == own.hash
        })
        .unwrap();
    assert_eq!((skipping.items.len(), skipping.cursor), (0, world.cursor()));
    world.office_edit(contact, vec![set("company", "New")]);
    let page = world.page(anna.user, replica.cursor);
    assert_eq!(page.items[0].changes.len(), 2);
    replica.apply(page);
    assert_eq!(world.page(anna.user, replica.cursor).items.len(), 0);
}

#[test]
fn pages_are_bounded_and_together_complete() {
    let world = World::new();
    let anna = world.rep("anna");
    let contacts = world.import(Some(anna.user), 25);
    let mut replica = Replica::default();
    let mut pages = 0;
    loop {
        let limits = PageLimits { items_max: 10, bytes_max: 1 << 20 };
        let page = world
            .engine
            .page(world.workspace, anna.user, replica.cursor, limits, &|_| false)
            .unwrap();
        assert!(page.items.len() <= 10);
        pages += 1;
        let more = page.more;
        replica.apply(page);
        if !more {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert!(replica.documents.keys().eq(&contacts));
    let limits = PageLimits { items_max: 10, bytes_max: 1 };
    let tiny = world.engine.page(world.workspace, anna.user, 0, limits, &|_| false).unwrap();
    assert_eq!((tiny.items.len(), tiny.more), (1, true));
    let fetched = world.engine.fetch(world.workspace, anna.user, &contacts, 1).unwrap();
    assert_eq!(fetched.len(), 1);
}

#[test]
fn devices_far_behind_and_close_converge_through_compaction() {
    let world = World::new();
    let anna = world.rep("anna");
    let contact = world.contact_id();
    let (_, made) = anna.create(contact, 300);
    let mut close = Replica::default();
    let mut far = Replica::default();
    world.append(&anna, &made[..10]);
    world.merged();
    far.catch_up(&world, anna.user);
    for part in made[10..].chunks(29) {
        world.append(&anna, part);
        world.merged();
        close.catch_up(&world, anna.user);
    }
    let page = world.page(anna.user, far.cursor);
    assert!(!page.items[0].snapshot.is_empty(), "its raw changes are gone");
    far.catch_up(&world, anna.user);
    let heads = |replica: &Replica| replica.documents[&contact].get_heads();
    assert_eq!(heads(&far), heads(&close));
}

#[test]
fn the_manifest_puts_the_next_visit_first_and_then_the_latest_touched() {
    let world = World::new();
    let anna = world.rep("anna");
    let contacts = world.import(Some(anna.user), 4);
    let visit = |contact, day: &str| world.office_edit(contact, vec![set("next_visit", day)]);
    visit(contacts[2], "2026-07-01");
    visit(contacts[1], "2026-06-10");
    visit(contacts[0], "2020-01-01");
    world.clock.0.fetch_add(1_000, std::sync::atomic::Ordering::SeqCst);
    world.office_edit(contacts[3], vec![set("company", "Touched")]);
    let order = world.engine.manifest(world.workspace, anna.user).unwrap().contacts;
    assert_eq!(order, [1, 2, 3, 0].map(|i: usize| contacts[i]));
}

#[test]
fn a_cursor_beyond_what_the_server_knows_leads_to_repair() {
    let mut world = World::new();
    let anna = world.rep("anna");
    let contact = world.import(Some(anna.user), 1)[0];
    // The files as they are now, copied away.
    world.engine.shutdown();
    let copy = std::fs::read(world.dir.path().join("roadbook.db")).unwrap();
    world.restart();
    let timeline = world.engine.timeline(world.workspace).unwrap();
    world.office_edit(contact, vec![set("company", "After the copy")]);
    let cursor = world.cursor();
    let status = |world: &World, cursor| {
        world.engine.timeline_status(world.workspace, timeline, cursor).unwrap()
    };
    assert_eq!(status(&world, cursor), TimelineStatus::Known);
    world.restart();
    assert_eq!(status(&world, cursor), TimelineStatus::Known, "a plain restart loses nothing");
    assert_eq!(status(&world, cursor + 1), TimelineStatus::Repair);
    // The files come back by hand, and the server advances past the device's cursor.
    world.engine.shutdown();
    std::fs::write(world.dir.path().join("roadbook.db"), copy).unwrap();
    for rest in ["roadbook.db-wal", "roadbook.db-shm"] {
        drop(std::fs::remove_file(world.dir.path().join(rest)));
    }
    world.restart();
    for i in 0..5 {
        world.office_edit(contact, vec![set("company", &format!("Another life {i}"))]);
    }
    assert!(world.cursor() > cursor);
    assert_eq!(status(&world, cursor), TimelineStatus::Repair);
}

#[test]
fn repair_finds_what_either_side_lacks() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let contacts = world.import(Some(anna.user), 4);
    let foreign = world.import(Some(bert.user), 1)[0];
    let mut replica = Replica::default();
    replica.catch_up(&world, anna.user);
    world.office_edit(contacts[1], vec![set("company", "Newer here")]);
    let doc = replica.documents.get_mut(&contacts[2]).unwrap();
    let lost = anna.edit(contacts[2], doc, &[set("company", "Lost by the server")]);
    let (_, new) = anna.create(world.contact_id(), 1);
    let mut held: Vec<ContactHeads> = replica
        .documents
        .iter()
        .filter(|(contact, _)| **contact != contacts[3])
        .map(|(contact, doc)| ContactHeads { contact: *contact, heads: doc.get_heads() })
        .collect();
    held.push(ContactHeads { contact: new[0].contact, heads: vec![new[0].hash] });
    held.push(ContactHeads { contact: foreign, heads: vec![] });
    let repair = world.engine.repair(world.workspace, anna.user, &held).unwrap();
    let unknown: Vec<_> = repair.unknown.iter().map(|u| (u.contact, u.heads.clone())).collect();
    assert_eq!(unknown, [(contacts[2], vec![lost.hash]), (new[0].contact, vec![new[0].hash])]);
    let mut fetch = repair.fetch.contacts;
    fetch.sort_unstable();
    let mut expected = vec![contacts[1], contacts[2], contacts[3], foreign];
    expected.sort_unstable();
    assert_eq!(fetch, expected);
}

/// A restored server says that a contact is not there, and the device, which had still to send what it
/// made of it, drops it once that is delivered: by then it is the user's again.
#[test]
fn what_a_device_drops_though_its_user_holds_it_is_sent_again() {
    let world = World::new();
    let anna = world.rep("anna");
    let held = world.import(Some(anna.user), 2);
    let gone = world.import(Some(anna.user), 1);
    give(&world, &gone, None);
    let cursor = world.cursor();
    let drop = |contacts: Vec<_>, cursor| {
        let dropped = Dropped { cursor, contacts };
        world.engine.confirm_dropped(world.workspace, anna.id, anna.user, dropped).unwrap();
    };
    // Nothing that was taken away comes, nor what is newer than what the device knew.
    drop(gone, cursor);
    drop(held.clone(), 0);
    assert_eq!(world.page(anna.user, cursor).items.len(), 0);
    drop(vec![held[0]], cursor);
    let items = world.page(anna.user, cursor).items;
    assert_eq!(items.len(), 1);
    assert_eq!((items[0].contact, items[0].access), (held[0], Access::Owner));
    assert!(!items[0].snapshot.is_empty(), "all of it");
    world.assert_clean();
}
