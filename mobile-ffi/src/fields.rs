//! The names of everything in a contact, as enums that an editor completes.

use std::fmt;

use roadbook_protocol::document::schema::{self, FieldSpec, Kind};
use roadbook_protocol::document::{self, CustomKind, Path};

use crate::book::Roadbook;
use crate::error::{Result, RoadbookError};
use crate::value::words;

words! {
    /// A field of a contact itself. The comment says what its value is where it is not text.
    Field {
        /// Person or company.
        Kind = "kind",
        /// Given name.
        GivenName = "given_name",
        /// Family name.
        FamilyName = "family_name",
        /// Title or salutation.
        Title = "title",
        /// The company they work for, or that the contact is.
        Company = "company",
        /// Job title.
        JobTitle = "job_title",
        /// Industry.
        Industry = "industry",
        /// Website.
        Website = "website",
        /// Legal name.
        LegalName = "legal_name",
        /// Tax id.
        TaxId = "tax_id",
        /// Registration id.
        RegistrationId = "registration_id",
        /// Legal address.
        LegalAddress = "legal_address",
        /// Opening hours.
        OpeningHours = "opening_hours",
        /// Fax number.
        Fax = "fax",
        /// How they like to be reached.
        PreferredChannel = "preferred_channel",
        /// When they like to be called.
        BestTimeToCall = "best_time_to_call",
        /// Language.
        Language = "language",
        /// Time zone.
        TimeZone = "time_zone",
        /// Latitude in degrees: a decimal.
        Latitude = "latitude",
        /// Longitude in degrees: a decimal.
        Longitude = "longitude",
        /// Standing: lead, prospect, customer ...
        Status = "status",
        /// Category, such as key account.
        Category = "category",
        /// Where the contact came from.
        Source = "source",
        /// How likely they are to buy soon.
        Temperature = "temperature",
        /// Birthday: a date.
        Birthday = "birthday",
        /// Professional holiday.
        ProfessionalHoliday = "professional_holiday",
        /// Personal remarks.
        PersonalNote = "personal_note",
        /// Price conditions.
        PriceConditions = "price_conditions",
        /// They are to be contacted every so many days: an integer.
        CadenceDays = "cadence_days",
        /// The next visit: a date.
        NextVisit = "next_visit",
        /// The legal basis for keeping the data.
        LegalBasis = "legal_basis",
        /// Must not be contacted: a flag.
        DoNotContact = "do_not_contact",
        /// Left out of lists unless asked for: a flag.
        Archived = "archived",
    }
}

words! {
    /// A list of things within a contact that have an id of their own.
    Collection {
        /// Phone numbers.
        Phones = "phones",
        /// Email addresses.
        Emails = "emails",
        /// Accounts at messengers.
        Messengers = "messengers",
        /// Postal addresses.
        Addresses = "addresses",
        /// Visits, calls, mails, meetings and so on.
        Interactions = "interactions",
        /// Deals in the funnel.
        Deals = "deals",
        /// What was bought.
        Purchases = "purchases",
        /// Tasks and reminders.
        Tasks = "tasks",
        /// Consents.
        Consents = "consents",
    }
}

