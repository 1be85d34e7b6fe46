//! Contacts: the list, which reads projection rows only, and one contact whole.

use automerge::Automerge;
use axum::http::{StatusCode, header};
use ring::digest;
use roadbook_protocol::document;
use roadbook_protocol::filter::Filter;
use roadbook_protocol::ids::{ContactId, UnixMs, UserId};
use roadbook_protocol::projection::Row as Projection;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::call::{Call, Outcome, json as answer, matches, not_modified, raw};
use super::problem::Problem;
use crate::filtered::Filtered;
use crate::rights::Rights;
use crate::store::contacts::Contact;
use crate::store::sql::{id_column, id_column_or_null};
use crate::store::{self, EngineError, contacts, custom_fields, documents};

/// Lines on a page, unless asked otherwise.
pub(super) const PAGE: u64 = 50;
/// Lines on a page at most.
pub(super) const PAGE_MAX: u64 = 500;

/// An order: its name, its column, and whether it goes downwards.
struct Sort {
    name: &'static str,
    column: &'static str,
    down: bool,
    /// The index that holds it, of contacts that are not archived.
    index: Option<&'static str>,
}

const SORTS: [Sort; 6] = [
    Sort { name: "created", column: "p.n", down: false, index: None },
    Sort { name: "-created", column: "p.n", down: true, index: None },
    Sort { name: "name", column: "p.sort_key", down: false, index: Some("projection_list") },
    Sort { name: "-name", column: "p.sort_key", down: true, index: Some("projection_list") },
    Sort {
        name: "touched",
        column: "p.touched_at",
        down: false,
        index: Some("projection_by_touch"),
    },
    Sort {
        name: "-touched",
        column: "p.touched_at",
        down: true,
        index: Some("projection_by_touch"),
    },
];

/// The names of the orders.
pub(super) fn sorts() -> Vec<&'static str> {
    SORTS.iter().map(|sort| sort.name).collect()
}

/// Where a page ended: everything that the next one must have in common with it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    /// The order.
    s: String,
    /// A digest of the filter.
    f: String,
    /// The last row's value of the column: text is a number or hexadecimal bytes.
    k: String,
    /// Its number.
    n: i64,
}

impl Mark {
    fn text(&self) -> String {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        hex::encode(bytes)
    }
    fn parse(text: &str) -> Option<Mark> {
        serde_json::from_slice(&hex::decode(text).ok()?).ok()
    }
}

/// 16 hexadecimal digits of the SHA-256 of some parts.
fn short_digest(parts: &[&[u8]]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    hex::encode(&context.finish().as_ref()[..8])
}

/// Members that were asked for.
pub(super) struct Fields(Option<Vec<String>>);

impl Fields {
    pub(super) fn of(call: &Call) -> Result<Fields, Problem> {
        let Some(text) = call.query("fields") else { return Ok(Fields(None)) };
        let names: Vec<String> =
            text.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect();
        if names.is_empty() {
            return Err(Problem::bad_request(
                "`fields` names nothing; name members with commas between, or leave it out.",
            ));
        }
        Ok(Fields(Some(names)))
    }
    /// Leaves only those, and the id.
    pub(super) fn keep(&self, mut value: Map<String, Value>) -> Value {
        if let Some(names) = &self.0 {
            value.retain(|name, _| name == "id" || names.contains(name));
        }
        Value::Object(value)
    }
}

/// The tag of a contact as it is: another with every change of its content, owner or collaborators.
pub(super) fn etag(contact: &Contact) -> String {
    let heads: Vec<u8> = contact.heads.iter().flat_map(|head| head.0).collect();
    let digest = short_digest(&[
        contact.id.as_bytes(),
        &heads,
        &contact.epoch.to_be_bytes(),
        &contact.assigned_cursor.to_be_bytes(),
    ]);
    format!("\"{digest}\"")
}

/// A contact within reach, with its document. `None` if it is not, if there is none, if it has no content
/// yet, or if it was erased: all of these look the same.
pub(super) fn load(
    conn: &Connection,
    rights: &Rights,
    id: ContactId,
) -> store::Result<Option<(Contact, Automerge)>> {
    if !rights.sees(conn, id)? {
        return Ok(None);
    }
    let Some(contact) = contacts::find(conn, rights.workspace, id)? else { return Ok(None) };
    if contact.erased_at.is_some() || contact.cursor == 0 {
        return Ok(None);
    }
    let doc = documents::document(conn, rights.workspace, &contact)?;
    Ok(Some((contact, doc)))
}

/// A contact whole, as JSON.
pub(super) fn whole(
    conn: &Connection,
    rights: &Rights,
    contact: &Contact,
    doc: &Automerge,
) -> store::Result<Map<String, Value>> {
    let read = document::read(contact.id, doc);
    let value = serde_json::to_value(&read)
        .map_err(|error| EngineError::damaged(format!("contact {}", contact.id), error))?;
    let Value::Object(mut value) = value else { return Ok(Map::new()) };
    let collaborators = contacts::collaborators(conn, rights.workspace, contact.id)?;
    value.insert("owner".to_owned(), json!(contact.owner));
    value.insert("collaborators".to_owned(), json!(collaborators));
    value.insert("epoch".to_owned(), json!(contact.epoch));
    value.insert("created_at".to_owned(), json!(contact.created_at));
    value.insert("etag".to_owned(), json!(etag(contact)));
    Ok(value)
}

