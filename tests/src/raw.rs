//! A device that says whatever a test wants: frames by hand over a real websocket, with a key and an
//! enrolment like any other's.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::ids::{Actor, ContactId, Cursor, TimelineId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    self, Applied, Changes, Enrol, Enrolled, Fetch, Frame, Hello, KeyAlgorithm, PROTOCOL, PageItem,
    Proof, Stored, UpChange, Welcome, challenge_text, enrolment_text,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// The server answers within this time; normally at once.
const ANSWER_MAX: Duration = Duration::from_secs(60);

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
                    let limits = Limits {
                        message_bytes_max: 16 << 20,
                        message_inflated_bytes_max: 64 << 20,
                        ..Limits::DEFAULT
                    };
                    return Some(wire::decode(&bytes, &limits).expect("the server sends frames"));
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

/// An enrolled device with its key.
pub struct Identity {
    key: Ed25519KeyPair,
    /// What the server said.
    pub enrolled: Enrolled,
}

impl Identity {
    /// Enrols a new key with this code.
    pub async fn enrol(url: &str, code: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
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
        }
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
            signature: self.key.sign(&text).as_ref().to_vec(),
            timeline,
            cursor,
            actors: actors.to_vec(),
            pending: Vec::new(),
            unsent: 0,
            incomplete: false,
        }
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
        let mut raw = Raw::connect(url).await;
        raw.send(self.hello()).await;
        let nonce = raw
            .until(|frame| match frame {
                Frame::Challenge(challenge) => Some(challenge.nonce),
                _ => None,
            })
            .await;
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
