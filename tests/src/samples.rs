//! One message of each type with every field in it, and what this version reads of it.

use crate::tree::{Shape, Tree};
use automerge::ChangeHash;
use roadbook_protocol::document::{CustomField, CustomKind};
use roadbook_protocol::ids::{
    Actor, ContactId, DeviceId, EditId, ListId, TimelineId, UserId, WorkspaceId,
};
use roadbook_protocol::wire::{
    self, Access, Actors, Applied, Challenge, ChangeFate, Changes, ContactHeads, Directory,
    DirectoryActor, DirectoryUser, Enrol, Enrolled, Evidence, Exception, Fate, Fates, Fetch,
    Fetched, Frame, Heads, HeadsUnknown, Hello, KeyAlgorithm, Manifest, MergedRun, Need, Offer,
    OfferItem, Offered, Page, PageItem, PendingChanges, Problem, ProblemCode, Proof, Seal, Stored,
    Tips, UpChange, Welcome,
};
use roadbook_protocol::wire::{
    Decide, DecideItem, DecideRefusal, Decided, Dropped, DropsKnown, Erasures, HandedList, Lease,
    Lists, Origin, ProposalItem, ProposalSet, ProposalVerdict, Proposals, Purged, Sealed,
    SealedStored, SealingKey, WipeOrder, Wiped,
};
use serde_json::{Value, json};

/// All of them, as the fixtures keep them.
pub fn frames() -> Value {
    let entry = |frame: &Frame| {
        let message = wire::encode(frame);
        let tree = Tree::of_message(&message);
        let shape = Shape::probe(&tree).to_json();
        json!({"name": frame.name(), "message": hex::encode(&message), "tree": tree.to_json(), "shape": shape})
    };
    json!({
        "protocol": wire::PROTOCOL,
        "frames": all().iter().map(entry).collect::<Vec<_>>(),
    })
}

const HASH: ChangeHash = ChangeHash([0x77; 32]);
const TIME: i64 = 1_780_000_000_000;

fn opening() -> Vec<Frame> {
    vec![
        Hello {
            protocol: wire::PROTOCOL,
            workspace: WorkspaceId::from_bytes([0x11; 16]),
            device: DeviceId::from_bytes([0x22; 16]),
            app: "roadbook/0.1.0".into(),
            platform: "linux 6.1".into(),
            capabilities: vec!["one".into(), "two".into()],
            certificate: vec![12; 80],
        }
        .into(),
        Enrol {
            protocol: wire::PROTOCOL,
            code: "ABCD-EFGH-JKMN".into(),
            algorithm: KeyAlgorithm::EcdsaP256,
            public_key: vec![4; 65],
            signature: vec![5; 70],
            name: "Anna's tablet".into(),
            app: "roadbook/0.1.0".into(),
            platform: "android 15".into(),
        }
        .into(),
        Proof {
            signature: vec![6; 64],
            timeline: Some(TimelineId::from_bytes([0x66; 16])),
            cursor: 4_711,
            actors: vec![Actor::from_bytes([0x55; 16]), Actor::from_bytes([0x56; 16])],
            pending: vec![PendingChanges {
                contact: ContactId::from_bytes([0x44; 16]),
                hashes: vec![HASH],
            }],
            unsent: 3,
            incomplete: true,
            lists: Some(0x0123_4567_89ab_cdef),
        }
        .into(),
        Challenge {
            protocol: wire::PROTOCOL,
            nonce: vec![7; 32],
            algorithm: KeyAlgorithm::Ed25519,
        }
        .into(),
        Enrolled {
            workspace: WorkspaceId::from_bytes([0x11; 16]),
            workspace_name: "Nordwind".into(),
            device: DeviceId::from_bytes([0x22; 16]),
            user: UserId::from_bytes([0x33; 16]),
            login: "anna".into(),
            user_name: "Anna Müller".into(),
            workspace_key: vec![8; 32],
            sealing: Some(SealingKey { key: vec![9; 32], signature: vec![10; 64] }),
            certificate: vec![11; 80],
        }
        .into(),
        Welcome {
            timeline: TimelineId::from_bytes([0x66; 16]),
            cursor: 4_712,
            server_time: TIME,
            user: UserId::from_bytes([0x33; 16]),
            login: "anna".into(),
            user_name: "Anna Müller".into(),
            role: "rep".into(),
            repair: true,
            minimum_app: Some("0.1.0".into()),
            lease_until: Some(TIME + 1),
            batch_changes_max: 1_000,
            workspace_name: "Nordwind".into(),
            capabilities: vec!["one".into()],
            lease: Some(Lease { issued_at: TIME, until: Some(TIME + 1), signature: vec![11; 64] }),
            sealing: Some(SealingKey { key: vec![9; 32], signature: vec![10; 64] }),
            certificate: vec![11; 80],
        }
        .into(),
        WipeOrder { revoked_at: TIME, sealing_key: vec![9; 32], signature: vec![12; 64] }.into(),
        Sealed {
            bundle: EditId::from_bytes([0x77; 16]),
            part: 1,
            parts: 2,
            key: vec![9; 32],
            bytes: vec![13; 100],
            edits: 3,
            origin: Some(Origin {
                device: DeviceId::from_bytes([0x22; 16]),
                key: vec![14; 32],
                vouched: vec![15; 64],
                signature: vec![16; 64],
            }),
        }
        .into(),
        SealedStored {
            bundle: EditId::from_bytes([0x77; 16]),
            part: 1,
            confirmed: true,
            code: "not_yours".into(),
            reason: "it is another user's".into(),
            taken: 1,
            proposed: 2,
            kept: 3,
        }
        .into(),
        Wiped { bundle: EditId::from_bytes([0x77; 16]), parts: 2 }.into(),
        Problem {
            code: ProblemCode::ActorTaken,
            message: "an actor is registered to another device".into(),
            retry_after_ms: Some(1_500),
            fatal: true,
            actors: vec![Actor::from_bytes([0x55; 16])],
        }
        .into(),
    ]
}

