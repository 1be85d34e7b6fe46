//! Carries out commands over an engine: the same code in the server's process and in a command's
//! own.
//!
//! | file | what it holds |
//! |---|---|
//! | `people` | users, workspaces, codes, devices |
//! | `audit` | the audit log: list, verify, export |
//! | `teams` | teams, roles, disabling |
//! | `assign` | who gets which contacts |
//! | `lists` | lists that people are given |
//! | `custom_fields` | fields that the workspace defines |
//! | `sorting` | by which language lists are sorted |
//! | `contacts`, `export` | which contacts are meant; import, export |
//! | `allowed` | what somebody named with `--as` may do |
//! | `api_keys` | keys of the HTTP API |
//! | `erase` | erasure, its report, mentions of the person |
//! | `access` | everything about one person in one archive |
//! | `rewrite` | a contact's document is begun anew |
//! | `retention` | rules by which contacts are erased after a time |
//! | `watch`, `canary` | alerts, how much may be read, planted contacts |
//! | `webhooks` | addresses to which events are sent |
//! | `review` | what is held back after a restore without the ledger |
//! | `conflicts` | what waits for a decision |
//! | `proposals` | late edits, and somebody who leaves |
//! | `lease` | how long devices may be read offline, what wiped ones handed over |
//! | `minimum` | the oldest versions of apps that get customer data |
//! | `keep` | check, backup, state hash, quarantine |

mod access;
mod allowed;
mod api_keys;
mod assign;
mod audit;
mod canary;
mod conflicts;
mod contacts;
mod custom_fields;
mod erase;
mod export;
mod keep;
mod lease;
pub(crate) mod lists;
mod minimum;
mod people;
mod proposals;
mod retention;
mod review;
mod rewrite;
mod sorting;
mod teams;
mod watch;
mod webhooks;

use std::io::Write;

use chrono::{DateTime, Utc};
use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};

use super::base::Base;
use super::request::{Answer, Call, Failure, Request};
use crate::engine::{Engine, EngineError};
use crate::rights::{self, Rights};
use crate::store::people::{self as users, NewUser, Role, User};
use crate::store::workspaces::Workspace;

pub(crate) use audit::write_out;
pub use people::first_sign_in;

/// The name of the workspace that is made when there is none.
const FIRST_WORKSPACE: &str = "Roadbook";
/// The login of the admin that is made with it.
const FIRST_ADMIN: &str = "admin";
/// The setting that remembers which admin was made so.
const FIRST_ADMIN_SETTING: &str = "first_admin";

/// What commands know of the server around them.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The address under which browsers and devices reach the server, if it is known.
    pub url: Option<String>,
    /// The fingerprint that devices pin, if the certificate is self-made.
    pub fingerprint: Option<String>,
    /// How long one-time codes can be used, in milliseconds.
    pub code_ms: i64,
}

