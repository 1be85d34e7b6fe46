//! One thing done to many contacts: chosen in the list, shown before it is done, done while one looks on,
//! taken back as a whole.
//!
//! The work is the engine's ([`Engine::bulk_run`]): in slices, and what was done stands in the database, so
//! that this page shows it after a restart too and can go on. Reached only by who began it, and by
//! administrators.
//!
//! [`Engine::bulk_run`]: crate::engine::Engine::bulk_run

mod view;

pub(super) use view::form;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::Markup;
use roadbook_protocol::document::schema::{self, Kind};
use roadbook_protocol::ids::{ContactId, Cursor, UserId};
use rusqlite::{Connection, params_from_iter};

use super::contacts::{self, Ask};
use super::error::OfficeError;
use super::fields::Names;
use super::layout::{Page, Place};
use super::session::{Posted, Viewer};
use super::{OfficeState, decide, today};
use crate::engine::Reading;
use crate::rights::{Action, Decision, Rights};
use crate::store::bulk::{self, Bulk, ItemState, Stage, Tally, What};
use crate::store::people::{self, User};
use crate::store::{self, workspaces};

/// Contacts that are named, of each kind.
const NAMED_MAX: usize = 20;
/// Letters of a tag, as the form has it.
pub(super) const TAG_CHARS_MAX: usize = 100;
/// Earlier actions that are listed.
const EARLIER_MAX: usize = 50;

/// The statuses that there are.
pub(super) fn statuses() -> &'static [&'static str] {
    match schema::field("status").map(|spec| spec.kind) {
        Some(Kind::Choice(choices)) => choices,
        _ => &[],
    }
}

/// Whom somebody may give contacts to.
pub(super) fn receivers(conn: &Connection, rights: &Rights) -> store::Result<Vec<User>> {
    let mut receivers = people::list_users(conn, rights.workspace)?;
    receivers.retain(|user| {
        user.disabled_at.is_none() && rights.on_person(Action::GiveTo, user.id) == Decision::Allow
    });
    Ok(receivers)
}

/// A contact that is named.
struct Named {
    id: ContactId,
    /// `None` where it is not seen any more.
    name: Option<String>,
    state: ItemState,
    why: String,
}

/// Everything on the page of an action.
struct Sight {
    bulk: Bulk,
    tallies: Vec<Tally>,
    /// From where how many would come: owners, or statuses.
    from: Vec<(Option<String>, u64)>,
    named: Vec<Named>,
    names: Names,
    /// Whether it is being worked at now.
    runs: bool,
    to_decide: u64,
    cursor: Cursor,
}

impl Sight {
    fn count(&self, state: ItemState) -> u64 {
        self.tallies.iter().filter(|tally| tally.state == state).map(|tally| tally.count).sum()
    }
    /// Contacts that were erased since they were listed.
    fn missing(&self) -> u64 {
        let there: u64 = self.tallies.iter().map(|tally| tally.count).sum();
        self.bulk.chosen.saturating_sub(there)
    }
}

fn missing() -> OfficeError {
    OfficeError::NotFound { what: "thing" }
}

