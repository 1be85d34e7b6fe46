//! What is looked at while a run goes on: what was acknowledged is there, what leaves for a device is
//! its user's, dependencies come first.

use automerge::Change;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::wire::{Access, Frame, PageItem, Proposals};
use roadbook_server::store::{self, changes};

use crate::device::Standing;
use crate::oracle::Acknowledged;
use crate::world::World;

impl World {
    /// P2: what was acknowledged is in the log.
    pub fn verify_acknowledged(&mut self) {
        let due = self.oracle.to_verify(&mut self.rng);
        self.verify(&due, "P2: an acknowledged change is durable");
    }

    /// Looks these up in the permanent index.
    pub fn verify(&mut self, due: &[Acknowledged], invariant: &'static str) {
        let Some(engine) = self.server.engine() else { return };
        let workspace = self.server.workspace;
        let erasures = &self.oracle.erasures;
        let missing = engine.read(|conn| -> store::Result<Option<Acknowledged>> {
            for one in due {
                if changes::find(conn, workspace, one.contact, &one.hash)?.is_none()
                    && !erasures.may_be_erased(&one.contact)
                {
                    return Ok(Some(*one));
                }
            }
            Ok(None)
        });
        match missing {
            Ok(None) => {}
            Ok(Some(one)) => {
                let who = one.device.map_or("the office".to_owned(), |n| format!("device {n}"));
                let detail =
                    format!("change {} of contact {} by {who} is gone", one.hash, one.contact);
                self.violated(invariant, detail);
            }
            Err(error) => {
                if !self.server_trouble() {
                    self.violated("the server can be read", error.to_string());
                }
            }
        }
    }

    /// Whether an error of the server has a cause that the simulation made.
    pub fn server_trouble(&mut self) -> bool {
        self.server.disk.disk.is_crashed() || self.server.disk.excuses(self.now)
    }

    /// P8: nothing leaves for a device that its user does not hold, and nothing for a revoked one.
    pub fn check_sent(&mut self, id: u64, frame: &Frame) {
        if let Frame::Proposals(part) = frame {
            return self.check_late_edits(id, part);
        }
        let items: &[PageItem] = match frame {
            Frame::Page(page) => &page.items,
            Frame::Fetched(fetched) => &fetched.items,
            _ => return,
        };
        let Some(conn) = self.conns.get(&id) else { return };
        let (index, device) = (conn.device, &self.devices[conn.device]);
        if device.standing == Standing::Revoked {
            let detail = format!("{} with {} items to device {index}", frame.name(), items.len());
            return self.violated("P8: a revoked device gets nothing", detail);
        }
        let leaked = items.iter().find(|item| {
            let content =
                !item.changes.is_empty() || !item.snapshot.is_empty() || !item.row.is_empty();
            (content || item.access != Access::Removed)
                && !self.oracle.is_held(&item.contact, device.user)
        });
        if let Some(item) = leaked {
            let detail = format!(
                "contact {} as {:?} went to device {index} of user {}, who holds it not",
                item.contact, item.access, device.user
            );
            return self.violated("P8: a device receives only what its user holds", detail);
        }
        self.check_order(items);
    }

    /// Late edits go to a device of the contact's owner only.
    fn check_late_edits(&mut self, id: u64, part: &Proposals) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (index, device) = (conn.device, &self.devices[conn.device]);
        let leaked = part.sets.iter().find(|set| {
            device.standing == Standing::Revoked || !self.oracle.is_held(&set.contact, device.user)
        });
        if let Some(set) = leaked {
            let detail = format!(
                "late edits of contact {} went to device {index} of user {}, who holds it not",
                set.contact, device.user
            );
            self.violated("P8: a device receives only what its user holds", detail);
        }
    }

    /// Dependencies come before dependants.
    fn check_order(&mut self, items: &[PageItem]) {
        for item in items.iter().filter(|item| item.changes.len() > 1) {
            let mut later: Vec<ChangeHash> = Vec::new();
            for bytes in item.changes.iter().rev() {
                let Ok(change) = Change::from_bytes(bytes.clone()) else {
                    let detail = format!("a change of contact {}", item.contact);
                    return self.violated("what is sent down is sound", detail);
                };
                if change.deps().iter().any(|dep| later.contains(dep)) {
                    let detail = format!("change {} of contact {}", change.hash(), item.contact);
                    return self.violated("dependencies come before dependants", detail);
                }
                later.push(change.hash());
            }
        }
    }
}
