//! What the list of contacts finds: the one filter grammar, full text, orders, and windows that follow one
//! another by key.
//!
//! A window first finds the numbers of its rows in an index, and only then reads those rows. The next one
//! begins behind the key of the last row, so that the thousandth window costs what the first one does, and
//! none is left out or shown twice while others write. Only the best matches of a search, which are ranked
//! and few, go by their place.

use roadbook_protocol::filter::Filter;
use roadbook_protocol::fold;
use roadbook_protocol::ids::{ContactId, Cursor, UnixMs};
use roadbook_protocol::projection;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params_from_iter};

use super::contacts::{Ask, Line};
use super::decide;
use crate::filtered::Filtered;
use crate::rights::Rights;
use crate::rights::scope::blob;
use crate::store::{self, workspaces};

/// Rows of a window.
pub(super) const WINDOW_ROWS: u64 = 50;
/// Windows that are read at once when a page that has several is read again.
const WINDOWS_MAX: u64 = 10;
/// Matches are counted up to here; beyond it the page says "more than".
const COUNT_MAX: u64 = 10_000;
/// So many matches of a search are ranked; a search that finds more is told to say more.
pub(super) const RANKED_MAX: u64 = 1_000;
/// Rows that are read one by one, by their ids.
const ONLY_MAX: usize = 50;

/// An order: its name in the address and its SQL.
pub(super) struct Sort {
    pub(super) name: &'static str,
    /// The key of a row.
    key: &'static str,
    descending: bool,
    /// Where a row that is not set has no place in the order.
    only: &'static str,
    /// Whether rows without a key stand first: they are a window of their own, since an index can't go on
    /// behind NULL.
    nulls_first: bool,
    /// The index that holds the order, of contacts that are not archived.
    index: &'static str,
}

impl Sort {
    /// What the order is called.
    pub(super) fn called(&self) -> String {
        match self.name {
            "touched" => t!("contacts-latest-change"),
            "contacted" => t!("contacts-latest"),
            "silent" => t!("contacts-longest"),
            "visit" => t!("contacts-next-visit"),
            "due" => t!("contacts-next-task"),
            "company" => t!("contacts-company"),
            "city" => t!("contacts-city"),
            "status" => t!("status"),
            "owner" => t!("owner"),
            _ => t!("contacts-name"),
        }
    }

    /// Whether the last come first.
    pub(super) fn is_descending(&self) -> bool {
        self.descending
    }

    fn order(&self) -> String {
        let direction = if self.descending { " DESC" } else { "" };
        format!("{}{direction}, p.n{direction}", self.key)
    }

    /// The order of that name, else by name.
    pub(super) fn named(name: &str) -> &'static Sort {
        SORTS.iter().find(|sort| sort.name == name).unwrap_or(&SORTS[0])
    }
}

const fn by(name: &'static str, key: &'static str, index: &'static str) -> Sort {
    Sort { name, key, descending: false, only: "", nulls_first: false, index }
}

/// The orders. Those by status and owner are without an index of their own: the one of the list is read
/// through, which holds what they need, and the best of it are kept.
pub(super) const SORTS: [Sort; 10] = [
    by("name", "p.sort_key", "projection_list"),
    Sort { descending: true, ..by("touched", "p.touched_at", "projection_by_touch") },
    Sort {
        descending: true,
        only: "p.last_contact_at IS NOT NULL",
        ..by("contacted", "p.last_contact_at", "projection_by_contact")
    },
    Sort { nulls_first: true, ..by("silent", "p.last_contact_at", "projection_by_contact") },
    Sort { only: "p.next_visit IS NOT NULL", ..by("visit", "p.next_visit", "projection_by_visit") },
    Sort { only: "p.next_due IS NOT NULL", ..by("due", "p.next_due", "projection_by_due") },
    by("company", "p.company_key", "projection_by_company"),
    by("city", "p.city_key", "projection_by_city"),
    by("status", "coalesce(nullif(p.status, ''), char(1114111))", "projection_list"),
    by("owner", "coalesce(lower(p.owner_login), char(1114111))", "projection_list"),
];

