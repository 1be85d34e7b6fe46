//! Editing: typed commands become one change, durable with its row and its search text when the
//! call returns.
//!
//! The network is never asked. An edit is refused only by the rules of the document itself.

use automerge::{Automerge, ChangeHash};
use roadbook_protocol::document::{
    self, Applied, Author, Bootstrap, Command, CommandError, EditOptions, Splice, Value,
};
use roadbook_protocol::ids::{Actor, ContactId, EditId};
use roadbook_protocol::projection;
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use crate::documents::{contained, heads};
use crate::env::random10;
use crate::error::{Error, Result};
use crate::replica::{Replica, Write};
use crate::store::changes::{self, NewLocal};
use crate::store::contacts::{self, Access, ContactRow};
use crate::store::projections;

/// So many changes beside a snapshot are folded into a new one.
const LIVE_CHANGES_MAX: i64 = 64;

/// An edit that is durable on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// Names the edit in the outbox, whatever becomes of its change.
    pub edit_id: EditId,
    /// The contact.
    pub contact_id: ContactId,
    /// The change that it became.
    #[serde(serialize_with = "hash_text")]
    pub hash: ChangeHash,
}

fn hash_text<S: serde::Serializer>(hash: &ChangeHash, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(hash)
}

/// What an edit came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// It is durable.
    Saved(Edit),
    /// The contact already was as the commands want it: there is nothing to send.
    Unchanged,
}

impl Edited {
    /// The edit, if there was one.
    pub fn saved(self) -> Option<Edit> {
        match self {
            Edited::Saved(edit) => Some(edit),
            Edited::Unchanged => None,
        }
    }
}

impl Replica {
    /// Makes a new contact from commands, as one change. Durable on return.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`], [`Error::Invalid`] with the field and the reason.
    pub fn create(&self, commands: &[Command]) -> Result<Edit> {
        let id = ContactId::from_time(self.now_ms().unsigned_abs(), random10(self.entropy()));
        self.write("edit", |write| {
            let row = contacts::insert(&write.tx, id, Access::Owner)?;
            let author = write.author()?;
            let doc = document::new_document();
            let options = EditOptions { label: Some("create".into()), ..EditOptions::default() };
            match write.apply(&row, doc, commands, &author, &options, None)? {
                Edited::Saved(edit) => Ok(edit),
                Edited::Unchanged => Err(CommandError::Invalid {
                    field: "contact".into(),
                    reason: "nothing was given to make it from".into(),
                    way_out: "give a name, a company or a way to reach them".into(),
                }
                .into()),
            }
        })
    }

    /// Edits a contact: all commands become one change, or none if the contact already is as they
    /// want it. Durable on return.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`] with the field and the reason. Nothing is changed
    /// then.
    pub fn edit(&self, id: ContactId, commands: &[Command]) -> Result<Edited> {
        self.edit_as(id, commands, &EditOptions::default())
    }

