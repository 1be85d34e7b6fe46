//! The custom fields that a workspace has defined, in their order.

use roadbook_protocol::document::{CUSTOM_FIELDS_MAX, CustomField};
use roadbook_protocol::ids::WorkspaceId;
use rusqlite::{Connection, Transaction};

use super::{EngineError, Result, workspaces};

/// The setting that holds them, as JSON.
const CUSTOM_FIELDS: &str = "custom_fields";

/// Those of a workspace.
///
/// # Errors
/// What the database says.
pub fn all(conn: &Connection, workspace: WorkspaceId) -> Result<Vec<CustomField>> {
    let set = workspaces::setting(conn, workspace, CUSTOM_FIELDS)?;
    Ok(set.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// What becomes of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is there like this: in the place of the one of that name, however that is written, or as the last.
    Put(CustomField),
    /// It goes. Values that contacts have stay.
    Remove(String),
    /// It changes places with the one before it.
    Earlier(String),
}

impl Change {
    /// Which definition.
    pub fn name(&self) -> &str {
        match self {
            Change::Put(field) => &field.name,
            Change::Remove(name) | Change::Earlier(name) => name,
        }
    }
}

/// Changes the definitions. Returns them as they are then, `None` where that changes nothing.
///
/// # Errors
/// [`EngineError::Command`] for a definition that can't be used, [`EngineError::Refused`] beyond
/// [`CUSTOM_FIELDS_MAX`], [`EngineError::NotFound`].
pub fn change(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    change: &Change,
) -> Result<Option<Vec<CustomField>>> {
    let before = all(tx, workspace)?;
    let mut fields = before.clone();
    let at = CustomField::named(&before, change.name())
        .and_then(|found| before.iter().position(|field| field == found));
    let missing = || EngineError::not_found(format!("the custom field `{}`", change.name()));
    match change {
        Change::Put(field) => {
            let field = field.checked()?;
            match at {
                Some(at) => fields[at] = field,
                None if fields.len() >= CUSTOM_FIELDS_MAX => {
                    return Err(EngineError::Refused {
                        code: "custom_fields",
                        reason: format!(
                            "there are {CUSTOM_FIELDS_MAX} custom fields already, which is as many as there may be; \
                             remove one first"
                        ),
                    });
                }
                None => fields.push(field),
            }
        }
        Change::Remove(_) => drop(fields.remove(at.ok_or_else(missing)?)),
        Change::Earlier(_) => match at.ok_or_else(missing)? {
            0 => {}
            at => fields.swap(at, at - 1),
        },
    }
    if fields == before {
        return Ok(None);
    }
    let text = serde_json::json!(fields).to_string();
    let text = Some(text.as_str()).filter(|_| !fields.is_empty());
    workspaces::set_setting(tx, workspace, CUSTOM_FIELDS, text)?;
    Ok(Some(fields))
}
