//! Real replicas and a real server under random editing and random faults of the network (P3):
//! whatever is sent twice, lost in a cut, or comes in another order, all sides end with equal
//! contacts, rows, conflicts and hashes, and no edit is missing.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use fastrand::Rng;
use roadbook_client_core::{Durability, Edited, ListQuery, OpenOptions, Replica};
use roadbook_protocol::document::{Collection, Command, Value};
use roadbook_protocol::ids::ContactId;
use roadbook_tests::devices::{self, full, seed};
use roadbook_tests::generate::put;
use roadbook_tests::proxy::Proxy;
use roadbook_tests::scene::Scene;

const STEPS: usize = 60;
const WORDS: [&str; 8] =
    ["red", "grün", "bleu", "чёрный", "白", "orange", "", "longer than the others"];

struct Device {
    replica: Replica,
    link: Proxy,
}

/// What must be there at the end.
#[derive(Default)]
struct Made {
    visits: Vec<(ContactId, String)>,
    contacts: Vec<ContactId>,
}

fn pick<'o, T>(rng: &mut Rng, of: &'o [T]) -> Option<&'o T> {
    (!of.is_empty()).then(|| &of[rng.usize(..of.len())])
}

/// One random edit; what it makes unmistakably is noted.
fn edit(rng: &mut Rng, replica: &Replica, made: &mut Made) {
    let ids = replica.ids(None).unwrap();
    let Some(&id) = pick(rng, &ids) else { return };
    let contact = replica.contact(id).unwrap();
    let word = *pick(rng, &WORDS).unwrap();
    let entry = replica.new_entry_id();
    let edited = match rng.u8(..14) {
        0..4 => {
            let summary = format!("visit {} {word}", made.visits.len());
            devices::visit(replica, id, &summary);
            made.visits.push((id, summary));
            return;
        }
        4 | 5 => {
            let field = ["job_title", "industry", "source"][rng.usize(..3)];
            let value = (!word.is_empty()).then(|| Value::from(word));
            replica.edit(id, &[Command::Set { field: field.into(), value }])
        }
        6 => {
            let tag = ["vip", "cold", "fair"][rng.usize(..3)].to_owned();
            let at = replica.now_ms();
            let tag = if rng.bool() { Command::Tag { tag, at } } else { Command::Untag { tag } };
            replica.edit(id, &[tag])
        }
        7 | 8 => {
            let mut text: Vec<char> = contact.note.chars().collect();
            let at = rng.usize(..=text.len());
            let until = (at + rng.usize(..6)).min(text.len());
            text.splice(at..until, word.chars());
            let text: String = text.into_iter().collect();
            let splices = replica.note_splices(id, &text).unwrap();
            if splices.is_empty() {
                return;
            }
            replica.edit(id, &[Command::EditNote { splices }])
        }
        9 => {
            let number = format!("+49 30 {}", rng.u32(1_000_000..9_999_999));
            let fields = [("number", number.as_str().into()), ("label", "work".into())];
            replica.edit(id, &[put(Collection::Phones, entry, fields)])
        }
        10 => match pick(rng, &contact.phones) {
            Some(phone) if rng.bool() => replica
                .edit(id, &[Command::Remove { collection: Collection::Phones, id: phone.id }]),
            Some(phone) => {
                replica.edit(id, &[put(Collection::Phones, phone.id, [("label", word.into())])])
            }
            None => return,
        },
        11 => {
            let company = format!("Company {}", rng.u32(..));
            let edit = replica
                .create(&[Command::Set { field: "company".into(), value: Some(company.into()) }]);
            made.contacts.push(edit.unwrap().contact_id);
            return;
        }
        12 => match pick(rng, &replica.conflicts(None).unwrap()) {
            Some(conflict) => {
                let side = pick(rng, &conflict.values).unwrap().value.clone();
                replica.resolve(conflict.contact_id, &conflict.field, side)
            }
            None => return,
        },
        _ => {
            replica.edit(id, &[Command::Custom { name: "colour".into(), value: Some(word.into()) }])
        }
    };
    // Some of these change nothing, some values do not fit (an empty one): both are answers.
    if let Ok(Edited::Saved(edit)) = edited {
        assert_eq!(edit.contact_id.as_bytes().len(), 16);
    }
}

