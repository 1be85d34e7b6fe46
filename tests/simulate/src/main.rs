//! `cargo simulate`: runs seeds, or one plan.

use std::backtrace::Backtrace;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use roadbook_simulate::coverage::{self, Coverage};
use roadbook_simulate::plan::{Mode, Plan};
use roadbook_simulate::run::run;
use roadbook_simulate::shape::Shape;
use roadbook_simulate::shrink::shrink;
use roadbook_simulate::world::{Outcome, TELL};

/// A run is mostly allocation: of documents, frames and rows.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Simulates devices and a server on a bad network, with wrong clocks and failing disks, and looks
/// for a broken promise.
#[derive(Debug, Parser)]
#[command(name = "simulate")]
struct Args {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// What to look for; both, alternating from seed to seed, unless given.
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Edits of a run, about.
    #[arg(long, default_value_t = 1_200)]
    edits: u32,
    /// Of the seeds, so many with a thousand devices, at the end.
    #[arg(long, default_value_t = 0)]
    crowds: u64,
    /// Runs at a time; one per processor unless given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Runs this plan alone.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Where failing plans are written.
    #[arg(long, default_value = "target/simulate")]
    out: PathBuf,
    /// Seconds to look for a smaller failing plan; 0 for none.
    #[arg(long, default_value_t = 60)]
    shrink: u64,
    /// Ends after so many failing seeds: the others will tell nothing new.
    #[arg(long, default_value_t = 5)]
    failures: usize,
    /// Ends after so many seconds, whatever is left.
    #[arg(long)]
    seconds: Option<u64>,
    /// What never happened does not fail the run: for few seeds.
    #[arg(long)]
    no_coverage: bool,
    /// Tells everything that happens in the run of a plan, or of seeds with `--jobs 1`.
    #[arg(long)]
    tell: bool,
    /// Prints every seed.
    #[arg(long, short)]
    verbose: bool,
}

/// Fewer seeds can't be expected to show everything.
const COVERAGE_SEEDS_MIN: u64 = 100;

fn main() -> ExitCode {
    let args = Args::parse();
    // A panic is a finding, reported with its seed; its trace would bury the report.
    std::panic::set_hook(Box::new(|panic| {
        // With the way there, if RUST_BACKTRACE asks for it.
        eprintln!("panic: {panic}\n{}", Backtrace::capture());
    }));
    match &args.plan {
        Some(path) => one_plan(&args, path),
        None => many_seeds(&args),
    }
}

fn one_plan(args: &Args, path: &std::path::Path) -> ExitCode {
    let plan = match Plan::read(path) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{}: {error}; give a plan that a failing run has written", path.display());
            return ExitCode::from(2);
        }
    };
    TELL.store(args.tell, Ordering::Relaxed);
    let outcome = run(&plan);
    TELL.store(false, Ordering::Relaxed);
    println!(
        "seed {} {:?} {}: {} steps, {} edits, trace {}",
        plan.seed,
        plan.mode,
        plan.shape.name,
        plan.steps.len(),
        outcome.edits,
        outcome.trace
    );
    match &outcome.violation {
        None => {
            println!("held");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("BROKEN: {}\n  {}", violation.invariant, violation.detail);
            if args.shrink > 0 {
                write_smaller(args, &plan, violation.invariant);
            }
            ExitCode::FAILURE
        }
    }
}

struct Totals {
    coverage: Coverage,
    edits: u64,
    acknowledged: u64,
    devices: u64,
    failures: Vec<(Plan, Outcome)>,
}

fn plan_of(args: &Args, index: u64) -> Plan {
    let seed = args.first + index;
    let mode =
        args.mode.unwrap_or(if seed.is_multiple_of(2) { Mode::Safety } else { Mode::Liveness });
    let shape = match index >= args.seeds.saturating_sub(args.crowds) {
        true => Shape::crowd(seed, args.edits),
        false => Shape::of_seed(seed, args.edits),
    };
    Plan::new(seed, mode, shape)
}

