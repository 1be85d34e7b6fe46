//! One pass over a document that hands out its fields one by one: what reading, projecting, finding
//! conflicts and authorship have in common.
//!
//! Two levels deep and no more, whatever the document holds. Wrong types are left out. Nothing is
//! hydrated; a value is only copied by the visitor that wants it.

use std::borrow::Cow;

use automerge::iter::{MapRange, MapRangeItem};
use automerge::{
    Automerge, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValueRef, Value as AmValue,
    ValueRef,
};

use super::bootstrap;
use super::path::Path;
use super::schema::{Collection, DELETED};
use super::value::Value;
use crate::ids::EntryId;

/// A document at one moment.
#[derive(Clone, Copy)]
pub(crate) struct View<'d> {
    pub(crate) doc: &'d Automerge,
    /// `None` is now.
    pub(crate) heads: Option<&'d [ChangeHash]>,
}

impl<'d> View<'d> {
    pub(crate) fn now(doc: &'d Automerge) -> Self {
        Self { doc, heads: None }
    }

    pub(crate) fn at(doc: &'d Automerge, heads: &'d [ChangeHash]) -> Self {
        Self { doc, heads: Some(heads) }
    }

    /// The keys of a map; empty if there is no such map.
    pub(crate) fn map(&self, obj: &ObjId) -> MapRange<'d> {
        match self.heads {
            None => self.doc.map_range(obj, ..),
            Some(heads) => self.doc.map_range_at(obj, .., heads),
        }
    }

    /// All values of a key in the order of operations; the last one is shown.
    pub(crate) fn all(&self, obj: &ObjId, key: &str) -> Vec<(AmValue<'d>, ObjId)> {
        match self.heads {
            None => self.doc.get_all(obj, key),
            Some(heads) => self.doc.get_all_at(obj, key, heads),
        }
        .unwrap_or_default()
    }

    /// The text of a text object.
    pub(crate) fn text(&self, obj: &ObjId) -> String {
        match self.heads {
            None => self.doc.text(obj),
            Some(heads) => self.doc.text_at(obj, heads),
        }
        .unwrap_or_default()
    }

    /// The maps under an entry's key: one, unless two devices created it separately. Empty where
    /// there is no such entry.
    pub(crate) fn entry_maps(&self, collection: Collection, id: EntryId) -> Vec<ObjId> {
        maps_of(self.all(&bootstrap::collection_map(collection), &id.to_string()))
    }
}

/// The maps among the values of a key.
pub(crate) fn maps_of(values: Vec<(AmValue<'_>, ObjId)>) -> Vec<ObjId> {
    values
        .into_iter()
        .filter(|(value, _)| matches!(value, AmValue::Object(ObjType::Map)))
        .map(|(_, id)| id)
        .collect()
}

/// One scalar that is shown, and how to find its operation.
pub(crate) struct Found<'a> {
    /// The key it stands under.
    pub(crate) key: Cow<'a, str>,
    /// The value that is shown.
    pub(crate) value: ScalarValueRef<'a>,
    /// Whether concurrent writes left more than one value (equal ones included).
    pub(crate) conflict: bool,
    source: Source<'a>,
}

enum Source<'a> {
    Item(MapRangeItem<'a>),
    Id(ObjId),
}

impl Found<'_> {
    /// The operation that wrote the value.
    pub(crate) fn op(&self) -> ObjId {
        match &self.source {
            Source::Item(item) => item.id(),
            Source::Id(id) => id.clone(),
        }
    }

    /// The value, if it is one that a contact can show.
    pub(crate) fn value(&self) -> Option<Value> {
        to_value(&self.value)
    }
}

/// An entry with all its scalars.
pub(crate) struct FoundEntry<'a, 'f> {
    pub(crate) collection: Collection,
    pub(crate) id: EntryId,
    /// Its maps, see [`View::entry_maps`].
    pub(crate) maps: &'f [ObjId],
    /// Whether it carries a tombstone.
    pub(crate) deleted: bool,
    /// The tombstone field, if it was ever set.
    pub(crate) tombstone: Option<&'f Found<'a>>,
    /// Its other fields, by name.
    pub(crate) fields: &'f [Found<'a>],
}

