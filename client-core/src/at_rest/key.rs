//! The key of the database.

use ring::hmac;
use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::error::Result;

pub(super) const KEY_BYTES: usize = 32;
pub(super) const SALT_BYTES: usize = 16;

/// The key that the files of a replica are encrypted with, and the salt that they begin with. All files
/// of a replica share the salt, so that a page of one can stand in for the same page of another when a
/// damaged file is mended. Overwritten in memory when dropped.
#[derive(Clone)]
pub(crate) struct DataKey {
    key: Zeroizing<[u8; KEY_BYTES]>,
    salt: [u8; SALT_BYTES],
}

impl DataKey {
    /// `None` where the secret has not the length of a key.
    pub(super) fn new(secret: &[u8], salt: [u8; SALT_BYTES]) -> Option<DataKey> {
        let key: [u8; KEY_BYTES] = secret.try_into().ok()?;
        Some(DataKey { key: Zeroizing::new(key), salt })
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Tells this key from others.
    pub(super) fn check(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.as_ref());
        hex::encode(&hmac::sign(&key, b"roadbook data key").as_ref()[..16])
    }

    /// As SQLCipher takes a raw key: nothing is derived from it at each opening.
    pub(super) fn text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(hex::encode(self.key.as_ref()));
        Zeroizing::new(format!("x'{}{}'", key.as_str(), hex::encode(self.salt)))
    }

    /// Gives the key to a connection that has read nothing yet.
    pub(super) fn unlock(&self, conn: &Connection) -> Result<()> {
        conn.pragma_update(None, "key", self.text().as_str())?;
        // The format of version 4, whatever a later one makes its own.
        conn.pragma_update(None, "cipher_compatibility", 4)?;
        Ok(())
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(..)")
    }
}
