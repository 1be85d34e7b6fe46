//! What the server says about changes that were sent: that it has stored them, and what became of each.

use std::collections::{BTreeMap, BTreeSet};

use automerge::ChangeHash;

use super::ClientSession;
use crate::ids::ContactId;
use crate::session::{ClientEffect, CloseReason};
use crate::wire::{ChangeFate, Exception, Fate};

impl ClientSession {
    pub(super) fn stored(
        &mut self,
        number: u64,
        exceptions: Vec<Exception>,
        effects: &mut Vec<ClientEffect>,
    ) {
        let (Some(batch), Some(timeline)) = (self.batches.get_mut(&number), self.timeline) else {
            let what = format!("a receipt for the batch {number}, which was not sent");
            return self.close(CloseReason::Protocol(what), effects);
        };
        batch.stored = true;
        let mut fates = Vec::new();
        let mut excepted = BTreeSet::new();
        for exception in exceptions {
            excepted.insert(exception.index as usize);
            if let Some(Some((contact, hash))) = batch.changes.get(exception.index as usize) {
                fates.push(ChangeFate {
                    contact: *contact,
                    hash: *hash,
                    fate: exception.fate,
                    code: exception.code,
                    reason: exception.reason,
                });
            }
        }
        let changes: Vec<_> = batch
            .changes
            .iter()
            .enumerate()
            .filter(|(index, _)| !excepted.contains(index))
            .filter_map(|(_, change)| *change)
            .collect();
        if batch.is_over() {
            // All of it met its fate before the receipt came.
            self.batches.remove(&number);
        }
        if !changes.is_empty() {
            effects.push(ClientEffect::RecordStored { timeline, changes });
        }
        self.record(fates, effects);
        self.pump(effects);
    }

    pub(super) fn merged_run(
        &mut self,
        number: u64,
        from: u32,
        to: u32,
        met: &mut Vec<ChangeFate>,
    ) {
        let Some(batch) = self.batches.get(&number) else { return };
        let end = (to as usize).saturating_add(1).min(batch.changes.len());
        let start = (from as usize).min(end);
        for (contact, hash) in batch.changes[start..end].iter().flatten() {
            met.push(ChangeFate {
                contact: *contact,
                hash: *hash,
                fate: Fate::Merged,
                code: String::new(),
                reason: String::new(),
            });
        }
    }

    /// Hands fates on, and forgets the changes that met a final one.
    pub(super) fn record(&mut self, fates: Vec<ChangeFate>, effects: &mut Vec<ClientEffect>) {
        let Some(timeline) = self.timeline else { return };
        if fates.is_empty() {
            return;
        }
        // By contact too: bootstrap changes have the same hash in every contact.
        let met: BTreeMap<(ContactId, ChangeHash), Fate> =
            fates.iter().map(|f| ((f.contact, f.hash), f.fate)).collect();
        for batch in self.batches.values_mut() {
            batch.meet(&met);
        }
        self.batches.retain(|_, batch| !batch.is_over());
        if fates.iter().any(|f| f.fate == Fate::Unknown) {
            // The replica puts these back to `saved`; they lie before the present position.
            self.restart_outbox();
        }
        effects.push(ClientEffect::RecordFates { timeline, fates });
        self.pump(effects);
    }
}
