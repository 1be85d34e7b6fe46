//! A device whose owner has altered its app: it writes with the actor of another device.
//!
//! If that were taken, the next edits of the other device would be the same places of the same actor's
//! history: the server would have to refuse them as forked.

use roadbook_protocol::document::{self, Applied, Author, EditOptions};
use roadbook_protocol::guard::gate1;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId};
use roadbook_protocol::wire::Fate;
use roadbook_server::engine::{AppendRequest, Engine, SealedBy};
use roadbook_server::store::EngineError;

use crate::words;
use crate::world::World;

impl World {
    /// A device hands in a well-formed edit by an actor of another device, in its own user's name.
    pub fn forge(&mut self, index: usize, contact: u32, salt: u64) {
        let (Some(engine), Some(contact)) = (self.server.engine(), self.nth_contact(contact))
        else {
            return;
        };
        let device = self.devices[index].id;
        let Some(actors) = self.office("the actors", self.others_actors(&engine, device)) else {
            return;
        };
        let Some(actor) = actors.get(salt as usize % actors.len().max(1)) else { return };
        let Some(request) = self.forged(&engine, index, contact, *actor, salt) else { return };
        let Some(appended) = self.office("a forged edit", engine.append_blocking(request)) else {
            return;
        };
        self.cover.count("fault.forged_actor");
        for outcome in appended.outcomes {
            self.tell(|| format!("device {index} forged {} as {actor}: {outcome:?}", outcome.hash));
            let refused = outcome.fate == Fate::Erased
                || (outcome.fate == Fate::Quarantined && outcome.code == "actor_taken");
            if !refused {
                self.violated(
                    "P4: nobody writes as another device",
                    format!(
                        "change {} of contact {contact} by actor {actor}, sent by device {device}, \
                         became {:?} {}",
                        outcome.hash, outcome.fate, outcome.code
                    ),
                );
            }
        }
    }

    /// The actors of all devices but this one.
    fn others_actors(&self, engine: &Engine, device: DeviceId) -> Result<Vec<Actor>, EngineError> {
        let workspace = self.server.workspace;
        engine.read(|conn| {
            conn.prepare(
                "SELECT actor FROM actor WHERE workspace = ?1 AND device <> ?2 ORDER BY actor",
            )?
            .query_map((workspace.as_bytes(), device.as_bytes()), |row| {
                row.get::<_, [u8; 16]>(0).map(Actor::from_bytes)
            })?
            .map(|actor| Ok(actor?))
            .collect()
        })
    }

    /// The edit, on top of all that the server has of the contact.
    fn forged(
        &mut self,
        engine: &Engine,
        index: usize,
        contact: ContactId,
        actor: Actor,
        salt: u64,
    ) -> Option<AppendRequest> {
        // One that was stored and not merged yet is not there, nor one that a restore took.
        let mut doc = engine.document(self.server.workspace, contact).ok()?;
        let now = engine.now_ms();
        let (commands, marker) = words::commands(&mut fastrand::Rng::with_seed(salt), now);
        let user = self.server.users[self.devices[index].user];
        let author = Author { by: user, at: now };
        let options = EditOptions::default();
        let Ok(Applied::Change { bytes, .. }) =
            document::apply(&mut doc, actor, &commands, &author, &options, engine.limits())
        else {
            return None;
        };
        let admitted = gate1(&bytes, engine.limits(), &[]).ok()?;
        self.oracle.erasures.write(contact, &marker);
        Some(AppendRequest {
            workspace: self.server.workspace,
            device: self.devices[index].id,
            user,
            batch: 0,
            changes: vec![(contact, admitted, bytes)],
            vouched: None,
            sealed: SealedBy::Nobody,
        })
    }
}
