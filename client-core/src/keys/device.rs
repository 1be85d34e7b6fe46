//! The key that speaks for a device at the server: one of ours, kept as a secret, or one of the
//! platform that never leaves its hardware.

use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::wire::KeyAlgorithm;

use super::KeyStoreError;
use crate::error::{Error, Result};

/// What is kept in the place of the private key where a [`Signer`] has it: this, and the public half.
const WITH_SIGNER: &[u8] = b"signer\0";

/// Signs in the name of a device. The platform implements it: Secure Enclave and StrongBox have
/// P-256 keys that nobody can take out.
///
/// Each method may block and may be called from any thread.
pub trait Signer: Send + Sync + 'static {
    /// The kind of the key.
    fn algorithm(&self) -> KeyAlgorithm;

    /// The public half, as [`KeyAlgorithm`] says.
    ///
    /// # Errors
    /// Where the platform can't tell.
    fn public_key(&self) -> Result<Vec<u8>, KeyStoreError>;

    /// Signs a text.
    ///
    /// # Errors
    /// Where the platform can't, or the user refused.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyStoreError>;
}

/// The key of a device.
pub(crate) enum DeviceKey {
    /// Of ours.
    Software(Ed25519KeyPair),
    /// The platform's, with its public half.
    Platform(Arc<dyn Signer>, Vec<u8>),
}

impl DeviceKey {
    /// The platform's.
    pub(crate) fn of(signer: &Arc<dyn Signer>) -> Result<DeviceKey> {
        Ok(DeviceKey::Platform(Arc::clone(signer), signer.public_key()?))
    }

    /// The key that a kept secret stands for.
    ///
    /// # Errors
    /// [`Error::Keys`] where it is the platform's, and `signer` is missing or has another key.
    pub(crate) fn parse(secret: &[u8], signer: Option<&Arc<dyn Signer>>) -> Result<DeviceKey> {
        if let Some(public) = secret.strip_prefix(WITH_SIGNER) {
            let signed_elsewhere = |reason: &str| {
                Error::from(KeyStoreError::Unavailable {
                    reason: format!(
                        "this device was enrolled with a key of the platform: {reason}"
                    ),
                })
            };
            let signer =
                signer.ok_or_else(|| signed_elsewhere("open the replica with its signer"))?;
            let key = DeviceKey::of(signer)?;
            if key.public() != public {
                return Err(signed_elsewhere(
                    "the signer has another one; enrol the device again with a new code, your edits are kept",
                ));
            }
            return Ok(key);
        }
        Ed25519KeyPair::from_pkcs8(secret).map(DeviceKey::Software).map_err(|error| {
            Error::Damaged {
                what: "the key of this device".into(),
                reason: format!(
                    "{error}; enrol the device again with a new code, your edits are kept"
                ),
            }
        })
    }

    /// What is kept of a key of the platform.
    pub(crate) fn note(&self) -> Vec<u8> {
        [WITH_SIGNER, self.public()].concat()
    }

    /// Its kind.
    pub(crate) fn algorithm(&self) -> KeyAlgorithm {
        match self {
            DeviceKey::Software(_) => KeyAlgorithm::Ed25519,
            DeviceKey::Platform(signer, _) => signer.algorithm(),
        }
    }

    /// The public half.
    pub(crate) fn public(&self) -> &[u8] {
        match self {
            DeviceKey::Software(key) => key.public_key().as_ref(),
            DeviceKey::Platform(_, public) => public,
        }
    }

    /// Signs a text.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        Ok(match self {
            DeviceKey::Software(key) => key.sign(text).as_ref().to_vec(),
            DeviceKey::Platform(signer, _) => signer.sign(text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
    use roadbook_protocol::wire::verify;

    use super::*;

    struct Enclave(EcdsaKeyPair);

    impl Enclave {
        fn made() -> Arc<dyn Signer> {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            Arc::new(Enclave(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()))
        }
    }

    impl Signer for Enclave {
        fn algorithm(&self) -> KeyAlgorithm {
            KeyAlgorithm::EcdsaP256
        }
        fn public_key(&self) -> Result<Vec<u8>, KeyStoreError> {
            Ok(self.0.public_key().as_ref().to_vec())
        }
        fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyStoreError> {
            Ok(self.0.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec())
        }
    }

    #[test]
    fn a_key_of_the_platform_signs_and_is_known_again_by_its_public_half_only() {
        let signer = Enclave::made();
        let key = DeviceKey::of(&signer).unwrap();
        let signature = key.sign(b"a text").unwrap();
        assert!(verify(key.algorithm(), key.public(), b"a text", &signature));
        let note = key.note();
        assert_eq!(DeviceKey::parse(&note, Some(&signer)).unwrap().public(), key.public());
        for other in [None, Some(&Enclave::made())] {
            assert!(matches!(DeviceKey::parse(&note, other).err(), Some(Error::Keys(_))));
        }
    }
}
