//! Hostile frames (P11): garbage, bombs, and enormous counts everywhere a count is decoded. Each ends
//! its own connection at most, with a reason, and costs the server no memory to speak of.
#![allow(clippy::unwrap_used)]

use fastrand::Rng;
use roadbook_protocol::ids::{Actor, ContactId, TimelineId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    self, Access, Actors, Applied, Changes, ContactHeads, Enrol, Evidence, Fetch, Frame, Heads,
    Hello, KeyAlgorithm, Offer, OfferItem, PROTOCOL, Page, PageItem, PendingChanges, Problem,
    ProblemCode, Proof, UpChange,
};
use roadbook_tests::devices::seed;
use roadbook_tests::hostile::{Others, fast, until_alone};
use roadbook_tests::raw::{Identity, Raw};
use tokio_tungstenite::tungstenite::Message;

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
    let frame = wire::encode(&Frame::Changes(Changes {
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
    scene.reps(&["ada"]);
    scene.import(52, 5, Some("ada"));
    let mut others = Others::join(&scene).await;
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
        others.work(what).await;
    }
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

/// The lengths that a decoder must not believe.
const ENORMOUS: [u64; 6] = [u32::MAX as u64, 1 << 32, 1 << 53, i64::MAX as u64, 1 << 63, u64::MAX];

/// Where the headers of a CBOR item and of everything in it stand: position, size and major type.
fn headers(cbor: &[u8]) -> Vec<(usize, usize, u8)> {
    let (mut at, mut found) = (0, Vec::new());
    while at < cbor.len() {
        let (major, info) = (cbor[at] >> 5, cbor[at] & 31);
        let more = match info {
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => 0,
        };
        let argument = cbor[at + 1..at + 1 + more]
            .iter()
            .fold(u64::from(info.min(23)) * u64::from(more == 0), |all, byte| {
                all << 8 | u64::from(*byte)
            });
        found.push((at, 1 + more, major));
        at += 1 + more;
        if major == 2 || major == 3 {
            at += argument as usize;
        }
    }
    found
}

/// The message with each of its lengths and counts made enormous, one at a time.
fn enormous(frame: &Frame) -> Vec<Vec<u8>> {
    let plain = wire::plain(&wire::encode(frame), &Limits::DEFAULT).unwrap();
    let mut messages = Vec::new();
    // The outermost array of two is no count that anybody believes.
    for (at, size, major) in headers(&plain).into_iter().filter(|(at, ..)| *at > 0) {
        if !(2..=5).contains(&major) {
            continue;
        }
        for count in ENORMOUS {
            let mut message = vec![0];
            message.extend(&plain[..at]);
            message.push(major << 5 | 27);
            message.extend(count.to_be_bytes());
            message.extend(&plain[at + size..]);
            messages.push(message);
        }
    }
    messages
}

fn contact() -> ContactId {
    ContactId::from_bytes([7; 16])
}

fn pending(hashes: usize) -> PendingChanges {
    PendingChanges {
        contact: contact(),
        hashes: vec![roadbook_protocol::ChangeHash([0; 32]); hashes],
    }
}

fn heads(hashes: usize, last: bool) -> Frame {
    let heads = vec![roadbook_protocol::ChangeHash([0; 32]); hashes];
    Frame::Heads(Heads { items: vec![ContactHeads { contact: contact(), heads }], last })
}

/// An offer of what the server is said to have lost, with evidence that is none.
fn offer(changes: Vec<Vec<u8>>) -> Frame {
    let evidence = Evidence {
        timeline: TimelineId::from_bytes([4; 16]),
        as_of: 1,
        access: Access::Owner,
        owner: None,
        epoch: 1,
        tips: pending(1).hashes,
        index: 0,
        count: 1,
        path: pending(1).hashes,
        signature: vec![0; 64],
    };
    let item = OfferItem { contact: contact(), evidence: vec![evidence], changes, more: false };
    Offer { offer: 1, items: vec![item] }.into()
}

/// What devices say in an open session.
fn working() -> Vec<Frame> {
    let change = UpChange { contact: contact(), bytes: vec![1, 2, 3] };
    vec![
        Changes { batch: 1, changes: vec![change], unsent: 0 }.into(),
        Fetch { request: 1, contacts: vec![contact()] }.into(),
        Applied { cursor: 1, unsent: 0, missing: 0 }.into(),
        Actors { actors: vec![Actor::from_bytes([3; 16])] }.into(),
        heads(1, true),
        offer(vec![vec![1, 2, 3]]),
    ]
}

fn enrol() -> Enrol {
    Enrol {
        protocol: PROTOCOL,
        code: "ABCD".into(),
        algorithm: KeyAlgorithm::Ed25519,
        public_key: vec![1; 32],
        signature: vec![2; 64],
        name: "n".into(),
        app: "a".into(),
        platform: "p".into(),
    }
}

/// Says goodbye and hears how the connection ended.
async fn ending(raw: &mut Raw) -> Option<Problem> {
    raw.send_message(Message::Close(None)).await;
    raw.ending().await
}

async fn refused(raw: &mut Raw, message: Vec<u8>) {
    let shown = format!("{:02x?}", &message[..message.len().min(60)]);
    raw.send_bytes(message).await;
    let problem = ending(raw).await.unwrap_or_else(|| panic!("not refused: {shown}"));
    assert_eq!(problem.code, ProblemCode::Protocol, "{problem:?} to {shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enormous_count_in_any_frame_is_refused_and_never_believed() {
    let scene = fast();
    scene.reps(&["ada"]);
    scene.import(61, 2, Some("ada"));
    let mut others = Others::join(&scene).await;
    let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let url = scene.url();
    let mut sent = 0;
    let hello = Hello { capabilities: vec!["a".into()], ..identity.hello() };
    for message in enormous(&hello.into()).into_iter().chain(enormous(&enrol().into())) {
        refused(&mut Raw::connect(&url).await, message).await;
        sent += 1;
    }
    others.work("counts in the first frame").await;
    let actor = Actor::from_bytes([5; 16]);
    let proof = Proof {
        pending: vec![pending(1)],
        ..identity.proof(&[0; 32], Some(TimelineId::from_bytes([4; 16])), 3, &[actor])
    };
    for message in enormous(&proof.into()) {
        let (mut raw, _) = identity.knock(&url).await;
        refused(&mut raw, message).await;
        sent += 1;
    }
    for frame in working() {
        for message in enormous(&frame) {
            let (mut raw, _) = identity.open(&url, &[]).await;
            refused(&mut raw, message).await;
            sent += 1;
        }
        others.work(frame.name()).await;
    }
    println!("{sent} messages with an enormous count, each refused");
    assert!(sent > 200, "{sent}");
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

/// Small messages that are large in memory, with how often each is sent.
fn swelling(identity: &Identity) -> Vec<(&'static str, Phase, Frame, usize)> {
    // As many as fit the bound after decompression.
    const MOST: usize = (8 << 20) - 400;
    let zero = Actor::from_bytes([0; 16]);
    let item = PageItem {
        contact: contact(),
        access: Access::Owner,
        owner: None,
        epoch: 0,
        changes: vec![Vec::new(); MOST],
        snapshot: Vec::new(),
        row: String::new(),
        heads: Vec::new(),
        signed: None,
        generation: None,
    };
    let change = UpChange { contact: contact(), bytes: Vec::new() };
    let heads = heads(MOST / 32, false);
    let hello = || Hello { capabilities: vec![String::new(); MOST], ..identity.hello() };
    vec![
        ("a stranger with eight million abilities", Phase::Stranger, hello().into(), 30),
        (
            "an enrolment with a long name",
            Phase::Stranger,
            { Enrol { name: "x".repeat(MOST), ..enrol() }.into() },
            30,
        ),
        (
            "a proof with as many actors as fit",
            Phase::Knocked,
            {
                let proof = identity.proof(&[0; 32], None, 0, &[]);
                Proof { actors: vec![zero; MOST / 16], ..proof }.into()
            },
            10,
        ),
        (
            "a page from a device",
            Phase::Open,
            { Page { cursor: 1, items: vec![item], more: false, seal: None }.into() },
            30,
        ),
        (
            "as many changes as fit",
            Phase::Open,
            { Changes { batch: 1, changes: vec![change; MOST / 24], unsent: 0 }.into() },
            10,
        ),
        (
            "as many contacts as fit",
            Phase::Open,
            { Fetch { request: 1, contacts: vec![contact(); MOST / 16] }.into() },
            10,
        ),
        (
            "actors without end",
            Phase::Open,
            { Actors { actors: vec![zero; MOST / 16] }.into() },
            100,
        ),
        ("heads without end", Phase::Repairing, heads, 100),
        ("an offer of as many changes as fit", Phase::Open, offer(vec![Vec::new(); MOST]), 30),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Stranger,
    Knocked,
    Open,
    Repairing,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_message_that_is_large_in_memory_is_refused_before_it_is() {
    let scene = fast();
    scene.reps(&["ada"]);
    scene.import(62, 2, Some("ada"));
    let mut others = Others::join(&scene).await;
    let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let url = scene.url();
    for (what, phase, frame, times) in swelling(&identity) {
        let message = wire::encode(&frame);
        drop(frame);
        assert!(message.len() < 64 << 10, "{what}: {} bytes", message.len());
        // At once where anybody may; else one after the other on one connection, as long as it
        // lives: a device has one connection.
        let mut connections = Vec::new();
        let fresh = if matches!(phase, Phase::Stranger) { times } else { 1 };
        for _ in 0..fresh {
            connections.push(match phase {
                Phase::Stranger => Raw::connect(&url).await,
                Phase::Knocked => identity.knock(&url).await.0,
                Phase::Open => identity.open(&url, &[]).await.0,
                Phase::Repairing => {
                    let unknown = Some(TimelineId::from_bytes([9; 16]));
                    let (raw, welcome) = identity.open_at(&url, &[], unknown, 5).await;
                    assert!(welcome.repair);
                    raw
                }
            });
        }
        for round in 0..times {
            let at = round % connections.len();
            connections[at].send_bytes(message.clone()).await;
        }
        others.work(what).await;
        for raw in &mut connections {
            let problem = ending(raw).await.unwrap_or_else(|| panic!("{what} is not refused"));
            assert_eq!(problem.code, ProblemCode::Protocol, "{what}: {problem:?}");
        }
        println!(
            "{what}: {} bytes, {times} times; the server has held {} MiB at most so far",
            message.len(),
            roadbook_tests::hostile::resident_bytes_peak(scene.server().id()) >> 20
        );
    }
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}
