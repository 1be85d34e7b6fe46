use super::super::mutate::{Parts, Rng};
use super::super::{GateError, MergeError};
use super::*;

/// A document with the history of several replicas that edit, sync and edit again.
fn history(seed: u64, rounds: usize) -> (Automerge, Vec<Vec<u8>>) {
    let mut rng = Rng::new(seed);
    let (first, bytes) = contact();
    let mut replicas = vec![first; 4];
    let mut changes = vec![bytes];
    for _ in 0..rounds {
        let at = rng.below(replicas.len());
        if rng.below(4) == 0 {
            let mut other = replicas[rng.below(4)].clone();
            replicas[at].merge(&mut other).unwrap();
        }
        let (next, bytes) = any_edit(&replicas[at], actor(10 + at as u8), &mut rng);
        replicas[at] = next;
        changes.push(bytes);
    }
    let mut all = replicas[0].clone();
    for replica in &mut replicas {
        all.merge(replica).unwrap();
    }
    (all, changes)
}

fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for at in (1..items.len()).rev() {
        items.swap(at, rng.below(at + 1));
    }
}

#[test]
fn every_order_and_every_cut_into_batches_gives_the_same_contact() {
    for seed in 0..6 {
        let (expected, changes) = history(seed, 40);
        let mut rng = Rng::new(seed + 100);
        let mut batch: Vec<Incoming> = changes.iter().map(|bytes| incoming(bytes)).collect();
        shuffle(&mut batch, &mut rng);
        let at_once = merge(&Automerge::new(), batch.clone(), &LIMITS).unwrap();
        assert_eq!(at_once.refused, vec![], "seed {seed}");
        assert_eq!(at_once.heads, expected.get_heads());
        assert!(content(&at_once.doc) == content(&expected));

        let mut doc = Automerge::new();
        let mut rest: Vec<Incoming> = changes.iter().map(|bytes| incoming(bytes)).collect();
        while !rest.is_empty() {
            let size = 1 + rng.below(7);
            let mut batch: Vec<_> = rest.drain(..size.min(rest.len())).collect();
            shuffle(&mut batch, &mut rng);
            let merged = merge(&doc, batch, &LIMITS).unwrap();
            assert_eq!(merged.refused, vec![], "seed {seed}");
            doc = merged.doc;
        }
        assert_eq!(doc.get_heads(), expected.get_heads());
        assert!(content(&doc) == content(&expected));
    }
}

#[test]
fn the_snapshot_is_the_document_and_its_actor_is_kept() {
    let (doc, changes) = history(50, 10);
    let base = Automerge::new().with_actor(actor(77).into());
    let merged =
        merge(&base, changes.iter().map(|bytes| incoming(bytes)).collect(), &LIMITS).unwrap();
    let loaded = super::super::load_snapshot(&merged.snapshot, &LIMITS).unwrap();
    assert_eq!(loaded.get_heads(), merged.heads);
    assert_eq!(hashes(&loaded), hashes(&doc));
    assert_eq!(merged.doc.get_actor().to_bytes(), actor(77).as_bytes());
    assert_eq!(merged.doc.save_nocompress(), merged.snapshot);
    // The merged document can be edited and merged on.
    let (_, bytes) = edit(&merged.doc, actor(77), |tx| tx.put(ROOT, "a", 1));
    assert!(both_gates(&merged.doc, &bytes).is_ok());
}

#[test]
fn what_is_in_the_document_already_is_reported_merged_and_changes_nothing() {
    let (doc, changes) = history(51, 10);
    let mut batch: Vec<Incoming> = changes.iter().map(|bytes| incoming(bytes)).collect();
    batch.extend(batch.clone());
    let merged = merge(&doc, batch, &LIMITS).unwrap();
    assert_eq!(merged.merged.len(), changes.len());
    assert_eq!(merged.refused, vec![]);
    assert_eq!(merged.heads, doc.get_heads());
    assert_eq!(merge(&doc, vec![], &LIMITS).unwrap().heads, doc.get_heads());
}

