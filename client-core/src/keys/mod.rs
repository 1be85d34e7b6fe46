//! Who keeps the secrets of a replica: the platform, through [`KeyStore`].
//!
//! There are two secrets, each under a name: the data key that the database is encrypted with, and the
//! device key that speaks for the device at the server. Both stand outside the database, and nothing
//! else of a replica is secret. A phone keeps them in its keystore; on a laptop [`KeyringKeys`] has the desktop's
//! keyring keep them where there is one, else [`FileKeys`] keeps them in files beside the database, or
//! [`PassphraseKeys`] seals them under a passphrase.

mod device;
mod file;
mod keyring;
mod laptop;
mod passphrase;

pub(crate) use device::DeviceKey;
pub use device::Signer;
pub use file::FileKeys;
pub(crate) use keyring::out_of_reach;
pub use keyring::{Keyring, KeyringKeys};
pub(crate) use laptop::locked;
pub use laptop::{Laptop, Passphrase};
pub use passphrase::PassphraseKeys;

use std::path::PathBuf;

use serde::Serialize;

/// The 256-bit key that the database is encrypted with.
pub const DATA_KEY: &str = "data.key";
/// The private key of the device, PKCS#8; what stands for it where a [`Signer`] has it.
pub const DEVICE_KEY: &str = "device.key";
/// The private key of an enrolment under way, PKCS#8; [`DEVICE_KEY`] once the server has granted it.
pub const DEVICE_KEY_NEW: &str = "device.key.new";
/// All names that a replica asks for.
pub const SECRETS: [&str; 3] = [DATA_KEY, DEVICE_KEY, DEVICE_KEY_NEW];

/// Keeps small named secrets for one replica. The platform implements it.
///
/// Each method may block (a keystore in hardware takes tens of milliseconds) and may be called from any
/// thread. What was put is durable, and is what `get` returns, once `put` has returned. Two replicas
/// must not share the names of one store.
pub trait KeyStore: Send + Sync + 'static {
    /// The secret of this name; `None` where there is none.
    ///
    /// # Errors
    /// Where the store can't tell. It must never say `None` of a secret that it has and can't open now.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Keeps a secret (at most 4 KiB) in the place of what had its name.
    ///
    /// # Errors
    /// Nothing was changed then.
    fn put(&self, name: &str, secret: &[u8]) -> Result<(), KeyStoreError>;

    /// Destroys a secret; one that is not there is fine.
    ///
    /// # Errors
    /// It may be there still.
    fn delete(&self, name: &str) -> Result<(), KeyStoreError>;

    /// How it keeps them, for people.
    fn kept_by(&self) -> KeptBy;
}

/// How secrets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptBy {
    /// The keystore of the platform.
    Platform,
    /// The keyring of the desktop, which opens with the session of its user.
    Keyring,
    /// Sealed under a passphrase.
    Passphrase,
    /// A file that its owner may read: whoever can read the disk has it.
    File,
}

impl KeptBy {
    /// As a person reads it.
    pub fn describe(self) -> &'static str {
        match self {
            KeptBy::Platform => "the platform's keystore",
            KeptBy::Keyring => "the keyring of the desktop",
            KeptBy::Passphrase => "a passphrase",
            KeptBy::File => "a file",
        }
    }
}

/// Why a secret can't be had or kept. Nothing was destroyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// The store has to be opened by a person first.
    #[error("the keys of {what} are locked: {reason}")]
    Locked {
        /// Which store.
        what: String,
        /// What opens it.
        reason: String,
    },
    /// Not the passphrase that the keys were sealed with.
    #[error(
        "the passphrase is wrong: the keys in {file} stay locked, nothing was changed; try again, and if it is forgotten see \"A forgotten passphrase\" in docs/operations.md"
    )]
    WrongPassphrase {
        /// Where the sealed keys lie.
        file: PathBuf,
    },
    /// The passphrase can't be taken as a new one.
    #[error("this passphrase can't be used: {reason}")]
    BadPassphrase {
        /// Why.
        reason: String,
    },
    /// What the store holds can't be read.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// What.
        what: String,
        /// How, and the way out.
        reason: String,
    },
    /// The platform's store fails.
    #[error("the keystore can't be used: {reason}")]
    Unavailable {
        /// What the platform says.
        reason: String,
    },
}

