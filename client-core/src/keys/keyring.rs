//! Secrets in the keyring of a desktop, which opens with the session of its user.
//!
//! The keyring holds the secrets of all replicas of a user, so each replica has a name in it, which stands in a small
//! file beside the database with the path that it was made for. A directory that is found under another path was moved
//! or copied: it gets a name and secrets of its own, so that a copy that is wiped or enrolled anew takes nothing from
//! the replica that it was made of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeptBy, KeyStore, KeyStoreError, SECRETS};
use crate::error::{Error, Result};
use crate::files;

/// The file, in the replica's directory.
pub(crate) const FILE: &str = "keyring";
const FORMAT: u32 = 1;

/// The keyring of a desktop: keeps secrets of many replicas, each under the replica's name and its own. The program
/// implements it.
///
/// Each method may block, and may ask the user to open the keyring; none may wait without an end. What was put is
/// durable once `put` has returned.
pub trait Keyring: Send + Sync + 'static {
    /// Whether it is there and open, so that a new replica can rely on it. Asks nobody.
    fn is_ready(&self) -> bool;

    /// A secret; `None` where there is none.
    ///
    /// # Errors
    /// Where it can't tell: it must never say `None` of a secret that it has and can't open now.
    fn get(&self, replica: &str, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Keeps a secret in the place of what had its name; `label` is what its user sees in the keyring.
    ///
    /// # Errors
    /// Nothing was changed then.
    fn put(
        &self,
        replica: &str,
        name: &str,
        label: &str,
        secret: &[u8],
    ) -> Result<(), KeyStoreError>;

    /// Destroys a secret; one that is not there is fine.
    ///
    /// # Errors
    /// It may be there still.
    fn delete(&self, replica: &str, name: &str) -> Result<(), KeyStoreError>;
}

/// What the file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Marker {
    format: u32,
    /// The replica's name in the keyring.
    replica: String,
    /// The directory that it was made for.
    home: PathBuf,
}

/// The secrets of one replica in the keyring.
pub struct KeyringKeys {
    keyring: Arc<dyn Keyring>,
    replica: String,
    home: PathBuf,
}

impl KeyringKeys {
    /// Whether the secrets of this directory are in a keyring.
    pub(crate) fn is_in(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// A place for the secrets of this directory. It counts once [`Self::mark`] has returned.
    pub(super) fn new(directory: &Path, keyring: Arc<dyn Keyring>) -> Result<Self> {
        let mut random = [0; 16];
        SystemRandom::new()
            .fill(&mut random)
            .expect("the operating system always has random bytes; without them no key is safe");
        Ok(Self { keyring, replica: hex::encode(random), home: absolute(directory)? })
    }

    /// From now on the secrets of the directory are these.
    pub(super) fn mark(&self) -> Result<()> {
        let marker =
            Marker { format: FORMAT, replica: self.replica.clone(), home: self.home.clone() };
        let bytes = serde_json::to_vec(&marker).unwrap_or_default();
        files::write_whole(&self.home.join(FILE), &bytes)
    }

    /// The secrets of a directory. One that was moved or copied here gets its own.
    pub(super) fn open(directory: &Path, keyring: Arc<dyn Keyring>) -> Result<Self> {
        let marker = load(directory)?;
        let home = absolute(directory)?;
        if marker.home == home {
            return Ok(Self { keyring, replica: marker.replica, home });
        }
        // The same for everybody who finds it here: two programs that start at once do the same.
        let text = format!("roadbook keyring\0{}\0{}", marker.replica, home.display());
        let replica = hex::encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16]);
        let old =
            Self { keyring: Arc::clone(&keyring), replica: marker.replica, home: marker.home };
        let new = Self { keyring, replica, home };
        for name in SECRETS {
            if let Some(secret) = old.get(name)?.map(Zeroizing::new) {
                new.put(name, &secret)?;
            }
        }
        new.mark()?;
        // Moved, not copied: nobody is left who needs the old ones.
        if load(&old.home).map_or(true, |there| there.replica != old.replica) {
            for name in SECRETS {
                old.delete(name)?;
            }
        }
        Ok(new)
    }

    /// Destroys the secrets, and then what says that they are here.
    pub(super) fn forget(&self) -> Result<()> {
        for name in SECRETS {
            self.delete(name)?;
        }
        files::remove(&self.home.join(FILE))
    }
}

impl KeyStore for KeyringKeys {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.keyring.get(&self.replica, name)
    }

    fn put(&self, name: &str, secret: &[u8]) -> Result<(), KeyStoreError> {
        let label = format!("Roadbook: {name} of {}", self.home.display());
        self.keyring.put(&self.replica, name, &label, secret)
    }

    fn delete(&self, name: &str) -> Result<(), KeyStoreError> {
        self.keyring.delete(&self.replica, name)
    }

    fn kept_by(&self) -> KeptBy {
        KeptBy::Keyring
    }
}

/// The keys of this directory are in a keyring that nobody can ask.
pub(crate) fn out_of_reach(home: &Path) -> Error {
    KeyStoreError::Unavailable {
        reason: format!(
            "the keys of {} are in the keyring of the desktop, which this program can't reach: start it where that \
             user is signed in to the desktop (DBUS_SESSION_BUS_ADDRESS), with the program that the office installs; \
             nothing was changed",
            home.display()
        ),
    }
    .into()
}

fn load(directory: &Path) -> Result<Marker> {
    let path = directory.join(FILE);
    let bytes = files::read(&path)?.unwrap_or_default();
    match serde_json::from_slice::<Marker>(&bytes) {
        Ok(marker) if marker.format == FORMAT => Ok(marker),
        _ => Err(KeyStoreError::Damaged {
            what: path.display().to_string(),
            reason: "it does not say which keys of the keyring are meant; put it back from a backup of this directory"
                .into(),
        }
        .into()),
    }
}

fn absolute(directory: &Path) -> Result<PathBuf> {
    directory.canonicalize().map_err(Error::file(directory))
}
