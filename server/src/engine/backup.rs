//! A copy of the database while it is in use, and putting one back.
//!
//! A backup holds no sessions of browsers and no one-time codes. It holds the actors of this
//! server's timelines, but a start never writes with an actor from before (rule 2), and a restored
//! server is found by its devices through the timeline that its start opens (rule 1).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use roadbook_protocol::ids::{Cursor, UnixMs};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::handle::Engine;
use super::lock::DirLock;
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
    let mut name = backup.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

impl Engine {
    /// Writes a consistent copy of the database to `path`, and its manifest beside it. Work goes on
    /// meanwhile. Both are on the disk when it returns. Blocking, for as long as the copy takes.
    ///
    /// # Errors
    /// [`EngineError::Taken`] if there is a file already, [`EngineError::Io`], or what the database
    /// says; no file is left behind then.
    pub fn backup(&self, path: &Path) -> Result<BackupManifest> {
        if path.exists() {
            return Err(EngineError::Taken { what: format!("the file {}", path.display()) });
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let outcome = self.backup_to(&part, path);
        if outcome.is_err() {
            // What is half done helps nobody; a failure to remove it changes nothing.
            drop(std::fs::remove_file(&part));
        }
        outcome
    }

    fn backup_to(&self, part: &Path, path: &Path) -> Result<BackupManifest> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| EngineError::Io { path, source }
        };
        if part.exists() {
            std::fs::remove_file(part).map_err(io(part))?;
        }
        let name = part.to_str().ok_or_else(|| EngineError::Refused {
            code: "path",
            reason: format!("{} is not valid UTF-8; choose another name", part.display()),
        })?;
        // An own connection: a copy takes long, and readers must not wait for it.
        Connection::open(&self.shared.file)?.execute("VACUUM INTO ?", [name])?;
        restrict(part).map_err(io(part))?;
        let workspaces = strip(part)?;
        let file = File::open(part).map_err(io(part))?;
        file.sync_all().map_err(io(part))?;
        let (sha256, bytes) = digest(part)?;
        let manifest = BackupManifest {
            format: 1,
            created_at: self.now_ms(),
            schema: schema::LATEST,
            workspaces,
            bytes,
            sha256,
        };
        let beside = manifest_path(path);
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| EngineError::damaged("the manifest", error))?;
        std::fs::write(&beside, text).map_err(io(&beside))?;
        File::open(&beside).and_then(|file| file.sync_all()).map_err(io(&beside))?;
        std::fs::rename(part, path).map_err(io(path))?;
        sync_dir(path).map_err(io(path))?;
        Ok(manifest)
    }
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

/// Puts a backup into a data directory that has no database yet. The file is verified against its
/// manifest, if that stands beside it, and opened once.
///
/// # Errors
/// [`EngineError::Taken`] if the directory has a database, [`EngineError::Damaged`] if the file is
/// not what its manifest says, [`EngineError::Locked`], [`EngineError::Io`].
pub fn restore(backup: &Path, dir: &Path) -> Result<()> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| EngineError::Io { path, source }
    };
    let beside = manifest_path(backup);
    if beside.exists() {
        let text = std::fs::read(&beside).map_err(io(&beside))?;
        let manifest: BackupManifest = serde_json::from_slice(&text)
            .map_err(|error| EngineError::damaged(beside.display().to_string(), error))?;
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
    std::fs::copy(backup, &part).map_err(io(&part))?;
    restrict(&part).map_err(io(&part))?;
    File::open(&part).and_then(|file| file.sync_all()).map_err(io(&part))?;
    let found: i64 =
        store::open_reader(&part)?.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > schema::LATEST {
        return Err(EngineError::NewerSchema { found, known: schema::LATEST });
    }
    std::fs::rename(&part, &target).map_err(io(&target))?;
    sync_dir(&target).map_err(io(&target))
}

fn digest(path: &Path) -> Result<(String, u64)> {
    let io = |source| EngineError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(io)?;
        if read == 0 {
            break;
        }
        context.update(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
    let digest = context.finish();
    Ok((digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(), bytes))
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

/// A file's name is on the disk when its directory is.
fn sync_dir(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
