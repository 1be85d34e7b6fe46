//! The keyring of a desktop for one test: GNOME Keyring on a session bus of its own, in a directory of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const READY_MAX: Duration = Duration::from_secs(30);

/// A bus with a keyring on it, which end with this value.
pub struct Desktop {
    home: PathBuf,
    bus: Child,
    address: String,
    keyring: Option<Child>,
}

impl Desktop {
    /// Signs in: the keyring is there, and open.
    pub fn new(home: &Path) -> Self {
        std::fs::create_dir_all(home.join("run")).unwrap();
        let config = home.join("bus.conf");
        // Nothing is started by a call: what is on this bus is what the test put there.
        let text = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
             <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            home.join("bus").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is installed: ./tests/run does it");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let mut desktop =
            Self { home: home.to_owned(), bus, address: address.trim().to_owned(), keyring: None };
        desktop.sign_in();
        desktop
    }

    /// The address of the bus.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The keyring is opened with its password.
    pub fn sign_in(&mut self) {
        self.start(Some("the password of the session"));
    }

    /// The keyring is there and closed, and nobody is there to open it.
    pub fn lock(&mut self) {
        self.start(None);
    }

    /// There is no keyring any more.
    pub fn sign_out(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            keyring.kill().unwrap();
            keyring.wait().unwrap();
        }
        self.until(false);
    }

    fn start(&mut self, password: Option<&str>) {
        self.sign_out();
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        command.arg("--control-directory").arg(self.home.join("run"));
        command.args(password.map(|_| "--unlock"));
        command.env("HOME", &self.home).env("XDG_DATA_HOME", self.home.join("data"));
        command.env("XDG_RUNTIME_DIR", self.home.join("run"));
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address).env_remove("DISPLAY");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut keyring = command.spawn().expect("gnome-keyring is installed: ./tests/run does it");
        let mut input = keyring.stdin.take().unwrap();
        input.write_all(password.unwrap_or_default().as_bytes()).unwrap();
        drop(input);
        self.keyring = Some(keyring);
        self.until(true);
    }

    /// Waits until the keyring's name on the bus is taken, or free.
    fn until(&self, taken: bool) {
        let end = Instant::now() + READY_MAX;
        loop {
            let told = Command::new("dbus-send")
                .arg(format!("--bus={}", self.address))
                .args([
                    "--print-reply=literal",
                    "--dest=org.freedesktop.DBus",
                    "/org/freedesktop/DBus",
                ])
                .args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"])
                .output()
                .unwrap();
            if String::from_utf8_lossy(&told.stdout).contains(&format!("boolean {taken}")) {
                return;
            }
            assert!(Instant::now() < end, "the keyring did not come or go: {told:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            let _ = keyring.kill();
            let _ = keyring.wait();
        }
        let _ = self.bus.kill();
        let _ = self.bus.wait();
    }
}