/// It passes gate 1, and what it refers to is all there; only applying it shows that a value of
/// another key is named as the one it replaces.
fn poison(doc: &Automerge, by: Actor) -> Vec<u8> {
    let (_, honest) = edit(doc, by, |tx| tx.put(ROOT, "family_name", "Sørensen"));
    let mut parts = Parts::parse(&honest).unwrap();
    *parts.column(0x15) = vec![0x7f, 1, b'a'];
    parts.change()
}

#[test]
fn one_poisoned_change_of_many_is_named_and_the_others_are_merged() {
    quiet();
    let (doc, _) = contact();
    let limits = Limits { document_heads_max: 200, ..LIMITS };
    let mut batch = Vec::new();
    for device in 0..100_u8 {
        let (_, bytes) =
            edit(&doc, actor(100 + device), |tx| tx.put(ROOT, format!("field {device}"), 1));
        batch.push(bytes);
    }
    let poison = poison(&doc, actor(2));
    assert!(gate1(&poison, &LIMITS, &[]).is_ok());
    batch.insert(37, poison.clone());
    let merged = merge(&doc, batch.iter().map(|bytes| incoming(bytes)).collect(), &limits).unwrap();
    assert_eq!(merged.merged.len(), 100);
    assert_eq!(merged.refused.len(), 1);
    assert_eq!(merged.refused[0].0, incoming(&poison).hash);
    assert!(
        matches!(merged.refused[0].1.code(), "panicked" | "unloadable"),
        "{}",
        merged.refused[0].1
    );
}

#[test]
fn what_depends_on_a_refused_change_is_refused_with_its_hash() {
    quiet();
    let (doc, _) = contact();
    let (one, first) = edit(&doc, actor(2), |tx| tx.put(ROOT, "a", 1));
    let (two, second) = edit(&one, actor(2), |tx| tx.put(ROOT, "b", 1));
    let (_, third) = edit(&two, actor(3), |tx| tx.put(ROOT, "c", 1));
    let (_, free) = edit(&doc, actor(4), |tx| tx.put(ROOT, "d", 1));
    let mut batch: Vec<Incoming> =
        [&third, &second, &first, &free].map(|bytes| incoming(bytes)).to_vec();
    batch[2].bytes[6] ^= 1;
    let merged = merge(&doc, batch, &LIMITS).unwrap();
    assert_eq!(merged.merged, vec![incoming(&free).hash]);
    assert_eq!(
        merged.refused,
        vec![
            (incoming(&first).hash, GateError::Checksum),
            (incoming(&second).hash, GateError::DependsOnRefused { hash: incoming(&first).hash }),
            (incoming(&third).hash, GateError::DependsOnRefused { hash: incoming(&second).hash }),
        ]
    );
}

#[test]
fn a_missing_dependency_is_named_and_never_parked_in_the_document() {
    let (doc, _) = contact();
    let (one, first) = edit(&doc, actor(2), |tx| tx.put(ROOT, "a", 1));
    let (_, second) = edit(&one, actor(2), |tx| tx.put(ROOT, "b", 1));
    let merged = merge(&doc, vec![incoming(&second)], &LIMITS).unwrap();
    assert_eq!(merged.refused[0].1, GateError::MissingDependency { hash: incoming(&first).hash });
    assert_eq!(merged.doc.get_missing_deps(&[]), vec![]);
    assert_eq!(merged.doc.get_heads(), doc.get_heads());

    let mut parked = doc.clone();
    parked.apply_changes([Change::from_bytes(second).unwrap()]).unwrap();
    let error = merge(&parked, vec![], &LIMITS).unwrap_err();
    assert_eq!(error, MergeError::Orphans { missing: 1 });
}

