//! Values are checked against the schema before a document is touched.

use std::borrow::Cow;

use chrono::NaiveDate;

use super::error::CommandError;
use super::schema::{self, CUSTOM, Collection, FieldSpec, Kind};
use super::value::Value;
use crate::limits::Limits;

/// The longest name of a custom field, of an external system, and the longest tag, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 100;

/// The latest instant that has a four-digit year, in milliseconds since 1970.
const INSTANT_MAX: i64 = 253_402_300_799_999;
/// Integers up to here survive a detour through JSON readers that only know doubles.
const INT_MAX: i64 = (1 << 53) - 1;

fn invalid(field: &str, reason: impl Into<String>, way_out: impl Into<String>) -> CommandError {
    CommandError::Invalid { field: field.into(), reason: reason.into(), way_out: way_out.into() }
}

/// The spec of a root field; the error has the nearest name.
pub(crate) fn root_field(name: &str) -> Result<&'static FieldSpec, CommandError> {
    schema::field(name).ok_or_else(|| {
        unknown(name, schema::FIELDS.iter().map(|spec| spec.name).chain(["name", "phone", "email"]))
    })
}

/// The spec of an entry's field.
pub(crate) fn entry_field(
    collection: Collection,
    name: &str,
) -> Result<&'static FieldSpec, CommandError> {
    let fields = collection.fields();
    fields
        .iter()
        .find(|spec| spec.name == name)
        .ok_or_else(|| unknown(name, fields.iter().map(|spec| spec.name)))
}

/// The error for a name that is none of `names`.
pub(crate) fn unknown(field: &str, names: impl Iterator<Item = &'static str>) -> CommandError {
    let field: String = field.chars().take(80).collect();
    let nearest = names
        .map(|name| (distance(&field, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.chars().count() / 2)
        .map(|(_, name)| name.to_owned());
    CommandError::UnknownField { field, nearest }
}

/// Edit distance (Levenshtein) of two short names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// Checks a name that the user chose: of a custom field, an external system or a tag.
pub(crate) fn chosen_name<'a>(what: &str, name: &'a str) -> Result<&'a str, CommandError> {
    let trimmed = name.trim();
    if trimmed.is_empty() {
        return Err(invalid(what, "the name is empty", "give it a name"));
    }
    if trimmed.len() > NAME_BYTES_MAX {
        return Err(CommandError::TooLarge {
            field: what.to_owned(),
            size: trimmed.len() as u64,
            max: NAME_BYTES_MAX as u64,
            unit: "bytes",
            way_out: "choose a shorter name".to_owned(),
        });
    }
    if trimmed.chars().any(char::is_control) {
        return Err(invalid(what, "the name has a control character", "leave it out"));
    }
    Ok(trimmed)
}

/// Checks a tag.
pub(crate) fn tag(tag: &str) -> Result<&str, CommandError> {
    let tag = chosen_name("tags", tag)?;
    if tag.contains(',') {
        return Err(invalid("tags", format!("the tag `{tag}` has a comma"), "make it two tags"));
    }
    Ok(tag)
}

/// Checks a value of a custom field, whose kind this version does not know.
pub(crate) fn custom(
    name: &str,
    value: &Option<Value>,
    limits: &Limits,
) -> Result<Option<Value>, CommandError> {
    let path = format!("{CUSTOM}.{name}");
    match value {
        Some(Value::Number(n)) if !n.is_finite() => {
            Err(invalid(&path, "it is not a finite number", "give a finite number"))
        }
        Some(Value::Text(text)) => bounded(&path, text, limits),
        other => Ok(other.clone()),
    }
}

/// Checks a value against its spec. Text of white space alone clears the field.
pub(crate) fn value<'v>(
    path: &str,
    spec: &FieldSpec,
    value: &'v Option<Value>,
    limits: &Limits,
) -> Result<Cow<'v, Option<Value>>, CommandError> {
    let Some(given) = value else { return Ok(Cow::Borrowed(value)) };
    if let Value::Text(text) = given
        && bounded(path, text, limits)?.is_none()
    {
        return Ok(Cow::Owned(None));
    }
    match (spec.kind, given) {
        (Kind::Text, Value::Text(_)) => Ok(()),
        (Kind::Choice(words), Value::Text(text)) => choice(path, words, text),
        (Kind::Date, Value::Text(text)) => date(path, text),
        (Kind::Currency, Value::Text(text)) => currency(path, text),
        (Kind::Email, Value::Text(text)) => email(path, text),
        (Kind::Phone, Value::Text(text)) => phone(path, text),
        (Kind::Bool, Value::Bool(_)) => Ok(()),
        (Kind::Instant, Value::Int(n)) => range(path, *n, -INSTANT_MAX, INSTANT_MAX),
        (Kind::Minor, Value::Int(n)) => range(path, *n, -INT_MAX, INT_MAX),
        (Kind::Int, Value::Int(n)) => {
            let (low, high) = int_range(spec.name);
            range(path, *n, low, high)
        }
        (Kind::Number, Value::Number(n)) => number(path, spec.name, *n),
        (Kind::Number, Value::Int(n)) => {
            let n = *n as f64;
            number(path, spec.name, n)?;
            return Ok(Cow::Owned(Some(Value::Number(n))));
        }
        (kind, _) => Err(invalid(path, "the value has the wrong type", expected(kind))),
    }?;
    Ok(Cow::Borrowed(value))
}

