//! The one listener of the server: TCP, TLS and HTTP/1.1 with bounds and timers on each, the routes,
//! and a shutdown that lets everyone leave in order.
//!
//! What is answered is decided elsewhere ([`crate::sync`], [`crate::office`]); this module must
//! never look into customer data nor log a path or a query.
//!
//! | file | what it holds |
//! |---|---|
//! | `accept` | the accept loop |
//! | `tls` | certificates: from files, self-signed, or none on loopback |
//! | `router` | the table of contents |
//! | `layers` | request ids, log lines, time limits, security headers |
//! | `health` | `/healthz`, `/readyz`, `/metrics` |
//! | `drain` | the spread of a shutdown |
//! | `files` | how many connections the system has room for |
//! | `stall` | giving up on a peer that takes no data |

mod accept;
mod drain;
mod files;
mod health;
mod layers;
mod router;
mod stall;
#[cfg(test)]
mod tests;
pub mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use accept::Peer;
pub(crate) use accept::Place;
pub use drain::Drain;
pub use layers::RequestId;
pub(crate) use layers::unavailable;
pub use tls::{TlsError, TlsSource};

use crate::api::{ApiState, Private};
use crate::engine::Engine;
use crate::office::oidc::{Oidc, OidcOptions};
use crate::office::{OfficeOptions, OfficeState};
use crate::sync::{Hub, SyncOptions};

/// How and where to serve. [`ServeOptions::new`] has the values of the first release.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The certificate.
    pub tls: TlsSource,
    /// The address under which browsers and devices reach the server, where it is not the listening
    /// address. Without a slash at the end.
    pub public_url: Option<String>,
    /// `/metrics` is for this machine, and for whoever sends this token (`Authorization: Bearer`).
    pub metrics_token: Option<String>,
    /// Open connections, browsers and devices together.
    pub connections_max: usize,
    /// How long a TLS handshake, and the headers of a request, may take.
    pub header_timeout: Duration,
    /// Within how much time devices leave when the server shuts down.
    pub drain_spread: Duration,
    /// After how much time those that have not left are cut.
    pub drain_hard: Duration,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The devices' sockets.
    pub sync: SyncOptions,
    /// The company's own identity provider, if people may sign in by it.
    pub oidc: Option<OidcOptions>,
    /// Hosts inside the network that webhooks may be sent to.
    pub webhook_private_hosts: Vec<String>,
}

impl ServeOptions {
    /// The values of the first release.
    pub fn new(listen: SocketAddr, tls: TlsSource) -> Self {
        Self {
            listen,
            tls,
            public_url: None,
            metrics_token: None,
            connections_max: 20_000,
            header_timeout: Duration::from_secs(10),
            drain_spread: Duration::from_secs(30),
            drain_hard: Duration::from_secs(45),
            trusted_proxies: Vec::new(),
            sync: SyncOptions::default(),
            oidc: None,
            webhook_private_hosts: Vec::new(),
        }
    }
}

/// Why the server can't listen.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The certificate, or serving without one, is no good.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The identity provider's settings are no good.
    #[error("{0}")]
    Oidc(String),
    /// The address can't be taken.
    #[error(
        "{listen} can't be listened on: {source}; choose another address with --listen, or stop what holds it"
    )]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// A server that listens.
#[derive(Debug)]
pub struct Serving {
    /// The address, with the port that was taken.
    pub local_addr: SocketAddr,
    /// `http://ADDRESS` or `https://ADDRESS`; the public one where it is configured.
    pub url: String,
    /// The SHA-256 of the certificate's public key, as devices pin it; `None` without TLS.
    pub fingerprint: Option<String>,
    /// Ends when the shutdown is complete: nobody is connected and no request runs. The engine may
    /// be closed then, not before.
    pub task: JoinHandle<()>,
}

/// Listens, and serves until `shutdown` is cancelled and everyone has left.
///
/// # Errors
/// [`HttpError`] where the address or the certificate can't be used; nothing listens then.
pub async fn serve(
    engine: Arc<Engine>,
    options: ServeOptions,
    shutdown: CancellationToken,
) -> Result<Serving, HttpError> {
    health::recorder();
    let mut tls = tls::Tls::open(&options.tls, options.listen)?;
    let bind = |source| HttpError::Bind { listen: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(bind)?;
    let local_addr = listener.local_addr().map_err(bind)?;
    let fingerprint = tls.as_ref().map(|tls| tls.fingerprint.clone());
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = options.public_url.unwrap_or_else(|| format!("{scheme}://{local_addr}"));

    let oidc = match &options.oidc {
        Some(oidc) => Some(Oidc::new(oidc, &url).map_err(HttpError::Oidc)?),
        None => None,
    };

    let drain = Drain::new(shutdown.clone(), options.drain_spread);
    // Ends the helpers when the last connection is gone, not when the drain begins.
    let over = CancellationToken::new();
    if let Some(watch) = tls.as_mut().and_then(|tls| tls.watch(over.clone())) {
        tokio::spawn(watch);
    }
    let hub = Hub::start(engine.clone(), options.sync, drain.clone(), over.clone());
    let office = OfficeState::new(
        engine.clone(),
        OfficeOptions {
            // A proxy in front of a plain listener may be what speaks TLS.
            secure: url.starts_with("https:"),
            oidc,
            shutdown: shutdown.clone(),
        },
    );
    office.sort_anew();
    let private = Private::new(&options.webhook_private_hosts);
    let api = ApiState::new(engine.clone(), private, shutdown.clone());
    let deliver = tokio::spawn(api.clone().deliver());
    let health = health::Health {
        engine,
        drain: drain.clone(),
        metrics_token: options.metrics_token.map(Into::into),
    };
    // A certificate of one's own making must not be nailed down in browsers.
    let strict_transport = matches!(options.tls, TlsSource::Files { .. });
    let router = router::router(
        health,
        hub,
        crate::office::router(office).merge(crate::api::router(api)),
        strict_transport,
    );
    let accept_loop = accept::AcceptLoop {
        listener,
        tls: tls.map(|tls| TlsAcceptor::from(tls.config)),
        router,
        drain,
        trusted_proxies: options.trusted_proxies,
        limits: accept::AcceptLimits {
            connections_max: files::connections_max(options.connections_max),
            header_timeout: options.header_timeout,
            drain_hard: options.drain_hard,
        },
    };
    let task = tokio::spawn(async move {
        accept_loop.run().await;
        // The engine is closed when this task is over: nothing may be sending then.
        let _ = deliver.await;
        over.cancel();
    });
    Ok(Serving { local_addr, url, fingerprint, task })
}
