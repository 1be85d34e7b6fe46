//! Who may do what: the one place that decides, for devices, pages and commands.
//!
//! | file | what it holds |
//! |---|---|
//! | this one | the table: role x action x relation, without a database |
//! | [`scope`] | whose contacts somebody sees: teams and the teams in them |
//! | [`api`] | what a key of the HTTP API may be used for |
//!
//! Two rules stand above the table. A device gets and writes what is assigned to its user, whatever the
//! role: teams steer, they do not fill a phone with customers. And an id that is not one's own is
//! answered exactly as one that does not exist: [`Decision::Hide`], never a refusal that says that there
//! is something.
//!
//! Everything here is read anew for each request or transaction: nothing remembers a right.

pub mod api;
pub mod scope;
#[cfg(test)]
mod tests;

use roadbook_protocol::wire::Access;

pub use api::ApiScope;
pub use scope::{Rights, Scope};

use crate::store::people::Role;

/// How somebody stands to a contact, or to a person whose things are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Owns the contact; is the person.
    Own,
    /// Works on the contact beside its owner.
    Shared,
    /// The owner, or the person, is in a team that one steers; with the whole base, everything is.
    Team,
    /// Somebody of the team works on the contact beside an owner who is not of the team.
    TeamShared,
    /// None of it.
    Foreign,
}

impl Relation {
    /// All of them, for tables and tests.
    pub const ALL: [Relation; 5] =
        [Relation::Own, Relation::Shared, Relation::Team, Relation::TeamShared, Relation::Foreign];
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// To get a contact on a device.
    Receive,
    /// To write a contact from a device.
    Upload,
    /// To decide late edits of a contact on a device.
    DecideLate,
    /// To use the pages at all.
    Enter,
    /// To read a contact, its history and its conflicts on the pages.
    Read,
    /// To edit a contact and to decide its conflicts on the pages.
    Edit,
    /// To make a contact on the pages.
    Create,
    /// To give a contact to somebody, or to decide late edits of it.
    Steer,
    /// To read a person and their devices.
    SeePerson,
    /// To revoke a device of a person, or to invite one.
    SteerDevices,
    /// To give contacts to a person.
    GiveTo,
    /// To be told what a person does that is unusual, and to deal with it.
    SeeAlerts,
    /// To add people and teams, change roles, disable, reset passwords and second factors.
    ManagePeople,
    /// To read and export the audit log.
    ReadAudit,
    /// Bulk work on everything: import, export, erasure, backup, settings, keys.
    Administer,
}

impl Action {
    /// All of them, for tables and tests.
    pub const ALL: [Action; 15] = [
        Action::Receive,
        Action::Upload,
        Action::DecideLate,
        Action::Enter,
        Action::Read,
        Action::Edit,
        Action::Create,
        Action::Steer,
        Action::SeePerson,
        Action::SteerDevices,
        Action::GiveTo,
        Action::SeeAlerts,
        Action::ManagePeople,
        Action::ReadAudit,
        Action::Administer,
    ];

    /// Whether it is about a contact or a person, so that the relation counts.
    pub fn has_object(self) -> bool {
        !matches!(
            self,
            Action::Enter
                | Action::Create
                | Action::ManagePeople
                | Action::ReadAudit
                | Action::Administer
        )
    }
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may be done.
    Allow,
    /// It may not, and to say so tells nothing.
    Forbid,
    /// It may not, and the answer is that of something that does not exist.
    Hide,
}

/// The table. `relation` counts only for actions that have an object.
pub fn decide(role: Role, action: Action, relation: Relation) -> Decision {
    use Decision::{Allow, Forbid, Hide};
    let held = matches!(relation, Relation::Own | Relation::Shared);
    let seen = relation != Relation::Foreign;
    let steered = matches!(relation, Relation::Own | Relation::Team);
    let or_forbid = |seen: bool| if seen { Forbid } else { Hide };
    let or = |allowed: bool, otherwise: Decision| if allowed { Allow } else { otherwise };
    match (role, action) {
        // Devices.
        (_, Action::Receive) => or(held, Hide),
        (Role::ReadOnly, Action::Upload) => or_forbid(held),
        (_, Action::Upload) => or(held, Hide),
        (_, Action::DecideLate) => match relation {
            Relation::Own if role != Role::ReadOnly => Allow,
            _ => or_forbid(held),
        },
        // Pages: reps work on their devices.
        (Role::Rep, Action::Read | Action::Edit | Action::Steer) => Hide,
        (
            Role::Rep,
            Action::SeePerson | Action::SteerDevices | Action::GiveTo | Action::SeeAlerts,
        ) => Hide,
        (Role::Rep, _) => Forbid,
        // Administrators.
        (Role::Admin, _) => Allow,
        (_, Action::ManagePeople | Action::ReadAudit | Action::Administer) => Forbid,
        (_, Action::Enter) => Allow,
        (_, Action::Read | Action::SeePerson) => or(seen, Hide),
        // Nobody is told of what is noticed of oneself.
        (Role::Manager, Action::SeeAlerts) => or(relation == Relation::Team, Hide),
        (_, Action::SeeAlerts) => Hide,
        // What one does not see does not exist, whatever one wants with it.
        _ if action.has_object() && !seen => Hide,
        (Role::ReadOnly, _) => Forbid,
        // Managers.
        (Role::Manager, Action::Edit | Action::Create) => Allow,
        (Role::Manager, Action::Steer | Action::SteerDevices | Action::GiveTo) => {
            or(steered, Forbid)
        }
    }
}

/// Whether a device may do that with a contact that its user holds so.
pub fn on_device(role: Role, action: Action, access: Option<Access>) -> bool {
    let relation = match access {
        Some(Access::Owner) => Relation::Own,
        Some(Access::Collaborator) => Relation::Shared,
        Some(Access::Removed) | None => Relation::Foreign,
    };
    decide(role, action, relation) == Decision::Allow
}

/// Whether a device may connect and send at all: neither it nor its user was shut out.
pub fn admits(device_revoked: bool, user_disabled: bool) -> bool {
    !device_revoked && !user_disabled
}
