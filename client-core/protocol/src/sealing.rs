//! Sealing to the workspace: what only the holder of the workspace's private sealing key can read
//! (HPKE, RFC 9180, base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305).
//!
//! A device seals what it has not sent before it destroys its data, so that nothing readable is left
//! on it and nothing is lost. Sealing does not say who sealed: the session in which a sealed text
//! arrives does, and the additional data binds the text to it.

use std::convert::Infallible;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};

/// Bytes of a public or a private sealing key, and of what stands before the sealed text.
pub const KEY_BYTES: usize = 32;

const INFO: &[u8] = b"roadbook sealing 1";

/// Why something can't be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// The public key is none.
    #[error("the sealing key is not an X25519 public key")]
    Key,
    /// The text was sealed to another key, for another purpose, or was changed.
    #[error("the sealed text can't be opened with this key: it is another's, or it is damaged")]
    Open,
}

/// A private key to open with.
#[derive(Clone)]
pub struct OpeningKey(<X25519HkdfSha256 as Kem>::PrivateKey);

impl std::fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpeningKey")
    }
}

impl OpeningKey {
    /// A key made of 32 random bytes (`DeriveKeyPair` of RFC 9180).
    pub fn derive(random: &[u8; KEY_BYTES]) -> Self {
        Self(X25519HkdfSha256::derive_keypair(random).0)
    }
    /// The key that [`Self::to_bytes`] gave; `None` unless it is one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(bytes).ok().map(Self)
    }
    /// The private key itself, to be kept in a file of its own.
    pub fn to_bytes(&self) -> [u8; KEY_BYTES] {
        self.0.to_bytes().into()
    }
    /// The public half: what devices seal to.
    pub fn public(&self) -> [u8; KEY_BYTES] {
        X25519HkdfSha256::sk_to_pk(&self.0).to_bytes().into()
    }
    /// Opens what was sealed to the public half with the same `bound` data.
    ///
    /// # Errors
    /// [`SealingError::Open`].
    pub fn open(&self, bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealingError> {
        self.open_for(INFO, bound, sealed)
    }

    fn open_for(&self, info: &[u8], bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealingError> {
        let (encapped, text) = sealed.split_at_checked(KEY_BYTES).ok_or(SealingError::Open)?;
        let encapped = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapped)
            .map_err(|_| SealingError::Open)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &encapped,
            info,
            text,
            bound,
        )
        .map_err(|_| SealingError::Open)
    }
}

/// Seals a text to a public key: the encapsulated key, then the text with 16 more bytes. `bound` is
/// not part of it and has to be given again to open it. `random` must never be used twice.
///
/// # Errors
/// [`SealingError::Key`].
pub fn seal(
    public: &[u8],
    bound: &[u8],
    text: &[u8],
    random: [u8; KEY_BYTES],
) -> Result<Vec<u8>, SealingError> {
    seal_for(INFO, public, bound, text, random)
}

fn seal_for(
    info: &[u8],
    public: &[u8],
    bound: &[u8],
    text: &[u8],
    random: [u8; KEY_BYTES],
) -> Result<Vec<u8>, SealingError> {
    let public =
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(public).map_err(|_| SealingError::Key)?;
    let (encapped, text) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &public, info, text, bound, &mut Given(random))
    .map_err(|_| SealingError::Key)?;
    Ok([&encapped.to_bytes()[..], &text].concat())
}

/// The randomness of one sealing: exactly the 32 bytes that make the ephemeral key.
struct Given([u8; KEY_BYTES]);

impl TryRng for Given {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        debug_assert!(bytes.len() <= KEY_BYTES, "one key is all that is made of it");
        for (to, from) in bytes.iter_mut().zip(self.0) {
            *to = from;
        }
        Ok(())
    }
}

impl TryCryptoRng for Given {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    fn array(hex: &str) -> [u8; 32] {
        bytes(hex).try_into().unwrap()
    }

    /// RFC 9180, appendix A.2.1, sequence number 0.
    #[test]
    fn it_is_the_hpke_of_the_standard() {
        let info = bytes("4f6465206f6e2061204772656369616e2055726e");
        let ephemeral = array("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
        let recipient = OpeningKey::derive(&array(
            "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
        ));
        assert_eq!(
            recipient.public().to_vec(),
            bytes("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
        );
        let text = bytes("4265617574792069732074727574682c20747275746820626561757479");
        let bound = bytes("436f756e742d30");
        let sealed = seal_for(&info, &recipient.public(), &bound, &text, ephemeral).unwrap();
        assert_eq!(
            sealed,
            bytes(
                "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a\
                 1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
            )
        );
        assert_eq!(recipient.open_for(&info, &bound, &sealed).unwrap(), text);
    }

    #[test]
    fn only_the_key_it_was_sealed_to_opens_it_and_only_where_it_belongs() {
        let key = OpeningKey::derive(&[1; 32]);
        let sealed = seal(&key.public(), b"here", b"what nobody else may read", [2; 32]).unwrap();
        assert_eq!(key.open(b"here", &sealed).unwrap(), b"what nobody else may read");
        let again = OpeningKey::from_bytes(&key.to_bytes()).unwrap();
        assert_eq!(again.open(b"here", &sealed).unwrap(), b"what nobody else may read");
        assert_eq!(key.open(b"there", &sealed), Err(SealingError::Open));
        assert_eq!(OpeningKey::derive(&[3; 32]).open(b"here", &sealed), Err(SealingError::Open));
        assert_eq!(key.open_for(b"another purpose", b"here", &sealed), Err(SealingError::Open));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(b"here", &changed), Err(SealingError::Open), "byte {at}");
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open(b"here", &sealed[..length]), Err(SealingError::Open));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for key in [&[][..], &[0; 31], &[0; 32], &[0; 33]] {
            assert_eq!(seal(key, b"", b"text", [4; 32]), Err(SealingError::Key), "{key:?}");
        }
    }
}
