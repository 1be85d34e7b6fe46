//! Where the replica stands: status for people, the hash by which replicas compare.

use roadbook_protocol::document;
use roadbook_protocol::ids::{
    ContactId, Cursor, DeviceId, TimelineId, UnixMs, UserId, WorkspaceId,
};
use roadbook_protocol::projection;
use rusqlite::Connection;
use serde::Serialize;

use crate::at_rest::Encryption;
use crate::copies::CopyStatus;
use crate::documents::contained;
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::receipt::Receipt;
use crate::replica::Replica;
use crate::store::contacts::{self, Access};
use crate::store::meta::{self, key};
use crate::store::{changes, lists, projections, proposals};
use crate::wipe::WipeStatus;

/// What the sync engine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not connected, and not trying.
    #[default]
    Offline,
    /// Opening a connection.
    Connecting,
    /// Connected, with work to do in some direction.
    Syncing,
    /// Connected, and nothing is left to do: edits and news travel as they come.
    Idle,
    /// Waiting before the next attempt.
    Waiting,
}

/// The connection, as far as it is not written to disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Connectivity {
    /// What the engine is doing.
    pub phase: Phase,
    /// Why the last connection ended, if it ended with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The stable short code of the server's refusal, where `error` is one: as in
    /// [`Error::Refused`]. While connected, and for `minimum_version` until the next connection: why
    /// the server takes edits and sends no contacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// When the next attempt is due, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<UnixMs>,
    /// Bytes received on this connection, as they came over the wire.
    pub bytes_down: u64,
    /// Bytes sent on this connection.
    pub bytes_up: u64,
}

/// A workspace or a user, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named<Id> {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
}

/// The user of the replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Me {
    /// Their id.
    pub id: UserId,
    /// The login.
    pub login: String,
    /// The name.
    pub name: String,
    /// `rep`, `manager` or `admin`; empty before the first sync.
    pub role: String,
}

/// How much of a first sync (or a repair) is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Progress {
    /// Contacts that are here.
    pub done: u64,
    /// Contacts that will be here.
    pub total: u64,
    /// Bytes of all documents, before compression; 0 when not known.
    pub bytes_total: u64,
}

/// Where the replica stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Whether the replica belongs to somebody and has its key.
    pub enrolled: bool,
    /// The server's address.
    pub server_url: Option<String>,
    /// The workspace.
    pub workspace: Option<Named<WorkspaceId>>,
    /// The user.
    pub user: Option<Me>,
    /// The device.
    pub device: Option<Named<DeviceId>>,
    /// Contacts on this device.
    pub contacts: u64,
    /// Edits that the server has not acknowledged.
    pub unsent: u64,
    /// Edits that are durable on the server and not yet in the managers' view.
    pub stored_not_merged: u64,
    /// What could not become part of a contact; see [`Replica::quarantine`].
    pub quarantined: u64,
    /// Contacts with a conflict that waits for a decision.
    pub conflicts: u64,
    /// Sets of late edits that wait for this user's decision; see [`Replica::proposals`].
    pub proposals: u64,
    /// Decisions about late edits that the server has not answered.
    pub decisions_unsent: u64,
    /// Contacts that wait for the server's document before their edits are authored anew.
    pub set_aside: u64,
    /// Contacts that are still to be fetched; 0 when the first sync is complete.
    pub missing: u64,
    /// The progress of the first sync, while `missing` is above 0.
    pub first_sync: Option<Progress>,
    /// When everything was last exchanged, milliseconds since 1970.
    pub last_sync_ms: Option<UnixMs>,
    /// The position in the server's order up to which everything is here.
    pub cursor: Cursor,
    /// The server's timeline of that position.
    pub timeline: Option<TimelineId>,
    /// How many positions the server was ahead when it was last heard of.
    pub behind: u64,
    /// When the replica was found to be restored or copied, and took a new actor.
    pub copied_at: Option<UnixMs>,
    /// The name under which a damaged database was set aside, if that happened.
    pub set_aside_file: Option<String>,
    /// The permission to read without a contact to the server; `None`: without an end.
    pub lease: Option<Lease>,
    /// Set where the office revoked this device and it was wiped.
    pub wiped: Option<WipeStatus>,
    /// How the replica is kept on the disk.
    pub encryption: Encryption,
    /// The sealed copies of edits that are not sent.
    pub copies: CopyStatus,
    /// The connection.
    pub connection: Connectivity,
}

