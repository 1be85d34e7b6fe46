//! Which of a connection's changes the device has still to hear about.
//!
//! The engine says of each change when it is merged; the page that has the change says so too, in a
//! few bytes for a run of many. So the engine's word is held back for a moment, and dropped where the
//! page was first.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::{ChangeFate, Fate, PendingChanges};

/// How long a merged change waits for the page that tells it cheaply.
const HOLD: Duration = Duration::from_secs(2);
/// Told merges that are remembered; beyond, some may be told twice, which harms nobody.
const TOLD_MAX: usize = 20_000;

/// The receipts that are open on one connection.
#[derive(Debug, Default)]
pub struct Receipts {
    /// Changes of this connection that are stored (or wait) and not known to be merged.
    uploaded: HashMap<ChangeHash, ContactId>,
    /// Merges that a page has told, of which the engine has not spoken yet.
    told: HashSet<ChangeHash>,
    /// Merges of which the engine has spoken and that no page has told yet.
    held: VecDeque<(Instant, ChangeFate)>,
}

impl Receipts {
    /// A change of this connection was taken.
    pub fn taken(&mut self, hash: ChangeHash, contact: ContactId, fate: Fate) {
        if matches!(fate, Fate::Stored | Fate::Waiting) {
            self.uploaded.insert(hash, contact);
        }
    }

    /// What came from the device on this connection: not sent back to it.
    pub fn own(&self) -> HashMap<ChangeHash, ContactId> {
        self.uploaded.clone()
    }

    /// The same, as a question to the store.
    pub fn pending(&self) -> Vec<PendingChanges> {
        let mut pending: HashMap<ContactId, Vec<ChangeHash>> = HashMap::new();
        for (hash, contact) in &self.uploaded {
            pending.entry(*contact).or_default().push(*hash);
        }
        pending.into_iter().map(|(contact, hashes)| PendingChanges { contact, hashes }).collect()
    }

    /// The engine says what became of changes; returns what is to be told now.
    pub fn met(&mut self, fates: Vec<ChangeFate>, now: Instant) -> Vec<ChangeFate> {
        let mut tell = Vec::new();
        for fate in fates {
            if fate.fate != Fate::Merged {
                if !matches!(fate.fate, Fate::Stored | Fate::Waiting) {
                    self.uploaded.remove(&fate.hash);
                }
                tell.push(fate);
            } else if self.told.remove(&fate.hash) {
                // The page was first.
            } else if self.uploaded.contains_key(&fate.hash) {
                self.held.push_back((now, fate));
            } else {
                // Uploaded on an earlier connection: no page of this one tells it.
                tell.push(fate);
            }
        }
        tell
    }

    /// A page tells that these are merged.
    pub fn paged<'a>(&mut self, hashes: impl Iterator<Item = &'a ChangeHash>) {
        for hash in hashes {
            if self.uploaded.remove(hash).is_some() {
                self.told.insert(*hash);
            }
        }
        let told = &mut self.told;
        self.held.retain(|(_, fate)| !told.remove(&fate.hash));
        if self.told.len() > TOLD_MAX {
            self.told.clear();
        }
    }

    /// When the first of those that are held has waited long enough.
    pub fn due(&self) -> Option<Instant> {
        self.held.front().map(|(since, _)| *since + HOLD)
    }

    /// Those that have waited long enough: no page had them, as when a snapshot took their place.
    pub fn overdue(&mut self, now: Instant) -> Vec<ChangeFate> {
        let mut overdue = Vec::new();
        while self.held.front().is_some_and(|(since, _)| now >= *since + HOLD) {
            if let Some((_, fate)) = self.held.pop_front() {
                self.uploaded.remove(&fate.hash);
                overdue.push(fate);
            }
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> ChangeHash {
        ChangeHash([n; 32])
    }

    fn fate(n: u8, fate: Fate) -> ChangeFate {
        ChangeFate {
            contact: contact(),
            hash: hash(n),
            fate,
            code: String::new(),
            reason: String::new(),
        }
    }

    fn contact() -> ContactId {
        ContactId::from_bytes([9; 16])
    }

    #[test]
    fn a_merge_is_told_once_whoever_says_it_first() {
        let now = Instant::now();
        let mut receipts = Receipts::default();
        receipts.taken(hash(1), contact(), Fate::Stored);
        receipts.taken(hash(2), contact(), Fate::Stored);
        // The page first, then the engine.
        receipts.paged([hash(1)].iter());
        assert_eq!(receipts.met(vec![fate(1, Fate::Merged)], now), []);
        // The engine first, then the page.
        assert_eq!(receipts.met(vec![fate(2, Fate::Merged)], now), []);
        receipts.paged([hash(2)].iter());
        assert_eq!(receipts.overdue(now + HOLD), []);
        assert!(receipts.own().is_empty() && receipts.told.is_empty() && receipts.held.is_empty());
    }

    #[test]
    fn a_merge_that_no_page_tells_is_told_after_a_moment() {
        let now = Instant::now();
        let mut receipts = Receipts::default();
        receipts.taken(hash(1), contact(), Fate::Stored);
        assert_eq!(receipts.met(vec![fate(1, Fate::Merged)], now), []);
        assert_eq!(receipts.due(), Some(now + HOLD));
        assert_eq!(receipts.overdue(now + HOLD / 2), []);
        assert_eq!(receipts.overdue(now + HOLD), [fate(1, Fate::Merged)]);
        assert!(receipts.own().is_empty());
    }

    #[test]
    fn other_fates_and_those_of_earlier_connections_are_told_at_once() {
        let now = Instant::now();
        let mut receipts = Receipts::default();
        receipts.taken(hash(1), contact(), Fate::Waiting);
        let fates = vec![fate(1, Fate::Stored), fate(2, Fate::Merged), fate(3, Fate::Quarantined)];
        assert_eq!(receipts.met(fates.clone(), now), fates);
        assert_eq!(
            receipts.pending().len(),
            1,
            "a change that left the waiting room is still open"
        );
    }
}
