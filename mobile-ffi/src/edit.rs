//! Typed edits. A group of them is one change: all of it is saved, or nothing; it is sent, merged and
//! taken back as one.

use std::collections::BTreeMap;
use std::time::SystemTime;

use roadbook_client_core::{Edit as CoreEdit, Error, Replica};
use roadbook_protocol::document::{self, Command};
use roadbook_protocol::ids::{ContactId, EntryId};

use crate::book::Roadbook;
use crate::error::{Result, RoadbookError};
use crate::fields::{Collection, EntryField, Field, FieldPath};
use crate::value::{CalendarDate, ConsentState, InteractionKind, Money, Stage, Value, unix_ms};

/// One edit of a contact.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Edit {
    /// Sets a field of the contact itself.
    Set {
        /// Which.
        field: Field,
        /// The value; none clears the field.
        value: Option<Value>,
    },
    /// Sets a custom field.
    SetCustom {
        /// Its name.
        name: String,
        /// Text, a number, a flag or a date; none clears the field.
        value: Option<Value>,
    },
    /// Sets the id of this contact in another system.
    SetExternalId {
        /// Such as `crm` or `erp`.
        system: String,
        /// The id there; none clears it.
        id: Option<String>,
    },
    /// Adds a tag, or affirms it.
    AddTag {
        /// The tag.
        tag: String,
    },
    /// Removes a tag.
    RemoveTag {
        /// The tag.
        tag: String,
    },
    /// Replaces the text of the note. What did not change stays mergeable.
    SetNote {
        /// The new text.
        text: String,
        /// The note as the app showed it when its user began to write: what others wrote into it
        /// since then stays. None takes the note as it is now.
        shown: Option<String>,
    },
    /// Adds a line at the end of the note.
    AppendNote {
        /// The line.
        line: String,
    },
    /// Adds a phone number.
    AddPhone {
        /// What to add.
        phone: NewPhone,
    },
    /// Adds an email address.
    AddEmail {
        /// What to add.
        email: NewEmail,
    },
    /// Adds an account at a messenger.
    AddMessenger {
        /// What to add.
        messenger: NewMessenger,
    },
    /// Adds a postal address.
    AddAddress {
        /// What to add.
        address: NewAddress,
    },
    /// Adds an interaction.
    AddInteraction {
        /// What to add.
        interaction: NewInteraction,
    },
    /// Adds a deal.
    AddDeal {
        /// What to add.
        deal: NewDeal,
    },
    /// Adds a purchase.
    AddPurchase {
        /// What to add.
        purchase: NewPurchase,
    },
    /// Adds a task.
    AddTask {
        /// What to add.
        task: NewTask,
    },
    /// Adds a statement of consent.
    AddConsent {
        /// What to add.
        consent: NewConsent,
    },
    /// Sets one field of an entry that is there.
    Change {
        /// The entry.
        id: String,
        /// Which of its fields; the collection follows from it.
        field: EntryField,
        /// The value; none clears the field.
        value: Option<Value>,
    },
    /// Marks a task as done, now.
    CompleteTask {
        /// The task.
        id: String,
    },
    /// Deletes an entry. It can be restored.
    Remove {
        /// Where.
        collection: Collection,
        /// Which.
        id: String,
    },
    /// Takes the deletion of an entry back.
    Restore {
        /// Where.
        collection: Collection,
        /// Which.
        id: String,
    },
    /// Decides a conflict: the value wins on every replica.
    Resolve {
        /// The field, as the conflict names it.
        field: FieldPath,
        /// The chosen value, or another one; none clears the field or leaves the entry deleted.
        value: Option<Value>,
    },
}

/// What a phone number is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewPhone {
    /// The number as typed.
    pub number: String,
    /// Such as `work`.
    #[uniffi(default = None)]
    pub label: Option<String>,
}

/// What an email address is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewEmail {
    /// The address.
    pub address: String,
    /// Such as `work`.
    #[uniffi(default = None)]
    pub label: Option<String>,
}

