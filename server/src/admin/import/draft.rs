//! A row of a contacts file becomes the edit commands of one contact.
//!
//! Values are checked here by the same code that checks every other edit, so that a dry run refuses
//! exactly what the import would.

use std::collections::BTreeMap;

use phonenumber::country::Id;
use roadbook_protocol::document::schema::{self, Kind as FieldKind};
use roadbook_protocol::document::{
    Assigner, Collection, Command, Contact, CustomField, Value, assign,
};
use roadbook_protocol::ids::{EntryId, UnixMs};
use roadbook_protocol::projection::Row as Known;

use super::date::{DateOrder, date};
use super::mapping::Mapping;
use super::reach::{email_key, phone_key, region};
use super::sheet::Row;
use super::{Update, compact};

/// The external system of keys that are made of name and reach.
pub const HASH_SYSTEM: &str = "import";

/// One row as a contact that may be new or known.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its line.
    pub line: u64,
    /// External system and id under which it is found again; the id is empty where it was found by
    /// its own id.
    pub key: (String, String),
    /// Whether the key had to be made because the row has none.
    pub key_made: bool,
    /// Assignments to single fields, addresses included: name and text.
    values: Vec<(String, String)>,
    tags: Vec<String>,
    note: String,
    /// Label and number as typed.
    pub phones: Vec<(String, String)>,
    /// Label and address as typed.
    pub emails: Vec<(String, String)>,
    /// Where its phones are, if they do not say.
    pub region: Option<Id>,
    /// The folded name of the person, empty if there is none.
    pub person: String,
    /// The folded company, empty if there is none.
    pub company: String,
    /// Whether nothing in it says who this is: enough for somebody known, not for somebody new.
    pub nameless: bool,
}

/// What all rows of a file have in common.
#[derive(Debug, Clone)]
pub struct Common<'a> {
    /// What the columns mean.
    pub mapping: &'a Mapping,
    /// The external system that the key column's ids are stored under.
    pub system: &'a str,
    /// The order of dates with slashes.
    pub date_order: Option<DateOrder>,
    /// The country of rows that name none.
    pub region: Option<Id>,
    /// When the import is made.
    pub at: UnixMs,
    /// The custom fields that the workspace has defined.
    pub defined: &'a [CustomField],
}

impl Draft {
    /// Reads a row. The error says what is wrong with it.
    pub fn read(row: &Row, common: &Common<'_>) -> Result<Draft, String> {
        let mut draft = Draft {
            line: row.line,
            key: (String::new(), String::new()),
            key_made: false,
            values: Vec::new(),
            tags: Vec::new(),
            note: String::new(),
            phones: Vec::new(),
            emails: Vec::new(),
            region: common.region,
            person: String::new(),
            company: String::new(),
            nameless: false,
        };
        for column in &common.mapping.columns {
            let text = row.cells[column.index].as_str();
            if !text.is_empty() {
                draft
                    .take(&column.field, text, common)
                    .map_err(|reason| format!("column `{}`: {reason}", column.column))?;
            }
        }
        draft.settle();
        draft.commands(None, common, &mut nil_ids())?;
        Ok(draft)
    }

