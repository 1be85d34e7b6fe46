//! `serve`: settings become a running server, and a signal becomes an orderly end.
//!
//! Order of the start: address and certificate are judged, the data directory is taken, the address
//! is listened on, the control socket answers, and only then is the ready line printed. Order of
//! the end: nobody new, everybody leaves, commands finish, the engine is closed.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::control::{Control, Handler};
use super::execute::{Context, ensure_workspace, execute, first_sign_in};
use super::request::{Failure, FailureKind};
use super::run::code_ms;
use crate::config::{Config, Tls};
use crate::engine::{Engine, EngineError, EngineOptions};
use crate::http::{self, HttpError, ServeOptions, TlsSource};
use crate::office::oidc::OidcOptions;
use crate::store::audit;
use crate::sync::SyncOptions;

/// How much longer than the drain a shutdown may take.
const HARD_STOP_AFTER: Duration = Duration::from_secs(15);

/// The action of an entry that says with which settings the server runs.
const CONFIGURATION: &str = "configuration";

/// Runs the server until SIGTERM or SIGINT.
pub fn serve(config: Config) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            Failure::new(FailureKind::Internal, format!("no threads to be had: {error}"))
        })?;
    let outcome = runtime.block_on(run(config));
    // What still blocks after the orderly end is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn run(config: Config) -> Result<(), Failure> {
    let options = options(&config)?;
    let mut ends = Ends::new()?;
    let dir = config.data.clone();
    let engine_options = EngineOptions {
        merge_threads: config.merge_threads(),
        ledger: config.ledger.clone(),
        ..EngineOptions::default()
    };
    let engine = blocking(move || {
        let engine = Engine::open(&dir, engine_options)?;
        ensure_workspace(&engine)?;
        Ok::<_, EngineError>(engine)
    })
    .await??;
    let shutdown = CancellationToken::new();
    let outcome = listen(&config, options, &engine, &shutdown, &mut ends).await;
    shutdown.cancel();
    blocking(move || engine.shutdown()).await?;
    outcome
}

async fn listen(
    config: &Config,
    options: ServeOptions,
    engine: &Arc<Engine>,
    shutdown: &CancellationToken,
    ends: &mut Ends,
) -> Result<(), Failure> {
    let scheme = if options.tls == TlsSource::Plain { "http" } else { "https" };
    let serving =
        http::serve(Arc::clone(engine), options, shutdown.clone()).await.map_err(http_failure)?;
    let context = Context {
        url: Some(serving.url.clone()),
        fingerprint: serving.fingerprint.clone(),
        code_ms: code_ms(config),
    };
    let control = match Control::bind(&config.data) {
        Ok(control) => control,
        Err(error) => {
            shutdown.cancel();
            let _ = serving.task.await;
            return Err(Failure::file(
                &config.control_socket(),
                format!("the control socket can't be made: {error}"),
            ));
        }
    };
    // Commands may still come while devices leave, and end before the engine does.
    let control_end = CancellationToken::new();
    let control = tokio::spawn(
        control.serve(handler(Arc::clone(engine), context.clone()), control_end.clone()),
    );

    {
        let (engine, config) = (Arc::clone(engine), config.clone());
        blocking(move || note_configuration(&engine, &config)).await??;
    }
    let first = {
        let engine = Arc::clone(engine);
        blocking(move || first_links(&engine, &context)).await??
    };
    // A closed stdout or stderr is no reason not to serve.
    let mut out = std::io::stdout();
    let _ =
        writeln!(out, "listening on {scheme}://{}", serving.local_addr).and_then(|()| out.flush());
    let mut err = std::io::stderr();
    if let Some(fingerprint) = &serving.fingerprint {
        let _ = writeln!(err, "fingerprint of the certificate's key: {fingerprint}");
    }
    for link in &first {
        let _ = writeln!(err, "{link}");
    }

    let mut task = serving.task;
    let ended = tokio::select! {
        name = ends.next() => {
            tracing::info!(signal = name, "shutting down");
            shutdown.cancel();
            tokio::select! {
                ended = &mut task => ended,
                name = ends.next() => {
                    tracing::warn!(signal = name, "a second signal: not waiting for anyone");
                    Ok(())
                }
            }
        }
        ended = &mut task => ended,
    };
    control_end.cancel();
    let _ = control.await;
    ended.map_err(|error| {
        Failure::new(FailureKind::Internal, format!("the listener failed: {error}"))
    })
}

fn handler(engine: Arc<Engine>, context: Context) -> Arc<Handler> {
    Arc::new(move |call, files, output| execute(&engine, &context, call, &files, output))
}

