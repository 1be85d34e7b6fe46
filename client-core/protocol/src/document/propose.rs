//! What changes would do to a contact, field by field, so that a person can decide about each.
//!
//! A late edit never touches the document (rules 8 and 19). It is taken apart on a scratch copy: for
//! each field the value before it (at the edit's own base, not at today's document), the value that
//! it wants, and the commands that author the same edit anew once it is accepted.

use std::collections::{BTreeMap, HashMap, HashSet};

use automerge::{Automerge, Change, ChangeHash, ReadDoc};
use serde::{Deserialize, Serialize};

use super::Command;
use super::bootstrap::{is_bootstrap, note_text};
use super::history::{self, Names, Touch};
use super::note::splices_between;
use super::path::Path;
use super::read::change_message;
use super::scan::{self, View};
use super::schema::Collection;
use super::value::Value;
use crate::ids::{EntryId, UnixMs};

/// What kind of thing is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposedKind {
    /// The value of one field.
    Field,
    /// A new entry: a phone, a task, a deal ...
    Entry,
    /// An interaction that took place: taken at once, and only shown.
    Interaction,
    /// An entry that is deleted, or brought back.
    Deletion,
    /// An edit of the note.
    Note,
    /// A change that can't be read as an edit of this contact.
    Unreadable,
}

impl ProposedKind {
    /// The word for it, as in JSON and in the server's tables.
    pub fn as_str(self) -> &'static str {
        match self {
            ProposedKind::Field => "field",
            ProposedKind::Entry => "entry",
            ProposedKind::Interaction => "interaction",
            ProposedKind::Deletion => "deletion",
            ProposedKind::Note => "note",
            ProposedKind::Unreadable => "unreadable",
        }
    }

    /// The kind of that word; an unknown one reads as [`ProposedKind::Unreadable`].
    pub fn from_name(word: &str) -> ProposedKind {
        const ALL: [ProposedKind; 5] = [
            ProposedKind::Field,
            ProposedKind::Entry,
            ProposedKind::Interaction,
            ProposedKind::Deletion,
            ProposedKind::Note,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == word).unwrap_or(ProposedKind::Unreadable)
    }
}

/// One field, entry or edit of the note that changes would bring.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedItem {
    /// The path as history and conflicts spell it.
    pub path: String,
    /// What it is.
    pub kind: ProposedKind,
    /// The value that the author saw: a scalar, for an entry an object of its fields, null for none.
    pub base: serde_json::Value,
    /// The value that the author wants, in the same form.
    pub proposed: serde_json::Value,
    /// The commands that author it anew.
    pub commands: Vec<Command>,
    /// The changes that it comes from, in causal order.
    pub changes: Vec<ChangeHash>,
    /// When the author says the last of them was made, milliseconds since 1970.
    pub at: UnixMs,
}

/// Takes `changes`, all of which must be in `doc`, apart. Each path once, in the order in which it was
/// first touched; edits of the note one by one. Hashes that the document does not have are left out.
pub fn proposed(doc: &Automerge, changes: &[ChangeHash]) -> Vec<ProposedItem> {
    let wanted: HashSet<ChangeHash> = changes.iter().copied().collect();
    let mut names = Names::new(doc);
    let mut taker = Taker::default();
    // In the order of causality: what a change depends on comes before it.
    for meta in doc.get_changes_meta(&[]) {
        if !wanted.contains(&meta.hash) || is_bootstrap(&meta.hash) {
            continue;
        }
        let Some(change) = doc.get_change_by_hash(&meta.hash) else { continue };
        for touch in names.touches(&change) {
            taker.take(doc, &change, &touch);
        }
    }
    taker.finish(doc)
}

