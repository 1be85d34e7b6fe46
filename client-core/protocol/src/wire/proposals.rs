//! Frames by which the new owner of a contact sees the late edits of others on the own device, and
//! decides about them (rules 18 and 19).
//!
//! The list comes as a whole, whenever something in it has changed: what is not in it any more is not
//! to be decided here. A decision names what its author saw, by the version of each item, so that it
//! can come twice without harm and never overrides what somebody else decided before.

use minicbor::{Decode, Encode};

use super::down::DirectoryUser;
use crate::ids::{ContactId, Cursor, DeviceId, EditId, UnixMs, UserId};

/// In `Hello`: the device keeps [`Proposals`]. In `Welcome`: the server sends them, and takes
/// [`Decide`].
pub const CAPABILITY_PROPOSALS: &str = "proposals";

/// Sets that one device is sent at most. Those beyond follow when these are decided.
pub const PROPOSALS_MAX: usize = 1_000;
/// Items in one [`Decide`].
pub const DECIDE_ITEMS_MAX: usize = 1_000;

/// A part of the list of late edits that wait for this user, or were decided lately.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Proposals {
    /// The public cursor at which the list was read: a contact that was taken away after it is not in
    /// question any more.
    #[n(0)]
    pub cursor: Cursor,
    /// Whether the list begins here.
    #[n(1)]
    pub first: bool,
    /// Whether it ends here: only then it takes the place of the one before.
    #[n(2)]
    pub last: bool,
    /// The sets, those that changed last first.
    #[n(3)]
    pub sets: Vec<ProposalSet>,
    /// Names of those who occur in it.
    #[n(4)]
    #[cbor(default)]
    pub users: Vec<DirectoryUser>,
    /// Sets that are open and found no room in the list.
    #[n(5)]
    #[cbor(default)]
    pub left_out: u64,
}

/// The late edits of one device to one contact.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ProposalSet {
    /// Its number at the server, for people to name it by.
    #[n(0)]
    pub n: u64,
    /// The contact.
    #[n(1)]
    pub contact: ContactId,
    /// The device that made the edits.
    #[n(2)]
    pub device: DeviceId,
    /// Their author.
    #[n(3)]
    pub author: UserId,
    /// When the first of them arrived at the server.
    #[n(4)]
    pub received_at: UnixMs,
    /// The items.
    #[n(5)]
    pub items: Vec<ProposalItem>,
}

/// One field, entry or edit of the note.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ProposalItem {
    /// Its number in the set.
    #[n(0)]
    pub i: u64,
    /// Grows with everything that is decided about it.
    #[n(1)]
    pub version: u64,
    /// The path of the field.
    #[n(2)]
    pub path: String,
    /// `field`, `entry`, `interaction`, `deletion`, `note`, `unreadable`.
    #[n(3)]
    pub kind: String,
    /// What the author saw, as JSON.
    #[n(4)]
    pub base: String,
    /// What the author wants, as JSON.
    #[n(5)]
    pub proposed: String,
    /// When the author says it was made.
    #[n(6)]
    pub at: UnixMs,
    /// `due`, `open`, `accepted`, `declined`.
    #[n(7)]
    pub state: String,
    /// Who decided; none for an interaction that was taken at once.
    #[n(8)]
    pub decided_by: Option<UserId>,
    /// When.
    #[n(9)]
    pub decided_at: Option<UnixMs>,
    /// Why it could not be taken, if it could not.
    #[n(10)]
    pub reason: Option<String>,
}

/// What is decided about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ProposalVerdict {
    /// It becomes part of the contact.
    #[n(0)]
    Accept,
    /// It does not; it is kept.
    #[n(1)]
    Decline,
    /// An earlier decision is taken back: it waits again.
    #[n(2)]
    Undo,
}

impl ProposalVerdict {
    /// All of them.
    pub const ALL: [ProposalVerdict; 3] =
        [ProposalVerdict::Accept, ProposalVerdict::Decline, ProposalVerdict::Undo];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ProposalVerdict::Accept => "accept",
            ProposalVerdict::Decline => "decline",
            ProposalVerdict::Undo => "undo",
        }
    }

    /// The verdict of that word.
    pub fn from_name(word: &str) -> Option<ProposalVerdict> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == word)
    }

    /// The state of an item that was decided so.
    pub fn outcome(self) -> &'static str {
        match self {
            ProposalVerdict::Accept => "accepted",
            ProposalVerdict::Decline => "declined",
            ProposalVerdict::Undo => "open",
        }
    }
}

/// The new owner's decision about items of one set. May be sent again until it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Decide {
    /// Names the decision on this device.
    #[n(0)]
    pub id: EditId,
    /// The contact of the set.
    #[n(1)]
    pub contact: ContactId,
    /// The device that made the edits.
    #[n(2)]
    pub device: DeviceId,
    /// What is decided.
    #[n(3)]
    pub verdict: ProposalVerdict,
    /// The items, at most [`DECIDE_ITEMS_MAX`].
    #[n(4)]
    pub items: Vec<DecideItem>,
}

/// An item as its decider saw it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DecideItem {
    /// Its number in the set.
    #[n(0)]
    pub i: u64,
    /// Its version.
    #[n(1)]
    pub version: u64,
    /// Its path: a server that was restored may have numbered anew.
    #[n(2)]
    pub path: String,
}

/// What became of a decision. Sent after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Decided {
    /// The decision.
    #[n(0)]
    pub id: EditId,
    /// Items about which it was not taken, each with the reason; it holds for the others.
    #[n(1)]
    pub refused: Vec<DecideRefusal>,
}

/// Why a decision about an item was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DecideRefusal {
    /// The item.
    #[n(0)]
    pub i: u64,
    /// A stable short code: `decided`, `not_yours`, `not_replayed` ...
    #[n(1)]
    pub code: String,
    /// For a person: who decided what and when.
    #[n(2)]
    pub reason: String,
}
