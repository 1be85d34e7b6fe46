//! Frames that open a session, and `Problem`, which ends one.

use automerge::ChangeHash;
use minicbor::{Decode, Encode};

use super::codec;
use super::wipe::{Lease, SealingKey};
use crate::ids::{Actor, ContactId, Cursor, DeviceId, TimelineId, UnixMs, UserId, WorkspaceId};

/// Opens a connection.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    /// The newest protocol version that the device speaks.
    #[n(0)]
    pub protocol: u16,
    /// The workspace that the device was enrolled in.
    #[n(1)]
    pub workspace: WorkspaceId,
    /// The device.
    #[n(2)]
    pub device: DeviceId,
    /// App name and version, such as `roadbook/0.1.0`.
    #[n(3)]
    pub app: String,
    /// Operating system and its version.
    #[n(4)]
    pub platform: String,
    /// Names of optional abilities, 64 at most; unknown ones are ignored.
    #[cbor(n(5), with = "codec::words")]
    #[cbor(default)]
    pub capabilities: Vec<String>,
    /// The device's [`super::EnrolmentCertificate`], where it was told that it is not known; else empty.
    #[cbor(n(6), with = "minicbor::bytes")]
    #[cbor(default)]
    pub certificate: Vec<u8>,
}

/// The signature algorithm of a device key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum KeyAlgorithm {
    /// Ed25519, 32-byte public key, 64-byte signature.
    #[n(0)]
    Ed25519,
    /// ECDSA P-256 with SHA-256, for Secure Enclave and StrongBox: uncompressed point of 65 bytes,
    /// DER signature.
    #[n(1)]
    EcdsaP256,
}

/// Enrols a device with a one-time code.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Enrol {
    /// The newest protocol version that the device speaks.
    #[n(0)]
    pub protocol: u16,
    /// The one-time code as printed by `invite`; case and dashes don't matter.
    #[n(1)]
    pub code: String,
    /// The algorithm of the device's key.
    #[n(2)]
    pub algorithm: KeyAlgorithm,
    /// The device's public key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub public_key: Vec<u8>,
    /// The signature of [`super::enrolment_text`] by that key: the device holds the private half.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
    /// What the user calls the device.
    #[n(5)]
    pub name: String,
    /// App name and version.
    #[n(6)]
    pub app: String,
    /// Operating system and its version.
    #[n(7)]
    pub platform: String,
}

/// The answer to [`Enrol`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Enrolled {
    /// The workspace.
    #[n(0)]
    pub workspace: WorkspaceId,
    /// Its name.
    #[n(1)]
    pub workspace_name: String,
    /// The new device.
    #[n(2)]
    pub device: DeviceId,
    /// Its user.
    #[n(3)]
    pub user: UserId,
    /// The user's login.
    #[n(4)]
    pub login: String,
    /// The user's name.
    #[n(5)]
    pub user_name: String,
    /// The workspace's Ed25519 public key, which signs directories.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub workspace_key: Vec<u8>,
    /// What to seal to (rule 20).
    #[n(7)]
    pub sealing: Option<SealingKey>,
    /// What the device keeps as the workspace's word that it was enrolled (rule 4):
    /// [`super::EnrolmentCertificate`].
    #[cbor(n(8), with = "minicbor::bytes")]
    #[cbor(default)]
    pub certificate: Vec<u8>,
}

/// The challenge.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Challenge {
    /// The protocol version of this connection: the lower of both ends'.
    #[n(0)]
    pub protocol: u16,
    /// 32 random bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub nonce: Vec<u8>,
    /// The algorithm that the device's key has at the server.
    #[n(2)]
    pub algorithm: KeyAlgorithm,
}

/// The answer to [`Challenge`], and where the device stands.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Proof {
    /// The signature of [`super::challenge_text`].
    #[cbor(n(0), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
    /// The timeline of the device's cursor; `None` before the first sync.
    #[n(1)]
    pub timeline: Option<TimelineId>,
    /// The device's cursor: everything up to it is durable on the device.
    #[n(2)]
    pub cursor: Cursor,
    /// The actors this replica writes with.
    #[cbor(n(3), with = "codec::ids")]
    pub actors: Vec<Actor>,
    /// Changes that the server has acknowledged as stored, whose fate the device hasn't heard.
    #[n(4)]
    #[cbor(default)]
    pub pending: Vec<PendingChanges>,
    /// How many local changes are not yet acknowledged.
    #[n(5)]
    pub unsent: u32,
    /// Whether an earlier manifest is not fetched completely.
    #[n(6)]
    #[cbor(default)]
    pub incomplete: bool,
    /// Which lists of the office the device has: what the last part of [`super::Lists`] said.
    #[n(7)]
    pub lists: Option<u64>,
}

