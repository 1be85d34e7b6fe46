//! What may happen to a session, in any order.

use std::sync::OnceLock;

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, TimelineId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::session::{
    ClientEffect, ClientEvent, ClientSession, DeviceRecord, LoadedItem, LoadedOffer, LoadedPage,
    Opening, OutboxChange, Outcome, ServerEffect, ServerEvent, ServerOptions, ServerSession,
    Standing,
};
use roadbook_protocol::wire::*;

use super::Script;

/// Effects that one event may have, beside one for each of so many things in it.
const EFFECTS_MAX: usize = 32;

const NONCE: [u8; 32] = [5; 32];

fn key() -> &'static Ed25519KeyPair {
    static KEY: OnceLock<Ed25519KeyPair> = OnceLock::new();
    KEY.get_or_init(|| {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("the same key")
    })
}

fn workspace() -> WorkspaceId {
    WorkspaceId::from_bytes([1; 16])
}
fn device() -> DeviceId {
    DeviceId::from_bytes([2; 16])
}

impl Script<'_> {
    fn contact(&mut self) -> ContactId {
        ContactId::from_bytes([self.byte() % 4; 16])
    }
    fn hash(&mut self) -> ChangeHash {
        ChangeHash([self.byte() % 8; 32])
    }
    fn timeline(&mut self) -> TimelineId {
        TimelineId::from_bytes([self.byte() % 3; 16])
    }
    fn actors(&mut self) -> Vec<Actor> {
        (0..self.below(4)).map(|_| Actor::from_bytes([self.byte(); 16])).collect()
    }
    fn hashes(&mut self) -> Vec<ChangeHash> {
        (0..self.below(4)).map(|_| self.hash()).collect()
    }
    fn contacts(&mut self) -> Vec<ContactId> {
        (0..self.below(5)).map(|_| self.contact()).collect()
    }
    fn heads(&mut self) -> Vec<ContactHeads> {
        let count = self.below(4);
        (0..count).map(|_| ContactHeads { contact: self.contact(), heads: self.hashes() }).collect()
    }
    fn fate(&mut self) -> Fate {
        const ALL: [Fate; 9] = [
            Fate::Stored,
            Fate::Merged,
            Fate::Quarantined,
            Fate::Replaced,
            Fate::Proposed,
            Fate::Erased,
            Fate::Forked,
            Fate::Unknown,
            Fate::Waiting,
        ];
        ALL[self.below(9)]
    }
    fn fates(&mut self) -> Vec<ChangeFate> {
        let count = self.below(4);
        (0..count)
            .map(|_| ChangeFate {
                contact: self.contact(),
                hash: self.hash(),
                fate: self.fate(),
                code: String::new(),
                reason: String::new(),
            })
            .collect()
    }
    fn problem(&mut self) -> Problem {
        const ALL: [ProblemCode; 4] = [
            ProblemCode::Unavailable,
            ProblemCode::ActorTaken,
            ProblemCode::Revoked,
            ProblemCode::MinimumVersion,
        ];
        Problem {
            code: ALL[self.below(4)],
            message: "so it is".into(),
            retry_after_ms: Some(self.number()),
            fatal: self.flag(),
            actors: self.actors(),
        }
    }
    fn blobs(&mut self) -> Vec<Vec<u8>> {
        (0..self.below(3)).map(|_| vec![self.byte(); 3]).collect()
    }
    fn needs(&mut self) -> Need {
        Need { contact: self.contact(), hashes: self.hashes() }
    }
    fn page_items(&mut self) -> Vec<PageItem> {
        let count = self.below(4);
        (0..count)
            .map(|_| PageItem {
                contact: self.contact(),
                access: if self.flag() { Access::Owner } else { Access::Removed },
                owner: None,
                epoch: self.number(),
                changes: self.blobs(),
                snapshot: self.blobs().concat(),
                row: String::new(),
                heads: self.hashes(),
                signed: None,
                generation: None,
            })
            .collect()
    }
    fn loaded_items(&mut self) -> Vec<LoadedItem> {
        let count = self.below(4);
        (0..count)
            .map(|_| LoadedItem {
                contact: self.contact(),
                access: if self.flag() { Access::Owner } else { Access::Removed },
                owner: None,
                epoch: self.number(),
                changes: self.hashes().into_iter().map(|hash| (hash, vec![1])).collect(),
                snapshot: self.blobs().concat(),
                row: String::new(),
                heads: self.hashes(),
                signed: self.hashes(),
                generation: None,
            })
            .collect()
    }

    /// A frame of either end: one of a kind, or whatever the bytes say.
    fn frame(&mut self, proven: &mut bool) -> Frame {
        match self.byte() % 28 {
            0 => Hello {
                protocol: self.number() as u16,
                workspace: workspace(),
                device: device(),
                app: "roadbook/0.1.0".into(),
                platform: String::new(),
                capabilities: if self.flag() {
                    vec!["seals".into(), "certificate".into()]
                } else {
                    Vec::new()
                },
                certificate: if self.flag() { vec![7; 80] } else { Vec::new() },
            }
            .into(),
            1 | 2 => {
                let right = self.flag();
                let text = challenge_text(&workspace(), &device(), &NONCE);
                let signature = match right {
                    true => key().sign(&text).as_ref().to_vec(),
                    false => vec![0; 64],
                };
                *proven |= right;
                Proof {
                    signature,
                    timeline: self.flag().then(|| self.timeline()),
                    cursor: self.number(),
                    actors: self.actors(),
                    pending: Vec::new(),
                    unsent: self.number() as u32,
                    incomplete: self.flag(),
                    lists: Some(7),
                }
                .into()
            }
            3 | 4 => {
                let batch = self.number();
                let changes = self
                    .contacts()
                    .into_iter()
                    .map(|contact| UpChange { contact, bytes: vec![1] })
                    .collect();
                Changes { batch, changes, unsent: 0 }.into()
            }
            5 => Fetch { request: self.number(), contacts: self.contacts() }.into(),
            6 => Applied { cursor: self.number(), unsent: 0, missing: 0 }.into(),
            7 => Actors { actors: self.actors() }.into(),
            8 => Heads { items: self.heads(), last: self.flag() }.into(),
            9 => {
                let changes = self.blobs();
                let item = OfferItem {
                    contact: self.contact(),
                    evidence: vec![],
                    changes,
                    more: self.flag(),
                };
                Offer { offer: self.number(), items: vec![item] }.into()
            }
            10 => Challenge {
                protocol: self.number() as u16,
                nonce: NONCE.to_vec(),
                algorithm: KeyAlgorithm::Ed25519,
            }
            .into(),
            11 | 12 => Welcome {
                timeline: self.timeline(),
                cursor: self.number(),
                server_time: self.number() as i64,
                user: UserId::from_bytes([3; 16]),
                login: String::new(),
                user_name: String::new(),
                role: "rep".into(),
                repair: self.flag(),
                minimum_app: None,
                lease_until: None,
                batch_changes_max: self.number() as u32,
                workspace_name: String::new(),
                capabilities: if self.flag() { vec!["offers".into()] } else { Vec::new() },
                lease: None,
                sealing: None,
                certificate: Vec::new(),
            }
            .into(),
            13 => {
                let batch = self.number();
                let exceptions = (0..self.below(3))
                    .map(|_| Exception {
                        index: self.number() as u32,
                        fate: self.fate(),
                        code: String::new(),
                        reason: String::new(),
                    })
                    .collect();
                Stored { batch, exceptions }.into()
            }
            14 => {
                let merged = (0..self.below(3))
                    .map(|_| MergedRun {
                        batch: self.number(),
                        from: self.number() as u32,
                        to: self.number() as u32,
                    })
                    .collect();
                Fates { merged, fates: self.fates() }.into()
            }
            15 => self.needs().into(),
            16 | 17 => Page {
                cursor: self.number(),
                items: self.page_items(),
                more: self.flag(),
                seal: None,
            }
            .into(),
            18 => Manifest {
                cursor: self.number(),
                contacts: self.contacts(),
                last: self.flag(),
                bytes_total: 0,
            }
            .into(),
            19 => {
                let items = self.page_items();
                Fetched { request: self.number(), items, last: self.flag(), seal: None }.into()
            }
            20 => {
                HeadsUnknown { items: self.heads(), last: self.flag(), known: self.heads() }.into()
            }
            21 => Offered { offer: self.number(), refused: self.fates() }.into(),
            22 => self.problem().into(),
            23 => Frame::Unknown(self.number() as u16),
            _ => {
                let count = self.byte() as usize * 4;
                let message = [&[0], self.take(count)].concat();
                decode(&message, &Limits::DEFAULT).unwrap_or(Frame::Unknown(999))
            }
        }
    }
}

