//! Late edits of others to contacts that are this user's now: shown field by field, accepted or declined,
//! with or without a network (rules 18 and 19).
//!
//! A decision is durable here when the call returns, goes up with the next exchange, and becomes part of
//! the contact there. If somebody decided before, that holds, and this device says who and when.

use roadbook_protocol::document::{self, ProposedKind};
use roadbook_protocol::ids::{ContactId, DeviceId, EditId, UnixMs, UserId};
use roadbook_protocol::wire::{Decide, Decided, Proposals};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;

pub use roadbook_protocol::wire::ProposalVerdict;

use crate::documents::contained;
use crate::env::random16;
use crate::error::{Error, Result};
use crate::replica::Replica;
use crate::state::Named;
use crate::store::meta::{self, key};
use crate::store::proposals::{self as store, ItemRow, SetRow};
use crate::store::{contacts, lists, projections};

/// Items in one decision; more are several.
const ITEMS_MAX: usize = roadbook_protocol::wire::DECIDE_ITEMS_MAX;

/// The late edits of one device to one contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// Its number, the same as at the office.
    pub n: u64,
    /// The contact.
    pub contact_id: ContactId,
    /// What the contact is called.
    pub display_name: String,
    /// Who made the edits.
    pub author: Named<UserId>,
    /// With which device.
    pub device_id: DeviceId,
    /// When the first of them arrived at the server, milliseconds since 1970.
    pub received_at: UnixMs,
    /// `open` as long as something of it waits, else `accepted`, `declined` or `in_part`.
    pub state: String,
    /// Its items.
    pub items: Vec<ProposalItem>,
}

/// One field, entry or edit of the note.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProposalItem {
    /// Its number in the set.
    pub i: u64,
    /// The path of the field, as history and conflicts spell it.
    pub path: String,
    /// What it is.
    pub kind: ProposedKind,
    /// What the author saw: a scalar, for an entry an object of its fields, null for none.
    pub base: Value,
    /// What the author wants, in the same form.
    pub proposed: Value,
    /// What stands there now, on this device.
    pub now: Value,
    /// When the author says it was made, milliseconds since 1970.
    pub at: UnixMs,
    /// `due` (being taken by itself), `open`, `accepted`, `declined`, as the server has it.
    pub state: String,
    /// Who decided; none for an interaction that was taken at once.
    pub decided_by: Option<Named<UserId>>,
    /// When.
    pub decided_at: Option<UnixMs>,
    /// Why it could not be taken by itself, or can't be read.
    pub reason: Option<String>,
    /// What was decided on this device and is not part of `state`.
    pub decision: Option<LocalDecision>,
}

/// A decision of this device that is on its way, or was refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LocalDecision {
    /// `accept`, `decline` or `undo`.
    pub verdict: &'static str,
    /// When it was made.
    pub at: UnixMs,
    /// Why the server refused it: who decided what and when. None as long as it is on its way.
    pub refused: Option<String>,
}

impl ProposalItem {
    /// Whether it waits for a decision that was not made here yet.
    pub fn is_open(&self) -> bool {
        self.state == "open"
            && self.decision.as_ref().is_none_or(|decision| decision.refused.is_some())
    }
}

impl Replica {
    /// Late edits of others to contacts of this user, those that changed last first: those of which
    /// something waits for a decision, or (`all`) also those that were decided in the last two weeks.
    ///
    /// # Errors
    /// [`Error::LeaseEnded`], or what the disk says.
    pub fn proposals(&self, all: bool) -> Result<Vec<Proposal>> {
        self.may_read()?;
        let found = self.read(|conn| {
            store::sets(conn)?
                .into_iter()
                .map(|set| Ok((store::items(conn, &set)?, set)))
                .collect::<Result<Vec<_>>>()
        })?;
        let mut shown = Vec::new();
        for (items, set) in found {
            let proposal = self.proposal(&set, items)?;
            let unsettled = |item: &ProposalItem| item.state == "open" || item.decision.is_some();
            if all || proposal.items.iter().any(unsettled) {
                shown.push(proposal);
            }
        }
        Ok(shown)
    }

