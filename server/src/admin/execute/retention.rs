//! Retention: rules by which contacts are erased after a time without contact, each with a preview and a
//! list to confirm; and who may be written to at all.

use std::collections::BTreeMap;

use chrono::{DateTime, Months};
use ring::digest::{SHA256, digest};
use roadbook_protocol::document::Contact;
use roadbook_protocol::filter::Filter;
use roadbook_protocol::ids::{ContactId, UnixMs, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, Failure};
use crate::engine::{EngineError, Erase};
use crate::store::{projections, workspaces};

/// The setting that holds the rules.
const SETTING: &str = "retention";
/// Months that a rule may wait.
const MONTHS_MAX: u32 = 1_200;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Rule {
    /// Which contacts (docs/filters.md).
    filter: String,
    /// After so many months without a contact or an edit.
    months: u32,
}

type Rules = BTreeMap<String, Rule>;

/// A contact that a rule reaches.
#[derive(Debug, Serialize)]
struct Due {
    contact: ContactId,
    display_name: String,
    /// The last contact with the person, or else the last edit.
    last: UnixMs,
}

impl Job<'_> {
    fn rules(&self, workspace: WorkspaceId) -> Result<Rules, Failure> {
        let text = self.engine.read(|conn| workspaces::setting(conn, workspace, SETTING))?;
        let Some(text) = text else { return Ok(Rules::new()) };
        serde_json::from_str(&text)
            .map_err(|error| EngineError::damaged(format!("the setting `{SETTING}`"), error).into())
    }

    fn set_rules(&self, workspace: WorkspaceId, rules: &Rules) -> Result<(), Failure> {
        let text = serde_json::to_string(rules).unwrap_or_default();
        let set = move |tx: &rusqlite::Transaction<'_>| -> Result<(), EngineError> {
            workspaces::set_setting(tx, workspace, SETTING, Some(&text))
        };
        Ok(self.engine.write(set)?)
    }

    pub(super) fn retention_set(
        &self,
        name: &str,
        filter: &str,
        months: u32,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 20 || !name.chars().all(fits) {
            return Err(Failure::refused(format!(
                "`{name}` is no name of a rule: write 1 to 20 small letters, digits or -"
            )));
        }
        if months == 0 || months > MONTHS_MAX {
            return Err(Failure::refused(format!("--months: write 1 to {MONTHS_MAX}")));
        }
        if filter.trim().is_empty() {
            return Err(Failure::refused("--filter: a rule for all contacts is written `*`"));
        }
        Filter::parse(if filter.trim() == "*" { "" } else { filter })?;
        let mut rules = self.rules(workspace)?;
        rules.insert(name.to_owned(), Rule { filter: filter.to_owned(), months });
        self.set_rules(workspace, &rules)?;
        self.record(workspace, "retention.set", name, json!({ "months": months }))?;
        let note = format!(
            "nothing is erased by itself: `retention preview {name}` shows whom it reaches"
        );
        Ok(Answer { notes: vec![note], ..Answer::new(json!({ "rules": rules }), String::new()) })
    }

    pub(super) fn retention_remove(&self, name: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let mut rules = self.rules(workspace)?;
        if rules.remove(name).is_none() {
            return Err(unknown(name, &rules));
        }
        self.set_rules(workspace, &rules)?;
        self.record(workspace, "retention.remove", name, json!({}))?;
        Ok(Answer::new(json!({ "rules": rules }), String::new()))
    }

    pub(super) fn retention_list(&self) -> Result<Answer, Failure> {
        let rules = self.rules(self.workspace()?)?;
        let rows: Vec<Vec<String>> = rules
            .iter()
            .map(|(name, rule)| vec![name.clone(), rule.months.to_string(), rule.filter.clone()])
            .collect();
        Ok(Answer::new(json!({ "rules": rules }), table(&["rule", "months", "filter"], &rows)))
    }

    pub(super) fn retention_preview(&self, name: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let due = self.due(workspace, name)?;
        let code = code_of(&due);
        let rows: Vec<Vec<String>> = due
            .iter()
            .map(|one| vec![one.contact.to_string(), moment(one.last), one.display_name.clone()])
            .collect();
        let mut answer = Answer::new(
            json!({ "rule": name, "due": due, "confirm": code }),
            table(&["contact", "last contact", "name"], &rows),
        );
        answer.notes.push(match due.len() {
            0 => "nobody is due".to_owned(),
            n => format!(
                "to erase exactly these {n} for good: roadbook-server retention apply {name} --confirm {code}"
            ),
        });
        Ok(answer)
    }

    pub(super) fn retention_apply(&self, name: &str, confirm: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let by = self.by(workspace).ok();
        let due = self.due(workspace, name)?;
        if due.is_empty() || confirm.trim() != code_of(&due) {
            return Err(Failure::refused(format!(
                "the list is not the one that was confirmed; look at it again with `retention preview {name}`"
            )));
        }
        let mut list = Vec::with_capacity(due.len());
        for one in &due {
            let mut others: Vec<ContactId> = self
                .mentions(workspace, one.contact)?
                .into_iter()
                .map(|mention| mention.contact)
                .collect();
            others.dedup();
            list.push(Erase { contact: one.contact, mentions: others });
        }
        let report = self.engine.erase(workspace, by, list, &format!("retention/{name}"))?;
        let detail = json!({ "contacts": report.erased.len() });
        self.record(workspace, "retention.apply", name, detail)?;
        let text = format!(
            "{} contacts were erased; `erase report` shows the devices\n",
            report.erased.len()
        );
        let ids: Vec<ContactId> = report.erased.iter().map(|one| one.contact).collect();
        Ok(Answer::new(json!({ "erased": ids, "scrubbed": report.scrubbed }), text))
    }

    /// Whom a rule reaches now, by id.
    fn due(&self, workspace: WorkspaceId, name: &str) -> Result<Vec<Due>, Failure> {
        let rules = self.rules(workspace)?;
        let Some(rule) = rules.get(name) else { return Err(unknown(name, &rules)) };
        let now = DateTime::from_timestamp_millis(self.engine.now_ms()).unwrap_or_default();
        let before = now.checked_sub_months(Months::new(rule.months)).unwrap_or_default();
        let before = before.timestamp_millis();
        let mut due = Vec::new();
        for contact in self.matching(workspace, &rule.filter)? {
            let row = self.engine.read(|conn| projections::row(conn, workspace, contact))?;
            let Some(row) = row else { continue };
            let last = row.last_contact_at.unwrap_or(i64::MIN).max(row.touched_at);
            if last < before {
                due.push(Due { contact, display_name: row.display_name, last });
            }
        }
        due.sort_by_key(|one| one.contact);
        Ok(due)
    }
}

