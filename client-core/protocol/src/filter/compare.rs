//! One condition: what a name, an operator and a value ask together.

use super::amount::{self, AmountRange};
use super::names::{
    CountOf, DateOf, HAS, HasOf, InstantOf, PhoneOf, Presence, Subject, TextOf, closest, presence,
};
use super::parse::{Value, error};
use super::when::{Days, Moments, parse_age, parse_days};
use super::{CustomTest, FilterError, Node, Op, Pattern, Range, Term};
use crate::fold::{Query, fold, phone_needles};

/// One comparison: a name, an operator and one value.
pub(super) struct Comparison<'a> {
    pub(super) name: &'a str,
    pub(super) subject: &'a Subject,
    pub(super) op: Op,
    pub(super) value: &'a Value,
}

impl Comparison<'_> {
    fn fail(&self, message: impl Into<String>) -> FilterError {
        error(self.value.at, message)
    }

    fn wrong(&self, expected: &str) -> FilterError {
        let (name, text) = (self.name, self.value.text.chars().take(60).collect::<String>());
        self.fail(format!("`{text}` does not fit `{name}`: {expected}"))
    }

    /// Refuses `<` and `>` where only equality makes sense.
    fn equality(&self) -> Result<&str, FilterError> {
        match self.op {
            Op::Is | Op::IsNot => Ok(&self.value.text),
            _ => Err(self.fail(format!(
                "`{0}` can't be compared with `<` or `>`; write `{0}:VALUE`",
                self.name
            ))),
        }
    }

    /// The two ends of `a..b`, empty where open.
    fn ends(&self) -> Result<Option<(&str, &str)>, FilterError> {
        let Some((from, to)) = self.value.text.split_once("..") else { return Ok(None) };
        self.equality()?;
        if from.is_empty() && to.is_empty() {
            return Err(self.fail("a range needs at least one end, as in `2026-01-01..`"));
        }
        Ok(Some((from, to)))
    }

    fn is_word(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.value.text.eq_ignore_ascii_case(word))
    }

    /// The condition, without the `not` of `!=`.
    pub(super) fn node(&self) -> Result<Node, FilterError> {
        let text = &self.value.text;
        let term = match self.subject {
            Subject::FullText(column) => {
                self.equality()?;
                let query =
                    if self.value.quoted { Query::phrase(text) } else { Query::words(text) };
                let query = query.ok_or_else(|| self.wrong("it has no letters or digits"))?;
                Term::FullText { column: Some(column), query }
            }
            Subject::Text(of) => Term::Text { of: *of, pattern: self.pattern(*of)? },
            Subject::Choice(field, words) => {
                let wanted = self.equality()?;
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(wanted));
                let Some(word) = word else {
                    return Err(self.wrong(&format!("it is one of {}", words.join(", "))));
                };
                let pattern = Pattern::Exactly((*word).to_owned());
                Term::Text { of: TextOf::Field(field), pattern }
            }
            Subject::Phone(of) => self.phone(*of)?,
            Subject::Count(of) => return self.count(*of),
            Subject::Number(field) => {
                let range =
                    self.numbers().ok_or_else(|| self.wrong("expected a number such as 52.5"))?;
                Term::Number { field, range: range? }
            }
            Subject::Flag(field) => self.flag(field)?,
            Subject::Date(of) => return self.date(*of),
            Subject::Instant(of) => return self.instant(*of),
            Subject::BirthdayIn => {
                self.equality()?;
                let days = parse_age(text.trim_start_matches('+')).and_then(|age| age.as_days());
                let days = days.ok_or_else(|| self.wrong("expected days or weeks such as 14d"))?;
                Term::BirthdayIn { days }
            }
            Subject::Cadence => {
                if !self.is_word(&["overdue"]) {
                    return Err(self.wrong(
                        "expected `overdue`; for the number of days itself use `cadence_days`",
                    ));
                }
                self.equality()?;
                Term::CadenceOverdue
            }
            Subject::Amount(of) => {
                let (range, currency) = self.amount()?;
                Term::Amount { of: *of, currency, range }
            }
            Subject::Has { wanted } => {
                let node = self.presence()?;
                return Ok(if *wanted { node } else { node.not() });
            }
            Subject::Custom(name) => Term::Custom { name: name.clone(), test: self.custom()? },
            Subject::Owner => {
                let login = self.equality()?;
                let login = (!self.is_word(&["none"])).then(|| login.to_owned());
                Term::Owner { login, position: self.value.at + 1 }
            }
            Subject::Class(of) => {
                let range = self.class()?;
                Term::Class { of: *of, range, position: self.value.at + 1 }
            }
            Subject::Nps => {
                let range = self.whole_numbers()?;
                let range = range.ok_or_else(|| self.wrong("answers are 0 to 10, or 9..10"))?;
                Term::Nps { range, position: self.value.at + 1 }
            }
            Subject::Abc => {
                let text = self.equality()?.to_ascii_uppercase();
                let class = ["A", "B", "C"].iter().position(|class| *class == text);
                let Some(class) = class else { return Err(self.wrong("it is one of A, B, C")) };
                let class = ['A', 'B', 'C'][class];
                Term::Abc { class, position: self.value.at + 1 }
            }
            Subject::Consent => {
                let channel = self.equality()?.trim().to_lowercase();
                let channel = (!self.is_word(&["none"])).then_some(channel);
                Term::Consent { channel, position: self.value.at + 1 }
            }
            Subject::List => {
                Term::List { pattern: self.pattern(TextOf::Tags)?, position: self.value.at + 1 }
            }
        };
        Ok(Node::Term(term))
    }

    /// Equality, `begins*`, `*contains*`; emails are looked for inside.
    fn pattern(&self, of: TextOf) -> Result<Pattern, FilterError> {
        let text = self.equality()?;
        let inner = text.trim_matches('*');
        let folded = fold(inner);
        let starred = inner.len() < text.len() && !self.value.quoted;
        if starred && folded.is_empty() {
            return Err(self.wrong("beside `*` it needs letters or digits"));
        }
        Ok(if (starred && text.starts_with('*')) || (of == TextOf::Emails && !folded.is_empty()) {
            Pattern::Contains(folded)
        } else if starred {
            Pattern::Starts(folded)
        } else {
            Pattern::is(text)
        })
    }

    fn phone(&self, of: PhoneOf) -> Result<Term, FilterError> {
        let needles = phone_needles(self.equality()?);
        if needles.first().is_none_or(|needle| needle.len() < 3) {
            return Err(self.wrong("expected at least three digits of a number"));
        }
        Ok(Term::Phone { of, needles })
    }

    fn flag(&self, field: &'static str) -> Result<Term, FilterError> {
        self.equality()?;
        let want = match parse_flag(&self.value.text) {
            Some(flag) => Some(flag),
            None if self.is_word(&["any"]) => None,
            None => return Err(self.wrong("expected yes, no or any")),
        };
        Ok(Term::Flag { field, want })
    }

    fn count(&self, of: CountOf) -> Result<Node, FilterError> {
        let at_least_one = Range { from: Some(1), to: None };
        let term = |range| Node::Term(Term::Count { of, range });
        let is_tasks = of == CountOf::OpenTasks;
        if is_tasks && self.is_word(&["overdue"]) {
            self.equality()?;
            return Ok(Node::Term(Term::Date { of: DateOf::NextDue, days: Days::overdue() }));
        }
        let some = if is_tasks { ["any", "open"] } else { ["any", "yes"] };
        if self.is_word(&some) {
            self.equality()?;
            return Ok(term(at_least_one));
        }
        if self.is_word(&["none"]) {
            self.equality()?;
            return Ok(term(at_least_one).not());
        }
        let range = self.whole_numbers()?;
        let words = if is_tasks { "open, overdue or none" } else { "any or none" };
        let expected = || self.wrong(&format!("expected a number, a range such as 2..5, {words}"));
        range.map(term).ok_or_else(expected)
    }

    /// A range of numbers; `None` where there is no number.
    fn numbers(&self) -> Option<Result<Range<f64>, FilterError>> {
        let text = &self.value.text;
        let parse = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
        match self.ends() {
            Err(error) => Some(Err(error)),
            Ok(Some((from, to))) => ends(from, to, parse).map(Ok),
            Ok(None) => parse(text).map(|n| {
                Ok(match self.op {
                    Op::Is | Op::IsNot => Range { from: Some(n), to: Some(n) },
                    Op::Less => Range { from: None, to: Some(n.next_down()) },
                    Op::AtMost => Range { from: None, to: Some(n) },
                    Op::More => Range { from: Some(n.next_up()), to: None },
                    Op::AtLeast => Range { from: Some(n), to: None },
                })
            }),
        }
    }

    /// A range of whole numbers; `None` where there is no number.
    fn whole_numbers(&self) -> Result<Option<Range<i64>>, FilterError> {
        let parse = |text: &str| text.parse::<i64>().ok();
        Ok(match self.ends()? {
            Some((from, to)) => ends(from, to, parse),
            None => parse(&self.value.text).map(|n| match self.op {
                Op::Is | Op::IsNot => Range { from: Some(n), to: Some(n) },
                Op::Less => Range { from: None, to: Some(n.saturating_sub(1)) },
                Op::AtMost => Range { from: None, to: Some(n) },
                Op::More => Range { from: Some(n.saturating_add(1)), to: None },
                Op::AtLeast => Range { from: Some(n), to: None },
            }),
        })
    }

    /// A range of classes.
    fn class(&self) -> Result<Range<i64>, FilterError> {
        let within = |end: Option<i64>| end.is_none_or(|end| (1..=5).contains(&end));
        let typed = |range: &Range<i64>| match self.op {
            Op::Less | Op::More => true,
            _ => within(range.from) && within(range.to),
        };
        self.whole_numbers()?
            .filter(typed)
            .ok_or_else(|| self.wrong("classes are 1 (worst) to 5 (best), or a range such as 4..5"))
    }

    /// A range of days; `None` where there is no date.
    fn days(&self) -> Result<Option<Days>, FilterError> {
        Ok(match self.ends()? {
            None => parse_days(&self.value.text).map(|days| Days::compare(self.op, days)),
            Some((from, to)) => {
                ends(from, to, parse_days).map(|range| Days::between(range.from, range.to))
            }
        })
    }

    fn date(&self, of: DateOf) -> Result<Node, FilterError> {
        let never = if of == DateOf::LastPurchase { "never" } else { "none" };
        if self.is_word(&[never, "any"]) {
            self.equality()?;
            let has = Node::Term(Term::Has(HasOf::Date(of)));
            return Ok(if self.is_word(&[never]) { has.not() } else { has });
        }
        let days = match (self.days()?, parse_age(&self.value.text)) {
            (Some(days), _) => days,
            (None, Some(age)) if of == DateOf::LastPurchase => Days::aged(self.op, age),
            (None, Some(_)) => {
                return Err(self
                    .wrong("give a duration its sign: `+7d` is in 7 days, `-7d` was 7 days ago"));
            }
            (None, None) if self.is_word(&["overdue"]) && of != DateOf::LastPurchase => {
                self.equality()?;
                Days::overdue()
            }
            (None, None) => return Err(self.wrong(DATE_FORMS)),
        };
        Ok(Node::Term(Term::Date { of, days }))
    }

    fn instant(&self, of: InstantOf) -> Result<Node, FilterError> {
        if of == InstantOf::LastContact && self.is_word(&["never", "any"]) {
            self.equality()?;
            let has = Node::Term(Term::Has(HasOf::Contacted));
            return Ok(if self.is_word(&["never"]) { has.not() } else { has });
        }
        let moments = match (self.days()?, parse_age(&self.value.text)) {
            (Some(days), _) => Moments::Days(days),
            (None, Some(age)) => Moments::Aged(self.op, age),
            (None, None) => return Err(self.wrong(DATE_FORMS)),
        };
        let missing = of == InstantOf::LastContact && moments.is_open_to_the_past();
        Ok(Node::Term(Term::Instant { of, moments, missing }))
    }

    fn amount(&self) -> Result<(AmountRange, Option<String>), FilterError> {
        let parse = |text: &str| {
            amount::parse(text).map_err(|reason| {
                self.wrong(&format!("expected an amount such as >1000 or >1000EUR ({reason})"))
            })
        };
        let Some((from, to)) = self.ends()? else {
            let (bound, currency) = parse(&self.value.text)?;
            return Ok((AmountRange::compare(self.op, bound), currency));
        };
        let end = |text: &str| if text.is_empty() { Ok(None) } else { parse(text).map(Some) };
        // The currency of the end stands for both, and decides how the start is read.
        let to = end(to)?;
        let currency = to.as_ref().and_then(|(_, currency)| currency.clone());
        let bare = from.ends_with(|c: char| c.is_ascii_digit());
        let from = match &currency {
            Some(code) if bare => end(&format!("{from}{code}"))?,
            _ => end(from)?,
        };
        let (from, from_currency) = from.map_or((None, None), |(n, code)| (Some(n), code));
        if from_currency.is_some() && to.is_some() && from_currency != currency {
            return Err(self.wrong("both ends of a range have the same currency"));
        }
        Ok((AmountRange::between(from, to.map(|(n, _)| n)), currency.or(from_currency)))
    }

    fn presence(&self) -> Result<Node, FilterError> {
        let wanted = self.equality()?;
        Ok(Node::Term(match presence(wanted) {
            Some(Presence::Thing(thing)) => Term::Has(thing),
            Some(Presence::Count(of)) => {
                Term::Count { of, range: Range { from: Some(1), to: None } }
            }
            None => {
                let guess = closest(wanted, HAS).map(|near| format!("did you mean `{near}`? "));
                return Err(self.wrong(&format!(
                    "{}expected {}, a field, an interaction's kind or custom.NAME",
                    guess.unwrap_or_default(),
                    HAS.join(", ")
                )));
            }
        }))
    }

    fn custom(&self) -> Result<CustomTest, FilterError> {
        if self.value.quoted {
            return Ok(CustomTest {
                text: Some(Pattern::is(self.equality()?)),
                ..Default::default()
            });
        }
        let number = self.numbers().transpose()?;
        let days = self.days()?;
        if matches!(self.op, Op::Is | Op::IsNot) {
            let is_range = self.value.text.contains("..") && (number.is_some() || days.is_some());
            let text = if is_range { None } else { Some(self.pattern(TextOf::Tags)?) };
            return Ok(CustomTest { text, number, days, flag: parse_flag(&self.value.text) });
        }
        // A bare year is a number: custom fields of people hold more numbers than years.
        match (number, days) {
            (Some(range), _) => Ok(CustomTest { number: Some(range), ..Default::default() }),
            (None, Some(days)) => Ok(CustomTest { days: Some(days), ..Default::default() }),
            (None, None) => Err(self.wrong("`<` and `>` compare numbers and dates")),
        }
    }
}

const DATE_FORMS: &str = "expected a date (2026-03-31, 2026-03, 2026), today, tomorrow, yesterday, \
     +7d, -3w, -2m, -1y, or a range such as 2026-01-01..2026-03-31";

fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// Both ends of a range where they can be read, empty ones open.
fn ends<T>(from: &str, to: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Range<T>> {
    let end = |text: &str| if text.is_empty() { Some(None) } else { parse(text).map(Some) };
    Some(Range { from: end(from)?, to: end(to)? })
}
