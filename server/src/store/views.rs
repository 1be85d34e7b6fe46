//! Views of the list of contacts that somebody saved: what is looked for, the order and the columns under a
//! name; and the columns that somebody wants where no view says otherwise.

use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::sql::id_column;
use super::{EngineError, Result, sorting};

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE list_view (
    workspace  BLOB NOT NULL,
    id         BLOB NOT NULL,
    name       TEXT NOT NULL,
    q          TEXT NOT NULL,
    filter     TEXT NOT NULL,
    sort       TEXT NOT NULL,
    columns    TEXT NOT NULL,               -- names with commas between them; empty: the user's own
    owner      BLOB NOT NULL,
    shared     INTEGER NOT NULL,            -- 1: everybody of the office sees it
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, owner, name),
    FOREIGN KEY (workspace, owner) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE list_columns (
    workspace BLOB NOT NULL,
    user      BLOB NOT NULL,
    columns   TEXT NOT NULL,
    PRIMARY KEY (workspace, user),
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;
";

/// So many views a person may have.
pub const VIEWS_MAX: u64 = 100;

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// 16 random bytes: its address, which stays whatever it is called.
    pub id: [u8; 16],
    /// What it is called.
    pub name: String,
    /// What is searched for.
    pub q: String,
    /// The filter.
    pub filter: String,
    /// The order.
    pub sort: String,
    /// The columns, with commas between them; empty for those of whoever looks.
    pub columns: String,
    /// Whose it is.
    pub owner: UserId,
    /// Whether everybody of the office sees it.
    pub shared: bool,
}

const COLUMNS: &str = "id, name, q, filter, sort, columns, owner, shared";

fn read(row: &Row<'_>) -> rusqlite::Result<View> {
    Ok(View {
        id: row.get(0)?,
        name: row.get(1)?,
        q: row.get(2)?,
        filter: row.get(3)?,
        sort: row.get(4)?,
        columns: row.get(5)?,
        owner: id_column!(row, 6, UserId),
        shared: row.get(7)?,
    })
}

/// The views that somebody sees: their own and shared ones, by name.
///
/// # Errors
/// What the database says.
pub fn visible(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<Vec<View>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM list_view WHERE workspace = ? AND (owner = ? OR shared = 1)
         ORDER BY id"
    ))?;
    let rows = statement.query_map(params![workspace.as_bytes(), user.as_bytes()], read)?;
    let mut all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    sorting::of(conn, workspace)?.sort(&mut all, |one| &one.name);
    Ok(all)
}

/// Saves a view: one of this id is written over if it is its owner's.
///
/// # Errors
/// [`EngineError::Refused`] beyond [`VIEWS_MAX`], [`EngineError::Taken`] where another view of theirs has
/// that name, [`EngineError::NotFound`] where it is somebody else's.
pub fn put(tx: &Transaction<'_>, workspace: WorkspaceId, view: &View, now: UnixMs) -> Result<()> {
    let (others, named): (u64, u64) = tx.query_row(
        "SELECT count(*), coalesce(sum(name = ?4), 0) FROM list_view
         WHERE workspace = ?1 AND owner = ?2 AND id <> ?3",
        params![workspace.as_bytes(), view.owner.as_bytes(), view.id, view.name],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if named > 0 {
        return Err(EngineError::Taken { what: format!("a view called `{}`", view.name) });
    }
    if others >= VIEWS_MAX {
        return Err(EngineError::Refused {
            code: "views",
            reason: format!(
                "you have {others} views, which is as many as there may be; remove one first"
            ),
        });
    }
    let written = tx.execute(
        "INSERT INTO list_view (workspace, id, name, q, filter, sort, columns, owner, shared, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (workspace, id) DO UPDATE SET name = excluded.name, q = excluded.q,
            filter = excluded.filter, sort = excluded.sort, columns = excluded.columns,
            shared = excluded.shared
         WHERE owner = excluded.owner",
        params![
            workspace.as_bytes(),
            view.id,
            view.name,
            view.q,
            view.filter,
            view.sort,
            view.columns,
            view.owner.as_bytes(),
            view.shared,
            now
        ],
    )?;
    if written == 0 { Err(EngineError::not_found("the view")) } else { Ok(()) }
}

/// Removes a view of somebody. Whether there was one.
///
/// # Errors
/// What the database says.
pub fn remove(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: [u8; 16],
    owner: UserId,
) -> Result<bool> {
    let removed = tx.execute(
        "DELETE FROM list_view WHERE workspace = ? AND id = ? AND owner = ?",
        params![workspace.as_bytes(), id, owner.as_bytes()],
    )?;
    Ok(removed > 0)
}

/// The columns that somebody wants, with commas between them; `None` where they never chose.
///
/// # Errors
/// What the database says.
pub fn columns(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached("SELECT columns FROM list_columns WHERE workspace = ? AND user = ?")?
        .query_row(params![workspace.as_bytes(), user.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// Remembers the columns that somebody wants.
///
/// # Errors
/// What the database says.
pub fn set_columns(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    columns: &str,
) -> Result<()> {
    tx.execute(
        "INSERT INTO list_columns (workspace, user, columns) VALUES (?, ?, ?)
         ON CONFLICT (workspace, user) DO UPDATE SET columns = excluded.columns",
        params![workspace.as_bytes(), user.as_bytes(), columns],
    )?;
    Ok(())
}
