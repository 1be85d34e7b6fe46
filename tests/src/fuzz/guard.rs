//! Changes and documents.

use std::sync::OnceLock;

use automerge::transaction::Transactable;
use automerge::{Automerge, ROOT};
use fastrand::Rng;
use roadbook_protocol::guard::mutate::{Parts, mutate, with_checksum};
use roadbook_protocol::guard::{self, Incoming, load_snapshot};
use roadbook_protocol::ids::{Actor, UserId};
use roadbook_protocol::limits::Limits;

use super::Script;
use crate::generate::Generator;
use crate::mutants::corpus;

const LIMITS: Limits = Limits::DEFAULT;

/// Gate 1 on any bytes: never a panic, and what is admitted has the hash of its bytes.
pub fn gate1(data: &[u8]) {
    let _ = guard::gate1(data, &LIMITS, &[]);
    let bytes = with_checksum(data);
    if let Ok(admitted) = guard::gate1(&bytes, &LIMITS, &[]) {
        assert_eq!(admitted.hash.0[..4], bytes[4..8]);
        assert!(admitted.max_op <= LIMITS.op_counter_max);
    }
}

/// A document with a history, and honest changes that are due in it.
fn base() -> &'static (Automerge, Vec<Vec<u8>>) {
    static BASE: OnceLock<(Automerge, Vec<Vec<u8>>)> = OnceLock::new();
    BASE.get_or_init(|| {
        let (mut rng, mut generator) = (Rng::with_seed(7), Generator::new(7));
        let (actor, by) = (|n: u8| Actor::from_bytes([n; 16]), UserId::from_bytes([9; 16]));
        let mut doc = roadbook_protocol::document::new_document();
        corpus::age(&mut doc, [actor(1), actor(2)], by, &mut rng, &mut generator);
        let mut changes = Vec::new();
        for n in 10..50 {
            changes.extend(corpus::edit(&mut doc.fork(), actor(n), by, &mut rng, &mut generator));
        }
        assert!(changes.len() > 20);
        let doc = load_snapshot(&doc.save_nocompress(), &LIMITS).expect("an honest document");
        (doc, changes)
    })
}

/// Both gates on an altered honest change, or on any bytes: what is merged survives a save, and takes
/// the next edit.
pub fn merge(data: &[u8]) {
    let (doc, honest) = base();
    let mut script = Script(data);
    let bytes = match script.byte() {
        0..100 => with_checksum(script.0),
        100..128 => {
            let seed = u64::from_be_bytes(std::array::from_fn(|_| script.byte()));
            mutate(&honest[script.below(honest.len())], seed)
        }
        _ => altered(&honest[script.below(honest.len())], &mut script),
    };
    let Ok(admitted) = guard::gate1(&bytes, &LIMITS, &[]) else { return };
    let batch = vec![Incoming { hash: admitted.hash, bytes }];
    let mut merged = guard::merge(doc, batch, &LIMITS).expect("the base is sound");
    if !merged.refused.is_empty() {
        assert_eq!(merged.heads, doc.get_heads());
        return;
    }
    let loaded = load_snapshot(&merged.snapshot, &LIMITS).expect("the snapshot loads");
    assert_eq!(loaded.get_heads(), merged.heads);
    // What everybody does with it.
    let contact = roadbook_protocol::ids::ContactId::from_bytes([1; 16]);
    let row = roadbook_protocol::projection::project(contact, &loaded);
    assert_eq!(row, roadbook_protocol::projection::project(contact, &merged.doc));
    let _ = roadbook_protocol::document::conflicts(contact, &loaded);
    let mut tx = merged.doc.transaction();
    tx.put(ROOT, "next", 1).expect("the next edit works");
    tx.commit();
    Automerge::load(&merged.doc.save()).expect("it loads after the next edit");
}

/// An honest change with alterations that the script chooses one by one.
fn altered(honest: &[u8], script: &mut Script<'_>) -> Vec<u8> {
    let mut parts = Parts::parse(honest).expect("an honest change");
    while !script.is_over() {
        match script.byte() % 16 {
            0 => parts.seq = script.number(),
            1 => parts.start_op = parts.start_op.wrapping_add(script.number()),
            2 => parts.time = script.number() as i64,
            3 => parts.deps.extend(parts.deps.first().copied()),
            4 => parts.others = script.take(32).chunks(16).map(<[u8]>::to_vec).collect(),
            5 => parts.message = script.take(64).to_vec(),
            6 => *parts.column(script.number()) = script.take(8).to_vec(),
            _ => {
                let at = script.below(parts.columns.len().max(1));
                let (place, action, byte) = (script.byte() as usize, script.byte(), script.byte());
                let Some((_, column)) = parts.columns.get_mut(at) else { continue };
                let place = place % (column.len() + 1);
                match action % 3 {
                    0 => column.insert(place, byte),
                    1 if place < column.len() => column[place] = byte,
                    2 if place < column.len() => drop(column.remove(place)),
                    _ => {}
                }
            }
        }
    }
    parts.change()
}

/// Loading any bytes as a snapshot: never a panic, and what is loaded can be saved and loaded again.
pub fn snapshot(data: &[u8]) {
    if let Ok(doc) = load_snapshot(&with_checksum(data), &LIMITS) {
        load_snapshot(&doc.save_nocompress(), &LIMITS).expect("what was loaded can be saved");
    }
}
