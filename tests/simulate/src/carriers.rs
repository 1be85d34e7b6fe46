//! Which changes carry an edit: a device whose replica was copied or put back authors it anew.

use std::collections::BTreeMap;

use roadbook_client_core::Replica;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::EditId;
use roadbook_server::store::proposals::Wanted;
use roadbook_server::store::{EngineError, changes};

use crate::oracle::EditRecord;
use crate::world::World;

impl World {
    /// What a replica says of an edit that is missed.
    pub fn tell_entry(&self, replica: &Replica, edit: &EditRecord) {
        self.tell(|| {
            let outbox = replica.outbox(true).unwrap_or_default();
            let entry = outbox.iter().find(|entry| entry.edit_id == edit.edit);
            format!("first it was change {}, now {entry:?}", edit.hash)
        });
        self.tell(|| format!("at the server: {:?}", self.carriers(edit)));
    }

    /// The changes that carry an edit, each with its fate at the server and the items of proposals that
    /// come from it.
    pub fn carriers(&self, edit: &EditRecord) -> Vec<(ChangeHash, String, Vec<String>)> {
        let Some(engine) = self.server.engine() else { return Vec::new() };
        let workspace = self.server.workspace;
        let mut hashes = self.replacements(edit);
        hashes.insert(0, edit.hash);
        let wanted = Wanted {
            decided: true,
            contact: Some(edit.contact),
            limit: u32::MAX,
            ..Wanted::default()
        };
        let sets = engine.proposals(workspace, wanted).unwrap_or_default();
        let items = |hash: &ChangeHash| {
            let all = sets.iter().flat_map(|set| &set.items);
            all.filter(|item| item.changes.contains(hash)).map(|item| format!("{item:?}")).collect()
        };
        let fate = |hash: &ChangeHash| {
            let found = engine.read(|conn| changes::find(conn, workspace, edit.contact, hash));
            format!("{:?}", found.map_err(|error: EngineError| error.to_string()))
        };
        hashes.iter().map(|hash| (*hash, fate(hash), items(hash))).collect()
    }

    /// Whether the server has acknowledged a change that the device authored in place of an edit's
    /// first.
    pub fn arrived_anew(&self, edit: &EditRecord) -> bool {
        let replacements = self.replacements(edit);
        self.oracle
            .acknowledged
            .iter()
            .any(|one| one.contact == edit.contact && replacements.contains(&one.hash))
    }

    /// The changes of which the server knows that they replace an edit's first.
    pub fn replacements(&self, edit: &EditRecord) -> Vec<ChangeHash> {
        let Some(engine) = self.server.engine() else { return Vec::new() };
        let workspace = self.server.workspace;
        let found = engine.read(|conn| -> Result<Vec<ChangeHash>, EngineError> {
            let mut statement = conn.prepare_cached(
                "SELECT replacement FROM replaced WHERE workspace = ? AND contact = ? AND hash = ?",
            )?;
            let keys = [workspace.as_bytes().as_slice(), edit.contact.as_bytes(), &edit.hash.0];
            let rows = statement.query_map(keys, |row| row.get(0).map(ChangeHash))?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        found.unwrap_or_default()
    }

    /// The change that carries an edit now.
    pub fn present_hash(
        &self,
        index: usize,
        edit: &EditRecord,
        hashes: &mut BTreeMap<usize, BTreeMap<EditId, String>>,
    ) -> ChangeHash {
        let of_device = hashes.entry(index).or_insert_with(|| {
            let outbox = self.devices[index].replica.as_ref().map(|replica| replica.outbox(true));
            let entries = outbox.and_then(Result::ok).unwrap_or_default();
            entries.into_iter().map(|entry| (entry.edit_id, entry.hash)).collect()
        });
        of_device.get(&edit.edit).and_then(|hash| hash.parse().ok()).unwrap_or(edit.hash)
    }
}
