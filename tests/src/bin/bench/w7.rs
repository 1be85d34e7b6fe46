//! W7, in the hand: what a rep feels on a replica of 10,000 contacts.

use std::time::Instant;

use roadbook_client_core::{Durability, ListQuery};
use roadbook_protocol::document::Command;
use roadbook_tests::generate::Generator;
use roadbook_tests::local::Device;

use crate::measure::Table;
use crate::world::World;

const TYPED: &[&str] =
    &["m", "mu", "mul", "mull", "mulle", "muller", "ostergard", "иван", "leeds", "gmbh", "+49 2"];

/// Measures it.
pub async fn run(contacts: usize) -> Table {
    let mut table = Table::new(format!("W7: in the hand ({contacts} contacts)"));
    let world = World::new(&["rep"]).await;
    let home = world.home("hand");
    let mut ids = Vec::new();
    {
        let device = world.other("hand", "rep", Durability::Off).await;
        let mut generator = Generator::new(11);
        for _ in 0..contacts {
            ids.push(device.replica.create(&generator.contact().commands).unwrap().contact_id);
        }
        device.replica.close();
    }
    let timed = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    };

    let mut opened = Vec::new();
    for _ in 0..5 {
        opened.push(timed(&mut || {
            let device = Device::open(&home, Durability::Full);
            let list = device.replica.list(&ListQuery::default()).unwrap();
            assert_eq!(list.total, contacts);
            device.replica.close();
        }));
    }
    table.row("open the app to the first list", "ms", opened, "<= 50");

    let device = Device::open(&home, Durability::Full);
    let replica = &device.replica;
    let mut searched = Vec::new();
    for _ in 0..5 {
        for text in TYPED {
            searched.push(timed(&mut || {
                replica.search(text, 50).unwrap();
            }));
        }
    }
    table.row("search as you type", "ms", searched, "<= 10");
    let spread: Vec<_> = ids.iter().step_by((contacts / 200).max(1)).collect();
    let shown = spread
        .iter()
        .map(|id| {
            timed(&mut || {
                replica.contact(**id).unwrap();
            })
        })
        .collect();
    table.row("open a contact (cold)", "ms", shown, "<= 5");
    let mut number = 0;
    let edited = spread
        .iter()
        .map(|id| {
            number += 1;
            let value = Some(format!("Buyer {number}").into());
            timed(&mut || {
                replica
                    .edit(**id, &[Command::Set { field: "job_title".into(), value: value.clone() }])
                    .unwrap();
            })
        })
        .collect();
    table.row("one edit, durable", "ms", edited, "one fsync + 1");
    table.row("a bare fsync here", "ms", fsyncs(&home), "");
    table
}

/// What one fsync of an appended page costs on this disk.
fn fsyncs(dir: &std::path::Path) -> Vec<f64> {
    use std::io::Write;
    let mut file = std::fs::File::create(dir.join("fsync")).unwrap();
    (0..50)
        .map(|_| {
            file.write_all(&[0; 4096]).unwrap();
            let start = Instant::now();
            file.sync_data().unwrap();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect()
}
