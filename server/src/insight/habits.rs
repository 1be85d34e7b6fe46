//! Habits of customers: the seasons of what they buy, what they answer, and who has gone silent.

use chrono::{Datelike, Months, NaiveDate};

use super::ledger::Entry;
use super::rfm::Customer;
use super::{Day, date, day};

/// What was bought in one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// Its first day.
    pub start: NaiveDate,
    /// Minor units.
    pub amount: i64,
    /// How many purchases.
    pub purchases: u64,
}

/// The last `count` months up to that of `as_of`, the oldest first; the last one counts up to that day.
pub fn months(entries: &[Entry], as_of: Day, count: u32) -> Vec<Month> {
    let to = date(as_of).with_day(1).unwrap_or_default();
    let mut months: Vec<Month> = (0..count)
        .rev()
        .filter_map(|back| to.checked_sub_months(Months::new(back)))
        .map(|start| Month { start, amount: 0, purchases: 0 })
        .collect();
    let Some(first) = months.first().map(|month| month.start) else { return months };
    let index = |at: NaiveDate| {
        i64::from(at.year() - first.year()) * 12 + i64::from(at.month0())
            - i64::from(first.month0())
    };
    let from = day(first);
    for entry in entries.iter().filter(|entry| entry.day >= from && entry.day <= as_of) {
        let month = usize::try_from(index(date(entry.day))).ok().and_then(|at| months.get_mut(at));
        if let Some(month) = month {
            month.amount = month.amount.saturating_add(entry.amount);
            month.purchases += 1;
        }
    }
    months
}

/// The index of each calendar month, 100 being the average: what a January brings on average, over
/// what any month does. Only whole years count, back from the last whole month; `None` with less than
/// one, or where nothing was earned.
pub fn season(entries: &[Entry], as_of: Day) -> Option<[f64; 12]> {
    let end = date(as_of + 1).with_day(1)?;
    let oldest = entries.iter().map(|entry| entry.day).min()?;
    let first = date(oldest);
    // The first month counts if it was whole as far as anybody can tell: from its first purchase on.
    let whole = (i64::from(end.year() - first.year()) * 12 + i64::from(end.month0())
        - i64::from(first.month0()))
        / 12;
    let years = u32::try_from(whole).ok().filter(|years| *years > 0)?;
    let from = day(end.checked_sub_months(Months::new(12 * years))?);
    let mut sums = [0_i128; 12];
    for entry in entries.iter().filter(|entry| entry.day >= from && entry.day < day(end)) {
        sums[date(entry.day).month0() as usize] += i128::from(entry.amount);
    }
    let total: i128 = sums.iter().sum();
    (total > 0).then(|| sums.map(|sum| sum as f64 * 1200.0 / total as f64))
}

/// Answers to "how likely is it that you would recommend us", 0 to 10.
///
/// After Fred Reichheld, *The One Number You Need to Grow* (2003): promoters answer 9 or 10, detractors
/// 0 to 6; the score is the share of promoters less that of detractors, from -100 to 100.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// 9 and 10.
    pub promoters: u64,
    /// 7 and 8.
    pub passives: u64,
    /// 0 to 6.
    pub detractors: u64,
}

impl Answers {
    /// Counts one answer.
    pub fn add(&mut self, answer: i64) {
        match answer {
            9.. => self.promoters += 1,
            7..=8 => self.passives += 1,
            _ => self.detractors += 1,
        }
    }
    /// How many answers there are.
    pub fn all(&self) -> u64 {
        self.promoters + self.passives + self.detractors
    }
    /// The score, rounded to whole points; `None` without an answer.
    pub fn score(&self) -> Option<i64> {
        let all = self.all() as f64;
        let share = (self.promoters as f64 - self.detractors as f64) * 100.0;
        (all > 0.0).then(|| (share / all).round() as i64)
    }
}

/// A customer is not called silent before so many days.
pub const SILENT_DAYS_MIN: i64 = 90;
/// One who bought once is, after so many.
pub const SILENT_ONCE_DAYS: i64 = 365;

/// How many days a customer has been silent, if that is longer than is usual for them: more than twice
/// the average time between their purchases, and more than [`SILENT_DAYS_MIN`]. Who bought on one day
/// only has no usual time: [`SILENT_ONCE_DAYS`].
pub fn silent_days(customer: &Customer, as_of: Day) -> Option<i64> {
    let days = i64::from(as_of) - i64::from(customer.last);
    let span = i64::from(customer.last) - i64::from(customer.first);
    let bearable = match customer.purchases {
        2.. if span > 0 => (2 * span / (i64::from(customer.purchases) - 1)).max(SILENT_DAYS_MIN),
        _ => SILENT_ONCE_DAYS,
    };
    (days > bearable).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insight::parse_day;

    fn entry(text: &str, amount: i64) -> Entry {
        Entry { n: 1, day: parse_day(text).unwrap(), amount }
    }

    #[test]
    fn months_are_calendar_months_up_to_the_day() {
        let entries = [
            entry("2025-12-31", 5),
            entry("2026-01-01", 7),
            entry("2026-02-10", 1),
            entry("2026-02-11", 2),
        ];
        let found = months(&entries, parse_day("2026-02-10").unwrap(), 2);
        let told: Vec<_> =
            found.iter().map(|m| (m.start.to_string(), m.amount, m.purchases)).collect();
        assert_eq!(told, [("2026-01-01".into(), 7, 1), ("2026-02-01".into(), 1, 1)]);
    }

    #[test]
    fn the_season_is_told_over_whole_years_only() {
        let mut entries: Vec<Entry> =
            (1..=12).map(|month| entry(&format!("2025-{month:02}-15"), 100)).collect();
        entries.push(entry("2025-12-20", 1_200));
        // A thirteenth month, that would weigh January twice.
        entries.push(entry("2026-01-05", 9_999));
        let found = season(&entries, parse_day("2026-01-20").unwrap()).unwrap();
        assert_eq!(found[0].round(), 50.0);
        assert_eq!(found[11].round(), 650.0);
        assert_eq!(season(&entries[..11], parse_day("2025-11-30").unwrap()), None);
    }

    #[test]
    fn the_score_is_promoters_less_detractors() {
        let mut answers = Answers::default();
        assert_eq!(answers.score(), None);
        for answer in [10, 9, 9, 8, 7, 6, 0] {
            answers.add(answer);
        }
        assert_eq!((answers.all(), answers.score()), (7, Some(14)));
    }

    #[test]
    fn who_is_silent_longer_than_usual_is_told() {
        let customer =
            |first, last, purchases| Customer { n: 1, first, last, purchases, amount: 1 };
        assert_eq!(silent_days(&customer(0, 100, 6), 190), None, "every 20 days, but 90 are borne");
        assert_eq!(silent_days(&customer(0, 100, 6), 191), Some(91));
        assert_eq!(silent_days(&customer(0, 600, 4), 1_000), None, "every 200 days");
        assert_eq!(silent_days(&customer(0, 600, 4), 1_001), Some(401));
        assert_eq!(silent_days(&customer(5, 5, 1), 370), None);
        assert_eq!(silent_days(&customer(5, 5, 1), 371), Some(366));
    }
}
