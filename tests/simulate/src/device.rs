//! A simulated device: a real replica on a simulated disk, and its end of a connection.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, NaiveDate};
use roadbook_client_core::sync::{SyncOptions, Worker};
use roadbook_client_core::{
    Clock, Durability, OpenOptions, Receipt, Replica, SystemEntropy, Uptime,
};
use roadbook_faults::disk::Loss;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, DeviceId, TimelineId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::{ClientEffect, ClientEvent, ClientSession, CloseReason};
use roadbook_protocol::wire::{Frame, ProblemCode};
use roadbook_server::engine;

use crate::lease::Lent;
use crate::lost_key::Copied;
use crate::net::{Conn, End, Link};
use crate::oracle;
use crate::plan::Ending;
use crate::server::ServerEnd;
use crate::trouble::SimDisk;
use crate::world::{Happening, World};

/// A clock that may be wrong by years.
#[derive(Debug)]
pub struct SimClock {
    world: Arc<AtomicI64>,
    /// How far the wall clock is ahead.
    offset_ms: AtomicI64,
    /// How far it was ahead at the least.
    lowest_ms: AtomicI64,
    /// How much more time has passed here than in the world.
    away_ms: AtomicI64,
    /// The boot that the clock which nobody can turn counts from.
    boot: String,
}

impl SimClock {
    /// A clock that is right, of a machine with a boot of this name.
    pub fn new(world: &Arc<AtomicI64>, boot: String) -> Arc<SimClock> {
        let [offset_ms, lowest_ms, away_ms] = [0; 3].map(AtomicI64::new);
        Arc::new(SimClock { world: Arc::clone(world), offset_ms, lowest_ms, away_ms, boot })
    }

    /// Makes it wrong.
    pub fn jump(&self, ms: i64) {
        let now = self.offset_ms.fetch_add(ms, Ordering::Relaxed) + ms;
        self.lowest_ms.fetch_min(now, Ordering::Relaxed);
    }

    /// Time passes here, and nowhere else: what counts from the boot goes on with it.
    pub fn pass(&self, ms: i64) {
        self.jump(ms);
        self.away_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// How far the wall clock ever went ahead.
    pub fn went_ahead_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Relaxed) - self.lowest_ms.load(Ordering::Relaxed)
    }

    /// Milliseconds that have passed since the boot, whatever the wall clock says.
    pub fn since_boot_ms(&self) -> i64 {
        self.world.load(Ordering::Relaxed) + self.away_ms.load(Ordering::Relaxed)
    }

    fn now(&self) -> i64 {
        // A device's clock may be before 1970 after jumps; no system gives that out.
        (self.world.load(Ordering::Relaxed) + self.offset_ms.load(Ordering::Relaxed)).max(0)
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        self.now()
    }
    fn today(&self) -> NaiveDate {
        DateTime::from_timestamp_millis(self.now()).unwrap_or_default().date_naive()
    }
    fn since_boot(&self) -> Option<Uptime> {
        // Nobody turns this one back.
        Some(Uptime { boot: self.boot.clone(), ms: self.since_boot_ms() })
    }
}

impl engine::Clock for SimClock {
    fn now_ms(&self) -> i64 {
        self.now()
    }
}

/// Whether a device takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Alive,
    /// It was revoked: it gets nothing more.
    Revoked,
    /// It is gone for good.
    Lost,
}

