//! The commands about what managers are told of: alerts, how much may be read, canaries, and the review
//! after a restore. The same values are the words of the command line.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `alert`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum AlertCommand {
    /// List what nobody has looked at yet: who did what, when, how much, and what to do.
    List {
        /// Also those that somebody has seen.
        #[arg(long)]
        all: bool,
    },
    /// Say that alerts were looked at.
    Seen {
        /// Their numbers.
        #[arg(required = true)]
        numbers: Vec<i64>,
    },
}

/// `volume`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum VolumeCommand {
    /// Show how many contacts may be read, and in which time.
    Show,
    /// Set it for one way of reading.
    Set {
        /// `device`: given to somebody's devices; `page`: opened in the office; `list`: lines of lists
        /// there; `export`; `api`: read by other programs.
        kind: String,
        /// How many contacts.
        #[arg(long, value_name = "N", required_unless_present = "unlimited")]
        contacts: Option<u64>,
        /// Within so many hours.
        #[arg(long, value_name = "N", default_value_t = 24)]
        hours: u32,
        /// As many as one likes.
        #[arg(long, conflicts_with = "contacts")]
        unlimited: bool,
    },
    /// Let somebody go on who is held back: their count begins anew.
    Lift {
        /// Who.
        login: String,
    },
}

/// `canary`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum CanaryCommand {
    /// Plant contacts that nobody real belongs to in somebody's base.
    Plant {
        /// In whose.
        #[arg(long, value_name = "LOGIN")]
        owner: String,
        /// How many.
        #[arg(long, default_value_t = 1, conflicts_with_all = ["given", "family", "email", "phone"])]
        count: u32,
        /// The given name; made up unless given.
        #[arg(long, value_name = "NAME", requires = "family")]
        given: Option<String>,
        /// The family name.
        #[arg(long, value_name = "NAME", requires = "given")]
        family: Option<String>,
        /// An address that you watch: what arrives there was taken from here.
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// A number that you watch.
        #[arg(long, value_name = "NUMBER")]
        phone: Option<String>,
    },
    /// List them.
    List,
    /// Take one out again: it is erased.
    Remove {
        /// Its id, or a unique beginning of it.
        id: String,
    },
}

/// `review`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum ReviewCommand {
    /// Show whether customer data is held back after a restore without the ledger, and what to decide.
    Show,
    /// Say that devices and assignments are right: customer data goes out again.
    Confirm {
        /// What `review show` said, so that what is confirmed is what was seen.
        #[arg(long, value_name = "CODE")]
        code: String,
    },
}
