//! Virtual time and seeded randomness for a thread, below the standard library.
//!
//! The product reads the clock through `Instant::now`, `SystemTime::now` and `chrono`, and takes
//! random bytes from `ring`, `getrandom` and the keys of every `HashMap`. All of these end in a few
//! functions of the C library. This crate defines functions of the same names, so a program that
//! links it calls these instead. On a thread inside a [`World`] they answer from the world; on
//! any other thread they call the C library's. (The approach is that of
//! [madsim](https://github.com/madsim-rs/madsim), which runs whole Tokio programs so.)
//!
//! **One fresh thread per world.** The standard library keeps the keys of `HashMap`s per thread,
//! made at the first use: on a thread that used a `HashMap` before it entered, maps iterate in an
//! order that doesn't follow from the seed.
//!
//! What does not follow from the seed even so: what a *process* keeps, filled by whoever comes first
//! (the generator inside SQLite, from which the salts of a write-ahead log come; hash functions
//! keyed by an address). A decision must never hang on these, and none of ours does.
//!
//! Inside a world nothing but its thread runs: sleeping, and waiting with a time limit
//! (`wait_timeout`, `recv_timeout`, `park_timeout`), move the clock to the end and return at once.
//! Waiting without a limit waits as ever.

#[cfg(target_os = "linux")]
mod interpose;

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use crate::random::Random;

/// Where a world's wall clock begins unless it is set: 2026-03-01 08:00 UTC.
pub const EPOCH_MS: i64 = 1_772_352_000_000;
/// What the monotonic clock shows when a world begins: a machine that has been up for a day.
const UPTIME_NS: u64 = 24 * 3_600 * 1_000_000_000;

/// The state of a thread's world. `Copy` and without a destructor, so that it can be read at any
/// point of a thread's life, also before the standard library is ready and after it is gone.
#[derive(Clone, Copy)]
struct State {
    random: Random,
    wall_ns: i128,
    monotonic_ns: u64,
}

thread_local! {
    static STATE: Cell<Option<State>> = const { Cell::new(None) };
}

/// The guard of a thread's world: the thread leaves it when this is dropped. Not `Send`.
#[derive(Debug)]
pub struct World {
    not_send: PhantomData<*const ()>,
}

impl World {
    /// Puts this thread into a world of its own: its clocks stand at [`EPOCH_MS`] until they are
    /// moved, its randomness follows from the seed.
    ///
    /// # Panics
    /// If the thread is inside a world already.
    pub fn enter(seed: u64) -> World {
        #[cfg(target_os = "linux")]
        interpose::keep();
        assert!(!inside(), "this thread is inside a world already: one fresh thread per world");
        STATE.set(Some(State {
            random: Random::nth(seed, 0x0077_6f72_6c64),
            wall_ns: i128::from(EPOCH_MS) * 1_000_000,
            monotonic_ns: UPTIME_NS,
        }));
        World { not_send: PhantomData }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        STATE.set(None);
    }
}

/// Whether this thread is inside a world.
pub fn inside() -> bool {
    STATE.get().is_some()
}

/// Sets the wall clock of this thread's world, in milliseconds since 1970. The monotonic clock goes
/// forward by as much; if the wall clock went back, it stands.
///
/// # Panics
/// Outside of a world.
pub fn set_now_ms(ms: i64) {
    with(|state| {
        let to = i128::from(ms) * 1_000_000;
        let forward = u64::try_from(to - state.wall_ns).unwrap_or(0);
        state.wall_ns = to;
        state.monotonic_ns = state.monotonic_ns.saturating_add(forward);
    });
}

/// Sets the wall clock alone, as a person or a time server does: the monotonic clock does not move.
///
/// # Panics
/// Outside of a world.
pub fn jump_wall_ms(ms: i64) {
    with(|state| state.wall_ns = i128::from(ms) * 1_000_000);
}

/// Moves both clocks of this thread's world forward.
///
/// # Panics
/// Outside of a world.
pub fn advance(by: Duration) {
    with(|state| {
        state.wall_ns += i128::try_from(by.as_nanos()).unwrap_or(0);
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        state.monotonic_ns = state.monotonic_ns.saturating_add(by);
    });
}

/// The wall clock of this thread's world, in milliseconds since 1970; `None` outside.
pub fn now_ms() -> Option<i64> {
    STATE.get().map(|state| i64::try_from(state.wall_ns.div_euclid(1_000_000)).unwrap_or(i64::MAX))
}

/// Fills the buffer from the world's randomness. `false`, and nothing done, outside of a world.
#[cfg(target_os = "linux")]
fn fill(bytes: &mut [u8]) -> bool {
    let Some(mut state) = STATE.get() else { return false };
    state.random.fill(bytes);
    STATE.set(Some(state));
    true
}

fn with(change: impl FnOnce(&mut State)) {
    let mut state = STATE.get().expect("only a thread inside a world has a clock that can be set");
    change(&mut state);
    STATE.set(Some(state));
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
