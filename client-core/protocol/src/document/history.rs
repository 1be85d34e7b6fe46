//! What each change did, newest first.
//!
//! A change's own operations say which fields it wrote; what they were before is read at the
//! change's dependencies. Text is shown as the part that changed.

use std::collections::{BTreeMap, HashMap};

use automerge::legacy::{Key, ObjectId, OpId, OpType};
use automerge::{Automerge, Change, ChangeHash, ExpandedChange, ObjId, ObjType, ReadDoc};

use super::bootstrap::{
    collection_map, custom_map, external_ids_map, is_reserved, looks_like_one, note_text, tags_map,
};
use super::path::Path;
use super::read::change_message;
use super::scan::{self, View};
use super::schema::{Collection, DELETED};
use super::value::Value;
use super::{FieldChange, HistoryItem, conflict};
use crate::ids::{ContactId, EntryId};
use crate::message::ChangeMessage;

/// Code points of an unchanged beginning or end that history shows of the note, and of the changed
/// part itself.
const NOTE_CONTEXT: usize = 24;
const NOTE_SHOWN: usize = 400;

/// The newest `limit` changes, newest first, in the same order on every replica. Bootstraps are
/// left out. A tag is shown as the field `tags`, a deletion as the entry's path, the note as the
/// part of it that changed.
pub fn history(_id: ContactId, doc: &Automerge, limit: usize) -> Vec<HistoryItem> {
    let mut names = Names::new(doc);
    newest_first(doc)
        .into_iter()
        .take(limit)
        .filter_map(|hash| doc.get_change_by_hash(&hash))
        .map(|change| {
            let message = change_message(&change);
            let mut fields = Vec::new();
            for touch in names.touches(&change) {
                fields.push(describe(doc, &change, &touch));
            }
            HistoryItem {
                change: change.hash().to_string(),
                author: message.as_ref().map_or_else(conflict::nobody, |message| message.by),
                at: message.as_ref().map_or(0, |message| message.at),
                command: message.map(|message| message.command).unwrap_or_default(),
                fields: fields.into_iter().filter(|field| field.before != field.after).collect(),
            }
        })
        .collect()
}

/// All changes but bootstraps and what only begins a generation, newest first: by the claimed time, but never before what a change
/// depends on, so that a clock that is behind does not turn cause and effect around.
pub(crate) fn newest_first(doc: &Automerge) -> Vec<ChangeHash> {
    let mut times: HashMap<ChangeHash, i64> = HashMap::new();
    let mut order: Vec<(i64, u64, ChangeHash)> = Vec::new();
    // In the order of causality: what a change depends on comes before it.
    for meta in doc.get_changes_meta(&[]) {
        if looks_like_one(&meta) {
            continue;
        }
        let message = meta.message.as_deref().and_then(|text| ChangeMessage::parse(text).ok());
        let begins = message.as_ref().is_some_and(|message| message.generation.is_some());
        let deps = meta.deps.iter().filter_map(|dep| times.get(dep)).copied();
        let time = deps.chain(message.map(|message| message.at)).max().unwrap_or(0);
        times.insert(meta.hash, time);
        if !begins {
            order.push((time, meta.max_op, meta.hash));
        }
    }
    order.sort_unstable_by(|a, b| b.cmp(a));
    order.into_iter().map(|(.., hash)| hash).collect()
}

/// One field that a change wrote, with the object and key it stands under.
#[derive(Debug, Clone)]
pub(crate) struct Touch {
    pub(crate) path: Path,
    pub(crate) obj: ObjId,
    pub(crate) key: String,
    /// The value that the change left; `None` where it cleared or deleted.
    pub(crate) after: Option<Value>,
    /// Whether the change created the entry that the field belongs to.
    pub(crate) created: bool,
}

/// Whether a change wrote into the note.
pub(crate) fn touches_note(change: &Change) -> bool {
    let note = note_text();
    let expanded = change.decode();
    expanded.operations.iter().any(|op| object(&op.obj).as_ref() == Some(&note))
}

fn object(id: &ObjectId) -> Option<ObjId> {
    match id {
        ObjectId::Root => Some(automerge::ROOT),
        ObjectId::Id(op) => exid(op),
    }
}

fn exid(op: &OpId) -> Option<ObjId> {
    // Automerge panics on counters above 32 bits.
    u32::try_from(op.counter()).ok()?;
    Some(ObjId::Id(op.counter(), op.actor().clone(), 0))
}

/// Makes the path of a key in a map.
type MakePath = fn(String) -> Path;

/// Finds the paths of the objects that changes write to.
pub(crate) struct Names<'d> {
    doc: &'d Automerge,
    containers: [(ObjId, MakePath); 4],
    collections: Vec<(ObjId, Collection)>,
    entries: HashMap<ObjId, Option<(Collection, EntryId)>>,
}

impl<'d> Names<'d> {
    pub(crate) fn new(doc: &'d Automerge) -> Self {
        Self {
            doc,
            containers: [
                (automerge::ROOT, Path::Root),
                (tags_map(), Path::Tag),
                (custom_map(), Path::Custom),
                (external_ids_map(), Path::External),
            ],
            collections: Collection::ALL.map(|c| (collection_map(c), c)).to_vec(),
            entries: HashMap::new(),
        }
    }

