//! The session: what a device and a server say to each other, in which order, as two state machines
//! without a clock, a socket, a disk or randomness.
//!
//! A driver feeds events in with [`ClientSession::handle`] or [`ServerSession::handle`] and carries
//! the returned effects out, in their order. What an effect finds out comes back as an event. The
//! same machines run behind the real sockets and in the simulator.
//!
//! ```text
//! device                              server
//!   Hello            ->
//!                    <-               Challenge
//!   Proof            ->
//!                    <-               Welcome, Directory
//!   Changes ...      ->               (both directions at once from here)
//!                    <-               Stored ... Fates ...
//!                    <-               Manifest, or Page ...
//!   Fetch, Applied   ->
//!                    <-               Fetched
//!   Heads, Offer ... ->               (in repair, before anything else goes up)
//!                    <-               HeadsUnknown, Offered ...
//!                    <-               Erasures
//!   Purged           ->
//!                    <-               WipeOrder (instead of Welcome, to a revoked device)
//!   Sealed ...       ->
//!                    <-               SealedStored ...
//!   Wiped            ->
//! ```
//! This module must never decide about data: it says what to load, store and send, and nothing else.

mod batch;
mod client;
mod client_events;
mod client_rights;
mod server;
mod server_events;
mod server_frames;
mod server_pages;
mod server_rights;
#[cfg(test)]
mod tests;

pub use client::{ClientSession, holds_back};
pub use client_events::{
    ClientEffect, ClientEvent, CloseReason, LoadedOffer, OutboxChange, Standing,
};
pub use server::ServerSession;
pub use server_events::{
    DeviceRecord, LoadedItem, LoadedPage, Opening, Outcome, ServerEffect, ServerEvent,
    ServerOptions,
};
pub use server_frames::outdated;

/// How long each step of the handshake may take, in milliseconds.
pub const HANDSHAKE_MS_MAX: i64 = 10_000;
/// How long a device may take to seal and destroy its data, and between two sealed parts, in
/// milliseconds.
pub const WIPE_MS_MAX: i64 = 120_000;
/// Raw bytes of one batch of changes: below the frame limit even where zstd gains nothing.
pub const BATCH_BYTES_MAX: usize = 192 * 1024;
/// Batches that may be unacknowledged at once.
pub const BATCHES_IN_FLIGHT_MAX: usize = 4;
/// Offers that may be unanswered at once.
pub const OFFERS_IN_FLIGHT_MAX: usize = 2;
/// Pages that may be unconfirmed at once.
pub const PAGES_IN_FLIGHT_MAX: usize = 4;
/// Fetches that may be unanswered at once: one on its way while the other is stored.
pub const FETCHES_IN_FLIGHT_MAX: usize = 2;
/// Contacts of one part of a manifest (128 kB).
pub const MANIFEST_PART_MAX: usize = 8_000;
/// Contacts of one part of `Heads`.
pub const HEADS_PART_MAX: usize = 2_000;
/// Heads of contacts that one repair may offer; more than any device holds.
pub const HEADS_CONTACTS_MAX: usize = 1_000_000;
/// Hashes among them, all contacts together: most contacts have one head.
pub const HEADS_MAX: usize = 2 * HEADS_CONTACTS_MAX;
/// Actors that one frame may name: far more than a replica ever has.
pub const ACTORS_MAX: usize = 4_096;
/// What the first frame of a connection may inflate to: nobody knows yet who sends it.
pub const FIRST_FRAME_BYTES_MAX: usize = 64 * 1024;
