//! The SDK: the Roadbook replica for apps in Kotlin, Swift and Python, by UniFFI.
//!
//! This crate converts types and delegates, no more: every rule lives in `roadbook-client-core`.
//! Doc comments of public items come out in the generated code: they are written for the developer
//! of an app, who need not know Rust.
//!
//! | module | what it holds |
//! |---|---|
//! | `book` | one device's replica: open, enrol, status, suspend and resume, close, wipe |
//! | `keys` | secrets and signatures that the app keeps for the replica |
//! | `fields`, `value` | the names of fields, and what can be in one |
//! | `model` | a contact as it is read |
//! | `edit` | typed edits, alone or as one group |
//! | `list` | windowed lists and search |
//! | `history` | conflicts, history, earlier states, authors |
//! | `outbox` | receipts, quarantine, what was decided about late edits |
//! | `proposals` | late edits of others to one's own contacts |
//! | `sync` | exchanging with the server: once, or as long as the app runs |
//! | `observe` | being told of changes |
//! | `attachments` | being told which files interactions refer to |
//! | `log` | the program's log, handed to the app |
//! | `error` | why a call failed |
//! | `border` | no panic crosses into the app |
#![cfg_attr(test, allow(clippy::unwrap_used))]

uniffi::setup_scaffolding!();

mod attachments;
mod book;
mod border;
mod edit;
mod error;
mod fields;
mod history;
mod keys;
mod list;
mod log;
mod model;
mod observe;
mod outbox;
mod proposals;
mod sync;
#[cfg(test)]
mod tests;
mod value;

pub use attachments::{Attachment, AttachmentChanges, AttachmentObserver};
pub use book::{Device, Lease, LeaseState, OpenSettings, Person, Roadbook, Status, WipeState};
pub use edit::{
    Edit, NewAddress, NewConsent, NewDeal, NewEmail, NewInteraction, NewMessenger, NewPhone,
    NewPurchase, NewTask, Saved,
};
pub use error::{Refusal, RoadbookError};
pub use fields::{
    Collection, CustomField, EntryField, Field, FieldInfo, FieldPath, ValueKind, field_infos,
};
pub use history::{Change, Conflict, ConflictSide, FieldAuthor, FieldChange};
pub use keys::{KeyStore, Signer, SigningAlgorithm};
pub use list::{ContactPage, ContactRow, ListQuery, SavedList, Sort};
pub use log::{LogLevel, LogSink, set_log_sink};
pub use model::{
    Address, Consent, Contact, Deal, Email, Interaction, Messenger, Phone, Purchase, Task,
};
pub use observe::{
    Alert, AlertObserver, ContactObserver, ListObserver, ObserverHandle, ReceiptObserver,
    SyncObserver,
};
pub use outbox::{Decision, OutboxEntry, QuarantineEntry, QuarantinedField, Receipt};
pub use proposals::{Proposal, ProposalItem, ProposalState, ProposedField, Verdict};
pub use sync::{Phase, Progress, SyncReport, SyncState};
pub use value::{
    CalendarDate, ConsentState, ContactKind, InteractionKind, Money, Stage, Standing, Temperature,
    Value,
};
