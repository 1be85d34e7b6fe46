//! Who gets which contacts: by id, filter, territory or list, with a dry run that says what would move.

use std::collections::{BTreeMap, HashMap};

use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use serde_json::json;

use super::{Job, table};
use crate::admin::request::{Answer, Assign, Failure, FailureKind};
use crate::engine::{self, AssignReport, EngineError};
use crate::rights::{Action, Decision, Rights};
use crate::store::people::{self as users, User};
use crate::store::{contacts, projections};

/// So many contact ids, or rows of a list, are named for people.
const NAMED_MAX: usize = 20;

/// Contacts that go to the same person, or to nobody.
struct Batch {
    to: Option<UserId>,
    contacts: Vec<ContactId>,
}

impl Job<'_> {
    pub(super) fn assign(&self, wanted: &Assign, files: &[Vec<u8>]) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let rights = self.rights(workspace)?;
        let people = self.engine.read(|conn| users::list_users(conn, workspace))?;
        let mut batches = match &wanted.csv {
            Some(name) => self.listed(&rights, &people, name, files)?,
            None => {
                let to = match &wanted.to {
                    Some(login) => Some(self.receiver(&rights, login)?),
                    None => None,
                };
                vec![Batch { to, contacts: self.meant(workspace, wanted)? }]
            }
        };
        let unseen = self.keep_steered(&rights, &mut batches)?;
        let logins: HashMap<UserId, &str> =
            people.iter().map(|user| (user.id, user.login.as_str())).collect();
        if wanted.dry_run {
            return self.would_move(workspace, wanted, &batches, &logins, &unseen);
        }
        let by = self.by(workspace)?;
        let mut report = AssignReport { unknown: unseen, ..AssignReport::default() };
        let to = self.told_to(wanted, &batches, &logins);
        for batch in batches {
            let mut assign =
                engine::Assign { contacts: batch.contacts, ..engine::Assign::default() };
            match (batch.to, wanted.collaborator, wanted.remove) {
                (Some(user), true, false) => assign.add_collaborators = vec![user],
                (Some(user), true, true) => assign.remove_collaborators = vec![user],
                (user, ..) => assign.owner = Some(user),
            }
            let done = self.engine.assign(workspace, Some(by), assign)?;
            report.changed.extend(done.changed);
            report.unchanged.extend(done.unchanged);
            report.unknown.extend(done.unknown);
        }
        let mut answer = Answer::new(
            json!({
                "dry_run": false,
                "to": to,
                "changed": report.changed.len(),
                "unchanged": report.unchanged.len(),
                "unknown": report.unknown,
                "contacts": report.changed,
            }),
            format!(
                "{} contacts changed, {} were so already\n",
                report.changed.len(),
                report.unchanged.len()
            ),
        );
        name_unknown(&mut answer, &report.unknown);
        Ok(answer)
    }

    /// Whom the answer names: one person, nobody, or that a list says.
    fn told_to(
        &self,
        wanted: &Assign,
        batches: &[Batch],
        logins: &HashMap<UserId, &str>,
    ) -> serde_json::Value {
        match (&wanted.csv, batches) {
            (None, [only]) => json!(login_of(only.to, logins)),
            _ => json!(null),
        }
    }

    /// The person who is to get contacts; somebody out of reach does not exist.
    pub(super) fn receiver(&self, rights: &Rights, login: &str) -> Result<UserId, Failure> {
        let user = self.user(rights.workspace, login)?;
        match rights.on_person(Action::GiveTo, user.id) {
            Decision::Allow => Ok(user.id),
            _ => Err(EngineError::not_found(format!("user `{login}`")).into()),
        }
    }

    /// The contacts that ids, a filter or a territory mean.
    fn meant(&self, workspace: WorkspaceId, wanted: &Assign) -> Result<Vec<ContactId>, Failure> {
        let territory = territory(wanted.country.as_deref(), &wanted.postal_codes)?;
        match (&wanted.filter, territory) {
            (None, None) => self.contact_ids(workspace, &wanted.ids),
            (Some(filter), None) => self.matching(workspace, filter),
            (None, Some(territory)) => self.matching(workspace, &territory),
            // Judged first, so that brackets of one can't change what the other means.
            (Some(filter), Some(territory)) => {
                let filter = match filter.trim() {
                    "" | "*" => String::new(),
                    filter => {
                        self.matching(workspace, filter)?;
                        format!(" ({filter})")
                    }
                };
                self.matching(workspace, &format!("{territory}{filter}"))
            }
        }
    }

    /// Leaves out what is out of reach; returns those as if they did not exist.
    fn keep_steered(
        &self,
        rights: &Rights,
        batches: &mut [Batch],
    ) -> Result<Vec<ContactId>, Failure> {
        let (mut unseen, mut refused) = (Vec::new(), None);
        self.engine.read(|conn| -> Result<(), EngineError> {
            for batch in batches {
                let mut kept = Vec::with_capacity(batch.contacts.len());
                for contact in std::mem::take(&mut batch.contacts) {
                    match rights.on_contact(conn, Action::Steer, contact)? {
                        Decision::Allow => kept.push(contact),
                        Decision::Forbid => refused = Some(contact),
                        Decision::Hide => unseen.push(contact),
                    }
                }
                batch.contacts = kept;
            }
            Ok(())
        })?;
        match refused {
            None => Ok(unseen),
            Some(contact) => Err(Failure::refused(format!(
                "contact {contact} has an owner of another team; ask their manager, or an administrator; nothing was assigned"
            ))),
        }
    }

    /// What a list says: one batch per receiver. Every row is judged before anything is done.
    fn listed(
        &self,
        rights: &Rights,
        people: &[User],
        name: &str,
        files: &[Vec<u8>],
    ) -> Result<Vec<Batch>, Failure> {
        let missing = || Failure::new(FailureKind::Usage, "the list did not arrive");
        let usage = |text: String| Failure::new(FailureKind::Usage, format!("{name}: {text}"));
        let bytes = files.first().ok_or_else(missing)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let delimiter = if first.contains(&b';') { b';' } else { b',' };
        let mut rows =
            csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(bytes);
        let headers = rows.headers().map_err(|error| usage(error.to_string()))?.clone();
        let column = |names: &[&str]| {
            headers
                .iter()
                .position(|header| names.iter().any(|name| header.eq_ignore_ascii_case(name)))
                .ok_or_else(|| usage(format!("there is no column `{}`; the first line names the columns `contact` and `owner`", names[0])))
        };
        let (contact_at, owner_at) = (column(&["contact", "id"])?, column(&["owner", "login"])?);
        let mut batches: BTreeMap<Option<UserId>, Vec<ContactId>> = BTreeMap::new();
        let mut seen: HashMap<ContactId, u64> = HashMap::new();
        let mut wrong = Vec::new();
        for row in rows.records() {
            let row = row.map_err(|error| usage(error.to_string()))?;
            let line = row.position().map_or(0, csv::Position::line);
            let cell = |at: usize| row.get(at).unwrap_or_default();
            if cell(contact_at).is_empty() && cell(owner_at).is_empty() {
                continue;
            }
            let owner = match cell(owner_at) {
                "" => Ok(None),
                login => people
                    .iter()
                    .find(|user| user.login.to_lowercase() == login.to_lowercase())
                    .filter(|user| rights.on_person(Action::GiveTo, user.id) == Decision::Allow)
                    .map(|user| Some(user.id))
                    .ok_or_else(|| format!("there is no user `{login}`")),
            };
            let contact = self.named(rights.workspace, cell(contact_at));
            match (contact, owner) {
                (Ok(contact), Ok(owner)) => match seen.insert(contact, line) {
                    None => batches.entry(owner).or_default().push(contact),
                    Some(before) => {
                        wrong
                            .push(format!("line {line}: this contact stands in line {before} too"));
                    }
                },
                (Err(failure), _) => wrong.push(format!("line {line}: {}", failure.message)),
                (_, Err(reason)) => wrong.push(format!("line {line}: {reason}")),
            }
        }
        if wrong.is_empty() {
            return Ok(batches.into_iter().map(|(to, contacts)| Batch { to, contacts }).collect());
        }
        let more = wrong.len().saturating_sub(NAMED_MAX);
        wrong.truncate(NAMED_MAX);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Err(usage(format!("nothing was assigned: {}{more}", wrong.join("; "))))
    }

    /// A contact by its id, a unique beginning of it, or `SYSTEM:KEY` of where it came from.
    fn named(&self, workspace: WorkspaceId, text: &str) -> Result<ContactId, Failure> {
        if let Some((system, key)) = text.split_once(':') {
            let found = self.engine.read(|conn| {
                projections::find_by_external_id(conn, workspace, system.trim(), key.trim())
            })?;
            return match found[..] {
                [id] => Ok(id),
                [] => Err(Failure::refused(format!("no contact has the key `{text}`"))),
                _ => Err(Failure::refused(format!("several contacts have the key `{text}`"))),
            };
        }
        let found = self.contact_ids(workspace, &[text.to_owned()])?;
        found.first().copied().ok_or_else(|| Failure::refused("no contact is named"))
    }

    /// The answer of a dry run: how many go from whom to whom.
    fn would_move(
        &self,
        workspace: WorkspaceId,
        wanted: &Assign,
        batches: &[Batch],
        logins: &HashMap<UserId, &str>,
        unseen: &[ContactId],
    ) -> Result<Answer, Failure> {
        let mut moves: BTreeMap<(String, String), u64> = BTreeMap::new();
        let (mut same, mut all) = (0_u64, Vec::new());
        self.engine.read(|conn| -> Result<(), EngineError> {
            for batch in batches {
                for id in &batch.contacts {
                    let Some(contact) = contacts::find(conn, workspace, *id)? else { continue };
                    all.push(*id);
                    if !wanted.collaborator && contact.owner == batch.to {
                        same += 1;
                        continue;
                    }
                    let from = login_of(contact.owner, logins);
                    *moves.entry((from, login_of(batch.to, logins))).or_default() += 1;
                }
            }
            Ok(())
        })?;
        let rows: Vec<Vec<String>> = moves
            .iter()
            .map(|((from, to), count)| vec![from.clone(), to.clone(), count.to_string()])
            .collect();
        let told: Vec<_> = moves
            .iter()
            .map(|((from, to), count)| json!({ "from": from, "to": to, "contacts": count }))
            .collect();
        let to = self.told_to(wanted, batches, logins);
        let whom =
            to.as_str().map_or_else(|| "those whom the list names".to_owned(), str::to_owned);
        let mut text = format!(
            "{} contacts would be given to {whom}, {same} of them are so already\n",
            all.len()
        );
        let heading = if wanted.collaborator {
            ["owner", "collaborator", "contacts"]
        } else {
            ["from", "to", "contacts"]
        };
        if !rows.is_empty() {
            text.push_str(&table(&heading, &rows));
        }
        let data = json!({
            "dry_run": true,
            "to": to,
            "contacts": all,
            "moves": told,
            "unchanged": same,
            "unknown": unseen,
        });
        let mut answer = Answer::new(data, text);
        name_unknown(&mut answer, unseen);
        Ok(answer)
    }
}

