//! Connections: enrolment and the engine that keeps a replica and its server in step.
//!
//! | file | what it holds |
//! |---|---|
//! | `address` | what people type as the server's address, and the proxy on the way to it |
//! | `heard` | how much has come, message or not |
//! | `tls` | trust: system roots or a pinned key |
//! | `dates` | a certificate's dates on a device whose clock may be wrong |
//! | `connect` | from an address to an open websocket |
//! | `enrol` | a one-time code becomes a device |
//! | `invitation` | what the picture of an invitation says |
//! | `driver` | one connection: carries the session's effects out |
//! | `work` | the effects that touch the replica, on a thread of their own |
//! | `engine` | one exchange, or reconnecting for as long as the app runs |
//! | `backoff` | how long to wait before the next attempt |

mod address;
mod backoff;
mod connect;
mod dates;
mod driver;
mod engine;
mod enrol;
mod heard;
mod invitation;
mod tls;
mod work;

pub(crate) use dates::Time;
pub use engine::{Engine, SyncOptions, SyncReport, WireTap};
pub use enrol::{Enrolled, Enrolment, enrol, enrol_with};
pub use invitation::Invitation;
pub use work::Worker;

use crate::error::{Error, Result};
#[cfg(test)]
pub(crate) use work::{all_heads, mark_synced};

/// Runs work that waits for the disk on a thread where that is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        Err(Error::Damaged { what: "the replica".into(), reason: panic.to_string() })
    })
}
