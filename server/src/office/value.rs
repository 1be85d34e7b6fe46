//! Value: what customers bring. RFM as a grid, who moved in it, Pareto's curve, seasons, answers to
//! surveys, customers who have gone silent.
//!
//! Counted over the ledger of purchases in memory ([`Engine::ledger`]); what each figure means is in
//! [`crate::insight`] and in `docs/office.md`. Classes are those of the whole company; a manager of a
//! team sees their own customers in them.
//!
//! [`Engine::ledger`]: crate::engine::Engine::ledger

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::extract::{Query, State};
use chrono::{Months, NaiveDate};
use maud::Markup;
use roadbook_protocol::document::parse_money;
use roadbook_protocol::ids::{ContactId, Cursor, UnixMs};
use rusqlite::{Connection, params};
use serde::Deserialize;

use super::OfficeState;
use super::devices::{self, Freshness};
use super::error::OfficeError;
use super::layout::{Page, Place};
use super::session::Viewer;
use super::{decide, value_view};
use crate::engine::Reading;
use crate::insight::abc::{self, Class};
use crate::insight::habits::{self, Answers, Month};
use crate::insight::ledger::Ledger;
use crate::insight::rfm::{self, Customer, Group, Limits, Scores};
use crate::insight::{Day, date, day};
use crate::rights::{Rights, Scope};
use crate::store::canaries::AND_REAL;
use crate::store::{self, workspaces};

/// Customers who have gone silent that are named.
const SILENT_ROWS: usize = 20;
/// Answers with a comment that are shown.
const COMMENTS: usize = 8;
/// Months of the charts.
const MONTHS: u32 = 24;
/// Moves are told against so many months ago.
const BEFORE_MONTHS: u32 = 3;
/// How finely Pareto's curve is drawn.
const CURVE_STEPS: usize = 50;

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ask {
    /// `YYYY-MM-DD`; today where it is empty.
    #[serde(default)]
    pub as_of: String,
    #[serde(default)]
    pub currency: String,
    /// Months that count back from that day; all of time where it is empty.
    #[serde(default)]
    pub months: String,
    /// `limits`, or quintiles.
    #[serde(default)]
    pub by: String,
    /// Four limits each, separated by commas.
    #[serde(default)]
    pub recency: String,
    #[serde(default)]
    pub frequency: String,
    #[serde(default)]
    pub monetary: String,
}

/// The limits that a page begins with, as somebody would type them.
pub(super) const LIMITS: [&str; 3] = ["30, 90, 180, 365", "2, 3, 5, 10", "500, 2000, 5000, 20000"];

/// One cell of the grid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub customers: u64,
    pub amount: i64,
    /// The sum of their classes of monetary value.
    pub monetary: u64,
}

/// Totals in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Total {
    pub currency: String,
    pub customers: u64,
    pub purchases: u64,
    pub amount: i64,
}

/// One class of Pareto's curve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub customers: u64,
    pub amount: i64,
}

/// What is counted of purchases.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub currency: String,
    pub totals: Vec<Total>,
    /// `[recency - 1][frequency - 1]`.
    pub grid: [[Cell; 5]; 5],
    /// From a group (`None`: no customer yet) to a group.
    pub moves: BTreeMap<(Option<Group>, Group), u64>,
    pub classes: [Part; 3],
    pub curve: Vec<(f64, f64)>,
    pub months: Vec<Month>,
    pub season: Option<[f64; 12]>,
    /// Silent customers with the days, the largest first.
    pub silent: Vec<(Customer, i64)>,
    pub silent_all: u64,
}

/// A customer who has gone silent, with a name.
pub(super) struct Silent {
    pub id: ContactId,
    pub name: String,
    pub owner: Option<String>,
    pub customer: Customer,
    pub days: i64,
}

/// An answer to a survey with words.
pub(super) struct Comment {
    pub id: ContactId,
    pub name: String,
    pub at: UnixMs,
    pub nps: i64,
    pub text: String,
}

/// The answers of each month, by its first day, the oldest first.
type PerMonth = Vec<(NaiveDate, Answers)>;