/// One device.
pub struct Device {
    /// The directory of its replica.
    pub home: PathBuf,
    /// The disk below it.
    pub disk: SimDisk,
    /// Its clock.
    pub clock: Arc<SimClock>,
    /// Its user, by number.
    pub user: usize,
    /// What the server knows it as. Copies share it.
    pub id: DeviceId,
    /// What identifies its machine.
    pub machine: String,
    /// The replica, while the app is open.
    pub replica: Option<Replica>,
    /// Its connection.
    pub conn: Option<u64>,
    /// Whether it has a network.
    pub online: bool,
    /// Whether it leaves the network when there is nothing left to exchange.
    pub once: bool,
    /// Whether a reconnect is scheduled.
    pub reconnecting: bool,
    /// How often it could not connect since it last could.
    pub attempts: u32,
    /// Whether it takes part.
    pub standing: Standing,
    /// Whether its disk was damaged: what it shows is not held against it.
    pub damaged: bool,
    /// Whether its clock ever went ahead by more than it keeps what has arrived.
    pub tidied: bool,
    /// The version of its app.
    pub version: u32,
    /// Contacts that it may edit; looked up again when stale.
    pub contacts: Vec<ContactId>,
    /// Whether those are to be looked up.
    pub stale: bool,
    /// Its edits whose receipt is still on the way.
    pub open_edits: VecDeque<usize>,
    /// Edits since its last crash.
    pub unproved: Vec<usize>,
    /// A saved state of its files: where, and how many edits of the whole run were made by then.
    pub saved: Option<(PathBuf, usize)>,
    /// The server's timeline that it spoke to last.
    pub timeline: Option<TimelineId>,
    /// Frames with changes are sent twice until then.
    pub duplicate_until: i64,
    /// Frames with changes overtake each other until then.
    pub reorder_until: i64,
    /// How a crash in the middle of a write ends.
    pub ending: Ending,
    /// When it was used last, to close the app that is idle longest.
    pub used: i64,
    /// Whether it reached the end of an exchange since this was cleared.
    pub reached_idle: bool,
    /// The permission to read that it was given last, if that is known.
    pub lease: Option<Lent>,
    /// The same when its files were saved.
    pub saved_lease: Option<Lent>,
    /// What was unsent when it got the order to wipe.
    pub sealed: Vec<(ContactId, ChangeHash)>,
    /// What it was when its key was lost.
    pub copied: Option<Copied>,
}

/// The device's end of a connection.
pub struct ClientEnd {
    /// The session.
    pub session: ClientSession,
    pub(super) worker: Worker,
    pub(super) jobs: VecDeque<ClientEffect>,
    busy: bool,
    marked: bool,
}

impl World {
    /// Opens the app of a device, if it is not open. `false` if it can't be opened now.
    pub fn open_app(&mut self, index: usize) -> bool {
        if self.devices[index].replica.is_some() {
            self.devices[index].used = self.now;
            return true;
        }
        if self.devices[index].standing == Standing::Lost {
            return false;
        }
        self.close_idle_apps();
        let device = &self.devices[index];
        let options = OpenOptions {
            clock: Arc::clone(&device.clock) as Arc<dyn Clock>,
            entropy: Arc::new(SystemEntropy::default()),
            durability: Durability::Full,
            keys: None,
            signer: None,
            machine_id: Some(device.machine.clone()),
            documents_max: 32,
        };
        match Replica::open(&device.home, options) {
            Ok(replica) => {
                let device = &mut self.devices[index];
                device.replica = Some(replica);
                device.used = self.now;
                device.stale = true;
                self.prove_saved(index);
                self.check_lease(index);
                true
            }
            Err(error) => {
                self.tell(|| format!("device {index} does not open: {error:?}"));
                if !self.device_trouble(index) {
                    self.violated("a replica opens", format!("device {index}: {error}"));
                }
                false
            }
        }
    }

    /// Whether an error of this device has a cause that the simulation made. What follows from it is
    /// done by [`Self::settle_devices`], when nothing has the replica in its hands.
    pub fn device_trouble(&mut self, index: usize) -> bool {
        if self.devices[index].disk.disk.is_crashed() || self.devices[index].damaged {
            self.in_trouble.insert(index);
            return true;
        }
        let now = self.now;
        self.devices[index].disk.excuses(now)
    }

    /// Ends the apps of devices that are in trouble.
    pub fn settle_devices(&mut self) {
        while let Some(index) = self.in_trouble.pop_first() {
            if self.devices[index].disk.disk.is_crashed() {
                if self.devices[index].standing != Standing::Lost {
                    let ending = self.devices[index].ending;
                    self.cover.count("fault.crash_device_mid_write");
                    self.crash_device(index, ending);
                }
            } else {
                // The app says so, and its user starts it anew: it is examined then.
                self.close_app(index);
            }
        }
    }

    fn close_idle_apps(&mut self) {
        let open_max = self.plan.shape.open_max as usize;
        let mut open: Vec<usize> = (0..self.devices.len())
            .filter(|index| self.devices[*index].replica.is_some())
            .collect();
        if open.len() < open_max {
            return;
        }
        open.retain(|index| self.devices[*index].conn.is_none());
        open.sort_by_key(|index| self.devices[*index].used);
        for index in open.into_iter().take(open_max / 4 + 1) {
            self.close_app(index);
        }
    }

    /// Closes the app in an orderly way.
    pub fn close_app(&mut self, index: usize) {
        if let Some(conn) = self.devices[index].conn {
            self.close(conn, End::Client);
        }
        self.observe_receipts(index, usize::MAX);
        if let Some(replica) = self.devices[index].replica.take() {
            replica.close();
        }
        if self.devices[index].disk.disk.is_crashed() {
            self.device_trouble(index);
        }
    }

