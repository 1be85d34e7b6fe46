//! The program: a command line becomes a request, which goes to the server that owns the data
//! directory, or is carried out here when none runs.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use tracing_subscriber::EnvFilter;

use super::cli::{
    AuditCommand, Cli, Command, DeviceCommand, EraseArgs, EraseCommand, ImportArgs, KeyCommand,
    LeaseCommand, MinimumAppCommand, ProposalCommand, QuarantineCommand, RetentionCommand,
    TeamCommand, UserCommand, WorkspaceCommand,
};
use super::execute::{Context, execute};
use super::import::ImportOptions;
use super::import::sheet::FILE_BYTES_MAX;
use super::request::{
    Answer, Assign, AuditFilter, Call, Decide, ExportFormat, Failure, FailureKind, Leaver, Request,
    Rewrite, UserChange,
};
use super::{control, serve};
use crate::config::{Config, LogFormat};
use crate::engine::{Engine, EngineError, EngineOptions};
use crate::store::DATABASE_FILE;

/// How long a command waits for a data directory that another one holds for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(15);
/// How often it looks.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "roadbook-server: {failure}");
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<u8, Failure> {
    let Cli { global, command } = cli;
    let mut flags = match &command {
        Command::Serve(args) => args.settings(),
        _ => Vec::new(),
    };
    if let Some(data) = &global.data {
        flags.push(("data", path_text(data)?));
    }
    // A name that is not UTF-8 is none of ours.
    let env = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let config = Config::load(&flags, env, global.config.as_deref())?;
    let serving = matches!(command, Command::Serve(_));
    log_to_stderr(&config, serving);
    if serving {
        serve::serve(config)?;
        return Ok(0);
    }
    if let Command::Restore { file, keys } = &command {
        return print(&restore(&config, file, keys.as_deref())?, global.json);
    }
    if let Command::Key(KeyCommand::New) = &command {
        let made = crate::engine::keys::renew(&config.data)?;
        let text: String = made.iter().map(|path| format!("{}\n", path.display())).collect();
        return print(&Answer::new(serde_json::json!({ "made": made }), text), global.json);
    }
    let asked = Asked::new(command)?;
    let call = Call { workspace: global.workspace, by: global.by, request: asked.request };
    let mut output: Box<dyn Write> = match &asked.output {
        Some(path) => Box::new(new_file(path)?),
        None => Box::new(io::stdout().lock()),
    };
    let answer = ask(&config, &call, &asked.files, &mut *output)?;
    output.flush().map_err(|error| {
        Failure::new(FailureKind::File, format!("the output can't be written: {error}"))
    })?;
    drop(output);
    print(&answer, global.json)
}

/// Puts a backup in place, and says which keys have to follow it.
fn restore(config: &Config, file: &Path, keys: Option<&Path>) -> Result<Answer, Failure> {
    let restored = crate::engine::backup::restore_with(file, &config.data, keys)?;
    let missing: Vec<&PathBuf> = restored.keys_missing.iter().map(|(_, path)| path).collect();
    let data = serde_json::json!({
        "restored": config.data,
        "keys": restored.keys,
        "keys_missing": missing,
    });
    let text = format!("{} was restored\n", config.data.display());
    let mut answer = Answer::new(data, text);
    for (workspace, path) in &restored.keys_missing {
        answer.notes.push(format!(
            "the signing key of workspace `{workspace}` is not in a backup: copy it to {} before \
             the server starts",
            path.display()
        ));
    }
    Ok(answer)
}

/// A command line, read.
struct Asked {
    request: Request,
    files: Vec<Vec<u8>>,
    /// Where bulk output goes, if not to stdout.
    output: Option<PathBuf>,
}

