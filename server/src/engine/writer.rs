//! The one thread that writes.
//!
//! It drains a bounded queue: everything that was queued while the last transaction was being
//! written to the disk goes into the next one (group commit). What must be durable goes first, with
//! `synchronous=FULL`, and is answered; what is derived follows with `synchronous=NORMAL`. In WAL
//! mode that is safe: a power cut can only take transactions off the end of the WAL after the last
//! one that was synced, so it can take derived ones, and never one that was answered.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use roadbook_protocol::ids::{ContactId, DeviceId, WorkspaceId};
use roadbook_wal::LogFile;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::commit::{self, Commit};
use super::failpoint;
use super::ledger::Ledger;
use super::log::{Log, Stage};
use super::merge::Prepared;
use super::metrics::{add, set};
use super::replay;
use super::shared::Shared;
use super::types::{AppendRequest, Appended, Event};
use super::witness::Witness;
use crate::store::{Durability, EngineError, Result, erasures};

/// Bytes of queued changes.
const QUEUE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Queued jobs.
const QUEUE_JOBS_MAX: usize = 16_384;
/// Changes, contacts and closures in one transaction.
const TRANSACTION_ITEMS_MAX: usize = 8_192;

/// A piece of work that runs inside the transaction.
pub(super) trait Task: Send {
    /// Runs it; `false` if what it wrote is to be undone.
    fn run(&mut self, tx: &Transaction<'_>) -> bool;
    /// Answers, after the commit or its failure.
    fn finish(self: Box<Self>, committed: Result<()>);
}

pub(super) type AppendReply = oneshot::Sender<Result<Appended>>;
pub(super) type MergeReply = SyncSender<Result<Vec<Commit>>>;

/// What the writer is asked to do.
pub(super) enum Job {
    Append {
        request: AppendRequest,
        bytes: usize,
        reply: AppendReply,
    },
    Write {
        task: Box<dyn Task>,
        durable: bool,
    },
    Merge {
        prepared: Vec<Prepared>,
        durable: bool,
        reply: MergeReply,
    },
    Forget {
        workspace: WorkspaceId,
        device: DeviceId,
    },
    /// Contacts were erased: nothing of them waits any more, nor stands in the files.
    Scrub {
        erased: Vec<(WorkspaceId, ContactId)>,
        reply: SyncSender<Result<bool>>,
    },
}

impl Job {
    fn is_durable(&self) -> bool {
        match self {
            Job::Append { .. } => true,
            Job::Write { durable, .. } | Job::Merge { durable, .. } => *durable,
            Job::Forget { .. } | Job::Scrub { .. } => false,
        }
    }
    fn items(&self) -> usize {
        match self {
            Job::Append { request, .. } => request.changes.len().max(1),
            Job::Write { .. } | Job::Forget { .. } | Job::Scrub { .. } => 1,
            Job::Merge { prepared, .. } => prepared.len() * 4,
        }
    }
    fn bytes(&self) -> usize {
        match self {
            Job::Append { bytes, .. } => *bytes,
            _ => 0,
        }
    }
    fn refuse(self, error: EngineError) {
        match self {
            // A receiver that is gone does not want to know.
            Job::Append { reply, .. } => drop(reply.send(Err(error))),
            Job::Write { task, .. } => task.finish(Err(error)),
            Job::Merge { reply, .. } => drop(reply.send(Err(error))),
            Job::Scrub { reply, .. } => drop(reply.send(Err(error))),
            Job::Forget { .. } => {}
        }
    }
}

/// The writer's queue.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// No new jobs from outside; merges and what is queued still go through.
    closed: bool,
    /// The thread ends once the queue is empty.
    stopped: bool,
}

