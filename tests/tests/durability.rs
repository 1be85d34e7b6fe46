//! An acknowledgement follows a sync of the disk. `kill -9` can't show that, since the page cache
//! survives it; so the syncs are counted with strace between a change's arrival and its receipt, and
//! between an edit and its return. With durability turned off the same count finds none: the test
//! would notice.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use roadbook_client_core::{Durability, OpenOptions, Replica};
use roadbook_protocol::document::{self, Applied, Author, Command as Edit, EditOptions};
use roadbook_protocol::ids::Actor;
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::UpChange;
use roadbook_server::engine::{Engine, EngineOptions};
use roadbook_server::http::{self, ServeOptions, TlsSource};
use roadbook_server::store::Durability as ServerDurability;
use roadbook_tests::devices;
use roadbook_tests::process::{Rep, binary};
use roadbook_tests::raw::Identity;
use roadbook_tests::scene::Scene;

const BATCHES: usize = 12;
/// This test binary runs itself as a child that strace can watch; what the child does is in here.
const CHILD: &str = "ROADBOOK_DURABILITY_CHILD";

// --- reading a trace ---------------------------------------------------------------------------------

/// One system call, whole: strace prints a call that another thread interrupts in two lines.
struct Call {
    name: String,
    /// Arguments and result.
    text: String,
}

/// The calls of a trace in the order in which they ended; but what is sent stands where it began.
fn calls(trace: &str) -> Vec<Call> {
    let mut begun: HashMap<&str, String> = HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.trim_start().split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(head) = rest.strip_suffix(" <unfinished ...>") {
            if is_send(head) {
                calls.push(call(head));
            } else {
                begun.insert(thread, head.to_owned());
            }
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            if let (Some(head), Some((_, tail))) =
                (begun.remove(thread), resumed.split_once(" resumed>"))
            {
                calls.push(call(&(head + tail)));
            }
        } else {
            calls.push(call(rest));
        }
    }
    calls
}

fn call(text: &str) -> Call {
    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
    Call { name: name.to_owned(), text: rest.to_owned() }
}

fn is_send(text: &str) -> bool {
    ["sendto(", "write(", "writev(", "sendmsg("].iter().any(|name| text.starts_with(name))
}

