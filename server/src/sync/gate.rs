//! Gate 1 for a batch: each change is judged for itself, so that one bad change never costs its
//! neighbours anything.

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document;
use roadbook_protocol::guard::{Admitted, GateError, gate1};
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::Outcome;
use roadbook_protocol::wire::{Fate, Need, UpChange};

use crate::engine;

/// A batch after gate 1: what goes on to the engine, and the answers for what does not.
pub(super) struct Gated {
    /// What was let through, in the batch's order.
    pub(super) admitted: Vec<(ContactId, Admitted, Vec<u8>)>,
    /// One per change of the batch: `None` for what was let through.
    pub(super) refused: Vec<Option<Outcome>>,
}

/// Judges a batch. Takes a few microseconds per change: not for the reactor.
pub(super) fn judge(changes: Vec<UpChange>, limits: &Limits) -> Gated {
    let bootstraps: Vec<(ChangeHash, &[u8])> =
        document::bootstraps().iter().map(|known| (known.hash, known.bytes)).collect();
    let mut admitted = Vec::with_capacity(changes.len());
    let mut refused = Vec::with_capacity(changes.len());
    for change in changes {
        match gate1(&change.bytes, limits, &bootstraps) {
            Ok(found) => {
                admitted.push((change.contact, found, change.bytes));
                refused.push(None);
            }
            Err(error) => {
                metrics::counter!("roadbook_changes_refused_total", "code" => error.code())
                    .increment(1);
                refused.push(Some(refusal(&error)));
            }
        }
    }
    Gated { admitted, refused }
}

/// The device keeps the bytes, lists the edit as quarantined with this reason, and can export it. The
/// server does not keep what has no verified hash.
fn refusal(error: &GateError) -> Outcome {
    Outcome {
        hash: None,
        fate: Fate::Quarantined,
        code: error.code().to_owned(),
        reason: format!(
            "the change was refused: {error}; it stays on the device and can be exported"
        ),
        missing: Vec::new(),
    }
}

/// The answers of the whole batch, in its order, once the engine has answered for its part.
pub(super) fn answer(
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
