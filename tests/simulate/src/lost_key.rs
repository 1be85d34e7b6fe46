//! Devices whose key store loses its keys (rule 17): what they had not sent is in the sealed copies beside
//! the database, and is at the server once they are enrolled anew and have handed it over.
//!
//! The simulated devices are not encrypted. What a lost key leaves of an encrypted one is what can be
//! read without it: so everything else is taken away.

use std::fs;

use roadbook_client_core::sync::Enrolment;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, DeviceId};
use roadbook_server::store::devices;
use roadbook_server::store::people::{self, Purpose};
use roadbook_server::sync::service;

use crate::device::Standing;
use crate::wiping::unsent;
use crate::world::World;
use roadbook_faults::disk::Loss;

/// What a device had not sent when its key was lost.
pub struct Copied {
    /// What the server knew it as.
    pub was: DeviceId,
    /// The contacts and the changes.
    pub edits: Vec<(ContactId, ChangeHash)>,
    /// Whether a part of it was handed over.
    pub begun: bool,
}

/// What can be read without the key: the sealed copies.
const COPIES: &str = "copies";
const PROMISE: &str = "P4: what a device whose key is lost had not sent is recovered";

impl World {
    /// The keys of a device are gone; its user enrols anew in the same directory.
    pub fn lose_key(&mut self, index: usize) {
        if self.server.engine().is_none()
            || self.devices[index].standing != Standing::Alive
            || self.devices[index].damaged
            || self.devices[index].copied.is_some()
            || !self.open_app(index)
        {
            return;
        }
        let Some(replica) = self.devices[index].replica.clone() else { return };
        // On a full disk there are no copies, and the user was told.
        let told = replica.status().map_or(true, |status| status.copies.trouble.is_some());
        let edits = unsent(&replica);
        drop(replica);
        self.close_app(index);
        if told || self.devices[index].disk.disk.restart(Loss::Process).is_err() {
            return;
        }
        let home = self.devices[index].home.clone();
        let taken_away = fs::read_dir(&home).and_then(|entries| {
            for entry in entries {
                let entry = entry?;
                if !entry.file_name().to_string_lossy().starts_with(COPIES) {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        });
        if let Err(error) = taken_away {
            return self.violated("files are taken away", error.to_string());
        }
        self.devices[index].disk.disk.settle();
        self.lose_edits(index);
        let was = self.devices[index].id;
        let device = &mut self.devices[index];
        device.copied = Some(Copied { was, edits, begun: false });
        device.unproved.clear();
        device.open_edits.clear();
        (device.timeline, device.lease) = (None, None);
        // What was saved can't be read any more either.
        (device.saved, device.saved_lease) = (None, None);
        self.cover.count("fault.key_lost");
        self.enrol_anew(index);
    }

    /// Enrols a device whose files hold nothing but sealed copies. It takes part no more where that
    /// fails.
    fn enrol_anew(&mut self, index: usize) {
        if !self.open_app(index) {
            self.devices[index].standing = Standing::Lost;
            return;
        }
        let (Some(engine), Some(replica)) =
            (self.server.engine(), self.devices[index].replica.clone())
        else {
            self.devices[index].standing = Standing::Lost;
            return;
        };
        let user = self.server.users[self.devices[index].user];
        let (workspace, now, random) = (self.server.workspace, engine.now_ms(), engine.random());
        let code = engine.write(move |tx| {
            people::new_code(tx, workspace, user, Purpose::Enrol, random, now, 600_000)
        });
        let granted = self.office("an invitation", code).and_then(|code| {
            let (enrolment, request) = Enrolment::begin(&replica, &code, "phone").ok()?;
            let granted = self.office("an enrolment", service::enrol(&engine, request))?;
            let id = granted.device;
            enrolment.finish(granted, "https://simulated".to_owned(), None).ok()?;
            Some(id)
        });
        let Some(id) = granted else {
            // Its disk or the server's failed it; nobody tries again.
            self.devices[index].copied = None;
            drop(replica);
            self.close_app(index);
            self.devices[index].standing = Standing::Lost;
            self.devices[index].online = false;
            return;
        };
        self.devices[index].id = id;
        self.devices[index].stale = true;
        // Others' changes that only it had can't be read any more.
        self.note_put_back(index);
        self.connect(index);
    }

    /// A device has handed over a part.
    pub fn note_copied(&mut self, index: usize) {
        if let Some(copied) = &mut self.devices[index].copied {
            copied.begun = true;
        }
    }

    /// A device has nothing left to hand over: all of it is at the server. What the server refused is
    /// still there.
    pub fn check_copied(&mut self, index: usize) {
        let Some(replica) = &self.devices[index].replica else { return };
        if replica.status().map_or(true, |status| status.copies.refused.is_some()) {
            return;
        }
        let Some(copied) = self.devices[index].copied.take() else { return };
        let recovered = self.check_recovered(index, &copied.edits, PROMISE);
        self.cover.add("event.copied_edit_recovered", recovered);
    }

    /// At the end nothing is left to hand over, but where the server was restored and does not know the
    /// device any more that made it.
    pub fn check_all_copied(&mut self) {
        for index in 0..self.devices.len() {
            let device = &self.devices[index];
            if self.is_over() || device.standing != Standing::Alive || device.damaged {
                continue;
            }
            let Some(copied) = &device.copied else { continue };
            let (was, workspace) = (copied.was, self.server.workspace);
            let Some(engine) = self.server.engine() else { return };
            let known = engine.read(|conn| devices::find_device(conn, workspace, was));
            if !copied.edits.is_empty() && known.is_ok_and(|known| known.is_some()) {
                let detail = format!(
                    "device {index} has {} edits of the time before its key was lost still to hand over",
                    copied.edits.len()
                );
                return self.violated(PROMISE, detail);
            }
        }
    }
}
