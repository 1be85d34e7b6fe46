//! The change feed over HTTP: as lines of JSON, and as server-sent events.
//!
//! Pages are read when the one before has been sent: memory is bounded, and a reader that takes nothing is
//! ended by its connection. The key is looked at anew for each page and at each sign of life, so a key that
//! was revoked reads no further.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use roadbook_protocol::ids::{ContactId, Cursor, TimelineId, WorkspaceId};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until};

use super::call::{Call, Outcome, raw};
use super::changes::{self, Page, Position};
use super::problem::Problem;
use super::{ApiState, key};
use crate::engine::{Event, Reader, Reading};

/// Streams of one key at a time.
const OF_KEY_MAX: usize = 4;
/// Streams of all keys at a time.
const ALL_MAX: usize = 64;
/// A sign of life comes so often.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream of events ends after this time; the reader comes again by itself.
const STREAM_MAX: Duration = Duration::from_secs(10 * 60);
/// How long a request for lines may wait for something to happen, in seconds.
pub(super) const WAIT_S_MAX: u64 = 50;

/// How many streams there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<String, usize>>>);

struct Place {
    streams: Streams,
    key: String,
}

impl Streams {
    fn take(&self, key: &str) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.values().sum::<usize>() >= ALL_MAX {
            return None;
        }
        let of_key = all.entry(key.to_owned()).or_default();
        if *of_key >= OF_KEY_MAX {
            return None;
        }
        *of_key += 1;
        Some(Place { streams: self.clone(), key: key.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.key);
            }
        }
    }
}

/// Where a stream stands.
struct Streaming {
    state: ApiState,
    /// The key is in here.
    headers: HeaderMap,
    workspace: WorkspaceId,
    timeline: TimelineId,
    events: Receiver<Event>,
    cursor: Cursor,
    /// Server-sent events, not lines.
    sse: bool,
    /// Lines: how long to wait where there is nothing. Events: the end of the stream.
    until: Instant,
    /// Events that may still be told; lines only.
    left: u64,
    told: bool,
    over: bool,
    first: bool,
    _place: Place,
}

/// `GET /changes`
pub(super) async fn stream(call: Call) -> Outcome {
    let sse =
        call.header(header::ACCEPT).is_some_and(|accept| accept.contains("text/event-stream"));
    let wait = call.number("wait", (0, WAIT_S_MAX), 0)?;
    let left = call.number("limit", (1, 1_000_000), u64::MAX)?;
    let place = call.state.0.streams.take(&call.access.key).ok_or_else(|| {
        Problem::new(
            "rate",
            format!("A key reads the feed at most {OF_KEY_MAX} times at once, all keys together {ALL_MAX} times. End another reader first."),
        )
        .header(header::RETRY_AFTER, 5)
    })?;
    // Subscribed before anything is read: what happens in between wakes the stream.
    let events = call.state.engine().events();
    let since = match (sse, call.header("last-event-id")) {
        (true, Some(last)) if !last.is_empty() => Some(last.to_owned()),
        _ => call.query("since").map(str::to_owned),
    };
    let workspace = call.access.workspace;
    let (timeline, cursor) = call
        .state
        .engine_do(move |engine| {
            let timeline = engine.timeline(workspace)?;
            let begun = engine.read(|conn| changes::begin(conn, workspace, since.as_deref()))?;
            Ok((timeline, begun))
        })
        .await?;
    let life = if sse { STREAM_MAX } else { Duration::from_secs(wait) };
    let streaming = Streaming {
        state: call.state,
        headers: call.headers,
        workspace,
        timeline,
        events,
        cursor: cursor?,
        sse,
        until: Instant::now() + life,
        left,
        told: false,
        over: false,
        first: true,
        _place: place,
    };
    let kind = if sse { "text/event-stream" } else { "application/x-ndjson" };
    let mut response: Response = raw(
        StatusCode::OK,
        Vec::new(),
        &[
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::HeaderName::from_static("x-accel-buffering"), "no".to_owned()),
        ],
    );
    *response.body_mut() =
        Body::from_stream(futures_util::stream::unfold(streaming, |mut streaming| async move {
            let chunk = streaming.next().await?;
            Some((Ok::<_, Infallible>(Bytes::from(chunk)), streaming))
        }));
    Ok(response)
}

