//! The live connections of this process, and who has to be poked when something is published.
//!
//! Everything in a mailbox is a hint or a summary: a connection that missed one finds out by its
//! next page, so mailboxes coalesce and stay small.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Instant;

use futures_util::task::AtomicWaker;
use roadbook_protocol::ids::{Cursor, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::wire::{ChangeFate, Problem, ProblemCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::SyncOptions;
use super::offers::OfferRoom;
use super::rate::Buckets;
use super::touch::Touches;
use crate::engine::Engine;
use crate::http::Drain;

/// Fates that wait for one connection. A device that lets more pile up reconnects and asks.
const MAIL_FATES_MAX: usize = 4096;
/// Addresses whose refused enrolments are remembered.
const REFUSAL_PEERS_MAX: usize = 10_000;

/// All live connections of devices. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    options: SyncOptions,
    drain: Drain,
    started: Instant,
    seats: AtomicU64,
    live: Mutex<Live>,
    sockets: Arc<Semaphore>,
    /// Work that needs a processor: gate 1, decoding and encoding of large frames.
    processors: Arc<Semaphore>,
    /// Reads of the store on behalf of devices.
    reads: Arc<Semaphore>,
    /// Memory for what devices bring back to a restored server.
    offers: OfferRoom,
    refusals: Mutex<Buckets<IpAddr>>,
    touches: Touches,
}

#[derive(Default)]
struct Live {
    devices: HashMap<(WorkspaceId, DeviceId), Arc<Slot>>,
    users: HashMap<(WorkspaceId, UserId), Vec<Arc<Slot>>>,
}

/// The mailbox of one live connection.
pub(super) struct Slot {
    id: u64,
    workspace: WorkspaceId,
    device: DeviceId,
    user: UserId,
    mail: Mutex<Mail>,
    waker: AtomicWaker,
}

/// What happened elsewhere that a connection has to know.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// The highest cursor that was published for its user.
    pub(super) published: Cursor,
    /// What became of its changes.
    pub(super) fates: Vec<ChangeFate>,
    /// More fates came than are kept: the device has to ask for them.
    pub(super) fates_lost: bool,
    /// The directory may have changed.
    pub(super) directory: bool,
    /// Contacts were erased that the device may hold.
    pub(super) erasures: bool,
    /// Other late edits wait for its user than before.
    pub(super) proposals: bool,
    /// Its user may have other lists than before, or other contacts in them.
    pub(super) lists: bool,
    /// The device was revoked.
    pub(super) revoked: bool,
    /// Another connection of the device took the place of this one.
    pub(super) displaced: bool,
    /// What was held back may come now.
    pub(super) released: bool,
    /// Someone asks whether the device answers here.
    pub(super) probes: Vec<oneshot::Sender<()>>,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.published == 0
            && self.fates.is_empty()
            && self.probes.is_empty()
            && !(self.fates_lost
                || self.directory
                || self.erasures
                || self.proposals
                || self.lists
                || self.revoked
                || self.released
                || self.displaced)
    }
}

impl Slot {
    fn post(&self, write: impl FnOnce(&mut Mail)) {
        write(&mut lock(&self.mail));
        self.waker.wake();
    }

    /// The mail, if there is any; else the waker is called when some comes.
    pub(super) fn take_mail(&self, waker: &Waker) -> Option<Mail> {
        // Registered first: what is posted in between wakes.
        self.waker.register(waker);
        let mut mail = lock(&self.mail);
        (!mail.is_empty()).then(|| std::mem::take(&mut *mail))
    }
}

/// A device's place among the live connections, given back when dropped.
pub(super) struct Seat {
    hub: Hub,
    slot: Arc<Slot>,
}

impl Seat {
    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.leave(&self.slot);
    }
}

