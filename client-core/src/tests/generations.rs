//! A contact's document is begun anew at the office (rule 25).

use roadbook_protocol::document::{self, Command};
use roadbook_protocol::ids::TimelineId;
use roadbook_protocol::wire::{ChangeFate, ContactHeads, Fate, Manifest};

use super::office::Office;
use super::{Device, field, person, set};
use crate::Receipt;

#[test]
fn what_was_not_sent_is_made_anew_once_and_the_note_is_not_doubled() {
    let (mut office, a, b) = (Office::new(), Device::new(1), Device::new(2));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a, &b]);
    // One edit has arrived, and this device has not heard of it; one was never sent.
    let line = |text: &str| {
        let splices = a.replica.note_line(id, text).unwrap();
        a.replica.edit(id, &[Command::EditNote { splices }]).unwrap();
    };
    line("Sent.");
    assert!(office.receive(&a.replica).iter().all(|fate| fate.fate == Fate::Merged));
    line("Unsent.");
    office.begin_anew(id, false);
    b.replica.edit(id, &[set("company", "Of B")]).unwrap();
    office.converge(&[&a, &b]);
    let contact = office.contact(id);
    assert_eq!(contact.note, "Sent.\nUnsent.");
    assert_eq!(contact.text("company"), "Of B");
    for entry in a.replica.outbox(true).unwrap() {
        assert_eq!(entry.receipt, Receipt::Merged, "{entry:?}");
    }
    assert!(a.replica.quarantine().unwrap().is_empty());
    // And once more, from a state that was opened anew.
    let a = a.reopen();
    a.replica.edit(id, &[set("company", "Of A")]).unwrap();
    office.begin_anew(id, false);
    office.converge(&[&a, &b]);
    assert_eq!(field(&b.replica, id, "company"), "Of A");
}

#[test]
fn a_document_that_was_asked_for_before_does_not_take_the_place_of_the_fresh_one() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a]);
    let stale = office.fetched(&[id]);
    office.begin_anew(id, false);
    office.converge(&[&a]);
    a.replica.edit(id, &[set("company", "On the fresh one")]).unwrap();
    a.replica.apply_fetched(office.timeline, &stale).unwrap();
    assert_eq!(field(&a.replica, id, "company"), "On the fresh one");
    office.converge(&[&a]);
    assert_eq!(office.text(id, "company"), "On the fresh one");
}

#[test]
fn where_the_past_is_to_be_gone_settled_edits_go_and_unsent_ones_are_made_anew() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    a.replica.edit(id, &[set("company", "Gone")]).unwrap();
    a.replica.edit(id, &[set("company", "Stays")]).unwrap();
    office.converge(&[&a]);
    a.replica.edit(id, &[set("job_title", "Unsent")]).unwrap();
    office.begin_anew(id, true);
    office.converge(&[&a]);
    assert_eq!(office.text(id, "company"), "Stays");
    assert_eq!(office.text(id, "job_title"), "Unsent");
    let kept: Vec<String> = a
        .replica
        .read(|conn| {
            let mut statement = conn.prepare("SELECT commands FROM change WHERE local = 1")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .unwrap();
    assert!(kept.iter().all(|commands| !commands.contains("Gone")), "{kept:?}");
    assert!(kept.iter().any(|commands| commands.contains("Unsent")), "{kept:?}");
}

#[test]
fn what_was_made_on_a_document_that_a_restored_office_does_not_take_is_made_anew() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.converge(&[&a]);
    let before = office.document(id);
    office.begin_anew(id, false);
    office.converge(&[&a]);
    a.replica.edit(id, &[set("company", "Merged")]).unwrap();
    office.converge(&[&a]);
    let lost = office.document(id).heads;
    a.replica.edit(id, &[set("job_title", "Unsent")]).unwrap();
    // The office is back at what it had before; it may not take the later document that it is offered, and
    // quarantines it, with what was made on it.
    office.put_back(TimelineId::from_bytes([8; 16]), &before);
    let unknown = ContactHeads { contact: id, heads: lost };
    let known = ContactHeads { contact: id, heads: before.heads };
    a.replica.reoffer(&[unknown], &[known]).unwrap();
    let manifest = Manifest { cursor: 0, contacts: vec![], last: true, bytes_total: 0 };
    a.replica.store_manifest(office.timeline, &manifest).unwrap();
    let (offered, _) = a.replica.load_outbox(0, 10_000, usize::MAX).unwrap();
    let built_in = |hash| document::bootstraps().iter().any(|known| known.hash == hash);
    let refused: Vec<ChangeFate> = offered
        .iter()
        .filter(|change| !built_in(change.hash))
        .map(|change| ChangeFate {
            contact: id,
            hash: change.hash,
            fate: Fate::Quarantined,
            code: "generation".into(),
            reason: "the later document of this contact is not taken".into(),
        })
        .collect();
    assert!(refused.len() >= 2, "{refused:?}");
    a.replica.record_fates(&refused).unwrap();
    a.replica.record_offered(&[id], &refused).unwrap();
    office.converge(&[&a]);
    assert_eq!(office.text(id, "company"), "Merged");
    assert_eq!(office.text(id, "job_title"), "Unsent");
    assert_eq!(a.replica.quarantine().unwrap(), []);
}
