//! The list of contacts: search as you type, the one filter grammar, sorting, pages.
//!
//! Reads the projection table and the full-text index, never a document. A page first finds the
//! numbers of its rows in an index, and only then reads those rows.

use axum::extract::{Query, State};
use maud::{Markup, html};
use roadbook_protocol::filter::{Filter, FilterContext, SqlTarget, SqlValue};
use roadbook_protocol::fold;
use roadbook_protocol::ids::{ContactId, Cursor, UnixMs};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params_from_iter};
use serde::Deserialize;

use super::contact_view::status_chip;
use super::error::OfficeError;
use super::fields;
use super::layout::{self, Page, Place, Shape};
use super::session::Viewer;
use super::{OfficeState, decide, url};
use crate::engine::Reading;
use crate::rights::Rights;
use crate::store::{self, workspaces};

/// Rows on a page.
const PAGE_ROWS: u64 = 50;
/// Matches are counted up to here; beyond it the page says "more than".
const COUNT_MAX: u64 = 10_000;
/// So many matches of a search are ranked; a search that finds more is told to say more.
const RANKED_MAX: u64 = 1_000;

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    q: String,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    page: Option<u64>,
}

impl Ask {
    /// The list of a filter.
    pub(super) fn of(filter: &str) -> Ask {
        Ask { filter: filter.to_owned(), ..Ask::default() }
    }

    /// The address of this list with another order or page.
    fn address(&self, sort: &str, page: u64) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        let sort = if sort == "name" { "" } else { sort };
        url::with(
            "/contacts",
            &[("q", &self.q), ("filter", &self.filter), ("sort", sort), ("page", &page)],
        )
    }
}

/// An order: its name in the address, its column, and its SQL.
struct Sort {
    name: &'static str,
    order: &'static str,
    /// Where a column that is not set has no place in the order.
    only: &'static str,
    /// The index that holds the order, of contacts that are not archived.
    index: &'static str,
}

impl Sort {
    /// What the order is called.
    fn called(&self) -> String {
        match self.name {
            "touched" => t!("contacts-latest-change"),
            "contacted" => t!("contacts-latest"),
            "silent" => t!("contacts-longest"),
            "visit" => t!("contacts-next-visit"),
            "due" => t!("contacts-next-task"),
            _ => t!("contacts-name"),
        }
    }
}

const SORTS: [Sort; 6] = [
    Sort { name: "name", order: "p.sort_key", only: "", index: "projection_list" },
    Sort { name: "touched", order: "p.touched_at DESC", only: "", index: "projection_by_touch" },
    Sort {
        name: "contacted",
        order: "p.last_contact_at DESC",
        only: " AND p.last_contact_at IS NOT NULL",
        index: "projection_by_contact",
    },
    Sort { name: "silent", order: "p.last_contact_at", only: "", index: "projection_by_contact" },
    Sort {
        name: "visit",
        order: "p.next_visit",
        only: " AND p.next_visit IS NOT NULL",
        index: "projection_by_visit",
    },
    Sort {
        name: "due",
        order: "p.next_due",
        only: " AND p.next_due IS NOT NULL",
        index: "projection_by_due",
    },
];

/// One row of the list.
#[derive(Debug, Clone)]
pub(super) struct Line {
    id: ContactId,
    name: String,
    company: Option<String>,
    status: Option<String>,
    category: Option<String>,
    city: Option<String>,
    country: Option<String>,
    owner: Option<String>,
    last_contact_at: Option<UnixMs>,
    next_visit: Option<String>,
    next_due: Option<String>,
    conflicts: u32,
}

/// The columns of a [`Line`], from `projection AS p` and `user AS u`.
const LINE: &str = "p.id, p.display_name, p.company, p.status, p.category, p.city, p.country, \
     coalesce(u.name, p.owner_login), p.last_contact_at, p.next_visit, p.next_due, p.conflicts";
const OWNER: &str = "LEFT JOIN user u ON u.workspace = p.workspace AND u.login = p.owner_login";

