//! A contact's document begins anew: the next generation (rule 25).
//!
//! Under the contact's lock, like any merge: what is pending is merged, the document of the present
//! state takes the place of the one before, and everything that follows from it is written in one
//! transaction. Devices get the whole document. What they made on the old one comes too late for it:
//! it is answered as replaced by what is to be authored anew, and their commands are.
//!
//! Where the cause is a limit, the old document is kept as an archive. Where it is a person's mention,
//! it goes, with everything beside it that held text.
//!
//! A server that was restored to before a rewrite is brought the later generation by devices, on
//! evidence (rule 3), in one piece. It takes it in the place of its own document if that document stands
//! for every change that was merged here, and else quarantines it: two generations are never mixed. With
//! it comes which edits it stands for, change by change, so that none of them is merged again.

use std::collections::{BTreeSet, HashMap, HashSet};

use automerge::{Automerge, ReadDoc};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{self, Generation, Rewrite, bootstraps, generation_count};
use roadbook_protocol::guard::{self, Incoming};
use roadbook_protocol::ids::{Actor, ContactId, Cursor, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::Fate;
use rusqlite::{Connection, Transaction};
use serde::Serialize;
use serde_json::json;

use super::handle::Engine;
use super::merge::{Derived, Key, Merger, Prepared, Refused, ServerAuthor, Stored};
use super::types::{AuthorOutcome, Authored, Event};
use crate::store::changes::Pending;
use crate::store::contacts::Contact;
use crate::store::generations::{self, Archived, Beside, Written};
use crate::store::ledger::{self, Record};
use crate::store::{EngineError, Result, audit, changes, contacts, documents, erasures};

/// Why a change of another generation than the contact's is set aside.
pub(super) const CODE: &str = "generation";

/// How a contact is begun anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewriteOrder {
    /// A short code, kept in the audit log.
    pub reason: String,
    /// Whether the old document goes for good, with deleted entries, archives, late edits that were
    /// decided and changes that were set aside: what held text that must be gone.
    pub purge: bool,
    /// With `purge`: whether quarantined changes go too. Without it a contact that has any is refused.
    pub quarantined_too: bool,
}

/// What a rewrite would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RewritePreview {
    /// The generation that the contact is at.
    pub generation: u64,
    /// Its document now: changes, operations, actors, bytes.
    pub before: Size,
    /// The fresh one.
    pub after: Size,
    /// What there is beside it.
    pub beside: Beside,
}

/// How large a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Changes.
    pub changes: u64,
    /// Operations.
    pub operations: u64,
    /// Actors.
    pub actors: u64,
    /// Bytes, saved without compression.
    pub bytes: u64,
}

impl Size {
    fn of(doc: &Automerge, bytes: u64) -> Self {
        let stats = doc.stats();
        Self {
            changes: stats.num_changes,
            operations: stats.num_ops,
            actors: stats.num_actors,
            bytes,
        }
    }

    /// Whether the document has reached this share of a limit.
    fn reaches(&self, limits: &Limits, share: (u64, u64)) -> bool {
        let full =
            |size: u64, max: u64| size.saturating_mul(share.1) >= max.saturating_mul(share.0);
        full(self.changes, limits.document_changes_max)
            || full(self.operations, limits.document_ops_max)
            || full(self.actors, limits.document_actors_max as u64)
            || full(self.bytes, limits.document_bytes_max as u64)
    }
}

/// At this share of a limit a document is begun anew by itself.
const DUE: (u64, u64) = (3, 4);
/// Unless the fresh one would still have this share.
const WORTH: (u64, u64) = (5, 8);
/// With this share nobody could go on with a fresh one.
const FULL: (u64, u64) = (15, 16);

/// What the commit of a rewrite writes beside what every merge writes.
#[derive(Debug)]
pub struct Turn {
    generation: u64,
    /// What the rewrite wrote; empty where the changes came through the log.
    written: Vec<Written>,
    /// Where devices brought the document: what it stands for, and the change that goes for it.
    brought: Option<(Generation, ChangeHash)>,
    server: Option<Actor>,
    archive: Option<(u64, Vec<ChangeHash>, Vec<u8>)>,
    purge: bool,
    quarantined_too: bool,
    by: Option<UserId>,
    why: String,
    before: Option<Size>,
}

