//! The log: what becomes of a change that arrives.
//!
//! [`Log::step`] judges everything that is queued against rows read in one transaction and commits
//! once (group commit). Rights are judged here and nowhere else (rule 7); no document is loaded. It
//! has no thread, clock or randomness: a simulator drives it as the server does.
//!
//! It must never acknowledge what is not committed, and never give a change two fates (rule 8).

use std::collections::{HashMap, HashSet};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::bootstraps;
use roadbook_protocol::guard::Admitted;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{Access, ChangeFate, Fate, Need};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::failpoint;
use super::types::{AppendRequest, Appended, Outcome};
use super::waiting::{WaitingChange, WaitingRoom};
use crate::store::changes::NewChange;
use crate::store::devices::ActorOwner;
use crate::store::{EngineError, Result, changes, contacts, devices, people};

/// The log's memory between steps: the waiting room.
#[derive(Debug)]
pub struct Log {
    limits: Limits,
    room: WaitingRoom,
}

/// What one transaction has learned and done. Thrown away if it does not commit.
#[derive(Debug)]
pub struct Stage {
    now: UnixMs,
    room: WaitingRoom,
    contacts: HashMap<(WorkspaceId, ContactId), Known>,
    access: HashMap<(WorkspaceId, ContactId, UserId), bool>,
    actors: HashMap<(WorkspaceId, Actor), Option<ActorOwner>>,
    fates: HashMap<(WorkspaceId, ContactId, ChangeHash), Fate>,
    to_merge: HashSet<(WorkspaceId, ContactId)>,
    settled: HashMap<(WorkspaceId, DeviceId), Vec<ChangeFate>>,
    stored: u64,
    set_aside: u64,
}

/// What a committed stage leaves to be done.
#[derive(Debug, Default)]
pub struct Committed {
    /// Contacts with changes to merge.
    pub to_merge: Vec<(WorkspaceId, ContactId)>,
    /// Fates of changes of earlier batches: what waited, and what was replaced.
    pub settled: Vec<(WorkspaceId, DeviceId, Vec<ChangeFate>)>,
    /// Changes that were taken as stored.
    pub stored: u64,
    /// Changes that were set aside.
    pub set_aside: u64,
}

/// What one step of the log came to.
#[derive(Debug)]
pub struct Step {
    /// One answer per request, in order.
    pub answers: Vec<Result<Appended>>,
    /// What is left to be done.
    pub committed: Committed,
}

/// A contact as far as the log needs it.
#[derive(Debug, Clone)]
enum Known {
    Absent,
    Erased,
    Present { epoch: u64, heads: Vec<ChangeHash> },
}

/// Who sent a change.
#[derive(Debug, Clone, Copy)]
struct Sender {
    workspace: WorkspaceId,
    device: DeviceId,
    user: UserId,
}

/// How a change was judged.
enum Verdict {
    /// To be stored, by this epoch.
    Ordinary { epoch: u64 },
    /// To be kept and never merged.
    Aside { fate: Fate, code: &'static str, reason: String },
    /// Not to be kept: erased.
    Erased,
    /// To wait for these.
    Wait { missing: Vec<ChangeHash> },
}

impl Log {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Self { limits, room: WaitingRoom::default() }
    }

    /// How many changes wait for a dependency.
    pub fn waiting(&self) -> usize {
        self.room.len()
    }

    /// Forgets what waits of a device that is gone.
    pub fn forget(&mut self, workspace: WorkspaceId, device: DeviceId) {
        self.room.forget(workspace, device);
    }

