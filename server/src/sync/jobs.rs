//! What a connection asks of the engine. The engine's calls block, so each runs on the blocking
//! pool, and no more of them at once than the machine can use.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId, Cursor, DeviceId, TimelineId, UserId, WorkspaceId};
use roadbook_protocol::session::{DeviceRecord, LoadedItem, LoadedPage, Opening, ServerEvent};
use roadbook_protocol::wire::{
    Access, ContactHeads, Directory, Fate, PageItem, PendingChanges, Problem, ProblemCode,
};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::directory;
use super::hub::{Hub, Seat};
use crate::engine::{Engine, Event, PageLimits, TimelineStatus};
use crate::store::{EngineError, Result, devices, people, workspaces};

/// Raw bytes of one part of the answer to a fetch: what is loaded at once for one device.
const FETCH_PART_BYTES_MAX: usize = 768 * 1024;

/// Whom a connection serves, once it has proved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) workspace: WorkspaceId,
    pub(super) device: DeviceId,
    pub(super) user: UserId,
}

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

/// Looks a device up, for its challenge; with the oldest app version that gets customer data in its
/// workspace.
pub(super) async fn lookup(
    hub: Hub,
    workspace: WorkspaceId,
    id: DeviceId,
) -> Result<Option<(Box<DeviceRecord>, Option<String>)>> {
    read(&hub, move |engine| {
        engine.read(|conn| {
            let Some(device) = devices::find_device(conn, workspace, id)? else { return Ok(None) };
            let user = people::user(conn, workspace, device.user)?;
            let workspace = workspaces::find(conn, workspace)?;
            let record = DeviceRecord {
                user: user.id,
                login: user.login,
                user_name: user.name,
                role: user.role.as_str().to_owned(),
                workspace_name: workspace.name,
                algorithm: device.algorithm,
                public_key: device.public_key,
                revoked: device.revoked_at.is_some() || user.disabled_at.is_some(),
            };
            Ok(Some((Box::new(record), workspace.minimum_app)))
        })
    })
    .await
}

/// What a device says when it opens its session.
pub(super) struct Knock {
    pub(super) who: Identity,
    pub(super) actors: Vec<Actor>,
    pub(super) timeline: Option<TimelineId>,
    pub(super) cursor: Cursor,
}

/// Claims the device's place, registers its actors, and judges its timeline.
pub(super) async fn open(hub: Hub, knock: Knock) -> Result<(Seat, Box<Opening>), Problem> {
    let Identity { workspace, device, user } = knock.who;
    // First the place, then the cursor: what is published in between is in the mailbox.
    let seat = hub.claim(workspace, device, user).await?;
    let opened = read(&hub, move |engine| {
        let actors_taken = register(engine, knock.who, knock.actors)?;
        let repair = match knock.timeline {
            None => false,
            Some(timeline) => {
                engine.timeline_status(workspace, timeline, knock.cursor)? == TimelineStatus::Repair
            }
        };
        Ok(Opening {
            timeline: engine.timeline(workspace)?,
            cursor: engine.public_cursor(workspace)?,
            server_time: engine.now_ms(),
            repair,
            actors_taken,
        })
    })
    .await;
    match opened {
        Ok(opening) => Ok((seat, Box::new(opening))),
        Err(EngineError::Refused { code: "revoked", reason }) => Err(Problem {
            code: ProblemCode::Revoked,
            message: reason,
            retry_after_ms: None,
            fatal: true,
            actors: Vec::new(),
        }),
        Err(error) => Err(internal(&error)),
    }
}

