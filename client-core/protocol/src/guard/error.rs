//! Why a change or a snapshot is refused.

use automerge::ChangeHash;

use crate::ids::{Actor, UserId};

/// What a change or a document had too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Bytes of one change.
    ChangeBytes,
    /// Operations in one change.
    Operations,
    /// Predecessors that the operations of one change name together.
    Predecessors,
    /// Dependencies of one change.
    Dependencies,
    /// Actors that one change names.
    ChangeActors,
    /// Bytes of the message of a change.
    MessageBytes,
    /// Bytes that the keys and values of one change (or snapshot) expand to.
    InflatedBytes,
    /// Bytes of one string or key.
    StringBytes,
    /// The operation counter.
    OperationCounter,
    /// The sequence number of an actor.
    Sequence,
    /// Nesting of containers.
    Depth,
    /// Bytes of a document, saved without compression.
    DocumentBytes,
    /// Operations in a document.
    DocumentOperations,
    /// Changes in a document.
    DocumentChanges,
    /// Actors in a document.
    DocumentActors,
    /// Heads of a document.
    DocumentHeads,
}

impl Bound {
    /// The stable short code; see [`GateError::code`].
    pub fn code(self) -> &'static str {
        match self {
            Bound::ChangeBytes => "too_large",
            Bound::Operations => "too_many_operations",
            Bound::Predecessors => "too_many_predecessors",
            Bound::Dependencies => "too_many_dependencies",
            Bound::ChangeActors => "too_many_actors",
            Bound::MessageBytes => "message_too_long",
            Bound::InflatedBytes => "inflates_too_large",
            Bound::StringBytes => "string_too_long",
            Bound::OperationCounter => "counter_too_high",
            Bound::Sequence => "sequence_too_high",
            Bound::Depth => "too_deep",
            Bound::DocumentBytes => "document_bytes",
            Bound::DocumentOperations => "document_operations",
            Bound::DocumentChanges => "document_changes",
            Bound::DocumentActors => "document_actors",
            Bound::DocumentHeads => "document_heads",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Bound::ChangeBytes => "bytes of the change",
            Bound::Operations => "operations in the change",
            Bound::Predecessors => "predecessors in the change",
            Bound::Dependencies => "dependencies of the change",
            Bound::ChangeActors => "actors in the change",
            Bound::MessageBytes => "bytes of the change's message",
            Bound::InflatedBytes => "bytes of expanded keys and values",
            Bound::StringBytes => "bytes of one string",
            Bound::OperationCounter => "the operation counter",
            Bound::Sequence => "the actor's sequence number",
            Bound::Depth => "nested containers",
            Bound::DocumentBytes => "bytes of the contact",
            Bound::DocumentOperations => "operations in the contact",
            Bound::DocumentChanges => "changes of the contact",
            Bound::DocumentActors => "actors in the contact",
            Bound::DocumentHeads => "branches of the contact that know nothing of each other",
        }
    }
}

