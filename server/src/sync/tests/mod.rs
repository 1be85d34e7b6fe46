//! Devices over real sockets: a small client that speaks the wire by hand, so that it can also do
//! what no honest one would.

mod hostile;
mod life;
mod rights;
mod volume;
mod work;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use automerge::Automerge;
use futures_util::{SinkExt, StreamExt};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{
    Applied, Author, Command, EditOptions, Value, apply, bootstraps, new_document,
};
use roadbook_protocol::ids::{Actor, ContactId, Cursor, TimelineId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    self, Applied as AppliedFrame, Changes, Directory, Enrol, Enrolled, Exception, Fate, Frame,
    Hello, KeyAlgorithm, Page, Problem, ProblemCode, Proof, Stored, UpChange, Welcome,
    challenge_text, enrolment_text,
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, EngineOptions};
use crate::http::{self, ServeOptions, Serving, TlsSource};
use crate::store::EngineError;
use crate::store::people::{NewUser, Purpose, Role, create_user, new_code};

/// Nothing here takes this long; a test that waits for what never comes fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a free port, in a directory of its own.
struct House {
    engine: Arc<Engine>,
    workspace: WorkspaceId,
    addr: SocketAddr,
    shutdown: CancellationToken,
    serving: Serving,
    _dir: TempDir,
}

impl House {
    async fn open() -> House {
        House::open_with(|_| {}).await
    }

    async fn open_with(adjust: impl FnOnce(&mut ServeOptions)) -> House {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let (engine, workspace) = tokio::task::spawn_blocking(move || {
            let engine = Engine::open(&path, EngineOptions::default()).unwrap();
            let workspace = engine.create_workspace("Works").unwrap();
            (engine, workspace)
        })
        .await
        .unwrap();
        let mut options = ServeOptions::new("127.0.0.1:0".parse().unwrap(), TlsSource::Plain);
        options.drain_spread = Duration::ZERO;
        adjust(&mut options);
        let shutdown = CancellationToken::new();
        let serving = http::serve(engine.clone(), options, shutdown.clone()).await.unwrap();
        House { engine, workspace, addr: serving.local_addr, shutdown, serving, _dir: dir }
    }

    /// Runs something that blocks on the engine.
    async fn engine<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> T {
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || work(&engine)).await.unwrap()
    }

    async fn user(&self, login: &'static str) -> UserId {
        let workspace = self.workspace;
        self.engine(move |engine| {
            let id = UserId::from_random(engine.random());
            let new = move |tx: &rusqlite::Transaction<'_>| {
                let new = NewUser { id, login, name: login, role: Role::Rep, team: None };
                create_user(tx, workspace, &new, 1).map(|()| id)
            };
            engine.write::<_, EngineError, _>(new).unwrap()
        })
        .await
    }

    async fn code(&self, user: UserId) -> String {
        let workspace = self.workspace;
        self.engine(move |engine| {
            let (random, now) = (engine.random(), engine.now_ms());
            engine
                .write::<_, EngineError, _>(move |tx| {
                    new_code(tx, workspace, user, Purpose::Enrol, random, now, 600_000)
                })
                .unwrap()
        })
        .await
    }

    async fn phone(&self, login: &'static str) -> Phone {
        let user = self.user(login).await;
        self.phone_of(user).await
    }

    async fn phone_of(&self, user: UserId) -> Phone {
        let code = self.code(user).await;
        let keys = keys();
        let mut line = Line::dial(self.addr).await;
        line.send(enrol(&keys, &code)).await;
        let enrolled = line.until(|frame| match frame {
            Frame::Enrolled(enrolled) => Some(enrolled),
            _ => None,
        });
        Phone::new(keys, enrolled.await)
    }

    async fn close(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.serving.task).await.expect("a shutdown ends").unwrap();
        let engine = self.engine;
        tokio::task::spawn_blocking(move || engine.shutdown()).await.unwrap();
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

fn new_contact() -> ContactId {
    ContactId::from_time(1, random())
}

fn keys() -> Ed25519KeyPair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()
}

