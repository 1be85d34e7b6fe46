//! Gate 2's judgement of one change against a document: dependencies, sequence, first operation,
//! references, depth and room, all before automerge applies anything.
//!
//! What a change refers to must be covered by its dependencies, not merely be in the document: else
//! another replica, which merges in another order, would meet the reference before its target.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use automerge::{ActorId, Automerge, ChangeHash, ObjId, ObjType, ReadDoc};

use super::change::RawChange;
use super::error::{Bound, GateError, within};
use super::operations::{Action, RawId, RawKey, RawOp};
use crate::ids::Actor;
use crate::limits::Limits;

/// The history that a change builds on.
#[derive(Clone)]
struct Covered {
    /// The changes of the document that it does *not* build on; mostly none.
    not_of_document: Rc<HashSet<ChangeHash>>,
    /// The last change of each actor in the batch that it builds on. Changes of one actor form a
    /// chain, so one number says it for all before.
    of_batch: Rc<BTreeMap<Actor, u64>>,
}

struct Member {
    actor: Actor,
    seq: u64,
    max_op: u64,
    covered: Covered,
}

#[derive(Clone, Copy)]
struct Span {
    start_op: u64,
    max_op: u64,
    seq: u64,
}

#[derive(Clone, Copy)]
struct Container {
    text: bool,
    depth: usize,
}

/// A document and the changes of a batch that were found good so far.
pub(super) struct Judge<'d> {
    doc: &'d Automerge,
    limits: &'d Limits,
    heads: Vec<ChangeHash>,
    /// The heads with the good changes of the batch.
    tips: HashSet<ChangeHash>,
    members: HashMap<ChangeHash, Member>,
    spans: HashMap<Actor, Vec<Span>>,
    containers: HashMap<(Actor, u64), Container>,
    /// What dependencies in the document leave uncovered; many devices start from the same heads.
    uncovered: HashMap<Vec<ChangeHash>, Rc<HashSet<ChangeHash>>>,
    ops: u64,
    changes: u64,
    new_actors: u64,
    /// Actors of the document without those of bootstrap changes; counted when it matters.
    old_actors: Option<u64>,
}

impl<'d> Judge<'d> {
    pub(super) fn new(doc: &'d Automerge, limits: &'d Limits) -> Self {
        let stats = doc.stats();
        let heads = doc.get_heads();
        Self {
            doc,
            limits,
            tips: heads.iter().copied().collect(),
            heads,
            members: HashMap::new(),
            spans: HashMap::new(),
            containers: HashMap::new(),
            uncovered: HashMap::new(),
            ops: stats.num_ops,
            changes: stats.num_changes,
            new_actors: 0,
            old_actors: None,
        }
    }

    /// Judges a change whose dependencies come before it, and remembers it if it is good.
    pub(super) fn admit(&mut self, change: &RawChange<'_>) -> Result<(), GateError> {
        self.check_place(change)?;
        let covered = self.covered_by(&change.deps);
        let mut made = Vec::with_capacity(change.ops.len());
        for (index, op) in change.ops.iter().enumerate() {
            let container = self.check_op(change, index, op, &covered, &made)?;
            made.push(container);
        }
        self.make_room(change)?;

        for (counter, container) in (change.start_op..).zip(made) {
            if let Some(container) = container {
                self.containers.insert((change.actor, counter), container);
            }
        }
        self.tips.retain(|tip| !change.deps.contains(tip));
        self.tips.insert(change.hash);
        let span = Span { start_op: change.start_op, max_op: change.max_op(), seq: change.seq };
        self.spans.entry(change.actor).or_default().push(span);
        let mut of_batch = covered.of_batch;
        Rc::make_mut(&mut of_batch).insert(change.actor, change.seq);
        self.members.insert(
            change.hash,
            Member {
                actor: change.actor,
                seq: change.seq,
                max_op: change.max_op(),
                covered: Covered { not_of_document: covered.not_of_document, of_batch },
            },
        );
        Ok(())
    }

