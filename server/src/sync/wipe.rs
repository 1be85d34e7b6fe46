//! Sealed edits: what revoked devices hand over before they are wiped (rule 20), and the copies of a
//! device whose key is lost, which another device of its user hands over (rule 17).
//!
//! Nothing here may send contact data. What comes out of a sealed part goes through gate 1 and the
//! log like everything else from devices.

use roadbook_protocol::ids::DeviceId;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    Fate, Origin, Problem, ProblemCode, SEALED_PARTS_MAX, Sealed, SealedEdit, SealedStored,
    UpChange,
};
use serde_json::json;

use super::gate::{self, Gated};
use super::service::Identity;
use crate::engine::{AppendRequest, Engine, SealedBy};
use crate::store::{EngineError, Result, audit, devices, erasures, wipes};

/// Bundles of the full size that are kept of one device: a device that lost its note of the first one
/// seals again.
const BUNDLES_MAX: u32 = 4;
/// The code of an [`EngineError::Refused`] for a device that hands over too much.
const FULL: &str = "sealed_full";

/// Whose the edits of a part are.
struct Whose {
    /// The device that made them, and its user.
    who: Identity,
    by: SealedBy,
}

/// Opens a sealed part and takes what is in it: durable when this returns. Taking it twice changes
/// nothing. A part that can't be opened is kept as it came; a copy that is not of the user's own
/// device, or that this device did not make, is refused with a code.
///
/// # Errors
/// [`EngineError::Refused`] where the device has handed over too much, and what the database says.
pub fn store_sealed(
    engine: &Engine,
    limits: &Limits,
    who: Identity,
    sealed: Sealed,
) -> Result<SealedStored> {
    let (bundle, part) = (sealed.bundle, sealed.part);
    let taken = SealedStored::taken(bundle, part);
    let Whose { who, by } = match &sealed.origin {
        None => Whose { who, by: SealedBy::Revoked },
        Some(origin) => match trace(engine, who, &sealed, origin)? {
            Ok(whose) => whose,
            Err((code, reason)) => {
                tracing::warn!(device = %who.device, origin = %origin.device, code, "a sealed copy was refused");
                metrics::counter!("roadbook_sealed_copies_refused_total").increment(1);
                return Ok(SealedStored { code: code.to_owned(), reason, ..taken });
            }
        },
    };
    let Identity { workspace, device, user } = who;
    let (known, held) = engine.read(|conn| -> Result<_> {
        let known = wipes::has_part(conn, workspace, device, bundle, part)?;
        Ok((known, wipes::count_parts(conn, workspace, device)?))
    })?;
    if known {
        return Ok(taken);
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
    let mut became = take(engine, limits, who, by, edits)?;
    let now = engine.now_ms();
    let left = std::mem::take(&mut became.left);
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
        if sealed.origin.is_some() && wipes::count_parts(tx, workspace, device)? == 0 {
            let (subject, detail) = (device.to_string(), json!({}));
            audit::append(tx, workspace, now, Some(user), "device.copies", &subject, &detail)?;
        }
        wipes::add_part(tx, workspace, device, &sealed, count, unopened.as_deref(), now)
    })?;
    metrics::counter!("roadbook_sealed_parts_total").increment(1);
    Ok(SealedStored { taken: became.taken, proposed: became.proposed, kept: became.kept, ..taken })
}

/// Finds the device that made a copy: one of the same user, and it must have made it. `Err` with a code
/// and the reason where it is refused.
fn trace(
    engine: &Engine,
    who: Identity,
    sealed: &Sealed,
    origin: &Origin,
) -> Result<std::result::Result<Whose, (&'static str, String)>> {
    let (made_by, hands_over) = engine.read(|conn| -> Result<_> {
        let find = |id: DeviceId| devices::find_device(conn, who.workspace, id);
        Ok((find(origin.device)?, find(who.device)?))
    })?;
    let Some(made_by) = made_by else {
        let reason = format!(
            "device {} is not known here; the sealed edits stay on this device",
            origin.device
        );
        return Ok(Err(("unknown_device", reason)));
    };
    if made_by.user != who.user {
        let reason = format!(
            "device {} belongs to another user, who alone may hand its edits over",
            origin.device
        );
        return Ok(Err(("not_yours", reason)));
    }
    let key = (made_by.algorithm, made_by.public_key.as_slice());
    if !origin.holds(sealed, &who.workspace, &who.user, key) {
        let reason = format!("device {} did not make this part", origin.device);
        return Ok(Err(("forged", reason)));
    }
    let revoked =
        made_by.revoked_at.is_some() || hands_over.is_none_or(|device| device.revoked_at.is_some());
    let by = if revoked { SealedBy::Revoked } else { SealedBy::Lost };
    Ok(Ok(Whose { who: Identity { device: origin.device, ..who }, by }))
}

/// What became of the edits of a part.
#[derive(Default)]
struct Became {
    taken: u32,
    proposed: u32,
    /// What is in `left`, and what can't be opened.
    kept: u32,
    /// Those that the log did not settle: they are kept with their commands.
    left: Vec<SealedEdit>,
}

impl Became {
    fn settle(&mut self, edit: &SealedEdit, fate: Fate) -> bool {
        let counted = u32::from(edit.edit.is_some());
        match fate {
            Fate::Merged | Fate::Stored | Fate::Replaced => self.taken += counted,
            Fate::Proposed => self.proposed += counted,
            Fate::Erased => {}
            _ => return false,
        }
        true
    }

    fn keep(&mut self, edit: SealedEdit) {
        if edit.edit.is_some() {
            self.kept += 1;
            self.left.push(edit);
        }
    }
}

/// Hands the edits to the log.
fn take(
    engine: &Engine,
    limits: &Limits,
    who: Identity,
    by: SealedBy,
    edits: Vec<SealedEdit>,
) -> Result<Became> {
    let mut became = Became::default();
    let (changes, left): (Vec<_>, Vec<_>) =
        edits.into_iter().partition(|edit| !edit.bytes.is_empty());
    // A bootstrap is the same everywhere and no loss.
    left.into_iter().for_each(|edit| became.keep(edit));
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
            sealed: by,
        })?;
        if !kept.is_empty() {
            let now = engine.now_ms();
            let erased = engine.write(move |tx| gate::keep(tx, who, &kept, now))?;
            gate::note_erased(&mut refused, &erased);
        }
        let outcomes = gate::answer(refused, appended.outcomes, &appended.need);
        for (edit, outcome) in part.iter().zip(outcomes) {
            if !became.settle(edit, outcome.fate) {
                let (code, reason) = (outcome.code, outcome.reason);
                became.keep(SealedEdit { code, reason, ..edit.clone() });
            }
        }
    }
    // Whoever waits is gone.
    engine.forget_waiting(who.workspace, who.device);
    Ok(became)
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
