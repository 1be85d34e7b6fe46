//! What goes down to devices: pages, manifests, whole documents, fates. Each answer is read in one
//! transaction, and holds merged content only (rule 9) that the user may see in that same
//! transaction (rule 7).

use std::collections::HashMap;

use chrono::DateTime;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, Cursor, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::wire::{
    Access, ChangeFate, ContactHeads, Dropped, Fate, PageItem, PendingChanges,
};
use rusqlite::Connection;
use serde_json::json;

use super::handle::Engine;
use super::types::{Event, ManifestList, Page, PageLimits, Repair};
use crate::rights::{self, Action};
use crate::store::contacts::{self, Visible};
use crate::store::people::{self, Role};
use crate::store::{
    Result, audit, changes, devices, documents, drops, projections, proposals, workspaces,
};

/// A snapshot is sent instead of changes that have more bytes than this share of it.
const CHANGES_SHARE_MAX: u64 = 1;

impl Engine {
    /// Notes that a device has dropped contacts, as of its cursor; shows it again what its user holds.
    /// Durable. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn confirm_dropped(
        &self,
        workspace: WorkspaceId,
        device: DeviceId,
        user: UserId,
        dropped: Dropped,
    ) -> Result<()> {
        let now = self.now_ms();
        let again = self.write(move |tx| -> Result<_> {
            let confirmed = drops::confirm(tx, workspace, device, &dropped)?;
            let again = drops::show_again(tx, workspace, user, &dropped)?;
            if confirmed > 0 {
                let detail = json!({ "contacts": confirmed, "cursor": dropped.cursor });
                let subject = device.to_string();
                audit::append(tx, workspace, now, Some(user), "device.dropped", &subject, &detail)?;
            }
            Ok(again)
        })?;
        if let Some((cursor, contacts)) = again {
            let users = [user].into();
            self.publish(Event::Access { workspace, cursor, users, contacts: contacts.into() });
        }
        Ok(())
    }

    /// What is new for a user beyond `since`, in the order of cursors: the changes merged since, or a
    /// snapshot where the contact is new to the user, where raw changes are gone, or where they would
    /// be larger; contacts that were taken away as removed. `skip` names changes that the device has
    /// for sure (it sent them on this connection). Blocking.
    ///
    /// # Errors
    /// What the database says, [`crate::store::EngineError::Damaged`].
    pub fn page(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        since: Cursor,
        limits: PageLimits,
        skip: &dyn Fn(&ChangeHash) -> bool,
    ) -> Result<Page> {
        self.read(|conn| {
            let public = workspaces::cursor(conn, workspace)?;
            let news = contacts::visible_since(conn, workspace, user, since, limits.items_max + 1)?;
            let mut page =
                Page { cursor: public.max(since), items: Vec::new(), more: false, as_of: public };
            let mut bytes = 0;
            let mut reached = since;
            for visible in news {
                let full = page.items.len() >= limits.items_max || bytes >= limits.bytes_max;
                if full && !page.items.is_empty() {
                    page.cursor = reached;
                    page.more = true;
                    break;
                }
                reached = visible.sort_cursor;
                if let Some(item) = page_item(conn, workspace, &visible, since, skip)? {
                    bytes += item_bytes(&item);
                    page.items.push(item);
                }
            }
            Ok(page)
        })
    }

    /// Whether content that was read at the public cursor `as_of` may still be sent to a device: it
    /// is not revoked, and nothing was taken from its user since (rule 7). Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn may_send(
        &self,
        workspace: WorkspaceId,
        device: DeviceId,
        user: UserId,
        as_of: Cursor,
    ) -> Result<bool> {
        self.read(|conn| {
            let device = devices::find_device(conn, workspace, device)?;
            let revoked = device.is_none_or(|device| device.revoked_at.is_some());
            let disabled = people::user(conn, workspace, user)?.disabled_at.is_some();
            Ok(rights::admits(revoked, disabled)
                && !contacts::lost_since(conn, workspace, user, as_of)?)
        })
    }

    /// The list of a user's contacts for a first sync, with the cursor from which live pages follow.
    /// Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn manifest(&self, workspace: WorkspaceId, user: UserId) -> Result<ManifestList> {
        let today = today(self.now_ms());
        self.read(|conn| manifest(conn, workspace, user, &today))
    }

    /// Whole documents with their rows. Answers a prefix of `wanted`, at least one, until `bytes_max`
    /// is reached: ask again for the rest. A contact that the user may not see comes as removed,
    /// exactly like one that does not exist. Blocking.
    ///
    /// # Errors
    /// What the database says, [`crate::store::EngineError::Damaged`].
    pub fn fetch(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        wanted: &[ContactId],
        bytes_max: usize,
    ) -> Result<Vec<PageItem>> {
        self.read(|conn| {
            let mut items = Vec::new();
            let mut bytes = 0;
            for contact in wanted {
                if bytes >= bytes_max {
                    break;
                }
                let item = match contacts::visible(conn, workspace, user, *contact)? {
                    Some(visible) if is_shown(&visible) => {
                        snapshot_item(conn, workspace, &visible)?
                    }
                    _ => removed_item(*contact),
                };
                bytes += item_bytes(&item);
                items.push(item);
            }
            Ok(items)
        })
    }

    /// Compares the heads of everything a device holds with what is merged here. Contacts that the
    /// server never heard of are in `unknown` only: the device offers them. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn repair(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        held: &[ContactHeads],
    ) -> Result<Repair> {
        let today = today(self.now_ms());
        self.read(|conn| {
            let mut fetch = manifest(conn, workspace, user, &today)?;
            let mut unknown = Vec::new();
            let mut known = Vec::new();
            let mut complete: HashMap<ContactId, bool> = HashMap::new();
            let mut lost = Vec::new();
            for ContactHeads { contact, heads } in held {
                let visible = contacts::visible(conn, workspace, user, *contact)?;
                let here = match &visible {
                    Some(visible) if is_shown(visible) => visible.contact.heads.as_slice(),
                    _ => &[],
                };
                let not_theirs = match &visible {
                    Some(visible) => !holds(visible),
                    None => contacts::find(conn, workspace, *contact)?.is_some(),
                };
                let (mut missing, mut merged) = (Vec::new(), Vec::new());
                for head in heads {
                    match changes::find(conn, workspace, *contact, head)? {
                        _ if here.contains(head) => merged.push(*head),
                        Some((Fate::Merged, _)) => merged.push(*head),
                        _ => missing.push(*head),
                    }
                }
                if not_theirs {
                    // It may have been assigned after the backup: the device shows what it has, and
                    // drops the contact where that does not make it its user's again.
                    lost.push(*contact);
                    missing.clone_from(heads);
                } else {
                    merged.extend(here.iter().filter(|head| !heads.contains(head)));
                }
                complete.insert(*contact, here.iter().all(|head| heads.contains(head)));
                if !missing.is_empty() {
                    unknown.push(ContactHeads { contact: *contact, heads: missing });
                    known.push(ContactHeads { contact: *contact, heads: merged });
                }
            }
            fetch.contacts.retain(|contact| !complete.get(contact).copied().unwrap_or(false));
            fetch.contacts.extend(lost);
            Ok(Repair { unknown, known, fetch })
        })
    }

    /// What became of changes that the device was told are stored. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn fates(
        &self,
        workspace: WorkspaceId,
        _device: DeviceId,
        pending: &[PendingChanges],
    ) -> Result<Vec<ChangeFate>> {
        self.read(|conn| {
            let mut fates = Vec::new();
            for PendingChanges { contact, hashes } in pending {
                for hash in hashes {
                    fates.push(fate(conn, workspace, *contact, hash)?);
                }
            }
            Ok(fates)
        })
    }
}

