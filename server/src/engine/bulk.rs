//! One thing done to many contacts: listed first, then done in slices, and taken back as a whole.
//!
//! Each edit is one of its own, by the same paths as a single one: a change in the person's name, or an
//! assignment with a new epoch. Between two slices everybody else has their turn, and rights are read
//! anew. What was done stands in [`bulk`], noted in the edit's own transaction; so a run that was cut off
//! goes on where it stopped, and nothing is done twice.
//!
//! Taking back is an edit too. It takes back only what nobody has changed since, and says what it left.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use roadbook_protocol::document::{self, Command, CommandError, Value};
use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use rusqlite::{Connection, Transaction};
use serde_json::json;

use super::assign::{self, Done, Wanted};
use super::handle::Engine;
use super::types::{AuthorOutcome, Authored, CHANGED, Event};
use crate::rights::{Action, Decision, Rights};
use crate::store::bulk::{self, Bulk, Item, ItemState, Mark, Stage, Was, What};
use crate::store::contacts::Contact;
use crate::store::{EngineError, Result, audit, contacts, people, projections};

/// Contacts that are done in one go: so long a stop, a change of rights or another's edit waits at most.
const SLICE_CONTACTS: usize = 128;
/// Contacts that are looked at in one transaction while they are listed.
const LISTED_CONTACTS: usize = 1_000;
/// Actions that run at the same time.
const RUNS_MAX: usize = 4;
/// How often an edit is taken back anew because somebody wrote to the contact in that moment.
const UNDO_ATTEMPTS: usize = 4;

/// The actions that run now, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Running(Arc<Mutex<HashSet<i64>>>);

/// The right to work at an action: while it is there, nobody else does.
#[derive(Debug)]
pub struct BulkRun {
    running: Arc<Mutex<HashSet<i64>>>,
    workspace: WorkspaceId,
    n: i64,
}

impl Drop for BulkRun {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.n);
    }
}

