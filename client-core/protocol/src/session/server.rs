//! The server's end: the phases of a connection, and what each frame and event means in it.
//!
//! What goes down in pages is in `server_pages`, what wipes, purges and hands over in `server_rights`.

use std::collections::{HashMap, VecDeque};

use automerge::ChangeHash;

use super::server_events::{DeviceRecord, Opening, ServerEffect, ServerEvent, ServerOptions};
use super::server_frames::{
    outdated, problem, revoked, send_manifest, send_unknown, too_many_actors, too_old,
    unauthorized, whole_item,
};
use super::server_pages::Merged;
use super::{
    ACTORS_MAX, BATCHES_IN_FLIGHT_MAX, FETCHES_IN_FLIGHT_MAX, FIRST_FRAME_BYTES_MAX,
    HANDSHAKE_MS_MAX, HEADS_CONTACTS_MAX, HEADS_MAX, OFFERS_IN_FLIGHT_MAX,
};
use crate::ids::{Cursor, UnixMs};
use crate::wire::{
    CAPABILITY_CERTIFICATE, CAPABILITY_COPIES, CAPABILITY_DROPS, CAPABILITY_ERASURES,
    CAPABILITY_GENERATIONS, CAPABILITY_LISTS, CAPABILITY_OFFERS, CAPABILITY_PROPOSALS,
    CAPABILITY_SEALS, CAPABILITY_WIPE, Challenge, ContactHeads, Fetched, Frame, Hello, Offered,
    PROTOCOL, Problem, ProblemCode, Proof, Welcome, challenge_text, verify,
};

#[derive(Debug)]
pub(super) enum Phase {
    AwaitHello,
    LookingUp(Box<Hello>),
    AwaitProof(Box<Hello>, Box<DeviceRecord>),
    Opening(Box<Hello>, Box<DeviceRecord>, Box<Proof>),
    Enrolling,
    Open,
    /// Open, and the device's heads are still coming in.
    Repairing(Vec<ContactHeads>),
    /// A revoked device: nothing goes down but the order, nothing is taken but sealed edits.
    Wiping,
    Closed,
}

/// The server's end of a session. One per connection.
#[derive(Debug)]
pub struct ServerSession {
    pub(super) options: ServerOptions,
    pub(super) phase: Phase,
    /// Hashes that were offered in repair.
    heads: usize,
    pub(super) deadline: UnixMs,
    /// Changes uploaded on this connection and not merged yet: they are not echoed.
    pub(super) uploaded: HashMap<ChangeHash, (u64, u32)>,
    pub(super) appending: usize,
    offering: usize,
    pub(super) fetching: usize,
    pub(super) sealing: usize,
    last_batch: u64,
    last_offer: u64,
    /// Whether the device keeps evidence.
    pub(super) seals: bool,
    /// Whether the device purges what was erased.
    pub(super) purges: bool,
    /// Whether the device shows late edits to its user.
    pub(super) proposes: bool,
    /// Whether the device takes documents of later generations.
    pub(super) generations: bool,
    /// Whether the device keeps lists of the office.
    pub(super) keeps_lists: bool,
    /// Which of them it has, or is on its way to.
    pub(super) lists: Option<u64>,
    /// Whether it was told of them on this connection.
    pub(super) lists_told: bool,
    /// Everything up to it was sent.
    pub(super) sent: Cursor,
    pub(super) published: Cursor,
    pub(super) page_loading: bool,
    /// What was published when the page being loaded was asked for.
    pub(super) page_hint: Cursor,
    /// The cursors of the pages with content that the device has not confirmed.
    pub(super) unconfirmed: VecDeque<Cursor>,
    /// Pages flow only after the first list or the decision that none is needed.
    pub(super) down_open: bool,
    pub(super) greeted: bool,
    pub(super) uploads_only: bool,
    /// Whether that is for now only: what is asked for is not answered, so that a device which does
    /// not know this does not ask again and again.
    pub(super) held: bool,
    /// What waits for a page that is read from now on.
    pub(super) later: Merged,
    /// What goes out behind the page that is being read.
    pub(super) behind_page: Merged,
}

