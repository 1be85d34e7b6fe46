//! The merge: stored changes become part of documents.
//!
//! [`Merger`] prepares: it reads pending changes and the document (from its cache, or put together
//! from snapshot and log), passes them through gate 2, derives the projection, and gives a
//! [`Prepared`] to be committed by [`super::commit`]. It has no thread, clock or randomness. What it
//! prepares for one contact must be committed (or dropped) before it prepares that contact again:
//! the thread that owns a contact is the contact's lock.
//!
//! A document that failed is thrown away and put together anew, never reused (rule 9).

use std::collections::{HashMap, HashSet};

use automerge::Automerge;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{
    self, Applied, Author, CommandError, EditOptions, NotReplayed, bootstraps,
};
use roadbook_protocol::guard::{self, GateError, Incoming};
use roadbook_protocol::ids::{Actor, ContactId, Cursor, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::projection;
use roadbook_protocol::wire::Fate;
use rusqlite::Connection;

use super::cache::DocumentCache;
use super::late;
use super::turn::{self, Turn};
use super::types::{Authored, CHANGED};
use crate::store::bulk::Mark;
use crate::store::changes::Pending;
use crate::store::contacts::Contact;
use crate::store::projections::Prepared as PreparedRow;
use crate::store::proposals::{Decision, ItemState, TakenApart};
use crate::store::{
    EngineError, Result, changes, contacts, documents, facts, people, proposals, sorting,
};

/// A contact of a workspace.
pub type Key = (WorkspaceId, ContactId);

/// Pending changes of one contact that are merged in one go at most.
const PENDING_CHANGES_MAX: usize = 1_000;
/// And their bytes.
const PENDING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A snapshot is due when the changes since the last one have so many bytes, or a quarter of the
/// document's: then the work of writing snapshots is a constant share of the bytes that came in.
const SNAPSHOT_BYTES_MIN: u64 = 1_024;
/// The share of the document, as a divisor.
const SNAPSHOT_SHARE: u64 = 4;
/// So many raw changes of a contact are kept beside its snapshot, so that a device that was away for
/// a while gets changes instead of a document.
pub const RAW_CHANGES_KEPT: u32 = 64;

/// So many replaced changes are named in the message of the server's change.
const REPLACES_TOLD_MAX: usize = 16;

/// A change that was refused at gate 2.
#[derive(Debug)]
pub struct Refused {
    /// The stored change.
    pub pending: Stored,
    /// Its fate.
    pub fate: Fate,
    /// A stable short code.
    pub code: String,
    /// For a person.
    pub reason: String,
}

/// A stored change without its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    /// Its place in the log.
    pub seq: i64,
    /// The change.
    pub hash: ChangeHash,
    /// The device that sent it.
    pub device: Option<DeviceId>,
}

/// A change that the server made.
#[derive(Debug)]
pub struct Made {
    /// In whose name.
    pub by: UserId,
    /// The server's actor.
    pub actor: Actor,
    /// Its sequence number in this document.
    pub actor_seq: u64,
    /// The change.
    pub hash: ChangeHash,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it replaces.
    pub replaces: Vec<ChangeHash>,
}

/// A merge of one contact, ready to be committed.
#[derive(Debug)]
pub struct Prepared {
    /// The contact.
    pub key: Key,
    /// The contact as it was read; `None` if this creates it.
    pub contact: Option<Contact>,
    /// With `contact: None`: its owner.
    pub owner: Option<UserId>,
    /// Now.
    pub now: UnixMs,
    /// Stored changes that are merged.
    pub merged: Vec<Stored>,
    /// Stored changes that are not.
    pub refused: Vec<Refused>,
    /// A server's change, made on top.
    pub made: Option<Made>,
    /// What follows from the document; `None` if it did not change.
    pub derived: Option<Derived>,
    /// Late edits that were taken apart, to be decided about.
    pub taken_apart: Option<TakenApart>,
    /// The decision about proposals that this carries out.
    pub decision: Option<Decision>,
    /// The document begins anew with this.
    pub turn: Option<Turn>,
    /// The bulk action that the server's change belongs to.
    pub mark: Option<Mark>,
    /// Whether more is left to be done.
    pub more: bool,
}