impl Turn {
    /// Writes it, behind the snapshot and the contact's row.
    ///
    /// # Errors
    /// What the database says.
    pub(super) fn write(
        &self,
        tx: &Transaction<'_>,
        key: Key,
        cursor: Cursor,
        derived: &Derived,
        now: UnixMs,
    ) -> Result<()> {
        let changes = changes_of(&derived.doc);
        if let Some((found, head)) = &self.brought {
            generations::take_over(tx, key, found, head)?;
        }
        generations::begin(tx, key, self.generation, cursor, changes, &self.written)?;
        let record = Record::Generation { contact: key.1, number: self.generation };
        ledger::note(tx, key.0, record)?;
        if let Some(server) = self.server {
            generations::register_actors(tx, key.0, server, &self.written, now)?;
        }
        if self.purge {
            generations::purge_beside(tx, key)?;
            erasures::note_unscrubbed(tx, key.0)?;
        } else if let Some((generation, heads, bytes)) = &self.archive {
            let old = Archived { generation: *generation, heads, bytes };
            generations::keep(tx, key, &old, now)?;
        }
        super::failpoint("rewrite_before_commit");
        let detail = json!({
            "generation": generation_count(self.generation),
            "reason": self.why,
            "purged": self.purge,
            "before": self.before,
            "after": Size::of(&derived.doc, derived.document_bytes),
        });
        audit::append(tx, key.0, now, self.by, "contact.rewrite", &key.1.to_string(), &detail)
    }

    /// Whether the document can still take the place of the one here, as rows are now.
    pub(super) fn is_possible(
        &self,
        tx: &Transaction<'_>,
        key: Key,
        doc: &Automerge,
    ) -> Result<bool> {
        match &self.brought {
            Some((found, _)) => Ok(why_not(tx, key, found, doc)?.is_none()),
            None if self.purge => Ok(in_the_way(tx, key, self.quarantined_too)?.is_none()),
            None => Ok(true),
        }
    }

    /// The generation that was brought is not taken: the contact goes on with its own, and whoever was
    /// told nothing of that meanwhile is. Returns the cursor at which, and whom it concerns.
    pub(super) fn give_up(
        &self,
        tx: &Transaction<'_>,
        key: Key,
    ) -> Result<Option<(Cursor, Vec<UserId>)>> {
        generations::give_up(tx, key, Some(self.generation))
    }
}

/// Stored changes that are not of the generation which the contact is at: those of an older one are made
/// anew by their devices; a later one was not taken.
pub(super) fn of_another(contact: &Contact, changes: &[Pending]) -> Vec<Refused> {
    let refused = |change: &Pending| {
        let older = generation_count(change.generation) < generation_count(contact.generation);
        let (fate, code, reason) = match older {
            true => (
                Fate::Replaced,
                "dependency",
                format!(
                    "the document of contact {} was begun anew since; the edit is made again on that",
                    contact.id
                ),
            ),
            false => (
                Fate::Quarantined,
                CODE,
                format!(
                    "contact {} goes on without a later document; ask your administrator",
                    contact.id
                ),
            ),
        };
        Refused {
            pending: Stored { seq: change.seq, hash: change.hash, device: change.device },
            fate,
            code: code.to_owned(),
            reason,
        }
    };
    changes.iter().map(refused).collect()
}

/// Why a contact takes no edit for now.
pub(super) fn awaited(contact: &Contact) -> EngineError {
    EngineError::Refused {
        code: CODE,
        reason: format!(
            "the document of contact {} was begun anew after the backup that was restored; the next device that has \
             it brings it. Where none is left, `rewrite {} --give-up` goes on with the document that is here",
            contact.id, contact.id
        ),
    }
}

/// The changes of a document that are not built in.
fn changes_of(doc: &Automerge) -> u64 {
    let built_in =
        bootstraps().iter().filter(|b| doc.get_change_meta_by_hash(&b.hash).is_some()).count();
    doc.stats().num_changes.saturating_sub(built_in as u64)
}

