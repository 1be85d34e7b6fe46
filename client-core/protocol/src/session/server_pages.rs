//! What goes down to a device: pages, receipts, and what may be told only behind a page.
//!
//! One idea beside the phases of the connection: a device never hears that a change is merged before
//! a page has brought its cursor past it.

use super::PAGES_IN_FLIGHT_MAX;
use super::server::ServerSession;
use super::server_events::{LoadedItem, LoadedPage, Outcome, ServerEffect};
use super::server_frames::{problem, runs};
use crate::wire::{
    Access, ChangeFate, Exception, Fate, Fates, Need, Page, PageItem, Problem, ProblemCode, Stored,
    Tips,
};

/// Merged changes that the device may hear of only behind a page that brings its cursor past them:
/// else a server that is restored to a moment between the two would not be noticed, and the device
/// would take a change for merged that is lost (rule 1).
#[derive(Debug, Default)]
pub(super) struct Merged {
    places: Vec<(u64, u32)>,
    fates: Vec<ChangeFate>,
}

impl Merged {
    fn is_empty(&self) -> bool {
        self.places.is_empty() && self.fates.is_empty()
    }
    fn append(&mut self, mut other: Merged) {
        self.places.append(&mut other.places);
        self.fates.append(&mut other.fates);
    }
}

