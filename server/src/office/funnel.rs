//! Funnel: the board of deals by stage, what they are expected to bring, how many come through and how
//! long they stay. A move on the board is a change of the contact like any other.
//!
//! Reads the tables of deals and of their moves ([`store::facts`]); what each figure means is in
//! [`crate::insight::funnel`] and in `docs/office.md`. Amounts of two currencies are never added.
//!
//! [`store::facts`]: crate::store::facts

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use maud::Markup;
use roadbook_protocol::document::schema::STAGES;
use roadbook_protocol::ids::{ContactId, Cursor, EntryId, UnixMs};
use rusqlite::{Connection, params};
use serde::Deserialize;

use super::devices::{self, Freshness};
use super::error::OfficeError;
use super::layout::{Page, Place};
use super::session::Viewer;
use super::who::Chosen;
use super::{OfficeState, decide, funnel_view};
use crate::engine::Reading;
use crate::insight::funnel::{self, Funnel, Step};
use crate::store::chances::Chances;
use crate::store::{self, workspaces};

/// Deals of a stage that are shown as cards; the others are counted.
pub(super) const CARDS: usize = 24;
/// How far back the record and closed deals go, in days.
pub(super) const PERIODS: [u32; 4] = [30, 90, 365, 1_095];
const DAY_MS: UnixMs = 24 * 60 * 60 * 1000;

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    pub who: String,
    #[serde(default)]
    pub days: Option<u32>,
}

impl Ask {
    pub(super) fn days(&self) -> u32 {
        self.days.filter(|days| PERIODS.contains(days)).unwrap_or(90)
    }
    /// The address of the page, to come back to.
    pub(super) fn address(&self) -> String {
        super::url::with("/funnel", &[("who", &self.who), ("days", &self.days().to_string())])
    }
}

/// Amounts per currency.
pub(super) type Sums = BTreeMap<String, i64>;

/// One stage of the board.
#[derive(Debug, Default)]
pub(super) struct Column {
    pub stage: String,
    pub deals: u64,
    pub sums: Sums,
    /// What open ones are expected to bring.
    pub expected: Sums,
    pub cards: Vec<Card>,
}

/// A deal.
#[derive(Debug)]
pub(super) struct Card {
    pub contact: ContactId,
    pub deal: EntryId,
    pub name: String,
    pub owner: Option<String>,
    pub title: String,
    pub amount: Option<(i64, String)>,
    pub expected_close: Option<String>,
    pub entered_at: UnixMs,
}

/// Deals that were lost for one reason.
#[derive(Debug)]
pub(super) struct Lost {
    pub reason: Option<String>,
    pub deals: u64,
    pub sums: Sums,
}

/// Everything on the page.
pub(super) struct Board {
    pub columns: Vec<Column>,
    /// What is expected in each month, `YYYY-MM`; empty where no day is given.
    pub months: BTreeMap<String, Sums>,
    /// How probable a deal in each stage is where nobody judged it.
    pub chances: Chances,
    pub funnel: Funnel,
    pub lost: Vec<Lost>,
    pub chosen: Chosen,
    pub fresh: Vec<Freshness>,
    to_decide: u64,
    cursor: Cursor,
}

/// `GET /funnel`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    let now = state.now();
    let (rights, asked) = (viewer.rights.clone(), ask.clone());
    let board = state
        .read(move |conn| {
            let cursor = workspaces::cursor(conn, rights.workspace)?;
            let chosen = Chosen::read(conn, &rights, &asked.who)?;
            let from = now - DAY_MS * UnixMs::from(asked.days());
            let chances = Chances::read(conn, rights.workspace)?;
            let (columns, months) = columns(conn, &chosen, &chances, from)?;
            Ok(Board {
                columns,
                months,
                chances,
                funnel: record(conn, &chosen, from)?,
                lost: lost(conn, &chosen, from)?,
                fresh: devices::freshness(conn, &rights, now)?,
                to_decide: decide::count(conn, &rights)?,
                chosen,
                cursor,
            })
        })
        .await?;
    let shown =
        board.columns.iter().flat_map(|column| &column.cards).map(|card| card.contact).collect();
    state.take(&viewer, Reading::List, shown).await?;
    let page = Page {
        viewer: &viewer,
        title: &t!("nav-funnel"),
        place: Some(Place::Funnel),
        to_decide: board.to_decide,
        cursor: Some(board.cursor),
        contact: None,
        body: funnel_view::render(&viewer, &ask, &board, now),
    };
    Ok(page.render())
}

fn add(sums: &mut Sums, currency: Option<String>, amount: Option<i64>) {
    if let (Some(currency), Some(amount)) = (currency, amount) {
        let sum = sums.entry(currency).or_default();
        *sum = sum.saturating_add(amount);
    }
}

