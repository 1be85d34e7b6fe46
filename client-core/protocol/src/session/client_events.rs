//! What goes into a device's session and what comes out of it.

use std::collections::BTreeSet;

use automerge::ChangeHash;

use crate::ids::{Actor, ContactId, Cursor, DeviceId, TimelineId, WorkspaceId};
use crate::wire::{
    ChangeFate, ContactHeads, Decide, Decided, Directory, Dropped, DropsKnown, Fetched, Frame,
    KeyAlgorithm, Lists, Manifest, Need, OfferItem, Page, PendingChanges, Problem, Proposals,
    Welcome,
};

use crate::wire::{Erasures, Sealed, SealedStored, WipeOrder, Wiped};

/// Where the replica stands when a connection opens.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The workspace it belongs to.
    pub workspace: WorkspaceId,
    /// The device it is enrolled as.
    pub device: DeviceId,
    /// App name and version.
    pub app: String,
    /// Operating system and version.
    pub platform: String,
    /// The timeline of the cursor; `None` before the first sync.
    pub timeline: Option<TimelineId>,
    /// Everything up to it is durable here.
    pub cursor: Cursor,
    /// The actors it writes with.
    pub actors: Vec<Actor>,
    /// Stored changes whose fate is not known.
    pub pending: Vec<PendingChanges>,
    /// Local changes that are not acknowledged.
    pub unsent: u32,
    /// Contacts of a manifest that are still to be fetched.
    pub missing: u32,
    /// Whether contacts of an earlier repair are still to be offered.
    pub offers: bool,
    /// Which lists of the office it has, as the server named them.
    pub lists: Option<u64>,
    /// The certificate of the enrolment, where the server said that it does not know the device.
    pub certificate: Option<Vec<u8>>,
    /// Whether there is such a certificate.
    pub certified: bool,
    /// Whether the replica is wiped: it has nothing but sealed edits to hand over.
    pub wiped: bool,
    /// Whether there are sealed copies of an earlier device to hand over (rule 17).
    pub copies: bool,
}

/// What is offered in one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedOffer {
    /// The items; the last may be the beginning or the middle of a large one.
    pub items: Vec<OfferItem>,
    /// The contacts that this offer completes.
    pub complete: Vec<ContactId>,
}

/// A local change that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxChange {
    /// Its place in the order of local changes; grows.
    pub position: i64,
    /// The contact.
    pub contact: ContactId,
    /// The hash.
    pub hash: ChangeHash,
    /// The raw chunk.
    pub bytes: Vec<u8>,
}

/// What happens to a device's session.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time; nothing keeps them")]
pub enum ClientEvent {
    /// The websocket is open.
    Connected(Box<Standing>),
    /// A frame came.
    Received(Frame),
    /// The answer to [`ClientEffect::Sign`].
    Signed(Vec<u8>),
    /// The answer to [`ClientEffect::LoadOutbox`]: what follows that position, in order.
    Outbox {
        /// The changes; fewer than asked for means that there are no more.
        changes: Vec<OutboxChange>,
        /// Local changes that are not acknowledged, these included.
        unsent: u32,
    },
    /// A page, a manifest or fetched documents are durable. Answers those effects in their order.
    Durable {
        /// The replica's cursor now.
        cursor: Cursor,
        /// Local changes that are not acknowledged.
        unsent: u32,
        /// Contacts that are still to be fetched.
        missing: u32,
    },
    /// The answer to [`ClientEffect::LoadMissing`].
    Missing(Vec<ContactId>),
    /// Contacts were put on the list of what to fetch without a page or a fetch: set aside after a
    /// fate, or found damaged.
    Wanted {
        /// Contacts that are still to be fetched.
        missing: u32,
    },
    /// The answer to [`ClientEffect::LoadHeads`]: of all contacts.
    HeadsLoaded(Vec<ContactHeads>),
    /// The answer to [`ClientEffect::LoadOffer`]; `None` where nothing is left to offer.
    Offer(Option<LoadedOffer>),
    /// The answer to [`ClientEffect::LoadDrops`]; `None` where nothing is to be confirmed now.
    Drops(Option<Dropped>),
    /// The answer to [`ClientEffect::LoadDecision`]; `None` where none waits.
    Decision(Option<Decide>),
    /// Contacts may have been dropped since drops were loaded last.
    Emptied,
    /// There may be something new in the outbox: an edit, a re-authored change, a re-offer.
    Edited,
    /// The next sealed part to hand over: the answer to [`ClientEffect::Wipe`] and
    /// [`ClientEffect::RecordSealed`].
    Sealed(Sealed),
    /// Every sealed part is handed over (the other answer to these effects).
    AllSealed(Wiped),
    /// The answer to [`ClientEffect::LoadCopy`]; `None` where none is left.
    Copy(Option<Sealed>),
    /// Nothing of these erased contacts is left: answers [`ClientEffect::Purge`].
    Purged(Vec<ContactId>),
    /// The replica has taken new actors.
    NewActors(Vec<Actor>),
    /// Time has passed; once a second is enough.
    Tick,
    /// The app wants to stop.
    Stop,
}

