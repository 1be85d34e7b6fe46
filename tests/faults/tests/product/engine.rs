//! The engine: what was answered as stored is there after the next start and is merged, whatever
//! the disk did.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use roadbook_faults::{Disk, DiskFault, DiskStats, IoKind, Loss};
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::wire::{Fate, KeyAlgorithm, PendingChanges};
use roadbook_server::engine::{Engine, EngineOptions, Step};
use roadbook_server::store::devices::{self, Device};
use roadbook_server::store::people::{self, NewUser, Role};
use roadbook_server::store::{EngineError, Result};
use tempfile::TempDir;

use crate::support::{Made, TestClock, TestDevice};
use crate::{scratch, spread, steps, without_failures};

/// Runs with an error at most: one of a merge is tried again after a second.
const ERRORS_MAX: u64 = 60;
const SYNC_ERRORS: u64 = 6;
/// Runs with a crash at most.
const CRASHES_MAX: u64 = 1_000;
const START_MS: i64 = 1_780_000_000_000;
/// How often the work is taken up again after an error.
const ROUNDS: usize = 3;

/// One server.
struct Server {
    disk: Disk,
    dir: PathBuf,
    workspace: Option<WorkspaceId>,
    device: Option<TestDevice>,
    /// What the device has made, by contact.
    made: Vec<Vec<Made>>,
    /// What was answered as stored.
    stored: Vec<Made>,
    refused: usize,
    _dir: TempDir,
}

impl Server {
    fn new(seed: u64) -> Self {
        let dir = scratch();
        let disk = Disk::mount(dir.path(), seed);
        Self {
            dir: disk.root().join("data"),
            disk,
            workspace: None,
            device: None,
            made: Vec::new(),
            stored: Vec::new(),
            refused: 0,
            _dir: dir,
        }
    }

    fn open(&self) -> Result<Arc<Engine>> {
        self.open_with(false)
    }

    fn open_with(&self, stepped: bool) -> Result<Arc<Engine>> {
        let clock = Arc::new(TestClock(AtomicI64::new(START_MS)));
        let options = EngineOptions {
            clock,
            merge_threads: 1,
            read_connections: 2,
            stepped,
            ..EngineOptions::default()
        };
        Engine::open(&self.dir, options)
    }

    /// Opens, makes a workspace with a device, takes its changes, merges, closes. After an error it
    /// starts again, as the server says one should, and goes on.
    fn work(&mut self) {
        for _ in 0..ROUNDS {
            let Ok(engine) = self.open() else {
                self.refused += 1;
                continue;
            };
            let done = self.serve(&engine);
            self.refused += usize::from(done.is_err());
            engine.shutdown();
            if done.is_ok() || self.disk.is_crashed() {
                return;
            }
        }
    }

