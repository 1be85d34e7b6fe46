//! A fresh document of the present state of a contact (rule 25): its next generation.
//!
//! History can't be cut out of an Automerge document. Where there is too much of it, or where it holds
//! what must be gone, the contact goes on with a document that has only what is there now:
//!
//! - The first changes say of which generation the document is ([`crate::message::GenerationMark`]) and,
//!   by hash, which changes it stands for: all that the documents before held, and what those had
//!   replaced. An edit is its first change and those that were made anew of it; so it is known, by
//!   whoever has the document and nothing else, whether an edit is part of it already.
//! - The number of a generation is of this one document: two that are begun anew from one contact,
//!   because a server was restored in between, have two numbers. A change of one never fits into another.
//! - Everything that is there is written again in the order of causality, one change for each of the
//!   old ones of which something is left, with its author, time and kind: so whoever wrote a field, and
//!   when, is found as ever. Values in conflict are written side by side, in the order they had; so are
//!   a deletion and the edit beside it (rule 14). Tombstones stay, so that nothing deleted comes back.
//! - Names and values that this version does not know are copied as they are.
//!
//! The result has the content hash of the original (but for the generation), which is checked; a
//! document of which that can't be said is refused and stays as it is. The same document gives the
//! same bytes everywhere. Every change fits through the gates, so that a server that lost it can be
//! offered it (rule 3).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{
    Automerge, AutomergeError, Change, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValue,
    TextEncoding, Value as AmValue,
};
use ring::digest::{Context, SHA256};

use super::bootstrap::{collection_map, looks_like_one, note_text};
use super::canonical::content_hash_of_any_generation;
use super::conflict::{beside_tombstone, nobody};
use super::generation::{
    CARRIED, Generation, REPLACED, REWRITTEN, generation, generation_count, generation_number,
};
use super::read::latest_note_change;
use super::schema::{Collection, DELETED, GENERATION};
use super::{conflicts, read};
use crate::ids::{Actor, ContactId, EntryId, UnixMs, UserId};
use crate::limits::Limits;
use crate::message::{ChangeMessage, GenerationMark};
use crate::projection::latest_touched;
use emit::{characters, emit};

mod emit;

/// Changes that one mark names: a value has 16 KiB at most.
const CARRIED_PER_CHANGE: usize = 384;
/// The same of what those had replaced.
const REPLACED_PER_CHANGE: usize = 256;
/// Values side by side that are joined by one change; a change may name 64 dependencies.
const JOINED_MAX: usize = 40;
/// So many old changes may each have one of their own; more are put together by author and day.
const ORIGINS_MAX: usize = 2_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Why a document can't be begun anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// It holds something that can't be written again as it is.
    #[error("the document can't be begun anew: {reason}; it stays as it is")]
    Unsupported {
        /// What.
        reason: String,
    },
    /// What was written is not what was there.
    #[error("the fresh document is not the same contact: {reason}; the old one stays")]
    Differs {
        /// What differs.
        reason: &'static str,
    },
    /// Automerge refused.
    #[error("automerge: {reason}")]
    Automerge {
        /// Its text.
        reason: String,
    },
}

impl From<AutomergeError> for RewriteError {
    fn from(error: AutomergeError) -> Self {
        RewriteError::Automerge { reason: error.to_string() }
    }
}

/// How a document is begun anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Which generation of the contact it is to be: higher than that of the old one.
    pub generation: u64,
    /// Whether what is left of deleted entries goes too, all but that they are deleted: for taking a
    /// person out of a contact.
    pub strip_deleted: bool,
    /// What changes of the old document had replaced, with the user who made it.
    pub replaced: Vec<(UserId, ChangeHash)>,
}

