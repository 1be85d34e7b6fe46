//! What the engine promises, played against a real data directory.
#![allow(clippy::unwrap_used)]

mod audit;
mod care;
mod copies;
mod down;
mod erased;
mod facts;
mod generations;
mod keys;
mod late;
mod log;
mod merge;
mod offers;
mod sorting;
mod steps;
mod support;
