//! Secrets sealed under a passphrase, in one small file: a changed passphrase, or a changed secret, is
//! one file written whole, and the database is not touched.
//!
//! The passphrase becomes a key by Argon2id, with the salt and the parameters that the file names; each
//! secret is sealed by ChaCha20-Poly1305 under that key, bound to its name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeptBy, KeyStore, KeyStoreError, Passphrase};
use crate::files;

/// The file, in the replica's directory.
pub(crate) const FILE: &str = "keys";
const FORMAT: u32 = 1;
const KDF: &str = "argon2id";
/// RFC 9106, the second recommended option: 64 MiB, 3 passes, 4 lanes. 0.1 to 0.2 s on a laptop, once per
/// start.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
/// What a file may demand: a damaged one must not take all the memory.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };
const SALT_BYTES: usize = 16;
/// The shortest passphrase that is taken, characters.
const PASSPHRASE_CHARS_MIN: usize = 10;
/// A secret of no bytes: whether it opens tells a wrong passphrase from a damaged secret.
const CHECK: &str = "";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sealed {
    format: u32,
    kdf: String,
    cost: Cost,
    salt: String,
    check: String,
    /// Nonce, ciphertext and tag of each secret, hexadecimal.
    secrets: BTreeMap<String, String>,
}

/// A file of secrets that a passphrase opens.
pub struct PassphraseKeys {
    path: PathBuf,
    key: LessSafeKey,
    /// Held while the file is written.
    writing: Mutex<()>,
}

impl PassphraseKeys {
    /// Whether the secrets of this directory are sealed under a passphrase.
    pub fn is_in(directory: &Path) -> bool {
        directory.join(FILE).exists()
    }

    /// Opens the secrets of a directory.
    ///
    /// # Errors
    /// [`KeyStoreError::WrongPassphrase`], or [`KeyStoreError::Damaged`]; nothing was changed.
    pub fn open(directory: &Path, passphrase: &Passphrase) -> Result<Self, KeyStoreError> {
        let path = directory.join(FILE);
        let sealed = load(&path)?;
        let key = derive(&sealed, passphrase, &path)?;
        match open(&key, CHECK, &sealed.check) {
            Some(_) => Ok(Self { path, key, writing: Mutex::new(()) }),
            None => Err(KeyStoreError::WrongPassphrase { file: path }),
        }
    }

    /// Seals these secrets under a new passphrase; takes the place of what was sealed there before.
    ///
    /// # Errors
    /// [`KeyStoreError::BadPassphrase`], or what the disk says; nothing was changed.
    pub fn create(
        directory: &Path,
        passphrase: &Passphrase,
        secrets: &[(&str, Zeroizing<Vec<u8>>)],
    ) -> Result<Self, KeyStoreError> {
        if passphrase.expose().chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(KeyStoreError::BadPassphrase {
                reason: format!(
                    "it is shorter than {PASSPHRASE_CHARS_MIN} characters; a few words that belong together for nobody else are good"
                ),
            });
        }
        let path = directory.join(FILE);
        let mut sealed = Sealed {
            format: FORMAT,
            kdf: KDF.to_owned(),
            cost: COST,
            salt: hex::encode(random::<SALT_BYTES>()),
            check: String::new(),
            secrets: BTreeMap::new(),
        };
        let key = derive(&sealed, passphrase, &path)?;
        sealed.check = seal(&key, CHECK, &[]);
        for (name, secret) in secrets {
            sealed.secrets.insert((*name).to_owned(), seal(&key, name, secret));
        }
        save(&path, &sealed)?;
        Ok(Self { path, key, writing: Mutex::new(()) })
    }

    fn change(&self, change: impl FnOnce(&mut Sealed)) -> Result<(), KeyStoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sealed = load(&self.path)?;
        change(&mut sealed);
        save(&self.path, &sealed)
    }
}

impl KeyStore for PassphraseKeys {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let sealed = load(&self.path)?;
        let Some(text) = sealed.secrets.get(name) else { return Ok(None) };
        match open(&self.key, name, text) {
            Some(secret) => Ok(Some(secret)),
            None => Err(damaged(&self.path, &format!("the secret `{name}` does not open"))),
        }
    }

    fn put(&self, name: &str, secret: &[u8]) -> Result<(), KeyStoreError> {
        let text = seal(&self.key, name, secret);
        self.change(|sealed| {
            sealed.secrets.insert(name.to_owned(), text);
        })
    }

    fn delete(&self, name: &str) -> Result<(), KeyStoreError> {
        self.change(|sealed| {
            sealed.secrets.remove(name);
        })
    }

    fn kept_by(&self) -> KeptBy {
        KeptBy::Passphrase
    }
}

fn load(path: &Path) -> Result<Sealed, KeyStoreError> {
    let bytes = files::read(path).map_err(KeyStoreError::file)?;
    let bytes = bytes.ok_or_else(|| damaged(path, "it is gone"))?;
    let sealed: Sealed =
        serde_json::from_slice(&bytes).map_err(|error| damaged(path, &error.to_string()))?;
    if sealed.format != FORMAT || sealed.kdf != KDF {
        return Err(damaged(
            path,
            &format!("format {} ({}) is not known here", sealed.format, sealed.kdf),
        ));
    }
    Ok(sealed)
}

