//! How fast one peer may send. Too fast is slowed down by not reading, never by dropping; only pings,
//! which cost an answer each and have no use in numbers, end the connection.

use std::time::{Duration, Instant};

use super::SyncOptions;
use super::rate::Bucket;

/// Pings at once, as a multiple of the pings per second.
const PING_BURST_SECONDS: f64 = 60.0;

/// The buckets of one connection.
pub(super) struct Pace {
    messages: Bucket,
    bytes: Bucket,
    pings: Bucket,
    paused_until: Option<Instant>,
}

impl Pace {
    pub(super) fn new(options: &SyncOptions, now: Instant) -> Self {
        Self {
            messages: Bucket::new(options.messages_per_second, options.messages_burst, now),
            bytes: Bucket::new(options.bytes_per_second, options.bytes_per_second * 2.0, now),
            pings: Bucket::new(
                options.pings_per_second,
                options.pings_per_second * PING_BURST_SECONDS,
                now,
            ),
            paused_until: None,
        }
    }

    /// A message came; it is taken, and what comes next may have to wait.
    pub(super) fn message(&mut self, bytes: usize, is_control: bool, now: Instant) {
        let cost = if is_control { 0.0 } else { 1.0 };
        let wait = self.messages.take(cost, now).max(self.bytes.take(bytes as f64, now));
        if wait > Duration::ZERO {
            metrics::counter!("roadbook_sync_slowed_total").increment(1);
            self.paused_until = Some(now + wait);
        }
    }

    /// A ping came; whether it may.
    pub(super) fn ping(&mut self, now: Instant) -> bool {
        self.pings.take(1.0, now).is_zero()
    }

    /// Until when nothing is read.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    /// Ends a pause that is over.
    pub(super) fn time_passed(&mut self, now: Instant) {
        self.paused_until = self.paused_until.filter(|until| now < *until);
    }
}