fn unknown(name: &str, rules: &Rules) -> Failure {
    let names: Vec<&str> = rules.keys().map(String::as_str).collect();
    let known = if names.is_empty() { "there is none yet".to_owned() } else { names.join(", ") };
    Failure::refused(format!("there is no retention rule `{name}`; there are: {known}"))
}

/// Tells one list from every other.
fn code_of(due: &[Due]) -> String {
    let ids: Vec<u8> = due.iter().flat_map(|one| *one.contact.as_bytes()).collect();
    hex::encode(&digest(&SHA256, &ids).as_ref()[..6])
}

/// Whether somebody may be written to over this channel: not one who asked not to be contacted, and only
/// one whose last statement about the channel (and purpose, if one is named) is a consent.
pub(super) fn may_be_written_to(contact: &Contact, channel: &str, purpose: Option<&str>) -> bool {
    if contact.do_not_contact() {
        return false;
    }
    let same = |said: &str, wanted: &str| said.trim().eq_ignore_ascii_case(wanted.trim());
    contact
        .consents
        .iter()
        .filter(|consent| same(consent.text("channel"), channel))
        .filter(|consent| {
            // A statement without a purpose is about all of them.
            let said = consent.text("purpose");
            said.is_empty() || purpose.is_none_or(|wanted| same(said, wanted))
        })
        // Where two are of one moment, the later entry.
        .max_by_key(|consent| (consent.int("at").unwrap_or(0), consent.id))
        .is_some_and(|last| last.text("state") == "given")
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    fn contact(do_not_contact: bool, consents: &[(&str, &str, &str, i64)]) -> Contact {
        let consents: Vec<Json> = consents
            .iter()
            .enumerate()
            .map(|(i, (channel, purpose, state, at))| {
                json!({
                    "id": format!("00000000-0000-7000-8000-{i:012}"),
                    "channel": channel, "purpose": purpose, "state": state, "at": at,
                })
            })
            .collect();
        serde_json::from_value(json!({
            "id": "00000000-0000-7000-8000-000000000001",
            "display_name": "Nina",
            "do_not_contact": do_not_contact,
            "consents": consents,
        }))
        .unwrap()
    }

    #[test]
    fn the_last_statement_about_a_channel_counts() {
        let news = Some("newsletter");
        let cases = [
            (contact(false, &[]), false),
            (contact(false, &[("email", "newsletter", "given", 5)]), true),
            (contact(false, &[("Email", "Newsletter", "given", 5)]), true),
            (contact(false, &[("phone", "newsletter", "given", 5)]), false),
            (contact(false, &[("email", "offers", "given", 5)]), false),
            (contact(false, &[("email", "", "given", 5)]), true),
            (
                contact(
                    false,
                    &[("email", "", "withdrawn", 6), ("email", "newsletter", "given", 5)],
                ),
                false,
            ),
            (
                contact(
                    false,
                    &[("email", "newsletter", "withdrawn", 5), ("email", "newsletter", "given", 6)],
                ),
                true,
            ),
            (contact(true, &[("email", "newsletter", "given", 5)]), false),
        ];
        for (person, expected) in cases {
            assert_eq!(may_be_written_to(&person, "email", news), expected, "{person:?}");
        }
    }
}