    /// Judges all requests and commits once.
    ///
    /// # Errors
    /// What the database says; nothing was done then. A request that is refused as a whole (its
    /// device is revoked) is an error among the answers and does not touch the others.
    pub fn step(
        &mut self,
        conn: &mut Connection,
        now: UnixMs,
        requests: Vec<AppendRequest>,
    ) -> Result<Step> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut stage = self.begin(now);
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.append(&tx, now, &mut stage, request)?);
        }
        failpoint("log_before_commit");
        tx.commit()?;
        failpoint("log_after_commit_before_ack");
        Ok(Step { answers, committed: self.committed(stage) })
    }

    /// Opens the stage of one transaction.
    pub fn begin(&self, now: UnixMs) -> Stage {
        let mut room = self.room.clone();
        if !room.is_empty() {
            room.expire(now, &self.limits);
        }
        Stage {
            now,
            room,
            contacts: HashMap::new(),
            access: HashMap::new(),
            actors: HashMap::new(),
            fates: HashMap::new(),
            to_merge: HashSet::new(),
            settled: HashMap::new(),
            stored: 0,
            set_aside: 0,
        }
    }

    /// Judges one request inside the transaction. The inner error refuses the request; the outer one
    /// is the database's, and the transaction must be rolled back.
    ///
    /// # Errors
    /// What the database says.
    pub fn append(
        &self,
        tx: &Transaction<'_>,
        now: UnixMs,
        stage: &mut Stage,
        request: AppendRequest,
    ) -> Result<Result<Appended>> {
        let AppendRequest { workspace, device, user, batch, changes } = request;
        let sender = Sender { workspace, device, user };
        if let Err(refused) = admit_sender(tx, sender) {
            return match refused {
                EngineError::Refused { .. } => Ok(Err(refused)),
                other => Err(other),
            };
        }
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut need: HashMap<ContactId, HashSet<ChangeHash>> = HashMap::new();
        for (contact, admitted, bytes) in changes {
            let outcome = self.take(tx, now, stage, sender, contact, admitted, bytes, &mut need)?;
            outcomes.push(outcome);
        }
        let need = need
            .into_iter()
            .map(|(contact, hashes)| Need {
                contact,
                hashes: stage.room.not_waiting(workspace, contact, hashes),
            })
            .filter(|need| !need.hashes.is_empty())
            .collect();
        Ok(Ok(Appended { batch, outcomes, need }))
    }

    /// Keeps what the stage did, now that its transaction is committed.
    pub fn committed(&mut self, stage: Stage) -> Committed {
        self.room = stage.room;
        Committed {
            to_merge: stage.to_merge.into_iter().collect(),
            settled: stage.settled.into_iter().map(|((w, d), fates)| (w, d, fates)).collect(),
            stored: stage.stored,
            set_aside: stage.set_aside,
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one change with its surroundings")]
    fn take(
        &self,
        tx: &Transaction<'_>,
        now: UnixMs,
        stage: &mut Stage,
        sender: Sender,
        contact: ContactId,
        admitted: Admitted,
        bytes: Vec<u8>,
        need: &mut HashMap<ContactId, HashSet<ChangeHash>>,
    ) -> Result<Outcome> {
        let hash = admitted.hash;
        let outcome = |fate, duplicate, code: &str, reason: String| {
            Ok(Outcome { contact, hash, fate, duplicate, code: code.to_owned(), reason })
        };
        if admitted.bootstrap {
            // Built in: every document starts with it.
            return outcome(Fate::Merged, true, "", String::new());
        }
        if let Some((fate, seq)) = changes::find(tx, sender.workspace, contact, &hash)? {
            let (code, reason) = match fate {
                Fate::Stored | Fate::Merged => Default::default(),
                _ => changes::reason(tx, seq)?.unwrap_or_default(),
            };
            return outcome(fate, true, &code, reason);
        }
        match stage.judge(tx, sender, contact, &admitted)? {
            Verdict::Erased => outcome(
                Fate::Erased,
                false,
                "erased",
                format!("contact {contact} was erased; nothing about it is kept"),
            ),
            Verdict::Wait { missing } => {
                let asked = need.entry(contact).or_default();
                asked.extend(missing);
                if stage.room.contains(sender.workspace, contact, &hash) {
                    return outcome(Fate::Waiting, true, "waiting", WAITING.to_owned());
                }
                let waiting = WaitingChange {
                    workspace: sender.workspace,
                    contact,
                    device: sender.device,
                    user: sender.user,
                    admitted,
                    bytes,
                    since: now,
                };
                match stage.room.admit(waiting, &self.limits) {
                    true => outcome(Fate::Waiting, false, "waiting", WAITING.to_owned()),
                    false => outcome(Fate::Waiting, false, "waiting_full", WAITING_FULL.to_owned()),
                }
            }
            verdict => {
                let (fate, code, reason) =
                    stage.store(tx, now, sender, contact, &admitted, &bytes, verdict)?;
                if !stage.room.is_empty() {
                    stage.call_in(tx, now, sender.workspace, contact)?;
                }
                outcome(fate, false, code, reason)
            }
        }
    }
}

const WAITING: &str = "it depends on changes that have not arrived; send those first";
const WAITING_FULL: &str = "it depends on changes that have not arrived, and too many wait already; send those first and this one again";

/// Refuses a device that is revoked or whose user is disabled or another.
fn admit_sender(tx: &Transaction<'_>, sender: Sender) -> Result<()> {
    let refused = |code, reason| Err(EngineError::Refused { code, reason });
    let Some(device) = devices::find_device(tx, sender.workspace, sender.device)? else {
        return refused("unauthorized", format!("device {} is not known here; enrol it", sender.device));
    };
    if device.revoked_at.is_some() {
        return refused("revoked", format!("device {} was revoked; ask your administrator", sender.device));
    }
    if device.user != sender.user {
        return refused("unauthorized", format!("device {} belongs to another user", sender.device));
    }
    if people::user(tx, sender.workspace, sender.user)?.disabled_at.is_some() {
        return refused("user_disabled", "your user is disabled; ask your administrator".to_owned());
    }
    Ok(())
}

impl Stage {
    fn judge(
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
        if !self.owns_actor(tx, sender, admitted.actor)? {
            return aside(
                Fate::Quarantined,
                "actor_taken",
                format!("the actor {} belongs to another device; make the edit again under a new one", admitted.actor),
            );
        }
        if let Some(message) = &admitted.message
            && message.by != sender.user
        {
            return aside(
                Fate::Quarantined,
                "author",
                "the change says that another user made it; only one's own edits are taken".to_owned(),
            );
        }
        if let Known::Present { .. } = &known
            && !self.may_write(tx, sender, contact)?
        {
            // Late edits of an earlier owner become proposals here (rules 18 and 19).
            return aside(
                Fate::Quarantined,
                "not_yours",
                format!("contact {contact} is not assigned to you; ask your manager, the edit is kept"),
            );
        }
        if changes::is_forked(tx, sender.workspace, contact, admitted.actor, admitted.seq, &admitted.hash)? {
            return aside(
                Fate::Forked,
                "forked",
                "another change has this actor and number: the replica was copied; make the edit again under a new actor".to_owned(),
            );
        }
        match self.judge_dependencies(tx, sender.workspace, contact, &known, &admitted.deps)? {
            Dependencies::Good => {}
            Dependencies::Missing(missing) => return Ok(Verdict::Wait { missing }),
            Dependencies::Bad { hash, fate } => {
                return aside(
                    fate,
                    "dependency",
                    format!("it was made on top of change {hash}, which is {}", fate.as_str()),
                );
            }
        }
        if let Some(verdict) = self.judge_replacement(tx, sender, contact, admitted)? {
            return Ok(verdict);
        }
        Ok(Verdict::Ordinary {
            epoch: match known {
                Known::Present { epoch, .. } => epoch,
                _ => 1,
            },
        })
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
            match fate {
                Some(Fate::Stored | Fate::Merged) => {}
                Some(fate) => return Ok(Dependencies::Bad { hash: *dep, fate }),
                None => missing.push(*dep),
            }
        }
        Ok(if missing.is_empty() { Dependencies::Good } else { Dependencies::Missing(missing) })
    }

    /// Rule 8: of a change and its replacement at most one is ever merged.
    fn judge_replacement(
        &mut self,
        tx: &Transaction<'_>,
        sender: Sender,
        contact: ContactId,
        admitted: &Admitted,
    ) -> Result<Option<Verdict>> {
        let workspace = sender.workspace;
        if let Some(by) = changes::replacement_of(tx, workspace, contact, &admitted.hash, sender.user)? {
            return Ok(Some(Verdict::Aside {
                fate: Fate::Replaced,
                code: "replaced",
                reason: format!("change {by} carries the same edit and came first"),
            }));
        }
        let replaces = admitted.message.as_ref().map(|message| message.replaces.as_slice()).unwrap_or_default();
        let mut to_replace = Vec::new();
        for hash in replaces {
            let Some((fate, seq)) = changes::find(tx, workspace, contact, hash)? else { continue };
            let own = changes::sender(tx, seq)?.is_none_or(|(user, _)| user == sender.user);
            if !own {
                return Ok(Some(Verdict::Aside {
                    fate: Fate::Quarantined,
                    code: "replaces_foreign",
                    reason: format!("it would replace change {hash}, which another user made"),
                }));
            }
            match fate {
                Fate::Merged => {
                    return Ok(Some(Verdict::Aside {
                        fate: Fate::Replaced,
                        code: "original_merged",
                        reason: format!("the edit is part of the contact already, as change {hash}"),
                    }));
                }
                Fate::Stored => to_replace.push((*hash, seq)),
                _ => {}
            }
        }
        for (hash, seq) in to_replace {
            let reason = format!("change {} carries the same edit", admitted.hash);
            changes::settle(tx, workspace, contact, seq, &hash, Fate::Replaced, 0, Some(("replaced", &reason)))?;
            self.note_fate(workspace, contact, hash, Fate::Replaced);
            if let Some((_, Some(device))) = changes::sender(tx, seq)? {
                self.settled.entry((workspace, device)).or_default().push(ChangeFate {
                    contact,
                    hash,
                    fate: Fate::Replaced,
                    code: "replaced".to_owned(),
                    reason,
                });
            }
        }
        Ok(None)
    }

    #[allow(clippy::too_many_arguments, reason = "one change with its surroundings")]
    fn store(
        &mut self,
        tx: &Transaction<'_>,
        now: UnixMs,
        sender: Sender,
        contact: ContactId,
        admitted: &Admitted,
        bytes: &[u8],
        verdict: Verdict,
    ) -> Result<(Fate, &'static str, String)> {
        let workspace = sender.workspace;
        let (fate, code, reason, epoch) = match verdict {
            Verdict::Ordinary { epoch } => (Fate::Stored, "", String::new(), epoch),
            Verdict::Aside { fate, code, reason } => (fate, code, reason, self.epoch(workspace, contact)),
            Verdict::Erased | Verdict::Wait { .. } => return Ok((Fate::Unknown, "", String::new())),
        };
        let stored = fate == Fate::Stored;
        if stored && matches!(self.contacts.get(&(workspace, contact)), Some(Known::Absent)) {
            contacts::create(tx, workspace, contact, Some(sender.user), now)?;
            self.contacts.insert((workspace, contact), Known::Present { epoch: 1, heads: Vec::new() });
            self.access.insert((workspace, contact, sender.user), true);
        }
        let replaces = admitted.message.as_ref().map(|message| message.replaces.as_slice()).unwrap_or_default();
        changes::append(
            tx,
            &NewChange {
                workspace,
                contact,
                fate,
                fate_cursor: 0,
                actor: admitted.actor,
                actor_seq: admitted.seq,
                hash: admitted.hash,
                device: Some(sender.device),
                user: sender.user,
                received_at: now,
                epoch,
                verdict: if stored { "ordinary" } else { code },
                code: (!stored).then_some(code),
                reason: (!stored).then_some(reason.as_str()),
                replaces,
                bytes,
            },
        )?;
        if stored {
            for replaced in replaces {
                changes::add_replaced(tx, workspace, contact, replaced, &admitted.hash, sender.user)?;
            }
            self.to_merge.insert((workspace, contact));
            self.stored += 1;
        } else {
            self.set_aside += 1;
        }
        self.note_fate(workspace, contact, admitted.hash, fate);
        Ok((fate, code, reason))
    }

    /// Judges what waits for a change of this contact, until none of it can be called in any more.
    fn call_in(&mut self, tx: &Transaction<'_>, now: UnixMs, workspace: WorkspaceId, contact: ContactId) -> Result<()> {
        loop {
            let mut called = false;
            for waiting in self.room.of(workspace, contact).to_vec() {
                let sender = Sender { workspace, device: waiting.device, user: waiting.user };
                let verdict = self.judge(tx, sender, contact, &waiting.admitted)?;
                if matches!(verdict, Verdict::Wait { .. }) {
                    continue;
                }
                let (fate, code, reason) =
                    self.store(tx, now, sender, contact, &waiting.admitted, &waiting.bytes, verdict)?;
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

    fn note_fate(&mut self, workspace: WorkspaceId, contact: ContactId, hash: ChangeHash, fate: Fate) {
        self.fates.insert((workspace, contact, hash), fate);
    }

    fn epoch(&self, workspace: WorkspaceId, contact: ContactId) -> u64 {
        match self.contacts.get(&(workspace, contact)) {
            Some(Known::Present { epoch, .. }) => *epoch,
            _ => 0,
        }
    }

    fn contact(&mut self, tx: &Transaction<'_>, workspace: WorkspaceId, contact: ContactId) -> Result<&Known> {
        use std::collections::hash_map::Entry;
        match self.contacts.entry((workspace, contact)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(match contacts::find(tx, workspace, contact)? {
                None => Known::Absent,
                Some(found) if found.erased_at.is_some() => Known::Erased,
                Some(found) => Known::Present { epoch: found.epoch, heads: found.heads },
            })),
        }
    }

    fn may_write(&mut self, tx: &Transaction<'_>, sender: Sender, contact: ContactId) -> Result<bool> {
        let key = (sender.workspace, contact, sender.user);
        if let Some(known) = self.access.get(&key) {
            return Ok(*known);
        }
        let access = contacts::access(tx, sender.workspace, contact, sender.user)?;
        let may = matches!(access, Some(Access::Owner | Access::Collaborator));
        self.access.insert(key, may);
        Ok(may)
    }

    /// Whether the actor is the device's. One that nobody has is registered to it: announcing an
    /// actor first would prove no more.
    fn owns_actor(&mut self, tx: &Transaction<'_>, sender: Sender, actor: Actor) -> Result<bool> {
        let key = (sender.workspace, actor);
        let owner = match self.actors.get(&key) {
            Some(owner) => *owner,
            None => devices::actor_owner(tx, sender.workspace, actor)?,
        };
        let owner = match owner {
            Some(owner) => owner,
            None => {
                devices::register_actor(tx, sender.workspace, actor, sender.device, self.now)?;
                ActorOwner::Device(sender.device)
            }
        };
        self.actors.insert(key, Some(owner));
        Ok(owner == ActorOwner::Device(sender.device))
    }

    /// Forgets what was read of contacts and rights: another part of the same transaction may have
    /// changed them.
    pub fn forget_rows(&mut self) {
        self.contacts.clear();
        self.access.clear();
        self.actors.clear();
        self.fates.clear();
    }
}

enum Dependencies {
    Good,
    Missing(Vec<ChangeHash>),
    Bad { hash: ChangeHash, fate: Fate },
}
