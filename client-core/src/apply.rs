//! What comes from the server: pages, manifests, fetched documents. Each is one transaction with the
//! cursor it leads to.
//!
//! The server is trusted with the content, not with this process: its bytes pass the guard. One
//! contact never stops a page: what can't be taken is put on the list of what to fetch.

use std::collections::{BTreeSet, HashSet};

use automerge::{Automerge, Change};
use roadbook_protocol::guard::{self, Admitted};
use roadbook_protocol::ids::{Actor, ContactId, Cursor, TimelineId};
use roadbook_protocol::projection::{self, Row};
use roadbook_protocol::wire::{self, Directory, Fetched, KeyAlgorithm, Manifest, Page, PageItem};
use roadbook_protocol::{ChangeHash, document};
use rusqlite::{Connection, params};

use crate::chunk::is_sound_document;
use crate::documents::{contained, follow, heads, holds, holds_all};
use crate::error::{Error, Result};
use crate::reauthor::Base;
use crate::receipt::Receipt;
use crate::replica::{Replica, Write};
use crate::store::contacts::{self, Access, ContactRow};
use crate::store::lists::Quarantining;
use crate::store::meta::{self, key};
use crate::store::{changes, drops, evidence, handed, lists, projections, proposals};

/// Requests of one contact on one connection; what is still not usable then waits for the next.
const ATTEMPTS_MAX: u32 = 4;

/// Where the replica stands after something was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub cursor: Cursor,
    pub unsent: u32,
    pub missing: u32,
}

/// A request for documents that is on its way.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// The wish that the request answers.
    pub wish: i64,
    /// How often the contact was asked for on this connection.
    pub attempts: u32,
}

impl Replica {
    /// Applies a page in one transaction with its cursor.
    pub(crate) fn apply_page(&self, timeline: TimelineId, page: &Page) -> Result<Standing> {
        self.write("page", |write| {
            let mut sealed = write.verified(timeline, page.seal.as_ref(), &page.items)?;
            for (index, item) in page.items.iter().enumerate() {
                write.take_item(item, false)?;
                write.keep_evidence(&mut sealed, index, item)?;
                write.note_removal(item, page.cursor)?;
            }
            write.set_cursor(timeline, page.cursor)?;
            standing(&write.tx)
        })
    }

    /// Puts the contacts of a manifest on the list of what to fetch; with the last part the cursor
    /// becomes the manifest's.
    pub(crate) fn store_manifest(
        &self,
        timeline: TimelineId,
        manifest: &Manifest,
    ) -> Result<Standing> {
        self.write("page", |write| {
            let tx = &write.tx;
            let before = lists::missing_count(tx)?;
            let known = match before {
                0 => 0,
                _ => meta::get::<i64>(tx, key::MANIFEST_TOTAL)?.unwrap_or(0),
            };
            for (place, id) in (known..).zip(&manifest.contacts) {
                lists::want(tx, *id, place)?;
            }
            let total = known + i64::try_from(manifest.contacts.len()).unwrap_or(0);
            meta::set(tx, key::MANIFEST_TOTAL, total)?;
            if manifest.bytes_total > 0 {
                let bytes = i64::try_from(manifest.bytes_total).unwrap_or(i64::MAX);
                meta::set(tx, key::MANIFEST_BYTES, bytes)?;
            }
            if manifest.last {
                write.set_cursor(timeline, manifest.cursor)?;
            }
            write.notices.sync = true;
            standing(&write.tx)
        })
    }

    /// Stores fetched documents and strikes them off the list, in one transaction.
    pub(crate) fn apply_fetched(
        &self,
        timeline: TimelineId,
        fetched: &Fetched,
    ) -> Result<Standing> {
        let standing = self.write("page", |write| {
            let mut sealed = write.verified(timeline, fetched.seal.as_ref(), &fetched.items)?;
            for (index, item) in fetched.items.iter().enumerate() {
                let asked = self.in_flight().get(&item.contact).copied().unwrap_or_default();
                if write.take_item(item, true)? {
                    lists::got(&write.tx, item.contact, asked.wish)?;
                }
                write.keep_evidence(&mut sealed, index, item)?;
                write.note_removal(item, standing(&write.tx)?.cursor)?;
            }
            write.notices.sync = true;
            standing(&write.tx)
        })?;
        Ok(standing)
    }