/// One exchange, perhaps cut somewhere in the middle.
async fn exchange(rng: &mut Rng, device: &Device) {
    let (up, down) = device.link.bytes();
    match rng.u8(..5) {
        0 => {
            device.link.cut_after_down(rng.u64(1..6_000));
            let _ = devices::sync(&device.replica).await;
            device.link.cut_after_down(u64::MAX / 2);
        }
        1 => {
            // What was sent arrives, its receipt does not.
            let at = up + rng.u64(600..6_000);
            tokio::select! {
                _ = devices::sync(&device.replica) => {}
                () = device.link.wait_for_up(at) => {}
            }
            device.link.cut();
        }
        2 => {
            let at = down + rng.u64(200..4_000);
            tokio::select! {
                _ = devices::sync(&device.replica) => {}
                () = device.link.wait_for_down(at) => {}
            }
            device.link.cut();
        }
        _ => {
            devices::sync(&device.replica).await.unwrap();
        }
    }
}

async fn case(scene: &Scene, number: u64, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let login = format!("rep{number}");
    scene.reps(&[&login]);
    scene.import(1_000 + number, 4, Some(&login));
    let mut all = Vec::new();
    for n in 0..rng.usize(2..=5) {
        let link = Proxy::start(scene.listen().parse().unwrap()).await;
        let options = OpenOptions { durability: Durability::Off, ..OpenOptions::default() };
        let url = format!("http://{}", link.addr);
        let replica = scene.replica_with(&format!("{login}-{n}"), &login, &url, options).await;
        // Some begin with everything, some with nothing.
        if n == 0 || rng.bool() {
            devices::sync(&replica).await.unwrap();
        }
        all.push(Device { replica, link });
    }

    let mut made = Made::default();
    for _ in 0..STEPS {
        let device = &all[rng.usize(..all.len())];
        match rng.u8(..10) {
            0..7 => edit(&mut rng, &device.replica, &mut made),
            7 | 8 => exchange(&mut rng, device).await,
            _ => {
                // Two at once: their changes interleave at the server.
                let other = &all[rng.usize(..all.len())];
                if !std::ptr::eq(device, other) {
                    let (a, b) =
                        tokio::join!(devices::sync(&device.replica), devices::sync(&other.replica));
                    a.unwrap();
                    b.unwrap();
                }
            }
        }
    }

    for _ in 0..2 {
        for device in &all {
            devices::sync(&device.replica).await.unwrap();
        }
    }
    let server = scene.state_hash(&login);
    let list = ListQuery { limit: 1_000, ..ListQuery::default() };
    let first = &all[0].replica;
    let ids = first.ids(None).unwrap();
    assert_eq!(ids.len(), 4 + made.contacts.len(), "no contact is missing");
    let rows = |replica: &Replica| -> BTreeMap<ContactId, String> {
        let rows = replica.list(&list).unwrap().rows;
        rows.into_iter().map(|row| (row.id, serde_json::to_string(&row).unwrap())).collect()
    };
    for (n, device) in all.iter().enumerate() {
        let replica = &device.replica;
        devices::assert_all_merged(replica);
        assert_eq!(
            replica.conflicts(None).unwrap(),
            first.conflicts(None).unwrap(),
            "conflicts of device {n}"
        );
        for &id in &ids {
            assert_eq!(replica.contact(id).unwrap(), first.contact(id).unwrap(), "on device {n}");
        }
        assert_eq!(rows(replica), rows(first), "projection rows of device {n}");
        assert_eq!(devices::state_hash(replica), server, "the hash of device {n}");
        for (contact, summary) in &made.visits {
            let times = devices::summaries(replica, *contact).get(summary).copied();
            assert_eq!(times, Some(1), "`{summary}` on device {n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_interleaving_loss_and_duplication_converges_and_loses_nothing() {
    let cases = if full() { 150 } else { 8 };
    let seed = seed();
    let scene = Scene::new();
    for number in 0..cases {
        println!("case {number}: seed {}", seed.wrapping_add(number));
        case(&scene, number, seed.wrapping_add(number)).await;
    }
    scene.assert_clean();
}
