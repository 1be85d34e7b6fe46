//! Between a browser's leaving for the provider and its coming back.
//!
//! In memory, bounded and short-lived; only hashes of what the browser holds are kept. What comes
//! back is good once, and for the browser that left only.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;
use roadbook_protocol::ids::UnixMs;

use crate::store::sql::sha256;

/// So many people are on their way at once; the oldest are forgotten first.
const PENDING_MAX: usize = 2_000;
/// How long somebody may take at the provider.
pub(super) const VALID_MS: UnixMs = 10 * 60 * 1000;

/// What is needed when they come back.
pub(super) struct Leave {
    /// What the ID token must repeat.
    pub nonce: String,
    /// What proves to the provider that who exchanges the code is who asked for it (PKCE).
    pub verifier: String,
    /// Where to lead afterwards.
    pub next: String,
}

struct Entry {
    leave: Leave,
    browser: [u8; 32],
    until: UnixMs,
}

/// Who is on their way.
pub(super) struct Pending(Mutex<LruCache<[u8; 32], Entry>>);

impl Pending {
    pub(super) fn new() -> Self {
        let most = NonZeroUsize::new(PENDING_MAX).unwrap_or(NonZeroUsize::MIN);
        Self(Mutex::new(LruCache::new(most)))
    }

    /// Somebody leaves with this `state`; `browser` is the value of the cookie they were given.
    pub(super) fn leave(&self, state: &str, browser: &str, leave: Leave, now: UnixMs) {
        let entry = Entry { leave, browser: sha256(browser.as_bytes()), until: now + VALID_MS };
        self.lock().put(sha256(state.as_bytes()), entry);
    }

    /// Somebody comes back. `None` if nobody left with this state, it was used, it took too long, or
    /// it was another browser; the state is used up in any case.
    pub(super) fn back(&self, state: &str, browser: Option<&str>, now: UnixMs) -> Option<Leave> {
        let entry = self.lock().pop(&sha256(state.as_bytes()))?;
        let same = browser.is_some_and(|browser| sha256(browser.as_bytes()) == entry.browser);
        (same && now < entry.until).then_some(entry.leave)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<[u8; 32], Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leave() -> Leave {
        Leave { nonce: "n".into(), verifier: "v".into(), next: "/".into() }
    }

    #[test]
    fn a_state_is_good_once_for_ten_minutes_and_for_its_browser() {
        let pending = Pending::new();
        pending.leave("a", "browser", leave(), 0);
        assert!(pending.back("a", Some("browser"), 1).is_some());
        assert!(pending.back("a", Some("browser"), 1).is_none(), "used");
        pending.leave("b", "browser", leave(), 0);
        assert!(pending.back("b", Some("other"), 1).is_none());
        assert!(pending.back("b", Some("browser"), 1).is_none(), "tried by another");
        pending.leave("c", "browser", leave(), 0);
        assert!(pending.back("c", None, 1).is_none());
        pending.leave("d", "browser", leave(), 0);
        assert!(pending.back("d", Some("browser"), VALID_MS).is_none());
        assert!(pending.back("never", Some("browser"), 0).is_none());
    }
}
