//! The merge threads. Each contact belongs to one of them, which is its lock: merges and the
//! server's own edits of a contact are made one after the other, each on what the one before wrote.
//!
//! While one batch is being written the next is prepared, but never of the same contacts.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::NotReplayed;
use roadbook_protocol::ids::{Actor, UserId, WorkspaceId};
use rusqlite::Connection;

use super::commit::{self, Commit, Written};
use super::merge::{Authoring, Key, Merger, Prepared, ServerAuthor};
use super::metrics::{add, set};
use super::reads;
use super::shared::Shared;
use super::types::{AuthorOutcome, Authored};
use super::writer::{Job, Writer};
use crate::store::{EngineError, Result};

/// Contacts in one transaction of merges.
const BATCH_CONTACTS_MAX: usize = 128;
/// Bytes of documents in one transaction of merges.
const BATCH_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Edits of the server are made in turns of so many, with merges in between: an import must not
/// keep live edits waiting.
const TURN_ITEMS: usize = 16;
/// A batch is sent after so long, however few contacts it has.
const BATCH_TIME_MAX: Duration = Duration::from_millis(20);
/// How often an edit of the server is prepared anew because something else was written meanwhile.
const AUTHOR_ATTEMPTS_MAX: usize = 8;
/// How long a merge rests after its transaction has failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Edits of the server, for one thread.
pub(super) struct AuthorJob {
    pub workspace: WorkspaceId,
    pub actor: Actor,
    pub by: UserId,
    /// With the place of each in the caller's list.
    pub items: VecDeque<(usize, Authored)>,
    pub reply: Sender<(usize, AuthorOutcome)>,
}

/// The queues of all threads.
pub(super) struct Shards {
    shards: Vec<Shard>,
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Default)]
struct Queue {
    merges: VecDeque<Key>,
    queued: HashSet<Key>,
    resting: Vec<(Instant, Key)>,
    authors: VecDeque<AuthorJob>,
    stopped: bool,
}

impl Queue {
    /// Queues what rested until a moment that has come.
    fn wake(&mut self, has_come: impl Fn(Instant) -> bool) {
        while let Some(at) = self.resting.iter().position(|(due, _)| has_come(*due)) {
            let (_, key) = self.resting.swap_remove(at);
            self.push(key);
        }
    }
    fn push(&mut self, key: Key) {
        if self.queued.insert(key) {
            self.merges.push_back(key);
        }
    }
}

impl Shards {
    pub fn new(threads: usize) -> Self {
        let shards = (0..threads.max(1)).map(|_| Shard::default()).collect();
        Self { shards, hasher: RandomState::new() }
    }

    pub fn threads(&self) -> usize {
        self.shards.len()
    }

