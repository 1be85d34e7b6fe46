//! What arrives about an erased contact and never comes as far as the log (P10): it is kept nowhere,
//! and the device hears that the contact is erased.

use roadbook_protocol::ids::{ContactId, EditId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::Outcome;
use roadbook_protocol::wire::{Fate, OfferItem, Sealed, SealedEdit, UpChange};
use roadbook_server::engine::{EngineError, Erase};
use roadbook_server::sync::service::{self, Gated, Identity, OfferRoom, Offers};

use super::support::{TestDevice, World, set};

fn who(device: &TestDevice) -> Identity {
    Identity { workspace: device.workspace, device: device.id, user: device.user }
}

fn erase(world: &World, contact: ContactId) {
    let list = vec![Erase { contact, mentions: Vec::new() }];
    assert!(
        world.engine.erase(world.workspace, Some(world.office), list, "test").unwrap().scrubbed
    );
}

/// Everything that is kept of a contact in a table.
fn rows(world: &World, table: &str, contact: ContactId) -> i64 {
    let sql = format!("SELECT count(*) FROM {table} WHERE contact = ?");
    let count = |conn: &rusqlite::Connection| -> Result<i64, EngineError> {
        Ok(conn.query_row(&sql, [contact.as_bytes()], |row| row.get(0))?)
    };
    world.engine.read(count).unwrap()
}

/// Two edits of a device, the second of which was damaged on the way.
fn with_a_damaged_one(device: &TestDevice, contact: ContactId) -> Vec<UpChange> {
    let (_, mut made) = device.create(contact, 2);
    if let Some(byte) = made[1].bytes.last_mut() {
        *byte ^= 1;
    }
    made.into_iter().map(|made| UpChange { contact, bytes: made.bytes }).collect()
}

/// As the server does with a batch.
fn upload(world: &World, device: &TestDevice, changes: Vec<UpChange>) -> Vec<Outcome> {
    let Gated { admitted, mut refused, kept } = service::judge(changes, &Limits::DEFAULT);
    let appended = world
        .engine
        .append_blocking(roadbook_server::engine::AppendRequest {
            changes: admitted,
            ..device.request(&[])
        })
        .unwrap();
    let (who, now) = (who(device), world.engine.now_ms());
    let erased = world.engine.write(move |tx| service::keep(tx, who, &kept, now)).unwrap();
    service::note_erased(&mut refused, &erased);
    service::answer(refused, appended.outcomes, &appended.need)
}

#[test]
fn a_damaged_change_for_an_erased_contact_is_not_kept() {
    let world = World::new();
    let anna = world.rep("anna");
    let [erased, stays] = world.import(Some(anna.user), 2)[..] else { panic!("two contacts") };
    erase(&world, erased);
    let batch: Vec<UpChange> =
        [erased, stays].into_iter().flat_map(|id| with_a_damaged_one(&anna, id)).collect();
    let outcomes = upload(&world, &anna, batch);
    let fates: Vec<(Fate, &str)> =
        outcomes.iter().map(|outcome| (outcome.fate, outcome.code.as_str())).collect();
    assert_eq!(fates[0], (Fate::Erased, "erased"));
    assert_eq!(fates[1], (Fate::Erased, "erased"));
    assert_eq!(fates[3], (Fate::Quarantined, "checksum"), "of others it is kept");
    assert_eq!(rows(&world, "log", erased), 0);
    assert!(rows(&world, "log", stays) > 0);
    world.assert_clean();
}

#[test]
fn anothers_change_for_an_erased_contact_that_nothing_covers_is_not_kept() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let [erased, stays] = world.import(Some(anna.user), 2)[..] else { panic!("two contacts") };
    erase(&world, erased);
    let items = [erased, stays]
        .into_iter()
        .map(|contact| OfferItem {
            contact,
            evidence: Vec::new(),
            changes: anna.create(contact, 1).1.into_iter().map(|made| made.bytes).collect(),
            more: false,
        })
        .collect();
    let mut offers = Offers::new(OfferRoom::default());
    let refused =
        service::offer(&world.engine, &Limits::DEFAULT, who(&bert), &mut offers, items).unwrap();
    let fates: Vec<(Fate, &str)> =
        refused.iter().map(|fate| (fate.fate, fate.code.as_str())).collect();
    assert_eq!(fates, [(Fate::Erased, "erased"), (Fate::Quarantined, "foreign")]);
    assert_eq!(rows(&world, "log", erased), 0);
    assert!(rows(&world, "log", stays) > 0);
}

#[test]
fn a_sealed_edit_about_an_erased_contact_is_not_kept() {
    let world = World::new();
    let anna = world.rep("anna");
    let [erased, stays] = world.import(Some(anna.user), 2)[..] else { panic!("two contacts") };
    erase(&world, erased);
    let mut edits = Vec::new();
    for contact in [erased, stays] {
        let damaged = with_a_damaged_one(&anna, contact).swap_remove(1).bytes;
        // One that is damaged, and one that could not be made into a change.
        for bytes in [damaged, Vec::new()] {
            edits.push(SealedEdit {
                contact,
                hash: None,
                bytes,
                actor: Some(anna.actor),
                edit: Some(EditId::from_random(world.engine.random())),
                commands: serde_json::to_string(&[set("company", "Late")]).unwrap(),
                label: "set".to_owned(),
                at: anna.at,
                code: String::new(),
                reason: String::new(),
            });
        }
    }
    let key = world.engine.sealing_key(world.workspace).unwrap();
    let whose = (&anna.workspace, &anna.id, &anna.user);
    let bundle = EditId::from_random(world.engine.random());
    let sealed =
        Sealed::seal(whose, (bundle, 0, 1), edits, &key.key, world.engine.random()).unwrap();
    service::store_sealed(&world.engine, &Limits::DEFAULT, who(&anna), sealed).unwrap();
    for table in ["sealed_edit", "log"] {
        assert_eq!(rows(&world, table, erased), 0, "{table}");
    }
    assert_eq!(rows(&world, "sealed_edit", stays), 2);
}
