//! The workloads of the benchmarks: `cargo run --release -p roadbook-tests --bin bench -- [W1 W2 ...]`.
//!
//! Programs with a table as output, not timed tests: machines are shared and noisy. The server is a
//! process of its own (release build, TLS on, `synchronous=FULL`); devices are replicas in this
//! process; everything goes over loopback sockets. Each workload is repeated, medians are shown with
//! the spread.

#![allow(clippy::unwrap_used, reason = "a benchmark that can not go on has nothing to report")]

mod measure;
mod w1;
mod w2;
mod w4;
mod w7;
mod w8;
mod world;

use clap::Parser;

use crate::measure::Table;

/// Measures the workloads.
#[derive(Debug, Parser)]
struct Args {
    /// Which: W1 (a day in the air), W2 (a new phone), W4 (live), W7 (in the hand), W8 (the
    /// office); all if none is given.
    workloads: Vec<String>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// How often each is repeated.
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Contacts of W2 and W7.
    #[arg(long, default_value_t = 10_000)]
    contacts: usize,
    /// Contacts of W8, of 20 reps.
    #[arg(long, default_value_t = 100_000)]
    base: usize,
}

fn main() {
    let args = Args::parse();
    let known = ["W1", "W2", "W4", "W7", "W8"];
    for name in &args.workloads {
        if !known.contains(&name.to_uppercase().as_str()) {
            eprintln!("bench: `{name}` is not a workload; there are {}", known.join(", "));
            std::process::exit(2);
        }
    }
    let wanted = |name: &str| {
        args.workloads.is_empty() || args.workloads.iter().any(|w| w.eq_ignore_ascii_case(name))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut tables: Vec<Table> = Vec::new();
    if !args.json {
        println!("{}", measure::machine());
    }
    let mut done = |table: Table| {
        if !args.json {
            table.print();
        }
        tables.push(table);
    };
    if wanted("W1") {
        done(runtime.block_on(w1::run(args.repeat)));
    }
    if wanted("W2") {
        done(runtime.block_on(w2::run(args.repeat, args.contacts)));
    }
    if wanted("W4") {
        done(runtime.block_on(w4::run()));
    }
    if wanted("W7") {
        done(runtime.block_on(w7::run(args.contacts)));
    }
    if wanted("W8") {
        done(runtime.block_on(w8::run(args.base)));
    }
    if args.json {
        let machine = measure::machine();
        println!("{}", serde_json::json!({"machine": machine, "workloads": tables}));
    }
}
