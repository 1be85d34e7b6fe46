//! Documents that are begun anew (rule 25): at random, and what becomes of those that a restore took.

use automerge::Automerge;
use roadbook_client_core::QuarantineEntry;
use roadbook_protocol::document;
use roadbook_server::engine::RewriteOrder;
use roadbook_server::store::audit::{self, Ask};
use roadbook_server::store::{EngineError, contacts};

use crate::oracle::{Acknowledged, EditRecord};
use crate::world::World;

/// Whether an entry of a device's quarantine is a document that was begun anew, and this change is part of
/// that.
fn is_part_of(one: &Acknowledged, entry: &QuarantineEntry) -> bool {
    if entry.contact_id != one.contact || entry.code != "lost_by_server" {
        return false;
    }
    let digits = entry.bytes.as_deref().unwrap_or_default();
    let Some(Ok(doc)) = hex::decode(digits).ok().map(|bytes| Automerge::load(&bytes)) else {
        return false;
    };
    let generation = document::generation(&doc);
    generation.number > 1 && generation.holds(&doc, &one.hash)
}

impl World {
    /// A contact's document is begun anew (rule 25). What was acknowledged stays so: the index goes on
    /// knowing it, and its effect is in the fresh document. After a restore the office may lose patience
    /// instead, with one that waits for a later document.
    pub fn rewrite(&mut self, nth: u32) {
        let (Some(engine), Some(contact)) = (self.server.engine(), self.nth_contact(nth)) else {
            return;
        };
        let workspace = self.server.workspace;
        let found = engine.read(|conn| contacts::find(conn, workspace, contact));
        let waits = matches!(found, Ok(Some(contact)) if contact.adopting > 0);
        if waits && nth & 1 == 0 {
            let gave_up = engine.give_up_generation(workspace, None, contact);
            self.tell(|| format!("the office waits no more for the later document of {contact}"));
            if self.office("giving a generation up", gave_up).is_some() {
                self.cover.count("event.generation_given_up");
            }
            return;
        }
        let reason = "simulated".to_owned();
        let order = RewriteOrder { reason, purge: false, quarantined_too: false };
        let answer = engine.rewrite(workspace, Some(self.server.office), contact, order);
        // A contact that is stored and not merged yet is not there for the office.
        let answer = match answer {
            Err(EngineError::NotFound { .. }) => return,
            answer => answer,
        };
        if let Some((generation, _)) = self.office("a rewrite", answer) {
            self.tell(|| format!("contact {contact} is of generation {generation} now"));
            self.cover.count("act.rewrite");
        }
    }

    /// Contacts that wait for a document which was begun anew in a lost past go on with the one that is
    /// there: every device was here. Whether there are any.
    pub fn give_up_generations(&mut self) -> bool {
        let (Some(engine), workspace) = (self.server.engine(), self.server.workspace) else {
            return false;
        };
        let mut waiting = Vec::new();
        let read = engine.read(|conn| {
            contacts::for_each(conn, workspace, None, |contact| {
                if contact.adopting > 0 {
                    waiting.push(contact.id);
                }
                Ok(())
            })
        });
        self.office("a look at generations", read);
        for contact in &waiting {
            let gave_up = engine.give_up_generation(workspace, None, *contact);
            self.tell(|| format!("nobody brings the later document of {contact}"));
            if self.office("giving a generation up", gave_up).is_some() {
                self.cover.count("event.generation_given_up");
            }
        }
        !waiting.is_empty()
    }

    /// Counts the documents that devices brought to a restored server and that it took.
    pub fn count_adopted(&mut self) {
        let (Some(engine), workspace) = (self.server.engine(), self.server.workspace) else {
            return;
        };
        let ask = Ask {
            action: Some("contact.rewrite".to_owned()),
            about: Some("adopted".to_owned()),
            ..Ask::default()
        };
        let counted = engine.read(|conn| audit::count(conn, workspace, &ask));
        let adopted = self.office("a look at the audit log", counted);
        self.cover.add("event.generation_adopted", adopted.unwrap_or(0));
    }

    /// Whether one of these devices lists a whole document that was begun anew, and this change is part of
    /// it: a restored server took another way meanwhile and has not taken it back. What was written again
    /// can't be listed, or brought back, change by change; and where an edit is older than the horizon its
    /// device has no commands any more to author it anew.
    pub fn is_in_listed_document(&mut self, one: Acknowledged, devices: &[usize]) -> bool {
        devices.iter().any(|index| {
            self.open_app(*index)
                && self.devices[*index].replica.as_ref().is_some_and(|replica| {
                    let listed = replica.quarantine().unwrap_or_default();
                    listed.iter().any(|entry| is_part_of(&one, entry))
                })
        })
    }

    /// Whether nothing is left of an edit on its device but a document that it lists.
    pub fn left_in_a_document(&mut self, edit: &EditRecord) -> bool {
        let index = edit.device;
        let one = Acknowledged { contact: edit.contact, hash: edit.hash, device: Some(index) };
        self.is_in_listed_document(one, &[index])
    }
}