/// What is derived from a document that changed.
#[derive(Debug)]
pub struct Derived {
    /// The document, for the cache.
    pub doc: Automerge,
    /// Its heads, sorted.
    pub heads: Vec<ChangeHash>,
    /// Its size, saved without compression.
    pub document_bytes: u64,
    /// Its row.
    pub row: PreparedRow,
    /// What its visits, purchases, deals, tasks and consents are now and are not yet in the tables.
    pub facts: facts::Edits,
    /// The saved document, if a snapshot is due.
    pub snapshot: Option<Vec<u8>>,
    /// Bytes of the changes that this merge adds.
    pub bytes: u64,
}

/// What came of an edit by the server.
#[derive(Debug)]
pub enum Authoring {
    /// To be committed.
    Prepared {
        /// What to commit.
        prepared: Box<Prepared>,
        /// The change; `None` if the contact already was as wanted.
        change: Option<ChangeHash>,
        /// What could not be replayed.
        not_replayed: Vec<NotReplayed>,
    },
    /// Nothing to commit: the contact already was as wanted, and nothing was pending.
    Unchanged,
    /// Refused.
    Refused(EngineError),
}

/// Who makes the server's changes.
#[derive(Debug, Clone, Copy)]
pub struct ServerAuthor {
    /// The actor of this timeline (rule 2).
    pub actor: Actor,
    /// In whose name.
    pub by: UserId,
    /// Now.
    pub now: UnixMs,
}

/// Prepares merges. Each thread has its own; contacts are divided among them.
#[derive(Debug)]
pub struct Merger {
    pub(super) limits: Limits,
    cache: DocumentCache,
    /// Contacts near a limit that a rewrite does not help, and how large they were.
    pub(super) in_vain: HashMap<Key, u64>,
}

impl Merger {
    /// With a cache of at most `cache_bytes`.
    pub fn new(limits: Limits, cache_bytes: usize) -> Self {
        Self { limits, cache: DocumentCache::new(cache_bytes), in_vain: HashMap::new() }
    }

    /// Prepares the merge of what is pending of a contact; `None` if nothing is. `conn` must be in a
    /// read transaction.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] if the document can't be put together: its changes stay stored.
    pub fn prepare(
        &mut self,
        conn: &Connection,
        key: Key,
        now: UnixMs,
    ) -> Result<Option<Prepared>> {
        let Some(contact) = contacts::find(conn, key.0, key.1)? else { return Ok(None) };
        if contact.erased_at.is_some() {
            // Nothing of it stays in memory either.
            self.cache.remove(key);
            return Ok(None);
        }
        if contact.adopting > 0 {
            // Nothing is merged into a document that a later one is to take the place of.
            return self.adopt(conn, key, &contact, now);
        }
        let (pending, more) = pending(conn, key)?;
        if pending.is_empty() {
            return Ok(None);
        }
        let mut prepared = Prepared::nothing(key, Some(contact), now);
        prepared.more = more || late::is_due(conn, key)?;
        let work = self.merge(conn, &mut prepared, pending)?;
        match prepared.merged.is_empty() {
            true => self.put_back(&prepared, work),
            false => {
                let derived = derive(conn, &prepared, work)?;
                prepared.more |= self.is_near(&derived);
                prepared.derived = Some(derived);
            }
        }
        Ok(Some(prepared))
    }

