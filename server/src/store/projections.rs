//! Projection rows: what lists, filters and search read of a contact. Derived, so that they could be
//! dropped and rebuilt at any time.

use roadbook_protocol::document::Value;
use roadbook_protocol::fold;
use roadbook_protocol::ids::{ContactId, UserId, WorkspaceId};
use roadbook_protocol::projection::Row;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::sql::id_column;
use super::{EngineError, Result, sorting};
use crate::sorting::Sorting;

/// Tables of version 3. What contacts have in them that were there before is made by
/// [`facts::make_missing`](super::facts::make_missing).
pub(crate) const TABLES_V3: &str = "
-- The tags of contacts, so that a filter asks an index and not the JSON of every row.
CREATE TABLE contact_tag (
    folded TEXT NOT NULL,
    tag    TEXT NOT NULL,
    n      INTEGER NOT NULL REFERENCES contact (n),
    PRIMARY KEY (folded, tag, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_tag_by_contact ON contact_tag (n, tag);

-- The orders by company and by city, as their words are sorted; those without one come last.
ALTER TABLE projection ADD COLUMN company_key BLOB NOT NULL DEFAULT x'ff';
ALTER TABLE projection ADD COLUMN city_key BLOB NOT NULL DEFAULT x'ff';
CREATE INDEX projection_by_company ON projection (workspace, company_key) WHERE archived = 0;
CREATE INDEX projection_by_city ON projection (workspace, city_key) WHERE archived = 0;

-- Beginnings of one and two letters have an index of their own: what is searched for as somebody types
-- was merged from all words that begin so, 90 ms in 100,000 contacts instead of 5. The index is twice as
-- large for it, and its part of a write takes half as long again.
DROP TABLE search;
CREATE VIRTUAL TABLE search USING fts5 (
    names, company, reach, place, tags, note,
    content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '1 2'
);
";

/// The key of a text that is missing: behind all others.
const NO_KEY: &[u8] = &[0xff];

/// A row ready to be written: what takes time to derive is derived before the transaction.
#[derive(Debug, Clone)]
pub struct Prepared {
    row: Row,
    json: String,
    keys: Keys,
    search: fold::SearchText,
}

/// The keys by which a contact is sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// In whose order.
    sorting: Sorting,
    name: Vec<u8>,
    company: Vec<u8>,
    city: Vec<u8>,
}

impl Keys {
    /// Those of a row.
    pub fn of(row: &Row, sorting: Sorting) -> Self {
        let key = |text: &str| {
            if text.is_empty() { NO_KEY.to_vec() } else { sorting.key(text) }
        };
        let company = row.fields.get("company").and_then(Value::as_text).unwrap_or_default();
        let name = sorting.key(&fold::sort_name(row));
        Self { sorting, name, company: key(company), city: key(&row.city) }
    }
}

impl Prepared {
    /// Derives everything that is stored of a row.
    ///
    /// # Errors
    /// [`EngineError::Damaged`] if the row can't be written as JSON.
    pub fn new(row: Row, sorting: Sorting) -> Result<Self> {
        let json = serde_json::to_string(&row).map_err(|error| {
            EngineError::damaged(format!("the row of contact {}", row.id), error)
        })?;
        let keys = Keys::of(&row, sorting);
        let search = fold::search_text(&row);
        Ok(Self { row, json, keys, search })
    }
    /// The row.
    pub fn row(&self) -> &Row {
        &self.row
    }
    /// The row as JSON.
    pub fn json(&self) -> &str {
        &self.json
    }
    /// The keys by which it is sorted: by name, by company, by city.
    pub fn sort_keys(&self) -> [&[u8]; 3] {
        [&self.keys.name, &self.keys.company, &self.keys.city]
    }
    /// The text by which it is found.
    pub fn search(&self) -> &fold::SearchText {
        &self.search
    }
}

/// A tag, and how many contacts have it, archived ones among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagUse {
    /// As it is written.
    pub tag: String,
    /// Folded: tags that differ in case or accents alone have one key.
    pub folded: String,
    /// How many contacts have it.
    pub contacts: u64,
}

