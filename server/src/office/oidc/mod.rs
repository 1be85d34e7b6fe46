//! Signing in with the company's own identity provider (OpenID Connect): optional, beside the
//! password.
//!
//! The browser is led to the provider and comes back with a code, which the server exchanges for an
//! ID token: authorization code with PKCE; `state` is good once and bound to the browser by a
//! cookie; the token's issuer, audience, signature, expiry and nonce are verified. It says who
//! somebody is, and no more: only people who are here already come in, and what they may do is
//! decided here. Nobody is ever created, changed or given a role by what a provider says.

mod fetch;
mod pending;
mod provider;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::json;

use super::error::OfficeError;
use super::sign_in::{self, By, Peer};
use super::{OfficeState, session, url};
use crate::store::people::{self, User};
use crate::store::{EngineError, workspaces};
pub(crate) use fetch::Fetch;
use pending::Pending;
use provider::{Provider, Trouble};

/// Where the provider leads browsers back to: to be registered there, behind the server's URL.
pub const BACK: &str = "/sign-in/oidc/back";

/// Who asks for the second factor of somebody who comes by the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondFactor {
    /// The provider: Roadbook asks for none.
    #[default]
    Provider,
    /// Roadbook: who has one here gives it, as after a password.
    Roadbook,
}

/// How the provider is used.
#[derive(Clone, PartialEq, Eq)]
pub struct OidcOptions {
    /// The issuer's address, exactly as the provider writes it.
    pub issuer: String,
    /// The name under which Roadbook is registered there.
    pub client_id: String,
    /// The secret of that registration, if it has one.
    pub client_secret: Option<String>,
    /// The claim whose value is a login here. `email` counts only where the provider says that it
    /// has verified it.
    pub claim: String,
    /// What the button calls the provider.
    pub name: String,
    /// The workspace whose people come in; needed where there are several.
    pub workspace: Option<String>,
    /// Who asks for the second factor.
    pub second_factor: SecondFactor,
    /// A PEM file of certificate authorities to trust beside the system's.
    pub ca: Option<PathBuf>,
}

impl fmt::Debug for OidcOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcOptions")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("secret", &self.client_secret.is_some())
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}

/// The provider as the pages use it. Cloning shares it.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    provider: Provider,
    pending: Pending,
    name: String,
    workspace: Option<String>,
    second_factor: SecondFactor,
}

impl Oidc {
    /// Judges the settings; the provider is asked when it is first needed. `url` is this server's
    /// own address, as browsers know it.
    ///
    /// # Errors
    /// A text for the operator: a setting that can't be used.
    pub fn new(options: &OidcOptions, url: &str) -> Result<Self, String> {
        Ok(Self(Arc::new(Inner {
            provider: Provider::new(options, url)?,
            pending: Pending::new(),
            name: options.name.clone(),
            workspace: options.workspace.clone(),
            second_factor: options.second_factor,
        })))
    }

    /// What the button calls the provider.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// What somebody is told whom the provider did not bring in.
    fn told(&self, trouble: &Trouble) -> (StatusCode, String) {
        let name = self.name();
        match trouble {
            Trouble::Away(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, t!("oidc-unreachable", name = name))
            }
            Trouble::Refused(word) => (
                StatusCode::UNAUTHORIZED,
                t!("oidc-not-let-in", name = name, reason = plain_word(word)),
            ),
            Trouble::Unproven { reason, .. } => {
                (StatusCode::UNAUTHORIZED, t!("oidc-not-believed", name = name, reason = *reason))
            }
        }
    }
}

impl fmt::Debug for Oidc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oidc").field("issuer", &self.0.provider.issuer()).finish_non_exhaustive()
    }
}

/// A provider's error code: short, and of harmless letters. It came through the browser.
fn plain_word(word: &str) -> String {
    let word: String = word
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' '))
        .take(60)
        .collect();
    word.replace('_', " ")
}

/// `GET /sign-in/oidc`: leads to the provider. A link and no form, since the policy of the pages
/// lets forms lead nowhere else.
pub(super) async fn leave(
    State(state): State<OfficeState>,
    peer: Peer,
    Query(next): Query<sign_in::Next>,
) -> Result<Response, OfficeError> {
    let Some(oidc) = state.oidc() else { return Err(OfficeError::NotFound { what: "page" }) };
    sign_in::count_peer(&state, &peer, "leaves")?;
    let (token, nonce, browser) =
        (session::random_token()?, session::random_token()?, session::random_token()?);
    match oidc.0.provider.leave(token.clone(), nonce, url::local(next.path())).await {
        Ok((address, leave)) => {
            oidc.0.pending.leave(&token, &browser, leave, state.now());
            let mut response = Redirect::to(&address).into_response();
            response.headers_mut().insert(header::SET_COOKIE, cookie(&state, Some(&browser)));
            Ok(response)
        }
        Err(trouble) => failed(&state, oidc, &trouble, next.path()).await,
    }
}

