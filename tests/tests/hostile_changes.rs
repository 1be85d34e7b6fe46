//! Hostile changes (P11): an enrolled device sends what no honest one does. It costs its own contacts
//! at most, and nobody else notices.
#![allow(clippy::unwrap_used)]

use roadbook_protocol::guard::mutate::Parts;
use roadbook_protocol::wire::{Changes, Fate, Frame, UpChange};
use roadbook_tests::devices::{full, seed};
use roadbook_tests::hostile::{attacker, fast, honest, title};
use roadbook_tests::mutants::{Plan, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_mutated_changes_of_enrolled_devices_harm_nobody() {
    let count = if full() { 1_000_000 } else { 20_000 };
    let report = run(Plan { count, seed: seed(), devices: 3 }).await;
    println!("{}", report.table());
    report.assert_everything_happened();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_poisoned_change_among_a_thousand_costs_only_itself() {
    let scene = fast();
    scene.reps(&["ada"]);
    scene.import(54, 40, Some("ada"));
    let (_identity, mut ada) = attacker(&scene, "ada").await;
    let actor = ada.actor().await;
    let user = ada.user;
    let poisoned = *ada.documents.keys().nth(20).unwrap();
    let other = ada.actor().await;
    let good = honest(&mut ada.documents[&poisoned].fork(), other, user, &[title("poison")]);
    // Values that are no text where automerge expects text: well-formed for the first gate only.
    let mut parts = Parts::parse(&good).unwrap();
    *parts.column(0x15) = vec![0x7f, 1, b'a'];
    // Each contact has a chain of 25; the poison is a change of its own beside the chains.
    let mut batch = Vec::new();
    for (&contact, doc) in &mut ada.documents {
        for n in 0..25 {
            batch.push((contact, honest(doc, actor, user, &[title(format!("step {n}"))])));
        }
    }
    batch.insert(500, (poisoned, parts.change()));
    assert_eq!(batch.len(), 1_001);

    let (mut merged, mut aside) = (0, Vec::new());
    let count = |frame: Frame, merged: &mut usize, aside: &mut Vec<String>| match frame {
        Frame::Stored(stored) => aside.extend(stored.exceptions.into_iter().map(|e| e.code)),
        Frame::Fates(fates) => {
            *merged +=
                fates.merged.iter().map(|run| (run.to - run.from + 1) as usize).sum::<usize>();
            for fate in fates.fates {
                match fate.fate {
                    Fate::Merged => *merged += 1,
                    _ => aside.push(fate.code),
                }
            }
        }
        _ => {}
    };
    for (number, part) in (1..).zip(batch.chunks(250)) {
        let changes = part
            .iter()
            .map(|(contact, bytes)| UpChange { contact: *contact, bytes: bytes.clone() });
        ada.raw.send(Changes { batch: number, changes: changes.collect(), unsent: 0 }).await;
        ada.raw
            .until(|frame| {
                let stored = matches!(&frame, Frame::Stored(stored) if stored.batch == number);
                count(frame, &mut merged, &mut aside);
                stored.then_some(())
            })
            .await;
    }
    while merged + aside.len() < batch.len() {
        let frame = ada.raw.until(Some).await;
        count(frame, &mut merged, &mut aside);
    }
    assert_eq!((merged, aside.len()), (1_000, 1), "{aside:?}");
    let list = scene.admin(&["quarantine", "list", "--json"]).json();
    let list = list["quarantine"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["contact"], poisoned.to_string());
    assert!(!list[0]["reason"].as_str().unwrap().is_empty(), "with the reason");
    let exported = scene.admin(&["quarantine", "export"]).ok().stdout;
    assert!(exported.contains("\"raw\""), "and its bytes can be had");
    assert!(scene.export().values().all(|contact| contact["job_title"] == "step 24"));
    scene.assert_clean();
}