impl FoundEntry<'_, '_> {
    /// The shown value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.fields.iter().find(|field| field.key == name)?.value()
    }
}

/// Takes what a scan finds.
pub(crate) trait Visitor {
    /// A scalar outside of entries. `path` makes its path.
    fn scalar(&mut self, map: &ObjId, found: &Found<'_>, path: fn(String) -> Path);
    /// An entry.
    fn entry(&mut self, entry: &FoundEntry<'_, '_>);
}

/// Hands every scalar and every entry to the visitor. The note is not a scalar; see [`View::text`].
pub(crate) fn scan(view: View<'_>, visitor: &mut impl Visitor) {
    scalars(view, &ROOT, Path::Root, visitor);
    scalars(view, &bootstrap::tags_map(), Path::Tag, visitor);
    scalars(view, &bootstrap::custom_map(), Path::Custom, visitor);
    scalars(view, &bootstrap::external_ids_map(), Path::External, visitor);
    for collection in Collection::ALL {
        entries(view, collection, &mut |entry| visitor.entry(entry));
    }
}

/// Whether a yes-or-no field of the contact is set to yes.
pub(crate) fn flag(view: View<'_>, name: &str) -> bool {
    let mut set = false;
    for item in view.map(&ROOT) {
        if item.key == name
            && let Some(found) = found(view, &ROOT, item)
        {
            set = found.value() == Some(Value::Bool(true));
        }
    }
    set
}

fn scalars(view: View<'_>, map: &ObjId, path: fn(String) -> Path, visitor: &mut impl Visitor) {
    let root = *map == ROOT;
    for item in view.map(map) {
        if root && bootstrap::is_reserved(&item.key) {
            continue;
        }
        if let Some(found) = found(view, map, item) {
            visitor.scalar(map, &found, path);
        }
    }
}

/// Hands the entries of one collection to `visit`, tombstoned ones included.
pub(crate) fn entries(
    view: View<'_>,
    collection: Collection,
    visit: &mut dyn FnMut(&FoundEntry<'_, '_>),
) {
    let map = bootstrap::collection_map(collection);
    for item in view.map(&map) {
        let Some(id) = canonical_id(&item.key) else { continue };
        let maps = match &item.value {
            ValueRef::Object(ObjType::Map) if !item.conflict => vec![item.id()],
            _ => maps_of(view.all(&map, &item.key)),
        };
        entry(view, collection, id, &maps, visit);
    }
}

/// Hands one entry to `visit` if it is there.
pub(crate) fn entry(
    view: View<'_>,
    collection: Collection,
    id: EntryId,
    maps: &[ObjId],
    visit: &mut dyn FnMut(&FoundEntry<'_, '_>),
) {
    let mut fields = match maps {
        [] => return,
        [map] => view.map(map).filter_map(|item| found(view, map, item)).collect(),
        several => merged(view, several),
    };
    let tombstone = fields
        .iter()
        .position(|field| field.key == DELETED)
        .map(|position| fields.remove(position));
    fields.retain(|field| field.key != "id");
    visit(&FoundEntry {
        collection,
        id,
        maps,
        deleted: tombstone.as_ref().is_some_and(|field| is_tombstone(&field.value)),
        tombstone: tombstone.as_ref(),
        fields: &fields,
    });
}

/// Only the spelling that commands write counts, so that one id can't stand there twice.
fn canonical_id(key: &str) -> Option<EntryId> {
    let id: EntryId = key.parse().ok()?;
    (id.to_string() == key).then_some(id)
}

fn found<'a>(view: View<'a>, map: &ObjId, item: MapRangeItem<'a>) -> Option<Found<'a>> {
    if let ValueRef::Scalar(value) = &item.value {
        let (value, conflict, key) = (value.clone(), item.conflict, item.key.clone());
        return Some(Found { key, value, conflict, source: Source::Item(item) });
    }
    // A container where a scalar belongs hides what was there before; a concurrent scalar is shown.
    if !item.conflict {
        return None;
    }
    let (value, id) = view.all(map, &item.key).into_iter().rev().find_map(scalar_of)?;
    Some(Found { key: item.key, value, conflict: true, source: Source::Id(id) })
}

/// The fields of an entry that two devices created separately: the union, the latest operation wins.
fn merged<'a>(view: View<'a>, maps: &[ObjId]) -> Vec<Found<'a>> {
    let mut fields: Vec<Found<'a>> = Vec::new();
    for map in maps {
        for item in view.map(map) {
            let Some(found) = found(view, map, item) else { continue };
            match fields.iter_mut().find(|field| field.key == found.key) {
                None => fields.push(found),
                Some(field) => {
                    if found.op() > field.op() {
                        *field = found;
                    }
                    field.conflict = true;
                }
            }
        }
    }
    fields.sort_by(|a, b| a.key.cmp(&b.key));
    fields
}

