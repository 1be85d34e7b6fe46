//! The log: what becomes of a change that arrives.
//!
//! [`Log::step`] judges everything that is queued against rows read in one transaction and commits
//! once (group commit). Rights are judged here and nowhere else (rule 7); no document is loaded. It
//! has no thread, clock or randomness: a simulator drives it as the server does.
//!
//! It must never acknowledge what is not committed, and never give a change two fates (rule 8).

use std::collections::{HashMap, HashSet};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::guard::Admitted;
use roadbook_protocol::ids::{ContactId, DeviceId, UnixMs, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{ChangeFate, Fate, Need};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::failpoint;
pub use super::judge::Stage;
use super::judge::{Sender, Verdict, admit_sender};
use super::types::{AppendRequest, Appended, Outcome};
pub use super::vouch::Regained;
use super::waiting::{WaitingChange, WaitingRoom};
use crate::store::{EngineError, Result, changes, proposals};

/// The log's memory between steps: the waiting room.
#[derive(Debug)]
pub struct Log {
    limits: Limits,
    room: WaitingRoom,
}

/// What a committed stage leaves to be done.
#[derive(Debug, Default)]
pub struct Committed {
    /// Contacts with changes to merge.
    pub to_merge: Vec<(WorkspaceId, ContactId)>,
    /// Fates of changes of earlier batches: what waited, and what was replaced.
    pub settled: Vec<(WorkspaceId, DeviceId, Vec<ChangeFate>)>,
    /// Rights that evidence brought back.
    pub regained: Vec<Regained>,
    /// Workspaces in which something waits for a decision that did not before.
    pub proposed: Vec<WorkspaceId>,
    /// Workspaces whose managers are told of something.
    pub alerted: Vec<WorkspaceId>,
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

    /// Forgets what waits of a contact that was erased.
    pub fn forget_contact(&mut self, workspace: WorkspaceId, contact: ContactId) {
        for waiting in self.room.of(workspace, contact).to_vec() {
            self.room.remove(workspace, contact, &waiting.admitted.hash);
        }
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
            answers.push(self.append(&tx, &mut stage, request)?);
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
        Stage::new(now, room)
    }

    /// Judges one request inside the transaction. The inner error refuses the request; the outer one
    /// is the database's, and the transaction must be rolled back.
    ///
    /// # Errors
    /// What the database says.
    pub fn append(
        &self,
        tx: &Transaction<'_>,
        stage: &mut Stage,
        request: AppendRequest,
    ) -> Result<Result<Appended>> {
        let AppendRequest { workspace, device, user, batch, changes, vouched, sealed } = request;
        let sender = Sender { sealed, ..Sender::of(workspace, device, user) };
        if let Err(refused) = admit_sender(tx, sender) {
            return match refused {
                EngineError::Refused { .. } => Ok(Err(refused)),
                other => Err(other),
            };
        }
        if let Some(claims) = &vouched {
            stage.take_claims(tx, sender, claims)?;
        }
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut need: HashMap<ContactId, HashSet<ChangeHash>> = HashMap::new();
        for change in changes {
            let sender = match vouched {
                Some(_) => stage.author_of(tx, sender, &change.1)?,
                None => sender,
            };
            outcomes.push(self.take(tx, stage, sender, change, &mut need)?);
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
            regained: stage.regained,
            proposed: stage.proposed.into_iter().collect(),
            alerted: stage.alerted.into_iter().collect(),
            stored: stage.stored,
            set_aside: stage.set_aside,
        }
    }

    fn take(
        &self,
        tx: &Transaction<'_>,
        stage: &mut Stage,
        sender: Sender,
        (contact, admitted, bytes): (ContactId, Admitted, Vec<u8>),
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
                Fate::Proposed => {
                    proposals::verdict(tx, sender.workspace, contact, &hash)?.unwrap_or_default()
                }
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
            // What is vouched for comes with its history: it does not wait, it is offered again.
            Verdict::Wait { .. } if sender.vouched => {
                outcome(Fate::Waiting, false, "waiting", WAITING.to_owned())
            }
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
                    since: stage.now,
                };
                match stage.room.admit(waiting, &self.limits) {
                    true => outcome(Fate::Waiting, false, "waiting", WAITING.to_owned()),
                    false => outcome(Fate::Waiting, false, "waiting_full", WAITING_FULL.to_owned()),
                }
            }
            verdict => {
                let (fate, code, reason) =
                    stage.store(tx, sender, contact, &admitted, &bytes, verdict)?;
                stage.watch(tx, sender, contact)?;
                if !stage.room.is_empty() {
                    stage.call_in(tx, sender.workspace, contact)?;
                }
                outcome(fate, false, code, reason)
            }
        }
    }
}

const WAITING: &str = "it depends on changes that have not arrived; send those first";
const WAITING_FULL: &str = "it depends on changes that have not arrived, and too many wait already; send those first and this one again";
