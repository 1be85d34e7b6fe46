//! Which column means what: exact names first, then `--map`, presets and the words of other
//! programs and languages. What was decided, and how, is in the report.

use std::collections::BTreeMap;

use roadbook_protocol::document::schema;
use serde::{Deserialize, Serialize};

use super::words::{CONTACT_WORDS, PURCHASE_WORDS};
use super::{ImportError, Kind, compact};
use crate::config::nearest;

/// Names of contact fields that are not root scalars.
const CONTACT_EXTRA: &[&str] = &[
    "name",
    "phone",
    "email",
    "street",
    "postal_code",
    "city",
    "region",
    "country",
    "tags",
    "note",
    "external_id",
];
/// Field names of purchases.
const PURCHASE_FIELDS: &[&str] = &[
    "customer",
    "order",
    "date",
    "amount",
    "currency",
    "product",
    "channel",
    "unit_price",
    "quantity",
    "discount",
];
/// Fields that several columns may feed.
const MANY: &[&str] = &["phone", "email", "tags", "note"];

/// How a column came to its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// The header is the field's name.
    Exact,
    /// `--map` says so.
    Map,
    /// The preset says so.
    Preset,
    /// The header is a word for it.
    Guess,
    /// `--key` says so.
    Key,
    /// `--keep-unknown` keeps it as a custom field.
    Kept,
}

/// One column that is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// Its header.
    pub column: String,
    /// The field's name.
    pub field: String,
    /// How it came to it.
    pub how: How,
    /// Its position.
    #[serde(skip)]
    pub index: usize,
}

/// What all columns of a file mean.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// The used ones, in the order of the file.
    pub columns: Vec<Mapped>,
    /// Headers that no field was found for.
    pub unmapped: Vec<String>,
}

/// What the caller says about columns.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// `--map`: header to field; an empty field, `-` or `skip` leaves the column out.
    pub map: &'a [(String, String)],
    /// `--preset`.
    pub preset: Option<&'a Preset>,
    /// `--key`: the column with the external id.
    pub key: Option<&'a str>,
    /// `--keep-unknown`.
    pub keep_unknown: bool,
}

/// The columns of a program whose exports are known.
#[derive(Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name, and the name of the external system that ids are stored under.
    pub name: &'static str,
    /// The program, for people.
    pub label: &'static str,
    /// Compact header to field; an empty field leaves the column out.
    columns: &'static [(&'static str, &'static str)],
}

/// The programs whose exports are known beyond what the words say.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "hubspot",
        label: "HubSpot contacts",
        columns: &[
            ("recordid", "external_id"),
            ("contactowner", ""),
            ("leadstatus", ""),
            ("lifecyclestage", ""),
            ("createdate", ""),
        ],
    },
    Preset {
        name: "salesforce",
        label: "Salesforce contacts",
        columns: &[
            ("contactid", "external_id"),
            ("accountid", ""),
            ("accountname", "company"),
            ("title", "job_title"),
            ("description", "note"),
            ("contactowner", ""),
        ],
    },
    Preset {
        name: "pipedrive",
        label: "Pipedrive people",
        columns: &[
            ("id", "external_id"),
            ("personid", "external_id"),
            ("label", "tags"),
            ("labels", "tags"),
            ("owner", ""),
        ],
    },
    Preset {
        name: "outlook",
        label: "Outlook contacts",
        columns: &[
            ("title", "title"),
            ("emailaddress", "email"),
            ("email2address", "email"),
            ("email3address", "email"),
            ("categories", "tags"),
            ("homestreet", ""),
            ("homecity", ""),
            ("keywords", ""),
            ("account", ""),
            ("priority", ""),
        ],
    },
    Preset {
        name: "google",
        label: "Google contacts",
        columns: &[
            ("organizationtitle", "job_title"),
            ("organization1title", "job_title"),
            ("organization1name", "company"),
            ("email1value", "email"),
            ("email2value", "email"),
            ("phone1value", "phone"),
            ("phone2value", "phone"),
            ("address1street", "street"),
            ("address1city", "city"),
            ("address1region", "region"),
            ("address1postalcode", "postal_code"),
            ("address1country", "country"),
            ("groupmembership", "tags"),
            ("labels", "tags"),
        ],
    },
    Preset {
        name: "bitrix24",
        label: "Bitrix24 contacts",
        columns: &[
            ("id", "external_id"),
            ("ответственныи", ""),
            ("источник", "source"),
            ("рабочиителефон", "phone.work"),
            ("рабочииemail", "email.work"),
        ],
    },
];