impl Merger {
    /// Prepares a rewrite on top of what `prepared` merged.
    pub(super) fn turn(
        &self,
        conn: &Connection,
        prepared: &mut Prepared,
        doc: &Automerge,
        author: ServerAuthor,
        (order, by): (&RewriteOrder, Option<UserId>),
    ) -> Result<Automerge> {
        let contact =
            prepared.contact.as_ref().ok_or_else(|| EngineError::not_found("the contact"))?;
        if order.purge {
            if let Some(error) = in_the_way(conn, prepared.key, order.quarantined_too)? {
                return Err(error);
            }
            let set_aside = |one: &&Refused| one.fate == Fate::Quarantined;
            let now = prepared.refused.iter().filter(set_aside).count() as u64;
            if now > 0 && !order.quarantined_too {
                return Err(quarantined(prepared.key, now));
            }
        }
        let fresh = fresh_document(conn, prepared.key, contact, doc, order.purge, &self.limits)?;
        let generation = document::generation(&fresh).number;
        let old = documents::save(doc);
        let before = Size::of(doc, old.len() as u64);
        let mut heads = doc.get_heads();
        heads.sort_unstable();
        let written = fresh
            .get_changes_meta(&[])
            .into_iter()
            .filter(|meta| doc.get_change_meta_by_hash(&meta.hash).is_none())
            .filter_map(|meta| {
                let actor = Actor::from_slice(meta.actor.to_bytes())?;
                Some(Written { hash: meta.hash, actor, seq: meta.seq })
            })
            .collect();
        prepared.turn = Some(Turn {
            generation,
            written,
            brought: None,
            server: Some(author.actor),
            archive: (!order.purge).then_some((contact.generation, heads, old)),
            purge: order.purge,
            quarantined_too: order.quarantined_too,
            by,
            why: order.reason.clone(),
            before: Some(before),
        });
        Ok(fresh)
    }

    /// Begins a contact's document anew where it has come near a limit, if that makes room.
    ///
    /// # Errors
    /// What the database says, and [`EngineError::Damaged`].
    pub(super) fn renew(
        &mut self,
        conn: &Connection,
        key: Key,
        actor: Actor,
        now: UnixMs,
    ) -> Result<Option<Prepared>> {
        let Some(contact) = contacts::find(conn, key.0, key.1)? else { return Ok(None) };
        if contact.erased_at.is_some() || contact.cursor == 0 || contact.adopting > 0 {
            return Ok(None);
        }
        // What was tried in vain is tried again when the contact has grown by a fiftieth.
        let grown = contact.changes.max(contact.document_bytes / 64);
        if self.in_vain.get(&key).is_some_and(|then| grown < then + then / 50 + 1) {
            return Ok(None);
        }
        let doc = self.base(conn, key, &contact)?;
        let size = Size::of(&doc, contact.document_bytes);
        let mut prepared = Prepared::nothing(key, Some(contact), now);
        if !size.reaches(&self.limits, DUE) {
            self.put_back_doc(&prepared, doc);
            return Ok(None);
        }
        let author = ServerAuthor { actor, by: UserId::from_bytes([0; 16]), now };
        let order =
            RewriteOrder { reason: "limit".to_owned(), purge: false, quarantined_too: false };
        let fresh = self.turn(conn, &mut prepared, &doc, author, (&order, None));
        let worth = |fresh: &Automerge| {
            let bytes = documents::save(fresh).len() as u64;
            !Size::of(fresh, bytes).reaches(&self.limits, WORTH)
        };
        match fresh {
            Ok(fresh) if worth(&fresh) => {
                self.in_vain.remove(&key);
                prepared.begin_with(conn, fresh)?;
                Ok(Some(prepared))
            }
            other => {
                if let Err(error) = other {
                    tracing::warn!(contact = %key.1, %error, "it is near a limit");
                }
                if self.in_vain.len() > IN_VAIN_MAX {
                    self.in_vain.clear();
                }
                self.in_vain.insert(key, grown);
                self.put_back_doc(&prepared, doc);
                Ok(None)
            }
        }
    }

    /// Whether a document has come near a limit.
    pub(super) fn is_near(&self, derived: &Derived) -> bool {
        Size::of(&derived.doc, derived.document_bytes).reaches(&self.limits, DUE)
    }

