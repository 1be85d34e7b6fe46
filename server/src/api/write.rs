//! Writes to contacts. Each is a change in the name of the key's person, merged when it is answered.

use automerge::Automerge;
use axum::http::{StatusCode, header};
use roadbook_protocol::document::{self, Command, CustomField, in_parts, note_splices};
use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use serde_json::{Map, Value, json};

use super::call::{Call, Outcome, matches};
use super::commands;
use super::contacts::{etag, load, whole};
use super::once::{Done, Seed, once};
use super::problem::Problem;
use crate::engine::{Assign, AuthorOutcome, Authored};
use crate::rights::{Action, Decision, Rights, Scope};
use crate::store::contacts::Contact;
use crate::store::{EngineError, custom_fields};

/// A contact that may be edited, as it is now.
pub(super) struct Open {
    pub contact: Contact,
    pub doc: Automerge,
}

/// Opens a contact for an action; checks `If-Match`.
pub(super) async fn open(call: &Call, id: ContactId, action: Action) -> Result<Open, Problem> {
    let rights = call.access.rights.clone();
    let found = call
        .state
        .read(move |conn| {
            let found = load(conn, &rights, id)?;
            Ok(found.zip(Some(rights.on_contact(conn, action, id)?)))
        })
        .await?;
    let open = match found {
        Some(((contact, doc), Decision::Allow)) => Open { contact, doc },
        Some((_, Decision::Forbid)) => {
            return Err(Problem::new(
                "scope",
                "The person to whom this key belongs may read this contact and not do this with it. Ask its owner's manager, or an administrator.",
            ));
        }
        Some((_, Decision::Hide)) | None => return Err(Problem::not_found("contact")),
    };
    if let Some(wanted) = call.header(header::IF_MATCH)
        && !matches(wanted, &etag(&open.contact))
    {
        return Err(Problem::changed());
    }
    Ok(open)
}

/// Makes an edit of an open contact. With `If-Match` only if it is still as it was opened.
pub(super) async fn author(
    call: &Call,
    open: &Open,
    commands: Vec<Command>,
) -> Result<(), Problem> {
    if commands.is_empty() {
        return Ok(());
    }
    let strict = call.header(header::IF_MATCH).is_some_and(|wanted| wanted.trim() != "*");
    let replay =
        !strict && commands.iter().any(|command| matches!(command, Command::EditNote { .. }));
    let id = open.contact.id;
    let mut only_at = strict.then(|| open.contact.heads.clone());
    let edits = in_parts(commands, &Limits::DEFAULT)
        .into_iter()
        .map(|part| Authored { replay, only_at: only_at.take(), ..Authored::edit(id, part) })
        .collect();
    carry_out(call, edits).await.map(drop)
}

/// Authors edits. Whether a contact that was to be made was there already.
async fn carry_out(call: &Call, edits: Vec<Authored>) -> Result<bool, Problem> {
    let (workspace, by) = (call.access.workspace, call.access.user);
    let outcomes = call.state.engine_do(move |engine| engine.author(workspace, by, edits)).await?;
    let mut taken = false;
    for outcome in outcomes {
        match outcome {
            AuthorOutcome::Merged { not_replayed, .. } => {
                if let Some(left) = not_replayed.first() {
                    return Err(Problem::new(
                        "conflict",
                        format!("Not all of it could be written: {}.", left.reason),
                    ));
                }
            }
            AuthorOutcome::Unchanged => {}
            AuthorOutcome::Refused(EngineError::Taken { .. }) => taken = true,
            AuthorOutcome::Refused(error) => return Err(error.into()),
        }
    }
    Ok(taken)
}

