//! The names and kinds of everything in a contact: one table, read by commands, import, filters,
//! JSON, pages and documentation.

use serde::{Deserialize, Serialize};

/// What values a field takes, and how they are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Free text on one or more lines.
    Text,
    /// One of the listed words.
    Choice(&'static [&'static str]),
    /// A calendar date without a time: `YYYY-MM-DD`.
    Date,
    /// An instant, milliseconds since 1970.
    Instant,
    /// An integer.
    Int,
    /// An amount of money in minor units (cents) of the currency beside it.
    Minor,
    /// An ISO 4217 code, three capital letters.
    Currency,
    /// A number with a fraction.
    Number,
    /// Yes or no.
    Bool,
    /// An email address.
    Email,
    /// A phone number, kept as typed.
    Phone,
}

/// One scalar field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// The name: in the document, in JSON, in CSV headers, in filters.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What a person reads beside it.
    pub label: &'static str,
}

const fn f(name: &'static str, kind: Kind, label: &'static str) -> FieldSpec {
    FieldSpec { name, kind, label }
}

/// Standing of a contact.
pub const STATUSES: &[&str] = &["lead", "prospect", "customer", "partner", "lost"];
/// How likely a contact is to buy soon.
pub const TEMPERATURES: &[&str] = &["cold", "warm", "hot"];
/// Kinds of interaction.
pub const INTERACTIONS: &[&str] =
    &["visit", "call", "email", "message", "meeting", "note", "complaint", "return", "survey"];
/// The stages of a deal, in order; `won` and `lost` are closed.
pub const STAGES: &[&str] = &["lead", "qualified", "offer", "negotiation", "won", "lost"];

/// The scalar fields of a contact, at the root of its document.
pub const FIELDS: &[FieldSpec] = &[
    f("kind", Kind::Choice(&["person", "company"]), "Kind"),
    f("given_name", Kind::Text, "Given name"),
    f("family_name", Kind::Text, "Family name"),
    f("title", Kind::Text, "Title"),
    f("company", Kind::Text, "Company"),
    f("job_title", Kind::Text, "Job title"),
    f("industry", Kind::Text, "Industry"),
    f("website", Kind::Text, "Website"),
    f("legal_name", Kind::Text, "Legal name"),
    f("tax_id", Kind::Text, "Tax id"),
    f("registration_id", Kind::Text, "Registration id"),
    f("legal_address", Kind::Text, "Legal address"),
    f("opening_hours", Kind::Text, "Opening hours"),
    f("fax", Kind::Phone, "Fax"),
    f("preferred_channel", Kind::Text, "Preferred channel"),
    f("best_time_to_call", Kind::Text, "Best time to call"),
    f("language", Kind::Text, "Language"),
    f("time_zone", Kind::Text, "Time zone"),
    f("latitude", Kind::Number, "Latitude"),
    f("longitude", Kind::Number, "Longitude"),
    f("status", Kind::Choice(STATUSES), "Status"),
    f("category", Kind::Text, "Category"),
    f("source", Kind::Text, "Source"),
    f("temperature", Kind::Choice(TEMPERATURES), "Temperature"),
    f("birthday", Kind::Date, "Birthday"),
    f("professional_holiday", Kind::Text, "Professional holiday"),
    f("personal_note", Kind::Text, "Personal"),
    f("price_conditions", Kind::Text, "Price conditions"),
    f("cadence_days", Kind::Int, "Contact every (days)"),
    f("next_visit", Kind::Date, "Next visit"),
    f("legal_basis", Kind::Text, "Legal basis"),
    f("do_not_contact", Kind::Bool, "Do not contact"),
    f("archived", Kind::Bool, "Archived"),
];

/// The collections of things that have an identity: root maps keyed by [`crate::ids::EntryId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collection {
    /// Phone numbers.
    Phones,
    /// Email addresses.
    Emails,
    /// Accounts at messengers.
    Messengers,
    /// Postal addresses.
    Addresses,
    /// Visits, calls, mails, meetings and so on.
    Interactions,
    /// Deals in the funnel.
    Deals,
    /// What was bought.
    Purchases,
    /// Tasks and reminders.
    Tasks,
    /// Consents, one entry per statement (re-affirming is a new entry).
    Consents,
}

impl Collection {
    /// All of them, in the order of a contact's page.
    pub const ALL: [Collection; 9] = [
        Collection::Phones,
        Collection::Emails,
        Collection::Messengers,
        Collection::Addresses,
        Collection::Interactions,
        Collection::Deals,
        Collection::Purchases,
        Collection::Tasks,
        Collection::Consents,
    ];

