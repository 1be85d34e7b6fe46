//! The enrolment certificate (rule 4): the workspace's word, kept by a device, that it was enrolled.
//!
//! A server that was put back to a backup, and whose ledger is gone too, knows nothing of devices that
//! were enrolled later. By their certificates it takes their edits all the same.

use minicbor::{Decode, Encode};

use super::{KeyAlgorithm, verify};
use crate::ids::{DeviceId, UnixMs, UserId, WorkspaceId};

/// In `Hello`: the device has no certificate yet, or one of another server, and would like one.
pub const CAPABILITY_CERTIFICATE: &str = "certificate";
/// A certificate is no longer than this.
pub const CERTIFICATE_BYTES_MAX: usize = 2_048;
/// An Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// What the workspace's key vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EnrolmentCertificate {
    /// The device's user.
    #[n(0)]
    pub user: UserId,
    /// The user's login.
    #[n(1)]
    pub login: String,
    /// The user's name.
    #[n(2)]
    pub user_name: String,
    /// The role at that time.
    #[n(3)]
    pub role: String,
    /// The algorithm of the device's key.
    #[n(4)]
    pub algorithm: KeyAlgorithm,
    /// The device's public key.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub public_key: Vec<u8>,
    /// What the user calls the device.
    #[n(6)]
    pub name: String,
    /// When it was written, milliseconds since 1970.
    #[n(7)]
    pub issued_at: UnixMs,
}

impl EnrolmentCertificate {
    /// The certificate as the device keeps it, opaque to it: the signature, then what is signed but for
    /// the workspace and the device. `None` where it would be longer than [`CERTIFICATE_BYTES_MAX`].
    pub fn seal<E>(
        &self,
        workspace: &WorkspaceId,
        device: &DeviceId,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let Ok(body) = minicbor::to_vec(self) else { return Ok(None) };
        let sealed = [sign(&text(workspace, device, &body))?, body].concat();
        Ok((sealed.len() <= CERTIFICATE_BYTES_MAX).then_some(sealed))
    }

    /// Reads a certificate; `None` if the workspace's key does not vouch for it, for this device.
    pub fn open(
        sealed: &[u8],
        workspace: &WorkspaceId,
        device: &DeviceId,
        workspace_key: &[u8],
    ) -> Option<Self> {
        if sealed.len() > CERTIFICATE_BYTES_MAX {
            return None;
        }
        let (signature, body) = sealed.split_at_checked(SIGNATURE_BYTES)?;
        let text = text(workspace, device, body);
        if !verify(KeyAlgorithm::Ed25519, workspace_key, &text, signature) {
            return None;
        }
        minicbor::decode(body).ok()
    }
}

/// What the workspace's key signs.
fn text(workspace: &WorkspaceId, device: &DeviceId, body: &[u8]) -> Vec<u8> {
    [b"roadbook certificate 1\0".as_slice(), workspace.as_bytes(), device.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    #[test]
    fn it_holds_for_one_device_of_one_workspace_and_unaltered() {
        let key = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
        let (workspace, device) =
            (WorkspaceId::from_random([1; 16]), DeviceId::from_random([2; 16]));
        let certificate = EnrolmentCertificate {
            user: UserId::from_random([3; 16]),
            login: "ada".into(),
            user_name: "Ada".into(),
            role: "rep".into(),
            algorithm: KeyAlgorithm::Ed25519,
            public_key: vec![4; 32],
            name: "phone".into(),
            issued_at: 5,
        };
        let sign = |text: &[u8]| Ok::<_, Infallible>(key.sign(text).as_ref().to_vec());
        let sealed = certificate.seal(&workspace, &device, sign).unwrap().unwrap();
        let public = key.public_key().as_ref();
        let open = |sealed: &[u8], workspace: &WorkspaceId, device: &DeviceId| {
            EnrolmentCertificate::open(sealed, workspace, device, public)
        };
        assert_eq!(open(&sealed, &workspace, &device), Some(certificate.clone()));
        assert_eq!(open(&sealed, &WorkspaceId::from_random([9; 16]), &device), None);
        assert_eq!(open(&sealed, &workspace, &DeviceId::from_random([9; 16])), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(open(&altered, &workspace, &device), None, "byte {at}");
            assert_eq!(open(&sealed[..at], &workspace, &device), None, "{at} bytes");
        }
        let long = EnrolmentCertificate { name: "n".repeat(CERTIFICATE_BYTES_MAX), ..certificate };
        assert_eq!(long.seal(&workspace, &device, sign).unwrap(), None);
    }
}
