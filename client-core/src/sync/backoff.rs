//! How long to wait before the next attempt: full jitter, so that a thousand devices that lost the
//! same server do not come back in the same second.

use std::time::Duration;

use crate::env::Entropy;

const BASE_MS: u64 = 1_000;
const CAP_MS: u64 = 5 * 60 * 1_000;

/// The state between attempts.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The connection was good: the next failure is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: evenly between nothing and twice the bound before, at most
    /// five minutes; never shorter than the server asked for.
    pub(crate) fn next(&mut self, retry_after_ms: Option<u64>, entropy: &dyn Entropy) -> Duration {
        let bound = BASE_MS.saturating_mul(1 << self.failures.min(20)).min(CAP_MS);
        self.failures = self.failures.saturating_add(1);
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        let jittered = u64::from_le_bytes(bytes) % (bound + 1);
        let asked = retry_after_ms.unwrap_or(0).min(CAP_MS);
        // On top of what the server asked for, or its herd would come back together.
        Duration::from_millis(if asked > 0 { asked + jittered } else { jittered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Highest;
    impl Entropy for Highest {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn the_wait_is_bounded_doubles_and_honours_the_server() {
        let entropy = crate::env::SystemEntropy::default();
        let mut backoff = Backoff::default();
        for failure in 0..40u32 {
            let bound = (BASE_MS << failure.min(20)).min(CAP_MS);
            assert!(backoff.next(None, &entropy) <= Duration::from_millis(bound), "{failure}");
        }
        assert!(backoff.next(Some(7_000), &Highest) >= Duration::from_millis(7_000));
        backoff.reset();
        assert!(backoff.next(None, &entropy) <= Duration::from_millis(BASE_MS));
    }
}
