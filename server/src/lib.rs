//! The Roadbook server: takes changes from devices, makes them durable, merges them, sends devices
//! what is new, and shows managers the merged base.
//!
//! | module | what it holds |
//! |---|---|
//! | [`store`] | the tables, one file per noun |
//! | [`engine`] | log, merge, timelines, authoring: what decides and writes |
//! | [`sync`] | the websocket of a device |
//! | [`http`] | accept loop, TLS, router, health, metrics |
//! | [`insight`] | what figures mean: RFM, ABC, funnel, seasons, as pure functions |
//! | [`rights`] | who may do what: the one place that decides |
//! | [`office`] | sign-in and the managers' pages |
//! | [`api`] | the HTTP API for other programs |
//! | [`admin`] | the commands, the control socket, import and export |
//! | [`config`] | file, environment and flags in one table |
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admin;
pub mod api;
pub mod config;
pub mod engine;
mod files;
mod filtered;
pub mod http;
pub mod insight;
pub mod office;
pub mod rights;
pub mod sorting;
pub mod store;
pub mod sync;
