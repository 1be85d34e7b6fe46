//! The sealed copies of a device whose key is lost, handed over by another device of its user (rule 17):
//! judged as what the lost device would have sent; and refused where it can't have made them.

use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::ids::{DeviceId, EditId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    CopiedPart, CopiesHeader, Origin, SEALED_PARTS_MAX, Sealed, SealedEdit, SealedStored,
    copy_key_text, copy_text,
};
use roadbook_server::engine::{Assign, Erase};
use roadbook_server::store::people::{self, Role};
use roadbook_server::store::{changes, wipes};
use roadbook_server::sync::service::{self, Identity};

use super::support::{Made, TestDevice, World, key_of, set};

fn who(device: &TestDevice) -> Identity {
    Identity { workspace: device.workspace, device: device.id, user: device.user }
}

fn edits(device: &TestDevice, changes: &[Made]) -> Vec<SealedEdit> {
    let edit = |(n, made): (u8, &Made)| SealedEdit {
        contact: made.contact,
        hash: Some(made.hash),
        bytes: made.bytes.clone(),
        actor: Some(device.actor),
        edit: Some(EditId::from_random([n; 16])),
        commands: r#"[{"set":{"field":"company"}}]"#.to_owned(),
        label: "set".to_owned(),
        at: device.at,
        code: String::new(),
        reason: String::new(),
    };
    (0..).zip(changes).map(edit).collect()
}

/// One part, as a device keeps it.
fn copy(world: &World, device: &TestDevice, changes: &[Made]) -> Sealed {
    copy_under(world, device, changes, &key_of(device.id))
}

/// The same with this key in the place of the device's own.
fn copy_under(
    world: &World,
    device: &TestDevice,
    changes: &[Made],
    own: &Ed25519KeyPair,
) -> Sealed {
    let TestDevice { workspace, user, id: device_id, .. } = *device;
    let sealing = world.engine.sealing_key(workspace).unwrap().key;
    let copying = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let key = copying.public_key().as_ref().to_vec();
    let text = copy_key_text(&workspace, &device_id, &user, &key);
    let vouched = own.sign(&text).as_ref().to_vec();
    let bundle = EditId::from_random(world.engine.random());
    let whose = (&workspace, &device_id, &user);
    let place = (bundle, 0, SEALED_PARTS_MAX);
    let sealed =
        Sealed::seal(whose, place, edits(device, changes), &sealing, world.engine.random())
            .unwrap();
    let signature = copying.sign(&copy_text(bundle, 0, &sealing, &sealed.bytes)).as_ref().to_vec();
    let header =
        CopiesHeader { workspace, device: device_id, user, sealed_to: sealing, key, vouched };
    let part = CopiedPart {
        bundle,
        part: 0,
        edits: sealed.edits,
        tags: Vec::new(),
        bytes: sealed.bytes,
        signature,
    };
    part.into_sealed(&header)
}

fn hand_over(world: &World, by: &TestDevice, sealed: Sealed) -> SealedStored {
    let stored = service::store_sealed(&world.engine, &Limits::DEFAULT, who(by), sealed).unwrap();
    world.merged();
    stored
}

fn counts(stored: &SealedStored) -> (u32, u32, u32) {
    assert_eq!((stored.code.as_str(), stored.confirmed), ("", false));
    (stored.taken, stored.proposed, stored.kept)
}

fn is_known(world: &World, made: &Made) -> bool {
    let found =
        world.engine.read(|conn| changes::find(conn, world.workspace, made.contact, &made.hash));
    found.unwrap().is_some()
}

/// A rep with a phone whose key is lost and the one that takes its place; a contact of theirs, and an
/// edit of it that was not sent.
struct Scene {
    world: World,
    lost: TestDevice,
    new: TestDevice,
    made: Vec<Made>,
    unsent: Made,
}

impl Scene {
    fn new() -> Scene {
        let world = World::new();
        let lost = world.rep("anna");
        let new = world.device(lost.user);
        let contact = world.contact_id();
        let (mut doc, made) = lost.create(contact, 2);
        world.append(&lost, &made);
        world.merged();
        let unsent = lost.edit(contact, &mut doc, &[set("company", "Unsent")]);
        Scene { world, lost, new, made, unsent }
    }
}

