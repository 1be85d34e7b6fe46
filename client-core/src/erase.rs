//! Erased contacts: everything about them is destroyed here, in every table and file, also what was
//! never sent. The server is told once no byte of them is left.
//!
//! This is the one place where edits that nobody else has are destroyed on purpose; so it takes the
//! order only with the workspace's signature, or as the fate that the server gave to an upload.

use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::{Erasures, KeyAlgorithm, erasures_text, verify};

use crate::at_rest::lost;
use crate::copies::Aftermath;
use crate::error::{Error, Result};
use crate::replica::{Replica, Write};
use crate::store::contacts;
use crate::store::erasures;
use crate::store::handed;
use crate::store::meta::{self, key};

impl Replica {
    /// Destroys everything of these contacts, in one transaction. Returns those that are to be
    /// confirmed once the files are scrubbed ([`Self::wipe_dropped`]); none where the workspace did not
    /// sign the order.
    pub(crate) fn purge_erased(&self, order: &Erasures) -> Result<Vec<ContactId>> {
        self.write("erase", |write| {
            let me = write.replica.me(&write.tx)?;
            let key = meta::get::<Vec<u8>>(&write.tx, key::WORKSPACE_KEY)?.unwrap_or_default();
            let text = erasures_text(&me.workspace, &me.device, &order.contacts);
            if !verify(KeyAlgorithm::Ed25519, &key, &text, &order.signature) {
                tracing::warn!("an order to erase without the workspace's signature was ignored");
                return Ok(Vec::new());
            }
            for id in &order.contacts {
                write.purge(*id)?;
            }
            write.notices.sync = true;
            Ok(order.contacts.clone())
        })
    }

    /// Removes databases that were set aside as damaged or for want of their key: what could be read of
    /// them was taken over then, and nobody can tell any more whom they speak of.
    pub(crate) fn remove_set_aside(&self) -> Result<()> {
        let home = self.inner.home.path();
        for entry in std::fs::read_dir(home).map_err(Error::file(home))? {
            let entry = entry.map_err(Error::file(home))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if lost::is_ours(&name) {
                lost::erase(&entry.path())?;
            } else if name.contains(".damaged-") {
                tracing::warn!(
                    file = %entry.path().display(),
                    "a damaged database that was set aside is removed: a contact was erased"
                );
                std::fs::remove_file(entry.path()).map_err(Error::file(&entry.path()))?;
            }
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Destroys everything of a contact; it does not have to be here any more for something of it to be.
    pub(crate) fn purge(&mut self, id: ContactId) -> Result<()> {
        if let Some(row) = contacts::find(&self.tx, id)? {
            contacts::drop(&self.tx, &row)?;
        }
        handed::remove(&self.tx, id)?;
        erasures::remove_all(&self.tx, id)?;
        self.replica.remove_set_aside()?;
        meta::remove(&self.tx, key::SET_ASIDE)?;
        self.wipe_files()?;
        // What is unsent of it is in the copies too.
        self.then(Aftermath::Compare);
        self.forget(id);
        self.touched(id);
        Ok(())
    }
}
