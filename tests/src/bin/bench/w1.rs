//! W1, a day in the air: 2,000 contacts, 500 edits offline (250 fields on 250 contacts, 150
//! interactions, 100 insertions into notes), 500 edits at the office meanwhile, 30 % on the same
//! contacts; then the rep reconnects.

use std::time::{Duration, Instant};

use roadbook_client_core::{Durability, Replica, Topic};
use roadbook_protocol::document::Command;
use roadbook_protocol::ids::ContactId;
use roadbook_tests::generate::Generator;

use crate::measure::{Table, cpu_ms};
use crate::world::World;

/// Measures it so many times, each in a new world.
pub async fn run(repeat: usize) -> Table {
    let mut table =
        Table::new("W1: a day in the air (2,000 contacts, 500 edits offline, 500 at the office)");
    let mut samples: [Vec<f64>; 6] = Default::default();
    for round in 0..repeat {
        let figures = once(round as u64).await;
        for (all, figure) in samples.iter_mut().zip(figures) {
            all.push(figure);
        }
    }
    let [durable, own, converged, up, down, cpu] = samples;
    table.row("rep's edits durable and acknowledged", "ms", durable, "<= 100");
    table.row("rep has the office's, all merged", "ms", own, "");
    table.row("second device has all", "ms", converged, "<= 300");
    table.row("up (TLS, handshake included)", "kB", up, "<= 50");
    table.row("down", "kB", down, "<= 60");
    table.row("server CPU", "ms", cpu, "<= 200");
    table
}

async fn once(seed: u64) -> [f64; 6] {
    let world = World::new(&["rep", "office"]).await;
    let ids = world.fill("rep", 2_000, 100 + seed).await;
    let all: Vec<String> = ids.iter().map(ContactId::to_string).collect();
    for part in all.chunks(500) {
        world
            .server
            .admin(&["assign", "--to", "office", "--collaborator", "--ids", &part.join(",")])
            .ok();
    }
    let rep = world.device("phone", "rep", Durability::Full).await;
    let mut second = world.other("laptop", "rep", Durability::Full).await;
    let office = world.other("office", "office", Durability::Full).await;
    rep.sync().await;
    second.sync().await;
    office.sync().await;

    let mut generator = Generator::new(500 + seed);
    edit_500(&rep.replica, &mut generator, &ids[..500]);
    // 30 % of the office's edits are on contacts that the rep edits too.
    edit_500(&office.replica, &mut generator, &ids[350..850]);
    office.sync().await;
    // The second device is online and has the office's edits already.
    second.go_online();
    wait(&second.replica, |replica| replica.status().unwrap().behind == 0).await;

    let (up_before, down_before) = world.link.bytes();
    let cpu_before = cpu_ms(world.server.id());
    let start = Instant::now();
    let watched = rep.replica.clone();
    let acknowledged = tokio::spawn(async move {
        wait(&watched, |replica| replica.status().unwrap().unsent == 0).await;
        start.elapsed()
    });
    rep.sync().await;
    let own = start.elapsed();
    let (up, down) = world.link.bytes();
    let want = rep.state_hash();
    let hash_took = start.elapsed() - own;
    wait(&second.replica, |replica| replica.state_hash(None).unwrap().hash == want).await;
    let converged = start.elapsed() - hash_took;
    let cpu = cpu_ms(world.server.id()) - cpu_before;
    assert_eq!(rep.replica.status().unwrap().unsent, 0);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let figures = [
        ms(acknowledged.await.unwrap()),
        ms(own),
        ms(converged),
        (up - up_before) as f64 / 1e3,
        (down - down_before) as f64 / 1e3,
        cpu,
    ];
    second.go_offline().await;
    figures
}

/// 250 fields on 250 contacts, 150 interactions, 100 insertions into notes.
fn edit_500(replica: &Replica, generator: &mut Generator, ids: &[ContactId]) {
    for (n, id) in ids.iter().enumerate() {
        let commands = match n {
            0..250 => {
                let field = ["job_title", "industry", "best_time_to_call", "category"][n % 4];
                vec![Command::Set {
                    field: field.into(),
                    value: Some(generator.sentence(16).into()),
                }]
            }
            250..400 => vec![generator.interaction()],
            _ => {
                let note = replica.contact(*id).unwrap().note;
                let middle = note.char_indices().nth(100).map_or(note.len(), |(at, _)| at);
                let text =
                    format!("{} {}{}", &note[..middle], generator.sentence(40), &note[middle..]);
                vec![Command::EditNote { splices: replica.note_splices(*id, &text).unwrap() }]
            }
        };
        replica.edit(*id, &commands).unwrap();
    }
}

/// Waits for notices of the replica until the condition holds.
pub async fn wait(replica: &Replica, holds: impl Fn(&Replica) -> bool) {
    let mut sync = replica.observe(Topic::Sync);
    let mut list = replica.observe(Topic::List);
    while !holds(replica) {
        tokio::select! {
            notice = sync.next() => assert!(notice.is_some(), "the replica was closed"),
            notice = list.next() => assert!(notice.is_some(), "the replica was closed"),
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("a minute without any notice"),
        }
    }
}
