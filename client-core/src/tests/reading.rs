use roadbook_protocol::document::{Command, schema::Collection};

use super::{Device, person, set};
use crate::{Error, ListQuery, Sort};

#[test]
fn lists_are_filtered_sorted_and_paged() {
    let device = Device::new(1);
    let replica = &device.replica;
    for (given, family, company, status) in [
        ("Åse", "Ødegaard", "Beta", "customer"),
        ("Anna", "Zimmer", "Alpha", "lead"),
        ("Bob", "Ahrens", "", "customer"),
    ] {
        let id = person(replica, given, family);
        replica.edit(id, &[set("status", status)]).unwrap();
        if !company.is_empty() {
            replica.edit(id, &[set("company", company)]).unwrap();
        }
    }
    let names = |query: &ListQuery| -> Vec<String> {
        replica.list(query).unwrap().rows.into_iter().map(|row| row.display_name).collect()
    };
    assert_eq!(names(&ListQuery::default()), ["Bob Ahrens", "Åse Ødegaard", "Anna Zimmer"]);
    let by_company = ListQuery { sort: Sort::Company, ..ListQuery::default() };
    assert_eq!(names(&by_company), ["Anna Zimmer", "Åse Ødegaard", "Bob Ahrens"]);
    let latest = ListQuery { sort: Sort::Touched, limit: 1, ..ListQuery::default() };
    assert_eq!(names(&latest), ["Bob Ahrens"]);
    let customers = ListQuery {
        filter: Some("status:customer".into()),
        limit: 1,
        offset: 1,
        ..ListQuery::default()
    };
    assert_eq!(replica.list(&customers).unwrap().total, 2);
    assert_eq!(names(&customers), ["Åse Ødegaard"]);
    for sort in [Sort::City, Sort::NextVisit, Sort::LastContact] {
        assert_eq!(names(&ListQuery { sort, ..ListQuery::default() }).len(), 3);
    }
    let broken = ListQuery { filter: Some("status:(".into()), ..ListQuery::default() };
    assert!(matches!(replica.list(&broken), Err(Error::Filter(_))));
    assert_eq!(replica.ids(Some("status:lead")).unwrap().len(), 1);
}

#[test]
fn the_total_is_that_of_the_rows_while_others_write() {
    let device = Device::new(1);
    let replica = &device.replica;
    let ids: Vec<_> = (0..8).map(|n| person(replica, "Anna", &format!("Zimmer {n}"))).collect();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for archived in [true, false, true] {
                for id in &ids {
                    let value = Some(archived.into());
                    replica.edit(*id, &[Command::Set { field: "archived".into(), value }]).unwrap();
                }
            }
        });
        loop {
            let list = replica.list(&ListQuery::default()).unwrap();
            assert_eq!(list.rows.len(), list.total);
            if writing.is_finished() {
                break;
            }
        }
    });
    // Asked twice, once of what is kept, and of each filter for itself.
    for _ in 0..2 {
        assert_eq!(replica.list(&ListQuery::default()).unwrap().total, 0);
        let archived = ListQuery { filter: Some("archived:yes".into()), ..ListQuery::default() };
        assert_eq!(replica.list(&archived).unwrap().total, 8);
    }
}

#[test]
fn an_archived_contact_is_listed_only_when_it_is_asked_for() {
    let device = Device::new(1);
    let id = person(&device.replica, "Anna", "Zimmer");
    assert_eq!(device.replica.list(&ListQuery::default()).unwrap().total, 1);
    let archive = Command::Set { field: "archived".into(), value: Some(true.into()) };
    device.replica.edit(id, &[archive]).unwrap();
    assert_eq!(device.replica.list(&ListQuery::default()).unwrap().total, 0);
    let asked = ListQuery { filter: Some("archived:yes".into()), ..ListQuery::default() };
    assert_eq!(device.replica.list(&asked).unwrap().total, 1);
}

#[test]
fn search_folds_every_script_and_finds_phones_in_any_formatting() {
    let device = Device::new(1);
    let replica = &device.replica;
    let id = person(replica, "Søren", "Østergård");
    let phone = Command::Put {
        collection: Collection::Phones,
        id: replica.new_entry_id(),
        fields: [("number".to_owned(), Some("+45 12 34 56 78".into()))].into(),
    };
    replica.edit(id, &[phone, set("company", "東京電力")]).unwrap();
    person(replica, "Иван", "Петров");
    for text in ["ostergard", "soren oster", "12345678", "+45 1234", "京電"] {
        let found = replica.search(text, 10).unwrap();
        assert_eq!(found.first().map(|row| row.id), Some(id), "{text}");
    }
    assert_eq!(replica.search("иван", 10).unwrap().len(), 1);
    assert_eq!(replica.search("nobody", 10).unwrap(), []);
    assert_eq!(replica.search(" \"* ", 10).unwrap(), []);
    replica.edit(id, &[set("family_name", "Holm")]).unwrap();
    assert_eq!(replica.search("ostergard", 10).unwrap(), [], "the old name is not found any more");
}

#[test]
fn an_id_is_found_by_its_beginning() {
    let device = Device::new(1);
    let id = person(&device.replica, "A", "A");
    let text = id.to_string();
    assert_eq!(device.replica.resolve_id(&text).unwrap(), id);
    assert_eq!(device.replica.resolve_id(&text[..13].to_uppercase()).unwrap(), id);
    for _ in 0..3 {
        person(&device.replica, "B", "B");
    }
    assert!(matches!(
        device.replica.resolve_id(&text[..6]),
        Err(Error::Ambiguous { count: 4, .. })
    ));
    for none in ["", "zz", "ffff", "%", "0192f3c0-7d1e-7a40-8000-0123456789ab00"] {
        assert!(matches!(device.replica.resolve_id(none), Err(Error::NotFound { .. })), "{none}");
    }
}

#[test]
fn history_authorship_and_an_earlier_state_are_readable() {
    let device = Device::new(1);
    let replica = &device.replica;
    let id = person(replica, "Anna", "Zimmer");
    replica.edit(id, &[set("company", "First")]).unwrap();
    let between = replica.now_ms();
    replica.edit(id, &[set("company", "Second")]).unwrap();
    assert_eq!(replica.contact_as_of(id, between).unwrap().text("company"), "First");
    assert_eq!(replica.history(id, 1).unwrap()[0].fields[0].field, "company");
    assert_eq!(replica.authorship(id).unwrap()["company"].author, super::REP);
    let nobody = replica.contact(roadbook_protocol::ids::ContactId::from_bytes([9; 16]));
    assert!(matches!(nobody, Err(Error::NotFound { .. })));
}
