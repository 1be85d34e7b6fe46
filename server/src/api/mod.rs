//! The HTTP API for other programs, under `/api/v1`: JSON over keys with scopes.
//!
//! | file | what it holds |
//! |---|---|
//! | `routes` | the table of all requests: paths, scopes, parameters, bodies, answers |
//! | `call` | what every request passes: key, rate, scope, parameters, body |
//! | `key` | keys: parsing, checking, rates |
//! | `problem` | every error, as problem details (RFC 9457) |
//! | `contacts` | list and read |
//! | `write`, `commands` | make, edit, archive, assign; JSON becomes typed commands |
//! | `entries` | phones, interactions, deals and so on inside a contact |
//! | `once` | requests that may be repeated: Idempotency-Key |
//! | `changes`, `stream` | the change feed: its events; as lines and as server-sent events |
//! | `webhooks` | the same events, sent to other programs |
//! | `people` | people, teams, devices |
//! | `openapi`, `schemas`, `docs` | the description, from the table of requests; a page to read it |
//!
//! The description and the behaviour come from one table: what is not in it is not answered, and a
//! parameter that is not in it is refused. Every write is a change like any other, made by the server's
//! actor in the name of the key's person. Whatever they may not see answers as what does not exist.

mod call;
mod changes;
mod commands;
mod contacts;
mod docs;
mod entries;
mod key;
mod once;
mod openapi;
mod people;
mod problem;
mod routes;
mod schemas;
mod stream;
mod webhooks;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use roadbook_protocol::ids::UnixMs;
use rusqlite::{Connection, Transaction};
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::store;
use problem::Problem;

pub use key::new_key;

/// Whether an address is one of the API's, so that what the listener refuses is told as its errors are.
pub fn is_its(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is answered where an answer takes too long.
pub fn too_late() -> Response {
    Problem::new(
        "late",
        "The answer took longer than a minute. Ask for less, or again with the same Idempotency-Key: what was begun is not done twice.",
    )
    .into_response()
}

/// What is answered while the server shuts down; to be asked again after so many seconds.
pub fn restarting(seconds: u64) -> Response {
    Problem::new("unavailable", "The server is restarting. Try again when `Retry-After` says.")
        .header(header::RETRY_AFTER, seconds)
        .into_response()
}

/// The kinds of events that a webhook may be sent.
pub fn event_kinds() -> impl Iterator<Item = &'static str> {
    changes::EVENTS.iter().map(|(kind, _)| *kind)
}

pub use webhooks::{
    ATTEMPTS, BACKOFF_MS, NewWebhook, Private, add as add_webhook, remove as remove_webhook,
};

/// Where the API stands.
pub const PREFIX: &str = "/api/v1";

/// What the requests share.
#[derive(Clone)]
pub struct ApiState(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    rates: key::Rates,
    running: once::Running,
    streams: stream::Streams,
    /// Hosts inside the network that webhooks may be sent to.
    private: Private,
    /// Cancelled when the server shuts down: streams end.
    shutdown: CancellationToken,
}

impl ApiState {
    /// The API of an engine. `private` are the hosts inside the network that webhooks may be sent to.
    pub fn new(engine: Arc<Engine>, private: Private, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            engine,
            rates: key::Rates::new(),
            running: once::Running::default(),
            streams: stream::Streams::default(),
            private,
            shutdown,
        }))
    }

    /// Sends webhooks until the server shuts down.
    pub async fn deliver(self) {
        let Inner { engine, private, shutdown, .. } = &*self.0;
        webhooks::deliver::run(Arc::clone(engine), private.clone(), shutdown.clone()).await;
    }

    fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }
    fn now(&self) -> UnixMs {
        self.0.engine.now_ms()
    }

    /// Something that blocks on the engine, away from the async threads.
    async fn engine_do<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> store::Result<T> + Send + 'static,
    {
        let engine = self.engine().clone();
        Ok(tokio::task::spawn_blocking(move || work(&engine)).await.map_err(Problem::failed)??)
    }

    /// Reads from the database.
    async fn read<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> store::Result<T> + Send + 'static,
    {
        self.engine_do(move |engine| engine.read(work)).await
    }

    /// Writes to the database; durable on return.
    async fn write<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> store::Result<T> + Send + 'static,
    {
        self.engine_do(move |engine| engine.write(work)).await
    }
}

/// The API as a router.
pub fn router(state: ApiState) -> Router {
    call::router(state)
}
