//! Segments: who is meant by a filter. Ready-made ones, those that somebody saved, and a builder that
//! writes the one filter grammar; what is found can be exported, and given to somebody.
//!
//! Export and assigning are the commands of the shell in the viewer's name, with their rights, limits and
//! audit ([`crate::admin::execute`]).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use roadbook_protocol::document::CustomField;
use roadbook_protocol::filter::Filter;
use roadbook_protocol::ids::{Cursor, UnixMs};
use rusqlite::Connection;
use serde::Deserialize;

use super::contacts::{self, Found};
use super::devices::{self, Freshness};
use super::error::OfficeError;
use super::layout::{Page, Place};
use super::session::{Posted, Viewer};
use super::{OfficeState, lists, segments_view, url};
use crate::admin::execute::{Context, execute};
use crate::admin::request::{Assign, Call, ExportFormat, Request};
use crate::engine::{Engine, Reading};
use crate::rights::{Action, Decision, Rights, Scope};
use crate::store::people::{self, User};
use crate::store::segments::{self, Segment};
use crate::store::{self, custom_fields, workspaces};

/// A segment that everybody has.
pub(super) struct Ready {
    pub group: &'static str,
    pub name: &'static str,
    pub filter: &'static str,
    pub what: &'static str,
}

/// The classic bases, and the four of loyalty (attitude by the latest answer to a survey, behaviour by
/// recency; after Walker Information's loyalty matrix).
pub(super) const READY: [Ready; 11] = [
    Ready {
        group: "Bases",
        name: "Potential",
        filter: "purchases:0 -status:partner,lost",
        what: "never bought",
    },
    Ready {
        group: "Bases",
        name: "New",
        filter: "purchases:1 bought:<365d",
        what: "bought once, within a year",
    },
    Ready {
        group: "Bases",
        name: "Active",
        filter: "purchases:>=2 bought:<365d",
        what: "bought again, within a year",
    },
    Ready {
        group: "Bases",
        name: "Dormant",
        filter: "bought:>365d",
        what: "bought, then silent for a year",
    },
    Ready {
        group: "Bases",
        name: "Key accounts",
        filter: "abc:A or category:VIP,\"key account\"",
        what: "class A, or marked so",
    },
    Ready {
        group: "Care",
        name: "No contact for 60 days",
        filter: "contacted:>60d status:customer",
        what: "customers",
    },
    Ready {
        group: "Care",
        name: "Beyond their cadence",
        filter: "cadence:overdue",
        what: "contact is overdue",
    },
    Ready {
        group: "Loyalty",
        name: "Truly loyal",
        filter: "nps:>=7 recency:3..5",
        what: "content, and buying",
    },
    Ready {
        group: "Loyalty",
        name: "Accessible",
        filter: "nps:>=7 recency:1..2",
        what: "content, but not buying",
    },
    Ready {
        group: "Loyalty",
        name: "Trapped",
        filter: "nps:<7 recency:3..5",
        what: "not content, but buying",
    },
    Ready { group: "Loyalty", name: "High risk", filter: "nps:<7 recency:1..2", what: "neither" },
];

/// The time that one page may spend on counting other segments than the one that is asked for; what is beyond it
/// is counted behind the page, which is read again then.
const COUNTING_MAX: Duration = Duration::from_millis(5);
/// In so few contacts anything is counted in less than a millisecond.
const FEW_CONTACTS: u64 = 2_000;
/// A count is given again for so many times as long as the counting took.
const REST_FACTOR: u32 = 20;
/// Counts that are kept.
const COUNTS_MAX: usize = 4_096;

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ask {
    #[serde(default)]
    pub filter: String,
    /// A condition to be added: its field, how it compares, and with what.
    #[serde(default)]
    pub field: String,
    #[serde(default)]
    pub op: String,
    #[serde(default)]
    pub value: String,
    /// `or`: instead of the last condition; else beside all of them.
    #[serde(default)]
    pub join: String,
}

