//! Money in filters: typed in major units (`>1000.50EUR`), kept in minor units.

use super::{Op, Range};
use crate::document::{minor_digits, parse_money};

/// The smallest fraction that any currency has: ten-thousandths.
const FRACTION_DIGITS: u32 = 4;

/// Currencies that are recognised when they stand behind a space (`deal:>10000 EUR`); behind the
/// digits any three letters are taken.
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL \
    BSD BTN BWP BYN BZD CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR \
    FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY \
    KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU \
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD \
    RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY \
    TTD TWD TZS UAH UGX USD UYI UYU UYW UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG";

/// Whether a word is a currency that everybody knows.
pub(super) fn is_known_currency(word: &str) -> bool {
    word.len() == 3 && CODES.split_ascii_whitespace().any(|code| code == word)
}

/// The conditions on a currency's code by which all of them are sorted by their decimals.
pub(super) fn codes_by_decimals() -> Vec<(u32, String)> {
    let of = |decimals: u32| {
        let codes = CODES.split_ascii_whitespace().filter(|code| minor_digits(code) == decimals);
        codes.map(|code| format!("'{code}'")).collect::<Vec<_>>().join(", ")
    };
    let (none, three, four) = (of(0), of(3), of(4));
    vec![
        (2, format!("NOT IN ({none}, {three}, {four})")),
        (0, format!("IN ({none})")),
        (3, format!("IN ({three})")),
        (4, format!("IN ({four})")),
    ]
}

/// A range of money in ten-thousandths of a major unit, from which the range in minor units follows
/// for every currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AmountRange {
    /// The bound, and whether the bound itself belongs to the range.
    from: Option<(i64, bool)>,
    to: Option<(i64, bool)>,
}

impl AmountRange {
    pub(super) fn compare(op: Op, fine: i64) -> Self {
        let (from, to) = match op {
            Op::Is | Op::IsNot => (Some((fine, true)), Some((fine, true))),
            Op::Less => (None, Some((fine, false))),
            Op::AtMost => (None, Some((fine, true))),
            Op::More => (Some((fine, false)), None),
            Op::AtLeast => (Some((fine, true)), None),
        };
        Self { from, to }
    }

    pub(super) fn between(from: Option<i64>, to: Option<i64>) -> Self {
        Self { from: from.map(|fine| (fine, true)), to: to.map(|fine| (fine, true)) }
    }

    /// The range in minor units of a currency with so many decimals, at most 4.
    pub(super) fn minor(&self, decimals: u32) -> Range<i64> {
        let unit = 10_i64.pow(FRACTION_DIGITS - decimals.min(FRACTION_DIGITS));
        let floor = |fine: i64| fine.div_euclid(unit);
        let ceil = |fine: i64| floor(fine) + i64::from(fine.rem_euclid(unit) != 0);
        Range {
            from: self.from.map(|(fine, with)| if with { ceil(fine) } else { floor(fine) + 1 }),
            to: self.to.map(|(fine, with)| if with { floor(fine) } else { ceil(fine) - 1 }),
        }
    }
}

/// Money in ten-thousandths and the currency behind it: `1000`, `1000.50EUR`, `1.200,50 EUR`. An
/// error says why it is none.
pub(super) fn parse(text: &str) -> Result<(i64, Option<String>), String> {
    let text = text.trim();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let currency = match &text[number.len()..] {
        "" => None,
        code if code.len() == 3 => Some(code.to_ascii_uppercase()),
        other => return Err(format!("`{other}` is no currency: three letters such as EUR")),
    };
    let code = currency.as_deref().unwrap_or("EUR");
    let minor = parse_money(number.trim_end(), code).map_err(|error| error.to_string())?;
    let unit = 10_i64.pow(FRACTION_DIGITS - minor_digits(code).min(FRACTION_DIGITS));
    match minor.checked_mul(unit) {
        Some(fine) => Ok((fine, currency)),
        None => Err(format!("`{number}` is too large")),
    }
}