#[test]
fn the_sequence_must_go_on_where_the_actor_stopped() {
    quiet();
    let (doc, _) = contact();
    let (one, _) = edit(&doc, actor(2), |tx| tx.put(ROOT, "a", 1));
    let (_, second) = edit(&one, actor(2), |tx| tx.put(ROOT, "b", 1));
    for (seq, expected) in [(1, "sequence"), (3, "sequence"), (2, "merged")] {
        let mut parts = Parts::parse(&second).unwrap();
        parts.seq = seq;
        let outcome = both_gates(&one, &parts.change()).map(|_| "merged".to_owned());
        assert_eq!(outcome.unwrap_or_else(|code| code), expected, "sequence {seq}");
    }
    let (_, fresh) = edit(&one, actor(3), |tx| tx.put(ROOT, "b", 1));
    let mut parts = Parts::parse(&fresh).unwrap();
    parts.seq = 2;
    assert_eq!(both_gates(&one, &parts.change()).unwrap_err(), "sequence");
}

#[test]
fn bytes_filed_under_another_hash_are_refused() {
    let (doc, _) = contact();
    let (_, bytes) = edit(&doc, actor(2), |tx| tx.put(ROOT, "a", 1));
    let batch = vec![Incoming { hash: ChangeHash([7; 32]), bytes: bytes.clone() }];
    let merged = merge(&doc, batch, &LIMITS).unwrap();
    assert_eq!(merged.refused[0].1, GateError::HashMismatch { found: incoming(&bytes).hash });
}

#[test]
fn a_full_document_refuses_more_and_stays_as_it_is() {
    let (doc, _) = contact();
    let stats = doc.stats();
    let (_, bytes) = edit(&doc, actor(2), |tx| tx.put(ROOT, "a", "x".repeat(1000)));
    let full = |limits: Limits| {
        let merged = merge(&doc, vec![incoming(&bytes)], &limits).unwrap();
        assert_eq!(merged.heads, doc.get_heads());
        merged.refused[0].1.code()
    };
    assert_eq!(full(Limits { document_ops_max: stats.num_ops, ..LIMITS }), "document_operations");
    assert_eq!(
        full(Limits { document_changes_max: stats.num_changes, ..LIMITS }),
        "document_changes"
    );
    assert_eq!(full(Limits { document_actors_max: 1, ..LIMITS }), "document_actors");
    let bytes_max = doc.save_nocompress().len() + 500;
    assert_eq!(full(Limits { document_bytes_max: bytes_max, ..LIMITS }), "document_bytes");
    assert!(both_gates(&doc, &bytes).is_ok());
}

#[test]
fn a_contact_has_so_few_branches_that_an_honest_edit_can_join_them_all() {
    const { assert!(LIMITS.document_heads_max < LIMITS.change_deps_max) };
    let (doc, _) = contact();
    let limits = Limits { document_heads_max: 3, ..LIMITS };
    let batch = (2..10)
        .map(|n| incoming(&edit(&doc, actor(n), |tx| tx.put(ROOT, "a", u64::from(n))).1))
        .collect();
    let merged = merge(&doc, batch, &limits).unwrap();
    assert_eq!(merged.heads.len(), 3);
    assert_eq!(merged.refused.len(), 5);
    assert!(merged.refused.iter().all(|(_, error)| error.code() == "document_heads"));
    // Who knows all branches joins them; who knows one of them goes on along it.
    let (_, joins) = edit(&merged.doc, actor(20), |tx| tx.put(ROOT, "a", 20));
    let joined = merge(&merged.doc, vec![incoming(&joins)], &limits).unwrap();
    assert_eq!((joined.heads.len(), joined.refused.len()), (1, 0));
    let (known, _) = edit(&doc, actor(2), |tx| tx.put(ROOT, "a", 2_u64));
    let (_, goes_on) = edit(&known, actor(2), |tx| tx.put(ROOT, "b", 2));
    let gone_on = merge(&merged.doc, vec![incoming(&goes_on)], &limits).unwrap();
    assert_eq!((gone_on.heads.len(), gone_on.refused.len()), (3, 0));
}

