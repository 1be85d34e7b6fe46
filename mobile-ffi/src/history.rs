//! One contact and its past: what it is, what it was, who wrote what, what waits for a decision.

use std::time::SystemTime;

use roadbook_client_core::Replica;
use roadbook_protocol::document;
use roadbook_protocol::ids::UserId;

use crate::book::{Person, Roadbook};
use crate::edit::{Saved, contact_id};
use crate::error::Result;
use crate::fields::FieldPath;
use crate::model::Contact;
use crate::value::{Value, moment, unix_ms};

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ConflictSide {
    /// The value; none where this side deleted what the other changed.
    pub value: Option<Value>,
    /// Who wrote it.
    pub author: Person,
    /// When, as that device's clock said.
    pub at: SystemTime,
    /// Whether all replicas show this value until somebody decides.
    pub shown: bool,
}

/// A field that was changed on two sides at once, or an entry that one side deleted while another
/// changed it. `Edit.Resolve` decides it.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Conflict {
    /// The contact.
    pub contact_id: String,
    /// The field.
    pub field: FieldPath,
    /// Every side; at least two.
    pub sides: Vec<ConflictSide>,
}

/// What one change did to one field.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FieldChange {
    /// The field.
    pub field: FieldPath,
    /// What it was before, as far as this change knew.
    pub before: Option<Value>,
    /// What it is after.
    pub after: Option<Value>,
}

/// One change in the history of a contact.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Change {
    /// The change's own name.
    pub id: String,
    /// Who made it.
    pub author: Person,
    /// When, as that device's clock said.
    pub at: SystemTime,
    /// What kind of edit it was: `create`, `set`, `visit`, `undo` and so on.
    pub command: String,
    /// What it changed.
    pub fields: Vec<FieldChange>,
}

/// Who wrote the value that a field has now.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FieldAuthor {
    /// The field.
    pub field: FieldPath,
    /// Who.
    pub author: Person,
    /// When, as that device's clock said.
    pub at: SystemTime,
}

#[uniffi::export]
impl Roadbook {
    /// One contact, whole. `NotFound` where it is not on this device.
    pub fn contact(&self, contact_id: String) -> Result<Contact> {
        self.call("contact", |replica| {
            Ok(Contact::from_core(&replica.contact(self::contact_id(&contact_id)?)?))
        })
    }

    /// The contact as it was at a moment, by the clocks of those who changed it.
    pub fn contact_as_of(&self, contact_id: String, at: SystemTime) -> Result<Contact> {
        self.call("contact_as_of", |replica| {
            let id = self::contact_id(&contact_id)?;
            Ok(Contact::from_core(&replica.contact_as_of(id, unix_ms(at))?))
        })
    }

    /// The newest changes of a contact, newest first.
    #[uniffi::method(default(limit = 50))]
    pub fn history(&self, contact_id: String, limit: u32) -> Result<Vec<Change>> {
        self.call("history", |replica| {
            let mut people = People::new(replica);
            let items = replica.history(self::contact_id(&contact_id)?, limit as usize)?;
            Ok(items
                .into_iter()
                .map(|item| Change {
                    id: item.change,
                    author: people.person(item.author),
                    at: moment(item.at),
                    command: item.command,
                    fields: item.fields.iter().map(field_change).collect(),
                })
                .collect())
        })
    }

    /// Who wrote the value that each field of a contact has now.
    pub fn authors(&self, contact_id: String) -> Result<Vec<FieldAuthor>> {
        self.call("authors", |replica| {
            let mut people = People::new(replica);
            let authors = replica.authorship(self::contact_id(&contact_id)?)?;
            Ok(authors
                .into_iter()
                .map(|(path, authorship)| FieldAuthor {
                    field: FieldPath::parse(&path),
                    author: people.person(authorship.author),
                    at: moment(authorship.at),
                })
                .collect())
        })
    }

    /// What waits for a decision, in one contact or in all.
    #[uniffi::method(default(contact_id = None))]
    pub fn conflicts(&self, contact_id: Option<String>) -> Result<Vec<Conflict>> {
        self.call("conflicts", |replica| {
            let id = contact_id.as_deref().map(self::contact_id).transpose()?;
            let mut people = People::new(replica);
            Ok(replica
                .conflicts(id)?
                .into_iter()
                .map(|conflict| {
                    let field = FieldPath::parse(&conflict.field);
                    let kind = field.kind();
                    let typed = |value: &document::Value| Value::from_core(value, kind);
                    let sides = conflict
                        .values
                        .iter()
                        .map(|side| ConflictSide {
                            value: side.value.as_ref().map(typed),
                            author: people.person(side.author),
                            at: moment(side.at),
                            shown: side.shown,
                        })
                        .collect();
                    Conflict { contact_id: conflict.contact_id.to_string(), field, sides }
                })
                .collect())
        })
    }

    /// Decides a conflict: the value wins on every replica. The same as one `Edit.Resolve`.
    pub fn resolve(
        &self,
        contact_id: String,
        field: FieldPath,
        value: Option<Value>,
    ) -> Result<Option<Saved>> {
        self.edit(contact_id, vec![crate::Edit::Resolve { field, value }])
    }

    /// All users that the workspace's directory names, by login.
    pub fn users(&self) -> Result<Vec<Person>> {
        self.call("users", |replica| {
            Ok(replica
                .users()?
                .into_iter()
                .map(|user| Person {
                    id: user.user.to_string(),
                    login: user.login,
                    name: user.name,
                })
                .collect())
        })
    }
}

fn field_change(change: &document::FieldChange) -> FieldChange {
    let field = FieldPath::parse(&change.field);
    let kind = field.kind();
    let typed = |value: &document::Value| Value::from_core(value, kind);
    FieldChange {
        before: change.before.as_ref().map(typed),
        after: change.after.as_ref().map(typed),
        field,
    }
}

/// Names for the ids of authors. The directory is read once per call.
struct People {
    users: Vec<Person>,
}

impl People {
    fn new(replica: &Replica) -> People {
        // Without the directory an author is an id: better than no history.
        let users = replica.users().unwrap_or_default();
        let person = |user: roadbook_protocol::wire::DirectoryUser| Person {
            id: user.user.to_string(),
            login: user.login,
            name: user.name,
        };
        People { users: users.into_iter().map(person).collect() }
    }

    fn person(&mut self, user: UserId) -> Person {
        let id = user.to_string();
        match self.users.iter().find(|person| person.id == id) {
            Some(person) => person.clone(),
            None => {
                let unknown = Person { id, login: String::new(), name: String::new() };
                self.users.push(unknown.clone());
                unknown
            }
        }
    }
}