/// What becomes of a contact: an edit is to be made, or why none is.
type Verdict = (ItemState, &'static str);

impl Engine {
    /// Writes down what an action would do to which of these contacts, without doing it. With
    /// `spare_mute` who must not be contacted is left out. Returns its number. Durable. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Refused`] beyond [`bulk::CONTACTS_MAX`] contacts, or without any.
    pub fn bulk_list(
        &self,
        rights: &Rights,
        by: UserId,
        what: &What,
        asked: &str,
        chosen: &[ContactId],
        spare_mute: bool,
    ) -> Result<i64> {
        if chosen.is_empty() || chosen.len() > bulk::CONTACTS_MAX {
            return Err(EngineError::Refused {
                code: "bulk",
                reason: format!(
                    "{} contacts were chosen; choose between 1 and {}",
                    chosen.len(),
                    bulk::CONTACTS_MAX
                ),
            });
        }
        let (workspace, now) = (rights.workspace, self.now_ms());
        let (begun, from, count) = (what.clone(), asked.to_owned(), chosen.len());
        let n = self.write(move |tx| bulk::begin(tx, workspace, by, &begun, &from, count, now))?;
        for part in chosen.chunks(LISTED_CONTACTS) {
            let judged = self.read(|conn| -> Result<Vec<_>> {
                let mut judged = Vec::with_capacity(part.len());
                for id in part {
                    let (state, why) = judge(conn, rights, what, *id, spare_mute)?;
                    judged.push((*id, state, why));
                }
                Ok(judged)
            })?;
            self.write(move |tx| bulk::add(tx, workspace, n, &judged))?;
        }
        self.write(move |tx| bulk::set_stage(tx, n, Stage::Listing, Stage::Listed, now))?;
        Ok(n)
    }

    /// Begins to do what was listed, or to take back what was done; the work itself is
    /// [`Self::bulk_run`]'s. Whether it can be begun: not twice. Durable, and in the audit log. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn bulk_begin(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        n: i64,
        undo: bool,
    ) -> Result<bool> {
        let now = self.now_ms();
        self.write(move |tx| {
            let bulk = bulk::find(tx, workspace, n)?
                .ok_or_else(|| EngineError::not_found("the bulk action"))?;
            let (from, to, action) = match undo {
                false => (Stage::Listed, Stage::Doing, "contacts.bulk"),
                true => (Stage::Done, Stage::Undoing, "contacts.bulk_undo"),
            };
            if !bulk::set_stage(tx, n, from, to, now)? {
                return Ok(false);
            }
            if undo {
                bulk::set_undo_by(tx, n, by)?;
            }
            // Ids and codes alone: a tag or a search may hold words about a person, and this stays for ever.
            let value = match &bulk.what {
                What::Assign(_) | What::Status(_) => Some(bulk.what.value()),
                What::Tag(_) | What::Untag(_) | What::Retag { .. } => None,
            };
            let detail = json!({
                "what": bulk.what.kind(),
                "value": value,
                "chosen": bulk.chosen,
            });
            bulk::forget_asked(tx, n)?;
            audit::append(tx, workspace, now, Some(by), action, &n.to_string(), &detail)?;
            Ok(true)
        })
    }

    /// Takes an action on, to work at it with [`Self::bulk_run`]; `None` where somebody does already.
    ///
    /// # Errors
    /// [`EngineError::Busy`] where too many run.
    pub fn bulk_take(&self, workspace: WorkspaceId, n: i64) -> Result<Option<BulkRun>> {
        let running = Arc::clone(&self.shared.bulks.0);
        let mut taken = running.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.contains(&n) {
            return Ok(None);
        }
        if taken.len() >= RUNS_MAX {
            return Err(EngineError::Busy { what: "other bulk actions are being done" });
        }
        taken.insert(n);
        drop(taken);
        Ok(Some(BulkRun { running, workspace, n }))
    }

    /// Whether an action is being worked at now. One that is not, and is neither done nor taken back, was
    /// cut off: [`Self::bulk_run`] goes on with it.
    pub fn bulk_runs(&self, n: i64) -> bool {
        self.shared.bulks.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&n)
    }

    /// Works at an action that was begun until it is through or `stop` says so. Blocking, for as long as
    /// that takes.
    ///
    /// # Errors
    /// What the database says, [`EngineError::Closed`]. What was done till then stays, and the next run
    /// goes on.
    pub fn bulk_run(&self, run: &BulkRun, stop: impl Fn() -> bool) -> Result<()> {
        while !stop() && self.bulk_slice(run.workspace, run.n)? {}
        Ok(())
    }

    /// Does the next slice. Whether there is more.
    fn bulk_slice(&self, workspace: WorkspaceId, n: i64) -> Result<bool> {
        let read = self.read(|conn| -> Result<_> {
            let Some(bulk) = bulk::find(conn, workspace, n)? else { return Ok(None) };
            let state = match bulk.stage {
                Stage::Doing => ItemState::ToDo,
                Stage::Undoing => ItemState::Done,
                _ => return Ok(None),
            };
            let user = people::user(conn, workspace, bulk.actor())?;
            let rights =
                (user.disabled_at.is_none()).then(|| Rights::of(conn, &user)).transpose()?;
            Ok(Some((bulk::items(conn, n, state, SLICE_CONTACTS)?, bulk, rights)))
        })?;
        let Some((items, bulk, rights)) = read else { return Ok(false) };
        if items.is_empty() {
            return self.bulk_end(&bulk);
        }
        let undo = bulk.stage == Stage::Undoing;
        match (rights, &bulk.what) {
            // Who began it was kept out meanwhile: nothing more happens in their name.
            (None, _) => self.settle(
                &bulk,
                items.iter().map(|item| (item.contact, refuse(undo, "rights"))).collect(),
            )?,
            (Some(rights), What::Assign(to)) => {
                self.assign_slice(&bulk, &rights, *to, items, undo)?
            }
            (Some(rights), _) if undo => self.undo_slice(&bulk, &rights, items)?,
            (Some(rights), _) => self.edit_slice(&bulk, &rights, items)?,
        }
        Ok(true)
    }

    fn bulk_end(&self, bulk: &Bulk) -> Result<bool> {
        let to = if bulk.stage == Stage::Undoing { Stage::Undone } else { Stage::Done };
        let (n, from, now) = (bulk.n, bulk.stage, self.now_ms());
        self.write(move |tx| bulk::set_stage(tx, n, from, to, now))?;
        Ok(false)
    }

    fn settle(&self, bulk: &Bulk, verdicts: Vec<(ContactId, Verdict)>) -> Result<()> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let n = bulk.n;
        let from = if bulk.stage == Stage::Undoing { ItemState::Done } else { ItemState::ToDo };
        self.write(move |tx| -> Result<()> {
            for (contact, (to, why)) in verdicts {
                bulk::settle(tx, n, contact, from, to, why)?;
            }
            Ok(())
        })
    }

    /// Tags and statuses: changes in the person's name.
    fn edit_slice(&self, bulk: &Bulk, rights: &Rights, items: Vec<Item>) -> Result<()> {
        let now = self.now_ms();
        let mut settled = Vec::new();
        let mut edits = Vec::with_capacity(items.len());
        self.read(|conn| -> Result<()> {
            for item in &items {
                // Judged anew: since it was listed others went on working.
                match judge(conn, rights, &bulk.what, item.contact, false)? {
                    (ItemState::ToDo, _) => edits.push(Authored {
                        mark: Some(Mark { bulk: bulk.n, undo: false }),
                        ..Authored::edit(item.contact, commands(&bulk.what, now))
                    }),
                    verdict => settled.push((item.contact, verdict)),
                }
            }
            Ok(())
        })?;
        settled.extend(self.make(bulk, edits, false)?);
        self.settle(bulk, settled)
    }

    /// Makes edits, and says what became of those that were not merged.
    fn make(
        &self,
        bulk: &Bulk,
        edits: Vec<Authored>,
        undo: bool,
    ) -> Result<Vec<(ContactId, Verdict)>> {
        let contacts: Vec<ContactId> = edits.iter().map(|edit| edit.contact).collect();
        let outcomes = self.author(bulk.workspace, bulk.actor(), edits)?;
        let mut settled = Vec::new();
        for (contact, outcome) in contacts.into_iter().zip(outcomes) {
            let verdict = match outcome {
                // Noted with the edit.
                AuthorOutcome::Merged { .. } => continue,
                AuthorOutcome::Unchanged if undo => (ItemState::Undone, ""),
                AuthorOutcome::Unchanged => (ItemState::Same, ""),
                // The server is stopping: this is as it was.
                AuthorOutcome::Refused(
                    error @ (EngineError::Closed
                    | EngineError::NotCommitted { .. }
                    | EngineError::Busy { .. }),
                ) => {
                    return Err(error);
                }
                AuthorOutcome::Refused(EngineError::Refused { code: "erased", .. }) => {
                    refuse(undo, "erased")
                }
                AuthorOutcome::Refused(EngineError::Refused { code: CHANGED, .. }) => {
                    refuse(undo, "changed")
                }
                AuthorOutcome::Refused(error) => {
                    tracing::warn!(%error, bulk = bulk.n, "a contact of a bulk action could not be edited");
                    refuse(undo, "failed")
                }
            };
            settled.push((contact, verdict));
        }
        Ok(settled)
    }

    /// Takes edits back, where nobody has written over them.
    fn undo_slice(&self, bulk: &Bulk, rights: &Rights, items: Vec<Item>) -> Result<()> {
        let mut settled = Vec::new();
        let mut open = items;
        for attempt in 1..=UNDO_ATTEMPTS {
            let mut edits = Vec::with_capacity(open.len());
            for item in &open {
                match self.inverse(rights, bulk, item)? {
                    Ok(edit) => edits.push(edit),
                    Err(why) => settled.push((item.contact, refuse(true, why))),
                }
            }
            let made = self.make(bulk, edits, true)?;
            // Somebody wrote in between: looked at once more, since it may have been another field.
            let (again, rest): (Vec<_>, Vec<_>) = made
                .into_iter()
                .partition(|(_, (_, why))| *why == "changed" && attempt < UNDO_ATTEMPTS);
            settled.extend(rest);
            open.retain(|item| again.iter().any(|(contact, _)| *contact == item.contact));
            if open.is_empty() {
                break;
            }
        }
        self.settle(bulk, settled)
    }

    /// The edit that takes an item back, or why it is left.
    fn inverse(
        &self,
        rights: &Rights,
        bulk: &Bulk,
        item: &Item,
    ) -> Result<std::result::Result<Authored, &'static str>> {
        let may = self.read(|conn| reach(conn, rights, Action::Edit, item.contact))?;
        if let Err(why) = may {
            return Ok(Err(why));
        }
        let Some(change) = item.change else { return Ok(Err("failed")) };
        let doc = match self.document(bulk.workspace, item.contact) {
            Ok(doc) => doc,
            Err(EngineError::NotFound { .. }) => return Ok(Err("erased")),
            Err(error) => return Err(error),
        };
        let commands = match document::inverse(&doc, change) {
            Ok(commands) => commands,
            Err(CommandError::ChangedSince { .. }) => return Ok(Err("changed")),
            // It had no effect that could be taken back.
            Err(_) => return Ok(Err("nothing")),
        };
        let mut heads = doc.get_heads();
        heads.sort_unstable();
        Ok(Ok(Authored {
            label: Some("undo".to_owned()),
            only_at: Some(heads),
            mark: Some(Mark { bulk: bulk.n, undo: true }),
            ..Authored::edit(item.contact, commands)
        }))
    }

    /// Gives a slice to its new owner, or back to those who had it.
    fn assign_slice(
        &self,
        bulk: &Bulk,
        rights: &Rights,
        to: Option<UserId>,
        items: Vec<Item>,
        undo: bool,
    ) -> Result<()> {
        let (n, workspace, by, now) = (bulk.n, bulk.workspace, bulk.actor(), self.now_ms());
        let (what, rights) = (bulk.what.clone(), rights.clone());
        let done = self.write(move |tx| -> Result<Done> {
            let mut done = Done::at(now);
            for item in &items {
                let from = if undo { ItemState::Done } else { ItemState::ToDo };
                let verdict = match undo {
                    false => assign_item(tx, &rights, &what, n, to, item.contact, &mut done)?,
                    true => return_item(tx, &rights, to, item, &mut done)?,
                };
                if let Some((state, why)) = verdict {
                    bulk::settle(tx, n, item.contact, from, state, why)?;
                }
            }
            let owner = if undo { json!("as before") } else { json!(to.map(|to| to.to_string())) };
            let detail = json!({ "contacts": done.changed_ids(), "owner": owner, "bulk": n });
            if !done.changed_ids().is_empty() {
                let subject = format!("{} contacts", done.changed_ids().len());
                audit::append(tx, workspace, now, Some(by), "contact.assign", &subject, &detail)?;
            }
            Ok(done)
        })?;
        if !done.changed_ids().is_empty() {
            self.publish(Event::Access {
                workspace,
                cursor: done.cursor,
                contacts: done.changed().into(),
                users: done.users.into_iter().collect::<Vec<_>>().into(),
            });
        }
        Ok(())
    }
}