/// What the provider leads back with.
#[derive(Deserialize, Default)]
pub(super) struct Back {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// `GET /sign-in/oidc/back`: somebody comes back from the provider.
pub(super) async fn back(
    State(state): State<OfficeState>,
    peer: Peer,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, OfficeError> {
    let Some(oidc) = state.oidc() else { return Err(OfficeError::NotFound { what: "page" }) };
    sign_in::count_peer(&state, &peer, "comes back")?;
    let browser = session::cookie_named(&headers, cookie_name(&state));
    let now = state.now();
    let Some(leave) = oidc.0.pending.back(&back.state, browser.as_deref(), now) else {
        return answer(&state, StatusCode::UNAUTHORIZED, &t!("oidc-too-long"), "/").await;
    };
    let who = match (back.error, back.code) {
        // Another provider's answer must not be taken for this one's (RFC 9207).
        _ if back.iss.as_deref().is_some_and(|iss| iss != oidc.0.provider.issuer()) => {
            Err(Trouble::Unproven {
                reason: "its answer comes from another issuer",
                cause: "the parameter `iss`".to_owned(),
            })
        }
        (Some(error), _) => Err(Trouble::Refused(error)),
        (None, None) => Err(Trouble::Unproven {
            reason: "its answer can't be read",
            cause: "neither a code nor an error".to_owned(),
        }),
        (None, Some(code)) => {
            let at = DateTime::from_timestamp_millis(now).unwrap_or_default();
            oidc.0.provider.who(code, &leave, at).await
        }
    };
    let who = match who {
        Ok(who) => who,
        Err(trouble) => return failed(&state, oidc, &trouble, &leave.next).await,
    };
    let user = match known(&state, oidc, &who).await? {
        Ok(user) => user,
        Err(refusal) => {
            sign_in::refused(&state, refusal.user, &peer, refusal.why).await?;
            return answer(&state, StatusCode::FORBIDDEN, &refusal.told, &leave.next).await;
        }
    };
    let old = session::cookie(&headers, &state);
    let mut response = match oidc.0.second_factor {
        SecondFactor::Provider => sign_in::open(&state, user, old, &leave.next, By::Provider).await,
        SecondFactor::Roadbook => {
            sign_in::lead_on(&state, user, old, &leave.next, By::Provider).await
        }
    }?;
    response.headers_mut().append(header::SET_COOKIE, cookie(&state, None));
    Ok(response)
}

/// Why somebody whom the provider knows does not come in.
struct Refusal {
    user: Option<(roadbook_protocol::ids::WorkspaceId, roadbook_protocol::ids::UserId)>,
    why: &'static str,
    told: String,
}

/// The person here whose login the provider named.
async fn known(
    state: &OfficeState,
    oidc: &Oidc,
    who: &str,
) -> Result<Result<User, Refusal>, OfficeError> {
    let (login, wanted) = (who.to_owned(), oidc.0.workspace.clone());
    let (several, found) = state
        .read(move |conn| {
            let spaces = workspaces::list(conn)?;
            let workspace = match &wanted {
                Some(name) => spaces.iter().find(|space| space.name.eq_ignore_ascii_case(name)),
                None if spaces.len() == 1 => spaces.first(),
                None => None,
            };
            let found = match workspace.map(|space| people::find_user(conn, space.id, &login)) {
                Some(Err(EngineError::NotFound { .. })) | None => None,
                Some(found) => Some(found?),
            };
            Ok((workspace.is_none(), found))
        })
        .await?;
    let shown: String = who.chars().filter(|c| !c.is_control()).take(80).collect();
    Ok(match found {
        Some(user) if user.disabled_at.is_none() => Ok(user),
        // Both answers alike: who has left learns nothing from it.
        Some(user) => Err(Refusal {
            user: Some((user.workspace, user.id)),
            why: "provider, disabled",
            told: nobody(oidc, &shown),
        }),
        None if several => {
            Err(Refusal { user: None, why: "provider, workspace", told: t!("oidc-workspace") })
        }
        None => Err(Refusal { user: None, why: "provider, unknown", told: nobody(oidc, &shown) }),
    })
}

fn nobody(oidc: &Oidc, who: &str) -> String {
    t!("oidc-nobody", name = oidc.name(), who = who)
}

/// The provider, or what it said, was no good.
async fn failed(
    state: &OfficeState,
    oidc: &Oidc,
    trouble: &Trouble,
    next: &str,
) -> Result<Response, OfficeError> {
    metrics::counter!("roadbook_sign_ins_total", "outcome" => "provider").increment(1);
    tracing::warn!(%trouble, "a sign-in by the identity provider failed");
    let (status, text) = oidc.told(trouble);
    answer(state, status, &text, next).await
}

/// The sign-in page with what went wrong; the password is still a way in.
async fn answer(
    state: &OfficeState,
    status: StatusCode,
    text: &str,
    next: &str,
) -> Result<Response, OfficeError> {
    let mut response = (status, sign_in::page_after(state, text, next).await?).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(state, None));
    Ok(response)
}

/// The cookie of a browser that is on its way. Bound to this host like the session's.
fn cookie_name(state: &OfficeState) -> &'static str {
    if state.secure() { "__Host-roadbook-way" } else { "roadbook-way" }
}

/// `Lax`, since the provider leads back from another site.
fn cookie(state: &OfficeState, value: Option<&str>) -> HeaderValue {
    let age = value.map_or(0, |_| pending::VALID_MS / 1000);
    session::cookie_header(state, cookie_name(state), value.unwrap_or_default(), age)
}

/// What goes into the audit log with a sign-in.
pub(super) fn detail(by: By) -> serde_json::Value {
    match by {
        By::Password => json!({}),
        By::Provider => json!({ "by": "provider" }),
    }
}
