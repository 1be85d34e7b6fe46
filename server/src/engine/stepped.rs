//! The engine without threads: whoever waits for an answer does the work, and what nobody waits for
//! is done when [`Engine::step`](super::Engine::step) is called. The writer, the log and the merge are
//! those that run behind the threads; a simulator drives them one step at a time, so that a run can
//! be repeated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::shards::Worker;
use super::shared::Shared;
use super::writer::Writer;

/// What one call of [`Engine::step`](super::Engine::step) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What is queued for the log: judged, committed, answered.
    Log,
    /// What is queued for the merge: merged, committed, announced.
    Merge,
    /// Writes the WAL back into the database file.
    Checkpoint,
}

/// What the threads would own.
pub(super) struct Stepped {
    writer: Arc<Mutex<Writer>>,
    worker: Mutex<Worker>,
    checkpoint: Mutex<Connection>,
    shared: Arc<Shared>,
}

impl Stepped {
    pub fn new(
        shared: Arc<Shared>,
        writer: Arc<Mutex<Writer>>,
        worker: Worker,
        checkpoint: Connection,
    ) -> Self {
        Self { writer, worker: Mutex::new(worker), checkpoint: Mutex::new(checkpoint), shared }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is queued for the writer.
    pub fn log(&self) {
        self.writer().work_queued();
    }

    /// Does what is queued for the merge.
    pub fn merge(&self) {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner).work_queued();
    }

    pub fn checkpoint(&self) {
        let conn = self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        super::checkpoint::write_back(&self.shared, &conn);
    }

    /// The end: what is queued is written and answered, the WAL is written back.
    pub fn finish(self) {
        self.merge();
        self.log();
        self.writer().finish();
    }
}
