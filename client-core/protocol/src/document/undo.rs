//! The commands that undo what a change did.

use std::collections::BTreeMap;

use automerge::{Automerge, ChangeHash, ReadDoc};

use super::bootstrap::note_text;
use super::error::CommandError;
use super::history::{self, Names, Touch};
use super::note::{Plan, splices_between};
use super::path::Path;
use super::scan::{self, View};
use super::schema::Collection;
use super::value::Value;
use super::{Command, bootstrap};
use crate::ids::EntryId;

/// The commands that undo what a change did: values before it are restored, entries it created are
/// deleted, deletions taken back, its edits of the note reversed. They are an edit of their own.
///
/// # Errors
/// [`CommandError::NothingToUndo`] where the change is not in the document or changed nothing that
/// can be undone, [`CommandError::ChangedSince`] where one of its fields has another value since.
pub fn inverse(doc: &Automerge, change: ChangeHash) -> Result<Vec<Command>, CommandError> {
    let nothing = |reason: &str| CommandError::NothingToUndo { reason: reason.to_owned() };
    if bootstrap::is_bootstrap(&change) {
        return Err(nothing("that change only prepared the document"));
    }
    let Some(found) = doc.get_change_by_hash(&change) else {
        return Err(nothing("the contact does not have that edit"));
    };
    let mut commands = Vec::new();
    let mut created: Vec<(Collection, EntryId)> = Vec::new();
    let mut updates: BTreeMap<(Collection, EntryId), BTreeMap<String, Option<Value>>> =
        BTreeMap::new();
    for touch in Names::new(doc).touches(&found) {
        if touch.path == Path::Note {
            commands.extend(undo_note(doc, &found)?);
            continue;
        }
        check_unchanged(doc, change, &touch)?;
        let before = history::before(doc, &found, &touch);
        match touch.path {
            Path::Field(collection, id, _) if touch.created => {
                if !created.contains(&(collection, id)) {
                    check_entry_untouched(doc, change, collection, id)?;
                    created.push((collection, id));
                    commands.push(Command::Remove { collection, id });
                }
            }
            _ if before == touch.after => {}
            Path::Field(collection, id, field) => {
                updates.entry((collection, id)).or_default().insert(field, before);
            }
            Path::Root(field) => commands.push(Command::Set { field, value: before }),
            Path::Custom(name) => commands.push(Command::Custom { name, value: before }),
            Path::External(system) => {
                let id = before.map(|value| value.to_string());
                commands.push(Command::ExternalId { system, id });
            }
            Path::Tag(tag) => match (before, touch.after) {
                (None, Some(_)) => commands.push(Command::Untag { tag }),
                (Some(at), None) => {
                    commands.push(Command::Tag { tag, at: at.as_int().unwrap_or_default() });
                }
                // Re-affirming a tag changed nothing that one could see.
                _ => {}
            },
            Path::Entry(collection, id) => {
                let deleted = !matches!(touch.after, None | Some(Value::Bool(false)));
                commands.push(match deleted {
                    true => Command::Restore { collection, id },
                    false => Command::Remove { collection, id },
                });
            }
            Path::Note => {}
        }
    }
    for ((collection, id), fields) in updates {
        commands.push(Command::Put { collection, id, fields });
    }
    if commands.is_empty() {
        return Err(nothing("that edit left everything as it was"));
    }
    Ok(commands)
}

/// The field still has the value of that change, and no other beside it.
fn check_unchanged(doc: &Automerge, change: ChangeHash, touch: &Touch) -> Result<(), CommandError> {
    let sides = View::now(doc).all(&touch.obj, &touch.key);
    // Set away and back again (by the undo of a later edit) is as good as never touched.
    let back = matches!(&sides[..], [(value, _)] if scan::scalar_value(value) == touch.after);
    let untouched = back || sides.iter().all(|(_, op)| doc.hash_for_opid(op) == Some(change));
    // A removed key (a tag) leaves no operation behind: nobody wrote it since.
    let gone = sides.is_empty() && touch.after.is_none();
    if untouched && !sides.is_empty() || gone {
        return Ok(());
    }
    Err(CommandError::ChangedSince { field: touch.path.to_string() })
}

/// Nobody put anything into an entry that the change created, nor deleted it.
fn check_entry_untouched(
    doc: &Automerge,
    change: ChangeHash,
    collection: Collection,
    id: EntryId,
) -> Result<(), CommandError> {
    let view = View::now(doc);
    let maps = view.entry_maps(collection, id);
    let mut foreign = None;
    scan::entry(view, collection, id, &maps, &mut |entry| {
        let fields = entry.fields.iter().chain(entry.tombstone);
        for field in fields {
            let sides = scan::sides(view, entry.maps, &field.key);
            if sides.iter().any(|(_, op)| doc.hash_for_opid(op) != Some(change)) {
                foreign = Some(Path::Field(collection, id, field.key.to_string()).to_string());
            }
        }
    });
    match foreign {
        Some(field) => Err(CommandError::ChangedSince { field }),
        None => Ok(()),
    }
}

/// Reverses the splices of a change in the note as it is now.
fn undo_note(doc: &Automerge, change: &automerge::Change) -> Result<Option<Command>, CommandError> {
    let note = note_text();
    let after = View::at(doc, &[change.hash()]).text(&note);
    let before = View::at(doc, change.deps()).text(&note);
    let now = doc.text(&note).unwrap_or_default();
    let back = splices_between(&after, &before);
    let splices = if now == after {
        back
    } else {
        let mut plan = Plan::new(&now);
        for splice in &back {
            plan.relocate(splice, None);
        }
        if !plan.is_faithful() {
            return Err(CommandError::ChangedSince { field: "note".to_owned() });
        }
        splices_between(&now, &plan.text())
    };
    Ok((!splices.is_empty()).then_some(Command::EditNote { splices }))
}
