//! What is inside a contact and has an id of its own: phones, interactions, deals, purchases and so on.

use axum::http::{StatusCode, header};
use roadbook_protocol::document::{self, Collection, Command, Entry};
use roadbook_protocol::ids::EntryId;
use serde_json::json;

use super::call::{Call, Outcome, json as answer};
use super::commands;
use super::contacts::{etag, load};
use super::once::{Done, Seed, once};
use super::problem::Problem;
use super::write::{Open, author, nothing, open};
use crate::rights::Action;

impl Call {
    fn collection(&self) -> Result<Collection, Problem> {
        self.collection.ok_or_else(|| Problem::failed("the table of requests names no collection"))
    }
    fn entry(&self) -> Result<EntryId, Problem> {
        self.part("entry").parse().map_err(|_| Problem::not_found("entry"))
    }
}

/// The entries of a contact that may be read.
async fn entries(call: &Call) -> Result<Vec<Entry>, Problem> {
    let (id, collection) = (call.contact()?, call.collection()?);
    let rights = call.access.rights.clone();
    let found = call
        .state
        .read(move |conn| {
            let found = load(conn, &rights, id)?;
            Ok(found.map(|(_, doc)| document::read(id, &doc).entries(collection).clone()))
        })
        .await?;
    let found = found.ok_or_else(|| Problem::not_found("contact"))?;
    call.open(id).await?;
    Ok(found)
}

/// `GET /contacts/{id}/COLLECTION`
pub(super) async fn list(call: Call) -> Outcome {
    Ok(answer(StatusCode::OK, &json!({ "items": entries(&call).await? })))
}

/// `GET /contacts/{id}/COLLECTION/{entry}`
pub(super) async fn read(call: Call) -> Outcome {
    let wanted = call.entry()?;
    let found = entries(&call).await?.into_iter().find(|entry| entry.id == wanted);
    Ok(answer(StatusCode::OK, &json!(found.ok_or_else(|| Problem::not_found("entry"))?)))
}

/// An entry of an open contact.
fn find(open: &Open, collection: Collection, id: EntryId) -> Result<Entry, Problem> {
    document::read(open.contact.id, &open.doc)
        .entries(collection)
        .iter()
        .find(|entry| entry.id == id)
        .cloned()
        .ok_or_else(|| Problem::not_found("entry"))
}

/// The answer of a write: the entry as it is now, with the tag of its contact.
async fn done(
    call: &Call,
    collection: Collection,
    entry: EntryId,
    status: StatusCode,
) -> Result<Done, Problem> {
    let (id, rights) = (call.contact()?, call.access.rights.clone());
    let (found, etag) = call
        .state
        .read(move |conn| {
            let Some((contact, doc)) = load(conn, &rights, id)? else { return Ok(None) };
            let read = document::read(id, &doc);
            let found = read.entries(collection).iter().find(|there| there.id == entry).cloned();
            Ok(found.zip(Some(etag(&contact))))
        })
        .await?
        .ok_or_else(|| Problem::not_found("entry"))?;
    let mut headers =
        vec![(header::CONTENT_TYPE, "application/json".to_owned()), (header::ETAG, etag)];
    if status == StatusCode::CREATED {
        let address = format!("{}/contacts/{id}/{}/{entry}", super::PREFIX, collection.name());
        headers.push((header::LOCATION, address));
    }
    Ok(Done { status, headers, body: json!(found).to_string().into_bytes(), contact: Some(id) })
}

/// `POST /contacts/{id}/COLLECTION`
pub(super) async fn add(call: Call) -> Outcome {
    let (id, collection) = (call.contact()?, call.collection()?);
    let body = call.object()?;
    once(&call, |seed: Seed| {
        let (call, body) = (&call, &body);
        async move {
            let open = open(call, id, Action::Edit).await?;
            let entry = seed.entry(1);
            let command = commands::of_entry(collection, None, body, entry, seed.at)?;
            author(call, &open, vec![command]).await?;
            done(call, collection, entry, StatusCode::CREATED).await
        }
    })
    .await
}

/// `PATCH /contacts/{id}/COLLECTION/{entry}`
pub(super) async fn patch(call: Call) -> Outcome {
    let (id, collection, entry) = (call.contact()?, call.collection()?, call.entry()?);
    let body = call.object()?;
    once(&call, |seed: Seed| {
        let (call, body) = (&call, &body);
        async move {
            let open = open(call, id, Action::Edit).await?;
            let there = find(&open, collection, entry)?;
            let command = commands::of_entry(collection, Some(&there), body, entry, seed.at)?;
            let empty = matches!(&command, Command::Put { fields, .. } if fields.is_empty());
            if !empty {
                author(call, &open, vec![command]).await?;
            }
            done(call, collection, entry, StatusCode::OK).await
        }
    })
    .await
}

/// `DELETE /contacts/{id}/COLLECTION/{entry}`
pub(super) async fn remove(call: Call) -> Outcome {
    let (id, collection, entry) = (call.contact()?, call.collection()?, call.entry()?);
    once(&call, |seed: Seed| {
        let call = &call;
        async move {
            let open = open(call, id, Action::Edit).await?;
            match find(&open, collection, entry) {
                Ok(_) => {
                    author(call, &open, vec![Command::Remove { collection, id: entry }]).await?;
                }
                // It was removed by this very request.
                Err(_) if seed.again => {}
                Err(problem) => return Err(problem),
            }
            Ok(nothing(id))
        }
    })
    .await
}
