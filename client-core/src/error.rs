//! What can go wrong, as callers see it: one variant per thing that a caller would act on.
//!
//! Each message names the thing, the reason and the way out. Sources are kept.

use std::path::PathBuf;

use roadbook_protocol::document::CommandError;
use roadbook_protocol::filter::FilterError;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The replica belongs to nobody yet.
    #[error(
        "this device is not enrolled: ask the office for a code (`roadbook-server invite LOGIN`), then run `roadbook enroll URL CODE`"
    )]
    NotEnrolled,
    /// No such contact, entry or edit here.
    #[error(
        "{what} is not on this device; see `roadbook list`, or sync if it was assigned just now"
    )]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The beginning of an id fits several contacts.
    #[error("`{prefix}` is the beginning of {count} ids ({examples}); type more of it")]
    Ambiguous {
        /// What was typed.
        prefix: String,
        /// How many contacts fit.
        count: usize,
        /// Some of them.
        examples: String,
    },
    /// A command does not fit the contact.
    #[error(transparent)]
    Invalid(#[from] CommandError),
    /// A filter can't be read.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// What was asked for is not allowed, with the reason.
    #[error("{reason}")]
    NotAllowed {
        /// The thing, the reason, the way out.
        reason: String,
    },
    /// The server can't be reached. Everything else works without it.
    #[error(
        "the server can't be reached: {reason}; your edits are safe on this device and go up with the next sync"
    )]
    Offline {
        /// What failed.
        reason: String,
    },
    /// The server answered, and refused.
    #[error("the server refused ({code}): {message}")]
    Refused {
        /// A stable short code: `unauthorized`, `revoked`, `copied`, `code_refused` ...
        code: String,
        /// For a person.
        message: String,
        /// When to try again, milliseconds from now, if the server said so.
        retry_after_ms: Option<u64>,
    },
    /// The office revoked this device, and it was wiped.
    #[error(
        "this device was revoked by the office and is wiped: {edits}; to go on, ask for a code and run `roadbook enroll URL CODE`"
    )]
    Wiped {
        /// What became of its unsent edits.
        edits: String,
    },
    /// The permission to read without a contact to the server has ended. Edits are still taken.
    #[error(
        "reading is locked: the permission to work offline ended on {ended} (this device's clock says {today}); connect once (`roadbook sync`), or without a network ask the office for a code and run `roadbook lease CODE`; nothing is lost, your edits go up as always"
    )]
    LeaseEnded {
        /// The day, by the server's clock.
        ended: String,
        /// The day by the device's own, which may be wrong.
        today: String,
    },
    /// The server's certificate is not the pinned one, or is not trusted.
    #[error("the server is not trusted: {reason}")]
    Untrusted {
        /// What is wrong with its certificate, and the way out.
        reason: String,
    },
    /// The address can't be used.
    #[error("`{url}` is not a usable server address: {reason}")]
    Address {
        /// As given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// Another process has the replica open.
    #[error("{home} is in use by {holder}; close that program first, or use another --home")]
    Locked {
        /// The replica's directory.
        home: PathBuf,
        /// Which process, as far as known.
        holder: String,
    },
    /// The file was written by a newer version of the program.
    #[error(
        "{path} was written by a newer version of Roadbook (format {found}, this program knows up to {known}); update the program"
    )]
    NewerFile {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// The replica is encrypted, and this program can't decrypt. Nothing was touched.
    #[error(
        "{home} holds an encrypted replica, and this build of the program can't encrypt; it was left untouched: use the program that the office installs (made by `cargo ship`), or another --home"
    )]
    Encrypted {
        /// The replica's directory.
        home: PathBuf,
    },
    /// The key that the replica was encrypted with is not there. Nothing was touched.
    #[error(
        "the key of the replica in {home} is lost: {reason}; put the key back if you can; if not, ask the office for a code and run `roadbook enroll URL CODE` with this directory: everything comes back from the server, and the sealed copies of the edits that were not sent go to it"
    )]
    KeyLost {
        /// The replica's directory.
        home: PathBuf,
        /// What is known of it.
        reason: String,
    },
    /// The secrets can't be had or kept.
    #[error(transparent)]
    Keys(#[from] crate::keys::KeyStoreError),
    /// Something stored is damaged.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// What.
        what: String,
        /// How, and what happens next.
        reason: String,
    },
    /// The replica is suspended: its files are closed.
    #[error("the replica is suspended; call resume() first")]
    Suspended,
    /// The disk or the database failed. An edit was not saved.
    #[error("the replica's storage failed: {}", storage_told(.0))]
    Storage(#[source] rusqlite::Error),
    /// A file beside the database can't be read or written.
    #[error("{path}: {source}{}", way_out(source))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Storage(error)
    }
}

impl Error {
    /// For the file at `path`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }

    /// A contact that is not here.
    pub(crate) fn no_contact(id: impl std::fmt::Display) -> Error {
        Error::NotFound { what: format!("contact {id}") }
    }

    /// Whether SQLite says that the file itself is broken.
    pub(crate) fn is_corruption(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        matches!(
            self,
            Error::Storage(rusqlite::Error::SqliteFailure(failure, _))
                if matches!(failure.code, DatabaseCorrupt | NotADatabase)
        )
    }

    /// Whether a statement of ours was refused that a sound file takes: an index may say what its table
    /// does not.
    pub(crate) fn is_contradiction(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, TypeMismatch};
        matches!(
            self,
            Error::Storage(rusqlite::Error::SqliteFailure(failure, _))
                if matches!(failure.code, ConstraintViolation | TypeMismatch)
        )
    }

    /// Whether what was read can't be what was written: SQLite does not look inside values and not
    /// into the meaning of its own schema, so that a bit that flipped in a text is found by its
    /// reader alone.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Error::Storage(error) if unreadable(error))
    }
}

/// `SQLITE_IOERR_SHMSIZE`: the index of the log could not grow, which only a full disk brings about.
const IOERR_SHMSIZE: i32 = 4874;

/// How SQLite begins to say that a statement of ours does not fit the schema, which is ours too.
const OTHER_SCHEMA: [&str; 4] =
    ["foreign key mismatch", "no such table", "no such column", "malformed database schema"];

fn unreadable(error: &rusqlite::Error) -> bool {
    if let rusqlite::Error::SqliteFailure(_, Some(told)) = error {
        return OTHER_SCHEMA.iter().any(|beginning| told.starts_with(beginning));
    }
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..)
    )
}

fn damaged_told(error: &rusqlite::Error) -> String {
    format!(
        "its file is damaged ({error}); open it again: then it is examined and set aside if need be, your \
         unsent edits are taken over from it, and the rest is fetched again"
    )
}

/// What SQLite says, for the person who can do something about it.
fn storage_told(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseCorrupt, DiskFull, NotADatabase, PermissionDenied, ReadOnly,
    };
    if unreadable(error) {
        return damaged_told(error);
    }
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return error.to_string() };
    match failure.code {
        _ if failure.code == DiskFull || failure.extended_code == IOERR_SHMSIZE => {
            format!("the disk is full ({error}); nothing was saved, free some space and try again")
        }
        DatabaseCorrupt | NotADatabase => damaged_told(error),
        ReadOnly | PermissionDenied | CannotOpen => {
            format!("its file can't be opened or written ({error}); make its directory writable")
        }
        _ => error.to_string(),
    }
}

fn way_out(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        ReadOnlyFilesystem | PermissionDenied => "; make it writable for this user",
        StorageFull => "; the disk is full: free some space and try again",
        _ => "",
    }
}
