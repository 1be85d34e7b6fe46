//! The commands about lists that people are given. The same values are the words of the command line.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `list`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum ListCommand {
    /// Hand a list to people: it appears on their devices, with those of its contacts that each holds. A
    /// list of the same name is replaced.
    Hand {
        /// What it is called on the devices.
        name: String,
        /// Which contacts (docs/filters.md); `*` is all. What it finds now is in the list, also when it
        /// would find others later.
        #[arg(long)]
        filter: String,
        /// To whom: logins, with commas between.
        #[arg(
            long,
            value_name = "LOGIN,...",
            value_delimiter = ',',
            required_unless_present = "each_owner"
        )]
        to: Vec<String>,
        /// To everybody who owns one of the contacts.
        #[arg(long, conflicts_with = "to")]
        each_owner: bool,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Only if the list of that name is still the one with this id, as `--dry-run` says it; empty: only
        /// if there is none.
        #[arg(long, value_name = "ID")]
        #[serde(default)]
        replaces: Option<String>,
    },
    /// List the lists that were handed over, and to whom.
    Show,
    /// Take a list back: it goes from every device that has it.
    TakeBack {
        /// What it is called.
        name: String,
    },
}