/// Whether a frame tells something of the workspace's data.
fn tells(frame: &Frame) -> bool {
    !matches!(frame, Frame::Challenge(_) | Frame::Problem(_) | Frame::Enrolled(_))
}

/// A server's session: after its end nothing follows, an event has few effects, and nobody who has
/// not proved a key is told or does anything.
pub fn server(data: &[u8]) {
    let mut script = Script(data);
    let minimum_app = script.flag().then(|| "roadbook/9.9.9".to_owned());
    let options = ServerOptions { limits: Limits::DEFAULT, nonce: NONCE, minimum_app };
    let mut session = ServerSession::new(0, options);
    let (mut now, mut closed, mut proven) = (0_i64, false, false);
    while !script.is_over() {
        let event = server_event(&mut script, &mut now, &mut proven);
        let revoked = event == ServerEvent::Revoked;
        let effects = session.handle(now, event);
        assert!(!closed || effects.is_empty(), "after the end: {effects:?}");
        assert!(effects.len() <= EFFECTS_MAX, "{} effects", effects.len());
        for effect in &effects {
            assert!(!closed, "after the end: {effect:?}");
            match effect {
                ServerEffect::Close { .. } => closed = true,
                ServerEffect::Send(frame) => {
                    assert!(proven || !tells(frame), "to nobody known: {frame:?}");
                    assert!(!revoked || matches!(frame, Frame::Problem(_)), "revoked: {frame:?}");
                }
                ServerEffect::Lookup { .. } | ServerEffect::Enrol(_) => {}
                other => assert!(proven, "for nobody known: {other:?}"),
            }
        }
        assert!(!(closed && session.is_open()), "open after its end");
    }
}

