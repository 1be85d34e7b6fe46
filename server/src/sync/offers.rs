//! What a device offers of a past that this server has lost (rule 3): parts are put together, the
//! evidence is verified, what it covers goes to the log.
//!
//! Nothing of an offer is parsed before its evidence holds. What evidence does not cover is filed as
//! `foreign`, under the hash of its bytes and not under its own: else a device could take the place
//! of another's change before that device brings it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document;
use roadbook_protocol::guard::{Admitted, gate1, peek_change};
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{ChangeFate, EVIDENCE_MAX, Evidence, Fate, OfferItem};

use super::gate::{self, Refused};
use super::service::Identity;
use crate::engine::{AppendRequest, Claim, Engine, SealedBy};
use crate::store::{EngineError, Result};

/// Raw bytes of what is offered of one contact: several times what a document within the limits has.
const CONTACT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Raw bytes of parts that wait for their rest, over all connections.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Changes in one transaction, and what else there is of the last one's contact.
const CHANGES_PER_APPEND: usize = 1_000;
/// Changes of one connection that are kept although nothing covers them.
const FOREIGN_KEPT_MAX: usize = 200;

/// The memory for offers of all connections. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct OfferRoom(Arc<AtomicUsize>);

/// The offers of one connection: a contact whose rest is still to come, at most.
#[derive(Debug)]
pub struct Offers {
    room: OfferRoom,
    partial: Option<OfferItem>,
    bytes: usize,
    foreign_kept: usize,
}

impl Offers {
    /// For one connection.
    pub fn new(room: OfferRoom) -> Self {
        Self { room, partial: None, bytes: 0, foreign_kept: 0 }
    }

    /// Takes the items of an offer; gives those that are complete now.
    fn put_together(&mut self, items: Vec<OfferItem>, limits: &Limits) -> Result<Vec<OfferItem>> {
        let mut complete = Vec::new();
        for mut item in items {
            if let Some(mut before) = self.partial.take() {
                if before.contact != item.contact {
                    self.give_back();
                    return Err(refused(
                        "an offer goes on with another contact than it ended with",
                    ));
                }
                before.changes.append(&mut item.changes);
                before.more = item.more;
                item = before;
            }
            if !item.more {
                self.give_back();
                complete.push(item);
                continue;
            }
            let bytes: usize = item.changes.iter().map(|change| change.len() + 64).sum();
            if bytes > CONTACT_BYTES_MAX || item.changes.len() as u64 > limits.document_changes_max
            {
                self.give_back();
                return Err(refused("an offer of one contact is larger than a contact can be"));
            }
            self.reserve(bytes)?;
            self.partial = Some(item);
        }
        Ok(complete)
    }

    fn reserve(&mut self, bytes: usize) -> Result<()> {
        let more = bytes.saturating_sub(self.bytes);
        let before = self.room.0.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        if before + more > WAITING_BYTES_MAX {
            self.give_back();
            return Err(EngineError::Busy { what: "too many devices bring back what was lost" });
        }
        Ok(())
    }