    /// Prepares an edit by the server on top of what is pending. `conn` must be in a read
    /// transaction.
    ///
    /// # Errors
    /// What the database says, and [`EngineError::Damaged`].
    pub fn author(
        &mut self,
        conn: &Connection,
        workspace: WorkspaceId,
        author: ServerAuthor,
        item: &Authored,
    ) -> Result<Authoring> {
        let key = (workspace, item.contact);
        let contact = contacts::find(conn, key.0, key.1)?;
        if let Some(error) = refuse_item(contact.as_ref(), item) {
            return Ok(Authoring::Refused(error));
        }
        if let Some(decision) = &item.decision
            && !proposals::is_possible(conn, decision)?
        {
            return Ok(Authoring::Refused(late::decided_already(decision.proposal)));
        }
        let mut prepared = Prepared::nothing(key, contact, author.now);
        prepared.decision.clone_from(&item.decision);
        prepared.mark = item.mark;
        prepared.owner = item.create_for.flatten();
        if let Some(owner) = prepared.owner
            && let Err(error) = people::user(conn, workspace, owner)
        {
            return Ok(Authoring::Refused(error));
        }
        let mut work = match &prepared.contact {
            None => Work { doc: document::new_document(), bytes: 0, saved: None },
            Some(contact) => {
                let (pending, more) = pending(conn, key)?;
                prepared.more = more;
                match pending.is_empty() {
                    true => Work { doc: self.base(conn, key, contact)?, bytes: 0, saved: None },
                    false => self.merge(conn, &mut prepared, pending)?,
                }
            }
        };
        if let Some(only_at) = &item.only_at {
            let mut heads = work.doc.get_heads();
            heads.sort_unstable();
            if heads != *only_at {
                return Ok(Authoring::Refused(changed(item.contact)));
            }
        }
        if let Some((order, by)) = &item.rewrite {
            return match self.turn(conn, &mut prepared, &work.doc, author, (order, *by)) {
                Ok(fresh) => {
                    let change = fresh.get_heads().first().copied();
                    prepared.more = true;
                    prepared.begin_with(conn, fresh)?;
                    let prepared = Box::new(prepared);
                    Ok(Authoring::Prepared { prepared, change, not_replayed: Vec::new() })
                }
                Err(error) => Ok(Authoring::Refused(error)),
            };
        }
        let (applied, not_replayed) = match self.apply(&mut work.doc, author, item) {
            Ok(edited) => edited,
            // What is pending will be merged on its own.
            Err(error) => return Ok(Authoring::Refused(error.into())),
        };
        let change = match applied {
            Applied::Unchanged => None,
            Applied::Change { hash, bytes } => {
                work.bytes += bytes.len() as u64;
                work.saved = None;
                prepared.made = Some(Made {
                    by: author.by,
                    actor: author.actor,
                    actor_seq: work.doc.get_change_meta_by_hash(&hash).map_or(1, |meta| meta.seq),
                    hash,
                    bytes,
                    replaces: item.replaces.clone(),
                });
                Some(hash)
            }
        };
        if prepared.made.is_none()
            && item.decision.as_ref().is_some_and(|decision| decision.to == ItemState::Accepted)
            && let Some(error) = late::not_taken(&not_replayed)
        {
            return Ok(Authoring::Refused(error));
        }
        if prepared.made.is_some() || !prepared.merged.is_empty() {
            let derived = derive(conn, &prepared, work)?;
            prepared.more |= self.is_near(&derived);
            prepared.derived = Some(derived);
        } else {
            self.put_back(&prepared, work);
            if prepared.refused.is_empty() && prepared.decision.is_none() {
                return Ok(Authoring::Unchanged);
            }
        }
        Ok(Authoring::Prepared { prepared: Box::new(prepared), change, not_replayed })
    }

    fn apply(
        &self,
        doc: &mut Automerge,
        author: ServerAuthor,
        item: &Authored,
    ) -> std::result::Result<(Applied, Vec<NotReplayed>), CommandError> {
        let signature = Author { by: author.by, at: author.now };
        // The log keeps all that is replaced; a message has a bound.
        let replaces = item.replaces.iter().copied().take(REPLACES_TOLD_MAX).collect();
        let options = EditOptions { label: item.label.clone(), replaces };
        let commands = &item.commands;
        if item.replay {
            document::replay(doc, author.actor, commands, &signature, &options, &self.limits)
        } else {
            document::apply(doc, author.actor, commands, &signature, &options, &self.limits)
                .map(|applied| (applied, Vec::new()))
        }
    }

    pub(super) fn base(
        &mut self,
        conn: &Connection,
        key: Key,
        contact: &Contact,
    ) -> Result<Automerge> {
        match self.cache.take(key, contact.cursor) {
            Some(doc) => Ok(doc),
            None => documents::document(conn, key.0, contact),
        }
    }

    fn put_back(&mut self, prepared: &Prepared, work: Work) {
        self.put_back_doc(prepared, work.doc);
    }

    /// Keeps a document that was looked at and not changed.
    pub(super) fn put_back_doc(&mut self, prepared: &Prepared, doc: Automerge) {
        if let Some(contact) = &prepared.contact {
            self.cache.put(prepared.key, contact.cursor, doc, contact.document_bytes);
        }
    }

