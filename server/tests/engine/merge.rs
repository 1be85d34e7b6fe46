//! How stored changes become part of contacts, and how the office's edits do.

use roadbook_protocol::document::{self, Command, Value, new_document};
use roadbook_protocol::ids::EntryId;
use roadbook_protocol::wire::Fate;
use roadbook_server::engine::{AuthorOutcome, Authored, EngineError, Event};
use roadbook_server::store::{contacts, projections};

use super::support::{Made, World, next_event, set};

/// The same change with a start_op that its dependencies don't give: gate 1 can't know, gate 2 does.
fn poison(made: &Made) -> Made {
    let change = automerge::Change::from_bytes(made.bytes.clone()).unwrap();
    let mut expanded = automerge::ExpandedChange::from(&change);
    expanded.start_op = std::num::NonZeroU64::new(expanded.start_op.get() + 1_000).unwrap();
    let change = automerge::Change::from(expanded);
    Made { contact: made.contact, hash: change.hash(), bytes: change.raw_bytes().to_vec() }
}

#[test]
fn one_bad_change_in_a_thousand_costs_only_itself() {
    let world = World::new();
    let rep = world.rep("anna");
    let contacts: Vec<_> = (0..10).map(|_| world.contact_id()).collect();
    let mut all = Vec::new();
    for contact in &contacts {
        let (_, made) = rep.create(*contact, 100);
        all.extend(made);
    }
    // The last change of a contact, so that nothing depends on it.
    all[499] = poison(&all[499]);
    for part in all.chunks(250) {
        let answer = world.append(&rep, part);
        assert!(answer.outcomes.iter().all(|o| o.fate == Fate::Stored));
    }
    world.merged();
    let fates = world.fates(&rep, &all);
    assert_eq!(fates.iter().filter(|fate| **fate == Fate::Merged).count(), 999);
    assert_eq!(fates[499], Fate::Quarantined);
    assert_eq!(world.company(contacts[4]), "Edit 98");
    let kept = world
        .engine
        .read(|conn| {
            roadbook_server::store::changes::set_aside(conn, world.workspace, None, None, 10)
        })
        .unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].code, "start_op");
    assert!(!kept[0].reason.is_empty());
    world.assert_clean();
}

#[test]
fn what_depends_on_a_quarantined_change_shares_its_fate_before_and_after() {
    let world = World::new();
    let rep = world.rep("anna");
    let contact = world.contact_id();
    let (doc, made) = rep.create(contact, 1);
    world.append(&rep, &made);
    let mut doc = doc;
    let good = rep.edit(contact, &mut doc, &[set("company", "Bad")]);
    let bad = poison(&good);
    let mut with_bad = new_document();
    with_bad
        .apply_changes(
            [&made[0], &bad].map(|m| automerge::Change::from_bytes(m.bytes.clone()).unwrap()),
        )
        .unwrap();
    let same_batch = rep.edit(contact, &mut with_bad, &[set("job_title", "Buyer")]);
    world.append(&rep, &[bad.clone(), same_batch.clone()]);
    world.merged();
    let later = rep.edit(contact, &mut with_bad, &[set("industry", "Food")]);
    let outcome = world.append(&rep, std::slice::from_ref(&later)).outcomes.remove(0);
    assert_eq!((outcome.fate, outcome.code.as_str()), (Fate::Quarantined, "dependency"));
    assert_eq!(world.fates(&rep, &[bad, same_batch, later]), [Fate::Quarantined; 3]);
    assert_eq!(world.company(contact), "Edit 0");
    world.assert_clean();
}

#[test]
fn a_contact_whose_rows_can_not_be_written_costs_only_itself_until_they_can() {
    let world = World::new();
    let rep = world.rep("anna");
    let (bad, good) = (world.import(Some(rep.user), 1)[0], world.import(Some(rep.user), 1)[0]);
    let n = world
        .engine
        .read(|conn| contacts::find(conn, world.workspace, bad))
        .unwrap()
        .map(|found| found.n)
        .unwrap();
    let run = |sql: String| {
        let done: Result<(), EngineError> =
            world.engine.write(move |tx| tx.execute_batch(&sql).map_err(EngineError::from));
        done.unwrap();
    };
    run(format!(
        "CREATE TRIGGER broken BEFORE UPDATE ON projection WHEN NEW.n = {n}
         BEGIN SELECT RAISE(ABORT, 'a row that does not let itself be written'); END"
    ));
    // Of one round: an edit of each.
    let items = [bad, good].map(|id| Authored::edit(id, vec![set("company", "New")])).to_vec();
    let outcomes = world.engine.author(world.workspace, world.office, items).unwrap();
    let refused = format!("{:?}", outcomes[0]);
    assert!(refused.contains("a row that does not let"), "{refused}");
    assert!(matches!(outcomes[1], AuthorOutcome::Merged { .. }), "{:?}", outcomes[1]);
    // What a device sends is stored, and merged when it can be.
    let mut replica = super::support::Replica::default();
    replica.catch_up(&world, rep.user);
    let made = [bad, good].map(|id| {
        rep.edit(id, replica.documents.get_mut(&id).unwrap(), &[set("job_title", "Buyer")])
    });
    assert!(world.append(&rep, &made).outcomes.iter().all(|one| one.fate == Fate::Stored));
    while world.fates(&rep, &made)[1] != Fate::Merged {
        std::thread::yield_now();
    }
    assert_eq!(world.fates(&rep, &made), [Fate::Stored, Fate::Merged]);
    run("DROP TRIGGER broken".to_owned());
    world.merged();
    assert_eq!(world.fates(&rep, &made), [Fate::Merged; 2]);
    world.assert_clean();
}

