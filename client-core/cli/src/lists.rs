//! Lists that the office has handed over.

use roadbook_client_core::Replica;
use serde_json::json;

use crate::error::Failure;
use crate::output::{Output, table, time};

/// `lists`.
pub fn run(replica: &Replica, out: &Output) -> Result<(), Failure> {
    let lists = replica.lists()?;
    let left_out = replica.lists_left_out()?;
    if left_out > 0 {
        eprintln!("{left_out} contacts of lists found no room on this device; ask the office");
    }
    out.print(&json!({"lists": lists, "left_out": left_out}), || {
        if lists.is_empty() {
            return "the office has handed no list to you\n".into();
        }
        let mut rows =
            vec![["list", "contacts", "from", "since", "show it with"].map(str::to_owned).to_vec()];
        rows.extend(lists.iter().map(|list| {
            vec![
                list.name.clone(),
                list.contacts.to_string(),
                list.by.name.clone(),
                time(list.at),
                format!("roadbook list '{}'", list.filter.replace('\'', r"'\''")),
            ]
        }));
        table(&rows)
    })
}
