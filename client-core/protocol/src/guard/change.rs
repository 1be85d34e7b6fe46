//! One change chunk, read by our own bounded reader: what automerge would make of it is known
//! before automerge sees it. The format is that of automerge 0.12.0 (`storage/change.rs`).

use automerge::ChangeHash;
use ring::digest::{SHA256, digest};

use super::error::{Bound, GateError, within};
use super::operations::{Columns, RawId, RawOp, read_ops};
use super::reader::{Reader, utf8};
use crate::ids::Actor;
use crate::limits::Limits;

/// The first four bytes of every chunk.
pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// The chunk type of a document.
pub(super) const DOCUMENT: u8 = 0;
/// The chunk type of a plain change.
pub(super) const CHANGE: u8 = 1;
/// Milliseconds (or seconds) of a commit time beyond this would overflow a column of differences.
const TIME_MAX: i64 = 1 << 52;
/// A change chunk whose checksum, structure, order and bounds hold. References to earlier changes
/// are not resolved: that is gate 2.
#[derive(Debug)]
pub(super) struct RawChange<'a> {
    pub hash: ChangeHash,
    pub deps: Vec<ChangeHash>,
    pub actor: Actor,
    pub others: Vec<Actor>,
    pub seq: u64,
    pub start_op: u64,
    pub message: &'a str,
    pub ops: Vec<RawOp<'a>>,
    preds: Vec<RawId>,
}

impl<'a> RawChange<'a> {
    /// The highest operation counter of the change.
    pub(super) fn max_op(&self) -> u64 {
        self.start_op + self.ops.len() as u64 - 1
    }

    pub(super) fn preds(&self, op: &RawOp<'_>) -> &[RawId] {
        op.preds(&self.preds)
    }

    /// The actor that an id names.
    pub(super) fn actor_of(&self, id: RawId) -> Actor {
        match id.actor.checked_sub(1) {
            None => self.actor,
            Some(other) => self.others.get(other).copied().unwrap_or(self.actor),
        }
    }

    /// The index of the operation of this change that an id names, if it is one of this change's.
    pub(super) fn own(&self, id: RawId) -> Option<usize> {
        if id.actor != 0 {
            return None;
        }
        id.counter.checked_sub(self.start_op).and_then(|index| usize::try_from(index).ok())
    }

    /// Reads one change chunk and nothing else.
    ///
    /// Memory: at most `change_ops_max` operations and a few times as many ids, whatever the bytes
    /// say; keys are borrowed.
    pub(super) fn parse(bytes: &'a [u8], limits: &Limits) -> Result<Self, GateError> {
        within(Bound::ChangeBytes, bytes.len() as u64, limits.change_bytes_max as u64)?;
        let (hash, mut body) = open_chunk(bytes, CHANGE)?;
        let deps = read_deps(&mut body, limits)?;
        let actor = read_actor(&mut body)?;
        let seq = body.unsigned()?;
        if seq == 0 {
            return Err(GateError::Malformed { what: "the sequence number is 0" });
        }
        within(Bound::Sequence, seq, limits.document_changes_max)?;
        let start_op = body.unsigned()?;
        if start_op == 0 {
            return Err(GateError::Malformed { what: "the first operation is 0" });
        }
        within(Bound::OperationCounter, start_op, limits.op_counter_max)?;
        if body.signed()?.unsigned_abs() > TIME_MAX.unsigned_abs() {
            return Err(GateError::Malformed { what: "the time is outside of any calendar" });
        }
        let message = body.prefixed()?;
        within(Bound::MessageBytes, message.len() as u64, limits.change_message_bytes_max as u64)?;
        let message = utf8(message, "the message is not UTF-8")?;
        let others = read_others(&mut body, actor, limits)?;
        let columns = Columns::read(&mut body)?;
        let (ops, preds) = read_ops(&columns, start_op, others.len(), limits)?;
        Ok(Self { hash, deps, actor, others, seq, start_op, message, ops, preds })
    }
}

/// The dependencies and the actor of a change chunk, without looking at anything else.
pub(super) fn peek(bytes: &[u8], limits: &Limits) -> Result<(Vec<ChangeHash>, Actor), GateError> {
    let mut body = Reader::new(bytes);
    body.take(MAGIC.len() + 4 + 1)?;
    body.unsigned()?;
    Ok((read_deps(&mut body, limits)?, read_actor(&mut body)?))
}

/// The hash and the dependencies of a change chunk that has passed gate 1, or is about to; `None`
/// where it can't be read. Takes about a microsecond.
pub fn peek_change(bytes: &[u8]) -> Option<(ChangeHash, Vec<ChangeHash>)> {
    let (deps, _) = peek(bytes, &Limits::DEFAULT).ok()?;
    let hash = digest(&SHA256, bytes.get(8..)?);
    Some((ChangeHash(hash.as_ref().try_into().ok()?), deps))
}

/// Checks the envelope of a chunk: magic, type, exact length, checksum. Gives its hash and content.
pub(super) fn open_chunk(
    bytes: &[u8],
    expected: u8,
) -> Result<(ChangeHash, Reader<'_>), GateError> {
    let mut reader = Reader::new(bytes);
    if reader.array::<4>()? != &MAGIC {
        return Err(GateError::Magic);
    }
    let checksum = reader.array::<4>()?;
    let found = reader.byte()?;
    if found != expected {
        return Err(GateError::ChunkType { found, expected });
    }
    let length = reader.unsigned()?;
    let remaining = reader.remaining() as u64;
    if length > remaining {
        return Err(GateError::Malformed { what: "the chunk is shorter than it says" });
    }
    if length < remaining {
        return Err(GateError::TrailingBytes { bytes: (remaining - length) as usize });
    }
    // The hash covers the type, the length and the content: everything after the checksum.
    let hash = digest(&SHA256, bytes.get(8..).unwrap_or_default());
    let hash: [u8; 32] = hash.as_ref().try_into().map_err(|_| GateError::Checksum)?;
    if hash.first_chunk::<4>() != Some(checksum) {
        return Err(GateError::Checksum);
    }
    Ok((ChangeHash(hash), reader))
}

fn read_deps(body: &mut Reader<'_>, limits: &Limits) -> Result<Vec<ChangeHash>, GateError> {
    let count = body.unsigned()?;
    within(Bound::Dependencies, count, limits.change_deps_max as u64)?;
    let mut deps = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let hash = ChangeHash(*body.array::<32>()?);
        if deps.contains(&hash) {
            return Err(GateError::DuplicateDependency { hash });
        }
        deps.push(hash);
    }
    Ok(deps)
}

pub(super) fn read_actor(body: &mut Reader<'_>) -> Result<Actor, GateError> {
    let length = body.unsigned()?;
    if length != 16 {
        return Err(GateError::ActorLength { bytes: length });
    }
    Ok(Actor::from_bytes(*body.array::<16>()?))
}

fn read_others(
    body: &mut Reader<'_>,
    author: Actor,
    limits: &Limits,
) -> Result<Vec<Actor>, GateError> {
    let count = body.unsigned()?;
    within(Bound::ChangeActors, count, limits.document_actors_max as u64)?;
    let mut others: Vec<Actor> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let actor = read_actor(body)?;
        if actor == author || others.last().is_some_and(|last| *last >= actor) {
            return Err(GateError::ActorOrder);
        }
        others.push(actor);
    }
    Ok(others)
}