/// What an account at a messenger is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewMessenger {
    /// Which messenger.
    #[uniffi(default = None)]
    pub service: Option<String>,
    /// The account.
    pub handle: String,
    /// Such as `private`.
    #[uniffi(default = None)]
    pub label: Option<String>,
}

/// What a postal address is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewAddress {
    /// Street and number.
    #[uniffi(default = None)]
    pub street: Option<String>,
    /// Postal code.
    #[uniffi(default = None)]
    pub postal_code: Option<String>,
    /// City.
    #[uniffi(default = None)]
    pub city: Option<String>,
    /// Region or state.
    #[uniffi(default = None)]
    pub region: Option<String>,
    /// Country.
    #[uniffi(default = None)]
    pub country: Option<String>,
    /// Such as `billing`.
    #[uniffi(default = None)]
    pub label: Option<String>,
}

/// What an interaction is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewInteraction {
    /// What kind.
    pub kind: InteractionKind,
    /// When; now unless given.
    #[uniffi(default = None)]
    pub at: Option<SystemTime>,
    /// Where.
    #[uniffi(default = None)]
    pub place: Option<String>,
    /// What happened.
    #[uniffi(default = None)]
    pub summary: Option<String>,
    /// What came of it.
    #[uniffi(default = None)]
    pub outcome: Option<String>,
    /// Objections raised.
    #[uniffi(default = None)]
    pub objections: Option<String>,
    /// References to files, one a line, which the app defines. Files themselves are not kept here:
    /// see `observe_attachments`.
    #[uniffi(default = None)]
    pub attachments: Option<String>,
    /// How likely they are to recommend us, 0 to 10.
    #[uniffi(default = None)]
    pub nps: Option<i64>,
    /// The comment that goes with it.
    #[uniffi(default = None)]
    pub comment: Option<String>,
}

/// What a deal is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewDeal {
    /// What it is about.
    pub title: String,
    /// The amount.
    #[uniffi(default = None)]
    pub amount: Option<Money>,
    /// The stage; `lead` unless given.
    #[uniffi(default = None)]
    pub stage: Option<Stage>,
    /// In per cent.
    #[uniffi(default = None)]
    pub probability: Option<i64>,
    /// When it is expected to close.
    #[uniffi(default = None)]
    pub expected_close: Option<CalendarDate>,
    /// Why it was lost.
    #[uniffi(default = None)]
    pub lost_reason: Option<String>,
}

/// What a purchase is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewPurchase {
    /// The order number.
    #[uniffi(default = None)]
    pub external_id: Option<String>,
    /// When.
    #[uniffi(default = None)]
    pub date: Option<CalendarDate>,
    /// The amount.
    #[uniffi(default = None)]
    pub amount: Option<Money>,
    /// What was bought.
    #[uniffi(default = None)]
    pub product: Option<String>,
    /// By which channel.
    #[uniffi(default = None)]
    pub channel: Option<String>,
    /// The discount.
    #[uniffi(default = None)]
    pub discount: Option<String>,
}

/// What a task is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewTask {
    /// What is to be done.
    pub text: String,
    /// By when.
    #[uniffi(default = None)]
    pub due: Option<CalendarDate>,
}

/// What a statement of consent is added with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewConsent {
    /// For which channel.
    pub channel: String,
    /// For which purpose.
    #[uniffi(default = None)]
    pub purpose: Option<String>,
    /// Given or withdrawn.
    pub state: ConsentState,
    /// When; now unless given.
    #[uniffi(default = None)]
    pub at: Option<SystemTime>,
    /// How it was said.
    #[uniffi(default = None)]
    pub how: Option<String>,
}

/// An edit that is durable on this device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Saved {
    /// Names the edit in the outbox and for its receipt, whatever becomes of it.
    pub edit_id: String,
    /// The contact.
    pub contact_id: String,
    /// The ids of the entries that were added, in the order of the edits.
    pub added: Vec<String>,
}

impl Saved {
    fn new(edit: CoreEdit, added: Vec<String>) -> Saved {
        Saved { edit_id: edit.edit_id.to_string(), contact_id: edit.contact_id.to_string(), added }
    }
}

