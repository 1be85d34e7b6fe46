//! Places where a test may kill the process.
//!
//! `ROADBOOK_FAILPOINT=name` (or `name:n`) aborts the process when the named place is reached (for
//! the n-th time), as a power cut or `kill -9` would. Without the variable it costs one branch.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable.
pub const VARIABLE: &str = "ROADBOOK_FAILPOINT";

struct Armed {
    name: String,
    left: AtomicU64,
}

/// Aborts the process if this failpoint is armed and due.
pub fn failpoint(name: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| std::env::var(VARIABLE).ok().as_deref().and_then(parse));
    if let Some(armed) = armed
        && armed.name == name
        && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        eprintln!("failpoint {name}: aborting");
        std::process::abort();
    }
}

fn parse(text: &str) -> Option<Armed> {
    let (name, hits) = match text.split_once(':') {
        Some((name, hits)) => (name, hits.parse().ok()?),
        None => (text, 1),
    };
    (!name.is_empty() && hits > 0)
        .then(|| Armed { name: name.to_owned(), left: AtomicU64::new(hits) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_counts_are_read() {
        let read = |text| parse(text).map(|armed| (armed.name, armed.left.into_inner()));
        assert_eq!(read("log_before_commit"), Some(("log_before_commit".to_owned(), 1)));
        assert_eq!(read("a:3"), Some(("a".to_owned(), 3)));
        assert_eq!(read("a:0"), None);
        assert_eq!(read("a:x"), None);
        assert_eq!(read(""), None);
    }
}
