//! Leases that devices got, and what becomes of devices that were revoked: the order to wipe, what
//! they handed over sealed, and their confirmation.

use roadbook_protocol::ids::{DeviceId, EditId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::{Sealed, SealedEdit};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use super::Result;
use super::devices::Device;
use super::sql::id_column;

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
-- Until when a device may be read offline, as it was last told.
CREATE TABLE device_lease (
    workspace BLOB NOT NULL,
    device BLOB NOT NULL,
    issued_at INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (workspace, device)
) STRICT, WITHOUT ROWID;

-- How far the wipe of a revoked device is.
CREATE TABLE device_wipe (
    workspace BLOB NOT NULL,
    device BLOB NOT NULL,
    told_at INTEGER,                -- when it was first given the order
    wiped_at INTEGER,               -- when it confirmed
    PRIMARY KEY (workspace, device)
) STRICT, WITHOUT ROWID;

-- What a device handed over sealed. The bytes are kept only where they could not be opened.
CREATE TABLE sealed_part (
    workspace BLOB NOT NULL,
    device BLOB NOT NULL,
    bundle BLOB NOT NULL,
    part INTEGER NOT NULL,
    parts INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    edits INTEGER NOT NULL,
    sealed_to BLOB NOT NULL,
    unopened BLOB,
    reason TEXT,
    PRIMARY KEY (workspace, device, bundle, part)
) STRICT, WITHOUT ROWID;

-- Edits out of opened parts, until each has met its fate.
CREATE TABLE sealed_edit (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace BLOB NOT NULL,
    contact BLOB NOT NULL,
    device BLOB NOT NULL,
    user BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    edit BLOB NOT NULL              -- CBOR of the edit as it was in the part
) STRICT;
CREATE INDEX sealed_edit_contact ON sealed_edit (workspace, contact);
";

/// Notes the lease that a device got. Shown only: may be written without waiting for the disk.
///
/// # Errors
/// What the database says.
pub fn note_lease(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    issued_at: UnixMs,
    until: Option<UnixMs>,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO device_lease (workspace, device, issued_at, until) VALUES (?, ?, ?, ?)
         ON CONFLICT (workspace, device) DO UPDATE SET issued_at = excluded.issued_at,
             until = excluded.until",
    )?
    .execute(params![workspace.as_bytes(), device.as_bytes(), issued_at, until])?;
    Ok(())
}

/// What is known of a device's lease and wipe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// When it last got a lease.
    pub lease_issued_at: Option<UnixMs>,
    /// When that ends; `None` with `lease_issued_at`: never.
    pub lease_until: Option<UnixMs>,
    /// When it was first told to wipe.
    pub wipe_told_at: Option<UnixMs>,
    /// When it confirmed that it is wiped.
    pub wiped_at: Option<UnixMs>,
    /// Edits that it handed over sealed.
    pub recovered: u64,
    /// Sealed parts that could not be opened; they are kept.
    pub unopened: u64,
}

impl Standing {
    /// The word for where a device stands: `enrolled`, `revoked` (not told yet), `wiping`, `wiped`.
    pub fn state(&self, device: &Device) -> &'static str {
        match (device.revoked_at, self.wipe_told_at, self.wiped_at) {
            (None, _, None) => "enrolled",
            (_, _, Some(_)) => "wiped",
            (_, Some(_), None) => "wiping",
            (Some(_), None, None) => "revoked",
        }
    }

    /// The same for a person, with what came of it.
    pub fn told(&self, device: &Device) -> String {
        let edits = match (self.recovered, self.unopened) {
            (0, 0) => String::new(),
            (edits, 0) => format!(", {edits} edits recovered"),
            (edits, parts) => format!(", {edits} edits recovered, {parts} sealed parts unopened"),
        };
        match self.state(device) {
            // The copies of a device whose key was lost.
            "enrolled" => edits.trim_start_matches(", ").to_owned(),
            state => format!("{state}{edits}"),
        }
    }
}

