//! W2, a new phone: an empty device gets everything.

use std::time::Instant;

use roadbook_client_core::Durability;

use crate::measure::{Table, cpu_ms, peak_mb};
use crate::w1::wait;
use crate::world::World;

/// Measures it so many times, each with a new device of the same base.
pub async fn run(repeat: usize, contacts: usize) -> Table {
    let mut table = Table::new(format!("W2: a new phone ({contacts} contacts)"));
    let world = World::new(&["rep"]).await;
    world.fill("rep", contacts, 7).await;
    let mut samples: [Vec<f64>; 5] = Default::default();
    for round in 0..repeat {
        let device = world.device(&format!("phone-{round}"), "rep", Durability::Full).await;
        let (up_before, down_before) = world.link.bytes();
        let cpu_before = cpu_ms(world.server.id());
        let start = Instant::now();
        let watched = device.replica.clone();
        let first_page = tokio::spawn(async move {
            wait(&watched, |replica| replica.status().unwrap().contacts > 0).await;
            start.elapsed()
        });
        device.sync().await;
        let complete = start.elapsed();
        let (up, down) = world.link.bytes();
        let status = device.replica.status().unwrap();
        assert_eq!((status.contacts, status.missing), (contacts as u64, 0));
        let figures = [
            first_page.await.unwrap().as_secs_f64() * 1e3,
            complete.as_secs_f64() * 1e3,
            (down - down_before) as f64 / 1e6,
            (up - up_before) as f64 / 1e3,
            cpu_ms(world.server.id()) - cpu_before,
        ];
        for (all, figure) in samples.iter_mut().zip(figures) {
            all.push(figure);
        }
    }
    let [first, complete, down, up, cpu] = samples;
    table.row("first page can be searched", "ms", first, "");
    table.row("complete and searchable", "ms", complete, "<= 2000 (searchable <= 500)");
    table.row("down", "MB", down, "<= 12");
    table.row("up", "kB", up, "");
    table.row("server CPU", "ms", cpu, "");
    table.row("server, peak memory", "MB", vec![peak_mb(world.server.id())], "");
    table.row(
        "this process (all devices), peak memory",
        "MB",
        vec![peak_mb(std::process::id())],
        "",
    );
    table
}
