//! The lease: until when the replica may be read without a contact to the server (rule 21).
//!
//! A lease that has ended locks reading, not the replica: edits are still taken and go up, and the
//! next contact brings everything back. Its time is the server's time at the last contact and what
//! has passed since by the clock that counts from the boot and doesn't stop in sleep; after a reboot
//! what the wall clock has gone ahead since the last note. It never goes back by itself, so turning
//! the clock back gains nothing.
//!
//! A wrong clock can end a lease too early. A contact sets it right, and where there is no network a
//! code from the office does.

use std::sync::{MutexGuard, PoisonError};

use roadbook_protocol::ids::{DeviceId, UnixMs, WorkspaceId};
use roadbook_protocol::wire;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::env::Clock;
use crate::error::{Error, Result};
use crate::observe::Notices;
use crate::replica::Replica;
use crate::store::meta::{self, key};
use crate::sync::Time;

/// How much time may pass before it is noted that it has: what turning back the clock and a reboot
/// together can gain.
const NOTE_EVERY_MS: i64 = 60_000;

/// A wall clock that differs by more from the server's time is wrong.
const WALL_OFF_BY_MS: u64 = 60 * 60 * 1000;

/// The permission to read, and the time by which it is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// When it was given, by the server's clock.
    issued_at: UnixMs,
    /// When it ends, by the same clock; `None`: never.
    until: Option<UnixMs>,
    /// The server's time when this was noted ...
    at: UnixMs,
    /// ... and what the wall clock said then,
    wall: UnixMs,
    /// ... and how long the machine had been running, and since which boot.
    boot: Option<String>,
    up_ms: i64,
}

impl Held {
    fn new(lease: &wire::Lease, clock: &dyn Clock) -> Held {
        let (issued_at, until) = (lease.issued_at, lease.until);
        Held { issued_at, until, at: issued_at, wall: 0, boot: None, up_ms: 0 }.noted(clock)
    }

    /// The server's time now, as far as it can be known here.
    fn now(&self, clock: &dyn Clock) -> UnixMs {
        let passed = match (clock.since_boot(), &self.boot) {
            (Some(up), Some(boot)) if up.boot == *boot && up.ms >= self.up_ms => up.ms - self.up_ms,
            _ => clock.now_ms().saturating_sub(self.wall).max(0),
        };
        self.at.saturating_add(passed)
    }

    /// The same, noted now.
    fn noted(self, clock: &dyn Clock) -> Held {
        let at = if self.wall == 0 { self.at } else { self.now(clock) };
        let (boot, up_ms) = match clock.since_boot() {
            Some(up) => (Some(up.boot), up.ms),
            None => (None, 0),
        };
        Held { at, wall: clock.now_ms(), boot, up_ms, ..self }
    }
}

/// Where the lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// More than half of it is left.
    Valid,
    /// Half of it is over: the user is told.
    Renew,
    /// It has ended: reading is locked.
    Ended,
}

/// The lease, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// When it ends, by the server's clock, milliseconds since 1970.
    pub until: UnixMs,
    /// How much of it is left, in milliseconds; 0 once it has ended.
    pub left_ms: i64,
    /// Where it stands.
    pub state: LeaseState,
}

impl Replica {
    /// The lease; `None` where there is none, or one without an end.
    pub fn lease(&self) -> Option<Lease> {
        let clock = self.inner.options.clock.as_ref();
        let held = self.held().clone()?;
        let until = held.until?;
        let left_ms = until.saturating_sub(held.now(clock)).max(0);
        let state = match left_ms {
            0 => LeaseState::Ended,
            left if left <= until.saturating_sub(held.issued_at) / 2 => LeaseState::Renew,
            _ => LeaseState::Valid,
        };
        Some(Lease { until, left_ms, state })
    }

