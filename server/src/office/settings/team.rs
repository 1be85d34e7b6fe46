//! People and teams: adding somebody, changing their role or team, letting nobody in any more, and codes.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::frame;
use crate::admin::request::{Request, UserChange};
use crate::office::OfficeState;
use crate::office::devices::role_name;
use crate::office::error::OfficeError;
use crate::office::layout;
use crate::office::session::{Posted, Viewer};
use crate::rights::Action;
use crate::store::people::{self, Role, User};
use crate::store::sorting;
use crate::store::teams::{self, Team};

const ROLES: [Role; 4] = [Role::Rep, Role::Manager, Role::ReadOnly, Role::Admin];

/// A code that was just made: for whom, and whether it enrols a device.
struct Made {
    person: String,
    code: String,
    device: bool,
}

/// `GET /settings/people`
pub(in crate::office) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    show(&state, &viewer, None).await
}

async fn show(
    state: &OfficeState,
    viewer: &Viewer,
    made: Option<Made>,
) -> Result<Markup, OfficeError> {
    viewer.must(Action::ManagePeople)?;
    let workspace = viewer.workspace;
    let (mut users, teams) = state
        .read(move |conn| {
            let mut users = people::list_users(conn, workspace)?;
            sorting::of(conn, workspace)?.sort(&mut users, |user| &user.name);
            Ok((users, teams::list(conn, workspace)?))
        })
        .await?;
    users.sort_by_key(|user| user.disabled_at.is_some());
    let body = html! {
        @if let Some(made) = &made {
            div.notice.ok role="status" {
                p { @if made.device { (t!("team-device-code", person = made.person.as_str())) } @else { (t!("team-sign-in-code", person = made.person.as_str())) } }
                p.mono.once #code { (made.code) }
            }
        }
        div.two {
            div.stack {
                section.card aria-labelledby="who-title" {
                    div.bar { h2 #who-title { (t!("people")) } }
                    @for user in &users { (person(viewer, user, &teams)) }
                }
            }
            div.stack {
                (add_form(viewer, &teams))
                (team_list(viewer, &teams))
            }
        }
        datalist #teams { @for team in &teams { option value=(team.name) {} } }
    };
    frame(state, viewer, &t!("team-title"), body).await
}

fn person(viewer: &Viewer, user: &User, teams: &[Team]) -> Markup {
    let id = format!("p-{}", user.id);
    let out = user.disabled_at.is_some();
    html! {
        details.f id=(id) {
            summary {
                span { b { (user.name) } div.k.mono { (user.login) } }
                span { (role_name(user.role)) @if let Some(team) = &user.team { " · " (team) } @if out { " " span.chip.stop { (t!("person-disabled")) } } }
                span.pen aria-hidden="true" { (t!("edit")) } span.vh { (t!("field-edit-hidden")) }
            }
            form.tight method="post" action="/settings/people/change" {
                (layout::csrf(viewer))
                input type="hidden" name="login" value=(user.login);
                div.fields {
                    div { label for={ (id) "-n" } { (t!("name")) } input id={ (id) "-n" } name="name" value=(user.name) required maxlength="120" autocomplete="off"; }
                    div { label for={ (id) "-r" } { (t!("role")) } (role_select(&format!("{id}-r"), user.role)) }
                    div { label for={ (id) "-t" } { (t!("team")) } (team_select(&format!("{id}-t"), teams, user.team.as_deref())) }
                }
                div.bar {
                    button.btn.go.small { (t!("save")) }
                    button.btn.link.small type="reset" data-close { (t!("cancel")) }
                    span.grow {}
                    @if !out { button.btn.small formaction="/settings/people/invite" { (t!("team-connect")) } }
                    @if user.id != viewer.user {
                        @if out { button.btn.small name="disabled" value="no" { (t!("team-let-in")) } }
                        @else { button.btn.small.danger name="disabled" value="yes" { (t!("team-keep-out")) } }
                    }
                }
            }
            @if user.role != Role::Rep && user.id != viewer.user {
                form.bar method="post" action="/settings/people/factor" data-confirm=(t!("team-factor-confirm", person = user.name.as_str())) {
                    (layout::csrf(viewer)) input type="hidden" name="login" value=(user.login);
                    button.btn.small { (t!("team-factor-off")) }
                }
            }
        }
    }
}

fn role_select(id: &str, chosen: Role) -> Markup {
    html! { select id=(id) name="role" { @for role in ROLES { option value=(role.as_str()) selected[role == chosen] { (role_name(role)) } } } }
}

fn team_select(id: &str, teams: &[Team], chosen: Option<&str>) -> Markup {
    html! { select id=(id) name="team" {
        option value="" selected[chosen.is_none()] { (t!("team-none")) }
        @for team in teams { option value=(team.name) selected[chosen == Some(team.name.as_str())] { (team.name) } }
    } }
}

fn add_form(viewer: &Viewer, teams: &[Team]) -> Markup {
    html! {
        form.card.tight method="post" action="/settings/people" aria-labelledby="add-title" {
            (layout::csrf(viewer))
            h2 #add-title { (t!("team-add")) }
            div { label for="login" { (t!("sign-in-login")) } input.mono #login name="login" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false"; }
            div { label for="new-name" { (t!("name")) } input #new-name name="name" maxlength="120" autocomplete="off"; }
            div { label for="new-role" { (t!("role")) } (role_select("new-role", Role::Rep)) }
            div { label for="new-team" { (t!("team")) } (team_select("new-team", teams, None)) }
            div.bar { button.btn.go { (t!("add")) } span.hint { (t!("team-add-hint")) } }
        }
    }
}

fn team_list(viewer: &Viewer, teams: &[Team]) -> Markup {
    html! {
        section.card.tight aria-labelledby="teams-title" {
            h2 #teams-title { (t!("team-teams")) }
            @if teams.is_empty() { p.k { (t!("team-teams-none")) } }
            ul.lines { @for team in teams {
                li { span { b { (team.name) } @if let Some(parent) = &team.parent { div.k { (t!("team-part-of", name = parent.as_str())) } } } span.k { (t!("n-people", n = team.people)) } }
            } }
            form.tight method="post" action="/settings/teams" {
                (layout::csrf(viewer))
                div { label for="team-name" { (t!("team-set")) } input #team-name name="name" required maxlength="64" list="teams" autocomplete="off"; }
                div { label for="parent" { (t!("team-within")) } (team_select_named("parent", teams)) }
                div.bar { button.btn { (t!("save")) } }
            }
        }
    }
}

fn team_select_named(name: &str, teams: &[Team]) -> Markup {
    html! { select id=(name) name=(name) {
        option value="" { (t!("team-none")) }
        @for team in teams { option value=(team.name) { (team.name) } }
    } }
}

/// `POST /settings/people`
pub(in crate::office) async fn add(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Markup, OfficeError> {
    posted.viewer.must(Action::ManagePeople)?;
    let fields = &posted.fields;
    let some = |name: &str| Some(fields.text(name).to_owned()).filter(|text| !text.is_empty());
    let (login, role) = (fields.text("login").to_owned(), fields.text("role").to_owned());
    let request = Request::UserAdd {
        login: login.clone(),
        name: fields.text("name").to_owned(),
        team: some("team"),
        role: role.clone(),
    };
    let answer = state.command(&posted.viewer, request).await?;
    let code = answer.data["code"].as_str().unwrap_or_default().to_owned();
    let made = Made { person: login, code, device: role == Role::Rep.as_str() };
    show(&state, &posted.viewer, Some(made)).await
}

/// `POST /settings/people/change`
pub(in crate::office) async fn change(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::ManagePeople)?;
    let fields = &posted.fields;
    let disabled = match fields.text("disabled") {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    // Who keeps somebody out means only that.
    let edits = disabled.is_none();
    let given = |name: &str| fields.raw(name).filter(|_| edits).map(|text| text.trim().to_owned());
    let change = UserChange {
        login: fields.text("login").to_owned(),
        to: None,
        role: given("role"),
        name: given("name").filter(|name| !name.is_empty()),
        team: given("team"),
        disabled,
    };
    state.command(&posted.viewer, Request::UserChange(change)).await?;
    Ok(Redirect::to("/settings/people").into_response())
}

/// `POST /settings/people/invite`: a code that connects a device.
pub(in crate::office) async fn invite(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Markup, OfficeError> {
    posted.viewer.must(Action::ManagePeople)?;
    let login = posted.fields.text("login").to_owned();
    let invite = Request::Invite { login: login.clone() };
    let answer = state.command(&posted.viewer, invite).await?;
    let code = answer.data["code"].as_str().unwrap_or_default().to_owned();
    show(&state, &posted.viewer, Some(Made { person: login, code, device: true })).await
}

/// `POST /settings/people/factor`: takes a second factor away that its owner can't use any more.
pub(in crate::office) async fn factor_off(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::ManagePeople)?;
    let login = posted.fields.text("login").to_owned();
    state.command(&posted.viewer, Request::SecondFactorOff { login }).await?;
    Ok(Redirect::to("/settings/people").into_response())
}

/// `POST /settings/teams`: makes a team, or moves it into another one.
pub(in crate::office) async fn set_team(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    posted.viewer.must(Action::ManagePeople)?;
    let fields = &posted.fields;
    let parent = Some(fields.text("parent").to_owned()).filter(|name| !name.is_empty());
    let request = Request::TeamSet { name: fields.text("name").to_owned(), parent };
    state.command(&posted.viewer, request).await?;
    Ok(Redirect::to("/settings/people").into_response())
}
