use std::collections::BTreeSet;

use super::*;

fn assigned(contact: Option<&Contact>, pairs: &[(&str, &str)]) -> Vec<Command> {
    let mut n = 100;
    let mut ids = || {
        n += 1;
        entry_id(n)
    };
    let mut assigner = Assigner::new(contact, 5);
    for (name, text) in pairs {
        assigner.assign(name, text, &mut ids).unwrap();
    }
    assigner.finish()
}

#[test]
fn a_new_contact_gets_one_address_one_phone_and_a_split_name() {
    let mut rep = Replica::new(1);
    rep.edit(&assigned(
        None,
        &[
            ("name", "Maria Anders"),
            ("company", "Alfreds Futterkiste"),
            ("street", "Obere Str. 57"),
            ("phone", "030-0074321"),
            ("city", "Berlin"),
            ("region", ""),
            ("postal_code", "12209"),
            ("country", "Germany"),
            ("email", "maria@example.com"),
            ("tags", "vip, food,, vip "),
            ("note", "likes tea"),
            ("custom.shoe size", "42"),
            ("external_ids.erp", "ALFKI"),
            ("status", "Customer"),
        ],
    ));
    let contact = rep.read();
    assert_eq!((contact.text("given_name"), contact.text("family_name")), ("Maria", "Anders"));
    assert_eq!(contact.addresses.len(), 1);
    let address = &contact.addresses[0];
    assert_eq!((address.text("street"), address.text("city")), ("Obere Str. 57", "Berlin"));
    assert_eq!((address.text("postal_code"), address.text("country")), ("12209", "Germany"));
    assert!(!address.fields.contains_key("region"));
    assert_eq!(contact.phones[0].text("number"), "030-0074321");
    assert_eq!(contact.tags, ["food", "vip"]);
    assert_eq!(contact.note, "likes tea");
    assert_eq!(contact.custom["shoe size"], "42".into());
    assert_eq!(contact.external_ids["erp"], "ALFKI");
    assert_eq!(contact.text("status"), "customer");
}

#[test]
fn later_assignments_change_the_first_entries_and_replace_tags_and_note() {
    let mut rep = Replica::new(1);
    let first =
        [("phone", "1"), ("city", "Berlin"), ("street", "A"), ("tags", "a,b"), ("note", "one two")];
    rep.edit(&assigned(None, &first));
    let contact = rep.read();
    let second = [
        ("phone", "2"),
        ("city", "Bonn"),
        ("tags", "b,c"),
        ("note", "one three"),
        ("name", "Al Gore"),
        ("given_name", "Albert"),
    ];
    rep.edit(&assigned(Some(&contact), &second));
    let contact = rep.read();
    assert_eq!((contact.phones.len(), contact.phones[0].text("number")), (1, "2"));
    let address = &contact.addresses[0];
    assert_eq!((address.text("street"), address.text("city")), ("A", "Bonn"));
    assert_eq!(contact.tags, ["b", "c"]);
    assert_eq!(contact.note, "one three");
    assert_eq!((contact.text("given_name"), contact.text("family_name")), ("Albert", "Gore"));
    // The same again is nothing, tags included.
    assert_eq!(rep.try_edit(&assigned(Some(&contact), &second)).unwrap(), Applied::Unchanged);
    // Empty text clears.
    rep.edit(&assigned(Some(&contact), &[("phone", ""), ("city", ""), ("tags", ""), ("note", "")]));
    let contact = rep.read();
    assert!(contact.phones.is_empty() && contact.tags.is_empty() && contact.note.is_empty());
    assert_eq!(contact.addresses[0].text("city"), "");
    assert_eq!(contact.addresses[0].text("street"), "A");
    assert_eq!(assigned(None, &[("phone", ""), ("city", ""), ("tags", ""), ("note", "")]), []);
}

#[test]
fn a_wrong_assignment_is_refused_and_the_others_go_on() {
    let mut ids = || entry_id(1);
    let mut assigner = Assigner::new(None, 5);
    for (name, text, says) in [
        ("phnoe", "1", "did you mean `phone`"),
        ("status", "great", "lead, prospect"),
        ("email", "maria", "not an email"),
        ("birthday", "1.2.1980", "YYYY-MM-DD"),
        ("custom.", "x", "empty"),
    ] {
        let error = assigner.assign(name, text, &mut ids).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assigner.assign("company", "A", &mut ids).unwrap();
    assert_eq!(assigner.finish(), [set("company", "A")]);
    assert_eq!(assign(None, "company", "A", &mut ids, 5).unwrap(), [set("company", "A")]);
}

#[test]
fn the_table_in_the_documentation_lists_exactly_the_fields_of_the_schema() {
    let table = include_str!("../../../../../docs/fields.md");
    let mut listed: BTreeSet<(String, String)> = BTreeSet::new();
    let mut section = String::new();
    for line in table.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.trim_matches('`').to_owned();
        }
        if let Some(name) = line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            assert!(listed.insert((section.clone(), name.to_owned())), "{name} stands there twice");
        }
    }
    let mut expected: BTreeSet<(String, String)> = BTreeSet::new();
    let general = assignable().chain(["custom.NAME", "external_ids.SYSTEM"]);
    expected.extend(general.map(|name| ("Contact".to_owned(), name.to_owned())));
    for collection in Collection::ALL {
        let fields = collection.fields().iter();
        expected.extend(fields.map(|f| (collection.name().to_owned(), f.name.to_owned())));
    }
    assert_eq!(listed, expected);
}
