//! What a run does: a list of steps made from a seed before it begins. A failing run leaves its plan
//! behind; the plan runs again on its own, and shrinks by leaving steps out.
//!
//! A step names devices, users and contacts by a number that is taken modulo what there is, so that
//! it keeps a meaning when others are left out.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::shape::Shape;

/// What a run promises to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything may fail until the end; nothing that was promised may be broken at any moment.
    Safety,
    /// The faults end; then everything must converge within a bound.
    Liveness,
}

/// How a process or a machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The process is killed: what it wrote stays in the page cache.
    Killed,
    /// The power goes: a part of what was not synced is lost or torn.
    Power,
    /// The power goes, and everything that was not synced is lost.
    PowerAll,
}

/// One thing that happens.
#[allow(missing_docs, reason = "what each field is, its variant says")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Op {
    /// A device edits one of its contacts, some times.
    Edit { device: u32, times: u32, salt: u64 },
    /// A device makes a new contact.
    Create { device: u32, salt: u64 },
    /// A device has a network from now on: it connects and stays connected, or (`once`) until there
    /// is nothing left to exchange.
    Online { device: u32, once: bool },
    /// It has none any more. `told`: the server hears of it at once.
    Offline { device: u32, told: bool },
    /// The connection is cut, in the middle of what is on its way.
    Cut { device: u32 },
    /// Nothing passes in one direction or in both, and nobody is told.
    Partition { device: u32, up: bool, down: bool },
    /// Nothing passes for a while, then all of it does.
    Stall { device: u32, ms: u32 },
    /// For a while frames with changes are sent twice.
    Duplicate { device: u32, ms: u32 },
    /// For a while frames with changes overtake each other.
    Reorder { device: u32, ms: u32 },
    /// The app on a device is closed.
    CloseApp { device: u32 },
    /// The app, or the device, ends.
    CrashDevice { device: u32, ending: Ending },
    /// It ends in the middle of its next operations on the disk.
    CrashDeviceIn { device: u32, operations: u32, ending: Ending },
    /// The next operations on a device's disk fail once.
    DeviceDiskFails { device: u32, operations: u32 },
    /// A device's disk is full after so many bytes, for a while.
    DeviceDiskFull { device: u32, bytes: u32, ms: u32 },
    /// A bit of a device's database flips.
    DeviceBitFlips { device: u32, salt: u64 },
    /// A device's clock jumps.
    DeviceClock { device: u32, ms: i64 },
    /// A device's files are copied to another place or machine; both are used from then on.
    Copy { device: u32, same_machine: bool },
    /// A device's files are saved, to be put back later.
    SaveDevice { device: u32 },
    /// The saved files are put back; `in_place` so that nothing tells them from the old ones.
    RestoreDevice { device: u32, in_place: bool },
    /// A user enrols a further device.
    Join { user: u32 },
    /// A device is revoked.
    Revoke { device: u32 },
    /// The key store of a device loses its keys: nothing of its database can be read any more. Its user
    /// enrols anew in the same place.
    LoseKey { device: u32 },
    /// A device is lost: it never comes back.
    Lose { device: u32 },
    /// A device's app is older or newer from now on.
    AppVersion { device: u32, version: u32 },
    /// The oldest app version that gets customer data.
    MinimumVersion { version: u32 },
    /// The office edits a contact.
    OfficeEdit { contact: u32, times: u32, salt: u64 },
    /// Contacts get another owner.
    Assign { contact: u32, count: u32, user: u32 },
    /// A contact's document is begun anew.
    Rewrite { contact: u32 },
    /// A contact is erased.
    Erase { contact: u32, salt: u64 },
    /// A device stays away for so many days, by its own clock; then that is turned. Perhaps the office
    /// gives its user a code.
    StayAway { device: u32, days: u32, turned_ms: i64, code: bool, salt: u64 },
    /// A user joins or leaves a team.
    Team { user: u32, joins: bool },
    /// A user becomes, or stops being, a collaborator.
    Collaborate { contact: u32, user: u32, add: bool },
    /// A device writes with the actor of another one.
    Forge { device: u32, contact: u32, salt: u64 },
    /// The office decides about a set of late edits.
    Decide { salt: u64 },
    /// The server is shut down and started again.
    RestartServer { ms: u32 },
    /// The server ends.
    CrashServer { ending: Ending, ms: u32 },
    /// The server ends in the middle of its next operations on the disk.
    CrashServerIn { operations: u32, ending: Ending, ms: u32 },
    /// The next operations on the server's disk fail once.
    ServerDiskFails { operations: u32 },
    /// The server's disk is full after so many bytes, for a while.
    ServerDiskFull { bytes: u32, ms: u32 },
    /// A bit of the server's database flips; it is found, and a backup restored.
    ServerBitFlips { salt: u64 },
    /// The server's disk is slow for a while.
    ServerDiskSlow { delay_ms: u32, ms: u32 },
    /// The server's clock jumps.
    ServerClock { ms: i64 },
    /// The server is backed up.
    Backup,
    /// An older backup is restored; `by_hand`: its files are copied back. The ledger is lost with the
    /// database, or kept as it should be.
    Restore {
        salt: u64,
        by_hand: bool,
        #[serde(default)]
        keep_ledger: bool,
    },
    /// The server writes its log back into its database.
    Checkpoint,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds since the start.
    pub at: i64,
    /// What happens.
    #[serde(flatten)]
    pub op: Op,
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The form of this file: 1.
    pub format: u32,
    /// Where it came from; what is random while it runs comes from it too.
    pub seed: u64,
    /// What it promises to find.
    pub mode: Mode,
    /// How large it is.
    pub shape: Shape,
    /// What happens.
    pub steps: Vec<Step>,
}

/// The present form of the file.
const FORMAT: u32 = 1;

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64, mode: Mode, shape: Shape) -> Plan {
        let steps = crate::generate::steps(seed, &shape);
        Plan { format: FORMAT, seed, mode, shape, steps }
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// What the file system says, or that the file is no plan.
    pub fn read(path: &Path) -> io::Result<Plan> {
        let plan: Plan = serde_json::from_slice(&fs::read(path)?)?;
        match plan.format {
            FORMAT => Ok(plan),
            other => Err(io::Error::other(format!(
                "{} has the form {other}; this program reads {FORMAT}",
                path.display()
            ))),
        }
    }

    /// Writes a plan.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut text = serde_json::to_string(&Plan { steps: Vec::new(), ..self.clone() })?;
        // A step a line, for people and for diffs.
        text.truncate(text.len() - "[]}".len());
        text.push('[');
        for (index, step) in self.steps.iter().enumerate() {
            text.push_str(if index == 0 { "\n" } else { ",\n" });
            text.push_str(&serde_json::to_string(step)?);
        }
        text.push_str("\n]}\n");
        fs::write(path, text)
    }
}