#[test]
fn the_device_hears_of_each_merge_with_a_cursor() {
    let world = World::new();
    let rep = world.rep("anna");
    let (_, made) = rep.create(world.contact_id(), 2);
    let mut events = world.engine.events();
    world.append(&rep, &made);
    let (cursor, fates) = next_event(&mut events, |event| match event {
        Event::Fates { device, cursor, fates, .. } if device == rep.id => Some((cursor, fates)),
        _ => None,
    });
    assert_eq!(cursor, world.cursor());
    assert!(fates.iter().all(|fate| fate.fate == Fate::Merged) && fates.len() == 2);
    let contacts = next_event(&mut events, |event| match event {
        Event::Merged { contacts, .. } => Some(contacts),
        _ => None,
    });
    assert_eq!(contacts[0].users, [rep.user]);
}

#[test]
fn an_edit_of_the_office_is_merged_and_durable_on_return() {
    let mut world = World::new();
    let rep = world.rep("anna");
    let contact = world.import(Some(rep.user), 1)[0];
    let AuthorOutcome::Merged { cursor, .. } =
        world.office_edit(contact, vec![set("company", "New")])
    else {
        panic!("not merged")
    };
    assert_eq!(cursor, world.cursor());
    assert!(matches!(
        world.office_edit(contact, vec![set("company", "New")]),
        AuthorOutcome::Unchanged
    ));
    let row = world
        .engine
        .read(|conn| projections::row(conn, world.workspace, contact))
        .unwrap()
        .unwrap();
    assert_eq!(row.fields["company"], Value::from("New"));
    world.restart();
    assert_eq!(world.company(contact), "New");
    world.assert_clean();
}

#[test]
fn an_edit_of_the_office_comes_after_what_is_pending_and_a_new_start_takes_a_new_actor() {
    let mut world = World::new();
    let rep = world.rep("anna");
    let contact = world.contact_id();
    let (_, made) = rep.create(contact, 20);
    world.append(&rep, &made);
    world.office_edit(contact, vec![set("company", "Office 1")]);
    assert_eq!(world.company(contact), "Office 1");
    world.restart();
    world.office_edit(contact, vec![set("company", "Office 2")]);
    let doc = world.engine.document(world.workspace, contact).unwrap();
    let actors: std::collections::HashSet<_> =
        doc.get_changes(&[]).iter().map(|change| change.actor_id().clone()).collect();
    // The bootstrap's, the device's, and one of each start.
    assert_eq!(actors.len(), 4);
    assert_eq!(document::read(contact, &doc).text("company"), "Office 2");
    world.assert_clean();
}

#[test]
fn refused_edits_of_the_office_do_not_keep_the_others_back() {
    let world = World::new();
    let contact = world.import(None, 1)[0];
    let unknown = world.contact_id();
    let items = vec![
        Authored::edit(unknown, vec![set("company", "A")]),
        Authored::edit(contact, vec![set("no_such_field", "B")]),
        Authored::create(contact, None, vec![set("company", "C")]),
        Authored::edit(contact, vec![set("company", "D")]),
        Authored::edit(contact, vec![set("job_title", "E")]),
    ];
    let outcomes = world.engine.author(world.workspace, world.office, items).unwrap();
    assert!(matches!(outcomes[0], AuthorOutcome::Refused(EngineError::NotFound { .. })));
    assert!(matches!(outcomes[1], AuthorOutcome::Refused(EngineError::Command(_))));
    assert!(matches!(outcomes[2], AuthorOutcome::Refused(EngineError::Taken { .. })));
    assert!(matches!(outcomes[3], AuthorOutcome::Merged { .. }));
    assert!(matches!(outcomes[4], AuthorOutcome::Merged { .. }));
    assert_eq!(world.company(contact), "D");
    world.assert_clean();
}

#[test]
fn concurrent_edits_are_all_merged_and_the_conflict_is_in_the_row() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let contact = world.import(Some(anna.user), 1)[0];
    let assign = roadbook_server::engine::Assign {
        contacts: vec![contact],
        add_collaborators: vec![bert.user],
        ..Default::default()
    };
    world.engine.assign(world.workspace, None, assign).unwrap();
    let base = world.engine.document(world.workspace, contact).unwrap();
    let one = anna.edit(contact, &mut base.clone(), &[set("company", "Anna's")]);
    let two = bert.edit(contact, &mut base.clone(), &[set("company", "Bert's")]);
    world.office_edit(contact, vec![set("company", "Office's")]);
    world.append(&anna, &[one]);
    world.append(&bert, &[two]);
    world.merged();
    let row = world
        .engine
        .read(|conn| projections::row(conn, world.workspace, contact))
        .unwrap()
        .unwrap();
    assert_eq!(row.conflicts, 1);
    let doc = world.engine.document(world.workspace, contact).unwrap();
    assert_eq!(document::conflicts(contact, &doc)[0].values.len(), 3);
    world.assert_clean();
}