impl ServerSession {
    /// A session for one connection that was accepted at `now`.
    pub fn new(now: UnixMs, options: ServerOptions) -> Self {
        Self {
            options,
            phase: Phase::AwaitHello,
            heads: 0,
            deadline: now + HANDSHAKE_MS_MAX,
            uploaded: HashMap::new(),
            appending: 0,
            offering: 0,
            fetching: 0,
            sealing: 0,
            last_batch: 0,
            last_offer: 0,
            seals: false,
            purges: false,
            proposes: false,
            generations: false,
            keeps_lists: false,
            lists: None,
            lists_told: false,
            sent: 0,
            published: 0,
            page_loading: false,
            page_hint: 0,
            unconfirmed: VecDeque::new(),
            down_open: false,
            greeted: false,
            uploads_only: false,
            held: false,
            later: Merged::default(),
            behind_page: Merged::default(),
        }
    }

    /// Sets the oldest app version that gets customer data, once the device's workspace is known:
    /// before [`ServerEvent::Opened`].
    pub fn set_minimum_app(&mut self, oldest: Option<String>) {
        self.options.minimum_app = oldest;
    }

    /// Whether the handshake is done and the connection lives.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Repairing(_))
    }

    /// Whether customer data is held back for now.
    pub fn is_held(&self) -> bool {
        self.is_open() && self.held
    }

    /// Whether the driver should stop reading from the socket for now: as many batches are being
    /// appended as one connection may have.
    pub fn is_saturated(&self) -> bool {
        self.appending >= BATCHES_IN_FLIGHT_MAX
            || self.offering >= OFFERS_IN_FLIGHT_MAX
            || self.fetching >= FETCHES_IN_FLIGHT_MAX
            || self.sealing > 0
    }

    /// What the next message may inflate to, in bytes. Little, as long as nobody has said who he is.
    pub fn inflated_bytes_max(&self) -> usize {
        let most = self.options.limits.message_inflated_bytes_max;
        match self.phase {
            Phase::AwaitHello => most.min(FIRST_FRAME_BYTES_MAX),
            _ => most,
        }
    }

    /// Takes an event; returns what the driver has to do, in order. `now` is any clock in
    /// milliseconds that does not go back.
    pub fn handle(&mut self, now: UnixMs, event: ServerEvent) -> Vec<ServerEffect> {
        let mut effects = Vec::new();
        if matches!(self.phase, Phase::Closed) || (event.is_of_open_session() && !self.is_open()) {
            return effects;
        }
        match event {
            ServerEvent::Received(frame) => self.received(now, frame, &mut effects),
            ServerEvent::Device(record) => self.device(now, record, &mut effects),
            ServerEvent::Enrolled(Ok(enrolled)) => {
                effects.push(ServerEffect::Send((*enrolled).into()));
                self.close(1000, &mut effects);
            }
            ServerEvent::Enrolled(Err(problem)) => self.refuse(problem, &mut effects),
            ServerEvent::Opened(Ok(opening)) => self.opened(*opening, &mut effects),
            ServerEvent::Opened(Err(problem)) => self.refuse(problem, &mut effects),
            ServerEvent::Appended { batch, outcomes, waiting } => {
                self.appended(batch, outcomes, waiting, &mut effects);
            }
            ServerEvent::Fates(fates) => self.fates(fates, &mut effects),
            ServerEvent::Published(cursor) => {
                self.published = self.published.max(cursor);
                self.pump(&mut effects);
            }
            ServerEvent::PageLoaded(page) => self.page(page, &mut effects),
            ServerEvent::ManifestLoaded { cursor, contacts, bytes_total, unknown, known } => {
                if matches!(self.phase, Phase::Repairing(_)) {
                    self.phase = Phase::Open;
                    send_unknown(&unknown, &known, &mut effects);
                }
                send_manifest(cursor, &contacts, bytes_total, &mut effects);
                self.sent = cursor;
                self.down_open = true;
                self.pump(&mut effects);
            }
            ServerEvent::FetchLoaded { request, items, last, seal } => {
                if last {
                    self.fetching = self.fetching.saturating_sub(1);
                }
                if self.is_beyond(&items, &mut effects) {
                    return effects;
                }
                let items = items.into_iter().map(whole_item).collect();
                let seal = seal.filter(|_| self.seals);
                effects.push(ServerEffect::Send(Fetched { request, items, last, seal }.into()));
            }
            ServerEvent::Offered { offer, refused } => {
                self.offering = self.offering.saturating_sub(1);
                effects.push(ServerEffect::Send(Offered { offer, refused }.into()));
            }
            ServerEvent::DropsNoted(known) => effects.push(ServerEffect::Send(known.into())),
            ServerEvent::Proposals(parts) => self.proposals(parts, &mut effects),
            ServerEvent::Lists(parts) => self.lists(parts, &mut effects),
            ServerEvent::Decided(decided) => effects.push(ServerEffect::Send(decided.into())),
            ServerEvent::Directory(directory) => {
                if self.is_open() {
                    effects.push(ServerEffect::Send(directory.into()));
                }
            }
            ServerEvent::WipeOrder(order) => self.wipe_order(now, order, &mut effects),
            ServerEvent::SealedStored(stored) => self.sealed_stored(now, stored, &mut effects),
            ServerEvent::WipeNoted(wiped) => self.wipe_noted(wiped, &mut effects),
            ServerEvent::Erasures(erasures) => self.erasures(erasures, &mut effects),
            ServerEvent::Revoked => self.refuse(revoked(), &mut effects),
            ServerEvent::Hold(problem) => self.hold(problem, &mut effects),
            ServerEvent::Drain { retry_after_ms } => {
                let problem = Problem {
                    code: ProblemCode::Unavailable,
                    message: "the server is restarting; the app tries again by itself".into(),
                    retry_after_ms: Some(retry_after_ms),
                    fatal: true,
                    actors: Vec::new(),
                };
                effects.push(ServerEffect::Send(problem.into()));
                self.close(1012, &mut effects);
            }
            ServerEvent::Tick => {
                if now > self.deadline {
                    let message = match self.phase {
                        Phase::Wiping => "nothing came for 2 minutes; connect again",
                        _ => "the handshake took longer than 10 s; connect again",
                    };
                    self.refuse(problem(ProblemCode::Protocol, message), &mut effects);
                }
            }
        }
        effects
    }

    pub(super) fn close(&mut self, code: u16, effects: &mut Vec<ServerEffect>) {
        self.phase = Phase::Closed;
        self.uploaded = HashMap::new();
        effects.push(ServerEffect::Close { code });
    }

    pub(super) fn refuse(&mut self, problem: Problem, effects: &mut Vec<ServerEffect>) {
        effects.push(ServerEffect::Send(Problem { fatal: true, ..problem }.into()));
        self.close(1008, effects);
    }

    pub(super) fn protocol_error(&mut self, message: String, effects: &mut Vec<ServerEffect>) {
        self.refuse(problem(ProblemCode::Protocol, message), effects);
    }

    fn received(&mut self, now: UnixMs, frame: Frame, effects: &mut Vec<ServerEffect>) {
        if matches!(frame, Frame::Unknown(_)) {
            return;
        }
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        match (phase, frame) {
            (Phase::AwaitHello, Frame::Hello(mut hello)) => {
                if let Some(message) = too_old(hello.protocol) {
                    return self.protocol_error(message, effects);
                }
                effects.push(ServerEffect::Lookup {
                    workspace: hello.workspace,
                    device: hello.device,
                    certificate: std::mem::take(&mut hello.certificate),
                });
                self.phase = Phase::LookingUp(Box::new(hello));
            }
            (Phase::AwaitHello, Frame::Enrol(enrol)) => {
                if let Some(message) = too_old(enrol.protocol) {
                    return self.protocol_error(message, effects);
                }
                effects.push(ServerEffect::Enrol(Box::new(enrol)));
                self.phase = Phase::Enrolling;
            }
            (Phase::AwaitProof(..), Frame::Proof(proof)) if proof.actors.len() > ACTORS_MAX => {
                self.protocol_error(too_many_actors(proof.actors.len()), effects);
            }
            (Phase::AwaitProof(hello, record), Frame::Proof(proof)) => {
                let text = challenge_text(&hello.workspace, &hello.device, &self.options.nonce);
                if !verify(record.algorithm, &record.public_key, &text, &proof.signature) {
                    return self.refuse(unauthorized(), effects);
                }
                if record.revoked {
                    return self.wipe(now, effects);
                }
                effects.push(ServerEffect::Open {
                    workspace: hello.workspace,
                    device: hello.device,
                    actors: proof.actors.clone(),
                    timeline: proof.timeline,
                    cursor: proof.cursor,
                    app: hello.app.clone(),
                    platform: hello.platform.clone(),
                    certify: hello.capabilities.iter().any(|name| name == CAPABILITY_CERTIFICATE),
                });
                self.deadline = now + 2 * HANDSHAKE_MS_MAX;
                self.phase = Phase::Opening(hello, record, Box::new(proof));
            }
            (Phase::Repairing(mut heads), Frame::Heads(part)) => {
                self.heads += part.items.iter().map(|item| item.heads.len()).sum::<usize>();
                heads.extend(part.items);
                if heads.len() > HEADS_CONTACTS_MAX || self.heads > HEADS_MAX {
                    let message = format!(
                        "more than {HEADS_CONTACTS_MAX} contacts or {HEADS_MAX} heads were offered"
                    );
                    return self.protocol_error(message, effects);
                }
                if part.last {
                    effects.push(ServerEffect::LoadRepair(std::mem::take(&mut heads)));
                }
                self.phase = Phase::Repairing(heads);
            }
            (
                phase @ (Phase::Open | Phase::Repairing(_) | Phase::Wiping),
                Frame::Sealed(sealed),
            ) => {
                self.phase = phase;
                self.sealed(sealed, effects);
            }
            (phase @ (Phase::Open | Phase::Repairing(_) | Phase::Wiping), Frame::Wiped(wiped)) => {
                self.phase = phase;
                effects.push(ServerEffect::NoteWiped(wiped));
            }
            (phase @ (Phase::Open | Phase::Repairing(_)), frame) => {
                self.phase = phase;
                self.working(frame, effects);
            }
            (phase, frame) => {
                let message = format!("{} is out of place while {}", frame.name(), phase.name());
                self.protocol_error(message, effects);
            }
        }
    }

    fn working(&mut self, frame: Frame, effects: &mut Vec<ServerEffect>) {
        match frame {
            Frame::Changes(batch) => {
                if batch.changes.len() > self.options.limits.batch_changes_max {
                    let message = format!(
                        "a batch of {} changes; the limit is {}",
                        batch.changes.len(),
                        self.options.limits.batch_changes_max
                    );
                    return self.protocol_error(message, effects);
                }
                if batch.batch <= self.last_batch {
                    let message = format!("batch {} after batch {}", batch.batch, self.last_batch);
                    return self.protocol_error(message, effects);
                }
                self.last_batch = batch.batch;
                self.appending += 1;
                effects.push(ServerEffect::Append { batch: batch.batch, changes: batch.changes });
                effects.push(ServerEffect::Touch {
                    cursor: None,
                    unsent: batch.unsent,
                    missing: None,
                });
            }
            Frame::Fetch(fetch) => {
                if fetch.contacts.len() > self.options.limits.page_documents_max {
                    let message = format!(
                        "{} documents asked for at once; the limit is {}",
                        fetch.contacts.len(),
                        self.options.limits.page_documents_max
                    );
                    return self.protocol_error(message, effects);
                }
                if self.held {
                    return;
                }
                if self.uploads_only {
                    effects.push(ServerEffect::Send(
                        Fetched {
                            request: fetch.request,
                            items: Vec::new(),
                            last: true,
                            seal: None,
                        }
                        .into(),
                    ));
                    return;
                }
                self.fetching += 1;
                effects.push(ServerEffect::LoadFetch {
                    request: fetch.request,
                    contacts: fetch.contacts,
                });
            }
            Frame::Applied(applied) => {
                while self.unconfirmed.front().is_some_and(|page| *page <= applied.cursor) {
                    self.unconfirmed.pop_front();
                }
                effects.push(ServerEffect::Touch {
                    cursor: Some(applied.cursor),
                    unsent: applied.unsent,
                    missing: Some(applied.missing),
                });
                self.pump(effects);
            }
            Frame::Offer(offer) => {
                if offer.offer <= self.last_offer {
                    let message = format!("offer {} after offer {}", offer.offer, self.last_offer);
                    return self.protocol_error(message, effects);
                }
                let changes: usize = offer.items.iter().map(|item| item.changes.len()).sum();
                let limit = self.options.limits.batch_changes_max;
                if changes > limit || offer.items.len() > limit {
                    let message = format!(
                        "an offer of {changes} changes of {} contacts; the limit is {limit}",
                        offer.items.len()
                    );
                    return self.protocol_error(message, effects);
                }
                self.last_offer = offer.offer;
                self.offering += 1;
                effects.push(ServerEffect::Offer { offer: offer.offer, items: offer.items });
            }
            Frame::Purged(purged) => self.purged(purged, effects),
            Frame::Dropped(dropped) => self.dropped(dropped, effects),
            Frame::Decide(decide) => self.decide(decide, effects),
            Frame::Actors(actors) if actors.actors.len() > ACTORS_MAX => {
                self.protocol_error(too_many_actors(actors.actors.len()), effects);
            }
            Frame::Actors(actors) => effects.push(ServerEffect::RegisterActors(actors.actors)),
            Frame::Heads(_) => {}
            other => {
                let message = format!("{} is sent by servers only, or came twice", other.name());
                self.protocol_error(message, effects);
            }
        }
    }

    fn device(
        &mut self,
        now: UnixMs,
        record: Option<Box<DeviceRecord>>,
        effects: &mut Vec<ServerEffect>,
    ) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let Phase::LookingUp(hello) = phase else {
            self.phase = phase;
            return;
        };
        let Some(record) = record else { return self.refuse(unauthorized(), effects) };
        let obeys = hello.capabilities.iter().any(|name| name == CAPABILITY_WIPE);
        if record.revoked && !(record.wipe && obeys) {
            return self.refuse(revoked(), effects);
        }
        effects.push(ServerEffect::Send(
            Challenge {
                protocol: hello.protocol.min(PROTOCOL),
                nonce: self.options.nonce.to_vec(),
                algorithm: record.algorithm,
            }
            .into(),
        ));
        self.deadline = now + HANDSHAKE_MS_MAX;
        self.phase = Phase::AwaitProof(hello, record);
    }

    fn opened(&mut self, opening: Opening, effects: &mut Vec<ServerEffect>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let Phase::Opening(hello, record, proof) = phase else {
            self.phase = phase;
            return;
        };
        self.deadline = i64::MAX;
        self.seals = hello.capabilities.iter().any(|name| name == CAPABILITY_SEALS);
        self.purges = hello.capabilities.iter().any(|name| name == CAPABILITY_ERASURES);
        self.proposes = hello.capabilities.iter().any(|name| name == CAPABILITY_PROPOSALS);
        self.generations = hello.capabilities.iter().any(|name| name == CAPABILITY_GENERATIONS);
        self.keeps_lists = hello.capabilities.iter().any(|name| name == CAPABILITY_LISTS);
        self.lists = proof.lists;
        let minimum = self.options.minimum_app.clone();
        let oldest = minimum.as_deref().and_then(|minimum| outdated(&hello.app, minimum));
        self.held = opening.hold.is_some() && oldest.is_none();
        self.uploads_only = oldest.is_some() || self.held;
        let repair = opening.repair && !self.uploads_only;
        effects.push(ServerEffect::Send(
            Welcome {
                timeline: opening.timeline,
                cursor: opening.cursor,
                server_time: opening.server_time,
                user: record.user,
                login: record.login,
                user_name: record.user_name,
                role: record.role,
                repair,
                minimum_app: minimum.clone(),
                lease_until: opening.lease.as_ref().and_then(|lease| lease.until),
                batch_changes_max: self.options.limits.batch_changes_max as u32,
                workspace_name: record.workspace_name,
                lease: opening.lease,
                sealing: opening.sealing,
                certificate: opening.certificate,
                capabilities: [
                    CAPABILITY_OFFERS,
                    CAPABILITY_DROPS,
                    CAPABILITY_PROPOSALS,
                    CAPABILITY_COPIES,
                    CAPABILITY_LISTS,
                ]
                .map(str::to_owned)
                .into(),
            }
            .into(),
        ));
        // Before anything else: the device need not send what would be refused.
        if let Some(erasures) = opening.erasures.filter(|_| self.purges) {
            effects.push(ServerEffect::Send(erasures.into()));
        }
        if !opening.actors_taken.is_empty() {
            effects.push(ServerEffect::Send(
                Problem {
                    code: ProblemCode::ActorTaken,
                    message: "an actor of this replica belongs to another device: this replica \
                              is a copy, and goes on under a new actor"
                        .into(),
                    retry_after_ms: None,
                    fatal: false,
                    actors: opening.actors_taken,
                }
                .into(),
            ));
        }
        if !proof.pending.is_empty() && !repair {
            effects.push(ServerEffect::LoadFates(proof.pending));
        }
        effects.push(ServerEffect::Touch {
            cursor: Some(proof.cursor),
            unsent: proof.unsent,
            missing: None,
        });
        self.phase = if repair { Phase::Repairing(Vec::new()) } else { Phase::Open };
        self.published = opening.cursor;
        if let Some(oldest) = oldest {
            let message = format!(
                "{} is older than {oldest}, the oldest version that gets customer data here; \
                 edits are still taken: update the app",
                hello.app
            );
            effects.push(ServerEffect::Send(problem(ProblemCode::MinimumVersion, message).into()));
        } else if let Some(hold) = opening.hold {
            effects.push(ServerEffect::Send(Problem { fatal: false, ..hold }.into()));
        } else {
            effects.push(ServerEffect::LoadDirectory);
            if self.proposes {
                effects.push(ServerEffect::LoadProposals);
            }
            effects.extend(self.load_lists());
            if repair {
                // Pages follow the manifest that answers the device's heads.
            } else if proof.timeline.is_none() {
                effects.push(ServerEffect::LoadManifest);
            } else {
                self.sent = proof.cursor;
                self.down_open = true;
            }
        }
        self.pump(effects);
    }
}

impl Phase {
    fn name(&self) -> &'static str {
        match self {
            Phase::AwaitHello => "waiting for Hello or Enrol",
            Phase::LookingUp(_) => "looking the device up",
            Phase::AwaitProof(..) => "waiting for Proof",
            Phase::Opening(..) => "opening the session",
            Phase::Enrolling => "enrolling",
            Phase::Open => "open",
            Phase::Repairing(_) => "repairing",
            Phase::Wiping => "waiting for sealed edits",
            Phase::Closed => "closed",
        }
    }
}