/// Where a window ended: behind this key the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct After {
    key: Sql,
    n: i64,
}

impl After {
    /// As it stands in an address.
    fn text(&self) -> String {
        let key = match &self.key {
            Sql::Integer(n) => format!("i{n}"),
            Sql::Text(text) => format!("t{}", hex::encode(text)),
            Sql::Blob(bytes) => format!("b{}", hex::encode(bytes)),
            _ => "z".to_owned(),
        };
        format!("{key}.{}", self.n)
    }

    /// From an address; what can't be read is the beginning.
    fn read(text: &str) -> Option<After> {
        let (key, n) = text.rsplit_once('.')?;
        let n = n.parse().ok()?;
        let (kind, rest) = key.split_at_checked(1)?;
        let key = match kind {
            "i" => Sql::Integer(rest.parse().ok()?),
            "t" => Sql::Text(String::from_utf8(hex::decode(rest).ok()?).ok()?),
            "b" => Sql::Blob(hex::decode(rest).ok()?),
            "z" if rest.is_empty() => Sql::Null,
            _ => return None,
        };
        Some(After { key, n })
    }
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Total {
    Exactly(u64),
    MoreThan(u64),
}

/// What a list came to.
pub(super) struct Found {
    pub lines: Vec<Line>,
    pub total: Total,
    /// Where the next window begins, as it stands in an address.
    pub next: Option<String>,
    /// The search found more than is ranked.
    pub cut: bool,
    pub problem: Option<String>,
    /// All contacts of the workspace, archived ones left out.
    pub base: u64,
    pub to_decide: u64,
    pub cursor: Cursor,
}

fn conditions(rights: &Rights, filter: &str, sort: &Sort, now: UnixMs) -> Result<Filtered, String> {
    let filter = Filter::parse(filter).map_err(|error| error.to_string())?;
    let mut conditions = Filtered::seen(rights, &filter, now).map_err(|error| error.to_string())?;
    if !sort.only.is_empty() {
        conditions.and(sort.only, []);
    }
    Ok(conditions)
}

/// The contacts of a list, one more than `max` at most; the problem where its filter can't be read.
pub(super) fn ids(
    conn: &Connection,
    rights: &Rights,
    ask: &Ask,
    now: UnixMs,
    max: usize,
) -> store::Result<Result<Vec<ContactId>, String>> {
    let conditions = match conditions(rights, ask.filter(), &SORTS[0], now) {
        Ok(conditions) => conditions,
        Err(problem) => return Ok(Err(problem)),
    };
    let (text, mut params) = (&conditions.text, conditions.params.clone());
    let sql = match fold::fts_query(ask.q()) {
        Some(query) => {
            params.insert(0, Sql::Text(query));
            format!(
                "SELECT p.id FROM search JOIN projection p ON p.n = search.rowid
                 WHERE search MATCH ? AND {text} LIMIT {}",
                max + 1
            )
        }
        None if ask.q().trim().is_empty() => format!(
            "SELECT p.id FROM projection p {} WHERE {text} LIMIT {}",
            conditions.all(),
            max + 1
        ),
        // Nothing can match: as the list has it.
        None => return Ok(Ok(Vec::new())),
    };
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement
        .query_map(params_from_iter(params), |row| Ok(ContactId::from_bytes(row.get(0)?)))?;
    Ok(Ok(rows.collect::<rusqlite::Result<_>>()?))
}

/// How many contacts a filter finds, however many that are; `None` where it can't be read.
pub(super) fn exact(
    conn: &Connection,
    rights: &Rights,
    filter: &str,
    now: UnixMs,
) -> store::Result<Option<u64>> {
    let Ok(conditions) = conditions(rights, filter, &SORTS[0], now) else {
        return Ok(None);
    };
    let by = conditions.all();
    let sql = format!("SELECT count(*) FROM projection p {by} WHERE {}", conditions.text);
    let mut statement = conn.prepare_cached(&sql)?;
    Ok(Some(statement.query_row(params_from_iter(conditions.params), |row| row.get(0))?))
}

/// The columns of a [`Line`], from `projection AS p` and `user AS u`; the last is the row's JSON where it is
/// asked for.
fn line(rows: bool) -> String {
    format!(
        "p.id, p.display_name, p.company, p.status, p.category, p.city, p.country, \
         coalesce(u.name, p.owner_login), p.last_contact_at, p.next_visit, p.next_due, p.conflicts, {}",
        if rows { "p.row" } else { "NULL" }
    )
}
/// How many columns a [`Line`] takes.
const LINE_COLUMNS: usize = 13;
const OWNER: &str = "LEFT JOIN user u ON u.workspace = p.workspace AND u.login = p.owner_login";

impl Line {
    fn read(row: &Row<'_>) -> rusqlite::Result<Line> {
        let json: Option<String> = row.get(12)?;
        // One that can't be read shows no such columns; `check` names it.
        let whole: Option<projection::Row> = json.and_then(|json| serde_json::from_str(&json).ok());
        Ok(Line {
            id: ContactId::from_bytes(row.get(0)?),
            name: row.get(1)?,
            company: row.get(2)?,
            status: row.get(3)?,
            category: row.get(4)?,
            city: row.get(5)?,
            country: row.get(6)?,
            owner: row.get(7)?,
            last_contact_at: row.get(8)?,
            next_visit: row.get(9)?,
            next_due: row.get(10)?,
            conflicts: row.get(11)?,
            row: whole.map(Box::new),
        })
    }

