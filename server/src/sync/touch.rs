//! Freshness of devices: what each last said of itself, written once a second at most.
//!
//! A device says with every receipt how far it is; managers need to know who is behind to the second,
//! not to the millisecond.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use roadbook_protocol::ids::{DeviceId, WorkspaceId};
use tokio_util::sync::CancellationToken;

use super::hub::{Hub, lock};
use crate::store::devices::Seen;

/// How often what was noted is given to the engine.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// What is noted and not yet written; a device occurs once.
#[derive(Default)]
pub(super) struct Touches(Mutex<HashMap<(WorkspaceId, DeviceId), Seen>>);

impl Touches {
    /// Notes what a device said; a field that is `None` leaves what is there.
    pub(super) fn note(&self, workspace: WorkspaceId, device: DeviceId, seen: Seen) {
        let mut noted = lock(&self.0);
        let entry = noted.entry((workspace, device)).or_default();
        *entry = Seen {
            last_seen: entry.last_seen.max(seen.last_seen),
            app: seen.app.or(entry.app.take()),
            platform: seen.platform.or(entry.platform.take()),
            unsent: seen.unsent.or(entry.unsent),
            cursor: seen.cursor.or(entry.cursor),
            missing: seen.missing.or(entry.missing),
        };
    }

    fn take(&self) -> HashMap<(WorkspaceId, DeviceId), Seen> {
        std::mem::take(&mut lock(&self.0))
    }
}

/// Writes what was noted, once a second and at the end.
pub(super) async fn write_touches(hub: Hub, over: CancellationToken) {
    loop {
        let last = tokio::select! {
            () = over.cancelled() => true,
            () = tokio::time::sleep(WRITE_EVERY) => false,
        };
        for ((workspace, device), seen) in hub.touches().take() {
            hub.engine().seen(workspace, device, seen);
        }
        if last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_one_device_are_joined_and_the_latest_word_holds() {
        let touches = Touches::default();
        let workspace = WorkspaceId::from_random([1; 16]);
        let device = DeviceId::from_random([2; 16]);
        let first = Seen { last_seen: 5, cursor: Some(7), unsent: Some(3), ..Seen::default() };
        touches.note(workspace, device, first);
        let second = Seen { last_seen: 6, unsent: Some(0), ..Seen::default() };
        touches.note(workspace, device, second);
        let noted = touches.take();
        let expected = Seen { last_seen: 6, cursor: Some(7), unsent: Some(0), ..Seen::default() };
        assert_eq!(noted[&(workspace, device)], expected);
        assert!(touches.take().is_empty());
    }
}
