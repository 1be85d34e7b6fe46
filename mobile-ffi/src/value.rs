//! What can be in a field: typed values, words with a fixed meaning, dates, money.

use std::time::{Duration, SystemTime};

use chrono::NaiveDate;
use roadbook_protocol::document;
use roadbook_protocol::document::schema::Kind;
use roadbook_protocol::ids::UnixMs;

use crate::error::{Result, RoadbookError};

/// Words with a fixed meaning: an enum of the app, a word in the document.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, uniffi::Enum)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }
        impl $name {
            /// All of them, in the order of the document model.
            pub(crate) const ALL: &[$name] = &[$($name::$variant,)*];
            /// The word in the document.
            pub(crate) fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
            /// The one of that word.
            pub(crate) fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Person or company.
    ContactKind {
        /// A person.
        Person = "person",
        /// A company.
        Company = "company",
    }
}

words! {
    /// The standing of a contact (its `status`).
    Standing {
        /// Somebody who showed interest.
        Lead = "lead",
        /// Somebody who is being talked to.
        Prospect = "prospect",
        /// Somebody who bought.
        Customer = "customer",
        /// Somebody one works with.
        Partner = "partner",
        /// Somebody who will not buy.
        Lost = "lost",
    }
}

words! {
    /// How likely a contact is to buy soon.
    Temperature {
        /// Not soon.
        Cold = "cold",
        /// Perhaps.
        Warm = "warm",
        /// Very likely.
        Hot = "hot",
    }
}

words! {
    /// What kind of interaction there was.
    InteractionKind {
        /// A visit.
        Visit = "visit",
        /// A call.
        Call = "call",
        /// An email.
        Email = "email",
        /// A message by a messenger.
        Message = "message",
        /// A meeting.
        Meeting = "meeting",
        /// A note: it does not count as contact.
        Note = "note",
        /// A complaint.
        Complaint = "complaint",
        /// Goods that came back.
        Return = "return",
        /// The answer to a survey.
        Survey = "survey",
    }
}

words! {
    /// The stage of a deal in the funnel.
    Stage {
        /// Somebody may want something.
        Lead = "lead",
        /// It is known what they want, and that they can pay it.
        Qualified = "qualified",
        /// An offer was made.
        Offer = "offer",
        /// It is being negotiated.
        Negotiation = "negotiation",
        /// Closed: bought.
        Won = "won",
        /// Closed: not bought.
        Lost = "lost",
    }
}

words! {
    /// Whether consent was given or taken back.
    ConsentState {
        /// Given.
        Given = "given",
        /// Taken back.
        Withdrawn = "withdrawn",
    }
}

/// A calendar date without a time. It is the language's own type for that: `java.time.LocalDate`,
/// `datetime.date`, and in Swift `DateComponents` with year, month and day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CalendarDate(pub NaiveDate);

uniffi::custom_type!(CalendarDate, String, {
    lower: |date| date.text(),
    try_lift: |text| Ok(CalendarDate::parse(&text).ok_or_else(|| {
        RoadbookError::invalid("date", format!("`{text}` is no date"), "give a day of the calendar")
    })?),
});

impl CalendarDate {
    /// `YYYY-MM-DD`.
    pub(crate) fn text(&self) -> String {
        self.0.format("%Y-%m-%d").to_string()
    }
    /// Reads `YYYY-MM-DD` of the years 1 to 9999, which every language has.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        use chrono::Datelike;
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        (1..=9999).contains(&date.year()).then_some(Self(date))
    }
}

