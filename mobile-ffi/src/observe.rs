//! Being told of changes.
//!
//! Each observer has a thread of its own: a slow one waits for itself only, and however much changes
//! meanwhile, it is told once. It gets the present state at once, then changes, at most one call in
//! 16 ms.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use roadbook_client_core::{Observer, Topic};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::book::{Book, Lease, LeaseState, Life, Roadbook, WipeState};
use crate::border::{guarded, outward, runtime};
use crate::edit::contact_id;
use crate::error::{Refusal, Result, RoadbookError};
use crate::list::{ContactPage, ListQuery, window};
use crate::model::Contact;
use crate::outbox::OutboxEntry;
use crate::sync::SyncState;

/// The shortest time between two calls of an observer of what is on the screen: a frame.
const FRAME: Duration = Duration::from_millis(16);
/// The most observers of one replica: each is a thread.
const OBSERVERS_MAX: usize = 64;
/// How often the lease is looked at, which ends without anything being written.
const LEASE_EVERY: Duration = Duration::from_secs(30);

/// When an observer looks.
pub(crate) struct When {
    /// When this changes,
    pub topic: Topic,
    /// and this often, for what changes with the time alone;
    pub every: Option<Duration>,
    /// with at least so much between two looks.
    pub pace: Duration,
}

impl When {
    fn changes(topic: Topic) -> When {
        When { topic, every: None, pace: FRAME }
    }

    /// For what the lease ends.
    pub(crate) fn readable(topic: Topic) -> When {
        When { every: Some(LEASE_EVERY), ..When::changes(topic) }
    }
}

/// Watches one window of a list. Implemented by the app; called from a background thread.
#[uniffi::export(with_foreign)]
pub trait ListObserver: Send + Sync {
    /// The window as it is now: at once, and whenever it changed.
    fn on_page(&self, page: ContactPage);
    /// The window can't be read, such as `LeaseEnded`. The observer goes on.
    fn on_error(&self, error: RoadbookError);
}

/// Watches one contact. Implemented by the app; called from a background thread.
#[uniffi::export(with_foreign)]
pub trait ContactObserver: Send + Sync {
    /// The contact as it is now: at once, and whenever it changed; none where it is not on this device
    /// (any more).
    fn on_contact(&self, contact: Option<Contact>);
    /// The contact can't be read, such as `LeaseEnded`. The observer goes on.
    fn on_error(&self, error: RoadbookError);
}

/// Watches the exchange with the server. Implemented by the app; called from a background thread.
#[uniffi::export(with_foreign)]
pub trait SyncObserver: Send + Sync {
    /// How it stands: at once, and whenever it changed.
    fn on_sync(&self, state: SyncState);
}

/// Watches where the edits of this device are. Implemented by the app; called from a background
/// thread.
#[uniffi::export(with_foreign)]
pub trait ReceiptObserver: Send + Sync {
    /// At once: all edits that are on their way or were refused. Then: those that are new, or whose
    /// receipt changed.
    fn on_receipts(&self, edits: Vec<OutboxEntry>);
}

/// Something that the user has to be told.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Alert {
    /// Half of the permission to work offline is over: connect some time.
    LeaseRenew {
        /// When it ends.
        until: SystemTime,
    },
    /// Reading is locked until the next contact with the server, or a code of the office.
    LeaseEnded {
        /// When it ended.
        until: SystemTime,
    },
    /// The office revoked this device, and it was wiped.
    Wiped {
        /// How far that is.
        wipe: WipeState,
    },
    /// This version of the app is too old, or will be soon: update it.
    MinimumVersion {
        /// What the server says, for a person.
        reason: String,
    },
    /// The server does not take this device any more: enrol it anew.
    DeviceRefused {
        /// Why: `Unauthorized`, `Revoked` or `Copied`.
        code: Refusal,
        /// What the server says, for a person.
        reason: String,
    },
}

/// Watches what the user has to be told. Implemented by the app; called from a background thread.
#[uniffi::export(with_foreign)]
pub trait AlertObserver: Send + Sync {
    /// All that there is to tell now: at once, and whenever that changed. Empty when all is well.
    fn on_alerts(&self, alerts: Vec<Alert>);
}

/// Keeps an observer going: it ends when this is cancelled, or thrown away. Keep it for as long as
/// the screen is shown.
#[derive(uniffi::Object)]
pub struct ObserverHandle {
    cancel: CancellationToken,
}