/// The preset of that name.
pub fn preset(name: &str) -> Result<&'static Preset, ImportError> {
    PRESETS.iter().find(|preset| preset.name == name.to_ascii_lowercase()).ok_or_else(|| {
        ImportError::Choice(format!(
            "there is no preset `{name}`; the presets are {}",
            PRESETS.iter().map(|p| p.name).collect::<Vec<_>>().join(", ")
        ))
    })
}

/// Decides for each header. `file` is for errors.
pub fn map(headers: &[String], kind: Kind, wishes: Wishes<'_>) -> Result<Mapping, ImportError> {
    check_wishes(headers, kind, wishes)?;
    let mut chosen: Vec<Option<(String, How)>> =
        headers.iter().map(|header| certain(header, kind, wishes)).collect();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (field, how) in chosen.iter().flatten() {
        // Two columns under one exact name are the file's mistake, two by `--map` the caller's;
        // several phones are neither.
        if !may_repeat(field) && taken.insert(field.clone(), 0).is_some() {
            return Err(ImportError::Choice(format!(
                "two columns mean `{field}` ({how:?}); leave one out with --map \"HEADER=skip\""
            )));
        }
    }
    // Guesses only fill what is free, in the order of the words, so that `Customer number` wins over
    // a mere `Id` wherever they stand.
    let mut guesses: Vec<(usize, usize, &'static str)> = headers
        .iter()
        .enumerate()
        .filter(|(i, _)| chosen[*i].is_none())
        .filter_map(|(i, header)| guess(header, kind).map(|(rank, field)| (rank, i, field)))
        .collect();
    guesses.sort_unstable();
    for (_, i, field) in guesses {
        if may_repeat(field) || !taken.contains_key(field) {
            taken.insert(field.to_owned(), i);
            chosen[i] = Some((field.to_owned(), How::Guess));
        }
    }
    let mut mapping = Mapping::default();
    for (index, (header, choice)) in headers.iter().zip(chosen).enumerate() {
        match choice {
            Some((field, _)) if field.is_empty() => {}
            Some((field, how)) => {
                mapping.columns.push(Mapped { column: header.clone(), field, how, index });
            }
            None if wishes.keep_unknown && kind == Kind::Contacts => mapping.columns.push(Mapped {
                column: header.clone(),
                field: format!("custom.{}", custom_name(header)),
                how: How::Kept,
                index,
            }),
            None => mapping.unmapped.push(header.clone()),
        }
    }
    Ok(mapping)
}

impl Mapping {
    /// The position of the column of a field.
    pub fn index(&self, field: &str) -> Option<usize> {
        self.column(field).map(|column| column.index)
    }

    /// The column of a field.
    pub fn column(&self, field: &str) -> Option<&Mapped> {
        self.columns.iter().find(|column| column.field == field)
    }
}

/// Whether something could be a field's name; used to refuse a misspelt `--map`.
pub fn is_field(name: &str, kind: Kind) -> bool {
    match kind {
        Kind::Purchases => PURCHASE_FIELDS.contains(&name),
        Kind::Contacts => {
            CONTACT_EXTRA.contains(&name)
                || schema::field(name).is_some()
                || ["custom.", "external_ids.", "phone.", "email."].iter().any(|prefix| {
                    name.strip_prefix(prefix).is_some_and(|rest| !rest.trim().is_empty())
                })
        }
    }
}

fn check_wishes(headers: &[String], kind: Kind, wishes: Wishes<'_>) -> Result<(), ImportError> {
    let known = |name: &str| headers.iter().any(|header| same_header(header, name));
    let missing = |what: &str, name: &str| {
        let near = nearest(name, headers.iter().map(String::as_str));
        ImportError::Choice(format!(
            "{what}: the file has no column `{name}`; {}its columns are {}",
            near.map(|n| format!("did you mean `{n}`? ")).unwrap_or_default(),
            headers.join(", ")
        ))
    };
    for (header, field) in wishes.map {
        if !known(header) {
            return Err(missing("--map", header));
        }
        if !is_skip(field) && !is_field(field, kind) {
            let fields = CONTACT_EXTRA.iter().copied().chain(schema::FIELDS.iter().map(|f| f.name));
            let near = match kind {
                Kind::Contacts => nearest(field, fields),
                Kind::Purchases => nearest(field, PURCHASE_FIELDS.iter().copied()),
            };
            return Err(ImportError::Choice(format!(
                "--map: there is no field `{field}`{}; docs/import.md lists them, and custom.NAME makes one",
                near.map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default()
            )));
        }
    }
    match wishes.key {
        Some(key) if !known(key) => Err(missing("--key", key)),
        _ => Ok(()),
    }
}

/// What is not a guess.
fn certain(header: &str, kind: Kind, wishes: Wishes<'_>) -> Option<(String, How)> {
    let key_field = match kind {
        Kind::Contacts => "external_id",
        Kind::Purchases => "customer",
    };
    if let Some((_, field)) = wishes.map.iter().find(|(name, _)| same_header(header, name)) {
        let field = if is_skip(field) { String::new() } else { field.clone() };
        return Some((field, How::Map));
    }
    if wishes.key.is_some_and(|key| same_header(header, key)) {
        return Some((key_field.to_owned(), How::Key));
    }
    if let Some(preset) = wishes.preset
        && let Some((_, field)) = preset.columns.iter().find(|(name, _)| *name == compact(header))
    {
        return Some(((*field).to_owned(), How::Preset));
    }
    let exact = header.trim();
    (is_field(exact, kind) && !(exact == "external_id" && wishes.key.is_some()))
        .then(|| (exact.to_owned(), How::Exact))
}

fn guess(header: &str, kind: Kind) -> Option<(usize, &'static str)> {
    let table = match kind {
        Kind::Contacts => CONTACT_WORDS,
        Kind::Purchases => PURCHASE_WORDS,
    };
    let word = compact(header);
    let numbered = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let find = |word: &str| {
        table.iter().find_map(|(field, words)| {
            words.split(' ').position(|known| known == word).map(|rank| (rank, *field))
        })
    };
    // `Telefon 2` is a second phone, but `Address 2` is not a second street.
    find(&word).or_else(|| find(numbered).filter(|(_, field)| may_repeat(field)))
}

fn may_repeat(field: &str) -> bool {
    field.is_empty() || MANY.contains(&field.split('.').next().unwrap_or_default())
}

fn same_header(header: &str, name: &str) -> bool {
    header.trim() == name.trim() || compact(header) == compact(name)
}

fn is_skip(field: &str) -> bool {
    matches!(field, "" | "-" | "skip")
}

/// A header as the name of a custom field: its words with `_` between them.
fn custom_name(header: &str) -> String {
    let name: String =
        header.trim().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    name.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Wishes<'_> = Wishes { map: &[], preset: None, key: None, keep_unknown: false };

    fn fields(headers: &[&str], kind: Kind, wishes: Wishes<'_>) -> Vec<(String, String)> {
        let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
        let mapping = map(&headers, kind, wishes).unwrap();
        mapping.columns.into_iter().map(|c| (c.column, c.field)).collect()
    }

    fn guessed(headers: &[&str]) -> Vec<String> {
        fields(headers, Kind::Contacts, NOTHING).into_iter().map(|(_, field)| field).collect()
    }

    #[test]
    fn a_trading_company_s_customers_are_understood() {
        assert_eq!(
            guessed(&[
                "customerID",
                "companyName",
                "contactName",
                "contactTitle",
                "address",
                "city",
                "region",
                "postalCode",
                "country",
                "phone",
                "fax"
            ]),
            [
                "external_id",
                "company",
                "name",
                "job_title",
                "street",
                "city",
                "region",
                "postal_code",
                "country",
                "phone",
                "fax"
            ]
        );
    }

    #[test]
    fn headers_of_several_languages_are_understood() {
        assert_eq!(
            guessed(&[
                "Kunden-Nr.",
                "Firma",
                "Anrede",
                "Vorname",
                "Nachname",
                "Straße",
                "PLZ",
                "Ort",
                "Land",
                "Telefon",
                "Handy",
                "E-Mail",
                "Geburtstag",
                "Bemerkungen"
            ]),
            [
                "external_id",
                "company",
                "title",
                "given_name",
                "family_name",
                "street",
                "postal_code",
                "city",
                "country",
                "phone",
                "phone.mobile",
                "email",
                "birthday",
                "note"
            ]
        );
        assert_eq!(
            guessed(&[
                "Имя",
                "Фамилия",
                "Компания",
                "Должность",
                "Телефон",
                "Мобильный телефон",
                "Город",
                "Дата рождения"
            ]),
            [
                "given_name",
                "family_name",
                "company",
                "job_title",
                "phone",
                "phone.mobile",
                "city",
                "birthday"
            ]
        );
        assert_eq!(
            guessed(&["Nome", "Cognome", "Azienda", "Città", "CAP", "Telefono", "Note"]),
            ["given_name", "family_name", "company", "city", "postal_code", "phone", "note"]
        );
        assert_eq!(
            guessed(&["Fornavn", "Efternavn", "Virksomhed", "By", "Postnr.", "Tlf."]),
            ["given_name", "family_name", "company", "city", "postal_code", "phone"]
        );
    }

    #[test]
    fn exact_names_come_first_and_guesses_take_only_what_is_free() {
        // `Address` would be a street too, but there is a column with the exact name.
        let both = fields(&["Address", "street"], Kind::Contacts, NOTHING);
        assert_eq!(both, [("street".to_owned(), "street".to_owned())]);
        // A customer number is a better key than a mere id.
        let ids = fields(&["Id", "Customer ID"], Kind::Contacts, NOTHING);
        assert_eq!(ids, [("Customer ID".to_owned(), "external_id".to_owned())]);
        assert_eq!(guessed(&["Phone 1", "Phone 2", "Address 2"]), ["phone", "phone"]);
    }

    #[test]
    fn map_overrides_and_leaves_out() {
        let map_wish = [
            ("Telefon".to_owned(), "phone.work".to_owned()),
            ("Ort".to_owned(), "skip".to_owned()),
            ("Rabattgruppe".to_owned(), "custom.group".to_owned()),
        ];
        let found = fields(
            &["Telefon", "Ort", "Rabattgruppe"],
            Kind::Contacts,
            Wishes { map: &map_wish, ..NOTHING },
        );
        assert_eq!(
            found,
            [
                ("Telefon".to_owned(), "phone.work".to_owned()),
                ("Rabattgruppe".to_owned(), "custom.group".to_owned())
            ]
        );
    }

    #[test]
    fn a_misspelt_wish_is_refused_with_what_there_is() {
        let headers = ["name".to_owned(), "city".to_owned()];
        let wish = [("citty".to_owned(), "city".to_owned())];
        let error = map(&headers, Kind::Contacts, Wishes { map: &wish, ..NOTHING })
            .unwrap_err()
            .to_string();
        assert!(error.contains("`city`"), "{error}");
        let wish = [("city".to_owned(), "citty".to_owned())];
        let error = map(&headers, Kind::Contacts, Wishes { map: &wish, ..NOTHING })
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean `city`"), "{error}");
        let error = map(&headers, Kind::Contacts, Wishes { key: Some("id"), ..NOTHING })
            .unwrap_err()
            .to_string();
        assert!(error.contains("--key"), "{error}");
        assert!(map(&["city".into(), "city".into()], Kind::Contacts, NOTHING).is_err());
    }

    #[test]
    fn unknown_columns_are_listed_or_kept_as_custom_fields() {
        let headers = ["name".to_owned(), "Shoe size (EU)".to_owned()];
        assert_eq!(map(&headers, Kind::Contacts, NOTHING).unwrap().unmapped, ["Shoe size (EU)"]);
        let kept = map(&headers, Kind::Contacts, Wishes { keep_unknown: true, ..NOTHING }).unwrap();
        assert_eq!(kept.columns[1].field, "custom.shoe_size_eu");
        assert!(kept.unmapped.is_empty());
    }

    #[test]
    fn presets_know_their_program() {
        let wishes = Wishes { preset: Some(preset("Salesforce").unwrap()), ..NOTHING };
        let found = fields(
            &["Contact ID", "Account Name", "Title", "First Name", "Contact Owner"],
            Kind::Contacts,
            wishes,
        );
        let names: Vec<_> = found.iter().map(|(_, f)| f.as_str()).collect();
        assert_eq!(names, ["external_id", "company", "job_title", "given_name"]);
        assert!(preset("act").unwrap_err().to_string().contains("hubspot"));
        for preset in PRESETS {
            for (column, field) in preset.columns {
                assert_eq!(compact(column), *column, "{}", preset.name);
                assert!(
                    field.is_empty() || is_field(field, Kind::Contacts),
                    "{} {field}",
                    preset.name
                );
            }
        }
    }

    #[test]
    fn order_files_are_understood() {
        let order = fields(
            &["orderID", "customerID", "employeeID", "orderDate", "requiredDate"],
            Kind::Purchases,
            NOTHING,
        );
        let names: Vec<_> = order.iter().map(|(_, f)| f.as_str()).collect();
        assert_eq!(names, ["order", "customer", "date"]);
        let lines = fields(
            &["orderID", "productID", "unitPrice", "quantity", "discount"],
            Kind::Purchases,
            NOTHING,
        );
        let names: Vec<_> = lines.iter().map(|(_, f)| f.as_str()).collect();
        assert_eq!(names, ["order", "unit_price", "quantity", "discount"]);
    }
}
