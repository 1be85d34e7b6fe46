//! How a change is judged inside the log's transaction, and what is written of it.
//!
//! Rights are read from rows of that transaction (rule 7); every change gets one fate (rule 8). What
//! was read is remembered for the rest of the transaction.

use std::collections::{HashMap, HashSet};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::bootstraps;
use roadbook_protocol::guard::Admitted;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::{ChangeFate, Fate};
use rusqlite::Transaction;

use super::replay;
use super::types::{Claim, SealedBy};
use super::vouch::Regained;
use super::waiting::WaitingRoom;
use crate::rights;
use crate::store::changes::NewChange;
use crate::store::devices::ActorOwner;
use crate::store::people::Role;
use crate::store::{
    EngineError, Result, changes, contacts, devices, drops, generations, people, proposals,
};
use marks::{judge_mark, mark};

mod marks;
mod may;

/// What one transaction has learned and done. Thrown away if it does not commit.
#[derive(Debug)]
pub struct Stage {
    pub(super) now: UnixMs,
    pub(super) room: WaitingRoom,
    contacts: HashMap<(WorkspaceId, ContactId), Known>,
    pub(super) access: HashMap<(WorkspaceId, ContactId, UserId), bool>,
    roles: HashMap<(WorkspaceId, UserId), Role>,
    actors: HashMap<(WorkspaceId, Actor), Option<ActorOwner>>,
    fates: HashMap<(WorkspaceId, ContactId, ChangeHash), Fate>,
    pub(super) to_merge: HashSet<(WorkspaceId, ContactId)>,
    pub(super) settled: HashMap<(WorkspaceId, DeviceId), Vec<ChangeFate>>,
    /// What evidence says of contacts that are not here (rule 3).
    pub(super) claims: HashMap<(WorkspaceId, ContactId), Claim>,
    /// Rights that evidence brought back.
    pub(super) regained: Vec<Regained>,
    /// Workspaces in which late edits were taken as proposals.
    pub(super) proposed: HashSet<WorkspaceId>,
    /// Workspaces whose managers are told of something.
    pub(super) alerted: HashSet<WorkspaceId>,
    pub(super) stored: u64,
    pub(super) set_aside: u64,
}

/// A contact as far as the log needs it.
#[derive(Debug, Clone)]
enum Known {
    Absent,
    Erased,
    Present { epoch: u64, heads: Vec<ChangeHash>, generation: u64, adopting: u64 },
}

/// Who sent a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    pub workspace: WorkspaceId,
    pub device: DeviceId,
    pub user: UserId,
    /// The device that is recorded as the change's origin.
    pub origin: Option<DeviceId>,
    /// Verified evidence says that the change was merged here once (rule 3): neither actor nor author
    /// have to be the device's.
    pub vouched: bool,
    /// Whether it came sealed.
    pub sealed: SealedBy,
}

impl Sender {
    /// A device that sends its own changes.
    pub(super) fn of(workspace: WorkspaceId, device: DeviceId, user: UserId) -> Self {
        Self {
            workspace,
            device,
            user,
            origin: Some(device),
            vouched: false,
            sealed: SealedBy::Nobody,
        }
    }
}

/// How a change was judged.
pub(super) enum Verdict {
    /// To be stored, by this epoch.
    Ordinary { epoch: u64 },
    /// To be kept and never merged: quarantined, proposed, forked or replaced.
    Aside { fate: Fate, code: &'static str, reason: String },
    /// Not to be kept: erased.
    Erased,
    /// To wait for these.
    Wait { missing: Vec<ChangeHash> },
}

/// Refuses a device that is revoked or whose user is disabled or another.
pub(super) fn admit_sender(tx: &Transaction<'_>, sender: Sender) -> Result<()> {
    let refused = |code, reason| Err(EngineError::Refused { code, reason });
    let Some(device) = devices::find_device(tx, sender.workspace, sender.device)? else {
        return refused(
            "unauthorized",
            format!("device {} is not known here; enrol it", sender.device),
        );
    };
    if !rights::admits(device.revoked_at.is_some(), false) && !sender.sealed.is_sealed() {
        return refused(
            "revoked",
            format!("device {} was revoked; ask your administrator", sender.device),
        );
    }
    if device.user != sender.user {
        return refused(
            "unauthorized",
            format!("device {} belongs to another user", sender.device),
        );
    }
    let disabled = people::user(tx, sender.workspace, sender.user)?.disabled_at.is_some();
    if !rights::admits(false, disabled) && !sender.sealed.is_sealed() {
        return refused(
            "user_disabled",
            "your user is disabled; ask your administrator".to_owned(),
        );
    }
    Ok(())
}

impl Stage {
    pub(super) fn new(now: UnixMs, room: WaitingRoom) -> Self {
        Stage {
            now,
            room,
            contacts: HashMap::new(),
            access: HashMap::new(),
            roles: HashMap::new(),
            actors: HashMap::new(),
            fates: HashMap::new(),
            to_merge: HashSet::new(),
            settled: HashMap::new(),
            claims: HashMap::new(),
            regained: Vec::new(),
            proposed: HashSet::new(),
            alerted: HashSet::new(),
            stored: 0,
            set_aside: 0,
        }
    }

