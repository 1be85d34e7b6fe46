//! Loading any bytes as a snapshot: never a panic, and what is loaded can be saved and loaded again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roadbook_protocol::guard::{load_snapshot, mutate::with_checksum, quiet_panics};
use roadbook_protocol::limits::Limits;

fuzz_target!(
    init: quiet_panics(),
    |data: &[u8]| {
        if let Ok(doc) = load_snapshot(&with_checksum(data), &Limits::DEFAULT) {
            load_snapshot(&doc.save_nocompress(), &Limits::DEFAULT).expect("what was loaded can be saved");
        }
    }
);
