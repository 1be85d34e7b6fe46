//! A contact's document is begun anew (rule 25).

use std::sync::Arc;

use automerge::{Automerge, ReadDoc};
use roadbook_protocol::document::{
    self, Collection, Command, EditOptions, Value, generation, generation_count, generation_number,
    note_splices,
};
use roadbook_protocol::guard::gate1;
use roadbook_protocol::ids::{Actor, ContactId, EntryId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::message::{ChangeMessage, GenerationMark};
use roadbook_protocol::wire::Fate;
use roadbook_server::engine::{
    Assign, AuthorOutcome, Engine, EngineError, EngineOptions, RewriteOrder,
};
use roadbook_server::store::proposals::Wanted;
use roadbook_server::store::{contacts, generations};

use super::offers;
use super::support::{Made, Replica, TestDevice, World, set};

const MARKER: &str = "Zephyrine-Quast";

fn order(purge: bool) -> RewriteOrder {
    RewriteOrder { reason: "test".to_owned(), purge, quarantined_too: false }
}

fn rewrite(world: &World, contact: ContactId, purge: bool) -> u64 {
    let by = Some(world.office);
    let (generation, scrubbed) =
        world.engine.rewrite(world.workspace, by, contact, order(purge)).unwrap();
    assert!(scrubbed);
    generation
}

fn document(world: &World, contact: ContactId) -> Automerge {
    world.engine.document(world.workspace, contact).unwrap()
}

fn company(doc: &Automerge, contact: ContactId) -> String {
    document::read(contact, doc).text("company").to_owned()
}

/// A contact of Anna's that was edited often, with her copy of it.
fn busy(world: &World, anna: &TestDevice) -> (ContactId, Replica) {
    let contact = world.import(Some(anna.user), 1)[0];
    for n in 0..40 {
        world.office_edit(contact, vec![set("company", &format!("Company {n}"))]);
    }
    let mut replica = Replica::default();
    replica.catch_up(world, anna.user);
    (contact, replica)
}

fn fate(world: &World, device: &TestDevice, made: &Made) -> (Fate, String) {
    let outcome = world.append(device, std::slice::from_ref(made)).outcomes.remove(0);
    (outcome.fate, outcome.code)
}

/// As a device does with a change that comes too late: the command, on the fresh document.
fn again(anna: &TestDevice, late: &Made, doc: &mut Automerge, commands: &[Command]) -> Made {
    let fresh = TestDevice { actor: Actor::from_random([77; 16]), ..anna.clone() };
    let options = EditOptions { replaces: vec![late.hash], ..EditOptions::default() };
    fresh.edit_with(late.contact, doc, commands, options, anna.user)
}

#[test]
fn the_contact_is_the_same_and_devices_get_the_whole_of_it() {
    let mut world = World::new();
    let anna = world.rep("anna");
    let (contact, mut replica) = busy(&world, &anna);
    let before = document(&world, contact);
    let preview = world.engine.preview_rewrite(world.workspace, contact, false).unwrap();
    assert_eq!(preview.generation, 1);
    assert!(preview.after.changes < preview.before.changes);
    assert_eq!(rewrite(&world, contact, false), 2);
    let after = document(&world, contact);
    assert_eq!(document::read(contact, &before), document::read(contact, &after));
    assert!(after.get_heads() != before.get_heads());
    assert_eq!(generation_count(generation(&after).number), 2);
    world.assert_clean();
    replica.catch_up(&world, anna.user);
    assert_eq!(replica.documents[&contact].get_heads(), after.get_heads());
    // And goes on: edits of both ends, and a restart.
    world.office_edit(contact, vec![set("job_title", "Buyer")]);
    replica.catch_up(&world, anna.user);
    let mut doc = replica.documents.remove(&contact).unwrap();
    let fresh = TestDevice { actor: Actor::from_random([5; 16]), ..anna.clone() };
    let made = fresh.edit(contact, &mut doc, &[set("company", "On the road")]);
    assert_eq!(fate(&world, &fresh, &made).0, Fate::Stored);
    world.merged();
    world.restart();
    assert_eq!(company(&document(&world, contact), contact), "On the road");
    assert_eq!(rewrite(&world, contact, false), 3);
    world.assert_clean();
    let kept = world.engine.read(|c| generations::kept(c, (world.workspace, contact))).unwrap();
    assert_eq!(kept.len(), 2, "the documents before are kept");
}

#[test]
fn a_change_on_the_old_document_is_made_anew_and_never_mixed_in() {
    let world = World::new();
    let anna = world.rep("anna");
    let (contact, mut replica) = busy(&world, &anna);
    let mut old = replica.documents.remove(&contact).unwrap();
    let sent = anna.edit(contact, &mut old, &[set("website", "sent.example")]);
    assert_eq!(fate(&world, &anna, &sent).0, Fate::Stored);
    world.merged();
    rewrite(&world, contact, false);
    // What was merged before is merged.
    assert_eq!(fate(&world, &anna, &sent).0, Fate::Merged);
    let commands = [set("company", "Late")];
    let late = anna.edit(contact, &mut old, &commands);
    let upon_it = anna.edit(contact, &mut old, &[set("company", "Later")]);
    assert_eq!(fate(&world, &anna, &late), (Fate::Replaced, "dependency".to_owned()));
    assert_eq!(fate(&world, &anna, &upon_it), (Fate::Replaced, "dependency".to_owned()));
    world.merged();
    assert_eq!(world.company(contact), "Company 39");
    let mut fresh = document(&world, contact);
    let made = again(&anna, &late, &mut fresh, &commands);
    assert_eq!(fate(&world, &anna, &made).0, Fate::Stored);
    world.merged();
    assert_eq!(world.company(contact), "Late");
    assert_eq!(world.fates(&anna, &[late, made]), [Fate::Replaced, Fate::Merged]);
    world.assert_clean();
}

#[test]
fn what_is_stored_and_not_merged_yet_is_in_the_fresh_document_or_made_anew() {
    let world = World::new();
    let anna = world.rep("anna");
    let (contact, mut replica) = busy(&world, &anna);
    let mut old = replica.documents.remove(&contact).unwrap();
    for n in 0..20 {
        let made = anna.edit(contact, &mut old, &[set("company", &format!("Pending {n}"))]);
        world.append(&anna, std::slice::from_ref(&made));
        if n == 10 {
            rewrite(&world, contact, false);
        }
        let (fate, expected) = (world.fates(&anna, &[made])[0], company(&old, contact));
        match n {
            0..=10 => assert!(matches!(fate, Fate::Stored | Fate::Merged), "{n} {fate:?}"),
            _ => assert_eq!(fate, Fate::Replaced, "{n} {expected}"),
        }
    }
    world.merged();
    assert_eq!(world.company(contact), "Pending 10");
    world.assert_clean();
}

#[test]
fn a_device_can_not_begin_a_generation() {
    let world = World::new();
    let anna = world.rep("anna");
    let (contact, mut replica) = busy(&world, &anna);
    let doc = replica.documents.remove(&contact).unwrap();
    let number = generation_number(2, [0; 4]);
    let mark = GenerationMark { number, purged: true, last: true };
    let message = ChangeMessage {
        by: anna.user,
        at: 1,
        command: "set".into(),
        replaces: vec![],
        decision: None,
        generation: Some(mark),
    };
    let mut forged = doc.clone().with_actor(anna.actor.into());
    let mut tx = forged.transaction();
    automerge::transaction::Transactable::put(&mut tx, automerge::ROOT, "company", "X").unwrap();
    let options = automerge::transaction::CommitOptions::default().with_time(0);
    let hash = tx.commit_with(options.with_message(message.to_text())).0.unwrap();
    let bytes = forged.get_change_by_hash(&hash).unwrap().raw_bytes().to_vec();
    assert!(gate1(&bytes, &Limits::DEFAULT, &[]).is_ok());
    let made = Made { contact, hash, bytes };
    assert_eq!(fate(&world, &anna, &made), (Fate::Quarantined, "generation".to_owned()));
    world.merged();
    assert_eq!(world.company(contact), "Company 39");
}

#[test]
fn what_a_rewrite_is_about_to_write_can_not_be_taken_by_a_device_before_it() {
    let mut world = World::new();
    let anna = world.rep("anna");
    let (contact, _) = busy(&world, &anna);
    let old = document(&world, contact);
    let file = world.dir.path().join("copy.backup");
    world.engine.backup(&file).unwrap();
    let ledger = world.dir.path().join("ledger");
    let noted = std::fs::read(&ledger).unwrap();
    rewrite(&world, contact, false);
    // Anybody who has the document can tell what is in the fresh one.
    let fresh = document(&world, contact);
    let foreseen: Vec<Made> = fresh
        .get_changes(&[])
        .iter()
        .filter(|change| old.get_change_by_hash(&change.hash()).is_none())
        .map(|change| Made { contact, hash: change.hash(), bytes: change.raw_bytes().to_vec() })
        .collect();
    assert!(!foreseen.is_empty());
    world.engine.shutdown();
    std::fs::write(&ledger, noted).unwrap();
    restore(&mut world, &file);
    for made in &foreseen {
        assert_eq!(fate(&world, &anna, made).0, Fate::Quarantined);
    }
    assert_eq!(rewrite(&world, contact, false), 2);
    assert_eq!(document(&world, contact).get_heads(), fresh.get_heads());
    assert_eq!(world.company(contact), "Company 39");
    world.assert_clean();
}

#[test]
fn a_contact_near_a_limit_is_begun_anew_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { document_changes_max: 80, ..Limits::DEFAULT };
    let options = EngineOptions { limits, merge_threads: 2, ..EngineOptions::default() };
    let engine: Arc<Engine> = Engine::open(dir.path(), options).unwrap();
    let workspace = engine.create_workspace("Nordwind").unwrap();
    let by = roadbook_protocol::ids::UserId::from_random(engine.random());
    engine
        .write(move |tx| {
            let role = roadbook_server::store::people::Role::Manager;
            let (login, name, team) = ("office", "", None);
            let new = roadbook_server::store::people::NewUser { id: by, login, name, role, team };
            roadbook_server::store::people::create_user(tx, workspace, &new, 1)
        })
        .unwrap();
    let contact = ContactId::from_time(1_780_000_000_000, engine.random());
    use roadbook_server::engine::Authored;
    let create = Authored::create(contact, None, vec![set("company", "0")]);
    engine.author(workspace, by, vec![create]).unwrap();
    for n in 1..300 {
        let edit = Authored::edit(contact, vec![set("company", &n.to_string())]);
        let outcome = engine.author(workspace, by, vec![edit]).unwrap().remove(0);
        assert!(matches!(outcome, AuthorOutcome::Merged { .. }), "{n}: {outcome:?}");
    }
    let found = engine.read(|conn| contacts::find(conn, workspace, contact)).unwrap().unwrap();
    let count = generation_count(found.generation);
    assert!(count >= 4, "{count}");
    let doc = engine.document(workspace, contact).unwrap();
    assert_eq!(document::read(contact, &doc).text("company"), "299");
    assert!(engine.check().unwrap().is_clean());
}

