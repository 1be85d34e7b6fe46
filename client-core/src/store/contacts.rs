//! Contacts as the replica holds them: heads, access, what they wait for; and their snapshots.

use rusqlite::{Connection, OptionalExtension, Row, params};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId, UserId};

use crate::error::Result;

/// How a contact is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Owner,
    Collaborator,
    /// Not any more: dropped once its unsent edits were sent.
    Removed,
}

impl Access {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Access::Owner => "owner",
            Access::Collaborator => "collaborator",
            Access::Removed => "removed",
        }
    }
    fn from_name(name: &str) -> Access {
        match name {
            "collaborator" => Access::Collaborator,
            "removed" => Access::Removed,
            _ => Access::Owner,
        }
    }
}

/// One row of `contact`.
#[derive(Debug, Clone)]
pub(crate) struct ContactRow {
    pub num: i64,
    pub id: ContactId,
    pub access: Access,
    pub heads: Vec<ChangeHash>,
    pub merged_heads: Vec<ChangeHash>,
    pub set_aside: bool,
    pub keep_local: bool,
    /// Of which generation the document is (rule 25), from 1.
    pub generation: u64,
}

/// Of which generation the document of a contact is (rule 25).
pub(crate) const TABLES_V3: &str =
    "ALTER TABLE contact ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;";

