//! How ids, hashes and fates are written to and read from columns.

use roadbook_protocol::ChangeHash;
use roadbook_protocol::wire::Fate;
use rusqlite::Row;
use rusqlite::types::Type;

/// Reads an id of 16 bytes.
macro_rules! id_column {
    ($row:expr, $index:expr, $kind:ty) => {{
        let index = $index;
        let bytes: [u8; 16] = $row.get(index)?;
        <$kind>::from_bytes(bytes)
    }};
}
/// Reads an id of 16 bytes or NULL.
macro_rules! id_column_or_null {
    ($row:expr, $index:expr, $kind:ty) => {{
        let bytes: Option<[u8; 16]> = $row.get($index)?;
        bytes.map(<$kind>::from_bytes)
    }};
}
pub(crate) use {id_column, id_column_or_null};

pub(crate) fn hash_column(row: &Row<'_>, index: usize) -> rusqlite::Result<ChangeHash> {
    row.get(index).map(ChangeHash)
}

/// A list of hashes, 32 bytes each, back to back.
pub(crate) fn hashes_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<ChangeHash>> {
    let bytes = row.get_ref(index)?.as_blob_or_null()?.unwrap_or_default();
    let (chunks, _) = bytes.as_chunks::<32>();
    Ok(chunks.iter().map(|chunk| ChangeHash(*chunk)).collect())
}

pub(crate) fn pack_hashes(hashes: &[ChangeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The numbers of fates in the database. They are the ones of the wire and never change.
pub(crate) fn fate_code(fate: Fate) -> i64 {
    match fate {
        Fate::Stored => 0,
        Fate::Merged => 1,
        Fate::Quarantined => 2,
        Fate::Replaced => 3,
        Fate::Proposed => 4,
        Fate::Erased => 5,
        Fate::Forked => 6,
        Fate::Unknown => 7,
        Fate::Waiting => 8,
    }
}

pub(crate) fn fate_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Fate> {
    let code: i64 = row.get(index)?;
    Ok(match code {
        0 => Fate::Stored,
        1 => Fate::Merged,
        2 => Fate::Quarantined,
        3 => Fate::Replaced,
        4 => Fate::Proposed,
        5 => Fate::Erased,
        6 => Fate::Forked,
        other => {
            return Err(rusqlite::Error::FromSqlConversionFailure(
                index,
                Type::Integer,
                format!("{other} is not the number of a fate").into(),
            ));
        }
    })
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}
