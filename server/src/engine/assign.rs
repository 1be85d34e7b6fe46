//! Assignment: who owns a contact, who works on it too. That decides what a device gets.
//!
//! Granting and taking away take cursors of their own (rule 15), so that a contact assigned late, or
//! moved away and back, is never skipped by a device that is ahead of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use roadbook_protocol::ids::{ContactId, Cursor, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::Access;
use rusqlite::Transaction;
use serde_json::json;

use super::handle::Engine;
use super::types::{Assign, AssignReport, Event};
use crate::store::feed::{self, Happened, Holders, Kind};
use crate::store::{EngineError, Result, audit, contacts, ledger, people, projections, workspaces};

/// Contacts per transaction: others wait for it.
const CONTACTS_PER_TRANSACTION: usize = 500;

/// What one transaction of an assignment did.
#[derive(Debug, Default)]
pub(super) struct Done {
    report: AssignReport,
    pub(super) users: BTreeSet<UserId>,
    pub(super) cursor: Cursor,
    /// When; 0 where it is done again after a restore.
    at: UnixMs,
}

impl Done {
    /// Nothing yet, at this moment.
    pub(super) fn at(now: UnixMs) -> Self {
        Self { at: now, ..Self::default() }
    }

    /// Notes that a contact has another owner or other collaborators now.
    pub(super) fn note_changed(&mut self, contact: ContactId) {
        self.report.changed.push(contact);
    }

    /// The contacts that were noted.
    pub(super) fn changed(&self) -> Vec<ContactId> {
        self.report.changed.clone()
    }

    /// Their ids as text.
    pub(super) fn changed_ids(&self) -> Vec<String> {
        self.report.changed.iter().map(ToString::to_string).collect()
    }
}

impl Engine {
    /// Assigns contacts. Every change of owner is a new epoch. Durable, and in the audit log. Large
    /// lists take several transactions, each complete in itself. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] for a user, [`EngineError::Refused`] for a disabled one.
    pub fn assign(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        assign: Assign,
    ) -> Result<AssignReport> {
        let now = self.now_ms();
        let Assign { contacts, owner, add_collaborators, remove_collaborators } = assign;
        let wanted =
            Arc::new(Wanted { owner, add: add_collaborators, remove: remove_collaborators });
        let mut report = AssignReport::default();
        for part in contacts.chunks(CONTACTS_PER_TRANSACTION) {
            let (part, wanted) = (part.to_vec(), Arc::clone(&wanted));
            let done = self.write(move |tx| assign_part(tx, workspace, by, now, &part, &wanted))?;
            if !done.report.changed.is_empty() {
                self.publish(Event::Access {
                    workspace,
                    cursor: done.cursor,
                    users: done.users.into_iter().collect::<Vec<_>>().into(),
                    contacts: done.report.changed.clone().into(),
                });
            }
            report.changed.extend(done.report.changed);
            report.unchanged.extend(done.report.unchanged);
            report.unknown.extend(done.report.unknown);
        }
        Ok(report)
    }
}

/// What an assignment is to come to.
pub(super) struct Wanted {
    /// The owner, if that is to change.
    pub(super) owner: Option<Option<UserId>>,
    /// Collaborators to be added.
    pub(super) add: Vec<UserId>,
    /// Collaborators to be removed.
    pub(super) remove: Vec<UserId>,
}

fn assign_part(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    by: Option<UserId>,
    now: UnixMs,
    part: &[ContactId],
    wanted: &Wanted,
) -> Result<Done> {
    for user in wanted.owner.flatten().iter().chain(&wanted.add) {
        let user = people::user(tx, workspace, *user)?;
        if user.disabled_at.is_some() {
            return Err(EngineError::Refused {
                code: "user_disabled",
                reason: format!(
                    "user `{}` is disabled; enable it before assigning contacts to it",
                    user.login
                ),
            });
        }
    }
    let mut done = Done::at(now);
    for contact in part {
        match assign_one(tx, workspace, *contact, wanted, &mut done)? {
            Some(true) => done.report.changed.push(*contact),
            Some(false) => done.report.unchanged.push(*contact),
            None => done.report.unknown.push(*contact),
        }
    }
    if !done.report.changed.is_empty() {
        let subject = match done.report.changed.as_slice() {
            [one] => one.to_string(),
            many => format!("{} contacts", many.len()),
        };
        let ids = |users: &[UserId]| users.iter().map(ToString::to_string).collect::<Vec<_>>();
        let detail = json!({
            "contacts": done.report.changed.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "owner": wanted.owner.map(|owner| owner.map(|owner| owner.to_string())),
            "add_collaborators": ids(&wanted.add),
            "remove_collaborators": ids(&wanted.remove),
        });
        audit::append(tx, workspace, now, by, "contact.assign", &subject, &detail)?;
    }
    Ok(done)
}

/// `None` if there is no such contact, else whether anything changed.
pub(super) fn assign_one(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ContactId,
    wanted: &Wanted,
    done: &mut Done,
) -> Result<Option<bool>> {
    let Some(contact) =
        contacts::find(tx, workspace, id)?.filter(|found| found.erased_at.is_none())
    else {
        return Ok(None);
    };
    let before = contacts::accesses(tx, workspace, id)?;
    let held =
        |user: &UserId| before.iter().find(|(who, _)| who == user).map_or(Access::Removed, |a| a.1);
    let owner = wanted.owner.unwrap_or(contact.owner);
    let mut collaborators: BTreeSet<UserId> = before
        .iter()
        .filter(|(_, access)| *access == Access::Collaborator)
        .map(|(user, _)| *user)
        .collect();
    collaborators.extend(&wanted.add);
    collaborators.retain(|user| !wanted.remove.contains(user) && Some(*user) != owner);
    let new_access = |user: &UserId| match () {
        () if Some(*user) == owner => Access::Owner,
        () if collaborators.contains(user) => Access::Collaborator,
        () => Access::Removed,
    };
    let concerned: BTreeSet<UserId> = before
        .iter()
        .map(|(user, _)| *user)
        .chain(owner)
        .chain(collaborators.iter().copied())
        .collect();
    let moved: Vec<UserId> =
        concerned.into_iter().filter(|user| held(user) != new_access(user)).collect();
    if moved.is_empty() && owner == contact.owner {
        return Ok(Some(false));
    }
    let cursor = workspaces::assign_cursors(tx, workspace, 1)?;
    done.cursor = cursor;
    if owner != contact.owner {
        contacts::set_owner(tx, contact.n, owner)?;
        projections::refresh_owner(tx, contact.n)?;
    }
    for user in &moved {
        contacts::set_access(tx, workspace, id, *user, new_access(user), cursor)?;
    }
    contacts::set_assigned(tx, contact.n, cursor)?;
    let holders = Holders {
        from: contact.owner,
        to: owner,
        epoch: contact.epoch + u64::from(owner != contact.owner),
        before: before.iter().filter(|(_, held)| *held != Access::Removed).map(|a| a.0).collect(),
        after: owner.into_iter().chain(collaborators).collect(),
    };
    let happened =
        Happened { cursor, at: done.at, kind: Kind::Assigned, contact: id, holders: Some(holders) };
    feed::append(tx, workspace, &happened)?;
    ledger::note_assignment(tx, workspace, id)?;
    // Whoever goes on seeing it hears of the new owner.
    done.users.extend(contacts::raise_sort_cursor(tx, workspace, id, cursor)?);
    done.users.extend(moved);
    Ok(Some(true))
}
