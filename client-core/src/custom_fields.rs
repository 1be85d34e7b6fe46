//! Custom fields that the workspace has defined: what an app offers to be filled in, beside the fields that
//! every contact has.

use roadbook_protocol::document::{CUSTOM_FIELDS_MAX, CustomField};

use crate::error::Result;
use crate::replica::{Replica, Write};
use crate::store::meta::{self, key};

impl Replica {
    /// The custom fields that the workspace has defined, in their order, as the server last told them: at
    /// each connection, and while one is open. Empty before the first. Who observes [`crate::Topic::List`]
    /// is told when they change.
    ///
    /// They say what to offer and how to read what is typed ([`CustomField::parse`]); any value can be set
    /// all the same, and a contact may have others.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn custom_fields(&self) -> Result<Vec<CustomField>> {
        let text = self.read(|conn| meta::get::<String>(conn, key::CUSTOM_FIELDS))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }
}

impl Write<'_> {
    /// Takes what the server tells; a definition that nobody could use is left out.
    pub(crate) fn keep_custom_fields(&mut self, told: &[CustomField]) -> Result<()> {
        let fields: Vec<CustomField> =
            told.iter().take(CUSTOM_FIELDS_MAX).filter_map(|field| field.checked().ok()).collect();
        let text = serde_json::to_string(&fields).unwrap_or_default();
        let before = meta::get::<String>(&self.tx, key::CUSTOM_FIELDS)?;
        if before.as_ref() != Some(&text) {
            meta::set(&self.tx, key::CUSTOM_FIELDS, text)?;
            self.notices.list = true;
        }
        Ok(())
    }
}
