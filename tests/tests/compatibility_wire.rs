//! Peers of different versions: a device of every release talks to this server, this device to a
//! server that says no more than every release did, and what neither knows survives in documents.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, LoadOptions, ObjType, ROOT, ReadDoc, TextEncoding};
use futures_util::{SinkExt, StreamExt};
use ring::signature::Ed25519KeyPair;
use roadbook_protocol::ids::{Actor, DeviceId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::message::ChangeMessage;
use roadbook_protocol::wire::{self, Applied, Frame, PROTOCOL, UpChange, challenge_text};
use roadbook_tests::fixtures::{self, Fixture, Said, Sample, served};
use roadbook_tests::older::OlderWire;
use roadbook_tests::raw::{Identity, Raw, manifest};
use roadbook_tests::samples;
use roadbook_tests::scene::Scene;
use roadbook_tests::tree::{Shape, Tree};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const HELLO: u16 = 1;
const PROOF: u16 = 3;
const CHANGES: u16 = 4;
const FETCH: u16 = 5;
const CHALLENGE: u16 = 64;
const WELCOME: u16 = 66;
const STORED: u16 = 67;
const FATES: u16 = 68;
const PAGE: u16 = 70;
const MANIFEST: u16 = 71;
const FETCHED: u16 = 72;
const PROBLEM: u16 = 75;

fn shapes(fixture: &Fixture) -> BTreeMap<u16, Shape> {
    fixture.samples().into_iter().map(|sample| (sample.tree.kind(), sample.shape)).collect()
}

// --- frames ------------------------------------------------------------------------------------------

#[test]
fn every_frame_of_every_release_says_the_same_as_then() {
    for fixture in fixtures::all() {
        let samples: Vec<Sample> = fixture.samples();
        let names: BTreeSet<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
        assert!(names.len() >= 20, "one of each type: {names:?}");
        for Sample { name, message, tree, shape } in samples {
            let what = format!("{} {name}", fixture.version);
            assert_eq!(Tree::of_message(&message), tree);
            let frame = wire::decode(&message, &Limits::DEFAULT).unwrap();
            assert_eq!(frame.name(), name);
            // What this version makes of it, written again, says all of it ...
            let again = Tree::of_message(&wire::encode(&frame));
            again.holds(&tree).unwrap_or_else(|error| panic!("{what}: {error}"));
            // ... and the version it came from can read that.
            shape.reads(again.body()).unwrap_or_else(|error| panic!("{what}: {error}"));
            // Fields of a later version are skipped, at every level.
            let later = tree.with_unknown_fields().message();
            assert_eq!(wire::decode(&later, &Limits::DEFAULT).as_ref(), Ok(&frame), "{what}");
        }
    }
}

#[test]
fn what_this_version_says_can_be_read_by_every_release() {
    for fixture in fixtures::all() {
        let shapes = shapes(&fixture);
        let mut known = 0;
        for frame in samples::all() {
            let tree = Tree::of_message(&wire::encode(&frame));
            // A type that it does not know is skipped there.
            let Some(shape) = shapes.get(&tree.kind()) else { continue };
            known += 1;
            shape.reads(tree.body()).unwrap_or_else(|error| {
                panic!("{} can't read {}: {error}", fixture.version, frame.name())
            });
        }
        assert!(known >= shapes.len(), "every type is still there");
    }
}

// --- a device of an earlier release at this server ---------------------------------------------------

/// A device of an earlier release: it sends what that release sent, and reads what that release
/// could read.
struct OldDevice {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    shapes: BTreeMap<u16, Shape>,
    unknown: usize,
}

impl OldDevice {
    async fn connect(scene: &Scene, shapes: BTreeMap<u16, Shape>) -> Self {
        let url = format!("ws://{}/sync", scene.listen());
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self { socket, shapes, unknown: 0 }
    }

    async fn say(&mut self, tree: &Tree) {
        self.socket.send(Message::binary(tree.message())).await.unwrap();
    }

    /// The next frame of a type that it knows, without the fields that it doesn't.
    async fn hear(&mut self) -> Tree {
        loop {
            let message = self.socket.next().await.expect("the connection lives").unwrap();
            let Message::Binary(bytes) = message else { continue };
            let tree = Tree::of_message(&bytes);
            let Some(shape) = self.shapes.get(&tree.kind()) else {
                self.unknown += 1;
                continue;
            };
            shape.reads(tree.body()).unwrap_or_else(|error| {
                panic!("the device can't read frame {}: {error}", tree.kind())
            });
            let stripped = shape.strip(tree.body());
            assert_ne!(tree.kind(), PROBLEM, "{stripped:?}");
            return Tree::List(vec![Tree::Int(tree.kind().into()), stripped]);
        }
    }

    async fn until(&mut self, kind: u16) -> Tree {
        loop {
            let tree = self.hear().await;
            if tree.kind() == kind {
                return tree;
            }
        }
    }
}

fn field(tree: &Tree, number: u64) -> &Tree {
    match tree {
        Tree::Map(fields) => fields.get(&number).unwrap_or(&Tree::Null),
        other => panic!("not a map: {other:?}"),
    }
}

fn int(tree: &Tree, number: u64) -> i64 {
    match field(tree, number) {
        Tree::Int(n) => *n,
        other => panic!("not a number: {other:?}"),
    }
}

fn list(tree: &Tree, number: u64) -> &[Tree] {
    match field(tree, number) {
        Tree::List(items) => items,
        Tree::Null => &[],
        other => panic!("not a list: {other:?}"),
    }
}

fn bytes(tree: &Tree, number: u64) -> &[u8] {
    match field(tree, number) {
        Tree::Bytes(bytes) => bytes,
        other => panic!("not bytes: {other:?}"),
    }
}

/// Plays the device's part of a recorded session, with a fresh answer to the challenge.
async fn play(fixture: &Fixture, scene: &Scene, name: &str) -> usize {
    let said: Vec<Said> = fixture.session(name);
    let up: Vec<&Tree> = said.iter().filter(|one| one.up).map(|one| &one.tree).collect();
    let [hello, proof, rest @ ..] = &up[..] else { panic!("a session") };
    assert_eq!((hello.kind(), proof.kind()), (HELLO, PROOF));
    let key = fixture.bytes(&format!("replicas/{name}/device.key"));
    let key = Ed25519KeyPair::from_pkcs8(&key).unwrap();
    let workspace = WorkspaceId::from_slice(bytes(hello.body(), 1)).unwrap();
    let device = DeviceId::from_slice(bytes(hello.body(), 2)).unwrap();

    let mut old = OldDevice::connect(scene, shapes(fixture)).await;
    old.say(hello).await;
    let challenge = old.until(CHALLENGE).await;
    assert_eq!(int(challenge.body(), 0), int(hello.body(), 0), "the lower of both versions");
    let text = challenge_text(&workspace, &device, bytes(challenge.body(), 1));
    let mut proof = (*proof).clone();
    proof.body_mut().insert(0, Tree::Bytes(key.sign(&text).as_ref().to_vec()));
    old.say(&proof).await;
    let welcome = old.until(WELCOME).await;
    assert_eq!(field(welcome.body(), 7), &Tree::Bool(false), "no repair: the cursor is known");

    let (mut batches, mut requests, mut to_merge) = (BTreeSet::new(), BTreeSet::new(), 0_i64);
    for tree in rest {
        match tree.kind() {
            CHANGES => {
                batches.insert(int(tree.body(), 0));
                to_merge += i64::try_from(list(tree.body(), 1).len()).unwrap();
            }
            FETCH => drop(requests.insert(int(tree.body(), 0))),
            // What is durable here is told below, of the pages of this session.
            _ => continue,
        }
        old.say(tree).await;
    }
    assert!(to_merge > 0, "the session has something to say");
    let applied = |cursor: Tree| {
        let fields = [(0, cursor), (1, Tree::Int(0)), (2, Tree::Int(0))];
        Tree::List(vec![Tree::Int(6), Tree::Map(fields.into())])
    };
    let mut cursor = field(&proof.body().clone(), 2).clone();
    while !batches.is_empty() || !requests.is_empty() || to_merge > 0 {
        let tree = old.hear().await;
        let body = tree.body();
        match tree.kind() {
            STORED => {
                batches.remove(&int(body, 0));
                for exception in list(body, 1) {
                    // Stored before already, and merged by now: the same fate at once.
                    assert_eq!(field(exception, 1), &Tree::Int(1), "merged: {exception:?}");
                    to_merge -= 1;
                }
            }
            FATES => {
                for run in list(body, 0) {
                    to_merge -= int(run, 2) - int(run, 1) + 1;
                }
                for fate in list(body, 1) {
                    assert_eq!(field(fate, 2), &Tree::Int(1), "merged: {fate:?}");
                }
            }
            PAGE | MANIFEST => {
                cursor = field(body, 0).clone();
                old.say(&applied(cursor.clone())).await;
            }
            FETCHED => {
                if field(body, 2) == &Tree::Bool(true) {
                    requests.remove(&int(body, 0));
                }
                old.say(&applied(cursor.clone())).await;
            }
            _ => {}
        }
    }
    assert_eq!(to_merge, 0, "each change has one fate");
    old.unknown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_of_every_release_sends_and_fetches_at_this_server() {
    for fixture in fixtures::all() {
        for name in ["unsent", "first-sync"] {
            let scene = served(&fixture);
            let unknown = play(&fixture, &scene, name).await;
            println!("{} {name}: {unknown} frames of types it does not know", fixture.version);
            let recorded = fixture.json(&format!("sessions/{name}"));
            let hash = scene.admin(&["state-hash", "--each", "--json"]).json();
            assert_eq!(hash, recorded["state_hash"], "{} {name}", fixture.version);
            // Said again (the answers were lost), it changes nothing.
            play_again(&fixture, &scene, name).await;
            let hash = scene.admin(&["state-hash", "--each", "--json"]).json();
            assert_eq!(hash, recorded["state_hash"], "{} {name}, again", fixture.version);
            scene.assert_clean();
        }
    }
}

/// The same once more; what was merged is told as such, in whichever frame.
async fn play_again(fixture: &Fixture, scene: &Scene, name: &str) {
    play(fixture, scene, name).await;
}

// --- this version, both ends, with the words of an earlier one ----------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_and_server_get_along_with_the_words_of_every_release() {
    for fixture in fixtures::all() {
        let mut scene = Scene::new();
        scene.reps(&["ada", "ben"]);
        scene.import(4_101, 12, Some("ada"));
        scene.admin(&["assign", "--to", "ben", "--collaborator", "--filter", "*"]).ok();
        let link = OlderWire::start(&fixture, &scene.url()).await;
        let device = |name: &str, login: &str| {
            let rep = roadbook_tests::process::Rep::new(scene.dir().join(name));
            rep.run(&["enroll", &link.url, &scene.invite(login)]).ok();
            rep
        };
        let (ada, ben) = (device("ada", "ada"), device("ben", "ben"));
        let backup = scene.dir().join("backup.db");
        ada.sync_until_merged();
        ben.sync_until_merged();
        scene.admin(&["backup", backup.to_str().unwrap()]).ok();
        // Saying what is there already is no edit.
        let said = ["partner", "lost"].map(Value::from);
        let id = ada.ids().into_iter().find(|id| !said.contains(&ada.show(id)["status"])).unwrap();
        for (rep, status) in [(&ada, "partner"), (&ben, "lost")] {
            rep.run(&["set", &id, &format!("status={status}")]).ok();
            rep.run(&["visit", &id, "--summary", &format!("seen as {status}")]).ok();
            rep.run(&["add", &format!("company={status} Ltd")]).ok();
        }
        for rep in [&ada, &ben, &ada] {
            rep.sync_until_merged();
        }
        assert_eq!(ada.conflicts().len(), 1, "both sides are there");
        agree(&scene, &[&ada, &ben]);

        // The server comes back with an older state: repair, as far as those words go.
        scene.stop();
        let (lost, kept) = (scene.data(), scene.dir().join("kept"));
        fixtures::copy_keys(&lost, &kept);
        std::fs::remove_dir_all(&lost).unwrap();
        scene.admin(&["restore", backup.to_str().unwrap()]).ok();
        fixtures::copy_keys(&kept, &lost);
        scene.start();
        scene.confirm_review();
        for rep in [&ada, &ben, &ada, &ben, &ada] {
            rep.sync_until_merged();
        }
        let shown = scene.export()[&id].to_string();
        for status in ["partner", "lost"] {
            assert_eq!(shown.matches(&format!("seen as {status}")).count(), 1, "{shown}");
        }
        agree(&scene, &[&ada, &ben]);
        link.assert_understood();
        println!("{}: frames by type, passed and left out: {:?}", fixture.version, link.counts());
        for kind in [HELLO, PROOF, CHANGES, FETCH, STORED, FATES, PAGE, MANIFEST, FETCHED, 8, 74] {
            assert!(link.counts()[&kind].0 > 0, "frame {kind} was said");
        }
    }
}

#[track_caller]
fn agree(scene: &Scene, reps: &[&roadbook_tests::process::Rep]) {
    for rep in reps {
        let here = rep.json(&["state-hash", "--each"]);
        let ids: Vec<&str> = here["each"].as_object().unwrap().keys().map(String::as_str).collect();
        assert!(ids.len() >= 12);
        let there =
            scene.admin(&["state-hash", "--ids", &ids.join(","), "--each", "--json"]).json();
        for at_server in there["each"].as_array().unwrap() {
            let id = at_server["id"].as_str().unwrap();
            if here["each"][id] != at_server["hash"] {
                let exported = scene.export();
                println!("{id} here: {:#}\nat the server: {:#}", rep.show(id), exported[id]);
            }
        }
        assert_eq!(here["hash"], there["hash"], "{}", rep.home().display());
        assert_eq!(rep.json(&["quarantine"])["quarantine"], serde_json::json!([]));
    }
    scene.assert_clean();
}

// --- versions that are still to come -----------------------------------------------------------------

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_device_is_met_at_the_version_of_this_server() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let mut raw = Raw::connect(&scene.url()).await;
    let mut hello = identity.hello();
    hello.protocol = PROTOCOL + 7;
    hello.capabilities = vec!["what-nobody-knows".into()];
    // With fields and frames that are still to be invented.
    let later = Tree::of_message(&wire::encode(&hello.into())).with_unknown_fields();
    raw.send_bytes(later.message()).await;
    let challenge = raw
        .until(|frame| match frame {
            Frame::Challenge(challenge) => Some(challenge),
            _ => None,
        })
        .await;
    assert_eq!(challenge.protocol, PROTOCOL);
    let proof = identity.proof(&challenge.nonce, None, 0, &[]);
    raw.send_bytes(Tree::of_message(&wire::encode(&proof.into())).with_unknown_fields().message())
        .await;
    raw.until(|frame| matches!(frame, Frame::Welcome(_)).then_some(())).await;
    raw.send(Frame::Unknown(40_000)).await;
    raw.send(Applied { cursor: 0, unsent: 0, missing: 0 }).await;
    assert!(manifest(&mut raw).await.is_empty(), "the session goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_older_than_any_release_is_told_so() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let mut raw = Raw::connect(&scene.url()).await;
    let mut hello = identity.hello();
    hello.protocol = 0;
    raw.send(hello).await;
    let Some(Frame::Problem(problem)) = raw.next().await else { panic!("a problem") };
    assert!(problem.fatal);
    assert!(problem.message.contains("update the app"), "{problem:?}");
}

fn load(bytes: &[u8]) -> Automerge {
    let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
    Automerge::load_with_options(bytes, options).unwrap()
}

/// What a later version adds to a contact: a field, a field of an entry, a map with entries of its
/// own, a counter, a text. This version does not know any of it, edits around it, and it is there.
/// (Lists are no part of the format: the guard of every release refuses them.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_later_version_wrote_survives_edits_by_this_one() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(4_102, 1, Some("ada"));
    let phone = scene.device("phone", "ada");
    phone.sync();
    let id = phone.ids().remove(0);
    phone.run(&["visit", &id, "--summary", "to be extended"]).ok();
    phone.run(&["task", "add", &id, "to be extended"]).ok();
    phone.sync_until_merged();

    let later = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let actor = Actor::from_bytes([9; 16]);
    let (mut raw, welcome) = later.open(&scene.url(), &[actor]).await;
    let contact = manifest(&mut raw).await[0];
    let mut doc = load(&raw.fetch(1, &[contact]).await.remove(0).snapshot);
    doc.set_actor(automerge::ActorId::from(*actor.as_bytes()));
    let message = ChangeMessage {
        by: welcome.user,
        at: 1_800_000_000_000,
        command: "loyalty".into(),
        replaces: vec![],
        decision: None,
        generation: None,
    };
    let mut message: Value = serde_json::from_str(&message.to_text()).unwrap();
    message["device_mood"] = "new in the message".into();
    let bytes = extend(&mut doc, &message.to_string());
    let stored = raw.offer(1, vec![UpChange { contact, bytes }]).await;
    assert!(stored.exceptions.is_empty(), "{stored:?}");
    raw.until(|frame| match frame {
        Frame::Fates(fates) => {
            assert!(fates.fates.is_empty(), "{fates:?}");
            (!fates.merged.is_empty()).then_some(())
        }
        _ => None,
    })
    .await;

    // This version: the same entries, the same contact, on a device and at the office.
    phone.sync();
    let hash = phone.state_hash();
    assert_eq!(hash, scene.state_hash("ada"), "what nobody knows is part of the hash");
    phone.run(&["task", "done", &id, "to be extended"]).ok();
    phone.run(&["set", &id, "job_title=Edited around it", "custom.shelf=3"]).ok();
    phone.run(&["note", &id, "--append", "edited around it"]).ok();
    phone.run(&["undo", &id]).ok();
    phone.sync_until_merged();
    let file = scene.dir().join("update.csv");
    std::fs::write(&file, "customer_no,industry\nC000001,edited at the office\n").unwrap();
    let update = ["import", file.to_str().unwrap(), "--key", "customer_no", "--system", "crm4102"];
    scene.admin(&update).ok();
    phone.sync_until_merged();
    assert_ne!(phone.state_hash(), hash);
    assert_eq!(phone.state_hash(), scene.state_hash("ada"));

    // A device that fetches the whole, and the server after a restart, have all of it.
    let fresh = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let (mut raw, _) = fresh.open(&scene.url(), &[]).await;
    let contact = manifest(&mut raw).await[0];
    let doc = load(&raw.fetch(1, &[contact]).await.remove(0).snapshot);
    assert_extended(&doc);
    let shown = phone.show(&id);
    assert_eq!(shown["job_title"], "Edited around it");
    assert_eq!(shown["industry"], "edited at the office");
    scene.assert_clean();
}

