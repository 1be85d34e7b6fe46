//! The commands about who may hold which data, and for how long: leases, late edits, leavers, erasure,
//! retention, and the audit log that says who decided so.
//!
//! They change together, when the rules of rights do; [`super::Command`] holds them as it holds all.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::admin::request::{AuditFormat, EraseSettled};

/// `lease`
#[derive(Debug, Subcommand)]
pub enum LeaseCommand {
    /// Show how long devices may be read without a contact, by role.
    Show,
    /// Set it for a role.
    Set {
        /// `rep`, `manager`, `admin` or `read_only`.
        #[arg(long)]
        role: String,
        /// How many days.
        #[arg(long, value_name = "N", required_unless_present = "unlimited")]
        days: Option<u32>,
        /// Without an end.
        #[arg(long, conflicts_with = "days")]
        unlimited: bool,
    },
}

/// `minimum-app`
#[derive(Debug, Subcommand)]
pub enum MinimumAppCommand {
    /// Show the oldest versions, and which devices run an older one.
    Show,
    /// Set the oldest version of an app, in the place of what was set for it.
    Set {
        /// The app with its version, such as roadbook/0.2.0; `device list` shows what devices run.
        #[arg(value_name = "NAME/VERSION")]
        app: String,
    },
    /// Let every version have customer data again.
    Clear {
        /// Of this app only; of all by default.
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

/// `proposal`
#[derive(Debug, Subcommand)]
pub enum ProposalCommand {
    /// List the sets that wait, one per contact and device.
    List {
        /// Decided ones too.
        #[arg(long)]
        all: bool,
        /// Of this contact only: its id, or a unique beginning of it.
        #[arg(long, value_name = "ID")]
        contact: Option<String>,
    },
    /// Show one set field by field: what it was, what is proposed, what was decided.
    Show {
        /// The number of the set.
        n: i64,
    },
    /// Make a set, or items of it, part of the contact, in the author's name.
    Accept(DecideArgs),
    /// Leave the contact as it is; what was proposed is kept.
    Decline(DecideArgs),
    /// Take a decision back: what was accepted is undone in the contact, and waits again.
    Undo(DecideArgs),
}

/// `proposal accept` and its siblings
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The number of the set.
    pub n: i64,
    /// Only this item of it, may be repeated; all by default.
    #[arg(long = "item", value_name = "ITEM")]
    pub items: Vec<i64>,
}

/// `leaver`
#[derive(Debug, Args)]
pub struct LeaverArgs {
    /// Who leaves.
    pub login: String,
    /// Who takes over what no rule gives away; nobody by default.
    #[arg(long, value_name = "LOGIN")]
    pub to: Option<String>,
    /// Who takes over the contacts that a filter matches, such as `city:Berlin=ada`; may be repeated,
    /// the first that matches counts.
    #[arg(long = "rule", value_name = "FILTER=LOGIN")]
    pub rules: Vec<String>,
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// `erase`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct EraseArgs {
    /// The contact: its id, or a unique beginning of it.
    #[arg(required = true)]
    pub id: Option<String>,
    /// A short code that is kept for ever and tells nothing of the person, such as request-2026/17.
    #[arg(long, value_name = "CODE", required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Only say what would be erased, on which devices, and who else names the person.
    #[arg(long)]
    pub dry_run: bool,
    /// What else.
    #[command(subcommand)]
    pub command: Option<EraseCommand>,
}

/// `erase report`
#[derive(Debug, Subcommand)]
pub enum EraseCommand {
    /// Which devices have confirmed erasures, and when.
    Report {
        /// Of this contact only: its whole id.
        id: Option<String>,
    },
    /// Say what became of a mention of an erased person in another contact.
    Settle {
        /// The erased contact: its whole id.
        id: String,
        /// The other contact: its id, or a unique beginning of it.
        other: String,
        /// `edited`: the person was taken out; `left`: it stays as it is.
        how: EraseSettled,
    },
}

/// `rewrite`
#[derive(Debug, Args)]
pub struct RewriteArgs {
    /// The contact: its id, or a unique beginning of it.
    pub id: String,
    /// A short code that is kept for ever and tells nothing of anybody, such as request-2026/17.
    #[arg(long, value_name = "CODE", required_unless_present_any = ["dry_run", "give_up"])]
    pub reason: Option<String>,
    /// The past goes for good, here and on every device: the old document, what is left of deleted
    /// entries, the words of late edits and of changes that were set aside. Edit the mention out first.
    #[arg(long)]
    pub purge: bool,
    /// With --purge: changes in quarantine lose their words too; export them first.
    #[arg(long, requires = "purge")]
    pub quarantined_too: bool,
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// After a restore: go on with the document that is here, although the contact was begun anew after
    /// the backup, since no device is left that has that document.
    #[arg(long, conflicts_with_all = ["purge", "dry_run"])]
    pub give_up: bool,
}

/// `retention`
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// Add a rule, or change it.
    Set {
        /// Its name.
        name: String,
        /// Which contacts (docs/filters.md); `*` is all.
        #[arg(long)]
        filter: String,
        /// After so many months without a contact or an edit.
        #[arg(long)]
        months: u32,
    },
    /// Take a rule away.
    Remove {
        /// Its name.
        name: String,
    },
    /// List the rules.
    List,
    /// List whom a rule reaches, and what to confirm.
    Preview {
        /// Its name.
        name: String,
    },
    /// Erase exactly those whom the preview listed.
    Apply {
        /// The rule's name.
        name: String,
        /// What the preview said.
        #[arg(long, value_name = "CODE")]
        confirm: String,
    },
}

/// `audit`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List the newest entries.
    List {
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Which.
        #[command(flatten)]
        filter: AuditFilter,
    },
    /// Look for entries that were altered or taken out; exit code 1 if there are any.
    Verify {
        /// An entry and its hash that were noted elsewhere: they must still be there.
        #[arg(long, value_name = "N:HASH")]
        known: Vec<String>,
        /// Accept the losses that are told, such as after the restore of a backup.
        #[arg(long)]
        accept: bool,
    },
    /// Write entries out, oldest first.
    Export {
        /// The form.
        #[arg(long, value_enum, default_value_t)]
        format: AuditFormat,
        /// Write to this new file instead of stdout.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Which.
        #[command(flatten)]
        filter: AuditFilter,
    },
}

/// Which entries of the audit log; everything that is given must fit.
#[derive(Debug, Args)]
pub struct AuditFilter {
    /// The beginning of what was done, such as `device` or `contact.assign`.
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Who did it: a login, or `operator` for the shell and the server itself.
    #[arg(long = "by", value_name = "LOGIN")]
    pub who: Option<String>,
    /// An id that it was done to or with.
    #[arg(long, value_name = "ID")]
    pub about: Option<String>,
    /// From this day on (UTC).
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub since: Option<String>,
    /// Up to this day (UTC), the day itself included.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub until: Option<String>,
}