/// Everything on the page.
pub(super) struct Value {
    pub counted: Counted,
    pub silent: Vec<Silent>,
    /// Per month, the oldest first.
    pub answers: PerMonth,
    pub comments: Vec<Comment>,
    pub fresh: Vec<Freshness>,
    pub incomplete: u64,
    pub as_of: Day,
    pub today: Day,
    /// When the purchases were read.
    pub read_at: UnixMs,
    pub problem: Option<String>,
    to_decide: u64,
    cursor: Cursor,
}

/// How customers are put into classes.
pub(super) enum Scoring {
    Quintiles,
    Limits(Limits),
}

/// What was asked for, understood.
pub(super) struct Wanted {
    pub as_of: Day,
    pub currency: String,
    pub months: Option<u32>,
    pub scoring: Scoring,
}

impl Ask {
    /// Understands what was asked; what can't be read is told, and left at its usual value.
    pub(super) fn understand(&self, today: Day, usual: &str) -> (Wanted, Option<String>) {
        let mut problem = None;
        let as_of = match self.as_of.trim() {
            "" => today,
            text => text.parse().map(day).unwrap_or_else(|_| {
                problem = Some(t!("value-no-day", text = text));
                today
            }),
        };
        let known = self.currency.trim();
        let currency = if known.is_empty() { usual } else { known }.to_ascii_uppercase();
        let months = self.months.parse().ok().filter(|months| (1..=1200).contains(months));
        let scoring = match self.by.as_str() {
            "limits" => match self.limits(&currency) {
                Ok(limits) => Scoring::Limits(limits),
                Err(text) => {
                    problem = Some(text);
                    Scoring::Quintiles
                }
            },
            _ => Scoring::Quintiles,
        };
        (Wanted { as_of, currency, months, scoring }, problem)
    }

    /// The limits as they stand in the form.
    pub(super) fn typed(&self) -> [&str; 3] {
        let mut typed = [self.recency.trim(), self.frequency.trim(), self.monetary.trim()];
        for (text, usual) in typed.iter_mut().zip(LIMITS) {
            if text.is_empty() {
                *text = usual;
            }
        }
        typed
    }

    fn limits(&self, currency: &str) -> Result<Limits, String> {
        let [recency, frequency, monetary] = self.typed();
        let whole = |text: &str| text.parse::<i64>().ok().filter(|n| *n >= 0);
        Ok(Limits {
            recency_days: four(&t!("value-name-recency"), recency, whole)?,
            purchases: four(&t!("value-name-frequency"), frequency, whole)?,
            amount: four(&t!("value-name-monetary"), monetary, |text| {
                parse_money(text, currency).ok()
            })?,
        })
    }
}

fn four(name: &str, text: &str, parse: impl Fn(&str) -> Option<i64>) -> Result<[i64; 4], String> {
    let found: Option<Vec<i64>> = text.split([',', ';']).map(|part| parse(part.trim())).collect();
    found
        .and_then(|found| <[i64; 4]>::try_from(found).ok())
        .filter(|found| found.is_sorted())
        .ok_or_else(|| t!("value-no-limits", text = text, name = name))
}

