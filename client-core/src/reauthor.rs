//! The swap: the server's document takes the place of the local one, local changes that still fit
//! are put on top of it, and the edits behind a refused or forked change are authored anew.
//!
//! One transaction, under the writer's lock: an edit made meanwhile waits for it. A command is
//! never dropped: what can't be replayed is listed in the quarantine with its reason.

use std::collections::{HashMap, HashSet};

use automerge::{Automerge, Change, ChangeHash};
use roadbook_protocol::document::{self, Applied, Author, Command, EditOptions, Generation};
use roadbook_protocol::ids::Actor;
use roadbook_protocol::wire::PageItem;

use crate::documents::{contained, heads, holds, holds_all, normalise};
use crate::edit::lacking_bootstraps;
use crate::error::{Error, Result};
use crate::receipt::Receipt;
use crate::replica::Write;
use crate::store::changes::{self, LocalChange, NewLocal};
use crate::store::contacts::{self, ContactRow};
use crate::store::evidence;
use crate::store::lists::{self, Quarantining};

/// An edit that was authored anew so often and is still in the way of something is quarantined.
const REPLAYS_MAX: i64 = 3;

/// What a contact's document is replaced with.
pub(crate) struct Base {
    pub doc: Automerge,
    /// The saved form, if it is one that can be stored as it is; else it is saved anew.
    pub bytes: Option<Vec<u8>>,
    /// What is merged at the server.
    pub merged_heads: Vec<ChangeHash>,
    /// Of which generation it is, where that is another than that of the document here (rule 25):
    /// nothing made on that one fits on it.
    pub anew: Option<Generation>,
}

impl Base {
    /// The document of a page item.
    pub(crate) fn of(doc: Automerge, item: &PageItem) -> Base {
        let merged_heads = heads(&doc);
        Base { doc, bytes: Some(item.snapshot.clone()), merged_heads, anew: None }
    }

    /// Nothing: the server has no document of this contact (rule 12: it is rebuilt).
    pub(crate) fn nothing(row: &ContactRow) -> Base {
        let anew = (row.generation > 1).then(Generation::first);
        Base { doc: document::new_document(), bytes: None, merged_heads: Vec::new(), anew }
    }

