//! Both machines against each other, with a driver that keeps everything in memory.

use std::collections::{BTreeMap, VecDeque};

use automerge::ChangeHash;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::ids::{Actor, ContactId, DeviceId, EditId, TimelineId, UserId, WorkspaceId};
use crate::limits::Limits;
use crate::wire::{
    Access, ChangeFate, ContactHeads, Decide, Decided, Enrol, Fate, Frame, Hello, KeyAlgorithm,
    Lists, OfferItem, PendingChanges, ProblemCode, Proposals, decode, encode,
};

mod refusing;
mod rights;

const NONCE: [u8; 32] = [7; 32];

fn contact(n: u8) -> ContactId {
    ContactId::from_bytes([n; 16])
}
fn hash(n: u8) -> ChangeHash {
    ChangeHash([n; 32])
}

/// The device and the server of one test: maps instead of databases.
/// What the server knows of the device; one that is revoked is to wipe itself.
fn device_record(public_key: &[u8], revoked: bool) -> DeviceRecord {
    DeviceRecord {
        user: UserId::from_bytes([4; 16]),
        login: "rep".into(),
        user_name: "Rep".into(),
        role: "rep".into(),
        workspace_name: "W".into(),
        algorithm: KeyAlgorithm::Ed25519,
        public_key: public_key.to_vec(),
        revoked,
        wipe: revoked,
    }
}

struct Bench {
    client: ClientSession,
    server: ServerSession,
    key: Ed25519KeyPair,
    server_key: Vec<u8>,
    to_client: VecDeque<ClientEvent>,
    to_server: VecDeque<ServerEvent>,
    outbox: Vec<OutboxChange>,
    stored: Vec<ChangeHash>,
    fates: BTreeMap<ChangeHash, Fate>,
    missing: Vec<ContactId>,
    applied: Vec<(ContactId, usize)>,
    closed: Option<CloseReason>,
    // the server's side
    manifest: Vec<ContactId>,
    log: Vec<(u64, ContactId, ChangeHash)>,
    refuse: BTreeMap<ChangeHash, Fate>,
    repair: bool,
    unknown: Vec<ContactHeads>,
    /// What the device has to offer, and what the server has taken of it.
    offers: Vec<OfferItem>,
    taken: Vec<ContactId>,
    offered: Vec<ContactId>,
    frames_down: Vec<Frame>,
    void: bool,
    decisions: Vec<Decide>,
    decided: Vec<EditId>,
    /// Whether the list of late edits is answered when it is asked for.
    tells_late_edits: bool,
    /// Which lists of the office there are, and those that the device was given.
    lists: u64,
    lists_kept: Vec<u64>,
}

/// A part of an empty list.
fn late_edits(last: bool) -> Proposals {
    let (sets, users) = (Vec::new(), Vec::new());
    Proposals { cursor: 0, first: true, last, sets, users, left_out: 0 }
}

/// All lists of the office, in one part.
fn lists(state: u64, unchanged: bool) -> Lists {
    let lists = Vec::new();
    Lists { cursor: 0, first: true, last: true, lists, state, unchanged, left_out: 0 }
}

