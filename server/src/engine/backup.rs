//! A copy of the database while it is in use, and putting one back.
//!
//! A backup holds no sessions of browsers, no one-time codes and not the signing keys. It holds the actors of this
//! server's timelines, but a start never writes with an actor from before (rule 2), and a restored
//! server is found by its devices through the timeline that its start opens (rule 1).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use roadbook_protocol::ids::{Cursor, UnixMs};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::check::check_file;
use super::handle::Engine;
use super::keys;
use super::lock::DirLock;
use crate::files;
use crate::store::{self, DATABASE_FILE, EngineError, Result, schema, workspaces};

/// What stands in the file beside a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// The form of this manifest: 1.
    pub format: u32,
    /// When the backup was made, milliseconds since 1970.
    pub created_at: UnixMs,
    /// The schema of the database.
    pub schema: i64,
    /// The workspaces in it.
    pub workspaces: Vec<BackupWorkspace>,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
    /// Whether the copy was opened and checked before it got its name.
    #[serde(default)]
    pub verified: bool,
    /// Contacts in it.
    #[serde(default)]
    pub contacts: u64,
    /// Raw changes in it whose checksums were verified.
    #[serde(default)]
    pub changes: u64,
}

/// One workspace in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupWorkspace {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its public cursor.
    pub cursor: Cursor,
}

/// Where the manifest of a backup stands: `FILE.json`.
pub fn manifest_path(backup: &Path) -> PathBuf {
    beside(backup, ".json")
}

impl Engine {
    /// Writes a consistent copy of the database to `path`, and its manifest beside it. The copy is
    /// opened and checked as [`Engine::check`] checks, before it gets its name. Work goes on
    /// meanwhile. All of it is on the disk when this returns. Blocking, for as long as that takes;
    /// the log tells how far it is.
    ///
    /// The signing keys of the workspaces are not in it: see [`super::keys`].
    ///
    /// # Errors
    /// [`EngineError::Taken`] if there is a file already, [`EngineError::Damaged`] if the copy does
    /// not pass the check, [`EngineError::Io`], or what the database says (a full disk among it); no
    /// file is left behind then.
    pub fn backup(&self, path: &Path) -> Result<BackupManifest> {
        if path.exists() {
            return Err(EngineError::Taken { what: format!("the file {}", path.display()) });
        }
        let part = beside(path, ".part");
        remove_part(&part)?;
        let outcome = self.backup_to(&part, path);
        if outcome.is_err()
            && let Err(error) = remove_part(&part)
        {
            // What is half done helps nobody, but it has the name of what is half done.
            tracing::warn!(%error, "what is left of a failed backup could not be removed");
        }
        outcome
    }

    fn backup_to(&self, part: &Path, path: &Path) -> Result<BackupManifest> {
        let name = part.to_str().ok_or_else(|| EngineError::Refused {
            code: "path",
            reason: format!("{} is not valid UTF-8; choose another name", part.display()),
        })?;
        tracing::info!(file = %path.display(), "backup: copying");
        // An own connection: a copy takes long, and readers must not wait for it.
        Connection::open(&self.shared.file)?.execute("VACUUM INTO ?", [name])?;
        restrict(part).map_err(io(part))?;
        let workspaces = strip(part)?;
        tracing::info!(file = %path.display(), "backup: checking the copy");
        let report = check_file(part)?;
        if let Some(finding) = report.findings.first() {
            return Err(EngineError::damaged(
                "the copy",
                format!("{}: {} ({} findings)", finding.part, finding.what, report.findings.len()),
            ));
        }
        let (sha256, bytes) = digest(part)?;
        let manifest = BackupManifest {
            format: 1,
            created_at: self.now_ms(),
            schema: schema::LATEST,
            workspaces,
            bytes,
            sha256,
            verified: true,
            contacts: report.contacts,
            changes: report.changes,
        };
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| EngineError::damaged("the manifest", error))?;
        let manifest_part = beside(path, ".json.part");
        std::fs::write(&manifest_part, text).map_err(io(&manifest_part))?;
        sync(&manifest_part)?;
        sync(part)?;
        // The manifest first: a file under its own name is whole and has its manifest.
        let manifest_file = manifest_path(path);
        std::fs::rename(&manifest_part, &manifest_file).map_err(io(&manifest_file))?;
        std::fs::rename(part, path).map_err(io(path))?;
        files::sync_name(path).map_err(io(path))?;
        tracing::info!(file = %path.display(), bytes, "backup: done");
        Ok(manifest)
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> EngineError + use<> {
    let path = path.to_owned();
    move |source| EngineError::Io { path, source }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io(path))
}

/// Removes what is half done, and what SQLite may have put beside it.
fn remove_part(part: &Path) -> Result<()> {
    remove_all(part, &["", "-journal", "-wal", "-shm"])
}

