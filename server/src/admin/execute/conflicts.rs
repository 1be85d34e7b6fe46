//! What waits for a decision: one entry per field in conflict, with every side's value.

use std::collections::HashMap;
use std::fmt::Write as _;

use roadbook_protocol::document;
use roadbook_protocol::ids::{ContactId, UserId};
use serde_json::json;

use super::{Job, moment};
use crate::admin::request::{Answer, Failure};
use crate::engine::EngineError;
use crate::store::people as users;

impl Job<'_> {
    /// `conflicts`: read from the documents of those contacts whose projection counts any.
    pub(super) fn conflicts(&self, id: Option<&str>) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let ids = match id {
            Some(id) => self.contact_ids(workspace, &[id.to_owned()])?,
            None => self.engine.read(|conn| -> Result<Vec<ContactId>, EngineError> {
                let mut statement = conn.prepare_cached(
                    "SELECT id FROM projection WHERE workspace = ? AND conflicts > 0 ORDER BY sort_key, id",
                )?;
                let ids = statement.query_map([workspace.as_bytes()], |row| row.get::<_, [u8; 16]>(0))?;
                Ok(ids.map(|id| id.map(ContactId::from_bytes)).collect::<rusqlite::Result<_>>()?)
            })?,
        };
        let people = self.engine.read(|conn| users::list_users(conn, workspace))?;
        let names: HashMap<UserId, String> =
            people.into_iter().map(|user| (user.id, user.name)).collect();
        let name =
            |author: UserId| names.get(&author).cloned().unwrap_or_else(|| author.to_string());
        let (mut data, mut text) = (Vec::new(), String::new());
        for id in ids {
            for conflict in document::conflicts(id, &self.engine.document(workspace, id)?) {
                // Writing into a string can't fail.
                let _ = writeln!(text, "{id} {}", conflict.field);
                let mut values = Vec::new();
                for side in &conflict.values {
                    let value =
                        side.value.as_ref().map_or("(removed)".to_owned(), ToString::to_string);
                    let shown = if side.shown { ", shown" } else { "" };
                    let _ = writeln!(
                        text,
                        "  {value}  ({}, {}{shown})",
                        name(side.author),
                        moment(side.at)
                    );
                    values.push(json!({
                        "value": side.value, "author": name(side.author), "author_id": side.author,
                        "at": side.at, "shown": side.shown, "change": side.change,
                    }));
                }
                data.push(json!({ "contact_id": id, "field": conflict.field, "values": values }));
            }
        }
        if data.is_empty() {
            text.push_str("no conflicts\n");
        }
        Ok(Answer::new(json!({ "conflicts": data }), text))
    }
}
