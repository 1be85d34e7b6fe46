//! Secrets and signatures that the app keeps for the replica.
//!
//! All of their wiring is in this file.

use std::sync::Arc;

use roadbook_client_core::OpenOptions;
use roadbook_client_core::keys::{self as core, KeptBy, KeyStoreError};
use roadbook_protocol::wire::KeyAlgorithm;

use crate::error::{Result, RoadbookError};

/// Keeps named secrets: Android Keystore, iOS Keychain, a keyring. Implemented by the app.
///
/// Three small secrets, each under a name: the key that the database is encrypted with, the key that
/// speaks for the device, and the key of an enrolment under way. What was put is durable, and is what
/// `get` gives, once `put` has returned. Two replicas must not share the names of one store.
///
/// Called from background threads, and from the thread that calls. It may be slow, and may fail by
/// throwing `RoadbookError.Keys`: it must never give nothing for a secret that it has and can't open
/// now. It must not call the replica.
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

/// Signs in the name of the device with a key that never leaves the phone's hardware. Implemented by
/// the app.
///
/// It takes effect with the next enrolment; from then on the replica is opened with the same signer.
/// Called from background threads; it may be slow, and may fail by throwing `RoadbookError.Keys`. It
/// must not call the replica.
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
    options: &mut OpenOptions,
    key_store: Option<Arc<dyn KeyStore>>,
    signer: Option<Arc<dyn Signer>>,
) {
    options.keys = key_store.map(|store| Arc::new(Platform(store)) as Arc<dyn core::KeyStore>);
    options.signer = signer.map(|signer| Arc::new(Platform(signer)) as Arc<dyn core::Signer>);
}

/// What the app implements, as the core asks for it.
struct Platform<T>(T);

fn failed(error: RoadbookError) -> KeyStoreError {
    let reason = match error {
        // The app's own words, and not ours around them.
        RoadbookError::Keys { reason } => reason,
        other => other.to_string(),
    };
    KeyStoreError::Unavailable { reason }
}

impl core::KeyStore for Platform<Arc<dyn KeyStore>> {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.0.get(name.to_owned()).map_err(failed)
    }
    fn put(&self, name: &str, secret: &[u8]) -> Result<(), KeyStoreError> {
        self.0.put(name.to_owned(), secret.to_vec()).map_err(failed)
    }
    fn delete(&self, name: &str) -> Result<(), KeyStoreError> {
        self.0.delete(name.to_owned()).map_err(failed)
    }
    fn kept_by(&self) -> KeptBy {
        KeptBy::Platform
    }
}

impl core::Signer for Platform<Arc<dyn Signer>> {
    fn algorithm(&self) -> KeyAlgorithm {
        match self.0.algorithm() {
            SigningAlgorithm::Ed25519 => KeyAlgorithm::Ed25519,
            SigningAlgorithm::EcdsaP256 => KeyAlgorithm::EcdsaP256,
        }
    }
    fn public_key(&self) -> Result<Vec<u8>, KeyStoreError> {
        self.0.public_key().map_err(failed)
    }
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
        self.0.sign(text.to_vec()).map_err(failed)
    }
}
