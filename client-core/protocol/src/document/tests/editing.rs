use super::*;

#[test]
fn a_group_of_commands_is_one_change_and_reads_back() {
    let mut rep = Replica::new(1);
    rep.edit(&[
        set("given_name", "Maria"),
        set("family_name", "Anders"),
        set("company", "Alfreds Futterkiste"),
        set("status", "customer"),
        phone(1, "030-0074321"),
        put(
            Collection::Interactions,
            entry_id(2),
            &[("kind", "visit".into()), ("at", 5.into()), ("nps", 9.into())],
        ),
        Command::Tag { tag: " key account ".into(), at: 7 },
        Command::Custom { name: "shoe size".into(), value: Some(Value::Int(42)) },
        Command::ExternalId { system: "erp".into(), id: Some("ALFKI".into()) },
        Command::EditNote { splices: note_splices(&new_document(), "likes tea") },
    ]);
    assert_eq!(changes(&rep.doc), 2, "the bootstrap and one change");
    let contact = rep.read();
    assert_eq!(contact.display_name, "Maria Anders");
    assert_eq!(contact.text("company"), "Alfreds Futterkiste");
    assert_eq!(contact.tags, ["key account"]);
    assert_eq!(contact.custom["shoe size"], Value::Int(42));
    assert_eq!(contact.external_ids["erp"], "ALFKI");
    assert_eq!(contact.note, "likes tea");
    assert_eq!(contact.phones[0].text("number"), "030-0074321");
    assert_eq!(contact.interactions[0].int("nps"), Some(9));
    let change = rep.doc.get_last_local_change().unwrap();
    let message = change_message(&change).unwrap();
    assert_eq!((message.by, message.command.as_str()), (rep.user, "create"));
    assert_eq!(change.timestamp(), 0);
    let json = serde_json::to_value(&contact).unwrap();
    assert_eq!(json["family_name"], "Anders");
    assert_eq!(serde_json::from_value::<Contact>(json).unwrap(), contact);
}

#[test]
fn the_first_change_of_a_contact_depends_on_the_bootstrap() {
    let mut rep = Replica::new(1);
    let hash = rep.set("company", "A");
    let change = rep.doc.get_change_by_hash(&hash).unwrap();
    assert_eq!(change.deps(), [bootstraps()[0].hash]);
    // A document that lacks it gets it before the edit.
    let mut bare = Replica { doc: Automerge::new(), ..Replica::new(1) };
    assert_eq!(bare.set("company", "A"), hash);
}

#[test]
fn what_is_so_already_yields_no_change() {
    let mut rep = Replica::new(1);
    let commands = [set("company", "A"), phone(1, "12"), Command::Tag { tag: "vip".into(), at: 5 }];
    rep.edit(&commands);
    let saved = rep.doc.save();
    assert_eq!(rep.try_edit(&commands).unwrap(), Applied::Unchanged);
    let clear = Command::Set { field: "website".into(), value: None };
    assert_eq!(rep.try_edit(&[clear]).unwrap(), Applied::Unchanged);
    assert_eq!(rep.try_edit(&[]).unwrap(), Applied::Unchanged);
    assert_eq!(rep.try_edit(&[Command::Untag { tag: "none".into() }]).unwrap(), Applied::Unchanged);
    assert_eq!(rep.doc.save(), saved);
    // A group where one thing differs is one change with one operation.
    let hash = rep.edit(&[set("company", "A"), set("website", "a.example")]);
    assert_eq!(rep.doc.get_change_by_hash(&hash).unwrap().len(), 1);
    // The same for an actor that has not written yet.
    let mut other = rep.fork(2);
    assert_eq!(other.try_edit(&[set("company", "A")]).unwrap(), Applied::Unchanged);
    assert_eq!(other.doc.save(), rep.doc.save());
}

#[test]
fn an_error_anywhere_in_a_group_leaves_the_document_untouched() {
    let mut rep = Replica::new(1);
    rep.edit(&[set("company", "A"), phone(1, "12")]);
    let (saved, heads) = (rep.doc.save(), rep.doc.get_heads());
    let good = set("company", "B");
    let splice = Splice {
        at: 5,
        delete: 0,
        insert: "x".into(),
        before: String::new(),
        after: String::new(),
        deleted: String::new(),
        cursor: None,
    };
    for (bad, says) in [
        (set("companny", "B"), "did you mean `company`"),
        (set("status", "great"), "lead, prospect"),
        (
            Command::Remove { collection: Collection::Tasks, id: entry_id(9) },
            "has no entry `tasks/",
        ),
        (Command::Restore { collection: Collection::Tasks, id: entry_id(9) }, "has no entry"),
        (put(Collection::Tasks, entry_id(3), &[("done", true.into())]), "needs `text`"),
        (put(Collection::Purchases, entry_id(3), &[("amount", 5.into())]), "needs `currency`"),
        (put(Collection::Addresses, entry_id(3), &[]), "is empty"),
        (put(Collection::Phones, entry_id(1), &[("nummer", "1".into())]), "`number`"),
        (Command::Tag { tag: "a,b".into(), at: 0 }, "comma"),
        (Command::Tag { tag: " ".into(), at: 0 }, "empty"),
        (Command::EditNote { splices: vec![splice] }, "read the note again"),
        (Command::Resolve { field: "note".into(), value: None }, "merged"),
        (Command::Resolve { field: "unknown_field".into(), value: None }, "no field"),
    ] {
        for group in [vec![good.clone(), bad.clone()], vec![bad.clone(), good.clone()]] {
            let error = rep.try_edit(&group).unwrap_err().to_string();
            assert!(error.contains(says), "{error} should say {says}");
        }
        assert_eq!((rep.doc.save(), rep.doc.get_heads()), (saved.clone(), heads.clone()));
    }
    rep.edit(&[good]);
}

