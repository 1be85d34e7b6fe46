//! Evidence (rule 3): what the server signs of the contacts it sends is kept beside them, so that a
//! server which lost its past can get back from this device what others made.
//!
//! Only what can be verified now is kept; what is covered by something newer goes.

use automerge::{Automerge, ChangeHash};
use roadbook_protocol::guard::peek_change;
use roadbook_protocol::ids::TimelineId;
use roadbook_protocol::wire::{
    self, Access, KeyAlgorithm, PageItem, STATEMENTS_MAX, Seal, Stated, seal_text, statements,
};

use crate::documents::{self, holds, holds_all};
use crate::error::Result;
use crate::replica::Write;
use crate::store::contacts::{self, ContactRow};
use crate::store::evidence::{self, EvidenceRow, SealRow};
use crate::store::meta::{self, key};

/// A frame whose seal holds.
pub(crate) struct Sealed {
    /// By the items' order.
    stated: std::vec::IntoIter<(u32, Stated)>,
    seal: SealRow,
    /// Its number, once something stands under it.
    id: Option<i64>,
}

impl Sealed {
    /// The statement about this item, if there is one. Ask in the items' order.
    fn about(&mut self, item: usize) -> Option<(u32, Stated)> {
        match self.stated.as_slice().first() {
            Some((_, stated)) if stated.item == item => self.stated.next(),
            _ => None,
        }
    }
}

impl Write<'_> {
    /// Verifies the seal of a frame; `None` where there is none, or where it does not hold: then
    /// nothing is kept of it, and the content is taken all the same.
    pub(crate) fn verified(
        &self,
        timeline: TimelineId,
        seal: Option<&Seal>,
        items: &[PageItem],
    ) -> Result<Option<Sealed>> {
        let Some(seal) = seal else { return Ok(None) };
        let me = self.replica.me(&self.tx)?;
        let key = meta::get::<Vec<u8>>(&self.tx, key::WORKSPACE_KEY)?.unwrap_or_default();
        let stated = statements(items);
        let leaves: Vec<ChangeHash> = stated.iter().map(|stated| stated.leaf).collect();
        let root = wire::root(&leaves);
        let text = seal_text(&me.workspace, &me.user, &timeline, seal.as_of, &root);
        if leaves.len() > STATEMENTS_MAX as usize
            || !wire::verify(KeyAlgorithm::Ed25519, &key, &text, &seal.signature)
        {
            tracing::warn!("a frame's seal does not hold: no evidence is kept of it");
            return Ok(None);
        }
        let stated: Vec<(u32, Stated)> = (0..).zip(stated).collect();
        let signature = seal.signature.clone();
        let seal = SealRow { timeline, as_of: seal.as_of, leaves, signature };
        Ok(Some(Sealed { stated: stated.into_iter(), seal, id: None }))
    }

    /// Keeps what the frame says of an item, once the item was taken.
    pub(crate) fn keep_evidence(
        &mut self,
        sealed: &mut Option<Sealed>,
        index: usize,
        item: &PageItem,
    ) -> Result<()> {
        let Some(sealed) = sealed else { return Ok(()) };
        let Some((place, stated)) = sealed.about(index) else { return Ok(()) };
        let Some(row) = contacts::find(&self.tx, item.contact)? else { return Ok(()) };
        if item.access == Access::Removed {
            return Ok(());
        }
        let older = evidence::of(&self.tx, row.num)?;
        let superseded = self.superseded(&row, &older, item, &stated.tips);
        let id = match sealed.id {
            Some(id) => id,
            None => *sealed.id.insert(evidence::insert_seal(&self.tx, &sealed.seal)?),
        };
        evidence::insert(
            &self.tx,
            row.num,
            &EvidenceRow {
                seal: id,
                place,
                access: item.access,
                owner: item.owner,
                epoch: item.epoch,
                tips: stated.tips,
            },
        )?;
        evidence::remove(&self.tx, row.num, &superseded)
    }

    /// Which older pieces say nothing that the new one does not cover.
    fn superseded(
        &self,
        row: &ContactRow,
        older: &[EvidenceRow],
        item: &PageItem,
        tips: &[ChangeHash],
    ) -> Vec<i64> {
        let mut superseded = Vec::new();
        let mut unclear = Vec::new();
        let named: Vec<ChangeHash> = item
            .changes
            .iter()
            .filter_map(|bytes| peek_change(bytes))
            .flat_map(|(_, deps)| deps)
            .collect();
        for old in older {
            if old.tips.iter().all(|tip| tips.contains(tip) || named.contains(tip)) {
                // Also where it has no tips: it told only how the contact was held.
                superseded.push(old.seal);
            } else if !tips.is_empty() {
                unclear.push(old);
            }
        }
        if !unclear.is_empty() {
            let covers = |doc: &Automerge| {
                // What is not in the history of the new tips.
                let held: Vec<ChangeHash> =
                    tips.iter().filter(|tip| holds(doc, tip)).copied().collect();
                let beyond: Vec<ChangeHash> =
                    doc.get_changes_meta(&held).iter().map(|meta| meta.hash).collect();
                unclear
                    .iter()
                    .filter(|old| {
                        holds_all(doc, &old.tips)
                            && !old.tips.iter().any(|tip| beyond.contains(tip))
                    })
                    .map(|old| old.seal)
                    .collect::<Vec<i64>>()
            };
            superseded.extend(match self.peek_document(row.id) {
                Some(doc) => covers(doc),
                // What can't be opened is kept as it is.
                None => documents::load(&self.tx, row.num, row.id)
                    .map(|doc| covers(&doc))
                    .unwrap_or_default(),
            });
        }
        superseded
    }
}