impl Asked {
    fn new(command: Command) -> Result<Self, Failure> {
        let (mut files, mut output) = (Vec::new(), None);
        let request = match command {
            // Handled before.
            Command::Serve(_) | Command::Restore { .. } | Command::Key(KeyCommand::New) => {
                return Err(Failure::new(FailureKind::Usage, "this is not a request"));
            }
            Command::User(UserCommand::Add { login, role, name, team }) => {
                Request::UserAdd { login, role, name, team }
            }
            Command::User(UserCommand::List) => Request::UserList,
            Command::User(UserCommand::Code { login }) => Request::UserCode { login },
            Command::User(UserCommand::Change {
                login,
                to,
                role,
                name,
                team,
                no_team,
                disable,
                enable,
            }) => Request::UserChange(UserChange {
                login,
                to,
                role,
                name,
                team: if no_team { Some(String::new()) } else { team },
                disabled: (disable || enable).then_some(disable),
            }),
            Command::User(UserCommand::SecondFactor { login, .. }) => {
                Request::SecondFactorOff { login }
            }
            Command::Team(TeamCommand::Set { name, parent }) => Request::TeamSet { name, parent },
            Command::Team(TeamCommand::List) => Request::TeamList,
            Command::Workspace(WorkspaceCommand::Add { name }) => Request::WorkspaceAdd { name },
            Command::Workspace(WorkspaceCommand::List) => Request::WorkspaceList,
            Command::Invite { login } => Request::Invite { login },
            Command::Device(DeviceCommand::List { user }) => Request::DeviceList { user },
            Command::Device(DeviceCommand::Revoke { id }) => Request::DeviceRevoke { id },
            Command::Device(DeviceCommand::Extend { id, days }) => {
                Request::DeviceExtend { id, days }
            }
            Command::Device(DeviceCommand::Recovered { id }) => Request::DeviceRecovered { id },
            Command::Lease(LeaseCommand::Show) => Request::LeaseShow,
            Command::Lease(LeaseCommand::Set { role, days, .. }) => {
                Request::LeaseSet { role, days }
            }
            Command::MinimumApp(MinimumAppCommand::Show) => Request::MinimumAppShow,
            Command::MinimumApp(MinimumAppCommand::Set { app }) => Request::MinimumAppSet { app },
            Command::MinimumApp(MinimumAppCommand::Clear { name }) => {
                Request::MinimumAppClear { name }
            }
            Command::Key(KeyCommand::NewSealing) => Request::SealingKeyNew,
            Command::Audit(AuditCommand::List { limit, filter }) => {
                Request::AuditList { limit, filter: audit_filter(filter) }
            }
            Command::Audit(AuditCommand::Verify { known, accept }) => {
                Request::AuditVerify { known, accept }
            }
            Command::Audit(AuditCommand::Export { format, output: file, filter }) => {
                output = file;
                Request::AuditExport { format, filter: audit_filter(filter) }
            }
            Command::Alert(command) => Request::Alert(command),
            Command::Volume(command) => Request::Volume(command),
            Command::Canary(command) => Request::Canary(command),
            Command::ApiKey(command) => Request::ApiKey(command),
            Command::Webhook(command) => Request::Webhook(command),
            Command::Review(command) => Request::Review(command),
            Command::Assign(args) => Request::Assign({
                let csv = match &args.csv {
                    Some(path) => {
                        files.push(read_file(path)?);
                        Some(path.display().to_string())
                    }
                    None => None,
                };
                Assign {
                    to: args.to,
                    ids: args.ids,
                    filter: args.filter,
                    country: args.country,
                    postal_codes: args.postal_code,
                    csv,
                    collaborator: args.collaborator,
                    remove: args.remove,
                    dry_run: args.dry_run,
                }
            }),
            Command::List(command) => Request::List(command),
            Command::CustomField(command) => Request::CustomField(command),
            Command::Sorting { language } => Request::Sorting { language },
            Command::Import(args) => {
                files.push(read_file(&args.file)?);
                if let Some(orders) = &args.orders {
                    files.push(read_file(orders)?);
                }
                Request::Import(import_options(*args))
            }
            Command::Export(args) => {
                output = args.output;
                let format = args.format.unwrap_or(ExportFormat::Json);
                match args.mailing {
                    None => Request::Export { format, filter: args.filter },
                    Some(channel) => Request::ExportMailing {
                        format,
                        filter: args.filter,
                        channel,
                        purpose: args.purpose,
                    },
                }
            }
            Command::Backup { file } => Request::Backup { file: absolute(&file)? },
            Command::Check => Request::Check,
            Command::StateHash(args) => {
                Request::StateHash { owner: args.owner, ids: args.ids, each: args.each }
            }
            Command::Conflicts { id } => Request::Conflicts { id },
            Command::Proposal(command) => match command {
                ProposalCommand::List { all, contact } => Request::ProposalList { all, contact },
                ProposalCommand::Show { n } => Request::ProposalShow { n },
                ProposalCommand::Accept(args) => decide("accept", args),
                ProposalCommand::Decline(args) => decide("decline", args),
                ProposalCommand::Undo(args) => decide("undo", args),
            },
            Command::Leaver(args) => Request::Leaver(Leaver {
                login: args.login,
                to: args.to,
                rules: args.rules,
                dry_run: args.dry_run,
            }),
            Command::Erase(EraseArgs { command: Some(EraseCommand::Report { id }), .. }) => {
                Request::EraseReport { id }
            }
            Command::Erase(EraseArgs {
                command: Some(EraseCommand::Settle { id, other, how }),
                ..
            }) => Request::EraseSettle { id, other, how },
            Command::Erase(EraseArgs { id, reason, dry_run, command: None }) => {
                Request::Erase { id: id.unwrap_or_default(), reason, dry_run }
            }
            Command::Rewrite(args) => Request::Rewrite(Rewrite {
                id: args.id,
                reason: args.reason,
                purge: args.purge,
                quarantined_too: args.quarantined_too,
                dry_run: args.dry_run,
                give_up: args.give_up,
            }),
            Command::Access { id, out } => {
                output = Some(out);
                Request::Access { id }
            }
            Command::Retention(command) => retention(command),
            Command::Quarantine(QuarantineCommand::List) => Request::QuarantineList,
            Command::Quarantine(QuarantineCommand::Export { output: file }) => {
                output = file;
                Request::QuarantineExport
            }
        };
        Ok(Self { request, files, output })
    }
}