/// One-time links for workspaces whose admin never signed in.
fn first_links(engine: &Engine, context: &Context) -> Result<Vec<String>, EngineError> {
    let mut links = Vec::new();
    for workspace in engine.workspaces()? {
        links.extend(first_sign_in(engine, context, workspace.id)?);
    }
    Ok(links)
}

/// Puts into the audit log that the server runs with other settings than before: a fingerprint of them,
/// and what counts for who comes in. Settings name files, and hold no secrets.
fn note_configuration(engine: &Engine, config: &Config) -> Result<(), EngineError> {
    let print = crate::store::sql::sha256(format!("{config:?}").as_bytes());
    let detail = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "fingerprint": hex::encode(print),
        "plain": config.plain,
        "trusted_proxies": config.trusted_proxies.len(),
        "code_minutes": config.code_minutes,
        "webhook_private_hosts": config.webhook_private_hosts.len(),
        "oidc": config.oidc_issuer.is_some(),
    });
    let ask = audit::Ask { action: Some(CONFIGURATION.to_owned()), ..audit::Ask::default() };
    let text = detail.to_string();
    for workspace in engine.workspaces()? {
        let last = engine.read(|conn| audit::list(conn, workspace.id, &ask, 1, 0))?;
        if last.first().is_some_and(|entry| entry.detail == text) {
            continue;
        }
        let (detail, now) = (detail.clone(), engine.now_ms());
        engine.write(move |tx| -> Result<(), EngineError> {
            audit::append(tx, workspace.id, now, None, CONFIGURATION, "", &detail)
        })?;
    }
    Ok(())
}

/// The settings in the form that the listener takes; refuses what would be unsafe.
fn options(config: &Config) -> Result<ServeOptions, Failure> {
    let addresses = config.listen_addresses()?;
    let listen = *addresses.first().ok_or_else(|| {
        Failure::new(
            FailureKind::Usage,
            format!("listen address `{}`: the name has no address", config.listen),
        )
    })?;
    let tls = match config.tls()? {
        Tls::Files { cert, key } => TlsSource::Files { cert, key },
        Tls::SelfSigned => TlsSource::SelfSigned { dir: config.data.join("tls") },
        Tls::Plain => TlsSource::Plain,
    };
    let metrics_token = match &config.metrics_token_file {
        None => None,
        Some(path) => {
            let token = first_line(path)?;
            if token.len() < 16 {
                return Err(Failure::file(
                    path,
                    "its first line is no token of 16 characters or more",
                ));
            }
            Some(token)
        }
    };
    let oidc = match config.provider()? {
        None => None,
        Some((issuer, client_id)) => Some(OidcOptions {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: match &config.oidc_client_secret_file {
                None => None,
                Some(path) => Some(match first_line(path)? {
                    secret if secret.is_empty() => {
                        return Err(Failure::file(path, "its first line is empty"));
                    }
                    secret => secret,
                }),
            },
            claim: config.oidc_claim.clone(),
            name: config.oidc_name.clone(),
            workspace: config.oidc_workspace.clone(),
            second_factor: config.oidc_second_factor,
            ca: config.oidc_ca_file.clone(),
        }),
    };
    let sync = SyncOptions {
        messages_per_second: f64::from(config.device_messages_per_second),
        messages_burst: f64::from(config.device_messages_burst),
        // At most 2^30: exact.
        bytes_per_second: config.device_bytes_per_second as f64,
        // Browsers keep a fifth of the places.
        sockets_max: (config.connections_max / 5 * 4).max(1),
        ..SyncOptions::default()
    };
    let drain = Duration::from_secs(config.drain_seconds);
    Ok(ServeOptions {
        public_url: config.public_url.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        metrics_token,
        connections_max: config.connections_max,
        header_timeout: Duration::from_secs(config.header_seconds),
        drain_spread: drain,
        drain_hard: drain + HARD_STOP_AFTER,
        sync,
        oidc,
        webhook_private_hosts: config.webhook_private_hosts.clone(),
        ..ServeOptions::new(listen, tls)
    })
}

/// The first line of a file that holds a secret.
fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn http_failure(error: HttpError) -> Failure {
    let kind = match &error {
        HttpError::Bind { .. } => FailureKind::Unavailable,
        HttpError::Tls(_) => FailureKind::File,
        HttpError::Oidc(_) => FailureKind::Usage,
    };
    Failure::new(kind, error.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::new(FailureKind::Internal, format!("a thread failed: {error}")))
}

/// The signals that end the server.
struct Ends {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Ends {
    fn new() -> Result<Self, Failure> {
        let of = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(FailureKind::Internal, format!("signals can't be heard: {error}"))
            })
        };
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
