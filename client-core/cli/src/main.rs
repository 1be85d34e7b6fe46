//! `roadbook`: the rep's program on a laptop.
//!
//! It only converts: arguments to commands of the core, what the core returns to text or JSON. All
//! rules live in `client-core`.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod edit;
mod error;
mod export;
mod fields;
mod key;
mod lists;
mod output;
mod proposals;
mod read;
#[cfg(all(feature = "keyring", target_os = "linux"))]
mod secret_service;
mod sync;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use roadbook_client_core::{OpenOptions, Replica};

use crate::args::{Cli, QuarantineVerb, Verb};
use crate::error::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ROADBOOK_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .without_time()
        .init();
    // A panic that the guard contains is reported as damage, not printed.
    roadbook_protocol::guard::quiet_panics();
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A reader that went away (`| head`) is no failure worth a word.
            if !failure.is_broken_pipe() {
                let _ = writeln!(std::io::stderr(), "roadbook: {failure}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let out = Output::new(cli.json);
    let typed = cli.passphrase_file.as_deref();
    if let Verb::Key { verb } = &cli.verb {
        return key::run(&cli.home, &out, typed, verb.as_ref());
    }
    let options = OpenOptions { keys: Some(key::store(&cli.home, typed)?), ..Default::default() };
    // With a code in the hand, a replica that nobody can open any more does not stand in the way.
    let replica = match &cli.verb {
        Verb::Enroll { .. } => Replica::open_to_enrol(&cli.home, options)?,
        _ => Replica::open(&cli.home, options)?,
    };
    let done = dispatch(&replica, &out, &cli.verb);
    replica.close();
    done
}

fn dispatch(replica: &Replica, out: &Output, verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Enroll { url, code, fingerprint, name } => {
            sync::enroll(replica, out, url, code, fingerprint.as_deref(), name.as_deref())
        }
        Verb::Sync { watch: true, .. } => sync::watch(replica, out),
        Verb::Sync { watch: false, timeout } => sync::once(replica, out, *timeout),
        Verb::Status => read::status(replica, out),
        Verb::Lease { code } => read::lease(replica, out, &code.join(" ")),
        Verb::List(args) => read::list(replica, out, args),
        Verb::Lists => lists::run(replica, out),
        Verb::Fields => fields::run(replica, out),
        Verb::Find { text, limit } => read::find(replica, out, &text.join(" "), *limit),
        Verb::Show { id, at, authors } => read::show(replica, out, id, at.as_deref(), *authors),
        Verb::History { id, limit } => read::history(replica, out, id, *limit),
        Verb::Conflicts(args) => match &args.verb {
            None => read::conflicts(replica, out, args.id.as_deref()),
            Some(args::ConflictsVerb::Resolve { id, field, pick, value }) => {
                edit::resolve(replica, out, id, field, *pick, value.as_deref())
            }
        },
        Verb::Proposals { verb } => proposals::run(replica, out, verb.as_ref()),
        Verb::Outbox { all } => read::outbox(replica, out, *all),
        Verb::Quarantine { verb: None } => read::quarantine(replica, out),
        Verb::Quarantine { verb: Some(QuarantineVerb::Export { file }) } => {
            export::quarantine(replica, file.as_deref())
        }
        Verb::Export { format, filter } => export::contacts(replica, *format, filter.as_deref()),
        // Done without opening the replica.
        Verb::Key { .. } => Ok(()),
        Verb::StateHash { each, ids } => read::state_hash(replica, out, *each, ids),
        Verb::Add { assignments } => edit::add(replica, out, assignments),
        Verb::Set { id, assignments } => edit::set(replica, out, id, assignments),
        Verb::Phone(verb) => edit::reach(replica, out, edit::Reach::Phone, verb),
        Verb::Email(verb) => edit::reach(replica, out, edit::Reach::Email, verb),
        Verb::Address(verb) => edit::address(replica, out, verb),
        Verb::Tag(verb) => edit::tag(replica, out, verb),
        Verb::Note { id, append, replace } => {
            edit::note(replica, out, id, append.as_deref(), replace.as_deref())
        }
        Verb::Visit(args) => edit::interaction(replica, out, "visit", args),
        Verb::Call(args) => edit::interaction(replica, out, "call", args),
        Verb::Mail(args) => edit::interaction(replica, out, "email", args),
        Verb::Meeting(args) => edit::interaction(replica, out, "meeting", args),
        Verb::Deal(verb) => edit::deal(replica, out, verb),
        Verb::Purchase(args) => edit::purchase(replica, out, args),
        Verb::Task(verb) => edit::task(replica, out, verb),
        Verb::Consent(args) => edit::consent(replica, out, args),
        Verb::Archive { id, undo } => edit::archive(replica, out, id, !undo),
        Verb::Undo { id } => edit::undo(replica, out, id.as_deref()),
    }
}
