//! Gate 1 for a batch: each change is judged for itself, so that one bad change never costs its
//! neighbours anything. What is refused is kept beside the others, in quarantine, never near a
//! document.

use ring::digest::{SHA256, digest};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document;
use roadbook_protocol::guard::{Admitted, gate1};
use roadbook_protocol::ids::{Actor, ContactId, UnixMs};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::Outcome;
use roadbook_protocol::wire::{Fate, Need, UpChange};

use rusqlite::Transaction;
use uuid::Uuid;

use super::service::Identity;
use crate::engine;
use crate::store::changes::{self, NewChange};
use crate::store::{Result, erasures};

/// What a refused change is filed under, since nothing in its bytes can be believed.
const NOBODY: Actor = Actor(Uuid::nil());

/// Why nothing is kept of a change that is about an erased contact.
pub(super) const ERASED: &str = "the contact was erased; nothing about it is kept";

/// A change that gate 1 refused, to be kept as it came.
#[derive(Debug)]
pub struct Refused {
    /// Its place in what it came with.
    place: usize,
    contact: ContactId,
    code: &'static str,
    reason: String,
    bytes: Vec<u8>,
}

impl Refused {
    /// To be filed with this code and reason.
    pub(super) fn new(
        place: usize,
        contact: ContactId,
        code: &'static str,
        reason: impl Into<String>,
        bytes: Vec<u8>,
    ) -> Self {
        Self { place, contact, code, reason: reason.into(), bytes }
    }
}

/// A batch after gate 1: what goes on to the engine, and the answers for what does not.
#[derive(Debug)]
pub struct Gated {
    /// What was let through, in the batch's order.
    pub admitted: Vec<(ContactId, Admitted, Vec<u8>)>,
    /// One per change of the batch: `None` for what was let through.
    pub refused: Vec<Option<Outcome>>,
    /// The refused ones themselves, but for those that are too large to be kept.
    pub kept: Vec<Refused>,
}

/// Judges a batch. Takes a few microseconds per change: not for the reactor.
pub fn judge(changes: Vec<UpChange>, limits: &Limits) -> Gated {
    let bootstraps: Vec<(ChangeHash, &[u8])> =
        document::bootstraps().iter().map(|known| (known.hash, known.bytes)).collect();
    let mut admitted = Vec::with_capacity(changes.len());
    let mut refused = Vec::with_capacity(changes.len());
    let mut kept = Vec::new();
    for (place, change) in changes.into_iter().enumerate() {
        match gate1(&change.bytes, limits, &bootstraps) {
            Ok(found) => {
                admitted.push((change.contact, found, change.bytes));
                refused.push(None);
            }
            Err(error) => {
                let (code, reason) = (error.code(), error.to_string());
                metrics::counter!("roadbook_changes_refused_total", "code" => code).increment(1);
                refused.push(Some(refusal(code, &reason)));
                if change.bytes.len() <= limits.change_bytes_max {
                    let UpChange { contact, bytes } = change;
                    kept.push(Refused { place, contact, code, reason, bytes });
                }
            }
        }
    }
    Gated { admitted, refused, kept }
}

/// Whatever the server keeps of it, the device keeps the change too, and the command that made it.
fn refusal(code: &str, reason: &str) -> Outcome {
    Outcome {
        hash: None,
        fate: Fate::Quarantined,
        code: code.to_owned(),
        reason: format!(
            "the change was refused: {reason}; it stays on the device and can be exported"
        ),
        missing: Vec::new(),
    }
}

/// Files refused changes in quarantine, each once: who sent them, why they were refused, and the
/// bytes. Nothing is kept about an erased contact, not even what can't be read: the words stand in
/// it all the same. Returns the places of those, for [`note_erased`].
///
/// # Errors
/// What the database says.
pub fn keep(
    tx: &Transaction<'_>,
    who: Identity,
    refused: &[Refused],
    now: UnixMs,
) -> Result<Vec<usize>> {
    let mut erased = Vec::new();
    for Refused { place, contact, code, reason, bytes } in refused {
        if erasures::is_erased(tx, who.workspace, *contact)? {
            erased.push(*place);
            continue;
        }
        let mut hash = [0u8; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        let hash = ChangeHash(hash);
        if changes::find(tx, who.workspace, *contact, &hash)?.is_some() {
            continue;
        }
        changes::append(
            tx,
            &NewChange {
                workspace: who.workspace,
                contact: *contact,
                fate: Fate::Quarantined,
                fate_cursor: 0,
                actor: NOBODY,
                actor_seq: 0,
                hash,
                device: Some(who.device),
                user: who.user,
                received_at: now,
                epoch: 0,
                verdict: "refused",
                code: Some(code),
                reason: Some(reason),
                generation: 1,
                replaces: &[],
                bytes,
            },
        )?;
    }
    Ok(erased)
}

/// Says of refused changes that their contact is erased: the device is to purge it, and not to keep
/// them.
pub fn note_erased(refused: &mut [Option<Outcome>], places: &[usize]) {
    for place in places {
        if let Some(Some(outcome)) = refused.get_mut(*place) {
            outcome.fate = Fate::Erased;
            outcome.code = "erased".to_owned();
            outcome.reason = ERASED.to_owned();
        }
    }
}

/// The answers of the whole batch, in its order, once the engine has answered for its part.
pub fn answer(
    refused: Vec<Option<Outcome>>,
    appended: Vec<engine::Outcome>,
    need: &[Need],
) -> Vec<Outcome> {
    let mut appended = appended.into_iter();
    refused
        .into_iter()
        .filter_map(|refused| {
            refused.or_else(|| appended.next().map(|outcome| taken(outcome, need)))
        })
        .collect()
}

fn taken(outcome: engine::Outcome, need: &[Need]) -> Outcome {
    let missing = match outcome.fate {
        Fate::Waiting => need
            .iter()
            .filter(|need| need.contact == outcome.contact)
            .flat_map(|need| need.hashes.iter().copied())
            .collect(),
        _ => Vec::new(),
    };
    Outcome {
        hash: Some(outcome.hash),
        fate: outcome.fate,
        code: outcome.code,
        reason: outcome.reason,
        missing,
    }
}
