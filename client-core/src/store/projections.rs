//! Projection rows and the full-text index: everything that lists and searches read.

use rusqlite::{Connection, OptionalExtension, params};

use roadbook_protocol::document::Value;
use roadbook_protocol::fold;
use roadbook_protocol::projection::{COLUMNS, Row};

use crate::error::{Error, Result};

/// Writes the row of a contact, and its search text where that changed.
pub(crate) fn put(conn: &Connection, num: i64, row: &Row) -> Result<()> {
    let json = serde_json::to_string(row).map_err(|error| Error::Damaged {
        what: format!("the row of contact {}", row.id),
        reason: error.to_string(),
    })?;
    let before: Option<String> = conn
        .prepare_cached("SELECT row FROM projection WHERE num = ?1")?
        .query_row(params![num], |row| row.get(0))
        .optional()?;
    write_row(conn, num, row, &json)?;
    let text = fold::search_text(row);
    match before {
        None => insert_search(conn, num, &text),
        Some(before) => {
            let known = serde_json::from_str::<Row>(&before)
                .ok()
                .filter(|before| before.version == row.version)
                .map(|before| fold::search_text(&before));
            if known.as_ref() == Some(&text) {
                return Ok(());
            }
            remove_search(conn, num)?;
            insert_search(conn, num, &text)
        }
    }
}

fn write_row(conn: &Connection, num: i64, row: &Row, json: &str) -> Result<()> {
    let text = |name: &str| row.fields.get(name).and_then(Value::as_text);
    let some = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let company = text("company");
    let archived = row.fields.get("archived").and_then(Value::as_bool).unwrap_or(false);
    // The order is that of `COLUMNS`, with the replica's own around it; the test counts them.
    conn.prepare_cached(
        "INSERT INTO projection(num, id, display_name, sort_key, company, status, category, city,
             country, next_visit, next_due, last_contact_at, touched_at, conflicts, archived,
             company_key, city_key, version, row)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
         ON CONFLICT(num) DO UPDATE SET
             display_name = excluded.display_name, sort_key = excluded.sort_key,
             company = excluded.company, status = excluded.status, category = excluded.category,
             city = excluded.city, country = excluded.country, next_visit = excluded.next_visit,
             next_due = excluded.next_due, last_contact_at = excluded.last_contact_at,
             touched_at = excluded.touched_at, conflicts = excluded.conflicts,
             archived = excluded.archived, company_key = excluded.company_key,
             city_key = excluded.city_key, version = excluded.version, row = excluded.row",
    )?
    .execute(params![
        num,
        row.id.as_bytes(),
        row.display_name,
        fold::sort_key(&fold::sort_name(row)),
        company,
        text("status"),
        text("category"),
        some(&row.city),
        some(&row.country),
        text("next_visit"),
        row.next_due,
        row.last_contact_at,
        row.touched_at,
        row.conflicts,
        archived,
        company.map(fold::sort_key),
        some(&row.city).map(|city| fold::sort_key(&city)),
        row.version,
        json,
    ])?;
    Ok(())
}

fn insert_search(conn: &Connection, num: i64, text: &fold::SearchText) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO search(rowid, names, company, reach, place, tags, note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        num,
        text.names,
        text.company,
        text.reach,
        text.place,
        text.tags,
        text.note
    ])?;
    Ok(())
}

fn remove_search(conn: &Connection, num: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute(params![num])?;
    Ok(())
}

/// Removes the row and the search text of a contact.
pub(crate) fn remove(conn: &Connection, num: i64) -> Result<()> {
    remove_search(conn, num)?;
    conn.prepare_cached("DELETE FROM projection WHERE num = ?1")?.execute(params![num])?;
    Ok(())
}

/// The row of a contact.
pub(crate) fn get(conn: &Connection, num: i64) -> Result<Option<Row>> {
    let json: Option<String> = conn
        .prepare_cached("SELECT row FROM projection WHERE num = ?1")?
        .query_row(params![num], |row| row.get(0))
        .optional()?;
    json.map(|json| parse(&json)).transpose()
}

/// Reads a stored row.
pub(crate) fn parse(json: &str) -> Result<Row> {
    serde_json::from_str(json).map_err(|error| Error::Damaged {
        what: "a projection row".into(),
        reason: format!(
            "{error}; sync again, or delete the replica's file to fetch everything anew"
        ),
    })
}

/// Contacts whose row was derived by another version of the program.
pub(crate) fn outdated(conn: &Connection) -> Result<Vec<i64>> {
    let mut statement =
        conn.prepare_cached("SELECT num FROM projection WHERE version <> ?1 LIMIT 100000")?;
    let rows =
        statement.query_map(params![roadbook_protocol::projection::VERSION], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A new column of the protocol must be written here too.
const _: () = assert!(COLUMNS.len() == 13);
