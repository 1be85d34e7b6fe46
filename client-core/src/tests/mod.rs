//! Tests of the replica as a whole, against an office in memory: no socket, no server process.

mod editing;
mod generations;
mod incarnation;
mod office;
mod reading;
mod sockets;
mod syncing;
mod trouble;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::NaiveDate;
use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::document::{Command, Value};
use roadbook_protocol::ids::{ContactId, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::sealing::OpeningKey;
use roadbook_protocol::wire::{self, SealingKey, sealing_text};
use tempfile::TempDir;

use crate::binding::Binding;
use crate::{Clock, Durability, Edit, Edited, Entropy, OpenOptions, Replica};

/// A clock that stands still until it is moved.
pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> UnixMs {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
    fn today(&self) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, 10).unwrap()
    }
}

/// Different bytes for every replica, the same in every run.
pub(crate) struct TestEntropy(AtomicU64);

impl Entropy for TestEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            // splitmix64
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// What the clocks of tests show.
const NOW_MS: i64 = 1_773_100_000_000;

pub(crate) fn options(seed: u64) -> OpenOptions {
    OpenOptions {
        clock: Arc::new(TestClock(AtomicI64::new(NOW_MS))),
        entropy: Arc::new(TestEntropy(AtomicU64::new(seed.wrapping_mul(0x1234_5678_9abc_def1)))),
        durability: Durability::Off,
        keys: None,
        signer: None,
        machine_id: Some("machine".into()),
        documents_max: 16,
    }
}

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId(uuid::Uuid::from_u128(1));
pub(crate) const REP: UserId = UserId(uuid::Uuid::from_u128(2));

/// A replica in a directory of its own, enrolled as a device of the same rep.
pub(crate) struct Device {
    pub dir: TempDir,
    pub replica: Replica,
    pub seed: u64,
}

impl Device {
    pub(crate) fn new(seed: u64) -> Device {
        let dir = TempDir::new().unwrap();
        let replica = Replica::open(dir.path(), options(seed)).unwrap();
        enrol(&replica, seed);
        Device { dir, replica, seed }
    }

    pub(crate) fn home(&self) -> &Path {
        self.dir.path()
    }

    /// Closes the replica and opens it again.
    pub(crate) fn reopen(mut self) -> Device {
        self.replica.close();
        self.replica = Replica::open(self.dir.path(), options(self.seed + 1000)).unwrap();
        self
    }

    /// The same after 36 days: what arrived before them is beyond the horizon, and is forgotten.
    pub(crate) fn reopen_beyond_the_horizon(self) -> Device {
        self.reopen_after_days(36)
    }

    /// The same with a clock that shows so many days more than at first.
    pub(crate) fn reopen_after_days(mut self, days: i64) -> Device {
        self.replica.close();
        let then = NOW_MS + days * 24 * 60 * 60 * 1000;
        let clock = Arc::new(TestClock(AtomicI64::new(then)));
        let options = OpenOptions { clock, ..options(9) };
        self.replica = Replica::open(self.dir.path(), options).unwrap();
        self
    }
}

/// What opens the sealed copies of these tests.
pub(crate) fn opening_key() -> OpeningKey {
    OpeningKey::derive(&[9; 32])
}

/// What the workspace tells devices to seal to.
pub(crate) fn sealing_key(key: &OpeningKey) -> SealingKey {
    let key = key.public().to_vec();
    let signature = workspace_key().sign(&sealing_text(&WORKSPACE, &key)).as_ref().to_vec();
    SealingKey { key, signature }
}

fn workspace_key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap()
}

pub(crate) fn enrol(replica: &Replica, device: u64) {
    enrol_as(replica, device, REP);
}

pub(crate) fn enrol_as(replica: &Replica, device: u64, user: UserId) {
    replica.inner.home.new_key().unwrap();
    let granted = wire::Enrolled {
        workspace: WORKSPACE,
        workspace_name: "Nordwind".into(),
        device: DeviceId(uuid::Uuid::from_u128(1000 + u128::from(device))),
        user,
        login: "rep".into(),
        user_name: "A rep".into(),
        workspace_key: workspace_key().public_key().as_ref().to_vec(),
        sealing: Some(sealing_key(&opening_key())),
        certificate: Vec::new(),
    };
    let binding = Binding {
        granted,
        server_url: "http://127.0.0.1:1".into(),
        pin: None,
        device_name: "test".into(),
    };
    replica.bind(&binding).unwrap();
}

pub(crate) fn set(field: &str, value: &str) -> Command {
    Command::Set { field: field.into(), value: Some(Value::from(value)) }
}

/// A contact with a given and a family name.
pub(crate) fn person(replica: &Replica, given: &str, family: &str) -> ContactId {
    replica.create(&[set("given_name", given), set("family_name", family)]).unwrap().contact_id
}

pub(crate) fn saved(edited: Edited) -> Edit {
    edited.saved().expect("the edit changed something")
}

pub(crate) fn field(replica: &Replica, id: ContactId, name: &str) -> String {
    replica.contact(id).unwrap().text(name).to_owned()
}
