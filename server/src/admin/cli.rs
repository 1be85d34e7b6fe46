//! The command line of `roadbook-server`.
//!
//! Flags that every command has stand behind the verb: `roadbook-server device list --json --data D`.
//! The commands about who may hold which data, and for how long, stand in `rights`.
//! Nothing is decided here: arguments become a [`Request`](super::request::Request), or the settings of `serve`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};

use super::import::date::DateOrder;
use super::import::money::DecimalMark;
use super::import::{Duplicates, Kind, Update};
use super::request::{
    AlertCommand, ApiKeyCommand, CanaryCommand, CustomFieldCommand, ExportFormat, ListCommand,
    ReviewCommand, VolumeCommand, WebhookCommand,
};

mod rights;
mod sign_in;
pub use rights::{
    AuditCommand, AuditFilter, DecideArgs, EraseArgs, EraseCommand, LeaseCommand, LeaverArgs,
    MinimumAppCommand, ProposalCommand, RetentionCommand, RewriteArgs,
};
pub use sign_in::OidcArgs;

/// The sync server, the managers' pages and the administration of Roadbook.
#[derive(Debug, Parser)]
#[command(
    name = "roadbook-server",
    version,
    after_help = "Commands work whether the server runs or not. Exit codes: 0 done; 1 refused, or `check` found something; \
2 wrong usage; 3 data directory in use or unusable; 4 a file can't be read or written; 5 damaged data or a failure inside."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// The data directory.
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A settings file (TOML); docs/configuration.md lists the settings.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// The workspace, by name or id; needed only where there are several.
    #[arg(long, global = true, value_name = "NAME|ID")]
    pub workspace: Option<String>,
    /// In whose name changes are made; the first admin unless given.
    #[arg(long = "as", global = true, value_name = "LOGIN")]
    pub by: Option<String>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(Box<ServeArgs>),
    /// Add and list people.
    #[command(subcommand)]
    User(UserCommand),
    /// Make, move and list teams; a manager steers their team and the teams in it.
    #[command(subcommand)]
    Team(TeamCommand),
    /// Add and list workspaces (companies).
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Make a one-time code with which a rep enrols a device.
    Invite {
        /// Whose device.
        login: String,
    },
    /// List and revoke devices.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// How long devices may be read without a contact to the server.
    #[command(subcommand)]
    Lease(LeaseCommand),
    /// The oldest versions of apps that get customer data; older ones may still hand in edits.
    #[command(subcommand)]
    MinimumApp(MinimumAppCommand),
    /// What managers are told of: unusual reading, planted contacts.
    #[command(subcommand)]
    Alert(AlertCommand),
    /// How many contacts may be read in a time, before it is held back and told.
    #[command(subcommand)]
    Volume(VolumeCommand),
    /// Contacts that nobody real belongs to, which show who goes through a base.
    #[command(subcommand)]
    Canary(CanaryCommand),
    /// What is held back after a restore without the ledger, and letting it go.
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Give contacts to a rep.
    Assign(AssignArgs),
    /// Lists of contacts that people are given on their devices.
    #[command(subcommand)]
    List(ListCommand),
    /// Fields of contacts beside those that everybody has: their names, and what each takes.
    #[command(subcommand)]
    CustomField(CustomFieldCommand),
    /// By which language's alphabet lists are sorted; shows it, and what may be chosen, unless one is given.
    Sorting {
        /// Its tag: `da`, `ru`, `de-u-co-phonebk`; `und` for the order that fits most languages.
        language: Option<String>,
    },
    /// Import contacts or purchases from CSV.
    Import(Box<ImportArgs>),
    /// Write all contacts out.
    Export(ExportArgs),
    /// Write a backup of the database, also while the server runs.
    Backup {
        /// The new file.
        file: PathBuf,
    },
    /// Put a backup into a data directory that has no database yet.
    Restore {
        /// The backup.
        file: PathBuf,
        /// The directory in which the signing keys are kept; they are copied in.
        #[arg(long, value_name = "DIR")]
        keys: Option<PathBuf>,
    },
    /// The signing keys of the workspaces, which no backup holds.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Verify log, snapshots and projections against a rebuild; exit code 1 if something is off.
    Check,
    /// One hash over the content of contacts; a device with the same contacts prints the same.
    StateHash(StateHashArgs),
    /// List fields that were written on two sides at once, with every side's value and author.
    Conflicts {
        /// Only of this contact: its id, or a unique beginning of it.
        id: Option<String>,
    },
    /// Late edits: made on a device after the contact was handed over. They wait for a decision.
    #[command(subcommand)]
    Proposal(ProposalCommand),
    /// Somebody leaves: hands over their contacts, ends their sessions, revokes their devices, and
    /// tells what is unsent.
    Leaver(LeaverArgs),
    /// Erase a contact for good, here and on every device; `erase report` shows who has confirmed.
    Erase(EraseArgs),
    /// Begin a contact's document anew: the same contact without its past. Used near a limit, which the
    /// server does by itself, and to take a mention of an erased person out for good.
    Rewrite(RewriteArgs),
    /// Write everything about one person into a zip archive, to be read and to be taken elsewhere.
    Access {
        /// The contact: its id, or a unique beginning of it.
        id: String,
        /// The new file.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Rules by which contacts are erased after a time; nothing is erased by itself.
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Changes that were set aside because they could not be merged.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Keys for other programs that use the HTTP API.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Addresses of other programs to which events are sent.
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Who changed access or destroyed data.
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// `key`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key where the old one is lost for good. Devices have to be enrolled anew to know it.
    New,
    /// Make a new key for devices to seal to. The old ones are kept.
    NewSealing,
}

