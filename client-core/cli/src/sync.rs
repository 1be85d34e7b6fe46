//! The two verbs that need a network.

use std::io::Write;
use std::time::Duration;

use roadbook_client_core::sync::{self, Engine, SyncOptions, SyncReport};
use roadbook_client_core::{Replica, Topic};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::output::{Output, bytes, table};

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::io("the runtime"))
}

/// `enroll`.
pub fn enroll(
    replica: &Replica,
    out: &Output,
    url: &str,
    code: &str,
    fingerprint: Option<&str>,
    name: Option<&str>,
) -> Result<(), Failure> {
    let name = name.map_or_else(machine_name, str::to_owned);
    let put_away = replica.put_away();
    let enrolled = runtime()?.block_on(sync::enrol(replica, url, code, fingerprint, &name))?;
    let sealed = replica.status()?.copies.waiting;
    out.print(
        &json!({"device": enrolled.device, "user": enrolled.login, "user_name": enrolled.user_name,
                "workspace": enrolled.workspace_name, "sealed_edits": sealed, "put_away": put_away}),
        || {
            let mut text = format!(
                "enrolled as {} ({}) in {}; next: roadbook sync",
                enrolled.user_name, enrolled.login, enrolled.workspace_name
            );
            if let Some(path) = &put_away {
                let path = path.display();
                text.push_str(&format!("\nthe replica whose key is lost was put into {path}"));
            }
            if sealed > 0 {
                text.push_str(&format!("\n{sealed} sealed edits were found; the sync hands them over"));
            }
            text
        },
    )
}

fn machine_name() -> String {
    let from_file = || std::fs::read_to_string("/etc/hostname").ok();
    std::env::var("HOSTNAME")
        .ok()
        .or_else(from_file)
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "laptop".into())
}

/// `sync`.
pub fn once(replica: &Replica, out: &Output, timeout_seconds: u64) -> Result<(), Failure> {
    let runtime = runtime()?;
    let report = runtime.block_on(async {
        // Who gives it little time wants to wait little for the server's merges too.
        let timeout = Duration::from_secs(timeout_seconds);
        let options = SyncOptions::default();
        let merge_wait = options.merge_wait.min(timeout / 4);
        let engine = Engine::new(replica.clone(), SyncOptions { merge_wait, ..options });
        let progress = tokio::spawn(show_progress(replica.clone()));
        let report = engine.sync_once(timeout).await;
        progress.abort();
        let _ = progress.await;
        report
    })?;
    let status = replica.status()?;
    if let Some(reason) = &report.held_back {
        // Whoever reads is gone if this fails.
        let _ = writeln!(std::io::stderr(), "roadbook: no contacts were sent: {reason}");
    }
    out.print(&report, || {
        let mut text = sync_line(&report);
        if status.unsent > 0 {
            text.push_str(&format!("; {} edits are still unsent", status.unsent));
        }
        if status.stored_not_merged > 0 {
            let n = status.stored_not_merged;
            text.push_str(&format!("; {n} edits are safe at the server and not merged there yet"));
        }
        if status.missing > 0 {
            text.push_str(&format!("; {} contacts are still to be fetched", status.missing));
        }
        if status.conflicts > 0 {
            text.push_str(&format!("; {} contacts have a conflict to decide", status.conflicts));
        }
        if status.quarantined > 0 {
            text.push_str(&format!("; {} edits are in quarantine", status.quarantined));
        }
        if status.copies.waiting > 0 {
            let n = status.copies.waiting;
            text.push_str(&format!("; {n} sealed edits of an earlier device are still here"));
        }
        text
    })
}

fn sync_line(report: &SyncReport) -> String {
    let mut line = format!(
        "{} changes sent ({}), {} contacts received ({}), {:.1} s",
        report.sent,
        bytes(report.bytes_up),
        report.received,
        bytes(report.bytes_down),
        report.took_ms as f64 / 1000.0
    );
    if report.left > 0 {
        line.push_str(&format!("; {} contacts left this device", report.left));
    }
    if report.late > 0 {
        line.push_str(&format!(
            "; {} edits came after their contact had changed hands: visits and the like among them are in, \
             the others wait for a decision",
            report.late
        ));
    }
    line
}

/// A line on standard error that follows a first sync, on a terminal only.
async fn show_progress(replica: Replica) {
    use std::io::IsTerminal;
    if !std::io::stderr().is_terminal() {
        return;
    }
    let mut observer = replica.observe(Topic::Sync);
    while observer.next().await.is_some() {
        let Ok(status) = replica.status() else { return };
        if let Some(first) = status.first_sync {
            let down = bytes(status.connection.bytes_down);
            eprint!("\r{} of {} contacts, {down}", first.done, first.total);
            if first.done == first.total {
                eprintln!();
            }
            let _ = std::io::stderr().flush();
        }
    }
}

/// `sync --watch`.
pub fn watch(replica: &Replica, out: &Output) -> Result<(), Failure> {
    let runtime = runtime()?;
    runtime.block_on(async {
        let engine = Engine::new(replica.clone(), SyncOptions::default());
        let stop = CancellationToken::new();
        let on_signal = stop.clone();
        tokio::spawn(async move {
            let _ = tokio::signal::ctrl_c().await;
            on_signal.cancel();
        });
        let mut observer = replica.observe(Topic::Sync);
        let (shown, seen) = (replica.clone(), stop.clone());
        let report = async {
            let (mut last, mut told) = (String::new(), None);
            while observer.next().await.is_some() {
                let status = shown.status()?;
                let phase = json!(status.connection.phase);
                let line = table(&[vec![
                    phase.as_str().unwrap_or_default().to_owned(),
                    format!("{} unsent", status.unsent),
                    format!("{} to fetch", status.missing),
                    format!("{} conflicts", status.conflicts),
                ]]);
                // Why there is no connection, once for each reason.
                if status.connection.error != told {
                    told.clone_from(&status.connection.error);
                    if let Some(error) = &told {
                        let _ = writeln!(std::io::stderr(), "roadbook: {error}");
                    }
                }
                if line != last {
                    out.print(
                        &json!({"connection": phase, "unsent": status.unsent,
                                "missing": status.missing, "conflicts": status.conflicts,
                                "error": status.connection.error}),
                        || line.clone(),
                    )?;
                    last = line;
                }
            }
            Ok::<(), Failure>(())
        };
        tokio::select! {
            ended = engine.run(stop.clone()) => ended.map_err(Failure::from),
            shown = report => { seen.cancel(); shown }
        }
    })
}