/// The board: all open deals, and those that were closed since `from`.
pub(super) fn columns(
    conn: &Connection,
    chosen: &Chosen,
    chances: &Chances,
    from: UnixMs,
) -> store::Result<(Vec<Column>, BTreeMap<String, Sums>)> {
    let whose = chosen.and_contacts("d.n");
    let usual: String = STAGES
        .iter()
        .filter_map(|stage| Some(format!("WHEN '{stage}' THEN {}", chances.of(stage)?)))
        .collect::<Vec<_>>()
        .join(" ");
    let sql = format!(
        "SELECT d.stage, d.currency, coalesce(substr(d.expected_close, 1, 7), ''), count(*), sum(d.amount),
                sum(d.amount * coalesce(min(max(d.probability, 0), 100), CASE d.stage {usual} ELSE 10 END) / 100)
         FROM deal d INDEXED BY deal_by_stage
         WHERE d.workspace = ?1 AND d.archived = 0
           AND (d.stage NOT IN ('won', 'lost') OR d.entered_at >= ?2){whose}
         GROUP BY 1, 2, 3"
    );
    let mut columns: Vec<Column> = STAGES
        .iter()
        .map(|stage| Column { stage: (*stage).to_owned(), ..Column::default() })
        .collect();
    let mut months: BTreeMap<String, Sums> = BTreeMap::new();
    let workspace = chosen.workspace();
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![workspace.as_bytes(), from])?;
    while let Some(row) = rows.next()? {
        let stage: String = row.get(0)?;
        let currency: Option<String> = row.get(1)?;
        // A deal without a stage, or in one that this version does not know, stands at the beginning.
        let at = columns.iter().position(|column| column.stage == stage).unwrap_or(0);
        let column = &mut columns[at];
        column.deals += row.get::<_, u64>(3)?;
        add(&mut column.sums, currency.clone(), row.get(4)?);
        if !matches!(stage.as_str(), funnel::WON | funnel::LOST) {
            let expected: Option<i64> = row.get(5)?;
            add(&mut column.expected, currency.clone(), expected);
            add(months.entry(row.get(2)?).or_default(), currency, expected);
        }
    }
    let known = STAGES.iter().map(|stage| format!("'{stage}'")).collect::<Vec<_>>().join(", ");
    for column in &mut columns {
        let which = match column.stage.as_str() {
            "lead" => format!("(d.stage = 'lead' OR d.stage NOT IN ({known}))"),
            stage @ (funnel::WON | funnel::LOST) => {
                format!("d.stage = '{stage}' AND d.entered_at >= {from}")
            }
            stage => format!("d.stage = '{stage}'"),
        };
        column.cards = cards(conn, chosen, &which)?;
    }
    Ok((columns, months))
}

/// The newest cards of a stage.
fn cards(conn: &Connection, chosen: &Chosen, which: &str) -> store::Result<Vec<Card>> {
    let sql = format!(
        "SELECT p.id, d.id, p.display_name, coalesce(u.name, p.owner_login), d.title, d.amount, d.currency,
                d.expected_close, d.entered_at
         FROM (SELECT d.n AS hit_n, d.entered_at AS hit_at FROM deal d INDEXED BY deal_by_stage
               WHERE d.workspace = ?1 AND d.archived = 0 AND {which}{}
               ORDER BY d.entered_at DESC LIMIT {CARDS}) AS hit
         JOIN deal d ON d.n = hit_n AND d.entered_at = hit_at AND d.archived = 0 AND {which}
         JOIN projection p ON p.n = d.n
         LEFT JOIN user u ON u.workspace = p.workspace AND u.login = p.owner_login
         GROUP BY d.n, d.id ORDER BY d.entered_at DESC, d.id LIMIT {CARDS}",
        chosen.and_contacts("d.n")
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([chosen.workspace().as_bytes()], |row| {
        let amount: Option<i64> = row.get(5)?;
        let currency: Option<String> = row.get(6)?;
        Ok(Card {
            contact: ContactId::from_bytes(row.get(0)?),
            deal: EntryId::from_bytes(row.get(1)?),
            name: row.get(2)?,
            owner: row.get(3)?,
            title: row.get(4)?,
            amount: amount.zip(currency),
            expected_close: row.get(7)?,
            entered_at: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The record of the deals that got their first stage since `from`.
pub(super) fn record(conn: &Connection, chosen: &Chosen, from: UnixMs) -> store::Result<Funnel> {
    let sql = format!(
        "SELECT m.n, m.deal, m.stage, m.at FROM deal_move m INDEXED BY deal_move_by_time
         WHERE m.workspace = ?1 AND m.at >= ?2
           AND EXISTS (SELECT 1 FROM deal d WHERE d.n = m.n AND d.id = m.deal AND d.archived = 0)
           AND NOT EXISTS (SELECT 1 FROM deal_move e WHERE e.n = m.n AND e.deal = m.deal AND e.at < ?2){}",
        chosen.and_contacts("m.n")
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut deals: BTreeMap<(i64, [u8; 16]), Vec<Step>> = BTreeMap::new();
    let mut rows = statement.query(params![chosen.workspace().as_bytes(), from])?;
    while let Some(row) = rows.next()? {
        let step = Step { stage: row.get(2)?, at: row.get(3)? };
        deals.entry((row.get(0)?, row.get(1)?)).or_default().push(step);
    }
    Ok(funnel::funnel(deals))
}

/// Why deals were lost since `from`, the most frequent reason first.
fn lost(conn: &Connection, chosen: &Chosen, from: UnixMs) -> store::Result<Vec<Lost>> {
    let sql = format!(
        "SELECT d.lost_reason, d.currency, count(*), sum(d.amount) FROM deal d
         WHERE d.workspace = ?1 AND d.archived = 0 AND d.stage = 'lost' AND d.entered_at >= ?2{}
         GROUP BY 1, 2",
        chosen.and_contacts("d.n")
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let mut found: BTreeMap<Option<String>, Lost> = BTreeMap::new();
    let mut rows = statement.query(params![chosen.workspace().as_bytes(), from])?;
    while let Some(row) = rows.next()? {
        let reason: Option<String> = row.get(0)?;
        let lost = found.entry(reason.clone()).or_insert_with(|| Lost {
            reason,
            deals: 0,
            sums: Sums::new(),
        });
        lost.deals += row.get::<_, u64>(2)?;
        add(&mut lost.sums, row.get(1)?, row.get(3)?);
    }
    let mut lost: Vec<Lost> = found.into_values().collect();
    lost.sort_by_key(|lost| std::cmp::Reverse(lost.deals));
    Ok(lost)
}
