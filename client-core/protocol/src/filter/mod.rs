//! The one filter grammar: the replica's list, the program, the managers' API and import all read
//! the same text, so that a filter learned in one place works in every other.
//!
//! [`Filter::parse`] turns text into a tree. The tree is judged in two ways that must agree: over a
//! [`Row`] in memory ([`Filter::eval`], for live lists) and as SQL over the projection table
//! ([`Filter::to_sql`], for stores). No clock is read here: what "today" means is an argument.
//!
//! The grammar is documented in `docs/filters.md`; a test holds that page to [`names`].

mod amount;
mod compare;
mod eval;
mod names;
mod parse;
mod sql;
mod when;

use chrono::NaiveDate;

use crate::fold::Query;
use crate::ids::UnixMs;
use crate::projection::Row;
use names::{AmountOf, ClassOf, CountOf, DateOf, HasOf, InstantOf, PhoneOf, TextOf};
use when::{Days, Moments};

pub use names::names;

/// A parsed filter: which contacts, in any words of the grammar.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    root: Node,
}

/// What relative dates are relative to. Nothing here reads a clock.
///
/// Calendar days of instants (when a contact was last contacted or touched) are days of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterContext {
    /// The calendar day that `today` means: the reader's own day, in whatever zone they live.
    pub today: NaiveDate,
    /// The instant that ages (`contacted:>60d`) are counted from, milliseconds since 1970.
    pub now_ms: UnixMs,
}

/// What only the office knows of a contact and no row carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Office<'a> {
    /// The login of the owner; `None` for an unassigned contact, and on devices.
    pub owner: Option<&'a str>,
    /// The classes of the customer, one for each currency that they bought in.
    pub standings: &'a [Standing],
    /// The channels, in lower case, whose latest statement is a consent that was given.
    pub consents: &'a [&'a str],
    /// The latest answer to a survey, 0 to 10.
    pub nps: Option<i64>,
}

/// The classes of a customer in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How lately they bought, 1 to 5.
    pub recency: i64,
    /// How often.
    pub frequency: i64,
    /// For how much.
    pub monetary: i64,
    /// `A`, `B` or `C`.
    pub abc: char,
}

/// Whose projection table the SQL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlTarget {
    /// A replica: there is no column `owner_login`, so `owner:` is an error, and so are classes of
    /// customers and consents. It has the tables `handed_list` (`id`, `name`) and `handed_contact`
    /// (`list`, `contact`), and `p.id` is the id of the contact.
    Device,
    /// The server, which has the tables `standing` (`n`, `recency`, `frequency`, `monetary`, `class`)
    /// `consent` (`n`, `id`, `channel`, `given`, `at`)
    /// and `interaction` (`n`, `id`, `at`, `nps`) too; `n` is the rowid of the projection. There are no
    /// lists, so `list:` is an error.
    Server,
}

/// A parameter of a [`SqlFilter`].
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// Text.
    Text(String),
    /// A 64-bit integer.
    Int(i64),
    /// A double.
    Real(f64),
    /// NULL.
    Null,
}

/// A condition over the projection table, whose alias is `p`: it has the columns of
/// [`crate::projection::COLUMNS`], `row` (the row as JSON text) and a rowid that is also the rowid
/// of the full-text table `search`; at the server `owner_login` too.
///
/// The functions of [`crate::fold::SQL_FUNCTIONS`] must be registered.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlFilter {
    /// The condition, to stand behind `WHERE` or `AND`; it brings its own parentheses. It may be
    /// NULL where it does not hold.
    pub clause: String,
    /// The values of the `?` placeholders, in order.
    pub params: Vec<SqlValue>,
}

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter, character {position}: {message}")]
pub struct FilterError {
    /// Where, counted in characters from 1.
    pub position: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl FilterError {
    /// The error under the text it speaks of, with a mark at the place: three lines for a terminal.
    pub fn pointing_at(&self, text: &str) -> String {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{line}\n{}^\n{}", " ".repeat(self.position.saturating_sub(1)), self.message)
    }
}

impl Filter {
    /// Reads a filter. The empty text matches every contact. At most 4,000 characters, 128
    /// conditions and 32 levels of brackets are taken.
    pub fn parse(text: &str) -> Result<Filter, FilterError> {
        Ok(Filter { root: parse::parse(text)? })
    }

    /// Whether a row matches. Agrees with [`Filter::to_sql`] on every row; but a row does not say in which
    /// lists its contact is, so it is in none here.
    pub fn eval(&self, row: &Row, office: &Office<'_>, ctx: &FilterContext) -> bool {
        eval::eval(&self.root, row, office, ctx)
    }

    /// The same question as SQL. Fails on a device where the filter asks for what the office alone knows,
    /// and at the server where it asks for a list, which devices alone have.
    pub fn to_sql(&self, ctx: &FilterContext, target: SqlTarget) -> Result<SqlFilter, FilterError> {
        sql::to_sql(&self.root, ctx, target)
    }