    /// The same with a kind of its own (`visit`, `archive` ...) in the contact's history.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn edit_labelled(
        &self,
        id: ContactId,
        commands: &[Command],
        label: &str,
    ) -> Result<Edited> {
        let options = EditOptions { label: Some(label.to_owned()), ..EditOptions::default() };
        self.edit_as(id, commands, &options)
    }

    fn edit_as(
        &self,
        id: ContactId,
        commands: &[Command],
        options: &EditOptions,
    ) -> Result<Edited> {
        self.write("edit", |write| {
            let row = write.editable(id)?;
            let author = write.author()?;
            let doc = write.document(&row)?;
            write.apply(&row, doc, commands, &author, options, None)
        })
        .inspect_err(|error| {
            // Best effort: the error itself is what the caller must hear.
            let _ = self.note_damage(id, error);
        })
    }

    /// Decides a conflict: `value` wins on every replica. `field` is the path of a
    /// [`document::Conflict`].
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn resolve(&self, id: ContactId, field: &str, value: Option<Value>) -> Result<Edited> {
        self.edit(id, &[Command::Resolve { field: field.to_owned(), value }])
    }

    /// The splices that turn the note of a contact into `new_text`, for [`Command::EditNote`].
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn note_splices(&self, id: ContactId, new_text: &str) -> Result<Vec<Splice>> {
        let doc = self.document(id)?;
        contained(|| format!("contact {id}"), || document::note_splices(&doc, new_text))
    }

    /// The same for a text that was written over an older state of the note, `shown`: what others
    /// wrote into it meanwhile stays.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn note_splices_from(
        &self,
        id: ContactId,
        shown: &str,
        new_text: &str,
    ) -> Result<Vec<Splice>> {
        let doc = self.document(id)?;
        let what = || format!("contact {id}");
        contained(what, || document::note_splices_from(&doc, shown, new_text))
    }

    /// The splices that add a line at the end of the note. Works while reading is locked.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn note_line(&self, id: ContactId, line: &str) -> Result<Vec<Splice>> {
        let doc = self.document(id)?;
        contained(
            || format!("contact {id}"),
            || {
                let mut text = document::read(id, &doc).note;
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(line);
                document::note_splices(&doc, &text)
            },
        )
    }

    /// Takes back the last edit that was made on this replica (of one contact, or of all), unless
    /// somebody changed the same fields since. Undoing again takes back the one before.
    ///
    /// # Errors
    /// [`Error::Invalid`] with [`CommandError::NothingToUndo`] or [`CommandError::ChangedSince`].
    pub fn undo(&self, contact: Option<ContactId>) -> Result<Edited> {
        self.write("edit", |write| {
            let found = write
                .tx
                .prepare_cached(
                    "SELECT k.id, c.hash, c.edit FROM change c JOIN contact k ON k.num = c.contact
                     WHERE c.local = 1 AND c.edit IS NOT NULL AND c.undoes IS NULL AND c.undone = 0
                       AND c.receipt NOT IN ('replaced', 'quarantined', 'erased')
                       AND (?1 IS NULL OR k.id = ?1)
                     ORDER BY c.pos DESC LIMIT 1",
                )?
                .query_row(params![contact.map(|id| *id.as_bytes())], |row| {
                    Ok((
                        ContactId::from_bytes(row.get(0)?),
                        ChangeHash(row.get(1)?),
                        EditId::from_bytes(row.get(2)?),
                    ))
                })
                .optional()?;
            let Some((id, hash, edit)) = found else {
                let reason = "this device has made no edit that could be taken back".to_owned();
                return Err(CommandError::NothingToUndo { reason }.into());
            };
            let row = write.editable(id)?;
            let author = write.author()?;
            let doc = write.document(&row)?;
            let commands =
                contained(|| format!("contact {id}"), || document::inverse(&doc, hash))??;
            let options = EditOptions { label: Some("undo".into()), ..EditOptions::default() };
            let edited = write.apply(&row, doc, &commands, &author, &options, Some(edit))?;
            write
                .tx
                .prepare_cached("UPDATE change SET undone = 1 WHERE edit = ?1")?
                .execute(params![edit.as_bytes()])?;
            Ok(edited)
        })
    }
}

