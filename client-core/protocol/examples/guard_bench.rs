//! How fast the guard is on one core: `cargo run --release -p roadbook-protocol --example guard_bench`.
//!
//! A contact here has 399 operations in one change, as in the design's measurements; an edit is one
//! operation of about 200 bytes.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{ActorId, Automerge, AutomergeError, ObjType, ROOT, ReadDoc};
use roadbook_protocol::guard::{Incoming, gate1, load_snapshot, merge};
use roadbook_protocol::ids::{Actor, UserId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::message::ChangeMessage;

const LIMITS: Limits = Limits::DEFAULT;

fn edit(
    doc: &mut Automerge,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<(), AutomergeError>,
) -> Result<Vec<u8>, AutomergeError> {
    let message = ChangeMessage {
        by: UserId::from_bytes([1; 16]),
        at: 1_760_000_000_000,
        command: "set".to_owned(),
        replaces: Vec::new(),
        decision: None,
        generation: None,
    };
    let mut tx = doc.transaction();
    work(&mut tx)?;
    tx.commit_with(CommitOptions::default().with_message(message.to_text()));
    Ok(doc.get_last_local_change().map(|change| change.raw_bytes().to_vec()).unwrap_or_default())
}

fn contact() -> Result<(Automerge, Vec<u8>), AutomergeError> {
    let mut doc = Automerge::new().with_actor(ActorId::from(Actor::from_bytes([1; 16])));
    let bytes = edit(&mut doc, |tx| {
        for collection in 0..9 {
            let map = tx.put_object(ROOT, format!("collection {collection}"), ObjType::Map)?;
            for entry in 0..4 {
                let entry = tx.put_object(&map, format!("entry {entry}"), ObjType::Map)?;
                for field in 0..8 {
                    tx.put(&entry, format!("field {field}"), format!("value {field} of it"))?;
                }
            }
        }
        let note = tx.put_object(ROOT, "note", ObjType::Text)?;
        tx.splice_text(
            &note,
            0,
            0,
            "Asks for the discount, pays late, likes coffee, and a dog.......",
        )?;
        tx.put(ROOT, "family_name", "Sørensen")
    })?;
    Ok((doc, bytes))
}

/// Runs `work` for a second and prints how often a second it ran.
fn rate(name: &str, mut work: impl FnMut()) {
    for _ in 0..20 {
        work();
    }
    let start = Instant::now();
    let mut rounds = 0_u32;
    while start.elapsed() < Duration::from_secs(1) {
        for _ in 0..10 {
            work();
        }
        rounds += 10;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name:<58} {:>10.0} /s  {:>8.2} us",
        f64::from(rounds) / seconds,
        seconds * 1e6 / f64::from(rounds)
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (doc, creation) = contact()?;
    let snapshot = doc.save_nocompress();
    println!("contact: {} operations, {} bytes saved", doc.stats().num_ops, snapshot.len());
    let mut edited = doc.fork().with_actor(ActorId::from(Actor::from_bytes([2; 16])));
    let small = edit(&mut edited, |tx| tx.put(ROOT, "family_name", "Jørgensen"))?;
    println!("edit: {} bytes; creation: {} bytes", small.len(), creation.len());

    let incoming = |bytes: &[u8]| -> Result<Incoming, Box<dyn std::error::Error>> {
        Ok(Incoming { hash: gate1(bytes, &LIMITS, &[])?.hash, bytes: bytes.to_vec() })
    };
    rate("gate 1, edit", || {
        black_box(gate1(&small, &LIMITS, &[]).is_ok());
    });
    rate("gate 1, creation of 399 operations", || {
        black_box(gate1(&creation, &LIMITS, &[]).is_ok());
    });
    let one = incoming(&small)?;
    rate("cold merge: load, merge one edit", || {
        let loaded = Automerge::load(&snapshot);
        black_box(loaded.is_ok_and(|doc| merge(&doc, vec![one.clone()], &LIMITS).is_ok()));
    });
    rate("cold merge with load_snapshot", || {
        let loaded = load_snapshot(&snapshot, &LIMITS);
        black_box(loaded.is_ok_and(|doc| merge(&doc, vec![one.clone()], &LIMITS).is_ok()));
    });
    rate("warm merge: merge one edit into a cached document", || {
        black_box(merge(&doc, vec![one.clone()], &LIMITS).is_ok());
    });
    let first = incoming(&creation)?;
    rate("creation: merge 399 operations into an empty document", || {
        black_box(merge(&Automerge::new(), vec![first.clone()], &LIMITS).is_ok());
    });
    rate("load_snapshot", || {
        black_box(load_snapshot(&snapshot, &LIMITS).is_ok());
    });
    let mut batch = Vec::new();
    for round in 0..100 {
        let bytes = edit(&mut edited, |tx| tx.put(ROOT, "family_name", format!("Name {round}")))?;
        batch.push(incoming(&bytes)?);
    }
    batch.insert(0, one);
    rate("warm merge of a chain of 101 edits (per batch)", || {
        black_box(merge(&doc, batch.clone(), &LIMITS).is_ok());
    });
    Ok(())
}
