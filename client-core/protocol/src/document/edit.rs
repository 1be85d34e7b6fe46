//! Typed commands become exactly one Automerge change, or none.
//!
//! Everything is checked before anything is written; a failure in the middle rolls the transaction
//! back, so on error the document is as it was. Commands carry final ids and times, so applying them
//! again gives the same entries and not second ones.

use std::collections::BTreeSet;

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{Automerge, ChangeHash, ReadDoc};

use super::error::CommandError;
use super::schema::Collection;
use super::write::{NoteMode, Writer};
use super::{Command, bootstrap, conflict};
use crate::ids::{Actor, EntryId, UnixMs, UserId};
use crate::limits::Limits;
use crate::message::ChangeMessage;

/// Who makes an edit, and when by the clock of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// The user.
    pub by: UserId,
    /// Milliseconds since 1970, as the device claims.
    pub at: UnixMs,
}

/// What else goes into the change's message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EditOptions {
    /// The kind of the edit (`create`, `visit`, `group` ...); derived from the commands if `None`.
    pub label: Option<String>,
    /// The changes that this one replaces (rule 8).
    pub replaces: Vec<ChangeHash>,
}

/// What an edit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The contact already was as the commands want it; nothing was written.
    Unchanged,
    /// One change, applied to the document. It is not durable before the caller stored its bytes.
    Change {
        /// Its hash.
        hash: ChangeHash,
        /// Its bytes: a raw, uncompressed change chunk, as gate 1 takes it.
        bytes: Vec<u8>,
    },
}

/// A command that could not be replayed, or not as it was meant.
#[derive(Debug, Clone, PartialEq)]
pub struct NotReplayed {
    /// The command.
    pub command: Command,
    /// What became of it and why.
    pub reason: String,
}

/// Applies commands as one change by `actor`. Exactly one change comes of it, or none where the
/// contact already is so. On error the document is untouched.
pub fn apply(
    doc: &mut Automerge,
    actor: Actor,
    commands: &[Command],
    author: &Author,
    options: &EditOptions,
    limits: &Limits,
) -> Result<Applied, CommandError> {
    let commands = commands
        .iter()
        .map(|command| super::write::checked(command, limits))
        .collect::<Result<Vec<_>, _>>()?;
    let edit = Edit { actor, author, options, limits, label: label(doc, &commands, options) };
    edit.run(doc, &commands, &mut |writer| {
        commands.iter().try_for_each(|command| writer.write(command, NoteMode::Exact).map(drop))
    })
}

/// Replays commands on another document than they were made on (rule 12): on the server's document
/// after a fork, a copy or a refusal. A splice of the note is put where its cursor or its
/// surrounding words are found, else its text is appended; what was appended or could not be
/// replayed is listed with the reason. Entries are found by their ids, so replaying twice does
/// nothing the second time.
pub fn replay(
    doc: &mut Automerge,
    actor: Actor,
    commands: &[Command],
    author: &Author,
    options: &EditOptions,
    limits: &Limits,
) -> Result<(Applied, Vec<NotReplayed>), CommandError> {
    let mut refused = Vec::new();
    let mut good = Vec::new();
    for command in commands {
        match super::write::checked(command, limits) {
            Ok(command) => good.push(command),
            Err(error) => {
                refused.push(NotReplayed { command: command.clone(), reason: error.to_string() });
            }
        }
    }
    let edit = Edit { actor, author, options, limits, label: label(doc, &good, options) };
    // A trial run writes too, so what it lists is forgotten when the real one starts.
    let mut listed = Vec::new();
    let applied = edit.run(doc, &good, &mut |writer| {
        listed.clear();
        for command in &good {
            match writer.write(command, NoteMode::Relocate) {
                Ok(None) => {}
                Ok(Some(reason)) => listed.push(NotReplayed { command: command.clone(), reason }),
                Err(error @ CommandError::Damaged { .. }) => return Err(error),
                Err(error) => {
                    listed.push(NotReplayed { command: command.clone(), reason: error.to_string() })
                }
            }
        }
        Ok(())
    })?;
    refused.append(&mut listed);
    Ok((applied, refused))
}

type Body<'b> = dyn FnMut(&mut Writer<'_, '_>) -> Result<(), CommandError> + 'b;

/// One edit on its way into a document.
struct Edit<'a> {
    actor: Actor,
    author: &'a Author,
    options: &'a EditOptions,
    limits: &'a Limits,
    label: String,
}