    /// The fields that a change wrote, each once, in the order of their paths.
    pub(crate) fn touches(&mut self, change: &Change) -> Vec<Touch> {
        let expanded = change.decode();
        let mut touches: BTreeMap<Path, Touch> = BTreeMap::new();
        let mut created: Vec<ObjId> = Vec::new();
        for (index, op) in expanded.operations.iter().enumerate() {
            let Some(obj) = object(&op.obj) else { continue };
            if obj == note_text() {
                let touch = Touch {
                    path: Path::Note,
                    obj,
                    key: String::new(),
                    after: None,
                    created: false,
                };
                touches.insert(Path::Note, touch);
                continue;
            }
            let Key::Map(key) = &op.key else { continue };
            let own = own_id(&expanded, index);
            if let (OpType::Make(ObjType::Map), Some(own)) = (&op.action, own) {
                if let Some(entry) = self.entry_key(&obj, key) {
                    self.entries.insert(own.clone(), Some(entry));
                    created.push(own);
                }
                continue;
            }
            let Some(path) = self.path(&obj, key) else { continue };
            let after = match &op.action {
                OpType::Put(value) => scan::scalar_value(&value.clone().into()),
                _ => None,
            };
            let created = created.contains(&obj);
            let touch = Touch { path: path.clone(), obj, key: key.to_string(), after, created };
            touches.insert(path, touch);
        }
        touches.into_values().collect()
    }

    fn entry_key(&self, obj: &ObjId, key: &str) -> Option<(Collection, EntryId)> {
        let (_, collection) = self.collections.iter().find(|(map, _)| map == obj)?;
        Some((*collection, key.parse().ok()?))
    }

    fn path(&mut self, obj: &ObjId, key: &str) -> Option<Path> {
        if let Some((map, path)) = self.containers.iter().find(|(map, _)| map == obj) {
            let reserved = *map == automerge::ROOT && is_reserved(key);
            return (!reserved).then(|| path(key.to_owned()));
        }
        let doc = self.doc;
        let collections = &self.collections;
        let entry = *self.entries.entry(obj.clone()).or_insert_with(|| {
            let parent = doc.parents(obj).ok()?.next()?;
            let (_, collection) = collections.iter().find(|(map, _)| *map == parent.obj)?;
            let automerge::Prop::Map(key) = &parent.prop else { return None };
            Some((*collection, key.parse().ok()?))
        });
        let (collection, id) = entry?;
        Some(match key {
            DELETED => Path::Entry(collection, id),
            field => Path::Field(collection, id, field.to_owned()),
        })
    }
}

/// The id of an operation by its place in the change.
fn own_id(change: &ExpandedChange, index: usize) -> Option<ObjId> {
    let counter = change.start_op.get().checked_add(index as u64)?;
    u32::try_from(counter).ok()?;
    Some(ObjId::Id(counter, change.actor_id.clone(), 0))
}

/// The value of a field in the history of a change.
pub(crate) fn before(doc: &Automerge, change: &Change, touch: &Touch) -> Option<Value> {
    if touch.created {
        return None;
    }
    let sides =
        scan::sides(View::at(doc, change.deps()), std::slice::from_ref(&touch.obj), &touch.key);
    sides.into_iter().next_back()?.0
}

fn describe(doc: &Automerge, change: &Change, touch: &Touch) -> FieldChange {
    let before_value = || before(doc, change, touch);
    let (field, before, after) = match &touch.path {
        Path::Note => {
            let (before, after) = note_change(doc, change);
            (touch.path.to_string(), before, after)
        }
        Path::Tag(tag) => {
            let shown = |there: bool| there.then(|| Value::Text(tag.clone()));
            ("tags".to_owned(), shown(before_value().is_some()), shown(touch.after.is_some()))
        }
        Path::Entry(collection, id) => {
            let gone = |value: &Option<Value>| !matches!(value, None | Some(Value::Bool(false)));
            let kept = || summary(doc, change.hash(), *collection, *id);
            let shown = |value: &Option<Value>| (!gone(value)).then(kept).flatten();
            (touch.path.to_string(), shown(&before_value()), shown(&touch.after))
        }
        path => (path.to_string(), before_value(), touch.after.clone()),
    };
    FieldChange { field, before, after }
}

pub(crate) fn summary(
    doc: &Automerge,
    at: ChangeHash,
    collection: Collection,
    id: EntryId,
) -> Option<Value> {
    let heads = [at];
    let view = View::at(doc, &heads);
    let maps = view.entry_maps(collection, id);
    let mut summary = None;
    scan::entry(view, collection, id, &maps, &mut |entry| {
        summary = Some(conflict::summary(entry));
    });
    summary
}

/// The note before and after a change, cut to what differs.
fn note_change(doc: &Automerge, change: &Change) -> (Option<Value>, Option<Value>) {
    let note = note_text();
    let text =
        |heads: &[ChangeHash]| -> Vec<char> { View::at(doc, heads).text(&note).chars().collect() };
    let (before, after) = (text(change.deps()), text(&[change.hash()]));
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let tail = before[head..]
        .iter()
        .rev()
        .zip(after[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let cut = |text: &[char]| {
        let start = head.saturating_sub(NOTE_CONTEXT);
        let end = (text.len() - tail + NOTE_CONTEXT).min(text.len());
        let end = end.min(start + NOTE_SHOWN);
        let mut shown: String = text[start..end].iter().collect();
        if start > 0 {
            shown.insert(0, '…');
        }
        if end < text.len() {
            shown.push('…');
        }
        (!text.is_empty()).then_some(Value::Text(shown))
    };
    (cut(&before), cut(&after))
}
