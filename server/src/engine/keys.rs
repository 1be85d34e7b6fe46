//! The keys of the workspaces, to sign with and to open with: files beside the database, so that a backup of the database
//! does not hold them.
//!
//! A key signs what devices believe without asking (directories, evidence of what was merged). Who
//! finds a backup must not be able to sign; and who restores one needs the key from elsewhere. A key
//! is written before anything refers to it, and never replaced.
//!
//! Sealing keys open what a device sealed before it was wiped (rule 20). A workspace may have several,
//! numbered; devices are told of the newest, the older ones still open what was sealed to them. A
//! lost one is replaced by a new one at the next start: what was sealed to it stays closed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::ids::WorkspaceId;
use roadbook_protocol::sealing::{KEY_BYTES, OpeningKey};
use rusqlite::Connection;
use serde_json::json;

use super::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use super::lock::DirLock;
use crate::files;
use crate::store::workspaces::{self, Workspace};
use crate::store::{self, DATABASE_FILE, EngineError, Result, audit};

/// The directory of the keys in the data directory.
pub const KEYS_DIR: &str = "keys";
/// The schema that kept keys in the database.
pub(super) const SCHEMA_WITH_KEYS: i64 = 1;

/// The file of a workspace's key: PKCS#8 (RFC 8410), 48 bytes.
pub fn key_path(dir: &Path, workspace: WorkspaceId) -> PathBuf {
    dir.join(KEYS_DIR).join(file_name(workspace))
}

fn file_name(workspace: WorkspaceId) -> String {
    format!("{workspace}.pk8")
}

/// What stands before the 32 bytes of an X25519 private key in PKCS#8 (RFC 8410).
const X25519_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20,
];

/// Sealing keys that one workspace may have.
const SEALING_KEYS_MAX: u32 = 10_000;

fn sealing_file_name(workspace: WorkspaceId, number: u32) -> String {
    format!("{workspace}.seal-{number}.pk8")
}

/// The sealing keys of a workspace in a directory, by number.
fn sealing_keys(keys: &Path, workspace: WorkspaceId) -> Result<Vec<(u32, OpeningKey)>> {
    let io = |source| EngineError::Io { path: keys.to_owned(), source };
    let prefix = format!("{workspace}.seal-");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(keys).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(&prefix)?.strip_suffix(".pk8")?.parse::<u32>().ok());
        let Some(number) = number else { continue };
        let path = keys.join(&name);
        let bytes = read(&path)?.unwrap_or_default();
        let key = bytes
            .strip_prefix(&X25519_HEAD)
            .and_then(OpeningKey::from_bytes)
            .ok_or_else(|| damaged(&path, "it is not a sealing key"))?;
        found.push((number, key));
    }
    found.sort_unstable_by_key(|(number, _)| *number);
    Ok(found)
}

/// Makes the sealing key of this number and writes its file.
fn make_sealing(
    dir: &Path,
    workspace: WorkspaceId,
    number: u32,
    entropy: &dyn Entropy,
) -> Result<OpeningKey> {
    let mut random = [0; KEY_BYTES];
    entropy.fill(&mut random);
    let key = OpeningKey::derive(&random);
    write(
        dir,
        &sealing_file_name(workspace, number),
        &[&X25519_HEAD[..], &key.to_bytes()].concat(),
    )?;
    Ok(key)
}

/// The keys of a running engine.
#[derive(Debug, Default)]
pub(super) struct Keys {
    signing: RwLock<HashMap<WorkspaceId, Arc<Ed25519KeyPair>>>,
    /// By number, the newest last.
    sealing: RwLock<HashMap<WorkspaceId, Vec<(u32, OpeningKey)>>>,
}

impl Keys {
    /// Loads the keys of every workspace; makes a sealing key where there is none.
    pub fn load(dir: &Path, conn: &Connection, entropy: &dyn Entropy) -> Result<Keys> {
        let keys = Keys::default();
        for workspace in workspaces::list(conn)? {
            let path = key_path(dir, workspace.id);
            let Some(pkcs8) = read(&path)? else {
                return Err(missing(&path, &workspace.name));
            };
            keys.keep(workspace.id, fitting(&path, &pkcs8, &workspace)?);
            let sealing = sealing_keys(&dir.join(KEYS_DIR), workspace.id)?;
            if sealing.is_empty() {
                keys.new_sealing(dir, workspace.id, entropy)?;
            } else {
                keys.sealing_of(workspace.id, |all| *all = sealing);
            }
        }
        Ok(keys)
    }

