//! A document is begun anew (rule 25): the same contact, without its past.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ObjType, ROOT, ReadDoc, ScalarValue};

use super::*;
use crate::guard;

fn second(doc: &Automerge) -> Automerge {
    rewrite(ID, doc, &how(2), &Limits::DEFAULT).unwrap()
}

fn how(generation: u64) -> Rewrite {
    Rewrite { generation, strip_deleted: false, replaced: Vec::new() }
}

/// What a person sees of authors: who and when, by path.
fn authors(doc: &Automerge) -> BTreeMap<String, (UserId, i64)> {
    authorship(doc).into_iter().map(|(path, who)| (path, (who.author, who.at))).collect()
}

/// A value of a field, by whom, when, and whether it is shown.
type Side = (Option<Value>, UserId, i64, bool);

fn sides(doc: &Automerge) -> Vec<(String, Vec<Side>)> {
    conflicts(ID, doc)
        .into_iter()
        .map(|conflict| {
            let sides = conflict.values.into_iter();
            (conflict.field, sides.map(|s| (s.value, s.author, s.at, s.shown)).collect())
        })
        .collect()
}

fn assert_same_contact(old: &Automerge, new: &Automerge) {
    assert_eq!(read_with_deleted(ID, old), read_with_deleted(ID, new));
    assert_eq!(sides(old), sides(new));
    assert_eq!(authors(old), authors(new));
    assert_eq!(crate::projection::project(ID, old), crate::projection::project(ID, new));
    assert_eq!(
        canonical::content_hash_of_any_generation(old),
        canonical::content_hash_of_any_generation(new)
    );
}

/// Two users, all kinds of fields, edits over edits, a deleted entry, all kinds of conflicts.
fn rich() -> Replica {
    let mut a = Replica::new(1);
    a.edit(&[set("given_name", "Ada"), phone(1, "1"), phone(2, "2"), phone(3, "3")]);
    for n in 0..30 {
        a.set("company", format!("Company {n}"));
    }
    a.edit(&[Command::Tag { tag: "vip".into(), at: 5 }]);
    a.edit(&[Command::Custom { name: "size".into(), value: Some(Value::Number(1.5)) }]);
    a.edit(&[Command::ExternalId { system: "erp".into(), id: Some("17".into()) }]);
    a.note("First line.\nZweite Zeile – grün.");
    a.edit(&[Command::Remove { collection: Collection::Phones, id: entry_id(1) }]);
    a.edit(&[Command::Set { field: "company".into(), value: None }]);
    let mut b = a.fork(2);
    let mut c = a.fork(3);
    a.set("job_title", "Buyer");
    b.set("job_title", "Boss");
    c.set("job_title", "Clerk");
    a.set("website", "a.example");
    b.set("website", "b.example");
    // Deleted by one, changed by another.
    a.edit(&[Command::Remove { collection: Collection::Phones, id: entry_id(2) }]);
    b.edit(&[phone(2, "22")]);
    // Made by two.
    b.edit(&[phone(9, "9")]);
    c.edit(&[phone(9, "99")]);
    b.edit(&[Command::Tag { tag: "both".into(), at: 7 }]);
    c.edit(&[Command::Tag { tag: "both".into(), at: 8 }]);
    b.note("First line.\nZweite Zeile – grün. Und B.");
    a.merge(&mut b);
    a.merge(&mut c);
    a
}

#[test]
fn the_fresh_document_is_the_same_contact_with_its_conflicts_and_authors() {
    let a = rich();
    assert!(a.conflicts().len() >= 4, "{:?}", a.conflicts());
    let new = second(&a.doc);
    assert_same_contact(&a.doc, &new);
    assert_eq!(new.get_heads().len(), 1);
    assert_eq!(generation(&a.doc).number, 1);
    let found = generation(&new);
    assert_eq!(generation_count(found.number), 2);
    assert!(found.complete);
    // It knows each edit that it stands for, and no other.
    let edits = generation(&a.doc).edits(&a.doc);
    let built_in = bootstraps().iter().filter(|b| a.doc.get_change_by_hash(&b.hash).is_some());
    assert_eq!(edits.len() + built_in.count(), changes(&a.doc));
    assert_eq!(found.carried, edits);
    assert_eq!(found.edits(&new), edits);
    assert!(a.doc.get_heads().iter().all(|head| found.holds(&new, head)));
    assert!(!found.holds(&new, &ChangeHash([7; 32])));
    // The company was written 31 times and is empty.
    assert!(changes(&new) < changes(&a.doc), "{} {}", changes(&new), changes(&a.doc));
    let text = String::from_utf8_lossy(&new.save_nocompress()).into_owned();
    assert!(!text.contains("Company 7") && text.contains("Boss"));
    // The same document, wherever it is made.
    assert_eq!(new.save_nocompress(), second(&a.doc).save_nocompress());
}

