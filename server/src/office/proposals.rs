//! Late edits that wait for a decision, field by field: what it was, what is proposed, what it is now.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::document::{self, ProposedKind};
use rusqlite::Connection;
use serde_json::Value;

use super::error::OfficeError;
use super::fields::Names;
use super::layout::{self, Shape};
use super::session::{Posted, Viewer, read_only};
use super::{OfficeState, versus};
use crate::engine::Verdict;
use crate::rights::{Action, Decision, Rights};
use crate::store::proposals::{self, Item, ItemState, Proposal, Wanted};
use crate::store::{self, contacts, documents, projections};

/// Sets on one page: each of them opens a document.
const SETS_MAX: u32 = 20;
/// Sets that are looked through for those of one's own team.
const SETS_READ_MAX: u32 = 500;
/// Characters of a value that are shown.
const VALUE_CHARS: usize = 400;

/// One set as the page shows it.
pub(super) struct Shown {
    set: Proposal,
    /// What the contact is called; none of a contact that is not known here.
    name: Option<String>,
    /// What each item's field holds now.
    now: Vec<Value>,
    steers: bool,
}

/// How many sets wait, of those that somebody sees.
pub(super) fn count(conn: &Connection, rights: &Rights) -> store::Result<u64> {
    proposals::count_open(conn, rights.workspace, &rights.and_seen("p.contact"))
}

/// The sets that wait and that somebody sees.
pub(super) fn read(conn: &Connection, rights: &Rights) -> store::Result<Vec<Shown>> {
    let wanted = Wanted { limit: SETS_READ_MAX, ..Wanted::default() };
    let mut shown = Vec::new();
    for set in proposals::list(conn, rights.workspace, wanted)? {
        if shown.len() >= SETS_MAX as usize {
            break;
        }
        if rights.sees_late_edits(conn, set.contact)? {
            shown.push(Shown::of(conn, rights, set)?);
        }
    }
    Ok(shown)
}

impl Shown {
    fn of(conn: &Connection, rights: &Rights, set: Proposal) -> store::Result<Shown> {
        let found = contacts::find(conn, rights.workspace, set.contact)?;
        let found = found.filter(|contact| contact.cursor > 0 && contact.erased_at.is_none());
        let Some(contact) = found else {
            let now = set.items.iter().map(|_| Value::Null).collect();
            return Ok(Shown { set, name: None, now, steers: rights.may(Action::Administer) });
        };
        let doc = documents::document(conn, rights.workspace, &contact)?;
        let now = set.items.iter().map(|item| document::current(&doc, &item.path)).collect();
        let name = projections::display_name(conn, contact.n)?;
        let steers = rights.on_contact(conn, Action::Steer, set.contact)? == Decision::Allow;
        Ok(Shown { set, name, now, steers })
    }

    fn render(&self, viewer: &Viewer, names: &Names) -> Markup {
        let set = &self.set;
        let title = self.name.clone().unwrap_or_else(|| t!("late-new-contact"));
        let title = title.as_str();
        let open = set.items.iter().filter(|item| item.state == ItemState::Open).count();
        html! {
            section.card.stack aria-label=(t!("late-edits-of", name = title)) {
                div.bar {
                    h2 {
                        @if self.name.is_some() { a href={ "/contacts/" (set.contact) } { (title) } } @else { (title) }
                    }
                    span.k { (names.of(set.author)) " · " (rich!("late-received"; time = layout::time(set.received_at, Shape::Full))) }
                    span.grow {}
                    @if self.steers && open > 0 {
                        (self.button(viewer, "accept", None, &t!("late-accept-all"), true))
                        (self.button(viewer, "decline", None, &t!("late-decline-all"), false))
                    }
                }
                table {
                    caption.vh { (t!("late-edits-of", name = title)) }
                    thead { tr { th scope="col" { (t!("field")) } th scope="col" { (t!("late-before")) } th scope="col" { (t!("late-proposed")) } th.mid scope="col" { (t!("late-now")) } th scope="col" { (t!("late-decision")) } } }
                    tbody {
                        @for (item, now) in set.items.iter().zip(&self.now) { (self.row(viewer, names, item, now)) }
                    }
                }
            }
        }
    }

