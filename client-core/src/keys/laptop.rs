//! Where a laptop keeps the secrets of a replica: in the keyring of the desktop where there is one, else in files,
//! until somebody sets a passphrase.
//!
//! Which of the three it is, is told by files: while the sealed one is there it counts, else the one that names the
//! keyring; what is elsewhere is left over from a change that ended early. So every change is one rename.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::passphrase::FILE;
use super::{
    FileKeys, KeptBy, KeyStore, KeyStoreError, Keyring, KeyringKeys, PassphraseKeys, SECRETS,
    out_of_reach,
};
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
#[derive(Clone)]
pub struct Laptop<'a> {
    home: &'a Path,
    keyring: Option<Arc<dyn Keyring>>,
}

impl<'a> Laptop<'a> {
    /// Of the replica in this directory.
    pub fn new(home: &'a Path) -> Self {
        Self { home, keyring: None }
    }

    /// With the keyring of the desktop, where there is one.
    pub fn with_keyring(self, keyring: Option<Arc<dyn Keyring>>) -> Self {
        Self { keyring, ..self }
    }

    /// Whether a passphrase is needed.
    pub fn is_sealed(&self) -> bool {
        PassphraseKeys::is_in(self.home)
    }

    /// Who keeps the secrets now; a new replica's are kept by whoever [`Self::open`] chooses.
    pub fn kept_by(&self) -> KeptBy {
        match (self.is_sealed(), KeyringKeys::is_in(self.home)) {
            (true, _) => KeptBy::Passphrase,
            (false, true) => KeptBy::Keyring,
            (false, false) => KeptBy::File,
        }
    }

    /// The store, for [`crate::OpenOptions::keys`]; the passphrase matters only where one is needed. The secrets of a
    /// new replica go to the keyring if that is there and open, else into files.
    ///
    /// # Errors
    /// [`crate::Error::Keys`] with a wrong passphrase, or without one where one is needed; where the keyring can't be
    /// reached or is not opened.
    pub fn open(&self, passphrase: Option<&Passphrase>) -> Result<Arc<dyn KeyStore>> {
        match (self.kept_by(), &self.keyring) {
            (KeptBy::Passphrase, _) => {
                let passphrase = passphrase.ok_or_else(|| locked(self.home))?;
                Ok(Arc::new(PassphraseKeys::open(self.home, passphrase)?))
            }
            (KeptBy::Keyring, Some(keyring)) => {
                Ok(Arc::new(KeyringKeys::open(self.home, Arc::clone(keyring))?))
            }
            (KeptBy::Keyring, None) => Err(out_of_reach(self.home)),
            (_, Some(keyring)) if self.is_new() && keyring.is_ready() => {
                files::private_directory(self.home)?;
                let keys = KeyringKeys::new(self.home, Arc::clone(keyring))?;
                keys.mark()?;
                Ok(Arc::new(keys))
            }
            _ => Ok(Arc::new(FileKeys::new(self.home))),
        }
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
        self.forget_keyring()?;
        self.forget_files()
    }

    /// Has the keyring keep the secrets from now on. Durable.
    ///
    /// # Errors
    /// As [`Self::set_passphrase`], and [`crate::Error::Keys`] without a keyring.
    pub fn set_keyring(&self, old: Option<&Passphrase>) -> Result<()> {
        if self.kept_by() == KeptBy::Keyring {
            return self.open(None).map(|_| ());
        }
        let Some(keyring) = &self.keyring else {
            return Err(KeyStoreError::Unavailable {
                reason: "there is no keyring of a desktop here (no DBUS_SESSION_BUS_ADDRESS, or a program that was built \
                         without); nothing was changed"
                    .into(),
            }
            .into());
        };
        let home = self.home_with(old)?;
        if KeyringKeys::is_in(self.home) {
            // A new replica: they went there just now.
            return Ok(());
        }
        let keys = KeyringKeys::new(self.home, Arc::clone(keyring))?;
        for (name, secret) in secrets(&home)? {
            keys.put(name, &secret)?;
            if keys.get(name)?.map(Zeroizing::new).as_deref() != Some(&*secret) {
                return Err(KeyStoreError::Unavailable {
                    reason: format!("the keyring did not keep `{name}`; nothing was changed"),
                }
                .into());
            }
        }
        keys.mark()?;
        files::erase(&self.home.join(FILE))?;
        files::sync_directory(self.home);
        self.forget_files()
    }

