//! Lists that people are given: handing over, what there is, taking back.

use std::collections::HashMap;

use roadbook_protocol::ids::{ContactId, UserId};
use serde_json::json;

use super::{Job, moment, table};
use crate::admin::request::{Answer, Failure, ListCommand};
use crate::engine::{EngineError, HandList};
use crate::rights::{Action, Decision, Rights};
use crate::store::handed::{self, Handed};
use crate::store::people::{self as users, User};

impl Job<'_> {
    pub(super) fn list(&self, command: &ListCommand) -> Result<Answer, Failure> {
        match command {
            ListCommand::Hand { name, filter, to, each_owner, dry_run, replaces } => {
                self.list_hand((name, replaces.as_deref()), filter, (to, *each_owner), *dry_run)
            }
            ListCommand::Show => self.list_show(),
            ListCommand::TakeBack { name } => self.list_back(name),
        }
    }

    fn list_hand(
        &self,
        (name, seen): (&str, Option<&str>),
        filter: &str,
        (to, each_owner): (&[String], bool),
        dry_run: bool,
    ) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let (rights, by) = (self.rights(workspace)?, self.by(workspace)?);
        handed::name_key(name.trim())?;
        let contacts = self.seen(&rights, self.matching(workspace, filter)?)?;
        let people = self.engine.read(|conn| users::list_users(conn, workspace))?;
        let to = match each_owner {
            true => self.owners(&rights, &people, &contacts)?,
            false => self.named_receivers(&rights, to)?,
        };
        let before = self.engine.read(|conn| handed::named(conn, workspace, name.trim()))?;
        // One that is out of reach stays unknown to the engine, which then refuses the name.
        let replaces = before.filter(|list| reaches(&rights, by, list)).map(|list| list.id);
        if let Some(seen) = seen
            && replaces.map(|id| id.to_string()).unwrap_or_default() != seen.trim()
        {
            return Err(EngineError::Refused {
                code: "list",
                reason: format!(
                    "the list `{}` was handed over or taken back meanwhile; look again at what would go where",
                    name.trim()
                ),
            }
            .into());
        }
        let (id, told) = match dry_run {
            true => (None, self.engine.would_hand(workspace, &contacts, &to)?),
            false => {
                let list = HandList {
                    name: name.to_owned(),
                    filter: filter.to_owned(),
                    to,
                    contacts,
                    replaces,
                };
                let (id, told) = self.engine.hand_list(workspace, by, list)?;
                (Some(id), told)
            }
        };
        let find = |id: UserId| people.iter().find(|user| user.id == id);
        let receivers: Vec<_> = told
            .to
            .iter()
            .map(|(user, contacts)| {
                let (login, name) = find(*user).map_or_else(Default::default, |user| {
                    (user.login.as_str(), user.name.as_str())
                });
                json!({ "user": user, "login": login, "name": name, "contacts": contacts })
            })
            .collect();
        let rows: Vec<Vec<String>> = told
            .to
            .iter()
            .map(|(user, contacts)| {
                let login = find(*user).map(|user| user.login.clone()).unwrap_or_default();
                vec![login, contacts.to_string()]
            })
            .collect();
        let verb = if dry_run { "would be handed over" } else { "is handed over" };
        let text =
            format!("the list `{}` {verb}\n{}", name.trim(), table(&["to", "contacts"], &rows));
        let mut answer = Answer::new(
            json!({
                "dry_run": dry_run,
                "id": id,
                "name": name.trim(),
                "to": receivers,
                "nobody": told.nobody,
                "replaces": replaces,
            }),
            text,
        );
        if told.nobody > 0 {
            answer.notes.push(format!(
                "{} contacts are held by none of them, and are not in the list",
                told.nobody
            ));
        }
        Ok(answer)
    }

    /// Leaves out contacts that are out of reach.
    fn seen(&self, rights: &Rights, all: Vec<ContactId>) -> Result<Vec<ContactId>, Failure> {
        Ok(self.engine.read(|conn| -> Result<_, EngineError> {
            let mut seen = Vec::with_capacity(all.len());
            for contact in all {
                if rights.sees(conn, contact)? {
                    seen.push(contact);
                }
            }
            Ok(seen)
        })?)
    }

    /// Those who own the contacts and may be given some.
    fn owners(
        &self,
        rights: &Rights,
        people: &[User],
        contacts: &[ContactId],
    ) -> Result<Vec<UserId>, Failure> {
        let owners = self.engine.owners_of(rights.workspace, contacts)?;
        let may = |id: &UserId| {
            people.iter().any(|user| user.id == *id && user.disabled_at.is_none())
                && rights.on_person(Action::GiveTo, *id) == Decision::Allow
        };
        Ok(owners.into_iter().filter(may).collect())
    }

    fn named_receivers(&self, rights: &Rights, logins: &[String]) -> Result<Vec<UserId>, Failure> {
        let mut to = Vec::with_capacity(logins.len());
        for login in logins.iter().map(|login| login.trim()).filter(|login| !login.is_empty()) {
            let user = self.receiver(rights, login)?;
            if !to.contains(&user) {
                to.push(user);
            }
        }
        Ok(to)
    }

    fn list_show(&self) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let rights = self.rights(workspace)?;
        let people = self.engine.read(|conn| users::list_users(conn, workspace))?;
        let mut lists = self.engine.read(|conn| handed::all(conn, workspace))?;
        lists.retain(|list| shows(&rights, list));
        let logins: HashMap<UserId, &str> =
            people.iter().map(|user| (user.id, user.login.as_str())).collect();
        let login = |id: &UserId| logins.get(id).copied().unwrap_or_default().to_owned();
        let told: Vec<_> = lists
            .iter()
            .map(|list| {
                json!({
                    "id": list.id,
                    "name": list.name,
                    "filter": list.filter,
                    "by": login(&list.by),
                    "at": list.at,
                    "contacts": list.contacts,
                    "to": list.to.iter().map(login).collect::<Vec<_>>(),
                })
            })
            .collect();
        let rows: Vec<Vec<String>> = lists
            .iter()
            .map(|list| {
                vec![
                    list.name.clone(),
                    list.contacts.to_string(),
                    list.to.iter().map(login).collect::<Vec<_>>().join(", "),
                    login(&list.by),
                    moment(list.at),
                ]
            })
            .collect();
        let text = table(&["list", "contacts", "to", "by", "handed over"], &rows);
        Ok(Answer::new(json!({ "lists": told }), text))
    }

    fn list_back(&self, name: &str) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let (rights, by) = (self.rights(workspace)?, self.by(workspace)?);
        let list = self
            .engine
            .read(|conn| handed::named(conn, workspace, name.trim()))?
            .filter(|list| reaches(&rights, by, list))
            .ok_or_else(|| EngineError::not_found(format!("the list `{}`", name.trim())))?;
        let (id, name, receivers) = (list.id, list.name.clone(), list.to.len());
        self.engine.take_list_back(workspace, by, list)?;
        let mut answer = Answer::new(json!({ "id": id, "name": name }), String::new());
        answer.notes.push(format!(
            "the list `{name}` is taken back; the devices of {receivers} people drop it at once or at their next \
             contact"
        ));
        Ok(answer)
    }
}

/// Whether somebody may replace a list or take it back: it is theirs, or they may give contacts to all who
/// have it.
pub(crate) fn reaches(rights: &Rights, by: UserId, list: &Handed) -> bool {
    let gives = |user: &UserId| rights.on_person(Action::GiveTo, *user) == Decision::Allow;
    rights.may(Action::Create) && (list.by == by || list.to.iter().all(gives))
}

/// Whether somebody sees that there is a list: it is theirs, or they see all who have it.
pub(crate) fn shows(rights: &Rights, list: &Handed) -> bool {
    let sees = |user: &UserId| rights.on_person(Action::SeePerson, *user) == Decision::Allow;
    rights.user == Some(list.by) || list.to.iter().all(sees)
}
