//! The filter as SQL over the projection table. Every arm has its twin in `eval.rs`.
//!
//! Nothing that was typed reaches the text of the clause: values are parameters, and the names in
//! JSON paths come from the schema or are three letters of a currency.

use super::eval::{DAY_MS, month_days};
use super::names::{
    ADDRESS, AmountOf, ClassOf, CountOf, DateOf, HasOf, InstantOf, PhoneOf, TextOf,
};
use super::{
    CustomTest, Days, FilterContext, FilterError, Node, Pattern, Range, SqlFilter, SqlTarget,
    SqlValue, Term,
};
use crate::document::minor_digits;
use crate::projection::COLUMNS;

pub(super) fn to_sql(
    node: &Node,
    ctx: &FilterContext,
    target: SqlTarget,
) -> Result<SqlFilter, FilterError> {
    let mut writer = Writer { ctx, target, params: Vec::new() };
    let clause = writer.node(node)?;
    Ok(SqlFilter { clause, params: writer.params })
}

struct Writer<'a> {
    ctx: &'a FilterContext,
    target: SqlTarget,
    params: Vec<SqlValue>,
}

impl Writer<'_> {
    fn node(&mut self, node: &Node) -> Result<String, FilterError> {
        Ok(match node {
            Node::All(nodes) => self.join(nodes, " AND ", "1")?,
            Node::Any(nodes) => self.join(nodes, " OR ", "0")?,
            // A comparison with what is not set is NULL, and its opposite must be true.
            Node::Not(node) => format!("({} IS NOT TRUE)", self.node(node)?),
            Node::Term(term) => format!("({})", self.term(term)?),
        })
    }

    fn join(&mut self, nodes: &[Node], by: &str, none: &str) -> Result<String, FilterError> {
        if nodes.is_empty() {
            return Ok(none.to_owned());
        }
        let parts = nodes.iter().map(|node| self.node(node)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({})", parts.join(by)))
    }

    fn text(&mut self, text: impl Into<String>) {
        self.params.push(SqlValue::Text(text.into()));
    }

    fn term(&mut self, term: &Term) -> Result<String, FilterError> {
        Ok(match term {
            Term::FullText { column, query } => {
                self.text(query.to_fts(*column));
                "p.rowid IN (SELECT rowid FROM search WHERE search MATCH ?)".to_owned()
            }
            Term::Text { of, pattern } => match of {
                TextOf::Field(name) => self.pattern(&field(name), pattern),
                TextOf::Address(part) => self.pattern(&top(part), pattern),
                // The office keeps tags in an index beside the rows.
                TextOf::Tags if self.target == SqlTarget::Server => self.tagged(pattern),
                TextOf::Tags => self.each("tags", pattern),
                // And the deals, in a table whose index is read instead of 100,000 rows.
                TextOf::Stages if self.target == SqlTarget::Server => {
                    let holds = self.pattern("t.stage", pattern);
                    format!(
                        "p.rowid IN (SELECT d.n FROM deal AS d WHERE d.stage IN ({STAGES_THERE} \
                         SELECT t.stage FROM t WHERE {holds}))"
                    )
                }
                TextOf::Stages => self.each("stages", pattern),
                TextOf::Emails => self.each("emails", pattern),
                TextOf::External => self.each("external_ids", pattern),
            },
            Term::Phone { of: PhoneOf::List, needles } => {
                let found = self.digits("e.value", needles);
                format!("EXISTS (SELECT 1 FROM json_each(p.row, '$.phones') AS e WHERE {found})")
            }
            Term::Phone { of: PhoneOf::Field(name), needles } => self.digits(&field(name), needles),
            Term::Count { of, range } => self.count(*of, range),
            Term::Number { field: name, range } => {
                let within = self.range(&field(name), range, SqlValue::Real);
                format!("{} IN ('integer', 'real') AND {within}", field_type(name))
            }
            Term::Flag { want: None, .. } => "1".to_owned(),
            Term::Flag { field: "archived", want: Some(want) } => {
                format!("p.archived = {}", u8::from(*want))
            }
            Term::Flag { field, want: Some(want) } => {
                format!("{} IS {}'true'", field_type(field), if *want { "" } else { "NOT " })
            }
            Term::Date { of, days } => self.days(&date(*of), *days),
            Term::Instant { of, moments, missing } => {
                let column = match of {
                    InstantOf::LastContact => "p.last_contact_at",
                    InstantOf::Touched => "p.touched_at",
                };
                let within = self.range(column, &moments.resolve(self.ctx), SqlValue::Int);
                match missing {
                    true => format!("{column} IS NULL OR {within}"),
                    false => format!("{column} IS NOT NULL AND {within}"),
                }
            }
            Term::BirthdayIn { days } => {
                let (from, to) = month_days(self.ctx, *days);
                let by = if from <= to { "AND" } else { "OR" };
                let day = format!("substr({}, 6, 5)", date(DateOf::Field("birthday")));
                self.text(from);
                self.text(to);
                format!("{day} <> '' AND ({day} >= ? {by} {day} <= ?)")
            }
            Term::CadenceOverdue => {
                self.params.push(SqlValue::Int(self.ctx.now_ms));
                let days = field("cadence_days");
                format!(
                    "{} = 'integer' AND {days} > 0 \
                     AND (? - COALESCE(p.last_contact_at, 0)) / {DAY_MS} >= {days}",
                    field_type("cadence_days")
                )
            }
            Term::Amount { of, currency, range } => {
                let key = match of {
                    AmountOf::OpenDeals => "open_amount",
                    AmountOf::Revenue => "revenue",
                };
                match currency {
                    Some(code) => {
                        let sum = format!("COALESCE(json_extract(p.row, '$.{key}.{code}'), 0)");
                        self.range(&sum, &range.minor(minor_digits(code)), SqlValue::Int)
                    }
                    None => self.any_currency(key, range),
                }
            }
            Term::Has(thing) => self.has(thing),
            Term::Custom { name, test } => self.custom(name, test),
            Term::Owner { position, .. } if self.target == SqlTarget::Device => {
                return Err(FilterError {
                    position: *position,
                    message: "`owner:` is known at the office only: on a device every contact is \
                              its user's own; leave it out"
                        .to_owned(),
                });
            }
            Term::Class { position, .. }
            | Term::Abc { position, .. }
            | Term::Nps { position, .. }
            | Term::Consent { position, .. }
                if self.target == SqlTarget::Device =>
            {
                return Err(FilterError {
                    position: *position,
                    message: "classes of customers and consents can be asked for at the office \
                              only; leave it out"
                        .to_owned(),
                });
            }
            Term::List { position, .. } if self.target == SqlTarget::Server => {
                return Err(FilterError {
                    position: *position,
                    message: "`list:` asks for a list that was handed to a rep, and is known on \
                              devices only; write the conditions of the segment instead"
                        .to_owned(),
                });
            }
            Term::List { pattern, .. } => {
                let named = self.pattern("l.name", pattern);
                format!(
                    "p.id IN (SELECT m.contact FROM handed_contact AS m \
                     JOIN handed_list AS l ON l.id = m.list WHERE {named})"
                )
            }
            Term::Class { of, range, .. } => {
                let column = match of {
                    ClassOf::Recency => "s.recency",
                    ClassOf::Frequency => "s.frequency",
                    ClassOf::Monetary => "s.monetary",
                };
                let within = self.range(column, range, SqlValue::Int);
                format!("p.rowid IN (SELECT s.n FROM standing AS s WHERE {within})")
            }
            Term::Nps { range, .. } => {
                let within = self.range("a.nps", range, SqlValue::Int);
                format!(
                    "p.rowid IN (SELECT a.n FROM interaction AS a WHERE a.nps IS NOT NULL AND {within} AND {LATEST})"
                )
            }
            Term::Abc { class, .. } => {
                self.text(class.to_string());
                "p.rowid IN (SELECT s.n FROM standing AS s WHERE s.class = ?)".to_owned()
            }
            Term::Consent { channel: Some(channel), .. } => {
                self.text(channel);
                format!("p.rowid IN (SELECT c.n FROM consent AS c WHERE c.channel = ? AND {GIVEN})")
            }
            Term::Consent { channel: None, .. } => {
                format!("p.rowid NOT IN (SELECT c.n FROM consent AS c WHERE {GIVEN})")
            }
            Term::Owner { login: Some(login), .. } => {
                self.text(login.to_ascii_lowercase());
                "lower(p.owner_login) = ?".to_owned()
            }
            Term::Owner { login: None, .. } => "p.owner_login IS NULL".to_owned(),
        })
    }

    fn pattern(&mut self, expression: &str, pattern: &Pattern) -> String {
        match pattern {
            Pattern::Exactly(text) => {
                self.text(text);
                format!("{expression} = ?")
            }
            Pattern::Folded(text) => {
                self.text(text);
                format!("rb_fold({expression}) = ?")
            }
            Pattern::Starts(text) => {
                self.text(text);
                format!("substr(rb_fold({expression}), 1, {}) = ?", text.chars().count())
            }
            Pattern::Contains(text) => {
                self.text(text);
                format!("instr(rb_fold({expression}), ?) > 0")
            }
        }
    }

    /// Any text of a list, or of the values of a map, in the row.
    fn each(&mut self, key: &str, pattern: &Pattern) -> String {
        let holds = self.pattern("e.value", pattern);
        format!("EXISTS (SELECT 1 FROM json_each(p.row, '$.{key}') AS e WHERE {holds})")
    }

    fn tagged(&mut self, pattern: &Pattern) -> String {
        let holds = match pattern {
            Pattern::Exactly(text) => {
                self.text(text);
                "g.tag = ?".to_owned()
            }
            Pattern::Folded(text) => {
                self.text(text);
                "g.folded = ?".to_owned()
            }
            Pattern::Starts(text) => {
                self.text(text);
                format!("substr(g.folded, 1, {}) = ?", text.chars().count())
            }
            Pattern::Contains(text) => {
                self.text(text);
                "instr(g.folded, ?) > 0".to_owned()
            }
        };
        format!("p.rowid IN (SELECT g.n FROM contact_tag AS g WHERE {holds})")
    }

    fn digits(&mut self, expression: &str, needles: &[String]) -> String {
        let mut parts = Vec::with_capacity(needles.len());
        for needle in needles {
            self.text(needle);
            parts.push(format!("instr(rb_digits({expression}), ?) > 0"));
        }
        format!("({})", parts.join(" OR "))
    }

    fn range<T: Copy>(
        &mut self,
        expression: &str,
        range: &Range<T>,
        value: fn(T) -> SqlValue,
    ) -> String {
        let mut parts = Vec::with_capacity(2);
        for (bound, op) in [(range.from, ">="), (range.to, "<=")] {
            if let Some(bound) = bound {
                self.params.push(value(bound));
                parts.push(format!("{expression} {op} ?"));
            }
        }
        if parts.is_empty() { "1".to_owned() } else { parts.join(" AND ") }
    }

    fn days(&mut self, expression: &str, days: Days) -> String {
        let (from, to) = days.texts(self.ctx);
        let range = Range { from: Some(&from), to: to.as_ref() };
        self.range(expression, &range, |text| SqlValue::Text(text.clone()))
    }

    fn count(&mut self, of: CountOf, range: &Range<i64>) -> String {
        let of_row = |key: &str| format!("COALESCE(json_extract(p.row, '$.{key}'), 0)");
        let expression = match of {
            CountOf::Field(name) => {
                let within = self.range(&field(name), range, SqlValue::Int);
                return format!("{} = 'integer' AND {within}", field_type(name));
            }
            CountOf::Interactions(kind) => of_row(&format!("interactions.{kind}")),
            CountOf::AllInteractions => "(SELECT COALESCE(SUM(e.value), 0) \
                 FROM json_each(p.row, '$.interactions') AS e)"
                .to_owned(),
            CountOf::OpenTasks => of_row("open_tasks"),
            CountOf::Purchases => of_row("purchases"),
            CountOf::Conflicts => "p.conflicts".to_owned(),
        };
        self.range(&expression, range, SqlValue::Int)
    }

    /// A sum in any currency: the decimals decide which bound holds for which.
    fn any_currency(&mut self, key: &str, range: &super::amount::AmountRange) -> String {
        let sums = format!("json_each(p.row, '$.{key}') AS e");
        let mut parts = Vec::new();
        for (decimals, codes) in super::amount::codes_by_decimals() {
            let within = self.range("e.value", &range.minor(decimals), SqlValue::Int);
            parts.push(format!("(e.key {codes} AND {within})"));
        }
        let mut clause = format!("EXISTS (SELECT 1 FROM {sums} WHERE {})", parts.join(" OR "));
        if range.minor(0).holds(&0) {
            clause.push_str(&format!(" OR NOT EXISTS (SELECT 1 FROM {sums})"));
        }
        clause
    }

    fn has(&mut self, thing: &HasOf) -> String {
        match thing {
            HasOf::Field(name) => format!("COALESCE({}, '') <> ''", field(name)),
            HasOf::RowText(name) => format!("COALESCE({}, '') <> ''", top(name)),
            HasOf::Address => {
                ADDRESS.map(|part| format!("COALESCE({}, '') <> ''", top(part))).join(" OR ")
            }
            HasOf::RowList("tags") if self.target == SqlTarget::Server => {
                "p.rowid IN (SELECT g.n FROM contact_tag AS g)".to_owned()
            }
            HasOf::RowList("stages") if self.target == SqlTarget::Server => {
                "p.rowid IN (SELECT d.n FROM deal AS d WHERE d.stage <> '')".to_owned()
            }
            HasOf::RowList(key @ ("phones" | "emails")) => {
                format!("COALESCE(json_array_length(p.row, '$.{key}'), 0) > 0")
            }
            HasOf::RowList(key) => {
                format!("EXISTS (SELECT 1 FROM json_each(p.row, '$.{key}'))")
            }
            HasOf::Custom(name) => {
                let key = self.pattern("e.key", &Pattern::is(name));
                format!(
                    "EXISTS (SELECT 1 FROM json_each(p.row, '$.custom') AS e \
                     WHERE {key} AND e.value <> '')"
                )
            }
            HasOf::Date(of) => format!("COALESCE({}, '') <> ''", date(*of)),
            HasOf::Contacted => "p.last_contact_at IS NOT NULL".to_owned(),
        }
    }

    fn custom(&mut self, name: &str, test: &CustomTest) -> String {
        let key = self.pattern("e.key", &Pattern::is(name));
        let mut parts = Vec::new();
        if let Some(pattern) = &test.text {
            parts.push(format!("e.type = 'text' AND {}", self.pattern("e.value", pattern)));
        }
        if let Some(days) = test.days {
            parts.push(format!("e.type = 'text' AND {}", self.days("e.value", days)));
        }
        if let Some(range) = &test.number {
            let within = self.range("e.value", range, SqlValue::Real);
            parts.push(format!("e.type IN ('integer', 'real') AND {within}"));
        }
        if let Some(flag) = test.flag {
            parts.push(format!("e.type = '{flag}'"));
        }
        let any = if parts.is_empty() { "0".to_owned() } else { parts.join(") OR (") };
        format!(
            "EXISTS (SELECT 1 FROM json_each(p.row, '$.custom') AS e WHERE {key} AND (({any})))"
        )
    }
}