#[test]
fn what_is_to_be_gone_is_in_no_byte_of_the_files() {
    let world = World::new();
    let anna = world.rep("anna");
    let contact = world.import(Some(anna.user), 1)[0];
    let mut replica = Replica::default();
    replica.catch_up(&world, anna.user);
    let mut doc = replica.documents.remove(&contact).unwrap();
    let note = |doc: &Automerge, text: &str| Command::EditNote { splices: note_splices(doc, text) };
    let id = EntryId::from_random([3; 16]);
    let fields = [
        ("kind".to_owned(), Some(Value::from("visit"))),
        ("at".to_owned(), Some(Value::Int(1))),
        ("summary".to_owned(), Some(Value::from(format!("met {MARKER}")))),
    ];
    let visit = Command::Put { collection: Collection::Interactions, id, fields: fields.into() };
    let mut made = Vec::new();
    for commands in [
        vec![set("company", MARKER)],
        vec![note(&doc, &format!("Knows {MARKER} well."))],
        vec![visit],
    ] {
        made.push(anna.edit(contact, &mut doc, &commands));
    }
    world.append(&anna, &made);
    world.merged();
    assert!(holds_marker(&world), "the search finds it while it is there");
    // First by ordinary edits: what there is of the person goes out of sight.
    let doc = document(&world, contact);
    world.office_edit(
        contact,
        vec![
            set("company", "Kept"),
            note(&doc, "Knows her well."),
            Command::Remove { collection: Collection::Interactions, id },
        ],
    );
    rewrite(&world, contact, false);
    assert!(holds_marker(&world), "the archive has it");
    rewrite(&world, contact, true);
    assert!(!holds_marker(&world));
    let due = world.engine.read(roadbook_server::store::erasures::any_unscrubbed).unwrap();
    assert!(!due, "nothing is left to be scrubbed");
    let contact_now = document::read(contact, &document(&world, contact));
    assert_eq!(
        (contact_now.text("company"), contact_now.note.as_str()),
        ("Kept", "Knows her well.")
    );
    assert!(contact_now.interactions.is_empty());
    world.assert_clean();
    assert!(generation(&document(&world, contact)).purged);
}

