//! The columns of the list of contacts: which there are, how each is shown, which somebody wants.
//!
//! Those that the list has of itself come from the columns of the projection; all others from the row's
//! JSON, which is read only where such a column is shown.

use std::collections::BTreeMap;

use maud::{Markup, html};
use roadbook_protocol::document::schema::{self, FIELDS};
use roadbook_protocol::projection;

use super::contacts::Line;
use super::{fields, layout, words};

/// A column beside the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    /// City and country.
    City,
    /// Status and category.
    Status,
    Owner,
    /// The latest contact.
    Contacted,
    /// The next visit, else the next task.
    Next,
    /// What the row has beside its fields.
    Row(&'static str),
    /// A field of the contact.
    Field(&'static str),
    /// A field of one's own.
    Custom(String),
}

/// The columns of who never chose.
const USUAL: [Column; 5] =
    [Column::City, Column::Status, Column::Owner, Column::Contacted, Column::Next];

/// What the row has beside the contact's fields.
const ROW: [&str; 15] = [
    "phones",
    "emails",
    "tags",
    "street",
    "postal_code",
    "region",
    "touched",
    "purchases",
    "last_purchase",
    "revenue",
    "stages",
    "deal",
    "tasks",
    "conflicts",
    "note",
];

/// Columns of one list at most.
const COLUMNS_MAX: usize = 24;
/// Letters of a note that a list shows.
const NOTE_CHARS: usize = 120;

impl Column {
    /// The name in addresses.
    pub(super) fn name(&self) -> String {
        match self {
            Column::City => "city".to_owned(),
            Column::Status => "standing".to_owned(),
            Column::Owner => "owner".to_owned(),
            Column::Contacted => "contacted".to_owned(),
            Column::Next => "next".to_owned(),
            Column::Row(name) | Column::Field(name) => (*name).to_owned(),
            Column::Custom(name) => format!("custom.{name}"),
        }
    }

    fn read(name: &str) -> Option<Column> {
        let usual = USUAL.into_iter().find(|column| column.name() == name);
        let row = || ROW.into_iter().find(|row| *row == name).map(Column::Row);
        let field = || schema::field(name).map(|spec| Column::Field(spec.name));
        let custom = || {
            let name = name.strip_prefix("custom.")?.trim();
            let fits = !name.is_empty() && name.chars().count() <= 100 && !name.contains(',');
            fits.then(|| Column::Custom(name.to_owned()))
        };
        usual.or_else(row).or_else(field).or_else(custom)
    }

    /// What it is called.
    pub(super) fn label(&self) -> String {
        match self {
            Column::City => t!("contacts-city"),
            Column::Status => t!("status"),
            Column::Owner => t!("owner"),
            Column::Contacted => t!("contacts-latest"),
            Column::Next => t!("contacts-next"),
            Column::Row(name) => words::text_or("col", name, || (*name).to_owned()),
            Column::Field(name) => {
                schema::field(name).map_or_else(|| (*name).to_owned(), fields::label_of)
            }
            Column::Custom(name) => name.clone(),
        }
    }

    /// The order that its heading leads to.
    pub(super) fn sort(&self) -> Option<&'static str> {
        match self {
            Column::Contacted => Some("contacted"),
            Column::Field("next_visit") => Some("visit"),
            Column::Row("touched") => Some("touched"),
            Column::Next => Some("due"),
            Column::City => Some("city"),
            Column::Status => Some("status"),
            Column::Owner => Some("owner"),
            Column::Field("company") => Some("company"),
            _ => None,
        }
    }

    /// How wide a screen must be.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Column::City | Column::Status => "wide",
            Column::Owner => "mid",
            Column::Contacted => "num",
            Column::Next => "wide num",
            Column::Row("purchases" | "revenue" | "deal" | "tasks" | "conflicts" | "touched") => {
                "wide num"
            }
            Column::Row(_) | Column::Field(_) | Column::Custom(_) => "wide",
        }
    }

    /// Whether the JSON of the row is needed for it.
    fn needs_row(&self) -> bool {
        matches!(self, Column::Row(_) | Column::Field(_) | Column::Custom(_))
    }

    /// The cell of a row.
    pub(super) fn cell(&self, line: &Line) -> Markup {
        let row = line.row.as_deref();
        html! {
            @match self {
                Column::City => (line.town()),
                Column::Status => {
                    (super::contact_view::status_chip(line.status.as_deref().unwrap_or_default()))
                    @if let Some(category) = line.category.as_deref().filter(|text| !text.is_empty()) { " " span.chip.brand { (category) } }
                },
                Column::Owner => @match line.owner.as_deref() { Some(owner) => (owner), None => span.muted { (t!("nobody")) } },
                Column::Contacted => @match line.last_contact_at { Some(at) => (layout::time(at, layout::Shape::Short)), None => span title=(t!("contacts-silent-never")) { (t!("never")) } },
                Column::Next => {
                    @if let Some(visit) = &line.next_visit { (layout::date(visit)) }
                    @else if let Some(due) = &line.next_due { (layout::date(due)) }
                    @else { "–" }
                },
                Column::Row(name) => (row.map_or_else(|| html! { "–" }, |row| of_row(name, row))),
                Column::Field(name) => {
                    @let value = row.and_then(|row| row.fields.get(*name));
                    @if let Some(spec) = schema::field(name) { (fields::shown(spec, value)) }
                },
                Column::Custom(name) => @match row.and_then(|row| row.custom.get(name)) { Some(value) => (value), None => "–" },
            }
        }
    }
}

