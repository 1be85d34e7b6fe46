//! Named places at which a test may kill the process, to prove what survives.
//!
//! `ROADBOOK_FAILPOINT=name` or `name:n` aborts at the first or n-th pass. Unset it costs one read
//! of an initialised static.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Armed {
    name: String,
    left: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Aborts the process here if the environment asks for it.
pub(crate) fn failpoint(name: &str) {
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var("ROADBOOK_FAILPOINT").ok()?;
        let (name, count) = text.split_once(':').unwrap_or((text.as_str(), "1"));
        Some(Armed { name: name.to_owned(), left: AtomicU64::new(count.parse().unwrap_or(1)) })
    });
    if let Some(armed) = armed
        && armed.name == name
        && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        // `abort`, not `exit`: no destructor may tidy up what a crash would have left.
        std::process::abort();
    }
}
