//! One run: a fresh thread in a virtual world of its own, so that nothing of another run is left in
//! it, and so that a panic is a finding.

use std::sync::Once;
use std::thread;

use roadbook_faults::World as VirtualWorld;

use crate::coverage::Coverage;
use crate::oracle::Violation;
use crate::plan::{Mode, Plan};
use crate::shape::Shape;
use crate::world::{Outcome, World};

/// Documents nest, and automerge recurses.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Runs a plan.
///
/// Some libraries draw from the system's randomness once in the life of a process. A small run before
/// the first makes them do so: every run is the same then, whatever else the process ran, and a plan
/// breaks what its seed broke.
pub fn run(plan: &Plan) -> Outcome {
    static WARM: Once = Once::new();
    WARM.call_once(|| drop(run_apart(&Plan::new(0, Mode::Safety, Shape::of_seed(0, 20)))));
    run_apart(plan)
}

fn run_apart(plan: &Plan) -> Outcome {
    let owned = plan.clone();
    let run = move || {
        let _virtual = VirtualWorld::enter(owned.seed);
        match World::new(owned) {
            Ok(world) => world.run(),
            Err(error) => broken("the simulation has a place for its files", error.to_string()),
        }
    };
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(run);
    match thread.map(thread::JoinHandle::join) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            broken("nothing panics", text.unwrap_or_else(|| "a panic without words".to_owned()))
        }
        Err(error) => broken("the simulation has a thread", error.to_string()),
    }
}

fn broken(invariant: &'static str, detail: String) -> Outcome {
    Outcome {
        violation: Some(Violation { invariant, detail }),
        coverage: Coverage::default(),
        edits: 0,
        acknowledged: 0,
        devices: 0,
        trace: String::new(),
    }
}