/// Counts what purchases tell. `seen` are the numbers of the contacts whose figures are shown; `None`
/// for all.
pub(super) fn count(ledger: &Ledger, wanted: &Wanted, seen: Option<&HashSet<i64>>) -> Counted {
    let shown = |n: i64| seen.is_none_or(|seen| seen.contains(&n));
    let back = |to: Day, months: u32| date(to).checked_sub_months(Months::new(months)).map(day);
    // The day itself is in it: 12 months up to 31 March begin on 1 April.
    let window = |to: Day| wanted.months.and_then(|months| back(to, months)).map(|from| from + 1);
    let mut counted = Counted::default();
    for account in &ledger.accounts {
        let mut customers = account.customers(window(wanted.as_of), wanted.as_of);
        customers.retain(|customer| shown(customer.n));
        if !customers.is_empty() {
            counted.totals.push(Total {
                currency: account.currency.clone(),
                customers: customers.len() as u64,
                purchases: customers.iter().map(|customer| u64::from(customer.purchases)).sum(),
                amount: customers.iter().fold(0, |sum, one| sum.saturating_add(one.amount)),
            });
        }
    }
    let Some(account) = ledger.account(&wanted.currency) else { return counted };
    counted.currency = account.currency.clone();
    let scored = |to: Day| -> Vec<(Customer, Scores)> {
        let customers = account.customers(window(to), to);
        let scores = match &wanted.scoring {
            Scoring::Quintiles => rfm::quintiles(&customers),
            Scoring::Limits(limits) => {
                customers.iter().map(|customer| rfm::by_limits(customer, to, limits)).collect()
            }
        };
        customers.into_iter().zip(scores).collect()
    };
    let now = scored(wanted.as_of);
    let amounts: Vec<i64> = now.iter().map(|(customer, _)| customer.amount).collect();
    for ((customer, _), class) in now.iter().zip(abc::classes(&amounts)) {
        if shown(customer.n) {
            let part = &mut counted.classes[class as usize];
            part.customers += 1;
            part.amount = part.amount.saturating_add(customer.amount);
        }
    }
    let before: HashMap<i64, Group> = back(wanted.as_of, BEFORE_MONTHS)
        .map(|then| scored(then).into_iter().map(|(c, scores)| (c.n, Group::of(scores))).collect())
        .unwrap_or_default();
    for (customer, scores) in now.iter().filter(|(customer, _)| shown(customer.n)) {
        let cell =
            &mut counted.grid[usize::from(scores.recency) - 1][usize::from(scores.frequency) - 1];
        cell.customers += 1;
        cell.amount = cell.amount.saturating_add(customer.amount);
        cell.monetary += u64::from(scores.monetary);
        let from = before.get(&customer.n).copied();
        *counted.moves.entry((from, Group::of(*scores))).or_default() += 1;
        // Silence is judged by the whole history, not by a window of it.
        if wanted.months.is_none()
            && let Some(days) = habits::silent_days(customer, wanted.as_of)
        {
            counted.silent.push((*customer, days));
        }
    }
    counted.silent_all = counted.silent.len() as u64;
    counted.silent.sort_by_key(|(customer, _)| (std::cmp::Reverse(customer.amount), customer.n));
    let own: Vec<i64> =
        now.iter().filter(|(c, _)| shown(c.n)).map(|(customer, _)| customer.amount).collect();
    counted.curve = abc::curve(&own, CURVE_STEPS);
    let entries: Vec<_> = match seen {
        None => account.entries.clone(),
        Some(_) => account.entries.iter().filter(|entry| shown(entry.n)).copied().collect(),
    };
    counted.months = habits::months(&entries, wanted.as_of, MONTHS);
    counted.season = habits::season(&entries, wanted.as_of);
    counted
}

impl Counted {
    /// The shares of customers at which A and B end.
    pub(super) fn marks(&self) -> Vec<(f64, &'static str)> {
        let all: u64 = self.classes.iter().map(|part| part.customers).sum();
        if all == 0 {
            return Vec::new();
        }
        let a = self.classes[Class::A as usize].customers;
        let b = a + self.classes[Class::B as usize].customers;
        vec![(a as f64 / all as f64, "A"), (b as f64 / all as f64, "B")]
    }
}

/// The contacts that somebody sees, by number; `None` for whoever sees all.
pub(super) fn seen(conn: &Connection, rights: &Rights) -> store::Result<Option<HashSet<i64>>> {
    if rights.scope == Scope::Everything {
        return Ok(None);
    }
    let sql =
        format!("SELECT p.n FROM projection p WHERE p.workspace = ?{}", rights.and_seen("p.id"));
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([rights.workspace.as_bytes()], |row| row.get(0))?;
    Ok(Some(rows.collect::<rusqlite::Result<_>>()?))
}

/// `GET /value`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    let now = state.now();
    let today = today_of(now);
    let (rights, asked, workspace) = (viewer.rights.clone(), ask.clone(), viewer.workspace);
    let value = state
        .engine_do(move |engine| {
            let (ledger, read_at) = engine.ledger(workspace)?;
            engine.read(|conn| read(conn, &rights, &asked, &ledger, (today, read_at, now)))
        })
        .await?;
    let named = value.silent.iter().map(|silent| silent.id);
    let shown = named.chain(value.comments.iter().map(|comment| comment.id)).collect();
    state.take(&viewer, Reading::List, shown).await?;
    let page = Page {
        viewer: &viewer,
        title: &t!("nav-value"),
        place: Some(Place::Value),
        to_decide: value.to_decide,
        cursor: Some(value.cursor),
        contact: None,
        body: value_view::render(&ask, &value, now),
    };
    Ok(page.render())
}

