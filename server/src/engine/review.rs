//! The review after a restore without the ledger (rule 4).
//!
//! The ledger says what was erased, revoked and handed over after a backup. Where it is gone, nobody
//! can say whether this database is the newest: a revoked device, a contact of somebody else, an erased
//! person may stand in it as if nothing had happened. So no customer data goes to devices, and none to
//! the pages but for administrators, until one of these has confirmed devices and assignments. Devices
//! deliver their edits all the while.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde_json::json;

use super::handle::Engine;
use super::ledger::Hash;
use super::types::Event;
use crate::store::devices::{self, Device};
use crate::store::people::{self, User};
use crate::store::{EngineError, Result, audit, workspaces};

/// The setting of a workspace that is under review: since when.
const SETTING: &str = "restore_review";
/// The setting that keeps up to where it had the ledger that is missing.
const LOST_MARK: &str = "restore_review_ledger";

/// What there is to decide.
#[derive(Debug, Clone)]
pub struct Review {
    /// Since when nothing goes out, milliseconds since 1970.
    pub since: UnixMs,
    /// When something was written into this database last before that: what happened after it is not
    /// known here.
    pub known_until: Option<UnixMs>,
    /// The devices that would be given data again.
    pub devices: Vec<Device>,
    /// The people, with how many contacts each owns.
    pub people: Vec<(User, u64)>,
    /// Contacts that nobody owns.
    pub unowned: u64,
    /// What is said with the confirmation, so that it is of what was seen.
    pub code: String,
}

/// One line of the review as data.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewedDevice {
    /// Its id.
    pub id: String,
    /// Whose.
    pub login: String,
    /// What it is called.
    pub name: String,
    /// Whether it is revoked.
    pub revoked: bool,
    /// When it was seen last.
    pub last_seen: Option<UnixMs>,
}

/// Begins a review.
///
/// # Errors
/// What the database says.
pub(super) fn begin(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    now: UnixMs,
    (seq, hash): (u64, Hash),
) -> Result<()> {
    workspaces::set_setting(tx, workspace, SETTING, Some(&now.to_string()))?;
    let mark = format!("{seq} {}", hex::encode(hash));
    workspaces::set_setting(tx, workspace, LOST_MARK, Some(&mark))?;
    audit::append(tx, workspace, now, None, "review.begin", "ledger", &json!({}))
}

/// Up to where the database had the ledger that was missing, while there is a review.
///
/// # Errors
/// What the database says.
pub(super) fn lost_mark(conn: &Connection) -> Result<Option<(u64, Hash)>> {
    for workspace in workspaces::list(conn)? {
        if let Some(text) = workspaces::setting(conn, workspace.id, LOST_MARK)? {
            let parts = text.split_once(' ').and_then(|(seq, hash)| {
                Some((seq.parse().ok()?, hex::decode(hash).ok()?.try_into().ok()?))
            });
            return Ok(parts);
        }
    }
    Ok(None)
}

/// Ends a review because the ledger is there again.
///
/// # Errors
/// What the database says.
pub(super) fn end(tx: &Transaction<'_>, workspace: WorkspaceId, now: UnixMs) -> Result<()> {
    clear(tx, workspace)?;
    audit::append(tx, workspace, now, None, "review.end", "ledger", &json!({}))
}

fn clear(tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<()> {
    workspaces::set_setting(tx, workspace, SETTING, None)?;
    workspaces::set_setting(tx, workspace, LOST_MARK, None)
}

/// Since when a workspace is under review, if it is.
///
/// # Errors
/// What the database says.
pub fn since(conn: &Connection, workspace: WorkspaceId) -> Result<Option<UnixMs>> {
    let Some(text) = workspaces::setting(conn, workspace, SETTING)? else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|error| EngineError::damaged(format!("the setting `{SETTING}`"), error))
}

/// What is to be decided; `None` where there is no review.
///
/// # Errors
/// What the database says.
pub fn read(conn: &Connection, workspace: WorkspaceId) -> Result<Option<Review>> {
    let Some(since) = since(conn, workspace)? else { return Ok(None) };
    let mut owned: BTreeMap<Option<[u8; 16]>, u64> = BTreeMap::new();
    let mut statement = conn.prepare_cached(
        "SELECT owner, count(*) FROM contact WHERE workspace = ? AND erased_at IS NULL GROUP BY owner",
    )?;
    let mut rows = statement.query([workspace.as_bytes()])?;
    while let Some(row) = rows.next()? {
        owned.insert(row.get(0)?, row.get(1)?);
    }
    let known_until = conn
        .prepare_cached(
            "SELECT max(at) FROM audit WHERE workspace = ?1 AND at < ?2
             AND action NOT IN ('review.begin', 'ledger.lost', 'audit.gap')",
        )?
        .query_row(params![workspace.as_bytes(), since], |row| row.get(0))
        .optional()?
        .flatten();
    let devices = devices::list_devices(conn, workspace, None)?;
    let mut people = Vec::new();
    for user in people::list_users(conn, workspace)? {
        let count = owned.get(&Some(*user.id.as_bytes())).copied().unwrap_or(0);
        people.push((user, count));
    }
    let mut text = Vec::new();
    for device in &devices {
        text.extend_from_slice(device.id.as_bytes());
        text.push(u8::from(device.revoked_at.is_some()));
    }
    for (user, count) in &people {
        text.extend_from_slice(user.id.as_bytes());
        text.push(u8::from(user.disabled_at.is_some()));
        text.extend_from_slice(user.role.as_str().as_bytes());
        text.extend_from_slice(&count.to_be_bytes());
    }
    let code = hex::encode(&digest(&SHA256, &text).as_ref()[..6]);
    let unowned = owned.get(&None).copied().unwrap_or(0);
    Ok(Some(Review { since, known_until, devices, people, unowned, code }))
}

impl Engine {
    /// Ends a review: customer data goes out again, to the devices and people that there are now.
    /// Durable. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where there is none, or where devices, people or assignments are not
    /// any more what was seen.
    pub fn confirm_review(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        code: &str,
    ) -> Result<()> {
        let (now, code) = (self.now_ms(), code.trim().to_owned());
        self.write(move |tx| -> Result<()> {
            let refused = |reason: &str| {
                Err(EngineError::Refused { code: "review", reason: reason.to_owned() })
            };
            let Some(review) = read(tx, workspace)? else {
                return refused("there is nothing to review: customer data goes out as always");
            };
            if review.code != code {
                return refused(
                    "devices, people or assignments are not what was seen; look at them again with `review show`",
                );
            }
            clear(tx, workspace)?;
            let detail = json!({ "devices": review.devices.len(), "since": review.since });
            audit::append(tx, workspace, now, by, "review.confirm", "ledger", &detail)
        })?;
        self.publish(Event::Released { workspace, user: None });
        Ok(())
    }
}

/// What a device is told.
pub const HOLD: &str = "the server was restored and its ledger is missing: your edits are taken, and customer data comes \
                        again when an administrator has confirmed devices and assignments";
