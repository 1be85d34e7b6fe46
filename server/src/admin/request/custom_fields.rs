//! The commands about custom fields. The same values are the words of the command line.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

/// `custom-field`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum CustomFieldCommand {
    /// Show what is defined, in its order.
    List,
    /// Define a custom field, or change the definition of one. Values that contacts have stay as they are.
    Set {
        /// What it is called: `custom.NAME` everywhere.
        name: String,
        /// What it takes.
        #[arg(long, value_parser = ["text", "number", "date", "choice", "yes_no"], default_value = "text")]
        kind: String,
        /// A value of a choice; once for each.
        #[arg(long = "choice", value_name = "VALUE")]
        choices: Vec<String>,
    },
    /// Take a definition away. Values that contacts have stay, as text of a field that nobody has defined.
    Remove {
        /// What it is called.
        name: String,
    },
    /// Let it change places with the one before it.
    Earlier {
        /// What it is called.
        name: String,
    },
}
