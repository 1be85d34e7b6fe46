//! What a Roadbook device and a Roadbook server have in common: the contact document, the guard
//! against hostile changes, the frames on the wire and the state machine of a session.
//!
//! Nothing here reads a clock, a disk, a socket or the operating system's randomness: the time and
//! random bytes are arguments. So a test can run a thousand devices in one thread, and every bug
//! has a seed.
//!
//! | module | what it holds |
//! |---|---|
//! | [`ids`] | the identifiers, each a type of its own |
//! | [`limits`] | every bound, with its unit in its name |
//! | [`message`] | who, when and what, carried inside each change |
//! | [`document`] | the contact document: commands in, typed contact out, conflicts, history |
//! | [`facts`] | what happened with a contact, entry by entry, for totals and analyses |
//! | [`projection`] | the row of a contact that lists, filters and searches read |
//! | [`filter`] | the one filter grammar |
//! | [`fold`] | text folding for search, and sort keys |
//! | [`guard`] | gate 1 and gate 2 for changes from outside |
//! | [`sealing`] | what only the workspace can open |
//! | [`wire`] | frames, and their bounded decoding |
//! | [`session`] | the session state machine of both ends |
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod document;
pub mod facts;
pub mod filter;
pub mod fold;
pub mod guard;
pub mod ids;
pub mod limits;
pub mod message;
pub mod projection;
pub mod sealing;
pub mod session;
pub mod wire;

pub use automerge::ChangeHash;
