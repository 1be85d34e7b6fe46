//! `cargo run -p roadbook-tests --bin kills -- --cycles 1000 [--seed N]`: kills the shipped server and
//! devices at random under load, and looks after each kill for what was promised. See
//! [`roadbook_tests::kills`]. Ends with a table, or with the seed and what is missing.

use clap::Parser;
use roadbook_tests::kills::{self, Plan};

/// Kills servers and devices at random under load.
#[derive(Debug, Parser)]
#[command(name = "kills")]
struct Args {
    /// How many kills.
    #[arg(long, default_value_t = 1_000)]
    cycles: usize,
    /// Decides who is killed, when, and what is edited; random unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// Compare everything after so many cycles.
    #[arg(long, default_value_t = 50)]
    compare_every: usize,
}

fn main() {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let plan =
        Plan { cycles: args.cycles, seed, compare_every: args.compare_every.max(1), tell: true };
    print!("{}", kills::run(plan));
}
