//! Devices, and the actors that belong to them.

use roadbook_protocol::ids::{Actor, Cursor, DeviceId, TimelineId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::KeyAlgorithm;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::drops;
use super::ledger::{self, Record};
use super::people::found;
use super::sql::{id_column, id_column_or_null};
use super::{EngineError, Result};

/// One enrolled replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The id.
    pub id: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// The algorithm of its key.
    #[serde(skip)]
    pub algorithm: KeyAlgorithm,
    /// Its public key.
    #[serde(skip)]
    pub public_key: Vec<u8>,
    /// What its user calls it.
    pub name: String,
    /// Operating system and its version.
    pub platform: String,
    /// App name and version.
    pub app: String,
    /// When it was enrolled.
    pub created_at: UnixMs,
    /// When it was connected last.
    pub last_seen: Option<UnixMs>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMs>,
    /// How many of its changes are not acknowledged, as it last said.
    pub unsent: u32,
    /// Up to where it has everything, as it last said.
    pub cursor: Cursor,
    /// How many contacts of a first sync it still has to fetch, as it last said.
    pub missing: u32,
}

const DEVICE_COLUMNS: &str = "workspace, id, user, algorithm, public_key, name, platform, app, created_at, last_seen, revoked_at, unsent, cursor, missing";

fn device_row(row: &Row<'_>) -> rusqlite::Result<Device> {
    let algorithm: String = row.get(3)?;
    Ok(Device {
        workspace: id_column!(row, 0, WorkspaceId),
        id: id_column!(row, 1, DeviceId),
        user: id_column!(row, 2, UserId),
        algorithm: match algorithm.as_str() {
            "ecdsa_p256" => KeyAlgorithm::EcdsaP256,
            _ => KeyAlgorithm::Ed25519,
        },
        public_key: row.get(4)?,
        name: row.get(5)?,
        platform: row.get(6)?,
        app: row.get(7)?,
        created_at: row.get(8)?,
        last_seen: row.get(9)?,
        revoked_at: row.get(10)?,
        unsent: row.get(11)?,
        cursor: row.get(12)?,
        missing: row.get(13)?,
    })
}

/// Enrols a device. The state fields of `device` (last seen, cursor ...) are not written.
///
/// # Errors
/// What the database says.
pub fn create_device(tx: &Transaction<'_>, device: &Device) -> Result<()> {
    let algorithm = match device.algorithm {
        KeyAlgorithm::Ed25519 => "ed25519",
        KeyAlgorithm::EcdsaP256 => "ecdsa_p256",
    };
    tx.execute(
        "INSERT INTO device (workspace, id, user, algorithm, public_key, name, platform, app, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            device.workspace.as_bytes(),
            device.id.as_bytes(),
            device.user.as_bytes(),
            algorithm,
            device.public_key,
            device.name,
            device.platform,
            device.app,
            device.created_at,
        ],
    )?;
    let (id, user) = (device.id, device.user);
    drops::expect_all(tx, device.workspace, id, user)?;
    let (algorithm, public_key) = (device.algorithm, device.public_key.clone());
    ledger::note(tx, device.workspace, Record::Enrol { device: id, user, algorithm, public_key })
}

/// A device, revoked ones too; `None` if it is not known.
///
/// # Errors
/// What the database says.
pub fn find_device(
    conn: &Connection,
    workspace: WorkspaceId,
    id: DeviceId,
) -> Result<Option<Device>> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {DEVICE_COLUMNS} FROM device WHERE workspace = ? AND id = ?"
        ))?
        .query_row(params![workspace.as_bytes(), id.as_bytes()], device_row)
        .optional()?)
}

/// The device with this public key that is not revoked. Reads the whole table: only for a device that
/// did not hear of its enrolment and asks again.
///
/// # Errors
/// What the database says.
pub fn device_of_key(conn: &Connection, public_key: &[u8]) -> Result<Option<Device>> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {DEVICE_COLUMNS} FROM device WHERE public_key = ? AND revoked_at IS NULL"
        ))?
        .query_row([public_key], device_row)
        .optional()?)
}

/// All devices of a workspace, or of one user, oldest first.
///
/// # Errors
/// What the database says.
pub fn list_devices(
    conn: &Connection,
    workspace: WorkspaceId,
    user: Option<UserId>,
) -> Result<Vec<Device>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {DEVICE_COLUMNS} FROM device WHERE workspace = ?1 AND (?2 IS NULL OR user = ?2)
         ORDER BY created_at, id"
    ))?;
    let user = user.as_ref().map(UserId::as_bytes);
    let rows = statement.query_map(params![workspace.as_bytes(), user], device_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a user has a device, or had one.
///
/// # Errors
/// What the database says.
pub fn any(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM device WHERE workspace = ? AND user = ? LIMIT 1")?
        .exists(params![workspace.as_bytes(), user.as_bytes()])?)
}

/// Revokes a device for good. Callers use [`crate::engine::Engine::revoke`], which also tells the
/// open connections.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn revoke_device(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: DeviceId,
    now: UnixMs,
) -> Result<()> {
    let changed = tx.execute(
        "UPDATE device SET revoked_at = coalesce(revoked_at, ?) WHERE workspace = ? AND id = ?",
        params![now, workspace.as_bytes(), id.as_bytes()],
    )?;
    found(changed, || format!("device {id}"))?;
    ledger::note(tx, workspace, Record::Revoke { device: id })
}