    fn give_back(&mut self) {
        self.room.0.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Offers {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn refused(reason: &str) -> EngineError {
    EngineError::Refused { code: "offer", reason: format!("{reason}; update the app") }
}

/// Deals with an offer; what was taken is durable when this returns. Gives what was not taken.
/// Blocking.
///
/// # Errors
/// [`EngineError::Refused`] with the code `offer` for one that makes no sense, with another where the
/// device may not write; [`EngineError::Busy`]; what the database says.
pub fn offer(
    engine: &Engine,
    limits: &Limits,
    who: Identity,
    offers: &mut Offers,
    items: Vec<OfferItem>,
) -> Result<Vec<ChangeFate>> {
    let complete = offers.put_together(items, limits)?;
    let key = engine.public_key(who.workspace)?;
    let (mut answer, mut foreign) = (Vec::new(), Vec::new());
    let (mut changes, mut claims) = (Vec::new(), Vec::new());
    for item in complete {
        let contact = item.contact;
        let Covered { claim, admitted, not_covered } = cover(who, &key, item, limits);
        claims.extend(claim);
        changes.extend(admitted.into_iter().map(|(admitted, bytes)| (contact, admitted, bytes)));
        foreign.extend(not_covered.into_iter().map(|bytes| (contact, bytes)));
    }
    if !foreign.is_empty() {
        answer.extend(set_aside(engine, who, offers, foreign)?);
    }
    if changes.is_empty() && !claims.is_empty() {
        append(engine, who, Vec::new(), claims.clone(), &mut answer)?;
    }
    // What there is of a contact goes in one transaction: a document that was begun anew (rule 25) is taken
    // as a whole.
    let mut part: Vec<(ContactId, Admitted, Vec<u8>)> = Vec::new();
    let mut changes = changes.into_iter().peekable();
    while let Some(change) = changes.next() {
        let contact = change.0;
        part.push(change);
        let ends = changes.peek().is_none_or(|(next, _, _)| *next != contact);
        if ends && (part.len() >= CHANGES_PER_APPEND || changes.peek().is_none()) {
            append(engine, who, std::mem::take(&mut part), claims.clone(), &mut answer)?;
        }
    }
    Ok(answer)
}

fn append(
    engine: &Engine,
    who: Identity,
    changes: Vec<(ContactId, Admitted, Vec<u8>)>,
    claims: Vec<Claim>,
    answer: &mut Vec<ChangeFate>,
) -> Result<()> {
    let Identity { workspace, device, user } = who;
    let taken = changes.len();
    let request = AppendRequest {
        workspace,
        device,
        user,
        batch: 0,
        changes,
        vouched: Some(claims),
        sealed: SealedBy::Nobody,
    };
    let appended = engine.append_blocking(request)?;
    metrics::counter!("roadbook_offers_taken_total").increment(taken as u64);
    let not_taken = appended
        .outcomes
        .into_iter()
        .filter(|outcome| !matches!(outcome.fate, Fate::Stored | Fate::Merged));
    answer.extend(not_taken.map(|outcome| ChangeFate {
        contact: outcome.contact,
        hash: outcome.hash,
        fate: outcome.fate,
        code: outcome.code,
        reason: outcome.reason,
    }));
    Ok(())
}

/// What evidence makes of the changes of one contact.
struct Covered {
    claim: Option<Claim>,
    admitted: Vec<(Admitted, Vec<u8>)>,
    not_covered: Vec<Vec<u8>>,
}

fn cover(who: Identity, key: &[u8], item: OfferItem, limits: &Limits) -> Covered {
    let OfferItem { contact, evidence, changes, .. } = item;
    let evidence: Vec<Evidence> = evidence
        .into_iter()
        .take(EVIDENCE_MAX)
        .filter(|evidence| evidence.holds(&who.workspace, &who.user, contact, key))
        .collect();
    let mut covered =
        Covered { claim: claim(contact, &evidence), admitted: Vec::new(), not_covered: Vec::new() };
    if evidence.is_empty() {
        covered.not_covered = changes;
        return covered;
    }
    let bootstraps: Vec<(ChangeHash, &[u8])> =
        document::bootstraps().iter().map(|known| (known.hash, known.bytes)).collect();
    let mut read = Vec::with_capacity(changes.len());
    for bytes in changes {
        match gate1(&bytes, limits, &bootstraps) {
            Ok(admitted) => read.push((admitted, bytes)),
            // Its hash is not to be believed, so nothing can cover it.
            Err(_) => covered.not_covered.push(bytes),
        }
    }
    let deps: HashMap<ChangeHash, &[ChangeHash]> =
        read.iter().map(|(admitted, _)| (admitted.hash, admitted.deps.as_slice())).collect();
    // A hash commits to its history: down from the tips, every dependency is covered too.
    let mut reached: HashSet<ChangeHash> = HashSet::new();
    let mut next: Vec<ChangeHash> =
        evidence.iter().flat_map(|evidence| evidence.tips.iter().copied()).collect();
    while let Some(hash) = next.pop() {
        if let Some(deps) = deps.get(&hash)
            && reached.insert(hash)
        {
            next.extend(deps.iter().copied());
        }
    }
    for (admitted, bytes) in read {
        match reached.contains(&admitted.hash) {
            true => covered.admitted.push((admitted, bytes)),
            false => covered.not_covered.push(bytes),
        }
    }
    covered
}

/// The newest of what the evidence says: epochs grow with every change of owner.
fn claim(contact: ContactId, evidence: &[Evidence]) -> Option<Claim> {
    let newest = evidence.iter().max_by_key(|evidence| evidence.epoch)?;
    Some(Claim {
        contact,
        access: newest.access,
        owner: newest.owner,
        epoch: newest.epoch,
        timeline: newest.timeline,
        as_of: newest.as_of,
    })
}

const FOREIGN: &str = "foreign";
const FOREIGN_REASON: &str = "nothing that this server signed covers it";

fn foreign(contact: ContactId, hash: ChangeHash) -> ChangeFate {
    ChangeFate {
        contact,
        hash,
        fate: Fate::Quarantined,
        code: FOREIGN.to_owned(),
        reason: format!("it is not this device's, and {FOREIGN_REASON}; it is kept at the server"),
    }
}

/// Keeps what nothing covers, up to a bound: it stays on the device too.
fn set_aside(
    engine: &Engine,
    who: Identity,
    offers: &mut Offers,
    foreign: Vec<(ContactId, Vec<u8>)>,
) -> Result<Vec<ChangeFate>> {
    metrics::counter!("roadbook_changes_refused_total", "code" => FOREIGN)
        .increment(foreign.len() as u64);
    let mut told: Vec<Option<ChangeFate>> = foreign
        .iter()
        .map(|(contact, bytes)| Some(self::foreign(*contact, peek_change(bytes)?.0)))
        .collect();
    let room = FOREIGN_KEPT_MAX.saturating_sub(offers.foreign_kept);
    let limit = engine.limits().change_bytes_max;
    let kept: Vec<Refused> = foreign
        .into_iter()
        .enumerate()
        .filter(|(_, (_, bytes))| bytes.len() <= limit)
        .take(room)
        .map(|(place, (contact, bytes))| {
            Refused::new(place, contact, FOREIGN, FOREIGN_REASON, bytes)
        })
        .collect();
    offers.foreign_kept += kept.len();
    let now = engine.now_ms();
    let erased = engine.write(move |tx| gate::keep(tx, who, &kept, now))?;
    for place in erased {
        if let Some(Some(fate)) = told.get_mut(place) {
            fate.fate = Fate::Erased;
            fate.code = "erased".to_owned();
            fate.reason = gate::ERASED.to_owned();
        }
    }
    Ok(told.into_iter().flatten().collect())
}
