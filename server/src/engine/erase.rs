//! Erasing a contact: from every table, from the files beneath them, and, by telling them, from the
//! devices.
//!
//! In one transaction everything about it is deleted, its id is kept as erased, and the ledger is told,
//! which is on the disk before anything is answered. Then the words that the search index only marks as
//! deleted go, and the write-ahead log is emptied. A start that finds an erasure half scrubbed ends it.
//!
//! What arrives about an erased contact later is refused with the fate `erased` and not kept
//! ([`super::log`]); the device that sent it purges it too.

use std::time::Duration;

use roadbook_protocol::ids::{ContactId, Cursor, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::{ERASURES_MAX, Erasures, erasures_text};
use rusqlite::Transaction;
use serde::Serialize;
use serde_json::json;

use super::handle::Engine;
use super::types::Event;
use crate::store::erasures::{self, NewErasure};
use crate::store::feed::{self, Happened, Holders, Kind};
use crate::store::ledger::{self, Record};
use crate::store::{EngineError, Result, audit, bulk, contacts, workspaces};

/// How often the write-ahead log is tried to be emptied while readers are in the way.
const SCRUBS_MAX: usize = 6;
/// How long a reason may be.
const REASON_CHARS_MAX: usize = 40;

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasedContact {
    /// The contact.
    pub contact: ContactId,
    /// When.
    pub at: UnixMs,
    /// Rows that were deleted.
    pub rows: u64,
    /// The devices that have to confirm.
    pub devices: Vec<DeviceId>,
}

/// What [`Engine::erase`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EraseReport {
    /// Each contact.
    pub erased: Vec<ErasedContact>,
    /// Whether no byte is left in the files; else long-running readers are in the way, and the next
    /// erasure or start ends it.
    pub scrubbed: bool,
}

/// One contact to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erase {
    /// The contact.
    pub contact: ContactId,
    /// Other contacts that name the person, to be listed in the report.
    pub mentions: Vec<ContactId>,
}

impl Engine {
    /// Erases contacts for good. Durable, in the ledger and in the audit log when it returns; every
    /// contact is complete in itself. `reason` is a short code such as `request-17`: it is kept for
    /// ever, so it must tell nothing of the person. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Refused`] for a reason that is no short code,
    /// [`EngineError::Ledger`] or [`EngineError::Io`] where the ledger can't be written: nothing was
    /// erased then.
    pub fn erase(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        list: Vec<Erase>,
        reason: &str,
    ) -> Result<EraseReport> {
        check_reason(reason)?;
        let mut erased = Vec::with_capacity(list.len());
        for one in list {
            let (at, reason, contact) = (self.now_ms(), reason.to_owned(), one.contact);
            let written = self.write(move |tx| -> Result<_> {
                let new = NewErasure { contact, at, by, reason: &reason, replayed: false };
                let written = erase_one(tx, workspace, &new)?;
                for other in &one.mentions {
                    erasures::add_mention(tx, workspace, contact, *other)?;
                }
                let detail = json!({
                    "reason": reason,
                    "rows": written.rows,
                    "devices": written.devices.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "mentions": one.mentions.len(),
                });
                audit::append(
                    tx,
                    workspace,
                    at,
                    by,
                    "contact.erase",
                    &contact.to_string(),
                    &detail,
                )?;
                Ok(written)
            })?;
            // A document in memory goes with the next turn of its thread.
            self.shared.shards.merge((workspace, contact));
            let users: Vec<UserId> = written.held;
            self.publish(Event::Access {
                workspace,
                cursor: written.cursor,
                users: users.clone().into(),
                contacts: vec![contact].into(),
            });
            self.publish(Event::Erased { workspace, users: users.into() });
            erased.push(ErasedContact {
                contact,
                at,
                rows: written.rows,
                devices: written.devices,
            });
        }
        let keys = erased.iter().map(|one| (workspace, one.contact)).collect();
        let scrubbed = self.scrub(keys)?;
        Ok(EraseReport { erased, scrubbed })
    }

