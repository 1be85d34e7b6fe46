//! The replica: an edit that was returned is there after the next start, whatever the disk did.

use std::collections::BTreeMap;
use std::path::PathBuf;

use roadbook_client_core::sync::Enrolment;
use roadbook_client_core::{Edit, OpenOptions, Replica, Result};
use roadbook_faults::{Disk, DiskFault, DiskStats, IoKind, Loss};
use roadbook_protocol::ids::{ContactId, DeviceId, EditId, UserId, WorkspaceId};
use roadbook_protocol::wire;
use tempfile::TempDir;

use crate::support::set;
use crate::{scratch, spread, steps, without_failures};

/// Runs of one test at most.
const RUNS_MAX: u64 = 250;

/// One device.
struct Device {
    disk: Disk,
    home: PathBuf,
    /// Edits that were returned as saved.
    saved: Vec<EditId>,
    /// For each contact the values of its company since (and with) the last that was saved: one of
    /// these it has.
    companies: BTreeMap<ContactId, Vec<String>>,
    enrolled: bool,
    refused: usize,
    _dir: TempDir,
}

impl Device {
    fn new(seed: u64) -> Self {
        let dir = scratch();
        let disk = Disk::mount(dir.path(), seed);
        let home = disk.root().join("home");
        Self {
            disk,
            home,
            saved: Vec::new(),
            companies: BTreeMap::new(),
            enrolled: false,
            refused: 0,
            _dir: dir,
        }
    }

    fn open(&self) -> Result<Replica> {
        let machine_id = Some("machine".to_owned());
        Replica::open(&self.home, OpenOptions { machine_id, ..OpenOptions::default() })
    }

    /// Opens, enrols, makes contacts and edits them, closes; after an error goes on with the next.
    fn work(&mut self) {
        for round in 0..3 {
            let Ok(replica) = self.open() else {
                self.refused += 1;
                continue;
            };
            if !self.enrolled {
                let enrolled = enrol(&replica).is_ok();
                self.enrolled = self.note(enrolled);
            }
            let created = replica.create(&[set("company", "new")]);
            if let Some(edit) = self.saved(created) {
                self.companies.insert(edit.contact_id, vec!["new".to_owned()]);
            }
            let contacts: Vec<ContactId> = self.companies.keys().copied().collect();
            for contact in contacts {
                for edit in 0..2 {
                    let company = format!("{round}.{edit}");
                    let edited = replica.edit(contact, &[set("company", &company)]);
                    let edited = edited.map(|edited| edited.saved().unwrap());
                    let saved = self.saved(edited).is_some();
                    let may_be = self.companies.get_mut(&contact).unwrap();
                    if saved {
                        may_be.clear();
                    }
                    may_be.push(company);
                }
            }
            replica.close();
        }
    }

    fn note(&mut self, ok: bool) -> bool {
        self.refused += usize::from(!ok);
        ok
    }

    fn saved(&mut self, edit: Result<Edit>) -> Option<Edit> {
        self.note(edit.is_ok());
        let edit = edit.ok()?;
        self.saved.push(edit.edit_id);
        Some(edit)
    }

