//! How many files the system lets this process open. Every connection is one; the database, its log
//! and the control socket need some too, and must find them however many clients knock.

/// Files that are kept for the store, the control socket, certificates and whatever comes and goes.
const RESERVED: usize = 200;
/// So many connections are served even where the system allows next to nothing.
const LEAST: usize = 16;

/// As many connections as were asked for, or as the system leaves room for. Says so where that is
/// less.
pub(super) fn connections_max(wanted: usize) -> usize {
    let Some(files) = std::fs::read_to_string("/proc/self/limits").ok().and_then(|it| soft(&it))
    else {
        // Only Linux says so in a file; elsewhere `accept` fails when the files run out.
        return wanted;
    };
    let most = within(wanted, files);
    if most < wanted {
        tracing::warn!(
            files,
            connections = most,
            wanted,
            "the system lets this process open few files: fewer connections are served than configured; raise the limit (LimitNOFILE=, ulimit -n)"
        );
    }
    most
}

fn within(wanted: usize, files: usize) -> usize {
    wanted.min(files.saturating_sub(RESERVED).max(LEAST))
}

/// The soft limit in the text of `/proc/self/limits`; `None` where there is none.
fn soft(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_store() {
        let text =
            "Limit     Soft Limit   Hard Limit   Units\nMax open files   1024   524288   files\n";
        assert_eq!(soft(text), Some(1024));
        assert_eq!(soft("Max open files   unlimited   unlimited   files\n"), None);
        assert_eq!(within(20_000, 1024), 824);
        assert_eq!(within(20_000, 1 << 20), 20_000);
        assert_eq!(within(20_000, 64), LEAST);
    }
}