/// Room for one socket.
pub(super) struct Admission(#[expect(dead_code, reason = "held, never read")] OwnedSemaphorePermit);

impl Hub {
    /// Starts listening to the engine's events, until `over`.
    pub(crate) fn start(
        engine: Arc<Engine>,
        options: SyncOptions,
        drain: Drain,
        over: CancellationToken,
    ) -> Hub {
        let now = Instant::now();
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let hub = Hub(Arc::new(Inner {
            sockets: Arc::new(Semaphore::new(options.sockets_max)),
            processors: Arc::new(Semaphore::new(processors)),
            reads: Arc::new(Semaphore::new(processors * 4)),
            offers: OfferRoom::default(),
            refusals: Mutex::new(Buckets::new(
                options.enrol_refusals_per_peer,
                options.enrol_refusals_of_all,
                REFUSAL_PEERS_MAX,
                now,
            )),
            touches: Touches::default(),
            live: Mutex::default(),
            seats: AtomicU64::new(1),
            started: now,
            engine,
            options,
            drain,
        }));
        tokio::spawn(super::jobs::follow_events(hub.clone(), over.clone()));
        tokio::spawn(super::touch::write_touches(hub.clone(), over));
        hub
    }

    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    pub(super) fn options(&self) -> &SyncOptions {
        &self.0.options
    }

    pub(super) fn drain(&self) -> &Drain {
        &self.0.drain
    }

    pub(super) fn touches(&self) -> &Touches {
        &self.0.touches
    }

    pub(super) fn processors(&self) -> Arc<Semaphore> {
        self.0.processors.clone()
    }

    pub(super) fn reads(&self) -> Arc<Semaphore> {
        self.0.reads.clone()
    }

    pub(super) fn offers(&self) -> OfferRoom {
        self.0.offers.clone()
    }

    /// Milliseconds of a clock that never goes back: the session's time.
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Room for one more socket, if there is any.
    pub(super) fn admit(&self) -> Option<Admission> {
        self.0.sockets.clone().try_acquire_owned().ok().map(Admission)
    }

    /// Whether this address, or all together, had too many enrolments refused.
    pub(super) fn enrolment_is_blocked(&self, ip: IpAddr) -> bool {
        lock(&self.0.refusals).is_empty(&network(ip), Instant::now())
    }

    /// Notes a refused enrolment.
    pub(super) fn enrolment_refused(&self, ip: IpAddr) {
        lock(&self.0.refusals).take(network(ip), Instant::now());
    }

    /// Takes the device's place. Where an older connection holds it, that one is asked for a sign of
    /// life: if the device answers there, this one is a copy; if not, the older one is given up. A
    /// phone that lost its network and comes back is thus not taken for a copy of itself.
    ///
    /// # Errors
    /// The problem to tell the newcomer.
    pub(super) async fn claim(
        &self,
        workspace: WorkspaceId,
        device: DeviceId,
        user: UserId,
    ) -> Result<Seat, Problem> {
        let slot = Arc::new(Slot {
            id: self.0.seats.fetch_add(1, Ordering::Relaxed),
            workspace,
            device,
            user,
            mail: Mutex::default(),
            waker: AtomicWaker::new(),
        });
        loop {
            let older = {
                let mut live = lock(&self.0.live);
                match live.devices.get(&(workspace, device)) {
                    Some(older) => older.clone(),
                    None => {
                        live.devices.insert((workspace, device), slot.clone());
                        live.users.entry((workspace, user)).or_default().push(slot.clone());
                        metrics::gauge!("roadbook_sync_devices").increment(1);
                        return Ok(Seat { hub: self.clone(), slot });
                    }
                }
            };
            let (probe, answer) = oneshot::channel();
            older.post(|mail| mail.probes.push(probe));
            // A connection that ends drops the probe, which is an answer too.
            if let Ok(Ok(())) = tokio::time::timeout(self.0.options.probe, answer).await {
                metrics::counter!("roadbook_sync_copies_total").increment(1);
                return Err(copied());
            }
            older.post(|mail| mail.displaced = true);
            self.leave(&older);
        }
    }

    fn leave(&self, slot: &Arc<Slot>) {
        let mut live = lock(&self.0.live);
        let key = (slot.workspace, slot.device);
        if live.devices.get(&key).is_some_and(|held| held.id == slot.id) {
            live.devices.remove(&key);
            metrics::gauge!("roadbook_sync_devices").decrement(1);
            // Before a newer connection of the device can append anything.
            self.0.engine.forget_waiting(slot.workspace, slot.device);
        }
        let key = (slot.workspace, slot.user);
        if let Some(slots) = live.users.get_mut(&key) {
            slots.retain(|held| held.id != slot.id);
            if slots.is_empty() {
                live.users.remove(&key);
            }
        }
    }

    /// Something up to this cursor was published for these users.
    pub(super) fn published(
        &self,
        workspace: WorkspaceId,
        users: impl IntoIterator<Item = UserId>,
        cursor: Cursor,
    ) {
        let live = lock(&self.0.live);
        for user in users {
            for slot in live.users.get(&(workspace, user)).into_iter().flatten() {
                slot.post(|mail| mail.published = mail.published.max(cursor));
            }
        }
    }

    /// Changes of a device met their fate.
    pub(super) fn fates(&self, workspace: WorkspaceId, device: DeviceId, fates: Vec<ChangeFate>) {
        let live = lock(&self.0.live);
        let Some(slot) = live.devices.get(&(workspace, device)) else { return };
        slot.post(|mail| {
            if mail.fates.len() + fates.len() > MAIL_FATES_MAX {
                mail.fates_lost = true;
            } else {
                mail.fates.extend(fates);
            }
        });
    }

    /// The device was revoked: its connection ends at once.
    pub(super) fn revoked(&self, workspace: WorkspaceId, device: DeviceId) {
        if let Some(slot) = lock(&self.0.live).devices.get(&(workspace, device)) {
            slot.post(|mail| mail.revoked = true);
        }
    }

    /// Contacts that these users held were erased.
    pub(super) fn erased(&self, workspace: WorkspaceId, users: &[UserId]) {
        let live = lock(&self.0.live);
        for user in users {
            for slot in live.users.get(&(workspace, *user)).into_iter().flatten() {
                slot.post(|mail| mail.erasures = true);
            }
        }
    }

    /// What was held back from these devices, or from all of the workspace, may come now.
    pub(super) fn released(&self, workspace: WorkspaceId, user: Option<UserId>) {
        for slot in lock(&self.0.live).devices.values() {
            if slot.workspace == workspace && user.is_none_or(|user| slot.user == user) {
                slot.post(|mail| mail.released = true);
            }
        }
    }

    /// Others may write in these users' contacts now.
    pub(super) fn directory_changed(&self, workspace: WorkspaceId, users: &[UserId]) {
        let live = lock(&self.0.live);
        for user in users {
            for slot in live.users.get(&(workspace, *user)).into_iter().flatten() {
                slot.post(|mail| mail.directory = true);
            }
        }
    }

    /// What stands in everybody's directory may have changed.
    pub(super) fn every_directory_changed(&self, workspace: WorkspaceId) {
        let live = lock(&self.0.live);
        for slot in live.users.iter().filter(|((of, _), _)| *of == workspace).flat_map(|(_, s)| s) {
            slot.post(|mail| mail.directory = true);
        }
    }

    /// Other late edits may wait for these users than before.
    pub(super) fn proposals_changed(&self, workspace: WorkspaceId, users: &[UserId]) {
        let live = lock(&self.0.live);
        for user in users {
            for slot in live.users.get(&(workspace, *user)).into_iter().flatten() {
                slot.post(|mail| mail.proposals = true);
            }
        }
    }

    /// These users may have other lists than before.
    pub(super) fn lists_changed(&self, workspace: WorkspaceId, users: &[UserId]) {
        let live = lock(&self.0.live);
        for user in users {
            for slot in live.users.get(&(workspace, *user)).into_iter().flatten() {
                slot.post(|mail| mail.lists = true);
            }
        }
    }

    /// Events were missed: everyone looks for what is new.
    pub(super) fn poke_all(&self, cursor_of: impl Fn(WorkspaceId) -> Cursor) {
        let live = lock(&self.0.live);
        let mut cursors = HashMap::new();
        for slot in live.devices.values() {
            let cursor =
                *cursors.entry(slot.workspace).or_insert_with(|| cursor_of(slot.workspace));
            slot.post(|mail| {
                mail.published = mail.published.max(cursor);
                // Fates may be among what was missed.
                mail.fates_lost = true;
                mail.erasures = true;
                mail.proposals = true;
                mail.lists = true;
                mail.released = true;
            });
        }
    }

    /// The devices that are connected.
    pub(super) fn devices(&self) -> Vec<(WorkspaceId, DeviceId)> {
        lock(&self.0.live).devices.keys().copied().collect()
    }
}

/// What is behind a poisoned lock here is a mailbox or a registry whose every change is complete in
/// itself.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

/// An IPv6 user has a network of addresses, an IPv4 user one.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            std::net::Ipv6Addr::from([a, b, c, d, 0, 0, 0, 0]).into()
        }
    }
}

fn copied() -> Problem {
    Problem {
        code: ProblemCode::Copied,
        message:
            "another connection with this device's key is open and answers: this replica is a \
                  copy; enrol it as a device of its own, its edits are kept"
                .into(),
        retry_after_ms: None,
        fatal: true,
        actors: Vec::new(),
    }
}
