//! What of a row is searchable, column by column.

use super::{fold, is_spaceless, phone};
use crate::document::Value;
use crate::projection::Row;

/// The columns of the full-text table `search`, in order, and their weights for `bm25`: a hit in a
/// name weighs more than one in a note.
pub const FTS_COLUMNS: &[(&str, f64)] = &[
    ("names", 10.0),
    ("company", 6.0),
    ("reach", 5.0),
    ("place", 3.0),
    ("tags", 3.0),
    ("note", 1.0),
];

/// The `tokenize` option of the full-text table. `ascii` keeps every character outside ASCII and
/// splits at spaces: the text is folded already, and no second opinion is wanted.
pub const FTS_TOKENIZE: &str = "ascii";

/// More phone numbers, emails or tags of one contact than this are not indexed.
const LIST_MAX: usize = 64;
/// A word longer than this gets no second spelling.
const VARIANT_BYTES_MAX: usize = 64;
/// So many second spellings per column at most.
const VARIANTS_MAX: usize = 256;

/// The folded text of a row, one field per column of [`FTS_COLUMNS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchText {
    /// Given and family name, or what else the contact is called.
    pub names: String,
    /// Company, legal name, job title, industry.
    pub company: String,
    /// Phones (digits, see [`super::phone_digits`]), emails, website, ids in other systems, tax id.
    pub reach: String,
    /// Street, postal code, city, region, country.
    pub place: String,
    /// Tags, category, texts of custom fields.
    pub tags: String,
    /// The notes.
    pub note: String,
}

impl SearchText {
    /// The columns in the order of [`FTS_COLUMNS`].
    pub fn columns(&self) -> [&str; 6] {
        [&self.names, &self.company, &self.reach, &self.place, &self.tags, &self.note]
    }
}

/// What of a row goes into the full-text index.
pub fn search_text(row: &Row) -> SearchText {
    let field = |name: &str| row.fields.get(name).and_then(Value::as_text).unwrap_or_default();
    let (given, family) = (field("given_name"), field("family_name"));
    let names = if given.is_empty() && family.is_empty() {
        column([row.display_name.as_str()])
    } else {
        column([given, family])
    };
    let company = column(["company", "legal_name", "job_title", "industry"].map(field));
    let mut reach = column(
        row.emails
            .iter()
            .take(LIST_MAX)
            .map(String::as_str)
            .chain(["website", "tax_id", "registration_id"].map(field))
            .chain(row.external_ids.values().take(LIST_MAX).map(String::as_str)),
    );
    for number in row.phones.iter().take(LIST_MAX).map(String::as_str).chain([field("fax")]) {
        phone::index_words(number, &mut reach);
    }
    let place = column(
        [&row.street, &row.postal_code, &row.city, &row.region, &row.country].map(String::as_str),
    );
    let customs = row.custom.values().filter_map(Value::as_text);
    let tags = column(
        row.tags
            .iter()
            .map(String::as_str)
            .chain([field("category")])
            .chain(customs)
            .take(LIST_MAX),
    );
    let note = column([row.note.as_str(), field("personal_note")]);
    SearchText { names, company, reach: reach.trim_start().to_owned(), place, tags, note }
}

/// The name under which a contact is sorted: family name, given name, company; else its display
/// name. Give it to [`super::sort_key`].
pub fn sort_name(row: &Row) -> String {
    let field = |name: &str| {
        row.fields.get(name).and_then(Value::as_text).map(str::trim).unwrap_or_default()
    };
    let name: Vec<&str> = ["family_name", "given_name", "company"]
        .into_iter()
        .map(field)
        .filter(|text| !text.is_empty())
        .collect();
    if name.is_empty() { row.display_name.trim().to_owned() } else { name.join(" ") }
}

/// The folded texts, then the second spellings of their words. Those stand at the end, so that
/// phrases in the texts themselves stay phrases.
fn column<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let (mut out, mut variants) = (String::new(), String::new());
    let mut left = VARIANTS_MAX;
    for text in texts {
        let folded = fold(text);
        if folded.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&folded);
        for word in text.split_whitespace() {
            for variant in spellings(word).into_iter().take(left) {
                variants.push(' ');
                variants.push_str(&variant);
                left -= 1;
            }
        }
    }
    out.push_str(&variants);
    out
}

/// Other spellings of a word (as typed, without spaces): `Müller` as mueller, `Århus` as aarhus,
/// `O'Brien` and `S.p.A.` in one word. Folded; empty for most words.
pub(super) fn spellings(word: &str) -> Vec<String> {
    if word.len() > VARIANT_BYTES_MAX {
        return Vec::new();
    }
    let mut found = Vec::new();
    if !word.is_ascii()
        && let Some(written_out) = umlauts_written_out(word)
    {
        found.push(fold(&written_out));
    }
    if word.bytes().any(|byte| !byte.is_ascii_alphanumeric()) {
        let folded = fold(word);
        if folded.contains(' ') && !folded.chars().any(is_spaceless) {
            found.push(folded.replace(' ', ""));
        }
    }
    found
}

/// ä ö ü å ø as German and Danish write them without those keys.
fn umlauts_written_out(word: &str) -> Option<String> {
    use unicode_normalization::UnicodeNormalization;
    let composed: String = word.nfc().collect();
    if !composed.contains(['ä', 'ö', 'ü', 'å', 'ø', 'Ä', 'Ö', 'Ü', 'Å', 'Ø']) {
        return None;
    }
    let mut out = String::with_capacity(composed.len() + 4);
    for c in composed.chars() {
        match c {
            'ä' | 'Ä' => out.push_str("ae"),
            'ö' | 'Ö' | 'ø' | 'Ø' => out.push_str("oe"),
            'ü' | 'Ü' => out.push_str("ue"),
            'å' | 'Å' => out.push_str("aa"),
            other => out.push(other),
        }
    }
    Some(out)
}