/// The answer of a write: the contact as it is now.
async fn done(call: &Call, id: ContactId, status: StatusCode) -> Result<Done, Problem> {
    let rights = call.access.rights.clone();
    let (value, etag) = call
        .state
        .read(move |conn| {
            let Some((contact, doc)) = load(conn, &rights, id)? else { return Ok(None) };
            Ok(Some((whole(conn, &rights, &contact, &doc)?, etag(&contact))))
        })
        .await?
        // It was given away, or erased, in this moment.
        .ok_or_else(|| Problem::not_found("contact"))?;
    let mut headers =
        vec![(header::CONTENT_TYPE, "application/json".to_owned()), (header::ETAG, etag)];
    if status == StatusCode::CREATED {
        headers.push((header::LOCATION, format!("{}/contacts/{id}", super::PREFIX)));
    }
    let body = Value::Object(value).to_string().into_bytes();
    Ok(Done { status, headers, body, contact: Some(id) })
}

/// A person of the body who may get the contact.
fn person(name: &str, value: &Value) -> Result<UserId, Problem> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Problem::refused(format!("`{name}` takes the id of a person; /people lists them."))
            .with("field", name)
    })
}

/// Refuses to give a contact to whom one may not.
fn may_get(rights: &Rights, user: UserId) -> Result<(), Problem> {
    match rights.on_person(Action::GiveTo, user) {
        Decision::Allow => Ok(()),
        _ => Err(Problem::refused(
            "There is no such person, or they are not within the reach of this key's person; /people lists who is.",
        )
        .with("field", "owner")),
    }
}

