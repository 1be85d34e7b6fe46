//! Who this replica is and where it stands: one value per name.

use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Result;

/// The names.
pub(crate) mod key {
    /// What an enrolment left behind, once more, with a checksum (`store/bound.rs`).
    pub const BOUND: &str = "bound";
    pub const WORKSPACE: &str = "workspace";
    pub const WORKSPACE_NAME: &str = "workspace_name";
    pub const WORKSPACE_KEY: &str = "workspace_key";
    pub const USER: &str = "user";
    pub const LOGIN: &str = "login";
    pub const USER_NAME: &str = "user_name";
    pub const ROLE: &str = "role";
    pub const DEVICE: &str = "device";
    pub const DEVICE_NAME: &str = "device_name";
    pub const SERVER_URL: &str = "server_url";
    /// The pinned fingerprint of the server's key, if one was given at enrolment.
    pub const PIN: &str = "pin";
    /// The actor of the next edit, where `contact_actor` names no other.
    pub const ACTOR: &str = "actor";
    /// What the incarnation file beside the database must say.
    pub const INCARNATION: &str = "incarnation";
    pub const TIMELINE: &str = "timeline";
    pub const CURSOR: &str = "cursor";
    /// The server's public cursor when it was last heard of.
    pub const SERVER_CURSOR: &str = "server_cursor";
    pub const LAST_SYNC: &str = "last_sync_ms";
    /// How many contacts the manifest that is being fetched had.
    pub const MANIFEST_TOTAL: &str = "manifest_total";
    pub const MANIFEST_BYTES: &str = "manifest_bytes";
    /// When the replica was last found to be restored or copied.
    pub const COPIED_AT: &str = "copied_at";
    /// When a damaged file was last set aside, and as what.
    pub const SET_ASIDE: &str = "set_aside";
    /// Set while what a dropped contact left behind is still to be wiped.
    pub const WIPE_DUE: &str = "wipe_due";
    /// The number of the last list of late edits.
    pub const PROPOSALS_LIST: &str = "proposals_list";
    /// Open sets that were left out of it.
    pub const PROPOSALS_LEFT_OUT: &str = "proposals_left_out";
    /// How often the lists of the office were told.
    pub const LISTS_TOLD: &str = "lists_told";
    /// Which of them are here, as the server named them.
    pub const LISTS_STATE: &str = "lists_state";
    /// Set while something of them was left out here.
    pub const LISTS_HOLES: &str = "lists_holes";
    /// Contacts of them that found no room.
    pub const LISTS_LEFT_OUT: &str = "lists_left_out";
    /// The custom fields that the workspace has defined, as JSON.
    pub const CUSTOM_FIELDS: &str = "custom_fields";
    /// What the server announced.
    pub const MINIMUM_APP: &str = "minimum_app";
    /// The lease and the time by which it is judged, as JSON.
    pub const LEASE: &str = "lease";
    /// What to seal to, as the workspace signed it.
    pub const SEALING_KEY: &str = "sealing_key";
    /// The key that signs sealed copies: the device, the seed, the device's word for it.
    pub const COPY_KEY: &str = "copy_key";
    /// What became of the sealed copies of an earlier device, as JSON.
    pub const RECOVERED: &str = "recovered";
    /// The workspace's word that this device was enrolled.
    pub const CERTIFICATE: &str = "certificate";
}

/// The value of a name.
pub(crate) fn get<T: FromSql>(conn: &Connection, key: &str) -> Result<Option<T>> {
    Ok(conn
        .prepare_cached("SELECT value FROM meta WHERE key = ?1 AND value IS NOT NULL")?
        .query_row(params![key], |row| row.get(0))
        .optional()?)
}

/// Sets a value.
pub(crate) fn set(conn: &Connection, key: &str, value: impl ToSql) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO meta(key, value) VALUES (?1, ?2)
         ON CONFLICT(key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![key, value])?;
    Ok(())
}

/// Removes a value.
pub(crate) fn remove(conn: &Connection, key: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute(params![key])?;
    Ok(())
}

/// An id among the values.
pub(crate) fn id<T>(conn: &Connection, key: &str, from: fn([u8; 16]) -> T) -> Result<Option<T>> {
    Ok(get::<[u8; 16]>(conn, key)?.map(from))
}
