//! Views of the list of contacts, and its columns: the menu, the forms, saving, renaming, removing.
//!
//! A view's address is its id, so that a link to it goes on working whatever it is called or shows. Where no
//! view says otherwise the columns are those that the reader chose last.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::filter::Filter;

use super::columns::{self, Columns};
use super::contacts::{Ask, Found};
use super::contacts_find::Sort;
use super::error::OfficeError;
use super::layout;
use super::session::{Posted, Viewer};
use super::{OfficeState, url};
use crate::rights::Action;
use crate::store::EngineError;
use crate::store::views::{self, View};

/// The longest name, in letters.
const NAME_CHARS_MAX: usize = 80;

/// The id of a view as it stands in addresses.
pub(super) fn id_text(view: &View) -> String {
    hex::encode(view.id)
}

fn address(view: &View) -> String {
    url::with("/contacts", &[("view", &id_text(view))])
}

fn missing() -> OfficeError {
    OfficeError::NotFound { what: "thing" }
}

/// The hidden fields that carry a list into a form.
fn carried(ask: &Ask) -> Markup {
    html! {
        input type="hidden" name="q" value=(ask.q()); input type="hidden" name="filter" value=(ask.filter());
        input type="hidden" name="sort" value=(ask.sort()); input type="hidden" name="columns" value=(ask.columns().text());
    }
}