    /// Takes in what the local document has beside this one: content that came from the server after
    /// this document was saved, without the unsettled local changes; or content that the server
    /// `lost`, with those of them that go to it again, since others' changes may stand on them.
    /// `merged` is what is known to be merged at the server as it is now.
    pub(crate) fn unite(
        &mut self,
        local: &Automerge,
        unsettled: &[LocalChange],
        merged: &[ChangeHash],
        lost: bool,
    ) -> Result<()> {
        let refused = |change: &LocalChange| {
            matches!(change.receipt, Receipt::Quarantined | Receipt::Forked | Receipt::Proposed)
        };
        let own: HashSet<ChangeHash> = unsettled
            .iter()
            .filter(|change| !lost || refused(change))
            .map(|change| change.hash)
            .collect();
        let mut left_out = own.clone();
        let mut extra = Vec::new();
        for change in self.doc.get_changes_added(local) {
            // What stands on a change that is left out can't be taken either.
            if own.contains(&change.hash())
                || change.deps().iter().any(|dep| left_out.contains(dep))
            {
                left_out.insert(change.hash());
            } else {
                extra.push(change);
            }
        }
        if extra.is_empty() {
            return Ok(());
        }
        let what = || "a document from the server".to_owned();
        let mut united = self.doc.clone();
        if contained(what, || united.apply_changes(extra))?.is_ok() {
            self.doc = united;
            self.bytes = None;
            self.merged_heads.extend(merged.iter().filter(|head| holds(&self.doc, head)));
            self.merged_heads.sort_unstable();
            self.merged_heads.dedup();
            normalise(&self.doc, &mut self.merged_heads);
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Puts `base` in the place of the contact's document.
    pub(crate) fn swap(&mut self, row: &ContactRow, base: Base) -> Result<()> {
        let Base { mut doc, bytes, merged_heads, anew } = base;
        let what = || format!("contact {}", row.id);
        let bytes = match bytes {
            Some(bytes) => Some(bytes),
            None if merged_heads.is_empty() => None,
            None => Some(contained(what, || doc.save_nocompress())?),
        };
        let unsettled = changes::unmerged_of(&self.tx, row.num)?;
        changes::cover_all(&self.tx, row.num)?;
        match &bytes {
            Some(bytes) => contacts::set_snapshot(&self.tx, row.num, bytes, true)?,
            None => contacts::remove_snapshot(&self.tx, row.num)?,
        }
        // Of what the server has lost, own changes may be in the document that are not merged there.
        let not_merged: HashSet<ChangeHash> = match merged_heads.is_empty() {
            true => unsettled.iter().map(|change| change.hash).collect(),
            false => doc.get_changes_meta(&merged_heads).iter().map(|meta| meta.hash).collect(),
        };
        if let Some(generation) = &anew {
            contacts::set_generation(&self.tx, row.num, generation.number)?;
            // The numbers of the usual actor were used on the document before.
            contacts::set_actor(&self.tx, row.id, None)?;
        }
        let again = self.put_on_top(row, &mut doc, &unsettled, &not_merged, anew.as_ref())?;
        if !again.is_empty() {
            self.replay(row, &mut doc, &again)?;
        }
        contacts::set_aside(&self.tx, row.num, false)?;
        // Until the server was shown what it lost, it may send the contact without that again; our changes
        // that stand on it would not fit any more. (After that not: it may have refused some of it.)
        let keep = row.keep_local
            && evidence::is_any(&self.tx, row.num)?
            && evidence::is_due(&self.tx, row.num)?;
        contacts::set_keep_local(&self.tx, row.num, keep)?;
        contacts::set_merged_heads(&self.tx, row.num, &merged_heads)?;
        self.notices.sync = true;
        self.document_changed(row, doc)?;
        if anew.is_some_and(|generation| generation.purged) {
            changes::forget_settled(&self.tx, row.num)?;
            self.wipe_files()?;
        }
        Ok(())
    }

    /// Applies the local changes that still fit, as they are; returns those to author anew.
    fn put_on_top(
        &mut self,
        row: &ContactRow,
        doc: &mut Automerge,
        unsettled: &[LocalChange],
        not_merged: &HashSet<ChangeHash>,
        anew: Option<&Generation>,
    ) -> Result<Vec<LocalChange>> {
        let now = self.now();
        let mut last_seq = last_seqs(doc);
        let mut bad: HashSet<ChangeHash> = HashSet::new();
        let mut again = Vec::new();
        for change in unsettled {
            if holds(doc, &change.hash) && !not_merged.contains(&change.hash) {
                changes::set_receipt(&self.tx, change.pos, Receipt::Merged, true, ("", ""), now)?;
                continue;
            }
            if anew.is_some_and(|generation| generation.carried.contains(&change.hash)) {
                // It is among what was written again, whatever was heard of it.
                changes::set_receipt(&self.tx, change.pos, Receipt::Merged, true, ("", ""), now)?;
                continue;
            }
            if change.receipt == Receipt::Quarantined {
                bad.insert(change.hash);
                let why = (change.code.as_str(), change.reason.as_str());
                changes::set_receipt(&self.tx, change.pos, Receipt::Quarantined, true, why, now)?;
                continue;
            }
            // A bootstrap is in every document; the server may still not have it of this contact.
            let fits = holds(doc, &change.hash)
                || anew.is_none()
                    && change.receipt != Receipt::Forked
                    && last_seq.get(&change.actor).copied().unwrap_or(0) + 1 == change.seq;
            if fits && self.put_one(doc, change, &bad)? {
                last_seq.insert(change.actor, change.seq);
                changes::set_live(&self.tx, change.pos, true)?;
                if row.set_aside && change.receipt == Receipt::Saved {
                    // It was held back; a running session has passed its place.
                    changes::offer_again(&self.tx, change.pos)?;
                    self.wake = true;
                }
            } else {
                bad.insert(change.hash);
                again.push(change.clone());
            }
        }
        Ok(again)
    }

    fn put_one(
        &self,
        doc: &mut Automerge,
        change: &LocalChange,
        bad: &HashSet<ChangeHash>,
    ) -> Result<bool> {
        let Ok(parsed) = Change::from_bytes(change.bytes.clone()) else { return Ok(false) };
        if parsed.deps().iter().any(|dep| bad.contains(dep)) || !holds_all(doc, parsed.deps()) {
            return Ok(false);
        }
        if holds(doc, &change.hash) {
            return Ok(true);
        }
        // On a copy: a document that panicked or refused a change is not used any more.
        let mut tried = doc.clone();
        let applied =
            contained(|| format!("change {}", change.hash), || tried.apply_changes([parsed]));
        if matches!(applied, Ok(Ok(()))) && holds(&tried, &change.hash) {
            *doc = tried;
            return Ok(true);
        }
        Ok(false)
    }

    /// Authors edits anew, under an actor that was never used on this contact.
    fn replay(
        &mut self,
        row: &ContactRow,
        doc: &mut Automerge,
        again: &[LocalChange],
    ) -> Result<()> {
        let me = self.replica.me(&self.tx)?;
        let actor = self.new_own_actor()?;
        contacts::set_actor(&self.tx, row.id, Some(actor))?;
        let fresh = ContactRow { heads: Vec::new(), ..row.clone() };
        let lacking = lacking_bootstraps(
            if contacts::snapshot(&self.tx, row.num)?.is_none() { &fresh } else { row },
            doc,
        );
        self.insert_bootstraps(row, &lacking)?;
        for change in again {
            if document::bootstraps().iter().any(|known| known.hash == change.hash) {
                let now = self.now();
                changes::set_receipt(&self.tx, change.pos, Receipt::Replaced, true, ("", ""), now)?;
                continue;
            }
            if change.edit.is_none() {
                self.refuse(
                    row,
                    change,
                    "not_replayed",
                    "it was merged so long ago that its commands are not kept, and the server, restored \
                     from a backup, does not take it as it is",
                )?;
                continue;
            }
            if change.replays >= REPLAYS_MAX {
                self.refuse(
                    row,
                    change,
                    "replayed_too_often",
                    "it was authored anew several times and refused each time",
                )?;
                continue;
            }
            let author = Author { by: me.user, at: change.at };
            self.replay_one(row, doc, actor, change, &author)?;
        }
        self.wake = true;
        Ok(())
    }

    fn replay_one(
        &mut self,
        row: &ContactRow,
        doc: &mut Automerge,
        actor: Actor,
        change: &LocalChange,
        author: &Author,
    ) -> Result<()> {
        let commands: Vec<Command> = match serde_json::from_str(&change.commands) {
            Ok(commands) => commands,
            Err(error) => {
                return self.refuse(
                    row,
                    change,
                    "not_replayed",
                    &format!("its commands can't be read: {error}"),
                );
            }
        };
        // Whichever of the changes that carried this edit meets its fate first: only one of them
        // may become part of the contact (rule 8).
        let replaces = changes::carriers(&self.tx, change)?;
        let options = EditOptions { label: Some(change.label.clone()), replaces };
        let limits = self.replica.limits();
        let mut tried = doc.clone();
        let replayed = contained(
            || format!("contact {}", row.id),
            || document::replay(&mut tried, actor, &commands, author, &options, limits),
        );
        let (applied, not_replayed) = match replayed {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => return self.refuse(row, change, "not_replayed", &error.to_string()),
            Err(error @ Error::Damaged { .. }) => {
                return self.refuse(row, change, "not_replayed", &error.to_string());
            }
            Err(error) => return Err(error),
        };
        *doc = tried;
        // Where the contact already is as the commands want it, the edit is part of it.
        let mut became = Receipt::Merged;
        if let Applied::Change { hash, bytes } = applied {
            became = Receipt::Replaced;
            let (seq, label) = self.describe(doc, &hash)?;
            let new = NewLocal {
                hash,
                bytes: &bytes,
                actor,
                seq,
                edit: change.edit,
                commands: &change.commands,
                label: &label,
                at: change.at,
                replays: change.replays + 1,
                undoes: None,
            };
            self.insert_local(row.num, &new)?;
            changes::copy_undo(&self.tx, change.pos, row.num, &hash)?;
        }
        let now = self.now();
        let why = (change.code.as_str(), change.reason.as_str());
        changes::set_receipt(&self.tx, change.pos, became, true, why, now)?;
        for not in not_replayed {
            let name = self.display_name(row);
            lists::quarantine(
                &self.tx,
                &Quarantining {
                    contact: row.id,
                    display_name: &name,
                    edit: change.edit,
                    hash: None,
                    bytes: None,
                    commands: &serde_json::to_string(&[&not.command]).unwrap_or_default(),
                    label: &change.label,
                    at: change.at,
                    code: "not_replayed",
                    reason: &not.reason,
                    now,
                },
            )?;
        }
        Ok(())
    }

    /// An edit that can't be authored anew: listed with the reason, its bytes kept.
    fn refuse(
        &mut self,
        row: &ContactRow,
        change: &LocalChange,
        code: &str,
        reason: &str,
    ) -> Result<()> {
        self.quarantine(row, change, (code, reason))?;
        let now = self.now();
        changes::set_receipt(&self.tx, change.pos, Receipt::Quarantined, true, (code, reason), now)
    }
}

/// The last sequence number of each actor in a document.
fn last_seqs(doc: &Automerge) -> HashMap<Actor, u64> {
    let mut last = HashMap::new();
    for meta in doc.get_changes_meta(&[]) {
        if let Some(actor) = Actor::from_slice(meta.actor.to_bytes()) {
            let seq = last.entry(actor).or_insert(0);
            *seq = (*seq).max(meta.seq);
        }
    }
    last
}
