//! The hash by which a device and the server compare what they hold (rule 26).

use roadbook_protocol::document;
use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use roadbook_protocol::wire::Access;

use super::handle::Engine;
use super::types::StateHash;
use crate::store::{Result, changes, contacts, documents};

impl Engine {
    /// One hash over the merged content of all contacts, of those that a user's devices hold (owned
    /// or collaborated on), or of those listed.
    /// Contacts without merged content, and unknown ones, are left out. Opens every document.
    /// Blocking.
    ///
    /// # Errors
    /// What the database says, [`crate::store::EngineError::Damaged`].
    pub fn state_hash(
        &self,
        workspace: WorkspaceId,
        holder: Option<UserId>,
        ids: Option<&[ContactId]>,
    ) -> Result<StateHash> {
        self.read(|conn| {
            let mut each = Vec::new();
            let mut unmerged = 0;
            let mut add = |contact: contacts::Contact| {
                unmerged += changes::count_pending_of(conn, workspace, contact.id)?;
                if contact.cursor > 0 {
                    let doc = documents::document(conn, workspace, &contact)?;
                    each.push((contact.id, document::content_hash(&doc, None)));
                }
                Ok(())
            };
            match ids {
                None => contacts::for_each(conn, workspace, holder, add)?,
                Some(ids) => {
                    let mut ids = ids.to_vec();
                    ids.sort_unstable();
                    ids.dedup();
                    for id in ids {
                        let found = match holder {
                            None => contacts::find(conn, workspace, id)?,
                            Some(user) => contacts::visible(conn, workspace, user, id)?
                                .filter(|visible| visible.access != Access::Removed)
                                .map(|visible| visible.contact),
                        };
                        if let Some(found) = found.filter(|found| found.erased_at.is_none()) {
                            add(found)?;
                        }
                    }
                }
            }
            let hash = document::state_hash(each.iter().copied());
            Ok(StateHash { hash, each, unmerged })
        })
    }
}
