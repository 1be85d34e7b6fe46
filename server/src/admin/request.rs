//! What a command asks, and what it answers: the same values whether the command runs in the
//! server's process or in its own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::import::ImportOptions;
use crate::store::EngineError;

mod api;
mod custom_fields;
mod lists;
mod watch;
pub use api::{ApiKeyCommand, WebhookCommand};
pub use custom_fields::CustomFieldCommand;
pub use lists::ListCommand;
pub use watch::{AlertCommand, CanaryCommand, ReviewCommand, VolumeCommand};

/// One command with its context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// `--workspace`: a name or an id; needed only where there are several.
    #[serde(default)]
    pub workspace: Option<String>,
    /// `--as`: the login in whose name changes are made; the first admin if `None`.
    #[serde(default)]
    pub by: Option<String>,
    /// The command.
    pub request: Request,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// Adds a user and makes the first one-time code.
    UserAdd {
        /// What they sign in with.
        login: String,
        /// `rep`, `manager`, `admin`, `read_only`.
        role: String,
        /// Their name; the login if empty.
        name: String,
        /// Their team.
        team: Option<String>,
    },
    /// Lists users.
    UserList,
    /// Makes a new sign-in code for a manager or an admin who forgot the password.
    UserCode {
        /// Whose.
        login: String,
    },
    /// Changes a person's role, name, team, or whether they may come in.
    UserChange(UserChange),
    /// Takes a second factor away that its owner can't use any more.
    SecondFactorOff {
        /// Whose.
        login: String,
    },
    /// Makes a team, or moves it into another one or out of any.
    TeamSet {
        /// The team.
        name: String,
        /// The team that it becomes a part of.
        parent: Option<String>,
    },
    /// Lists teams.
    TeamList,
    /// Adds a workspace.
    WorkspaceAdd {
        /// Its name.
        name: String,
    },
    /// Lists workspaces.
    WorkspaceList,
    /// Makes an enrolment code for a device of a user.
    Invite {
        /// Whose device.
        login: String,
    },
    /// Lists devices.
    DeviceList {
        /// Of this user only.
        user: Option<String>,
    },
    /// Revokes a device.
    DeviceRevoke {
        /// The id, or a unique beginning of it.
        id: String,
    },
    /// Makes a code that extends the lease of a device.
    DeviceExtend {
        /// The id, or a unique beginning of it.
        id: String,
        /// How many days from now.
        days: u32,
    },
    /// Lists what wiped devices handed over and what could not become proposals.
    DeviceRecovered {
        /// The id, or a unique beginning of it; all devices if `None`.
        id: Option<String>,
    },
    /// Shows how long devices may be read offline.
    LeaseShow,
    /// Sets how long devices may be read offline.
    LeaseSet {
        /// For the devices of this role.
        role: String,
        /// How many days; without an end if `None`.
        days: Option<u32>,
    },
    /// Shows the oldest versions of apps that get customer data.
    MinimumAppShow,
    /// Sets the oldest version of one app.
    MinimumAppSet {
        /// `NAME/1.2.3`.
        app: String,
    },
    /// Takes the oldest version of an app away.
    MinimumAppClear {
        /// Of this app; of all if `None`.
        name: Option<String>,
    },
    /// Makes a new sealing key.
    SealingKeyNew,
    /// Assigns contacts.
    Assign(Assign),
    /// Imports a file; the file itself, and the orders if given, follow as attachments.
    Import(ImportOptions),
    /// Exports contacts; they are the output.
    Export {
        /// The form.
        format: ExportFormat,
        /// Which; all if `None`.
        filter: Option<String>,
    },
    /// Writes a backup.
    Backup {
        /// An absolute path.
        file: PathBuf,
    },
    /// Verifies everything.
    Check,
    /// Hashes the content of contacts.
    StateHash {
        /// Of this owner only.
        owner: Option<String>,
        /// Of these only.
        ids: Vec<String>,
        /// One hash per contact too.
        each: bool,
    },
    /// Lists conflicts.
    Conflicts {
        /// Of this contact only: an id or a unique beginning of it.
        id: Option<String>,
    },
    /// Lists late edits that wait for a decision.
    ProposalList {
        /// Decided ones too.
        all: bool,
        /// Of this contact only: an id or a unique beginning of it.
        contact: Option<String>,
    },
    /// Shows one set of late edits field by field.
    ProposalShow {
        /// Its number.
        n: i64,
    },
    /// Accepts, declines, or takes a decision back.
    ProposalDecide(Decide),
    /// Hands over everything of somebody who leaves.
    Leaver(Leaver),
    /// Erases a contact.
    Erase {
        /// The id, or a unique beginning of it.
        id: String,
        /// A short code that tells nothing of the person.
        reason: Option<String>,
        /// Only says what would be done.
        dry_run: bool,
    },
    /// Begins a contact's document anew.
    Rewrite(Rewrite),
    /// Which devices have confirmed erasures.
    EraseReport {
        /// Of this contact only: its whole id.
        id: Option<String>,
    },
    /// What became of a mention of an erased person in another contact.
    EraseSettle {
        /// The erased contact: its whole id.
        id: String,
        /// The other contact.
        other: String,
        /// What became of it.
        how: EraseSettled,
    },
    /// Everything about one contact as a zip archive; it is the output.
    Access {
        /// The id, or a unique beginning of it.
        id: String,
    },
    /// Sets a retention rule.
    RetentionSet {
        /// Its name.
        name: String,
        /// Which contacts.
        filter: String,
        /// After so many months without contact.
        months: u32,
    },
    /// Removes a retention rule.
    RetentionRemove {
        /// Its name.
        name: String,
    },
    /// Lists the retention rules.
    RetentionList,
    /// Lists whom a rule reaches.
    RetentionPreview {
        /// Its name.
        name: String,
    },
    /// Erases whom a rule reaches.
    RetentionApply {
        /// Its name.
        name: String,
        /// What the preview said.
        confirm: String,
    },
    /// Exports contacts that may be written to; they are the output.
    ExportMailing {
        /// The form.
        format: ExportFormat,
        /// Which; all if `None`.
        filter: Option<String>,
        /// Over which channel.
        channel: String,
        /// For which purpose; any if `None`.
        purpose: Option<String>,
    },
    /// What managers are told of.
    Alert(AlertCommand),
    /// How much may be read.
    Volume(VolumeCommand),
    /// Planted contacts.
    Canary(CanaryCommand),
    /// What is held back after a restore without the ledger.
    Review(ReviewCommand),
    /// Lists that people are given.
    List(ListCommand),
    /// Custom fields that the workspace defines.
    CustomField(CustomFieldCommand),
    /// By which language lists are sorted; shows it unless one is given.
    Sorting {
        /// Its tag.
        language: Option<String>,
    },
    /// Keys of the HTTP API.
    ApiKey(ApiKeyCommand),
    /// Webhooks.
    Webhook(WebhookCommand),
    /// Lists quarantined changes.
    QuarantineList,
    /// Exports quarantined changes with their bytes; they are the output.
    QuarantineExport,
    /// Lists the audit log, newest first.
    AuditList {
        /// At most so many entries.
        limit: u32,
        /// Which.
        #[serde(default)]
        filter: AuditFilter,
    },
    /// Verifies the audit log's chain.
    AuditVerify {
        /// `N:HASH` of entries that were noted elsewhere.
        known: Vec<String>,
        /// Accepts losses that are told.
        accept: bool,
    },
    /// Writes the audit log out, oldest first; it is the output.
    AuditExport {
        /// The form.
        format: AuditFormat,
        /// Which.
        filter: AuditFilter,
    },
}