    /// Takes a code from the office that extends the lease where there is no network. Durable. It is
    /// good once, for this device, and only if the server was not reached since it was made.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] where it is not.
    pub fn extend_lease(&self, code: &str) -> Result<Option<Lease>> {
        let refused = |reason: &str| {
            Err(Error::NotAllowed {
                reason: format!("the code {reason}; ask the office for another"),
            })
        };
        let Some(lease) = wire::Lease::from_code(code) else {
            return refused("is not complete, or something in it is mistyped");
        };
        if !self.read(|conn| self.vouched(conn, &lease))? {
            return refused("was not made for this device, or something in it is mistyped");
        }
        if self.held().as_ref().is_some_and(|held| lease.issued_at <= held.issued_at) {
            return refused("was used before, or the server was reached since it was made");
        }
        self.hold(Some(Held::new(&lease, self.inner.options.clock.as_ref())))?;
        Ok(self.lease())
    }

    /// By which time a server's certificate is judged: the server's own, as far as it is known here,
    /// whatever the wall clock says.
    pub(crate) fn time_for_dates(&self) -> Time {
        let clock = self.inner.options.clock.as_ref();
        let wall = clock.now_ms();
        match &*self.held() {
            Some(held) => {
                let at = held.now(clock);
                Time { at, wall_is_wrong: wall.abs_diff(at) > WALL_OFF_BY_MS }
            }
            None => Time { at: wall, wall_is_wrong: false },
        }
    }

    /// The time that a lease proves, if the workspace's key signed it for this device after any that
    /// the device has seen: nobody can have kept it to make the device believe in an earlier day.
    pub(crate) fn newer_time(&self, lease: Option<&wire::Lease>) -> Result<Option<UnixMs>> {
        let Some(lease) = lease else { return Ok(None) };
        let newer = self.held().as_ref().is_none_or(|held| lease.issued_at > held.issued_at);
        Ok((newer && self.read(|conn| self.vouched(conn, lease))?).then_some(lease.issued_at))
    }

    /// Takes what the server says at a contact: this is the time now, down too.
    pub(crate) fn take_lease(&self, lease: Option<&wire::Lease>) -> Result<()> {
        let held = match lease {
            None => None,
            Some(lease) if self.read(|conn| self.vouched(conn, lease))? => {
                Some(Held::new(lease, self.inner.options.clock.as_ref()))
            }
            Some(_) => {
                tracing::error!(
                    "the lease is not signed by the workspace's key: enrol this device anew, its edits are kept"
                );
                return Ok(());
            }
        };
        self.hold(held)
    }

