//! The [`service`](super::service) for connections. Its calls block, so each runs on the blocking
//! pool, and no more of them at once than the machine can use.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, Cursor, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::session::{DeviceRecord, LoadedItem, LoadedPage, Opening, ServerEvent};
use roadbook_protocol::wire::{
    ContactHeads, Directory, Erasures, Lists, PendingChanges, Problem, ProblemCode, Proposals,
};
use roadbook_protocol::wire::{Sealed, Wiped};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::hub::{Hub, Seat};
use super::service::{self, FetchPart, Identity, Knock};
use super::wipe;
use crate::engine::{Engine, Event, Held, Reader, Reading};
use crate::store::{EngineError, Result, contacts, devices};

/// Runs something that blocks, when there is room.
pub(super) async fn on_blocking_pool<T: Send + 'static>(
    room: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    // The permit goes with the work, not with the one who waits for it: a connection that ends does
    // not end what it has begun.
    let permit = room.clone().acquire_owned().await.map_err(|_| EngineError::Closed)?;
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    })
    .await
    .unwrap_or(Err(EngineError::Panicked { during: "serving a device" }))
}

async fn read<T: Send + 'static>(
    hub: &Hub,
    work: impl FnOnce(&Engine) -> Result<T> + Send + 'static,
) -> Result<T> {
    let engine = hub.engine().clone();
    on_blocking_pool(&hub.reads(), move || work(&engine)).await
}

/// The problem to tell for a failure of ours: the log keeps the cause.
pub(super) fn internal(error: &(impl Display + ?Sized)) -> Problem {
    tracing::error!(%error, "a device could not be served");
    Problem {
        code: ProblemCode::Internal,
        message: "something failed at the server, its log says what; the app tries again by itself"
            .into(),
        retry_after_ms: Some(5_000),
        fatal: true,
        actors: Vec::new(),
    }
}

/// The problem to tell for what the engine could not do.
pub(super) fn failed(error: &EngineError) -> Problem {
    if !matches!(error, EngineError::NotCommitted { .. }) && !error.is_disk_full() {
        return internal(error);
    }
    tracing::warn!(%error, "a device was sent away: nothing can be stored");
    Problem {
        code: ProblemCode::Unavailable,
        message: "the server can't store anything now, its log says why; nothing was acknowledged, the app \
                  tries again by itself"
            .into(),
        retry_after_ms: Some(5_000),
        fatal: true,
        actors: Vec::new(),
    }
}

/// [`service::lookup`].
pub(super) async fn lookup(
    hub: Hub,
    workspace: WorkspaceId,
    id: DeviceId,
    certificate: Vec<u8>,
) -> Result<Option<(Box<DeviceRecord>, Option<String>)>> {
    read(&hub, move |engine| service::lookup(engine, workspace, id, &certificate)).await
}

/// Claims the device's place, then [`service::open`].
pub(super) async fn open(hub: Hub, knock: Knock) -> Result<(Seat, Box<Opening>), Problem> {
    let Identity { workspace, device, user } = knock.who;
    // First the place, then the cursor: what is published in between is in the mailbox.
    let seat = hub.claim(workspace, device, user).await?;
    let opened = read(&hub, move |engine| service::open(engine, knock)).await;
    match opened {
        Ok(opening) => Ok((seat, Box::new(opening))),
        Err(EngineError::Refused { code: "revoked", reason }) => Err(Problem {
            code: ProblemCode::Revoked,
            message: reason,
            retry_after_ms: None,
            fatal: true,
            actors: Vec::new(),
        }),
        Err(error) => Err(failed(&error)),
    }
}

/// [`service::page`].
pub(super) async fn page(
    hub: Hub,
    who: Identity,
    since: Cursor,
    own: HashMap<ChangeHash, ContactId>,
) -> Result<Option<std::result::Result<LoadedPage, Held>>> {
    let limits = hub.options().limits;
    metrics::counter!("roadbook_sync_pages_total").increment(1);
    read(&hub, move |engine| {
        let Some(page) = service::page(engine, &limits, who, since, &own)? else { return Ok(None) };
        let held = volume(engine, who, page.items.iter())?;
        Ok(Some(held.map_or(Ok(page), Err)))
    })
    .await
}

/// [`service::manifest`].
pub(super) async fn manifest(hub: Hub, who: Identity) -> Result<ServerEvent> {
    read(&hub, move |engine| service::manifest(engine, who)).await
}

/// [`service::repair`].
pub(super) async fn repair(
    hub: Hub,
    who: Identity,
    heads: Vec<ContactHeads>,
) -> Result<ServerEvent> {
    metrics::counter!("roadbook_sync_repairs_total").increment(1);
    read(&hub, move |engine| service::repair(engine, who, &heads)).await
}

/// [`service::fetch`].
pub(super) async fn fetch(
    hub: Hub,
    who: Identity,
    contacts: Vec<ContactId>,
) -> Result<std::result::Result<FetchPart, Held>> {
    read(&hub, move |engine| {
        let part = service::fetch(engine, who, contacts)?;
        let held = volume(engine, who, part.items.iter().flatten())?;
        Ok(held.map_or(Ok(part), Err))
    })
    .await
}

/// Counts whole contacts that are about to be sent to a device.
fn volume<'a>(
    engine: &Engine,
    who: Identity,
    items: impl Iterator<Item = &'a LoadedItem>,
) -> Result<Option<Held>> {
    let Identity { workspace, device, user } = who;
    let reader = Reader { workspace, user, device: Some(device) };
    let whole: Vec<ContactId> =
        items.filter(|item| !item.snapshot.is_empty()).map(|item| item.contact).collect();
    engine.take_shown(reader, Reading::Device, &whole)
}

