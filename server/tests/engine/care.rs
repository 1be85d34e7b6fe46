//! Check, backup, state hash, group commit.

use std::path::Path;
use std::sync::Arc;

use roadbook_protocol::document;
use roadbook_protocol::wire::Fate;
use roadbook_server::engine::{Engine, EngineError, EngineOptions, Event, backup};
use roadbook_server::store::people::{self, Purpose};
use roadbook_server::store::{Durability, sessions, workspaces};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::support::{Replica, World, next_event, open, set};

/// Changes the file behind the engine's back.
fn tamper(world: &mut World, sql: &str) {
    world.engine.shutdown();
    let conn = Connection::open(world.dir.path().join("roadbook.db")).unwrap();
    assert!(conn.execute(sql, []).unwrap() > 0, "nothing to tamper with: {sql}");
    drop(conn);
    world.restart();
}

fn parts(world: &World) -> Vec<&'static str> {
    let mut parts: Vec<_> = world.engine.check().unwrap().findings.iter().map(|f| f.part).collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

#[test]
fn check_finds_each_kind_of_damage() {
    for (sql, expected) in [
        ("UPDATE projection SET row = replace(row, 'Company 0', 'Company X')", "projection"),
        ("UPDATE projection SET owner_login = 'nobody'", "projection"),
        ("DELETE FROM projection", "projection"),
        ("UPDATE snapshot SET bytes = x'00'", "snapshot"),
        ("UPDATE log SET bytes = x'856f4a83'", "log"),
        ("DELETE FROM log", "log"),
        ("DELETE FROM change_index", "index"),
        ("UPDATE change_index SET fate = 2", "index"),
        ("UPDATE access SET sort_cursor = 0, visible_cursor = 0", "access"),
        ("DELETE FROM access", "access"),
        ("UPDATE contact SET heads = x''", "document"),
        ("UPDATE workspace SET cursor = 0", "cursor"),
        ("DELETE FROM search WHERE rowid > 0", "search"),
    ] {
        let mut world = World::new();
        let rep = world.rep("anna");
        let contacts = world.import(Some(rep.user), 2);
        world.office_edit(contacts[0], vec![set("job_title", "MMMM")]);
        world.assert_clean();
        tamper(&mut world, sql);
        assert!(parts(&world).contains(&expected), "{sql}: {:?}", parts(&world));
    }
}

#[test]
fn a_damaged_document_blocks_only_its_own_contact() {
    let mut world = World::new();
    let rep = world.rep("anna");
    let contacts = world.import(Some(rep.user), 2);
    let docs: Vec<_> =
        contacts.iter().map(|c| world.engine.document(world.workspace, *c).unwrap()).collect();
    let first =
        "UPDATE snapshot SET bytes = x'00' WHERE n = (SELECT n FROM contact ORDER BY id LIMIT 1)";
    tamper(&mut world, first);
    let made: Vec<_> = contacts
        .iter()
        .zip(docs)
        .map(|(contact, mut doc)| rep.edit(*contact, &mut doc, &[set("company", "After")]))
        .collect();
    let mut events = world.engine.events();
    let answer = world.append(&rep, &made);
    assert!(answer.outcomes.iter().all(|o| o.fate == Fate::Stored));
    next_event(&mut events, |event| matches!(event, Event::Fates { .. }).then_some(()));
    while world.engine.metrics().merges_failed == 0 {
        std::thread::yield_now();
    }
    assert_eq!(world.fates(&rep, &made), [Fate::Stored, Fate::Merged]);
    assert_eq!(world.company(contacts[1]), "After");
}