fn scalar_of<'a>((value, id): (AmValue<'a>, ObjId)) -> Option<(ScalarValueRef<'a>, ObjId)> {
    let AmValue::Scalar(value) = value else { return None };
    Some((owned(&value), id))
}

/// The values that a field has, over all maps of its entry, in the order of operations.
pub(crate) fn sides(view: View<'_>, maps: &[ObjId], key: &str) -> Vec<(Option<Value>, ObjId)> {
    let mut sides: Vec<(Option<Value>, ObjId)> = maps
        .iter()
        .flat_map(|map| view.all(map, key))
        .filter(|(value, _)| value.is_scalar())
        .map(|(value, id)| (scalar_value(&value), id))
        .collect();
    sides.sort_by(|a, b| a.1.cmp(&b.1));
    sides
}

fn owned(value: &automerge::ScalarValue) -> ScalarValueRef<'static> {
    value.clone().into()
}

/// A scalar as a contact shows it; `None` for a cleared field, bytes and kinds of the future.
pub(crate) fn to_value(value: &ScalarValueRef<'_>) -> Option<Value> {
    match value {
        ScalarValueRef::Str(text) => Some(Value::Text(text.to_string())),
        ScalarValueRef::Int(n) | ScalarValueRef::Counter(n) | ScalarValueRef::Timestamp(n) => {
            Some(Value::Int(*n))
        }
        ScalarValueRef::Uint(n) => i64::try_from(*n).ok().map(Value::Int),
        // JSON has no infinities.
        ScalarValueRef::F64(n) => n.is_finite().then_some(Value::Number(*n)),
        ScalarValueRef::Boolean(b) => Some(Value::Bool(*b)),
        ScalarValueRef::Bytes(_) | ScalarValueRef::Unknown { .. } | ScalarValueRef::Null => None,
    }
}

/// The value of a key as `get_all` gives it; `None` for a cleared field and for a container.
pub(crate) fn scalar_value(value: &AmValue<'_>) -> Option<Value> {
    match value {
        AmValue::Scalar(value) => to_value(&owned(value)),
        AmValue::Object(_) => None,
    }
}

/// What a command's value is in the document. A cleared field is a null and not a deleted key: so a
/// concurrent edit of it is a conflict that is shown, and not a clearing that is lost.
pub(crate) fn to_scalar(value: &Option<Value>) -> automerge::ScalarValue {
    match value {
        None => automerge::ScalarValue::Null,
        Some(Value::Bool(b)) => automerge::ScalarValue::Boolean(*b),
        Some(Value::Int(n)) => automerge::ScalarValue::Int(*n),
        Some(Value::Number(n)) => automerge::ScalarValue::F64(*n),
        Some(Value::Text(text)) => automerge::ScalarValue::Str(text.as_str().into()),
    }
}

/// Whether a value of the tombstone field means "deleted".
pub(crate) fn is_tombstone(value: &ScalarValueRef<'_>) -> bool {
    !matches!(value, ScalarValueRef::Null | ScalarValueRef::Boolean(false))
}
