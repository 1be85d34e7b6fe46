//! What the fuzz targets found, and the inputs that they start from, replayed as ordinary tests.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use roadbook_protocol::guard::quiet_panics;
use roadbook_tests::devices::seed;
use roadbook_tests::fuzz::{TARGETS, target};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// Replays a folder of inputs for each target; gives how many there were.
fn replay(name: &str) -> usize {
    quiet_panics();
    let mut count = 0;
    for (known, work) in TARGETS {
        let Ok(inputs) = std::fs::read_dir(folder(name).join(known)) else { continue };
        let mut inputs: Vec<PathBuf> = inputs.map(|input| input.unwrap().path()).collect();
        inputs.sort();
        for input in inputs {
            // So that a failure says which one it was.
            println!("{}", input.display());
            work(&std::fs::read(&input).unwrap());
            count += 1;
        }
    }
    count
}

#[test]
fn what_was_found_once_is_found_no_more() {
    println!("{} inputs", replay("regressions"));
}

#[test]
fn every_target_takes_its_seeds() {
    let count = replay("corpus");
    assert!(count >= TARGETS.len(), "each target has a seed: {count}");
    for (name, _) in TARGETS {
        target(name)(b"");
        assert!(folder("corpus").join(name).is_dir(), "{name} has seeds");
    }
}

/// Altered seeds, new ones each time: what an everyday run can add to the fuzzer's hours.
#[test]
fn a_few_thousand_altered_seeds_do_no_harm() {
    quiet_panics();
    let seed = seed();
    let mut rng = fastrand::Rng::with_seed(seed);
    for (name, rounds) in
        [("frame", 3_000), ("gate1", 3_000), ("server_session", 6_000), ("client_session", 6_000)]
    {
        let folder = folder("corpus").join(name);
        let inputs = std::fs::read_dir(folder).unwrap();
        let mut seeds: Vec<Vec<u8>> =
            inputs.map(|input| std::fs::read(input.unwrap().path()).unwrap()).collect();
        // In an order that the file system does not decide.
        seeds.sort();
        for _ in 0..rounds {
            let mut input = seeds[rng.usize(..seeds.len())].clone();
            for _ in 0..rng.usize(1..20) {
                let at = rng.usize(..=input.len());
                match rng.u8(0..4) {
                    0 => input.insert(at, rng.u8(..)),
                    1 => input.extend((0..rng.usize(..16)).map(|_| rng.u8(..))),
                    _ if at < input.len() => input[at] = rng.u8(..),
                    _ => {}
                }
            }
            target(name)(&input);
        }
    }
}