/// An amount of money, exactly: never a number with a fraction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, uniffi::Record)]
pub struct Money {
    /// In minor units of the currency: cents, øre, yen.
    pub minor: i64,
    /// ISO 4217, such as `EUR`; empty where nobody wrote one.
    pub currency: String,
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Value {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A whole number: a count, per cent, days.
    Integer {
        /// The number.
        number: i64,
    },
    /// A number with a fraction.
    Decimal {
        /// The number.
        number: f64,
    },
    /// Yes or no.
    Flag {
        /// Yes is true.
        flag: bool,
    },
    /// A calendar date without a time.
    Date {
        /// The date.
        date: CalendarDate,
    },
    /// A moment.
    Moment {
        /// The moment; milliseconds are kept.
        moment: SystemTime,
    },
    /// An amount of money: of a deal or a purchase.
    Amount {
        /// The amount.
        money: Money,
    },
    /// Person or company.
    Kind {
        /// Which.
        kind: ContactKind,
    },
    /// The standing of a contact.
    Status {
        /// Which.
        status: Standing,
    },
    /// How likely a contact is to buy soon.
    Temperature {
        /// Which.
        temperature: Temperature,
    },
    /// The kind of an interaction.
    Interaction {
        /// Which.
        kind: InteractionKind,
    },
    /// The stage of a deal.
    Stage {
        /// Which.
        stage: Stage,
    },
    /// The state of a consent.
    Consent {
        /// Which.
        state: ConsentState,
    },
}

/// The latest moment that every language can hold: the end of the year 9999.
const MOMENT_MAX: UnixMs = 253_402_300_799_999;
/// The earliest: the beginning of the year 1.
const MOMENT_MIN: UnixMs = -62_135_596_800_000;

/// A moment of milliseconds since 1970. A device whose clock is wrong, or a hostile one, may have
/// written any number: it is brought within the years that every language has.
pub(crate) fn moment(ms: UnixMs) -> SystemTime {
    let ms = ms.clamp(MOMENT_MIN, MOMENT_MAX);
    let apart = Duration::from_millis(ms.unsigned_abs());
    let moment = match ms {
        0.. => SystemTime::UNIX_EPOCH.checked_add(apart),
        _ => SystemTime::UNIX_EPOCH.checked_sub(apart),
    };
    moment.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Milliseconds since 1970, to the nearest. Swift's `Date` is a number of seconds with a fraction: a
/// moment that was handed out comes back up to a microsecond earlier, and has to be the same one.
pub(crate) fn unix_ms(moment: SystemTime) -> UnixMs {
    let half = Duration::from_micros(500);
    let whole =
        |apart: Duration| i64::try_from(apart.saturating_add(half).as_millis()).unwrap_or(i64::MAX);
    match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

impl Value {
    /// What a document holds, typed by the kind of its field (`None`: a custom or unknown field).
    pub(crate) fn from_core(value: &document::Value, kind: Option<Kind>) -> Value {
        use document::Value as Core;
        let typed = match (kind, value) {
            (Some(Kind::Date), Core::Text(text)) => {
                CalendarDate::parse(text).map(|date| Value::Date { date })
            }
            (Some(Kind::Instant), Core::Int(ms)) => Some(Value::Moment { moment: moment(*ms) }),
            (Some(Kind::Choice(words)), Core::Text(text)) => Value::from_word(words, text),
            _ => None,
        };
        typed.unwrap_or_else(|| match value {
            Core::Bool(flag) => Value::Flag { flag: *flag },
            Core::Int(number) => Value::Integer { number: *number },
            Core::Number(number) => Value::Decimal { number: *number },
            Core::Text(text) => Value::Text { text: text.clone() },
        })
    }

    /// The typed value of a word: which enum it is of, the field's list of words says.
    fn from_word(words: &[&str], word: &str) -> Option<Value> {
        let is = |all: Vec<&str>| all == words;
        if is(ContactKind::ALL.iter().map(|one| one.word()).collect()) {
            ContactKind::from_word(word).map(|kind| Value::Kind { kind })
        } else if is(Standing::ALL.iter().map(|one| one.word()).collect()) {
            Standing::from_word(word).map(|status| Value::Status { status })
        } else if is(Temperature::ALL.iter().map(|one| one.word()).collect()) {
            Temperature::from_word(word).map(|temperature| Value::Temperature { temperature })
        } else if is(InteractionKind::ALL.iter().map(|one| one.word()).collect()) {
            InteractionKind::from_word(word).map(|kind| Value::Interaction { kind })
        } else if is(Stage::ALL.iter().map(|one| one.word()).collect()) {
            Stage::from_word(word).map(|stage| Value::Stage { stage })
        } else if is(ConsentState::ALL.iter().map(|one| one.word()).collect()) {
            ConsentState::from_word(word).map(|state| Value::Consent { state })
        } else {
            None
        }
    }

    /// As a command carries it. An amount is two fields, see [`crate::edit`].
    pub(crate) fn into_core(self, field: &str) -> Result<document::Value> {
        Ok(match self {
            Value::Text { text } => text.into(),
            Value::Integer { number } => number.into(),
            Value::Decimal { number } => document::Value::Number(number),
            Value::Flag { flag } => flag.into(),
            Value::Date { date } => date.text().into(),
            Value::Moment { moment } => unix_ms(moment).into(),
            Value::Kind { kind } => kind.word().into(),
            Value::Status { status } => status.word().into(),
            Value::Temperature { temperature } => temperature.word().into(),
            Value::Interaction { kind } => kind.word().into(),
            Value::Stage { stage } => stage.word().into(),
            Value::Consent { state } => state.word().into(),
            Value::Amount { .. } => {
                return Err(RoadbookError::invalid(
                    field,
                    "an amount of money does not fit here",
                    "only the amount of a deal or a purchase is money",
                ));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use roadbook_protocol::document::Collection;
    use roadbook_protocol::document::schema::FIELDS;

    use super::*;

    #[test]
    fn every_word_of_the_document_model_has_a_typed_value() {
        let specs = FIELDS.iter().chain(Collection::ALL.iter().flat_map(|all| all.fields()));
        for spec in specs {
            let Kind::Choice(words) = spec.kind else { continue };
            for word in words {
                let core = document::Value::from(*word);
                let value = Value::from_core(&core, Some(spec.kind));
                assert!(!matches!(value, Value::Text { .. }), "{}: {word}", spec.name);
                assert_eq!(value.into_core(spec.name), Ok(core));
            }
        }
    }

    #[test]
    fn a_moment_keeps_its_milliseconds_and_a_wild_one_becomes_one_that_every_language_has() {
        for ms in [0, 1, -1, 1_700_000_000_123, -2_000_000_000_000, MOMENT_MAX, MOMENT_MIN] {
            assert_eq!(unix_ms(moment(ms)), ms);
        }
        assert_eq!(unix_ms(moment(i64::MAX)), MOMENT_MAX);
        assert_eq!(unix_ms(moment(i64::MIN)), MOMENT_MIN);
    }

    #[test]
    fn what_is_no_date_stays_text() {
        for text in ["2024-02-30", "yesterday", "", "12024-01-01"] {
            let value = Value::from_core(&document::Value::from(text), Some(Kind::Date));
            assert_eq!(value, Value::Text { text: text.to_owned() });
        }
        let value = Value::from_core(&document::Value::from("2024-02-29"), Some(Kind::Date));
        assert_eq!(value.into_core("birthday"), Ok("2024-02-29".into()));
    }

    #[test]
    fn a_moment_comes_back_the_same_from_a_language_that_counts_in_fractions_of_a_second() {
        let little = Duration::from_nanos(300);
        for ms in [0, 1, -1, 123, -1_772_616_615_123, 1_772_616_615_123, 1_772_616_615_999] {
            let exact = moment(ms);
            for near in [exact, exact - little, exact + little] {
                assert_eq!(unix_ms(near), ms);
            }
        }
    }
}
