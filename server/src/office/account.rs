//! One's own account: password, second factor, other browsers.
//!
//! Whatever makes the door weaker (another password, no second factor) asks for the password again, so
//! that a browser left open is not enough.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::error::OfficeError;
use super::layout::{self, Page, Shape};
use super::session::{self, Posted, Viewer};
use super::sign_in::{self, Peer};
use super::{OfficeState, password, totp, vault};
use crate::store::factors::{self, SecondFactor};
use crate::store::{EngineError, audit, people, sessions};

/// So many recovery codes are made at once.
const RECOVERY_CODES: usize = 10;

/// What the page says besides what is there.
#[derive(Default)]
struct Said {
    /// Under the password form.
    password: Option<String>,
    /// Under the second factor.
    factor: Option<String>,
    /// What has just been done.
    done: Option<&'static str>,
    /// The secret that is to be set up.
    secret: Option<Vec<u8>>,
    /// Recovery codes, shown once.
    codes: Vec<String>,
}

/// `GET /account`
pub(super) async fn page(
    viewer: Viewer,
    State(state): State<OfficeState>,
) -> Result<Markup, OfficeError> {
    render(&state, &viewer, Said::default()).await
}

async fn factor_of(
    state: &OfficeState,
    viewer: &Viewer,
) -> Result<Option<SecondFactor>, OfficeError> {
    let (workspace, user) = (viewer.workspace, viewer.user);
    state.read(move |conn| factors::find(conn, workspace, user)).await
}

async fn render(state: &OfficeState, viewer: &Viewer, said: Said) -> Result<Markup, OfficeError> {
    let factor = factor_of(state, viewer).await?;
    let body = html! {
        div.bar { h1 { "Your account" } span.k { (viewer.login) " · " (viewer.role_name()) } span.grow {} div.mobile-me { (layout::sign_out(viewer)) } }
        @if let Some(done) = said.done { div.notice.ok role="status" { p { (done) } } }
        @if !said.codes.is_empty() { (recovery(&said.codes)) }
        div.two {
            section.card.stack aria-labelledby="factor-title" {
                h2 #factor-title { "Second factor" }
                (second_factor(viewer, factor.as_ref(), &said))
            }
            div.stack {
                section.card.tight aria-labelledby="password-title" {
                    h2 #password-title { "Password" }
                    form.tight method="post" action="/account/password" {
                        (layout::csrf(viewer))
                        (current_password(viewer, "now"))
                        div { label for="password" { "New password" }
                            input #password type="password" name="password" required minlength=(password::CHARS_MIN) autocomplete="new-password" aria-describedby="rule";
                            p.hint #rule { (password::CHARS_MIN) " characters or more; a few words are easy to keep in mind." } }
                        div { label for="again" { "The same again" } input #again type="password" name="again" required autocomplete="new-password"; }
                        @if let Some(problem) = &said.password { p.err role="alert" data-problem { (problem) } }
                        div.bar { button.btn.go { "Change password" } span.hint { "Other browsers are signed out." } }
                    }
                }
                section.card.tight aria-labelledby="others-title" {
                    h2 #others-title { "Other browsers" }
                    form.bar method="post" action="/account/others" { (layout::csrf(viewer)) span.k { "Ends every session of yours but this one." } span.grow {} button.btn { "Sign out elsewhere" } }
                }
            }
        }
    };
    let page = Page {
        viewer,
        title: "Your account",
        place: None,
        to_decide: 0,
        cursor: None,
        contact: None,
        body,
    };
    Ok(page.render())
}

fn current_password(viewer: &Viewer, id: &str) -> Markup {
    html! {
        // So that a password manager knows whose it is.
        input hidden name="username" value=(viewer.login) autocomplete="username";
        div { label for=(id) { "Your password" } input id=(id) type="password" name="current" required autocomplete="current-password"; }
    }
}

fn recovery(codes: &[String]) -> Markup {
    html! {
        section.card.stack aria-labelledby="codes-title" {
            div.tight {
                h2 #codes-title { "Recovery codes" }
                p.k { "Each opens the door once when your app is not at hand. Keep them where your phone is not. They are shown only now." }
            }
            ul.fields #codes { @for code in codes { li.mono { (code) } } }
        }
    }
}

fn second_factor(viewer: &Viewer, factor: Option<&SecondFactor>, said: &Said) -> Markup {
    let problem = html! { @if let Some(problem) = &said.factor { p.err role="alert" data-problem { (problem) } } };
    html! {
        @if let Some(secret) = &said.secret {
            p.k { "Scan the picture with an authenticator app, then type the six digits that it shows." }
            (picture(viewer, secret))
            p.k { "Or type this into the app: " span.mono { (totp::base32(secret)) } }
            form.tight method="post" action="/account/second-factor/confirm" {
                (layout::csrf(viewer))
                div { label for="code" { "Six digits" } input.mono #code name="code" required autofocus inputmode="numeric" autocomplete="one-time-code" spellcheck="false"; }
                (problem)
                div.bar { button.btn.go { "Turn it on" } }
            }
        } @else if let Some((factor, since)) = factor.and_then(|factor| Some((factor, factor.confirmed_at?))) {
            p { span.chip.ok { "on" } " since " (layout::time(since, Shape::Full)) ", "
                (layout::plural(factor.recovery_left.into(), "recovery code", "recovery codes")) " left" }
            (problem)
            form.tight method="post" action="/account/second-factor/codes" { (layout::csrf(viewer)) (current_password(viewer, "codes-password")) div.bar { button.btn { "New recovery codes" } span.hint { "The old ones end." } } }
            form.tight method="post" action="/account/second-factor/off" data-confirm="Turn the second factor off? Your password alone opens the door then." { (layout::csrf(viewer)) (current_password(viewer, "off-password")) div.bar { button.btn.danger { "Turn it off" } } }
        } @else {
            p.k { "With it your password alone opens nothing: an app on your phone shows a code that changes every half minute." }
            (problem)
            form.tight method="post" action="/account/second-factor" { (layout::csrf(viewer)) (current_password(viewer, "factor-password")) div.bar { button.btn.go { "Set it up" } } }
        }
    }
}

/// Dark on light whatever the page's colours: readers need it so.
fn picture(viewer: &Viewer, secret: &[u8]) -> Markup {
    let address = totp::address(secret, &viewer.workspace_name, &viewer.login);
    html! {
        @if let Some((side, path)) = totp::picture(&address) {
            svg width="220" height="220" viewBox={ "0 0 " (side) " " (side) } role="img" aria-label="The secret as a picture for your app" shape-rendering="crispEdges" {
                rect width=(side) height=(side) fill="#fff" {}
                path d=(path) fill="#000" {}
            }
        }
    }
}

/// Judges the password that stands in a form, as often as at the sign-in and no more.
async fn is_password(
    state: &OfficeState,
    posted: &Posted,
    peer: &Peer,
) -> Result<bool, OfficeError> {
    let viewer = &posted.viewer;
    sign_in::count(state, peer, &viewer.login)?;
    let (workspace, user) = (viewer.workspace, viewer.user);
    let hash = state.read(move |conn| people::password_hash(conn, workspace, user)).await?;
    let given = posted.fields.raw("current").unwrap_or_default().to_owned();
    if given.len() > password::BYTES_MAX {
        return Ok(false);
    }
    let right = state.hashing().verify(given, hash).await.map_err(OfficeError::failed)?;
    if right {
        state.attempts().forget(&sign_in::login_key(&viewer.login));
    }
    Ok(right)
}

/// The page again where the password in a form about the second factor is wrong.
async fn refuse_factor(
    state: &OfficeState,
    posted: &Posted,
    peer: &Peer,
) -> Result<Option<Response>, OfficeError> {
    if is_password(state, posted, peer).await? {
        return Ok(None);
    }
    let said = Said { factor: Some(WRONG.to_owned()), ..Said::default() };
    again(state, &posted.viewer, said).await.map(Some)
}

const WRONG: &str = "This is not your password.";

async fn again(state: &OfficeState, viewer: &Viewer, said: Said) -> Result<Response, OfficeError> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, render(state, viewer, said).await?).into_response())
}

