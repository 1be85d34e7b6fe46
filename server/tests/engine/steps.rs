//! The log and the merge, step by step and without threads, as a simulator drives them.

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{Command, EditOptions};
use roadbook_protocol::ids::Actor;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::Fate;
use roadbook_server::engine::commit::{self, Commit};
use roadbook_server::engine::log::Log;
use roadbook_server::engine::merge::{Authoring, Merger, Prepared, ServerAuthor};
use roadbook_server::engine::{Authored, EngineError, RewriteOrder};
use roadbook_server::store::{self, Durability, changes};
use rusqlite::{Connection, Transaction};

use super::support::{Made, TestDevice, World, set};

/// The database of a world whose engine is closed, and a device of a rep.
fn steps() -> (World, TestDevice, Connection, Log, Merger) {
    let world = World::new();
    let rep = world.rep("anna");
    // First: it may have one writer.
    world.engine.shutdown();
    let conn =
        store::open_writer(&world.dir.path().join(store::DATABASE_FILE), |_| Ok(())).unwrap();
    (world, rep, conn, Log::new(Limits::DEFAULT), Merger::new(Limits::DEFAULT, 1 << 20))
}

fn write(conn: &mut Connection, prepared: Prepared) -> Commit {
    let tx = conn.transaction().unwrap();
    let commit = commit::write(&tx, prepared).unwrap();
    tx.commit().unwrap();
    commit
}

#[test]
fn log_and_merge_work_step_by_step() {
    let (world, rep, mut conn, mut log, mut merger) = steps();
    let (_, made) = rep.create(world.contact_id(), 3);
    let step =
        log.step(&mut conn, 1, vec![rep.request(&made[..2]), rep.request(&made[2..])]).unwrap();
    assert_eq!(step.answers.len(), 2);
    assert_eq!((step.committed.stored, step.committed.to_merge.len()), (3, 1));
    let key = step.committed.to_merge[0];
    let prepared = merger.prepare(&conn, key, 2).unwrap().unwrap();
    let Commit::Written(written) = write(&mut conn, prepared) else { panic!("stale") };
    assert_eq!((written.merged, written.fates.len(), written.users.len()), (3, 3, 1));
    assert!(merger.prepare(&conn, key, 3).unwrap().is_none());
}

#[test]
fn a_change_that_is_replaced_while_its_merge_is_prepared_is_not_merged() {
    let (world, mut rep, mut conn, mut log, mut merger) = steps();
    let contact = world.contact_id();
    let (doc, made) = rep.create(contact, 1);
    let original = rep.edit(contact, &mut doc.clone(), &[set("company", "Original")]);
    log.step(&mut conn, 1, vec![rep.request(&made), rep.request(std::slice::from_ref(&original))])
        .unwrap();
    let key = (world.workspace, contact);
    let prepared = merger.prepare(&conn, key, 2).unwrap().unwrap();
    rep.actor = Actor::from_random([7; 16]);
    let options = EditOptions { replaces: vec![original.hash], ..EditOptions::default() };
    let again =
        rep.edit_with(contact, &mut doc.clone(), &[set("company", "Again")], options, rep.user);
    let step = log.step(&mut conn, 3, vec![rep.request(std::slice::from_ref(&again))]).unwrap();
    assert_eq!(step.committed.settled[0].2[0].fate, Fate::Replaced);
    assert!(matches!(write(&mut conn, prepared), Commit::Stale(stale) if stale == key));
    let prepared = merger.prepare(&conn, key, 4).unwrap().unwrap();
    assert!(matches!(write(&mut conn, prepared), Commit::Written(written) if written.merged == 2));
    let fate = |hash| changes::find(&conn, world.workspace, contact, &hash).unwrap().unwrap().0;
    assert_eq!((fate(original.hash), fate(again.hash)), (Fate::Replaced, Fate::Merged));
}

#[test]
fn what_depends_on_a_change_that_was_replaced_in_the_log_shares_its_fate() {
    let (world, mut rep, mut conn, mut log, mut merger) = steps();
    let contact = world.contact_id();
    let (doc, made) = rep.create(contact, 1);
    let mut first = doc.clone();
    let original = rep.edit(contact, &mut first, &[set("company", "Original")]);
    let on_top = rep.edit(contact, &mut first, &[set("job_title", "Buyer")]);
    let changes = [made[0].clone(), original.clone(), on_top.clone()];
    log.step(&mut conn, 1, vec![rep.request(&changes)]).unwrap();
    rep.actor = Actor::from_random([7; 16]);
    let options = EditOptions { replaces: vec![original.hash], ..EditOptions::default() };
    let again =
        rep.edit_with(contact, &mut doc.clone(), &[set("company", "Again")], options, rep.user);
    log.step(&mut conn, 2, vec![rep.request(std::slice::from_ref(&again))]).unwrap();
    let prepared = merger.prepare(&conn, (world.workspace, contact), 3).unwrap().unwrap();
    let Commit::Written(written) = write(&mut conn, prepared) else { panic!("stale") };
    let fates: Vec<_> = written.fates.iter().map(|(_, fate)| (fate.hash, fate.fate)).collect();
    assert!(fates.contains(&(on_top.hash, Fate::Replaced)), "{fates:?}");
    assert!(fates.contains(&(again.hash, Fate::Merged)), "{fates:?}");
}

