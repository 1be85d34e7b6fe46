//! History, authorship, earlier moments, undo.

use super::*;

fn shown(item: &HistoryItem) -> Vec<(String, Option<Value>, Option<Value>)> {
    item.fields.iter().map(|f| (f.field.clone(), f.before.clone(), f.after.clone())).collect()
}

#[test]
fn history_says_who_changed_what_from_what_to_what_newest_first() {
    let mut a = Replica::new(1);
    a.edit(&[set("company", "A"), phone(1, "12"), Command::Tag { tag: "vip".into(), at: 5 }]);
    a.note("likes tea and dogs");
    a.edit(&[set("company", "B"), phone(1, "34"), Command::Untag { tag: "vip".into() }]);
    a.note("likes tea and two dogs");
    a.edit(&[Command::Remove { collection: Collection::Phones, id: entry_id(1) }]);
    let history = history(ID, &a.doc, 10);
    let number = format!("phones/{}/number", entry_id(1));
    let phone = format!("phones/{}", entry_id(1));
    assert_eq!(history.len(), 5);
    assert_eq!(shown(&history[0]), [(phone, Some("34".into()), None)]);
    assert_eq!(
        shown(&history[1]),
        [("note".into(), Some("likes tea and dogs".into()), Some("likes tea and two dogs".into()))]
    );
    assert_eq!(
        shown(&history[2]),
        [
            ("company".into(), Some("A".into()), Some("B".into())),
            ("tags".into(), Some("vip".into()), None),
            (number.clone(), Some("12".into()), Some("34".into())),
        ]
    );
    assert_eq!(
        shown(&history[4]),
        [
            ("company".into(), None, Some("A".into())),
            ("tags".into(), None, Some("vip".into())),
            (number, None, Some("12".into())),
        ]
    );
    assert_eq!((history[4].author, history[4].command.as_str()), (a.user, "create"));
    assert!(history[0].at > history[4].at);
    assert_eq!(super::history(ID, &a.doc, 2), history[..2]);
}

#[test]
fn the_history_of_a_long_note_shows_the_part_that_changed() {
    let mut a = Replica::new(1);
    let long = "word ".repeat(100);
    a.note(&format!("{long}END"));
    a.note(&format!("{long}NEW END"));
    let item = &history(ID, &a.doc, 1)[0];
    let Some(Value::Text(after)) = &item.fields[0].after else { panic!() };
    assert!(after.starts_with('…') && after.ends_with("NEW END") && after.chars().count() < 60);
}

#[test]
fn history_is_in_the_same_order_on_every_replica_and_causes_come_first() {
    let mut a = Replica::new(1);
    a.set("company", "A");
    let mut b = a.fork(2);
    b.clock = 5; // a clock that is years behind
    a.set("company", "B");
    b.set("website", "b");
    b.set("website", "c");
    a.sync(&mut b);
    assert_eq!(history(ID, &a.doc, 10), history(ID, &b.doc, 10));
    let order: Vec<_> = history(ID, &a.doc, 10).into_iter().map(|item| item.change).collect();
    for hash in newest_to_oldest_pairs(&a.doc) {
        let at = |hash: &ChangeHash| order.iter().position(|h| *h == hash.to_string());
        if let (Some(child), Some(parent)) = (at(&hash.0), at(&hash.1)) {
            assert!(child < parent);
        }
    }
}

fn newest_to_oldest_pairs(doc: &Automerge) -> Vec<(ChangeHash, ChangeHash)> {
    let metas = doc.get_changes_meta(&[]);
    metas.iter().flat_map(|m| m.deps.iter().map(move |dep| (m.hash, *dep))).collect()
}

#[test]
fn every_field_names_its_author() {
    let mut a = Replica::new(1);
    a.edit(&[set("company", "A"), phone(1, "12"), Command::Tag { tag: "vip".into(), at: 5 }]);
    let mut b = a.fork(2);
    let hash = b.edit(&[phone(1, "34"), Command::EditNote { splices: note_splices(&b.doc, "x") }]);
    a.sync(&mut b);
    let authors = authorship(&a.doc);
    assert_eq!(authors["company"].author, user(1));
    assert_eq!(authors["tags.vip"].author, user(1));
    let number = &authors[&format!("phones/{}/number", entry_id(1))];
    assert_eq!((number.author, number.change), (user(2), hash));
    assert_eq!(authors["note"].author, user(2));
}

