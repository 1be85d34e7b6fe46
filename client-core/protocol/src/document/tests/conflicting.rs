use super::*;

fn pair() -> (Replica, Replica) {
    let mut a = Replica::new(1);
    a.edit(&[set("company", "A"), set("job_title", "buyer"), phone(1, "12")]);
    let b = a.fork(2);
    (a, b)
}

fn values(conflict: &Conflict) -> Vec<(Option<Value>, UserId)> {
    conflict.values.iter().map(|side| (side.value.clone(), side.author)).collect()
}

#[test]
fn concurrent_values_of_a_field_are_listed_with_authors_and_one_resolve_settles_all_replicas() {
    let (mut a, mut b) = pair();
    a.set("job_title", "chief buyer");
    b.set("job_title", "owner");
    a.sync(&mut b);
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].field, "job_title");
    let sides = values(&conflicts[0]);
    assert!(sides.contains(&(Some("chief buyer".into()), a.user)));
    assert!(sides.contains(&(Some("owner".into()), b.user)));
    let shown: Vec<_> = conflicts[0].values.iter().filter(|side| side.shown).collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].value, a.read().fields.get("job_title").cloned());

    for chosen in ["chief buyer", "owner", "neither"] {
        let (mut a, mut b) = (a.clone(), b.clone());
        let command = Command::Resolve { field: "job_title".into(), value: Some(chosen.into()) };
        let hash = a.edit(&[command]);
        let message = change_message(&a.doc.get_change_by_hash(&hash).unwrap()).unwrap();
        assert_eq!(message.command, "resolve");
        assert_eq!(message.decision.unwrap(), format!("job_title: {chosen}"));
        a.sync(&mut b);
        assert!(b.conflicts().is_empty());
        assert_eq!(b.read().text("job_title"), chosen);
        assert_eq!(b.doc.get_all(automerge::ROOT, "job_title").unwrap().len(), 1);
        assert_eq!(authorship(&b.doc)["job_title"].author, a.user);
    }
}

#[test]
fn a_plain_set_of_the_value_that_wins_settles_the_conflict_too() {
    let (mut a, mut b) = pair();
    a.set("job_title", "x");
    b.set("job_title", "y");
    a.sync(&mut b);
    let shown = a.read().text("job_title").to_owned();
    a.set("job_title", shown.as_str());
    a.sync(&mut b);
    assert!(b.conflicts().is_empty());
    assert_eq!(b.doc.get_all(automerge::ROOT, "job_title").unwrap().len(), 1);
}

#[test]
fn two_different_decisions_at_once_are_a_conflict_again() {
    let (mut a, mut b) = pair();
    a.set("job_title", "x");
    b.set("job_title", "y");
    a.sync(&mut b);
    let resolve =
        |value: &str| Command::Resolve { field: "job_title".into(), value: Some(value.into()) };
    a.edit(&[resolve("x")]);
    b.edit(&[resolve("y")]);
    a.sync(&mut b);
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1, "neither decision wins without a trace");
    assert_eq!(conflicts[0].values.len(), 2);
}

#[test]
fn equal_values_on_all_sides_are_no_conflict() {
    let (mut a, mut b) = pair();
    a.edit(&[set("job_title", "x"), phone(1, "99")]);
    b.edit(&[set("job_title", "x"), phone(1, "99")]);
    a.sync(&mut b);
    assert!(a.conflicts().is_empty());
    assert_eq!(a.try_edit(&[set("job_title", "x")]).unwrap(), Applied::Unchanged);
}

#[test]
fn clearing_a_field_beside_an_edit_of_it_is_a_conflict() {
    let (mut a, mut b) = pair();
    a.edit(&[Command::Set { field: "job_title".into(), value: None }]);
    assert!(!a.read().fields.contains_key("job_title"));
    b.set("job_title", "owner");
    a.sync(&mut b);
    let sides = values(&a.conflicts()[0]);
    assert!(sides.contains(&(None, a.user)) && sides.contains(&(Some("owner".into()), b.user)));
    a.edit(&[Command::Resolve { field: "job_title".into(), value: None }]);
    a.sync(&mut b);
    assert!(b.conflicts().is_empty() && !b.read().fields.contains_key("job_title"));
}

#[test]
fn entries_custom_fields_and_external_ids_have_conflicts_with_paths_that_resolve() {
    let (mut a, mut b) = pair();
    for (rep, n) in [(&mut a, "1"), (&mut b, "2")] {
        rep.edit(&[
            phone(1, n),
            Command::Custom { name: "shoe size".into(), value: Some(n.into()) },
            Command::ExternalId { system: "erp".into(), id: Some(n.into()) },
        ]);
    }
    a.sync(&mut b);
    let fields: Vec<_> = a.conflicts().into_iter().map(|conflict| conflict.field).collect();
    let number = format!("phones/{}/number", entry_id(1));
    assert_eq!(fields, ["custom.shoe size", "external_ids.erp", number.as_str()]);
    for field in fields {
        a.edit(&[Command::Resolve { field, value: Some("2".into()) }]);
    }
    a.sync(&mut b);
    assert!(b.conflicts().is_empty());
    let contact = b.read();
    assert_eq!(contact.phones[0].text("number"), "2");
    assert_eq!(contact.custom["shoe size"], "2".into());
    assert_eq!(contact.external_ids["erp"], "2");
}