    /// The next contacts to ask for, other than those that are on their way.
    pub(crate) fn load_missing(
        &self,
        max: usize,
        in_flight: &BTreeSet<ContactId>,
    ) -> Result<Vec<ContactId>> {
        let mut asked = self.in_flight();
        let hopeless = asked.values().filter(|asked| asked.attempts >= ATTEMPTS_MAX).count();
        let candidates =
            self.read(|conn| lists::next_missing(conn, max + in_flight.len() + hopeless))?;
        let mut chosen = Vec::new();
        for missing in candidates {
            let entry = asked.entry(missing.id).or_default();
            if chosen.len() < max
                && !in_flight.contains(&missing.id)
                && entry.attempts < ATTEMPTS_MAX
            {
                *entry = Asked { wish: missing.wish, attempts: entry.attempts + 1 };
                chosen.push(missing.id);
            }
        }
        Ok(chosen)
    }

    /// Takes a directory whose signature is the workspace's; another is ignored.
    pub(crate) fn store_directory(&self, directory: &Directory) -> Result<bool> {
        self.write("directory", |write| {
            let me = self.me(&write.tx)?;
            let key = meta::get::<Vec<u8>>(&write.tx, key::WORKSPACE_KEY)?.unwrap_or_default();
            let text = wire::directory_text(&me.workspace, directory);
            if !wire::verify(KeyAlgorithm::Ed25519, &key, &text, &directory.signature) {
                tracing::warn!("a directory without the workspace's signature was ignored");
                return Ok(false);
            }
            lists::learn(&write.tx, &directory.users, &directory.actors)?;
            if let Some(fields) = &directory.custom_fields {
                write.keep_custom_fields(fields)?;
            }
            Ok(true)
        })
    }
}

/// Where the replica stands.
pub(crate) fn standing(conn: &Connection) -> Result<Standing> {
    let cursor = meta::get::<i64>(conn, key::CURSOR)?.unwrap_or(0).unsigned_abs();
    let unsent = changes::count(conn, Receipt::Saved)? + changes::count(conn, Receipt::Forked)?;
    let missing = lists::missing_count(conn)?;
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Standing { cursor, unsent: small(unsent), missing: small(missing) })
}

