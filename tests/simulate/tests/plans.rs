//! What the simulator must be able to do: repeat itself, replay what it once found, and find what is
//! there to be found.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use roadbook_simulate::plan::{Mode, Plan};
use roadbook_simulate::run::run;
use roadbook_simulate::shape::Shape;

#[test]
fn a_run_repeats_itself_frame_by_frame() {
    for (seed, mode) in [(3, Mode::Safety), (4, Mode::Liveness), (5, Mode::Liveness)] {
        let plan = Plan::new(seed, mode, Shape::of_seed(seed, 150));
        let (first, second) = (run(&plan), run(&plan));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.coverage, second.coverage, "seed {seed}");
        assert!(first.edits > 100, "seed {seed} made {} edits", first.edits);
    }
}

#[test]
fn other_seeds_are_other_runs() {
    let trace = |seed| run(&Plan::new(seed, Mode::Safety, Shape::of_seed(7, 150))).trace;
    assert_ne!(trace(7), trace(8));
}

#[test]
fn a_plan_reads_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plan.json");
    let plan = Plan::new(9, Mode::Liveness, Shape::of_seed(9, 100));
    plan.write(&path).unwrap();
    assert_eq!(Plan::read(&path).unwrap(), plan);
    let empty = Plan { steps: Vec::new(), ..plan };
    empty.write(&path).unwrap();
    assert_eq!(Plan::read(&path).unwrap(), empty);
}

/// Every plan in `plans/` once broke a promise; its name says which way.
#[test]
fn no_bug_that_was_found_is_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let mut plans: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    plans.sort();
    assert!(plans.len() >= 4, "{} has {} plans", folder.display(), plans.len());
    for path in plans {
        let outcome = run(&Plan::read(&path).unwrap());
        assert_eq!(outcome.violation, None, "{}", path.display());
    }
}
