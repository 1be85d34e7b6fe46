//! Why a call failed: one variant for each thing that an app would do something about.

use std::time::Duration;

use roadbook_client_core::Error;
use roadbook_protocol::document::CommandError;
use roadbook_protocol::ids::IdError;

/// The result of a call.
pub(crate) type Result<T, E = RoadbookError> = std::result::Result<T, E>;

/// Why a call failed. Unless a variant says otherwise, nothing was changed. `reason` is for a person:
/// it names the thing, the reason and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum RoadbookError {
    /// The device belongs to nobody yet: ask for a code and call `enrol`.
    #[error("{reason}")]
    NotEnrolled {
        /// For a person.
        reason: String,
    },
    /// No such contact, entry or edit on this device.
    #[error("{reason}")]
    NotFound {
        /// For a person.
        reason: String,
    },
    /// The beginning of an id fits several contacts: ask for more of it.
    #[error("{reason}")]
    Ambiguous {
        /// For a person, with some of those that fit.
        reason: String,
    },
    /// A value does not fit.
    #[error("{field}: {reason}; {way_out}")]
    Invalid {
        /// The field or argument, such as `birthday`, `phones/ID/number`, `filter`.
        field: String,
        /// What is wrong with the value.
        reason: String,
        /// What to give instead.
        way_out: String,
    },
    /// What was asked for is not allowed.
    #[error("{reason}")]
    NotAllowed {
        /// For a person.
        reason: String,
    },
    /// The server can't be reached, or the exchange did not end in time. Everything else works
    /// without it; edits are safe on the device. What was exchanged until then stays.
    #[error("{reason}")]
    Offline {
        /// For a person.
        reason: String,
    },
    /// The server answered, and refused.
    #[error("{reason}")]
    Refused {
        /// What kind of refusal it is.
        code: Refusal,
        /// For a person.
        reason: String,
        /// When to try again, if the server said so.
        retry_after: Option<Duration>,
    },
    /// The office revoked this device, and it was wiped.
    #[error("{reason}")]
    Wiped {
        /// For a person: what became of the edits that were not sent.
        reason: String,
    },
    /// The permission to read without a contact to the server has ended: sync once, or take a code of
    /// the office with `extend_lease`. Edits are still taken.
    #[error("{reason}")]
    LeaseEnded {
        /// For a person.
        reason: String,
    },
    /// The server's certificate is not the pinned one, or is not trusted.
    #[error("{reason}")]
    Untrusted {
        /// For a person.
        reason: String,
    },
    /// The server's address can't be used.
    #[error("`{url}` is not a usable server address: {reason}")]
    Address {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The directory is open already, here or in another process.
    #[error("{home} is in use by {holder}")]
    Locked {
        /// The directory.
        home: String,
        /// Which process has it, as far as known.
        holder: String,
    },
    /// A file was written by a newer version: the app must be updated.
    #[error("{reason}")]
    NewerFile {
        /// For a person.
        reason: String,
    },
    /// Something stored is damaged.
    #[error("{reason}")]
    Damaged {
        /// What, how, and what happens next.
        reason: String,
    },
    /// The replica is suspended: call `resume` first.
    #[error("the replica is suspended: call resume first")]
    Suspended,
    /// The replica was closed or wiped: open it anew.
    #[error("the replica is closed: open it anew")]
    Closed,
    /// The disk or the database failed. An edit was not saved.
    #[error("{reason}")]
    Storage {
        /// For a person.
        reason: String,
    },
    /// The replica's keys can't be had: the app's own `KeyStore` or `Signer` failed, or another one was
    /// given than the device was enrolled with.
    #[error("{reason}")]
    Keys {
        /// What it said.
        reason: String,
    },
    /// The call was ended by the app before it was done. What was exchanged until then stays.
    #[error("the call was cancelled")]
    Cancelled,
    /// A defect of this library. The replica stays usable; please send the report to its makers.
    #[error("{report}")]
    Panic {
        /// Where and what. It may quote what was being worked on.
        report: String,
    },
}

/// What kind of refusal the server gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Refusal {
    /// The device is not known to the server: enrol it with a new code.
    Unauthorized,
    /// The office revoked the device.
    Revoked,
    /// Another device speaks with the same key: this replica is a copy. Enrol it with a new code.
    Copied,
    /// Server and library don't understand each other: update the app.
    Protocol,
    /// Too much in too short a time: try again later.
    RateLimited,
    /// The server can't serve now: try again later.
    Unavailable,
    /// The enrolment code is not good: mistyped, used or too old.
    CodeRefused,
    /// A random name of this replica was taken by another; it takes another one by itself.
    ActorTaken,
    /// The server failed: try again later.
    Internal,
    /// This version of the library is too old: update the app.
    MinimumVersion,
    /// A reason that this version does not know.
    Other,
}

