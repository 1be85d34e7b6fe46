//! Late edits on the devices of those who own the contacts now: the list that they get, and what they
//! decide (rules 18 and 19).
//!
//! A decision comes from afar: made offline, hours ago perhaps, and sent again after every cut. So it is
//! judged item by item against what its author saw. What is as it wants it already is done; what somebody
//! else decided meanwhile stays, and the device is told by whom and when.

use std::collections::BTreeMap;

use chrono::DateTime;
use roadbook_protocol::ids::{UnixMs, UserId};
use roadbook_protocol::wire::{
    Access, Decide, DecideItem, DecideRefusal, Decided, DirectoryUser, PROPOSALS_MAX, ProposalItem,
    ProposalSet, ProposalVerdict, Proposals,
};
use rusqlite::Connection;

use super::service::{Identity, while_rights_hold};
use crate::engine::{Engine, Verdict};
use crate::rights::{self, Action};
use crate::store::proposals::{self, Item, ItemState, Proposal};
use crate::store::{EngineError, Result, contacts, people};

/// Decided sets are sent for so long, so that a decision can be taken back on the device.
const RECENT_MS: i64 = 14 * 24 * 60 * 60 * 1000;
/// About how many bytes one frame of the list has.
const PART_BYTES_MAX: usize = 256 * 1024;
/// About how many bytes the list has. What finds no room follows when these are decided.
const LIST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A set of more than this is decided at the office.
const SET_BYTES_MAX: usize = 1024 * 1024;

/// The late edits that wait for the user of a device, and those that were decided lately, in parts: at
/// least one. `None` where the device was revoked meanwhile.
///
/// # Errors
/// What the database says; [`EngineError::Busy`] where rights change too fast.
pub fn proposals(engine: &Engine, who: Identity) -> Result<Option<Vec<Proposals>>> {
    let Identity { workspace, user, .. } = who;
    let since = engine.now_ms() - RECENT_MS;
    while_rights_hold(engine, who, || {
        let cursor = engine.public_cursor(workspace)?;
        engine.read(|conn| {
            let role = people::user(conn, workspace, user)?.role;
            let mut parts = Parts::new(cursor);
            // The list is of contacts that the user owns: what is left to ask is the role.
            if rights::on_device(role, Action::DecideLate, Some(Access::Owner)) {
                let found = proposals::for_owner(conn, (workspace, user), since, PROPOSALS_MAX)?;
                parts.left_out = found.left_out;
                // What was not taken apart yet comes with the next list.
                for set in found.sets.iter().filter(|set| !set.items.is_empty()) {
                    parts.add(conn, who, set)?;
                }
            }
            Ok(parts.finish())
        })
    })
}

/// The parts of a list that is being written.
struct Parts {
    done: Vec<Proposals>,
    next: Proposals,
    users: BTreeMap<UserId, DirectoryUser>,
    part_bytes: usize,
    bytes: usize,
    left_out: u64,
}

impl Parts {
    fn new(cursor: u64) -> Parts {
        Parts {
            done: Vec::new(),
            next: part(cursor),
            users: BTreeMap::new(),
            part_bytes: 0,
            bytes: 0,
            left_out: 0,
        }
    }

    fn add(&mut self, conn: &Connection, who: Identity, set: &Proposal) -> Result<()> {
        let on_wire = on_wire(set);
        let bytes: usize = on_wire.items.iter().map(item_bytes).sum();
        if bytes > SET_BYTES_MAX || self.bytes + bytes > LIST_BYTES_MAX {
            self.left_out += u64::from(set.state == proposals::SetState::Open);
            return Ok(());
        }
        for user in set.items.iter().filter_map(|item| item.decided_by).chain([set.author]) {
            if let std::collections::btree_map::Entry::Vacant(entry) = self.users.entry(user) {
                let found = people::user(conn, who.workspace, user)?;
                entry.insert(DirectoryUser { user, login: found.login, name: found.name });
            }
        }
        if self.part_bytes > 0 && self.part_bytes + bytes > PART_BYTES_MAX {
            let cursor = self.next.cursor;
            self.done.push(std::mem::replace(&mut self.next, part(cursor)));
            self.part_bytes = 0;
        }
        self.part_bytes += bytes;
        self.bytes += bytes;
        self.next.sets.push(on_wire);
        Ok(())
    }

