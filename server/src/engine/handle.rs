//! The handle of the engine: opening, closing, reading, writing, and what is asked of the threads.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;

use automerge::Automerge;
use ring::signature::KeyPair;
use roadbook_protocol::ids::{Actor, ContactId, Cursor, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use rusqlite::{Connection, Transaction};
use serde_json::json;
use tokio::sync::{broadcast, oneshot};

use super::canary::Touch;
use super::checkpoint::{self, Due};
use super::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use super::keys;
use super::ledger::{self, Ledger};
use super::lock::DirLock;
use super::metrics::{Metrics, MetricsSnapshot, set};
use super::past;
use super::reads::Reads;
use super::replay;
use super::shards::{AuthorJob, Shards, Worker};
use super::shared::Shared;
use super::stepped::{Step, Stepped};
use super::timelines::{open_timelines, write_timeline};
use super::types::{AppendRequest, Appended, AuthorOutcome, Authored, Event};
use super::witness::Witness;
use super::writer::{Closure, Job, Queue, Writer};
use crate::store::devices::{self, Seen};
use crate::store::workspaces::{self, Workspace};
use crate::store::{
    self, DATABASE_FILE, Durability, EngineError, Result, audit, changes, contacts, documents,
    people, proposals,
};

/// Events that a slow receiver may lag behind before it loses some.
const EVENTS_MAX: usize = 4_096;

/// How an engine is opened.
#[derive(Clone)]
pub struct EngineOptions {
    /// [`Durability::Full`], except in tests and benchmarks that prove that they would notice.
    pub durability: Durability,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys and ids.
    pub entropy: Arc<dyn Entropy>,
    /// The limits of the protocol.
    pub limits: Limits,
    /// Threads that merge; 0 for one per core.
    pub merge_threads: usize,
    /// Connections that read.
    pub read_connections: usize,
    /// Where the ledger is; where it was the last time, or in the data directory, if `None`.
    pub ledger: Option<PathBuf>,
    /// Memory for documents, reckoned, over all merge threads.
    pub document_cache_bytes: usize,
    /// No threads: whoever waits does the work, the rest waits for [`Engine::step`]. For simulators.
    pub stepped: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            limits: Limits::DEFAULT,
            merge_threads: 0,
            read_connections: 8,
            ledger: None,
            document_cache_bytes: 64 * 1024 * 1024,
            stepped: false,
        }
    }
}

/// The engine of one data directory. See the [module](super) for what it is made of.
pub struct Engine {
    pub(super) shared: Arc<Shared>,
    dir: PathBuf,
    /// What does the work; `None` after the shutdown.
    running: RwLock<Option<Running>>,
}

enum Running {
    Threads(Threads),
    Stepped(Box<Stepped>, DirLock),
}

struct Threads {
    writer: JoinHandle<()>,
    checkpoint: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    _lock: DirLock,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens a data directory, making it if it is not there: takes its lock, brings the schema up to
    /// date, opens a timeline for each workspace (durable before this returns), starts the threads,
    /// and takes up the merges that were left. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Locked`], [`EngineError::NewerSchema`], [`EngineError::Unsuitable`],
    /// [`EngineError::KeyMissing`], [`EngineError::Io`] or what the database says.
    pub fn open(dir: &Path, options: EngineOptions) -> Result<Arc<Engine>> {
        create_dir(dir)?;
        let lock = DirLock::take(dir)?;
        let ledger_path = ledger::locate(dir, options.ledger.as_deref())?;
        let file = dir.join(DATABASE_FILE);
        let mut conn = store::open_writer(&file, |conn| keys::bring_out(dir, conn))?;
        let made = store::facts::make_missing(&mut conn)?;
        if made > 0 {
            tracing::info!(contacts = made, "the tables for totals were made from the documents");
        }
        let keys = keys::Keys::load(dir, &conn, &*options.entropy)?;
        let threads = match options.merge_threads {
            _ if options.stepped => 1,
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            threads => threads,
        };
        let shared = Arc::new(Shared {
            file: file.clone(),
            limits: options.limits,
            clock: options.clock,
            entropy: options.entropy,
            metrics: Metrics::default(),
            writer: Queue::default(),
            checkpoint: Due::default(),
            shards: Shards::new(threads),
            reads: Reads::new(file.clone(), options.read_connections),
            events: broadcast::Sender::new(EVENTS_MAX),
            keys,
            timelines: RwLock::default(),
            volumes: super::volume::Meter::default(),
            insight: super::insight::Insight::default(),
            bulks: super::bulk::Running::default(),
            stopped: OnceLock::new(),
        });
        let past_lost = past::is_lost(dir, &conn)?;
        let witness = open_timelines(dir, &mut conn, &shared, past_lost)?;
        let ledger = replay::take_up(&mut conn, &ledger_path, &shared)?;
        past::remember(dir, &shared.timeline_ids())?;
        let mut left = changes::contacts_pending(&conn)?;
        left.extend(proposals::contacts_due(&conn)?);
        let engine = Engine { shared, dir: dir.to_owned(), running: RwLock::new(None) };
        let (durability, cache) = (options.durability, options.document_cache_bytes / threads);
        let running = match options.stepped {
            false => {
                Running::Threads(engine.start(conn, durability, cache, lock, witness, ledger)?)
            }
            true => Running::Stepped(
                Box::new(engine.prepare(conn, durability, cache, witness, ledger)?),
                lock,
            ),
        };
        *engine.running.write().unwrap_or_else(PoisonError::into_inner) = Some(running);
        for key in left {
            engine.shared.shards.merge(key);
        }
        Ok(Arc::new(engine))
    }