    /// Whether the workspace's key gave this lease to this device.
    fn vouched(&self, conn: &Connection, lease: &wire::Lease) -> Result<bool> {
        let workspace = meta::id(conn, key::WORKSPACE, WorkspaceId::from_bytes)?;
        let device = meta::id(conn, key::DEVICE, DeviceId::from_bytes)?;
        let workspace_key = meta::get::<Vec<u8>>(conn, key::WORKSPACE_KEY)?;
        let (Some(workspace), Some(device), Some(workspace_key)) =
            (workspace, device, workspace_key)
        else {
            return Err(Error::NotEnrolled);
        };
        Ok(lease.holds(&workspace, &device, &workspace_key))
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.inner.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease_holds(&self) -> bool {
        self.lease().is_none_or(|lease| lease.state != LeaseState::Ended)
    }

    fn hold(&self, held: Option<Held>) -> Result<()> {
        let could_read = self.lease_holds();
        self.write("lease", |write| {
            match &held {
                Some(held) => {
                    let text = serde_json::to_string(held).unwrap_or_default();
                    meta::set(&write.tx, key::LEASE, text)?;
                }
                None => meta::remove(&write.tx, key::LEASE)?,
            }
            Ok(())
        })?;
        *self.held() = held;
        // Only now, when whoever looks again sees it.
        let everything = self.lease_holds() != could_read;
        self.inner.hub.notify(&Notices { sync: true, everything, ..Notices::default() });
        Ok(())
    }

    /// Loads the lease when the replica is opened.
    pub(crate) fn load_lease(&self) -> Result<()> {
        let text = self.read(|conn| meta::get::<String>(conn, key::LEASE))?;
        *self.held() = text.and_then(|text| serde_json::from_str(&text).ok());
        self.note_time();
        Ok(())
    }

    /// Notes that time has passed, now and then: what is noted can't be taken back.
    pub(crate) fn note_time(&self) {
        let clock = self.inner.options.clock.as_ref();
        let Some(held) = self.held().clone() else { return };
        let passed = held.now(clock).saturating_sub(held.at);
        // A clock that was set is noted at once: after a reboot it is compared with what it says now.
        let turned = clock.now_ms().saturating_sub(held.wall).saturating_sub(passed).abs();
        if passed < NOTE_EVERY_MS && turned < NOTE_EVERY_MS {
            return;
        }
        if let Err(error) = self.hold(Some(held.noted(clock))) {
            tracing::warn!(%error, "that time has passed could not be noted");
        }
    }

    /// Whether what is on the device may be read.
    ///
    /// # Errors
    /// [`Error::LeaseEnded`], [`Error::Wiped`].
    pub(crate) fn may_read(&self) -> Result<()> {
        self.not_wiped()?;
        self.note_time();
        match self.lease() {
            Some(Lease { until, state: LeaseState::Ended, .. }) => {
                Err(Error::LeaseEnded { ended: day(until), today: day(self.now_ms()) })
            }
            _ => Ok(()),
        }
    }
}

fn day(ms: UnixMs) -> String {
    chrono::DateTime::from_timestamp_millis(ms)
        .map_or_else(|| "an unknown day".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::env::Uptime;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    /// A clock whose hands are moved by the test: wall clock, boot and time since the boot.
    struct Hands(Mutex<(i64, u32, i64)>);
    impl Clock for Hands {
        fn now_ms(&self) -> UnixMs {
            self.0.lock().unwrap().0
        }
        fn today(&self) -> chrono::NaiveDate {
            chrono::NaiveDate::default()
        }
        fn since_boot(&self) -> Option<Uptime> {
            let (_, boot, ms) = *self.0.lock().unwrap();
            (boot > 0).then(|| Uptime { boot: boot.to_string(), ms })
        }
    }

    fn held(clock: &Hands) -> Held {
        let until = Some(1_000 * DAY + 14 * DAY);
        Held::new(&wire::Lease { issued_at: 1_000 * DAY, until, signature: Vec::new() }, clock)
    }

    #[test]
    fn the_time_of_the_lease_goes_by_the_boot_clock_whatever_the_wall_clock_says() {
        let clock = Hands(Mutex::new((5 * DAY, 1, 100)));
        let held = held(&clock);
        assert_eq!(held.now(&clock), 1_000 * DAY, "the device's own date does not matter");
        for wall in [-900 * DAY, 0, 5 * DAY, 9_000 * DAY] {
            *clock.0.lock().unwrap() = (wall, 1, 100 + 3 * DAY);
            assert_eq!(held.now(&clock), 1_003 * DAY);
        }
    }

    #[test]
    fn after_a_reboot_it_goes_ahead_with_the_wall_clock_and_never_back() {
        let clock = Hands(Mutex::new((5 * DAY, 1, 3 * DAY)));
        let held = held(&clock);
        *clock.0.lock().unwrap() = (7 * DAY, 2, 10);
        assert_eq!(held.now(&clock), 1_002 * DAY);
        let noted = held.noted(&clock);
        // Turned back, and rebooted again: what was noted stays.
        *clock.0.lock().unwrap() = (0, 3, 10);
        assert_eq!(noted.now(&clock), 1_002 * DAY);
        // The same boot, noted again: it goes on from there.
        let noted = noted.noted(&clock);
        *clock.0.lock().unwrap() = (-50 * DAY, 3, 10 + DAY);
        assert_eq!(noted.now(&clock), 1_003 * DAY);
        // A machine that can't tell its boots: the wall clock, ahead only.
        *clock.0.lock().unwrap() = (2 * DAY, 0, 0);
        assert_eq!(noted.now(&clock), 1_004 * DAY);
    }
}
