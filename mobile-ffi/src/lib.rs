//! UniFFI bindings over the Roadbook replica, for Kotlin, Swift and Python.
//!
//! This crate converts types and delegates, no more: every rule lives in `roadbook-client-core`.
//! It is a first thin object (open, edit, read, search, sync once); the full SDK is a capability of
//! its own. Calls block on the disk for about one fsync; call them off the UI thread.
//!
//! No panic crosses the border: UniFFI turns one into an error of the calling language, and the
//! replica's own state is guarded by transactions.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use roadbook_client_core::sync::{self, SyncOptions};
use roadbook_client_core::{Edited, Error, ListQuery, OpenOptions, Replica};
use roadbook_protocol::document::{Assigner, Contact};

uniffi::setup_scaffolding!();

/// Why a call failed. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum RoadbookError {
    /// The device belongs to nobody yet: enrol it with a code.
    #[error("{message}")]
    NotEnrolled {
        /// For a person.
        message: String,
    },
    /// No such contact, or the beginning of an id fits several.
    #[error("{message}")]
    NotFound {
        /// For a person.
        message: String,
    },
    /// A value does not fit; the message names the field and the way out.
    #[error("{message}")]
    Invalid {
        /// For a person.
        message: String,
    },
    /// The server can't be reached. Everything else works without it.
    #[error("{message}")]
    Offline {
        /// For a person.
        message: String,
    },
    /// The server answered, and refused.
    #[error("{message}")]
    Refused {
        /// For a person.
        message: String,
    },
    /// The storage failed, or is in use by another process.
    #[error("{message}")]
    Storage {
        /// For a person.
        message: String,
    },
}

impl From<Error> for RoadbookError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotEnrolled => RoadbookError::NotEnrolled { message },
            Error::NotFound { .. } | Error::Ambiguous { .. } => RoadbookError::NotFound { message },
            Error::Invalid(_)
            | Error::Filter(_)
            | Error::NotAllowed { .. }
            | Error::Address { .. } => RoadbookError::Invalid { message },
            Error::Offline { .. } | Error::Untrusted { .. } => RoadbookError::Offline { message },
            Error::Refused { .. } => RoadbookError::Refused { message },
            _ => RoadbookError::Storage { message },
        }
    }
}

type Result<T> = std::result::Result<T, RoadbookError>;

/// One `field = value`; the names are those of `docs/fields.md`.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Assignment {
    /// Such as `family_name`, `phone`, `city`, `custom.NAME`.
    pub field: String,
    /// The value as text; empty clears the field.
    pub value: String,
}

/// One contact in a list.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ListItem {
    /// Its id.
    pub id: String,
    /// What to call it.
    pub display_name: String,
    /// The company, empty if unknown.
    pub company: String,
    /// The city of the first address.
    pub city: String,
    /// The first phone number.
    pub phone: String,
    /// Fields that wait for a decision.
    pub conflicts: u32,
}

/// Where the replica stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ReplicaStatus {
    /// Whether the device is enrolled.
    pub enrolled: bool,
    /// Contacts on this device.
    pub contacts: u64,
    /// Edits that the server has not acknowledged.
    pub unsent: u64,
    /// Contacts that are still to be fetched.
    pub missing: u64,
    /// Contacts with a conflict.
    pub conflicts: u64,
}

/// One device's replica. One process has it open at a time.
#[derive(uniffi::Object)]
pub struct Roadbook {
    replica: Replica,
    runtime: tokio::runtime::Runtime,
}