fn bounded(path: &str, text: &str, limits: &Limits) -> Result<Option<Value>, CommandError> {
    if text.len() > limits.string_bytes_max {
        return Err(CommandError::TooLarge {
            field: path.to_owned(),
            size: text.len() as u64,
            max: limits.string_bytes_max as u64,
            unit: "bytes",
            way_out: "shorten it, or put the long text into the note".to_owned(),
        });
    }
    Ok((!text.trim().is_empty()).then(|| Value::Text(text.to_owned())))
}

/// What a kind of field expects, as the end of an error.
fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text => "give text".to_owned(),
        Kind::Choice(words) => format!("give one of {}", words.join(", ")),
        Kind::Date => "give a date as YYYY-MM-DD".to_owned(),
        Kind::Instant => "give an instant in milliseconds since 1970".to_owned(),
        Kind::Int => "give a whole number".to_owned(),
        Kind::Minor => "give the amount as a whole number of minor units (cents)".to_owned(),
        Kind::Currency => "give three capital letters such as EUR".to_owned(),
        Kind::Number => "give a number".to_owned(),
        Kind::Bool => "give yes or no".to_owned(),
        Kind::Email => "give an address such as name@example.com".to_owned(),
        Kind::Phone => "give a number such as +45 12 34 56 78".to_owned(),
    }
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn choice(path: &str, words: &'static [&'static str], text: &str) -> Result<(), CommandError> {
    if words.contains(&text) {
        return Ok(());
    }
    let reason = format!("`{}` is none of its values", short(text));
    Err(invalid(path, reason, expected(Kind::Choice(words))))
}

fn date(path: &str, text: &str) -> Result<(), CommandError> {
    // The parser alone takes signs and single digits too.
    let digits = text.split('-').all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    if text.len() == 10 && digits && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() {
        return Ok(());
    }
    Err(invalid(path, format!("`{}` is not a date", short(text)), expected(Kind::Date)))
}

fn currency(path: &str, text: &str) -> Result<(), CommandError> {
    if text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(());
    }
    let reason = format!("`{}` is not a currency code", short(text));
    Err(invalid(path, reason, expected(Kind::Currency)))
}

fn email(path: &str, text: &str) -> Result<(), CommandError> {
    let mut parts = text.split('@');
    let whole = matches!((parts.next(), parts.next(), parts.next()),
        (Some(local), Some(domain), None) if !local.is_empty() && !domain.is_empty());
    if whole && text.len() <= 254 && !text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    let reason = format!("`{}` is not an email address", short(text));
    Err(invalid(path, reason, expected(Kind::Email)))
}

fn phone(path: &str, text: &str) -> Result<(), CommandError> {
    if text.chars().any(char::is_numeric) && text.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    let reason = format!("`{}` is not a phone number", short(text));
    Err(invalid(path, reason, expected(Kind::Phone)))
}

fn int_range(name: &str) -> (i64, i64) {
    match name {
        "nps" => (0, 10),
        "probability" => (0, 100),
        "cadence_days" => (1, 3650),
        _ => (-INT_MAX, INT_MAX),
    }
}

fn range(path: &str, n: i64, low: i64, high: i64) -> Result<(), CommandError> {
    if (low..=high).contains(&n) {
        return Ok(());
    }
    Err(invalid(path, format!("{n} is out of range"), format!("give {low} to {high}")))
}

fn number(path: &str, name: &str, n: f64) -> Result<(), CommandError> {
    let bound = match name {
        "latitude" => 90.0,
        "longitude" => 180.0,
        _ => f64::MAX,
    };
    if n.is_finite() && n.abs() <= bound {
        return Ok(());
    }
    Err(invalid(path, format!("{n} is out of range"), format!("give -{bound} to {bound}")))
}

