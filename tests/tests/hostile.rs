//! Hostile and broken devices (P11): they can't crash the server nor grow its memory without bound,
//! they can't write in another's name nor read what is not theirs, and they disturb nobody else.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use automerge::Automerge;
use fastrand::Rng;
use roadbook_protocol::document::{self, Applied, Author, Command, EditOptions};
use roadbook_protocol::guard::mutate::{Parts, mutate};
use roadbook_protocol::ids::{Actor, ContactId, UserId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::BATCH_BYTES_MAX;
use roadbook_protocol::wire::{Actors, Changes, Fate, Frame, Stored, UpChange};
use roadbook_tests::devices::{full, seed};
use roadbook_tests::generate::Generator;
use roadbook_tests::raw::{Identity, Raw, manifest};
use roadbook_tests::scene::Scene;
use tokio_tungstenite::tungstenite::Message;

/// The most that the server's memory may grow to under attack. It idles at some 30 MiB; the rest is
/// documents in its cache and what is under way.
const RESIDENT_BYTES_MAX: u64 = 400 << 20;

fn new_actor() -> Actor {
    Actor::from_bytes(std::array::from_fn(|_| fastrand::u8(..)))
}

/// The most memory that the process has held so far.
fn resident_bytes_peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// An honest change of this document by this actor.
fn honest(doc: &mut Automerge, actor: Actor, by: UserId, commands: &[Command]) -> Vec<u8> {
    let author = Author { by, at: 1_780_000_000_000 };
    match document::apply(doc, actor, commands, &author, &EditOptions::default(), &Limits::DEFAULT)
        .unwrap()
    {
        Applied::Change { bytes, .. } => bytes,
        Applied::Unchanged => panic!("{commands:?} changes nothing"),
    }
}

fn title(value: impl Into<String>) -> Command {
    Command::Set { field: "job_title".into(), value: Some(value.into().into()) }
}

/// An enrolled device with a session and the documents of its contacts.
struct Attacker {
    raw: Raw,
    user: UserId,
    documents: BTreeMap<ContactId, Automerge>,
    batch: u64,
}

async fn attacker(scene: &Scene, login: &str) -> (Identity, Attacker) {
    let identity = Identity::enrol(&scene.url(), &scene.invite(login)).await;
    let (mut raw, welcome) = identity.open(&scene.url(), &[]).await;
    let contacts = manifest(&mut raw).await;
    let mut documents = BTreeMap::new();
    for (request, part) in (1..).zip(contacts.chunks(256)) {
        for item in raw.fetch(request, part).await {
            documents.insert(item.contact, load(&item.snapshot));
        }
    }
    (identity, Attacker { raw, user: welcome.user, documents, batch: 0 })
}

fn load(snapshot: &[u8]) -> Automerge {
    use automerge::{LoadOptions, TextEncoding};
    let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
    Automerge::load_with_options(snapshot, options).unwrap()
}

impl Attacker {
    async fn offer(&mut self, changes: Vec<(ContactId, Vec<u8>)>) -> Stored {
        self.batch += 1;
        let changes =
            changes.into_iter().map(|(contact, bytes)| UpChange { contact, bytes }).collect();
        self.raw.offer(self.batch, changes).await
    }

    async fn actor(&mut self) -> Actor {
        let actor = new_actor();
        self.raw.send(Actors { actors: vec![actor] }).await;
        actor
    }

    /// Waits until a change is merged.
    async fn merged(&mut self, batch: u64, index: u32) {
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

fn fast() -> Scene {
    let limits = ["100000", "100000", "1000000000"];
    Scene::with(&[
        "--device-messages-per-second",
        limits[0],
        "--device-messages-burst",
        limits[1],
        "--device-bytes-per-second",
        limits[2],
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_mutated_changes_of_an_enrolled_device_harm_nobody() {
    let count = if full() { 100_000 } else { 5_000 };
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let scene = fast();
    scene.reps(&["ada", "ben"]);
    scene.import(51, 40, Some("ada"));
    scene.admin(&["assign", "--to", "ben", "--collaborator", "--filter", "*"]).ok();
    let phone = scene.device("phone", "ben");
    phone.sync();
    let ids = phone.ids();

    let (_identity, mut attacker) = attacker(&scene, "ada").await;
    let contacts: Vec<ContactId> = attacker.documents.keys().copied().collect();
    assert_eq!(contacts.len(), 40);
    // What the attacker is honest about: the last contact, written with an actor of its own.
    let (honest_contact, targets) = (contacts[39], &contacts[..39]);
    let honest_actor = attacker.actor().await;
    let mut generator = Generator::new(seed);
    let (mut sent, mut taken, mut truths) = (0, 0_usize, Vec::new());
    let (mut fates, mut visits) = (BTreeMap::<String, usize>::new(), Vec::new());
    while sent < count {
        // Mutants of honest changes that are due now: sequence, dependencies and operation numbers
        // fit, so that many get past the first gate. A fresh actor now and then keeps it so.
        let actor = attacker.actor().await;
        let mut bases = Vec::new();
        for &contact in targets.iter().take(13) {
            let mut doc = attacker.documents[&contact].fork();
            let commands = generator.contact().commands;
            let commands = match rng.usize(..3) {
                0 => vec![title(format!("title {sent}"))],
                1 => vec![generator.interaction()],
                _ => commands.into_iter().take(12).collect(),
            };
            bases.push((contact, honest(&mut doc, actor, attacker.user, &commands)));
        }
        for _ in 0..4 {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while batch.len() < 200 && sent + batch.len() < count {
                let (contact, base) = &bases[rng.usize(..bases.len())];
                let mutant = mutate(base, rng.u64(..));
                bytes += mutant.len();
                if bytes > BATCH_BYTES_MAX {
                    break;
                }
                batch.push((*contact, mutant));
            }
            if batch.is_empty() {
                break;
            }
            let size = batch.len();
            let stored = attacker.offer(batch).await;
            taken += size - stored.exceptions.len();
            for exception in stored.exceptions {
                *fates.entry(format!("{:?} {}", exception.fate, exception.code)).or_default() += 1;
            }
            sent += size;
        }
        // In between, the same device says something true, and another device works.
        let value = format!("true {}", truths.len());
        let doc = attacker.documents.get_mut(&honest_contact).unwrap();
        let change = honest(doc, honest_actor, attacker.user, &[title(&value)]);
        let stored = attacker.offer(vec![(honest_contact, change)]).await;
        assert!(stored.exceptions.is_empty(), "the honest change is taken: {stored:?}");
        attacker.merged(attacker.batch, 0).await;
        truths.push(value);
        if truths.len() % 3 == 1 {
            let summary = format!("visit {} among mutants", visits.len());
            let id = &ids[visits.len() % ids.len()];
            phone.run(&["visit", id, "--summary", &summary]).ok();
            phone.sync();
            visits.push((id.clone(), summary));
        }
    }
    println!("{sent} mutants sent, {taken} taken by the first gate, exceptions: {fates:#?}");
    assert!(taken > 0, "some mutants reach the second gate; else it was not tested");
    let peak = resident_bytes_peak(scene.server().id());
    println!("peak of the server's memory: {} MiB", peak >> 20);
    assert!(peak < RESIDENT_BYTES_MAX, "{peak} bytes of memory");

    phone.sync();
    let aside = phone.json(&["quarantine"]);
    assert_eq!(aside["quarantine"], serde_json::json!([]), "the other device's edits are taken");
    assert!(phone.receipts().iter().all(|receipt| receipt == "merged"), "{:?}", phone.receipts());
    assert_eq!(phone.state_hash(), scene.state_hash("ben"));
    let exported = scene.export();
    for (contact, summary) in &visits {
        let interactions = exported[contact]["interactions"].as_array().unwrap();
        assert_eq!(
            interactions.iter().filter(|i| i["summary"] == summary.as_str()).count(),
            1,
            "{summary}"
        );
    }
    assert_eq!(exported[&honest_contact.to_string()]["job_title"], truths.last().unwrap().as_str());
    let history =
        phone.json(&["history", &honest_contact.to_string(), "--limit", "100000"]).to_string();
    assert!(
        truths.iter().all(|value| history.contains(value)),
        "every honest change is part of the contact"
    );
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_poisoned_change_among_a_thousand_costs_only_itself() {
    let scene = fast();
    scene.reps(&["ada"]);
    scene.import(54, 40, Some("ada"));
    let (_identity, mut ada) = attacker(&scene, "ada").await;
    let actor = ada.actor().await;
    let user = ada.user;
    let poisoned = *ada.documents.keys().nth(20).unwrap();
    let other = ada.actor().await;
    let good = honest(&mut ada.documents[&poisoned].fork(), other, user, &[title("poison")]);
    // Values that are no text where automerge expects text: well-formed for the first gate only.
    let mut parts = Parts::parse(&good).unwrap();
    *parts.column(0x15) = vec![0x7f, 1, b'a'];
    // Each contact has a chain of 25; the poison is a change of its own beside the chains.
    let mut batch = Vec::new();
    for (&contact, doc) in &mut ada.documents {
        for n in 0..25 {
            batch.push((contact, honest(doc, actor, user, &[title(format!("step {n}"))])));
        }
    }
    batch.insert(500, (poisoned, parts.change()));
    assert_eq!(batch.len(), 1_001);

    let (mut merged, mut aside) = (0, Vec::new());
    let count = |frame: Frame, merged: &mut usize, aside: &mut Vec<String>| match frame {
        Frame::Stored(stored) => aside.extend(stored.exceptions.into_iter().map(|e| e.code)),
        Frame::Fates(fates) => {
            *merged +=
                fates.merged.iter().map(|run| (run.to - run.from + 1) as usize).sum::<usize>();
            for fate in fates.fates {
                match fate.fate {
                    Fate::Merged => *merged += 1,
                    _ => aside.push(fate.code),
                }
            }
        }
        _ => {}
    };
    for (number, part) in (1..).zip(batch.chunks(250)) {
        let changes = part
            .iter()
            .map(|(contact, bytes)| UpChange { contact: *contact, bytes: bytes.clone() });
        ada.raw.send(Changes { batch: number, changes: changes.collect(), unsent: 0 }).await;
        ada.raw
            .until(|frame| {
                let stored = matches!(&frame, Frame::Stored(stored) if stored.batch == number);
                count(frame, &mut merged, &mut aside);
                stored.then_some(())
            })
            .await;
    }
    while merged + aside.len() < batch.len() {
        let frame = ada.raw.until(Some).await;
        count(frame, &mut merged, &mut aside);
    }
    assert_eq!((merged, aside.len()), (1_000, 1), "{aside:?}");
    let list = scene.admin(&["quarantine", "list", "--json"]).json();
    let list = list["quarantine"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["contact"], poisoned.to_string());
    assert!(!list[0]["reason"].as_str().unwrap().is_empty(), "with the reason");
    let exported = scene.admin(&["quarantine", "export"]).ok().stdout;
    assert!(exported.contains("\"raw\""), "and its bytes can be had");
    assert!(scene.export().values().all(|contact| contact["job_title"] == "step 24"));
    scene.assert_clean();
}

/// What a stranger or a broken program may send as one message.
fn garbage(rng: &mut Rng) -> Vec<(&'static str, Message)> {
    let mut noise = vec![0; 5_000];
    rng.fill(&mut noise);
    let zeros = vec![0_u8; 64 << 20];
    let bomb = zstd_frame(&zeros);
    let mut lying = bomb.clone();
    // Magic, descriptor, perhaps a window, then the content size in four bytes.
    assert_eq!(lying[4] >> 6, 2, "the frame states its size in four bytes");
    let at = if lying[4] & 0x20 == 0 { 6 } else { 5 };
    lying[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    let plain = |cbor: &[u8]| Message::binary([&[0], cbor].concat());
    vec![
        ("nothing", Message::binary(Vec::new())),
        ("noise", Message::binary(noise)),
        ("text", Message::text("hello?")),
        ("an unknown packing", Message::binary(vec![7, 1, 2, 3])),
        ("a message beyond the limit", Message::binary(vec![0; 3 << 20])),
        ("a bomb", Message::binary([&[1], &bomb[..]].concat())),
        ("a bomb that lies about its size", Message::binary([&[1], &lying[..]].concat())),
        // [4, {0: 1, 1: an array of 2^62 changes
        ("a list without end", plain(&[0x82, 4, 0xa3, 0, 1, 1, 0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0])),
        // [4, {0: 1, 1: bytes of 2^60 length
        ("a string without end", plain(&[0x82, 4, 0xa3, 0, 1, 1, 0x5b, 0x10, 0, 0, 0, 0, 0, 0, 0])),
        ("half a frame", plain(&[0x82, 4, 0xa3, 0])),
        ("nested a hundred thousand deep", plain(&[vec![0x82, 4], vec![0x81; 100_000]].concat())),
        (
            "an unknown frame nested deep",
            plain(&[vec![0x82, 0x18, 250], vec![0x81; 100_000], vec![0]].concat()),
        ),
        ("a frame of the wrong type", plain(&[0x82, 0x18, 66, 0xa0])),
    ]
}

fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    // Encoded as frames are: one call, the size in the header.
    let frame = roadbook_protocol::wire::encode(&Frame::Changes(Changes {
        batch: 1,
        changes: vec![UpChange {
            contact: ContactId::from_bytes([7; 16]),
            bytes: bytes[..(64 << 20) - 100].to_vec(),
        }],
        unsent: 0,
    }));
    assert_eq!(frame[0], 1, "compressed");
    frame[1..].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_frames_and_bombs_end_their_own_connection_at_most() {
    let mut rng = Rng::with_seed(seed());
    let scene = fast();
    scene.reps(&["ada", "ben"]);
    scene.import(52, 5, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    for (what, message) in garbage(&mut rng) {
        // Before anybody knows who it is, in the middle of the handshake, and with an open session.
        let mut stranger = Raw::connect(&scene.url()).await;
        stranger.send_message(message.clone()).await;
        stranger.send(identity.hello()).await;
        let mut halfway = Raw::connect(&scene.url()).await;
        halfway.send(identity.hello()).await;
        halfway.send_message(message.clone()).await;
        let (mut open, _) = identity.open(&scene.url(), &[]).await;
        open.send_message(message).await;
        for raw in [&mut stranger, &mut halfway, &mut open] {
            // It is answered with a problem, or closed, or ignored; a ping tells that it is past.
            raw.send_message(Message::Close(None)).await;
            while raw.next().await.is_some() {}
        }
        let healthy = roadbook_tests::http::Http::new(&scene.url()).get("/healthz");
        assert_eq!(healthy.status, 200, "the server lives after {what}");
    }
    let peak = resident_bytes_peak(scene.server().id());
    assert!(peak < RESIDENT_BYTES_MAX, "{peak} bytes of memory");
    let id = phone.ids().remove(0);
    phone.run(&["visit", &id, "--summary", "after the garbage"]).ok();
    phone.sync();
    assert_eq!(phone.receipts(), ["merged"]);
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_writes_in_another_name_nor_to_or_from_a_contact_that_is_not_theirs() {
    let scene = fast();
    scene.reps(&["ada", "ben"]);
    scene.import(53, 4, Some("ada"));
    let file = scene.dir().join("bens.csv");
    std::fs::write(&file, "customer_no,name,note\nB1,Berta Benz,zzsecretzz\n").unwrap();
    scene.admin(&["import", file.to_str().unwrap(), "--key", "customer_no", "--owner", "ben"]).ok();
    let (_, mut ben) = attacker(&scene, "ben").await;
    let bens_contact = *ben.documents.keys().next().unwrap();
    let (_, mut ada) = attacker(&scene, "ada").await;
    let mine = *ada.documents.keys().next().unwrap();
    let actor = ada.actor().await;
    let before = scene.export();

    // In Ben's name.
    let change = honest(&mut ada.documents[&mine].fork(), actor, ben.user, &[title("forged")]);
    let refused = ada.offer(vec![(mine, change)]).await;
    assert_eq!(refused.exceptions[0].fate, Fate::Quarantined, "{refused:?}");
    // With Ben's actor, which is registered to his device.
    let bens_actor = ben.actor().await;
    let change =
        honest(&mut ben.documents[&bens_contact].fork(), bens_actor, ben.user, &[title("honest")]);
    assert!(ben.offer(vec![(bens_contact, change)]).await.exceptions.is_empty());
    ben.merged(ben.batch, 0).await;
    let change = honest(
        &mut ada.documents[&mine].fork(),
        bens_actor,
        ada.user,
        &[title("with a foreign actor")],
    );
    let refused = ada.offer(vec![(mine, change)]).await;
    assert_eq!(refused.exceptions[0].fate, Fate::Quarantined, "{refused:?}");
    // To Ben's contact.
    let actor = ada.actor().await;
    let change =
        honest(&mut ben.documents[&bens_contact].fork(), actor, ada.user, &[title("not mine")]);
    let refused = ada.offer(vec![(bens_contact, change)]).await;
    assert_eq!(refused.exceptions[0].fate, Fate::Quarantined, "{refused:?}");
    // From Ben's contact: the same answer as for one that does not exist.
    let unknown = ContactId::from_bytes([9; 16]);
    let items = ada.raw.fetch(77, &[bens_contact, unknown]).await;
    assert_eq!(items.len(), 2);
    for item in items {
        let told = (
            item.access,
            item.owner,
            item.changes.len(),
            item.snapshot.len(),
            item.row.len(),
            item.heads.len(),
        );
        assert_eq!(told, (roadbook_protocol::wire::Access::Removed, None, 0, 0, 0, 0));
    }

    let mut expected = before;
    expected.get_mut(&bens_contact.to_string()).unwrap()["job_title"] = "honest".into();
    for (id, contact) in scene.export() {
        assert_eq!(contact["job_title"], expected[&id]["job_title"], "{id}");
        assert_eq!(contact["note"], expected[&id]["note"], "{id}");
    }
    scene.assert_clean();
}
