//! Who the authors are: names of users and which actor is whose, signed by the workspace's key, so
//! that a device can show them without trusting what is between.
//!
//! With them come the custom fields that the workspace has defined.
//!
//! A device gets those who can have written in its user's contacts, not the whole company: with a
//! thousand reps that would be 100 kB for each at each connect.

use roadbook_protocol::ids::{UserId, WorkspaceId};
use roadbook_protocol::wire::{Directory, DirectoryActor, DirectoryUser, directory_text};
use rusqlite::Connection;

use crate::engine::Engine;
use crate::store::{Result, custom_fields, devices, people};

/// The directory for a user's device, signed. The same facts give the same bytes.
///
/// # Errors
/// What the database says.
pub(super) fn load(
    engine: &Engine,
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Directory> {
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
    let custom_fields = Some(custom_fields::all(conn, workspace)?);
    let mut directory = Directory { users, actors, signature: Vec::new(), custom_fields };
    directory.signature = engine.sign(workspace, &directory_text(&workspace, &directory))?;
    Ok(directory)
}
