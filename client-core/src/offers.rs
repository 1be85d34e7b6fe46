//! What is offered to a server that lost a part of its past (rule 3): others' changes that are here,
//! with the evidence that it had merged them, and their history as far as it lacks it.
//!
//! What is to be offered is noted durably when the server says what it lacks, and struck off when it
//! has answered, so that a cut in between loses nothing.

use std::collections::{HashMap, HashSet, VecDeque};

use automerge::{Change, ChangeHash, ReadDoc};
use roadbook_protocol::document;
use roadbook_protocol::ids::{Actor, ContactId};
use roadbook_protocol::session::{BATCH_BYTES_MAX, LoadedOffer};
use roadbook_protocol::wire::{ChangeFate, Evidence, Fate, OfferItem, path};

use crate::documents::holds;
use crate::error::{Error, Result};
use crate::replica::{Replica, Write};
use crate::store::changes;
use crate::store::contacts;
use crate::store::evidence::{self, EvidenceRow};
use crate::store::lists::{self, Quarantining};

/// Contacts in one offer.
const CONTACTS_MAX: usize = 256;

/// What one connection has still to offer.
#[derive(Debug, Default)]
pub(crate) struct OfferQueue {
    /// The last contact that was begun.
    after: i64,
    begun: Option<Begun>,
}

/// A contact that is being offered.
#[derive(Debug)]
struct Begun {
    contact: ContactId,
    evidence: Vec<Evidence>,
    changes: VecDeque<Vec<u8>>,
}

impl OfferQueue {
    /// Starts over: the server has said (more of) what it lacks.
    pub(crate) fn restart(&mut self) {
        if self.begun.is_none() {
            self.after = 0;
        }
    }

    /// The next part, `None` at the end.
    pub(crate) fn next(
        &mut self,
        replica: &Replica,
        changes_max: usize,
    ) -> Result<Option<LoadedOffer>> {
        let mut offer = LoadedOffer { items: Vec::new(), complete: Vec::new() };
        let (mut bytes, mut changes) = (0, 0);
        while offer.items.len() < CONTACTS_MAX {
            let Some(mut begun) = self.begin(replica)? else { break };
            let mut item = OfferItem {
                contact: begun.contact,
                evidence: std::mem::take(&mut begun.evidence),
                changes: Vec::new(),
                more: false,
            };
            let evidence: usize =
                item.evidence.iter().map(|e| 160 + 32 * (e.tips.len() + e.path.len())).sum();
            bytes += evidence;
            let full = |bytes: usize, changes: usize, next: usize| {
                changes >= changes_max || bytes + next > BATCH_BYTES_MAX
            };
            while let Some(next) = begun.changes.front() {
                let first = offer.items.is_empty() && item.changes.is_empty();
                if full(bytes, changes, next.len()) && !first {
                    break;
                }
                bytes += next.len();
                changes += 1;
                item.changes.extend(begun.changes.pop_front());
            }
            item.more = !begun.changes.is_empty();
            let more = item.more;
            let nothing_fits = more && item.changes.is_empty();
            if nothing_fits && !offer.items.is_empty() {
                begun.evidence = item.evidence;
                self.begun = Some(begun);
                break;
            }
            if more {
                self.begun = Some(begun);
            } else {
                offer.complete.push(item.contact);
            }
            offer.items.push(item);
            if more || full(bytes, changes, 0) {
                break;
            }
        }
        Ok((!offer.items.is_empty()).then_some(offer))
    }

    /// The contact that is under way, or the next one of which there is something to offer.
    fn begin(&mut self, replica: &Replica) -> Result<Option<Begun>> {
        if let Some(begun) = self.begun.take() {
            return Ok(Some(begun));
        }
        loop {
            let next = replica.read(|conn| evidence::next_offer(conn, self.after))?;
            let Some((num, contact, known)) = next else { return Ok(None) };
            self.after = num;
            match replica.covered(num, contact, &known) {
                Ok(Some(begun)) => return Ok(Some(begun)),
                Ok(None) => {}
                Err(error @ (Error::Storage(_) | Error::File { .. } | Error::Suspended)) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(%contact, %error, "nothing of it can be offered");
                }
            }
            replica.write("ack", |write| {
                evidence::set_offer(&write.tx, num, None)?;
                write.ask_for_theirs(contact)
            })?;
        }
    }
}

