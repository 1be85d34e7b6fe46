//! A smaller plan that breaks the same promise: steps are left out, first many at a time, for as
//! long as it still fails (delta debugging, Zeller 1999).

use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::run::run;

/// Shrinks a failing plan, for at most this long. Returns the smallest that still fails the same
/// way, and how many runs it took.
pub fn shrink(plan: &Plan, invariant: &'static str, give_up: Duration) -> (Plan, usize) {
    let deadline = Instant::now() + give_up;
    let mut smallest = plan.clone();
    let mut runs = 0;
    let mut part = smallest.steps.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut left_out = false;
        while from < smallest.steps.len() {
            if Instant::now() >= deadline {
                return (smallest, runs);
            }
            let mut candidate = smallest.clone();
            let to = (from + part).min(candidate.steps.len());
            candidate.steps.drain(from..to);
            runs += 1;
            let outcome = run(&candidate);
            if outcome.violation.is_some_and(|found| found.invariant == invariant) {
                smallest = candidate;
                left_out = true;
            } else {
                from = to;
            }
        }
        if part == 1 && !left_out {
            return (smallest, runs);
        }
        part = (part / 2).max(1);
    }
}