words! {
    /// A field of an entry of a collection. The comment says what its value is where it is not text.
    EntryField {
        /// Of a phone: the number as typed.
        PhoneNumber = "phones/number",
        /// Of a phone: such as `work`.
        PhoneLabel = "phones/label",
        /// Of an email: the address.
        EmailAddress = "emails/address",
        /// Of an email: such as `work`.
        EmailLabel = "emails/label",
        /// Of a messenger: which one.
        MessengerService = "messengers/service",
        /// Of a messenger: the account.
        MessengerHandle = "messengers/handle",
        /// Of a messenger: such as `private`.
        MessengerLabel = "messengers/label",
        /// Of an address: street and number.
        AddressStreet = "addresses/street",
        /// Of an address: postal code.
        AddressPostalCode = "addresses/postal_code",
        /// Of an address: city.
        AddressCity = "addresses/city",
        /// Of an address: region or state.
        AddressRegion = "addresses/region",
        /// Of an address: country.
        AddressCountry = "addresses/country",
        /// Of an address: such as `billing`.
        AddressLabel = "addresses/label",
        /// Of an interaction: its kind.
        InteractionKind = "interactions/kind",
        /// Of an interaction: when, a moment.
        InteractionAt = "interactions/at",
        /// Of an interaction: where.
        InteractionPlace = "interactions/place",
        /// Of an interaction: what happened.
        InteractionSummary = "interactions/summary",
        /// Of an interaction: what came of it.
        InteractionOutcome = "interactions/outcome",
        /// Of an interaction: objections raised.
        InteractionObjections = "interactions/objections",
        /// Of an interaction: references to files, one a line, which the app defines.
        InteractionAttachments = "interactions/attachments",
        /// Of an interaction: how likely they are to recommend us, 0 to 10.
        InteractionNps = "interactions/nps",
        /// Of an interaction: the comment that goes with it.
        InteractionComment = "interactions/comment",
        /// Of a deal: what it is about.
        DealTitle = "deals/title",
        /// Of a deal: an amount of money, which sets its currency too.
        DealAmount = "deals/amount",
        /// Of a deal: the currency alone, as history and conflicts name it.
        DealCurrency = "deals/currency",
        /// Of a deal: its stage.
        DealStage = "deals/stage",
        /// Of a deal: in per cent.
        DealProbability = "deals/probability",
        /// Of a deal: a date.
        DealExpectedClose = "deals/expected_close",
        /// Of a deal: why it was lost.
        DealLostReason = "deals/lost_reason",
        /// Of a purchase: the order number.
        PurchaseExternalId = "purchases/external_id",
        /// Of a purchase: a date.
        PurchaseDate = "purchases/date",
        /// Of a purchase: an amount of money, which sets its currency too.
        PurchaseAmount = "purchases/amount",
        /// Of a purchase: the currency alone, as history and conflicts name it.
        PurchaseCurrency = "purchases/currency",
        /// Of a purchase: what was bought.
        PurchaseProduct = "purchases/product",
        /// Of a purchase: by which channel.
        PurchaseChannel = "purchases/channel",
        /// Of a purchase: the discount.
        PurchaseDiscount = "purchases/discount",
        /// Of a task: what is to be done.
        TaskText = "tasks/text",
        /// Of a task: by when, a date.
        TaskDue = "tasks/due",
        /// Of a task: whether it is done.
        TaskDone = "tasks/done",
        /// Of a task: when it was done, a moment.
        TaskDoneAt = "tasks/done_at",
        /// Of a consent: for which channel.
        ConsentChannel = "consents/channel",
        /// Of a consent: for which purpose.
        ConsentPurpose = "consents/purpose",
        /// Of a consent: given or withdrawn.
        ConsentState = "consents/state",
        /// Of a consent: when, a moment.
        ConsentAt = "consents/at",
        /// Of a consent: how it was said.
        ConsentHow = "consents/how",
    }
}

impl Field {
    pub(crate) fn spec(self) -> Option<&'static FieldSpec> {
        schema::field(self.word())
    }
}

impl Collection {
    pub(crate) fn core(self) -> document::Collection {
        let core = document::Collection::from_name(self.word());
        core.expect("a test holds these names against the document model's")
    }
    pub(crate) fn from_core(collection: document::Collection) -> Collection {
        let own = Collection::from_word(collection.name());
        own.expect("a test holds these names against the document model's")
    }
}

impl EntryField {
    /// The collection, and the name within it.
    pub(crate) fn parts(self) -> (document::Collection, &'static str) {
        let (collection, name) = self.word().split_once('/').unwrap_or_default();
        let collection = document::Collection::from_name(collection);
        (collection.expect("a test holds these names against the document model's"), name)
    }
    pub(crate) fn from_parts(collection: document::Collection, name: &str) -> Option<EntryField> {
        EntryField::from_word(&format!("{}/{name}", collection.name()))
    }
    pub(crate) fn spec(self) -> Option<&'static FieldSpec> {
        let (collection, name) = self.parts();
        collection.fields().iter().find(|spec| spec.name == name)
    }
}

