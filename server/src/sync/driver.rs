//! One connection: carries what happens into the session state machine, and its effects out.
//!
//! A single task per connection. It never waits inside: reading, writing, the engine's answers, the
//! mailbox and the timer are polled together, so a slow fsync does not stop reading and a peer that
//! does not read does not stop receipts from being recorded. What is bounded, and how:
//!
//! - unread input: by not reading (rate limits, four batches in flight, unsent output);
//! - unsent output: by not reading and by not taking mail;
//! - time: handshake, silence, and a peer that takes no data.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use ring::rand::{SecureRandom, SystemRandom};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId};
use roadbook_protocol::session::{Outcome, ServerEffect, ServerEvent, ServerOptions, ServerSession};
use roadbook_protocol::wire::{
    self, ChangeFate, Fate, Frame, PendingChanges, Problem, ProblemCode, UpChange, WireError,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::directory::Encoded;
use super::gate::{self, Gated};
use super::hub::{Hub, Mail, Seat};
use super::jobs::{self, FetchPart, Identity, Knock, internal};
use super::rate::Bucket;
use super::socket::Socket;
use super::enrol;
use crate::engine::{AppendRequest, Appended};
use crate::http::Peer;
use crate::store::devices::Seen;
use crate::store::{EngineError, Result};

/// While more than this waits to be sent, nothing is read and no mail is taken.
const OUTPUT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Messages of more than this are decoded off the reactor.
const DECODE_INLINE_BYTES_MAX: usize = 32 * 1024;
/// How long the closing handshake may take.
const CLOSING_MAX: Duration = Duration::from_secs(5);
/// How long batches that are being appended may take when the server shuts down.
const LAST_RECEIPTS_MAX: Duration = Duration::from_secs(5);
/// How often the session hears that time passes, while the handshake lasts.
const HANDSHAKE_TICK: Duration = Duration::from_secs(1);
/// How long a merged change waits for the page that tells it cheaply.
const MERGED_HOLD: Duration = Duration::from_secs(2);
/// Told merges that are remembered, so that the engine's event does not tell them again.
const TOLD_MAX: usize = 20_000;
/// How often a connected device that says nothing is noted as seen.
const NOTE_IDLE_EVERY: Duration = Duration::from_secs(120);
/// Pings at once, as a multiple of the pings per second.
const PING_BURST_SECONDS: f64 = 60.0;

/// What a job brought.
enum Done {
    Event(ServerEvent),
    Decoded(Result<Frame, WireError>),
    LookedUp { who: Identity, minimum_app: Option<String>, event: ServerEvent },
    Opened(Box<(Seat, Seen, ServerEvent)>),
    Gated { batch: u64, gated: Gated },
    Appended { refused: Vec<Option<Outcome>>, appended: Appended },
    Registered { taken: Vec<Actor>, new: bool },
    Directory(Encoded),
    Page(Option<roadbook_protocol::session::LoadedPage>),
    Fetched { request: u64, part: FetchPart },
    Failed(EngineError),
}

/// What goes to the engine in the order in which it came.
enum Lane {
    Actors(Vec<Actor>),
    Batch { batch: u64, changes: Vec<UpChange> },
}

/// What the loop woke up for.
enum Happening {
    Done(Done),
    Mail(Mail),
    Message(Message),
    Broken(Error),
    Gone,
    Written,
    Timer,
    Turn,
}

/// How far a connection is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// The server shuts down: nothing is read, receipts are waited for.
    Draining(Instant),
    /// The closing handshake is queued.
    Closing(Instant),
}

type Jobs = FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>;

