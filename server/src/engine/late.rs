//! What becomes of late edits (rules 18 and 19), on the merge thread of their contact.
//!
//! The log has taken their raw changes as `proposed`. Here they are taken apart on a scratch copy of
//! the document, which is thrown away: the contact itself never sees them. Interactions among them did
//! take place, so they are authored at once, by the server in the rep's name, from the command and
//! not from the old bytes. Everything else waits for a person.

use std::collections::{HashMap, HashSet};

use automerge::Automerge;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{self, Command, NotReplayed, ProposedItem, ProposedKind};
use roadbook_protocol::guard::{self, GateError, Incoming};
use roadbook_protocol::ids::{Actor, UnixMs};
use rusqlite::{Connection, Transaction};
use serde_json::json;

use super::merge::{Authoring, Key, Merger, Prepared, ServerAuthor, missing_bootstraps};
use super::types::Authored;
use crate::store::proposals::{Decision, ItemState, Proposal, RawProposed, TakenApart};
use crate::store::{
    EngineError, Result, audit, changes, contacts, documents, generations, proposals,
};

/// The kind of edit that history shows for an interaction that was taken from a late edit.
const LATE_LABEL: &str = "late";
/// Changes that a document does not take, each with the reason.
type Refusals = Vec<(ChangeHash, GateError)>;
/// So many changes that were set aside are looked up at most to read a set of late ones.
const SET_ASIDE_BELOW_MAX: usize = 4096;

/// Whether something of the contact is to be done by itself.
pub(super) fn is_due(conn: &Connection, key: Key) -> Result<bool> {
    Ok(proposals::next_new(conn, key.0, key.1)?.is_some()
        || proposals::next_due(conn, key.0, key.1)?.is_some())
}

/// Somebody else was faster.
pub(super) fn decided_already(proposal: i64) -> EngineError {
    EngineError::Refused {
        code: "decided",
        reason: format!("proposal {proposal} was decided meanwhile; look at it again"),
    }
}

/// Why nothing came of an edit that could not be replayed; `None` if it only changed nothing.
pub(super) fn not_taken(not_replayed: &[NotReplayed]) -> Option<EngineError> {
    let lost = not_replayed.iter().find(|not| !matches!(not.command, Command::EditNote { .. }))?;
    Some(EngineError::Refused { code: "not_replayed", reason: lost.reason.clone() })
}

/// Keeps in the audit log what was decided: numbers and ids only.
pub(super) fn record(
    tx: &Transaction<'_>,
    (workspace, contact): Key,
    decision: &Decision,
    now: UnixMs,
) -> Result<()> {
    let action = match decision.to {
        ItemState::Accepted => "proposal.accept",
        ItemState::Declined => "proposal.decline",
        ItemState::Open | ItemState::Due => "proposal.reopen",
    };
    let detail = json!({ "contact": contact.to_string(), "items": decision.items });
    audit::append(tx, workspace, now, decision.by, action, &decision.proposal.to_string(), &detail)
}

/// The edit that accepts items of a set: in the rep's name, from the commands, instead of the raw
/// changes.
pub(super) fn accepting(set: &Proposal, items: &[i64], decision: Decision) -> Authored {
    let chosen = || set.items.iter().filter(|item| items.contains(&item.i));
    let mut replaces: Vec<ChangeHash> = chosen().flat_map(|item| item.changes.clone()).collect();
    replaces.sort_unstable();
    replaces.dedup();
    Authored {
        replaces,
        replay: true,
        label: decision.by.is_none().then(|| LATE_LABEL.to_owned()),
        decision: Some(decision),
        ..Authored::edit(set.contact, chosen().flat_map(|item| item.commands.clone()).collect())
    }
}

