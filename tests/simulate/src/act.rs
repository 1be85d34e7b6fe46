//! The steps of a plan, carried out.

use roadbook_faults::disk::{DiskFault, IoKind};
use roadbook_protocol::document::Command;
use roadbook_protocol::ids::ContactId;
use roadbook_server::engine::{AuthorOutcome, Authored, Step};
use roadbook_server::store::EngineError;

use crate::device::Standing;
use crate::net::End;
use crate::oracle::Acknowledged;
use crate::plan::Op;
use crate::words;
use crate::world::{Happening, World};

/// How long a replica keeps the rows of edits that have arrived, at least.
pub const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

impl World {
    /// The device that a step names, among those that take part.
    fn nth_device(&self, number: u32) -> Option<usize> {
        let alive: Vec<usize> = (0..self.devices.len())
            .filter(|index| self.devices[*index].standing == Standing::Alive)
            .collect();
        (!alive.is_empty()).then(|| alive[number as usize % alive.len()])
    }

    /// The same for the network: a revoked device goes on trying.
    fn nth_connecting(&self, number: u32) -> Option<usize> {
        let present: Vec<usize> = (0..self.devices.len())
            .filter(|index| self.devices[*index].standing != Standing::Lost)
            .collect();
        (!present.is_empty()).then(|| present[number as usize % present.len()])
    }

    /// A contact that the office knows of.
    pub fn nth_contact(&self, number: u32) -> Option<ContactId> {
        let contacts = self.oracle.rights.len();
        (contacts > 0)
            .then(|| self.oracle.rights.keys().nth(number as usize % contacts).copied())
            .flatten()
    }

    /// A user.
    pub fn nth_user(&self, number: u32) -> usize {
        number as usize % self.server.users.len().max(1)
    }

    /// Carries one step out.
    pub fn act(&mut self, op: Op) {
        match op {
            Op::Edit { device, times, salt } => {
                if let Some(index) = self.nth_device(device) {
                    self.edit_some(index, times, salt);
                }
            }
            Op::Create { device, salt } => {
                if let Some(index) = self.nth_device(device) {
                    self.create_contact(index, salt);
                }
            }
            Op::Forge { device, contact, salt } => {
                if let Some(index) = self.nth_device(device) {
                    self.forge(index, contact, salt);
                }
            }
            Op::OfficeEdit { contact, times, salt } => self.office_edit(contact, times, salt),
            Op::Decide { salt } => self.decide(salt),
            Op::Assign { contact, count, user } => self.assign(contact, count, user),
            Op::Rewrite { contact } => self.rewrite(contact),
            Op::Erase { contact, salt } => self.erase(contact, salt),
            Op::Team { user, joins } => self.change_team(user, joins),
            Op::Collaborate { contact, user, add } => self.collaborate(contact, user, add),
            Op::Join { user } => {
                let user = self.nth_user(user);
                self.join(user);
            }
            Op::RestartServer { .. }
            | Op::CrashServer { .. }
            | Op::CrashServerIn { .. }
            | Op::ServerDiskFails { .. }
            | Op::ServerDiskFull { .. }
            | Op::ServerBitFlips { .. }
            | Op::ServerDiskSlow { .. }
            | Op::ServerClock { .. }
            | Op::MinimumVersion { .. }
            | Op::Backup
            | Op::Restore { .. }
            | Op::Checkpoint => self.act_on_server(op),
            Op::Online { device, .. }
            | Op::Offline { device, .. }
            | Op::Cut { device }
            | Op::Partition { device, .. }
            | Op::Stall { device, .. }
            | Op::Duplicate { device, .. }
            | Op::Reorder { device, .. } => {
                if let Some(index) = self.nth_connecting(device) {
                    self.act_on_network(index, op);
                }
            }
            Op::CloseApp { device }
            | Op::CrashDevice { device, .. }
            | Op::CrashDeviceIn { device, .. }
            | Op::DeviceDiskFails { device, .. }
            | Op::DeviceDiskFull { device, .. }
            | Op::DeviceBitFlips { device, .. }
            | Op::DeviceClock { device, .. }
            | Op::Copy { device, .. }
            | Op::SaveDevice { device }
            | Op::RestoreDevice { device, .. }
            | Op::Revoke { device }
            | Op::Lose { device }
            | Op::LoseKey { device }
            | Op::StayAway { device, .. }
            | Op::AppVersion { device, .. } => {
                if let Some(index) = self.nth_device(device) {
                    self.act_on_device(index, op);
                }
            }
        }
    }

