//! Lists that were handed to people: which contacts, of whom, by whom and when.
//!
//! The contacts of a list are what its filter found when it was handed over, as far as one of the
//! receivers held them then. Whoever reads what a receiver is to be told asks for those that they hold
//! now.

use roadbook_protocol::fold;
use roadbook_protocol::ids::{ContactId, ListId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::Access;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::sql::id_column;
use super::{EngineError, Result, contacts};

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE handed_list (
    workspace BLOB NOT NULL,
    id        BLOB NOT NULL PRIMARY KEY,
    name      TEXT NOT NULL,
    name_key  TEXT NOT NULL,                -- folded: no two lists differ in case or accents alone
    filter    TEXT NOT NULL,                -- by which it was chosen
    by        BLOB NOT NULL,
    at        INTEGER NOT NULL,
    UNIQUE (workspace, name_key),
    FOREIGN KEY (workspace, by) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;

-- To whom.
CREATE TABLE handed_user (
    workspace BLOB NOT NULL,
    user      BLOB NOT NULL,
    list      BLOB NOT NULL REFERENCES handed_list (id) ON DELETE CASCADE,
    PRIMARY KEY (workspace, user, list)
) STRICT, WITHOUT ROWID;
CREATE INDEX handed_user_by_list ON handed_user (list);

CREATE TABLE handed_contact (
    list BLOB NOT NULL REFERENCES handed_list (id) ON DELETE CASCADE,
    n    INTEGER NOT NULL REFERENCES contact (n),
    PRIMARY KEY (list, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX handed_contact_by_n ON handed_contact (n);
";

/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 80;

/// A list, without its contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// Its id.
    pub id: ListId,
    /// What it is called.
    pub name: String,
    /// By which filter its contacts were chosen.
    pub filter: String,
    /// Who handed it over.
    pub by: UserId,
    /// When.
    pub at: UnixMs,
    /// How many contacts are in it.
    pub contacts: u64,
    /// To whom.
    pub to: Vec<UserId>,
}

/// A list to be handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHanded {
    /// A fresh id.
    pub id: ListId,
    /// What it is called.
    pub name: String,
    /// By which filter its contacts were chosen.
    pub filter: String,
    /// Who hands it over.
    pub by: UserId,
    /// When.
    pub at: UnixMs,
    /// To whom.
    pub to: Vec<UserId>,
    /// What the filter found.
    pub contacts: Vec<ContactId>,
}

/// By what names are told apart.
///
/// # Errors
/// [`EngineError::Refused`] for a name that is empty, too long, or without letters and digits.
pub fn name_key(name: &str) -> Result<String> {
    let refused = |reason: String| EngineError::Refused { code: "list_name", reason };
    let chars = name.chars().count();
    if chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(refused(format!(
            "the name of a list has one line of at most {NAME_CHARS_MAX} characters; this one has {chars}"
        )));
    }
    match fold::fold(name) {
        key if key.is_empty() => {
            Err(refused("a list needs a name with letters or digits".to_owned()))
        }
        key => Ok(key),
    }
}

const COLUMNS: &str = "l.id, l.name, l.filter, l.by, l.at,
    (SELECT count(*) FROM handed_contact m WHERE m.list = l.id)";

fn handed_row(row: &Row<'_>) -> rusqlite::Result<Handed> {
    Ok(Handed {
        id: id_column!(row, 0, ListId),
        name: row.get(1)?,
        filter: row.get(2)?,
        by: id_column!(row, 3, UserId),
        at: row.get(4)?,
        contacts: row.get(5)?,
        to: Vec::new(),
    })
}

fn with_receivers(conn: &Connection, mut list: Handed) -> Result<Handed> {
    let mut statement =
        conn.prepare_cached("SELECT user FROM handed_user WHERE list = ? ORDER BY user")?;
    let rows = statement.query_map([list.id.as_bytes()], |row| Ok(id_column!(row, 0, UserId)))?;
    list.to = rows.collect::<rusqlite::Result<_>>()?;
    Ok(list)
}

/// The list of that name, however it is written.
///
/// # Errors
/// What the database says; as [`name_key`].
pub fn named(conn: &Connection, workspace: WorkspaceId, name: &str) -> Result<Option<Handed>> {
    let found = conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM handed_list l WHERE l.workspace = ? AND l.name_key = ?"
        ))?
        .query_row(params![workspace.as_bytes(), name_key(name)?], handed_row)
        .optional()?;
    found.map(|list| with_receivers(conn, list)).transpose()
}

/// All lists, those that were handed last first.
///
/// # Errors
/// What the database says.
pub fn all(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<Handed>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM handed_list l WHERE l.workspace = ? ORDER BY l.at DESC, l.id"
    ))?;
    let rows = statement.query_map([workspace.as_bytes()], handed_row)?;
    let found: Vec<Handed> = rows.collect::<rusqlite::Result<_>>()?;
    found.into_iter().map(|list| with_receivers(conn, list)).collect()
}

