//! The administration commands: what an operator or an admin does from a shell.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`run`] | the program: a command line becomes a request, and an answer is printed |
//! | [`serve`] | the server's start and end |
//! | [`request`] | what commands ask and answer |
//! | [`execute`] | carrying them out over an engine |
//! | [`control`] | how a command reaches a server that runs |
//! | [`import`] | CSV becomes contacts and purchases |
//! | `base`, `qr` | what commands read and write of contacts; codes as pictures |
//!
//! A command gives the same result whether the server runs or not: the request goes through
//! `DIR/control.sock` to the process that owns the data, or the command takes the lock itself.
//! Nothing here writes to the database past the engine.

mod base;
pub mod cli;
pub mod control;
pub mod execute;
pub mod import;
mod qr;
pub mod request;
pub mod run;
pub mod serve;
#[cfg(test)]
mod tests;
mod zip;
