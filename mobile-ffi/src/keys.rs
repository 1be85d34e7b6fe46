//! Secrets and signatures that the app keeps for the replica.
//!
//! All of their wiring is in this file.

use std::sync::Arc;

use crate::error::{Result, RoadbookError};

/// Keeps named secrets: Android Keystore, iOS Keychain, a keyring. Implemented by the app.
///
/// Called from background threads, and from the thread that opens, enrols or wipes. It may be slow,
/// and may fail by throwing `RoadbookError.Keys`; it must not call the replica.
#[uniffi::export(with_foreign)]
pub trait KeyStore: Send + Sync {
    /// The secret of that name; nothing where there is none.
    fn get(&self, name: String) -> Result<Option<Vec<u8>>>;
    /// Keeps a secret durably, in the place of the one of that name.
    fn put(&self, name: String, secret: Vec<u8>) -> Result<()>;
    /// Destroys the secret of that name. One that is not there is no error.
    fn delete(&self, name: String) -> Result<()>;
}

/// The kind of a device's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SigningAlgorithm {
    /// Ed25519: a public key of 32 bytes, signatures of 64.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, which Secure Enclave and StrongBox can: the public key is the
    /// uncompressed point of 65 bytes, signatures are in ASN.1 DER.
    EcdsaP256,
}

/// Signs in the name of the device with a key that never leaves the app's hardware. Implemented by
/// the app.
#[uniffi::export(with_foreign)]
pub trait Signer: Send + Sync {
    /// The kind of the key.
    fn algorithm(&self) -> SigningAlgorithm;
    /// The public half of the key.
    fn public_key(&self) -> Result<Vec<u8>>;
    /// Signs a message.
    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>>;
}

/// Hands the app's key store and signer to the replica.
pub(crate) fn wire(
    _options: &mut roadbook_client_core::OpenOptions,
    key_store: Option<Arc<dyn KeyStore>>,
    signer: Option<Arc<dyn Signer>>,
) -> Result<()> {
    if key_store.is_some() || signer.is_some() {
        // Better refused than taken and not used: the app would rely on it.
        return Err(RoadbookError::NotAllowed {
            reason: "this build keeps its keys in files of the replica's directory: open it without a key store and a signer".into(),
        });
    }
    Ok(())
}