/// Whether the marker is in any file, or in any document or change that one holds.
fn holds_marker(world: &World) -> bool {
    let has = |bytes: &[u8]| bytes.windows(MARKER.len()).any(|w| w == MARKER.as_bytes());
    let files = std::fs::read_dir(world.dir.path()).unwrap();
    let in_files = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .any(|path| has(&std::fs::read(path).unwrap()));
    let in_blobs = world
        .engine
        .read(|conn| -> Result<bool, EngineError> {
            let mut found = false;
            for sql in ["SELECT bytes FROM snapshot", "SELECT bytes FROM archive"] {
                let mut statement = conn.prepare(sql)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let doc = Automerge::load(&row.get::<_, Vec<u8>>(0)?).unwrap();
                    let all = doc.get_changes(&[]).into_iter();
                    found |= all.map(|change| format!("{:?}", change.decode())).any(|text| {
                        // A text is written character by character.
                        let plain: String =
                            text.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect();
                        text.contains(MARKER) || plain.contains(MARKER)
                    });
                }
            }
            Ok(found)
        })
        .unwrap();
    in_files || in_blobs
}

#[test]
fn late_edits_on_the_old_document_are_read_from_the_archive() {
    let world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, mut replica) = busy(&world, &anna);
    let mut old = replica.documents.remove(&contact).unwrap();
    let late = anna.edit(contact, &mut old, &[set("company", "Late")]);
    let owner = Some(Some(ben.user));
    let assign = Assign { contacts: vec![contact], owner, ..Assign::default() };
    world.engine.assign(world.workspace, Some(world.office), assign).unwrap();
    rewrite(&world, contact, false);
    assert_eq!(fate(&world, &anna, &late).0, Fate::Proposed);
    world.merged();
    let wanted = Wanted { decided: true, limit: 100, ..Wanted::default() };
    let set = world.engine.proposals(world.workspace, wanted).unwrap().remove(0);
    assert_eq!(set.items.len(), 1);
    assert_eq!(set.items[0].path, "company");
    assert_eq!(set.items[0].proposed, "Late");
    // While it waits, the past can't go.
    let refused = world.engine.rewrite(world.workspace, None, contact, order(true)).unwrap_err();
    assert!(matches!(refused, EngineError::Refused { code: "undecided", .. }), "{refused}");
}

