//! The simulated server: the real engine on a simulated disk, stepped, and its ends of the
//! connections. It does for a session what the socket's driver does, without a socket; what a session
//! asks of the engine is in `jobs`.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::{
    Outcome, ServerEffect, ServerEvent, ServerOptions, ServerSession,
};
use roadbook_protocol::wire::{ChangeFate, Fate, Frame, Problem, ProblemCode};
use roadbook_server::engine::review;
use roadbook_server::engine::{
    AppendRequest, Appended, Engine, EngineError, EngineOptions, Event, SealedBy, Step,
    SystemEntropy,
};
use roadbook_server::store::contacts;
use roadbook_server::sync::service::{self, Identity, OfferRoom, Offers, Receipts};
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{broadcast, oneshot};

use crate::device::SimClock;
use crate::net::End;
use crate::office::Backup;
use crate::oracle::Acknowledged;
use crate::plan::Ending;
use crate::trouble::SimDisk;
use crate::world::{Happening, World};

/// The server.
pub struct Server {
    /// Its data directory.
    pub dir: PathBuf,
    /// The disk below it.
    pub disk: SimDisk,
    /// Its clock.
    pub clock: Arc<SimClock>,
    /// The engine, while it runs.
    pub engine: Option<Arc<Engine>>,
    /// What the engine announces.
    pub events: Option<broadcast::Receiver<Event>>,
    /// The one workspace.
    pub workspace: WorkspaceId,
    /// Who edits in the office.
    pub office: UserId,
    /// The reps, by number.
    pub users: Vec<UserId>,
    /// Backups, oldest first.
    pub backups: Vec<Backup>,
    /// How many ledgers were lost.
    pub ledgers_lost: u32,
    /// Whether a start is scheduled.
    pub starting: bool,
    /// How a crash in the middle of a write ends, and how long it is away then.
    pub crash: (Ending, u32),
    /// The log takes so long, until then.
    pub slow: (u32, i64),
    /// The memory for offers of all connections.
    pub offers: OfferRoom,
    /// Whether the log is to have its turn.
    pub log_due: bool,
    /// Whether the merge is to have its turn.
    pub merge_due: bool,
    nonce: u64,
}

/// Something sent to the log that is not answered yet.
struct Append {
    refused: Vec<Option<Outcome>>,
    /// Contacts that its user did not hold when it was sent to the log.
    not_held: BTreeSet<ContactId>,
    /// Contacts whose erasure was asked for after it was sent to the log.
    erased_since: BTreeSet<ContactId>,
    reply: oneshot::Receiver<Result<Appended, EngineError>>,
}

/// The server's end of a connection.
pub struct ServerEnd {
    /// The session.
    pub session: ServerSession,
    pub(super) receipts: Receipts,
    /// Whom it serves, once that was proved.
    pub who: Option<Identity>,
    /// Whether it holds the device's place.
    pub seated: bool,
    appends: VecDeque<Append>,
    held: VecDeque<Frame>,
    pub(super) directory: Vec<u8>,
    /// What it offers of a past that the server has lost.
    pub offers: Option<Offers>,
    /// The changes offered of a contact whose rest is still to come.
    pub offered: BTreeSet<(ContactId, ChangeHash)>,
}

impl ServerEnd {
    /// The end of a connection that was just accepted.
    pub fn new(now: i64, nonce: [u8; 32]) -> Self {
        let options = ServerOptions { limits: Limits::DEFAULT, nonce, minimum_app: None };
        Self {
            session: ServerSession::new(now, options),
            receipts: Receipts::default(),
            who: None,
            seated: false,
            appends: VecDeque::new(),
            held: VecDeque::new(),
            directory: Vec::new(),
            offers: None,
            offered: BTreeSet::new(),
        }
    }
}

/// Frames that a saturated connection may have waiting: what its peer may have under way.
const HELD_MAX: usize = 4_096;