    fn act_on_network(&mut self, index: usize, op: Op) {
        let now = self.now;
        let conn = self.devices[index].conn;
        match (op, conn) {
            (Op::Online { once, .. }, _) => {
                self.devices[index].online = true;
                self.devices[index].once = once;
                self.connect(index);
            }
            (Op::Offline { told, .. }, conn) => {
                self.devices[index].online = false;
                match conn {
                    Some(conn) if told => self.close(conn, End::Client),
                    Some(conn) => self.cut(conn, false),
                    None => {}
                }
            }
            (Op::Cut { .. }, Some(conn)) => {
                self.cover.count("fault.cut");
                self.cut(conn, true);
            }
            (Op::Partition { up, down, .. }, Some(conn)) => {
                self.cover.count(match up && down {
                    true => "fault.partition_both",
                    false => "fault.partition_one_way",
                });
                self.darken(conn, up, down);
            }
            (Op::Stall { ms, .. }, Some(conn)) => {
                if let Some(conn) = self.conns.get_mut(&conn) {
                    conn.up.stalled_until = now + i64::from(ms);
                    conn.down.stalled_until = now + i64::from(ms);
                    self.cover.count("fault.stall");
                }
            }
            (Op::Duplicate { ms, .. }, _) => {
                self.devices[index].duplicate_until = now + i64::from(ms);
            }
            (Op::Reorder { ms, .. }, _) => {
                self.devices[index].reorder_until = now + i64::from(ms);
            }
            _ => {}
        }
    }

    fn act_on_device(&mut self, index: usize, op: Op) {
        match op {
            Op::CloseApp { .. } if self.devices[index].replica.is_some() => {
                self.cover.count("fault.app_closed");
                self.close_app(index);
            }
            Op::CrashDevice { ending, .. } => self.crash_device(index, ending),
            Op::CrashDeviceIn { operations, ending, .. } => {
                self.devices[index].ending = ending;
                self.devices[index].disk.arm(DiskFault::Crash { at: u64::from(operations) });
            }
            Op::DeviceDiskFails { operations, .. } => {
                let kind = match operations % 3 {
                    0 => IoKind::Sync,
                    1 => IoKind::Write,
                    _ => IoKind::Any,
                };
                let at = u64::from(operations);
                self.devices[index].disk.arm(DiskFault::Fail { at, kind });
                self.schedule(self.now + 60_000, Happening::DeviceDiskHeals { device: index });
            }
            Op::DeviceDiskFull { bytes, ms, .. } => {
                let after_bytes = u64::from(bytes);
                self.devices[index].disk.arm(DiskFault::Full { after_bytes });
                let at = self.now + i64::from(ms);
                self.schedule(at, Happening::DeviceDiskHeals { device: index });
            }
            Op::DeviceBitFlips { salt, .. } => self.flip_device(index, salt),
            Op::DeviceClock { ms, .. } => {
                self.cover.count("fault.clock_jump_device");
                self.devices[index].clock.jump(ms);
                self.devices[index].tidied |= self.devices[index].clock.went_ahead_ms() > KEPT_MS;
            }
            Op::Copy { same_machine, .. } => self.copy_device(index, same_machine),
            Op::SaveDevice { .. } => self.save_device(index),
            Op::RestoreDevice { in_place, .. } => {
                // One whose files were saved, if there is one: the first such step only saves.
                let count = self.devices.len();
                let saved = (0..count).map(|n| (index + n) % count).find(|n| {
                    let device = &self.devices[*n];
                    device.standing == Standing::Alive && device.saved.is_some()
                });
                match saved {
                    Some(saved) => self.restore_device(saved, in_place),
                    None => self.save_device(index),
                }
            }
            Op::Revoke { .. } => self.revoke(index),
            Op::StayAway { days, turned_ms, code, salt, .. } => {
                self.stay_away(index, days, turned_ms, code, salt);
            }
            Op::Lose { .. } => self.lose(index),
            Op::LoseKey { .. } => self.lose_key(index),
            Op::AppVersion { version, .. } => self.devices[index].version = version,
            _ => {}
        }
    }

