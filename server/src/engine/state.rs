//! The hash by which a device and the server compare what they hold (rule 26).

use roadbook_protocol::document;
use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};

use super::handle::Engine;
use super::types::StateHash;
use crate::store::{Result, changes, contacts, documents};

impl Engine {
    /// One hash over the merged content of all contacts, of those of one owner, or of those listed.
    /// Contacts without merged content, and unknown ones, are left out. Opens every document.
    /// Blocking.
    ///
    /// # Errors
    /// What the database says, [`crate::store::EngineError::Damaged`].
    pub fn state_hash(
        &self,
        workspace: WorkspaceId,
        owner: Option<UserId>,
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
                None => contacts::for_each(conn, workspace, owner, add)?,
                Some(ids) => {
                    let mut ids = ids.to_vec();
                    ids.sort_unstable();
                    ids.dedup();
                    for id in ids {
                        match contacts::find(conn, workspace, id)? {
                            Some(found)
                                if found.erased_at.is_none()
                                    && (owner.is_none() || found.owner == owner) =>
                            {
                                add(found)?;
                            }
                            _ => {}
                        }
                    }
                }
            }
            let hash = document::state_hash(each.iter().copied());
            Ok(StateHash { hash, each, unmerged })
        })
    }
}