    pub(super) fn judge(
        &mut self,
        tx: &Transaction<'_>,
        sender: Sender,
        contact: ContactId,
        admitted: &Admitted,
    ) -> Result<Verdict> {
        let aside = |fate, code, reason| Ok(Verdict::Aside { fate, code, reason });
        let known = self.contact(tx, sender.workspace, contact)?.clone();
        if matches!(known, Known::Erased) {
            return Ok(Verdict::Erased);
        }
        if !sender.vouched && !self.owns_actor(tx, sender, admitted.actor)? {
            return aside(
                Fate::Quarantined,
                changes::ACTOR_TAKEN,
                format!(
                    "the actor {} belongs to another device; make the edit again under a new one",
                    admitted.actor
                ),
            );
        }
        if !sender.vouched
            && let Some(message) = &admitted.message
            && message.by != sender.user
        {
            return aside(
                Fate::Quarantined,
                "author",
                "the change says that another user made it; only one's own edits are taken"
                    .to_owned(),
            );
        }
        // Of a revoked device everything waits for a decision anyway.
        let judged = !sender.vouched && sender.sealed != SealedBy::Revoked;
        if judged && self.only_reads(tx, sender)? {
            return aside(
                Fate::Quarantined,
                "read_only",
                "your role may read and not write; ask your manager, the edit is kept".to_owned(),
            );
        }
        let mut late = match self.right(tx, sender, contact, &known)? {
            Right::Ordinary => false,
            Right::Late => true,
            Right::None => {
                return aside(
                    Fate::Quarantined,
                    "not_yours",
                    format!(
                        "contact {contact} is not assigned to you; ask your manager, the edit is kept"
                    ),
                );
            }
        };
        let generation = self.generation_of(tx, sender.workspace, contact, admitted)?;
        if changes::is_forked(
            tx,
            sender.workspace,
            contact,
            admitted.actor,
            admitted.seq,
            (&admitted.hash, generation),
        )? {
            return aside(
                Fate::Forked,
                "forked",
                "another change has this actor and number: the replica was copied; make the edit again under a new actor".to_owned(),
            );
        }
        if let Some(mark) = mark(admitted)
            && let Some(refused) = judge_mark(sender, contact, &known, mark.number)
        {
            return Ok(refused);
        }
        // Before what it stands on: where a device authored a row of edits anew that all are part of
        // the contact already, each hears so, and not that it stands on another such.
        if let Some(verdict) = self.judge_replacement(tx, sender, contact, admitted)? {
            return Ok(verdict);
        }
        match self.judge_dependencies(tx, sender.workspace, contact, &known, &admitted.deps)? {
            Dependencies::Good => {}
            // Nobody is there any more to bring what is missing.
            Dependencies::Missing(_) if sender.sealed.is_sealed() => late = true,
            Dependencies::Missing(missing) => return Ok(Verdict::Wait { missing }),
            // The device has no document any more on which it could author the edit anew.
            Dependencies::Bad { fate: Fate::Proposed | Fate::Replaced | Fate::Forked, .. }
                if late || sender.sealed.is_sealed() =>
            {
                late = true;
            }
            Dependencies::Older { .. } if late || sender.sealed.is_sealed() => late = true,
            Dependencies::Older { hash } => {
                return aside(
                    Fate::Replaced,
                    "dependency",
                    format!(
                        "it was made on top of change {hash}; the document of contact {contact} was begun anew since, \
                         and the edit is made again on that"
                    ),
                );
            }
            Dependencies::Bad { hash, fate } => {
                return aside(
                    fate,
                    "dependency",
                    format!("it was made on top of change {hash}, which is {}", fate.as_str()),
                );
            }
        }
        if late {
            return aside(Fate::Proposed, "late", proposals::late_reason(contact));
        }
        self.replace(tx, sender.workspace, contact, admitted)?;
        Ok(Verdict::Ordinary {
            epoch: match known {
                Known::Present { epoch, .. } => epoch,
                _ => 1,
            },
        })
    }

