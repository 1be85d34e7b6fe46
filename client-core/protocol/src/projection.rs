//! The projection row: what lists, filters, search and the dashboard read of a contact, so that no
//! document is opened for them. Derived from a document by targeted reads, never by hydrating it.
//!
//! Devices and server keep the same row: indexed columns for what is filtered and sorted often
//! ([`COLUMNS`]), and the whole row as JSON beside them. A shipped row is used only if its
//! [`VERSION`] is the reader's and the contact has no unmerged local change (rule 16).

use std::collections::BTreeMap;

use automerge::{Automerge, ObjId};
use serde::{Deserialize, Serialize};

use crate::document::{
    self, Collection, DO_NOT_CONTACT, Found, FoundEntry, Path, Value, View, Visitor,
};
use crate::ids::{ContactId, UnixMs};
use crate::message::ChangeMessage;

/// Raised whenever the derivation or the folding changes; older rows are derived anew.
pub const VERSION: u32 = 1;

/// One contact as lists see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The contact.
    pub id: ContactId,
    /// [`VERSION`] of the code that derived it.
    pub version: u32,
    /// What to call it.
    pub display_name: String,
    /// The root scalars that are set.
    pub fields: BTreeMap<String, Value>,
    /// Custom fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, Value>,
    /// Ids in other systems.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub external_ids: BTreeMap<String, String>,
    /// Tags, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Phone numbers as typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<String>,
    /// Email addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    /// Of the first address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub street: String,
    /// Of the first address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub postal_code: String,
    /// Of the first address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub city: String,
    /// Of the first address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// Of the first address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub country: String,
    /// The note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The latest interaction that counts as contact (not `note`), in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_contact_at: Option<UnixMs>,
    /// How many interactions of each kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub interactions: BTreeMap<String, u32>,
    /// Open tasks.
    #[serde(default)]
    pub open_tasks: u32,
    /// The earliest due date among open tasks, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<String>,
    /// The stages of the deals that are not deleted, sorted, without repetition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    /// Minor units of open deals (neither won nor lost) per currency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub open_amount: BTreeMap<String, i64>,
    /// Purchases.
    #[serde(default)]
    pub purchases: u32,
    /// The latest purchase's date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_purchase: Option<String>,
    /// Minor units of all purchases per currency.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revenue: BTreeMap<String, i64>,
    /// Fields in conflict.
    #[serde(default)]
    pub conflicts: u32,
    /// The latest claimed time of any change, in milliseconds since 1970: "latest touched".
    #[serde(default)]
    pub touched_at: UnixMs,
}

/// The columns that a store indexes or filters on beside the JSON of the row.
pub const COLUMNS: &[(&str, &str)] = &[
    ("display_name", "TEXT NOT NULL"),
    ("sort_key", "BLOB NOT NULL"),
    ("company", "TEXT"),
    ("status", "TEXT"),
    ("category", "TEXT"),
    ("city", "TEXT"),
    ("country", "TEXT"),
    ("next_visit", "TEXT"),
    ("next_due", "TEXT"),
    ("last_contact_at", "INTEGER"),
    ("touched_at", "INTEGER NOT NULL"),
    ("conflicts", "INTEGER NOT NULL"),
    ("archived", "INTEGER NOT NULL"),
];

/// Derives the row of a contact by one pass of targeted reads.
pub fn project(id: ContactId, doc: &Automerge) -> Row {
    let view = View::now(doc);
    let mut projector = Projector { view, row: Row::empty(id), address: false };
    document::scan(view, &mut projector);
    let mut row = projector.row;
    row.note = view.text(&document::note_text());
    row.tags.sort();
    row.stages.sort();
    row.stages.dedup();
    row.display_name = display_name(&row.fields, row.phones.iter().chain(&row.emails));
    row.touched_at = latest_touched(doc);
    row
}

/// When the contact was touched last, as the devices claimed: the latest time among the heads, in
/// milliseconds since 1970; 0 without any. A device whose clock is ahead decides it only until the
/// next edit that knows of its own.
pub fn latest_touched(doc: &Automerge) -> UnixMs {
    doc.get_heads()
        .iter()
        .filter_map(|head| {
            let meta = doc.get_change_meta_by_hash(head)?;
            Some(ChangeMessage::parse(meta.message.as_deref()?).ok()?.at)
        })
        .max()
        .unwrap_or(0)
}

