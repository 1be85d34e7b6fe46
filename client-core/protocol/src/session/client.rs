//! The device's end.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::Batch;
use super::client_events::{
    ClientEffect, ClientEvent, CloseReason, LoadedOffer, OutboxChange, Standing,
};
use super::client_rights::{Copying, Drops, Proposing};
use super::{
    BATCH_BYTES_MAX, BATCHES_IN_FLIGHT_MAX, FETCHES_IN_FLIGHT_MAX, HANDSHAKE_MS_MAX,
    HEADS_PART_MAX, OFFERS_IN_FLIGHT_MAX,
};
use crate::ids::{ContactId, TimelineId, UnixMs};
use crate::limits::Limits;
use crate::wire::{
    Actors, Applied, CAPABILITY_DROPS, CAPABILITY_GENERATIONS, CAPABILITY_LISTS, CAPABILITY_OFFERS,
    CAPABILITY_PROPOSALS, CAPABILITY_SEALS, Changes, ContactHeads, Fetch, Frame, Heads, Hello,
    Offer, Offered, PROTOCOL, Problem, ProblemCode, Proof, UpChange, Welcome, challenge_text,
};

use crate::wire::{
    CAPABILITY_CERTIFICATE, CAPABILITY_COPIES, CAPABILITY_ERASURES, CAPABILITY_WIPE, Purged,
    SealedStored, WipeOrder,
};

mod receipts;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    AwaitChallenge,
    Signing,
    AwaitWelcome,
    Open,
    /// The device was revoked: it hands over what it has sealed.
    Wiping,
    Closed,
}

/// Bringing back what a restored server has lost (rule 3). Nothing else goes up meanwhile, since the
/// device's own changes may stand on others' that the server has yet to get back; and nothing is
/// fetched, since a contact that the server takes for another's would be dropped.
#[derive(Debug, Default)]
struct Repair {
    /// The server has not said yet what it lacks.
    comparing: bool,
    /// There may be more to offer.
    offering: bool,
    loading: bool,
    next_offer: u64,
    unanswered: BTreeMap<u64, Vec<ContactId>>,
}

impl Repair {
    fn is_over(&self) -> bool {
        !self.comparing && !self.offering && self.unanswered.is_empty()
    }
}

/// The device's end of a session. One per connection.
#[derive(Debug)]
pub struct ClientSession {
    limits: Limits,
    phase: Phase,
    deadline: UnixMs,
    standing: Option<Box<Standing>>,
    timeline: Option<TimelineId>,
    batch_changes_max: usize,
    batches: BTreeMap<u64, Batch>,
    next_batch: u64,
    outbox_after: i64,
    outbox_loading: bool,
    outbox_drained: bool,
    /// Something before `outbox_after` is to be sent again: start over after the present answer.
    outbox_restart: bool,
    repair: Repair,
    /// Whether the server takes offers.
    takes_offers: bool,
    fetches: BTreeMap<u64, BTreeSet<ContactId>>,
    /// Whether the server sends no customer data on this connection.
    held: bool,
    next_request: u64,
    missing: u32,
    missing_loading: bool,
    unanswered: usize,
    down_idle: bool,
    drops: Drops,
    proposing: Proposing,
    copying: Copying,
    /// The lists of the office have not come yet on this connection.
    lists_awaited: bool,
    /// Orders to purge that are being carried out.
    purging: usize,
}

