//! One connection: carries the session's effects out over a websocket and a worker thread.
//!
//! Three things run at once: this loop, which owns the session; a writer task, so that a slow link
//! never keeps incoming frames waiting; and the worker thread with the replica. Nothing here decides
//! about data.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::{
    ClientEffect, ClientEvent, ClientSession, CloseReason, holds_back,
};
use roadbook_protocol::wire::{self, Frame};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::sync::CancellationToken;

use super::connect::Socket;
use super::dates::Doubt;
use super::engine::{SyncOptions, SyncReport};
use super::enrol::{code_name, refused};
use super::work::Worker;
use crate::error::{Error, Result};
use crate::replica::Replica;
use crate::state::Phase;

/// The session hears of time so often.
const TICK: Duration = Duration::from_secs(1);
/// While so many effects wait for the disk, the socket is not read: the server's own bounds then
/// stop it.
const JOBS_MAX: usize = 64;
/// How often at most a live connection notes that everything is exchanged.
const MARK_EVERY: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// When a connection is to end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// When both directions have nothing left to do.
    Idle,
    /// Only when it is cancelled, or breaks.
    Cancelled,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What it brought, also where it broke.
    pub report: SyncReport,
    /// Whether the handshake was done.
    pub opened: bool,
    /// Whether everything was exchanged at some moment.
    pub reached_idle: bool,
    /// Why it ended, unless it was asked to.
    pub error: Option<Error>,
}

/// What goes to the worker.
enum Job {
    Start,
    Effect(Box<ClientEffect>),
    MarkSynced,
}

/// What comes back from it.
enum Done {
    Events(Vec<ClientEvent>),
    Failed(Error),
}

struct Driver {
    replica: Replica,
    options: SyncOptions,
    session: ClientSession,
    /// Bytes that came, also those of a message that is not whole yet.
    came: Arc<AtomicU64>,
    started: Instant,
    limits: Limits,
    jobs: mpsc::UnboundedSender<Job>,
    jobs_open: usize,
    out: mpsc::UnboundedSender<Message>,
    bytes_up: u64,
    bytes_down: u64,
    opened: bool,
    reached_idle: bool,
    idle_now: bool,
    /// Since when only the server's merges are waited for.
    delivered: Option<Instant>,
    /// Whether something was exchanged since the last mark.
    unmarked: bool,
    marked: Option<Instant>,
    /// Why the server sends no contacts while the connection goes on: code, and for a person.
    notice: Option<(String, String)>,
    ended: Option<Option<Error>>,
}

/// Runs one connection until it ends. A doubt about the server's certificate is settled before
/// anything but the handshake is said.
pub(crate) async fn run(
    replica: &Replica,
    (socket, doubt): (Socket, Option<Doubt>),
    options: &SyncOptions,
    until: Until,
    cancel: &CancellationToken,
) -> Ended {
    let (jobs, inbox) = mpsc::unbounded_channel();
    let (results, done) = mpsc::unbounded_channel();
    let worker = start_worker((replica.clone(), doubt), options.clone(), inbox, results);
    let came = socket.get_ref().bytes();
    let (sink, stream) = socket.split();
    let (out, outbox) = mpsc::unbounded_channel();
    let writer = tokio::spawn(write_all(sink, outbox));
    let mut driver = Driver {
        replica: replica.clone(),
        options: options.clone(),
        session: ClientSession::new(Limits::DEFAULT),
        came,
        started: Instant::now(),
        limits: Limits::DEFAULT,
        jobs,
        jobs_open: 0,
        out,
        bytes_up: 0,
        bytes_down: 0,
        opened: false,
        reached_idle: false,
        idle_now: false,
        delivered: None,
        unmarked: true,
        marked: None,
        notice: None,
        ended: None,
    };
    driver.job(Job::Start);
    driver.serve(stream, done, writer, until, cancel).await;
    if driver.idle_now && driver.notice.is_none() {
        // Up to this moment nothing was missing on either side.
        driver.job(Job::MarkSynced);
    }
    let Driver {
        jobs,
        out,
        bytes_up,
        bytes_down,
        opened,
        reached_idle,
        ended,
        started,
        notice,
        ..
    } = driver;
    drop((jobs, out));
    let (mut report, mut error) = match worker.await {
        Ok(Ok(report)) => (report, ended.flatten()),
        Ok(Err(error)) => (SyncReport::default(), Some(ended.flatten().unwrap_or(error))),
        Err(panic) => {
            let reason = format!("the sync worker failed: {panic}");
            (SyncReport::default(), Some(Error::Damaged { what: "the replica".into(), reason }))
        }
    };
    report.bytes_up = bytes_up;
    report.bytes_down = bytes_down;
    (report.held_back_code, report.held_back) = notice.unzip();
    report.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if until == Until::Idle && !reached_idle && error.is_none() && !cancel.is_cancelled() {
        error = Some(Error::Offline { reason: "the connection ended early".into() });
    }
    Ended { report, opened, reached_idle, error }
}

