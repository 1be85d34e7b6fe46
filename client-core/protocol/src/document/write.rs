//! One command after the other is written into an open transaction.
//!
//! Each command finds out whether it can be carried out before it writes its first operation, so
//! that a replay can go on with the next one.

use std::collections::{BTreeMap, BTreeSet};

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value as AmValue};

use super::bootstrap::{collection_map, custom_map, external_ids_map, note_text, tags_map};
use super::edit::damaged;
use super::error::CommandError;
use super::path::Path;
use super::schema::{CUSTOM, Collection, DELETED, EXTERNAL_IDS};
use super::value::Value;
use super::{Command, Splice, bootstrap, check, note, scan};
use crate::ids::{EntryId, UnixMs};
use crate::limits::Limits;

/// How positions in the note are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoteMode {
    /// In the text as it is.
    Exact,
    /// In a text that is no longer there: the place is found again, or the text is appended.
    Relocate,
}

/// The command with its values normalised (white space alone clears a field), if they fit.
pub(crate) fn checked(command: &Command, limits: &Limits) -> Result<Command, CommandError> {
    let mut command = command.clone();
    match &mut command {
        Command::Set { field, value } => {
            let spec = check::root_field(field)?;
            *value = check::value(field, spec, value, limits)?.into_owned();
        }
        Command::Put { collection, id, fields } => {
            for (name, value) in fields {
                let spec = check::entry_field(*collection, name)?;
                let path = Path::Field(*collection, *id, name.clone()).to_string();
                *value = check::value(&path, spec, value, limits)?.into_owned();
            }
        }
        Command::Tag { tag, .. } => *tag = check::tag(tag)?.to_owned(),
        Command::Custom { name, value } => {
            *name = check::chosen_name("custom", name)?.to_owned();
            *value = check::custom(name, value, limits)?;
        }
        Command::ExternalId { system, id } => {
            *system = check::chosen_name("external_ids", system)?.to_owned();
            if let Some(text) = id {
                let checked = check::custom(system, &Some(Value::Text(text.clone())), limits)?;
                if checked.is_none() {
                    *id = None;
                }
            }
        }
        Command::Resolve { field, value } => check_resolve(field, value, limits)?,
        Command::Untag { tag } => *tag = tag.trim().to_owned(),
        Command::Remove { .. } | Command::Restore { .. } | Command::EditNote { .. } => {}
    }
    Ok(command)
}

/// A field that this version does not know may be resolved too: see [`Writer::resolve`].
fn check_resolve(
    field: &str,
    value: &mut Option<Value>,
    limits: &Limits,
) -> Result<(), CommandError> {
    let known = match Path::parse(field) {
        Path::Root(name) => super::schema::field(&name),
        Path::Field(collection, _, name) => {
            collection.fields().iter().find(|spec| spec.name == name)
        }
        Path::Note | Path::Tag(_) => {
            return Err(CommandError::Invalid {
                field: field.to_owned(),
                reason: "concurrent edits of it are merged and never in conflict".to_owned(),
                way_out: "edit it".to_owned(),
            });
        }
        Path::Custom(_) | Path::External(_) | Path::Entry(..) => None,
    };
    *value = match known {
        Some(spec) => check::value(field, spec, value, limits)?.into_owned(),
        None => check::custom(field, value, limits)?,
    };
    Ok(())
}

/// Roughly the bytes that a command adds to a change; never less than it really adds.
pub(crate) fn size_guess(command: &Command) -> usize {
    let op = 32;
    let text = |value: &Option<Value>| match value {
        Some(Value::Text(text)) => text.len() + op,
        _ => op,
    };
    match command {
        Command::Set { field, value } | Command::Resolve { field, value } => {
            2 * (field.len() + text(value))
        }
        Command::Custom { name, value } => 2 * (name.len() + text(value)),
        Command::Put { fields, .. } => {
            64 + fields.iter().map(|(name, value)| 2 * (name.len() + text(value))).sum::<usize>()
        }
        Command::ExternalId { system, id } => {
            2 * (system.len() + op + id.as_ref().map_or(0, String::len))
        }
        Command::Tag { tag, .. } | Command::Untag { tag } => 2 * (tag.len() + op),
        Command::Remove { .. } | Command::Restore { .. } => 2 * op,
        Command::EditNote { splices } => {
            splices.iter().map(|splice| op + splice.insert.len() * 4 + splice.delete * 8).sum()
        }
    }
}