    /// The app ends without a goodbye.
    pub fn crash_device(&mut self, index: usize, ending: Ending) {
        if let Some(conn) = self.devices[index].conn {
            let told = ending == Ending::Killed;
            self.ended(conn, End::Client);
            self.cut(conn, told);
        }
        let device = &mut self.devices[index];
        device.disk.disk.crash();
        device.replica = None;
        let loss = loss(ending);
        let lost = match device.disk.disk.restart(loss) {
            Ok(lost) => lost,
            Err(error) => return self.violated("the simulated disk restarts", error.to_string()),
        };
        self.cover.count(match ending {
            Ending::Killed => "fault.crash_device_killed",
            _ => "fault.crash_device_power",
        });
        self.cover.add("fault.unsynced_write_dropped", lost.dropped);
        self.cover.add("fault.torn_write", lost.torn);
    }

    /// After an opening: every edit that was returned as saved is there (P1).
    fn prove_saved(&mut self, index: usize) {
        if self.devices[index].damaged {
            return;
        }
        let Some(replica) = self.devices[index].replica.clone() else { return };
        for edit in std::mem::take(&mut self.devices[index].unproved) {
            let record = &self.oracle.edits[edit];
            if record.fate == oracle::Fate::Lost || record.device != index {
                continue;
            }
            match replica.receipt(record.edit) {
                Ok(Some(_)) => {}
                // It left the device with its contact, or is kept in the quarantine.
                Ok(None)
                    if self
                        .oracle
                        .handed_over
                        .contains(&(record.contact, self.devices[index].user)) => {}
                // Finished, and older than the horizon by a clock that jumped.
                Ok(None)
                    if oracle::rank(record.seen.0) == oracle::rank(Receipt::Merged)
                        || self.oracle.is_acknowledged(record)
                        || self.arrived_anew(record)
                        || self.devices[index].tidied => {}
                Ok(None) => {
                    let detail = format!(
                        "device {index} returned edit {} of contact {} as saved (receipt {}), after a \
                         restart it is not there",
                        record.edit,
                        record.contact,
                        record.seen.0.as_str()
                    );
                    return self.violated("P1: a saved edit survives", detail);
                }
                Err(error) => {
                    if !self.device_trouble(index) {
                        let detail = format!("device {index}: {error}");
                        self.violated("a replica can be read", detail);
                    }
                    return;
                }
            }
        }
    }

    /// Looks at the receipts of open edits: they move forward within a timeline.
    pub fn observe_receipts(&mut self, index: usize, max: usize) {
        if self.devices[index].damaged {
            return;
        }
        let Some(replica) = self.devices[index].replica.clone() else { return };
        let timeline = self.devices[index].timeline;
        for _ in 0..max.min(self.devices[index].open_edits.len()) {
            let Some(edit) = self.devices[index].open_edits.pop_front() else { break };
            let record = &mut self.oracle.edits[edit];
            let Ok(now) = replica.receipt(record.edit) else { return };
            let (seen, under) = record.seen;
            let Some(now) = now else { continue };
            let back = under == timeline && oracle::rank(now) < oracle::rank(seen);
            // What is authored anew is on its way again, as another change.
            if back && !is_authored_anew(&replica, record) {
                let detail = format!(
                    "edit {} of device {index} went from {} to {} within one timeline",
                    record.edit,
                    seen.as_str(),
                    now.as_str()
                );
                return self.violated("receipts move forward within a timeline", detail);
            }
            record.seen = (now, timeline);
            match now {
                Receipt::Merged => self.cover.count("event.merged"),
                Receipt::Quarantined => {}
                _ => self.devices[index].open_edits.push_back(edit),
            }
        }
    }

    /// Connects a device, if it can.
    pub fn connect(&mut self, index: usize) {
        let device = &self.devices[index];
        if !device.online || device.conn.is_some() || device.standing == Standing::Lost {
            return;
        }
        if !self.server.is_up() {
            return self.reconnect_later(index);
        }
        if !self.open_app(index) {
            return self.reconnect_later(index);
        }
        let Some(replica) = self.devices[index].replica.clone() else { return };
        let mut worker = Worker::new(replica);
        let app = format!("roadbook/{}.0.0", self.devices[index].version);
        let options = SyncOptions { app, ..SyncOptions::default() };
        let standing = match worker.standing(&options) {
            Ok(standing) => standing,
            Err(error) => {
                drop(worker);
                if !self.device_trouble(index) {
                    self.violated("a replica can be read", format!("device {index}: {error}"));
                }
                return self.reconnect_later(index);
            }
        };
        let id = self.next_conn;
        self.next_conn += 1;
        let client = ClientEnd {
            session: ClientSession::new(Limits::DEFAULT),
            worker,
            jobs: VecDeque::new(),
            busy: false,
            marked: false,
        };
        let server = Some(ServerEnd::new(self.now, self.server.nonce()));
        let (up, down) = (Link::default(), Link::default());
        self.conns.insert(id, Conn { device: index, client: Some(client), server, up, down });
        self.devices[index].conn = Some(id);
        for happening in [Happening::ClientTick { conn: id }, Happening::ServerTick { conn: id }] {
            self.schedule(self.now + 11_000, happening);
        }
        self.client_event(id, ClientEvent::Connected(Box::new(standing)));
    }

