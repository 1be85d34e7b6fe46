//! What becomes of a change that arrives.

use std::sync::atomic::Ordering;

use roadbook_protocol::document::{EditOptions, bootstraps, new_document};
use roadbook_protocol::ids::Actor;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::Fate;
use roadbook_server::engine::{EngineError, Event};
use roadbook_server::store::changes;
use roadbook_server::store::people::Role;

use super::support::{Made, World, next_event, set};

#[test]
fn a_change_is_stored_once_however_often_it_is_sent() {
    let world = World::new();
    let rep = world.rep("anna");
    let (_, made) = rep.create(world.contact_id(), 3);
    let first = world.append(&rep, &made);
    assert!(first.outcomes.iter().all(|o| o.fate == Fate::Stored && !o.duplicate));
    let again = world.append(&rep, &made);
    assert!(again.outcomes.iter().all(|o| o.duplicate));
    world.merged();
    let merged = world.append(&rep, &made);
    assert!(merged.outcomes.iter().all(|o| o.duplicate && o.fate == Fate::Merged));
    assert_eq!(world.engine.metrics().changes_stored, 3);
    assert_eq!(world.company(made[0].contact), "Edit 2");
    world.assert_clean();
}

#[test]
fn the_same_change_twice_in_one_batch_is_one_change() {
    let world = World::new();
    let rep = world.rep("anna");
    let (_, made) = rep.create(world.contact_id(), 1);
    let twice = [made[0].clone(), made[0].clone()];
    let answer = world.append(&rep, &twice);
    assert!(!answer.outcomes[0].duplicate && answer.outcomes[1].duplicate);
    world.merged();
    world.assert_clean();
}

#[test]
fn a_bootstrap_change_is_taken_from_anyone_and_is_merged_already() {
    let world = World::new();
    let rep = world.rep("anna");
    let built_in = &bootstraps()[0];
    let made =
        Made { contact: world.contact_id(), hash: built_in.hash, bytes: built_in.bytes.to_vec() };
    let outcome = world.append(&rep, &[made]).outcomes.remove(0);
    assert_eq!((outcome.fate, outcome.duplicate), (Fate::Merged, true));
}

#[test]
fn two_changes_with_one_actor_and_number_are_a_fork_and_both_are_kept() {
    let world = World::new();
    let rep = world.rep("anna");
    let contact = world.contact_id();
    let (doc, made) = rep.create(contact, 1);
    world.append(&rep, &made);
    let (mut one, mut copy) = (doc.clone(), doc);
    let original = rep.edit(contact, &mut one, &[set("company", "Original")]);
    let forked = rep.edit(contact, &mut copy, &[set("company", "Copy")]);
    let on_top = rep.edit(contact, &mut copy, &[set("job_title", "Buyer")]);
    let answer = world.append(&rep, &[original, forked.clone(), on_top.clone()]);
    let fates: Vec<_> = answer.outcomes.iter().map(|o| (o.fate, o.code.as_str())).collect();
    assert_eq!(fates, [(Fate::Stored, ""), (Fate::Forked, "forked"), (Fate::Forked, "dependency")]);
    world.merged();
    assert_eq!(world.company(contact), "Original");
    let kept = world
        .engine
        .read(|conn| changes::set_aside(conn, world.workspace, None, None, 10))
        .unwrap();
    assert_eq!(kept.len(), 2);
    let bytes =
        world.engine.read(|conn| changes::bytes(conn, world.workspace, kept[1].seq)).unwrap();
    assert_eq!(bytes.unwrap(), forked.bytes);
    world.assert_clean();
}

#[test]
fn a_change_waits_for_its_dependency_and_is_not_acknowledged() {
    let world = World::new();
    let rep = world.rep("anna");
    let (_, made) = rep.create(world.contact_id(), 3);
    let mut events = world.engine.events();
    let early = world.append(&rep, &made[1..]);
    assert!(early.outcomes.iter().all(|o| o.fate == Fate::Waiting));
    assert_eq!(early.need.len(), 1);
    assert_eq!(early.need[0].hashes, [made[0].hash]);
    assert_eq!(world.fates(&rep, &made[1..]), [Fate::Unknown, Fate::Unknown]);
    let late = world.append(&rep, &made[..1]);
    assert_eq!(late.outcomes[0].fate, Fate::Stored);
    let stored = next_event(&mut events, |event| match event {
        Event::Fates { device, fates, .. } if device == rep.id => Some(fates),
        _ => None,
    });
    assert!(stored.iter().all(|fate| fate.fate == Fate::Stored));
    assert_eq!(stored.len(), 2);
    world.merged();
    assert_eq!(world.company(made[0].contact), "Edit 2");
    world.assert_clean();
}

