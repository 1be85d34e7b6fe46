//! What a merge writes, in one transaction with the merges of other contacts.
//!
//! A merge without a server's change may be written with [`Durability::Derived`]: everything in it
//! follows from log rows that are on the disk. If a power cut takes it away, the log rows are stored
//! again, they are merged again at the next start, and a device that heard of the lost cursors is
//! found by its timeline (rule 1).
//!
//! [`Durability::Derived`]: crate::store::Durability::Derived

use std::sync::Arc;

use automerge::Automerge;
use roadbook_protocol::ids::{ContactId, Cursor, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::wire::{ChangeFate, Fate};
use rusqlite::Transaction;

use super::merge::{Derived, Key, Made, Prepared, RAW_CHANGES_KEPT};
use super::types::{Event, MergedContact};
use super::{failpoint, late};
use crate::store::changes::NewChange;
use crate::store::contacts::MergedState;
use crate::store::{
    EngineError, Result, bulk, changes, contacts, documents, facts, feed, projections, proposals,
    workspaces,
};

/// A merge that was written; it counts once the transaction is committed.
#[derive(Debug)]
pub struct Written {
    /// The contact.
    pub key: Key,
    /// Its new cursor; the old one if the document did not change.
    pub cursor: Cursor,
    /// The document and its size, for the cache.
    pub doc: Option<(Automerge, u64)>,
    /// Whether the document changed.
    pub changed: bool,
    /// Who sees it.
    pub users: Vec<UserId>,
    /// What became of devices' changes.
    pub fates: Vec<(DeviceId, ChangeFate)>,
    /// How many changes became part of the contact.
    pub merged: u64,
    /// How many were set aside.
    pub refused: u64,
    /// Whether there is more to merge.
    pub more: bool,
    /// Whether a snapshot was written.
    pub snapshot: bool,
    /// Whether something else waits for a decision than before.
    pub proposals: bool,
}

/// The outcome of writing one merge.
#[derive(Debug)]
pub enum Commit {
    /// Written.
    Written(Box<Written>),
    /// Something else was written to the contact since it was prepared (a change was replaced, the
    /// contact appeared): nothing was written, prepare it again.
    Stale(Key),
    /// What is stored of this contact does not let it be written. Nothing of it was; the rest of the round is.
    Failed(Key, EngineError),
}

/// Writes a prepared merge. The transaction is shared with others; what this writes is undone if it
/// fails.
///
/// # Errors
/// What the database says.
pub fn write(tx: &Transaction<'_>, prepared: Prepared) -> Result<Commit> {
    let key = prepared.key;
    tx.prepare_cached("SAVEPOINT merge_of_one")?.execute([])?;
    let written = write_inside(tx, prepared);
    if !matches!(written, Ok(Commit::Written(_))) {
        tx.prepare_cached("ROLLBACK TO merge_of_one")?.execute([])?;
    }
    tx.prepare_cached("RELEASE merge_of_one")?.execute([])?;
    written.map(|commit| match commit {
        Commit::Stale(_) => Commit::Stale(key),
        written => written,
    })
}

fn write_inside(tx: &Transaction<'_>, prepared: Prepared) -> Result<Commit> {
    let (workspace, id) = prepared.key;
    let stale = Ok(Commit::Stale(prepared.key));
    let found = contacts::find(tx, workspace, id)?;
    if let (None, Some(taken)) = (&found, &prepared.taken_apart) {
        // Late edits of a contact that is not known here: proposed as a new one.
        if !proposals::write(tx, prepared.key, taken, prepared.now)? {
            return stale;
        }
        return Ok(Commit::Written(Box::new(Written::of_proposals(&prepared))));
    }
    let cursor = match (&found, prepared.derived.is_some()) {
        (_, true) => workspaces::assign_cursors(tx, workspace, 1)?,
        (Some(found), false) => found.cursor,
        (None, false) => return stale,
    };
    let (n, epoch, generation, is_new) = match (&prepared.contact, found) {
        (Some(read), Some(now))
            if read.cursor == now.cursor
                && now.erased_at.is_none()
                && (prepared.turn.is_none() || read.adopting == now.adopting) =>
        {
            (now.n, now.epoch, now.generation, now.cursor == 0)
        }
        (None, None) => {
            let n = contacts::create(tx, workspace, id, prepared.owner, cursor, prepared.now)?;
            (n, u64::from(prepared.owner.is_some()), 1, true)
        }
        _ => return stale,
    };
    if let (Some(turn), Some(derived)) = (&prepared.turn, &prepared.derived)
        && !turn.is_possible(tx, prepared.key, &derived.doc)?
    {
        return stale;
    }
    let mut fates = Vec::new();
    for stored in &prepared.merged {
        if !changes::settle(tx, prepared.key, stored.seq, &stored.hash, Fate::Merged, cursor, None)?
        {
            return stale;
        }
        if let Some(device) = stored.device {
            fates.push((device, fate_of(id, stored.hash, Fate::Merged, "", "")));
        }
    }
    for refused in &prepared.refused {
        let (stored, why) = (&refused.pending, (refused.code.as_str(), refused.reason.as_str()));
        if !changes::settle(tx, prepared.key, stored.seq, &stored.hash, refused.fate, 0, Some(why))?
        {
            return stale;
        }
        if let Some(device) = stored.device {
            fates.push((device, fate_of(id, stored.hash, refused.fate, why.0, why.1)));
        }
    }
    if let Some(made) = &prepared.made {
        append_made(tx, &prepared, made, cursor, (epoch, generation))?;
        if let Some(mark) = prepared.mark {
            bulk::note_edit(tx, mark, id, &made.hash)?;
        }
    }
    if let Some(taken) = &prepared.taken_apart
        && !proposals::write(tx, prepared.key, taken, prepared.now)?
    {
        return stale;
    }
    if let Some(decision) = &prepared.decision {
        let change = prepared.made.as_ref().map(|made| &made.hash);
        if !proposals::decide(tx, decision, change, prepared.now)? {
            return stale;
        }
        late::record(tx, prepared.key, decision, prepared.now)?;
        if let Some((device, told)) =
            proposals::fates(tx, workspace, decision.proposal, &decision.items)?
        {
            fates.extend(told.into_iter().map(|fate| (device, fate)));
        }
    }
    let merged = prepared.merged.len() as u64 + u64::from(prepared.made.is_some());
    let refused = prepared.refused.len() as u64;
    let snapshot = prepared.derived.as_ref().is_some_and(|derived| derived.snapshot.is_some());
    let changed = prepared.derived.is_some();
    let given_up = match (&prepared.turn, &prepared.derived) {
        (Some(turn), None) => turn.give_up(tx, prepared.key)?,
        _ => None,
    };
    let (cursor, users_again) = given_up.unwrap_or((cursor, Vec::new()));
    let (doc, users) = match prepared.derived {
        None => (None, users_again),
        Some(derived) => {
            write_derived(tx, workspace, id, n, cursor, merged, is_new, &derived)?;
            if let Some(turn) = &prepared.turn {
                turn.write(tx, prepared.key, cursor, &derived, prepared.now)?;
            }
            let users = contacts::raise_sort_cursor(tx, workspace, id, cursor)?;
            let kind = if is_new { feed::Kind::Created } else { feed::Kind::Changed };
            let happened =
                feed::Happened { cursor, at: prepared.now, kind, contact: id, holders: None };
            feed::append(tx, workspace, &happened)?;
            (Some((derived.doc, derived.document_bytes)), users)
        }
    };
    Ok(Commit::Written(Box::new(Written {
        key: prepared.key,
        cursor,
        doc,
        changed,
        users,
        fates,
        merged,
        refused,
        more: prepared.more,
        snapshot,
        proposals: prepared.taken_apart.is_some() || prepared.decision.is_some(),
    })))
}

impl Written {
    /// Nothing but late edits that were taken apart.
    fn of_proposals(prepared: &Prepared) -> Written {
        Written {
            key: prepared.key,
            cursor: 0,
            doc: None,
            changed: false,
            users: Vec::new(),
            fates: Vec::new(),
            merged: 0,
            refused: 0,
            more: prepared.more,
            snapshot: false,
            proposals: true,
        }
    }
}

fn append_made(
    tx: &Transaction<'_>,
    prepared: &Prepared,
    made: &Made,
    cursor: Cursor,
    (epoch, generation): (u64, u64),
) -> Result<()> {
    let (workspace, contact) = prepared.key;
    changes::append(
        tx,
        &NewChange {
            workspace,
            contact,
            fate: Fate::Merged,
            fate_cursor: cursor,
            actor: made.actor,
            actor_seq: made.actor_seq,
            hash: made.hash,
            device: None,
            user: made.by,
            received_at: prepared.now,
            epoch,
            verdict: "server",
            code: None,
            reason: None,
            replaces: &made.replaces,
            generation,
            bytes: &made.bytes,
        },
    )?;
    for replaced in &made.replaces {
        // Whoever sent it: the server's change stands for the edit from now on.
        let user = match changes::find(tx, workspace, contact, replaced)? {
            Some((_, seq)) => changes::sender(tx, seq)?.map_or(made.by, |sender| sender.0),
            None => made.by,
        };
        changes::add_replaced(tx, workspace, contact, replaced, &made.hash, user)?;
    }
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "one row of three tables")]
fn write_derived(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ContactId,
    n: i64,
    cursor: Cursor,
    changes_added: u64,
    is_new: bool,
    derived: &Derived,
) -> Result<()> {
    contacts::set_merged(
        tx,
        n,
        &MergedState {
            heads: &derived.heads,
            cursor,
            changes: changes_added,
            bytes: derived.bytes,
            document_bytes: derived.document_bytes,
            snapshot: derived.snapshot.is_some(),
        },
    )?;
    projections::put(tx, n, workspace, &derived.row, is_new)?;
    facts::write(tx, workspace, n, &derived.facts)?;
    if let Some(snapshot) = &derived.snapshot {
        documents::put_snapshot(tx, n, &derived.heads, cursor, snapshot)?;
        if let Some(dropped) = changes::drop_merged(tx, workspace, id, cursor, RAW_CHANGES_KEPT)? {
            contacts::set_compacted(tx, n, dropped)?;
        }
        failpoint("snapshot_before_commit");
    }
    Ok(())
}

