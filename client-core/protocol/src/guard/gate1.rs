//! Gate 1: before the log, without a document, at the price of a few microseconds.

use automerge::{Change, ChangeHash, ExpandedChange};

use super::change::{RawChange, peek};
use super::error::GateError;
use super::quiet::contained;
use crate::ids::{Actor, UserId};
use crate::limits::Limits;
use crate::message::ChangeMessage;

/// What gate 1 learned about a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The SHA-256 of the change: its identity.
    pub hash: ChangeHash,
    /// Who made it. That the actor belongs to the sending device is for the caller to check; see
    /// [`Admitted::check_sender`].
    pub actor: Actor,
    /// The how-manieth change of that actor it is, from 1.
    pub seq: u64,
    /// The counter of its first operation.
    pub start_op: u64,
    /// How many operations it has, at least 1.
    pub ops: u64,
    /// The counter of its last operation.
    pub max_op: u64,
    /// The changes that it was made on top of, each once.
    pub deps: Vec<ChangeHash>,
    /// Who, when and what; `None` for a bootstrap change only.
    pub message: Option<ChangeMessage>,
    /// Whether it is one of the built-in bootstrap changes (rule 13), byte for byte.
    pub bootstrap: bool,
}

impl Admitted {
    /// Checks that the sender may send it (rules 6 and 24): the actor is one of the device's, and the
    /// message names the device's user. Bootstrap changes are taken from anyone.
    pub fn check_sender(
        &self,
        owns_actor: impl FnOnce(&Actor) -> bool,
        user: &UserId,
    ) -> Result<(), GateError> {
        if self.bootstrap {
            return Ok(());
        }
        if !owns_actor(&self.actor) {
            return Err(GateError::ActorMismatch { actor: self.actor });
        }
        match &self.message {
            Some(message) if message.by != *user => {
                Err(GateError::AuthorMismatch { by: message.by })
            }
            _ => Ok(()),
        }
    }
}

/// Judges the bytes of one change that came from outside.
///
/// `bootstraps` are the built-in changes (hash and bytes). Pure: no document, no disk, no clock.
/// Memory is bounded by `limits`, whatever the bytes say. Never panics.
///
/// # Errors
/// The first rule that the bytes break; [`GateError::code`] is the reason to keep.
pub fn gate1(
    bytes: &[u8],
    limits: &Limits,
    bootstraps: &[(ChangeHash, &[u8])],
) -> Result<Admitted, GateError> {
    let bootstrap = bootstraps.iter().any(|(_, known)| *known == bytes);
    let change = RawChange::parse(bytes, limits)?;
    let message = if bootstrap {
        None
    } else {
        let reserved =
            |known: &[u8]| peek(known, limits).is_ok_and(|(_, actor)| actor == change.actor);
        if bootstraps.iter().any(|(_, known)| reserved(known)) {
            return Err(GateError::Bootstrap { actor: change.actor });
        }
        Some(
            ChangeMessage::parse(change.message)
                .map_err(|error| GateError::Message { reason: error.to_string() })?,
        )
    };
    decode(bytes, &change)?;
    Ok(Admitted {
        hash: change.hash,
        actor: change.actor,
        seq: change.seq,
        start_op: change.start_op,
        ops: change.ops.len() as u64,
        max_op: change.max_op(),
        deps: change.deps,
        message,
        bootstrap,
    })
}

/// Lets automerge decode the change and encode it again: it must read what we read, and write the
/// same bytes.
pub(super) fn decode(bytes: &[u8], read: &RawChange<'_>) -> Result<Change, GateError> {
    let outcome = contained(|| {
        let change = Change::try_from(bytes)
            .map_err(|error| GateError::Decode { reason: error.to_string() })?;
        if change.hash() != read.hash || change.len() != read.ops.len() {
            return Err(GateError::Reencoded);
        }
        let again = Change::from(ExpandedChange::from(&change));
        if again.raw_bytes() == bytes { Ok(change) } else { Err(GateError::Reencoded) }
    });
    outcome
        .unwrap_or_else(|reason| Err(GateError::Panicked { during: "decoding the change", reason }))
}
