//! Frames by which a device confirms that contacts which were taken from its user are gone (rule 18).
//!
//! Until then the server takes late edits of such a contact as proposals; afterwards the device can't
//! have made any.

use minicbor::{Decode, Encode};

use super::codec;
use crate::ids::{ContactId, Cursor};

/// In `Welcome`: the server takes [`Dropped`]. A device tells an older one nothing, and remembers.
pub const CAPABILITY_DROPS: &str = "drops";

/// Contacts in one [`Dropped`].
pub const DROPS_MAX: usize = 4_096;

/// The device holds nothing of these contacts any more: no document, row, search text or file, and
/// nothing that is unsent. Sent after the transaction in which they were dropped is durable.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Dropped {
    /// The device's cursor: what the server did to these contacts after it, the device does not know.
    #[n(0)]
    pub cursor: Cursor,
    /// The contacts, at most [`DROPS_MAX`].
    #[cbor(n(1), with = "codec::ids")]
    pub contacts: Vec<ContactId>,
}

/// The server has noted what the device said to have dropped. Sent after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DropsKnown {
    /// The cursor of the [`Dropped`] that this answers.
    #[n(0)]
    pub cursor: Cursor,
    /// Its contacts.
    #[cbor(n(1), with = "codec::ids")]
    pub contacts: Vec<ContactId>,
}
