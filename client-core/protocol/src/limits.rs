//! Every bound of the protocol, with its unit in its name. Each has a typed error and a test.

/// The limits that a server enforces and announces in `Welcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One websocket frame.
    pub frame_bytes_max: usize,
    /// One websocket message, after reassembly, before decompression.
    pub message_bytes_max: usize,
    /// One message after decompression.
    pub message_inflated_bytes_max: usize,
    /// One change as it travels (uncompressed chunk).
    pub change_bytes_max: usize,
    /// What the columns of one change may expand to in memory.
    pub change_inflated_bytes_max: usize,
    /// Operations in one change.
    pub change_ops_max: u64,
    /// One document, saved without compression.
    pub document_bytes_max: usize,
    /// Operations in one document.
    pub document_ops_max: u64,
    /// Changes in one document.
    pub document_changes_max: u64,
    /// Actors in one document.
    pub document_actors_max: usize,
    /// Heads of one document: branches that know nothing of each other. The next edit of an honest
    /// device names them all as its dependencies, so this is below `change_deps_max`.
    pub document_heads_max: usize,
    /// One string value.
    pub string_bytes_max: usize,
    /// The note of a contact, in bytes of UTF-8.
    pub text_bytes_max: usize,
    /// Nesting of containers.
    pub depth_max: usize,
    /// The highest operation counter; above 2^32 automerge panics on the next local edit.
    pub op_counter_max: u64,
    /// Dependencies that one change may name.
    pub change_deps_max: usize,
    /// The message of a change.
    pub change_message_bytes_max: usize,
    /// Changes of one device that wait for a dependency.
    pub waiting_changes_max: usize,
    /// Bytes of one device's waiting changes.
    pub waiting_bytes_max: usize,
    /// How long a change may wait, in milliseconds.
    pub waiting_ms_max: i64,
    /// Changes in one `Changes` frame.
    pub batch_changes_max: usize,
    /// Documents in one page of a first sync.
    pub page_documents_max: usize,
    /// Bytes of one page, compressed.
    pub page_bytes_max: usize,
}

impl Limits {
    /// The values of the first release.
    pub const DEFAULT: Limits = Limits {
        frame_bytes_max: 256 * 1024,
        message_bytes_max: 1024 * 1024,
        message_inflated_bytes_max: 8 * 1024 * 1024,
        change_bytes_max: 64 * 1024,
        change_inflated_bytes_max: 256 * 1024,
        change_ops_max: 2_000,
        document_bytes_max: 1024 * 1024,
        document_ops_max: 100_000,
        document_changes_max: 20_000,
        document_actors_max: 256,
        document_heads_max: 48,
        string_bytes_max: 16 * 1024,
        text_bytes_max: 64 * 1024,
        depth_max: 8,
        op_counter_max: 1 << 30,
        change_deps_max: 64,
        change_message_bytes_max: 4 * 1024,
        waiting_changes_max: 64,
        waiting_bytes_max: 1024 * 1024,
        waiting_ms_max: 10 * 60 * 1000,
        batch_changes_max: 1_000,
        page_documents_max: 256,
        page_bytes_max: 1024 * 1024,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
