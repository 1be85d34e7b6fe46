//! Snapshots, and a contact's document put together from its snapshot and the changes after it.

use automerge::{Automerge, Change, LoadOptions, ReadDoc, SaveOptions, TextEncoding};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document;
use roadbook_protocol::ids::{Cursor, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::contacts::Contact;
use super::sql::{hashes_column, pack_hashes, sha256};
use super::{EngineError, Result, changes};

/// A stored document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The heads of the document.
    pub heads: Vec<ChangeHash>,
    /// It holds every change that was merged up to this cursor.
    pub cursor: Cursor,
    /// The document, saved without compression and without orphans.
    pub bytes: Vec<u8>,
}

/// The snapshot of a contact, its checksum verified.
///
/// # Errors
/// [`EngineError::Damaged`] if the checksum is wrong.
pub fn snapshot(conn: &Connection, contact: &Contact) -> Result<Option<Snapshot>> {
    let row = conn
        .prepare_cached("SELECT heads, cursor, bytes, hash FROM snapshot WHERE n = ?")?
        .query_row([contact.n], |row| {
            let snapshot =
                Snapshot { heads: hashes_column(row, 0)?, cursor: row.get(1)?, bytes: row.get(2)? };
            Ok((snapshot, row.get::<_, [u8; 32]>(3)?))
        })
        .optional()?;
    let Some((snapshot, hash)) = row else { return Ok(None) };
    if sha256(&snapshot.bytes) != hash {
        return Err(damaged(contact, "its checksum is wrong"));
    }
    Ok(Some(snapshot))
}

/// The cursor of the stored snapshot and its size, without reading it.
///
/// # Errors
/// What the database says.
pub fn snapshot_size(conn: &Connection, n: i64) -> Result<Option<(Cursor, u64)>> {
    Ok(conn
        .prepare_cached("SELECT cursor, length(bytes) FROM snapshot WHERE n = ?")?
        .query_row([n], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// Replaces the snapshot of a contact.
///
/// # Errors
/// What the database says.
pub fn put_snapshot(
    tx: &Transaction<'_>,
    n: i64,
    heads: &[ChangeHash],
    cursor: Cursor,
    bytes: &[u8],
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO snapshot (n, heads, cursor, hash, bytes) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (n) DO UPDATE SET heads = excluded.heads, cursor = excluded.cursor,
            hash = excluded.hash, bytes = excluded.bytes",
    )?
    .execute(params![n, pack_hashes(heads), cursor, sha256(bytes), bytes])?;
    Ok(())
}

/// Loads a document that this server saved. It has passed both gates before.
///
/// # Errors
/// Automerge's text if it can't be loaded.
pub fn load(bytes: &[u8]) -> Result<Automerge, String> {
    let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
    let loaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Automerge::load_with_options(bytes, options)
    }));
    match loaded {
        Ok(Ok(doc)) => Ok(doc),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("automerge panicked".to_owned()),
    }
}

/// Saves a document as snapshots are: without compression (frames are compressed) and without
/// orphans.
pub fn save(doc: &Automerge) -> Vec<u8> {
    doc.save_with_options(SaveOptions { deflate: false, retain_orphans: false })
}

/// Whether a saved document loads to these heads, with nothing missing.
///
/// # Errors
/// What is different, or automerge's text.
pub fn verify(bytes: &[u8], heads: &[ChangeHash]) -> Result<Automerge, String> {
    let doc = load(bytes)?;
    let mut found = doc.get_heads();
    found.sort_unstable();
    if found != heads {
        return Err("it loads to other heads".to_owned());
    }
    match doc.get_missing_deps(&[]).len() {
        0 => Ok(doc),
        missing => Err(format!("it lacks {missing} changes that others depend on")),
    }
}

/// The merged document of a contact: its snapshot and the merged changes after it. Its heads are
/// those of the contact's row, or it is reported as damaged.
///
/// # Errors
/// [`EngineError::Damaged`].
pub fn document(conn: &Connection, workspace: WorkspaceId, contact: &Contact) -> Result<Automerge> {
    let (doc, since) = match snapshot(conn, contact)? {
        Some(snapshot) => {
            let doc = load(&snapshot.bytes).map_err(|reason| damaged(contact, reason))?;
            (doc, snapshot.cursor)
        }
        None => (document::new_document(), 0),
    };
    let doc = add_changes(conn, workspace, contact, doc, since)?;
    let mut heads = doc.get_heads();
    heads.sort_unstable();
    if contact.cursor > 0 && heads != contact.heads {
        return Err(damaged(contact, "its changes do not lead to the heads that were recorded"));
    }
    Ok(doc)
}

fn add_changes(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: &Contact,
    mut doc: Automerge,
    since: Cursor,
) -> Result<Automerge> {
    let mut decoded = Vec::new();
    let mut broken = None;
    changes::for_each_merged(conn, workspace, contact.id, since, |hash, bytes| {
        match Change::try_from(bytes) {
            Ok(change) if change.hash() == hash => decoded.push(change),
            Ok(_) => broken = Some(format!("the bytes of change {hash} have another hash")),
            Err(error) => broken = Some(format!("change {hash} can't be decoded: {error}")),
        }
    })?;
    if let Some(reason) = broken {
        return Err(damaged(contact, reason));
    }
    if decoded.is_empty() {
        return Ok(doc);
    }
    let applied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        doc.apply_changes(decoded).map(|()| doc)
    }));
    match applied {
        Ok(Ok(doc)) => Ok(doc),
        Ok(Err(error)) => Err(damaged(contact, error)),
        Err(_) => Err(damaged(contact, "automerge panicked on its merged changes")),
    }
}

fn damaged(contact: &Contact, reason: impl std::fmt::Display) -> EngineError {
    EngineError::damaged(format!("the document of contact {}", contact.id), reason)
}
