//! Who may still write to a contact that was handed over (rule 18), and what becomes of late edits
//! (rules 8, 9 and 19).

use roadbook_protocol::document::{
    Collection, Command, EditOptions, ProposedKind, Value, note_splices,
};
use roadbook_protocol::ids::{Actor, ContactId, EntryId, UserId};
use roadbook_protocol::wire::{Dropped, Fate};
use roadbook_server::engine::{Assign, EngineError, Verdict};
use roadbook_server::store::devices::ActorOwner;
use roadbook_server::store::proposals::{ItemState, Proposal, SetState, Wanted};
use roadbook_server::store::{devices, drops};

use super::support::{Made, Replica, TestDevice, World, set};

fn give(world: &World, contact: ContactId, owner: UserId) {
    let assign = Assign { contacts: vec![contact], owner: Some(Some(owner)), ..Assign::default() };
    world.engine.assign(world.workspace, Some(world.office), assign).unwrap();
}

fn confirm(world: &World, device: &TestDevice, contact: ContactId, cursor: u64) {
    let (workspace, id) = (world.workspace, device.id);
    let dropped = Dropped { cursor, contacts: vec![contact] };
    world.engine.write(move |tx| drops::confirm(tx, workspace, id, &dropped).map(drop)).unwrap();
}

fn visit(summary: &str) -> Command {
    let fields = [
        ("kind".to_owned(), Some(Value::from("visit"))),
        ("at".to_owned(), Some(Value::Int(1_780_000_000_000))),
        ("summary".to_owned(), Some(Value::from(summary))),
    ];
    let id = EntryId::from_random([summary.len() as u8; 16]);
    Command::Put { collection: Collection::Interactions, id, fields: fields.into() }
}

fn sets(world: &World) -> Vec<Proposal> {
    world.merged();
    let wanted = Wanted { decided: true, limit: 100, ..Wanted::default() };
    world.engine.proposals(world.workspace, wanted).unwrap()
}

fn fate(world: &World, device: &TestDevice, made: &Made) -> Fate {
    world.append(device, std::slice::from_ref(made)).outcomes[0].fate
}

/// A contact of `from`, with its document on the device.
fn held(world: &World, from: &TestDevice) -> (ContactId, automerge::Automerge) {
    let contact = world.import(Some(from.user), 1)[0];
    let mut replica = Replica::default();
    replica.catch_up(world, from.user);
    (contact, replica.documents.remove(&contact).unwrap())
}

#[test]
fn who_may_still_write_is_read_from_the_stored_order_of_rights() {
    let world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let stranger = world.rep("cy");
    let (contact, mut doc) = held(&world, &anna);
    // (1) holds it: ordinary, whatever epoch it was made under.
    let before = anna.edit(contact, &mut doc, &[set("company", "Before")]);
    give(&world, contact, ben.user);
    give(&world, contact, anna.user);
    assert_eq!(fate(&world, &anna, &before), Fate::Stored);
    // (2) held it, and has not confirmed dropping it: a proposal.
    give(&world, contact, ben.user);
    let late = anna.edit(contact, &mut doc, &[set("company", "Late")]);
    assert_eq!(fate(&world, &anna, &late), Fate::Proposed);
    // An older confirmation does not count: it was of the removal before.
    confirm(&world, &anna, contact, 1);
    let later = anna.edit(contact, &mut doc, &[set("industry", "Later")]);
    assert_eq!(fate(&world, &anna, &later), Fate::Proposed);
    // (3) never held it, or has confirmed: not theirs.
    let mut foreign = doc.clone();
    let theirs = stranger.edit(contact, &mut foreign, &[set("company", "Foreign")]);
    assert_eq!(fate(&world, &stranger, &theirs), Fate::Quarantined);
    confirm(&world, &anna, contact, world.cursor());
    let after = anna.edit(contact, &mut doc, &[set("website", "After")]);
    assert_eq!(fate(&world, &anna, &after), Fate::Quarantined);
    // A device that was enrolled after the contact had gone, and came empty, never held it.
    let newer = world.device(anna.user);
    let (workspace, id) = (world.workspace, newer.id);
    world.engine.write(move |tx| drops::confirm_all(tx, workspace, id).map(drop)).unwrap();
    let mut copy = doc.clone();
    let made = newer.edit(contact, &mut copy, &[set("company", "Newer")]);
    assert_eq!(fate(&world, &newer, &made), Fate::Quarantined);
    assert_eq!(world.company(contact), "Before", "nothing late is in the contact");
    world.assert_clean();
}

