//! One device that sends mutants, several batches in flight, and keeps account of their fates.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use automerge::Automerge;
use fastrand::Rng;
use ring::digest::{SHA256, digest};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::guard::mutate::{KINDS, Parts, mutate_counted};
use roadbook_protocol::ids::{Actor, ContactId};
use roadbook_protocol::wire::{self, Actors, Changes, Fate, Frame, UpChange};
use tokio_tungstenite::tungstenite::Message;

use super::{Report, corpus};
use crate::generate::Generator;
use crate::hostile::{Attacker, attacker, honest, new_actor, title};
use crate::raw::Identity;
use crate::scene::Scene;

/// Mutants of one batch, and batches in flight.
const BATCH: u64 = 400;
const IN_FLIGHT: u64 = 3;
/// Contacts whose changes one batch has mutants of.
const BASES: usize = 4;
/// Mutants that share an actor. Two that pass the gates with one actor are a fork, and one of them is
/// no more tested.
const PER_ACTOR: usize = 8;
/// So much waits at most, and a change has its fate at last after this.
const FATE_MAX: Duration = Duration::from_secs(60);

/// A device of its own user, with contacts of its own.
pub struct Device {
    url: String,
    attacker: Attacker,
    /// Another device of the same user: what it sends as a frame ends its connection.
    frames: Identity,
    rng: Rng,
    generator: Generator,
    /// Contacts that mutants are still to be made of, and those in use.
    fresh: Vec<(ContactId, Automerge)>,
    /// The contact that it is honest about.
    own: (ContactId, Automerge),
    /// Changes that were taken and have no fate yet.
    open: HashMap<(u64, u32), ChangeHash>,
    places: HashMap<ChangeHash, (u64, u32)>,
    /// The hashes of the batches in flight.
    flying: BTreeMap<u64, Vec<ChangeHash>>,
    report: Report,
}

/// A contact, an honest change that is due in it, and whether anybody has seen it.
struct Base {
    contact: ContactId,
    change: Parts,
}

fn hash_of(chunk: &[u8]) -> ChangeHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, chunk.get(8..).unwrap_or_default()).as_ref());
    ChangeHash(hash)
}