/// `GET /contacts/{id}`
pub(super) async fn read(call: Call) -> Outcome {
    let id = call.contact()?;
    let fields = Fields::of(&call)?;
    let rights = call.access.rights.clone();
    let known = call.header(header::IF_NONE_MATCH).map(str::to_owned);
    let found = call
        .state
        .read(move |conn| {
            let Some((contact, doc)) = load(conn, &rights, id)? else { return Ok(None) };
            let etag = etag(&contact);
            if known.is_some_and(|known| matches(&known, &etag)) {
                return Ok(Some((etag, None)));
            }
            Ok(Some((etag, Some(whole(conn, &rights, &contact, &doc)?))))
        })
        .await?;
    match found.ok_or_else(|| Problem::not_found("contact"))? {
        (etag, None) => Ok(not_modified(&etag)),
        (etag, Some(whole)) => {
            call.open(id).await?;
            Ok(tagged(StatusCode::OK, &fields.keep(whole), &etag))
        }
    }
}

/// JSON with its tag.
pub(super) fn tagged(status: StatusCode, value: &Value, etag: &str) -> axum::response::Response {
    let headers =
        [(header::CONTENT_TYPE, "application/json".to_owned()), (header::ETAG, etag.to_owned())];
    raw(status, value.to_string().into_bytes(), &headers)
}

/// The columns of a line.
const LINE: &str = "p.n, p.row, c.id, c.owner, c.heads, c.epoch, c.assigned_cursor, c.created_at";

/// One line of the list, from a row of [`LINE`].
pub(super) fn line(row: &Row<'_>) -> rusqlite::Result<Map<String, Value>> {
    let json: String = row.get(1)?;
    let contact = ContactLine {
        id: id_column!(row, 2, ContactId),
        owner: id_column_or_null!(row, 3, UserId),
        heads: row.get(4)?,
        epoch: row.get(5)?,
        assigned_cursor: row.get(6)?,
        created_at: row.get(7)?,
    };
    Ok(contact.with(&json))
}

struct ContactLine {
    id: ContactId,
    owner: Option<UserId>,
    heads: Vec<u8>,
    epoch: u64,
    assigned_cursor: u64,
    created_at: UnixMs,
}

impl ContactLine {
    fn with(self, row: &str) -> Map<String, Value> {
        // A row that can't be read is derived anew at the next start; until then the line is bare.
        let row: Option<Projection> = serde_json::from_str(row).ok();
        let mut line = Map::new();
        if let Some(row) = row {
            for (name, value) in row.fields {
                line.insert(name, json!(value));
            }
            let texts = [
                ("display_name", row.display_name),
                ("street", row.street),
                ("postal_code", row.postal_code),
                ("city", row.city),
                ("region", row.region),
                ("country", row.country),
                ("note", row.note),
            ];
            for (name, text) in texts {
                line.insert(name.to_owned(), json!(text));
            }
            let others = [
                ("custom", json!(row.custom)),
                ("external_ids", json!(row.external_ids)),
                ("tags", json!(row.tags)),
                ("phones", json!(row.phones)),
                ("emails", json!(row.emails)),
                ("last_contact_at", json!(row.last_contact_at)),
                ("interaction_counts", json!(row.interactions)),
                ("open_tasks", json!(row.open_tasks)),
                ("next_due", json!(row.next_due)),
                ("stages", json!(row.stages)),
                ("open_amount", json!(row.open_amount)),
                ("purchase_count", json!(row.purchases)),
                ("last_purchase", json!(row.last_purchase)),
                ("revenue", json!(row.revenue)),
                ("conflicts", json!(row.conflicts)),
                ("touched_at", json!(row.touched_at)),
            ];
            for (name, value) in others {
                line.insert(name.to_owned(), value);
            }
        }
        let etag = short_digest(&[
            self.id.as_bytes(),
            &self.heads,
            &self.epoch.to_be_bytes(),
            &self.assigned_cursor.to_be_bytes(),
        ]);
        line.insert("id".to_owned(), json!(self.id));
        line.insert("owner".to_owned(), json!(self.owner));
        line.insert("epoch".to_owned(), json!(self.epoch));
        line.insert("created_at".to_owned(), json!(self.created_at));
        line.insert("etag".to_owned(), json!(format!("\"{etag}\"")));
        line
    }
}

