//! The event stream of a page: hints of the engine, each turned into what a list or the feed shows.
//!
//! A hint is a contact; its row is read again from the projection, so a hint that is lost, doubled
//! or late harms nothing. The id of an event is the public cursor: a page that reconnects says up to
//! where it knows, and is told to read itself again if there is more. Nothing here is buffered
//! without bound: a page that lags behind is told the same.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sse, KeepAlive, Sse as SseResponse};
use futures_util::Stream;
use roadbook_protocol::ids::{ContactId, Cursor, WorkspaceId};
use roadbook_protocol::wire::Fate;
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until};

use super::columns::Columns;
use super::contacts::Line;
use super::error::OfficeError;
use super::session::Viewer;
use super::words::{self, Language};
use super::{OfficeState, feed, today};
use crate::engine::Event;
use crate::rights::Rights;
use crate::store::{people, workspaces};

/// More contacts than this at once are one "read yourself again".
const TOLD_MAX: usize = 16;
/// Events of the engine that are taken together.
const BATCH_MAX: usize = 64;
/// Devices that are seen are told of at most so often.
const DEVICES_EVERY: Duration = Duration::from_secs(2);
/// A stream ends after this time, so that the session behind it is looked at again.
const STREAM_MAX: Duration = Duration::from_secs(5 * 60);
/// Silence is broken so often: a dead connection is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How soon a browser reconnects.
const RETRY: Duration = Duration::from_millis(1_000);

#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    since: Option<Cursor>,
}

/// What happened since the last look, folded together.
#[derive(Debug, Default)]
struct Hints {
    contacts: Vec<(ContactId, Cursor)>,
    /// Read yourself again: too much happened, or nobody knows what.
    refresh: bool,
    devices: bool,
    cursor: Cursor,
}

impl Hints {
    /// Takes one event in, if it is of this workspace.
    fn take(&mut self, workspace: WorkspaceId, event: &Event) {
        match event {
            Event::Merged { workspace: of, cursor, contacts } if *of == workspace => {
                self.cursor = self.cursor.max(*cursor);
                for merged in contacts.iter() {
                    self.contacts.retain(|(contact, _)| *contact != merged.contact);
                    self.contacts.push((merged.contact, merged.cursor));
                    if self.contacts.len() > TOLD_MAX {
                        self.contacts.clear();
                        self.refresh = true;
                    }
                }
            }
            Event::Access { workspace: of, cursor, .. } if *of == workspace => {
                self.cursor = self.cursor.max(*cursor);
                self.refresh = true;
            }
            // Merged ones are told above; the others change what waits for a decision.
            Event::Fates { workspace: of, fates, .. } if *of == workspace => {
                self.refresh |=
                    fates.iter().any(|fate| !matches!(fate.fate, Fate::Merged | Fate::Stored));
            }
            Event::Proposals { workspace: of, .. }
            | Event::Alert { workspace: of }
            | Event::CustomFields { workspace: of }
            | Event::Lists { workspace: of, .. }
                if *of == workspace =>
            {
                self.refresh = true;
            }
            Event::DeviceSeen { workspace: of, .. } | Event::Revoked { workspace: of, .. }
                if *of == workspace =>
            {
                self.devices = true;
            }
            _ => {}
        }
    }
}

struct Streaming {
    state: OfficeState,
    viewer: Viewer,
    events: Receiver<Event>,
    /// The newest cursor that the page was told of.
    known: Cursor,
    ready: VecDeque<Sse>,
    devices_due: bool,
    devices_told: Instant,
    end: Instant,
    /// What is told is told in the language of who reads it.
    language: Language,
}

/// `GET /events`
pub(super) async fn stream(
    viewer: Viewer,
    State(state): State<OfficeState>,
    headers: HeaderMap,
    Query(ask): Query<Ask>,
) -> Result<impl IntoResponse, OfficeError> {
    let last =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    // Subscribed before the cursor is read: what is merged in between is told twice, never missed.
    let events = state.engine().events();
    let workspace = viewer.workspace;
    let public = state.read(move |conn| workspaces::cursor(conn, workspace)).await?;
    let known = last.or(ask.since).unwrap_or(public);
    let mut ready = VecDeque::from([Sse::default().retry(RETRY).comment("hello")]);
    // A cursor from before a restore lies beyond ours.
    if known != public {
        ready.push_back(refresh(public));
    }
    let now = Instant::now();
    let streaming = Streaming {
        state,
        viewer,
        events,
        known: public,
        ready,
        devices_due: false,
        devices_told: now,
        end: now + STREAM_MAX,
        language: words::current(),
    };
    let response =
        SseResponse::new(unfold(streaming)).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok(([("x-accel-buffering", "no")], response))
}

fn unfold(streaming: Streaming) -> impl Stream<Item = Result<Sse, Infallible>> + Send {
    futures_util::stream::unfold(streaming, |mut streaming| async move {
        loop {
            if let Some(event) = streaming.ready.pop_front() {
                return Some((Ok(event), streaming));
            }
            let hints = streaming.wait().await?;
            words::scope(streaming.language, streaming.prepare(hints)).await;
        }
    })
}