    /// Dependencies, sequence number and first operation.
    fn check_place(&self, change: &RawChange<'_>) -> Result<(), GateError> {
        let mut highest = 0;
        let mut last_of_actor = None;
        for dep in &change.deps {
            let (actor, seq, max_op) =
                self.place_of(dep).ok_or(GateError::MissingDependency { hash: *dep })?;
            highest = highest.max(max_op);
            if actor == Some(change.actor) {
                last_of_actor = last_of_actor.max(Some(seq));
            }
        }
        let seq = change.seq;
        match last_of_actor {
            None if seq != 1 => {
                return Err(GateError::Sequence {
                    seq,
                    reason: "it does not depend on the one before",
                });
            }
            Some(last) if last + 1 != seq => {
                return Err(GateError::Sequence {
                    seq,
                    reason: "it depends on another one than the one before",
                });
            }
            _ => {}
        }
        if self
            .spans
            .get(&change.actor)
            .and_then(|spans| spans.last())
            .is_some_and(|last| last.seq >= seq)
        {
            return Err(GateError::Forked { actor: change.actor, seq });
        }
        let expected = highest + 1;
        if change.start_op != expected {
            return Err(GateError::StartOp { found: change.start_op, expected });
        }
        Ok(())
    }

    fn place_of(&self, hash: &ChangeHash) -> Option<(Option<Actor>, u64, u64)> {
        if let Some(member) = self.members.get(hash) {
            return Some((Some(member.actor), member.seq, member.max_op));
        }
        let meta = self.doc.get_change_meta_by_hash(hash)?;
        Some((Actor::from_slice(meta.actor.to_bytes()), meta.seq, meta.max_op))
    }

    /// The changes of the document that are not among `deps` and their ancestors.
    fn uncovered_by(&mut self, deps: Vec<ChangeHash>) -> Rc<HashSet<ChangeHash>> {
        if self.heads.iter().all(|head| deps.contains(head)) {
            return Rc::default();
        }
        let doc = self.doc;
        let compute = |deps: &Vec<ChangeHash>| -> Rc<HashSet<ChangeHash>> {
            Rc::new(doc.get_changes_meta(deps).into_iter().map(|meta| meta.hash).collect())
        };
        self.uncovered.entry(deps).or_insert_with_key(compute).clone()
    }

    fn covered_by(&mut self, deps: &[ChangeHash]) -> Covered {
        let (of_batch, of_document): (Vec<_>, Vec<_>) =
            deps.iter().copied().partition(|dep| self.members.contains_key(dep));
        let mut missing: Option<Rc<HashSet<ChangeHash>>> = None;
        if of_batch.is_empty() || !of_document.is_empty() {
            missing = Some(self.uncovered_by(of_document));
        }
        let mut clock: Option<Rc<BTreeMap<Actor, u64>>> = None;
        for member in of_batch.iter().filter_map(|dep| self.members.get(dep)) {
            let theirs = &member.covered;
            missing = Some(match missing {
                None => theirs.not_of_document.clone(),
                Some(ours) if ours.is_empty() || Rc::ptr_eq(&ours, &theirs.not_of_document) => ours,
                Some(ours) => {
                    Rc::new(ours.intersection(&theirs.not_of_document).copied().collect())
                }
            });
            match &mut clock {
                None => clock = Some(theirs.of_batch.clone()),
                Some(ours) => {
                    let ours = Rc::make_mut(ours);
                    for (actor, seq) in theirs.of_batch.iter() {
                        let entry = ours.entry(*actor).or_insert(0);
                        *entry = (*entry).max(*seq);
                    }
                }
            }
        }
        Covered {
            not_of_document: missing.unwrap_or_default(),
            of_batch: clock.unwrap_or_default(),
        }
    }

    fn check_op(
        &self,
        change: &RawChange<'_>,
        index: usize,
        op: &RawOp<'_>,
        covered: &Covered,
        made: &[Option<Container>],
    ) -> Result<Option<Container>, GateError> {
        let element = if let RawKey::Element(id) = op.key { Some(id) } else { None };
        for id in op.object.iter().chain(element.iter()).chain(change.preds(op)) {
            // References to the change's own operations were resolved when it was parsed.
            if change.own(*id).is_none() {
                self.check_reference(change, index, *id, covered)?;
            }
        }
        let depth = match op.object {
            None => 0,
            Some(object) => self.check_object(change, index, op, object, made)?,
        };
        if !op.action.makes() {
            return Ok(None);
        }
        let depth = depth + 1;
        within(Bound::Depth, depth as u64, self.limits.depth_max as u64)?;
        Ok(Some(Container { text: op.action == Action::MakeText, depth }))
    }

