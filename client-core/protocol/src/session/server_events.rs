//! What goes into the server's session and what comes out of it.

use automerge::ChangeHash;

use crate::ids::{Actor, ContactId, Cursor, DeviceId, TimelineId, UnixMs, UserId, WorkspaceId};
use crate::limits::Limits;
use crate::wire::Erasures;
use crate::wire::{
    Access, ChangeFate, ContactHeads, Decide, Decided, Directory, Dropped, DropsKnown, Enrol,
    Enrolled, Fate, Frame, KeyAlgorithm, Lists, Need, OfferItem, PendingChanges, Problem,
    Proposals, Seal, UpChange,
};

use crate::wire::{Lease, Sealed, SealedStored, SealingKey, WipeOrder, Wiped};

/// What the server knows of a device that says hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// Its user.
    pub user: UserId,
    /// The user's login.
    pub login: String,
    /// The user's name.
    pub user_name: String,
    /// The user's role.
    pub role: String,
    /// The workspace's name.
    pub workspace_name: String,
    /// The algorithm of its key.
    pub algorithm: KeyAlgorithm,
    /// Its public key.
    pub public_key: Vec<u8>,
    /// Whether it gets no session: it was revoked, or its user is disabled.
    pub revoked: bool,
    /// Whether it is to wipe: it was revoked itself.
    pub wipe: bool,
}

/// What opening a session found out: the answer to [`ServerEffect::Open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The present timeline.
    pub timeline: TimelineId,
    /// The public cursor.
    pub cursor: Cursor,
    /// The server's time.
    pub server_time: UnixMs,
    /// Whether the device's timeline and cursor lead to repair.
    pub repair: bool,
    /// Actors that belong to another device.
    pub actors_taken: Vec<Actor>,
    /// Erasures that the device has still to confirm.
    pub erasures: Option<Erasures>,
    /// The permission to read the replica, from now on.
    pub lease: Option<Lease>,
    /// What to seal to.
    pub sealing: Option<SealingKey>,
    /// The certificate that the device asked for; else empty.
    pub certificate: Vec<u8>,
    /// Why no customer data goes down for now, where it does not: uploads are taken all the same.
    pub hold: Option<Problem>,
}

/// What became of one change of a batch, in the batch's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The change's hash, where its bytes could be read.
    pub hash: Option<ChangeHash>,
    /// `Stored` where all is well. A duplicate has the fate that the first one has by now.
    pub fate: Fate,
    /// A stable short code where it is not.
    pub code: String,
    /// For a person.
    pub reason: String,
    /// With `Waiting`: what must come first.
    pub missing: Vec<ChangeHash>,
}

/// One contact of a loaded page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedItem {
    /// The contact.
    pub contact: ContactId,
    /// How this user holds it.
    pub access: Access,
    /// Its owner.
    pub owner: Option<UserId>,
    /// The assignment epoch.
    pub epoch: u64,
    /// What was merged since the device's cursor, in causal order, with hashes.
    pub changes: Vec<(ChangeHash, Vec<u8>)>,
    /// The document, where the device may lack it. Both may be given: the changes are then all
    /// there are, and the snapshot is dropped if this very device sent one of them.
    pub snapshot: Vec<u8>,
    /// The projection row beside the snapshot.
    pub row: String,
    /// The heads of the snapshot.
    pub heads: Vec<ChangeHash>,
    /// The tips that the page's seal covers; empty for an item that is not under it.
    pub signed: Vec<ChangeHash>,
    /// Of which generation the document is; `None` for the first.
    pub generation: Option<u64>,
}

/// A page as the store gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadedPage {
    /// The cursor after it.
    pub cursor: Cursor,
    /// The items.
    pub items: Vec<LoadedItem>,
    /// Whether there is more behind it now.
    pub more: bool,
    /// The signature over what the items say.
    pub seal: Option<Seal>,
}

