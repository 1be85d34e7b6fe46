//! What a server's session asks of the engine, carried out a moment later over the same service that
//! the socket's driver uses.

use roadbook_protocol::session::{ServerEffect, ServerEvent};
use roadbook_protocol::wire::{Problem, ProblemCode};
use roadbook_server::engine::EngineError;
use roadbook_server::sync::service::{self, Identity, Knock};

use crate::net::End;
use crate::world::{Happening, World};

impl World {
    /// Asks the engine, a moment later.
    pub(super) fn job(&mut self, id: u64, effect: ServerEffect) {
        let at = self.now + self.rng.i64(0..5);
        self.schedule(at, Happening::ServerJob { conn: id, effect: Box::new(effect) });
    }

    /// Carries out what a session asked of the engine.
    pub fn server_job(&mut self, id: u64, effect: ServerEffect) {
        let Some(engine) = self.server.engine() else { return };
        let Some(end) = self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut()) else {
            return;
        };
        let answer = match (effect, end.who) {
            (ServerEffect::Lookup { workspace, device, certificate }, _) => {
                service::lookup(&engine, workspace, device, &certificate).map(|found| {
                    Some(ServerEvent::Device(found.map(|(record, minimum_app)| {
                        end.who = Some(Identity { workspace, device, user: record.user });
                        end.session.set_minimum_app(minimum_app);
                        record
                    })))
                })
            }
            (ServerEffect::Open { actors, timeline, cursor, certify, .. }, Some(who)) => {
                if !self.claim(id, who) {
                    let copied = Problem {
                        code: ProblemCode::Copied,
                        message: "the device is connected already".to_owned(),
                        retry_after_ms: Some(1_000),
                        fatal: true,
                        actors: Vec::new(),
                    };
                    return self.server_event(id, ServerEvent::Opened(Err(copied)));
                }
                let knock = Knock { who, actors, timeline, cursor, certify };
                match service::open(&engine, knock) {
                    Err(EngineError::Refused { code: "revoked", reason }) => {
                        let revoked = Problem {
                            code: ProblemCode::Revoked,
                            message: reason,
                            retry_after_ms: None,
                            fatal: true,
                            actors: Vec::new(),
                        };
                        Ok(Some(ServerEvent::Opened(Err(revoked))))
                    }
                    other => other.map(|opening| {
                        if let Some(end) =
                            self.conns.get_mut(&id).and_then(|conn| conn.server.as_mut())
                        {
                            end.seated = true;
                        }
                        Some(ServerEvent::Opened(Ok(Box::new(opening))))
                    }),
                }
            }
            (ServerEffect::LoadPage { since }, Some(who)) => {
                let own = end.receipts.own();
                service::page(&engine, engine.limits(), who, since, &own).map(|page| match page {
                    None => Some(ServerEvent::Revoked),
                    Some(page) => {
                        end.receipts.paged(service::hashes(&page));
                        Some(ServerEvent::PageLoaded(page))
                    }
                })
            }
            (ServerEffect::LoadManifest, Some(who)) => service::manifest(&engine, who).map(Some),
            (ServerEffect::LoadRepair(heads), Some(who)) => {
                service::repair(&engine, who, &heads).map(Some)
            }
            (ServerEffect::LoadFetch { request, contacts }, Some(who)) => {
                match service::fetch(&engine, who, contacts) {
                    Ok(part) => match part.items {
                        None => Ok(Some(ServerEvent::Revoked)),
                        Some(items) => {
                            let (last, seal) = (part.rest.is_empty(), part.seal);
                            if !last {
                                let contacts = part.rest;
                                self.job(id, ServerEffect::LoadFetch { request, contacts });
                            }
                            Ok(Some(ServerEvent::FetchLoaded { request, items, last, seal }))
                        }
                    },
                    Err(error) => Err(error),
                }
            }
            (ServerEffect::LoadFates(pending), Some(who)) => {
                service::fates(&engine, who, &pending).map(Some)
            }
            (ServerEffect::Dropped(dropped), Some(who)) => {
                self.cover.count("event.drop_confirmed");
                service::dropped(&engine, who, dropped)
                    .map(|known| Some(ServerEvent::DropsNoted(known)))
            }
            (ServerEffect::LoadProposals, Some(who)) => {
                service::proposals(&engine, who).map(|parts| parts.map(ServerEvent::Proposals))
            }
            (ServerEffect::LoadLists { known }, Some(who)) => {
                service::lists(&engine, who, known).map(|parts| parts.map(ServerEvent::Lists))
            }
            (ServerEffect::Decide(decide), Some(who)) => {
                self.cover.count("event.decided_on_a_device");
                service::decide(&engine, who, decide)
                    .map(|decided| Some(ServerEvent::Decided(decided)))
            }
            (ServerEffect::LoadErasures, Some(who)) => engine
                .erasures_for(who.workspace, who.device)
                .map(|erasures| erasures.map(ServerEvent::Erasures)),
            (ServerEffect::Purged(contacts), Some(who)) => service::purged(&engine, who, contacts)
                .map(|erasures| erasures.map(ServerEvent::Erasures)),
            (ServerEffect::LoadWipeOrder, Some(who)) => engine
                .wipe_order(who.workspace, who.device)
                .map(|order| Some(ServerEvent::WipeOrder(order))),
            (ServerEffect::StoreSealed(sealed), Some(who)) => {
                service::store_sealed(&engine, engine.limits(), who, sealed)
                    .map(|stored| Some(ServerEvent::SealedStored(Ok(stored))))
            }
            (ServerEffect::NoteWiped(wiped), Some(who)) => engine
                .note_wiped(who.workspace, who.device)
                .map(|()| Some(ServerEvent::WipeNoted(wiped))),
            (ServerEffect::LoadDirectory, Some(who)) => {
                service::directory(&engine, who).map(|directory| {
                    (directory.signature != end.directory).then(|| {
                        end.directory.clone_from(&directory.signature);
                        ServerEvent::Directory(directory)
                    })
                })
            }
            _ => Ok(None),
        };
        match answer {
            Ok(Some(event)) => {
                self.server_event(id, event);
                // It may have been what the next message waited for.
                self.read_held(id);
            }
            Ok(None) => {}
            Err(error) => self.server_failed(id, &error),
        }
    }

    /// Takes the device's place, as the hub does: an older connection that still answers keeps it.
    fn claim(&mut self, id: u64, who: Identity) -> bool {
        for other in self.seats(|seated| seated.device == who.device) {
            if other == id {
                continue;
            }
            let Some(conn) = self.conns.get(&other) else { continue };
            if conn.client.is_some() && !conn.up.dark && !conn.down.dark {
                return false;
            }
            self.ended(other, End::Server);
        }
        true
    }
}
