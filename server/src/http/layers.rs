//! What every request passes: an id, a place in the log without customer data, a time limit, the
//! refusal while draining, and the headers that keep a browser careful.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ring::rand::{SecureRandom, SystemRandom};

use super::drain::Drain;
use crate::api;

/// How long an answer may take to begin.
const REQUEST_MAX: Duration = Duration::from_secs(60);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: 16 hexadecimal digits, in the log and in the answer's `x-request-id`, so
/// that a person who reports an error and the log can be brought together.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

fn request_id() -> RequestId {
    let mut bytes = [0u8; 8];
    let _ = SystemRandom::new().fill(&mut bytes);
    RequestId(format!("{:016x}", u64::from_be_bytes(bytes)).into())
}

/// Outermost: id, log line, metric, time limit.
pub(super) async fn trace(mut request: Request, next: Next) -> Response {
    let id = request_id();
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    // The pattern, not the path, and never the query: those can name a customer.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let to_api = api::is_its(request.uri().path());
    let begun = Instant::now();
    let mut response = match tokio::time::timeout(REQUEST_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) if to_api => api::too_late(),
        Err(_) => {
            (StatusCode::GATEWAY_TIMEOUT, "the answer took too long; try again\n").into_response()
        }
    };
    let status = response.status();
    let ms = begun.elapsed().as_secs_f64() * 1000.0;
    metrics::counter!("roadbook_http_requests_total", "status" => status_class(status))
        .increment(1);
    metrics::histogram!("roadbook_http_request_seconds").record(ms / 1000.0);
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(id = %id.0, %method, %route, status = status.as_u16(), ms, "request failed");
    } else {
        tracing::debug!(id = %id.0, %method, %route, status = status.as_u16(), ms, "request");
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// While draining everything but `/healthz` is told to come back.
pub(super) async fn refuse_while_draining(
    State(drain): State<Drain>,
    request: Request,
    next: Next,
) -> Response {
    if drain.draining() && request.uri().path() != "/healthz" {
        if api::is_its(request.uri().path()) {
            let mut response = api::restarting(drain.retry_after().as_secs().max(1));
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return response;
        }
        return unavailable(&drain, "the server is restarting; try again in a moment\n");
    }
    next.run(request).await
}

/// 503 with the time after which to try again, spread over the clients.
pub(crate) fn unavailable(drain: &Drain, message: &'static str) -> Response {
    let seconds = drain.retry_after().as_secs().max(1).to_string();
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, seconds.as_str()), (header::CONNECTION, "close")],
        message,
    )
        .into_response()
}

/// The headers of a careful browser, where the page did not set its own.
pub(super) async fn security_headers(
    State(strict_transport): State<bool>,
    request: Request,
    next: Next,
) -> Response {
    const HEADERS: [(HeaderName, &str); 7] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'",
        ),
        // Pages hold customer data: neither the browser nor anything between keeps a copy.
        (header::CACHE_CONTROL, "no-store"),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        set_default(headers, name, value);
    }
    if strict_transport {
        set_default(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

fn set_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
