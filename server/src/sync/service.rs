//! What a connection asks of the engine, without a socket, a runtime or a thread: every function
//! blocks and answers. The connection's jobs run them on the blocking pool; a simulator calls them
//! as they are, so that it drives what is shipped.
//!
//! Nothing here decides about rights, fates or cursors: [`crate::engine`] does.

use std::cell::RefCell;
use std::collections::HashMap;

use ring::digest::{SHA256, digest};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId, Cursor, DeviceId, TimelineId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::{DeviceRecord, LoadedItem, LoadedPage, Opening, ServerEvent};
use roadbook_protocol::wire::{
    Access, ContactHeads, Directory, Dropped, DropsKnown, Erasures, Fate, PageItem, PendingChanges,
    Problem, ProblemCode, Seal, root, seal_text, statements,
};

use super::directory;
pub use super::enrol::grant as enrol;
pub use super::gate::{Gated, Refused, answer, judge, keep, note_erased};
pub use super::lists::lists;
pub use super::offers::{OfferRoom, Offers, offer};
pub use super::proposals::{decide, proposals};
pub use super::receipts::Receipts;
pub use super::wipe::store_sealed;
use crate::engine::{Engine, PageLimits, TimelineStatus, review};
use crate::rights;
use crate::store::{EngineError, Result, devices, drops, people, workspaces};

/// Raw bytes of one part of the answer to a fetch: what is loaded at once for one device.
const FETCH_PART_BYTES_MAX: usize = 768 * 1024;

/// Whom a connection serves, once it has proved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The device.
    pub device: DeviceId,
    /// Its user.
    pub user: UserId,
}

/// Looks a device up, for its challenge; with the oldest app version that gets customer data in its
/// workspace. `None` for a device that is not known, and whose certificate does not make it known.
///
/// # Errors
/// What the database says.
pub fn lookup(
    engine: &Engine,
    workspace: WorkspaceId,
    id: DeviceId,
    certificate: &[u8],
) -> Result<Option<(Box<DeviceRecord>, Option<String>)>> {
    let known = find(engine, workspace, id)?;
    if known.is_some() || !engine.readmit(workspace, id, certificate)? {
        return Ok(known);
    }
    find(engine, workspace, id)
}

fn find(
    engine: &Engine,
    workspace: WorkspaceId,
    id: DeviceId,
) -> Result<Option<(Box<DeviceRecord>, Option<String>)>> {
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
            revoked: !rights::admits(device.revoked_at.is_some(), user.disabled_at.is_some()),
            wipe: device.revoked_at.is_some(),
        };
        Ok(Some((Box::new(record), workspace.minimum_app)))
    })
}

/// What a device says when it opens its session.
pub struct Knock {
    /// Who it is.
    pub who: Identity,
    /// The actors it writes with.
    pub actors: Vec<Actor>,
    /// The timeline of its cursor; `None` before its first sync.
    pub timeline: Option<TimelineId>,
    /// The largest cursor of that timeline that it has heard of.
    pub cursor: Cursor,
    /// Whether it asks for a certificate of its enrolment.
    pub certify: bool,
}

/// Registers the actors of a device that has proved itself, and judges its timeline.
///
/// # Errors
/// [`EngineError::Refused`] with the code `revoked`, and what the database says.
pub fn open(engine: &Engine, knock: Knock) -> Result<Opening> {
    let workspace = knock.who.workspace;
    let actors_taken = register(engine, knock.who, knock.actors.clone())?;
    expect_drops(engine, &knock)?;
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
        lease: Some(engine.lease(workspace, knock.who.device, knock.who.user)?),
        sealing: Some(engine.sealing_key(workspace)?),
        certificate: match knock.certify {
            true => engine.certificate(workspace, knock.who.device)?,
            false => Vec::new(),
        },
        erasures: engine.erasures_for(workspace, knock.who.device)?,
        hold: hold(engine, workspace)?,
    })
}