    /// Keeps the secrets in files from now on, without a passphrase; `old` is the one they are sealed with now, if
    /// they are.
    ///
    /// # Errors
    /// As [`Self::set_passphrase`].
    pub fn set_files(&self, old: Option<&Passphrase>) -> Result<()> {
        let home = self.home_with(old)?;
        let files = FileKeys::new(self.home);
        for (name, secret) in secrets(&home)? {
            files.put(name, &secret)?;
        }
        self.forget_keyring()?;
        files::erase(&self.home.join(FILE))?;
        files::sync_directory(self.home);
        Ok(())
    }

    /// Whether nothing of a replica is here yet.
    fn is_new(&self) -> bool {
        let beside = SECRETS.into_iter().chain(["replica.db", "cipher", "incarnation"]);
        !beside.into_iter().any(|name| self.home.join(name).exists())
    }

    fn home_with(&self, passphrase: Option<&Passphrase>) -> Result<Home> {
        let keys = self.open(passphrase)?;
        Home::open(self.home, Some(keys))
    }

    /// What is in the keyring while something else keeps the secrets.
    fn forget_keyring(&self) -> Result<()> {
        match &self.keyring {
            Some(keyring) if KeyringKeys::is_in(self.home) => {
                KeyringKeys::open(self.home, Arc::clone(keyring))?.forget()
            }
            _ => files::remove(&self.home.join(super::keyring::FILE)),
        }
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
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

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
        laptop.set_files(Some(&second)).unwrap();
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

    /// A keyring as a test sees it: what it holds, and whether it is open.
    #[derive(Default)]
    struct Held {
        secrets: Mutex<BTreeMap<(String, String), Vec<u8>>>,
        shut: AtomicBool,
    }

    impl Held {
        fn open(&self) -> std::result::Result<(), KeyStoreError> {
            match self.shut.load(Ordering::Relaxed) {
                true => Err(KeyStoreError::Locked { what: "it".into(), reason: "closed".into() }),
                false => Ok(()),
            }
        }
        fn count(&self) -> usize {
            self.secrets.lock().unwrap().len()
        }
    }

    impl Keyring for Held {
        fn is_ready(&self) -> bool {
            self.open().is_ok()
        }
        fn get(
            &self,
            replica: &str,
            name: &str,
        ) -> std::result::Result<Option<Vec<u8>>, KeyStoreError> {
            self.open()?;
            Ok(self.secrets.lock().unwrap().get(&(replica.to_owned(), name.to_owned())).cloned())
        }
        fn put(
            &self,
            replica: &str,
            name: &str,
            _: &str,
            secret: &[u8],
        ) -> std::result::Result<(), KeyStoreError> {
            self.open()?;
            let name = (replica.to_owned(), name.to_owned());
            self.secrets.lock().unwrap().insert(name, secret.to_vec());
            Ok(())
        }
        fn delete(&self, replica: &str, name: &str) -> std::result::Result<(), KeyStoreError> {
            self.open()?;
            self.secrets.lock().unwrap().remove(&(replica.to_owned(), name.to_owned()));
            Ok(())
        }
    }

    const MARKER: &str = super::super::keyring::FILE;

    #[test]
    fn a_new_replica_relies_on_an_open_keyring_and_one_that_is_there_stays_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let held = Arc::new(Held::default());
        let keyring: Arc<dyn Keyring> = held.clone();
        let (new, old, third) =
            (dir.path().join("new"), dir.path().join("old"), dir.path().join("third"));
        let laptop = |home| Laptop::new(home).with_keyring(Some(keyring.clone()));
        laptop(&new).open(None).unwrap().put(DATA_KEY, &[1; 32]).unwrap();
        assert_eq!((names(&new), held.count()), (vec![MARKER.to_owned()], 1));
        assert_eq!(laptop(&new).open(None).unwrap().get(DATA_KEY).unwrap().unwrap(), [1; 32]);

        std::fs::create_dir(&old).unwrap();
        FileKeys::new(&old).put(DEVICE_KEY, &[2; 80]).unwrap();
        assert_eq!(laptop(&old).open(None).unwrap().kept_by(), KeptBy::File);
        held.shut.store(true, Ordering::Relaxed);
        assert_eq!(laptop(&third).open(None).unwrap().kept_by(), KeptBy::File, "nobody is asked");
        assert!(laptop(&new).open(None).unwrap().get(DATA_KEY).is_err(), "and not: there is none");
        assert!(
            Laptop::new(&new).open(None).is_err(),
            "a program without a keyring makes no new keys"
        );
        assert!(Home::open(&new, None).is_err());
    }