#[test]
fn what_can_not_be_undone_any_more_does_not_keep_the_rest_of_a_set() {
    let world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, mut doc) = held(&world, &anna);
    give(&world, contact, ben.user);
    let made = anna.edit(contact, &mut doc, &[visit("She was there"), set("company", "Late")]);
    assert_eq!(fate(&world, &anna, &made), Fate::Proposed);
    let n = sets(&world)[0].n;
    let decide = |verdict| world.engine.decide(world.workspace, world.office, n, None, verdict);
    decide(Verdict::Accept).unwrap();
    world.office_edit(contact, vec![set("company", "Meanwhile")]);
    let undone = decide(Verdict::Undo).unwrap();
    assert_eq!(undone.notes.len(), 1, "{:?}", undone.notes);
    assert!(undone.notes[0].contains("`company` was changed again"), "{:?}", undone.notes);
    for item in &undone.proposal.items {
        let expected = if item.path == "company" { ItemState::Accepted } else { ItemState::Open };
        assert_eq!(item.state, expected, "{}", item.path);
    }
    assert_eq!(world.company(contact), "Meanwhile");
    // Nothing is left that could be.
    let refused = decide(Verdict::Undo).unwrap_err();
    assert!(matches!(refused, EngineError::Command(_)), "{refused}");
    world.assert_clean();
}

#[test]
fn what_another_device_makes_up_by_an_actor_takes_no_place_in_its_history() {
    let world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, mut doc) = held(&world, &anna);
    let first = anna.edit(contact, &mut doc, &[set("company", "First")]);
    assert_eq!(fate(&world, &anna, &first), Fate::Stored);
    // Ben's app was altered: it writes what would be her next edit.
    let posing = TestDevice { actor: anna.actor, ..ben };
    let forged = posing.edit(contact, &mut doc.clone(), &[set("company", "Forged")]);
    let outcome = world.append(&posing, std::slice::from_ref(&forged)).outcomes.remove(0);
    assert_eq!((outcome.fate, outcome.code.as_str()), (Fate::Quarantined, "actor_taken"));
    let second = anna.edit(contact, &mut doc, &[set("company", "Second")]);
    assert_eq!(fate(&world, &anna, &second), Fate::Stored, "hers is not taken for a fork");
    world.merged();
    assert_eq!(world.company(contact), "Second");
    world.assert_clean();
}

#[test]
fn a_visit_that_was_taken_undone_and_accepted_stands_in_the_contact_again() {
    let world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, mut doc) = held(&world, &anna);
    give(&world, contact, ben.user);
    let made = anna.edit(contact, &mut doc, &[visit("She was there")]);
    assert_eq!(fate(&world, &anna, &made), Fate::Proposed);
    let visits = || {
        let doc = world.engine.document(world.workspace, contact).unwrap();
        roadbook_protocol::document::read(contact, &doc).interactions.len()
    };
    let set = sets(&world).remove(0);
    assert_eq!(visits(), 1, "taken at once");
    for _ in 0..2 {
        for (verdict, there) in [(Verdict::Undo, 0), (Verdict::Accept, 1)] {
            let decided =
                world.engine.decide(world.workspace, world.office, set.n, None, verdict).unwrap();
            assert_eq!(decided.notes, [""; 0], "{verdict:?}");
            assert_eq!(visits(), there, "{verdict:?}");
        }
    }
    let item = sets(&world).remove(0).items.remove(0);
    assert!(item.state == ItemState::Accepted && item.change.is_some(), "{item:?}");
    world.assert_clean();
}

#[test]
fn late_edits_of_one_device_are_one_set_with_base_and_author_and_visits_are_taken_at_once() {
    let mut world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, mut doc) = held(&world, &anna);
    give(&world, contact, ben.user);
    let made = [
        anna.edit(contact, &mut doc, &[set("company", "One")]),
        anna.edit(contact, &mut doc, &[visit("She was there"), set("company", "Two")]),
    ];
    let appended = world.append(&anna, &made);
    assert!(appended.outcomes.iter().all(|outcome| outcome.fate == Fate::Proposed));
    let set = sets(&world).remove(0);
    assert_eq!((set.author, set.device, set.changes), (anna.user, anna.id, 2));
    let company = set.items.iter().find(|item| item.path == "company").unwrap();
    assert_eq!(company.base, "Company 0", "as she saw it");
    assert_eq!(company.proposed, "Two", "the last word of the set");
    assert_eq!(company.changes.len(), 2);
    let taken = set.items.iter().find(|item| item.decided_at.is_some()).unwrap();
    assert_eq!((taken.state, taken.decided_by), (ItemState::Accepted, None));
    // In her name, by the server's actor: not the old bytes.
    let doc = world.engine.document(world.workspace, contact).unwrap();
    let read = roadbook_protocol::document::read(contact, &doc);
    assert_eq!(read.interactions.len(), 1);
    let history = roadbook_protocol::document::history(contact, &doc, 10);
    assert_eq!((history[0].author, history[0].command.as_str()), (anna.user, "late"));
    assert_eq!(world.fates(&anna, &made), [Fate::Proposed, Fate::Proposed]);
    // The same again changes nothing, before and after a restart.
    world.restart();
    assert!(world.append(&anna, &made).outcomes.iter().all(|outcome| outcome.duplicate));
    assert_eq!(sets(&world)[0].items.len(), set.items.len());
    world.assert_clean();
}

