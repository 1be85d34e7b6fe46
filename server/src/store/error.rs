//! What can go wrong in the store and the engine, as callers need to tell it apart.

use std::path::PathBuf;

use roadbook_protocol::document::CommandError;
use rusqlite::ErrorCode;

/// Why the engine did not do what it was asked. A caller acts on the variant and shows the text:
/// each names the thing, the reason and the way out.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process owns the data directory.
    #[error("the data directory {} is in use by {holder}; stop it first, or talk to it instead of opening its files", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who holds it: `process 4711`.
        holder: String,
    },
    /// The database was written by a newer version.
    #[error(
        "the database has schema {found}, this version knows {known}; run the newer version that wrote it"
    )]
    NewerSchema {
        /// What the file says.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
    /// The linked SQLite can't be trusted with the data.
    #[error("the linked SQLite is unsuitable: {reason}; build with the bundled SQLite")]
    Unsuitable {
        /// Why.
        reason: String,
    },
    /// What was named does not exist (or not in this workspace).
    #[error("{what} does not exist")]
    NotFound {
        /// Such as ``user `anna` ``.
        what: String,
    },
    /// What was named exists already or belongs to another.
    #[error("{what} is taken already; choose another")]
    Taken {
        /// Such as ``the login `anna` ``.
        what: String,
    },
    /// A rule forbids it.
    #[error("{reason}")]
    Refused {
        /// A stable short code.
        code: &'static str,
        /// The thing, the reason, the way out.
        reason: String,
    },
    /// An edit command is not valid for its contact.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A queue is full. Nothing was done; try again later.
    #[error("the server is busy: {what}; try again in a moment")]
    Busy {
        /// Which bound was reached.
        what: &'static str,
    },
    /// A transaction failed to commit: nothing of it was written, nothing of it may be acknowledged.
    #[error("nothing was written: {reason}; see the server's log, and try again")]
    NotCommitted {
        /// What the database said.
        reason: String,
    },
    /// The engine is shutting down or has shut down. Nothing was done.
    #[error("the server is shutting down; try again when it is back")]
    Closed,
    /// Stored data is not what it should be.
    #[error(
        "{what} is damaged: {reason}; run `roadbook-server check`, and put a backup into a new directory with \
         `roadbook-server restore` if it says so: devices bring what the backup lacks"
    )]
    Damaged {
        /// Such as `the snapshot of contact ...`.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Code panicked; the panic was contained and nothing was written.
    #[error(
        "an internal error was contained while {during}; nothing was written, please report it with the log"
    )]
    Panicked {
        /// What was being done.
        during: &'static str,
    },
    /// The signing key of a workspace is not in the data directory. A backup does not hold it.
    #[error(
        "the signing key of workspace `{workspace}` is missing: {} does not exist; copy it back from where it was kept (a backup of the database does not hold it), or, if it is lost for good, make another with `roadbook-server key new`",
        path.display()
    )]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
        /// The workspace's name.
        workspace: String,
    },
    /// A signing key does not fit.
    #[error("the signing key {} can't be used: {reason}; copy the right one there", path.display())]
    KeyUnfit {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The ledger can't be used.
    #[error("the ledger {} can't be used: {reason}", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// Why not, and the way out.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}{}", path.display(), way_out(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database refused.
    #[error("{}", told(.0))]
    Sqlite(#[from] rusqlite::Error),
}

impl EngineError {
    /// A missing thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        EngineError::NotFound { what: what.into() }
    }
    /// Damaged stored data.
    pub fn damaged(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        EngineError::Damaged { what: what.into(), reason: reason.to_string() }
    }
    /// Whether there is no room for what was to be written: it heals when there is.
    pub fn is_disk_full(&self) -> bool {
        match self {
            EngineError::Sqlite(error) => is_full(error),
            EngineError::Io { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }
    /// Whether it is what is stored of one thing that stands in the way, not the disk or the file: another
    /// attempt ends the same, and others need not suffer from it.
    pub fn is_of_the_row(&self) -> bool {
        match self {
            EngineError::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
            ),
            EngineError::NotFound { .. }
            | EngineError::Taken { .. }
            | EngineError::Refused { .. }
            | EngineError::Command(_) => true,
            _ => false,
        }
    }
    /// Whether the file itself is broken.
    pub fn is_damage(&self) -> bool {
        use ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            EngineError::Damaged { .. } => true,
            EngineError::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => {
                matches!(failure.code, DatabaseCorrupt | NotADatabase)
            }
            EngineError::Sqlite(error) => is_unreadable(error),
            _ => false,
        }
    }
    /// Whether a uniqueness rule of a table refused.
    pub(crate) fn is_unique_violation(error: &rusqlite::Error) -> bool {
        matches!(
            error,
            rusqlite::Error::SqliteFailure(failure, _)
                if failure.code == ErrorCode::ConstraintViolation
                    && matches!(failure.extended_code, 2067 | 1555)
        )
    }
}

/// `SQLITE_IOERR_SHMSIZE`: the index of the log could not grow, which only a full disk brings about.
const IOERR_SHMSIZE: i32 = 4874;

fn is_full(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return false };
    failure.code == ErrorCode::DiskFull || failure.extended_code == IOERR_SHMSIZE
}

/// Whether a value that was read can't be one that was written: SQLite does not look inside values, so
/// that a bit that flipped in a text is found by its reader alone.
fn is_unreadable(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    )
}

fn damage_told(error: &rusqlite::Error) -> String {
    format!(
        "the database is damaged ({error}); stop the server, keep a copy of its data directory, see with \
         `roadbook-server check` what is affected, and put a backup into a new directory with \
         `roadbook-server restore`: devices bring what the backup lacks"
    )
}

/// What the database says, for the person who can do something about it.
fn told(error: &rusqlite::Error) -> String {
    use ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, PermissionDenied, ReadOnly};
    match error {
        _ if is_full(error) => {
            format!("the disk is full ({error}); free some space, then it goes on by itself")
        }
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            DatabaseCorrupt | NotADatabase => damage_told(error),
            ReadOnly | PermissionDenied | CannotOpen => format!(
                "the database can't be opened or written ({error}); make the data directory writable for this \
                 user, or name another one with --data"
            ),
            _ => format!("the database: {error}"),
        },
        _ if is_unreadable(error) => damage_told(error),
        _ => format!("the database: {error}"),
    }
}

fn way_out(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        ReadOnlyFilesystem | PermissionDenied => {
            "; make it writable for this user, or name another directory with --data"
        }
        StorageFull => "; the disk is full: free some space and try again",
        _ => "",
    }
}
