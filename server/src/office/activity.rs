//! Activity: what each person did in a period, what came of it, and whom they neglect.
//!
//! Interactions are counted for who wrote them down; tasks, visits that were planned, new and neglected
//! contacts for who owns the contact. What each figure means is in `docs/office.md`.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use maud::{Markup, html};
use roadbook_protocol::ids::{Cursor, UnixMs, UserId};
use rusqlite::{Connection, params};
use serde::Deserialize;

use super::charts::{self, Bar};
use super::devices::{self, Freshness};
use super::error::OfficeError;
use super::layout::{self, Page, Place};
use super::session::Viewer;
use super::value::today_of;
use super::who::{self, Chosen};
use super::{OfficeState, decide, url, words};
use crate::insight::{Day, date};
use crate::store::{self, workspaces};

/// The periods there are, in days.
const PERIODS: [u32; 4] = [7, 30, 90, 365];
/// A visit is a hit if the contact bought, or a deal was won, within so many days.
const HIT_DAYS: i64 = 30;
const DAY_MS: UnixMs = 24 * 60 * 60 * 1000;
/// More bars than this are weeks.
const BARS_MAX: usize = 31;

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    who: String,
    #[serde(default)]
    days: Option<u32>,
}

impl Ask {
    fn days(&self) -> u32 {
        self.days.filter(|days| PERIODS.contains(days)).unwrap_or(30)
    }
}

/// What is counted of one person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub visits: u64,
    pub calls: u64,
    pub others: u64,
    /// Visits after which something was bought or won.
    pub hits: u64,
    pub new: u64,
    pub tasks: u64,
    pub tasks_done: u64,
    /// Visits that were planned for a day that is past.
    pub missed: u64,
    pub cadence: u64,
    pub neglected: u64,
}

impl Done {
    fn add(&mut self, other: &Done) {
        self.visits += other.visits;
        self.calls += other.calls;
        self.others += other.others;
        self.hits += other.hits;
        self.new += other.new;
        self.tasks += other.tasks;
        self.tasks_done += other.tasks_done;
        self.missed += other.missed;
        self.cadence += other.cadence;
        self.neglected += other.neglected;
    }
}

struct Activity {
    done: BTreeMap<UserId, Done>,
    /// Visits and calls per day since 1970.
    per_day: BTreeMap<i64, (u64, u64)>,
    chosen: Chosen,
    fresh: Vec<Freshness>,
    to_decide: u64,
    cursor: Cursor,
}

/// `GET /activity`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Markup, OfficeError> {
    let now = state.now();
    let (rights, asked) = (viewer.rights.clone(), ask.clone());
    let activity = state
        .read(move |conn| {
            let cursor = workspaces::cursor(conn, rights.workspace)?;
            let chosen = Chosen::read(conn, &rights, &asked.who)?;
            let (done, per_day) = count(conn, &chosen, asked.days(), now)?;
            Ok(Activity {
                done,
                per_day,
                fresh: devices::freshness(conn, &rights, now)?,
                to_decide: decide::count(conn, &rights)?,
                chosen,
                cursor,
            })
        })
        .await?;
    let page = Page {
        viewer: &viewer,
        title: &t!("nav-activity"),
        place: Some(Place::Activity),
        to_decide: activity.to_decide,
        cursor: Some(activity.cursor),
        contact: None,
        body: render(&ask, &activity, now),
    };
    Ok(page.render())
}

type Counted = (BTreeMap<UserId, Done>, BTreeMap<i64, (u64, u64)>);

