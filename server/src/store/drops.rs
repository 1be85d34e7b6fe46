//! Which devices may still hold a contact that was taken from their user (rule 18).
//!
//! A row per device and contact stands from the moment of the removal until the device has confirmed
//! that it dropped the contact: so long its late edits are proposals. A device that never confirms
//! keeps its row, and what it brings after years is still not lost.

use roadbook_protocol::ids::{ContactId, Cursor, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::wire::{Access, Dropped};
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use super::sql::id_column;
use super::{Result, contacts, workspaces};

pub(crate) const TABLES_V3: &str = "
-- Rule 18: the device may still hold a contact that was taken from its user at this cursor.
CREATE TABLE undropped (
    workspace BLOB NOT NULL,
    contact   BLOB NOT NULL,
    device    BLOB NOT NULL,
    cursor    INTEGER NOT NULL,
    PRIMARY KEY (workspace, contact, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX undropped_by_device ON undropped (workspace, device, cursor);
INSERT INTO undropped
    SELECT a.workspace, a.contact, d.id, a.sort_cursor
    FROM access a JOIN device d ON d.workspace = a.workspace AND d.user = a.user
    WHERE a.kind = 2;
";

/// A contact was taken from a user at `cursor`: each of the user's devices may hold it.
///
/// # Errors
/// What the database says.
pub fn expect(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    user: UserId,
    cursor: Cursor,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO undropped (workspace, contact, device, cursor)
         SELECT ?1, ?2, id, ?4 FROM device WHERE workspace = ?1 AND user = ?3
         ON CONFLICT (workspace, contact, device) DO UPDATE SET cursor = max(cursor, excluded.cursor)",
    )?
    .execute(params![workspace.as_bytes(), contact.as_bytes(), user.as_bytes(), cursor])?;
    Ok(())
}

/// A device was enrolled. It may be a replica that was copied or restored, with contacts that were
/// taken from its user before: so long as it has not said that it is empty, or has dropped them.
///
/// # Errors
/// What the database says.
pub fn expect_all(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    user: UserId,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO undropped (workspace, contact, device, cursor)
         SELECT workspace, contact, ?3, sort_cursor FROM access
         WHERE workspace = ?1 AND user = ?2 AND kind = ?4",
    )?
    .execute(params![
        workspace.as_bytes(),
        user.as_bytes(),
        device.as_bytes(),
        contacts::access_code(Access::Removed)
    ])?;
    Ok(())
}

/// A device says that it is at `cursor`: what was taken from its user since then it may hold, even if it
/// had confirmed dropping it. (It was put back to an older state.) Whether there is any such contact
/// that is not expected to be confirmed already.
///
/// # Errors
/// What the database says.
pub fn is_behind(
    conn: &Connection,
    workspace: WorkspaceId,
    device: DeviceId,
    user: UserId,
    cursor: Cursor,
) -> Result<bool> {
    Ok(conn.prepare_cached(&format!("SELECT 1 {BEHIND} LIMIT 1"))?.exists(params![
        workspace.as_bytes(),
        user.as_bytes(),
        device.as_bytes(),
        contacts::access_code(Access::Removed),
        cursor
    ])?)
}

/// Expects the device to confirm what [`is_behind`] speaks of.
///
/// # Errors
/// What the database says.
pub fn expect_since(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    user: UserId,
    cursor: Cursor,
) -> Result<()> {
    tx.prepare_cached(&format!(
        "INSERT INTO undropped (workspace, contact, device, cursor)
         SELECT a.workspace, a.contact, ?3, a.sort_cursor {BEHIND}"
    ))?
    .execute(params![
        workspace.as_bytes(),
        user.as_bytes(),
        device.as_bytes(),
        contacts::access_code(Access::Removed),
        cursor
    ])?;
    Ok(())
}

const BEHIND: &str = "FROM access a INDEXED BY access_by_user
    WHERE a.workspace = ?1 AND a.user = ?2 AND a.sort_cursor > ?5 AND a.kind = ?4
      AND NOT EXISTS (SELECT 1 FROM undropped u
                      WHERE u.workspace = a.workspace AND u.contact = a.contact AND u.device = ?3)";

/// Whether a device has anything to confirm.
///
/// # Errors
/// What the database says.
pub fn is_expected(conn: &Connection, workspace: WorkspaceId, device: DeviceId) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM undropped WHERE workspace = ? AND device = ? LIMIT 1")?
        .exists(params![workspace.as_bytes(), device.as_bytes()])?)
}

