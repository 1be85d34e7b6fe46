//! What a device may bring back to a restored server, and what not (rule 3).

use std::collections::HashMap;

use automerge::{Automerge, Change, ChangeHash};
use roadbook_protocol::ids::{ContactId, UserId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::{LoadedItem, LoadedPage};
use roadbook_protocol::wire::{
    Access, ChangeFate, Evidence, Fate, OfferItem, PageItem, path, statements,
};
use roadbook_server::engine::{Assign, EngineError};
use roadbook_server::store::{changes, contacts};
use roadbook_server::sync::service::{self, Identity, OfferRoom, Offers};

use super::support::{Made, TestDevice, World, set};

fn who(device: &TestDevice) -> Identity {
    Identity { workspace: device.workspace, device: device.id, user: device.user }
}

/// What a device gets that has seen nothing, and the evidence for each contact in it.
pub(super) fn received(
    world: &World,
    device: &TestDevice,
) -> HashMap<ContactId, (PageItem, Evidence)> {
    let page: LoadedPage =
        service::page(&world.engine, &Limits::DEFAULT, who(device), 0, &HashMap::new())
            .unwrap()
            .unwrap();
    let seal = page.seal.expect("a page with content is sealed");
    let items: Vec<PageItem> = page.items.into_iter().map(item).collect();
    let stated = statements(&items);
    let leaves: Vec<ChangeHash> = stated.iter().map(|stated| stated.leaf).collect();
    let timeline = world.engine.timeline(world.workspace).unwrap();
    let mut all = HashMap::new();
    for (place, stated) in stated.into_iter().enumerate() {
        let item = items[stated.item].clone();
        let evidence = Evidence {
            timeline,
            as_of: seal.as_of,
            access: item.access,
            owner: item.owner,
            epoch: item.epoch,
            tips: stated.tips,
            index: place as u32,
            count: leaves.len() as u32,
            path: path(&leaves, place),
            signature: seal.signature.clone(),
        };
        all.insert(item.contact, (item, evidence));
    }
    all
}

fn item(loaded: LoadedItem) -> PageItem {
    PageItem {
        contact: loaded.contact,
        access: loaded.access,
        owner: loaded.owner,
        epoch: loaded.epoch,
        changes: loaded.changes.into_iter().map(|(_, bytes)| bytes).collect(),
        snapshot: loaded.snapshot,
        row: loaded.row,
        heads: loaded.heads,
        signed: None,
        generation: loaded.generation,
    }
}

/// Every change of what came, in causal order, but for built-in ones.
pub(super) fn all_changes(item: &PageItem) -> Vec<Vec<u8>> {
    let mut doc = match item.snapshot.is_empty() {
        false => Automerge::load(&item.snapshot).unwrap(),
        true => roadbook_protocol::document::new_document(),
    };
    doc.apply_changes(item.changes.iter().map(|bytes| Change::from_bytes(bytes.clone()).unwrap()))
        .unwrap();
    doc.get_changes(&[])
        .into_iter()
        .filter(|change| {
            !roadbook_protocol::document::bootstraps().iter().any(|b| b.hash == change.hash())
        })
        .map(|change| change.raw_bytes().to_vec())
        .collect()
}

pub(super) fn offer(world: &World, device: &TestDevice, items: Vec<OfferItem>) -> Vec<ChangeFate> {
    let mut offers = Offers::new(OfferRoom::default());
    service::offer(&world.engine, &Limits::DEFAULT, who(device), &mut offers, items).unwrap()
}

pub(super) fn whole(
    contact: ContactId,
    evidence: Vec<Evidence>,
    changes: Vec<Vec<u8>>,
) -> OfferItem {
    OfferItem { contact, evidence, changes, more: false }
}

/// A backup, and then a contact of Anna's that Bert works on too; the server is the old one again.
struct Lost {
    world: World,
    anna: TestDevice,
    bert: TestDevice,
    contact: ContactId,
    made: Vec<Made>,
    /// The contact on Anna's device.
    doc: Automerge,
    item: PageItem,
    evidence: Evidence,
    /// A contact that Bert has of another page of the same server.
    other: (ContactId, Evidence),
}

fn lost() -> Lost {
    lost_after(|bert| Assign { add_collaborators: vec![bert], ..Assign::default() })
}

/// The same, with the contact assigned like this.
fn lost_after(assign: impl FnOnce(UserId) -> Assign) -> Lost {
    let mut world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let other = world.import(Some(bert.user), 1)[0];
    let file = world.dir.path().join("copy.backup");
    world.engine.backup(&file).unwrap();
    let contact = world.contact_id();
    let (doc, made) = anna.create(contact, 3);
    world.append(&anna, &made);
    world.merged();
    let assign = Assign { contacts: vec![contact], ..assign(bert.user) };
    world.engine.assign(world.workspace, None, assign).unwrap();
    let mut received = received(&world, &bert);
    let (item, evidence) = received.remove(&contact).unwrap();
    let other = (other, received.remove(&other).unwrap().1);
    world.engine.shutdown();
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(world.dir.path().join(format!("roadbook.db{suffix}")));
    }
    std::fs::copy(&file, world.dir.path().join("roadbook.db")).unwrap();
    world.restart();
    Lost { world, anna, bert, contact, made, doc, item, evidence, other }
}

