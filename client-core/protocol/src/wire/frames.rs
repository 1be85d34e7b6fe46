//! The frames themselves. Numbers are never reused; new fields are optional.

use std::convert::Infallible;

use automerge::ChangeHash;
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::codec;
use crate::ids::{Actor, ContactId, Cursor, DeviceId, TimelineId, UnixMs, UserId, WorkspaceId};

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
}

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
    /// Names of optional abilities; unknown ones are ignored.
    #[n(5)]
    #[cbor(default)]
    pub capabilities: Vec<String>,
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
    /// it: acknowledgements under it are void, and the device sends [`Heads`] (rule 1).
    #[n(7)]
    pub repair: bool,
    /// The oldest app version that gets customer data; older ones may only upload (rule 22).
    #[n(8)]
    pub minimum_app: Option<String>,
    /// Until when the device may be read offline (a later issue uses it), milliseconds since 1970.
    #[n(9)]
    pub lease_until: Option<UnixMs>,
    /// The largest batch the server takes.
    #[n(10)]
    pub batch_changes_max: u32,
    /// The workspace's name.
    #[n(11)]
    pub workspace_name: String,
}

/// One change on its way up.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct UpChange {
    /// The contact that it belongs to.
    #[n(0)]
    pub contact: ContactId,
    /// The raw, uncompressed Automerge change chunk.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

/// A batch of changes, in causal order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Changes {
    /// Numbered from 1 in each connection; receipts name it.
    #[n(0)]
    pub batch: u64,
    /// The changes.
    #[n(1)]
    pub changes: Vec<UpChange>,
    /// How many local changes are unsent after this batch.
    #[n(2)]
    #[cbor(default)]
    pub unsent: u32,
}

/// What became of a change (rule 8), or where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, serde::Serialize, serde::Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Durable on the server, not merged yet.
    #[n(0)]
    Stored,
    /// Part of the contact, visible to managers.
    #[n(1)]
    Merged,
    /// Kept, with a reason, and not part of the contact.
    #[n(2)]
    Quarantined,
    /// Superseded by another change that carries the same edit.
    #[n(3)]
    Replaced,
    /// Waits for the new owner's decision.
    #[n(4)]
    Proposed,
    /// Erased with its contact.
    #[n(5)]
    Erased,
    /// Another change has the same actor and sequence number: a copied replica. The device
    /// re-authors the edit under a new actor.
    #[n(6)]
    Forked,
    /// The server has never seen it.
    #[n(7)]
    Unknown,
    /// In the waiting room until its dependencies come; not acknowledged.
    #[n(8)]
    Waiting,
}

impl Fate {
    /// The word for it, as in JSON and in the server's tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Stored => "stored",
            Fate::Merged => "merged",
            Fate::Quarantined => "quarantined",
            Fate::Replaced => "replaced",
            Fate::Proposed => "proposed",
            Fate::Erased => "erased",
            Fate::Forked => "forked",
            Fate::Unknown => "unknown",
            Fate::Waiting => "waiting",
        }
    }
    /// The fate of that word.
    pub fn from_name(word: &str) -> Option<Fate> {
        const ALL: [Fate; 9] = [
            Fate::Stored,
            Fate::Merged,
            Fate::Quarantined,
            Fate::Replaced,
            Fate::Proposed,
            Fate::Erased,
            Fate::Forked,
            Fate::Unknown,
            Fate::Waiting,
        ];
        ALL.into_iter().find(|fate| fate.as_str() == word)
    }
}

/// A change of a batch that did not simply become durable.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Exception {
    /// Its index in the batch.
    #[n(0)]
    pub index: u32,
    /// What became of it instead.
    #[n(1)]
    pub fate: Fate,
    /// A stable short code, such as `not_yours` or `checksum`.
    #[n(2)]
    #[cbor(default)]
    pub code: String,
    /// For a person: the thing, the reason, the way out.
    #[n(3)]
    #[cbor(default)]
    pub reason: String,
}

/// Every change of the batch is durable on the server, except as listed. Sent after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Stored {
    /// The batch.
    #[n(0)]
    pub batch: u64,
    /// The exceptions, by index. A quarantined or forked change is durable too.
    #[n(1)]
    #[cbor(default)]
    pub exceptions: Vec<Exception>,
}

/// A run of changes of one batch that were merged: `from..=to`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MergedRun {
    /// The batch.
    #[n(0)]
    pub batch: u64,
    /// The first index.
    #[n(1)]
    pub from: u32,
    /// The last index.
    #[n(2)]
    pub to: u32,
}

/// The fate of one change, named by hash.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChangeFate {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// The change.
    #[cbor(n(1), with = "codec::hash")]
    pub hash: ChangeHash,
    /// What became of it.
    #[n(2)]
    pub fate: Fate,
    /// A stable short code.
    #[n(3)]
    #[cbor(default)]
    pub code: String,
    /// For a person.
    #[n(4)]
    #[cbor(default)]
    pub reason: String,
}

/// What became of changes of this device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fates {
    /// Merged changes of this connection's batches: the cheap, exact form.
    #[n(0)]
    #[cbor(default)]
    pub merged: Vec<MergedRun>,
    /// All others, and those of earlier connections.
    #[n(1)]
    #[cbor(default)]
    pub fates: Vec<ChangeFate>,
}