impl Merger {
    /// Prepares the next thing that is to be done by itself about late edits of a contact. `conn` must
    /// be in a read transaction.
    ///
    /// # Errors
    /// What the database says, and [`EngineError::Damaged`].
    pub(super) fn late(
        &mut self,
        conn: &Connection,
        key: Key,
        actor: Actor,
        now: UnixMs,
    ) -> Result<Option<Prepared>> {
        if contacts::find(conn, key.0, key.1)?.is_some_and(|contact| contact.adopting > 0) {
            // Its document is to be another.
            return Ok(None);
        }
        if let Some(n) = proposals::next_new(conn, key.0, key.1)? {
            return self.take_apart(conn, key, n, now);
        }
        let Some((n, i, by)) = proposals::next_due(conn, key.0, key.1)? else { return Ok(None) };
        let Some(set) = proposals::find(conn, key.0, n)? else { return Ok(None) };
        let to = ItemState::Accepted;
        let decision =
            Decision { proposal: n, items: vec![i], to, by: None, reason: None, as_owner: false };
        let item = accepting(&set, &[i], decision);
        let author = ServerAuthor { actor, by, now };
        let mut prepared = match self.author(conn, key.0, author, &item)? {
            Authoring::Prepared { prepared, .. } => *prepared,
            Authoring::Unchanged => return Ok(None),
            Authoring::Refused(error) => {
                // A person decides, and sees why.
                let mut prepared = Prepared::nothing(key, contacts::find(conn, key.0, key.1)?, now);
                prepared.decision = Some(Decision {
                    proposal: n,
                    items: vec![i],
                    to: ItemState::Open,
                    by: None,
                    reason: Some(error.to_string()),
                    as_owner: false,
                });
                prepared
            }
        };
        prepared.more = true;
        Ok(Some(prepared))
    }

    fn take_apart(
        &mut self,
        conn: &Connection,
        key: Key,
        n: i64,
        now: UnixMs,
    ) -> Result<Option<Prepared>> {
        let contact = contacts::find(conn, key.0, key.1)?;
        let mut prepared = Prepared::nothing(key, contact, now);
        let known = match &prepared.contact {
            Some(contact) if contact.erased_at.is_some() => return Ok(None),
            Some(contact) => Some(contact.clone()),
            None => None,
        };
        let base = match &known {
            Some(contact) => self.base(conn, key, contact)?,
            None => document::new_document(),
        };
        let raw = proposals::raw(conn, n)?;
        let below = set_aside_below(conn, key, &base, &raw)?;
        // They may stand on a document that was begun anew since.
        let olds = match prepared.contact.as_ref().is_some_and(|contact| contact.generation > 1) {
            true => generations::kept(conn, key)?
                .iter()
                .filter_map(|b| documents::load(b).ok())
                .collect(),
            false => Vec::new(),
        };
        let mut taken = self.read_late(&base, &olds, n, &raw, below)?;
        // Where nothing is merged there is nothing that a visit could be added to.
        taken.at_once = known.is_some_and(|contact| contact.cursor > 0);
        self.put_back_doc(&prepared, base);
        prepared.taken_apart = Some(taken);
        prepared.more = true;
        Ok(Some(prepared))
    }

    /// What the new ones among these changes would do to the contact, found on a copy of it that also
    /// has what they stand on. What can't be together with the contact, because a twin of it from a
    /// copied replica is part of that, is read on the contact as its author had it.
    fn read_late(
        &self,
        base: &Automerge,
        olds: &[Automerge],
        n: i64,
        raw: &[RawProposed],
        mut below: Vec<Incoming>,
    ) -> Result<TakenApart> {
        let new: Vec<ChangeHash> =
            raw.iter().filter(|raw| !raw.taken).map(|raw| raw.hash).collect();
        below.extend(raw.iter().map(|raw| Incoming { hash: raw.hash, bytes: raw.bytes.clone() }));
        let (mut items, refused) = self.read_on(base, n, &new, &below)?;
        let mut unread = not_shown(&new, &items);
        for base in std::iter::once(base).chain(olds) {
            if unread.is_empty() {
                break;
            }
            let lineage = lineage(&unread, below.clone());
            if let Ok(seen) = base.fork_at(&standing_on(base, &lineage)) {
                items.extend(self.read_on(&seen, n, &unread, &lineage)?.0);
                unread = not_shown(&unread, &items);
            }
        }
        let mut reasons = Vec::new();
        for hash in unread {
            let refused = refused.iter().find(|(refused, _)| *refused == hash);
            let reason = match refused {
                Some((_, error)) => error.to_string(),
                None => "it changes nothing that this version can show".to_owned(),
            };
            reasons.push((hash, reason));
            items.push(unreadable(hash));
        }
        Ok(TakenApart { proposal: n, hashes: new, items, at_once: true, reasons })
    }

