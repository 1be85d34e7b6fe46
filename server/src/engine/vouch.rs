//! Rule 3: changes that verified evidence covers, and the rights that it tells of.
//!
//! Evidence was checked before it comes here: the workspace's own key said, in a server's past, that
//! the changes were merged and who held the contact. So the changes are taken as what they are. The
//! rights are taken only where this server has lost a part of its past and knows nothing newer.

use std::collections::BTreeSet;

use roadbook_protocol::guard::Admitted;
use roadbook_protocol::ids::{ContactId, Cursor, UserId, WorkspaceId};
use roadbook_protocol::wire::Access;
use rusqlite::Transaction;
use serde_json::json;

use super::assign::{Done, Wanted, assign_one};
use super::judge::{Sender, Stage};
use super::past;
use super::replay;
use super::types::Claim;
use crate::store::devices::{self, ActorOwner};
use crate::store::{EngineError, Result, audit, contacts, ledger, people, workspaces};

/// Rights to a contact that evidence brought back; told once the transaction is committed.
#[derive(Debug)]
pub struct Regained {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The contact.
    pub contact: ContactId,
    /// The cursor at which it happened.
    pub cursor: Cursor,
    /// Who is concerned.
    pub users: Vec<UserId>,
}

impl Stage {
    /// Whose a vouched change is: the author whom its message names, and the device to which its
    /// actor is registered, if this server knows.
    pub(super) fn author_of(
        &self,
        tx: &Transaction<'_>,
        presenter: Sender,
        admitted: &Admitted,
    ) -> Result<Sender> {
        let user = admitted.message.as_ref().map_or(presenter.user, |message| message.by);
        let origin = match devices::actor_owner(tx, presenter.workspace, admitted.actor)? {
            Some(ActorOwner::Device(device)) => Some(device),
            Some(ActorOwner::Server(_)) | None => None,
        };
        Ok(Sender { user, origin, vouched: true, ..presenter })
    }

    /// Takes in what evidence says of contacts: of one that is here at once, of one that is not with
    /// its first change.
    pub(super) fn take_claims(
        &mut self,
        tx: &Transaction<'_>,
        presenter: Sender,
        claims: &[Claim],
    ) -> Result<()> {
        for claim in claims {
            let workspace = presenter.workspace;
            match contacts::find(tx, workspace, claim.contact)? {
                None => drop(self.claims.insert((workspace, claim.contact), *claim)),
                Some(found) if found.erased_at.is_some() => {}
                Some(found) => {
                    self.regain(tx, presenter, &found, claim)?;
                    self.note_gone(tx, workspace, claim.contact, presenter.user)?;
                }
            }
        }
        Ok(())
    }

    /// Who brings evidence of a contact held it in the past that this server has lost, and so did whoever
    /// made a change that was merged then. Where no row says anything of them, because the contact came
    /// back with another device and as somebody else's, it was taken from them: their devices hear so
    /// (rule 15), and what they write until then is late and not a stranger's (rule 18).
    pub(super) fn note_gone(
        &mut self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        contact: ContactId,
        user: UserId,
    ) -> Result<()> {
        if contacts::access(tx, workspace, contact, user)?.is_some()
            || !devices::any(tx, workspace, user)?
        {
            return Ok(());
        }
        let cursor = workspaces::assign_cursors(tx, workspace, 1)?;
        contacts::set_access(tx, workspace, contact, user, Access::Removed, cursor)?;
        self.access.remove(&(workspace, contact, user));
        self.regained.push(Regained { workspace, contact, cursor, users: vec![user] });
        Ok(())
    }

