//! The task that sends: each webhook one event at a time and in order, several webhooks side by side.
//!
//! An event is tried again with longer and longer pauses; after the last attempt it goes onto the list of
//! what was given up, and the next one has its turn. Where that list is full, a webhook waits instead:
//! nothing is dropped.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Request, StatusCode, header};
use roadbook_protocol::ids::UnixMs;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::target::{self, Private};
use super::{iso, message_id, sign, timeline};
use crate::api::changes::{self, Event};
use crate::engine::{Engine, EngineError};
use crate::office::oidc::Fetch;
use crate::rights::{Action, Rights};
use crate::store::webhooks::{self, Dead, Webhook};
use crate::store::{people, workspaces};

/// Webhooks that are sent to at the same time.
const PARALLEL_MAX: usize = 8;
/// How long one delivery may take.
const DELIVERY_MAX: Duration = Duration::from_secs(15);
/// Retries are looked for so often.
const TICK: Duration = Duration::from_secs(1);
/// The longest pause between two attempts, in milliseconds.
const PAUSE_MS_MAX: u64 = 60 * 60 * 1000;
/// So much is kept of what a webhook has given up; then it waits.
const DEAD_MAX: u64 = 10_000;
/// Where nothing can be said about a failure of our own, it is tried again after this time.
const OWN_PAUSE_MS: i64 = 30_000;

/// Runs until the server shuts down.
pub(in crate::api) async fn run(
    engine: Arc<Engine>,
    private: Private,
    shutdown: CancellationToken,
) {
    let fetch = match Fetch::new(None) {
        Ok(fetch) => fetch,
        Err(error) => {
            tracing::error!(%error, "webhooks can't be sent");
            return;
        }
    };
    let places = Arc::new(Semaphore::new(PARALLEL_MAX));
    let mut events = engine.events();
    let mut busy: HashSet<String> = HashSet::new();
    let mut tasks: JoinSet<String> = JoinSet::new();
    loop {
        let now = engine.now_ms();
        let due = {
            let engine = Arc::clone(&engine);
            match tokio::task::spawn_blocking(move || engine.read(|conn| due(conn, now))).await {
                Ok(Ok(due)) => due,
                Ok(Err(EngineError::Closed)) | Err(_) => break,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "webhooks could not be read");
                    Vec::new()
                }
            }
        };
        for hook in due {
            if !busy.insert(hook.id.clone()) {
                continue;
            }
            let job = Job {
                engine: Arc::clone(&engine),
                fetch: fetch.clone(),
                private: private.clone(),
                shutdown: shutdown.clone(),
            };
            let places = Arc::clone(&places);
            tasks.spawn(async move {
                let id = hook.id.clone();
                if let Ok(_place) = places.acquire().await
                    && let Err(error) = job.hook(hook).await
                {
                    tracing::warn!(%error, webhook = %id, "a webhook could not be sent");
                    // What failed is ours: it is not tried at once.
                    tokio::time::sleep(TICK).await;
                }
                id
            });
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(done) = tasks.join_next() => match done {
                Ok(id) => drop(busy.remove(&id)),
                // Which one it was is not known: those that are not running may begin again.
                Err(error) => {
                    tracing::error!(%error, "a webhook's task failed");
                    if tasks.is_empty() {
                        busy.clear();
                    }
                }
            },
            event = events.recv() => if matches!(event, Err(RecvError::Closed)) { break },
            () = tokio::time::sleep(TICK) => {}
        }
        // Several events at once are one look at the tables.
        events = events.resubscribe();
    }
    tasks.shutdown().await;
}

/// The webhooks that have something to send now.
fn due(conn: &rusqlite::Connection, now: UnixMs) -> Result<Vec<Webhook>, EngineError> {
    let mut due = Vec::new();
    for hook in webhooks::list(conn, None)? {
        let behind = hook.cursor != workspaces::cursor(conn, hook.workspace)?;
        if hook.next_at <= now && (behind || webhooks::next_again(conn, &hook.id)?.is_some()) {
            due.push(hook);
        }
    }
    Ok(due)
}

/// The work on one webhook.
#[derive(Clone)]
struct Job {
    engine: Arc<Engine>,
    fetch: Fetch,
    private: Private,
    shutdown: CancellationToken,
}

