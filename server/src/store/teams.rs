//! Teams: who is in them, and which team is a part of which.

use roadbook_protocol::ids::{UserId, WorkspaceId};
use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use super::sql::id_column;
use super::{EngineError, Result, sorting};

/// Schema version 3: teams nest.
pub(crate) const TABLES_V3: &str = "
ALTER TABLE team ADD COLUMN parent TEXT COLLATE NOCASE; -- the team that it is a part of
";

/// The people of a team and of all teams in it, those who are disabled too.
///
/// # Errors
/// What the database says.
pub fn members(conn: &Connection, workspace: WorkspaceId, team: &str) -> Result<Vec<UserId>> {
    // UNION takes each team once: a circle, which nobody can make, would end too.
    let mut statement = conn.prepare_cached(
        "WITH RECURSIVE part (name) AS (
             SELECT name FROM team WHERE workspace = ?1 AND name = ?2
             UNION SELECT t.name FROM team t JOIN part p ON t.parent = p.name WHERE t.workspace = ?1)
         SELECT id FROM user WHERE workspace = ?1 AND team IN (SELECT name FROM part)",
    )?;
    let rows = statement
        .query_map(params![workspace.as_bytes(), team], |row| Ok(id_column!(row, 0, UserId)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Team {
    /// Its name; upper and lower case are the same.
    pub name: String,
    /// The team that it is a part of.
    pub parent: Option<String>,
    /// How many people are in it, without those of the teams in it.
    pub people: u64,
}

/// The teams of a workspace, by name.
///
/// # Errors
/// What the database says.
pub fn list(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<Team>> {
    let mut statement = conn.prepare_cached(
        "SELECT t.name, t.parent, (SELECT count(*) FROM user u
             WHERE u.workspace = t.workspace AND u.team = t.name)
         FROM team t WHERE t.workspace = ?",
    )?;
    let rows = statement.query_map([workspace.as_bytes()], |row| {
        Ok(Team { name: row.get(0)?, parent: row.get(1)?, people: row.get(2)? })
    })?;
    let mut all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    sorting::of(conn, workspace)?.sort(&mut all, |one| &one.name);
    Ok(all)
}

/// Makes a team, or moves it into another one (`parent`) or out of any.
///
/// # Errors
/// [`EngineError::Refused`] for an unusable name, or where a team would be a part of itself;
/// [`EngineError::NotFound`] for the other team.
pub fn set(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    name: &str,
    parent: Option<&str>,
) -> Result<()> {
    let refused = |reason: String| Err(EngineError::Refused { code: "team", reason });
    if name.trim() != name || name.is_empty() || name.chars().count() > 64 {
        return refused(format!("`{name}` is no name of a team: 1 to 64 characters are needed"));
    }
    if let Some(parent) = parent {
        let parents: Vec<String> = tx
            .prepare_cached(
                "WITH RECURSIVE up (name) AS (
                     SELECT name FROM team WHERE workspace = ?1 AND name = ?2
                     UNION SELECT t.parent FROM team t JOIN up ON t.name = up.name
                     WHERE t.workspace = ?1 AND t.parent IS NOT NULL)
                 SELECT name FROM up",
            )?
            .query_map(params![workspace.as_bytes(), parent], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        if parents.is_empty() {
            return Err(EngineError::not_found(format!("team `{parent}`")));
        }
        // As the table compares names: ASCII letters in either case are the same.
        if parents.iter().any(|above| above.eq_ignore_ascii_case(name)) {
            return refused(format!("team `{parent}` is a part of `{name}`: move it out first"));
        }
    }
    tx.execute(
        "INSERT INTO team (workspace, name, parent) VALUES (?1, ?2, ?3)
         ON CONFLICT (workspace, name) DO UPDATE SET parent = excluded.parent",
        params![workspace.as_bytes(), name, parent],
    )?;
    Ok(())
}
