//! The pool of connections that read. Each read is one transaction, so that what a page shows is of
//! one moment.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use crate::store::{self, EngineError, Result};

/// A bounded pool; a reader waits for a free connection.
#[derive(Debug)]
pub struct Reads {
    file: PathBuf,
    connections_max: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    free: Vec<Connection>,
    open: usize,
    closed: bool,
}

impl Reads {
    /// Opens connections when they are needed, at most so many.
    pub fn new(file: PathBuf, connections_max: usize) -> Self {
        Self {
            file,
            connections_max: connections_max.max(1),
            state: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Runs `work` in a read transaction.
    ///
    /// # Errors
    /// [`EngineError::Closed`], what the database says, or what `work` returns.
    pub fn run<T, E: From<EngineError>>(
        &self,
        work: impl FnOnce(&Connection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let guard = self.take()?;
        let conn = guard.connection()?;
        begin(conn)?;
        work(conn)
    }

    fn take(&self) -> Result<Guard<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.closed {
                return Err(EngineError::Closed);
            }
            if let Some(connection) = state.free.pop() {
                return Ok(Guard { pool: self, connection: Some(connection) });
            }
            if state.open < self.connections_max {
                state.open += 1;
                drop(state);
                let mut guard = Guard { pool: self, connection: None };
                guard.connection = Some(store::open_reader(&self.file)?);
                return Ok(guard);
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the connections that are free; those in use close when they are given back.
    pub fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        state.open -= state.free.len();
        state.free.clear();
        drop(state);
        self.freed.notify_all();
    }
}

/// Starts a read transaction.
pub(super) fn begin(conn: &Connection) -> Result<()> {
    // A reader that panicked may have left one open.
    end(conn)?;
    conn.prepare_cached("BEGIN")?.execute([])?;
    Ok(())
}

/// Ends it, whatever came of it.
pub(super) fn end(conn: &Connection) -> Result<()> {
    if !conn.is_autocommit() {
        conn.prepare_cached("ROLLBACK")?.execute([])?;
    }
    Ok(())
}

/// Gives the connection back, also when the reader panicked.
struct Guard<'a> {
    pool: &'a Reads,
    connection: Option<Connection>,
}

impl Guard<'_> {
    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or(EngineError::Closed)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let usable = self.connection.take().filter(|connection| end(connection).is_ok());
        let mut state = self.pool.state.lock().unwrap_or_else(PoisonError::into_inner);
        match usable {
            Some(connection) if !state.closed => state.free.push(connection),
            _ => state.open -= 1,
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}
