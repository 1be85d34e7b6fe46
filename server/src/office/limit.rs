//! How often somebody may try to sign in.
//!
//! In memory and bounded: the oldest keys are forgotten first. An attempt is counted before it is
//! judged, so that many at once gain nothing.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;
use roadbook_protocol::ids::UnixMs;

/// So many keys are remembered.
const KEYS_MAX: usize = 10_000;
/// Attempts are counted over this time.
const WINDOW_MS: UnixMs = 15 * 60 * 1000;

/// Counts attempts per key (a login, a peer address).
pub(super) struct Attempts {
    seen: Mutex<LruCache<String, Window>>,
}

struct Window {
    since: UnixMs,
    count: u32,
}

impl Attempts {
    pub(super) fn new() -> Self {
        let keys = NonZeroUsize::new(KEYS_MAX).unwrap_or(NonZeroUsize::MIN);
        Self { seen: Mutex::new(LruCache::new(keys)) }
    }

    /// Counts one attempt. `Err` says in how many seconds the next one is welcome.
    pub(super) fn count(&self, key: &str, max: u32, now: UnixMs) -> Result<(), u64> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let window = seen.get_or_insert_mut(key.to_owned(), || Window { since: now, count: 0 });
        // A clock that went backwards must not lock anybody out for longer than the window.
        if now - window.since >= WINDOW_MS || now < window.since {
            *window = Window { since: now, count: 0 };
        }
        if window.count >= max {
            let left_ms = WINDOW_MS - (now - window.since);
            return Err(u64::try_from(left_ms / 1000 + 1).unwrap_or(1));
        }
        window.count += 1;
        Ok(())
    }

    /// Forgets a key: its owner has shown who they are.
    pub(super) fn forget(&self, key: &str) {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_attempt_is_refused_until_the_window_has_passed() {
        let attempts = Attempts::new();
        for _ in 0..5 {
            assert_eq!(attempts.count("anna", 5, 1_000), Ok(()));
        }
        assert_eq!(attempts.count("anna", 5, 61_000), Err(841));
        assert_eq!(attempts.count("ben", 5, 61_000), Ok(()), "another key is not concerned");
        assert_eq!(attempts.count("anna", 5, 1_000 + WINDOW_MS), Ok(()));
    }

    #[test]
    fn who_has_signed_in_starts_anew() {
        let attempts = Attempts::new();
        for _ in 0..5 {
            attempts.count("anna", 5, 0).unwrap();
        }
        attempts.forget("anna");
        assert_eq!(attempts.count("anna", 5, 0), Ok(()));
    }
}
