//! Which frames there are. Numbers are never reused; new fields are optional.

use std::convert::Infallible;

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::down::{
    Actors, Applied, Directory, Fetch, Fetched, Heads, HeadsUnknown, Manifest, Page,
};
use super::drops::{Dropped, DropsKnown};
use super::erasures::{Erasures, Purged};
use super::evidence::{Offer, Offered};
use super::handshake::{Challenge, Enrol, Enrolled, Hello, Problem, Proof, Welcome};
use super::lists::Lists;
use super::proposals::{Decide, Decided, Proposals};
use super::up::{Changes, Fates, Need, Stored};
use super::wipe::{Sealed, SealedStored, WipeOrder, Wiped};

macro_rules! frames {
    ($($(#[$doc:meta])* $name:ident = $number:literal),* $(,)?) => {
        /// Any frame.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Frame {
            $($(#[$doc])* $name($name),)*
            /// A type that this version does not know; its body was skipped.
            Unknown(u16),
        }

        impl Frame {
            /// The type number on the wire.
            pub fn kind(&self) -> u16 {
                match self {
                    $(Frame::$name(_) => $number,)*
                    Frame::Unknown(kind) => *kind,
                }
            }
            /// Whether this version knows a type number.
            pub(super) fn is_known(kind: u16) -> bool {
                matches!(kind, $($number)|*)
            }
            /// The name, for logs.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Frame::$name(_) => stringify!($name),)*
                    Frame::Unknown(_) => "Unknown",
                }
            }
            pub(super) fn encode_into(&self, e: &mut Encoder<&mut Vec<u8>>) {
                let written: Result<(), minicbor::encode::Error<Infallible>> = (|| {
                    e.array(2)?.u16(self.kind())?;
                    match self {
                        $(Frame::$name(body) => body.encode(e, &mut ()),)*
                        Frame::Unknown(_) => e.map(0)?.ok(),
                    }
                })();
                debug_assert!(written.is_ok(), "writing into a Vec can't fail");
            }
            pub(super) fn decode_body(
                kind: u16,
                d: &mut Decoder<'_>,
            ) -> Result<Frame, minicbor::decode::Error> {
                match kind {
                    $($number => $name::decode(d, &mut ()).map(Frame::$name),)*
                    other => Ok(Frame::Unknown(other)),
                }
            }
        }

        $(impl From<$name> for Frame {
            fn from(body: $name) -> Frame { Frame::$name(body) }
        })*
    };
}

frames! {
    /// device -> server: who is there.
    Hello = 1,
    /// device -> server: enrol with a one-time code (instead of `Hello`).
    Enrol = 2,
    /// device -> server: the answer to the challenge, and where the device stands.
    Proof = 3,
    /// device -> server: changes, in causal order.
    Changes = 4,
    /// device -> server: documents wanted in full.
    Fetch = 5,
    /// device -> server: everything up to this cursor is durable here.
    Applied = 6,
    /// device -> server: further actors of this replica.
    Actors = 7,
    /// device -> server, in repair: the heads of what the device holds.
    Heads = 8,
    /// device -> server, in repair: what the server has lost, with evidence that it had it.
    Offer = 9,
    /// device -> server: contacts that were taken away are gone here, and nothing of them is unsent.
    Dropped = 10,
    /// device -> server: a part of what a device had not sent when it was wiped.
    Sealed = 11,
    /// device -> server: the device's data is destroyed.
    Wiped = 12,
    /// device -> server: nothing of these erased contacts is left here.
    Purged = 13,
    /// device -> server: the new owner's decision about late edits.
    Decide = 14,
    /// server -> device: prove that you hold the key.
    Challenge = 64,
    /// server -> device: the device is enrolled.
    Enrolled = 65,
    /// server -> device: the session is open.
    Welcome = 66,
    /// server -> device: a batch is durable, but for the exceptions.
    Stored = 67,
    /// server -> device: what became of changes.
    Fates = 68,
    /// server -> device: changes that must come first.
    Need = 69,
    /// server -> device: what is new.
    Page = 70,
    /// server -> device: what a first sync or a repair has to bring.
    Manifest = 71,
    /// server -> device: the answer to `Fetch`.
    Fetched = 72,
    /// server -> device: names of users, and which actor is whose.
    Directory = 73,
    /// server -> device, in repair: which offered heads the server doesn't know.
    HeadsUnknown = 74,
    /// server -> device: why the connection ends, or what went wrong.
    Problem = 75,
    /// server -> device, in repair: an offer is dealt with.
    Offered = 76,
    /// server -> device: what the device said to have dropped is noted.
    DropsKnown = 80,
    /// server -> device: hand over what is unsent, sealed, and destroy everything.
    WipeOrder = 77,
    /// server -> device: a sealed part is durable, or the wipe is known.
    SealedStored = 78,
    /// server -> device: contacts that were erased; destroy what you have of them.
    Erasures = 79,
    /// server -> device: late edits that wait for this user's decision.
    Proposals = 81,
    /// server -> device: what became of a decision.
    Decided = 82,
    /// server -> device: the lists that the office has handed to this user.
    Lists = 83,
}