    /// Rule 18: who may still write is read from the stored order of rights.
    fn right(
        &mut self,
        tx: &Transaction<'_>,
        sender: Sender,
        contact: ContactId,
        known: &Known,
    ) -> Result<Right> {
        if sender.vouched {
            return Ok(Right::Ordinary);
        }
        let of_holder = match sender.sealed {
            SealedBy::Revoked => Right::Late,
            SealedBy::Lost | SealedBy::Nobody => Right::Ordinary,
        };
        if !matches!(known, Known::Present { .. }) {
            return Ok(of_holder);
        }
        if self.may_write(tx, sender, contact)? {
            return Ok(of_holder);
        }
        // Until the device has confirmed that it dropped the contact.
        let late = drops::may_hold(tx, sender.workspace, contact, sender.device)?;
        Ok(if late { Right::Late } else { Right::None })
    }

    fn judge_dependencies(
        &mut self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        contact: ContactId,
        known: &Known,
        deps: &[ChangeHash],
    ) -> Result<Dependencies> {
        let mut missing = Vec::new();
        for dep in deps {
            if bootstraps().iter().any(|bootstrap| bootstrap.hash == *dep)
                || matches!(known, Known::Present { heads, .. } if heads.contains(dep))
            {
                continue;
            }
            let fate = match self.fates.get(&(workspace, contact, *dep)) {
                Some(fate) => Some(*fate),
                None => changes::find(tx, workspace, contact, dep)?.map(|found| found.0),
            };
            let older = match known {
                Known::Present { generation, .. } if *generation > 1 && fate.is_some() => {
                    let found = generations::of_change(tx, (workspace, contact), dep)?;
                    found.is_some_and(|found| found < *generation)
                }
                _ => false,
            };
            match fate {
                Some(Fate::Stored | Fate::Merged) if older => {
                    return Ok(Dependencies::Older { hash: *dep });
                }
                Some(Fate::Stored | Fate::Merged) => {}
                Some(fate) => return Ok(Dependencies::Bad { hash: *dep, fate }),
                None => missing.push(*dep),
            }
        }
        Ok(if missing.is_empty() { Dependencies::Good } else { Dependencies::Missing(missing) })
    }

    /// Rule 8: of all changes that carry one edit at most one is ever merged: neither a change and its
    /// replacement, nor two replacements of one change; and at most one waits for a decision. Those come of copies, and of one replica that
    /// was put back to an older state: each authors the edit anew and knows nothing of the others.
    fn judge_replacement(
        &self,
        tx: &Transaction<'_>,
        sender: Sender,
        contact: ContactId,
        admitted: &Admitted,
    ) -> Result<Option<Verdict>> {
        let (workspace, user) = (sender.workspace, sender.user);
        let replaced =
            |code, reason| Ok(Some(Verdict::Aside { fate: Fate::Replaced, code, reason }));
        if let Some(by) = changes::replacement_of(tx, workspace, contact, &admitted.hash, user)? {
            return replaced(
                "replaced",
                format!("change {by} carries the same edit and came first"),
            );
        }
        let originals = replaces(admitted);
        for hash in originals {
            let Some((fate, seq)) = changes::find(tx, workspace, contact, hash)? else { continue };
            let own = sender.vouched
                || changes::sender(tx, seq)?.is_none_or(|(user, _)| user == sender.user);
            if !own {
                return Ok(Some(Verdict::Aside {
                    fate: Fate::Quarantined,
                    code: "replaces_foreign",
                    reason: format!("it would replace change {hash}, which another user made"),
                }));
            }
            if fate == Fate::Merged {
                return replaced("original_merged", already(hash));
            }
            if fate == Fate::Proposed {
                return replaced("original_proposed", waits(hash));
            }
        }
        for hash in originals {
            match changes::carrier_of(tx, workspace, contact, hash, user)? {
                // It knows that one and goes on from there.
                Some((by, Fate::Stored)) if originals.contains(&by) => {}
                // That one may still be refused; then this edit is needed. Who sent it asks again.
                Some((by, Fate::Stored)) => {
                    return replaced(
                        "replaced",
                        format!("change {by} carries the same edit and came first"),
                    );
                }
                Some((by, Fate::Proposed)) => return replaced("original_proposed", waits(&by)),
                Some((by, _)) => return replaced("original_merged", already(&by)),
                None => {}
            }
        }
        Ok(None)
    }