/// One hash over many contacts: equal on every replica that holds the same merged content (rule 26).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateHash {
    /// The hash over all of them, lower-case hexadecimal.
    pub hash: String,
    /// The hash of each, lower-case hexadecimal, by id.
    pub each: Vec<(ContactId, String)>,
    /// Local edits that are not part of it, because they are not merged yet.
    pub unmerged: u64,
}

impl Replica {
    /// Where the replica stands.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn status(&self) -> Result<Status> {
        let has_key = self.inner.home.key()?.is_some();
        let connection = self.connectivity();
        let encryption = self.encryption()?;
        self.read(|conn| {
            let text =
                |key: &str| Ok::<_, Error>(meta::get::<String>(conn, key)?.unwrap_or_default());
            let number = |key: &str| meta::get::<i64>(conn, key);
            let me = self.me(conn).ok();
            let missing = lists::missing_count(conn)?;
            let (proposals, decisions_unsent) = proposals::counts(conn)?;
            let cursor = number(key::CURSOR)?.unwrap_or(0).unsigned_abs();
            let server = number(key::SERVER_CURSOR)?.unwrap_or(0).unsigned_abs();
            let contacts = count(conn, "SELECT count(*) FROM contact WHERE access <> 'removed'")?;
            let total = number(key::MANIFEST_TOTAL)?.unwrap_or(0).unsigned_abs().max(missing);
            Ok(Status {
                enrolled: me.is_some() && has_key,
                server_url: meta::get(conn, key::SERVER_URL)?,
                workspace: match me {
                    Some(me) => Some(Named { id: me.workspace, name: text(key::WORKSPACE_NAME)? }),
                    None => None,
                },
                user: match me {
                    Some(me) => Some(Me {
                        id: me.user,
                        login: text(key::LOGIN)?,
                        name: text(key::USER_NAME)?,
                        role: text(key::ROLE)?,
                    }),
                    None => None,
                },
                device: match me {
                    Some(me) => Some(Named { id: me.device, name: text(key::DEVICE_NAME)? }),
                    None => None,
                },
                contacts,
                unsent: changes::count(conn, Receipt::Saved)?
                    + changes::count(conn, Receipt::Forked)?,
                stored_not_merged: changes::count(conn, Receipt::Stored)?,
                quarantined: count(conn, "SELECT count(*) FROM quarantine")?,
                conflicts: count(conn, "SELECT count(*) FROM projection WHERE conflicts > 0")?,
                proposals,
                decisions_unsent,
                set_aside: count(conn, "SELECT count(*) FROM contact WHERE set_aside = 1")?,
                missing,
                first_sync: match missing {
                    0 => None,
                    _ => Some(Progress {
                        done: total - missing,
                        total,
                        bytes_total: number(key::MANIFEST_BYTES)?.unwrap_or(0).unsigned_abs(),
                    }),
                },
                last_sync_ms: number(key::LAST_SYNC)?,
                cursor,
                timeline: meta::id(conn, key::TIMELINE, TimelineId::from_bytes)?,
                behind: server.saturating_sub(cursor),
                copied_at: number(key::COPIED_AT)?,
                set_aside_file: meta::get(conn, key::SET_ASIDE)?,
                lease: self.lease(),
                wiped: self.wipe_status(),
                encryption,
                copies: self.copy_status(conn)?,
                connection,
            })
        })
    }

    /// The connection as it is now.
    pub fn connectivity(&self) -> Connectivity {
        self.inner.connectivity.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Changes the connection's state and tells observers of [`crate::Topic::Sync`].
    pub(crate) fn set_connectivity(&self, change: impl FnOnce(&mut Connectivity)) {
        {
            let mut connectivity =
                self.inner.connectivity.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let before = connectivity.clone();
            change(&mut connectivity);
            if *connectivity == before {
                return;
            }
        }
        let notices = crate::observe::Notices { sync: true, ..Default::default() };
        self.inner.hub.notify(&notices);
    }

    /// The hash of the merged content of all contacts, or of the given ones.
    ///
    /// # Errors
    /// [`Error::NotFound`] where a given contact is not here.
    pub fn state_hash(&self, ids: Option<&[ContactId]>) -> Result<StateHash> {
        let rows = self.read(|conn| match ids {
            None => contacts::all(conn, "access <> 'removed' AND length(merged_heads) > 0"),
            Some(ids) => ids
                .iter()
                .map(|id| contacts::find(conn, *id)?.ok_or_else(|| Error::no_contact(id)))
                .collect(),
        })?;
        let mut items = Vec::with_capacity(rows.len());
        let mut computed = Vec::new();
        for row in
            rows.iter().filter(|row| row.access != Access::Removed && !row.merged_heads.is_empty())
        {
            let hash = match self.read(|conn| contacts::content_hash(conn, row.num))? {
                Some(hash) => hash,
                None => {
                    let doc = self.document(row.id)?;
                    let heads = (row.heads != row.merged_heads).then_some(&row.merged_heads[..]);
                    let hash = contained(
                        || format!("contact {}", row.id),
                        || document::content_hash(&doc, heads),
                    )?;
                    computed.push((row, hash));
                    hash
                }
            };
            items.push((row.id, hash));
        }
        if !computed.is_empty() {
            self.write("cache", |write| {
                computed.iter().try_for_each(|(row, hash)| {
                    contacts::set_content_hash(&write.tx, row.num, &row.merged_heads, hash)
                })
            })?;
        }
        let unmerged = self.read(|conn| {
            count(conn, "SELECT count(*) FROM change WHERE settled = 0 AND edit IS NOT NULL")
        })?;
        Ok(StateHash {
            hash: document::state_hash(items.iter().copied()),
            each: items.iter().map(|(id, hash)| (*id, hex::encode(hash))).collect(),
            unmerged,
        })
    }

    /// Compares every stored row with one derived from its document; the ids of those that differ.
    /// Opens every document: seconds for thousands of contacts.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn check(&self) -> Result<Vec<ContactId>> {
        let rows = self.read(|conn| contacts::all(conn, "length(heads) > 0"))?;
        let mut wrong = Vec::new();
        for row in rows {
            let stored = self.read(|conn| projections::get(conn, row.num))?;
            let derived = match self.document(row.id) {
                Ok(doc) => contained(
                    || format!("contact {}", row.id),
                    || projection::project(row.id, &doc),
                ),
                Err(error) => Err(error),
            };
            match (stored, derived) {
                (Some(stored), Ok(derived)) if stored == derived => {}
                (_, Err(Error::Damaged { .. }) | Ok(_)) => wrong.push(row.id),
                (_, Err(error)) => return Err(error),
            }
        }
        Ok(wrong)
    }

    /// Derives the rows anew that an older version of the program derived.
    pub(crate) fn refresh_outdated_rows(&self) -> Result<()> {
        let outdated = self.read(projections::outdated)?;
        if outdated.is_empty() {
            return Ok(());
        }
        let rows = self.read(|conn| contacts::all(conn, "length(heads) > 0"))?;
        let rows: Vec<_> = rows.into_iter().filter(|row| outdated.contains(&row.num)).collect();
        for part in rows.chunks(500) {
            self.write("rows", |write| {
                for row in part {
                    let doc = write.document(row)?;
                    let derived = contained(
                        || format!("contact {}", row.id),
                        || projection::project(row.id, &doc),
                    )?;
                    projections::put(&write.tx, row.num, &derived)?;
                    write.keep(row.id, doc);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The number that a query counts.
pub(crate) fn count(conn: &Connection, sql: &'static str) -> Result<u64> {
    let count: i64 = conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
