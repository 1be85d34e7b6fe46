//! Custom fields that the office has defined.

use roadbook_client_core::Replica;
use serde_json::json;

use crate::error::Failure;
use crate::output::{Output, table};

/// `fields`.
pub fn run(replica: &Replica, out: &Output) -> Result<(), Failure> {
    let fields = replica.custom_fields()?;
    out.print(&json!({ "custom_fields": fields }), || {
        if fields.is_empty() {
            return "the office has defined no custom field\n".into();
        }
        let mut rows =
            vec![["custom field", "takes", "values", "set it with"].map(str::to_owned).to_vec()];
        rows.extend(fields.iter().map(|field| {
            vec![
                field.name.clone(),
                field.kind.as_str().to_owned(),
                field.choices.join(", "),
                format!("roadbook set ID 'custom.{}=...'", field.name.replace('\'', r"'\''")),
            ]
        }));
        table(&rows)
    })
}