/// Counts of segments as they were counted last.
#[derive(Debug, Default)]
pub(super) struct Counts {
    known: Mutex<HashMap<String, Counted>>,
    /// Whether some are being counted behind the pages.
    behind: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    count: u64,
    cursor: Cursor,
    at: Instant,
    took: Duration,
}

/// What counts are asked for.
struct Counting<'a> {
    rights: &'a Rights,
    cursor: Cursor,
    now: UnixMs,
    /// How many contacts there are to count in.
    base: u64,
    /// The time that is left.
    left: Duration,
    /// What there was no time for.
    behind: Vec<String>,
    /// Whether something was written since one of the counts.
    old: bool,
}

fn key(rights: &Rights, filter: &str) -> String {
    format!("{}{}\n{filter}", rights.workspace, rights.and_seen("p.id"))
}

impl Counts {
    /// The counts of filters, as of `cursor` or of at most twenty times as long ago as the counting took; older
    /// ones, or `None`, where there is no time for it.
    fn of(
        &self,
        conn: &Connection,
        counting: &mut Counting<'_>,
        filters: &[&str],
    ) -> store::Result<Vec<Option<u64>>> {
        let mut counts = Vec::with_capacity(filters.len());
        for filter in filters {
            let known = self.known(counting.rights, filter);
            let fresh = known.is_some_and(|known| {
                known.cursor == counting.cursor || known.at.elapsed() < known.took * REST_FACTOR
            });
            let unknown = match counting.base {
                0..=FEW_CONTACTS => Duration::ZERO,
                _ => Duration::MAX,
            };
            let takes = known.map_or(unknown, |known| known.took);
            counting.old |= known.is_some_and(|known| known.cursor != counting.cursor);
            counts.push(if fresh {
                known.map(|known| known.count)
            } else if takes < counting.left {
                let counted = self.count(conn, counting.rights, filter, counting.now)?;
                counting.left = counting.left.saturating_sub(counted.took);
                Some(counted.count)
            } else {
                counting.behind.push((*filter).to_owned());
                known.map(|known| known.count)
            });
        }
        Ok(counts)
    }

    fn known(&self, rights: &Rights, filter: &str) -> Option<Counted> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key(rights, filter)).copied()
    }

    fn count(
        &self,
        conn: &Connection,
        rights: &Rights,
        filter: &str,
        now: UnixMs,
    ) -> store::Result<Counted> {
        let begun = Instant::now();
        let cursor = workspaces::cursor(conn, rights.workspace)?;
        let count = contacts::exact(conn, rights, filter, now)?.unwrap_or(0);
        let counted = Counted { count, cursor, at: Instant::now(), took: begun.elapsed() };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= COUNTS_MAX {
            known.clear();
        }
        known.insert(key(rights, filter), counted);
        Ok(counted)
    }
}

impl OfficeState {
    /// Counts behind the page what it had no time for; one page's at a time, the next one asks again.
    fn count_behind(&self, rights: Arc<Rights>, filters: Vec<String>, now: UnixMs) {
        if filters.is_empty() || self.counts().behind.swap(true, Ordering::AcqRel) {
            return;
        }
        let counting = Behind(self.clone());
        tokio::task::spawn_blocking(move || {
            let (engine, counts) = (counting.0.engine(), counting.0.counts());
            for filter in filters {
                let counted = engine.read(|conn| counts.count(conn, &rights, &filter, now));
                if let Err(error) = counted {
                    tracing::warn!(%error, "a segment could not be counted");
                }
            }
        });
    }
}

/// Counting behind the pages; when it ends, however it ends, another page may.
struct Behind(OfficeState);

impl Drop for Behind {
    fn drop(&mut self) {
        self.0.counts().behind.store(false, Ordering::Release);
    }
}