/// [`service::fates`].
pub(super) async fn fates(
    hub: Hub,
    who: Identity,
    pending: Vec<PendingChanges>,
) -> Result<ServerEvent> {
    read(&hub, move |engine| service::fates(engine, who, &pending)).await
}

/// The erasures that a device has to confirm; first notes those that it has `purged`.
pub(super) async fn erasures(
    hub: Hub,
    who: Identity,
    purged: Vec<ContactId>,
) -> Result<Option<Erasures>> {
    read(&hub, move |engine| match purged.is_empty() {
        true => engine.erasures_for(who.workspace, who.device),
        false => service::purged(engine, who, purged),
    })
    .await
}

/// [`service::directory`].
pub(super) async fn directory(hub: Hub, who: Identity) -> Result<Directory> {
    read(&hub, move |engine| service::directory(engine, who)).await
}

/// [`service::proposals`].
pub(super) async fn proposals(hub: Hub, who: Identity) -> Result<Option<Vec<Proposals>>> {
    read(&hub, move |engine| service::proposals(engine, who)).await
}

/// [`service::lists`].
pub(super) async fn lists(
    hub: Hub,
    who: Identity,
    known: Option<u64>,
) -> Result<Option<Vec<Lists>>> {
    read(&hub, move |engine| service::lists(engine, who, known)).await
}

/// [`Engine::wipe_order`].
pub(super) async fn wipe_order(hub: Hub, who: Identity) -> Result<ServerEvent> {
    let order = read(&hub, move |engine| engine.wipe_order(who.workspace, who.device)).await?;
    Ok(ServerEvent::WipeOrder(order))
}

/// [`service::store_sealed`].
pub(super) async fn store_sealed(hub: Hub, who: Identity, sealed: Sealed) -> Result<ServerEvent> {
    let limits = hub.options().limits;
    let stored =
        read(&hub, move |engine| service::store_sealed(engine, &limits, who, sealed)).await;
    match stored {
        Ok(stored) => Ok(ServerEvent::SealedStored(Ok(stored))),
        Err(error) => match wipe::refusal(&error) {
            Some(problem) => Ok(ServerEvent::SealedStored(Err(problem))),
            None => Err(error),
        },
    }
}

/// [`Engine::note_wiped`].
pub(super) async fn note_wiped(hub: Hub, who: Identity, wiped: Wiped) -> Result<ServerEvent> {
    read(&hub, move |engine| engine.note_wiped(who.workspace, who.device)).await?;
    Ok(ServerEvent::WipeNoted(wiped))
}

/// Carries the engine's events to the connections that they concern.
pub(super) async fn follow_events(hub: Hub, over: CancellationToken) {
    let mut events = hub.engine().events();
    loop {
        let event = tokio::select! {
            () = over.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Ok(Event::Merged { workspace, cursor, contacts }) => {
                let users: HashSet<UserId> =
                    contacts.iter().flat_map(|merged| merged.users.iter().copied()).collect();
                hub.published(workspace, users, cursor);
            }
            Ok(Event::Access { workspace, cursor, users, .. }) => {
                hub.published(workspace, users.iter().copied(), cursor);
                // With contacts come colleagues.
                hub.directory_changed(workspace, &users);
                hub.proposals_changed(workspace, &users);
                hub.lists_changed(workspace, &users);
            }
            Ok(Event::Lists { workspace, users }) => hub.lists_changed(workspace, &users),
            Ok(Event::CustomFields { workspace }) => hub.every_directory_changed(workspace),
            Ok(Event::Fates { workspace, device, fates, .. }) => {
                hub.fates(workspace, device, fates.to_vec());
            }
            Ok(Event::Revoked { workspace, device }) => hub.revoked(workspace, device),
            Ok(Event::Erased { workspace, users }) => hub.erased(workspace, &users),
            Ok(Event::Released { workspace, user }) => hub.released(workspace, user),
            Ok(Event::Proposals { workspace, contacts }) if !contacts.is_empty() => {
                match owners(&hub, workspace, contacts).await {
                    Ok(owners) => hub.proposals_changed(workspace, &owners),
                    Err(error) => tracing::error!(%error, "late edits could not be told of"),
                }
            }
            Ok(Event::DeviceSeen { .. } | Event::Proposals { .. } | Event::Alert { .. }) => {}
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "events were missed: every device looks for what is new");
                metrics::counter!("roadbook_sync_events_missed_total").increment(missed);
                catch_up(&hub).await;
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Whose the contacts are.
async fn owners(hub: &Hub, workspace: WorkspaceId, ids: Arc<[ContactId]>) -> Result<Vec<UserId>> {
    read(hub, move |engine| {
        engine.read(|conn| {
            let mut owners = HashSet::new();
            for id in ids.iter() {
                owners.extend(contacts::find(conn, workspace, *id)?.and_then(|found| found.owner));
            }
            Ok(owners.into_iter().collect())
        })
    })
    .await
}

/// After missed events: revocations first, then everyone reads.
async fn catch_up(hub: &Hub) {
    let connected = hub.devices();
    let looked = read(hub, move |engine| {
        let mut revoked = Vec::new();
        let mut cursors = HashMap::new();
        for (workspace, device) in connected {
            cursors.insert(workspace, engine.public_cursor(workspace)?);
            let found = engine.read(|conn| devices::find_device(conn, workspace, device))?;
            if found.is_none_or(|device| device.revoked_at.is_some()) {
                revoked.push((workspace, device));
            }
        }
        Ok((revoked, cursors))
    })
    .await;
    match looked {
        Ok((revoked, cursors)) => {
            for (workspace, device) in revoked {
                hub.revoked(workspace, device);
            }
            hub.poke_all(|workspace| cursors.get(&workspace).copied().unwrap_or_default());
        }
        Err(error) => tracing::error!(%error, "the devices could not be caught up"),
    }
}
