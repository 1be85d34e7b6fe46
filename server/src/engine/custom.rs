//! Defining the custom fields of a workspace. Devices are told at once, or at their next contact.

use roadbook_protocol::document::CustomField;
use roadbook_protocol::ids::{UserId, WorkspaceId};
use serde_json::json;

use super::handle::Engine;
use super::types::Event;
use crate::store::custom_fields::{self, Change};
use crate::store::{Result, audit};

impl Engine {
    /// The custom fields that a workspace has defined, in their order. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn custom_fields(&self, workspace: WorkspaceId) -> Result<Vec<CustomField>> {
        self.read(|conn| custom_fields::all(conn, workspace))
    }

    /// Changes what is defined. Durable, and in the audit log. No contact changes by it. Blocking.
    ///
    /// # Errors
    /// As [`custom_fields::change`].
    pub fn change_custom_field(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        change: Change,
    ) -> Result<()> {
        let now = self.now_ms();
        let changed = self.write(move |tx| -> Result<bool> {
            let Some(fields) = custom_fields::change(tx, workspace, &change)? else {
                return Ok(false);
            };
            let (action, detail) = match &change {
                Change::Put(_) => {
                    let field = CustomField::named(&fields, change.name());
                    ("custom_field.set", json!(field))
                }
                Change::Remove(_) => ("custom_field.remove", json!({})),
                Change::Earlier(_) => ("custom_field.order", json!({})),
            };
            audit::append(tx, workspace, now, by, action, change.name(), &detail)?;
            Ok(true)
        })?;
        if changed {
            self.publish(Event::CustomFields { workspace });
        }
        Ok(())
    }
}