    /// Whether the filter says anything about `archived`. Where it does not, lists leave archived
    /// contacts out: see [`Filter::hiding_archived`].
    pub fn mentions_archived(&self) -> bool {
        self.root.any_term(&|term| matches!(term, Term::Flag { field: "archived", .. }))
    }

    /// Whether the filter asks for the owner, which only the server knows. On a device such a
    /// filter must be refused rather than evaluated.
    pub fn mentions_owner(&self) -> bool {
        self.root.any_term(&|term| matches!(term, Term::Owner { .. }))
    }

    /// Whether the filter asks for the classes of customers, which a server calculates from all
    /// purchases before it looks.
    pub fn mentions_classes(&self) -> bool {
        self.root.any_term(&|term| matches!(term, Term::Class { .. } | Term::Abc { .. }))
    }

    /// The filter as lists use it: archived contacts are left out unless the filter speaks of them.
    pub fn hiding_archived(self) -> Filter {
        if self.mentions_archived() {
            return self;
        }
        let live = Node::Term(Term::Flag { field: "archived", want: Some(false) });
        Filter { root: Node::All(vec![self.root, live]) }
    }
}

/// The tree.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Term(Term),
}

impl Node {
    fn not(self) -> Node {
        Node::Not(Box::new(self))
    }

    fn any_term(&self, test: &dyn Fn(&Term) -> bool) -> bool {
        match self {
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(|node| node.any_term(test)),
            Node::Not(node) => node.any_term(test),
            Node::Term(term) => test(term),
        }
    }
}

/// One condition. What is relative to today is resolved when the condition is judged.
#[derive(Debug, Clone, PartialEq)]
enum Term {
    /// Words or a phrase, in all searchable text or in one column of it.
    FullText { column: Option<&'static str>, query: Query },
    /// One text, or any of a list of texts, is like this.
    Text { of: TextOf, pattern: Pattern },
    /// One of these runs of digits is in a phone number.
    Phone { of: PhoneOf, needles: Vec<String> },
    /// A count or an integer field lies within.
    Count { of: CountOf, range: Range<i64> },
    /// A field with a fraction lies within.
    Number { field: &'static str, range: Range<f64> },
    /// A yes-or-no field; `None` is true of every contact. A field that is not set is no.
    Flag { field: &'static str, want: Option<bool> },
    /// A calendar date lies within.
    Date { of: DateOf, days: Days },
    /// An instant lies within; `missing` is the answer where there is none.
    Instant { of: InstantOf, moments: Moments, missing: bool },
    /// The next birthday is at most so many days away.
    BirthdayIn { days: i64 },
    /// The last contact is longer ago than the contact's cadence allows.
    CadenceOverdue,
    /// A sum of money lies within, in this currency or in any.
    Amount { of: AmountOf, currency: Option<String>, range: amount::AmountRange },
    /// Something is there.
    Has(HasOf),
    /// A custom field.
    Custom { name: String, test: CustomTest },
    /// The owner's login, or nobody; where it stands in the text, for the error on a device.
    Owner { login: Option<String>, position: usize },
    /// A class of the customer, in any currency; where it stands in the text, as above.
    Class { of: ClassOf, range: Range<i64>, position: usize },
    /// The latest answer to a survey.
    Nps { range: Range<i64>, position: usize },
    /// The class of Pareto's curve, in any currency.
    Abc { class: char, position: usize },
    /// Consent for a channel, in lower case; `None` where there must be none for any.
    Consent { channel: Option<String>, position: usize },
    /// In a list that the office handed over; on a device only.
    List { pattern: Pattern, position: usize },
}

/// How a text is compared.
#[derive(Debug, Clone, PartialEq)]
enum Pattern {
    /// The very same text: words that the schema fixes.
    Exactly(String),
    /// The same when folded.
    Folded(String),
    /// Begins so, when folded.
    Starts(String),
    /// Contains this, when folded.
    Contains(String),
}

impl Pattern {
    /// Equality of folded text; of raw text where nothing is left after folding (`tag:"⭐"`).
    fn is(text: &str) -> Pattern {
        let folded = crate::fold::fold(text);
        if folded.is_empty() { Pattern::Exactly(text.to_owned()) } else { Pattern::Folded(folded) }
    }
}

/// What a custom field may be, by the type of its value: any that fits.
#[derive(Debug, Clone, PartialEq, Default)]
struct CustomTest {
    text: Option<Pattern>,
    number: Option<Range<f64>>,
    days: Option<Days>,
    flag: Option<bool>,
}

/// From and to, both included; `None` is open.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range<T> {
    from: Option<T>,
    to: Option<T>,
}

impl<T: PartialOrd> Range<T> {
    fn holds(&self, value: &T) -> bool {
        self.from.as_ref().is_none_or(|from| value >= from)
            && self.to.as_ref().is_none_or(|to| value <= to)
    }
}

/// The operator between a name and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Is,
    IsNot,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[cfg(test)]
mod tests;