/// One connection of a device.
pub(super) struct Driver<S> {
    hub: Hub,
    peer: Peer,
    socket: Socket<S>,
    session: ServerSession,
    who: Option<Identity>,
    seat: Option<Seat>,
    /// Whether the device has proved its key on this connection.
    opened: bool,
    /// When the device's freshness was noted last.
    noted: Instant,
    jobs: Jobs,
    lane: VecDeque<Lane>,
    lane_busy: bool,
    appending: usize,
    decoding: bool,
    /// Changes of this connection that are stored and not known to be merged.
    uploaded: HashMap<ChangeHash, ContactId>,
    /// Merges that a page has told; the engine's own word for them is dropped.
    told: HashSet<ChangeHash>,
    /// Merged changes of this connection that no page has told yet.
    held: VecDeque<(Instant, ChangeFate)>,
    /// What is still to be loaded of fetches, once there is room for it in the output.
    unfetched: VecDeque<(u64, Vec<ContactId>)>,
    /// The version of the directory that the device has.
    directory: u64,
    messages: Bucket,
    bytes: Bucket,
    pings: Bucket,
    paused_until: Option<Instant>,
    heard: Instant,
    pinged: bool,
    probe: u64,
    probes: Vec<oneshot::Sender<()>>,
    timer: Pin<Box<Sleep>>,
    turn: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    leaving: Leaving,
    /// The websocket can't be read any more; what is queued is still written.
    deaf: bool,
    broken: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Driver<S> {
    pub(super) fn new(hub: Hub, socket: Socket<S>, peer: Peer) -> Self {
        let now = Instant::now();
        let mut nonce = [0u8; 32];
        let random = SystemRandom::new().fill(&mut nonce);
        let options = hub.options();
        let session = ServerSession::new(
            hub.now_ms(),
            ServerOptions { limits: options.limits, nonce, minimum_app: None },
        );
        let drain = hub.drain().clone();
        Self {
            messages: Bucket::new(options.messages_per_second, options.messages_burst, now),
            bytes: Bucket::new(options.bytes_per_second, options.bytes_per_second * 2.0, now),
            pings: Bucket::new(
                options.pings_per_second,
                options.pings_per_second * PING_BURST_SECONDS,
                now,
            ),
            turn: Some(Box::pin(async move { drain.turn().await })),
            hub,
            peer,
            socket,
            session,
            who: None,
            seat: None,
            jobs: FuturesUnordered::new(),
            lane: VecDeque::new(),
            lane_busy: false,
            appending: 0,
            decoding: false,
            uploaded: HashMap::new(),
            told: HashSet::new(),
            held: VecDeque::new(),
            unfetched: VecDeque::new(),
            directory: 0,
            opened: false,
            noted: now,
            paused_until: None,
            heard: now,
            pinged: false,
            probe: 0,
            probes: Vec::new(),
            timer: Box::pin(tokio::time::sleep(HANDSHAKE_TICK)),
            leaving: Leaving::No,
            deaf: false,
            // A challenge that can be foreseen proves nothing.
            broken: random.is_err(),
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(mut self) {
        while !self.broken {
            self.arm();
            match self.next().await {
                Happening::Done(done) => self.done(done),
                Happening::Mail(mail) => self.mail(mail),
                Happening::Message(message) => self.message(message),
                Happening::Broken(error) => self.failed(&error),
                Happening::Gone => break,
                Happening::Written => {}
                Happening::Timer => self.time_passed(),
                Happening::Turn => {
                    self.leaving = Leaving::Draining(Instant::now() + LAST_RECEIPTS_MAX);
                }
            }
            self.resume_fetches();
            self.drain_if_done();
        }
        self.note(Seen::default());
        self.seat = None;
        self.socket.linger().await;
    }

    async fn next(&mut self) -> Happening {
        let closing = matches!(self.leaving, Leaving::Closing(_));
        let reading = self.may_read();
        let full = self.socket.queued_bytes() > OUTPUT_BYTES_MAX;
        poll_fn(|cx: &mut Context<'_>| {
            match self.socket.poll_write(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(Happening::Gone),
                Poll::Ready(Ok(())) if self.deaf => return Poll::Ready(Happening::Gone),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            // Room was made: what was held back may go on.
            if full && self.socket.queued_bytes() <= OUTPUT_BYTES_MAX {
                return Poll::Ready(Happening::Written);
            }
            if let Poll::Ready(Some(done)) = self.jobs.poll_next_unpin(cx) {
                return Poll::Ready(Happening::Done(done));
            }
            if let Some(seat) = self.seat.as_ref().filter(|_| !full)
                && let Some(mail) = seat.slot().take_mail(cx.waker())
            {
                return Poll::Ready(Happening::Mail(mail));
            }
            if reading {
                match self.socket.poll_message(cx) {
                    Poll::Ready(Some(Ok(message))) => return Poll::Ready(Happening::Message(message)),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Happening::Broken(error)),
                    Poll::Ready(None) => return Poll::Ready(Happening::Gone),
                    Poll::Pending => {}
                }
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Happening::Timer);
            }
            if !closing
                && let Some(turn) = &mut self.turn
                && turn.as_mut().poll(cx).is_ready()
            {
                self.turn = None;
                return Poll::Ready(Happening::Turn);
            }
            Poll::Pending
        })
        .await
    }

    /// Whether input is taken now. Where it is not, the peer's silence is not held against it.
    fn may_read(&mut self) -> bool {
        let may = match self.leaving {
            Leaving::Closing(_) => !self.deaf,
            Leaving::Draining(_) => false,
            Leaving::No => {
                self.paused_until.is_none()
                    && !self.decoding
                    && !self.session.is_saturated()
                    && self.socket.queued_bytes() <= OUTPUT_BYTES_MAX
            }
        };
        if !may {
            self.heard = Instant::now();
        }
        may
    }

    /// Sets the timer to the next moment at which something is due.
    fn arm(&mut self) {
        let options = self.hub.options();
        let mut due = match self.leaving {
            Leaving::Closing(until) | Leaving::Draining(until) => until,
            Leaving::No if !self.session.is_open() => Instant::now() + HANDSHAKE_TICK,
            Leaving::No if self.pinged => self.heard + options.dead_after,
            Leaving::No => self.heard + options.ping_after,
        };
        if let Some(until) = self.paused_until {
            due = due.min(until);
        }
        if let Some((since, _)) = self.held.front() {
            due = due.min(*since + MERGED_HOLD);
        }
        let due = tokio::time::Instant::from_std(due);
        let handshaking = !self.session.is_open() && self.leaving == Leaving::No;
        if handshaking && !self.timer.is_elapsed() {
            // The tick of the handshake is not pushed ahead by what happens meanwhile.
            return;
        }
        if due != self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
    }

    fn time_passed(&mut self) {
        let now = Instant::now();
        match self.leaving {
            Leaving::Closing(until) if now >= until => self.broken = true,
            Leaving::Closing(_) => {}
            Leaving::Draining(_) => {}
            Leaving::No if !self.session.is_open() => self.event(ServerEvent::Tick),
            Leaving::No => {
                let silent = now.saturating_duration_since(self.heard);
                if self.pinged && silent >= self.hub.options().dead_after {
                    metrics::counter!("roadbook_sync_dead_total").increment(1);
                    self.broken = true;
                } else if !self.pinged && silent >= self.hub.options().ping_after {
                    self.pinged = true;
                    self.socket.ping(b"");
                    if now.saturating_duration_since(self.noted) >= NOTE_IDLE_EVERY {
                        self.note(Seen::default());
                    }
                }
            }
        }
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
        }
        let mut fates = Vec::new();
        while self.held.front().is_some_and(|(since, _)| now >= *since + MERGED_HOLD) {
            if let Some((_, fate)) = self.held.pop_front() {
                self.uploaded.remove(&fate.hash);
                fates.push(fate);
            }
        }
        if !fates.is_empty() {
            self.event(ServerEvent::Fates(fates));
        }
    }

