//! What the document model writes is what the guard takes.

use std::collections::BTreeMap;

use super::super::load_snapshot;
use super::super::mutate::Rng;
use super::*;
use crate::document::{
    Applied, Author, Collection, Command, EditOptions, Splice, Value, apply, bootstraps,
    new_document,
};
use crate::ids::EntryId;

fn author() -> Author {
    Author { by: user(), at: 1_760_000_000_000 }
}

fn known() -> Vec<(ChangeHash, &'static [u8])> {
    bootstraps().iter().map(|bootstrap| (bootstrap.hash, bootstrap.bytes)).collect()
}

fn entry(n: u8) -> EntryId {
    EntryId::from_bytes([n; 16])
}

fn text(value: &str) -> Option<Value> {
    Some(Value::Text(value.to_owned()))
}

/// A command of any kind, on a handful of entries, so that replicas meet.
fn any_command(rng: &mut Rng, doc: &Automerge) -> Command {
    let id = entry(rng.below(4) as u8);
    let noise = rng.next_u64();
    match rng.below(10) {
        0 => Command::Set {
            field: "family_name".to_owned(),
            value: text(&format!("Østergård {noise}")),
        },
        1 => Command::Set {
            field: "latitude".to_owned(),
            value: Some(Value::Number(noise as f64 / 1e18)),
        },
        2 => {
            let fields = BTreeMap::from([
                ("number".to_owned(), text(&format!("+45 {}", noise % 100_000_000))),
                ("label".to_owned(), text("work")),
            ]);
            Command::Put { collection: Collection::Phones, id, fields }
        }
        3 => {
            let fields = BTreeMap::from([
                ("title".to_owned(), text("漢字 👍")),
                ("amount".to_owned(), Some(Value::Int(noise as i64 >> 20))),
                ("currency".to_owned(), text("DKK")),
            ]);
            Command::Put { collection: Collection::Deals, id, fields }
        }
        4 => Command::Remove { collection: Collection::Phones, id },
        5 => Command::Restore { collection: Collection::Phones, id },
        6 => Command::Tag { tag: format!("tag {}", noise % 3), at: (noise % (1 << 40)) as i64 },
        7 => Command::Untag { tag: format!("tag {}", noise % 3) },
        8 => Command::ExternalId { system: "erp".to_owned(), id: Some(format!("{noise:x}")) },
        _ => {
            let note = crate::document::read(crate::ids::ContactId::from_bytes([1; 16]), doc).note;
            let length = note.chars().count();
            let at = rng.below(length + 1);
            let delete = rng.below(3).min(length - at);
            let splice = Splice {
                at,
                delete,
                insert: format!("ja {noise}, "),
                before: String::new(),
                after: String::new(),
                deleted: note.chars().skip(at).take(delete).collect(),
                cursor: None,
            };
            Command::EditNote { splices: vec![splice] }
        }
    }
}

#[test]
fn every_change_of_the_document_model_passes_both_gates_in_any_order() {
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        let mut replicas = vec![new_document(); 3];
        let mut batch: Vec<Incoming> = known()
            .iter()
            .map(|(hash, bytes)| Incoming { hash: *hash, bytes: bytes.to_vec() })
            .collect();
        while batch.len() < 80 {
            let at = rng.below(replicas.len());
            if rng.below(3) == 0 {
                let mut other = replicas[rng.below(3)].clone();
                replicas[at].merge(&mut other).unwrap();
            }
            let commands =
                [any_command(&mut rng, &replicas[at]), any_command(&mut rng, &replicas[at])];
            let by = actor(1 + at as u8);
            // A command that can't be done as things are now, such as removing what isn't there.
            let Ok(Applied::Change { hash, bytes }) = apply(
                &mut replicas[at],
                by,
                &commands,
                &author(),
                &EditOptions::default(),
                &LIMITS,
            ) else {
                continue;
            };
            let admitted = gate1(&bytes, &LIMITS, &known()).unwrap();
            assert_eq!(admitted.hash, hash);
            assert_eq!(admitted.check_sender(|of| *of == by, &user()), Ok(()));
            batch.push(Incoming { hash, bytes });
        }
        for at in (1..batch.len()).rev() {
            batch.swap(at, rng.below(at + 1));
        }
        for bootstrap in known() {
            assert!(gate1(bootstrap.1, &LIMITS, &known()).unwrap().bootstrap);
        }
        let merged = merge(&new_document(), batch.clone(), &LIMITS).unwrap();
        assert_eq!(merged.refused, vec![], "seed {seed}");
        let from_nothing = merge(&Automerge::new(), batch, &LIMITS).unwrap();
        assert_eq!(from_nothing.refused, vec![], "seed {seed}");
        assert_eq!(from_nothing.heads, merged.heads);
        let mut all = new_document();
        for replica in &mut replicas {
            all.merge(replica).unwrap();
        }
        assert!(content(&all) == content(&load_snapshot(&merged.snapshot, &LIMITS).unwrap()));
    }
}