impl State {
    fn has_room(&self) -> bool {
        self.jobs.len() < QUEUE_JOBS_MAX && self.bytes < QUEUE_BYTES_MAX
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, or refuses it at once if the queue is full or closed.
    pub fn offer(&self, job: Job) {
        let state = self.lock();
        let refusal = if state.closed {
            Some(EngineError::Closed)
        } else if !state.has_room() {
            Some(EngineError::Busy { what: "too many changes wait to be written" })
        } else {
            None
        };
        match refusal {
            Some(error) => {
                drop(state);
                job.refuse(error);
            }
            None => self.push(state, job),
        }
    }

    /// Queues a job, waiting for room. `inner` jobs (of the merge threads) are taken while the
    /// engine is closing.
    pub fn submit(&self, job: Job, inner: bool) {
        let mut state = self.lock();
        loop {
            if state.stopped || (state.closed && !inner) {
                drop(state);
                return job.refuse(EngineError::Closed);
            }
            if state.has_room() || inner {
                return self.push(state, job);
            }
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn push(&self, mut state: std::sync::MutexGuard<'_, State>, job: Job) {
        state.bytes += job.bytes();
        state.jobs.push_back(job);
        drop(state);
        self.filled.notify_one();
    }

    /// Takes no new jobs from outside any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.drained.notify_all();
    }

    /// Lets the thread end once the queue is empty.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.stopped = true;
        drop(state);
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Waits for jobs and takes what one round of transactions may hold; `None` at the end.
    fn take(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.stopped {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some(self.round(state))
    }

    /// As [`Self::take`], without waiting: `None` if nothing is queued.
    fn take_queued(&self) -> Option<Vec<Job>> {
        let state = self.lock();
        (!state.jobs.is_empty()).then(|| self.round(state))
    }

    fn round(&self, mut state: std::sync::MutexGuard<'_, State>) -> Vec<Job> {
        let mut taken = Vec::new();
        let mut items = 0;
        while let Some(job) = state.jobs.front() {
            if items > 0 && items + job.items() > TRANSACTION_ITEMS_MAX {
                break;
            }
            items += job.items();
            state.bytes = state.bytes.saturating_sub(job.bytes());
            taken.extend(state.jobs.pop_front());
        }
        drop(state);
        self.drained.notify_all();
        taken
    }

    /// The thread has ended: whatever is queued will not be done.
    fn abandon(&self) {
        self.stop();
        let jobs = std::mem::take(&mut self.lock().jobs);
        jobs.into_iter().for_each(|job| job.refuse(EngineError::Closed));
    }

    pub fn len(&self) -> usize {
        self.lock().jobs.len()
    }
}

/// However the thread ends, nobody waits for it.
struct AbandonOnExit(Arc<Shared>);

impl Drop for AbandonOnExit {
    fn drop(&mut self) {
        self.0.writer.abandon();
    }
}

/// A closure of [`super::Engine::write`], with the place for its answer.
pub(super) struct Closure<T, E, F> {
    work: Option<F>,
    outcome: Option<std::result::Result<T, E>>,
    reply: Option<SyncSender<std::result::Result<T, E>>>,
}

impl<T, E, F> Closure<T, E, F> {
    pub fn new(work: F, reply: Option<SyncSender<std::result::Result<T, E>>>) -> Self {
        Self { work: Some(work), outcome: None, reply }
    }
}

impl<T, E, F> Task for Closure<T, E, F>
where
    T: Send,
    E: From<EngineError> + Send,
    F: FnOnce(&Transaction<'_>) -> std::result::Result<T, E> + Send,
{
    fn run(&mut self, tx: &Transaction<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(tx)))
            .unwrap_or_else(|_| Err(EngineError::Panicked { during: "writing" }.into()));
        let ok = outcome.is_ok();
        self.outcome = Some(outcome);
        ok
    }
    fn finish(self: Box<Self>, committed: Result<()>) {
        let outcome = match (committed, self.outcome) {
            (_, Some(Err(error))) => Err(error),
            (Err(error), _) => Err(error.into()),
            (Ok(()), Some(Ok(value))) => Ok(value),
            (Ok(()), None) => Err(EngineError::Closed.into()),
        };
        if let Some(reply) = self.reply {
            // A caller that is gone does not want to know.
            drop(reply.send(outcome));
        }
    }
}

/// The thread's own state.
pub(super) struct Writer {
    conn: Connection,
    log: Log,
    shared: Arc<Shared>,
    durability: Durability,
    /// What the connection is set to.
    set: Durability,
    log_file: LogFile,
    witness: Witness,
    ledger: Ledger,
}

/// What is answered after the commit.
enum Answer {
    Append(AppendReply, Result<Appended>),
    Task(Box<dyn Task>),
    Merge(MergeReply, Vec<Commit>),
}

impl Writer {
    pub fn new(
        conn: Connection,
        shared: Arc<Shared>,
        durability: Durability,
        mut witness: Witness,
        ledger: Ledger,
    ) -> Self {
        let log = Log::new(shared.limits);
        let log_file = LogFile::of(&shared.file);
        witness.note(&conn);
        Self { conn, log, shared, durability, set: Durability::Full, log_file, witness, ledger }
    }

    /// Works until the queue is stopped and empty, then writes the WAL back.
    pub fn run(mut self) {
        let _guard = AbandonOnExit(Arc::clone(&self.shared));
        while let Some(jobs) = self.shared.writer.take() {
            self.work(jobs);
        }
        self.finish();
    }

    /// Does what is queued, on the calling thread. Returns whether there was anything.
    pub fn work_queued(&mut self) -> bool {
        let mut any = false;
        while let Some(jobs) = self.shared.writer.take_queued() {
            any = true;
            self.work(jobs);
        }
        any
    }

    fn work(&mut self, jobs: Vec<Job>) {
        let (scrubs, jobs): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| matches!(job, Job::Scrub { .. }));
        let (durable, derived): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(Job::is_durable);
        self.transact(durable, self.durability);
        let derived_durability = match self.durability {
            Durability::Off => Durability::Off,
            _ => Durability::Derived,
        };
        self.transact(derived, derived_durability);
        for job in scrubs {
            if let Job::Scrub { erased, reply } = job {
                // A caller that is gone does not want to know.
                drop(reply.send(self.scrub(&erased)));
            }
        }
        set(&self.shared.metrics.writer_queue, self.shared.writer.len());
        set(&self.shared.metrics.changes_waiting, self.log.waiting());
    }

    /// Whether nothing of erased contacts is left, neither waiting nor in the files.
    fn scrub(&mut self, erased: &[(WorkspaceId, ContactId)]) -> Result<bool> {
        for (workspace, contact) in erased {
            self.log.forget_contact(*workspace, *contact);
        }
        if let Some(reason) = self.shared.stopped.get() {
            return Err(not_committed(reason));
        }
        if self.set != self.durability {
            self.conn.execute_batch(self.durability.pragma())?;
            self.set = self.durability;
        }
        erasures::scrub(&mut self.conn).inspect_err(|error| self.shared.note_failure(error))
    }

    /// Writes the WAL back, at the end; not behind a failed sync. The system takes the pages that it could
    /// not write for clean, so another sync says yes and the disk has a hole in the log: what is written
    /// back then stands half in the database after a power cut, and nothing is there to repair it. The
    /// next start makes the log whole first ([`roadbook_wal::renew`]). Closing must not do it either.
    pub fn finish(&mut self) {
        if let Err(error) =
            self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        {
            tracing::warn!(%error, "the WAL is written back once more when it is closed");
        }
        if self.shared.stopped.get().is_some() {
            return;
        }
        if let Err(error) =
            self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize;")
        {
            tracing::warn!(%error, "the WAL could not be written back; the next start does it");
        }
    }

    fn transact(&mut self, jobs: Vec<Job>, durability: Durability) {
        if jobs.is_empty() {
            return;
        }
        if let Some(reason) = self.shared.stopped.get() {
            for job in jobs {
                job.refuse(not_committed(reason));
            }
            return;
        }
        let mut answers = Vec::with_capacity(jobs.len());
        let mut outcome = self.try_transact(jobs, durability, &mut answers);
        if outcome.is_ok()
            && !self.log_file.is_there()
            && let Err(error) = self.leave_log()
        {
            outcome = Err(error);
        }
        let metrics = &self.shared.metrics;
        match &outcome {
            Ok(_) if durability == Durability::Derived => add(&metrics.commits_derived, 1),
            Ok(_) => {
                add(&metrics.commits_durable, 1);
                self.witness.note(&self.conn);
            }
            Err(error) => {
                add(&metrics.commits_failed, 1);
                tracing::error!(%error, "a transaction failed; nothing of it was acknowledged");
                self.shared.note_failure(error);
            }
        }
        let failure = outcome.as_ref().err().map(ToString::to_string);
        for answer in answers {
            let committed = match &failure {
                None => Ok(()),
                Some(reason) => Err(not_committed(reason)),
            };
            match (answer, committed) {
                (Answer::Append(reply, answer), Ok(())) => drop(reply.send(answer)),
                (Answer::Append(reply, _), Err(error)) => drop(reply.send(Err(error))),
                (Answer::Merge(reply, commits), Ok(())) => drop(reply.send(Ok(commits))),
                (Answer::Merge(reply, _), Err(error)) => drop(reply.send(Err(error))),
                (Answer::Task(task), committed) => task.finish(committed),
            }
        }
        if let Ok(Some(stage)) = outcome {
            self.settle(stage);
        }
    }

    /// Runs the jobs in one transaction. What it could not answer is in `answers` in any case.
    fn try_transact(
        &mut self,
        jobs: Vec<Job>,
        durability: Durability,
        answers: &mut Vec<Answer>,
    ) -> Result<Option<Stage>> {
        if self.set != durability {
            self.conn.execute_batch(durability.pragma())?;
            self.set = durability;
        }
        let now = self.shared.clock.now_ms();
        let mut stage = None;
        let mut forgotten = Vec::new();
        let mut merges = false;
        let mut failure = None;
        let tx = match self.conn.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(tx) => tx,
            Err(error) => {
                let error = EngineError::from(error);
                let reason = error.to_string();
                jobs.into_iter().for_each(|job| job.refuse(not_committed(&reason)));
                return Err(error);
            }
        };
        for job in jobs {
            match job {
                Job::Append { request, reply, .. } => {
                    let batch = request.batch;
                    let stage = stage.get_or_insert_with(|| self.log.begin(now));
                    match &failure {
                        None => match self.log.append(&tx, stage, request) {
                            Ok(answer) => answers.push(Answer::Append(reply, answer)),
                            Err(error) => {
                                failure = Some(error);
                                answers.push(Answer::Append(reply, Ok(nothing(batch))));
                            }
                        },
                        Some(_) => answers.push(Answer::Append(reply, Ok(nothing(batch)))),
                    }
                }
                Job::Write { mut task, .. } => {
                    if failure.is_none()
                        && let Err(error) = in_savepoint(&tx, task.as_mut())
                    {
                        failure = Some(error);
                    }
                    answers.push(Answer::Task(task));
                    stage.iter_mut().for_each(Stage::forget_rows);
                }
                Job::Merge { prepared, reply, .. } => {
                    let mut commits = Vec::with_capacity(prepared.len());
                    for one in prepared {
                        if failure.is_some() {
                            break;
                        }
                        let key = one.key;
                        match commit::write(&tx, one) {
                            Ok(commit) => commits.push(commit),
                            Err(error) if error.is_of_the_row() => {
                                commits.push(Commit::Failed(key, error));
                            }
                            Err(error) => failure = Some(error),
                        }
                    }
                    merges = true;
                    answers.push(Answer::Merge(reply, commits));
                    stage.iter_mut().for_each(Stage::forget_rows);
                }
                Job::Forget { workspace, device } => forgotten.push((workspace, device)),
                // Done behind the transactions.
                Job::Scrub { .. } => {}
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        if stage.is_some() {
            failpoint("log_before_commit");
        }
        if merges {
            failpoint("merge_before_commit");
        }
        // The ledger first: what is committed stands in it.
        let before = self.ledger.head();
        let told = replay::write_notes(&tx, &mut self.ledger, now)?;
        if let Err(error) = tx.commit() {
            if told.is_some() {
                self.ledger.cut_back(before);
            }
            return Err(error.into());
        }
        if stage.is_some() {
            failpoint("log_after_commit_before_ack");
        }
        if merges {
            failpoint("merge_after_commit");
        }
        for (workspace, device) in forgotten {
            self.log.forget(workspace, device);
        }
        Ok(stage)
    }

    /// What follows from appends that are committed.
    fn settle(&mut self, stage: Stage) {
        let committed = self.log.committed(stage);
        let metrics = &self.shared.metrics;
        add(&metrics.changes_stored, committed.stored);
        add(&metrics.changes_set_aside, committed.set_aside);
        for key in committed.to_merge {
            self.shared.shards.merge(key);
        }
        for regained in committed.regained {
            self.shared.publish(Event::Access {
                workspace: regained.workspace,
                cursor: regained.cursor,
                users: regained.users.into(),
                contacts: vec![regained.contact].into(),
            });
        }
        for workspace in committed.proposed {
            // Nobody can decide before they are taken apart.
            self.shared.publish(Event::Proposals { workspace, contacts: [].into() });
        }
        for workspace in committed.alerted {
            self.shared.publish(Event::Alert { workspace });
        }
        for (workspace, device, fates) in committed.settled {
            // No cursor was assigned: what was stored is not part of any contact yet.
            self.shared.publish(Event::Fates {
                workspace,
                device,
                cursor: 0,
                fates: Arc::from(fates),
            });
        }
    }

    /// The log was deleted under the server. What went into it is written back into the database before
    /// any of it is acknowledged; after that nothing more is written until a restart, since it would go
    /// into a file that nobody finds.
    fn leave_log(&mut self) -> Result<()> {
        let why = "the database's log was deleted while the server ran; restart the server";
        // The first reason counts.
        let _ = self.shared.stopped.set(why);
        tracing::error!(
            "the database's log (roadbook.db-wal) was deleted or replaced while the server ran; what it held is \
             written back, and nothing more is written: restart the server"
        );
        let (busy, held, written): (i64, i64, i64) =
            self.conn.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if busy == 0 && held == written {
            return Ok(());
        }
        Err(EngineError::damaged("the database's log", "it could not be written back"))
    }
}

fn in_savepoint(tx: &Transaction<'_>, task: &mut dyn Task) -> Result<()> {
    tx.prepare_cached("SAVEPOINT task")?.execute([])?;
    if !task.run(tx) {
        tx.prepare_cached("ROLLBACK TO task")?.execute([])?;
    }
    tx.prepare_cached("RELEASE task")?.execute([])?;
    Ok(())
}

fn not_committed(reason: impl ToString) -> EngineError {
    EngineError::NotCommitted { reason: reason.to_string() }
}

/// Stands for an answer that is never given: the transaction has failed.
fn nothing(batch: u64) -> Appended {
    Appended { batch, outcomes: Vec::new(), need: Vec::new() }
}
