//! The look of a workspace's pages: the company's name, its colour, its logo.

use ring::digest;
use roadbook_protocol::ids::WorkspaceId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Result;

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE look (
    workspace BLOB NOT NULL PRIMARY KEY,
    name      TEXT,
    colour    TEXT,                         -- #rrggbb
    logo_kind TEXT,                         -- its media type
    logo      BLOB,
    logo_hash TEXT                          -- for its address
) STRICT, WITHOUT ROWID;
";

/// What was chosen; what is `None` is as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What the company is called.
    pub name: Option<String>,
    /// Its colour, `#rrggbb`.
    pub colour: Option<String>,
    /// A hash of its logo, if it has one.
    pub logo: Option<String>,
}

/// The look of a workspace.
///
/// # Errors
/// What the database says.
pub fn find(conn: &Connection, workspace: WorkspaceId) -> Result<Look> {
    let found = conn
        .prepare_cached("SELECT name, colour, logo_hash FROM look WHERE workspace = ?")?
        .query_row([workspace.as_bytes()], |row| {
            Ok(Look { name: row.get(0)?, colour: row.get(1)?, logo: row.get(2)? })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Sets name and colour.
///
/// # Errors
/// What the database says.
pub fn set(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    name: Option<&str>,
    colour: Option<&str>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO look (workspace, name, colour) VALUES (?1, ?2, ?3)
         ON CONFLICT (workspace) DO UPDATE SET name = excluded.name, colour = excluded.colour",
        params![workspace.as_bytes(), name, colour],
    )?;
    Ok(())
}

/// Sets the logo, media type and bytes, or takes it away.
///
/// # Errors
/// What the database says.
pub fn set_logo(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    logo: Option<(&str, &[u8])>,
) -> Result<()> {
    let hash = logo.map(|(_, bytes)| {
        let digest = digest::digest(&digest::SHA256, bytes);
        hex::encode(&digest.as_ref()[..8])
    });
    tx.execute(
        "INSERT INTO look (workspace, logo_kind, logo, logo_hash) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (workspace) DO UPDATE
         SET logo_kind = excluded.logo_kind, logo = excluded.logo, logo_hash = excluded.logo_hash",
        params![
            workspace.as_bytes(),
            logo.map(|(kind, _)| kind),
            logo.map(|(_, bytes)| bytes),
            hash
        ],
    )?;
    Ok(())
}

/// The logo: its media type and its bytes.
///
/// # Errors
/// What the database says.
pub fn logo(conn: &Connection, workspace: WorkspaceId) -> Result<Option<(String, Vec<u8>)>> {
    let found: Option<(Option<String>, Option<Vec<u8>>)> = conn
        .prepare_cached("SELECT logo_kind, logo FROM look WHERE workspace = ?")?
        .query_row([workspace.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.and_then(|(kind, bytes)| kind.zip(bytes)))
}
