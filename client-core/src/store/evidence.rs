//! What the server has signed of the contacts here: seals, and the statements under them (rule 3).

use rusqlite::{Connection, OptionalExtension, Row, params};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, Cursor, TimelineId, UserId};
use roadbook_protocol::wire::Access;

use super::contacts::{pack, unpack};
use crate::error::Result;

/// Pieces of evidence that are kept of one contact; beyond, the oldest go.
const KEPT_MAX: i64 = 16;

/// A signature and the leaves that it covers.
#[derive(Debug, Clone)]
pub(crate) struct SealRow {
    pub timeline: TimelineId,
    pub as_of: Cursor,
    pub leaves: Vec<ChangeHash>,
    pub signature: Vec<u8>,
}

/// One statement about a contact.
#[derive(Debug, Clone)]
pub(crate) struct EvidenceRow {
    pub seal: i64,
    pub place: u32,
    pub access: Access,
    pub owner: Option<UserId>,
    pub epoch: u64,
    pub tips: Vec<ChangeHash>,
}

/// Keeps a seal. Returns its number.
pub(crate) fn insert_seal(conn: &Connection, seal: &SealRow) -> Result<i64> {
    conn.prepare_cached(
        "INSERT INTO seal(timeline, as_of, leaves, signature) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        seal.timeline.as_bytes(),
        i64::try_from(seal.as_of).unwrap_or(i64::MAX),
        pack(&seal.leaves),
        seal.signature
    ])?;
    Ok(conn.last_insert_rowid())
}

/// A seal.
pub(crate) fn seal(conn: &Connection, id: i64) -> Result<Option<SealRow>> {
    Ok(conn
        .prepare_cached("SELECT timeline, as_of, leaves, signature FROM seal WHERE id = ?1")?
        .query_row(params![id], |row| {
            Ok(SealRow {
                timeline: TimelineId::from_bytes(row.get(0)?),
                as_of: row.get::<_, i64>(1)?.unsigned_abs(),
                leaves: unpack(row.get_ref(2)?.as_blob()?),
                signature: row.get(3)?,
            })
        })
        .optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<EvidenceRow> {
    Ok(EvidenceRow {
        seal: row.get(0)?,
        place: row.get(1)?,
        access: match row.get::<_, i64>(2)? {
            0 => Access::Owner,
            _ => Access::Collaborator,
        },
        owner: row.get::<_, Option<[u8; 16]>>(3)?.map(UserId::from_bytes),
        epoch: row.get::<_, i64>(4)?.unsigned_abs(),
        tips: unpack(row.get_ref(5)?.as_blob()?),
    })
}

/// The evidence about a contact, oldest first.
pub(crate) fn of(conn: &Connection, contact: i64) -> Result<Vec<EvidenceRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT seal, place, access, owner, epoch, tips FROM evidence
         WHERE contact = ?1 ORDER BY seal",
    )?;
    let rows = statement.query_map(params![contact], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds a piece of evidence; takes off the oldest where there are too many.
pub(crate) fn insert(conn: &Connection, contact: i64, row: &EvidenceRow) -> Result<()> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO evidence(contact, seal, place, access, owner, epoch, tips)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        contact,
        row.seal,
        row.place,
        i64::from(row.access != Access::Owner),
        row.owner.map(|owner| *owner.as_bytes()),
        i64::try_from(row.epoch).unwrap_or(i64::MAX),
        pack(&row.tips),
    ])?;
    let over: Option<i64> = conn
        .prepare_cached(
            "SELECT seal FROM evidence WHERE contact = ?1 ORDER BY seal DESC LIMIT 1 OFFSET ?2",
        )?
        .query_row(params![contact, KEPT_MAX], |row| row.get(0))
        .optional()?;
    match over {
        Some(seal) => remove(conn, contact, &[seal]),
        None => Ok(()),
    }
}

/// Takes off pieces of evidence, and the seals that nothing stands under any more.
pub(crate) fn remove(conn: &Connection, contact: i64, seals: &[i64]) -> Result<()> {
    for seal in seals {
        conn.prepare_cached("DELETE FROM evidence WHERE contact = ?1 AND seal = ?2")?
            .execute(params![contact, seal])?;
        conn.prepare_cached(
            "DELETE FROM seal WHERE id = ?1
               AND NOT EXISTS (SELECT 1 FROM evidence WHERE seal = ?1)",
        )?
        .execute(params![seal])?;
    }
    Ok(())
}

/// Takes off all evidence about a contact, which leaves the device.
pub(crate) fn remove_all(conn: &Connection, contact: i64) -> Result<()> {
    let seals: Vec<i64> = of(conn, contact)?.iter().map(|row| row.seal).collect();
    remove(conn, contact, &seals)
}

/// Notes that the server has lost something of a contact, and what it has of it.
pub(crate) fn set_offer(
    conn: &Connection,
    contact: i64,
    known: Option<&[ChangeHash]>,
) -> Result<()> {
    conn.prepare_cached("UPDATE contact SET offer = ?2 WHERE num = ?1")?
        .execute(params![contact, known.map(pack)])?;
    Ok(())
}

/// Whether there is evidence about a contact.
pub(crate) fn is_any(conn: &Connection, contact: i64) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM evidence WHERE contact = ?1 LIMIT 1")?
        .exists(params![contact])?)
}

/// Whether something of a contact is still to be offered.
pub(crate) fn is_due(conn: &Connection, contact: i64) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM contact WHERE num = ?1 AND offer IS NOT NULL")?
        .exists(params![contact])?)
}

/// The next contact of which something may be offered, after that number: its number, its id, what
/// the server has of it.
pub(crate) fn next_offer(
    conn: &Connection,
    after: i64,
) -> Result<Option<(i64, ContactId, Vec<ChangeHash>)>> {
    Ok(conn
        .prepare_cached(
            "SELECT num, id, offer FROM contact WHERE offer IS NOT NULL AND num > ?1
             ORDER BY num LIMIT 1",
        )?
        .query_row(params![after], |row| {
            let known = unpack(row.get_ref(2)?.as_blob()?);
            Ok((row.get(0)?, ContactId::from_bytes(row.get(1)?), known))
        })
        .optional()?)
}
