//! How fast one peer may send. Too fast is slowed down by not reading, never by dropping; only pings,
//! which cost an answer each and have no use in numbers, end the connection.

use std::time::{Duration, Instant};

use super::SyncOptions;
use super::rate::Bucket;

/// Pings at once, as a multiple of the pings per second.
const PING_BURST_SECONDS: f64 = 60.0;

/// No debt is waited for longer.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

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

    /// A message came; it is taken, and what comes next may have to wait. Pings have a bucket of
    /// their own.
    pub(super) fn message(&mut self, now: Instant) {
        let wait = self.messages.take(1.0, now);
        self.pause(wait, now);
    }

    /// Bytes were read, whether or not they make a message; what comes next may have to wait. Tells
    /// whether it has to.
    pub(super) fn bytes(&mut self, bytes: usize, now: Instant) -> bool {
        if bytes == 0 {
            return false;
        }
        let wait = self.bytes.take(bytes as f64, now);
        self.pause(wait, now)
    }

    fn pause(&mut self, wait: Duration, now: Instant) -> bool {
        if wait == Duration::ZERO {
            return false;
        }
        metrics::counter!("roadbook_sync_slowed_total").increment(1);
        // A rate that is next to nothing makes a wait that no clock can hold.
        let until = now + wait.min(PAUSE_MAX);
        self.paused_until = Some(self.paused_until.map_or(until, |other| other.max(until)));
        true
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