fn login_of(user: Option<UserId>, logins: &HashMap<UserId, &str>) -> String {
    user.map_or_else(
        || "nobody".to_owned(),
        |user| logins.get(&user).map_or_else(|| user.to_string(), |login| (*login).to_owned()),
    )
}

fn name_unknown(answer: &mut Answer, unknown: &[ContactId]) {
    for id in unknown.iter().take(NAMED_MAX) {
        answer.notes.push(format!("contact {id} does not exist"));
    }
    answer.off = !unknown.is_empty();
}

/// A territory as a filter: the country, and how the postal code begins.
fn territory(country: Option<&str>, postal_codes: &[String]) -> Result<Option<String>, Failure> {
    let usage = |text: String| Failure::new(FailureKind::Usage, text);
    let mut parts = Vec::new();
    if let Some(country) = country {
        let country = country.trim();
        if country.is_empty() || country.contains(['"', '*']) {
            return Err(usage(format!(
                "--country `{country}`: write it as it stands in addresses"
            )));
        }
        parts.push(format!("country:\"{country}\""));
    }
    let mut codes = Vec::new();
    for code in postal_codes.iter().map(|code| code.trim()).filter(|code| !code.is_empty()) {
        if !code.chars().all(|c| c.is_alphanumeric() || c == '-') {
            return Err(usage(format!(
                "--postal-code `{code}`: write how it begins, in letters, digits and hyphens, such as 10 or SW1A"
            )));
        }
        codes.push(format!("postal_code:{code}*"));
    }
    if !codes.is_empty() {
        parts.push(format!("({})", codes.join(" or ")));
    }
    Ok((!parts.is_empty()).then(|| parts.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_territory_is_a_filter() {
        let codes = ["10".to_owned(), " 12-3".to_owned()];
        assert_eq!(
            territory(Some("Germany"), &codes).unwrap().unwrap(),
            "country:\"Germany\" (postal_code:10* or postal_code:12-3*)"
        );
        assert_eq!(territory(None, &[]).unwrap(), None);
        assert!(territory(Some("\" or *"), &[]).is_err());
        assert!(territory(None, &["1) or (company:*".to_owned()]).is_err());
        let filter = territory(Some("Germany"), &codes).unwrap().unwrap();
        roadbook_protocol::filter::Filter::parse(&filter).unwrap();
    }
}
