//! Where every edit of this device is, and what could not become part of a contact.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::SystemTime;

use roadbook_client_core as core;
use roadbook_protocol::document::{self, Command};

use crate::book::Roadbook;
use crate::error::{Result, RoadbookError};
use crate::fields::{Collection, EntryField, Field, FieldPath};
use crate::value::{Value, moment};

/// Where an edit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Receipt {
    /// Durable on this device.
    Saved,
    /// Durable on the server.
    Stored,
    /// The server has another change in its place, because this replica was copied or restored: it is
    /// being made anew.
    Forked,
    /// It came too late, the contact belongs to somebody else: it waits for the new owner's decision.
    Proposed,
    /// Part of the contact, in the managers' view.
    Merged,
    /// Kept with a reason, not part of the contact.
    Quarantined,
    /// Another change carries the same edit.
    Replaced,
    /// Erased with its contact.
    Erased,
}

/// What was decided about a late edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Decision {
    /// It became part of the contact.
    Accepted,
    /// It did not.
    Declined,
    /// Some of its fields did.
    InPart,
}

/// One edit of this device and where it is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OutboxEntry {
    /// Names the edit, as `Saved` did.
    pub edit_id: String,
    /// The contact.
    pub contact_id: String,
    /// What the contact is called; empty where it is not on this device any more, or reading is locked.
    pub display_name: String,
    /// What kind of edit it is: `create`, `set`, `visit` and so on.
    pub command: String,
    /// When it was made.
    pub at: SystemTime,
    /// Where it is.
    pub receipt: Receipt,
    /// Why, where that needs a reason.
    pub reason: Option<String>,
    /// What was decided, where it came too late; none as long as it waits.
    pub decision: Option<Decision>,
}

/// What an edit in quarantine would have done to one field.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct QuarantinedField {
    /// The field.
    pub field: FieldPath,
    /// The value it should have had; none where it should have been cleared or deleted.
    pub value: Option<Value>,
}

/// Something that could not become part of a contact.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct QuarantineEntry {
    /// The contact.
    pub contact_id: String,
    /// What the contact was called.
    pub display_name: String,
    /// The edit, if it was one of this device.
    pub edit_id: Option<String>,
    /// What kind of edit it is.
    pub command: String,
    /// When it was made.
    pub at: SystemTime,
    /// A stable short code of the reason.
    pub code: String,
    /// The reason, for a person.
    pub reason: String,
    /// What it would have done.
    pub fields: Vec<QuarantinedField>,
}

impl Receipt {
    pub(crate) fn from_core(receipt: core::Receipt) -> Receipt {
        match receipt {
            core::Receipt::Saved => Receipt::Saved,
            core::Receipt::Stored => Receipt::Stored,
            core::Receipt::Forked => Receipt::Forked,
            core::Receipt::Proposed => Receipt::Proposed,
            core::Receipt::Merged => Receipt::Merged,
            core::Receipt::Quarantined => Receipt::Quarantined,
            core::Receipt::Replaced => Receipt::Replaced,
            core::Receipt::Erased => Receipt::Erased,
        }
    }
}

impl OutboxEntry {
    pub(crate) fn from_core(entry: core::OutboxEntry) -> OutboxEntry {
        OutboxEntry {
            edit_id: entry.edit_id.to_string(),
            contact_id: entry.contact_id.to_string(),
            display_name: entry.display_name,
            command: entry.command,
            at: moment(entry.at),
            receipt: Receipt::from_core(entry.receipt),
            reason: entry.reason,
            decision: match entry.decision.as_deref() {
                Some("accepted") => Some(Decision::Accepted),
                Some("declined") => Some(Decision::Declined),
                Some("in_part") => Some(Decision::InPart),
                _ => None,
            },
        }
    }
}

impl QuarantineEntry {
    fn from_core(entry: core::QuarantineEntry) -> QuarantineEntry {
        QuarantineEntry {
            contact_id: entry.contact_id.to_string(),
            display_name: entry.display_name,
            edit_id: entry.edit_id.map(|id| id.to_string()),
            command: entry.command,
            at: moment(entry.at),
            code: entry.code,
            reason: entry.reason,
            fields: entry.commands.iter().flat_map(fields).collect(),
        }
    }
}

