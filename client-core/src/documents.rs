//! Opening documents: from a snapshot and the changes beside it, with a bounded cache.
//!
//! A document that panicked is thrown away, never kept. The cache holds committed states only.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use automerge::{Automerge, Change, ChangeHash, ReadDoc};
use lru::LruCache;
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::{document, guard};
use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::store::{changes, contacts};

/// Runs work over a document. A panic becomes an error; the document must be thrown away then.
pub(crate) fn contained<T>(what: impl FnOnce() -> String, work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let reason = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Error::Damaged { what: what(), reason: format!("a panic was contained: {reason}") }
    })
}

/// Loads the document of a contact as it is stored.
///
/// # Errors
/// [`Error::Damaged`] where its bytes can't be opened: it has to be fetched again.
pub(crate) fn load(conn: &Connection, num: i64, id: ContactId) -> Result<Automerge> {
    let what = || format!("the document of contact {id}");
    let damaged = |reason: String| Error::Damaged {
        what: what(),
        reason: format!("{reason}; it is fetched again with the next sync"),
    };
    let mut doc = match contacts::snapshot(conn, num)? {
        None => document::new_document(),
        Some(snapshot) if snapshot.trusted => contained(what, || Automerge::load(&snapshot.bytes))?
            .map_err(|error| damaged(error.to_string()))?,
        Some(snapshot) => guard::load_snapshot(&snapshot.bytes, &Limits::DEFAULT)
            .map_err(|error| damaged(error.to_string()))?,
    };
    let live = changes::live(conn, num)?;
    if !live.is_empty() {
        let mut parsed = Vec::with_capacity(live.len());
        for bytes in live {
            parsed.push(Change::from_bytes(bytes).map_err(|error| damaged(error.to_string()))?);
        }
        contained(what, || doc.apply_changes(parsed))?
            .map_err(|error| damaged(error.to_string()))?;
        if !doc.get_missing_deps(&[]).is_empty() {
            return Err(damaged("changes that others depend on are missing".into()));
        }
    }
    Ok(doc)
}

/// Whether the document holds a change.
pub(crate) fn holds(doc: &Automerge, hash: &ChangeHash) -> bool {
    doc.get_change_meta_by_hash(hash).is_some()
}

/// Whether the document holds all of these changes.
pub(crate) fn holds_all(doc: &Automerge, hashes: &[ChangeHash]) -> bool {
    hashes.iter().all(|hash| holds(doc, hash))
}

/// The heads, sorted, so that equal states are stored as equal bytes.
pub(crate) fn heads(doc: &Automerge) -> Vec<ChangeHash> {
    let mut heads = doc.get_heads();
    heads.sort_unstable();
    heads
}

/// What is merged after one more change is: it takes the place of its dependencies among the heads.
/// Right as long as all of its dependencies are merged and it is not itself; see [`normalise`].
pub(crate) fn follow(merged: &mut Vec<ChangeHash>, hash: ChangeHash, deps: &[ChangeHash]) {
    merged.retain(|head| !deps.contains(head) && *head != hash);
    merged.push(hash);
    merged.sort_unstable();
}

/// Leaves out what another of these changes is made on top of.
pub(crate) fn normalise(doc: &Automerge, merged: &mut Vec<ChangeHash>) {
    if merged.len() < 2 {
        return;
    }
    let all = merged.clone();
    merged.retain(|head| {
        let others: Vec<ChangeHash> = all.iter().filter(|other| *other != head).copied().collect();
        doc.get_changes_meta(&others).iter().any(|meta| meta.hash == *head)
    });
}

/// Recently used documents.
pub(crate) struct Cache {
    inner: Mutex<Inner>,
}

struct Inner {
    documents: LruCache<ContactId, Arc<Automerge>>,
    /// Grows with every commit that touches documents: what a reader loaded before it may be old.
    generation: u64,
}

impl Cache {
    pub(crate) fn new(documents_max: usize) -> Self {
        let capacity = NonZeroUsize::new(documents_max.max(1)).unwrap_or(NonZeroUsize::MIN);
        Self { inner: Mutex::new(Inner { documents: LruCache::new(capacity), generation: 0 }) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For reading: the document, and the generation to hand back with [`Self::offer`].
    pub(crate) fn get(&self, id: ContactId) -> (Option<Arc<Automerge>>, u64) {
        let mut inner = self.lock();
        (inner.documents.get(&id).cloned(), inner.generation)
    }

    /// A reader offers what it loaded; taken unless something was committed meanwhile.
    pub(crate) fn offer(&self, id: ContactId, doc: &Arc<Automerge>, generation: u64) {
        let mut inner = self.lock();
        if inner.generation == generation {
            inner.documents.put(id, Arc::clone(doc));
        }
    }

    /// For writing: takes the document out. If the transaction fails it is loaded anew.
    pub(crate) fn take(&self, id: ContactId) -> Option<Automerge> {
        self.lock().documents.pop(&id).map(Arc::unwrap_or_clone)
    }

    /// After a commit: the new states, `None` for what is to be loaded anew.
    pub(crate) fn committed(&self, documents: Vec<(ContactId, Option<Automerge>)>) {
        if documents.is_empty() {
            return;
        }
        let mut inner = self.lock();
        inner.generation += 1;
        for (id, doc) in documents {
            match doc {
                Some(doc) => {
                    inner.documents.put(id, Arc::new(doc));
                }
                None => {
                    inner.documents.pop(&id);
                }
            }
        }
    }

    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner.documents.clear();
    }
}
