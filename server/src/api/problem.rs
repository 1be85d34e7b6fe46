//! What went wrong, as problem details (RFC 9457): the thing, the reason, the way out.
//!
//! The cause of a failure of ours is logged once, here, without contact data.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use roadbook_protocol::document::CommandError;
use roadbook_protocol::ids::UnixMs;
use serde_json::{Map, Value, json};

use crate::engine::{CHANGED, Held};
use crate::store::EngineError;

/// Every kind of problem: code, status, title, and what it means, as the reference page lists them.
pub(super) const KINDS: &[(&str, u16, &str, &str)] = &[
    (
        "bad-request",
        400,
        "The request makes no sense",
        "A parameter, a header or an id is not what it should be; `detail` says which.",
    ),
    (
        "bad-filter",
        400,
        "The filter can't be read",
        "`filter` is not in the filter language; `at` is where, in characters from 1.",
    ),
    (
        "no-key",
        401,
        "No valid key",
        "Send `Authorization: Bearer KEY` with a key that exists and is not revoked.",
    ),
    ("scope", 403, "The key may not do this", "The key lacks the scope, or its person the right."),
    (
        "not-found",
        404,
        "Not here",
        "It does not exist, was erased, or is not within the reach of the key's person: these look the same.",
    ),
    ("method", 405, "Not that way", "The address takes other methods; `Allow` names them."),
    ("slow", 408, "Too slow", "The body did not arrive in time."),
    (
        "conflict",
        409,
        "Not as things are",
        "Somebody else holds the name, or a request with the same Idempotency-Key is still running.",
    ),
    (
        "gone",
        410,
        "The position is gone",
        "The change feed can't go on from there; `resume` says from where it can.",
    ),
    (
        "changed",
        412,
        "Changed meanwhile",
        "The thing is not what `If-Match` says any more. Read it again, and decide.",
    ),
    ("too-large", 413, "Too large", "The body is larger than is taken."),
    ("media-type", 415, "Not JSON", "Send `Content-Type: application/json`."),
    (
        "refused",
        422,
        "Not taken",
        "The request could be read, and what it asks is not allowed; `field` names the field where it is about one.",
    ),
    (
        "key-reused",
        422,
        "The Idempotency-Key was used for something else",
        "Take a new key for a new request.",
    ),
    ("rate", 429, "Too many requests", "Wait as many seconds as `Retry-After` says."),
    (
        "held",
        429,
        "Enough for now",
        "The keys of this person read more contacts than is usual. Managers were told; an administrator lifts it or raises the limit `api`.",
    ),
    (
        "failed",
        500,
        "That did not work",
        "A failure inside the server; nothing was changed. Its log has the reason.",
    ),
    (
        "unavailable",
        503,
        "Not now",
        "The server is busy, shutting down, or waits for an administrator. Try again later.",
    ),
    (
        "late",
        504,
        "Too late",
        "The answer took longer than a minute. A write with an Idempotency-Key may be sent again safely.",
    ),
];

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    code: &'static str,
    detail: String,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    /// A problem of this kind; `detail` names the thing, the reason and the way out.
    pub(super) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), more: Map::new(), headers: Vec::new() }
    }
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new("bad-request", detail)
    }
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(
            "not-found",
            format!(
                "There is no such {what}, it was erased, or it is not within the reach of this key's person; look it up in the list."
            ),
        )
    }
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::new("refused", detail)
    }
    pub(super) fn changed() -> Self {
        Self::new(
            "changed",
            "The contact was changed since you read it; read it again, and make the edit on what it is now.",
        )
    }
    pub(super) fn failed(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request of the API failed");
        Self::new(
            "failed",
            "The server could not do this. Nothing was changed. Try again; if it stays, the server's log has the reason.",
        )
    }
    /// More contacts were read than is usual.
    pub(super) fn held(held: &Held, now: UnixMs) -> Self {
        let problem = Self::new("held", sentence(&held.to_string()));
        match held.until {
            Some(until) => problem.header(header::RETRY_AFTER, ((until - now) / 1000).max(1)),
            None => problem,
        }
    }
    /// A further member of the answer.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
    /// A header of the answer.
    pub(super) fn header(mut self, name: HeaderName, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
    fn kind(&self) -> (u16, &'static str) {
        KINDS
            .iter()
            .find(|(code, ..)| *code == self.code)
            .map_or((500, "That did not work"), |(_, status, title, _)| (*status, *title))
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let text = sentence(&error.to_string());
        match error {
            EngineError::NotFound { .. } => Problem::not_found("thing"),
            EngineError::Taken { .. } => Problem::new("conflict", text),
            EngineError::Refused { code: CHANGED, .. } => Problem::changed(),
            EngineError::Refused { code: "erased", .. } => Problem::not_found("contact"),
            EngineError::Refused { code, .. } => Problem::refused(text).with("code", code),
            EngineError::Command(error) => {
                let problem = Problem::refused(text);
                match error {
                    CommandError::UnknownField { field, .. }
                    | CommandError::Invalid { field, .. }
                    | CommandError::TooLarge { field, .. } => problem.with("field", field),
                    CommandError::NoSuchEntry { .. } => Problem::not_found("entry"),
                    _ => problem,
                }
            }
            EngineError::Busy { .. } | EngineError::Closed | EngineError::NotCommitted { .. } => {
                Problem::new("unavailable", text).header(header::RETRY_AFTER, 2)
            }
            other if other.is_disk_full() => {
                tracing::error!(error = %other, "a request of the API failed");
                Problem::new(
                    "unavailable",
                    "The server's disk is full; its administrator has to make room.",
                )
                .header(header::RETRY_AFTER, 60)
            }
            other => Problem::failed(other),
        }
    }
}

/// An error's text as a sentence: first letter large, a full stop at the end.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let stop = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title) = self.kind();
        let mut body = self.more;
        // The members of the standard win over further ones of the same name.
        body.insert("type".to_owned(), json!(format!("{}/docs#{}", super::PREFIX, self.code)));
        body.insert("title".to_owned(), json!(title));
        body.insert("status".to_owned(), json!(status));
        body.insert("detail".to_owned(), json!(self.detail));
        let mut response = Response::new(Body::from(Value::Object(body).to_string()));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        if status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
