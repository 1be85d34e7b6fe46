mod agreement;
mod grammar;

use chrono::NaiveDate;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, Value as Sql};
use rusqlite::{Connection, params_from_iter};

use super::*;
use crate::document::Value;
use crate::fold::{SQL_FUNCTIONS, fold, sort_key, sort_name, tests as fold_tests};
use crate::projection::COLUMNS;

/// 2026-06-15T12:00:00Z, a Monday.
pub(super) fn noon() -> FilterContext {
    FilterContext {
        today: NaiveDate::from_ymd_opt(2026, 6, 15).unwrap(),
        now_ms: 1_781_524_800_000,
    }
}

pub(super) const DAY: i64 = 24 * 60 * 60 * 1000;

/// What only the office knows of a contact.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) owner: Option<String>,
    pub(super) standings: Vec<Standing>,
    /// Channel, when, and whether it was given.
    pub(super) said: Vec<(&'static str, i64, bool)>,
    /// When, and the answer to a survey.
    pub(super) answers: Vec<(i64, i64)>,
}

impl Known {
    /// The latest answer; of two at one time the later entry.
    pub(super) fn nps(&self) -> Option<i64> {
        self.answers
            .iter()
            .enumerate()
            .max_by_key(|(id, (at, _))| (*at, *id))
            .map(|(_, (_, nps))| *nps)
    }

    /// The channels whose latest statement is a consent; of two at one time the later entry counts.
    pub(super) fn consents(&self) -> Vec<&'static str> {
        let mut last = std::collections::BTreeMap::new();
        for (channel, at, given) in &self.said {
            let latest = last.entry(*channel).or_insert((*at, *given));
            if *at >= latest.0 {
                *latest = (*at, *given);
            }
        }
        last.into_iter().filter(|(_, (_, given))| *given).map(|(channel, _)| channel).collect()
    }
}

/// The projection table as stores make it.
pub(super) struct Store {
    db: Connection,
}

impl Store {
    pub(super) fn new() -> Store {
        let db = Connection::open_in_memory().unwrap();
        for (name, function) in SQL_FUNCTIONS {
            let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
            db.create_scalar_function(*name, 1, flags, move |call| {
                Ok(call.get_raw(0).as_str_or_null().ok().flatten().map(function))
            })
            .unwrap();
        }
        let columns: Vec<String> =
            COLUMNS.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        db.execute_batch(&format!(
            "CREATE TABLE projection (rowid INTEGER PRIMARY KEY, row TEXT NOT NULL,
             owner_login TEXT, {});
             CREATE TABLE standing (n INTEGER, recency INTEGER, frequency INTEGER, monetary INTEGER, class TEXT);
             CREATE TABLE consent (n INTEGER, id INTEGER, channel TEXT, given INTEGER, at INTEGER);
             CREATE TABLE contact_tag (folded TEXT, tag TEXT, n INTEGER);
             CREATE TABLE deal (n INTEGER, stage TEXT);
             CREATE TABLE interaction (n INTEGER, id INTEGER, at INTEGER, nps INTEGER)",
            columns.join(", ")
        ))
        .unwrap();
        fold_tests::search_table(&db);
        Store { db }
    }

    pub(super) fn put(&self, rowid: i64, row: &Row, owner: Option<&str>) {
        let text = |name: &str| {
            row.fields.get(name).and_then(Value::as_text).map(|text| Sql::Text(text.to_owned()))
        };
        let or_null = |text: &str| (!text.is_empty()).then(|| Sql::Text(text.to_owned()));
        let column = |name: &str| {
            let value = match name {
                "display_name" => Some(Sql::Text(row.display_name.clone())),
                "sort_key" => Some(Sql::Blob(sort_key(&sort_name(row)))),
                "city" => or_null(&row.city),
                "country" => or_null(&row.country),
                "next_due" => row.next_due.clone().map(Sql::Text),
                "last_contact_at" => row.last_contact_at.map(Sql::Integer),
                "touched_at" => Some(Sql::Integer(row.touched_at)),
                "conflicts" => Some(Sql::Integer(row.conflicts.into())),
                "archived" => {
                    let set = row.fields.get("archived").and_then(Value::as_bool) == Some(true);
                    Some(Sql::Integer(set.into()))
                }
                field => text(field),
            };
            value.unwrap_or(Sql::Null)
        };
        let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        let mut values = vec![
            Sql::Integer(rowid),
            Sql::Text(serde_json::to_string(row).unwrap()),
            owner.map_or(Sql::Null, |login| Sql::Text(login.to_owned())),
        ];
        values.extend(names.iter().map(|name| column(name)));
        let marks = vec!["?"; values.len()].join(", ");
        let sql = format!(
            "INSERT INTO projection (rowid, row, owner_login, {}) VALUES ({marks})",
            names.join(", ")
        );
        self.db.execute(&sql, params_from_iter(values)).unwrap();
        for tag in &row.tags {
            let tagged = (fold(tag), tag, rowid);
            self.db.execute("INSERT INTO contact_tag VALUES (?, ?, ?)", tagged).unwrap();
        }
        for stage in &row.stages {
            self.db.execute("INSERT INTO deal VALUES (?, ?)", (rowid, stage)).unwrap();
        }
        fold_tests::index(&self.db, rowid, row);
    }

    pub(super) fn put_known(&self, rowid: i64, known: &Known) {
        for standing in &known.standings {
            let Standing { recency, frequency, monetary, abc } = *standing;
            self.db
                .execute(
                    "INSERT INTO standing VALUES (?, ?, ?, ?, ?)",
                    (rowid, recency, frequency, monetary, abc.to_string()),
                )
                .unwrap();
        }
        for (id, (at, nps)) in known.answers.iter().enumerate() {
            self.db
                .execute("INSERT INTO interaction VALUES (?, ?, ?, ?)", (rowid, id as i64, at, nps))
                .unwrap();
        }
        for (id, (channel, at, given)) in known.said.iter().enumerate() {
            self.db
                .execute(
                    "INSERT INTO consent VALUES (?, ?, ?, ?, ?)",
                    (rowid, id as i64, channel, given, at),
                )
                .unwrap();
        }
    }

    pub(super) fn matching(&self, filter: &Filter, ctx: &FilterContext) -> Vec<i64> {
        let SqlFilter { clause, params } = filter.to_sql(ctx, SqlTarget::Server).unwrap();
        let sql = format!("SELECT p.rowid FROM projection AS p WHERE {clause} ORDER BY p.rowid");
        let mut statement = self.db.prepare(&sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        let found = statement.query_map(params_from_iter(params), |row| row.get(0)).unwrap();
        found.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {sql}"))
    }
}

impl rusqlite::ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            SqlValue::Text(text) => ToSqlOutput::from(text.as_str()),
            SqlValue::Int(n) => ToSqlOutput::from(*n),
            SqlValue::Real(n) => ToSqlOutput::from(*n),
            SqlValue::Null => ToSqlOutput::from(rusqlite::types::Null),
        })
    }
}
