//! Documents of strangers: wrong types everywhere, fields of the future, nesting.

use automerge::transaction::Transactable;
use automerge::{ObjType, ROOT, ReadDoc, ScalarValue};
use proptest::prelude::*;

use super::super::bootstrap::{collection_map, custom_map, note_text, tags_map};
use super::*;

fn everything(doc: &Automerge) {
    let contact = read(ID, doc);
    let row = crate::projection::project(ID, doc);
    assert!(!contact.display_name.is_empty());
    assert_eq!(contact.display_name, row.display_name);
    let json = serde_json::to_string(&contact).unwrap();
    assert_eq!(serde_json::from_str::<Contact>(&json).unwrap(), contact);
    let json = serde_json::to_string(&row).unwrap();
    assert_eq!(serde_json::from_str::<crate::projection::Row>(&json).unwrap(), row);
    read_with_deleted(ID, doc);
    authorship(doc);
    conflicts(ID, doc);
    let _ = content_hash(doc, None);
    for item in history(ID, doc, 100) {
        let _ = inverse(doc, item.change.parse().unwrap());
    }
    heads_before(doc, 0);
    note_splices(doc, "new");
}

fn hostile(write: impl FnOnce(&mut automerge::transaction::Transaction<'_>)) -> Replica {
    let mut rep = Replica::new(1);
    rep.edit(&[set("company", "A"), phone(1, "12")]);
    let mut stranger = rep.fork(2);
    let mut tx = stranger.doc.transaction();
    write(&mut tx);
    tx.commit();
    everything(&stranger.doc);
    rep.set("company", "B");
    rep.edit(&[phone(1, "34")]);
    rep.merge(&mut stranger);
    everything(&rep.doc);
    // The contact stays editable.
    rep.edit(&[set("company", "C"), phone(1, "56"), phone(2, "78")]);
    everything(&rep.doc);
    let contact = rep.read();
    assert_eq!(contact.text("company"), "C");
    assert!(contact.phones.iter().any(|phone| phone.text("number") == "56"));
    rep
}

#[test]
fn fields_of_a_newer_version_are_kept_and_shown() {
    let rep = hostile(|tx| {
        tx.put(ROOT, "shoe_size", 42).unwrap();
        let (_, map) =
            tx.get(collection_map(Collection::Phones), entry_id(1).to_string()).unwrap().unwrap();
        tx.put(&map, "carrier", "TDC").unwrap();
        tx.put(&map, "verified", true).unwrap();
        tx.put_object(ROOT, "pets", ObjType::Map).unwrap();
    });
    let contact = rep.read();
    assert_eq!(contact.fields["shoe_size"], 42.into());
    let phone = contact.phones.iter().find(|phone| phone.id == entry_id(1)).unwrap();
    assert_eq!(phone.fields["carrier"], "TDC".into());
    assert_eq!(phone.fields["verified"], true.into());
    assert!(!contact.fields.contains_key("pets"));
    assert_eq!(crate::projection::project(ID, &rep.doc).fields["shoe_size"], 42.into());
}

#[test]
fn a_conflict_in_a_field_of_a_newer_version_can_be_decided_but_none_invented() {
    let mut a = Replica::new(1);
    a.set("company", "A");
    let mut b = a.fork(2);
    for (rep, size) in [(&mut a, 41), (&mut b, 42)] {
        let mut tx = rep.doc.transaction();
        tx.put(ROOT, "shoe_size", size).unwrap();
        tx.commit();
    }
    a.sync(&mut b);
    assert_eq!(a.conflicts()[0].field, "shoe_size");
    a.edit(&[Command::Resolve { field: "shoe_size".into(), value: Some(41.into()) }]);
    a.sync(&mut b);
    assert!(b.conflicts().is_empty());
    assert_eq!(b.read().fields["shoe_size"], 41.into());
}

#[test]
fn content_that_is_not_shown_counts_in_the_hash() {
    let mut a = Replica::new(1);
    a.set("company", "A");
    let before = content_hash(&a.doc, None);
    let shown = a.read();
    let mut tx = a.doc.transaction();
    let pets = tx.put_object(ROOT, "pets", ObjType::List).unwrap();
    tx.insert(&pets, 0, ScalarValue::Bytes(vec![1, 2])).unwrap();
    tx.commit();
    assert_eq!(a.read(), shown);
    assert_ne!(content_hash(&a.doc, None), before);
}

#[test]
fn containers_that_a_stranger_overwrites_are_still_read_and_written() {
    let rep = hostile(|tx| {
        for key in ["phones", "tags", "custom", "external_ids", "note", "tasks"] {
            tx.put(ROOT, key, "gone").unwrap();
        }
        for key in ["emails", "deals"] {
            tx.put_object(ROOT, key, ObjType::Map).unwrap();
            tx.delete(ROOT, key).unwrap();
        }
    });
    let contact = rep.read();
    assert_eq!(contact.phones.len(), 2);
    assert_eq!(contact.note, "");
    assert!(!contact.fields.contains_key("phones"));
}

#[test]
fn wrong_types_are_left_out() {
    let rep = hostile(|tx| {
        tx.put_object(ROOT, "company", ObjType::Map).unwrap();
        tx.put(ROOT, "id", "other").unwrap();
        tx.put(ROOT, "display_name", "other").unwrap();
        tx.put(ROOT, "latitude", f64::NAN).unwrap();
        tx.put(ROOT, "longitude", f64::INFINITY).unwrap();
        tx.put(ROOT, "bytes", ScalarValue::Bytes(vec![0; 9])).unwrap();
        tx.put(ROOT, "huge", u64::MAX).unwrap();
        tx.put(ROOT, "counter", ScalarValue::counter(5)).unwrap();
        tx.put(ROOT, "", "no name").unwrap();
        let phones = collection_map(Collection::Phones);
        tx.put(&phones, entry_id(9).to_string(), "not a map").unwrap();
        tx.put_object(&phones, "not an id", ObjType::Map).unwrap();
        // Another spelling of an id that is there.
        let map = tx.put_object(&phones, entry_id(1).to_string().to_uppercase(), ObjType::Map);
        tx.put(map.unwrap(), "number", "666").unwrap();
        let own = tx.put_object(&phones, entry_id(8).to_string(), ObjType::Map).unwrap();
        tx.put(&own, "id", "666").unwrap();
        tx.put(&own, "number", 5).unwrap();
        tx.put_object(&own, "label", ObjType::List).unwrap();
        tx.put(tags_map(), "t", ScalarValue::Null).unwrap();
        tx.put(tags_map(), "u", i64::MAX).unwrap();
        tx.put_object(tags_map(), "v", ObjType::Map).unwrap();
        tx.put_object(custom_map(), "c", ObjType::Text).unwrap();
    });
    let contact = rep.read();
    assert_eq!(contact.id, ID);
    assert_eq!(contact.display_name, "C");
    assert_eq!(contact.tags, ["u"]);
    assert!(contact.phones.iter().all(|phone| phone.text("number") != "666"));
    assert_eq!(contact.fields["counter"], 5.into());
    for field in ["latitude", "longitude", "bytes", "huge"] {
        assert!(!contact.fields.contains_key(field), "{field}");
    }
    let mut rep = rep;
    rep.edit(&[Command::Tag { tag: "u".into(), at: 5 }]);
}

#[test]
fn an_entry_that_a_stranger_replaced_by_a_scalar_can_be_written_again() {
    hostile(|tx| {
        tx.put(collection_map(Collection::Phones), entry_id(1).to_string(), 5).unwrap();
    });
    hostile(|tx| {
        tx.delete(collection_map(Collection::Phones), entry_id(1).to_string()).unwrap();
    });
}

#[test]
fn deep_nesting_is_hashed_to_a_bound() {
    hostile(|tx| {
        let mut obj = ROOT;
        for _ in 0..200 {
            obj = tx.put_object(&obj, "deeper", ObjType::Map).unwrap();
        }
    });
}

#[test]
fn marks_and_blocks_and_long_elements_in_the_note_do_not_matter() {
    let mut rep = hostile(|tx| {
        let note = note_text();
        tx.splice_text(&note, 0, 0, "hello world").unwrap();
        tx.insert(&note, 5, "several characters in one").unwrap();
        tx.split_block(&note, 3).unwrap();
        tx.insert(&note, 2, 5).unwrap();
    });
    for text in ["hello", "hello you", ""] {
        let splices = note_splices(&rep.doc, text);
        let _ = rep.try_edit(&[Command::EditNote { splices }]);
        everything(&rep.doc);
    }
}

#[test]
fn changes_without_our_message_are_nobodys() {
    let mut rep = Replica::new(1);
    let mut tx = rep.doc.transaction();
    tx.put(ROOT, "company", "A").unwrap();
    tx.commit_with(automerge::transaction::CommitOptions::default().with_message("{\"by\":5}"));
    everything(&rep.doc);
    assert_eq!(authorship(&rep.doc)["company"].author, UserId::from_bytes([0; 16]));
    assert_eq!(history(ID, &rep.doc, 10)[0].command, "");
    assert_eq!(heads_before(&rep.doc, i64::MAX), [bootstraps()[0].hash]);
    everything(&Automerge::new());
}

#[derive(Debug, Clone)]
enum Mischief {
    Put(usize, usize, i64),
    Make(usize, usize, u8),
    Delete(usize, usize),
    Text(usize, usize, usize, String),
    Honest(u8),
    Merge,
}

fn mischief() -> impl Strategy<Value = Mischief> {
    prop_oneof![
        4 => (0..20usize, 0..12usize, any::<i64>()).prop_map(|(o, k, v)| Mischief::Put(o, k, v)),
        3 => (0..20usize, 0..12usize, 0..3u8).prop_map(|(o, k, t)| Mischief::Make(o, k, t)),
        2 => (0..20usize, 0..12usize).prop_map(|(o, k)| Mischief::Delete(o, k)),
        2 => (0..20usize, 0..9usize, 0..5usize, "[a日 ]{0,5}")
            .prop_map(|(o, a, d, t)| Mischief::Text(o, a, d, t)),
        2 => any::<u8>().prop_map(Mischief::Honest),
        1 => Just(Mischief::Merge),
    ]
}

fn scalar(n: i64) -> ScalarValue {
    match n.rem_euclid(9) {
        0 => ScalarValue::Null,
        1 => ScalarValue::Boolean(n % 2 == 0),
        2 => ScalarValue::Int(n),
        3 => ScalarValue::Uint(n.unsigned_abs()),
        4 => ScalarValue::F64(f64::from_bits(n as u64)),
        5 => ScalarValue::counter(n / 4),
        6 => ScalarValue::Timestamp(n),
        7 => ScalarValue::Bytes(n.to_be_bytes().to_vec()),
        _ => ScalarValue::Str(format!("text {n}").into()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn nothing_that_a_stranger_writes_makes_reading_or_editing_panic(
        steps in proptest::collection::vec((any::<bool>(), mischief()), 1..40),
    ) {
        let id = entry_id(1).to_string();
        let keys = [
            "company", "phones", "note", "tags", "deleted", "number", "vip", "amount", "at", "",
            id.as_str(), "status",
        ];
        let mut a = Replica::new(1);
        a.edit(&[set("company", "A"), phone(1, "12")]);
        let mut b = a.fork(2);
        let mut objects = vec![
            ROOT, collection_map(Collection::Phones), tags_map(), custom_map(), note_text(),
            a.doc.get(collection_map(Collection::Phones), &id).unwrap().unwrap().1,
        ];
        for (which, step) in steps {
            let rep = if which { &mut a } else { &mut b };
            let mut tx = rep.doc.transaction();
            match step {
                Mischief::Put(obj, key, n) => {
                    let obj = &objects[obj % objects.len()];
                    let _ = tx.put(obj, keys[key], scalar(n));
                    let _ = tx.insert(obj, key, scalar(n));
                }
                Mischief::Make(obj, key, kind) => {
                    let kind = [ObjType::Map, ObjType::List, ObjType::Text][usize::from(kind)];
                    if let Ok(obj) = tx.put_object(&objects[obj % objects.len()], keys[key], kind) {
                        objects.push(obj);
                    }
                }
                Mischief::Delete(obj, key) => {
                    let _ = tx.delete(&objects[obj % objects.len()], keys[key]);
                }
                Mischief::Text(obj, at, delete, text) => {
                    let obj = &objects[obj % objects.len()];
                    let _ = tx.splice_text(obj, at, delete as isize, &text);
                }
                Mischief::Honest(n) => {
                    drop(tx);
                    let honest = [
                        set("company", format!("c{n}")),
                        phone(n % 3, "34"),
                        Command::Remove { collection: Collection::Phones, id: entry_id(n % 3) },
                        Command::Restore { collection: Collection::Phones, id: entry_id(n % 3) },
                        Command::Tag { tag: "vip".into(), at: i64::from(n) },
                        Command::EditNote { splices: note_splices(&rep.doc, &format!("note {n}")) },
                    ];
                    let _ = rep.try_edit(&honest[usize::from(n) % honest.len()..]);
                    continue;
                }
                Mischief::Merge => {
                    drop(tx);
                    a.merge(&mut b);
                    continue;
                }
            }
            tx.commit();
        }
        a.merge(&mut b);
        b.merge(&mut a);
        everything(&a.doc);
        assert_same(&a.doc, &b.doc);
        a.conflicts();
        for conflict in conflicts(ID, &a.doc) {
            let value = conflict.values[0].value.clone();
            let _ = a.try_edit(&[Command::Resolve { field: conflict.field, value }]);
        }
    }
}