/// Registers actors to a device; returns those that belong to another.
///
/// # Errors
/// [`EngineError::Refused`] with the code `revoked`, and what the database says.
pub(super) fn register(engine: &Engine, who: Identity, actors: Vec<Actor>) -> Result<Vec<Actor>> {
    let known = {
        let actors = actors.clone();
        engine.read(move |conn| -> Result<bool> {
            let mut all = !is_revoked(conn, who)?;
            for actor in actors {
                let owner = devices::actor_owner(conn, who.workspace, actor)?;
                all &= owner == Some(devices::ActorOwner::Device(who.device));
            }
            Ok(all)
        })?
    };
    if known {
        // The everyday case costs no commit.
        return Ok(Vec::new());
    }
    let now = engine.now_ms();
    engine.write(move |tx| -> Result<Vec<Actor>> {
        if is_revoked(tx, who)? {
            return Err(EngineError::Refused {
                code: "revoked",
                reason: "this device was revoked: ask your admin; to go on, enrol it anew".into(),
            });
        }
        let mut taken = Vec::new();
        for actor in &actors {
            match devices::register_actor(tx, who.workspace, *actor, who.device, now) {
                Ok(()) => {}
                Err(EngineError::Refused { .. }) => taken.push(*actor),
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    })
}

fn is_revoked(conn: &rusqlite::Connection, who: Identity) -> Result<bool> {
    let device = devices::find_device(conn, who.workspace, who.device)?;
    Ok(device.is_none_or(|device| device.revoked_at.is_some()))
}

/// What is new for a device. `None` where the device was revoked meanwhile: read after the page was
/// built, so that a page which is sent was built before (rule 7).
///
/// `own` are changes that came from the device on this connection: they are not loaded, and come as
/// items without bytes, by which the session knows that they are merged.
pub(super) async fn page(
    hub: Hub,
    who: Identity,
    since: Cursor,
    own: HashMap<ChangeHash, ContactId>,
) -> Result<Option<LoadedPage>> {
    let limits = hub.options().limits;
    let limits = PageLimits {
        items_max: limits.page_documents_max,
        // A page must fit a message even where nothing can be compressed.
        bytes_max: limits.page_bytes_max / 8 * 7,
    };
    read(&hub, move |engine| {
        while_rights_hold(engine, who, || {
            let met = RefCell::new(HashMap::<ContactId, Vec<ChangeHash>>::new());
            let skip = |hash: &ChangeHash| {
                let Some(contact) = own.get(hash) else { return false };
                met.borrow_mut().entry(*contact).or_default().push(*hash);
                true
            };
            let page = engine.page(who.workspace, who.user, since, limits, &skip)?;
            metrics::counter!("roadbook_sync_pages_total").increment(1);
            let items = met.into_inner().into_iter().map(own_item);
            let items = items.chain(page.items.into_iter().map(loaded)).collect();
            Ok(LoadedPage { cursor: page.cursor, items, more: page.more })
        })
    })
    .await
}

/// How often something is built anew because rights changed meanwhile, before the connection is given
/// up; the device comes back by itself.
const BUILDS_MAX: usize = 8;

/// Builds what is to be sent to a device, and builds it again if something was taken from its user
/// while it was built (rule 7); `None` for a device that was revoked.
pub(super) fn while_rights_hold<T>(
    engine: &Engine,
    who: Identity,
    mut build: impl FnMut() -> Result<T>,
) -> Result<Option<T>> {
    for _ in 0..BUILDS_MAX {
        let as_of = engine.public_cursor(who.workspace)?;
        let built = build()?;
        if engine.read(|conn| is_revoked(conn, who))? {
            return Ok(None);
        }
        if engine.may_send(who.workspace, who.device, who.user, as_of)? {
            return Ok(Some(built));
        }
    }
    Err(EngineError::Busy { what: "what this device may see changes too fast" })
}

fn own_item((contact, hashes): (ContactId, Vec<ChangeHash>)) -> LoadedItem {
    LoadedItem {
        contact,
        access: Access::Owner,
        owner: None,
        epoch: 0,
        changes: hashes.into_iter().map(|hash| (hash, Vec::new())).collect(),
        snapshot: Vec::new(),
        row: String::new(),
        heads: Vec::new(),
    }
}

fn loaded(item: PageItem) -> LoadedItem {
    LoadedItem {
        contact: item.contact,
        access: item.access,
        owner: item.owner,
        epoch: item.epoch,
        changes: item.changes.into_iter().map(|bytes| (change_hash(&bytes), bytes)).collect(),
        snapshot: item.snapshot,
        row: item.row,
        heads: item.heads,
    }
}

/// The hash of a raw change: SHA-256 over the chunk without magic and checksum. The chunks come out
/// of our own log, where they were verified.
fn change_hash(chunk: &[u8]) -> ChangeHash {
    let mut hash = [0u8; 32];
    hash.copy_from_slice(digest(&SHA256, chunk.get(8..).unwrap_or_default()).as_ref());
    ChangeHash(hash)
}

/// The hashes of the changes in a page.
pub(super) fn hashes(page: &LoadedPage) -> impl Iterator<Item = &ChangeHash> {
    page.items.iter().flat_map(|item| item.changes.iter().map(|(hash, _)| hash))
}

/// The list of a first sync.
pub(super) async fn manifest(hub: Hub, who: Identity) -> Result<ServerEvent> {
    read(&hub, move |engine| {
        let list = engine.manifest(who.workspace, who.user)?;
        Ok(ServerEvent::ManifestLoaded {
            cursor: list.cursor,
            contacts: list.contacts,
            bytes_total: list.bytes_total,
            unknown: Vec::new(),
        })
    })
    .await
}

/// Compares a device's heads with the server's.
pub(super) async fn repair(
    hub: Hub,
    who: Identity,
    heads: Vec<ContactHeads>,
) -> Result<ServerEvent> {
    metrics::counter!("roadbook_sync_repairs_total").increment(1);
    read(&hub, move |engine| {
        let repair = engine.repair(who.workspace, who.user, &heads)?;
        Ok(ServerEvent::ManifestLoaded {
            cursor: repair.fetch.cursor,
            contacts: repair.fetch.contacts,
            bytes_total: repair.fetch.bytes_total,
            unknown: repair.unknown,
        })
    })
    .await
}

/// One part of the answer to a fetch.
pub(super) struct FetchPart {
    /// `None` where the device was revoked meanwhile.
    pub(super) items: Option<Vec<LoadedItem>>,
    /// The contacts that are still to be loaded.
    pub(super) rest: Vec<ContactId>,
}

/// Loads as many of the contacts as one part holds, at least one.
pub(super) async fn fetch(
    hub: Hub,
    who: Identity,
    mut contacts: Vec<ContactId>,
) -> Result<FetchPart> {
    read(&hub, move |engine| {
        let items = while_rights_hold(engine, who, || {
            engine.fetch(who.workspace, who.user, &contacts, FETCH_PART_BYTES_MAX)
        })?;
        let Some(items) = items else { return Ok(FetchPart { items: None, rest: contacts }) };
        let rest = contacts.split_off(items.len().min(contacts.len()));
        let items = Some(items.into_iter().map(loaded).collect());
        Ok(FetchPart { items, rest })
    })
    .await
}

/// The fates of changes whose receipt the device has, but not their fate.
pub(super) async fn fates(
    hub: Hub,
    who: Identity,
    pending: Vec<PendingChanges>,
) -> Result<ServerEvent> {
    read(&hub, move |engine| {
        let fates = engine.fates(who.workspace, who.device, &pending)?;
        // What is stored and not merged yet is no news; its fate comes when it has one.
        Ok(ServerEvent::Fates(fates.into_iter().filter(|fate| fate.fate != Fate::Stored).collect()))
    })
    .await
}

/// The directory for a device, signed.
pub(super) async fn directory(hub: Hub, who: Identity) -> Result<Directory> {
    read(&hub, move |engine| engine.read(|conn| directory::load(conn, who.workspace, who.user)))
        .await
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
            }
            Ok(Event::Fates { workspace, device, fates, .. }) => {
                hub.fates(workspace, device, fates.to_vec());
            }
            Ok(Event::Revoked { workspace, device }) => hub.revoked(workspace, device),
            Ok(Event::DeviceSeen { .. }) => {}
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "events were missed: every device looks for what is new");
                metrics::counter!("roadbook_sync_events_missed_total").increment(missed);
                catch_up(&hub).await;
            }
            Err(RecvError::Closed) => return,
        }
    }
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