impl Server {
    /// A server whose engine is opened by the caller.
    pub fn new(dir: PathBuf, disk: SimDisk, clock: Arc<SimClock>) -> Self {
        let nobody = UserId::from_bytes([0; 16]);
        Self {
            dir,
            disk,
            clock,
            engine: None,
            events: None,
            workspace: WorkspaceId::from_bytes([0; 16]),
            office: nobody,
            users: Vec::new(),
            backups: Vec::new(),
            ledgers_lost: 0,
            starting: false,
            crash: (Ending::Killed, 0),
            slow: (0, 0),
            offers: OfferRoom::default(),
            log_due: false,
            merge_due: false,
            nonce: 0,
        }
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// A nonce that no connection had before.
    pub fn nonce(&mut self) -> [u8; 32] {
        self.nonce += 1;
        let mut nonce = [7; 32];
        nonce[..8].copy_from_slice(&self.nonce.to_be_bytes());
        nonce
    }

    /// Opens the engine.
    ///
    /// # Errors
    /// What the engine says.
    pub fn open(&mut self) -> Result<Arc<Engine>, EngineError> {
        let options = EngineOptions {
            clock: Arc::clone(&self.clock) as Arc<dyn roadbook_server::engine::Clock>,
            entropy: Arc::new(SystemEntropy),
            read_connections: 4,
            document_cache_bytes: 8 * 1024 * 1024,
            stepped: true,
            ..EngineOptions::default()
        };
        let engine = Engine::open(&self.dir, options)?;
        confirm_review(&engine)?;
        self.events = Some(engine.events());
        self.engine = Some(Arc::clone(&engine));
        Ok(engine)
    }

    /// The engine, while it runs.
    pub fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.clone()
    }
}

/// A restore takes the ledger with it here: the administrator has confirmed at once.
fn confirm_review(engine: &Engine) -> Result<(), EngineError> {
    for workspace in engine.workspaces()? {
        let review = engine.read(|conn| review::read(conn, workspace.id))?;
        if let Some(review) = review {
            engine.confirm_review(workspace.id, None, &review.code)?;
        }
    }
    Ok(())
}

impl World {
    fn log_soon(&mut self) {
        if !std::mem::replace(&mut self.server.log_due, true) {
            let (delay, until) = self.server.slow;
            let slow = if self.now < until { i64::from(delay) } else { 0 };
            let at = self.now + self.rng.i64(0..4) + slow;
            self.schedule(at, Happening::ServerLog);
        }
    }

    /// The merge gets its turn in a moment.
    pub fn merge_soon(&mut self) {
        if !std::mem::replace(&mut self.server.merge_due, true) {
            let at = self.now + self.rng.i64(0..8);
            self.schedule(at, Happening::ServerMerge);
        }
    }

    /// The log's turn.
    pub fn server_log(&mut self) {
        self.server.log_due = false;
        if let Some(engine) = self.server.engine() {
            engine.step(Step::Log);
            self.merge_soon();
        }
    }

    /// The merge's turn.
    pub fn server_merge(&mut self) {
        self.server.merge_due = false;
        let Some(engine) = self.server.engine() else { return };
        engine.step(Step::Merge);
        let metrics = engine.metrics();
        let waiting_max = Limits::DEFAULT.waiting_changes_max as u64 * self.devices.len() as u64;
        if metrics.changes_waiting > waiting_max {
            self.violated("queues are bounded", format!("{} wait", metrics.changes_waiting));
        }
        if metrics.merge_queue > 0 {
            // A merge that failed rests for a second.
            self.schedule(self.now + 1_100, Happening::ServerMerge);
        }
    }

