//! The simulated world: one queue of what happens next, one clock, one thread.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use fastrand::Rng;
use ring::digest::{Context, SHA256};
use roadbook_faults::disk::Disk;
use roadbook_faults::world as virtual_world;
use roadbook_protocol::session::{ClientEvent, ServerEffect, ServerEvent};
use tempfile::TempDir;

use crate::assigning::Asked;
use crate::coverage::Coverage;
use crate::device::{Device, SimClock};
use crate::net::{Conn, End};
use crate::oracle::{Oracle, Violation};
use crate::plan::{Mode, Plan};
use crate::server::Server;
use crate::trouble::{SimDisk, failed};

/// When every run begins, milliseconds since 1970.
pub const START_MS: i64 = 1_780_000_000_000;
/// Things that may happen in a run: far more than any needs, far less than for ever.
const HAPPENINGS_MAX: u64 = 40_000_000;

/// Something that happens at a moment.
#[allow(missing_docs, reason = "what each field is, its variant says")]
pub enum Happening {
    /// The next step of the plan.
    Step,
    /// A frame arrives.
    Deliver { conn: u64, up: bool, bytes: Vec<u8> },
    /// An end hears that the connection is over.
    Closed { conn: u64, end: End },
    /// The device carries out an effect.
    DeviceWork { conn: u64 },
    /// The engine answers a session.
    ServerJob { conn: u64, effect: Box<ServerEffect> },
    /// The log's turn.
    ServerLog,
    /// The merge's turn.
    ServerMerge,
    /// Receipts that were held back are due.
    ServerTimer { conn: u64 },
    /// Time passes for a session at the server.
    ServerTick { conn: u64 },
    /// Time passes for a session on a device.
    ClientTick { conn: u64 },
    /// A device tries to connect.
    Reconnect { device: usize },
    /// The server starts.
    StartServer,
    /// The server's disk is well again.
    ServerDiskHeals,
    /// A device's disk is well again.
    DeviceDiskHeals { device: usize },
}

struct Queued {
    at: i64,
    order: u64,
    what: Happening,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Whether every run prints what happens: for one plan at a time.
pub static TELL: AtomicBool = AtomicBool::new(false);

/// A digest over every frame that arrived: two runs of one plan have the same.
pub struct Trace(Context);

impl Trace {
    /// Notes a frame.
    pub fn note(&mut self, now: i64, conn: u64, up: bool, bytes: &[u8]) {
        self.0.update(&now.to_be_bytes());
        self.0.update(&conn.to_be_bytes());
        self.0.update(&[u8::from(up)]);
        self.0.update(bytes);
    }

    fn text(self) -> String {
        hex::encode(&self.0.finish().as_ref()[..8])
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The broken promise, if there is one.
    pub violation: Option<Violation>,
    /// What happened, counted.
    pub coverage: Coverage,
    /// Edits, the office's included.
    pub edits: u64,
    /// Acknowledged changes that were looked up at the end.
    pub acknowledged: u64,
    /// Devices at the end.
    pub devices: u64,
    /// A digest over every frame that arrived.
    pub trace: String,
}

/// Everything.
pub struct World {
    /// The plan.
    pub plan: Plan,
    /// Now, milliseconds since 1970.
    pub now: i64,
    /// Chance, from the plan's seed.
    pub rng: Rng,
    /// The server.
    pub server: Server,
    /// The devices.
    pub devices: Vec<Device>,
    /// The connections.
    pub conns: BTreeMap<u64, Conn>,
    /// The number of the next one.
    pub next_conn: u64,
    /// What must be true.
    pub oracle: Oracle,
    /// What happened.
    pub cover: Coverage,
    /// The digest.
    pub trace: Trace,
    /// Devices whose app has to end.
    pub in_trouble: BTreeSet<usize>,
    /// Assignments whose answer nobody has heard.
    pub unheard: Vec<Asked>,
    next_step: usize,
    violation: Option<Violation>,
    queue: BinaryHeap<Reverse<Queued>>,
    order: u64,
    clock: Arc<AtomicI64>,
    // Last, so that the files go when everything that has them open is gone.
    root: TempDir,
}

impl World {
    /// An empty world. The thread must have entered a virtual one.
    ///
    /// # Errors
    /// What the file system says.
    pub fn new(plan: Plan) -> std::io::Result<World> {
        let root = tempfile::Builder::new().prefix("roadbook-sim-").tempdir_in(memory())?;
        let clock = Arc::new(AtomicI64::new(START_MS));
        virtual_world::set_now_ms(START_MS);
        let dir = root.path().join("server");
        let disk = Disk::mount(&dir, plan.seed);
        let server =
            Server::new(dir, SimDisk::new(disk), SimClock::new(&clock, "the server".to_owned()));
        let mut world = World {
            now: START_MS,
            rng: Rng::with_seed(plan.seed ^ 0x0a11_ce55),
            server,
            devices: Vec::new(),
            conns: BTreeMap::new(),
            next_conn: 1,
            oracle: Oracle::default(),
            cover: Coverage::default(),
            trace: Trace(Context::new(&SHA256)),
            in_trouble: BTreeSet::new(),
            unheard: Vec::new(),
            next_step: 0,
            violation: None,
            queue: BinaryHeap::new(),
            order: 0,
            clock,
            root,
            plan,
        };
        world.found();
        Ok(world)
    }

