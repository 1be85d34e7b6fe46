//! Is the process alive, does it serve, and what does it count: for probes and for Prometheus.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::accept::Peer;
use super::drain::Drain;
use super::tls::is_loopback;
use crate::engine::Engine;

/// How long the engine may take to answer the readiness probe.
const READY_MAX: Duration = Duration::from_secs(2);

/// What the probes look at.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) engine: Arc<Engine>,
    pub(super) drain: Drain,
    pub(super) metrics_token: Option<Arc<str>>,
}

/// `GET /healthz`: the process lives and its reactor turns. Says nothing of the store, so that a
/// slow disk does not get the process killed.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the engine answers a read, has not stopped writing, and no shutdown is under way.
pub(super) async fn readyz(State(health): State<Health>) -> Response {
    if health.drain.draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    if let Some(reason) = health.engine.stopped_writing() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response();
    }
    let engine = health.engine.clone();
    let read = tokio::task::spawn_blocking(move || {
        engine.read(|conn| -> crate::store::Result<i64> {
            Ok(conn.query_row("SELECT count(*) FROM workspace", [], |row| row.get(0))?)
        })
    });
    match tokio::time::timeout(READY_MAX, read).await {
        Ok(Ok(Ok(_))) => "ready\n".into_response(),
        Ok(Ok(Err(error))) => {
            tracing::warn!(%error, "not ready: the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the store is too slow\n").into_response(),
    }
}

/// `GET /metrics`: Prometheus text, for loopback peers, or with `Authorization: Bearer TOKEN` where
/// a token is configured. Anyone else gets 404, as if there were none.
pub(super) async fn metrics(
    State(health): State<Health>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if !may_read_metrics(health.metrics_token.as_deref(), peer.ip(), &headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Some(recorder) = recorder() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "metrics are recorded elsewhere\n")
            .into_response();
    };
    recorder.run_upkeep();
    let mut text = recorder.render();
    for (name, value) in health.engine.metrics().each() {
        let now = ["changes_waiting", "merge_queue", "documents_cached", "writer_queue"];
        let kind = if now.contains(&name) { "gauge" } else { "counter" };
        // Writing into a String can't fail.
        let _ =
            write!(text, "# TYPE roadbook_engine_{name} {kind}\nroadbook_engine_{name} {value}\n");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn may_read_metrics(token: Option<&str>, peer: IpAddr, headers: &HeaderMap) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if let (Some(token), Some(given)) = (token, given) {
        // Digests of equal length are compared, so the time says nothing about the token.
        let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        if digest(token).as_ref() == digest(given).as_ref() {
            return true;
        }
    }
    // Behind a proxy on this machine every peer is loopback: the proxy's header gives it away.
    let proxied =
        headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
    !proxied && is_loopback(peer)
}

/// The recorder of this process, installed at the first call. `None` where another one is.
pub(super) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            const SECONDS: [f64; 12] =
                [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
            PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
                .and_then(PrometheusBuilder::install_recorder)
                .inspect_err(|error| tracing::warn!(%error, "no metrics"))
                .ok()
        })
        .as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_for_this_machine_or_for_who_has_the_token() {
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        let remote: IpAddr = "192.0.2.1".parse().unwrap();
        let none = HeaderMap::new();
        let bearer = |token: &str| {
            HeaderMap::from_iter([(
                header::AUTHORIZATION,
                format!("Bearer {token}").parse().unwrap(),
            )])
        };
        let proxied = HeaderMap::from_iter([(
            "x-forwarded-for".parse().unwrap(),
            "192.0.2.1".parse().unwrap(),
        )]);
        assert!(may_read_metrics(None, local, &none));
        assert!(!may_read_metrics(None, local, &proxied));
        assert!(!may_read_metrics(None, remote, &none));
        assert!(!may_read_metrics(None, remote, &bearer("")));
        assert!(may_read_metrics(Some("secret"), remote, &bearer("secret")));
        assert!(!may_read_metrics(Some("secret"), remote, &bearer("other")));
        assert!(!may_read_metrics(Some("secret"), local, &proxied));
        assert!(may_read_metrics(Some("secret"), local, &none));
    }
}