/// A fresh document of what is in `doc` now. `doc` is not touched.
///
/// # Errors
/// [`RewriteError`]: then the contact goes on with the document it has.
pub fn rewrite(
    contact: ContactId,
    doc: &Automerge,
    how: &Rewrite,
    limits: &Limits,
) -> Result<Automerge, RewriteError> {
    let before = generation(doc);
    let count = generation_count(before.number);
    if how.generation <= count {
        return Err(RewriteError::Unsupported {
            reason: format!("it is of generation {count} already"),
        });
    }
    let built_in: Vec<ChangeHash> = doc
        .get_changes_meta(&[])
        .into_iter()
        .filter(looks_like_one)
        .map(|meta| meta.hash)
        .collect();
    let changes: Vec<Change> =
        built_in.iter().filter_map(|hash| doc.get_change_by_hash(hash)).collect();
    let mut fresh = Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint);
    fresh.apply_changes(changes)?;
    let mut writer = Rewriter::new(contact, doc, fresh, how, built_in);
    writer.begin(&before)?;
    writer.contents(limits)?;
    writer.join(true)?;
    let fresh = writer.fresh;
    verify(contact, doc, &fresh, how)?;
    Ok(fresh)
}

/// What was there is there, in the same order of conflicts, and nothing else.
fn verify(
    contact: ContactId,
    doc: &Automerge,
    fresh: &Automerge,
    how: &Rewrite,
) -> Result<(), RewriteError> {
    let differs = |reason| Err(RewriteError::Differs { reason });
    if !how.strip_deleted
        && content_hash_of_any_generation(doc) != content_hash_of_any_generation(fresh)
    {
        return differs("its content has another hash");
    }
    if read(contact, doc) != read(contact, fresh) {
        return differs("its fields differ");
    }
    let sides = |doc: &Automerge| -> Vec<(String, Vec<_>)> {
        conflicts(contact, doc)
            .into_iter()
            .map(|conflict| {
                let values = conflict.values.into_iter().map(|side| (side.value, side.shown));
                (conflict.field, values.collect())
            })
            .collect()
    };
    if sides(doc) != sides(fresh) {
        return differs("its conflicts differ");
    }
    Ok(())
}

/// An old change of which something is left: what the fresh one says of it.
#[derive(Debug, Clone)]
struct Origin {
    by: UserId,
    at: UnixMs,
    command: String,
}

impl Origin {
    /// Of a change that says nothing.
    fn unknown() -> Self {
        Self { by: nobody(), at: 0, command: "rewrite".to_owned() }
    }
    fn message(&self) -> ChangeMessage {
        ChangeMessage {
            by: self.by,
            at: self.at,
            command: self.command.clone(),
            replaces: Vec::new(),
            // It may name what must be gone.
            decision: None,
            generation: None,
        }
    }
}

/// The place of an old change in the order in which things are written again.
type Place = (i64, usize);

/// What is written under a key.
#[derive(Debug, Clone)]
enum What {
    Scalar(ScalarValue),
    Map(usize),
    /// A new text, under its number.
    Text(usize),
    /// Characters at the end of a text; the key counts for nothing.
    Characters(String),
}

/// One write into the object with the number `target`.
#[derive(Debug, Clone)]
struct Write {
    target: usize,
    key: String,
    what: What,
    place: Place,
}

/// All values of one key, in the order of operations.
struct Slot {
    values: Vec<Write>,
}

/// Maps under one key that are read as one: one map, unless two devices made the same entry.
struct Node {
    old: Vec<ObjId>,
    new: Vec<usize>,
    collection: Option<Collection>,
    entry: Option<(Collection, EntryId)>,
    depth: usize,
}

/// What one round finds.
#[derive(Default)]
struct Found {
    /// One after the other.
    chain: Vec<Write>,
    /// Side by side. Families have no layer in common.
    conflicts: Vec<Slot>,
    tombstones: Vec<Slot>,
    beside: Vec<Slot>,
    /// What is inside of things that are written side by side: the next round.
    next: Vec<Node>,
}

