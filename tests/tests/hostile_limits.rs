//! Every limit of the protocol, reached at a running server with the values of the release, and the
//! typed error that the device gets, which is what its user sees (P11).
#![allow(clippy::unwrap_used)]

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ObjType, ROOT, ReadDoc};
use roadbook_protocol::guard::mutate::{Parts, put_signed, put_unsigned};
use roadbook_protocol::ids::{Actor, ContactId, UserId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::message::ChangeMessage;
use roadbook_protocol::session::BATCH_BYTES_MAX;
use roadbook_protocol::wire::{
    self, Actors, Changes, Fate, Fates, Fetch, Frame, Problem, ProblemCode, UpChange,
};
use roadbook_tests::hostile::{
    Attacker, Others, attacker, fast, honest, load, new_actor, title, until_alone,
};
use roadbook_tests::raw::{Identity, websocket_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

const LIMITS: Limits = Limits::DEFAULT;

/// A change that no honest program makes, by way of automerge itself.
fn raw_change(
    doc: &Automerge,
    actor: Actor,
    by: UserId,
    message: Option<String>,
    work: impl FnOnce(&mut automerge::transaction::Transaction<'_>),
) -> Vec<u8> {
    write(&mut doc.fork(), actor, by, message, work)
}

/// The same, and the document has it.
fn write(
    doc: &mut Automerge,
    actor: Actor,
    by: UserId,
    message: Option<String>,
    work: impl FnOnce(&mut automerge::transaction::Transaction<'_>),
) -> Vec<u8> {
    doc.set_actor(ActorId::from(actor));
    let mut tx = doc.transaction();
    work(&mut tx);
    let said = ChangeMessage {
        by,
        at: 1_780_000_000_000,
        command: "set".to_owned(),
        replaces: Vec::new(),
        decision: None,
        generation: None,
    };
    let message = message.unwrap_or_else(|| said.to_text());
    let options = CommitOptions::default().with_message(message).with_time(0);
    let hash = tx.commit_with(options).0.unwrap();
    doc.get_change_by_hash(&hash).unwrap().raw_bytes().to_vec()
}

/// Changes that each break one limit, with the code of their refusal.
fn beyond(doc: &Automerge, actor: Actor, by: UserId) -> Vec<(&'static str, Vec<u8>)> {
    let change = |work: &dyn Fn(&mut automerge::transaction::Transaction<'_>)| {
        raw_change(doc, actor, by, None, work)
    };
    let altered = |alter: &dyn Fn(&mut Parts)| {
        let mut parts = Parts::parse(&change(&|tx| tx.put(ROOT, "x", "y").unwrap())).unwrap();
        alter(&mut parts);
        parts.change()
    };
    let long = "x".repeat(LIMITS.string_bytes_max + 1);
    vec![
        ("too_large", {
            change(&|tx| {
                for n in 0..5 {
                    tx.put(ROOT, format!("k{n}"), "x".repeat(15_000)).unwrap();
                }
            })
        }),
        ("string_too_long", change(&|tx| tx.put(ROOT, "x", long.as_str()).unwrap())),
        ("string_too_long", change(&|tx| tx.put(ROOT, long.as_str(), 1).unwrap())),
        ("too_many_operations", {
            change(&|tx| {
                for n in 0..=LIMITS.change_ops_max {
                    tx.put(ROOT, n.to_string(), 1).unwrap();
                }
            })
        }),
        ("too_deep", {
            change(&|tx| {
                let mut map = ROOT;
                for _ in 0..=LIMITS.depth_max {
                    map = tx.put_object(&map, "deeper", ObjType::Map).unwrap();
                }
            })
        }),
        ("inflates_too_large", {
            // One key of 10 kB for 2,000 operations, said once.
            altered(&|parts| {
                let rows = LIMITS.change_ops_max as i64;
                for (spec, value) in [(0x42, 1), (0x56, 0), (0x70, 0)] {
                    let column = parts.column(spec);
                    column.clear();
                    put_signed(column, rows);
                    put_unsigned(column, value);
                }
                *parts.column(0x34) = vec![0xd0, 0x0f];
                let column = parts.column(0x15);
                column.clear();
                put_signed(column, rows);
                put_unsigned(column, 10_000);
                column.extend(vec![b'k'; 10_000]);
                parts.columns.retain(|(spec, _)| matches!(spec, 0x15 | 0x34 | 0x42 | 0x56 | 0x70));
                parts.others.clear();
            })
        }),
        ("counter_too_high", altered(&|parts| parts.start_op = LIMITS.op_counter_max + 1)),
        ("sequence_too_high", altered(&|parts| parts.seq = LIMITS.document_changes_max + 1)),
        ("too_many_dependencies", {
            let deps = (0..=LIMITS.change_deps_max as u8).map(|n| [n; 32]).collect::<Vec<_>>();
            altered(&|parts| parts.deps.clone_from(&deps))
        }),
        ("too_many_actors", altered(&|parts| parts.others = vec![vec![1; 16]; 300])),
        ("message_too_long", {
            let message = "x".repeat(LIMITS.change_message_bytes_max + 1);
            raw_change(doc, actor, by, Some(message), |tx| tx.put(ROOT, "x", 1).unwrap())
        }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_beyond_any_limit_is_set_aside_with_the_name_of_the_limit() {
    let scene = fast();
    scene.reps(&["ada"]);
    scene.import(81, 1, Some("ada"));
    let mut others = Others::join(&scene).await;
    let (_, mut ada) = attacker(&scene, "ada").await;
    let (&contact, doc) = ada.documents.iter().next().unwrap();
    let (doc, user) = (doc.fork(), ada.user);
    let actor = ada.actor().await;
    let mut reasons = Vec::new();
    for (code, change) in beyond(&doc, actor, user) {
        let stored = ada.offer(vec![(contact, change)]).await;
        let exception = stored.exceptions.into_iter().next().unwrap_or_else(|| panic!("{code}"));
        assert_eq!((exception.code.as_str(), exception.fate), (code, Fate::Quarantined));
        assert!(exception.reason.contains("more than the"), "{exception:?}");
        println!("{code}: {}", exception.reason);
        reasons.push(exception.reason);
    }
    // A few bytes that claim billions: run lengths, and the lengths of columns.
    let plain = raw_change(&doc, actor, user, None, |tx| tx.put(ROOT, "x", "y").unwrap());
    let parts = Parts::parse(&plain).unwrap();
    let mut enormous = Vec::new();
    for at in 0..parts.columns.len() {
        for run in [i64::MAX, i64::MIN, 1 << 40, -(1 << 40), 1 << 31] {
            let mut parts = parts.clone();
            let (_, data) = &mut parts.columns[at];
            let rest = data.split_off(1);
            data.clear();
            put_signed(data, run);
            data.extend(rest);
            enormous.push((contact, parts.change()));
        }
    }
    let count = enormous.len();
    assert!(count > 20, "{count}");
    let stored = ada.offer(enormous).await;
    assert_eq!(stored.exceptions.len(), count, "{stored:?}");
    // The admin finds the reason beside the bytes.
    let list = scene.admin(&["quarantine", "list", "--json"]).json().to_string();
    for reason in reasons.iter().filter(|reason| reason.contains("allowed")) {
        let told = reason.split(';').next().unwrap().rsplit(": ").next().unwrap();
        assert!(list.contains(told) || reason.contains("bytes of the change"), "{told} in {list}");
    }
    // None of it stands in the way of an honest edit.
    let change = honest(&mut doc.fork(), actor, user, &[title("honest")]);
    assert!(ada.offer(vec![(contact, change)]).await.exceptions.is_empty());
    ada.merged(ada.batch, 0).await;
    others.work("the end of it").await;
    drop(ada);
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_wait_for_others_are_few_and_the_next_one_is_told_so() {
    let scene = fast();
    scene.reps(&["ada"]);
    scene.import(82, 1, Some("ada"));
    let others = Others::join(&scene).await;
    let (_, mut ada) = attacker(&scene, "ada").await;
    let (&contact, doc) = ada.documents.iter().next().unwrap();
    let (doc, user) = (doc.fork(), ada.user);
    let orphan = |actor: Actor, n: u8, bytes: usize| {
        let values = bytes / 15_000;
        let change = raw_change(&doc, actor, user, None, |tx| {
            tx.put(ROOT, "x", i64::from(n)).unwrap();
            for value in 0..values {
                tx.put(ROOT, format!("x{value}"), "x".repeat(15_000)).unwrap();
            }
        });
        let mut parts = Parts::parse(&change).unwrap();
        parts.deps = vec![[n; 32]];
        (contact, parts.change())
    };
    let actor = ada.actor().await;
    let many = (0..=LIMITS.waiting_changes_max as u8).map(|n| orphan(actor, n, 0)).collect();
    let stored = ada.offer(many).await;
    let waiting = stored.exceptions.iter().filter(|one| one.code == "waiting").count();
    assert_eq!(waiting, LIMITS.waiting_changes_max, "{stored:?}");
    let last = stored.exceptions.last().unwrap();
    println!("{}: {}", last.code, last.reason);
    assert_eq!((last.fate, last.code.as_str()), (Fate::Waiting, "waiting_full"), "{last:?}");
    drop(ada);
    until_alone(&scene).await;
    // And few in bytes.
    let (_, mut ada) = attacker(&scene, "ada").await;
    let actor = ada.actor().await;
    let mut kept = 0;
    let refused = loop {
        let stored = ada.offer(vec![orphan(actor, kept as u8, 60_000)]).await;
        let exception = stored.exceptions.into_iter().next().unwrap();
        if exception.code != "waiting" {
            break exception;
        }
        kept += 1;
        assert!(kept < LIMITS.waiting_changes_max, "the bytes are bounded before the number");
    };
    assert_eq!(refused.code, "waiting_full", "{refused:?}");
    assert!(
        kept * 60_000 <= LIMITS.waiting_bytes_max && (kept + 1) * 61_000 > LIMITS.waiting_bytes_max
    );
    drop(ada);
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

async fn ended(identity: &Identity, url: &str, frame: Frame) -> Problem {
    let (mut raw, _) = identity.open(url, &[]).await;
    raw.send(frame).await;
    raw.ending().await.expect("it is told why")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_beyond_any_limit_ends_the_connection_with_the_limit() {
    let scene = fast();
    scene.reps(&["ada"]);
    let others = Others::join(&scene).await;
    let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
    let (contact, url) = (ContactId::from_bytes([7; 16]), scene.url());
    let change = UpChange { contact, bytes: vec![1] };
    let told = |problem: Problem, limit: usize| {
        println!("{}", problem.message);
        assert_eq!(problem.code, ProblemCode::Protocol, "{problem:?}");
        assert!(problem.message.contains(&limit.to_string()), "{limit} in {problem:?}");
    };
    let batch =
        Changes { batch: 1, changes: vec![change; LIMITS.batch_changes_max + 1], unsent: 0 };
    told(ended(&identity, &url, batch.into()).await, LIMITS.batch_changes_max);
    let fetch = Fetch { request: 1, contacts: vec![contact; LIMITS.page_documents_max + 1] };
    told(ended(&identity, &url, fetch.into()).await, LIMITS.page_documents_max);
    let actors = Actors { actors: vec![new_actor(); 4_097] };
    told(ended(&identity, &url, actors.into()).await, 4_096);
    // Beyond what a message may inflate to, and what the first one may.
    let zeros = Changes {
        batch: 1,
        changes: vec![UpChange { contact, bytes: vec![0; LIMITS.message_inflated_bytes_max] }],
        unsent: 0,
    };
    told(ended(&identity, &url, zeros.into()).await, LIMITS.message_inflated_bytes_max);
    let mut stranger = roadbook_tests::raw::Raw::connect(&url).await;
    let hello = wire::Hello { app: "x".repeat(65_536), ..identity.hello() };
    stranger.send(hello).await;
    told(stranger.ending().await.unwrap(), 65_536);
    // A websocket frame, and a message of frames that each are small enough.
    for (what, frames) in [
        ("frame", vec![websocket_frame(2, true, &vec![0; LIMITS.frame_bytes_max + 1])]),
        ("message", {
            let part = vec![0; LIMITS.frame_bytes_max - 1];
            let mut frames = vec![websocket_frame(2, false, &part)];
            frames.extend(vec![websocket_frame(0, false, &part); 4]);
            frames
        }),
    ] {
        let (raw, _) = identity.open(&url, &[]).await;
        let mut tcp = raw.into_tcp();
        for frame in frames {
            tcp.write_all(&frame).await.unwrap();
        }
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest).await;
        assert!(rest.windows(2).any(|code| code == 1009_u16.to_be_bytes()), "{what}: too big");
        let limit = if what == "frame" { LIMITS.frame_bytes_max } else { LIMITS.message_bytes_max };
        let text = String::from_utf8_lossy(&rest);
        assert!(text.contains(&format!("the limit is {limit}")), "{what}: {text}");
    }
    let (mut raw, _) = identity.open(&url, &[]).await;
    raw.send_message(Message::text("text")).await;
    let problem = raw.ending().await.unwrap();
    assert!(problem.message.contains("text"), "{problem:?}");
    drop((raw, stranger));
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}

/// Offers changes in batches and counts what became of them, until each has its fate.
async fn fates(
    ada: &mut Attacker,
    contact: ContactId,
    changes: Vec<Vec<u8>>,
) -> (usize, Vec<String>) {
    let (mut merged, mut aside) = (0, Vec::new());
    let mut open = changes.len();
    // As a device cuts its batches.
    let mut batches: Vec<Vec<Vec<u8>>> = vec![Vec::new()];
    let (mut bytes, mut count) = (0, 0);
    for change in changes {
        bytes += change.len();
        count += 1;
        if bytes > BATCH_BYTES_MAX || count > LIMITS.batch_changes_max {
            (bytes, count) = (change.len(), 1);
            batches.push(Vec::new());
        }
        batches.last_mut().unwrap().push(change);
    }
    let mut parts = batches.into_iter();
    let mut flying = 0;
    while open > 0 {
        while flying < 3
            && let Some(part) = parts.next()
        {
            ada.batch += 1;
            let changes = part.into_iter().map(|bytes| UpChange { contact, bytes }).collect();
            ada.raw.send(Changes { batch: ada.batch, changes, unsent: 0 }).await;
            flying += 1;
        }
        match ada.raw.until(Some).await {
            Frame::Stored(stored) => {
                flying -= 1;
                open -= stored.exceptions.len();
                aside.extend(stored.exceptions.into_iter().map(|one| one.code));
            }
            Frame::Fates(Fates { merged: runs, fates }) => {
                for run in runs {
                    let count = (run.to - run.from + 1) as usize;
                    merged += count;
                    open -= count;
                }
                for fate in fates {
                    open -= 1;
                    match fate.fate {
                        Fate::Merged => merged += 1,
                        _ => aside.push(fate.code),
                    }
                }
            }
            _ => {}
        }
    }
    (merged, aside)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_contact_takes_no_more_and_says_what_it_is_full_of() {
    let scene = fast();
    scene.reps(&["ada"]);
    scene.import(83, 5, Some("ada"));
    let mut others = Others::join(&scene).await;
    let (_, mut ada) = attacker(&scene, "ada").await;
    let user = ada.user;
    let mut contacts: Vec<_> = std::mem::take(&mut ada.documents).into_iter().collect();
    let full = |what: &str, sent: usize, (merged, aside): (usize, Vec<String>)| {
        println!("{what}: {merged} of {sent} merged");
        assert!(!aside.is_empty(), "{what}: all {sent} were merged");
        assert!(aside.iter().all(|code| code == what), "{what}: {aside:?}");
        merged
    };

    // Branches that know nothing of each other.
    let (contact, doc) = contacts.pop().unwrap();
    let mut changes = Vec::new();
    for n in 0..LIMITS.document_heads_max + 10 {
        let actor = ada.actor().await;
        changes.push(honest(&mut doc.fork(), actor, user, &[title(format!("branch {n}"))]));
    }
    let sent = changes.len();
    let merged = full("document_heads", sent, fates(&mut ada, contact, changes).await);
    assert_eq!(merged, LIMITS.document_heads_max);
    // Who knows them all joins them.
    let mut doc = load(&ada.raw.fetch(1, &[contact]).await[0].snapshot);
    let actor = ada.actor().await;
    let joins = honest(&mut doc, actor, user, &[title("joined")]);
    assert_eq!(fates(&mut ada, contact, vec![joins]).await, (1, vec![]));

    // Actors, one after the other.
    let (contact, mut doc) = contacts.pop().unwrap();
    let mut changes = Vec::new();
    for n in 0..LIMITS.document_actors_max + 5 {
        let actor = ada.actor().await;
        // An honest program would not make it: it knows the limit.
        changes.push(write(&mut doc, actor, user, None, |tx| {
            tx.put(ROOT, "job_title", format!("actor {n}")).unwrap();
        }));
    }
    let sent = changes.len();
    let (merged, aside) = fates(&mut ada, contact, changes).await;
    println!("document_actors: {merged} of {sent} merged");
    assert_eq!(aside[0], "document_actors", "{aside:?}");
    // What was made on top of it, whether it came before its fate was known or after.
    let behind = |code: &String| code == "depends_on_refused" || code == "dependency";
    assert!(aside[1..].iter().all(behind), "{aside:?}");
    assert!(merged <= LIMITS.document_actors_max, "{merged}");
    others.work("contacts that are full").await;

    // Bytes.
    let (contact, mut doc) = contacts.pop().unwrap();
    let actor = ada.actor().await;
    let mut changes = Vec::new();
    for n in 0..20 {
        changes.push(write(&mut doc, actor, user, None, |tx| {
            for value in 0..4 {
                let text: String = (0..15_000).map(|_| fastrand::alphanumeric()).collect();
                tx.put(ROOT, format!("x{n}.{value}"), text).unwrap();
            }
        }));
    }
    let sent = changes.len();
    let (merged, aside) = fates(&mut ada, contact, changes).await;
    println!("document_bytes: {merged} of {sent} merged");
    assert_eq!(aside[0], "document_bytes", "{aside:?}");
    assert!((16..=18).contains(&merged), "{merged} of 60 kB each");

    // Operations: a long text is many of them.
    let (contact, mut doc) = contacts.pop().unwrap();
    let actor = ada.actor().await;
    let mut changes = Vec::new();
    for _ in 0..LIMITS.document_ops_max / 1_900 + 3 {
        changes.push(write(&mut doc, actor, user, None, |tx| {
            let (_, note) = tx.get(ROOT, "note").unwrap().unwrap();
            tx.splice_text(&note, 0, 0, &"y".repeat(1_900)).unwrap();
        }));
        changes.push(write(&mut doc, actor, user, None, |tx| {
            let (_, note) = tx.get(ROOT, "note").unwrap().unwrap();
            tx.splice_text(&note, 0, 1_900, "").unwrap();
        }));
    }
    let sent = changes.len();
    let (merged, aside) = fates(&mut ada, contact, changes).await;
    println!("document_operations: {merged} of {sent} merged");
    assert_eq!(aside[0], "document_operations", "{aside:?}");
    others.work("contacts that are full, still").await;

    // Changes.
    let (contact, mut doc) = contacts.pop().unwrap();
    let actor = ada.actor().await;
    let sent = LIMITS.document_changes_max as usize + 10;
    let mut changes = Vec::with_capacity(sent);
    for n in 0..sent {
        changes.push(write(&mut doc, actor, user, None, |tx| {
            tx.put(ROOT, "job_title", n.to_string()).unwrap();
        }));
    }
    let (merged, aside) = fates(&mut ada, contact, changes).await;
    println!("document_changes: {merged} of {sent} merged");
    assert!(aside.iter().any(|code| code == "document_changes"), "{aside:?}");
    drop(ada);
    until_alone(&scene).await;
    others.assert_unharmed(&scene).await;
}
