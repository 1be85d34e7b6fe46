//! `GET /sync`: from an HTTP request to a device's websocket, if there is room.
//!
//! The handshake is our own few lines rather than axum's, since axum's socket can't cut what it
//! sends into frames.

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::driver::Driver;
use super::hub::Hub;
use super::socket::Socket;
use crate::http::{Peer, Place, unavailable};

/// Answers the upgrade and starts the connection's task.
pub(crate) async fn upgrade(
    State(hub): State<Hub>,
    Extension(peer): Extension<Peer>,
    Extension(place): Extension<Place>,
    mut request: Request,
) -> Response {
    let headers = request.headers();
    if !same_origin(headers) {
        metrics::counter!("roadbook_connections_refused_total", "reason" => "origin").increment(1);
        return (StatusCode::FORBIDDEN, "a page of another site can't connect here\n")
            .into_response();
    }
    let key = match websocket_key(request.method(), headers) {
        Ok(key) => key,
        Err(refused) => return refused,
    };
    let accept = derive_accept_key(key.as_bytes());
    let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::UPGRADE_REQUIRED, "this connection can't be upgraded\n")
            .into_response();
    };
    let Some(admission) = hub.admit() else {
        metrics::counter!("roadbook_connections_refused_total", "reason" => "sockets").increment(1);
        return unavailable(
            hub.drain(),
            "too many devices are connected; the app tries again by itself\n",
        );
    };
    let sockets = hub.drain().sockets.clone();
    sockets.spawn(async move {
        let _held = (place, admission, Counted::new());
        // The peer may vanish between its request and our answer.
        let Ok(upgraded) = upgrade.await else { return };
        let limits = hub.options().limits;
        let socket = Socket::new(TokioIo::new(upgraded), &limits).await;
        Driver::new(hub, socket, peer).run().await;
    });
    (
        StatusCode::SWITCHING_PROTOCOLS,
        [
            (header::CONNECTION, "upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_ACCEPT, accept.as_str()),
        ],
    )
        .into_response()
}

/// Whether the request may come from a page in a browser, if it does. Devices send no `Origin`; a browser
/// always does, and lets any page open a socket to anywhere.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
        }
        _ => false,
    }
}

/// An open socket, among them those whose device nobody knows yet.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("roadbook_sync_sockets").increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("roadbook_sync_sockets").decrement(1);
    }
}

#[expect(
    clippy::result_large_err,
    reason = "once per connection, and the answer goes out as it is"
)]
fn websocket_key(method: &Method, headers: &HeaderMap) -> Result<String, Response> {
    let has = |name: header::HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    if *method != Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")]).into_response());
    }
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err((
            StatusCode::UPGRADE_REQUIRED,
            [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")],
            "devices connect here with a websocket; enrol one with `roadbook enroll`\n",
        )
            .into_response());
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err((
            StatusCode::UPGRADE_REQUIRED,
            [(header::SEC_WEBSOCKET_VERSION, "13")],
            "websocket version 13 is spoken here\n",
        )
            .into_response());
    }
    headers
        .get(header::SEC_WEBSOCKET_KEY)
        .and_then(|value| value.to_str().ok())
        .filter(|key| key.len() == 24)
        .map(str::to_owned)
        .ok_or_else(|| {
            (StatusCode::BAD_REQUEST, "the header Sec-WebSocket-Key is missing\n").into_response()
        })
}
