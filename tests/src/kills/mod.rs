//! Kill -9 at random, again and again, of the shipped programs under load: no edit that the server
//! acknowledged and none that `roadbook` said was saved may be missing, and none may be there twice.
//!
//! Each cycle lets several devices edit and sync, kills a server or a device at a random moment of
//! whatever it is doing, reads from the files of the dead what it would find, and starts it again.
//! Every so many cycles everything is compared in full. A missing edit panics, with the seed and the
//! cycle in the message; so an [`Outcome`] is a proof for its cycles.
//!
//! `kill -9` proves nothing about fsync: the page cache survives it. That is `durability.rs`.

mod device;
mod ledger;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use roadbook_client_core::{OpenOptions, Replica};
use tokio::runtime::Runtime;

use crate::devices;
use crate::process::Rep;
use crate::scene::Scene;
use device::{Doing, Worker};
use ledger::Ledger;
pub use ledger::hashes_on_disk;

/// A failpoint is met within this time; normally at once.
const END_MAX: Duration = Duration::from_secs(60);
/// The load runs so long at most before the kill; at least so that something is under way.
const LOAD_MS: std::ops::Range<u64> = 5..90;
const PLACES: [&str; 4] = [
    "log_before_commit",
    "log_after_commit_before_ack",
    "merge_before_commit",
    "merge_after_commit",
];
const REPS: [(&str, &str); 3] = [("phone", "ada"), ("tablet", "ada"), ("colleague", "ben")];
const CONTACTS: usize = 80;

/// What to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many kills.
    pub cycles: usize,
    /// Decides who is killed, when, and what is edited. The interleaving of processes is the
    /// system's: the same seed makes the same choices, not the same run.
    pub seed: u64,
    /// Everything is compared after so many cycles, and at the end.
    pub compare_every: usize,
    /// Whether to tell on standard error how far it is.
    pub tell: bool,
}

/// What was done, with nothing missing.
#[derive(Debug)]
pub struct Outcome {
    /// Kills by whom they met and what that one was doing.
    pub kills: BTreeMap<(&'static str, String), usize>,
    /// Edits that `roadbook` said were saved.
    pub said: usize,
    /// Of the edits that a device was killed over, how many had been saved all the same.
    pub doubtful_saved: usize,
    /// All the edits that a device was killed over.
    pub doubtful: usize,
    /// Edits whose acknowledgement was found again on the server's disk after a kill.
    pub acknowledged: usize,
    /// How often everything was compared.
    pub comparisons: usize,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cycles: usize = self.kills.values().sum();
        writeln!(f, "{:<8} {:<34} {:>7}", "killed", "while", "cycles")?;
        for ((who, what), times) in &self.kills {
            writeln!(f, "{who:<8} {what:<34} {times:>7}")?;
        }
        writeln!(f, "{:<8} {:<34} {cycles:>7}", "all", "")?;
        writeln!(f, "edits said to be saved: {}, missing: 0, twice: 0", self.said)?;
        writeln!(f, "edits acknowledged by the server: {}, missing: 0", self.acknowledged)?;
        writeln!(
            f,
            "edits under way when their device was killed: {}, of which saved: {}, half saved: 0",
            self.doubtful, self.doubtful_saved
        )?;
        let seconds = self.took.as_secs_f64();
        writeln!(
            f,
            "compared in full: {} times; {seconds:.0} s, {:.0} cycles a minute",
            self.comparisons,
            cycles as f64 * 60.0 / seconds
        )
    }
}

struct Soak {
    plan: Plan,
    rng: Rng,
    runtime: Runtime,
    scene: Scene,
    workers: Vec<Arc<Worker>>,
    /// Makes many edits at once, inside this process, which is never killed.
    office: Replica,
    office_edits: usize,
    ledger: Ledger,
    outcome: Outcome,
    joined: usize,
}

/// Runs the plan.
///
/// # Panics
/// At the first edit that is missing or there twice, and where anything else does not hold.
pub fn run(plan: Plan) -> Outcome {
    let started = Instant::now();
    let mut soak = Soak::new(plan);
    for cycle in 1..=soak.plan.cycles {
        let (who, what) = soak.cycle();
        *soak.outcome.kills.entry((who, what)).or_default() += 1;
        if cycle % soak.plan.compare_every == 0 || cycle == soak.plan.cycles {
            soak.compare();
            if soak.plan.tell {
                let seconds = started.elapsed().as_secs();
                let said = soak.ledger.said();
                eprintln!("{cycle} of {} cycles, {said} edits, {seconds} s", soak.plan.cycles);
            }
        }
    }
    let mut outcome = soak.outcome;
    outcome.said = soak.ledger.said();
    (outcome.doubtful, outcome.doubtful_saved) = soak.ledger.doubtful();
    outcome.acknowledged = soak.ledger.acknowledged();
    outcome.took = started.elapsed();
    outcome
}