    /// Takes the later generation that devices bring to a restored server; `None` where none is stored.
    ///
    /// # Errors
    /// What the database says, and [`EngineError::Damaged`].
    pub(super) fn adopt(
        &mut self,
        conn: &Connection,
        key: Key,
        contact: &Contact,
        now: UnixMs,
    ) -> Result<Option<Prepared>> {
        let Some(number) = generations::brought(conn, key, contact.generation)? else {
            return Ok(None);
        };
        let of_it = changes::stored_of(conn, key.0, key.1, number)?;
        let mut prepared = Prepared::nothing(key, Some(contact.clone()), now);
        prepared.more = true;
        let incoming =
            of_it.iter().map(|p| Incoming { hash: p.hash, bytes: p.bytes.clone() }).collect();
        let merged =
            guard::merge(&document::new_document(), incoming, &self.limits).map_err(|error| {
                EngineError::damaged(format!("a document of contact {}", key.1), error)
            })?;
        let found = document::generation(&merged.doc);
        let why_not = match found.complete && found.number == number {
            false => Some("it did not come as a whole".to_owned()),
            true => why_not(conn, key, &found, &merged.doc)?,
        };
        let refusals: HashMap<ChangeHash, String> = match &why_not {
            None => merged.refused.iter().map(|(hash, e)| (*hash, e.to_string())).collect(),
            Some(why) => of_it
                .iter()
                .map(|change| {
                    let what = "the later document of this contact is not taken";
                    (change.hash, format!("{what}: {why}; ask your administrator"))
                })
                .collect(),
        };
        for change in of_it {
            let stored = Stored { seq: change.seq, hash: change.hash, device: change.device };
            match refusals.get(&change.hash) {
                Some(reason) => prepared.refused.push(Refused {
                    pending: stored,
                    fate: Fate::Quarantined,
                    code: CODE.to_owned(),
                    reason: reason.clone(),
                }),
                None => prepared.merged.push(stored),
            }
        }
        let old = self.base(conn, key, contact)?;
        let mut heads = old.get_heads();
        heads.sort_unstable();
        // (A past that is to be gone for good is not kept.)
        let archive = (contact.cursor > 0 && why_not.is_none() && !found.purged)
            .then(|| (contact.generation, heads, documents::save(&old)));
        let head = merged.heads.first().copied();
        prepared.turn = Some(Turn {
            generation: number,
            written: Vec::new(),
            brought: why_not.is_none().then_some(found).zip(head),
            server: None,
            archive,
            purge: false,
            quarantined_too: false,
            by: None,
            why: "adopted".to_owned(),
            before: Some(Size::of(&old, contact.document_bytes)),
        });
        match why_not {
            None => prepared.begin_with(conn, merged.doc)?,
            Some(_) => self.put_back_doc(&prepared, old),
        }
        Ok(Some(prepared))
    }
}

/// Why a document that was brought can't take the place of the one here, if it can't: it has to stand for
/// every change that was merged here, and for no late edit that waits here for a decision.
fn why_not(
    conn: &Connection,
    key: Key,
    found: &Generation,
    doc: &Automerge,
) -> Result<Option<String>> {
    let built_in: HashSet<ChangeHash> = bootstraps().iter().map(|b| b.hash).collect();
    let merged = generations::merged(conn, key)?;
    let lacks = |hash: &&ChangeHash| !built_in.contains(hash) && !found.holds(doc, hash);
    if let Some(hash) = merged.iter().find(lacks) {
        return Ok(Some(format!("change {hash}, which was merged here, is not part of it")));
    }
    let waits = generations::undecided(conn, key)?;
    let replaced: HashSet<ChangeHash> = found.replaced.iter().map(|(_, hash)| *hash).collect();
    let decided = waits
        .iter()
        .find(|(hash, twice)| found.holds(doc, hash) || *twice && replaced.contains(hash));
    Ok(decided.map(|(hash, _)| {
        format!("late edit {hash}, which waits here for a decision, may be part of it")
    }))
}

/// What has to be decided before everything beside a contact's document goes for good.
fn in_the_way(conn: &Connection, key: Key, quarantined_too: bool) -> Result<Option<EngineError>> {
    let beside = generations::beside(conn, key)?;
    if beside.undecided > 0 {
        return Ok(Some(EngineError::Refused {
            code: "undecided",
            reason: format!(
                "{} late edits of contact {} wait for a decision: accept or decline them first",
                beside.undecided, key.1
            ),
        }));
    }
    Ok((beside.quarantined > 0 && !quarantined_too).then(|| quarantined(key, beside.quarantined)))
}

fn quarantined(key: Key, changes: u64) -> EngineError {
    EngineError::Refused {
        code: "quarantined",
        reason: format!(
            "{changes} changes of contact {} are in quarantine and may hold what is to go: export them, then say \
             that they go too",
            key.1
        ),
    }
}