fn of_row(name: &str, row: &projection::Row) -> Markup {
    let list =
        |texts: &[String]| if texts.is_empty() { "–".to_owned() } else { texts.join(", ") };
    let text = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    html! {
        @match name {
            "phones" => (list(&row.phones)),
            "emails" => (list(&row.emails)),
            "tags" => @if row.tags.is_empty() { "–" } @else { span.tags { @for tag in &row.tags { span.chip { (tag) } } } },
            "street" => (text(&row.street)),
            "postal_code" => (text(&row.postal_code)),
            "region" => (text(&row.region)),
            "touched" => (layout::time(row.touched_at, layout::Shape::Short)),
            "purchases" => (layout::count(row.purchases.into())),
            "last_purchase" => @match &row.last_purchase { Some(day) => (layout::date(day)), None => "–" },
            "revenue" => (amounts(&row.revenue)),
            "deal" => (amounts(&row.open_amount)),
            "stages" => @if row.stages.is_empty() { "–" } @else { (row.stages.iter().map(|stage| fields::word(stage)).collect::<Vec<_>>().join(", ")) },
            "tasks" => (layout::count(row.open_tasks.into())),
            "conflicts" => (layout::count(row.conflicts.into())),
            _ => {
                @let short: String = row.note.chars().take(NOTE_CHARS).collect();
                span.lines { (text(&short)) @if short.len() < row.note.len() { "…" } }
            },
        }
    }
}

fn amounts(sums: &BTreeMap<String, i64>) -> Markup {
    html! {
        @if sums.is_empty() { "–" }
        @for (n, (currency, minor)) in sums.iter().enumerate() { @if n > 0 { br; } (layout::money(*minor, currency)) }
    }
}

/// The columns of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns(Vec<Column>);

impl Default for Columns {
    fn default() -> Self {
        Columns(USUAL.to_vec())
    }
}

impl Columns {
    /// Reads names with commas between them; what is not known is passed over, and with nothing left they
    /// are the usual ones.
    pub(super) fn read(text: &str) -> Columns {
        let mut columns: Vec<Column> = Vec::new();
        for column in text.split(',').filter_map(|name| Column::read(name.trim())) {
            if columns.len() < COLUMNS_MAX && !columns.contains(&column) {
                columns.push(column);
            }
        }
        if columns.is_empty() { Columns::default() } else { Columns(columns) }
    }

    /// Their names with commas between them.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(Column::name).collect::<Vec<_>>().join(",")
    }

    /// One by one.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.0.iter()
    }

    /// Whether it is shown.
    pub(super) fn has(&self, column: &Column) -> bool {
        self.0.contains(column)
    }

    /// Whether they are those of who never chose.
    pub(super) fn are_usual(&self) -> bool {
        self.0 == USUAL
    }

    /// Whether the JSON of the rows is needed.
    pub(super) fn need_rows(&self) -> bool {
        self.0.iter().any(Column::needs_row)
    }

    /// Fields of one's own that are shown.
    pub(super) fn customs(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|column| match column {
            Column::Custom(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// All that can be chosen but fields of one's own, in groups: what the list has, what happened, the fields.
pub(super) fn all() -> [Vec<Column>; 3] {
    let fields = FIELDS.iter().map(|spec| Column::Field(spec.name)).collect();
    [USUAL.to_vec(), ROW.map(Column::Row).to_vec(), fields]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_as_they_are_written_and_what_is_unknown_is_passed_over() {
        let text = "owner,tags,birthday,custom.Shoe size";
        assert_eq!(Columns::read(text).text(), text);
        assert_eq!(Columns::read("owner,nonsense,owner,custom.").text(), "owner");
        assert!(Columns::read("").are_usual() && Columns::read("x,y").are_usual());
        let many: Vec<String> = (0..100).map(|n| format!("custom.{n}")).collect();
        assert_eq!(Columns::read(&many.join(",")).iter().count(), COLUMNS_MAX);
        for column in all().into_iter().flatten() {
            assert_eq!(Column::read(&column.name()), Some(column.clone()), "{column:?}");
        }
    }
}
