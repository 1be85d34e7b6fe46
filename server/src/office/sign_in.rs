//! Signing in with a password and a second factor, with a one-time code the first time, and signing out.
//!
//! An unknown login and a wrong password get the same answer after the same work. A code is used up
//! only together with the password that it sets, and looking at the page uses nothing up, so that a
//! link preview does no harm.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use roadbook_protocol::ids::{UserId, WorkspaceId};
use serde::Deserialize;
use serde_json::json;

use super::error::OfficeError;
use super::session::{self, Fields, Posted};
use super::{OfficeState, layout, password, totp, url, vault};
use crate::engine::Engine;
use crate::rights::{Action, Decision, Relation, decide};
use crate::store::people::{self, Purpose, User};
use crate::store::{EngineError, audit, factors, sessions, workspaces};

/// What a rep is told here.
pub(super) fn for_a_rep() -> String {
    t!("sign-in-rep")
}
/// Attempts per login in a quarter of an hour.
const PER_LOGIN: u32 = 10;
/// Attempts per peer address in a quarter of an hour.
const PER_PEER: u32 = 40;

/// The address at which a one-time sign-in code is used: to be put behind the server's URL.
pub fn welcome_path(code: &str) -> String {
    format!("/welcome/{}", url::encode(code))
}

/// The key under which a peer's attempts are counted: the address, or the network of an IPv6 one.
pub(super) struct Peer(String);

impl FromRequestParts<OfficeState> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &OfficeState,
    ) -> Result<Self, Self::Rejection> {
        let addr = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip().to_canonical());
        Ok(Peer(match addr {
            Some(IpAddr::V6(v6)) => {
                let [a, b, c, d, ..] = v6.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            Some(v4) => v4.to_string(),
            None => "unknown".to_owned(),
        }))
    }
}

#[derive(Debug, Deserialize, Default)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

impl Next {
    /// Where to go on to, as the link said it.
    pub(super) fn path(&self) -> &str {
        &self.next
    }
}

/// How somebody has shown who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// With a password, or the one-time code that sets it.
    Password,
    /// With the company's identity provider.
    Provider,
}

/// `GET /sign-in`
pub(super) async fn form(
    State(state): State<OfficeState>,
    Query(next): Query<Next>,
) -> Result<Markup, OfficeError> {
    let several = several_workspaces(&state).await?;
    Ok(page(&state, &SignIn { next: &next.next, several, ..SignIn::default() }))
}

/// The page after another way in failed: with what went wrong, and the password as the way that is
/// left.
pub(super) async fn page_after(
    state: &OfficeState,
    problem: &str,
    next: &str,
) -> Result<Markup, OfficeError> {
    let several = several_workspaces(state).await?;
    Ok(page(state, &SignIn { next, several, elsewhere: Some(problem), ..SignIn::default() }))
}

/// What the sign-in form shows.
#[derive(Default)]
struct SignIn<'a> {
    login: &'a str,
    workspace: &'a str,
    next: &'a str,
    several: bool,
    problem: Option<&'a str>,
    /// What is wrong with the way by the provider.
    elsewhere: Option<&'a str>,
}

