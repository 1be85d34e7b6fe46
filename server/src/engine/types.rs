//! What goes into the engine and what comes out.

use std::sync::Arc;

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{Command, NotReplayed};
use roadbook_protocol::guard::Admitted;
use roadbook_protocol::ids::{ContactId, Cursor, DeviceId, TimelineId, UserId, WorkspaceId};
use roadbook_protocol::wire::{Access, ChangeFate, ContactHeads, Fate, Need, PageItem};
use serde::Serialize;

use super::turn::RewriteOrder;
use crate::store::bulk::Mark;
use crate::store::proposals::Decision;

/// Changes of one device, in causal order, each through gate 1 already.
#[derive(Debug, Clone)]
pub struct AppendRequest {
    /// The workspace of the device.
    pub workspace: WorkspaceId,
    /// The device, authenticated.
    pub device: DeviceId,
    /// Its user.
    pub user: UserId,
    /// The number of the batch on its connection; handed back, not interpreted.
    pub batch: u64,
    /// Contact, what gate 1 found, and the raw bytes.
    pub changes: Vec<(ContactId, Admitted, Vec<u8>)>,
    /// `Some` if all of these changes are covered by verified evidence (rule 3): they are taken as
    /// what they are, whoever brings them. With what the evidence says of each contact.
    pub vouched: Option<Vec<Claim>>,
    /// Whether they come out of sealed parts.
    pub sealed: SealedBy,
}

/// Whether a change came sealed, and how it is judged then. Nobody is there any more to bring what it
/// depends on, or to author it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SealedBy {
    /// It did not: its device sent it.
    #[default]
    Nobody,
    /// By a device that was revoked (rule 20): whatever of it would be taken becomes a proposal, a
    /// contact that is not known here a proposed new one.
    Revoked,
    /// By a device whose key is lost (rule 17): it is judged as what that device would have sent. Only
    /// what does not fit becomes a proposal.
    Lost,
}

impl SealedBy {
    /// Whether it came sealed.
    pub fn is_sealed(self) -> bool {
        self != SealedBy::Nobody
    }
}

/// What verified evidence says of a contact: how it was held at a moment of a server's past, which
/// may be one that this server does not remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The contact.
    pub contact: ContactId,
    /// How the device's user held it.
    pub access: Access,
    /// Its owner.
    pub owner: Option<UserId>,
    /// Its assignment epoch.
    pub epoch: u64,
    /// The timeline of that server.
    pub timeline: TimelineId,
    /// The public cursor at that moment.
    pub as_of: Cursor,
}

/// The answer to an [`AppendRequest`], given after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The number of the batch.
    pub batch: u64,
    /// One per change, in order.
    pub outcomes: Vec<Outcome>,
    /// What changes in the waiting room need first.
    pub need: Vec<Need>,
}

/// What became of one change of a batch.
///
/// Everything but [`Fate::Waiting`] and [`Fate::Erased`] is durable: its bytes are kept.
/// `Waiting` is not acknowledged; once it is stored an [`Event::Fates`] says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The contact.
    pub contact: ContactId,
    /// The change.
    pub hash: ChangeHash,
    /// `Stored` for a change that was just taken; any fate for one that was taken before.
    pub fate: Fate,
    /// Whether it was taken before this batch: its fate may be final already, and no further event
    /// about it needs to follow.
    pub duplicate: bool,
    /// A stable short code where the fate is not `Stored` or `Merged`: `not_yours`, `author`,
    /// `actor_taken`, `forked`, `dependency`, `late`, `waiting`, `waiting_full`, `replaced`, `erased`.
    pub code: String,
    /// For a person: the thing, the reason, the way out.
    pub reason: String,
}

/// One contact to be edited, or created, by the server in a person's name.
#[derive(Debug, Clone)]
pub struct Authored {
    /// The contact.
    pub contact: ContactId,
    /// `Some(owner)` creates the contact, assigned to that user or to nobody; an edit of a contact
    /// that exists already is refused then. `None` edits one that exists.
    pub create_for: Option<Option<UserId>>,
    /// The edit; one change comes of it.
    pub commands: Vec<Command>,
    /// The kind of the edit in the history; derived from the commands if `None`.
    pub label: Option<String>,
    /// The changes that it replaces (rule 8).
    pub replaces: Vec<ChangeHash>,
    /// Whether the commands were made on another document (released from quarantine): they are
    /// replayed (rule 12) instead of applied.
    pub replay: bool,
    /// The decision about proposals that this edit carries out: written in the same transaction.
    pub decision: Option<Decision>,
    /// The document begins anew instead (rule 25), by whose order.
    pub rewrite: Option<(RewriteOrder, Option<UserId>)>,
    /// Makes the edit only if these are the heads of the contact, sorted; else it is refused with the
    /// code [`CHANGED`].
    pub only_at: Option<Vec<ChangeHash>>,
    /// The bulk action that it belongs to: noted in the same transaction.
    pub mark: Option<Mark>,
}

