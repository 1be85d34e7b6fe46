//! The accept loop over real sockets, with a router of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::accept::{AcceptLimits, AcceptLoop};
use super::drain::Drain;
use super::{layers, tls};

const LIMITS: AcceptLimits = AcceptLimits {
    connections_max: 100,
    header_timeout: Duration::from_secs(10),
    drain_hard: Duration::from_secs(10),
};

struct House {
    addr: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    /// Requests to `/slow` give a permit here when they have come,
    came: Arc<Semaphore>,
    /// and wait for one here.
    go: Arc<Semaphore>,
}

async fn open(limits: AcceptLimits, tls: Option<TlsAcceptor>) -> House {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let drain = Drain::new(shutdown.clone(), Duration::ZERO);
    let (came, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (arrived, wait) = (came.clone(), go.clone());
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/slow",
            get(move || async move {
                arrived.add_permits(1);
                wait.acquire().await.unwrap().forget();
                "at last"
            }),
        )
        .route("/healthz", get(super::health::healthz))
        .layer(from_fn_with_state(drain.clone(), layers::refuse_while_draining))
        .layer(from_fn_with_state(true, layers::security_headers))
        .layer(axum::middleware::from_fn(layers::trace));
    let accept = AcceptLoop { listener, tls, router, drain, trusted_proxies: Vec::new(), limits };
    House { addr, shutdown, task: tokio::spawn(accept.run()), came, go }
}

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes()
}

/// Reads until the blank line and the announced body, or the end.
async fn answer<S: AsyncReadExt + Unpin>(stream: &mut S) -> String {
    let mut text = Vec::new();
    let mut part = [0u8; 1024];
    loop {
        let read = stream.read(&mut part).await.unwrap_or(0);
        text.extend_from_slice(&part[..read]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let body = so_far.split_once("\r\n\r\n").map(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            (length.and_then(|length| length.parse().ok()).unwrap_or(0usize), body.len())
        });
        if read == 0 || body.is_some_and(|(length, found)| found >= length) {
            return so_far;
        }
    }
}

#[tokio::test]
async fn a_request_is_answered_with_an_id_and_careful_headers() {
    let house = open(LIMITS, None).await;
    let mut client = TcpStream::connect(house.addr).await.unwrap();
    client.write_all(&request("/?q=secret-name")).await.unwrap();
    let answer = answer(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for header in ["x-request-id: ", "x-content-type-options: nosniff", "cache-control: no-store"] {
        assert!(answer.contains(header), "{header} in {answer}");
    }
    assert!(answer.ends_with("hello"));
}

#[tokio::test]
async fn headers_that_never_end_close_the_connection() {
    let limits = AcceptLimits { header_timeout: Duration::from_millis(200), ..LIMITS };
    let house = open(limits, None).await;
    let mut client = TcpStream::connect(house.addr).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nslow: ").await.unwrap();
    // The end of the stream, with or without a 408 before it; the test would hang without a timer.
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
}

#[tokio::test]
async fn a_full_house_turns_away_and_takes_again_when_someone_leaves() {
    let limits = AcceptLimits { connections_max: 1, ..LIMITS };
    let house = open(limits, None).await;
    let mut first = TcpStream::connect(house.addr).await.unwrap();
    first.write_all(&request("/")).await.unwrap();
    assert!(answer(&mut first).await.contains("200 OK"));
    let mut second = TcpStream::connect(house.addr).await.unwrap();
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 503"));
    drop(first);
    loop {
        let mut third = TcpStream::connect(house.addr).await.unwrap();
        if third.write_all(&request("/")).await.is_ok()
            && answer(&mut third).await.contains("200 OK")
        {
            break;
        }
    }
}

#[tokio::test]
async fn a_shutdown_finishes_what_runs_refuses_what_is_new_and_ends() {
    let house = open(LIMITS, None).await;
    let mut slow = TcpStream::connect(house.addr).await.unwrap();
    slow.write_all(&request("/slow")).await.unwrap();
    house.came.acquire().await.unwrap().forget();
    house.shutdown.cancel();
    house.go.add_permits(1);
    assert!(answer(&mut slow).await.ends_with("at last"));
    house.task.await.unwrap();
    let late = TcpStream::connect(house.addr).await;
    if let Ok(mut late) = late {
        let _ = late.write_all(&request("/")).await;
        assert!(!answer(&mut late).await.contains("200 OK"));
    }
}

#[tokio::test]
async fn while_a_socket_is_leaving_requests_are_told_to_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let drain = Drain::new(shutdown.clone(), Duration::ZERO);
    let leave = CancellationToken::new();
    let wait = leave.clone();
    drain.sockets.spawn(async move { wait.cancelled().await });
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/healthz", get(super::health::healthz))
        .layer(from_fn_with_state(drain.clone(), layers::refuse_while_draining));
    let accept = AcceptLoop {
        listener,
        tls: None,
        router,
        drain,
        trusted_proxies: Vec::new(),
        limits: LIMITS,
    };
    let task = tokio::spawn(accept.run());
    shutdown.cancel();
    let get = async |path: &str| {
        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(&request(path)).await.unwrap();
        answer(&mut client).await
    };
    let refused = get("/").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    assert!(get("/healthz").await.starts_with("HTTP/1.1 200"));
    leave.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn a_hard_stop_does_not_wait_for_sockets_that_stay() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shutdown = CancellationToken::new();
    let drain = Drain::new(shutdown.clone(), Duration::from_secs(3600));
    let stays = drain.clone();
    drain.sockets.spawn(async move { stays.forced().await });
    let limits = AcceptLimits { drain_hard: Duration::from_millis(50), ..LIMITS };
    let router = Router::new();
    let accept =
        AcceptLoop { listener, tls: None, router, drain, trusted_proxies: Vec::new(), limits };
    shutdown.cancel();
    accept.run().await;
}

