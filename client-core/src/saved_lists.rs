//! Lists that the office has handed to this user: a name, who handed it over and when, and the contacts
//! that a filter with `list:` finds, with or without a network.
//!
//! They are the office's: here they are read and not changed.

use roadbook_protocol::ids::{ListId, UnixMs, UserId};
use roadbook_protocol::wire::Lists;
use serde::Serialize;

use crate::error::Result;
use crate::replica::Replica;
use crate::state::Named;
use crate::store::handed;
use crate::store::meta::{self, key};

/// A list of the office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavedList {
    /// Its id. A list that is handed over anew under its name has another one.
    pub id: ListId,
    /// What it is called.
    pub name: String,
    /// The filter that finds its contacts: `list:"NAME"`.
    pub filter: String,
    /// Who handed it over.
    pub by: Named<UserId>,
    /// When, milliseconds since 1970, by the server's clock.
    pub at: UnixMs,
    /// How many contacts the filter finds: those on this device that are not archived.
    pub contacts: u64,
}

impl Replica {
    /// The lists that the office has handed to this user, those that were handed over last first. Who
    /// observes [`crate::Topic::List`] is told when they change.
    ///
    /// # Errors
    /// [`crate::Error::LeaseEnded`], or what the disk says.
    pub fn lists(&self) -> Result<Vec<SavedList>> {
        self.may_read()?;
        let rows = self.read(handed::all)?;
        Ok(rows
            .into_iter()
            .map(|row| SavedList {
                id: row.id,
                // In quotes nothing but a quote means anything; names are compared without them.
                filter: format!("list:\"{}\"", row.name.replace('"', " ")),
                name: row.name,
                by: Named { id: row.by, name: row.by_name },
                at: row.at,
                contacts: row.contacts,
            })
            .collect())
    }

    /// Contacts of lists that found no room on this device.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn lists_left_out(&self) -> Result<u64> {
        let count = self.read(|conn| meta::get::<i64>(conn, key::LISTS_LEFT_OUT))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// Takes a part of what the server tells.
    pub(crate) fn store_lists(&self, part: &Lists) -> Result<()> {
        self.write("lists", |write| {
            handed::take(&write.tx, part)?;
            write.notices.list = true;
            write.notices.sync = true;
            Ok(())
        })
    }
}