    /// Makes the next sealing key of a workspace: devices are told of it from now on.
    pub fn new_sealing(
        &self,
        dir: &Path,
        workspace: WorkspaceId,
        entropy: &dyn Entropy,
    ) -> Result<[u8; KEY_BYTES]> {
        self.sealing_of(workspace, |all| {
            let number = all.last().map_or(1, |(number, _)| number.saturating_add(1));
            if number > SEALING_KEYS_MAX {
                let reason = format!("a workspace has at most {SEALING_KEYS_MAX} sealing keys");
                return Err(EngineError::Refused { code: "key", reason });
            }
            let key = make_sealing(dir, workspace, number, entropy)?;
            let public = key.public();
            all.push((number, key));
            Ok(public)
        })
    }

    fn sealing_of<T>(
        &self,
        workspace: WorkspaceId,
        work: impl FnOnce(&mut Vec<(u32, OpeningKey)>) -> T,
    ) -> T {
        let mut all = self.sealing.write().unwrap_or_else(PoisonError::into_inner);
        work(all.entry(workspace).or_default())
    }

    /// The public half of what devices seal to now.
    pub fn sealing_key(&self, workspace: WorkspaceId) -> Result<[u8; KEY_BYTES]> {
        let all = self.sealing.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&workspace).and_then(|keys| keys.last()).map(|(_, key)| key.public()).ok_or_else(
            || EngineError::not_found(format!("the sealing key of workspace {workspace}")),
        )
    }

    /// The key that opens what was sealed to this public half, if it is still there.
    pub fn opening_key(&self, workspace: WorkspaceId, public: &[u8]) -> Option<OpeningKey> {
        let all = self.sealing.read().unwrap_or_else(PoisonError::into_inner);
        let keys = all.get(&workspace)?;
        keys.iter().map(|(_, key)| key).find(|key| key.public() == public).cloned()
    }

    /// Takes a key into use.
    pub fn keep(&self, workspace: WorkspaceId, pair: Ed25519KeyPair) {
        let mut all = self.signing.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(workspace, Arc::new(pair));
    }

    /// The key of a workspace.
    pub fn get(&self, workspace: WorkspaceId) -> Result<Arc<Ed25519KeyPair>> {
        let all = self.signing.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&workspace)
            .cloned()
            .ok_or_else(|| EngineError::not_found(format!("the key of workspace {workspace}")))
    }
}

/// Brings the keys out of a database of the first release: to be called before its schema is
/// migrated. They are on the disk when this returns, so that the migration may clear them.
///
/// # Errors
/// [`EngineError::Io`]; [`EngineError::Damaged`] where a file with another key is in the way.
pub(super) fn bring_out(dir: &Path, conn: &Connection) -> Result<()> {
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found != SCHEMA_WITH_KEYS {
        return Ok(());
    }
    let mut statement = conn.prepare("SELECT id, signing_key FROM workspace")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let workspace = WorkspaceId::from_bytes(row.get(0)?);
        let pkcs8: Vec<u8> = row.get(1)?;
        let path = key_path(dir, workspace);
        match read(&path)? {
            Some(kept) if kept == pkcs8 => {}
            Some(_) => {
                let reason = "the database holds another key of this workspace; put the file aside";
                return Err(damaged(&path, reason));
            }
            None => write(dir, &file_name(workspace), &pkcs8)?,
        }
    }
    Ok(())
}