/// Carries out one command. `files` are the attachments of an import, `output` takes exports.
///
/// Durable on return: what the answer says was done is on the disk.
pub fn execute(
    engine: &Engine,
    context: &Context,
    call: Call,
    files: &[Vec<u8>],
    output: &mut dyn Write,
) -> Result<Answer, Failure> {
    ensure_workspace(engine)?;
    let job = Job { engine, context, by: call.by, workspace: call.workspace };
    job.allow(&call.request)?;
    match call.request {
        Request::WorkspaceAdd { name } => job.workspace_add(&name),
        Request::WorkspaceList => job.workspace_list(),
        Request::UserAdd { login, role, name, team } => {
            job.user_add(&login, &role, &name, team.as_deref())
        }
        Request::UserList => job.user_list(),
        Request::UserCode { login } => job.user_code(&login),
        Request::UserChange(wanted) => job.user_change(&wanted),
        Request::SecondFactorOff { login } => job.second_factor_off(&login),
        Request::TeamSet { name, parent } => job.team_set(&name, parent.as_deref()),
        Request::TeamList => job.team_list(),
        Request::Invite { login } => job.invite(&login),
        Request::DeviceList { user } => job.device_list(user.as_deref()),
        Request::DeviceRevoke { id } => job.device_revoke(&id),
        Request::DeviceExtend { id, days } => job.device_extend(&id, days),
        Request::DeviceRecovered { id } => job.device_recovered(id.as_deref()),
        Request::LeaseShow => job.lease_show(),
        Request::LeaseSet { role, days } => job.lease_set(&role, days),
        Request::MinimumAppShow => job.minimum_app_show(),
        Request::MinimumAppSet { app } => job.minimum_app_set(&app),
        Request::MinimumAppClear { name } => job.minimum_app_clear(name.as_deref()),
        Request::SealingKeyNew => job.sealing_key_new(),
        Request::AuditList { limit, filter } => job.audit_list(limit, &filter),
        Request::AuditVerify { known, accept } => job.audit_verify(&known, accept),
        Request::AuditExport { format, filter } => job.audit_export(format, &filter, output),
        Request::Alert(command) => job.alert(&command),
        Request::Volume(command) => job.volume(&command),
        Request::Canary(command) => job.canary(&command),
        Request::ApiKey(command) => job.api_key(&command),
        Request::Webhook(command) => job.webhook(&command),
        Request::Review(command) => job.review(&command),
        Request::List(command) => job.list(&command),
        Request::CustomField(command) => job.custom_field(&command),
        Request::Sorting { language } => job.sorting(language.as_deref()),
        Request::Assign(wanted) => job.assign(&wanted, files),
        Request::Import(options) => job.import(&options, files),
        Request::Export { format, filter } => job.export(format, filter.as_deref(), output),
        Request::Check => job.check(),
        Request::Backup { file } => job.backup(&file),
        Request::StateHash { owner, ids, each } => job.state_hash(owner.as_deref(), &ids, each),
        Request::Conflicts { id } => job.conflicts(id.as_deref()),
        Request::ProposalList { all, contact } => job.proposal_list(all, contact.as_deref()),
        Request::ProposalShow { n } => job.proposal_show(n),
        Request::ProposalDecide(wanted) => job.proposal_decide(&wanted),
        Request::Leaver(wanted) => job.leaver(&wanted),
        Request::Erase { id, reason, dry_run } => job.erase(&id, reason.as_deref(), dry_run),
        Request::EraseReport { id } => job.erase_report(id.as_deref()),
        Request::EraseSettle { id, other, how } => job.erase_settle(&id, &other, how),
        Request::Rewrite(wanted) => job.rewrite(&wanted),
        Request::Access { id } => job.access(&id, output),
        Request::RetentionSet { name, filter, months } => job.retention_set(&name, &filter, months),
        Request::RetentionRemove { name } => job.retention_remove(&name),
        Request::RetentionList => job.retention_list(),
        Request::RetentionPreview { name } => job.retention_preview(&name),
        Request::RetentionApply { name, confirm } => job.retention_apply(&name, &confirm),
        Request::ExportMailing { format, filter, channel, purpose } => {
            job.export_mailing(format, filter.as_deref(), &channel, purpose.as_deref(), output)
        }
        Request::QuarantineList => job.quarantine_list(),
        Request::QuarantineExport => job.quarantine_export(output),
    }
}

/// Makes the first workspace and its admin where there is no workspace.
pub fn ensure_workspace(engine: &Engine) -> Result<(), EngineError> {
    if engine.workspaces()?.is_empty() {
        let workspace = engine.create_workspace(FIRST_WORKSPACE)?;
        add_first_admin(engine, workspace)?;
    }
    Ok(())
}

/// Every workspace has somebody in whose name it is administered. The account has no password until
/// its one-time link is used.
fn add_first_admin(engine: &Engine, workspace: WorkspaceId) -> Result<(), EngineError> {
    let (id, now) = (UserId::from_random(engine.random()), engine.now_ms());
    engine.write(move |tx| -> Result<(), EngineError> {
        let admin = NewUser {
            id,
            login: FIRST_ADMIN,
            name: "Administrator",
            role: Role::Admin,
            team: None,
        };
        users::create_user(tx, workspace, &admin, now)?;
        crate::store::workspaces::set_setting(
            tx,
            workspace,
            FIRST_ADMIN_SETTING,
            Some(&id.to_string()),
        )
    })
}