    /// Open sets that found no room on this device: they follow when others are decided.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn proposals_left_out(&self) -> Result<u64> {
        let count = self.read(|conn| meta::get::<i64>(conn, key::PROPOSALS_LEFT_OUT))?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// Decides about these items of a set, or about all that nothing was decided about. Durable when it returns; goes up with the next
    /// exchange, however often it takes. A decision that was not sent yet may be changed, or taken back
    /// with [`ProposalVerdict::Undo`]; one that the server has taken, undone.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the set or an item; [`Error::NotAllowed`] where it was decided already (by
    /// whom and when), can't be taken, or the user may only read.
    pub fn decide_proposal(
        &self,
        n: u64,
        items: Option<&[u64]>,
        verdict: ProposalVerdict,
    ) -> Result<Proposal> {
        self.may_read()?;
        let (set, rows) = self.write("decide", |write| {
            let tx = &write.tx;
            write.replica.me(tx)?;
            if meta::get::<String>(tx, key::ROLE)?.as_deref() == Some("read_only") {
                return Err(Error::NotAllowed {
                    reason: "you may only read; the manager decides about late edits".to_owned(),
                });
            }
            let set = store::sets(tx)?
                .into_iter()
                .find(|set| set.n == n)
                .ok_or_else(|| Error::NotFound { what: format!("the late edit {n}") })?;
            let rows = store::items(tx, &set)?;
            let chosen = choose(tx, n, &rows, items, verdict)?;
            let (back, chosen): (Vec<&ItemRow>, Vec<&ItemRow>) = chosen
                .into_iter()
                .partition(|row| verdict == ProposalVerdict::Undo && waits(row).is_some());
            for row in back {
                store::take_back(tx, &set, row.item.i)?;
            }
            for part in chosen.chunks(ITEMS_MAX) {
                let id = EditId::from_random(random16(write.replica.entropy()));
                store::decide(tx, &set, part, (id, verdict), write.now())?;
            }
            write.notices.contacts.insert(set.contact);
            write.notices.sync = true;
            write.wake = true;
            let rows = store::items(&write.tx, &set)?;
            Ok((set, rows))
        })?;
        self.proposal(&set, rows)
    }