/// The first entry of a collection that this version knows.
fn entry(doc: &Automerge, collection: &str) -> automerge::ObjId {
    let (_, all) = doc.get(ROOT, collection).unwrap().unwrap();
    let key = doc.keys(&all).next().unwrap();
    doc.get(&all, key).unwrap().unwrap().1
}

fn extend(doc: &mut Automerge, message: &str) -> Vec<u8> {
    let (visit, task) = (entry(doc, "interactions"), entry(doc, "tasks"));
    let mut tx = doc.transaction();
    tx.put(ROOT, "loyalty_level", "gold").unwrap();
    tx.put(&visit, "mood", "good").unwrap();
    tx.put(&task, "effort_minutes", 25_i64).unwrap();
    let machines = tx.put_object(ROOT, "machines", ObjType::Map).unwrap();
    let machine =
        tx.put_object(&machines, "0192f3c0-7d1e-7a40-8000-0123456789ab", ObjType::Map).unwrap();
    tx.put(&machine, "serial", "M-77").unwrap();
    tx.put(&machine, "hours", automerge::ScalarValue::counter(12)).unwrap();
    let story = tx.put_object(&machine, "story", ObjType::Text).unwrap();
    tx.splice_text(&story, 0, 0, "a new belt").unwrap();
    let options = CommitOptions::default().with_message(message).with_time(0);
    let (hash, _) = tx.commit_with(options);
    doc.get_change_by_hash(&hash.unwrap()).unwrap().raw_bytes().to_vec()
}

fn assert_extended(doc: &Automerge) {
    let text = |object: &automerge::ObjId, key: &str| {
        doc.get(object, key).unwrap().unwrap_or_else(|| panic!("{key} is gone")).0.to_string()
    };
    assert_eq!(text(&ROOT, "loyalty_level"), "\"gold\"");
    assert_eq!(text(&entry(doc, "interactions"), "mood"), "\"good\"");
    assert_eq!(text(&entry(doc, "tasks"), "effort_minutes"), "25");
    let machine = entry(doc, "machines");
    assert_eq!(text(&machine, "serial"), "\"M-77\"");
    assert!(text(&machine, "hours").contains("12"));
    let (_, story) = doc.get(&machine, "story").unwrap().unwrap();
    assert_eq!(doc.text(&story).unwrap(), "a new belt");
    let told = doc.get_changes(&[]);
    let message = told.iter().filter_map(|change| change.message());
    assert!(message.into_iter().any(|text| text.contains("device_mood")), "the message is whole");
}
