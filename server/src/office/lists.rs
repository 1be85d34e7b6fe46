//! A segment handed to people as a list on their devices: who would get what, handing it over, what was
//! handed over, and taking it back.
//!
//! All of it are the commands of the shell in the viewer's name ([`crate::admin::execute`]).

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::ids::{ListId, UnixMs};
use rusqlite::Connection;
use serde::Deserialize;

use super::error::OfficeError;
use super::layout::{self, Page, Place, Shape};
use super::segments::{Segments, as_listed};
use super::session::{Posted, Viewer};
use super::{OfficeState, url};
use crate::admin::execute::lists;
use crate::admin::request::{ListCommand, Request};
use crate::rights::{Action, Rights};
use crate::store::people::User;
use crate::store::{self, handed};

/// A list that was handed over.
pub(super) struct Shown {
    pub name: String,
    pub filter: String,
    pub contacts: u64,
    /// Names.
    pub to: Vec<String>,
    pub by: String,
    pub at: UnixMs,
    /// Whether the viewer may take it back.
    pub back: bool,
}

/// The lists that somebody sees, those that were handed over last first.
pub(super) fn read(
    conn: &Connection,
    rights: &Rights,
    people: &[User],
) -> store::Result<Vec<Shown>> {
    let name = |id| {
        people.iter().find(|user| user.id == id).map(|user| user.name.clone()).unwrap_or_default()
    };
    let all = handed::all(conn, rights.workspace)?.into_iter();
    Ok(all
        .filter(|list| lists::shows(rights, list))
        .map(|list| Shown {
            back: rights.user.is_some_and(|by| lists::reaches(rights, by, &list)),
            to: list.to.iter().map(|id| name(*id)).collect(),
            by: name(list.by),
            name: list.name,
            filter: list.filter,
            contacts: list.contacts,
            at: list.at,
        })
        .collect())
}

/// What handing over would do, or did.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    to: Vec<Receiver>,
    nobody: u64,
    replaces: Option<ListId>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Receiver {
    login: String,
    name: String,
    contacts: u64,
}

/// What the form says.
struct Wanted {
    name: String,
    filter: String,
    to: Vec<String>,
    each_owner: bool,
    /// The id of the list of that name that was there when what would go where was shown; empty: none.
    replaces: String,
}

/// `POST /segments/hand`: says who would get what; confirmed, it hands the list over.
pub(super) async fn hand(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let viewer = &posted.viewer;
    viewer.must(Action::Create)?;
    let wanted = Wanted {
        name: posted.fields.text("name").to_owned(),
        filter: posted.fields.text("filter").to_owned(),
        to: posted.fields.all("to").map(str::to_owned).collect(),
        each_owner: posted.fields.has("each_owner"),
        replaces: posted.fields.text("replaces").to_owned(),
    };
    if handed::name_key(&wanted.name).is_err() {
        return Err(OfficeError::refused(t!("lists-no-name")));
    }
    if wanted.to.is_empty() && !wanted.each_owner {
        return Err(OfficeError::refused(t!("lists-nobody-chosen")));
    }
    let confirmed = posted.fields.has("confirmed");
    let request = Request::List(ListCommand::Hand {
        name: wanted.name.clone(),
        filter: as_listed(&wanted.filter)?,
        to: if wanted.each_owner { Vec::new() } else { wanted.to.clone() },
        each_owner: wanted.each_owner,
        dry_run: !confirmed,
        replaces: confirmed.then(|| wanted.replaces.clone()),
    });
    let answer = state.command(viewer, request).await?;
    let told: Told = serde_json::from_value(answer.data).map_err(OfficeError::failed)?;
    let page = Page {
        viewer,
        title: &t!("lists-title"),
        place: Some(Place::Segments),
        to_decide: 0,
        cursor: None,
        contact: None,
        body: handing(viewer, &wanted, &told, confirmed),
    };
    Ok(page.render().into_response())
}

/// `POST /segments/take-back`
pub(super) async fn take_back(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::Create)?;
    let name = posted.fields.text("name").to_owned();
    state.command(&posted.viewer, Request::List(ListCommand::TakeBack { name })).await?;
    Ok(Redirect::to("/segments").into_response())
}

