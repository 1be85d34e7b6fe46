//! Second factors of people who sign in: a secret for one-time codes (TOTP), and recovery codes.
//!
//! The secret comes and goes sealed: what opens it stands outside the database. Recovery codes are
//! stored as SHA-256: they are random and long.

use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Result;
use super::sql::sha256;

/// Schema version 3.
pub(crate) const TABLES_V3: &str = "
-- The secret is encrypted with a key that stands outside the database.
CREATE TABLE second_factor (
    workspace    BLOB NOT NULL,
    user         BLOB NOT NULL,
    secret       BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    confirmed_at INTEGER,                    -- NULL: shown, no code came back yet
    last_step    INTEGER NOT NULL DEFAULT 0, -- of the last code that was used: none is used twice
    PRIMARY KEY (workspace, user),
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;

-- Only the SHA-256 of a code is stored.
CREATE TABLE recovery_code (
    workspace BLOB NOT NULL,
    user      BLOB NOT NULL,
    hash      BLOB NOT NULL,
    used_at   INTEGER,
    PRIMARY KEY (workspace, user, hash),
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;
";

/// A second factor as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// Since when it is asked for; `None` while it was only shown.
    pub confirmed_at: Option<UnixMs>,
    /// The step of the last code that was used.
    pub last_step: i64,
    /// Recovery codes that are left.
    pub recovery_left: u32,
}

/// The second factor of a user.
///
/// # Errors
/// What the database says.
pub fn find(
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
) -> Result<Option<SecondFactor>> {
    Ok(conn
        .prepare_cached(
            "SELECT secret, confirmed_at, last_step, (SELECT count(*) FROM recovery_code r
                 WHERE r.workspace = f.workspace AND r.user = f.user AND r.used_at IS NULL)
             FROM second_factor f WHERE workspace = ? AND user = ?",
        )?
        .query_row(params![workspace.as_bytes(), user.as_bytes()], |row| {
            Ok(SecondFactor {
                sealed: row.get(0)?,
                confirmed_at: row.get(1)?,
                last_step: row.get(2)?,
                recovery_left: row.get(3)?,
            })
        })
        .optional()?)
}

/// Keeps a new secret that is not asked for yet, in place of one that was never confirmed.
///
/// # Errors
/// What the database says.
pub fn propose(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    sealed: &[u8],
    now: UnixMs,
) -> Result<()> {
    tx.execute(
        "INSERT INTO second_factor (workspace, user, secret, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (workspace, user) DO UPDATE SET secret = ?3, created_at = ?4, last_step = 0
         WHERE confirmed_at IS NULL",
        params![workspace.as_bytes(), user.as_bytes(), sealed, now],
    )?;
    Ok(())
}

/// From now on the factor is asked for; `codes` are the recovery codes, in place of earlier ones.
///
/// # Errors
/// What the database says.
pub fn confirm(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    codes: &[String],
    now: UnixMs,
) -> Result<()> {
    let of = params![workspace.as_bytes(), user.as_bytes()];
    tx.execute("DELETE FROM recovery_code WHERE workspace = ? AND user = ?", of)?;
    for code in codes {
        tx.prepare_cached("INSERT INTO recovery_code (workspace, user, hash) VALUES (?, ?, ?)")?
            .execute(params![workspace.as_bytes(), user.as_bytes(), recovery_hash(code)])?;
    }
    tx.execute(
        "UPDATE second_factor SET confirmed_at = coalesce(confirmed_at, ?3)
         WHERE workspace = ?1 AND user = ?2",
        params![workspace.as_bytes(), user.as_bytes(), now],
    )?;
    Ok(())
}

/// Uses the code of a step up. `false` if it, or a later one, was used already.
///
/// # Errors
/// What the database says.
pub fn use_step(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    step: i64,
) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE second_factor SET last_step = ?3
         WHERE workspace = ?1 AND user = ?2 AND last_step < ?3",
        params![workspace.as_bytes(), user.as_bytes(), step],
    )?;
    Ok(changed > 0)
}

/// Uses a recovery code up. `false` if there is none like it.
///
/// # Errors
/// What the database says.
pub fn use_recovery(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    code: &str,
    now: UnixMs,
) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE recovery_code SET used_at = ?4
         WHERE workspace = ?1 AND user = ?2 AND hash = ?3 AND used_at IS NULL",
        params![workspace.as_bytes(), user.as_bytes(), recovery_hash(code), now],
    )?;
    Ok(changed > 0)
}

/// Takes the second factor of a user away, with its recovery codes. `false` if there was none.
///
/// # Errors
/// What the database says.
pub fn remove(tx: &Transaction<'_>, workspace: WorkspaceId, user: UserId) -> Result<bool> {
    let of = params![workspace.as_bytes(), user.as_bytes()];
    tx.execute("DELETE FROM recovery_code WHERE workspace = ? AND user = ?", of)?;
    Ok(tx.execute("DELETE FROM second_factor WHERE workspace = ? AND user = ?", of)? > 0)
}

/// As a code is compared: letters and digits only, in capitals.
fn recovery_hash(code: &str) -> [u8; 32] {
    let plain: String =
        code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    sha256(plain.as_bytes())
}
