//! What people write: commands, and by what they are recognised later.

use std::collections::BTreeMap;

use fastrand::Rng;
use roadbook_protocol::document::{Collection, Command, Splice, Value};
use roadbook_protocol::ids::{EntryId, UnixMs};

use crate::oracle::Marker;

const FIELDS: &[&str] = &["title", "company", "industry", "given_name", "family_name"];

/// The commands of one edit.
pub fn commands(rng: &mut Rng, now: UnixMs) -> (Vec<Command>, Marker) {
    match rng.u32(..100) {
        0..40 => interaction(rng, now),
        40..68 => passing(set(rng)),
        68..84 => note(rng),
        84..90 => passing(tag(rng, now)),
        90..95 => passing(phone(rng)),
        95..96 => {
            // What is there already: an edit that comes to nothing.
            let field = "status".to_owned();
            (vec![Command::Set { field, value: Some("lead".into()) }], Marker::Passing(None))
        }
        _ => {
            // A group is one change.
            let (mut group, marker) = interaction(rng, now);
            group.push(set(rng));
            group.push(tag(rng, now));
            (group, marker)
        }
    }
}

/// An edit of one command, and the words that it writes.
fn passing(command: Command) -> (Vec<Command>, Marker) {
    let words = match &command {
        Command::Set { value, .. } => value.as_ref().and_then(Value::as_text),
        Command::Tag { tag, .. } => Some(tag.as_str()),
        Command::Put { fields, .. } => fields.values().flatten().find_map(Value::as_text),
        _ => None,
    };
    let words = words.map(str::to_owned);
    (vec![command], Marker::Passing(words))
}

/// The commands that make a contact.
pub fn contact(rng: &mut Rng, number: usize) -> Vec<Command> {
    let text = |field: &str, value: String| Command::Set {
        field: field.to_owned(),
        value: Some(Value::from(value.as_str())),
    };
    vec![
        text("company", format!("Company {number}")),
        text("family_name", format!("Person {}", rng.u32(..))),
        phone(rng),
    ]
}

fn set(rng: &mut Rng) -> Command {
    let field = FIELDS[rng.usize(..FIELDS.len())].to_owned();
    let value = match rng.u8(..20) {
        0 => None,
        _ => Some(Value::from(format!("value {:x}", rng.u32(..)).as_str())),
    };
    Command::Set { field, value }
}

fn interaction(rng: &mut Rng, now: UnixMs) -> (Vec<Command>, Marker) {
    let id = EntryId::from_bytes(rng.u128(..).to_be_bytes());
    let summary = format!("visit {:016x}", rng.u64(..));
    let fields: BTreeMap<String, Option<Value>> = [
        ("kind".to_owned(), Some(Value::from("visit"))),
        ("at".to_owned(), Some(Value::Int(now))),
        ("summary".to_owned(), Some(Value::from(summary.as_str()))),
    ]
    .into();
    let put = Command::Put { collection: Collection::Interactions, id, fields };
    (vec![put], Marker::Interaction(id, summary))
}

fn note(rng: &mut Rng) -> (Vec<Command>, Marker) {
    let words = format!("[{:016x}]", rng.u64(..));
    let splice = Splice {
        at: 0,
        delete: 0,
        insert: words.clone(),
        before: String::new(),
        after: String::new(),
        deleted: String::new(),
        cursor: None,
    };
    (vec![Command::EditNote { splices: vec![splice] }], Marker::Note(words))
}

fn tag(rng: &mut Rng, at: UnixMs) -> Command {
    let tag = format!("tag {}", rng.u8(..6));
    match rng.u8(..3) {
        0 => Command::Untag { tag },
        _ => Command::Tag { tag, at },
    }
}

fn phone(rng: &mut Rng) -> Command {
    let id = EntryId::from_bytes([rng.u8(..5); 16]);
    let number = format!("+49 30 {:07}", rng.u32(..10_000_000));
    let fields: BTreeMap<String, Option<Value>> =
        [("number".to_owned(), Some(Value::from(number.as_str())))].into();
    Command::Put { collection: Collection::Phones, id, fields }
}