/// Where a value stands in a contact: as conflicts, history and the quarantine name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum FieldPath {
    /// A field of the contact itself.
    Root {
        /// Which.
        field: Field,
    },
    /// A custom field.
    Custom {
        /// Its name.
        name: String,
    },
    /// The id in another system.
    ExternalId {
        /// Which system.
        system: String,
    },
    /// One tag.
    Tag {
        /// Which.
        tag: String,
    },
    /// The tags, in history.
    Tags,
    /// The note.
    Note,
    /// Whether an entry is deleted.
    Entry {
        /// Where.
        collection: Collection,
        /// Which.
        id: String,
    },
    /// A field of an entry.
    EntryField {
        /// Which entry.
        id: String,
        /// Which of its fields.
        field: EntryField,
    },
    /// A field of a newer version of Roadbook.
    Unknown {
        /// Its path in the document.
        path: String,
    },
}

impl FieldPath {
    pub(crate) fn parse(text: &str) -> FieldPath {
        let unknown = || FieldPath::Unknown { path: text.to_owned() };
        match Path::parse(text) {
            Path::Root(name) if name == schema::TAGS => FieldPath::Tags,
            Path::Root(name) => match Field::from_word(&name) {
                Some(field) => FieldPath::Root { field },
                None => unknown(),
            },
            Path::Custom(name) => FieldPath::Custom { name },
            Path::External(system) => FieldPath::ExternalId { system },
            Path::Tag(tag) => FieldPath::Tag { tag },
            Path::Note => FieldPath::Note,
            Path::Entry(collection, id) => FieldPath::Entry {
                collection: Collection::from_core(collection),
                id: id.to_string(),
            },
            Path::Field(collection, id, name) => match EntryField::from_parts(collection, &name) {
                Some(field) => FieldPath::EntryField { id: id.to_string(), field },
                None => unknown(),
            },
        }
    }

    /// What values stand there.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            FieldPath::Root { field } => field.spec().map(|spec| spec.kind),
            FieldPath::EntryField { field, .. } => field.spec().map(|spec| spec.kind),
            _ => None,
        }
    }

    /// As the document spells it.
    pub(crate) fn core(&self) -> Result<String> {
        if let FieldPath::Entry { id, .. } | FieldPath::EntryField { id, .. } = self {
            crate::edit::entry_id(id)?;
        }
        if matches!(self, FieldPath::Tags) {
            return Err(RoadbookError::invalid("tags", "this names all tags", "name one of them"));
        }
        Ok(self.to_string())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldPath::Root { field } => f.write_str(field.word()),
            FieldPath::Custom { name } => write!(f, "{}.{name}", schema::CUSTOM),
            FieldPath::ExternalId { system } => write!(f, "{}.{system}", schema::EXTERNAL_IDS),
            FieldPath::Tag { tag } => write!(f, "{}.{tag}", schema::TAGS),
            FieldPath::Tags => f.write_str(schema::TAGS),
            FieldPath::Note => f.write_str(schema::NOTE),
            FieldPath::Entry { collection, id } => write!(f, "{}/{id}", collection.word()),
            FieldPath::EntryField { id, field } => {
                let (collection, name) = field.parts();
                write!(f, "{}/{id}/{name}", collection.name())
            }
            FieldPath::Unknown { path } => f.write_str(path),
        }
    }
}

/// What a field takes: for forms that are made from the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ValueKind {
    /// `Value.Text`.
    Text,
    /// `Value.Text`, an email address.
    Email,
    /// `Value.Text`, a phone number as typed.
    Phone,
    /// `Value.Text`, three capital letters.
    Currency,
    /// One of the words with a fixed meaning: `Value.Kind`, `Value.Status` and so on.
    Choice,
    /// `Value.Date`.
    Date,
    /// `Value.Moment`.
    Moment,
    /// `Value.Integer`.
    Integer,
    /// `Value.Decimal`.
    Decimal,
    /// `Value.Flag`.
    Flag,
    /// `Value.Amount`.
    Amount,
}

/// What there is to know of a field of a contact.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct FieldInfo {
    /// The field.
    pub field: Field,
    /// Its name in filters, in CSV files and in JSON.
    pub name: String,
    /// What a person reads beside it, in English.
    pub label: String,
    /// What it takes.
    pub kind: ValueKind,
    /// The words it takes, where it is a choice.
    pub words: Vec<String>,
}

