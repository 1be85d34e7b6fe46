//! Revoked devices that come back: what they had not sent reaches the server sealed, and nothing else is
//! left on them (rule 20).

use roadbook_client_core::{Receipt, Replica};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::ContactId;
use roadbook_server::store::{self, changes};

use crate::device::Standing;
use crate::net::End;
use crate::oracle::Acknowledged;
use crate::world::World;

impl World {
    /// A device has the order to wipe: what it has that nobody else has.
    pub fn note_unsent(&mut self, index: usize) {
        let Some(replica) = &self.devices[index].replica else { return };
        if replica.wipe_status().is_none() {
            self.devices[index].sealed = unsent(replica);
        }
    }

    /// The server knows that a device is wiped. That is its end.
    pub fn wiped(&mut self, id: u64) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let index = conn.device;
        let Some(client) = conn.client.as_mut() else { return };
        for effect in std::mem::take(&mut client.jobs) {
            if client.worker.perform(effect).is_err() {
                self.close(id, End::Client);
                self.device_trouble(index);
                return;
            }
        }
        self.close(id, End::Client);
        if self.devices[index].damaged {
            return;
        }
        self.cover.count("event.wiped");
        let sealed = std::mem::take(&mut self.devices[index].sealed);
        let promise = "P4: what a wiped device had not sent is recovered";
        let recovered = self.check_recovered(index, &sealed, promise);
        self.cover.add("event.sealed_edit_recovered", recovered);
        self.close_app(index);
        let written = self.oracle.erasures.everything();
        self.check_absent(index, &written, "P8: a wiped device holds nothing");
        self.devices[index].standing = Standing::Lost;
        self.devices[index].online = false;
    }

    /// Everything that was sealed is at the server, and stays there. How much that is.
    pub fn check_recovered(
        &mut self,
        index: usize,
        sealed: &[(ContactId, ChangeHash)],
        promise: &'static str,
    ) -> u64 {
        let Some(engine) = self.server.engine() else { return 0 };
        let workspace = self.server.workspace;
        let erasures = &self.oracle.erasures;
        let due: Vec<Acknowledged> = sealed
            .iter()
            .filter(|(contact, _)| !erasures.may_be_erased(contact))
            .map(|(contact, hash)| Acknowledged {
                contact: *contact,
                hash: *hash,
                device: Some(index),
            })
            .collect();
        let missing = engine.read(|conn| -> store::Result<Option<Acknowledged>> {
            for one in &due {
                if changes::find(conn, workspace, one.contact, &one.hash)?.is_none() {
                    return Ok(Some(*one));
                }
            }
            Ok(None)
        });
        match missing {
            Ok(None) => {
                let recovered = due.len() as u64;
                self.oracle.acknowledged.extend(due);
                return recovered;
            }
            Ok(Some(one)) => {
                let detail = format!(
                    "device {index} has handed over what it had sealed, and its change {} of contact {} is \
                     not at the server",
                    one.hash, one.contact
                );
                self.violated(promise, detail);
            }
            Err(_) => {}
        }
        0
    }
}

/// What a replica has that nobody else has.
pub fn unsent(replica: &Replica) -> Vec<(ContactId, ChangeHash)> {
    let outbox = replica.outbox(false).unwrap_or_default();
    let unsent = outbox
        .iter()
        .filter(|entry| matches!(entry.receipt, Receipt::Saved | Receipt::Forked))
        .filter_map(|entry| Some((entry.contact_id, entry.hash.parse().ok()?)));
    unsent.collect()
}
