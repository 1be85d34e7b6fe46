//! Who is looking at a page, and whether a form came from one of our pages.
//!
//! A session is a cookie of 256 random bits; the server keeps only its hash. It ends two hours after
//! its last use, and for good twelve hours after it was opened.
//! A form is taken only with the session's own token in it and from this
//! origin: the cookie alone proves nothing, since a browser sends it along from anywhere.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::{Form, RequestExt};
use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};

use super::error::OfficeError;
use super::words::{self, Language};
use super::{OfficeState, alerts};
use crate::engine::review;
use crate::rights::{Action, Rights};
use crate::store::look::{self, Look};
use crate::store::people::Role;
use crate::store::{people, sessions, workspaces};

/// A session ends so long after its last use.
pub(super) const IDLE_MS: UnixMs = 2 * 60 * 60 * 1000;
/// The end of a session is moved at most so often, so that reading writes next to nothing.
const EXTEND_MS: UnixMs = 10 * 60 * 1000;

/// The header of requests that the script makes without anybody's doing. A browser can't set it for
/// the event stream, which is known by what it accepts.
const BY_ITSELF: &str = "x-office";

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub workspace: WorkspaceId,
    pub workspace_name: String,
    pub user: UserId,
    pub login: String,
    pub name: String,
    pub role: Role,
    pub rights: Rights,
    /// Alerts that nobody has seen.
    pub alerts: u64,
    /// Whether customer data is held back after a restore.
    pub review: bool,
    /// The look of their company.
    pub look: Look,
    /// The language that they chose; else the browser says which.
    pub language: Option<Language>,
    csrf: String,
}

impl Viewer {
    /// The token that every form of this session carries.
    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }
    /// Whether edits are allowed.
    pub(super) fn edits(&self) -> bool {
        self.may(Action::Create)
    }
    /// Whether something may be done that is about no contact and no person.
    pub(super) fn may(&self, action: Action) -> bool {
        self.rights.may(action)
    }
    /// Refuses what may not be done.
    pub(super) fn must(&self, action: Action) -> Result<(), OfficeError> {
        if self.may(action) {
            return Ok(());
        }
        Err(OfficeError::Forbidden { reason: t!("forbidden-role") })
    }
    pub(super) fn role_name(&self) -> String {
        super::devices::role_name(self.role)
    }
}

impl FromRequestParts<OfficeState> for Viewer {
    type Rejection = OfficeError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &OfficeState,
    ) -> Result<Self, OfficeError> {
        let next = if parts.method == Method::GET { parts.uri.to_string() } else { String::new() };
        // A stream that is led elsewhere would end without a reason that the script could see.
        let nobody = if is_stream(&parts.headers) {
            OfficeError::Nobody
        } else {
            OfficeError::SignIn { next }
        };
        let Some(token) = cookie(&parts.headers, state) else { return Err(nobody) };
        let now = state.now();
        let key = token.clone();
        let found = state
            .read(move |conn| {
                let Some(session) = sessions::find(conn, &key, now)? else {
                    return Ok(None);
                };
                let workspace = workspaces::find(conn, session.user.workspace)?;
                let rights = Rights::of(conn, &session.user)?;
                let alerts = alerts::count(conn, &rights)?;
                let review = review::since(conn, session.user.workspace)?.is_some();
                let language = people::language(conn, session.user.workspace, session.user.id)?;
                let look = look::find(conn, session.user.workspace)?;
                Ok(Some((session, workspace.name, rights, alerts, review, language, look)))
            })
            .await?;
        let Some((session, workspace_name, rights, alerts, review, language, look)) = found else {
            return Err(nobody);
        };
        let language = language.as_deref().and_then(Language::of_tag);
        if let Some(language) = language {
            words::speak(language);
        }
        if !rights.may(Action::Enter) {
            return Err(OfficeError::Forbidden { reason: super::sign_in::for_a_rep() });
        }
        // What was taken from somebody after the backup is not known here.
        if review && !rights.may(Action::Administer) {
            return Err(OfficeError::Forbidden { reason: under_review() });
        }
        // What an open page reads on its own is no sign that somebody is there.
        let by_itself = parts.method == Method::GET
            && (parts.headers.contains_key(BY_ITSELF) || is_stream(&parts.headers));
        if !by_itself && session.expires_at < now + IDLE_MS - EXTEND_MS {
            state.write(move |tx| sessions::extend(tx, &token, now + IDLE_MS)).await?;
        }
        let user = session.user;
        Ok(Viewer {
            workspace: user.workspace,
            workspace_name,
            user: user.id,
            login: user.login,
            name: user.name,
            role: user.role,
            rights,
            alerts,
            review,
            look,
            language,
            csrf: session.csrf,
        })
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"))
}

