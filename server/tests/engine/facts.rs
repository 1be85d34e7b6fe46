//! What is counted of contacts is what their documents say, however it came there.

use std::collections::BTreeMap;

use roadbook_protocol::document::{self, Applied, Author, Collection, Command, EditOptions, Value};
use roadbook_protocol::ids::{ContactId, EntryId};
use roadbook_protocol::limits::Limits;
use roadbook_server::engine::{Assign, AuthorOutcome, Authored, EngineError, Erase};
use roadbook_server::store::facts;

use super::support::{Made, TestDevice, World, set};

/// A small deterministic generator.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next(all.len())]
    }
}

fn put(collection: Collection, id: EntryId, fields: &[(&str, Value)]) -> Command {
    let fields =
        fields.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect();
    Command::Put { collection, id, fields }
}

/// One random edit of a contact; entries are few, so that edits meet.
fn edit(dice: &mut Dice, now: i64) -> Vec<Command> {
    let id = EntryId::from_bytes([1 + dice.next(6) as u8; 16]);
    let at = now - dice.next(400) as i64 * 86_400_000;
    let date = format!("2026-{:02}-{:02}", 1 + dice.next(12), 1 + dice.next(28));
    let amount = Value::from(dice.next(100_000) as i64);
    let currency = Value::from(dice.of(&["EUR", "DKK"]));
    let collection = dice.of(&[
        Collection::Interactions,
        Collection::Purchases,
        Collection::Deals,
        Collection::Deals,
        Collection::Tasks,
        Collection::Consents,
    ]);
    if dice.next(8) == 0 {
        return vec![Command::Remove { collection, id }];
    }
    if dice.next(20) == 0 {
        let value = Some(Value::Bool(dice.next(2) == 0));
        return vec![Command::Set { field: "archived".to_owned(), value }];
    }
    let fields: Vec<(&str, Value)> = match collection {
        Collection::Interactions => vec![
            ("kind", dice.of(&["visit", "call", "survey"]).into()),
            ("at", at.into()),
            ("nps", (dice.next(11) as i64).into()),
            ("outcome", dice.of(&["Order", "Nobody there"]).into()),
        ],
        Collection::Purchases => {
            vec![("date", date.as_str().into()), ("amount", amount), ("currency", currency)]
        }
        Collection::Deals => vec![
            ("title", "Press".into()),
            ("stage", dice.of(&["lead", "qualified", "offer", "won", "lost"]).into()),
            ("amount", amount),
            ("currency", currency),
            ("probability", (dice.next(101) as i64).into()),
        ],
        Collection::Tasks => vec![
            ("text", "Call".into()),
            ("due", date.as_str().into()),
            ("done", (dice.next(2) == 0).into()),
        ],
        _ => vec![
            ("channel", dice.of(&["email", "phone"]).into()),
            ("state", dice.of(&["given", "withdrawn"]).into()),
            ("at", at.into()),
        ],
    };
    vec![put(collection, id, &fields)]
}

/// Everything that is counted, table by table, in an order of its own.
fn tables(world: &World) -> BTreeMap<&'static str, Vec<Vec<rusqlite::types::Value>>> {
    let mut all = BTreeMap::new();
    for table in ["interaction", "purchase", "deal", "deal_move", "task", "consent"] {
        let read = |conn: &rusqlite::Connection| -> Result<Vec<_>, EngineError> {
            let mut statement = conn.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3"))?;
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                (0..columns).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<_>>>()
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        all.insert(table, world.engine.read(read).unwrap());
    }
    all
}

fn rows(world: &World, table: &str, contact: ContactId) -> i64 {
    let sql =
        format!("SELECT count(*) FROM {table} WHERE n = (SELECT n FROM contact WHERE id = ?)");
    let count = |conn: &rusqlite::Connection| -> Result<i64, EngineError> {
        Ok(conn.query_row(&sql, [contact.as_bytes()], |row| row.get(0))?)
    };
    world.engine.read(count).unwrap()
}

