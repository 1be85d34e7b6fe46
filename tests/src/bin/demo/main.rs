//! `cargo demo`: the whole of Roadbook in one command.
//!
//! Starts a server with generated sample data, opens real replicas over real sockets, and plays a
//! short scene: a rep's phone and laptop and a colleague's phone go offline, all edit the same
//! contacts while the manager edits them at the office, and come back. With `--once` it prints a
//! report and exits 0 only if everything held; without, it leaves the server running to look at.

mod history;
mod report;
mod scene;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::stage::Stage;

/// Plays the demo.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Args {
    /// Play the scene, print the report, and end.
    #[arg(long)]
    once: bool,
    /// Where to keep the data; a temporary directory, removed at the end, unless given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddr,
    /// Contacts to generate.
    #[arg(long, default_value_t = 3_000)]
    contacts: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(play(args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("demo: something did not hold; see the report above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play(args: Args) -> Result<bool, Box<dyn std::error::Error>> {
    let temporary = if args.data.is_none() { Some(tempfile::tempdir()?) } else { None };
    let dir = match (&args.data, &temporary) {
        (Some(dir), _) => dir.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => unreachable!("one of the two is there"),
    };
    let stage = Stage::set(&dir, args.listen, args.contacts).await?;
    println!();
    println!("  the office     {}", stage.manager_link);
    println!("                 (signs the manager in once, then asks for a password)");
    println!(
        "  a rep's device cargo run -q -p roadbook -- --home {} list",
        stage.spare_home().display()
    );
    println!();
    let report = scene::play(&stage).await?;
    report.print();
    let held = report.holds();
    if !args.once {
        println!("\nThe server goes on at {} until Ctrl-C.", stage.url);
        println!(
            "Another device: cargo run -q -p roadbook -- --home DIR enroll {} CODE",
            stage.url
        );
        println!(
            "with a code from: cargo run -q -p roadbook-server -- invite north --data {}",
            stage.data().display()
        );
        tokio::signal::ctrl_c().await?;
    }
    stage.close().await;
    Ok(held)
}