#[test]
fn the_waiting_room_is_bounded_in_number_and_in_time() {
    let world = World::new();
    let rep = world.rep("anna");
    let max = Limits::DEFAULT.waiting_changes_max;
    let (_, made) = rep.create(world.contact_id(), max + 2);
    let answer = world.append(&rep, &made[1..]);
    let full = answer.outcomes.iter().filter(|o| o.code == "waiting_full").count();
    assert_eq!(full, 1);
    assert!(answer.outcomes.iter().all(|o| o.fate == Fate::Waiting));
    world.clock.0.fetch_add(Limits::DEFAULT.waiting_ms_max + 1, Ordering::SeqCst);
    // They have waited too long: what comes now finds an empty room.
    let late = world.append(&rep, &made[..1]);
    assert_eq!(late.outcomes[0].fate, Fate::Stored);
    world.merged();
    assert_eq!(world.fates(&rep, &made[1..2]), [Fate::Unknown]);
    assert_eq!(world.append(&rep, &made[1..]).outcomes.last().unwrap().fate, Fate::Stored);
    world.merged();
    assert_eq!(world.company(made[0].contact), format!("Edit {}", max + 1));
}

#[test]
fn a_change_to_anothers_contact_is_kept_and_never_merged() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let contact = world.contact_id();
    let (mut doc, made) = anna.create(contact, 1);
    world.append(&anna, &made);
    world.merged();
    let intruder = bert.edit(contact, &mut doc, &[set("company", "Mine")]);
    let outcome = world.append(&bert, std::slice::from_ref(&intruder)).outcomes.remove(0);
    assert_eq!((outcome.fate, outcome.code.as_str()), (Fate::Quarantined, "not_yours"));
    world.merged();
    assert_eq!(world.company(contact), "Edit 0");
    assert_eq!(world.fates(&bert, &[intruder]), [Fate::Quarantined]);
    world.assert_clean();
}

#[test]
fn a_change_in_anothers_name_or_under_anothers_actor_is_quarantined() {
    let world = World::new();
    let (anna, mut bert) = (world.rep("anna"), world.rep("bert"));
    let contact = world.contact_id();
    let (_, made) = anna.create(contact, 1);
    world.append(&anna, &made);
    let other = world.contact_id();
    let mut doc = new_document();
    let forged =
        bert.edit_with(other, &mut doc, &[set("company", "X")], EditOptions::default(), anna.user);
    let outcome = world.append(&bert, &[forged]).outcomes.remove(0);
    assert_eq!((outcome.fate, outcome.code.as_str()), (Fate::Quarantined, "author"));
    bert.actor = anna.actor;
    let (_, stolen) = bert.create(world.contact_id(), 1);
    let outcome = world.append(&bert, &stolen).outcomes.remove(0);
    assert_eq!((outcome.fate, outcome.code.as_str()), (Fate::Quarantined, "actor_taken"));
    assert_eq!(
        world.engine.register_actors(world.workspace, bert.id, &[anna.actor]).unwrap(),
        [anna.actor]
    );
    world.assert_clean();
}

#[test]
fn nothing_is_taken_from_a_revoked_device() {
    let world = World::new();
    let rep = world.rep("anna");
    let (_, made) = rep.create(world.contact_id(), 2);
    world.append(&rep, &made[..1]);
    let mut events = world.engine.events();
    world.engine.revoke(world.workspace, None, rep.id).unwrap();
    let refused = world.engine.append_blocking(rep.request(&made[1..]));
    assert!(matches!(refused, Err(EngineError::Refused { code: "revoked", .. })), "{refused:?}");
    next_event(&mut events, |event| {
        matches!(event, Event::Revoked { device, .. } if device == rep.id).then_some(())
    });
    assert_eq!(world.fates(&rep, &made[1..]), [Fate::Unknown]);
}

#[test]
fn the_replacement_of_a_merged_change_is_never_merged() {
    let world = World::new();
    let mut rep = world.rep("anna");
    let contact = world.contact_id();
    let (doc, made) = rep.create(contact, 1);
    world.append(&rep, &made);
    let mut first = doc.clone();
    let original = rep.edit(contact, &mut first, &[set("company", "Original")]);
    world.append(&rep, std::slice::from_ref(&original));
    world.merged();
    rep.actor = Actor::from_random([7; 16]);
    let mut second = doc;
    let options = EditOptions { replaces: vec![original.hash], ..EditOptions::default() };
    let again = rep.edit_with(contact, &mut second, &[set("company", "Again")], options, rep.user);
    let outcome = world.append(&rep, std::slice::from_ref(&again)).outcomes.remove(0);
    assert_eq!((outcome.fate, outcome.code.as_str()), (Fate::Replaced, "original_merged"));
    world.merged();
    assert_eq!(world.company(contact), "Original");
    assert_eq!(world.fates(&rep, &[original, again]), [Fate::Merged, Fate::Replaced]);
    world.assert_clean();
}

