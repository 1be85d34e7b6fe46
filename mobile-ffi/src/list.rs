//! Lists, a window at a time, and search as somebody types.

use std::collections::BTreeMap;
use std::time::SystemTime;

use roadbook_client_core as core;
use roadbook_client_core::Replica;
use roadbook_protocol::document;
use roadbook_protocol::projection::Row;

use crate::book::{Person, Roadbook};
use crate::error::Result;
use crate::value::{CalendarDate, ContactKind, Money, Stage, Standing, Temperature, moment};

/// The most rows of one window or search.
const ROWS_MAX: u32 = 1_000;

/// In which order a list comes. Contacts without the value come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Sort {
    /// By family name, given name, company.
    Name,
    /// By company, then name.
    Company,
    /// By city, then name.
    City,
    /// Latest edit first.
    Touched,
    /// Soonest visit first.
    NextVisit,
    /// Latest contact first.
    LastContact,
}

/// Which contacts to list: a window onto a list that may be endless.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ListQuery {
    /// In the filter grammar of `docs/filters.md`, such as `status:customer city:Berlin due:overdue`;
    /// none lists everything that is not archived.
    #[uniffi(default = None)]
    pub filter: Option<String>,
    /// The order; by name unless given.
    #[uniffi(default = None)]
    pub sort: Option<Sort>,
    /// So many are left out at the beginning.
    #[uniffi(default = 0)]
    pub offset: u32,
    /// At most so many rows; never more than 1,000.
    #[uniffi(default = 50)]
    pub limit: u32,
}

/// One contact in a list.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ContactRow {
    /// Its id.
    pub id: String,
    /// What to call it.
    pub display_name: String,
    /// Person or company.
    pub kind: Option<ContactKind>,
    /// The company.
    pub company: Option<String>,
    /// The job title.
    pub job_title: Option<String>,
    /// The standing.
    pub status: Option<Standing>,
    /// How likely they are to buy soon.
    pub temperature: Option<Temperature>,
    /// The category.
    pub category: Option<String>,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// Phone numbers as typed.
    pub phones: Vec<String>,
    /// Email addresses.
    pub emails: Vec<String>,
    /// Of the first address.
    pub street: Option<String>,
    /// Of the first address.
    pub postal_code: Option<String>,
    /// Of the first address.
    pub city: Option<String>,
    /// Of the first address.
    pub country: Option<String>,
    /// Latitude in degrees.
    pub latitude: Option<f64>,
    /// Longitude in degrees.
    pub longitude: Option<f64>,
    /// The latest interaction that counts as contact.
    pub last_contact: Option<SystemTime>,
    /// The next visit.
    pub next_visit: Option<CalendarDate>,
    /// Open tasks.
    pub open_tasks: u32,
    /// The earliest due date among open tasks.
    pub next_due: Option<CalendarDate>,
    /// The stages of the deals.
    pub stages: Vec<Stage>,
    /// What open deals are worth, for each currency.
    pub open_deals: Vec<Money>,
    /// What was bought, for each currency.
    pub revenue: Vec<Money>,
    /// How many purchases there were.
    pub purchases: u32,
    /// Must not be contacted.
    pub do_not_contact: bool,
    /// Archived.
    pub archived: bool,
    /// Fields that wait for a decision.
    pub conflicts: u32,
    /// When it was edited last, as that device's clock said.
    pub touched_at: SystemTime,
}

/// One window of a list.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct ContactPage {
    /// The rows.
    pub rows: Vec<ContactRow>,
    /// So many were left out at the beginning.
    pub offset: u32,
    /// How many there are in the whole list.
    pub total: u64,
}

/// A list that the office has handed to this user. It is the office's: read, and not changed here.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct SavedList {
    /// Its id. A list that is handed over anew under its name has another one.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The filter that finds its contacts, for `ListQuery` and `ids`; other conditions may stand beside
    /// it.
    pub filter: String,
    /// Who handed it over. The login is empty.
    pub by: Person,
    /// When, by the server's clock.
    pub handed_at: SystemTime,
    /// How many contacts the filter finds on this device.
    pub contacts: u64,
}

impl Sort {
    fn core(self) -> core::Sort {
        match self {
            Sort::Name => core::Sort::Name,
            Sort::Company => core::Sort::Company,
            Sort::City => core::Sort::City,
            Sort::Touched => core::Sort::Touched,
            Sort::NextVisit => core::Sort::NextVisit,
            Sort::LastContact => core::Sort::LastContact,
        }
    }
}

