//! The websocket itself: bounded reading, and writing that never keeps the connection from reading.
//!
//! Outgoing messages wait in a queue and are cut into small frames, so that a connection that once
//! sent a page of a megabyte does not keep a buffer of that size for the rest of its life (10,000
//! idle devices are the normal state of a server).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink, Stream};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{self, Frame as WireFrame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::meter::Meter;

/// Read buffer of an idle connection. A frame that is larger gets a buffer of its size when its
/// header has come.
const READ_BUFFER_BYTES: usize = 1024;
/// Outgoing frames. The library keeps a buffer as large as the largest it ever sent.
const FRAME_OUT_BYTES_MAX: usize = 4 * 1024;
/// Frames of more than this are encoded (and compressed) off the reactor.
const ENCODE_INLINE_BYTES_MAX: usize = 16 * 1024;
/// How long, and for how much, input is thrown away before a connection is closed.
const LINGER_MAX: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The configuration for the server's side of a device's socket.
pub(super) fn config(limits: &Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(64 * 1024)
        .max_frame_size(Some(limits.frame_bytes_max))
        .max_message_size(Some(limits.message_bytes_max))
}

enum Out {
    Message(Bytes),
    Encoding { task: JoinHandle<Vec<u8>>, bytes: usize },
    Control(Message),
}

impl Out {
    fn bytes(&self) -> usize {
        match self {
            Out::Message(bytes) => bytes.len(),
            Out::Encoding { bytes, .. } => *bytes,
            Out::Control(_) => 0,
        }
    }
}

