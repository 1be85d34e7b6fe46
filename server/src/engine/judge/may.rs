//! Who may write what: what the rights say of a sender, read once per transaction.

use roadbook_protocol::ids::{Actor, ContactId};
use roadbook_protocol::wire::Access;
use rusqlite::Transaction;

use super::{Sender, Stage};
use crate::rights::{self, Action};
use crate::store::devices::ActorOwner;
use crate::store::people::Role;
use crate::store::{Result, contacts, devices, people};

impl Stage {
    /// Whether the sender's role writes nothing, whatever they hold.
    pub(super) fn only_reads(&mut self, tx: &Transaction<'_>, sender: Sender) -> Result<bool> {
        let role = self.role(tx, sender)?;
        Ok(!rights::on_device(role, Action::Upload, Some(Access::Owner)))
    }

    pub(super) fn role(&mut self, tx: &Transaction<'_>, sender: Sender) -> Result<Role> {
        let key = (sender.workspace, sender.user);
        if let Some(role) = self.roles.get(&key) {
            return Ok(*role);
        }
        let role = people::user(tx, sender.workspace, sender.user)?.role;
        self.roles.insert(key, role);
        Ok(role)
    }

    pub(super) fn may_write(
        &mut self,
        tx: &Transaction<'_>,
        sender: Sender,
        contact: ContactId,
    ) -> Result<bool> {
        let key = (sender.workspace, contact, sender.user);
        if let Some(known) = self.access.get(&key) {
            return Ok(*known);
        }
        let access = contacts::access(tx, sender.workspace, contact, sender.user)?;
        let role = self.role(tx, sender)?;
        let may = rights::on_device(role, Action::Upload, access);
        self.access.insert(key, may);
        Ok(may)
    }

    /// Whether the actor is the device's. One that nobody has is registered to it: announcing an
    /// actor first would prove no more.
    pub(super) fn owns_actor(
        &mut self,
        tx: &Transaction<'_>,
        sender: Sender,
        actor: Actor,
    ) -> Result<bool> {
        let key = (sender.workspace, actor);
        let owner = match self.actors.get(&key) {
            Some(owner) => *owner,
            None => devices::actor_owner(tx, sender.workspace, actor)?,
        };
        let owner = match owner {
            Some(owner) => owner,
            None => {
                devices::register_actor(tx, sender.workspace, actor, sender.device, self.now)?;
                ActorOwner::Device(sender.device)
            }
        };
        self.actors.insert(key, Some(owner));
        Ok(owner == ActorOwner::Device(sender.device))
    }
}
