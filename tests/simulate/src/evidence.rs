//! What devices hold of a past that a restore takes from the server, and bring back (rule 3).

use std::collections::BTreeSet;

use roadbook_protocol::ChangeHash;
use roadbook_protocol::guard::peek_change;
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::session::ServerEvent;
use roadbook_protocol::wire::OfferItem;
use roadbook_server::engine::EngineError;
use roadbook_server::sync::service::{self, Offers};

use crate::device::Standing;
use crate::oracle::Acknowledged;
use crate::world::World;

/// With more devices it would take too long to ask each what it holds.
const HOLDERS_MAX: usize = 24;

impl World {
    /// Who holds what the restore is about to take back, beside those who made it (rule 3).
    pub fn note_holders(&mut self, acknowledged: usize) {
        if self.devices.len() > HOLDERS_MAX {
            return;
        }
        // One that carries an accepted late edit need not come back: its author's device sends the edit
        // itself again, and of the two the one that is there first counts (rule 8).
        let lost: Vec<Acknowledged> = self.oracle.acknowledged[acknowledged..]
            .iter()
            .filter(|one| !self.oracle.accepted.contains(&one.hash))
            .copied()
            .collect();
        let contacts: BTreeSet<ContactId> = lost.iter().map(|one| one.contact).collect();
        let mut held: Vec<(Acknowledged, Vec<usize>)> =
            lost.into_iter().map(|one| (one, Vec::new())).collect();
        for index in 0..self.devices.len() {
            let device = &self.devices[index];
            if device.standing != Standing::Alive || device.damaged || !self.open_app(index) {
                continue;
            }
            let here = self.changes_here(index, &contacts);
            for (one, holders) in &mut held {
                if one.device != Some(index) && here.contains(&(one.contact, one.hash)) {
                    holders.push(index);
                }
            }
        }
        held.retain(|(_, holders)| !holders.is_empty());
        self.oracle.held.extend(held);
    }

    /// A device's replica is an older one now: what it has not any more it can't bring back. (What it
    /// brought back before is acknowledged by now.)
    pub fn note_put_back(&mut self, index: usize) {
        let contacts: BTreeSet<ContactId> = self
            .oracle
            .held
            .iter()
            .filter(|(_, holders)| holders.contains(&index))
            .map(|(one, _)| one.contact)
            .collect();
        if contacts.is_empty() {
            return;
        }
        // One that can't be opened now, for a disk that fails, can't be asked: it is not counted.
        let here = match self.open_app(index) {
            true => self.changes_here(index, &contacts),
            false => BTreeSet::new(),
        };
        for (one, holders) in &mut self.oracle.held {
            if !here.contains(&(one.contact, one.hash)) {
                holders.retain(|holder| *holder != index);
            }
        }
        self.oracle.held.retain(|(_, holders)| !holders.is_empty());
    }

    /// The changes of these contacts that an open replica has.
    fn changes_here(
        &self,
        index: usize,
        contacts: &BTreeSet<ContactId>,
    ) -> BTreeSet<(ContactId, ChangeHash)> {
        let mut here = BTreeSet::new();
        let Some(replica) = &self.devices[index].replica else { return here };
        for contact in contacts {
            let Ok(history) = replica.history(*contact, usize::MAX) else { continue };
            let hashes = history.iter().filter_map(|item| item.change.parse().ok());
            here.extend(hashes.map(|hash| (*contact, hash)));
        }
        here
    }

    /// Others' changes that a device brings back, with the server's own word for them.
    pub fn take_offer(&mut self, id: u64, offer: u64, items: Vec<OfferItem>) {
        let (Some(engine), Some(who)) = (self.server.engine(), self.who(id)) else { return };
        let room = self.server.offers.clone();
        let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
            return;
        };
        let mut offers = end.offers.take().unwrap_or_else(|| Offers::new(room));
        let mut offered = std::mem::take(&mut end.offered);
        for item in &items {
            let changes = item.changes.iter().filter_map(|bytes| peek_change(bytes));
            offered.extend(changes.map(|(hash, _)| (item.contact, hash)));
        }
        // Only the last can have a rest that is still to come: nothing of it is taken before that.
        let unfinished = items.last().filter(|item| item.more).map(|item| item.contact);
        let outcome = service::offer(&engine, engine.limits(), who, &mut offers, items);
        end.offers = Some(offers);
        end.offered.extend(offered.extract_if(.., |(contact, _)| Some(*contact) == unfinished));
        match outcome {
            Ok(refused) => {
                for fate in &refused {
                    offered.remove(&(fate.contact, fate.hash));
                }
                let due = self.oracle.brought_back(&offered);
                self.verify(&due, "P2: an acknowledged change is durable");
                self.server_event(id, ServerEvent::Offered { offer, refused });
            }
            Err(EngineError::Refused { code: "offer", reason }) => {
                self.violated("both ends speak the protocol", reason);
            }
            Err(error) => self.server_failed(id, &error),
        }
        self.merge_soon();
    }
}