impl Line {
    fn read(row: &Row<'_>) -> rusqlite::Result<Line> {
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
            "SELECT {LINE} FROM contact c JOIN projection p ON p.n = c.n {OWNER} \
             WHERE c.workspace = ? AND c.id = ?"
        );
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows =
            statement.query_map([workspace.as_bytes().as_slice(), id.as_bytes()], Line::read)?;
        Ok(rows.next().transpose()?)
    }

    /// The contact.
    pub(super) fn id(&self) -> ContactId {
        self.id
    }

    /// What the contact is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn render(&self) -> Markup {
        let company = self.company.as_deref().filter(|company| *company != self.name);
        let town = [self.city.as_deref(), self.country.as_deref()]
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(", ");
        let owner = self.owner.as_deref();
        let content = html! {
            th scope="row" {
                a.name href={ "/contacts/" (self.id) } { (self.name) }
                @if self.conflicts > 0 {
                    " " span.chip.wait { (t!("n-conflicts", n = self.conflicts)) }
                }
                @if let Some(company) = company { div.k { (company) } }
                div.narrow.k {
                    @let status = self.status.as_deref().filter(|text| !text.is_empty()).map(fields::word);
                    @let parts = [Some(town.as_str()), status.as_deref(), owner];
                    (parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "))
                }
            }
            td.wide.muted { (town) }
            td.wide {
                (status_chip(self.status.as_deref().unwrap_or_default()))
                @if let Some(category) = self.category.as_deref().filter(|text| !text.is_empty()) { " " span.chip.brand { (category) } }
            }
            td.mid { @match owner { Some(owner) => (owner), None => span.muted { (t!("nobody")) } } }
            td.num.muted {
                @match self.last_contact_at { Some(at) => (layout::time(at, Shape::Short)), None => span title=(t!("contacts-silent-never")) { (t!("never")) } }
            }
            td.wide.num.muted {
                @if let Some(visit) = &self.next_visit { (layout::date(visit)) }
                @else if let Some(due) = &self.next_due { (layout::date(due)) }
                @else { "–" }
            }
        };
        html! { tr id={ "c-" (self.id) } data-rev=(layout::rev(&content)) { (content) } }
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
    total: Total,
    /// The search found more than is ranked.
    cut: bool,
    pub problem: Option<String>,
    /// All contacts of the workspace, archived ones left out.
    base: u64,
    pub to_decide: u64,
    pub cursor: Cursor,
}

/// `GET /contacts`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    let now = state.now();
    let (rights, asked) = (viewer.rights.clone(), ask.clone());
    let found = state
        .engine_do(move |engine| {
            if Filter::parse(&asked.filter).is_ok_and(|filter| filter.mentions_classes()) {
                engine.refresh_standings(rights.workspace)?;
            }
            engine.read(|conn| find(conn, &rights, &asked, now))
        })
        .await?;
    let shown = found.lines.iter().map(|line| line.id).collect();
    state.take(&viewer, Reading::List, shown).await?;
    let body = render(&viewer, &ask, &found, now);
    let page = Page {
        viewer: &viewer,
        title: &t!("contacts"),
        place: Some(Place::Contacts),
        to_decide: found.to_decide,
        cursor: Some(found.cursor),
        contact: None,
        body,
    };
    Ok(page.render())
}

/// The conditions of a list, with their parameters in order.
struct Conditions {
    text: String,
    params: Vec<Sql>,
    /// Whether archived contacts are left out: the partial indexes hold.
    live: bool,
    /// Whether nothing else is asked.
    plain: bool,
}

