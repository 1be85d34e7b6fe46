//! Who takes part: the founding of a workspace, devices that join, are copied, restored, lost and
//! revoked; and what a device edits.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use roadbook_client_core::sync::Enrolment;
use roadbook_client_core::{
    Clock, Durability, Edited, Error, OpenOptions, Receipt, Replica, SystemEntropy,
};
use roadbook_faults::disk::{Disk, DiskFault, IoKind, Loss};
use roadbook_protocol::ids::{ContactId, DeviceId, UserId};
use roadbook_server::engine::{AuthorOutcome, Authored};
use roadbook_server::store::people::{self, NewUser, Purpose, Role};
use roadbook_server::store::{EngineError, devices};
use roadbook_server::sync::service;

use crate::device::{Device, SimClock, Standing};
use crate::net::End;
use crate::oracle::{EditRecord, Fate, Marker, Rights};
use crate::plan::Ending;
use crate::trouble::SimDisk;
use crate::words;
use crate::world::World;

/// A broken founding is no finding: the run can't begin.
const FOUNDING: &str = "nothing fails before the run begins";

impl World {
    /// Makes the workspace, its people, its contacts and its devices. Nothing fails meanwhile but the
    /// disks of some devices, once.
    pub fn found(&mut self) {
        let shape = self.plan.shape.clone();
        let engine = self.server.open().expect(FOUNDING);
        self.server.workspace = engine.create_workspace("Simulation").expect(FOUNDING);
        self.server.office = self.user("office", Role::Manager);
        for number in 0..shape.users {
            let user = self.user(&format!("rep{number}"), Role::Rep);
            self.server.users.push(user);
        }
        let mut rng = Rng::with_seed(self.plan.seed ^ 0xf0f0);
        let mut items = Vec::new();
        for number in 0..shape.contacts {
            let id = ContactId::from_time(engine.now_ms().unsigned_abs(), engine.random());
            let owner = number as usize % self.server.users.len();
            let rights = Rights { owner: Some(owner), ..Rights::default() };
            self.oracle.rights.insert(id, rights);
            let commands = words::contact(&mut rng, number as usize);
            items.push(Authored::create(id, Some(self.server.users[owner]), commands));
        }
        let outcomes =
            engine.author(self.server.workspace, self.server.office, items).expect(FOUNDING);
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, AuthorOutcome::Merged { .. })),
            "{FOUNDING}: {outcomes:?}"
        );
        for number in 0..shape.devices {
            let user = number as usize % self.server.users.len();
            self.join(user);
        }
        assert_eq!(self.devices.len(), shape.devices as usize, "{FOUNDING}");
    }

    fn user(&self, login: &str, role: Role) -> UserId {
        let engine = self.server.engine().expect(FOUNDING);
        let id = UserId::from_random(engine.random());
        let (workspace, now, login) = (self.server.workspace, engine.now_ms(), login.to_owned());
        engine
            .write(move |tx| {
                let new = NewUser { id, login: &login, name: "", role, team: None };
                people::create_user(tx, workspace, &new, now)
            })
            .expect(FOUNDING);
        id
    }

    /// A user enrols a new device.
    pub fn join(&mut self, user: usize) {
        let Some(engine) = self.server.engine() else { return };
        let number = self.devices.len();
        let home = self.directory(&format!("device{number}"));
        let mut disk = SimDisk::new(Disk::mount(&home, self.plan.seed ^ (number as u64) << 20));
        let clock = SimClock::new(self.clock(), format!("boot of {number}"));
        let machine = format!("machine {number}");
        let options = || OpenOptions {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(SystemEntropy::default()),
            durability: Durability::Full,
            keys: None,
            signer: None,
            machine_id: Some(machine.clone()),
            documents_max: 32,
        };
        // On some devices the disk fails once while the app makes its database; its user tries again.
        let mut rng = Rng::with_seed(self.plan.seed ^ 0xd15c ^ (number as u64) << 32);
        if rng.u8(..3) == 0 {
            disk.arm(DiskFault::Fail { at: rng.u64(1..40), kind: IoKind::Any });
        }
        let first = Replica::open(&home, options());
        let failed = disk.excuses(self.now);
        disk.disk.disarm();
        let replica = match first {
            Err(_) if failed => Replica::open(&home, options()),
            first => first,
        };
        let replica = match replica {
            Ok(replica) => replica,
            Err(error) => return self.violated("a replica opens", error.to_string()),
        };
        let (workspace, id, now) =
            (self.server.workspace, self.server.users[user], engine.now_ms());
        let random = engine.random();
        let code = engine.write(move |tx| {
            people::new_code(tx, workspace, id, Purpose::Enrol, random, now, 600_000)
        });
        let Some(code) = self.office("an invitation", code) else { return };
        let begun = Enrolment::begin(&replica, &code, "phone");
        let (enrolment, request) = match begun {
            Ok(begun) => begun,
            Err(error) => return self.violated("a device enrols", error.to_string()),
        };
        let granted = service::enrol(&engine, request);
        let Some(granted) = self.office("an enrolment", granted) else { return };
        let device = granted.device;
        if let Err(error) = enrolment.finish(granted, "https://simulated".to_owned(), None) {
            return self.violated("a device enrols", error.to_string());
        }
        self.cover.count("event.device_enrolled");
        // Many are founded at once: their apps open when they are used.
        replica.close();
        let device = self.new_device(home, disk, clock, user, device, machine);
        self.devices.push(device);
    }

    fn new_device(
        &self,
        home: std::path::PathBuf,
        disk: SimDisk,
        clock: Arc<SimClock>,
        user: usize,
        id: DeviceId,
        machine: String,
    ) -> Device {
        Device {
            home,
            disk,
            clock,
            user,
            id,
            machine,
            replica: None,
            conn: None,
            online: false,
            once: false,
            reconnecting: false,
            attempts: 0,
            standing: Standing::Alive,
            damaged: false,
            tidied: false,
            version: 3,
            contacts: Vec::new(),
            stale: true,
            open_edits: VecDeque::new(),
            unproved: Vec::new(),
            saved: None,
            timeline: None,
            duplicate_until: 0,
            reorder_until: 0,
            ending: Ending::Killed,
            used: self.now,
            reached_idle: false,
            lease: None,
            saved_lease: None,
            sealed: Vec::new(),
            copied: None,
        }
    }

    /// A device's files are copied, and both copies go on.
    pub fn copy_device(&mut self, index: usize, same_machine: bool) {
        if self.devices.len() >= self.plan.shape.devices as usize + 8 {
            return;
        }
        self.close_app(index);
        let number = self.devices.len();
        let home = self.directory(&format!("device{number}"));
        if !self.copy_files(index, &self.devices[index].home.clone(), &home) {
            return;
        }
        let disk = SimDisk::new(Disk::mount(&home, self.plan.seed ^ (number as u64) << 20));
        // Nothing is known of its lease: it began by another clock.
        let clock = SimClock::new(self.clock(), format!("boot of {number}"));
        let from = &self.devices[index];
        let machine = match same_machine {
            true => from.machine.clone(),
            false => format!("machine {number}"),
        };
        let mut copy = self.new_device(home, disk, clock, from.user, from.id, machine);
        copy.online = from.online;
        copy.damaged = from.damaged;
        copy.version = from.version;
        self.devices.push(copy);
        self.cover.count("fault.replica_copied");
        self.oracle.twice.insert(self.devices[number].id);
        self.connect(number);
    }

    fn copy_files(&mut self, index: usize, from: &Path, to: &Path) -> bool {
        if self.devices[index].disk.disk.is_crashed() {
            return false;
        }
        let copied = (|| {
            fs::create_dir_all(to)?;
            for entry in fs::read_dir(from)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    fs::copy(entry.path(), to.join(entry.file_name()))?;
                }
            }
            Ok::<(), std::io::Error>(())
        })();
        if let Err(error) = copied {
            self.violated("files are copied", error.to_string());
            return false;
        }
        true
    }

    /// A device's files are saved.
    pub fn save_device(&mut self, index: usize) {
        self.close_app(index);
        let to = self.directory(&format!("saved{index}"));
        self.devices[index].saved = None;
        if to.exists() && fs::remove_dir_all(&to).is_err() {
            return;
        }
        let from = self.devices[index].home.clone();
        if self.copy_files(index, &from, &to) {
            self.devices[index].saved = Some((to, self.oracle.edits.len()));
            self.devices[index].saved_lease = self.devices[index].lease;
        }
    }

    /// A device's saved files are put back. What was edited since and not acknowledged is lost by
    /// its owner's own act; everything else is not.
    pub fn restore_device(&mut self, index: usize, in_place: bool) {
        let Some((from, edits)) = self.devices[index].saved.clone() else { return };
        self.close_app(index);
        let home = self.devices[index].home.clone();
        // What was unsynced belongs to files that go now.
        if self.devices[index].disk.disk.restart(Loss::Process).is_err() {
            return;
        }
        let put_back = (|| {
            for entry in fs::read_dir(&home)? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_owned();
                if !in_place || !from.join(&name).exists() {
                    fs::remove_file(&path)?;
                }
            }
            for entry in fs::read_dir(&from)? {
                let entry = entry?;
                // Written into the file that is there, if it is: nothing tells the two apart.
                fs::write(home.join(entry.file_name()), fs::read(entry.path())?)?;
            }
            Ok::<(), std::io::Error>(())
        })();
        if let Err(error) = put_back {
            return self.violated("files are put back", error.to_string());
        }
        self.devices[index].disk.disk.settle();
        self.cover.count("fault.replica_restored");
        self.oracle.twice.insert(self.devices[index].id);
        let device = &mut self.devices[index];
        device.unproved.clear();
        device.timeline = None;
        device.lease = device.saved_lease;
        device.open_edits.clear();
        for record in self.oracle.edits[edits..].iter_mut().filter(|edit| edit.device == index) {
            record.fate = Fate::Lost;
        }
        for record in self.oracle.edits[..edits].iter_mut().filter(|edit| edit.device == index) {
            // An older state has older receipts.
            record.seen = (Receipt::Saved, None);
        }
        self.note_put_back(index);
        // Its owner goes on where it stood then, before it hears of the server.
        let salt = self.rng.u64(..);
        self.edit_some(index, 6, salt);
        self.connect(index);
    }

    /// A device is lost for good.
    pub fn lose(&mut self, index: usize) {
        let alive = self.devices.iter().filter(|device| device.standing == Standing::Alive).count();
        if alive <= 2 {
            return;
        }
        self.cover.count("fault.device_lost");
        if let Some(conn) = self.devices[index].conn {
            self.ended(conn, End::Client);
            self.cut(conn, false);
        }
        let device = &mut self.devices[index];
        device.standing = Standing::Lost;
        device.online = false;
        device.disk.disk.crash();
        device.replica = None;
        self.lose_edits(index);
    }

    pub(crate) fn lose_edits(&mut self, index: usize) {
        for record in self.oracle.edits.iter_mut().filter(|edit| edit.device == index) {
            record.fate = Fate::Lost;
        }
    }

    /// A device is revoked, with every copy of it.
    pub fn revoke(&mut self, index: usize) {
        let alive = self.devices.iter().filter(|device| device.standing == Standing::Alive).count();
        let Some(engine) = self.server.engine().filter(|_| alive > 3) else { return };
        let id = self.devices[index].id;
        let revoked = engine.revoke(self.server.workspace, Some(self.server.office), id);
        if self.office("a revocation", revoked).is_none() {
            return;
        }
        self.cover.count("fault.device_revoked");
        self.cover.count("act.revoke");
        self.revoked(id);
    }

    fn revoked(&mut self, id: DeviceId) {
        for copy in 0..self.devices.len() {
            if self.devices[copy].id == id {
                self.devices[copy].standing = Standing::Revoked;
                self.lose_edits(copy);
            }
        }
    }

    /// A revocation whose answer a crash took may have been written: the server is asked.
    pub fn revocations_after_start(&mut self) {
        let (Some(engine), workspace) = (self.server.engine(), self.server.workspace) else {
            return;
        };
        for index in 0..self.devices.len() {
            let id = self.devices[index].id;
            if self.devices[index].standing != Standing::Alive {
                continue;
            }
            let found = engine.read(|conn| devices::find_device(conn, workspace, id));
            if let Ok::<_, EngineError>(Some(found)) = found
                && found.revoked_at.is_some()
            {
                self.tell(|| format!("device {index} was revoked, and nobody heard so"));
                self.revoked(id);
            }
        }
    }

    /// A bit of a device's database flips.
    pub fn flip_device(&mut self, index: usize, salt: u64) {
        self.close_app(index);
        let device = &mut self.devices[index];
        if device.disk.disk.flip_bit(Path::new("replica.db"), salt).is_err() {
            return;
        }
        device.damaged = true;
        self.cover.count("fault.device_bit_flip");
        // What was not sent may have been where the bit was.
        self.lose_edits(index);
        if self.open_app(index) {
            self.cover.count("event.salvaged_or_reopened_after_damage");
        }
        self.connect(index);
    }

    /// A contact that the device may edit.
    pub fn pick_contact(&mut self, index: usize, rng: &mut Rng) -> Option<ContactId> {
        if std::mem::take(&mut self.devices[index].stale) {
            let replica = self.devices[index].replica.clone()?;
            match replica.ids(None) {
                Ok(ids) => self.devices[index].contacts = ids,
                // Its user goes on with what was on the screen.
                Err(Error::LeaseEnded { .. }) => self.devices[index].stale = true,
                Err(error) => {
                    drop(replica);
                    if !self.device_trouble(index) {
                        self.violated("a replica can be read", error.to_string());
                    }
                    return None;
                }
            }
        }
        let contacts = &self.devices[index].contacts;
        (!contacts.is_empty()).then(|| contacts[rng.usize(..contacts.len())])
    }

    /// A device makes a contact.
    pub fn create_contact(&mut self, index: usize, salt: u64) {
        if !self.open_app(index) {
            return;
        }
        let Some(replica) = self.devices[index].replica.clone() else { return };
        let mut rng = Rng::with_seed(salt);
        let commands = words::contact(&mut rng, salt as usize % 100_000);
        let created = replica.create(&commands).map(Edited::Saved);
        drop(replica);
        self.devices[index].stale = true;
        if let Ok(Edited::Saved(edit)) = &created {
            self.oracle.makers.insert(edit.contact_id, self.devices[index].user);
        }
        if self.devices[index].conn.is_none() && created.is_ok() {
            self.cover.count("event.contact_created_offline");
        }
        self.edited(index, created, Marker::Passing(None));
    }

    /// What an edit came to.
    pub fn edited(&mut self, index: usize, edited: Result<Edited, Error>, marker: Marker) {
        match edited {
            Ok(Edited::Unchanged) => self.cover.count("event.edit_unchanged"),
            Ok(Edited::Saved(edit)) => {
                let number = self.oracle.edits.len();
                self.oracle.edits_made += 1;
                self.oracle.erasures.write(edit.contact_id, &marker);
                if self.devices[index].is_locked() {
                    self.cover.count("event.edit_while_locked");
                }
                let device = &mut self.devices[index];
                self.oracle.edits.push(EditRecord {
                    device: index,
                    edit: edit.edit_id,
                    contact: edit.contact_id,
                    hash: edit.hash,
                    marker,
                    fate: match device.standing == Standing::Alive && !device.damaged {
                        true => Fate::Due,
                        false => Fate::Lost,
                    },
                    seen: (Receipt::Saved, device.timeline),
                });
                device.open_edits.push_back(number);
                device.unproved.push(number);
                if let Some(conn) = device.conn {
                    self.client_event(conn, roadbook_protocol::session::ClientEvent::Edited);
                }
            }
            Err(error) => {
                self.devices[index].stale = true;
                let lawful = matches!(error, Error::NotFound { .. } | Error::NotAllowed { .. });
                if !lawful && !self.device_trouble(index) {
                    self.violated("an edit is saved", format!("device {index}: {error}"));
                }
            }
        }
    }
}

impl Device {
    /// Now, by its clock.
    pub fn clock_now(&self) -> i64 {
        Clock::now_ms(self.clock.as_ref())
    }
}