/// `serve`: each flag is a setting of docs/configuration.md.
#[derive(Debug, Default, Args)]
#[command(group = ArgGroup::new("tls").args(["tls_self_signed", "plain", "tls_cert"]))]
pub struct ServeArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// The certificate chain, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<String>,
    /// The private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<String>,
    /// Make and keep a certificate, and print its fingerprint (the default).
    #[arg(long)]
    pub tls_self_signed: bool,
    /// No TLS; on loopback only.
    #[arg(long)]
    pub plain: bool,
    /// Where the ledger is, best on another disk.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<String>,
    /// The address under which others reach the server.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The form of log lines.
    #[arg(long, value_name = "text|json")]
    pub log_format: Option<String>,
    /// Which log lines are written.
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Threads that merge; 0 takes one per processor, 4 at most.
    #[arg(long, value_name = "N")]
    pub merge_threads: Option<String>,
    /// Open connections at most.
    #[arg(long, value_name = "N")]
    pub connections_max: Option<String>,
    /// How long a handshake, and headers, may take.
    #[arg(long, value_name = "S")]
    pub header_seconds: Option<String>,
    /// Messages a device may send a second.
    #[arg(long, value_name = "N")]
    pub device_messages_per_second: Option<String>,
    /// Messages a device may send at once.
    #[arg(long, value_name = "N")]
    pub device_messages_burst: Option<String>,
    /// Bytes a device may send a second.
    #[arg(long, value_name = "N")]
    pub device_bytes_per_second: Option<String>,
    /// How long a shutdown gives others to leave.
    #[arg(long, value_name = "S")]
    pub drain_seconds: Option<String>,
    /// How long one-time codes can be used.
    #[arg(long, value_name = "MIN")]
    pub code_minutes: Option<String>,
    /// Proxies whose X-Forwarded-For is believed, with commas between.
    #[arg(long, value_name = "IP,...")]
    pub trusted_proxies: Option<String>,
    /// Hosts inside the network that webhooks may be sent to, with commas between.
    #[arg(long, value_name = "HOST,...")]
    pub webhook_private_hosts: Option<String>,
    /// The file with the token for /metrics.
    #[arg(long, value_name = "FILE")]
    pub metrics_token_file: Option<String>,
    /// Sign-in by the company's own identity provider.
    #[command(flatten)]
    pub oidc: OidcArgs,
}