/// Everything on the page.
pub(super) struct Segments {
    pub filter: String,
    pub found: Found,
    /// How many there are; `None` where the filter can't be read.
    pub exact: Option<u64>,
    pub ready: Vec<Option<u64>>,
    pub saved: Vec<(Segment, Option<u64>)>,
    /// Filters whose counts are missing or old.
    pub behind: Vec<String>,
    /// Whether something was written since one of the counts.
    pub old: bool,
    /// Who may be given contacts.
    pub receivers: Vec<User>,
    /// The custom fields that the workspace has defined.
    pub defined: Vec<CustomField>,
    /// Lists that were handed to people.
    pub handed: Vec<lists::Shown>,
    pub fresh: Vec<Freshness>,
    pub exports: bool,
    pub mails: bool,
}

/// `GET /segments`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Query(ask): Query<Ask>,
) -> Result<Response, OfficeError> {
    if !ask.field.is_empty() {
        let filter = match segments_view::condition(&ask.field, &ask.op, ask.value.trim()) {
            Ok(condition) if ask.join == "or" => or_last(&ask.filter, &condition),
            Ok(condition) => format!("{} {condition}", in_brackets(&ask.filter)).trim().to_owned(),
            Err(problem) => return Err(OfficeError::Refused { reason: problem }),
        };
        return Ok(Redirect::to(&url::with("/segments", &[("filter", &filter)])).into_response());
    }
    let now = state.now();
    let (rights, filter, user) = (viewer.rights.clone(), ask.filter.trim().to_owned(), viewer.user);
    let shared = state.clone();
    let found = state
        .engine_do(move |engine| {
            engine.refresh_standings(rights.workspace)?;
            engine.read(|conn| read(conn, &shared, &rights, user, filter, now))
        })
        .await?;
    state.count_behind(Arc::new(viewer.rights.clone()), found.behind.clone(), now);
    let shown = found.found.lines.iter().map(|line| line.id()).collect();
    state.take(&viewer, Reading::List, shown).await?;
    let page = Page {
        viewer: &viewer,
        title: &t!("nav-segments"),
        place: Some(Place::Segments),
        to_decide: found.found.to_decide,
        cursor: Some(found.found.cursor),
        contact: None,
        body: segments_view::render(&viewer, &found, now),
    };
    Ok(page.render().into_response())
}

fn read(
    conn: &Connection,
    state: &OfficeState,
    rights: &Rights,
    user: roadbook_protocol::ids::UserId,
    filter: String,
    now: UnixMs,
) -> store::Result<Segments> {
    let cursor = workspaces::cursor(conn, rights.workspace)?;
    let ask = contacts::Ask::of(&filter);
    let found = contacts::find(conn, rights, &ask, false, now)?;
    let exact = match (&found.problem, found.total) {
        (Some(_), _) => None,
        (None, contacts::Total::Exactly(count)) => Some(count),
        (None, contacts::Total::MoreThan(_)) => contacts::exact(conn, rights, &filter, now)?,
    };
    let ready: Vec<&str> = READY.iter().map(|ready| ready.filter).collect();
    let saved = segments::visible(conn, rights.workspace, user)?;
    let own: Vec<&str> = saved.iter().map(|segment| segment.filter.as_str()).collect();
    let mut counting = Counting {
        rights,
        cursor,
        now,
        base: found.base,
        left: COUNTING_MAX,
        behind: Vec::new(),
        old: false,
    };
    let ready = state.counts().of(conn, &mut counting, &ready)?;
    let counts = state.counts().of(conn, &mut counting, &own)?;
    let (behind, old) = (counting.behind, counting.old);
    let mut receivers = people::list_users(conn, rights.workspace)?;
    let handed = lists::read(conn, rights, &receivers)?;
    receivers.retain(|user| {
        user.disabled_at.is_none() && rights.on_person(Action::GiveTo, user.id) == Decision::Allow
    });
    Ok(Segments {
        filter,
        found,
        exact,
        ready,
        saved: saved.into_iter().zip(counts).collect(),
        behind,
        old,
        receivers,
        defined: custom_fields::all(conn, rights.workspace)?,
        handed,
        fresh: devices::freshness(conn, rights, now)?,
        // As the command decides it: the whole base, or nothing.
        exports: rights.scope == Scope::Everything && rights.may(Action::Enter),
        mails: rights.may(Action::Administer),
    })
}