    /// Passes pending changes through gate 2, notes what became of each, and returns the document
    /// with the good ones.
    fn merge(
        &mut self,
        conn: &Connection,
        prepared: &mut Prepared,
        pending: Vec<Pending>,
    ) -> Result<Work> {
        let key = prepared.key;
        let contact =
            prepared.contact.as_ref().ok_or_else(|| EngineError::not_found("the contact"))?;
        let base = self.base(conn, key, contact)?;
        let (pending, of_another): (Vec<Pending>, Vec<Pending>) =
            pending.into_iter().partition(|change| change.generation == contact.generation);
        prepared.refused = turn::of_another(contact, &of_another);
        let stored: Vec<(Stored, u64)> = pending
            .iter()
            .map(|p| (Stored { seq: p.seq, hash: p.hash, device: p.device }, p.bytes.len() as u64))
            .collect();
        let mut incoming = missing_bootstraps(&base, pending.iter().map(|p| p.bytes.as_slice()));
        incoming.extend(pending.into_iter().map(|p| Incoming { hash: p.hash, bytes: p.bytes }));
        let outcome = match guard::merge(&base, incoming.clone(), &self.limits) {
            Ok(outcome) => outcome,
            // A cached document that fails is put together anew; if that fails too it is damaged.
            Err(_) => {
                let fresh = documents::document(conn, key.0, contact)?;
                guard::merge(&fresh, incoming, &self.limits).map_err(|error| {
                    EngineError::damaged(format!("the document of contact {}", key.1), error)
                })?
            }
        };
        let good: HashSet<ChangeHash> = outcome.merged.iter().copied().collect();
        let merged = stored.iter().filter(|(stored, _)| good.contains(&stored.hash));
        prepared.merged = merged.clone().map(|(stored, _)| *stored).collect();
        let bytes = merged.map(|(_, bytes)| bytes).sum();
        prepared.refused.extend(refusals(conn, key, &stored, outcome.refused)?);
        Ok(Work { doc: outcome.doc, bytes, saved: Some(outcome.snapshot) })
    }

    /// Keeps the document of a merge that was committed.
    pub fn committed(&mut self, key: Key, cursor: Cursor, doc: Automerge, document_bytes: u64) {
        self.cache.put(key, cursor, doc, document_bytes);
    }

    /// Forgets the document of a contact.
    pub fn forget(&mut self, key: Key) {
        self.cache.remove(key);
    }

    /// Documents in the cache, and the bytes they are reckoned at.
    pub fn cached(&self) -> (usize, usize) {
        self.cache.size()
    }
}

fn pending(conn: &Connection, key: Key) -> Result<(Vec<Pending>, bool)> {
    changes::pending(conn, key.0, key.1, PENDING_CHANGES_MAX, PENDING_BYTES_MAX)
}

/// A document at work.
struct Work {
    doc: Automerge,
    /// Bytes of the changes that it has beyond what is committed.
    bytes: u64,
    /// The document as it is, saved.
    saved: Option<Vec<u8>>,
}

/// Why an edit can't be made at all.
fn refuse_item(contact: Option<&Contact>, item: &Authored) -> Option<EngineError> {
    match (contact, item.create_for) {
        (Some(contact), _) if contact.adopting > 0 => Some(turn::awaited(contact)),
        (Some(contact), _) if contact.erased_at.is_some() => Some(EngineError::Refused {
            code: "erased",
            reason: format!("contact {} was erased", item.contact),
        }),
        (Some(_), Some(_)) => {
            Some(EngineError::Taken { what: format!("contact {}", item.contact) })
        }
        (None, None) => Some(EngineError::not_found(format!("contact {}", item.contact))),
        _ => None,
    }
}

/// Somebody wrote to the contact since the edit was prepared.
fn changed(contact: ContactId) -> EngineError {
    EngineError::Refused {
        code: CHANGED,
        reason: format!(
            "contact {contact} was changed meanwhile; read it again, and make the edit on what it is now"
        ),
    }
}