fn page(state: &OfficeState, form: &SignIn<'_>) -> Markup {
    layout::alone(
        &t!("sign-in"),
        html! {
            h1 { (t!("sign-in")) }
            @if let Some(problem) = form.elsewhere { p.err role="alert" data-problem { (problem) } }
            form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(url::local(form.next));
                @if form.several {
                    div { label for="workspace" { (t!("sign-in-workspace")) } input #workspace name="workspace" value=(form.workspace) required autocomplete="organization"; }
                }
                div { label for="login" { (t!("sign-in-login")) }
                    input #login name="login" value=(form.login) required autofocus[form.login.is_empty()] autocomplete="username" autocapitalize="none" spellcheck="false"; }
                div { label for="password" { (t!("sign-in-password")) }
                    input #password type="password" name="password" required autofocus[!form.login.is_empty()] autocomplete="current-password"
                        aria-describedby=[form.problem.map(|_| "problem")] aria-invalid=[form.problem.map(|_| "true")]; }
                @if let Some(problem) = form.problem { p.err #problem role="alert" data-problem { (problem) } }
                button.btn.go { (t!("sign-in")) }
            }
            @if let Some(oidc) = state.oidc() {
                p.or { span { (t!("sign-in-or")) } }
                a.btn href=(url::with("/sign-in/oidc", &[("next", leads_on(form.next))])) data-provider { (t!("sign-in-with", name = oidc.name())) }
            }
            p.k { (rich!("sign-in-first-time"; link = html! { a href="/welcome" { (t!("sign-in-use-code")) } })) }
        },
    )
}

/// Where to lead after the sign-in; nothing to say where that is the first page anyway.
fn leads_on(next: &str) -> &str {
    match url::local(next) {
        "/" => "",
        next => next,
    }
}

/// The session that the browser came with, if any, and the fields of a form of somebody who is not
/// signed in yet.
async fn at_the_door(
    state: &OfficeState,
    request: Request,
) -> Result<(Option<String>, Fields), OfficeError> {
    session::same_origin(request.headers())?;
    let old = session::cookie(request.headers(), state);
    Ok((old, Fields::read(request).await?))
}

/// `POST /sign-in`
pub(super) async fn submit(
    State(state): State<OfficeState>,
    peer: Peer,
    request: Request,
) -> Result<Response, OfficeError> {
    let (old, fields) = at_the_door(&state, request).await?;
    let (login, workspace) = (fields.text("login").to_owned(), fields.text("workspace").to_owned());
    let given = fields.raw("password").unwrap_or_default().to_owned();
    count(&state, &peer, &login)?;
    let (key, name) = (login.clone(), workspace.clone());
    let (several, found) = state
        .read(move |conn| {
            let spaces = workspaces::list(conn)?;
            let several = spaces.len() > 1;
            let user = people::users_of_login(conn, &key)?.into_iter().find(|user| {
                !several
                    || spaces.iter().any(|space| {
                        space.id == user.workspace && space.name.eq_ignore_ascii_case(&name)
                    })
            });
            let hash = match &user {
                Some(user) => people::password_hash(conn, user.workspace, user.id)?,
                None => None,
            };
            Ok((several, user.map(|user| (user, hash))))
        })
        .await?;
    let (user, hash) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
    let fits = given.len() <= password::BYTES_MAX;
    let right = state
        .hashing()
        .verify(if fits { given } else { String::new() }, hash)
        .await
        .map_err(OfficeError::failed)?;
    let known = user.as_ref().map(|user| (user.workspace, user.id));
    let user = user.filter(|user| right && fits && user.disabled_at.is_none());
    let Some(user) = user else {
        refused(&state, known, &peer, "password").await?;
        let problem = t!("sign-in-wrong");
        let form = SignIn {
            login: &login,
            workspace: &workspace,
            next: fields.text("next"),
            several,
            problem: Some(&problem),
            elsewhere: None,
        };
        return Ok((StatusCode::UNAUTHORIZED, page(&state, &form)).into_response());
    };
    state.attempts().forget(&login_key(&login));
    lead_on(&state, user, old, fields.text("next"), By::Password).await
}

/// The password was right, or a code, or the provider vouched: asks for the second factor where there
/// is one, else opens a session.
pub(super) async fn lead_on(
    state: &OfficeState,
    user: User,
    old: Option<String>,
    next: &str,
    by: By,
) -> Result<Response, OfficeError> {
    if !may_enter(&user) {
        return Err(OfficeError::Forbidden { reason: for_a_rep() });
    }
    let (workspace, id) = (user.workspace, user.id);
    let factor = state.read(move |conn| factors::find(conn, workspace, id)).await?;
    if factor.is_none_or(|factor| factor.confirmed_at.is_none()) {
        return open(state, user, old, next, by).await;
    }
    let token = session::random_token()?;
    state.tickets().give(&token, workspace, id, next, by, state.now());
    Ok(factor_page(&token, None).into_response())
}

fn factor_page(ticket: &str, problem: Option<&str>) -> Markup {
    layout::alone(
        &t!("sign-in-second-title"),
        html! {
            div.tight { h1 { (t!("sign-in-one-more-step")) } p.k { (t!("sign-in-six-digits")) } }
            form method="post" action="/sign-in/code" {
                input type="hidden" name="ticket" value=(ticket);
                div { label for="code" { (t!("sign-in-code")) } input.mono #code name="code" required autofocus autocomplete="one-time-code" autocapitalize="characters" spellcheck="false"
                    aria-describedby=[problem.map(|_| "problem")] aria-invalid=[problem.map(|_| "true")]; }
                @if let Some(problem) = problem { p.err #problem role="alert" data-problem { (problem) } }
                button.btn.go { (t!("sign-in")) }
            }
            p.k { (t!("sign-in-neither")) }
        },
    )
}

/// `POST /sign-in/code`: the second factor.
pub(super) async fn submit_code(
    State(state): State<OfficeState>,
    peer: Peer,
    request: Request,
) -> Result<Response, OfficeError> {
    let (old, fields) = at_the_door(&state, request).await?;
    let (token, given) = (fields.text("ticket").to_owned(), fields.text("code").to_owned());
    let now = state.now();
    let Some(ticket) = state.tickets().attempt(&token, now) else {
        let several = several_workspaces(&state).await?;
        let problem = t!("sign-in-took-too-long");
        let problem = Some(problem.as_str());
        let form = SignIn { several, problem, ..SignIn::default() };
        return Ok((StatusCode::UNAUTHORIZED, page(&state, &form)).into_response());
    };
    count(&state, &peer, &factor_key(ticket.user))?;
    let (workspace, user) = (ticket.workspace, ticket.user);
    let fits = state.engine_do(move |engine| fits_factor(engine, workspace, user, &given)).await?;
    if !fits {
        refused(&state, Some((workspace, user)), &peer, "factor").await?;
        let problem = t!("sign-in-code-wrong");
        return Ok((StatusCode::UNAUTHORIZED, factor_page(&token, Some(&problem))).into_response());
    }
    state.tickets().end(&token);
    state.attempts().forget(&login_key(&factor_key(user)));
    let known = state.read(move |conn| people::user(conn, workspace, user)).await?;
    open(&state, known, old, &ticket.next, ticket.by).await
}

/// Whether a code is the second factor of somebody; it is used up.
fn fits_factor(
    engine: &Engine,
    workspace: WorkspaceId,
    user: UserId,
    given: &str,
) -> Result<bool, EngineError> {
    let now = engine.now_ms();
    let Some(factor) = engine.read(|conn| factors::find(conn, workspace, user))? else {
        return Ok(false);
    };
    // A key that was lost must not shut out who has a recovery code.
    let step = match vault::open(engine, workspace, user, &factor.sealed) {
        Ok(secret) => totp::matching(&secret, given, now),
        Err(error) => {
            tracing::error!(%error, "a second factor can't be checked");
            None
        }
    };
    let given = given.to_owned();
    engine.write(move |tx| match step {
        Some(step) => factors::use_step(tx, workspace, user, step),
        None => {
            let used = factors::use_recovery(tx, workspace, user, &given, now)?;
            if used {
                audit::append_own(tx, workspace, now, user, "user.recovery_code_used")?;
            }
            Ok(used)
        }
    })
}

/// Records that somebody who is known here was not let in.
pub(super) async fn refused(
    state: &OfficeState,
    who: Option<(WorkspaceId, UserId)>,
    peer: &Peer,
    what: &'static str,
) -> Result<(), OfficeError> {
    metrics::counter!("roadbook_sign_ins_total", "outcome" => "refused").increment(1);
    let Some((workspace, user)) = who else { return Ok(()) };
    let (now, from) = (state.now(), peer.0.clone());
    state
        .write(move |tx| {
            let (subject, detail) = (user.to_string(), json!({ "wrong": what, "from": from }));
            audit::append(tx, workspace, now, None, "sign_in.refused", &subject, &detail)
        })
        .await
}

/// Whether somebody may use the pages at all.
fn may_enter(user: &User) -> bool {
    decide(user.role, Action::Enter, Relation::Own) == Decision::Allow
}

/// Opens a session under a fresh token, ends the one that the browser came with, and leads on.
pub(super) async fn open(
    state: &OfficeState,
    user: User,
    old: Option<String>,
    next: &str,
    by: By,
) -> Result<Response, OfficeError> {
    if !may_enter(&user) {
        return Err(OfficeError::Forbidden { reason: for_a_rep() });
    }
    metrics::counter!("roadbook_sign_ins_total", "outcome" => "accepted").increment(1);
    let (token, csrf) = (session::random_token()?, session::random_token()?);
    let (key, now) = (token.clone(), state.now());
    state
        .write(move |tx| {
            if let Some(old) = old {
                sessions::delete(tx, &old)?;
            }
            let (workspace, id) = (user.workspace, user.id);
            sessions::create(tx, workspace, id, &key, &csrf, now, session::IDLE_MS)?;
            let subject = id.to_string();
            let detail = super::oidc::detail(by);
            audit::append(tx, workspace, now, Some(id), "sign_in", &subject, &detail)
        })
        .await?;
    let mut response = Redirect::to(url::local(next)).into_response();
    response.headers_mut().insert(header::SET_COOKIE, session::set_cookie(state, Some(&token)));
    Ok(response)
}

/// `POST /sign-out`
pub(super) async fn sign_out(
    State(state): State<OfficeState>,
    headers: axum::http::HeaderMap,
    posted: Posted,
) -> Result<Response, OfficeError> {
    if let Some(token) = session::cookie(&headers, &state) {
        let (workspace, user, now) = (posted.viewer.workspace, posted.viewer.user, state.now());
        state
            .write(move |tx| {
                sessions::delete(tx, &token)?;
                audit::append_own(tx, workspace, now, user, "sign_out")
            })
            .await?;
    }
    let mut response = Redirect::to("/sign-in").into_response();
    response.headers_mut().insert(header::SET_COOKIE, session::set_cookie(&state, None));
    Ok(response)
}

/// `GET /welcome`
pub(super) async fn welcome() -> Markup {
    welcome_page("", "", None)
}

/// `GET /welcome/{code}`
pub(super) async fn welcome_with(Path(code): Path<String>) -> Markup {
    welcome_page(&code, "", None)
}

fn welcome_page(code: &str, login: &str, problem: Option<&str>) -> Markup {
    layout::alone(
        &t!("welcome"),
        html! {
            div.tight { h1 { (t!("welcome")) } p.k { (t!("welcome-text")) } }
            form method="post" action="/welcome" {
                div { label for="code" { (t!("welcome-code")) } input.mono #code name="code" value=(code) required autofocus[code.is_empty()] autocomplete="one-time-code" autocapitalize="characters" spellcheck="false"; }
                @if code.is_empty() || !login.is_empty() {
                    div { label for="login" { (t!("sign-in-login")) } input #login name="login" value=(login) required autocomplete="username" autocapitalize="none" spellcheck="false"; }
                }
                div { label for="password" { (t!("password-new")) }
                    input #password type="password" name="password" required minlength=(password::CHARS_MIN) autofocus[!code.is_empty()] autocomplete="new-password" aria-describedby="rule";
                    p.hint #rule { (password::rule()) } }
                div { label for="again" { (t!("password-again")) } input #again type="password" name="again" required autocomplete="new-password"; }
                @if let Some(problem) = problem { p.err role="alert" data-problem { (problem) } }
                button.btn.go { (t!("welcome-set")) }
            }
            p.k { (rich!("welcome-have-one"; link = html! { a href="/sign-in" { (t!("sign-in")) } })) }
        },
    )
}

/// `POST /welcome`
pub(super) async fn set_password(
    State(state): State<OfficeState>,
    peer: Peer,
    request: Request,
) -> Result<Response, OfficeError> {
    let (old, fields) = at_the_door(&state, request).await?;
    let (code, login) = (fields.text("code").to_owned(), fields.text("login").to_owned());
    count(&state, &peer, &code)?;
    let new = fields.raw("password").unwrap_or_default().to_owned();
    let again = |problem: &str| {
        Ok((StatusCode::UNPROCESSABLE_ENTITY, welcome_page(&code, &login, Some(problem)))
            .into_response())
    };
    // Judged before the code is used up. The login is judged again below, where it is known.
    if let Some(problem) = password::refuse(&new, if login.is_empty() { "\u{0}" } else { &login }) {
        return again(&problem);
    }
    if fields.raw("again").is_some_and(|repeated| repeated != new) {
        return again(&t!("password-differ"));
    }
    let hash = state.hashing().hash(new.clone()).await.map_err(OfficeError::failed)?;
    let now = state.now();
    let (key, name) = (code.clone(), login.clone());
    let redeemed = state
        .write(move |tx| {
            let user = people::redeem_code(tx, &key, Purpose::SignIn, now)?;
            let refused = |reason: String| Err(EngineError::Refused { code: "sign_in", reason });
            if !name.is_empty() && !user.login.eq_ignore_ascii_case(&name) {
                return refused(t!("code-unknown"));
            }
            if let Some(problem) = password::refuse(&new, &user.login) {
                return refused(problem);
            }
            if !may_enter(&user) {
                return refused(for_a_rep());
            }
            people::set_password_hash(tx, user.workspace, user.id, Some(&hash))?;
            audit::append(
                tx,
                user.workspace,
                now,
                Some(user.id),
                "user.password",
                &user.id.to_string(),
                &json!({ "by": "code" }),
            )?;
            Ok(user)
        })
        .await;
    match redeemed {
        Ok(user) => lead_on(&state, user, old, "/", By::Password).await,
        Err(OfficeError::Refused { reason }) => again(&reason),
        Err(other) => Err(other),
    }
}

/// Counts an attempt of this peer for this login.
pub(super) fn count(state: &OfficeState, peer: &Peer, login: &str) -> Result<(), OfficeError> {
    count_peer(state, peer, "peer")?;
    state.attempts().count(&login_key(login), PER_LOGIN, state.now()).map_err(too_many)
}

/// Counts an attempt of this peer at one step.
pub(super) fn count_peer(state: &OfficeState, peer: &Peer, step: &str) -> Result<(), OfficeError> {
    let key = format!("{step} {}", peer.0);
    state.attempts().count(&key, PER_PEER, state.now()).map_err(too_many)
}

fn too_many(seconds: u64) -> OfficeError {
    metrics::counter!("roadbook_sign_ins_total", "outcome" => "limited").increment(1);
    OfficeError::TooMany { seconds }
}

/// The name under which attempts at somebody's second factor are counted. No login has a space.
pub(super) fn factor_key(user: UserId) -> String {
    format!("factor {user}")
}

pub(super) fn login_key(login: &str) -> String {
    // Long input must not make long keys.
    format!("login {}", login.chars().take(80).collect::<String>().to_lowercase())
}

async fn several_workspaces(state: &OfficeState) -> Result<bool, OfficeError> {
    state.read(|conn| Ok(workspaces::list(conn)?.len() > 1)).await
}