    /// What a change that is to be stored replaces is not merged any more.
    fn replace(
        &mut self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        contact: ContactId,
        admitted: &Admitted,
    ) -> Result<()> {
        for hash in replaces(admitted) {
            let Some((Fate::Stored, seq)) = changes::find(tx, workspace, contact, hash)? else {
                continue;
            };
            let reason = format!("change {} carries the same edit", admitted.hash);
            changes::settle(
                tx,
                (workspace, contact),
                seq,
                hash,
                Fate::Replaced,
                0,
                Some(("replaced", &reason)),
            )?;
            self.note_fate(workspace, contact, *hash, Fate::Replaced);
            if let Some((_, Some(device))) = changes::sender(tx, seq)? {
                self.settled.entry((workspace, device)).or_default().push(ChangeFate {
                    contact,
                    hash: *hash,
                    fate: Fate::Replaced,
                    code: "replaced".to_owned(),
                    reason,
                });
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one change with its surroundings")]
    pub(super) fn store(
        &mut self,
        tx: &Transaction<'_>,
        sender: Sender,
        contact: ContactId,
        admitted: &Admitted,
        bytes: &[u8],
        verdict: Verdict,
    ) -> Result<(Fate, &'static str, String)> {
        let workspace = sender.workspace;
        let (fate, code, reason, epoch) = match verdict {
            Verdict::Ordinary { epoch } => (Fate::Stored, "", String::new(), epoch),
            Verdict::Aside { fate, code, reason } => {
                (fate, code, reason, self.epoch(workspace, contact))
            }
            Verdict::Erased | Verdict::Wait { .. } => {
                return Ok((Fate::Unknown, "", String::new()));
            }
        };
        let stored = fate == Fate::Stored;
        if stored && matches!(self.contacts.get(&(workspace, contact)), Some(Known::Absent)) {
            let epoch = match sender.vouched {
                true => self.create_claimed(tx, sender, contact)?,
                false => {
                    contacts::create(tx, workspace, contact, Some(sender.user), 0, self.now)?;
                    self.access.insert((workspace, contact, sender.user), true);
                    match replay::settle_claim(tx, workspace, contact)? {
                        // It comes back after a restore, and was another's by then.
                        true => contacts::find(tx, workspace, contact)?.map_or(1, |c| c.epoch),
                        false => 1,
                    }
                }
            };
            let (heads, generation, adopting) = (Vec::new(), 1, 0);
            let known = Known::Present { epoch, heads, generation, adopting };
            self.contacts.insert((workspace, contact), known);
        }
        let generation = self.generation_of(tx, workspace, contact, admitted)?;
        if stored && let Some(mark) = mark(admitted) {
            self.note_begun(tx, workspace, contact, mark.number)?;
        }
        let replaces = replaces(admitted);
        let log_seq = changes::append(
            tx,
            &NewChange {
                workspace,
                contact,
                fate,
                fate_cursor: 0,
                actor: admitted.actor,
                actor_seq: admitted.seq,
                hash: admitted.hash,
                device: sender.origin,
                user: sender.user,
                received_at: self.now,
                epoch,
                verdict: match (stored, sender.vouched) {
                    (true, true) => "vouched",
                    (true, false) => "ordinary",
                    (false, _) => code,
                },
                code: (!stored).then_some(code),
                reason: (!stored).then_some(reason.as_str()),
                replaces,
                generation,
                bytes,
            },
        )?;
        // Of late copies of one edit at most one waits for a decision: accepting two would do it twice.
        if stored || fate == Fate::Proposed {
            for replaced in replaces {
                changes::add_replaced(
                    tx,
                    workspace,
                    contact,
                    replaced,
                    &admitted.hash,
                    sender.user,
                )?;
            }
        }
        if stored {
            if sender.vouched {
                self.note_gone(tx, workspace, contact, sender.user)?;
            }
            self.to_merge.insert((workspace, contact));
            self.stored += 1;
        } else {
            self.set_aside += 1;
        }
        if fate == Fate::Proposed {
            let whose = (sender.device, sender.user);
            proposals::add(tx, (workspace, contact), whose, &admitted.hash, log_seq, self.now)?;
            self.to_merge.insert((workspace, contact));
            self.proposed.insert(workspace);
        }
        self.note_fate(workspace, contact, admitted.hash, fate);
        Ok((fate, code, reason))
    }

    /// Judges what waits for a change of this contact, until none of it can be called in any more.
    pub(super) fn call_in(
        &mut self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        contact: ContactId,
    ) -> Result<()> {
        loop {
            let mut called = false;
            for waiting in self.room.of(workspace, contact).to_vec() {
                let sender = Sender::of(workspace, waiting.device, waiting.user);
                let verdict = self.judge(tx, sender, contact, &waiting.admitted)?;
                if matches!(verdict, Verdict::Wait { .. }) {
                    continue;
                }
                let (fate, code, reason) =
                    self.store(tx, sender, contact, &waiting.admitted, &waiting.bytes, verdict)?;
                let fate = if fate == Fate::Unknown { Fate::Erased } else { fate };
                self.room.remove(workspace, contact, &waiting.admitted.hash);
                self.settled.entry((workspace, waiting.device)).or_default().push(ChangeFate {
                    contact,
                    hash: waiting.admitted.hash,
                    fate,
                    code: code.to_owned(),
                    reason,
                });
                called = true;
            }
            if !called {
                return Ok(());
            }
        }
    }

    fn note_fate(
        &mut self,
        workspace: WorkspaceId,
        contact: ContactId,
        hash: ChangeHash,
        fate: Fate,
    ) {
        self.fates.insert((workspace, contact, hash), fate);
    }

    fn epoch(&self, workspace: WorkspaceId, contact: ContactId) -> u64 {
        match self.contacts.get(&(workspace, contact)) {
            Some(Known::Present { epoch, .. }) => *epoch,
            _ => 0,
        }
    }

    fn contact(
        &mut self,
        tx: &Transaction<'_>,
        workspace: WorkspaceId,
        contact: ContactId,
    ) -> Result<&Known> {
        use std::collections::hash_map::Entry;
        match self.contacts.entry((workspace, contact)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                Ok(entry.insert(match contacts::find(tx, workspace, contact)? {
                    None => Known::Absent,
                    Some(found) if found.erased_at.is_some() => Known::Erased,
                    Some(found) => Known::Present {
                        epoch: found.epoch,
                        heads: found.heads,
                        generation: found.generation,
                        adopting: found.adopting,
                    },
                }))
            }
        }
    }

    /// Forgets what was read of one contact: its rights were changed.
    pub(super) fn forget_contact(&mut self, workspace: WorkspaceId, contact: ContactId) {
        self.contacts.remove(&(workspace, contact));
        self.access.retain(|(w, c, _), _| (*w, *c) != (workspace, contact));
    }

    /// Forgets what was read of contacts and rights: another part of the same transaction may have
    /// changed them.
    pub fn forget_rows(&mut self) {
        self.contacts.clear();
        self.access.clear();
        self.roles.clear();
        self.actors.clear();
        self.fates.clear();
    }
}

/// What the stored order of rights says of an author (rule 18).
enum Right {
    /// Holds the contact now.
    Ordinary,
    /// Held it, and this device may not know yet that it was taken away.
    Late,
    /// Never held it, or has confirmed dropping it.
    None,
}

/// What a change says that it replaces.
fn replaces(admitted: &Admitted) -> &[ChangeHash] {
    admitted.message.as_ref().map(|message| message.replaces.as_slice()).unwrap_or_default()
}

fn already(by: &ChangeHash) -> String {
    format!("the edit is part of the contact already, as change {by}")
}

fn waits(by: &ChangeHash) -> String {
    format!("the edit waits for a decision already, as change {by}")
}

enum Dependencies {
    Good,
    /// A change of an older generation.
    Older {
        hash: ChangeHash,
    },
    Missing(Vec<ChangeHash>),
    Bad {
        hash: ChangeHash,
        fate: Fate,
    },
}