impl Edit<'_> {
    fn run(
        &self,
        doc: &mut Automerge,
        commands: &[Command],
        body: &mut Body<'_>,
    ) -> Result<Applied, CommandError> {
        bootstrap::ensure(doc).map_err(|error| damaged("bootstrap", &error))?;
        self.check_room(doc)?;
        let contested = contested(doc, commands);
        if self.needs_trial(doc, commands) {
            let mut trial = doc.clone();
            if let Applied::Change { bytes, .. } = self.commit(&mut trial, &contested, body)? {
                at_most("change", bytes.len(), self.limits.change_bytes_max, "make it two edits")?;
                let size = trial.save_nocompress().len();
                let way_out = "ask the administrator to start a fresh document for this contact";
                at_most("contact", size, self.limits.document_bytes_max, way_out)?;
            }
        }
        self.commit(doc, &contested, body)
    }

    fn commit(
        &self,
        doc: &mut Automerge,
        contested: &BTreeSet<(Collection, EntryId)>,
        body: &mut Body<'_>,
    ) -> Result<Applied, CommandError> {
        doc.set_actor(self.actor.into());
        let mut tx = doc.transaction();
        let written = Writer::run(&mut tx, self.limits, contested, body)
            .and_then(|decision| Ok((self.check_ops(&tx)?, self.message(decision)?)));
        let message = match written {
            Ok((0, _)) => {
                tx.rollback();
                return Ok(Applied::Unchanged);
            }
            Ok((_, message)) => message,
            Err(error) => {
                tx.rollback();
                return Err(error);
            }
        };
        let options = CommitOptions::default().with_message(message).with_time(0);
        let (hash, _) = tx.commit_with(options);
        let change = hash.and_then(|hash| doc.get_change_by_hash(&hash));
        Ok(match change {
            Some(change) => {
                Applied::Change { hash: change.hash(), bytes: change.raw_bytes().to_vec() }
            }
            None => Applied::Unchanged,
        })
    }

    fn message(&self, decision: Option<String>) -> Result<String, CommandError> {
        let text = ChangeMessage {
            by: self.author.by,
            at: self.author.at,
            command: self.label.clone(),
            replaces: self.options.replaces.clone(),
            decision,
            generation: None,
        }
        .to_text();
        let max = self.limits.change_message_bytes_max;
        at_most("change message", text.len(), max, "replace fewer changes at once")?;
        Ok(text)
    }

    /// Operations, changes, actors and the operation counter of the document have a bound. Above
    /// 2^32 operations automerge would panic on the next local edit.
    fn check_room(&self, doc: &Automerge) -> Result<(), CommandError> {
        let (stats, limits) = (doc.stats(), self.limits);
        let full = |size: u64, max: u64, unit| {
            if size <= max {
                return Ok(());
            }
            let way_out =
                "ask the administrator to start a fresh document for this contact".to_owned();
            Err(CommandError::TooLarge { field: "contact".to_owned(), size, max, unit, way_out })
        };
        full(stats.num_ops + 1, limits.document_ops_max, "operations")?;
        full(stats.num_changes + 1, limits.document_changes_max, "changes")?;
        // Bootstraps have an actor of their own, which does not count.
        let actors = stats.num_actors as usize;
        if actors >= limits.document_actors_max {
            let own = automerge::ActorId::from(self.actor);
            let known = doc.get_changes_meta(&[]).iter().any(|meta| *meta.actor == own);
            let with_own = actors + usize::from(!known) - bootstrap::bootstraps().len();
            full(with_own as u64, limits.document_actors_max as u64, "actors")?;
        }
        let counter = doc
            .get_heads()
            .iter()
            .filter_map(|head| Some(doc.get_change_meta_by_hash(head)?.max_op))
            .max()
            .unwrap_or(0);
        full(counter + limits.change_ops_max, limits.op_counter_max, "operations")
    }

    fn check_ops(&self, tx: &Transaction<'_>) -> Result<u64, CommandError> {
        let ops = tx.pending_ops() as u64;
        let too_many = |field: &str, size: u64, max: u64, way_out: &str| {
            Err(CommandError::TooLarge {
                field: field.to_owned(),
                size,
                max,
                unit: "operations",
                way_out: way_out.to_owned(),
            })
        };
        if ops > self.limits.change_ops_max {
            let way_out = "make it several edits (a long note in parts)";
            return too_many("change", ops, self.limits.change_ops_max, way_out);
        }
        // `stats` of the document counts what is pending already.
        let all = tx.stats().num_ops;
        if all > self.limits.document_ops_max {
            let way_out = "ask the administrator to start a fresh document for this contact";
            return too_many("contact", all, self.limits.document_ops_max, way_out);
        }
        Ok(ops)
    }

    /// The sizes of a change and of a document are only known once it is committed. Small edits of
    /// small documents can't reach the bounds (128 changes of 4 KiB are half a document), the others
    /// are tried on a copy first.
    fn needs_trial(&self, doc: &Automerge, commands: &[Command]) -> bool {
        let stats = doc.stats();
        let bytes: usize = commands.iter().map(super::write::size_guess).sum();
        bytes > 4096 || stats.num_changes > 128 || stats.num_ops > 4096
    }
}

fn at_most(field: &str, size: usize, max: usize, way_out: &str) -> Result<(), CommandError> {
    if size <= max {
        return Ok(());
    }
    Err(CommandError::TooLarge {
        field: field.to_owned(),
        size: size as u64,
        max: max as u64,
        unit: "bytes",
        way_out: way_out.to_owned(),
    })
}

pub(super) fn damaged(field: &str, error: &automerge::AutomergeError) -> CommandError {
    CommandError::Damaged { field: field.to_owned(), reason: error.to_string() }
}

/// The entries that a command wants deleted, and that are "deleted by A, changed by B": there the
/// tombstone is written again, so that the decision comes after both.
fn contested(doc: &Automerge, commands: &[Command]) -> BTreeSet<(Collection, EntryId)> {
    commands
        .iter()
        .filter_map(Command::deletes)
        .filter(|(collection, id)| conflict::is_contested(doc, *collection, *id))
        .collect()
}

/// The kind of an edit, for its message.
fn label(doc: &Automerge, commands: &[Command], options: &EditOptions) -> String {
    if let Some(label) = &options.label {
        return label.chars().take(40).collect();
    }
    if doc.get_heads().iter().all(bootstrap::is_bootstrap) {
        return "create".to_owned();
    }
    let mut labels = commands.iter().map(Command::label);
    match labels.next() {
        Some(first) if labels.all(|label| label == first) => first,
        _ => "group".to_owned(),
    }
}