/// What a command would have done, field by field.
fn fields(command: &Command) -> Vec<QuarantinedField> {
    let typed = |path: FieldPath, value: Option<&document::Value>| {
        let kind = path.kind();
        let value = value.map(|value| Value::from_core(value, kind));
        QuarantinedField { field: path, value }
    };
    let text =
        |path: FieldPath, text: Option<&str>| typed(path, text.map(document::Value::from).as_ref());
    let entry = |collection: &document::Collection, id: &dyn ToString, deleted: bool| {
        let collection = Collection::from_core(*collection);
        let path = FieldPath::Entry { collection, id: id.to_string() };
        typed(path, (!deleted).then_some(&document::Value::Bool(true)))
    };
    match command {
        Command::Set { field, value } => {
            let path = match Field::from_word(field) {
                Some(field) => FieldPath::Root { field },
                None => FieldPath::Unknown { path: field.clone() },
            };
            vec![typed(path, value.as_ref())]
        }
        Command::Put { collection, id, fields } => fields
            .iter()
            .map(|(name, value)| {
                let path = match EntryField::from_parts(*collection, name) {
                    Some(field) => FieldPath::EntryField { id: id.to_string(), field },
                    None => {
                        let path = format!("{}/{id}/{name}", collection.name());
                        FieldPath::Unknown { path }
                    }
                };
                typed(path, value.as_ref())
            })
            .collect(),
        Command::Remove { collection, id } => vec![entry(collection, id, true)],
        Command::Restore { collection, id } => vec![entry(collection, id, false)],
        Command::Tag { tag, .. } => vec![text(FieldPath::Tag { tag: tag.clone() }, Some(tag))],
        Command::Untag { tag } => vec![text(FieldPath::Tag { tag: tag.clone() }, None)],
        Command::Custom { name, value } => {
            vec![typed(FieldPath::Custom { name: name.clone() }, value.as_ref())]
        }
        Command::ExternalId { system, id } => {
            vec![text(FieldPath::ExternalId { system: system.clone() }, id.as_deref())]
        }
        Command::EditNote { splices } => {
            splices.iter().map(|splice| text(FieldPath::Note, Some(&splice.insert))).collect()
        }
        Command::Resolve { field, value } => vec![typed(FieldPath::parse(field), value.as_ref())],
    }
}

#[uniffi::export]
impl Roadbook {
    /// The edits of this device with their receipts, oldest first: those that are still on their way or
    /// were refused, or with `all` also the merged ones of the last weeks.
    #[uniffi::method(default(all = false))]
    pub fn outbox(&self, all: bool) -> Result<Vec<OutboxEntry>> {
        self.call("outbox", |replica| {
            Ok(replica.outbox(all)?.into_iter().map(OutboxEntry::from_core).collect())
        })
    }

    /// The receipt of one edit; none where it is not known here any more.
    pub fn receipt(&self, edit_id: String) -> Result<Option<Receipt>> {
        self.call("receipt", |replica| {
            let id = edit_id.parse().map_err(RoadbookError::from)?;
            Ok(replica.receipt(id)?.map(Receipt::from_core))
        })
    }

    /// What could not become part of a contact, oldest first, with the reasons.
    pub fn quarantine(&self) -> Result<Vec<QuarantineEntry>> {
        self.call("quarantine", |replica| {
            Ok(replica.quarantine()?.into_iter().map(QuarantineEntry::from_core).collect())
        })
    }

    /// Writes the quarantine to a file, complete, as JSON with one entry per line; gives the number of
    /// entries. A file of that name is replaced.
    pub fn export_quarantine(&self, file: String) -> Result<u64> {
        self.call("export_quarantine", |replica| {
            let failed = |error: std::io::Error| RoadbookError::Storage {
                reason: format!("{file}: {error}"),
            };
            // First what is to be written: a locked replica leaves an older file alone.
            let mut bytes = Vec::new();
            let count = replica.export_quarantine(&mut bytes)?;
            let mut out = BufWriter::new(File::create(&file).map_err(failed)?);
            out.write_all(&bytes).map_err(failed)?;
            out.into_inner()
                .map_err(|error| failed(error.into_error()))?
                .sync_all()
                .map_err(failed)?;
            Ok(count as u64)
        })
    }
}
