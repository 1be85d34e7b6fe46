//! `field=value` of the command line and of CSV headers becomes commands. The names are those of
//! `docs/fields.md`.

use std::collections::BTreeMap;

use super::check::{self, parse_value};
use super::custom::CustomField;
use super::error::CommandError;
use super::name::split_name;
use super::note::splices_between;
use super::schema::{self, CUSTOM, Collection, EXTERNAL_IDS, NOTE, TAGS};
use super::value::Value;
use super::{Command, Contact};
use crate::ids::{EntryId, UnixMs};

/// The names that stand for the first entry of a collection: (name, collection, field).
pub const FIRST_ENTRY: &[(&str, Collection, &str)] = &[
    ("phone", Collection::Phones, "number"),
    ("email", Collection::Emails, "address"),
    ("street", Collection::Addresses, "street"),
    ("postal_code", Collection::Addresses, "postal_code"),
    ("city", Collection::Addresses, "city"),
    ("region", Collection::Addresses, "region"),
    ("country", Collection::Addresses, "country"),
];

/// The one name that is split into two fields.
pub const NAME: &str = "name";

/// Every name that can be assigned, besides `custom.NAME` and `external_ids.SYSTEM`.
pub fn assignable() -> impl Iterator<Item = &'static str> {
    [NAME, TAGS, NOTE]
        .into_iter()
        .chain(FIRST_ENTRY.iter().map(|(name, ..)| *name))
        .chain(schema::FIELDS.iter().map(|spec| spec.name))
}

/// Collects several `field=value` of one contact, so that the parts of an address land in one
/// address. Made for one contact and used for one edit.
///
/// `phone`, `email` and the parts of the address are those of the first entry (the one that was
/// created first), which is created if there is none. `tags` (separated by commas) and `note`
/// replace what is there. `name` is split by [`split_name`] and gives way to `given_name` and
/// `family_name` where those are assigned too. Empty text clears a field; of `phone` and `email` it
/// removes the entry.
pub struct Assigner<'a> {
    contact: Option<&'a Contact>,
    defined: &'a [CustomField],
    at: UnixMs,
    commands: Vec<Command>,
    name: Option<(String, String)>,
    own_names: [bool; 2],
    entries: BTreeMap<Collection, (EntryId, BTreeMap<String, Option<Value>>)>,
    removed: Vec<(Collection, EntryId)>,
}

impl<'a> Assigner<'a> {
    /// For a contact as it is, or for a new one. `at` is when the edit is made, in milliseconds
    /// since 1970.
    pub fn new(contact: Option<&'a Contact>, at: UnixMs) -> Self {
        Self {
            contact,
            defined: &[],
            at,
            commands: Vec::new(),
            name: None,
            own_names: [false; 2],
            entries: BTreeMap::new(),
            removed: Vec::new(),
        }
    }

    /// With the custom fields that the workspace has defined: what is assigned to one of them is read by its
    /// kind, under its own spelling. Others take text.
    pub fn defined(self, defined: &'a [CustomField]) -> Self {
        Self { defined, ..self }
    }

    /// Takes one assignment. `ids` makes the ids of new entries. On error nothing was taken, and
    /// the assigner can go on.
    pub fn assign(
        &mut self,
        name: &str,
        text: &str,
        ids: &mut dyn FnMut() -> EntryId,
    ) -> Result<(), CommandError> {
        let text = text.trim();
        if let Some((_, collection, field)) = FIRST_ENTRY.iter().find(|(n, ..)| *n == name) {
            return self.first_entry(*collection, field, text, ids);
        }
        match name {
            NAME => {
                self.name = Some(split_name(text));
                return Ok(());
            }
            TAGS => return self.tags(text),
            NOTE => {
                let now = self.contact.map_or("", |contact| contact.note.as_str());
                let splices = splices_between(now, text);
                self.commands.retain(|command| !matches!(command, Command::EditNote { .. }));
                if !splices.is_empty() {
                    self.commands.push(Command::EditNote { splices });
                }
                return Ok(());
            }
            _ => {}
        }
        if let Some(custom) = name.strip_prefix(CUSTOM).and_then(|rest| rest.strip_prefix('.')) {
            let name = check::chosen_name(CUSTOM, custom)?;
            let (name, value) = match CustomField::named(self.defined, name) {
                Some(field) => (field.name.clone(), field.parse(text)?),
                None => (name.to_owned(), (!text.is_empty()).then(|| Value::from(text))),
            };
            self.commands.push(Command::Custom { name, value });
            return Ok(());
        }
        if let Some(system) = name.strip_prefix(EXTERNAL_IDS).and_then(|s| s.strip_prefix('.')) {
            let system = check::chosen_name(EXTERNAL_IDS, system)?.to_owned();
            let id = (!text.is_empty()).then(|| text.to_owned());
            self.commands.push(Command::ExternalId { system, id });
            return Ok(());
        }
        let spec = schema::field(name).ok_or_else(|| check::unknown(name, assignable()))?;
        let value = parse_value(spec, text)?;
        match name {
            "given_name" => self.own_names[0] = true,
            "family_name" => self.own_names[1] = true,
            _ => {}
        }
        self.commands.push(Command::Set { field: name.to_owned(), value });
        Ok(())
    }