/// The fields of a form, in order.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first field of that name, trimmed; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.raw(name).unwrap_or_default().trim()
    }
    /// The first field of that name as it was sent.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
    /// All fields of that name, in order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
    /// Whether there is such a field with something in it.
    pub(super) fn has(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }
    pub(super) async fn read(request: Request) -> Result<Fields, OfficeError> {
        let Form(fields) =
            request.extract::<Form<Vec<(String, String)>>, _>().await.map_err(|error| {
                OfficeError::refused(t!("form-unreadable", error = error.to_string()))
            })?;
        Ok(Fields(fields))
    }
}

/// What people are told while an administrator has not confirmed a restore.
fn under_review() -> String {
    t!("forbidden-review")
}

/// What people are told who may only read.
pub(super) fn read_only() -> String {
    t!("forbidden-read-only")
}

/// A form from somebody who is signed in, from our own page, with the session's token. What they may
/// do with it is asked of [`Viewer::rights`] where it is done.
pub(super) struct Posted {
    pub viewer: Viewer,
    pub fields: Fields,
}

impl FromRequest<OfficeState> for Posted {
    type Rejection = OfficeError;

    async fn from_request(mut request: Request, state: &OfficeState) -> Result<Self, OfficeError> {
        same_origin(request.headers())?;
        let viewer: Viewer = request.extract_parts_with_state(state).await?;
        let fields = Fields::read(request).await?;
        if !equal(fields.raw("csrf").unwrap_or_default(), &viewer.csrf) {
            return Err(OfficeError::Forbidden { reason: t!("forbidden-session") });
        }
        Ok(Posted { viewer, fields })
    }
}

/// Refuses a form that another site sent. Browsers say where it comes from; programs need not.
pub(super) fn same_origin(headers: &HeaderMap) -> Result<(), OfficeError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign_site =
        text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let foreign_origin = match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_none_or(|(_, from)| !from.eq_ignore_ascii_case(host))
        }
        (Some(_), None) => true,
        (None, _) => false,
    };
    if foreign_site || foreign_origin {
        return Err(OfficeError::Forbidden { reason: t!("forbidden-site") });
    }
    Ok(())
}

/// Compares without telling by its time how much was right.
pub(super) fn equal(given: &str, right: &str) -> bool {
    let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    !right.is_empty() && digest(given).as_ref() == digest(right).as_ref()
}

/// The cookie's name. With TLS it is bound to this host and to encrypted connections.
fn cookie_name(state: &OfficeState) -> &'static str {
    if state.secure() { "__Host-roadbook" } else { "roadbook" }
}

/// The session's cookie of a request.
pub(super) fn cookie(headers: &HeaderMap, state: &OfficeState) -> Option<String> {
    cookie_named(headers, cookie_name(state))
}

/// The first cookie of that name that could be one of ours.
pub(super) fn cookie_named(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && (1..=128).contains(&value.len()))
        .map(|(_, value)| value.to_owned())
}

/// The header that gives a browser its session, or with `None` takes it away.
pub(super) fn set_cookie(state: &OfficeState, token: Option<&str>) -> HeaderValue {
    let (value, age) = token.map_or(("", 0), |token| (token, sessions::SESSION_MS / 1000));
    cookie_header(state, cookie_name(state), value, age)
}

/// A cookie for this host alone, which scripts can't read; gone after `age_s` seconds.
pub(super) fn cookie_header(
    state: &OfficeState,
    name: &str,
    value: &str,
    age_s: i64,
) -> HeaderValue {
    let secure = if state.secure() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// 256 random bits as text.
pub(super) fn random_token() -> Result<String, OfficeError> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 32];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| OfficeError::failed("the operating system gave no random bytes"))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        assert!(
            same_origin(&headers(&[
                ("host", "office.example"),
                ("origin", "https://office.example")
            ]))
            .is_ok()
        );
        assert!(
            same_origin(&headers(&[("host", "office.example"), ("sec-fetch-site", "same-origin")]))
                .is_ok()
        );
        assert!(same_origin(&headers(&[("host", "office.example")])).is_ok());
        for bad in [
            [("host", "office.example"), ("origin", "https://evil.example")],
            [("host", "office.example"), ("origin", "null")],
            [("host", "office.example"), ("sec-fetch-site", "cross-site")],
            [("host", "office.example"), ("sec-fetch-site", "same-site")],
        ] {
            assert!(same_origin(&headers(&bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(equal("abc", "abc"));
        assert!(!equal("ab", "abc"));
        assert!(!equal("", ""), "a session without a token takes no form");
    }
}