fn server_event(script: &mut Script<'_>, now: &mut i64, proven: &mut bool) -> ServerEvent {
    match script.byte() % 24 {
        0..10 => ServerEvent::Received(script.frame(proven)),
        10 | 11 => ServerEvent::Device((script.byte() > 20).then(|| {
            Box::new(DeviceRecord {
                user: UserId::from_bytes([3; 16]),
                login: "ada".into(),
                user_name: String::new(),
                role: "rep".into(),
                workspace_name: String::new(),
                algorithm: KeyAlgorithm::Ed25519,
                public_key: key().public_key().as_ref().to_vec(),
                revoked: script.byte() > 220,
                wipe: true,
            })
        })),
        12 | 13 => ServerEvent::Opened(match script.byte() {
            0..30 => Err(script.problem()),
            _ => Ok(Box::new(Opening {
                timeline: script.timeline(),
                cursor: script.number(),
                server_time: 5,
                repair: script.flag(),
                actors_taken: script.actors(),
                lease: None,
                sealing: None,
                certificate: Vec::new(),
                erasures: None,
                hold: script.flag().then(|| script.problem()),
            })),
        }),
        14 => {
            let outcomes = (0..script.below(4))
                .map(|_| Outcome {
                    hash: script.flag().then(|| script.hash()),
                    fate: script.fate(),
                    code: String::new(),
                    reason: String::new(),
                    missing: Vec::new(),
                })
                .collect();
            let waiting = (0..script.below(3)).map(|_| script.needs()).collect();
            ServerEvent::Appended { batch: script.number(), outcomes, waiting }
        }
        15 => ServerEvent::Fates(script.fates()),
        16 => ServerEvent::Published(script.number()),
        17 => ServerEvent::PageLoaded(LoadedPage {
            cursor: script.number(),
            items: script.loaded_items(),
            more: script.flag(),
            seal: None,
        }),
        18 => ServerEvent::ManifestLoaded {
            cursor: script.number(),
            contacts: script.contacts(),
            bytes_total: 0,
            unknown: script.heads(),
            known: script.heads(),
        },
        19 => ServerEvent::FetchLoaded {
            request: script.number(),
            items: script.loaded_items(),
            last: script.flag(),
            seal: None,
        },
        20 => ServerEvent::Offered { offer: script.number(), refused: script.fates() },
        21 => match script.byte() {
            0..200 => ServerEvent::Enrolled(Err(script.problem())),
            200..230 => ServerEvent::Revoked,
            _ => ServerEvent::Drain { retry_after_ms: script.number() },
        },
        _ => {
            *now = now.saturating_add((script.number() % 20_000) as i64);
            ServerEvent::Tick
        }
    }
}

