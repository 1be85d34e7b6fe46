//! Dates in filters: absolute, relative to today, and ages.

use chrono::{Days as ChronoDays, Months, NaiveDate};

use super::{FilterContext, Op, Range};
use crate::ids::UnixMs;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Offsets and ages are at most so many of their unit, about a hundred years of days.
const OFFSET_MAX: u32 = 36_500;

/// A calendar day, resolved when the filter is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    base: Base,
    /// Days to add to the base: the day before or after it.
    shift: i8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    On(NaiveDate),
    Relative(Offset),
}

/// A signed distance from today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    count: u32,
    unit: char,
    back: bool,
}

impl Offset {
    fn from(self, day: NaiveDate) -> NaiveDate {
        let moved = match (self.unit, self.back) {
            ('d', false) => day.checked_add_days(ChronoDays::new(self.count.into())),
            ('d', true) => day.checked_sub_days(ChronoDays::new(self.count.into())),
            ('w', false) => day.checked_add_days(ChronoDays::new(u64::from(self.count) * 7)),
            ('w', true) => day.checked_sub_days(ChronoDays::new(u64::from(self.count) * 7)),
            ('m', false) => day.checked_add_months(Months::new(self.count)),
            ('m', true) => day.checked_sub_months(Months::new(self.count)),
            (_, false) => day.checked_add_months(Months::new(self.count * 12)),
            (_, true) => day.checked_sub_months(Months::new(self.count * 12)),
        };
        moved.unwrap_or(if self.back { NaiveDate::MIN } else { NaiveDate::MAX })
    }
}

impl Day {
    fn on(date: NaiveDate) -> Self {
        Day { base: Base::On(date), shift: 0 }
    }
    fn relative(count: u32, unit: char, back: bool) -> Self {
        Day { base: Base::Relative(Offset { count, unit, back }), shift: 0 }
    }
    fn shifted(self, by: i8) -> Self {
        Day { shift: self.shift + by, ..self }
    }
    fn resolve(self, ctx: &FilterContext) -> NaiveDate {
        let day = match self.base {
            Base::On(date) => date,
            Base::Relative(offset) => offset.from(ctx.today),
        };
        let shifted = day.checked_add_signed(chrono::TimeDelta::days(self.shift.into()));
        shifted.unwrap_or(day)
    }
}

/// A range of calendar days, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Days(Range<Day>);

impl Days {
    /// The range as the texts that dates are kept as. The open start is above the empty text.
    pub(super) fn texts(&self, ctx: &FilterContext) -> (String, Option<String>) {
        let text = |day: Day| day.resolve(ctx).format("%Y-%m-%d").to_string();
        (self.0.from.map_or_else(|| "0".to_owned(), text), self.0.to.map(text))
    }

    /// Whether a date as it is kept lies within.
    pub(super) fn hold(&self, date: &str, ctx: &FilterContext) -> bool {
        let (from, to) = self.texts(ctx);
        date >= from.as_str() && to.is_none_or(|to| date <= to.as_str())
    }

    /// Before today.
    pub(super) fn overdue() -> Days {
        Days(Range { from: None, to: Some(Day::relative(0, 'd', false).shifted(-1)) })
    }

    /// What `op` asks of a day, a month or a year.
    pub(super) fn compare(op: Op, value: Days) -> Days {
        let Range { from, to } = value.0;
        Days(match op {
            Op::Is | Op::IsNot => value.0,
            Op::Less => Range { from: None, to: from.map(|day| day.shifted(-1)) },
            Op::AtMost => Range { from: None, to },
            Op::More => Range { from: to.map(|day| day.shifted(1)), to: None },
            Op::AtLeast => Range { from, to: None },
        })
    }

    /// From the start of one to the end of the other.
    pub(super) fn between(from: Option<Days>, to: Option<Days>) -> Days {
        Days(Range { from: from.and_then(|days| days.0.from), to: to.and_then(|days| days.0.to) })
    }

    /// What `op` asks of an age in days: `<30d` is later than 30 days ago.
    pub(super) fn aged(op: Op, age: Age) -> Days {
        let day = Day::relative(age.count, age.unit, true);
        Days(match op {
            Op::Less => Range { from: Some(day.shifted(1)), to: None },
            Op::Is | Op::IsNot | Op::AtMost => Range { from: Some(day), to: None },
            Op::More => Range { from: None, to: Some(day.shifted(-1)) },
            Op::AtLeast => Range { from: None, to: Some(day) },
        })
    }
}