    fn first_entry(
        &mut self,
        collection: Collection,
        field: &str,
        text: &str,
        ids: &mut dyn FnMut() -> EntryId,
    ) -> Result<(), CommandError> {
        let spec = check::entry_field(collection, field)?;
        let value = parse_value(spec, text)?;
        let first = self.contact.and_then(|c| c.entries(collection).first()).map(|e| e.id);
        let required = collection.required().contains(&field);
        if value.is_none() && required {
            // A phone without a number is no phone.
            self.entries.remove(&collection);
            if let Some(id) = first
                && !self.removed.contains(&(collection, id))
            {
                self.removed.push((collection, id));
            }
            return Ok(());
        }
        if value.is_none() && first.is_none() && !self.entries.contains_key(&collection) {
            return Ok(());
        }
        self.removed.retain(|(removed, _)| *removed != collection);
        let (_, fields) = self
            .entries
            .entry(collection)
            .or_insert_with(|| (first.unwrap_or_else(ids), BTreeMap::new()));
        fields.insert(field.to_owned(), value);
        Ok(())
    }

    fn tags(&mut self, text: &str) -> Result<(), CommandError> {
        let mut wanted = Vec::new();
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            wanted.push(check::tag(tag)?.to_owned());
        }
        let there = self.contact.map(|contact| contact.tags.as_slice()).unwrap_or_default();
        let tagging = |c: &Command| matches!(c, Command::Tag { .. } | Command::Untag { .. });
        self.commands.retain(|command| !tagging(command));
        for tag in there.iter().filter(|tag| !wanted.contains(tag)) {
            self.commands.push(Command::Untag { tag: tag.clone() });
        }
        for (index, tag) in wanted.iter().enumerate() {
            if !there.contains(tag) && !wanted[..index].contains(tag) {
                self.commands.push(Command::Tag { tag: tag.clone(), at: self.at });
            }
        }
        Ok(())
    }

    /// The commands, for one edit.
    pub fn finish(self) -> Vec<Command> {
        let mut commands = Vec::new();
        if let Some((given, family)) = self.name {
            let parts = [("given_name", given), ("family_name", family)];
            for ((field, part), own) in parts.into_iter().zip(self.own_names) {
                if !own {
                    let value = (!part.is_empty()).then_some(Value::Text(part));
                    commands.push(Command::Set { field: field.to_owned(), value });
                }
            }
        }
        commands.extend(self.commands);
        for (collection, (id, fields)) in self.entries {
            let there = self
                .contact
                .is_some_and(|contact| contact.entries(collection).iter().any(|e| e.id == id));
            if there || fields.values().any(Option::is_some) {
                commands.push(Command::Put { collection, id, fields });
            }
        }
        for (collection, id) in self.removed {
            commands.push(Command::Remove { collection, id });
        }
        commands
    }
}

/// One assignment alone: see [`Assigner`]. Several for one contact go through one [`Assigner`].
pub fn assign(
    contact: Option<&Contact>,
    name: &str,
    text: &str,
    ids: &mut dyn FnMut() -> EntryId,
    at: UnixMs,
) -> Result<Vec<Command>, CommandError> {
    let mut assigner = Assigner::new(contact, at);
    assigner.assign(name, text, ids)?;
    Ok(assigner.finish())
}
