//! An office in memory: takes what replicas send, merges it through the guard, and answers with
//! pages and documents, as the server's session does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use automerge::Automerge;
use roadbook_protocol::guard::{self, Incoming};
use roadbook_protocol::ids::{Actor, ContactId, Cursor, TimelineId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{Access, ChangeFate, Fate, Fetched, Manifest, Page, PageItem};
use roadbook_protocol::{ChangeHash, document, projection};

use super::Device;
use crate::Replica;

struct Held {
    doc: Automerge,
    /// Cursor, hash, bytes of every merged change.
    log: Vec<(Cursor, ChangeHash, Vec<u8>)>,
    /// The generation of the document, and the cursor at which it began.
    generation: (u64, Cursor),
}

pub(crate) struct Office {
    pub timeline: TimelineId,
    pub cursor: Cursor,
    contacts: BTreeMap<ContactId, Held>,
    seqs: HashMap<(ContactId, Actor, u64), ChangeHash>,
    fates: HashMap<ChangeHash, (Fate, String)>,
    /// Who uploaded a change, by home.
    uploaded: HashMap<ChangeHash, std::path::PathBuf>,
    /// Changes whose label is this are refused.
    pub refused_label: Option<String>,
    /// Contacts that the rep may not see any more.
    pub removed: BTreeSet<ContactId>,
    removals: Vec<(Cursor, ContactId)>,
    /// Changes of generations that are over.
    older: HashSet<ChangeHash>,
}

impl Office {
    pub(crate) fn new() -> Office {
        Office {
            timeline: TimelineId::from_bytes([7; 16]),
            cursor: 0,
            contacts: BTreeMap::new(),
            seqs: HashMap::new(),
            fates: HashMap::new(),
            uploaded: HashMap::new(),
            refused_label: None,
            removed: BTreeSet::new(),
            removals: Vec::new(),
            older: HashSet::new(),
        }
    }

    /// Takes everything that the replica has to send; the fates, in order.
    pub(crate) fn receive(&mut self, replica: &Replica) -> Vec<ChangeFate> {
        let (changes, _) = replica.load_outbox(0, 10_000, usize::MAX).unwrap();
        let mut fates = Vec::new();
        for change in changes {
            let (fate, code) = self.take(change.contact, change.hash, &change.bytes);
            self.uploaded.entry(change.hash).or_insert_with(|| replica.home().to_owned());
            fates.push(ChangeFate {
                contact: change.contact,
                hash: change.hash,
                fate,
                reason: code.clone(),
                code,
            });
        }
        fates
    }

    fn take(&mut self, contact: ContactId, hash: ChangeHash, bytes: &[u8]) -> (Fate, String) {
        let bootstraps: Vec<(ChangeHash, &[u8])> =
            document::bootstraps().iter().map(|b| (b.hash, b.bytes)).collect();
        let admitted = guard::gate1(bytes, &Limits::DEFAULT, &bootstraps).unwrap();
        if admitted.bootstrap {
            return (Fate::Merged, String::new());
        }
        if let Some(known) = self.fates.get(&hash) {
            return known.clone();
        }
        let fate = self.judge(contact, &admitted, bytes);
        self.fates.insert(hash, fate.clone());
        fate
    }

    fn judge(
        &mut self,
        contact: ContactId,
        admitted: &guard::Admitted,
        bytes: &[u8],
    ) -> (Fate, String) {
        let place = (contact, admitted.actor, admitted.seq);
        if *self.seqs.entry(place).or_insert(admitted.hash) != admitted.hash {
            return (Fate::Forked, "forked".into());
        }
        let message = admitted.message.as_ref().unwrap();
        if self.refused_label.as_ref() == Some(&message.command) {
            return (Fate::Quarantined, "unwanted".into());
        }
        let behind =
            |dep: &ChangeHash| self.fates.get(dep).is_some_and(|(fate, _)| *fate != Fate::Merged);
        if admitted.deps.iter().any(behind) {
            return (Fate::Quarantined, "dependency".into());
        }
        if admitted.deps.iter().any(|dep| self.older.contains(dep)) {
            return (Fate::Replaced, "dependency".into());
        }
        let held = self.contacts.entry(contact).or_insert_with(|| Held {
            doc: document::new_document(),
            log: Vec::new(),
            generation: (1, 0),
        });
        let incoming = vec![Incoming { hash: admitted.hash, bytes: bytes.to_vec() }];
        let merged = guard::merge(&held.doc, incoming, &Limits::DEFAULT).unwrap();
        assert!(merged.refused.is_empty(), "{:?}", merged.refused);
        held.doc = merged.doc;
        self.cursor += 1;
        held.log.push((self.cursor, admitted.hash, bytes.to_vec()));
        (Fate::Merged, String::new())
    }

    /// The page after a cursor, without what this replica sent itself.
    pub(crate) fn page(&self, replica: &Replica, since: Cursor) -> Page {
        let mut items = Vec::new();
        for (id, held) in &self.contacts {
            if self.removed.contains(id) {
                continue;
            }
            let changes: Vec<Vec<u8>> = held
                .log
                .iter()
                .filter(|(cursor, hash, _)| {
                    *cursor > since
                        && self.uploaded.get(hash).map(|p| p.as_path()) != Some(replica.home())
                })
                .map(|(_, _, bytes)| bytes.clone())
                .collect();
            if held.generation.1 > since {
                items.push(self.document(*id));
            } else if !changes.is_empty() {
                items.push(PageItem { changes, ..self.item(*id, Access::Owner) });
            }
        }
        for (cursor, id) in &self.removals {
            if *cursor > since {
                items.push(self.item(*id, Access::Removed));
            }
        }
        Page { cursor: self.cursor, items, more: false, seal: None }
    }

    /// Begins a contact's document anew (rule 25).
    pub(crate) fn begin_anew(&mut self, id: ContactId, purged: bool) {
        self.cursor += 1;
        let held = self.contacts.get_mut(&id).unwrap();
        let built_in = |hash: &ChangeHash| document::bootstraps().iter().any(|b| b.hash == *hash);
        let before = held.doc.get_changes(&[]).into_iter().map(|change| change.hash());
        self.older.extend(before.filter(|hash| !built_in(hash)));
        let generation = document::generation_count(held.generation.0) + 1;
        let how = document::Rewrite { generation, strip_deleted: purged, replaced: Vec::new() };
        held.doc = document::rewrite(id, &held.doc, &how, &Limits::DEFAULT).unwrap();
        held.log.clear();
        held.generation = (document::generation(&held.doc).number, self.cursor);
    }

    /// The office is restored from a backup that has this document of a contact.
    pub(crate) fn put_back(&mut self, timeline: TimelineId, item: &PageItem) {
        self.timeline = timeline;
        self.cursor += 1;
        let held = self.contacts.get_mut(&item.contact).unwrap();
        held.doc = Automerge::load(&item.snapshot).unwrap();
        held.log.clear();
        held.generation = (item.generation.unwrap_or(1), self.cursor);
        self.older.clear();
    }

    pub(crate) fn remove(&mut self, id: ContactId) {
        self.cursor += 1;
        self.removed.insert(id);
        self.removals.push((self.cursor, id));
    }

    fn item(&self, contact: ContactId, access: Access) -> PageItem {
        PageItem {
            contact,
            access,
            owner: None,
            epoch: 1,
            changes: Vec::new(),
            snapshot: Vec::new(),
            row: String::new(),
            heads: Vec::new(),
            signed: None,
            generation: None,
        }
    }

    /// A document in full.
    pub(crate) fn document(&self, id: ContactId) -> PageItem {
        match self.contacts.get(&id).filter(|_| !self.removed.contains(&id)) {
            Some(held) => PageItem {
                snapshot: held.doc.save_nocompress(),
                row: serde_json::to_string(&projection::project(id, &held.doc)).unwrap(),
                heads: held.doc.get_heads(),
                generation: Some(held.generation.0).filter(|number| *number > 1),
                ..self.item(id, Access::Owner)
            },
            None => self.item(id, Access::Removed),
        }
    }

    pub(crate) fn fetched(&self, ids: &[ContactId]) -> Fetched {
        Fetched {
            request: 1,
            items: ids.iter().map(|id| self.document(*id)).collect(),
            last: true,
            seal: None,
        }
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let contacts =
            self.contacts.keys().filter(|id| !self.removed.contains(id)).copied().collect();
        Manifest { cursor: self.cursor, contacts, last: true, bytes_total: 1 }
    }

    /// One exchange in both directions, until nothing is left to do.
    pub(crate) fn exchange(&mut self, replica: &Replica) {
        replica.in_flight().clear();
        if replica.status().unwrap().timeline.is_none() {
            replica.store_manifest(self.timeline, &self.manifest()).unwrap();
        }
        for round in 0.. {
            assert!(round < 20, "the exchange does not come to an end");
            let fates = self.receive(replica);
            let stored: Vec<_> = fates
                .iter()
                .filter(|fate| fate.fate == Fate::Merged)
                .map(|fate| (fate.contact, fate.hash))
                .collect();
            replica.record_stored(&stored).unwrap();
            replica.record_fates(&fates).unwrap();
            let page = self.page(replica, replica.status().unwrap().cursor);
            replica.apply_page(self.timeline, &page).unwrap();
            let missing = replica.load_missing(256, &BTreeSet::new()).unwrap();
            if !missing.is_empty() {
                replica.apply_fetched(self.timeline, &self.fetched(&missing)).unwrap();
            } else if fates.is_empty() {
                return;
            }
        }
    }

    /// The state hash of everything that the rep may see.
    pub(crate) fn state_hash(&self) -> String {
        document::state_hash(
            self.contacts
                .iter()
                .filter(|(id, _)| !self.removed.contains(id))
                .map(|(id, held)| (*id, document::content_hash(&held.doc, None))),
        )
    }

    /// All devices exchange until they hold the same, and that is what the office holds.
    pub(crate) fn converge(&mut self, devices: &[&Device]) {
        for _ in 0..3 {
            for device in devices {
                self.exchange(&device.replica);
            }
        }
        for device in devices {
            let state = device.replica.state_hash(None).unwrap();
            assert_eq!(state.hash, self.state_hash(), "seed {}", device.seed);
            assert_eq!(state.unmerged, 0);
            assert_eq!(device.replica.check().unwrap(), [], "rows equal a rebuild");
        }
    }

    pub(crate) fn merged_hashes(&self) -> HashSet<ChangeHash> {
        self.contacts.values().flat_map(|held| held.log.iter().map(|(_, hash, _)| *hash)).collect()
    }

    pub(crate) fn text(&self, id: ContactId, field: &str) -> String {
        document::read(id, &self.contacts[&id].doc).text(field).to_owned()
    }

    pub(crate) fn contact(&self, id: ContactId) -> document::Contact {
        document::read(id, &self.contacts[&id].doc)
    }
}
