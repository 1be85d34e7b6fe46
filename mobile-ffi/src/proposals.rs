//! Late edits of others to contacts that are this user's now: what they would change, and the decision.

use std::collections::BTreeSet;
use std::time::SystemTime;

use roadbook_client_core as core;
use roadbook_protocol::document;

use crate::book::{Person, Roadbook};
use crate::error::Result;
use crate::fields::FieldPath;
use crate::value::{Value, moment};

/// Where an item of a late edit stands, as the server has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ProposalState {
    /// It waits for a decision.
    Open,
    /// Something that took place, such as a visit: it is being taken by itself.
    Due,
    /// It is part of the contact.
    Accepted,
    /// It is not; the office keeps it.
    Declined,
}

/// What is decided about a late edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Verdict {
    /// It becomes part of the contact, in the name of its author.
    Accept,
    /// It does not.
    Decline,
    /// An earlier decision is taken back: it waits again.
    Undo,
}

/// One field of a late edit, on its three sides. An entry has one for each of its fields.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ProposedField {
    /// The field.
    pub field: FieldPath,
    /// What its author saw.
    pub base: Option<Value>,
    /// What its author wants; none where the field is to be cleared.
    pub proposed: Option<Value>,
    /// What stands there now, on this device.
    pub now: Option<Value>,
}

/// One thing to decide about: a field, an entry, an edit of the note.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ProposalItem {
    /// Its number in the late edit.
    pub item: u64,
    /// What it is about.
    pub path: FieldPath,
    /// What it would change.
    pub fields: Vec<ProposedField>,
    /// When it was made, as that device's clock said.
    pub at: SystemTime,
    /// Where it stands.
    pub state: ProposalState,
    /// Who decided; none as long as it waits, and for what was taken by itself.
    pub decided_by: Option<Person>,
    /// When.
    pub decided_at: Option<SystemTime>,
    /// Why it could not be taken by itself, or can't be read.
    pub reason: Option<String>,
    /// What was decided on this device and is on its way, or was refused.
    pub decision: Option<Verdict>,
    /// Why that was refused: who decided what and when. None as long as it is on its way.
    pub refused: Option<String>,
}

/// The late edits of one device to one contact.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Proposal {
    /// Its number, the same as at the office.
    pub number: u64,
    /// The contact.
    pub contact_id: String,
    /// What the contact is called.
    pub display_name: String,
    /// Who made the edits.
    pub author: Person,
    /// When the first of them arrived at the server.
    pub received_at: SystemTime,
    /// What there is to decide.
    pub items: Vec<ProposalItem>,
}

impl Verdict {
    fn core(self) -> core::ProposalVerdict {
        match self {
            Verdict::Accept => core::ProposalVerdict::Accept,
            Verdict::Decline => core::ProposalVerdict::Decline,
            Verdict::Undo => core::ProposalVerdict::Undo,
        }
    }

    fn from_word(word: &str) -> Option<Verdict> {
        [Verdict::Accept, Verdict::Decline, Verdict::Undo]
            .into_iter()
            .find(|verdict| verdict.core().as_str() == word)
    }
}

impl Proposal {
    fn from_core(proposal: core::Proposal) -> Proposal {
        Proposal {
            number: proposal.n,
            contact_id: proposal.contact_id.to_string(),
            display_name: proposal.display_name,
            author: person(proposal.author),
            received_at: moment(proposal.received_at),
            items: proposal.items.into_iter().map(ProposalItem::from_core).collect(),
        }
    }
}

impl ProposalItem {
    fn from_core(item: core::ProposalItem) -> ProposalItem {
        let fields = fields(&item);
        let decision = item.decision.as_ref();
        ProposalItem {
            item: item.i,
            path: FieldPath::parse(&item.path),
            fields,
            at: moment(item.at),
            state: match item.state.as_str() {
                "due" => ProposalState::Due,
                "accepted" => ProposalState::Accepted,
                "declined" => ProposalState::Declined,
                _ => ProposalState::Open,
            },
            decided_at: item.decided_at.map(moment),
            reason: item.reason,
            decision: decision.and_then(|decision| Verdict::from_word(decision.verdict)),
            refused: decision.and_then(|decision| decision.refused.clone()),
            decided_by: item.decided_by.map(person),
        }
    }
}

fn person(named: core::Named<roadbook_protocol::ids::UserId>) -> Person {
    Person { id: named.id.to_string(), login: String::new(), name: named.name }
}

/// The three sides of an item, field by field: an entry is an object of its fields.
fn fields(item: &core::ProposalItem) -> Vec<ProposedField> {
    let sides = [&item.base, &item.proposed, &item.now];
    let objects: Vec<_> = sides.iter().filter_map(|side| side.as_object()).collect();
    if objects.is_empty() {
        return vec![field(&item.path, sides)];
    }
    let names: BTreeSet<&String> = objects.iter().flat_map(|object| object.keys()).collect();
    let empty = serde_json::Value::Null;
    names
        .into_iter()
        .map(|name| {
            let of = |side: &serde_json::Value| side.get(name).cloned().unwrap_or(empty.clone());
            let [base, proposed, now] = sides.map(of);
            field(&format!("{}/{name}", item.path), [&base, &proposed, &now])
        })
        .collect()
}

fn field(path: &str, sides: [&serde_json::Value; 3]) -> ProposedField {
    let field = FieldPath::parse(path);
    let kind = field.kind();
    let [base, proposed, now] = sides.map(|side| {
        let value = serde_json::from_value::<document::Value>(side.clone()).ok()?;
        Some(Value::from_core(&value, kind))
    });
    ProposedField { field, base, proposed, now }
}

#[uniffi::export]
impl Roadbook {
    /// Late edits of others to contacts that are this user's now, those that changed last first: those
    /// that wait for a decision, or with `all` also those that were decided in the last two weeks.
    #[uniffi::method(default(all = false))]
    pub fn proposals(&self, all: bool) -> Result<Vec<Proposal>> {
        self.call("proposals", |replica| {
            Ok(replica.proposals(all)?.into_iter().map(Proposal::from_core).collect())
        })
    }

    /// Decides about a late edit, or about some items of it; needs no network. Durable when it returns;
    /// it goes up with the next exchange. If somebody decided before, that holds, and `refused` says who
    /// and when. `NotAllowed` where that is known here already.
    #[uniffi::method(default(items = None))]
    pub fn decide_proposal(
        &self,
        number: u64,
        verdict: Verdict,
        items: Option<Vec<u64>>,
    ) -> Result<Proposal> {
        self.call("decide_proposal", |replica| {
            let decided = replica.decide_proposal(number, items.as_deref(), verdict.core())?;
            Ok(Proposal::from_core(decided))
        })
    }
}