impl Write<'_> {
    fn set_cursor(&mut self, timeline: TimelineId, cursor: Cursor) -> Result<()> {
        let number = i64::try_from(cursor).unwrap_or(i64::MAX);
        meta::set(&self.tx, key::TIMELINE, timeline.as_bytes())?;
        meta::set(&self.tx, key::CURSOR, number)?;
        if meta::get::<i64>(&self.tx, key::SERVER_CURSOR)?.unwrap_or(0) < number {
            meta::set(&self.tx, key::SERVER_CURSOR, number)?;
        }
        self.notices.sync = true;
        Ok(())
    }

    /// Takes one item. `false` if the contact is to be fetched (again). Only a failing disk is an
    /// error.
    fn take_item(&mut self, item: &PageItem, fetched: bool) -> Result<bool> {
        let known = contacts::find(&self.tx, item.contact)?;
        let taken = if item.access == wire::Access::Removed {
            self.take_removal(item.contact, known.as_ref(), fetched)
        } else if !item.snapshot.is_empty() {
            self.take_snapshot(item, known)
        } else {
            self.take_changes(item, known.as_ref())
        };
        match taken {
            Ok(true) => Ok(true),
            Ok(false) => {
                lists::want(&self.tx, item.contact, -1)?;
                Ok(false)
            }
            Err(error @ (Error::Storage(_) | Error::File { .. } | Error::Suspended)) => Err(error),
            Err(error) => {
                tracing::warn!(contact = %item.contact, %error, "it is fetched anew");
                self.forget(item.contact);
                lists::want(&self.tx, item.contact, -1)?;
                Ok(false)
            }
        }
    }

    /// That the contact is gone from here is to be confirmed, once it is (rule 18).
    fn note_removal(&self, item: &PageItem, cursor: Cursor) -> Result<()> {
        match item.access {
            wire::Access::Removed => {
                // Late edits of it may be here before or without it.
                let late = proposals::remove(&self.tx, item.contact)?;
                if handed::remove(&self.tx, item.contact)? || late {
                    self.wipe_files()?;
                }
                drops::note(&self.tx, item.contact, cursor)
            }
            _ => Ok(()),
        }
    }

    /// The contact is not this user's any more, or (`fetched`) does not exist at the server.
    fn take_removal(
        &mut self,
        id: ContactId,
        known: Option<&ContactRow>,
        fetched: bool,
    ) -> Result<bool> {
        if !fetched {
            lists::got(&self.tx, id, i64::MAX)?;
        }
        let Some(row) = known else { return Ok(true) };
        // (What the server has lost was merged there once, so it would know: it is not ours now.)
        if fetched
            && row.merged_heads.is_empty()
            && !row.keep_local
            && row.access != Access::Removed
            && !drops::has_receipts(&self.tx, row.id)?
        {
            // Ours, and the server has no document of it: rebuilt under the same id (rule 12).
            if row.set_aside {
                self.swap(row, Base::nothing(row))?;
            }
            return Ok(true);
        }
        if fetched && row.keep_local && evidence::of(&self.tx, row.num)?.is_empty() {
            // The server has lost content of it and nothing here proves that it had it: what others
            // made would be gone with the contact.
            if let Ok(local) = self.document(row) {
                self.keep_lost(row, &local)?;
                self.keep(row.id, local);
            }
        }
        contacts::set_access(&self.tx, row.num, Access::Removed, None, 0)?;
        self.author_anew_here(row)?;
        for change in changes::unmerged_of(&self.tx, row.num)? {
            if change.receipt == Receipt::Forked {
                let why = (
                    "not_yours",
                    "the contact was handed over before this edit could be authored anew; ask the \
                     office to enter it",
                );
                let now = self.now();
                self.quarantine(row, &change, why)?;
                changes::set_receipt(&self.tx, change.pos, Receipt::Quarantined, true, why, now)?;
            }
        }
        if row.set_aside {
            contacts::set_aside(&self.tx, row.num, false)?;
            // What was held back goes out late; a running session has passed its place.
            for change in changes::unmerged_of(&self.tx, row.num)? {
                if change.receipt == Receipt::Saved {
                    changes::offer_again(&self.tx, change.pos)?;
                    self.wake = true;
                }
            }
        }
        if changes::has_unmerged(&self.tx, row.num)? {
            self.touched(row.id);
        } else {
            self.drop_contact(row)?;
        }
        Ok(true)
    }

    /// Edits that wait to be authored anew on the server's document won't get it any more: they are
    /// authored on what is merged of the one here, and go out late. One that can't be stays as it is.
    fn author_anew_here(&mut self, row: &ContactRow) -> Result<()> {
        let waits = |change: &changes::LocalChange| change.receipt == Receipt::Forked;
        if !changes::unmerged_of(&self.tx, row.num)?.iter().any(waits) {
            return Ok(());
        }
        let base = match row.merged_heads.is_empty() {
            true => Base::nothing(row),
            false => {
                let Ok(local) = self.document(row) else { return Ok(()) };
                let what = || format!("contact {}", row.id);
                match contained(what, || local.fork_at(&row.merged_heads)) {
                    Ok(Ok(doc)) => Base {
                        doc,
                        bytes: None,
                        merged_heads: row.merged_heads.clone(),
                        anew: None,
                    },
                    _ => return Ok(()),
                }
            }
        };
        self.swap(row, base)
    }

    fn take_snapshot(&mut self, item: &PageItem, known: Option<ContactRow>) -> Result<bool> {
        if !is_sound_document(&item.snapshot) {
            return Ok(false);
        }
        let row = match known {
            Some(row) => row,
            None => contacts::insert(&self.tx, item.contact, Access::Owner)?,
        };
        self.set_item_access(&row, item)?;
        let new_heads = sorted(&item.heads);
        let unsettled = changes::has_unmerged(&self.tx, row.num)?;
        if !row.set_aside
            && !row.keep_local
            && row.merged_heads == new_heads
            && !new_heads.is_empty()
            && self.opens(&row)?
        {
            return Ok(true);
        }
        if row.heads.is_empty() && !row.set_aside && !unsettled && !new_heads.is_empty() {
            return self.take_unopened(&row, item, &new_heads);
        }
        let doc = guard::load_snapshot(&item.snapshot, self.replica.limits()).map_err(|error| {
            Error::Damaged {
                what: format!("the document of {}", item.contact),
                reason: error.to_string(),
            }
        })?;
        let number = item.generation.unwrap_or(1);
        if number != row.generation {
            return self.take_anew(&row, item, doc, number);
        }
        let mut base = Base::of(doc, item);
        let older = !holds_all(&base.doc, &row.merged_heads);
        if (row.keep_local || row.set_aside || older)
            && let Ok(local) = self.document(&row)
        {
            if row.set_aside && self.stands_on_lost(&row, &local, &base.doc)? {
                self.keep_lost(&row, &local)?;
            } else if row.keep_local || older {
                // The server lost something that is here, or this is older than what is here.
                let mut unsettled = changes::unmerged_of(&self.tx, row.num)?;
                // Late edits are not the server's either.
                let late = "c.receipt = 'proposed' AND c.contact = ?1";
                unsettled.extend(changes::locals(&self.tx, late, params![row.num])?);
                base.unite(&local, &unsettled, &row.merged_heads, row.keep_local)?;
            }
        }
        self.swap(&row, base)?;
        Ok(true)
    }

    /// Takes a document of another generation in the place of the one here (rule 25): never both, since
    /// what they have in common is not the same changes. Which of two is the later one is read from what
    /// they stand for. What was not sent is authored anew on it.
    fn take_anew(
        &mut self,
        row: &ContactRow,
        item: &PageItem,
        doc: Automerge,
        number: u64,
    ) -> Result<bool> {
        let found = document::generation(&doc);
        if found.number != number {
            return Err(Error::Damaged {
                what: format!("the document of {}", row.id),
                reason: format!("it is of generation {}, not {number}", found.number),
            });
        }
        let not_shown =
            evidence::is_any(&self.tx, row.num)? && evidence::is_due(&self.tx, row.num)?;
        if row.keep_local && not_shown {
            // The server was restored and is going to be brought the document that is here. It is asked
            // for its own again when it has answered.
            return Ok(true);
        }
        if let Ok(local) = self.document(row) {
            let here = document::generation(&local);
            let theirs = found.edits(&doc);
            let mut lost = here.edits(&local);
            lost.retain(|hash| !theirs.contains(hash));
            for own in changes::unmerged_of(&self.tx, row.num)? {
                lost.remove(&own.hash);
            }
            let stands_for = |hash: &ChangeHash| here.holds(&local, hash);
            if !row.keep_local && heads(&doc).iter().all(stands_for) {
                // It was asked for before the one that is here came.
                self.keep(row.id, local);
                return Ok(false);
            }
            let mut others = false;
            for hash in &lost {
                let own = changes::find_local(&self.tx, row.num, hash)?;
                others |= own.is_none_or(|own| own.edit.is_none());
            }
            if others {
                self.keep_lost(row, &local)?;
            }
            if !lost.is_empty() {
                // The server was restored, and was not given back what it had merged.
                changes::not_merged_any_more(&self.tx, row.num)?;
            }
        }
        let base = Base { anew: Some(found), ..Base::of(doc, item) };
        self.swap(row, base)?;
        Ok(true)
    }

    /// Whether the document of a contact can be opened. One that can't be is asked for, and the answer
    /// takes its place even if the heads beside it say that it is the same.
    fn opens(&mut self, row: &ContactRow) -> Result<bool> {
        match self.document(row) {
            Ok(doc) => {
                self.keep(row.id, doc);
                Ok(true)
            }
            Err(Error::Damaged { .. }) => {
                self.forget(row.id);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the document here has others' changes that the server lost, and does not get back: our
    /// edits that stand on them wait there in vain.
    fn stands_on_lost(
        &self,
        row: &ContactRow,
        local: &Automerge,
        theirs: &Automerge,
    ) -> Result<bool> {
        let own: HashSet<Actor> = lists::all_own_actors(&self.tx)?.into_iter().collect();
        let held: Vec<ChangeHash> =
            row.merged_heads.iter().filter(|head| holds(local, head)).copied().collect();
        Ok(local.get_changes_meta(&held).iter().any(|meta| {
            !holds(theirs, &meta.hash)
                && !document::bootstraps().iter().any(|bootstrap| bootstrap.hash == meta.hash)
                && Actor::from_slice(meta.actor.to_bytes())
                    .is_none_or(|actor| !own.contains(&actor))
        }))
    }

    /// The last resort of rule 3: others' edits that the server lost and that no evidence covers (they
    /// came before evidence was kept). Only their own devices can bring them back. Our edits go on
    /// without them; the document as it was is kept.
    fn keep_lost(&mut self, row: &ContactRow, local: &Automerge) -> Result<()> {
        let bytes = contained(|| format!("contact {}", row.id), || local.save_nocompress())?;
        let name = self.display_name(row);
        lists::quarantine(
            &self.tx,
            &Quarantining {
                contact: row.id,
                display_name: &name,
                edit: None,
                hash: None,
                bytes: Some(&bytes),
                commands: "[]",
                label: "document",
                at: self.now(),
                code: "lost_by_server",
                reason: "the server was restored from a backup and lost others' edits of this contact; \
                         the document as it was on this device is kept here",
                now: self.now(),
            },
        )
    }

    /// Stores a document that is new here without opening it, with the row that came along.
    fn take_unopened(
        &mut self,
        row: &ContactRow,
        item: &PageItem,
        new_heads: &[ChangeHash],
    ) -> Result<bool> {
        let shipped = serde_json::from_str::<Row>(&item.row)
            .ok()
            .filter(|shipped| shipped.version == projection::VERSION && shipped.id == row.id);
        let (derived, trusted) = match shipped {
            Some(shipped) => (shipped, false),
            None => {
                let doc = guard::load_snapshot(&item.snapshot, self.replica.limits()).map_err(
                    |error| Error::Damaged {
                        what: format!("the document of {}", row.id),
                        reason: error.to_string(),
                    },
                )?;
                (
                    contained(
                        || format!("contact {}", row.id),
                        || projection::project(row.id, &doc),
                    )?,
                    true,
                )
            }
        };
        contacts::set_generation(&self.tx, row.num, item.generation.unwrap_or(1))?;
        contacts::set_snapshot(&self.tx, row.num, &item.snapshot, trusted)?;
        contacts::set_heads(&self.tx, row.num, new_heads)?;
        contacts::set_merged_heads(&self.tx, row.num, new_heads)?;
        projections::put(&self.tx, row.num, &derived)?;
        self.forget(row.id);
        self.touched(row.id);
        Ok(true)
    }

    /// Merged changes of a contact that is here; or only how it is held now.
    fn take_changes(&mut self, item: &PageItem, known: Option<&ContactRow>) -> Result<bool> {
        let Some(row) = known else { return Ok(false) };
        self.set_item_access(row, item)?;
        if row.set_aside || row.heads.is_empty() {
            return Ok(false);
        }
        if item.changes.is_empty() && item.heads.is_empty() {
            return Ok(true);
        }
        if item.generation.unwrap_or(1) != row.generation {
            return Ok(false);
        }
        let mut doc = self.document(row)?;
        let incoming = self.admit(row, item)?;
        let fresh: Vec<&(Admitted, &[u8])> =
            incoming.iter().filter(|(admitted, _)| !holds(&doc, &admitted.hash)).collect();
        if self.found_fork(row, &fresh)? {
            return Ok(false);
        }
        let merged = self.merged_with(row, &doc, &incoming, item);
        if !fresh.is_empty() {
            let mut parsed = Vec::with_capacity(fresh.len());
            for (_, bytes) in &fresh {
                parsed.push(Change::from_bytes(bytes.to_vec()).map_err(|error| {
                    Error::Damaged {
                        what: format!("a change of contact {}", row.id),
                        reason: error.to_string(),
                    }
                })?);
            }
            if !self.apply_fresh(row, &mut doc, parsed, &fresh)? {
                return Ok(false);
            }
        }
        if !holds_all(&doc, &merged) {
            self.forget(row.id);
            return Ok(false);
        }
        for (admitted, bytes) in &fresh {
            changes::insert_merged(&self.tx, row.num, &admitted.hash, bytes)?;
        }
        self.own_are_merged(row, &incoming)?;
        contacts::set_merged_heads(&self.tx, row.num, &merged)?;
        if heads(&doc) == merged {
            self.all_is_merged(row)?;
        }
        if fresh.is_empty() {
            self.keep(row.id, doc);
            return Ok(true);
        }
        self.document_changed(row, doc)?;
        Ok(true)
    }

    /// What is merged at the server after this item: as it says, or followed change by change.
    fn merged_with(
        &self,
        row: &ContactRow,
        doc: &Automerge,
        incoming: &[(Admitted, &[u8])],
        item: &PageItem,
    ) -> Vec<ChangeHash> {
        if !item.heads.is_empty() {
            return sorted(&item.heads);
        }
        let mut merged = row.merged_heads.clone();
        // What is here already may be merged already: an own change whose fate came first, or what
        // a fetched document brought.
        let not_merged: Option<Vec<ChangeHash>> = incoming
            .iter()
            .any(|(admitted, _)| holds(doc, &admitted.hash))
            .then(|| doc.get_changes_meta(&merged).iter().map(|meta| meta.hash).collect());
        for (admitted, _) in incoming {
            let news = !holds(doc, &admitted.hash)
                || not_merged.as_ref().is_some_and(|hashes| hashes.contains(&admitted.hash));
            if news {
                follow(&mut merged, admitted.hash, &admitted.deps);
            }
        }
        merged
    }

    /// Own changes among what came down are merged.
    fn own_are_merged(&mut self, row: &ContactRow, incoming: &[(Admitted, &[u8])]) -> Result<()> {
        let now = self.now();
        for (admitted, _) in incoming {
            if let Some(own) = changes::find_local(&self.tx, row.num, &admitted.hash)?
                && own.receipt.may_become(Receipt::Merged)
            {
                changes::set_receipt(&self.tx, own.pos, Receipt::Merged, true, ("", ""), now)?;
                self.notices.contacts.insert(row.id);
            }
        }
        Ok(())
    }

    /// Applies changes that are new here. `false` if the document does not take them: it is thrown
    /// away and fetched.
    fn apply_fresh(
        &mut self,
        row: &ContactRow,
        doc: &mut Automerge,
        parsed: Vec<Change>,
        fresh: &[&(Admitted, &[u8])],
    ) -> Result<bool> {
        let applied = contained(|| format!("contact {}", row.id), || doc.apply_changes(parsed));
        let taken = matches!(applied, Ok(Ok(())))
            && fresh.iter().all(|(admitted, _)| holds(doc, &admitted.hash))
            && automerge::ReadDoc::get_missing_deps(doc, &[]).is_empty();
        if !taken {
            self.forget(row.id);
        }
        Ok(taken)
    }

    fn admit<'i>(&self, row: &ContactRow, item: &'i PageItem) -> Result<Vec<(Admitted, &'i [u8])>> {
        let bootstraps: Vec<(ChangeHash, &[u8])> =
            document::bootstraps().iter().map(|b| (b.hash, b.bytes)).collect();
        item.changes
            .iter()
            .map(|bytes| {
                let admitted =
                    guard::gate1(bytes, self.replica.limits(), &bootstraps).map_err(|error| {
                        Error::Damaged {
                            what: format!("a change of contact {}", row.id),
                            reason: error.to_string(),
                        }
                    })?;
                Ok((admitted, bytes.as_slice()))
            })
            .collect()
    }

    /// A merged change with the actor and number of one of our unmerged changes: this replica was
    /// copied (rule 11). The contact is set aside, the rest of the page goes on.
    fn found_fork(&mut self, row: &ContactRow, fresh: &[&(Admitted, &[u8])]) -> Result<bool> {
        if fresh.is_empty() || !changes::has_unmerged(&self.tx, row.num)? {
            return Ok(false);
        }
        let unsettled = changes::unmerged_of(&self.tx, row.num)?;
        let clash = unsettled.iter().find(|own| {
            own.edit.is_some()
                && fresh.iter().any(|(other, _)| other.actor == own.actor && other.seq == own.seq)
        });
        let Some(own) = clash else { return Ok(false) };
        let why = ("forked", "another copy of this device made an edit under the same number");
        let now = self.now();
        changes::set_receipt(&self.tx, own.pos, Receipt::Forked, false, why, now)?;
        self.retire(own.actor)?;
        self.set_aside(row)?;
        Ok(true)
    }

    /// The server's heads are ours: whatever we made is in it.
    fn all_is_merged(&mut self, row: &ContactRow) -> Result<()> {
        let now = self.now();
        if changes::all_merged(&self.tx, row.num, now)? > 0 {
            self.notices.contacts.insert(row.id);
            self.notices.sync = true;
        }
        Ok(())
    }

    fn set_item_access(&mut self, row: &ContactRow, item: &PageItem) -> Result<()> {
        let access = match item.access {
            wire::Access::Owner => Access::Owner,
            wire::Access::Collaborator => Access::Collaborator,
            wire::Access::Removed => Access::Removed,
        };
        contacts::set_access(&self.tx, row.num, access, item.owner, item.epoch)
    }
}

fn sorted(hashes: &[ChangeHash]) -> Vec<ChangeHash> {
    let mut hashes = hashes.to_vec();
    hashes.sort_unstable();
    hashes
}
