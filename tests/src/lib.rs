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
//! | [`fuzz`] | what the fuzz targets do with any bytes |
//! | [`hands`] | a device's clocks, moved by the test |
//! | [`hostile`] | attackers, and the others, who must not notice them |
//! | [`keyring`] | the keyring of a desktop, on a bus of its own |
//! | [`kills`] | the soak that kills the programs at random under load |
//! | [`late`] | contacts that change hands while somebody is offline |
//! | [`fixtures`] | what released versions left behind |
//! | [`samples`] | one frame of each type, with every field in it |
//! | [`older`] | a link on which only an older version's words are said |
//! | [`tree`] | frames as numbered fields, whatever version wrote them |
//! | [`mount`] | small and read-only file systems |
//! | [`mutants`] | mutated changes by the million through a running server |
//! | [`provider`] | an identity provider that says whatever a test wants |
//! | [`browser`] | Chromium at the office's pages |
//! | [`api`] | a program that uses the HTTP API |
//! | [`http`] | somebody at the office's pages, without a browser |
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "this crate is tests, demo and benchmarks only")]

pub mod api;
pub mod browser;
pub mod devices;
pub mod fixtures;
pub mod fuzz;
pub mod generate;
pub mod hands;
pub mod hostile;
pub mod http;
pub mod keyring;
pub mod kills;
pub mod late;
pub mod local;
pub mod marker;
pub mod mount;
pub mod mutants;
pub mod older;
pub mod process;
pub mod provider;
pub mod proxy;
pub mod raw;
pub mod samples;
pub mod scene;
pub mod tree;
