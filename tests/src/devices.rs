//! Replicas inside the test's own process, against any server: for tests that inject a clock, tap
//! the wire, or make more edits than child processes could.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadbook_client_core::sync::{self, Engine, SyncOptions, SyncReport};
use roadbook_client_core::{Edited, Error, OpenOptions, OutboxEntry, Receipt, Replica};
use roadbook_protocol::document::{Collection, Command, Value};
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{self, Frame};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::generate::put;

/// One exchange may take so long; none takes nearly as long.
pub const SYNC_MAX: Duration = Duration::from_secs(120);

/// A replica in `home`, enrolled with this code at this server.
pub async fn enrolled(home: &Path, url: &str, code: &str, options: OpenOptions) -> Replica {
    let replica = Replica::open(home, options).unwrap();
    sync::enrol(&replica, url, code, None, "a test's device").await.unwrap();
    replica
}

/// One exchange in both directions.
///
/// # Errors
/// As the replica's.
pub async fn sync(replica: &Replica) -> Result<SyncReport, Error> {
    sync_with(replica, SyncOptions::default()).await
}

/// One exchange with these options.
///
/// # Errors
/// As the replica's.
pub async fn sync_with(replica: &Replica, options: SyncOptions) -> Result<SyncReport, Error> {
    Engine::new(replica.clone(), options).sync_once(SYNC_MAX).await
}

/// Syncs until the server has merged everything; see [`crate::process::Rep::sync_until_merged`].
pub async fn sync_until_merged(replica: &Replica) {
    for _ in 0..300 {
        sync(replica).await.unwrap();
        let status = replica.status().unwrap();
        if status.stored_not_merged == 0 && status.unsent == 0 {
            return;
        }
    }
    panic!("never merged: {:#?}", replica.outbox(false).unwrap());
}

/// A device that stays connected until it is told to stop.
pub struct Online {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Online {
    /// Connects.
    pub fn go(replica: &Replica, options: SyncOptions) -> Online {
        let (cancel, engine) = (CancellationToken::new(), Engine::new(replica.clone(), options));
        let until = cancel.clone();
        let task = tokio::spawn(async move { engine.run(until).await.unwrap() });
        Online { cancel, task }
    }

    /// Hangs up, and waits for the end.
    pub async fn end(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}

/// Logs a visit with this summary; the text is how tests find it again.
pub fn visit(replica: &Replica, contact: ContactId, summary: &str) {
    let id = replica.new_entry_id();
    let at = Value::Int(replica.now_ms());
    let fields = [("kind", "visit".into()), ("at", at), ("summary", summary.into())];
    edit(replica, contact, &[put(Collection::Interactions, id, fields)]);
}

/// Sets a field.
pub fn set(replica: &Replica, contact: ContactId, field: &str, value: &str) {
    edit(replica, contact, &[Command::Set { field: field.into(), value: Some(value.into()) }]);
}

/// Makes an edit that changes something.
pub fn edit(replica: &Replica, contact: ContactId, commands: &[Command]) {
    match replica.edit(contact, commands).unwrap() {
        Edited::Saved(_) => {}
        Edited::Unchanged => panic!("{commands:?} changed nothing in {contact}"),
    }
}

/// The summaries of a contact's interactions, with how often each occurs.
pub fn summaries(replica: &Replica, contact: ContactId) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for interaction in &replica.contact(contact).unwrap().interactions {
        *all.entry(interaction.text("summary").to_owned()).or_default() += 1;
    }
    all
}

/// The edits that the server has acknowledged.
pub fn acknowledged(replica: &Replica) -> Vec<OutboxEntry> {
    let held = |entry: &OutboxEntry| matches!(entry.receipt, Receipt::Stored | Receipt::Merged);
    replica.outbox(true).unwrap().into_iter().filter(held).collect()
}

/// The hash over everything that is merged, as lower-case hexadecimal.
pub fn state_hash(replica: &Replica) -> String {
    replica.state_hash(None).unwrap().hash
}

/// Asserts that all edits are merged, none refused or waiting.
#[track_caller]
pub fn assert_all_merged(replica: &Replica) {
    let left: Vec<_> = replica
        .outbox(true)
        .unwrap()
        .into_iter()
        .filter(|entry| entry.receipt != Receipt::Merged)
        .collect();
    assert!(left.is_empty(), "not merged: {left:#?}");
    let aside = replica.quarantine().unwrap();
    assert!(aside.is_empty(), "in quarantine: {aside:#?}");
}

/// The seed of a test: from `ROADBOOK_SEED`, else new each time. It is printed, so that a failure
/// can be played again.
pub fn seed() -> u64 {
    let seed = std::env::var("ROADBOOK_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("ROADBOOK_SEED={seed}");
    seed
}

/// Whether the long form of a test is asked for (`./tests/run --full`).
pub fn full() -> bool {
    std::env::var_os("ROADBOOK_TESTS_FULL").is_some()
}

/// What went over one replica's wire, as plain frames.
#[derive(Clone, Default)]
pub struct Tap(Arc<Mutex<Vec<Tapped>>>);

/// One frame.
#[derive(Clone)]
pub struct Tapped {
    /// Whether it went up, to the server.
    pub up: bool,
    /// Its bytes, neither compressed nor encrypted, without the byte that tells the packing.
    pub bytes: Vec<u8>,
}

impl Tap {
    /// Options that let this tap listen.
    pub fn options(&self) -> SyncOptions {
        let all = Arc::clone(&self.0);
        let listen = move |up: bool, bytes: &[u8]| {
            all.lock().unwrap().push(Tapped { up, bytes: bytes.to_vec() });
        };
        SyncOptions { on_wire: Some(Arc::new(listen)), ..SyncOptions::default() }
    }
    /// What was heard so far.
    pub fn heard(&self) -> Vec<Tapped> {
        self.0.lock().unwrap().clone()
    }
    /// What was heard so far, decoded.
    pub fn frames(&self) -> Vec<(bool, Frame)> {
        // The device's own bounds for what it receives are wider than the server's.
        let limits = Limits {
            message_bytes_max: 64 << 20,
            message_inflated_bytes_max: 64 << 20,
            ..Limits::DEFAULT
        };
        let decode = |tapped: &Tapped| {
            let message = [&[0], &tapped.bytes[..]].concat();
            (tapped.up, wire::decode(&message, &limits).unwrap())
        };
        self.heard().iter().map(decode).collect()
    }
}
