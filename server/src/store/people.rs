//! Users, and their one-time codes.
//!
//! Secrets are never stored: codes as SHA-256 (they are random and long), passwords as the argon2
//! string that the caller made.

use std::str::FromStr;

use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::sql::{id_column, sha256};
use super::{EngineError, Result, ledger, projections, sessions};

/// How long a one-time code is good, in milliseconds.
pub const CODE_MS: i64 = 10 * 60 * 1000;

/// In which language somebody reads the pages; empty where the browser says it.
pub(super) const COLUMNS_V3: &str = "ALTER TABLE user ADD COLUMN language TEXT;";

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads and edits the contacts assigned to them, on devices.
    Rep,
    /// Sees and edits the merged base, assigns contacts.
    Manager,
    /// As a manager, and users, devices, workspace settings.
    Admin,
    /// Sees the merged base.
    ReadOnly,
}

impl Role {
    /// The word for it: `rep`, `manager`, `admin`, `read_only`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Rep => "rep",
            Role::Manager => "manager",
            Role::Admin => "admin",
            Role::ReadOnly => "read_only",
        }
    }
}

impl FromStr for Role {
    type Err = EngineError;
    fn from_str(word: &str) -> Result<Self> {
        [Role::Rep, Role::Manager, Role::Admin, Role::ReadOnly]
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| EngineError::Refused {
                code: "role",
                reason: format!("`{word}` is no role; use rep, manager, admin or read_only"),
            })
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The id.
    pub id: UserId,
    /// What they sign in with; upper and lower case are the same.
    pub login: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their team.
    pub team: Option<String>,
    /// When they were added.
    pub created_at: UnixMs,
    /// Since when they may not sign in or sync.
    pub disabled_at: Option<UnixMs>,
    /// Whether a password is set.
    pub has_password: bool,
}

const USER_COLUMNS: &str =
    "workspace, id, login, name, role, team, created_at, disabled_at, password_hash IS NOT NULL";

fn user_row(row: &Row<'_>) -> rusqlite::Result<User> {
    let role: String = row.get(4)?;
    Ok(User {
        workspace: id_column!(row, 0, WorkspaceId),
        id: id_column!(row, 1, UserId),
        login: row.get(2)?,
        name: row.get(3)?,
        // The table admits the four words only.
        role: role.parse().unwrap_or(Role::ReadOnly),
        team: row.get(5)?,
        created_at: row.get(6)?,
        disabled_at: row.get(7)?,
        has_password: row.get(8)?,
    })
}

/// The tag of the language that somebody chose for the pages.
///
/// # Errors
/// Of SQLite.
pub fn language(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<Option<String>> {
    let chosen: Option<Option<String>> = conn
        .prepare_cached("SELECT language FROM user WHERE workspace = ?1 AND id = ?2")?
        .query_row(params![workspace.as_bytes(), user.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(chosen.flatten())
}

/// Chooses a language for somebody, or leaves it to their browser.
///
/// # Errors
/// Of SQLite.
pub fn set_language(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    language: Option<&str>,
) -> Result<()> {
    tx.prepare_cached("UPDATE user SET language = ?3 WHERE workspace = ?1 AND id = ?2")?
        .execute(params![workspace.as_bytes(), user.as_bytes(), language])?;
    Ok(())
}

/// What a new user is made of.
#[derive(Debug, Clone)]
pub struct NewUser<'a> {
    /// The id, made by the caller.
    pub id: UserId,
    /// The login: 1-64 characters without spaces or control characters.
    pub login: &'a str,
    /// The name; the login if empty.
    pub name: &'a str,
    /// The role.
    pub role: Role,
    /// The team, made if there is none of that name.
    pub team: Option<&'a str>,
}

/// Creates a user.
///
/// # Errors
/// [`EngineError::Refused`] for an unusable login, [`EngineError::Taken`].
pub fn create_user(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    new: &NewUser<'_>,
    now: UnixMs,
) -> Result<()> {
    let login = new.login;
    check_login(login)?;
    let name = if new.name.trim().is_empty() { login } else { new.name.trim() };
    if let Some(team) = new.team {
        tx.execute(
            "INSERT OR IGNORE INTO team (workspace, name) VALUES (?, ?)",
            params![workspace.as_bytes(), team],
        )?;
    }
    tx.execute(
        "INSERT INTO user (workspace, id, login, name, role, team, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![workspace.as_bytes(), new.id.as_bytes(), login, name, new.role.as_str(), new.team, now],
    )
    .map_err(|error| taken(error, login))?;
    ledger::note_user(tx, workspace, new.id)
}

fn check_login(login: &str) -> Result<()> {
    let usable = !login.is_empty()
        && login.chars().count() <= 64
        && !login.chars().any(|c| c.is_whitespace() || c.is_control());
    if usable {
        return Ok(());
    }
    Err(EngineError::Refused {
        code: "login",
        reason: format!("`{login}` is no login: 1 to 64 characters without spaces are needed"),
    })
}

fn taken(error: rusqlite::Error, login: &str) -> EngineError {
    match EngineError::is_unique_violation(&error) {
        true => EngineError::Taken { what: format!("the login `{login}`") },
        false => error.into(),
    }
}

/// Gives a user another login. Devices and sessions go by the id and go on.
///
/// # Errors
/// [`EngineError::NotFound`], [`EngineError::Refused`] for an unusable login, [`EngineError::Taken`].
pub fn set_login(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: UserId,
    login: &str,
) -> Result<()> {
    check_login(login)?;
    let changed = tx
        .execute(
            "UPDATE user SET login = ? WHERE workspace = ? AND id = ?",
            params![login, workspace.as_bytes(), id.as_bytes()],
        )
        .map_err(|error| taken(error, login))?;
    found(changed, || format!("user {id}"))?;
    projections::refresh_owned(tx, workspace, id)
}

/// The user of an id.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn user(conn: &Connection, workspace: WorkspaceId, id: UserId) -> Result<User> {
    conn.prepare_cached(&format!("SELECT {USER_COLUMNS} FROM user WHERE workspace = ? AND id = ?"))?
        .query_row(params![workspace.as_bytes(), id.as_bytes()], user_row)
        .optional()?
        .ok_or_else(|| EngineError::not_found(format!("user {id}")))
}

/// The user of a login, upper or lower case.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn find_user(conn: &Connection, workspace: WorkspaceId, login: &str) -> Result<User> {
    conn.prepare_cached(&format!(
        "SELECT {USER_COLUMNS} FROM user WHERE workspace = ? AND login = ?"
    ))?
    .query_row(params![workspace.as_bytes(), login], user_row)
    .optional()?
    .ok_or_else(|| EngineError::not_found(format!("user `{login}`")))
}