/// The server is an older one again; its ledger is not.
fn restore(world: &mut World, file: &std::path::Path) {
    world.engine.shutdown();
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(world.dir.path().join(format!("roadbook.db{suffix}")));
    }
    std::fs::copy(file, world.dir.path().join("roadbook.db")).unwrap();
    world.restart();
}

#[test]
fn a_restored_server_waits_for_the_later_generation_and_is_brought_it() {
    let mut world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, replica) = busy(&world, &anna);
    let add =
        Assign { contacts: vec![contact], add_collaborators: vec![ben.user], ..Assign::default() };
    world.engine.assign(world.workspace, None, add).unwrap();
    let file = world.dir.path().join("copy.backup");
    world.engine.backup(&file).unwrap();
    world.office_edit(contact, vec![set("website", "after.example")]);
    rewrite(&world, contact, false);
    world.office_edit(contact, vec![set("job_title", "Fresh")]);
    let expected = document(&world, contact);
    let (item, evidence) = offers::received(&world, &ben).remove(&contact).unwrap();
    assert_eq!(item.generation.map(generation_count), Some(2));
    restore(&mut world, &file);
    // Nothing is merged into the old document meanwhile, and nobody gets it.
    let refused = world.office_edit(contact, vec![set("company", "Meanwhile")]);
    assert!(matches!(
        refused,
        AuthorOutcome::Refused(EngineError::Refused { code: "generation", .. })
    ));
    let mut old = replica.documents[&contact].clone();
    let commands = [set("company", "Of Anna")];
    let late = anna.edit(contact, &mut old, &commands);
    assert_eq!(fate(&world, &anna, &late).0, Fate::Stored);
    let fetched = world.engine.fetch(world.workspace, ben.user, &[contact], usize::MAX).unwrap();
    assert!(fetched[0].snapshot.is_empty() && fetched[0].heads.is_empty());
    let changes = offers::all_changes(&item);
    let refused = offers::offer(
        &world,
        &ben,
        vec![offers::whole(contact, vec![evidence.clone()], changes.clone())],
    );
    assert_eq!(refused, []);
    world.merged();
    let now = document(&world, contact);
    assert_eq!(now.get_heads(), expected.get_heads());
    assert_eq!(document::content_hash(&now, None), document::content_hash(&expected, None));
    assert_eq!(world.fates(&anna, std::slice::from_ref(&late)), [Fate::Replaced]);
    world.assert_clean();
    // Offered twice it is taken once.
    offers::offer(&world, &ben, vec![offers::whole(contact, vec![evidence], changes)]);
    let mut fresh = now;
    let made = again(&anna, &late, &mut fresh, &commands);
    assert_eq!(fate(&world, &anna, &made).0, Fate::Stored);
    world.merged();
    let contact_now = document::read(contact, &document(&world, contact));
    let said = |field: &str| contact_now.text(field).to_owned();
    assert_eq!(said("company"), "Of Anna");
    assert_eq!((said("job_title"), said("website")), ("Fresh".into(), "after.example".into()));
    world.assert_clean();
}