    fn check_reference(
        &self,
        change: &RawChange<'_>,
        index: usize,
        id: RawId,
        covered: &Covered,
    ) -> Result<(), GateError> {
        let actor = change.actor_of(id);
        let refuse = |reason| Err(GateError::Reference { op: index, reason });
        if let Some(seq) = self.seq_in_batch(actor, id.counter) {
            return match covered.of_batch.get(&actor) {
                Some(last) if *last >= seq => Ok(()),
                _ => refuse("it refers to an operation that its change does not depend on"),
            };
        }
        match self.doc.hash_for_opid(&object_id(actor, id.counter)) {
            None => refuse("it refers to an operation that does not exist"),
            Some(hash) if covered.not_of_document.contains(&hash) => {
                refuse("it refers to an operation that its change does not depend on")
            }
            Some(_) => Ok(()),
        }
    }

    fn seq_in_batch(&self, actor: Actor, counter: u64) -> Option<u64> {
        let spans = self.spans.get(&actor)?;
        let after = spans.partition_point(|span| span.start_op <= counter);
        let span = spans.get(after.checked_sub(1)?)?;
        (counter <= span.max_op).then_some(span.seq)
    }

    /// Checks that the operation's object is a container of the right kind; gives its depth.
    fn check_object(
        &self,
        change: &RawChange<'_>,
        index: usize,
        op: &RawOp<'_>,
        object: RawId,
        made: &[Option<Container>],
    ) -> Result<usize, GateError> {
        let id = (change.actor_of(object), object.counter);
        let own = change.own(object).and_then(|own| made.get(own).copied()).flatten();
        let (text, depth) = match own.or_else(|| self.containers.get(&id).copied()) {
            Some(container) => (container.text, Some(container.depth)),
            None => match self.doc.object_type(object_id(id.0, id.1)) {
                Ok(ObjType::Map) => (false, None),
                Ok(ObjType::Text) => (true, None),
                _ => {
                    return Err(GateError::Reference {
                        op: index,
                        reason: "its object is not a map or text",
                    });
                }
            },
        };
        if text == matches!(op.key, RawKey::Prop(_)) {
            return Err(GateError::Reference {
                op: index,
                reason: "its key does not fit its object",
            });
        }
        match depth {
            Some(depth) => Ok(depth),
            None if op.action.makes() => Ok(self.depth_in_document(id)),
            None => Ok(0),
        }
    }

    fn depth_in_document(&self, id: (Actor, u64)) -> usize {
        self.doc
            .parents(object_id(id.0, id.1))
            .map(|parents| parents.take(self.limits.depth_max + 1).count())
            .unwrap_or(0)
    }

    /// Counts the change in, unless the document is full.
    fn make_room(&mut self, change: &RawChange<'_>) -> Result<(), GateError> {
        let limits = self.limits;
        let kept = change.ops.iter().filter(|op| op.action != Action::Delete).count() as u64;
        within(Bound::DocumentOperations, self.ops + kept, limits.document_ops_max)?;
        within(Bound::DocumentChanges, self.changes + 1, limits.document_changes_max)?;
        // Only a change that adds a branch is refused; those that join branches bring the number down.
        // Bootstrap changes, which have no message, are few and the same everywhere.
        let adds_branch = !change.deps.iter().any(|dep| self.tips.contains(dep));
        if adds_branch && !change.message.is_empty() {
            let heads = self.tips.len() as u64 + 1;
            within(Bound::DocumentHeads, heads, limits.document_heads_max as u64)?;
        }
        // Bootstrap changes don't count; gate 1 takes no other change without a message.
        let new_actor = u64::from(change.seq == 1 && !change.message.is_empty());
        if new_actor != 0 {
            let max = limits.document_actors_max as u64;
            let ours = self.new_actors + new_actor;
            if self.doc.stats().num_actors + ours > max {
                within(Bound::DocumentActors, self.count_actors() + ours, max)?;
            }
        }
        self.new_actors += new_actor;
        self.ops += kept;
        self.changes += 1;
        Ok(())
    }

    fn count_actors(&mut self) -> u64 {
        let doc = self.doc;
        *self.old_actors.get_or_insert_with(|| {
            let firsts = doc.get_changes_meta(&[]).into_iter().filter(|meta| meta.seq == 1);
            firsts
                .filter(|meta| meta.message.as_deref().is_some_and(|text| !text.is_empty()))
                .count() as u64
        })
    }
}

fn object_id(actor: Actor, counter: u64) -> ObjId {
    // The index is only a hint; automerge looks the actor up when it does not match.
    ObjId::Id(counter, ActorId::from(actor), 0)
}
