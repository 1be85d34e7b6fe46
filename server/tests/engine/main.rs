//! What the engine promises, played against a real data directory.
#![allow(clippy::unwrap_used)]

mod care;
mod down;
mod log;
mod merge;
mod steps;
mod support;
