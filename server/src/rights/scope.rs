//! Whose contacts somebody sees and steers on the pages and with commands.
//!
//! An administrator has everything. A manager, and somebody who may only read, has the people of their
//! team and of the teams in it; without a team they have everything, as the head of the house. A rep has
//! themselves.

use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use roadbook_protocol::wire::Access;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Action, Decision, Relation, decide};
use crate::store::people::{Role, User};
use crate::store::{Result, contacts, teams};

/// Whose contacts are within reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's, and nobody's.
    Everything,
    /// Those of these people, sorted; oneself is among them.
    People(Vec<UserId>),
}

/// What somebody may, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Who; `None` for the operator at the shell, who has the files anyway.
    pub user: Option<UserId>,
    /// In which role.
    pub role: Role,
    /// Whose contacts are within reach.
    pub scope: Scope,
}

impl Rights {
    /// The rights of a user.
    ///
    /// # Errors
    /// What the database says.
    pub fn of(conn: &Connection, user: &User) -> Result<Rights> {
        let scope = match (user.role, &user.team) {
            (Role::Admin, _) | (Role::Manager | Role::ReadOnly, None) => Scope::Everything,
            (Role::Rep, _) => Scope::People(vec![user.id]),
            (Role::Manager | Role::ReadOnly, Some(team)) => {
                let mut people = teams::members(conn, user.workspace, team)?;
                people.push(user.id);
                people.sort_unstable();
                people.dedup();
                Scope::People(people)
            }
        };
        Ok(Rights { workspace: user.workspace, user: Some(user.id), role: user.role, scope })
    }

    /// The rights of the operator at the shell.
    pub fn operator(workspace: WorkspaceId) -> Rights {
        Rights { workspace, user: None, role: Role::Admin, scope: Scope::Everything }
    }

    /// Whether something without an object may be done.
    pub fn may(&self, action: Action) -> bool {
        decide(self.role, action, Relation::Team) == Decision::Allow
    }

    /// How one stands to a person. Somebody of another workspace, or nobody, is foreign.
    pub fn person(&self, person: UserId) -> Relation {
        match &self.scope {
            _ if self.user == Some(person) => Relation::Own,
            Scope::Everything => Relation::Team,
            Scope::People(people) if people.binary_search(&person).is_ok() => Relation::Team,
            Scope::People(_) => Relation::Foreign,
        }
    }

    /// What is answered to an action on a person or their devices.
    pub fn on_person(&self, action: Action, person: UserId) -> Decision {
        decide(self.role, action, self.person(person))
    }

    /// Whether one is told of what this person did; `None` is the operator at the shell.
    pub fn sees_alert(&self, who: Option<UserId>) -> bool {
        match who {
            Some(person) => self.on_person(Action::SeeAlerts, person) == Decision::Allow,
            None => self.may(Action::Administer),
        }
    }

    /// How one stands to a contact. One that does not exist is foreign.
    ///
    /// # Errors
    /// What the database says.
    pub fn contact(&self, conn: &Connection, contact: ContactId) -> Result<Relation> {
        let owner: Option<Option<[u8; 16]>> = conn
            .prepare_cached(
                "SELECT owner FROM contact WHERE workspace = ? AND id = ? AND erased_at IS NULL",
            )?
            .query_row(params![self.workspace.as_bytes(), contact.as_bytes()], |row| row.get(0))
            .optional()?;
        let Some(owner) = owner.map(|owner| owner.map(UserId::from_bytes)) else {
            return Ok(Relation::Foreign);
        };
        if owner.is_some() && owner == self.user {
            return Ok(Relation::Own);
        }
        let Scope::People(people) = &self.scope else { return Ok(Relation::Team) };
        let within = |user: &UserId| people.binary_search(user).is_ok();
        if owner.as_ref().is_some_and(within) {
            return Ok(Relation::Team);
        }
        let mut relation = Relation::Foreign;
        for (user, access) in contacts::accesses(conn, self.workspace, contact)? {
            match access {
                Access::Removed => {}
                _ if Some(user) == self.user => return Ok(Relation::Shared),
                _ if within(&user) => relation = Relation::TeamShared,
                _ => {}
            }
        }
        Ok(relation)
    }

    /// What is answered to an action on a contact.
    ///
    /// # Errors
    /// What the database says.
    pub fn on_contact(
        &self,
        conn: &Connection,
        action: Action,
        contact: ContactId,
    ) -> Result<Decision> {
        Ok(decide(self.role, action, self.contact(conn, contact)?))
    }

    /// What is answered to a decision about late edits of a contact: as to steering the contact. One
    /// that is not known here is proposed as a new one: nobody's yet, so it is the administrators'.
    ///
    /// # Errors
    /// What the database says.
    pub fn on_late_edits(&self, conn: &Connection, contact: ContactId) -> Result<Decision> {
        match contacts::find(conn, self.workspace, contact)? {
            Some(_) => self.on_contact(conn, Action::Steer, contact),
            None if self.may(Action::Administer) => Ok(Decision::Allow),
            None => Ok(Decision::Hide),
        }
    }

    /// Whether late edits of a contact are seen, likewise.
    ///
    /// # Errors
    /// What the database says.
    pub fn sees_late_edits(&self, conn: &Connection, contact: ContactId) -> Result<bool> {
        match contacts::find(conn, self.workspace, contact)? {
            Some(_) => self.sees(conn, contact),
            None => Ok(self.may(Action::Administer)),
        }
    }

    /// Whether a contact is seen.
    ///
    /// # Errors
    /// What the database says.
    pub fn sees(&self, conn: &Connection, contact: ContactId) -> Result<bool> {
        if self.scope == Scope::Everything && self.role == Role::Admin {
            return Ok(true);
        }
        Ok(self.on_contact(conn, Action::Read, contact)? == Decision::Allow)
    }

    /// The same as an SQL condition over the column with the contact's id, to stand behind others:
    /// empty, or ` AND ...`. It has no parameters; what stands in it are ids in hexadecimal.
    pub fn and_seen(&self, column: &str) -> String {
        if decide(self.role, Action::Read, Relation::Team) != Decision::Allow {
            return " AND 0".to_owned();
        }
        let Scope::People(people) = &self.scope else { return String::new() };
        format!(
            " AND {column} IN (SELECT seen.contact FROM access seen WHERE seen.workspace = {} AND seen.kind <> 2 AND seen.user IN ({}))",
            blob(self.workspace.as_bytes()),
            people.iter().map(|user| blob(user.as_bytes())).collect::<Vec<_>>().join(", "),
        )
    }
}

/// Bytes as SQL writes them.
pub(crate) fn blob(bytes: &[u8; 16]) -> String {
    format!("x'{}'", hex::encode(bytes))
}
