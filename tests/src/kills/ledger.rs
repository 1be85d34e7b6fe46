//! What must be there: every edit that was said to be saved, every one that was acknowledged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use roadbook_client_core::Replica;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use crate::devices;
use crate::process::Rep;

/// One edit of one device, told apart by its mark: a visit's summary or a new contact's name.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub device: &'static str,
    /// As `roadbook` printed it; empty where it printed nothing.
    pub id: String,
    /// `None` where the edit makes a new contact and was not said to be saved.
    pub contact: Option<String>,
    pub mark: String,
}

/// The edits of one device in one cycle.
#[derive(Debug, Default)]
pub(super) struct Edits {
    pub said: Vec<Edit>,
    /// The device was killed over them: each may be there or not.
    pub doubtful: Vec<Edit>,
}

/// All edits of a soak.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    said: Vec<Edit>,
    doubtful: Vec<Edit>,
    doubtful_saved: usize,
    /// Hashes of edits whose acknowledgement was found on the server's disk.
    found: BTreeSet<String>,
}

/// The database in a directory as the next process would find it, read from a copy: opening the
/// files themselves would tidy up what the dead left behind.
fn found_on_disk(dir: &Path, name: &str) -> (TempDir, Connection) {
    let copy = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let file = format!("{name}{suffix}");
        if dir.join(&file).exists() {
            std::fs::copy(dir.join(&file), copy.path().join(&file)).unwrap();
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let conn = Connection::open_with_flags(copy.path().join(name), flags).unwrap();
    (copy, conn)
}

/// Hashes of changes that a server's files hold as a restarted server would find them, in lower-case
/// hexadecimal.
pub fn hashes_on_disk(data: &Path) -> BTreeSet<String> {
    let (_copy, conn) = found_on_disk(data, "roadbook.db");
    let mut statement = conn.prepare("SELECT DISTINCT lower(hex(hash)) FROM change_index").unwrap();
    let hashes = statement.query_map([], |row| row.get(0)).unwrap();
    hashes.collect::<Result<_, _>>().unwrap()
}

/// Hashes of the changes that a device holds an acknowledgement for.
fn acknowledged(rep: &Rep) -> Vec<String> {
    let (_copy, conn) = found_on_disk(rep.home(), "replica.db");
    let mut statement = conn
        .prepare(
            "SELECT lower(hex(hash)) FROM change
             WHERE local = 1 AND edit IS NOT NULL AND receipt IN ('stored', 'merged')",
        )
        .unwrap();
    let hashes = statement.query_map([], |row| row.get(0)).unwrap();
    hashes.collect::<Result<_, _>>().unwrap()
}

impl Ledger {
    pub(super) fn add(&mut self, edits: Edits) {
        self.said.extend(edits.said);
        self.doubtful.extend(edits.doubtful);
    }
    pub(super) fn said(&self) -> usize {
        self.said.len()
    }
    /// All that are in doubt, and how many of them turned out to be saved.
    pub(super) fn doubtful(&self) -> (usize, usize) {
        (self.doubtful.len(), self.doubtful_saved)
    }
    pub(super) fn acknowledged(&self) -> usize {
        self.found.len()
    }

    /// What devices hold acknowledgements for is on the disk of the server, which is dead.
    pub(super) fn check_server(&mut self, data: &Path, reps: &[&Rep], office: &Replica, seed: u64) {
        let on_disk = hashes_on_disk(data);
        let mut all: Vec<String> = reps.iter().flat_map(|rep| acknowledged(rep)).collect();
        all.extend(devices::acknowledged(office).into_iter().map(|entry| entry.hash));
        for hash in &all {
            assert!(
                on_disk.contains(hash),
                "seed {seed}: {hash} was acknowledged and is not there"
            );
        }
        self.found.extend(all);
    }

    /// What a device said to be saved is in its files, none of its processes being alive.
    pub(super) fn check_device(&self, name: &str, rep: &Rep, seed: u64) {
        let (_copy, conn) = found_on_disk(rep.home(), "replica.db");
        let mut statement =
            conn.prepare("SELECT lower(hex(edit)), count(*) FROM change WHERE edit IS NOT NULL GROUP BY edit").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let held: HashMap<String, i64> = rows.collect::<Result<_, _>>().unwrap();
        for edit in self.said.iter().filter(|edit| edit.device == name) {
            let id = edit.id.replace('-', "");
            assert_eq!(held.get(&id), Some(&1), "seed {seed}: said to be saved: {edit:?}");
        }
    }

    /// Every edit is in its contact exactly once; what was in doubt at most once.
    pub(super) fn check_export(&mut self, contacts: &BTreeMap<String, Value>, seed: u64) {
        // By mark: in which contacts it is, each as often as it is there.
        let mut places: HashMap<&str, Vec<&str>> = HashMap::new();
        for (id, contact) in contacts {
            if let Some(name) = contact["display_name"].as_str() {
                places.entry(name).or_default().push(id);
            }
            for interaction in contact["interactions"].as_array().into_iter().flatten() {
                let summary = interaction["summary"].as_str().unwrap_or_default();
                places.entry(summary).or_default().push(id);
            }
        }
        for edit in &self.said {
            let found = places.get(edit.mark.as_str()).map(Vec::as_slice).unwrap_or_default();
            let contact = edit.contact.as_deref().unwrap();
            assert_eq!(found, [contact], "seed {seed}: {edit:?}");
        }
        self.doubtful_saved = 0;
        for edit in &self.doubtful {
            let found = places.get(edit.mark.as_str()).map(Vec::as_slice).unwrap_or_default();
            let fits = found.iter().all(|at| edit.contact.as_deref().is_none_or(|id| id == *at));
            assert!(found.len() <= 1 && fits, "seed {seed}: {edit:?} is in {found:?}");
            self.doubtful_saved += found.len();
        }
    }
}