/// The code of the refusal of an edit that was made for another state of its contact.
pub const CHANGED: &str = "changed";

impl Authored {
    /// An edit of a contact that exists.
    pub fn edit(contact: ContactId, commands: Vec<Command>) -> Self {
        Self {
            contact,
            create_for: None,
            commands,
            label: None,
            replaces: Vec::new(),
            replay: false,
            decision: None,
            rewrite: None,
            only_at: None,
            mark: None,
        }
    }
    /// A new contact.
    pub fn create(contact: ContactId, owner: Option<UserId>, commands: Vec<Command>) -> Self {
        Self {
            create_for: Some(owner),
            label: Some("create".to_owned()),
            ..Self::edit(contact, commands)
        }
    }
}

/// What came of one [`Authored`]. Merged and durable when it is returned.
#[derive(Debug)]
pub enum AuthorOutcome {
    /// One change.
    Merged {
        /// Its hash.
        hash: ChangeHash,
        /// The contact's cursor with it.
        cursor: Cursor,
        /// Commands that could not be replayed as they were meant.
        not_replayed: Vec<NotReplayed>,
    },
    /// The contact already was as the commands want it.
    Unchanged,
    /// Nothing was changed, and why.
    Refused(super::EngineError),
}

/// A change of assignment.
#[derive(Debug, Clone, Default)]
pub struct Assign {
    /// The contacts.
    pub contacts: Vec<ContactId>,
    /// `Some(owner)` makes that user the owner, or nobody; `None` leaves the owner.
    pub owner: Option<Option<UserId>>,
    /// Users who become collaborators.
    pub add_collaborators: Vec<UserId>,
    /// Users who stop being collaborators.
    pub remove_collaborators: Vec<UserId>,
}

/// What came of an [`Assign`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AssignReport {
    /// Contacts whose owner or collaborators changed.
    pub changed: Vec<ContactId>,
    /// Contacts that already were as wanted.
    pub unchanged: Vec<ContactId>,
    /// Contacts that don't exist here.
    pub unknown: Vec<ContactId>,
}

/// Something happened. Hints only: the truth is read from the store, and a receiver that lags
/// behind reads everything it shows anew.
#[derive(Debug, Clone)]
pub enum Event {
    /// Contacts have new merged content.
    Merged {
        /// The workspace.
        workspace: WorkspaceId,
        /// The public cursor with all of them.
        cursor: Cursor,
        /// Which.
        contacts: Arc<[MergedContact]>,
    },
    /// Changes of a device got a fate (merged ones too), after their batch was answered.
    Fates {
        /// The workspace.
        workspace: WorkspaceId,
        /// The device that sent them.
        device: DeviceId,
        /// The public cursor at which it happened: what the device must know of the timeline to
        /// rely on it.
        cursor: Cursor,
        /// The fates.
        fates: Arc<[ChangeFate]>,
    },
    /// Owner or collaborators of contacts changed.
    Access {
        /// The workspace.
        workspace: WorkspaceId,
        /// The public cursor with it.
        cursor: Cursor,
        /// The users who gained or lost contacts, or see a new owner.
        users: Arc<[UserId]>,
        /// The contacts.
        contacts: Arc<[ContactId]>,
    },
    /// Something waits for a decision that did not before, or does not any more.
    Proposals {
        /// The workspace.
        workspace: WorkspaceId,
        /// The contacts whose owners can see it on their devices.
        contacts: Arc<[ContactId]>,
    },
    /// A contact was erased: devices of these users are told to purge it.
    Erased {
        /// The workspace.
        workspace: WorkspaceId,
        /// Who held it.
        users: Arc<[UserId]>,
    },
    /// Lists were handed to these users, or taken back.
    Lists {
        /// The workspace.
        workspace: WorkspaceId,
        /// Whose devices are told.
        users: Arc<[UserId]>,
    },
    /// Other custom fields are defined than before.
    CustomFields {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// An alert was raised, or somebody has seen one.
    Alert {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// What was held back from devices may come now.
    Released {
        /// The workspace.
        workspace: WorkspaceId,
        /// Whose devices; everybody's if `None`.
        user: Option<UserId>,
    },
    /// A device was connected, or told how far it is.
    DeviceSeen {
        /// The workspace.
        workspace: WorkspaceId,
        /// The device.
        device: DeviceId,
    },
    /// A device was revoked: its connection ends now.
    Revoked {
        /// The workspace.
        workspace: WorkspaceId,
        /// The device.
        device: DeviceId,
    },
}

/// One contact of an [`Event::Merged`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedContact {
    /// The contact.
    pub contact: ContactId,
    /// Its cursor.
    pub cursor: Cursor,
    /// Who sees it: the owner and the collaborators.
    pub users: Vec<UserId>,
}

/// What is new for a user's device, consistent: read in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The device's cursor once it has applied the page.
    pub cursor: Cursor,
    /// The items, in the order of cursors; a contact occurs once. May be empty although the cursor
    /// is beyond `since` (what happened there was the device's own, or not for this user).
    pub items: Vec<PageItem>,
    /// Whether more follows at once.
    pub more: bool,
    /// The public cursor at the moment the page was read: what [`super::Engine::may_send`] asks for.
    pub as_of: Cursor,
}