    /// A directory of its own below the world's.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The clock that all clocks are wrong against.
    pub fn clock(&self) -> &Arc<AtomicI64> {
        &self.clock
    }

    /// Lets something happen at a moment.
    pub fn schedule(&mut self, at: i64, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse(Queued { at: at.max(self.now), order: self.order, what }));
    }

    /// A promise was broken. The first counts.
    pub fn violated(&mut self, invariant: &'static str, detail: String) {
        if self.violation.is_none() {
            self.tell(|| format!("BROKEN: {invariant}: {detail}"));
            self.violation = Some(Violation { invariant, detail });
        }
    }

    /// Says what happens, if that is wanted.
    pub fn tell(&self, what: impl FnOnce() -> String) {
        if TELL.load(Ordering::Relaxed) {
            println!("{:>9.3} {}", (self.now - START_MS) as f64 / 1_000.0, what());
        }
    }

    /// Whether the run is over early.
    pub fn is_over(&self) -> bool {
        self.violation.is_some()
    }

    /// Runs the plan.
    pub fn run(mut self) -> Outcome {
        if let Some(step) = self.plan.steps.first() {
            let at = START_MS + step.at;
            self.schedule(at, Happening::Step);
        }
        let end = START_MS + self.plan.shape.span_ms;
        self.pass_until(end);
        match self.plan.mode {
            Mode::Safety => self.finish_safety(),
            Mode::Liveness => self.finish_liveness(),
        }
        self.settle_devices();
        self.count_disks();
        let acknowledged = self.oracle.acknowledged.len() as u64;
        let outcome = Outcome {
            violation: self.violation.take(),
            coverage: std::mem::take(&mut self.cover),
            edits: self.oracle.edits_made,
            acknowledged,
            devices: self.devices.len() as u64,
            trace: std::mem::replace(&mut self.trace, Trace(Context::new(&SHA256))).text(),
        };
        self.tear_down();
        outcome
    }

    /// Lets everything happen until a moment.
    pub fn pass_until(&mut self, end: i64) {
        while !self.is_over() {
            match self.queue.peek() {
                Some(Reverse(next)) if next.at <= end => {}
                _ => break,
            }
            let Some(Reverse(Queued { at, what, order })) = self.queue.pop() else { break };
            if order > HAPPENINGS_MAX {
                self.violated("everything comes to an end", format!("{order} things happened"));
            }
            self.set_now(at);
            self.happen(what);
            self.settle_devices();
            self.pump_server();
        }
        self.set_now(end);
    }

    fn set_now(&mut self, at: i64) {
        if at > self.now {
            self.now = at;
            self.clock.store(at, Ordering::Relaxed);
            virtual_world::set_now_ms(at);
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Step => self.step(),
            Happening::Deliver { conn, up, bytes } => self.deliver(conn, up, &bytes),
            Happening::Closed { conn, end } => self.ended(conn, end),
            Happening::DeviceWork { conn } => self.device_work(conn),
            Happening::ServerJob { conn, effect } => self.server_job(conn, *effect),
            Happening::ServerLog => self.server_log(),
            Happening::ServerMerge => self.server_merge(),
            Happening::ServerTimer { conn } => self.server_timer(conn),
            Happening::ServerTick { conn } => self.server_event(conn, ServerEvent::Tick),
            Happening::ClientTick { conn } => self.client_event(conn, ClientEvent::Tick),
            Happening::Reconnect { device } => {
                self.devices[device].reconnecting = false;
                self.connect(device);
            }
            Happening::StartServer => self.start_server(),
            Happening::ServerDiskHeals => self.server.disk.heal(self.now),
            Happening::DeviceDiskHeals { device } => self.devices[device].disk.heal(self.now),
        }
    }

    fn step(&mut self) {
        let Some(step) = self.plan.steps.get(self.next_step).cloned() else { return };
        self.next_step += 1;
        if let Some(next) = self.plan.steps.get(self.next_step) {
            let at = START_MS + next.at;
            self.schedule(at, Happening::Step);
        }
        self.tell(|| format!("step {:?}", step.op));
        self.act(step.op);
    }

    fn count_disks(&mut self) {
        let server = self.server.disk.disk.stats();
        self.cover.add("fault.server_disk_full", server.full);
        self.cover.add("fault.server_io_error", failed(&server) - server.full);
        for index in 0..self.devices.len() {
            let device = self.devices[index].disk.disk.stats();
            self.cover.add("fault.device_disk_full", device.full);
            self.cover.add("fault.device_io_error", failed(&device) - device.full);
        }
    }

    /// Everything is closed before the files go.
    fn tear_down(&mut self) {
        self.conns.clear();
        for device in &mut self.devices {
            device.disk.disk.crash();
            device.replica = None;
        }
        self.server.disk.disk.crash();
        self.server.engine = None;
    }
}

/// Where the files lie: in memory if the system has such a place.
fn memory() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() { shared } else { std::env::temp_dir() }
}
