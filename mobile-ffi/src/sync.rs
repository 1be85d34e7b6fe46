//! Exchanging with the server: once, in the time that a phone gives to work in the background, or for
//! as long as the app is in the foreground.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use roadbook_client_core as core;
use roadbook_client_core::sync::{Engine, SyncOptions};
use tokio_util::sync::CancellationToken;

use crate::book::{Book, Life, Roadbook, progress};
use crate::border::{guarded_task, runtime};
use crate::error::{Refusal, Result, RoadbookError};
use crate::value::moment;

/// What the exchange with the server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Phase {
    /// Not connected, and not trying.
    Offline,
    /// Opening a connection.
    Connecting,
    /// Connected, with work to do.
    Syncing,
    /// Connected, and nothing is left to do: edits and news travel as they come.
    Idle,
    /// Waiting before the next attempt.
    Waiting,
}

/// How much of a first sync, or of a repair, is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Progress {
    /// Contacts that are here.
    pub done: u64,
    /// Contacts that will be here.
    pub total: u64,
    /// Bytes of all documents before compression; 0 where it is not known.
    pub bytes_total: u64,
}

/// The exchange with the server: what is on its way, and the connection.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncState {
    /// What it is doing.
    pub phase: Phase,
    /// Whether `start_sync` was called and `stop_sync` was not.
    pub started: bool,
    /// Edits that the server has not acknowledged: they are on this device only.
    pub unsent: u64,
    /// Edits that are durable on the server and not yet in the managers' view.
    pub stored: u64,
    /// Contacts that are still to be fetched; 0 when the first sync is complete.
    pub missing: u64,
    /// The progress of the first sync, while contacts are missing.
    pub first_sync: Option<Progress>,
    /// When everything was last exchanged.
    pub last_sync: Option<SystemTime>,
    /// Why the last connection ended, for a person, if it ended with an error.
    pub trouble: Option<String>,
    /// What kind of refusal that was, if it was one. While connected, and for `MinimumVersion` until the
    /// next connection: why the server takes edits and sends no contacts.
    pub refusal: Option<Refusal>,
    /// When the next attempt is due.
    pub retry_at: Option<SystemTime>,
    /// Bytes received on this connection, as they came over the wire.
    pub bytes_down: u64,
    /// Bytes sent on this connection.
    pub bytes_up: u64,
}

impl SyncState {
    pub(crate) fn from_core(status: &core::Status, started: bool) -> SyncState {
        let connection = &status.connection;
        SyncState {
            phase: match connection.phase {
                core::Phase::Offline => Phase::Offline,
                core::Phase::Connecting => Phase::Connecting,
                core::Phase::Syncing => Phase::Syncing,
                core::Phase::Idle => Phase::Idle,
                core::Phase::Waiting => Phase::Waiting,
            },
            started,
            unsent: status.unsent,
            stored: status.stored_not_merged,
            missing: status.missing,
            first_sync: status.first_sync.map(progress),
            last_sync: status.last_sync_ms.map(moment),
            trouble: connection.error.clone(),
            refusal: connection.refused.as_deref().map(Refusal::from_code),
            retry_at: connection.retry_at.map(moment),
            bytes_down: connection.bytes_down,
            bytes_up: connection.bytes_up,
        }
    }
}

/// What one exchange brought.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncReport {
    /// Changes that the server acknowledged as durable.
    pub sent: u64,
    /// Contacts that came or changed.
    pub received: u64,
    /// Edits that are still not acknowledged.
    pub unsent: u64,
    /// Contacts that are still to be fetched.
    pub missing: u64,
    /// Edits that were refused during this exchange.
    pub quarantined: u64,
    /// Bytes sent.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
    /// How long it took.
    pub took: Duration,
    /// Why the server took edits and sent no contacts, where it did: `MinimumVersion` (update the app),
    /// `RateLimited` or `Unavailable` (later).
    pub held_back: Option<Refusal>,
    /// What the server says of that, for a person.
    pub held_back_reason: Option<String>,
}

/// The exchange that runs for as long as the app does.
#[derive(Default)]
pub(crate) struct SyncSlot {
    /// Between `start_sync` and `stop_sync`, suspended or not.
    wanted: AtomicBool,
    running: Mutex<Option<Running>>,
    /// Held by who starts, stops or replaces it.
    turn: tokio::sync::Mutex<()>,
}

struct Running {
    stop: CancellationToken,
    done: tokio::task::JoinHandle<()>,
}

