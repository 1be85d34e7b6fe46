//! The hook for files that interactions refer to: photos, offers, scans.
//!
//! Files themselves are neither kept nor sent by the replica. What it keeps, merges and sends is the
//! text of an interaction's attachments, which holds one reference a line; the app is told which
//! references there are, and moves the files.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use roadbook_client_core::{self as core, Replica, Topic};
use roadbook_protocol::ids::ContactId;

use crate::book::Roadbook;
use crate::border::outward;
use crate::error::{Result, RoadbookError};
use crate::model::Contact;
use crate::observe::{ObserverHandle, When};

/// The shortest time between two calls: files are slow, and to look costs more than a list.
const PACE: Duration = Duration::from_secs(1);

/// A reference to a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, uniffi::Record)]
pub struct Attachment {
    /// The contact.
    pub contact_id: String,
    /// The interaction, which is one of the contact's.
    pub interaction_id: String,
    /// What the app wrote there: a line of the interaction's `attachments`.
    pub reference: String,
}

/// What came and went.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct AttachmentChanges {
    /// What is referred to now, and was not: written here, or come from the server.
    pub added: Vec<Attachment>,
    /// What is not referred to on this device any more: taken out, its interaction deleted, its contact
    /// erased or given to somebody else, the device wiped.
    pub removed: Vec<Attachment>,
}

/// Watches which files are referred to, in all contacts of this device, archived ones too. Implemented
/// by the app, which uploads what was made here, fetches what it has not, and deletes what is gone;
/// called from a background thread, at most once a second.
#[uniffi::export(with_foreign)]
pub trait AttachmentObserver: Send + Sync {
    /// At once: all that there are, as `added`. A file that the app still has from an earlier time and
    /// that is not among them is to be deleted, but only when no contact is `missing` (`SyncState`): until
    /// then they are still coming. Then: what came and what went since.
    fn on_attachments(&self, changes: AttachmentChanges);
    /// They can't be read, such as `LeaseEnded`. Where the device was wiped, all of them were `removed`
    /// before. The observer goes on.
    fn on_error(&self, error: RoadbookError);
}

#[uniffi::export]
impl Roadbook {
    /// Watches which files the interactions of all contacts refer to.
    ///
    /// Looks once through every contact, some hundred milliseconds for 10,000 of them on a thread of its
    /// own, then only at those that changed.
    pub fn observe_attachments(
        &self,
        observer: Arc<dyn AttachmentObserver>,
    ) -> Result<Arc<ObserverHandle>> {
        let mut known = Known::default();
        let mut told: Option<RoadbookError> = None;
        let mut first = true;
        let when = When { pace: PACE, ..When::readable(Topic::List) };
        self.observe(when, move |book| {
            let (changes, error) =
                match book.call("observe_attachments", |replica| Ok(known.look(replica)?)) {
                    Ok(changes) => (changes, None),
                    // It is silent while suspended, and ends when closed.
                    Err(RoadbookError::Suspended | RoadbookError::Closed) => return,
                    Err(error @ RoadbookError::Wiped { .. }) => (known.forget(), Some(error)),
                    Err(error) => (AttachmentChanges::default(), Some(error)),
                };
            if changes != AttachmentChanges::default() || (first && error.is_none()) {
                outward("on_attachments", || observer.on_attachments(changes));
            }
            first &= error.is_some();
            if error != told {
                if let Some(error) = error.clone() {
                    outward("on_error", || observer.on_error(error));
                }
                told = error;
            }
        })
    }
}

/// What the app was told.
#[derive(Default)]
struct Known(HashMap<ContactId, Seen>);

/// One contact, when it was looked at.
struct Seen {
    state: u64,
    attachments: Vec<Attachment>,
}

impl Known {
    /// What changed since; nothing is noted where that fails.
    fn look(&mut self, replica: &Replica) -> core::Result<AttachmentChanges> {
        let states = replica.states()?;
        let mut changes = AttachmentChanges::default();
        let mut seen = Vec::new();
        for (&id, &state) in &states {
            let before = self.0.get(&id);
            if before.is_some_and(|before| before.state == state) {
                continue;
            }
            let attachments = match replica.contact(id) {
                Ok(contact) => attachments(&Contact::from_core(&contact)),
                // It went just now, and is missed the next time; or it is fetched again, and comes then.
                Err(core::Error::NotFound { .. } | core::Error::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let before = before.map_or(&[][..], |before| &before.attachments);
            changes.added.extend(without(&attachments, before));
            changes.removed.extend(without(before, &attachments));
            seen.push((id, Seen { state, attachments }));
        }
        self.0.retain(|id, seen| {
            let stays = states.contains_key(id);
            if !stays {
                changes.removed.append(&mut seen.attachments);
            }
            stays
        });
        self.0.extend(seen);
        Ok(changes)
    }

    /// All of it went.
    fn forget(&mut self) -> AttachmentChanges {
        let removed = self.0.drain().flat_map(|(_, seen)| seen.attachments).collect();
        AttachmentChanges { added: Vec::new(), removed }
    }
}

/// Those of the first that are not among the second.
fn without(some: &[Attachment], others: &[Attachment]) -> impl Iterator<Item = Attachment> {
    some.iter().filter(|one| !others.contains(one)).cloned()
}

/// The references of a contact, each once.
fn attachments(contact: &Contact) -> Vec<Attachment> {
    let mut all: Vec<Attachment> = Vec::new();
    for interaction in &contact.interactions {
        let lines = interaction.attachments.iter().flat_map(|text| text.lines());
        for reference in lines.map(str::trim).filter(|line| !line.is_empty()) {
            let one = Attachment {
                contact_id: contact.id.clone(),
                interaction_id: interaction.id.clone(),
                reference: reference.to_owned(),
            };
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}
