//! Planted contacts: who touches one is told to managers.
//!
//! A touch is opening one at the office, editing one, exporting one, or an export for mailing that would
//! have held it. That a device is given the ones of its user, and that lists show them, is none: else
//! every sync would raise an alert.

use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use rusqlite::Transaction;

use super::handle::Engine;
use super::judge::Stage;
use super::types::Event;
use crate::store::alerts::{self, NewAlert};
use crate::store::{Result, canaries};

/// What was done to a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Opened on the pages.
    Open,
    /// Edited, on a device or on the pages.
    Edit,
    /// In an export.
    Export,
    /// Would have been in an export for mailing.
    Mailing,
}

impl Touch {
    fn as_str(self) -> &'static str {
        match self {
            Touch::Open => "open",
            Touch::Edit => "edit",
            Touch::Export => "export",
            Touch::Mailing => "mailing",
        }
    }

    fn alert(self, contact: ContactId) -> NewAlert {
        NewAlert {
            kind: "canary",
            how: self.as_str(),
            user: None,
            device: None,
            contact: Some(contact),
            contacts: 1,
            most: 0,
            until: None,
        }
    }
}

impl Engine {
    /// Tells managers of the canaries among contacts that somebody (`None`: the operator at the shell)
    /// has touched. Durable. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn touch_canaries(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        touch: Touch,
        contacts: impl IntoIterator<Item = ContactId>,
    ) -> Result<()> {
        let planted = self.read(|conn| canaries::ids(conn, workspace))?;
        if planted.is_empty() {
            return Ok(());
        }
        let touched: Vec<ContactId> =
            contacts.into_iter().filter(|contact| planted.contains(contact)).collect();
        if touched.is_empty() {
            return Ok(());
        }
        let now = self.now_ms();
        self.write(move |tx| -> Result<()> {
            for contact in touched {
                let alert = NewAlert { user: by, ..touch.alert(contact) };
                alerts::raise(tx, workspace, now, &alert)?;
            }
            Ok(())
        })?;
        self.publish(Event::Alert { workspace });
        Ok(())
    }
}

impl Stage {
    /// Tells managers if a change that was just taken from a device is one of a canary.
    pub(super) fn watch(
        &mut self,
        tx: &Transaction<'_>,
        sender: super::judge::Sender,
        contact: ContactId,
    ) -> Result<()> {
        let workspace = sender.workspace;
        // What is brought back to a restored server was edited before.
        if sender.vouched || !canaries::is_one(tx, workspace, contact)? {
            return Ok(());
        }
        let alert = NewAlert {
            user: Some(sender.user),
            device: Some(sender.device),
            ..Touch::Edit.alert(contact)
        };
        alerts::raise(tx, workspace, self.now, &alert)?;
        self.alerted.insert(workspace);
        Ok(())
    }
}
