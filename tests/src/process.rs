//! The shipped programs as child processes. Each ends with its owner: dropping kills it by its id.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// How long a program may take to say that it is ready. Generous: machines are shared.
const READY_MAX: Duration = Duration::from_secs(60);

/// The path of a program of this workspace (`roadbook`, `roadbook-server`), in the profile that
/// this test was built with. It is built if need be: `cargo test` builds only what it tests.
pub fn binary(name: &'static str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let dir = BUILT.get_or_init(|| {
        // Programs of another version, to make its fixtures.
        if let Some(programs) = std::env::var_os("ROADBOOK_PROGRAMS") {
            return programs.into();
        }
        let exe = std::env::current_exe().unwrap();
        // target/PROFILE/deps/test-hash, or target/PROFILE/program
        let dir = exe.parent().unwrap();
        let dir = if dir.ends_with("deps") { dir.parent().unwrap() } else { dir };
        let profile = match dir.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        // `tests/run` has built everything; asking cargo once per test would cost minutes.
        if std::env::var_os("ROADBOOK_TESTS_BUILT").is_some() {
            return dir.to_owned();
        }
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--quiet", "--profile", profile])
            .args(["-p", "roadbook", "-p", "roadbook-server", "--bins"])
            .arg("--manifest-path")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
            .arg("--target-dir")
            .arg(dir.parent().unwrap())
            .status()
            .expect("cargo can be run");
        assert!(status.success(), "the programs under test could not be built");
        dir.to_owned()
    });
    dir.join(name)
}

/// The path of `roadbook` as it is shipped: built alone by `cargo ship`, so that it encrypts, which what
/// [`binary`] gives does not. It is built if need be, in its own target directory: minutes, the first time.
pub fn shipped() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let path = BUILT.get_or_init(|| {
        let plain = binary("roadbook");
        let (profile, target) =
            (plain.parent().unwrap(), plain.parent().unwrap().parent().unwrap());
        if std::env::var_os("ROADBOOK_TESTS_BUILT").is_none() {
            let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["ship", "--only", "apps"])
                .args((profile.file_name().unwrap() == "debug").then_some("--dev"))
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
                .env("CARGO_TARGET_DIR", target)
                .status()
                .expect("cargo can be run");
            assert!(status.success(), "the shipped program could not be built");
        }
        target.join("ship").join(profile.file_name().unwrap()).join("roadbook")
    });
    assert!(path.exists(), "{} is missing: run `cargo ship --dev`", path.display());
    path.clone()
}

/// What a finished program left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Asserts success, and gives the output.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(
            self.status.success(),
            "failed with {}\nstdout: {}\nstderr: {}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }
    /// Asserts success, and parses the output as JSON.
    #[track_caller]
    pub fn json(self) -> Value {
        let done = self.ok();
        serde_json::from_str(&done.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", done.stdout))
    }
    /// The last line of the output.
    #[track_caller]
    pub fn last_line(self) -> String {
        self.ok().stdout.lines().last().unwrap_or_default().to_owned()
    }
}

/// Sends a signal, such as `STOP`, to a process that the caller has started.
pub fn signal(process: u32, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status();
    assert!(status.unwrap().success(), "process {process} is there to be told {name}");
}