/// `POST /contacts/bulk`: writes down what would be done, and shows it.
pub(super) async fn list(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Create)?;
    let form = &posted.fields;
    let what = match form.text("what") {
        "assign" => What::Assign(match form.text("to") {
            "" => None,
            user => Some(user.parse().map_err(|_| OfficeError::NotFound { what: "person" })?),
        }),
        "tag" | "untag" => {
            let tag = form.text("tag").to_owned();
            if tag.is_empty() || tag.chars().count() > TAG_CHARS_MAX {
                return Err(OfficeError::refused(t!("edit-tag-first")));
            }
            if form.text("what") == "tag" { What::Tag(tag) } else { What::Untag(tag) }
        }
        "status" => {
            let status = form.text("status");
            if !status.is_empty() && !statuses().contains(&status) {
                return Err(OfficeError::refused(t!("bulk-no-status")));
            }
            What::Status(status.to_owned())
        }
        _ => return Err(OfficeError::refused(t!("bulk-no-what"))),
    };
    let rights = posted.viewer.rights.clone();
    if let What::Assign(Some(to)) = what
        && rights.on_person(Action::GiveTo, to) != Decision::Allow
    {
        return Err(OfficeError::NotFound { what: "person" });
    }
    let ask = Ask::found_by(form.text("q"), form.text("filter"));
    let (now, by) = (state.now(), posted.viewer.user);
    let asked = ask.start();
    let chosen = if form.has("all") {
        let seen = rights.clone();
        let found = state
            .engine_do(move |engine| {
                engine.refresh_standings(seen.workspace)?;
                engine.read(|conn| contacts::ids(conn, &seen, &ask, now, bulk::CONTACTS_MAX))
            })
            .await?;
        match found {
            Err(problem) => return Err(OfficeError::Refused { reason: problem }),
            Ok(found) if found.len() > bulk::CONTACTS_MAX => {
                return Err(OfficeError::refused(t!(
                    "bulk-too-many",
                    n = bulk::CONTACTS_MAX as u64
                )));
            }
            Ok(found) => found,
        }
    } else {
        let mut picked: Vec<ContactId> =
            form.all("pick").filter_map(|id| id.parse().ok()).collect();
        picked.sort_unstable();
        picked.dedup();
        picked
    };
    if chosen.is_empty() {
        return Err(OfficeError::refused(t!("bulk-none-chosen")));
    }
    let spare = form.has("spare");
    let n = state
        .engine_do(move |engine| engine.bulk_list(&rights, by, &what, &asked, &chosen, spare))
        .await?;
    Ok(Redirect::to(&format!("/contacts/bulk/{n}")).into_response())
}

/// `GET /contacts/bulk`: what was done lately.
pub(super) async fn earlier(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Create)?;
    let rights = viewer.rights.clone();
    let whose = (!viewer.may(Action::Administer)).then_some(viewer.user);
    let (found, names, to_decide, cursor) = state
        .read(move |conn| {
            let workspace = rights.workspace;
            let mut found = Vec::new();
            for bulk in bulk::list(conn, workspace, whose, EARLIER_MAX)? {
                let tallies = bulk::tally(conn, bulk.n)?;
                found.push((bulk, tallies));
            }
            let names = today::names(conn, workspace)?;
            Ok((found, names, decide::count(conn, &rights)?, workspaces::cursor(conn, workspace)?))
        })
        .await?;
    let page = Page {
        viewer: &viewer,
        title: &t!("bulk-earlier"),
        place: Some(Place::Contacts),
        to_decide,
        cursor: Some(cursor),
        contact: None,
        body: view::earlier(&found, &names),
    };
    Ok(page.render())
}

/// Whether somebody may see an action and take it back.
fn is_theirs(viewer: &Viewer, bulk: &Bulk) -> bool {
    bulk.user == viewer.user || viewer.may(Action::Administer)
}

/// `GET /contacts/bulk/{n}`: what would be done, how far it is, what was done.
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
    Path(n): Path<i64>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::Create)?;
    let rights = viewer.rights.clone();
    let runs = state.engine().bulk_runs(n);
    let sight = state.read(move |conn| look(conn, &rights, n, runs)).await?;
    let sight = sight.filter(|sight| is_theirs(&viewer, &sight.bulk)).ok_or_else(missing)?;
    let shown = sight.named.iter().filter(|named| named.name.is_some());
    state.take(&viewer, Reading::List, shown.map(|named| named.id).collect()).await?;
    let page = Page {
        viewer: &viewer,
        title: &view::title(&sight.bulk, &sight.names),
        place: Some(Place::Contacts),
        to_decide: sight.to_decide,
        cursor: Some(sight.cursor),
        contact: None,
        body: view::render(&viewer, &sight, state.now()),
    };
    Ok(page.render())
}

