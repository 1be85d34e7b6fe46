//! The engine over real sockets, against a server that says what each test wants it to say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use roadbook_protocol::ids::TimelineId;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    self, Challenge, Fates, Frame, KeyAlgorithm, Manifest, MergedRun, Page, Problem, ProblemCode,
    Stored, Welcome,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::{Device, person, set};
use crate::replica::Write;
use crate::state::Phase;
use crate::store::bound;
use crate::store::meta::{self, key};
use crate::sync::{Engine, SyncOptions, enrol};
use crate::{Error, Receipt, Replica, Topic};

type Socket = WebSocketStream<TcpStream>;

/// What the server does in one connection.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Script {
    /// Everything as it should be.
    Good,
    /// The connection is cut when changes arrive, before the acknowledgement.
    CutAtChanges,
    /// Ends the connection with a problem.
    Refuse(ProblemCode),
    /// Answers nothing at all.
    Silent,
}

/// A server that runs one script per connection (the last one again and again), and tells of every
/// frame that it got.
struct Server {
    url: String,
    frames: mpsc::UnboundedReceiver<Frame>,
}

impl Server {
    async fn start(scripts: Vec<Script>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, frames) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for script in scripts.iter().chain(std::iter::repeat(scripts.last().unwrap())) {
                let Ok((tcp, _)) = listener.accept().await else { return };
                if let Ok(socket) = tokio_tungstenite::accept_async(tcp).await {
                    tokio::spawn(serve(socket, *script, seen.clone()));
                }
            }
        });
        Server { url, frames }
    }

    async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.frames.recv());
            let frame = frame.await.expect("the frame came in time").expect("the server lives");
            if wanted(&frame) {
                return frame;
            }
        }
    }
}

async fn serve(mut socket: Socket, script: Script, seen: mpsc::UnboundedSender<Frame>) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(bytes) = message else { continue };
        let frame = wire::decode(&bytes, &Limits::DEFAULT).unwrap();
        let _ = seen.send(frame.clone());
        let answers = match (script, frame) {
            (Script::Silent, _) => vec![],
            (Script::Refuse(code), Frame::Hello(_) | Frame::Enrol(_)) => vec![problem(code)],
            (Script::CutAtChanges, Frame::Changes(_)) => return,
            (_, Frame::Hello(_)) => vec![
                Challenge { protocol: 1, nonce: vec![5; 32], algorithm: KeyAlgorithm::Ed25519 }
                    .into(),
            ],
            (_, Frame::Proof(proof)) => {
                let mut frames: Vec<Frame> = vec![welcome()];
                if proof.timeline.is_none() {
                    let list = Manifest { cursor: 1, contacts: vec![], last: true, bytes_total: 0 };
                    frames.push(list.into());
                }
                frames.push(Page { cursor: 1, items: vec![], more: false, seal: None }.into());
                frames
            }
            (_, Frame::Changes(changes)) => {
                let last = changes.changes.len() as u32 - 1;
                let run = MergedRun { batch: changes.batch, from: 0, to: last };
                vec![
                    Stored { batch: changes.batch, exceptions: vec![] }.into(),
                    Fates { merged: vec![run], fates: vec![] }.into(),
                ]
            }
            _ => vec![],
        };
        for answer in answers {
            if socket.send(Message::Binary(wire::encode(&answer).into())).await.is_err() {
                return;
            }
        }
    }
}

fn welcome() -> Frame {
    Welcome {
        timeline: TimelineId::from_bytes([7; 16]),
        cursor: 1,
        server_time: 0,
        user: super::REP,
        login: "rep".into(),
        user_name: "A rep".into(),
        role: "rep".into(),
        repair: false,
        minimum_app: None,
        lease_until: None,
        batch_changes_max: 100,
        workspace_name: "Nordwind".into(),
        capabilities: Vec::new(),
        lease: None,
        sealing: None,
        certificate: Vec::new(),
    }
    .into()
}

fn problem(code: ProblemCode) -> Frame {
    let message = "said the test".to_owned();
    Problem { code, message, retry_after_ms: None, fatal: true, actors: vec![] }.into()
}

fn point_at(replica: &Replica, url: &str) {
    let set = |write: &mut Write<'_>| {
        meta::set(&write.tx, key::SERVER_URL, url)?;
        bound::keep(&write.tx)
    };
    replica.write("test", set).unwrap();
}

async fn device(scripts: Vec<Script>) -> (Device, Server, Engine) {
    let server = Server::start(scripts).await;
    let device = Device::new(1);
    point_at(&device.replica, &server.url);
    let engine = Engine::new(device.replica.clone(), SyncOptions::default());
    (device, server, engine)
}

