//! One connection: carries what happens into the session state machine, and its effects out.
//!
//! A single task per connection. It never waits inside: reading, writing, the engine's answers, the
//! mailbox and the timer are polled together, so a slow fsync does not stop reading and a peer that
//! does not read does not stop receipts from being recorded. What is bounded, and how:
//!
//! - unread input: by not reading (rate limits, four batches in flight, unsent output);
//! - unsent output: by not reading and by not taking mail;
//! - time: handshake, silence, and a peer that takes no data.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use ring::rand::{SecureRandom, SystemRandom};
use roadbook_protocol::document::CustomField;
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::{
    LoadedPage, ServerEffect, ServerEvent, ServerOptions, ServerSession,
};
use roadbook_protocol::wire::{self, Frame, Problem, ProblemCode, WireError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::effects::{Done, Lane, ListsState, ProposalsState};
use super::hub::{Hub, Mail, Seat};
use super::jobs;
use super::offers::Offers;
use super::pace::Pace;
use super::receipts::Receipts;
use super::service::{self, Identity};
use super::socket::Socket;
use crate::engine::Held;
use crate::http::Peer;
use crate::store::devices::Seen;

/// While more than this waits to be sent, nothing is read and no mail is taken.
const OUTPUT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Messages of more than this are decoded off the reactor.
const DECODE_INLINE_BYTES_MAX: u64 = 32 * 1024;
/// Batches and lists of actors that wait for their turn; while there are more, nothing is read.
const LANE_MAX: usize = 8;
/// How long the closing handshake may take.
const CLOSING_MAX: Duration = Duration::from_secs(5);
/// How long batches that are being appended may take when the server shuts down.
const LAST_RECEIPTS_MAX: Duration = Duration::from_secs(5);
/// How often the session hears that time passes, while the handshake lasts.
const HANDSHAKE_TICK: Duration = Duration::from_secs(1);
/// A connection from which something is held back is looked at again after this time at the latest.
const HELD_MAX: Duration = Duration::from_secs(60 * 60);
/// How often a connected device that says nothing is noted as seen.
const NOTE_IDLE_EVERY: Duration = Duration::from_secs(120);

/// What the loop woke up for.
enum Happening {
    Done(Box<Done>),
    Mail(Mail),
    Message(Message),
    Broken(Error),
    Gone,
    Written,
    /// It sends faster than it may.
    Slowed,
    Timer,
    Turn,
}

/// How far a connection is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// The server shuts down: nothing is read, receipts are waited for.
    Draining(Instant),
    /// The closing handshake is queued.
    Closing(Instant),
}

type Jobs = FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>;