impl Bench {
    fn new() -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let server_key = key.public_key().as_ref().to_vec();
        let options = ServerOptions { nonce: NONCE, ..ServerOptions::default() };
        Bench {
            client: ClientSession::new(Limits::DEFAULT),
            server: ServerSession::new(0, options),
            key,
            server_key,
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
            outbox: Vec::new(),
            stored: Vec::new(),
            fates: BTreeMap::new(),
            missing: Vec::new(),
            applied: Vec::new(),
            closed: None,
            manifest: Vec::new(),
            log: Vec::new(),
            refuse: BTreeMap::new(),
            repair: false,
            unknown: Vec::new(),
            offers: Vec::new(),
            taken: Vec::new(),
            offered: Vec::new(),
            frames_down: Vec::new(),
            void: false,
            decisions: Vec::new(),
            decided: Vec::new(),
            tells_late_edits: true,
            lists: 1,
            lists_kept: Vec::new(),
        }
    }

    fn edit(&mut self, n: u8) {
        self.outbox.push(OutboxChange {
            position: self.outbox.len() as i64 + 1,
            contact: contact(n),
            hash: hash(n),
            bytes: vec![n; 40],
        });
    }

    fn standing(&self, timeline: Option<TimelineId>, cursor: u64) -> Box<Standing> {
        Box::new(Standing {
            workspace: WorkspaceId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([2; 16]),
            app: "roadbook/0.1.0".into(),
            platform: "test".into(),
            timeline,
            cursor,
            actors: vec![Actor::from_bytes([3; 16])],
            pending: Vec::new(),
            unsent: self.outbox.len() as u32,
            missing: self.missing.len() as u32,
            lists: self.lists_kept.last().copied(),
            offers: !self.offers.is_empty(),
            certificate: None,
            certified: true,
            wiped: false,
            copies: false,
        })
    }

    fn unsent(&self) -> Vec<OutboxChange> {
        let known = |c: &&OutboxChange| {
            !self.stored.contains(&c.hash)
                && !self.fates.get(&c.hash).is_some_and(|fate| *fate != Fate::Unknown)
        };
        self.outbox.iter().filter(known).cloned().collect()
    }

    fn connect(&mut self, timeline: Option<TimelineId>, cursor: u64) {
        let standing = self.standing(timeline, cursor);
        self.to_client.push_back(ClientEvent::Connected(standing));
        self.run();
    }

    /// Carries effects out until nobody has anything left to say.
    fn run(&mut self) {
        loop {
            if let Some(event) = self.to_client.pop_front() {
                for effect in self.client.handle(0, event) {
                    self.client_effect(effect);
                }
            } else if let Some(event) = self.to_server.pop_front() {
                for effect in self.server.handle(0, event) {
                    self.server_effect(effect);
                }
            } else {
                return;
            }
        }
    }

    fn client_effect(&mut self, effect: ClientEffect) {
        match effect {
            ClientEffect::Send(frame) => {
                let frame = decode(&encode(&frame), &Limits::DEFAULT).unwrap();
                self.to_server.push_back(ServerEvent::Received(frame));
            }
            ClientEffect::Sign { text, .. } => {
                let signature = self.key.sign(&text).as_ref().to_vec();
                self.to_client.push_back(ClientEvent::Signed(signature));
            }
            ClientEffect::LoadOutbox { after, changes_max, .. } => {
                let unsent = self.unsent();
                let count = unsent.len() as u32;
                let changes =
                    unsent.into_iter().filter(|c| c.position > after).take(changes_max).collect();
                self.to_client.push_back(ClientEvent::Outbox { changes, unsent: count });
            }
            ClientEffect::RecordStored { changes, .. } => {
                self.stored.extend(changes.into_iter().map(|(_, hash)| hash));
            }
            ClientEffect::RecordFates { fates, .. } => {
                for fate in fates {
                    self.fates.insert(fate.hash, fate.fate);
                }
            }
            ClientEffect::ApplyPage { page, .. } => {
                self.applied.extend(page.items.iter().map(|i| (i.contact, i.changes.len())));
                self.durable(page.cursor);
            }
            ClientEffect::StoreManifest { manifest, .. } => {
                self.missing.extend(manifest.contacts);
                self.durable(manifest.cursor);
            }
            ClientEffect::ApplyFetched { fetched, .. } => {
                for item in fetched.items {
                    self.missing.retain(|id| *id != item.contact);
                    self.applied.push((item.contact, 0));
                }
                self.durable(0);
            }
            ClientEffect::LoadMissing { max, in_flight } => {
                let next: Vec<_> = self
                    .missing
                    .iter()
                    .filter(|id| !in_flight.contains(id))
                    .take(max)
                    .copied()
                    .collect();
                self.to_client.push_back(ClientEvent::Missing(next));
            }
            ClientEffect::VoidAcknowledgements { .. } => {
                self.void = true;
                self.stored.clear();
            }
            ClientEffect::LoadHeads => {
                let items = vec![ContactHeads { contact: contact(1), heads: vec![hash(1)] }];
                self.to_client.push_back(ClientEvent::HeadsLoaded(items));
            }
            ClientEffect::LoadDrops { .. } => self.to_client.push_back(ClientEvent::Drops(None)),
            ClientEffect::LoadDecision => {
                self.to_client.push_back(ClientEvent::Decision(self.decisions.pop()));
            }
            ClientEffect::StoreLists(part) => self.lists_kept.push(part.state),
            ClientEffect::RecordDecided(decided) => self.decided.push(decided.id),
            ClientEffect::Reoffer { .. } => self.to_client.push_back(ClientEvent::Edited),
            ClientEffect::LoadOffer => {
                let offer = self
                    .offers
                    .pop()
                    .map(|item| LoadedOffer { complete: vec![item.contact], items: vec![item] });
                self.to_client.push_back(ClientEvent::Offer(offer));
            }
            ClientEffect::RecordOffered { complete, .. } => self.offered.extend(complete),
            ClientEffect::Close(reason) => self.closed = Some(reason),
            ClientEffect::Opened(_)
            | ClientEffect::StoreDirectory(_)
            | ClientEffect::StoreProposals(_)
            | ClientEffect::Supply(_)
            | ClientEffect::Purge(_)
            | ClientEffect::RecordDropsKnown(_)
            | ClientEffect::Wipe(_)
            | ClientEffect::RecordSealed(_)
            | ClientEffect::RecordCopied(_)
            | ClientEffect::LoadCopy
            | ClientEffect::WipeConfirmed
            | ClientEffect::ReplaceActors(_) => {}
        }
    }

    fn durable(&mut self, cursor: u64) {
        let (unsent, missing) = (self.unsent().len() as u32, self.missing.len() as u32);
        self.to_client.push_back(ClientEvent::Durable { cursor, unsent, missing });
    }

    fn server_effect(&mut self, effect: ServerEffect) {
        match effect {
            ServerEffect::Send(frame) => {
                self.frames_down.push(frame.clone());
                let frame = decode(&encode(&frame), &Limits::DEFAULT).unwrap();
                self.to_client.push_back(ClientEvent::Received(frame));
            }
            ServerEffect::Lookup { .. } => {
                let record = device_record(&self.server_key, false);
                self.to_server.push_back(ServerEvent::Device(Some(Box::new(record))));
            }
            ServerEffect::Open { .. } => {
                let opening = Opening {
                    timeline: TimelineId::from_bytes([9; 16]),
                    cursor: self.log.len() as u64,
                    server_time: 0,
                    repair: self.repair,
                    actors_taken: Vec::new(),
                    lease: None,
                    sealing: None,
                    certificate: Vec::new(),
                    erasures: None,
                    hold: None,
                };
                self.to_server.push_back(ServerEvent::Opened(Ok(Box::new(opening))));
            }
            ServerEffect::Append { batch, changes } => {
                let mut outcomes = Vec::new();
                for change in changes {
                    let hash = hash(change.bytes[0]);
                    let mut fate = self.refuse.get(&hash).copied().unwrap_or(Fate::Stored);
                    if self.log.iter().any(|(_, _, known)| *known == hash) {
                        fate = Fate::Merged;
                    }
                    if fate == Fate::Stored {
                        self.log.push((self.log.len() as u64 + 1, change.contact, hash));
                    }
                    outcomes.push(Outcome {
                        hash: Some(hash),
                        fate,
                        code: String::new(),
                        reason: String::new(),
                        missing: Vec::new(),
                    });
                }
                self.to_server.push_back(ServerEvent::Appended {
                    batch,
                    outcomes,
                    waiting: vec![],
                });
                self.to_server.push_back(ServerEvent::Published(self.log.len() as u64));
            }
            ServerEffect::LoadPage { since } => {
                let items = self
                    .log
                    .iter()
                    .filter(|(cursor, ..)| *cursor > since)
                    .map(|(_, contact, hash)| LoadedItem {
                        contact: *contact,
                        access: Access::Owner,
                        owner: None,
                        epoch: 0,
                        changes: vec![(*hash, hash.0.to_vec())],
                        snapshot: Vec::new(),
                        row: String::new(),
                        heads: Vec::new(),
                        signed: Vec::new(),
                        generation: None,
                    })
                    .collect();
                let cursor = self.log.len() as u64;
                self.to_server.push_back(ServerEvent::PageLoaded(LoadedPage {
                    cursor,
                    items,
                    more: false,
                    seal: None,
                }));
            }
            ServerEffect::LoadManifest | ServerEffect::LoadRepair(_) => {
                self.to_server.push_back(ServerEvent::ManifestLoaded {
                    cursor: self.log.len() as u64,
                    contacts: self.manifest.clone(),
                    bytes_total: 1,
                    unknown: self.unknown.clone(),
                    known: Vec::new(),
                });
            }
            ServerEffect::LoadFetch { request, contacts } => {
                let items = contacts
                    .into_iter()
                    .map(|contact| LoadedItem {
                        contact,
                        access: Access::Owner,
                        owner: None,
                        epoch: 0,
                        changes: Vec::new(),
                        snapshot: vec![1],
                        row: "{}".into(),
                        heads: vec![hash(5)],
                        signed: Vec::new(),
                        generation: None,
                    })
                    .collect();
                let seal = None;
                self.to_server.push_back(ServerEvent::FetchLoaded {
                    request,
                    items,
                    last: true,
                    seal,
                });
            }
            ServerEffect::Offer { offer, items } => {
                // Nothing that stands on it has come before.
                assert_eq!(self.log, []);
                self.taken.extend(items.iter().map(|item| item.contact));
                self.to_server.push_back(ServerEvent::Offered { offer, refused: Vec::new() });
            }
            ServerEffect::LoadFates(pending) => {
                let fates = pending
                    .into_iter()
                    .flat_map(|p| p.hashes.into_iter().map(move |hash| (p.contact, hash)))
                    .map(|(contact, hash)| ChangeFate {
                        contact,
                        hash,
                        fate: Fate::Unknown,
                        code: String::new(),
                        reason: String::new(),
                    })
                    .collect();
                self.to_server.push_back(ServerEvent::Fates(fates));
            }
            ServerEffect::LoadProposals => {
                if self.tells_late_edits {
                    self.to_server.push_back(ServerEvent::Proposals(vec![late_edits(true)]));
                }
            }
            ServerEffect::LoadLists { known } => {
                let unchanged = known == Some(self.lists);
                self.to_server.push_back(ServerEvent::Lists(vec![lists(self.lists, unchanged)]));
            }
            ServerEffect::Decide(decide) => {
                let refused = Vec::new();
                self.to_server.push_back(ServerEvent::Decided(Decided { id: decide.id, refused }));
            }
            ServerEffect::Enrol(_)
            | ServerEffect::RegisterActors(_)
            | ServerEffect::LoadDirectory
            | ServerEffect::Dropped(_)
            | ServerEffect::LoadErasures
            | ServerEffect::Purged(_)
            | ServerEffect::LoadWipeOrder
            | ServerEffect::StoreSealed(_)
            | ServerEffect::NoteWiped(_)
            | ServerEffect::Touch { .. }
            | ServerEffect::Close { .. } => {}
        }
    }
}