#[test]
fn limits_refuse_with_the_way_out_and_leave_the_document_untouched() {
    let mut rep = Replica::new(1);
    rep.set("company", "A");
    let saved = rep.doc.save();
    let author = rep.author();
    let mut edit = |commands: &[Command], limits: Limits| {
        let options = EditOptions::default();
        let error = apply(&mut rep.doc, rep.actor, commands, &author, &options, &limits);
        let error = error.unwrap_err().to_string();
        assert_eq!(rep.doc.save(), saved, "{error}");
        error
    };
    let limits = Limits::DEFAULT;
    let note = |text: &str| Command::EditNote { splices: note_splices(&new_document(), text) };
    let long = edit(&[note(&"x".repeat(2001))], limits);
    assert!(long.contains("2001 operations, at most 2000") && long.contains("in parts"), "{long}");
    assert!(edit(&[note(&"x".repeat(70_000))], limits).contains("`note`"));
    let b = [set("company", "B")];
    assert!(edit(&b, Limits { document_changes_max: 2, ..limits }).contains("changes"));
    assert!(edit(&b, Limits { document_ops_max: 14, ..limits }).contains("operations"));
    assert!(edit(&b, Limits { op_counter_max: 2000, ..limits }).contains("operations"));
    assert!(edit(&b, Limits { change_message_bytes_max: 20, ..limits }).contains("message"));
    let texts = |n: usize| -> Vec<Command> {
        (0..n)
            .map(|n| Command::Custom {
                name: format!("c{n}"),
                value: Some(Value::Text("y".repeat(16_000))),
            })
            .collect()
    };
    assert!(edit(&texts(5), limits).contains("`change` would have"));
    let small = Limits { document_bytes_max: 20_000, ..limits };
    assert!(edit(&texts(2), small).contains("`contact` would have"));
}

#[test]
fn the_number_of_actors_has_a_bound_that_known_actors_pass() {
    let limits = Limits { document_actors_max: 3, ..Limits::DEFAULT };
    let mut rep = Replica::new(1);
    let mut edit = |n: u8, company: &str| {
        let author = Author { by: user(n), at: 0 };
        let actor = Actor::from_random([n; 16]);
        let commands = [set("company", company)];
        apply(&mut rep.doc, actor, &commands, &author, &EditOptions::default(), &limits)
    };
    for n in 1..=3 {
        edit(n, &format!("by {n}")).unwrap();
    }
    assert!(edit(4, "by 4").unwrap_err().to_string().contains("actors"));
    edit(2, "by 2 again").unwrap();
}

#[test]
fn labels_say_what_kind_of_edit_it_was() {
    let mut rep = Replica::new(1);
    rep.set("company", "A");
    let mut label = |commands: &[Command]| {
        let hash = rep.edit(commands);
        change_message(&rep.doc.get_change_by_hash(&hash).unwrap()).unwrap().command
    };
    let visit = |n| {
        let fields = [("kind", "visit".into()), ("at", 5.into())];
        put(Collection::Interactions, entry_id(n), &fields)
    };
    assert_eq!(label(&[set("company", "B")]), "set");
    assert_eq!(label(&[visit(1)]), "visit");
    assert_eq!(label(&[phone(2, "1")]), "phone");
    assert_eq!(label(&[set("company", "C"), set("website", "c")]), "set");
    assert_eq!(label(&[visit(3), set("company", "D")]), "group");
    assert_eq!(
        label(&[Command::Remove { collection: Collection::Phones, id: entry_id(2) }]),
        "remove"
    );
}

#[test]
fn putting_an_entry_again_updates_only_what_differs() {
    let mut rep = Replica::new(1);
    rep.edit(&[put(
        Collection::Phones,
        entry_id(1),
        &[("number", "12".into()), ("label", "work".into())],
    )]);
    let hash = rep.edit(&[put(
        Collection::Phones,
        entry_id(1),
        &[("number", "12".into()), ("label", "home".into())],
    )]);
    assert_eq!(rep.doc.get_change_by_hash(&hash).unwrap().len(), 1);
    assert_eq!(rep.read().phones.len(), 1);
    // A cleared field is gone from reading.
    rep.edit(&[Command::Put {
        collection: Collection::Phones,
        id: entry_id(1),
        fields: [("label".to_owned(), None)].into(),
    }]);
    assert!(!rep.read().phones[0].fields.contains_key("label"));
}