impl Streaming {
    /// The next piece of the answer; `None` ends it.
    async fn next(&mut self) -> Option<String> {
        if std::mem::take(&mut self.first) && self.sse {
            return Some("retry: 1000\n: hello\n\n".to_owned());
        }
        loop {
            if self.over || self.state.0.shutdown.is_cancelled() {
                return None;
            }
            let page = self.read().await?;
            let text = self.render(&page);
            self.cursor = page.reached;
            self.told |= !page.events.is_empty();
            let full = self.left == 0;
            if !self.sse && (full || (!page.more && (self.told || Instant::now() >= self.until))) {
                self.over = true;
                return Some(text + &self.position(page.more || full));
            }
            if !text.is_empty() {
                return Some(text);
            }
            if page.more {
                continue;
            }
            match self.wait().await {
                Woken::News => {}
                Woken::Silence => {
                    if self.sse {
                        // The place moves on although there is nothing in it for this reader.
                        return Some(self.position(false));
                    }
                    if Instant::now() < self.until {
                        return Some("\n".to_owned());
                    }
                }
                Woken::End => return None,
            }
        }
    }

    /// The next page, if the key still opens it.
    async fn read(&mut self) -> Option<Page> {
        let access = key::check(&self.state, &self.headers).await.ok()?;
        let (timeline, since) = (self.timeline, self.cursor);
        let rights = access.rights;
        let reader = Reader { workspace: access.workspace, user: access.user, device: None };
        let page = self
            .state
            .engine_do(move |engine| {
                let page = engine.read(|conn| changes::page(conn, &rights, timeline, since))?;
                let shown: Vec<ContactId> = page
                    .events
                    .iter()
                    .filter(|event| event.body.get("data").is_some_and(|data| !data.is_null()))
                    .map(|event| event.contact)
                    .collect();
                // Who reads more than is usual is held back: the stream ends, and the place stays.
                let held = engine.take_shown(reader, Reading::Api, &shown)?;
                Ok(held.is_none().then_some(page))
            })
            .await;
        let mut page = page.ok()??;
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        if page.events.len() >= most {
            page.more |= page.events.len() > most;
            page.events.truncate(most);
            page.reached = page.events.last().map_or(page.reached, |event| event.cursor);
        }
        self.left -= page.events.len() as u64;
        Some(page)
    }

    fn render(&self, page: &Page) -> String {
        let mut text = String::new();
        for event in &page.events {
            let body = json!(event.body);
            // Writing to a string does not fail.
            let _ = match self.sse {
                true => write!(
                    text,
                    "id: {}\nevent: {}\ndata: {body}\n\n",
                    Position { timeline: self.timeline, cursor: event.cursor },
                    event.kind
                ),
                false => writeln!(text, "{body}"),
            };
        }
        text
    }

    /// Up to where everything was told.
    fn position(&self, more: bool) -> String {
        let position = Position { timeline: self.timeline, cursor: self.cursor }.to_string();
        match self.sse {
            true => format!("id: {position}\nevent: feed.position\ndata: {{}}\n\n"),
            false => {
                let line = json!({ "cursor": position, "type": "feed.position", "more": more });
                format!("{line}\n")
            }
        }
    }

    /// Waits until something happened here, for a sign of life, or for the end.
    async fn wait(&mut self) -> Woken {
        let shutdown = self.state.0.shutdown.clone();
        let beat = (Instant::now() + HEARTBEAT).min(self.until);
        loop {
            let event = tokio::select! {
                () = shutdown.cancelled() => return Woken::End,
                () = sleep_until(beat) => {
                    return match self.sse && Instant::now() >= self.until {
                        true => Woken::End,
                        false => Woken::Silence,
                    };
                }
                event = self.events.recv() => event,
            };
            let here = match event {
                Ok(Event::Merged { workspace, .. } | Event::Access { workspace, .. }) => {
                    workspace == self.workspace
                }
                Ok(_) => false,
                Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return Woken::End,
            };
            if here {
                return Woken::News;
            }
        }
    }
}

/// Why a wait ended.
enum Woken {
    News,
    Silence,
    End,
}