/// What is known of one device.
///
/// # Errors
/// What the database says.
pub fn standing(conn: &Connection, workspace: WorkspaceId, device: DeviceId) -> Result<Standing> {
    let mut standing = Standing::default();
    let whose = params![workspace.as_bytes(), device.as_bytes()];
    let lease = conn
        .prepare_cached(
            "SELECT issued_at, until FROM device_lease WHERE workspace = ? AND device = ?",
        )?
        .query_row(whose, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((issued_at, until)) = lease {
        (standing.lease_issued_at, standing.lease_until) = (Some(issued_at), until);
    }
    let wipe = conn
        .prepare_cached(
            "SELECT told_at, wiped_at FROM device_wipe WHERE workspace = ? AND device = ?",
        )?
        .query_row(whose, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some(wipe) = wipe {
        (standing.wipe_told_at, standing.wiped_at) = wipe;
    }
    (standing.recovered, standing.unopened) = conn
        .prepare_cached(
            "SELECT coalesce(sum(edits) FILTER (WHERE unopened IS NULL), 0), count(unopened)
             FROM sealed_part WHERE workspace = ? AND device = ?",
        )?
        .query_row(whose, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(standing)
}

/// Notes that a device was told to wipe. `true` if it is the first time.
///
/// # Errors
/// What the database says.
pub fn note_told(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    now: UnixMs,
) -> Result<bool> {
    let told = tx
        .prepare_cached(
            "INSERT INTO device_wipe (workspace, device, told_at) VALUES (?, ?, ?)
             ON CONFLICT (workspace, device) DO NOTHING",
        )?
        .execute(params![workspace.as_bytes(), device.as_bytes(), now])?;
    Ok(told > 0)
}

/// Notes that a device is wiped. `true` if it is the first time.
///
/// # Errors
/// What the database says.
pub fn note_wiped(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    now: UnixMs,
) -> Result<bool> {
    let wiped = tx
        .prepare_cached(
            "INSERT INTO device_wipe (workspace, device, wiped_at) VALUES (?, ?, ?)
             ON CONFLICT (workspace, device) DO UPDATE SET wiped_at = excluded.wiped_at
             WHERE wiped_at IS NULL",
        )?
        .execute(params![workspace.as_bytes(), device.as_bytes(), now])?;
    Ok(wiped > 0)
}

/// How many sealed parts a device has handed over.
///
/// # Errors
/// What the database says.
pub fn count_parts(conn: &Connection, workspace: WorkspaceId, device: DeviceId) -> Result<u32> {
    Ok(conn
        .prepare_cached("SELECT count(*) FROM sealed_part WHERE workspace = ? AND device = ?")?
        .query_row(params![workspace.as_bytes(), device.as_bytes()], |row| row.get(0))?)
}

/// Whether a part is here already.
///
/// # Errors
/// What the database says.
pub fn has_part(
    conn: &Connection,
    workspace: WorkspaceId,
    device: DeviceId,
    bundle: EditId,
    part: u32,
) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sealed_part
                            WHERE workspace = ? AND device = ? AND bundle = ? AND part = ?)",
        )?
        .query_row(
            params![workspace.as_bytes(), device.as_bytes(), bundle.as_bytes(), part],
            |row| row.get(0),
        )?)
}

/// Files a part; its bytes only where it could not be opened, with the reason.
///
/// # Errors
/// What the database says.
pub fn add_part(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    sealed: &Sealed,
    edits: usize,
    unopened: Option<&str>,
    now: UnixMs,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO sealed_part (workspace, device, bundle, part, parts, received_at, edits,
                                  sealed_to, unopened, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        device.as_bytes(),
        sealed.bundle.as_bytes(),
        sealed.part,
        sealed.parts,
        now,
        edits as u64,
        sealed.key,
        unopened.map(|_| &sealed.bytes),
        unopened,
    ])?;
    Ok(())
}

/// An edit that came sealed and has not met its fate.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its number.
    pub n: i64,
    /// The device that it came from.
    pub device: DeviceId,
    /// Its user, who made it.
    pub user: UserId,
    /// When the server got it.
    pub received_at: UnixMs,
    /// The edit.
    pub edit: SealedEdit,
}

/// Keeps an edit until it has met its fate.
///
/// # Errors
/// What the database says.
pub fn keep_edit(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    device: DeviceId,
    user: UserId,
    edit: &SealedEdit,
    now: UnixMs,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO sealed_edit (workspace, contact, device, user, received_at, edit)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        edit.contact.as_bytes(),
        device.as_bytes(),
        user.as_bytes(),
        now,
        edit.to_bytes(),
    ])?;
    Ok(())
}

/// The edits that wait for somebody who looks at them, of one device or of all, oldest first.
///
/// # Errors
/// What the database says.
pub fn kept(
    conn: &Connection,
    workspace: WorkspaceId,
    device: Option<DeviceId>,
) -> Result<Vec<Kept>> {
    let mut statement = conn.prepare_cached(
        "SELECT n, device, user, received_at, edit FROM sealed_edit
         WHERE workspace = ?1 AND (?2 IS NULL OR device = ?2) ORDER BY n",
    )?;
    let device = device.as_ref().map(DeviceId::as_bytes);
    let rows = statement.query_map(params![workspace.as_bytes(), device], |row| {
        let edit: Vec<u8> = row.get(4)?;
        let kept =
            (row.get(0)?, id_column!(row, 1, DeviceId), id_column!(row, 2, UserId), row.get(3)?);
        Ok((kept, SealedEdit::from_bytes(&edit)))
    })?;
    let mut all = Vec::new();
    for row in rows {
        let ((n, device, user, received_at), edit) = row?;
        if let Some(edit) = edit {
            all.push(Kept { n, device, user, received_at, edit });
        }
    }
    Ok(all)
}
