//! A device that says whatever a test wants: frames by hand over a real websocket, with a key and an
//! enrolment like any other's.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::ids::{Actor, ContactId, Cursor, DeviceId, TimelineId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    self, Applied, Changes, Enrol, Enrolled, Fetch, Frame, Hello, KeyAlgorithm, PROTOCOL, PageItem,
    Problem, Proof, Stored, UpChange, Welcome, challenge_text, enrolment_text,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// The server answers within this time; normally at once.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What a device takes: more than a server does.
pub const LIMITS: Limits =
    Limits { message_bytes_max: 16 << 20, message_inflated_bytes_max: 64 << 20, ..Limits::DEFAULT };

/// A websocket to a server's `/sync`.
pub struct Raw {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    cursor: Cursor,
}

impl Raw {
    /// Connects to `http://host:port`.
    pub async fn connect(url: &str) -> Self {
        let url = format!("{}/sync", url.replacen("http", "ws", 1));
        let (socket, _) =
            tokio_tungstenite::connect_async(url).await.expect("the server takes a websocket");
        Self { socket, cursor: 0 }
    }

    /// The port at this end, as the server sees it.
    pub fn local_port(&self) -> u16 {
        match self.socket.get_ref() {
            MaybeTlsStream::Plain(stream) => stream.local_addr().unwrap().port(),
            _ => unreachable!("plain only"),
        }
    }

    /// Sends a frame; a connection that is gone is no error here, the next answer shows it.
    pub async fn send(&mut self, frame: impl Into<Frame>) {
        self.send_bytes(wire::encode(&frame.into())).await;
    }

