//! Devices that stay away until their lease ends (rule 21): reading is locked, edits are still taken,
//! no clock that is turned helps, and a contact or a code from the office brings everything back.

use roadbook_client_core::{Error, LeaseState, ListQuery, Replica};
use roadbook_server::engine::lease::LEASE_DAYS_DEFAULT;

use crate::act::KEPT_MS;
use crate::device::Device;
use crate::net::End;
use crate::world::World;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a lease is, unless it is set otherwise.
const LEASE_MS: i64 = LEASE_DAYS_DEFAULT as i64 * DAY_MS;
/// How many days a code from the office gives.
const CODE_DAYS: u32 = 3;

/// The promise.
const LOCKS: &str = "rule 21: a lease locks reading when it ends, and only then";

/// A permission to read.
#[derive(Debug, Clone, Copy)]
pub struct Lent {
    /// When it was taken, by the clock that counts from the boot.
    from: i64,
    /// How long it holds.
    ms: i64,
}

impl Device {
    /// Whether what is on it must not be read now, whatever its wall clock says.
    pub fn is_locked(&self) -> bool {
        self.lease.is_some_and(|lent| self.clock.since_boot_ms() - lent.from >= lent.ms)
    }
}

impl World {
    /// A device is in a drawer for some days; then its clock is turned, and it is used again.
    pub fn stay_away(&mut self, index: usize, days: u32, turned_ms: i64, code: bool, salt: u64) {
        self.devices[index].online = false;
        if let Some(conn) = self.devices[index].conn {
            self.close(conn, End::Client);
        }
        // Its app has read what there is.
        self.edit_some(index, 1, salt);
        self.devices[index].clock.pass(i64::from(days) * DAY_MS);
        self.devices[index].tidied |= self.devices[index].clock.went_ahead_ms() > KEPT_MS;
        if !self.open_app(index) || !self.devices[index].is_locked() || self.is_over() {
            return;
        }
        self.cover.count("act.lease_end");
        self.check_locked(index);
        self.devices[index].clock.jump(turned_ms);
        self.devices[index].tidied |= self.devices[index].clock.went_ahead_ms() > KEPT_MS;
        self.cover.count(match turned_ms < 0 {
            true => "act.clock_turned_back",
            false => "act.clock_turned_ahead",
        });
        self.check_locked(index);
        self.close_app(index);
        if !self.open_app(index) || self.is_over() {
            return;
        }
        self.check_locked(index);
        self.edit_some(index, 2, salt >> 1);
        if code {
            self.give_code(index);
        }
    }

    /// The office reads a code to the user, who has no network.
    fn give_code(&mut self, index: usize) {
        let Some(engine) = self.server.engine() else { return };
        let (workspace, by) = (self.server.workspace, Some(self.server.office));
        let given = engine.extend_lease(workspace, by, self.devices[index].id, CODE_DAYS);
        let Some((code, _)) = self.office("a code that extends a lease", given) else { return };
        let Some(replica) = self.devices[index].replica.clone() else { return };
        match replica.extend_lease(&code) {
            Ok(_) => {
                let from = self.devices[index].clock.since_boot_ms();
                let ms = i64::from(CODE_DAYS) * DAY_MS;
                self.devices[index].lease = Some(Lent { from, ms });
                self.cover.count("event.lease_extended");
                self.check_readable(index, &replica);
            }
            // The server's clock went back since the last contact.
            Err(Error::NotAllowed { .. }) => {}
            Err(error) => {
                drop(replica);
                self.devices[index].lease = None;
                if !self.device_trouble(index) {
                    self.violated("a code extends a lease", format!("device {index}: {error}"));
                }
            }
        }
    }

    /// The server has given a device a new lease.
    pub fn note_lent(&mut self, index: usize) {
        let locked = self.devices[index].is_locked();
        let from = self.devices[index].clock.since_boot_ms();
        self.devices[index].lease = Some(Lent { from, ms: LEASE_MS });
        let Some(replica) = self.devices[index].replica.clone().filter(|_| locked) else { return };
        self.cover.count("event.lease_renewed");
        self.check_readable(index, &replica);
    }

    fn check_readable(&mut self, index: usize, replica: &Replica) {
        if let Err(error @ Error::LeaseEnded { .. }) = replica.ids(None) {
            self.violated(LOCKS, format!("device {index} after it was renewed: {error}"));
        }
    }

    /// What the replica says of its lease is what the clock that nobody can turn says.
    pub fn check_lease(&mut self, index: usize) {
        let device = &self.devices[index];
        let Some(replica) = device.replica.as_ref().filter(|_| !device.damaged) else { return };
        if device.lease.is_none() || replica.wipe_status().is_some() {
            return;
        }
        let (locked, lease) = (device.is_locked(), replica.lease());
        if lease.is_none_or(|lease| (lease.state == LeaseState::Ended) != locked) {
            let word = if locked { "has ended" } else { "holds" };
            let detail = format!("the lease of device {index} {word}; the replica says {lease:?}");
            self.violated(LOCKS, detail);
        }
    }

    /// Nothing of a contact is to be read.
    fn check_locked(&mut self, index: usize) {
        self.check_lease(index);
        let device = &self.devices[index];
        let Some(replica) = device.replica.clone().filter(|_| !device.damaged) else { return };
        let contact = device.contacts.first().copied();
        let mut reads = vec![
            ("the list", replica.list(&ListQuery::default()).err()),
            ("the ids", replica.ids(None).err()),
            ("the search", replica.search("visit", 10).err()),
            ("the conflicts", replica.conflicts(None).err()),
            ("the quarantine", replica.quarantine().err()),
        ];
        if let Some(contact) = contact {
            reads.push(("a contact", replica.contact(contact).err()));
            reads.push(("a history", replica.history(contact, 10).err()));
        }
        let open = reads.iter().find(|(_, error)| !matches!(error, Some(Error::LeaseEnded { .. })));
        if let Some((what, error)) = open {
            let detail = format!("device {index}: {what} answered {error:?}");
            let made = error.is_some();
            drop(replica);
            if !made || !self.device_trouble(index) {
                self.violated(LOCKS, detail);
            }
            return;
        }
        self.cover.count("event.lease_locked");
    }
}