fn known() -> Option<TimelineId> {
    Some(TimelineId::from_bytes([9; 16]))
}

#[test]
fn offline_edits_are_stored_then_merged_and_not_echoed() {
    let mut bench = Bench::new();
    for n in 10..200 {
        bench.edit(n);
    }
    bench.connect(known(), 0);
    assert_eq!(bench.stored.len(), 190);
    assert!(bench.fates.values().all(|fate| *fate == Fate::Merged));
    assert_eq!(bench.fates.len(), 190);
    assert!(bench.applied.is_empty(), "own changes come back as runs, not as bytes");
    let runs: usize = bench
        .frames_down
        .iter()
        .filter_map(|f| if let Frame::Fates(fates) = f { Some(fates.merged.len()) } else { None })
        .sum();
    assert_eq!(runs, 1, "190 consecutive changes are one run");
    assert!(bench.client.is_idle(), "{:?}", bench.client);
}

#[test]
fn a_first_sync_fetches_every_contact_once() {
    let mut bench = Bench::new();
    bench.manifest = (0..1000u16)
        .map(|n| {
            ContactId::from_bytes(
                [[0; 14].as_slice(), &n.to_be_bytes()].concat().try_into().unwrap(),
            )
        })
        .collect();
    bench.connect(None, 0);
    let mut fetched: Vec<_> = bench.applied.iter().map(|(id, _)| *id).collect();
    assert_eq!(fetched.len(), 1000);
    fetched.sort();
    fetched.dedup();
    assert_eq!(fetched.len(), 1000);
    assert!(bench.client.is_idle(), "{:?}", bench.client);
}