impl Call {
    fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync") && self.text.trim_end().ends_with("= 0")
    }
    fn sends(&self) -> bool {
        is_send(&format!("{}(", self.name))
    }
    /// How many bytes it read.
    fn read(&self) -> usize {
        match self.name.as_str() {
            "recvfrom" | "read" | "readv" | "recvmsg" => {
                self.text.rsplit_once("= ").and_then(|(_, n)| n.trim().parse().ok()).unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// Waits until strace watches.
struct Strace {
    child: Child,
    file: PathBuf,
}

impl Strace {
    fn attach(process: u32, file: &Path) -> Self {
        let mut child = Command::new("strace")
            .args([
                "-f",
                "-yy",
                "-xx",
                "-s",
                "400",
                "-e",
                "trace=fsync,fdatasync,read,recvfrom,write,writev,sendto",
            ])
            .arg("-o")
            .arg(file)
            .arg("-p")
            .arg(process.to_string())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is installed");
        let mut said = String::new();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        while !said.contains("attached") {
            assert!(errors.read_line(&mut said).unwrap() > 0, "strace could not attach: {said}");
        }
        // What it says further must not fill the pipe.
        std::thread::spawn(move || {
            let _ = errors.read_to_string(&mut String::new());
        });
        Self { child, file: file.to_owned() }
    }

    fn finish(mut self) -> String {
        let _ = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status();
        self.child.wait().unwrap();
        std::fs::read_to_string(&self.file).unwrap()
    }
}

// --- the server --------------------------------------------------------------------------------------

/// How many syncs lay between the arrival of each batch and its receipt, on this connection.
fn syncs_before_receipts(trace: &str, port: u16) -> Vec<usize> {
    let peer = format!("->127.0.0.1:{port}]");
    // A `Stored` frame: plain, an array of two, 67.
    let receipt = "\\x00\\x82\\x18\\x43";
    let (mut counts, mut syncs) = (Vec::new(), None);
    for call in calls(trace) {
        let ours = call.text.split('>').next().is_some_and(|_| call.text.contains(&peer));
        if ours && call.read() > 100 {
            syncs = syncs.or(Some(0));
        } else if call.is_sync() {
            syncs = syncs.map(|n| n + 1);
        } else if ours && call.sends() && call.text.contains(receipt) {
            counts.extend(syncs.take());
        }
    }
    counts
}

/// Sends batches one after the other, each waiting for its receipt, while strace watches.
async fn watched_batches(scene: &Scene, url: &str, process: u32, code: &str) -> Vec<usize> {
    let identity = Identity::enrol(url, code).await;
    let actor = Actor::from_bytes([7; 16]);
    let (mut raw, welcome) = identity.open(url, &[actor]).await;
    let contact = roadbook_tests::raw::manifest(&mut raw).await[0];
    let item = raw.fetch(1, &[contact]).await.remove(0);
    let options =
        automerge::LoadOptions::new().text_encoding(automerge::TextEncoding::UnicodeCodePoint);
    let mut doc = automerge::Automerge::load_with_options(&item.snapshot, options).unwrap();
    let port = raw.local_port();
    let strace = Strace::attach(process, &scene.dir().join("trace"));
    for n in 0..BATCHES {
        let title =
            Edit::Set { field: "job_title".into(), value: Some(format!("title {n}").into()) };
        let author = Author { by: welcome.user, at: 1_780_000_000_000 };
        let applied = document::apply(
            &mut doc,
            actor,
            &[title],
            &author,
            &EditOptions::default(),
            &Limits::DEFAULT,
        )
        .unwrap();
        let Applied::Change { bytes, .. } = applied else { panic!("a change") };
        let stored = raw.offer(n as u64 + 1, vec![UpChange { contact, bytes }]).await;
        assert!(stored.exceptions.is_empty(), "{stored:?}");
    }
    let trace = strace.finish();
    let counts = syncs_before_receipts(&trace, port);
    assert_eq!(
        counts.len(),
        BATCHES,
        "each batch and its receipt is found in the trace: {counts:?}"
    );
    counts
}

/// A server with one contact of Ada's, and a code for a device of hers.
fn prepared(seed: u64) -> (Scene, String) {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(seed, 1, Some("ada"));
    let code = scene.invite("ada");
    (scene, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_syncs_the_disk_between_each_change_and_its_receipt() {
    let (scene, code) = prepared(91);
    let counts = watched_batches(&scene, &scene.url(), scene.server().id(), &code).await;
    assert!(counts.iter().all(|&n| n >= 1), "syncs before each receipt: {counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_durability_off_is_noticed() {
    for (durability, expected) in [("full", true), ("off", false)] {
        let (mut scene, code) = prepared(92);
        scene.stop();
        let mut child =
            Itself::start("server", &format!("{durability}:{}", scene.data().display()));
        let url = child.line();
        let counts = watched_batches(&scene, &url, child.id(), &code).await;
        assert_eq!(counts.iter().all(|&n| n >= 1), expected, "{durability}: {counts:?}");
        assert_eq!(counts.iter().all(|&n| n == 0), !expected, "{durability}: {counts:?}");
        child.end();
    }
}

// --- the device --------------------------------------------------------------------------------------

#[test]
fn the_replica_syncs_the_disk_before_an_edit_returns_and_off_is_noticed() {
    let (scene, _) = prepared(93);
    let phone = scene.device("phone", "ada");
    phone.sync();
    for (durability, expected) in [("full", true), ("off", false)] {
        let mut child =
            Itself::start("device", &format!("{durability}:{}", phone.home().display()));
        assert_eq!(child.line(), "open");
        let strace = Strace::attach(child.id(), &scene.dir().join(format!("trace-{durability}")));
        for _ in 0..BATCHES {
            child.say("edit");
            assert_eq!(child.line(), "saved");
        }
        let trace = strace.finish();
        child.end();
        let (mut counts, mut syncs) = (Vec::new(), 0);
        // "saved" in hexadecimal, as strace prints it.
        let saved: String = "saved".bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        for call in calls(&trace) {
            if call.is_sync() {
                syncs += 1;
            } else if call.sends() && call.text.contains(&saved) {
                counts.push(std::mem::take(&mut syncs));
            }
        }
        assert_eq!(counts.len(), BATCHES, "each return is found in the trace");
        assert_eq!(counts.iter().all(|&n| n >= 1), expected, "{durability}: {counts:?}");
        assert_eq!(counts.iter().all(|&n| n == 0), !expected, "{durability}: {counts:?}");
    }
}

#[test]
fn the_program_syncs_the_replicas_log_before_it_says_saved() {
    let (scene, _) = prepared(94);
    let phone = scene.device("phone", "ada");
    phone.sync();
    let id = phone.ids().remove(0);
    let file = scene.dir().join("trace");
    let traced = |rep: &Rep, args: &[&str]| {
        let mut command = Command::new("strace");
        command.args(["-f", "-yy", "-e", "trace=fsync,fdatasync,write", "-o"]).arg(&file);
        command.arg(binary("roadbook")).arg("--home").arg(rep.home()).args(args);
        roadbook_tests::process::run(command).ok();
        std::fs::read_to_string(&file).unwrap()
    };
    let trace = traced(&phone, &["set", &id, "job_title=Traced"]);
    let before_said = trace.split("saved on this device").next().unwrap();
    assert_ne!(before_said.len(), trace.len(), "it said so: {trace}");
    let synced = calls(before_said)
        .iter()
        .filter(|c| c.is_sync() && c.text.contains("replica.db-wal>"))
        .count();
    assert!(synced >= 1, "the log of the database is synced before: {trace}");
    // Reading needs no sync: the count above is of the edit.
    let trace = traced(&phone, &["show", &id]);
    let synced =
        calls(&trace).iter().filter(|c| c.is_sync() && c.text.contains("replica.db-wal>")).count();
    assert_eq!(synced, 0, "{trace}");
}

// --- this binary as a child --------------------------------------------------------------------------

/// This test binary again, doing what `CHILD` says.
struct Itself {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Itself {
    fn start(role: &str, what: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
            .env(CHILD, format!("{role}:{what}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }
    fn id(&self) -> u32 {
        self.child.id()
    }
    /// The next line that the child says; what the test harness says is left out.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the child ended");
            if let Some((_, said)) = line.split_once("child says ") {
                return said.trim().to_owned();
            }
        }
    }
    fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Itself {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn says(line: &str) {
    println!("child says {line}");
    std::io::stdout().flush().unwrap();
}

/// Nothing, unless this process is the child of a test above.
#[test]
fn child() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let mut parts = text.splitn(3, ':');
    let (role, durability, path) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    match role {
        "server" => serve(Path::new(path), durability == "off"),
        _ => edit(Path::new(path), durability == "off"),
    }
}

fn serve(data: &Path, off: bool) {
    let durability = if off { ServerDurability::Off } else { ServerDurability::Full };
    let engine =
        Engine::open(data, EngineOptions { durability, ..EngineOptions::default() }).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let shutdown = tokio_util::sync::CancellationToken::new();
        let mut options = ServeOptions::new("127.0.0.1:0".parse().unwrap(), TlsSource::Plain);
        options.drain_spread = std::time::Duration::ZERO;
        let serving = http::serve(engine.clone(), options, shutdown.clone()).await.unwrap();
        says(&serving.url);
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_string(&mut String::new()))
            .await
            .unwrap()
            .unwrap();
        shutdown.cancel();
        serving.task.await.unwrap();
    });
    engine.shutdown();
}

fn edit(home: &Path, off: bool) {
    let durability = if off { Durability::Off } else { Durability::Full };
    let replica =
        Replica::open(home, OpenOptions { durability, ..OpenOptions::default() }).unwrap();
    let contact = replica.ids(None).unwrap()[0];
    says("open");
    for (n, line) in std::io::stdin().lines().enumerate() {
        assert_eq!(line.unwrap(), "edit");
        devices::set(&replica, contact, "job_title", &format!("{durability:?} {n}"));
        says("saved");
    }
    replica.close();
}