#[test]
fn compaction_keeps_the_newest_raw_changes_and_the_whole_history() {
    let world = World::new();
    let rep = world.rep("anna");
    let contact = world.contact_id();
    let (doc, made) = rep.create(contact, 400);
    for part in made.chunks(40) {
        world.append(&rep, part);
        world.merged();
    }
    let found =
        world.engine.read(|conn| contacts::find(conn, world.workspace, contact)).unwrap().unwrap();
    assert!(found.compacted_cursor > 0, "nothing was compacted");
    assert!(found.compacted_cursor < found.cursor);
    let raw: u64 = world
        .engine
        .read(|conn| {
            Ok::<u64, EngineError>(
                conn.query_row("SELECT count(*) FROM log", [], |row| row.get(0))?,
            )
        })
        .unwrap();
    assert!((40..400).contains(&raw), "{raw} raw changes are left");
    let server = world.engine.document(world.workspace, contact).unwrap();
    assert_eq!(server.get_changes(&[]).len(), 401);
    assert_eq!(document::content_hash(&server, None), document::content_hash(&doc, None));
    // The index outlives the raw bytes: an old change is still known.
    let again = world.append(&rep, &made[..10]);
    assert!(again.outcomes.iter().all(|o| o.duplicate && o.fate == Fate::Merged));
    world.assert_clean();
}

#[test]
fn the_search_index_follows_the_documents() {
    let world = World::new();
    let contact = world.import(None, 1)[0];
    world.office_edit(contact, vec![set("company", "Østergård"), set("family_name", "Müller")]);
    let hits = |text: &str| -> u64 {
        let query = roadbook_protocol::fold::fts_query(text).unwrap();
        world
            .engine
            .read(|conn| {
                Ok::<u64, EngineError>(conn.query_row(
                    "SELECT count(*) FROM search s JOIN projection p ON p.n = s.rowid WHERE search MATCH ?",
                    [query],
                    |row| row.get(0),
                )?)
            })
            .unwrap()
    };
    assert_eq!((hits("ostergard"), hits("muller"), hits("Company")), (1, 1, 0));
    world.office_edit(contact, vec![set("company", "Berg")]);
    assert_eq!((hits("ostergard"), hits("berg")), (0, 1));
    world.assert_clean();
}

#[test]
fn an_imported_contact_is_found_by_its_id_in_another_system() {
    let world = World::new();
    let contact = world.contact_id();
    let external = Command::ExternalId { system: "crm".to_owned(), id: Some("ALFKI".to_owned()) };
    let items = vec![Authored::create(contact, None, vec![set("company", "Alfreds"), external])];
    world.engine.author(world.workspace, world.office, items).unwrap();
    let find = |value: &str| {
        let value = value.to_owned();
        world
            .engine
            .read(|conn| projections::find_by_external_id(conn, world.workspace, "crm", &value))
            .unwrap()
    };
    assert_eq!(find("ALFKI"), [contact]);
    assert_eq!(find("ANATR"), []);
}

#[test]
fn many_edits_of_one_contact_at_once_are_all_there() {
    let world = World::new();
    let contact = world.import(None, 1)[0];
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let world = &world;
            scope.spawn(move || {
                for i in 0..10_u8 {
                    let id = EntryId::from_time(1, [thread, i, 0, 0, 0, 0, 0, 0, 0, 0]);
                    let fields =
                        [("number".to_owned(), Some(Value::from(format!("+49 30 {thread}{i}"))))];
                    let put = Command::Put {
                        collection: document::Collection::Phones,
                        id,
                        fields: fields.into_iter().collect(),
                    };
                    let outcome = world.office_edit(contact, vec![put]);
                    assert!(matches!(outcome, AuthorOutcome::Merged { .. }), "{outcome:?}");
                }
            });
        }
    });
    let doc = world.engine.document(world.workspace, contact).unwrap();
    assert_eq!(document::read(contact, &doc).phones.len(), 40);
    world.assert_clean();
}

#[test]
fn who_listens_once_an_edit_was_answered_hears_of_later_ones_only() {
    let world = World::new();
    let rep = world.rep("anna");
    let contact = world.contact_id();
    let (_, made) = rep.create(contact, 1);
    world.append(&rep, &made);
    world.merged();
    let (mut listening, mut last) = (None, 0);
    for n in 0..300 {
        let outcome = world.office_edit(contact, vec![set("company", &format!("Office {n}"))]);
        let AuthorOutcome::Merged { cursor, .. } = outcome else { panic!("{outcome:?}") };
        if let Some(mut events) = listening.replace(world.engine.events()) {
            let first = next_event(&mut events, |event| match event {
                Event::Merged { cursor, .. } => Some(cursor),
                _ => None,
            });
            assert!(first > last, "heard of {first} after the answer of {last}");
        }
        last = cursor;
    }
}
