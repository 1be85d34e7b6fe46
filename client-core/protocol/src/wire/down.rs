//! Frames that bring a device what is new, and what it answers.

use automerge::ChangeHash;
use minicbor::{Decode, Encode};

use super::codec;
use super::evidence::{Seal, Tips};
use crate::document::CustomField;
use crate::ids::{Actor, ContactId, Cursor, UserId};

/// A device with this capability takes a document of a later generation in the place of its own
/// (rule 25). One without it is told to update its app as soon as it is to get such a document.
pub const CAPABILITY_GENERATIONS: &str = "generations";

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
    /// The tips that the frame's seal covers, where they can't be told from the item: some of its
    /// changes came from this very connection and are left out.
    #[n(8)]
    pub signed: Option<Tips>,
    /// Of which generation the contact's document is (rule 25); absent in the first.
    #[n(9)]
    pub generation: Option<u64>,
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
    /// The signature over what the items say; absent where the device does not keep it.
    #[n(3)]
    pub seal: Option<Seal>,
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
    /// The signature over what the items say; absent where the device does not keep it.
    #[n(3)]
    pub seal: Option<Seal>,
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
    /// Contacts, each with the heads that are unknown. One that the user does not hold by what the
    /// server knows is in the list with all of its heads.
    #[n(0)]
    pub items: Vec<ContactHeads>,
    /// Whether this is the last part.
    #[n(1)]
    pub last: bool,
    /// What the server has of the contacts in this part, so that the device offers no more than is
    /// missing.
    #[n(2)]
    #[cbor(default)]
    pub known: Vec<ContactHeads>,
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
    /// The custom fields that the workspace has defined, in their order. Not part of what is signed, which
    /// older apps compute too. `None` from a server that has no such definitions.
    #[n(3)]
    pub custom_fields: Option<Vec<CustomField>>,
}
