//! The contact document: typed commands in, typed contact out, conflicts, history, state hash.
//!
//! | file | what it holds |
//! |---|---|
//! | [`schema`] | the table of names and kinds that everything else reads |
//! | `bootstrap` | the constant changes that create the root containers |
//! | `command`, `edit` | typed commands, each group exactly one change; replay and undo |
//! | `read` | the typed contact, now and at an earlier moment; who wrote what |
//! | `conflict` | concurrent edits that wait for a decision |
//! | `history` | what each change did |
//! | `propose` | what late changes would do, field by field |
//! | `generation` | which generation a document is, and which edits it stands for |
//! | `rewrite` | the next generation: a fresh document of the present state |
//! | `canonical` | the hash by which replicas compare |
//! | `custom` | custom fields that the workspace has defined |
//! | `assign`, `name` | `field=value` of the command line and of CSV |
//!
//! Documents may come from strangers (through the guard): nothing here may panic on one, recurse
//! without bound, or hydrate one whole.

mod assign;
mod bootstrap;
mod canonical;
mod check;
mod command;
mod conflict;
mod contact;
mod custom;
mod diff;
mod edit;
mod error;
mod generation;
mod history;
mod money;
mod name;
mod note;
mod path;
mod propose;
mod read;
mod rewrite;
mod scan;
pub mod schema;
mod undo;
mod value;
mod write;

pub use assign::{Assigner, FIRST_ENTRY, assign, assignable};
pub use bootstrap::{Bootstrap, bootstraps, new_document};
pub use canonical::{content_hash, state_hash};
pub use check::parse_value;
pub use command::{Command, Splice};
pub use conflict::conflicts;
pub(crate) use contact::DO_NOT_CONTACT;
pub use contact::{Authorship, Conflict, ConflictValue, Contact, Entry, FieldChange, HistoryItem};
pub use custom::{CUSTOM_CHOICES_MAX, CUSTOM_FIELDS_MAX, CustomField, CustomKind};
pub use edit::{Applied, Author, EditOptions, NotReplayed, apply, replay};
pub use error::CommandError;
pub use generation::{
    Generation, generation, generation_count, generation_mark, generation_number,
};
pub use history::history;
pub use money::{minor_digits, parse_money};
pub use name::split_name;
pub use note::{in_parts, note_splices, note_splices_from};
pub use path::Path;
pub use propose::{ProposedItem, ProposedKind, current, proposed};
pub use read::{authorship, change_message, heads_before, read, read_at, read_with_deleted};
pub use rewrite::{Rewrite, RewriteError, rewrite};
pub use schema::Collection;
pub use undo::inverse;
pub use value::Value;

pub(crate) use bootstrap::note_text;
pub(crate) use conflict::{count_in_entry, differs};
pub(crate) use history::Names;
pub(crate) use name::full_name;
pub(crate) use scan::{Found, FoundEntry, View, Visitor, entries, flag, scan};

#[cfg(test)]
mod tests;
