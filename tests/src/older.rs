//! A link on which nothing is said that an older version does not know: frames of other types are
//! left out, fields too, abilities and version numbers are those of that version. So to each end the
//! other one is of that version, as far as the wire tells.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::fixtures::Fixture;
use crate::tree::{Shape, Tree};

const HELLO: u16 = 1;
const ENROL: u16 = 2;
const CHALLENGE: u16 = 64;

/// What passed, by the frame's number: how many, and how many were left out as unknown.
pub type Counts = BTreeMap<u16, (usize, usize)>;

/// The link. It ends when it is dropped.
pub struct OlderWire {
    /// Where devices connect to.
    pub url: String,
    counts: Arc<Mutex<Counts>>,
    wrong: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

struct Filter {
    shapes: BTreeMap<u16, Shape>,
    protocol: i64,
    abilities: Tree,
    counts: Arc<Mutex<Counts>>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl OlderWire {
    /// A link to the server at this address, as of that version.
    pub async fn start(version: &Fixture, server: &str) -> Self {
        let counts = Arc::new(Mutex::new(Counts::new()));
        let wrong = Arc::new(Mutex::new(Vec::new()));
        let shapes = version.samples().into_iter().map(|s| (s.tree.kind(), s.shape)).collect();
        let hello = version.session("unsent").into_iter().find(|said| said.tree.kind() == HELLO);
        let abilities = match hello.unwrap().tree.body() {
            Tree::Map(fields) => fields.get(&5).cloned().unwrap_or(Tree::List(Vec::new())),
            other => panic!("not a body: {other:?}"),
        };
        let filter = Arc::new(Filter {
            shapes,
            protocol: version.json("about")["protocol"].as_i64().unwrap(),
            abilities,
            counts: Arc::clone(&counts),
            wrong: Arc::clone(&wrong),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = format!("{}/sync", server.replacen("http", "ws", 1));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                links.spawn(link(stream, upstream.clone(), Arc::clone(&filter)));
            }
        });
        Self { url, counts, wrong, _task: task }
    }

    /// What passed so far.
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap().clone()
    }

    /// Asserts that everything that was said could be read by that version.
    #[track_caller]
    pub fn assert_understood(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "the older version can't read: {wrong:#?}");
    }
}

async fn link(stream: TcpStream, upstream: String, filter: Arc<Filter>) {
    let Ok(device) = tokio_tungstenite::accept_async(stream).await else { return };
    let Ok((server, _)) = tokio_tungstenite::connect_async(upstream).await else { return };
    let (to_device, from_device) = device.split();
    let (to_server, from_server) = server.split();
    tokio::select! {
        () = pass(from_device, to_server, &filter) => {}
        () = pass(from_server, to_device, &filter) => {}
    }
}

async fn pass(
    mut from: impl Stream<Item = Result<Message, Error>> + Unpin,
    mut to: impl Sink<Message, Error = Error> + Unpin,
    filter: &Filter,
) {
    while let Some(Ok(message)) = from.next().await {
        let message = match message {
            Message::Binary(bytes) => match filter.older(&bytes) {
                Some(bytes) => Message::binary(bytes),
                None => continue,
            },
            other => other,
        };
        if to.send(message).await.is_err() {
            return;
        }
    }
}

impl Filter {
    /// The message as the older version would have sent it; `None` if it would not.
    fn older(&self, message: &[u8]) -> Option<Vec<u8>> {
        let tree = Tree::of_message(message);
        let kind = tree.kind();
        let known = self.shapes.get(&kind);
        {
            let mut counts = self.counts.lock().unwrap();
            let count = counts.entry(kind).or_default();
            match known {
                Some(_) => count.0 += 1,
                None => count.1 += 1,
            }
        }
        let shape = known?;
        if let Err(error) = shape.reads(tree.body()) {
            self.wrong.lock().unwrap().push(format!("frame {kind}: {error}"));
        }
        let mut older = Tree::List(vec![Tree::Int(kind.into()), shape.strip(tree.body())]);
        let fields = older.body_mut();
        if matches!(kind, HELLO | ENROL | CHALLENGE)
            && let Some(Tree::Int(protocol)) = fields.get_mut(&0)
        {
            *protocol = self.protocol.min(*protocol);
        }
        if kind == HELLO {
            fields.insert(5, self.abilities.clone());
        }
        Some(older.message())
    }
}