fn remove_all(path: &Path, suffixes: &[&str]) -> Result<()> {
    for suffix in suffixes {
        let path = beside(path, suffix);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io(&path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes out what must not come to life again, and says what is in the copy.
fn strip(copy: &Path) -> Result<Vec<BackupWorkspace>> {
    let conn = Connection::open(copy)?;
    conn.pragma_update(None, "journal_mode", "DELETE")?;
    conn.pragma_update(None, "secure_delete", "ON")?;
    conn.execute_batch("DELETE FROM web_session; DELETE FROM one_time_code;")?;
    let mut list = Vec::new();
    for workspace in workspaces::list(&conn)? {
        let cursor = workspaces::cursor(&conn, workspace.id)?;
        list.push(BackupWorkspace { id: workspace.id.to_string(), name: workspace.name, cursor });
    }
    Ok(list)
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Keys that were copied in.
    pub keys: Vec<PathBuf>,
    /// Keys that have to be copied in before the server can start, by the name of the workspace.
    pub keys_missing: Vec<(String, PathBuf)>,
}

/// [`restore_with`], without keys: they are there, or are copied in later.
///
/// # Errors
/// As [`restore_with`].
pub fn restore(backup: &Path, dir: &Path) -> Result<()> {
    restore_with(backup, dir, None).map(drop)
}

/// Puts a backup into a data directory that has no database yet, and the signing keys from the
/// directory `keys` where they are kept, if one is named. The file is verified against its manifest,
/// if that stands beside it, and opened and checked in any case.
///
/// # Errors
/// [`EngineError::Taken`] if the directory has a database, [`EngineError::Damaged`] if the file is
/// not what its manifest says or does not pass the check, [`EngineError::Locked`],
/// [`EngineError::Io`]; no database is left behind then.
pub fn restore_with(backup: &Path, dir: &Path, keys: Option<&Path>) -> Result<Restored> {
    let beside_it = manifest_path(backup);
    if beside_it.exists() {
        let text = std::fs::read(&beside_it).map_err(io(&beside_it))?;
        let manifest: BackupManifest = serde_json::from_slice(&text)
            .map_err(|error| EngineError::damaged(beside_it.display().to_string(), error))?;
        let (sha256, bytes) = digest(backup)?;
        if (sha256.as_str(), bytes) != (manifest.sha256.as_str(), manifest.bytes) {
            let reason = "it is not the file that its manifest describes";
            return Err(EngineError::damaged(backup.display().to_string(), reason));
        }
    }
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    let _lock = DirLock::take(dir)?;
    let target = dir.join(DATABASE_FILE);
    if target.exists() {
        return Err(EngineError::Taken { what: format!("the data directory {}", dir.display()) });
    }
    let part = dir.join(format!("{DATABASE_FILE}.part"));
    remove_part(&part)?;
    let outcome = restore_to(backup, &part, dir, keys).and_then(|restored| {
        std::fs::rename(&part, &target).map_err(io(&target)).map(|()| restored)
    });
    if outcome.is_err()
        && let Err(error) = remove_part(&part)
    {
        tracing::warn!(%error, "what is left of a failed restore could not be removed");
    }
    let restored = outcome?;
    files::sync_name(&target).map_err(io(&target))?;
    Ok(restored)
}

fn restore_to(backup: &Path, part: &Path, dir: &Path, kept: Option<&Path>) -> Result<Restored> {
    std::fs::copy(backup, part).map_err(io(part))?;
    restrict(part).map_err(io(part))?;
    sync(part)?;
    let conn = store::open_reader(part)?;
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > schema::LATEST {
        return Err(EngineError::NewerSchema { found, known: schema::LATEST });
    }
    let list = workspaces::list(&conn)?;
    drop(conn);
    let report = check_file(part)?;
    if let Some(finding) = report.findings.first() {
        let reason = format!("{}: {}", finding.part, finding.what);
        return Err(EngineError::damaged(backup.display().to_string(), reason));
    }
    // What SQLite put beside the copy when it was checked.
    remove_all(part, &["-journal", "-wal", "-shm"])?;
    let mut restored = Restored { keys: Vec::new(), keys_missing: Vec::new() };
    for workspace in list {
        let path = keys::key_path(dir, workspace.id);
        if let Some(kept) = kept
            && keys::take_in(kept, dir, &workspace)?
        {
            restored.keys.push(path);
        } else if found > keys::SCHEMA_WITH_KEYS && !path.exists() {
            restored.keys_missing.push((workspace.name, path));
        }
    }
    Ok(restored)
}

fn digest(path: &Path) -> Result<(String, u64)> {
    let mut file = File::open(path).map_err(io(path))?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(io(path))?;
        if read == 0 {
            break;
        }
        context.update(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
    let digest = context.finish();
    Ok((hex::encode(digest), bytes))
}

/// Only the owner may read a copy of the customer base.
fn restrict(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