impl KeyStoreError {
    /// For a file of the store.
    fn file(error: crate::Error) -> Self {
        KeyStoreError::Unavailable { reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::tests::{Device, options, person};
    use crate::{OpenOptions, Replica};

    /// What every store has to hold, whoever implements it.
    fn keeps_what_it_is_given(store: &dyn KeyStore) {
        for name in SECRETS {
            assert_eq!(store.get(name).unwrap(), None);
            store.delete(name).unwrap();
            store.put(name, name.as_bytes()).unwrap();
        }
        store.put(DATA_KEY, &[0, 255, 10]).unwrap();
        assert_eq!(store.get(DATA_KEY).unwrap().unwrap(), [0, 255, 10]);
        store.delete(DEVICE_KEY_NEW).unwrap();
        assert_eq!(store.get(DEVICE_KEY_NEW).unwrap(), None);
        assert_eq!(store.get(DEVICE_KEY).unwrap().unwrap(), DEVICE_KEY.as_bytes());
    }

    /// As a phone has it; or one that says it keeps things and does not.
    #[derive(Default)]
    struct Platform {
        secrets: Mutex<BTreeMap<String, Vec<u8>>>,
        forgets: bool,
    }

    impl KeyStore for Platform {
        fn get(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
            Ok(self.secrets.lock().unwrap().get(name).cloned())
        }
        fn put(&self, name: &str, secret: &[u8]) -> Result<(), KeyStoreError> {
            if !self.forgets {
                self.secrets.lock().unwrap().insert(name.to_owned(), secret.to_vec());
            }
            Ok(())
        }
        fn delete(&self, name: &str) -> Result<(), KeyStoreError> {
            self.secrets.lock().unwrap().remove(name);
            Ok(())
        }
        fn kept_by(&self) -> KeptBy {
            KeptBy::Platform
        }
    }

    fn open(device: &Device, keys: &Arc<Platform>) -> crate::Result<Replica> {
        let keys = Some(Arc::clone(keys) as Arc<dyn KeyStore>);
        Replica::open(device.home(), OpenOptions { keys, ..options(2) })
    }

    #[test]
    fn secrets_that_lay_in_files_are_handed_to_the_platform() {
        let device = Device::new(1);
        let id = person(&device.replica, "Karen", "Holm");
        device.replica.close();
        let before = FileKeys::new(device.home());
        let (data, own) = (before.get(DATA_KEY).unwrap(), before.get(DEVICE_KEY).unwrap());
        assert_eq!(data.is_some(), crate::at_rest::BUILT_IN);
        let keys = Arc::new(Platform::default());
        let replica = open(&device, &keys).unwrap();
        assert_eq!((keys.get(DATA_KEY).unwrap(), keys.get(DEVICE_KEY).unwrap()), (data, own));
        assert!(SECRETS.iter().all(|name| !device.home().join(name).exists()));
        assert!(replica.contact(id).is_ok());
        let status = replica.status().unwrap();
        assert!(status.enrolled && status.encryption.keys_kept_by == KeptBy::Platform);
        assert_eq!(status.encryption.warning.is_none(), status.encryption.encrypted);
        replica.close();
        // Without the platform nobody speaks for the device, and nobody reads what is encrypted.
        match Replica::open(device.home(), options(3)) {
            Ok(replica) => assert!(!replica.status().unwrap().enrolled),
            Err(error) => assert!(matches!(error, crate::Error::KeyLost { .. }), "{error}"),
        }
    }

    #[test]
    fn a_store_that_keeps_nothing_is_found_out_before_anything_depends_on_it() {
        let device = Device::new(1);
        device.replica.close();
        let own = FileKeys::new(device.home()).get(DEVICE_KEY).unwrap();
        let forgetful = Arc::new(Platform { forgets: true, ..Default::default() });
        let refused = open(&device, &forgetful).unwrap_err();
        assert!(
            matches!(refused, crate::Error::Keys(KeyStoreError::Unavailable { .. })),
            "{refused}"
        );
        assert_eq!(FileKeys::new(device.home()).get(DEVICE_KEY).unwrap(), own);
        assert!(Replica::open(device.home(), options(3)).unwrap().status().unwrap().enrolled);
    }

    #[test]
    fn a_store_gives_back_what_was_put_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        keeps_what_it_is_given(&FileKeys::new(dir.path()));
        let dir = tempfile::tempdir().unwrap();
        let made = PassphraseKeys::create(dir.path(), &Passphrase::from("correct horse"), &[]);
        keeps_what_it_is_given(&made.unwrap());
    }
}
