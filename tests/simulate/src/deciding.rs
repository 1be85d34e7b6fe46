//! The office decides about late edits: takes them, in whole or in part, declines them, and thinks
//! better of it.

use std::collections::BTreeSet;

use fastrand::Rng;
use roadbook_server::engine::Verdict;
use roadbook_server::store::EngineError;
use roadbook_server::store::proposals::{ItemState, Proposal, Wanted};

use crate::oracle::Acknowledged;
use crate::world::World;

impl World {
    /// Decides about one set, if there is one.
    pub fn decide(&mut self, salt: u64) {
        let Some(engine) = self.server.engine() else { return };
        let workspace = self.server.workspace;
        let wanted = Wanted { decided: true, limit: u32::MAX, ..Wanted::default() };
        let Some(sets) = self.office("the proposals", engine.proposals(workspace, wanted)) else {
            return;
        };
        let mut rng = Rng::with_seed(salt);
        let Some((set, verdict)) = choose(&sets, &mut rng) else { return };
        let in_state = |item: &ItemState| (*item == ItemState::Open) == (verdict != Verdict::Undo);
        let mut items: Vec<i64> = set
            .items
            .iter()
            .filter(|item| item.state != ItemState::Due && in_state(&item.state))
            .map(|item| item.i)
            .collect();
        rng.shuffle(&mut items);
        items.truncate(rng.usize(1..=items.len().max(1)));
        let by = self.server.office;
        let decided = engine.decide(workspace, by, set.n, Some(&items), verdict);
        match (verdict, &decided) {
            // Somebody has written there since.
            (Verdict::Undo, Err(EngineError::Command(_))) => return,
            // A contact that is stored and not merged yet is not there for the office.
            (_, Err(EngineError::NotFound { .. })) => return,
            _ => {}
        }
        let Some(decided) = self.office("a decision", decided) else { return };
        self.tell(|| format!("proposal {} of {} items {items:?}: {verdict:?}", set.n, set.contact));
        self.cover.count(match verdict {
            Verdict::Accept => "act.proposal_accepted",
            Verdict::Decline => "act.proposal_declined",
            Verdict::Undo => "act.proposal_undone",
        });
        let now = &decided.proposal;
        if verdict == Verdict::Undo {
            let asked = now.items.iter().filter(|item| items.contains(&item.i));
            let left: BTreeSet<_> = asked
                .filter(|item| item.state != ItemState::Open)
                .map(|item| item.change)
                .collect();
            if left.len() > decided.notes.len() {
                let what = format!("proposal {}: {left:?} stand, told: {:?}", set.n, decided.notes);
                self.violated("P9: what can be undone is, what can't is told", what);
            }
        }
        for item in now.items.iter().filter(|item| items.contains(&item.i)) {
            if verdict == Verdict::Undo && item.state == ItemState::Open {
                let each = item.changes.iter().map(|change| (*change, item.version));
                self.oracle.undone.extend(each);
            }
            // What was taken is a change of the server's: durable as any other.
            if let (ItemState::Accepted, Some(hash)) = (item.state, item.change) {
                let one = Acknowledged { contact: now.contact, hash, device: None };
                self.oracle.accepted.insert(hash);
                if !self.oracle.acknowledged.contains(&one) {
                    self.oracle.acknowledged.push(one);
                }
            }
        }
    }
}

/// A set and what is done about it: one that waits is decided, now and then a decision is undone.
fn choose<'a>(sets: &'a [Proposal], rng: &mut Rng) -> Option<(&'a Proposal, Verdict)> {
    let has = |set: &&Proposal, open: bool| {
        let of_kind =
            |state: ItemState| state != ItemState::Due && (state == ItemState::Open) == open;
        set.items.iter().any(|item| of_kind(item.state))
    };
    let undo = rng.u8(..4) == 0;
    let fitting: Vec<&Proposal> = sets.iter().filter(|set| has(set, !undo)).collect();
    let set = fitting.get(rng.usize(..fitting.len().max(1))).copied()?;
    let verdict = match (undo, rng.bool()) {
        (true, _) => Verdict::Undo,
        (false, true) => Verdict::Accept,
        (false, false) => Verdict::Decline,
    };
    Some((set, verdict))
}
