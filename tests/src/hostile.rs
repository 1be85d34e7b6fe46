//! Attackers, and the others, who must not notice them.
//!
//! An attacker is an enrolled device that says what no honest one says. Beside it one honest device
//! goes on working, and the contacts of somebody who takes no part stay as they are: that is what a
//! test of hostile devices asserts, whatever the attack was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use automerge::{Automerge, LoadOptions, TextEncoding};
use roadbook_client_core::Replica;
use roadbook_protocol::document::{self, Applied, Author, Command, EditOptions};
use roadbook_protocol::ids::{Actor, ContactId, UserId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{Actors, ChangeFate, Fates, Frame, Stored, UpChange};

use crate::devices;
use crate::http::Http;
use crate::raw::{Identity, Raw, manifest};
use crate::scene::Scene;

/// The most that the server's memory may grow to under attack. It idles at some 30 MiB; the rest is
/// documents in its cache (64 MiB), the database's pages (16 MiB for each of some eleven connections,
/// once the file is that large) and what is under way.
pub const RESIDENT_BYTES_MAX: u64 = 512 << 20;
/// Within this time an honest device's edit is merged, whatever else happens. Normally it takes a
/// few milliseconds; machines are shared.
pub const WORK_MAX: Duration = Duration::from_secs(20);
/// Threads that the server may have more than when it idles: work that blocks, for as long as the
/// runtime keeps a thread for more of it.
const THREADS_MORE_MAX: usize = 64;

/// A server that does not slow devices down, so that an attack comes at full speed.
pub fn fast() -> Scene {
    fast_with(&[])
}

/// The same, with further arguments of `serve`.
pub fn fast_with(args: &[&str]) -> Scene {
    let fast = [
        "--device-messages-per-second",
        "100000",
        "--device-messages-burst",
        "100000",
        "--device-bytes-per-second",
        "1000000000",
    ];
    Scene::with(&[&fast, args].concat())
}

/// An actor that nobody has used.
pub fn new_actor() -> Actor {
    Actor::from_bytes(std::array::from_fn(|_| fastrand::u8(..)))
}

/// An honest change of this document by this actor.
#[track_caller]
pub fn honest(doc: &mut Automerge, actor: Actor, by: UserId, commands: &[Command]) -> Vec<u8> {
    try_honest(doc, actor, by, commands).unwrap_or_else(|| panic!("{commands:?} changes nothing"))
}

/// The same; `None` where the commands don't fit the document or change nothing.
pub fn try_honest(
    doc: &mut Automerge,
    actor: Actor,
    by: UserId,
    commands: &[Command],
) -> Option<Vec<u8>> {
    let author = Author { by, at: 1_780_000_000_000 };
    let options = EditOptions::default();
    match document::apply(doc, actor, commands, &author, &options, &Limits::DEFAULT) {
        Ok(Applied::Change { bytes, .. }) => Some(bytes),
        Ok(Applied::Unchanged) | Err(_) => None,
    }
}

/// The command that sets the job title.
pub fn title(value: impl Into<String>) -> Command {
    Command::Set { field: "job_title".into(), value: Some(value.into().into()) }
}

/// A snapshot as a document.
pub fn load(snapshot: &[u8]) -> Automerge {
    let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
    Automerge::load_with_options(snapshot, options).unwrap()
}

/// An enrolled device with a session and the documents of its contacts.
pub struct Attacker {
    /// Its connection.
    pub raw: Raw,
    /// Its user.
    pub user: UserId,
    /// Its contacts, as they were when it connected.
    pub documents: BTreeMap<ContactId, Automerge>,
    /// The last batch that it sent.
    pub batch: u64,
}

/// Enrols a device of this login and opens a session with it.
pub async fn attacker(scene: &Scene, login: &str) -> (Identity, Attacker) {
    let identity = Identity::enrol(&scene.url(), &scene.invite(login)).await;
    let attacker = Attacker::connect(scene, &identity).await;
    (identity, attacker)
}

impl Attacker {
    /// Opens a session and fetches every contact.
    pub async fn connect(scene: &Scene, identity: &Identity) -> Self {
        let (mut raw, welcome) = identity.open(&scene.url(), &[]).await;
        let contacts = manifest(&mut raw).await;
        let mut documents = BTreeMap::new();
        for (request, part) in (1..).zip(contacts.chunks(256)) {
            for item in raw.fetch(request, part).await {
                documents.insert(item.contact, load(&item.snapshot));
            }
        }
        Self { raw, user: welcome.user, documents, batch: 0 }
    }

    /// Sends changes and waits for their receipt.
    pub async fn offer(&mut self, changes: Vec<(ContactId, Vec<u8>)>) -> Stored {
        self.batch += 1;
        let changes =
            changes.into_iter().map(|(contact, bytes)| UpChange { contact, bytes }).collect();
        self.raw.offer(self.batch, changes).await
    }

    /// Sends one change and waits for the code with which it is set aside, at once or at the merge.
    pub async fn refusal(&mut self, contact: ContactId, change: Vec<u8>) -> String {
        let stored = self.offer(vec![(contact, change)]).await;
        if let Some(exception) = stored.exceptions.into_iter().next() {
            return exception.code;
        }
        self.raw
            .until(|frame| match frame {
                Frame::Fates(Fates { merged, .. }) if !merged.is_empty() => {
                    Some("merged".to_owned())
                }
                Frame::Fates(Fates { fates, .. }) => {
                    fates.into_iter().next().map(|fate: ChangeFate| fate.code)
                }
                _ => None,
            })
            .await
    }

    /// Registers a new actor.
    pub async fn actor(&mut self) -> Actor {
        let actor = new_actor();
        self.raw.send(Actors { actors: vec![actor] }).await;
        actor
    }

    /// Waits until a change is merged.
    pub async fn merged(&mut self, batch: u64, index: u32) {
        self.raw
            .until(|frame| match frame {
                Frame::Fates(fates) => fates
                    .merged
                    .iter()
                    .any(|run| run.batch == batch && (run.from..=run.to).contains(&index))
                    .then_some(()),
                _ => None,
            })
            .await;
    }
}

/// An honest device that works beside an attack, and somebody's contacts that nobody touches.
pub struct Others {
    replica: Replica,
    contact: ContactId,
    done: Vec<String>,
    slowest: Duration,
    untouched: String,
    threads: usize,
}

impl Others {
    /// Adds the reps `honest` and `absent` with contacts of their own, and a device of the first.
    pub async fn join(scene: &Scene) -> Self {
        Self::join_at(scene, &scene.url()).await
    }

    /// The same, over another address of the server.
    pub async fn join_at(scene: &Scene, url: &str) -> Self {
        scene.reps(&["honest", "absent"]);
        scene.import(90, 3, Some("honest"));
        scene.import(91, 5, Some("absent"));
        let options = roadbook_client_core::OpenOptions::default();
        let replica = scene.replica_with("honest", "honest", url, options).await;
        devices::sync(&replica).await.unwrap();
        let all = roadbook_client_core::ListQuery::default();
        let contact = replica.list(&all).unwrap().rows[0].id;
        let untouched = scene.state_hash("absent");
        let threads = threads(scene.server().id());
        Self { replica, contact, done: Vec::new(), slowest: Duration::ZERO, untouched, threads }
    }

    /// One edit of the honest device, made, sent, acknowledged and merged.
    pub async fn work(&mut self, during: &str) {
        let summary = format!("edit {} during {during}", self.done.len());
        devices::visit(&self.replica, self.contact, &summary);
        let begun = Instant::now();
        tokio::time::timeout(WORK_MAX, devices::sync_until_merged(&self.replica))
            .await
            .unwrap_or_else(|_| panic!("{summary}: not merged within {WORK_MAX:?}"));
        self.slowest = self.slowest.max(begun.elapsed());
        self.done.push(summary);
    }

    /// Asserts after the attack: the honest device lost nothing, the absent rep's contacts are the
    /// same, the server's memory stayed bounded, no thread and no connection is left behind, and
    /// `check` finds nothing.
    pub async fn assert_unharmed(mut self, scene: &Scene) {
        self.work("the end").await;
        devices::assert_all_merged(&self.replica);
        let there = devices::summaries(&self.replica, self.contact);
        for summary in &self.done {
            assert_eq!(there.get(summary), Some(&1), "{summary}");
        }
        assert_eq!(devices::state_hash(&self.replica), scene.state_hash("honest"));
        assert_eq!(self.untouched, scene.state_hash("absent"), "nobody touched these contacts");
        let peak = resident_bytes_peak(scene.server().id());
        println!(
            "{} honest edits, the slowest merged after {:?}; the server's memory peaked at {} MiB",
            self.done.len(),
            self.slowest,
            peak >> 20
        );
        assert!(peak < RESIDENT_BYTES_MAX, "{peak} bytes of memory");
        let most = self.threads + THREADS_MORE_MAX;
        let now = threads(scene.server().id());
        assert!(now <= most, "{now} threads, {} before", self.threads);
        scene.assert_clean();
    }
}

/// Waits until something holds that no event tells of, such as a metric.
pub async fn until(what: &str, most: Duration, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < most, "not within {most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until every connection to the server has ended.
pub async fn until_alone(scene: &Scene) {
    // The one that asks is a connection itself.
    until("all connections ended", Duration::from_secs(90), || {
        metric(scene, "roadbook_connections") <= 1.0
            && metric(scene, "roadbook_sync_sockets") == 0.0
    })
    .await;
}

/// The sum of a metric of the server over its labels; 0 where it was never counted.
pub fn metric(scene: &Scene, name: &str) -> f64 {
    let answer = Http::new(&scene.url()).get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let values = answer.body.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        (rest.starts_with(' ') || rest.starts_with('{')).then_some(())?;
        rest.rsplit_once(' ')?.1.parse::<f64>().ok()
    });
    values.sum()
}

/// The most memory that a process has held so far.
pub fn resident_bytes_peak(id: u32) -> u64 {
    status(id, "VmHWM:") * 1024
}

/// The threads of a process.
pub fn threads(id: u32) -> usize {
    status(id, "Threads:") as usize
}

fn status(id: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
