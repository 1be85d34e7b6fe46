//! `mutants --count N [--seed N] [--devices N]`: mutated changes through a running server, with the
//! tables of what was altered and how it ended. Fails where a promise is broken.

use clap::Parser;
use roadbook_tests::mutants::{Plan, run};

/// Sends mutated changes through a running server.
#[derive(Parser)]
struct Arguments {
    /// How many mutants.
    #[arg(long, default_value_t = 30_000)]
    count: u64,
    /// What they follow from.
    #[arg(long)]
    seed: Option<u64>,
    /// How many devices send them at once.
    #[arg(long, default_value_t = 3)]
    devices: u64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let Arguments { count, seed, devices } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("{count} mutants, seed {seed}, {devices} devices");
    let report = run(Plan { count, seed, devices }).await;
    println!("{}", report.table());
    if count >= 5_000 {
        report.assert_everything_happened();
    }
}
