//! Reading: lists, search, one contact, conflicts, history. Answers from rows wherever a row is
//! enough; a document is opened only for one contact.
//!
//! Everything that shows contacts asks the lease first, and fails with [`Error::LeaseEnded`] or
//! [`Error::Wiped`].

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, PoisonError};

use roadbook_protocol::document::{self, Authorship, Conflict, Contact, HistoryItem};
use roadbook_protocol::filter::{Filter, FilterContext, SqlFilter, SqlTarget, SqlValue};
use roadbook_protocol::fold;
use roadbook_protocol::ids::{ContactId, UnixMs, UserId};
use roadbook_protocol::projection::Row;
use rusqlite::types::Value as SqlParam;
use rusqlite::{Connection, params, params_from_iter};
use serde::{Deserialize, Serialize};

use crate::documents::contained;
use crate::error::{Error, Result};
use crate::replica::Replica;
use crate::store::projections::parse;
use crate::store::{contacts, lists, projections};

/// Totals of at most so many lists are kept at a time.
const TOTALS_KEPT: usize = 16;

/// In which order a list comes. Contacts without the value come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// By family name, given name, company.
    #[default]
    Name,
    /// By company, then name.
    Company,
    /// By city, then name.
    City,
    /// Latest edit first.
    Touched,
    /// Soonest visit first.
    NextVisit,
    /// Latest contact first.
    LastContact,
}

impl Sort {
    /// All of them.
    pub const ALL: [Sort; 6] =
        [Sort::Name, Sort::Company, Sort::City, Sort::Touched, Sort::NextVisit, Sort::LastContact];

    /// Its name, as options and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Company => "company",
            Sort::City => "city",
            Sort::Touched => "touched",
            Sort::NextVisit => "next_visit",
            Sort::LastContact => "last_contact",
        }
    }

    pub(crate) fn sql(self) -> &'static str {
        match self {
            Sort::Name => "p.sort_key, p.num",
            Sort::Company => "p.company_key IS NULL, p.company_key, p.sort_key, p.num",
            Sort::City => "p.city_key IS NULL, p.city_key, p.sort_key, p.num",
            Sort::Touched => "p.touched_at DESC, p.num DESC",
            Sort::NextVisit => "p.next_visit IS NULL, p.next_visit, p.sort_key, p.num",
            Sort::LastContact => {
                "p.last_contact_at IS NULL, p.last_contact_at DESC, p.sort_key, p.num"
            }
        }
    }
}

impl std::str::FromStr for Sort {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Sort::ALL.into_iter().find(|sort| sort.as_str() == text).ok_or_else(|| {
            format!(
                "`{text}` is no order; there are name, company, city, touched, next_visit and last_contact"
            )
        })
    }
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// In the filter grammar; `None` lists everything that is not archived.
    pub filter: Option<String>,
    /// The order.
    pub sort: Sort,
    /// At most so many rows.
    pub limit: usize,
    /// So many are left out at the beginning.
    pub offset: usize,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { filter: None, sort: Sort::Name, limit: 100, offset: 0 }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct List {
    /// The rows of this page.
    pub rows: Vec<Row>,
    /// How many there are on all pages.
    pub total: usize,
}

/// How many contacts a filter selects: kept while nothing is written, since counting 10,000 takes longer
/// than the page of 50 that is shown of them.
#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<(u64, Vec<(SqlFilter, usize)>)>);

impl Totals {
    /// What [`Self::keep`] was told of this state of the file.
    fn of(&self, state: u64, filter: &SqlFilter) -> Option<usize> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, totals) = &*kept;
        totals.iter().find(|(one, _)| *of == state && one == filter).map(|(_, total)| *total)
    }

    fn keep(&self, state: u64, filter: SqlFilter, total: usize) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, totals) = &mut *kept;
        if *of != state || totals.len() == TOTALS_KEPT {
            (*of, *totals) = (state, Vec::new());
        }
        totals.push((filter, total));
    }
}