/// One device's websocket.
pub(super) struct Socket<S> {
    stream: WebSocketStream<Meter<S>>,
    queue: VecDeque<Out>,
    queued_bytes: usize,
    /// A message that is on its way in frames, and how much of it is.
    cut: Option<(Bytes, usize)>,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) async fn new(stream: S, limits: &Limits) -> Self {
        let stream = Meter::new(stream);
        let stream =
            WebSocketStream::from_raw_socket(stream, Role::Server, Some(config(limits))).await;
        Self { stream, queue: VecDeque::new(), queued_bytes: 0, cut: None, unflushed: false }
    }

    /// Queues a frame. `size` is about how many bytes it encodes to, before compression.
    pub(super) fn send(&mut self, frame: WireFrame, size: usize) {
        if size <= ENCODE_INLINE_BYTES_MAX {
            self.push(Out::Message(wire::encode(&frame).into()));
        } else {
            let task = tokio::task::spawn_blocking(move || wire::encode(&frame));
            self.push(Out::Encoding { task, bytes: size });
        }
    }

    /// Queues a ping.
    pub(super) fn ping(&mut self, payload: &[u8]) {
        self.push(Out::Control(Message::Ping(Bytes::copy_from_slice(payload))));
    }

    /// Queues the closing handshake. What was queued before goes first.
    pub(super) fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.push(Out::Control(Message::Close(Some(frame))));
    }

    /// Forgets what is queued and not begun: a revoked device gets no further data. Returns whether
    /// a message is cut off in the middle, so that no other can follow it.
    pub(super) fn discard(&mut self) -> bool {
        for out in self.queue.drain(..) {
            if let Out::Encoding { task, .. } = out {
                task.abort();
            }
        }
        self.queued_bytes = 0;
        self.cut.take().is_some()
    }

    /// Ends the connection so that what was sent arrives: closing a socket with unread input makes
    /// the system reset it, and the peer would lose the reason. So its input is thrown away for a
    /// moment first.
    pub(super) async fn linger(self) {
        let mut stream = self.stream.into_inner().into_inner();
        let emptied = async {
            if stream.shutdown().await.is_err() {
                return;
            }
            let mut scrap = [0u8; 1024];
            let mut left = LINGER_BYTES_MAX;
            while let Ok(read @ 1..) = stream.read(&mut scrap).await {
                let Some(rest) = left.checked_sub(read) else { return };
                left = rest;
            }
        };
        let _ = tokio::time::timeout(LINGER_MAX, emptied).await;
    }

    /// What waits to be sent, in bytes.
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// How many bytes of the peer were read since this was asked last, whole messages or not.
    pub(super) fn take_read_bytes(&mut self) -> usize {
        self.stream.get_mut().take_read_bytes()
    }

    fn push(&mut self, out: Out) {
        self.queued_bytes += out.bytes();
        self.queue.push_back(out);
    }

    /// The next message of the peer; pings are answered by the library before they come out here.
    pub(super) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, Error>>> {
        Pin::new(&mut self.stream).poll_next(cx)
    }

    /// Writes as much as the peer takes. Ready when nothing is left to write.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.cut.is_none() && self.queue.is_empty() {
                break;
            }
            ready!(Pin::new(&mut self.stream).poll_ready(cx))?;
            let Some(message) = ready!(self.poll_frame(cx)) else { break };
            metrics::counter!("roadbook_sync_sent_bytes_total").increment(message.len() as u64);
            Pin::new(&mut self.stream).start_send(message)?;
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The next frame to write.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        if let Some((bytes, from)) = self.cut.take() {
            return Poll::Ready(Some(self.next_part(bytes, from)));
        }
        if let Some(Out::Encoding { task, bytes }) = self.queue.front_mut() {
            let claimed = *bytes;
            let encoded = match ready!(Pin::new(task).poll(cx)) {
                Ok(encoded) => Bytes::from(encoded),
                // Encoding does not panic, and the task is aborted only with the queue.
                Err(_) => Bytes::new(),
            };
            self.queued_bytes = self.queued_bytes - claimed + encoded.len();
            if let Some(front) = self.queue.front_mut() {
                *front = Out::Message(encoded);
            }
        }
        Poll::Ready(match self.queue.pop_front() {
            None => None,
            Some(Out::Control(message)) => Some(message),
            Some(Out::Message(bytes)) if bytes.len() <= FRAME_OUT_BYTES_MAX => {
                self.queued_bytes -= bytes.len();
                Some(Message::Binary(bytes))
            }
            Some(Out::Message(bytes)) => Some(self.next_part(bytes, 0)),
            // Replaced by `Out::Message` above.
            Some(Out::Encoding { .. }) => None,
        })
    }

    fn next_part(&mut self, bytes: Bytes, from: usize) -> Message {
        let to = (from + FRAME_OUT_BYTES_MAX).min(bytes.len());
        let kind = if from == 0 { Data::Binary } else { Data::Continue };
        let last = to == bytes.len();
        let frame = Frame::message(bytes.slice(from..to), OpCode::Data(kind), last);
        self.queued_bytes -= to - from;
        if !last {
            self.cut = Some((bytes, to));
        }
        Message::Frame(frame)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::StreamExt;
    use roadbook_protocol::wire::{Manifest, Problem, ProblemCode};

    use super::*;

    async fn pair() -> (Socket<tokio::io::DuplexStream>, WebSocketStream<tokio::io::DuplexStream>) {
        let (server, client) = tokio::io::duplex(8 * 1024);
        let socket = Socket::new(server, &Limits::DEFAULT).await;
        (socket, WebSocketStream::from_raw_socket(client, Role::Client, None).await)
    }

    fn problem() -> WireFrame {
        Problem {
            code: ProblemCode::Internal,
            message: "x".into(),
            retry_after_ms: None,
            fatal: false,
            actors: Vec::new(),
        }
        .into()
    }

    #[tokio::test]
    async fn a_large_message_is_cut_and_arrives_whole_and_in_order() {
        let (mut socket, mut client) = pair().await;
        let contacts: Vec<_> = (0..8000u32)
            .map(|n| {
                let digest = ring::digest::digest(&ring::digest::SHA256, &n.to_le_bytes());
                roadbook_protocol::ids::ContactId::from_slice(&digest.as_ref()[..16]).unwrap()
            })
            .collect();
        let large: WireFrame = Manifest { cursor: 7, contacts, last: true, bytes_total: 0 }.into();
        socket.send(large.clone(), 128_000);
        socket.ping(b"between");
        socket.send(problem(), 100);
        let writing = tokio::spawn(async move {
            poll_fn(|cx| socket.poll_write(cx)).await.unwrap();
            assert_eq!(socket.queued_bytes(), 0);
            assert!(socket.stream.get_config().max_write_buffer_size < 256 * 1024);
            socket
        });
        let mut received = Vec::new();
        while received.len() < 2 {
            if let Message::Binary(bytes) = client.next().await.unwrap().unwrap() {
                received.push(wire::decode(&bytes, &Limits::DEFAULT).unwrap());
            }
        }
        assert_eq!(received, [large, problem()]);
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_discarded_is_not_sent() {
        let (mut socket, mut client) = pair().await;
        socket.send(problem(), 100);
        assert!(!socket.discard());
        socket.close(1008, "revoked");
        poll_fn(|cx| socket.poll_write(cx)).await.unwrap();
        let first = client.next().await.unwrap().unwrap();
        assert!(matches!(first, Message::Close(Some(frame)) if u16::from(frame.code) == 1008));
    }
}
