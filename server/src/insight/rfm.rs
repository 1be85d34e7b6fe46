//! RFM: how lately, how often and for how much a customer bought, each in classes from 1 to 5.
//!
//! After Arthur Hughes, *Strategic Database Marketing* (1994), who cuts a base into quintiles; and
//! Jan Roelf Bult and Tom Wansbeek, *Optimal Selection for Direct Mail* (1995), for the three measures.
//!
//! **Quintiles**: the class of a customer is `1 + floor(5 × worse / all)`, where *worse* counts the
//! customers whose measure is worse than theirs. Who is equal is in the same class, whatever the order
//! they are read in: of 1,000 customers of whom 600 bought once, those 600 are all of frequency 1. (The
//! usual `NTILE(5)` gives equal customers different classes by chance.)
//!
//! **Chosen limits**: four limits make five classes: `90, 180, 365, 730` days for recency.

use super::Day;

/// What is known of a customer's purchases in one currency up to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Customer {
    /// The number of the contact.
    pub n: i64,
    /// The first purchase.
    pub first: Day,
    /// The last.
    pub last: Day,
    /// How many.
    pub purchases: u32,
    /// Their sum, minor units.
    pub amount: i64,
}

/// The classes of a customer, 1 the worst and 5 the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scores {
    /// How lately.
    pub recency: u8,
    /// How often.
    pub frequency: u8,
    /// For how much.
    pub monetary: u8,
}

/// Where the classes are parted, each list from small to large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Days since the last purchase: up to the first is class 5, beyond the last is class 1.
    pub recency_days: [i64; 4],
    /// Purchases: below the first is class 1, from the last on is class 5.
    pub purchases: [i64; 4],
    /// Minor units, likewise.
    pub amount: [i64; 4],
}

/// The classes of each customer by quintiles, in the order given.
pub fn quintiles(customers: &[Customer]) -> Vec<Scores> {
    let measure = |value: fn(&Customer) -> i64| {
        let mut sorted: Vec<i64> = customers.iter().map(value).collect();
        sorted.sort_unstable();
        let all = sorted.len().max(1);
        move |customer: &Customer| {
            let own = value(customer);
            let worse = sorted.partition_point(|other| *other < own);
            // At most 5 × (all - 1) / all, which is below 5.
            1 + (5 * worse / all) as u8
        }
    };
    let recency = measure(|customer| customer.last.into());
    let frequency = measure(|customer| customer.purchases.into());
    let monetary = measure(|customer| customer.amount);
    customers
        .iter()
        .map(|customer| Scores {
            recency: recency(customer),
            frequency: frequency(customer),
            monetary: monetary(customer),
        })
        .collect()
}

/// The classes of a customer by chosen limits, as of a day.
pub fn by_limits(customer: &Customer, as_of: Day, limits: &Limits) -> Scores {
    let at_least = |value: i64, limits: &[i64; 4]| {
        1 + limits.iter().filter(|limit| value >= **limit).count() as u8
    };
    let days = i64::from(as_of) - i64::from(customer.last);
    Scores {
        recency: 5 - limits.recency_days.iter().filter(|limit| days > **limit).count() as u8,
        frequency: at_least(customer.purchases.into(), &limits.purchases),
        monetary: at_least(customer.amount, &limits.amount),
    }
}

/// A name for a part of the grid of recency and frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Bought lately, and often.
    Champions,
    /// Buy often, and not long ago.
    Loyal,
    /// Bought lately, more than once.
    Promising,
    /// Bought lately for the first time.
    New,
    /// In the middle of both.
    Attention,
    /// Bought seldom, and some time ago.
    Fading,
    /// Bought often, and have not for long.
    AtRisk,
    /// Bought seldom, long ago.
    Dormant,
}

impl Group {
    /// All of them, the best first.
    pub const ALL: [Group; 8] = [
        Group::Champions,
        Group::Loyal,
        Group::Promising,
        Group::New,
        Group::Attention,
        Group::Fading,
        Group::AtRisk,
        Group::Dormant,
    ];