impl ServeArgs {
    /// The settings that the flags give.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("listen", &self.listen),
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("ledger", &self.ledger),
            ("public_url", &self.public_url),
            ("log_format", &self.log_format),
            ("log", &self.log),
            ("merge_threads", &self.merge_threads),
            ("connections_max", &self.connections_max),
            ("header_seconds", &self.header_seconds),
            ("device_messages_per_second", &self.device_messages_per_second),
            ("device_messages_burst", &self.device_messages_burst),
            ("device_bytes_per_second", &self.device_bytes_per_second),
            ("drain_seconds", &self.drain_seconds),
            ("code_minutes", &self.code_minutes),
            ("trusted_proxies", &self.trusted_proxies),
            ("webhook_private_hosts", &self.webhook_private_hosts),
            ("metrics_token_file", &self.metrics_token_file),
        ];
        let mut settings: Vec<_> =
            given.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
        settings.extend(self.oidc.settings());
        for (key, on) in [("tls_self_signed", self.tls_self_signed), ("plain", self.plain)] {
            if on {
                settings.push((key, "true".to_owned()));
            }
        }
        settings
    }
}

/// `user`
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a person and print a one-time sign-in code.
    Add {
        /// What they sign in with.
        login: String,
        /// What they may do.
        #[arg(long, value_parser = ["rep", "manager", "admin", "read_only"])]
        role: String,
        /// Their name; the login unless given.
        #[arg(long, default_value = "")]
        name: String,
        /// Their team.
        #[arg(long)]
        team: Option<String>,
    },
    /// List people.
    List,
    /// Print a new one-time sign-in code for somebody, with which they set a new password.
    Code {
        /// Whose.
        login: String,
    },
    /// Change somebody's login, role, name or team, or keep them out.
    Change {
        /// Whom.
        login: String,
        /// Their login from now on.
        #[arg(long = "login", value_name = "NEW")]
        to: Option<String>,
        /// What they may do.
        #[arg(long, value_parser = ["rep", "manager", "admin", "read_only"])]
        role: Option<String>,
        /// Their name.
        #[arg(long)]
        name: Option<String>,
        /// Their team.
        #[arg(long)]
        team: Option<String>,
        /// No team any more.
        #[arg(long, conflicts_with = "team")]
        no_team: bool,
        /// They may neither sign in nor sync; sessions end at once.
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// They may again.
        #[arg(long)]
        enable: bool,
    },
    /// Take the second factor away from somebody who lost it.
    SecondFactor {
        /// Only `off`: on it goes by its owner's hand.
        #[arg(value_parser = ["off"])]
        state: String,
        /// Whose.
        login: String,
    },
}

/// `team`
#[derive(Debug, Subcommand)]
pub enum TeamCommand {
    /// Make a team, or move it.
    Set {
        /// Its name.
        name: String,
        /// The team that it becomes a part of; of none unless given.
        #[arg(long, value_name = "TEAM")]
        parent: Option<String>,
    },
    /// List teams.
    List,
}

/// `workspace`
#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Add a workspace.
    Add {
        /// Its name.
        name: String,
    },
    /// List workspaces.
    List,
}

/// `device`
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// List devices.
    List {
        /// Of this person only.
        #[arg(long, value_name = "LOGIN")]
        user: Option<String>,
    },
    /// Revoke a device: it gets no further data, hands over what is unsent, and wipes itself.
    Revoke {
        /// Its id, or a unique beginning of it.
        id: String,
    },
    /// Make a one-time code that lets a device without a network be read for some more days.
    Extend {
        /// Its id, or a unique beginning of it.
        id: String,
        /// How many days from now.
        #[arg(long, value_name = "N", default_value_t = 7)]
        days: u32,
    },
    /// List edits that wiped devices handed over and that could not become proposals.
    Recovered {
        /// Of this device only: its id, or a unique beginning of it.
        id: Option<String>,
    },
}

