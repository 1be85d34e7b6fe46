//! The typed edit commands. A group of commands made together is exactly one Automerge change.
//!
//! Commands carry final ids and times, so that replaying one (re-authoring, rule 12) gives the same
//! entry and not a second one. They are stored beside each local change as JSON until it is merged
//! and older than the backup horizon, so their JSON form is a format: only add to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::path::Path;
use super::schema::Collection;
use super::value::Value;
use crate::ids::{EntryId, UnixMs};

/// One edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Sets a root scalar; `None` clears it.
    Set {
        /// A name of [`super::schema::FIELDS`].
        field: String,
        /// The new value.
        value: Option<Value>,
    },
    /// Creates an entry, or updates the given fields of one that exists (rule 8).
    Put {
        /// Where.
        collection: Collection,
        /// Its id, made by the caller.
        id: EntryId,
        /// The fields to set; `None` clears one.
        fields: BTreeMap<String, Option<Value>>,
    },
    /// Marks an entry as deleted; what others edit inside it stays visible in its history.
    Remove {
        /// Where.
        collection: Collection,
        /// Which.
        id: EntryId,
    },
    /// Takes a tombstone back.
    Restore {
        /// Where.
        collection: Collection,
        /// Which.
        id: EntryId,
    },
    /// Adds or re-affirms a tag.
    Tag {
        /// The tag as typed, trimmed.
        tag: String,
        /// When, so that re-affirming is a change.
        at: UnixMs,
    },
    /// Removes a tag.
    Untag {
        /// The tag.
        tag: String,
    },
    /// Sets a custom field; `None` clears it.
    Custom {
        /// The name without the `custom.` prefix.
        name: String,
        /// The new value.
        value: Option<Value>,
    },
    /// Sets the id of this contact in an external system; `None` clears it.
    ExternalId {
        /// Such as `crm` or `erp`.
        system: String,
        /// The id there.
        id: Option<String>,
    },
    /// Inserts into and deletes from the note.
    EditNote {
        /// Applied in order; positions refer to the text after the ones before.
        splices: Vec<Splice>,
    },
    /// Decides a conflict: the value wins on every replica (a later put), and the decision is
    /// written into the change's message.
    Resolve {
        /// The path of the field as a [`super::Conflict`] names it.
        field: String,
        /// The chosen value.
        value: Option<Value>,
    },
}

/// One insertion and/or deletion in the note. Positions and counts are Unicode code points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splice {
    /// Where, in the text as the author saw it.
    pub at: usize,
    /// How many code points to delete there.
    #[serde(default)]
    pub delete: usize,
    /// What to insert there.
    #[serde(default)]
    pub insert: String,
    /// Up to 32 code points before the position: where to find it again when replayed (rule 12).
    #[serde(default)]
    pub before: String,
    /// Up to 32 code points after the deleted part.
    #[serde(default)]
    pub after: String,
    /// The deleted text, to find it again when replayed.
    #[serde(default)]
    pub deleted: String,
    /// An Automerge cursor (text form) to a merged character, if one was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Command {
    /// The entry that this command deletes, if it does.
    pub(crate) fn deletes(&self) -> Option<(Collection, EntryId)> {
        match self {
            Command::Remove { collection, id } => Some((*collection, *id)),
            Command::Resolve { field, value: None } => match Path::parse(field) {
                Path::Entry(collection, id) => Some((collection, id)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The word for this kind of edit in a change's message: an interaction's kind, the singular of
    /// a collection, else the command.
    pub(crate) fn label(&self) -> String {
        match self {
            Command::Set { .. } | Command::Custom { .. } | Command::ExternalId { .. } => "set",
            Command::Put { collection, fields, .. } => {
                let kind = fields.get("kind").and_then(|kind| kind.as_ref()?.as_text());
                match (collection, kind) {
                    (Collection::Interactions, Some(kind)) => kind,
                    _ => collection.singular(),
                }
            }
            Command::Remove { .. } => "remove",
            Command::Restore { .. } => "restore",
            Command::Tag { .. } => "tag",
            Command::Untag { .. } => "untag",
            Command::EditNote { .. } => "note",
            Command::Resolve { .. } => "resolve",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_of_every_command_is_golden() {
        let id = EntryId::from_bytes([1; 16]);
        let splice = Splice {
            at: 1,
            delete: 2,
            insert: "x".into(),
            before: "b".into(),
            after: "a".into(),
            deleted: "dd".into(),
            cursor: Some("2@ab".into()),
        };
        let collection = Collection::Phones;
        let uuid = "01010101-0101-0101-0101-010101010101";
        for (command, golden) in [
            (
                Command::Set { field: "company".into(), value: Some("A".into()) },
                r#"{"do":"set","field":"company","value":"A"}"#.to_owned(),
            ),
            (
                Command::Put {
                    collection,
                    id,
                    fields: [("label".into(), None), ("number".into(), Some("1".into()))].into(),
                },
                format!(
                    r#"{{"do":"put","collection":"phones","id":"{uuid}","fields":{{"label":null,"number":"1"}}}}"#
                ),
            ),
            (
                Command::Remove { collection, id },
                format!(r#"{{"do":"remove","collection":"phones","id":"{uuid}"}}"#),
            ),
            (
                Command::Restore { collection, id },
                format!(r#"{{"do":"restore","collection":"phones","id":"{uuid}"}}"#),
            ),
            (
                Command::Tag { tag: "t".into(), at: 5 },
                r#"{"do":"tag","tag":"t","at":5}"#.to_owned(),
            ),
            (Command::Untag { tag: "t".into() }, r#"{"do":"untag","tag":"t"}"#.to_owned()),
            (
                Command::Custom { name: "n".into(), value: Some(Value::Number(1.5)) },
                r#"{"do":"custom","name":"n","value":1.5}"#.to_owned(),
            ),
            (
                Command::ExternalId { system: "erp".into(), id: Some("1".into()) },
                r#"{"do":"external_id","system":"erp","id":"1"}"#.to_owned(),
            ),
            (
                Command::EditNote { splices: vec![splice] },
                concat!(
                    r#"{"do":"edit_note","splices":[{"at":1,"delete":2,"insert":"x","before":"b","#,
                    r#""after":"a","deleted":"dd","cursor":"2@ab"}]}"#
                )
                .to_owned(),
            ),
            (
                Command::Resolve { field: "company".into(), value: Some(true.into()) },
                r#"{"do":"resolve","field":"company","value":true}"#.to_owned(),
            ),
        ] {
            assert_eq!(serde_json::to_string(&command).unwrap(), golden);
            assert_eq!(serde_json::from_str::<Command>(&golden).unwrap(), command);
        }
    }
}
