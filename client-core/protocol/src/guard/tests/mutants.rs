use std::collections::BTreeMap;

use super::super::mutate::{Rng, mutate};
use super::*;

/// Mutants of honest changes, the same every time. `ROADBOOK_MUTANTS` asks for more in a long run.
const MUTANTS: u64 = 20_000;
/// Mutants per document.
const BLOCK: u64 = 4_000;

fn mutants() -> u64 {
    std::env::var("ROADBOOK_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(MUTANTS)
}

/// A document and honest changes on top of it that between them use everything a contact has.
fn seeds(seed: u64) -> (Automerge, Vec<Vec<u8>>) {
    let mut rng = Rng::new(seed);
    let (mut doc, first) = contact();
    for round in 0..12 {
        doc = any_edit(&doc, actor(1 + round % 3), &mut rng).0;
    }
    // A second head, so that some changes depend on two.
    let (mut branch, _) = any_edit(&doc, actor(5), &mut rng);
    doc = any_edit(&doc, actor(6), &mut rng).0;
    doc.merge(&mut branch).unwrap();
    let mut changes = vec![first];
    for _ in 0..24 {
        changes.push(any_edit(&doc, actor(2), &mut rng).1);
        changes.push(any_edit(&doc, actor(9), &mut rng).1);
    }
    (doc, changes)
}

/// Everything that must hold of a document that the guard handed out.
fn check_accepted(base: &Automerge, merged: &Merged, seed: u64) {
    let loaded = Automerge::load(&merged.snapshot).unwrap();
    assert_eq!(loaded.get_heads(), merged.heads, "seed {seed}");
    // The next edit of every replica works on it.
    let (_, next) = edit(&loaded, actor(200), |tx| tx.put(ROOT, "next", seed as i64));
    assert!(both_gates(&loaded, &next).is_ok(), "seed {seed}");
    // And a replica that applies it alone, without the guard, gets the same.
    let mut alone = base.clone();
    alone.apply_changes(loaded.get_changes(&base.get_heads())).unwrap();
    assert_eq!(alone.get_heads(), loaded.get_heads(), "seed {seed}");
    assert!(content(&alone) == content(&loaded), "seed {seed}");
}

#[test]
fn no_mutant_panics_and_every_accepted_one_survives_a_save() {
    quiet();
    let empty = Automerge::new();
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for block in 0..mutants().div_ceil(BLOCK) {
        let (doc, seeds) = seeds(block);
        for seed in block * BLOCK..(block + 1) * BLOCK {
            let from = seed as usize % seeds.len();
            let base = if from == 0 { &empty } else { &doc };
            let mutant = mutate(&seeds[from], seed);
            let outcome = match gate1(&mutant, &LIMITS, &[]) {
                Err(error) => error.code(),
                Ok(passed) => {
                    let batch = vec![Incoming { hash: passed.hash, bytes: mutant }];
                    let merged = merge(base, batch, &LIMITS).unwrap();
                    match merged.refused.first() {
                        Some((_, error)) => error.code(),
                        None => {
                            check_accepted(base, &merged, seed);
                            "accepted"
                        }
                    }
                }
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    println!("{outcomes:?}");
    // A generator that no gate ever lets through, or that always passes, tests nothing.
    let total: u64 = outcomes.values().sum();
    let accepted = outcomes.get("accepted").copied().unwrap_or(0);
    assert!(accepted > total / 200 && accepted < total / 2, "{outcomes:?}");
    assert!(outcomes.len() > 20, "{outcomes:?}");
}

#[test]
fn mutants_beside_honest_changes_never_take_them_along() {
    quiet();
    let (doc, seeds) = seeds(1);
    let honest: Vec<Incoming> = (0..6_u8)
        .map(|n| {
            incoming(&edit(&doc, actor(100 + n), |tx| tx.put(ROOT, format!("honest {n}"), true)).1)
        })
        .collect();
    let mut found = 0;
    for seed in 0..4_000 {
        let mutant = mutate(&seeds[1 + seed as usize % (seeds.len() - 1)], seed);
        let Ok(passed) = gate1(&mutant, &LIMITS, &[]) else { continue };
        found += 1;
        let mut batch = honest.clone();
        batch.insert(seed as usize % honest.len(), Incoming { hash: passed.hash, bytes: mutant });
        let merged = merge(&doc, batch, &LIMITS).unwrap();
        for change in &honest {
            assert!(merged.merged.contains(&change.hash), "seed {seed}");
        }
        assert_eq!(merged.merged.len() + merged.refused.len(), honest.len() + 1, "seed {seed}");
    }
    assert!(found > 40);
}