/// The fates of what gate 2 refused. What depends on a change that was set aside shares its fate.
fn refusals(
    conn: &Connection,
    key: Key,
    stored: &[(Stored, u64)],
    refused: Vec<(ChangeHash, GateError)>,
) -> Result<Vec<Refused>> {
    let by_hash: HashMap<ChangeHash, Stored> = stored.iter().map(|(s, _)| (s.hash, *s)).collect();
    let mut fates: HashMap<ChangeHash, Fate> = HashMap::new();
    let mut list = Vec::new();
    for (hash, error) in refused {
        let (fate, code) = match &error {
            GateError::Forked { .. } => (Fate::Forked, "forked"),
            GateError::MissingDependency { hash } | GateError::DependsOnRefused { hash } => {
                let fate = match fates.get(hash) {
                    Some(fate) => *fate,
                    None => match changes::find(conn, key.0, key.1, hash)? {
                        Some((Fate::Stored | Fate::Merged, _)) | None => Fate::Quarantined,
                        Some((fate, _)) => fate,
                    },
                };
                (fate, "dependency")
            }
            other => (Fate::Quarantined, other.code()),
        };
        fates.insert(hash, fate);
        if let Some(pending) = by_hash.get(&hash) {
            let (code, reason) = (code.to_owned(), error.to_string());
            list.push(Refused { pending: *pending, fate, code, reason });
        }
    }
    Ok(list)
}

impl Prepared {
    /// The document begins anew with this one: all of it is written.
    pub(super) fn begin_with(&mut self, conn: &Connection, doc: Automerge) -> Result<()> {
        let saved = documents::save(&doc);
        let mut heads = doc.get_heads();
        heads.sort_unstable();
        documents::verify(&saved, &heads).map_err(|reason| {
            EngineError::damaged(format!("the fresh document of contact {}", self.key.1), reason)
        })?;
        let mut derived = derive(conn, self, Work { doc, bytes: 0, saved: Some(saved.clone()) })?;
        derived.snapshot = Some(saved);
        self.derived = Some(derived);
        Ok(())
    }
}

/// Derives what is stored beside a document. A snapshot is taken where one is due.
fn derive(conn: &Connection, prepared: &Prepared, work: Work) -> Result<Derived> {
    let Work { doc, bytes, saved } = work;
    let contact = prepared.contact.as_ref().filter(|contact| contact.cursor > 0);
    let (bytes_before, document_before) =
        contact.map_or((0, 0), |contact| (contact.bytes_since, contact.document_bytes));
    let due = contact.is_none()
        || bytes_before + bytes >= SNAPSHOT_BYTES_MIN.max(document_before / SNAPSHOT_SHARE);
    let mut heads = doc.get_heads();
    heads.sort_unstable();
    // Gate 2 has loaded what it saved; what the server made itself is verified here before it may
    // stand for raw changes that are dropped.
    let verified = saved.is_some();
    let saved = saved.or_else(|| due.then(|| documents::save(&doc)));
    if let Some(saved) = &saved
        && due
        && !verified
        && contact.is_some_and(|contact| contact.changes >= u64::from(RAW_CHANGES_KEPT))
    {
        documents::verify(saved, &heads).map_err(|reason| {
            EngineError::damaged(format!("the document of contact {}", prepared.key.1), reason)
        })?;
    }
    let document_bytes = saved.as_ref().map_or(document_before + bytes, |saved| saved.len() as u64);
    let sorting = sorting::of(conn, prepared.key.0)?;
    let row = PreparedRow::new(projection::project(prepared.key.1, &doc), sorting)?;
    let facts = facts::edits(conn, contact, &doc)?;
    Ok(Derived { doc, heads, document_bytes, row, facts, snapshot: saved.filter(|_| due), bytes })
}

impl Prepared {
    pub(super) fn nothing(key: Key, contact: Option<Contact>, now: UnixMs) -> Self {
        Self {
            key,
            contact,
            owner: None,
            now,
            merged: Vec::new(),
            refused: Vec::new(),
            made: None,
            derived: None,
            taken_apart: None,
            decision: None,
            turn: None,
            mark: None,
            more: false,
        }
    }
}

/// Built-in changes that the document lacks and a pending change names: a contact made before this
/// version had them.
pub(super) fn missing_bootstraps<'b>(
    doc: &Automerge,
    pending: impl Iterator<Item = &'b [u8]> + Clone,
) -> Vec<Incoming> {
    bootstraps()
        .iter()
        .filter(|bootstrap| doc.get_change_meta_by_hash(&bootstrap.hash).is_none())
        .filter(|bootstrap| {
            pending.clone().any(|bytes| bytes.windows(32).any(|w| w == bootstrap.hash.0))
        })
        .map(|bootstrap| Incoming { hash: bootstrap.hash, bytes: bootstrap.bytes.to_vec() })
        .collect()
}
