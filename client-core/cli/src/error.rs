//! What ends the program, and with which exit code.

use roadbook_client_core::Error;
use roadbook_protocol::document::CommandError;

/// Why the program ends without having done what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The core says why.
    #[error(transparent)]
    Core(#[from] Error),
    /// An argument does not fit.
    #[error("{0}")]
    Usage(String),
    /// Something named on the command line is not there.
    #[error("{0}")]
    NotFound(String),
    /// A file or a stream.
    #[error("{what}: {source}")]
    Io {
        /// Which.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Failure {
    /// For a stream or file.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Failure {
        let what = what.into();
        move |source| Failure::Io { what, source }
    }

    /// Whether the reader of the output went away.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Failure::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// As `--help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::NotFound(_) => 4,
            Failure::Io { .. } => 1,
            Failure::Core(error) => match error {
                Error::Invalid(_)
                | Error::Filter(_)
                | Error::NotAllowed { .. }
                | Error::Address { .. } => 2,
                Error::NotEnrolled => 3,
                Error::NotFound { .. } | Error::Ambiguous { .. } => 4,
                Error::Offline { .. } | Error::Untrusted { .. } => 5,
                Error::Refused { .. } | Error::Wiped { .. } => 6,
                Error::LeaseEnded { .. } => 8,
                Error::Locked { .. } => 7,
                Error::Encrypted { .. } | Error::KeyLost { .. } | Error::Keys(_) => 9,
                _ => 1,
            },
        }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Failure::Core(Error::Invalid(error))
    }
}
