//! What the server says about changes of this replica: acknowledgements, fates, and when it takes
//! them back.
//!
//! A receipt moves forward only (rule 23); a new timeline may take `stored` and `merged` back to
//! `saved`. Whatever was refused is kept with its reason, never dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use roadbook_protocol::ids::{Actor, ContactId};
use roadbook_protocol::wire::{ChangeFate, ContactHeads, Fate, Need};
use roadbook_protocol::{ChangeHash, document};
use rusqlite::params;

use crate::copies::Aftermath;
use crate::documents::{follow, holds, normalise};
use crate::error::{Error, Result};
use crate::receipt::Receipt;
use crate::replica::{Replica, Write};
use crate::store::changes::{self, LocalChange, NewLocal};
use crate::store::contacts::{self, Access, ContactRow};
use crate::store::lists::{self, Quarantining};
use crate::store::meta::{self, key};
use crate::store::{drops, evidence, proposals};

/// Codes under which a change is refused only because of another one: its edit is authored anew.
/// (The server says `dependency`; the next two are the gate's own words for it; `generation` is that the
/// document on which it was made is not taken, rule 25.)
const REFUSED_FOR_ANOTHER: &[&str] =
    &["dependency", "depends_on_refused", "missing_dependency", "gave_up", "generation"];
/// Codes that no authoring anew can heal: the contact is not this user's, or not theirs to write.
const NOT_OURS: &[&str] = &["not_yours", "read_only", "foreign", "revoked"];

/// What became of changes, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Those of which it is the first news that the server has them.
    pub sent: u64,
    /// Those that came after their contact had changed hands: visits and the like are in, the others wait
    /// for a decision.
    pub late: u64,
    /// Those that were refused.
    pub refused: u64,
}

impl Replica {
    /// These changes are durable on the server. Returns how many are so for the first time.
    pub(crate) fn record_stored(&self, acknowledged: &[(ContactId, ChangeHash)]) -> Result<u64> {
        self.write("ack", |write| {
            let now = write.now();
            let mut first = 0;
            for (id, hash) in acknowledged {
                let changed = write
                    .tx
                    .prepare_cached(
                        "UPDATE change SET receipt = 'stored', receipt_at = ?3
                         WHERE hash = ?2 AND local = 1 AND receipt = 'saved'
                           AND contact = (SELECT num FROM contact WHERE id = ?1)",
                    )?
                    .execute(params![id.as_bytes(), hash.0, now])?;
                if changed > 0 {
                    first += 1;
                    write.notices.contacts.insert(*id);
                }
            }
            write.notices.sync = true;
            write.then(Aftermath::Arrived);
            Ok(first)
        })
    }

    /// These changes met their fate.
    pub(crate) fn record_fates(&self, fates: &[ChangeFate]) -> Result<Heard> {
        self.write("ack", |write| {
            let mut heard = Heard::default();
            let mut merged: BTreeMap<ContactId, Vec<LocalChange>> = BTreeMap::new();
            for fate in fates {
                let refused = write.record_fate(fate, &mut merged, &mut heard)?;
                heard.refused += u64::from(refused);
            }
            for (id, own) in merged {
                write.follow_merged(id, own)?;
            }
            // Erased at the server: nothing of it may stay here.
            let erased: BTreeSet<ContactId> = fates
                .iter()
                .filter(|fate| fate.fate == Fate::Erased)
                .map(|fate| fate.contact)
                .collect();
            for id in erased {
                write.purge(id)?;
            }
            write.drop_removed()?;
            write.notices.sync = true;
            write.then(Aftermath::Arrived);
            Ok(heard)
        })
    }

    /// The server lost the timeline: what was only stored is back in the outbox (rule 1). Merged
    /// changes follow contact by contact in [`Self::reoffer`].
    pub(crate) fn void_acknowledgements(&self) -> Result<()> {
        self.write("ack", |write| {
            write.tx.execute(
                "UPDATE change SET receipt = 'saved' WHERE settled = 0 AND receipt = 'stored'",
                [],
            )?;
            // Late edits that are still here go to it again: it may have lost the proposal.
            write.tx.execute(
                "UPDATE change SET receipt = 'saved', settled = 0
                 WHERE local = 1 AND receipt = 'proposed'",
                [],
            )?;
            drops::void(&write.tx)?;
            write.replica.copies().void();
            proposals::void(&write.tx)?;
            write.notices.sync = true;
            write.then(Aftermath::Compare);
            write.wake = true;
            Ok(())
        })
    }