#[test]
fn a_first_sync_that_was_cut_goes_on_with_what_is_missing() {
    let mut bench = Bench::new();
    bench.missing = vec![contact(1), contact(2)];
    bench.connect(known(), 0);
    assert_eq!(bench.applied, [(contact(1), 0), (contact(2), 0)]);
    assert!(bench.client.is_idle(), "{:?}", bench.client);
}

#[test]
fn a_wrong_key_is_refused_like_an_unknown_device() {
    let mut bench = Bench::new();
    bench.server_key = vec![0; 32];
    bench.connect(known(), 0);
    let Some(CloseReason::Problem(wrong)) = bench.closed else { panic!("not closed") };
    assert_eq!(wrong.code, ProblemCode::Unauthorized);

    let mut server = ServerSession::new(0, ServerOptions::default());
    let hello = ClientSession::new(Limits::DEFAULT)
        .handle(0, ClientEvent::Connected(Bench::new().standing(None, 0)));
    let Some(ClientEffect::Send(hello)) = hello.into_iter().next() else { panic!("no hello") };
    server.handle(0, ServerEvent::Received(hello));
    let effects = server.handle(0, ServerEvent::Device(None));
    assert_eq!(effects[0], ServerEffect::Send(wrong.into()));
}

#[test]
fn an_app_of_a_protocol_that_nobody_speaks_any_more_is_told_to_update() {
    let sent = ClientSession::new(Limits::DEFAULT)
        .handle(0, ClientEvent::Connected(Bench::new().standing(None, 0)));
    let Some(ClientEffect::Send(Frame::Hello(hello))) = sent.into_iter().next() else {
        panic!("no hello")
    };
    let hello = Hello { protocol: 0, ..hello };
    let enrol = Enrol {
        protocol: 0,
        code: "code".into(),
        algorithm: KeyAlgorithm::Ed25519,
        public_key: vec![1; 32],
        signature: vec![2; 64],
        name: String::new(),
        platform: String::new(),
        app: String::new(),
    };
    for frame in [Frame::Hello(hello), Frame::Enrol(enrol)] {
        let mut server = ServerSession::new(0, ServerOptions::default());
        let effects = server.handle(0, ServerEvent::Received(frame));
        let [ServerEffect::Send(Frame::Problem(told)), ..] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(told.code, ProblemCode::Protocol);
        assert!(told.message.contains("protocol 0") && told.message.contains("update the app"));
    }
}