/// The first `limit` tags of a workspace, those that differ in case or accents alone beside each other. 20 ms
/// with 100,000 contacts where the database has one workspace; with several each contact is looked up.
///
/// # Errors
/// What the database says.
pub fn tags(conn: &Connection, workspace: WorkspaceId, limit: usize) -> Result<Vec<TagUse>> {
    let one: bool =
        conn.prepare_cached("SELECT count(*) < 2 FROM workspace")?.query_row([], |r| r.get(0))?;
    let of_it = "WHERE EXISTS (SELECT 1 FROM contact c WHERE c.n = t.n AND c.workspace = ?1)";
    let condition = if one { "WHERE ?1 IS NOT NULL" } else { of_it };
    let mut statement = conn.prepare_cached(&format!(
        "SELECT t.tag, t.folded, count(*) FROM contact_tag t {condition}
         GROUP BY t.folded, t.tag ORDER BY t.folded, t.tag LIMIT ?2"
    ))?;
    let rows = statement.query_map(params![workspace.as_bytes(), limit], |row| {
        Ok(TagUse { tag: row.get(0)?, folded: row.get(1)?, contacts: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The first `limit` contacts that have a tag, as it is written.
///
/// # Errors
/// What the database says.
pub fn tagged(
    conn: &Connection,
    workspace: WorkspaceId,
    tag: &str,
    limit: usize,
) -> Result<Vec<ContactId>> {
    let mut statement = conn.prepare_cached(
        "SELECT c.id FROM contact_tag t JOIN contact c ON c.n = t.n
         WHERE t.folded = ?1 AND t.tag = ?2 AND c.workspace = ?3 ORDER BY t.n LIMIT ?4",
    )?;
    let rows = statement
        .query_map(params![fold::fold(tag), tag, workspace.as_bytes(), limit], |row| {
            Ok(id_column!(row, 0, ContactId))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes the row of a contact, its search text and its ids in other systems.
///
/// # Errors
/// What the database says.
pub fn put(
    tx: &Transaction<'_>,
    n: i64,
    workspace: WorkspaceId,
    prepared: &Prepared,
    is_new: bool,
) -> Result<()> {
    let Prepared { row, json, keys, search } = prepared;
    // Another order may have been chosen since the row was derived.
    let sorting = sorting::of(tx, workspace)?;
    let anew = (keys.sorting != sorting).then(|| Keys::of(row, sorting));
    let keys = anew.as_ref().unwrap_or(keys);
    let text = |name: &str| row.fields.get(name).and_then(Value::as_text);
    let or_null = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let archived = row.fields.get("archived").and_then(Value::as_bool).unwrap_or(false);
    tx.prepare_cached(
        "INSERT INTO projection (n, workspace, id, owner_login, version, display_name, sort_key, company,
            status, category, city, country, next_visit, next_due, last_contact_at, touched_at,
            conflicts, archived, row, company_key, city_key)
         VALUES (?1, ?2, ?3,
            (SELECT u.login FROM contact c JOIN user u ON u.workspace = c.workspace AND u.id = c.owner
             WHERE c.n = ?1),
            ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
         ON CONFLICT (n) DO UPDATE SET owner_login = excluded.owner_login, version = excluded.version,
            display_name = excluded.display_name, sort_key = excluded.sort_key,
            company = excluded.company, status = excluded.status, category = excluded.category,
            city = excluded.city, country = excluded.country, next_visit = excluded.next_visit,
            next_due = excluded.next_due, last_contact_at = excluded.last_contact_at,
            touched_at = excluded.touched_at, conflicts = excluded.conflicts,
            archived = excluded.archived, row = excluded.row,
            company_key = excluded.company_key, city_key = excluded.city_key",
    )?
    .execute(params![
        n,
        workspace.as_bytes(),
        row.id.as_bytes(),
        row.version,
        row.display_name,
        keys.name,
        text("company"),
        text("status"),
        text("category"),
        or_null(&row.city),
        or_null(&row.country),
        text("next_visit"),
        row.next_due,
        row.last_contact_at,
        row.touched_at,
        row.conflicts,
        archived,
        json,
        keys.company,
        keys.city,
    ])?;
    put_tags(tx, n, &row.tags)?;
    put_search(tx, n, search)?;
    put_external_ids(tx, n, workspace, row, is_new)
}

/// Writes what version 3 brought of a row that was there before it.
///
/// # Errors
/// What the database says.
pub(super) fn put_missing(tx: &Transaction<'_>, n: i64, prepared: &Prepared) -> Result<()> {
    put_tags(tx, n, &prepared.row.tags)?;
    put_search(tx, n, &prepared.search)?;
    put_keys(tx, n, &prepared.keys)
}

/// Writes the keys by which a contact is sorted.
///
/// # Errors
/// What the database says.
pub(super) fn put_keys(tx: &Transaction<'_>, n: i64, keys: &Keys) -> Result<()> {
    tx.prepare_cached(
        "UPDATE projection SET sort_key = ?, company_key = ?, city_key = ? WHERE n = ?",
    )?
    .execute(params![keys.name, keys.company, keys.city, n])?;
    Ok(())
}

/// Writes the tags of a contact, where they differ from what is there.
///
/// # Errors
/// What the database says.
pub fn put_tags(tx: &Transaction<'_>, n: i64, tags: &[String]) -> Result<()> {
    let there = tags_of(tx, n)?;
    for gone in there.iter().filter(|tag| !tags.contains(tag)) {
        tx.prepare_cached("DELETE FROM contact_tag WHERE folded = ? AND tag = ? AND n = ?")?
            .execute(params![fold::fold(gone), gone, n])?;
    }
    for new in tags.iter().filter(|tag| !there.contains(tag)) {
        tx.prepare_cached("INSERT OR IGNORE INTO contact_tag (folded, tag, n) VALUES (?, ?, ?)")?
            .execute(params![fold::fold(new), new, n])?;
    }
    Ok(())
}

/// The tags of a contact as they are found by, sorted.
///
/// # Errors
/// What the database says.
pub fn tags_of(conn: &Connection, n: i64) -> Result<Vec<String>> {
    let mut statement =
        conn.prepare_cached("SELECT tag FROM contact_tag WHERE n = ? ORDER BY tag")?;
    let rows = statement.query_map([n], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn put_search(tx: &Transaction<'_>, n: i64, search: &fold::SearchText) -> Result<()> {
    let [names, company, reach, place, tags, note] = search.columns();
    tx.prepare_cached(
        "INSERT OR REPLACE INTO search (rowid, names, company, reach, place, tags, note)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![n, names, company, reach, place, tags, note])?;
    Ok(())
}

fn put_external_ids(
    tx: &Transaction<'_>,
    n: i64,
    workspace: WorkspaceId,
    row: &Row,
    is_new: bool,
) -> Result<()> {
    if !is_new {
        tx.prepare_cached("DELETE FROM external_id WHERE n = ?")?.execute([n])?;
    }
    for (system, value) in &row.external_ids {
        tx.prepare_cached(
            "INSERT OR IGNORE INTO external_id (workspace, system, value, n) VALUES (?, ?, ?, ?)",
        )?
        .execute(params![workspace.as_bytes(), system, value, n])?;
    }
    Ok(())
}

/// Writes the present login of the owner into the row of a contact.
///
/// # Errors
/// What the database says.
pub fn refresh_owner(tx: &Transaction<'_>, n: i64) -> Result<()> {
    tx.prepare_cached(
        "UPDATE projection SET owner_login =
            (SELECT u.login FROM contact c JOIN user u ON u.workspace = c.workspace AND u.id = c.owner
             WHERE c.n = projection.n)
         WHERE n = ?",
    )?
    .execute([n])?;
    Ok(())
}

/// Writes the present login of a user into the rows of everything that they own.
///
/// # Errors
/// What the database says.
pub fn refresh_owned(tx: &Transaction<'_>, workspace: WorkspaceId, user: UserId) -> Result<()> {
    tx.prepare_cached(
        "UPDATE projection SET owner_login = (SELECT login FROM user WHERE workspace = ?1 AND id = ?2)
         WHERE n IN (SELECT n FROM contact WHERE workspace = ?1 AND owner = ?2)",
    )?
    .execute(params![workspace.as_bytes(), user.as_bytes()])?;
    Ok(())
}

/// What a contact is called; `None` if it has no row.
///
/// # Errors
/// What the database says.
pub fn display_name(conn: &Connection, n: i64) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached("SELECT display_name FROM projection WHERE n = ?")?
        .query_row([n], |row| row.get(0))
        .optional()?)
}

/// The row of a contact; `None` if it has no merged content.
///
/// # Errors
/// [`EngineError::Damaged`] if its JSON can't be read.
pub fn row(conn: &Connection, workspace: WorkspaceId, id: ContactId) -> Result<Option<Row>> {
    let json: Option<String> = conn
        .prepare_cached(
            "SELECT p.row FROM contact c JOIN projection p ON p.n = c.n WHERE c.workspace = ? AND c.id = ?",
        )?
        .query_row(params![workspace.as_bytes(), id.as_bytes()], |row| row.get(0))
        .optional()?;
    json.map(|json| {
        serde_json::from_str(&json)
            .map_err(|error| EngineError::damaged(format!("the projection of contact {id}"), error))
    })
    .transpose()
}

/// The row of a contact as JSON, by its number.
///
/// # Errors
/// What the database says.
pub fn json(conn: &Connection, n: i64) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached("SELECT row FROM projection WHERE n = ?")?
        .query_row([n], |row| row.get(0))
        .optional()?)
}

/// The contacts that have this id in another system.
///
/// # Errors
/// What the database says.
pub fn find_by_external_id(
    conn: &Connection,
    workspace: WorkspaceId,
    system: &str,
    value: &str,
) -> Result<Vec<ContactId>> {
    let mut statement = conn.prepare_cached(
        "SELECT c.id FROM external_id e JOIN contact c ON c.n = e.n
         WHERE e.workspace = ? AND e.system = ? AND e.value = ? ORDER BY c.id",
    )?;
    let rows = statement.query_map(params![workspace.as_bytes(), system, value], |row| {
        Ok(id_column!(row, 0, ContactId))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