impl Lost {
    fn knows(&self) -> bool {
        let (workspace, contact) = (self.world.workspace, self.contact);
        self.world
            .engine
            .read(|conn| contacts::find(conn, workspace, contact))
            .unwrap()
            .is_some_and(|found| found.cursor > 0)
    }

    /// What is refused is kept, and takes nobody's place: Anna's own device brings it all the same.
    fn anna_is_not_in_the_way(&self) {
        self.world.append(&self.anna, &self.made);
        self.world.merged();
        let fates = self.world.fates(&self.anna, &self.made);
        assert!(fates.iter().all(|fate| *fate == Fate::Merged), "{fates:?}");
        self.world.assert_clean();
    }
}

#[test]
fn others_changes_come_back_with_evidence_as_what_they_are_and_once() {
    let lost = lost();
    let changes = all_changes(&lost.item);
    let items = vec![whole(lost.contact, vec![lost.evidence.clone()], changes)];
    assert_eq!(offer(&lost.world, &lost.bert, items.clone()), []);
    lost.world.merged();
    assert!(lost.knows());
    let (workspace, contact) = (lost.world.workspace, lost.contact);
    let found =
        lost.world.engine.read(|conn| contacts::find(conn, workspace, contact)).unwrap().unwrap();
    assert_eq!((found.owner, found.epoch), (Some(lost.anna.user), 1));
    let access = |user| {
        lost.world.engine.read(|conn| contacts::access(conn, workspace, contact, user)).unwrap()
    };
    assert_eq!(access(lost.bert.user), Some(Access::Collaborator));
    assert_eq!(access(lost.anna.user), Some(Access::Owner));
    // In Anna's name, though Bert's device brought them.
    for made in &lost.made {
        let sender = lost
            .world
            .engine
            .read(|conn| {
                let (_, seq) = changes::find(conn, workspace, contact, &made.hash)?.unwrap();
                changes::sender(conn, seq)
            })
            .unwrap()
            .unwrap();
        assert_eq!(sender.0, lost.anna.user);
    }
    // Shown again, and by the phone that was lost: nothing changes.
    let before = lost.world.engine.state_hash(workspace, None, None).unwrap();
    assert_eq!(offer(&lost.world, &lost.bert, items), []);
    lost.anna_is_not_in_the_way();
    assert_eq!(lost.world.engine.state_hash(workspace, None, None).unwrap().hash, before.hash);
}

#[test]
fn who_made_what_came_back_as_anothers_hears_so_and_writes_late_until_then() {
    // The office has given it to Bert by then; that the ledger knows, and who had it before it does not.
    let mut lost = lost_after(|bert| Assign { owner: Some(Some(bert)), ..Assign::default() });
    let changes = all_changes(&lost.item);
    let items = vec![whole(lost.contact, vec![lost.evidence.clone()], changes)];
    // Anna's phone has compared what it holds before Bert's brings the contact back.
    assert_eq!(offer(&lost.world, &lost.bert, items), []);
    lost.world.merged();
    let (world, contact, anna) = (&lost.world, lost.contact, &lost.anna);
    let access = |user| {
        world.engine.read(|conn| contacts::access(conn, world.workspace, contact, user)).unwrap()
    };
    assert_eq!(access(lost.bert.user), Some(Access::Owner));
    assert_eq!(access(anna.user), Some(Access::Removed));
    let told = |item: &PageItem| item.contact == contact && item.access == Access::Removed;
    assert!(world.page(anna.user, 0).items.iter().any(told), "no other page would tell it");
    let late = anna.edit(contact, &mut lost.doc, &[set("company", "Meanwhile")]);
    world.append(anna, std::slice::from_ref(&late));
    world.merged();
    assert_eq!(world.fates(anna, &[late]), [Fate::Proposed]);
    world.assert_clean();
}