impl Job {
    async fn blocking<T, F>(&self, work: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&Engine) -> Result<T, EngineError> + Send + 'static,
    {
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || work(&engine)).await.unwrap_or(Err(EngineError::Closed))
    }

    /// Sends what is due: first what somebody wants sent again, then the next page of the feed.
    async fn hook(&self, hook: Webhook) -> Result<(), EngineError> {
        self.again(&hook).await?;
        let of = hook.clone();
        let read = self
            .blocking(move |engine| {
                let timeline = timeline(engine, of.workspace)?;
                let page = engine.read(|conn| -> Result<_, EngineError> {
                    let Some(rights) = rights(conn, &of)? else { return Ok(None) };
                    let public = workspaces::cursor(conn, of.workspace)?;
                    // Beyond what a power cut has left: it comes again.
                    let last = workspaces::timeline_last_cursor(conn, of.workspace, of.timeline)?;
                    let since = of.cursor.min(last.unwrap_or(0)).min(public);
                    changes::page(conn, &rights, timeline, since).map(Some)
                })?;
                Ok((timeline, page))
            })
            .await?;
        let (timeline, Some(page)) = read else {
            return self
                .set_back(&hook, "the person whose reach it has is disabled or left the office")
                .await;
        };
        let mut settled = hook.cursor;
        let mut attempts = hook.attempts;
        for event in &page.events {
            if !wants(&hook, event.kind) {
                continue;
            }
            if self.shutdown.is_cancelled() {
                return Ok(());
            }
            let outcome = self.send(&hook, event).await?;
            let (id, now, cursor) = (hook.id.clone(), self.engine.now_ms(), event.cursor);
            match outcome {
                Ok(()) => {
                    self.blocking(move |engine| {
                        engine.write(move |tx| {
                            webhooks::advance(tx, &id, timeline, cursor, Some(now))
                        })
                    })
                    .await?;
                }
                Err(error) => {
                    attempts += 1;
                    if !self.failed(&hook, event, attempts, &error, timeline).await? {
                        return Ok(());
                    }
                }
            }
            attempts = 0;
            settled = cursor;
        }
        if page.reached != settled {
            let (id, reached) = (hook.id.clone(), page.reached);
            self.blocking(move |engine| {
                engine.write(move |tx| webhooks::advance(tx, &id, timeline, reached, None))
            })
            .await?;
        }
        Ok(())
    }

    /// What to do after a failure: a pause, or the list of what was given up. Whether the next event has
    /// its turn.
    async fn failed(
        &self,
        hook: &Webhook,
        event: &Event,
        attempts: u32,
        error: &str,
        timeline: roadbook_protocol::ids::TimelineId,
    ) -> Result<bool, EngineError> {
        let (hook, now) = (hook.clone(), self.engine.now_ms());
        let dead = Dead {
            n: 0,
            webhook: hook.id.clone(),
            contact: event.contact,
            cursor: event.cursor,
            event: event.kind.to_owned(),
            at: now,
            attempts,
            error: error.to_owned(),
        };
        self.blocking(move |engine| {
            let jitter = u64::from(u16::from_le_bytes(engine.random::<2>()));
            let pause = pause_ms(hook.backoff_ms, attempts, jitter);
            engine.write(move |tx| {
                let full = webhooks::count_dead(tx, &hook.id)? >= DEAD_MAX;
                if attempts < hook.attempts_max || full {
                    let next = now.saturating_add(i64::try_from(pause).unwrap_or(OWN_PAUSE_MS));
                    webhooks::fail(tx, &hook.id, attempts, next, &dead.error)?;
                    return Ok(false);
                }
                webhooks::bury(tx, hook.workspace, &dead)?;
                webhooks::advance(tx, &hook.id, timeline, dead.cursor, None)?;
                webhooks::fail(tx, &hook.id, 0, 0, &dead.error)?;
                Ok(true)
            })
        })
        .await
    }

    async fn set_back(&self, hook: &Webhook, why: &'static str) -> Result<(), EngineError> {
        let (id, next) = (hook.id.clone(), self.engine.now_ms() + OWN_PAUSE_MS);
        let attempts = hook.attempts;
        self.blocking(move |engine| {
            engine.write(move |tx| webhooks::fail(tx, &id, attempts, next, why))
        })
        .await
    }

    /// Sends again what somebody wants sent again.
    async fn again(&self, hook: &Webhook) -> Result<(), EngineError> {
        loop {
            let of = hook.clone();
            let found = self
                .blocking(move |engine| {
                    let timeline = timeline(engine, of.workspace)?;
                    engine.read(|conn| -> Result<_, EngineError> {
                        let Some(dead) = webhooks::next_again(conn, &of.id)? else {
                            return Ok(None);
                        };
                        let Some(rights) = rights(conn, &of)? else { return Ok(None) };
                        let page = changes::page(conn, &rights, timeline, dead.cursor - 1)?;
                        let event =
                            page.events.into_iter().find(|event| event.cursor == dead.cursor);
                        Ok(Some((dead, event)))
                    })
                })
                .await?;
            let Some((dead, event)) = found else { return Ok(()) };
            // What is not within reach any more is not owed to anybody.
            let outcome = match &event {
                Some(event) => self.send(hook, event).await?,
                None => Ok(()),
            };
            let id = hook.id.clone();
            let failed = outcome.is_err();
            self.blocking(move |engine| {
                engine.write(move |tx| match outcome {
                    Ok(()) => webhooks::unbury(tx, &id, dead.n).map(drop),
                    Err(error) => webhooks::failed_again(tx, dead.n, &error),
                })
            })
            .await?;
            if failed || self.shutdown.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// One attempt. The inner error is for people and holds no contact data.
    async fn send(&self, hook: &Webhook, event: &Event) -> Result<Result<(), String>, EngineError> {
        let (workspace, id) = (hook.workspace, hook.id.clone());
        let secret = self.blocking(move |engine| sign::secret(engine, workspace, &id)).await?;
        Ok(tokio::time::timeout(DELIVERY_MAX, self.attempt(hook, event, &secret))
            .await
            .unwrap_or_else(|_| {
                Err(format!("no answer within {} seconds", DELIVERY_MAX.as_secs()))
            }))
    }

    async fn attempt(&self, hook: &Webhook, event: &Event, secret: &[u8]) -> Result<(), String> {
        let target = target::check_form(&hook.url)?;
        let address = target.address(&self.private).await?;
        let id = message_id(&hook.id, event.cursor);
        let now = self.engine.now_ms();
        let body = payload(event, now);
        let seconds = now.div_euclid(1000);
        let signature = sign::signature(secret, &id, seconds, &body);
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
            (
                header::USER_AGENT.as_str(),
                concat!("roadbook/", env!("CARGO_PKG_VERSION")).to_owned(),
            ),
            (header::CONTENT_LENGTH.as_str(), body.len().to_string()),
            ("webhook-id", id),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ];
        let mut request = Request::builder().method("POST").uri(target.uri.clone());
        for (name, value) in headers {
            let value = HeaderValue::from_str(&value).map_err(|error| error.to_string())?;
            request = request.header(name, value);
        }
        let request = request.body(body.into_bytes()).map_err(|error| error.to_string())?;
        let tls = target.tls.then_some(target.host.as_str());
        let status =
            self.fetch.send_to(address, tls, request).await.map_err(|error| error.to_string())?;
        match status {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => {
                Err(format!("it answered {status}; redirects are not followed"))
            }
            StatusCode::GONE => {
                Err("it answered 410 Gone; remove the webhook if that is meant".to_owned())
            }
            status => Err(format!("it answered {status}")),
        }
    }
}