#[uniffi::export]
impl ObserverHandle {
    /// Ends the observer. A call that is under way is not waited for; no other one follows. Cancelling
    /// twice is no error.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Drop for ObserverHandle {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

#[uniffi::export]
impl Roadbook {
    /// Watches one window of a list. Scrolling on is another window: watch that, and cancel this.
    pub fn observe_list(
        &self,
        query: ListQuery,
        observer: Arc<dyn ListObserver>,
    ) -> Result<Arc<ObserverHandle>> {
        // A filter that can't be read is told at once.
        self.call("observe_list", |replica| match window(replica, &query) {
            Err(error @ RoadbookError::Invalid { .. }) => Err(error),
            _ => Ok(()),
        })?;
        let mut last = None;
        self.observe(When::readable(Topic::List), move |book| {
            let page = book.call("observe_list", |replica| window(replica, &query));
            tell(&mut last, page, |page| observer.on_page(page), |error| observer.on_error(error));
        })
    }

    /// Watches one contact.
    pub fn observe_contact(
        &self,
        contact_id: String,
        observer: Arc<dyn ContactObserver>,
    ) -> Result<Arc<ObserverHandle>> {
        let id = self::contact_id(&contact_id)?;
        let mut last = None;
        self.observe(When::readable(Topic::Contact(id)), move |book| {
            let contact = book.call("observe_contact", |replica| {
                match replica.contact(id).map(|contact| Contact::from_core(&contact)) {
                    Err(roadbook_client_core::Error::NotFound { .. }) => Ok(None),
                    contact => Ok(Some(contact?)),
                }
            });
            tell(
                &mut last,
                contact,
                |contact| observer.on_contact(contact),
                |error| observer.on_error(error),
            );
        })
    }

    /// Watches the exchange with the server.
    pub fn observe_sync(&self, observer: Arc<dyn SyncObserver>) -> Result<Arc<ObserverHandle>> {
        let mut last = None;
        self.observe(When::changes(Topic::Sync), move |book| {
            let state = book.call("observe_sync", |replica| {
                Ok(SyncState::from_core(&replica.status()?, book.sync.is_wanted()))
            });
            tell(&mut last, state, |state| observer.on_sync(state), |_| {});
        })
    }

    /// Watches where the edits of this device are.
    pub fn observe_receipts(
        &self,
        observer: Arc<dyn ReceiptObserver>,
    ) -> Result<Arc<ObserverHandle>> {
        let mut known: Option<(HashMap<String, OutboxEntry>, i64)> = None;
        self.observe(When::changes(Topic::Sync), move |book| {
            let after = known.as_ref().map(|(_, after)| *after);
            let looked = book.call("observe_receipts", |replica| Ok(replica.outbox_after(after)?));
            let Ok((entries, newest)) = looked else { return };
            let entries: Vec<_> = entries.into_iter().map(OutboxEntry::from_core).collect();
            let first = known.is_none();
            let mut before = known.take().map(|(before, _)| before).unwrap_or_default();
            let mut changed = Vec::new();
            let mut open = HashMap::new();
            for entry in entries {
                if before.remove(&entry.edit_id).as_ref() != Some(&entry) {
                    changed.push(entry.clone());
                }
                open.insert(entry.edit_id.clone(), entry);
            }
            // What is not open any more has come to its end; which one, the whole list says.
            if !before.is_empty() {
                let all = book.call("observe_receipts", |replica| Ok(replica.outbox(true)?));
                let all = all.unwrap_or_default().into_iter().map(OutboxEntry::from_core);
                changed.extend(all.filter(|entry| before.contains_key(&entry.edit_id)));
            }
            open.retain(|_, entry| !is_settled(entry));
            known = Some((open, newest));
            if first || !changed.is_empty() {
                outward("on_receipts", || observer.on_receipts(changed));
            }
        })
    }

