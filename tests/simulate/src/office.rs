//! What an administrator does: versions, backups, and putting them back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use roadbook_protocol::ids::{ContactId, DeviceId};
use roadbook_server::engine::backup;
use roadbook_server::engine::ledger::LEDGER_FILE;
use roadbook_server::store::{DATABASE_FILE, EngineError};

use crate::device::Standing;
use crate::oracle::Rights;
use crate::plan::Ending;
use crate::world::World;

/// A backup, and what was known when it was made.
pub struct Backup {
    /// Where it is.
    pub path: PathBuf,
    /// How much was acknowledged by then.
    pub acknowledged: usize,
    /// Who held what.
    pub rights: BTreeMap<ContactId, Rights>,
    /// Which of them the server had not by then: an earlier restore had taken them from it.
    pub absent: BTreeSet<ContactId>,
    /// Who had got one back by then, or could.
    pub regains: BTreeSet<(ContactId, usize)>,
    /// How often somebody had got a contact by then.
    pub granted: usize,
    /// Which devices were revoked by then.
    pub revoked: Vec<usize>,
    /// The devices that there were; one that loses its key is another from then on.
    pub devices: Vec<DeviceId>,
    /// What was erased by then.
    pub erased: BTreeSet<ContactId>,
    /// Who was in the team.
    pub team: BTreeSet<usize>,
    /// How many ledgers had been lost by then.
    pub ledgers_lost: u32,
}

impl World {
    /// Sets the oldest app version that gets customer data.
    pub fn set_minimum_version(&mut self, version: u32) {
        let Some(engine) = self.server.engine() else { return };
        let workspace = self.server.workspace;
        let set = engine.write(move |tx| -> Result<(), EngineError> {
            tx.execute(
                "UPDATE workspace SET minimum_app = ? WHERE id = ?",
                (format!("roadbook/{version}.0.0"), workspace.as_bytes()),
            )?;
            Ok(())
        });
        self.office("a minimum version", set);
    }

    /// Backs the server up while it works.
    pub fn back_up(&mut self) {
        let Some(engine) = self.server.engine() else { return };
        let path = self.directory(&format!("backup{}.db", self.server.backups.len()));
        if path.exists() {
            return;
        }
        // What is in the log belongs to it, whether it was answered or not.
        let known = Backup {
            path: path.clone(),
            acknowledged: self.oracle.acknowledged.len(),
            granted: self.oracle.granted.len(),
            regains: self.oracle.regains.clone(),
            rights: self.oracle.rights.clone(),
            absent: self.oracle.absent.clone(),
            revoked: (0..self.devices.len())
                .filter(|index| self.devices[*index].standing == Standing::Revoked)
                .collect(),
            devices: self.devices.iter().map(|device| device.id).collect(),
            erased: self.oracle.erasures.now().clone(),
            team: self.oracle.team.clone(),
            ledgers_lost: self.server.ledgers_lost,
        };
        if self.office("a backup", engine.backup(&path)).is_some() {
            self.cover.count("event.backup");
            self.server.backups.push(known);
        }
    }

