//! Deciding about proposals: accept, decline, undo, in whole or in part.
//!
//! What is accepted is authored anew in the rep's name from the commands, in one transaction with the
//! decision; the raw changes keep their fate (rule 8). Nothing expires, and a decision can be taken back.

use std::sync::Arc;

use automerge::ChangeHash;
use roadbook_protocol::document::{self, Collection, Command, NotReplayed, ProposedKind};
use roadbook_protocol::ids::{ContactId, EntryId, UserId, WorkspaceId};
use serde::Serialize;

use super::handle::Engine;
use super::late;
use super::types::{AuthorOutcome, Authored, Event};
use crate::store::proposals::{self, Decision, ItemState, Proposal, Wanted};
use crate::store::{EngineError, Result, contacts};

/// What is to be done about items of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They become part of the contact.
    Accept,
    /// They don't; they are kept.
    Decline,
    /// An earlier decision is taken back: they wait again.
    Undo,
}

/// What came of a decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decided {
    /// The proposal as it is now.
    pub proposal: Proposal,
    /// What could not be taken as it was meant, and why.
    pub notes: Vec<String>,
}

/// Who decides, and by what right.
#[derive(Debug, Clone, Copy)]
struct Decider {
    user: UserId,
    /// Only as long as the contact is theirs.
    as_owner: bool,
}

