//! The audit log: whoever alters it, takes something out or writes it anew is found.

use roadbook_protocol::ids::WorkspaceId;
use roadbook_server::engine::{Engine, EngineError, witness};
use roadbook_server::store::audit::{self, Ask, Verified};
use rusqlite::Connection;
use serde_json::json;

use super::support::World;

fn write(engine: &Engine, workspace: WorkspaceId, actions: &[&'static str]) {
    for action in actions.iter().copied() {
        engine
            .write(move |tx| -> Result<(), EngineError> {
                audit::append(tx, workspace, 7, None, action, "x", &json!({ "n": 1 }))
            })
            .unwrap();
    }
}

/// What the commands do: the file beside the database first, then the chain.
fn verify(world: &World) -> Verified {
    let kept: Vec<_> = witness::read(world.dir.path())
        .unwrap()
        .into_iter()
        .filter(|(of, ..)| *of == world.workspace)
        .map(|(_, n, hash)| (n, hash))
        .collect();
    assert!(!kept.is_empty(), "the end of the log stands beside the database");
    world.engine.read(|conn| audit::verify(conn, world.workspace, &kept)).unwrap()
}

/// A log of some entries; what the file says then is changed behind the engine's back.
fn tampered(statements: &str) -> (World, Verified) {
    let mut world = World::new();
    write(&world.engine, world.workspace, &["a", "b", "c", "d", "e"]);
    let before = verify(&world);
    assert!(before.is_whole(), "{before:?}");
    assert_eq!(before.entries, 6, "the workspace and five more");
    world.engine.shutdown();
    let conn = Connection::open(world.dir.path().join("roadbook.db")).unwrap();
    conn.execute_batch(
        "DROP TRIGGER audit_is_append_only_update; DROP TRIGGER audit_is_append_only_delete;",
    )
    .unwrap();
    conn.execute_batch(statements).unwrap();
    drop(conn);
    world.restart();
    let after = verify(&world);
    (world, after)
}

#[test]
fn an_untouched_log_is_whole_over_restarts() {
    let mut world = World::new();
    for _ in 0..3 {
        write(&world.engine, world.workspace, &["a", "b"]);
        world.restart();
        let report = verify(&world);
        assert!(report.is_whole(), "{report:?}");
    }
    assert_eq!(verify(&world).entries, 7);
}

#[test]
fn an_altered_entry_is_found_whatever_was_altered() {
    for set in [
        "at = 8",
        "by = zeroblob(16)",
        "action = 'z'",
        "subject = 'y'",
        "detail = '{}'",
        "hash = zeroblob(32)",
        "hash = NULL",
        "workspace = zeroblob(16)",
    ] {
        let (_, report) = tampered(&format!("UPDATE audit SET {set} WHERE action = 'c'"));
        assert!(!report.is_whole(), "{set}");
        assert!((4..=5).contains(&report.findings[0].n), "{set}: {report:?}");
    }
}

#[test]
fn an_entry_taken_out_is_found() {
    let (_, report) = tampered("DELETE FROM audit WHERE action = 'c'");
    assert_eq!(report.findings[0].n, 5, "{report:?}");
    let (_, report) = tampered("DELETE FROM audit WHERE action = 'workspace.add'");
    assert!(!report.is_whole(), "{report:?}");
}

#[test]
fn the_newest_entries_taken_out_are_found_even_if_the_end_is_put_right() {
    let (_, report) = tampered("DELETE FROM audit WHERE action IN ('d', 'e')");
    assert!(!report.is_whole(), "{report:?}");
    let (_, report) = tampered(
        "DELETE FROM audit WHERE action IN ('d', 'e');
         UPDATE audit_head SET n = 4, entries = 4,
             hash = (SELECT hash FROM audit WHERE action = 'c');",
    );
    assert!(report.findings.is_empty(), "inside the database it fits: {report:?}");
    assert_eq!(report.gaps.len(), 1, "the file beside the database knows better");
    assert_eq!(report.gaps[0].reached, "6");
    assert!(!report.is_whole());
}

#[test]
fn a_log_that_was_written_anew_as_a_whole_is_found() {
    // What a forger does who knows the program: the same log without one entry, all hashes right.
    let forged = World::new();
    write(&forged.engine, forged.workspace, &["a", "b", "d", "e"]);
    assert!(verify(&forged).is_whole());
    let mut world = World::new();
    write(&world.engine, world.workspace, &["a", "b", "c", "d", "e"]);
    world.engine.shutdown();
    let conn = Connection::open(world.dir.path().join("roadbook.db")).unwrap();
    conn.execute_batch("DROP TRIGGER audit_is_append_only_update; DROP TRIGGER audit_is_append_only_delete; DELETE FROM audit; DELETE FROM audit_head;").unwrap();
    // By the program's own hand, on the real workspace.
    let tx = conn.unchecked_transaction().unwrap();
    for action in ["workspace.add", "a", "b", "d", "e"] {
        audit::append(&tx, world.workspace, 7, None, action, "x", &json!({ "n": 1 })).unwrap();
    }
    tx.commit().unwrap();
    drop(conn);
    world.restart();
    let report = verify(&world);
    assert!(!report.is_whole(), "{report:?}");
    assert!(!report.gaps.is_empty());
}

#[test]
fn a_loss_that_somebody_accepted_is_told_and_no_alarm() {
    let (world, report) = tampered(
        "DELETE FROM audit WHERE action = 'e';
         UPDATE audit_head SET n = 5, entries = 5,
             hash = (SELECT hash FROM audit WHERE action = 'd');",
    );
    let (workspace, gap) = (world.workspace, report.gaps[0].n);
    world
        .engine
        .write(move |tx| -> Result<(), EngineError> {
            let subject = gap.to_string();
            audit::append(tx, workspace, 9, None, audit::GAP_ACCEPTED, &subject, &json!({}))
        })
        .unwrap();
    let report = verify(&world);
    assert!(report.is_whole(), "{report:?}");
    assert!(report.gaps[0].accepted);
}

#[test]
fn a_hash_that_was_noted_elsewhere_is_checked() {
    let world = World::new();
    write(&world.engine, world.workspace, &["a", "b"]);
    let noted = verify(&world);
    write(&world.engine, world.workspace, &["c"]);
    let verify = |n, hash| {
        world.engine.read(|conn| audit::verify(conn, world.workspace, &[(n, hash)])).unwrap()
    };
    let hash = audit::parse_hex(&noted.hash).unwrap();
    assert!(verify(noted.n, hash).is_whole());
    assert!(!verify(noted.n - 1, hash).is_whole());
    assert!(!verify(99, hash).is_whole());
}

#[test]
fn entries_from_before_the_chain_are_covered_by_it() {
    let mut world = World::new();
    write(&world.engine, world.workspace, &["a", "b"]);
    world.engine.shutdown();
    let path = world.dir.path().join("roadbook.db");
    // As an older release left it: no hashes, no end.
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "DROP TRIGGER audit_is_append_only_update; UPDATE audit SET hash = NULL;
         CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'no'); END;
         DELETE FROM audit_head;",
    )
    .unwrap();
    drop(conn);
    std::fs::remove_file(world.dir.path().join(witness::FILE)).unwrap();
    world.restart();
    write(&world.engine, world.workspace, &["c"]);
    let report = verify(&world);
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.entries, report.before_chain), (4, 3));
    world.engine.shutdown();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("DROP TRIGGER audit_is_append_only_update; UPDATE audit SET subject = 'y' WHERE action = 'a';").unwrap();
    drop(conn);
    world.restart();
    assert!(!verify(&world).is_whole());
}

#[test]
fn filters_find_what_fits_and_nothing_else() {
    let world = World::new();
    write(&world.engine, world.workspace, &["device.revoke", "device.enrol", "user.add"]);
    let count = |ask: Ask| {
        let listed =
            world.engine.read(|conn| audit::list(conn, world.workspace, &ask, 100, 0)).unwrap();
        let counted = world.engine.read(|conn| audit::count(conn, world.workspace, &ask)).unwrap();
        assert_eq!(listed.len() as u64, counted);
        listed.len()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(count(Ask { action: some("device"), ..Ask::default() }), 2);
    assert_eq!(count(Ask { action: some("evice"), ..Ask::default() }), 0);
    assert_eq!(count(Ask { about: some("x"), action: some("user"), ..Ask::default() }), 1);
    assert_eq!(count(Ask { since: Some(8), ..Ask::default() }), 1, "the workspace's own");
    assert_eq!(count(Ask { until: Some(8), ..Ask::default() }), 3);
    assert_eq!(count(Ask { by: Some(world.office), ..Ask::default() }), 0);
    assert_eq!(count(Ask { by_operator: true, ..Ask::default() }), 4);
}
