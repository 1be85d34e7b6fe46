//! What most end-to-end tests start from: a directory of its own, a server in it, people, imported
//! contacts and devices.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use roadbook_client_core::{OpenOptions, Replica};
use serde_json::Value;
use tempfile::TempDir;

use crate::devices;
use crate::generate::Generator;
use crate::process::{Finished, Rep, ServerProcess, admin};

/// A server with its data, both gone when it is dropped.
pub struct Scene {
    dir: TempDir,
    listen: String,
    args: Vec<String>,
    server: Option<ServerProcess>,
}

/// What `import --json` reported, and the file it read.
pub struct Imported {
    /// The report.
    pub report: Value,
    /// The CSV file.
    pub file: PathBuf,
}

impl Scene {
    /// A server that runs.
    #[track_caller]
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// A server that runs with these further arguments of `serve`, each time it starts.
    #[track_caller]
    pub fn with(args: &[&str]) -> Self {
        Self::prepared(args, |_| ())
    }

    /// The same, when something was done to the directory of the server's data, which does not
    /// exist yet.
    #[track_caller]
    pub fn prepared(args: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let mut scene = Self {
            dir: tempfile::tempdir().unwrap(),
            listen: String::new(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            server: None,
        };
        prepare(&scene.data());
        // Between finding a free port and listening on it somebody else may take it.
        for attempt in 1.. {
            scene.listen = format!("127.0.0.1:{}", free_port());
            match scene.start_or_refuse(&[]) {
                Ok(()) => break,
                Err(error) if error.to_lowercase().contains("in use") && attempt < 10 => {}
                Err(error) => panic!("{error}"),
            }
        }
        scene
    }

    /// Starts the server again, at the same address.
    #[track_caller]
    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts the server again with this environment.
    #[track_caller]
    pub fn start_with(&mut self, env: &[(&str, &str)]) {
        self.start_or_refuse(env).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Starts the server and does not wait until it is ready; it is not the scene's.
    #[track_caller]
    pub fn spawn(&self, env: &[(&str, &str)]) -> ServerProcess {
        assert!(self.server.is_none(), "the server runs already");
        let mut args = vec!["--plain", "--listen", &self.listen, "--drain-seconds", "1"];
        args.extend(self.args.iter().map(String::as_str));
        ServerProcess::spawn(&self.data(), &args, env)
    }

    /// Starts the server with this environment; the error is what it wrote before it gave up.
    ///
    /// # Errors
    /// All that it wrote to its standard error.
    pub fn start_or_refuse(&mut self, env: &[(&str, &str)]) -> Result<(), String> {
        self.server = Some(self.spawn(env).ready()?);
        Ok(())
    }

    /// Asks the server to stop, and waits for its end.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.server.take().expect("the server runs").stop();
        assert!(status.success(), "the server ended with {status}");
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.server.take().expect("the server runs").kill();
    }

    /// The running server.
    #[track_caller]
    pub fn server(&self) -> &ServerProcess {
        self.server.as_ref().expect("the server runs")
    }

    /// The running server, no longer the scene's.
    #[track_caller]
    pub fn take_server(&mut self) -> ServerProcess {
        self.server.take().expect("the server runs")
    }

    /// The running server, to wait for its end.
    #[track_caller]
    pub fn server_mut(&mut self) -> &mut ServerProcess {
        self.server.as_mut().expect("the server runs")
    }

    /// The scene's own directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The server's data directory.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// `http://host:port`, the same over restarts.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// `host:port`.
    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// Runs `roadbook-server ARGS --data DIR`, whether the server runs or not.
    pub fn admin(&self, args: &[&str]) -> Finished {
        admin(&self.data(), args)
    }

    /// Adds reps with these logins.
    #[track_caller]
    pub fn reps(&self, logins: &[&str]) {
        for login in logins {
            let name = format!("Rep {login}");
            self.admin(&["user", "add", login, "--role", "rep", "--name", &name]).ok();
        }
    }

    /// Adds a manager; gives the one-time sign-in code.
    #[track_caller]
    pub fn manager(&self, login: &str) -> String {
        let name = format!("Manager {login}");
        let added = self
            .admin(&["user", "add", login, "--role", "manager", "--name", &name, "--json"])
            .json();
        added["code"].as_str().unwrap_or_else(|| panic!("a code: {added}")).to_owned()
    }

    /// Imports generated contacts; nobody owns them unless `owner` is given.
    #[track_caller]
    pub fn import(&self, seed: u64, count: usize, owner: Option<&str>) -> Imported {
        let file = self.dir().join(format!("contacts-{seed}.csv"));
        std::fs::write(&file, Generator::new(seed).csv(count)).unwrap();
        // Numbers of customers begin anew with each seed.
        let system = format!("crm{seed}");
        let mut args = vec![
            "import",
            file.to_str().unwrap(),
            "--key",
            "customer_no",
            "--system",
            &system,
            "--json",
        ];
        if let Some(owner) = owner {
            args.extend(["--owner", owner]);
        }
        let report = self.admin(&args).json();
        assert_eq!(report["created"], count, "{report}");
        Imported { report, file }
    }

    /// A new device of this user, in the directory `name`, enrolled and not yet synced.
    #[track_caller]
    pub fn device(&self, name: &str, login: &str) -> Rep {
        Rep::enrolled(self.dir().join(name), self.server(), login)
    }

    /// A one-time code for a device of this user.
    #[track_caller]
    pub fn invite(&self, login: &str) -> String {
        self.admin(&["invite", login]).last_line()
    }

    /// A new replica of this user inside this process, enrolled and not yet synced.
    pub async fn replica(&self, name: &str, login: &str) -> Replica {
        self.replica_with(name, login, &self.url(), OpenOptions::default()).await
    }

    /// The same, over another address (a link) and opened with these options.
    pub async fn replica_with(
        &self,
        name: &str,
        login: &str,
        url: &str,
        options: OpenOptions,
    ) -> Replica {
        devices::enrolled(&self.dir().join(name), url, &self.invite(login), options).await
    }

    /// An administrator confirms what was restored without its ledger: customer data goes out again.
    #[track_caller]
    pub fn confirm_review(&self) {
        let review = self.admin(&["review", "show", "--json"]).json();
        let code = review["review"]["code"].as_str().unwrap_or_else(|| panic!("{review}"));
        self.admin(&["review", "confirm", "--code", code]).ok();
    }

    /// The server's state hash over what this user's devices hold.
    #[track_caller]
    pub fn state_hash(&self, owner: &str) -> String {
        self.admin(&["state-hash", "--owner", owner]).last_line()
    }

    /// Asserts that a device and the server agree; tells which contacts differ, and how.
    #[track_caller]
    pub fn assert_agrees(&self, rep: &Rep, owner: &str) {
        let here = rep.json(&["state-hash", "--each"]);
        let there = self.admin(&["state-hash", "--owner", owner, "--each", "--json"]).json();
        if here["hash"] == there["hash"] {
            return;
        }
        let exported = self.export();
        for at_server in there["each"].as_array().unwrap() {
            let id = at_server["id"].as_str().unwrap();
            if here["each"][id] != at_server["hash"] {
                let on_device = rep.run(&["show", id]).stdout;
                println!("{id} on the device:\n{on_device}\nat the server: {:#}", exported[id]);
            }
        }
        let counts =
            [here["each"].as_object().unwrap().len(), there["each"].as_array().unwrap().len()];
        panic!(
            "{} and the server differ; contacts: {counts:?}; unmerged: {}",
            rep.home().display(),
            here["unmerged"]
        );
    }

    /// Asserts that `check` finds nothing.
    #[track_caller]
    pub fn assert_clean(&self) {
        self.admin(&["check"]).ok();
    }

    /// All contacts as the server exports them, by id.
    #[track_caller]
    pub fn export(&self) -> std::collections::BTreeMap<String, Value> {
        by_id(&self.admin(&["export", "--format", "json"]).json())
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

/// `{"contacts": [...]}` by id.
#[track_caller]
pub fn by_id(list: &Value) -> std::collections::BTreeMap<String, Value> {
    let contacts =
        list["contacts"].as_array().unwrap_or_else(|| panic!("a list of contacts: {list}"));
    contacts
        .iter()
        .map(|contact| (contact["id"].as_str().unwrap().to_owned(), contact.clone()))
        .collect()
}

/// Notes a visit with the rep's program.
#[track_caller]
pub fn visit(rep: &Rep, id: &str, summary: &str) {
    rep.run(&["visit", id, "--summary", summary]).ok();
}

/// The summaries of a contact's interactions, sorted.
#[track_caller]
pub fn summaries(contact: &Value) -> Vec<String> {
    let mut all: Vec<String> = contact["interactions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|interaction| Some(interaction["summary"].as_str()?.to_owned()))
        .collect();
    all.sort_unstable();
    all
}

/// Copies a file or a directory with its times and permissions, as a person would.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// A port that nobody listens on, outside the range from which systems take ports for outgoing
/// connections: a server that is killed and started again finds it free.
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(15_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
