//! Custom fields that the workspace has defined: what they are called, and what they take.
//!
//! A definition guides whoever types. It never keeps a change from being merged: a device that was away
//! may not know it yet, and a value that was there before it stays as it is.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize};

use super::check::{self, parse_value};
use super::error::CommandError;
use super::schema::{CUSTOM, FieldSpec, Kind};
use super::value::Value;
use crate::fold;

/// Custom fields that a workspace defines at most.
pub const CUSTOM_FIELDS_MAX: usize = 100;
/// Values that a choice has at most.
pub const CUSTOM_CHOICES_MAX: usize = 100;

/// What a custom field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomKind {
    /// Text. Also a kind that this version does not know.
    #[default]
    Text,
    /// A number, with a fraction or without.
    Number,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// One of the values that the definition lists.
    Choice,
    /// Yes or no.
    YesNo,
}

impl CustomKind {
    /// All of them.
    pub const ALL: [CustomKind; 5] = [
        CustomKind::Text,
        CustomKind::Number,
        CustomKind::Date,
        CustomKind::Choice,
        CustomKind::YesNo,
    ];

    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            CustomKind::Text => "text",
            CustomKind::Number => "number",
            CustomKind::Date => "date",
            CustomKind::Choice => "choice",
            CustomKind::YesNo => "yes_no",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<CustomKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind of field that has such values; text for a choice.
    pub fn kind(self) -> Kind {
        match self {
            CustomKind::Text | CustomKind::Choice => Kind::Text,
            CustomKind::Number => Kind::Number,
            CustomKind::Date => Kind::Date,
            CustomKind::YesNo => Kind::Bool,
        }
    }
}

impl<C> Encode<C> for CustomKind {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.str(self.as_str()).map(|_| ())
    }
}

impl<'b, C> Decode<'b, C> for CustomKind {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        Ok(CustomKind::from_name(d.str()?).unwrap_or_default())
    }
}

/// The definition of a custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct CustomField {
    /// What it is called, and by which its values are found: `custom.NAME`. No two names differ in case or
    /// accents alone.
    #[n(0)]
    pub name: String,
    /// What it takes.
    #[n(1)]
    pub kind: CustomKind,
    /// The values of a choice, in their order.
    #[n(2)]
    #[cbor(default)]
    #[serde(default)]
    pub choices: Vec<String>,
}

impl CustomField {
    /// The definition as it may be kept: names trimmed, each choice once.
    ///
    /// # Errors
    /// [`CommandError::Invalid`] and [`CommandError::TooLarge`], with the way out.
    pub fn checked(&self) -> Result<CustomField, CommandError> {
        let name = check::chosen_name(CUSTOM, &self.name)?.to_owned();
        let invalid = |reason: &str, way_out: &str| CommandError::Invalid {
            field: path(&name),
            reason: reason.to_owned(),
            way_out: way_out.to_owned(),
        };
        if fold::fold(&name).is_empty() {
            return Err(invalid("its name has no letter and no digit", "give it one"));
        }
        if name.contains('"') {
            return Err(invalid(
                "its name has a quote, which a filter can't ask for",
                "leave it out",
            ));
        }
        let mut choices: Vec<String> = Vec::new();
        for choice in &self.choices {
            let choice = check::chosen_name(&path(&name), choice)?;
            if !choices.iter().any(|there| fold::fold(there) == fold::fold(choice)) {
                choices.push(choice.to_owned());
            }
        }
        match (self.kind, choices.len()) {
            (CustomKind::Choice, 0) => {
                return Err(invalid("a choice needs values to choose from", "list them"));
            }
            (CustomKind::Choice, CUSTOM_CHOICES_MAX..) if choices.len() > CUSTOM_CHOICES_MAX => {
                return Err(CommandError::TooLarge {
                    field: path(&name),
                    size: choices.len() as u64,
                    max: CUSTOM_CHOICES_MAX as u64,
                    unit: "values",
                    way_out: "make it a text".to_owned(),
                });
            }
            (CustomKind::Choice, _) => {}
            _ => choices.clear(),
        }
        Ok(CustomField { name, kind: self.kind, choices })
    }