    fn message(&mut self, message: Message) {
        let now = Instant::now();
        self.heard = now;
        self.pinged = false;
        let size = message.len();
        metrics::counter!("roadbook_sync_received_bytes_total").increment(size as u64);
        if matches!(self.leaving, Leaving::Closing(_)) {
            return;
        }
        let cost = match &message {
            Message::Ping(_) | Message::Pong(_) => 0.0,
            _ => 1.0,
        };
        let wait = self.messages.take(cost, now).max(self.bytes.take(size as f64, now));
        if !wait.is_zero() {
            metrics::counter!("roadbook_sync_slowed_total").increment(1);
            self.paused_until = Some(now + wait);
        }
        match message {
            Message::Binary(bytes) => self.binary(bytes),
            Message::Ping(_) => {
                if !self.pings.take(1.0, now).is_zero() {
                    let message = "more pings than one a second: the connection ends; connect again";
                    let wait = Duration::from_secs(60);
                    self.refuse(problem(ProblemCode::RateLimited, message, Some(wait)), 1008);
                }
            }
            Message::Pong(payload) => {
                if payload.as_ref() == self.probe.to_be_bytes() {
                    for probe in self.probes.drain(..) {
                        // Who asked may have given up.
                        let _ = probe.send(());
                    }
                }
            }
            Message::Text(_) => {
                let message = "frames are binary messages; a text message came";
                self.refuse(problem(ProblemCode::Protocol, message, None), 1003);
            }
            // The library answers; what follows is the end of the stream.
            Message::Close(_) => {
                self.seat = None;
                self.leaving = Leaving::Closing(now + CLOSING_MAX);
            }
            Message::Frame(_) => {}
        }
    }