#[test]
fn what_stands_on_a_proposal_is_one_though_its_author_holds_the_contact_again() {
    let world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, mut doc) = held(&world, &anna);
    give(&world, contact, ben.user);
    let late = anna.edit(contact, &mut doc, &[set("company", "Late")]);
    assert_eq!(fate(&world, &anna, &late), Fate::Proposed);
    give(&world, contact, anna.user);
    let on_top = anna.edit(contact, &mut doc, &[set("industry", "On top")]);
    assert_eq!(fate(&world, &anna, &on_top), Fate::Proposed);
    let set = sets(&world).remove(0);
    assert_eq!(set.items.len(), 2, "one set, both readable: {set:#?}");
    world.engine.decide(world.workspace, world.office, set.n, None, Verdict::Accept).unwrap();
    assert_eq!(world.company(contact), "Late");
    world.assert_clean();
}

#[test]
fn two_who_decide_at_once_decide_once() {
    let world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, mut doc) = held(&world, &anna);
    give(&world, contact, ben.user);
    let late = anna.edit(contact, &mut doc, &[set("company", "Late")]);
    world.append(&anna, &[late]);
    let n = sets(&world)[0].n;
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let decide = |verdict| {
            let world = &world;
            scope.spawn(move || {
                world.engine.decide(world.workspace, world.office, n, None, verdict).is_ok()
            })
        };
        let both = [decide(Verdict::Accept), decide(Verdict::Decline)];
        both.map(|thread| thread.join().unwrap()).to_vec()
    });
    assert_eq!(outcomes.iter().filter(|done| **done).count(), 1, "{outcomes:?}");
    let set = &sets(&world)[0];
    let accepted = set.state == SetState::Accepted;
    assert_eq!(world.company(contact) == "Late", accepted, "{set:#?}");
    world.assert_clean();
}

#[test]
fn the_bundle_of_a_revoked_device_becomes_proposals_and_a_contact_of_its_own_a_new_one() {
    let world = World::new();
    let anna = world.rep("anna");
    let (contact, mut doc) = held(&world, &anna);
    let unsent = anna.edit(contact, &mut doc, &[set("company", "Unsent")]);
    let fresh = world.contact_id();
    let (_, created) = anna.create(fresh, 2);
    world.engine.revoke(world.workspace, None, anna.id).unwrap();
    let changes = [vec![unsent], created].concat();
    let refused = world.engine.append_blocking(anna.request(&changes));
    assert!(matches!(refused, Err(EngineError::Refused { code: "revoked", .. })), "{refused:?}");
    let request = roadbook_server::engine::AppendRequest {
        sealed: roadbook_server::engine::SealedBy::Revoked,
        ..anna.request(&changes)
    };
    let appended = world.engine.append_blocking(request).unwrap();
    assert!(appended.outcomes.iter().all(|outcome| outcome.fate == Fate::Proposed), "{appended:?}");
    let all = sets(&world);
    assert_eq!(all.len(), 2);
    assert_eq!(world.company(contact), "Company 0", "she still owns it; the device is not trusted");
    let new = all.iter().find(|set| set.contact == fresh).unwrap();
    world.engine.decide(world.workspace, world.office, new.n, None, Verdict::Accept).unwrap();
    assert_eq!(world.company(fresh), "Edit 1");
    let owner = world.engine.read(|conn| devices::actor_owner(conn, world.workspace, anna.actor));
    assert_eq!(owner.unwrap(), Some(ActorOwner::Device(anna.id)));
    world.assert_clean();
}

