//! A contact as it is read.
//!
//! A field that is not set is absent (`None`, `null`, `nil`). So is one in which an unknown version
//! or a hostile device wrote what does not fit: its raw value is in [`Contact::unread`].

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use roadbook_protocol::document::schema::{self, FieldSpec, Kind};
use roadbook_protocol::document::{self, Entry};

use crate::value::{
    CalendarDate, ConsentState, ContactKind, InteractionKind, Money, Stage, Standing, Temperature,
    Value, moment,
};

/// One contact, whole.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Contact {
    /// Its id.
    pub id: String,
    /// What to call it: given and family name, else company, else a way to reach it; never empty.
    pub display_name: String,
    /// Person or company.
    pub kind: Option<ContactKind>,
    /// Its standing.
    pub status: Option<Standing>,
    /// How likely they are to buy soon.
    pub temperature: Option<Temperature>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Title or salutation.
    pub title: Option<String>,
    /// The company they work for, or that the contact is.
    pub company: Option<String>,
    /// Job title.
    pub job_title: Option<String>,
    /// Industry.
    pub industry: Option<String>,
    /// Website.
    pub website: Option<String>,
    /// Legal name.
    pub legal_name: Option<String>,
    /// Tax id.
    pub tax_id: Option<String>,
    /// Registration id.
    pub registration_id: Option<String>,
    /// Legal address.
    pub legal_address: Option<String>,
    /// Opening hours.
    pub opening_hours: Option<String>,
    /// Fax number.
    pub fax: Option<String>,
    /// How they like to be reached.
    pub preferred_channel: Option<String>,
    /// When they like to be called.
    pub best_time_to_call: Option<String>,
    /// Language.
    pub language: Option<String>,
    /// Time zone.
    pub time_zone: Option<String>,
    /// Latitude in degrees.
    pub latitude: Option<f64>,
    /// Longitude in degrees.
    pub longitude: Option<f64>,
    /// Category, such as key account.
    pub category: Option<String>,
    /// Where the contact came from.
    pub source: Option<String>,
    /// Birthday.
    pub birthday: Option<CalendarDate>,
    /// Professional holiday.
    pub professional_holiday: Option<String>,
    /// Personal remarks.
    pub personal_note: Option<String>,
    /// Price conditions.
    pub price_conditions: Option<String>,
    /// They are to be contacted every so many days.
    pub cadence_days: Option<i64>,
    /// The next visit.
    pub next_visit: Option<CalendarDate>,
    /// The legal basis for keeping the data.
    pub legal_basis: Option<String>,
    /// Must not be contacted.
    pub do_not_contact: bool,
    /// Left out of lists unless asked for.
    pub archived: bool,
    /// The note.
    pub note: String,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// Custom fields by name.
    pub custom: HashMap<String, Value>,
    /// Ids of this contact in other systems, by system.
    pub external_ids: HashMap<String, String>,
    /// Phone numbers, by id, as all the lists below unless they say otherwise.
    pub phones: Vec<Phone>,
    /// Email addresses.
    pub emails: Vec<Email>,
    /// Accounts at messengers.
    pub messengers: Vec<Messenger>,
    /// Postal addresses.
    pub addresses: Vec<Address>,
    /// Interactions, by time.
    pub interactions: Vec<Interaction>,
    /// Deals.
    pub deals: Vec<Deal>,
    /// Purchases, by date.
    pub purchases: Vec<Purchase>,
    /// Tasks.
    pub tasks: Vec<Task>,
    /// Consents, one for each statement.
    pub consents: Vec<Consent>,
    /// Fields that this version does not know, or whose value it can't read, as they are stored.
    pub unread: HashMap<String, Value>,
}

/// A phone number.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Phone {
    /// Its id.
    pub id: String,
    /// The number as typed.
    pub number: String,
    /// Such as `work`.
    pub label: Option<String>,
}

/// An email address.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Email {
    /// Its id.
    pub id: String,
    /// The address.
    pub address: String,
    /// Such as `work`.
    pub label: Option<String>,
}

/// An account at a messenger.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Messenger {
    /// Its id.
    pub id: String,
    /// Which messenger.
    pub service: Option<String>,
    /// The account.
    pub handle: String,
    /// Such as `private`.
    pub label: Option<String>,
}

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Address {
    /// Its id.
    pub id: String,
    /// Street and number.
    pub street: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Region or state.
    pub region: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Such as `billing`.
    pub label: Option<String>,
}

/// A visit, a call, a mail and so on.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Interaction {
    /// Its id.
    pub id: String,
    /// What kind.
    pub kind: Option<InteractionKind>,
    /// When.
    pub at: Option<SystemTime>,
    /// Where.
    pub place: Option<String>,
    /// What happened.
    pub summary: Option<String>,
    /// What came of it.
    pub outcome: Option<String>,
    /// Objections raised.
    pub objections: Option<String>,
    /// References to files, one a line, which the app defines. Files themselves are not kept here:
    /// see `observe_attachments`.
    pub attachments: Option<String>,
    /// How likely they are to recommend us, 0 to 10.
    pub nps: Option<i64>,
    /// The comment that goes with it.
    pub comment: Option<String>,
}

