//! The accept loop: TCP, TLS, HTTP/1.1, each with a bound and a timer.
//!
//! It is our own because `axum::serve` sets no timer for headers and forgets upgraded sockets when
//! it shuts down. It must never wait for one client while others knock.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::drain::Drain;
use super::stall::Stall;

/// How long a peer may take no byte of what is being sent to it.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);
/// How long requests that run when a shutdown begins may go on.
const REQUEST_GRACE: Duration = Duration::from_secs(5);
/// Pause after `accept` fails, which it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The head of a request and what hyper buffers of a connection.
const HTTP_BUFFER_BYTES_MAX: usize = 32 * 1024;

/// Who is at the other end of a connection, as the accept loop knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address that the connection comes from; a proxy's where there is one.
    pub addr: SocketAddr,
    /// The client's address as a trusted proxy tells it; else that of the connection.
    pub client: IpAddr,
    /// Whether the connection is encrypted by this server.
    pub tls: bool,
}

impl Peer {
    fn new(addr: SocketAddr, tls: bool) -> Self {
        Self { addr, client: addr.ip().to_canonical(), tls }
    }

    /// The address of the connection's other end, IPv4 in IPv6 undone.
    pub fn ip(&self) -> IpAddr {
        self.addr.ip().to_canonical()
    }

    /// The same peer as the headers of a request from a trusted proxy tell it. Of a list the last
    /// address that is no trusted proxy counts: what stands before it, the client may have written.
    fn behind(self, proxies: &[IpAddr], headers: &HeaderMap) -> Self {
        let trusted = |ip: &IpAddr| proxies.iter().any(|proxy| proxy.to_canonical() == *ip);
        if !trusted(&self.ip()) {
            return self;
        }
        let mut client = self.client;
        let lists = headers.get_all("x-forwarded-for");
        let named = lists.iter().rev().filter_map(|list| list.to_str().ok());
        for part in named.flat_map(|list| list.rsplit(',')) {
            let Ok(ip) = part.trim().parse::<IpAddr>() else { break };
            client = ip.to_canonical();
            if !trusted(&client) {
                break;
            }
        }
        Self { client, ..self }
    }
}

/// The bounds of the accept loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct AcceptLimits {
    pub(super) connections_max: usize,
    pub(super) header_timeout: Duration,
    pub(super) drain_hard: Duration,
}

pub(super) struct AcceptLoop {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) router: Router,
    pub(super) drain: Drain,
    pub(super) trusted_proxies: Vec<IpAddr>,
    pub(super) limits: AcceptLimits,
}

/// What every connection shares.
struct Shared {
    tls: Option<TlsAcceptor>,
    router: Router,
    drain: Drain,
    trusted_proxies: Arc<[IpAddr]>,
    header_timeout: Duration,
    /// Set when the loop ends: connections that are left are dropped.
    over: CancellationToken,
}

impl AcceptLoop {
    /// Serves until the drain has begun and everyone has left, or the hard stop has come.
    pub(super) async fn run(self) {
        let Self { listener, tls, router, drain, trusted_proxies, limits } = self;
        let shared = Arc::new(Shared {
            tls,
            router,
            drain: drain.clone(),
            trusted_proxies: trusted_proxies.into(),
            header_timeout: limits.header_timeout,
            over: CancellationToken::new(),
        });
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let connections = TaskTracker::new();
        let gone = async {
            drain.begun().await;
            tracing::info!(sockets = drain.sockets.len(), "draining");
            drain.sockets.close();
            let left = timeout(limits.drain_hard, drain.sockets.wait()).await;
            if left.is_err() {
                tracing::warn!(sockets = drain.sockets.len(), "hard stop: sockets are cut");
            }
            drain.force();
            // A moment for the closing handshakes and for the answers that are under way.
            let _ = timeout(REQUEST_GRACE, drain.sockets.wait()).await;
        };
        tokio::pin!(gone);
        loop {
            let accepted = tokio::select! {
                () = &mut gone => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, addr)) => match places.clone().try_acquire_owned() {
                    Ok(place) => {
                        connections.spawn(connection(shared.clone(), stream, addr, place));
                    }
                    Err(_) => turn_away(&shared, stream),
                },
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        connections.close();
        let _ = timeout(REQUEST_GRACE, connections.wait()).await;
        shared.over.cancel();
        connections.wait().await;
    }
}

