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
use super::words::Language;
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
    done: Option<String>,
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
        div.bar { h1 { (t!("account-title")) } span.k { (viewer.login) " · " (viewer.role_name()) } span.grow {} div.mobile-me { (layout::sign_out(viewer)) } }
        @if let Some(done) = &said.done { div.notice.ok role="status" { p { (done) } } }
        @if !said.codes.is_empty() { (recovery(&said.codes)) }
        div.two {
            section.card.stack aria-labelledby="factor-title" {
                h2 #factor-title { (t!("sign-in-second-title")) }
                (second_factor(viewer, factor.as_ref(), &said))
            }
            div.stack {
                section.card.tight aria-labelledby="password-title" {
                    h2 #password-title { (t!("sign-in-password")) }
                    form.tight method="post" action="/account/password" {
                        (layout::csrf(viewer))
                        (current_password(viewer, "now"))
                        div { label for="password" { (t!("password-new")) }
                            input #password type="password" name="password" required minlength=(password::CHARS_MIN) autocomplete="new-password" aria-describedby="rule";
                            p.hint #rule { (password::rule()) } }
                        div { label for="again" { (t!("password-again")) } input #again type="password" name="again" required autocomplete="new-password"; }
                        @if let Some(problem) = &said.password { p.err role="alert" data-problem { (problem) } }
                        div.bar { button.btn.go { (t!("account-change-password")) } span.hint { (t!("account-others-out")) } }
                    }
                }
                (language(viewer))
                section.card.tight aria-labelledby="others-title" {
                    h2 #others-title { (t!("account-others")) }
                    form.bar method="post" action="/account/others" { (layout::csrf(viewer)) span.k { (t!("account-others-text")) } span.grow {} button.btn { (t!("account-others-end")) } }
                }
            }
        }
    };
    let page = Page {
        viewer,
        title: &t!("account-title"),
        place: None,
        to_decide: 0,
        cursor: None,
        contact: None,
        body,
    };
    Ok(page.render())
}

/// In which language somebody reads these pages.
fn language(viewer: &Viewer) -> Markup {
    html! {
        section.card.tight aria-labelledby="language-title" {
            h2 #language-title { (t!("account-language")) }
            form.tight method="post" action="/account/language" {
                (layout::csrf(viewer))
                div.bar {
                    select name="language" aria-labelledby="language-title" aria-describedby="language-rule" {
                        option value="" selected[viewer.language.is_none()] { (t!("account-language-browser")) }
                        @for language in Language::ALL {
                            option value=(language.tag()) lang=(language.tag()) selected[viewer.language == Some(language)] { (language.own_name()) }
                        }
                    }
                    button.btn { (t!("save")) }
                }
                p.hint #language-rule { (t!("account-language-text")) }
            }
        }
    }
}

/// `POST /account/language`
pub(super) async fn set_language(
    State(state): State<OfficeState>,
    posted: Posted,
) -> Result<Response, OfficeError> {
    let (workspace, user) = (posted.viewer.workspace, posted.viewer.user);
    let language = Language::of_tag(posted.fields.text("language")).map(Language::tag);
    state.write(move |tx| people::set_language(tx, workspace, user, language)).await?;
    Ok(Redirect::to("/account").into_response())
}

fn current_password(viewer: &Viewer, id: &str) -> Markup {
    html! {
        // So that a password manager knows whose it is.
        input hidden name="username" value=(viewer.login) autocomplete="username";
        div { label for=(id) { (t!("account-your-password")) } input id=(id) type="password" name="current" required autocomplete="current-password"; }
    }
}

fn recovery(codes: &[String]) -> Markup {
    html! {
        section.card.stack aria-labelledby="codes-title" {
            div.tight {
                h2 #codes-title { (t!("account-recovery-codes")) }
                p.k { (t!("account-recovery-text")) }
            }
            ul.fields #codes { @for code in codes { li.mono { (code) } } }
        }
    }
}

fn second_factor(viewer: &Viewer, factor: Option<&SecondFactor>, said: &Said) -> Markup {
    let problem = html! { @if let Some(problem) = &said.factor { p.err role="alert" data-problem { (problem) } } };
    html! {
        @if let Some(secret) = &said.secret {
            p.k { (t!("account-scan")) }
            (picture(viewer, secret))
            p.k { (rich!("account-type-secret"; secret = html! { span.mono { (totp::base32(secret)) } })) }
            form.tight method="post" action="/account/second-factor/confirm" {
                (layout::csrf(viewer))
                div { label for="code" { (t!("account-six-digits")) } input.mono #code name="code" required autofocus inputmode="numeric" autocomplete="one-time-code" spellcheck="false"; }
                (problem)
                div.bar { button.btn.go { (t!("account-turn-on")) } }
            }
        } @else if let Some((factor, since)) = factor.and_then(|factor| Some((factor, factor.confirmed_at?))) {
            p { (rich!("account-factor-since", n = factor.recovery_left;
                chip = html! { span.chip.ok { (t!("account-factor-on")) } },
                time = layout::time(since, Shape::Full))) }
            (problem)
            form.tight method="post" action="/account/second-factor/codes" { (layout::csrf(viewer)) (current_password(viewer, "codes-password")) div.bar { button.btn { (t!("account-new-codes")) } span.hint { (t!("account-old-end")) } } }
            form.tight method="post" action="/account/second-factor/off" data-confirm=(t!("account-off-confirm")) { (layout::csrf(viewer)) (current_password(viewer, "off-password")) div.bar { button.btn.danger { (t!("account-turn-off")) } } }
        } @else {
            p.k { (t!("account-factor-why")) }
            (problem)
            form.tight method="post" action="/account/second-factor" { (layout::csrf(viewer)) (current_password(viewer, "factor-password")) div.bar { button.btn.go { (t!("account-set-up")) } } }
        }
    }
}

/// Dark on light whatever the page's colours: readers need it so.
fn picture(viewer: &Viewer, secret: &[u8]) -> Markup {
    let address = totp::address(secret, &viewer.workspace_name, &viewer.login);
    html! {
        @if let Some((side, path)) = totp::picture(&address) {
            svg width="220" height="220" viewBox={ "0 0 " (side) " " (side) } role="img" aria-label=(t!("account-picture")) shape-rendering="crispEdges" {
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
    let said = Said { factor: Some(wrong()), ..Said::default() };
    again(state, &posted.viewer, said).await.map(Some)
}

fn wrong() -> String {
    t!("account-wrong-password")
}

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
        return again(&state, viewer, problem(wrong())).await;
    }
    let new = posted.fields.raw("password").unwrap_or_default().to_owned();
    if let Some(text) = password::refuse(&new, &viewer.login) {
        return again(&state, viewer, problem(text)).await;
    }
    if posted.fields.raw("again") != Some(&new) {
        return again(&state, viewer, problem(t!("password-differ"))).await;
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
            let done = Some(t!("account-factor-done"));
            let said = Said { codes, done, ..Said::default() };
            Ok(render(&state, viewer, said).await?.into_response())
        }
        Err(None) => Ok(Redirect::to("/account").into_response()),
        Err(secret) => {
            let factor = Some(t!("account-digits-wrong"));
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