    #[test]
    fn secrets_move_between_keyring_passphrase_and_files_and_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        let held = Arc::new(Held::default());
        let keyring: Arc<dyn Keyring> = held.clone();
        let laptop = Laptop::new(home).with_keyring(Some(keyring));
        let passphrase = Passphrase::from("correct horse");
        FileKeys::new(home).put(DATA_KEY, &[1; 32]).unwrap();
        FileKeys::new(home).put(DEVICE_KEY, &[2; 80]).unwrap();
        let is_whole = |old: Option<&Passphrase>| {
            let keys = laptop.open(old).unwrap();
            keys.get(DATA_KEY).unwrap().unwrap() == [1; 32]
                && keys.get(DEVICE_KEY).unwrap().unwrap() == [2; 80]
        };
        laptop.set_keyring(None).unwrap();
        assert_eq!((names(home), held.count()), (vec![MARKER.to_owned()], 2));
        assert!(is_whole(None));
        laptop.set_passphrase(None, &passphrase).unwrap();
        assert_eq!((names(home), held.count()), (vec![FILE.to_owned()], 0));
        laptop.set_keyring(Some(&passphrase)).unwrap();
        assert_eq!((names(home), held.count()), (vec![MARKER.to_owned()], 2));
        assert!(is_whole(None));
        laptop.set_files(None).unwrap();
        assert_eq!(
            (names(home), held.count()),
            (vec![DATA_KEY.to_owned(), DEVICE_KEY.to_owned()], 0)
        );
        assert!(is_whole(None));
        assert!(Laptop::new(home).set_keyring(None).is_err(), "there is none");
        assert!(is_whole(None));
    }

    #[test]
    fn a_moved_directory_takes_its_secrets_along_and_a_copied_one_gets_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let held = Arc::new(Held::default());
        let keyring: Arc<dyn Keyring> = held.clone();
        let open =
            |home: &Path| Laptop::new(home).with_keyring(Some(keyring.clone())).open(None).unwrap();
        let (first, moved, copied) =
            (dir.path().join("first"), dir.path().join("moved"), dir.path().join("copied"));
        open(&first).put(DATA_KEY, &[1; 32]).unwrap();
        std::fs::rename(&first, &moved).unwrap();
        assert_eq!(open(&moved).get(DATA_KEY).unwrap().unwrap(), [1; 32]);
        assert_eq!(held.count(), 1, "what it had under the old path is gone");
        std::fs::create_dir(&copied).unwrap();
        std::fs::copy(moved.join(MARKER), copied.join(MARKER)).unwrap();
        let copy = open(&copied);
        assert_eq!(copy.get(DATA_KEY).unwrap().unwrap(), [1; 32]);
        copy.delete(DATA_KEY).unwrap();
        copy.put(DEVICE_KEY, &[3; 80]).unwrap();
        let original = open(&moved);
        assert_eq!(
            original.get(DATA_KEY).unwrap().unwrap(),
            [1; 32],
            "the copy took nothing from it"
        );
        assert_eq!(original.get(DEVICE_KEY).unwrap(), None);
        assert_eq!(open(&copied).get(DEVICE_KEY).unwrap().unwrap(), [3; 80]);
    }
}