impl ClientSession {
    /// A session for one connection, bounded by these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Idle,
            deadline: i64::MAX,
            standing: None,
            timeline: None,
            batch_changes_max: limits.batch_changes_max,
            batches: BTreeMap::new(),
            next_batch: 1,
            outbox_after: 0,
            outbox_loading: false,
            outbox_drained: false,
            outbox_restart: false,
            repair: Repair::default(),
            takes_offers: false,
            fetches: BTreeMap::new(),
            held: false,
            next_request: 1,
            missing: 0,
            missing_loading: false,
            unanswered: 0,
            down_idle: false,
            drops: Drops::default(),
            proposing: Proposing::default(),
            copying: Copying::default(),
            lists_awaited: false,
            purging: 0,
        }
    }

    /// Whether the handshake is done and the connection lives.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether both directions have nothing left to do: everything local is acknowledged and has
    /// met its fate (or waits at the server), and everything known at the server is durable here.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Open
            && self.repair.is_over()
            && self.outbox_drained
            && !self.outbox_loading
            && self.batches.values().all(Batch::is_quiet)
            && self.fetches.is_empty()
            && (self.missing == 0 || self.held)
            && self.unanswered == 0
            && self.down_idle
            && self.drops.is_over()
            && self.proposing.is_over()
            && self.copying.is_over()
            && !self.lists_awaited
            && self.purging == 0
    }

    /// Whether the server has said that it holds customer data back.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether all that is left to wait for is what becomes of changes which the server has stored:
    /// that may take as long as the server can't merge.
    pub fn is_delivered(&self) -> bool {
        self.phase == Phase::Open
            && self.outbox_drained
            && !self.outbox_loading
            && self.batches.values().all(|batch| batch.stored)
            && self.fetches.is_empty()
            && (self.missing == 0 || self.held)
            && self.unanswered == 0
            && self.down_idle
            && self.proposing.is_over()
            && self.copying.is_over()
            && !self.lists_awaited
            && self.purging == 0
    }

    /// Takes an event; returns what the driver has to do, in order. `now` is any clock in
    /// milliseconds that does not go back.
    pub fn handle(&mut self, now: UnixMs, event: ClientEvent) -> Vec<ClientEffect> {
        let mut effects = Vec::new();
        if self.phase == Phase::Closed {
            return effects;
        }
        match event {
            ClientEvent::Connected(standing) => self.connected(now, standing, &mut effects),
            ClientEvent::Received(frame) => self.received(now, frame, &mut effects),
            ClientEvent::Signed(signature) => self.signed(now, signature, &mut effects),
            ClientEvent::Outbox { changes, unsent } => self.outbox(changes, unsent, &mut effects),
            ClientEvent::Durable { cursor, unsent, missing } => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.missing = missing;
                effects.push(ClientEffect::Send(Applied { cursor, unsent, missing }.into()));
                self.drops.due = self.drops.taken;
                self.pump(&mut effects);
            }
            ClientEvent::Missing(contacts) => self.fetch(contacts, &mut effects),
            ClientEvent::Wanted { missing } => {
                self.missing = missing;
                self.pump(&mut effects);
            }
            ClientEvent::HeadsLoaded(items) => send_heads(items, &mut effects),
            ClientEvent::Offer(offer) => self.offer(offer, &mut effects),
            ClientEvent::Drops(dropped) => {
                self.drops.loading = false;
                if let Some(dropped) = dropped {
                    self.drops.unanswered = true;
                    effects.push(ClientEffect::Send(dropped.into()));
                }
                self.pump(&mut effects);
            }
            ClientEvent::Decision(decide) => {
                self.proposing.loading = false;
                if let Some(decide) = decide {
                    self.proposing.unanswered = true;
                    effects.push(ClientEffect::Send(decide.into()));
                }
                self.pump(&mut effects);
            }
            ClientEvent::Emptied => {
                self.drops.due = self.drops.taken;
                self.pump(&mut effects);
            }
            ClientEvent::Edited => {
                self.outbox_drained = false;
                self.proposing.due = self.proposing.taken;
                self.pump(&mut effects);
            }
            ClientEvent::Sealed(sealed) if self.phase == Phase::Wiping => {
                effects.push(ClientEffect::Send(sealed.into()));
            }
            ClientEvent::AllSealed(wiped) if self.phase == Phase::Wiping => {
                effects.push(ClientEffect::Send(wiped.into()));
            }
            ClientEvent::Sealed(_) | ClientEvent::AllSealed(_) => {}
            ClientEvent::Copy(copy) => {
                self.copying.loading = false;
                if let Some(sealed) = copy {
                    self.copying.unanswered = true;
                    effects.push(ClientEffect::Send(sealed.into()));
                }
                self.pump(&mut effects);
            }
            ClientEvent::Purged(contacts) => {
                self.purging = self.purging.saturating_sub(1);
                if !contacts.is_empty() && self.phase == Phase::Open {
                    effects.push(ClientEffect::Send(Purged { contacts }.into()));
                }
            }
            ClientEvent::NewActors(actors) => {
                if self.phase == Phase::Open {
                    effects.push(ClientEffect::Send(Actors { actors }.into()));
                } else if let Some(standing) = &mut self.standing {
                    standing.actors.extend(actors);
                }
            }
            ClientEvent::Tick => {
                if now > self.deadline {
                    self.close(CloseReason::TimedOut, &mut effects);
                }
            }
            ClientEvent::Stop => self.close(CloseReason::Stopped, &mut effects),
        }
        effects
    }

    fn close(&mut self, reason: CloseReason, effects: &mut Vec<ClientEffect>) {
        self.phase = Phase::Closed;
        effects.push(ClientEffect::Close(reason));
    }

    fn connected(&mut self, now: UnixMs, standing: Box<Standing>, effects: &mut Vec<ClientEffect>) {
        let mut capabilities = vec![
            CAPABILITY_SEALS.to_owned(),
            CAPABILITY_WIPE.to_owned(),
            CAPABILITY_ERASURES.to_owned(),
            CAPABILITY_PROPOSALS.to_owned(),
            CAPABILITY_GENERATIONS.to_owned(),
            CAPABILITY_LISTS.to_owned(),
        ];
        if !standing.certified {
            capabilities.push(CAPABILITY_CERTIFICATE.to_owned());
        }
        effects.push(ClientEffect::Send(
            Hello {
                protocol: PROTOCOL,
                workspace: standing.workspace,
                device: standing.device,
                app: standing.app.clone(),
                platform: standing.platform.clone(),
                capabilities,
                certificate: standing.certificate.clone().unwrap_or_default(),
            }
            .into(),
        ));
        self.missing = standing.missing;
        self.standing = Some(standing);
        self.phase = Phase::AwaitChallenge;
        self.deadline = now + HANDSHAKE_MS_MAX;
    }

    fn signed(&mut self, now: UnixMs, signature: Vec<u8>, effects: &mut Vec<ClientEffect>) {
        let (Phase::Signing, Some(standing)) = (self.phase, &self.standing) else { return };
        effects.push(ClientEffect::Send(
            Proof {
                signature,
                timeline: standing.timeline,
                cursor: standing.cursor,
                actors: standing.actors.clone(),
                pending: standing.pending.clone(),
                unsent: standing.unsent,
                incomplete: standing.missing > 0,
                lists: standing.lists,
            }
            .into(),
        ));
        self.phase = Phase::AwaitWelcome;
        self.deadline = now + HANDSHAKE_MS_MAX;
    }

    fn received(&mut self, now: UnixMs, frame: Frame, effects: &mut Vec<ClientEffect>) {
        match (self.phase, frame) {
            (_, Frame::Unknown(_)) => {}
            (_, Frame::Problem(problem)) => self.problem(problem, effects),
            (Phase::AwaitChallenge, Frame::Challenge(challenge)) => {
                let Some(standing) = &self.standing else { return };
                let text = challenge_text(&standing.workspace, &standing.device, &challenge.nonce);
                effects.push(ClientEffect::Sign { text, algorithm: challenge.algorithm });
                self.phase = Phase::Signing;
                self.deadline = now + HANDSHAKE_MS_MAX;
            }
            (Phase::AwaitWelcome, Frame::WipeOrder(order)) => self.wipe(Some(order), effects),
            // A server that was restored may have forgotten the order. The device has not.
            (Phase::AwaitWelcome, Frame::Welcome(_)) if self.is_wiped() => self.wipe(None, effects),
            (Phase::AwaitWelcome, Frame::Welcome(welcome)) => self.welcome(welcome, effects),
            (Phase::Wiping, Frame::SealedStored(SealedStored { confirmed: true, .. })) => {
                effects.push(ClientEffect::WipeConfirmed);
                self.close(CloseReason::Wiped, effects);
            }
            (Phase::Wiping, Frame::SealedStored(stored)) => {
                effects.push(ClientEffect::RecordSealed(stored));
            }
            // Nothing else is meant for a device that holds nothing.
            (Phase::Wiping, _) => {}
            (Phase::Open, Frame::Stored(stored)) => {
                self.stored(stored.batch, stored.exceptions, effects);
            }
            (Phase::Open, Frame::Fates(fates)) => {
                let mut met = fates.fates;
                for run in fates.merged {
                    self.merged_run(run.batch, run.from, run.to, &mut met);
                }
                self.record(met, effects);
            }
            (Phase::Open, Frame::Need(need)) => effects.push(ClientEffect::Supply(need)),
            (Phase::Open, Frame::Page(page)) => {
                self.down_idle = !page.more;
                self.apply(|timeline| ClientEffect::ApplyPage { timeline, page }, effects);
            }
            (Phase::Open, Frame::Manifest(manifest)) => {
                self.apply(|timeline| ClientEffect::StoreManifest { timeline, manifest }, effects)
            }
            (Phase::Open, Frame::Fetched(fetched)) => {
                if fetched.last {
                    self.fetches.remove(&fetched.request);
                }
                self.apply(|timeline| ClientEffect::ApplyFetched { timeline, fetched }, effects);
            }
            (Phase::Open, Frame::Directory(directory)) => {
                effects.push(ClientEffect::StoreDirectory(directory));
            }
            (Phase::Open, Frame::HeadsUnknown(unknown)) => {
                if !unknown.items.is_empty() {
                    // What is offered again lies before the present position.
                    self.restart_outbox();
                    self.repair.offering |= self.takes_offers;
                    let (unknown, known) = (unknown.items, unknown.known);
                    effects.push(ClientEffect::Reoffer { unknown, known });
                }
                self.repair.comparing &= !unknown.last;
                self.pump(effects);
            }
            (Phase::Open, Frame::DropsKnown(known)) => {
                self.drops.unanswered = false;
                // There may be more than one frame holds.
                self.drops.due = true;
                effects.push(ClientEffect::RecordDropsKnown(known));
                self.pump(effects);
            }
            (Phase::Open, Frame::Proposals(proposals)) => {
                self.proposing.awaited &= !proposals.last;
                effects.push(ClientEffect::StoreProposals(proposals));
            }
            (Phase::Open, Frame::Lists(lists)) => {
                self.lists_awaited &= !lists.last;
                if !lists.unchanged {
                    effects.push(ClientEffect::StoreLists(lists));
                }
            }
            (Phase::Open, Frame::Decided(decided)) => {
                self.proposing.unanswered = false;
                // There may be another one behind it.
                self.proposing.due = true;
                effects.push(ClientEffect::RecordDecided(decided));
                self.pump(effects);
            }
            (Phase::Open, Frame::SealedStored(stored)) if self.copying.unanswered => {
                self.copying.unanswered = false;
                self.copying.due = true;
                effects.push(ClientEffect::RecordCopied(stored));
                self.pump(effects);
            }
            (Phase::Open, Frame::Erasures(erasures)) => {
                self.purging += 1;
                effects.push(ClientEffect::Purge(erasures));
            }
            (Phase::Open, Frame::Offered(offered)) => self.offered(offered, effects),
            (phase, frame) => {
                let what = format!("{} came in the phase {phase:?}", frame.name());
                self.close(CloseReason::Protocol(what), effects);
            }
        }
    }

    fn apply(
        &mut self,
        effect: impl FnOnce(TimelineId) -> ClientEffect,
        effects: &mut Vec<ClientEffect>,
    ) {
        if let Some(timeline) = self.timeline {
            self.unanswered += 1;
            effects.push(effect(timeline));
        }
    }

    fn problem(&mut self, problem: Problem, effects: &mut Vec<ClientEffect>) {
        if problem.code == ProblemCode::ActorTaken {
            effects.push(ClientEffect::ReplaceActors(problem.actors.clone()));
        }
        if holds_back(&problem) {
            // No page will come: nothing more is to be expected from that direction.
            self.down_idle = true;
            self.held = true;
            self.fetches.clear();
            self.proposing.awaited = false;
            self.lists_awaited = false;
        }
        if problem.fatal {
            self.close(CloseReason::Problem(problem), effects);
        }
    }

    fn is_wiped(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.wiped)
    }

    fn wipe(&mut self, order: Option<WipeOrder>, effects: &mut Vec<ClientEffect>) {
        self.phase = Phase::Wiping;
        self.deadline = i64::MAX;
        effects.push(ClientEffect::Wipe(order));
    }

    fn welcome(&mut self, welcome: Welcome, effects: &mut Vec<ClientEffect>) {
        self.phase = Phase::Open;
        self.deadline = i64::MAX;
        self.timeline = Some(welcome.timeline);
        self.batch_changes_max =
            self.limits.batch_changes_max.min((welcome.batch_changes_max as usize).max(1));
        let (timeline, repair) = (welcome.timeline, welcome.repair);
        self.drops.taken = welcome.capabilities.iter().any(|name| name == CAPABILITY_DROPS);
        self.drops.due = self.drops.taken;
        self.takes_offers = welcome.capabilities.iter().any(|name| name == CAPABILITY_OFFERS);
        let proposes = welcome.capabilities.iter().any(|name| name == CAPABILITY_PROPOSALS);
        self.proposing = Proposing::begin(proposes);
        self.copying.due = self.standing.as_ref().is_some_and(|standing| standing.copies)
            && welcome.capabilities.iter().any(|name| name == CAPABILITY_COPIES);
        self.lists_awaited = welcome.capabilities.iter().any(|name| name == CAPABILITY_LISTS);
        self.repair.comparing = repair;
        self.repair.offering =
            self.takes_offers && self.standing.as_ref().is_some_and(|standing| standing.offers);
        effects.push(ClientEffect::Opened(welcome));
        if repair {
            effects.push(ClientEffect::VoidAcknowledgements { timeline });
            effects.push(ClientEffect::LoadHeads);
        }
        self.pump(effects);
    }

    /// Asks for the next piece of work in each direction that has room for it.
    fn pump(&mut self, effects: &mut Vec<ClientEffect>) {
        if self.phase != Phase::Open {
            return;
        }
        if self.repair.offering
            && !self.repair.comparing
            && !self.repair.loading
            && self.repair.unanswered.len() < OFFERS_IN_FLIGHT_MAX
        {
            self.repair.loading = true;
            effects.push(ClientEffect::LoadOffer);
        }
        if !self.repair.is_over() {
            return;
        }
        if let Some(timeline) = self.timeline
            && self.drops.due
            && !self.drops.loading
            && !self.drops.unanswered
        {
            (self.drops.due, self.drops.loading) = (false, true);
            effects.push(ClientEffect::LoadDrops { timeline });
        }
        let proposing = &mut self.proposing;
        if proposing.due && !proposing.loading && !proposing.unanswered {
            (proposing.due, proposing.loading) = (false, true);
            effects.push(ClientEffect::LoadDecision);
        }
        let copying = &mut self.copying;
        if copying.due && !copying.loading && !copying.unanswered {
            (copying.due, copying.loading) = (false, true);
            effects.push(ClientEffect::LoadCopy);
        }
        let in_flight = self.batches.values().filter(|batch| !batch.stored).count();
        if !self.outbox_loading && !self.outbox_drained && in_flight < BATCHES_IN_FLIGHT_MAX {
            self.outbox_loading = true;
            // Cleared by the answer, so that an edit made meanwhile sets it back.
            self.outbox_drained = true;
            effects.push(ClientEffect::LoadOutbox {
                after: self.outbox_after,
                changes_max: self.batch_changes_max,
                bytes_max: BATCH_BYTES_MAX,
            });
        }
        let fetching: usize = self.fetches.values().map(BTreeSet::len).sum();
        if !self.missing_loading
            && !self.held
            && self.fetches.len() < FETCHES_IN_FLIGHT_MAX
            && self.missing as usize > fetching
        {
            self.missing_loading = true;
            effects.push(ClientEffect::LoadMissing {
                max: self.limits.page_documents_max,
                in_flight: self.fetches.values().flatten().copied().collect(),
            });
        }
    }

    fn outbox(&mut self, changes: Vec<OutboxChange>, unsent: u32, effects: &mut Vec<ClientEffect>) {
        self.outbox_loading = false;
        let restart = std::mem::take(&mut self.outbox_restart);
        if let Some(last) = changes.last() {
            self.outbox_after = self.outbox_after.max(last.position);
            // There may be more behind these.
            self.outbox_drained = false;
            let batch = self.next_batch;
            self.next_batch += 1;
            let sent = changes.iter().map(|change| (change.contact, change.hash));
            self.batches.insert(batch, Batch::new(sent));
            let left = unsent.saturating_sub(changes.len() as u32);
            let changes = changes
                .into_iter()
                .map(|change| UpChange { contact: change.contact, bytes: change.bytes })
                .collect();
            effects.push(ClientEffect::Send(Changes { batch, changes, unsent: left }.into()));
        }
        if restart {
            self.outbox_after = 0;
            self.outbox_drained = false;
        }
        self.pump(effects);
    }

    /// Sends a part of what a restored server lacks; `None` ends it.
    fn offer(&mut self, offer: Option<LoadedOffer>, effects: &mut Vec<ClientEffect>) {
        self.repair.loading = false;
        match offer {
            None => self.repair.offering = false,
            Some(LoadedOffer { items, complete }) => {
                self.repair.next_offer += 1;
                let offer = self.repair.next_offer;
                self.repair.unanswered.insert(offer, complete);
                effects.push(ClientEffect::Send(Offer { offer, items }.into()));
            }
        }
        self.pump(effects);
    }

    fn offered(&mut self, offered: Offered, effects: &mut Vec<ClientEffect>) {
        let Some(complete) = self.repair.unanswered.remove(&offered.offer) else {
            let what = format!("an answer to the offer {}, which was not made", offered.offer);
            return self.close(CloseReason::Protocol(what), effects);
        };
        if !complete.is_empty() || !offered.refused.is_empty() {
            let refused = offered.refused;
            effects.push(ClientEffect::RecordOffered { complete, refused });
        }
        self.pump(effects);
    }

    fn restart_outbox(&mut self) {
        self.outbox_after = 0;
        self.outbox_drained = false;
        self.outbox_restart = self.outbox_loading;
    }

    fn fetch(&mut self, contacts: Vec<ContactId>, effects: &mut Vec<ClientEffect>) {
        self.missing_loading = false;
        if contacts.is_empty() {
            // Everything that is missing is on its way, or nothing is.
            self.missing = self.fetches.values().map(|set| set.len() as u32).sum();
            return;
        }
        let request = self.next_request;
        self.next_request += 1;
        self.fetches.insert(request, contacts.iter().copied().collect());
        effects.push(ClientEffect::Send(Fetch { request, contacts }.into()));
        self.pump(effects);
    }
}

fn send_heads(items: Vec<ContactHeads>, effects: &mut Vec<ClientEffect>) {
    let mut parts = items.chunks(HEADS_PART_MAX).peekable();
    if parts.peek().is_none() {
        effects.push(ClientEffect::Send(Heads { items: Vec::new(), last: true }.into()));
    }
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        effects.push(ClientEffect::Send(Heads { items: part.to_vec(), last }.into()));
    }
}

/// Whether the server takes uploads and sends no customer data, for now or until the app is newer.
pub fn holds_back(problem: &Problem) -> bool {
    let told = matches!(
        problem.code,
        ProblemCode::MinimumVersion | ProblemCode::RateLimited | ProblemCode::Unavailable
    );
    told && !problem.fatal
}