impl Refusal {
    pub(crate) fn from_code(code: &str) -> Refusal {
        match code {
            "unauthorized" => Refusal::Unauthorized,
            "revoked" => Refusal::Revoked,
            "copied" => Refusal::Copied,
            "protocol" => Refusal::Protocol,
            "rate_limited" => Refusal::RateLimited,
            "unavailable" => Refusal::Unavailable,
            "code_refused" => Refusal::CodeRefused,
            "actor_taken" => Refusal::ActorTaken,
            "internal" => Refusal::Internal,
            "minimum_version" => Refusal::MinimumVersion,
            _ => Refusal::Other,
        }
    }
}

impl RoadbookError {
    /// A value that does not fit.
    pub(crate) fn invalid(
        field: impl Into<String>,
        reason: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        RoadbookError::Invalid {
            field: field.into(),
            reason: reason.into(),
            way_out: way_out.into(),
        }
    }
}

impl From<Error> for RoadbookError {
    fn from(error: Error) -> Self {
        let reason = error.to_string();
        match error {
            // The core's own way out names commands of the program for the shell.
            Error::NotEnrolled => RoadbookError::NotEnrolled {
                reason: "this device is not enrolled: ask the office for a code and enrol with it"
                    .into(),
            },
            Error::NotFound { what } => RoadbookError::NotFound {
                reason: format!("{what} is not on this device; sync if it was assigned just now"),
            },
            Error::Ambiguous { .. } => RoadbookError::Ambiguous { reason },
            Error::Invalid(error) => error.into(),
            Error::Filter(_) => RoadbookError::invalid(
                "filter",
                reason,
                "see docs/filters.md for what a filter can say",
            ),
            Error::NotAllowed { reason } => RoadbookError::NotAllowed { reason },
            Error::Offline { .. } => RoadbookError::Offline { reason },
            Error::Refused { code, message, retry_after_ms } => RoadbookError::Refused {
                code: Refusal::from_code(&code),
                reason: message,
                retry_after: retry_after_ms.map(Duration::from_millis),
            },
            Error::Wiped { edits } => RoadbookError::Wiped {
                reason: format!(
                    "this device was revoked by the office and is wiped: {edits}; to go on, ask for a code and enrol anew"
                ),
            },
            Error::LeaseEnded { ended, today } => RoadbookError::LeaseEnded {
                reason: format!(
                    "reading is locked: the permission to work offline ended on {ended} (this device's clock says {today}); connect once, or without a network ask the office for a code; nothing is lost, your edits go up as always"
                ),
            },
            Error::Untrusted { .. } => RoadbookError::Untrusted { reason },
            Error::Address { url, reason } => RoadbookError::Address { url, reason },
            Error::Locked { home, holder } => {
                RoadbookError::Locked { home: home.display().to_string(), holder }
            }
            Error::NewerFile { .. } => RoadbookError::NewerFile { reason },
            Error::Damaged { .. } => RoadbookError::Damaged { reason },
            Error::Suspended => RoadbookError::Suspended,
            Error::Keys(_) | Error::KeyLost { .. } => RoadbookError::Keys { reason },
            _ => RoadbookError::Storage { reason },
        }
    }
}

impl From<CommandError> for RoadbookError {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::UnknownField { field, nearest } => RoadbookError::invalid(
                field,
                "there is no such field",
                match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => "see docs/fields.md for the names, or use a custom field".into(),
                },
            ),
            CommandError::Invalid { field, reason, way_out } => {
                RoadbookError::Invalid { field, reason, way_out }
            }
            CommandError::TooLarge { field, size, max, unit, way_out } => RoadbookError::invalid(
                field,
                format!("it would have {size} {unit}, at most {max} are allowed"),
                way_out,
            ),
            CommandError::NoSuchEntry { path } => RoadbookError::NotFound {
                reason: format!("the contact has no entry `{path}`; read the contact again"),
            },
            CommandError::NothingToUndo { .. } | CommandError::ChangedSince { .. } => {
                RoadbookError::NotAllowed { reason: text }
            }
            CommandError::Damaged { .. } => RoadbookError::Damaged { reason: text },
        }
    }
}

impl From<IdError> for RoadbookError {
    fn from(error: IdError) -> Self {
        RoadbookError::invalid(
            "id",
            format!("`{}` is not a {} id", error.text, error.kind),
            "give an id as this library gave it out",
        )
    }
}

/// What a call of the app's own code came to when it broke its promise.
impl From<uniffi::UnexpectedUniFFICallbackError> for RoadbookError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        RoadbookError::Keys { reason: error.reason }
    }
}
