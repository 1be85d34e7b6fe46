//! Import of contacts and purchases from CSV.
//!
//! | file | what it holds |
//! |---|---|
//! | `sheet` | bytes become rows: encoding, delimiter, rows that do not fit |
//! | `words`, `mapping` | which column means what |
//! | `money`, `date`, `reach` | how values are read |
//! | `contacts` | rows become contacts: keys, duplicates, what differs |
//! | `purchases` | orders and their lines become purchases |
//! | `report` | what happened, row by row where it matters |
//!
//! Nothing is dropped silently: each row is counted once, and a row that is not taken is listed with
//! its line and the reason. Importing the same file again changes nothing.

pub mod contacts;
pub mod date;
mod draft;
mod index;
pub mod mapping;
pub mod money;
pub mod purchases;
pub mod reach;
pub mod report;
pub mod sheet;
mod words;

use roadbook_protocol::fold::fold;
use serde::{Deserialize, Serialize};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One contact a row.
    #[default]
    Contacts,
    /// One purchase, or one line of an order, a row.
    Purchases,
}

/// A row that was not taken, or not as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// Why a whole import is refused. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file can't be used.
    #[error("{file}: {reason}")]
    File {
        /// Its name.
        file: String,
        /// Why, and the way out.
        reason: String,
    },
    /// What the caller asked for does not fit the file.
    #[error("{0}")]
    Choice(String),
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] crate::store::EngineError),
}

/// What to do with a row that is somebody who is there already under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// Lists it and leaves it out.
    #[default]
    Skip,
    /// Takes it as that contact, and gives it the key.
    Link,
    /// Makes a second contact.
    Create,
}

/// What to do with fields of contacts that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Update {
    /// The file's values win; no value in the file changes nothing.
    #[default]
    Overwrite,
    /// Only fields without a value are filled.
    Fill,
    /// Contacts that are there stay as they are.
    Skip,
}

/// Everything an import is told beside its file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportOptions {
    /// The file's name, for the report.
    pub file: String,
    /// The name of the file with the orders, if the file holds their lines.
    pub orders: Option<String>,
    /// What the file holds.
    pub kind: Kind,
    /// The login that new contacts are assigned to.
    pub owner: Option<String>,
    /// `--map`: header and field.
    pub map: Vec<(String, String)>,
    /// `--preset`.
    pub preset: Option<String>,
    /// `--key`: the column with the external id.
    pub key: Option<String>,
    /// `--system`: the external system that ids are stored under.
    pub system: Option<String>,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// The currency of amounts that do not say theirs.
    pub currency: Option<String>,
    /// The delimiter.
    pub delimiter: Option<char>,
    /// The encoding's label.
    pub encoding: Option<String>,
    /// The order of day and month in dates with slashes.
    pub date_format: Option<date::DateOrder>,
    /// The mark before decimals.
    pub decimal: Option<money::DecimalMark>,
    /// The country of phone numbers without one.
    pub region: Option<String>,
    /// Whether columns that mean nothing are kept as custom fields.
    pub keep_unknown: bool,
    /// What to do with duplicates.
    pub duplicates: Duplicates,
    /// What to do with contacts that are there.
    pub update: Update,
}

/// A text as headers and names are compared: folded, without spaces.
pub(crate) fn compact(text: &str) -> String {
    fold(text).replace(' ', "")
}