impl Engine {
    /// Sets of late edits, those that changed last first. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn proposals(&self, workspace: WorkspaceId, wanted: Wanted) -> Result<Vec<Proposal>> {
        self.read(|conn| proposals::list(conn, workspace, wanted))
    }

    /// One set. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn proposal(&self, workspace: WorkspaceId, n: i64) -> Result<Proposal> {
        self.read(|conn| proposals::find(conn, workspace, n))?
            .ok_or_else(|| EngineError::not_found(format!("proposal {n}")))
    }

    /// Decides about a set, or about these items of it. Merged and durable when it returns. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for the set or an item, [`EngineError::Refused`] where it was decided
    /// already or an item can't be taken, [`EngineError::Command`] where nothing of what is to be
    /// undone can be, since it was changed meanwhile; where some can, the notes say what could not.
    pub fn decide(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        n: i64,
        items: Option<&[i64]>,
        verdict: Verdict,
    ) -> Result<Decided> {
        self.decide_by(workspace, Decider { user: by, as_owner: false }, n, items, verdict)
    }

    /// The same, by somebody who may decide only as the owner of the contact, whom it belongs to in the
    /// transaction of the decision (rule 7). Blocking.
    ///
    /// # Errors
    /// As [`Self::decide`]; one who is not the owner any more is told that it was decided meanwhile.
    pub fn decide_as_owner(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        n: i64,
        items: &[i64],
        verdict: Verdict,
    ) -> Result<Decided> {
        self.decide_by(workspace, Decider { user: by, as_owner: true }, n, Some(items), verdict)
    }

    fn decide_by(
        &self,
        workspace: WorkspaceId,
        by: Decider,
        n: i64,
        items: Option<&[i64]>,
        verdict: Verdict,
    ) -> Result<Decided> {
        let set = self.proposal(workspace, n)?;
        let chosen = choose(&set, items, verdict)?;
        let notes = match verdict {
            Verdict::Accept => self.accept(workspace, by, &set, chosen)?,
            Verdict::Decline => {
                let decision = decision(n, chosen, ItemState::Declined, by);
                self.write_decision(workspace, set.contact, decision)?;
                Vec::new()
            }
            Verdict::Undo => self.undo(workspace, by, &set, &chosen)?,
        };
        Ok(Decided { proposal: self.proposal(workspace, n)?, notes })
    }

    fn accept(
        &self,
        workspace: WorkspaceId,
        by: Decider,
        set: &Proposal,
        items: Vec<i64>,
    ) -> Result<Vec<String>> {
        let known = self.read(|conn| contacts::find(conn, workspace, set.contact))?;
        let removed = match &known {
            Some(_) => self.removed_entries(workspace, set, &items)?,
            None => Vec::new(),
        };
        let mut notes = Vec::new();
        for part in in_parts(set, &items) {
            let decision = decision(set.n, part.clone(), ItemState::Accepted, by);
            let mut edit = late::accepting(set, &part, decision);
            let restored = edit.commands.iter().filter_map(|command| restore(command, &removed));
            let restored: Vec<Command> = restored.collect();
            edit.commands.splice(..0, restored);
            if known.is_none() && notes.is_empty() && part.first() == items.first() {
                // Nobody owns it until it is assigned.
                edit = Authored { create_for: Some(None), ..edit };
            }
            notes.extend(told(self.author_one(workspace, set.author, edit)?));
        }
        Ok(notes)
    }

    /// The entries that these items make, and that are there and removed: they were taken before, and
    /// that was undone.
    fn removed_entries(
        &self,
        workspace: WorkspaceId,
        set: &Proposal,
        items: &[i64],
    ) -> Result<Vec<(Collection, EntryId)>> {
        let makes = |item: &&proposals::Item| {
            items.contains(&item.i)
                && item.base.is_null()
                && matches!(item.kind, ProposedKind::Entry | ProposedKind::Interaction)
                && item.version > 0
        };
        let mut made = set.items.iter().filter(makes).flat_map(|item| &item.commands).peekable();
        if made.peek().is_none() {
            return Ok(Vec::new());
        }
        let doc = self.document(workspace, set.contact)?;
        let contact = document::read_with_deleted(set.contact, &doc);
        let put = |command: &Command| match command {
            Command::Put { collection, id, .. } => Some((*collection, *id)),
            _ => None,
        };
        let is_removed = |(collection, id): &(Collection, EntryId)| {
            contact.entries(*collection).iter().any(|entry| entry.id == *id && entry.deleted)
        };
        Ok(made.filter_map(put).filter(is_removed).collect())
    }

    fn undo(
        &self,
        workspace: WorkspaceId,
        by: Decider,
        set: &Proposal,
        items: &[i64],
    ) -> Result<Vec<String>> {
        // What one change of the server brought is taken back together.
        let mut changes: Vec<ChangeHash> = Vec::new();
        let mut rest = Vec::new();
        for item in set.items.iter().filter(|item| items.contains(&item.i)) {
            match item.change.filter(|_| item.state == ItemState::Accepted) {
                Some(change) if changes.contains(&change) => {}
                Some(change) => changes.push(change),
                None => rest.push(item.i),
            }
        }
        let mut notes = Vec::new();
        let (mut undone, mut refused) = (!rest.is_empty(), None);
        for change in changes {
            let doc = self.document(workspace, set.contact)?;
            let commands = match document::inverse(&doc, change) {
                Ok(commands) => commands,
                // One that can't be taken back does not keep the others.
                Err(error) => {
                    notes.push(error.to_string());
                    refused = Some(error);
                    continue;
                }
            };
            undone = true;
            let with_it: Vec<i64> = set
                .items
                .iter()
                .filter(|item| item.change == Some(change))
                .map(|item| item.i)
                .collect();
            let decision = decision(set.n, with_it, ItemState::Open, by);
            let edit = Authored {
                decision: Some(decision),
                label: Some("undo".to_owned()),
                ..Authored::edit(set.contact, commands)
            };
            notes.extend(told(self.author_one(workspace, by.user, edit)?));
        }
        if let Some(error) = refused
            && !undone
        {
            return Err(error.into());
        }
        if !rest.is_empty() {
            let decision = decision(set.n, rest, ItemState::Open, by);
            self.write_decision(workspace, set.contact, decision)?;
        }
        Ok(notes)
    }

    fn author_one(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        edit: Authored,
    ) -> Result<Vec<NotReplayed>> {
        match self.author(workspace, by, vec![edit])?.pop() {
            Some(AuthorOutcome::Merged { not_replayed, .. }) => Ok(not_replayed),
            Some(AuthorOutcome::Unchanged) => Ok(Vec::new()),
            Some(AuthorOutcome::Refused(error)) => Err(error),
            None => Err(EngineError::Closed),
        }
    }

    /// Writes a decision that changes nothing in the contact.
    fn write_decision(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
        decision: Decision,
    ) -> Result<()> {
        let now = self.now_ms();
        let told = self.write(move |tx| {
            if !proposals::decide(tx, &decision, None, now)? {
                return Err(late::decided_already(decision.proposal));
            }
            late::record(tx, (workspace, contact), &decision, now)?;
            proposals::fates(tx, workspace, decision.proposal, &decision.items)
        })?;
        if let Some((device, fates)) = told {
            // No cursor was assigned: nothing of the contact has changed.
            self.publish(Event::Fates { workspace, device, cursor: 0, fates: Arc::from(fates) });
        }
        self.publish(Event::Proposals { workspace, contacts: [contact].into() });
        Ok(())
    }
}

