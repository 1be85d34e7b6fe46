//! The rules of the document, each played as a scene between replicas.

mod assigning;
mod conflicting;
mod convergence;
mod editing;
mod hostile;
mod looking_back;
mod noting;
mod projecting;
mod replaying;
mod rewriting;

use std::collections::BTreeMap;

use automerge::{Automerge, Change, ChangeHash, ReadDoc};

use super::*;
use crate::ids::{Actor, ContactId, EntryId, UserId};
use crate::limits::Limits;

const ID: ContactId = ContactId(uuid::Uuid::nil());

fn user(n: u8) -> UserId {
    UserId::from_random([n; 16])
}

fn entry_id(n: u8) -> EntryId {
    EntryId::from_time(1_700_000_000_000 + u64::from(n), [n; 10])
}

/// One device: a document, an actor and a user.
#[derive(Clone)]
struct Replica {
    doc: Automerge,
    actor: Actor,
    user: UserId,
    clock: i64,
}

impl Replica {
    fn new(n: u8) -> Self {
        Self {
            doc: new_document(),
            actor: Actor::from_random([n; 16]),
            user: user(n),
            clock: 1_700_000_000_000,
        }
    }

    /// Another device with what this one has.
    fn fork(&self, n: u8) -> Self {
        let mut fork = Self { actor: Actor::from_random([n; 16]), user: user(n), ..self.clone() };
        fork.doc.set_actor(fork.actor.into());
        fork
    }

    fn author(&mut self) -> Author {
        self.clock += 1000;
        Author { by: self.user, at: self.clock }
    }

    fn try_edit(&mut self, commands: &[Command]) -> Result<Applied, CommandError> {
        let author = self.author();
        let options = EditOptions::default();
        apply(&mut self.doc, self.actor, commands, &author, &options, &Limits::DEFAULT)
    }

    /// The hash of the one change that the commands make.
    fn edit(&mut self, commands: &[Command]) -> ChangeHash {
        match self.try_edit(commands).unwrap() {
            Applied::Change { hash, bytes } => {
                // What is handed out is the raw change itself.
                assert_eq!(Change::from_bytes(bytes).unwrap().hash(), hash);
                hash
            }
            Applied::Unchanged => panic!("nothing changed by {commands:?}"),
        }
    }

    fn set(&mut self, field: &str, value: impl Into<Value>) -> ChangeHash {
        self.edit(&[set(field, value)])
    }

    fn note(&mut self, text: &str) -> ChangeHash {
        let splices = note_splices(&self.doc, text);
        self.edit(&[Command::EditNote { splices }])
    }

    fn merge(&mut self, other: &mut Replica) {
        self.doc.merge(&mut other.doc).unwrap();
    }

    fn sync(&mut self, other: &mut Replica) {
        self.merge(other);
        other.merge(self);
        assert_same(&self.doc, &other.doc);
    }

    fn read(&self) -> Contact {
        read(ID, &self.doc)
    }

    fn conflicts(&self) -> Vec<Conflict> {
        let conflicts = conflicts(ID, &self.doc);
        let row = crate::projection::project(ID, &self.doc);
        assert_eq!(row.conflicts as usize, conflicts.len(), "the row counts what is listed");
        conflicts
    }
}

fn set(field: &str, value: impl Into<Value>) -> Command {
    Command::Set { field: field.into(), value: Some(value.into()) }
}

fn put(collection: Collection, id: EntryId, fields: &[(&str, Value)]) -> Command {
    let fields: BTreeMap<_, _> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect();
    Command::Put { collection, id, fields }
}

fn phone(n: u8, number: &str) -> Command {
    put(Collection::Phones, entry_id(n), &[("number", number.into())])
}

fn assert_same(a: &Automerge, b: &Automerge) {
    assert_eq!(a.get_heads(), b.get_heads());
    assert_eq!(read(ID, a), read(ID, b));
    assert_eq!(conflicts(ID, a), conflicts(ID, b));
    assert_eq!(crate::projection::project(ID, a), crate::projection::project(ID, b));
    assert_eq!(content_hash(a, None), content_hash(b, None));
    assert_eq!(authorship(a), authorship(b));
}

fn changes(doc: &Automerge) -> usize {
    doc.stats().num_changes as usize
}