/// What happens to a server's session.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time; nothing keeps them")]
pub enum ServerEvent {
    /// A frame came.
    Received(Frame),
    /// The answer to [`ServerEffect::Lookup`]; `None` for a device that is not known.
    Device(Option<Box<DeviceRecord>>),
    /// The answer to [`ServerEffect::Enrol`].
    Enrolled(Result<Box<Enrolled>, Problem>),
    /// The answer to [`ServerEffect::Open`]; a problem where the device may not come in now.
    Opened(Result<Box<Opening>, Problem>),
    /// The answer to [`ServerEffect::Append`], after the commit.
    Appended {
        /// The batch.
        batch: u64,
        /// One per change.
        outcomes: Vec<Outcome>,
        /// The contact of each change that waits, beside what it waits for.
        waiting: Vec<Need>,
    },
    /// Changes of this device met a fate outside a batch's receipt: quarantined at the merge,
    /// replaced, taken out of the waiting room, or asked for as pending.
    Fates(Vec<ChangeFate>),
    /// The answer to [`ServerEffect::LoadWipeOrder`].
    WipeOrder(WipeOrder),
    /// The answer to [`ServerEffect::StoreSealed`], after the commit; a problem where it is not taken.
    SealedStored(Result<SealedStored, Problem>),
    /// The answer to [`ServerEffect::NoteWiped`], after the commit.
    WipeNoted(Wiped),
    /// Something up to this cursor was published for this user. A hint.
    Published(Cursor),
    /// The answer to [`ServerEffect::LoadPage`].
    PageLoaded(LoadedPage),
    /// The answer to [`ServerEffect::LoadManifest`] and to [`ServerEffect::LoadRepair`].
    ManifestLoaded {
        /// The cursor at which it was taken.
        cursor: Cursor,
        /// The contacts to fetch, in order.
        contacts: Vec<ContactId>,
        /// Bytes of all documents.
        bytes_total: u64,
        /// In repair: heads that the server does not know.
        unknown: Vec<ContactHeads>,
        /// In repair: what it has of those contacts.
        known: Vec<ContactHeads>,
    },
    /// A part of the answer to [`ServerEffect::LoadFetch`].
    FetchLoaded {
        /// The request.
        request: u64,
        /// The documents.
        items: Vec<LoadedItem>,
        /// Whether it is the last part.
        last: bool,
        /// The signature over what the items say.
        seal: Option<Seal>,
    },
    /// The answer to [`ServerEffect::Offer`], after the commit.
    Offered {
        /// The offer.
        offer: u64,
        /// What was not taken.
        refused: Vec<ChangeFate>,
    },
    /// The answer to [`ServerEffect::Dropped`], after the commit.
    DropsNoted(DropsKnown),
    /// The answer to [`ServerEffect::LoadProposals`]: the whole list, in parts.
    Proposals(Vec<Proposals>),
    /// The answer to [`ServerEffect::LoadLists`]: all of them, in parts; or one that says `unchanged`.
    Lists(Vec<Lists>),
    /// The answer to [`ServerEffect::Decide`], after the commit.
    Decided(Decided),
    /// A directory to send.
    Directory(Directory),
    /// Erasures that the device has to confirm: the answer to [`ServerEffect::LoadErasures`] and to
    /// [`ServerEffect::Purged`], where there are any.
    Erasures(Erasures),
    /// The device was revoked.
    Revoked,
    /// No customer data goes down any more on this connection, and why; uploads are taken all the same.
    Hold(Problem),
    /// The server is shutting down.
    Drain {
        /// When to come back.
        retry_after_ms: u64,
    },
    /// Time has passed; once a second is enough.
    Tick,
}

impl ServerEvent {
    /// Whether only an open session can have asked for it. One that is not has nothing to tell
    /// anybody.
    pub(super) fn is_of_open_session(&self) -> bool {
        matches!(
            self,
            Self::Appended { .. }
                | Self::Fates(_)
                | Self::PageLoaded(_)
                | Self::ManifestLoaded { .. }
                | Self::FetchLoaded { .. }
                | Self::Offered { .. }
                | Self::DropsNoted(_)
                | Self::Proposals(_)
                | Self::Lists(_)
                | Self::Decided(_)
                | Self::Directory(_)
                | Self::Hold(_)
        )
    }
}

