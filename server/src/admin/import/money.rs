//! Amounts of money and numbers as people and programs write them, without a float anywhere.
//!
//! The rounding rule, in the report and in `docs/import.md`: an amount with more decimals than its
//! currency has is rounded once, half to even, at the very end. Lines of one order are summed
//! exactly before that.

use roadbook_protocol::document::minor_digits;
use rust_decimal::{Decimal, RoundingStrategy};

/// What the report says about rounding.
pub const ROUNDING: &str = "half to even, once per purchase, after its lines are summed exactly";

/// Which character stands before the decimals.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum DecimalMark {
    /// `1,234.56`
    Dot,
    /// `1.234,56`
    Comma,
}

/// Whether this is written as a currency code.
pub fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// An exact amount in minor units of a currency, rounded half to even. The error says why it is
/// none.
pub fn minor_units(amount: Decimal, currency: &str) -> Result<i64, String> {
    if !is_currency(currency) {
        return Err(format!(
            "`{currency}` is not a currency; write its ISO 4217 code, such as EUR"
        ));
    }
    amount
        .checked_mul(Decimal::from(10_i64.pow(minor_digits(currency))))
        .map(|minor| minor.round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven))
        .and_then(|minor| i64::try_from(minor).ok())
        .ok_or_else(|| format!("{amount} {currency} is too large"))
}

/// Minor units as people read them: `1234.50`.
pub fn plain(minor: i64, currency: &str) -> String {
    Decimal::new(minor, minor_digits(currency)).to_string()
}

/// What a number's own form says about its decimal mark: both marks, a mark twice, or a mark that
/// is not followed by exactly three digits decide; `1.234` decides nothing.
pub fn evidence(text: &str) -> Option<DecimalMark> {
    let body = bare(text);
    match (body.rfind('.'), body.rfind(',')) {
        (Some(dot), Some(comma)) if dot > comma => Some(DecimalMark::Dot),
        (Some(_), Some(_)) => Some(DecimalMark::Comma),
        (Some(at), None) => one_mark(&body, at, '.', DecimalMark::Dot, DecimalMark::Comma),
        (None, Some(at)) => one_mark(&body, at, ',', DecimalMark::Comma, DecimalMark::Dot),
        (None, None) => None,
    }
}

fn one_mark(
    body: &str,
    at: usize,
    mark: char,
    own: DecimalMark,
    other: DecimalMark,
) -> Option<DecimalMark> {
    if body.matches(mark).count() > 1 {
        return Some(other);
    }
    let before = body[..at].trim_start_matches('-');
    // `0.125` and `1234.567` have no thousands there.
    let grouping_possible = body.len() - at - 1 == 3
        && !before.is_empty()
        && before.len() <= 3
        && !before.starts_with('0');
    (!grouping_possible).then_some(own)
}

/// Reads a number. `mark` is what the column's other numbers say; without it a number that could be
/// read in two ways is refused.
pub fn decimal(text: &str, mark: Option<DecimalMark>) -> Result<Decimal, String> {
    let body = bare(text);
    let own = evidence(text);
    let mark = match (own, mark) {
        (Some(own), Some(column)) if own != column => {
            return Err(format!(
                "`{text}` does not fit the other numbers of its column; say which mark stands before the decimals with --decimal dot or --decimal comma"
            ));
        }
        (own, column) => own.or(column),
    };
    let plain = match mark {
        Some(DecimalMark::Dot) => body.replace(',', ""),
        Some(DecimalMark::Comma) => body.replace('.', "").replace(',', "."),
        None if body.contains(['.', ',']) => {
            return Err(format!(
                "`{text}` can be read in two ways; say which mark stands before the decimals with --decimal dot or --decimal comma"
            ));
        }
        None => body,
    };
    let digits = plain.strip_prefix('-').unwrap_or(&plain);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(format!("`{text}` is not a number"));
    }
    Decimal::from_str_exact(&plain)
        .map_err(|_| format!("`{text}` is not a number, or has too many digits"))
}

/// A discount as a share of one: `0.15` and `15 %` are the same.
pub fn discount(text: &str, mark: Option<DecimalMark>) -> Result<Decimal, String> {
    let (number, percent) = match text.trim().strip_suffix('%') {
        Some(number) => (number, true),
        None => (text, false),
    };
    let mut share = decimal(number, mark)?;
    if percent {
        share /= Decimal::ONE_HUNDRED;
    }
    if share.is_sign_negative() && !share.is_zero() || share > Decimal::ONE {
        return Err(format!("a discount of `{text}` is not between 0 and 1; write 0.15 or 15 %"));
    }
    Ok(share)
}