    /// The line of one contact: what the event stream sends when it has changed. `None` if the viewer may
    /// not read it.
    pub(super) fn of(
        conn: &Connection,
        rights: &Rights,
        id: ContactId,
    ) -> store::Result<Option<Line>> {
        if !rights.sees(conn, id)? {
            return Ok(None);
        }
        let workspace = rights.workspace;
        let sql = format!(
            "SELECT {} FROM contact c JOIN projection p ON p.n = c.n {OWNER} \
             WHERE c.workspace = ? AND c.id = ?",
            line(false)
        );
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows =
            statement.query_map([workspace.as_bytes().as_slice(), id.as_bytes()], Line::read)?;
        Ok(rows.next().transpose()?)
    }
}

/// A window of a list, with the JSON of its rows if `rows`.
pub(super) fn find(
    conn: &Connection,
    rights: &Rights,
    ask: &Ask,
    rows: bool,
    now: UnixMs,
) -> store::Result<Found> {
    let workspace = rights.workspace;
    let sort = Sort::named(ask.sort());
    let mut found = Found {
        lines: Vec::new(),
        total: Total::Exactly(0),
        next: None,
        cut: false,
        problem: None,
        base: conn
            .prepare_cached(&format!(
                "SELECT count(*) FROM projection p INDEXED BY projection_by_contact WHERE p.workspace = ? AND p.archived = 0{}",
                rights.and_seen("p.id")
            ))?
            .query_row([workspace.as_bytes()], |row| row.get(0))?,
        to_decide: decide::count(conn, rights)?,
        cursor: workspaces::cursor(conn, workspace)?,
    };
    let conditions = match conditions(rights, ask.filter(), sort, now) {
        Ok(conditions) => conditions,
        Err(problem) => {
            found.problem = Some(problem);
            return Ok(found);
        }
    };
    match fold::fts_query(ask.q()) {
        Some(query) => search(conn, &conditions, &query, sort, ask, rows, &mut found)?,
        None if ask.q().trim().is_empty() => {
            browse(conn, &conditions, sort, ask, rows, &mut found)?
        }
        // Something was typed, but no letter and no digit: nothing can match.
        None => {}
    }
    Ok(found)
}

/// How many rows are read: those of a window, or as many as a page has that is read again.
fn window(ask: &Ask) -> u64 {
    let windows = ask.rows().unwrap_or(0).div_ceil(WINDOW_ROWS).clamp(1, WINDOWS_MAX);
    windows * WINDOW_ROWS
}

fn browse(
    conn: &Connection,
    conditions: &Filtered,
    sort: &Sort,
    ask: &Ask,
    rows: bool,
    found: &mut Found,
) -> store::Result<()> {
    let only = only(ask);
    if let Some(only) = &only {
        let sql = format!(
            "SELECT {} FROM projection p {OWNER} WHERE {} AND p.id IN ({only})",
            line(rows),
            conditions.text
        );
        let mut statement = conn.prepare_cached(&sql)?;
        found.lines = statement
            .query_map(params_from_iter(&conditions.params), Line::read)?
            .collect::<rusqlite::Result<_>>()?;
        return Ok(());
    }
    let after = After::read(ask.after());
    let limit = window(ask);
    if conditions.wide {
        if let Some(few) = few(conn, conditions)? {
            found.total = Total::Exactly(few.len() as u64);
            let few = among(&few);
            let (lines, next) = windows(conn, &few, sort, after.as_ref(), limit, rows)?;
            (found.lines, found.next) = (lines, next.map(|next| next.text()));
            return Ok(());
        }
        // So many that the next window is near, whatever the order.
        found.total = Total::MoreThan(COUNT_MAX);
    }
    let (lines, next) = windows(conn, conditions, sort, after.as_ref(), limit, rows)?;
    found.lines = lines;
    let read = found.lines.len() as u64;
    found.total = if conditions.wide {
        found.total
    } else if ask.filter().trim().is_empty() && sort.only.is_empty() {
        // Without a filter the number of all is known already.
        Total::Exactly(found.base)
    } else if next.is_none() && after.is_none() {
        // All are here: counting would only judge every row once more.
        Total::Exactly(read)
    } else {
        let counted: u64 = conn
            .prepare_cached(&format!(
                "SELECT count(*) FROM (SELECT 1 FROM projection p {} WHERE {} LIMIT {})",
                conditions.by("projection_list"),
                conditions.text,
                COUNT_MAX + 1
            ))?
            .query_row(params_from_iter(&conditions.params), |row| row.get(0))?;
        if counted > COUNT_MAX { Total::MoreThan(COUNT_MAX) } else { Total::Exactly(counted) }
    };
    found.next = next.map(|next| next.text());
    Ok(())
}

/// The rows that a filter finds which has to read them whole, if they are not too many.
fn few(conn: &Connection, conditions: &Filtered) -> store::Result<Option<Vec<i64>>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT p.n FROM projection p {} WHERE {} LIMIT {}",
        conditions.all(),
        conditions.text,
        COUNT_MAX + 1
    ))?;
    let numbers: Vec<i64> = statement
        .query_map(params_from_iter(&conditions.params), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok((numbers.len() as u64 <= COUNT_MAX).then_some(numbers))
}

