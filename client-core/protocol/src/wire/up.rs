//! Frames about changes on their way up, and what became of them.

use automerge::ChangeHash;
use minicbor::{Decode, Encode};

use super::codec;
use crate::ids::ContactId;

/// One change on its way up.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct UpChange {
    /// The contact that it belongs to.
    #[n(0)]
    pub contact: ContactId,
    /// The raw, uncompressed Automerge change chunk.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

/// A batch of changes, in causal order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Changes {
    /// Numbered from 1 in each connection; receipts name it.
    #[n(0)]
    pub batch: u64,
    /// The changes.
    #[n(1)]
    pub changes: Vec<UpChange>,
    /// How many local changes are unsent after this batch.
    #[n(2)]
    #[cbor(default)]
    pub unsent: u32,
}

/// What became of a change (rule 8), or where it stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, serde::Serialize, serde::Deserialize,
)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Durable on the server, not merged yet.
    #[n(0)]
    Stored,
    /// Part of the contact, visible to managers.
    #[n(1)]
    Merged,
    /// Kept, with a reason, and not part of the contact.
    #[n(2)]
    Quarantined,
    /// Superseded by another change that carries the same edit.
    #[n(3)]
    Replaced,
    /// Waits for the new owner's decision.
    #[n(4)]
    Proposed,
    /// Erased with its contact.
    #[n(5)]
    Erased,
    /// Another change has the same actor and sequence number: a copied replica. The device
    /// re-authors the edit under a new actor.
    #[n(6)]
    Forked,
    /// The server has never seen it.
    #[n(7)]
    Unknown,
    /// In the waiting room until its dependencies come; not acknowledged.
    #[n(8)]
    Waiting,
}

impl Fate {
    /// The word for it, as in JSON and in the server's tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Stored => "stored",
            Fate::Merged => "merged",
            Fate::Quarantined => "quarantined",
            Fate::Replaced => "replaced",
            Fate::Proposed => "proposed",
            Fate::Erased => "erased",
            Fate::Forked => "forked",
            Fate::Unknown => "unknown",
            Fate::Waiting => "waiting",
        }
    }
    /// The fate of that word.
    pub fn from_name(word: &str) -> Option<Fate> {
        const ALL: [Fate; 9] = [
            Fate::Stored,
            Fate::Merged,
            Fate::Quarantined,
            Fate::Replaced,
            Fate::Proposed,
            Fate::Erased,
            Fate::Forked,
            Fate::Unknown,
            Fate::Waiting,
        ];
        ALL.into_iter().find(|fate| fate.as_str() == word)
    }
}

/// A change of a batch that did not simply become durable.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Exception {
    /// Its index in the batch.
    #[n(0)]
    pub index: u32,
    /// What became of it instead.
    #[n(1)]
    pub fate: Fate,
    /// A stable short code, such as `not_yours` or `checksum`.
    #[n(2)]
    #[cbor(default)]
    pub code: String,
    /// For a person: the thing, the reason, the way out.
    #[n(3)]
    #[cbor(default)]
    pub reason: String,
}

/// Every change of the batch is durable on the server, except as listed. Sent after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Stored {
    /// The batch.
    #[n(0)]
    pub batch: u64,
    /// The exceptions, by index. A quarantined or forked change is durable too.
    #[n(1)]
    #[cbor(default)]
    pub exceptions: Vec<Exception>,
}

/// A run of changes of one batch that were merged: `from..=to`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MergedRun {
    /// The batch.
    #[n(0)]
    pub batch: u64,
    /// The first index.
    #[n(1)]
    pub from: u32,
    /// The last index.
    #[n(2)]
    pub to: u32,
}

/// The fate of one change, named by hash.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChangeFate {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// The change.
    #[cbor(n(1), with = "codec::hash")]
    pub hash: ChangeHash,
    /// What became of it.
    #[n(2)]
    pub fate: Fate,
    /// A stable short code.
    #[n(3)]
    #[cbor(default)]
    pub code: String,
    /// For a person.
    #[n(4)]
    #[cbor(default)]
    pub reason: String,
}

/// What became of changes of this device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fates {
    /// Merged changes of this connection's batches: the cheap, exact form.
    #[n(0)]
    #[cbor(default)]
    pub merged: Vec<MergedRun>,
    /// All others, and those of earlier connections.
    #[n(1)]
    #[cbor(default)]
    pub fates: Vec<ChangeFate>,
}

/// Changes that are waiting need these first. The device sends them, or re-authors what waits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Need {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// What is missing.
    #[cbor(n(1), with = "codec::hashes")]
    pub hashes: Vec<ChangeHash>,
}
