//! A server process with users, and devices in this process that reach it through a counting link.

use std::net::SocketAddr;
use std::path::PathBuf;

use roadbook_client_core::Durability;
use roadbook_protocol::ids::ContactId;
use roadbook_tests::generate::Generator;
use roadbook_tests::local::Device;
use roadbook_tests::process::ServerProcess;
use roadbook_tests::proxy::Proxy;
use tempfile::TempDir;

/// Everything one workload needs; gone when dropped.
pub struct World {
    /// The server.
    pub server: ServerProcess,
    /// The link of the device under measurement, which counts bytes.
    pub link: Proxy,
    address: SocketAddr,
    /// Of the server's certificate, if it has one.
    fingerprint: Option<String>,
    dir: TempDir,
}

impl World {
    /// A server with TLS and these reps.
    pub async fn new(reps: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("server");
        let args = ["--tls-self-signed", "--listen", "127.0.0.1:0"];
        let server = ServerProcess::start_with(&data, &args, &[]);
        assert!(server.fingerprint().is_some(), "the server prints its fingerprint");
        Self::around(dir, server, reps).await
    }

    /// A server without TLS, whose pages [`roadbook_tests::http::Http`] can read.
    pub async fn plain(reps: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = ServerProcess::start(&dir.path().join("server"));
        Self::around(dir, server, reps).await
    }

    async fn around(dir: TempDir, server: ServerProcess, reps: &[&str]) -> Self {
        for login in reps {
            server.admin(&["user", "add", login, "--role", "rep"]).ok();
        }
        let (_, address) = server.url.split_once("://").expect("an address with its scheme");
        let address: SocketAddr = address.parse().unwrap();
        let fingerprint = server.fingerprint();
        let link = Proxy::start(address).await;
        Self { server, link, address, fingerprint, dir }
    }

    /// A new directory.
    pub fn home(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new device of this rep that reaches the server over the counting link.
    pub async fn device(&self, name: &str, login: &str, durability: Durability) -> Device {
        self.device_over(self.link.addr, name, login, durability).await
    }

    /// A new device of this rep that reaches the server past the link.
    pub async fn other(&self, name: &str, login: &str, durability: Durability) -> Device {
        self.device_over(self.address, name, login, durability).await
    }

    async fn device_over(
        &self,
        address: SocketAddr,
        name: &str,
        login: &str,
        durability: Durability,
    ) -> Device {
        let code = self.server.admin(&["invite", login]).last_line();
        let device = Device::open(&self.home(name), durability);
        let scheme = if self.fingerprint.is_some() { "https" } else { "http" };
        device
            .enrol(&format!("{scheme}://{address}"), &code, self.fingerprint.as_deref(), name)
            .await;
        device
    }

    /// Fills the server with generated contacts of this rep, through a device of theirs that is
    /// thrown away.
    pub async fn fill(&self, login: &str, count: usize, seed: u64) -> Vec<ContactId> {
        self.filled(login, count, seed).await.1
    }

    /// The same, and the device, which is for preparing only: it does not wait for its disk.
    pub async fn filled(&self, login: &str, count: usize, seed: u64) -> (Device, Vec<ContactId>) {
        let device = self.other(&format!("seed-{login}"), login, Durability::Off).await;
        let mut generator = Generator::new(seed);
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            let sample = generator.contact();
            ids.push(
                device.replica.create(&sample.commands).expect("the contact is valid").contact_id,
            );
        }
        device.sync().await;
        assert_eq!(device.replica.status().unwrap().unsent, 0);
        (device, ids)
    }
}