/// Refused while it is done, left while it is taken back.
fn refuse(undo: bool, why: &'static str) -> Verdict {
    (if undo { ItemState::Left } else { ItemState::Refused }, why)
}

fn commands(what: &What, now: i64) -> Vec<Command> {
    let tag = |tag: &String| Command::Tag { tag: tag.clone(), at: now };
    let untag = |tag: &String| Command::Untag { tag: tag.clone() };
    match what {
        What::Tag(new) => vec![tag(new)],
        What::Untag(old) => vec![untag(old)],
        What::Retag { from, to } => vec![untag(from), tag(to)],
        What::Status(status) => vec![Command::Set {
            field: "status".to_owned(),
            value: (!status.is_empty()).then(|| Value::from(status.as_str())),
        }],
        // Assignments are no edits: `assign_slice`.
        What::Assign(_) => Vec::new(),
    }
}

/// The contact, if it is there and that may be done to it; else why not.
fn reach(
    conn: &Connection,
    rights: &Rights,
    action: Action,
    id: ContactId,
) -> Result<std::result::Result<Contact, &'static str>> {
    let found = contacts::find(conn, rights.workspace, id)?;
    let Some(contact) = found else { return Ok(Err("gone")) };
    if contact.erased_at.is_some() {
        return Ok(Err("erased"));
    }
    Ok(match rights.on_contact(conn, action, id)? {
        Decision::Allow => Ok(contact),
        Decision::Forbid => Err("rights"),
        // As of one that does not exist.
        Decision::Hide => Err("gone"),
    })
}

