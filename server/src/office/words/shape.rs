//! Numbers, days and spans as each language writes them.
//!
//! Five languages need two separators and the names of the months: less than a library with the tables
//! of all languages would bring. The browser writes times once more, in the reader's zone.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::{Language, current};

/// What stands between thousands.
fn between(language: Language) -> char {
    match language {
        Language::English => ',',
        Language::German | Language::Danish | Language::Italian => '.',
        Language::Russian => '\u{a0}',
    }
}

/// What stands before the decimals, in the language of the request.
pub(in crate::office) fn decimal_point() -> char {
    match current() {
        Language::English => '.',
        _ => ',',
    }
}

/// A count in a language.
pub(in crate::office) fn numbers(language: Language, n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + 6);
    for (at, c) in digits.chars().enumerate() {
        // Four digits are read at a glance in Italian, and are not parted there.
        let parted = language != Language::Italian || digits.len() > 4;
        if at > 0 && (digits.len() - at).is_multiple_of(3) && parted {
            out.push(between(language));
        }
        out.push(c);
    }
    out
}

/// A count in the language of the request.
pub(in crate::office) fn number(n: u64) -> String {
    numbers(current(), n)
}

/// A number with so many decimals.
pub(in crate::office) fn decimal(value: f64, digits: usize) -> String {
    format!("{value:.digits$}").replace('.', &decimal_point().to_string())
}

/// The names of the months, in few letters.
pub(in crate::office) fn months() -> Vec<String> {
    t!("months-short").split_whitespace().map(str::to_owned).collect()
}

fn month(of: u32) -> String {
    months().into_iter().nth(of as usize - 1).unwrap_or_default()
}

/// A month of a year: `May 2026`.
pub(in crate::office) fn month_of(day: NaiveDate) -> String {
    t!("month-year", month = month(day.month()), year = day.year().to_string())
}

/// A day: `3 May 2026`, or without its year.
pub(in crate::office) fn date(day: NaiveDate, with_year: bool) -> String {
    let (number, month) = (day.day().to_string(), month(day.month()));
    if with_year {
        t!("date", day = number, month = month, year = day.year().to_string())
    } else {
        t!("date-without-year", day = number, month = month)
    }
}

/// `14:03` of UTC, with its seconds if wanted.
pub(in crate::office) fn time_of_day(at: DateTime<Utc>, seconds: bool) -> String {
    at.format(if seconds { "%H:%M:%S" } else { "%H:%M" }).to_string()
}

/// How long something lasts or is ago, in the largest unit that fits: `3 min`, `5 h`, `2 d`.
pub(in crate::office) fn span(ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    match minutes {
        0 => t!("span-under-a-minute"),
        1..=59 => t!("span-minutes", n = minutes),
        60..=2879 => t!("span-hours", n = minutes / 60),
        _ => t!("span-days", n = minutes / 1440),
    }
}
