//! A world is deterministic, and nothing outside of it is touched.
#![allow(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ring::rand::SecureRandom;

use super::*;

/// Everything of a thread that may differ between two runs.
fn run(seed: u64) -> (Vec<u64>, [u8; 40], u128) {
    std::thread::spawn(move || {
        let _world = World::enter(seed);
        let map: HashMap<u64, ()> = (0..200).map(|i| (i, ())).collect();
        let mut bytes = [0; 40];
        ring::rand::SystemRandom::new().fill(&mut bytes).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        (map.into_keys().collect(), bytes, now)
    })
    .join()
    .unwrap()
}

#[test]
fn the_same_seed_gives_the_same_maps_bytes_and_time() {
    assert_eq!(run(7), run(7));
    let (keys, bytes, _) = run(7);
    let (other_keys, other_bytes, _) = run(8);
    assert_ne!(keys, other_keys);
    assert_ne!(bytes, other_bytes);
}

#[test]
fn outside_of_a_world_randomness_is_real() {
    let bytes = || {
        let mut bytes = [0; 32];
        ring::rand::SystemRandom::new().fill(&mut bytes).unwrap();
        bytes
    };
    let seen: HashSet<[u8; 32]> = (0..8).map(|_| bytes()).collect();
    assert_eq!(seen.len(), 8);
    let before = Instant::now();
    while Instant::now() == before {}
    std::thread::sleep(Duration::from_millis(2));
    assert!(before.elapsed() >= Duration::from_millis(2));
}

#[test]
fn the_clocks_stand_until_they_are_moved() {
    std::thread::spawn(|| {
        let _world = World::enter(1);
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        assert_eq!(SystemTime::now(), wall);
        assert_eq!(Instant::now(), monotonic);
        assert_eq!(now_ms(), Some(EPOCH_MS));

        set_now_ms(EPOCH_MS + 1_500);
        assert_eq!(wall.elapsed().unwrap(), Duration::from_millis(1_500));
        assert_eq!(monotonic.elapsed(), Duration::from_millis(1_500));

        // Back by years: the wall clock follows, the monotonic clock stands.
        set_now_ms(EPOCH_MS - 100_000_000_000);
        assert!(SystemTime::now() < wall);
        assert_eq!(monotonic.elapsed(), Duration::from_millis(1_500));
        jump_wall_ms(EPOCH_MS + 100_000_000_000);
        assert_eq!(monotonic.elapsed(), Duration::from_millis(1_500));

        // An hour's sleep takes no time at all.
        std::thread::sleep(Duration::from_secs(3_600));
        assert_eq!(monotonic.elapsed(), Duration::from_millis(3_601_500));
        advance(Duration::from_nanos(7));
        assert_eq!(monotonic.elapsed(), Duration::from_millis(3_601_500) + Duration::from_nanos(7));
    })
    .join()
    .unwrap();
}

#[test]
fn a_wait_with_a_limit_ends_at_its_limit_at_once() {
    std::thread::spawn(|| {
        let _world = World::enter(1);
        let hour = Duration::from_secs(3_600);
        let started = Instant::now();
        std::thread::park_timeout(hour);
        assert_eq!(started.elapsed(), hour);
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        assert!(receiver.recv_timeout(hour).is_err());
        assert_eq!(started.elapsed(), 2 * hour);
        let (lock, condvar) = (std::sync::Mutex::new(()), std::sync::Condvar::new());
        let waited = condvar.wait_timeout(lock.lock().unwrap(), hour).unwrap();
        assert!(waited.1.timed_out());
        assert_eq!(started.elapsed(), 3 * hour);
    })
    .join()
    .unwrap();
}

#[test]
fn a_world_ends_with_its_guard_and_is_not_seen_by_other_threads() {
    std::thread::spawn(|| {
        let world = World::enter(1);
        let other = std::thread::spawn(|| (inside(), SystemTime::now())).join().unwrap();
        assert!(!other.0);
        assert_ne!(other.1, SystemTime::now());
        drop(world);
        assert!(!inside());
        assert_eq!(now_ms(), None);
        let _again = World::enter(1);
    })
    .join()
    .unwrap();
}

#[test]
fn a_second_world_on_a_thread_is_refused() {
    let twice = std::thread::spawn(|| {
        let _world = World::enter(1);
        let _second = World::enter(2);
    });
    assert!(twice.join().is_err());
}

/// Later versions of `getrandom` look the function up by its name at run time.
#[test]
fn a_lookup_by_name_finds_the_worlds_functions() {
    for (name, ours) in [
        (c"getrandom", libc::getrandom as *const ()),
        (c"clock_gettime", libc::clock_gettime as *const ()),
    ] {
        // SAFETY: the name ends in a zero byte.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        assert_eq!(found.cast_const().cast::<()>(), ours, "{name:?}");
    }
}