/// What an action would do to a contact now.
fn judge(
    conn: &Connection,
    rights: &Rights,
    what: &What,
    id: ContactId,
    spare_mute: bool,
) -> Result<Verdict> {
    let action = if matches!(what, What::Assign(_)) { Action::Steer } else { Action::Edit };
    let contact = match reach(conn, rights, action, id)? {
        Ok(contact) => contact,
        Err(why) => return Ok((ItemState::Refused, why)),
    };
    let row = projections::row(conn, rights.workspace, id)?;
    if spare_mute && row.as_ref().is_some_and(|row| row.do_not_contact()) {
        return Ok((ItemState::Refused, "mute"));
    }
    let same = match (what, &row) {
        (What::Assign(to), _) => contact.owner == *to,
        // What is stored of it is not merged yet.
        (_, None) => return Ok((ItemState::Refused, "gone")),
        (What::Tag(tag), Some(row)) => row.tags.contains(tag),
        (What::Untag(tag) | What::Retag { from: tag, .. }, Some(row)) => !row.tags.contains(tag),
        (What::Status(status), Some(row)) => {
            row.fields.get("status").and_then(Value::as_text).unwrap_or_default() == status
        }
    };
    Ok((if same { ItemState::Same } else { ItemState::ToDo }, ""))
}