pub(crate) fn contact_id(text: &str) -> Result<ContactId> {
    Ok(text.parse()?)
}

pub(crate) fn entry_id(text: &str) -> Result<EntryId> {
    Ok(text.parse()?)
}

#[uniffi::export]
impl Roadbook {
    /// Makes a new contact from edits, as one change. Durable when it returns; works offline. Blocks
    /// for one write to the disk.
    pub fn create(&self, edits: Vec<Edit>) -> Result<Saved> {
        self.call("create", |replica| {
            let mut compiler = Compiler::new(replica, None);
            let commands = compiler.all(edits)?;
            Ok(Saved::new(replica.create(&commands)?, compiler.added))
        })
    }

    /// Edits a contact: all edits become one change, or none does. Durable when it returns; works
    /// offline. Blocks for one write to the disk. Gives nothing where the contact was so already: then
    /// there is nothing to send.
    pub fn edit(&self, contact_id: String, edits: Vec<Edit>) -> Result<Option<Saved>> {
        self.call("edit", |replica| {
            let id = self::contact_id(&contact_id)?;
            let mut compiler = Compiler::new(replica, Some(id));
            let commands = compiler.all(edits)?;
            let edited = replica.edit(id, &commands)?;
            Ok(edited.saved().map(|edit| Saved::new(edit, compiler.added)))
        })
    }

    /// Archives a contact, or takes it back from the archive: lists leave archived ones out unless
    /// their filter asks for them.
    pub fn archive(&self, contact_id: String, archived: bool) -> Result<Option<Saved>> {
        self.call("archive", |replica| {
            let value = archived.then_some(document::Value::Bool(true));
            let command = Command::Set { field: Field::Archived.word().to_owned(), value };
            let id = self::contact_id(&contact_id)?;
            let edited = replica.edit_labelled(id, &[command], "archive")?;
            Ok(edited.saved().map(|edit| Saved::new(edit, Vec::new())))
        })
    }

    /// Takes back the last edit that was made on this device, of one contact or of all, unless somebody
    /// changed the same fields since (`NotAllowed`). Calling it again takes back the one before.
    #[uniffi::method(default(contact_id = None))]
    pub fn undo(&self, contact_id: Option<String>) -> Result<Option<Saved>> {
        self.call("undo", |replica| {
            let id = contact_id.as_deref().map(self::contact_id).transpose()?;
            let edited = replica.undo(id)?;
            Ok(edited.saved().map(|edit| Saved::new(edit, Vec::new())))
        })
    }
}

/// Makes commands of edits. Each gets its final ids and times here, so that it can be replayed.
struct Compiler<'r> {
    replica: &'r Replica,
    contact: Option<ContactId>,
    added: Vec<String>,
}

type Entries = BTreeMap<String, Option<document::Value>>;

impl<'r> Compiler<'r> {
    fn new(replica: &'r Replica, contact: Option<ContactId>) -> Self {
        Self { replica, contact, added: Vec::new() }
    }

    fn all(&mut self, edits: Vec<Edit>) -> Result<Vec<Command>> {
        edits.into_iter().map(|edit| self.command(edit)).collect()
    }

