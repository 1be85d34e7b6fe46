//! The sealed copies of edits that a device keeps outside its encrypted database (rule 17), as they lie
//! on its disk, and what another device of the same user says when it hands them over.
//!
//! A part names the device that made it. Nobody else can have made it: the device has vouched for a key
//! with its own, once for all its parts, and that key signs each of them. It is kept inside the
//! encrypted replica, so that whoever finds the copies can neither read them nor add to them. (The
//! device's own key may lie in hardware that takes a tenth of a second, or asks its user.)

use minicbor::{Decode, Encode};
use ring::digest::{SHA256, digest};

use super::{KeyAlgorithm, Sealed, verify};
use crate::ids::{DeviceId, EditId, UserId, WorkspaceId};

/// In `Welcome`: the server takes the sealed copies of another device of the same user.
pub const CAPABILITY_COPIES: &str = "copies";

/// Whose a sealed part is, where another device hands it over.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Origin {
    /// The device that made it.
    #[n(0)]
    pub device: DeviceId,
    /// The public half of the key that signs its copies: Ed25519, 32 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// The signature of [`copy_key_text`] by the device's own key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub vouched: Vec<u8>,
    /// The signature of [`copy_text`] by `key`.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// What a device signs of the key that signs its copies.
pub fn copy_key_text(
    workspace: &WorkspaceId,
    device: &DeviceId,
    user: &UserId,
    key: &[u8],
) -> Vec<u8> {
    [
        b"roadbook copies 1\0".as_slice(),
        workspace.as_bytes(),
        device.as_bytes(),
        user.as_bytes(),
        key,
    ]
    .concat()
}

/// What that key signs of a part. Its place is bound to it by the sealing too; here it is so that
/// nothing has to be opened to tell a forged part.
pub fn copy_text(bundle: EditId, part: u32, sealed_to: &[u8], sealed: &[u8]) -> Vec<u8> {
    [
        b"roadbook copy 1\0".as_slice(),
        bundle.as_bytes(),
        &part.to_be_bytes(),
        sealed_to,
        digest(&SHA256, sealed).as_ref(),
    ]
    .concat()
}

impl Origin {
    /// Whether the device whose public key this is made the part.
    pub fn holds(
        &self,
        sealed: &Sealed,
        workspace: &WorkspaceId,
        user: &UserId,
        (algorithm, public_key): (KeyAlgorithm, &[u8]),
    ) -> bool {
        let vouched = copy_key_text(workspace, &self.device, user, &self.key);
        let text = copy_text(sealed.bundle, sealed.part, &sealed.key, &sealed.bytes);
        verify(algorithm, public_key, &vouched, &self.vouched)
            && verify(KeyAlgorithm::Ed25519, &self.key, &text, &self.signature)
    }
}

/// What stands at the beginning of a file of copies.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CopiesHeader {
    /// The workspace.
    #[n(0)]
    pub workspace: WorkspaceId,
    /// The device that made them.
    #[n(1)]
    pub device: DeviceId,
    /// Its user.
    #[n(2)]
    pub user: UserId,
    /// The workspace's public sealing key that they are sealed to.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub sealed_to: Vec<u8>,
    /// As in [`Origin`].
    #[cbor(n(4), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// As in [`Origin`].
    #[cbor(n(5), with = "minicbor::bytes")]
    pub vouched: Vec<u8>,
}

/// One part in a file of copies.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CopiedPart {
    /// The bundle.
    #[n(0)]
    pub bundle: EditId,
    /// Its place in it.
    #[n(1)]
    pub part: u32,
    /// How many edits of a person it holds.
    #[n(2)]
    pub edits: u32,
    /// What it holds, so that the device can compare without opening it: 32 bytes each, the hash of a
    /// change or of what else was sealed. They tell nothing to who does not know the content.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub tags: Vec<u8>,
    /// The sealed text.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
    /// As in [`Origin`].
    #[cbor(n(5), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

