//! What the threads of the engine share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use roadbook_protocol::ids::{Actor, ContactId, TimelineId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use tokio::sync::broadcast;

use super::bulk::Running;
use super::checkpoint::Due;
use super::clock::{Clock, Entropy};
use super::handle::Engine;
use super::insight::Insight;
use super::keys::Keys;
use super::metrics::Metrics;
use super::reads::Reads;
use super::shards::Shards;
use super::stepped::Step;
use super::types::Event;
use super::volume::Meter;
use super::writer::{Job, Queue};
use crate::store::{EngineError, Result};

/// The open timeline of a workspace and the server's actor in it (rules 1 and 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeline {
    pub id: TimelineId,
    pub actor: Actor,
}

/// Shared by the handle, the writer and the merge threads.
pub(super) struct Shared {
    pub file: PathBuf,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub metrics: Metrics,
    pub writer: Queue,
    pub checkpoint: Due,
    pub shards: Shards,
    pub reads: Reads,
    pub events: broadcast::Sender<Event>,
    pub keys: Keys,
    pub timelines: RwLock<HashMap<WorkspaceId, Timeline>>,
    /// How much who has read lately.
    pub volumes: Meter,
    /// What is counted over all purchases.
    pub insight: Insight,
    /// The bulk actions that run.
    pub bulks: Running,
    /// Why nothing is written any more until a restart.
    pub stopped: OnceLock<&'static str>,
}

impl Shared {
    /// Tells whoever listens; nobody has to.
    pub fn publish(&self, event: Event) {
        drop(self.events.send(event));
    }

    /// After a failed sync nobody knows what is on the disk: the system may have forgotten pages of
    /// the log that were waiting for it, and say yes to the next sync. Whatever is written behind such
    /// a hole is lost in a power cut. So nothing is acknowledged any more until the database was
    /// opened anew, whoever's sync it was.
    pub fn note_failure(&self, error: &EngineError) {
        const IOERR_FSYNC: i32 = 1034;
        const IOERR_DIR_FSYNC: i32 = 1290;
        if let EngineError::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = error
            && matches!(failure.extended_code, IOERR_FSYNC | IOERR_DIR_FSYNC)
        {
            // The first reason counts.
            let _ = self.stopped.set("the disk failed to sync; restart the server");
            tracing::error!("the disk failed to sync: no more writes until a restart");
        }
    }

    pub fn timeline(&self, workspace: WorkspaceId) -> Option<Timeline> {
        self.timelines.read().unwrap_or_else(PoisonError::into_inner).get(&workspace).copied()
    }

    /// Has the writer forget erased contacts and scrub the files. Blocking.
    pub fn scrub(&self, engine: &Engine, erased: Vec<(WorkspaceId, ContactId)>) -> Result<bool> {
        let (reply, answer) = sync_channel(1);
        self.writer.submit(Job::Scrub { erased, reply }, false);
        engine.step(Step::Log);
        answer.recv().unwrap_or(Err(EngineError::Closed))
    }

    /// The open timelines of all workspaces.
    pub fn timeline_ids(&self) -> Vec<TimelineId> {
        let all = self.timelines.read().unwrap_or_else(PoisonError::into_inner);
        all.values().map(|timeline| timeline.id).collect()
    }

    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}
