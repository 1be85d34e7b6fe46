//! The command line: every verb with its arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The customer book that goes on the road. Everything works without a network, except `enroll` and
/// `sync`.
#[derive(Debug, Parser)]
#[command(name = "roadbook", version, about, after_help = EXIT_CODES)]
pub struct Cli {
    /// Where this device's replica lives.
    #[arg(long, global = true, env = "ROADBOOK_HOME", default_value_os_t = default_home())]
    pub home: PathBuf,
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// A file that holds the passphrase of the keys, where they have one; else it is asked for.
    #[arg(long, global = true, env = "ROADBOOK_PASSPHRASE_FILE", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    #[command(subcommand)]
    pub verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed (storage, a damaged or newer file), 2 wrong usage or a value that does \
not fit, 3 not enrolled, 4 not found or ambiguous, 5 the server can't be reached, 6 the server refused, \
7 another program has this replica open, 8 reading is locked until the next contact with the server, \
9 the replica can't be decrypted: its key is locked, wrong or lost, or this program does not encrypt.

Contacts, entries and changes are named by the beginning of their id, as far as it is unique.";

fn default_home() -> PathBuf {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(|| {
        std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local").join("share"))
    });
    data.unwrap_or_default().join("roadbook")
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Enrol this device with a one-time code from the office.
    #[command(visible_alias = "enrol")]
    Enroll {
        /// The server's address, with `https://` in front.
        url: String,
        /// The code that `roadbook-server invite LOGIN` printed.
        code: String,
        /// The SHA-256 fingerprint of the server's key, where its certificate is self-signed.
        #[arg(long)]
        fingerprint: Option<String>,
        /// What to call this device; the machine's name unless given.
        #[arg(long)]
        name: Option<String>,
    },
    /// Who, where, how much, how fresh.
    Status,
    /// Until when this device may be read without a network; with a code of the office, extend it.
    Lease {
        /// The code that `roadbook-server device extend DEVICE` printed.
        #[arg(num_args = 0..)]
        code: Vec<String>,
    },
    /// Send what is unsent and fetch what is new.
    Sync {
        /// Stay connected until interrupted, and reconnect by itself.
        #[arg(long)]
        watch: bool,
        /// Give up after so many seconds (without --watch).
        #[arg(long, default_value_t = 300)]
        timeout: u64,
    },
    /// List contacts, by name unless told otherwise.
    List(ListArgs),
    /// The lists that the office has handed to you; `list 'list:"NAME"'` shows one.
    Lists,
    /// The custom fields that the office has defined, and what each takes.
    Fields,
    /// Search names, companies, phones, emails, cities, tags and notes.
    Find {
        /// Words; all must occur.
        #[arg(required = true)]
        text: Vec<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one contact.
    Show {
        /// The contact.
        id: String,
        /// As it was at this moment: `YYYY-MM-DD`, or with `THH:MM`, UTC.
        #[arg(long)]
        at: Option<String>,
        /// With the author and time of each field.
        #[arg(long)]
        authors: bool,
    },
    /// Add a contact: `add given_name=Maria family_name=Anders city=Berlin`.
    Add {
        /// `field=value`; the names are those of `set`.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        assignments: Vec<String>,
    },
    /// Set fields of a contact; an empty value clears one. See docs/fields.md for the names.
    Set {
        /// The contact.
        id: String,
        /// `field=value`.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        assignments: Vec<String>,
    },
    /// Add or remove a phone number.
    #[command(subcommand)]
    Phone(ReachVerb),
    /// Add or remove an email address.
    #[command(subcommand)]
    Email(ReachVerb),
    /// Add or remove a postal address.
    #[command(subcommand)]
    Address(AddressVerb),
    /// Add or remove a tag.
    #[command(subcommand)]
    Tag(TagVerb),
    /// Write into the note; without an option, in $EDITOR.
    Note {
        /// The contact.
        id: String,
        /// Add a line at the end.
        #[arg(long, conflicts_with = "replace")]
        append: Option<String>,
        /// Replace the text; what did not change stays mergeable.
        #[arg(long)]
        replace: Option<String>,
    },
    /// Log a visit.
    Visit(InteractionArgs),
    /// Log a call.
    Call(InteractionArgs),
    /// Log an email.
    Mail(InteractionArgs),
    /// Log a meeting.
    Meeting(InteractionArgs),
    /// Add a deal, move it, or take it away.
    #[command(subcommand)]
    Deal(DealVerb),
    /// Record a purchase.
    Purchase(PurchaseArgs),
    /// Add a task, complete it, or take it away.
    #[command(subcommand)]
    Task(TaskVerb),
    /// Record that a consent was given or withdrawn.
    Consent(ConsentArgs),
    /// Archive a contact: it is left out of lists unless asked for.
    Archive {
        /// The contact.
        id: String,
        /// Take it back.
        #[arg(long)]
        undo: bool,
    },
    /// Undo one's own last edit.
    Undo {
        /// Of this contact; of any if not given.
        id: Option<String>,
    },
    /// Who changed what and when.
    History {
        /// The contact.
        id: String,
        /// At most so many changes, newest first.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Fields that were changed on two sides at once.
    Conflicts(ConflictsArgs),
    /// Late edits of others to contacts that are yours now: show them, and decide.
    Proposals {
        #[command(subcommand)]
        verb: Option<ProposalsVerb>,
    },
    /// Edits and where they are: saved here, stored at the server, merged for the office.
    Outbox {
        /// Merged ones too.
        #[arg(long)]
        all: bool,
    },
    /// Edits that the server keeps aside, with the reason.
    Quarantine {
        #[command(subcommand)]
        verb: Option<QuarantineVerb>,
    },
    /// Write all contacts out.
    Export {
        /// The format.
        #[arg(long, value_enum, default_value_t = ExportFormat::Json)]
        format: ExportFormat,
        /// Only these.
        #[arg(long)]
        filter: Option<String>,
    },
    /// Who keeps the keys of this replica: the keyring of the desktop, a file, or a passphrase.
    Key {
        #[command(subcommand)]
        verb: Option<KeyVerb>,
    },
    /// One hash over everything that is merged: equal wherever the contacts are equal.
    StateHash {
        /// One hash per contact.
        #[arg(long)]
        each: bool,
        /// Only these contacts.
        #[arg(long, value_delimiter = ',')]
        ids: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// A filter, such as `status:customer city:Berlin due:overdue contacted:>60d`; see
    /// docs/filters.md.
    #[arg(value_name = "FILTER")]
    pub filter: Vec<String>,
    /// The order.
    #[arg(long, value_enum, default_value_t = SortArg::Name)]
    pub sort: SortArg,
    /// At most so many.
    #[arg(long, default_value_t = 1000)]
    pub limit: usize,
    /// Skip so many.
    #[arg(long, default_value_t = 0)]
    pub offset: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SortArg {
    Name,
    Company,
    City,
    /// Latest touched first.
    Touched,
    /// Nearest visit first.
    NextVisit,
    /// Longest without contact first.
    LastContact,
}

#[derive(Debug, Subcommand)]
pub enum ReachVerb {
    /// Add one.
    Add {
        /// The contact.
        id: String,
        /// The number or address.
        value: String,
        /// Such as `work` or `mobile`.
        #[arg(long)]
        label: Option<String>,
    },
    /// Remove one.
    Remove {
        /// The contact.
        id: String,
        /// The number or address, or the beginning of its id.
        value: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum AddressVerb {
    /// Add one.
    Add {
        /// The contact.
        id: String,
        #[arg(long)]
        street: Option<String>,
        #[arg(long)]
        postal_code: Option<String>,
        #[arg(long)]
        city: Option<String>,
        #[arg(long)]
        region: Option<String>,
        #[arg(long)]
        country: Option<String>,
        #[arg(long)]
        label: Option<String>,
    },
    /// Remove one.
    Remove {
        /// The contact.
        id: String,
        /// The beginning of the address's id, or its street.
        value: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum TagVerb {
    /// Add tags.
    Add {
        /// The contact.
        id: String,
        /// The tags.
        #[arg(required = true)]
        tags: Vec<String>,
    },
    /// Remove tags.
    Remove {
        /// The contact.
        id: String,
        /// The tags.
        #[arg(required = true)]
        tags: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub struct InteractionArgs {
    /// The contact.
    pub id: String,
    /// What happened.
    #[arg(long)]
    pub summary: String,
    /// What came of it.
    #[arg(long)]
    pub outcome: Option<String>,
    /// Where.
    #[arg(long)]
    pub place: Option<String>,
    /// Objections raised.
    #[arg(long)]
    pub objections: Option<String>,
    /// How likely they are to recommend us, 0 to 10.
    #[arg(long)]
    pub nps: Option<i64>,
    /// The comment that goes with it.
    #[arg(long)]
    pub comment: Option<String>,
    /// When, `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`, UTC; now unless given.
    #[arg(long)]
    pub at: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum DealVerb {
    /// Add one.
    Add {
        /// The contact.
        id: String,
        #[arg(long)]
        title: String,
        /// In major units, such as 12400 or 99.50.
        #[arg(long, requires = "currency")]
        amount: Option<String>,
        /// ISO 4217, such as EUR.
        #[arg(long)]
        currency: Option<String>,
        /// lead, qualified, offer, negotiation, won or lost.
        #[arg(long, default_value = "lead")]
        stage: String,
        /// In per cent.
        #[arg(long)]
        probability: Option<i64>,
        /// `YYYY-MM-DD`.
        #[arg(long)]
        expected_close: Option<String>,
    },
    /// Move one to another stage.
    Move {
        /// The contact.
        id: String,
        /// The beginning of the deal's id, or its title.
        deal: String,
        /// The stage.
        stage: String,
        /// Why it was lost.
        #[arg(long)]
        lost_reason: Option<String>,
    },
    /// Remove one.
    Remove {
        /// The contact.
        id: String,
        /// The beginning of the deal's id, or its title.
        deal: String,
    },
}

#[derive(Debug, Args)]
pub struct PurchaseArgs {
    /// The contact.
    pub id: String,
    /// In major units, such as 99.50.
    #[arg(long)]
    pub amount: String,
    /// ISO 4217.
    #[arg(long)]
    pub currency: String,
    /// `YYYY-MM-DD`; today unless given.
    #[arg(long)]
    pub date: Option<String>,
    #[arg(long)]
    pub product: Option<String>,
    #[arg(long)]
    pub channel: Option<String>,
    #[arg(long)]
    pub discount: Option<String>,
    /// The order's number in another system.
    #[arg(long)]
    pub order: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum TaskVerb {
    /// Add one.
    Add {
        /// The contact.
        id: String,
        /// What is to be done.
        text: String,
        /// `YYYY-MM-DD`.
        #[arg(long)]
        due: Option<String>,
    },
    /// Complete one.
    Done {
        /// The contact.
        id: String,
        /// The beginning of the task's id, or its text.
        task: String,
    },
    /// Remove one.
    Remove {
        /// The contact.
        id: String,
        /// The beginning of the task's id, or its text.
        task: String,
    },
}

#[derive(Debug, Args)]
pub struct ConsentArgs {
    /// `give` or `withdraw`.
    #[arg(value_enum)]
    pub what: ConsentWhat,
    /// The contact.
    pub id: String,
    /// Such as email, phone, post.
    #[arg(long)]
    pub channel: String,
    /// Such as newsletter, offers.
    #[arg(long)]
    pub purpose: String,
    /// How it was given: in person, by form ...
    #[arg(long)]
    pub how: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ConsentWhat {
    Give,
    Withdraw,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ConflictsArgs {
    #[command(subcommand)]
    pub verb: Option<ConflictsVerb>,
    /// Only of this contact.
    pub id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ConflictsVerb {
    /// Decide one.
    Resolve {
        /// The contact.
        id: String,
        /// The field, as `conflicts` names it.
        field: String,
        /// Take the value with this number, counted from 1 as `conflicts` lists them.
        #[arg(long, conflicts_with = "value", required_unless_present = "value")]
        pick: Option<usize>,
        /// Write another value.
        #[arg(long)]
        value: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum QuarantineVerb {
    /// Write the quarantined edits out as JSON, with their raw bytes.
    Export {
        /// The file; standard output if not given.
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Seal the keys under a new passphrase, which is asked for at every start from then on.
    Passphrase {
        /// A file that holds the new passphrase; without it the passphrase is asked for.
        #[arg(long, value_name = "FILE")]
        new_file: Option<PathBuf>,
    },
    /// Have the keyring of the desktop keep the keys: it opens when its user signs in.
    Keyring,
    /// Keep the keys in a file, without a passphrase: whoever gets the disk can read the contacts.
    File,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ExportFormat {
    Json,
    Csv,
}

/// What `proposals` does; without one it lists those that wait.
#[derive(Debug, Subcommand)]
pub enum ProposalsVerb {
    /// Those that wait for your decision, field by field.
    List {
        /// Those that were decided in the last two weeks too.
        #[arg(long)]
        all: bool,
    },
    /// Make them part of the contact, in the name of their author.
    Accept(DecideArgs),
    /// Leave the contact as it is; the office keeps them.
    Decline(DecideArgs),
    /// Take a decision back: they wait again.
    Undo(DecideArgs),
}

/// What is decided about.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The number of the late edit.
    pub n: u64,
    /// Only this item of it; may be given several times.
    #[arg(long = "item", value_name = "ITEM")]
    pub items: Vec<u64>,
}