/// What changes of a person; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserChange {
    /// Whom.
    pub login: String,
    /// Their login from now on.
    pub to: Option<String>,
    /// Their role.
    pub role: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// Their team; empty for none.
    pub team: Option<String>,
    /// Whether they are kept out.
    pub disabled: Option<bool>,
}

/// Which contacts go to whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Assign {
    /// The login; `None` takes the owner away.
    pub to: Option<String>,
    /// These contacts: ids or unique beginnings.
    pub ids: Vec<String>,
    /// Or those that match.
    pub filter: Option<String>,
    /// Or those of a territory: the country of their first address.
    pub country: Option<String>,
    /// And how its postal code begins, any of these.
    pub postal_codes: Vec<String>,
    /// Or what a list says: who gets what stands in an attached CSV file.
    pub csv: Option<String>,
    /// As a collaborator beside the owner.
    pub collaborator: bool,
    /// Takes the collaborator away again.
    pub remove: bool,
    /// Only says what would be done.
    pub dry_run: bool,
}

/// Which entries of the audit log, as they were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// The beginning of the action.
    pub action: Option<String>,
    /// The login of who did it, or `operator`.
    pub who: Option<String>,
    /// An id in subject or detail.
    pub about: Option<String>,
    /// The first day, `YYYY-MM-DD` in UTC.
    pub since: Option<String>,
    /// The last day.
    pub until: Option<String>,
}

