//! Concurrent edits of one field are shown until somebody decides.
//!
//! Automerge keeps every concurrent value and shows the one with the highest operation on every
//! replica; here the others are found. The scan carries the flag, so a contact without conflicts
//! costs one pass and no look-up. An entry that one side deleted while another changed it is a
//! conflict too (rule 14): found by what each side knew of the other.

use automerge::{Automerge, ChangeHash, ObjId};

use super::path::Path;
use super::scan::{self, Found, FoundEntry, View, Visitor};
use super::schema::{Collection, DELETED};
use super::value::Value;
use super::{Conflict, ConflictValue};
use crate::ids::{ContactId, EntryId, UserId};
use crate::message::ChangeMessage;

/// All conflicts of a contact, by path. Values that are equal on all sides are none; a tag that was
/// added on several sides is none.
pub fn conflicts(id: ContactId, doc: &Automerge) -> Vec<Conflict> {
    let mut finder = Finder { view: View::now(doc), id, conflicts: Vec::new() };
    scan::scan(finder.view, &mut finder);
    finder.conflicts.sort_by(|a, b| a.field.cmp(&b.field));
    finder.conflicts
}

/// Whether an entry is "deleted by A, changed by B".
pub(crate) fn is_contested(doc: &Automerge, collection: Collection, id: EntryId) -> bool {
    !beside_tombstone(doc, collection, id).is_empty()
}

/// The operations that a concurrent deletion of an entry hides: none where
/// the entry is not "deleted by A, changed by B".
pub(crate) fn beside_tombstone(doc: &Automerge, collection: Collection, id: EntryId) -> Vec<ObjId> {
    let view = View::now(doc);
    let maps = view.entry_maps(collection, id);
    let mut beside = Vec::new();
    scan::entry(view, collection, id, &maps, &mut |entry| {
        beside = changed_beside_tombstone(view, entry);
    });
    beside
}

/// How many conflicts an entry has, for the projection.
pub(crate) fn count_in_entry(view: View<'_>, entry: &FoundEntry<'_, '_>) -> u32 {
    if !entry.deleted && !has_flag(entry) {
        return 0;
    }
    let mut finder = Finder { view, id: ContactId::from_bytes([0; 16]), conflicts: Vec::new() };
    finder.entry(entry);
    u32::try_from(finder.conflicts.len()).unwrap_or(u32::MAX)
}

/// Whether a scalar's values really differ.
pub(crate) fn differs(view: View<'_>, map: &ObjId, found: &Found<'_>) -> bool {
    found.conflict && differ(&scan::sides(view, std::slice::from_ref(map), &found.key))
}

fn has_flag(entry: &FoundEntry<'_, '_>) -> bool {
    entry.fields.iter().chain(entry.tombstone).any(|field| field.conflict)
}

fn differ(sides: &[(Option<Value>, ObjId)]) -> bool {
    sides.windows(2).any(|pair| pair[0].0 != pair[1].0)
}

/// The author and time of the change that wrote an operation; nobody at 0 for a stranger's change.
pub(crate) fn written_by(doc: &Automerge, op: &ObjId) -> Option<(ChangeHash, UserId, i64)> {
    let hash = doc.hash_for_opid(op)?;
    let message = doc
        .get_change_meta_by_hash(&hash)
        .and_then(|meta| ChangeMessage::parse(meta.message.as_deref()?).ok());
    let (by, at) = message.map_or((nobody(), 0), |message| (message.by, message.at));
    Some((hash, by, at))
}

/// The author of changes that name none.
pub(crate) fn nobody() -> UserId {
    UserId::from_bytes([0; 16])
}

struct Finder<'d> {
    view: View<'d>,
    id: ContactId,
    conflicts: Vec<Conflict>,
}

impl Finder<'_> {
    fn side(&self, value: Option<Value>, op: &ObjId, shown: bool) -> ConflictValue {
        let written = written_by(self.view.doc, op);
        let change = written.map(|(hash, ..)| hash.to_string()).unwrap_or_default();
        let (author, at) = written.map_or((nobody(), 0), |(_, by, at)| (by, at));
        ConflictValue { value, author, at, shown, change }
    }

    fn push(&mut self, path: &Path, values: Vec<ConflictValue>) {
        self.conflicts.push(Conflict { contact_id: self.id, field: path.to_string(), values });
    }

    /// A field with several values that differ.
    fn field(&mut self, maps: &[ObjId], key: &str, path: impl FnOnce() -> Path) {
        let sides = scan::sides(self.view, maps, key);
        if !differ(&sides) {
            return;
        }
        let last = sides.len() - 1;
        let values = sides
            .into_iter()
            .enumerate()
            .map(|(index, (value, op))| self.side(value, &op, index == last))
            .collect();
        self.push(&path(), values);
    }

    /// Deleted on one side, restored on the other.
    fn tombstones(&mut self, entry: &FoundEntry<'_, '_>, path: &Path) {
        let sides = scan::sides(self.view, entry.maps, DELETED);
        if !differ(&sides) {
            return;
        }
        let kept = summary(entry);
        let last = sides.len() - 1;
        let values = sides
            .into_iter()
            .enumerate()
            .map(|(index, (value, op))| {
                let deleted = !matches!(value, None | Some(Value::Bool(false)));
                self.side((!deleted).then(|| kept.clone()), &op, index == last)
            })
            .collect();
        self.push(path, values);
    }
}

