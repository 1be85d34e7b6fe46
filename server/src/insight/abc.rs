//! ABC: which customers make most of the revenue.
//!
//! After H. Ford Dickie, *ABC Inventory Analysis Shoots for Dollars, not Pennies* (1951), on the curve
//! of Vilfredo Pareto: customers in the order of their revenue, the largest first; those within the
//! first 80 % of it are A, within the next 15 % B, the rest C. A customer is in the class in which
//! their revenue begins, so that whoever crosses 80 % is still A, and one who makes 90 % alone is not
//! C. Customers of equal revenue are in one class. Who brought nothing, or less, is C.

/// A class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Within the first 80 %.
    A,
    /// Within the next 15 %.
    B,
    /// The rest.
    C,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 3] = [Class::A, Class::B, Class::C];

    /// The letter.
    pub fn name(self) -> &'static str {
        match self {
            Class::A => "A",
            Class::B => "B",
            Class::C => "C",
        }
    }
}

/// The share of revenue at which A ends, in percent.
pub const A_PERCENT: i128 = 80;
/// The share of revenue at which B ends, in percent.
pub const B_PERCENT: i128 = 95;

/// The class of each amount, in the order given.
pub fn classes(amounts: &[i64]) -> Vec<Class> {
    let mut order: Vec<usize> = (0..amounts.len()).collect();
    order.sort_unstable_by_key(|at| std::cmp::Reverse(amounts[*at]));
    let total: i128 = amounts.iter().map(|amount| i128::from(*amount).max(0)).sum();
    let mut classes = vec![Class::C; amounts.len()];
    let mut before: i128 = 0;
    for equal in order.chunk_by(|a, b| amounts[*a] == amounts[*b]) {
        let amount = i128::from(amounts[equal[0]]);
        if amount <= 0 {
            break;
        }
        let class = match before * 100 {
            share if share < total * A_PERCENT => Class::A,
            share if share < total * B_PERCENT => Class::B,
            _ => Class::C,
        };
        for at in equal {
            classes[*at] = class;
        }
        before += amount * equal.len() as i128;
    }
    classes
}

/// Pareto's curve: the share of revenue (0 to 1) that the first so many customers make, the largest
/// first, at `steps` equal steps over the customers. Empty where nothing was earned.
pub fn curve(amounts: &[i64], steps: usize) -> Vec<(f64, f64)> {
    let mut sorted: Vec<i128> = amounts.iter().map(|amount| i128::from(*amount).max(0)).collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let total: i128 = sorted.iter().sum();
    if total == 0 || steps == 0 {
        return Vec::new();
    }
    let mut points = vec![(0.0, 0.0)];
    let (mut sum, mut taken) = (0_i128, 0);
    for step in 1..=steps {
        let until = sorted.len() * step / steps;
        if until == taken {
            continue;
        }
        sum += sorted[taken..until].iter().sum::<i128>();
        taken = until;
        points.push((taken as f64 / sorted.len() as f64, sum as f64 / total as f64));
    }
    points
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_customer_who_crosses_a_limit_is_still_in_the_better_class() {
        use Class::{A, B, C};
        assert_eq!(classes(&[50, 29, 2, 14, 5]), [A, A, C, A, B], "79 % come before the 14");
        assert_eq!(classes(&[90, 5, 5]), [A, B, B]);
        assert_eq!(classes(&[10, 10, 10]), [A, A, A], "equal ones are equal");
        assert_eq!(classes(&[0, -5, 7]), [C, C, A]);
        assert_eq!(classes(&[]), []);
    }

    #[test]
    fn the_curve_rises_to_everything() {
        let curve = curve(&[1, 2, 3, 4], 2);
        assert_eq!(curve, [(0.0, 0.0), (0.5, 0.7), (1.0, 1.0)]);
        assert_eq!(super::curve(&[0, -1], 4), []);
    }

    proptest! {
        #[test]
        fn a_class_is_what_the_revenue_before_it_says(
            amounts in prop::collection::vec(-20_i64..400, 0..60)
        ) {
            let total: i64 = amounts.iter().filter(|amount| **amount > 0).sum();
            for (amount, class) in amounts.iter().zip(classes(&amounts)) {
                let larger: i64 = amounts.iter().filter(|other| *other > amount).sum();
                let share = larger as f64 / total.max(1) as f64;
                let expected = match () {
                    () if *amount <= 0 => Class::C,
                    () if share < 0.8 - 1e-12 => Class::A,
                    () if share < 0.95 - 1e-12 => Class::B,
                    () => Class::C,
                };
                prop_assert_eq!(class, expected, "{} of {:?}", amount, amounts);
            }
        }
    }
}