    /// Watches what the user has to be told: the lease, a wipe, a version that is too old, a device that
    /// is not taken any more.
    pub fn observe_alerts(&self, observer: Arc<dyn AlertObserver>) -> Result<Arc<ObserverHandle>> {
        let mut last = None;
        self.observe(When::readable(Topic::Sync), move |book| {
            let alerts = book.call("observe_alerts", |replica| {
                let connection = replica.connectivity();
                Ok(alerts(
                    replica.lease().map(Lease::from_core),
                    replica.wipe_status().map(WipeState::from_core),
                    connection.refused.as_deref().map(Refusal::from_code),
                    connection.error.unwrap_or_default(),
                ))
            });
            tell(&mut last, alerts, |alerts| observer.on_alerts(alerts), |_| {});
        })
    }
}

fn alerts(
    lease: Option<Lease>,
    wipe: Option<WipeState>,
    refusal: Option<Refusal>,
    reason: String,
) -> Vec<Alert> {
    let mut alerts = Vec::new();
    match lease {
        Some(Lease { state: LeaseState::Renew, until, .. }) => {
            alerts.push(Alert::LeaseRenew { until });
        }
        Some(Lease { state: LeaseState::Ended, until, .. }) => {
            alerts.push(Alert::LeaseEnded { until });
        }
        _ => {}
    }
    alerts.extend(wipe.map(|wipe| Alert::Wiped { wipe }));
    match refusal {
        Some(Refusal::MinimumVersion) => alerts.push(Alert::MinimumVersion { reason }),
        Some(code @ (Refusal::Unauthorized | Refusal::Revoked | Refusal::Copied)) => {
            alerts.push(Alert::DeviceRefused { code, reason });
        }
        _ => {}
    }
    alerts
}

/// Whether nothing will happen to an edit any more.
fn is_settled(entry: &OutboxEntry) -> bool {
    use crate::outbox::Receipt;
    matches!(entry.receipt, Receipt::Merged | Receipt::Replaced | Receipt::Erased)
}

/// Tells the app what is new. What it was told already, it is not told again.
fn tell<T: PartialEq + Clone>(
    last: &mut Option<Result<T>>,
    now: Result<T>,
    on_value: impl FnOnce(T),
    on_error: impl FnOnce(RoadbookError),
) {
    // It is silent while suspended, and ends when closed.
    if matches!(now, Err(RoadbookError::Suspended | RoadbookError::Closed)) {
        return;
    }
    if last.as_ref() == Some(&now) {
        return;
    }
    *last = Some(now.clone());
    outward("observer", || match now {
        Ok(value) => on_value(value),
        Err(error) => on_error(error),
    });
}

impl Roadbook {
    /// Starts the thread of an observer: `look` reads and tells.
    pub(crate) fn observe(
        &self,
        When { topic, every, pace }: When,
        mut look: impl FnMut(&Book) + Send + 'static,
    ) -> Result<Arc<ObserverHandle>> {
        guarded("observe", || {
            self.book.call("observe", |_| Ok(()))?;
            let slot = Slot::take(&self.book)?;
            let cancel = CancellationToken::new();
            let handle = Arc::new(ObserverHandle { cancel: cancel.clone() });
            let mut life = self.book.life.subscribe();
            let mut observer = self.book.replica.observe(topic);
            let run = move || {
                let Slot(book) = &slot;
                while wait(&mut observer, &mut life, &cancel, every) {
                    let began = Instant::now();
                    look(book);
                    if let Some(rest) = pace.checked_sub(began.elapsed()) {
                        let rest = tokio::time::Instant::now() + rest;
                        runtime().block_on(async {
                            tokio::select! {
                                () = tokio::time::sleep_until(rest) => {}
                                () = cancel.cancelled() => {}
                            }
                        });
                    }
                }
            };
            std::thread::Builder::new().name("roadbook-observer".into()).spawn(run).map_err(
                |error| RoadbookError::Storage {
                    reason: format!("no thread can be started for the observer: {error}"),
                },
            )?;
            Ok(handle)
        })
    }
}

/// Waits until there may be something to tell; `false` at the end.
fn wait(
    observer: &mut Observer,
    life: &mut watch::Receiver<Life>,
    cancel: &CancellationToken,
    every: Option<Duration>,
) -> bool {
    runtime().block_on(async {
        let tick = async {
            match every {
                Some(every) => tokio::time::sleep(every).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => false,
            changed = life.changed() => changed.is_ok() && *life.borrow_and_update() != Life::Closed,
            notice = observer.next() => notice.is_some(),
            () = tick => true,
        }
    })
}

/// One of the observers that a replica may have; given back when its thread ends.
struct Slot(Arc<Book>);

impl Slot {
    fn take(book: &Arc<Book>) -> Result<Slot> {
        let free = |count: usize| (count < OBSERVERS_MAX).then_some(count + 1);
        match book.observers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, free) {
            Ok(_) => Ok(Slot(Arc::clone(book))),
            Err(_) => Err(RoadbookError::NotAllowed {
                reason: format!(
                    "{OBSERVERS_MAX} observers are running already: cancel those of screens that are not shown"
                ),
            }),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.observers.fetch_sub(1, Ordering::SeqCst);
    }
}
