//! The filter over a row in memory. Every arm has its twin in `sql.rs`.

use std::cell::OnceCell;

use super::names::{
    ADDRESS, AmountOf, ClassOf, CountOf, DateOf, HasOf, InstantOf, PhoneOf, TextOf,
};
use super::{CustomTest, FilterContext, Node, Office, Pattern, Term};
use crate::document::{Value, minor_digits};
use crate::fold::{FTS_COLUMNS, SearchText, fold, phone_digits, search_text};
use crate::ids::UnixMs;
use crate::projection::Row;

pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(super) fn eval(node: &Node, row: &Row, office: &Office<'_>, ctx: &FilterContext) -> bool {
    Reader { row, office, ctx, text: OnceCell::new() }.node(node)
}

struct Reader<'a> {
    row: &'a Row,
    office: &'a Office<'a>,
    ctx: &'a FilterContext,
    /// Made only if the filter asks for text.
    text: OnceCell<SearchText>,
}

impl Reader<'_> {
    fn node(&self, node: &Node) -> bool {
        match node {
            Node::All(nodes) => nodes.iter().all(|node| self.node(node)),
            Node::Any(nodes) => nodes.iter().any(|node| self.node(node)),
            Node::Not(node) => !self.node(node),
            Node::Term(term) => self.term(term),
        }
    }

    fn term(&self, term: &Term) -> bool {
        let row = self.row;
        match term {
            Term::FullText { column, query } => {
                let text = self.text.get_or_init(|| search_text(row));
                let columns = text.columns();
                match column.and_then(|name| FTS_COLUMNS.iter().position(|(c, _)| *c == name)) {
                    Some(at) => query.matches(&columns[at..=at]),
                    None => query.matches(&columns),
                }
            }
            Term::Text { of, pattern } => self.texts(*of).any(|text| pattern.holds(text)),
            Term::Phone { of, needles } => self.numbers(*of).any(|number| {
                let digits = phone_digits(number);
                needles.iter().any(|needle| digits.contains(needle.as_str()))
            }),
            Term::Count { of, range } => self.count(*of).is_some_and(|count| range.holds(&count)),
            Term::Number { field, range } => {
                self.field(field).and_then(number).is_some_and(|number| range.holds(&number))
            }
            Term::Flag { field, want } => {
                let set = self.field(field).and_then(Value::as_bool) == Some(true);
                want.is_none_or(|want| want == set)
            }
            Term::Date { of, days } => self.date(*of).is_some_and(|date| days.hold(date, self.ctx)),
            Term::Instant { of, moments, missing } => match self.instant(*of) {
                Some(at) => moments.resolve(self.ctx).holds(&at),
                None => *missing,
            },
            Term::BirthdayIn { days } => {
                self.date(DateOf::Field("birthday")).is_some_and(|birthday| {
                    let (from, to) = month_days(self.ctx, *days);
                    let day: String = birthday.chars().skip(5).take(5).collect();
                    if day.is_empty() {
                        return false;
                    }
                    if from <= to { from <= day && day <= to } else { from <= day || day <= to }
                })
            }
            Term::CadenceOverdue => {
                let cadence = self.count(CountOf::Field("cadence_days")).unwrap_or(0);
                let since = self.ctx.now_ms.saturating_sub(row.last_contact_at.unwrap_or(0));
                cadence > 0 && since / DAY_MS >= cadence
            }
            Term::Amount { of, currency, range } => {
                let sums = match of {
                    AmountOf::OpenDeals => &row.open_amount,
                    AmountOf::Revenue => &row.revenue,
                };
                match currency {
                    Some(code) => {
                        range.minor(minor_digits(code)).holds(sums.get(code).unwrap_or(&0))
                    }
                    None if sums.is_empty() => range.minor(0).holds(&0),
                    None => {
                        sums.iter().any(|(code, sum)| range.minor(minor_digits(code)).holds(sum))
                    }
                }
            }
            Term::Has(thing) => self.has(thing),
            Term::Custom { name, test } => {
                let mut found = row.custom.iter().filter(|(key, _)| Pattern::is(name).holds(key));
                found.any(|(_, value)| self.custom(value, test))
            }
            Term::Owner { login, .. } => match (login, self.office.owner) {
                (Some(login), Some(owner)) => login.eq_ignore_ascii_case(owner),
                (None, None) => true,
                _ => false,
            },
            Term::Class { of, range, .. } => self.office.standings.iter().any(|standing| {
                range.holds(&match of {
                    ClassOf::Recency => standing.recency,
                    ClassOf::Frequency => standing.frequency,
                    ClassOf::Monetary => standing.monetary,
                })
            }),
            Term::Nps { range, .. } => self.office.nps.is_some_and(|answer| range.holds(&answer)),
            Term::Abc { class, .. } => {
                self.office.standings.iter().any(|standing| standing.abc == *class)
            }
            Term::List { .. } => false,
            Term::Consent { channel, .. } => match channel {
                Some(channel) => self.office.consents.contains(&channel.as_str()),
                None => self.office.consents.is_empty(),
            },
        }
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.row.fields.get(name)
    }

    fn texts(&self, of: TextOf) -> Box<dyn Iterator<Item = &str> + '_> {
        let row = self.row;
        match of {
            TextOf::Field(name) => Box::new(self.field(name).and_then(Value::as_text).into_iter()),
            TextOf::Address(part) => Box::new(Some(self.row_text(part)).into_iter()),
            TextOf::Tags => Box::new(row.tags.iter().map(String::as_str)),
            TextOf::Stages => Box::new(row.stages.iter().map(String::as_str)),
            TextOf::Emails => Box::new(row.emails.iter().map(String::as_str)),
            TextOf::External => Box::new(row.external_ids.values().map(String::as_str)),
        }
    }

    fn row_text(&self, name: &str) -> &str {
        let row = self.row;
        match name {
            "street" => &row.street,
            "postal_code" => &row.postal_code,
            "city" => &row.city,
            "region" => &row.region,
            "country" => &row.country,
            "note" => &row.note,
            _ => "",
        }
    }

    fn numbers(&self, of: PhoneOf) -> Box<dyn Iterator<Item = &str> + '_> {
        match of {
            PhoneOf::List => Box::new(self.row.phones.iter().map(String::as_str)),
            PhoneOf::Field(name) => Box::new(self.field(name).and_then(Value::as_text).into_iter()),
        }
    }

    fn count(&self, of: CountOf) -> Option<i64> {
        let row = self.row;
        Some(match of {
            CountOf::Field(name) => return self.field(name).and_then(Value::as_int),
            CountOf::Interactions(kind) => row.interactions.get(kind).copied().unwrap_or(0).into(),
            CountOf::AllInteractions => row.interactions.values().copied().map(i64::from).sum(),
            CountOf::OpenTasks => row.open_tasks.into(),
            CountOf::Purchases => row.purchases.into(),
            CountOf::Conflicts => row.conflicts.into(),
        })
    }

    fn date(&self, of: DateOf) -> Option<&str> {
        match of {
            DateOf::Field(name) => self.field(name).and_then(Value::as_text),
            DateOf::NextDue => self.row.next_due.as_deref(),
            DateOf::LastPurchase => self.row.last_purchase.as_deref(),
        }
    }

    fn instant(&self, of: InstantOf) -> Option<UnixMs> {
        match of {
            InstantOf::LastContact => self.row.last_contact_at,
            InstantOf::Touched => Some(self.row.touched_at),
        }
    }

    fn has(&self, thing: &HasOf) -> bool {
        let row = self.row;
        let set = |value: &Value| value.as_text() != Some("");
        match thing {
            HasOf::Field(name) => self.field(name).is_some_and(set),
            HasOf::Address => ADDRESS.into_iter().any(|part| !self.row_text(part).is_empty()),
            HasOf::RowText(name) => !self.row_text(name).is_empty(),
            HasOf::RowList(name) => match *name {
                "phones" => !row.phones.is_empty(),
                "emails" => !row.emails.is_empty(),
                "tags" => !row.tags.is_empty(),
                "stages" => !row.stages.is_empty(),
                _ => !row.external_ids.is_empty(),
            },
            HasOf::Custom(name) => {
                let name = Pattern::is(name);
                row.custom.iter().any(|(key, value)| name.holds(key) && set(value))
            }
            HasOf::Date(of) => self.date(*of).is_some_and(|date| !date.is_empty()),
            HasOf::Contacted => row.last_contact_at.is_some(),
        }
    }

    fn custom(&self, value: &Value, test: &CustomTest) -> bool {
        match value {
            Value::Bool(flag) => test.flag == Some(*flag),
            Value::Text(text) => {
                test.text.as_ref().is_some_and(|pattern| pattern.holds(text))
                    || test.days.is_some_and(|days| days.hold(text, self.ctx))
            }
            Value::Int(_) | Value::Number(_) => {
                test.number.zip(number(value)).is_some_and(|(range, n)| range.holds(&n))
            }
        }
    }
}

impl Pattern {
    fn holds(&self, text: &str) -> bool {
        match self {
            Pattern::Exactly(want) => text == want,
            Pattern::Folded(want) => fold(text) == *want,
            Pattern::Starts(want) => fold(text).starts_with(want.as_str()),
            Pattern::Contains(want) => fold(text).contains(want.as_str()),
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(*n as f64),
        Value::Number(n) => Some(*n),
        _ => None,
    }
}

/// Today and the day so many days later, as `MM-DD`; the whole year where it is that long.
pub(super) fn month_days(ctx: &FilterContext, days: i64) -> (String, String) {
    if days >= 365 {
        return ("01-01".to_owned(), "12-31".to_owned());
    }
    let to = ctx.today.checked_add_signed(chrono::TimeDelta::days(days)).unwrap_or(ctx.today);
    (ctx.today.format("%m-%d").to_string(), to.format("%m-%d").to_string())
}