fn many_seeds(args: &Args) -> ExitCode {
    let jobs =
        args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let next = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    TELL.store(args.tell && jobs == 1, Ordering::Relaxed);
    let totals = Mutex::new(Totals {
        coverage: Coverage::default(),
        edits: 0,
        acknowledged: 0,
        devices: 0,
        failures: Vec::new(),
    });
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let late = args.seconds.is_some_and(|max| begun.elapsed().as_secs() >= max);
                    if index >= args.seeds || late {
                        return;
                    }
                    let plan = plan_of(args, index);
                    let started = Instant::now();
                    let outcome = run(&plan);
                    let count = done.fetch_add(1, Ordering::Relaxed) + 1;
                    let mut totals =
                        totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    totals.coverage.merge(&outcome.coverage);
                    totals.edits += outcome.edits;
                    totals.acknowledged += outcome.acknowledged;
                    totals.devices += outcome.devices;
                    if args.verbose {
                        println!(
                            "seed {} {:?} {}: {} devices, {} edits, {:.1} s, trace {}",
                            plan.seed,
                            plan.mode,
                            plan.shape.name,
                            outcome.devices,
                            outcome.edits,
                            started.elapsed().as_secs_f64(),
                            outcome.trace
                        );
                    } else if count.is_multiple_of(100) {
                        println!("{count} seeds, {} edits", totals.edits);
                    }
                    if let Some(violation) = &outcome.violation {
                        println!(
                            "seed {} {:?} {} BROKEN: {}\n  {}",
                            plan.seed,
                            plan.mode,
                            plan.shape.name,
                            violation.invariant,
                            violation.detail
                        );
                        totals.failures.push((plan, outcome));
                        if totals.failures.len() >= args.failures {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let totals = totals.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    report(args, &totals, done.into_inner(), begun.elapsed())
}

fn report(args: &Args, totals: &Totals, seeds: u64, took: Duration) -> ExitCode {
    println!("\nwhat was done                                     times");
    for name in coverage::all() {
        let n = totals.coverage.0.get(name).copied().unwrap_or_default();
        println!("  {name:<44} {n:>10}");
    }
    let minutes = took.as_secs_f64() / 60.0;
    println!(
        "\n{seeds} seeds from {}, {} devices, {} edits, {} acknowledged changes looked up; {:.0} s, {:.0} edits a minute",
        args.first,
        totals.devices,
        totals.edits,
        totals.acknowledged,
        took.as_secs_f64(),
        totals.edits as f64 / minutes
    );
    for (plan, outcome) in &totals.failures {
        let Some(violation) = &outcome.violation else { continue };
        let path = args.out.join(format!("seed-{}.json", plan.seed));
        match plan.write(&path) {
            Ok(()) => println!(
                "seed {}: {} -> cargo simulate --plan {}",
                plan.seed,
                violation.invariant,
                path.display()
            ),
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
    }
    if let Some((plan, outcome)) = totals.failures.first() {
        if let Some(violation) = outcome.violation.as_ref().filter(|_| args.shrink > 0) {
            write_smaller(args, plan, violation.invariant);
        }
        println!("BROKEN in {} of {seeds} seeds", totals.failures.len());
        return ExitCode::FAILURE;
    }
    let unseen = totals.coverage.unseen();
    if !args.no_coverage && seeds >= COVERAGE_SEEDS_MIN && !unseen.is_empty() {
        println!("NOT SEEN in {seeds} seeds: {}", unseen.join(", "));
        return ExitCode::FAILURE;
    }
    println!("held");
    ExitCode::SUCCESS
}

fn write_smaller(args: &Args, plan: &Plan, invariant: &'static str) {
    let (smaller, runs) = shrink(plan, invariant, Duration::from_secs(args.shrink));
    let path = args.out.join(format!("seed-{}-small.json", plan.seed));
    match smaller.write(&path) {
        Ok(()) => println!(
            "smaller: {} of {} steps after {runs} runs -> cargo simulate --plan {}",
            smaller.steps.len(),
            plan.steps.len(),
            path.display()
        ),
        Err(error) => eprintln!("{}: {error}", path.display()),
    }
}
