//! Who the authors are: names of users and which actor is whose, signed by the workspace's key, so
//! that a device can show them without trusting what is between.
//!
//! All devices of a workspace get the same directory, so it is loaded, signed and encoded once: a
//! thousand devices that come back at once cost one.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ring::signature::Ed25519KeyPair;
use roadbook_protocol::ids::WorkspaceId;
use roadbook_protocol::wire::{self, Directory, DirectoryActor, DirectoryUser, directory_text};
use rusqlite::Connection;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_util::sync::CancellationToken;

use super::hub::{Hub, lock};
use super::jobs::on_blocking_pool;
use crate::store::{EngineError, Result, devices, people, workspaces};

/// How long a directory is taken as it is, where nothing is known to have changed.
const FRESH: Duration = Duration::from_secs(60);
/// How often connected devices hear of a change, at most.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// A directory as the frame to send.
#[derive(Clone)]
pub(super) struct Encoded {
    /// Grows with every difference: who has this version needs no other.
    pub(super) version: u64,
    pub(super) message: Bytes,
}

/// The directories of all workspaces, encoded.
#[derive(Default)]
pub(super) struct Directories {
    known: Mutex<HashMap<WorkspaceId, (Instant, Encoded)>>,
    stale: Mutex<HashSet<WorkspaceId>>,
    /// One loads, the others wait for it.
    loading: tokio::sync::Mutex<()>,
}

impl Directories {
    /// Users or actors of the workspace changed.
    pub(super) fn changed(&self, workspace: WorkspaceId) {
        lock(&self.stale).insert(workspace);
    }

    fn fresh(&self, workspace: WorkspaceId) -> Option<Encoded> {
        if lock(&self.stale).contains(&workspace) {
            return None;
        }
        let known = lock(&self.known);
        let (at, encoded) = known.get(&workspace)?;
        (at.elapsed() < FRESH).then(|| encoded.clone())
    }

    async fn load(&self, hub: &Hub, workspace: WorkspaceId) -> Result<Encoded> {
        if let Some(encoded) = self.fresh(workspace) {
            return Ok(encoded);
        }
        let _alone = self.loading.lock().await;
        if let Some(encoded) = self.fresh(workspace) {
            return Ok(encoded);
        }
        // Before the read: a change during it makes the next one load again.
        lock(&self.stale).remove(&workspace);
        let engine = hub.engine().clone();
        let read = move || {
            engine.read(|conn| load(conn, workspace)).map(|found| wire::encode(&found.into()))
        };
        let message = Bytes::from(on_blocking_pool(&hub.reads(), read).await?);
        let mut known = lock(&self.known);
        let version = match known.get(&workspace) {
            Some((_, before)) if before.message == message => before.version,
            Some((_, before)) => before.version + 1,
            None => 1,
        };
        let encoded = Encoded { version, message };
        known.insert(workspace, (Instant::now(), encoded.clone()));
        Ok(encoded)
    }
}

impl Hub {
    /// The directory of a workspace, as the frame to send.
    pub(super) async fn directory(&self, workspace: WorkspaceId) -> Result<Encoded> {
        self.directories().load(self, workspace).await
    }
}

/// Tells connected devices of a changed directory, not more often than every few seconds.
pub(super) async fn tell_changes(hub: Hub, over: CancellationToken) {
    let mut told: HashMap<WorkspaceId, u64> = HashMap::new();
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            () = tokio::time::sleep(TELL_EVERY) => {}
        }
        for workspace in hub.workspaces() {
            match hub.directory(workspace).await {
                Ok(Encoded { version, .. }) => {
                    if told.insert(workspace, version) != Some(version) {
                        hub.post_directory(workspace, version);
                    }
                }
                Err(error) => tracing::warn!(%error, "a directory could not be loaded"),
            }
        }
    }
}

/// The directory of a workspace: all its users and actors. (To cut it to the authors that occur in
/// one device's contacts would need an index of authors; names of colleagues are no customer data.)
///
/// # Errors
/// What the database says; [`EngineError::Damaged`] where the workspace's key can't be read.
fn load(conn: &Connection, workspace: WorkspaceId) -> Result<Directory> {
    let users = people::list_users(conn, workspace)?
        .into_iter()
        .map(|user| DirectoryUser { user: user.id, login: user.login, name: user.name })
        .collect();
    let actors = devices::actors(conn, workspace)?
        .into_iter()
        .map(|(actor, user)| DirectoryActor { actor, user })
        .collect();
    let mut directory = Directory { users, actors, signature: Vec::new() };
    let key =
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&workspaces::signing_key(conn, workspace)?)
            .map_err(|error| {
                EngineError::damaged(format!("the key of workspace {workspace}"), error)
            })?;
    directory.signature = key.sign(&directory_text(&workspace, &directory)).as_ref().to_vec();
    Ok(directory)
}
