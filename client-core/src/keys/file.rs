//! Secrets in files beside the database, for a laptop that has nothing better.

use std::path::{Path, PathBuf};

use super::{KeptBy, KeyStore, KeyStoreError};
use crate::files;

/// One file for each secret, mode 0600, in the replica's directory. It keeps other users of the machine
/// out, and nobody who has the disk.
#[derive(Debug, Clone)]
pub struct FileKeys {
    directory: PathBuf,
}

impl FileKeys {
    /// In this directory, which is there when a secret is put.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl KeyStore for FileKeys {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        files::read(&self.path(name)).map_err(KeyStoreError::file)
    }

    fn put(&self, name: &str, secret: &[u8]) -> Result<(), KeyStoreError> {
        files::write_whole(&self.path(name), secret).map_err(KeyStoreError::file)
    }

    fn delete(&self, name: &str) -> Result<(), KeyStoreError> {
        files::erase(&self.path(name)).map_err(KeyStoreError::file)?;
        files::sync_directory(&self.directory);
        Ok(())
    }

    fn kept_by(&self) -> KeptBy {
        KeptBy::File
    }
}
