//! Where a laptop keeps the secrets of a replica: in files, until somebody sets a passphrase.
//!
//! Which of the two it is, is told by one file: while the sealed one is there it counts, and what lies
//! beside it is left over from a change that ended early. So every change is one rename.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::passphrase::FILE;
use super::{FileKeys, KeyStore, KeyStoreError, PassphraseKeys, SECRETS};
use crate::error::Result;
use crate::files;
use crate::identity::Home;

/// What a person types. It is overwritten in memory once it was used.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// The text, for the one place that derives a key from it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Passphrase {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl From<String> for Passphrase {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// The secrets of the replica in one directory of a laptop.
#[derive(Debug, Clone, Copy)]
pub struct Laptop<'a> {
    home: &'a Path,
}

impl<'a> Laptop<'a> {
    /// Of the replica in this directory.
    pub fn new(home: &'a Path) -> Self {
        Self { home }
    }

    /// Whether a passphrase is needed.
    pub fn is_sealed(&self) -> bool {
        PassphraseKeys::is_in(self.home)
    }

    /// The store, for [`crate::OpenOptions::keys`]; the passphrase matters only where one is needed.
    ///
    /// # Errors
    /// [`crate::Error::Keys`] with a wrong passphrase, or without one where one is needed.
    pub fn open(&self, passphrase: Option<&Passphrase>) -> Result<Arc<dyn KeyStore>> {
        if !self.is_sealed() {
            return Ok(Arc::new(FileKeys::new(self.home)));
        }
        let passphrase = passphrase.ok_or_else(|| locked(self.home))?;
        Ok(Arc::new(PassphraseKeys::open(self.home, passphrase)?))
    }

    /// Seals the secrets under a new passphrase; `old` is the one they are sealed with now, if they are.
    /// The database is not written. Durable; the old passphrase is good for nothing afterwards.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] while a program has the replica open; [`crate::Error::Keys`]. Nothing was
    /// changed then.
    pub fn set_passphrase(&self, old: Option<&Passphrase>, new: &Passphrase) -> Result<()> {
        let home = self.home_with(old)?;
        PassphraseKeys::create(self.home, new, &secrets(&home)?)?;
        self.forget_files()
    }

    /// Keeps the secrets in files from now on, without a passphrase.
    ///
    /// # Errors
    /// As [`Self::set_passphrase`].
    pub fn remove_passphrase(&self, old: &Passphrase) -> Result<()> {
        let home = self.home_with(Some(old))?;
        let files = FileKeys::new(self.home);
        for (name, secret) in secrets(&home)? {
            files.put(name, &secret)?;
        }
        files::erase(&self.home.join(FILE))?;
        files::sync_directory(self.home);
        Ok(())
    }

    fn home_with(&self, passphrase: Option<&Passphrase>) -> Result<Home> {
        let keys = self.open(passphrase)?;
        Home::open(self.home, Some(keys))
    }

    fn forget_files(&self) -> Result<()> {
        let files = FileKeys::new(self.home);
        for name in SECRETS {
            files.delete(name)?;
        }
        Ok(())
    }
}

/// A secret with its name.
type Named = (&'static str, Zeroizing<Vec<u8>>);

/// A passphrase is needed, and there is none.
pub(crate) fn locked(home: &Path) -> crate::Error {
    KeyStoreError::Locked {
        what: home.display().to_string(),
        reason: "they are sealed under a passphrase; type it in a terminal, or name a file that holds it with --passphrase-file".into(),
    }
    .into()
}

fn secrets(home: &Home) -> Result<Vec<Named>> {
    let mut found = Vec::new();
    for name in SECRETS {
        found.extend(home.secret(name)?.map(|secret| (name, secret)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::{DATA_KEY, DEVICE_KEY};
    use super::*;
    use crate::Error;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != "lock")
            .collect();
        names.sort();
        names
    }

    #[test]
    fn secrets_move_from_files_under_a_passphrase_to_another_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (Passphrase::from("the first one"), Passphrase::from("the second"));
        let files = FileKeys::new(dir.path());
        files.put(DATA_KEY, &[1; 32]).unwrap();
        files.put(DEVICE_KEY, &[2; 80]).unwrap();
        let laptop = Laptop::new(dir.path());
        laptop.set_passphrase(None, &first).unwrap();
        assert_eq!(names(dir.path()), [FILE]);
        laptop.set_passphrase(Some(&first), &second).unwrap();
        let wrong = laptop.open(Some(&first)).err().unwrap();
        assert!(matches!(wrong, Error::Keys(KeyStoreError::WrongPassphrase { .. })), "{wrong}");
        let none = laptop.open(None).err().unwrap();
        assert!(matches!(none, Error::Keys(KeyStoreError::Locked { .. })), "{none}");
        let keys = laptop.open(Some(&second)).unwrap();
        assert_eq!(keys.get(DATA_KEY).unwrap().unwrap(), [1; 32]);
        laptop.remove_passphrase(&second).unwrap();
        assert_eq!(names(dir.path()), [DATA_KEY, DEVICE_KEY]);
        assert_eq!(files.get(DEVICE_KEY).unwrap().unwrap(), [2; 80]);
    }

    #[test]
    fn what_a_change_that_ended_early_left_in_files_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::from("correct horse");
        let sealed = [(DATA_KEY, Zeroizing::new(vec![1; 32]))];
        PassphraseKeys::create(dir.path(), &passphrase, &sealed).unwrap();
        // The sealed file is there; the files of before it are not removed yet.
        FileKeys::new(dir.path()).put(DATA_KEY, &[1; 32]).unwrap();
        let keys = Laptop::new(dir.path()).open(Some(&passphrase)).unwrap();
        let home = Home::open(dir.path(), Some(keys)).unwrap();
        assert_eq!(names(dir.path()), [FILE]);
        assert_eq!(home.secret(DATA_KEY).unwrap().unwrap()[..], [1; 32]);
    }
}