#[test]
fn where_nobody_brings_it_the_office_goes_on_with_what_is_here_and_the_later_one_is_kept_aside() {
    let mut world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let (contact, _) = busy(&world, &anna);
    let add =
        Assign { contacts: vec![contact], add_collaborators: vec![ben.user], ..Assign::default() };
    world.engine.assign(world.workspace, None, add).unwrap();
    let file = world.dir.path().join("copy.backup");
    world.engine.backup(&file).unwrap();
    rewrite(&world, contact, false);
    let (item, evidence) = offers::received(&world, &ben).remove(&contact).unwrap();
    restore(&mut world, &file);
    world.engine.give_up_generation(world.workspace, None, contact).unwrap();
    world.office_edit(contact, vec![set("company", "Goes on")]);
    let changes = offers::all_changes(&item);
    offers::offer(&world, &ben, vec![offers::whole(contact, vec![evidence], changes)]);
    world.merged();
    assert_eq!(world.company(contact), "Goes on", "what was merged is never dropped for it");
    assert_eq!(generation(&document(&world, contact)).number, 1);
    let key = (world.workspace, contact);
    let beside = world.engine.read(|conn| generations::beside(conn, key)).unwrap();
    assert!(beside.quarantined > 0, "its bytes are kept");
    world.office_edit(contact, vec![set("company", "And on")]);
    world.assert_clean();
}

/// A contact of Anna's and Ben's with an edit of hers after the backup and before it is begun anew; what Ben
/// has got then; and the server as it was at the backup.
struct Brought {
    contact: ContactId,
    /// Her document as it was, and her edit.
    old: Automerge,
    edit: Made,
    commands: Vec<Command>,
    evidence: roadbook_protocol::wire::Evidence,
    changes: Vec<Vec<u8>>,
}

const LINE: &str = "Said once.";

