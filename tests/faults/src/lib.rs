//! What the simulator and the fault tests stand on: a disk that fails as real disks do, and a world
//! whose time and randomness follow from a seed. The product's code runs over both unchanged.
//!
//! | module | what it holds |
//! |---|---|
//! | [`disk`] | a VFS under SQLite: errors, a full disk, crashes that lose or tear what was not synced |
//! | [`world`] | virtual clock and seeded randomness of a thread, below the standard library |
//!
//! This is the one crate of the workspace in which `unsafe` is allowed: a VFS is a table of C
//! functions, and `clock_gettime` can only be replaced by a symbol. It must never be linked into a
//! program that people use.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod disk;
mod random;
pub mod world;

pub use disk::{Disk, DiskFault, DiskStats, IoKind, Loss, Lost};
pub use world::World;