    /// Opens it on a disk without faults and looks for all that was returned.
    fn check(&self, what: &str) {
        let replica = self.open().unwrap_or_else(|error| panic!("{what}: {error}"));
        let status = replica.status().unwrap();
        assert!(status.enrolled || !self.enrolled, "{what}: the enrolment is gone");
        assert_eq!(status.set_aside_file, None, "{what}: the file was taken for damaged");
        let outbox = replica.outbox(true).unwrap();
        for edit in &self.saved {
            assert!(outbox.iter().any(|entry| entry.edit_id == *edit), "{what}: {edit} is gone");
        }
        for (contact, may_be) in &self.companies {
            let is = replica.contact(*contact).unwrap().text("company").to_owned();
            assert!(may_be.contains(&is), "{what}: company is {is}, may be {may_be:?}");
            assert_eq!(replica.row(*contact).unwrap().display_name, is, "{what}: the row differs");
        }
        replica.state_hash(None).unwrap();
        if !status.enrolled {
            enrol(&replica).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        // And it goes on.
        let again = replica.create(&[set("company", "again")]).unwrap();
        replica.edit(again.contact_id, &[set("company", "and again")]).unwrap().saved().unwrap();
        for contact in self.companies.keys() {
            replica.edit(*contact, &[set("company", "at last")]).unwrap().saved().unwrap();
        }
        replica.close();
    }
}

fn enrol(replica: &Replica) -> Result<()> {
    let (enrolment, _) = Enrolment::begin(replica, "CODE", "phone")?;
    let granted = wire::Enrolled {
        workspace: WorkspaceId(uuid::Uuid::from_u128(1)),
        workspace_name: "Nordwind".into(),
        device: DeviceId(uuid::Uuid::from_u128(2)),
        user: UserId(uuid::Uuid::from_u128(3)),
        login: "rep".into(),
        user_name: "A rep".into(),
        workspace_key: Vec::new(),
        sealing: None,
        certificate: Vec::new(),
    };
    enrolment.finish(granted, "http://127.0.0.1:1".into(), None).map(drop)
}

/// Operations of a run without a fault.
fn operations() -> u64 {
    let mut device = Device::new(0);
    device.work();
    assert_eq!((device.refused, device.saved.len()), (0, 15));
    device.check("without a fault");
    device.disk.operations()
}

/// Runs with each fault; the sum of what the disks did.
fn run(faults: impl Iterator<Item = (u64, DiskFault, Loss)>) -> (DiskStats, usize) {
    let mut total = DiskStats::default();
    let mut refused = 0;
    for (seed, fault, loss) in faults {
        let mut device = Device::new(seed);
        device.disk.arm(fault);
        device.work();
        let what = format!("{fault:?}, {loss:?}, {} refused", device.refused);
        device.disk.disarm();
        device.disk.restart(loss).unwrap();
        device.check(&what);
        total.add(&device.disk.stats());
        refused += device.refused;
    }
    (total, refused)
}

#[test]
fn after_an_error_of_any_operation_every_returned_edit_is_there() {
    let total = operations();
    let faults = steps(total, RUNS_MAX)
        .map(|at| (at, DiskFault::Fail { at, kind: IoKind::Any }, Loss::Power));
    let (stats, refused) = run(faults);
    println!("{total} operations, {refused} refused: {stats:?}");
    assert!(stats.failed_writes > 0 && stats.failed_syncs > 0 && stats.failed_reads > 0);
    assert!(refused > 0);
}

#[test]
fn after_a_crash_at_any_operation_every_returned_edit_is_there() {
    let total = operations();
    let losses = [Loss::Power, Loss::All, Loss::Power].into_iter().cycle();
    let faults =
        steps(total, RUNS_MAX).zip(losses).map(|(at, loss)| (at, DiskFault::Crash { at }, loss));
    let (stats, refused) = run(faults);
    println!("{total} operations, {refused} refused: {stats:?}");
    assert!(stats.torn > 0 && stats.dropped > 0 && stats.kept > 0, "{stats:?}");
}

#[test]
fn after_a_sync_that_lost_its_writes_every_returned_edit_is_there() {
    let faults = (1..60).map(|at| (at, DiskFault::LostSync { at }, Loss::All));
    let (stats, refused) = run(faults);
    println!("{refused} refused: {stats:?}");
    assert!(stats.lost_syncs > 10 && refused > 10, "{stats:?}");
}

#[test]
fn on_a_full_disk_every_returned_edit_is_there() {
    let mut device = Device::new(0);
    device.work();
    let bytes = device.disk.stats().bytes_written;
    let faults = spread(bytes, 40)
        .map(|after_bytes| (after_bytes, DiskFault::Full { after_bytes }, Loss::Power));
    let (stats, refused) = run(faults);
    println!("{refused} refused: {stats:?}");
    assert!(stats.full > 10 && refused > 10, "{stats:?}");
}

/// The file is new, something fails, the user goes on, and the power is cut before the next start.
#[test]
fn after_an_error_while_the_file_is_made_and_a_power_cut_every_returned_edit_is_there() {
    let mut refused = 0;
    for at in 1.. {
        let mut device = Device::new(at);
        device.disk.arm(DiskFault::Fail { at, kind: IoKind::Any });
        let opened = (0..2).find_map(|_| device.open().ok());
        let before = device.disk.operations();
        if let Some(replica) = opened {
            device.enrolled = enrol(&replica).is_ok();
            for _ in 0..3 {
                let created = replica.create(&[set("company", "new")]);
                if let Some(edit) = device.saved(created) {
                    device.companies.insert(edit.contact_id, vec!["new".to_owned()]);
                }
            }
            device.disk.crash();
            replica.close();
        }
        device.disk.restart(Loss::All).unwrap();
        device.disk.disarm();
        device.check(&format!("error at {at}"));
        refused += usize::from(device.saved.len() < 3);
        if at > before {
            break;
        }
    }
    assert!(refused < 5, "{refused} runs without a saved edit");
}

#[test]
fn a_replica_that_could_not_open_leaves_no_file_open() {
    let mut failed = 0;
    for at in 1.. {
        let device = Device::new(at);
        device.disk.arm(DiskFault::Fail { at, kind: IoKind::Any });
        match device.open() {
            Err(_) => failed += 1,
            Ok(replica) => replica.close(),
        }
        assert_eq!(device.disk.open_handles(), 0, "error at {at}");
        if device.disk.stats() == without_failures(device.disk.stats()) {
            break;
        }
    }
    assert!(failed > 10, "{failed}");
}

/// Crashes while a file with a broken header is opened: it is set aside, salvaged and replaced, and a
/// crash in between must not cost what is salvaged.
#[test]
fn a_crash_while_a_damaged_file_is_set_aside_costs_no_unsent_edit() {
    let damaged = |seed: u64| {
        let mut device = Device::new(seed);
        device.work();
        // SQLite can't read anything of it any more, but all else is there.
        let database = device.home.join("replica.db");
        let mut bytes = std::fs::read(&database).unwrap();
        bytes[..16].fill(0xff);
        std::fs::write(&database, bytes).unwrap();
        device
    };
    let check = |device: &Device, what: &str| {
        let replica = device.open().unwrap_or_else(|error| panic!("{what}: {error}"));
        let status = replica.status().unwrap();
        assert!(status.enrolled, "{what}: the device is nobody's any more");
        assert!(status.set_aside_file.is_some(), "{what}: that it was set aside is not said");
        let outbox = replica.outbox(true).unwrap();
        for edit in &device.saved {
            assert!(outbox.iter().any(|entry| entry.edit_id == *edit), "{what}: {edit} is gone");
        }
        replica.close();
    };
    let device = damaged(0);
    let before = device.disk.operations();
    check(&device, "without a crash");
    let mut crashes = 0;
    for at in steps(device.disk.operations() - before, 80) {
        let device = damaged(at);
        device.disk.arm(DiskFault::Crash { at });
        if let Ok(replica) = device.open() {
            replica.close();
        }
        crashes += usize::from(device.disk.is_crashed());
        device.disk.disarm();
        device.disk.restart(Loss::Power).unwrap();
        check(&device, &format!("crash at {at}"));
    }
    assert!(crashes > 40, "{crashes}");
}