/// Changes that are waiting need these first. The device sends them, or re-authors what waits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Need {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// What is missing.
    #[cbor(n(1), with = "codec::hashes")]
    pub hashes: Vec<ChangeHash>,
}

/// How a contact is held on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Access {
    /// Its user is the owner.
    #[n(0)]
    Owner,
    /// Its user is a collaborator.
    #[n(1)]
    Collaborator,
    /// Not any more: the device drops it after its unsent edits were sent.
    #[n(2)]
    Removed,
}

/// What is new of one contact.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PageItem {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// How this user holds it.
    #[n(1)]
    pub access: Access,
    /// Its owner.
    #[n(2)]
    pub owner: Option<UserId>,
    /// The assignment epoch: grows with every change of owner.
    #[n(3)]
    #[cbor(default)]
    pub epoch: u64,
    /// Merged changes in causal order, raw chunks. Empty where a snapshot is given.
    #[cbor(n(4), with = "codec::blobs")]
    pub changes: Vec<Vec<u8>>,
    /// The whole document (`save` without compression), instead of changes.
    #[cbor(n(5), with = "minicbor::bytes")]
    #[cbor(default)]
    pub snapshot: Vec<u8>,
    /// The projection row as JSON, beside a snapshot.
    #[n(6)]
    #[cbor(default)]
    pub row: String,
    /// The heads after this item: what is merged at the server.
    #[cbor(n(7), with = "codec::hashes")]
    pub heads: Vec<ChangeHash>,
}

/// What is new, in the order of cursors. The device answers [`Applied`] when it is durable.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Page {
    /// The device's cursor after this page.
    #[n(0)]
    pub cursor: Cursor,
    /// The items; a contact occurs once.
    #[n(1)]
    pub items: Vec<PageItem>,
    /// Whether more is known to follow at once.
    #[n(2)]
    pub more: bool,
}

/// A part of the list of contacts to fetch, nearest visits and latest touched first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Manifest {
    /// The cursor at which the list was taken; live pages follow from there.
    #[n(0)]
    pub cursor: Cursor,
    /// The contacts of this part, in the order to fetch them.
    #[cbor(n(1), with = "codec::ids")]
    pub contacts: Vec<ContactId>,
    /// Whether this is the last part.
    #[n(2)]
    pub last: bool,
    /// Bytes of all documents of all parts, before compression.
    #[n(3)]
    #[cbor(default)]
    pub bytes_total: u64,
}

/// Asks for documents in full.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fetch {
    /// Numbered from 1 in each connection.
    #[n(0)]
    pub request: u64,
    /// At most `page_documents_max` contacts.
    #[cbor(n(1), with = "codec::ids")]
    pub contacts: Vec<ContactId>,
}

/// The answer to [`Fetch`]; may come in several parts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Fetched {
    /// The request.
    #[n(0)]
    pub request: u64,
    /// Snapshots; a contact that this user may not see (any more) comes as `Removed`, exactly like
    /// one that does not exist.
    #[n(1)]
    pub items: Vec<PageItem>,
    /// Whether the request is answered completely.
    #[n(2)]
    pub last: bool,
}

/// Everything up to the cursor is durable on the device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Applied {
    /// The cursor.
    #[n(0)]
    pub cursor: Cursor,
    /// How many local changes are not yet acknowledged.
    #[n(1)]
    #[cbor(default)]
    pub unsent: u32,
    /// How many contacts of a manifest are still to be fetched.
    #[n(2)]
    #[cbor(default)]
    pub missing: u32,
}

/// Further actors of this replica, before the first change that uses one.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Actors {
    /// The actors.
    #[cbor(n(0), with = "codec::ids")]
    pub actors: Vec<Actor>,
}

/// The heads of one contact on a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ContactHeads {
    /// The contact.
    #[n(0)]
    pub contact: ContactId,
    /// Its heads.
    #[cbor(n(1), with = "codec::hashes")]
    pub heads: Vec<ChangeHash>,
}

/// In repair: what the device holds.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Heads {
    /// A part of the contacts.
    #[n(0)]
    pub items: Vec<ContactHeads>,
    /// Whether this is the last part. The server answers with [`HeadsUnknown`] and [`Manifest`].
    #[n(1)]
    pub last: bool,
}

/// In repair: heads that the server does not know. The device offers what it has of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HeadsUnknown {
    /// Contacts, each with the heads that are unknown.
    #[n(0)]
    pub items: Vec<ContactHeads>,
    /// Whether this is the last part.
    #[n(1)]
    pub last: bool,
}

/// A user's name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DirectoryUser {
    /// The user.
    #[n(0)]
    pub user: UserId,
    /// Login.
    #[n(1)]
    pub login: String,
    /// Name.
    #[n(2)]
    pub name: String,
}

/// Which user an actor belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DirectoryActor {
    /// The actor.
    #[n(0)]
    pub actor: Actor,
    /// Its user; `None` for an actor of a server, which may name any author.
    #[n(1)]
    pub user: Option<UserId>,
}

/// Names of the authors that occur in the device's contacts. Signed as
/// [`super::directory_text`] with the workspace's key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Directory {
    /// Users.
    #[n(0)]
    pub users: Vec<DirectoryUser>,
    /// Actors.
    #[n(1)]
    pub actors: Vec<DirectoryActor>,
    /// The Ed25519 signature by the workspace's key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
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