/// What the webhook's person may now; `None` where they may not use the office any more.
fn rights(conn: &rusqlite::Connection, hook: &Webhook) -> Result<Option<Rights>, EngineError> {
    let user = people::user(conn, hook.workspace, hook.user)?;
    let held = crate::engine::review::since(conn, hook.workspace)?.is_some();
    if user.disabled_at.is_some() || held {
        return Ok(None);
    }
    let rights = Rights::of(conn, &user)?;
    Ok(rights.may(Action::Enter).then_some(rights))
}

fn wants(hook: &Webhook, kind: &str) -> bool {
    hook.events.iter().any(|event| event == "*" || event == kind)
}

/// What is sent.
fn payload(event: &Event, now: UnixMs) -> String {
    let at = event.body.get("at").and_then(Value::as_i64).unwrap_or(now);
    json!({ "type": event.kind, "timestamp": iso(at), "data": event.body }).to_string()
}

/// How long to wait after so many failures, a fifth longer or shorter by chance.
fn pause_ms(first: u64, attempts: u32, random: u64) -> u64 {
    let doubled = first.saturating_mul(1 << attempts.saturating_sub(1).min(30)).min(PAUSE_MS_MAX);
    doubled - doubled / 5 + (doubled / 5 * 2) * (random & 0xffff) / 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_differ_by_a_fifth() {
        assert_eq!(pause_ms(1_000, 1, 0), 800);
        assert_eq!(pause_ms(1_000, 1, 0xffff), 1_200);
        assert_eq!(pause_ms(1_000, 4, 0), 6_400);
        for attempts in [12, 40, u32::MAX] {
            let pause = pause_ms(5_000, attempts, 0x8000);
            assert!((PAUSE_MS_MAX * 4 / 5..=PAUSE_MS_MAX * 6 / 5).contains(&pause), "{pause}");
        }
    }
}
