//! Dates as files have them. A date without a time is not an instant: no time zone is involved.
//!
//! `03/04/2025` is two different days on two sides of an ocean, so slashes are read only when the
//! caller says which (`--date-format`).

use chrono::{Datelike, NaiveDate, NaiveDateTime};

/// The order of day, month and year in dates that do not say it themselves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Day, month, year: `31/12/2025`
    Dmy,
    /// Month, day, year: `12/31/2025`
    Mdy,
    /// Year, month, day: `2025/12/31`
    Ymd,
}

/// Reads a date; the time behind it, if any, is left away. The error says what would be read.
pub fn date(text: &str, order: Option<DateOrder>) -> Result<NaiveDate, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is not a date; write 2025-12-31 or 31.12.2025");
    let day = text.split(['T', ' ']).next().unwrap_or_default();
    let found = if is_iso(day) {
        if day.len() < text.len() && !is_time(&text[day.len() + 1..]) {
            return Err(wrong());
        }
        NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()
    } else if day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()) {
        NaiveDate::parse_from_str(day, "%Y%m%d").ok()
    } else if day.contains('.') {
        split(day, '.', DateOrder::Dmy)
    } else if day.contains('/') || day.contains('-') {
        let mark = if day.contains('/') { '/' } else { '-' };
        let year_first = day.split(mark).next().is_some_and(|part| part.len() == 4);
        let Some(order) = order.or(year_first.then_some(DateOrder::Ymd)) else {
            return Err(format!(
                "`{text}` can be read in two ways; say which with --date-format dmy or --date-format mdy"
            ));
        };
        split(day, mark, order)
    } else {
        None
    };
    found.filter(|date| (1800..=2200).contains(&date.year())).ok_or_else(wrong)
}

fn is_iso(day: &str) -> bool {
    day.len() == 10 && day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-'
}

fn is_time(rest: &str) -> bool {
    let rest = rest.trim().trim_end_matches('Z');
    let rest = rest.split(['+']).next().unwrap_or_default().trim();
    let day = format!("2000-01-01 {rest}");
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .any(|format| NaiveDateTime::parse_from_str(&day, format).is_ok())
        // `-05:00` behind the time.
        || rest.rsplit_once('-').is_some_and(|(time, zone)| zone.len() == 5 && is_time(time))
}

fn split(day: &str, mark: char, order: DateOrder) -> Option<NaiveDate> {
    let parts: Vec<u32> = day.split(mark).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [a, b, c] = parts[..] else { return None };
    let (year, month, date) = match order {
        DateOrder::Dmy => (c, b, a),
        DateOrder::Mdy => (c, a, b),
        DateOrder::Ymd => (a, b, c),
    };
    // Two digits: the century is a guess, and a birthday of 1935 is not one of 2035.
    if year < 1000 {
        return None;
    }
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_forms_that_say_what_they_mean() {
        for text in [
            "1996-07-04",
            "1996-07-04 00:00:00.000",
            "1996-07-04T13:05:00Z",
            "1996-07-04T13:05:00+02:00",
            "1996-07-04T13:05:00-05:00",
            "1996-07-04 13:05",
            "04.07.1996",
            "4.7.1996",
            "19960704",
            "1996/07/04",
        ] {
            assert_eq!(date(text, None).unwrap().to_string(), "1996-07-04", "{text}");
        }
    }

    #[test]
    fn slashes_need_to_be_told() {
        assert!(date("04/07/1996", None).unwrap_err().contains("--date-format"));
        assert_eq!(date("04/07/1996", Some(DateOrder::Dmy)).unwrap().to_string(), "1996-07-04");
        assert_eq!(date("07/04/1996", Some(DateOrder::Mdy)).unwrap().to_string(), "1996-07-04");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "soon",
            "1996-02-30",
            "31.02.1996",
            "4.7.96",
            "1996-07-04 noon",
            "0004-01-01",
            "日本2025-01-01",
        ] {
            assert!(date(text, Some(DateOrder::Dmy)).is_err(), "{text}");
        }
    }
}
