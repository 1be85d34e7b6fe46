//! The waiting room: changes whose dependencies have not arrived (rules 6 and 9).
//!
//! It is memory only, since a waiting change is not acknowledged: the device keeps it and sends it
//! again on its next connection. It is bounded per device, over all, and in time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use roadbook_protocol::ChangeHash;
use roadbook_protocol::guard::Admitted;
use roadbook_protocol::ids::{ContactId, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;

/// Bytes of all waiting changes of all devices.
const TOTAL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A change that waits.
#[derive(Debug)]
pub struct WaitingChange {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The contact.
    pub contact: ContactId,
    /// The device that sent it.
    pub device: DeviceId,
    /// Its user.
    pub user: UserId,
    /// What gate 1 found.
    pub admitted: Admitted,
    /// The raw bytes.
    pub bytes: Vec<u8>,
    /// Since when it waits.
    pub since: UnixMs,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    changes: usize,
    bytes: usize,
}

/// All waiting changes. A clone is cheap: it is taken for each transaction and kept only if that
/// commits.
#[derive(Debug, Clone, Default)]
pub struct WaitingRoom {
    by_contact: HashMap<(WorkspaceId, ContactId), Vec<Arc<WaitingChange>>>,
    by_device: HashMap<(WorkspaceId, DeviceId), Load>,
    bytes: usize,
}

impl WaitingRoom {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.by_contact.is_empty()
    }

    /// How many changes wait.
    pub fn len(&self) -> usize {
        self.by_contact.values().map(Vec::len).sum()
    }

    /// Whether this change waits already.
    pub fn contains(&self, workspace: WorkspaceId, contact: ContactId, hash: &ChangeHash) -> bool {
        self.of(workspace, contact).iter().any(|waiting| waiting.admitted.hash == *hash)
    }

    /// Lets a change wait. `false` if a bound is reached: it is refused then, and not kept.
    pub fn admit(&mut self, change: WaitingChange, limits: &Limits) -> bool {
        let size = change.bytes.len();
        let load =
            self.by_device.get(&(change.workspace, change.device)).copied().unwrap_or_default();
        if load.changes >= limits.waiting_changes_max
            || load.bytes + size > limits.waiting_bytes_max
            || self.bytes + size > TOTAL_BYTES_MAX
        {
            return false;
        }
        let load = Load { changes: load.changes + 1, bytes: load.bytes + size };
        self.by_device.insert((change.workspace, change.device), load);
        self.bytes += size;
        self.by_contact
            .entry((change.workspace, change.contact))
            .or_default()
            .push(Arc::new(change));
        true
    }

    /// What waits for something of this contact, in the order of arrival.
    pub fn of(&self, workspace: WorkspaceId, contact: ContactId) -> &[Arc<WaitingChange>] {
        self.by_contact.get(&(workspace, contact)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes one change out.
    pub fn remove(&mut self, workspace: WorkspaceId, contact: ContactId, hash: &ChangeHash) {
        let Some(list) = self.by_contact.get_mut(&(workspace, contact)) else { return };
        let Some(at) = list.iter().position(|waiting| waiting.admitted.hash == *hash) else {
            return;
        };
        let gone = list.remove(at);
        if list.is_empty() {
            self.by_contact.remove(&(workspace, contact));
        }
        self.release(&gone);
    }

    /// Takes out what has waited too long.
    pub fn expire(&mut self, now: UnixMs, limits: &Limits) {
        let mut gone = Vec::new();
        self.by_contact.retain(|_, list| {
            list.retain(|waiting| {
                // A clock that was set back must not let changes wait for ever.
                let keep = (0..limits.waiting_ms_max).contains(&(now - waiting.since));
                if !keep {
                    gone.push(Arc::clone(waiting));
                }
                keep
            });
            !list.is_empty()
        });
        for waiting in &gone {
            self.release(waiting);
        }
    }

    /// Takes out everything of a device: it was disconnected or revoked.
    pub fn forget(&mut self, workspace: WorkspaceId, device: DeviceId) {
        if self.by_device.remove(&(workspace, device)).is_none() {
            return;
        }
        self.by_contact.retain(|_, list| {
            list.retain(|waiting| (waiting.workspace, waiting.device) != (workspace, device));
            !list.is_empty()
        });
        self.bytes = self.by_contact.values().flatten().map(|waiting| waiting.bytes.len()).sum();
    }

    /// Of `hashes`, those that do not wait here themselves: what a device has to send first.
    pub fn not_waiting(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
        hashes: impl IntoIterator<Item = ChangeHash>,
    ) -> Vec<ChangeHash> {
        let here: HashSet<ChangeHash> =
            self.of(workspace, contact).iter().map(|waiting| waiting.admitted.hash).collect();
        hashes.into_iter().filter(|hash| !here.contains(hash)).collect()
    }

    fn release(&mut self, gone: &WaitingChange) {
        let size = gone.bytes.len();
        self.bytes = self.bytes.saturating_sub(size);
        let key = (gone.workspace, gone.device);
        if let Some(load) = self.by_device.get_mut(&key) {
            load.changes = load.changes.saturating_sub(1);
            load.bytes = load.bytes.saturating_sub(size);
            if load.changes == 0 {
                self.by_device.remove(&key);
            }
        }
    }
}