    /// Tries again after a while.
    pub fn reconnect_later(&mut self, index: usize) {
        let device = &mut self.devices[index];
        if device.reconnecting || !device.online {
            return;
        }
        device.reconnecting = true;
        device.attempts += 1;
        let wait = self.rng.i64(200..1_000 * i64::from(device.attempts.min(20)) + 300);
        self.schedule(self.now + wait, Happening::Reconnect { device: index });
    }

    /// A frame from the server.
    pub fn client_receives(&mut self, id: u64, frame: Frame) {
        match &frame {
            Frame::Page(_) => self.cover.count("event.page"),
            Frame::Need(_) => self.cover.count("event.need"),
            Frame::Manifest(_) => self.cover.count("event.first_sync"),
            Frame::Problem(problem) => match problem.code {
                ProblemCode::Copied => self.cover.count("event.second_connection_of_a_device"),
                ProblemCode::MinimumVersion => self.cover.count("event.bound_by_minimum_version"),
                _ => {}
            },
            _ => {}
        }
        self.client_event(id, ClientEvent::Received(frame));
    }

    /// Feeds the device's session.
    pub fn client_event(&mut self, id: u64, event: ClientEvent) {
        let now = self.now;
        let Some(client) = self.conns.get_mut(&id).and_then(|conn| conn.client.as_mut()) else {
            return;
        };
        for effect in client.session.handle(now, event) {
            match effect {
                ClientEffect::Send(frame) => self.send(id, true, &frame),
                ClientEffect::Close(reason) => {
                    if let CloseReason::Protocol(what) = &reason
                        && !self.receipt_is_late(id, what)
                    {
                        self.violated("both ends speak the protocol", what.clone());
                    }
                    if reason == CloseReason::Wiped {
                        return self.wiped(id);
                    }
                    return self.close(id, End::Client);
                }
                other => {
                    let Some(conn) = self.conns.get_mut(&id) else { return };
                    let Some(client) = conn.client.as_mut() else { return };
                    client.jobs.push_back(other);
                    client.marked = false;
                    if !std::mem::replace(&mut client.busy, true) {
                        let at = now + self.rng.i64(0..3);
                        self.schedule(at, Happening::DeviceWork { conn: id });
                    }
                }
            }
        }
        self.settle_client(id);
    }

    /// A network that sends a batch twice gets a second receipt for it.
    fn receipt_is_late(&self, id: u64, what: &str) -> bool {
        let Some(conn) = self.conns.get(&id) else { return true };
        what.contains("receipt") && self.devices[conn.device].duplicate_until > 0
    }