impl Soak {
    fn new(plan: Plan) -> Self {
        let fast = ["--device-messages-per-second", "100000", "--device-messages-burst", "100000"];
        let scene = Scene::with(&fast);
        scene.reps(&["ada", "ben"]);
        scene.import(15, CONTACTS, Some("ada"));
        // A new device of hers every few seconds is what the limit is there to stop.
        scene.admin(&["volume", "set", "device", "--contacts", "10000000"]).ok();
        scene.admin(&["assign", "--to", "ben", "--collaborator", "--filter", "*"]).ok();
        let mut workers = Vec::new();
        for (name, login) in REPS {
            let rep = scene.device(name, login);
            rep.sync();
            let contacts = rep.ids();
            workers.push(Arc::new(Worker::new(name, login, rep, contacts)));
        }
        let runtime = Runtime::new().unwrap();
        let office = runtime.block_on(async {
            let url = scene.url();
            let office = scene.replica_with("office", "ben", &url, OpenOptions::default()).await;
            devices::sync(&office).await.unwrap();
            office
        });
        Self {
            rng: Rng::with_seed(plan.seed),
            plan,
            runtime,
            scene,
            workers,
            office,
            office_edits: 0,
            ledger: Ledger::default(),
            outcome: Outcome {
                kills: BTreeMap::new(),
                said: 0,
                doubtful_saved: 0,
                doubtful: 0,
                acknowledged: 0,
                comparisons: 0,
                took: Duration::ZERO,
            },
            joined: 0,
        }
    }

    /// One kill. Tells whom it met, and what that one was doing.
    fn cycle(&mut self) -> (&'static str, String) {
        match self.rng.u8(..100) {
            0..35 => self.under_load(true, false),
            35..70 => self.under_load(false, true),
            70..75 => self.under_load(true, true),
            75..85 => self.at_failpoint(),
            85..90 => self.while_starting(),
            90..95 => self.while_stopping(),
            _ => self.while_joining(),
        }
    }

    /// Lets the devices work while `kill` runs, then until each has ended what it is doing.
    fn load<T>(&mut self, kill: impl FnOnce(&mut Self) -> T) -> T {
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = self
            .workers
            .iter()
            .map(|worker| {
                let (worker, stop, seed) = (worker.clone(), stop.clone(), self.rng.u64(..));
                std::thread::spawn(move || worker.work(&mut Rng::with_seed(seed), &stop))
            })
            .collect();
        let (office, from, seed) = (self.office.clone(), self.office_edits, self.rng.u64(..));
        let stopped = stop.clone();
        let task = self.runtime.spawn(device::burst(office, from, seed, stopped));
        let killed = kill(self);
        stop.store(true, Ordering::SeqCst);
        for thread in threads {
            let edits = thread.join().unwrap_or_else(|_| panic!("{}", self.failure()));
            self.ledger.add(edits);
        }
        let edits = self.runtime.block_on(task).unwrap();
        self.office_edits += edits.said.len();
        self.ledger.add(edits);
        killed
    }

    fn failure(&self) -> String {
        let cycle: usize = self.outcome.kills.values().sum();
        format!("a device could not work in cycle {}, seed {}", cycle + 1, self.plan.seed)
    }

    fn under_load(&mut self, server: bool, device: bool) -> (&'static str, String) {
        let moment = Duration::from_millis(self.rng.u64(LOAD_MS));
        let victim = self.rng.usize(..self.workers.len());
        let micros = self.rng.u64(..12_000);
        let (doing, syncing) = self.load(|soak| {
            std::thread::sleep(moment);
            let doing = device.then(|| {
                let worker = &soak.workers[victim];
                worker.wait_until_busy();
                std::thread::sleep(Duration::from_micros(micros));
                worker.kill()
            });
            let syncing =
                soak.workers.iter().filter(|worker| worker.doing() == Some(Doing::Sync)).count();
            if server {
                soak.scene.kill();
            }
            (doing.flatten(), syncing)
        });
        let doing = doing.map_or("between two commands", Doing::told);
        let told = match (server, device) {
            (true, false) => ("server", format!("{syncing} of its devices sync")),
            (false, _) => ("device", doing.to_owned()),
            (true, true) => ("both", format!("the device: {doing}")),
        };
        if device {
            self.look_at_device(victim);
        }
        if server {
            self.look_at_server();
            self.scene.start();
        }
        told
    }

