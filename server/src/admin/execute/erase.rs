//! Erasure: what it would take, doing it, and who has confirmed it. Also what other contacts say of the
//! person.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use roadbook_protocol::document::Contact;
use roadbook_protocol::fold;
use roadbook_protocol::ids::{ContactId, DeviceId, UserId, WorkspaceId};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Job, moment, table};
use crate::admin::base::Base;
use crate::admin::request::{Answer, EraseSettled, Failure};
use crate::engine::{EngineError, Erase};
use crate::store::{audit, contacts, devices, erasures, people as users};

/// A family name alone is looked for only if it has so many characters: shorter ones are words.
const NAME_CHARS_MIN: usize = 4;
/// Digits of a phone number that tell it from others.
const PHONE_DIGITS_MIN: usize = 7;
/// Mentions are listed up to so many.
const MENTIONS_MAX: usize = 500;

/// Another contact that names the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Mention {
    /// The other contact.
    pub contact: ContactId,
    /// What it is called.
    pub display_name: String,
    /// Where in it: `note`, `interactions/ID/summary` ...
    pub at: String,
    /// What was found: `name`, `family_name`, `email`, `phone`, `company`.
    pub by: &'static str,
}

/// A segment, a view or a list that names the person in what it looks for, or in its own name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct SavedMention {
    /// `segment`, `view` or `list`.
    kind: &'static str,
    /// What it is called.
    name: String,
    /// The login of whose it is.
    owner: String,
    /// What was found, as in [`Mention`].
    by: &'static str,
}

