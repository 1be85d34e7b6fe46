//! What a command asks, and what it answers: the same values whether the command runs in the
//! server's process or in its own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::import::ImportOptions;
use crate::store::EngineError;

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
    /// Lists quarantined changes.
    QuarantineList,
    /// Exports quarantined changes with their bytes; they are the output.
    QuarantineExport,
    /// Lists the audit log, newest first.
    AuditList {
        /// At most so many entries.
        limit: u32,
    },
}

/// Which contacts go to whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assign {
    /// The login; `None` takes the owner away.
    pub to: Option<String>,
    /// These contacts: ids or unique beginnings.
    pub ids: Vec<String>,
    /// Or those that match.
    pub filter: Option<String>,
    /// As a collaborator beside the owner.
    pub collaborator: bool,
    /// Takes the collaborator away again.
    pub remove: bool,
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