impl Driver {
    async fn serve(
        &mut self,
        mut stream: SplitStream<Socket>,
        mut done: mpsc::UnboundedReceiver<Done>,
        mut writer: JoinHandle<()>,
        until: Until,
        cancel: &CancellationToken,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut counted = 0;
        let mut pinged = Instant::now();
        let mut stopping = false;
        while self.ended.is_none() {
            tokio::select! {
                result = done.recv(), if self.jobs_open > 0 => match result {
                    Some(Done::Events(events)) => {
                        self.jobs_open -= 1;
                        for event in events {
                            self.event(event);
                        }
                    }
                    Some(Done::Failed(error)) => self.end(Some(error)),
                    None => self.end(Some(Error::Offline { reason: "the sync worker ended".into() })),
                },
                message = stream.next(), if self.jobs_open < JOBS_MAX => {
                    heard = Instant::now();
                    self.message(message);
                }
                () = self.replica.inner.wake.notified() => self.event(ClientEvent::Edited),
                () = cancel.cancelled(), if !stopping => {
                    stopping = true;
                    self.event(ClientEvent::Stop);
                }
                _ = &mut writer => self.end(Some(broken("it can't be written to any more"))),
                _ = tick.tick() => {
                    self.event(ClientEvent::Tick);
                    let came = self.came.load(Ordering::Relaxed);
                    if std::mem::replace(&mut counted, came) != came {
                        heard = Instant::now();
                    }
                    if pinged.elapsed() >= self.options.ping_every {
                        pinged = Instant::now();
                        self.send(Message::Ping(Vec::new().into()));
                    }
                    if heard.elapsed() >= self.options.dead_after && self.jobs_open < JOBS_MAX {
                        self.end(Some(broken("the server has been silent for too long")));
                    }
                }
            }
            self.settle(until);
        }
        self.goodbye(writer).await;
    }

    /// Notes what kind of moment this is: idle, busy, or the end.
    fn settle(&mut self, until: Until) {
        let delivered = self.session.is_delivered() && self.jobs_open == 0;
        let since = if delivered { self.delivered.or_else(|| Some(Instant::now())) } else { None };
        self.delivered = since;
        let waited = since.is_some_and(|since| since.elapsed() >= self.options.merge_wait);
        // Where the server holds back what comes down, what it merged is not told either.
        let in_vain = waited || self.session.is_held();
        let idle = delivered && (self.session.is_idle() || (until == Until::Idle && in_vain));
        if self.ended.is_none() {
            self.idle_now = idle;
        }
        if self.session.is_open() {
            self.opened = true;
            let phase = if idle { Phase::Idle } else { Phase::Syncing };
            let (up, down) = (self.bytes_up, self.bytes_down);
            let notice = self.notice.clone();
            self.replica.set_connectivity(|state| {
                state.phase = phase;
                (state.refused, state.error) = notice.unzip();
                state.retry_at = None;
                state.bytes_up = up;
                state.bytes_down = down;
            });
        }
        if !idle || self.ended.is_some() {
            return;
        }
        self.reached_idle = true;
        let due = self.marked.is_none_or(|marked| marked.elapsed() >= MARK_EVERY);
        if self.unmarked && due && self.notice.is_none() {
            self.unmarked = false;
            self.marked = Some(Instant::now());
            self.job(Job::MarkSynced);
        } else if until == Until::Idle {
            // The mark is on disk: the exchange is complete.
            self.idle_now = false;
            self.event(ClientEvent::Stop);
        }
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn event(&mut self, event: ClientEvent) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.session.handle(self.now_ms(), event) {
                self.effect(effect);
            }
        }
    }

    fn effect(&mut self, effect: ClientEffect) {
        match effect {
            ClientEffect::Send(frame) => self.send_frame(&frame),
            ClientEffect::Close(reason) => self.end(match reason {
                CloseReason::Stopped => None,
                CloseReason::TimedOut => Some(broken("the server did not answer in time")),
                CloseReason::Protocol(what) => Some(broken(&what)),
                CloseReason::Problem(problem) => Some(refused(problem)),
                CloseReason::Wiped => {
                    Some(self.replica.not_wiped().err().unwrap_or(Error::NotEnrolled))
                }
            }),
            other => self.job(Job::Effect(Box::new(other))),
        }
    }

    fn job(&mut self, job: Job) {
        self.jobs_open += 1;
        self.unmarked |= matches!(job, Job::Effect(_));
        // A worker that is gone is noticed by its missing answer.
        let _ = self.jobs.send(job);
    }

    fn send_frame(&mut self, frame: &Frame) {
        let bytes = wire::encode(frame);
        self.tap(true, &bytes);
        self.bytes_up += bytes.len() as u64;
        self.send(Message::Binary(bytes.into()));
    }

    fn send(&mut self, message: Message) {
        // A writer that is gone ends the connection through its own branch.
        let _ = self.out.send(message);
    }

    fn tap(&self, up: bool, message: &[u8]) {
        if let Some(tap) = &self.options.on_wire
            && let Ok(plain) = wire::plain(message, &self.limits)
        {
            tap(up, &plain);
        }
    }

    fn message(&mut self, message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) {
        match message {
            None => self.end(Some(broken("the server closed it"))),
            Some(Err(error)) => self.end(Some(broken(&error.to_string()))),
            Some(Ok(Message::Binary(bytes))) => {
                self.bytes_down += bytes.len() as u64;
                self.tap(false, &bytes);
                match wire::decode(&bytes, &self.limits) {
                    Ok(frame) => {
                        if let Frame::Problem(problem) = &frame
                            && holds_back(problem)
                        {
                            let code = code_name(problem.code).to_owned();
                            self.notice = Some((code, problem.message.clone()));
                        }
                        self.event(ClientEvent::Received(frame));
                    }
                    Err(error) => {
                        self.end(Some(broken(&format!("a frame can't be read: {error}"))))
                    }
                }
            }
            Some(Ok(Message::Close(frame))) => self.end(Some(closed(frame.as_ref()))),
            Some(Ok(_)) => {}
        }
    }

    /// The first reason counts: what follows is its consequence.
    fn end(&mut self, error: Option<Error>) {
        if self.ended.is_none() {
            self.ended = Some(error);
        }
    }

    async fn goodbye(&mut self, writer: JoinHandle<()>) {
        let _ = self.out.send(Message::Close(None));
        let (closed, _) = mpsc::unbounded_channel();
        // Dropping the sender ends the writer after everything before is written.
        drop(std::mem::replace(&mut self.out, closed));
        if !writer.is_finished() {
            let _ = tokio::time::timeout(GOODBYE, writer).await;
        }
    }
}