impl Job<'_> {
    pub(super) fn erase(
        &self,
        id: &str,
        reason: Option<&str>,
        dry_run: bool,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let by = self.by(workspace).ok();
        let [contact] = self.contact_ids(workspace, &[id.to_owned()])?[..] else {
            return Err(Failure::refused(format!("`{id}` is not one contact")));
        };
        let mentions = self.mentions(workspace, contact)?;
        let saved = self.saved_mentions(workspace, contact)?;
        if dry_run {
            return self.erase_preview(workspace, contact, &mentions, &saved);
        }
        let reason = reason.ok_or_else(|| {
            Failure::refused(
                "an erasure needs a reason: --reason CODE, such as request-2026/17; it is kept for ever, so it \
                 must tell nothing of the person",
            )
        })?;
        let others: BTreeSet<ContactId> = mentions.iter().map(|mention| mention.contact).collect();
        let erase = Erase { contact, mentions: others.into_iter().collect() };
        let report = self.engine.erase(workspace, by, vec![erase], reason)?;
        let done = report.erased.first().ok_or_else(|| Failure::refused("nothing was erased"))?;
        let waiting = self.device_names(workspace, &done.devices)?;
        let mut text = format!("contact {contact} was erased: {} rows\n", done.rows);
        if !waiting.is_empty() {
            text.push_str("these devices held it and confirm when they have purged it:\n");
            waiting.iter().for_each(|name| text.push_str(&format!("  {name}\n")));
        }
        text.push_str(&mentions_text(&mentions));
        text.push_str(&saved_text(&saved));
        let data = json!({
            "contact": contact,
            "saved": saved,
            "erased_at": done.at,
            "rows": done.rows,
            "devices": done.devices,
            "scrubbed": report.scrubbed,
            "mentions": mentions,
        });
        let mut answer = Answer::new(data, text);
        if !report.scrubbed {
            answer.notes.push(
                "a long read kept the database's log from being emptied; the next erasure or start does it"
                    .to_owned(),
            );
        }
        answer.notes.push(
            "backups that were made before still hold it until they expire; the ledger erases it again should one \
             be restored"
                .to_owned(),
        );
        Ok(answer)
    }

    fn erase_preview(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
        mentions: &[Mention],
        saved: &[SavedMention],
    ) -> Result<Answer, Failure> {
        let base = self.reader(workspace);
        let shown = base.contact(contact)?;
        let held = self.engine.read(|conn| contacts::accesses(conn, workspace, contact))?;
        let mut ids = Vec::new();
        for (user, _) in held {
            let of = self.engine.read(|conn| devices::list_devices(conn, workspace, Some(user)))?;
            ids.extend(of.iter().filter(|d| d.revoked_at.is_none()).map(|device| device.id));
        }
        let names = self.device_names(workspace, &ids)?;
        let mut text =
            format!("{} ({contact}) would be erased for good, on:\n", shown.display_name);
        text.push_str("  this server: log, documents, rows, search, quarantine, proposals\n");
        names.iter().for_each(|name| text.push_str(&format!("  {name}\n")));
        text.push_str(&mentions_text(mentions));
        text.push_str(&saved_text(saved));
        let data = json!({
            "contact": contact,
            "saved": saved,
            "display_name": shown.display_name,
            "devices": ids,
            "mentions": mentions,
            "dry_run": true,
        });
        Ok(Answer::new(data, text))
    }

    pub(super) fn erase_report(&self, id: Option<&str>) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let contact = match id {
            None => None,
            Some(text) => Some(text.trim().parse::<ContactId>().map_err(|error| {
                Failure::refused(format!("{error}; `erase report` without an id shows all"))
            })?),
        };
        let all = self.engine.read(|conn| erasures::report(conn, workspace, contact))?;
        if let (Some(contact), true) = (contact, all.is_empty()) {
            return Err(Failure::refused(format!("contact {contact} was not erased here")));
        }
        let every: BTreeSet<DeviceId> =
            all.iter().flat_map(|erasure| erasure.devices.iter().map(|d| d.device)).collect();
        let every: Vec<DeviceId> = every.into_iter().collect();
        let names: HashMap<DeviceId, String> =
            every.iter().copied().zip(self.device_names(workspace, &every)?).collect();
        let mut rows = Vec::new();
        for erasure in &all {
            let state = |purged: Option<i64>, revoked: Option<i64>| match (purged, revoked) {
                (Some(at), _) => format!("confirmed {}", moment(at)),
                (None, Some(_)) => "revoked: wiped at its next contact".to_owned(),
                (None, None) => "not confirmed yet".to_owned(),
            };
            if erasure.devices.is_empty() {
                rows.push(vec![
                    erasure.contact.to_string(),
                    moment(erasure.at),
                    erasure.reason.clone(),
                    String::new(),
                    "no device held it".to_owned(),
                    String::new(),
                ]);
            }
            for device in &erasure.devices {
                rows.push(vec![
                    erasure.contact.to_string(),
                    moment(erasure.at),
                    erasure.reason.clone(),
                    names.get(&device.device).cloned().unwrap_or_default(),
                    state(device.purged_at, device.revoked_at),
                    device.last_seen.map_or_else(|| "never".to_owned(), moment),
                ]);
            }
        }
        let header = ["contact", "erased", "reason", "device", "state", "last seen"];
        let mut answer = Answer::new(json!({ "erasures": all }), table(&header, &rows));
        for erasure in all.iter().filter(|erasure| !erasure.mentions.is_empty()) {
            let ids: Vec<String> = erasure.mentions.iter().map(ToString::to_string).collect();
            answer.notes.push(format!(
                "other contacts named the person of {}: {}",
                erasure.contact,
                ids.join(", ")
            ));
        }
        Ok(answer)
    }

    /// What became of a mention: it is off the list, and in the audit log.
    pub(super) fn erase_settle(
        &self,
        id: &str,
        other: &str,
        how: EraseSettled,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let contact: ContactId = id
            .trim()
            .parse()
            .map_err(|error| Failure::refused(format!("{error}; `erase report` shows all")))?;
        let [other] = self.contact_ids(workspace, &[other.to_owned()])?[..] else {
            return Err(Failure::refused(format!("`{other}` is not one contact")));
        };
        let (by, now) = (self.who(workspace)?, self.engine.now_ms());
        let listed = self.engine.write(move |tx| -> Result<bool, EngineError> {
            let listed = erasures::settle_mention(tx, workspace, contact, other)?;
            if listed {
                let detail = json!({ "other": other.to_string(), "how": how });
                let subject = contact.to_string();
                audit::append(tx, workspace, now, by, "mention.settle", &subject, &detail)?;
            }
            Ok(listed)
        })?;
        if !listed {
            return Err(Failure::refused(format!(
                "contact {other} is not listed as naming {contact}; `erase report` shows what is"
            )));
        }
        Ok(Answer::new(json!({ "contact": contact, "other": other, "how": how }), String::new()))
    }

    /// Reads in nobody's name.
    pub(super) fn reader(&self, workspace: WorkspaceId) -> Base<'_> {
        Base { engine: self.engine, workspace, by: UserId::from_bytes([0; 16]) }
    }

    /// `ada: Ada's phone`, in the order given.
    fn device_names(
        &self,
        workspace: WorkspaceId,
        ids: &[DeviceId],
    ) -> Result<Vec<String>, Failure> {
        let (all, people) = self.engine.read(|conn| -> Result<_, EngineError> {
            Ok((devices::list_devices(conn, workspace, None)?, users::list_users(conn, workspace)?))
        })?;
        let logins: BTreeMap<UserId, String> =
            people.into_iter().map(|user| (user.id, user.login)).collect();
        let all: HashMap<DeviceId, _> = all.into_iter().map(|device| (device.id, device)).collect();
        let name = |id: &DeviceId| match all.get(id) {
            Some(device) => {
                let login = logins.get(&device.user).map(String::as_str).unwrap_or_default();
                format!("{login}: {} ({id})", device.name)
            }
            None => id.to_string(),
        };
        Ok(ids.iter().map(name).collect())
    }

    /// Where other contacts name the person: in notes, interactions, tasks, anywhere that people type.
    /// Opens every document, some thousand a second.
    pub(super) fn mentions(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
    ) -> Result<Vec<Mention>, Failure> {
        let base = self.reader(workspace);
        let wanted = match base.contact(contact) {
            Ok(person) => Traits::of(&person),
            // Nothing of it is merged: nothing is known that could be looked for.
            Err(_) => return Ok(Vec::new()),
        };
        let mut others = Vec::new();
        self.engine.read(|conn| {
            contacts::for_each(conn, workspace, None, |other| {
                if other.id != contact && other.cursor > 0 {
                    others.push(other.id);
                }
                Ok(())
            })
        })?;
        let mut mentions = Vec::new();
        for other in others {
            // One that can't be read now, or is gone meanwhile, does not keep the person from being erased.
            let Ok(shown) = base.contact(other) else { continue };
            let Ok(json) = serde_json::to_value(&shown) else { continue };
            let mut found = Vec::new();
            wanted.search(&json, &mut String::new(), &mut found);
            mentions.extend(found.into_iter().map(|(at, by)| Mention {
                contact: other,
                display_name: shown.display_name.clone(),
                at,
                by,
            }));
            if mentions.len() >= MENTIONS_MAX {
                mentions.truncate(MENTIONS_MAX);
                break;
            }
        }
        Ok(mentions)
    }

    /// Segments, views and lists that name the person: once the contact is erased nobody can tell any more
    /// that they do.
    fn saved_mentions(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
    ) -> Result<Vec<SavedMention>, Failure> {
        let Ok(person) = self.reader(workspace).contact(contact) else { return Ok(Vec::new()) };
        let wanted = Traits::of(&person);
        let (texts, people) = self.engine.read(|conn| -> Result<_, EngineError> {
            Ok((erasures::saved_texts(conn, workspace)?, users::list_users(conn, workspace)?))
        })?;
        let login =
            |id: UserId| people.iter().find(|user| user.id == id).map(|user| user.login.clone());
        let mention = |one: erasures::SavedText| {
            let by = wanted.found(&one.text).or_else(|| wanted.found(&one.name))?;
            let owner = login(one.owner).unwrap_or_default();
            Some(SavedMention { kind: one.kind, name: one.name, owner, by })
        };
        Ok(texts.into_iter().filter_map(mention).collect())
    }
}

