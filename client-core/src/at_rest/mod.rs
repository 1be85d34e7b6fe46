//! The replica encrypted at rest: which key its files are opened with, and what is done with files that
//! are not encrypted yet.
//!
//! The database is SQLCipher's where the program was built with the feature `sqlcipher`, as everything is
//! that people install; a build without it writes plain files. The key is random and kept by the
//! [`crate::keys::KeyStore`]. Beside the database lies the small file `cipher`, which says that the
//! replica is encrypted, and by which key: so a wrong or a missing key is told from a damaged file, and a
//! build that can't encrypt leaves an encrypted replica alone. A replica that can't be opened is never
//! replaced by an empty one.

mod key;
pub(crate) mod lost;
mod migrate;
mod seal;

pub(crate) use key::DataKey;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::env::OpenOptions;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::files;
use crate::identity::Home;
use crate::keys::{DATA_KEY, KeptBy};
use crate::replica::Replica;
use crate::store::salvage;
use key::{KEY_BYTES, SALT_BYTES};

/// Whether this program encrypts.
pub(crate) const BUILT_IN: bool = cfg!(feature = "sqlcipher");
/// Says that the replica is encrypted, and by which key.
pub(crate) const HEADER: &str = "cipher";
const FORMAT: u32 = 1;
/// What every SQLite file begins with that is not encrypted.
const PLAIN: &[u8; 16] = b"SQLite format 3\0";

/// How the replica is kept on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Encryption {
    /// Whether the database is encrypted.
    pub encrypted: bool,
    /// The version of SQLCipher; `None` where it is not encrypted.
    pub cipher: Option<String>,
    /// Who keeps the keys.
    pub keys_kept_by: KeptBy,
    /// What a person should know, with the way out.
    pub warning: Option<String>,
}

/// The file [`HEADER`].
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    format: u32,
    salt: String,
    /// Tells the right key without telling anything of it.
    check: String,
}

impl Header {
    fn load(home: &Home) -> Result<Option<Header>> {
        let path = home.path().join(HEADER);
        let Some(bytes) = files::read(&path)? else { return Ok(None) };
        // One that can't be read is made anew from the key and the database.
        Ok(serde_json::from_slice(&bytes).ok().filter(|header: &Header| header.format == FORMAT))
    }

    fn save(home: &Home, key: &DataKey) -> Result<()> {
        let header = Header { format: FORMAT, salt: hex::encode(key.salt()), check: key.check() };
        home.write_beside(HEADER, &serde_json::to_vec(&header).unwrap_or_default())
    }

    /// The key, if it is this one.
    fn key(&self, secret: &[u8]) -> Option<DataKey> {
        let salt: [u8; SALT_BYTES] = hex::decode(&self.salt).ok()?.try_into().ok()?;
        DataKey::new(secret, salt).filter(|key| key.check() == self.check)
    }
}

/// What lies where the database should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing, or an empty file.
    Nothing,
    Plain,
    /// Encrypted, or damaged: its first bytes, which are the salt where it is encrypted.
    Other([u8; SALT_BYTES]),
}

impl Found {
    fn at(path: &Path) -> Result<Found> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(Error::file(path)(error)),
        };
        let mut first = Vec::with_capacity(SALT_BYTES);
        let mut start = file.take(SALT_BYTES as u64);
        start.read_to_end(&mut first).map_err(Error::file(path))?;
        Ok(match <[u8; SALT_BYTES]>::try_from(first) {
            Ok(first) if first == *PLAIN => Found::Plain,
            Ok(first) => Found::Other(first),
            Err(first) if first.is_empty() => Found::Nothing,
            Err(_) => Found::Other([0; SALT_BYTES]),
        })
    }
}

/// The key to open the database with, `None` where this build does not encrypt. Plain files of an
/// earlier version, or of a build that does not encrypt, are encrypted before this returns.
///
/// # Errors
/// [`Error::Encrypted`], [`Error::KeyLost`], [`Error::Keys`]: nothing was touched then.
pub(crate) fn prepare(home: &Home, options: &OpenOptions) -> Result<Option<DataKey>> {
    let header = Header::load(home)?;
    let found = Found::at(&home.database())?;
    // A damaged database that was renamed while it was being set aside is the database still.
    let here = match found {
        Found::Other(_) => true,
        Found::Nothing => salvage::is_under_way(home),
        Found::Plain => false,
    };
    if !BUILT_IN {
        return match header {
            Some(_) if here => Err(Error::Encrypted { home: home.path().to_owned() }),
            _ => Ok(None),
        };
    }
    let secret = home.secret(DATA_KEY)?;
    let lost = |reason: &str| Error::KeyLost {
        home: home.path().to_owned(),
        reason: format!("{} has {reason}", home.keys().kept_by().describe()),
    };
    let (key, encrypted) = match (header, secret) {
        (Some(header), Some(secret)) => match header.key(&secret) {
            Some(key) => (key, here),
            None if here => return Err(lost("another key than the one it was encrypted with")),
            None => (adopt(home, options, Some(secret))?, false),
        },
        (Some(_), None) if here => return Err(lost("no key for it any more")),
        (None, Some(secret)) if here => match reads(home, found, &secret)? {
            Some(key) => {
                Header::save(home, &key)?;
                (key, true)
            }
            None => (adopt(home, options, Some(secret))?, false),
        },
        (_, secret) => (adopt(home, options, secret)?, false),
    };
    if !encrypted && found != Found::Nothing {
        migrate::run(home, options, &key)?;
    }
    migrate::sweep(home)?;
    Ok(Some(key))
}