impl Replica {
    /// Lists contacts by filter and order.
    ///
    /// # Errors
    /// [`Error::Filter`] with the position of what can't be read.
    pub fn list(&self, query: &ListQuery) -> Result<List> {
        self.may_read()?;
        let filter = self.sql_filter(query.filter.as_deref())?;
        let state = self.inner.store.state();
        self.read(|conn| {
            let values = || filter.params.iter().map(param);
            // The page is chosen from an index alone; only then its rows are read.
            let order = query.sort.sql();
            let mut statement = conn.prepare_cached(&format!(
                "SELECT r.row FROM (SELECT p.num FROM projection p WHERE {} ORDER BY {order}
                                    LIMIT ? OFFSET ?) page
                 JOIN projection r ON r.num = page.num ORDER BY {}",
                filter.clause,
                order.replace("p.", "r."),
            ))?;
            let page = [query.limit, query.offset]
                .map(|n| SqlParam::Integer(i64::try_from(n).unwrap_or(i64::MAX)));
            let mut found = statement.query(params_from_iter(values().chain(page)))?;
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                rows.push(parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
            }
            // The transaction has begun to read: what it sees is of that state if it still is the state.
            let state = state.filter(|_| state == self.inner.store.state());
            if let Some(total) = state.and_then(|state| self.inner.totals.of(state, &filter)) {
                return Ok(List { rows, total });
            }
            let total: i64 = conn
                .prepare_cached(&format!(
                    "SELECT count(*) FROM projection p WHERE {}",
                    filter.clause
                ))?
                .query_row(params_from_iter(values()), |row| row.get(0))?;
            let total = usize::try_from(total).unwrap_or(0);
            if let Some(state) = state {
                self.inner.totals.keep(state, filter.clone(), total);
            }
            Ok(List { rows, total })
        })
    }

    /// The ids of all contacts that match a filter, by name.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn ids(&self, filter: Option<&str>) -> Result<Vec<ContactId>> {
        self.may_read()?;
        let filter = self.sql_filter(filter)?;
        self.read(|conn| {
            let mut statement = conn.prepare_cached(&format!(
                "SELECT p.id FROM projection p WHERE {} ORDER BY p.sort_key, p.num",
                filter.clause
            ))?;
            let rows = statement
                .query_map(params_from_iter(filter.params.iter().map(param)), |row| {
                    Ok(ContactId::from_bytes(row.get(0)?))
                })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn sql_filter(&self, filter: Option<&str>) -> Result<SqlFilter> {
        let context = FilterContext { today: self.today(), now_ms: self.now_ms() };
        let filter = Filter::parse(filter.unwrap_or_default())?.hiding_archived();
        Ok(filter.to_sql(&context, SqlTarget::Device)?)
    }

    /// In which state each contact is, archived ones too: where it is another one than before, the
    /// contact has changed. The numbers mean nothing else, and hold for this process only.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn states(&self) -> Result<HashMap<ContactId, u64>> {
        self.may_read()?;
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT c.id, c.heads FROM projection p JOIN contact c ON c.num = p.num",
            )?;
            let rows = statement.query_map([], |row| {
                let mut hasher = DefaultHasher::new();
                hasher.write(row.get_ref(1)?.as_blob()?);
                Ok((ContactId::from_bytes(row.get(0)?), hasher.finish()))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Searches as somebody types: every word, as the beginning of a word in any field, folded, the
    /// best first. Empty text finds nothing.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn search(&self, text: &str, limit: usize) -> Result<Vec<Row>> {
        self.may_read()?;
        let Some(question) = fold::fts_query(text) else { return Ok(Vec::new()) };
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT p.row FROM (SELECT rowid AS num, rank FROM search WHERE search MATCH ?1
                                    ORDER BY rank LIMIT ?2) s
                 JOIN projection p ON p.num = s.num ORDER BY s.rank",
            )?;
            let mut found =
                statement.query(params![question, i64::try_from(limit).unwrap_or(i64::MAX)])?;
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                rows.push(parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
            }
            Ok(rows)
        })
    }

    /// The contact, opened.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Damaged`] where its document can't be opened (it is fetched
    /// again then).
    pub fn contact(&self, id: ContactId) -> Result<Contact> {
        self.may_read()?;
        let doc = self.document(id)?;
        contained(|| format!("contact {id}"), || document::read(id, &doc))
    }

    /// The row of a contact, without opening its document.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn row(&self, id: ContactId) -> Result<Row> {
        self.may_read()?;
        self.read(|conn| {
            let row = contacts::find(conn, id)?.ok_or_else(|| Error::no_contact(id))?;
            projections::get(conn, row.num)?.ok_or_else(|| Error::no_contact(id))
        })
    }

    /// The contact whose id begins with `prefix` (with or without hyphens).
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Ambiguous`] with some of those that fit.
    pub fn resolve_id(&self, prefix: &str) -> Result<ContactId> {
        let missing = || Error::no_contact(format!("`{prefix}`"));
        let wanted: String =
            prefix.chars().filter(|c| *c != '-').collect::<String>().to_lowercase();
        if wanted.is_empty() || wanted.len() > 32 || !wanted.chars().all(|c| c.is_ascii_hexdigit())
        {
            return Err(missing());
        }
        let low = hex::decode(format!("{wanted:0<32}")).unwrap_or_default();
        let high = hex::decode(format!("{wanted:f<32}")).unwrap_or_default();
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id FROM contact WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 100",
            )?;
            let found = statement
                .query_map(params![low, high], |row| Ok(ContactId::from_bytes(row.get(0)?)))?
                .collect::<Result<Vec<_>, _>>()?;
            match found.as_slice() {
                [] => Err(missing()),
                [id] => Ok(*id),
                many => Err(Error::Ambiguous {
                    prefix: prefix.to_owned(),
                    count: many.len(),
                    examples: many
                        .iter()
                        .take(3)
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(", "),
                }),
            }
        })
    }

    /// The conflicts of one contact, or of all, by path.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn conflicts(&self, contact: Option<ContactId>) -> Result<Vec<Conflict>> {
        self.may_read()?;
        let ids = match contact {
            Some(id) => vec![id],
            None => self.read(with_conflicts)?,
        };
        let mut all = Vec::new();
        for id in ids {
            let doc = self.document(id)?;
            all.extend(contained(|| format!("contact {id}"), || document::conflicts(id, &doc))?);
        }
        Ok(all)
    }

    /// The newest `limit` changes of a contact, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn history(&self, id: ContactId, limit: usize) -> Result<Vec<HistoryItem>> {
        self.may_read()?;
        let doc = self.document(id)?;
        contained(|| format!("contact {id}"), || document::history(id, &doc, limit))
    }

    /// The contact as it was at a moment (milliseconds since 1970), by the claimed times of its
    /// changes.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn contact_as_of(&self, id: ContactId, at: UnixMs) -> Result<Contact> {
        self.may_read()?;
        let doc = self.document(id)?;
        contained(
            || format!("contact {id}"),
            || document::read_at(id, &doc, &document::heads_before(&doc, at)),
        )
    }

    /// Who wrote the value that each field of a contact has now, by path.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn authorship(&self, id: ContactId) -> Result<BTreeMap<String, Authorship>> {
        self.may_read()?;
        let doc = self.document(id)?;
        contained(|| format!("contact {id}"), || document::authorship(&doc))
    }

    /// The name of a user, from the directory; `None` for one that never wrote anything here.
    pub fn user_name(&self, user: UserId) -> Option<String> {
        self.read(|conn| lists::user_name(conn, user)).ok().flatten()
    }

    /// All users that the directory knows, with login and name, by login.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn users(&self) -> Result<Vec<roadbook_protocol::wire::DirectoryUser>> {
        self.read(lists::users)
    }
}

fn with_conflicts(conn: &Connection) -> Result<Vec<ContactId>> {
    let mut statement =
        conn.prepare_cached("SELECT id FROM projection WHERE conflicts > 0 ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok(ContactId::from_bytes(row.get(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn param(value: &SqlValue) -> SqlParam {
    match value {
        SqlValue::Text(text) => SqlParam::Text(text.clone()),
        SqlValue::Int(n) => SqlParam::Integer(*n),
        SqlValue::Real(n) => SqlParam::Real(*n),
        SqlValue::Null => SqlParam::Null,
    }
}