impl ContactRow {
    fn from_core(row: &Row) -> ContactRow {
        let text = |name: &str| row.fields.get(name).and_then(document::Value::as_text);
        let own = |name: &str| text(name).map(str::to_owned);
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let flag =
            |name: &str| row.fields.get(name).and_then(document::Value::as_bool).unwrap_or(false);
        let number = |name: &str| match row.fields.get(name)? {
            document::Value::Number(number) => Some(*number),
            document::Value::Int(number) => Some(*number as f64),
            _ => None,
        };
        ContactRow {
            id: row.id.to_string(),
            display_name: row.display_name.clone(),
            kind: text("kind").and_then(ContactKind::from_word),
            company: own("company"),
            job_title: own("job_title"),
            status: text("status").and_then(Standing::from_word),
            temperature: text("temperature").and_then(Temperature::from_word),
            category: own("category"),
            tags: row.tags.clone(),
            phones: row.phones.clone(),
            emails: row.emails.clone(),
            street: some(&row.street),
            postal_code: some(&row.postal_code),
            city: some(&row.city),
            country: some(&row.country),
            latitude: number("latitude"),
            longitude: number("longitude"),
            last_contact: row.last_contact_at.map(moment),
            next_visit: text("next_visit").and_then(CalendarDate::parse),
            open_tasks: row.open_tasks,
            next_due: row.next_due.as_deref().and_then(CalendarDate::parse),
            stages: row.stages.iter().filter_map(|word| Stage::from_word(word)).collect(),
            open_deals: sums(&row.open_amount),
            revenue: sums(&row.revenue),
            purchases: row.purchases,
            do_not_contact: flag("do_not_contact"),
            archived: flag("archived"),
            conflicts: row.conflicts,
            touched_at: moment(row.touched_at),
        }
    }
}

fn sums(amounts: &BTreeMap<String, i64>) -> Vec<Money> {
    amounts
        .iter()
        .map(|(currency, minor)| Money { minor: *minor, currency: currency.clone() })
        .collect()
}

/// One window, as observers and calls see it.
pub(crate) fn window(replica: &Replica, query: &ListQuery) -> Result<ContactPage> {
    let list = replica.list(&core::ListQuery {
        filter: query.filter.clone(),
        sort: query.sort.unwrap_or(Sort::Name).core(),
        limit: query.limit.min(ROWS_MAX) as usize,
        offset: query.offset as usize,
    })?;
    Ok(ContactPage {
        rows: list.rows.iter().map(ContactRow::from_core).collect(),
        offset: query.offset,
        total: list.total as u64,
    })
}

#[uniffi::export]
impl Roadbook {
    /// One window of a list. About a millisecond for 50 of 10,000. `Invalid` with the field `filter`
    /// where the filter can't be read.
    pub fn list(&self, query: ListQuery) -> Result<ContactPage> {
        self.call("list", |replica| window(replica, &query))
    }

    /// The lists that the office has handed to this user, those that were handed over last first. They
    /// come and change with the exchange with the server, and need no network otherwise.
    pub fn lists(&self) -> Result<Vec<SavedList>> {
        self.call("lists", |replica| {
            let lists = replica.lists()?.into_iter();
            Ok(lists
                .map(|list| SavedList {
                    id: list.id.to_string(),
                    name: list.name,
                    filter: list.filter,
                    by: Person {
                        id: list.by.id.to_string(),
                        login: String::new(),
                        name: list.by.name,
                    },
                    handed_at: moment(list.at),
                    contacts: list.contacts,
                })
                .collect())
        })
    }

    /// The ids of all contacts that a filter selects, by name.
    #[uniffi::method(default(filter = None))]
    pub fn ids(&self, filter: Option<String>) -> Result<Vec<String>> {
        self.call("ids", |replica| {
            Ok(replica.ids(filter.as_deref())?.iter().map(ToString::to_string).collect())
        })
    }

    /// Search as somebody types: every word, as the beginning of a word in any field, whatever its case
    /// and accents; the best first. Empty text finds nothing.
    #[uniffi::method(default(limit = 50))]
    pub fn search(&self, text: String, limit: u32) -> Result<Vec<ContactRow>> {
        self.call("search", |replica| {
            let rows = replica.search(&text, limit.min(ROWS_MAX) as usize)?;
            Ok(rows.iter().map(ContactRow::from_core).collect())
        })
    }

    /// One contact as lists see it: cheaper than the whole.
    pub fn row(&self, contact_id: String) -> Result<ContactRow> {
        self.call("row", |replica| {
            Ok(ContactRow::from_core(&replica.row(crate::edit::contact_id(&contact_id)?)?))
        })
    }

    /// The id of the contact whose id begins with this, as a person types it. `Ambiguous` where several
    /// do.
    pub fn resolve_id(&self, prefix: String) -> Result<String> {
        self.call("resolve_id", |replica| Ok(replica.resolve_id(&prefix)?.to_string()))
    }
}