impl Replica {
    /// The evidence about a contact, and what it covers beyond what the server has: others' changes
    /// with all that they stand on. No changes where all of them are this replica's own, which go the
    /// usual way; `None` where there is no evidence.
    fn covered(&self, num: i64, id: ContactId, known: &[ChangeHash]) -> Result<Option<Begun>> {
        let rows = self.read(|conn| evidence::of(conn, num))?;
        let Some(newest) = rows.iter().max_by_key(|row| (row.epoch, row.seal)).map(|row| row.seal)
        else {
            return Ok(None);
        };
        let doc = self.document(id)?;
        let known: Vec<ChangeHash> =
            known.iter().filter(|hash| holds(&doc, hash)).copied().collect();
        let lacking = doc.get_changes(&known);
        let places: HashMap<ChangeHash, &Change> =
            lacking.iter().map(|change| (change.hash(), change)).collect();
        let mut reached: HashSet<ChangeHash> = HashSet::new();
        let mut next: Vec<ChangeHash> = rows.iter().flat_map(|row| row.tips.clone()).collect();
        while let Some(hash) = next.pop() {
            if let Some(change) = places.get(&hash)
                && reached.insert(hash)
            {
                next.extend(change.deps());
            }
        }
        let own: HashSet<Actor> = self.read(lists::all_own_actors)?.into_iter().collect();
        let built_in = |hash: &ChangeHash| {
            document::bootstraps().iter().any(|bootstrap| bootstrap.hash == *hash)
        };
        let covered: Vec<&Change> = lacking
            .iter()
            .filter(|change| reached.contains(&change.hash()) && !built_in(&change.hash()))
            .collect();
        let others = covered.iter().any(|change| {
            Actor::from_slice(change.actor_id().to_bytes())
                .is_none_or(|actor| !own.contains(&actor))
        });
        let used: Vec<&EvidenceRow> = rows
            .iter()
            .filter(|row| {
                row.seal == newest || others && row.tips.iter().any(|tip| reached.contains(tip))
            })
            .collect();
        let mut evidence = Vec::with_capacity(used.len());
        for row in used {
            let Some(seal) = self.read(|conn| evidence::seal(conn, row.seal))? else { continue };
            evidence.push(Evidence {
                timeline: seal.timeline,
                as_of: seal.as_of,
                access: row.access,
                owner: row.owner,
                epoch: row.epoch,
                tips: row.tips.clone(),
                index: row.place,
                count: u32::try_from(seal.leaves.len()).unwrap_or(u32::MAX),
                path: path(&seal.leaves, row.place as usize),
                signature: seal.signature,
            });
        }
        let changes = match others {
            true => covered.iter().map(|change| change.raw_bytes().to_vec()).collect(),
            false => VecDeque::new(),
        };
        Ok(Some(Begun { contact: id, evidence, changes }))
    }

    /// What was offered of these contacts is dealt with. What the server did not take is listed.
    pub(crate) fn record_offered(
        &self,
        complete: &[ContactId],
        refused: &[ChangeFate],
    ) -> Result<()> {
        self.write("ack", |write| {
            for fate in refused {
                let listed = match fate.fate {
                    Fate::Waiting | Fate::Erased => false,
                    // Another change carries the edit. Where one only stands on such a change, its
                    // author can carry it over, and nobody else: it is not to go unseen meanwhile.
                    Fate::Replaced => fate.code == "dependency",
                    _ => true,
                };
                if listed {
                    write.list_refused(fate)?;
                }
            }
            for id in complete {
                let waits =
                    refused.iter().any(|fate| fate.contact == *id && fate.fate == Fate::Waiting);
                if let Some(row) = contacts::find(&write.tx, *id)?
                    && (!waits || row.generation > 1)
                {
                    evidence::set_offer(&write.tx, row.num, None)?;
                }
                write.ask_for_theirs(*id)?;
            }
            Ok(())
        })
    }
}

impl Write<'_> {
    /// Whether the server takes a document that was begun anew (rule 25) in the place of its own, or not,
    /// is seen by what it has then; what it sent before was not looked at.
    fn ask_for_theirs(&mut self, id: ContactId) -> Result<()> {
        if contacts::find(&self.tx, id)?.is_some_and(|row| row.generation > 1) {
            lists::want(&self.tx, id, -1)?;
            self.notices.sync = true;
            self.wake = true;
        }
        Ok(())
    }

    /// Another's change that the server did not take back: it is in the document here, and in the
    /// quarantine with its bytes.
    fn list_refused(&mut self, fate: &ChangeFate) -> Result<()> {
        let Some(row) = contacts::find(&self.tx, fate.contact)? else { return Ok(()) };
        // A history that is offered has own changes in it. What becomes of those is told of each, and
        // listed with the edit; listed before as another's, that would be taken for known.
        let own = changes::find_local(&self.tx, row.num, &fate.hash)?;
        if own.is_some_and(|own| own.edit.is_some()) {
            return Ok(());
        }
        let Ok(doc) = self.document(&row) else { return Ok(()) };
        let change = doc.get_change_by_hash(&fate.hash);
        self.keep(row.id, doc);
        let Some(change) = change else { return Ok(()) };
        let name = self.display_name(&row);
        lists::quarantine(
            &self.tx,
            &Quarantining {
                contact: row.id,
                display_name: &name,
                edit: None,
                hash: Some(fate.hash),
                bytes: Some(change.raw_bytes()),
                commands: "[]",
                label: "another's change",
                at: self.now(),
                code: &fate.code,
                reason: &fate.reason,
                now: self.now(),
            },
        )
    }
}
