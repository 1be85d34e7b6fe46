//! What is still to be fetched, the directory of names, the replica's own actors, the quarantine.

use rusqlite::{Connection, OptionalExtension, params};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, UnixMs, UserId};
use roadbook_protocol::wire::{DirectoryActor, DirectoryUser};

use crate::error::Result;

/// A contact to fetch; `wish` tells a newer wish from the one that a request answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub id: ContactId,
    pub wish: i64,
}

/// Wants a document; one that is already on the list is wanted again.
pub(crate) fn want(conn: &Connection, id: ContactId, place: i64) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO missing(id, place) VALUES (?1, ?2)
         ON CONFLICT(id) DO UPDATE SET wish = wish + 1, place = min(place, excluded.place)",
    )?
    .execute(params![id.as_bytes(), place])?;
    Ok(())
}

/// Takes a document off the list, unless it has been wanted again since `wish`.
pub(crate) fn got(conn: &Connection, id: ContactId, wish: i64) -> Result<bool> {
    let removed = conn
        .prepare_cached("DELETE FROM missing WHERE id = ?1 AND wish <= ?2")?
        .execute(params![id.as_bytes(), wish])?;
    Ok(removed > 0)
}

/// The first of the list.
pub(crate) fn next_missing(conn: &Connection, limit: usize) -> Result<Vec<Missing>> {
    let mut statement =
        conn.prepare_cached("SELECT id, wish FROM missing ORDER BY place, id LIMIT ?1")?;
    let rows = statement.query_map(params![i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(Missing { id: ContactId::from_bytes(row.get(0)?), wish: row.get(1)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many are on the list.
pub(crate) fn missing_count(conn: &Connection) -> Result<u64> {
    let count: i64 =
        conn.prepare_cached("SELECT count(*) FROM missing")?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Takes names and actors into the directory.
pub(crate) fn learn(
    conn: &Connection,
    users: &[DirectoryUser],
    actors: &[DirectoryActor],
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "INSERT INTO directory_user(user, login, name) VALUES (?1, ?2, ?3)
         ON CONFLICT(user) DO UPDATE SET login = excluded.login, name = excluded.name",
    )?;
    for user in users {
        statement.execute(params![user.user.as_bytes(), user.login, user.name])?;
    }
    let mut statement = conn.prepare_cached(
        "INSERT INTO directory_actor(actor, user) VALUES (?1, ?2)
         ON CONFLICT(actor) DO UPDATE SET user = excluded.user",
    )?;
    for actor in actors {
        statement
            .execute(params![actor.actor.as_bytes(), actor.user.map(|user| *user.as_bytes())])?;
    }
    Ok(())
}

/// The name of a user.
pub(crate) fn user_name(conn: &Connection, user: UserId) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached(
            "SELECT coalesce(nullif(name, ''), login) FROM directory_user WHERE user = ?1",
        )?
        .query_row(params![user.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// All names.
pub(crate) fn users(conn: &Connection) -> Result<Vec<DirectoryUser>> {
    let mut statement =
        conn.prepare_cached("SELECT user, login, name FROM directory_user ORDER BY login")?;
    let rows = statement.query_map([], |row| {
        Ok(DirectoryUser {
            user: UserId::from_bytes(row.get(0)?),
            login: row.get(1)?,
            name: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Remembers an actor as this replica's own. The device is bound at enrolment.
pub(crate) fn add_own_actor(
    conn: &Connection,
    actor: Actor,
    device: Option<DeviceId>,
    now: UnixMs,
) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO own_actor(actor, device, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![actor.as_bytes(), device.map(|device| *device.as_bytes()), now])?;
    Ok(())
}

/// The actors that belong to a device.
pub(crate) fn own_actors(conn: &Connection, device: DeviceId) -> Result<Vec<Actor>> {
    let mut statement =
        conn.prepare_cached("SELECT actor FROM own_actor WHERE device = ?1 ORDER BY since, actor")?;
    let rows = statement
        .query_map(params![device.as_bytes()], |row| Ok(Actor::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All actors that this replica has ever written with.
pub(crate) fn all_own_actors(conn: &Connection) -> Result<Vec<Actor>> {
    let mut statement = conn.prepare_cached("SELECT actor FROM own_actor")?;
    let rows = statement.query_map([], |row| Ok(Actor::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What goes into the quarantine.
#[derive(Debug)]
pub(crate) struct Quarantining<'a> {
    pub contact: ContactId,
    pub display_name: &'a str,
    pub edit: Option<roadbook_protocol::ids::EditId>,
    pub hash: Option<ChangeHash>,
    pub bytes: Option<&'a [u8]>,
    pub commands: &'a str,
    pub label: &'a str,
    pub at: UnixMs,
    pub code: &'a str,
    pub reason: &'a str,
    pub now: UnixMs,
}

/// Keeps what could not become part of a contact; the same refusal is kept once.
pub(crate) fn quarantine(conn: &Connection, item: &Quarantining<'_>) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO quarantine(contact, display_name, edit, hash, bytes, commands, label, at, code,
                                reason, since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        item.contact.as_bytes(),
        item.display_name,
        item.edit.map(|edit| *edit.as_bytes()),
        item.hash.map(|hash| hash.0),
        item.bytes,
        item.commands,
        item.label,
        item.at,
        item.code,
        item.reason,
        item.now,
    ])?;
    Ok(())
}