/// Why no customer data goes to any device for now, if it does not (rule 4).
fn hold(engine: &Engine, workspace: WorkspaceId) -> Result<Option<Problem>> {
    let since = engine.read(|conn| review::since(conn, workspace))?;
    Ok(since.map(|_| Problem {
        code: ProblemCode::Unavailable,
        message: review::HOLD.to_owned(),
        retry_after_ms: None,
        fatal: false,
        actors: Vec::new(),
    }))
}

/// A device holds nothing of these erased contacts any more. Gives what it has still to confirm.
///
/// # Errors
/// What the database says.
pub fn purged(
    engine: &Engine,
    who: Identity,
    contacts: Vec<ContactId>,
) -> Result<Option<Erasures>> {
    engine.confirm_purged(who.workspace, who.device, contacts)?;
    engine.erasures_for(who.workspace, who.device)
}

/// What the device says of itself tells what of others' contacts it may hold: nothing before its first
/// sync; everything that was taken away beyond its cursor (rule 18).
fn expect_drops(engine: &Engine, knock: &Knock) -> Result<()> {
    let Identity { workspace, device, user } = knock.who;
    let cursor = knock.cursor;
    if knock.timeline.is_none() {
        if engine.read(|conn| drops::is_expected(conn, workspace, device))? {
            engine.write(move |tx| drops::confirm_all(tx, workspace, device).map(drop))?;
        }
    } else if engine.read(|conn| drops::is_behind(conn, workspace, device, user, cursor))? {
        engine.write(move |tx| drops::expect_since(tx, workspace, device, user, cursor))?;
    }
    Ok(())
}

/// Registers actors to a device; returns those that belong to another.
///
/// # Errors
/// [`EngineError::Refused`] with the code `revoked`, and what the database says.
pub fn register(engine: &Engine, who: Identity, actors: Vec<Actor>) -> Result<Vec<Actor>> {
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

/// Whether the device, or its user, was shut out.
fn is_revoked(conn: &rusqlite::Connection, who: Identity) -> Result<bool> {
    let device = devices::find_device(conn, who.workspace, who.device)?;
    let revoked = device.is_none_or(|device| device.revoked_at.is_some());
    let disabled = people::user(conn, who.workspace, who.user)?.disabled_at.is_some();
    Ok(!rights::admits(revoked, disabled))
}

/// What is new for a device. `None` where the device was revoked meanwhile: read after the page was
/// built, so that a page which is sent was built before (rule 7).
///
/// `own` are changes that came from the device on this connection: they are not loaded, and come as
/// items without bytes, by which the session knows that they are merged.
///
/// # Errors
/// What the database says; [`EngineError::Busy`] where rights change too fast.
pub fn page(
    engine: &Engine,
    limits: &Limits,
    who: Identity,
    since: Cursor,
    own: &HashMap<ChangeHash, ContactId>,
) -> Result<Option<LoadedPage>> {
    let limits = PageLimits {
        items_max: limits.page_documents_max,
        // A page must fit a message even where nothing can be compressed.
        bytes_max: limits.page_bytes_max / 8 * 7,
    };
    while_rights_hold(engine, who, || {
        let met = RefCell::new(HashMap::<ContactId, Vec<ChangeHash>>::new());
        let skip = |hash: &ChangeHash| {
            let Some(contact) = own.get(hash) else { return false };
            met.borrow_mut().entry(*contact).or_default().push(*hash);
            true
        };
        let page = engine.page(who.workspace, who.user, since, limits, &skip)?;
        let (seal, sealed) = sealed(engine, who, page.as_of, page.items)?;
        let items = met.into_inner().into_iter().map(own_item).chain(sealed).collect();
        Ok(LoadedPage { cursor: page.cursor, items, more: page.more, seal })
    })
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
        signed: Vec::new(),
        generation: None,
    }
}

