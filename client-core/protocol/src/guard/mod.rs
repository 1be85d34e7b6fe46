//! The guard: what stands between bytes from outside and a document.
//!
//! Automerge trusts its input: a few hundred bytes can make it allocate gigabytes, overflow the
//! stack, panic on the next local edit, or save a document that it can't load. So every change from
//! outside passes two gates (rule 6):
//!
//! - [`gate1`] before it is stored: pure, without a document, bounded in memory.
//! - [`merge`] when it is applied: on a copy, with every reference checked against what the change
//!   says it depends on; saved, loaded again and compared. What fails is refused with the reason,
//!   and what is good beside it is merged.
//!
//! [`load_snapshot`] is the same for whole documents, as a device gets them from the server.
//!
//! The guard accepts only what a contact is made of: maps, texts, scalars, counters. Lists, tables,
//! marks, blocks and compressed chunks are refused, so their code paths need no trust.
//!
//! It must never panic, never allocate by what the bytes claim, and never hand out a document that
//! does not survive a save.

mod change;
mod columns;
mod error;
mod gate1;
mod merge;
#[cfg(any(test, feature = "mutate"))]
pub mod mutate;
mod operations;
mod quiet;
mod reader;
mod references;
mod snapshot;
#[cfg(test)]
mod tests;

pub use change::peek_change;
pub use error::{Bound, GateError, MergeError};
pub use gate1::{Admitted, gate1};
pub use merge::{Incoming, Merged, merge};
pub use quiet::quiet_panics;
pub use snapshot::load_snapshot;
