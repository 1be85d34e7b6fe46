//! Choosing by which language a workspace's lists are sorted.

use roadbook_protocol::ids::{UserId, WorkspaceId};
use serde_json::json;

use super::handle::Engine;
use crate::sorting::Sorting;
use crate::store::{Result, audit, sorting};

impl Engine {
    /// The order of a workspace's lists. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn sorting(&self, workspace: WorkspaceId) -> Result<Sorting> {
        self.read(|conn| sorting::of(conn, workspace))
    }

    /// Chooses the order of a workspace's lists. Durable, and in the audit log; carried out by
    /// [`Self::sort_anew`]. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn choose_sorting(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        chosen: Sorting,
    ) -> Result<()> {
        let now = self.now_ms();
        self.write(move |tx| {
            if sorting::choose(tx, workspace, chosen)? {
                let detail = json!({ "language": chosen.tag() });
                audit::append(tx, workspace, now, by, "sorting.set", "", &detail)?;
            }
            Ok(())
        })
    }

    /// Sorts what another order was chosen for, in slices between which everybody else has their turn, until
    /// nothing is left or `stop` says so. What was cut off goes on with the next call. 100,000 contacts take
    /// some 10 s. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn sort_anew(&self, stop: impl Fn() -> bool) -> Result<()> {
        while !stop() && self.write(sorting::key_slice)? {}
        Ok(())
    }
}