    /// Ends erasures in the files: see [`erasures::scrub`].
    pub(super) fn scrub(&self, erased: Vec<(WorkspaceId, ContactId)>) -> Result<bool> {
        for attempt in 0..SCRUBS_MAX {
            if self.shared.scrub(self, erased.clone())? {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(100 << attempt));
        }
        tracing::warn!(
            "what was erased may still stand in the write-ahead log, since a reader holds it; the next erasure \
             or start of the server empties it"
        );
        Ok(false)
    }

    /// The erasures that a device has to confirm, signed; `None` if there are none. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn erasures_for(
        &self,
        workspace: WorkspaceId,
        device: DeviceId,
    ) -> Result<Option<Erasures>> {
        let contacts =
            self.read(|conn| erasures::pending_of(conn, workspace, device, ERASURES_MAX))?;
        if contacts.is_empty() {
            return Ok(None);
        }
        let signature = self.sign(workspace, &erasures_text(&workspace, &device, &contacts))?;
        Ok(Some(Erasures { contacts, signature }))
    }

    /// A device holds nothing of these erased contacts any more. Durable. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn confirm_purged(
        &self,
        workspace: WorkspaceId,
        device: DeviceId,
        list: Vec<ContactId>,
    ) -> Result<()> {
        let now = self.now_ms();
        self.write(move |tx| {
            let mut confirmed = Vec::new();
            for contact in list {
                if erasures::confirm(tx, workspace, device, contact, now)? {
                    ledger::note(tx, workspace, Record::Purged { contact, device })?;
                    confirmed.push(contact.to_string());
                }
            }
            if confirmed.is_empty() {
                return Ok(());
            }
            let detail = json!({ "contacts": confirmed });
            audit::append(tx, workspace, now, None, "contact.purged", &device.to_string(), &detail)
        })
    }
}

/// What erasing one contact did.
pub(super) struct Written {
    pub(super) cursor: Cursor,
    pub(super) rows: u64,
    pub(super) held: Vec<UserId>,
    pub(super) devices: Vec<DeviceId>,
}

/// Erases one contact, and notes it for the ledger.
pub(super) fn erase_one(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    new: &NewErasure<'_>,
) -> Result<Written> {
    let found = contacts::find(tx, workspace, new.contact)?
        .ok_or_else(|| EngineError::not_found(format!("contact {}", new.contact)))?;
    if found.erased_at.is_some() {
        return Err(EngineError::Refused {
            code: "erased",
            reason: format!(
                "contact {} was erased already; `erase report {}` says which devices have confirmed",
                new.contact, new.contact
            ),
        });
    }
    let cursor = workspaces::assign_cursors(tx, workspace, 1)?;
    let rows = erasures::take_out(tx, workspace, &found)?;
    bulk::forget_all_asked(tx, workspace)?;
    let held = erasures::leave_id(tx, workspace, &found, cursor, new.at)?;
    let devices = erasures::record(tx, workspace, new, &held)?;
    let happened = Happened {
        cursor,
        at: new.at,
        kind: Kind::Erased,
        contact: new.contact,
        holders: Some(Holders { from: found.owner, before: held.clone(), ..Holders::default() }),
    };
    feed::append(tx, workspace, &happened)?;
    ledger::note(tx, workspace, Record::Erase { contact: new.contact })?;
    Ok(Written { cursor, rows, held, devices })
}

/// A reason is kept for ever, in the audit log too: it must not have room for words about anybody.
pub(super) fn check_reason(reason: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
    if !reason.is_empty() && reason.len() <= REASON_CHARS_MAX && reason.chars().all(fits) {
        return Ok(());
    }
    Err(EngineError::Refused {
        code: "reason",
        reason: format!(
            "`{reason}` is no reason: it is kept for ever, so it must not tell of the person; write a short code of \
             small letters, digits, - _ . or /, such as request-2026/17"
        ),
    })
}
