//! The signing keys stand outside the database: taken out of an old one, missed, wrong, made anew.

use std::path::{Path, PathBuf};

use roadbook_protocol::wire::{KeyAlgorithm, verify};
use roadbook_server::engine::{Engine, EngineError, EngineOptions, keys};
use rusqlite::Connection;

use super::support::World;

fn key_file(world: &World) -> PathBuf {
    keys::key_path(world.dir.path(), world.workspace)
}

fn holds(file: &Path, secret: &[u8]) -> bool {
    std::fs::read(file)
        .is_ok_and(|bytes| bytes.windows(secret.len()).any(|window| window == secret))
}

/// Makes the database what it was in the first release: the key in a column, no file. Returns the
/// secret half of the key.
fn of_the_first_release(world: &World) -> Vec<u8> {
    world.engine.shutdown();
    let pkcs8 = std::fs::read(key_file(world)).unwrap();
    std::fs::remove_dir_all(world.dir.path().join(keys::KEYS_DIR)).unwrap();
    let conn = Connection::open(world.dir.path().join("roadbook.db")).unwrap();
    take_back_later_schemas(&conn);
    conn.execute_batch(
        "ALTER TABLE workspace ADD COLUMN signing_key BLOB NOT NULL DEFAULT x'00';
         PRAGMA user_version = 1;",
    )
    .unwrap();
    conn.execute("UPDATE workspace SET signing_key = ?", [&pkcs8]).unwrap();
    drop(conn);
    let secret = pkcs8[16..].to_vec();
    assert!(holds(&world.dir.path().join("roadbook.db"), &secret), "the search finds it");
    secret
}

/// Drops the tables and columns that a database of the first release does not have; one of those is kept
/// beside the tests.
fn take_back_later_schemas(conn: &Connection) {
    let dir = tempfile::tempdir().unwrap();
    let first = dir.path().join("first.db");
    let kept =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/0.1.0/server/roadbook.db.zst");
    let packed = std::fs::read(kept).unwrap();
    std::fs::write(&first, zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
    conn.execute("ATTACH ? AS first", [first.to_str().unwrap()]).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    };
    let later = texts(
        "SELECT 'DROP INDEX main.' || name FROM main.sqlite_master WHERE type = 'index'
             AND sql IS NOT NULL AND name NOT IN (SELECT name FROM first.sqlite_master)
             AND tbl_name IN (SELECT name FROM first.sqlite_master)
         UNION ALL
         SELECT 'DROP TABLE ' || name FROM main.sqlite_master WHERE type = 'table'
             AND name NOT IN (SELECT name FROM first.sqlite_master)
         UNION ALL
         SELECT 'ALTER TABLE main.' || t.name || ' DROP COLUMN ' || c.name
             FROM first.sqlite_master t JOIN pragma_table_info(t.name, 'main') c
             WHERE t.type = 'table' AND t.name NOT LIKE 'search%' AND t.name NOT LIKE 'sqlite%'
             AND c.name NOT IN (SELECT name FROM pragma_table_info(t.name, 'first'))",
    );
    assert!(later.len() > 3, "{later:?}");
    for statement in later {
        conn.execute_batch(&statement).unwrap();
    }
    conn.execute_batch("DETACH first").unwrap();
}

#[test]
fn a_database_of_the_first_release_gives_its_key_to_a_file_and_forgets_it() {
    let mut world = World::new();
    let before = world.engine.public_key(world.workspace).unwrap();
    let secret = of_the_first_release(&world);
    world.restart();
    assert!(holds(&key_file(&world), &secret));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&key_file(&world)), 0o600);
        assert_eq!(mode(&world.dir.path().join(keys::KEYS_DIR)), 0o700);
    }
    for file in ["roadbook.db", "roadbook.db-wal"] {
        assert!(!holds(&world.dir.path().join(file), &secret), "{file} holds the key");
    }
    assert_eq!(world.engine.public_key(world.workspace).unwrap(), before);
    let signature = world.engine.sign(world.workspace, b"text").unwrap();
    assert!(verify(KeyAlgorithm::Ed25519, &before, b"text", &signature));
    world.assert_clean();
}

#[test]
fn a_start_that_was_cut_off_between_file_and_migration_goes_on() {
    let mut world = World::new();
    let secret = of_the_first_release(&world);
    // The file is there, the database was not migrated.
    let conn = Connection::open(world.dir.path().join("roadbook.db")).unwrap();
    let pkcs8: Vec<u8> =
        conn.query_row("SELECT signing_key FROM workspace", [], |row| row.get(0)).unwrap();
    drop(conn);
    std::fs::create_dir(world.dir.path().join(keys::KEYS_DIR)).unwrap();
    std::fs::write(key_file(&world), &pkcs8).unwrap();
    // And a half-written one of an attempt before.
    std::fs::write(key_file(&world).with_extension("part"), b"half").unwrap();
    world.restart();
    assert!(holds(&key_file(&world), &secret));
    assert!(!holds(&world.dir.path().join("roadbook.db"), &secret));
}

#[test]
fn another_key_in_the_way_is_not_replaced_and_the_database_keeps_its_own() {
    let world = World::new();
    let secret = of_the_first_release(&world);
    std::fs::create_dir(world.dir.path().join(keys::KEYS_DIR)).unwrap();
    std::fs::write(key_file(&world), b"something else").unwrap();
    let error = Engine::open(world.dir.path(), EngineOptions::default()).unwrap_err();
    assert!(matches!(error, EngineError::KeyUnfit { .. }), "{error}");
    assert!(holds(&world.dir.path().join("roadbook.db"), &secret));
    assert_eq!(std::fs::read(key_file(&world)).unwrap(), b"something else");
}

#[test]
fn a_missing_key_is_named_and_a_new_one_is_made_only_when_asked_for() {
    let mut world = World::new();
    let before = world.engine.public_key(world.workspace).unwrap();
    world.engine.shutdown();
    let kept = std::fs::read(key_file(&world)).unwrap();
    std::fs::remove_file(key_file(&world)).unwrap();
    let error = Engine::open(world.dir.path(), EngineOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, EngineError::KeyMissing { .. }), "{text}");
    assert!(text.contains(&key_file(&world).display().to_string()), "{text}");
    assert!(text.contains("copy it back") && text.contains("key new"), "{text}");
    // The way back.
    std::fs::write(key_file(&world), &kept).unwrap();
    world.restart();
    assert_eq!(world.engine.public_key(world.workspace).unwrap(), before);
    // The way out.
    world.engine.shutdown();
    assert_eq!(keys::renew(world.dir.path()).unwrap(), Vec::<PathBuf>::new(), "nothing is missing");
    std::fs::remove_file(key_file(&world)).unwrap();
    assert_eq!(keys::renew(world.dir.path()).unwrap(), [key_file(&world)]);
    world.restart();
    assert_ne!(world.engine.public_key(world.workspace).unwrap(), before);
    // The old one does not fit any more.
    world.engine.shutdown();
    std::fs::write(key_file(&world), &kept).unwrap();
    let error = Engine::open(world.dir.path(), EngineOptions::default()).unwrap_err();
    assert!(matches!(error, EngineError::KeyUnfit { .. }), "{error}");
    std::fs::remove_file(key_file(&world)).unwrap();
    keys::renew(world.dir.path()).unwrap();
    world.restart();
    world.assert_clean();
}