    /// Gives back rights that were lost with a part of the past.
    fn regain(
        &mut self,
        tx: &Transaction<'_>,
        presenter: Sender,
        found: &contacts::Contact,
        claim: &Claim,
    ) -> Result<()> {
        let workspace = presenter.workspace;
        if !is_lost(tx, workspace, claim, found.assigned_cursor)? {
            return Ok(());
        }
        let new_epoch = claim.epoch > found.epoch;
        let held = contacts::access(tx, workspace, claim.contact, presenter.user)?;
        let joins = claim.access == Access::Collaborator
            && claim.epoch >= found.epoch
            && !matches!(held, Some(Access::Owner | Access::Collaborator));
        if !new_epoch && !joins {
            return Ok(());
        }
        let owner = match new_epoch {
            true => Some(known_user(tx, workspace, claim.owner)?),
            false => None,
        };
        let add = if joins { vec![presenter.user] } else { Vec::new() };
        let mut done = Done::at(self.now);
        assign_one(
            tx,
            workspace,
            claim.contact,
            &Wanted { owner, add, remove: Vec::new() },
            &mut done,
        )?;
        if new_epoch {
            contacts::raise_epoch(tx, found.n, claim.epoch)?;
            ledger::note_assignment(tx, workspace, claim.contact)?;
        }
        audit::append(
            tx,
            workspace,
            self.now,
            None,
            "contact.regain",
            &claim.contact.to_string(),
            &json!({
                "device": presenter.device.to_string(),
                "owner": owner.map(|owner| owner.map(|owner| owner.to_string())),
                "collaborator": joins.then(|| presenter.user.to_string()),
                "epoch": claim.epoch,
            }),
        )?;
        self.forget_contact(workspace, claim.contact);
        if done.cursor > 0 {
            let users: BTreeSet<UserId> = done.users;
            self.regained.push(Regained {
                workspace,
                contact: claim.contact,
                cursor: done.cursor,
                users: users.into_iter().collect(),
            });
        }
        Ok(())
    }

    /// Creates a contact that this server has lost, as the evidence tells it. Returns its epoch.
    pub(super) fn create_claimed(
        &mut self,
        tx: &Transaction<'_>,
        sender: Sender,
        contact: ContactId,
    ) -> Result<u64> {
        let workspace = sender.workspace;
        let presenter = devices::device(tx, workspace, sender.device)?.user;
        let claim = self.claims.remove(&(workspace, contact));
        let owner = known_user(tx, workspace, claim.and_then(|claim| claim.owner))?;
        let n = contacts::create(tx, workspace, contact, owner, 0, self.now)?;
        if let Some(claim) = claim {
            contacts::raise_epoch(tx, n, claim.epoch)?;
            if owner != Some(presenter) && claim.access == Access::Collaborator {
                contacts::set_access(tx, workspace, contact, presenter, Access::Collaborator, 0)?;
            }
        }
        // What the ledger says is newer than any evidence.
        replay::settle_claim(tx, workspace, contact)?;
        self.note_gone(tx, workspace, contact, presenter)?;
        self.access.retain(|(w, c, _), _| (*w, *c) != (workspace, contact));
        Ok(contacts::find(tx, workspace, contact)?.map_or(0, |found| found.epoch))
    }
}

/// Whether the claim tells of a past that this server has lost, and nobody has assigned the contact
/// since. Where even the timeline is not known, it began after the first part of the past that was
/// lost, and every assignment from there on may be newer: it stands. Where no such loss was noticed
/// (the data directory was copied back as a whole), one since this server's start does.
fn is_lost(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    claim: &Claim,
    assigned: Cursor,
) -> Result<bool> {
    Ok(match workspaces::timeline_last_cursor(tx, workspace, claim.timeline)? {
        Some(last) => claim.as_of > last && assigned <= last,
        None => match past::lost_before(tx, workspace)? {
            Some(first) => assigned < first,
            None => assigned < workspaces::newest_first_cursor(tx, workspace)?,
        },
    })
}

/// The user, if there is one of that id who may hold contacts.
fn known_user(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: Option<UserId>,
) -> Result<Option<UserId>> {
    let Some(user) = user else { return Ok(None) };
    match people::user(tx, workspace, user) {
        Ok(found) if found.disabled_at.is_none() => Ok(Some(user)),
        Ok(_) | Err(EngineError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