    /// The server does not know these heads: our own changes of these contacts are offered again, and
    /// it is noted that others' are to be offered too. `known` is what the server has of them.
    pub(crate) fn reoffer(&self, unknown: &[ContactHeads], known: &[ContactHeads]) -> Result<()> {
        self.write("ack", |write| {
            let known: HashMap<ContactId, &[ChangeHash]> =
                known.iter().map(|item| (item.contact, item.heads.as_slice())).collect();
            for item in unknown {
                let Some(row) = contacts::find(&write.tx, item.contact)? else { continue };
                // A server that does not say what it has: what it did not call unknown.
                let rest: Vec<ChangeHash>;
                let known = match known.get(&row.id) {
                    Some(known) => *known,
                    None => {
                        let lost = |head: &&ChangeHash| item.heads.contains(head);
                        rest = row.merged_heads.iter().filter(|h| !lost(h)).copied().collect();
                        &rest
                    }
                };
                evidence::set_offer(&write.tx, row.num, Some(known))?;
                changes::not_merged_any_more(&write.tx, row.num)?;
                if row.generation > 1 {
                    write.keep_covered(&row)?;
                }
                contacts::set_keep_local(&write.tx, row.num, true)?;
                write.touched(row.id);
                match write.begin_anew(&row, known) {
                    // It is fetched again; what can't be opened can't be offered either.
                    Err(Error::Damaged { what, reason }) => {
                        tracing::warn!(what, reason, "nothing of it can be offered again");
                        lists::want(&write.tx, row.id, -1)?;
                    }
                    other => other?,
                }
            }
            write.notices.sync = true;
            write.wake = true;
            write.then(Aftermath::Compare);
            Ok(())
        })
    }

    /// Changes wait at the server for these. Ours are offered (again); where they are not ours, the
    /// contact's edits are authored anew on the server's document.
    pub(crate) fn supply(&self, need: &Need) -> Result<()> {
        self.write("ack", |write| {
            let Some(row) = contacts::find(&write.tx, need.contact)? else { return Ok(()) };
            let mut ours = Vec::new();
            for hash in &need.hashes {
                match changes::find_local(&write.tx, row.num, hash)? {
                    Some(change)
                        if !matches!(change.receipt, Receipt::Quarantined | Receipt::Forked) =>
                    {
                        ours.push(change.pos);
                    }
                    _ => write.set_aside(&row)?,
                }
            }
            ours.sort_unstable();
            for pos in &ours {
                changes::offer_again(&write.tx, *pos)?;
            }
            let first = ours.first().copied();
            if let Some(first) = first {
                // What stands on them follows them again: the order stays causal.
                for change in changes::unmerged_of(&write.tx, row.num)? {
                    if change.pos > first
                        && change.receipt == Receipt::Saved
                        && !need.hashes.contains(&change.hash)
                    {
                        changes::offer_again(&write.tx, change.pos)?;
                    }
                }
            }
            write.wake = true;
            Ok(())
        })
    }

    /// These actors belong to another device: new ones are taken, and every edit of theirs that is
    /// not merged is authored anew.
    pub(crate) fn replace_actors(&self, taken: &[Actor]) -> Result<()> {
        self.write("ack", |write| {
            let taken: HashSet<Actor> = taken.iter().copied().collect();
            for actor in &taken {
                write.retire(*actor)?;
            }
            write.author_anew(|change| taken.contains(&change.actor))
        })
    }
}