/// Whether the device may still hold a contact that was taken from its user.
///
/// # Errors
/// What the database says.
pub fn may_hold(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    device: DeviceId,
) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT 1 FROM undropped WHERE workspace = ? AND contact = ? AND device = ?",
        )?
        .exists(params![workspace.as_bytes(), contact.as_bytes(), device.as_bytes()])?)
}

/// The device has dropped these contacts, as of its cursor: what was taken away since then it does
/// not know of yet. Returns how many it had not confirmed before.
///
/// # Errors
/// What the database says.
pub fn confirm(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    dropped: &Dropped,
) -> Result<usize> {
    let mut confirmed = 0;
    for contact in &dropped.contacts {
        confirmed += tx
            .prepare_cached(
                "DELETE FROM undropped
                 WHERE workspace = ? AND contact = ? AND device = ? AND cursor <= ?",
            )?
            .execute(params![
                workspace.as_bytes(),
                contact.as_bytes(),
                device.as_bytes(),
                dropped.cursor
            ])?;
    }
    Ok(confirmed)
}

/// Shows a user anew, at the next cursor, what a device has dropped though it is the user's as of the
/// device's own cursor: the device was told that the contact is not there, and then made it so itself by
/// what it had still to send. Gives the cursor and those contacts.
///
/// # Errors
/// What the database says.
pub fn show_again(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    dropped: &Dropped,
) -> Result<Option<(Cursor, Vec<ContactId>)>> {
    let removed = contacts::access_code(Access::Removed);
    let mut held = Vec::new();
    for contact in &dropped.contacts {
        let is_held = tx
            .prepare_cached(
                "SELECT 1 FROM access
                 WHERE workspace = ? AND contact = ? AND user = ? AND kind <> ? AND sort_cursor <= ?",
            )?
            .exists(params![
                workspace.as_bytes(),
                contact.as_bytes(),
                user.as_bytes(),
                removed,
                dropped.cursor
            ])?;
        if is_held {
            held.push(*contact);
        }
    }
    if held.is_empty() {
        return Ok(None);
    }
    let cursor = workspaces::assign_cursors(tx, workspace, 1)?;
    for contact in &held {
        tx.prepare_cached(
            "UPDATE access SET visible_cursor = ?1, sort_cursor = ?1
             WHERE workspace = ?2 AND contact = ?3 AND user = ?4",
        )?
        .execute(params![
            cursor,
            workspace.as_bytes(),
            contact.as_bytes(),
            user.as_bytes()
        ])?;
    }
    Ok(Some((cursor, held)))
}

/// A device has destroyed all of its data: it holds nothing any more.
///
/// # Errors
/// What the database says.
pub fn confirm_all(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
) -> Result<usize> {
    Ok(tx
        .prepare_cached("DELETE FROM undropped WHERE workspace = ? AND device = ?")?
        .execute(params![workspace.as_bytes(), device.as_bytes()])?)
}

/// How many contacts that are not its user's any more a device has not confirmed to have dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unconfirmed {
    /// The device.
    pub device: DeviceId,
    /// Its user.
    pub user: UserId,
    /// How many contacts.
    pub contacts: u64,
}

/// The devices that have not confirmed every removal, of one user or of all.
///
/// # Errors
/// What the database says.
pub fn unconfirmed(
    conn: &Connection,
    workspace: WorkspaceId,
    user: Option<UserId>,
) -> Result<Vec<Unconfirmed>> {
    let mut statement = conn.prepare_cached(
        "SELECT u.device, d.user, count(*)
         FROM undropped u
         JOIN device d ON d.workspace = u.workspace AND d.id = u.device
         JOIN access a ON a.workspace = u.workspace AND a.contact = u.contact AND a.user = d.user
         WHERE u.workspace = ?1 AND a.kind = ?2 AND (?3 IS NULL OR d.user = ?3)
         GROUP BY u.device ORDER BY u.device",
    )?;
    let user = user.as_ref().map(UserId::as_bytes);
    let removed = contacts::access_code(Access::Removed);
    let rows = statement.query_map(params![workspace.as_bytes(), removed, user], |row| {
        Ok(Unconfirmed {
            device: id_column!(row, 0, DeviceId),
            user: id_column!(row, 1, UserId),
            contacts: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
