//! A device of the soak: commands of `roadbook`, one after the other, each of which may be killed.

use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use roadbook_client_core::Replica;
use roadbook_protocol::ids::ContactId;
use serde_json::Value;

use super::ledger::{Edit, Edits};
use crate::devices;
use crate::process::Rep;

/// What a device's process is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Enrolling.
    Enrol,
    /// Saving an edit.
    Save,
    /// Exchanging.
    Sync,
}

impl Doing {
    pub(super) fn told(self) -> &'static str {
        match self {
            Doing::Enrol => "it enrols",
            Doing::Save => "it saves an edit",
            Doing::Sync => "it syncs",
        }
    }
}

/// How a command ended.
enum End {
    Done(String),
    /// With an exit code of its own, and what it wrote.
    Failed(i32, String),
    Killed,
}

/// One device. Its thread works; another one may kill the process that the thread waits for.
pub(super) struct Worker {
    name: &'static str,
    login: &'static str,
    rep: Rep,
    contacts: Vec<String>,
    running: Mutex<Option<(Child, Doing)>>,
    numbers: Mutex<usize>,
}

impl Worker {
    pub(super) fn new(
        name: &'static str,
        login: &'static str,
        rep: Rep,
        contacts: Vec<String>,
    ) -> Self {
        Self { name, login, rep, contacts, running: Mutex::new(None), numbers: Mutex::new(0) }
    }
    pub(super) fn name(&self) -> &'static str {
        self.name
    }
    pub(super) fn login(&self) -> &'static str {
        self.login
    }
    pub(super) fn rep(&self) -> &Rep {
        &self.rep
    }
    pub(super) fn doing(&self) -> Option<Doing> {
        self.running.lock().unwrap().as_ref().map(|(_, doing)| *doing)
    }

    /// Waits until a process runs.
    pub(super) fn wait_until_busy(&self) {
        let started = Instant::now();
        while self.doing().is_none() && started.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
    }

    /// `kill -9` of the process that runs now; tells what it was doing.
    pub(super) fn kill(&self) -> Option<Doing> {
        let mut running = self.running.lock().unwrap();
        let (child, doing) = running.as_mut()?;
        // It is not reaped before the slot is empty: the id is still its own.
        child.kill().ok()?;
        Some(*doing)
    }

    fn run(&self, doing: Doing, args: &[&str]) -> End {
        let mut command = self.rep.command();
        command.arg("--json").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        *self.running.lock().unwrap() = Some((child, doing));
        // Both ends close with the process.
        let (mut said, mut failed) = (String::new(), String::new());
        let _ = out.read_to_string(&mut said);
        let _ = err.read_to_string(&mut failed);
        let (mut child, _) = self.running.lock().unwrap().take().unwrap();
        let status = child.wait().unwrap();
        match status.code() {
            Some(0) => End::Done(said),
            Some(code) => End::Failed(code, failed),
            None => End::Killed,
        }
    }

    fn next(&self) -> usize {
        let mut number = self.numbers.lock().unwrap();
        *number += 1;
        *number
    }

    /// Edits and syncs until it is told to stop.
    pub(super) fn work(&self, rng: &mut Rng, stop: &AtomicBool) -> Edits {
        let mut edits = Edits::default();
        while !stop.load(Ordering::SeqCst) {
            for _ in 0..rng.usize(..4) {
                if stop.load(Ordering::SeqCst) {
                    return edits;
                }
                self.edit(rng, &mut edits);
            }
            match self.run(Doing::Sync, &["sync"]) {
                // No server, one that stops, or one that died: part of it.
                End::Done(_) | End::Killed | End::Failed(5 | 6, _) => {}
                End::Failed(code, text) => panic!("{}: sync ended with {code}: {text}", self.name),
            }
        }
        edits
    }

    fn edit(&self, rng: &mut Rng, edits: &mut Edits) {
        let mark = format!("{} edit {}", self.name, self.next());
        let contact = rng.choice(&self.contacts).unwrap();
        let name = format!("name={mark}");
        let new = rng.u8(..20) == 0;
        let args: &[&str] =
            if new { &["add", &name] } else { &["visit", contact, "--summary", &mark] };
        let known = (!new).then(|| contact.clone());
        match self.run(Doing::Save, args) {
            End::Done(said) => {
                let said: Value = serde_json::from_str(&said).unwrap();
                let contact = said["contact_id"].as_str().unwrap().to_owned();
                let id = said["edit_id"].as_str().unwrap().to_owned();
                edits.said.push(Edit { device: self.name, id, contact: Some(contact), mark });
            }
            End::Killed => edits.doubtful.push(Edit {
                device: self.name,
                id: String::new(),
                contact: known,
                mark,
            }),
            End::Failed(code, text) => {
                panic!("{}: an edit ended with {code}: {text}", self.name)
            }
        }
    }

    /// Enrols and syncs, until one of the two is killed.
    pub(super) fn join(&self, url: &str, code: &str) {
        let enrolled = self.run(Doing::Enrol, &["enroll", url, code]);
        if matches!(enrolled, End::Done(_)) {
            self.run(Doing::Sync, &["sync"]);
        }
    }
}

/// A device inside this process that makes many edits at once, for full batches.
pub(super) async fn burst(
    replica: Replica,
    from: usize,
    seed: u64,
    stop: Arc<AtomicBool>,
) -> Edits {
    let mut rng = Rng::with_seed(seed);
    let ids: Vec<ContactId> = replica.ids(None).unwrap();
    let mut edits = Edits::default();
    while !stop.load(Ordering::SeqCst) {
        for _ in 0..rng.usize(1..12) {
            let contact = ids[rng.usize(..ids.len())];
            let mark = format!("office edit {}", from + edits.said.len());
            devices::visit(&replica, contact, &mark);
            let contact = Some(contact.to_string());
            edits.said.push(Edit { device: "office", id: String::new(), contact, mark });
        }
        let _ = devices::sync(&replica).await;
    }
    edits
}