/// Hashes back to back, as they are stored.
pub(crate) fn pack(hashes: &[ChangeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of [`pack`].
pub(crate) fn unpack(bytes: &[u8]) -> Vec<ChangeHash> {
    bytes.as_chunks::<32>().0.iter().map(|chunk| ChangeHash(*chunk)).collect()
}

const COLUMNS: &str = "num, id, access, heads, merged_heads, set_aside, keep_local, generation";

fn read(row: &Row<'_>) -> rusqlite::Result<ContactRow> {
    Ok(ContactRow {
        num: row.get(0)?,
        id: ContactId::from_bytes(row.get(1)?),
        access: Access::from_name(row.get_ref(2)?.as_str()?),
        heads: unpack(row.get_ref(3)?.as_blob()?),
        merged_heads: unpack(row.get_ref(4)?.as_blob()?),
        set_aside: row.get(5)?,
        keep_local: row.get(6)?,
        generation: row.get(7)?,
    })
}

/// The contact, if it is here.
pub(crate) fn find(conn: &Connection, id: ContactId) -> Result<Option<ContactRow>> {
    Ok(conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM contact WHERE id = ?1"))?
        .query_row(params![id.as_bytes()], read)
        .optional()?)
}

/// All contacts that match a condition on their own columns.
pub(crate) fn all(conn: &Connection, condition: &'static str) -> Result<Vec<ContactRow>> {
    let mut statement = conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM contact WHERE {condition} ORDER BY id"))?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds a contact without a document.
pub(crate) fn insert(conn: &Connection, id: ContactId, access: Access) -> Result<ContactRow> {
    conn.prepare_cached(
        "INSERT INTO contact(id, access, heads, merged_heads) VALUES (?1, ?2, x'', x'')",
    )?
    .execute(params![id.as_bytes(), access.as_str()])?;
    let num = conn.last_insert_rowid();
    super::drops::is_back(conn, id)?;
    Ok(ContactRow {
        num,
        id,
        access,
        heads: Vec::new(),
        merged_heads: Vec::new(),
        set_aside: false,
        keep_local: false,
        generation: 1,
    })
}

/// Sets the heads of the document here.
pub(crate) fn set_heads(conn: &Connection, num: i64, heads: &[ChangeHash]) -> Result<()> {
    conn.prepare_cached("UPDATE contact SET heads = ?2 WHERE num = ?1")?
        .execute(params![num, pack(heads)])?;
    Ok(())
}

/// Sets of which generation the document here is.
pub(crate) fn set_generation(conn: &Connection, num: i64, generation: u64) -> Result<()> {
    conn.prepare_cached("UPDATE contact SET generation = ?2 WHERE num = ?1")?
        .execute(params![num, generation])?;
    Ok(())
}

/// Sets what is merged at the server; a cached hash of other content is forgotten.
pub(crate) fn set_merged_heads(conn: &Connection, num: i64, heads: &[ChangeHash]) -> Result<()> {
    conn.prepare_cached(
        "UPDATE contact SET merged_heads = ?2, content_hash = NULL
         WHERE num = ?1 AND merged_heads IS NOT ?2",
    )?
    .execute(params![num, pack(heads)])?;
    Ok(())
}

/// Sets how the contact is held, as the server said.
pub(crate) fn set_access(
    conn: &Connection,
    num: i64,
    access: Access,
    owner: Option<UserId>,
    epoch: u64,
) -> Result<()> {
    conn.prepare_cached("UPDATE contact SET access = ?2, owner = ?3, epoch = ?4 WHERE num = ?1")?
        .execute(params![
        num,
        access.as_str(),
        owner.map(|user| *user.as_bytes()),
        i64::try_from(epoch).unwrap_or(i64::MAX)
    ])?;
    Ok(())
}

/// Marks a contact as waiting for the server's document, or not any more.
pub(crate) fn set_aside(conn: &Connection, num: i64, waits: bool) -> Result<()> {
    conn.prepare_cached("UPDATE contact SET set_aside = ?2 WHERE num = ?1")?
        .execute(params![num, waits])?;
    Ok(())
}

/// Marks a contact whose local content the server lost: the next snapshot is united with it.
pub(crate) fn set_keep_local(conn: &Connection, num: i64, keep: bool) -> Result<()> {
    conn.prepare_cached("UPDATE contact SET keep_local = ?2 WHERE num = ?1")?
        .execute(params![num, keep])?;
    Ok(())
}

/// The hash of the merged content, if it was computed since that content last changed.
pub(crate) fn content_hash(conn: &Connection, num: i64) -> Result<Option<[u8; 32]>> {
    Ok(conn
        .prepare_cached("SELECT content_hash FROM contact WHERE num = ?1")?
        .query_row(params![num], |row| row.get(0))?)
}

/// Keeps the hash of the content at `merged_heads`, unless that has moved on.
pub(crate) fn set_content_hash(
    conn: &Connection,
    num: i64,
    merged_heads: &[ChangeHash],
    hash: &[u8; 32],
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE contact SET content_hash = ?3 WHERE num = ?1 AND merged_heads = ?2",
    )?
    .execute(params![num, pack(merged_heads), hash])?;
    Ok(())
}

/// Removes a contact and everything that hangs on it. Should it come back, it is written with a
/// fresh actor.
pub(crate) fn drop(conn: &Connection, row: &ContactRow) -> Result<()> {
    super::projections::remove(conn, row.num)?;
    super::evidence::remove_all(conn, row.num)?;
    super::proposals::remove(conn, row.id)?;
    super::handed::remove(conn, row.id)?;
    conn.prepare_cached("DELETE FROM contact WHERE num = ?1")?.execute(params![row.num])?;
    set_actor(conn, row.id, None)
}

/// With which actor a contact is written.
pub(crate) enum ActorChoice {
    /// The replica's usual one.
    Usual,
    /// One that was never used on this contact.
    Fresh,
    /// This one.
    This(Actor),
}

/// With which actor to write this contact.
pub(crate) fn actor(conn: &Connection, id: ContactId) -> Result<ActorChoice> {
    let choice = conn
        .prepare_cached("SELECT actor FROM contact_actor WHERE id = ?1")?
        .query_row(params![id.as_bytes()], |row| row.get::<_, Option<[u8; 16]>>(0))
        .optional()?;
    Ok(match choice {
        None => ActorChoice::Usual,
        Some(None) => ActorChoice::Fresh,
        Some(Some(actor)) => ActorChoice::This(Actor::from_bytes(actor)),
    })
}

/// From now on this contact is written with this actor; `None`: with a fresh one.
pub(crate) fn set_actor(conn: &Connection, id: ContactId, actor: Option<Actor>) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO contact_actor(id, actor) VALUES (?1, ?2)
         ON CONFLICT(id) DO UPDATE SET actor = excluded.actor",
    )?
    .execute(params![id.as_bytes(), actor.map(|actor| *actor.as_bytes())])?;
    Ok(())
}

/// A stored document.
pub(crate) struct Snapshot {
    pub bytes: Vec<u8>,
    /// Whether it has been opened here before.
    pub trusted: bool,
}

/// The snapshot of a contact.
pub(crate) fn snapshot(conn: &Connection, num: i64) -> Result<Option<Snapshot>> {
    Ok(conn
        .prepare_cached("SELECT bytes, trusted FROM snapshot WHERE contact = ?1")?
        .query_row(params![num], |row| Ok(Snapshot { bytes: row.get(0)?, trusted: row.get(1)? }))
        .optional()?)
}

/// Puts a snapshot in the place of the one before.
pub(crate) fn set_snapshot(conn: &Connection, num: i64, bytes: &[u8], trusted: bool) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO snapshot(contact, bytes, trusted) VALUES (?1, ?2, ?3)
         ON CONFLICT(contact) DO UPDATE SET bytes = excluded.bytes, trusted = excluded.trusted",
    )?
    .execute(params![num, bytes, trusted])?;
    Ok(())
}

/// Removes the snapshot of a contact whose document starts anew.
pub(crate) fn remove_snapshot(conn: &Connection, num: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM snapshot WHERE contact = ?1")?.execute(params![num])?;
    Ok(())
}