/// How a contact's document is begun anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The id, or a unique beginning of it.
    pub id: String,
    /// A short code that tells nothing of anybody.
    pub reason: Option<String>,
    /// Whether the past goes for good.
    pub purge: bool,
    /// Whether the words of quarantined changes go too.
    pub quarantined_too: bool,
    /// Only says what would be done.
    pub dry_run: bool,
    /// Goes on with the document that is here after a restore.
    pub give_up: bool,
}

/// What became of a mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum EraseSettled {
    /// Somebody has taken the person out.
    Edited,
    /// It stays as it is.
    Left,
}

/// The form of an export of the audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AuditFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// One row per entry.
    Csv,
}

/// What is decided about late edits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decide {
    /// The number of the set.
    pub n: i64,
    /// `accept`, `decline` or `undo`.
    pub verdict: String,
    /// These items only; all if empty.
    pub items: Vec<i64>,
}

/// Who leaves, and who takes over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leaver {
    /// Who leaves.
    pub login: String,
    /// Who gets what no rule gives away; nobody if `None`.
    pub to: Option<String>,
    /// `FILTER=LOGIN`; the first that matches counts.
    pub rules: Vec<String>,
    /// Only says what would be done.
    pub dry_run: bool,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// `{"contacts": [...]}`, one contact a line.
    Json,
    /// One row per contact with the headers that import reads.
    Csv,
}

/// What a command answers. Bulk output (exports) goes to the output stream before it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What `--json` prints; nothing if null.
    pub data: serde_json::Value,
    /// What is printed otherwise.
    pub text: String,
    /// What goes to stderr either way, a line each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Whether the command found something off: exit code 1.
    #[serde(default)]
    pub off: bool,
}

impl Answer {
    /// An answer with data and text.
    pub fn new(data: serde_json::Value, text: impl Into<String>) -> Self {
        Self { data, text: text.into(), ..Self::default() }
    }
}

/// What kind of failure a command ended in; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// What was named does not exist, exists already, or a rule forbids it.
    Refused,
    /// The command line does not make sense.
    Usage,
    /// The data directory is in use, or not usable.
    Unavailable,
    /// A file can't be read or written.
    File,
    /// Stored data is damaged, or the program failed.
    Internal,
}

impl FailureKind {
    /// The exit code of the program.
    pub fn exit_code(self) -> u8 {
        match self {
            FailureKind::Refused => 1,
            FailureKind::Usage => 2,
            FailureKind::Unavailable => 3,
            FailureKind::File => 4,
            FailureKind::Internal => 5,
        }
    }
}

/// Why a command did not do what it was asked: the thing, the reason, the way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
    /// Something named is not there, or a rule forbids it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Refused, message)
    }
    /// A file can't be used.
    pub fn file(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::new(FailureKind::File, format!("{}: {reason}", path.display()))
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let kind = match &error {
            _ if error.is_disk_full() => FailureKind::Unavailable,
            EngineError::NotFound { .. }
            | EngineError::Taken { .. }
            | EngineError::Refused { .. }
            | EngineError::Command(_) => FailureKind::Refused,
            EngineError::Locked { .. }
            | EngineError::NewerSchema { .. }
            | EngineError::Unsuitable { .. }
            | EngineError::KeyMissing { .. }
            | EngineError::KeyUnfit { .. }
            | EngineError::Ledger { .. }
            | EngineError::NotCommitted { .. }
            | EngineError::Busy { .. }
            | EngineError::Closed => FailureKind::Unavailable,
            EngineError::Io { .. } => FailureKind::File,
            EngineError::Damaged { .. } | EngineError::Panicked { .. } | EngineError::Sqlite(_) => {
                FailureKind::Internal
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<super::import::ImportError> for Failure {
    fn from(error: super::import::ImportError) -> Self {
        match error {
            super::import::ImportError::File { .. } => {
                Self::new(FailureKind::File, error.to_string())
            }
            super::import::ImportError::Choice(message) => Self::new(FailureKind::Usage, message),
            super::import::ImportError::Engine(error) => error.into(),
        }
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::new(FailureKind::Usage, error.to_string())
    }
}

impl From<roadbook_protocol::filter::FilterError> for Failure {
    fn from(error: roadbook_protocol::filter::FilterError) -> Self {
        Self::new(FailureKind::Usage, error.to_string())
    }
}