/// Two devices edit a contact without knowing of each other. Returns how many edits that were.
fn meet(world: &World, devices: [&TestDevice; 2], contact: ContactId, dice: &mut Dice) -> usize {
    let base = world.engine.document(world.workspace, contact).unwrap();
    let mut edits = 0;
    for device in devices {
        let commands = edit(dice, world.engine.now_ms());
        let author = Author { by: device.user, at: world.engine.now_ms() };
        let (options, limits) = (EditOptions::default(), Limits::DEFAULT);
        let mut doc = base.clone();
        let done = document::apply(&mut doc, device.actor, &commands, &author, &options, &limits);
        // An entry that is not there can't be removed, and what is so already is no edit.
        if let Ok(Applied::Change { hash, bytes }) = done {
            world.append(device, &[Made { contact, hash, bytes }]);
            edits += 1;
        }
    }
    edits
}

#[test]
fn totals_kept_edit_by_edit_are_those_of_a_rebuild_after_10_000_random_edits() {
    let mut world = World::new();
    let phone = world.rep("anna");
    let laptop = world.device(phone.user);
    let contacts = world.import(Some(phone.user), 400);
    let mut dice = Dice(0x5eed_0000_0000_0017);
    let mut edits = 0;
    while edits < 10_000 {
        let items: Vec<Authored> = contacts
            .iter()
            .map(|id| Authored::edit(*id, edit(&mut dice, world.engine.now_ms())))
            .collect();
        for outcome in world.engine.author(world.workspace, world.office, items).unwrap() {
            edits += usize::from(matches!(outcome, AuthorOutcome::Merged { .. }));
        }
        for contact in &contacts[..40] {
            edits += meet(&world, [&phone, &laptop], *contact, &mut dice);
        }
        world.merged();
        world.clock.0.fetch_add(3_600_000, std::sync::atomic::Ordering::SeqCst);
    }
    let before = tables(&world);
    for (table, rows) in &before {
        assert!(rows.len() > 50, "{table} has {} rows", rows.len());
    }
    world.assert_clean();
    world.engine.write(facts::forget).unwrap();
    assert!(!world.engine.check().unwrap().is_clean(), "the check sees that they are gone");
    world.restart();
    assert_eq!(tables(&world), before, "made anew from the documents");
    world.assert_clean();
}

#[test]
fn a_hand_over_changes_nothing_that_is_counted_and_an_erasure_takes_all_of_it() {
    let world = World::new();
    let (anna, bert) =
        (world.user("anna", roadbook_server::store::people::Role::Rep), world.rep("bert"));
    let [gone, stays] = world.import(Some(anna), 2)[..] else { panic!("two contacts") };
    let (id, at) = (EntryId::from_bytes([1; 16]), world.engine.now_ms());
    let all = [
        put(Collection::Interactions, id, &[("kind", "visit".into()), ("at", at.into())]),
        put(
            Collection::Purchases,
            id,
            &[("date", "2026-05-01".into()), ("amount", 5.into()), ("currency", "EUR".into())],
        ),
        put(Collection::Deals, id, &[("title", "Press".into()), ("stage", "lead".into())]),
        put(Collection::Tasks, id, &[("text", "Call".into())]),
        put(Collection::Consents, id, &[("channel", "email".into()), ("state", "given".into())]),
    ];
    for contact in [gone, stays] {
        world.office_edit(contact, all.to_vec());
    }
    let before = tables(&world);
    let assign = Assign { contacts: vec![gone], owner: Some(Some(bert.user)), ..Assign::default() };
    world.engine.assign(world.workspace, Some(world.office), assign).unwrap();
    assert_eq!(tables(&world), before);
    world.office_edit(gone, vec![set("company", "Another name")]);
    assert_eq!(tables(&world), before);
    let list = vec![Erase { contact: gone, mentions: Vec::new() }];
    world.engine.erase(world.workspace, Some(world.office), list, "test").unwrap();
    for table in ["interaction", "purchase", "deal", "deal_move", "task", "consent"] {
        assert_eq!(rows(&world, table, gone), 0, "{table}");
        assert_eq!(rows(&world, table, stays), 1, "{table}");
    }
    world.assert_clean();
}