#[test]
fn a_large_contact_comes_in_parts_and_counts_when_it_is_whole() {
    let lost = lost();
    let changes = all_changes(&lost.item);
    let mut offers = Offers::new(OfferRoom::default());
    let mut send = |evidence: Vec<Evidence>, changes: &[Vec<u8>], more| {
        let item = OfferItem { contact: lost.contact, evidence, changes: changes.to_vec(), more };
        service::offer(
            &lost.world.engine,
            &Limits::DEFAULT,
            who(&lost.bert),
            &mut offers,
            vec![item],
        )
    };
    assert_eq!(send(vec![lost.evidence.clone()], &changes[..1], true).unwrap(), []);
    assert!(!lost.knows());
    assert_eq!(send(Vec::new(), &changes[1..], false).unwrap(), []);
    lost.world.merged();
    assert!(lost.knows());
    lost.anna_is_not_in_the_way();
}

#[test]
fn an_offer_beyond_what_a_contact_can_have_is_refused() {
    let lost = lost();
    let mut offers = Offers::new(OfferRoom::default());
    let large = vec![vec![7u8; 60_000]; 20];
    let mut outcome = Ok(Vec::new());
    for _ in 0..10 {
        let item = OfferItem {
            contact: lost.contact,
            evidence: Vec::new(),
            changes: large.clone(),
            more: true,
        };
        outcome = service::offer(
            &lost.world.engine,
            &Limits::DEFAULT,
            who(&lost.bert),
            &mut offers,
            vec![item],
        );
        if outcome.is_err() {
            break;
        }
    }
    assert!(matches!(outcome, Err(EngineError::Refused { code: "offer", .. })), "{outcome:?}");
    lost.anna_is_not_in_the_way();
}

#[test]
fn without_evidence_that_holds_nothing_of_others_is_taken() {
    let lost = lost();
    let changes = all_changes(&lost.item);
    let mut forged = lost.evidence.clone();
    forged.signature[7] ^= 1;
    let mut higher = lost.evidence.clone();
    higher.epoch += 1;
    // Of another contact; with the tips of this one put in.
    let mut moved = lost.other.1.clone();
    moved.tips = lost.evidence.tips.clone();
    for evidence in [vec![], vec![forged], vec![higher], vec![lost.other.1.clone()], vec![moved]] {
        let refused =
            offer(&lost.world, &lost.bert, vec![whole(lost.contact, evidence, changes.clone())]);
        assert_eq!(refused.len(), changes.len());
        assert!(refused.iter().all(|fate| fate.code == "foreign"), "{refused:?}");
        assert!(!lost.knows());
    }
    // They are kept, once each, under no name that anyone could need.
    let workspace = lost.world.workspace;
    let kept = lost
        .world
        .engine
        .read(|conn| changes::set_aside(conn, workspace, None, None, 100))
        .unwrap();
    assert_eq!(kept.len(), changes.len());
    assert!(kept.iter().all(|one| one.code == "foreign" && one.user == lost.bert.user));
    lost.anna_is_not_in_the_way();
}

#[test]
fn evidence_of_another_user_or_of_another_workspace_does_not_hold() {
    let lost = lost();
    let changes = all_changes(&lost.item);
    let carl = lost.world.rep("carl");
    let items = vec![whole(lost.contact, vec![lost.evidence.clone()], changes.clone())];
    assert_eq!(offer(&lost.world, &carl, items).len(), changes.len());
    assert!(!lost.knows(), "stolen evidence");
    // Another device of the same user may show it.
    let second = lost.world.device(lost.bert.user);
    let items = vec![whole(lost.contact, vec![lost.evidence.clone()], changes)];
    assert_eq!(offer(&lost.world, &second, items), []);
    lost.world.merged();
    assert!(lost.knows());
    // A server with another key.
    let stranger = World::new();
    let dora = stranger.rep("dora");
    let changes = all_changes(&lost.item);
    let items = vec![whole(lost.contact, vec![lost.evidence.clone()], changes.clone())];
    assert_eq!(offer(&stranger, &dora, items).len(), changes.len());
}