struct Rewriter<'d> {
    doc: &'d Automerge,
    fresh: Automerge,
    how: &'d Rewrite,
    number: u64,
    built_in: HashSet<ChangeHash>,
    /// Said once, it stays said: a device may have missed the generation in between.
    purged: bool,
    actor: [u8; 16],
    origins: BTreeMap<Place, Origin>,
    places: HashMap<ChangeHash, Place>,
    /// The objects of the fresh document, by number.
    objects: Vec<Option<ObjId>>,
}

impl<'d> Rewriter<'d> {
    fn new(
        contact: ContactId,
        doc: &'d Automerge,
        fresh: Automerge,
        how: &'d Rewrite,
        built_in: Vec<ChangeHash>,
    ) -> Self {
        let mut heads = doc.get_heads();
        heads.sort_unstable();
        let mut digest = Context::new(&SHA256);
        digest.update(b"roadbook/generation\0");
        digest.update(contact.as_bytes());
        digest.update(&how.generation.to_be_bytes());
        digest.update(&[u8::from(how.strip_deleted)]);
        heads.iter().for_each(|head| digest.update(&head.0));
        how.replaced.iter().for_each(|(user, hash)| {
            digest.update(user.as_bytes());
            digest.update(&hash.0);
        });
        let digest = digest.finish();
        let mut actor = [0; 16];
        actor[..15].copy_from_slice(&digest.as_ref()[..15]);
        let mut tail = [0; 4];
        tail.copy_from_slice(&digest.as_ref()[28..]);
        let mut rewriter = Self {
            doc,
            fresh,
            how,
            number: generation_number(how.generation, tail),
            built_in: built_in.into_iter().collect(),
            purged: how.strip_deleted,
            actor,
            origins: BTreeMap::new(),
            places: HashMap::new(),
            objects: Vec::new(),
        };
        rewriter.find_origins();
        rewriter
    }

    /// Each old change gets a place: by its time, but never before what it depends on.
    fn find_origins(&mut self) {
        let mut times: HashMap<ChangeHash, i64> = HashMap::new();
        for (index, meta) in self.doc.get_changes_meta(&[]).into_iter().enumerate() {
            let message = meta.message.as_deref().and_then(|text| ChangeMessage::parse(text).ok());
            let deps = meta.deps.iter().filter_map(|dep| times.get(dep)).copied();
            let at = message.as_ref().map(|message| message.at);
            let time = deps.chain(at).max().unwrap_or(i64::MIN);
            times.insert(meta.hash, time);
            let origin = match message {
                Some(message) => {
                    let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '-';
                    let kind = message.command;
                    let named = !kind.is_empty() && kind.len() <= 40 && kind.chars().all(plain);
                    let command = if named { kind } else { "edit".to_owned() };
                    Origin { by: message.by, at: message.at, command }
                }
                None => Origin::unknown(),
            };
            self.origins.insert((time, index), origin);
            self.places.insert(meta.hash, (time, index));
        }
    }

    fn place_of(&self, op: &ObjId) -> Place {
        let hash = self.doc.hash_for_opid(op);
        hash.and_then(|hash| self.places.get(&hash)).copied().unwrap_or((i64::MIN, 0))
    }

    /// Whether the fresh document has the object already: it is of a change that was carried over.
    fn is_carried(&self, op: &ObjId) -> bool {
        self.doc.hash_for_opid(op).is_some_and(|hash| self.built_in.contains(&hash))
    }

    fn actor(&self, layer: usize) -> Result<automerge::ActorId, RewriteError> {
        let mut actor = self.actor;
        actor[15] = u8::try_from(layer).map_err(|_| RewriteError::Unsupported {
            reason: "a field has more than 250 values in conflict".to_owned(),
        })?;
        Ok(Actor::from_bytes(actor).into())
    }

    fn object(&mut self, id: ObjId) -> usize {
        self.objects.push(Some(id));
        self.objects.len() - 1
    }

    fn unborn(&mut self) -> usize {
        self.objects.push(None);
        self.objects.len() - 1
    }