    /// What `wanted` would do to a document, with those of `changes` that go into it; and those that
    /// don't.
    fn read_on(
        &self,
        doc: &Automerge,
        n: i64,
        wanted: &[ChangeHash],
        changes: &[Incoming],
    ) -> Result<(Vec<ProposedItem>, Refusals)> {
        let mut incoming =
            missing_bootstraps(doc, changes.iter().map(|change| change.bytes.as_slice()));
        incoming.extend(changes.iter().cloned());
        let outcome = guard::merge(doc, incoming, &self.limits)
            .map_err(|error| EngineError::damaged(format!("the contact of proposal {n}"), error))?;
        Ok((document::proposed(&outcome.doc, wanted), outcome.refused))
    }
}

/// What late changes stand on and the contact does not have, as far as it came: it was set aside itself,
/// because its edit is part of the contact in another way or because its replica was copied.
fn set_aside_below(
    conn: &Connection,
    (workspace, contact): Key,
    base: &Automerge,
    raw: &[RawProposed],
) -> Result<Vec<Incoming>> {
    let mut seen: HashSet<ChangeHash> = raw.iter().map(|raw| raw.hash).collect();
    let mut due: Vec<ChangeHash> = raw.iter().flat_map(|raw| dependencies(&raw.bytes)).collect();
    let mut found = Vec::new();
    while let Some(hash) = due.pop() {
        if !seen.insert(hash) || base.get_change_meta_by_hash(&hash).is_some() {
            continue;
        }
        let Some((_, seq)) = changes::find(conn, workspace, contact, &hash)? else { continue };
        let Some(bytes) = changes::bytes(conn, workspace, seq)? else { continue };
        due.extend(dependencies(&bytes));
        found.push(Incoming { hash, bytes });
        if found.len() == SET_ASIDE_BELOW_MAX {
            break;
        }
    }
    Ok(found)
}

fn dependencies(bytes: &[u8]) -> Vec<ChangeHash> {
    guard::peek_change(bytes).map(|(_, dependencies)| dependencies).unwrap_or_default()
}

/// Those of `wanted` of which no item tells.
fn not_shown(wanted: &[ChangeHash], items: &[ProposedItem]) -> Vec<ChangeHash> {
    let shown: HashSet<&ChangeHash> = items.iter().flat_map(|item| &item.changes).collect();
    wanted.iter().filter(|hash| !shown.contains(hash)).copied().collect()
}

/// Those of `changes` that are among `wanted` or below them.
fn lineage(wanted: &[ChangeHash], changes: Vec<Incoming>) -> Vec<Incoming> {
    let by_hash: HashMap<ChangeHash, Incoming> =
        changes.into_iter().map(|change| (change.hash, change)).collect();
    let mut due = wanted.to_vec();
    let mut seen = HashSet::new();
    let mut lineage = Vec::new();
    while let Some(hash) = due.pop() {
        let Some(change) = by_hash.get(&hash).filter(|_| seen.insert(hash)) else { continue };
        due.extend(dependencies(&change.bytes));
        lineage.push(change.clone());
    }
    lineage
}

/// The changes of a document that others stand on directly.
fn standing_on(doc: &Automerge, changes: &[Incoming]) -> Vec<ChangeHash> {
    let all = changes.iter().flat_map(|change| dependencies(&change.bytes));
    let mut there: Vec<ChangeHash> =
        all.filter(|hash| doc.get_change_meta_by_hash(hash).is_some()).collect();
    there.sort_unstable();
    there.dedup();
    there
}

/// Stands for a change that can't be taken apart: it is listed and exported, never dropped.
fn unreadable(hash: ChangeHash) -> ProposedItem {
    ProposedItem {
        path: String::new(),
        kind: ProposedKind::Unreadable,
        base: serde_json::Value::Null,
        proposed: serde_json::Value::Null,
        commands: Vec::new(),
        changes: vec![hash],
        at: 0,
    }
}
