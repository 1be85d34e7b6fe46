//! Late edits as the new owner of a contact has them on a device (rule 19).

use roadbook_protocol::ids::{ContactId, DeviceId, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, params};

use super::{COLUMNS, Decision, OPEN, Proposal, Result, proposal_row, with_items};

/// Sets of the contacts that somebody owns.
#[derive(Debug, Clone, PartialEq)]
pub struct Recent {
    /// Those that wait first, then those that changed last.
    pub sets: Vec<Proposal>,
    /// How many wait and found no room.
    pub left_out: u64,
}

/// The sets that wait for the owner of their contacts, and those of which something was decided since a
/// moment, so that it can be taken back.
///
/// # Errors
/// What the database says.
pub fn for_owner(
    conn: &Connection,
    (workspace, owner): (WorkspaceId, UserId),
    since: UnixMs,
    limit: usize,
) -> Result<Recent> {
    let owned = "proposal p JOIN contact k ON k.workspace = p.workspace AND k.id = p.contact
         WHERE p.workspace = ?1 AND k.owner = ?2 AND k.erased_at IS NULL";
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {owned} AND (p.changed_at >= ?3 OR {OPEN})
         ORDER BY {OPEN} DESC, p.changed_at DESC, p.n DESC LIMIT ?4"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![workspace.as_bytes(), owner.as_bytes(), since, limit], proposal_row)?;
    let sets: Vec<Proposal> = rows.collect::<rusqlite::Result<_>>()?;
    let open: u64 = conn
        .prepare_cached(&format!("SELECT count(*) FROM {owned} AND {OPEN}"))?
        .query_row(params![workspace.as_bytes(), owner.as_bytes()], |row| row.get(0))?;
    let left_out = match i64::try_from(sets.len()) {
        Ok(here) if here < limit => 0,
        _ => open.saturating_sub(sets.len() as u64),
    };
    let sets = sets.into_iter().map(|set| with_items(conn, set)).collect::<Result<_>>()?;
    Ok(Recent { sets, left_out })
}

/// The set of a contact and a device, with its items.
///
/// # Errors
/// What the database says.
pub fn find_of(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    device: DeviceId,
) -> Result<Option<Proposal>> {
    let set = conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM proposal p
             WHERE p.workspace = ? AND p.contact = ? AND p.device = ?"
        ))?
        .query_row(
            params![workspace.as_bytes(), contact.as_bytes(), device.as_bytes()],
            proposal_row,
        )
        .optional()?;
    set.map(|set| with_items(conn, set)).transpose()
}

/// Whether who decides owns the contact of the set now.
pub(super) fn is_owner(conn: &Connection, decision: &Decision) -> Result<bool> {
    let Some(by) = decision.by else { return Ok(false) };
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM proposal p
                 JOIN contact k ON k.workspace = p.workspace AND k.id = p.contact
                 WHERE p.n = ? AND k.owner = ? AND k.erased_at IS NULL)",
        )?
        .query_row(params![decision.proposal, by.as_bytes()], |row| row.get(0))?)
}