#[test]
fn a_tombstone_hides_an_entry_keeps_later_edits_and_can_be_taken_back() {
    let mut rep = Replica::new(1);
    let (collection, id) = (Collection::Phones, entry_id(1));
    rep.edit(&[phone(1, "12")]);
    rep.edit(&[Command::Remove { collection, id }]);
    assert!(rep.read().phones.is_empty());
    assert_eq!(rep.try_edit(&[Command::Remove { collection, id }]).unwrap(), Applied::Unchanged);
    rep.edit(&[phone(1, "34")]);
    assert!(rep.read().phones.is_empty(), "an edit inside does not bring it back");
    assert!(rep.conflicts().is_empty(), "it knew of the tombstone");
    let all = read_with_deleted(ID, &rep.doc);
    assert_eq!((all.phones[0].deleted, all.phones[0].text("number")), (true, "34"));
    rep.edit(&[Command::Restore { collection, id }]);
    assert_eq!(rep.read().phones[0].text("number"), "34");
    assert_eq!(rep.try_edit(&[Command::Restore { collection, id }]).unwrap(), Applied::Unchanged);
}

#[test]
fn reaffirming_a_tag_is_a_change_and_beats_a_concurrent_removal() {
    let mut a = Replica::new(1);
    let tag = |at| Command::Tag { tag: "vip".into(), at };
    a.edit(&[tag(5)]);
    let mut b = a.fork(2);
    // Even by a clock that is years behind.
    a.edit(&[tag(3)]);
    b.edit(&[Command::Untag { tag: "vip".into() }]);
    a.sync(&mut b);
    assert_eq!(a.read().tags, ["vip"]);
    assert!(a.conflicts().is_empty());
    // Twice the same command is one tagging.
    assert_eq!(a.try_edit(&[tag(6)]).unwrap(), Applied::Unchanged);
}

#[test]
fn concurrent_tagging_is_no_conflict_and_one_removal_takes_both() {
    let mut a = Replica::new(1);
    let mut b = a.fork(2);
    a.edit(&[Command::Tag { tag: "vip".into(), at: 5 }]);
    b.edit(&[Command::Tag { tag: "vip".into(), at: 6 }]);
    a.sync(&mut b);
    assert_eq!(a.read().tags, ["vip"]);
    assert!(a.conflicts().is_empty());
    a.edit(&[Command::Untag { tag: "vip".into() }]);
    a.sync(&mut b);
    assert!(b.read().tags.is_empty());
}

#[test]
fn a_saved_document_goes_on_where_it_was() {
    let mut rep = Replica::new(1);
    rep.edit(&[
        set("company", "Ærø"),
        Command::EditNote { splices: note_splices(&rep.doc, "日本") },
    ]);
    let mut loaded = Replica { doc: Automerge::load(&rep.doc.save()).unwrap(), ..rep.clone() };
    assert_same(&rep.doc, &loaded.doc);
    // Positions are code points after loading too.
    loaded.note("日本語");
    assert_eq!(loaded.read().note, "日本語");
}

#[test]
fn the_guess_of_a_changes_size_is_never_below_it() {
    use super::super::write::size_guess;
    let mut rep = Replica::new(1);
    rep.set("company", "A");
    // The message, the dependencies and the header.
    let overhead = 400;
    let mut check = |command: Command| {
        let author = rep.author();
        let options = EditOptions::default();
        let commands = [command];
        let applied =
            apply(&mut rep.doc, rep.actor, &commands, &author, &options, &Limits::DEFAULT);
        let Applied::Change { bytes, .. } = applied.unwrap() else { panic!() };
        let guess = size_guess(&commands[0]) + overhead;
        assert!(bytes.len() <= guess, "{} > {guess}: {commands:?}", bytes.len());
    };
    check(set("company", "日本".repeat(500)));
    check(phone(1, "12"));
    check(put(
        Collection::Interactions,
        entry_id(2),
        &[("kind", "visit".into()), ("at", 1_700_000_000_000_i64.into())],
    ));
    check(Command::Tag { tag: "vip".into(), at: i64::MAX });
    check(Command::Custom { name: "é".repeat(50), value: Some(Value::Number(1.5)) });
    check(Command::Remove { collection: Collection::Phones, id: entry_id(1) });
    let empty = new_document();
    let text: String = (0..1900).map(|n| if n % 2 == 0 { '🙂' } else { 'a' }).collect();
    check(Command::EditNote { splices: note_splices(&empty, &text) });
    let all = Splice {
        at: 0,
        delete: 1900,
        insert: String::new(),
        before: String::new(),
        after: String::new(),
        deleted: String::new(),
        cursor: None,
    };
    check(Command::EditNote { splices: vec![all] });
}