#[test]
fn a_third_generation_follows_and_stands_for_the_first_too() {
    let a = rich();
    let fresh = second(&a.doc);
    let mut again = Replica { doc: fresh.clone(), ..Replica::new(5) };
    again.set("company", "New");
    let third = rewrite(ID, &again.doc, &how(3), &Limits::DEFAULT).unwrap();
    assert_same_contact(&again.doc, &third);
    let found = generation(&third);
    assert_eq!(generation_count(found.number), 3);
    // What the second rewrite wrote again are no edits; they are known all the same.
    let mut edits = generation(&a.doc).edits(&a.doc);
    assert!(edits.insert(again.doc.get_heads()[0]));
    assert_eq!(found.edits(&third), edits);
    assert!(fresh.get_heads().iter().all(|head| found.holds(&third, head)));
    assert!(matches!(
        rewrite(ID, &third, &how(3), &Limits::DEFAULT),
        Err(RewriteError::Unsupported { .. })
    ));
}

#[test]
fn what_was_replaced_is_known_too_and_two_documents_of_one_contact_have_two_numbers() {
    let a = rich();
    let pair = (user(3), ChangeHash([3; 32]));
    let how = Rewrite { replaced: vec![pair], ..how(2) };
    let new = rewrite(ID, &a.doc, &how, &Limits::DEFAULT).unwrap();
    assert!(generation(&new).replaced.contains(&pair));
    assert!(!generation(&second(&a.doc)).replaced.contains(&pair));
    let mut other = rich();
    other.set("company", "Elsewhere");
    let numbers = [&new, &second(&a.doc), &second(&other.doc)].map(|doc| generation(doc).number);
    assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[0] != numbers[2]);
    assert!(numbers.iter().all(|number| generation_count(*number) == 2));
    // Again begun anew it is still known.
    let again = Rewrite { generation: 3, replaced: Vec::new(), ..how };
    let third = rewrite(ID, &new, &again, &Limits::DEFAULT).unwrap();
    assert!(generation(&third).replaced.contains(&pair));
}

#[test]
fn a_long_past_is_known_change_by_change() {
    let mut a = Replica::new(1);
    for n in 0..900 {
        a.set("company", n.to_string());
    }
    let new = second(&a.doc);
    let found = generation(&new);
    assert_eq!(found.carried.len(), 900);
    assert_eq!(found.carried, generation(&a.doc).edits(&a.doc));
    // What a device writes over a mark takes nothing away.
    let mut b = Replica { doc: new, ..Replica::new(2) };
    let mut tx = b.doc.transaction();
    tx.put(ROOT, "#generation", ScalarValue::Bytes(vec![b'C'; 33])).unwrap();
    tx.commit();
    assert_eq!(generation(&b.doc).carried, found.carried);
}

#[test]
fn every_change_of_it_passes_both_gates_and_the_document_loads_on_a_device() {
    let a = rich();
    let new = second(&a.doc);
    let bootstraps: Vec<_> = bootstraps().iter().map(|b| (b.hash, b.bytes)).collect();
    let mut incoming = Vec::new();
    for change in new.get_changes(&[]) {
        let bytes = change.raw_bytes().to_vec();
        let admitted = guard::gate1(&bytes, &Limits::DEFAULT, &bootstraps).unwrap();
        if !admitted.bootstrap {
            incoming.push(guard::Incoming { hash: admitted.hash, bytes });
        }
    }
    let merged = guard::merge(&new_document(), incoming, &Limits::DEFAULT).unwrap();
    assert_eq!(merged.refused, []);
    assert_eq!(merged.heads, new.get_heads());
    let loaded = guard::load_snapshot(&merged.snapshot, &Limits::DEFAULT).unwrap();
    assert_same_contact(&a.doc, &loaded);
}

#[test]
fn a_conflict_of_the_fresh_document_is_decided_as_ever() {
    let a = rich();
    let mut new = Replica { doc: second(&a.doc), ..Replica::new(5) };
    new.edit(&[Command::Resolve { field: "job_title".into(), value: Some("Chief".into()) }]);
    assert_eq!(new.read().text("job_title"), "Chief");
    let left: Vec<String> = new.conflicts().into_iter().map(|c| c.field).collect();
    assert!(!left.contains(&"job_title".to_owned()) && left.contains(&"website".to_owned()));
}