impl Write<'_> {
    /// The contact, if it may be edited.
    fn editable(&self, id: ContactId) -> Result<ContactRow> {
        let row = contacts::find(&self.tx, id)?.ok_or_else(|| Error::no_contact(id))?;
        if row.access == Access::Removed {
            return Err(Error::NotAllowed {
                reason: format!(
                    "contact {id} was handed over to somebody else; your earlier edits of it are \
                     being sent, ask the office to make further ones"
                ),
            });
        }
        Ok(row)
    }

    /// The user of the replica, now.
    fn author(&self) -> Result<Author> {
        let me = self.replica.me(&self.tx)?;
        Ok(Author { by: me.user, at: self.now() })
    }

    /// Applies commands as one local change and stores it with everything derived from it.
    fn apply(
        &mut self,
        row: &ContactRow,
        mut doc: Automerge,
        commands: &[Command],
        author: &Author,
        options: &EditOptions,
        undoes: Option<EditId>,
    ) -> Result<Edited> {
        let actor = self.actor(row.id)?;
        let what = || format!("contact {}", row.id);
        let lacking = lacking_bootstraps(row, &doc);
        let limits = self.replica.limits();
        let applied = contained(what, || {
            document::apply(&mut doc, actor, commands, author, options, limits)
        })?;
        let Applied::Change { hash, bytes } = applied? else {
            self.keep(row.id, doc);
            return Ok(Edited::Unchanged);
        };
        let edit_id =
            EditId::from_time(self.now().unsigned_abs(), random10(self.replica.entropy()));
        self.insert_bootstraps(row, &lacking)?;
        let (seq, label) = self.describe(&doc, &hash)?;
        let json = serde_json::to_string(commands).unwrap_or_default();
        let new = NewLocal {
            hash,
            bytes: &bytes,
            actor,
            seq,
            edit: Some(edit_id),
            commands: &json,
            label: &label,
            at: author.at,
            replays: 0,
            undoes,
        };
        self.insert_local(row.num, &new)?;
        self.document_changed(row, doc)?;
        self.notices.sync = true;
        self.wake = true;
        Ok(Edited::Saved(Edit { edit_id, contact_id: row.id, hash }))
    }

    /// The changes that make the containers which the document did not have: the server needs them
    /// before the first change of our own that depends on them.
    pub(crate) fn insert_bootstraps(
        &mut self,
        row: &ContactRow,
        lacking: &[&'static Bootstrap],
    ) -> Result<()> {
        for bootstrap in lacking {
            let new = NewLocal {
                hash: bootstrap.hash,
                bytes: bootstrap.bytes,
                // Nobody's: it is the same in every contact and clashes with nothing.
                actor: Actor::from_bytes([0; 16]),
                seq: 1,
                edit: None,
                commands: "",
                label: "bootstrap",
                at: 0,
                replays: 0,
                undoes: None,
            };
            self.insert_local(row.num, &new)?;
        }
        Ok(())
    }

    /// Sequence number and kind of a change that was just made.
    pub(crate) fn describe(&self, doc: &Automerge, hash: &ChangeHash) -> Result<(u64, String)> {
        let meta = doc.get_change_meta_by_hash(hash).ok_or_else(|| Error::Damaged {
            what: format!("change {hash}"),
            reason: "the document does not hold the change that was just made".into(),
        })?;
        let label = meta
            .message
            .as_deref()
            .and_then(|text| roadbook_protocol::message::ChangeMessage::parse(text).ok())
            .map(|message| message.command)
            .unwrap_or_default();
        Ok((meta.seq, label))
    }

    /// Derives and stores what hangs on a document that changed: heads, row, search text; folds the
    /// changes into a snapshot when there are many; hands the document to the cache.
    pub(crate) fn document_changed(&mut self, row: &ContactRow, doc: Automerge) -> Result<()> {
        contacts::set_heads(&self.tx, row.num, &heads(&doc))?;
        let what = || format!("contact {}", row.id);
        let derived = contained(what, || projection::project(row.id, &doc))?;
        projections::put(&self.tx, row.num, &derived)?;
        if changes::live_count(&self.tx, row.num)? > LIVE_CHANGES_MAX {
            self.fold(row, &doc)?;
        }
        self.keep(row.id, doc);
        self.touched(row.id);
        Ok(())
    }

    /// Puts one snapshot in the place of a snapshot and many changes, in this transaction, after
    /// checking that it loads to the same heads. Local changes keep their rows for their receipts.
    pub(crate) fn fold(&mut self, row: &ContactRow, doc: &Automerge) -> Result<()> {
        let what = || format!("contact {}", row.id);
        let bytes = contained(what, || doc.save_nocompress())?;
        let again = contained(what, || Automerge::load(&bytes))?;
        if again.is_ok_and(|again| heads(&again) == heads(doc)) {
            contacts::set_snapshot(&self.tx, row.num, &bytes, true)?;
            changes::cover_all(&self.tx, row.num)?;
        } else {
            // The changes stay as they are: nothing is lost, only not folded.
            tracing::warn!(contact = %row.id, "a snapshot did not load to the same heads; kept the changes");
        }
        Ok(())
    }
}

/// The bootstraps that a contact did not have before it is written to. A new document holds them
/// already, but nobody has sent them.
pub(crate) fn lacking_bootstraps(row: &ContactRow, doc: &Automerge) -> Vec<&'static Bootstrap> {
    let new = row.heads.is_empty();
    document::bootstraps()
        .iter()
        .filter(|bootstrap| new || doc.get_change_meta_by_hash(&bootstrap.hash).is_none())
        .collect()
}