    fn take(&mut self, field: &str, text: &str, common: &Common<'_>) -> Result<(), String> {
        let (head, label) = field.split_once('.').unwrap_or((field, ""));
        match head {
            "external_id" => self.key = (common.system.to_owned(), text.to_owned()),
            "phone" => self.phones.push((label.to_owned(), text.to_owned())),
            "email" => {
                // Some programs put several into one cell.
                let parts =
                    text.split([';', ',', ' ']).map(str::trim).filter(|part| !part.is_empty());
                self.emails.extend(parts.map(|part| (label.to_owned(), part.to_owned())));
            }
            "tags" => {
                let parts =
                    text.split([';', ',', '|']).map(str::trim).filter(|part| !part.is_empty());
                self.tags.extend(parts.map(str::to_owned));
            }
            "note" => {
                if !self.note.is_empty() {
                    self.note.push('\n');
                }
                self.note.push_str(text);
            }
            _ => {
                let text = plain_value(field, text, common.date_order)?;
                if field == "country" {
                    self.region = region(&text).or(self.region);
                }
                match field {
                    "name" | "given_name" | "family_name" => {
                        self.person.push(' ');
                        self.person.push_str(&text);
                    }
                    "company" => self.company = compact(&text),
                    _ => {}
                }
                self.values.push((field.to_owned(), text));
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.person = compact(&self.person);
        let reach = self
            .phones
            .iter()
            .find_map(|(_, number)| phone_key(number, self.region))
            .or_else(|| self.emails.first().map(|(_, address)| email_key(address)));
        self.nameless = self.person.is_empty() && self.company.is_empty() && reach.is_none();
        if self.key.1.is_empty() {
            let parts = format!("{}\n{}\n{}", self.person, self.company, reach.unwrap_or_default());
            let digest = ring::digest::digest(&ring::digest::SHA256, parts.as_bytes());
            let id = hex::encode(&digest.as_ref()[..12]);
            self.key = (HASH_SYSTEM.to_owned(), id);
            self.key_made = true;
        }
    }

    /// The edit of a new contact, or of one that is known with its present values. Empty if it has
    /// everything already.
    pub fn commands(
        &self,
        known: Option<(&Known, &Contact, Update)>,
        common: &Common<'_>,
        ids: &mut dyn FnMut() -> EntryId,
    ) -> Result<Vec<Command>, String> {
        let text_error = |error: roadbook_protocol::document::CommandError| error.to_string();
        let at = common.at;
        let contact = known.map(|(_, contact, _)| contact);
        let mut assigner = Assigner::new(contact, at).defined(common.defined);
        for (field, text) in &self.values {
            if known.is_none_or(|(row, _, update)| wants(row, field, text, update)) {
                assigner.assign(field, text, ids).map_err(text_error)?;
            }
        }
        let (system, id) = &self.key;
        if !id.is_empty() && known.is_none_or(|(row, ..)| row.external_ids.get(system) != Some(id))
        {
            assigner.assign(&format!("external_ids.{system}"), id, ids).map_err(text_error)?;
        }
        if !self.note.is_empty() {
            let present = known.map_or("", |(row, ..)| row.note.as_str());
            // What a rep wrote is kept: an import adds to a note and never replaces it.
            if present.is_empty() {
                assigner.assign("note", &self.note, ids).map_err(text_error)?;
            } else if !present.contains(&self.note) {
                assigner
                    .assign("note", &format!("{present}\n{}", self.note), ids)
                    .map_err(text_error)?;
            }
        }
        let mut commands = assigner.finish();
        let tagged = known.map(|(row, ..)| row.tags.as_slice()).unwrap_or_default();
        for (i, tag) in self.tags.iter().enumerate() {
            if !tagged.contains(tag) && !self.tags[..i].contains(tag) {
                commands.extend(assign(None, "tags", tag, ids, at).map_err(text_error)?);
            }
        }
        self.reaches(known.map(|(row, ..)| row), at, ids, &mut commands)?;
        Ok(commands)
    }

    /// Phones and emails that the contact does not have yet are added; none is taken away.
    fn reaches(
        &self,
        known: Option<&Known>,
        at: UnixMs,
        ids: &mut dyn FnMut() -> EntryId,
        commands: &mut Vec<Command>,
    ) -> Result<(), String> {
        let place = known.and_then(|row| region(&row.country)).or(self.region);
        let phone = |number: &str| phone_key(number, place).unwrap_or_else(|| number.to_owned());
        let known_phones = known.map(|row| row.phones.as_slice()).unwrap_or_default();
        let known_emails = known.map(|row| row.emails.as_slice()).unwrap_or_default();
        let mut there: Vec<String> = known_phones.iter().map(|number| phone(number)).collect();
        there.extend(known_emails.iter().map(|address| email_key(address)));
        let all = self
            .phones
            .iter()
            .map(|(label, number)| ("phone", label, number, phone(number)))
            .chain(
                self.emails
                    .iter()
                    .map(|(label, address)| ("email", label, address, email_key(address))),
            );
        for (field, label, text, key) in all {
            if there.contains(&key) {
                continue;
            }
            there.push(key);
            let mut added =
                assign(None, field, text, ids, at).map_err(|error| error.to_string())?;
            for command in &mut added {
                if let Command::Put { fields, .. } = command
                    && !label.is_empty()
                {
                    fields.insert("label".to_owned(), Some(Value::from(label.as_str())));
                }
            }
            commands.append(&mut added);
        }
        Ok(())
    }

    /// What differs from a contact as its row shows it; cheap, no document is read.
    pub fn differs(&self, row: &Known, update: Update, common: &Common<'_>) -> bool {
        if update == Update::Skip {
            return false;
        }
        let bare = bare_contact(row);
        // A row that can't be turned into commands was refused when it was read.
        self.commands(Some((row, &bare, update)), common, &mut nil_ids())
            .is_ok_and(|commands| commands.iter().any(|command| !is_so(row, command)))
    }
}

/// Whether the file's value should go over what the contact has.
fn wants(row: &Known, field: &str, text: &str, update: Update) -> bool {
    let filled = match field {
        "name" => row.fields.contains_key("given_name") || row.fields.contains_key("family_name"),
        "street" => !row.street.is_empty(),
        "postal_code" => !row.postal_code.is_empty(),
        "city" => !row.city.is_empty(),
        "region" => !row.region.is_empty(),
        "country" => !row.country.is_empty(),
        _ => match field.split_once('.') {
            Some(("custom", name)) => row.custom.contains_key(name),
            Some((_, system)) => row.external_ids.contains_key(system),
            None => row.fields.contains_key(field),
        },
    };
    !text.is_empty() && (update == Update::Overwrite || !filled)
}

/// Whether the contact already is as the command wants it.
fn is_so(row: &Known, command: &Command) -> bool {
    match command {
        Command::Set { field, value } => row.fields.get(field) == value.as_ref(),
        Command::Custom { name, value } => row.custom.get(name) == value.as_ref(),
        Command::ExternalId { system, id } => row.external_ids.get(system) == id.as_ref(),
        Command::Put { collection: Collection::Addresses, fields, .. } => {
            let present = first_address(row);
            fields.iter().all(|(name, value)| {
                let text = value.as_ref().and_then(Value::as_text).unwrap_or_default();
                present.get(name.as_str()).copied().unwrap_or_default() == text
            })
        }
        _ => false,
    }
}

fn first_address(row: &Known) -> BTreeMap<&'static str, &str> {
    BTreeMap::from([
        ("street", row.street.as_str()),
        ("postal_code", row.postal_code.as_str()),
        ("city", row.city.as_str()),
        ("region", row.region.as_str()),
        ("country", row.country.as_str()),
    ])
}

/// A contact with nothing in it but its note: enough to ask what a row would change.
fn bare_contact(row: &Known) -> Contact {
    Contact {
        id: row.id,
        display_name: row.display_name.clone(),
        fields: BTreeMap::new(),
        note: row.note.clone(),
        tags: Vec::new(),
        custom: BTreeMap::new(),
        external_ids: BTreeMap::new(),
        phones: Vec::new(),
        emails: Vec::new(),
        messengers: Vec::new(),
        addresses: Vec::new(),
        interactions: Vec::new(),
        deals: Vec::new(),
        purchases: Vec::new(),
        tasks: Vec::new(),
        consents: Vec::new(),
    }
}

/// A cell in the form that the field's own check reads.
fn plain_value(field: &str, text: &str, order: Option<DateOrder>) -> Result<String, String> {
    let Some(spec) = schema::field(field) else { return Ok(text.to_owned()) };
    Ok(match spec.kind {
        FieldKind::Date => date(text, order)?.to_string(),
        FieldKind::Bool => match compact(text).as_str() {
            "x" | "ja" | "si" | "oui" | "да" | "tak" | "wahr" => "yes".to_owned(),
            "nein" | "nej" | "non" | "нет" | "nie" | "falsch" => "no".to_owned(),
            _ => text.to_owned(),
        },
        _ => text.to_owned(),
    })
}

/// Ids for commands that are only looked at.
fn nil_ids() -> impl FnMut() -> EntryId {
    let mut n = 0_u128;
    move || {
        n += 1;
        EntryId::from_bytes(n.to_be_bytes())
    }
}