/// A range of instants, resolved when the filter is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moments {
    /// Whole days of UTC.
    Days(Days),
    /// An age, to the millisecond.
    Aged(Op, Age),
}

impl Moments {
    /// The range in milliseconds since 1970.
    pub(super) fn resolve(&self, ctx: &FilterContext) -> Range<UnixMs> {
        match self {
            Moments::Days(Days(range)) => Range {
                from: range.from.map(|day| start_ms(day.resolve(ctx))),
                to: range.to.map(|day| start_ms(day.resolve(ctx)) + DAY_MS - 1),
            },
            Moments::Aged(op, age) => {
                let then = Day::relative(age.count, age.unit, true).resolve(ctx);
                let at = ctx
                    .now_ms
                    .saturating_sub(ctx.today.signed_duration_since(then).num_milliseconds());
                match op {
                    Op::Less => Range { from: Some(at.saturating_add(1)), to: None },
                    Op::Is | Op::IsNot | Op::AtMost => Range { from: Some(at), to: None },
                    Op::More => Range { from: None, to: Some(at.saturating_sub(1)) },
                    Op::AtLeast => Range { from: None, to: Some(at) },
                }
            }
        }
    }

    /// Whether the question is "that long ago or longer", which what never happened answers too.
    pub(super) fn is_open_to_the_past(&self) -> bool {
        match self {
            Moments::Days(Days(range)) => range.from.is_none(),
            Moments::Aged(op, _) => matches!(op, Op::More | Op::AtLeast),
        }
    }
}

fn start_ms(day: NaiveDate) -> UnixMs {
    day.signed_duration_since(NaiveDate::default()).num_milliseconds()
}

/// A duration without a sign: how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Age {
    count: u32,
    unit: char,
}

/// `30d`, `6w`, `2m`, `1y`.
pub(super) fn parse_age(text: &str) -> Option<Age> {
    let unit = text.chars().next_back()?.to_ascii_lowercase();
    let digits = &text[..text.len() - unit.len_utf8()];
    if !matches!(unit, 'd' | 'w' | 'm' | 'y') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok().filter(|count| *count <= OFFSET_MAX)?;
    Some(Age { count, unit })
}

impl Age {
    /// The age in days, for what counts whole days only.
    pub(super) fn as_days(self) -> Option<i64> {
        match self.unit {
            'd' => Some(self.count.into()),
            'w' => Some(i64::from(self.count) * 7),
            _ => None,
        }
    }
}

/// A day, a month or a year: `2026-03-31`, `2026-03`, `2026`, `today`, `tomorrow`, `yesterday`,
/// `+7d`, `-3w`.
pub(super) fn parse_days(text: &str) -> Option<Days> {
    let one = |day: Day| Days(Range { from: Some(day), to: Some(day) });
    match text.to_ascii_lowercase().as_str() {
        "today" => return Some(one(Day::relative(0, 'd', false))),
        "tomorrow" => return Some(one(Day::relative(1, 'd', false))),
        "yesterday" => return Some(one(Day::relative(1, 'd', true))),
        _ => {}
    }
    if let Some(rest) = text.strip_prefix(['+', '-']) {
        let age = parse_age(rest)?;
        return Some(one(Day::relative(age.count, age.unit, text.starts_with('-'))));
    }
    let mut parts = text.split('-');
    let year: i32 = number(parts.next()?, 4)?.try_into().ok()?;
    let month = parts.next().map(|text| number(text, 2));
    let day = parts.next().map(|text| number(text, 2));
    if parts.next().is_some() {
        return None;
    }
    let (from, to) = match (month, day) {
        (None, None) => {
            (NaiveDate::from_ymd_opt(year, 1, 1)?, NaiveDate::from_ymd_opt(year, 12, 31)?)
        }
        (Some(month), None) => {
            let first = NaiveDate::from_ymd_opt(year, month?, 1)?;
            (first, first.checked_add_months(Months::new(1))?.pred_opt()?)
        }
        (month, Some(day)) => {
            let date = NaiveDate::from_ymd_opt(year, month??, day?)?;
            (date, date)
        }
    };
    Some(Days(Range { from: Some(Day::on(from)), to: Some(Day::on(to)) }))
}

fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}
