//! What earlier versions left behind: `tests/fixtures/VERSION/`, and how to put it to use.
//!
//! `tests/fixtures/README.md` says what lies there and how it was made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use roadbook_client_core::{OpenOptions, Replica};
use serde_json::Value;

use crate::process::admin;
use crate::scene::Scene;
use crate::tree::{Shape, Tree};

/// Fixtures are compressed once and kept for ever.
const LEVEL: i32 = 19;

/// The fixtures of one released version.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The version.
    pub version: String,
    dir: PathBuf,
}

/// One message that went over the wire.
#[derive(Debug, Clone)]
pub struct Said {
    /// Whether it went up, to the server.
    pub up: bool,
    /// The frame.
    pub tree: Tree,
}

/// One type of frame.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its name.
    pub name: String,
    /// The message: every field is there.
    pub message: Vec<u8>,
    /// What the message said.
    pub tree: Tree,
    /// What that version reads of it.
    pub shape: Shape,
}

/// Where all fixtures lie.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The fixtures of every version that there is.
pub fn all() -> Vec<Fixture> {
    let mut all: Vec<Fixture> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("about.json").exists())
        .map(|dir| Fixture { version: dir.file_name().unwrap().to_str().unwrap().to_owned(), dir })
        .collect();
    all.sort_by(|a, b| a.version.cmp(&b.version));
    assert!(!all.is_empty(), "{} holds the fixtures of released versions", directory().display());
    all
}

impl Fixture {
    /// A JSON file of it, such as `server/expected`.
    #[track_caller]
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.bytes(&format!("{name}.json"))).unwrap()
    }

    /// The bytes of a file, unpacked if it is packed.
    #[track_caller]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let plain = self.dir.join(name);
        if plain.exists() {
            return std::fs::read(plain).unwrap();
        }
        let packed = self.dir.join(format!("{name}.zst"));
        let bytes = std::fs::read(&packed).unwrap_or_else(|e| panic!("{}: {e}", packed.display()));
        zstd::stream::decode_all(&bytes[..]).unwrap()
    }

    /// Names of the replicas that lie there.
    pub fn replicas(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.join("replicas"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Lays the server's data out in this directory.
    pub fn server(&self, to: &Path) {
        unpack(&self.dir.join("server"), to);
    }

    /// Lays a replica out in this directory, for a server at this address.
    pub fn replica(&self, name: &str, to: &Path, url: &str) {
        unpack(&self.dir.join("replicas").join(name), to);
        let conn = rusqlite::Connection::open(to.join("replica.db")).unwrap();
        let changed =
            conn.execute("UPDATE meta SET value = ?1 WHERE key = 'server_url'", [url]).unwrap();
        assert_eq!(changed, 1, "the replica knows its server");
        conn.close().unwrap();
    }

    /// Lays a replica out and opens it.
    pub fn open(&self, name: &str, to: &Path, url: &str) -> Replica {
        self.replica(name, to, url);
        let options = OpenOptions { machine_id: Some("a test".into()), ..OpenOptions::default() };
        Replica::open(to, options).unwrap()
    }

    /// The frames of that version, one of each type at least.
    pub fn samples(&self) -> Vec<Sample> {
        let read = |entry: &Value| Sample {
            name: entry["name"].as_str().unwrap().to_owned(),
            message: hex::decode(entry["message"].as_str().unwrap()).unwrap(),
            tree: Tree::from_json(&entry["tree"]),
            shape: Shape::from_json(&entry["shape"]),
        };
        self.json("frames")["frames"].as_array().unwrap().iter().map(read).collect()
    }

    /// All that was said in a session of that version.
    pub fn session(&self, name: &str) -> Vec<Said> {
        let read = |entry: &Value| Said {
            up: entry["up"].as_bool().unwrap(),
            tree: Tree::from_json(&entry["frame"]),
        };
        self.json(&format!("sessions/{name}"))["said"]
            .as_array()
            .unwrap()
            .iter()
            .map(read)
            .collect()
    }
}

/// A running server with the data of that version.
#[track_caller]
pub fn served(fixture: &Fixture) -> Scene {
    let mut scene = Scene::new();
    scene.stop();
    std::fs::remove_dir_all(scene.data()).unwrap();
    fixture.server(&scene.data());
    scene.start();
    scene
}

/// The hash of each contact of a server that does not run, once everything that is stored there is
/// merged: a command may be done before that is.
#[track_caller]
pub fn merged_state_hash(data: &Path) -> Value {
    for _ in 0..300 {
        let hash = admin(data, &["state-hash", "--each", "--json"]).json();
        if hash["unmerged"] == 0 {
            return hash;
        }
    }
    panic!("what is stored in {} is never merged", data.display());
}

/// Copies the keys of workspaces: no backup holds them, and a server is not itself without them.
pub fn copy_keys(from: &Path, to: &Path) {
    let (from, to) = (from.join("keys"), to.join("keys"));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A list of objects by one of their fields.
#[track_caller]
pub fn by(list: &Value, field: &str) -> BTreeMap<String, Value> {
    let key = |entry: &Value| entry[field].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(|entry| (key(entry), entry.clone())).collect()
}

/// Asserts that a later version says all that an earlier one said; it may say more.
#[track_caller]
pub fn assert_holds(new: &Value, old: &Value) {
    if let Err(error) = holds(new, old, "") {
        panic!(
            "{error}
now: {new:#}
then: {old:#}"
        );
    }
}

fn holds(new: &Value, old: &Value, path: &str) -> Result<(), String> {
    match (new, old) {
        (Value::Object(found), Value::Object(fields)) => {
            fields.iter().try_for_each(|(name, field)| {
                let path = format!("{path}/{name}");
                match found.get(name) {
                    Some(found) => holds(found, field, &path),
                    None if field.is_null() => Ok(()),
                    None => Err(format!("{path} is gone")),
                }
            })
        }
        (Value::Array(found), Value::Array(items)) if found.len() == items.len() => found
            .iter()
            .zip(items)
            .enumerate()
            .try_for_each(|(at, (found, item))| holds(found, item, &format!("{path}/{at}"))),
        _ if new == old => Ok(()),
        _ => Err(format!("{path} is {new}, and was {old}")),
    }
}

/// Files that belong to a running program, not to its data.
const NOT_KEPT: [&str; 2] = ["lock", "roadbook.lock"];

/// Packs a directory of data: databases are compressed, without a log beside them.
pub fn pack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            pack(&path, &to.join(name));
            continue;
        }
        if !path.is_file() || NOT_KEPT.contains(&name.as_str()) || name.contains(".db-") {
            continue;
        }
        if name.ends_with(".db") {
            let conn = rusqlite::Connection::open(&path).unwrap();
            let busy: i64 =
                conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
            assert_eq!(busy, 0, "{} is not in use", path.display());
            conn.close().unwrap();
            save(&to.join(name), &std::fs::read(&path).unwrap());
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// Compresses bytes into the file of that name with `.zst` behind it.
pub fn save(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let packed = zstd::stream::encode_all(bytes, LEVEL).unwrap();
    std::fs::write(format!("{}.zst", path.display()), packed).unwrap();
}

fn unpack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            unpack(&path, &to.join(name));
            continue;
        }
        if name.starts_with("expected.") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        match name.strip_suffix(".zst") {
            Some(plain) => {
                let bytes = zstd::stream::decode_all(&bytes[..]).unwrap();
                std::fs::write(to.join(plain), bytes).unwrap();
            }
            None => std::fs::write(to.join(name), bytes).unwrap(),
        }
    }
}