/// `POST /account/password`
pub(super) async fn set_password(
    State(state): State<OfficeState>,
    peer: Peer,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let viewer = &posted.viewer;
    let problem = |text: String| Said { password: Some(text), ..Said::default() };
    if !is_password(&state, &posted, &peer).await? {
        return again(&state, viewer, problem(WRONG.to_owned())).await;
    }
    let new = posted.fields.raw("password").unwrap_or_default().to_owned();
    if let Some(text) = password::refuse(&new, &viewer.login) {
        return again(&state, viewer, problem(text)).await;
    }
    if posted.fields.raw("again") != Some(&new) {
        return again(&state, viewer, problem("The two passwords differ.".to_owned())).await;
    }
    let hash = state.hashing().hash(new).await.map_err(OfficeError::failed)?;
    let (workspace, user, now) = (viewer.workspace, viewer.user, state.now());
    state
        .write(move |tx| {
            // Ends all sessions; this browser gets a fresh one below.
            people::set_password_hash(tx, workspace, user, Some(&hash))?;
            audit::append_own(tx, workspace, now, user, "user.password")
        })
        .await?;
    let known = state.read(move |conn| people::user(conn, workspace, user)).await?;
    let old = session::cookie(&headers, &state);
    sign_in::open(&state, known, old, "/account", sign_in::By::Password).await
}

/// `POST /account/others`
pub(super) async fn end_others(
    State(state): State<OfficeState>,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let (workspace, user, now) = (posted.viewer.workspace, posted.viewer.user, state.now());
    if let Some(token) = session::cookie(&headers, &state) {
        state
            .write(move |tx| {
                sessions::delete_others(tx, workspace, user, &token)?;
                audit::append_own(tx, workspace, now, user, "sign_in.ended")
            })
            .await?;
    }
    Ok(Redirect::to("/account").into_response())
}