fn decide(verdict: &str, args: super::cli::DecideArgs) -> Request {
    let super::cli::DecideArgs { n, items } = args;
    Request::ProposalDecide(Decide { n, verdict: verdict.to_owned(), items })
}

fn audit_filter(args: super::cli::AuditFilter) -> AuditFilter {
    let super::cli::AuditFilter { action, who, about, since, until } = args;
    AuditFilter { action, who, about, since, until }
}

fn retention(command: RetentionCommand) -> Request {
    match command {
        RetentionCommand::Set { name, filter, months } => {
            Request::RetentionSet { name, filter, months }
        }
        RetentionCommand::Remove { name } => Request::RetentionRemove { name },
        RetentionCommand::List => Request::RetentionList,
        RetentionCommand::Preview { name } => Request::RetentionPreview { name },
        RetentionCommand::Apply { name, confirm } => Request::RetentionApply { name, confirm },
    }
}

fn import_options(args: ImportArgs) -> ImportOptions {
    let name =
        |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    ImportOptions {
        file: name(&args.file),
        orders: args.orders.as_deref().map(name),
        kind: args.kind,
        owner: args.owner,
        map: args.map,
        preset: args.preset,
        key: args.key,
        system: args.system,
        dry_run: args.dry_run,
        currency: args.currency.map(|code| code.to_uppercase()),
        delimiter: args.delimiter,
        encoding: args.encoding,
        date_format: args.date_format,
        decimal: args.decimal,
        region: args.region,
        keep_unknown: args.keep_unknown,
        duplicates: args.duplicates,
        update: args.update,
    }
}

