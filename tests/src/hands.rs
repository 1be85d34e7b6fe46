//! A device's clocks, in the hands of a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use chrono::{DateTime, NaiveDate};
use roadbook_client_core::{Clock, OpenOptions, SystemClock, Uptime};

/// A day, in milliseconds.
pub const DAY: i64 = 24 * 3_600_000;

/// A device's clocks, moved by the test: the wall clock, which may be turned back, and the one that
/// counts from the boot, which may not.
pub struct Hands {
    wall: AtomicI64,
    up: AtomicI64,
    boot: AtomicU32,
}

impl Hands {
    /// Right clocks of a machine that has run for days.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let up = AtomicI64::new(5 * DAY);
        Arc::new(Self { wall: AtomicI64::new(0), up, boot: AtomicU32::new(1) })
    }
    /// Days go by, and both clocks with them.
    pub fn pass(&self, days: i64) {
        self.turn(days);
        self.up.fetch_add(days * DAY, Ordering::SeqCst);
    }
    /// Somebody turns the wall clock.
    pub fn turn(&self, days: i64) {
        self.wall.fetch_add(days * DAY, Ordering::SeqCst);
    }
    /// The machine is started anew.
    pub fn reboot(&self) {
        self.boot.fetch_add(1, Ordering::SeqCst);
        self.up.store(1_000, Ordering::SeqCst);
    }
    /// A replica on this machine.
    #[must_use]
    pub fn options(self: &Arc<Self>) -> OpenOptions {
        OpenOptions { clock: self.clone(), ..OpenOptions::default() }
    }
}

impl Clock for Hands {
    fn now_ms(&self) -> i64 {
        SystemClock.now_ms() + self.wall.load(Ordering::SeqCst)
    }
    fn today(&self) -> NaiveDate {
        DateTime::from_timestamp_millis(self.now_ms()).unwrap().date_naive()
    }
    fn since_boot(&self) -> Option<Uptime> {
        let boot = self.boot.load(Ordering::SeqCst).to_string();
        Some(Uptime { boot, ms: self.up.load(Ordering::SeqCst) })
    }
}
