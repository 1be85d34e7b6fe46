//! What the end-to-end tests, the demo and the benchmarks have in common.
//!
//! | module | what it holds |
//! |---|---|
//! | [`devices`] | replicas inside the test's process, against any server |
//! | [`generate`] | seeded, multilingual sample contacts, as commands and as CSV |
//! | [`process`] | the shipped programs as child processes that end with their owner |
//! | [`local`] | a server and replicas inside one process, over real sockets |
//! | [`proxy`] | a link between device and server that cuts, stalls and counts |
//! | [`raw`] | a device that says whatever a test wants, frame by frame |
//! | [`scene`] | a server process with people, contacts and devices |
//! | [`http`] | somebody at the office's pages, without a browser |
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "this crate is tests, demo and benchmarks only")]

pub mod devices;
pub mod generate;
pub mod http;
pub mod local;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod scene;