#[test]
fn an_edit_beside_a_deletion_is_listed_as_deleted_by_a_changed_by_b() {
    let (collection, id) = (Collection::Phones, entry_id(1));
    let scene = || {
        let (mut a, mut b) = pair();
        a.edit(&[Command::Remove { collection, id }]);
        b.edit(&[phone(1, "34")]);
        a.sync(&mut b);
        (a, b)
    };
    let (a, _) = scene();
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].field, format!("phones/{id}"));
    assert_eq!(values(&conflicts[0]), [(Some("34".into()), user(2)), (None, user(1))]);
    assert!(conflicts[0].values[1].shown && a.read().phones.is_empty());

    for (command, there) in [
        (Command::Remove { collection, id }, 0),
        (Command::Restore { collection, id }, 1),
        (Command::Resolve { field: format!("phones/{id}"), value: None }, 0),
        (Command::Resolve { field: format!("phones/{id}"), value: Some("34".into()) }, 1),
    ] {
        let (mut a, mut b) = scene();
        a.edit(std::slice::from_ref(&command));
        a.sync(&mut b);
        assert!(b.conflicts().is_empty(), "{command:?} decides");
        assert_eq!(b.read().phones.len(), there, "{command:?}");
    }
}

#[test]
fn a_deletion_that_knew_of_the_edit_is_no_conflict() {
    let (mut a, mut b) = pair();
    b.edit(&[phone(1, "34")]);
    a.sync(&mut b);
    a.edit(&[Command::Remove { collection: Collection::Phones, id: entry_id(1) }]);
    b.set("company", "B");
    a.sync(&mut b);
    assert!(a.conflicts().is_empty());
    // Nor are two deletions of the same.
    let (mut a, mut b) = pair();
    for rep in [&mut a, &mut b] {
        rep.edit(&[Command::Remove { collection: Collection::Phones, id: entry_id(1) }]);
    }
    a.sync(&mut b);
    assert!(a.conflicts().is_empty() && a.read().phones.is_empty());
}

#[test]
fn of_two_deletions_one_that_knew_the_edit_is_enough() {
    let (mut a, mut b) = pair();
    let mut c = a.fork(3);
    let remove = Command::Remove { collection: Collection::Phones, id: entry_id(1) };
    a.edit(std::slice::from_ref(&remove));
    b.edit(&[phone(1, "34")]);
    c.merge(&mut b);
    c.edit(&[remove]);
    a.sync(&mut c);
    assert!(a.conflicts().is_empty());
}

#[test]
fn restored_here_and_deleted_again_there_is_a_conflict_of_the_entry() {
    let (mut a, mut b) = pair();
    let (collection, id) = (Collection::Phones, entry_id(1));
    a.edit(&[Command::Remove { collection, id }]);
    b.edit(&[phone(1, "34")]);
    a.sync(&mut b);
    a.edit(&[Command::Restore { collection, id }]);
    b.edit(&[Command::Remove { collection, id }]);
    a.sync(&mut b);
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].field, format!("phones/{id}"));
    a.edit(&[Command::Restore { collection, id }]);
    a.sync(&mut b);
    assert!(b.conflicts().is_empty());
    assert_eq!(b.read().phones.len(), 1);
}

#[test]
fn an_entry_that_two_replicas_created_separately_is_read_as_one_and_nothing_is_hidden() {
    let mut a = Replica::new(1);
    a.set("company", "A");
    let mut b = a.fork(2);
    for (rep, number) in [(&mut a, "12"), (&mut b, "34")] {
        let fields = [("number", number.into()), ("label", "x".into())];
        rep.edit(&[put(Collection::Phones, entry_id(1), &fields)]);
    }
    a.sync(&mut b);
    assert_eq!(a.read().phones.len(), 1);
    let number = format!("phones/{}/number", entry_id(1));
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1, "labels are equal: {conflicts:?}");
    assert_eq!((conflicts[0].field.as_str(), conflicts[0].values.len()), (number.as_str(), 2));
    // An edit of the hidden map is seen, whichever of the two it is.
    a.edit(&[put(Collection::Phones, entry_id(1), &[("label", "home".into())])]);
    a.edit(&[Command::Resolve { field: number, value: Some("12".into()) }]);
    a.sync(&mut b);
    assert!(b.conflicts().is_empty());
    let phones = b.read().phones;
    assert_eq!((phones[0].text("number"), phones[0].text("label")), ("12", "home"));
    a.edit(&[Command::Remove { collection: Collection::Phones, id: entry_id(1) }]);
    a.sync(&mut b);
    assert!(b.read().phones.is_empty() && b.conflicts().is_empty());
}