/// A filter in which the last condition or another one must hold.
fn or_last(filter: &str, condition: &str) -> String {
    let Some(mut parts) = segments_view::parts(filter) else {
        // `or` stands between the parts already.
        return format!("{} or {condition}", filter.trim());
    };
    let Some(last) = parts.pop() else { return condition.to_owned() };
    let group = last.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    // Only a group of alternatives is widened; any other bracket is one condition.
    let inner = group.filter(|inner| segments_view::parts(inner).is_none()).unwrap_or(&last);
    parts.push(format!("({inner} or {condition})"));
    parts.join(" ")
}

/// A filter that can stand beside a further condition: `or` binds weaker.
fn in_brackets(filter: &str) -> String {
    match segments_view::parts(filter) {
        Some(_) => filter.trim().to_owned(),
        None => format!("({})", filter.trim()),
    }
}

/// The filter as the list has it: without archived contacts, unless it speaks of them.
pub(super) fn as_listed(filter: &str) -> Result<String, OfficeError> {
    let parsed = Filter::parse(filter)
        .map_err(|error| OfficeError::Refused { reason: error.to_string() })?;
    Ok(match (filter.trim(), parsed.mentions_archived()) {
        ("", _) => "archived:no".to_owned(),
        (filter, true) => filter.to_owned(),
        (filter, false) => format!("({filter}) archived:no"),
    })
}

/// `POST /segments`: saves the filter under a name.
pub(super) async fn save(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Enter)?;
    let (name, filter) = (posted.fields.text("name"), posted.fields.text("filter"));
    if name.is_empty() || name.chars().count() > 80 {
        return Err(OfficeError::refused(t!("segments-no-name")));
    }
    Filter::parse(filter).map_err(|error| OfficeError::Refused { reason: error.to_string() })?;
    let segment = Segment {
        id: state.engine().random(),
        name: name.to_owned(),
        filter: filter.to_owned(),
        owner: posted.viewer.user,
        shared: posted.fields.has("shared") && posted.viewer.edits(),
    };
    let (workspace, now) = (posted.viewer.workspace, state.now());
    state.write(move |tx| segments::put(tx, workspace, &segment, now)).await?;
    Ok(Redirect::to(&url::with("/segments", &[("filter", filter)])).into_response())
}

/// `POST /segments/{id}/remove`
pub(super) async fn remove(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let missing = || OfficeError::NotFound { what: "segment" };
    let id = url::read_id(&id).ok_or_else(missing)?;
    let (workspace, owner) = (posted.viewer.workspace, posted.viewer.user);
    if !state.write(move |tx| segments::remove(tx, workspace, id, owner)).await? {
        return Err(missing());
    }
    Ok(Redirect::to("/segments").into_response())
}

/// `POST /segments/export`: what a filter finds, as CSV; with a channel only those who may be written to
/// over it.
pub(super) async fn export(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let viewer = &posted.viewer;
    let filter = Some(as_listed(posted.fields.text("filter"))?);
    let (format, channel) = (ExportFormat::Csv, posted.fields.text("channel").to_owned());
    let request = match channel.as_str() {
        "" => Request::Export { format, filter },
        _ => Request::ExportMailing { format, filter, channel, purpose: None },
    };
    let (workspace, by) = (viewer.workspace.to_string(), viewer.login.clone());
    let engine = state.engine().clone();
    let body = tokio::task::spawn_blocking(move || carry_out(&engine, workspace, by, request))
        .await
        .map_err(OfficeError::failed)?
        .map_err(OfficeError::from)?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"segment.csv\""),
    ];
    Ok((headers, body).into_response())
}