/// The calendar day at the server.
pub(super) fn today_of(now: UnixMs) -> Day {
    day(chrono::DateTime::from_timestamp_millis(now).unwrap_or_default().date_naive())
}

fn read(
    conn: &Connection,
    rights: &Rights,
    ask: &Ask,
    ledger: &Ledger,
    (today, read_at, now): (Day, UnixMs, UnixMs),
) -> store::Result<Value> {
    let cursor = workspaces::cursor(conn, rights.workspace)?;
    let usual = ledger.accounts.first().map_or("", |account| account.currency.as_str());
    let (wanted, problem) = ask.understand(today, usual);
    let counted = count(ledger, &wanted, seen(conn, rights)?.as_ref());
    let (answers, comments) = answers(conn, rights, wanted.as_of)?;
    Ok(Value {
        silent: named(conn, rights, &counted.silent)?,
        counted,
        answers,
        comments,
        fresh: devices::freshness(conn, rights, now)?,
        incomplete: ledger.incomplete,
        as_of: wanted.as_of,
        today,
        read_at,
        problem,
        to_decide: decide::count(conn, rights)?,
        cursor,
    })
}

/// The first of the silent customers that are not archived, with their names.
fn named(
    conn: &Connection,
    rights: &Rights,
    silent: &[(Customer, i64)],
) -> store::Result<Vec<Silent>> {
    let sql = format!(
        "SELECT p.id, p.display_name, coalesce(u.name, p.owner_login) FROM projection p
         LEFT JOIN user u ON u.workspace = p.workspace AND u.login = p.owner_login
         WHERE p.n = ? AND p.archived = 0{}",
        rights.and_seen("p.id")
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found = Vec::new();
    for (customer, days) in silent {
        if found.len() == SILENT_ROWS {
            break;
        }
        let mut rows = statement.query([customer.n])?;
        if let Some(row) = rows.next()? {
            let id = ContactId::from_bytes(row.get(0)?);
            let (name, owner) = (row.get(1)?, row.get(2)?);
            found.push(Silent { id, name, owner, customer: *customer, days: *days });
        }
    }
    Ok(found)
}

/// The answers of the last twelve months up to a day, and the newest with words.
fn answers(
    conn: &Connection,
    rights: &Rights,
    as_of: Day,
) -> store::Result<(PerMonth, Vec<Comment>)> {
    let months = habits::months(&[], as_of, 12);
    let mut answers: PerMonth =
        months.iter().map(|month| (month.start, Answers::default())).collect();
    let ms = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
    let from = months.first().map_or(0, |month| ms(month.start));
    let sql = format!(
        "SELECT i.at, i.nps, coalesce(i.comment, ''), p.id, p.display_name
         FROM interaction i INDEXED BY interaction_answers JOIN projection p ON p.n = i.n
         WHERE i.workspace = ? AND i.nps IS NOT NULL AND i.at >= ? AND i.at < ?{}{AND_REAL}
         ORDER BY i.at DESC",
        rights.and_seen("p.id")
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let until = ms(date(as_of + 1));
    let mut rows = statement.query(params![rights.workspace.as_bytes(), from, until])?;
    let mut comments = Vec::new();
    while let Some(row) = rows.next()? {
        let (at, nps): (UnixMs, i64) = (row.get(0)?, row.get(1)?);
        let when = chrono::DateTime::from_timestamp_millis(at).unwrap_or_default().date_naive();
        if let Some((_, month)) = answers.iter_mut().rev().find(|(start, _)| *start <= when) {
            month.add(nps);
        }
        if comments.len() < COMMENTS && row.get_ref(2)?.as_str().is_ok_and(|text| !text.is_empty())
        {
            let id = ContactId::from_bytes(row.get(3)?);
            comments.push(Comment { id, name: row.get(4)?, at, nps, text: row.get(2)? });
        }
    }
    Ok((answers, comments))
}
