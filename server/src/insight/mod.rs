//! What figures mean: pure functions over rows that were read, each with where it comes from. No
//! database, no clock, no page: so that each can be compared with a naive calculation.
//!
//! | module | what it calculates |
//! |---|---|
//! | [`rfm`] | recency, frequency and monetary value in classes of one to five, and names for them |
//! | [`abc`] | the classes of Pareto's curve, and the curve |
//! | [`ledger`] | all purchases of a workspace, packed, as customers at any day |
//! | [`habits`] | seasons, net promoter score, customers who have gone silent |
//! | [`funnel`] | conversion and dwell of deals from the record of their moves |
//!
//! Money is minor units of one currency. Nothing here adds amounts of two.

pub mod abc;
pub mod funnel;
pub mod habits;
pub mod ledger;
pub mod rfm;

use chrono::{Datelike, NaiveDate};

/// A day as a number: days since 0001-01-01 is 1.
pub type Day = i32;

/// The number of a day.
pub fn day(date: NaiveDate) -> Day {
    date.num_days_from_ce()
}

/// The date of a number; the first of all dates where there is none.
pub fn date(day: Day) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(day).unwrap_or_default()
}

/// The number of a day that stands as `YYYY-MM-DD`; `None` for anything else.
pub fn parse_day(text: &str) -> Option<Day> {
    text.get(..10)?.parse().ok().map(day)
}
