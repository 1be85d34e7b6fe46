//! Revoked and wiped devices: what they may still hand over, and to whom.

use super::*;
use crate::wire::{
    Challenge, Changes, DECIDE_ITEMS_MAX, Decide, DecideItem, ERASURES_MAX, Erasures, Fetch, Hello,
    PROTOCOL, Page, Problem, Proof, ProposalVerdict, Purged, SEALED_PARTS_MAX, Sealed,
    SealedStored, Welcome, Wiped, challenge_text,
};

/// What the device of these tests says first.
fn hello(capabilities: &[&str]) -> Hello {
    Hello {
        protocol: PROTOCOL,
        workspace: WorkspaceId::from_bytes([1; 16]),
        device: DeviceId::from_bytes([2; 16]),
        app: "roadbook/0.2.0".into(),
        platform: "test".into(),
        capabilities: capabilities.iter().map(|&name| name.to_owned()).collect(),
        certificate: Vec::new(),
    }
}

/// A revoked device that has said hello with these abilities, up to the server's answer.
fn revoked_bench(capabilities: &[&str]) -> (Bench, Vec<ServerEffect>) {
    let mut bench = Bench::new();
    bench.server.handle(0, ServerEvent::Received(hello(capabilities).into()));
    let record = device_record(&bench.server_key, true);
    let effects = bench.server.handle(0, ServerEvent::Device(Some(Box::new(record))));
    (bench, effects)
}

fn sealed(part: u32, parts: u32) -> Frame {
    Sealed {
        bundle: EditId::from_bytes([5; 16]),
        part,
        parts,
        key: vec![],
        bytes: vec![],
        edits: 1,
        origin: None,
    }
    .into()
}

