//! Keys of programs that use the HTTP API, and the answers that their repeated requests get again.
//!
//! Of a key only the SHA-256 of its secret is stored. A key belongs to a person and never does more than
//! they may at that moment; its scopes narrow that down further.

use roadbook_protocol::ids::{ContactId, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::sql::id_column;
use super::{EngineError, Result};
use crate::rights::ApiScope;

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE api_key (
    id         TEXT NOT NULL PRIMARY KEY,   -- the public part
    workspace  BLOB NOT NULL,
    name       TEXT NOT NULL,
    user       BLOB NOT NULL,               -- whose rights it has
    scopes     TEXT NOT NULL,               -- with spaces between
    rate       INTEGER NOT NULL,            -- requests a minute
    hash       BLOB NOT NULL,               -- SHA-256 of the secret part
    created_at INTEGER NOT NULL,
    created_by BLOB,                        -- NULL: the operator at the shell
    last_used  INTEGER,
    revoked_at INTEGER,
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_by_workspace ON api_key (workspace, created_at);

-- Rows go after a day. `contact` is there so that erasing a contact takes its answers along.
CREATE TABLE api_answer (
    key       TEXT NOT NULL,
    name      TEXT NOT NULL,                -- the Idempotency-Key
    workspace BLOB NOT NULL,
    request   BLOB NOT NULL,                -- SHA-256 of method, address and body
    seed      BLOB NOT NULL,                -- what ids of new things are made from
    at        INTEGER NOT NULL,
    contact   BLOB,
    status    INTEGER,                      -- NULL: not answered yet
    headers   TEXT,
    body      BLOB,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX api_answer_by_time ON api_answer (key, at);
CREATE INDEX api_answer_by_contact ON api_answer (workspace, contact) WHERE contact IS NOT NULL;
";

/// An answer is given again for so long, in milliseconds.
pub const ANSWER_MS: i64 = 24 * 60 * 60 * 1000;
/// So many answers are kept for one key; the oldest go first.
pub const ANSWERS_MAX: u32 = 10_000;

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// The public part, which stands in the key itself.
    pub id: String,
    /// The workspace.
    #[serde(skip)]
    pub workspace: WorkspaceId,
    /// What its owner calls it.
    pub name: String,
    /// Whose rights it has.
    pub user: UserId,
    /// What it may be used for.
    pub scopes: Vec<ApiScope>,
    /// Requests a minute.
    pub rate: u32,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it was used last, to the minute.
    pub last_used: Option<UnixMs>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMs>,
}

const COLUMNS: &str =
    "id, workspace, name, user, scopes, rate, created_at, last_used, revoked_at, hash";

fn key_row(row: &Row<'_>) -> rusqlite::Result<(ApiKey, [u8; 32])> {
    let scopes: String = row.get(4)?;
    let key = ApiKey {
        id: row.get(0)?,
        workspace: id_column!(row, 1, WorkspaceId),
        name: row.get(2)?,
        user: id_column!(row, 3, UserId),
        // A word that this version does not know gives nothing.
        scopes: scopes.split(' ').filter_map(|word| word.parse().ok()).collect(),
        rate: row.get(5)?,
        created_at: row.get(6)?,
        last_used: row.get(7)?,
        revoked_at: row.get(8)?,
    };
    Ok((key, row.get(9)?))
}

/// Adds a key. `hash` is the SHA-256 of its secret.
///
/// # Errors
/// [`EngineError::Refused`] for an unusable name or no scope, [`EngineError::Taken`] where a key that is
/// not revoked has the name.
pub fn create(
    tx: &Transaction<'_>,
    key: &ApiKey,
    hash: &[u8; 32],
    by: Option<UserId>,
) -> Result<()> {
    let refused = |reason: String| Err(EngineError::Refused { code: "api_key", reason });
    if key.name.trim() != key.name || !(1..=64).contains(&key.name.chars().count()) {
        return refused(format!(
            "`{}` is no name of a key: 1 to 64 characters are needed",
            key.name
        ));
    }
    if key.scopes.is_empty() {
        return refused("a key without a scope could do nothing; name one with --scope".to_owned());
    }
    let taken = tx
        .prepare("SELECT 1 FROM api_key WHERE workspace = ? AND name = ? AND revoked_at IS NULL")?
        .exists(params![key.workspace.as_bytes(), key.name])?;
    if taken {
        return Err(EngineError::Taken { what: format!("the name `{}` of an API key", key.name) });
    }
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    tx.execute(
        "INSERT INTO api_key (id, workspace, name, user, scopes, rate, hash, created_at, created_by)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            key.id,
            key.workspace.as_bytes(),
            key.name,
            key.user.as_bytes(),
            scopes.join(" "),
            key.rate,
            hash,
            key.created_at,
            by.as_ref().map(UserId::as_bytes),
        ],
    )?;
    Ok(())
}

/// A key and the SHA-256 of its secret, revoked ones too.
///
/// # Errors
/// What the database says.
pub fn find(conn: &Connection, id: &str) -> Result<Option<(ApiKey, [u8; 32])>> {
    Ok(conn
        .prepare_cached(&format!("SELECT {COLUMNS} FROM api_key WHERE id = ?"))?
        .query_row([id], key_row)
        .optional()?)
}

/// All keys of a workspace, revoked ones too, oldest first.
///
/// # Errors
/// What the database says.
pub fn list(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<ApiKey>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM api_key WHERE workspace = ? ORDER BY created_at, id"
    ))?;
    let rows = statement.query_map([workspace.as_bytes()], |row| Ok(key_row(row)?.0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes that a key was used.
///
/// # Errors
/// What the database says.
pub fn touch(tx: &Transaction<'_>, id: &str, at: UnixMs) -> Result<()> {
    tx.prepare_cached(
        "UPDATE api_key SET last_used = max(coalesce(last_used, 0), ?) WHERE id = ?",
    )?
    .execute(params![at, id])?;
    Ok(())
}

/// Revokes a key: from now on it opens nothing. Its kept answers go. Whether it was open.
///
/// # Errors
/// What the database says.
pub fn revoke(tx: &Transaction<'_>, workspace: WorkspaceId, id: &str, at: UnixMs) -> Result<bool> {
    tx.execute("DELETE FROM api_answer WHERE key = ?", [id])?;
    let changed = tx.execute(
        "UPDATE api_key SET revoked_at = ? WHERE workspace = ? AND id = ? AND revoked_at IS NULL",
        params![at, workspace.as_bytes(), id],
    )?;
    Ok(changed > 0)
}

/// A request that said by which name it may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The SHA-256 of what was asked.
    pub request: [u8; 32],
    /// What ids of new things are made from.
    pub seed: [u8; 16],
    /// When it came first.
    pub at: UnixMs,
    /// The answer, once there is one.
    pub answer: Option<KeptAnswer>,
}

/// The answer of such a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The status code.
    pub status: u16,
    /// Its own headers, as JSON pairs.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Takes a request down before it is carried out; what was kept of an earlier one of that name comes
/// back instead. Answers that are older than a day, and those beyond the bound, go.
///
/// # Errors
/// What the database says.
pub fn begin(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    key: &str,
    name: &str,
    new: &Kept,
) -> Result<Kept> {
    tx.prepare_cached("DELETE FROM api_answer WHERE key = ? AND at <= ?")?
        .execute(params![key, new.at - ANSWER_MS])?;
    let found = tx
        .prepare_cached(
            "SELECT request, seed, at, status, headers, body FROM api_answer
             WHERE key = ? AND name = ?",
        )?
        .query_row(params![key, name], |row| {
            let status: Option<u16> = row.get(3)?;
            let answer = match status {
                Some(status) => {
                    Some(KeptAnswer { status, headers: row.get(4)?, body: row.get(5)? })
                }
                None => None,
            };
            Ok(Kept { request: row.get(0)?, seed: row.get(1)?, at: row.get(2)?, answer })
        })
        .optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    tx.prepare_cached(
        "DELETE FROM api_answer WHERE key = ?1 AND name IN (
             SELECT name FROM api_answer INDEXED BY api_answer_by_time
             WHERE key = ?1 ORDER BY at DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![key, ANSWERS_MAX - 1])?;
    tx.prepare_cached(
        "INSERT INTO api_answer (key, name, workspace, request, seed, at) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![key, name, workspace.as_bytes(), new.request, new.seed, new.at])?;
    Ok(new.clone())
}

/// Keeps the answer of a request that was taken down, unless the contact was erased meanwhile.
///
/// # Errors
/// What the database says.
pub fn finish(
    tx: &Transaction<'_>,
    key: &str,
    name: &str,
    contact: Option<ContactId>,
    answer: &KeptAnswer,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE api_answer SET contact = ?1, status = ?2, headers = ?3, body = ?4
         WHERE key = ?5 AND name = ?6
           AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.workspace = api_answer.workspace
                           AND c.id = ?1 AND c.erased_at IS NOT NULL)",
    )?
    .execute(params![
        contact.as_ref().map(ContactId::as_bytes),
        answer.status,
        answer.headers,
        answer.body,
        key,
        name
    ])?;
    Ok(())
}

/// Forgets a request that did nothing: it may be tried again under the same name.
///
/// # Errors
/// What the database says.
pub fn give_up(tx: &Transaction<'_>, key: &str, name: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM api_answer WHERE key = ? AND name = ? AND status IS NULL")?
        .execute(params![key, name])?;
    Ok(())
}
