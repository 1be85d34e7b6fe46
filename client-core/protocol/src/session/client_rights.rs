//! Where a device's session stands with what rights bring: drops to confirm, late edits to decide about,
//! sealed copies of an earlier device to hand over.

/// Confirming that contacts which were taken away are gone (rule 18). One frame at a time.
#[derive(Debug, Default)]
pub(super) struct Drops {
    /// The server takes such frames.
    pub(super) taken: bool,
    /// There may be some to confirm.
    pub(super) due: bool,
    pub(super) loading: bool,
    pub(super) unanswered: bool,
}

impl Drops {
    /// Whether nothing of it is under way.
    pub(super) fn is_over(&self) -> bool {
        !self.due && !self.loading && !self.unanswered
    }
}

/// Late edits of others (rule 19): their list, and what is decided about them. One decision at a time.
#[derive(Debug, Default)]
pub(super) struct Proposing {
    /// The server sends the list and takes decisions.
    pub(super) taken: bool,
    /// The list has not come yet on this connection.
    pub(super) awaited: bool,
    /// There may be a decision to send.
    pub(super) due: bool,
    pub(super) loading: bool,
    pub(super) unanswered: bool,
}

impl Proposing {
    /// At the beginning of a connection to a server that takes decisions, or does not.
    pub(super) fn begin(taken: bool) -> Proposing {
        Proposing { taken, awaited: taken, due: taken, ..Proposing::default() }
    }

    /// Whether nothing of it is under way.
    pub(super) fn is_over(&self) -> bool {
        !self.awaited && !self.due && !self.loading && !self.unanswered
    }
}

/// Sealed copies of an earlier device (rule 17). One at a time, each once on a connection.
#[derive(Debug, Default)]
pub(super) struct Copying {
    /// There may be one to hand over, to a server that takes them.
    pub(super) due: bool,
    pub(super) loading: bool,
    pub(super) unanswered: bool,
}

impl Copying {
    /// Whether nothing of it is under way.
    pub(super) fn is_over(&self) -> bool {
        !self.due && !self.loading && !self.unanswered
    }
}