/// Counts what the chosen people did up to now.
pub(super) fn count(
    conn: &Connection,
    chosen: &Chosen,
    days: u32,
    now: UnixMs,
) -> store::Result<Counted> {
    let today = now.div_euclid(DAY_MS);
    // Whole days: today and those before it.
    let from = (today + 1 - i64::from(days)) * DAY_MS;
    let workspace = chosen.workspace();
    let id = workspace.as_bytes();
    let mut done: BTreeMap<UserId, Done> = chosen
        .users
        .iter()
        .filter(|user| chosen.shows(user.id))
        .map(|user| (user.id, Done::default()))
        .collect();
    let mut per_day: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    let mut of = |user: Option<[u8; 16]>, add: Done| {
        let one = user.map(UserId::from_bytes).and_then(|user| done.get_mut(&user));
        one.map(|one| one.add(&add)).is_some()
    };
    let mut statement = conn.prepare_cached(
        "SELECT by, kind, at / 86400000, count(*) FROM interaction INDEXED BY interaction_by_time
         WHERE workspace = ? AND at >= ? AND at <= ? AND n NOT IN (SELECT n FROM canary)
         GROUP BY 1, 2, 3",
    )?;
    let mut rows = statement.query(params![id, from, now])?;
    while let Some(row) = rows.next()? {
        let (kind, day, count): (String, i64, u64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let add = match kind.as_str() {
            "visit" => Done { visits: count, ..Done::default() },
            "call" => Done { calls: count, ..Done::default() },
            "note" => continue,
            _ => Done { others: count, ..Done::default() },
        };
        if of(row.get(0)?, add) {
            let of_day = per_day.entry(day).or_default();
            of_day.0 += add.visits;
            of_day.1 += add.calls;
        }
    }
    let mut statement = conn.prepare_cached(
        "SELECT i.by, count(*) FROM interaction i INDEXED BY interaction_by_time
         WHERE i.workspace = ?1 AND i.at >= ?2 AND i.at <= ?3 AND i.kind = 'visit'
           AND i.n NOT IN (SELECT n FROM canary)
           AND (EXISTS (SELECT 1 FROM purchase b WHERE b.n = i.n
                        AND b.date BETWEEN date(i.at / 1000, 'unixepoch')
                                       AND date(i.at / 1000 + ?4, 'unixepoch'))
             OR EXISTS (SELECT 1 FROM deal_move m WHERE m.n = i.n AND m.stage = 'won'
                        AND m.at BETWEEN i.at AND i.at + ?4 * 1000))
         GROUP BY 1",
    )?;
    let mut rows = statement.query(params![id, from, now, HIT_DAYS * 86_400])?;
    while let Some(row) = rows.next()? {
        of(row.get(0)?, Done { hits: row.get(1)?, ..Done::default() });
    }
    // Ids of contacts begin with the time at which they were made.
    let mut first = [0_u8; 16];
    first[..6].copy_from_slice(&from.max(0).to_be_bytes()[2..]);
    let mut statement = conn.prepare_cached(
        "SELECT owner, count(*) FROM contact WHERE workspace = ? AND id >= ? AND cursor > 0
         AND erased_at IS NULL AND n NOT IN (SELECT n FROM canary) GROUP BY 1",
    )?;
    let mut rows = statement.query(params![id, first])?;
    while let Some(row) = rows.next()? {
        of(row.get(0)?, Done { new: row.get(1)?, ..Done::default() });
    }
    let (from_day, to_day) = (day_text(from), day_text(now));
    let mut statement = conn.prepare_cached(
        "SELECT c.owner, count(*), sum(t.done) FROM task t INDEXED BY task_by_due
         JOIN contact c ON c.n = t.n
         WHERE t.workspace = ? AND t.due >= ? AND t.due <= ? AND t.n NOT IN (SELECT n FROM canary)
         GROUP BY 1",
    )?;
    let mut rows = statement.query(params![id, from_day, to_day])?;
    while let Some(row) = rows.next()? {
        let add = Done { tasks: row.get(1)?, tasks_done: row.get(2)?, ..Done::default() };
        of(row.get(0)?, add);
    }
    let mut statement = conn.prepare_cached(
        "SELECT c.owner, count(*) FROM projection p INDEXED BY projection_by_visit
         JOIN contact c ON c.n = p.n
         WHERE p.workspace = ? AND p.archived = 0 AND p.next_visit IS NOT NULL AND p.next_visit < ?
           AND p.n NOT IN (SELECT n FROM canary)
         GROUP BY 1",
    )?;
    let mut rows = statement.query(params![id, to_day])?;
    while let Some(row) = rows.next()? {
        of(row.get(0)?, Done { missed: row.get(1)?, ..Done::default() });
    }
    let mut statement = conn.prepare_cached(
        "SELECT p.owner_login, count(*),
                sum((?2 - coalesce(p.last_contact_at, 0)) / 86400000
                    >= json_extract(p.row, '$.fields.cadence_days'))
         FROM projection p INDEXED BY projection_by_cadence
         WHERE p.workspace = ?1 AND p.archived = 0
           AND json_extract(p.row, '$.fields.cadence_days') > 0
           AND p.n NOT IN (SELECT n FROM canary)
         GROUP BY 1",
    )?;
    let mut rows = statement.query(params![id, now])?;
    while let Some(row) = rows.next()? {
        let add = Done { cadence: row.get(1)?, neglected: row.get(2)?, ..Done::default() };
        let login: Option<String> = row.get(0)?;
        let owner = chosen.users.iter().find(|user| Some(&user.login) == login.as_ref());
        of(owner.map(|user| *user.id.as_bytes()), add);
    }
    Ok((done, per_day))
}

fn day_text(ms: UnixMs) -> String {
    date(today_of(ms)).to_string()
}

fn render(ask: &Ask, activity: &Activity, now: UnixMs) -> Markup {
    let label = &who::period_name(ask.days());
    let mut all = Done::default();
    activity.done.values().for_each(|one| all.add(one));
    html! {
        div.bar {
            h1 { (t!("nav-activity")) }
            (layout::live_chip())
            (layout::unit("asof", html! { (layout::as_of(now)) " " (devices::behind(&activity.fresh, now)) }))
            span.grow {}
            form.inline-ask action="/activity" data-find { (activity.chosen.select()) (who::period(ask.days(), &PERIODS)) button.btn { (t!("show")) } }
        }
        (layout::unit("figures", figures(&all, label)))
        (layout::unit("people", people(activity, label)))
        (layout::unit("days", days(activity, ask.days(), today_of(now))))
    }
}

fn rate(part: u64, whole: u64) -> String {
    if whole == 0 {
        "–".to_owned()
    } else {
        format!("{:.0} %", part as f64 * 100.0 / whole as f64)
    }
}

fn figures(all: &Done, label: &str) -> Markup {
    html! {
        section.figs aria-label=(t!("figures-label")) data-counts {
            div.card.fig { span.k { (t!("visits")) } b { (layout::count(all.visits)) } span.asof { (t!("activity-calls-others", calls = all.calls, others = all.others, period = label)) } }
            div.card.fig { span.k { (t!("activity-hit-rate")) } b { (rate(all.hits, all.visits)) } span.asof { (t!("activity-hit-rule", n = HIT_DAYS)) } }
            div.card.fig { span.k { (t!("activity-tasks-done")) } b { (rate(all.tasks_done, all.tasks)) } span.asof { (t!("activity-of-due", done = all.tasks_done, n = all.tasks, period = label)) } }
            a.card.fig href=(url::with("/segments", &[("filter", "cadence:overdue")])) { span.k { (t!("activity-neglected")) } b { (layout::count(all.neglected)) } span.asof { (t!("activity-of-cadence", n = all.cadence)) } }
        }
    }
}

fn people(activity: &Activity, label: &str) -> Markup {
    let mut rows: Vec<_> = activity
        .chosen
        .users
        .iter()
        .filter_map(|user| Some((user, activity.done.get(&user.id)?)))
        // Who neither does nor owns anything (somebody of the office) would only fill the page.
        .filter(|(user, done)| **done != Done::default() || user.role == store::people::Role::Rep)
        .collect();
    rows.sort_by_key(|(user, done)| {
        (std::cmp::Reverse(done.visits + done.calls), user.name.clone())
    });
    html! {
        section.card.list aria-labelledby="people-title" {
            div.bar.pad { h2 #people-title { (t!("people")) } span.grow {} span.k { (label) } }
            @if rows.is_empty() { (layout::empty(&t!("nobody-yet"), html! { (rich!("activity-add-reps"; command = html! { span.mono { "roadbook-server user add LOGIN" } })) })) } @else {
                table {
                    caption.vh { (t!("activity-caption")) }
                    thead { tr {
                        th scope="col" { (t!("person")) } th.num scope="col" { (t!("visits")) } th.num scope="col" { (t!("calls")) } th.wide.num scope="col" { (t!("activity-other")) }
                        th.num scope="col" { (t!("activity-hit-rate")) } th.wide.num scope="col" { (t!("new-contacts")) } th.mid.num scope="col" { (t!("activity-tasks-done")) }
                        th.wide.num scope="col" { (t!("activity-overdue")) } th.mid.num scope="col" { (t!("activity-neglected")) }
                    } }
                    tbody { @for (user, done) in &rows {
                        tr {
                            th scope="row" { b { (user.name) } @if let Some(team) = &user.team { div.k { (t!("team-name", name = team.as_str())) } }
                                div.narrow.k { (t!("activity-narrow", new = done.new, done = done.tasks_done, tasks = done.tasks, neglected = done.neglected)) } }
                            td.num { (layout::count(done.visits)) }
                            td.num { (layout::count(done.calls)) }
                            td.wide.num { (layout::count(done.others)) }
                            td.num { (rate(done.hits, done.visits)) }
                            td.wide.num { (layout::count(done.new)) }
                            td.mid.num { (layout::count(done.tasks_done)) span.k { " " (t!("of-n", n = done.tasks)) } }
                            td.wide.num { @if done.missed > 0 { a href=(url::with("/segments", &[("filter", &format!("owner:\"{}\" next_visit:overdue", user.login))])) { (layout::count(done.missed)) } } @else { "0" } }
                            td.mid.num { @if done.neglected > 0 { a href=(url::with("/segments", &[("filter", &format!("owner:\"{}\" cadence:overdue", user.login))])) { (layout::count(done.neglected)) } span.k { " " (t!("of-n", n = done.cadence)) } } @else { "0" } }
                        }
                    } }
                }
            }
        }
    }
}

/// Visits and calls over time: by day, or by week where days would be too many.
fn days(activity: &Activity, days: u32, today: Day) -> Markup {
    let epoch = today_of(0);
    let last = i64::from(today) - i64::from(epoch);
    let step = if days as usize > BARS_MAX { 7 } else { 1 };
    let steps = (i64::from(days) + step - 1) / step;
    let slots: Vec<(i64, u64, u64)> = (0..steps)
        .rev()
        .map(|back| {
            let end = last - back * step;
            let within = activity.per_day.range(end - step + 1..=end);
            let (visits, calls) =
                within.fold((0, 0), |sum, (_, day)| (sum.0 + day.0, sum.1 + day.1));
            (end - step + 1, visits, calls)
        })
        .collect();
    let name = |day: i64| words::date(date((day + i64::from(epoch)) as Day), false);
    let bars: Vec<Bar> = slots
        .iter()
        .map(|(day, visits, calls)| Bar {
            label: name(*day),
            value: (visits + calls) as f64,
            text: t!("activity-bar", day = name(*day), visits = *visits, calls = *calls),
        })
        .collect();
    let rows: Vec<Vec<String>> = slots
        .iter()
        .rev()
        .map(|(day, visits, calls)| vec![name(*day), visits.to_string(), calls.to_string()])
        .collect();
    let unit = if step == 7 { t!("activity-by-week") } else { t!("activity-by-day") };
    html! {
        section.card.snug aria-labelledby="days-title" {
            div.bar { h2 #days-title { (t!("visits-and-calls")) } span.grow {} span.k { (unit) } }
            @if slots.iter().all(|(_, visits, calls)| visits + calls == 0) {
                (layout::empty(&t!("activity-none"), html! { (t!("activity-none-text")) }))
            } @else {
                (charts::bars(&format!("{}, {unit}", t!("visits-and-calls")), &bars, None))
                (charts::table(&[if step == 7 { t!("week-from") } else { t!("day") }, t!("visits"), t!("calls")], &rows))
            }
        }
    }
}
