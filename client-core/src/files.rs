//! Small files beside the database: written whole or not at all, readable by their owner alone, and
//! overwritten before they are removed.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file whole, durably: it is there as given, or as it was before. Only its owner may read it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut pending = path.as_os_str().to_owned();
    pending.push(".new");
    let pending = Path::new(&pending);
    write_private(pending, bytes)?;
    fs::rename(pending, path).map_err(Error::file(path))?;
    if let Some(directory) = path.parent() {
        sync_directory(directory);
    }
    Ok(())
}

/// Writes a file that only its owner may read, and waits for the disk.
fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(Error::file(path))?;
    private(path, 0o600)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::file(path))
}

/// A file's bytes, or that it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(path)(error)),
    }
}

/// Writes zeros over a file before it is removed: on a file system that writes in place nothing of it
/// is left in free space. One that is not there is fine.
pub(crate) fn erase(path: &Path) -> Result<()> {
    let overwrite = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let mut left = file.metadata()?.len();
        let zeros = vec![0; 1 << 20];
        while left > 0 {
            let part = left.min(zeros.len() as u64);
            file.write_all(&zeros[..usize::try_from(part).unwrap_or(zeros.len())])?;
            left -= part;
        }
        file.sync_all()
    };
    match overwrite() {
        // What can't be overwritten (a full disk of a copying file system) is removed all the same.
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "a file could not be overwritten");
        }
        _ => {}
    }
    remove(path)
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(path)(error)),
        _ => Ok(()),
    }
}

/// Makes a rename durable. Where directories can't be synced (Windows) the rename is enough.
pub(crate) fn sync_directory(path: &Path) {
    if let Ok(directory) = File::open(path) {
        let _ = directory.sync_all();
    }
}

/// Makes a directory that only its owner may enter. One that is there keeps its permissions: somebody chose it.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(Error::file(path))?;
    private(path, 0o700)
}

/// Lets nobody but the owner at a file or a directory.
#[cfg_attr(not(unix), allow(unused_variables))]
pub(crate) fn private(path: &Path, mode: u32) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Error::file(path))?;
    }
    Ok(())
}