#[test]
fn a_replaced_change_is_never_merged_even_if_it_arrives_later() {
    let world = World::new();
    let mut rep = world.rep("anna");
    let contact = world.contact_id();
    let (doc, made) = rep.create(contact, 1);
    world.append(&rep, &made);
    let mut first = doc.clone();
    let original = rep.edit(contact, &mut first, &[set("company", "Original")]);
    let on_top = rep.edit(contact, &mut first, &[set("job_title", "Buyer")]);
    let old = rep.clone();
    rep.actor = Actor::from_random([7; 16]);
    let mut second = doc;
    let options = EditOptions { replaces: vec![original.hash], ..EditOptions::default() };
    let again = rep.edit_with(contact, &mut second, &[set("company", "Again")], options, rep.user);
    assert_eq!(world.append(&rep, std::slice::from_ref(&again)).outcomes[0].fate, Fate::Stored);
    let answer = world.append(&old, &[original.clone(), on_top.clone()]);
    let fates: Vec<_> = answer.outcomes.iter().map(|o| (o.fate, o.code.as_str())).collect();
    assert_eq!(fates, [(Fate::Replaced, "replaced"), (Fate::Replaced, "dependency")]);
    world.merged();
    assert_eq!(world.company(contact), "Again");
    world.assert_clean();
}

#[test]
fn of_two_replacements_of_one_change_that_know_nothing_of_each_other_one_is_merged() {
    let world = World::new();
    let mut rep = world.rep("anna");
    let contact = world.contact_id();
    let (doc, made) = rep.create(contact, 1);
    world.append(&rep, &made);
    // Two edits of a state that is put back twice. Neither change ever gets into the log.
    let mut put_back = doc.clone();
    let first = rep.edit(contact, &mut put_back, &[set("company", "First")]);
    let second = rep.edit(contact, &mut put_back, &[set("job_title", "Second")]);
    let mut again = |number: u8, doc: &mut automerge::Automerge| {
        rep.actor = Actor::from_random([number; 16]);
        [(&first, set("company", "Again")), (&second, set("job_title", "Again"))].map(
            |(original, command)| {
                let options =
                    EditOptions { replaces: vec![original.hash], ..EditOptions::default() };
                rep.edit_with(contact, doc, &[command], options, rep.user)
            },
        )
    };
    let once = again(7, &mut doc.clone());
    let mut behind = doc.clone();
    let twice = again(8, &mut behind);
    let fates = |changes: &[Made]| {
        let outcomes = world.append(&rep, changes).outcomes;
        outcomes.into_iter().map(|one| (one.fate, one.code)).collect::<Vec<_>>()
    };
    assert!(fates(&once).iter().all(|(fate, _)| *fate == Fate::Stored));
    world.merged();
    // Each hears that its own edit is there, not that it stands on a change that is not taken.
    let already = (Fate::Replaced, "original_merged".to_owned());
    assert_eq!(fates(&twice), [already.clone(), already]);
    // What only stands on them is no edit that is there.
    let new = rep.edit(contact, &mut behind, &[set("company", "New")]);
    assert_eq!(fates(&[new]), [(Fate::Replaced, "dependency".to_owned())]);
    world.merged();
    assert_eq!(world.company(contact), "Again");
    world.assert_clean();
}

#[test]
fn another_users_change_cannot_be_replaced() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let contact = world.contact_id();
    let (doc, made) = anna.create(contact, 1);
    world.append(&anna, &made);
    world.merged();
    let assign = roadbook_server::engine::Assign {
        contacts: vec![contact],
        add_collaborators: vec![bert.user],
        ..Default::default()
    };
    world.engine.assign(world.workspace, None, assign).unwrap();
    let options = EditOptions { replaces: vec![made[0].hash], ..EditOptions::default() };
    let mut doc = doc;
    let attack = bert.edit_with(contact, &mut doc, &[set("company", "X")], options, bert.user);
    let outcome = world.append(&bert, &[attack]).outcomes.remove(0);
    assert_eq!((outcome.fate, outcome.code.as_str()), (Fate::Quarantined, "replaces_foreign"));
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let mut world = World::new();
    let rep = world.rep("anna");
    let (_, made) = rep.create(world.contact_id(), 5);
    world.append(&rep, &made);
    world.restart();
    world.merged();
    assert!(world.fates(&rep, &made).iter().all(|fate| *fate == Fate::Merged));
    assert_eq!(world.company(made[0].contact), "Edit 4");
    world.assert_clean();
}

#[test]
fn a_data_directory_is_owned_by_one_process_and_the_other_hears_by_whom() {
    let world = World::new();
    let second = roadbook_server::engine::Engine::open(world.dir.path(), Default::default());
    match second {
        Err(EngineError::Locked { holder, .. }) => {
            assert_eq!(holder, format!("process {}", std::process::id()));
        }
        other => panic!("{other:?}"),
    }
    world.engine.shutdown();
    roadbook_server::engine::Engine::open(world.dir.path(), Default::default()).unwrap().shutdown();
}

#[test]
fn a_disabled_user_can_not_write() {
    let world = World::new();
    let user = world.user("carl", Role::Rep);
    let rep = world.device(user);
    let (workspace, now) = (world.workspace, world.engine.now_ms());
    world
        .engine
        .write(move |tx| {
            roadbook_server::store::people::set_disabled(tx, workspace, user, Some(now))
        })
        .unwrap();
    let (_, made) = rep.create(world.contact_id(), 1);
    let refused = world.engine.append_blocking(rep.request(&made));
    assert!(matches!(refused, Err(EngineError::Refused { code: "user_disabled", .. })));
}
