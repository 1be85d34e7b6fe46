//! Merging changes that passed gate 1 into a document, so that the good ones get in, each bad one is
//! named with its reason, and the document that comes out survives a save.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use automerge::{Automerge, AutomergeError, Change, ChangeHash, LoadOptions, ReadDoc, SaveOptions};

use super::change::{RawChange, peek};
use super::error::{Bound, GateError, MergeError, within};
use super::gate1::decode;
use super::quiet::contained;
use super::references::Judge;
use crate::ids::Actor;
use crate::limits::Limits;

/// Operations that are applied in one go at most, so that a batch can't inflate memory.
const ATTEMPT_OPS_MAX: u64 = 50_000;
/// Failed attempts after which the rest of a batch is refused untried.
const FAILED_ATTEMPTS_MAX: usize = 256;

/// A change that passed gate 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The hash that gate 1 found.
    pub hash: ChangeHash,
    /// The bytes of the change chunk.
    pub bytes: Vec<u8>,
}

/// What came of a merge.
#[derive(Debug)]
pub struct Merged {
    /// The document with the good changes, as it is after a save and a load. It has the actor of the
    /// document that was given.
    pub doc: Automerge,
    /// The hashes that are in the document now, in the order of the merge; those that were in it
    /// before come first. Each once.
    pub merged: Vec<ChangeHash>,
    /// The refused changes, each with the reason.
    pub refused: Vec<(ChangeHash, GateError)>,
    /// The document, saved without compression and without orphans.
    pub snapshot: Vec<u8>,
    /// The heads of the document, sorted.
    pub heads: Vec<ChangeHash>,
}

/// Applies a batch of changes to a copy of `doc`, in any order that their dependencies allow.
///
/// The whole batch is tried at once; if that fails it is halved until the failing changes are found.
/// `doc` is never touched, so after an error or a refusal the caller's copy is as good as before.
///
/// # Errors
/// Only if `doc` itself is unusable: it must then be rebuilt from the log. A bad change is no error
/// but an entry in [`Merged::refused`].
pub fn merge(
    doc: &Automerge,
    incoming: Vec<Incoming>,
    limits: &Limits,
) -> Result<Merged, MergeError> {
    let missing = contained(|| doc.get_missing_deps(&[]).len())
        .map_err(|reason| MergeError::Base { reason })?;
    if missing > 0 {
        return Err(MergeError::Orphans { missing });
    }
    let mut merged = Vec::new();
    let mut refused = Refused::default();
    let candidates = judge(doc, &incoming, limits, &mut merged, &mut refused)?;
    let settled = settle(doc, candidates, limits, &mut merged, &mut refused)?;
    let heads = settled.doc.get_heads();
    Ok(Merged {
        doc: settled.doc,
        merged,
        refused: refused.list,
        snapshot: settled.snapshot,
        heads,
    })
}

/// A change that nothing speaks against before it is applied.
struct Candidate {
    hash: ChangeHash,
    actor: Actor,
    seq: u64,
    ops: u64,
    change: Change,
}

/// The refused changes, in the order in which they were refused.
#[derive(Default)]
struct Refused {
    list: Vec<(ChangeHash, GateError)>,
    hashes: HashSet<ChangeHash>,
}

impl Refused {
    fn push(&mut self, hash: ChangeHash, error: GateError) {
        if self.hashes.insert(hash) {
            self.list.push((hash, error));
        }
    }

    /// The first of `deps` that was refused, as a reason.
    fn taints(&self, deps: &[ChangeHash]) -> Option<GateError> {
        deps.iter()
            .find(|dep| self.hashes.contains(*dep))
            .map(|dep| GateError::DependsOnRefused { hash: *dep })
    }
}