    fn act_on_server(&mut self, op: Op) {
        match op {
            Op::RestartServer { ms } if self.server.is_up() => {
                self.cover.count("fault.server_restart");
                self.stop_server();
                self.start_server_in(ms);
            }
            Op::CrashServer { ending, ms } if self.server.is_up() => self.crash_server(ending, ms),
            Op::CrashServerIn { operations, ending, ms } => {
                self.server.crash = (ending, ms);
                self.server.disk.arm(DiskFault::Crash { at: u64::from(operations) });
            }
            Op::ServerDiskFails { operations } => {
                let at = u64::from(operations);
                self.server.disk.arm(match operations % 4 {
                    0 => DiskFault::Fail { at, kind: IoKind::Sync },
                    1 => DiskFault::Fail { at, kind: IoKind::Write },
                    2 => DiskFault::Fail { at, kind: IoKind::Any },
                    // Linux marks the pages clean: the next sync says yes and writes nothing.
                    _ => DiskFault::LostSync { at: at / 4 + 1 },
                });
                self.schedule(self.now + 60_000, Happening::ServerDiskHeals);
            }
            Op::ServerDiskFull { bytes, ms } => {
                self.server.disk.arm(DiskFault::Full { after_bytes: u64::from(bytes) });
                self.schedule(self.now + i64::from(ms), Happening::ServerDiskHeals);
            }
            Op::ServerBitFlips { salt } => self.flip_server(salt),
            Op::ServerDiskSlow { delay_ms, ms } => {
                self.cover.count("fault.server_disk_slow");
                self.server.slow = (delay_ms, self.now + i64::from(ms));
            }
            Op::ServerClock { ms } => {
                self.cover.count("fault.clock_jump_server");
                self.server.clock.jump(ms);
            }
            Op::MinimumVersion { version } => self.set_minimum_version(version),
            Op::Backup => self.back_up(),
            Op::Restore { salt, by_hand, keep_ledger } => {
                self.restore_server(salt, by_hand, keep_ledger);
            }
            Op::Checkpoint => {
                if let Some(engine) = self.server.engine() {
                    engine.step(Step::Checkpoint);
                }
            }
            _ => {}
        }
    }

    /// What the office gets back for something it asked for; `None` where it failed for a reason.
    pub fn office<T>(&mut self, what: &str, answer: Result<T, EngineError>) -> Option<T> {
        match answer {
            Ok(value) => Some(value),
            Err(error) => {
                // After a failed sync nothing is written until a restart, however long ago that was.
                let stopped = matches!(error, EngineError::NotCommitted { .. })
                    && self.server.disk.disk.stats().failed_syncs > 0;
                if stopped {
                    self.restart_after_trouble();
                } else if !self.server_trouble() && !matches!(error, EngineError::Refused { .. }) {
                    self.violated("the office works", format!("{what}: {error}"));
                }
                None
            }
        }
    }

    fn office_edit(&mut self, contact: u32, times: u32, salt: u64) {
        let (Some(engine), Some(contact)) = (self.server.engine(), self.nth_contact(contact))
        else {
            return;
        };
        let mut rng = fastrand::Rng::with_seed(salt);
        for _ in 0..times {
            let (commands, marker) = words::commands(&mut rng, engine.now_ms());
            self.oracle.erasures.write(contact, &marker);
            let items = vec![Authored::edit(contact, commands)];
            let outcome = engine.author(self.server.workspace, self.server.office, items);
            let Some(mut outcomes) = self.office("an edit", outcome) else { return };
            self.cover.count("event.office_edit");
            match outcomes.pop() {
                Some(AuthorOutcome::Merged { hash, .. }) => {
                    self.oracle.edits_made += 1;
                    self.oracle.acknowledged.push(Acknowledged { contact, hash, device: None });
                }
                Some(AuthorOutcome::Refused(error)) => {
                    // A contact that is stored and not merged yet is not there for the office.
                    let lawful = matches!(
                        error,
                        EngineError::NotFound { .. }
                            | EngineError::NotCommitted { .. }
                            | EngineError::Closed
                            // Its document was begun anew after the backup that was restored.
                            | EngineError::Refused { code: "generation", .. }
                    ) || self.server_trouble();
                    if !lawful {
                        self.violated("the office works", format!("an edit: {error}"));
                    }
                    return;
                }
                _ => {}
            }
        }
    }

    /// A device edits some of its contacts.
    pub fn edit_some(&mut self, index: usize, times: u32, salt: u64) {
        let mut rng = fastrand::Rng::with_seed(salt);
        // What follows a moment later is for the same contacts: see `generate`.
        let mut contacts = fastrand::Rng::with_seed(salt >> 1);
        for _ in 0..times {
            if self.is_over() || !self.open_app(index) {
                return;
            }
            let Some(contact) = self.pick_contact(index, &mut contacts) else { return };
            let now = self.devices[index].clock_now();
            let (commands, marker) = words::commands(&mut rng, now);
            self.edit(index, contact, &commands, marker);
        }
    }

    /// A device edits this contact.
    pub fn edit_one(&mut self, index: usize, contact: ContactId, rng: &mut fastrand::Rng) {
        if self.open_app(index) {
            let now = self.devices[index].clock_now();
            let (commands, marker) = words::commands(rng, now);
            self.edit(index, contact, &commands, marker);
        }
    }

    fn edit(
        &mut self,
        index: usize,
        contact: ContactId,
        commands: &[Command],
        marker: crate::oracle::Marker,
    ) {
        let Some(replica) = self.devices[index].replica.clone() else { return };
        let edited = replica.edit(contact, commands);
        drop(replica);
        self.edited(index, edited, marker);
    }
}