#[test]
fn a_command_of_the_old_document_replayed_on_the_fresh_one_does_not_bring_back_what_was_deleted() {
    let mut a = rich();
    let command = phone(1, "555");
    a.edit(std::slice::from_ref(&command));
    let mut new = second(&rich().doc);
    let author = Author { by: user(1), at: 9 };
    let (applied, _) = replay(
        &mut new,
        Actor::from_random([8; 16]),
        &[command],
        &author,
        &EditOptions::default(),
        &Limits::DEFAULT,
    )
    .unwrap();
    assert!(matches!(applied, Applied::Change { .. }));
    assert!(read(ID, &new).phones.iter().all(|phone| phone.id != entry_id(1)));
}

#[test]
fn what_a_newer_version_wrote_is_kept() {
    let mut a = Replica::new(1);
    a.edit(&[set("given_name", "Ada"), phone(1, "1")]);
    let mut tx = a.doc.transaction();
    tx.put(ROOT, "from_the_future", ScalarValue::Bytes(vec![1, 2])).unwrap();
    let map = tx.put_object(ROOT, "future_map", ObjType::Map).unwrap();
    tx.put(&map, "x", 1.25).unwrap();
    let text = tx.put_object(&map, "t", ObjType::Text).unwrap();
    tx.splice_text(&text, 0, 0, &"long ".repeat(500)).unwrap();
    let inner = tx.put_object(&map, "inner", ObjType::Map).unwrap();
    tx.put(&inner, "y", true).unwrap();
    let phones = a_phones();
    let entry = tx.get(&phones, entry_id(1).to_string()).unwrap().unwrap().1;
    tx.put(&entry, "future_field", 7).unwrap();
    tx.commit_with(CommitOptions::default().with_message("{\"by\":\"x\"}"));
    let new = second(&a.doc);
    assert_same_contact(&a.doc, &new);
    let (_, map) = new.get(ROOT, "future_map").unwrap().unwrap();
    let (_, text) = new.get(&map, "t").unwrap().unwrap();
    assert_eq!(new.text(text).unwrap(), "long ".repeat(500));
}

fn a_phones() -> automerge::ObjId {
    bootstrap::collection_map(Collection::Phones)
}

#[test]
fn a_list_or_a_container_that_was_overwritten_is_refused_and_not_lost() {
    for overwrite in [false, true] {
        let mut a = Replica::new(1);
        a.set("given_name", "Ada");
        let mut tx = a.doc.transaction();
        if overwrite {
            tx.put(ROOT, "phones", 1).unwrap();
        } else {
            tx.put_object(ROOT, "list", ObjType::List).unwrap();
        }
        tx.commit();
        let refused = rewrite(ID, &a.doc, &how(2), &Limits::DEFAULT);
        if overwrite {
            // What cannot be shown is kept in the hash, or refused; never dropped.
            if let Ok(new) = refused {
                assert_same_contact(&a.doc, &new);
            }
        } else {
            assert!(matches!(refused, Err(RewriteError::Unsupported { .. })), "{refused:?}");
        }
    }
}

#[test]
fn taking_a_person_out_leaves_nothing_of_deleted_entries_but_that_they_are_deleted() {
    let mut a = rich();
    a.edit(&[phone(4, "MARKER-4")]);
    a.edit(&[Command::Remove { collection: Collection::Phones, id: entry_id(4) }]);
    a.note("MARKER-note");
    a.note("clean");
    let has =
        |doc: &Automerge| String::from_utf8_lossy(&doc.save_nocompress()).contains("MARKER-4");
    assert!(has(&a.doc) && has(&second(&a.doc)));
    let how = Rewrite { strip_deleted: true, ..how(2) };
    let new = rewrite(ID, &a.doc, &how, &Limits::DEFAULT).unwrap();
    assert!(!has(&new));
    assert_eq!(read(ID, &a.doc), read(ID, &new));
    assert_eq!(sides(&a.doc), sides(&new));
    let deleted = read_with_deleted(ID, &new).phones.into_iter().find(|p| p.id == entry_id(4));
    assert!(deleted.is_some_and(|phone| phone.deleted && phone.fields.is_empty()));
    let all: String = new.get_changes(&[]).iter().map(|c| format!("{:?}", c.decode())).collect();
    assert!(!all.contains("MARKER"));
}

#[test]
fn history_of_the_fresh_document_tells_who_wrote_what_is_there_and_nothing_of_the_rewrite() {
    let mut a = Replica::new(1);
    a.edit(&[set("given_name", "Ada")]);
    a.set("company", "Old");
    a.set("company", "New");
    a.edit(&[phone(1, "1")]);
    let new = second(&a.doc);
    let told = |doc| -> Vec<(String, UserId, i64, usize)> {
        let items = history(ID, doc, 100).into_iter();
        items.map(|i| (i.command, i.author, i.at, i.fields.len())).collect()
    };
    let (old, new) = (told(&a.doc), told(&new));
    assert_eq!(new.len(), 3, "{new:?}");
    assert!(new.iter().all(|item| old.contains(item)), "{new:?} {old:?}");
}
