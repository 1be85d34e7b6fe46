//! Who the authors are: names of users and which actor is whose, signed by the workspace's key, so
//! that a device can show them without trusting what is between.
//!
//! A device gets those who can have written in its user's contacts, not the whole company: with a
//! thousand reps that would be 100 kB for each at each connect.

use ring::signature::Ed25519KeyPair;
use roadbook_protocol::ids::{UserId, WorkspaceId};
use roadbook_protocol::wire::{Directory, DirectoryActor, DirectoryUser, directory_text};
use rusqlite::Connection;

use crate::store::{EngineError, Result, devices, people, workspaces};

/// The directory for a user's device, signed. The same facts give the same bytes.
///
/// # Errors
/// What the database says; [`EngineError::Damaged`] where the workspace's key can't be read.
pub(super) fn load(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<Directory> {
    let colleagues = people::colleagues(conn, workspace, user)?;
    let ids: Vec<UserId> = colleagues.iter().map(|user| user.id).collect();
    let users = colleagues
        .into_iter()
        .map(|user| DirectoryUser { user: user.id, login: user.login, name: user.name })
        .collect();
    let actors = devices::actors(conn, workspace, &ids)?
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