/// `assign`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["ids", "filter", "country", "postal_code", "csv"]))]
pub struct AssignArgs {
    /// To whom.
    #[arg(long, value_name = "LOGIN", required_unless_present_any = ["nobody", "csv"])]
    pub to: Option<String>,
    /// To nobody: takes the owner away.
    #[arg(long, conflicts_with_all = ["to", "collaborator"])]
    pub nobody: bool,
    /// Contact ids, or unique beginnings, with commas between.
    #[arg(long, value_delimiter = ',', num_args = 1.., conflicts_with_all = ["filter", "country", "postal_code"])]
    pub ids: Vec<String>,
    /// All contacts that match (docs/filters.md); `*` is all.
    #[arg(long)]
    pub filter: Option<String>,
    /// Of a territory: in this country, as it stands in the address.
    #[arg(long, value_name = "COUNTRY")]
    pub country: Option<String>,
    /// Of a territory: whose postal code begins so; several with commas between.
    #[arg(long, value_delimiter = ',', value_name = "BEGINNING")]
    pub postal_code: Vec<String>,
    /// As a list says: a CSV file with the columns `contact` (id or SYSTEM:KEY) and `owner` (login, or empty).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ids", "filter", "country", "postal_code", "to", "nobody", "collaborator"])]
    pub csv: Option<PathBuf>,
    /// As a collaborator beside the owner.
    #[arg(long)]
    pub collaborator: bool,
    /// Take the collaborator away again.
    #[arg(long, requires = "collaborator")]
    pub remove: bool,
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
}

/// `import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The CSV file.
    pub file: PathBuf,
    /// Whose the new contacts are; nobody's unless given.
    #[arg(long, value_name = "LOGIN")]
    pub owner: Option<String>,
    /// What the file holds.
    #[arg(long, value_enum, default_value_t)]
    pub kind: Kind,
    /// What columns mean: `Header=field`, with commas between or repeated; `Header=skip` leaves one out.
    #[arg(long, value_delimiter = ',', value_parser = pair, value_name = "HEADER=FIELD")]
    pub map: Vec<(String, String)>,
    /// The columns of a known program: hubspot, salesforce, pipedrive, outlook, google, bitrix24.
    #[arg(long)]
    pub preset: Option<String>,
    /// The column with the customer's id in the system that the file comes from.
    #[arg(long, value_name = "COLUMN")]
    pub key: Option<String>,
    /// The name of that system; the preset's or the column's name unless given.
    #[arg(long, value_name = "NAME")]
    pub system: Option<String>,
    /// Of purchases: the file with the orders, if FILE holds their lines.
    #[arg(long, value_name = "FILE")]
    pub orders: Option<PathBuf>,
    /// Only report what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// The currency of amounts that do not say theirs (ISO 4217).
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// What stands between cells (`,` `;` `|` or `tab`); found out unless given.
    #[arg(long, value_parser = delimiter, value_name = "CHAR")]
    pub delimiter: Option<char>,
    /// The encoding, such as windows-1252; found out unless given.
    #[arg(long)]
    pub encoding: Option<String>,
    /// How dates with slashes are meant.
    #[arg(long, value_enum)]
    pub date_format: Option<DateOrder>,
    /// Which mark stands before decimals; found out unless given.
    #[arg(long, value_enum)]
    pub decimal: Option<DecimalMark>,
    /// The country of phone numbers without a country code, where the row does not name one.
    #[arg(long, value_name = "COUNTRY")]
    pub region: Option<String>,
    /// Keep columns that mean nothing as custom fields.
    #[arg(long)]
    pub keep_unknown: bool,
    /// What to do with somebody who is there already under another key.
    #[arg(long, value_enum, default_value_t)]
    pub duplicates: Duplicates,
    /// What to do with fields of contacts that are there already.
    #[arg(long, value_enum, default_value_t)]
    pub update: Update,
}