    fn row(&self, viewer: &Viewer, names: &Names, item: &Item, now: &Value) -> Markup {
        let label = match item.kind {
            ProposedKind::Unreadable => t!("late-unreadable"),
            _ => versus::path(&item.path).label,
        };
        html! {
            tr {
                th scope="row" {
                    (label)
                    @if item.at > 0 { div.k { (layout::time(item.at, Shape::Full)) } }
                    @if let Some(reason) = &item.reason { div.k { (reason) } }
                }
                td.muted { (value(&item.base)) }
                td { (value(&item.proposed)) }
                td.mid.muted { (value(now)) }
                td {
                    @match item.state {
                        ItemState::Due => span.chip.info { (t!("late-being-taken")) },
                        ItemState::Open if self.steers => {
                            @if item.kind != ProposedKind::Unreadable { (self.button(viewer, "accept", Some(item.i), &t!("late-accept"), true)) }
                            (self.button(viewer, "decline", Some(item.i), &t!("late-decline"), false))
                        },
                        ItemState::Open => span.chip.wait { (t!("late-waits")) },
                        ItemState::Accepted | ItemState::Declined => {
                            @if item.state == ItemState::Accepted { span.chip.ok { (t!("late-accepted")) } } @else { span.chip { (t!("late-declined")) } }
                            div.k { @match item.decided_by { Some(user) => (names.of(user)), None => (t!("late-at-once")) } }
                            @if self.steers { (self.button(viewer, "undo", Some(item.i), &t!("undo"), false)) }
                        },
                    }
                }
            }
        }
    }

    fn button(
        &self,
        viewer: &Viewer,
        verdict: &str,
        item: Option<i64>,
        text: &str,
        go: bool,
    ) -> Markup {
        html! {
            form method="post" action={ "/decide/proposals/" (self.set.n) "/" (verdict) } data-in-place {
                (layout::csrf(viewer))
                @if let Some(item) = item { input type="hidden" name="item" value=(item); }
                button.btn.small.go[go] { (text) }
            }
        }
    }
}

fn value(value: &Value) -> Markup {
    match value {
        Value::Null => html! { span.k { "–" } },
        Value::Bool(yes) => html! { (if *yes { t!("yes") } else { t!("no") }) },
        Value::String(text) => {
            let cut: String = text.chars().take(VALUE_CHARS).collect();
            html! { (cut) @if cut.len() < text.len() { "…" } }
        }
        Value::Object(fields) => html! {
            @for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                div { span.k { (super::words::text_or("field", name, || super::fields::word(name))) ": " } (self::value(value)) }
            }
        },
        other => html! { (other.to_string()) },
    }
}

/// The part of the page with late edits; nothing where none wait.
pub(super) fn section(viewer: &Viewer, names: &Names, shown: &[Shown], total: u64) -> Markup {
    html! {
        @if !shown.is_empty() {
            div.stack {
                h2 { (t!("late-title")) }
                p.hint { (t!("late-hint")) }
                @for one in shown { (one.render(viewer, names)) }
                @if total > shown.len() as u64 { p.k { (t!("late-more", n = total - shown.len() as u64)) } }
            }
        }
    }
}

/// `POST /decide/proposals/{n}/{verdict}`
pub(super) async fn decide(
    State(state): State<OfficeState>,
    Path((n, verdict)): Path<(i64, String)>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let missing = || OfficeError::NotFound { what: "proposal" };
    let verdict = match verdict.as_str() {
        "accept" => Verdict::Accept,
        "decline" => Verdict::Decline,
        "undo" => Verdict::Undo,
        _ => return Err(missing()),
    };
    let item: Option<i64> = match posted.fields.text("item") {
        "" => None,
        text => Some(text.parse().map_err(|_| missing())?),
    };
    let (workspace, by) = (posted.viewer.workspace, posted.viewer.user);
    let rights = posted.viewer.rights.clone();
    let answer = state
        .read(move |conn| {
            let Some(set) = proposals::find(conn, workspace, n)? else { return Ok(Decision::Hide) };
            rights.on_late_edits(conn, set.contact)
        })
        .await?;
    match answer {
        Decision::Allow => {}
        Decision::Forbid => return Err(OfficeError::Forbidden { reason: read_only() }),
        Decision::Hide => return Err(missing()),
    }
    state
        .engine_do(move |engine| {
            let items = item.map(|item| vec![item]);
            engine.decide(workspace, by, n, items.as_deref(), verdict)
        })
        .await?;
    Ok(Redirect::to("/decide").into_response())
}
