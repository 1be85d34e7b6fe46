//! Handing lists of contacts to people, and taking them back: their devices are told at once, or at
//! their next contact.

use roadbook_protocol::ids::{ContactId, ListId, UserId, WorkspaceId};
use roadbook_protocol::wire::{Access, LIST_CONTACTS_MAX, LISTS_MAX};
use rusqlite::{Connection, Transaction};
use serde_json::json;

use super::handle::Engine;
use super::types::Event;
use crate::store::handed::{self, Handed, NewHanded};
use crate::store::{EngineError, Result, audit, contacts, people};

/// A list that is to be handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandList {
    /// What it is called; one of that name is replaced.
    pub name: String,
    /// By which filter its contacts were chosen.
    pub filter: String,
    /// To whom.
    pub to: Vec<UserId>,
    /// What the filter found.
    pub contacts: Vec<ContactId>,
    /// The list of that name that whoever hands this one over knows of, and may replace.
    pub replaces: Option<ListId>,
}

/// What would be in a list, or is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandedTo {
    /// How many of its contacts each receiver holds, in the order in which they were named.
    pub to: Vec<(UserId, u64)>,
    /// Contacts that none of them holds: they are not in it.
    pub nobody: u64,
}

impl Engine {
    /// How many of these contacts each of these people holds. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn would_hand(
        &self,
        workspace: WorkspaceId,
        contacts: &[ContactId],
        to: &[UserId],
    ) -> Result<HandedTo> {
        self.read(|conn| count(conn, workspace, contacts, to))
    }

    /// Who owns these contacts, each once. Blocking.
    ///
    /// # Errors
    /// What the database says.
    pub fn owners_of(&self, workspace: WorkspaceId, contacts: &[ContactId]) -> Result<Vec<UserId>> {
        self.read(|conn| {
            let mut owners = std::collections::BTreeSet::new();
            for id in contacts {
                owners.extend(contacts::find(conn, workspace, *id)?.and_then(|found| found.owner));
            }
            Ok(owners.into_iter().collect())
        })
    }

    /// Hands a list over, in the place of one of the same name. Durable, and in the audit log, with ids
    /// and counts alone. Blocking.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where nobody is named, nothing would be in it, a receiver is disabled or
    /// would have more than a device takes, the name can't be, or a list of that name is not the one that
    /// is to be replaced.
    pub fn hand_list(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        list: HandList,
    ) -> Result<(ListId, HandedTo)> {
        let (now, id) = (self.now_ms(), ListId::from_random(self.random()));
        let HandList { name, filter, to, contacts, replaces } = list;
        let name = name.trim().to_owned();
        let new = NewHanded { id, name, filter, by, at: now, to, contacts };
        let (to, contacts) = (new.to.clone(), new.contacts.clone());
        let users = self.write(move |tx| hand(tx, workspace, &new, replaces))?;
        self.publish(Event::Lists { workspace, users: users.into() });
        Ok((id, self.would_hand(workspace, &contacts, &to)?))
    }

    /// Takes a list back: it goes from every device that has it. Durable, and in the audit log. Blocking.
    ///
    /// # Errors
    /// [`EngineError::NotFound`].
    pub fn take_list_back(&self, workspace: WorkspaceId, by: UserId, list: Handed) -> Result<()> {
        let now = self.now_ms();
        let (id, users) = (list.id, list.to);
        let receivers = users.len();
        self.write(move |tx| -> Result<()> {
            if !handed::remove(tx, workspace, id)? {
                return Err(EngineError::not_found(format!("the list {id}")));
            }
            let detail = json!({ "receivers": receivers });
            audit::append(tx, workspace, now, Some(by), "list.back", &id.to_string(), &detail)
        })?;
        self.publish(Event::Lists { workspace, users: users.into() });
        Ok(())
    }
}

fn count(
    conn: &Connection,
    workspace: WorkspaceId,
    ids: &[ContactId],
    to: &[UserId],
) -> Result<HandedTo> {
    let mut told = HandedTo { to: to.iter().map(|user| (*user, 0)).collect(), nobody: 0 };
    for id in ids {
        let mut held = false;
        for (user, access) in contacts::accesses(conn, workspace, *id)? {
            if access != Access::Removed
                && let Some(receiver) = told.to.iter_mut().find(|(to, _)| *to == user)
            {
                receiver.1 += 1;
                held = true;
            }
        }
        told.nobody += u64::from(!held);
    }
    Ok(told)
}

/// Writes a list in the place of another one. Returns whose devices are to be told.
fn hand(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    list: &NewHanded,
    replaces: Option<ListId>,
) -> Result<Vec<UserId>> {
    let refused = |reason: String| Err(EngineError::Refused { code: "list", reason });
    if list.to.is_empty() {
        return refused("nobody is named to whom the list goes; choose somebody".to_owned());
    }
    let before = handed::named(tx, workspace, &list.name)?;
    if before.as_ref().map(|before| before.id) != replaces {
        return refused(format!(
            "somebody else has handed over a list `{}`; take another name",
            list.name
        ));
    }
    let mut told_users = list.to.clone();
    if let Some(before) = before {
        handed::remove(tx, workspace, before.id)?;
        told_users.extend(before.to);
    }
    told_users.sort_unstable();
    told_users.dedup();
    let rows = handed::put(tx, workspace, list)?;
    if rows == 0 {
        return refused(format!(
            "none of the {} contacts is held by a receiver; assign them first",
            list.contacts.len()
        ));
    }
    for user in &list.to {
        let user = people::user(tx, workspace, *user)?;
        if user.disabled_at.is_some() {
            return refused(format!("user `{}` is disabled; leave them out", user.login));
        }
        let (lists, contacts) = handed::load_of(tx, workspace, user.id)?;
        if lists > LISTS_MAX as u64 || contacts > LIST_CONTACTS_MAX as u64 {
            return refused(format!(
                "`{}` would have {lists} lists with {contacts} contacts; a device takes {LISTS_MAX} lists and \
                 {LIST_CONTACTS_MAX} contacts: take one back first",
                user.login
            ));
        }
    }
    let detail = json!({
        "contacts": rows,
        "to": list.to.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "replaces": replaces.map(|id| id.to_string()),
    });
    let subject = list.id.to_string();
    audit::append(tx, workspace, list.at, Some(list.by), "list.hand", &subject, &detail)?;
    Ok(told_users)
}