fn saved_text(saved: &[SavedMention]) -> String {
    if saved.is_empty() {
        return String::new();
    }
    let mut text = String::from("the office looks for the person by name in:\n");
    for one in saved {
        // Writing into a string can't fail.
        let _ = writeln!(text, "  {} `{}` of {} ({})", one.kind, one.name, one.owner, one.by);
    }
    text.push_str(
        "  (their owners remove segments and views on the pages Segments and Contacts; `list take-back NAME` takes \
         a list back)\n",
    );
    text
}

fn mentions_text(mentions: &[Mention]) -> String {
    if mentions.is_empty() {
        return String::new();
    }
    let mut text = String::from("other contacts name the person; decide what becomes of that:\n");
    for mention in mentions {
        // Writing into a string can't fail.
        let _ = writeln!(
            text,
            "  {} {}: {} ({})",
            mention.contact, mention.display_name, mention.at, mention.by
        );
    }
    text.push_str(
        "  (to take one out for good, past and all: edit it out, then `rewrite ID --purge --reason CODE`)\n",
    );
    text
}

/// By what a person is known in a text, folded as search folds it.
struct Traits {
    phrases: Vec<(String, &'static str)>,
    phones: Vec<String>,
}

impl Traits {
    fn of(person: &Contact) -> Self {
        let folded = |text: &str| words(&fold::fold(text));
        let (given, family) =
            (folded(person.text("given_name")), folded(person.text("family_name")));
        let mut phrases = Vec::new();
        if !given.is_empty() && !family.is_empty() {
            phrases.push((format!(" {given} {family} "), "name"));
            phrases.push((format!(" {family} {given} "), "name"));
        }
        for email in &person.emails {
            let address = folded(email.text("address"));
            if !address.is_empty() {
                phrases.push((format!(" {address} "), "email"));
            }
        }
        if family.chars().count() >= NAME_CHARS_MIN {
            phrases.push((format!(" {family} "), "family_name"));
        }
        // A company is meant only where the contact is one: others work there too.
        if given.is_empty() && family.is_empty() {
            for field in ["company", "legal_name"] {
                let name = folded(person.text(field));
                if name.chars().count() >= NAME_CHARS_MIN {
                    phrases.push((format!(" {name} "), "company"));
                }
            }
        }
        let phones = person
            .phones
            .iter()
            .map(|phone| fold_digits(phone.text("number")))
            .filter(|digits| digits.len() >= PHONE_DIGITS_MIN)
            // Written with or without the country's code or a zero.
            .map(|digits| digits[digits.len().saturating_sub(9)..].to_owned())
            .collect();
        Self { phrases, phones }
    }