/// All fields of a contact itself, in the order of the document model: for forms made from it.
#[uniffi::export]
pub fn field_infos() -> Vec<FieldInfo> {
    let info = |field: &Field| {
        let spec = field.spec()?;
        Some(FieldInfo {
            field: *field,
            name: spec.name.to_owned(),
            label: spec.label.to_owned(),
            kind: match spec.kind {
                Kind::Text => ValueKind::Text,
                Kind::Email => ValueKind::Email,
                Kind::Phone => ValueKind::Phone,
                Kind::Currency => ValueKind::Currency,
                Kind::Choice(_) => ValueKind::Choice,
                Kind::Date => ValueKind::Date,
                Kind::Instant => ValueKind::Moment,
                Kind::Int => ValueKind::Integer,
                Kind::Number => ValueKind::Decimal,
                Kind::Bool => ValueKind::Flag,
                Kind::Minor => ValueKind::Amount,
            },
            words: match spec.kind {
                Kind::Choice(words) => words.iter().map(ToString::to_string).collect(),
                _ => Vec::new(),
            },
        })
    };
    Field::ALL.iter().filter_map(info).collect()
}

/// A custom field that the office has defined: what to offer beside the fields that every contact has.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct CustomField {
    /// What it is called: for `Edit.SetCustom`, and in filters as `custom."NAME"`.
    pub name: String,
    /// What it takes: text, a decimal number, a date, a flag, or a choice, whose value is text.
    pub kind: ValueKind,
    /// The words it takes, where it is a choice.
    pub words: Vec<String>,
}

#[uniffi::export]
impl Roadbook {
    /// The custom fields that the office has defined, in its order. They come and change with the exchange
    /// with the server, and need no network otherwise; observers of a list are told. A contact may have
    /// others, and a value of another kind, from a time before: show those as text.
    pub fn custom_fields(&self) -> Result<Vec<CustomField>> {
        self.call("custom_fields", |replica| {
            let typed = |field: document::CustomField| CustomField {
                name: field.name,
                kind: match field.kind {
                    CustomKind::Text => ValueKind::Text,
                    CustomKind::Number => ValueKind::Decimal,
                    CustomKind::Date => ValueKind::Date,
                    CustomKind::Choice => ValueKind::Choice,
                    CustomKind::YesNo => ValueKind::Flag,
                },
                words: field.choices,
            };
            Ok(replica.custom_fields()?.into_iter().map(typed).collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_enums_are_the_document_model_no_more_and_no_less() {
        let own: Vec<_> = Field::ALL.iter().map(|field| field.word()).collect();
        let model: Vec<_> = schema::FIELDS.iter().map(|spec| spec.name).collect();
        assert_eq!(own, model);
        let own: Vec<_> = Collection::ALL.iter().map(|one| one.word()).collect();
        let model: Vec<_> = document::Collection::ALL.iter().map(|one| one.name()).collect();
        assert_eq!(own, model);
        let own: Vec<_> = EntryField::ALL.iter().map(|field| field.word().to_owned()).collect();
        let mut model = Vec::new();
        for collection in document::Collection::ALL {
            let name = collection.name();
            model.extend(collection.fields().iter().map(|spec| format!("{name}/{}", spec.name)));
        }
        assert_eq!(own, model);
        assert_eq!(field_infos().len(), Field::ALL.len());
    }

    #[test]
    fn a_path_reads_back_what_it_writes() {
        let id = "01010101-0101-4101-8101-010101010101".to_owned();
        for path in [
            FieldPath::Root { field: Field::JobTitle },
            FieldPath::Custom { name: "shoe.size/eu".into() },
            FieldPath::ExternalId { system: "erp".into() },
            FieldPath::Tag { tag: "a.b".into() },
            FieldPath::Tags,
            FieldPath::Note,
            FieldPath::Entry { collection: Collection::Tasks, id: id.clone() },
            FieldPath::EntryField { id: id.clone(), field: EntryField::DealStage },
            FieldPath::Unknown { path: "of_tomorrow".into() },
            FieldPath::Unknown { path: format!("phones/{id}/of_tomorrow") },
        ] {
            assert_eq!(FieldPath::parse(&path.to_string()), path);
        }
    }
}
