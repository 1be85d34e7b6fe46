use proptest::prelude::*;
use roadbook_protocol::document::{Command, CommandError, Value, schema::Collection};

use super::{Device, field, options, person, saved, set};
use crate::{Edited, Error, Receipt, Replica, Topic};

#[test]
fn an_edit_is_there_after_the_replica_is_opened_again() {
    let device = Device::new(1);
    let id = person(&device.replica, "Karen", "Østergård");
    saved(device.replica.edit(id, &[set("company", "Nordlys ApS")]).unwrap());
    let device = device.reopen();
    assert_eq!(field(&device.replica, id, "company"), "Nordlys ApS");
    let receipts: Vec<Receipt> =
        device.replica.outbox(false).unwrap().iter().map(|entry| entry.receipt).collect();
    assert_eq!(receipts, [Receipt::Saved, Receipt::Saved]);
    assert_eq!(device.replica.status().unwrap().unsent, 2);
}

#[test]
fn without_enrolment_nothing_is_edited() {
    let dir = tempfile::TempDir::new().unwrap();
    let replica = Replica::open(dir.path(), options(1)).unwrap();
    assert!(matches!(replica.create(&[set("company", "x")]), Err(Error::NotEnrolled)));
    assert!(!replica.status().unwrap().enrolled);
    assert_eq!(replica.status().unwrap().contacts, 0);
}

#[test]
fn an_edit_that_changes_nothing_makes_no_change() {
    let device = Device::new(1);
    let id = person(&device.replica, "Karen", "Holm");
    assert_eq!(device.replica.edit(id, &[set("given_name", "Karen")]).unwrap(), Edited::Unchanged);
    assert_eq!(device.replica.outbox(true).unwrap().len(), 1);
}

#[test]
fn a_refused_command_leaves_everything_as_it_was() {
    let device = Device::new(1);
    let id = person(&device.replica, "Karen", "Holm");
    let refused = device.replica.edit(id, &[set("company", "A"), set("compny", "B")]);
    assert!(matches!(refused, Err(Error::Invalid(CommandError::UnknownField { .. }))));
    assert_eq!(field(&device.replica, id, "company"), "");
    assert_eq!(device.replica.outbox(true).unwrap().len(), 1);
    assert!(matches!(device.replica.create(&[]), Err(Error::Invalid(_))));
    assert_eq!(device.replica.status().unwrap().contacts, 1);
}

#[test]
fn undo_takes_back_the_last_edit_and_then_the_one_before() {
    let device = Device::new(1);
    let id = person(&device.replica, "Karen", "Holm");
    device.replica.edit(id, &[set("company", "First")]).unwrap();
    device.replica.edit(id, &[set("company", "Second")]).unwrap();
    saved(device.replica.undo(None).unwrap());
    assert_eq!(field(&device.replica, id, "company"), "First");
    saved(device.replica.undo(Some(id)).unwrap());
    assert_eq!(field(&device.replica, id, "company"), "");
    let other = person(&device.replica, "Lars", "Holm");
    device.replica.edit(other, &[set("company", "Other")]).unwrap();
    device.replica.undo(Some(other)).unwrap();
    assert_eq!(field(&device.replica, other, "company"), "");
}

#[test]
fn observers_hear_of_an_edit_once_it_is_durable() {
    let device = Device::new(1);
    let id = person(&device.replica, "Karen", "Holm");
    let mut contact = device.replica.observe(Topic::Contact(id));
    let mut list = device.replica.observe(Topic::List);
    let mut sync = device.replica.observe(Topic::Sync);
    for observer in [&mut contact, &mut list, &mut sync] {
        assert!(observer.try_next().is_some());
    }
    device.replica.edit(id, &[set("company", "A")]).unwrap();
    for observer in [&mut contact, &mut list, &mut sync] {
        assert!(observer.try_next().is_some());
        assert!(observer.try_next().is_none());
    }
    let other = person(&device.replica, "Lars", "Holm");
    assert!(contact.try_next().is_none(), "{other} is another contact");
}

#[test]
fn many_edits_are_folded_into_a_snapshot_and_every_one_stays_in_the_outbox() {
    let device = Device::new(1);
    let id = person(&device.replica, "Karen", "Holm");
    for n in 0..150 {
        device.replica.edit(id, &[set("company", &format!("Company {n}"))]).unwrap();
    }
    let device = device.reopen();
    assert_eq!(field(&device.replica, id, "company"), "Company 149");
    assert_eq!(device.replica.outbox(false).unwrap().len(), 151);
    let (changes, unsent) = device.replica.load_outbox(0, 1000, usize::MAX).unwrap();
    assert_eq!((changes.len(), unsent), (152, 151), "the bootstrap goes first");
    assert_eq!(device.replica.history(id, 1000).unwrap().len(), 151);
}

#[derive(Debug, Clone)]
enum Step {
    Set(usize, String),
    Phone(u8),
    Remove(u8),
    Tag(u8),
    Note(String),
    Undo,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4usize, "[a-zA-Zøü ]{0,8}").prop_map(|(field, text)| Step::Set(field, text)),
        2 => (0..4u8).prop_map(Step::Phone),
        1 => (0..4u8).prop_map(Step::Remove),
        2 => (0..4u8).prop_map(Step::Tag),
        2 => "[a-z ]{0,20}".prop_map(Step::Note),
        2 => Just(Step::Undo),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn after_any_edits_the_row_equals_a_rebuild_and_search_finds_the_contact(
        steps in steps(), seed in 1..1000u64
    ) {
        let mut device = Device::new(seed);
        let id = person(&device.replica, "Findme", "Holm");
        let phones: Vec<_> = (0..4).map(|_| device.replica.new_entry_id()).collect();
        for step in steps {
            let replica = &device.replica;
            let outcome = match step {
                Step::Set(field, text) => {
                    let name = ["company", "job_title", "industry", "source"][field];
                    let text = text.trim();
                    let value = (!text.is_empty()).then(|| Value::from(text));
                    replica.edit(id, &[Command::Set { field: name.into(), value }])
                }
                Step::Phone(n) => replica.edit(id, &[Command::Put {
                    collection: Collection::Phones,
                    id: phones[usize::from(n)],
                    fields: [("number".to_owned(), Some(Value::from(format!("+45 12 34 56 7{n}"))))].into(),
                }]),
                Step::Remove(n) => replica.edit(id, &[Command::Remove {
                    collection: Collection::Phones,
                    id: phones[usize::from(n)],
                }]),
                Step::Tag(n) => {
                    let at = replica.now_ms();
                    replica.edit(id, &[Command::Tag { tag: format!("tag{n}"), at }])
                }
                Step::Note(text) => {
                    let splices = replica.note_splices(id, &text).unwrap();
                    if splices.is_empty() { continue; }
                    replica.edit(id, &[Command::EditNote { splices }])
                }
                Step::Undo => replica.undo(Some(id)),
                Step::Reopen => { device = device.reopen(); continue; }
            };
            match outcome {
                Ok(_) | Err(Error::Invalid(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        prop_assert_eq!(device.replica.check().unwrap(), []);
        let device = device.reopen();
        prop_assert_eq!(device.replica.check().unwrap(), []);
        let company = field(&device.replica, id, "company");
        for text in ["findme", company.as_str()] {
            if roadbook_protocol::fold::fts_query(text).is_some() && field(&device.replica, id, "given_name") == "Findme" {
                let found = device.replica.search(text, 10).unwrap();
                prop_assert!(found.iter().any(|row| row.id == id), "search for `{}`", text);
            }
        }
    }
}