#[tokio::test]
async fn tls_is_spoken_with_the_kept_certificate_and_silence_or_garbage_ends() {
    let dir = tempfile::tempdir().unwrap();
    let source = tls::TlsSource::SelfSigned { dir: dir.path().into() };
    let opened = tls::Tls::open(&source, "127.0.0.1:0".parse().unwrap()).unwrap().unwrap();
    let limits = AcceptLimits { header_timeout: Duration::from_millis(500), ..LIMITS };
    let house = open(limits, Some(TlsAcceptor::from(opened.config.clone()))).await;

    let mut silent = TcpStream::connect(house.addr).await.unwrap();
    let mut garbage = TcpStream::connect(house.addr).await.unwrap();
    garbage.write_all(&[0x55; 4096]).await.unwrap();

    let certificate = CertificateDer::from_pem_file(dir.path().join("cert.pem")).unwrap();
    assert_eq!(tls::spki_fingerprint(&certificate).unwrap(), opened.fingerprint);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(house.addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    client.write_all(&request("/")).await.unwrap();
    let answer = answer(&mut client).await;
    assert!(answer.contains("hello"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "{answer}");

    // Both end by themselves; the test would hang otherwise.
    let mut rest = Vec::new();
    let _ = garbage.read_to_end(&mut rest).await;
    let _ = silent.read_to_end(&mut rest).await;
}

/// Forty attempts in a quarter of an hour from one address, whatever a client writes into headers; behind
/// a proxy that is named, each of its clients has forty of their own.
#[tokio::test]
async fn a_forwarded_address_that_nobody_vouches_for_does_not_open_the_throttle() {
    for (trusted, expected) in [(false, "429"), (true, "422")] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let engine = tokio::task::spawn_blocking(move || {
            let engine = crate::engine::Engine::open(&path, Default::default()).unwrap();
            engine.create_workspace("Works").unwrap();
            engine
        })
        .await
        .unwrap();
        let mut options =
            super::ServeOptions::new("127.0.0.1:0".parse().unwrap(), super::TlsSource::Plain);
        options.drain_spread = Duration::ZERO;
        if trusted {
            options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        }
        let shutdown = CancellationToken::new();
        let serving = super::serve(engine.clone(), options, shutdown.clone()).await.unwrap();
        let addr = serving.local_addr;
        let mut last = String::new();
        for n in 0..41 {
            let mut client = TcpStream::connect(addr).await.unwrap();
            // A code of its own each time: only the address counts.
            let body = format!("code=C{n}&password=short");
            let request = format!(
                "POST /welcome HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.{n}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            client.write_all(request.as_bytes()).await.unwrap();
            last = answer(&mut client).await;
            if n < 40 {
                assert!(last.starts_with("HTTP/1.1 422"), "{n}: {last}");
            }
        }
        assert!(last.starts_with(&format!("HTTP/1.1 {expected}")), "{trusted}: {last}");
        shutdown.cancel();
        serving.task.await.unwrap();
        tokio::task::spawn_blocking(move || engine.shutdown()).await.unwrap();
    }
}
