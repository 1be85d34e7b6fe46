//! The disk does what it says: SQLite alone over it, so that what is lost is the disk's doing.
//!
//! Each test could fail: beside what survives, each shows that the fault struck and that a weaker
//! setting of SQLite does lose what the stronger one keeps.
#![allow(clippy::unwrap_used)]

mod crashes;
mod errors;
mod files;
mod support;
