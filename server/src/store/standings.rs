//! The classes of customers (RFM and ABC) as they were calculated last, so that a filter can ask for
//! them. They follow from the purchases of everybody, so no merge can keep them: see
//! [`crate::engine`]'s `insight` for when they are calculated.

use std::collections::BTreeMap;

use roadbook_protocol::ids::WorkspaceId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Result;

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE standing (
    n         INTEGER NOT NULL REFERENCES contact (n),
    currency  TEXT NOT NULL,
    workspace BLOB NOT NULL,
    recency   INTEGER NOT NULL,             -- 1 to 5
    frequency INTEGER NOT NULL,
    monetary  INTEGER NOT NULL,
    class     TEXT NOT NULL,                -- A, B or C
    PRIMARY KEY (n, currency)
) STRICT, WITHOUT ROWID;

-- What they were calculated from.
CREATE TABLE standing_state (
    workspace BLOB NOT NULL PRIMARY KEY,
    purchases INTEGER NOT NULL,
    day       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Whose class: the number of a contact, and a currency.
pub type Key = (i64, String);

/// The classes of a customer in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// How lately they bought, 1 to 5.
    pub recency: u8,
    /// How often.
    pub frequency: u8,
    /// For how much.
    pub monetary: u8,
    /// `A`, `B` or `C`.
    pub class: &'static str,
}

/// What the classes were calculated from: the version of the purchases, and the day. `None` before the
/// first time.
///
/// # Errors
/// What the database says.
pub fn state(conn: &Connection, workspace: WorkspaceId) -> Result<Option<(i64, i32)>> {
    Ok(conn
        .prepare_cached("SELECT purchases, day FROM standing_state WHERE workspace = ?")?
        .query_row([workspace.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// Notes what they were calculated from.
///
/// # Errors
/// What the database says.
pub fn set_state(tx: &Transaction<'_>, workspace: WorkspaceId, of: (i64, i32)) -> Result<()> {
    tx.execute(
        "INSERT OR REPLACE INTO standing_state (workspace, purchases, day) VALUES (?, ?, ?)",
        params![workspace.as_bytes(), of.0, of.1],
    )?;
    Ok(())
}

/// All classes of a workspace.
///
/// # Errors
/// What the database says.
pub fn all(conn: &Connection, workspace: WorkspaceId) -> Result<BTreeMap<Key, Standing>> {
    let mut statement = conn.prepare_cached(
        "SELECT n, currency, recency, frequency, monetary, class FROM standing WHERE workspace = ?",
    )?;
    let rows = statement.query_map([workspace.as_bytes()], |row| {
        let class = match row.get_ref(5)?.as_str().unwrap_or_default() {
            "A" => "A",
            "B" => "B",
            _ => "C",
        };
        let (recency, frequency, monetary) = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(((row.get(0)?, row.get(1)?), Standing { recency, frequency, monetary, class }))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes a class, or takes it away. A contact that was erased meanwhile gets none.
///
/// # Errors
/// What the database says.
pub fn put(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    (n, currency): &Key,
    standing: Option<&Standing>,
) -> Result<()> {
    match standing {
        None => {
            tx.prepare_cached("DELETE FROM standing WHERE n = ? AND currency = ?")?
                .execute(params![n, currency])?;
        }
        Some(standing) => {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO standing (n, currency, workspace, recency, frequency, monetary, class)
                 SELECT n, ?2, ?3, ?4, ?5, ?6, ?7 FROM contact WHERE n = ?1 AND erased_at IS NULL",
            )?
            .execute(params![
                n,
                currency,
                workspace.as_bytes(),
                standing.recency,
                standing.frequency,
                standing.monetary,
                standing.class
            ])?;
        }
    }
    Ok(())
}