/// The form beside the segment.
pub(super) fn form(viewer: &Viewer, segments: &Segments) -> Markup {
    html! {
        details.act {
            summary.btn.small { (t!("lists-hand")) }
            form.tight method="post" action="/segments/hand" {
                (layout::csrf(viewer)) input type="hidden" name="filter" value=(segments.filter);
                div { label for="list-name" { (t!("lists-name")) } input #list-name name="name" maxlength=(handed::NAME_CHARS_MAX) required autocomplete="off"; }
                fieldset.choices {
                    legend { (t!("lists-to")) }
                    label.check { input type="checkbox" name="each_owner" value="1"; " " (t!("lists-each-owner")) }
                    @for user in &segments.receivers { label.check { input type="checkbox" name="to" value=(user.login); " " (user.name) " (" (user.login) ")" } }
                }
                button.btn.small.go { (t!("lists-see")) }
            }
        }
    }
}

/// The lists that were handed over.
pub(super) fn section(viewer: &Viewer, lists: &[Shown]) -> Markup {
    html! {
        section.card.segs aria-labelledby="handed-title" {
            h2 #handed-title { (t!("lists-handed")) }
            @if lists.is_empty() { p.hint { (t!("lists-none")) } }
            @for list in lists {
                div.seg-row {
                    a.seg href=(url::with("/segments", &[("filter", &list.filter)])) {
                        span {
                            b { (list.name) }
                            span.k { (t!("lists-to-whom", to = list.to.join(", "))) }
                            span.k { (rich!("lists-by", by = list.by.as_str(); time = layout::time(list.at, Shape::Full))) }
                        }
                        span.count { (layout::count(list.contacts)) }
                    }
                    @if list.back {
                        form method="post" action="/segments/take-back" data-confirm=(t!("lists-back-confirm", name = list.name.as_str())) {
                            (layout::csrf(viewer)) input type="hidden" name="name" value=(list.name);
                            button.tag-x title=(t!("lists-back")) aria-label=(t!("lists-back-label", name = list.name.as_str())) { "×" }
                        }
                    }
                }
            }
        }
    }
}

/// What handing over would do, with the way to do it; or what it did.
fn handing(viewer: &Viewer, wanted: &Wanted, told: &Told, done: bool) -> Markup {
    let back = url::with("/segments", &[("filter", &wanted.filter)]);
    let any = told.to.iter().any(|receiver| receiver.contacts > 0);
    html! {
        div.bar { h1 { (t!("lists-title")) } }
        section.card.tight {
            @if done {
                p.notice.ok role="status" { (t!("lists-went", name = wanted.name.as_str())) }
            } @else {
                p { (t!("lists-would-go", name = wanted.name.as_str())) }
                @if told.replaces.is_some() { p.notice { (t!("lists-replaces")) } }
            }
            @if any {
                table.tight-table {
                    thead { tr { th scope="col" { (t!("segments-to")) } th.num scope="col" { (t!("contacts")) } } }
                    tbody { @for receiver in &told.to { tr { td { (receiver.name) " (" (receiver.login) ")" } td.num { (layout::count(receiver.contacts)) } } } }
                }
            } @else { p.notice.stop role="alert" { (t!("lists-empty")) } }
            @if told.nobody > 0 { p.hint { (t!("lists-nobody", n = told.nobody)) } }
            @if done {
                p { a.btn href=(back) { (t!("segments-back")) } }
            } @else {
                p.hint { (t!("lists-hint")) }
                form.bar method="post" action="/segments/hand" {
                    (layout::csrf(viewer))
                    input type="hidden" name="filter" value=(wanted.filter); input type="hidden" name="name" value=(wanted.name); input type="hidden" name="confirmed" value="1"; input type="hidden" name="replaces" value=(told.replaces.map(|id| id.to_string()).unwrap_or_default());
                    @if wanted.each_owner { input type="hidden" name="each_owner" value="1"; }
                    @for login in &wanted.to { input type="hidden" name="to" value=(login); }
                    @if any { button.btn.go { (t!("lists-hand-n", n = told.to.len() as u64)) } }
                    a.btn href=(back) { (t!("cancel")) }
                }
            }
        }
    }
}
