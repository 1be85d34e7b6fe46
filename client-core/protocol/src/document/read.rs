//! A document is read into a typed contact, tolerant of whatever a stranger wrote into it: wrong
//! types are left out, fields of a newer version are kept, nothing is hydrated.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use automerge::{Automerge, Change, ChangeHash, ObjId, ReadDoc};

use super::bootstrap::{self, note_text};
use super::path::Path;
use super::scan::{self, Found, FoundEntry, View, Visitor};
use super::schema::Collection;
use super::value::Value;
use super::{Authorship, Contact, Entry, conflict};
use crate::ids::{ContactId, UnixMs};
use crate::message::ChangeMessage;
use crate::projection::display_name;

/// The contact as it is now, without deleted entries.
pub fn read(id: ContactId, doc: &Automerge) -> Contact {
    Reader::read(id, View::now(doc), false)
}

/// The contact as it was at `heads`, without the entries that were deleted then. Heads that the
/// document does not have are left out.
pub fn read_at(id: ContactId, doc: &Automerge, heads: &[ChangeHash]) -> Contact {
    Reader::read(id, View::at(doc, heads), false)
}

/// The contact as it is now with its deleted entries, which say `deleted`.
pub fn read_with_deleted(id: ContactId, doc: &Automerge) -> Contact {
    Reader::read(id, View::now(doc), true)
}

struct Reader {
    contact: Contact,
    deleted_too: bool,
}

impl Reader {
    fn read(id: ContactId, view: View<'_>, deleted_too: bool) -> Contact {
        let mut reader = Reader { contact: Contact::empty(id), deleted_too };
        scan::scan(view, &mut reader);
        let mut contact = reader.contact;
        contact.note = view.text(&note_text());
        contact.tags.sort();
        contact.interactions.sort_by_key(|entry| (entry.int("at"), entry.id));
        contact.purchases.sort_by(|a, b| (a.text("date"), a.id).cmp(&(b.text("date"), b.id)));
        let live = |entries: &[Entry], field: &str| -> Vec<String> {
            entries.iter().filter(|e| !e.deleted).map(|e| e.text(field).to_owned()).collect()
        };
        let reach = [live(&contact.phones, "number"), live(&contact.emails, "address")].concat();
        contact.display_name = display_name(&contact.fields, reach.iter());
        contact
    }
}

impl Visitor for Reader {
    fn scalar(&mut self, _map: &ObjId, found: &Found<'_>, path: fn(String) -> Path) {
        let Some(value) = found.value() else { return };
        let contact = &mut self.contact;
        match path(found.key.to_string()) {
            Path::Root(name) => {
                contact.fields.insert(name, value);
            }
            Path::Custom(name) => {
                contact.custom.insert(name, value);
            }
            Path::External(system) => {
                contact.external_ids.insert(system, value.to_string());
            }
            Path::Tag(tag) if value != Value::Bool(false) => contact.tags.push(tag),
            _ => {}
        }
    }

    fn entry(&mut self, entry: &FoundEntry<'_, '_>) {
        if entry.deleted && !self.deleted_too {
            return;
        }
        let fields = entry
            .fields
            .iter()
            .filter_map(|field| Some((field.key.to_string(), field.value()?)))
            .collect();
        let list = self.contact.entries_mut(entry.collection);
        list.push(Entry { id: entry.id, deleted: entry.deleted, fields });
    }
}

/// Who wrote the value that each field has now, by path; tags as `tags.NAME`, the note as `note`
/// (its latest edit), entries also as `phones/ID` where they are deleted.
pub fn authorship(doc: &Automerge) -> BTreeMap<String, Authorship> {
    let mut collector = Authors { doc, known: HashMap::new(), fields: BTreeMap::new() };
    scan::scan(View::now(doc), &mut collector);
    if let Some(hash) = latest_note_change(doc) {
        collector.add(Path::Note, hash);
    }
    collector.fields
}

struct Authors<'d> {
    doc: &'d Automerge,
    known: HashMap<ChangeHash, Authorship>,
    fields: BTreeMap<String, Authorship>,
}