/// `POST /account/second-factor`: makes a secret and shows it. Nothing is asked for yet.
pub(super) async fn begin(
    State(state): State<OfficeState>,
    peer: Peer,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let viewer = &posted.viewer;
    if let Some(refusal) = refuse_factor(&state, &posted, &peer).await? {
        return Ok(refusal);
    }
    if factor_of(&state, viewer).await?.is_some_and(|factor| factor.confirmed_at.is_some()) {
        return Ok(Redirect::to("/account").into_response());
    }
    let (workspace, user, now) = (viewer.workspace, viewer.user, state.now());
    let secret = state
        .engine_do(move |engine| {
            let secret: [u8; totp::SECRET_BYTES] = engine.random();
            let sealed = vault::seal(engine, workspace, user, &secret)?;
            engine.write(move |tx| factors::propose(tx, workspace, user, &sealed, now))?;
            Ok(secret.to_vec())
        })
        .await?;
    let said = Said { secret: Some(secret), ..Said::default() };
    Ok(render(&state, viewer, said).await?.into_response())
}

/// `POST /account/second-factor/confirm`: the app shows the right digits; from now on they are asked for.
pub(super) async fn confirm(
    State(state): State<OfficeState>,
    peer: Peer,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let viewer = &posted.viewer;
    sign_in::count(&state, &peer, &sign_in::factor_key(viewer.user))?;
    let (workspace, user, now) = (viewer.workspace, viewer.user, state.now());
    let given = posted.fields.text("code").to_owned();
    let made = state
        .engine_do(move |engine| {
            let found = engine.read(|conn| factors::find(conn, workspace, user))?;
            let Some(factor) = found.filter(|factor| factor.confirmed_at.is_none()) else {
                return Ok(Err(None));
            };
            let secret = vault::open(engine, workspace, user, &factor.sealed)?;
            let Some(step) = totp::matching(&secret, &given, now) else {
                return Ok(Err(Some(secret)));
            };
            let codes = recovery_codes(engine);
            let kept = codes.clone();
            engine.write(move |tx| -> Result<(), EngineError> {
                factors::use_step(tx, workspace, user, step)?;
                factors::confirm(tx, workspace, user, &kept, now)?;
                audit::append_own(tx, workspace, now, user, "user.factor_on")
            })?;
            Ok(Ok(codes))
        })
        .await?;
    match made {
        Ok(codes) => {
            let done = Some("The second factor is on: the next sign-in asks for it.");
            let said = Said { codes, done, ..Said::default() };
            Ok(render(&state, viewer, said).await?.into_response())
        }
        Err(None) => Ok(Redirect::to("/account").into_response()),
        Err(secret) => {
            let factor = Some(
                "These are not the digits of now. Is the clock of your phone right? Try the next ones."
                    .to_owned(),
            );
            again(&state, viewer, Said { secret, factor, ..Said::default() }).await
        }
    }
}

/// `POST /account/second-factor/codes`: new recovery codes.
pub(super) async fn renew_codes(
    State(state): State<OfficeState>,
    peer: Peer,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let viewer = &posted.viewer;
    if let Some(refusal) = refuse_factor(&state, &posted, &peer).await? {
        return Ok(refusal);
    }
    let (workspace, user, now) = (viewer.workspace, viewer.user, state.now());
    let codes = state
        .engine_do(move |engine| {
            let found = engine.read(|conn| factors::find(conn, workspace, user))?;
            if found.is_none_or(|factor| factor.confirmed_at.is_none()) {
                return Ok(Vec::new());
            }
            let codes = recovery_codes(engine);
            let kept = codes.clone();
            engine.write(move |tx| -> Result<(), EngineError> {
                factors::confirm(tx, workspace, user, &kept, now)?;
                audit::append_own(tx, workspace, now, user, "user.recovery_codes")
            })?;
            Ok(codes)
        })
        .await?;
    Ok(render(&state, viewer, Said { codes, ..Said::default() }).await?.into_response())
}

/// `POST /account/second-factor/off`
pub(super) async fn turn_off(
    State(state): State<OfficeState>,
    peer: Peer,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let viewer = &posted.viewer;
    if let Some(refusal) = refuse_factor(&state, &posted, &peer).await? {
        return Ok(refusal);
    }
    let (workspace, user, now) = (viewer.workspace, viewer.user, state.now());
    state
        .write(move |tx| {
            if factors::remove(tx, workspace, user)? {
                audit::append_own(tx, workspace, now, user, "user.factor_off")?;
            }
            Ok(())
        })
        .await?;
    Ok(Redirect::to("/account").into_response())
}

/// Recovery codes as people read them: 80 random bits each, in groups of four.
fn recovery_codes(engine: &crate::engine::Engine) -> Vec<String> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let random: [u8; 10] = engine.random();
            let text = totp::base32(&random);
            let groups: Vec<&str> =
                (0..text.len()).step_by(4).filter_map(|at| text.get(at..at + 4)).collect();
            groups.join("-")
        })
        .collect()
}