#[test]
fn a_backup_is_whole_holds_no_sessions_and_restores_to_a_new_timeline() {
    let mut world = World::new();
    let rep = world.rep("anna");
    let contacts = world.import(Some(rep.user), 3);
    let (workspace, office, now) = (world.workspace, world.office, world.engine.now_ms());
    let code = world
        .engine
        .write(move |tx| {
            sessions::create(tx, workspace, office, "cookie", "csrf", now, 1_000_000)?;
            people::new_code(tx, workspace, office, Purpose::SignIn, [9; 16], now, 1_000_000)
        })
        .unwrap();
    let file = world.dir.path().join("copy.backup");
    let manifest = world.engine.backup(&file).unwrap();
    assert_eq!(manifest.workspaces[0].cursor, world.cursor());
    assert!(matches!(world.engine.backup(&file), Err(EngineError::Taken { .. })));
    let before = world.engine.state_hash(workspace, None, None).unwrap();
    let timeline = world.engine.timeline(workspace).unwrap();
    let (_, lost) = rep.create(world.contact_id(), 1);
    world.append(&rep, &lost);
    world.merged();

    let elsewhere = tempfile::tempdir().unwrap();
    let data = elsewhere.path().join("data");
    backup::restore(&file, &data).unwrap();
    assert!(matches!(backup::restore(&file, &data), Err(EngineError::Taken { .. })));
    world.engine.shutdown();
    let missing = Engine::open(&data, EngineOptions::default()).unwrap_err();
    assert!(matches!(missing, EngineError::KeyMissing { .. }), "{missing}");
    std::fs::rename(world.dir.path().join("keys"), data.join("keys")).unwrap();
    world.engine = open(&data, &world.clock);
    assert_eq!(world.engine.state_hash(workspace, None, None).unwrap().hash, before.hash);
    assert_ne!(world.engine.timeline(workspace).unwrap(), timeline);
    assert_eq!(world.fates(&rep, &lost), [Fate::Unknown]);
    assert!(world.engine.read(|conn| sessions::find(conn, "cookie", now)).unwrap().is_none());
    let redeemed =
        world.engine.write(move |tx| people::redeem_code(tx, &code, Purpose::SignIn, now));
    assert!(matches!(redeemed, Err(EngineError::Refused { code: "code_unknown", .. })));
    world.append(&rep, &lost);
    world.merged();
    world.office_edit(contacts[0], vec![set("company", "Goes on")]);
    world.assert_clean();
}

#[test]
fn a_backup_that_was_changed_is_not_restored() {
    let world = World::new();
    let file = world.dir.path().join("copy.backup");
    world.engine.backup(&file).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[5_000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let data = world.dir.path().join("data");
    assert!(matches!(backup::restore(&file, &data), Err(EngineError::Damaged { .. })));
}

#[test]
fn the_state_hash_is_that_of_a_device_that_holds_the_same_contacts() {
    let world = World::new();
    let (anna, bert) = (world.rep("anna"), world.rep("bert"));
    let hers = world.import(Some(anna.user), 3);
    world.import(Some(bert.user), 2);
    let mut replica = Replica::default();
    replica.catch_up(&world, anna.user);
    let device = document::state_hash(
        replica.documents.iter().map(|(id, doc)| (*id, document::content_hash(doc, None))),
    );
    let of_owner = world.engine.state_hash(world.workspace, Some(anna.user), None).unwrap();
    let of_ids = world.engine.state_hash(world.workspace, None, Some(&hers)).unwrap();
    let all = world.engine.state_hash(world.workspace, None, None).unwrap();
    assert_eq!((of_owner.hash.as_str(), of_ids.hash.as_str()), (device.as_str(), device.as_str()));
    assert_ne!(all.hash, device);
    assert_eq!((of_owner.each.len(), all.each.len()), (3, 5));
}

#[test]
fn everything_that_is_queued_goes_into_one_durable_commit() {
    let world = World::new();
    let rep = world.rep("anna");
    let requests: Vec<_> =
        (0..200).map(|_| rep.request(&rep.create(world.contact_id(), 1).1)).collect();
    // The writer is held up, so that all of them are queued when it goes on.
    let (held, go) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(std::sync::Barrier::new(2)));
    let (in_held, in_go) = (Arc::clone(&held), Arc::clone(&go));
    world.engine.write_soon(move |_| {
        in_held.wait();
        in_go.wait();
        Ok(())
    });
    held.wait();
    let before = world.engine.metrics().commits_durable;
    let answers: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let (reply, answer) = oneshot::channel();
            world.engine.append(request, reply);
            answer
        })
        .collect();
    go.wait();
    for answer in answers {
        assert_eq!(answer.blocking_recv().unwrap().unwrap().outcomes[0].fate, Fate::Stored);
    }
    assert_eq!(world.engine.metrics().commits_durable - before, 1);
    world.merged();
    assert!(world.engine.metrics().commits_derived > 0);
}

