//! What a filter finds among the contacts, as conditions of SQL on `projection p`: the same for the office,
//! the API and the commands.

use roadbook_protocol::filter::{Filter, FilterContext, FilterError, SqlTarget, SqlValue};
use roadbook_protocol::ids::{UnixMs, WorkspaceId};
use rusqlite::types::Value as Sql;

use crate::rights::Rights;
use crate::store::segments::LISTED;

/// Conditions on `projection p`, with their parameters in order.
#[derive(Debug, Clone)]
pub(crate) struct Filtered {
    /// What stands after `WHERE`.
    pub text: String,
    /// A value for each `?` of it.
    pub params: Vec<Sql>,
    /// Whether archived contacts are left out: the partial indexes hold.
    pub live: bool,
    /// Whether whole rows have to be read to judge them: the index of the list does not have it all.
    pub wide: bool,
}

impl Filtered {
    /// Of a whole workspace, archived contacts among them.
    ///
    /// # Errors
    /// [`FilterError`] where a value of the filter can't be asked for in SQL.
    pub(crate) fn of_all(
        workspace: WorkspaceId,
        filter: &Filter,
        now: UnixMs,
    ) -> Result<Filtered, FilterError> {
        let today = chrono::DateTime::from_timestamp_millis(now).unwrap_or_default().date_naive();
        let sql = filter.to_sql(&FilterContext { today, now_ms: now }, SqlTarget::Server)?;
        let workspace = Sql::Blob(workspace.as_bytes().to_vec());
        let values = sql.params.into_iter().map(|value| match value {
            SqlValue::Text(text) => Sql::Text(text),
            SqlValue::Int(n) => Sql::Integer(n),
            SqlValue::Real(n) => Sql::Real(n),
            SqlValue::Null => Sql::Null,
        });
        let narrow = LISTED.iter().fold(sql.clause.clone(), |text, part| text.replace(part, ""));
        Ok(Filtered {
            wide: narrow.contains("p.row,"),
            text: format!("p.workspace = ? AND {}", sql.clause),
            params: std::iter::once(workspace).chain(values).collect(),
            live: false,
        })
    }

    /// Of what somebody sees; archived contacts only where the filter speaks of them.
    ///
    /// # Errors
    /// As [`Self::of_all`].
    pub(crate) fn seen(
        rights: &Rights,
        filter: &Filter,
        now: UnixMs,
    ) -> Result<Filtered, FilterError> {
        let mut filtered = Self::of_all(rights.workspace, filter, now)?;
        filtered.live = !filter.mentions_archived();
        if filtered.live {
            // Spelled as the partial indexes have it, so that they are used.
            filtered.text.push_str(" AND p.archived = 0");
        }
        filtered.text.push_str(&rights.and_seen("p.id"));
        Ok(filtered)
    }

    /// Adds a condition with the values for its `?`.
    pub(crate) fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Sql>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.params.extend(values);
    }

    /// Which index to take, as SQL says it: without statistics the planner may read 100,000 wide rows
    /// instead.
    pub(crate) fn by(&self, index: &str) -> String {
        if self.live { format!("INDEXED BY {index}") } else { String::new() }
    }

    /// How all that are found are read, in whatever order. Whole rows are read from one end of the table to
    /// the other: by an index each would be a page of its own, ten times as long.
    pub(crate) fn all(&self) -> String {
        if self.wide { "NOT INDEXED".to_owned() } else { self.by("projection_list") }
    }
}