/// All users of a workspace, by login.
///
/// # Errors
/// What the database says.
pub fn list_users(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<User>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {USER_COLUMNS} FROM user WHERE workspace = ? ORDER BY login"
    ))?;
    let rows = statement.query_map([workspace.as_bytes()], user_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The users whose names a user's device needs: who shares a contact with them or did, who works in
/// the office (and so may write anywhere), and themselves. By id.
///
/// # Errors
/// What the database says.
pub fn colleagues(conn: &Connection, workspace: WorkspaceId, id: UserId) -> Result<Vec<User>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {USER_COLUMNS} FROM user WHERE workspace = ?1 AND (role <> 'rep' OR id = ?2 OR id IN (
             SELECT b.user FROM access a
             JOIN access b ON b.workspace = a.workspace AND b.contact = a.contact
             WHERE a.workspace = ?1 AND a.user = ?2 AND a.kind <> 2))
         ORDER BY id"
    ))?;
    let rows = statement.query_map(params![workspace.as_bytes(), id.as_bytes()], user_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Users with this login in any workspace: sign-in pages ask for the workspace only if there are
/// several.
///
/// # Errors
/// What the database says.
pub fn users_of_login(conn: &Connection, login: &str) -> Result<Vec<User>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {USER_COLUMNS} FROM user WHERE login = ?"))?;
    let rows = statement.query_map([login], user_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Changes name, role or team; `None` leaves what is there.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn update_user(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: UserId,
    name: Option<&str>,
    role: Option<Role>,
    team: Option<&str>,
) -> Result<()> {
    if let Some(team) = team {
        tx.execute(
            "INSERT OR IGNORE INTO team (workspace, name) VALUES (?, ?)",
            params![workspace.as_bytes(), team],
        )?;
    }
    let changed = tx.execute(
        "UPDATE user SET name = coalesce(?3, name), role = coalesce(?4, role), team = coalesce(?5, team)
         WHERE workspace = ?1 AND id = ?2",
        params![workspace.as_bytes(), id.as_bytes(), name, role.map(Role::as_str), team],
    )?;
    found(changed, || format!("user {id}"))
}

/// Takes a user out of their team.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn clear_team(tx: &Transaction<'_>, workspace: WorkspaceId, id: UserId) -> Result<()> {
    let changed = tx.execute(
        "UPDATE user SET team = NULL WHERE workspace = ? AND id = ?",
        params![workspace.as_bytes(), id.as_bytes()],
    )?;
    found(changed, || format!("user {id}"))
}

/// Lets a user sign in and sync no more (`Some`), or again (`None`). Ends their browser sessions;
/// devices are revoked one by one.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn set_disabled(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: UserId,
    since: Option<UnixMs>,
) -> Result<()> {
    let changed = tx.execute(
        "UPDATE user SET disabled_at = ? WHERE workspace = ? AND id = ?",
        params![since, workspace.as_bytes(), id.as_bytes()],
    )?;
    found(changed, || format!("user {id}"))?;
    ledger::note_user(tx, workspace, id)?;
    sessions::delete_of(tx, workspace, id)
}