/// Gives the command to the server that runs, or carries it out here.
fn ask(
    config: &Config,
    call: &Call,
    files: &[Vec<u8>],
    output: &mut dyn Write,
) -> Result<Answer, Failure> {
    let dir = &config.data;
    let makes_data = matches!(call.request, Request::UserAdd { .. } | Request::WorkspaceAdd { .. });
    if !makes_data && !dir.join(DATABASE_FILE).exists() {
        return Err(Failure::new(
            FailureKind::Unavailable,
            format!(
                "{}: there is no Roadbook data; name the directory with --data, or make it with `serve` or `user add`",
                dir.display()
            ),
        ));
    }
    let give_up = Instant::now() + LOCK_WAIT;
    loop {
        if let Some(outcome) = control::call(dir, call, files, output) {
            return outcome;
        }
        let options = EngineOptions { ledger: config.ledger.clone(), ..EngineOptions::default() };
        match Engine::open(dir, options) {
            Ok(engine) => {
                let context = Context {
                    url: config.public_url.clone(),
                    fingerprint: None,
                    code_ms: code_ms(config),
                };
                let outcome = execute(&engine, &context, call.clone(), files, output);
                engine.shutdown();
                return outcome;
            }
            // A server that starts, or another command that is about to end.
            Err(EngineError::Locked { .. }) if Instant::now() < give_up => {
                std::thread::sleep(LOCK_POLL)
            }
            Err(error) if call.request == Request::Check && error.is_damage() => {
                return Ok(damage(&dir.join(DATABASE_FILE), &error));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The report of `check` on a file that can't be opened as what it is.
fn damage(file: &Path, error: &EngineError) -> Answer {
    let found = crate::store::examine(file).unwrap_or_else(|error| vec![error.to_string()]);
    let mut text = String::new();
    for line in &found {
        text.push_str(&format!("file: {line}\n"));
    }
    text.push_str(&format!("{error}\n"));
    let data = serde_json::json!({ "clean": false, "file": found, "error": error.to_string() });
    Answer { off: true, ..Answer::new(data, text) }
}

/// How long codes can be used, in milliseconds.
pub(super) fn code_ms(config: &Config) -> i64 {
    i64::from(config.code_minutes) * 60_000
}

fn print(answer: &Answer, json: bool) -> Result<u8, Failure> {
    let mut err = io::stderr().lock();
    for note in &answer.notes {
        let _ = writeln!(err, "{}", note.trim_end_matches('\n'));
    }
    drop(err);
    let text = match json {
        true if answer.data.is_null() => String::new(),
        true => format!("{}\n", answer.data),
        false => answer.text.clone(),
    };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(FailureKind::File, format!("the output can't be written: {error}")))
        }
        _ => Ok(u8::from(answer.off)),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| Failure::file(path, error))?;
    // One byte more than is allowed shows that there is more.
    file.take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(path, error))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Failure::file(
            path,
            format!(
                "it has more than {FILE_BYTES_MAX} bytes; split it and import the parts one after the other"
            ),
        ));
    }
    Ok(bytes)
}

fn new_file(path: &Path) -> Result<fs::File, Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        // Customer data is nobody else's.
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::file(path, error))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::file(path, error))
}

fn path_text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(
            FailureKind::Usage,
            format!("{}: the name is not UTF-8; use another", path.display()),
        )
    })
}

/// Log lines go to stderr; commands are quiet unless something is wrong.
fn log_to_stderr(config: &Config, serving: bool) {
    let quiet = !serving && config.log == Config::default().log;
    let filter = if quiet { "warn" } else { &config.log };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // Fails only if a logger is set already, which is as good.
    let _ = match config.log_format {
        LogFormat::Text => {
            use std::io::IsTerminal;
            logger.with_ansi(io::stderr().is_terminal()).try_init()
        }
        LogFormat::Json => logger.json().try_init(),
    };
}
