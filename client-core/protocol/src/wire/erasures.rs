//! Frames by which devices learn that contacts were erased, and confirm that nothing of them is left.

use minicbor::{Decode, Encode};

use super::codec;
use crate::ids::{ContactId, DeviceId, WorkspaceId};

/// In `Hello`: the device purges what it is told was erased, and confirms it. One that does not say so
/// drops an erased contact like one that was taken away.
pub const CAPABILITY_ERASURES: &str = "erasures";

/// Contacts in one [`Erasures`], and in one [`Purged`].
pub const ERASURES_MAX: usize = 4_096;

/// These contacts were erased. The device destroys everything that it has of them, what is unsent too.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Erasures {
    /// The contacts, at most [`ERASURES_MAX`].
    #[cbor(n(0), with = "codec::ids")]
    pub contacts: Vec<ContactId>,
    /// The signature of [`erasures_text`] by the workspace's key: an order to destroy is not taken from
    /// anybody else.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// Nothing of these contacts is left on the device: no document, row, search text or edit, in no file.
/// Sent after the log of its database was emptied.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Purged {
    /// The contacts, at most [`ERASURES_MAX`].
    #[cbor(n(0), with = "codec::ids")]
    pub contacts: Vec<ContactId>,
}

/// What the workspace's key signs of [`Erasures`] for one device.
pub fn erasures_text(
    workspace: &WorkspaceId,
    device: &DeviceId,
    contacts: &[ContactId],
) -> Vec<u8> {
    let mut text =
        [b"roadbook erasures 1\0", workspace.as_bytes().as_slice(), device.as_bytes()].concat();
    contacts.iter().for_each(|contact| text.extend_from_slice(contact.as_bytes()));
    text
}
