//! W4, live: a writer makes 20 edits a second, another device of the same rep watches.

use std::time::{Duration, Instant};

use roadbook_client_core::{Durability, Topic};
use roadbook_protocol::document::Command;

use crate::measure::Table;
use crate::world::World;

const EDITS: usize = 200;
const EVERY: Duration = Duration::from_millis(50);

/// Measures it.
pub async fn run() -> Table {
    let mut table = Table::new(format!("W4: live ({EDITS} edits, 20 a second)"));
    let world = World::new(&["rep"]).await;
    let ids = world.fill("rep", 20, 3).await;
    let mut writer = world.device("writer", "rep", Durability::Full).await;
    let mut watcher = world.device("watcher", "rep", Durability::Full).await;
    writer.sync().await;
    watcher.sync().await;
    writer.go_online();
    watcher.go_online();

    let id = ids[0];
    let mut seen = watcher.replica.observe(Topic::Contact(id));
    let replica = watcher.replica.clone();
    let watching = tokio::spawn(async move {
        let mut times: Vec<Instant> = Vec::with_capacity(EDITS);
        while times.len() < EDITS {
            assert!(seen.next().await.is_some(), "the watcher was closed");
            let number = replica.contact(id).unwrap().custom.get("number").and_then(|v| v.as_int());
            let number = number.unwrap_or(-1);
            while (times.len() as i64) <= number {
                times.push(Instant::now());
            }
        }
        times
    });

    let mut clock = tokio::time::interval(EVERY);
    let (mut made, mut saved) = (Vec::with_capacity(EDITS), Vec::with_capacity(EDITS));
    for number in 0..EDITS {
        clock.tick().await;
        let start = Instant::now();
        let value = Some(roadbook_protocol::document::Value::Int(number as i64));
        writer.replica.edit(id, &[Command::Custom { name: "number".into(), value }]).unwrap();
        made.push(start);
        saved.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let times = watching.await.unwrap();
    let latency =
        times.iter().zip(&made).map(|(seen, made)| (*seen - *made).as_secs_f64() * 1e3).collect();
    table.row("edit durable on the writer", "ms", saved, "");
    table.row("edit visible on the other device", "ms", latency, "one fsync + 2, p99 <= 20");
    writer.go_offline().await;
    watcher.go_offline().await;
    table
}