/// A rep's replica was copied, and an edit of it was authored anew by each copy, under actors of their
/// own: two changes that carry one edit. Accepting both would write the words into the note twice.
#[test]
fn late_copies_of_one_edit_wait_for_one_decision() {
    for apart in [false, true] {
        let world = World::new();
        let (anna, ben) = (world.rep("anna"), world.rep("ben"));
        // A copy under the same key, or one that was enrolled anew.
        let second = if apart { world.device(anna.user) } else { anna.clone() };
        let (contact, doc) = held(&world, &anna);
        give(&world, contact, ben.user);
        let words = Command::EditNote { splices: note_splices(&doc, "Prefers mornings.") };
        let original = anna.edit(contact, &mut doc.clone(), std::slice::from_ref(&words));
        let anew = |device: &TestDevice, number: u8| {
            let device = TestDevice { actor: Actor::from_random([number; 16]), ..device.clone() };
            let options = EditOptions { replaces: vec![original.hash], ..EditOptions::default() };
            let words = std::slice::from_ref(&words);
            let made = device.edit_with(contact, &mut doc.clone(), words, options, device.user);
            (device, made)
        };
        let (one, first) = anew(&anna, 7);
        let (other, again) = anew(&second, 8);
        assert_eq!(fate(&world, &one, &first), Fate::Proposed);
        let outcome = world.append(&other, std::slice::from_ref(&again)).outcomes.remove(0);
        assert_eq!((outcome.fate, outcome.code.as_str()), (Fate::Replaced, "original_proposed"));
        assert!(outcome.reason.contains(&first.hash.to_string()), "{}", outcome.reason);
        // Nor does the edit itself, when it comes after all.
        assert_eq!(fate(&world, &anna, &original), Fate::Replaced);
        let waiting = sets(&world);
        assert_eq!((waiting.len(), waiting[0].items.len()), (1, 1), "{waiting:#?}");
        let set = waiting[0].n;
        world.engine.decide(world.workspace, world.office, set, None, Verdict::Accept).unwrap();
        let note = |world: &World| {
            let doc = world.engine.document(world.workspace, contact).unwrap();
            roadbook_protocol::document::read(contact, &doc).note
        };
        assert_eq!(note(&world).matches("Prefers mornings.").count(), 1, "{}", note(&world));
        // A third copy that comes after the decision is no other edit either.
        let (third, late) = anew(&anna, 9);
        assert_eq!(fate(&world, &third, &late), Fate::Replaced);
        assert_eq!(sets(&world).len(), 1);
        world.assert_clean();
    }
}

/// A replica was put back to an older state. Of what it authors anew, one edit is part of the contact
/// already; what it did next stands on that change, which no document has.
#[test]
fn a_late_edit_is_read_with_what_was_set_aside_below_it() {
    let world = World::new();
    let (anna, contact, mut old, first) = edited_and_handed_over(&world);
    let copy = TestDevice { actor: Actor::from_random([7; 16]), ..anna.clone() };
    let options = EditOptions { replaces: vec![first.hash], ..EditOptions::default() };
    let again = copy.edit_with(contact, &mut old, &[set("company", "First")], options, copy.user);
    let visited =
        copy.edit(contact, &mut old, &[visit("Tasting"), set("job_title", "Cellar master")]);
    assert_eq!(fate(&world, &copy, &again), Fate::Replaced);
    assert_eq!(fate(&world, &copy, &visited), Fate::Proposed);
    assert_visit_taken_and_title_waits(&world, contact);
}

/// The same, where the replica went on under its old numbers: the twin of a change of the contact can't
/// be in one document with it, nor can what stands on it.
#[test]
fn a_late_edit_on_a_twin_is_read_on_the_contact_as_its_author_had_it() {
    let world = World::new();
    let (anna, contact, mut old, _) = edited_and_handed_over(&world);
    let twin = anna.edit(contact, &mut old, &[set("company", "Twin")]);
    let visited =
        anna.edit(contact, &mut old, &[visit("Tasting"), set("job_title", "Cellar master")]);
    assert_eq!(fate(&world, &anna, &twin), Fate::Forked);
    assert_eq!(fate(&world, &anna, &visited), Fate::Proposed);
    assert_visit_taken_and_title_waits(&world, contact);
    assert_eq!(world.company(contact), "First");
}

/// A contact with an edit of a device that has not confirmed yet that it was handed over, and the
/// document as it was before that edit.
fn edited_and_handed_over(world: &World) -> (TestDevice, ContactId, automerge::Automerge, Made) {
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, before) = held(world, &anna);
    let edit = anna.edit(contact, &mut before.clone(), &[set("company", "First")]);
    assert_eq!(fate(world, &anna, &edit), Fate::Stored);
    world.merged();
    give(world, contact, ben.user);
    (anna, contact, before, edit)
}

fn assert_visit_taken_and_title_waits(world: &World, contact: ContactId) {
    let sets = sets(world);
    let items = sets[0].items.iter();
    let states: Vec<_> = items.map(|item| (item.kind, item.state)).collect();
    let title = (ProposedKind::Field, ItemState::Open);
    assert_eq!(states, [title, (ProposedKind::Interaction, ItemState::Accepted)], "{sets:#?}");
    let document = world.engine.document(world.workspace, contact).unwrap();
    let read = roadbook_protocol::document::read(contact, &document);
    assert_eq!(read.interactions.len(), 1);
    world.assert_clean();
}
