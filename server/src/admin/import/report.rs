//! What an import did, or would do: every row is counted once, and what was not taken as it stood is
//! listed with its line and the reason.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::Problem;
use super::mapping::Mapped;

/// So many rows of a kind are listed; all are counted.
pub const LISTED_MAX: usize = 1_000;
/// So many are printed for people.
const PRINTED_MAX: usize = 20;

/// Rows of one kind: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// How many there are.
    pub count: u64,
    /// The first [`LISTED_MAX`].
    pub rows: Vec<Problem>,
}

impl Listed {
    /// Counts one, and lists it if there is room.
    pub fn push(&mut self, problem: Problem) {
        self.count += 1;
        if self.rows.len() < LISTED_MAX {
            self.rows.push(problem);
        }
    }
}

/// By what a row and a contact (or a customer) are recognised as the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUsed {
    /// `external_id` or `hash`.
    pub kind: String,
    /// The external system that the id is stored under.
    pub system: String,
    /// The column, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// The report of one import.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// `contacts` or `purchases`.
    pub kind: String,
    /// The file's name.
    pub file: String,
    /// How it is encoded.
    pub encoding: String,
    /// What stands between its cells.
    pub delimiter: String,
    /// How rows are recognised.
    pub key: KeyUsed,
    /// What the columns mean.
    pub mapping: Vec<Mapped>,
    /// Columns that mean nothing to the import and were left out.
    pub unmapped: Vec<String>,
    /// Rows below the header.
    pub rows: u64,
    /// Contacts or purchases that are new.
    pub created: u64,
    /// That were there and differ now.
    pub updated: u64,
    /// That were there and are the same.
    pub unchanged: u64,
    /// Rows that are somebody who is there already under another key, or twice in the file.
    pub duplicate: Listed,
    /// Rows that were not taken.
    pub refused: Listed,
    /// Rows that were taken with a remark.
    pub warnings: Listed,
    /// Of purchases: what they sum up to, by currency, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
}

/// What the money of purchases came to, and how it was rounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The rule.
    pub rounding: String,
    /// How an amount came about: `amount`, or `unit price x quantity x (1 - discount)`.
    pub amount: String,
    /// Minor units by currency, of created, updated and unchanged ones together.
    pub totals: std::collections::BTreeMap<String, i64>,
    /// Lines of orders that were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
}

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let will = if self.dry_run { "would be " } else { "" };
        // Writing into a string can't fail.
        let _ = writeln!(
            out,
            "{}{}: {} rows ({}, `{}` between cells)",
            if self.dry_run { "dry run, nothing was written: " } else { "" },
            self.file,
            self.rows,
            self.encoding,
            if self.delimiter == "\t" { "tab" } else { &self.delimiter },
        );
        let _ = match (&self.key.column, self.key.kind.as_str()) {
            (Some(column), _) => {
                writeln!(out, "key: column `{column}`, stored as external id `{}`", self.key.system)
            }
            (None, _) => writeln!(
                out,
                "key: a hash of name and first phone or email, stored as external id `{}`",
                self.key.system
            ),
        };
        for mapped in &self.mapping {
            let how = format!("{:?}", mapped.how).to_lowercase();
            let _ = writeln!(out, "  {:<24} -> {} ({how})", mapped.column, mapped.field);
        }
        if !self.unmapped.is_empty() {
            let _ = writeln!(
                out,
                "  left out: {} (--map \"HEADER=field\" takes one, --keep-unknown all)",
                self.unmapped.join(", ")
            );
        }
        let _ = writeln!(
            out,
            "{} {will}created, {} {will}updated, {} unchanged, {} duplicate, {} refused",
            self.created, self.updated, self.unchanged, self.duplicate.count, self.refused.count
        );
        if let Some(money) = &self.money {
            let totals: Vec<String> = money
                .totals
                .iter()
                .map(|(currency, minor)| {
                    format!("{} {currency}", super::money::plain(*minor, currency))
                })
                .collect();
            let _ = writeln!(
                out,
                "total {}; amount = {}; rounded {}",
                totals.join(", "),
                money.amount,
                money.rounding
            );
        }
        for (name, listed) in [
            ("duplicate", &self.duplicate),
            ("refused", &self.refused),
            ("warning", &self.warnings),
        ] {
            for problem in listed.rows.iter().take(PRINTED_MAX) {
                let _ = writeln!(
                    out,
                    "{name}: {} line {}: {}",
                    problem.file, problem.line, problem.reason
                );
            }
            if listed.count > PRINTED_MAX as u64 {
                let _ = writeln!(
                    out,
                    "{name}: {} more; --json lists them",
                    listed.count - PRINTED_MAX as u64
                );
            }
        }
        out
    }
}