    fn finish(mut self) -> Vec<Proposals> {
        self.next.last = true;
        self.next.left_out = self.left_out;
        self.next.users = self.users.into_values().collect();
        self.done.push(self.next);
        self.done[0].first = true;
        self.done
    }
}

fn part(cursor: u64) -> Proposals {
    let (sets, users) = (Vec::new(), Vec::new());
    Proposals { cursor, first: false, last: false, sets, users, left_out: 0 }
}

fn on_wire(set: &Proposal) -> ProposalSet {
    let items = set.items.iter().map(|item| ProposalItem {
        i: item.i.unsigned_abs(),
        version: item.version,
        path: item.path.clone(),
        kind: item.kind.as_str().to_owned(),
        base: item.base.to_string(),
        proposed: item.proposed.to_string(),
        at: item.at,
        state: item.state.as_str().to_owned(),
        decided_by: item.decided_by,
        decided_at: item.decided_at,
        reason: item.reason.clone(),
    });
    ProposalSet {
        n: set.n.unsigned_abs(),
        contact: set.contact,
        device: set.device,
        author: set.author,
        received_at: set.received_at,
        items: items.collect(),
    }
}

fn item_bytes(item: &ProposalItem) -> usize {
    let reason = item.reason.as_ref().map_or(0, String::len);
    96 + item.path.len() + item.base.len() + item.proposed.len() + reason
}

/// Carries out what the owner of a contact decided on a device. Durable when it returns; it may come
/// again. Never overrides what somebody else decided.
///
/// # Errors
/// What the database says, [`EngineError::Busy`], [`EngineError::Closed`]: the device sends it again.
pub fn decide(engine: &Engine, who: Identity, decide: Decide) -> Result<Decided> {
    let mut judged = engine.read(|conn| judge(conn, who, &decide))?;
    if let Some(error) = attempt(engine, who, &judged, &decide, &judged.open)? {
        // What stands in the way of one item is no reason against the others.
        tracing::debug!(%error, "a decision is carried out item by item");
        for i in judged.open.clone() {
            let now = engine.read(|conn| judge(conn, who, &decide))?;
            if !now.open.contains(&i) {
                continue;
            }
            if let Some(error) = attempt(engine, who, &now, &decide, &[i])? {
                judged.failed.insert(i, error);
            }
        }
        // Who was faster says more than that somebody was.
        let failed = judged.failed;
        judged = engine.read(|conn| judge(conn, who, &decide))?;
        for i in std::mem::take(&mut judged.open) {
            let (code, reason) = match failed.get(&i) {
                Some(EngineError::Refused { code, reason }) => ((*code).to_owned(), reason.clone()),
                Some(error) => ("gone".to_owned(), error.to_string()),
                None => ("decided".to_owned(), "it was decided meanwhile; look at it again".into()),
            };
            judged.refused.push(DecideRefusal { i: i.unsigned_abs(), code, reason });
        }
    }
    Ok(Decided { id: decide.id, refused: judged.refused })
}

/// Tries a decision about some items. Gives why it was refused, if it was.
fn attempt(
    engine: &Engine,
    who: Identity,
    judged: &Judged,
    decide: &Decide,
    items: &[i64],
) -> Result<Option<EngineError>> {
    let Some(n) = judged.n.filter(|_| !items.is_empty()) else { return Ok(None) };
    let verdict = match decide.verdict {
        ProposalVerdict::Accept => Verdict::Accept,
        ProposalVerdict::Decline => Verdict::Decline,
        ProposalVerdict::Undo => Verdict::Undo,
    };
    match engine.decide_as_owner(who.workspace, who.user, n, items, verdict) {
        Ok(_) => Ok(None),
        Err(error @ (EngineError::Refused { .. } | EngineError::NotFound { .. })) => {
            Ok(Some(error))
        }
        Err(error) => Err(error),
    }
}

