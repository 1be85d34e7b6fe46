//! One exchange, or reconnecting for as long as the app runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::backoff::Backoff;
use super::connect::connect;
use super::driver::{self, Ended, Until};
use super::tls::{Fingerprint, Trust};
use crate::error::{Error, Result};
use crate::replica::Replica;
use crate::state::Phase;
use crate::store::meta::{self, key};
use crate::wipe;

/// Sees every frame as it is before compression and encryption: the direction (`true` is up) and
/// the bytes. For tests that prove what was never sent.
pub type WireTap = Arc<dyn Fn(bool, &[u8]) + Send + Sync>;

/// How the engine connects. `Default` is what programs use.
#[derive(Clone)]
pub struct SyncOptions {
    /// App name and version, told to the server.
    pub app: String,
    /// Operating system and processor, told to the server.
    pub platform: String,
    /// Sees the plain frames.
    pub on_wire: Option<WireTap>,
    /// A ping goes out so often, so that a quiet connection is known to live.
    pub ping_every: Duration,
    /// A connection on which nothing came for so long is given up: the server, or the way to it, is
    /// gone without a word.
    pub dead_after: Duration,
    /// One exchange waits so long for the server to merge what it has stored, when nothing else is
    /// left to do. What becomes of it is told by a later exchange.
    pub merge_wait: Duration,
    /// Certificate authorities (DER) that are trusted in place of the system's, for platforms without
    /// any. A pinned key needs none.
    pub authorities: Option<Arc<Vec<Vec<u8>>>>,
}

impl SyncOptions {
    pub(crate) fn authorities(&self) -> Option<&[Vec<u8>]> {
        self.authorities.as_ref().map(|all| all.as_slice())
    }
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            app: concat!("roadbook/", env!("CARGO_PKG_VERSION")).to_owned(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            on_wire: None,
            ping_every: Duration::from_secs(20),
            dead_after: Duration::from_secs(50),
            merge_wait: Duration::from_secs(10),
            authorities: None,
        }
    }
}

impl std::fmt::Debug for SyncOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncOptions")
            .field("app", &self.app)
            .field("platform", &self.platform)
            .field("on_wire", &self.on_wire.is_some())
            .field("ping_every", &self.ping_every)
            .field("dead_after", &self.dead_after)
            .field("merge_wait", &self.merge_wait)
            .field("authorities", &self.authorities.as_ref().map(|all| all.len()))
            .finish()
    }
}

/// What one exchange brought.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SyncReport {
    /// Changes of which the server said for the first time that it has them, durably.
    pub sent: u64,
    /// Edits that came after their contact had changed hands: visits and the like are in, the others wait
    /// for a decision.
    pub late: u64,
    /// Contacts that came or changed.
    pub received: u64,
    /// Contacts that left this device: they are not this user's any more.
    pub left: u64,
    /// Edits that are still not acknowledged.
    pub unsent: u64,
    /// Contacts that are still to be fetched.
    pub missing: u64,
    /// Edits that were refused during this exchange.
    pub quarantined: u64,
    /// Bytes sent, compressed, before TLS.
    pub bytes_up: u64,
    /// Bytes received, compressed, before TLS.
    pub bytes_down: u64,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// Why the server took edits and sent no contacts, where it did: for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
    /// The stable short code of that, as in [`Error::Refused`]: `minimum_version`, `rate_limited`,
    /// `unavailable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back_code: Option<String>,
}

/// Keeps a replica and its server in step. Cheap to clone. One exchange runs at a time per replica.
#[derive(Clone, Debug)]
pub struct Engine {
    replica: Replica,
    options: SyncOptions,
}

impl Engine {
    /// An engine for a replica. It does nothing before it is run.
    pub fn new(replica: Replica, options: SyncOptions) -> Self {
        Self { replica, options }
    }

    /// Connects, exchanges everything in both directions, and disconnects: on return every edit made
    /// before the call is durable on the server or listed with the reason. Normally it is merged too;
    /// a server that can't merge now is not waited for longer than [`SyncOptions::merge_wait`].
    ///
    /// # Errors
    /// [`Error::NotEnrolled`], [`Error::Offline`] (also when `deadline` passes; what was exchanged
    /// until then stays), [`Error::Refused`], [`Error::Untrusted`].
    pub async fn sync_once(&self, deadline: Duration) -> Result<SyncReport> {
        self.sync_once_until(deadline, CancellationToken::new()).await
    }

    /// The same, until `cancel` is cancelled: the exchange then ends in good order, and what it
    /// brought so far is told.
    ///
    /// # Errors
    /// As [`Self::sync_once`]; [`Error::Offline`] where it was cancelled before it began.
    pub async fn sync_once_until(
        &self,
        deadline: Duration,
        cancel: CancellationToken,
    ) -> Result<SyncReport> {
        // The deadline ends the exchange too, and says so.
        let stop = cancel.child_token();
        let work = self.connection(Until::Idle, &stop);
        tokio::pin!(work);
        let ended = tokio::select! {
            ended = &mut work => ended,
            () = tokio::time::sleep(deadline) => {
                stop.cancel();
                let late = || Error::Offline { reason: format!("not complete after {deadline:?}") };
                match work.await {
                    Ok(ended) => Ok(Ended { error: ended.error.or_else(|| Some(late())), ..ended }),
                    Err(Error::Offline { .. }) => Err(late()),
                    Err(error) => Err(error),
                }
            }
        };
        self.offline(ended.as_ref().err());
        let ended = ended?;
        match ended.error {
            Some(error) if !ended.reached_idle => {
                self.offline(Some(&error));
                Err(error)
            }
            _ => Ok(ended.report),
        }
    }