    fn start(
        &self,
        mut conn: Connection,
        durability: Durability,
        cache_bytes: usize,
        lock: DirLock,
        witness: Witness,
        ledger: Ledger,
    ) -> Result<Threads> {
        let spawn = |name: String, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name)
                .spawn(work)
                .map_err(|source| EngineError::Io { path: self.dir.clone(), source })
        };
        let mut readers = Vec::new();
        for _ in 0..self.shared.shards.threads() {
            readers.push(store::open_reader(&self.shared.file)?);
        }
        let write_back = checkpoint::open(&self.shared.file, durability)?;
        checkpoint::watch(&mut conn, &self.shared)?;
        // Everything is open: whatever fails above leaves no thread behind.
        let writer = Writer::new(conn, Arc::clone(&self.shared), durability, witness, ledger);
        let writer = spawn("roadbook-writer".to_owned(), Box::new(move || writer.run()))?;
        let shared = Arc::clone(&self.shared);
        let checkpoint = spawn(
            "roadbook-checkpoint".to_owned(),
            Box::new(move || checkpoint::run(&shared, &write_back)),
        )?;
        let mut workers = Vec::new();
        for (index, conn) in readers.into_iter().enumerate() {
            let worker = Worker::new(index, Arc::clone(&self.shared), conn, cache_bytes);
            workers.push(spawn(format!("roadbook-merge-{index}"), Box::new(move || worker.run()))?);
        }
        Ok(Threads { writer, checkpoint, workers, _lock: lock })
    }

    /// What [`Self::start`] gives to threads, without them.
    fn prepare(
        &self,
        mut conn: Connection,
        durability: Durability,
        cache_bytes: usize,
        witness: Witness,
        ledger: Ledger,
    ) -> Result<Stepped> {
        checkpoint::watch(&mut conn, &self.shared)?;
        let writer = Writer::new(conn, Arc::clone(&self.shared), durability, witness, ledger);
        let writer = Arc::new(Mutex::new(writer));
        let reader = store::open_reader(&self.shared.file)?;
        let worker = Worker::new(0, Arc::clone(&self.shared), reader, cache_bytes)
            .with_writer(Arc::clone(&writer));
        let checkpoint = checkpoint::open(&self.shared.file, durability)?;
        Ok(Stepped::new(Arc::clone(&self.shared), writer, worker, checkpoint))
    }

    /// Does what is queued, on the calling thread, and returns when it is done. Only for an engine
    /// that was opened with [`EngineOptions::stepped`]; any other does it by itself.
    pub fn step(&self, step: Step) {
        let running = self.running.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(Running::Stepped(stepped, _)) = running.as_ref() {
            match step {
                Step::Log => stepped.log(),
                Step::Merge => stepped.merge(),
                Step::Checkpoint => stepped.checkpoint(),
            }
        }
    }

    /// Ends the engine: no new work is taken, what is queued is written and answered, the threads
    /// end, the WAL is written back, the lock is released. Merges that are left are taken up by the
    /// next start. Blocking; a second call does nothing.
    pub fn shutdown(&self) {
        let running = self.running.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = running else { return };
        self.shared.writer.close();
        match running {
            Running::Threads(threads) => self.join(threads),
            Running::Stepped(stepped, _lock) => {
                self.shared.shards.stop();
                self.shared.reads.close();
                stepped.finish();
                self.shared.writer.stop();
            }
        }
    }

    fn join(&self, threads: Threads) {
        self.shared.shards.stop();
        for worker in threads.workers {
            if worker.join().is_err() {
                tracing::error!("a merge thread panicked");
            }
        }
        self.shared.reads.close();
        self.shared.checkpoint.stop();
        if threads.checkpoint.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
        self.shared.writer.stop();
        if threads.writer.join().is_err() {
            tracing::error!("the writer thread panicked");
        }
    }

    /// Why nothing is written any more until a restart, if it has come to that: the disk failed to sync,
    /// or the database's log was deleted.
    pub fn stopped_writing(&self) -> Option<&'static str> {
        self.shared.stopped.get().copied()
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The limits that apply.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Now, by the engine's clock.
    pub fn now_ms(&self) -> UnixMs {
        self.shared.clock.now_ms()
    }

    /// Random bytes, fit for keys.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        self.shared.random()
    }

    /// The counters.
    pub fn metrics(&self) -> MetricsSnapshot {
        set(&self.shared.metrics.writer_queue, self.shared.writer.len());
        set(&self.shared.metrics.merge_queue, self.shared.shards.len());
        self.shared.metrics.snapshot()
    }

    /// What happens from now on. A receiver that lags reads everything anew.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// Runs `work` in a read transaction: it sees one moment. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Closed`], what the database says, or what `work` returns.
    pub fn read<T, E: From<EngineError>>(
        &self,
        work: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.shared.reads.run(work)
    }

    /// Runs `work` inside the next transaction of the writer. Durable when it returns `Ok`; undone if
    /// `work` returns an error. `work` must be short: everything else waits for it. Blocking.
    ///
    /// # Errors
    /// What `work` returns, [`EngineError::NotCommitted`], [`EngineError::Closed`].
    pub fn write<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        T: Send + 'static,
        E: From<EngineError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> std::result::Result<T, E> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let task = Box::new(Closure::new(work, Some(reply)));
        self.shared.writer.submit(Job::Write { task, durable: true }, false);
        self.step(Step::Log);
        answer.recv().unwrap_or(Err(EngineError::Closed.into()))
    }

    /// Runs `work` in some later transaction, not durable: for what may be lost in a power cut, such
    /// as when a device was seen. Never blocks; dropped if the queue is full.
    pub fn write_soon<F>(&self, work: F)
    where
        F: FnOnce(&Transaction<'_>) -> Result<()> + Send + 'static,
    {
        let task = Box::new(Closure::new(work, None));
        self.shared.writer.offer(Job::Write { task, durable: false });
    }

    /// Queues changes of a device for the next group commit. The answer comes after the commit:
    /// every outcome but `Waiting` and `Erased` is durable then. Never blocks; a full queue answers
    /// [`EngineError::Busy`] at once.
    pub fn append(&self, request: AppendRequest, reply: oneshot::Sender<Result<Appended>>) {
        let bytes = request.changes.iter().map(|(_, _, bytes)| bytes.len() + 256).sum();
        self.shared.writer.offer(Job::Append { request, bytes, reply });
    }

    /// [`Self::append`], waiting for the answer. Not for async code.
    ///
    /// # Errors
    /// [`EngineError::Busy`], [`EngineError::Closed`], [`EngineError::NotCommitted`], or
    /// [`EngineError::Refused`] if the device may not write at all.
    pub fn append_blocking(&self, request: AppendRequest) -> Result<Appended> {
        let (reply, answer) = oneshot::channel();
        self.append(request, reply);
        self.step(Step::Log);
        answer.blocking_recv().unwrap_or(Err(EngineError::Closed))
    }

    /// A device's connection has ended: what waits of it is forgotten (it was not acknowledged).
    pub fn forget_waiting(&self, workspace: WorkspaceId, device: DeviceId) {
        self.shared.writer.offer(Job::Forget { workspace, device });
    }

    /// Makes edits in a person's name, by the server's own actor, each under the lock of its contact
    /// and on top of what is pending there. Merged and durable when it returns; one outcome per item
    /// in order, a refused item does not keep the others back. For a bulk import give some thousand
    /// at once. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Closed`]; refusals of single items are in the outcomes.
    pub fn author(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        items: Vec<Authored>,
    ) -> Result<Vec<AuthorOutcome>> {
        let actor = self.open_timeline(workspace)?.actor;
        if !items.is_empty() {
            self.read(|conn| people::user(conn, workspace, by))?;
        }
        let edited: Vec<ContactId> = items
            .iter()
            .filter(|item| item.create_for.is_none() && item.decision.is_none())
            .map(|item| item.contact)
            .collect();
        if !edited.is_empty() {
            self.touch_canaries(workspace, Some(by), Touch::Edit, edited)?;
        }
        let shards = &self.shared.shards;
        let mut divided: Vec<VecDeque<(usize, Authored)>> =
            (0..shards.threads()).map(|_| VecDeque::new()).collect();
        let mut outcomes: Vec<Option<AuthorOutcome>> = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            outcomes.push(None);
            divided[shards.of((workspace, item.contact))].push_back((index, item));
        }
        let (reply, answers) = channel();
        for (shard, items) in divided.into_iter().enumerate().filter(|(_, items)| !items.is_empty())
        {
            shards
                .author(shard, AuthorJob { workspace, actor, by, items, reply: reply.clone() })?;
        }
        drop(reply);
        self.step(Step::Merge);
        for (index, outcome) in answers {
            if let Some(slot) = outcomes.get_mut(index) {
                *slot = Some(outcome);
            }
        }
        let unanswered = || AuthorOutcome::Refused(EngineError::Closed);
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect())
    }

    /// One edit by the server that nobody who reads canaries is watched for, and by whoever.
    pub(super) fn author_unseen(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        item: Authored,
    ) -> Result<AuthorOutcome> {
        let actor = self.open_timeline(workspace)?.actor;
        let shard = self.shared.shards.of((workspace, item.contact));
        let (reply, answers) = channel();
        let items = VecDeque::from([(0, item)]);
        self.shared.shards.author(shard, AuthorJob { workspace, actor, by, items, reply })?;
        self.step(Step::Merge);
        Ok(answers.recv().map_or(AuthorOutcome::Refused(EngineError::Closed), |(_, one)| one))
    }

    /// Creates a workspace with a signing key, and opens its timeline. Durable. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Taken`].
    pub fn create_workspace(&self, name: &str) -> Result<WorkspaceId> {
        let id = WorkspaceId::from_random(self.random());
        let now = self.now_ms();
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 200 {
            return Err(EngineError::Refused {
                code: "name",
                reason: "a workspace needs a name of 1 to 200 characters".to_owned(),
            });
        }
        // First the file: a workspace without its key could not be served.
        let pair = keys::make(&self.dir, id, &*self.shared.entropy)?;
        let public = pair.public_key().as_ref().to_vec();
        let timeline = self.new_timeline();
        // If this fails the file stays: a commit that reported an error may be on the disk all the same,
        // and without the key no server would open it. A key that nothing refers to harms nobody.
        self.write(move |tx| -> Result<()> {
            workspaces::create(tx, id, &name, &public, now)?;
            write_timeline(tx, id, timeline, now)?;
            audit::append(
                tx,
                id,
                now,
                None,
                "workspace.add",
                &id.to_string(),
                &json!({ "name": name }),
            )
        })?;
        self.shared.keys.keep(id, pair);
        self.shared.keys.new_sealing(&self.dir, id, &*self.shared.entropy)?;
        self.keep_timeline(id, timeline);
        Ok(id)
    }

    /// All workspaces, oldest first. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.read(workspaces::list)
    }

    /// Signs with the workspace's Ed25519 key, in about 20 µs.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn sign(&self, workspace: WorkspaceId, text: &[u8]) -> Result<Vec<u8>> {
        Ok(self.shared.keys.get(workspace)?.sign(text).as_ref().to_vec())
    }

    /// The key that verifies what [`Self::sign`] signs.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn public_key(&self, workspace: WorkspaceId) -> Result<Vec<u8>> {
        Ok(self.shared.keys.get(workspace)?.public_key().as_ref().to_vec())
    }

    /// The last cursor that was assigned. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn public_cursor(&self, workspace: WorkspaceId) -> Result<Cursor> {
        self.read(|conn| workspaces::cursor(conn, workspace))
    }

    /// Registers the actors that a replica announces. Returns those that belong to others: the
    /// replica takes new ones. Durable. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn register_actors(
        &self,
        workspace: WorkspaceId,
        device: DeviceId,
        actors: &[Actor],
    ) -> Result<Vec<Actor>> {
        let owners = actors.to_vec();
        let unknown: Vec<Actor> = self.read(|conn| -> Result<_> {
            let mut unknown = Vec::new();
            for actor in owners {
                match devices::actor_owner(conn, workspace, actor)? {
                    Some(devices::ActorOwner::Device(owner)) if owner == device => {}
                    _ => unknown.push(actor),
                }
            }
            Ok(unknown)
        })?;
        if unknown.is_empty() {
            return Ok(unknown);
        }
        let now = self.now_ms();
        self.write(move |tx| {
            let mut taken = Vec::new();
            for actor in unknown {
                match devices::register_actor(tx, workspace, actor, device, now) {
                    Ok(()) => {}
                    Err(EngineError::Refused { .. }) => taken.push(actor),
                    Err(error) => return Err(error),
                }
            }
            Ok(taken)
        })
    }

    /// Revokes a device: from now on nothing is taken from it, and its connections are told to end.
    /// Durable. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn revoke(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        device: DeviceId,
    ) -> Result<()> {
        let now = self.now_ms();
        self.write(move |tx| -> Result<()> {
            devices::revoke_device(tx, workspace, device, now)?;
            audit::append(tx, workspace, now, by, "device.revoke", &device.to_string(), &json!({}))
        })?;
        self.forget_waiting(workspace, device);
        self.shared.publish(Event::Revoked { workspace, device });
        Ok(())
    }

    /// Ends the connections of somebody's devices: the user was disabled. They are told so, and wipe
    /// nothing. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn shut_out(&self, workspace: WorkspaceId, user: UserId) -> Result<()> {
        for device in self.read(|conn| devices::list_devices(conn, workspace, Some(user)))? {
            self.forget_waiting(workspace, device.id);
            self.shared.publish(Event::Revoked { workspace, device: device.id });
        }
        Ok(())
    }

    /// Records what a device said of itself. Never blocks, not durable.
    pub fn seen(&self, workspace: WorkspaceId, device: DeviceId, seen: Seen) {
        let shared = Arc::clone(&self.shared);
        self.write_soon(move |tx| {
            devices::touch_device(tx, workspace, device, &seen)?;
            shared.publish(Event::DeviceSeen { workspace, device });
            Ok(())
        });
    }

    /// The merged document of a contact, for history, conflicts and export. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Damaged`].
    pub fn document(&self, workspace: WorkspaceId, contact: ContactId) -> Result<Automerge> {
        self.read(|conn| match contacts::find(conn, workspace, contact)? {
            Some(found) if found.erased_at.is_none() && found.cursor > 0 => {
                documents::document(conn, workspace, &found)
            }
            _ => Err(EngineError::not_found(format!("contact {contact}"))),
        })
    }

    /// Waits until nothing that was stored before the call is left to merge, or until `give_up`.
    /// Returns whether that was reached. For tools and tests; servers listen to events. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn wait_merged(&self, give_up: std::time::Duration) -> Result<bool> {
        let deadline = std::time::Instant::now() + give_up;
        let seen = || {
            let metrics = self.shared.metrics.snapshot();
            (metrics.merges, metrics.merges_stale, metrics.merges_failed)
        };
        loop {
            let before = seen();
            if self.read(nothing_left)? {
                return Ok(true);
            }
            self.step(Step::Merge);
            while seen() == before {
                if std::time::Instant::now() >= deadline {
                    return self.read(nothing_left);
                }
                std::thread::park_timeout(std::time::Duration::from_millis(1));
            }
        }
    }

    pub(super) fn publish(&self, event: Event) {
        self.shared.publish(event);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Whether everything that was stored is merged, and late edits are taken apart.
fn nothing_left(conn: &Connection) -> Result<bool> {
    Ok(changes::count_pending(conn)? == 0 && proposals::contacts_due(conn)?.is_empty())
}

fn create_dir(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| EngineError::Io { path: dir.to_owned(), source })
}