/// These rows alone.
fn among(numbers: &[i64]) -> Filtered {
    let numbers = serde_json::to_string(numbers).unwrap_or_default();
    Filtered {
        text: "p.n IN (SELECT value FROM json_each(?))".to_owned(),
        params: vec![Sql::Text(numbers)],
        live: false,
        wide: false,
    }
}

/// The rows behind a key, and where the next begin if there are more.
fn windows(
    conn: &Connection,
    conditions: &Filtered,
    sort: &Sort,
    after: Option<&After>,
    limit: u64,
    rows: bool,
) -> store::Result<(Vec<Line>, Option<After>)> {
    // One more than is shown says whether there is more.
    let wanted = limit + 1;
    let parts: &[&str] = match (sort.nulls_first, after.map(|after| &after.key)) {
        (true, None | Some(Sql::Null)) => &["IS NULL", "IS NOT NULL"],
        (true, Some(_)) => &["IS NOT NULL"],
        (false, _) => &[""],
    };
    let mut all: Vec<(Line, After)> = Vec::new();
    let mut after = after;
    for part in parts {
        let mut conditions = conditions.clone();
        if !part.is_empty() {
            conditions.and(&format!("{} {part}", sort.key), []);
        }
        // Only the first part begins in its middle.
        match after.take() {
            Some(After { key: Sql::Null, n }) => conditions.and("p.n > ?", [Sql::Integer(*n)]),
            Some(After { key, n }) => {
                let than = if sort.descending { "<" } else { ">" };
                let behind = format!("({}, p.n) {than} (?, ?)", sort.key);
                conditions.and(&behind, [key.clone(), Sql::Integer(*n)]);
            }
            None => {}
        }
        let left = wanted - all.len() as u64;
        let order = sort.order();
        let sql = format!(
            "SELECT {}, at, hit FROM (SELECT p.n AS hit, {} AS at FROM projection p {} WHERE {} ORDER BY {order} LIMIT {left}) \
             JOIN projection p ON p.n = hit {OWNER} ORDER BY {order}",
            line(rows),
            sort.key,
            conditions.by(sort.index),
            conditions.text,
        );
        let mut statement = conn.prepare_cached(&sql)?;
        let read = statement.query_map(params_from_iter(conditions.params), |row| {
            let after = After { key: row.get(LINE_COLUMNS)?, n: row.get(LINE_COLUMNS + 1)? };
            Ok((Line::read(row)?, after))
        })?;
        for row in read {
            all.push(row?);
        }
        if all.len() as u64 >= wanted {
            break;
        }
    }
    let more = all.len() as u64 > limit;
    all.truncate(limit as usize);
    let next = all.last().filter(|_| more).map(|last| last.1.clone());
    Ok((all.into_iter().map(|one| one.0).collect(), next))
}