fn offer() -> Frame {
    let evidence = Evidence {
        timeline: TimelineId::from_bytes([0x66; 16]),
        as_of: 4_700,
        access: Access::Owner,
        owner: Some(UserId::from_bytes([0x33; 16])),
        epoch: 2,
        tips: vec![HASH],
        index: 1,
        count: 2,
        path: vec![ChangeHash([0x79; 32])],
        signature: vec![11; 64],
    };
    let item = OfferItem {
        contact: ContactId::from_bytes([0x44; 16]),
        evidence: vec![evidence],
        changes: vec![vec![1, 2, 3]],
        more: true,
    };
    Offer { offer: 1, items: vec![item] }.into()
}

/// One of each type at least.
pub fn all() -> Vec<Frame> {
    let item = PageItem {
        contact: ContactId::from_bytes([0x44; 16]),
        access: Access::Collaborator,
        owner: Some(UserId::from_bytes([0x33; 16])),
        epoch: 2,
        changes: vec![vec![1, 2, 3], vec![4, 5]],
        snapshot: vec![6, 7],
        row: "{\"a\":1}".into(),
        heads: vec![HASH, ChangeHash([0x78; 32])],
        signed: Some(Tips(vec![HASH])),
        generation: Some(2),
    };
    let seal = Seal { signature: vec![10; 64], as_of: 4_711 };
    let heads = ContactHeads { contact: ContactId::from_bytes([0x44; 16]), heads: vec![HASH] };
    let up = |n: u8| UpChange { contact: ContactId::from_bytes([0x44; 16]), bytes: vec![n; 90] };
    let mut all = opening();
    all.extend([
        Changes { batch: 1, changes: vec![up(1), up(2)], unsent: 4 }.into(),
        // Large enough to be compressed.
        Changes { batch: 2, changes: (0..40).map(up).collect(), unsent: 1 }.into(),
        Fetch { request: 1, contacts: vec![ContactId::from_bytes([0x44; 16])] }.into(),
        Applied { cursor: 4_712, unsent: 2, missing: 9 }.into(),
        Actors { actors: vec![Actor::from_bytes([0x55; 16])] }.into(),
        Heads { items: vec![heads.clone()], last: true }.into(),
        Stored {
            batch: 1,
            exceptions: vec![Exception {
                index: 1,
                fate: Fate::Quarantined,
                code: "not_yours".into(),
                reason: "contact 4444 is not assigned to you".into(),
            }],
        }
        .into(),
        Fates {
            merged: vec![MergedRun { batch: 1, from: 0, to: 7 }],
            fates: vec![ChangeFate {
                contact: ContactId::from_bytes([0x44; 16]),
                hash: HASH,
                fate: Fate::Replaced,
                code: "replaced".into(),
                reason: "another change carries the same edit".into(),
            }],
        }
        .into(),
        Need { contact: ContactId::from_bytes([0x44; 16]), hashes: vec![HASH] }.into(),
        Page { cursor: 4_713, items: vec![item.clone()], more: true, seal: Some(seal.clone()) }
            .into(),
        Manifest {
            cursor: 4_713,
            contacts: vec![ContactId::from_bytes([0x44; 16])],
            last: true,
            bytes_total: 12_345,
        }
        .into(),
        Fetched { request: 1, items: vec![item], last: true, seal: Some(seal) }.into(),
        Directory {
            users: vec![DirectoryUser {
                user: UserId::from_bytes([0x33; 16]),
                login: "anna".into(),
                name: "Anna Müller".into(),
            }],
            actors: vec![DirectoryActor {
                actor: Actor::from_bytes([0x55; 16]),
                user: Some(UserId::from_bytes([0x33; 16])),
            }],
            signature: vec![9; 64],
            custom_fields: Some(vec![CustomField {
                name: "Shoe size".into(),
                kind: CustomKind::Choice,
                choices: vec!["small".into(), "large".into()],
            }]),
        }
        .into(),
        HeadsUnknown { items: vec![heads.clone()], last: true, known: vec![heads] }.into(),
        Dropped { cursor: 4_711, contacts: vec![ContactId::from_bytes([0x44; 16])] }.into(),
        DropsKnown { cursor: 4_711, contacts: vec![ContactId::from_bytes([0x44; 16])] }.into(),
        Purged { contacts: vec![ContactId::from_bytes([0x44; 16])] }.into(),
        Erasures { contacts: vec![ContactId::from_bytes([0x44; 16])], signature: vec![9; 64] }
            .into(),
        decide(),
        proposals(),
        lists(),
        Decided {
            id: EditId::from_bytes([0x88; 16]),
            refused: vec![DecideRefusal {
                i: 2,
                code: "decided".into(),
                reason: "it was declined by Anna".into(),
            }],
        }
        .into(),
        offer(),
        Offered {
            offer: 1,
            refused: vec![ChangeFate {
                contact: ContactId::from_bytes([0x44; 16]),
                hash: HASH,
                fate: Fate::Erased,
                code: "erased".into(),
                reason: "the contact was erased".into(),
            }],
        }
        .into(),
    ]);
    all
}

