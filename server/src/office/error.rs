//! What went wrong, as a page in the same look: the reason and the way out, never a stack.
//!
//! The cause of a failure is logged once, here, without contact data.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::layout;
use crate::admin::request::{Failure, FailureKind};
use crate::engine::Held;
use crate::store::EngineError;

/// Why a page could not be shown or an edit not be made.
#[derive(Debug)]
pub(super) enum OfficeError {
    /// Nobody is signed in; where to go back to afterwards.
    SignIn { next: String },
    /// Nobody is signed in, and the answer is not for a person.
    Nobody,
    /// Signed in, but not allowed.
    Forbidden { reason: String },
    /// There is no such thing in this workspace, or never was: the two look the same.
    NotFound { what: &'static str },
    /// The form could not be taken; the text says what to do.
    Refused { reason: String },
    /// Somebody else wrote what the form was about to overwrite; the value that is there now, and the
    /// form's field that says what was seen.
    Changed { reason: String, field: String, now: String },
    /// Too often, too fast.
    TooMany { seconds: u64 },
    /// More contacts than are usual.
    Held(Box<Held>),
    /// Not now: shutting down, or a queue is full.
    Busy { reason: String },
    /// Ours.
    Failed { cause: String },
}

impl OfficeError {
    pub(super) fn failed(cause: impl std::fmt::Display) -> Self {
        OfficeError::Failed { cause: cause.to_string() }
    }
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        OfficeError::Refused { reason: reason.into() }
    }
}

impl From<EngineError> for OfficeError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound { .. } => OfficeError::NotFound { what: "thing" },
            EngineError::Refused { .. } | EngineError::Taken { .. } | EngineError::Command(_) => {
                OfficeError::Refused { reason: sentence(&error.to_string()) }
            }
            EngineError::Busy { .. } | EngineError::Closed => {
                OfficeError::Busy { reason: sentence(&error.to_string()) }
            }
            other => OfficeError::failed(other),
        }
    }
}

impl From<Failure> for OfficeError {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Refused | FailureKind::Usage => {
                OfficeError::Refused { reason: sentence(&failure.message) }
            }
            FailureKind::Unavailable => OfficeError::Busy { reason: sentence(&failure.message) },
            FailureKind::File | FailureKind::Internal => OfficeError::failed(failure),
        }
    }
}

/// An error's text as a sentence: first letter large, a full stop at the end.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let stop = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}

impl IntoResponse for OfficeError {
    fn into_response(self) -> Response {
        let (status, title, text): (StatusCode, String, String) = match self {
            OfficeError::SignIn { next } => {
                let to = match next.as_str() {
                    "/" | "" => "/sign-in".to_owned(),
                    next => format!("/sign-in?next={}", super::url::encode(next)),
                };
                return Redirect::to(&to).into_response();
            }
            OfficeError::Nobody => return StatusCode::UNAUTHORIZED.into_response(),
            OfficeError::Forbidden { reason } => {
                (StatusCode::FORBIDDEN, t!("error-not-allowed"), reason)
            }
            OfficeError::NotFound { what } => (
                StatusCode::NOT_FOUND,
                t!("error-not-here"),
                match what {
                    "page" => t!("error-no-such-page"),
                    what => t!(
                        "error-no-such",
                        what = super::words::text_or("what", what, || what.to_owned())
                    ),
                },
            ),
            OfficeError::Refused { reason } => {
                (StatusCode::UNPROCESSABLE_ENTITY, t!("error-not-taken"), reason)
            }
            OfficeError::Changed { reason, field, now } => {
                let body = html! {
                    div.tight { h1 { (t!("error-changed")) } p.k data-problem { (reason) } data value=(now) data-was=(field) {} }
                };
                return (StatusCode::CONFLICT, layout::alone(&t!("error-changed"), body))
                    .into_response();
            }
            OfficeError::Busy { reason } => {
                (StatusCode::SERVICE_UNAVAILABLE, t!("error-not-now"), reason)
            }
            OfficeError::Held(held) => {
                let mut response = page(
                    StatusCode::TOO_MANY_REQUESTS,
                    &t!("error-enough"),
                    &sentence(&held.to_string()),
                );
                if let Some(until) = held.until {
                    let at = chrono::DateTime::from_timestamp_millis(until).unwrap_or_default();
                    let text = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                    if let Ok(value) = text.parse() {
                        response.headers_mut().insert("retry-after", value);
                    }
                }
                return response;
            }
            OfficeError::TooMany { seconds } => {
                let minutes = seconds.div_ceil(60);
                let text = t!("error-too-many", minutes = t!("n-minutes", n = minutes));
                let mut response =
                    page(StatusCode::TOO_MANY_REQUESTS, &t!("error-slow-down"), &text);
                response.headers_mut().insert("retry-after", seconds.into());
                return response;
            }
            OfficeError::Failed { cause } => {
                tracing::error!(%cause, "a managers' page failed");
                (StatusCode::INTERNAL_SERVER_ERROR, t!("error-failed"), t!("error-failed-text"))
            }
        };
        page(status, &title, &text)
    }
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let body = html! {
        div.tight { h1 { (title) } p.k data-problem { (text) } }
        p { a.btn href="/" { (t!("error-go-to-today")) } }
        p.hint { (t!("error-number", n = status.as_str().to_owned())) }
    };
    (status, layout::alone(title, body)).into_response()
}
