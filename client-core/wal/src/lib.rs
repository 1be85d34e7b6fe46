//! SQLite's write-ahead log as a file: what the replica and the server both have to do for it because
//! SQLite does not.
//!
//! Nothing here understands the log. It is looked at from outside, and copied whole.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod log_file;
mod renew;

use std::path::{Path, PathBuf};

pub use log_file::LogFile;
pub use renew::renew;

/// Where SQLite keeps the log of a database.
fn log_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    path.into()
}