    fn command(&mut self, edit: Edit) -> Result<Command> {
        let replica = self.replica;
        let now = || replica.now_ms();
        Ok(match edit {
            Edit::Set { field, value } => {
                let name = field.word();
                let value = value.map(|value| value.into_core(name)).transpose()?;
                Command::Set { field: name.to_owned(), value }
            }
            Edit::SetCustom { name, value } => {
                let value = value.map(|value| value.into_core(&name)).transpose()?;
                Command::Custom { name, value }
            }
            Edit::SetExternalId { system, id } => Command::ExternalId { system, id },
            Edit::AddTag { tag } => Command::Tag { tag, at: now() },
            Edit::RemoveTag { tag } => Command::Untag { tag },
            Edit::SetNote { text, shown } => self.note(&text, shown.as_deref())?,
            Edit::AppendNote { line } => match self.contact {
                Some(id) => Command::EditNote { splices: self.replica.note_line(id, &line)? },
                None => self.note(&line, None)?,
            },
            Edit::AddPhone { phone } => self.add_phone(phone),
            Edit::AddEmail { email } => self.add_email(email),
            Edit::AddMessenger { messenger } => self.add_messenger(messenger),
            Edit::AddAddress { address } => self.add_address(address),
            Edit::AddInteraction { interaction } => self.add_interaction(interaction),
            Edit::AddDeal { deal } => self.add_deal(deal),
            Edit::AddPurchase { purchase } => self.add_purchase(purchase),
            Edit::AddTask { task } => self.add_task(task),
            Edit::AddConsent { consent } => self.add_consent(consent),
            Edit::Change { id, field, value } => {
                let id = entry_id(&id)?;
                self.check_entry(field.parts().0, id)?;
                change(id, field, value)?
            }
            Edit::CompleteTask { id } => {
                let (collection, id) = (document::Collection::Tasks, entry_id(&id)?);
                self.check_entry(collection, id)?;
                let done_at = Some(now().into());
                let fields = [("done", Some(true.into())), ("done_at", done_at)];
                let fields = fields.map(|(name, value)| (name.to_owned(), value)).into();
                Command::Put { collection, id, fields }
            }
            Edit::Remove { collection, id } => {
                Command::Remove { collection: collection.core(), id: entry_id(&id)? }
            }
            Edit::Restore { collection, id } => {
                Command::Restore { collection: collection.core(), id: entry_id(&id)? }
            }
            Edit::Resolve { field, value } => {
                let field = field.core()?;
                let value = value.map(|value| value.into_core(&field)).transpose()?;
                Command::Resolve { field, value }
            }
        })
    }

    /// The entry is there: else a change of one of its fields would make a new one.
    fn check_entry(&mut self, collection: document::Collection, id: EntryId) -> Result<()> {
        let known = match self.contact {
            // Edits are taken while reading is locked.
            Some(contact) => match self.replica.contact(contact) {
                Err(Error::LeaseEnded { .. }) => return Ok(()),
                contact => contact?.entries(collection).iter().any(|entry| entry.id == id),
            },
            None => false,
        };
        if known || self.added.contains(&id.to_string()) {
            return Ok(());
        }
        Err(RoadbookError::NotFound {
            reason: format!(
                "the contact has no {} {id}, or it was deleted; read the contact again",
                collection.singular()
            ),
        })
    }

    fn note(&self, text: &str, shown: Option<&str>) -> Result<Command> {
        let splices = match (self.contact, shown) {
            (Some(id), None) => self.replica.note_splices(id, text)?,
            (Some(id), Some(shown)) => self.replica.note_splices_from(id, shown, text)?,
            (None, _) => document::note_splices(&document::new_document(), text),
        };
        Ok(Command::EditNote { splices })
    }

