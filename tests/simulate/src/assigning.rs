//! Whose contacts are: assignments, collaborations, and what a crash leaves open about them.

use std::collections::BTreeSet;

use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::Access;
use roadbook_server::engine::{Assign, Engine};
use roadbook_server::store::{EngineError, contacts};

use crate::world::World;

/// Something that the office asked for.
pub struct Asked {
    contact: ContactId,
    user: usize,
    /// As owner, or as a collaborator: to be added or removed.
    as_what: Option<bool>,
}

impl World {
    /// The office gives contacts to a user.
    pub fn assign(&mut self, contact: u32, count: u32, user: u32) {
        let Some(engine) = self.server.engine() else { return };
        let user = self.nth_user(user);
        let contacts: Vec<ContactId> =
            (0..count).filter_map(|n| self.nth_contact(contact.wrapping_add(n))).collect();
        let asked = contacts.iter().map(|contact| Asked { contact: *contact, user, as_what: None });
        self.unheard = asked.collect();
        let wanted =
            Assign { contacts, owner: Some(Some(self.server.users[user])), ..Assign::default() };
        let report = engine.assign(self.server.workspace, Some(self.server.office), wanted);
        let Some(report) = self.office("an assignment", report) else { return };
        self.unheard.clear();
        for id in report.changed {
            self.assigned(&engine, id, user);
            self.cover.count("act.assign");
        }
    }

    fn assigned(&mut self, engine: &Engine, id: ContactId, user: usize) {
        let used = self.holders_by_evidence(engine, id);
        self.tell(|| format!("contact {id} is given to user {user}; by evidence: {used:?}"));
        self.oracle.assigned(id, user, &used);
        self.tell_rights(id);
        self.cover.count("event.handed_over");
    }

    /// A contact and one of its collaborators, if any contact has one.
    fn nth_collaboration(&self, number: u32) -> Option<(ContactId, usize)> {
        let all: Vec<(ContactId, usize)> = self
            .oracle
            .rights
            .iter()
            .flat_map(|(contact, rights)| rights.collaborators.iter().map(|user| (*contact, *user)))
            .collect();
        (!all.is_empty()).then(|| all[number as usize % all.len()])
    }

    /// Who, of those who might have got a contact back by evidence, holds it now.
    fn holders_by_evidence(&self, engine: &Engine, contact: ContactId) -> BTreeSet<usize> {
        let (workspace, users) = (self.server.workspace, &self.server.users);
        let mut may = self.oracle.may_have_regained(contact);
        may.retain(|user| {
            let access =
                engine.read(|conn| contacts::access(conn, workspace, contact, users[*user]));
            !matches!(access, Ok::<_, EngineError>(None | Some(Access::Removed)))
        });
        may.into_iter().collect()
    }

    fn tell_rights(&self, contact: ContactId) {
        self.tell(|| {
            let (rights, regains) =
                (self.oracle.rights.get(&contact), self.oracle.may_have_regained(contact));
            format!("contact {contact}: {rights:?}, may be regained by {regains:?}")
        });
    }

    /// The office makes a user a collaborator, or a collaborator none.
    pub fn collaborate(&mut self, contact: u32, user: u32, add: bool) {
        let chosen = match add {
            true => self.nth_contact(contact).map(|id| (id, self.nth_user(user))),
            false => self.nth_collaboration(contact),
        };
        let (Some(engine), Some((contact, user))) = (self.server.engine(), chosen) else {
            return;
        };
        let id = self.server.users[user];
        let mut wanted = Assign { contacts: vec![contact], ..Assign::default() };
        match add {
            true => wanted.add_collaborators.push(id),
            false => wanted.remove_collaborators.push(id),
        }
        self.unheard = vec![Asked { contact, user, as_what: Some(add) }];
        let report = engine.assign(self.server.workspace, Some(self.server.office), wanted);
        let Some(report) = self.office("a collaboration", report) else { return };
        self.unheard.clear();
        for id in report.changed {
            self.collaborates(&engine, id, user, add);
            self.cover.count(if add { "act.share" } else { "act.unshare" });
        }
    }

    fn collaborates(&mut self, engine: &Engine, id: ContactId, user: usize, add: bool) {
        let used = self.holders_by_evidence(engine, id);
        self.tell(|| {
            format!("contact {id}: user {user} collaborates {add}; by evidence: {used:?}")
        });
        self.oracle.collaborates(id, user, add, &used);
        self.tell_rights(id);
        self.cover.count(match add {
            true => "event.collaborator_added",
            false => "event.collaborator_removed",
        });
    }

    /// An assignment whose answer a crash took may have been written: the server is asked, about those
    /// contacts and nothing else. It holds if what was asked for is so now and was not before.
    pub fn assignments_after_start(&mut self) {
        let Some(engine) = self.server.engine() else { return };
        for Asked { contact, user, as_what } in std::mem::take(&mut self.unheard) {
            let (workspace, id) = (self.server.workspace, self.server.users[user]);
            let found = engine.read(|conn| contacts::access(conn, workspace, contact, id));
            let Ok::<_, EngineError>(access) = found else { continue };
            let access = access.filter(|access| *access != Access::Removed);
            let Some(before) = self.oracle.rights.get(&contact) else { continue };
            let (owns, shares) = (before.owner == Some(user), before.collaborators.contains(&user));
            match as_what {
                None if access == Some(Access::Owner) && !owns => {
                    self.assigned(&engine, contact, user);
                }
                Some(true) if access.is_some() && !owns && !shares => {
                    self.collaborates(&engine, contact, user, true);
                }
                Some(false) if access.is_none() && !owns && shares => {
                    self.collaborates(&engine, contact, user, false);
                }
                _ => {}
            }
        }
    }
}