    /// Sends one binary message.
    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.send_message(Message::binary(bytes)).await;
    }

    /// Sends one message of any kind.
    pub async fn send_message(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    /// The stream below the websocket, to write to it what no websocket library would.
    pub fn into_tcp(self) -> TcpStream {
        match self.socket.into_inner() {
            MaybeTlsStream::Plain(stream) => stream,
            _ => unreachable!("plain only"),
        }
    }

    /// Reads to the end of the connection: the problem that the server ended it with, if it told one.
    pub async fn ending(&mut self) -> Option<Problem> {
        let mut ending = None;
        while let Some(frame) = self.next().await {
            if let Frame::Problem(problem) = frame
                && problem.fatal
            {
                ending = Some(problem);
            }
        }
        ending
    }

    /// The next frame; `None` once the connection is closed or broken. Pages are confirmed, as every
    /// device does: a server stops sending after some that are not.
    pub async fn next(&mut self) -> Option<Frame> {
        let frame = self.receive().await?;
        match &frame {
            Frame::Page(page) => self.cursor = page.cursor,
            Frame::Manifest(manifest) if manifest.last => self.cursor = manifest.cursor,
            Frame::Manifest(_) | Frame::Fetched(_) => {}
            _ => return Some(frame),
        }
        self.send(Applied { cursor: self.cursor, unsent: 0, missing: 0 }).await;
        Some(frame)
    }

    async fn receive(&mut self) -> Option<Frame> {
        loop {
            let message = tokio::time::timeout(ANSWER_MAX, self.socket.next())
                .await
                .expect("the server answers")?;
            match message {
                Ok(Message::Binary(bytes)) => {
                    return Some(wire::decode(&bytes, &LIMITS).expect("the server sends frames"));
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message as its plain bytes, behind the byte that says so: what a capture looks into, and
    /// what [`wire::decode`] reads. Nothing is confirmed. May be given up while it waits: no message is
    /// lost.
    pub async fn capture(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Binary(bytes)) => {
                    let plain = wire::plain(&bytes, &LIMITS).expect("the server sends messages");
                    return Some([&[0], &plain[..]].concat());
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Reads on until a frame fits; others are dropped.
    ///
    /// # Panics
    /// If the connection ends before.
    pub async fn until<T>(&mut self, mut fits: impl FnMut(Frame) -> Option<T>) -> T {
        loop {
            let frame = self.next().await.expect("the connection lives");
            if let Frame::Problem(problem) = &frame
                && problem.fatal
            {
                panic!("the server ended the connection: {problem:?}");
            }
            if let Some(found) = fits(frame) {
                return found;
            }
        }
    }

    /// Sends a batch of changes and waits for its receipt.
    pub async fn offer(&mut self, batch: u64, changes: Vec<UpChange>) -> Stored {
        self.send(Changes { batch, changes, unsent: 0 }).await;
        self.until(|frame| match frame {
            Frame::Stored(stored) if stored.batch == batch => Some(stored),
            _ => None,
        })
        .await
    }

    /// Asks for documents and waits for all of them.
    pub async fn fetch(&mut self, request: u64, contacts: &[ContactId]) -> Vec<PageItem> {
        self.send(Fetch { request, contacts: contacts.to_vec() }).await;
        let mut items = Vec::new();
        self.until(|frame| match frame {
            Frame::Fetched(part) if part.request == request => {
                items.extend(part.items);
                part.last.then_some(())
            }
            _ => None,
        })
        .await;
        items
    }
}

/// A TCP connection to `host:port` from this address of the loopback network: each has ports of its
/// own, so that one machine can be more clients than it has ports.
///
/// # Errors
/// What the system says.
pub async fn connect_from(from: Ipv4Addr, listen: &str) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(listen.parse().expect("an address")).await
}

/// The request that makes a websocket of a connection.
pub fn upgrade_request(listen: &str) -> Vec<u8> {
    format!(
        "GET /sync HTTP/1.1\r\nhost: {listen}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// Makes a websocket of a connection and leaves what goes over it to the caller; gives the status of
/// the answer.
///
/// # Errors
/// What the system says.
pub async fn upgrade(stream: &mut TcpStream, listen: &str) -> io::Result<u16> {
    stream.write_all(&upgrade_request(listen)).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0))
}

/// A websocket frame as a client sends it, with a mask of zeros.
pub fn websocket_frame(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![opcode | if last { 0x80 } else { 0 }];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        middle @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// An enrolled device with its key.
pub struct Identity {
    key: Ed25519KeyPair,
    /// What the server said.
    pub enrolled: Enrolled,
}

fn new_key() -> Ed25519KeyPair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()
}

impl Identity {
    /// A new key that no server knows.
    pub fn unknown() -> Self {
        let nowhere = Enrolled {
            workspace: WorkspaceId::from_bytes([0; 16]),
            workspace_name: String::new(),
            device: DeviceId::from_bytes([0; 16]),
            user: UserId::from_bytes([0; 16]),
            login: String::new(),
            user_name: String::new(),
            workspace_key: Vec::new(),
            sealing: None,
            certificate: Vec::new(),
        };
        Self { key: new_key(), enrolled: nowhere }
    }

    /// The same key as the device that a server made of it.
    pub fn as_device(self, enrolled: Enrolled) -> Self {
        Self { enrolled, ..self }
    }

    /// The public half of its key.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    /// Enrols a new key with this code.
    pub async fn enrol(url: &str, code: &str) -> Self {
        let key = new_key();
        let public_key = key.public_key().as_ref().to_vec();
        let signature = key.sign(&enrolment_text(code, &public_key)).as_ref().to_vec();
        let mut raw = Raw::connect(url).await;
        raw.send(Enrol {
            protocol: PROTOCOL,
            code: code.to_owned(),
            algorithm: KeyAlgorithm::Ed25519,
            public_key,
            signature,
            name: "a device that says anything".into(),
            app: "test/0".into(),
            platform: "test".into(),
        })
        .await;
        let enrolled = raw
            .until(|frame| match frame {
                Frame::Enrolled(enrolled) => Some(enrolled),
                _ => None,
            })
            .await;
        Self { key, enrolled }
    }

    /// The first frame of a connection.
    pub fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            workspace: self.enrolled.workspace,
            device: self.enrolled.device,
            app: "test/0".into(),
            platform: "test".into(),
            capabilities: Vec::new(),
            certificate: Vec::new(),
        }
    }

    /// The signature of a text.
    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.key.sign(text).as_ref().to_vec()
    }

    /// The answer to a challenge.
    pub fn proof(
        &self,
        nonce: &[u8],
        timeline: Option<TimelineId>,
        cursor: Cursor,
        actors: &[Actor],
    ) -> Proof {
        let text = challenge_text(&self.enrolled.workspace, &self.enrolled.device, nonce);
        Proof {
            signature: self.sign(&text),
            timeline,
            cursor,
            actors: actors.to_vec(),
            pending: Vec::new(),
            unsent: 0,
            incomplete: false,
            lists: None,
        }
    }

    /// Connects and says who it is; gives the server's nonce.
    pub async fn knock(&self, url: &str) -> (Raw, Vec<u8>) {
        let mut raw = Raw::connect(url).await;
        raw.send(self.hello()).await;
        let nonce = raw
            .until(|frame| match frame {
                Frame::Challenge(challenge) => Some(challenge.nonce),
                _ => None,
            })
            .await;
        (raw, nonce)
    }

    /// Opens a session as a device that has nothing yet and writes with these actors.
    pub async fn open(&self, url: &str, actors: &[Actor]) -> (Raw, Welcome) {
        self.open_at(url, actors, None, 0).await
    }

    /// Opens a session as a device that stands at this timeline and cursor.
    pub async fn open_at(
        &self,
        url: &str,
        actors: &[Actor],
        timeline: Option<TimelineId>,
        cursor: Cursor,
    ) -> (Raw, Welcome) {
        let (mut raw, nonce) = self.knock(url).await;
        raw.send(self.proof(&nonce, timeline, cursor, actors)).await;
        let welcome = raw
            .until(|frame| match frame {
                Frame::Welcome(welcome) => Some(welcome),
                _ => None,
            })
            .await;
        (raw, welcome)
    }
}

/// The contacts of the manifest that a session opens with.
pub async fn manifest(raw: &mut Raw) -> Vec<ContactId> {
    let mut contacts = Vec::new();
    raw.until(|frame| match frame {
        Frame::Manifest(part) => {
            contacts.extend(part.contacts);
            part.last.then_some(())
        }
        _ => None,
    })
    .await;
    contacts
}