    /// Hands on what the engine has answered and announced.
    pub fn pump_server(&mut self) {
        if self.server.disk.disk.is_crashed() && self.server.is_up() {
            self.cover.count("fault.crash_server_mid_write");
            self.note_answers();
            return self.server_crashed();
        }
        if !self.server.is_up() {
            return;
        }
        let answered: Vec<u64> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.server.as_ref().is_some_and(|end| !end.appends.is_empty()))
            .map(|(id, _)| *id)
            .collect();
        for id in answered {
            self.take_answers(id);
        }
        self.follow_events();
    }

    fn take_answers(&mut self, id: u64) {
        loop {
            let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
                return;
            };
            let Some(append) = end.appends.front_mut() else { return };
            let answer = match append.reply.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return,
                Err(oneshot::error::TryRecvError::Closed) => Err(EngineError::Closed),
                Ok(answer) => answer,
            };
            let Some(append) = end.appends.pop_front() else { return };
            match answer {
                Ok(appended) => {
                    let known = self.oracle.acknowledged.len();
                    self.note_acknowledged(id, &append, &appended);
                    // Not only at the next start: by then the device may have healed it.
                    let due = self.oracle.acknowledged[known..].to_vec();
                    self.verify(&due, "P2: an acknowledged change is durable");
                    self.appended(id, append.refused, appended);
                }
                Err(error) => return self.server_failed(id, &error),
            }
        }
    }

    /// What the log answered before its disk stopped may be on its way already.
    fn note_answers(&mut self) {
        let ids: Vec<u64> = self.conns.keys().copied().collect();
        for id in ids {
            let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
                continue;
            };
            for mut append in std::mem::take(&mut end.appends) {
                if let Ok(Ok(appended)) = append.reply.try_recv() {
                    self.note_acknowledged(id, &append, &appended);
                }
            }
        }
    }

    /// Two that go on from one state fork. Whoever is alone with a sound replica never does, whatever others
    /// make up in its name. After a restore of the server its devices go on from what the backup lacks.
    fn check_fork(&mut self, device: usize, outcome: &roadbook_server::engine::Outcome) {
        let id = self.devices[device].id;
        let alone = !self.oracle.twice.contains(&id)
            && !self.devices.iter().any(|device| device.id == id && device.damaged);
        if alone && !self.oracle.went_back {
            self.violated(
                "rule 6: nobody forks who is alone with a replica",
                format!("change {} of device {device} became forked", outcome.hash),
            );
        }
    }

    /// Whatever is acknowledged from now on must be there.
    fn note_acknowledged(&mut self, id: u64, append: &Append, appended: &Appended) {
        let Some(device) = self.conns.get(&id).map(|conn| conn.device) else { return };
        let user = self.devices[device].user;
        for outcome in &appended.outcomes {
            self.note_erased_fate(device, outcome, &append.erased_since);
            match outcome.fate {
                Fate::Forked => {
                    self.cover.count("event.forked");
                    self.oracle.ever_forked.insert((outcome.contact, outcome.hash));
                    self.check_fork(device, outcome);
                }
                Fate::Proposed => self.cover.count("event.proposed"),
                _ => {}
            }
            let (contact, hash) = (outcome.contact, outcome.hash);
            if matches!(
                outcome.fate,
                Fate::Stored | Fate::Quarantined | Fate::Replaced | Fate::Proposed
            ) || (outcome.fate == Fate::Merged && !outcome.duplicate)
            {
                self.oracle.acknowledged.push(Acknowledged { contact, hash, device: Some(device) });
            }
            if matches!(outcome.fate, Fate::Stored | Fate::Merged) {
                self.oracle.ever_stored.insert((contact, hash));
            }
            if outcome.fate != Fate::Stored {
                continue;
            }
            // Rights may have changed since it was sent; held neither then nor now is held by nobody.
            if !outcome.duplicate
                && append.not_held.contains(&contact)
                && !self.oracle.is_held(&contact, user)
            {
                let detail = format!(
                    "change {hash} of contact {contact} was taken from device {device} of user \
                     {user}, who holds it not"
                );
                return self.violated("rule 7: only who holds a contact writes to it", detail);
            }
            if !self.oracle.erasures.is_erased(&contact) {
                self.oracle.created(contact, user);
            }
        }
    }

    /// A contact is about to be erased: what the log was sent before is judged before.
    pub fn note_asked_to_erase(&mut self, contact: ContactId) {
        for end in self.conns.values_mut().filter_map(|conn| conn.server.as_mut()) {
            for append in &mut end.appends {
                append.erased_since.insert(contact);
            }
        }
    }

    fn appended(&mut self, id: u64, refused: Vec<Option<Outcome>>, appended: Appended) {
        let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
            return;
        };
        for outcome in &appended.outcomes {
            end.receipts.taken(outcome.hash, outcome.contact, outcome.fate);
        }
        let outcomes = service::answer(refused, appended.outcomes, &appended.need);
        let (batch, waiting) = (appended.batch, appended.need);
        self.server_event(id, ServerEvent::Appended { batch, outcomes, waiting });
        self.read_held(id);
    }

    /// Reads what came while the session took no more, as far as it does now.
    pub(super) fn read_held(&mut self, id: u64) {
        loop {
            let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
                return;
            };
            if end.session.is_saturated() {
                return;
            }
            let Some(frame) = end.held.pop_front() else { return };
            self.server_event(id, ServerEvent::Received(frame));
        }
    }

    fn follow_events(&mut self) {
        loop {
            let Some(events) = self.server.events.as_mut() else { return };
            match events.try_recv() {
                Ok(Event::Merged { cursor, contacts, .. }) => {
                    for merged in contacts.iter() {
                        for user in &merged.users {
                            self.published(*user, cursor);
                        }
                    }
                }
                Ok(Event::Access { cursor, users, .. }) => {
                    for user in users.iter() {
                        self.published(*user, cursor);
                        for id in self.seats_of(*user) {
                            self.job(id, ServerEffect::LoadDirectory);
                            self.job(id, ServerEffect::LoadProposals);
                        }
                    }
                    self.lists_changed(&users);
                }
                Ok(Event::Fates { device, fates, .. }) => self.fates(device, fates.to_vec()),
                Ok(Event::Proposals { contacts, .. }) => self.tell_of_late_edits(&contacts),
                Ok(Event::Erased { users, .. }) => {
                    for user in users.iter() {
                        for id in self.seats_of(*user) {
                            self.job(id, ServerEffect::LoadErasures);
                        }
                    }
                }
                Ok(Event::Revoked { device, .. }) => {
                    for id in self.seats(|who| who.device == device) {
                        self.server_event(id, ServerEvent::Revoked);
                    }
                }
                Ok(Event::Lists { users, .. }) => self.lists_changed(&users),
                Ok(
                    Event::DeviceSeen { .. }
                    | Event::Alert { .. }
                    | Event::CustomFields { .. }
                    | Event::Released { .. },
                ) => {}
                Err(TryRecvError::Lagged(_)) => {
                    for id in self.seats(|_| true) {
                        self.server_event(id, ServerEvent::Published(u64::MAX >> 1));
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// The devices of these users are sent their lists anew, as the hub does.
    fn lists_changed(&mut self, users: &[UserId]) {
        for user in users {
            for id in self.seats_of(*user) {
                let end = self.conns.get(&id).and_then(|conn| conn.server.as_ref());
                let load = end.and_then(|end| end.session.load_lists());
                if let Some(load) = load {
                    self.job(id, load);
                }
            }
        }
    }

    /// The devices of those who own these contacts are sent what waits for them, as the hub does.
    fn tell_of_late_edits(&mut self, ids: &[ContactId]) {
        let Some(engine) = self.server.engine() else { return };
        let workspace = self.server.workspace;
        let mut owners = BTreeSet::new();
        for id in ids {
            let found = engine.read(|conn| contacts::find(conn, workspace, *id));
            owners.extend(found.ok().flatten().and_then(|contact| contact.owner));
        }
        for owner in owners {
            for id in self.seats_of(owner) {
                self.job(id, ServerEffect::LoadProposals);
            }
        }
    }

    pub(super) fn seats(&self, wanted: impl Fn(Identity) -> bool) -> Vec<u64> {
        self.conns
            .iter()
            .filter(|(_, conn)| {
                conn.server.as_ref().is_some_and(|end| end.seated && end.who.is_some_and(&wanted))
            })
            .map(|(id, _)| *id)
            .collect()
    }

    fn seats_of(&self, user: UserId) -> Vec<u64> {
        self.seats(|who| who.user == user)
    }

    fn published(&mut self, user: UserId, cursor: u64) {
        for id in self.seats_of(user) {
            self.server_event(id, ServerEvent::Published(cursor));
        }
    }

    fn fates(&mut self, device: DeviceId, fates: Vec<ChangeFate>) {
        for fate in fates.iter().filter(|fate| fate.fate == Fate::Stored) {
            self.oracle.ever_stored.insert((fate.contact, fate.hash));
        }
        for id in self.seats(|who| who.device == device) {
            let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
                continue;
            };
            let now = Instant::now();
            let tell = end.receipts.met(fates.clone(), now);
            if let Some(due) = end.receipts.due() {
                let wait = due.saturating_duration_since(now).as_millis() as i64;
                self.schedule(self.now + wait + 1, Happening::ServerTimer { conn: id });
            }
            if !tell.is_empty() {
                self.server_event(id, ServerEvent::Fates(tell));
            }
        }
    }

    /// Receipts that no page told.
    pub fn server_timer(&mut self, id: u64) {
        let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
            return;
        };
        let fates = end.receipts.overdue(Instant::now());
        if !fates.is_empty() {
            self.server_event(id, ServerEvent::Fates(fates));
        }
    }

    /// A frame from a device.
    pub fn server_receives(&mut self, id: u64, frame: Frame) {
        let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
            return;
        };
        if end.session.is_saturated() || !end.held.is_empty() {
            end.held.push_back(frame);
            if end.held.len() > HELD_MAX {
                self.violated("queues are bounded", format!("{HELD_MAX} frames wait to be read"));
            }
            return;
        }
        self.server_event(id, ServerEvent::Received(frame));
    }

    /// Feeds the server's session.
    pub fn server_event(&mut self, id: u64, event: ServerEvent) {
        let now = self.now;
        let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
            return;
        };
        for effect in end.session.handle(now, event) {
            match effect {
                ServerEffect::Send(frame) => {
                    self.check_sent(id, &frame);
                    self.send(id, false, &frame);
                }
                ServerEffect::Close { .. } => return self.close(id, End::Server),
                ServerEffect::Append { batch, changes } => self.append(id, batch, changes),
                ServerEffect::RegisterActors(actors) => {
                    let who = self.who(id);
                    if let (Some(engine), Some(who)) = (self.server.engine(), who)
                        && let Err(error) = service::register(&engine, who, actors)
                    {
                        return self.server_failed(id, &error);
                    }
                }
                ServerEffect::Offer { offer, items } => self.take_offer(id, offer, items),
                ServerEffect::Touch { .. } => {}
                other => self.job(id, other),
            }
        }
    }

    /// Whom a connection serves, once that was proved.
    pub fn who(&self, id: u64) -> Option<Identity> {
        self.conns.get(&id).and_then(|conn| conn.server.as_ref()).and_then(|end| end.who)
    }

    /// Of the contacts that changes are for, those that their user does not hold now.
    fn not_held<A, B>(&self, id: u64, changes: &[(ContactId, A, B)]) -> BTreeSet<ContactId> {
        let Some(conn) = self.conns.get(&id) else { return BTreeSet::new() };
        let user = self.devices[conn.device].user;
        let known = |contact: &ContactId| self.oracle.rights.contains_key(contact);
        changes
            .iter()
            .map(|(contact, ..)| *contact)
            .filter(|contact| known(contact) && !self.oracle.is_held(contact, user))
            .filter(|contact| !self.oracle.absent.contains(contact))
            .collect()
    }

    fn append(&mut self, id: u64, batch: u64, changes: Vec<roadbook_protocol::wire::UpChange>) {
        let (Some(engine), Some(who)) = (self.server.engine(), self.who(id)) else { return };
        let service::Gated { admitted, mut refused, kept } =
            service::judge(changes, engine.limits());
        let Identity { workspace, device, user } = who;
        let not_held = self.not_held(id, &admitted);
        let (reply, answer) = oneshot::channel();
        let changes = admitted;
        let request = AppendRequest {
            workspace,
            device,
            user,
            batch,
            changes,
            vouched: None,
            sealed: SealedBy::Nobody,
        };
        engine.append(request, reply);
        if !kept.is_empty() {
            let now = engine.now_ms();
            match engine.write(move |tx| service::keep(tx, who, &kept, now)) {
                Ok(erased) => service::note_erased(&mut refused, &erased),
                Err(error) => return self.server_failed(id, &error),
            }
        }
        if let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) {
            end.appends.push_back(Append {
                refused,
                not_held,
                erased_since: BTreeSet::new(),
                reply: answer,
            });
        }
        self.log_soon();
    }

    /// Something failed at the server while it served a connection: that one ends.
    pub fn server_failed(&mut self, id: u64, error: &EngineError) {
        // After a failed sync nothing is written until a restart, however long ago that was.
        let syncs_failed = self.server.disk.disk.stats().failed_syncs > 0;
        let lawful = match error {
            EngineError::Closed | EngineError::Busy { .. } | EngineError::Refused { .. } => true,
            EngineError::NotCommitted { .. } => syncs_failed,
            _ => false,
        };
        if !lawful && !self.server_trouble() {
            self.violated("the server serves", error.to_string());
        }
        if matches!(error, EngineError::NotCommitted { .. }) {
            // Whoever runs it sees the alarm and starts it anew.
            self.restart_after_trouble();
        }
        let frame = Problem {
            code: ProblemCode::Internal,
            message: error.to_string(),
            retry_after_ms: Some(1_000),
            fatal: true,
            actors: Vec::new(),
        };
        self.send(id, false, &frame.into());
        self.close(id, End::Server);
    }

    /// Whoever runs the server sees the alarm and starts it anew.
    pub fn restart_after_trouble(&mut self) {
        if !self.server.disk.disk.is_crashed() {
            self.stop_server();
            self.cover.count("fault.server_restart");
            self.start_server_in(500);
        }
    }

    /// The server's end is over.
    pub fn server_ended(&mut self, id: u64) {
        let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.take()) else { return };
        if end.seated
            && let (Some(engine), Some(who)) = (self.server.engine(), end.who)
        {
            engine.forget_waiting(who.workspace, who.device);
            self.log_soon();
        }
    }
}
