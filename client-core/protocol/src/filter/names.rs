//! What can be asked: the names of the grammar and where their values stand in a row.

use crate::document::schema::{self, INTERACTIONS, Kind};

/// A text, or a list of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOf {
    /// A root field.
    Field(&'static str),
    /// A part of the first address.
    Address(&'static str),
    Tags,
    Stages,
    Emails,
    /// Ids in other systems.
    External,
}

/// Phone numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PhoneOf {
    List,
    Field(&'static str),
}

/// Something counted; what is not there counts 0, but for fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountOf {
    /// An integer field; not set, nothing matches.
    Field(&'static str),
    /// Interactions of a kind.
    Interactions(&'static str),
    AllInteractions,
    OpenTasks,
    Purchases,
    Conflicts,
}

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateOf {
    Field(&'static str),
    NextDue,
    LastPurchase,
}

/// An instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InstantOf {
    LastContact,
    Touched,
}

/// Money per currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AmountOf {
    OpenDeals,
    Revenue,
}

/// A class of a customer, which the office alone knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClassOf {
    Recency,
    Frequency,
    Monetary,
}

/// Something that is there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HasOf {
    /// A root field that is set and not empty.
    Field(&'static str),
    /// Any part of an address.
    Address,
    /// A text at the top of the row: a part of the address, the note.
    RowText(&'static str),
    /// A list or map at the top of the row that is not empty.
    RowList(&'static str),
    /// A custom field that is set and not empty.
    Custom(String),
    Date(DateOf),
    Contacted,
}

/// What a name in front of a colon means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Subject {
    FullText(&'static str),
    Text(TextOf),
    Choice(&'static str, &'static [&'static str]),
    Phone(PhoneOf),
    Count(CountOf),
    Number(&'static str),
    Flag(&'static str),
    Date(DateOf),
    Instant(InstantOf),
    BirthdayIn,
    Cadence,
    Amount(AmountOf),
    Has {
        wanted: bool,
    },
    Custom(String),
    Owner,
    /// 1 to 5.
    Class(ClassOf),
    /// A, B or C.
    Abc,
    /// The latest answer to a survey.
    Nps,
    Consent,
    /// A list that the office handed over.
    List,
}

/// The parts of an address that a row has.
pub(super) const ADDRESS: [&str; 5] = ["street", "postal_code", "city", "region", "country"];

/// The names beside the root fields, the parts of the address and the kinds of interaction.
const SPECIAL: [&str; 21] = [
    "name",
    "note",
    "tag",
    "phone",
    "email",
    "stage",
    "external",
    "tasks",
    "purchases",
    "conflicts",
    "interactions",
    "due",
    "bought",
    "contacted",
    "touched",
    "birthday_in",
    "cadence",
    "deal",
    "revenue",
    "has",
    "no",
];

/// What only a device can ask for.
const DEVICE: [&str; 1] = ["list"];

/// What only the office can ask for.
const OFFICE: [&str; 7] = ["owner", "recency", "frequency", "monetary", "abc", "nps", "consent"];

/// Every name that a filter may start with, sorted; beside them `custom.NAME`.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = SPECIAL.iter().map(|name| (*name).to_owned()).collect();
    names.extend(OFFICE.map(str::to_owned));
    names.extend(DEVICE.map(str::to_owned));
    names.extend(schema::FIELDS.iter().map(|spec| spec.name.to_owned()));
    names.extend(ADDRESS.iter().map(|name| (*name).to_owned()));
    names.extend(INTERACTIONS.iter().map(|kind| format!("{kind}s")));
    names.sort();
    names
}

/// What a name means; names are not sensitive to case.
pub(super) fn subject(name: &str) -> Option<Subject> {
    if let Some((root, custom)) = name.split_once('.') {
        let is_custom = root.eq_ignore_ascii_case("custom") && !custom.is_empty();
        return is_custom.then(|| Subject::Custom(custom.to_owned()));
    }
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        "name" => Subject::FullText("names"),
        "note" => Subject::FullText("note"),
        "tag" | "tags" => Subject::Text(TextOf::Tags),
        "stage" => Subject::Text(TextOf::Stages),
        "email" => Subject::Text(TextOf::Emails),
        "external" => Subject::Text(TextOf::External),
        "phone" => Subject::Phone(PhoneOf::List),
        "tasks" => Subject::Count(CountOf::OpenTasks),
        "purchases" => Subject::Count(CountOf::Purchases),
        "conflicts" => Subject::Count(CountOf::Conflicts),
        "interactions" => Subject::Count(CountOf::AllInteractions),
        "due" => Subject::Date(DateOf::NextDue),
        "bought" => Subject::Date(DateOf::LastPurchase),
        "contacted" => Subject::Instant(InstantOf::LastContact),
        "touched" => Subject::Instant(InstantOf::Touched),
        "birthday_in" => Subject::BirthdayIn,
        "cadence" => Subject::Cadence,
        "deal" => Subject::Amount(AmountOf::OpenDeals),
        "revenue" => Subject::Amount(AmountOf::Revenue),
        "has" => Subject::Has { wanted: true },
        "no" => Subject::Has { wanted: false },
        "owner" => Subject::Owner,
        "recency" => Subject::Class(ClassOf::Recency),
        "frequency" => Subject::Class(ClassOf::Frequency),
        "monetary" => Subject::Class(ClassOf::Monetary),
        "abc" => Subject::Abc,
        "nps" => Subject::Nps,
        "consent" => Subject::Consent,
        "list" => Subject::List,
        other => return field(other).or_else(|| interaction_count(other)),
    })
}

fn field(name: &str) -> Option<Subject> {
    if let Some(part) = ADDRESS.into_iter().find(|part| *part == name) {
        return Some(Subject::Text(TextOf::Address(part)));
    }
    let spec = schema::field(name)?;
    Some(match spec.kind {
        Kind::Text | Kind::Email | Kind::Currency => Subject::Text(TextOf::Field(spec.name)),
        Kind::Choice(words) => Subject::Choice(spec.name, words),
        Kind::Date => Subject::Date(DateOf::Field(spec.name)),
        Kind::Instant | Kind::Int | Kind::Minor => Subject::Count(CountOf::Field(spec.name)),
        Kind::Number => Subject::Number(spec.name),
        Kind::Bool => Subject::Flag(spec.name),
        Kind::Phone => Subject::Phone(PhoneOf::Field(spec.name)),
    })
}

fn interaction_count(name: &str) -> Option<Subject> {
    let singular = name.strip_suffix('s')?;
    let kind = INTERACTIONS.iter().find(|kind| **kind == singular)?;
    Some(Subject::Count(CountOf::Interactions(kind)))
}

/// What `has:` and `no:` can ask for, beside root fields, parts of the address and `custom.NAME`.
pub(super) const HAS: [&str; 13] = [
    "phone",
    "email",
    "address",
    "note",
    "tag",
    "task",
    "deal",
    "purchase",
    "conflict",
    "contact",
    "due",
    "external",
    "interaction",
];

/// What is asked for behind `has:`: a condition over something that is there, or a count.
pub(super) enum Presence {
    Thing(HasOf),
    Count(CountOf),
}

pub(super) fn presence(name: &str) -> Option<Presence> {
    if let Some(Subject::Custom(custom)) = subject(name) {
        return Some(Presence::Thing(HasOf::Custom(custom)));
    }
    let name = name.to_ascii_lowercase();
    let name = name.as_str();
    let thing = match name {
        "phone" => HasOf::RowList("phones"),
        "email" => HasOf::RowList("emails"),
        "tag" => HasOf::RowList("tags"),
        "external" => HasOf::RowList("external_ids"),
        "deal" => HasOf::RowList("stages"),
        "address" => HasOf::Address,
        "note" => HasOf::RowText("note"),
        "due" => HasOf::Date(DateOf::NextDue),
        "contact" => HasOf::Contacted,
        "task" => return Some(Presence::Count(CountOf::OpenTasks)),
        "purchase" => return Some(Presence::Count(CountOf::Purchases)),
        "conflict" => return Some(Presence::Count(CountOf::Conflicts)),
        "interaction" => return Some(Presence::Count(CountOf::AllInteractions)),
        _ => match (ADDRESS.into_iter().find(|part| *part == name), schema::field(name)) {
            (Some(part), _) => HasOf::RowText(part),
            (None, Some(spec)) => HasOf::Field(spec.name),
            (None, None) => {
                let kind = INTERACTIONS.iter().find(|kind| **kind == name)?;
                return Some(Presence::Count(CountOf::Interactions(kind)));
            }
        },
    };
    Some(Presence::Thing(thing))
}

/// The word of a list that is closest to what was typed, if any is close.
pub(super) fn closest<'a>(
    typed: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed: Vec<char> = typed.to_lowercase().chars().take(40).collect();
    words
        .into_iter()
        .map(|word| (distance(&typed, word), word))
        .filter(|(distance, _)| *distance <= 2 && *distance < typed.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Edit distance with neighbours swapped counted as one step less than two.
fn distance(typed: &[char], word: &str) -> usize {
    let word: Vec<char> = word.chars().collect();
    let mut above: Vec<usize> = (0..=word.len()).collect();
    for (i, have) in typed.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, want) in word.iter().enumerate() {
            let swap = above[j] + usize::from(have != want);
            row.push(swap.min(above[j + 1] + 1).min(row[j] + 1));
        }
        above = row;
    }
    above[word.len()]
}