/// A deal in the funnel.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Deal {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The amount.
    pub amount: Option<Money>,
    /// The stage.
    pub stage: Option<Stage>,
    /// In per cent.
    pub probability: Option<i64>,
    /// When it is expected to close.
    pub expected_close: Option<CalendarDate>,
    /// Why it was lost.
    pub lost_reason: Option<String>,
}

/// Something that was bought.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Purchase {
    /// Its id.
    pub id: String,
    /// The order number.
    pub external_id: Option<String>,
    /// When.
    pub date: Option<CalendarDate>,
    /// The amount.
    pub amount: Option<Money>,
    /// What was bought.
    pub product: Option<String>,
    /// By which channel.
    pub channel: Option<String>,
    /// The discount.
    pub discount: Option<String>,
}

/// A task or reminder.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// What is to be done.
    pub text: String,
    /// By when.
    pub due: Option<CalendarDate>,
    /// Whether it is done.
    pub done: bool,
    /// When it was done.
    pub done_at: Option<SystemTime>,
}

/// One statement of consent.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Consent {
    /// Its id.
    pub id: String,
    /// For which channel.
    pub channel: String,
    /// For which purpose.
    pub purpose: Option<String>,
    /// Given or withdrawn.
    pub state: Option<ConsentState>,
    /// When.
    pub at: Option<SystemTime>,
    /// How it was said.
    pub how: Option<String>,
}

/// Reads typed fields out of a map of stored values.
struct Fields<'a>(&'a BTreeMap<String, document::Value>);

impl Fields<'_> {
    fn text(&self, name: &str) -> Option<String> {
        Some(self.0.get(name)?.as_text()?.to_owned())
    }
    fn int(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_int()
    }
    fn number(&self, name: &str) -> Option<f64> {
        match self.0.get(name)? {
            document::Value::Number(number) => Some(*number),
            document::Value::Int(number) => Some(*number as f64),
            _ => None,
        }
    }
    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(document::Value::as_bool).unwrap_or(false)
    }
    fn date(&self, name: &str) -> Option<CalendarDate> {
        CalendarDate::parse(self.0.get(name)?.as_text()?)
    }
    fn moment(&self, name: &str) -> Option<SystemTime> {
        self.int(name).map(moment)
    }
    fn word<T>(&self, name: &str, from_word: fn(&str) -> Option<T>) -> Option<T> {
        from_word(self.0.get(name)?.as_text()?)
    }
    fn money(&self) -> Option<Money> {
        let minor = self.int("amount")?;
        Some(Money { minor, currency: self.text("currency").unwrap_or_default() })
    }
}

impl Phone {
    fn from_core(entry: &Entry) -> Phone {
        let fields = Fields(&entry.fields);
        Phone {
            id: entry.id.to_string(),
            number: fields.text("number").unwrap_or_default(),
            label: fields.text("label"),
        }
    }
}

impl Email {
    fn from_core(entry: &Entry) -> Email {
        let fields = Fields(&entry.fields);
        Email {
            id: entry.id.to_string(),
            address: fields.text("address").unwrap_or_default(),
            label: fields.text("label"),
        }
    }
}

impl Messenger {
    fn from_core(entry: &Entry) -> Messenger {
        let fields = Fields(&entry.fields);
        Messenger {
            id: entry.id.to_string(),
            service: fields.text("service"),
            handle: fields.text("handle").unwrap_or_default(),
            label: fields.text("label"),
        }
    }
}

impl Address {
    fn from_core(entry: &Entry) -> Address {
        let fields = Fields(&entry.fields);
        Address {
            id: entry.id.to_string(),
            street: fields.text("street"),
            postal_code: fields.text("postal_code"),
            city: fields.text("city"),
            region: fields.text("region"),
            country: fields.text("country"),
            label: fields.text("label"),
        }
    }
}

impl Interaction {
    fn from_core(entry: &Entry) -> Interaction {
        let fields = Fields(&entry.fields);
        Interaction {
            id: entry.id.to_string(),
            kind: fields.word("kind", InteractionKind::from_word),
            at: fields.moment("at"),
            place: fields.text("place"),
            summary: fields.text("summary"),
            outcome: fields.text("outcome"),
            objections: fields.text("objections"),
            attachments: fields.text("attachments"),
            nps: fields.int("nps"),
            comment: fields.text("comment"),
        }
    }
}

impl Deal {
    fn from_core(entry: &Entry) -> Deal {
        let fields = Fields(&entry.fields);
        Deal {
            id: entry.id.to_string(),
            title: fields.text("title").unwrap_or_default(),
            amount: fields.money(),
            stage: fields.word("stage", Stage::from_word),
            probability: fields.int("probability"),
            expected_close: fields.date("expected_close"),
            lost_reason: fields.text("lost_reason"),
        }
    }
}

