//! The table of contents of everything that is answered over HTTP.

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get};
use axum::{Extension, Router};

use super::health::{self, Health};
use super::layers;
use crate::sync::{self, Hub};

/// The largest body of a request; pages send forms, and what is larger has a way of its own.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// All routes, with what every request passes around them, outermost last.
pub(super) fn router(health: Health, hub: Hub, office: Router, strict_transport: bool) -> Router {
    let drain = health.drain.clone();
    Router::new()
        // A device's websocket: enrolment and sync.
        .route("/sync", any(sync::upgrade).with_state(hub))
        // For probes: the process lives; it serves.
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        // For Prometheus, on this machine or with a token.
        .route("/metrics", get(health::metrics))
        .with_state(health)
        // The managers' pages.
        .merge(office)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(Extension(drain.clone()))
        .layer(from_fn_with_state(drain, layers::refuse_while_draining))
        .layer(from_fn_with_state(strict_transport, layers::security_headers))
        .layer(from_fn(layers::trace))
}
