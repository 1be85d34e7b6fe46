//! Timelines (rules 1 and 2): each start opens a new one for every workspace, and a device's cursor
//! counts only in the timeline that assigned it.

use std::path::Path;
use std::sync::PoisonError;

use roadbook_protocol::ids::{Actor, Cursor, TimelineId, UnixMs, WorkspaceId};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::handle::Engine;
use super::past;
use super::shared::{Shared, Timeline};
use super::types::TimelineStatus;
use super::witness::Witness;
use crate::store::{EngineError, Result, devices, workspaces};

impl Engine {
    /// The open timeline of a workspace. Blocking the first time.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn timeline(&self, workspace: WorkspaceId) -> Result<TimelineId> {
        self.open_timeline(workspace).map(|timeline| timeline.id)
    }

    /// Whether a device's cursor was assigned in the timeline that it names (rule 1). `highest` is
    /// the largest cursor of that timeline that the device has heard of, in pages or in fates.
    /// Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn timeline_status(
        &self,
        workspace: WorkspaceId,
        timeline: TimelineId,
        highest: Cursor,
    ) -> Result<TimelineStatus> {
        let last = self.read(|conn| workspaces::timeline_last_cursor(conn, workspace, timeline))?;
        Ok(match last {
            Some(last) if highest <= last => TimelineStatus::Known,
            _ => TimelineStatus::Repair,
        })
    }

    pub(super) fn new_timeline(&self) -> Timeline {
        Timeline {
            id: TimelineId::from_random(self.random()),
            actor: Actor::from_random(self.random()),
        }
    }

    pub(super) fn keep_timeline(&self, workspace: WorkspaceId, timeline: Timeline) {
        let mut all = self.shared.timelines.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(workspace, timeline);
    }

    pub(super) fn open_timeline(&self, workspace: WorkspaceId) -> Result<Timeline> {
        self.shared
            .timeline(workspace)
            .ok_or_else(|| EngineError::not_found(format!("workspace {workspace}")))
    }
}

/// Writes a new timeline down, with the server's actor in it.
pub(super) fn write_timeline(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    timeline: Timeline,
    now: UnixMs,
) -> Result<()> {
    workspaces::open_timeline(tx, workspace, timeline.id, now)?;
    devices::register_server_actor(tx, workspace, timeline.actor, timeline.id, now)
}

/// Opens a timeline for each workspace, in one durable transaction, before anything is served.
pub(super) fn open_timelines(
    dir: &Path,
    conn: &mut Connection,
    shared: &Shared,
    past_lost: bool,
) -> Result<Witness> {
    let now = shared.clock.now_ms();
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut all = shared.timelines.write().unwrap_or_else(PoisonError::into_inner);
    let known = workspaces::list(&tx)?;
    let witness = Witness::open(dir, &tx, known.iter().map(|workspace| workspace.id), now)?;
    for workspace in known {
        if past_lost {
            past::note_lost(&tx, workspace.id)?;
        }
        let timeline = Timeline {
            id: TimelineId::from_random(shared.random()),
            actor: Actor::from_random(shared.random()),
        };
        write_timeline(&tx, workspace.id, timeline, now)?;
        all.insert(workspace.id, timeline);
    }
    tx.commit()?;
    Ok(witness)
}