impl Purchase {
    fn from_core(entry: &Entry) -> Purchase {
        let fields = Fields(&entry.fields);
        Purchase {
            id: entry.id.to_string(),
            external_id: fields.text("external_id"),
            date: fields.date("date"),
            amount: fields.money(),
            product: fields.text("product"),
            channel: fields.text("channel"),
            discount: fields.text("discount"),
        }
    }
}

impl Task {
    fn from_core(entry: &Entry) -> Task {
        let fields = Fields(&entry.fields);
        Task {
            id: entry.id.to_string(),
            text: fields.text("text").unwrap_or_default(),
            due: fields.date("due"),
            done: fields.flag("done"),
            done_at: fields.moment("done_at"),
        }
    }
}

impl Consent {
    fn from_core(entry: &Entry) -> Consent {
        let fields = Fields(&entry.fields);
        Consent {
            id: entry.id.to_string(),
            channel: fields.text("channel").unwrap_or_default(),
            purpose: fields.text("purpose"),
            state: fields.word("state", ConsentState::from_word),
            at: fields.moment("at"),
            how: fields.text("how"),
        }
    }
}

/// Whether a stored value is of the kind that its field has.
fn fits(spec: &FieldSpec, value: &document::Value) -> bool {
    use document::Value as Core;
    match (spec.kind, value) {
        (Kind::Bool, Core::Bool(_)) => true,
        (Kind::Number, Core::Number(_) | Core::Int(_)) => true,
        (Kind::Int | Kind::Minor | Kind::Instant, Core::Int(_)) => true,
        (Kind::Date, Core::Text(text)) => CalendarDate::parse(text).is_some(),
        (Kind::Choice(words), Core::Text(text)) => words.contains(&text.as_str()),
        (Kind::Text | Kind::Email | Kind::Phone | Kind::Currency, Core::Text(_)) => true,
        _ => false,
    }
}

impl Contact {
    pub(crate) fn from_core(contact: &document::Contact) -> Contact {
        let fields = Fields(&contact.fields);
        let untyped = |value: &document::Value| Value::from_core(value, None);
        Contact {
            id: contact.id.to_string(),
            display_name: contact.display_name.clone(),
            kind: fields.word("kind", ContactKind::from_word),
            status: fields.word("status", Standing::from_word),
            temperature: fields.word("temperature", Temperature::from_word),
            given_name: fields.text("given_name"),
            family_name: fields.text("family_name"),
            title: fields.text("title"),
            company: fields.text("company"),
            job_title: fields.text("job_title"),
            industry: fields.text("industry"),
            website: fields.text("website"),
            legal_name: fields.text("legal_name"),
            tax_id: fields.text("tax_id"),
            registration_id: fields.text("registration_id"),
            legal_address: fields.text("legal_address"),
            opening_hours: fields.text("opening_hours"),
            fax: fields.text("fax"),
            preferred_channel: fields.text("preferred_channel"),
            best_time_to_call: fields.text("best_time_to_call"),
            language: fields.text("language"),
            time_zone: fields.text("time_zone"),
            latitude: fields.number("latitude"),
            longitude: fields.number("longitude"),
            category: fields.text("category"),
            source: fields.text("source"),
            birthday: fields.date("birthday"),
            professional_holiday: fields.text("professional_holiday"),
            personal_note: fields.text("personal_note"),
            price_conditions: fields.text("price_conditions"),
            cadence_days: fields.int("cadence_days"),
            next_visit: fields.date("next_visit"),
            legal_basis: fields.text("legal_basis"),
            do_not_contact: fields.flag("do_not_contact"),
            archived: fields.flag("archived"),
            note: contact.note.clone(),
            tags: contact.tags.clone(),
            custom: contact
                .custom
                .iter()
                .map(|(name, value)| (name.clone(), untyped(value)))
                .collect(),
            external_ids: contact.external_ids.clone().into_iter().collect(),
            phones: contact.phones.iter().map(Phone::from_core).collect(),
            emails: contact.emails.iter().map(Email::from_core).collect(),
            messengers: contact.messengers.iter().map(Messenger::from_core).collect(),
            addresses: contact.addresses.iter().map(Address::from_core).collect(),
            interactions: contact.interactions.iter().map(Interaction::from_core).collect(),
            deals: contact.deals.iter().map(Deal::from_core).collect(),
            purchases: contact.purchases.iter().map(Purchase::from_core).collect(),
            tasks: contact.tasks.iter().map(Task::from_core).collect(),
            consents: contact.consents.iter().map(Consent::from_core).collect(),
            unread: contact
                .fields
                .iter()
                .filter(|(name, value)| !schema::field(name).is_some_and(|spec| fits(spec, value)))
                .map(|(name, value)| (name.clone(), untyped(value)))
                .collect(),
        }
    }
}
