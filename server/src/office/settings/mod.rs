//! Settings: where everything that an office sets up is found, as far as somebody may see it.

pub(super) mod custom;
pub(super) mod hooks;
pub(super) mod keys;
pub(super) mod look;
pub(super) mod sorting;
pub(super) mod stages;
pub(super) mod tags;
pub(super) mod team;

use axum::extract::State;
use maud::{Markup, html};
use roadbook_protocol::ids::WorkspaceId;
use rusqlite::Connection;

use super::error::OfficeError;
use super::layout::{self, Page, Place};
use super::session::Viewer;
use super::{OfficeState, decide};
use crate::rights::{self, Action, Decision, Relation};
use crate::store;
use crate::store::people::{self, User};

/// One way on.
struct Way {
    href: &'static str,
    title: String,
    text: String,
    /// Who is shown it; `None` for everybody.
    action: Option<Action>,
}

/// The ways, in groups.
fn groups() -> Vec<(String, Vec<Way>)> {
    let way = |href, title, text, action| Way { href, title, text, action };
    vec![
        (
            t!("settings-group-you"),
            vec![way("/account", t!("account-title"), t!("settings-account"), None)],
        ),
        (
            t!("settings-group-people"),
            vec![
                way("/devices", t!("people-title"), t!("settings-people"), None),
                way(
                    "/settings/people",
                    t!("team-title"),
                    t!("settings-team"),
                    Some(Action::ManagePeople),
                ),
            ],
        ),
        (
            t!("settings-group-work"),
            vec![
                way(
                    "/settings/look",
                    t!("look-title"),
                    t!("settings-look"),
                    Some(Action::Administer),
                ),
                way(
                    "/settings/sorting",
                    t!("sorting-title"),
                    t!("settings-sorting"),
                    Some(Action::Administer),
                ),
                way(
                    "/settings/stages",
                    t!("stages-title"),
                    t!("settings-stages"),
                    Some(Action::Administer),
                ),
                way(
                    "/settings/fields",
                    t!("custom-title"),
                    t!("settings-custom"),
                    Some(Action::Administer),
                ),
                way(
                    "/settings/tags",
                    t!("tags-title"),
                    t!("settings-tags"),
                    Some(Action::Administer),
                ),
            ],
        ),
        (
            t!("settings-group-programs"),
            vec![
                way(
                    "/settings/keys",
                    t!("keys-title"),
                    t!("settings-keys"),
                    Some(Action::Administer),
                ),
                way(
                    "/settings/webhooks",
                    t!("hooks-title"),
                    t!("settings-hooks"),
                    Some(Action::Administer),
                ),
            ],
        ),
        (
            t!("settings-group-law"),
            vec![
                way(
                    "/retention",
                    t!("retention-title"),
                    t!("settings-retention"),
                    Some(Action::Administer),
                ),
                way(
                    "/erasures",
                    t!("erasures-title"),
                    t!("settings-erasures"),
                    Some(Action::Administer),
                ),
                way("/audit", t!("audit-title"), t!("settings-audit"), Some(Action::ReadAudit)),
            ],
        ),
    ]
}

/// `GET /settings`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    let rights = viewer.rights.clone();
    let to_decide = state.read(move |conn| decide::count(conn, &rights)).await?;
    let shown = |way: &Way| way.action.is_none_or(|action| viewer.may(action));
    let body = html! {
        div.bar { h1 { (t!("nav-settings")) } span.grow {} div.mobile-me { (layout::sign_out(&viewer)) } }
        @for (name, ways) in groups() {
            @if ways.iter().any(shown) {
                section.stack aria-label=(name) {
                    h2 { (name) }
                    ul.ways {
                        @for way in ways.iter().filter(|way| shown(way)) {
                            li { a.card href=(way.href) { b { (way.title) } span.k { (way.text) } } }
                        }
                    }
                }
            }
        }
    };
    let page = Page {
        viewer: &viewer,
        title: &t!("nav-settings"),
        place: Some(Place::Settings),
        to_decide,
        cursor: None,
        contact: None,
        body,
    };
    Ok(page.render())
}
/// A page of the settings: its title, and the way back.
async fn frame(
    state: &OfficeState,
    viewer: &Viewer,
    title: &str,
    body: Markup,
) -> Result<Markup, OfficeError> {
    let rights = viewer.rights.clone();
    let to_decide = state.read(move |conn| decide::count(conn, &rights)).await?;
    let body = html! {
        div.bar { (back()) h1 { (title) } }
        (body)
    };
    let page = Page {
        viewer,
        title,
        place: Some(Place::Settings),
        to_decide,
        cursor: None,
        contact: None,
        body,
    };
    Ok(page.render())
}

/// The people whose rights a program may have: who may use the office.
fn enterers(conn: &Connection, workspace: WorkspaceId) -> store::Result<Vec<User>> {
    let mut users = people::list_users(conn, workspace)?;
    users.retain(|user| {
        user.disabled_at.is_none()
            && rights::decide(user.role, Action::Enter, Relation::Own) == Decision::Allow
    });
    store::sorting::of(conn, workspace)?.sort(&mut users, |user| &user.name);
    Ok(users)
}

/// The way back to the settings, above a page of them.
pub(super) fn back() -> Markup {
    html! { a.k.up href="/settings" { "‹ " (t!("nav-settings")) } }
}