    fn serve(&mut self, engine: &Engine) -> Result<()> {
        self.take(engine)?;
        // An error of a merge is not told to anybody; it is tried again after a second. On a disk that
        // stays full it never works.
        for _ in 0..60 {
            if engine.wait_merged(Duration::from_millis(50))?
                || self.disk.is_crashed()
                || self.disk.stats().full > 0
            {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, engine: &Engine) -> Result<()> {
        let workspace = match self.workspace {
            Some(workspace) => workspace,
            None => *self.workspace.insert(engine.create_workspace("Nordwind")?),
        };
        if self.device.is_none() {
            self.device = Some(new_device(engine, workspace)?);
        }
        let device = self.device.clone().unwrap();
        if self.made.is_empty() {
            for n in 0..4 {
                let contact = ContactId::from_time(START_MS as u64, engine.random());
                self.made.push(device.create(contact, 2 + n).1);
            }
        }
        for made in self.made.clone() {
            for batch in made.chunks(2) {
                self.append(engine, &device, batch)?;
            }
        }
        Ok(())
    }

    fn append(&mut self, engine: &Engine, device: &TestDevice, batch: &[Made]) -> Result<()> {
        let answer = engine.append_blocking(device.request(batch))?;
        for (made, outcome) in batch.iter().zip(&answer.outcomes) {
            assert!(
                matches!(outcome.fate, Fate::Stored | Fate::Merged),
                "an error of the disk is no reason to refuse a change: {outcome:?}"
            );
            self.stored.push(made.clone());
        }
        Ok(())
    }

    /// Opens it on a disk without faults and looks for all that was answered.
    fn check(&mut self, what: &str) {
        let engine = self.open().unwrap_or_else(|error| panic!("{what}: {error}"));
        if let (Some(workspace), Some(device)) = (self.workspace, self.device.clone()) {
            let fates = |made: &[Made]| -> Vec<Fate> {
                let one =
                    |made: &Made| PendingChanges { contact: made.contact, hashes: vec![made.hash] };
                let pending: Vec<_> = made.iter().map(one).collect();
                let fates = engine.fates(workspace, device.id, &pending).unwrap();
                fates.into_iter().map(|fate| fate.fate).collect()
            };
            for (made, fate) in self.stored.iter().zip(fates(&self.stored)) {
                assert!(
                    matches!(fate, Fate::Stored | Fate::Merged),
                    "{what}: {} was answered as stored and is {fate:?}",
                    made.hash
                );
            }
            // The device offers what it got no answer for once more.
            for made in self.made.clone() {
                self.append(&engine, &device, &made).unwrap();
            }
            assert!(engine.wait_merged(Duration::from_secs(30)).unwrap(), "{what}: not merged");
            for made in &self.made {
                assert!(fates(made).iter().all(|fate| *fate == Fate::Merged), "{what}");
            }
        } else {
            engine.create_workspace("Another").unwrap();
        }
        let report = engine.check().unwrap();
        assert!(report.is_clean(), "{what}: {:#?}", report.findings);
        engine.shutdown();
    }
}

fn new_device(engine: &Engine, workspace: WorkspaceId) -> Result<TestDevice> {
    let user = UserId::from_random(engine.random());
    let id = DeviceId::from_random(engine.random());
    let now = engine.now_ms();
    let device = Device {
        workspace,
        id,
        user,
        algorithm: KeyAlgorithm::Ed25519,
        public_key: vec![0; 32],
        name: "phone".to_owned(),
        platform: "test".to_owned(),
        app: "roadbook/0".to_owned(),
        created_at: now,
        last_seen: None,
        revoked_at: None,
        unsent: 0,
        cursor: 0,
        missing: 0,
    };
    engine.write(move |tx| -> Result<(), EngineError> {
        let login = format!("rep-{user}");
        let new = NewUser { id: user, login: &login, name: "", role: Role::Rep, team: None };
        people::create_user(tx, workspace, &new, now)?;
        devices::create_device(tx, &device)
    })?;
    Ok(TestDevice { workspace, user, id, actor: Actor::from_random(engine.random()), at: now })
}

/// Operations of a run without a fault.
fn operations() -> u64 {
    let mut server = Server::new(0);
    server.work();
    assert_eq!((server.refused, server.stored.len()), (0, 14));
    let operations = server.disk.operations();
    server.check("without a fault");
    operations
}

/// Runs with each fault; the sum of what the disks did.
fn run(faults: impl Iterator<Item = (u64, DiskFault, Loss)>) -> (DiskStats, usize) {
    let mut total = DiskStats::default();
    let mut refused = 0;
    for (seed, fault, loss) in faults {
        let mut server = Server::new(seed);
        server.disk.arm(fault);
        server.work();
        let what = format!("{fault:?}, {loss:?}, {} refused", server.refused);
        server.disk.disarm();
        server.disk.restart(loss).unwrap();
        server.check(&what);
        total.add(&server.disk.stats());
        refused += server.refused;
    }
    (total, refused)
}

#[test]
fn after_an_error_of_any_operation_every_stored_change_is_there() {
    let total = operations();
    let faults = steps(total, ERRORS_MAX).map(|at| (at, IoKind::Any));
    // Syncs are few among all operations: some of them in any case.
    let syncs = (1..=SYNC_ERRORS).map(|at| (at, IoKind::Sync));
    let faults = faults.chain(syncs);
    let (stats, refused) =
        run(faults.map(|(at, kind)| (at, DiskFault::Fail { at, kind }, Loss::Power)));
    println!("{total} operations, {refused} refused: {stats:?}");
    assert!(stats.failed_writes > 0 && stats.failed_syncs > 0 && stats.failed_reads > 0);
    assert!(refused > 0);
}

#[test]
fn after_a_crash_at_any_operation_every_stored_change_is_there() {
    let total = operations();
    let losses = [Loss::Power, Loss::All, Loss::Power].into_iter().cycle();
    let faults =
        steps(total, CRASHES_MAX).zip(losses).map(|(at, loss)| (at, DiskFault::Crash { at }, loss));
    let (stats, refused) = run(faults);
    println!("{total} operations, {refused} refused: {stats:?}");
    assert!(stats.torn > 0 && stats.dropped > 0 && stats.kept > 0, "{stats:?}");
}

#[test]
fn after_a_sync_that_lost_its_writes_every_stored_change_is_there() {
    let faults = (1..50).map(|at| (at, DiskFault::LostSync { at }, Loss::All));
    let (stats, refused) = run(faults);
    println!("{refused} refused: {stats:?}");
    assert!(stats.lost_syncs > 10 && refused > 5, "{stats:?}");
}

#[test]
fn on_a_full_disk_every_stored_change_is_there() {
    let mut server = Server::new(0);
    server.work();
    let bytes = server.disk.stats().bytes_written;
    let faults = spread(bytes, 25)
        .map(|after_bytes| (after_bytes, DiskFault::Full { after_bytes }, Loss::Power));
    let (stats, refused) = run(faults);
    println!("{refused} refused: {stats:?}");
    assert!(stats.full > 5 && refused > 5, "{stats:?}");
}

/// The file is new, something fails, the office goes on, and the power is cut before the next start.
#[test]
fn after_an_error_while_the_file_is_made_and_a_power_cut_every_stored_change_is_there() {
    let mut refused = 0;
    for at in 1.. {
        let mut server = Server::new(at);
        server.disk.arm(DiskFault::Fail { at, kind: IoKind::Any });
        let opened = (0..2).find_map(|_| server.open_with(true).ok());
        let before = server.disk.operations();
        if let Some(engine) = opened {
            refused += usize::from(server.take(&engine).is_err());
            server.disk.crash();
            engine.shutdown();
        }
        server.disk.restart(Loss::All).unwrap();
        server.disk.disarm();
        server.check(&format!("error at {at}"));
        if at > before {
            break;
        }
    }
    assert!(refused < 20, "{refused} runs were refused");
}

#[test]
fn an_engine_that_could_not_open_leaves_no_file_and_no_thread() {
    let mut failed = 0;
    for at in 1.. {
        let server = Server::new(at);
        server.disk.arm(DiskFault::Fail { at, kind: IoKind::Any });
        match server.open() {
            Err(_) => failed += 1,
            Ok(engine) => engine.shutdown(),
        }
        // A thread that were left would hold its connection.
        assert_eq!(server.disk.open_handles(), 0, "error at {at}");
        if server.disk.stats() == without_failures(server.disk.stats()) {
            break;
        }
    }
    assert!(failed > 10, "{failed}");
}

/// What is derived waits in the log unsynced. If the sync before a checkpoint fails, the system may
/// have forgotten those pages: a later sync says yes, and behind the hole nothing is found again.
#[test]
fn after_a_failed_sync_of_a_checkpoint_nothing_more_is_answered_that_could_be_lost() {
    let mut refused = 0;
    for at in 1..4 {
        let mut server = Server::new(at);
        let engine = server.open_with(true).unwrap();
        let workspace = *server.workspace.insert(engine.create_workspace("Nordwind").unwrap());
        let device = server.device.insert(new_device(&engine, workspace).unwrap()).clone();
        for _ in 0..4 {
            let contact = ContactId::from_time(START_MS as u64, engine.random());
            server.made.push(device.create(contact, 3).1);
        }
        let append = |server: &mut Server, made: usize, edit: usize| {
            let batch = server.made[made][edit..=edit].to_vec();
            let (reply, answer) = tokio::sync::oneshot::channel();
            engine.append(device.request(&batch), reply);
            engine.step(Step::Log);
            let stored = answer.blocking_recv().unwrap().is_ok();
            if stored {
                server.stored.extend(batch);
            }
            stored
        };
        for made in 0..4 {
            assert!(append(&mut server, made, 0));
        }
        engine.step(Step::Merge);
        assert!(server.disk.unsynced() > 0, "a merge is not synced by itself");
        server.disk.arm(DiskFault::LostSync { at });
        engine.step(Step::Checkpoint);
        let struck = server.disk.stats().lost_syncs;
        server.disk.disarm();
        for made in 0..4 {
            refused += u64::from(!append(&mut server, made, 1));
        }
        server.disk.crash();
        engine.shutdown();
        drop(engine);
        server.disk.restart(Loss::All).unwrap();
        server.check(&format!("sync {at} of the checkpoint lost: {struck}"));
    }
    assert!(refused > 0, "nothing was refused");
}

/// What waits in the log unsynced has a hole on the disk behind a failed sync. Written back at the end
/// it would stand half in the database after a power cut.
#[test]
fn behind_a_failed_sync_nothing_is_written_back_into_the_database_at_the_end() {
    let mut server = Server::new(7);
    let engine = server.open_with(true).unwrap();
    let workspace = *server.workspace.insert(engine.create_workspace("Nordwind").unwrap());
    let device = server.device.insert(new_device(&engine, workspace).unwrap()).clone();
    let contact = ContactId::from_time(START_MS as u64, engine.random());
    server.made.push(device.create(contact, 2).1);
    let append = |server: &Server, edit: usize| {
        let batch = server.made[0][edit..=edit].to_vec();
        let (reply, answer) = tokio::sync::oneshot::channel();
        engine.append(device.request(&batch), reply);
        engine.step(Step::Log);
        answer.blocking_recv().unwrap().is_ok()
    };
    assert!(append(&server, 0));
    server.stored.extend(server.made[0][..1].to_vec());
    engine.step(Step::Merge);
    assert!(server.disk.unsynced() > 0, "a merge is not synced by itself");
    let file = server.dir.join("roadbook.db");
    let before = std::fs::read(&file).unwrap();
    server.disk.arm(DiskFault::LostSync { at: 1 });
    assert!(!append(&server, 1), "what was not synced is not acknowledged");
    server.disk.disarm();
    engine.step(Step::Checkpoint);
    engine.shutdown();
    drop(engine);
    assert!(std::fs::read(&file).unwrap() == before, "the database was written to");
    server.disk.crash();
    server.disk.restart(Loss::All).unwrap();
    server.check("a failed sync, then the end");
}
