//! Who this replica is, kept outside its database: the lock, the secrets, the incarnation.
//!
//! A database that was copied or restored still says who it was. What stands beside it tells: the
//! incarnation is bound to the machine and to the identity of the database file, and the keys are with
//! the [`KeyStore`]. These must never be written into the database.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest;
use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::env::{Entropy, random16};
use crate::error::{Error, Result};
use crate::files;
use crate::keys::{
    self, DEVICE_KEY, DEVICE_KEY_NEW, DeviceKey, FileKeys, KeptBy, KeyStore, KeyStoreError, Signer,
};

const LOCK: &str = "lock";
pub(crate) const INCARNATION: &str = "incarnation";

/// The replica's directory, owned by this process while the value lives.
pub(crate) struct Home {
    path: PathBuf,
    keys: Arc<dyn KeyStore>,
    signer: Option<Arc<dyn Signer>>,
    /// Holds the lock; `None` while suspended.
    lock: std::sync::Mutex<Option<File>>,
}

impl Home {
    /// Creates the directory if it is absent and takes its lock. Its secrets are with `keys`, or in
    /// files of the directory; those that lie there and should not are handed to `keys`.
    ///
    /// # Errors
    /// [`Error::Locked`] with the process that holds it; [`Error::Keys`] where the secrets are sealed
    /// under a passphrase and `keys` is `None`.
    pub(crate) fn open(path: &Path, keys: Option<Arc<dyn KeyStore>>) -> Result<Home> {
        files::private_directory(path)?;
        let keys = match keys {
            Some(keys) => keys,
            None if keys::Laptop::new(path).is_sealed() => return Err(keys::locked(path)),
            None if keys::KeyringKeys::is_in(path) => return Err(keys::out_of_reach(path)),
            None => Arc::new(FileKeys::new(path)),
        };
        let home =
            Home { path: path.to_owned(), keys, signer: None, lock: std::sync::Mutex::new(None) };
        home.lock()?;
        home.hand_over_files()?;
        Ok(home)
    }

    /// The same, speaking for the device with a key of the platform from its next enrolment on.
    pub(crate) fn with_signer(self, signer: Option<Arc<dyn Signer>>) -> Home {
        Home { signer, ..self }
    }

    /// Secrets in files, of a time before `keys` kept them.
    fn hand_over_files(&self) -> Result<()> {
        if self.keys.kept_by() == KeptBy::File {
            return Ok(());
        }
        let left_over = FileKeys::new(&self.path);
        for name in keys::SECRETS {
            let Some(secret) = left_over.get(name)?.map(Zeroizing::new) else { continue };
            if self.secret(name)?.is_none() {
                self.put_secret(name, &secret)?;
            }
            left_over.delete(name)?;
        }
        Ok(())
    }

    /// Who keeps the secrets.
    pub(crate) fn keys(&self) -> &dyn KeyStore {
        self.keys.as_ref()
    }