#[test]
fn a_quarantined_change_does_not_hold_up_the_others() {
    let mut bench = Bench::new();
    for n in 10..20 {
        bench.edit(n);
    }
    bench.refuse.insert(hash(13), Fate::Quarantined);
    bench.connect(known(), 0);
    assert_eq!(bench.fates[&hash(13)], Fate::Quarantined);
    assert_eq!(bench.fates.values().filter(|fate| **fate == Fate::Merged).count(), 9);
    assert!(!bench.stored.contains(&hash(13)));
    assert!(bench.client.is_idle(), "{:?}", bench.client);
}

#[test]
fn an_edit_made_while_the_outbox_is_being_read_is_sent() {
    let mut bench = Bench::new();
    bench.connect(known(), 0);
    // The driver is asked for the outbox, reads nothing, and the edit comes before its answer.
    let effects = bench.client.handle(0, ClientEvent::Edited);
    assert!(matches!(effects[..], [ClientEffect::LoadDecision, ClientEffect::LoadOutbox { .. }]));
    bench.edit(30);
    assert!(bench.client.handle(0, ClientEvent::Edited).is_empty());
    let effects = bench.client.handle(0, ClientEvent::Outbox { changes: Vec::new(), unsent: 0 });
    assert!(matches!(effects[..], [ClientEffect::LoadOutbox { .. }]), "it is read again");
    for effect in effects {
        bench.client_effect(effect);
    }
    bench.run();
    assert_eq!(bench.fates[&hash(30)], Fate::Merged);
}

#[test]
fn a_change_that_the_server_does_not_know_any_more_is_sent_again() {
    let mut bench = Bench::new();
    bench.edit(10);
    bench.stored.push(hash(10));
    let mut standing = bench.standing(known(), 0);
    standing.pending = vec![PendingChanges { contact: contact(10), hashes: vec![hash(10)] }];
    bench.stored.clear();
    bench.to_client.push_back(ClientEvent::Connected(standing));
    bench.run();
    assert_eq!(bench.fates[&hash(10)], Fate::Merged);
}

