//! Segments that somebody saved: a name for a filter. What it finds is looked up each time.

use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, Transaction, params};

use super::sql::id_column;
use super::{EngineError, Result, sorting};

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE segment (
    workspace  BLOB NOT NULL,
    id         BLOB NOT NULL,
    name       TEXT NOT NULL,
    filter     TEXT NOT NULL,
    owner      BLOB NOT NULL,
    shared     INTEGER NOT NULL,            -- 1: everybody of the office sees it
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, owner, name),
    FOREIGN KEY (workspace, owner) REFERENCES user (workspace, id)
) STRICT, WITHOUT ROWID;

-- What filters often ask for stands behind the key of the list, so that a segment of 100,000 contacts is
-- judged without reading the wide rows and their JSON. The expressions are those of filters in SQL, to
-- the letter, and are named in LISTED.
DROP INDEX projection_list;
CREATE INDEX projection_list ON projection (workspace, sort_key, status, category, city, country,
    company, owner_login, next_visit, next_due, last_contact_at, conflicts,
    json_extract(row, '$.last_purchase'),
    json_type(row, '$.fields.cadence_days'), json_extract(row, '$.fields.cadence_days'),
    COALESCE(json_array_length(row, '$.phones'), 0), COALESCE(json_array_length(row, '$.emails'), 0),
    COALESCE(json_extract(row, '$.purchases'), 0), COALESCE(json_extract(row, '$.open_tasks'), 0),
    COALESCE(json_extract(row, '$.interactions.visit'), 0),
    COALESCE(json_extract(row, '$.interactions.call'), 0),
    COALESCE(json_extract(row, '$.interactions.email'), 0),
    COALESCE(json_extract(row, '$.interactions.message'), 0),
    COALESCE(json_extract(row, '$.interactions.meeting'), 0),
    COALESCE(json_extract(row, '$.interactions.note'), 0),
    COALESCE(json_extract(row, '$.interactions.complaint'), 0),
    COALESCE(json_extract(row, '$.interactions.return'), 0),
    COALESCE(json_extract(row, '$.interactions.survey'), 0))
    WHERE archived = 0;
CREATE INDEX projection_by_cadence ON projection (workspace,
    json_extract(row, '$.fields.cadence_days'), last_contact_at, owner_login)
    WHERE archived = 0 AND json_extract(row, '$.fields.cadence_days') > 0;
";

/// What filters ask of a row's JSON and the index of the list holds, as a filter has it.
pub(crate) const LISTED: &[&str] = &[
    "json_extract(p.row, '$.last_purchase')",
    "json_type(p.row, '$.fields.cadence_days')",
    "json_extract(p.row, '$.fields.cadence_days')",
    "COALESCE(json_array_length(p.row, '$.phones'), 0)",
    "COALESCE(json_array_length(p.row, '$.emails'), 0)",
    "COALESCE(json_extract(p.row, '$.purchases'), 0)",
    "COALESCE(json_extract(p.row, '$.open_tasks'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.visit'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.call'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.email'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.message'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.meeting'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.note'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.complaint'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.return'), 0)",
    "COALESCE(json_extract(p.row, '$.interactions.survey'), 0)",
];

/// So many segments a person may have.
pub const SEGMENTS_MAX: u64 = 100;

/// A saved segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// 16 random bytes.
    pub id: [u8; 16],
    /// What it is called.
    pub name: String,
    /// Whom it means.
    pub filter: String,
    /// Whose it is.
    pub owner: UserId,
    /// Whether everybody of the office sees it.
    pub shared: bool,
}

/// The segments that somebody sees: their own and shared ones, by name.
///
/// # Errors
/// What the database says.
pub fn visible(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<Vec<Segment>> {
    let mut statement = conn.prepare_cached(
        "SELECT id, name, filter, owner, shared FROM segment
         WHERE workspace = ? AND (owner = ? OR shared = 1) ORDER BY id",
    )?;
    let rows = statement.query_map(params![workspace.as_bytes(), user.as_bytes()], |row| {
        Ok(Segment {
            id: row.get(0)?,
            name: row.get(1)?,
            filter: row.get(2)?,
            owner: id_column!(row, 3, UserId),
            shared: row.get(4)?,
        })
    })?;
    let mut all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    sorting::of(conn, workspace)?.sort(&mut all, |one| &one.name);
    Ok(all)
}

/// Saves a segment; one of the same name and owner is replaced.
///
/// # Errors
/// [`EngineError::Refused`] beyond [`SEGMENTS_MAX`].
pub fn put(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    segment: &Segment,
    now: UnixMs,
) -> Result<()> {
    let others: u64 = tx.query_row(
        "SELECT count(*) FROM segment WHERE workspace = ? AND owner = ? AND name <> ?",
        params![workspace.as_bytes(), segment.owner.as_bytes(), segment.name],
        |row| row.get(0),
    )?;
    if others >= SEGMENTS_MAX {
        return Err(EngineError::Refused {
            code: "segments",
            reason: format!(
                "you have {others} segments, which is as many as there may be; remove one first"
            ),
        });
    }
    tx.execute(
        "INSERT INTO segment (workspace, id, name, filter, owner, shared, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (workspace, owner, name) DO UPDATE SET filter = excluded.filter, shared = excluded.shared",
        params![
            workspace.as_bytes(),
            segment.id,
            segment.name,
            segment.filter,
            segment.owner.as_bytes(),
            segment.shared,
            now
        ],
    )?;
    Ok(())
}

/// Removes a segment of somebody. Whether there was one.
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
        "DELETE FROM segment WHERE workspace = ? AND id = ? AND owner = ?",
        params![workspace.as_bytes(), id, owner.as_bytes()],
    )?;
    Ok(removed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter asks the index only where its expression stands there to the letter.
    #[test]
    fn what_filters_ask_of_a_row_s_json_is_what_the_index_of_the_list_holds() {
        let (_, after) = TABLES_V3.split_once("CREATE INDEX projection_list ON").unwrap();
        let (index, _) = after.split_once(';').unwrap();
        let held: String = index.split_whitespace().collect();
        for asked in LISTED {
            let expression: String = asked.replace("p.row", "row").split_whitespace().collect();
            assert!(held.contains(&expression), "{asked} is not in the index");
        }
        assert_eq!(
            held.matches("row,'$").count(),
            LISTED.len(),
            "the index holds what nobody asks"
        );
    }
}