fn fate_of(
    contact: ContactId,
    hash: roadbook_protocol::ChangeHash,
    fate: Fate,
    code: &str,
    reason: &str,
) -> ChangeFate {
    ChangeFate { contact, hash, fate, code: code.to_owned(), reason: reason.to_owned() }
}

/// The events of merges that were committed: one of contacts per workspace, one of fates per device.
pub fn events(written: &[Written]) -> Vec<Event> {
    use std::collections::BTreeMap;
    let mut contacts: BTreeMap<WorkspaceId, (Cursor, Vec<MergedContact>)> = BTreeMap::new();
    let mut fates: BTreeMap<(WorkspaceId, DeviceId), (Cursor, Vec<ChangeFate>)> = BTreeMap::new();
    for one in written {
        let (workspace, contact) = one.key;
        if one.changed {
            let entry = contacts.entry(workspace).or_default();
            entry.0 = entry.0.max(one.cursor);
            entry.1.push(MergedContact { contact, cursor: one.cursor, users: one.users.clone() });
        }
        for (device, fate) in &one.fates {
            let entry = fates.entry((workspace, *device)).or_default();
            entry.0 = entry.0.max(one.cursor);
            entry.1.push(fate.clone());
        }
    }
    let fates = fates.into_iter().map(|((workspace, device), (cursor, fates))| Event::Fates {
        workspace,
        device,
        cursor,
        fates: Arc::from(fates),
    });
    let mut waiting: BTreeMap<WorkspaceId, Vec<ContactId>> = BTreeMap::new();
    for one in written.iter().filter(|one| one.proposals) {
        waiting.entry(one.key.0).or_default().push(one.key.1);
    }
    let waiting = waiting
        .into_iter()
        .map(|(workspace, contacts)| Event::Proposals { workspace, contacts: contacts.into() });
    let merged = contacts.into_iter().map(|(workspace, (cursor, contacts))| Event::Merged {
        workspace,
        cursor,
        contacts: Arc::from(contacts),
    });
    fates.chain(merged).chain(waiting).collect()
}
