//! Mutated changes by the thousand or the million, through the whole path of a running server: frame,
//! first gate, log, second gate, merge.
//!
//! The changes are honest ones of documents with a history (conflicts, tombstones, text, counters,
//! fields of a later version), altered, with checksums that hold. Meanwhile an honest device works.
//! A mutant that is refused is a success, and so is one that is merged into its own contact: what
//! must not happen is a crash, a hang, a change that hangs without a fate, memory without bound, or
//! damage to any other contact.

pub mod corpus;
mod device;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use roadbook_protocol::guard::mutate::KINDS;

use crate::hostile::{Others, fast, resident_bytes_peak};
use device::Device;

/// Mutants of one contact, after which the next one's turn comes: each that is merged is a branch
/// and an actor of the contact, and a contact has few of those.
const PER_CONTACT: u64 = 1_000;
/// How often the honest device works meanwhile.
const HONEST_EVERY: Duration = Duration::from_secs(2);
/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// What to send.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many mutants.
    pub count: u64,
    /// What they follow from, together with what the server answered.
    pub seed: u64,
    /// How many devices send them at once.
    pub devices: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Mutants sent.
    pub sent: u64,
    /// How many have an alteration of each kind; most have several.
    pub kinds: BTreeMap<&'static str, u64>,
    /// How many ended in each way.
    pub outcomes: BTreeMap<String, u64>,
    /// How long it took.
    pub took: Duration,
    /// The most memory that the server held.
    pub resident_bytes_peak: u64,
    /// Edits of the honest device meanwhile.
    pub honest: usize,
}

impl Report {
    /// How many ended in a way whose name begins so.
    pub fn ended(&self, name: &str) -> u64 {
        self.outcomes.iter().filter(|(known, _)| known.starts_with(name)).map(|(_, n)| n).sum()
    }

    fn add(&mut self, other: Report) {
        self.sent += other.sent;
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
    }

    /// The tables, for people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        for (name, counts) in [
            ("alteration", self.kinds.iter().map(|(k, n)| (*k, *n)).collect::<Vec<_>>()),
            ("ended", self.outcomes.iter().map(|(k, n)| (k.as_str(), *n)).collect()),
        ] {
            let _ = writeln!(out, "{name:<40} mutants");
            for (name, count) in counts {
                let _ = writeln!(out, "{name:<40} {count:>9}");
            }
            out.push('\n');
        }
        let rate = self.sent as f64 / self.took.as_secs_f64().max(0.001);
        let _ = writeln!(
            out,
            "{} mutants in {:.0?}, {rate:.0} a second; the server's memory peaked at {} MiB; \
             {} honest edits meanwhile, all merged",
            self.sent,
            self.took,
            self.resident_bytes_peak >> 20,
            self.honest
        );
        out
    }

    /// Asserts that every kind of mutant was sent, and that every way to end that must happen did: a
    /// zero would mean that something was not tested. For plans of 5,000 mutants and more.
    pub fn assert_everything_happened(&self) {
        for kind in KINDS {
            assert!(self.kinds.get(kind).is_some_and(|count| *count > 0), "no mutant: {kind}");
        }
        for outcome in MUST_HAPPEN {
            assert!(
                self.ended(outcome) > 0,
                "no mutant ended as `{outcome}`: {:#?}",
                self.outcomes
            );
        }
        // Those that were contained: the document was thrown away and the change set aside.
        let frames = self.ended("frame: ");
        assert_eq!(self.ended("") - frames, self.sent, "each has one end: {:#?}", self.outcomes);
    }
}

/// Ways to end that any few thousand mutants meet.
const MUST_HAPPEN: [&str; 15] = [
    "frame: refused",
    "gate 1: actor_order",
    "gate 1: checksum",
    "gate 1: chunk_type",
    "gate 1: column",
    "gate 1: malformed",
    "gate 1: message",
    "gate 1: not_canonical",
    "gate 1: value",
    "log: author",
    "log: forked",
    "waiting",
    "gate 2: reference",
    "gate 2: start_op",
    "merged",
];

/// Sends the mutants and asserts that nobody was harmed.
///
/// # Panics
/// Where a promise is broken; the message says which.
pub async fn run(plan: Plan) -> Report {
    let scene = fast();
    let share = plan.count.div_ceil(plan.devices);
    let contacts = share / PER_CONTACT + 12;
    let logins: Vec<String> = (0..plan.devices).map(|n| format!("mutant{n}")).collect();
    scene.reps(&logins.iter().map(String::as_str).collect::<Vec<_>>());
    let mut devices = Vec::new();
    for (number, login) in (0..).zip(&logins) {
        scene.import(1_000 + number, contacts as usize, Some(login));
        let seed = plan.seed.wrapping_add(number << 32);
        devices.push(Device::open(&scene, login, seed).await);
    }
    let mut others = Others::join(&scene).await;
    let begun = Instant::now();
    let sent = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = devices
        .into_iter()
        .zip(0..)
        .map(|(device, number)| {
            let count = share.min(plan.count.saturating_sub(number * share));
            tokio::spawn(device.send(count, PER_CONTACT, sent.clone()))
        })
        .collect();
    let mut told = Instant::now();
    let mut honest = 0;
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        others.work("mutants").await;
        honest += 1;
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
            let sent = sent.load(Ordering::Relaxed);
            let rate = sent as f64 / begun.elapsed().as_secs_f64();
            println!("{sent} of {} mutants sent, {rate:.0} a second", plan.count);
        }
        let _ = tokio::time::timeout(HONEST_EVERY, async {
            while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }
    let mut report = Report { took: begun.elapsed(), honest, ..Report::default() };
    let mut quiet = Vec::new();
    for task in tasks {
        let (part, device) = task.await.expect("a device that sends mutants does not fail");
        report.add(part);
        quiet.push(device);
    }
    // What an attacker is honest about is taken, after all that it sent.
    for device in &mut quiet {
        device.assert_honest_change_is_merged().await;
    }
    report.resident_bytes_peak = resident_bytes_peak(scene.server().id());
    others.assert_unharmed(&scene).await;
    report
}