/// Why a change is refused: at gate 1 (never stored) or at gate 2 (quarantined, its bytes kept).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// More of something than the limit allows.
    #[error("{}: {found} is more than the {max} allowed", .what.noun())]
    Limit {
        /// What there is too much of.
        what: Bound,
        /// How much there is.
        found: u64,
        /// How much is allowed.
        max: u64,
    },
    /// The first four bytes are not those of automerge.
    #[error("not an automerge chunk: the magic bytes are wrong")]
    Magic,
    /// A document, a compressed change, a bundle or something unknown where one plain change must be.
    #[error("chunk type {found} where {expected} must be: compress frames, not chunks")]
    ChunkType {
        /// The type byte.
        found: u8,
        /// The one type that is taken here: 1 for a change, 0 for a snapshot.
        expected: u8,
    },
    /// Bytes after the end of the chunk, or after its last column.
    #[error("{bytes} bytes follow the end of the data")]
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
    /// The checksum is not the first four bytes of the SHA-256 of the content.
    #[error("the checksum does not match the content: the bytes were damaged on the way")]
    Checksum,
    /// The bytes end too early or don't have the form that they must have.
    #[error("malformed: {what}")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
    /// The same content has another, canonical encoding, so the hash would not survive a save.
    #[error("not encoded as automerge encodes it: {what}")]
    NotCanonical {
        /// Which part.
        what: &'static str,
    },
    /// An actor that is not 16 bytes long.
    #[error("an actor of {bytes} bytes; an actor has 16")]
    ActorLength {
        /// Its length.
        bytes: u64,
    },
    /// The actors that a change refers to are not sorted, not unique, or include its author.
    #[error("the list of actors is not sorted and unique")]
    ActorOrder,
    /// A dependency is named twice.
    #[error("the dependency {hash} is named twice")]
    DuplicateDependency {
        /// Which.
        hash: ChangeHash,
    },
    /// The message is missing or is not the JSON object that says who, when and what.
    #[error("the message of the change can't be read: {reason}")]
    Message {
        /// What the parser says.
        reason: String,
    },
    /// A column that changes don't have, that is compressed, repeated, out of order or empty.
    #[error("column {spec:#x} is unknown, compressed, empty or out of order")]
    Column {
        /// The column specification, as it is in the bytes.
        spec: u64,
    },
    /// A kind of operation that a contact doesn't use.
    #[error("operation {op} has action {action}, which a contact doesn't use")]
    Action {
        /// Index of the operation in the change.
        op: usize,
        /// The action code of automerge.
        action: u64,
    },
    /// A value that can't be there: an unknown type, an infinite number, a counter out of range.
    #[error("operation {op}: {reason}")]
    Value {
        /// Index of the operation in the change.
        op: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// An operation refers to something that doesn't exist, is of the wrong kind, or isn't covered
    /// by the dependencies of its change.
    #[error("operation {op}: {reason}")]
    Reference {
        /// Index of the operation in the change.
        op: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The actor of a built-in bootstrap change, with other bytes.
    #[error("the actor {actor} is reserved for a built-in change with other content")]
    Bootstrap {
        /// The reserved actor.
        actor: Actor,
    },
    /// The actor is registered to another device, or to none.
    #[error("the actor {actor} does not belong to this device")]
    ActorMismatch {
        /// The actor of the change.
        actor: Actor,
    },
    /// The message names another user than the one of the device.
    #[error("the change says it was made by {by}, who is not the user of this device")]
    AuthorMismatch {
        /// Whom the message names.
        by: UserId,
    },
    /// The bytes are not those of the hash they were filed under.
    #[error("the bytes have the hash {found}")]
    HashMismatch {
        /// The hash of the bytes.
        found: ChangeHash,
    },
    /// Automerge can't decode it.
    #[error("automerge can't decode it: {reason}")]
    Decode {
        /// What automerge says.
        reason: String,
    },
    /// Automerge decoded it and encoded it again to other bytes.
    #[error("automerge encodes the decoded change to other bytes")]
    Reencoded,
    /// Code panicked on it; the panic was contained and what it touched was thrown away.
    #[error("a panic was contained while {during}: {reason}")]
    Panicked {
        /// What was being done.
        during: &'static str,
        /// The panic's message.
        reason: String,
    },
    /// A dependency is neither in the document nor in the batch.
    #[error("the dependency {hash} is missing")]
    MissingDependency {
        /// Which.
        hash: ChangeHash,
    },
    /// It depends on a change of the same batch that was refused.
    #[error("it depends on the refused change {hash}")]
    DependsOnRefused {
        /// The refused change that it depends on directly.
        hash: ChangeHash,
    },
    /// The sequence number is not the one after the actor's last.
    #[error("the actor's change {seq} does not follow its last change: {reason}")]
    Sequence {
        /// The sequence number of the change.
        seq: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// The document already holds another change with this actor and sequence number.
    #[error("the actor {actor} has already made another change {seq}: the replica was copied")]
    Forked {
        /// The actor.
        actor: Actor,
        /// The sequence number that exists twice.
        seq: u64,
    },
    /// The first operation is not the highest of the dependencies plus one.
    #[error("the first operation is {found}, it must be {expected}")]
    StartOp {
        /// What the change says.
        found: u64,
        /// What its dependencies demand.
        expected: u64,
    },
    /// Automerge refuses to apply it.
    #[error("automerge can't apply it: {reason}")]
    Apply {
        /// What automerge says.
        reason: String,
    },
    /// With it, the document can't be saved and loaded again to the same state.
    #[error("the document can't be loaded again with it: {reason}")]
    Unloadable {
        /// What is different or what automerge says.
        reason: String,
    },
    /// Too many attempts of this batch failed; the change was not tried on its own.
    #[error("not tried: {attempts} attempts to merge this batch failed before")]
    GaveUp {
        /// How many.
        attempts: usize,
    },
}

impl GateError {
    /// A short code that never changes: the reason in quarantine lists, metrics and tests.
    pub fn code(&self) -> &'static str {
        match self {
            GateError::Limit { what, .. } => what.code(),
            GateError::Magic => "magic",
            GateError::ChunkType { .. } => "chunk_type",
            GateError::TrailingBytes { .. } => "trailing_bytes",
            GateError::Checksum => "checksum",
            GateError::Malformed { .. } => "malformed",
            GateError::NotCanonical { .. } | GateError::Reencoded => "not_canonical",
            GateError::ActorLength { .. } => "actor_length",
            GateError::ActorOrder => "actor_order",
            GateError::DuplicateDependency { .. } => "duplicate_dependency",
            GateError::Message { .. } => "message",
            GateError::Column { .. } => "column",
            GateError::Action { .. } => "action",
            GateError::Value { .. } => "value",
            GateError::Reference { .. } => "reference",
            GateError::Bootstrap { .. } => "bootstrap",
            GateError::ActorMismatch { .. } => "actor_mismatch",
            GateError::AuthorMismatch { .. } => "author_mismatch",
            GateError::HashMismatch { .. } => "hash_mismatch",
            GateError::Decode { .. } => "decode",
            GateError::Panicked { .. } => "panicked",
            GateError::MissingDependency { .. } => "missing_dependency",
            GateError::DependsOnRefused { .. } => "depends_on_refused",
            GateError::Sequence { .. } => "sequence",
            GateError::Forked { .. } => "forked",
            GateError::StartOp { .. } => "start_op",
            GateError::Apply { .. } => "apply",
            GateError::Unloadable { .. } => "unloadable",
            GateError::GaveUp { .. } => "gave_up",
        }
    }

    pub(super) fn over(what: Bound, found: u64, max: u64) -> Self {
        GateError::Limit { what, found, max }
    }
}

/// Refuses `found` if it is more than `max`.
pub(super) fn within(what: Bound, found: u64, max: u64) -> Result<(), GateError> {
    if found > max { Err(GateError::over(what, found, max)) } else { Ok(()) }
}

/// Why a document could not be merged into or loaded at all. No single change is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The snapshot is refused before automerge sees it.
    #[error("the snapshot is refused: {0}")]
    Refused(#[from] GateError),
    /// Automerge can't load the snapshot.
    #[error(
        "the snapshot can't be loaded: {reason}; fetch it again or rebuild it from the changes"
    )]
    Unloadable {
        /// What automerge says.
        reason: String,
    },
    /// The document that was given holds changes without their dependencies (rule 9).
    #[error(
        "the document lacks {missing} changes that others in it depend on; rebuild it from the log"
    )]
    Orphans {
        /// How many are missing.
        missing: usize,
    },
    /// The document that was given does not survive a save: it must be rebuilt from the log.
    #[error("the document can't be saved: {reason}; rebuild it from the log")]
    Base {
        /// What went wrong.
        reason: String,
    },
}