    pub fn of(&self, key: Key) -> usize {
        self.hasher.hash_one(key) as usize % self.shards.len()
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Queue> {
        self.shards[shard].queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the merge of what is pending of a contact.
    pub fn merge(&self, key: Key) {
        let shard = self.of(key);
        self.lock(shard).push(key);
        self.shards[shard].filled.notify_one();
    }

    /// Queues edits of the server for the thread `shard`.
    pub fn author(&self, shard: usize, job: AuthorJob) -> Result<()> {
        let mut queue = self.lock(shard);
        if queue.stopped {
            return Err(EngineError::Closed);
        }
        queue.authors.push_back(job);
        drop(queue);
        self.shards[shard].filled.notify_one();
        Ok(())
    }

    /// How many contacts wait to be merged.
    pub fn len(&self) -> usize {
        (0..self.shards.len()).map(|shard| self.lock(shard).queued.len()).sum()
    }

    /// Lets the threads end: edits that are queued are made, merges are left for the next start.
    pub fn stop(&self) {
        for (index, shard) in self.shards.iter().enumerate() {
            self.lock(index).stopped = true;
            shard.filled.notify_all();
        }
    }
}

/// What a prepared merge of a batch was made for.
enum Purpose {
    Merge,
    Author(Box<AuthorTag>),
}

struct AuthorTag {
    job: Arc<AuthorContext>,
    index: usize,
    item: Authored,
    attempt: usize,
    change: Option<ChangeHash>,
    not_replayed: Vec<NotReplayed>,
}

struct AuthorContext {
    workspace: WorkspaceId,
    actor: Actor,
    by: UserId,
    reply: Sender<(usize, AuthorOutcome)>,
}

impl AuthorContext {
    fn answer(&self, index: usize, outcome: AuthorOutcome) {
        // A caller that is gone does not want to know.
        drop(self.reply.send((index, outcome)));
    }
}

/// A batch on its way through the writer.
struct InFlight {
    purposes: HashMap<Key, Purpose>,
    reply: Receiver<Result<Vec<Commit>>>,
}

/// One merge thread.
pub(super) struct Worker {
    index: usize,
    shared: Arc<Shared>,
    conn: Connection,
    merger: Merger,
    batch: Vec<Prepared>,
    batch_bytes: u64,
    purposes: HashMap<Key, Purpose>,
    durable: bool,
    started: Instant,
    /// Documents in the cache, as it was last counted.
    documents: usize,
    /// How many merges may still be taken before edits of the server have their turn.
    merges_left: usize,
    in_flight: Option<InFlight>,
    /// Where there is no writer thread, who waits for it does its work.
    writer: Option<Arc<Mutex<Writer>>>,
}

enum Work {
    Merge(Key),
    Author(AuthorJob),
    Idle,
    End,
}

impl Worker {
    pub fn new(index: usize, shared: Arc<Shared>, conn: Connection, cache_bytes: usize) -> Self {
        let merger = Merger::new(shared.limits, cache_bytes);
        Self {
            index,
            shared,
            conn,
            merger,
            batch: Vec::new(),
            batch_bytes: 0,
            purposes: HashMap::new(),
            durable: false,
            started: Instant::now(),
            documents: 0,
            merges_left: TURN_ITEMS,
            in_flight: None,
            writer: None,
        }
    }

    /// A worker without a writer thread beside it.
    pub fn with_writer(mut self, writer: Arc<Mutex<Writer>>) -> Self {
        self.writer = Some(writer);
        self
    }

    fn is_stepped(&self) -> bool {
        self.writer.is_some()
    }

    /// Works until the shards are stopped.
    pub fn run(mut self) {
        let _guard = StopOnExit { shared: Arc::clone(&self.shared), index: self.index };
        while self.work(Self::next) {}
    }

    /// Does what is queued and what rested since the last call, on the calling thread. It looks at
    /// no clock, so that a run can be repeated.
    pub fn work_queued(&mut self) {
        let shared = Arc::clone(&self.shared);
        shared.shards.lock(self.index).wake(|_| true);
        while self.work(Self::next_queued) {}
    }

    /// Does one piece of work; `false` at the end.
    fn work(&mut self, next: impl FnOnce(&mut Self) -> Work) -> bool {
        let end = match next(self) {
            Work::Merge(key) => {
                self.merge(key);
                false
            }
            Work::Author(job) => {
                self.author(job);
                false
            }
            Work::Idle => {
                self.flush();
                self.land();
                false
            }
            Work::End => {
                self.flush();
                self.land();
                true
            }
        };
        self.flush_if_due();
        !end
    }

    fn flush_if_due(&mut self) {
        if self.batch.len() >= BATCH_CONTACTS_MAX
            || self.batch_bytes >= BATCH_BYTES_MAX
            || (!self.is_stepped()
                && !self.batch.is_empty()
                && self.started.elapsed() > BATCH_TIME_MAX)
        {
            self.flush();
        }
    }

    /// The next piece of work. Waits only if nothing is on its way.
    fn next(&mut self) -> Work {
        let shared = Arc::clone(&self.shared);
        let shard = &shared.shards.shards[self.index];
        let mut queue = shared.shards.lock(self.index);
        loop {
            if let Some(work) = self.pick(&mut queue) {
                return work;
            }
            queue = match queue.resting.iter().map(|(due, _)| *due).min() {
                Some(due) => {
                    let wait = due.saturating_duration_since(Instant::now());
                    shard.filled.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => shard.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// The next piece of work; the end where the thread would wait.
    fn next_queued(&mut self) -> Work {
        let shared = Arc::clone(&self.shared);
        let mut queue = shared.shards.lock(self.index);
        self.pick(&mut queue).unwrap_or(Work::End)
    }

    fn pick(&mut self, queue: &mut Queue) -> Option<Work> {
        if !self.is_stepped() {
            let now = Instant::now();
            queue.wake(|due| due <= now);
        }
        let merge_first = self.merges_left > 0 && !queue.merges.is_empty() && !queue.stopped;
        if !merge_first && let Some(job) = queue.authors.pop_front() {
            self.merges_left = TURN_ITEMS;
            return Some(Work::Author(job));
        }
        if queue.stopped {
            return Some(Work::End);
        }
        if let Some(key) = queue.merges.pop_front() {
            queue.queued.remove(&key);
            self.merges_left = self.merges_left.saturating_sub(1);
            return Some(Work::Merge(key));
        }
        (!self.batch.is_empty() || self.in_flight.is_some()).then_some(Work::Idle)
    }

    /// Makes sure that nothing of this contact is prepared or on its way.
    fn reserve(&mut self, key: Key) {
        if self.purposes.contains_key(&key) {
            self.flush();
        }
        if self.in_flight.as_ref().is_some_and(|flight| flight.purposes.contains_key(&key)) {
            self.land();
        }
    }

    fn merge(&mut self, key: Key) {
        self.reserve(key);
        let now = self.shared.clock.now_ms();
        let actor = self.shared.timeline(key.0).map(|timeline| timeline.actor);
        let prepared = contained(|| {
            in_read(&self.conn, |conn| match (self.merger.prepare(conn, key, now)?, actor) {
                (None, Some(actor)) => match self.merger.late(conn, key, actor, now)? {
                    None => self.merger.renew(conn, key, actor, now),
                    late => Ok(late),
                },
                (prepared, _) => Ok(prepared),
            })
        });
        match prepared {
            Ok(Some(prepared)) => {
                // What the server makes itself is on the disk before anybody hears of it.
                self.durable |= prepared.made.is_some()
                    || prepared.decision.is_some()
                    || prepared.turn.is_some();
                self.add(prepared, Purpose::Merge);
            }
            Ok(None) => {}
            Err(error) => {
                self.merger.forget(key);
                match error {
                    EngineError::Sqlite(_) => self.rest(key),
                    _ => add(&self.shared.metrics.merges_failed, 1),
                }
                tracing::error!(contact = %key.1, %error, "the changes of a contact stay stored, they can't be merged now");
            }
        }
    }

    fn author(&mut self, mut job: AuthorJob) {
        let turn = job.items.len().min(TURN_ITEMS);
        let items: Vec<_> = job.items.drain(..turn).collect();
        let AuthorJob { workspace, actor, by, ref reply, .. } = job;
        let context = Arc::new(AuthorContext { workspace, actor, by, reply: reply.clone() });
        if !job.items.is_empty() {
            self.shared.shards.lock(self.index).authors.push_front(job);
        }
        for (index, item) in items {
            self.author_one(Arc::clone(&context), index, item, 0);
            self.flush_if_due();
        }
    }

    fn author_one(
        &mut self,
        job: Arc<AuthorContext>,
        index: usize,
        item: Authored,
        attempt: usize,
    ) {
        let key = (job.workspace, item.contact);
        self.reserve(key);
        let author = ServerAuthor { actor: job.actor, by: job.by, now: self.shared.clock.now_ms() };
        let authoring = contained(|| {
            in_read(&self.conn, |conn| self.merger.author(conn, job.workspace, author, &item))
        });
        match authoring {
            Ok(Authoring::Prepared { prepared, change, not_replayed }) => {
                self.durable = true;
                let tag = AuthorTag { job, index, item, attempt, change, not_replayed };
                self.add(*prepared, Purpose::Author(Box::new(tag)));
            }
            Ok(Authoring::Unchanged) => job.answer(index, AuthorOutcome::Unchanged),
            Ok(Authoring::Refused(error)) | Err(error) => {
                self.merger.forget(key);
                job.answer(index, AuthorOutcome::Refused(error));
            }
        }
    }

    fn add(&mut self, prepared: Prepared, purpose: Purpose) {
        if self.batch.is_empty() {
            self.started = Instant::now();
        }
        self.batch_bytes += prepared.derived.as_ref().map_or(0, |derived| derived.document_bytes);
        self.purposes.insert(prepared.key, purpose);
        self.batch.push(prepared);
    }

    /// Sends the batch to the writer, after the one before has landed.
    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.land();
        let (reply, receive) = sync_channel(1);
        let prepared = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let purposes = std::mem::take(&mut self.purposes);
        let durable = std::mem::take(&mut self.durable);
        self.shared.writer.submit(Job::Merge { prepared, durable, reply }, true);
        self.in_flight = Some(InFlight { purposes, reply: receive });
    }

    /// Waits for the batch that is on its way, and does what follows from it.
    fn land(&mut self) {
        let Some(InFlight { mut purposes, reply }) = self.in_flight.take() else { return };
        if let Some(writer) = &self.writer {
            writer.lock().unwrap_or_else(PoisonError::into_inner).work_queued();
        }
        match reply.recv().unwrap_or(Err(EngineError::Closed)) {
            Ok(commits) => {
                let mut written = Vec::with_capacity(commits.len());
                let mut again = Vec::new();
                let mut answers = Vec::new();
                for commit in commits {
                    match commit {
                        Commit::Written(one) => {
                            let (one, answer) = self.landed(*one, &mut purposes);
                            written.push(one);
                            answers.extend(answer);
                        }
                        Commit::Stale(key) => {
                            self.merger.forget(key);
                            add(&self.shared.metrics.merges_stale, 1);
                            again.extend(purposes.remove(&key).map(|purpose| (key, purpose)));
                        }
                        Commit::Failed(key, error) => {
                            tracing::error!(contact = %key.1, %error, "what became of a contact could not be written");
                            add(&self.shared.metrics.merges_failed, 1);
                            let its = purposes.remove(&key).map(|purpose| (key, purpose));
                            self.failed(its.into_iter().collect(), &error);
                        }
                    }
                }
                for event in commit::events(&written) {
                    self.shared.publish(event);
                }
                // After the events: who listens once an edit was answered hears of later ones only.
                for (tag, outcome) in answers {
                    tag.job.answer(tag.index, outcome);
                }
                for (key, purpose) in again {
                    self.again(key, purpose);
                }
            }
            Err(error) => self.failed(purposes, &error),
        }
        set(&self.shared.metrics.merge_queue, self.shared.shards.len());
        let documents = self.merger.cached().0;
        let before = std::mem::replace(&mut self.documents, documents);
        let cached = &self.shared.metrics.documents_cached;
        add(cached, documents as u64);
        cached.fetch_sub(before as u64, Ordering::Relaxed);
    }

    /// Notes a commit. What its author is to be told, if it has one, is told after the events.
    fn landed(
        &mut self,
        mut one: Written,
        purposes: &mut HashMap<Key, Purpose>,
    ) -> (Written, Option<(AuthorTag, AuthorOutcome)>) {
        let metrics = &self.shared.metrics;
        add(&metrics.merges, 1);
        add(&metrics.changes_merged, one.merged);
        add(&metrics.changes_set_aside, one.refused);
        add(&metrics.snapshots, u64::from(one.snapshot));
        if let Some((doc, bytes)) = one.doc.take() {
            self.merger.committed(one.key, one.cursor, doc, bytes);
        }
        if one.more {
            self.shared.shards.merge(one.key);
        }
        let Some(Purpose::Author(mut tag)) = purposes.remove(&one.key) else { return (one, None) };
        let outcome = match tag.change {
            Some(hash) => AuthorOutcome::Merged {
                hash,
                cursor: one.cursor,
                not_replayed: std::mem::take(&mut tag.not_replayed),
            },
            None => AuthorOutcome::Unchanged,
        };
        (one, Some((*tag, outcome)))
    }

    fn again(&mut self, key: Key, purpose: Purpose) {
        match purpose {
            Purpose::Merge => self.shared.shards.merge(key),
            Purpose::Author(tag) if tag.attempt < AUTHOR_ATTEMPTS_MAX => {
                self.author_one(tag.job, tag.index, tag.item, tag.attempt + 1);
            }
            Purpose::Author(tag) => {
                let busy = EngineError::Busy { what: "the contact is changed all the time" };
                tag.job.answer(tag.index, AuthorOutcome::Refused(busy));
            }
        }
    }

    fn failed(&mut self, purposes: HashMap<Key, Purpose>, error: &EngineError) {
        for (key, purpose) in purposes {
            self.merger.forget(key);
            match purpose {
                Purpose::Merge => self.rest(key),
                Purpose::Author(tag) => {
                    let refused = EngineError::NotCommitted { reason: error.to_string() };
                    tag.job.answer(tag.index, AuthorOutcome::Refused(refused));
                }
            }
        }
    }

    fn rest(&self, key: Key) {
        self.shared.shards.lock(self.index).resting.push((Instant::now() + RETRY_AFTER, key));
    }
}

/// However the thread ends, nobody waits for it.
struct StopOnExit {
    shared: Arc<Shared>,
    index: usize,
}

impl Drop for StopOnExit {
    fn drop(&mut self) {
        let mut queue = self.shared.shards.lock(self.index);
        queue.stopped = true;
        // With the jobs go their senders, so that the callers hear that there is no answer.
        queue.authors.clear();
    }
}

/// Runs `work` in a read transaction of the thread's own connection.
fn in_read<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    reads::begin(conn)?;
    let outcome = work(conn);
    reads::end(conn)?;
    outcome
}

/// A panic costs one contact's turn, not the thread.
fn contained<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or(Err(EngineError::Panicked { during: "merging a contact" }))
}
