//! The requests of the API about webhooks. A key manages those whose reach is its person's; one of an
//! administrator all.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::call::{Call, Outcome, json as answer, raw};
use super::super::problem::Problem;
use super::{
    ATTEMPTS, BACKOFF_MS, NewWebhook, add as add_webhook, remove as remove_webhook, target,
};
use crate::rights::Action;
use crate::store::webhooks::{self, Webhook};

/// So many of what was given up are answered.
const DEAD_MAX: u32 = 1_000;

fn shown(hook: &Webhook, dead: u64) -> Value {
    let mut value = json!(hook);
    value["dead"] = json!(dead);
    value
}

fn mine(call: &Call, hook: &Webhook) -> bool {
    hook.workspace == call.access.workspace
        && (hook.user == call.access.user || call.access.rights.may(Action::Administer))
}

/// The webhook of the path, if it is one's own.
async fn find(call: &Call) -> Result<(Webhook, u64), Problem> {
    let id = call.part("id").to_owned();
    let found = call
        .state
        .read(move |conn| {
            let Some(hook) = webhooks::find(conn, &id)? else { return Ok(None) };
            let dead = webhooks::count_dead(conn, &id)?;
            Ok(Some((hook, dead)))
        })
        .await?;
    found.filter(|(hook, _)| mine(call, hook)).ok_or_else(|| Problem::not_found("webhook"))
}

/// `GET /webhooks`
pub(in crate::api) async fn list(call: Call) -> Outcome {
    let workspace = call.access.workspace;
    let all = call
        .state
        .read(move |conn| {
            let mut all = Vec::new();
            for hook in webhooks::list(conn, Some(workspace))? {
                let dead = webhooks::count_dead(conn, &hook.id)?;
                all.push((hook, dead));
            }
            Ok(all)
        })
        .await?;
    let items: Vec<Value> = all
        .iter()
        .filter(|(hook, _)| mine(&call, hook))
        .map(|(hook, dead)| shown(hook, *dead))
        .collect();
    Ok(answer(StatusCode::OK, &json!({ "items": items })))
}

/// `POST /webhooks`
pub(in crate::api) async fn add(call: Call) -> Outcome {
    let body = call.object()?;
    let wrong = |field: &str, wanted: &str| {
        Problem::refused(format!("`{field}` takes {wanted}.")).with("field", field)
    };
    if let Some(name) = body.keys().find(|name| !matches!(name.as_str(), "url" | "events")) {
        return Err(wrong(name, "nothing; the members are url and events"));
    }
    let url = body.get("url").and_then(Value::as_str).ok_or_else(|| wrong("url", "an address"))?;
    target::check_form(url).and_then(|target| target.check(&call.state.0.private)).map_err(
        |reason| Problem::refused(super::super::problem::sentence(&reason)).with("field", "url"),
    )?;
    let events: Option<Vec<String>> = match body.get("events") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(events)) => {
            events.iter().map(|event| event.as_str().map(str::to_owned)).collect()
        }
        Some(_) => None,
    };
    let new = NewWebhook {
        url: url.to_owned(),
        events: events.ok_or_else(|| wrong("events", "a list of names of events"))?,
        user: call.access.user,
        attempts_max: ATTEMPTS,
        backoff_ms: BACKOFF_MS,
    };
    let (workspace, by) = (call.access.workspace, call.access.user);
    let (hook, secret) =
        call.state.engine_do(move |engine| add_webhook(engine, workspace, Some(by), new)).await?;
    let mut value = shown(&hook, 0);
    value["secret"] = json!(secret);
    Ok(answer(StatusCode::CREATED, &value))
}

/// `GET /webhooks/{id}`
pub(in crate::api) async fn read(call: Call) -> Outcome {
    let (hook, dead) = find(&call).await?;
    Ok(answer(StatusCode::OK, &shown(&hook, dead)))
}

/// `DELETE /webhooks/{id}`
pub(in crate::api) async fn remove(call: Call) -> Outcome {
    let (hook, _) = find(&call).await?;
    let (workspace, by) = (call.access.workspace, call.access.user);
    call.state
        .engine_do(move |engine| remove_webhook(engine, workspace, Some(by), &hook.id))
        .await?;
    Ok(raw(StatusCode::NO_CONTENT, Vec::new(), &[]))
}

/// `GET /webhooks/{id}/dead`
pub(in crate::api) async fn dead(call: Call) -> Outcome {
    let (hook, _) = find(&call).await?;
    let items = call.state.read(move |conn| webhooks::dead(conn, &hook.id, DEAD_MAX)).await?;
    Ok(answer(StatusCode::OK, &json!({ "items": items })))
}

/// `POST /webhooks/{id}/retry`
pub(in crate::api) async fn retry(call: Call) -> Outcome {
    let (hook, _) = find(&call).await?;
    let again = call.state.write(move |tx| webhooks::again(tx, &hook.id, None)).await?;
    Ok(answer(StatusCode::OK, &json!({ "retried": again })))
}