    /// The changes that say which generation begins and what it stands for.
    fn begin(&mut self, before: &Generation) -> Result<(), RewriteError> {
        self.purged |= before.purged;
        let mut carried: BTreeSet<ChangeHash> = before.carried.iter().copied().collect();
        let mut rewritten: BTreeSet<ChangeHash> = before.rewritten.iter().copied().collect();
        let mut replaced = before.replaced.clone();
        replaced.extend(&self.how.replaced);
        for meta in self.doc.get_changes_meta(&[]) {
            if self.built_in.contains(&meta.hash) {
                continue;
            }
            if before.wrote(meta.actor.to_bytes()) {
                rewritten.insert(meta.hash);
                continue;
            }
            carried.insert(meta.hash);
            let message = meta.message.as_deref().and_then(|text| ChangeMessage::parse(text).ok());
            if let Some(message) = message {
                replaced.extend(message.replaces.iter().map(|hash| (message.by, *hash)));
            }
        }
        // A view of an earlier day begins with this.
        let at = self.origins.values().map(|origin| origin.at).filter(|at| *at > 0).min();
        let at = at.unwrap_or(0);
        for (kind, all) in [(CARRIED, carried), (REWRITTEN, rewritten)] {
            let all: Vec<ChangeHash> = all.into_iter().collect();
            for part in all.chunks(CARRIED_PER_CHANGE) {
                let hashes = part.iter().flat_map(|hash| hash.0);
                let value = std::iter::once(kind).chain(hashes).collect();
                self.mark(at, ScalarValue::Bytes(value), false)?;
            }
        }
        let replaced: Vec<(UserId, ChangeHash)> = replaced.into_iter().collect();
        for part in replaced.chunks(REPLACED_PER_CHANGE) {
            let pairs = part.iter().flat_map(|(user, hash)| {
                user.as_bytes().iter().copied().chain(hash.0).collect::<Vec<u8>>()
            });
            let value = std::iter::once(REPLACED).chain(pairs).collect();
            self.mark(at, ScalarValue::Bytes(value), false)?;
        }
        self.mark(at, self.number_value(), false)
    }

    fn number_value(&self) -> ScalarValue {
        ScalarValue::Int(i64::try_from(self.number).unwrap_or(i64::MAX))
    }

    /// One head again, with the time at which the contact was touched last.
    fn join(&mut self, last: bool) -> Result<(), RewriteError> {
        self.mark(latest_touched(self.doc), self.number_value(), last)
    }

    fn mark(&mut self, at: UnixMs, value: ScalarValue, last: bool) -> Result<(), RewriteError> {
        let (number, purged) = (self.number, self.purged);
        let message = ChangeMessage {
            at,
            generation: Some(GenerationMark { number, purged, last }),
            ..Origin::unknown().message()
        };
        let actor = self.actor(0)?;
        self.fresh.set_actor(actor);
        let mut tx = self.fresh.transaction();
        if tx.get(ROOT, GENERATION)?.is_some() {
            // An equal value would be no change.
            tx.delete(ROOT, GENERATION)?;
        }
        tx.put(ROOT, GENERATION, value)?;
        tx.commit_with(CommitOptions::default().with_message(message.to_text()).with_time(0));
        Ok(())
    }

    fn contents(&mut self, limits: &Limits) -> Result<(), RewriteError> {
        let root = self.object(ROOT);
        let mut nodes = vec![Node {
            old: vec![ROOT],
            new: vec![root],
            collection: None,
            entry: None,
            depth: 0,
        }];
        let mut first = true;
        while !nodes.is_empty() {
            let mut found = Found::default();
            for node in nodes {
                self.collect(&node, &mut found, limits.depth_max)?;
            }
            if first {
                self.collect_note(&mut found);
                first = false;
            }
            self.write_chain(std::mem::take(&mut found.chain))?;
            self.write_layers([found.conflicts, found.tombstones, found.beside])?;
            nodes = found.next;
        }
        Ok(())
    }