fn conditions(
    rights: &Rights,
    filter: &str,
    sort: &Sort,
    now: UnixMs,
) -> Result<Conditions, String> {
    let plain = filter.trim().is_empty() && sort.only.is_empty();
    let filter = Filter::parse(filter).map_err(|error| error.to_string())?;
    let context = FilterContext {
        today: chrono::DateTime::from_timestamp_millis(now).unwrap_or_default().date_naive(),
        now_ms: now,
    };
    let mut text = "p.workspace = ?".to_owned();
    let mut params = vec![Sql::Blob(rights.workspace.as_bytes().to_vec())];
    // Spelled as the partial indexes have it, so that they are used.
    let live = !filter.mentions_archived();
    if live {
        text.push_str(" AND p.archived = 0");
    }
    text.push_str(sort.only);
    text.push_str(&rights.and_seen("p.id"));
    let sql = filter.to_sql(&context, SqlTarget::Server).map_err(|error| error.to_string())?;
    text.push_str(" AND ");
    text.push_str(&sql.clause);
    params.extend(sql.params.into_iter().map(|value| match value {
        SqlValue::Text(text) => Sql::Text(text),
        SqlValue::Int(n) => Sql::Integer(n),
        SqlValue::Real(n) => Sql::Real(n),
        SqlValue::Null => Sql::Null,
    }));
    Ok(Conditions { text, params, live, plain })
}

/// How many contacts a filter finds, however many that are; `None` where it can't be read.
pub(super) fn exact(
    conn: &Connection,
    rights: &Rights,
    filter: &str,
    now: UnixMs,
) -> store::Result<Option<u64>> {
    let Ok(Conditions { text, params, live, .. }) = conditions(rights, filter, &SORTS[0], now)
    else {
        return Ok(None);
    };
    let by = if live { "INDEXED BY projection_list" } else { "" };
    let sql = format!("SELECT count(*) FROM projection p {by} WHERE {text}");
    let mut statement = conn.prepare_cached(&sql)?;
    Ok(Some(statement.query_row(params_from_iter(params), |row| row.get(0))?))
}

pub(super) fn find(
    conn: &Connection,
    rights: &Rights,
    ask: &Ask,
    now: UnixMs,
) -> store::Result<Found> {
    let workspace = rights.workspace;
    let sort = SORTS.iter().find(|sort| sort.name == ask.sort).unwrap_or(&SORTS[0]);
    let mut found = Found {
        lines: Vec::new(),
        total: Total::Exactly(0),
        cut: false,
        problem: None,
        base: conn
            .prepare_cached(&format!(
                "SELECT count(*) FROM projection p INDEXED BY projection_list WHERE p.workspace = ? AND p.archived = 0{}",
                rights.and_seen("p.id")
            ))?
            .query_row([workspace.as_bytes()], |row| row.get(0))?,
        to_decide: decide::count(conn, rights)?,
        cursor: workspaces::cursor(conn, workspace)?,
    };
    let conditions = match conditions(rights, &ask.filter, sort, now) {
        Ok(conditions) => conditions,
        Err(problem) => {
            found.problem = Some(problem);
            return Ok(found);
        }
    };
    let offset = (ask.page.unwrap_or(1).clamp(1, 1_000_000) - 1) * PAGE_ROWS;
    match fold::fts_query(&ask.q) {
        Some(query) => search(conn, &conditions, &query, sort, offset, &mut found)?,
        None if ask.q.trim().is_empty() => browse(conn, &conditions, sort, offset, &mut found)?,
        // Something was typed, but no letter and no digit: nothing can match.
        None => {}
    }
    Ok(found)
}

fn browse(
    conn: &Connection,
    conditions: &Conditions,
    sort: &Sort,
    offset: u64,
    found: &mut Found,
) -> store::Result<()> {
    let Conditions { text, params, live, plain } = conditions;
    // Told which index to take: without statistics the planner may read 100,000 wide rows instead.
    let by = |index: &str| if *live { format!("INDEXED BY {index}") } else { String::new() };
    let sql = format!(
        "SELECT {LINE} FROM (SELECT p.n AS hit FROM projection p {} WHERE {text} ORDER BY {} LIMIT {PAGE_ROWS} OFFSET {offset}) \
         JOIN projection p ON p.n = hit {OWNER} ORDER BY {}",
        by(sort.index),
        sort.order,
        sort.order
    );
    let mut statement = conn.prepare_cached(&sql)?;
    found.lines = statement
        .query_map(params_from_iter(params), Line::read)?
        .collect::<rusqlite::Result<_>>()?;
    let read = found.lines.len() as u64;
    found.total = if *plain {
        // Without a filter the number of all is known already.
        Total::Exactly(found.base)
    } else if read < PAGE_ROWS && (read > 0 || offset == 0) {
        // This is the last page: counting would only judge every row once more.
        Total::Exactly(offset + read)
    } else {
        let counted: u64 = conn
            .prepare_cached(&format!(
                "SELECT count(*) FROM (SELECT 1 FROM projection p {} WHERE {text} LIMIT {})",
                by("projection_list"),
                COUNT_MAX + 1
            ))?
            .query_row(params_from_iter(params), |row| row.get(0))?;
        if counted > COUNT_MAX { Total::MoreThan(COUNT_MAX) } else { Total::Exactly(counted) }
    };
    Ok(())
}

