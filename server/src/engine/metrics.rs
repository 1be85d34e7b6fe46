//! Counters of the engine, for `/metrics` and for tests.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What the engine counts, since it was opened.
        #[derive(Debug, Default)]
        pub struct Metrics { $($(#[$doc])* pub(super) $name: AtomicU64,)* }

        /// The counters at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
        pub struct MetricsSnapshot { $($(#[$doc])* pub $name: u64,)* }

        impl Metrics {
            /// The counters now.
            pub fn snapshot(&self) -> MetricsSnapshot {
                MetricsSnapshot { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
        impl MetricsSnapshot {
            /// Names and values, for exporters.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Transactions committed with `synchronous=FULL`: at least one fsync each.
    commits_durable,
    /// Transactions committed with `synchronous=NORMAL`: derived data only.
    commits_derived,
    /// Transactions that failed to commit.
    commits_failed,
    /// Changes taken into the log as stored.
    changes_stored,
    /// Changes that became part of a contact, the server's own included.
    changes_merged,
    /// Changes set aside, at the log or at the merge.
    changes_set_aside,
    /// Changes that wait for a dependency, now.
    changes_waiting,
    /// Merges of one contact that were committed.
    merges,
    /// Merges that were prepared again, since something else was written meanwhile.
    merges_stale,
    /// Contacts that could not be merged because their document is damaged.
    merges_failed,
    /// Snapshots written.
    snapshots,
    /// Contacts that wait to be merged, now.
    merge_queue,
    /// Documents in the caches of the merge threads, now.
    documents_cached,
    /// Jobs that wait for the writer, now.
    writer_queue,
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

pub(super) fn set(counter: &AtomicU64, n: usize) {
    counter.store(n as u64, Ordering::Relaxed);
}