impl Device {
    pub async fn open(scene: &Scene, login: &str, seed: u64) -> Self {
        let frames = Identity::enrol(&scene.url(), &scene.invite(login)).await;
        let (_, mut attacker) = attacker(scene, login).await;
        let mut fresh: Vec<_> = std::mem::take(&mut attacker.documents).into_iter().collect();
        let own = fresh.pop().expect("a device has contacts");
        Self {
            url: scene.url(),
            attacker,
            frames,
            rng: Rng::with_seed(seed),
            generator: Generator::new(seed),
            fresh,
            own,
            open: HashMap::new(),
            places: HashMap::new(),
            flying: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// Sends so many mutants, and waits for the fate of each.
    pub async fn send(
        mut self,
        count: u64,
        per_contact: u64,
        total: Arc<AtomicU64>,
    ) -> (Report, Self) {
        let mut documents: Vec<(ContactId, Automerge)> = Vec::new();
        let mut left = 0;
        while self.report.sent < count {
            if left == 0 {
                documents = self.next_documents().await;
                left = per_contact * documents.len() as u64 / BATCH;
            }
            left = left.saturating_sub(1);
            let size = BATCH.min(count - self.report.sent);
            let bases = self.bases(&documents);
            self.send_batch(&bases, size).await;
            self.report.sent += size;
            total.fetch_add(size, Ordering::Relaxed);
            while self.flying.len() as u64 >= IN_FLIGHT {
                self.hear().await;
            }
            if self.attacker.batch % 4 == 1 {
                self.send_broken_frame(&bases).await;
            }
        }
        while !self.flying.is_empty() || !self.open.is_empty() {
            self.hear().await;
        }
        (std::mem::take(&mut self.report), self)
    }

    /// Takes the next few contacts and gives them a history, at the server too.
    async fn next_documents(&mut self) -> Vec<(ContactId, Automerge)> {
        let mut documents = Vec::new();
        for _ in 0..BASES {
            let Some((contact, mut doc)) = self.fresh.pop() else { break };
            let actors = [new_actor(), new_actor()];
            self.attacker.raw.send(Actors { actors: actors.to_vec() }).await;
            let user = self.attacker.user;
            let changes = corpus::age(&mut doc, actors, user, &mut self.rng, &mut self.generator);
            let changes =
                changes.into_iter().map(|bytes| UpChange { contact, bytes }).collect::<Vec<_>>();
            let size = changes.len();
            self.put_in_flight(changes).await;
            while !self.flying.is_empty() || !self.open.is_empty() {
                self.hear().await;
            }
            let merged = self.report.outcomes.remove("merged").unwrap_or(0);
            *self.report.outcomes.entry("merged".into()).or_default() += merged - size as u64;
            documents.push((contact, doc));
        }
        assert!(!documents.is_empty(), "there are contacts enough");
        documents
    }

    fn bases(&mut self, documents: &[(ContactId, Automerge)]) -> Vec<Base> {
        let mut bases = Vec::new();
        while bases.len() < BASES {
            let (contact, doc) = &documents[self.rng.usize(..documents.len())];
            let mut doc = doc.fork();
            let (by, actor) = (self.attacker.user, new_actor());
            let edit = corpus::edit(&mut doc, actor, by, &mut self.rng, &mut self.generator);
            if let Some(bytes) = edit {
                let change = Parts::parse(&bytes).expect("an honest change");
                bases.push(Base { contact: *contact, change });
            }
        }
        bases
    }

    async fn send_batch(&mut self, bases: &[Base], size: u64) {
        let mut actors: Vec<Actor> = Vec::new();
        let mut changes = Vec::with_capacity(size as usize);
        let mut kinds = [0; KINDS.len()];
        for number in 0..size as usize {
            if number % PER_ACTOR == 0 {
                actors.push(new_actor());
            }
            let base = &bases[self.rng.usize(..bases.len())];
            // The same edit by an actor that has made none yet.
            let actor = actors.last().map(|actor| actor.as_bytes().to_vec()).unwrap_or_default();
            let change = Parts { actor, ..base.change.clone() }.change();
            let mut seen = [false; KINDS.len()];
            let bytes = mutate_counted(&change, self.rng.u64(..), |kind| seen[kind] = true);
            for (count, seen) in kinds.iter_mut().zip(seen) {
                *count += u64::from(seen);
            }
            changes.push(UpChange { contact: base.contact, bytes });
        }
        for (name, count) in KINDS.into_iter().zip(kinds) {
            *self.report.kinds.entry(name).or_default() += count;
        }
        self.attacker.raw.send(Actors { actors }).await;
        self.put_in_flight(changes).await;
    }

    async fn put_in_flight(&mut self, changes: Vec<UpChange>) {
        self.attacker.batch += 1;
        let batch = self.attacker.batch;
        self.flying.insert(batch, changes.iter().map(|change| hash_of(&change.bytes)).collect());
        self.attacker.raw.send(Changes { batch, changes, unsent: 0 }).await;
    }

    /// Takes one frame of the server's.
    async fn hear(&mut self) {
        let next = tokio::time::timeout(FATE_MAX, self.attacker.raw.next()).await;
        let Ok(frame) = next else {
            panic!("{} changes hang without a fate", self.open.len());
        };
        match frame.expect("the connection of a device that sends frames lives") {
            Frame::Stored(stored) => {
                let hashes = self.flying.remove(&stored.batch).expect("a batch in flight");
                let mut exceptions: HashMap<u32, _> =
                    stored.exceptions.into_iter().map(|one| (one.index, one)).collect();
                for (index, hash) in (0..).zip(hashes) {
                    let place = (stored.batch, index);
                    match exceptions.remove(&index) {
                        None => self.expect_fate(place, hash),
                        Some(one) if one.fate == Fate::Waiting => self.count(one.code),
                        Some(one) => self.count(refusal(&one.code, one.fate)),
                    }
                }
            }
            Frame::Fates(fates) => {
                for run in fates.merged {
                    for index in run.from..=run.to {
                        self.met((run.batch, index), "merged".into());
                    }
                }
                for fate in fates.fates {
                    let Some(place) = self.places.get(&fate.hash).copied() else { continue };
                    match fate.fate {
                        Fate::Stored | Fate::Waiting => {}
                        Fate::Merged => self.met(place, "merged".into()),
                        _ => self.met(place, format!("gate 2: {}", fate.code)),
                    }
                }
            }
            Frame::Problem(problem) => assert!(!problem.fatal, "it is cut off: {problem:?}"),
            _ => {}
        }
    }

    fn expect_fate(&mut self, place: (u64, u32), hash: ChangeHash) {
        self.open.insert(place, hash);
        if let Some(before) = self.places.insert(hash, place) {
            // The same mutant twice: it has one fate.
            self.met(before, "the same again".into());
            self.places.insert(hash, place);
        }
    }

    fn met(&mut self, place: (u64, u32), outcome: String) {
        if let Some(hash) = self.open.remove(&place) {
            self.places.remove(&hash);
            self.count(outcome);
        }
    }

    fn count(&mut self, outcome: String) {
        *self.report.outcomes.entry(outcome).or_default() += 1;
    }

    /// Sends a frame with alterations of its own over a connection of its own.
    async fn send_broken_frame(&mut self, bases: &[Base]) {
        let changes = bases
            .iter()
            .map(|base| UpChange { contact: base.contact, bytes: base.change.change() })
            .collect();
        let mut message = wire::encode(&Frame::Changes(Changes { batch: 1, changes, unsent: 0 }));
        for _ in 0..self.rng.usize(1..5) {
            let at = self.rng.usize(..message.len());
            match self.rng.u8(0..4) {
                0 => message.truncate(at.max(1)),
                1 => message.insert(at, self.rng.u8(..)),
                _ => message[at] = self.rng.u8(..),
            }
        }
        let (mut raw, _) = self.frames.open(&self.url, &[]).await;
        raw.send_bytes(message).await;
        raw.send_message(Message::Close(None)).await;
        let outcome = match raw.ending().await {
            Some(_) => "frame: refused",
            None => "frame: harmless",
        };
        self.count(outcome.into());
    }

    /// After everything it sent, an honest change of the device is merged.
    pub async fn assert_honest_change_is_merged(&mut self) {
        let actor = self.attacker.actor().await;
        let (contact, doc) = &mut self.own;
        let contact = *contact;
        let change = honest(doc, actor, self.attacker.user, &[title("true")]);
        let stored = self.attacker.offer(vec![(contact, change)]).await;
        assert!(stored.exceptions.is_empty(), "the honest change is taken: {stored:?}");
        self.attacker.merged(self.attacker.batch, 0).await;
    }
}

/// What refused a change before it was merged: the log judges who may write what, all else is the
/// first gate's.
fn refusal(code: &str, fate: Fate) -> String {
    const OF_THE_LOG: [&str; 6] =
        ["actor_taken", "author", "not_yours", "dependency", "replaces_foreign", "original_merged"];
    if fate == Fate::Forked || OF_THE_LOG.contains(&code) {
        format!("log: {code}")
    } else {
        format!("gate 1: {code}")
    }
}
