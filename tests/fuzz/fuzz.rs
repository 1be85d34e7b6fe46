//! All fuzz targets in one program, so that one build serves them all: `ROADBOOK_FUZZ_TARGET` names the
//! one that is run. What it does with the bytes is in `roadbook_tests::fuzz`.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use roadbook_protocol::guard::quiet_panics;
use roadbook_tests::fuzz::target;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(
    init: {
        // A panic that is contained is no finding; one that escapes still is.
        quiet_panics();
        let name = std::env::var("ROADBOOK_FUZZ_TARGET").expect("the name of a target");
        let target = TARGET.get_or_init(|| target(&name));
        // What it sets up first takes longer than any input may.
        target(b"");
    },
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            target(data);
        }
    }
);