    fn found(&self, text: &str) -> Option<&'static str> {
        let folded = format!(" {} ", words(&fold::fold(text)));
        if let Some((_, by)) = self.phrases.iter().find(|(phrase, _)| folded.contains(phrase)) {
            return Some(by);
        }
        let digits = fold_digits(text);
        self.phones.iter().any(|phone| digits.contains(phone)).then_some("phone")
    }

    fn search(&self, json: &Json, path: &mut String, found: &mut Vec<(String, &'static str)>) {
        match json {
            Json::String(text) => {
                if let Some(by) = self.found(text) {
                    found.push((path.clone(), by));
                }
            }
            Json::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let name = item["id"].as_str().map_or_else(|| i.to_string(), str::to_owned);
                    self.under(item, &name, path, found);
                }
            }
            Json::Object(fields) => {
                for (name, value) in fields {
                    // Made of the other fields, or an id.
                    if !matches!(name.as_str(), "display_name" | "id") {
                        self.under(value, name, path, found);
                    }
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    fn under(
        &self,
        json: &Json,
        name: &str,
        path: &mut String,
        found: &mut Vec<(String, &'static str)>,
    ) {
        let before = path.len();
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(name);
        self.search(json, path, found);
        path.truncate(before);
    }
}

/// Words with one space between; what is neither letter nor digit parts them.
fn words(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn fold_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(phrases: &[(&str, &'static str)], phones: &[&str]) -> Traits {
        Traits {
            phrases: phrases.iter().map(|(text, by)| (format!(" {text} "), *by)).collect(),
            phones: phones.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn a_person_is_found_however_the_name_is_written_and_not_inside_another_word() {
        let wanted =
            traits(&[("nina neumann", "name"), ("neumann", "family_name")], &["301234567"]);
        for (text, by) in [
            ("Met with NINA Neumann, nice.", Some("name")),
            ("says Frau Neumann", Some("family_name")),
            ("call +49 (0)30 1234567 first", Some("phone")),
            ("the neumannstrasse", None),
            ("", None),
        ] {
            assert_eq!(wanted.found(text), by, "{text}");
        }
    }

    #[test]
    fn the_place_of_a_mention_is_told() {
        let wanted = traits(&[("neumann", "family_name")], &[]);
        let json = json!({
            "id": "neumann", "display_name": "neumann", "note": "ask Neumann",
            "interactions": [{ "id": "7", "summary": "with Neumann" }],
        });
        let mut found = Vec::new();
        wanted.search(&json, &mut String::new(), &mut found);
        found.sort();
        assert_eq!(
            found,
            [
                ("interactions/7/summary".to_owned(), "family_name"),
                ("note".to_owned(), "family_name")
            ]
        );
    }
}
