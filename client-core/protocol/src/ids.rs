//! Identifiers. Each kind is a type of its own, so that a device id can't be passed as a contact id.
//!
//! All are 16 bytes. Contacts and entries are UUIDv7 (they sort by creation), the others are random.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a {kind} id: expected a UUID such as 0192f3c0-7d1e-7a40-8000-0123456789ab"
)]
pub struct IdError {
    /// What was expected: `contact`, `device` and so on.
    pub kind: &'static str,
    /// The text that was given.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// From 16 random bytes; the version and variant bits are set to UUIDv4.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }
            /// From a time (milliseconds since 1970) and 10 random bytes: a UUIDv7.
            pub fn from_time(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
            }
            /// From the 16 bytes that [`Self::as_bytes`] gave.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
            /// From a byte slice, `None` unless it is 16 bytes long.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
            /// The 16 bytes, as they are stored and sent.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($kind, ":{}"), self.0.hyphenated())
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text.trim())
                    .map(Self)
                    .map_err(|_| IdError { kind: $kind, text: text.chars().take(80).collect() })
            }
        }
        impl<C> Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(self.as_bytes())?.ok()
            }
        }
        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                let bytes = d.bytes()?;
                Self::from_slice(bytes).ok_or_else(|| {
                    minicbor::decode::Error::message(concat!("a ", $kind, " id is 16 bytes"))
                })
            }
        }
    };
}

id!(/// A company: the unit of sharding and of isolation. Nothing crosses it.
    WorkspaceId, "workspace");
id!(/// A person who signs in: rep, manager or admin.
    UserId, "user");
id!(/// One enrolled replica: a phone or a laptop, with a key of its own.
    DeviceId, "device");
id!(/// A contact, and the document that holds it.
    ContactId, "contact");
id!(/// Something with an identity inside a contact: a phone, an interaction, a deal, a task.
    EntryId, "entry");
id!(/// One period of a server's life, opened at each start (rule 1 of the sync rules).
    TimelineId, "timeline");
id!(/// One command or group of commands made together: what `outbox` lists and `undo` takes back.
    EditId, "edit");
id!(/// A list of contacts that the office has handed over.
    ListId, "list");
id!(/// An Automerge actor: one incarnation of one replica, or of one server.
    Actor, "actor");

impl From<Actor> for automerge::ActorId {
    fn from(actor: Actor) -> Self {
        automerge::ActorId::from(*actor.as_bytes())
    }
}

/// A position in the order of a workspace's merged changes and visibility changes.
/// It starts at 1; 0 means "nothing yet".
pub type Cursor = u64;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMs = i64;