fn broken(reason: &str) -> Error {
    Error::Offline { reason: format!("the connection broke: {reason}") }
}

fn closed(frame: Option<&CloseFrame>) -> Error {
    match frame {
        Some(frame) if u16::from(frame.code) == 1012 => Error::Refused {
            code: "unavailable".into(),
            message: "the server is restarting".into(),
            retry_after_ms: None,
        },
        Some(frame) if !frame.reason.is_empty() => {
            broken(&format!("the server closed it: {}", frame.reason))
        }
        _ => broken("the server closed it"),
    }
}

async fn write_all(
    mut sink: SplitSink<Socket, Message>,
    mut outbox: mpsc::UnboundedReceiver<Message>,
) {
    while let Some(message) = outbox.recv().await {
        let last = matches!(message, Message::Close(_));
        let mut sent = sink.feed(message).await;
        // Whatever else is waiting goes into the same packet.
        while let Ok(more) = outbox.try_recv() {
            if sent.is_err() {
                break;
            }
            sent = sink.feed(more).await;
        }
        if sent.is_err() || sink.flush().await.is_err() || last {
            return;
        }
    }
}

fn start_worker(
    (replica, doubt): (Replica, Option<Doubt>),
    options: SyncOptions,
    mut inbox: mpsc::UnboundedReceiver<Job>,
    results: mpsc::UnboundedSender<Done>,
) -> JoinHandle<Result<SyncReport>> {
    tokio::task::spawn_blocking(move || {
        let mut worker = Worker::new(replica).doubting(doubt);
        while let Some(job) = inbox.blocking_recv() {
            let events = match job {
                Job::Start => worker
                    .standing(&options)
                    .map(|standing| vec![ClientEvent::Connected(Box::new(standing))]),
                Job::Effect(effect) => worker.perform(*effect),
                Job::MarkSynced => worker.mark_synced().map(|()| Vec::new()),
            };
            let done = match events {
                Ok(events) => Done::Events(events),
                Err(error) => Done::Failed(error),
            };
            let failed = matches!(done, Done::Failed(_));
            // Where nobody listens any more, what is queued is still recorded.
            let _ = results.send(done);
            if failed {
                break;
            }
        }
        worker.finish()
    })
}
