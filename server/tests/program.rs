//! The program `roadbook-server` as other tools drive it: its lines, its exit codes, with the server
//! running and without.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn program(dir: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roadbook-server"));
    command.args(words.split_whitespace()).arg("--data").arg(dir);
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROADBOOK_"))
    {
        command.env_remove(name);
    }
    command
}

fn run(dir: &Path, words: &str) -> Output {
    program(dir, words).output().unwrap()
}

fn json(dir: &Path, words: &str) -> Value {
    let output = run(dir, &format!("{words} --json"));
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A server that runs until it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(dir: &Path) -> Server {
        let mut child = program(dir, "serve --plain --listen 127.0.0.1:0 --drain-seconds 0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line:?}"))
            .to_owned();
        Server { child, url }
    }

    /// Ends it in order and returns its exit code.
    fn terminate(mut self) -> Option<i32> {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn commands_do_the_same_with_the_server_running_and_without() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    let file = root.path().join("customers.csv");
    std::fs::write(&file, "customerID,name,city\nA,Ada One,Bonn\nB,Bo Two,Roma\n").unwrap();

    assert_eq!(run(&dir, "user add anna --role rep").status.code(), Some(0));
    let import = format!("import {} --owner anna", file.display());
    assert_eq!(json(&dir, &import)["created"], 2);
    let alone = json(&dir, "state-hash --owner anna");

    let server = Server::start(&dir);
    assert!(server.url.starts_with("http://127.0.0.1:"));
    assert_eq!(json(&dir, "state-hash --owner anna"), alone);
    assert_eq!(json(&dir, &import)["unchanged"], 2);
    assert_eq!(json(&dir, "device list"), serde_json::json!({ "devices": [] }));
    let exported = json(&dir, "export --filter city:Roma");
    assert_eq!(exported["contacts"][0]["display_name"], "Bo Two");
    let id = exported["contacts"][0]["id"].as_str().unwrap();
    assert_eq!(json(&dir, &format!("assign --to admin --ids {id}"))["changed"], 1);
    assert_eq!(json(&dir, "state-hash --owner admin")["contacts"], 1);
    assert_eq!(run(&dir, "check").status.code(), Some(0));
    let backup = root.path().join("backup");
    let now = json(&dir, "state-hash")["hash"].clone();
    assert_eq!(json(&dir, &format!("backup {}", backup.display()))["format"], 1);
    let restored = root.path().join("restored");
    let keys = dir.join("keys");
    let restore = format!("restore {} --keys {}", backup.display(), keys.display());
    assert_eq!(run(&restored, &restore).status.code(), Some(0));
    assert_eq!(run(&restored, &restore).status.code(), Some(1));
    assert_eq!(json(&restored, "state-hash")["hash"], now);

    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let status = BufReader::new(stream).lines().next().unwrap().unwrap();
    assert!(status.contains("200"), "{status}");

    assert_eq!(server.terminate(), Some(0));
    assert!(!dir.join("control.sock").exists());
    assert_eq!(json(&dir, "state-hash")["contacts"], 2);
}

#[test]
fn invite_prints_the_code_alone_on_the_last_line_of_stdout() {
    let root = tempfile::tempdir().unwrap();
    run(root.path(), "user add anna --role rep");
    let output = run(root.path(), "invite anna");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let code = stdout.lines().last().unwrap();
    assert_eq!(code.chars().filter(|c| *c != '-').count(), 26, "{stdout}");
    let data = json(root.path(), "invite anna");
    assert_ne!(data["code"], code);
    assert!(data["expires_at"].is_i64());
}

#[test]
fn a_server_that_was_killed_leaves_nothing_that_stops_the_next() {
    let root = tempfile::tempdir().unwrap();
    let mut server = Server::start(root.path());
    run(root.path(), "user add anna --role rep");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(root.path().join("control.sock").exists());
    let users = json(root.path(), "user list");
    assert_eq!(users["users"].as_array().unwrap().len(), 2);
    let server = Server::start(root.path());
    assert_eq!(json(root.path(), "user list"), users);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn what_can_not_be_done_is_said_with_its_exit_code() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    let failed = |words: &str, code: i32, says: &str| {
        let output = run(&dir, words);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words}: {stderr}");
        assert!(stderr.contains(says), "{words}: {stderr}");
        assert!(output.stdout.is_empty(), "{words}");
    };
    failed("user list", 3, "there is no Roadbook data");
    failed("serve --plain --listen 0.0.0.0:0", 2, "--plain");
    assert!(!dir.exists());
    run(&dir, "user add anna --role rep");
    failed("invite ana", 1, "did you mean `anna`");
    failed("user add anna --role rep", 1, "taken");
    failed("assign --to anna --filter city:", 2, "filter");
    failed("import nowhere.csv --owner anna", 4, "nowhere.csv");
    failed("backup /nowhere/file", 4, "/nowhere");
    failed("frobnicate", 2, "frobnicate");
    let server = Server::start(&dir);
    failed("serve --plain --listen 127.0.0.1:0", 3, "in use by process");
    drop(server);
}

#[test]
fn a_self_signed_server_prints_the_fingerprint_and_keeps_its_certificate() {
    let root = tempfile::tempdir().unwrap();
    let fingerprint = || {
        let mut child =
            program(root.path(), "serve --tls-self-signed --listen 127.0.0.1:0 --drain-seconds 0")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on https://127.0.0.1:"), "{line}");
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let found = errors.find_map(|line| {
            line.unwrap().strip_prefix("fingerprint of the certificate's key: ").map(str::to_owned)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        found.unwrap()
    };
    assert_eq!(fingerprint(), fingerprint());
}