/// The document of the present state of a contact, as its next generation.
fn fresh_document(
    conn: &Connection,
    key: Key,
    contact: &Contact,
    doc: &Automerge,
    purge: bool,
    limits: &Limits,
) -> Result<Automerge> {
    let before = document::generation(doc);
    let replaced: BTreeSet<(UserId, ChangeHash)> = generations::replacements(conn, key)?
        .into_iter()
        .filter(|one| before.holds(doc, &one.by))
        .map(|one| (one.user, one.hash))
        .collect();
    let how = Rewrite {
        generation: generation_count(contact.generation) + 1,
        strip_deleted: purge,
        replaced: replaced.into_iter().collect(),
    };
    let refused = |reason| EngineError::Refused { code: CODE, reason };
    let fresh = document::rewrite(key.1, doc, &how, limits).map_err(|e| refused(e.to_string()))?;
    let size = Size::of(&fresh, documents::save(&fresh).len() as u64);
    if size.reaches(limits, FULL) {
        return Err(refused(format!(
            "the fresh document of contact {} would be near a limit too: it has to name every edit that it \
             stands for, so that none is made twice; it stays as it is",
            key.1
        )));
    }
    Ok(fresh)
}

/// Contacts of which it is remembered that a rewrite makes no room.
const IN_VAIN_MAX: usize = 10_000;

impl Engine {
    /// Begins the document of a contact anew. Durable, merged and in the audit log when it returns; with
    /// `purge` the files are scrubbed too. Returns the generation, and whether they are. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; [`EngineError::Refused`] where the document can't be begun anew, or
    /// where late edits or quarantined changes are in the way. An error means that nothing was done; where
    /// only the files could not be scrubbed yet, the second value says so.
    pub fn rewrite(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        contact: ContactId,
        order: RewriteOrder,
    ) -> Result<(u64, bool)> {
        super::erase::check_reason(&order.reason)?;
        let key = (workspace, contact);
        let purge = order.purge;
        let item = Authored { rewrite: Some((order, by)), ..Authored::edit(contact, Vec::new()) };
        let nobody = by.unwrap_or(UserId::from_bytes([0; 16]));
        match self.author_unseen(workspace, nobody, item)? {
            AuthorOutcome::Refused(error) => return Err(error),
            AuthorOutcome::Merged { .. } | AuthorOutcome::Unchanged => {}
        }
        let generation = self
            .read(|conn| contacts::find(conn, workspace, contact))?
            .map_or(1, |contact| generation_count(contact.generation));
        // It is done, whatever the files say: what is not scrubbed now is scrubbed at the next start.
        let scrubbed = !purge
            || self.scrub(vec![key]).unwrap_or_else(|error| {
                tracing::warn!(%error, "the files are not scrubbed yet; the next erasure or start does it");
                false
            });
        Ok((generation, scrubbed))
    }

    /// Goes on with the document that is here, although the contact was begun anew in a past that this
    /// server has lost: nobody is left who could bring that. Durable, in the audit log. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where nothing is waited for.
    pub fn give_up_generation(
        &self,
        workspace: WorkspaceId,
        by: Option<UserId>,
        contact: ContactId,
    ) -> Result<()> {
        let now = self.now_ms();
        let told = self.write(move |tx| {
            let waits = contacts::find(tx, workspace, contact)?.is_some_and(|c| c.adopting > 0);
            if !waits {
                return Err(EngineError::Refused {
                    code: CODE,
                    reason: format!("contact {contact} waits for no later document"),
                });
            }
            let told = generations::give_up(tx, (workspace, contact), None)?;
            let subject = contact.to_string();
            audit::append(tx, workspace, now, by, "contact.give-up", &subject, &json!({}))?;
            Ok(told)
        })?;
        if let Some((cursor, users)) = told {
            let users = users.into_iter().collect();
            self.publish(Event::Access {
                workspace,
                cursor,
                users,
                contacts: vec![contact].into(),
            });
        }
        self.shared.shards.merge((workspace, contact));
        Ok(())
    }

    /// What [`Self::rewrite`] would do. Blocking.
    ///
    /// # Errors
    /// As it.
    pub fn preview_rewrite(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
        purge: bool,
    ) -> Result<RewritePreview> {
        self.read(|conn| {
            let found = contacts::find(conn, workspace, contact)?
                .filter(|found| found.erased_at.is_none() && found.cursor > 0)
                .ok_or_else(|| EngineError::not_found(format!("contact {contact}")))?;
            let doc = documents::document(conn, workspace, &found)?;
            let key = (workspace, contact);
            let fresh = fresh_document(conn, key, &found, &doc, purge, self.limits())?;
            Ok(RewritePreview {
                generation: generation_count(found.generation),
                before: Size::of(&doc, documents::save(&doc).len() as u64),
                after: Size::of(&fresh, documents::save(&fresh).len() as u64),
                beside: generations::beside(conn, (workspace, contact))?,
            })
        })
    }
}