/// Takes a key into use: the one that the store has, or a new one. First the store keeps it, then the
/// header says so, and only then is anything encrypted with it.
fn adopt(
    home: &Home,
    options: &OpenOptions,
    secret: Option<Zeroizing<Vec<u8>>>,
) -> Result<DataKey> {
    let mut salt = [0; SALT_BYTES];
    options.entropy.fill(&mut salt);
    let kept = secret.and_then(|secret| DataKey::new(&secret, salt));
    let key = match kept {
        Some(key) => key,
        None => {
            let mut secret = Zeroizing::new([0; KEY_BYTES]);
            options.entropy.fill(secret.as_mut());
            home.put_secret(DATA_KEY, secret.as_ref())?;
            failpoint("encrypt_keyed");
            DataKey::new(secret.as_ref(), salt).expect("it has the length of a key")
        }
    };
    Header::save(home, &key)?;
    failpoint("encrypt_noted");
    Ok(key)
}

/// The key, if it opens the database without a header: that file was lost.
fn reads(home: &Home, found: Found, secret: &[u8]) -> Result<Option<DataKey>> {
    let Found::Other(salt) = found else { return Ok(None) };
    let Some(key) = DataKey::new(secret, salt) else { return Ok(None) };
    let path = home.database();
    let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE, Some(&key));
    Ok(conn.is_ok().then_some(key))
}

/// Destroys the key and what tells of it: nothing that was encrypted with it can be read again.
pub(crate) fn destroy_key(home: &Home) -> Result<()> {
    home.forget_secret(DATA_KEY)?;
    files::erase(&home.path().join(HEADER))
}

/// Opens a database file with a key, or a plain one without.
///
/// # Errors
/// `NotADatabase` where the file's first page can't be read with this key.
pub(crate) fn connect(path: &Path, flags: OpenFlags, key: Option<&DataKey>) -> Result<Connection> {
    let Some(key) = key else { return Ok(Connection::open_with_flags(path, flags)?) };
    let conn = unlocked(path, flags, key)?;
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(conn)
}

/// A connection that has read nothing yet.
fn unlocked(path: &Path, flags: OpenFlags, key: &DataKey) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    // What it has to say, it says by its errors.
    conn.pragma_update(None, "cipher_log_level", "NONE")?;
    key.unlock(&conn)?;
    if cipher_version(&conn)?.is_none() {
        return Err(Error::Damaged {
            what: "this program".into(),
            reason: "it was built to encrypt, and its SQLite does not: build it with `cargo ship`"
                .into(),
        });
    }
    Ok(conn)
}

/// The numbers of the pages that don't decrypt, counted from 1. Reads the whole file.
///
/// # Errors
/// Where the file can't be opened.
pub(crate) fn unreadable_pages(path: &Path, key: &DataKey) -> Result<BTreeSet<u64>> {
    let conn = unlocked(path, OpenFlags::SQLITE_OPEN_READ_WRITE, key)?;
    let mut statement = conn.prepare("PRAGMA cipher_integrity_check")?;
    let told = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut pages = BTreeSet::new();
    for text in told {
        // Such as `HMAC verification failed for page 7`, `page 9 has an invalid size of 12 bytes`.
        let text = text?;
        let mut words = text.split_whitespace().skip_while(|word| *word != "page").skip(1);
        pages.extend(words.next().and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(pages)
}

/// As SQLCipher says it; `None` from a SQLite that does not encrypt.
fn cipher_version(conn: &Connection) -> Result<Option<String>> {
    let mut statement = conn.prepare("PRAGMA cipher_version")?;
    let mut rows = statement.query([])?;
    Ok(match rows.next()? {
        Some(row) => row.get::<_, Option<String>>(0)?.filter(|version| !version.is_empty()),
        None => None,
    })
}

/// The database of a replica whose keys are in files, beside whatever else has it open.
#[cfg(test)]
pub(crate) fn open_file(home: &Path) -> Connection {
    let header = files::read(&home.join(HEADER)).unwrap();
    let key = header.and_then(|header| {
        let header: Header = serde_json::from_slice(&header).unwrap();
        header.key(&files::read(&home.join(DATA_KEY)).unwrap()?)
    });
    connect(&home.join("replica.db"), OpenFlags::default(), key.as_ref()).unwrap()
}

impl Replica {
    /// How this replica is kept on the disk.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn encryption(&self) -> Result<Encryption> {
        let encrypted = self.inner.store.is_encrypted();
        let cipher = self.read(cipher_version)?.filter(|_| encrypted);
        let keys_kept_by = self.inner.home.keys().kept_by();
        let warning = match (encrypted, keys_kept_by) {
            (false, _) => Some(
                "NOT ENCRYPTED: this build of the program keeps your contacts as plain text, readable by whoever gets this disk; use the one that the office installs (made by `cargo ship`), which encrypts what is here"
                    .to_owned(),
            ),
            (true, KeptBy::File) => Some(
                "the key lies in a file beside the contacts: whoever gets this disk can read them; have the keyring of the desktop keep it with `roadbook key keyring`, or set a passphrase with `roadbook key passphrase`"
                    .to_owned(),
            ),
            (true, _) => None,
        };
        Ok(Encryption { encrypted, cipher, keys_kept_by, warning })
    }
}
