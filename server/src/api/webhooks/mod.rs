//! Webhooks: events of the change feed, sent to other programs as they happen.
//!
//! | file | what it holds |
//! |---|---|
//! | this one | what a webhook is made of |
//! | `target` | which addresses are sent to: nothing inside the network unless the operator says so |
//! | `sign` | signatures as in the Standard Webhooks specification |
//! | `deliver` | the task that sends, tries again, and gives up |
//! | `handlers` | the requests of the API about them |
//!
//! A webhook's place in the feed is in the database and moves when an event is settled: delivered, or put
//! on the list of what was given up. So nothing is lost over a restart; an event may come twice, under the
//! same `webhook-id`.

pub(super) mod deliver;
pub(super) mod handlers;
mod sign;
mod target;

use roadbook_protocol::ids::{TimelineId, UnixMs, UserId, WorkspaceId};

use super::changes::EVENTS;
use crate::engine::{Engine, EngineError};
use crate::store::webhooks::{self, Webhook};
use crate::store::{audit, workspaces};

pub use target::Private;

/// Events are tried so often, unless a webhook says otherwise: over about five hours.
pub const ATTEMPTS: u32 = 12;
/// The first pause, in milliseconds.
pub const BACKOFF_MS: u64 = 5_000;
/// Webhooks of one workspace.
const WEBHOOKS_MAX: usize = 50;

/// What somebody wants.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Where events go.
    pub url: String,
    /// Which; all if empty.
    pub events: Vec<String>,
    /// Whose reach it has.
    pub user: UserId,
    /// How often an event is tried.
    pub attempts_max: u32,
    /// The first pause, in milliseconds.
    pub backoff_ms: u64,
}

fn refused(reason: impl Into<String>) -> EngineError {
    EngineError::Refused { code: "webhook", reason: reason.into() }
}

/// Adds a webhook; it gets what happens from now on. Durable, and in the audit log. Blocking. Also the
/// secret that its signatures are made with.
///
/// # Errors
/// [`EngineError::Refused`] for an address or an event that is none.
pub fn add(
    engine: &Engine,
    workspace: WorkspaceId,
    by: Option<UserId>,
    new: NewWebhook,
) -> Result<(Webhook, String), EngineError> {
    target::check_form(&new.url).map_err(refused)?;
    let mut events = new.events;
    if events.is_empty() {
        events.push("*".to_owned());
    }
    for event in &events {
        if event != "*" && !EVENTS.iter().any(|(kind, _)| kind == event) {
            let all: Vec<&str> = EVENTS.iter().map(|(kind, _)| *kind).collect();
            return Err(refused(format!(
                "`{}` is no event; there are {}, and * for all",
                event.chars().take(64).collect::<String>(),
                all.join(", ")
            )));
        }
    }
    events.sort_unstable();
    events.dedup();
    let id = hex::encode(engine.random::<16>());
    let (now, timeline) = (engine.now_ms(), engine.timeline(workspace)?);
    let mut hook = Webhook {
        id: id.clone(),
        workspace,
        url: new.url,
        events,
        user: new.user,
        attempts_max: new.attempts_max.clamp(1, 100),
        backoff_ms: new.backoff_ms.clamp(10, 3_600_000),
        created_at: now,
        timeline,
        cursor: 0,
        attempts: 0,
        next_at: 0,
        last_error: None,
        last_ok: None,
    };
    let hook = engine.write(move |tx| -> Result<_, EngineError> {
        if webhooks::list(tx, Some(workspace))?.len() >= WEBHOOKS_MAX {
            return Err(refused(format!(
                "a workspace has at most {WEBHOOKS_MAX} webhooks; remove one first"
            )));
        }
        hook.cursor = workspaces::cursor(tx, workspace)?;
        webhooks::create(tx, &hook)?;
        let detail = serde_json::json!({ "events": hook.events, "user": hook.user.to_string() });
        audit::append(tx, workspace, now, by, "webhook.add", &hook.id, &detail)?;
        Ok(hook)
    })?;
    let secret = sign::secret_text(&sign::secret(engine, workspace, &id)?);
    Ok((hook, secret))
}

/// Removes a webhook. Durable, and in the audit log. Blocking.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn remove(
    engine: &Engine,
    workspace: WorkspaceId,
    by: Option<UserId>,
    id: &str,
) -> Result<(), EngineError> {
    let (id, now) = (id.to_owned(), engine.now_ms());
    engine.write(move |tx| {
        if !webhooks::remove(tx, workspace, &id)? {
            return Err(EngineError::not_found(format!("webhook {id}")));
        }
        audit::append(tx, workspace, now, by, "webhook.remove", &id, &serde_json::json!({}))
    })
}

/// Names an event for its receiver: the same however often it is sent.
fn message_id(hook: &str, cursor: u64) -> String {
    format!("msg_{hook}_{cursor}")
}

/// A time as the payload has it.
fn iso(at: UnixMs) -> String {
    chrono::DateTime::from_timestamp_millis(at)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The timeline of a workspace, where it is served.
fn timeline(engine: &Engine, workspace: WorkspaceId) -> Result<TimelineId, EngineError> {
    engine.timeline(workspace)
}