#[uniffi::export]
impl Roadbook {
    /// Opens the replica in this directory; makes an empty one if there is none.
    #[uniffi::constructor]
    pub fn open(home: String) -> Result<Arc<Self>> {
        roadbook_protocol::guard::quiet_panics();
        let replica = Replica::open(Path::new(&home), OpenOptions::default())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| RoadbookError::Storage { message: error.to_string() })?;
        Ok(Arc::new(Self { replica, runtime }))
    }

    /// Enrols the device with a one-time code. Needs the network.
    pub fn enrol(
        &self,
        url: String,
        code: String,
        fingerprint: Option<String>,
        device_name: String,
    ) -> Result<()> {
        let enrolled =
            sync::enrol(&self.replica, &url, &code, fingerprint.as_deref(), &device_name);
        self.runtime.block_on(enrolled)?;
        Ok(())
    }

    /// Where the replica stands.
    pub fn status(&self) -> Result<ReplicaStatus> {
        let status = self.replica.status()?;
        Ok(ReplicaStatus {
            enrolled: status.enrolled,
            contacts: status.contacts,
            unsent: status.unsent,
            missing: status.missing,
            conflicts: status.conflicts,
        })
    }

    /// Adds a contact; durable when it returns. Gives its id.
    pub fn add(&self, assignments: Vec<Assignment>) -> Result<String> {
        let commands = self.commands(None, &assignments)?;
        Ok(self.replica.create(&commands)?.contact_id.to_string())
    }

    /// Sets fields; durable when it returns. `false` if the contact was so already.
    pub fn set(&self, id: String, assignments: Vec<Assignment>) -> Result<bool> {
        let contact = self.replica.contact(self.replica.resolve_id(&id)?)?;
        let commands = self.commands(Some(&contact), &assignments)?;
        Ok(matches!(self.replica.edit(contact.id, &commands)?, Edited::Saved(_)))
    }

    /// Contacts by name, optionally those that a filter selects (see `docs/filters.md`).
    pub fn list(&self, filter: Option<String>, limit: u32, offset: u32) -> Result<Vec<ListItem>> {
        let (limit, offset) = (limit as usize, offset as usize);
        let query = ListQuery { filter, limit, offset, ..ListQuery::default() };
        Ok(self.replica.list(&query)?.rows.iter().map(item).collect())
    }

    /// Search as you type.
    pub fn search(&self, text: String, limit: u32) -> Result<Vec<ListItem>> {
        Ok(self.replica.search(&text, limit as usize)?.iter().map(item).collect())
    }

    /// Sends what is unsent and fetches what is new, for at most so many seconds.
    pub fn sync_once(&self, seconds: u32) -> Result<()> {
        let engine = sync::Engine::new(self.replica.clone(), SyncOptions::default());
        self.runtime.block_on(engine.sync_once(Duration::from_secs(seconds.into())))?;
        Ok(())
    }

    /// Closes the files; every later call fails.
    pub fn close(&self) {
        self.replica.close();
    }
}

impl Roadbook {
    fn commands(
        &self,
        contact: Option<&Contact>,
        assignments: &[Assignment],
    ) -> Result<Vec<roadbook_protocol::document::Command>> {
        let mut assigner = Assigner::new(contact, self.replica.now_ms());
        for Assignment { field, value } in assignments {
            assigner
                .assign(field, value, &mut || self.replica.new_entry_id())
                .map_err(|error| RoadbookError::Invalid { message: error.to_string() })?;
        }
        Ok(assigner.finish())
    }
}

fn item(row: &roadbook_protocol::projection::Row) -> ListItem {
    let text = |name: &str| row.fields.get(name).map(ToString::to_string).unwrap_or_default();
    ListItem {
        id: row.id.to_string(),
        display_name: row.display_name.clone(),
        company: text("company"),
        city: row.city.clone(),
        phone: row.phones.first().cloned().unwrap_or_default(),
        conflicts: row.conflicts,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(field: &str, value: &str) -> Assignment {
        Assignment { field: field.into(), value: value.into() }
    }

    #[test]
    fn a_device_that_is_not_enrolled_reads_nothing_and_refuses_edits_with_the_way_out() {
        let home = tempfile::tempdir().unwrap();
        let book = Roadbook::open(home.path().to_str().unwrap().into()).unwrap();
        assert!(!book.status().unwrap().enrolled);
        assert!(book.list(None, 10, 0).unwrap().is_empty());
        let refused = book.add(vec![set("name", "Åse Østergård")]).unwrap_err();
        assert!(matches!(refused, RoadbookError::NotEnrolled { .. }), "{refused:?}");
        assert!(refused.to_string().contains("enroll"), "{refused}");
    }

    #[test]
    fn an_error_says_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let book = Roadbook::open(home.path().to_str().unwrap().into()).unwrap();
        let error = book.add(vec![set("staus", "customer")]).unwrap_err();
        assert!(matches!(error, RoadbookError::Invalid { .. }), "{error:?}");
        assert!(error.to_string().contains("status"), "{error}");
        assert!(matches!(book.sync_once(1), Err(RoadbookError::NotEnrolled { .. })));
    }
}