/// A device's session, whatever the server says: after its end nothing follows, and an event has few
/// effects.
pub fn client(data: &[u8]) {
    let mut script = Script(data);
    let mut session = ClientSession::new(Limits::DEFAULT);
    let (mut now, mut closed) = (0_i64, false);
    while !script.is_over() {
        let event = client_event(&mut script, &mut now);
        let effects = session.handle(now, event);
        assert!(effects.len() <= EFFECTS_MAX, "{} effects", effects.len());
        for effect in &effects {
            assert!(!closed, "after the end: {effect:?}");
            closed |= matches!(effect, ClientEffect::Close(_));
        }
        let _ = (session.is_open(), session.is_idle(), session.is_delivered());
    }
}

fn client_event(script: &mut Script<'_>, now: &mut i64) -> ClientEvent {
    let unsent = 3;
    match script.byte() % 24 {
        0..10 => ClientEvent::Received(script.frame(&mut false)),
        10 | 11 => ClientEvent::Connected(Box::new(Standing {
            workspace: workspace(),
            device: device(),
            app: "roadbook/0.1.0".into(),
            platform: String::new(),
            timeline: script.flag().then(|| script.timeline()),
            cursor: script.number(),
            actors: script.actors(),
            pending: Vec::new(),
            unsent,
            missing: script.number() as u32,
            lists: Some(7),
            offers: script.flag(),
            certificate: script.flag().then(|| vec![7; 80]),
            certified: script.flag(),
            wiped: script.byte() > 220,
            copies: false,
        })),
        12 => ClientEvent::Signed(vec![1; 64]),
        13 | 14 => {
            let changes = (0..script.below(4))
                .map(|_| OutboxChange {
                    position: script.number() as i64,
                    contact: script.contact(),
                    hash: script.hash(),
                    bytes: vec![1; 10],
                })
                .collect();
            ClientEvent::Outbox { changes, unsent }
        }
        15 | 16 => ClientEvent::Durable {
            cursor: script.number(),
            unsent,
            missing: script.number() as u32,
        },
        17 => ClientEvent::Missing(script.contacts()),
        18 => ClientEvent::Wanted { missing: script.number() as u32 },
        19 => ClientEvent::HeadsLoaded(script.heads()),
        20 => ClientEvent::Offer(
            script.flag().then(|| LoadedOffer { items: Vec::new(), complete: script.contacts() }),
        ),
        21 => match script.byte() {
            0..250 => ClientEvent::Edited,
            _ => ClientEvent::Stop,
        },
        22 => ClientEvent::NewActors(script.actors()),
        _ => {
            *now = now.saturating_add((script.number() % 20_000) as i64);
            ClientEvent::Tick
        }
    }
}