fn decide() -> Frame {
    Decide {
        id: EditId::from_bytes([0x88; 16]),
        contact: ContactId::from_bytes([0x44; 16]),
        device: DeviceId::from_bytes([0x22; 16]),
        verdict: ProposalVerdict::Decline,
        items: vec![DecideItem { i: 2, version: 3, path: "job_title".into() }],
    }
    .into()
}

fn lists() -> Frame {
    let list = HandedList {
        id: ListId::from_bytes([0x99; 16]),
        name: "Trade fair".into(),
        by: UserId::from_bytes([0x33; 16]),
        by_name: "Anna".into(),
        at: TIME,
        contacts: vec![ContactId::from_bytes([0x44; 16])],
    };
    Lists {
        cursor: 4_711,
        first: true,
        last: true,
        lists: vec![list],
        state: 0x0123_4567_89ab_cdef,
        unchanged: false,
        left_out: 1,
    }
    .into()
}

fn proposals() -> Frame {
    let item = ProposalItem {
        i: 2,
        version: 3,
        path: "job_title".into(),
        kind: "field".into(),
        base: "\"Baker\"".into(),
        proposed: "\"Butcher\"".into(),
        at: TIME,
        state: "declined".into(),
        decided_by: Some(UserId::from_bytes([0x33; 16])),
        decided_at: Some(TIME),
        reason: Some("why".into()),
    };
    let set = ProposalSet {
        n: 5,
        contact: ContactId::from_bytes([0x44; 16]),
        device: DeviceId::from_bytes([0x22; 16]),
        author: UserId::from_bytes([0x33; 16]),
        received_at: TIME,
        items: vec![item],
    };
    let user = DirectoryUser {
        user: UserId::from_bytes([0x33; 16]),
        login: "anna".into(),
        name: "Anna".into(),
    };
    Proposals {
        cursor: 4_711,
        first: true,
        last: true,
        sets: vec![set],
        users: vec![user],
        left_out: 1,
    }
    .into()
}