/// One command under way.
struct Job<'a> {
    engine: &'a Engine,
    context: &'a Context,
    workspace: Option<String>,
    by: Option<String>,
}

impl Job<'_> {
    /// The workspace that was named, or the only one.
    fn workspace(&self) -> Result<WorkspaceId, Failure> {
        let all = self.engine.workspaces()?;
        let names = |all: &[Workspace]| {
            all.iter().map(|w| format!("`{}`", w.name)).collect::<Vec<_>>().join(", ")
        };
        match (&self.workspace, all.as_slice()) {
            (None, [only]) => Ok(only.id),
            (None, _) => Err(Failure::refused(format!(
                "there are several workspaces; say which with --workspace: {}",
                names(&all)
            ))),
            (Some(wanted), _) => all
                .iter()
                .find(|w| w.name == *wanted || w.id.to_string() == wanted.to_lowercase())
                .map(|w| w.id)
                .ok_or_else(|| {
                    Failure::refused(format!(
                        "workspace `{wanted}` does not exist; there are {}",
                        names(&all)
                    ))
                }),
        }
    }

    /// What may be done: everything by the operator, what their role and team allow with `--as`.
    fn rights(&self, workspace: WorkspaceId) -> Result<Rights, Failure> {
        let Some(login) = &self.by else { return Ok(Rights::operator(workspace)) };
        let user = self.user(workspace, login)?;
        Ok(self.engine.read(|conn| Rights::of(conn, &user))?)
    }

    /// Puts what was done into the audit log.
    fn record(
        &self,
        workspace: WorkspaceId,
        action: &'static str,
        subject: &str,
        detail: serde_json::Value,
    ) -> Result<(), Failure> {
        let by = match &self.by {
            Some(login) => Some(self.user(workspace, login)?.id),
            None => None,
        };
        let (now, subject) = (self.engine.now_ms(), subject.to_owned());
        Ok(self.engine.write(move |tx| -> Result<(), EngineError> {
            crate::store::audit::append(tx, workspace, now, by, action, &subject, &detail)
        })?)
    }

    /// The person in whose name changes are made.
    fn by(&self, workspace: WorkspaceId) -> Result<UserId, Failure> {
        if let Some(login) = &self.by {
            let user = self.user(workspace, login)?;
            let able = rights::decide(user.role, rights::Action::Create, rights::Relation::Own);
            if able != rights::Decision::Allow || user.disabled_at.is_some() {
                return Err(Failure::refused(format!(
                    "--as {login}: only a manager or an admin who may sign in makes such changes; name another"
                )));
            }
            return Ok(user.id);
        }
        let all = self.engine.read(|conn| users::list_users(conn, workspace))?;
        let able =
            |role: Role| all.iter().find(|user| user.role == role && user.disabled_at.is_none());
        able(Role::Admin).or_else(|| able(Role::Manager)).map(|user| user.id).ok_or_else(|| {
            Failure::refused("there is no admin and no manager in whose name to do it; add one with `user add LOGIN --role admin`")
        })
    }

    fn user(&self, workspace: WorkspaceId, login: &str) -> Result<User, Failure> {
        let all = self.engine.read(|conn| users::list_users(conn, workspace))?;
        let folded = login.to_lowercase();
        if let Some(user) = all.iter().find(|user| user.login.to_lowercase() == folded) {
            return Ok(user.clone());
        }
        let near = crate::config::nearest(login, all.iter().map(|user| user.login.as_str()));
        Err(Failure::refused(format!(
            "user `{login}` does not exist{}; `user list` shows all, `user add` adds one",
            near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default()
        )))
    }

    fn base(&self, workspace: WorkspaceId) -> Result<Base<'_>, Failure> {
        Ok(Base { engine: self.engine, workspace, by: self.by(workspace)? })
    }
}

/// A moment, for people.
fn moment(ms: UnixMs) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms)
        .map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string())
        .unwrap_or_else(|| ms.to_string())
}

/// Columns of text, each as wide as its widest cell.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([header[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let head: Vec<String> = header.iter().map(|name| name.to_uppercase()).collect();
    std::iter::once(line(&head)).chain(rows.iter().map(|row| line(row))).collect()
}