fn search(
    conn: &Connection,
    conditions: &Conditions,
    query: &str,
    sort: &Sort,
    offset: u64,
    found: &mut Found,
) -> store::Result<()> {
    let Conditions { text, params, .. } = conditions;
    let weights = fold::FTS_COLUMNS
        .iter()
        .map(|(_, weight)| weight.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    // The best match first, unless another order was asked for.
    let order = if sort.name == "name" { "score, p.sort_key" } else { sort.order };
    let hits = format!(
        "SELECT search.rowid AS hit, bm25(search, {weights}) AS score \
         FROM search JOIN projection p ON p.n = search.rowid \
         WHERE search MATCH ? AND {text} LIMIT {}",
        RANKED_MAX + 1
    );
    let sql = format!(
        "SELECT {LINE}, count(*) OVER () FROM ({hits}) JOIN projection p ON p.n = hit {OWNER} \
         ORDER BY {order} LIMIT {PAGE_ROWS} OFFSET {offset}"
    );
    let mut all = vec![Sql::Text(query.to_owned())];
    all.extend(params.iter().cloned());
    let mut statement = conn.prepare_cached(&sql)?;
    let mut counted = 0;
    found.lines = statement
        .query_map(params_from_iter(all), |row| {
            counted = row.get(12)?;
            Line::read(row)
        })?
        .collect::<rusqlite::Result<_>>()?;
    found.cut = counted > RANKED_MAX;
    found.total = if found.cut { Total::MoreThan(RANKED_MAX) } else { Total::Exactly(counted) };
    Ok(())
}

fn render(viewer: &Viewer, ask: &Ask, found: &Found, now: UnixMs) -> Markup {
    let problem = found.problem.as_deref();
    html! {
        div.bar {
            h1 { (t!("contacts")) }
            (layout::live_chip())
            (layout::unit("asof", layout::as_of(now)))
            @if viewer.edits() { span.grow {} (new_contact(viewer)) }
        }
        form.find action="/contacts" role="search" data-find {
            div.kbd { label for="q" { (t!("contacts-search")) }
                input #q type="search" name="q" value=(ask.q) placeholder=(t!("contacts-search-hint")) autocomplete="off" spellcheck="false"; kbd aria-hidden="true" { "/" } }
            div { label for="filter" { (t!("filter")) }
                input #filter name="filter" value=(ask.filter) placeholder="status:customer city:Berlin contacted:>60d" autocomplete="off" spellcheck="false" autocapitalize="none" aria-describedby="filter-problem"; }
            div { label for="sort" { (t!("contacts-order")) }
                select #sort name="sort" { @for sort in &SORTS { option value=(sort.name) selected[sort.name == ask.sort] { (sort.called()) } } } }
            button.btn { (t!("contacts-find")) }
        }
        (layout::unit("problem", html! {
            @match problem {
                Some(problem) => {
                    @let (text, names) = problem.split_once(" Names are:").map_or((problem, None), |(text, names)| (text, Some(names)));
                    div.notice.stop #filter-problem role="alert" {
                        p { (text) }
                        @if let Some(names) = names { details { summary { (t!("contacts-all-names")) } p { (names) } } }
                    }
                },
                None => p.hint #filter-problem { (rich!("contacts-try"; a = try_filter("contacted:>60d"), b = try_filter("conflicts:>0"), c = try_filter("due:overdue"), d = try_filter("owner:none"))) },
            }
        }))
        (results(ask, found))
    }
}

fn try_filter(filter: &str) -> Markup {
    html! { a.mono href=(url::with("/contacts", &[("filter", filter)])) { (filter) } }
}

pub(super) fn results(ask: &Ask, found: &Found) -> Markup {
    let total = match found.total {
        Total::Exactly(n) => t!("n-contacts", n = n),
        Total::MoreThan(n) => t!("contacts-more-than", n = n),
    };
    let page = ask.page.unwrap_or(1).max(1);
    let known = match found.total {
        Total::Exactly(n) | Total::MoreThan(n) => n,
    };
    let last = match found.total {
        Total::Exactly(n) => Some(n.div_ceil(PAGE_ROWS).max(1)),
        Total::MoreThan(_) => None,
    };
    let more = found.lines.len() as u64 == PAGE_ROWS
        && last.is_none_or(|last| page < last)
        && (!found.cut || page * PAGE_ROWS < known);
    let asked = !ask.q.trim().is_empty() || !ask.filter.trim().is_empty();
    let content = html! {
        @if found.problem.is_none() { section.card.list aria-labelledby="count" {
            table {
                caption.vh { (t!("contacts")) }
                thead { tr {
                    th scope="col" { (t!("contact")) } th.wide scope="col" { (t!("contacts-city")) } th.wide scope="col" { (t!("status")) }
                    th.mid scope="col" { (t!("owner")) } th.num scope="col" { (t!("contacts-latest")) } th.wide.num scope="col" { (t!("contacts-next")) }
                } }
                tbody { @for line in &found.lines { (line.render()) } }
            }
            @if found.lines.is_empty() {
                @if asked {
                    (layout::empty(&t!("nothing-fits"), html! { (rich!("contacts-none-fit-text"; link = html! { a href="/contacts" { (t!("contacts-see-all")) } })) }))
                } @else {
                    (layout::empty(&t!("contacts-none"), html! { (rich!("contacts-none-text"; command = html! { span.mono { "roadbook-server import FILE --owner LOGIN" } })) }))
                }
            }
            nav.pager aria-label=(t!("pages")) {
                span.k #count role="status" {
                    @if asked { (t!("contacts-of", part = total, all = found.base)) } @else { (total) }
                    @if found.cut { (t!("contacts-cut", n = RANKED_MAX)) }
                }
                div.bar {
                    @if page > 1 { a.btn.small href=(ask.address(&ask.sort, page - 1)) rel="prev" { (t!("previous")) } }
                    @if page > 1 || more { span.k { @match last { Some(last) => (t!("page-of", page = page, pages = last)), None => (t!("page-number", page = page)) } } }
                    @if more { a.btn.small href=(ask.address(&ask.sort, page + 1)) rel="next" { (t!("next")) } }
                }
            }
        } }
    };
    layout::unit("results", content)
}

fn new_contact(viewer: &Viewer) -> Markup {
    html! {
        details.new #new {
            summary.btn.go { (t!("contacts-new")) }
            form.card.tight method="post" action="/contacts" {
                (layout::csrf(viewer))
                div.fields {
                    @for (name, label, kind) in [("name", t!("contacts-name"), "text"), ("company", t!("contacts-company"), "text"), ("phone", t!("contacts-phone"), "tel"), ("email", t!("contacts-email"), "email"), ("city", t!("contacts-city"), "text")] {
                        div { label for={ "new-" (name) } { (label) } input id={ "new-" (name) } name=(name) type=(kind) autocomplete="off"; }
                    }
                }
                div.bar { button.btn.go { (t!("contacts-create")) } span.hint { (t!("contacts-no-owner-yet")) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_what_was_asked() {
        let ask = Ask {
            q: "ø & co".into(),
            filter: "status:lead".into(),
            sort: "touched".into(),
            page: Some(3),
        };
        assert_eq!(
            ask.address("touched", 4),
            "/contacts?q=%C3%B8+%26+co&filter=status%3Alead&sort=touched&page=4"
        );
        assert_eq!(ask.address("name", 1), "/contacts?q=%C3%B8+%26+co&filter=status%3Alead");
    }
}