    /// A secret, if there is one of this name.
    pub(crate) fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.keys.get(name)?.map(Zeroizing::new))
    }

    /// Has a secret kept, and makes sure that it is.
    pub(crate) fn put_secret(&self, name: &str, secret: &[u8]) -> Result<()> {
        self.keys.put(name, secret)?;
        match self.secret(name)? {
            Some(kept) if kept[..] == *secret => Ok(()),
            _ => Err(KeyStoreError::Unavailable {
                reason: format!("it did not keep the secret `{name}`; nothing depends on it yet"),
            }
            .into()),
        }
    }

    /// Has a secret destroyed.
    pub(crate) fn forget_secret(&self, name: &str) -> Result<()> {
        Ok(self.keys.delete(name)?)
    }

    /// Takes the lock, at first or after [`Self::unlock`].
    pub(crate) fn lock(&self) -> Result<()> {
        let mut held = self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if held.is_some() {
            return Ok(());
        }
        let path = self.path.join(LOCK);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::file(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message; an unreadable file is no reason to fail differently.
                let _ = file.read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "another process".to_owned(),
                    text => text.to_owned(),
                };
                return Err(Error::Locked { home: self.path.clone(), holder });
            }
            Err(fs::TryLockError::Error(source)) => return Err(Error::File { path, source }),
        }
        let program = std::env::args().next().unwrap_or_default();
        let program =
            Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
        let holder =
            format!("process {} ({})", std::process::id(), program.unwrap_or_else(|| "?".into()));
        // As above: what it says helps a person, the lock does not depend on it.
        let _ = file.set_len(0);
        let _ = file.rewind();
        let _ = file.write_all(holder.as_bytes());
        *held = Some(file);
        Ok(())
    }

    /// Releases the lock: a suspended app on a phone is killed if it holds one.
    pub(crate) fn unlock(&self) {
        *self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("replica.db")
    }

    /// The device's key, if the device has one.
    pub(crate) fn key(&self) -> Result<Option<DeviceKey>> {
        let parse = |secret: Zeroizing<Vec<u8>>| DeviceKey::parse(&secret, self.signer.as_ref());
        self.secret(DEVICE_KEY)?.map(parse).transpose()
    }

    /// Makes a key for an enrolment, or takes the platform's; it takes effect with
    /// [`Self::adopt_key`].
    pub(crate) fn new_key(&self) -> Result<DeviceKey> {
        if let Some(signer) = &self.signer {
            let key = DeviceKey::of(signer)?;
            self.put_secret(DEVICE_KEY_NEW, &key.note())?;
            return Ok(key);
        }
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new())
            .expect("the operating system always has random bytes; without them no key is safe");
        self.put_secret(DEVICE_KEY_NEW, pkcs8.as_ref())?;
        DeviceKey::parse(pkcs8.as_ref(), None)
    }

    /// The key of the enrolment that just succeeded becomes the device's key.
    pub(crate) fn adopt_key(&self) -> Result<()> {
        let pkcs8 = self.secret(DEVICE_KEY_NEW)?.ok_or_else(|| Error::Damaged {
            what: "the key of this enrolment".into(),
            reason: "it is gone; ask the office for another code and enrol again".into(),
        })?;
        self.put_secret(DEVICE_KEY, &pkcs8)?;
        self.forget_secret(DEVICE_KEY_NEW)
    }

    /// Destroys the device's key: nobody can speak in its name any more.
    pub(crate) fn forget_key(&self) -> Result<()> {
        self.forget_secret(DEVICE_KEY)
    }

    /// What the incarnation file says.
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        let text = fs::read_to_string(self.path.join(INCARNATION)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes the incarnation file, durably.
    pub(crate) fn set_incarnation(&self, incarnation: &Incarnation) -> Result<()> {
        self.write_beside(INCARNATION, &serde_json::to_vec(incarnation).unwrap_or_default())
    }

    /// Writes a small file beside the database, durably: it is there whole, or as it was before.
    pub(crate) fn write_beside(&self, name: &str, bytes: &[u8]) -> Result<()> {
        files::write_whole(&self.path.join(name), bytes)
    }

    /// Makes renames in the directory durable.
    pub(crate) fn sync(&self) {
        files::sync_directory(&self.path);
    }
}

/// What binds a database to the machine and the file it was made in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incarnation {
    /// Random; the database holds the same.
    pub marker: String,
    /// A digest of the machine's id, so that the file does not give it away.
    pub machine: String,
    /// What the file system calls the database file.
    pub file: String,
}

impl Incarnation {
    /// A new one for the database as it lies here.
    pub(crate) fn new(database: &Path, machine_id: &str, entropy: &dyn Entropy) -> Result<Self> {
        Ok(Self {
            marker: hex::encode(random16(entropy)),
            machine: machine_digest(machine_id),
            file: file_identity(database)?,
        })
    }

    /// The same, after the database was written anew as another file.
    pub(crate) fn moved_to(&self, database: &Path) -> Result<Self> {
        Ok(Self { file: file_identity(database)?, ..self.clone() })
    }

    /// Whether it was made for this machine and this file.
    pub(crate) fn is_here(&self, database: &Path, machine_id: &str) -> Result<bool> {
        Ok(self.machine == machine_digest(machine_id) && self.file == file_identity(database)?)
    }
}

fn machine_digest(machine_id: &str) -> String {
    let text = format!("roadbook incarnation\0{machine_id}");
    hex::encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16])
}

/// The id of this machine; empty where the system has none to give.
pub(crate) fn machine_id() -> String {
    ["/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/hostid"]
        .into_iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// The inode and the birth of the file. The device number is left out where a birth is known: it
/// may change when a file system is mounted again.
fn file_identity(path: &Path) -> Result<String> {
    let metadata = fs::metadata(path).map_err(Error::file(path))?;
    let born = metadata
        .created()
        .ok()
        .and_then(|born| born.duration_since(std::time::UNIX_EPOCH).ok())
        .map(|born| born.as_nanos());
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Ok(match born {
            Some(born) => format!("{}-{born}", metadata.ino()),
            None => format!("{}-{}", metadata.dev(), metadata.ino()),
        })
    }
    #[cfg(not(unix))]
    Ok(format!("{}", born.unwrap_or_default()))
}
