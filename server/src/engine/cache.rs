//! Documents that were merged lately, so that the next change of a contact need not load it again.

use automerge::Automerge;
use lru::LruCache;
use roadbook_protocol::ids::Cursor;

use super::merge::Key;

/// A document in memory is reckoned at so many times its saved size, plus a constant. Measured with
/// contacts of 2-100 kB: an open automerge 0.12 document takes 6-9 times its saved bytes.
const MEMORY_FACTOR: usize = 8;
const MEMORY_BASE: usize = 8 * 1024;

#[derive(Debug)]
struct Cached {
    doc: Automerge,
    cursor: Cursor,
    bytes: usize,
}

/// Least recently used documents go first. Bounded by bytes.
#[derive(Debug)]
pub struct DocumentCache {
    documents: LruCache<Key, Cached>,
    bytes: usize,
    bytes_max: usize,
}

impl DocumentCache {
    /// At most so many (reckoned) bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { documents: LruCache::unbounded(), bytes: 0, bytes_max }
    }

    /// Takes the document out, if it is there as of this cursor of its contact.
    pub fn take(&mut self, key: Key, cursor: Cursor) -> Option<Automerge> {
        let cached = self.pop(key)?;
        (cached.cursor == cursor).then_some(cached.doc)
    }

    /// Keeps a document; others go if there is no room.
    pub fn put(&mut self, key: Key, cursor: Cursor, doc: Automerge, document_bytes: u64) {
        self.remove(key);
        let bytes = MEMORY_BASE
            + usize::try_from(document_bytes).unwrap_or(usize::MAX / 16) * MEMORY_FACTOR;
        if bytes > self.bytes_max {
            return;
        }
        self.bytes += bytes;
        self.documents.push(key, Cached { doc, cursor, bytes });
        while self.bytes > self.bytes_max {
            let Some((_, gone)) = self.documents.pop_lru() else { break };
            self.bytes = self.bytes.saturating_sub(gone.bytes);
        }
    }

    /// Forgets a document.
    pub fn remove(&mut self, key: Key) {
        self.pop(key);
    }

    fn pop(&mut self, key: Key) -> Option<Cached> {
        let cached = self.documents.pop(&key)?;
        self.bytes = self.bytes.saturating_sub(cached.bytes);
        Some(cached)
    }

    /// How many, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.documents.len(), self.bytes)
    }
}