/// Bounds of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimits {
    /// Items.
    pub items_max: usize,
    /// Bytes of content, before compression; a page has at least one item, however large.
    pub bytes_max: usize,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self { items_max: 256, bytes_max: 1024 * 1024 }
    }
}

/// The list of a first sync or a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestList {
    /// The cursor at which it was taken; live pages follow from there.
    pub cursor: Cursor,
    /// The contacts, in the order to fetch them: next visit soonest, then latest touched.
    pub contacts: Vec<ContactId>,
    /// Bytes of all documents, before compression.
    pub bytes_total: u64,
}

/// The answer to the heads of a device in repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// Heads that the server doesn't know: the device offers what it has of those contacts. One that
    /// exists here and is not the user's is listed with all heads.
    pub unknown: Vec<ContactHeads>,
    /// What is merged here of those contacts. Of one that is not the user's, no more than which of
    /// the device's own heads are.
    pub known: Vec<ContactHeads>,
    /// Contacts where the server has what the device lacks, or that the device may not hold.
    pub fetch: ManifestList,
}

/// What the server knows of a device's timeline and cursor (rule 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelineStatus {
    /// The cursor was assigned in that timeline: pages go on from it.
    Known,
    /// The timeline is unknown, or the cursor lies beyond what is known of it: repair.
    Repair,
}

/// Something that [`super::Engine::check`] found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where: `log`, `index`, `snapshot`, `document`, `projection`, `search`, `access`, `file`.
    pub part: &'static str,
    /// The contact, where it is about one.
    pub contact: Option<ContactId>,
    /// What is wrong.
    pub what: String,
}

/// The outcome of [`super::Engine::check`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Contacts that were looked at.
    pub contacts: u64,
    /// Raw changes whose checksum was verified.
    pub changes: u64,
    /// Snapshots that were loaded.
    pub snapshots: u64,
    /// What is wrong; empty is clean. At most 10,000 are listed.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// The hash over merged content (rule 26).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateHash {
    /// One hash over all, lower-case hexadecimal.
    pub hash: String,
    /// Each contact's, by id.
    pub each: Vec<(ContactId, [u8; 32])>,
    /// Changes of these contacts that are stored but not merged yet.
    pub unmerged: u64,
}

/// A change that was set aside: quarantined, forked, proposed or replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// Its place in the log.
    pub seq: i64,
    /// The contact.
    pub contact: ContactId,
    /// The change, lower-case hexadecimal.
    pub hash: String,
    /// Which fate.
    pub fate: Fate,
    /// The device it came from.
    pub device: Option<DeviceId>,
    /// The user who sent it.
    pub user: UserId,
    /// When the server received it, milliseconds since 1970.
    pub received_at: i64,
    /// A stable short code.
    pub code: String,
    /// For a person.
    pub reason: String,
    /// Size of the raw bytes, which are kept.
    pub bytes: u64,
}