impl SyncSlot {
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    fn take(&self) -> Option<Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[uniffi::export]
impl Roadbook {
    /// Starts the exchange with the server: edits and news travel as they come, and it reconnects by
    /// itself until `stop_sync`, across `suspend` and `resume`. Returns at once; observe the sync state
    /// to see how it goes. Starting twice is no error.
    ///
    /// It ends by itself where trying again can't help: the device was revoked, wiped or copied.
    pub fn start_sync(&self) -> Result<()> {
        self.call("start_sync", |replica| {
            // Refused at once, and not by an observer later.
            if !replica.status()?.enrolled && replica.wipe_status().is_none() {
                return Err(core::Error::NotEnrolled.into());
            }
            self.book.sync.wanted.store(true, Ordering::SeqCst);
            self.book.begin_sync();
            Ok(())
        })
    }

    /// Ends the exchange in good order: what is being sent is acknowledged or goes up next time. Takes
    /// two seconds at most.
    pub async fn stop_sync(&self) -> Result<()> {
        let book = Arc::clone(&self.book);
        book.sync.wanted.store(false, Ordering::SeqCst);
        if book.life() == Life::Suspended {
            return Ok(());
        }
        self.run("stop_sync", move |_| async move {
            let _turn = book.sync.turn.lock().await;
            book.end_sync().await;
            Ok(())
        })
        .await
    }

    /// Exchanges everything in both directions, and ends: for WorkManager, `BGTaskScheduler` and "sync
    /// now". On success every edit made before the call is durable on the server, or listed with the
    /// reason.
    ///
    /// Does what it can in the given time; `Offline` where that was not enough, what was exchanged until
    /// then stays. An exchange that `start_sync` runs is replaced for that time. Cancelling the call
    /// ends the exchange in good order.
    pub async fn sync_once(&self, deadline: Duration) -> Result<SyncReport> {
        let book = Arc::clone(&self.book);
        self.run("sync_once", move |cancel| async move {
            let turn = tokio::select! {
                turn = book.sync.turn.lock() => turn,
                () = cancel.cancelled() => return Err(RoadbookError::Cancelled),
                () = tokio::time::sleep(deadline) => {
                    return Err(RoadbookError::Offline {
                        reason: "another exchange took all of the time".into(),
                    });
                }
            };
            book.end_sync().await;
            let outcome = book.engine().sync_once_until(deadline, cancel.clone()).await;
            if book.sync.is_wanted() && book.life() == Life::Running {
                book.begin_sync();
            }
            drop(turn);
            if cancel.is_cancelled() {
                return Err(RoadbookError::Cancelled);
            }
            let report = outcome?;
            Ok(SyncReport {
                sent: report.sent,
                received: report.received,
                unsent: report.unsent,
                missing: report.missing,
                quarantined: report.quarantined,
                bytes_up: report.bytes_up,
                bytes_down: report.bytes_down,
                took: Duration::from_millis(report.took_ms),
                held_back: report.held_back_code.as_deref().map(Refusal::from_code),
                held_back_reason: report.held_back,
            })
        })
        .await
    }

    /// Tries at once instead of waiting for the next attempt: the network came back. Does nothing where
    /// no exchange is running.
    pub fn wake_sync(&self) -> Result<()> {
        self.call("wake_sync", |_| {
            self.book.engine().wake();
            Ok(())
        })
    }
}

impl Book {
    fn engine(&self) -> Engine {
        let options = SyncOptions::default();
        let app = match &self.app {
            Some(app) => format!("{app} {}", options.app),
            None => options.app.clone(),
        };
        Engine::new(self.replica.clone(), SyncOptions { app, ..options })
    }

    /// Starts the exchange, unless it runs.
    pub(crate) fn begin_sync(&self) {
        let mut running = self.sync.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|running| !running.done.is_finished()) {
            return;
        }
        let stop = self.lock_session().child_token();
        let engine = self.engine();
        let until = stop.clone();
        let work = guarded_task("start_sync", async move { Ok(engine.run(until).await?) });
        let done = self.tasks.track_future(async move {
            if let Err(error) = work.await {
                tracing::warn!(%error, "the exchange with the server ended for good");
            }
        });
        *running = Some(Running { stop, done: runtime().spawn(done) });
    }

    /// Ends it, and waits for its end.
    async fn end_sync(&self) {
        if let Some(Running { stop, done }) = self.sync.take() {
            stop.cancel();
            // A panic in it was reported where it happened.
            let _ = done.await;
        }
    }
}
