//! A batch of local changes that was sent, and which of them the device still waits to hear of.

use std::collections::{BTreeMap, BTreeSet};

use automerge::ChangeHash;

use crate::ids::ContactId;
use crate::wire::Fate;

/// A batch whose changes have not all met their fate.
#[derive(Debug)]
pub(super) struct Batch {
    /// Its changes by their place in it; `None` once one has met its fate.
    pub changes: Vec<Option<(ContactId, ChangeHash)>>,
    /// Whether the receipt has come.
    pub stored: bool,
    /// Places of changes that wait at the server for what they stand on. They are not waited for, and
    /// are known under their place as long as the connection lasts: the server goes by it.
    waiting: BTreeSet<usize>,
    /// How many are waited for.
    open: usize,
}

impl Batch {
    /// One that is sent now.
    pub fn new(changes: impl Iterator<Item = (ContactId, ChangeHash)>) -> Batch {
        let changes: Vec<_> = changes.map(Some).collect();
        Batch { open: changes.len(), changes, stored: false, waiting: BTreeSet::new() }
    }

    /// Whether nothing of it is waited for.
    pub fn is_quiet(&self) -> bool {
        self.stored && self.open == 0
    }

    /// Whether nothing more will be heard of it.
    pub fn is_over(&self) -> bool {
        self.is_quiet() && self.waiting.is_empty()
    }

    /// Notes what became of changes. One that waits is not waited for, since nothing may ever bring
    /// what it stands on; once that came and it is stored, it is.
    pub fn meet(&mut self, fates: &BTreeMap<(ContactId, ChangeHash), Fate>) {
        for (place, slot) in self.changes.iter_mut().enumerate() {
            let Some(fate) = slot.and_then(|change| fates.get(&change)) else { continue };
            match fate {
                Fate::Waiting => self.open -= usize::from(self.waiting.insert(place)),
                Fate::Stored => self.open += usize::from(self.waiting.remove(&place)),
                _ => {
                    *slot = None;
                    self.open -= usize::from(!self.waiting.remove(&place));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_waited_is_waited_for_once_it_is_stored() {
        let change = |n| (ContactId::from_bytes([1; 16]), ChangeHash([n; 32]));
        let mut batch = Batch::new([change(1), change(2)].into_iter());
        batch.stored = true;

        batch.meet(&[(change(1), Fate::Merged), (change(2), Fate::Waiting)].into());
        assert!(batch.is_quiet(), "nothing may ever bring what it stands on");
        assert!(!batch.is_over());
        assert_eq!(batch.changes, [None, Some(change(2))], "the server names it by its place");

        batch.meet(&[(change(2), Fate::Stored)].into());
        assert!(!batch.is_quiet());
        batch.meet(&[(change(2), Fate::Merged)].into());
        assert!(batch.is_over());
    }
}