    fn collect_note(&mut self, found: &mut Found) {
        let text = self.doc.text(note_text()).unwrap_or_default();
        if text.is_empty() {
            return;
        }
        let place = latest_note_change(self.doc)
            .and_then(|hash| self.places.get(&hash).copied())
            .unwrap_or((i64::MIN, 0));
        let target = self.object(note_text());
        found.chain.push(characters(target, text, place));
    }

    /// Finds what is written of a node and below it.
    fn collect(
        &mut self,
        node: &Node,
        found: &mut Found,
        depth_max: usize,
    ) -> Result<(), RewriteError> {
        let unsupported = |reason: String| Err(RewriteError::Unsupported { reason });
        if node.depth > depth_max {
            return unsupported("it is nested too deep".to_owned());
        }
        let doc = self.doc;
        let mut keys = BTreeSet::new();
        for map in &node.old {
            keys.extend(doc.keys(map));
        }
        let beside: HashSet<ObjId> = match node.entry {
            Some((collection, id)) => beside_tombstone(doc, collection, id).into_iter().collect(),
            None => HashSet::new(),
        };
        let stripped = self.how.strip_deleted && beside.is_empty() && self.is_deleted(node);
        for key in keys {
            if node.depth == 0 && key == GENERATION || stripped && key != DELETED {
                continue;
            }
            let mut sides: Vec<(AmValue<'_>, ObjId, usize)> = Vec::new();
            for (map, target) in node.old.iter().zip(&node.new) {
                let values = doc.get_all(map, key.as_str())?;
                sides.extend(values.into_iter().map(|(value, op)| (value, op, *target)));
            }
            sides.sort_by(|a, b| a.1.cmp(&b.1));
            if sides.iter().any(|(_, op, _)| self.is_carried(op)) {
                if let [(AmValue::Object(kind), op, _)] = sides.as_slice() {
                    if *kind == ObjType::Map {
                        let new = self.object(op.clone());
                        let collection =
                            Collection::ALL.into_iter().find(|c| collection_map(*c) == *op);
                        let depth = node.depth + 1;
                        let (old, new) = (vec![op.clone()], vec![new]);
                        let child = Node { old, new, collection, entry: None, depth };
                        self.collect(&child, found, depth_max)?;
                    } else if *op != note_text() {
                        return unsupported(format!("`{key}` is a container of a newer version"));
                    }
                    continue;
                }
                return unsupported(format!("the container `{key}` has another value beside it"));
            }
            let several = sides.len() > 1;
            let mut values = Vec::with_capacity(sides.len());
            let mut child = Node {
                old: Vec::new(),
                new: Vec::new(),
                collection: None,
                entry: None,
                depth: node.depth + 1,
            };
            let mut texts = Vec::new();
            for (value, op, target) in &sides {
                let place = self.place_of(op);
                let what = match value {
                    AmValue::Scalar(value) => What::Scalar(value.as_ref().clone()),
                    AmValue::Object(ObjType::Map) => {
                        let new = self.unborn();
                        child.old.push(op.clone());
                        child.new.push(new);
                        What::Map(new)
                    }
                    AmValue::Object(ObjType::Text) => {
                        let new = self.unborn();
                        texts.push(characters(new, doc.text(op).unwrap_or_default(), place));
                        What::Text(new)
                    }
                    AmValue::Object(_) => {
                        return unsupported(format!("`{key}` is a list or table"));
                    }
                };
                values.push(Write { target: *target, key: key.clone(), what, place });
            }
            child.entry = node.collection.and_then(|c| Some((c, key.parse().ok()?)));
            let contested = sides.iter().any(|(_, op, _)| beside.contains(op));
            let slot = Slot { values };
            if contested {
                found.beside.push(slot);
            } else if key == DELETED && !beside.is_empty() {
                found.tombstones.push(slot);
            } else if several {
                found.conflicts.push(slot);
            } else {
                found.chain.extend(slot.values);
                found.chain.append(&mut texts);
                if !child.old.is_empty() {
                    self.collect(&child, found, depth_max)?;
                }
                continue;
            }
            if !texts.is_empty() {
                return unsupported(format!("the text `{key}` is in conflict"));
            }
            if !child.old.is_empty() {
                found.next.push(child);
            }
        }
        Ok(())
    }

    fn is_deleted(&self, node: &Node) -> bool {
        let sides =
            node.old.iter().flat_map(|map| self.doc.get_all(map, DELETED).unwrap_or_default());
        let shown = sides.max_by(|a, b| a.1.cmp(&b.1));
        node.entry.is_some()
            && matches!(shown, Some((AmValue::Scalar(value), _))
                if !matches!(*value, ScalarValue::Null | ScalarValue::Boolean(false)))
    }

    /// Writes one after the other, in the order of their places.
    fn write_chain(&mut self, mut writes: Vec<Write>) -> Result<(), RewriteError> {
        // Stable: what is made comes before what is written into it.
        writes.sort_by_key(|write| write.place);
        let distinct: BTreeSet<Place> = writes.iter().map(|write| write.place).collect();
        let coarse = distinct.len() > ORIGINS_MAX;
        let mut group: Vec<Write> = Vec::new();
        let mut said: Option<(Place, Origin)> = None;
        let actor = self.actor(0)?;
        for write in writes {
            let origin = self.origins.get(&write.place).cloned().unwrap_or_else(Origin::unknown);
            let goes_on = said.as_ref().is_some_and(|(place, before)| {
                *place == write.place
                    || coarse
                        && before.by == origin.by
                        && before.at.div_euclid(DAY_MS) == origin.at.div_euclid(DAY_MS)
            });
            if !goes_on {
                if let Some((_, before)) = said.take() {
                    self.fresh.set_actor(actor.clone());
                    emit(&mut self.fresh, &mut self.objects, &before, &group)?;
                    group.clear();
                }
                said = Some((write.place, origin));
            } else if let Some((place, before)) = &mut said
                && *place != write.place
            {
                *place = write.place;
                before.at = before.at.max(origin.at);
                if before.command != origin.command {
                    before.command = "group".to_owned();
                }
            }
            group.push(write);
        }
        if let Some((_, before)) = said {
            self.fresh.set_actor(actor);
            emit(&mut self.fresh, &mut self.objects, &before, &group)?;
        }
        Ok(())
    }

    /// Writes values side by side. The values of a key keep their order: each layer is an actor of its
    /// own, in ascending order, all begin at the same operation, and the keys of a family come in the
    /// same order with those that have most values first: so the values of one key have one counter.
    fn write_layers(&mut self, families: [Vec<Slot>; 3]) -> Result<(), RewriteError> {
        let base = self.fresh.get_heads();
        let mut layers: Vec<Vec<Write>> = Vec::new();
        for mut family in families {
            family.sort_by_key(|slot| std::cmp::Reverse(slot.values.len()));
            let first = layers.len();
            for slot in family {
                for (index, write) in slot.values.into_iter().enumerate() {
                    if layers.len() <= first + index {
                        layers.push(Vec::new());
                    }
                    layers[first + index].push(write);
                }
            }
        }
        let mut open = 0;
        for (index, writes) in layers.into_iter().enumerate() {
            let mut side = self.fresh.fork_at(&base)?;
            side.set_actor(self.actor(index + 1)?);
            let mut rest = writes.as_slice();
            while let Some(first) = rest.first() {
                let same = rest.iter().take_while(|write| write.place == first.place).count();
                let (group, later) = rest.split_at(same);
                let unknown = Origin::unknown();
                let origin = self.origins.get(&first.place).unwrap_or(&unknown);
                emit(&mut side, &mut self.objects, origin, group)?;
                rest = later;
            }
            self.fresh.merge(&mut side)?;
            open += 1;
            if open == JOINED_MAX {
                self.join(false)?;
                open = 0;
            }
        }
        if open > 0 {
            self.join(false)?;
        }
        Ok(())
    }
}