#[test]
fn a_lost_timeline_voids_receipts_and_what_is_unknown_is_offered_again() {
    let mut bench = Bench::new();
    bench.edit(1);
    bench.stored.push(hash(1));
    bench.repair = true;
    bench.unknown = vec![ContactHeads { contact: contact(1), heads: vec![hash(1)] }];
    bench.manifest = vec![contact(2)];
    bench.connect(Some(TimelineId::from_bytes([8; 16])), 500);
    assert!(bench.void);
    assert_eq!(bench.fates[&hash(1)], Fate::Merged);
    assert!(bench.applied.contains(&(contact(2), 0)));
    assert!(bench.client.is_idle(), "{:?}", bench.client);
}

#[test]
fn others_changes_are_offered_before_anything_that_may_stand_on_them_is_sent() {
    let mut bench = Bench::new();
    bench.edit(1);
    bench.repair = true;
    bench.unknown = vec![ContactHeads { contact: contact(1), heads: vec![hash(1)] }];
    bench.manifest = vec![contact(2)];
    let item = |n| OfferItem {
        contact: contact(n),
        evidence: Vec::new(),
        changes: vec![vec![n; 9]],
        more: false,
    };
    bench.offers = vec![item(1), item(2), item(3)];
    bench.connect(Some(TimelineId::from_bytes([8; 16])), 500);
    assert_eq!(bench.taken, [contact(3), contact(2), contact(1)]);
    assert_eq!(bench.offered, bench.taken);
    assert_eq!(bench.fates[&hash(1)], Fate::Merged, "then the outbox");
    assert!(bench.applied.contains(&(contact(2), 0)), "and what was missing");
    assert!(bench.client.is_idle(), "{:?}", bench.client);
}

#[test]
fn what_a_cut_left_to_be_offered_is_offered_on_the_next_connection() {
    let mut bench = Bench::new();
    let item =
        OfferItem { contact: contact(7), evidence: Vec::new(), changes: Vec::new(), more: false };
    bench.offers = vec![item];
    bench.connect(known(), 0);
    assert_eq!(bench.offered, [contact(7)]);
    assert!(bench.client.is_idle(), "{:?}", bench.client);
}

#[test]
fn an_old_app_may_upload_but_gets_no_customer_data() {
    let mut bench = Bench::new();
    let options = ServerOptions {
        nonce: NONCE,
        minimum_app: Some("roadbook/0.2.0".into()),
        ..ServerOptions::default()
    };
    bench.server = ServerSession::new(0, options);
    bench.manifest = vec![contact(1)];
    bench.log.push((1, contact(1), hash(1)));
    bench.edit(50);
    bench.connect(None, 0);
    assert_eq!(bench.stored, [hash(50)]);
    assert!(bench.applied.is_empty());
    assert!(bench.missing.is_empty());
    assert!(bench.frames_down.iter().any(
        |f| matches!(f, Frame::Problem(p) if p.code == ProblemCode::MinimumVersion && !p.fatal)
    ));
}

#[test]
fn a_device_hears_that_a_change_is_merged_only_behind_the_page_that_brings_its_cursor_past_it() {
    let mut bench = Bench::new();
    for n in 10..20 {
        bench.edit(n);
    }
    // The server has one of them already, and an answer by hash about an earlier one is under way.
    bench.log.push((1, contact(10), hash(10)));
    bench.connect(known(), 0);
    let told = ChangeFate {
        contact: contact(9),
        hash: hash(9),
        fate: Fate::Merged,
        code: String::new(),
        reason: String::new(),
    };
    bench.to_server.push_back(ServerEvent::Fates(vec![told]));
    bench.run();
    assert_eq!(bench.fates[&hash(9)], Fate::Merged);
    let mut cursor = 0;
    for frame in &bench.frames_down {
        match frame {
            Frame::Page(page) => cursor = page.cursor,
            Frame::Fates(fates) if !fates.merged.is_empty() || !fates.fates.is_empty() => {
                assert_eq!(cursor, bench.log.len() as u64, "{fates:?} came before its page");
            }
            _ => {}
        }
    }
    assert!(bench.fates.len() == 11 && bench.client.is_idle(), "{:?}", bench.fates);
}