    fn at_failpoint(&mut self) -> (&'static str, String) {
        let place = PLACES[self.rng.usize(..PLACES.len())];
        let armed = format!("{place}:{}", self.rng.usize(1..12));
        self.scene.kill();
        match self.scene.start_or_refuse(&[("ROADBOOK_FAILPOINT", &armed)]) {
            Ok(()) => {
                let met = self.load(|soak| soak.scene.server_mut().wait_for_end(END_MAX));
                assert!(met, "the load reaches the failpoint {armed}; seed {}", self.plan.seed);
                self.scene.kill();
            }
            // What the kill before left unmerged is merged while it starts: it may get so far.
            Err(said) => {
                let met = said.contains(&format!("failpoint {place}: aborting"));
                assert!(met, "{said}; seed {}", self.plan.seed);
            }
        }
        self.look_at_server();
        self.scene.start();
        ("server", format!("at {place}"))
    }

    fn while_starting(&mut self) -> (&'static str, String) {
        self.scene.kill();
        let moment = Duration::from_micros(self.rng.u64(..15_000));
        let starting = self.scene.spawn(&[]);
        std::thread::sleep(moment);
        starting.kill();
        self.look_at_server();
        self.scene.start();
        ("server", "it starts".into())
    }

    fn while_stopping(&mut self) -> (&'static str, String) {
        let before = Duration::from_millis(self.rng.u64(LOAD_MS));
        let moment = Duration::from_micros(self.rng.u64(..15_000));
        self.load(|soak| {
            std::thread::sleep(before);
            let server = soak.scene.take_server();
            server.signal("TERM");
            std::thread::sleep(moment);
            server.kill();
        });
        self.look_at_server();
        self.scene.start();
        ("server", "it stops".into())
    }

    /// A new device is killed while it enrols or fetches, as often as it takes to get there.
    fn while_joining(&mut self) -> (&'static str, String) {
        self.joined += 1;
        let rep = Rep::new(self.scene.dir().join(format!("joins-{}", self.joined)));
        let worker = Worker::new("joins", "ada", rep, Vec::new());
        let moment = Duration::from_micros(self.rng.u64(..25_000));
        let (url, code) = (self.scene.url(), self.scene.invite("ada"));
        let doing = std::thread::scope(|scope| {
            let joins = scope.spawn(|| worker.join(&url, &code));
            worker.wait_until_busy();
            std::thread::sleep(moment);
            let doing = worker.kill();
            let _ = joins.join();
            doing
        });
        // A code that was used up by the attempt is no use any more; another one is.
        let rep = worker.rep();
        rep.run(&["enroll", &self.scene.url(), &self.scene.invite("ada")]).ok();
        rep.sync();
        self.scene.assert_agrees(rep, "ada");
        std::fs::remove_dir_all(rep.home()).unwrap();
        ("device", doing.map_or("it has just joined", Doing::told).to_owned())
    }

    fn look_at_server(&mut self) {
        let reps: Vec<&Rep> = self.workers.iter().map(|worker| worker.rep()).collect();
        self.ledger.check_server(&self.scene.data(), &reps, &self.office, self.plan.seed);
    }

    fn look_at_device(&self, victim: usize) {
        let worker = &self.workers[victim];
        self.ledger.check_device(worker.name(), worker.rep(), self.plan.seed);
    }

    /// All devices get everything; every edit is there once, at the server and on each.
    fn compare(&mut self) {
        self.outcome.comparisons += 1;
        for _ in 0..2 {
            for worker in &self.workers {
                worker.rep().sync_until_merged();
            }
            self.runtime.block_on(devices::sync_until_merged(&self.office));
        }
        for worker in &self.workers {
            self.scene.assert_agrees(worker.rep(), worker.login());
            self.ledger.check_device(worker.name(), worker.rep(), self.plan.seed);
            let aside = worker.rep().json(&["quarantine"]);
            assert_eq!(aside["quarantine"], serde_json::json!([]), "seed {}", self.plan.seed);
        }
        devices::assert_all_merged(&self.office);
        assert_eq!(devices::state_hash(&self.office), self.scene.state_hash("ben"));
        self.ledger.check_export(&self.scene.export(), self.plan.seed);
        self.scene.assert_clean();
    }
}