/// Sorts the batch by dependencies and judges each change; what is in the document already goes to
/// `merged`, what can't go in to `refused`.
fn judge(
    doc: &Automerge,
    incoming: &[Incoming],
    limits: &Limits,
    merged: &mut Vec<ChangeHash>,
    refused: &mut Refused,
) -> Result<Vec<Candidate>, MergeError> {
    let base = |reason| MergeError::Base { reason };
    let mut candidates = Vec::new();
    let mut judge = contained(|| Judge::new(doc, limits)).map_err(base)?;
    let mut seen = HashSet::new();
    let mut fresh = Vec::new();
    for change in incoming {
        if !seen.insert(change.hash) {
            continue;
        }
        if contained(|| doc.get_change_meta_by_hash(&change.hash).is_some()).map_err(base)? {
            merged.push(change.hash);
        } else {
            fresh.push(change);
        }
    }
    for change in in_causal_order(fresh, limits, refused) {
        let outcome = contained(|| -> Result<Candidate, GateError> {
            let raw = RawChange::parse(&change.bytes, limits)?;
            if raw.hash != change.hash {
                return Err(GateError::HashMismatch { found: raw.hash });
            }
            if let Some(error) = refused.taints(&raw.deps) {
                return Err(error);
            }
            let decoded = decode(&change.bytes, &raw)?;
            judge.admit(&raw)?;
            let (actor, seq, ops) = (raw.actor, raw.seq, raw.ops.len() as u64);
            Ok(Candidate { hash: change.hash, actor, seq, ops, change: decoded })
        });
        match outcome {
            Ok(Ok(candidate)) => candidates.push(candidate),
            Ok(Err(error)) => refused.push(change.hash, error),
            Err(reason) => {
                refused.push(
                    change.hash,
                    GateError::Panicked { during: "judging the change", reason },
                );
            }
        }
    }
    Ok(candidates)
}

/// Orders changes so that each comes after those of the batch that it depends on, and otherwise as
/// they came. What can't be read is refused.
fn in_causal_order<'i>(
    fresh: Vec<&'i Incoming>,
    limits: &Limits,
    refused: &mut Refused,
) -> Vec<&'i Incoming> {
    let index: HashMap<ChangeHash, usize> =
        fresh.iter().enumerate().map(|(at, change)| (change.hash, at)).collect();
    let mut waits = vec![0_usize; fresh.len()];
    let mut wakes: Vec<Vec<usize>> = vec![Vec::new(); fresh.len()];
    for (at, change) in fresh.iter().enumerate() {
        match peek(&change.bytes, limits) {
            Ok((deps, _)) => {
                for before in deps.iter().filter_map(|dep| index.get(dep)) {
                    if let (Some(wait), Some(wake)) = (waits.get_mut(at), wakes.get_mut(*before)) {
                        *wait += 1;
                        wake.push(at);
                    }
                }
            }
            Err(error) => refused.push(change.hash, error),
        }
    }
    // A set instead of a queue, so that what is ready goes in the order in which it came.
    let mut ready: BTreeSet<usize> =
        (0..fresh.len()).filter(|at| waits.get(*at) == Some(&0)).collect();
    let mut order = Vec::with_capacity(fresh.len());
    while let Some(at) = ready.pop_first() {
        if let Some(change) = fresh.get(at)
            && !refused.hashes.contains(&change.hash)
        {
            order.push(*change);
        }
        for next in wakes.get(at).into_iter().flatten() {
            if let Some(wait) = waits.get_mut(*next) {
                *wait -= 1;
                if *wait == 0 {
                    ready.insert(*next);
                }
            }
        }
    }
    // Hashes can't form a circle, but wrongly filed bytes can: those never become ready.
    for (at, change) in fresh.iter().enumerate() {
        if waits.get(at).is_some_and(|wait| *wait > 0) {
            refused
                .push(change.hash, GateError::Malformed { what: "its dependencies form a circle" });
        }
    }
    order
}

struct Settled {
    doc: Automerge,
    snapshot: Vec<u8>,
}

/// Applies the candidates, all at once where that works, and finds those that break the document.
fn settle(
    doc: &Automerge,
    candidates: Vec<Candidate>,
    limits: &Limits,
    merged: &mut Vec<ChangeHash>,
    refused: &mut Refused,
) -> Result<Settled, MergeError> {
    let mut settled: Option<Settled> = None;
    let mut failed = 0;
    let mut segments = segments_of(candidates);
    while let Some(mut segment) = segments.pop_front() {
        segment.retain(|candidate| match refused.taints(candidate.change.deps()) {
            Some(error) => {
                refused.push(candidate.hash, error);
                false
            }
            None => true,
        });
        if segment.is_empty() {
            continue;
        }
        if failed >= FAILED_ATTEMPTS_MAX {
            for candidate in segment {
                refused.push(candidate.hash, GateError::GaveUp { attempts: failed });
            }
            continue;
        }
        let base = settled.as_ref().map_or(doc, |settled| &settled.doc);
        match attempt(base, &segment, limits) {
            Ok(next) => {
                merged.extend(segment.iter().map(|candidate| candidate.hash));
                settled = Some(next);
            }
            Err(error) => {
                failed += 1;
                if failed == 1 && settled.is_none() {
                    // Before a change is blamed: is it the document?
                    attempt(doc, &[], limits)
                        .map_err(|error| MergeError::Base { reason: error.to_string() })?;
                }
                blame(error, segment, &mut segments, refused);
            }
        }
    }
    match settled {
        Some(mut settled) => {
            settled.doc.set_actor(doc.get_actor().clone());
            Ok(settled)
        }
        None => {
            let copied = contained(|| (doc.clone(), save(doc)))
                .map_err(|reason| MergeError::Base { reason })?;
            Ok(Settled { doc: copied.0, snapshot: copied.1 })
        }
    }
}