/// Refuses somebody who is not of the workspace, before anything is written.
async fn exists(call: &Call, workspace: WorkspaceId, user: UserId) -> Result<(), Problem> {
    let found = call
        .state
        .read(move |conn| match crate::store::people::user(conn, workspace, user) {
            Ok(user) => Ok(Some(user)),
            Err(EngineError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        })
        .await?;
    match found {
        Some(user) if user.disabled_at.is_none() => Ok(()),
        _ => Err(Problem::refused(
            "There is no such person, or they are disabled; /people lists who there is.",
        )
        .with("field", "owner")),
    }
}

/// `POST /contacts`
pub(super) async fn create(call: Call) -> Outcome {
    call.access.may(Action::Create)?;
    let body = call.object()?;
    let owner = match body.get("owner") {
        Some(Value::Null) | None => match &call.access.rights.scope {
            Scope::Everything => None,
            Scope::People(_) => Some(call.access.user),
        },
        Some(value) => {
            let owner = person("owner", value)?;
            may_get(&call.access.rights, owner)?;
            exists(&call, call.access.workspace, owner).await?;
            Some(owner)
        }
    };
    once(&call, |seed: Seed| {
        let (call, body) = (&call, &body);
        async move {
            let mut entries = 0;
            let mut ids = || {
                entries += 1;
                seed.entry(entries)
            };
            let defined = defined(call).await?;
            let commands =
                commands::of_contact(None, body, &["owner"], &defined, seed.at, &mut ids)?;
            if commands.is_empty() {
                return Err(Problem::refused(
                    "Give a name, a company, or any other field: a contact needs something in it.",
                ));
            }
            let id = seed.contact();
            let mut parts = in_parts(commands, &Limits::DEFAULT).into_iter();
            let first = parts.next().unwrap_or_default();
            let edits: Vec<Authored> = std::iter::once(Authored::create(id, owner, first))
                .chain(parts.map(|part| Authored::edit(id, part)))
                .collect();
            if carry_out(call, edits).await? && !seed.again {
                return Err(Problem::failed("an id that was made is taken"));
            }
            done(call, id, StatusCode::CREATED).await
        }
    })
    .await
}

/// The custom fields that the workspace has defined.
async fn defined(call: &Call) -> Result<Vec<CustomField>, Problem> {
    let workspace = call.access.workspace;
    call.state.read(move |conn| custom_fields::all(conn, workspace)).await
}

/// `PATCH /contacts/{id}`
pub(super) async fn patch(call: Call) -> Outcome {
    let id = call.contact()?;
    let body = call.object()?;
    once(&call, |seed: Seed| {
        let (call, body) = (&call, &body);
        async move {
            let open = open(call, id, Action::Edit).await?;
            let read = document::read(id, &open.doc);
            let mut entries = 0;
            let mut ids = || {
                entries += 1;
                seed.entry(entries)
            };
            let defined = defined(call).await?;
            let mut all =
                commands::of_contact(Some(&read), body, &[], &defined, seed.at, &mut ids)?;
            // With places that are found again where somebody writes in the note at this moment.
            if let Some(text) =
                body.get("note").map(|note| note.as_str().unwrap_or_default().trim())
            {
                all.retain(|command| !matches!(command, Command::EditNote { .. }));
                let splices = note_splices(&open.doc, text);
                if !splices.is_empty() {
                    all.push(Command::EditNote { splices });
                }
            }
            author(call, &open, all).await?;
            done(call, id, StatusCode::OK).await
        }
    })
    .await
}

/// `DELETE /contacts/{id}`
pub(super) async fn archive(call: Call) -> Outcome {
    let id = call.contact()?;
    once(&call, |_| {
        let call = &call;
        async move {
            let open = open(call, id, Action::Edit).await?;
            let archive = Command::Set {
                field: "archived".to_owned(),
                value: Some(document::Value::Bool(true)),
            };
            author(call, &open, vec![archive]).await?;
            Ok(nothing(id))
        }
    })
    .await
}

/// 204.
pub(super) fn nothing(id: ContactId) -> Done {
    Done {
        status: StatusCode::NO_CONTENT,
        headers: Vec::new(),
        body: Vec::new(),
        contact: Some(id),
    }
}

/// `POST /contacts/{id}/assign`
pub(super) async fn assign(call: Call) -> Outcome {
    let id = call.contact()?;
    let body = call.object()?;
    let wanted = assignment(&body)?;
    once(&call, |_| {
        let (call, wanted) = (&call, wanted.clone());
        async move {
            open(call, id, Action::Steer).await?;
            let people =
                wanted.owner.flatten().into_iter().chain(wanted.add_collaborators.iter().copied());
            for user in people {
                may_get(&call.access.rights, user)?;
                exists(call, call.access.workspace, user).await?;
            }
            let (workspace, by) = (call.access.workspace, call.access.user);
            let assign = Assign { contacts: vec![id], ..wanted };
            call.state.engine_do(move |engine| engine.assign(workspace, Some(by), assign)).await?;
            match done(call, id, StatusCode::OK).await {
                // Given to somebody beyond one's own reach: it is not seen any more.
                Err(_) => Ok(Done {
                    status: StatusCode::OK,
                    headers: vec![(header::CONTENT_TYPE, "application/json".to_owned())],
                    body: json!({ "id": id }).to_string().into_bytes(),
                    contact: Some(id),
                }),
                done => done,
            }
        }
    })
    .await
}

fn assignment(body: &Map<String, Value>) -> Result<Assign, Problem> {
    let mut assign = Assign::default();
    let people = |name: &str, value: &Value| -> Result<Vec<UserId>, Problem> {
        let Value::Array(list) = value else {
            return Err(Problem::refused(format!("`{name}` takes a list of ids of people."))
                .with("field", name));
        };
        list.iter().map(|value| person(name, value)).collect()
    };
    for (name, value) in body {
        match name.as_str() {
            "owner" if value.is_null() => assign.owner = Some(None),
            "owner" => assign.owner = Some(Some(person("owner", value)?)),
            "add_collaborators" => assign.add_collaborators = people(name, value)?,
            "remove_collaborators" => assign.remove_collaborators = people(name, value)?,
            _ => {
                return Err(Problem::refused(format!(
                    "There is no member `{}`; there are owner, add_collaborators, remove_collaborators.",
                    name.chars().take(64).collect::<String>()
                ))
                .with("field", name.as_str()));
            }
        }
    }
    Ok(assign)
}
