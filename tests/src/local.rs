//! Devices inside this process, against a server that is another process (or this one), over real
//! sockets.

use std::path::Path;
use std::time::Duration;

use roadbook_client_core::sync::{Engine, SyncOptions, SyncReport, enrol};
use roadbook_client_core::{Durability, OpenOptions, Replica};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long an exchange may take before a test or benchmark gives up. Generous: machines are shared.
pub const EXCHANGE_MAX: Duration = Duration::from_secs(300);

/// One device of a rep, opened in this process.
pub struct Device {
    /// Its replica.
    pub replica: Replica,
    engine: Engine,
    watching: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Device {
    /// Opens a replica in this directory. `Durability::Off` is for preparing large bases only.
    pub fn open(home: &Path, durability: Durability) -> Self {
        let options = OpenOptions { durability, ..OpenOptions::default() };
        let replica = Replica::open(home, options).expect("the replica opens");
        let engine = Engine::new(replica.clone(), SyncOptions::default());
        Self { replica, engine, watching: None }
    }

    /// Enrols it.
    pub async fn enrol(&self, url: &str, code: &str, fingerprint: Option<&str>, name: &str) {
        enrol(&self.replica, url, code, fingerprint, name).await.expect("the device is enrolled");
    }

    /// Exchanges everything once.
    pub async fn sync(&self) -> SyncReport {
        self.engine.sync_once(EXCHANGE_MAX).await.expect("the exchange succeeds")
    }

    /// Goes online and stays there.
    pub fn go_online(&mut self) {
        let stop = CancellationToken::new();
        let (engine, stopped) = (self.engine.clone(), stop.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = engine.run(stopped).await {
                eprintln!("a device gave up: {error}");
            }
        });
        self.watching = Some((stop, task));
    }

    /// Goes offline.
    pub async fn go_offline(&mut self) {
        if let Some((stop, task)) = self.watching.take() {
            stop.cancel();
            let _ = task.await;
        }
    }

    /// The state hash over everything that is merged here.
    pub fn state_hash(&self) -> String {
        self.replica.state_hash(None).expect("the state can be hashed").hash
    }
}