/// Writes commands into one transaction.
pub(crate) struct Writer<'t, 'd> {
    tx: &'t mut Transaction<'d>,
    limits: &'t Limits,
    /// Entries whose deletion is decided again although they carry a tombstone.
    contested: &'t BTreeSet<(Collection, EntryId)>,
    decisions: Vec<String>,
}

impl<'t, 'd> Writer<'t, 'd> {
    /// Runs `body` with a writer; gives the decision for the message, if a conflict was decided.
    pub(crate) fn run(
        tx: &'t mut Transaction<'d>,
        limits: &'t Limits,
        contested: &'t BTreeSet<(Collection, EntryId)>,
        body: &mut (dyn FnMut(&mut Writer<'_, '_>) -> Result<(), CommandError> + '_),
    ) -> Result<Option<String>, CommandError> {
        let mut writer = Writer { tx, limits, contested, decisions: Vec::new() };
        body(&mut writer)?;
        let decision = writer.decisions.join("; ");
        Ok((!decision.is_empty()).then(|| decision.chars().take(500).collect()))
    }

    /// Writes one command. A text is what is to be told about it although it was written.
    pub(crate) fn write(
        &mut self,
        command: &Command,
        mode: NoteMode,
    ) -> Result<Option<String>, CommandError> {
        match command {
            Command::Set { field, value } => self.put(&[ROOT], field, value, field)?,
            Command::Custom { name, value } => self.put(&[custom_map()], name, value, name)?,
            Command::ExternalId { system, id } => {
                let value = id.clone().map(Value::Text);
                self.put(&[external_ids_map()], system, &value, system)?;
            }
            Command::Put { collection, id, fields } => self.put_entry(*collection, *id, fields)?,
            Command::Remove { collection, id } => self.remove(*collection, *id)?,
            Command::Restore { collection, id } => self.restore(*collection, *id)?,
            Command::Tag { tag, at } => self.tag(tag, *at)?,
            Command::Untag { tag } => {
                if !self.all(&tags_map(), tag).is_empty() {
                    self.did(tag, |tx| tx.delete(tags_map(), tag.as_str()))?;
                }
            }
            Command::EditNote { splices } => return self.edit_note(splices, mode),
            Command::Resolve { field, value } => self.resolve(field, value)?,
        }
        Ok(None)
    }

    fn did<T>(
        &mut self,
        path: &str,
        step: impl FnOnce(&mut Transaction<'d>) -> Result<T, AutomergeError>,
    ) -> Result<T, CommandError> {
        step(self.tx).map_err(|error| damaged(path, &error))
    }

    fn all(&self, map: &ObjId, key: &str) -> Vec<(AmValue<'_>, ObjId)> {
        self.tx.get_all(map, key).unwrap_or_default()
    }

    /// Makes `value` the only value of a key, with no operation if it already is. `maps` is more
    /// than one where two devices created the same entry separately.
    fn put(
        &mut self,
        maps: &[ObjId],
        key: &str,
        value: &Option<Value>,
        path: &str,
    ) -> Result<(), CommandError> {
        let mut sides: Vec<(Option<Value>, ObjId)> = Vec::new();
        let mut container = false;
        for map in maps {
            for (side, op) in self.all(map, key) {
                container |= matches!(side, AmValue::Object(_));
                sides.push((scan::scalar_value(&side), op));
            }
        }
        let unset = sides.is_empty() && value.is_none();
        let settled = !sides.is_empty() && sides.iter().all(|(side, _)| side == value);
        if unset || settled && !container {
            return Ok(());
        }
        self.put_anew(maps, key, scan::to_scalar(value), path)
    }

    /// Puts a value with an operation of its own, whatever was there. Automerge turns a put of the
    /// value that wins a conflict into a deletion of the others, so that a concurrent decision for
    /// another value would win without a trace; after a deletion it is a put.
    fn put_anew(
        &mut self,
        maps: &[ObjId],
        key: &str,
        value: ScalarValue,
        path: &str,
    ) -> Result<(), CommandError> {
        let Some((last, others)) = maps.split_last() else { return Ok(()) };
        for map in others {
            if !self.all(map, key).is_empty() {
                self.did(path, |tx| tx.delete(map, key))?;
            }
        }
        let winner = self.all(last, key).pop();
        let equal =
            |winner: &AmValue<'_>| matches!(winner, AmValue::Scalar(scalar) if **scalar == value);
        if winner.is_some_and(|(winner, _)| equal(&winner)) {
            self.did(path, |tx| tx.delete(last, key))?;
        }
        self.did(path, |tx| tx.put(last, key, value))
    }

    fn entry_maps(&self, collection: Collection, id: EntryId) -> Vec<ObjId> {
        scan::maps_of(self.all(&collection_map(collection), &id.to_string()))
    }

    fn existing(&self, collection: Collection, id: EntryId) -> Result<Vec<ObjId>, CommandError> {
        let maps = self.entry_maps(collection, id);
        if maps.is_empty() {
            return Err(CommandError::NoSuchEntry {
                path: Path::Entry(collection, id).to_string(),
            });
        }
        Ok(maps)
    }

    fn put_entry(
        &mut self,
        collection: Collection,
        id: EntryId,
        fields: &BTreeMap<String, Option<Value>>,
    ) -> Result<(), CommandError> {
        let mut maps = self.entry_maps(collection, id);
        self.check_complete(collection, id, fields, &maps)?;
        let path = Path::Entry(collection, id).to_string();
        if maps.is_empty() {
            let map = collection_map(collection);
            maps = vec![self.did(&path, |tx| tx.put_object(map, id.to_string(), ObjType::Map))?];
        }
        for (name, value) in fields {
            self.put(&maps, name, value, &path)?;
        }
        Ok(())
    }

    /// A new entry has its required fields, and an amount has a currency.
    fn check_complete(
        &self,
        collection: Collection,
        id: EntryId,
        fields: &BTreeMap<String, Option<Value>>,
        maps: &[ObjId],
    ) -> Result<(), CommandError> {
        let given = |name: &str| fields.get(name).is_some_and(Option::is_some);
        let path = || Path::Entry(collection, id).to_string();
        let missing = |field: &str| CommandError::Invalid {
            field: path(),
            reason: format!("a {} needs `{field}`", collection.singular()),
            way_out: format!("give `{field}`, or check that the id is right"),
        };
        if maps.is_empty() {
            if let Some(field) = collection.required().iter().find(|field| !given(field)) {
                return Err(missing(field));
            }
            if !fields.values().any(Option::is_some) {
                return Err(CommandError::Invalid {
                    field: path(),
                    reason: "the new entry is empty".to_owned(),
                    way_out: "give at least one field".to_owned(),
                });
            }
        }
        if given("amount") && !given("currency") {
            let cleared = fields.contains_key("currency");
            let there = maps.iter().any(|map| {
                self.all(map, "currency").iter().any(|(v, _)| scan::scalar_value(v).is_some())
            });
            if cleared || !there {
                return Err(missing("currency"));
            }
        }
        Ok(())
    }

    fn is_deleted(&self, maps: &[ObjId]) -> bool {
        let sides = maps.iter().flat_map(|map| self.all(map, DELETED));
        let winner = sides.max_by(|a, b| a.1.cmp(&b.1));
        winner.is_some_and(|(value, _)| match value {
            AmValue::Scalar(value) => {
                !matches!(*value, ScalarValue::Null | ScalarValue::Boolean(false))
            }
            AmValue::Object(_) => false,
        })
    }

    fn remove(&mut self, collection: Collection, id: EntryId) -> Result<(), CommandError> {
        let maps = self.existing(collection, id)?;
        let path = Path::Entry(collection, id).to_string();
        if self.contested.contains(&(collection, id)) {
            return self.put_anew(&maps, DELETED, ScalarValue::Boolean(true), &path);
        }
        self.put(&maps, DELETED, &Some(Value::Bool(true)), &path)
    }

    fn restore(&mut self, collection: Collection, id: EntryId) -> Result<(), CommandError> {
        let maps = self.existing(collection, id)?;
        let path = Path::Entry(collection, id).to_string();
        let sides: usize = maps.iter().map(|map| self.all(map, DELETED).len()).sum();
        if sides > 1 || self.is_deleted(&maps) {
            self.put(&maps, DELETED, &Some(Value::Bool(false)), &path)?;
        }
        Ok(())
    }

    /// Each tagging is a later instant than the one before, so that it is an operation, and a
    /// concurrent removal of the older one does not win.
    fn tag(&mut self, tag: &str, at: UnixMs) -> Result<(), CommandError> {
        let sides = self.all(&tags_map(), tag);
        let instants: Vec<i64> =
            sides.iter().filter_map(|(value, _)| scan::scalar_value(value)?.as_int()).collect();
        let at = match instants.iter().max() {
            Some(last) if instants.len() == 1 && *last == at => return Ok(()),
            Some(last) => at.max(last.saturating_add(1)),
            None => at,
        };
        self.put_anew(&[tags_map()], tag, ScalarValue::Int(at), tag)
    }

    fn resolve(&mut self, field: &str, value: &Option<Value>) -> Result<(), CommandError> {
        let before = self.tx.pending_ops();
        match Path::parse(field) {
            Path::Entry(collection, id) if value.is_none() => self.remove(collection, id)?,
            Path::Entry(collection, id) => self.restore(collection, id)?,
            Path::Root(name) => {
                let known = super::schema::field(&name).is_some();
                self.present(known, &[ROOT], &name)?;
                self.put(&[ROOT], &name, value, field)?;
            }
            Path::Custom(name) => {
                self.present(check::chosen_name(CUSTOM, &name).is_ok(), &[custom_map()], &name)?;
                self.put(&[custom_map()], &name, value, field)?;
            }
            Path::External(name) => {
                let map = [external_ids_map()];
                self.present(check::chosen_name(EXTERNAL_IDS, &name).is_ok(), &map, &name)?;
                self.put(&map, &name, value, field)?;
            }
            Path::Field(collection, id, name) => {
                let maps = self.existing(collection, id)?;
                let known = collection.fields().iter().any(|spec| spec.name == name);
                self.present(known, &maps, &name)?;
                self.put(&maps, &name, value, field)?;
            }
            Path::Note | Path::Tag(_) => {}
        }
        if self.tx.pending_ops() > before {
            let shown = value.as_ref().map_or_else(|| "(none)".to_owned(), Value::to_string);
            let shown: String = shown.chars().take(80).collect();
            self.decisions.push(format!("{field}: {shown}"));
        }
        Ok(())
    }

    /// A field that this version does not know can be decided, but not invented.
    fn present(&self, known: bool, maps: &[ObjId], name: &str) -> Result<(), CommandError> {
        let reserved = maps == [ROOT] && bootstrap::is_reserved(name) || name == DELETED;
        let there = maps.iter().any(|map| !self.all(map, name).is_empty());
        if known || there && !reserved {
            return Ok(());
        }
        Err(check::unknown(name, super::schema::FIELDS.iter().map(|spec| spec.name)))
    }

    fn edit_note(
        &mut self,
        splices: &[Splice],
        mode: NoteMode,
    ) -> Result<Option<String>, CommandError> {
        let obj = note_text();
        let text = self.tx.text(&obj).unwrap_or_default();
        let mut plan = note::Plan::new(&text);
        for splice in splices {
            match mode {
                NoteMode::Exact => plan.exact(splice)?,
                NoteMode::Relocate => {
                    let at = note::cursor_position(self.tx, splice);
                    plan.relocate(splice, at);
                }
            }
        }
        plan.check_size(self.limits)?;
        let (steps, told) = plan.finish();
        for step in steps {
            let delete = isize::try_from(step.delete).unwrap_or(isize::MAX);
            self.did("note", |tx| tx.splice_text(&obj, step.at, delete, &step.insert))?;
        }
        Ok(told)
    }
}
