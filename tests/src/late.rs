//! Contacts that change hands while somebody is offline: marked, so that they are found wherever they
//! are, and the late edits of them as the office lists them.

use std::collections::BTreeMap;

use roadbook_client_core::Replica;
use roadbook_protocol::ids::ContactId;
use serde_json::Value;

use crate::devices;
use crate::scene::Scene;

/// The text by which a contact's bytes are found again.
pub fn marker(n: usize) -> String {
    format!("zzmark{n:03}zz")
}

/// Contacts with a marker in several fields, all of them this rep's.
pub fn import(scene: &Scene, count: usize, owner: &str) {
    let mut csv =
        "customer_no,given_name,family_name,company,job_title,city,note,tags\n".to_owned();
    for n in 0..count {
        let m = marker(n);
        csv += &format!("{n},Name{m},Family{m},Company{m},Baker,City{m},Note {m} text,tag{m}\n");
    }
    let file = scene.dir().join("marked.csv");
    std::fs::write(&file, csv).unwrap();
    scene.admin(&["import", file.to_str().unwrap(), "--key", "customer_no", "--owner", owner]).ok();
}

/// A replica's contacts by the number in their marker.
pub fn numbered(replica: &Replica) -> BTreeMap<usize, ContactId> {
    let number = |id: &ContactId| {
        let company = replica.contact(*id).unwrap().text("company").to_owned();
        company.trim_start_matches("Companyzzmark").trim_end_matches("zz").parse().unwrap()
    };
    replica.ids(None).unwrap().iter().map(|id| (number(id), *id)).collect()
}

/// The sets of late edits, by contact, once `count` of them have nothing left that happens by itself.
pub fn proposals(scene: &Scene, count: usize) -> BTreeMap<String, Value> {
    for _ in 0..600 {
        let list = scene.admin(&["proposal", "list", "--all", "--json"]).json();
        let sets = list["proposals"].as_array().unwrap();
        let settled = |set: &&Value| {
            let items = set["items"].as_array().unwrap();
            !items.is_empty() && items.iter().all(|item| item["state"] != "due")
        };
        if sets.iter().filter(settled).count() >= count {
            assert_eq!(sets.len(), count, "{list:#}");
            return sets
                .iter()
                .map(|set| (set["contact"].as_str().unwrap().to_owned(), set.clone()))
                .collect();
        }
    }
    panic!("{:#}", scene.admin(&["proposal", "list", "--all", "--json"]).json());
}

/// The item of this path, or of this kind.
pub fn item<'s>(set: &'s Value, path: &str) -> &'s Value {
    let items = set["items"].as_array().unwrap();
    items
        .iter()
        .find(|item| item["path"] == path || item["kind"] == path)
        .unwrap_or_else(|| panic!("{path} in {set:#}"))
}

/// The number of a set, as commands take it.
pub fn number(set: &Value) -> String {
    set["n"].to_string()
}

/// Syncs until the device has nothing left to confirm, and closes it.
pub async fn settle(replica: &Replica) {
    for _ in 0..3 {
        devices::sync(replica).await.unwrap();
    }
}