    /// Puts an older backup in the place of the server's database, beside the ledger or without one.
    pub fn restore_server(&mut self, salt: u64, by_hand: bool, keep_ledger: bool) {
        if self.server.backups.is_empty() || self.server.disk.disk.is_crashed() {
            return;
        }
        let which = salt as usize % self.server.backups.len();
        let acknowledged = self.server.backups[which].acknowledged;
        self.note_holders(acknowledged);
        self.stop_server();
        if self.server.disk.disk.restart(roadbook_faults::disk::Loss::Process).is_err() {
            return;
        }
        // Later backups belong to a history that is over.
        self.server.backups.truncate(which + 1);
        let Some(from) = self.server.backups.get(which) else { return };
        let (path, rights) = (from.path.clone(), from.rights.clone());
        let absent = from.absent.clone();
        let (granted, regains) = (from.granted, from.regains.clone());
        let (revoked, devices) = (from.revoked.clone(), from.devices.clone());
        let (erased, team) = (from.erased.clone(), from.team.clone());
        // A ledger that was begun after the backup can't say what was before it.
        let keep_ledger = keep_ledger && from.ledgers_lost == self.server.ledgers_lost;
        self.server.ledgers_lost += u32::from(!keep_ledger);
        let removed = remove_database(&self.server.dir, keep_ledger);
        let put = match (removed, by_hand) {
            (Err(error), _) => Err(error.to_string()),
            (Ok(()), true) => fs::copy(&path, self.server.dir.join(DATABASE_FILE))
                .map(drop)
                .map_err(|error| error.to_string()),
            (Ok(()), false) => {
                backup::restore(&path, &self.server.dir).map_err(|error| error.to_string())
            }
        };
        if let Err(error) = put {
            if !self.server_trouble() {
                self.violated("a backup is restored", error);
            }
            // Without a database the server has lost more than this: by hand, then.
            if fs::copy(&path, self.server.dir.join(DATABASE_FILE)).is_err() {
                return;
            }
        }
        self.oracle.team = team;
        for device in &mut self.devices {
            // What was handed over sealed is lost with the rest, and the device has it no more.
            device.sealed.clear();
            // Copies, only as far as they were; the rest is on the device still.
            if device.copied.as_ref().is_some_and(|copied| copied.begun) {
                device.copied = None;
            }
        }
        if keep_ledger {
            self.cover.count("fault.server_restored_with_ledger");
            let again = self.oracle.erasures.now().difference(&erased).count();
            self.cover.add("event.erased_by_the_ledger", again as u64);
            self.oracle.restored_with_ledger(acknowledged, &rights, &absent);
            return self.start_server_in(500);
        }
        self.cover.count("fault.server_restored");
        self.tell(|| format!("backup {which} is put back, {acknowledged} acknowledged by then"));
        self.oracle.restored(acknowledged, granted, (rights, absent), regains);
        self.oracle.erasures_forgotten(&erased);
        for (index, device) in self.devices.iter_mut().enumerate() {
            if device.standing == Standing::Revoked && !revoked.contains(&index) {
                // The restored server does not know of it; the admin revokes it again.
                device.standing = Standing::Lost;
                device.online = false;
                device.disk.disk.crash();
                device.replica = None;
            }
            if devices.get(index) != Some(&device.id) && device.standing == Standing::Alive {
                // Enrolled after the backup: the restored server knows it not, nor its edits.
                device.standing = Standing::Lost;
                device.online = false;
                device.disk.disk.crash();
                device.replica = None;
                for record in self.oracle.edits.iter_mut().filter(|edit| edit.device == index) {
                    record.fate = crate::oracle::Fate::Lost;
                }
            }
        }
        self.start_server_in(500);
    }

    /// A bit of the server's database flips. Whoever sees it, or not, restores the last backup.
    pub fn flip_server(&mut self, salt: u64) {
        if self.server.backups.is_empty() || !self.server.is_up() {
            return;
        }
        self.stop_server();
        let flipped = self.server.disk.disk.flip_bit(Path::new(DATABASE_FILE), salt);
        if flipped.is_err() {
            return self.start_server_in(500);
        }
        self.cover.count("fault.server_bit_flip");
        // It must neither panic nor hang over it, whatever it finds.
        if let Ok(engine) = self.server.open() {
            drop(engine.check());
            engine.shutdown();
            self.server.engine = None;
        }
        self.server.crash = (Ending::Killed, 0);
        if self.server.disk.disk.is_crashed() {
            self.apply_server_loss();
        }
        let last = self.server.backups.len() as u64 - 1;
        self.restore_server(last, true, false);
    }
}

fn remove_database(dir: &Path, keep_ledger: bool) -> std::io::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let path = dir.join(format!("{DATABASE_FILE}{ending}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    if keep_ledger {
        return Ok(());
    }
    // The ledger is lost with it: devices' evidence is what brings rights back then (rule 3). With the
    // ledger nothing of them would be lost.
    match fs::remove_file(dir.join(LEDGER_FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