/// The ids of rows that are read one by one, in hexadecimal.
fn only(ask: &Ask) -> Option<String> {
    let ids = ask.only().split(',').filter_map(|id| id.parse::<ContactId>().ok());
    let ids: Vec<String> = ids.take(ONLY_MAX).map(|id| blob(id.as_bytes())).collect();
    (!ask.only().is_empty()).then(|| ids.join(", "))
}

fn search(
    conn: &Connection,
    conditions: &Filtered,
    query: &str,
    sort: &Sort,
    ask: &Ask,
    rows: bool,
    found: &mut Found,
) -> store::Result<()> {
    let Filtered { text, params, .. } = conditions;
    let weights = fold::FTS_COLUMNS
        .iter()
        .map(|(_, weight)| weight.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    // The best match first, unless another order was asked for.
    let order =
        if sort.name == "name" { "score, p.sort_key, p.n".to_owned() } else { sort.order() };
    let only = only(ask).map(|ids| format!(" AND p.id IN ({ids})")).unwrap_or_default();
    let hits = format!(
        "SELECT search.rowid AS hit, bm25(search, {weights}) AS score \
         FROM search JOIN projection p ON p.n = search.rowid \
         WHERE search MATCH ? AND {text}{only} LIMIT {}",
        RANKED_MAX + 1
    );
    // A place among those that are ranked: at most the thousandth.
    let place = ask.after().parse::<u64>().unwrap_or(0).min(RANKED_MAX);
    let limit = window(ask);
    let sql = format!(
        "SELECT {}, count(*) OVER () FROM ({hits}) JOIN projection p ON p.n = hit {OWNER} \
         ORDER BY {order} LIMIT {limit} OFFSET {place}",
        line(rows)
    );
    let mut all = vec![Sql::Text(query.to_owned())];
    all.extend(params.iter().cloned());
    let mut statement = conn.prepare_cached(&sql)?;
    let mut counted = 0;
    found.lines = statement
        .query_map(params_from_iter(all), |row| {
            counted = row.get(LINE_COLUMNS)?;
            Line::read(row)
        })?
        .collect::<rusqlite::Result<_>>()?;
    found.cut = counted > RANKED_MAX;
    found.total = if found.cut { Total::MoreThan(RANKED_MAX) } else { Total::Exactly(counted) };
    let end = place + found.lines.len() as u64;
    found.next =
        (end < counted.min(RANKED_MAX) && !found.lines.is_empty()).then(|| end.to_string());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_window_ended_is_read_as_it_was_written() {
        for key in [
            Sql::Integer(-5),
            Sql::Text("Århus.1".to_owned()),
            Sql::Blob(vec![0, 255, 46]),
            Sql::Null,
        ] {
            let after = After { key, n: 7 };
            assert_eq!(After::read(&after.text()), Some(after));
        }
        for bad in ["", ".", "i.1", "bé.1", "b0.1", "z1.1", "tff.1", "i1.x", "é.1"] {
            assert_eq!(After::read(bad), None, "{bad}");
        }
    }
}
