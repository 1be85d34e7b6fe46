//! Shutting down without a stampede: everyone who is connected leaves at a moment of their own, so
//! that the devices don't all knock at once on the server that comes up next.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What connections and sockets know of a shutdown. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Drain {
    begun: CancellationToken,
    forced: CancellationToken,
    spread: Duration,
    /// The device sockets that are open.
    pub(crate) sockets: TaskTracker,
}

impl Drain {
    /// A drain that begins when `begun` is cancelled, and in which sockets leave within `spread`.
    pub fn new(begun: CancellationToken, spread: Duration) -> Self {
        Self { begun, forced: CancellationToken::new(), spread, sockets: TaskTracker::new() }
    }

    /// Whether the server is on its way down: nothing new is taken.
    pub fn draining(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Ends when the shutdown begins.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Ends when it is this socket's turn to leave: a random moment of the spread.
    pub async fn turn(&self) {
        self.begun.cancelled().await;
        tokio::select! {
            () = tokio::time::sleep(random_within(self.spread)) => {}
            () = self.forced.cancelled() => {}
        }
    }

    /// Ends when nobody is waited for any more.
    pub async fn forced(&self) {
        self.forced.cancelled().await;
    }

    /// Lets all go that have not left yet.
    pub(super) fn force(&self) {
        self.forced.cancel();
    }

    /// When a client that is turned away should try again: spread as well.
    pub fn retry_after(&self) -> Duration {
        Duration::from_secs(1) + random_within(self.spread.max(Duration::from_secs(4)))
    }
}

/// A random duration below `most`.
fn random_within(most: Duration) -> Duration {
    let mut bytes = [0u8; 4];
    // Without randomness all go at once, which is the lesser evil of a failing system call.
    let _ = SystemRandom::new().fill(&mut bytes);
    most.mul_f64(f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_moments_lie_in_the_spread_and_differ() {
        let spread = Duration::from_secs(30);
        let moments: Vec<_> = (0..64).map(|_| random_within(spread)).collect();
        assert!(moments.iter().all(|moment| *moment < spread));
        assert!(moments.iter().any(|moment| *moment < spread / 2));
        assert!(moments.iter().any(|moment| *moment > spread / 2));
        assert_eq!(random_within(Duration::ZERO), Duration::ZERO);
    }
}
