//! Samples, medians, the machine, and what a process has used.

use std::path::Path;

use serde::Serialize;

/// One workload's result.
#[derive(Debug, Serialize)]
pub struct Table {
    title: String,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    what: String,
    unit: &'static str,
    median: f64,
    lowest: f64,
    highest: f64,
    p95: f64,
    p99: f64,
    samples: usize,
    target: &'static str,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    /// Adds a row of samples, beside the target it is held against.
    pub fn row(
        &mut self,
        what: &str,
        unit: &'static str,
        mut samples: Vec<f64>,
        target: &'static str,
    ) {
        assert!(!samples.is_empty(), "{what}: nothing was measured");
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
        self.rows.push(Row {
            what: what.into(),
            unit,
            median: at(0.5),
            lowest: at(0.0),
            highest: at(1.0),
            p95: at(0.95),
            p99: at(0.99),
            samples: samples.len(),
            target,
        });
    }

    /// Prints it for people.
    pub fn print(&self) {
        println!("\n{}", self.title);
        println!(
            "  {:<46} {:>10} {:>10} {:>10} {:>10} {:>10}  {:<5} {:>4}  target",
            "", "median", "lowest", "highest", "p95", "p99", "unit", "n"
        );
        for row in &self.rows {
            println!(
                "  {:<46} {:>10.2} {:>10.2} {:>10.2} {:>10.2} {:>10.2}  {:<5} {:>4}  {}",
                row.what,
                row.median,
                row.lowest,
                row.highest,
                row.p95,
                row.p99,
                row.unit,
                row.samples,
                row.target
            );
        }
    }
}

/// Cores, system, build and load: what a figure means nothing without.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("?", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) { "dev build: not for figures" } else { "release build" };
    format!(
        "{model}, {cores} cores; Linux {}; roadbook {} ({build}); load {}",
        read("/proc/sys/kernel/osrelease").trim(),
        env!("CARGO_PKG_VERSION"),
        read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
    )
}

/// CPU that a process has used, in milliseconds (user and system).
pub fn cpu_ms(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; the fields are counted behind it.
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    // utime and stime are fields 14 and 15 of the whole line; a tick is 10 ms.
    (ticks(11) + ticks(12)) * 10.0
}

/// The most memory a process has had, in MB.
pub fn peak_mb(pid: u32) -> f64 {
    status_kb(Path::new(&format!("/proc/{pid}/status")), "VmHWM:") / 1024.0
}

fn status_kb(path: &Path, name: &str) -> f64 {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0)
}
