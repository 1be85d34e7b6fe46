//! What the threads of the engine share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use roadbook_protocol::ids::{Actor, TimelineId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use tokio::sync::broadcast;

use super::checkpoint::Due;
use super::clock::{Clock, Entropy};
use super::metrics::Metrics;
use super::reads::Reads;
use super::shards::Shards;
use super::types::Event;
use super::writer::Queue;

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
    pub timelines: RwLock<HashMap<WorkspaceId, Timeline>>,
}

impl Shared {
    /// Tells whoever listens; nobody has to.
    pub fn publish(&self, event: Event) {
        drop(self.events.send(event));
    }

    pub fn timeline(&self, workspace: WorkspaceId) -> Option<Timeline> {
        self.timelines.read().unwrap_or_else(PoisonError::into_inner).get(&workspace).copied()
    }

    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}
