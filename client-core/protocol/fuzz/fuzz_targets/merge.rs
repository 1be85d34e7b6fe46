//! Both gates on any bytes: what is merged survives a save, and takes the next edit.
#![no_main]

use std::sync::OnceLock;

use automerge::{Automerge, ROOT, transaction::Transactable};
use libfuzzer_sys::fuzz_target;
use roadbook_protocol::guard::{
    Incoming, gate1, load_snapshot, merge, mutate::with_checksum, quiet_panics,
};
use roadbook_protocol::limits::Limits;

static BASE: OnceLock<Automerge> = OnceLock::new();

fuzz_target!(
    init: quiet_panics(),
    |data: &[u8]| {
        let bytes = with_checksum(data);
        let Ok(admitted) = gate1(&bytes, &Limits::DEFAULT, &[]) else { return };
        let base = BASE.get_or_init(|| {
            load_snapshot(include_bytes!("../seeds/contact.automerge"), &Limits::DEFAULT).expect("the seed is sound")
        });
        let batch = vec![Incoming { hash: admitted.hash, bytes }];
        let mut merged = merge(base, batch, &Limits::DEFAULT).expect("the base is sound");
        if merged.refused.is_empty() {
            let loaded = Automerge::load(&merged.snapshot).expect("the snapshot loads");
            assert_eq!(loaded.get_heads(), merged.heads);
            let mut tx = merged.doc.transaction();
            tx.put(ROOT, "next", 1).expect("the next edit works");
            tx.commit();
            Automerge::load(&merged.doc.save()).expect("it loads after the next edit");
        }
    }
);