/// Cuts the candidates into pieces of bounded size.
fn segments_of(candidates: Vec<Candidate>) -> VecDeque<Vec<Candidate>> {
    let mut segments = VecDeque::new();
    let mut segment = Vec::new();
    let mut ops = 0;
    for candidate in candidates {
        if ops + candidate.ops > ATTEMPT_OPS_MAX && !segment.is_empty() {
            segments.push_back(std::mem::take(&mut segment));
            ops = 0;
        }
        ops += candidate.ops;
        segment.push(candidate);
    }
    segments.push_back(segment);
    segments
}

/// Refuses the change that made an attempt fail where it is known, else halves the segment.
fn blame(
    error: GateError,
    mut segment: Vec<Candidate>,
    segments: &mut VecDeque<Vec<Candidate>>,
    refused: &mut Refused,
) {
    if let GateError::Forked { actor, seq } = error
        && let Some(at) =
            segment.iter().position(|candidate| candidate.actor == actor && candidate.seq == seq)
    {
        refused.push(segment.remove(at).hash, error);
        segments.push_front(segment);
        return;
    }
    if let [only] = segment.as_slice() {
        refused.push(only.hash, error);
        return;
    }
    let later = segment.split_off(segment.len() / 2);
    segments.push_front(later);
    segments.push_front(segment);
}

/// Applies changes to a copy, saves it, loads it again and compares. Nothing of a failed attempt is
/// kept.
fn attempt(base: &Automerge, segment: &[Candidate], limits: &Limits) -> Result<Settled, GateError> {
    let outcome = contained(|| {
        let mut copy = base.clone();
        if !segment.is_empty() {
            copy.apply_changes(segment.iter().map(|candidate| candidate.change.clone()))
                .map_err(apply_error)?;
        }
        let mut expected: BTreeSet<ChangeHash> = base.get_heads().into_iter().collect();
        for candidate in segment {
            for dep in candidate.change.deps() {
                expected.remove(dep);
            }
            expected.insert(candidate.hash);
        }
        let differs = |what: &str| GateError::Unloadable { reason: what.to_owned() };
        let present =
            segment.iter().all(|candidate| copy.get_change_meta_by_hash(&candidate.hash).is_some());
        if !present
            || !copy.get_missing_deps(&[]).is_empty()
            || !copy.get_heads().iter().eq(&expected)
        {
            return Err(differs("the applied changes are not all there"));
        }
        let snapshot = save(&copy);
        within(Bound::DocumentBytes, snapshot.len() as u64, limits.document_bytes_max as u64)?;
        let options = LoadOptions::new().text_encoding(base.text_encoding());
        let doc = Automerge::load_with_options(&snapshot, options)
            .map_err(|error| GateError::Unloadable { reason: error.to_string() })?;
        let (before, after) = (copy.stats(), doc.stats());
        if !doc.get_heads().iter().eq(&expected)
            || (before.num_ops, before.num_changes, before.num_actors)
                != (after.num_ops, after.num_changes, after.num_actors)
        {
            return Err(differs("the loaded document differs from the saved one"));
        }
        Ok(Settled { doc, snapshot })
    });
    outcome
        .unwrap_or_else(|reason| Err(GateError::Panicked { during: "merging the change", reason }))
}

fn save(doc: &Automerge) -> Vec<u8> {
    doc.save_with_options(SaveOptions { deflate: false, retain_orphans: false })
}

fn apply_error(error: AutomergeError) -> GateError {
    match &error {
        AutomergeError::DuplicateSeqNumber(seq, actor) => match Actor::from_slice(actor.to_bytes())
        {
            Some(actor) => GateError::Forked { actor, seq: *seq },
            None => GateError::Apply { reason: error.to_string() },
        },
        _ => GateError::Apply { reason: error.to_string() },
    }
}
