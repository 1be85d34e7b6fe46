//! Deterministic simulation of Roadbook: a server and up to thousands of devices in one thread, on a
//! simulated network, clock and disk, from a seed. It drives what is shipped: the session state
//! machines, the replica with its worker, the engine with its log and merge, over real SQLite.
//!
//! The idea is FoundationDB's; that a run is a plan which can be replayed and shrunk, and that there
//! are a safety and a liveness mode, is TigerBeetle's VOPR.
//!
//! | file | what it holds |
//! |---|---|
//! | `shape`, `generate`, `plan` | from a seed to what happens |
//! | `world` | the queue, the clock, the run |
//! | `net` | connections and what a bad network does to them |
//! | `server`, `device` | the two ends, each on a simulated disk |
//! | `jobs` | what a session asks of the engine |
//! | `power`, `trouble` | how the server ends and starts; which errors the simulation made itself |
//! | `watch` | what is looked at while a run goes on |
//! | `act`, `people`, `office`, `words` | the steps, carried out |
//! | `assigning`, `erasure`, `lease`, `team`, `wiping` | rights: whose contacts are, erased ones, ended leases, teams, revoked devices |
//! | `evidence` | what devices hold of a past that the server loses, and bring back |
//! | `oracle`, `finish`, `carriers` | what must be true, at every moment and at the end |
//! | `coverage` | what happened, counted; what never happened fails a long run |
//! | `shrink` | a smaller plan that fails the same way |
#![forbid(unsafe_code)]

mod act;
mod assigning;
mod carriers;
pub mod coverage;
mod deciding;
mod device;
pub mod erasure;
mod evidence;
mod finish;
mod forger;
mod generate;
mod generations;
mod jobs;
mod lease;
mod lost_key;
mod net;
mod office;
pub mod oracle;
mod people;
pub mod plan;
mod power;
pub mod run;
mod server;
pub mod shape;
pub mod shrink;
mod team;
mod trouble;
mod watch;
mod wiping;
mod words;
pub mod world;