impl Visitor for Finder<'_> {
    fn scalar(&mut self, map: &ObjId, found: &Found<'_>, path: fn(String) -> Path) {
        // Concurrent taggings agree that the tag is there.
        if found.conflict && !matches!(path(String::new()), Path::Tag(_)) {
            let key = found.key.to_string();
            self.field(std::slice::from_ref(map), &found.key, || path(key));
        }
    }

    fn entry(&mut self, entry: &FoundEntry<'_, '_>) {
        let (collection, id) = (entry.collection, entry.id);
        let path = Path::Entry(collection, id);
        if entry.tombstone.is_some_and(|tombstone| tombstone.conflict) {
            self.tombstones(entry, &path);
        }
        if entry.deleted {
            let changed = changed_beside_tombstone(self.view, entry);
            if let (Some(tombstone), Some(op)) = (entry.tombstone, changed.into_iter().max()) {
                let values = vec![
                    self.side(Some(summary(entry)), &op, false),
                    self.side(None, &tombstone.op(), true),
                ];
                self.push(&path, values);
            }
            // What is deleted needs no decision field by field.
            return;
        }
        for field in entry.fields.iter().filter(|field| field.conflict) {
            let name = field.key.to_string();
            self.field(entry.maps, &field.key, || Path::Field(collection, id, name));
        }
    }
}

/// The operations inside a tombstoned entry that neither knew of the tombstone nor were known to
/// it: edits that a concurrent deletion hides.
fn changed_beside_tombstone(view: View<'_>, entry: &FoundEntry<'_, '_>) -> Vec<ObjId> {
    let (Some(tombstone), true) = (entry.tombstone, entry.deleted) else { return Vec::new() };
    if tombstone.conflict && differ(&scan::sides(view, entry.maps, DELETED)) {
        return Vec::new();
    }
    let tombstones: Vec<ObjId> =
        scan::sides(view, entry.maps, DELETED).into_iter().map(|(_, op)| op).collect();
    let mut beside = Vec::new();
    for field in entry.fields {
        for (_, op) in scan::sides(view, entry.maps, &field.key) {
            let known = tombstones.iter().any(|tombstone| {
                same_actor(tombstone, &op)
                    || knows(view, entry, tombstone, &field.key, &op)
                    || knows(view, entry, &op, DELETED, tombstone)
            });
            if !known {
                beside.push(op);
            }
        }
    }
    beside
}

/// One actor's operations always know of each other.
fn same_actor(a: &ObjId, b: &ObjId) -> bool {
    matches!((a, b), (ObjId::Id(_, a, _), ObjId::Id(_, b, _)) if a == b)
}

/// Whether the change that wrote `op` had `known`, an operation on the field `key` that is still
/// there, in its history.
fn knows(view: View<'_>, entry: &FoundEntry<'_, '_>, op: &ObjId, key: &str, known: &ObjId) -> bool {
    let Some(hash) = view.doc.hash_for_opid(op) else { return true };
    let heads = [hash];
    let then = View::at(view.doc, &heads);
    scan::sides(then, entry.maps, key).iter().any(|(_, side)| side == known)
}

/// What a person calls an entry: its first fields.
pub(crate) fn summary(entry: &FoundEntry<'_, '_>) -> Value {
    let mut parts: Vec<String> = Vec::new();
    for spec in entry.collection.fields() {
        match entry.value(spec.name) {
            Some(Value::Text(text)) => parts.push(text.chars().take(80).collect()),
            Some(value @ Value::Int(_)) if spec.name != "at" => parts.push(value.to_string()),
            _ => {}
        }
        if parts.len() == 3 {
            break;
        }
    }
    Value::Text(if parts.is_empty() { entry.id.to_string() } else { parts.join(", ") })
}