const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn one_exchange_sends_everything_and_ends_when_nothing_is_left() {
    let (device, _server, _) = device(vec![Script::Good]).await;
    for n in 0..250 {
        person(&device.replica, "Wiretap", &format!("Nr {n}"));
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tap = Arc::clone(&seen);
    let options = SyncOptions {
        on_wire: Some(Arc::new(move |up, bytes| {
            if up {
                tap.lock().unwrap().extend_from_slice(bytes);
            }
        })),
        ..SyncOptions::default()
    };
    let report = Engine::new(device.replica.clone(), options).sync_once(DEADLINE).await.unwrap();
    assert_eq!(
        (report.sent, report.unsent, report.missing),
        (500, 0, 0),
        "each with its bootstrap"
    );
    assert!(device.replica.outbox(true).unwrap().iter().all(|e| e.receipt == Receipt::Merged));
    let status = device.replica.status().unwrap();
    assert!(status.last_sync_ms.is_some());
    assert_eq!((status.cursor, status.connection.phase), (1, Phase::Offline));
    let seen = seen.lock().unwrap();
    assert!(seen.windows(7).any(|window| window == b"Wiretap"), "the capture is of plain bytes");
    assert!(report.bytes_up < seen.len() as u64, "what travelled was compressed");
}

#[tokio::test]
async fn a_connection_that_is_cut_before_the_acknowledgement_loses_nothing() {
    let (device, _server, engine) = device(vec![Script::CutAtChanges, Script::Good]).await;
    person(&device.replica, "Karen", "Holm");
    let cut = engine.sync_once(DEADLINE).await;
    assert!(matches!(cut, Err(Error::Offline { .. })), "{cut:?}");
    assert_eq!(device.replica.status().unwrap().unsent, 1);
    assert_eq!(engine.sync_once(DEADLINE).await.unwrap().sent, 2);
    assert_eq!(device.replica.status().unwrap().unsent, 0);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_at_the_deadline() {
    let (device, _server, engine) = device(vec![Script::Silent]).await;
    let given_up = engine.sync_once(Duration::from_millis(300)).await;
    assert!(matches!(given_up, Err(Error::Offline { .. })), "{given_up:?}");
    assert!(device.replica.status().unwrap().connection.error.is_some());
}

#[tokio::test]
async fn a_copied_replica_is_told_and_the_engine_does_not_try_for_ever() {
    let (_device, _server, engine) = device(vec![Script::Refuse(ProblemCode::Copied)]).await;
    let once = engine.sync_once(DEADLINE).await;
    assert!(matches!(&once, Err(Error::Refused { code, .. }) if code == "copied"), "{once:?}");
    let run = engine.run(CancellationToken::new()).await;
    assert!(matches!(&run, Err(Error::Refused { code, .. }) if code == "copied"), "{run:?}");
}

#[tokio::test]
async fn a_live_connection_sends_edits_as_they_are_made_and_comes_back_after_a_cut() {
    let (device, mut server, engine) = device(vec![Script::CutAtChanges, Script::Good]).await;
    let cancel = CancellationToken::new();
    let running = tokio::spawn({
        let (engine, cancel) = (engine.clone(), cancel.clone());
        async move { engine.run(cancel).await }
    });
    server.until(|frame| matches!(frame, Frame::Applied(_))).await;
    let id = person(&device.replica, "Karen", "Holm");
    server.until(|frame| matches!(frame, Frame::Changes(_))).await;
    // Cut there; the next connection brings it.
    server.until(|frame| matches!(frame, Frame::Changes(_))).await;
    let mut sync = device.replica.observe(Topic::Sync);
    while device.replica.status().unwrap().unsent
        + device.replica.status().unwrap().stored_not_merged
        > 0
    {
        sync.next().await.unwrap();
    }
    device.replica.edit(id, &[set("company", "Live")]).unwrap();
    server
        .until(|frame| matches!(frame, Frame::Changes(changes) if changes.changes.len() == 1))
        .await;
    cancel.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(device.replica.connectivity().phase, Phase::Offline);
}

#[tokio::test]
async fn a_suspended_replica_closes_its_connection_and_comes_back_when_resumed() {
    let (device, mut server, engine) = device(vec![Script::Good]).await;
    let cancel = CancellationToken::new();
    let running = tokio::spawn({
        let (engine, cancel) = (engine.clone(), cancel.clone());
        async move { engine.run(cancel).await }
    });
    server.until(|frame| matches!(frame, Frame::Applied(_))).await;
    let replica = device.replica.clone();
    tokio::task::spawn_blocking(move || replica.suspend()).await.unwrap();
    let mut sync = device.replica.observe(Topic::Sync);
    while device.replica.connectivity().phase != Phase::Waiting {
        sync.next().await.unwrap();
    }
    device.replica.resume().unwrap();
    server.until(|frame| matches!(frame, Frame::Hello(_))).await;
    person(&device.replica, "After", "Resume");
    server.until(|frame| matches!(frame, Frame::Changes(_))).await;
    cancel.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wrong_code_is_refused_and_leaves_the_device_as_it_was() {
    let server = Server::start(vec![Script::Refuse(ProblemCode::CodeRefused)]).await;
    let device = Device::new(1);
    let before = device.replica.status().unwrap();
    let refused = enrol(&device.replica, &server.url, "AAAA", None, "laptop").await;
    assert!(matches!(&refused, Err(Error::Refused { code, .. }) if code == "code_refused"));
    assert_eq!(device.replica.status().unwrap(), before);
}
