//! A contact as it is read: the typed view of one document at one moment.

use std::collections::BTreeMap;

use automerge::ChangeHash;
use serde::{Deserialize, Serialize};

use super::schema::Collection;
use super::value::Value;
use crate::ids::{ContactId, EntryId, UnixMs, UserId};

/// One thing with an identity inside a contact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// Whether it carries a tombstone. Reads leave such entries out unless asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Its fields by name, fields of newer versions included.
    #[serde(flatten)]
    pub fields: BTreeMap<String, Value>,
}

impl Entry {
    /// The text of a field, empty if it is not there.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_text).unwrap_or_default()
    }
    /// The integer of a field.
    pub fn int(&self, field: &str) -> Option<i64> {
        self.fields.get(field).and_then(Value::as_int)
    }
}

/// One contact. In JSON the fields stand at the top level beside `phones`, `emails` and so on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// What to call it: given and family name, else company, else a reach, never empty.
    pub display_name: String,
    /// The root scalars that are set.
    #[serde(flatten)]
    pub fields: BTreeMap<String, Value>,
    /// The note.
    #[serde(default)]
    pub note: String,
    /// Tags, sorted.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Custom fields.
    #[serde(default)]
    pub custom: BTreeMap<String, Value>,
    /// Ids in other systems.
    #[serde(default)]
    pub external_ids: BTreeMap<String, String>,
    /// Phone numbers, by id, as all the lists below.
    #[serde(default)]
    pub phones: Vec<Entry>,
    /// Email addresses.
    #[serde(default)]
    pub emails: Vec<Entry>,
    /// Messenger accounts.
    #[serde(default)]
    pub messengers: Vec<Entry>,
    /// Postal addresses.
    #[serde(default)]
    pub addresses: Vec<Entry>,
    /// Interactions, by time.
    #[serde(default)]
    pub interactions: Vec<Entry>,
    /// Deals.
    #[serde(default)]
    pub deals: Vec<Entry>,
    /// Purchases, by date.
    #[serde(default)]
    pub purchases: Vec<Entry>,
    /// Tasks.
    #[serde(default)]
    pub tasks: Vec<Entry>,
    /// Consents.
    #[serde(default)]
    pub consents: Vec<Entry>,
}

impl Contact {
    /// The entries of a collection.
    pub fn entries(&self, collection: Collection) -> &Vec<Entry> {
        match collection {
            Collection::Phones => &self.phones,
            Collection::Emails => &self.emails,
            Collection::Messengers => &self.messengers,
            Collection::Addresses => &self.addresses,
            Collection::Interactions => &self.interactions,
            Collection::Deals => &self.deals,
            Collection::Purchases => &self.purchases,
            Collection::Tasks => &self.tasks,
            Collection::Consents => &self.consents,
        }
    }
    /// The text of a root field, empty if it is not set.
    pub fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_text).unwrap_or_default()
    }
    /// Whether the person asked never to be contacted.
    pub fn do_not_contact(&self) -> bool {
        self.fields.get(DO_NOT_CONTACT).and_then(Value::as_bool).unwrap_or(false)
    }
    /// What holds now of each channel and purpose: the last statement about it, given or withdrawn, in
    /// the order of channels and purposes. Where two are of one moment, the later entry.
    pub fn consents_now(&self) -> Vec<&Entry> {
        let mut now: BTreeMap<(String, String), &Entry> = BTreeMap::new();
        for consent in &self.consents {
            let word = |field: &str| consent.text(field).trim().to_lowercase();
            let said = |consent: &Entry| (consent.int("at").unwrap_or(0), consent.id);
            let last = now.entry((word("channel"), word("purpose"))).or_insert(consent);
            if said(consent) > said(last) {
                *last = consent;
            }
        }
        now.into_values().collect()
    }
}

/// The field by which somebody asked never to be contacted.
pub(crate) const DO_NOT_CONTACT: &str = "do_not_contact";

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictValue {
    /// The value; `None` where this side deleted what the other changed.
    pub value: Option<Value>,
    /// Who wrote it.
    pub author: UserId,
    /// When, as that device claimed.
    pub at: UnixMs,
    /// Whether this is the value that all replicas show until somebody decides.
    pub shown: bool,
    /// The change that wrote it, as lower-case hexadecimal.
    pub change: String,
}

/// A field for which concurrent writes left more than one value, or an entry that one side deleted
/// while another changed it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// The contact.
    pub contact_id: ContactId,
    /// The path: `job_title`, `custom.NAME`, `phones/ID/number`, `tasks/ID` for a deletion.
    pub field: String,
    /// Every side's value, in the order of operations; at least two.
    pub values: Vec<ConflictValue>,
}

/// One field's change in the history of a contact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryItem {
    /// The change, as lower-case hexadecimal.
    pub change: String,
    /// Who made it.
    pub author: UserId,
    /// When, as that device claimed.
    pub at: UnixMs,
    /// The command's kind, from the change's message.
    pub command: String,
    /// What it changed.
    pub fields: Vec<FieldChange>,
}

/// What one change did to one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The path, as in [`Conflict::field`].
    pub field: String,
    /// What it was before, as far as this change knew.
    pub before: Option<Value>,
    /// What it is after.
    pub after: Option<Value>,
}

/// Who wrote the value that a field has now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Authorship {
    /// Who.
    pub author: UserId,
    /// When, as claimed.
    pub at: UnixMs,
    /// In which change.
    #[serde(with = "hash_text")]
    pub change: ChangeHash,
}

mod hash_text {
    use automerge::ChangeHash;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(hash: &ChangeHash, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hash.to_string())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<ChangeHash, D::Error> {
        String::deserialize(d)?.parse().map_err(|_| D::Error::custom("not a change hash"))
    }
}
