//! The devices' end of the server: one websocket per device, driven through the session state
//! machine of [`roadbook_protocol::session`].
//!
//! What arrives is bounded and judged by gate 1 here, off the reactor; rights, fates and cursors are
//! decided by [`crate::engine`] alone. This module must never log customer data, never acknowledge
//! what the engine has not committed, and never let one device's bytes delay another's.
//!
//! | file | what it holds |
//! |---|---|
//! | `upgrade` | from the HTTP request to the websocket, admission |
//! | `driver` | one connection: what happens to it, into the session |
//! | `effects` | what the session asks for, carried out |
//! | `receipts` | which of a connection's changes it has still to hear about |
//! | `pace` | how fast one connection may send |
//! | `meter` | counts what a peer sends, below the websocket |
//! | `socket` | the websocket: bounded reading, writing that never blocks reading |
//! | [`service`] | what effects ask of the engine; no runtime, no socket |
//! | `jobs` | the same on the blocking pool |
//! | `gate` | gate 1 for a batch |
//! | `offers` | what a device brings back to a server that lost it |
//! | `lists` | lists that were handed to the user of a device |
//! | `proposals` | late edits for the devices of the new owners, and their decisions |
//! | `hub` | the live connections, pokes from the engine's events, copies, revocation |
//! | `wipe` | revoked devices: sealed edits |
//! | `enrol` | one-time codes and new devices |
//! | `directory` | names and actors, signed |
//! | `touch` | freshness of devices, written together once a second |
//! | `rate` | token buckets |

mod directory;
mod driver;
mod effects;
mod enrol;
mod gate;
mod hub;
mod jobs;
mod lists;
mod meter;
mod offers;
mod pace;
mod proposals;
mod rate;
mod receipts;
pub mod service;
mod socket;
#[cfg(test)]
mod tests;
mod touch;
mod upgrade;
mod wipe;

use std::time::Duration;

use roadbook_protocol::limits::Limits;

pub use hub::Hub;
pub(crate) use upgrade::upgrade;

/// The bounds of devices' connections. The default is the first release's.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// The limits of frames and changes.
    pub limits: Limits,
    /// Messages that a device may send a second, on average. More is slowed down by not reading.
    pub messages_per_second: f64,
    /// Messages that a device may send at once.
    pub messages_burst: f64,
    /// Bytes that a device may send a second, on average; twice that at once.
    pub bytes_per_second: f64,
    /// Websocket pings that a device may send a second, on average; sixty times that at once. More
    /// ends the connection.
    pub pings_per_second: f64,
    /// Open device sockets; further ones get 503 and come back.
    pub sockets_max: usize,
    /// A connection that was silent for this long is asked whether it lives.
    pub ping_after: Duration,
    /// A connection that was silent for this long is given up.
    pub dead_after: Duration,
    /// How long an older connection of the same device has to prove that it lives, before a new one
    /// takes its place.
    pub probe: Duration,
    /// Refused enrolment attempts of one address: per second, and at once.
    pub enrol_refusals_per_peer: (f64, f64),
    /// Refused enrolment attempts of all addresses together: per second, and at once.
    pub enrol_refusals_of_all: (f64, f64),
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            limits: Limits::DEFAULT,
            messages_per_second: 50.0,
            messages_burst: 200.0,
            bytes_per_second: 1024.0 * 1024.0,
            pings_per_second: 1.0,
            sockets_max: 16_000,
            ping_after: Duration::from_secs(25),
            dead_after: Duration::from_secs(50),
            probe: Duration::from_secs(5),
            enrol_refusals_per_peer: (0.1, 10.0),
            enrol_refusals_of_all: (5.0, 200.0),
        }
    }
}