/// Without currency signs, codes, spaces and apostrophes between the thousands; brackets and a
/// minus behind the number mean minus, as bookkeepers write it. Anything else stays, and is refused.
fn bare(text: &str) -> String {
    let mut rest = text.trim();
    let mut negative = false;
    if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (negative, rest) = (true, inner.trim());
    }
    rest = without_currency(rest);
    for minus in ['-', '\u{2212}'] {
        if !negative
            && let Some(inner) = rest.strip_prefix(minus).or_else(|| rest.strip_suffix(minus))
        {
            (negative, rest) = (true, inner.trim());
        }
    }
    rest = without_currency(rest);
    let mut out = String::with_capacity(rest.len() + 1);
    if negative {
        out.push('-');
    }
    let between =
        |c: &char| !matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '\u{2019}' | '_');
    out.extend(rest.chars().filter(between));
    out
}

/// Without one currency sign or code before or behind.
fn without_currency(text: &str) -> &str {
    const WORDS: &[&str] = &["kr.", "kr", "zł", "Kč", "Ft", "lei", "руб.", "руб", "р.", "грн"];
    const SIGNS: &[char] = &['$', '€', '£', '¥', '₽', '₴', '₹', '₺', '₪', '₩', '₸'];
    let is_code = |word: &str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_uppercase());
    if let Some(rest) = text.strip_prefix(SIGNS).or_else(|| text.strip_suffix(SIGNS)) {
        return rest.trim();
    }
    if let Some((_, rest)) = text.split_at_checked(3).filter(|(code, _)| is_code(code)) {
        return rest.trim();
    }
    let code_behind = text.len().checked_sub(3).and_then(|at| text.split_at_checked(at));
    if let Some((rest, _)) = code_behind.filter(|(_, code)| is_code(code)) {
        return rest.trim();
    }
    let word =
        WORDS.iter().find_map(|word| text.strip_suffix(word).or_else(|| text.strip_prefix(word)));
    word.map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        decimal(text, None).unwrap().normalize().to_string()
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, value) in [
            ("14.00", "14"),
            ("1,234.56", "1234.56"),
            ("1.234,56", "1234.56"),
            ("1 234,5", "1234.5"),
            ("1'234'567.8", "1234567.8"),
            ("€ 12,50", "12.5"),
            ("$0.05", "0.05"),
            ("12.50 USD", "12.5"),
            ("-$12.50", "-12.5"),
            ("EUR 12,50-", "-12.5"),
            ("1 200,50 kr.", "1200.5"),
            ("1\u{a0}200,50 ₽", "1200.5"),
            ("(3.10)", "-3.1"),
            ("-3.10", "-3.1"),
            ("7", "7"),
            (".5", "0.5"),
            ("0.125", "0.125"),
            ("1.234.567", "1234567"),
            ("14.0000", "14"),
        ] {
            assert_eq!(read(text), value, "{text}");
        }
    }

    #[test]
    fn a_number_with_two_readings_needs_its_column() {
        assert!(decimal("1.234", None).unwrap_err().contains("--decimal"));
        assert_eq!(decimal("1.234", Some(DecimalMark::Comma)).unwrap(), Decimal::from(1234));
        assert_eq!(decimal("1.234", Some(DecimalMark::Dot)).unwrap(), Decimal::new(1234, 3));
        assert!(decimal("1,5", Some(DecimalMark::Dot)).unwrap_err().contains("column"));
        for text in ["", "abc", "12a", "1e5", "--1", "1.2.3,4,5"] {
            assert!(decimal(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn money_is_rounded_half_to_even_once() {
        let minor = |text: &str, currency| {
            minor_units(decimal(text, Some(DecimalMark::Dot)).unwrap(), currency).unwrap()
        };
        assert_eq!(minor("0.125", "USD"), 12);
        assert_eq!(minor("0.135", "USD"), 14);
        assert_eq!(minor("-0.125", "USD"), -12);
        assert_eq!(minor("2.5", "JPY"), 2);
        assert_eq!(minor("1.2345", "KWD"), 1234);
        assert_eq!(minor("10", "EUR"), 1000);
        assert!(minor_units(Decimal::ONE, "usd").is_err());
        assert!(minor_units(Decimal::MAX, "USD").is_err());
        assert!(minor_units(Decimal::from(i64::MAX), "USD").is_err());
    }

    #[test]
    fn discounts_are_shares_or_percent() {
        assert_eq!(discount("0.15", None).unwrap(), Decimal::new(15, 2));
        assert_eq!(discount("15%", None).unwrap(), Decimal::new(15, 2));
        assert_eq!(discount("0", None).unwrap(), Decimal::ZERO);
        assert!(discount("15", None).unwrap_err().contains("15 %"));
        assert!(discount("-0.1", None).is_err());
    }
}