fn look(conn: &Connection, rights: &Rights, n: i64, runs: bool) -> store::Result<Option<Sight>> {
    let Some(bulk) = bulk::find(conn, rights.workspace, n)? else { return Ok(None) };
    let mut named = Vec::new();
    let shown: &[ItemState] = match bulk.stage {
        Stage::Listing | Stage::Listed => &[ItemState::ToDo, ItemState::Refused],
        Stage::Doing | Stage::Done => &[ItemState::Refused],
        Stage::Undoing | Stage::Undone => &[ItemState::Left],
    };
    let seen = rights.and_seen("p.id");
    for state in shown {
        for item in bulk::items(conn, n, *state, NAMED_MAX)? {
            let sql = format!(
                "SELECT p.display_name FROM contact c JOIN projection p ON p.n = c.n
                 WHERE c.workspace = ? AND c.id = ?{seen}"
            );
            let mut statement = conn.prepare_cached(&sql)?;
            let mut names = statement.query_map(
                [rights.workspace.as_bytes().as_slice(), item.contact.as_bytes()],
                |row| row.get(0),
            )?;
            let name = names.next().transpose()?;
            named.push(Named { id: item.contact, name, state: item.state, why: item.why });
        }
    }
    Ok(Some(Sight {
        tallies: bulk::tally(conn, n)?,
        from: if bulk.stage == Stage::Listed { from(conn, &bulk)? } else { Vec::new() },
        named,
        names: today::names(conn, rights.workspace)?,
        runs,
        to_decide: decide::count(conn, rights)?,
        cursor: workspaces::cursor(conn, rights.workspace)?,
        bulk,
    }))
}

/// From which owners or statuses the contacts would come, the most first.
fn from(conn: &Connection, bulk: &Bulk) -> store::Result<Vec<(Option<String>, u64)>> {
    let column = match bulk.what {
        What::Assign(_) => {
            "(SELECT u.name FROM user u WHERE u.workspace = c.workspace AND u.id = c.owner)"
        }
        What::Status(_) => "nullif(p.status, '')",
        What::Tag(_) | What::Untag(_) | What::Retag { .. } => return Ok(Vec::new()),
    };
    let sql = format!(
        "SELECT {column} AS source, count(*) FROM bulk_item i
         JOIN contact c ON c.workspace = i.workspace AND c.id = i.contact
         LEFT JOIN projection p ON p.n = c.n
         WHERE i.bulk = ? AND i.state = 0 GROUP BY source ORDER BY count(*) DESC, source"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement
        .query_map(params_from_iter([bulk.n]), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}

/// `POST /contacts/bulk/{n}/do`: does it, or goes on with what was cut off.
pub(super) async fn carry_out(
    State(state): State<OfficeState>,
    Path(n): Path<i64>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let found = theirs(&state, &posted, n).await?;
    // Another's is gone on with only by them: it is done in their name.
    if found.actor() != posted.viewer.user {
        return Err(OfficeError::Forbidden { reason: t!("bulk-not-yours") });
    }
    run(&state, &posted, found, false).await
}

/// `POST /contacts/bulk/{n}/undo`: takes it back.
pub(super) async fn undo(
    State(state): State<OfficeState>,
    Path(n): Path<i64>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let found = theirs(&state, &posted, n).await?;
    if !found.is_kept(state.now()) {
        return Err(OfficeError::refused(t!("bulk-too-old")));
    }
    run(&state, &posted, found, true).await
}

async fn theirs(state: &OfficeState, posted: &Posted, n: i64) -> Result<Bulk, OfficeError> {
    posted.viewer.must(Action::Create)?;
    let workspace = posted.viewer.workspace;
    let found = state.read(move |conn| bulk::find(conn, workspace, n)).await?;
    found.filter(|bulk| is_theirs(&posted.viewer, bulk)).ok_or_else(missing)
}

/// Begins where that is to be done, and works at it behind this request.
async fn run(
    state: &OfficeState,
    posted: &Posted,
    bulk: Bulk,
    undo: bool,
) -> Result<Response, OfficeError> {
    let (workspace, n, by): (_, _, UserId) = (bulk.workspace, bulk.n, posted.viewer.user);
    // Taken before the page is read again, which asks whether it runs.
    if let Some(run) = state.engine().bulk_take(workspace, n)? {
        let begins = bulk.stage == if undo { Stage::Done } else { Stage::Listed };
        if begins {
            state.engine_do(move |engine| engine.bulk_begin(workspace, by, n, undo)).await?;
        }
        let (engine, stop) = (state.engine().clone(), state.shutdown().clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = engine.bulk_run(&run, || stop.is_cancelled()) {
                tracing::error!(%error, bulk = n, "a bulk action stopped; its page goes on with it");
            }
        });
    }
    Ok(Redirect::to(&format!("/contacts/bulk/{n}")).into_response())
}
