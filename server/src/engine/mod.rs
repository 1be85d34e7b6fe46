//! Log, merge, timelines and authoring: what decides and writes.
//!
//! [`Engine`] is the handle that everything else uses. It owns one writer thread (all transactions
//! that write, group commit), merge threads (all work on documents; each contact belongs to one of
//! them, which is its lock), and a pool of connections that read.
//!
//! | module | what it holds |
//! |---|---|
//! | [`log`] | what becomes of a change that arrives: `Log::step`, no thread, clock or randomness |
//! | `judge` | the rights and rules by which it decides |
//! | [`waiting`] | changes whose dependencies have not arrived |
//! | [`merge`] | stored changes become part of documents: `Merger`, steppable too |
//! | [`commit`] | what a merge writes, in one transaction |
//! | `assign` | who sees what |
//! | `bulk` | the same done to many contacts, in slices, and taken back |
//! | `vouch` | what a restored server gets back on evidence (rule 3) |
//! | `late` | late edits are taken apart, and the visits among them taken (rules 18 and 19) |
//! | `proposals` | accepting, declining, undoing |
//! | `down` | pages, manifests, whole documents and fates for devices |
//! | [`keys`] | the signing keys, outside the database |
//! | `handed` | lists that people are given |
//! | `erase` | erasing a contact, and what devices have confirmed |
//! | [`ledger`], `replay` | what must hold whatever is restored, and bringing it back |
//! | [`review`] | what is held back after a restore without the ledger |
//! | [`witness`] | where the audit log ends, outside the database |
//! | [`lease`] | leases, wipe orders, the sealing key |
//! | `minimum` | the oldest versions of apps that get customer data |
//! | `volume`, `canary` | how much of the base who reads, planted contacts; alerts of both |
//! | `insight` | all purchases in memory, the classes of customers |
//! | `state` | the hash by which replicas compare |
//! | `check`, [`backup`] | is everything as it should be; a copy of it |
//! | `handle`, `writer`, `shards`, `reads`, `checkpoint` | the handle and the threads |
//! | `timelines` | each start opens one; whether a cursor counts in it |
//! | `stepped` | the same without threads, for simulators |
//!
//! Nothing is acknowledged before its transaction is on the disk. A merge may be lost in a power
//! cut, since it is derived from the log; a change that was acknowledged as stored may not.

mod assign;
pub mod backup;
mod bulk;
mod cache;
mod canary;
mod certificate;
mod check;
mod checkpoint;
pub mod clock;
pub mod commit;
mod custom;
mod down;
mod erase;
mod failpoint;
mod handed;
mod handle;
mod insight;
mod judge;
pub mod keys;
mod late;
pub mod lease;
pub mod ledger;
mod lock;
pub mod log;
pub mod merge;
mod metrics;
mod minimum;
mod past;
mod proposals;
mod reads;
mod replay;
pub mod review;
mod shards;
mod shared;
mod sorting;
mod state;
mod stepped;
mod timelines;
mod turn;
mod types;
mod volume;
mod vouch;
pub mod waiting;
pub mod witness;
mod writer;

pub use backup::BackupManifest;
pub use bulk::BulkRun;
pub use canary::Touch;
pub use clock::{Clock, Entropy, SystemClock, SystemEntropy};
pub use erase::{Erase, EraseReport, ErasedContact};
pub use failpoint::failpoint;
pub use handed::{HandList, HandedTo};
pub use handle::{Engine, EngineOptions};
pub use lock::LOCK_FILE;
pub use metrics::MetricsSnapshot;
pub use proposals::{Decided, Verdict};
pub use stepped::Step;
pub use turn::{RewriteOrder, RewritePreview, Size};
pub use types::*;
pub use volume::{HOURS_MAX, Held, Limit, Reader, Reading};

pub use crate::store::EngineError;