/// Runs a program to its end.
pub fn run(mut command: Command) -> Finished {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A running `roadbook-server serve`.
pub struct ServerProcess {
    child: Child,
    data: PathBuf,
    /// Where it listens, such as `http://127.0.0.1:41234`.
    pub url: String,
    output: mpsc::Receiver<String>,
    errors: mpsc::Receiver<String>,
}

/// Follows a stream of a child line by line, so that the child never waits for a reader.
fn follow(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

impl ServerProcess {
    /// Starts `serve --plain` on a free loopback port and waits for its ready line.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &["--plain", "--listen", "127.0.0.1:0"], &[])
    }

    /// Starts it with these arguments and environment.
    pub fn start_with(data: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::try_start(data, args, env).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts it; the error is what it wrote before it gave up.
    pub fn try_start(data: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Self, String> {
        Self::spawn(data, args, env).ready()
    }

    /// Starts it and does not wait: [`Self::ready`] does, and may be left out by who kills it first.
    pub fn spawn(data: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary("roadbook-server"));
        command.arg("serve").arg("--data").arg(data).args(args).envs(env.iter().copied());
        Self::spawn_command(command, data)
    }

    /// The same with a command of the caller's, which ends up in `roadbook-server serve`.
    pub fn spawn_command(mut command: Command, data: &Path) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = follow(child.stdout.take().unwrap());
        let errors = follow(child.stderr.take().unwrap());
        Self { child, data: data.to_owned(), url: String::new(), output, errors }
    }

    /// Waits for the ready line; the error is what it wrote before it gave up.
    ///
    /// # Errors
    /// All that it wrote to its standard error.
    pub fn ready(mut self) -> Result<Self, String> {
        loop {
            match self.output.recv_timeout(READY_MAX) {
                Ok(line) => {
                    if let Some(url) = line.strip_prefix("listening on ") {
                        self.url = url.trim().to_owned();
                        return Ok(self);
                    }
                }
                Err(_) => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    let text: Vec<String> = self.errors.iter().collect();
                    return Err(format!("the server did not become ready: {}", text.join("\n")));
                }
            }
        }
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Lines that it wrote to its standard error so far and that were not taken before.
    pub fn errors(&self) -> Vec<String> {
        self.errors.try_iter().collect()
    }

    /// Waits for a line on its standard error that holds this text.
    #[track_caller]
    pub fn wait_for_error(&self, text: &str) -> String {
        while let Ok(line) = self.errors.recv_timeout(READY_MAX) {
            if line.contains(text) {
                return line;
            }
        }
        panic!("the server never wrote `{text}`");
    }

    /// Runs an admin command on its data, with `--json` where asked for in `args`.
    pub fn admin(&self, args: &[&str]) -> Finished {
        admin(&self.data, args)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The fingerprint of its certificate's key, which it prints before it is ready.
    pub fn fingerprint(&self) -> Option<String> {
        let hex = |word: &&str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        while let Ok(line) = self.errors.recv_timeout(READY_MAX) {
            if let Some(word) = line.split_whitespace().find(hex) {
                return Some(word.to_owned());
            }
        }
        None
    }

    /// Lines that it wrote after the ready line.
    pub fn lines(&self) -> Vec<String> {
        self.output.try_iter().collect()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends by itself (a failpoint) and tells whether it did within the time.
    pub fn wait_for_end(&mut self, most: Duration) -> bool {
        let start = std::time::Instant::now();
        while start.elapsed() < most {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        false
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `roadbook-server ARGS --data DIR`.
pub fn admin(data: &Path, args: &[&str]) -> Finished {
    let mut command = Command::new(binary("roadbook-server"));
    command.args(args).arg("--data").arg(data);
    run(command)
}

/// A rep's device: a home directory that `roadbook` runs in.
pub struct Rep {
    home: PathBuf,
    program: PathBuf,
    bus: Option<String>,
}

impl Rep {
    /// A device in this directory, not yet enrolled.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self::running(binary("roadbook"), home)
    }
    /// The same with a program of the caller's choice, such as [`shipped`].
    pub fn running(program: PathBuf, home: impl Into<PathBuf>) -> Self {
        Self { home: home.into(), program, bus: None }
    }
    /// The same in a session of a desktop, whose bus has this address.
    pub fn on_desktop(self, bus: &str) -> Self {
        Self { bus: Some(bus.to_owned()), ..self }
    }
    /// Its home.
    pub fn home(&self) -> &Path {
        &self.home
    }
    /// Invites the login at the server and enrols this device.
    #[track_caller]
    pub fn enrolled(home: impl Into<PathBuf>, server: &ServerProcess, login: &str) -> Self {
        let rep = Self::new(home);
        rep.enrol(server, login);
        rep
    }
    /// Invites the login at the server and enrols this device.
    #[track_caller]
    pub fn enrol(&self, server: &ServerProcess, login: &str) {
        let code = server.admin(&["invite", login]).last_line();
        self.run(&["enroll", &server.url, &code]).ok();
    }
    /// The command `roadbook --home HOME`.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--home").arg(&self.home).stdin(Stdio::null());
        match &self.bus {
            Some(bus) => command.env("DBUS_SESSION_BUS_ADDRESS", bus),
            // The keyring of whoever runs the tests is no place for their keys.
            None => command.env_remove("DBUS_SESSION_BUS_ADDRESS"),
        };
        command
    }
    /// Runs `roadbook --home HOME ARGS`.
    pub fn run(&self, args: &[&str]) -> Finished {
        let mut command = self.command();
        command.args(args);
        run(command)
    }
    /// Runs `roadbook --home HOME --json ARGS` and parses what it prints.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let mut command = self.command();
        command.arg("--json").args(args);
        run(command).json()
    }
    /// `sync`, which must succeed.
    #[track_caller]
    pub fn sync(&self) {
        self.run(&["sync"]).ok();
    }
    /// Syncs until the server has merged everything. An exchange may end while the server still
    /// merges what it stored before a crash: that is durable, and its fate is told by a later one.
    #[track_caller]
    pub fn sync_until_merged(&self) {
        for _ in 0..300 {
            self.sync();
            let status = self.json(&["status"]);
            if status["stored_not_merged"] == 0 && status["unsent"] == 0 {
                return;
            }
        }
        panic!("never merged: {}", self.json(&["outbox"]));
    }
    /// Ids of its contacts, sorted.
    #[track_caller]
    pub fn ids(&self) -> Vec<String> {
        let list = self.json(&["list", "--limit", "1000000"]);
        let mut ids: Vec<String> = crate::scene::by_id(&list).into_keys().collect();
        ids.sort();
        ids
    }
    /// One contact.
    #[track_caller]
    pub fn show(&self, id: &str) -> Value {
        self.json(&["show", id])
    }
    /// Its conflicts.
    #[track_caller]
    pub fn conflicts(&self) -> Vec<Value> {
        self.json(&["conflicts"])["conflicts"].as_array().unwrap().clone()
    }
    /// The receipts of all its edits, the merged ones too.
    #[track_caller]
    pub fn receipts(&self) -> Vec<String> {
        let outbox = self.json(&["outbox", "--all"]);
        let entries = outbox["outbox"].as_array().unwrap();
        entries.iter().map(|entry| entry["receipt"].as_str().unwrap().to_owned()).collect()
    }
    /// Its state hash.
    #[track_caller]
    pub fn state_hash(&self) -> String {
        self.run(&["state-hash"]).last_line()
    }
}