/// Reads what a person typed (or a CSV cell) as a value of a field: trimmed, empty clears it, yes
/// and no in words, dates as `YYYY-MM-DD`, choices in any case, amounts in minor units.
/// For amounts with a decimal point see [`super::parse_money`].
pub fn parse_value(spec: &FieldSpec, text: &str) -> Result<Option<Value>, CommandError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        let reason = format!("`{}` can't be read", short(text));
        invalid(spec.name, reason, expected(spec.kind))
    };
    let parsed = match spec.kind {
        Kind::Int | Kind::Minor | Kind::Instant => Value::Int(text.parse().map_err(|_| wrong())?),
        Kind::Number => Value::Number(text.replace(',', ".").parse().map_err(|_| wrong())?),
        Kind::Bool => Value::Bool(match text.to_lowercase().as_str() {
            "yes" | "y" | "true" | "1" | "on" => true,
            "no" | "n" | "false" | "0" | "off" => false,
            _ => return Err(wrong()),
        }),
        Kind::Currency => Value::Text(text.to_ascii_uppercase()),
        Kind::Choice(words) => {
            let lower = text.to_lowercase();
            Value::Text(words.iter().find(|word| **word == lower).map_or(text, |word| word).into())
        }
        Kind::Text | Kind::Date | Kind::Email | Kind::Phone => Value::Text(text.to_owned()),
    };
    value(spec.name, spec, &Some(parsed), &Limits::DEFAULT).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, given: impl Into<Value>) -> Result<Option<Value>, CommandError> {
        let spec = root_field(name)?;
        value(name, spec, &Some(given.into()), &Limits::DEFAULT).map(Cow::into_owned)
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest_one() {
        let error = root_field("jobtitle").unwrap_err().to_string();
        assert_eq!(error, "there is no field `jobtitle`; did you mean `job_title`?");
        assert!(root_field("qqqqqqqqqq").unwrap_err().to_string().contains("custom.NAME"));
    }

    #[test]
    fn values_are_checked_by_kind_and_errors_name_field_reason_and_way_out() {
        assert_eq!(check("status", "customer").unwrap(), Some("customer".into()));
        assert_eq!(
            check("status", "vip").unwrap_err().to_string(),
            "`status`: `vip` is none of its values; give one of lead, prospect, customer, partner, lost"
        );
        assert!(check("birthday", "2024-02-29").is_ok());
        for wrong in ["2023-02-29", "29.02.2024", "2024-2-9", "+2024-02-1"] {
            assert!(check("birthday", wrong).is_err(), "{wrong}");
        }
        assert!(check("cadence_days", 0).is_err());
        assert!(check("latitude", Value::Number(91.0)).is_err());
        assert_eq!(check("latitude", 55).unwrap(), Some(Value::Number(55.0)));
        assert!(check("do_not_contact", "yes").is_err());
        assert_eq!(check("company", "  ").unwrap(), None);
        assert!(matches!(
            check("company", "x".repeat(16 * 1024 + 1)),
            Err(CommandError::TooLarge { max: 16384, .. })
        ));
    }

    #[test]
    fn emails_phones_and_currencies_are_checked_lightly() {
        let email = |text: &str| {
            let spec = entry_field(Collection::Emails, "address").unwrap();
            value("e", spec, &Some(text.into()), &Limits::DEFAULT).is_ok()
        };
        assert!(email("maria@example.com") && email("мария@пример.рф"));
        assert!(!email("maria") && !email("a@b@c") && !email("a b@c") && !email("@c"));
        assert!(parse_value(entry_field(Collection::Phones, "number").unwrap(), "n/a").is_err());
        let currency = entry_field(Collection::Deals, "currency").unwrap();
        assert_eq!(parse_value(currency, "eur").unwrap(), Some("EUR".into()));
        assert!(parse_value(currency, "euro").is_err());
    }

    #[test]
    fn typed_text_is_read_by_kind() {
        let read = |name: &str, text: &str| parse_value(root_field(name).unwrap(), text);
        assert_eq!(read("do_not_contact", " Yes ").unwrap(), Some(true.into()));
        assert_eq!(read("cadence_days", "42").unwrap(), Some(42.into()));
        assert_eq!(read("status", "Customer").unwrap(), Some("customer".into()));
        assert_eq!(read("latitude", "55,6").unwrap(), Some(Value::Number(55.6)));
        assert_eq!(read("company", "  ").unwrap(), None);
        assert!(read("cadence_days", "often").is_err());
    }
}