    fn binary(&mut self, bytes: Bytes) {
        let limits = self.hub.options().limits;
        if bytes.len() <= DECODE_INLINE_BYTES_MAX {
            self.decoded(wire::decode(&bytes, &limits));
            return;
        }
        self.decoding = true;
        let room = self.hub.processors();
        self.job(async move {
            jobs::on_blocking_pool(&room, move || Ok(Done::Decoded(wire::decode(&bytes, &limits)))).await
        });
    }

    fn decoded(&mut self, frame: Result<Frame, WireError>) {
        match frame {
            Ok(frame) => {
                metrics::counter!("roadbook_sync_frames_total", "direction" => "in", "frame" => frame.name())
                    .increment(1);
                self.event(ServerEvent::Received(frame));
            }
            Err(error) => {
                let code = match error {
                    WireError::TooLarge { .. } => 1009,
                    _ => 1007,
                };
                self.refuse(problem(ProblemCode::Protocol, &error.to_string(), None), code);
            }
        }
    }

    /// The websocket itself is at fault.
    fn failed(&mut self, error: &Error) {
        self.deaf = true;
        match error {
            Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                let message = format!("a message of {size} bytes; the limit is {max_size}");
                self.refuse(problem(ProblemCode::Protocol, &message, None), 1009);
            }
            Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_) => {
                let message = "the websocket protocol was broken";
                self.refuse(problem(ProblemCode::Protocol, message, None), 1002);
            }
            _ => self.broken = true,
        }
    }

    /// Tells a problem and ends the connection.
    fn refuse(&mut self, problem: Problem, code: u16) {
        if matches!(self.leaving, Leaving::Closing(_)) {
            return;
        }
        metrics::counter!("roadbook_sync_refused_total", "code" => format!("{:?}", problem.code)).increment(1);
        self.send(Problem { fatal: true, ..problem }.into());
        self.close(code);
    }

    fn close(&mut self, code: u16) {
        if matches!(self.leaving, Leaving::Closing(_)) {
            return;
        }
        self.socket.close(code, "");
        self.leaving = Leaving::Closing(Instant::now() + CLOSING_MAX);
        self.seat = None;
        self.probes.clear();
    }

    fn mail(&mut self, mail: Mail) {
        if mail.displaced {
            self.broken = true;
            return;
        }
        if mail.revoked {
            self.revoked();
            return;
        }
        if !mail.probes.is_empty() {
            self.probe += 1;
            self.probes.extend(mail.probes);
            let payload = self.probe.to_be_bytes();
            self.socket.ping(&payload);
        }
        if mail.directory > self.directory && self.session.is_open() {
            self.effect(ServerEffect::LoadDirectory);
        }
        self.met(mail.fates);
        if mail.fates_lost {
            self.ask_for_fates();
        }
        if mail.published > 0 {
            self.event(ServerEvent::Published(mail.published));
        }
    }

    /// No further byte of customer data: what is queued goes too.
    fn revoked(&mut self) {
        if self.socket.discard() {
            // A message was cut in the middle; nothing but the end can follow.
            self.close(1008);
        }
        self.event(ServerEvent::Revoked);
    }

    /// The engine says what became of changes. Merged ones of this connection are told by the page
    /// that has them, for a few bytes; they wait for it a moment.
    fn met(&mut self, fates: Vec<ChangeFate>) {
        let now = Instant::now();
        let mut tell = Vec::new();
        for fate in fates {
            if fate.fate != Fate::Merged {
                if !matches!(fate.fate, Fate::Stored | Fate::Waiting) {
                    self.uploaded.remove(&fate.hash);
                }
                tell.push(fate);
            } else if self.told.remove(&fate.hash) {
                // Said already.
            } else if self.uploaded.contains_key(&fate.hash) {
                self.held.push_back((now, fate));
            } else {
                tell.push(fate);
            }
        }
        if !tell.is_empty() {
            self.event(ServerEvent::Fates(tell));
        }
    }

    fn ask_for_fates(&mut self) {
        let Some(who) = self.who else { return };
        let mut pending: HashMap<ContactId, Vec<ChangeHash>> = HashMap::new();
        for (hash, contact) in &self.uploaded {
            pending.entry(*contact).or_default().push(*hash);
        }
        let pending = pending
            .into_iter()
            .map(|(contact, hashes)| PendingChanges { contact, hashes })
            .collect();
        let hub = self.hub.clone();
        self.job(async move { jobs::fates(hub, who, pending).await.map(Done::Event) });
    }

    fn page(&mut self, page: Option<roadbook_protocol::session::LoadedPage>) {
        let Some(page) = page else { return self.revoked() };
        for hash in jobs::hashes(&page) {
            if self.uploaded.remove(hash).is_some() {
                self.told.insert(*hash);
            }
        }
        if self.told.len() > TOLD_MAX {
            // Only told twice, then.
            self.told.clear();
        }
        let told = &mut self.told;
        self.held.retain(|(_, fate)| !told.remove(&fate.hash));
        self.event(ServerEvent::PageLoaded(page));
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Event(event) => self.event(event),
            Done::Decoded(frame) => {
                self.decoding = false;
                self.decoded(frame);
            }
            Done::LookedUp { who, minimum_app, event } => {
                self.who = Some(who);
                self.session.set_minimum_app(minimum_app);
                self.event(event);
            }
            Done::Opened(opened) => {
                let (seat, seen, event) = *opened;
                // A handshake that was given up meanwhile takes no place.
                if self.leaving == Leaving::No {
                    self.seat = Some(seat);
                    self.opened = true;
                    self.note(seen);
                    self.event(event);
                }
            }
            Done::Gated { batch, gated } => self.append(batch, gated),
            Done::Appended { refused, appended } => self.appended(refused, appended),
            Done::Directory(Encoded { version, message }) => {
                // Encoded once for all: it does not pass through the session.
                if self.session.is_open() && version > self.directory {
                    self.directory = version;
                    self.socket.send_encoded(message);
                }
            }
            Done::Registered { taken, new } => {
                self.lane_busy = false;
                if let Some(who) = self.who.filter(|_| new) {
                    self.hub.directory_changed(who.workspace);
                }
                if !taken.is_empty() {
                    let mut problem = problem(
                        ProblemCode::ActorTaken,
                        "an actor of this replica belongs to another device: this replica goes on under a new one",
                        None,
                    );
                    problem.actors = taken;
                    self.send(problem.into());
                }
                self.advance();
            }
            Done::Page(page) => self.page(page),
            Done::Fetched { request, part } => {
                let Some(items) = part.items else { return self.revoked() };
                let last = part.rest.is_empty();
                self.event(ServerEvent::FetchLoaded { request, items, last });
                if !last {
                    self.unfetched.push_back((request, part.rest));
                }
            }
            Done::Failed(EngineError::Busy { what }) => {
                tracing::warn!(what, "a device was sent away: the engine is busy");
                let wait = Some(self.hub.drain().retry_after());
                let message = "the server is busy; the app tries again by itself";
                self.refuse(problem(ProblemCode::Unavailable, message, wait), 1013);
            }
            Done::Failed(EngineError::Closed) => {
                let wait = Some(self.hub.drain().retry_after());
                let message = "the server is restarting; the app tries again by itself";
                self.refuse(problem(ProblemCode::Unavailable, message, wait), 1012);
            }
            Done::Failed(EngineError::Refused { code: "revoked", .. }) => self.revoked(),
            Done::Failed(error) => self.refuse(internal(&error), 1011),
        }
    }

    fn event(&mut self, event: ServerEvent) {
        for effect in self.session.handle(self.hub.now_ms(), event) {
            self.effect(effect);
        }
    }

    fn effect(&mut self, effect: ServerEffect) {
        let hub = self.hub.clone();
        match (effect, self.who) {
            (ServerEffect::Send(frame), _) => self.send(frame),
            (ServerEffect::Close { code }, _) => self.close(code),
            (ServerEffect::Lookup { workspace, device }, _) => self.job(async move {
                Ok(match jobs::lookup(hub, workspace, device).await? {
                    Some((record, minimum_app)) => Done::LookedUp {
                        who: Identity { workspace, device, user: record.user },
                        minimum_app,
                        event: ServerEvent::Device(Some(record)),
                    },
                    None => Done::Event(ServerEvent::Device(None)),
                })
            }),
            (ServerEffect::Enrol(frame), _) => {
                let ip = self.peer.client;
                self.job(async move {
                    Ok(Done::Event(ServerEvent::Enrolled(enrol::enrol(hub, ip, *frame).await)))
                });
            }
            (ServerEffect::Open { actors, timeline, cursor, app, platform, .. }, Some(who)) => {
                let seen = Seen {
                    app: Some(enrol::short(&app)),
                    platform: Some(enrol::short(&platform)),
                    ..Seen::default()
                };
                self.job(async move {
                    Ok(match jobs::open(hub, Knock { who, actors, timeline, cursor }).await {
                        Ok((seat, opening)) => {
                            Done::Opened(Box::new((seat, seen, ServerEvent::Opened(Ok(opening)))))
                        }
                        Err(problem) => Done::Event(ServerEvent::Opened(Err(problem))),
                    })
                });
            }
            (ServerEffect::Append { batch, changes }, Some(_)) => {
                metrics::counter!("roadbook_sync_batches_total").increment(1);
                metrics::counter!("roadbook_sync_changes_total").increment(changes.len() as u64);
                self.appending += 1;
                self.lane.push_back(Lane::Batch { batch, changes });
                self.advance();
            }
            (ServerEffect::RegisterActors(actors), Some(_)) => {
                self.lane.push_back(Lane::Actors(actors));
                self.advance();
            }
            (ServerEffect::LoadPage { since }, Some(who)) => {
                let own = self.uploaded.clone();
                self.job(async move { jobs::page(hub, who, since, own).await.map(Done::Page) });
            }
            (ServerEffect::LoadManifest, Some(who)) => {
                self.job(async move { jobs::manifest(hub, who).await.map(Done::Event) });
            }
            (ServerEffect::LoadRepair(heads), Some(who)) => {
                self.job(async move { jobs::repair(hub, who, heads).await.map(Done::Event) });
            }
            (ServerEffect::LoadFetch { request, contacts }, Some(who)) => self.job(async move {
                let part = jobs::fetch(hub, who, contacts).await?;
                Ok(Done::Fetched { request, part })
            }),
            (ServerEffect::LoadFates(pending), Some(who)) => {
                self.job(async move { jobs::fates(hub, who, pending).await.map(Done::Event) });
            }
            (ServerEffect::LoadDirectory, Some(who)) => {
                self.job(async move { hub.directory(who.workspace).await.map(Done::Directory) });
            }
            (ServerEffect::Touch { cursor, unsent, missing }, Some(_)) => {
                self.note(Seen { cursor, unsent: Some(unsent), missing, ..Seen::default() });
            }
            // The session asks for none of these before a device was looked up.
            (_, None) => debug_assert!(false, "an effect without a device"),
        }
    }

    fn send(&mut self, frame: Frame) {
        metrics::counter!("roadbook_sync_frames_total", "direction" => "out", "frame" => frame.name())
            .increment(1);
        let size = frame_size(&frame);
        self.socket.send(frame, size);
    }

    fn job(&mut self, job: impl Future<Output = Result<Done>> + Send + 'static) {
        self.jobs.push(Box::pin(async move { job.await.unwrap_or_else(Done::Failed) }));
    }

    fn note(&mut self, seen: Seen) {
        let Some(who) = self.who.filter(|_| self.opened) else { return };
        self.noted = Instant::now();
        let seen = Seen { last_seen: self.hub.engine().now_ms(), ..seen };
        self.hub.touches().note(who.workspace, who.device, seen);
    }

    /// Starts the next thing that has to reach the engine in order, if none is under way.
    fn advance(&mut self) {
        let Some(who) = self.who.filter(|_| !self.lane_busy) else { return };
        let Some(next) = self.lane.pop_front() else { return };
        self.lane_busy = true;
        let hub = self.hub.clone();
        match next {
            Lane::Actors(actors) => self.job(async move {
                let engine = hub.engine().clone();
                let register = move || jobs::register(&engine, who, actors);
                let registered = jobs::on_blocking_pool(&hub.reads(), register).await?;
                Ok(Done::Registered { taken: registered.taken, new: registered.new })
            }),
            Lane::Batch { batch, changes } => {
                let limits = hub.options().limits;
                self.job(async move {
                    let judge = move || Ok(gate::judge(changes, &limits));
                    let gated = jobs::on_blocking_pool(&hub.processors(), judge).await?;
                    Ok(Done::Gated { batch, gated })
                });
            }
        }
    }

    /// Hands a judged batch to the engine. Its receipt comes after the commit; the next batch goes on
    /// at once.
    fn append(&mut self, batch: u64, gated: Gated) {
        let Some(who) = self.who else { return };
        let Gated { admitted, refused } = gated;
        let request = AppendRequest {
            workspace: who.workspace,
            device: who.device,
            user: who.user,
            batch,
            changes: admitted,
        };
        let begun = Instant::now();
        let (reply, answer) = oneshot::channel();
        self.hub.engine().append(request, reply);
        self.job(async move {
            let appended = answer.await.unwrap_or(Err(EngineError::Closed))?;
            metrics::histogram!("roadbook_commit_seconds").record(begun.elapsed().as_secs_f64());
            Ok(Done::Appended { refused, appended })
        });
        self.lane_busy = false;
        self.advance();
    }

    fn appended(&mut self, refused: Vec<Option<Outcome>>, appended: Appended) {
        self.appending = self.appending.saturating_sub(1);
        for outcome in &appended.outcomes {
            metrics::counter!("roadbook_changes_total", "fate" => outcome.fate.as_str()).increment(1);
            if matches!(outcome.fate, Fate::Stored | Fate::Waiting) {
                self.uploaded.insert(outcome.hash, outcome.contact);
            }
        }
        let outcomes = gate::answer(refused, appended.outcomes, &appended.need);
        self.event(ServerEvent::Appended { batch: appended.batch, outcomes, waiting: appended.need });
    }

    /// Goes on with fetches whose parts had no room in the output.
    fn resume_fetches(&mut self) {
        while self.socket.queued_bytes() <= OUTPUT_BYTES_MAX
            && let Some((request, contacts)) = self.unfetched.pop_front()
        {
            self.effect(ServerEffect::LoadFetch { request, contacts });
        }
    }

    /// When the server shuts down, a connection leaves as soon as its receipts are out.
    fn drain_if_done(&mut self) {
        let Leaving::Draining(until) = self.leaving else { return };
        if self.appending == 0 || Instant::now() >= until {
            self.leaving = Leaving::No;
            let wait = self.hub.drain().retry_after();
            self.event(ServerEvent::Drain { retry_after_ms: wait.as_millis() as u64 });
            // A session that is over already has nothing to say.
            self.close(1012);
        }
    }
}

fn problem(code: ProblemCode, message: &str, retry_after: Option<Duration>) -> Problem {
    Problem {
        code,
        message: message.to_owned(),
        retry_after_ms: retry_after.map(|wait| wait.as_millis() as u64),
        fatal: false,
        actors: Vec::new(),
    }
}

/// About how many bytes a frame has before compression: decides where it is encoded.
fn frame_size(frame: &Frame) -> usize {
    let items = |items: &[wire::PageItem]| {
        items
            .iter()
            .map(|item| {
                let changes: usize = item.changes.iter().map(Vec::len).sum();
                64 + changes + item.snapshot.len() + item.row.len() + item.heads.len() * 32
            })
            .sum()
    };
    match frame {
        Frame::Page(page) => items(&page.items),
        Frame::Fetched(fetched) => items(&fetched.items),
        Frame::Manifest(manifest) => manifest.contacts.len() * 16,
        Frame::HeadsUnknown(unknown) => unknown.items.len() * 64,
        Frame::Fates(fates) => fates.fates.len() * 64 + fates.merged.len() * 16,
        Frame::Stored(stored) => stored.exceptions.len() * 128,
        Frame::Directory(directory) => directory.users.len() * 96 + directory.actors.len() * 40,
        _ => 256,
    }
}