#[test]
fn the_wal_is_written_back_while_the_engine_works() {
    let world = World::new();
    let workspace = world.workspace;
    let file = world.dir.path().join("roadbook.db");
    let size = |file: &Path| std::fs::metadata(file).unwrap().len();
    let text = "x".repeat(512 * 1024);
    // 40 MiB of writes; a checkpoint is due every 16.
    for i in 0..80 {
        let text = text.clone();
        world
            .engine
            .write(move |tx| workspaces::set_setting(tx, workspace, &i.to_string(), Some(&text)))
            .unwrap();
    }
    while size(&file) < 16 * 1024 * 1024 {
        std::thread::yield_now();
    }
    assert!(size(&world.dir.path().join("roadbook.db-wal")) < 100 * 1024 * 1024);
}

#[test]
fn a_write_that_fails_is_undone_and_does_not_touch_its_neighbours() {
    let world = World::new();
    let workspace = world.workspace;
    let failed: Result<(), EngineError> = world.engine.write(move |tx| {
        workspaces::set_setting(tx, workspace, "a", Some("1"))?;
        Err(EngineError::not_found("something"))
    });
    assert!(failed.is_err());
    let panicked: Result<(), EngineError> = world.engine.write(move |tx| {
        workspaces::set_setting(tx, workspace, "b", Some("1"))?;
        panic!("contained")
    });
    assert!(matches!(panicked, Err(EngineError::Panicked { .. })));
    world.engine.write(move |tx| workspaces::set_setting(tx, workspace, "c", Some("1"))).unwrap();
    let get = |name: &'static str| {
        world.engine.read(|conn| workspaces::setting(conn, workspace, name)).unwrap()
    };
    assert_eq!((get("a"), get("b"), get("c")), (None, None, Some("1".to_owned())));
}

#[test]
fn after_shutdown_everything_is_refused_and_nothing_hangs() {
    let world = World::new();
    let rep = world.rep("anna");
    let (_, made) = rep.create(world.contact_id(), 1);
    world.engine.shutdown();
    world.engine.shutdown();
    assert!(matches!(world.engine.append_blocking(rep.request(&made)), Err(EngineError::Closed)));
    assert!(matches!(world.engine.write(|_| Ok::<_, EngineError>(())), Err(EngineError::Closed)));
    assert!(matches!(world.engine.workspaces(), Err(EngineError::Closed)));
    let authored = world.engine.author(world.workspace, world.office, Vec::new());
    assert!(authored.is_ok_and(|outcomes| outcomes.is_empty()));
}

#[test]
fn codes_are_good_once_and_for_ten_minutes() {
    let world = World::new();
    let user = world.user("carl", people::Role::Rep);
    let (workspace, now) = (world.workspace, world.engine.now_ms());
    let new = |seed: u8| {
        world
            .engine
            .write(move |tx| {
                people::new_code(
                    tx,
                    workspace,
                    user,
                    Purpose::Enrol,
                    [seed; 16],
                    now,
                    people::CODE_MS,
                )
            })
            .unwrap()
    };
    let redeem = |code: String, purpose, at| {
        world.engine.write(move |tx| people::redeem_code(tx, &code, purpose, at))
    };
    let code = new(1);
    assert_eq!(code.len(), 30);
    assert!(redeem(code.clone(), Purpose::SignIn, now).is_err(), "a code is for one purpose");
    let sloppy = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
    assert_eq!(redeem(sloppy, Purpose::Enrol, now).unwrap().id, user);
    let used = redeem(code, Purpose::Enrol, now);
    assert!(matches!(used, Err(EngineError::Refused { code: "code_used", .. })));
    let old = redeem(new(2), Purpose::Enrol, now + people::CODE_MS);
    assert!(matches!(old, Err(EngineError::Refused { code: "code_expired", .. })));
}

#[test]
fn the_engine_can_be_opened_without_durability_only_on_purpose() {
    assert_eq!(EngineOptions::default().durability, Durability::Full);
    let missing = Path::new("/proc/no/such/dir");
    let failed = Engine::open(missing, EngineOptions::default());
    assert!(matches!(failed, Err(EngineError::Io { .. })), "{failed:?}");
}