/// Whether somebody may be given contacts.
fn receives(conn: &Connection, rights: &Rights, user: Option<UserId>) -> Result<bool> {
    let Some(user) = user else { return Ok(true) };
    let there = match people::user(conn, rights.workspace, user) {
        Ok(user) => user.disabled_at.is_none(),
        Err(EngineError::NotFound { .. }) => false,
        Err(error) => return Err(error),
    };
    Ok(there && rights.on_person(Action::GiveTo, user) == Decision::Allow)
}

fn assign_item(
    tx: &Transaction<'_>,
    rights: &Rights,
    what: &What,
    n: i64,
    to: Option<UserId>,
    id: ContactId,
    done: &mut Done,
) -> Result<Option<Verdict>> {
    let verdict = judge(tx, rights, what, id, false)?;
    if verdict.0 != ItemState::ToDo {
        return Ok(Some(verdict));
    }
    if !receives(tx, rights, to)? {
        return Ok(Some((ItemState::Refused, "receiver")));
    }
    let Some(before) = contacts::find(tx, rights.workspace, id)? else {
        return Ok(Some((ItemState::Refused, "gone")));
    };
    let accesses = contacts::accesses(tx, rights.workspace, id)?;
    let beside = accesses.iter().any(|(user, access)| {
        Some(*user) == to && *access == roadbook_protocol::wire::Access::Collaborator
    });
    let wanted = Wanted { owner: Some(to), add: Vec::new(), remove: Vec::new() };
    if assign::assign_one(tx, rights.workspace, id, &wanted, done)? != Some(true) {
        return Ok(Some((ItemState::Same, "")));
    }
    done.note_changed(id);
    let epoch = contacts::find(tx, rights.workspace, id)?.map_or(0, |contact| contact.epoch);
    bulk::note_assignment(tx, n, id, &Was { owner: before.owner, beside, epoch })?;
    Ok(None)
}

/// Gives a contact back to who had it, unless somebody gave it away since.
fn return_item(
    tx: &Transaction<'_>,
    rights: &Rights,
    to: Option<UserId>,
    item: &Item,
    done: &mut Done,
) -> Result<Option<Verdict>> {
    let contact = match reach(tx, rights, Action::Steer, item.contact)? {
        Ok(contact) => contact,
        Err(why) => return Ok(Some(refuse(true, why))),
    };
    let Some(was) = &item.was else { return Ok(Some(refuse(true, "failed"))) };
    if contact.epoch != was.epoch || contact.owner != to {
        return Ok(Some(refuse(true, "changed")));
    }
    if !receives(tx, rights, was.owner)? {
        return Ok(Some(refuse(true, "receiver")));
    }
    let add = to.filter(|_| was.beside).into_iter().collect();
    let wanted = Wanted { owner: Some(was.owner), add, remove: Vec::new() };
    if assign::assign_one(tx, rights.workspace, item.contact, &wanted, done)? == Some(true) {
        done.note_changed(item.contact);
    }
    Ok(Some((ItemState::Undone, "")))
}