    /// Carries out the next effect of a session on the replica.
    pub fn device_work(&mut self, id: u64) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let index = conn.device;
        let Some(client) = conn.client.as_mut() else { return };
        client.busy = false;
        let Some(effect) = client.jobs.pop_front() else { return };
        let mut news = None;
        match &effect {
            ClientEffect::Opened(welcome) => {
                self.devices[index].timeline = Some(welcome.timeline);
                self.devices[index].attempts = 0;
            }
            ClientEffect::RecordStored { changes, .. } => {
                self.cover.add("event.stored", changes.len() as u64);
            }
            ClientEffect::ApplyPage { page, .. } => news = Some(&page.items),
            ClientEffect::ApplyFetched { fetched, .. } => news = Some(&fetched.items),
            ClientEffect::RecordOffered { .. } => self.cover.count("event.others_changes_offered"),
            ClientEffect::VoidAcknowledgements { .. } => self.cover.count("event.repair"),
            ClientEffect::Reoffer { .. } => self.cover.count("event.reoffered"),
            ClientEffect::Wipe(_) => self.note_unsent(index),
            ClientEffect::RecordCopied(_) => self.note_copied(index),
            _ => {}
        }
        let lent = matches!(&effect, ClientEffect::Opened(_));
        if let Some(items) = news {
            self.devices[index].stale = true;
            for item in items {
                match item.access {
                    roadbook_protocol::wire::Access::Removed => {
                        self.cover.count("event.removed_from_device");
                    }
                    _ if !item.snapshot.is_empty() => self.cover.count("event.snapshot_sent"),
                    _ => {}
                }
            }
        }
        let Some(client) = self.conns.get_mut(&id).and_then(|conn| conn.client.as_mut()) else {
            return;
        };
        let acknowledged = matches!(&effect, ClientEffect::RecordStored { .. });
        let copying = matches!(&effect, ClientEffect::LoadCopy);
        match client.worker.perform(effect) {
            Ok(events) => {
                self.note_purged(index, &events);
                if copying && matches!(events[..], [ClientEvent::Copy(None)]) {
                    self.check_copied(index);
                }
                if lent {
                    self.note_lent(index);
                }
                let Some(client) = self.conns.get_mut(&id).and_then(|conn| conn.client.as_mut())
                else {
                    return;
                };
                // What it brought belongs together: it is not idle in between.
                client.busy = true;
                for event in events {
                    self.client_event(id, event);
                }
                if acknowledged {
                    self.verify_receipts(index);
                }
                let Some(client) = self.conns.get_mut(&id).and_then(|conn| conn.client.as_mut())
                else {
                    return;
                };
                client.busy = !client.jobs.is_empty();
                if client.busy {
                    let at = self.now + self.rng.i64(0..3);
                    self.schedule(at, Happening::DeviceWork { conn: id });
                }
                self.settle_client(id);
            }
            Err(error) => {
                self.tell(|| format!("device {index} can't: {error:?}"));
                self.devices[index].lease = None;
                self.close(id, End::Client);
                if !self.device_trouble(index) {
                    let detail = format!("device {index}: {error}");
                    self.violated("a replica carries effects out", detail);
                }
            }
        }
    }

    fn settle_client(&mut self, id: u64) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let index = conn.device;
        let Some(client) = conn.client.as_mut() else { return };
        if client.busy || !client.jobs.is_empty() || !client.session.is_idle() || client.marked {
            return;
        }
        client.marked = true;
        self.cover.count("event.idle");
        if let Err(error) = client.worker.mark_synced() {
            self.tell(|| format!("device {index} can't note that it is in step: {error:?}"));
            self.close(id, End::Client);
            if !self.device_trouble(index) {
                let detail = format!("device {index}: {error}");
                self.violated("a replica notes that it is in step", detail);
            }
            return;
        }
        self.devices[index].reached_idle = true;
        self.observe_receipts(index, 64);
        self.verify_receipts(index);
        if self.devices[index].once {
            self.devices[index].online = false;
            self.client_event(id, ClientEvent::Stop);
        }
    }

    /// An edit that a device shows as stored, the server has said so of: whoever reads `stored` may
    /// lose the device.
    pub fn verify_receipts(&mut self, index: usize) {
        let device = &self.devices[index];
        let Some(replica) = device.replica.clone().filter(|_| !device.damaged) else { return };
        let Ok(outbox) = replica.outbox(false) else { return };
        let never = outbox.iter().filter(|entry| entry.receipt == Receipt::Stored).find(|entry| {
            let hash = entry.hash.parse();
            hash.is_ok_and(|hash| !self.oracle.ever_stored.contains(&(entry.contact_id, hash)))
        });
        if let Some(entry) = never {
            let detail = format!(
                "edit {} of device {index} is shown as stored; the server never said so of change {}",
                entry.edit_id, entry.hash
            );
            self.violated("P4: an acknowledgement is for what it names", detail);
        }
    }

    /// The device's end is over.
    pub fn client_ended(&mut self, id: u64) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let index = conn.device;
        if conn.client.take().is_none() {
            return;
        }
        if self.devices[index].conn == Some(id) {
            self.devices[index].conn = None;
        }
        self.reconnect_later(index);
    }
}

/// What a disk loses when something ends like this.
pub fn loss(ending: Ending) -> Loss {
    match ending {
        Ending::Killed => Loss::Process,
        Ending::Power => Loss::Power,
        Ending::PowerAll => Loss::All,
    }
}

fn is_authored_anew(replica: &Replica, record: &oracle::EditRecord) -> bool {
    let outbox = replica.outbox(true).unwrap_or_default();
    outbox.iter().any(|entry| entry.edit_id == record.edit && entry.hash != record.hash.to_string())
}