#[test]
fn a_change_after_the_tips_is_not_covered() {
    let lost = lost();
    let changes = all_changes(&lost.item);
    let mut doc = Automerge::new();
    doc.apply_changes(
        roadbook_protocol::document::bootstraps()
            .iter()
            .map(|b| Change::from_bytes(b.bytes.to_vec()).unwrap()),
    )
    .unwrap();
    doc.apply_changes(changes.iter().map(|bytes| Change::from_bytes(bytes.clone()).unwrap()))
        .unwrap();
    // Anna's device makes one more, of which no server has ever heard; Bert brings it along.
    let after = lost.anna.edit(lost.contact, &mut doc, &[set("company", "After")]);
    let mut offered = changes.clone();
    offered.push(after.bytes.clone());
    let items = vec![whole(lost.contact, vec![lost.evidence.clone()], offered)];
    let refused = offer(&lost.world, &lost.bert, items);
    assert_eq!(refused.iter().map(|fate| fate.hash).collect::<Vec<_>>(), [after.hash]);
    lost.world.merged();
    assert!(lost.knows(), "what is covered is taken all the same");
    assert_ne!(lost.world.company(lost.contact), "After");
    // And it is not in the way of Anna's own.
    lost.world.append(&lost.anna, std::slice::from_ref(&after));
    lost.world.merged();
    assert_eq!(lost.world.company(lost.contact), "After");
    lost.anna_is_not_in_the_way();
}

#[test]
fn a_statement_from_before_the_backup_gives_nobody_a_contact_back() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let contact = world.import(Some(anna.user), 1)[0];
    let assign = |add: Vec<_>, remove: Vec<_>| {
        let assign = Assign {
            contacts: vec![contact],
            owner: None,
            add_collaborators: add,
            remove_collaborators: remove,
        };
        world.engine.assign(world.workspace, None, assign).unwrap();
    };
    assign(vec![bert.user], vec![]);
    let (item, evidence) = received(&world, &bert).remove(&contact).unwrap();
    assign(vec![], vec![bert.user]);
    let changes = all_changes(&item);
    assert_eq!(offer(&world, &bert, vec![whole(contact, vec![evidence], changes)]), []);
    let (workspace, user) = (world.workspace, bert.user);
    let access =
        world.engine.read(|conn| contacts::access(conn, workspace, contact, user)).unwrap();
    assert_eq!(access, Some(Access::Removed));
    world.assert_clean();
}

#[test]
fn an_assignment_that_was_lost_comes_back_unless_there_is_a_newer_one() {
    for newer in [false, true] {
        let mut world = World::new();
        let (anna, bert, carl) = (world.rep("anna"), world.rep("bert"), world.rep("carl"));
        let contact = world.import(Some(anna.user), 1)[0];
        let file = world.dir.path().join("copy.backup");
        world.engine.backup(&file).unwrap();
        let give = |world: &World, user| {
            let assign = Assign {
                contacts: vec![contact],
                owner: Some(Some(user)),
                add_collaborators: vec![],
                remove_collaborators: vec![],
            };
            world.engine.assign(world.workspace, None, assign).unwrap();
        };
        give(&world, bert.user);
        let (item, evidence) = received(&world, &bert).remove(&contact).unwrap();
        world.engine.shutdown();
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(world.dir.path().join(format!("roadbook.db{suffix}")));
        }
        // Where the ledger is there, nobody's evidence is needed.
        std::fs::remove_file(world.dir.path().join("ledger")).unwrap();
        std::fs::copy(&file, world.dir.path().join("roadbook.db")).unwrap();
        world.restart();
        if newer {
            give(&world, carl.user);
        }
        let changes = all_changes(&item);
        assert_eq!(offer(&world, &bert, vec![whole(contact, vec![evidence], changes)]), []);
        let workspace = world.workspace;
        let found =
            world.engine.read(|conn| contacts::find(conn, workspace, contact)).unwrap().unwrap();
        let expected = if newer { carl.user } else { bert.user };
        assert_eq!((found.owner, found.epoch), (Some(expected), 2), "newer: {newer}");
        world.assert_clean();
    }
}
