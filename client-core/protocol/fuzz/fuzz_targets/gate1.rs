//! Gate 1 on any bytes: never a panic, and what is admitted has the hash of its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roadbook_protocol::guard::{gate1, mutate::with_checksum, quiet_panics};
use roadbook_protocol::limits::Limits;

fuzz_target!(
    init: quiet_panics(),
    |data: &[u8]| {
        let _ = gate1(data, &Limits::DEFAULT, &[]);
        let bytes = with_checksum(data);
        if let Ok(admitted) = gate1(&bytes, &Limits::DEFAULT, &[]) {
            assert_eq!(admitted.hash.0[..4], bytes[4..8]);
        }
    }
);