/// One connection of a device.
pub(super) struct Driver<S> {
    pub(super) hub: Hub,
    pub(super) peer: Peer,
    pub(super) socket: Socket<S>,
    pub(super) session: ServerSession,
    pub(super) who: Option<Identity>,
    pub(super) seat: Option<Seat>,
    /// Whether the device has proved its key on this connection.
    pub(super) opened: bool,
    /// When the device's freshness was noted last.
    noted: Instant,
    pub(super) jobs: Jobs,
    pub(super) lane: VecDeque<Lane>,
    pub(super) lane_busy: bool,
    pub(super) appending: usize,
    /// Changes of this connection that were refused and kept.
    pub(super) refused_kept: usize,
    pub(super) decoding: bool,
    pub(super) receipts: Receipts,
    /// What the device has begun to offer; away while an offer is dealt with.
    pub(super) offers: Option<Offers>,
    /// What is still to be loaded of fetches, once there is room for it in the output.
    pub(super) unfetched: VecDeque<(u64, Vec<ContactId>)>,
    /// The signature of the directory that the device has, and the custom fields that came with it.
    pub(super) directory: (Vec<u8>, Option<Vec<CustomField>>),
    pub(super) proposals: ProposalsState,
    pub(super) lists: ListsState,
    pace: Pace,
    heard: Instant,
    pinged: bool,
    /// When a peer that sends too fast was written to last, to find out whether it is still there.
    nudged: Instant,
    probe: u64,
    probes: Vec<oneshot::Sender<()>>,
    timer: Pin<Box<Sleep>>,
    turn: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pub(super) leaving: Leaving,
    /// Until when no customer data is sent.
    pub(super) held: Option<Instant>,
    /// The websocket can't be read any more; what is queued is still written.
    deaf: bool,
    broken: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Driver<S> {
    /// Boxed: the task of a connection holds it once, not once for each of its states.
    pub(super) fn new(hub: Hub, socket: Socket<S>, peer: Peer) -> Box<Self> {
        let now = Instant::now();
        let mut nonce = [0u8; 32];
        let random = SystemRandom::new().fill(&mut nonce);
        let options = hub.options();
        let session = ServerSession::new(
            hub.now_ms(),
            ServerOptions { limits: options.limits, nonce, minimum_app: None },
        );
        let drain = hub.drain().clone();
        Box::new(Self {
            pace: Pace::new(options, now),
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
            refused_kept: 0,
            decoding: false,
            receipts: Receipts::default(),
            offers: None,
            unfetched: VecDeque::new(),
            directory: (Vec::new(), None),
            proposals: ProposalsState::default(),
            lists: ListsState::default(),
            opened: false,
            noted: now,
            heard: now,
            pinged: false,
            nudged: now,
            probe: 0,
            probes: Vec::new(),
            timer: Box::pin(tokio::time::sleep(HANDSHAKE_TICK)),
            leaving: Leaving::No,
            held: None,
            deaf: false,
            // A challenge that can be foreseen proves nothing.
            broken: random.is_err(),
        })
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(mut self: Box<Self>) {
        while !self.broken {
            self.arm();
            match self.next().await {
                Happening::Done(done) => self.done(*done),
                Happening::Mail(mail) => self.mail(mail),
                Happening::Message(message) => self.message(message),
                Happening::Broken(error) => self.failed(&error),
                Happening::Gone => break,
                Happening::Written | Happening::Slowed => {}
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
        Box::pin(self.socket.linger()).await;
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
                return Poll::Ready(Happening::Done(Box::new(done)));
            }
            if let Some(seat) = self.seat.as_ref().filter(|_| !full)
                && let Some(mail) = seat.slot().take_mail(cx.waker())
            {
                return Poll::Ready(Happening::Mail(mail));
            }
            if reading {
                let polled = self.socket.poll_message(cx);
                let slowed = self.pace.bytes(self.socket.take_read_bytes(), Instant::now());
                match polled {
                    Poll::Ready(Some(Ok(message))) => {
                        return Poll::Ready(Happening::Message(message));
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Happening::Broken(error)),
                    Poll::Ready(None) => return Poll::Ready(Happening::Gone),
                    Poll::Pending if slowed => return Poll::Ready(Happening::Slowed),
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
                self.pace.paused_until().is_none()
                    && !self.decoding
                    && !self.session.is_saturated()
                    && self.lane.len() <= LANE_MAX
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
        let nudge = self.pace.paused_until().map(|_| self.nudged + options.ping_after);
        let held = self.held.filter(|_| self.leaving == Leaving::No);
        let others = [self.pace.paused_until(), nudge, self.receipts.due(), held];
        for other in others.into_iter().flatten() {
            due = due.min(other);
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
        let nudge_due = now >= self.nudged + self.hub.options().ping_after;
        if self.leaving == Leaving::No && self.pace.paused_until().is_some() && nudge_due {
            // Its end stands behind all that it sent and that is read slowly: that nobody is there
            // any more shows when something is sent there.
            self.nudged = now;
            self.socket.ping(b"");
        }
        self.pace.time_passed(now);
        if self.leaving == Leaving::No && self.held.is_some_and(|until| now >= until) {
            return self.release();
        }
        let fates = self.receipts.overdue(now);
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
        if !matches!(message, Message::Ping(_)) {
            self.pace.message(now);
        }
        match message {
            Message::Binary(bytes) => self.binary(bytes),
            Message::Ping(_) => {
                if !self.pace.ping(now) {
                    let message =
                        "more pings than one a second: the connection ends; connect again";
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
        let limits = Limits {
            message_inflated_bytes_max: self.session.inflated_bytes_max(),
            ..self.hub.options().limits
        };
        // Small on the wire may be large in memory.
        if wire::inflated_bytes(&bytes) <= DECODE_INLINE_BYTES_MAX {
            self.decoded(wire::decode_from_device(&bytes, &limits));
            return;
        }
        self.decoding = true;
        let room = self.hub.processors();
        self.job(async move {
            let decode = move || Ok(Done::Decoded(wire::decode_from_device(&bytes, &limits)));
            jobs::on_blocking_pool(&room, decode).await
        });
    }

    pub(super) fn decoded(&mut self, frame: Result<Frame, WireError>) {
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
    pub(super) fn refuse(&mut self, problem: Problem, code: u16) {
        if matches!(self.leaving, Leaving::Closing(_)) {
            return;
        }
        metrics::counter!("roadbook_sync_refused_total", "code" => format!("{:?}", problem.code))
            .increment(1);
        self.send(Problem { fatal: true, ..problem }.into());
        self.close(code);
    }

    pub(super) fn close(&mut self, code: u16) {
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
        if mail.released && self.session.is_held() {
            return self.release();
        }
        if mail.erasures && self.session.is_open() {
            self.effect(ServerEffect::LoadErasures);
        }
        if mail.proposals && self.session.wants_proposals() {
            self.effect(ServerEffect::LoadProposals);
        }
        if mail.lists
            && let Some(load) = self.session.load_lists()
        {
            self.effect(load);
        }
        if mail.directory && self.session.is_open() {
            self.effect(ServerEffect::LoadDirectory);
        }
        let tell = self.receipts.met(mail.fates, Instant::now());
        if !tell.is_empty() {
            self.event(ServerEvent::Fates(tell));
        }
        if mail.fates_lost {
            self.ask_for_fates();
        }
        if mail.published > 0 {
            self.event(ServerEvent::Published(mail.published));
        }
    }

    /// Sends no customer data any more until it may be asked for again: the device hears why and until
    /// when, goes on uploading, and is led to a new connection then.
    pub(super) fn hold(&mut self, held: &Held) {
        if self.held.is_some() {
            return;
        }
        let wait = match held.until {
            Some(until) => Duration::from_millis(
                until.saturating_sub(self.hub.engine().now_ms()).max(1_000).unsigned_abs(),
            ),
            None => HELD_MAX,
        };
        self.held = Some(Instant::now() + wait.min(HELD_MAX));
        self.unfetched.clear();
        let problem = problem(ProblemCode::RateLimited, &held.to_string(), Some(wait));
        self.event(ServerEvent::Hold(problem));
    }

    /// What was held back may come: by a new connection, which begins where the device is.
    pub(super) fn release(&mut self) {
        self.held = None;
        let message = "what was held back may come now; the app connects again by itself";
        let wait = Some(self.hub.drain().retry_after());
        self.refuse(problem(ProblemCode::Unavailable, message, wait), 1012);
    }

    /// No further byte of customer data: what is queued goes too.
    pub(super) fn revoked(&mut self) {
        if self.socket.discard() {
            // A message was cut in the middle; nothing but the end can follow.
            self.close(1008);
        }
        self.event(ServerEvent::Revoked);
    }

    fn ask_for_fates(&mut self) {
        self.effect(ServerEffect::LoadFates(self.receipts.pending()));
    }

    pub(super) fn page(&mut self, page: Option<LoadedPage>) {
        let Some(page) = page else { return self.revoked() };
        self.receipts.paged(service::hashes(&page));
        self.event(ServerEvent::PageLoaded(page));
    }

    pub(super) fn event(&mut self, event: ServerEvent) {
        for effect in self.session.handle(self.hub.now_ms(), event) {
            self.effect(effect);
        }
    }

    pub(super) fn send(&mut self, frame: Frame) {
        metrics::counter!("roadbook_sync_frames_total", "direction" => "out", "frame" => frame.name())
            .increment(1);
        let size = frame_size(&frame);
        self.socket.send(frame, size);
    }

    pub(super) fn note(&mut self, seen: Seen) {
        let Some(who) = self.who.filter(|_| self.opened) else { return };
        self.noted = Instant::now();
        let seen = Seen { last_seen: self.hub.engine().now_ms(), ..seen };
        self.hub.touches().note(who.workspace, who.device, seen);
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

pub(super) fn problem(code: ProblemCode, message: &str, retry_after: Option<Duration>) -> Problem {
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
        Frame::Proposals(part) => {
            let items = part.sets.iter().flat_map(|set| &set.items);
            items.map(|item| 128 + item.base.len() + item.proposed.len()).sum()
        }
        Frame::Lists(part) => {
            part.lists.iter().map(|list| 256 + list.name.len() + list.contacts.len() * 16).sum()
        }
        Frame::Directory(directory) => {
            let fields = directory.custom_fields.iter().flatten();
            let texts = fields.map(|field| {
                let choices = field.choices.iter().map(|choice| 8 + choice.len()).sum::<usize>();
                128 + field.name.len() + choices
            });
            directory.users.len() * 96 + directory.actors.len() * 40 + texts.sum::<usize>()
        }
        _ => 256,
    }
}