impl Write<'_> {
    /// The server holds the change that this one was to replace for a decision: so the edit stands.
    fn proposed_as_before(&mut self, replacement: &LocalChange) -> Result<()> {
        let Some(first) = changes::replaced_by(&self.tx, replacement)? else { return Ok(()) };
        let now = self.now();
        let told = matches!(first.code.as_str(), "late" | "accepted" | "declined" | "in_part");
        let why = match told {
            true => (first.code.as_str(), first.reason.as_str()),
            false => ("late", "it waits for the decision of the new owner or the manager"),
        };
        changes::set_receipt(&self.tx, first.pos, Receipt::Proposed, true, why, now)?;
        drops::keep_receipt(&self.tx, &first, why, now)
    }

    /// Own changes are merged: the merged heads of their contact move on.
    fn follow_merged(&mut self, id: ContactId, mut own: Vec<LocalChange>) -> Result<()> {
        let Some(row) = contacts::find(&self.tx, id)? else { return Ok(()) };
        if row.generation > 1 {
            // One of an older generation is in what was written again, not in the document.
            let doc = self.document(&row)?;
            own.retain(|change| holds(&doc, &change.hash));
            self.keep(id, doc);
        }
        own.sort_by_key(|change| change.pos);
        let mut merged = row.merged_heads.clone();
        for change in own {
            // A bootstrap alone is no content: the server has a document only with the first change.
            if !document::bootstraps().iter().any(|bootstrap| bootstrap.hash == change.hash) {
                let parsed = automerge::Change::from_bytes(change.bytes).map_err(|error| {
                    Error::Damaged {
                        what: format!("change {}", change.hash),
                        reason: error.to_string(),
                    }
                })?;
                follow(&mut merged, change.hash, parsed.deps());
            }
        }
        if merged.len() > 1
            && let Ok(doc) = self.document(&row)
        {
            normalise(&doc, &mut merged);
            self.keep(id, doc);
        }
        contacts::set_merged_heads(&self.tx, row.num, &merged)
    }

    /// Whether the fate was a refusal that is news.
    fn record_fate(
        &mut self,
        fate: &ChangeFate,
        merged: &mut BTreeMap<ContactId, Vec<LocalChange>>,
        heard: &mut Heard,
    ) -> Result<bool> {
        if fate.fate == Fate::Proposed {
            let why = (fate.code.as_str(), fate.reason.as_str());
            if drops::decide(&self.tx, fate.contact, &fate.hash, why)? {
                self.notices.sync = true;
            }
        }
        let Some(row) = contacts::find(&self.tx, fate.contact)? else { return Ok(false) };
        let Some(change) = changes::find_local(&self.tx, row.num, &fate.hash)? else {
            return Ok(false);
        };
        let Some(next) = Receipt::from_fate(fate.fate) else { return Ok(false) };
        let now = self.now();
        let why = (fate.code.as_str(), fate.reason.as_str());
        if fate.fate == Fate::Proposed && change.receipt == Receipt::Replaced {
            // It was authored anew here before this was heard. What became of it counts again once the
            // server has refused the replacement for it.
            changes::set_receipt(&self.tx, change.pos, Receipt::Replaced, true, why, now)?;
            return Ok(false);
        }
        if !change.receipt.may_become(next) {
            return Ok(false);
        }
        let set = |write: &Self, receipt, settled| {
            changes::set_receipt(&write.tx, change.pos, receipt, settled, why, now)
        };
        let kept =
            matches!(fate.fate, Fate::Stored | Fate::Merged | Fate::Proposed | Fate::Quarantined);
        heard.sent += u64::from(kept && change.receipt == Receipt::Saved);
        heard.late += u64::from(fate.fate == Fate::Proposed && fate.code == "late");
        self.notices.contacts.insert(row.id);
        match fate.fate {
            Fate::Stored | Fate::Unknown | Fate::Waiting => set(self, next, false)?,
            Fate::Merged => {
                set(self, next, true)?;
                merged.entry(row.id).or_default().push(change);
            }
            Fate::Proposed => {
                set(self, next, true)?;
                drops::keep_receipt(&self.tx, &change, why, now)?;
                if row.access != Access::Removed {
                    // Whether it is gone, or ours again: the document here has what is not in it.
                    self.set_aside(&row)?;
                }
            }
            Fate::Erased => set(self, next, true)?,
            Fate::Replaced if why.0 == "dependency" && change.edit.is_some() => {
                // Only what it stands on is carried by another change: this edit is not.
                set(self, Receipt::Forked, false)?;
                self.set_aside(&row)?;
            }
            Fate::Replaced if why.0 == "replaced" && change.edit.is_some() => {
                // By a change that is not from here: of a copy, or of a state that was put back to an
                // older one. That may still be refused, and nobody be left who has the edit: authored
                // anew it is taken then, or we hear that the other one is merged.
                set(self, Receipt::Forked, false)?;
                self.set_aside(&row)?;
            }
            Fate::Replaced => {
                // It will never be merged, and what we made on top of it would not be either.
                set(self, next, true)?;
                if why.0 == "original_merged" {
                    // The change that it was to replace met its dependencies after all.
                    changes::merged_as_before(&self.tx, &change, now)?;
                }
                if why.0 == "original_proposed" {
                    self.proposed_as_before(&change)?;
                }
                self.set_aside(&row)?;
            }
            Fate::Quarantined if why.0 == "actor_mismatch" && change.replays == 0 => {
                set(self, Receipt::Forked, false)?;
                self.retire(change.actor)?;
                self.set_aside(&row)?;
            }
            Fate::Forked => {
                set(self, Receipt::Forked, false)?;
                self.retire(change.actor)?;
                self.set_aside(&row)?;
            }
            Fate::Quarantined if change.edit.is_none() => set(self, next, true)?,
            Fate::Quarantined if REFUSED_FOR_ANOTHER.contains(&why.0) => {
                set(self, Receipt::Forked, false)?;
                self.set_aside(&row)?;
            }
            Fate::Quarantined => {
                let hopeless = NOT_OURS.contains(&why.0);
                set(self, Receipt::Quarantined, hopeless)?;
                self.quarantine(&row, &change, why)?;
                if why.0 == "not_yours" && row.merged_heads.is_empty() {
                    // This replica has nothing of it from the server, so no news of its removal will
                    // come: it was made here before the replica was put back to an older state, and
                    // went to somebody else meanwhile.
                    contacts::set_access(&self.tx, row.num, Access::Removed, None, 0)?;
                }
                if !hopeless {
                    self.set_aside(&row)?;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Keeps a refused change with its reason.
    pub(crate) fn quarantine(
        &mut self,
        row: &ContactRow,
        change: &LocalChange,
        (code, reason): (&str, &str),
    ) -> Result<()> {
        let name = self.display_name(row);
        lists::quarantine(
            &self.tx,
            &Quarantining {
                contact: row.id,
                display_name: &name,
                edit: change.edit,
                hash: Some(change.hash),
                bytes: Some(&change.bytes),
                commands: &change.commands,
                label: &change.label,
                at: change.at,
                code,
                reason,
                now: self.now(),
            },
        )
    }

    /// The contact waits for the server's document; what it has not sent is held back until then.
    pub(crate) fn set_aside(&mut self, row: &ContactRow) -> Result<()> {
        contacts::set_aside(&self.tx, row.num, true)?;
        lists::want(&self.tx, row.id, -1)?;
        self.touched(row.id);
        Ok(())
    }

    /// An actor is not used any more: another replica writes with it.
    pub(crate) fn retire(&mut self, actor: Actor) -> Result<()> {
        self.tx
            .prepare_cached("UPDATE own_actor SET device = NULL WHERE actor = ?1")?
            .execute(params![actor.as_bytes()])?;
        self.tx
            .prepare_cached("UPDATE contact_actor SET actor = NULL WHERE actor = ?1")?
            .execute(params![actor.as_bytes()])?;
        if meta::id(&self.tx, key::ACTOR, Actor::from_bytes)? == Some(actor) {
            self.take_new_actor()?;
        }
        Ok(())
    }

    /// Every unsettled edit that matches is to be authored anew, on the server's document.
    pub(crate) fn author_anew(&mut self, matches: impl Fn(&LocalChange) -> bool) -> Result<()> {
        let unsettled =
            changes::locals(&self.tx, "c.settled = 0 AND c.edit IS NOT NULL ORDER BY c.pos", [])?;
        let now = self.now();
        for change in unsettled.iter().filter(|change| matches(change)) {
            if change.receipt.may_become(Receipt::Forked) {
                let why = ("actor_taken", "the device writes under a new name now");
                changes::set_receipt(&self.tx, change.pos, Receipt::Forked, false, why, now)?;
            }
            if let Some(row) = contacts::find(&self.tx, change.contact_id)?
                && !row.set_aside
            {
                self.set_aside(&row)?;
            }
        }
        self.notices.sync = true;
        Ok(())
    }

    /// Own changes whose rows were pruned after the backup horizon are taken back out of the
    /// document, so that a server restored from an old backup gets them again.
    fn recover_pruned(&mut self, row: &ContactRow) -> Result<()> {
        use automerge::ReadDoc;
        let doc = self.document(row)?;
        let own: HashSet<Vec<u8>> = {
            let mut statement = self.tx.prepare_cached("SELECT actor FROM own_actor")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        let bootstraps: HashSet<ChangeHash> =
            document::bootstraps().iter().map(|bootstrap| bootstrap.hash).collect();
        let before = changes::unmerged_of(&self.tx, row.num)?;
        let mut recovered = false;
        for meta in doc.get_changes_meta(&[]) {
            let ours = own.contains(meta.actor.to_bytes()) || bootstraps.contains(&meta.hash);
            if !ours || changes::find_local(&self.tx, row.num, &meta.hash)?.is_some() {
                continue;
            }
            recovered = true;
            let (Some(change), Some(actor)) =
                (doc.get_change_by_hash(&meta.hash), Actor::from_slice(meta.actor.to_bytes()))
            else {
                continue;
            };
            let new = NewLocal {
                hash: meta.hash,
                bytes: change.raw_bytes(),
                actor,
                seq: meta.seq,
                edit: None,
                commands: "",
                label: "offered again",
                at: 0,
                replays: 0,
                undoes: None,
            };
            if self.insert_local(row.num, &new)?
                && let Some(added) = changes::find_local(&self.tx, row.num, &meta.hash)?
            {
                // The snapshot holds it already.
                changes::set_live(&self.tx, added.pos, false)?;
            }
        }
        if recovered {
            // Those that were here stand on them: they follow again, so that the order stays causal.
            for change in before.iter().filter(|change| change.receipt == Receipt::Saved) {
                changes::offer_again(&self.tx, change.pos)?;
            }
        }
        self.keep(row.id, doc);
        Ok(())
    }

    /// Own changes of older generations are part of what was written again (rule 25): they are offered
    /// with that, and not as what they were.
    fn keep_covered(&mut self, row: &ContactRow) -> Result<()> {
        let Ok(doc) = self.document(row) else { return Ok(()) };
        let generation = document::generation(&doc);
        let now = self.now();
        for change in changes::unmerged_of(&self.tx, row.num)? {
            if change.receipt == Receipt::Saved && generation.carried.contains(&change.hash) {
                changes::set_receipt(&self.tx, change.pos, Receipt::Merged, true, ("", ""), now)?;
            }
        }
        self.keep(row.id, doc);
        Ok(())
    }

    /// Of this contact no more is merged at the server than it says.
    fn begin_anew(&mut self, row: &ContactRow, known: &[ChangeHash]) -> Result<()> {
        self.recover_pruned(row)?;
        let doc = self.document(row)?;
        let mut merged: Vec<ChangeHash> =
            known.iter().filter(|head| holds(&doc, head)).copied().collect();
        merged.sort_unstable();
        merged.dedup();
        normalise(&doc, &mut merged);
        self.keep(row.id, doc);
        contacts::set_merged_heads(&self.tx, row.num, &merged)
    }

    /// Drops the contacts that are not this user's any more and have nothing left to send (P8).
    pub(crate) fn drop_removed(&mut self) -> Result<()> {
        for row in contacts::all(&self.tx, "access = 'removed'")? {
            if !changes::has_unmerged(&self.tx, row.num)? {
                self.drop_contact(&row)?;
            }
        }
        Ok(())
    }

    /// Removes a contact from this device.
    pub(crate) fn drop_contact(&mut self, row: &ContactRow) -> Result<()> {
        contacts::drop(&self.tx, row)?;
        self.wipe_files()?;
        self.forget(row.id);
        self.touched(row.id);
        Ok(())
    }
}
