//! W8, the office: what a manager's browser waits for, while the field writes.
//!
//! The server speaks plain HTTP on the loopback here, a connection for each page, and answers whole
//! pages: what is measured is from the first byte of the request to the last of the answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roadbook_protocol::document::{Command, Value};
use roadbook_protocol::ids::ContactId;
use roadbook_tests::http::{Http, encode};
use roadbook_tests::local::Device;

use crate::measure::{Table, peak_mb};
use crate::world::World;

const REPS: usize = 20;
const EVERY: Duration = Duration::from_millis(50);
/// How often each page is asked for.
const ROUNDS: usize = 120;

const TYPED: &[&str] =
    &["m", "mu", "mul", "muller", "ostergard", "иван", "leeds", "gmbh", "+49 2", "anna koln"];
const FILTERED: &[&str] = &[
    "status:customer",
    "status:lead city:köln",
    "tag:vip",
    "contacted:>60d",
    "stage:offer",
    "-visits:>=1",
    "consent:email",
    "abc:A",
    "recency:5 frequency:4",
    "cadence:overdue",
];
const SORTED: &[&str] =
    &["touched", "contacted", "silent", "visit", "due", "company", "city", "status", "owner"];

/// Measures it.
pub async fn run(contacts: usize) -> Table {
    let mut table = Table::new(format!(
        "W8: the office ({contacts} contacts of {REPS} reps, while 20 edits a second come in)"
    ));
    let logins: Vec<String> = (0..REPS).map(|n| format!("rep{n}")).collect();
    let logins: Vec<&str> = logins.iter().map(String::as_str).collect();
    let world = World::plain(&logins).await;
    let (mut writer, ids) = fill(&world, &logins, contacts / REPS).await;
    // Nobody reads as much as a benchmark does; else it would be held back as an export by hand.
    for kind in ["page", "list"] {
        world.server.admin(&["volume", "set", kind, "--contacts", "10000000"]).ok();
    }
    let added = world.server.admin(&["user", "add", "boss", "--role", "manager", "--json"]).json();
    let code = added["code"].as_str().expect("a one-time code");
    let mut http = Http::signed_in(&world.server.url, code, "the benchmark's own passphrase");

    let shown: Vec<String> = ids.iter().map(|id| format!("/contacts/{id}")).collect();
    let searched: Vec<String> =
        TYPED.iter().map(|text| format!("/contacts?q={}", encode(text))).collect();
    let filtered: Vec<String> =
        FILTERED.iter().map(|text| format!("/contacts?filter={}", encode(text))).collect();
    let built: Vec<String> =
        FILTERED.iter().map(|text| format!("/segments?filter={}", encode(text))).collect();
    let sorted: Vec<String> = SORTED.iter().map(|name| format!("/contacts?sort={name}")).collect();
    let one = |path: &str| vec![path.to_owned()];
    let pages: &[(&str, Vec<String>)] = &[
        ("list, first window", one("/contacts")),
        ("search as you type", searched),
        ("list by a filter", filtered),
        ("list in another order", sorted),
        ("contact", shown),
        ("segment", built),
        ("today", one("/")),
        ("decide", one("/decide")),
        ("funnel", one("/funnel")),
        ("activity", one("/activity")),
        ("value", one("/value")),
        ("people and devices", one("/devices")),
    ];
    // What is read once and kept is read by the first who asks.
    let mut first = Vec::new();
    for (_, paths) in pages {
        first.push(get(&mut http, &paths[0]));
    }

    writer.go_online();
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicUsize::new(0));
    let writing = {
        let (replica, ids) = (writer.replica.clone(), ids.clone());
        let (stop, written) = (stop.clone(), written.clone());
        tokio::spawn(async move {
            let mut clock = tokio::time::interval(EVERY);
            while !stop.load(Ordering::Relaxed) {
                clock.tick().await;
                let number = written.fetch_add(1, Ordering::Relaxed);
                let value = Some(Value::Int(number as i64));
                let id = ids[number % ids.len()];
                replica.edit(id, &[Command::Custom { name: "number".into(), value }]).unwrap();
            }
        })
    };
    let mut samples = vec![Vec::new(); pages.len()];
    let mut by_path: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let start = Instant::now();
    // The pages take turns, so that each is asked for all the time that the field writes.
    for round in 0..ROUNDS {
        for ((_, paths), samples) in pages.iter().zip(&mut samples) {
            let path = paths[round % paths.len()].clone();
            let (back, path, taken) = tokio::task::spawn_blocking(move || {
                let taken = get(&mut http, &path);
                (http, path, taken)
            })
            .await
            .unwrap();
            http = back;
            samples.push(taken);
            if paths.len() < ids.len() {
                by_path.entry(path).or_default().push(taken);
            }
        }
    }
    let rate = written.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    writer.go_offline().await;
    for ((name, paths), samples) in pages.iter().zip(samples) {
        table.row(name, "ms", samples, "p95 <= 50");
        let parts = paths.iter().filter(|path| paths.len() > 1 && by_path.contains_key(*path));
        for path in parts {
            table.row(&format!("- {path}"), "ms", by_path[path].clone(), "");
        }
    }
    table.row("the first who asks, any page", "ms", first, "");
    table.row("edits coming in meanwhile", "1/s", vec![rate], "20");
    table.row("peak memory of the server", "MB", vec![peak_mb(world.server.id())], "");
    table
}

/// Each rep's contacts; the last rep's device stays, for the writing. While one device sends, the next one is
/// written to.
async fn fill(world: &World, logins: &[&str], each: usize) -> (Device, Vec<ContactId>) {
    let mut last = None;
    for (at, pair) in logins.chunks(2).enumerate() {
        let seed = at as u64 * 2;
        let filled = match pair {
            [one, other] => {
                let (one, other) = tokio::join!(
                    world.filled(one, each, seed),
                    world.filled(other, each, seed + 1)
                );
                vec![one, other]
            }
            one => vec![world.filled(one[0], each, seed).await],
        };
        for (device, _) in last.replace(filled).into_iter().flatten() {
            let home = device.replica.home().to_owned();
            device.replica.close();
            drop(device);
            std::fs::remove_dir_all(home).unwrap();
        }
    }
    last.and_then(|mut pair| pair.pop()).expect("there are reps")
}

/// Milliseconds until the page is there.
fn get(http: &mut Http, path: &str) -> f64 {
    let start = Instant::now();
    let answer = http.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body.chars().take(500).collect::<String>());
    start.elapsed().as_secs_f64() * 1e3
}