impl Streaming {
    /// Waits for something to tell; `None` ends the stream.
    async fn wait(&mut self) -> Option<Hints> {
        let mut hints = Hints::default();
        let shutdown = self.state.shutdown().clone();
        let devices_at =
            if self.devices_due { self.devices_told + DEVICES_EVERY } else { self.end };
        let first = tokio::select! {
            () = shutdown.cancelled() => return None,
            () = sleep_until(self.end) => return None,
            () = sleep_until(devices_at) => {
                hints.devices = true;
                return Some(hints);
            }
            first = self.events.recv() => first,
        };
        match first {
            Ok(event) => hints.take(self.viewer.workspace, &event),
            Err(RecvError::Lagged(_)) => hints.refresh = true,
            Err(RecvError::Closed) => return None,
        }
        for _ in 0..BATCH_MAX {
            match self.events.try_recv() {
                Ok(event) => hints.take(self.viewer.workspace, &event),
                Err(TryRecvError::Lagged(_)) => hints.refresh = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(hints)
    }

    /// Turns hints into events.
    async fn prepare(&mut self, hints: Hints) {
        if hints.devices || self.devices_due {
            if self.devices_told.elapsed() >= DEVICES_EVERY {
                self.devices_due = false;
                self.devices_told = Instant::now();
                self.ready.push_back(Sse::default().event("devices").data("{}"));
            } else {
                self.devices_due = true;
            }
        }
        self.known = self.known.max(hints.cursor);
        if hints.refresh {
            self.ready.push_back(refresh(self.known));
            return;
        }
        if hints.contacts.is_empty() {
            return;
        }
        let (workspace, viewer) = (self.viewer.workspace, self.viewer.user);
        let contacts = hints.contacts;
        let told = self
            .state
            .read(move |conn| {
                let names = today::names(conn, workspace)?;
                // Read anew: a stream lives for minutes.
                let viewer = people::user(conn, workspace, viewer)?;
                let rights = Rights::of(conn, &viewer)?;
                let mut told = Vec::with_capacity(contacts.len());
                if viewer.disabled_at.is_some() {
                    return Ok(told);
                }
                for (contact, cursor) in contacts {
                    if !rights.sees(conn, contact)? {
                        continue;
                    }
                    let line = Line::of(conn, &rights, contact)?;
                    let lines = feed::of_contact(conn, workspace, contact, cursor)?;
                    let feed: String = lines.iter().map(|line| line.render(&names).into_string()).collect();
                    let row = line.as_ref().map(|line| line.render(&Columns::default(), false).into_string());
                    let name = line.as_ref().map(|line| line.name().to_owned());
                    let data = serde_json::json!({ "contact": contact, "name": name, "row": row, "feed": feed });
                    told.push((cursor, data.to_string()));
                }
                Ok(told)
            })
            .await;
        match told {
            Ok(told) => {
                for (cursor, data) in told {
                    self.ready.push_back(
                        Sse::default()
                            .event("merged")
                            .id(cursor.max(self.known).to_string())
                            .data(data),
                    );
                }
            }
            Err(error) => {
                tracing::warn!(?error, "an event stream could not read what changed");
                self.ready.push_back(refresh(self.known));
            }
        }
    }
}

fn refresh(cursor: Cursor) -> Sse {
    Sse::default().event("refresh").id(cursor.to_string()).data("{}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::MergedContact;

    fn merged(workspace: WorkspaceId, contacts: impl Iterator<Item = u8>) -> Event {
        let contacts: Vec<_> = contacts
            .map(|n| MergedContact {
                contact: ContactId::from_bytes([n; 16]),
                cursor: n.into(),
                users: Vec::new(),
            })
            .collect();
        Event::Merged { workspace, cursor: 90, contacts: Arc::from(contacts) }
    }

    #[test]
    fn hints_of_another_workspace_are_not_taken() {
        let (ours, theirs) = (WorkspaceId::from_bytes([1; 16]), WorkspaceId::from_bytes([2; 16]));
        let mut hints = Hints::default();
        hints.take(ours, &merged(theirs, 1..3));
        assert!(hints.contacts.is_empty() && !hints.refresh && hints.cursor == 0);
    }

    #[test]
    fn a_contact_is_told_once_and_many_are_one_refresh() {
        let ours = WorkspaceId::from_bytes([1; 16]);
        let mut hints = Hints::default();
        hints.take(ours, &merged(ours, 1..3));
        hints.take(ours, &merged(ours, 2..4));
        assert_eq!(hints.contacts.len(), 3);
        assert!(!hints.refresh);
        hints.take(ours, &merged(ours, 10..60));
        assert!(hints.refresh);
        assert!(hints.contacts.len() <= TOLD_MAX);
    }
}