fn fate(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    hash: &ChangeHash,
) -> Result<ChangeFate> {
    let (fate, code, reason) = match changes::find(conn, workspace, contact, hash)? {
        None => (Fate::Unknown, String::new(), String::new()),
        Some((fate @ (Fate::Stored | Fate::Merged), _)) => (fate, String::new(), String::new()),
        Some((Fate::Proposed, _)) => {
            let (code, reason) =
                proposals::verdict(conn, workspace, contact, hash)?.unwrap_or_default();
            (Fate::Proposed, code, reason)
        }
        Some((fate, seq)) => {
            let (code, reason) = changes::reason(conn, seq)?.unwrap_or_default();
            (fate, code, reason)
        }
    };
    Ok(ChangeFate { contact, hash: *hash, fate, code, reason })
}

fn manifest(
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
    today: &str,
) -> Result<ManifestList> {
    let list = contacts::manifest(conn, workspace, user, today)?;
    Ok(ManifestList {
        cursor: workspaces::cursor(conn, workspace)?,
        bytes_total: list.iter().map(|(_, bytes)| bytes).sum(),
        contacts: list.into_iter().map(|(contact, _)| contact).collect(),
    })
}

fn today(now_ms: i64) -> String {
    DateTime::from_timestamp_millis(now_ms).unwrap_or_default().format("%Y-%m-%d").to_string()
}