impl CopiedPart {
    /// The frame that hands it over.
    pub fn into_sealed(self, header: &CopiesHeader) -> Sealed {
        Sealed {
            bundle: self.bundle,
            part: self.part,
            parts: super::SEALED_PARTS_MAX,
            key: header.sealed_to.clone(),
            bytes: self.bytes,
            edits: self.edits,
            origin: Some(Origin {
                device: header.device,
                key: header.key.clone(),
                vouched: header.vouched.clone(),
                signature: self.signature,
            }),
        }
    }
}

/// As bytes, to be kept.
macro_rules! kept {
    ($($name:ident),*) => {
        $(impl $name {
            /// As bytes, to be kept.
            pub fn to_bytes(&self) -> Vec<u8> {
                // Encoding into memory can't fail.
                minicbor::to_vec(self).unwrap_or_default()
            }
            /// What [`Self::to_bytes`] wrote; `None` if it is nothing of the kind.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                minicbor::decode(bytes).ok()
            }
        })*
    };
}

kept!(CopiesHeader, CopiedPart);

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;
    use crate::sealing::OpeningKey;

    #[test]
    fn a_part_holds_only_as_the_device_made_it() {
        let (workspace, user) = (WorkspaceId::from_bytes([1; 16]), UserId::from_bytes([3; 16]));
        let device = DeviceId::from_bytes([2; 16]);
        let own = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap();
        let copying = Ed25519KeyPair::from_seed_unchecked(&[6; 32]).unwrap();
        let key = copying.public_key().as_ref().to_vec();
        let vouched = own.sign(&copy_key_text(&workspace, &device, &user, &key)).as_ref().to_vec();
        let to = OpeningKey::derive(&[7; 32]).public();
        let bundle = EditId::from_bytes([8; 16]);
        let place = (bundle, 3, crate::wire::SEALED_PARTS_MAX);
        let made =
            Sealed::seal((&workspace, &device, &user), place, Vec::new(), &to, [9; 32]).unwrap();
        let signature = copying.sign(&copy_text(bundle, 3, &to, &made.bytes)).as_ref().to_vec();
        let header = CopiesHeader { workspace, device, user, sealed_to: to.to_vec(), key, vouched };
        let part = CopiedPart {
            bundle,
            part: 3,
            edits: 0,
            tags: vec![1; 32],
            bytes: made.bytes,
            signature,
        };
        assert_eq!(CopiedPart::from_bytes(&part.to_bytes()).as_ref(), Some(&part));
        assert_eq!(CopiesHeader::from_bytes(&header.to_bytes()).as_ref(), Some(&header));
        let sealed = part.into_sealed(&header);
        let origin = sealed.origin.clone().unwrap();
        let public = own.public_key().as_ref();
        let by = (KeyAlgorithm::Ed25519, public);
        assert!(origin.holds(&sealed, &workspace, &user, by));
        let other = UserId::from_bytes([0; 16]);
        assert!(!origin.holds(&sealed, &workspace, &other, by), "another user's");
        assert!(!origin.holds(&sealed, &WorkspaceId::from_bytes([0; 16]), &user, by));
        let by_copying = (KeyAlgorithm::Ed25519, copying.public_key().as_ref());
        assert!(!origin.holds(&sealed, &workspace, &user, by_copying), "another device's");
        for forged in [
            Sealed { part: 4, ..sealed.clone() },
            Sealed { bundle: EditId::from_bytes([0; 16]), ..sealed.clone() },
            Sealed { key: vec![0; 32], ..sealed.clone() },
            Sealed { bytes: vec![0; 40], ..sealed.clone() },
        ] {
            assert!(!origin.holds(&forged, &workspace, &user, by), "{forged:?}");
        }
        let of_another = Origin { device: DeviceId::from_bytes([0; 16]), ..origin.clone() };
        assert!(!of_another.holds(&sealed, &workspace, &user, by));
        let own_key = Origin { key: public.to_vec(), ..origin };
        assert!(!own_key.holds(&sealed, &workspace, &user, by), "nobody vouched for that key");
    }
}
