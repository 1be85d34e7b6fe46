//! Writing the WAL back into the database file, beside the writer and not in its way: a checkpoint
//! syncs megabytes, and nobody's acknowledgement should wait for that.
//!
//! The writer only says that one is due. Where the background falls behind under a lasting load, the
//! writer does it itself at a higher mark, so that the WAL stays bounded.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;

use super::shared::Shared;
use crate::store::{self, Durability, EngineError, Result};

/// A checkpoint is due when the WAL has grown by so many pages (16 MiB).
const DUE_PAGES: i32 = 4_096;
/// The writer does it itself when the WAL has so many (64 MiB).
const INLINE_PAGES: i32 = 16_384;

/// How the writer asks for a checkpoint.
#[derive(Debug, Default)]
pub(super) struct Due {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    due: bool,
    stopped: bool,
}

impl Due {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Lets the thread end.
    pub fn stop(&self) {
        self.set(|state| state.stopped = true);
    }

    /// Waits until one is due; `false` at the end.
    fn wait(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.due && !state.stopped {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.due = false;
        !state.stopped
    }
}

/// Makes the writer's connection ask for checkpoints instead of making them.
///
/// # Errors
/// What SQLite says.
pub(super) fn watch(writer: &mut Connection, shared: &Arc<Shared>) -> Result<()> {
    let shared = Arc::clone(shared);
    let mut asked_at = 0;
    writer.wal_hook(Some(move |wal: &mut Wal, pages: i32| {
        if pages < asked_at {
            // It was written back whole and begins anew.
            asked_at = 0;
        }
        if pages >= INLINE_PAGES {
            return wal.checkpoint();
        }
        if pages - asked_at >= DUE_PAGES {
            asked_at = pages;
            shared.checkpoint.set(|state| state.due = true);
        }
        Ok(())
    }))?;
    Ok(())
}

/// Opens the connection that the thread uses.
///
/// # Errors
/// What SQLite says.
pub(super) fn open(file: &Path, durability: Durability) -> Result<Connection> {
    let conn = store::open_reader(file)?;
    conn.pragma_update(None, "query_only", "OFF")?;
    // The writer's connection is the last to know whether the log may be written back.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // The WAL is synced before it is written back, so that what was derived and not synced yet can't
    // be in the file alone.
    conn.execute_batch(match durability {
        Durability::Off => Durability::Off.pragma(),
        _ => Durability::Full.pragma(),
    })?;
    Ok(conn)
}

/// The thread.
pub(super) fn run(shared: &Shared, conn: &Connection) {
    while shared.checkpoint.wait() {
        write_back(shared, conn);
    }
}

/// One checkpoint; none behind a failed sync, see [`super::writer::Writer::finish`].
pub(super) fn write_back(shared: &Shared, conn: &Connection) {
    if shared.stopped.get().is_some() {
        return;
    }
    let done = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if let Err(error) = done.map_err(EngineError::from) {
        tracing::warn!(%error, "the WAL could not be written back; it is tried again");
        shared.note_failure(&error);
    }
}