fn decision(proposal: i64, items: Vec<i64>, to: ItemState, by: Decider) -> Decision {
    Decision { proposal, items, to, by: Some(by.user), reason: None, as_owner: by.as_owner }
}

/// What brings back the entry that a command writes, if it is among those that were removed.
fn restore(command: &Command, removed: &[(Collection, EntryId)]) -> Option<Command> {
    match command {
        Command::Put { collection, id, .. } if removed.contains(&(*collection, *id)) => {
            Some(Command::Restore { collection: *collection, id: *id })
        }
        _ => None,
    }
}

fn told(not_replayed: Vec<NotReplayed>) -> Vec<String> {
    not_replayed.into_iter().map(|not| not.reason).collect()
}

/// Items that one change of the server carries: all but those that stand for themselves.
fn in_parts(set: &Proposal, items: &[i64]) -> Vec<Vec<i64>> {
    let mut parts = Vec::new();
    let mut fields = Vec::new();
    for item in set.items.iter().filter(|item| items.contains(&item.i)) {
        match item.kind {
            // Each its own change, so that each can be taken back.
            ProposedKind::Entry | ProposedKind::Interaction | ProposedKind::Note => {
                parts.push(vec![item.i]);
            }
            _ => fields.push(item.i),
        }
    }
    if !fields.is_empty() {
        parts.insert(0, fields);
    }
    parts
}

/// The items that a verdict is about: those that were named, or all to which it applies.
fn choose(set: &Proposal, items: Option<&[i64]>, verdict: Verdict) -> Result<Vec<i64>> {
    let applies = |state: ItemState| match verdict {
        Verdict::Accept | Verdict::Decline => state == ItemState::Open,
        Verdict::Undo => matches!(state, ItemState::Accepted | ItemState::Declined),
    };
    let refused = |reason: String| Err(EngineError::Refused { code: "decided", reason });
    let chosen: Vec<&proposals::Item> = match items {
        Some(named) => {
            for i in named {
                match set.items.iter().find(|item| item.i == *i) {
                    None => {
                        return Err(EngineError::not_found(format!(
                            "item {i} of proposal {}",
                            set.n
                        )));
                    }
                    Some(item) if !applies(item.state) => {
                        return refused(format!(
                            "item {i} of proposal {} is {} already",
                            set.n,
                            item.state.as_str()
                        ));
                    }
                    Some(_) => {}
                }
            }
            set.items.iter().filter(|item| named.contains(&item.i)).collect()
        }
        None => set.items.iter().filter(|item| applies(item.state)).collect(),
    };
    if chosen.is_empty() {
        return refused(format!("nothing of proposal {} can be decided so now", set.n));
    }
    if verdict == Verdict::Accept
        && let Some(item) = chosen.iter().find(|item| item.kind == ProposedKind::Unreadable)
    {
        return refused(format!(
            "item {} of proposal {} can't be read ({}); decline it, its bytes are kept in the quarantine's export",
            item.i,
            set.n,
            item.reason.as_deref().unwrap_or("unknown reason")
        ));
    }
    Ok(chosen.into_iter().map(|item| item.i).collect())
}