/// The house is full. A plain client is told so; a TLS client would cost a handshake to be told.
fn turn_away(shared: &Shared, stream: TcpStream) {
    metrics::counter!("roadbook_connections_refused_total", "reason" => "full").increment(1);
    if shared.tls.is_none() {
        // Fits any socket buffer, so it never waits; and if it fails, the client sees a close.
        let _ = stream.try_write(
            b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        );
    }
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    addr: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    let _gauge = Counted::new();
    // Small frames (receipts, pages of one edit) must not wait for Nagle.
    let _ = stream.set_nodelay(true);
    let over = shared.over.clone();
    let served = async {
        match &shared.tls {
            None => {
                serve_http(
                    &shared,
                    Stall::new(stream, WRITE_STALL_MAX),
                    Peer::new(addr, false),
                    place,
                )
                .await
            }
            Some(acceptor) => {
                let Some(stream) = handshake(&shared, acceptor, stream).await else { return };
                serve_http(&shared, stream, Peer::new(addr, true), place).await;
            }
        }
    };
    tokio::select! {
        () = served => {}
        () = over.cancelled() => {}
    }
}

type TlsStream = tokio_rustls::server::TlsStream<Stall<TcpStream>>;

async fn handshake(
    shared: &Shared,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Option<TlsStream> {
    let shaken = timeout(shared.header_timeout, async {
        // Silent connections wait here; they cost a socket and no more.
        stream.readable().await.ok()?;
        // No queue for handshakes: whoever stalls in one would keep others waiting. What a handshake
        // computes is done in one go when its hello is there, so that no more of them are at work at
        // once than there are processors.
        acceptor.accept(Stall::new(stream, WRITE_STALL_MAX)).await.ok()
    })
    .await;
    let failed = match shaken {
        Ok(Some(stream)) => return Some(stream),
        Ok(None) => "failed",
        Err(_) => "timeout",
    };
    metrics::counter!("roadbook_tls_handshakes_failed_total", "reason" => failed).increment(1);
    None
}

async fn serve_http<S>(shared: &Shared, stream: S, peer: Peer, place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // The place goes with the requests, and so with a socket that a request is upgraded to: it is
    // free again only when that is gone.
    let place = Arc::new(place);
    let router = shared.router.clone();
    let proxies = shared.trusted_proxies.clone();
    let service = tower::service_fn(move |mut request: hyper::Request<Incoming>| {
        let peer = peer.behind(&proxies, request.headers());
        request.extensions_mut().insert(peer);
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::new(peer.client, peer.addr.port())));
        request.extensions_mut().insert(Place(place.clone()));
        tower::ServiceExt::oneshot(router.clone(), request)
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(shared.header_timeout)
        .max_buf_size(HTTP_BUFFER_BYTES_MAX);
    let serving = http
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::pin!(serving);
    if shared.drain.draining() {
        // It came after the shutdown began: it is told so, and that is all.
        let _ = timeout(REQUEST_GRACE, serving).await;
        return;
    }
    let outcome = tokio::select! {
        outcome = &mut serving => outcome,
        () = shared.drain.begun() => {
            serving.as_mut().graceful_shutdown();
            match timeout(REQUEST_GRACE, serving.as_mut()).await {
                Ok(outcome) => outcome,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = outcome {
        // Peers that vanish or send garbage are everyday; what they sent is not logged.
        tracing::debug!(%error, "connection ended");
    }
}

/// A place in the house, carried by requests; a socket keeps it after the upgrade.
#[derive(Clone)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "held, never read")] Arc<OwnedSemaphorePermit>,
);

struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::counter!("roadbook_connections_total").increment(1);
        metrics::gauge!("roadbook_connections").increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("roadbook_connections").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        let peer = Peer::new("10.0.0.1:5000".parse().unwrap(), false);
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let headers = |value: &str| {
            HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), value.parse().unwrap())])
        };
        let client = |proxies: &[IpAddr], value: &str| {
            peer.behind(proxies, &headers(value)).client.to_string()
        };
        assert_eq!(client(&[], "192.0.2.9"), "10.0.0.1");
        assert_eq!(client(&proxies, "192.0.2.9"), "192.0.2.9");
        assert_eq!(client(&proxies, "203.0.113.5, 192.0.2.9, 10.0.0.2"), "192.0.2.9");
        assert_eq!(client(&proxies, "nonsense"), "10.0.0.1");
    }
}