/// What is to be done about a decision, item by item.
#[derive(Default)]
struct Judged {
    /// The set.
    n: Option<i64>,
    /// Items that are as the decider saw them.
    open: Vec<i64>,
    refused: Vec<DecideRefusal>,
    failed: BTreeMap<i64, EngineError>,
}

fn judge(conn: &Connection, who: Identity, decide: &Decide) -> Result<Judged> {
    let Identity { workspace, user, .. } = who;
    let role = people::user(conn, workspace, user)?.role;
    let held = contacts::visible(conn, workspace, user, decide.contact)?;
    let refuse_all = |code: &str, reason: String| Judged {
        refused: decide.items.iter().map(|item| refusal(item, code, &reason)).collect(),
        ..Judged::default()
    };
    if !rights::on_device(role, Action::DecideLate, held.map(|held| held.access)) {
        let reason = format!(
            "contact {} is not yours: its owner and the manager decide about late edits of it",
            decide.contact
        );
        return Ok(refuse_all("not_yours", reason));
    }
    let Some(set) = proposals::find_of(conn, workspace, decide.contact, decide.device)? else {
        let reason = "the server does not have this late edit any more; ask the office".to_owned();
        return Ok(refuse_all("gone", reason));
    };
    let mut judged = Judged { n: Some(set.n), ..Judged::default() };
    for wanted in &decide.items {
        let found = set
            .items
            .iter()
            .find(|item| item.i.unsigned_abs() == wanted.i && item.path == wanted.path);
        match found {
            None => judged.refused.push(refusal(
                wanted,
                "gone",
                "the server does not have this item any more; ask the office",
            )),
            Some(item) if item.version == wanted.version => judged.open.push(item.i),
            Some(item) if is_done(item, wanted, decide.verdict, user) => {}
            Some(item) => {
                judged.refused.push(refusal(wanted, "decided", &told(conn, who, item)?));
            }
        }
    }
    Ok(judged)
}

fn refusal(item: &DecideItem, code: &str, reason: &str) -> DecideRefusal {
    DecideRefusal { i: item.i, code: code.to_owned(), reason: reason.to_owned() }
}

/// Whether the item is as this very decision left it: it has come before.
fn is_done(item: &Item, wanted: &DecideItem, verdict: ProposalVerdict, user: UserId) -> bool {
    item.version == wanted.version + 1
        && item.state.as_str() == verdict.outcome()
        && (item.state == ItemState::Open || item.decided_by == Some(user))
}

/// Who decided what and when, for somebody who came later.
fn told(conn: &Connection, who: Identity, item: &Item) -> Result<String> {
    let by = match item.decided_by {
        Some(user) if user == who.user => "you, on another device or at the office".to_owned(),
        Some(user) => people::user(conn, who.workspace, user)?.name,
        None if item.state == ItemState::Accepted => {
            "the server, as a visit that took place".into()
        }
        None => String::new(),
    };
    Ok(match (item.state, item.decided_at) {
        (ItemState::Open | ItemState::Due, _) => {
            "an earlier decision about it was taken back meanwhile; look at it again".to_owned()
        }
        (state, at) => format!(
            "it was {} by {by}{}, before this decision arrived; that one holds",
            state.as_str(),
            at.map(moment).unwrap_or_default()
        ),
    })
}

fn moment(at: UnixMs) -> String {
    DateTime::from_timestamp_millis(at)
        .map(|at| at.format(" on %-d %B %Y at %H:%M UTC").to_string())
        .unwrap_or_default()
}