    /// The name of the root map, and of the list in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Collection::Phones => "phones",
            Collection::Emails => "emails",
            Collection::Messengers => "messengers",
            Collection::Addresses => "addresses",
            Collection::Interactions => "interactions",
            Collection::Deals => "deals",
            Collection::Purchases => "purchases",
            Collection::Tasks => "tasks",
            Collection::Consents => "consents",
        }
    }

    /// What one of its entries is called.
    pub fn singular(self) -> &'static str {
        match self {
            Collection::Phones => "phone",
            Collection::Emails => "email",
            Collection::Messengers => "messenger",
            Collection::Addresses => "address",
            Collection::Interactions => "interaction",
            Collection::Deals => "deal",
            Collection::Purchases => "purchase",
            Collection::Tasks => "task",
            Collection::Consents => "consent",
        }
    }

    /// The fields that a new entry can't do without; one of any kind where this is empty.
    pub fn required(self) -> &'static [&'static str] {
        match self {
            Collection::Phones => &["number"],
            Collection::Emails => &["address"],
            Collection::Messengers => &["handle"],
            Collection::Interactions => &["kind", "at"],
            Collection::Deals => &["title"],
            Collection::Tasks => &["text"],
            Collection::Consents => &["channel", "state"],
            Collection::Addresses | Collection::Purchases => &[],
        }
    }

    /// The collection of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|collection| collection.name() == name)
    }

    /// The fields of one entry.
    pub fn fields(self) -> &'static [FieldSpec] {
        match self {
            Collection::Phones => {
                const { &[f("number", Kind::Phone, "Number"), f("label", Kind::Text, "Label")] }
            }
            Collection::Emails => {
                const { &[f("address", Kind::Email, "Address"), f("label", Kind::Text, "Label")] }
            }
            Collection::Messengers => {
                const {
                    &[
                        f("service", Kind::Text, "Service"),
                        f("handle", Kind::Text, "Handle"),
                        f("label", Kind::Text, "Label"),
                    ]
                }
            }
            Collection::Addresses => {
                const {
                    &[
                        f("street", Kind::Text, "Street"),
                        f("postal_code", Kind::Text, "Postal code"),
                        f("city", Kind::Text, "City"),
                        f("region", Kind::Text, "Region"),
                        f("country", Kind::Text, "Country"),
                        f("label", Kind::Text, "Label"),
                    ]
                }
            }
            Collection::Interactions => {
                const {
                    &[
                        f("kind", Kind::Choice(INTERACTIONS), "Kind"),
                        f("at", Kind::Instant, "When"),
                        f("place", Kind::Text, "Place"),
                        f("summary", Kind::Text, "Summary"),
                        f("outcome", Kind::Text, "Outcome"),
                        f("objections", Kind::Text, "Objections"),
                        f("attachments", Kind::Text, "Attachments"),
                        f("nps", Kind::Int, "NPS (0-10)"),
                        f("comment", Kind::Text, "Comment"),
                    ]
                }
            }
            Collection::Deals => {
                const {
                    &[
                        f("title", Kind::Text, "Title"),
                        f("amount", Kind::Minor, "Amount"),
                        f("currency", Kind::Currency, "Currency"),
                        f("stage", Kind::Choice(STAGES), "Stage"),
                        f("probability", Kind::Int, "Probability (%)"),
                        f("expected_close", Kind::Date, "Expected close"),
                        f("lost_reason", Kind::Text, "Lost reason"),
                    ]
                }
            }
            Collection::Purchases => {
                const {
                    &[
                        f("external_id", Kind::Text, "Order number"),
                        f("date", Kind::Date, "Date"),
                        f("amount", Kind::Minor, "Amount"),
                        f("currency", Kind::Currency, "Currency"),
                        f("product", Kind::Text, "Product"),
                        f("channel", Kind::Text, "Channel"),
                        f("discount", Kind::Text, "Discount"),
                    ]
                }
            }
            Collection::Tasks => {
                const {
                    &[
                        f("text", Kind::Text, "Task"),
                        f("due", Kind::Date, "Due"),
                        f("done", Kind::Bool, "Done"),
                        f("done_at", Kind::Instant, "Done at"),
                    ]
                }
            }
            Collection::Consents => {
                const {
                    &[
                        f("channel", Kind::Text, "Channel"),
                        f("purpose", Kind::Text, "Purpose"),
                        f("state", Kind::Choice(&["given", "withdrawn"]), "State"),
                        f("at", Kind::Instant, "When"),
                        f("how", Kind::Text, "How"),
                    ]
                }
            }
        }
    }
}

/// The root map tag -> instant of tagging (milliseconds since 1970). Re-tagging writes a later
/// instant, so that a concurrent removal does not win silently (rule 14).
pub const TAGS: &str = "tags";
/// The root map of custom fields, name -> scalar.
pub const CUSTOM: &str = "custom";
/// The root map external system -> id of this contact there.
pub const EXTERNAL_IDS: &str = "external_ids";
/// The root text: the note of a contact.
pub const NOTE: &str = "note";
/// The root scalar that says of which generation a document is, absent in the first (rule 25). Not a
/// field of the contact: nothing reads it but [`super::generation`].
pub const GENERATION: &str = "#generation";
/// The tombstone field of an entry.
pub const DELETED: &str = "deleted";

/// The root scalar field of that name.
pub fn field(name: &str) -> Option<&'static FieldSpec> {
    FIELDS.iter().find(|spec| spec.name == name)
}