/// The lists that a contact is in, those that were handed last first.
///
/// # Errors
/// What the database says.
pub fn of_contact(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Vec<Handed>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM contact c JOIN handed_contact h ON h.n = c.n
             JOIN handed_list l ON l.id = h.list
         WHERE c.workspace = ? AND c.id = ? ORDER BY l.at DESC, l.id"
    ))?;
    let rows =
        statement.query_map(params![workspace.as_bytes(), contact.as_bytes()], handed_row)?;
    let found: Vec<Handed> = rows.collect::<rusqlite::Result<_>>()?;
    found.into_iter().map(|list| with_receivers(conn, list)).collect()
}

/// Writes a list. Returns how many contacts are in it: those that one of its receivers holds.
///
/// # Errors
/// What the database says; there must be none of that name.
pub fn put(tx: &Transaction<'_>, workspace: WorkspaceId, list: &NewHanded) -> Result<u64> {
    tx.execute(
        "INSERT INTO handed_list (workspace, id, name, name_key, filter, by, at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            workspace.as_bytes(),
            list.id.as_bytes(),
            list.name,
            name_key(&list.name)?,
            list.filter,
            list.by.as_bytes(),
            list.at
        ],
    )?;
    for user in &list.to {
        tx.execute(
            "INSERT OR IGNORE INTO handed_user (workspace, user, list) VALUES (?, ?, ?)",
            params![workspace.as_bytes(), user.as_bytes(), list.id.as_bytes()],
        )?;
    }
    let mut statement = tx.prepare_cached(
        "INSERT OR IGNORE INTO handed_contact (list, n)
         SELECT ?1, c.n FROM contact c
         WHERE c.workspace = ?2 AND c.id = ?3 AND c.erased_at IS NULL AND EXISTS (
             SELECT 1 FROM handed_user u JOIN access a
               ON a.workspace = c.workspace AND a.contact = c.id AND a.user = u.user
             WHERE u.list = ?1 AND a.kind <> 2)",
    )?;
    let mut rows = 0;
    for contact in &list.contacts {
        rows += statement.execute(params![
            list.id.as_bytes(),
            workspace.as_bytes(),
            contact.as_bytes()
        ])? as u64;
    }
    Ok(rows)
}

/// Removes a list. Whether there was one.
///
/// # Errors
/// What the database says.
pub fn remove(tx: &Transaction<'_>, workspace: WorkspaceId, id: ListId) -> Result<bool> {
    let removed = tx.execute(
        "DELETE FROM handed_list WHERE workspace = ? AND id = ?",
        params![workspace.as_bytes(), id.as_bytes()],
    )?;
    Ok(removed > 0)
}

/// How many lists somebody has, and how many contacts they hold in all of them.
///
/// # Errors
/// What the database says.
pub fn load_of(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<(u64, u64)> {
    let (workspace, user) = (workspace.as_bytes(), user.as_bytes());
    let lists = conn
        .prepare_cached("SELECT count(*) FROM handed_user WHERE workspace = ? AND user = ?")?
        .query_row(params![workspace, user], |row| row.get(0))?;
    let contacts = conn
        .prepare_cached(&format!("SELECT count(*) {HELD}"))?
        .query_row(params![workspace, user], |row| row.get(0))?;
    Ok((lists, contacts))
}

/// The contacts of the lists of a user that they hold.
const HELD: &str = "FROM handed_user u
    JOIN handed_contact m ON m.list = u.list
    JOIN contact c ON c.n = m.n
    JOIN access a ON a.workspace = u.workspace AND a.contact = c.id AND a.user = u.user
    WHERE u.workspace = ?1 AND u.user = ?2 AND a.kind <> 2 AND c.cursor > 0 AND c.erased_at IS NULL";

/// The lists of somebody, those that were handed last first.
///
/// # Errors
/// What the database says.
pub fn of_user(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<Vec<Handed>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM handed_user u JOIN handed_list l ON l.id = u.list
         WHERE u.workspace = ? AND u.user = ? ORDER BY l.at DESC, l.id"
    ))?;
    let rows = statement.query_map(params![workspace.as_bytes(), user.as_bytes()], handed_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The contacts of one list that one of its receivers holds at this moment, and how, by id.
///
/// # Errors
/// What the database says.
pub fn held(
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
    list: ListId,
) -> Result<Vec<(ContactId, Access)>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT c.id, a.kind {HELD} AND u.list = ?3 ORDER BY c.id"))?;
    let rows = statement
        .query_map(params![workspace.as_bytes(), user.as_bytes(), list.as_bytes()], |row| {
            Ok((id_column!(row, 0, ContactId), contacts::access_column(row, 1)?))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