/// Signs what the items say, once for all of them.
fn sealed(
    engine: &Engine,
    who: Identity,
    as_of: Cursor,
    items: Vec<PageItem>,
) -> Result<(Option<Seal>, Vec<LoadedItem>)> {
    let stated = statements(&items);
    let seal = match stated.is_empty() {
        true => None,
        false => {
            let leaves: Vec<ChangeHash> = stated.iter().map(|stated| stated.leaf).collect();
            let timeline = engine.timeline(who.workspace)?;
            let text = seal_text(&who.workspace, &who.user, &timeline, as_of, &root(&leaves));
            Some(Seal { signature: engine.sign(who.workspace, &text)?, as_of })
        }
    };
    let mut items: Vec<LoadedItem> = items.into_iter().map(loaded).collect();
    for stated in stated {
        if let Some(item) = items.get_mut(stated.item) {
            item.signed = stated.tips;
        }
    }
    Ok((seal, items))
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
        signed: Vec::new(),
        generation: item.generation,
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
pub fn hashes(page: &LoadedPage) -> impl Iterator<Item = &ChangeHash> {
    page.items.iter().flat_map(|item| item.changes.iter().map(|(hash, _)| hash))
}

/// The list of a first sync.
///
/// # Errors
/// What the database says.
pub fn manifest(engine: &Engine, who: Identity) -> Result<ServerEvent> {
    let list = engine.manifest(who.workspace, who.user)?;
    Ok(ServerEvent::ManifestLoaded {
        cursor: list.cursor,
        contacts: list.contacts,
        bytes_total: list.bytes_total,
        unknown: Vec::new(),
        known: Vec::new(),
    })
}

/// Compares a device's heads with the server's.
///
/// # Errors
/// What the database says.
pub fn repair(engine: &Engine, who: Identity, heads: &[ContactHeads]) -> Result<ServerEvent> {
    let repair = engine.repair(who.workspace, who.user, heads)?;
    Ok(ServerEvent::ManifestLoaded {
        cursor: repair.fetch.cursor,
        contacts: repair.fetch.contacts,
        bytes_total: repair.fetch.bytes_total,
        unknown: repair.unknown,
        known: repair.known,
    })
}

/// One part of the answer to a fetch.
pub struct FetchPart {
    /// `None` where the device was revoked meanwhile.
    pub items: Option<Vec<LoadedItem>>,
    /// The signature over what they say.
    pub seal: Option<Seal>,
    /// The contacts that are still to be loaded.
    pub rest: Vec<ContactId>,
}

/// Loads as many of the contacts as one part holds, at least one.
///
/// # Errors
/// What the database says.
pub fn fetch(engine: &Engine, who: Identity, mut contacts: Vec<ContactId>) -> Result<FetchPart> {
    let read = while_rights_hold(engine, who, || {
        let as_of = engine.public_cursor(who.workspace)?;
        let items = engine.fetch(who.workspace, who.user, &contacts, FETCH_PART_BYTES_MAX)?;
        Ok((as_of, items))
    })?;
    let Some((as_of, items)) = read else {
        return Ok(FetchPart { items: None, seal: None, rest: contacts });
    };
    let rest = contacts.split_off(items.len().min(contacts.len()));
    let (seal, items) = sealed(engine, who, as_of, items)?;
    Ok(FetchPart { items: Some(items), seal, rest })
}

/// The fates of changes whose receipt the device has, but not their fate.
///
/// # Errors
/// What the database says.
pub fn fates(engine: &Engine, who: Identity, pending: &[PendingChanges]) -> Result<ServerEvent> {
    let fates = engine.fates(who.workspace, who.device, pending)?;
    // What is stored and not merged yet is no news; its fate comes when it has one.
    Ok(ServerEvent::Fates(fates.into_iter().filter(|fate| fate.fate != Fate::Stored).collect()))
}

/// Notes that a device has dropped contacts which were taken from its user (rule 18): from now on
/// nothing late is taken from it of them. Durable.
///
/// # Errors
/// What the database says.
pub fn dropped(engine: &Engine, who: Identity, dropped: Dropped) -> Result<DropsKnown> {
    let known = DropsKnown { cursor: dropped.cursor, contacts: dropped.contacts.clone() };
    engine.confirm_dropped(who.workspace, who.device, who.user, dropped)?;
    Ok(known)
}

/// The directory for a device, signed. The same facts give the same bytes.
///
/// # Errors
/// What the database says.
pub fn directory(engine: &Engine, who: Identity) -> Result<Directory> {
    engine.read(|conn| directory::load(engine, conn, who.workspace, who.user))
}
