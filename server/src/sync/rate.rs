//! Token buckets: how much a peer may do in a time. No clock inside: the time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// A bucket that fills at a steady rate up to a burst. Taking may overdraw it; what comes next then
/// waits until the debt is paid. So one large message is taken whole, and paid for after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    tokens: f64,
    per_second: f64,
    burst: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        // A rate of zero would never pay a debt.
        Self { tokens: burst, per_second: per_second.max(f64::MIN_POSITIVE), burst, at: now }
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + seconds * self.per_second).min(self.burst);
        self.at = now;
    }

    /// Takes, into debt if need be; returns how long the debt lasts.
    pub(super) fn take(&mut self, cost: f64, now: Instant) -> Duration {
        self.fill(now);
        self.tokens -= cost;
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.tokens / self.per_second).unwrap_or(Duration::MAX)
    }

    /// Whether it would be in debt after taking one.
    pub(super) fn is_empty(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens < 1.0
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.burst
    }
}

/// A bucket per key, for as many keys as are worth remembering.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    each: HashMap<K, Bucket>,
    all: Bucket,
    per_second: f64,
    burst: f64,
    keys_max: usize,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Buckets of one size, and one for all keys together.
    pub(super) fn new(each: (f64, f64), all: (f64, f64), keys_max: usize, now: Instant) -> Self {
        Self {
            each: HashMap::new(),
            all: Bucket::new(all.0, all.1, now),
            per_second: each.0,
            burst: each.1,
            keys_max,
        }
    }

    /// Whether the key, or all together, have used up theirs.
    pub(super) fn is_empty(&mut self, key: &K, now: Instant) -> bool {
        self.all.is_empty(now) || self.each.get_mut(key).is_some_and(|bucket| bucket.is_empty(now))
    }

    /// Takes one from the key's and from the common bucket.
    pub(super) fn take(&mut self, key: K, now: Instant) {
        if self.each.len() >= self.keys_max {
            // Full buckets remember nothing. If none is full, an attacker has many addresses, and
            // the common bucket is what holds.
            self.each.retain(|_, bucket| !bucket.is_full(now));
            if self.each.len() >= self.keys_max {
                self.each.clear();
            }
        }
        let (per_second, burst) = (self.per_second, self.burst);
        self.each.entry(key).or_insert_with(|| Bucket::new(per_second, burst, now)).take(1.0, now);
        self.all.take(1.0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_what_follows_is_spread() {
        let start = Instant::now();
        let mut bucket = Bucket::new(50.0, 200.0, start);
        for _ in 0..200 {
            assert_eq!(bucket.take(1.0, start), Duration::ZERO);
        }
        assert_eq!(bucket.take(1.0, start), Duration::from_millis(20));
        assert_eq!(bucket.take(1.0, start + Duration::from_millis(20)), Duration::from_millis(20));
        assert!(!bucket.is_empty(start + Duration::from_secs(3)));
    }

    #[test]
    fn one_message_above_the_burst_is_taken_and_paid_for() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1000.0, 1000.0, start);
        assert_eq!(bucket.take(3000.0, start), Duration::from_secs(2));
        assert_eq!(bucket.take(0.0, start + Duration::from_secs(2)), Duration::ZERO);
    }

    #[test]
    fn a_guesser_is_stopped_and_its_neighbour_is_not() {
        let start = Instant::now();
        let mut buckets = Buckets::new((0.1, 5.0), (10.0, 100.0), 8, start);
        for _ in 0..5 {
            assert!(!buckets.is_empty(&"guesser", start));
            buckets.take("guesser", start);
        }
        assert!(buckets.is_empty(&"guesser", start));
        assert!(!buckets.is_empty(&"neighbour", start));
        assert!(!buckets.is_empty(&"guesser", start + Duration::from_secs(10)));
    }

    #[test]
    fn many_keys_are_not_all_remembered_but_the_common_bucket_holds() {
        let start = Instant::now();
        let mut buckets = Buckets::new((0.1, 5.0), (1.0, 100.0), 8, start);
        for key in 0..100 {
            buckets.take(key, start);
            assert!(buckets.each.len() <= 8);
        }
        assert!(buckets.is_empty(&1000, start));
    }
}
