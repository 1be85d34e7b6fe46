//! Amounts of money as a person writes them, in minor units.

use super::error::CommandError;

/// Digits after the point of a currency (ISO 4217); 2 for those not named here.
pub fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// Reads an amount such as `1200`, `1200.50`, `1.200,50`, `1,200.50` or `1 200,50` as minor units of
/// the currency, exactly: more digits after the point than the currency has are refused, unless they
/// are zeros.
///
/// Where one kind of separator stands there once, it is the decimal point unless exactly three
/// digits follow it and the currency has another number of them.
pub fn parse_money(text: &str, currency: &str) -> Result<i64, CommandError> {
    let digits_after = minor_digits(currency) as usize;
    let wrong = |reason: &str| CommandError::Invalid {
        field: "amount".to_owned(),
        reason: format!("`{}` {reason}", text.chars().take(40).collect::<String>()),
        way_out: format!("give an amount such as 1200 or 1200.5 (at most {digits_after} decimals)"),
    };
    let compact: String =
        text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '’' | '_')).collect();
    let (negative, number) = match compact.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, compact.strip_prefix('+').unwrap_or(&compact)),
    };
    let (whole, fraction) = match decimal_point(number, digits_after) {
        Some(at) => (&number[..at], &number[at + 1..]),
        None => (number, ""),
    };
    let whole: String = whole.chars().filter(|c| !matches!(c, '.' | ',')).collect();
    if whole.is_empty() && fraction.is_empty()
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return Err(wrong("is not an amount"));
    }
    let kept = &fraction[..fraction.len().min(digits_after)];
    if fraction[kept.len()..].bytes().any(|b| b != b'0') {
        return Err(wrong("has more decimals than the currency"));
    }
    let digits = format!("{whole}{kept:0<digits_after$}");
    let amount: i64 = digits.parse().map_err(|_| wrong("is too large"))?;
    Ok(if negative { -amount } else { amount })
}

fn decimal_point(number: &str, digits_after: usize) -> Option<usize> {
    let last = number.rfind(['.', ','])?;
    let separator = number[last..].chars().next()?;
    let other = if separator == '.' { ',' } else { '.' };
    let following = number.len() - last - 1;
    if number.matches(separator).count() > 1 {
        return None;
    }
    let grouping = !number.contains(other) && following == 3 && digits_after != 3;
    (!grouping).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_in_any_usual_spelling() {
        for (text, currency, minor) in [
            ("1200", "EUR", 120_000),
            ("1200.5", "EUR", 120_050),
            ("1.200,50", "EUR", 120_050),
            ("1,200.50", "USD", 120_050),
            ("1 200,50", "DKK", 120_050),
            ("1'200.00", "CHF", 120_000),
            ("1.200", "EUR", 120_000),
            ("1.200.000", "EUR", 120_000_000),
            ("0.1", "USD", 10),
            (".5", "USD", 50),
            ("-3,20", "EUR", -320),
            ("1200", "JPY", 1200),
            ("1.250", "KWD", 1250),
            ("12.5000", "USD", 1250),
        ] {
            assert_eq!(parse_money(text, currency), Ok(minor), "{text} {currency}");
        }
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for (text, currency) in [
            ("", "EUR"),
            ("abc", "EUR"),
            ("1.2345", "EUR"),
            ("12.5", "JPY"),
            ("1e3", "EUR"),
            ("99999999999999999999", "EUR"),
            ("--1", "EUR"),
        ] {
            assert!(parse_money(text, currency).is_err(), "{text} {currency}");
        }
    }
}