fn enrol(keys: &Ed25519KeyPair, code: &str) -> Frame {
    let public_key = keys.public_key().as_ref().to_vec();
    let signature = keys.sign(&enrolment_text(code, &public_key)).as_ref().to_vec();
    Enrol {
        protocol: wire::PROTOCOL,
        code: code.to_owned(),
        algorithm: KeyAlgorithm::Ed25519,
        public_key,
        signature,
        name: "test phone".into(),
        app: "test/1.0.0".into(),
        platform: "test".into(),
    }
    .into()
}

/// One connection, and everything that came over it, decompressed.
struct Line {
    socket: WebSocketStream<TcpStream>,
    heard: Vec<u8>,
    directory: Option<Directory>,
}

impl Line {
    async fn dial(addr: SocketAddr) -> Line {
        Line::try_dial(addr).await.unwrap()
    }

    async fn try_dial(addr: SocketAddr) -> Result<Line, Error> {
        let stream = TcpStream::connect(addr).await?;
        let url = format!("ws://{addr}/sync");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
        Ok(Line { socket, heard: Vec::new(), directory: None })
    }

    async fn send(&mut self, frame: impl Into<Frame>) {
        self.socket.send(Message::Binary(wire::encode(&frame.into()).into())).await.unwrap();
    }

    /// The next frame; `None` when the connection has ended. Directories are put aside.
    async fn hear(&mut self) -> Option<Frame> {
        tokio::time::timeout(PATIENCE, self.next_frame()).await.expect("the server said nothing")
    }

    async fn next_frame(&mut self) -> Option<Frame> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    match bytes[0] {
                        0 => self.heard.extend_from_slice(&bytes[1..]),
                        _ => self
                            .heard
                            .extend(zstd::bulk::decompress(&bytes[1..], 64 << 20).unwrap()),
                    }
                    match wire::decode(&bytes, &Limits::DEFAULT).unwrap() {
                        Frame::Directory(directory) => self.directory = Some(directory),
                        frame => return Some(frame),
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The first frame that fits; others are passed over.
    async fn until<T>(&mut self, mut fits: impl FnMut(Frame) -> Option<T>) -> T {
        loop {
            let frame = self.hear().await.expect("the connection ended");
            if let Frame::Problem(problem) = &frame
                && problem.fatal
            {
                let problem = problem.clone();
                return fits(frame).unwrap_or_else(|| panic!("{problem:?}"));
            }
            if let Some(found) = fits(frame) {
                return found;
            }
        }
    }

    /// The problem that ends the connection, after which nothing comes.
    async fn refusal(&mut self) -> Problem {
        let problem = self
            .until(|frame| match frame {
                Frame::Problem(problem) if problem.fatal => Some(problem),
                _ => None,
            })
            .await;
        if let Some(frame) = self.hear().await {
            panic!("{} after {problem:?}", frame.name());
        }
        problem
    }

    async fn page(&mut self) -> Page {
        self.until(|frame| match frame {
            Frame::Page(page) => Some(page),
            _ => None,
        })
        .await
    }

    async fn stored(&mut self) -> Stored {
        self.until(|frame| match frame {
            Frame::Stored(stored) => Some(stored),
            _ => None,
        })
        .await
    }

    fn heard(&self, marker: &str) -> bool {
        self.heard.windows(marker.len()).any(|window| window == marker.as_bytes())
    }
}

/// A device: its key, its documents, and where it stands.
struct Phone {
    keys: Ed25519KeyPair,
    enrolled: Enrolled,
    actor: Actor,
    docs: HashMap<ContactId, Automerge>,
    timeline: Option<TimelineId>,
    cursor: Cursor,
    batch: u64,
}

impl Phone {
    fn new(keys: Ed25519KeyPair, enrolled: Enrolled) -> Phone {
        let actor = Actor::from_random(random());
        Phone { keys, enrolled, actor, docs: HashMap::new(), timeline: None, cursor: 0, batch: 0 }
    }

    fn hello(&self) -> Hello {
        Hello {
            protocol: wire::PROTOCOL,
            workspace: self.enrolled.workspace,
            device: self.enrolled.device,
            app: "test/1.0.0".into(),
            platform: "test".into(),
            capabilities: Vec::new(),
            certificate: Vec::new(),
        }
    }

