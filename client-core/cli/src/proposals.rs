//! Late edits of others: what they would change, and the decision.

use roadbook_client_core::{Proposal, ProposalItem, ProposalVerdict, Replica};
use serde_json::{Value, json};

use crate::args::{DecideArgs, ProposalsVerb};
use crate::error::Failure;
use crate::output::{Output, table, time};

/// Characters of a value in a table.
const SHOWN_MAX: usize = 48;

/// `proposals`.
pub fn run(replica: &Replica, out: &Output, verb: Option<&ProposalsVerb>) -> Result<(), Failure> {
    match verb {
        None => list(replica, out, false),
        Some(ProposalsVerb::List { all }) => list(replica, out, *all),
        Some(ProposalsVerb::Accept(args)) => decide(replica, out, args, ProposalVerdict::Accept),
        Some(ProposalsVerb::Decline(args)) => decide(replica, out, args, ProposalVerdict::Decline),
        Some(ProposalsVerb::Undo(args)) => decide(replica, out, args, ProposalVerdict::Undo),
    }
}

fn list(replica: &Replica, out: &Output, all: bool) -> Result<(), Failure> {
    let proposals = replica.proposals(all)?;
    let left_out = replica.proposals_left_out()?;
    if left_out > 0 {
        eprintln!("{left_out} more follow when these are decided");
    }
    out.print(&json!({"proposals": proposals, "left_out": left_out}), || {
        if proposals.is_empty() {
            return "no late edits wait for your decision\n".into();
        }
        proposals.iter().map(shown).collect::<Vec<_>>().join("\n")
    })
}

fn decide(
    replica: &Replica,
    out: &Output,
    args: &DecideArgs,
    verdict: ProposalVerdict,
) -> Result<(), Failure> {
    let items = (!args.items.is_empty()).then_some(args.items.as_slice());
    let proposal = replica.decide_proposal(args.n, items, verdict)?;
    out.print(&proposal, || shown(&proposal))
}

fn shown(proposal: &Proposal) -> String {
    let mut rows =
        vec![["  item", "field", "was", "proposed", "now", "state"].map(str::to_owned).to_vec()];
    rows.extend(proposal.items.iter().map(|item| {
        vec![
            format!("  {}", item.i),
            item.path.clone(),
            short(&item.base),
            short(&item.proposed),
            short(&item.now),
            state(item),
        ]
    }));
    let mut text = format!(
        "late edit {}: {}, {}, by {}, received {}\n{}",
        proposal.n,
        proposal.display_name,
        proposal.contact_id,
        proposal.author.name,
        time(proposal.received_at),
        table(&rows)
    );
    for item in &proposal.items {
        if let Some(reason) = &item.reason {
            text.push_str(&format!("  item {}: {reason}\n", item.i));
        }
        if let Some((decision, refused)) =
            item.decision.as_ref().and_then(|made| Some((made, made.refused.as_ref()?)))
        {
            let verdict = decision.verdict;
            text.push_str(&format!(
                "  item {}: your decision to {verdict} was not taken: {refused}\n",
                item.i
            ));
        }
    }
    text
}

fn state(item: &ProposalItem) -> String {
    match &item.decision {
        Some(decision) if decision.refused.is_none() => {
            return format!("{}: goes up with the next sync", decision.verdict);
        }
        _ => {}
    }
    match (&item.decided_by, item.decided_at) {
        (Some(by), Some(at)) => format!("{} by {}, {}", item.state, by.name, time(at)),
        (None, Some(at)) => format!("{} by itself, {}", item.state, time(at)),
        _ => item.state.clone(),
    }
}

/// A value for a table.
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace('\n', " "),
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{name}: {}", short(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_between_characters_and_empty_fields_are_left_out() {
        assert_eq!(short(&json!({"summary": "Coffee", "place": null})), "summary: Coffee");
        assert_eq!(short(&json!("ü".repeat(60))).chars().count(), SHOWN_MAX + 1);
    }
}
