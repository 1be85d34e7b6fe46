//! What a device that may not hold data any more says and hears: the order to wipe, sealed edits, drops
//! and erasures; and late edits of others, which their new owner decides about.
//!
//! Apart from the rest because it goes on where everything else has ended: a revoked device gets no
//! customer data, and still may hand over what it has not sent.

use super::WIPE_MS_MAX;
use super::server::{Phase, ServerSession};
use super::server_events::ServerEffect;
use crate::ids::UnixMs;
use crate::wire::{
    DECIDE_ITEMS_MAX, DROPS_MAX, Decide, Dropped, ERASURES_MAX, Erasures, Lists, Problem,
    Proposals, Purged, SEALED_PARTS_MAX, Sealed, SealedStored, WipeOrder, Wiped,
};

impl ServerSession {
    /// A revoked device that can wipe has proved who it is: it is told to.
    pub(super) fn wipe(&mut self, now: UnixMs, effects: &mut Vec<ServerEffect>) {
        effects.push(ServerEffect::LoadWipeOrder);
        self.deadline = now + WIPE_MS_MAX;
        self.phase = Phase::Wiping;
    }

    pub(super) fn wipe_order(
        &mut self,
        now: UnixMs,
        order: WipeOrder,
        effects: &mut Vec<ServerEffect>,
    ) {
        if matches!(self.phase, Phase::Wiping) {
            self.deadline = now + WIPE_MS_MAX;
            effects.push(ServerEffect::Send(order.into()));
        }
    }

    pub(super) fn sealed(&mut self, sealed: Sealed, effects: &mut Vec<ServerEffect>) {
        if sealed.parts > SEALED_PARTS_MAX || sealed.part >= sealed.parts {
            let message = format!(
                "sealed part {} of {}; the limit is {SEALED_PARTS_MAX}",
                sealed.part, sealed.parts
            );
            return self.protocol_error(message, effects);
        }
        self.sealing += 1;
        effects.push(ServerEffect::StoreSealed(sealed));
    }

    pub(super) fn sealed_stored(
        &mut self,
        now: UnixMs,
        stored: Result<SealedStored, Problem>,
        effects: &mut Vec<ServerEffect>,
    ) {
        match stored {
            Ok(stored) => {
                self.sealing = self.sealing.saturating_sub(1);
                self.deadline = self.deadline.max(now + WIPE_MS_MAX);
                effects.push(ServerEffect::Send(stored.into()));
            }
            Err(problem) => self.refuse(problem, effects),
        }
    }

    pub(super) fn wipe_noted(&mut self, wiped: Wiped, effects: &mut Vec<ServerEffect>) {
        let Wiped { bundle, parts } = wiped;
        let stored = SealedStored { confirmed: true, ..SealedStored::taken(bundle, parts) };
        effects.push(ServerEffect::Send(stored.into()));
        self.close(1000, effects);
    }

    pub(super) fn erasures(&mut self, erasures: Erasures, effects: &mut Vec<ServerEffect>) {
        if self.is_open() && self.purges {
            effects.push(ServerEffect::Send(erasures.into()));
        }
    }

    pub(super) fn purged(&mut self, purged: Purged, effects: &mut Vec<ServerEffect>) {
        if purged.contacts.len() > ERASURES_MAX {
            let message = format!(
                "{} contacts purged at once; the limit is {ERASURES_MAX}",
                purged.contacts.len()
            );
            return self.protocol_error(message, effects);
        }
        effects.push(ServerEffect::Purged(purged.contacts));
    }

    pub(super) fn dropped(&mut self, dropped: Dropped, effects: &mut Vec<ServerEffect>) {
        if dropped.contacts.len() > DROPS_MAX {
            let message = format!(
                "{} contacts were dropped at once; the limit is {DROPS_MAX}",
                dropped.contacts.len()
            );
            return self.protocol_error(message, effects);
        }
        effects.push(ServerEffect::Dropped(dropped));
    }

    /// Whether late edits are sent on this connection: the device shows them, and customer data flows.
    pub fn wants_proposals(&self) -> bool {
        self.is_open() && self.proposes && !self.uploads_only && !self.held
    }

    pub(super) fn proposals(&mut self, parts: Vec<Proposals>, effects: &mut Vec<ServerEffect>) {
        if self.wants_proposals() {
            effects.extend(parts.into_iter().map(|part| ServerEffect::Send(part.into())));
        }
    }

    /// The effect that loads the lists of the office anew, where this device keeps them and customer data
    /// flows.
    pub fn load_lists(&self) -> Option<ServerEffect> {
        let wanted = self.is_open() && self.keeps_lists && !self.uploads_only && !self.held;
        wanted.then_some(ServerEffect::LoadLists { known: self.lists })
    }

    pub(super) fn lists(&mut self, parts: Vec<Lists>, effects: &mut Vec<ServerEffect>) {
        if self.load_lists().is_none() {
            return;
        }
        // The first answer on a connection is waited for; that nothing has changed since is no news.
        let first = !std::mem::replace(&mut self.lists_told, true);
        for part in parts {
            if part.unchanged && !first {
                continue;
            }
            self.lists = Some(part.state);
            effects.push(ServerEffect::Send(part.into()));
        }
    }

    pub(super) fn decide(&mut self, decide: Decide, effects: &mut Vec<ServerEffect>) {
        if decide.items.len() > DECIDE_ITEMS_MAX {
            let message = format!(
                "{} items were decided at once; the limit is {DECIDE_ITEMS_MAX}",
                decide.items.len()
            );
            return self.protocol_error(message, effects);
        }
        effects.push(ServerEffect::Decide(decide));
    }
}