    fn proof(&self, nonce: &[u8]) -> Proof {
        let text = challenge_text(&self.enrolled.workspace, &self.enrolled.device, nonce);
        Proof {
            signature: self.keys.sign(&text).as_ref().to_vec(),
            timeline: self.timeline,
            cursor: self.cursor,
            actors: vec![self.actor],
            pending: Vec::new(),
            unsent: 0,
            incomplete: false,
            lists: None,
        }
    }

    /// Knocks; what comes after the proof is still to be heard.
    async fn knock(&self, addr: SocketAddr) -> Line {
        let mut line = Line::dial(addr).await;
        line.send(self.hello()).await;
        let nonce = line
            .until(|frame| match frame {
                Frame::Challenge(challenge) => Some(challenge.nonce),
                _ => None,
            })
            .await;
        line.send(self.proof(&nonce)).await;
        line
    }

    async fn connect(&mut self, addr: SocketAddr) -> Line {
        let mut line = self.knock(addr).await;
        let welcome: Welcome = line
            .until(|frame| match frame {
                Frame::Welcome(welcome) => Some(welcome),
                _ => None,
            })
            .await;
        self.batch = 0;
        if self.timeline.is_none() {
            self.cursor = line
                .until(|frame| match frame {
                    Frame::Manifest(manifest) => Some(manifest.cursor),
                    _ => None,
                })
                .await;
        }
        self.timeline = Some(welcome.timeline);
        line
    }

    /// A new contact with this note as its family name: what has to go up for it.
    fn create(&mut self, name: &str) -> (ContactId, Vec<UpChange>) {
        let contact = new_contact();
        self.docs.insert(contact, new_document());
        let bootstrap = UpChange { contact, bytes: bootstraps()[0].bytes.to_vec() };
        let (_, change) = self.edit(contact, name);
        (contact, vec![bootstrap, change])
    }

    fn edit(&mut self, contact: ContactId, name: &str) -> (ChangeHash, UpChange) {
        let author = Author { by: self.enrolled.user, at: 1 };
        let doc = self.docs.get_mut(&contact).unwrap();
        let set = Command::Set { field: "family_name".into(), value: Some(Value::from(name)) };
        let options = EditOptions::default();
        match apply(doc, self.actor, &[set], &author, &options, &Limits::DEFAULT).unwrap() {
            Applied::Change { hash, bytes } => (hash, UpChange { contact, bytes }),
            Applied::Unchanged => panic!("the edit changes nothing"),
        }
    }

    fn batch(&mut self, changes: Vec<UpChange>) -> Changes {
        self.batch += 1;
        Changes { batch: self.batch, changes, unsent: 0 }
    }

    /// Sends changes and waits until all are merged.
    async fn upload(&mut self, line: &mut Line, changes: Vec<UpChange>) {
        let count = changes.len();
        let batch = self.batch(changes);
        let number = batch.batch;
        line.send(batch).await;
        let stored = line.stored().await;
        assert_eq!((stored.batch, not_merged(&stored)), (number, Vec::new()));
        let mut merged = stored.exceptions.len();
        while merged < count {
            merged += line
                .until(|frame| match frame {
                    Frame::Fates(fates) => Some(merged_in(&fates)),
                    _ => None,
                })
                .await;
        }
    }

    async fn confirm(&mut self, line: &mut Line, page: &Page) {
        self.cursor = page.cursor;
        line.send(AppliedFrame { cursor: page.cursor, unsent: 0, missing: 0 }).await;
    }
}

/// The exceptions of a receipt, without those that say that a change is merged already (a constant
/// bootstrap change always is).
fn not_merged(stored: &Stored) -> Vec<&Exception> {
    stored.exceptions.iter().filter(|exception| exception.fate != Fate::Merged).collect()
}

/// How many changes a frame tells to be merged, by run and by hash.
fn merged_in(fates: &wire::Fates) -> usize {
    let runs: usize = fates.merged.iter().map(|run| (run.to - run.from + 1) as usize).sum();
    runs + fates.fates.iter().filter(|fate| fate.fate == Fate::Merged).count()
}

fn problem_code(problem: &Problem) -> ProblemCode {
    assert!(!problem.message.is_empty());
    problem.code
}
