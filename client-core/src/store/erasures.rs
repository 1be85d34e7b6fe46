//! Taking a contact out of every table, whatever tables there are.

use rusqlite::{Connection, params};

use roadbook_protocol::ids::ContactId;

use crate::error::Result;

/// Deletes every row that names the contact by its id: in tables with a column `contact` of that type,
/// and in those that are keyed by it. Rows that hang on its number are gone with the contact itself.
pub(crate) fn remove_all(conn: &Connection, id: ContactId) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.sql NOT LIKE 'CREATE VIRTUAL%'
           AND c.type = 'BLOB'
           AND (c.name = 'contact'
                OR c.name = 'id' AND t.name IN ('missing', 'contact_actor', 'projection'))",
    )?;
    let tables: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (table, column) in tables {
        conn.execute(
            &format!("DELETE FROM \"{table}\" WHERE \"{column}\" = ?1"),
            params![id.as_bytes()],
        )?;
    }
    // Samples that the query planner may have taken.
    let samples = conn
        .prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat4'")?
        .exists([])?;
    if samples {
        conn.execute("DELETE FROM sqlite_stat4", [])?;
    }
    Ok(())
}
