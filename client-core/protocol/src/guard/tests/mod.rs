#![allow(clippy::unwrap_used)]

mod admission;
mod contacts;
mod corpus;
mod hostile;
mod merging;
mod mutants;
mod snapshots;

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    ActorId, Automerge, AutomergeError, Change, ChangeHash, ObjType, ROOT, ReadDoc, ScalarValue,
};

use super::mutate::Rng;
use super::{Incoming, Merged, gate1, merge, quiet_panics};
use crate::ids::{Actor, UserId};
use crate::limits::Limits;
use crate::message::ChangeMessage;

pub(super) const LIMITS: Limits = Limits::DEFAULT;

pub(super) fn actor(n: u8) -> Actor {
    Actor::from_bytes([n; 16])
}

pub(super) fn user() -> UserId {
    UserId::from_bytes([0x11; 16])
}

pub(super) fn message(command: &str) -> String {
    ChangeMessage {
        by: user(),
        at: 1_760_000_000_000,
        command: command.to_owned(),
        replaces: Vec::new(),
        decision: None,
        generation: None,
    }
    .to_text()
}

/// Makes one edit on a copy of the document; gives the edited document and the change.
pub(super) fn edit(
    doc: &Automerge,
    by: Actor,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<(), AutomergeError>,
) -> (Automerge, Vec<u8>) {
    let mut doc = doc.clone().with_actor(ActorId::from(by));
    let mut tx = doc.transaction();
    work(&mut tx).unwrap();
    let options = CommitOptions::default().with_message(message("set")).with_time(0);
    let hash = tx.commit_with(options).0.expect("the edit changes something");
    let bytes = doc.get_change_by_hash(&hash).unwrap().raw_bytes().to_vec();
    (doc, bytes)
}

/// A contact: maps of entries, a text, a counter; made by actor 1 in one change.
pub(super) fn contact() -> (Automerge, Vec<u8>) {
    edit(&Automerge::new(), actor(1), |tx| {
        for collection in ["phones", "emails", "deals", "tags"] {
            let map = tx.put_object(ROOT, collection, ObjType::Map)?;
            for entry in 0..3 {
                let entry = tx.put_object(&map, format!("entry {entry}"), ObjType::Map)?;
                tx.put(&entry, "label", "work")?;
                tx.put(&entry, "number", "+45 12 34 56 78")?;
                tx.put(&entry, "amount", 125_000_i64)?;
                tx.put(&entry, "latitude", 55.6761)?;
                tx.put(&entry, "main", true)?;
            }
        }
        let note = tx.put_object(ROOT, "note", ObjType::Text)?;
        tx.splice_text(&note, 0, 0, "Asks for Müller, often not there. 漢字 👍")?;
        tx.put(ROOT, "visits", ScalarValue::counter(3))?;
        tx.put(ROOT, "family_name", "Østergård")?;
        tx.put(ROOT, "nothing", ScalarValue::Null)
    })
}

/// Some edit that a device could make, chosen by the generator.
pub(super) fn any_edit(doc: &Automerge, by: Actor, rng: &mut Rng) -> (Automerge, Vec<u8>) {
    let collections = ["phones", "emails", "deals", "tags"];
    let collection = *rng.pick(&collections).unwrap();
    let (kind, noise) = (rng.below(9), rng.next_u64());
    edit(doc, by, |tx| {
        let (_, map) = tx.get(ROOT, collection)?.unwrap();
        let entries: Vec<_> = tx.map_range(&map, ..).map(|item| item.id()).collect();
        let entry = entries[noise as usize % entries.len()].clone();
        let (_, note) = tx.get(ROOT, "note")?.unwrap();
        match kind {
            0 => tx.put(ROOT, "family_name", format!("Name {noise}")),
            1 => {
                let fresh = tx.put_object(&map, format!("entry {noise:x}"), ObjType::Map)?;
                tx.put(&fresh, "label", "home")?;
                tx.put(&fresh, "amount", noise as i64)
            }
            2 => tx.put(&entry, "label", format!("label {noise}")),
            3 => tx.put(&entry, "deleted", noise as i64),
            4 => tx
                .splice_text(&note, noise as usize % (tx.length(&note) + 1), 0, "ja, ")
                .and_then(|()| tx.splice_text(&note, 0, 1, "Ø")),
            5 => {
                let at = noise as usize % tx.length(&note).max(1);
                tx.splice_text(&note, at.saturating_sub(2), 2.min(tx.length(&note) as isize), "é")
            }
            6 => tx.increment(ROOT, "visits", 1 + (noise % 3) as i64),
            7 => {
                tx.put(&entry, "label", format!("a {noise}"))?;
                tx.delete(&entry, "label")?;
                tx.put(&entry, "label", format!("b {noise}"))
            }
            _ => {
                if tx.get(&entry, "main")?.is_some() {
                    tx.delete(&entry, "main")
                } else {
                    tx.put(&entry, "main", noise % 2 == 0)?;
                    tx.put(&entry, "seen", ScalarValue::Timestamp(noise as i64 >> 20))
                }
            }
        }
    })
}

pub(super) fn incoming(bytes: &[u8]) -> Incoming {
    Incoming { hash: Change::from_bytes(bytes.to_vec()).unwrap().hash(), bytes: bytes.to_vec() }
}

/// Both gates: what a server does with a change of a device.
pub(super) fn both_gates(doc: &Automerge, bytes: &[u8]) -> Result<Merged, String> {
    let admitted = gate1(bytes, &LIMITS, &[]).map_err(|error| error.code().to_owned())?;
    let incoming = Incoming { hash: admitted.hash, bytes: bytes.to_vec() };
    let merged = merge(doc, vec![incoming], &LIMITS).expect("the document itself is sound");
    match merged.refused.first() {
        Some((_, error)) => Err(error.code().to_owned()),
        None => Ok(merged),
    }
}

/// The visible content, to compare documents by what a person sees.
pub(super) fn content(doc: &Automerge) -> automerge::hydrate::Value {
    doc.hydrate(None)
}

pub(super) fn hashes(doc: &Automerge) -> Vec<ChangeHash> {
    let mut all: Vec<_> = doc.get_changes_meta(&[]).into_iter().map(|meta| meta.hash).collect();
    all.sort();
    all
}

pub(super) fn quiet() {
    quiet_panics();
}