fn save(path: &Path, sealed: &Sealed) -> Result<(), KeyStoreError> {
    let text = serde_json::to_vec_pretty(sealed)
        .map_err(|error| KeyStoreError::Unavailable { reason: error.to_string() })?;
    files::write_whole(path, &text).map_err(KeyStoreError::file)
}

fn damaged(path: &Path, reason: &str) -> KeyStoreError {
    KeyStoreError::Damaged {
        what: path.display().to_string(),
        reason: format!(
            "{reason}; put the file back from a backup of this directory, or see \"A lost key\" in docs/operations.md"
        ),
    }
}

/// The key that the passphrase is good for, by what the file demands.
fn derive(
    sealed: &Sealed,
    passphrase: &Passphrase,
    path: &Path,
) -> Result<LessSafeKey, KeyStoreError> {
    let Cost { memory_kib, passes, lanes } = sealed.cost;
    if memory_kib > COST_MAX.memory_kib || passes > COST_MAX.passes || lanes > COST_MAX.lanes {
        return Err(damaged(path, "it demands more work than any passphrase needs"));
    }
    let salt = hex::decode(&sealed.salt).map_err(|_| damaged(path, "its salt can't be read"))?;
    let mut key = Zeroizing::new([0; 32]);
    let params = Params::new(memory_kib, passes, lanes, Some(key.len()));
    let params = params.map_err(|error| damaged(path, &error.to_string()))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), &salt, key.as_mut())
        .map_err(|error| damaged(path, &error.to_string()))?;
    Ok(aead(&key))
}

fn aead(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(
        UnboundKey::new(&CHACHA20_POLY1305, key).expect("the algorithm takes keys of 32 bytes"),
    )
}

fn seal(key: &LessSafeKey, name: &str, secret: &[u8]) -> String {
    // 96 random bits: a file of three secrets is written a few times in its life.
    let nonce: [u8; NONCE_LEN] = random();
    let mut bytes = secret.to_vec();
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(name.as_bytes()),
        &mut bytes,
    )
    .expect("a secret is far below the limit of the algorithm");
    hex::encode(nonce) + &hex::encode(&bytes)
}

fn open(key: &LessSafeKey, name: &str, text: &str) -> Option<Vec<u8>> {
    let mut bytes = hex::decode(text).ok()?;
    let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    key.open_in_place(nonce, Aad::from(name.as_bytes()), sealed).ok().map(|secret| secret.to_vec())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system always has random bytes; without them no key is safe");
    bytes
}

impl std::fmt::Debug for PassphraseKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PassphraseKeys").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Vec<(&'static str, Zeroizing<Vec<u8>>)> {
        vec![("data.key", Zeroizing::new(vec![7; 32]))]
    }

    #[test]
    fn a_wrong_passphrase_is_named_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let right = Passphrase::from("correct horse battery");
        PassphraseKeys::create(dir.path(), &right, &secrets()).unwrap();
        let before = std::fs::read(dir.path().join(FILE)).unwrap();
        let refused = PassphraseKeys::open(dir.path(), &Passphrase::from("correct horse")).err();
        assert!(matches!(refused, Some(KeyStoreError::WrongPassphrase { .. })), "{refused:?}");
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), before);
        let opened = PassphraseKeys::open(dir.path(), &right).unwrap();
        assert_eq!(opened.get("data.key").unwrap().unwrap(), [7; 32]);
    }

    #[test]
    fn the_file_holds_no_secret_and_one_that_was_altered_is_told_from_a_wrong_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let right = Passphrase::from("correct horse battery");
        PassphraseKeys::create(dir.path(), &right, &secrets()).unwrap();
        let path = dir.path().join(FILE);
        let mut sealed = load(&path).unwrap();
        assert!(!sealed.secrets["data.key"].contains(&hex::encode([7; 8])));
        // A secret under another's name does not open.
        let moved = sealed.secrets["data.key"].clone();
        sealed.secrets.insert("device.key".into(), moved);
        save(&path, &sealed).unwrap();
        let opened = PassphraseKeys::open(dir.path(), &right).unwrap();
        assert!(matches!(opened.get("device.key"), Err(KeyStoreError::Damaged { .. })));
        // A file that demands a terabyte is refused before anything is allocated.
        sealed.cost.memory_kib = 1 << 30;
        save(&path, &sealed).unwrap();
        let refused = PassphraseKeys::open(dir.path(), &right).err();
        assert!(matches!(refused, Some(KeyStoreError::Damaged { .. })), "{refused:?}");
    }

    #[test]
    fn a_short_passphrase_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = PassphraseKeys::create(dir.path(), &Passphrase::from("short"), &[]).err();
        assert!(matches!(refused, Some(KeyStoreError::BadPassphrase { .. })), "{refused:?}");
        assert!(!PassphraseKeys::is_in(dir.path()));
    }
}
