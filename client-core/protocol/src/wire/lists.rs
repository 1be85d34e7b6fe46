//! The frame by which a device gets the lists that the office has handed to its user.
//!
//! Which contacts are in a list is the office's data as of the moment at which it was handed over: what
//! it was chosen by may not be known on a device. The lists come as a whole; what is not among them any
//! more was taken back. A device is told of a list only those contacts that its user holds.

use minicbor::{Decode, Encode};

use super::codec;
use crate::ids::{ContactId, Cursor, ListId, UnixMs, UserId};

/// In `Hello`: the device keeps [`Lists`], and its `Proof` says which it has. In `Welcome`: the server
/// sends them.
pub const CAPABILITY_LISTS: &str = "lists";

/// Lists that one user has at most.
pub const LISTS_MAX: usize = 100;
/// Contacts that all lists of one user have at most, counted once for each list.
pub const LIST_CONTACTS_MAX: usize = 100_000;
/// Contacts in one part.
pub const LISTS_PART_MAX: usize = 10_000;

/// A part of the lists of this user.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Lists {
    /// The public cursor at which they were read: a contact that was taken away after it is not in
    /// question any more.
    #[n(0)]
    pub cursor: Cursor,
    /// Whether they begin here.
    #[n(1)]
    pub first: bool,
    /// Whether they end here: only then they take the place of those before.
    #[n(2)]
    pub last: bool,
    /// The lists, those that were handed last first. One that goes on in the next part is in both.
    #[n(3)]
    #[cbor(default)]
    pub lists: Vec<HandedList>,
    /// What the device says in its next `Proof`, if these are all there: names this state of the lists,
    /// and nothing else.
    #[n(4)]
    #[cbor(default)]
    pub state: u64,
    /// The device has them already: `lists` is empty and means nothing.
    #[n(5)]
    #[cbor(default)]
    pub unchanged: bool,
    /// Contacts that found no room.
    #[n(6)]
    #[cbor(default)]
    pub left_out: u64,
}

/// A list that was handed to this user.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HandedList {
    /// 16 random bytes.
    #[n(0)]
    pub id: ListId,
    /// What it is called; no two that differ in case, accents or punctuation alone.
    #[n(1)]
    pub name: String,
    /// Who handed it over.
    #[n(2)]
    pub by: UserId,
    /// Their name.
    #[n(3)]
    pub by_name: String,
    /// When, by the server's clock.
    #[n(4)]
    pub at: UnixMs,
    /// Its contacts that this user holds, or the next of them.
    #[cbor(n(5), with = "codec::ids")]
    pub contacts: Vec<ContactId>,
}