/// Whether the user gets the contact on a device. The role does not count: see [`rights`].
fn holds(visible: &Visible) -> bool {
    rights::on_device(Role::Rep, Action::Receive, Some(visible.access))
}

fn is_shown(visible: &Visible) -> bool {
    holds(visible) && visible.contact.cursor > 0 && visible.contact.erased_at.is_none()
}

fn page_item(
    conn: &Connection,
    workspace: WorkspaceId,
    visible: &Visible,
    since: Cursor,
    skip: &dyn Fn(&ChangeHash) -> bool,
) -> Result<Option<PageItem>> {
    let contact = &visible.contact;
    if !holds(visible) || contact.erased_at.is_some() {
        return Ok(Some(removed_item(contact.id)));
    }
    if contact.cursor == 0 {
        // Nothing is merged: its first merge brings it.
        return Ok(None);
    }
    if contact.adopting > 0 {
        return Ok(Some(unsaid_item(visible)));
    }
    if visible.visible_cursor > since || contact.compacted_cursor > since {
        return snapshot_item(conn, workspace, visible).map(Some);
    }
    let mut raw = Vec::new();
    let mut bytes = 0;
    let mut skipped = false;
    changes::for_each_merged(conn, workspace, contact.id, since, |hash, change| {
        if skip(&hash) {
            skipped = true;
        } else {
            bytes += change.len() as u64;
            raw.push(change.to_vec());
        }
    })?;
    if raw.is_empty() && skipped && contact.assigned_cursor <= since {
        // All of it is the device's own, and it has heard of its fate.
        return Ok(None);
    }
    if bytes > contact.document_bytes * CHANGES_SHARE_MAX {
        return snapshot_item(conn, workspace, visible).map(Some);
    }
    Ok(Some(PageItem { changes: raw, ..bare_item(visible) }))
}

/// How a contact is held, and nothing of what it is: its document waits for a later one (rule 25).
fn unsaid_item(visible: &Visible) -> PageItem {
    PageItem { heads: Vec::new(), ..bare_item(visible) }
}

fn snapshot_item(conn: &Connection, workspace: WorkspaceId, visible: &Visible) -> Result<PageItem> {
    let contact = &visible.contact;
    if contact.adopting > 0 {
        return Ok(unsaid_item(visible));
    }
    let snapshot = match documents::snapshot(conn, contact)? {
        Some(snapshot) if snapshot.cursor == contact.cursor => snapshot.bytes,
        _ => documents::save(&documents::document(conn, workspace, contact)?),
    };
    let row = projections::json(conn, contact.n)?.unwrap_or_default();
    Ok(PageItem { snapshot, row, ..bare_item(visible) })
}

fn bare_item(visible: &Visible) -> PageItem {
    PageItem {
        contact: visible.contact.id,
        access: visible.access,
        owner: visible.contact.owner,
        epoch: visible.contact.epoch,
        changes: Vec::new(),
        snapshot: Vec::new(),
        row: String::new(),
        heads: visible.contact.heads.clone(),
        signed: None,
        generation: Some(visible.contact.generation).filter(|number| *number > 1),
    }
}

fn removed_item(contact: ContactId) -> PageItem {
    PageItem {
        contact,
        access: Access::Removed,
        owner: None,
        epoch: 0,
        changes: Vec::new(),
        snapshot: Vec::new(),
        row: String::new(),
        heads: Vec::new(),
        signed: None,
        generation: None,
    }
}

fn item_bytes(item: &PageItem) -> usize {
    128 + item.snapshot.len()
        + item.row.len()
        + item.changes.iter().map(Vec::len).sum::<usize>()
        + item.heads.len() * 32
}