#[test]
fn bootstrap_actors_do_not_count_against_the_limit_of_actors() {
    let mut doc = contact().0;
    for n in 0..5 {
        let mut bootstrap = Automerge::new().with_actor(actor(0xb0 + n).into());
        let mut tx = bootstrap.transaction();
        tx.put_object(ROOT, format!("bootstrap {n}"), ObjType::Map).unwrap();
        tx.commit_with(CommitOptions::default().with_time(0));
        let change = bootstrap.get_changes(&[]).pop().unwrap();
        let merged = merge(&doc, vec![incoming(change.raw_bytes())], &LIMITS).unwrap();
        assert_eq!(merged.refused, vec![]);
        doc = merged.doc;
    }
    let limits = Limits { document_actors_max: 2, ..LIMITS };
    let (next, bytes) = edit(&doc, actor(2), |tx| tx.put(ROOT, "a", 1));
    assert_eq!(merge(&doc, vec![incoming(&bytes)], &limits).unwrap().refused, vec![]);
    let (_, bytes) = edit(&next, actor(3), |tx| tx.put(ROOT, "a", 2));
    assert_eq!(
        merge(&next, vec![incoming(&bytes)], &limits).unwrap().refused[0].1.code(),
        "document_actors"
    );
}

#[test]
fn a_long_offline_chain_is_merged_in_one_batch() {
    let (mut doc, _) = contact();
    let base = doc.clone();
    let mut rng = Rng::new(5);
    let mut batch = Vec::new();
    for _ in 0..300 {
        let (next, bytes) = any_edit(&doc, actor(2), &mut rng);
        doc = next;
        batch.push(incoming(&bytes));
    }
    // Meanwhile others went on.
    let (base, _) = edit(&base, actor(3), |tx| tx.put(ROOT, "family_name", "Meanwhile"));
    batch.reverse();
    let merged = merge(&base, batch, &LIMITS).unwrap();
    assert_eq!(merged.refused, vec![]);
    assert_eq!(merged.merged.len(), 300);
    assert_eq!(merged.heads.len(), 2);
}

#[test]
fn many_poisoned_changes_of_many_devices_are_each_named() {
    quiet();
    let (doc, _) = contact();
    let limits = Limits { document_heads_max: 60, ..LIMITS };
    let mut batch = Vec::new();
    let mut poisons = Vec::new();
    for device in 0..60_u8 {
        if device % 4 == 1 {
            let bytes = poison(&doc, actor(100 + device));
            poisons.push(incoming(&bytes).hash);
            batch.push(incoming(&bytes));
        } else {
            let field = format!("field {device}");
            batch.push(incoming(&edit(&doc, actor(100 + device), |tx| tx.put(ROOT, field, 1)).1));
        }
    }
    let merged = merge(&doc, batch, &limits).unwrap();
    assert_eq!(merged.merged.len(), 45);
    let refused: Vec<_> = merged.refused.iter().map(|(hash, _)| *hash).collect();
    assert_eq!(refused, poisons);
}

#[test]
fn after_too_many_failures_the_rest_of_a_batch_is_refused_untried() {
    quiet();
    let (doc, _) = contact();
    let limits = Limits { document_actors_max: 1_000, document_heads_max: 1_000, ..LIMITS };
    let batch: Vec<_> = (0..300_u128)
        .map(|device| incoming(&poison(&doc, Actor::from_bytes((device << 64 | 1).to_be_bytes()))))
        .collect();
    let merged = merge(&doc, batch, &limits).unwrap();
    assert_eq!((merged.merged.len(), merged.refused.len()), (0, 300));
    assert_eq!(merged.refused.last().unwrap().1.code(), "gave_up");
    assert_ne!(merged.refused[0].1.code(), "gave_up");
    assert_eq!(merged.heads, doc.get_heads());
}