#[test]
fn a_second_replacement_is_taken_once_the_first_was_refused_and_not_before() {
    let (world, mut rep, mut conn, mut log, mut merger) = steps();
    let contact = world.contact_id();
    let key = (world.workspace, contact);
    let (doc, made) = rep.create(contact, 1);
    let original = rep.edit(contact, &mut doc.clone(), &[set("company", "Original")]);
    let replacing =
        |hashes: &[ChangeHash]| EditOptions { replaces: hashes.to_vec(), ..EditOptions::default() };
    rep.actor = Actor::from_random([7; 16]);
    let mut ahead = doc.clone();
    let below = rep.edit(contact, &mut ahead, &[set("job_title", "Buyer")]);
    let command = [set("company", "Again")];
    let first = rep.edit_with(contact, &mut ahead, &command, replacing(&[original.hash]), rep.user);
    let sender = rep.clone();
    let mut send = |conn: &mut Connection, change: &Made| {
        let request = sender.request(std::slice::from_ref(change));
        let step = log.step(conn, 1, vec![request]).unwrap();
        let outcome = step.answers.into_iter().next().unwrap().unwrap().outcomes.remove(0);
        (outcome.fate, outcome.code)
    };
    for change in [&made[0], &below, &first] {
        assert_eq!(send(&mut conn, change).0, Fate::Stored);
    }
    let mut anew = |number: u8, command: &[Command; 1], hashes: &[ChangeHash]| {
        rep.actor = Actor::from_random([number; 16]);
        rep.edit_with(contact, &mut doc.clone(), command, replacing(hashes), rep.user)
    };
    // The first is stored and may still be refused: this one is not, but asks again.
    let second = anew(8, &command, &[original.hash]);
    assert_eq!(send(&mut conn, &second), (Fate::Replaced, "replaced".to_owned()));
    // What the first stands on is replaced, and the first with it.
    let below_again = anew(9, &[set("job_title", "Buyer")], &[below.hash]);
    assert_eq!(send(&mut conn, &below_again).0, Fate::Stored);
    let mut merge = |conn: &mut Connection| {
        let prepared = merger.prepare(conn, key, 2).unwrap().unwrap();
        assert!(matches!(write(conn, prepared), Commit::Written(_)));
    };
    merge(&mut conn);
    let third = anew(10, &command, &[second.hash, original.hash]);
    assert_eq!(send(&mut conn, &third), (Fate::Stored, String::new()));
    merge(&mut conn);
    let fate = |hash| changes::find(&conn, world.workspace, contact, &hash).unwrap().unwrap().0;
    assert_eq!(
        [first.hash, second.hash, third.hash].map(fate),
        [Fate::Replaced, Fate::Replaced, Fate::Merged]
    );
}

#[test]
fn a_transaction_that_is_rolled_back_leaves_no_trace_in_the_waiting_room() {
    let (world, rep, mut conn, log, _) = steps();
    let (_, made) = rep.create(world.contact_id(), 2);
    let tx = conn.transaction().unwrap();
    let mut stage = log.begin(1);
    let answer = log.append(&tx, &mut stage, rep.request(&made[1..])).unwrap().unwrap();
    assert_eq!(answer.outcomes[0].fate, Fate::Waiting);
    drop(stage);
    tx.rollback().unwrap();
    assert_eq!(log.waiting(), 0);
}

#[test]
fn what_is_acknowledged_is_written_with_full_synchronisation_and_what_is_derived_is_not() {
    let world = World::new();
    let synchronous = |tx: &Transaction<'_>| {
        tx.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))
    };
    let durable = world.engine.write(move |tx| Ok::<_, EngineError>(synchronous(tx)?)).unwrap();
    assert_eq!(durable, 2, "FULL");
    let (sent, received) = std::sync::mpsc::channel();
    world.engine.write_soon(move |tx| {
        sent.send(synchronous(tx)?).unwrap();
        Ok(())
    });
    assert_eq!(received.recv().unwrap(), 1, "NORMAL");
    assert_eq!(Durability::Full.pragma(), "PRAGMA synchronous=FULL");
}

#[test]
fn a_purge_takes_no_change_that_arrived_behind_its_look_at_what_is_there() {
    let (world, rep, mut conn, mut log, mut merger) = steps();
    let contact = world.contact_id();
    let key = (world.workspace, contact);
    let (mut doc, made) = rep.create(contact, 1);
    log.step(&mut conn, 1, vec![rep.request(&made)]).unwrap();
    let prepared = merger.prepare(&conn, key, 2).unwrap().unwrap();
    assert!(matches!(write(&mut conn, prepared), Commit::Written(_)));
    let order = RewriteOrder { reason: "test".to_owned(), purge: true, quarantined_too: false };
    let item = Authored { rewrite: Some((order, None)), ..Authored::edit(contact, Vec::new()) };
    let author = ServerAuthor { actor: Actor::from_random([9; 16]), by: world.office, now: 3 };
    let authored = merger.author(&conn, world.workspace, author, &item).unwrap();
    let Authoring::Prepared { prepared, .. } = authored else { panic!("{authored:?}") };
    // Meanwhile a change comes that is set aside at once: somebody else's name stands in it.
    let forged = rep.edit_with(
        contact,
        &mut doc,
        &[set("company", "X")],
        EditOptions::default(),
        world.office,
    );
    let step = log.step(&mut conn, 4, vec![rep.request(std::slice::from_ref(&forged))]).unwrap();
    let answer = step.answers[0].as_ref().unwrap();
    assert_eq!(answer.outcomes[0].fate, Fate::Quarantined);
    assert!(matches!(write(&mut conn, *prepared), Commit::Stale(stale) if stale == key));
    let again = merger.author(&conn, world.workspace, author, &item).unwrap();
    let Authoring::Refused(EngineError::Refused { code, reason }) = again else {
        panic!("{again:?}")
    };
    assert_eq!(code, "quarantined");
    assert!(reason.contains("1 changes") && reason.contains("export them"), "{reason}");
    let kept = changes::set_aside(&conn, world.workspace, Some(contact), None, 10).unwrap();
    assert_eq!(kept.len(), 1, "its bytes are there");
}
