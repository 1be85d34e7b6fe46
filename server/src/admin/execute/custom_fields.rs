//! Custom fields that the workspace defines.

use roadbook_protocol::document::{CustomField, CustomKind};
use serde_json::json;

use super::{Job, table};
use crate::admin::request::{Answer, CustomFieldCommand, Failure};
use crate::store::custom_fields::Change;

impl Job<'_> {
    pub(super) fn custom_field(&self, command: &CustomFieldCommand) -> Result<Answer, Failure> {
        let workspace = self.workspace()?;
        let change = match command {
            CustomFieldCommand::List => None,
            CustomFieldCommand::Set { name, kind, choices } => {
                let kind = CustomKind::from_name(kind).ok_or_else(|| {
                    let all = CustomKind::ALL.map(CustomKind::as_str).join(", ");
                    Failure::refused(format!("`{kind}` is no kind of field; give one of {all}"))
                })?;
                let (name, choices) = (name.clone(), choices.clone());
                Some(Change::Put(CustomField { name, kind, choices }))
            }
            CustomFieldCommand::Remove { name } => Some(Change::Remove(name.clone())),
            CustomFieldCommand::Earlier { name } => Some(Change::Earlier(name.clone())),
        };
        if let Some(change) = change {
            self.engine.change_custom_field(workspace, self.who(workspace)?, change)?;
        }
        let fields = self.engine.custom_fields(workspace)?;
        let rows: Vec<Vec<String>> = fields
            .iter()
            .map(|field| {
                vec![field.name.clone(), field.kind.as_str().to_owned(), field.choices.join(", ")]
            })
            .collect();
        let text = table(&["custom field", "takes", "values"], &rows);
        Ok(Answer::new(json!({ "custom_fields": fields }), text))
    }
}