    /// Stays connected: edits and news travel as they come. Reconnects with full jitter (from one
    /// second up to five minutes, never sooner than the server asks) until cancelled.
    ///
    /// # Errors
    /// Only what trying again can't heal: [`Error::NotEnrolled`], [`Error::Wiped`], [`Error::Address`], and
    /// [`Error::Refused`] where the device is not known, was revoked or is a copy. A certificate that is
    /// not trusted may be a portal's that answers for everyone, or is renewed: that is tried again.
    pub async fn run(&self, cancel: CancellationToken) -> Result<()> {
        let mut backoff = Backoff::default();
        while !cancel.is_cancelled() {
            let connection = self.connection(Until::Cancelled, &cancel).await;
            let error = match connection {
                Ok(ended) => {
                    if ended.opened {
                        backoff.reset();
                    }
                    ended.error
                }
                Err(error) => Some(error),
            };
            if cancel.is_cancelled() {
                break;
            }
            let error = error.unwrap_or(Error::Offline { reason: "the connection ended".into() });
            self.offline(Some(&error));
            let retry_after = match &error {
                Error::Refused { code, retry_after_ms, .. } if is_temporary(code) => {
                    *retry_after_ms
                }
                Error::Offline { .. }
                | Error::Untrusted { .. }
                | Error::Storage(_)
                | Error::Suspended => None,
                _ => return Err(error),
            };
            let wait = backoff.next(retry_after, self.replica.entropy());
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let retry_at = self.replica.now_ms().saturating_add(wait_ms);
            self.replica.set_connectivity(|state| {
                state.phase = Phase::Waiting;
                state.retry_at = Some(retry_at);
            });
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.replica.inner.nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.offline(None);
        Ok(())
    }

    /// Tries at once instead of waiting: the network came back, or the user asked for it.
    pub fn wake(&self) {
        self.replica.inner.nudge.notify_one();
        self.replica.inner.wake.notify_one();
    }

    /// One connection; and one more where the device was revoked while it lasted: it learns of the
    /// order to wipe at once. Or where the server does not know the device and was not shown its
    /// certificate: it may have been put back to a backup.
    async fn connection(&self, until: Until, cancel: &CancellationToken) -> Result<Ended> {
        let ended = self.one_connection(until, cancel).await?;
        match &ended.error {
            Some(Error::Refused { code, .. }) if code == "revoked" && ended.opened => {
                self.one_connection(until, cancel).await
            }
            Some(Error::Refused { code, .. })
                if code == "unauthorized"
                    && !self.replica.inner.unknown.swap(true, Ordering::SeqCst)
                    && self.is_certified().await? =>
            {
                self.one_connection(until, cancel).await
            }
            _ => Ok(ended),
        }
    }

    async fn is_certified(&self) -> Result<bool> {
        let replica = self.replica.clone();
        super::blocking(move || {
            replica.read(|conn| Ok(meta::get::<Vec<u8>>(conn, key::CERTIFICATE)?.is_some()))
        })
        .await
    }

    async fn one_connection(&self, until: Until, cancel: &CancellationToken) -> Result<Ended> {
        let replica = self.replica.clone();
        let (url, pin) = super::blocking(move || {
            if let Some(note) = replica.wipe_note() {
                return match note.confirmed {
                    true => Err(wipe::wiped(&note)),
                    false => Ok((note.server_url, note.pin)),
                };
            }
            replica.read(|conn| {
                replica.me(conn)?;
                let url = meta::get::<String>(conn, key::SERVER_URL)?.ok_or(Error::NotEnrolled)?;
                Ok((url, meta::get::<String>(conn, key::PIN)?))
            })
        })
        .await?;
        // Two connections with one device key would be taken for a copied replica.
        let _alone = tokio::select! {
            alone = self.replica.inner.exchange.lock() => alone,
            () = cancel.cancelled() => {
                return Err(Error::Offline {
                    reason: "stopped while another exchange was under way".into(),
                });
            }
        };
        let pin = pin.as_deref().map(Fingerprint::parse).transpose()?;
        let address = Address::parse(&url)?;
        self.replica.set_connectivity(|state| {
            state.phase = Phase::Connecting;
            state.retry_at = None;
        });
        let time = self.replica.time_for_dates();
        let trust = Trust { pin, authorities: self.options.authorities(), time };
        let (socket, doubt) = tokio::select! {
            opened = connect(&address, &trust) => opened?,
            () = cancel.cancelled() => {
                return Err(Error::Offline { reason: "stopped while connecting".into() });
            }
        };
        let stop = cancel.child_token();
        let pause = self.replica.inner.pause().clone();
        let work = driver::run(&self.replica, (socket, doubt), &self.options, until, &stop);
        tokio::pin!(work);
        tokio::select! {
            ended = &mut work => Ok(ended),
            () = pause.cancelled() => {
                stop.cancel();
                Ok(Ended { error: Some(Error::Suspended), ..work.await })
            }
        }
    }

    fn offline(&self, error: Option<&Error>) {
        let text = error.map(ToString::to_string);
        let code = match error {
            Some(Error::Refused { code, .. }) => Some(code.clone()),
            _ => None,
        };
        self.replica.set_connectivity(|state| {
            state.phase = Phase::Offline;
            state.retry_at = None;
            // That this program is too old does not change with the end of a connection.
            if error.is_none() && state.refused.as_deref() == Some("minimum_version") {
                return;
            }
            state.error = text;
            state.refused = code;
        });
    }
}

/// Whether trying again later may help.
fn is_temporary(code: &str) -> bool {
    !matches!(code, "unauthorized" | "revoked" | "copied")
}