impl Brought {
    fn new(world: &mut World, anna: &TestDevice, ben: &TestDevice) -> Self {
        let (contact, mut replica) = busy(world, anna);
        let add = Assign {
            contacts: vec![contact],
            add_collaborators: vec![ben.user],
            ..Assign::default()
        };
        world.engine.assign(world.workspace, None, add).unwrap();
        let file = world.dir.path().join("copy.backup");
        world.engine.backup(&file).unwrap();
        let mut old = replica.documents.remove(&contact).unwrap();
        let commands = vec![Command::EditNote { splices: note_splices(&old, LINE) }];
        let edit = anna.edit(contact, &mut old, &commands);
        assert_eq!(fate(world, anna, &edit).0, Fate::Stored);
        world.merged();
        rewrite(world, contact, false);
        let (item, evidence) = offers::received(world, ben).remove(&contact).unwrap();
        let changes = offers::all_changes(&item);
        restore(world, &file);
        Self { contact, old, edit, commands, evidence, changes }
    }

    fn offer(&self, world: &World, ben: &TestDevice) -> Vec<Fate> {
        let whole = offers::whole(self.contact, vec![self.evidence.clone()], self.changes.clone());
        let fates = offers::offer(world, ben, vec![whole]);
        world.merged();
        fates.into_iter().map(|fate| fate.fate).collect()
    }

    fn note(&self, world: &World) -> String {
        document::read(self.contact, &document(world, self.contact)).note
    }
}

#[test]
fn an_edit_that_is_part_of_a_document_that_was_brought_is_not_merged_again() {
    for first in [false, true] {
        let mut world = World::new();
        let (anna, ben) = (world.rep("anna"), world.rep("ben"));
        let brought = Brought::new(&mut world, &anna, &ben);
        // Her device sends the edit again: before the document comes, or after.
        if first {
            assert_eq!(fate(&world, &anna, &brought.edit).0, Fate::Stored);
        }
        assert_eq!(brought.offer(&world, &ben), []);
        assert_eq!(fate(&world, &anna, &brought.edit).0, Fate::Merged);
        // It made it anew before it heard that.
        let mut fresh = document(&world, brought.contact);
        let made = again(&anna, &brought.edit, &mut fresh, &brought.commands);
        let told = fate(&world, &anna, &made);
        assert_eq!(told, (Fate::Replaced, "original_merged".to_owned()));
        world.merged();
        assert_eq!(brought.note(&world), LINE, "once ({first})");
        world.assert_clean();
        // And what she makes upon it on the old document is made anew as ever.
        let mut old = brought.old.clone();
        let later = anna.edit(brought.contact, &mut old, &[set("company", "Later")]);
        assert_eq!(fate(&world, &anna, &later), (Fate::Replaced, "dependency".to_owned()));
    }
}

#[test]
fn what_was_made_anew_of_an_edit_before_the_document_came_keeps_that_from_being_taken() {
    let mut world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let brought = Brought::new(&mut world, &anna, &ben);
    // The office goes on without it, and Anna's edit comes as a new change.
    world.engine.give_up_generation(world.workspace, None, brought.contact).unwrap();
    let mut here = document(&world, brought.contact);
    let made = again(&anna, &brought.edit, &mut here, &brought.commands);
    assert_eq!(fate(&world, &anna, &made).0, Fate::Stored);
    world.merged();
    brought.offer(&world, &ben);
    assert_eq!(brought.note(&world), LINE, "once");
    assert_eq!(generation(&document(&world, brought.contact)).number, 1);
    // The document of another past is never taken for the one that the office makes now.
    rewrite(&world, brought.contact, false);
    let now = document(&world, brought.contact);
    brought.offer(&world, &ben);
    assert_eq!(document(&world, brought.contact).get_heads(), now.get_heads());
    assert_eq!(brought.note(&world), LINE);
    world.assert_clean();
}

#[test]
fn a_document_that_comes_in_part_is_not_taken() {
    let mut world = World::new();
    let (anna, ben) = (world.rep("anna"), world.rep("ben"));
    let mut brought = Brought::new(&mut world, &anna, &ben);
    // Without the end of its beginning.
    let whole = std::mem::take(&mut brought.changes);
    brought.changes = whole[..whole.len() - 1].to_vec();
    brought.offer(&world, &ben);
    assert_eq!(generation(&document(&world, brought.contact)).number, 1);
    assert_eq!(brought.note(&world), "");
    world.assert_clean();
}