/// The argon2 string of the user's password, if one is set.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn password_hash(
    conn: &Connection,
    workspace: WorkspaceId,
    id: UserId,
) -> Result<Option<String>> {
    conn.prepare_cached("SELECT password_hash FROM user WHERE workspace = ? AND id = ?")?
        .query_row(params![workspace.as_bytes(), id.as_bytes()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| EngineError::not_found(format!("user {id}")))
}

/// Sets the argon2 string of the user's password, and ends their browser sessions.
///
/// # Errors
/// [`EngineError::NotFound`].
pub fn set_password_hash(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: UserId,
    hash: Option<&str>,
) -> Result<()> {
    let changed = tx.execute(
        "UPDATE user SET password_hash = ? WHERE workspace = ? AND id = ?",
        params![hash, workspace.as_bytes(), id.as_bytes()],
    )?;
    found(changed, || format!("user {id}"))?;
    sessions::delete_of(tx, workspace, id)
}

/// What a one-time code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Enrolling a device.
    Enrol,
    /// Signing in at the office and setting a password.
    SignIn,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Enrol => "enrol",
            Purpose::SignIn => "sign_in",
        }
    }
}

/// Makes a one-time code of 128 random bits (`random`) that is good for `valid_ms`, and returns it
/// as people read it: Crockford's base 32 in groups. Only its hash is stored.
///
/// # Errors
/// [`EngineError::NotFound`] if there is no such user, [`EngineError::Refused`] if it is disabled.
pub fn new_code(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: UserId,
    purpose: Purpose,
    random: [u8; 16],
    now: UnixMs,
    valid_ms: i64,
) -> Result<String> {
    let owner = user(tx, workspace, id)?;
    refuse_disabled(&owner)?;
    tx.execute("DELETE FROM one_time_code WHERE expires_at < ?", [now - 24 * 3600 * 1000])?;
    let code = crockford(random);
    tx.execute(
        "INSERT INTO one_time_code (workspace, hash, purpose, user, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?)",
        params![
            workspace.as_bytes(),
            code_hash(&code),
            purpose.as_str(),
            id.as_bytes(),
            now,
            now + valid_ms
        ],
    )?;
    Ok(code)
}

/// Uses a code up and says whose it was.
///
/// # Errors
/// [`EngineError::Refused`] with the code `code_unknown`, `code_used`, `code_expired` or
/// `user_disabled`.
pub fn redeem_code(
    tx: &Transaction<'_>,
    code: &str,
    purpose: Purpose,
    now: UnixMs,
) -> Result<User> {
    let refused = |code, reason: &str| {
        Err(EngineError::Refused {
            code,
            reason: format!("{reason}; ask your administrator for a new one"),
        })
    };
    let hash = code_hash(code);
    let row = tx
        .prepare_cached(
            "SELECT workspace, user, expires_at, used_at FROM one_time_code WHERE hash = ? AND purpose = ?",
        )?
        .query_row(params![hash, purpose.as_str()], |row| {
            let ids = (id_column!(row, 0, WorkspaceId), id_column!(row, 1, UserId));
            Ok((ids, row.get::<_, UnixMs>(2)?, row.get::<_, Option<UnixMs>>(3)?))
        })
        .optional()?;
    let Some(((workspace, id), expires_at, used_at)) = row else {
        return refused(
            "code_unknown",
            "this code is not known here (mistyped, or of another server)",
        );
    };
    if used_at.is_some() {
        return refused("code_used", "this code was used already");
    }
    if expires_at <= now {
        return refused("code_expired", "this code is too old");
    }
    let owner = user(tx, workspace, id)?;
    refuse_disabled(&owner)?;
    tx.execute("UPDATE one_time_code SET used_at = ? WHERE hash = ?", params![now, hash])?;
    Ok(owner)
}

pub(super) fn refuse_disabled(user: &User) -> Result<()> {
    if user.disabled_at.is_none() {
        return Ok(());
    }
    Err(EngineError::Refused {
        code: "user_disabled",
        reason: format!("user `{}` is disabled; an administrator can enable it again", user.login),
    })
}

fn code_hash(code: &str) -> [u8; 32] {
    sha256(wire::normalise_code(code).as_bytes())
}

/// 26 characters of Crockford's base 32: four groups of five and one of six, with hyphens between.
fn crockford(random: [u8; 16]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut rest = u128::from_be_bytes(random);
    let mut digits = [b'0'; 26];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 32) as usize];
        rest /= 32;
    }
    let mut code = String::with_capacity(30);
    for (at, digit) in digits.iter().enumerate() {
        if at % 5 == 0 && (1..=20).contains(&at) {
            code.push('-');
        }
        code.push(char::from(*digit));
    }
    code
}

pub(super) fn found(changed: usize, what: impl FnOnce() -> String) -> Result<()> {
    if changed == 0 { Err(EngineError::not_found(what())) } else { Ok(()) }
}