/// Changes of one contact whose fate is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PendingChanges {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// The changes.
    #[cbor(n(1), with = "codec::hashes")]
    pub hashes: Vec<ChangeHash>,
}

/// The session is open.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Welcome {
    /// The timeline that acknowledgements and cursors of this connection belong to.
    #[n(0)]
    pub timeline: TimelineId,
    /// The public cursor at this moment.
    #[n(1)]
    pub cursor: Cursor,
    /// The server's time, milliseconds since 1970.
    #[n(2)]
    pub server_time: UnixMs,
    /// The user of this device.
    #[n(3)]
    pub user: UserId,
    /// Login, name and role, as they are now.
    #[n(4)]
    pub login: String,
    /// The user's name.
    #[n(5)]
    pub user_name: String,
    /// `rep`, `manager` or `admin`.
    #[n(6)]
    pub role: String,
    /// The device's timeline is unknown, or its cursor lies beyond what the server ever assigned in
    /// it: acknowledgements under it are void, and the device sends [`super::Heads`] (rule 1).
    #[n(7)]
    pub repair: bool,
    /// The oldest app version that gets customer data; older ones may only upload (rule 22).
    #[n(8)]
    pub minimum_app: Option<String>,
    /// Until when the device may be read offline, milliseconds since 1970: the end of `lease`.
    #[n(9)]
    pub lease_until: Option<UnixMs>,
    /// The largest batch the server takes.
    #[n(10)]
    pub batch_changes_max: u32,
    /// The workspace's name.
    #[n(11)]
    pub workspace_name: String,
    /// Names of optional abilities; unknown ones are ignored.
    #[n(12)]
    #[cbor(default)]
    pub capabilities: Vec<String>,
    /// The permission to read the replica, signed.
    #[n(13)]
    pub lease: Option<Lease>,
    /// What to seal to (rule 20).
    #[n(14)]
    pub sealing: Option<SealingKey>,
    /// As in [`Enrolled`], for a device that asked for it; else empty.
    #[cbor(n(15), with = "minicbor::bytes")]
    #[cbor(default)]
    pub certificate: Vec<u8>,
}

/// Why a connection ends, or a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ProblemCode {
    /// The device, its key or its signature is not known here.
    #[n(0)]
    Unauthorized,
    /// The device was revoked.
    #[n(1)]
    Revoked,
    /// Another connection with the same device key is open: this replica is a copy. It enrols as a
    /// device of its own; nothing is lost.
    #[n(2)]
    Copied,
    /// A frame could not be read or came at the wrong time.
    #[n(3)]
    Protocol,
    /// Too much, too fast; `retry_after_ms` says when.
    #[n(4)]
    RateLimited,
    /// The server is shutting down or full; `retry_after_ms` says when.
    #[n(5)]
    Unavailable,
    /// The enrolment code is wrong, used or too old.
    #[n(6)]
    CodeRefused,
    /// An actor is registered to another device: the replica takes a new one.
    #[n(7)]
    ActorTaken,
    /// Something failed at the server; its log says what.
    #[n(8)]
    Internal,
    /// The app is older than the workspace's minimum: it may upload, but gets no customer data.
    #[n(9)]
    MinimumVersion,
}

/// Why the connection ends, or what went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Problem {
    /// The kind.
    #[n(0)]
    pub code: ProblemCode,
    /// For a person: the thing, the reason, the way out.
    #[n(1)]
    pub message: String,
    /// When to try again.
    #[n(2)]
    pub retry_after_ms: Option<u64>,
    /// Whether the server closes the connection.
    #[n(3)]
    pub fatal: bool,
    /// The actors concerned, with `ActorTaken`.
    #[cbor(n(4), with = "codec::ids")]
    #[cbor(default)]
    pub actors: Vec<Actor>,
}
