//! Hostile identities (P11): replayed and reordered handshakes, stolen and second-hand codes and
//! signatures, another's actor and another's name.
#![allow(clippy::unwrap_used)]

use roadbook_protocol::ids::{Actor, ContactId, DeviceId, WorkspaceId};
use roadbook_protocol::wire::{
    Access, Actors, Applied, Challenge, Changes, Enrol, Enrolled, Fate, Fetch, Frame, Heads, Hello,
    KeyAlgorithm, PROTOCOL, ProblemCode, Stored, challenge_text, enrolment_text,
};
use roadbook_tests::hostile::{Others, attacker, fast, honest, title, until_alone};
use roadbook_tests::raw::{Identity, Raw, manifest};
use roadbook_tests::scene::Scene;

/// Sends the frames one after the other on a connection of their own; gives the code with which it
/// ended.
async fn ended(url: &str, frames: impl IntoIterator<Item = Frame>) -> ProblemCode {
    let mut raw = Raw::connect(url).await;
    for frame in frames {
        raw.send(frame).await;
    }
    raw.ending().await.expect("it is told why").code
}

/// What devices say in an open session.
fn working() -> Vec<Frame> {
    let contact = ContactId::from_bytes([7; 16]);
    vec![
        Changes { batch: 1, changes: Vec::new(), unsent: 0 }.into(),
        Fetch { request: 1, contacts: vec![contact] }.into(),
        Applied { cursor: 1, unsent: 0, missing: 0 }.into(),
        Actors { actors: vec![Actor::from_bytes([3; 16])] }.into(),
        Heads { items: Vec::new(), last: true }.into(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_is_replayed_mixed_up_or_skipped_opens_nothing() {
    let scene = fast();
    scene.reps(&["ada", "ben"]);
    scene.import(71, 2, Some("ada"));
    let mut others = Others::join(&scene).await;
    let ada = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let ben = Identity::enrol(&scene.url(), &scene.invite("ben")).await;
    let url = scene.url();

    // The proof that opened one session does not open another.
    let (mut raw, nonce) = ada.knock(&url).await;
    let proof = ada.proof(&nonce, None, 0, &[]);
    raw.send(proof.clone()).await;
    manifest(&mut raw).await;
    drop(raw);
    let (mut raw, other_nonce) = ada.knock(&url).await;
    assert_ne!(nonce, other_nonce);
    raw.send(proof.clone()).await;
    assert_eq!(raw.ending().await.unwrap().code, ProblemCode::Unauthorized, "an old proof");

    // A good proof is good for its connection, its device and its workspace only.
    let (mut to_ada, _) = ada.knock(&url).await;
    let (_to_ben, bens_nonce) = ben.knock(&url).await;
    to_ada.send(ada.proof(&bens_nonce, None, 0, &[])).await;
    assert_eq!(
        to_ada.ending().await.unwrap().code,
        ProblemCode::Unauthorized,
        "another connection"
    );
    let (mut to_ada, nonce) = ada.knock(&url).await;
    to_ada.send(ben.proof(&nonce, None, 0, &[])).await;
    assert_eq!(to_ada.ending().await.unwrap().code, ProblemCode::Unauthorized, "another's key");
    for (what, workspace, device) in [
        ("another workspace", WorkspaceId::from_bytes([1; 16]), ada.enrolled.device),
        ("another device", ada.enrolled.workspace, ben.enrolled.device),
    ] {
        let (mut to_ada, nonce) = ada.knock(&url).await;
        let signature = ada.sign(&challenge_text(&workspace, &device, &nonce));
        to_ada.send(roadbook_protocol::wire::Proof { signature, ..proof.clone() }).await;
        assert_eq!(to_ada.ending().await.unwrap().code, ProblemCode::Unauthorized, "{what}");
    }
    for signature in [vec![], vec![0; 64], vec![0xff; 63], vec![1; 5_000]] {
        let (mut to_ada, _) = ada.knock(&url).await;
        to_ada.send(roadbook_protocol::wire::Proof { signature, ..proof.clone() }).await;
        assert_eq!(to_ada.ending().await.unwrap().code, ProblemCode::Unauthorized, "no signature");
    }
    others.work("old proofs").await;

    // Nobody is told whether a device or a workspace exists.
    for hello in [
        Hello { device: DeviceId::from_bytes([8; 16]), ..ada.hello() },
        Hello { workspace: WorkspaceId::from_bytes([8; 16]), ..ada.hello() },
        Hello { device: others_device(&ben), ..ada.hello() },
    ] {
        let known = hello.device == others_device(&ben);
        let mut raw = Raw::connect(&url).await;
        raw.send(hello).await;
        if known {
            // It exists: what is missing is its key.
            let nonce = raw
                .until(|frame| match frame {
                    Frame::Challenge(Challenge { nonce, .. }) => Some(nonce),
                    _ => None,
                })
                .await;
            raw.send(ada.proof(&nonce, None, 0, &[])).await;
        }
        assert_eq!(raw.ending().await.unwrap().code, ProblemCode::Unauthorized);
    }

    // Out of order: the proof first, hello twice, work before the welcome, enrolment in between.
    let hello = || Frame::Hello(ada.hello());
    let enrol = || Frame::Enrol(enrolment(&ada, "AAAA", "a phone"));
    assert_eq!(ended(&url, [Frame::Proof(proof.clone())]).await, ProblemCode::Protocol);
    assert_eq!(ended(&url, [hello(), hello()]).await, ProblemCode::Protocol);
    assert_eq!(ended(&url, [hello(), enrol()]).await, ProblemCode::Protocol);
    assert_eq!(ended(&url, [enrol(), hello()]).await, ProblemCode::Protocol);
    for frame in working() {
        assert_eq!(ended(&url, [frame.clone()]).await, ProblemCode::Protocol, "{}", frame.name());
        let (mut raw, _) = ada.knock(&url).await;
        raw.send(frame.clone()).await;
        let ending = raw.ending().await.unwrap();
        assert_eq!(ending.code, ProblemCode::Protocol, "{}", frame.name());
        assert!(ending.message.contains(frame.name()), "{ending:?}");
    }
    // And what belongs to the handshake, in an open session; and what only servers say.
    let said_by_servers = Frame::Stored(Stored { batch: 1, exceptions: Vec::new() });
    for frame in [hello(), enrol(), Frame::Proof(proof.clone()), said_by_servers] {
        let (mut raw, _) = ada.open(&url, &[]).await;
        raw.send(frame.clone()).await;
        assert_eq!(raw.ending().await.unwrap().code, ProblemCode::Protocol, "{}", frame.name());
    }
    // An honest handshake works as before.
    let (mut raw, _) = ada.open(&url, &[]).await;
    assert_eq!(manifest(&mut raw).await.len(), 2);
    drop((raw, to_ada, _to_ben));
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

fn others_device(identity: &Identity) -> DeviceId {
    identity.enrolled.device
}

/// An enrolment with an identity's key.
fn enrolment(identity: &Identity, code: &str, name: &str) -> Enrol {
    let public_key = identity.public_key();
    let signature = identity.sign(&enrolment_text(code, &public_key));
    Enrol {
        protocol: PROTOCOL,
        code: code.to_owned(),
        algorithm: KeyAlgorithm::Ed25519,
        public_key,
        signature,
        name: name.into(),
        app: "test/0".into(),
        platform: "test".into(),
    }
}

async fn enrol(url: &str, enrol: Enrol) -> Result<Enrolled, ProblemCode> {
    let mut raw = Raw::connect(url).await;
    raw.send(enrol).await;
    loop {
        match raw.next().await.expect("it is answered") {
            Frame::Enrolled(enrolled) => return Ok(enrolled),
            Frame::Problem(problem) => return Err(problem.code),
            _ => {}
        }
    }
}

fn devices(scene: &Scene) -> Vec<serde_json::Value> {
    let list = scene.admin(&["device", "list", "--json"]).json();
    list["devices"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_good_once_for_the_key_that_came_with_it_and_for_its_time() {
    const REFUSED: Result<Enrolled, ProblemCode> = Err(ProblemCode::CodeRefused);
    let mut scene = fast();
    scene.reps(&["ada"]);
    scene.import(72, 2, Some("ada"));
    let mut others = Others::join(&scene).await;
    let url = scene.url();
    let code = scene.invite("ada");
    let (thief, victim) = (Identity::unknown(), Identity::unknown());

    // A signature that does not fit: by another key, for another code, or none.
    for signature in [
        thief.sign(&enrolment_text(&code, &victim.public_key())),
        victim.sign(&enrolment_text("AAAA-BBBB", &victim.public_key())),
        Vec::new(),
    ] {
        let bad = Enrol { signature, ..enrolment(&victim, &code, "x") };
        assert_eq!(enrol(&url, bad).await, REFUSED);
    }
    for public_key in [Vec::new(), vec![0; 31], vec![0; 65], vec![0xff; 32]] {
        let bad = Enrol { public_key, ..enrolment(&victim, &code, "x") };
        assert_eq!(enrol(&url, bad).await, REFUSED);
    }
    let before = devices(&scene).len();
    // Stolen: whoever comes first has it, and whose code it was is told that it is used.
    let stolen = enrolment(&thief, &code, "not your phone");
    let enrolled = enrol(&url, stolen.clone()).await.unwrap();
    assert_eq!(enrol(&url, enrolment(&victim, &code, "phone")).await, REFUSED);
    // The captured enrolment, sent again, makes no second device.
    assert_eq!(enrol(&url, stolen.clone()).await.unwrap().device, enrolled.device);
    let now = devices(&scene);
    assert_eq!(now.len(), before + 1, "{now:?}");
    others.work("a stolen code").await;
    // The admin sees it, and puts it out; the captured enrolment does not bring it back.
    let id = enrolled.device.to_string();
    assert!(now.iter().any(|device| device["name"] == "not your phone"), "{now:?}");
    let thief = thief.as_device(enrolled);
    let (mut open, _) = thief.open(&url, &[]).await;
    manifest(&mut open).await;
    scene.admin(&["device", "revoke", &id]).ok();
    assert_eq!(open.ending().await.unwrap().code, ProblemCode::Revoked);
    let _ = enrol(&url, stolen).await;
    let mut raw = Raw::connect(&url).await;
    raw.send(thief.hello()).await;
    assert_eq!(raw.ending().await.unwrap().code, ProblemCode::Revoked);

    // Too old.
    let old = scene.invite("ada");
    scene.stop();
    let database = rusqlite::Connection::open(scene.data().join("roadbook.db")).unwrap();
    let changed = database
        .execute("UPDATE one_time_code SET expires_at = created_at WHERE used_at IS NULL", [])
        .unwrap();
    assert!(changed > 0);
    drop(database);
    scene.start();
    assert_eq!(enrol(&url, enrolment(&victim, &old, "phone")).await, REFUSED);
    // A new one works.
    let fresh = scene.invite("ada");
    assert!(enrol(&url, enrolment(&victim, &fresh, "phone")).await.is_ok());
    drop((raw, open));
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_writes_in_another_name_nor_to_or_from_a_contact_that_is_not_theirs() {
    let scene = fast();
    scene.reps(&["ada", "ben"]);
    scene.import(53, 4, Some("ada"));
    let file = scene.dir().join("bens.csv");
    std::fs::write(&file, "customer_no,name,note\nB1,Berta Benz,zzsecretzz\n").unwrap();
    scene.admin(&["import", file.to_str().unwrap(), "--key", "customer_no", "--owner", "ben"]).ok();
    let others = Others::join(&scene).await;
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
        assert_eq!(told, (Access::Removed, None, 0, 0, 0, 0));
    }

    let mut expected = before;
    expected.get_mut(&bens_contact.to_string()).unwrap()["job_title"] = "honest".into();
    for (id, contact) in scene.export() {
        assert_eq!(contact["job_title"], expected[&id]["job_title"], "{id}");
        assert_eq!(contact["note"], expected[&id]["note"], "{id}");
    }
    drop((ada, ben));
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}
