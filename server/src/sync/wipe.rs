//! Revoked devices: the order to wipe, what they hand over sealed, and their confirmation (rule 20).
//!
//! Nothing here may send contact data. What comes out of a sealed part goes through gate 1 and the
//! log like everything else from devices, and becomes proposals there.

use roadbook_protocol::ids::EditId;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    Fate, Problem, ProblemCode, SEALED_PARTS_MAX, Sealed, SealedEdit, UpChange,
};

use super::gate::{self, Gated};
use super::service::Identity;
use crate::engine::{AppendRequest, Engine};
use crate::store::{EngineError, Result, erasures, wipes};

/// Bundles of the full size that are kept of one device: a device that lost its note of the first one
/// seals again.
const BUNDLES_MAX: u32 = 4;
/// The code of an [`EngineError::Refused`] for a device that hands over too much.
const FULL: &str = "sealed_full";

/// Opens a sealed part and takes what is in it: durable when this returns. Taking it twice changes
/// nothing. A part that can't be opened is kept as it came.
///
/// # Errors
/// [`EngineError::Refused`] where the device has handed over too much, and what the database says.
pub fn store_sealed(
    engine: &Engine,
    limits: &Limits,
    who: Identity,
    sealed: Sealed,
) -> Result<(EditId, u32)> {
    let Identity { workspace, device, user } = who;
    let (bundle, part) = (sealed.bundle, sealed.part);
    let (known, held) = engine.read(|conn| -> Result<_> {
        let known = wipes::has_part(conn, workspace, device, bundle, part)?;
        Ok((known, wipes::count_parts(conn, workspace, device)?))
    })?;
    if known {
        return Ok((bundle, part));
    }
    if held >= BUNDLES_MAX * SEALED_PARTS_MAX {
        let reason = "this device has handed over more than any device holds; ask your admin";
        return Err(EngineError::Refused { code: FULL, reason: reason.to_owned() });
    }
    let opened = match engine.opening_key(workspace, &sealed.key) {
        Some(key) => {
            let whose = (&workspace, &device, &user);
            sealed.open(whose, &key, limits.message_inflated_bytes_max)
        }
        None => Err("the key that it was sealed to is not here any more".to_owned()),
    };
    let (edits, unopened) = match opened {
        Ok(edits) => (edits, None),
        Err(reason) => {
            tracing::error!(%device, reason, "sealed edits could not be opened; they are kept");
            (Vec::new(), Some(reason))
        }
    };
    let count = edits.iter().filter(|edit| edit.edit.is_some()).count();
    let left = take(engine, limits, who, edits)?;
    let now = engine.now_ms();
    engine.write(move |tx| -> Result<()> {
        // It came over two connections at once.
        if wipes::has_part(tx, workspace, device, bundle, part)? {
            return Ok(());
        }
        for edit in &left {
            // The log says so of a change. Of an edit that no change carries nobody has, and where the
            // contact was erased since, what the log said is of before.
            if erasures::is_erased(tx, workspace, edit.contact)? {
                continue;
            }
            wipes::keep_edit(tx, workspace, device, user, edit, now)?;
        }
        wipes::add_part(tx, workspace, device, &sealed, count, unopened.as_deref(), now)
    })?;
    metrics::counter!("roadbook_sealed_parts_total").increment(1);
    Ok((bundle, part))
}

/// Hands the edits to the log. Returns those that did not become proposals there and are known to no
/// contact: they are kept with their commands.
fn take(
    engine: &Engine,
    limits: &Limits,
    who: Identity,
    edits: Vec<SealedEdit>,
) -> Result<Vec<SealedEdit>> {
    let (changes, mut left): (Vec<_>, Vec<_>) =
        edits.into_iter().partition(|edit| !edit.bytes.is_empty());
    // A bootstrap is the same everywhere and no loss.
    left.retain(|edit| edit.edit.is_some());
    for part in changes.chunks(limits.batch_changes_max) {
        let up = part
            .iter()
            .map(|edit| UpChange { contact: edit.contact, bytes: edit.bytes.clone() })
            .collect();
        let Gated { admitted, mut refused, kept } = gate::judge(up, limits);
        let appended = engine.append_blocking(AppendRequest {
            workspace: who.workspace,
            device: who.device,
            user: who.user,
            batch: 0,
            changes: admitted,
            vouched: None,
            sealed: true,
        })?;
        if !kept.is_empty() {
            let now = engine.now_ms();
            let erased = engine.write(move |tx| gate::keep(tx, who, &kept, now))?;
            gate::note_erased(&mut refused, &erased);
        }
        let outcomes = gate::answer(refused, appended.outcomes, &appended.need);
        for (edit, outcome) in part.iter().zip(outcomes) {
            let settled = matches!(
                outcome.fate,
                Fate::Proposed | Fate::Merged | Fate::Stored | Fate::Replaced | Fate::Erased
            );
            if !settled && edit.edit.is_some() {
                left.push(SealedEdit {
                    code: outcome.code,
                    reason: outcome.reason,
                    ..edit.clone()
                });
            }
        }
    }
    // Whoever waits is gone.
    engine.forget_waiting(who.workspace, who.device);
    Ok(left)
}

/// The problem to tell where a part is not taken; `None` for a failure of ours.
pub(super) fn refusal(error: &EngineError) -> Option<Problem> {
    let EngineError::Refused { code, reason } = error else { return None };
    let code = match *code {
        FULL => ProblemCode::RateLimited,
        _ => ProblemCode::Unauthorized,
    };
    Some(Problem {
        code,
        message: reason.clone(),
        retry_after_ms: None,
        fatal: true,
        actors: Vec::new(),
    })
}