/// The menu of views: those that there are, and saving.
pub(super) fn menu(viewer: &Viewer, ask: &Ask, all: &[View]) -> Markup {
    let open = ask.view();
    let own = open.filter(|view| view.owner == viewer.user);
    let content = html! {
        nav.segs aria-label=(t!("views-title")) {
            a.seg href="/contacts" aria-current=[open.is_none().then_some("true")] { b { (t!("views-all")) } }
            @for view in all {
                @let is_own = view.owner == viewer.user;
                @let what = match (is_own, view.shared) { (true, true) => t!("views-mine-shared"), (true, false) => t!("views-mine"), _ => t!("views-shared") };
                div.seg-row {
                    a.seg href=(address(view)) aria-current=[open.is_some_and(|open| open.id == view.id).then_some("true")] { span { b { (view.name) } span.k { (what) } } }
                    @if is_own {
                        form method="post" action={ "/contacts/views/" (id_text(view)) "/remove" } data-confirm=(t!("views-remove-confirm", name = view.name.as_str())) {
                            (layout::csrf(viewer))
                            button.tag-x title=(t!("remove")) aria-label=(t!("views-remove-label", name = view.name.as_str())) { "×" }
                        }
                    }
                }
            }
            @if all.is_empty() { p.hint { (t!("views-none")) } }
        }
        @if let Some(view) = own.filter(|_| ask.is_changed()) {
            form method="post" action={ "/contacts/views/" (id_text(view)) } {
                (layout::csrf(viewer)) (carried(ask))
                input type="hidden" name="name" value=(view.name);
                @if view.shared { input type="hidden" name="shared" value="1"; }
                button.btn.small.go { (t!("views-keep", name = view.name.as_str())) }
            }
        }
        @if let Some(view) = own {
            details.another {
                summary { (t!("views-name")) }
                form.tight method="post" action={ "/contacts/views/" (id_text(view)) } {
                    (layout::csrf(viewer))
                    input type="hidden" name="q" value=(view.q); input type="hidden" name="filter" value=(view.filter);
                    input type="hidden" name="sort" value=(view.sort); input type="hidden" name="columns" value=(view.columns);
                    div { label for="view-rename" { (t!("name")) } input #view-rename name="name" value=(view.name) maxlength="80" required autocomplete="off"; }
                    @if viewer.edits() { label.check { input type="checkbox" name="shared" value="1" checked[view.shared]; " " (t!("segments-everybody-sees")) } }
                    button.btn.small { (t!("views-rename")) }
                }
            }
        }
        details.another open[all.is_empty()] {
            summary { (t!("views-save")) }
            form.tight method="post" action="/contacts/views" {
                (layout::csrf(viewer)) (carried(ask))
                div { label for="view-name" { (t!("name")) } input #view-name name="name" maxlength="80" required autocomplete="off"; }
                @if viewer.edits() { label.check { input type="checkbox" name="shared" value="1"; " " (t!("segments-everybody-sees")) } }
                button.btn.small.go { (t!("save")) }
            }
        }
    };
    html! { details.act.menu #views { summary.btn.small { (t!("views-title")) } div.drop { (layout::unit("views-unit", content)) } } }
}

/// The choice of columns. Fields of one's own are those of the rows that are shown, and any by its name.
pub(super) fn columns_form(viewer: &Viewer, ask: &Ask, found: &Found) -> Markup {
    let chosen = ask.columns();
    let foreign =
        ask.view().is_some_and(|view| view.owner != viewer.user && !view.columns.is_empty());
    let own = ask.view().filter(|view| view.owner == viewer.user);
    let mut customs: BTreeSet<&str> = chosen.customs().collect();
    customs.extend(
        found
            .lines
            .iter()
            .filter_map(|line| line.row.as_ref())
            .flat_map(|row| row.custom.keys().map(String::as_str)),
    );
    let box_of = |name: &str, label: &str, on: bool| {
        html! { label.check { input type="checkbox" name="column" value=(name) checked[on]; " " (label) } }
    };
    let groups = [t!("cols-list"), t!("cols-happened"), t!("cols-fields")];
    html! {
        details.act.menu #columns {
            summary.btn.small { (t!("cols-title")) }
            @if foreign { div.drop { p.hint { (t!("cols-theirs")) } } }
            @else { form.drop.columns method="post" action="/contacts/columns" {
                (layout::csrf(viewer))
                (layout::unit("columns-back", html! { input type="hidden" name="back" value=(ask.start()); }))
                @if let Some(view) = own { input type="hidden" name="view" value=(id_text(view)); }
                @for (label, group) in groups.iter().zip(columns::all()) {
                    fieldset { legend { (label) } @for column in &group { (box_of(&column.name(), &column.label(), chosen.has(column))) } }
                }
                fieldset {
                    legend { (t!("cols-own")) }
                    @for name in &customs { (box_of(&format!("custom.{name}"), name, chosen.customs().any(|on| on == *name))) }
                    div { label for="column-more" { (t!("cols-another")) } input #column-more name="custom" maxlength="100" autocomplete="off"; }
                }
                div.bar { button.btn.small.go { (t!("cols-show")) } button.btn.small name="usual" value="1" { (t!("cols-usual")) } }
                p.hint { @match own { Some(view) => (t!("cols-to-view", name = view.name.as_str())), None => (t!("cols-to-you")) } }
            } }
        }
    }
}

/// `POST /contacts/columns`: remembers the columns, in the open view if it is one's own, else for oneself.
pub(super) async fn set_columns(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let form = &posted.fields;
    let mut names: Vec<String> = form.all("column").map(str::to_owned).collect();
    names.extend(form.has("custom").then(|| format!("custom.{}", form.text("custom"))));
    let columns = match form.has("usual") {
        true => Columns::default(),
        false => Columns::read(&names.join(",")),
    };
    let text = if columns.are_usual() { String::new() } else { columns.text() };
    let (workspace, user, now) = (posted.viewer.workspace, posted.viewer.user, state.now());
    let view = if form.has("view") {
        Some(url::read_id(form.text("view")).ok_or_else(missing)?)
    } else {
        None
    };
    state
        .write(move |tx| {
            let Some(id) = view else { return views::set_columns(tx, workspace, user, &text) };
            let found = views::visible(tx, workspace, user)?;
            let found = found.into_iter().find(|view| view.id == id && view.owner == user);
            let view = found.ok_or_else(|| EngineError::not_found("the view"))?;
            // The usual ones stand in a view by their names: its reader may have others.
            let columns = if text.is_empty() { Columns::default().text() } else { text };
            views::put(tx, workspace, &View { columns, ..view }, now)
        })
        .await?;
    Ok(Redirect::to(url::local(form.text("back"))).into_response())
}

/// What a form says of a view.
fn of_form(posted: &Posted, id: [u8; 16]) -> Result<View, OfficeError> {
    posted.viewer.must(Action::Enter)?;
    let form = &posted.fields;
    let name = form.text("name");
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(OfficeError::refused(t!("views-no-name")));
    }
    let filter = form.text("filter");
    Filter::parse(filter).map_err(|error| OfficeError::Refused { reason: error.to_string() })?;
    let columns = form.text("columns");
    Ok(View {
        id,
        name: name.to_owned(),
        q: form.text("q").chars().take(1_000).collect(),
        filter: filter.to_owned(),
        sort: match form.text("sort") {
            "" => String::new(),
            sort => Sort::named(sort).name.to_owned(),
        },
        columns: if columns.is_empty() { String::new() } else { Columns::read(columns).text() },
        owner: posted.viewer.user,
        shared: form.has("shared") && posted.viewer.edits(),
    })
}

async fn put(state: &OfficeState, posted: &Posted, view: View) -> Result<Response, OfficeError> {
    let (workspace, now) = (posted.viewer.workspace, state.now());
    let to = address(&view);
    let written = state
        .write(move |tx| match views::put(tx, workspace, &view, now) {
            Err(EngineError::Taken { .. }) => Ok(false),
            other => other.map(|()| true),
        })
        .await?;
    if !written {
        return Err(OfficeError::refused(t!("views-taken")));
    }
    Ok(Redirect::to(&to).into_response())
}

/// `POST /contacts/views`: saves the list under a name.
pub(super) async fn save(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let view = of_form(&posted, state.engine().random())?;
    put(&state, &posted, view).await
}

/// `POST /contacts/views/{id}`: another name, or what it shows.
pub(super) async fn change(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let id = url::read_id(&id).ok_or_else(missing)?;
    let (workspace, user) = (posted.viewer.workspace, posted.viewer.user);
    let seen = state.read(move |conn| views::visible(conn, workspace, user)).await?;
    if !seen.iter().any(|view| view.id == id && view.owner == user) {
        return Err(missing());
    }
    let view = of_form(&posted, id)?;
    put(&state, &posted, view).await
}

/// `POST /contacts/views/{id}/remove`
pub(super) async fn remove(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let id = url::read_id(&id).ok_or_else(missing)?;
    let (workspace, owner) = (posted.viewer.workspace, posted.viewer.user);
    if !state.write(move |tx| views::remove(tx, workspace, id, owner)).await? {
        return Err(missing());
    }
    Ok(Redirect::to("/contacts").into_response())
}
