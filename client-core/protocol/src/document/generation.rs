//! Of which generation a document is, and which edits it stands for (rule 25): what `rewrite` left in it.

use std::collections::{BTreeSet, HashSet};

use automerge::{Automerge, ChangeHash, ROOT, ReadDoc, ScalarValue, Value as AmValue};

use super::bootstrap::looks_like_one;
use super::schema::GENERATION;
use crate::ids::UserId;
use crate::message::{ChangeMessage, GenerationMark};

/// The first byte of a value that names changes, of one that names those by which rewrites wrote again what
/// was there, and of one that names what changes had replaced.
pub(super) const CARRIED: u8 = b'C';
pub(super) const REWRITTEN: u8 = b'W';
pub(super) const REPLACED: u8 = b'R';
/// Of which generation a document is, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Generation {
    /// 1 for a contact's first document; else [`generation_number`].
    pub number: u64,
    /// The changes of the documents before: they are part of this one, under other hashes.
    pub carried: HashSet<ChangeHash>,
    /// The changes by which rewrites before had written again what was there.
    pub rewritten: HashSet<ChangeHash>,
    /// What changes that are part of the document had replaced, with its author: edits that are part of
    /// it too. A late edit that was taken in part counts.
    pub replaced: BTreeSet<(UserId, ChangeHash)>,
    /// Whether the past is to be gone for good: it named a person who was erased.
    pub purged: bool,
    /// Whether the beginning is there as a whole.
    pub complete: bool,
    /// Under which actors the document was written, without the last byte.
    written: HashSet<[u8; 15]>,
}

impl Generation {
    /// That of a document that was never begun anew.
    pub fn first() -> Self {
        Self { number: 1, ..Self::default() }
    }

    /// Whether a change is in the document, or was in one before it.
    pub fn holds(&self, doc: &Automerge, hash: &ChangeHash) -> bool {
        self.carried.contains(hash)
            || self.rewritten.contains(hash)
            || doc.get_change_meta_by_hash(hash).is_some()
    }

    /// The edits that are part of the document, by the hashes of their changes: what rewrites wrote again
    /// is not among them, what it was before is.
    pub fn edits(&self, doc: &Automerge) -> HashSet<ChangeHash> {
        let here = doc
            .get_changes_meta(&[])
            .into_iter()
            .filter(|meta| !looks_like_one(meta) && !self.wrote(meta.actor.to_bytes()))
            .map(|meta| meta.hash);
        here.chain(self.carried.iter().copied()).collect()
    }
}

impl Generation {
    /// Whether the rewrite that made this document wrote as this actor.
    pub(super) fn wrote(&self, actor: &[u8]) -> bool {
        actor.len() == 16 && actor.first_chunk::<15>().is_some_and(|a| self.written.contains(a))
    }
}

/// Bits of a generation's number that tell it from another of the same contact with the same count.
const NUMBER_BITS: u32 = 32;

/// The number of a generation: the how-manieth of its contact it is, and a part of a digest of what it was
/// made of. So later ones have higher numbers, and no two documents have one.
pub fn generation_number(count: u64, digest: [u8; 4]) -> u64 {
    count << NUMBER_BITS | u64::from(u32::from_be_bytes(digest))
}

/// The how-manieth generation of its contact has this number.
pub fn generation_count(number: u64) -> u64 {
    (number >> NUMBER_BITS).max(1)
}

/// The mark of a change that begins a document of a later generation, or is part of its beginning.
pub fn generation_mark(message: &str) -> Option<GenerationMark> {
    // Most messages are not looked into.
    if !message.contains("\"generation\"") {
        return None;
    }
    ChangeMessage::parse(message).ok()?.generation
}

/// Of which generation a document is. What it stands for is read from the marks alone, which only a server
/// makes: no other change can add to it.
pub fn generation(doc: &Automerge) -> Generation {
    let mut found = Generation::first();
    for meta in doc.get_changes_meta(&[]) {
        let Some(mark) = meta.message.as_deref().and_then(generation_mark) else { continue };
        found.number = found.number.max(mark.number);
        found.purged |= mark.purged;
        found.complete |= mark.last;
        found.written.extend(meta.actor.to_bytes().first_chunk::<15>());
        if let Ok(Some((AmValue::Scalar(value), _))) = doc.get_at(ROOT, GENERATION, &[meta.hash])
            && let ScalarValue::Bytes(bytes) = value.as_ref()
        {
            found.take_in(bytes);
        }
    }
    found
}

impl Generation {
    fn take_in(&mut self, bytes: &[u8]) {
        match bytes.split_first() {
            Some((&CARRIED, rest)) => {
                self.carried.extend(rest.as_chunks::<32>().0.iter().map(|hash| ChangeHash(*hash)));
            }
            Some((&REWRITTEN, rest)) => {
                let hashes = rest.as_chunks::<32>().0.iter().map(|hash| ChangeHash(*hash));
                self.rewritten.extend(hashes);
            }
            Some((&REPLACED, rest)) => {
                self.replaced.extend(rest.as_chunks::<48>().0.iter().filter_map(|pair| {
                    let user = UserId::from_bytes(*pair.first_chunk()?);
                    Some((user, ChangeHash(*pair.last_chunk()?)))
                }));
            }
            _ => {}
        }
    }
}