/// `export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The form; JSON unless given.
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// Only contacts that match (docs/filters.md); archived ones are exported too.
    #[arg(long)]
    pub filter: Option<String>,
    /// Write to this new file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only those who may be written to over this channel, such as email: who consented last and did not
    /// ask never to be contacted.
    #[arg(long, value_name = "CHANNEL")]
    pub mailing: Option<String>,
    /// With --mailing: for this purpose.
    #[arg(long, requires = "mailing")]
    pub purpose: Option<String>,
}

/// `state-hash`
#[derive(Debug, Args)]
pub struct StateHashArgs {
    /// Over the contacts that this person owns.
    #[arg(long, value_name = "LOGIN")]
    pub owner: Option<String>,
    /// Over these contacts: ids or unique beginnings, with commas between.
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    pub ids: Vec<String>,
    /// One line per contact as well.
    #[arg(long)]
    pub each: bool,
}

/// `quarantine`
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// List them with who, when and why.
    List,
    /// Write them out with their bytes, one JSON object a line.
    Export {
        /// Write to this new file instead of stdout.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

fn pair(text: &str) -> Result<(String, String), String> {
    // The field is behind the last `=`: headers may hold one.
    let (header, field) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("`{text}`: write HEADER=field, such as \"Telefon=phone\""))?;
    Ok((header.trim().to_owned(), field.trim().to_owned()))
}

fn delimiter(text: &str) -> Result<char, String> {
    match text {
        "tab" | "\\t" | "\t" => Ok('\t'),
        "," | ";" | "|" | ":" => Ok(text.chars().next().unwrap_or(',')),
        _ => Err("write one of , ; | : or tab".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::KEYS;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_is_a_flag_of_serve_and_every_flag_a_setting() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        let flags: Vec<String> = serve
            .get_arguments()
            .filter_map(|arg| arg.get_long())
            .map(|long| long.replace('-', "_"))
            .collect();
        for key in KEYS.iter().filter(|key| key.name != "data") {
            assert!(flags.contains(&key.name.to_owned()), "--{} is missing", key.name);
        }
        for flag in flags.iter().filter(|f| *f != "help") {
            assert!(KEYS.iter().any(|key| key.name == flag), "{flag} is no setting");
        }
    }

    #[test]
    fn flags_of_every_command_stand_behind_the_verb() {
        let cli = Cli::parse_from(["roadbook-server", "device", "list", "--json", "--data", "D"]);
        assert!(cli.global.json);
        assert_eq!(cli.global.data, Some(PathBuf::from("D")));
        let cli = Cli::parse_from([
            "roadbook-server",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--plain",
            "--data",
            "D",
            "--drain-seconds",
            "1",
        ]);
        let Command::Serve(args) = cli.command else { panic!() };
        let mut settings = args.settings();
        settings.sort();
        assert_eq!(
            settings,
            [
                ("drain_seconds", "1".to_owned()),
                ("listen", "127.0.0.1:0".to_owned()),
                ("plain", "true".to_owned()),
            ]
        );
    }

    #[test]
    fn exclusive_flags_are_refused_together() {
        for line in [
            "serve --plain --tls-self-signed",
            "serve --tls-cert c",
            "assign --to anna",
            "assign --to anna --ids a --filter x",
            "user add anna",
            "user add anna --role chief",
        ] {
            let words = ["roadbook-server"].into_iter().chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn headers_and_ids_are_split_at_commas() {
        let cli = Cli::parse_from([
            "x",
            "import",
            "f.csv",
            "--map",
            "Tel=phone,A=B=city",
            "--map",
            "Ort=skip",
            "--delimiter",
            "tab",
        ]);
        let Command::Import(args) = cli.command else { panic!() };
        let fields: Vec<_> = args.map.iter().map(|(h, f)| format!("{h}>{f}")).collect();
        assert_eq!(fields, ["Tel>phone", "A=B>city", "Ort>skip"]);
        assert_eq!(args.delimiter, Some('\t'));
        let cli = Cli::parse_from(["x", "assign", "--to", "a", "--ids", "1,2,3"]);
        let Command::Assign(args) = cli.command else { panic!() };
        assert_eq!(args.ids, ["1", "2", "3"]);
    }
}