    /// The definition of that name, however it is written.
    pub fn named<'a>(fields: &'a [CustomField], name: &str) -> Option<&'a CustomField> {
        let exact = fields.iter().find(|field| field.name == name);
        exact.or_else(|| {
            let key = fold::fold(name);
            fields.iter().find(|field| fold::fold(&field.name) == key)
        })
    }

    /// What somebody typed, as a value of this field: trimmed, empty clears it. Numbers may have a comma,
    /// choices any case.
    ///
    /// # Errors
    /// [`CommandError::Invalid`] with what it takes.
    pub fn parse(&self, text: &str) -> Result<Option<Value>, CommandError> {
        let text = text.trim();
        if self.kind == CustomKind::Choice && !text.is_empty() {
            let key = fold::fold(text);
            let found = self.choices.iter().find(|choice| fold::fold(choice) == key);
            return match found {
                Some(choice) => Ok(Some(Value::from(choice.as_str()))),
                None => Err(CommandError::Invalid {
                    field: path(&self.name),
                    reason: format!("`{}` is none of its values", check::short(text)),
                    way_out: format!("give one of {}", self.choices.join(", ")),
                }),
            };
        }
        let spec = FieldSpec { name: CUSTOM, kind: self.kind.kind(), label: CUSTOM };
        parse_value(&spec, text).map_err(|error| match error {
            CommandError::Invalid { reason, way_out, .. } => {
                CommandError::Invalid { field: path(&self.name), reason, way_out }
            }
            CommandError::TooLarge { size, max, unit, way_out, .. } => {
                CommandError::TooLarge { field: path(&self.name), size, max, unit, way_out }
            }
            other => other,
        })
    }

    /// Whether a value is one that this field takes. One that was there before the definition, or came
    /// from a device that did not know it, may be another.
    pub fn fits(&self, value: &Value) -> bool {
        match (self.kind, value) {
            (CustomKind::Text, Value::Text(_))
            | (CustomKind::Number, Value::Int(_) | Value::Number(_))
            | (CustomKind::YesNo, Value::Bool(_)) => true,
            (CustomKind::Date, Value::Text(text)) => self.parse(text).is_ok(),
            (CustomKind::Choice, Value::Text(text)) => self.choices.contains(text),
            _ => false,
        }
    }
}

fn path(name: &str) -> String {
    format!("{CUSTOM}.{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: CustomKind, choices: &[&str]) -> CustomField {
        let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        CustomField { name: "Shoe size".to_owned(), kind, choices }
    }

    #[test]
    fn what_is_typed_becomes_a_value_of_the_kind_or_is_refused_with_what_it_takes() {
        let read = |kind, text: &str| field(kind, &["Gold", "Île"]).parse(text);
        assert_eq!(read(CustomKind::Text, " 42 ").unwrap(), Some("42".into()));
        assert_eq!(read(CustomKind::Number, "42,5").unwrap(), Some(Value::Number(42.5)));
        assert_eq!(read(CustomKind::Date, "2026-02-28").unwrap(), Some("2026-02-28".into()));
        assert_eq!(read(CustomKind::Choice, "gold").unwrap(), Some("Gold".into()));
        assert_eq!(read(CustomKind::Choice, "ile").unwrap(), Some("Île".into()));
        assert_eq!(read(CustomKind::YesNo, "Yes").unwrap(), Some(true.into()));
        for kind in CustomKind::ALL {
            assert_eq!(read(kind, "  ").unwrap(), None);
            assert_eq!(CustomKind::from_name(kind.as_str()), Some(kind));
        }
        for (kind, text, way_out) in [
            (CustomKind::Number, "many", "number"),
            (CustomKind::Date, "28.2.2026", "YYYY-MM-DD"),
            (CustomKind::Choice, "silver", "give one of Gold, Île"),
            (CustomKind::YesNo, "perhaps", "yes or no"),
        ] {
            let error = read(kind, text).unwrap_err().to_string();
            assert!(error.contains("`custom.Shoe size`") && error.contains(way_out), "{error}");
        }
    }

    #[test]
    fn a_definition_is_tidied_and_one_that_nobody_could_use_is_refused() {
        let kept = field(CustomKind::Choice, &[" Gold ", "gold", "Silver"]).checked().unwrap();
        assert_eq!(kept.choices, ["Gold", "Silver"]);
        assert!(field(CustomKind::Number, &["left over"]).checked().unwrap().choices.is_empty());
        let wrong = |name: &str| CustomField { name: name.into(), ..field(CustomKind::Text, &[]) };
        for (wrong, reason) in [
            (field(CustomKind::Choice, &[]), "needs values"),
            (wrong("  "), "is empty"),
            (wrong("--"), "no letter"),
            (wrong("a \"b\""), "quote"),
            (wrong(&"x".repeat(101)), "bytes"),
        ] {
            let error = wrong.checked().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_value_from_before_the_definition_does_not_fit_and_is_known_to_be_none_of_it() {
        let choice = field(CustomKind::Choice, &["Gold"]);
        assert!(choice.fits(&"Gold".into()) && !choice.fits(&"gold".into()));
        let number = field(CustomKind::Number, &[]);
        assert!(number.fits(&Value::Int(3)) && !number.fits(&"3".into()));
        let date = field(CustomKind::Date, &[]);
        assert!(date.fits(&"2026-02-28".into()) && !date.fits(&"soon".into()));
        let all = [choice, number];
        assert_eq!(CustomField::named(&all, "shoe SIZE"), Some(&all[0]));
        assert_eq!(CustomField::named(&all, "shoes"), None);
    }

    #[test]
    fn a_kind_of_a_later_version_is_read_as_text() {
        let mut later = Vec::new();
        let mut e = Encoder::new(&mut later);
        e.map(2).unwrap().u8(0).unwrap().str("Colour").unwrap();
        e.u8(1).unwrap().str("colour").unwrap();
        let read: CustomField = minicbor::decode(&later).unwrap();
        assert_eq!((read.kind, read.choices.len()), (CustomKind::Text, 0));
        let bytes = minicbor::to_vec(field(CustomKind::Choice, &["a"])).unwrap();
        assert_eq!(
            minicbor::decode::<CustomField>(&bytes).unwrap(),
            field(CustomKind::Choice, &["a"])
        );
    }
}