    /// A new entry with the fields that were given.
    fn put(
        &mut self,
        collection: document::Collection,
        fields: impl IntoIterator<Item = (&'static str, Option<document::Value>)>,
    ) -> Command {
        let id = self.replica.new_entry_id();
        self.added.push(id.to_string());
        let fields: Entries = fields
            .into_iter()
            .filter(|(_, value)| value.is_some())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Command::Put { collection, id, fields }
    }

    fn when(&self, at: Option<SystemTime>) -> Option<document::Value> {
        Some(at.map_or_else(|| self.replica.now_ms(), unix_ms).into())
    }

    fn add_phone(&mut self, phone: NewPhone) -> Command {
        let fields =
            [("number", Some(phone.number.into())), ("label", phone.label.map(Into::into))];
        self.put(document::Collection::Phones, fields)
    }

    fn add_email(&mut self, email: NewEmail) -> Command {
        let fields =
            [("address", Some(email.address.into())), ("label", email.label.map(Into::into))];
        self.put(document::Collection::Emails, fields)
    }

    fn add_messenger(&mut self, messenger: NewMessenger) -> Command {
        let fields = [
            ("service", messenger.service.map(Into::into)),
            ("handle", Some(messenger.handle.into())),
            ("label", messenger.label.map(Into::into)),
        ];
        self.put(document::Collection::Messengers, fields)
    }

    fn add_address(&mut self, address: NewAddress) -> Command {
        let fields = [
            ("street", address.street.map(Into::into)),
            ("postal_code", address.postal_code.map(Into::into)),
            ("city", address.city.map(Into::into)),
            ("region", address.region.map(Into::into)),
            ("country", address.country.map(Into::into)),
            ("label", address.label.map(Into::into)),
        ];
        self.put(document::Collection::Addresses, fields)
    }

    fn add_interaction(&mut self, interaction: NewInteraction) -> Command {
        let at = self.when(interaction.at);
        let fields = [
            ("kind", Some(interaction.kind.word().into())),
            ("at", at),
            ("place", interaction.place.map(Into::into)),
            ("summary", interaction.summary.map(Into::into)),
            ("outcome", interaction.outcome.map(Into::into)),
            ("objections", interaction.objections.map(Into::into)),
            ("attachments", interaction.attachments.map(Into::into)),
            ("nps", interaction.nps.map(Into::into)),
            ("comment", interaction.comment.map(Into::into)),
        ];
        self.put(document::Collection::Interactions, fields)
    }

    fn add_deal(&mut self, deal: NewDeal) -> Command {
        let (amount, currency) = money(deal.amount);
        let fields = [
            ("title", Some(deal.title.into())),
            ("amount", amount),
            ("currency", currency),
            ("stage", Some(deal.stage.unwrap_or(Stage::Lead).word().into())),
            ("probability", deal.probability.map(Into::into)),
            ("expected_close", deal.expected_close.map(date)),
            ("lost_reason", deal.lost_reason.map(Into::into)),
        ];
        self.put(document::Collection::Deals, fields)
    }

    fn add_purchase(&mut self, purchase: NewPurchase) -> Command {
        let (amount, currency) = money(purchase.amount);
        let fields = [
            ("external_id", purchase.external_id.map(Into::into)),
            ("date", purchase.date.map(date)),
            ("amount", amount),
            ("currency", currency),
            ("product", purchase.product.map(Into::into)),
            ("channel", purchase.channel.map(Into::into)),
            ("discount", purchase.discount.map(Into::into)),
        ];
        self.put(document::Collection::Purchases, fields)
    }

    fn add_task(&mut self, task: NewTask) -> Command {
        let fields = [("text", Some(task.text.into())), ("due", task.due.map(date))];
        self.put(document::Collection::Tasks, fields)
    }

    fn add_consent(&mut self, consent: NewConsent) -> Command {
        let at = self.when(consent.at);
        let fields = [
            ("channel", Some(consent.channel.into())),
            ("purpose", consent.purpose.map(Into::into)),
            ("state", Some(consent.state.word().into())),
            ("at", at),
            ("how", consent.how.map(Into::into)),
        ];
        self.put(document::Collection::Consents, fields)
    }
}

fn date(date: CalendarDate) -> document::Value {
    date.text().into()
}

/// An amount is two fields of the document.
fn money(money: Option<Money>) -> (Option<document::Value>, Option<document::Value>) {
    match money {
        Some(Money { minor, currency }) => (Some(minor.into()), Some(currency.into())),
        None => (None, None),
    }
}

/// Sets one field of an entry; an amount sets its currency too.
fn change(id: EntryId, field: EntryField, value: Option<Value>) -> Result<Command> {
    let (collection, name) = field.parts();
    let is_amount = matches!(field, EntryField::DealAmount | EntryField::PurchaseAmount);
    let fields: Entries = match value {
        Some(Value::Amount { money }) if is_amount => [
            ("amount".to_owned(), Some(money.minor.into())),
            ("currency".to_owned(), Some(money.currency.into())),
        ]
        .into(),
        value => {
            let value = value.map(|value| value.into_core(field.word())).transpose()?;
            [(name.to_owned(), value)].into()
        }
    };
    Ok(Command::Put { collection, id, fields })
}