impl Authors<'_> {
    fn add(&mut self, path: Path, hash: ChangeHash) {
        let doc = self.doc;
        let authorship = self.known.entry(hash).or_insert_with(|| {
            let meta = doc.get_change_meta_by_hash(&hash);
            let message = meta.and_then(|meta| ChangeMessage::parse(meta.message.as_deref()?).ok());
            Authorship {
                author: message.as_ref().map_or_else(conflict::nobody, |message| message.by),
                at: message.map_or(0, |message| message.at),
                change: hash,
            }
        });
        self.fields.insert(path.to_string(), authorship.clone());
    }

    fn found(&mut self, found: &Found<'_>, path: Path) {
        if let Some(hash) = self.doc.hash_for_opid(&found.op()) {
            self.add(path, hash);
        }
    }
}

impl Visitor for Authors<'_> {
    fn scalar(&mut self, _map: &ObjId, found: &Found<'_>, path: fn(String) -> Path) {
        if found.value().is_some() {
            self.found(found, path(found.key.to_string()));
        }
    }

    fn entry(&mut self, entry: &FoundEntry<'_, '_>) {
        let (collection, id) = (entry.collection, entry.id);
        if let Some(tombstone) = entry.tombstone.filter(|_| entry.deleted) {
            self.found(tombstone, Path::Entry(collection, id));
        }
        for field in entry.fields.iter().filter(|field| field.value().is_some()) {
            self.found(field, Path::Field(collection, id, field.key.to_string()));
        }
    }
}

/// The latest change that touched the note. Texts carry no index for this, so changes are decoded
/// from the newest on, and not more than a page's worth.
pub(super) fn latest_note_change(doc: &Automerge) -> Option<ChangeHash> {
    if doc.text(note_text()).unwrap_or_default().is_empty() {
        return None;
    }
    super::history::newest_first(doc).into_iter().take(512).find(|hash| {
        doc.get_change_by_hash(hash).is_some_and(|change| super::history::touches_note(&change))
    })
}

/// The heads of the contact as of an earlier moment: the changes whose device claimed a time up to
/// `at` and whose whole history did. Bootstraps belong to every moment. Empty for a moment before
/// the first change of all.
pub fn heads_before(doc: &Automerge, at: UnixMs) -> Vec<ChangeHash> {
    let mut included: BTreeSet<ChangeHash> = BTreeSet::new();
    let mut heads: BTreeSet<ChangeHash> = BTreeSet::new();
    // In the order of causality: what a change depends on comes before it.
    for meta in doc.get_changes_meta(&[]) {
        let message = meta.message.as_deref().and_then(|text| ChangeMessage::parse(text).ok());
        let early = match message {
            Some(message) => message.at <= at,
            None => bootstrap::looks_like_one(&meta),
        };
        if early && meta.deps.iter().all(|dep| included.contains(dep)) {
            for dep in &meta.deps {
                heads.remove(dep);
            }
            included.insert(meta.hash);
            heads.insert(meta.hash);
        }
    }
    heads.into_iter().collect()
}

/// The message of a change, if it has one of ours.
pub fn change_message(change: &Change) -> Option<ChangeMessage> {
    ChangeMessage::parse(change.message()?).ok()
}

impl Contact {
    /// A contact without anything.
    pub(crate) fn empty(id: ContactId) -> Self {
        Contact {
            id,
            display_name: String::new(),
            fields: BTreeMap::new(),
            note: String::new(),
            tags: Vec::new(),
            custom: BTreeMap::new(),
            external_ids: BTreeMap::new(),
            phones: Vec::new(),
            emails: Vec::new(),
            messengers: Vec::new(),
            addresses: Vec::new(),
            interactions: Vec::new(),
            deals: Vec::new(),
            purchases: Vec::new(),
            tasks: Vec::new(),
            consents: Vec::new(),
        }
    }

    fn entries_mut(&mut self, collection: Collection) -> &mut Vec<Entry> {
        match collection {
            Collection::Phones => &mut self.phones,
            Collection::Emails => &mut self.emails,
            Collection::Messengers => &mut self.messengers,
            Collection::Addresses => &mut self.addresses,
            Collection::Interactions => &mut self.interactions,
            Collection::Deals => &mut self.deals,
            Collection::Purchases => &mut self.purchases,
            Collection::Tasks => &mut self.tasks,
            Collection::Consents => &mut self.consents,
        }
    }
}
