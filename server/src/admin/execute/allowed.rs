//! What a command may do in the name of somebody (`--as LOGIN`): what they may do on the pages.
//!
//! Without `--as` a command is the operator's, who holds the files anyway. Here it is decided whether
//! somebody may use a command at all; which contacts and people it reaches is decided where it reaches
//! for them.

use super::Job;
use crate::admin::request::{CustomFieldCommand, Failure, ListCommand, Request};
use crate::rights::{Action, Scope};

/// What a command asks for.
enum Need {
    /// This, whatever it reaches.
    May(Action),
    /// This, and the whole base within reach: it works on everything.
    Everywhere(Action),
}

fn need(request: &Request) -> Need {
    match request {
        Request::UserAdd { .. }
        | Request::UserCode { .. }
        | Request::UserChange(_)
        | Request::SecondFactorOff { .. }
        | Request::TeamSet { .. } => Need::May(Action::ManagePeople),
        Request::UserList
        | Request::TeamList
        | Request::DeviceList { .. }
        | Request::CustomField(CustomFieldCommand::List)
        | Request::List(ListCommand::Show) => Need::May(Action::Enter),
        Request::Invite { .. }
        | Request::DeviceRevoke { .. }
        | Request::Assign(_)
        | Request::List(_) => Need::May(Action::Create),
        Request::AuditList { .. } | Request::AuditVerify { .. } | Request::AuditExport { .. } => {
            Need::May(Action::ReadAudit)
        }
        Request::Alert(_) => Need::May(Action::SeeAlerts),
        Request::Import(_) => Need::Everywhere(Action::Create),
        Request::Export { .. }
        | Request::Conflicts { .. }
        | Request::StateHash { .. }
        | Request::QuarantineList
        | Request::QuarantineExport => Need::Everywhere(Action::Enter),
        // Late edits are decided by who may steer the contact: all of them here, one's team's on the
        // pages.
        Request::ProposalList { .. }
        | Request::ProposalShow { .. }
        | Request::ProposalDecide(_) => Need::Everywhere(Action::Create),
        // Whatever is not named is for administrators.
        _ => Need::May(Action::Administer),
    }
}

impl Job<'_> {
    /// Refuses a command that `--as` may not use.
    pub(super) fn allow(&self, request: &Request) -> Result<(), Failure> {
        let Some(login) = &self.by else { return Ok(()) };
        let workspace = self.workspace()?;
        if self.user(workspace, login)?.disabled_at.is_some() {
            return Err(Failure::refused(format!("--as {login}: this person is disabled")));
        }
        let rights = self.rights(workspace)?;
        let allowed = match need(request) {
            Need::May(action) => rights.may(action),
            Need::Everywhere(action) => rights.may(action) && rights.scope == Scope::Everything,
        };
        if allowed {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "--as {login}: the role {} may not do this; name somebody who may, or leave --as out",
            rights.role.as_str()
        )))
    }
}