    fn proposal(&self, set: &SetRow, rows: Vec<ItemRow>) -> Result<Proposal> {
        let doc = self.document(set.contact)?;
        let now = |path: &str| {
            let what = || format!("contact {}", set.contact);
            contained(what, || document::current(&doc, path))
        };
        let (display_name, author) = self.read(|conn| {
            let name = match contacts::find(conn, set.contact)? {
                Some(row) => projections::get(conn, row.num)?.map(|row| row.display_name),
                None => None,
            };
            Ok((name.unwrap_or_default(), named(conn, set.author)?))
        })?;
        let items = rows
            .into_iter()
            .map(|ItemRow { item, decision }| {
                let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
                Ok(ProposalItem {
                    i: item.i,
                    kind: ProposedKind::from_name(&item.kind),
                    base: json(&item.base),
                    proposed: json(&item.proposed),
                    now: now(&item.path).unwrap_or_default(),
                    path: item.path,
                    at: item.at,
                    state: item.state,
                    decided_by: match item.decided_by {
                        Some(user) => Some(self.read(|conn| named(conn, user))?),
                        None => None,
                    },
                    decided_at: item.decided_at,
                    reason: item.reason,
                    decision: decision.map(|decision| LocalDecision {
                        verdict: decision.verdict.as_str(),
                        at: decision.at,
                        refused: decision.refused.map(|(_, reason)| reason),
                    }),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Proposal {
            n: set.n,
            contact_id: set.contact,
            display_name,
            author,
            device_id: set.device,
            received_at: set.received_at,
            state: together(&items).to_owned(),
            items,
        })
    }

    /// Takes a part of the server's list.
    pub(crate) fn store_proposals(&self, part: &Proposals) -> Result<()> {
        self.write("proposals", |write| {
            if store::take(&write.tx, part)? {
                write.wipe_files()?;
            }
            write.notices.sync = true;
            write.notices.contacts.extend(part.sets.iter().map(|set| set.contact));
            Ok(())
        })
    }

    /// The next decision to send.
    pub(crate) fn next_decision(&self) -> Result<Option<Decide>> {
        self.read(store::next_decision)
    }

    /// What became of a decision.
    pub(crate) fn record_decided(&self, decided: &Decided) -> Result<()> {
        self.write("decided", |write| {
            let me = write.replica.me(&write.tx)?;
            for refused in &decided.refused {
                tracing::warn!(code = %refused.code, reason = %refused.reason, "a decision about a late edit was refused");
            }
            store::answered(&write.tx, decided, me.user, write.now())?;
            write.notices.sync = true;
            write.notices.list = true;
            Ok(())
        })
    }
}

fn named(conn: &Connection, user: UserId) -> Result<Named<UserId>> {
    let name = lists::user_name(conn, user)?.unwrap_or_else(|| user.to_string());
    Ok(Named { id: user, name })
}

/// The decision of this device that the server has not answered.
fn waits(row: &ItemRow) -> Option<ProposalVerdict> {
    row.decision
        .as_ref()
        .filter(|decision| decision.refused.is_none())
        .map(|decision| decision.verdict)
}

/// What items come to together.
fn together(items: &[ProposalItem]) -> &'static str {
    let any = |state: &str| items.iter().any(|item| item.state == state);
    match (any("open") || any("due"), any("accepted"), any("declined")) {
        (true, ..) | (false, false, false) => "open",
        (false, true, true) => "in_part",
        (false, true, false) => "accepted",
        (false, false, true) => "declined",
    }
}

/// The items that a verdict is about: those that were named, or all to which it applies.
fn choose<'r>(
    conn: &Connection,
    n: u64,
    rows: &'r [ItemRow],
    named_items: Option<&[u64]>,
    verdict: ProposalVerdict,
) -> Result<Vec<&'r ItemRow>> {
    let refused = |reason: String| Err(Error::NotAllowed { reason });
    let chosen: Vec<&ItemRow> = match named_items {
        // What was decided one by one is not overturned by a word about the rest.
        None => rows
            .iter()
            .filter(|row| applies(row, verdict))
            .filter(|row| verdict == ProposalVerdict::Undo || waits(row).is_none())
            .collect(),
        Some(wanted) => {
            for i in wanted {
                let row = rows.iter().find(|row| row.item.i == *i).ok_or_else(|| {
                    Error::NotFound { what: format!("item {i} of the late edit {n}") }
                })?;
                if !applies(row, verdict) {
                    return refused(format!("item {i} of the late edit {n} {}", why(conn, row)?));
                }
            }
            rows.iter().filter(|row| wanted.contains(&row.item.i)).collect()
        }
    };
    if let Some(row) = chosen.iter().find(|row| {
        verdict == ProposalVerdict::Accept
            && ProposedKind::from_name(&row.item.kind) == ProposedKind::Unreadable
    }) {
        return refused(format!(
            "item {} of the late edit {n} can't be read ({}); decline it, the office keeps its bytes",
            row.item.i,
            row.item.reason.as_deref().unwrap_or("unknown reason")
        ));
    }
    if chosen.is_empty() {
        return refused(format!(
            "nothing of the late edit {n} can be decided so now; see `roadbook proposals list --all`"
        ));
    }
    Ok(chosen)
}

fn applies(row: &ItemRow, verdict: ProposalVerdict) -> bool {
    let decided = matches!(row.item.state.as_str(), "accepted" | "declined");
    match (waits(row), verdict) {
        (Some(waiting), ProposalVerdict::Undo) => waiting != ProposalVerdict::Undo,
        (Some(waiting), _) => waiting != verdict && row.item.state == "open",
        (None, ProposalVerdict::Undo) => decided,
        (None, _) => row.item.state == "open",
    }
}

/// Why an item can't be decided so, for a person.
fn why(conn: &Connection, row: &ItemRow) -> Result<String> {
    if let Some(verdict) = waits(row) {
        let verb = verdict.as_str();
        return Ok(format!("has your decision to {verb} already; it goes up with the next sync"));
    }
    let at = row.item.decided_at.and_then(chrono::DateTime::from_timestamp_millis);
    let when = at.map(|at| at.format(" on %-d %B %Y at %H:%M UTC").to_string()).unwrap_or_default();
    Ok(match (row.item.state.as_str(), row.item.decided_by) {
        ("open", _) => "waits for a decision: there is nothing to undo".to_owned(),
        ("due", _) => "is being taken by itself: a visit that took place".to_owned(),
        (state, Some(user)) => {
            format!("was {state} by {}{when}; undo that first", named(conn, user)?.name)
        }
        (state, None) => format!("was {state} by itself{when}: a visit that took place"),
    })
}