/// What a server's driver has to do.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time; nothing keeps them")]
pub enum ServerEffect {
    /// Send a frame.
    Send(Frame),
    /// Look a device up; answer with [`ServerEvent::Device`].
    Lookup {
        /// The workspace.
        workspace: WorkspaceId,
        /// The device.
        device: DeviceId,
        /// The certificate that it shows, for a server that does not know it; else empty.
        certificate: Vec<u8>,
    },
    /// Redeem a code; answer with [`ServerEvent::Enrolled`].
    Enrol(Box<Enrol>),
    /// The device has proved its key: claim its place among the live sessions, register its actors,
    /// judge its timeline; answer with [`ServerEvent::Opened`].
    Open {
        /// The workspace.
        workspace: WorkspaceId,
        /// The device.
        device: DeviceId,
        /// The actors it writes with.
        actors: Vec<Actor>,
        /// The timeline of its cursor.
        timeline: Option<TimelineId>,
        /// Its cursor.
        cursor: Cursor,
        /// App name and version.
        app: String,
        /// Operating system.
        platform: String,
        /// Whether it asks for a certificate of its enrolment.
        certify: bool,
    },
    /// Run gate 1 and append; answer with [`ServerEvent::Appended`] after the commit.
    Append {
        /// The batch.
        batch: u64,
        /// The changes.
        changes: Vec<UpChange>,
    },
    /// Verify the evidence, run gate 1, and append what is covered, as what it is, whoever brings it;
    /// answer with [`ServerEvent::Offered`] after the commit. In order with [`Self::Append`].
    Offer {
        /// The offer.
        offer: u64,
        /// The contacts.
        items: Vec<OfferItem>,
    },
    /// Note that the device has dropped these contacts; answer with [`ServerEvent::DropsNoted`] after
    /// the commit. In order with [`Self::Append`].
    Dropped(Dropped),
    /// Judge a decision about late edits and carry it out; answer with [`ServerEvent::Decided`] after
    /// the commit. In order with [`Self::Append`].
    Decide(Decide),
    /// Register further actors. No answer; a change under a refused one is refused itself.
    RegisterActors(Vec<Actor>),
    /// The device is revoked and has proved its key: sign the order to wipe; answer with
    /// [`ServerEvent::WipeOrder`].
    LoadWipeOrder,
    /// Open a sealed part and keep what is in it; answer with [`ServerEvent::SealedStored`].
    StoreSealed(Sealed),
    /// The device says that it is wiped; answer with [`ServerEvent::WipeNoted`].
    NoteWiped(Wiped),
    /// Load what follows the cursor; answer with [`ServerEvent::PageLoaded`].
    LoadPage {
        /// The cursor.
        since: Cursor,
    },
    /// Load the list of all visible contacts; answer with [`ServerEvent::ManifestLoaded`].
    LoadManifest,
    /// Compare heads; answer with [`ServerEvent::ManifestLoaded`].
    LoadRepair(Vec<ContactHeads>),
    /// Load documents; answer with [`ServerEvent::FetchLoaded`] in parts.
    LoadFetch {
        /// The request.
        request: u64,
        /// The contacts.
        contacts: Vec<ContactId>,
    },
    /// Look fates up; answer with [`ServerEvent::Fates`].
    LoadFates(Vec<PendingChanges>),
    /// Load the erasures that the device has to confirm; answer with [`ServerEvent::Erasures`] if there
    /// are any.
    LoadErasures,
    /// The device holds nothing of these erased contacts any more: record that; then as
    /// [`Self::LoadErasures`].
    Purged(Vec<ContactId>),
    /// Load the directory; answer with [`ServerEvent::Directory`].
    LoadDirectory,
    /// Load the late edits that wait for this user; answer with [`ServerEvent::Proposals`], on a new
    /// connection always, later where the list has changed.
    LoadProposals,
    /// Load the lists that were handed to this user; answer with [`ServerEvent::Lists`].
    LoadLists {
        /// What the device has.
        known: Option<u64>,
    },
    /// Note how fresh the device is. No answer.
    Touch {
        /// Its cursor, if it said one.
        cursor: Option<Cursor>,
        /// Its unsent changes.
        unsent: u32,
        /// Contacts it has still to fetch.
        missing: Option<u32>,
    },
    /// Close the websocket after what was sent.
    Close {
        /// The close code: 1000, 1008 (policy), 1012 (restart) ...
        code: u16,
    },
}

/// What a session needs to know of the server's configuration.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// The limits.
    pub limits: Limits,
    /// 32 random bytes, fresh for each connection.
    pub nonce: [u8; 32],
    /// The oldest app version (`NAME/1.2.3`) that gets customer data.
    pub minimum_app: Option<String>,
}