#[test]
fn what_the_user_still_holds_becomes_part_of_the_contact_and_once_only() {
    let Scene { world, lost, new, made, unsent } = Scene::new();
    let fresh = world.contact_id();
    let (_, created) = lost.create(fresh, 2);
    // One that had arrived before the key was lost, one that had not, and a contact nobody else knows.
    let changes = [vec![made[1].clone(), unsent.clone()], created].concat();
    let sealed = copy(&world, &lost, &changes);
    let stored = hand_over(&world, &new, sealed.clone());
    assert_eq!(counts(&stored), (4, 0, 0));
    assert_eq!(world.company(unsent.contact), "Unsent");
    assert_eq!(world.company(fresh), "Edit 1");
    // Again, and in another part: it is there once.
    assert_eq!(counts(&hand_over(&world, &new, sealed)), (0, 0, 0));
    let again = copy(&world, &lost, &changes);
    assert_eq!(counts(&hand_over(&world, &new, again)), (4, 0, 0));
    let standing =
        world.engine.read(|conn| wipes::standing(conn, world.workspace, lost.id)).unwrap();
    assert_eq!((standing.recovered, standing.unopened), (8, 0), "under the device that made them");
    world.assert_clean();
}

#[test]
fn what_was_handed_to_somebody_else_waits_for_a_decision() {
    let Scene { world, lost, new, unsent, .. } = Scene::new();
    let ben = world.rep("ben");
    let assign =
        Assign { contacts: vec![unsent.contact], owner: Some(Some(ben.user)), ..Assign::default() };
    world.engine.assign(world.workspace, Some(world.office), assign).unwrap();
    let stored = hand_over(&world, &new, copy(&world, &lost, std::slice::from_ref(&unsent)));
    assert_eq!(counts(&stored), (0, 1, 0));
    assert_eq!(world.company(unsent.contact), "Edit 1", "the new owner decides");
    // A contact that was never theirs: nobody decides, nothing is lost.
    let others = world.contact_id();
    let (mut doc, changes) = ben.create(others, 1);
    world.append(&ben, &changes);
    world.merged();
    let meant = lost.edit(others, &mut doc, &[set("company", "Not mine")]);
    let stored = hand_over(&world, &new, copy(&world, &lost, &[meant]));
    assert_eq!(counts(&stored), (0, 0, 1));
    let kept = world.engine.read(|conn| wipes::kept(conn, world.workspace, Some(lost.id))).unwrap();
    assert_eq!((kept.len(), kept[0].edit.code.as_str()), (1, "not_yours"));
    world.assert_clean();
}

#[test]
fn of_a_revoked_device_everything_waits_for_a_decision() {
    for lost_one in [true, false] {
        let Scene { world, lost, new, unsent, .. } = Scene::new();
        let revoked = if lost_one { lost.id } else { new.id };
        world.engine.revoke(world.workspace, None, revoked).unwrap();
        let (_, created) = lost.create(world.contact_id(), 1);
        let changes = [vec![unsent.clone()], created].concat();
        let stored = hand_over(&world, &new, copy(&world, &lost, &changes));
        assert_eq!(counts(&stored), (0, 2, 0));
        assert_eq!(world.company(unsent.contact), "Edit 1");
        world.assert_clean();
    }
}

#[test]
fn what_stands_on_a_change_that_never_came_waits_for_a_decision_and_for_nothing_else() {
    let Scene { world, lost, new, .. } = Scene::new();
    let contact = world.contact_id();
    let (mut doc, made) = lost.create(contact, 1);
    world.append(&lost, &made);
    world.merged();
    let _never_came = lost.edit(contact, &mut doc, &[set("company", "Gone")]);
    let stands_on_it = lost.edit(contact, &mut doc, &[set("job_title", "Here")]);
    let stored = hand_over(&world, &new, copy(&world, &lost, &[stands_on_it]));
    assert_eq!(counts(&stored), (0, 1, 0));
    world.assert_clean();
}

#[test]
fn nothing_of_an_erased_contact_is_taken() {
    let Scene { world, lost, new, unsent, .. } = Scene::new();
    let list = vec![Erase { contact: unsent.contact, mentions: Vec::new() }];
    world.engine.erase(world.workspace, Some(world.office), list, "test").unwrap();
    let stored = hand_over(&world, &new, copy(&world, &lost, std::slice::from_ref(&unsent)));
    assert_eq!(counts(&stored), (0, 0, 0));
    assert!(!is_known(&world, &unsent));
    let kept = world.engine.read(|conn| wipes::kept(conn, world.workspace, None)).unwrap();
    assert!(kept.is_empty());
}