/// The value that a field has now, in the form of [`ProposedItem::base`].
pub fn current(doc: &Automerge, path: &str) -> serde_json::Value {
    let view = View::now(doc);
    let scalar = |maps: &[automerge::ObjId], key: &str| {
        json(scan::sides(view, maps, key).into_iter().next_back().and_then(|side| side.0))
    };
    match Path::parse(path) {
        Path::Root(name) => scalar(&[automerge::ROOT], &name),
        Path::Custom(name) => scalar(&[super::bootstrap::custom_map()], &name),
        Path::External(name) => scalar(&[super::bootstrap::external_ids_map()], &name),
        Path::Tag(tag) => {
            let there = !scan::sides(view, &[super::bootstrap::tags_map()], &tag).is_empty();
            json(there.then_some(Value::Text(tag)))
        }
        Path::Note => {
            json(Some(Value::Text(view.text(&note_text()))).filter(|text| !is_empty(text)))
        }
        Path::Field(collection, id, field) => scalar(&view.entry_maps(collection, id), &field),
        Path::Entry(collection, id) => entry_now(view, collection, id),
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_text().is_some_and(str::is_empty)
}

fn json(value: Option<Value>) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn entry_now(view: View<'_>, collection: Collection, id: EntryId) -> serde_json::Value {
    let mut fields = serde_json::Map::new();
    let maps = view.entry_maps(collection, id);
    scan::entry(view, collection, id, &maps, &mut |entry| {
        if !entry.deleted {
            for field in entry.fields {
                fields.insert(field.key.to_string(), json(field.value()));
            }
        }
    });
    match fields.is_empty() {
        true => serde_json::Value::Null,
        false => fields.into(),
    }
}

/// What is being put together.
#[derive(Default)]
struct Taker {
    items: Vec<Taken>,
    by_path: BTreeMap<Path, usize>,
    /// Entries that these changes create, with the item of each.
    created: HashMap<(Collection, EntryId), usize>,
}

struct Taken {
    path: Path,
    base: Option<Value>,
    after: Option<Value>,
    fields: BTreeMap<String, Option<Value>>,
    /// Of a note: what it was and what it became, and the splices in between.
    note: Option<(serde_json::Value, serde_json::Value, Vec<super::Splice>)>,
    changes: Vec<ChangeHash>,
    at: UnixMs,
}

impl Taker {
    fn take(&mut self, doc: &Automerge, change: &Change, touch: &Touch) {
        let at = change_message(change).map_or(0, |message| message.at);
        let index = match &touch.path {
            Path::Note => self.push(Path::Note, Some(note_taken(doc, change))),
            Path::Field(collection, id, field) => {
                let entry = (*collection, *id);
                let created = self.created.get(&entry).copied();
                let index = match created {
                    Some(index) => Some(index),
                    None if touch.created => {
                        let index = self.push(Path::Entry(*collection, *id), None);
                        self.created.insert(entry, index);
                        Some(index)
                    }
                    None => None,
                };
                match index {
                    Some(index) => {
                        if let Some(item) = self.items.get_mut(index) {
                            item.fields.insert(field.clone(), touch.after.clone());
                        }
                        index
                    }
                    None => self.scalar(doc, change, touch),
                }
            }
            _ => self.scalar(doc, change, touch),
        };
        if let Some(item) = self.items.get_mut(index) {
            item.at = item.at.max(at);
            if !item.changes.contains(&change.hash()) {
                item.changes.push(change.hash());
            }
        }
    }

    fn scalar(&mut self, doc: &Automerge, change: &Change, touch: &Touch) -> usize {
        let index = match self.by_path.get(&touch.path) {
            Some(index) => *index,
            None => {
                let index = self.push(touch.path.clone(), None);
                if let Some(item) = self.items.get_mut(index) {
                    item.base = history::before(doc, change, touch);
                }
                self.by_path.insert(touch.path.clone(), index);
                index
            }
        };
        if let Some(item) = self.items.get_mut(index) {
            item.after.clone_from(&touch.after);
        }
        index
    }

    fn push(
        &mut self,
        path: Path,
        note: Option<(serde_json::Value, serde_json::Value, Vec<super::Splice>)>,
    ) -> usize {
        self.items.push(Taken {
            path,
            base: None,
            after: None,
            fields: BTreeMap::new(),
            note,
            changes: Vec::new(),
            at: 0,
        });
        self.items.len() - 1
    }

    fn finish(self, doc: &Automerge) -> Vec<ProposedItem> {
        let created: HashSet<(Collection, EntryId)> = self.created.keys().copied().collect();
        let made = self.items.into_iter().map(|item| item.finish(doc, &created));
        made.collect()
    }
}

impl Taken {
    fn finish(self, doc: &Automerge, created: &HashSet<(Collection, EntryId)>) -> ProposedItem {
        let Taken { path, base, after, fields, note, changes, at } = self;
        let shown = path.to_string();
        let (kind, base, proposed, command) = match path {
            Path::Note => {
                let (before, wanted, splices) = note.unwrap_or_default();
                (ProposedKind::Note, before, wanted, Command::EditNote { splices })
            }
            Path::Entry(collection, id)
                if created.contains(&(collection, id)) && !fields.is_empty() =>
            {
                let kind = match collection {
                    Collection::Interactions => ProposedKind::Interaction,
                    _ => ProposedKind::Entry,
                };
                let wanted = serde_json::to_value(&fields).unwrap_or_default();
                let command = Command::Put { collection, id, fields };
                (kind, serde_json::Value::Null, wanted, command)
            }
            Path::Entry(collection, id) => {
                let gone =
                    |value: &Option<Value>| !matches!(value, None | Some(Value::Bool(false)));
                let last = changes.last().copied();
                let kept = || json(last.and_then(|at| history::summary(doc, at, collection, id)));
                let of = |gone: bool| if gone { serde_json::Value::Null } else { kept() };
                let command = match gone(&after) {
                    true => Command::Remove { collection, id },
                    false => Command::Restore { collection, id },
                };
                (ProposedKind::Deletion, of(gone(&base)), of(gone(&after)), command)
            }
            Path::Tag(tag) => {
                let named = |there: bool| json(there.then(|| Value::Text(tag.clone())));
                let (before, wanted) = (named(base.is_some()), named(after.is_some()));
                let command = match &after {
                    Some(at) => {
                        Command::Tag { tag: tag.clone(), at: at.as_int().unwrap_or_default() }
                    }
                    None => Command::Untag { tag: tag.clone() },
                };
                (ProposedKind::Field, before, wanted, command)
            }
            Path::Field(collection, id, field) => {
                let command =
                    Command::Put { collection, id, fields: [(field, after.clone())].into() };
                (ProposedKind::Field, json(base), json(after), command)
            }
            Path::Root(field) => {
                let command = Command::Set { field, value: after.clone() };
                (ProposedKind::Field, json(base), json(after), command)
            }
            Path::Custom(name) => {
                let command = Command::Custom { name, value: after.clone() };
                (ProposedKind::Field, json(base), json(after), command)
            }
            Path::External(system) => {
                let id = after.as_ref().map(ToString::to_string);
                (ProposedKind::Field, json(base), json(after), Command::ExternalId { system, id })
            }
        };
        ProposedItem { path: shown, kind, base, proposed, commands: vec![command], changes, at }
    }
}

fn note_taken(
    doc: &Automerge,
    change: &Change,
) -> (serde_json::Value, serde_json::Value, Vec<super::Splice>) {
    let note = note_text();
    let before = View::at(doc, change.deps()).text(&note);
    let after = View::at(doc, &[change.hash()]).text(&note);
    let splices = splices_between(&before, &after);
    let shown = |text: String| json((!text.is_empty()).then_some(Value::Text(text)));
    (shown(before), shown(after), splices)
}