impl ServerSession {
    pub(super) fn appended(
        &mut self,
        batch: u64,
        outcomes: Vec<Outcome>,
        waiting: Vec<Need>,
        effects: &mut Vec<ServerEffect>,
    ) {
        self.appending = self.appending.saturating_sub(1);
        let mut exceptions = Vec::new();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let index = index as u32;
            let full = outcome.code == "waiting_full";
            if outcome.fate == Fate::Merged && !self.uploads_only {
                self.later.places.push((batch, index));
                continue;
            }
            if outcome.fate != Fate::Stored {
                exceptions.push(Exception {
                    index,
                    fate: outcome.fate,
                    code: outcome.code,
                    reason: outcome.reason,
                });
            }
            // What found no room to wait is not held: it has to come again.
            if let (Fate::Stored | Fate::Waiting, Some(hash), false) =
                (outcome.fate, outcome.hash, full)
            {
                self.uploaded.insert(hash, (batch, index));
            }
        }
        // Before the receipt: a device that has every receipt may leave, and would never hear that
        // it could have helped.
        for need in waiting {
            effects.push(ServerEffect::Send(need.into()));
        }
        effects.push(ServerEffect::Send(Stored { batch, exceptions }.into()));
        self.page_for_later(effects);
    }

    pub(super) fn fates(&mut self, mut fates: Vec<ChangeFate>, effects: &mut Vec<ServerEffect>) {
        if !self.is_open() {
            return;
        }
        if !self.uploads_only {
            let merged = fates.extract_if(.., |fate| fate.fate == Fate::Merged);
            self.later.fates.extend(merged);
            self.page_for_later(effects);
        }
        if fates.is_empty() {
            return;
        }
        for fate in &fates {
            if !matches!(fate.fate, Fate::Stored | Fate::Waiting | Fate::Merged) {
                self.uploaded.remove(&fate.hash);
            }
        }
        effects.push(ServerEffect::Send(Fates { merged: Vec::new(), fates }.into()));
    }

    /// Stops what goes down. What waits for a page is told at the next connection, which asks for it.
    pub(super) fn hold(&mut self, problem: Problem, effects: &mut Vec<ServerEffect>) {
        self.uploads_only = true;
        self.held = true;
        self.fetching = 0;
        self.page_loading = false;
        self.later = Merged::default();
        self.behind_page = Merged::default();
        effects.push(ServerEffect::Send(Problem { fatal: false, ..problem }.into()));
    }

    /// Whether there is a document that the device would take for what it is not: an older app mixes it
    /// with the one it has. It is held back, with everything behind it, until the app is updated.
    pub(super) fn is_beyond(
        &mut self,
        items: &[LoadedItem],
        effects: &mut Vec<ServerEffect>,
    ) -> bool {
        let beyond = !self.generations && items.iter().any(|item| item.generation.is_some());
        if beyond {
            self.hold(
                problem(
                    ProblemCode::MinimumVersion,
                    "a contact of this user has a document that this version of the app can't read; edits are \
                     still taken: update the app",
                ),
                effects,
            );
        }
        beyond
    }

    /// What is to be told behind a page needs one, even an empty one.
    fn page_for_later(&mut self, effects: &mut Vec<ServerEffect>) {
        if !self.later.is_empty() {
            self.greeted = false;
            self.pump(effects);
        }
    }

    pub(super) fn pump(&mut self, effects: &mut Vec<ServerEffect>) {
        if self.down_open
            && !self.uploads_only
            && !self.page_loading
            && self.unconfirmed.len() < PAGES_IN_FLIGHT_MAX
            && (self.published > self.sent || !self.greeted)
            && self.is_open()
        {
            self.page_loading = true;
            self.page_hint = self.published;
            self.behind_page.append(std::mem::take(&mut self.later));
            effects.push(ServerEffect::LoadPage { since: self.sent });
        }
    }

    /// Sends a page without what this connection uploaded itself; that these changes are in the
    /// page is how they are known to be merged.
    pub(super) fn page(&mut self, page: LoadedPage, effects: &mut Vec<ServerEffect>) {
        if self.is_beyond(&page.items, effects) {
            return;
        }
        self.page_loading = false;
        let mut merged = std::mem::take(&mut self.behind_page);
        let sealed = self.seals && page.seal.is_some();
        let items: Vec<PageItem> = page
            .items
            .into_iter()
            .filter_map(|item| self.strip(item, sealed, &mut merged.places))
            .collect();
        self.sent = self.sent.max(page.cursor);
        if !items.is_empty() || !merged.is_empty() || !self.greeted {
            self.greeted = self.later.is_empty();
            if !items.is_empty() {
                self.unconfirmed.push_back(self.sent);
            }
            // An empty page says nothing of contacts.
            let seal = page.seal.filter(|_| self.seals && !items.is_empty());
            effects.push(ServerEffect::Send(
                Page { cursor: self.sent, items, more: page.more, seal }.into(),
            ));
        }
        if page.more {
            self.behind_page = merged;
        } else if !merged.is_empty() {
            let Merged { places, fates } = merged;
            effects.push(ServerEffect::Send(Fates { merged: runs(places), fates }.into()));
        }
        if page.more {
            self.published = self.published.max(self.sent + 1);
        } else if self.published == self.page_hint {
            // Nothing up to the hint concerns this device any more; a later hint came if they differ.
            self.published = self.sent;
        }
        self.pump(effects);
    }

    fn strip(
        &mut self,
        item: LoadedItem,
        sealed: bool,
        merged: &mut Vec<(u64, u32)>,
    ) -> Option<PageItem> {
        let mut own = 0;
        let mut changes = Vec::with_capacity(item.changes.len());
        for (hash, bytes) in item.changes {
            match self.uploaded.remove(&hash) {
                Some(place) => {
                    merged.push(place);
                    own += 1;
                }
                None => changes.push(bytes),
            }
        }
        // What is left out was not known when the page was sealed, or it would not be here.
        let signed = (sealed && own > 0 && !item.signed.is_empty()).then_some(Tips(item.signed));
        let mut whole = PageItem {
            contact: item.contact,
            access: item.access,
            owner: item.owner,
            epoch: item.epoch,
            changes,
            snapshot: item.snapshot,
            row: item.row,
            heads: item.heads,
            signed,
            generation: item.generation,
        };
        if whole.snapshot.is_empty() || own > 0 {
            // Deltas only. The device follows the heads by itself: each merged change replaces its
            // dependencies among them.
            whole.snapshot = Vec::new();
            whole.row = String::new();
            whole.heads = Vec::new();
            if whole.changes.is_empty()
                && own > 0
                && whole.access != Access::Removed
                && whole.signed.is_none()
            {
                return None;
            }
        } else {
            whole.changes = Vec::new();
        }
        Some(whole)
    }
}