#[test]
fn a_part_that_the_device_did_not_make_is_refused_and_nothing_of_it_is_taken() {
    let Scene { world, lost, new, unsent, .. } = Scene::new();
    let ben = world.device(world.user("ben", Role::Rep));
    let true_one = copy(&world, &lost, std::slice::from_ref(&unsent));
    let origin = true_one.origin.clone().unwrap();
    let with = |origin: Origin| Sealed { origin: Some(origin), ..true_one.clone() };
    // A thief of nothing but the file knows all of it; what he makes himself he can't sign.
    let own_key = copy_under(&world, &lost, std::slice::from_ref(&unsent), &key_of(new.id));
    let nobody = DeviceId::from_random([3; 16]);
    for (what, by, sealed, code) in [
        ("another user's", &ben, true_one.clone(), "not_yours"),
        ("vouched for by another device", &new, own_key, "forged"),
        ("said to be one's own", &ben, with(Origin { device: ben.id, ..origin.clone() }), "forged"),
        (
            "said to be the new device's",
            &new,
            with(Origin { device: new.id, ..origin.clone() }),
            "forged",
        ),
        (
            "of a device that is not known",
            &new,
            with(Origin { device: nobody, ..origin.clone() }),
            "unknown_device",
        ),
        (
            "without a word for its key",
            &new,
            with(Origin { vouched: Vec::new(), ..origin.clone() }),
            "forged",
        ),
        (
            "without a signature",
            &new,
            with(Origin { signature: vec![0; 64], ..origin.clone() }),
            "forged",
        ),
        ("at another place", &new, Sealed { part: 7, ..true_one.clone() }, "forged"),
        (
            "of another bundle",
            &new,
            Sealed { bundle: EditId::from_random([1; 16]), ..true_one.clone() },
            "forged",
        ),
        ("sealed to another key", &new, Sealed { key: vec![1; 32], ..true_one.clone() }, "forged"),
        ("with another text", &new, Sealed { bytes: vec![0; 100], ..true_one.clone() }, "forged"),
    ] {
        let stored = hand_over(&world, by, sealed);
        assert_eq!(stored.code, code, "{what}: {stored:?}");
        assert!(!stored.reason.is_empty(), "{what}");
        assert!(!is_known(&world, &unsent), "{what}");
    }
    for device in [lost.id, new.id, ben.id] {
        let held = world.engine.read(|conn| wipes::count_parts(conn, world.workspace, device));
        assert_eq!(held.unwrap(), 0, "nothing is kept of what is refused");
    }
    assert_eq!(counts(&hand_over(&world, &new, true_one)), (1, 0, 0));
}

/// A device's own copies may name whom they like inside: gate 1 and the log judge as ever.
#[test]
fn what_another_made_is_not_taken_from_ones_own_copies() {
    let Scene { world, lost, new, made, .. } = Scene::new();
    let ben = world.rep("ben");
    let contact = made[0].contact;
    let mut doc = roadbook_protocol::document::new_document();
    doc.apply_changes(
        made.iter().map(|made| automerge::Change::from_bytes(made.bytes.clone()).unwrap()),
    )
    .unwrap();
    let by_ben = ben.edit(contact, &mut doc.clone(), &[set("company", "By Ben")]);
    let as_ben = TestDevice { user: ben.user, ..lost.clone() };
    let in_his_name = as_ben.edit(contact, &mut doc, &[set("company", "In his name")]);
    world.append(&ben, &ben.create(world.contact_id(), 1).1);
    let stored = hand_over(&world, &new, copy(&world, &lost, &[by_ben, in_his_name]));
    assert_eq!(counts(&stored), (0, 0, 2));
    assert_eq!(world.company(contact), "Edit 1");
    world.assert_clean();
}

/// Nobody gets to write by losing a key: who may read only is refused as ever, and what they made is kept.
#[test]
fn of_somebody_who_only_reads_nothing_becomes_part_of_a_contact() {
    let Scene { world, lost, new, unsent, .. } = Scene::new();
    let (workspace, user) = (world.workspace, lost.user);
    world
        .engine
        .write(move |tx| people::update_user(tx, workspace, user, None, Some(Role::ReadOnly), None))
        .unwrap();
    let fresh = world.contact_id();
    let (_, created) = lost.create(fresh, 1);
    let changes = [vec![unsent.clone()], created].concat();
    let stored = hand_over(&world, &new, copy(&world, &lost, &changes));
    assert_eq!((stored.taken, stored.proposed), (0, 0), "{stored:?}");
    assert!(stored.kept >= 2, "{stored:?}");
    assert_eq!(world.company(unsent.contact), "Edit 1");
    world.assert_clean();
}
