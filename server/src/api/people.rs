//! People, teams and devices within reach; what waits for a decision.

use axum::http::StatusCode;
use roadbook_protocol::ids::{DeviceId, UserId};
use serde_json::{Value, json};

use super::call::{Call, Outcome, json as answer};
use super::problem::Problem;
use crate::engine::Verdict;
use crate::rights::{Action, Decision, Rights, Scope};
use crate::store::devices::{self, Device};
use crate::store::people::{self, User};
use crate::store::proposals::{self, Wanted};
use crate::store::{EngineError, changes, teams};

/// So many are answered of what waits.
const WAITING_MAX: u32 = 200;

fn sees(rights: &Rights, person: UserId) -> bool {
    rights.on_person(Action::SeePerson, person) == Decision::Allow
}

fn person(user: &User) -> Value {
    json!({
        "id": user.id,
        "login": user.login,
        "name": user.name,
        "role": user.role,
        "team": user.team,
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
    })
}

/// `GET /people`
pub(super) async fn list(call: Call) -> Outcome {
    let rights = call.access.rights.clone();
    let all = call.state.read(move |conn| people::list_users(conn, rights.workspace)).await?;
    let rights = &call.access.rights;
    let items: Vec<Value> = all.iter().filter(|user| sees(rights, user.id)).map(person).collect();
    Ok(answer(StatusCode::OK, &json!({ "items": items })))
}

/// `GET /people/{id}`
pub(super) async fn read(call: Call) -> Outcome {
    let missing = || Problem::not_found("person");
    let id: UserId = call.part("id").parse().map_err(|_| missing())?;
    if !sees(&call.access.rights, id) {
        return Err(missing());
    }
    let workspace = call.access.workspace;
    let user = call
        .state
        .read(move |conn| match people::user(conn, workspace, id) {
            Ok(user) => Ok(Some(user)),
            Err(EngineError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        })
        .await?;
    Ok(answer(StatusCode::OK, &person(&user.ok_or_else(missing)?)))
}

/// `GET /teams`
pub(super) async fn teams(call: Call) -> Outcome {
    let workspace = call.access.workspace;
    let all = call.state.read(move |conn| teams::list(conn, workspace)).await?;
    Ok(answer(StatusCode::OK, &json!({ "items": all })))
}

fn device_json(device: &Device) -> Value {
    json!({
        "id": device.id,
        "person": device.user,
        "name": device.name,
        "platform": device.platform,
        "app": device.app,
        "created_at": device.created_at,
        "last_seen": device.last_seen,
        "revoked_at": device.revoked_at,
        "unsent": device.unsent,
        "missing": device.missing,
    })
}

/// `GET /devices`
pub(super) async fn devices(call: Call) -> Outcome {
    let of = match call.query("person") {
        None => None,
        Some(text) => Some(text.parse::<UserId>().map_err(|_| {
            Problem::bad_request("`person` is the id of a person; /people lists them.")
        })?),
    };
    let workspace = call.access.workspace;
    let all = call.state.read(move |conn| devices::list_devices(conn, workspace, of)).await?;
    let rights = &call.access.rights;
    let items: Vec<Value> =
        all.iter().filter(|device| sees(rights, device.user)).map(device_json).collect();
    Ok(answer(StatusCode::OK, &json!({ "items": items })))
}

/// `GET /devices/{id}`
pub(super) async fn device(call: Call) -> Outcome {
    let missing = || Problem::not_found("device");
    let id: DeviceId = call.part("id").parse().map_err(|_| missing())?;
    let workspace = call.access.workspace;
    let found = call.state.read(move |conn| devices::find_device(conn, workspace, id)).await?;
    let found = found.filter(|device| sees(&call.access.rights, device.user));
    Ok(answer(StatusCode::OK, &device_json(&found.ok_or_else(missing)?)))
}

/// `GET /proposals`
pub(super) async fn proposals(call: Call) -> Outcome {
    let decided = match call.query("decided") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::bad_request("`decided` is true or false.")),
    };
    let rights = call.access.rights.clone();
    let items = call
        .state
        .read(move |conn| {
            let wanted = Wanted { decided, limit: WAITING_MAX, ..Wanted::default() };
            let mut seen = Vec::new();
            for set in proposals::list(conn, rights.workspace, wanted)? {
                if rights.sees_late_edits(conn, set.contact)? {
                    seen.push(set);
                }
            }
            Ok(seen)
        })
        .await?;
    Ok(answer(StatusCode::OK, &json!({ "items": items })))
}

/// `POST /proposals/{n}/decide`
pub(super) async fn decide(call: Call) -> Outcome {
    let missing = || Problem::not_found("proposal");
    let n: i64 = call.part("n").parse().map_err(|_| missing())?;
    let body = call.object()?;
    let wrong = |field: &str, wanted: &str| {
        Problem::refused(format!("`{field}` takes {wanted}.")).with("field", field)
    };
    if let Some(name) = body.keys().find(|name| !matches!(name.as_str(), "verdict" | "items")) {
        return Err(wrong(name, "nothing; the members are verdict and items"));
    }
    let verdict = match body.get("verdict").and_then(Value::as_str) {
        Some("accept") => Verdict::Accept,
        Some("decline") => Verdict::Decline,
        Some("undo") => Verdict::Undo,
        _ => return Err(wrong("verdict", "accept, decline or undo")),
    };
    let items: Option<Vec<i64>> = match body.get("items") {
        None | Some(Value::Null) => None,
        Some(Value::Array(items)) => Some(
            items
                .iter()
                .map(Value::as_i64)
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("items", "a list of the numbers of items"))?,
        ),
        Some(_) => return Err(wrong("items", "a list of the numbers of items")),
    };
    let (rights, workspace, by) =
        (call.access.rights.clone(), call.access.workspace, call.access.user);
    let allowed = call
        .state
        .read(move |conn| {
            let Some(set) = proposals::find(conn, workspace, n)? else { return Ok(Decision::Hide) };
            rights.on_late_edits(conn, set.contact)
        })
        .await?;
    match allowed {
        Decision::Allow => {}
        Decision::Forbid => {
            return Err(Problem::new(
                "scope",
                "The person to whom this key belongs may read these late edits and not decide them. Ask the owner's manager, or an administrator.",
            ));
        }
        Decision::Hide => return Err(missing()),
    }
    let decided = call
        .state
        .engine_do(move |engine| engine.decide(workspace, by, n, items.as_deref(), verdict))
        .await?;
    Ok(answer(StatusCode::OK, &json!(decided.proposal)))
}

/// `GET /quarantine`
pub(super) async fn quarantine(call: Call) -> Outcome {
    if call.access.rights.scope != Scope::Everything {
        return Err(Problem::new(
            "scope",
            "Only a key of somebody whose reach is the whole base reads the quarantine.",
        ));
    }
    let workspace = call.access.workspace;
    let items = call
        .state
        .read(move |conn| changes::set_aside(conn, workspace, None, None, WAITING_MAX))
        .await?;
    Ok(answer(StatusCode::OK, &json!({ "items": items })))
}