/// The line of one contact, as lists and the change feed show it; `None` if it has no content.
///
/// # Errors
/// What the database says.
pub(super) fn line_of(
    conn: &Connection,
    rights: &Rights,
    id: ContactId,
) -> store::Result<Option<Map<String, Value>>> {
    let sql = format!(
        "SELECT {LINE} FROM contact c JOIN projection p ON p.n = c.n WHERE c.workspace = ? AND c.id = ?"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows =
        statement.query_map([rights.workspace.as_bytes().as_slice(), id.as_bytes()], line)?;
    Ok(rows.next().transpose()?)
}

/// `GET /custom-fields`
pub(super) async fn custom_fields(call: Call) -> Outcome {
    let workspace = call.access.workspace;
    let all = call.state.read(move |conn| custom_fields::all(conn, workspace)).await?;
    Ok(answer(StatusCode::OK, &json!({ "items": all })))
}

/// `GET /contacts`
pub(super) async fn list(call: Call) -> Outcome {
    let fields = Fields::of(&call)?;
    let limit = call.number("limit", (1, PAGE_MAX), PAGE)?;
    let name = call.query("sort").unwrap_or("created");
    let sort = SORTS.iter().find(|sort| sort.name == name).ok_or_else(|| {
        Problem::bad_request(format!(
            "There is no order `{name}`; there are {}.",
            sorts().join(", ")
        ))
    })?;
    let text = call.query("filter").unwrap_or_default();
    let filter = Filter::parse(text).map_err(bad_filter)?;
    let classes = filter.mentions_classes();
    let mut conditions =
        Filtered::seen(&call.access.rights, &filter, call.state.now()).map_err(bad_filter)?;
    let digest = short_digest(&[text.as_bytes()]);
    let after = match call.query("cursor") {
        None => None,
        Some(text) => Some(
            Mark::parse(text)
                .filter(|mark| mark.s == sort.name && mark.f == digest)
                .and_then(|mark| Some((key_of(sort, &mark.k)?, mark.n)))
                .ok_or_else(|| {
                    Problem::bad_request(
                        "`cursor` is not of this list; take `next` of the page before, with the same `filter` and `sort`.",
                    )
                })?,
        ),
    };
    if let Some((key, n)) = after {
        let (column, beyond) = (sort.column, if sort.down { "<" } else { ">" });
        conditions.and(
            &format!("{column} {beyond}= ? AND ({column} {beyond} ? OR p.n > ?)"),
            [key.clone(), key, Sql::Integer(n)],
        );
    }
    let workspace = call.access.rights.workspace;
    let found = call
        .state
        .engine_do(move |engine| {
            if classes {
                engine.refresh_standings(workspace)?;
            }
            engine.read(|conn| {
            let by = match sort.index {
                // Archived ones are in it too.
                Some("projection_by_touch") => "INDEXED BY projection_by_touch".to_owned(),
                Some(index) => conditions.by(index),
                None => String::new(),
            };
            let Filtered { text, params, .. } = conditions;
            let (column, down) = (sort.column, if sort.down { " DESC" } else { "" });
            let order = match column {
                "p.n" => format!("p.n{down}"),
                _ => format!("{column}{down}, p.n"),
            };
            let sql = format!(
                "SELECT {LINE}, {column} FROM (SELECT p.n AS hit FROM projection p {by} WHERE {text} ORDER BY {order} LIMIT {})
                 JOIN projection p ON p.n = hit JOIN contact c ON c.n = p.n ORDER BY {order}",
                limit + 1
            );
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(params), |row| {
                Ok((line(row)?, key_text(&row.get::<_, Sql>(8)?), row.get::<_, i64>(0)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
            })
        })
        .await?;
    let more = found.len() as u64 > limit;
    let given = usize::try_from(limit).unwrap_or(1);
    call.take(found.iter().take(given).filter_map(|(line, ..)| id_of(line)).collect()).await?;
    let mut items = Vec::with_capacity(found.len());
    let mut next = Value::Null;
    for (line, k, n) in found.into_iter().take(usize::try_from(limit).unwrap_or(1)) {
        if more {
            next = json!(Mark { s: sort.name.to_owned(), f: digest.clone(), k, n }.text());
        }
        items.push(fields.keep(line));
    }
    Ok(answer(StatusCode::OK, &json!({ "items": items, "next": next })))
}

/// The contact of a line.
pub(super) fn id_of(line: &Map<String, Value>) -> Option<ContactId> {
    line.get("id")?.as_str()?.parse().ok()
}

fn bad_filter(error: roadbook_protocol::filter::FilterError) -> Problem {
    Problem::new("bad-filter", super::problem::sentence(&error.message)).with("at", error.position)
}

/// The value of a sort column, as a mark keeps it.
fn key_text(value: &Sql) -> String {
    match value {
        Sql::Integer(n) => n.to_string(),
        Sql::Blob(bytes) => hex::encode(bytes),
        _ => String::new(),
    }
}

fn key_of(sort: &Sort, text: &str) -> Option<Sql> {
    match sort.column {
        "p.sort_key" => Some(Sql::Blob(hex::decode(text).ok()?)),
        _ => Some(Sql::Integer(text.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_nothing_else_is_one() {
        let mark = Mark { s: "name".to_owned(), f: "0a".to_owned(), k: "ff00".to_owned(), n: 7 };
        assert_eq!(Mark::parse(&mark.text()), Some(mark));
        for bad in ["", "zz", "0", "7b7d", "ÿÿ"] {
            assert_eq!(Mark::parse(bad), None, "{bad}");
        }
    }
}