/// What a connection tells of its device; `None` leaves what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub last_seen: UnixMs,
    /// App name and version.
    pub app: Option<String>,
    /// Operating system.
    pub platform: Option<String>,
    /// Changes not acknowledged.
    pub unsent: Option<u32>,
    /// Durable up to here.
    pub cursor: Option<Cursor>,
    /// Contacts still to fetch.
    pub missing: Option<u32>,
}

/// Records what a device said of itself. Freshness only: may be written without waiting for the
/// disk.
///
/// # Errors
/// What the database says.
pub fn touch_device(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: DeviceId,
    seen: &Seen,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE device SET last_seen = max(coalesce(last_seen, 0), ?3), app = coalesce(?4, app),
                platform = coalesce(?5, platform), unsent = coalesce(?6, unsent),
                cursor = coalesce(?7, cursor), missing = coalesce(?8, missing)
         WHERE workspace = ?1 AND id = ?2",
    )?
    .execute(params![
        workspace.as_bytes(),
        id.as_bytes(),
        seen.last_seen,
        seen.app,
        seen.platform,
        seen.unsent,
        seen.cursor,
        seen.missing,
    ])?;
    Ok(())
}

/// To whom an actor is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorOwner {
    /// A device.
    Device(DeviceId),
    /// One timeline of a server.
    Server(TimelineId),
}

/// To whom an actor is registered, `None` if to nobody.
///
/// # Errors
/// What the database says.
pub fn actor_owner(
    conn: &Connection,
    workspace: WorkspaceId,
    actor: Actor,
) -> Result<Option<ActorOwner>> {
    let row = conn
        .prepare_cached("SELECT device, timeline FROM actor WHERE workspace = ? AND actor = ?")?
        .query_row(params![workspace.as_bytes(), actor.as_bytes()], |row| {
            Ok((id_column_or_null!(row, 0, DeviceId), id_column_or_null!(row, 1, TimelineId)))
        })
        .optional()?;
    Ok(row.and_then(|row| match row {
        (Some(device), _) => Some(ActorOwner::Device(device)),
        (None, Some(timeline)) => Some(ActorOwner::Server(timeline)),
        (None, None) => None,
    }))
}

/// Registers an actor to a device, if it is nobody's yet.
///
/// # Errors
/// [`EngineError::Refused`] with the code `actor_taken` if it is another's.
pub fn register_actor(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    actor: Actor,
    device: DeviceId,
    now: UnixMs,
) -> Result<()> {
    match actor_owner(tx, workspace, actor)? {
        Some(ActorOwner::Device(owner)) if owner == device => Ok(()),
        Some(_) => Err(EngineError::Refused {
            code: super::changes::ACTOR_TAKEN,
            reason: format!(
                "the actor {actor} belongs to another device; this replica takes a new one"
            ),
        }),
        None => {
            tx.prepare_cached(
                "INSERT INTO actor (workspace, actor, device, registered_at) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![
                workspace.as_bytes(),
                actor.as_bytes(),
                device.as_bytes(),
                now
            ])?;
            ledger::note(tx, workspace, Record::Actor { device, actor })
        }
    }
}

/// Registers the actor of a server's timeline.
///
/// # Errors
/// What the database says.
pub fn register_server_actor(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    actor: Actor,
    timeline: TimelineId,
    now: UnixMs,
) -> Result<()> {
    tx.execute(
        "INSERT INTO actor (workspace, actor, timeline, registered_at) VALUES (?, ?, ?, ?)",
        params![workspace.as_bytes(), actor.as_bytes(), timeline.as_bytes(), now],
    )?;
    Ok(())
}

/// Which actors are whose: the directory of devices (rule 24). Those of these users' devices, and
/// those of servers, which have no user.
///
/// # Errors
/// What the database says.
pub fn actors(
    conn: &Connection,
    workspace: WorkspaceId,
    users: &[UserId],
) -> Result<Vec<(Actor, Option<UserId>)>> {
    let mut of_servers = conn.prepare_cached(
        "SELECT actor FROM actor WHERE workspace = ? AND timeline IS NOT NULL ORDER BY actor",
    )?;
    let mut of_user = conn.prepare_cached(
        "SELECT a.actor FROM device d
         JOIN actor a ON a.workspace = d.workspace AND a.device = d.id
         WHERE d.workspace = ? AND d.user = ? ORDER BY a.actor",
    )?;
    let mut actors = Vec::new();
    for actor in
        of_servers.query_map([workspace.as_bytes()], |row| Ok(id_column!(row, 0, Actor)))?
    {
        actors.push((actor?, None));
    }
    for user in users {
        let found = of_user.query_map(params![workspace.as_bytes(), user.as_bytes()], |row| {
            Ok(id_column!(row, 0, Actor))
        })?;
        for actor in found {
            actors.push((actor?, Some(*user)));
        }
    }
    Ok(actors)
}

/// The device of an id, for callers that need it to exist.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn device(conn: &Connection, workspace: WorkspaceId, id: DeviceId) -> Result<Device> {
    find_device(conn, workspace, id)?.ok_or_else(|| EngineError::not_found(format!("device {id}")))
}