/// Copies the key of a workspace in from the directory where it is kept. `false` if it is not there.
///
/// # Errors
/// [`EngineError::KeyUnfit`] if it is another's, [`EngineError::Io`].
pub(super) fn take_in(kept: &Path, dir: &Path, workspace: &Workspace) -> Result<bool> {
    let path = kept.join(file_name(workspace.id));
    let Some(pkcs8) = read(&path)? else { return Ok(false) };
    fitting(&path, &pkcs8, workspace)?;
    if !key_path(dir, workspace.id).exists() {
        write(dir, &file_name(workspace.id), &pkcs8)?;
    }
    for (number, key) in sealing_keys(kept, workspace.id)? {
        let name = sealing_file_name(workspace.id, number);
        if !dir.join(KEYS_DIR).join(&name).exists() {
            write(dir, &name, &[&X25519_HEAD[..], &key.to_bytes()].concat())?;
        }
    }
    Ok(true)
}

/// Makes a key for each workspace whose key is lost for good. Devices know the old one: until they
/// are enrolled anew they take no names and keep no evidence from this server. Returns the files.
///
/// # Errors
/// [`EngineError::Locked`], [`EngineError::Io`], what the database says.
pub fn renew(dir: &Path) -> Result<Vec<PathBuf>> {
    let _lock = DirLock::take(dir)?;
    let file = dir.join(DATABASE_FILE);
    if !file.exists() {
        return Err(EngineError::not_found(format!("the database {}", file.display())));
    }
    let mut conn = store::open_writer(&file, |conn| bring_out(dir, conn))?;
    let mut made = Vec::new();
    for workspace in workspaces::list(&conn)? {
        let path = key_path(dir, workspace.id);
        if path.exists() {
            continue;
        }
        let pair = make(dir, workspace.id, &SystemEntropy)?;
        let tx = conn.transaction()?;
        workspaces::set_public_key(&tx, workspace.id, pair.public_key().as_ref())?;
        let (now, subject) = (SystemClock.now_ms(), workspace.id.to_string());
        audit::append(&tx, workspace.id, now, None, "workspace.key", &subject, &json!({}))?;
        tx.commit()?;
        made.push(path);
    }
    Ok(made)
}

/// Makes a key and writes its file. Returns the pair.
pub(super) fn make(
    dir: &Path,
    workspace: WorkspaceId,
    entropy: &dyn Entropy,
) -> Result<Ed25519KeyPair> {
    let mut seed = [0; 32];
    entropy.fill(&mut seed);
    // PKCS#8 version 1 of an Ed25519 key (RFC 8410): a constant head and the seed.
    let mut pkcs8 = vec![
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    pkcs8.extend_from_slice(&seed);
    let pair = parse(&pkcs8).map_err(|reason| EngineError::Refused { code: "key", reason })?;
    write(dir, &file_name(workspace), &pkcs8)?;
    Ok(pair)
}

/// Writes a key so that it is on the disk, whole, when this returns. Never replaces one.
fn write(dir: &Path, name: &str, pkcs8: &[u8]) -> Result<()> {
    let keys = dir.join(KEYS_DIR);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| EngineError::Io { path, source }
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&keys).map_err(io(&keys))?;
    files::sync_dir(dir).map_err(io(dir))?;
    let path = keys.join(name);
    files::write_whole(&path, pkcs8, files::PRIVATE).map_err(io(&path))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EngineError::Io { path: path.to_owned(), source }),
    }
}

fn parse(pkcs8: &[u8]) -> std::result::Result<Ed25519KeyPair, String> {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|error| error.to_string())
}

/// The key pair, if it is the one that the workspace's devices know.
fn fitting(path: &Path, pkcs8: &[u8], workspace: &Workspace) -> Result<Ed25519KeyPair> {
    let pair = parse(pkcs8).map_err(|reason| damaged(path, &reason))?;
    if pair.public_key().as_ref() != workspace.public_key {
        let reason =
            format!("it is not the key that the devices of workspace `{}` know", workspace.name);
        return Err(damaged(path, &reason));
    }
    Ok(pair)
}

fn damaged(path: &Path, reason: &str) -> EngineError {
    EngineError::KeyUnfit { path: path.to_owned(), reason: reason.to_owned() }
}

fn missing(path: &Path, workspace: &str) -> EngineError {
    EngineError::KeyMissing { path: path.to_owned(), workspace: workspace.to_owned() }
}