/// What to call a contact: given and family name (a company: its company name first), else the
/// other of the two, else its legal name, else a phone or email from `reach`; never empty.
pub fn display_name(
    fields: &BTreeMap<String, Value>,
    reach: impl Iterator<Item = impl AsRef<str>>,
) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_text).unwrap_or_default().trim();
    let person = document::full_name(text("given_name"), text("family_name"));
    let company = text("company").to_owned();
    let names = match text("kind") {
        "company" => [company, person],
        _ => [person, company],
    };
    names
        .into_iter()
        .chain([text("legal_name").to_owned()])
        .chain(reach.map(|reach| reach.as_ref().trim().to_owned()))
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "(no name)".to_owned())
}

impl Row {
    /// Whether the person asked never to be contacted.
    pub fn do_not_contact(&self) -> bool {
        self.fields.get(DO_NOT_CONTACT).and_then(Value::as_bool).unwrap_or(false)
    }

    fn empty(id: ContactId) -> Self {
        Row {
            id,
            version: VERSION,
            display_name: String::new(),
            fields: BTreeMap::new(),
            custom: BTreeMap::new(),
            external_ids: BTreeMap::new(),
            tags: Vec::new(),
            phones: Vec::new(),
            emails: Vec::new(),
            street: String::new(),
            postal_code: String::new(),
            city: String::new(),
            region: String::new(),
            country: String::new(),
            note: String::new(),
            last_contact_at: None,
            interactions: BTreeMap::new(),
            open_tasks: 0,
            next_due: None,
            stages: Vec::new(),
            open_amount: BTreeMap::new(),
            purchases: 0,
            last_purchase: None,
            revenue: BTreeMap::new(),
            conflicts: 0,
            touched_at: 0,
        }
    }
}

struct Projector<'d> {
    view: View<'d>,
    row: Row,
    /// Whether the first address was seen.
    address: bool,
}

impl Visitor for Projector<'_> {
    fn scalar(&mut self, map: &ObjId, found: &Found<'_>, path: fn(String) -> Path) {
        let path = path(found.key.to_string());
        let row = &mut self.row;
        if !matches!(path, Path::Tag(_)) && document::differs(self.view, map, found) {
            row.conflicts += 1;
        }
        let Some(value) = found.value() else { return };
        match path {
            Path::Root(name) => {
                row.fields.insert(name, value);
            }
            Path::Custom(name) => {
                row.custom.insert(name, value);
            }
            Path::External(system) => {
                row.external_ids.insert(system, value.to_string());
            }
            Path::Tag(tag) if value != Value::Bool(false) => row.tags.push(tag),
            _ => {}
        }
    }

    fn entry(&mut self, entry: &FoundEntry<'_, '_>) {
        let row = &mut self.row;
        row.conflicts += document::count_in_entry(self.view, entry);
        if entry.deleted {
            return;
        }
        let text = |name: &str| match entry.value(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        let int = |name: &str| entry.value(name).and_then(|value| value.as_int());
        let money = |sums: &mut BTreeMap<String, i64>| {
            if let (Some(amount), Some(currency)) = (int("amount"), text("currency")) {
                let sum = sums.entry(currency).or_default();
                *sum = sum.saturating_add(amount);
            }
        };
        match entry.collection {
            Collection::Phones => row.phones.extend(text("number")),
            Collection::Emails => row.emails.extend(text("address")),
            Collection::Addresses if !self.address => {
                self.address = true;
                row.street = text("street").unwrap_or_default();
                row.postal_code = text("postal_code").unwrap_or_default();
                row.city = text("city").unwrap_or_default();
                row.region = text("region").unwrap_or_default();
                row.country = text("country").unwrap_or_default();
            }
            Collection::Interactions => {
                let kind = text("kind").unwrap_or_default();
                if kind != "note" {
                    row.last_contact_at = row.last_contact_at.max(int("at"));
                }
                *row.interactions.entry(kind).or_default() += 1;
            }
            Collection::Deals => {
                let stage = text("stage").unwrap_or_default();
                if !matches!(stage.as_str(), "won" | "lost") {
                    money(&mut row.open_amount);
                }
                if !stage.is_empty() {
                    row.stages.push(stage);
                }
            }
            Collection::Purchases => {
                row.purchases += 1;
                row.last_purchase = row.last_purchase.take().max(text("date"));
                money(&mut row.revenue);
            }
            Collection::Tasks if entry.value("done") != Some(Value::Bool(true)) => {
                row.open_tasks += 1;
                row.next_due = match (row.next_due.take(), text("due")) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            _ => {}
        }
    }
}