/// The stages that there are, each found by one step in the index behind the one before.
const STAGES_THERE: &str = "WITH RECURSIVE t(stage) AS (SELECT MIN(stage) FROM deal UNION ALL \
    SELECT (SELECT MIN(b.stage) FROM deal AS b WHERE b.stage > t.stage) FROM t WHERE t.stage IS NOT NULL)";

/// A consent that no later statement of its channel takes back.
const GIVEN: &str = "c.given = 1 AND NOT EXISTS (SELECT 1 FROM consent AS d \
    WHERE d.channel = c.channel AND d.n = c.n AND (d.at, d.id) > (c.at, c.id))";

/// An answer that no later one of the same contact follows.
const LATEST: &str = "NOT EXISTS (SELECT 1 FROM interaction AS b \
    WHERE b.n = a.n AND b.nps IS NOT NULL AND (b.at, b.id) > (a.at, a.id))";

/// A root field: its column if it has one.
fn field(name: &str) -> String {
    match COLUMNS.iter().any(|(column, _)| *column == name) {
        true => format!("p.{name}"),
        false => format!("json_extract(p.row, '$.fields.{name}')"),
    }
}

fn field_type(name: &str) -> String {
    format!("json_type(p.row, '$.fields.{name}')")
}

/// A text at the top of the row.
fn top(name: &str) -> String {
    match COLUMNS.iter().any(|(column, _)| *column == name) {
        true => format!("p.{name}"),
        false => format!("json_extract(p.row, '$.{name}')"),
    }
}

fn date(of: DateOf) -> String {
    match of {
        DateOf::Field(name) => field(name),
        DateOf::NextDue => top("next_due"),
        DateOf::LastPurchase => top("last_purchase"),
    }
}
