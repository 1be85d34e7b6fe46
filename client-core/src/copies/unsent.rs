//! What nobody else has: changes that the server has not acknowledged, and what is in quarantine.

use std::collections::HashSet;

use ring::digest::{SHA256, digest};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::Command;
use roadbook_protocol::ids::EditId;
use roadbook_protocol::wire::{SEALED_PART_BYTES_MAX, SealedEdit};
use rusqlite::{Connection, params};

use super::file::{Tag, Tagged};
use crate::error::Result;
use crate::receipt::Receipt;
use crate::replica::Replica;
use crate::store::changes::{self, LocalChange};

/// All of it, in its order.
pub(crate) fn unsent(conn: &Connection) -> Result<Vec<SealedEdit>> {
    let condition = "c.settled = 0 AND c.receipt IN ('saved', 'forked') ORDER BY c.pos";
    let found = changes::locals(conn, condition, [])?;
    let mut edits: Vec<SealedEdit> = found.into_iter().map(sealed).collect();
    edits.extend(quarantined(conn)?);
    Ok(edits)
}

/// A change, if nobody else has it.
pub(super) fn change(
    conn: &Connection,
    contact: i64,
    hash: &ChangeHash,
) -> Result<Option<SealedEdit>> {
    let found = changes::find_local(conn, contact, hash)?;
    Ok(found.filter(|change| change.receipt == Receipt::Saved).map(sealed))
}

fn sealed(change: LocalChange) -> SealedEdit {
    SealedEdit {
        contact: change.contact_id,
        hash: Some(change.hash),
        bytes: change.bytes,
        actor: Some(change.actor),
        edit: change.edit,
        commands: change.commands,
        label: change.label,
        at: change.at,
        code: change.code,
        reason: change.reason,
    }
}

fn quarantined(conn: &Connection) -> Result<Vec<SealedEdit>> {
    let entries = Replica::quarantined(conn)?.into_iter().map(|entry| SealedEdit {
        contact: entry.contact_id,
        hash: None,
        bytes: Vec::new(),
        actor: None,
        // Every edit has a name at the other end.
        edit: Some(entry.edit_id.unwrap_or(EditId::from_bytes([0; 16]))),
        commands: serde_json::to_string::<[Command]>(&entry.commands).unwrap_or_default(),
        label: entry.command,
        at: entry.at,
        code: entry.code,
        reason: entry.reason,
    });
    Ok(entries.collect())
}

/// What an edit is known by in the file.
pub(super) fn tag(edit: &SealedEdit) -> Tag {
    match edit.hash {
        Some(hash) => hash.0,
        None => {
            let mut tag = [0; 32];
            tag.copy_from_slice(digest(&SHA256, &edit.to_bytes()).as_ref());
            tag
        }
    }
}

pub(super) fn tagged(edits: Vec<SealedEdit>) -> Vec<Tagged> {
    edits.into_iter().map(|edit| (tag(&edit), edit)).collect()
}

/// What all of it is known by, without loading the changes.
pub(super) fn tags(conn: &Connection) -> Result<HashSet<Tag>> {
    let mut statement = conn.prepare_cached(
        "SELECT hash FROM change
         WHERE local = 1 AND settled = 0 AND receipt IN ('saved', 'forked')",
    )?;
    let rows = statement.query_map([], |row| row.get::<_, Tag>(0))?;
    let mut tags = rows.collect::<rusqlite::Result<HashSet<_>>>()?;
    tags.extend(quarantined(conn)?.iter().map(tag));
    Ok(tags)
}

/// Whether there is none of it.
pub(super) fn is_empty(conn: &Connection) -> Result<bool> {
    let unsent: bool = conn
        .prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM change
                           WHERE local = 1 AND receipt IN ('saved', 'forked') AND settled = 0)
                 OR EXISTS(SELECT 1 FROM quarantine)",
        )?
        .query_row([], |row| row.get(0))?;
    Ok(!unsent)
}

/// Whether the database knows a change, whatever became of it.
pub(super) fn is_known(conn: &Connection, tag: &Tag) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM change WHERE hash = ?1 AND local = 1)")?
        .query_row(params![tag], |row| row.get(0))?)
}

/// Cuts edits into parts, in their order.
pub(crate) fn parts<T>(edits: Vec<T>, of: impl Fn(&T) -> &SealedEdit) -> Vec<Vec<T>> {
    let (mut parts, mut bytes) = (vec![Vec::new()], 0);
    for one in edits {
        let edit = of(&one);
        let size = edit.bytes.len() + edit.commands.len() + edit.reason.len() + 256;
        bytes += size;
        match parts.last_mut() {
            Some(part) if bytes <= SEALED_PART_BYTES_MAX || part.is_empty() => part.push(one),
            _ => {
                bytes = size;
                parts.push(vec![one]);
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}
