//! The replica: every contact of one rep on one device. Open it, edit, read, search, observe; sync
//! it whenever there is a network.
//!
//! Everything but [`sync`] works without a network, and nothing waits for one. An edit is durable
//! when the call returns, and its receipt says where it is from then on.
//!
//! | module | what it holds |
//! |---|---|
//! | `replica` | opening, the one writer, documents |
//! | `edit` | commands become one durable change; undo |
//! | `read` | lists, search, one contact, conflicts, history |
//! | `outbox`, `receipt` | every local edit and where it is; the quarantine |
//! | `custom_fields` | custom fields that the workspace has defined |
//! | `saved_lists` | lists that the office has handed over |
//! | `proposals` | late edits of others to one's own contacts, and what is decided about them |
//! | `apply`, `receipts` | what comes from the server: pages, documents, fates |
//! | `erase` | destroying all of an erased contact |
//! | `reauthor` | edits of a copied replica, or behind a refused one, are authored anew |
//! | `identity` | lock, device key, incarnation: what is kept outside the database |
//! | [`keys`] | who keeps the secrets: the platform, a passphrase, a file |
//! | `at_rest` | the files encrypted; plain ones of before are |
//! | `observe` | who is told of what |
//! | `lease`, `wipe` | how long the replica may be read; destroying it when the device was revoked |
//! | `copies` | sealed copies of unsent edits, for a replica whose key is lost |
//! | `state` | status, the hash by which replicas compare |
//! | `store` | the SQLite file |
//! | [`sync`] | connections: enrolment, the engine, TLS, reconnecting |
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod apply;
mod at_rest;
mod binding;
mod chunk;
mod copies;
mod custom_fields;
mod documents;
mod edit;
mod env;
mod erase;
mod error;
mod evidence;
mod failpoint;
mod files;
mod identity;
pub mod keys;
mod lease;
mod observe;
mod offers;
mod outbox;
mod proposals;
mod read;
mod reauthor;
mod receipt;
mod receipts;
mod replica;
mod saved_lists;
mod state;
mod store;
pub mod sync;
#[cfg(test)]
mod tests;
mod wipe;

pub use at_rest::Encryption;
pub use copies::{CopyStatus, CopyTrouble, Recovered};
pub use edit::{Edit, Edited};
pub use env::{Clock, Durability, Entropy, OpenOptions, SystemClock, SystemEntropy, Uptime};
pub use error::{Error, Result};
pub use lease::{Lease, LeaseState};
pub use observe::{Notice, Observer, Topic};
pub use outbox::{OutboxEntry, QuarantineEntry};
pub use proposals::{LocalDecision, Proposal, ProposalItem, ProposalVerdict};
pub use read::{List, ListQuery, Sort};
pub use receipt::Receipt;
pub use replica::Replica;
pub use saved_lists::SavedList;
pub use state::{Connectivity, Me, Named, Phase, Progress, StateHash, Status};
pub use wipe::WipeStatus;