    /// The part of the grid that a customer stands in.
    pub fn of(scores: Scores) -> Group {
        match (scores.recency, scores.frequency) {
            (5, 4 | 5) => Group::Champions,
            (3 | 4, 4 | 5) => Group::Loyal,
            (4 | 5, 2 | 3) => Group::Promising,
            (4 | 5, _) => Group::New,
            (3, 2 | 3) => Group::Attention,
            (3, _) | (2, 1 | 2) => Group::Fading,
            (1 | 2, 3..=5) => Group::AtRisk,
            _ => Group::Dormant,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Group::Champions => "Champions",
            Group::Loyal => "Loyal",
            Group::Promising => "Promising",
            Group::New => "New",
            Group::Attention => "Need attention",
            Group::Fading => "Fading",
            Group::AtRisk => "At risk",
            Group::Dormant => "Dormant",
        }
    }

    /// The classes that it is made of, in words.
    pub fn rule(self) -> &'static str {
        match self {
            Group::Champions => "R 5, F 4–5",
            Group::Loyal => "R 3–4, F 4–5",
            Group::Promising => "R 4–5, F 2–3",
            Group::New => "R 4–5, F 1",
            Group::Attention => "R 3, F 2–3",
            Group::Fading => "R 3, F 1 or R 2, F 1–2",
            Group::AtRisk => "R 1–2, F 3–5",
            Group::Dormant => "R 1, F 1–2",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn customer(n: i64, last: Day, purchases: u32, amount: i64) -> Customer {
        Customer { n, first: last, last, purchases, amount }
    }

    #[test]
    fn five_different_customers_are_five_classes() {
        let all: Vec<Customer> =
            (0..5).map(|n| customer(n, n as Day, n as u32 + 1, 100 * n)).collect();
        let scores: Vec<u8> = quintiles(&all).iter().map(|scores| scores.recency).collect();
        assert_eq!(scores, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn equal_customers_are_in_one_class() {
        let all: Vec<Customer> =
            (0..10).map(|n| customer(n, 7, if n < 8 { 1 } else { 9 }, 5)).collect();
        let scores = quintiles(&all);
        assert!(scores[..8].iter().all(|scores| scores.frequency == 1));
        assert!(scores[8..].iter().all(|scores| scores.frequency == 5));
        assert!(scores.iter().all(|scores| scores.recency == 1 && scores.monetary == 1));
    }

    #[test]
    fn limits_part_the_classes_where_they_say() {
        let limits = Limits {
            recency_days: [30, 90, 180, 365],
            purchases: [2, 3, 5, 10],
            amount: [100, 1_000, 10_000, 100_000],
        };
        let at = |days: Day, purchases, amount| {
            let scores = by_limits(&customer(1, 1_000 - days, purchases, amount), 1_000, &limits);
            (scores.recency, scores.frequency, scores.monetary)
        };
        assert_eq!(at(0, 1, 0), (5, 1, 1));
        assert_eq!(at(30, 2, 99), (5, 2, 1));
        assert_eq!(at(31, 9, 100), (4, 4, 2));
        assert_eq!(at(366, 10, 100_000), (1, 5, 5));
    }

    #[test]
    fn every_cell_of_the_grid_has_one_name_that_its_rule_tells() {
        for recency in 1..=5 {
            for frequency in 1..=5 {
                let group = Group::of(Scores { recency, frequency, monetary: 1 });
                let fits = group.rule().split(" or ").any(|part| {
                    let (r, f) = part.split_once(", ").unwrap();
                    let within = |text: &str, value: u8| {
                        let (from, to) =
                            text[2..].split_once('–').unwrap_or((&text[2..], &text[2..]));
                        (from.parse().unwrap()..=to.parse().unwrap()).contains(&value)
                    };
                    within(r, recency) && within(f, frequency)
                });
                assert!(fits, "R {recency} F {frequency}: {group:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_class_is_what_counting_the_worse_ones_gives(
            rows in prop::collection::vec((0_i32..40, 1_u32..8, -50_i64..500), 1..80)
        ) {
            let all: Vec<Customer> = rows
                .iter()
                .enumerate()
                .map(|(n, (last, purchases, amount))| customer(n as i64, *last, *purchases, *amount))
                .collect();
            let naive = |value: &dyn Fn(&Customer) -> i64, of: &Customer| {
                let worse = all.iter().filter(|other| value(other) < value(of)).count();
                (1..=5_u8).rev().find(|class| worse * 5 >= (*class as usize - 1) * all.len()).unwrap()
            };
            for (customer, scores) in all.iter().zip(quintiles(&all)) {
                prop_assert_eq!(scores.recency, naive(&|c| c.last.into(), customer));
                prop_assert_eq!(scores.frequency, naive(&|c| c.purchases.into(), customer));
                prop_assert_eq!(scores.monetary, naive(&|c| c.amount, customer));
            }
        }
    }
}