/// What a device's driver has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEffect {
    /// Send a frame.
    Send(Frame),
    /// Sign this text with the device's key; answer with [`ClientEvent::Signed`].
    Sign {
        /// The text.
        text: Vec<u8>,
        /// The algorithm that the server has on record.
        algorithm: KeyAlgorithm,
    },
    /// The session is open: note the user, the server's time and the minimum version.
    Opened(Welcome),
    /// Load local changes with the receipt `saved` after this position.
    LoadOutbox {
        /// The position.
        after: i64,
        /// At most so many.
        changes_max: usize,
        /// At most so many raw bytes (but at least one change).
        bytes_max: usize,
    },
    /// These changes are durable on the server under this timeline. No answer.
    RecordStored {
        /// The timeline.
        timeline: TimelineId,
        /// The changes.
        changes: Vec<(ContactId, ChangeHash)>,
    },
    /// These changes met their fate. No answer. `Forked` and `Quarantined` lead to re-authoring.
    RecordFates {
        /// The timeline.
        timeline: TimelineId,
        /// The fates.
        fates: Vec<ChangeFate>,
    },
    /// Store a page in one transaction with its cursor; answer with [`ClientEvent::Durable`].
    ApplyPage {
        /// The timeline of its cursor.
        timeline: TimelineId,
        /// The page.
        page: Page,
    },
    /// Store a part of a manifest: its contacts become `missing`; with the last part the cursor
    /// becomes the manifest's. Answer with [`ClientEvent::Durable`].
    StoreManifest {
        /// The timeline of its cursor.
        timeline: TimelineId,
        /// The part.
        manifest: Manifest,
    },
    /// Store fetched documents and strike them off `missing`, in one transaction; answer with
    /// [`ClientEvent::Durable`].
    ApplyFetched {
        /// The timeline in which they were read.
        timeline: TimelineId,
        /// The documents.
        fetched: Fetched,
    },
    /// Load the next missing contacts; answer with [`ClientEvent::Missing`].
    LoadMissing {
        /// At most so many.
        max: usize,
        /// Those that are being fetched already.
        in_flight: BTreeSet<ContactId>,
    },
    /// Store names of authors. No answer.
    StoreDirectory(Directory),
    /// Acknowledgements under another timeline than this one are void. No answer.
    VoidAcknowledgements {
        /// The server's present timeline.
        timeline: TimelineId,
    },
    /// Load the heads of all contacts; answer with [`ClientEvent::HeadsLoaded`].
    LoadHeads,
    /// The server does not know these heads: put the replica's own changes of these contacts back
    /// to `saved`, then [`ClientEvent::Edited`]; and note durably what is to be offered of them.
    Reoffer {
        /// The contacts, with the heads that the server does not know.
        unknown: Vec<ContactHeads>,
        /// What the server has of them.
        known: Vec<ContactHeads>,
    },
    /// Load the next part of what is to be offered of others' changes; answer with
    /// [`ClientEvent::Offer`].
    LoadOffer,
    /// What was offered of these contacts is dealt with: nothing of it is to be offered again. No
    /// answer.
    RecordOffered {
        /// The contacts that are complete.
        complete: Vec<ContactId>,
        /// Changes that were not taken.
        refused: Vec<ChangeFate>,
    },
    /// Load contacts that were taken away and of which nothing is left here, neither content nor
    /// anything unsent, as of a cursor of this timeline; answer with [`ClientEvent::Drops`].
    LoadDrops {
        /// The server's present timeline.
        timeline: TimelineId,
    },
    /// The server knows of these drops. No answer.
    RecordDropsKnown(DropsKnown),
    /// Keep a part of the list of late edits; with the last one the list takes the place of the one
    /// before. No answer.
    StoreProposals(Proposals),
    /// Keep a part of the lists of the office; with the last one they take the place of those before. No
    /// answer.
    StoreLists(Lists),
    /// Load the oldest decision about late edits that was not answered; answer with
    /// [`ClientEvent::Decision`].
    LoadDecision,
    /// What became of a decision. No answer.
    RecordDecided(Decided),
    /// Changes wait at the server for these: offer them if they are the replica's own, else
    /// re-author what waits; then [`ClientEvent::Edited`].
    Supply(Need),
    /// The device was revoked. With an order: verify it, seal what is unsent, destroy everything else.
    /// Without one the replica is wiped already. Answer with [`ClientEvent::Sealed`] or
    /// [`ClientEvent::AllSealed`].
    Wipe(Option<WipeOrder>),
    /// A sealed part is durable at the server; answer as [`Self::Wipe`].
    RecordSealed(SealedStored),
    /// The server knows that the device is wiped: nothing is left to do. No answer.
    WipeConfirmed,
    /// Load the next sealed copy of an earlier device; answer with [`ClientEvent::Copy`].
    LoadCopy,
    /// What became of it. No answer.
    RecordCopied(SealedStored),
    /// Verify that the workspace signed it, destroy everything of these contacts in one transaction,
    /// scrub the files; then [`ClientEvent::Purged`] (with none where the signature does not hold).
    Purge(Erasures),
    /// These actors belong to another device: take new ones, re-author what is unsent.
    ReplaceActors(Vec<Actor>),
    /// End the connection.
    Close(CloseReason),
}

/// Why a device's session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The app asked for it.
    Stopped,
    /// The server did not answer in time.
    TimedOut,
    /// The server said something that makes no sense at this point.
    Protocol(String),
    /// The server ended it.
    Problem(Problem),
    /// The device was revoked: it is wiped, and what it had not sent is handed over.
    Wiped,
}