#[test]
fn the_contact_as_of_an_earlier_moment() {
    let mut a = Replica::new(1);
    a.set("company", "A");
    let then = a.clock;
    let mut b = a.fork(2);
    a.set("company", "B");
    b.clock -= 1_000_000;
    b.set("website", "early"); // claims to be earlier than what it depends on
    let middle = a.clock;
    a.set("company", "C");
    a.sync(&mut b);
    let at = |moment| read_at(ID, &a.doc, &heads_before(&a.doc, moment));
    assert_eq!(at(middle).text("company"), "B");
    assert_eq!(at(then).text("company"), "A");
    assert_eq!(at(then).text("website"), "early");
    // Its claim alone does not bring it before its own history.
    assert_eq!(at(then - 1).text("website"), "");
    assert_eq!(at(then - 1).display_name, "(no name)");
    assert_eq!(at(i64::MAX), a.read());
    assert_eq!(heads_before(&a.doc, i64::MIN), [bootstraps()[0].hash]);
    assert!(heads_before(&Automerge::new(), 0).is_empty());
    // Heads that are not known are left out.
    assert_eq!(read_at(ID, &a.doc, &[ChangeHash([9; 32])]).fields.len(), 0);
}

#[test]
fn undo_restores_values_entries_tags_and_text() {
    let mut a = Replica::new(1);
    a.edit(&[set("company", "A"), phone(1, "12"), Command::Tag { tag: "old".into(), at: 5 }]);
    a.note("likes tea and dogs");
    let before = a.read();
    let hash = a.edit(&[
        set("company", "B"),
        set("website", "b"),
        phone(1, "34"),
        phone(2, "56"),
        Command::Tag { tag: "new".into(), at: 6 },
        Command::Untag { tag: "old".into() },
        Command::Custom { name: "c".into(), value: Some(1.into()) },
        Command::ExternalId { system: "erp".into(), id: Some("1".into()) },
        Command::EditNote { splices: note_splices(&a.doc, "likes green tea, not dogs") },
    ]);
    a.edit(&inverse(&a.doc, hash).unwrap());
    assert_eq!(a.read(), before);

    let hash = a.edit(&[Command::Remove { collection: Collection::Phones, id: entry_id(1) }]);
    let undo = a.edit(&inverse(&a.doc, hash).unwrap());
    assert_eq!(a.read(), before);
    // An undo can be undone.
    a.edit(&inverse(&a.doc, undo).unwrap());
    assert!(a.read().phones.is_empty());
}

#[test]
fn undo_of_the_note_works_beside_other_peoples_edits_and_refuses_on_top_of_them() {
    let mut a = Replica::new(1);
    a.note("likes tea and dogs in the morning sun");
    let mut b = a.fork(2);
    let hash = a.note("likes green tea and dogs in the morning sun");
    b.note("likes tea and dogs in the evening sun");
    a.sync(&mut b);
    let mut c = a.clone();
    a.edit(&inverse(&a.doc, hash).unwrap());
    assert_eq!(a.read().note, "likes tea and dogs in the evening sun");

    c.note("likes greenish tea and dogs in the evening sun");
    let error = inverse(&c.doc, hash).unwrap_err();
    assert_eq!(error, CommandError::ChangedSince { field: "note".into() });
}

#[test]
fn undo_refuses_what_was_changed_since_and_what_did_nothing() {
    let mut a = Replica::new(1);
    let first = a.edit(&[set("company", "A"), phone(1, "12")]);
    let second = a.set("company", "B");
    let changed = |field: &str| CommandError::ChangedSince { field: field.into() };
    assert_eq!(inverse(&a.doc, first).unwrap_err(), changed("company"));
    a.edit(&inverse(&a.doc, second).unwrap());
    assert_eq!(a.read().text("company"), "A");

    let entry = a.edit(&[phone(2, "1")]);
    a.edit(&[put(Collection::Phones, entry_id(2), &[("label", "home".into())])]);
    assert!(matches!(inverse(&a.doc, entry), Err(CommandError::ChangedSince { .. })));

    // A concurrent value beside it counts as changed, too.
    let mut b = a.fork(2);
    let mine = a.set("job_title", "x");
    b.set("job_title", "y");
    a.sync(&mut b);
    assert_eq!(inverse(&a.doc, mine).unwrap_err(), changed("job_title"));

    let nothing = |hash| matches!(inverse(&a.doc, hash), Err(CommandError::NothingToUndo { .. }));
    assert!(nothing(bootstraps()[0].hash));
    assert!(nothing(ChangeHash([9; 32])));
}

#[test]
fn an_earlier_value_is_restored_by_setting_what_was_read_then() {
    let mut a = Replica::new(1);
    a.set("company", "A");
    let then = a.doc.get_heads();
    a.set("company", "B");
    let old = read_at(ID, &a.doc, &then);
    a.set("company", old.text("company"));
    assert_eq!(a.read().text("company"), "A");
}