fn carry_out(
    engine: &Engine,
    workspace: String,
    by: String,
    request: Request,
) -> Result<Vec<u8>, crate::admin::request::Failure> {
    let mut body = Vec::new();
    let call = Call { workspace: Some(workspace), by: Some(by), request };
    execute(engine, &Context::default(), call, &[], &mut body)?;
    Ok(body)
}

/// What assigning would do, or did.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub moves: Vec<Moved>,
    /// So already: a number in both forms of the answer.
    pub unchanged: u64,
    pub changed: u64,
}

/// Contacts that go from one person to another.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Moved {
    pub from: String,
    pub to: String,
    pub contacts: u64,
}

/// `POST /segments/assign`: says what would go where; confirmed, it does it.
pub(super) async fn assign(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let viewer = &posted.viewer;
    viewer.must(Action::Create)?;
    let (filter, to) =
        (posted.fields.text("filter").to_owned(), posted.fields.text("to").to_owned());
    let confirmed = posted.fields.has("confirmed");
    let wanted = Assign {
        to: (!to.is_empty()).then(|| to.clone()),
        filter: Some(as_listed(&filter)?),
        dry_run: !confirmed,
        ..Assign::default()
    };
    let answer = state.command(viewer, Request::Assign(wanted)).await?;
    let told: Told = serde_json::from_value(answer.data).map_err(OfficeError::failed)?;
    let page = Page {
        viewer,
        title: &t!("segments-assign-title"),
        place: Some(Place::Segments),
        to_decide: 0,
        cursor: None,
        contact: None,
        body: segments_view::assigning(viewer, &filter, &to, &told, confirmed),
    };
    Ok(page.render().into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;

    #[test]
    fn what_a_page_has_no_time_for_is_counted_behind_it_and_known_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), EngineOptions::default()).unwrap();
        let rights = Rights::operator(engine.create_workspace("Ours").unwrap());
        let counts = Counts::default();
        let read = |base, cursor| {
            let mut counting = Counting {
                rights: &rights,
                cursor,
                now: 0,
                base,
                left: COUNTING_MAX,
                behind: Vec::new(),
                old: false,
            };
            let filters = ["city:a", "city:b"];
            let found = engine.read(|conn| counts.of(conn, &mut counting, &filters)).unwrap();
            (found, counting.behind, counting.old)
        };
        let both = vec!["city:a".to_owned(), "city:b".to_owned()];
        assert_eq!(read(FEW_CONTACTS + 1, 0), (vec![None, None], both, false));
        engine.read(|conn| counts.count(conn, &rights, "city:a", 0)).unwrap();
        let (found, behind, old) = read(FEW_CONTACTS + 1, 0);
        assert_eq!((found, old), (vec![Some(0), None], false));
        assert_eq!(behind, ["city:b"]);
        // In a small base all is counted at once, and told as old when something was written since.
        assert_eq!(read(FEW_CONTACTS, 0), (vec![Some(0), Some(0)], Vec::new(), false));
        assert!(read(FEW_CONTACTS, 1).2, "counts as of another cursor are old");
    }

    #[test]
    fn another_condition_stands_beside_the_last_one() {
        assert_eq!(or_last("", "city:a"), "city:a");
        assert_eq!(or_last("city:a", "city:b"), "(city:a or city:b)");
        assert_eq!(or_last("status:lead city:a", "city:b"), "status:lead (city:a or city:b)");
        let more = or_last("status:lead (city:a or city:b)", "city:c");
        assert_eq!(more, "status:lead (city:a or city:b or city:c)");
        assert_eq!(or_last("a:1 or b:2", "c:3"), "a:1 or b:2 or c:3");
        assert_eq!(or_last("not (tag:x tag:y)", "c:3"), "(not (tag:x tag:y) or c:3)");
    }
}
