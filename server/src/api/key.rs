//! Keys: what they look like, how they are checked, and how often each may ask.
//!
//! A key is `rbk_ID_SECRET`: 8 bytes that name it and 32 random bytes, both in hexadecimal. The secret
//! has so much randomness that a fast hash keeps it; it is compared in a time that tells nothing.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use lru::LruCache;
use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};

use super::ApiState;
use super::problem::Problem;
use crate::engine::{Engine, review};
use crate::rights::{Action, ApiScope, Rights};
use crate::store::api_keys::{self, ApiKey};
use crate::store::people;
use crate::store::sql::sha256;

/// What every key begins with, so that one that was left somewhere is recognised.
const BEGINNING: &str = "rbk_";
/// When a key was used is noted to this many milliseconds.
const TOUCH_EVERY_MS: UnixMs = 60_000;
/// Requests are counted over so many seconds.
const WINDOW_S: i64 = 60;
/// So many keys' counts are remembered.
const KEYS_MAX: usize = 10_000;

/// A new key: its public part, the whole key as it is printed once, and the hash that is stored.
pub fn new_key(engine: &Engine) -> (String, String, [u8; 32]) {
    let id = hex::encode(engine.random::<8>());
    let secret = hex::encode(engine.random::<32>());
    let whole = format!("{BEGINNING}{id}_{secret}");
    (id, whole, sha256(secret.as_bytes()))
}

/// Who asks: a key that was shown to be valid for this request, and what its person may.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub key: String,
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub rights: Rights,
    pub scopes: Vec<ApiScope>,
    pub rate: u32,
}

impl Access {
    /// Refuses what the key lacks the scope for.
    pub(super) fn must(&self, scope: ApiScope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        Err(Problem::new(
            "scope",
            format!(
                "This key lacks the scope `{}`. Ask the administrator for a key with it.",
                scope.as_str()
            ),
        )
        .with("scope", scope.as_str()))
    }

    /// Refuses what the key's person may not do.
    pub(super) fn may(&self, action: Action) -> Result<(), Problem> {
        if self.rights.may(action) {
            return Ok(());
        }
        Err(Problem::new(
            "scope",
            "The person to whom this key belongs may not do this. Ask the administrator for a key of somebody who may.",
        ))
    }
}

/// The key of a request, split.
fn sent(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (id, secret) = key.trim().strip_prefix(BEGINNING)?.split_once('_')?;
    let fits =
        |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit());
    (fits(id, 16) && fits(secret, 64)).then(|| (id.to_owned(), secret.to_owned()))
}

/// Who asks.
///
/// # Errors
/// `no-key` whatever is wrong with the key, so that nothing is told about which exist.
pub(super) async fn check(state: &ApiState, headers: &HeaderMap) -> Result<Access, Problem> {
    let Some((id, secret)) = sent(headers) else {
        return Err(no_key());
    };
    let found = state
        .read(move |conn| {
            let Some((key, hash)) = api_keys::find(conn, &id)? else { return Ok(None) };
            let given = sha256(secret.as_bytes());
            // Both are digests of random text: what the time tells of them is of no use to anybody,
            // and all bytes are looked at anyway.
            let differs = given.iter().zip(&hash).fold(0, |sum, (a, b)| sum | (a ^ b));
            if differs != 0 || key.revoked_at.is_some() {
                return Ok(None);
            }
            let user = people::user(conn, key.workspace, key.user)?;
            if user.disabled_at.is_some() {
                return Ok(None);
            }
            let rights = Rights::of(conn, &user)?;
            let held = review::since(conn, key.workspace)?.is_some();
            Ok(Some((key, rights, held)))
        })
        .await?;
    let Some((key, rights, held)) = found else { return Err(no_key()) };
    if held {
        // A key that was revoked after the backup would be open again.
        return Err(Problem::new(
            "unavailable",
            "The server was restored, and an administrator has to confirm first who may see what.",
        )
        .header(header::RETRY_AFTER, 300));
    }
    if !rights.may(Action::Enter) {
        return Err(Problem::new(
            "scope",
            "The person to whom this key belongs may not use the office any more. Ask the administrator for another key.",
        ));
    }
    note_use(state, &key);
    Ok(Access {
        key: key.id,
        workspace: key.workspace,
        user: key.user,
        rights,
        scopes: key.scopes,
        rate: key.rate,
    })
}

fn no_key() -> Problem {
    Problem::new(
        "no-key",
        "No valid key came with the request. Send `Authorization: Bearer KEY`; `roadbook-server api-key add` makes a key.",
    )
}

fn note_use(state: &ApiState, key: &ApiKey) {
    let now = state.now();
    if key.last_used.is_none_or(|last| now - last >= TOUCH_EVERY_MS) {
        let id = key.id.clone();
        state.engine().write_soon(move |tx| api_keys::touch(tx, &id, now));
    }
}

/// How often each key has asked. In memory and bounded: the oldest keys are forgotten first.
pub(super) struct Rates(Mutex<LruCache<String, (i64, u32)>>);

/// Where a key stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Requests a minute.
    pub quota: u32,
    /// Requests left.
    pub left: u32,
    /// Seconds until the count begins anew.
    pub reset_s: i64,
    /// Whether this request was one too many.
    pub over: bool,
}

impl Rates {
    pub(super) fn new() -> Self {
        let keys = NonZeroUsize::new(KEYS_MAX).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(LruCache::new(keys)))
    }

    /// Counts one request.
    pub(super) fn count(&self, key: &str, quota: u32, now: UnixMs) -> Standing {
        let seconds = now.div_euclid(1000);
        let window = seconds.div_euclid(WINDOW_S);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, used) = all.get_or_insert_mut(key.to_owned(), || (window, 0));
        if *of != window {
            (*of, *used) = (window, 0);
        }
        let over = *used >= quota;
        if !over {
            *used += 1;
        }
        Standing {
            quota,
            left: quota - (*used).min(quota),
            reset_s: (window + 1) * WINDOW_S - seconds,
            over,
        }
    }
}

impl Standing {
    /// Puts the standing into the headers of the answer, as the IETF's draft on RateLimit headers has it.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let policy = format!("\"key\";q={};w={WINDOW_S}", self.quota);
        let limit = format!("\"key\";r={};t={}", self.left, self.reset_s);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_key_behind_bearer_is_taken() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(text).unwrap());
            sent(&headers)
        };
        let (id, secret) = ("0123456789abcdef", "ab".repeat(32));
        assert_eq!(of(&format!("Bearer rbk_{id}_{secret}")), Some((id.to_owned(), secret.clone())));
        assert!(of(&format!("bearer rbk_{id}_{secret}")).is_some());
        for bad in [
            format!("Basic rbk_{id}_{secret}"),
            format!("Bearer rbk_{id}_{secret}a"),
            format!("Bearer {id}_{secret}"),
            format!("Bearer rbk_{id}{secret}"),
            format!("Bearer rbk_{id}_{}", "zz".repeat(32)),
            "Bearer".to_owned(),
        ] {
            assert_eq!(of(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_held_back_for_the_rest_of_the_minute() {
        let rates = Rates::new();
        let now = 1_000_000_020_000;
        assert_eq!(rates.count("a", 2, now).left, 1);
        assert_eq!(rates.count("a", 2, now).left, 0);
        let over = rates.count("a", 2, now);
        assert!(over.over && over.reset_s > 0 && over.reset_s <= WINDOW_S);
        assert!(!rates.count("b", 2, now).over, "another key is not concerned");
        assert!(!rates.count("a", 2, now + WINDOW_S * 1000).over);
    }
}
