//! Sessions of browsers.
//!
//! Only the SHA-256 of a cookie is stored. A session ends when it was not used for a while, and for good
//! some hours after it was opened, however much it is used.

use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Result;
use super::people::{self, User};
use super::sql::{id_column, sha256};

/// Schema version 3: sessions end for good. Those that are open at the migration end with it.
pub(crate) const TABLES_V3: &str = "
ALTER TABLE web_session ADD COLUMN ends_at INTEGER NOT NULL DEFAULT 0; -- however much it is used
";

/// A session ends for good so long after it was opened, in milliseconds: a day of work.
pub const SESSION_MS: i64 = 12 * 60 * 60 * 1000;

/// A session of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSession {
    /// Who.
    pub user: User,
    /// The token that each form must carry.
    pub csrf: String,
    /// When it ends.
    pub expires_at: UnixMs,
}

/// Opens a session that ends when it was not used for `valid_ms`, and for good after [`SESSION_MS`] or
/// that time, whichever is longer. `token` is the random cookie; only its hash is stored.
///
/// # Errors
/// [`EngineError::Refused`](super::EngineError::Refused) if the user is disabled.
pub fn create(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: UserId,
    token: &str,
    csrf: &str,
    now: UnixMs,
    valid_ms: i64,
) -> Result<()> {
    people::refuse_disabled(&people::user(tx, workspace, id)?)?;
    tx.execute("DELETE FROM web_session WHERE min(expires_at, ends_at) < ?", [now])?;
    tx.execute(
        "INSERT INTO web_session (hash, workspace, user, csrf, created_at, expires_at, ends_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            sha256(token.as_bytes()),
            workspace.as_bytes(),
            id.as_bytes(),
            csrf,
            now,
            now + valid_ms,
            now + valid_ms.max(SESSION_MS),
        ],
    )?;
    Ok(())
}

/// The session of a cookie, if it is open and its user is not disabled.
///
/// # Errors
/// What the database says.
pub fn find(conn: &Connection, token: &str, now: UnixMs) -> Result<Option<WebSession>> {
    let row = conn
        .prepare_cached(
            "SELECT workspace, user, csrf, min(expires_at, ends_at) FROM web_session
             WHERE hash = ?1 AND expires_at > ?2 AND ends_at > ?2",
        )?
        .query_row(params![sha256(token.as_bytes()), now], |row| {
            let ids = (id_column!(row, 0, WorkspaceId), id_column!(row, 1, UserId));
            Ok((ids, row.get::<_, String>(2)?, row.get::<_, UnixMs>(3)?))
        })
        .optional()?;
    let Some(((workspace, id), csrf, expires_at)) = row else { return Ok(None) };
    let user = people::user(conn, workspace, id)?;
    Ok(user.disabled_at.is_none().then_some(WebSession { user, csrf, expires_at }))
}

/// Moves the end of a session: it is in use. Never beyond the time at which it ends for good.
///
/// # Errors
/// What the database says.
pub fn extend(tx: &Transaction<'_>, token: &str, expires_at: UnixMs) -> Result<()> {
    tx.execute(
        "UPDATE web_session SET expires_at = min(ends_at, max(expires_at, ?)) WHERE hash = ?",
        params![expires_at, sha256(token.as_bytes())],
    )?;
    Ok(())
}

/// Ends the session of a cookie.
///
/// # Errors
/// What the database says.
pub fn delete(tx: &Transaction<'_>, token: &str) -> Result<()> {
    tx.execute("DELETE FROM web_session WHERE hash = ?", [sha256(token.as_bytes())])?;
    Ok(())
}

/// Ends all browser sessions of a user.
///
/// # Errors
/// What the database says.
pub fn delete_of(tx: &Transaction<'_>, workspace: WorkspaceId, id: UserId) -> Result<()> {
    tx.execute(
        "DELETE FROM web_session WHERE workspace = ? AND user = ?",
        params![workspace.as_bytes(), id.as_bytes()],
    )?;
    Ok(())
}

/// Ends all browser sessions of a user but the one of a cookie.
///
/// # Errors
/// What the database says.
pub fn delete_others(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: UserId,
    token: &str,
) -> Result<()> {
    tx.execute(
        "DELETE FROM web_session WHERE workspace = ? AND user = ? AND hash <> ?",
        params![workspace.as_bytes(), id.as_bytes(), sha256(token.as_bytes())],
    )?;
    Ok(())
}