#[test]
fn a_revoked_device_may_hand_over_what_is_sealed_and_nothing_else() {
    let wiping = || {
        let (mut bench, effects) = revoked_bench(&["wipe"]);
        let [ServerEffect::Send(Frame::Challenge(challenge))] = &effects[..] else {
            panic!("{effects:?}")
        };
        let (workspace, device) = (WorkspaceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let text = challenge_text(&workspace, &device, &challenge.nonce);
        let proof = Proof {
            signature: bench.key.sign(&text).as_ref().to_vec(),
            timeline: known(),
            cursor: 0,
            actors: Vec::new(),
            pending: Vec::new(),
            unsent: 3,
            incomplete: false,
            lists: None,
        };
        let effects = bench.server.handle(0, ServerEvent::Received(proof.into()));
        assert_eq!(effects, [ServerEffect::LoadWipeOrder], "no place among the live, no page");
        bench
    };
    let mut bench = wiping();
    // What is published does not concern it.
    assert!(bench.server.handle(0, ServerEvent::Published(99)).is_empty());
    let effects = bench.server.handle(0, ServerEvent::Received(sealed(0, 1)));
    assert!(matches!(effects[..], [ServerEffect::StoreSealed(_)]), "{effects:?}");
    assert!(bench.server.is_saturated(), "one part at a time");
    let stored = ServerEvent::SealedStored(Ok(SealedStored::taken(EditId::from_bytes([5; 16]), 0)));
    let effects = bench.server.handle(0, stored);
    assert!(matches!(effects[..], [ServerEffect::Send(Frame::SealedStored(_))]), "{effects:?}");
    let wiped = Wiped { bundle: EditId::from_bytes([5; 16]), parts: 1 };
    let effects = bench.server.handle(0, ServerEvent::Received(wiped.clone().into()));
    assert_eq!(effects, [ServerEffect::NoteWiped(wiped.clone())]);
    let effects = bench.server.handle(0, ServerEvent::WipeNoted(wiped));
    assert!(matches!(effects[..], [ServerEffect::Send(_), ServerEffect::Close { code: 1000 }]));

    let fetch: Frame = Fetch { request: 1, contacts: vec![contact(1)] }.into();
    let changes: Frame = Changes { batch: 1, changes: Vec::new(), unsent: 0 }.into();
    for frame in [fetch, changes, sealed(1, 1), sealed(0, SEALED_PARTS_MAX + 1)] {
        let mut bench = wiping();
        let effects = bench.server.handle(0, ServerEvent::Received(frame));
        let [ServerEffect::Send(Frame::Problem(problem)), ServerEffect::Close { code: 1008 }] =
            &effects[..]
        else {
            panic!("{effects:?}")
        };
        assert_eq!(problem.code, ProblemCode::Protocol);
    }
}

#[test]
fn a_revoked_device_that_can_not_wipe_is_sent_away_as_before() {
    let (_, effects) = revoked_bench(&["seals"]);
    let [ServerEffect::Send(Frame::Problem(problem)), ServerEffect::Close { .. }] = &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(problem.code, ProblemCode::Revoked);
}

fn welcome() -> Welcome {
    Welcome {
        timeline: TimelineId::from_bytes([9; 16]),
        cursor: 5,
        server_time: 0,
        user: UserId::from_bytes([4; 16]),
        login: "rep".into(),
        user_name: "Rep".into(),
        role: "rep".into(),
        repair: false,
        minimum_app: None,
        lease_until: None,
        batch_changes_max: 10,
        workspace_name: "W".into(),
        capabilities: Vec::new(),
        lease: None,
        sealing: None,
        certificate: Vec::new(),
    }
}

#[test]
fn a_wiped_device_hands_its_parts_over_also_to_a_server_that_has_forgotten_the_order() {
    let mut bench = Bench::new();
    let standing = Box::new(Standing { wiped: true, ..*bench.standing(None, 0) });
    bench.client.handle(0, ClientEvent::Connected(standing));
    let nonce = vec![1; 32];
    let challenge = Challenge { protocol: PROTOCOL, nonce, algorithm: KeyAlgorithm::Ed25519 };
    bench.client.handle(0, ClientEvent::Received(challenge.into()));
    bench.client.handle(0, ClientEvent::Signed(vec![1; 64]));
    let effects = bench.client.handle(0, ClientEvent::Received(welcome().into()));
    assert_eq!(effects, [ClientEffect::Wipe(None)]);
    // Customer data that such a server sends is not even looked at.
    let page = Page { cursor: 9, items: Vec::new(), more: false, seal: None };
    assert!(bench.client.handle(0, ClientEvent::Received(page.into())).is_empty());
    let Frame::Sealed(part) = sealed(0, 1) else { unreachable!() };
    let effects = bench.client.handle(0, ClientEvent::Sealed(part));
    assert!(matches!(effects[..], [ClientEffect::Send(Frame::Sealed(_))]));
    let stored = SealedStored::taken(EditId::from_bytes([5; 16]), 1);
    let confirmed = SealedStored { confirmed: true, ..stored };
    let effects = bench.client.handle(0, ClientEvent::Received(confirmed.into()));
    assert_eq!(effects, [ClientEffect::WipeConfirmed, ClientEffect::Close(CloseReason::Wiped)]);
}

fn erased(contacts: &[u8]) -> Erasures {
    Erasures { contacts: contacts.iter().map(|n| contact(*n)).collect(), signature: vec![3; 64] }
}

#[test]
fn a_device_confirms_what_it_has_purged_and_is_not_done_before() {
    let mut bench = Bench::new();
    bench.connect(known(), 0);
    assert!(bench.client.is_idle());
    let effects = bench.client.handle(0, ClientEvent::Received(erased(&[1, 2]).into()));
    assert_eq!(effects, [ClientEffect::Purge(erased(&[1, 2]))], "the signature is judged there");
    assert!(!bench.client.is_idle(), "the confirmation is still to be sent");
    let gone = vec![contact(1), contact(2)];
    let effects = bench.client.handle(0, ClientEvent::Purged(gone.clone()));
    assert_eq!(effects, [ClientEffect::Send(Purged { contacts: gone }.into())]);
    assert!(bench.client.is_idle());
    // An order that the workspace did not sign: nothing was purged, nothing is confirmed.
    bench.client.handle(0, ClientEvent::Received(erased(&[3]).into()));
    assert!(bench.client.handle(0, ClientEvent::Purged(Vec::new())).is_empty());
    assert!(bench.client.is_idle());
}

#[test]
fn an_order_to_purge_out_of_place_ends_the_connection() {
    let mut bench = Bench::new();
    let standing = bench.standing(known(), 0);
    bench.client.handle(0, ClientEvent::Connected(standing));
    let effects = bench.client.handle(0, ClientEvent::Received(erased(&[1]).into()));
    assert!(
        matches!(&effects[..], [ClientEffect::Close(CloseReason::Protocol(what))]
            if what.contains("Erasures")),
        "{effects:?}"
    );
}

#[test]
fn the_server_takes_confirmations_up_to_the_limit_and_tells_of_erasures_who_can_purge() {
    let open = |capabilities: &[&str]| {
        let mut bench = Bench::new();
        bench.connect(known(), 0);
        // A second session, of a device that says what it can.
        let options = ServerOptions { nonce: NONCE, ..ServerOptions::default() };
        bench.server = ServerSession::new(0, options);
        bench.server.handle(0, ServerEvent::Received(hello(capabilities).into()));
        let record = device_record(&bench.server_key, false);
        bench.server.handle(0, ServerEvent::Device(Some(Box::new(record))));
        let (workspace, device) = (WorkspaceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let proof = Proof {
            signature: bench
                .key
                .sign(&challenge_text(&workspace, &device, &NONCE))
                .as_ref()
                .to_vec(),
            timeline: known(),
            cursor: 0,
            actors: Vec::new(),
            pending: Vec::new(),
            unsent: 0,
            incomplete: false,
            lists: None,
        };
        for effect in bench.server.handle(0, ServerEvent::Received(proof.into())) {
            bench.server_effect(effect);
        }
        while let Some(event) = bench.to_server.pop_front() {
            bench.server.handle(0, event);
        }
        assert!(bench.server.is_open(), "{capabilities:?}");
        bench
    };
    let mut bench = open(&["erasures"]);
    let effects = bench.server.handle(0, ServerEvent::Erasures(erased(&[1])));
    assert_eq!(effects, [ServerEffect::Send(erased(&[1]).into())]);
    let contacts = vec![contact(1); ERASURES_MAX];
    let effects =
        bench.server.handle(0, ServerEvent::Received(Purged { contacts: contacts.clone() }.into()));
    assert_eq!(effects, [ServerEffect::Purged(contacts.clone())]);
    let too_many = Purged { contacts: [contacts, vec![contact(2)]].concat() };
    let effects = bench.server.handle(0, ServerEvent::Received(too_many.into()));
    let [ServerEffect::Send(Frame::Problem(problem)), ServerEffect::Close { code: 1008 }] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(problem.code, ProblemCode::Protocol);
    assert!(problem.message.contains("4097"), "{}", problem.message);
    // One that drops an erased contact like any other is not told what it would not understand.
    let mut bench = open(&["seals"]);
    assert!(bench.server.handle(0, ServerEvent::Erasures(erased(&[1]))).is_empty());
}

#[test]
fn a_device_is_not_done_before_it_has_the_list_of_late_edits_and_the_answer_to_what_it_decided() {
    let item = DecideItem { i: 1, version: 0, path: "job_title".into() };
    let decide = |items: usize| Decide {
        id: EditId::from_bytes([5; 16]),
        contact: contact(1),
        device: DeviceId::from_bytes([3; 16]),
        verdict: ProposalVerdict::Accept,
        items: vec![item.clone(); items],
    };
    let mut bench = Bench::new();
    bench.tells_late_edits = false;
    bench.decisions.push(decide(1));
    bench.connect(known(), 0);
    assert!(bench.server.wants_proposals());
    assert_eq!(bench.decided, [EditId::from_bytes([5; 16])], "sent, and answered");
    for last in [false, true] {
        assert!(!bench.client.is_idle(), "the list has not come in whole");
        bench.to_server.push_back(ServerEvent::Proposals(vec![late_edits(last)]));
        bench.run();
    }
    assert!(bench.client.is_idle());
    // Decided while it is connected.
    bench.decisions.push(decide(2));
    bench.to_client.push_back(ClientEvent::Edited);
    bench.run();
    assert_eq!(bench.decided.len(), 2);
    // More than anybody decides at once.
    let frame = ServerEvent::Received(decide(DECIDE_ITEMS_MAX + 1).into());
    let effects = bench.server.handle(0, frame);
    assert!(matches!(effects.last(), Some(ServerEffect::Close { code: 1008 })), "{effects:?}");
}

#[test]
fn late_edits_go_to_devices_that_show_them_and_not_while_customer_data_is_held_back() {
    let mut bench = Bench::new();
    bench.connect(known(), 0);
    let problem = Problem {
        code: ProblemCode::RateLimited,
        message: String::new(),
        retry_after_ms: None,
        fatal: false,
        actors: Vec::new(),
    };
    bench.server.handle(0, ServerEvent::Hold(problem));
    assert!(!bench.server.wants_proposals());
    let effects = bench.server.handle(0, ServerEvent::Proposals(vec![late_edits(true)]));
    assert_eq!(effects, []);
}

#[test]
fn sealed_copies_go_one_by_one_to_a_server_that_takes_them_and_end_the_work_with_the_last() {
    for takes in [true, false] {
        let mut bench = Bench::new();
        let standing = Box::new(Standing { copies: true, ..*bench.standing(None, 0) });
        bench.client.handle(0, ClientEvent::Connected(standing));
        let nonce = vec![1; 32];
        let challenge = Challenge { protocol: PROTOCOL, nonce, algorithm: KeyAlgorithm::Ed25519 };
        bench.client.handle(0, ClientEvent::Received(challenge.into()));
        bench.client.handle(0, ClientEvent::Signed(vec![1; 64]));
        let capabilities = if takes { vec!["copies".to_owned()] } else { Vec::new() };
        let welcome = Welcome { capabilities, ..welcome() };
        let effects = bench.client.handle(0, ClientEvent::Received(welcome.into()));
        assert_eq!(effects.contains(&ClientEffect::LoadCopy), takes, "{effects:?}");
        if !takes {
            continue;
        }
        assert!(!bench.client.is_delivered());
        for part in 0..2 {
            let Frame::Sealed(copy) = sealed(part, 2) else { unreachable!() };
            let effects = bench.client.handle(0, ClientEvent::Copy(Some(copy)));
            assert!(matches!(effects[..], [ClientEffect::Send(Frame::Sealed(_))]), "{effects:?}");
            let stored = SealedStored::taken(EditId::from_bytes([5; 16]), part);
            let effects = bench.client.handle(0, ClientEvent::Received(stored.clone().into()));
            assert_eq!(effects, [ClientEffect::RecordCopied(stored), ClientEffect::LoadCopy]);
        }
        assert!(bench.client.handle(0, ClientEvent::Copy(None)).is_empty());
        // An answer to what was not handed over is none.
        let stored = SealedStored::taken(EditId::from_bytes([5; 16]), 9);
        let effects = bench.client.handle(0, ClientEvent::Received(stored.into()));
        assert!(matches!(effects[..], [ClientEffect::Close(CloseReason::Protocol(_))]));
    }
}

#[test]
fn lists_of_the_office_come_once_and_again_when_they_change_and_only_to_devices_that_keep_them() {
    let mut bench = Bench::new();
    bench.connect(None, 0);
    bench.run();
    assert_eq!(bench.lists_kept, [1]);
    assert!(bench.client.is_idle());

    // Nothing has changed: nothing is sent. Something has: it is.
    let sent = |bench: &Bench| {
        bench.frames_down.iter().filter(|frame| matches!(frame, Frame::Lists(_))).count()
    };
    for (state, frames) in [(1, 1), (2, 2), (2, 2)] {
        bench.lists = state;
        let load = bench.server.load_lists().unwrap();
        assert_eq!(load, ServerEffect::LoadLists { known: bench.lists_kept.last().copied() });
        bench.to_server.push_back(ServerEvent::Lists(vec![lists(
            state,
            bench.lists_kept.last() == Some(&state),
        )]));
        bench.run();
        assert_eq!(sent(&bench), frames, "{state}");
    }
    assert_eq!(bench.lists_kept, [1, 2]);

    // The next connection begins with what the device has: it is told that nothing has changed, and is
    // not done before it knows.
    let (kept, mut next) = (bench.lists_kept.clone(), Bench::new());
    (next.lists_kept, next.lists) = (kept, 2);
    next.connect(None, 0);
    next.run();
    assert_eq!((sent(&next), next.lists_kept.as_slice()), (1, &[1, 2][..]));
    assert!(next.client.is_idle());

    // An app that does not keep them.
    let mut old = Bench::new();
    let standing = old.standing(None, 0);
    for effect in old.client.handle(0, ClientEvent::Connected(standing)) {
        let ClientEffect::Send(Frame::Hello(mut hello)) = effect else { panic!("{effect:?}") };
        hello.capabilities.retain(|name| name != crate::wire::CAPABILITY_LISTS);
        old.client_effect(ClientEffect::Send(hello.into()));
    }
    old.run();
    assert_eq!((sent(&old), old.server.load_lists()), (0, None));
    assert!(old.server.handle(0, ServerEvent::Lists(vec![lists(9, false)])).is_empty());
}
