//! Contacts as the server knows them without opening a document: owner, epoch, heads, cursors; and
//! who may see them.
//!
//! Each user has an order of their own over the contacts they see: the sort cursor of `access`
//! (rule 15). It is the larger of the contact's public cursor and the cursor at which it became
//! visible to that user, so "what is new since C" is one range of an index and skips nothing.

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, Cursor, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::Access;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::sql::{hashes_column, id_column, id_column_or_null, pack_hashes};
use super::{Result, drops};

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The number under which snapshot, projection and search text are filed.
    pub n: i64,
    /// The id.
    pub id: ContactId,
    /// Its owner.
    pub owner: Option<UserId>,
    /// Grows with every change of owner.
    pub epoch: u64,
    /// The heads of the merged document, sorted; empty before the first merge.
    pub heads: Vec<ChangeHash>,
    /// The cursor of its last merge, 0 before the first.
    pub cursor: Cursor,
    /// The cursor at which owner or collaborators changed last.
    pub assigned_cursor: Cursor,
    /// Merged changes.
    pub changes: u64,
    /// Bytes of the document, saved without compression.
    pub document_bytes: u64,
    /// Bytes of the changes that were merged since its snapshot.
    pub bytes_since: u64,
    /// Raw changes up to this cursor may have been dropped by compaction.
    pub compacted_cursor: Cursor,
    /// When the server heard of it first.
    pub created_at: UnixMs,
    /// When it was erased.
    pub erased_at: Option<UnixMs>,
    /// Of which generation its document is, from 1 (rule 25).
    pub generation: u64,
    /// A later generation that this restored server is being brought; 0 for none.
    pub adopting: u64,
}

const COLUMNS: &str = "c.n, c.id, c.owner, c.epoch, c.heads, c.cursor, c.assigned_cursor, c.changes, c.document_bytes, c.compacted_cursor, c.created_at, c.erased_at, c.bytes_since, c.generation, c.adopting";
/// How many columns a [`Contact`] takes.
const COLUMNS_LEN: usize = 15;

fn contact_row(row: &Row<'_>) -> rusqlite::Result<Contact> {
    Ok(Contact {
        n: row.get(0)?,
        id: id_column!(row, 1, ContactId),
        owner: id_column_or_null!(row, 2, UserId),
        epoch: row.get(3)?,
        heads: hashes_column(row, 4)?,
        cursor: row.get(5)?,
        assigned_cursor: row.get(6)?,
        changes: row.get(7)?,
        document_bytes: row.get(8)?,
        compacted_cursor: row.get(9)?,
        created_at: row.get(10)?,
        erased_at: row.get(11)?,
        bytes_since: row.get(12)?,
        generation: row.get(13)?,
        adopting: row.get(14)?,
    })
}

/// A contact, erased ones too; `None` if the id was never heard of.
///
/// # Errors
/// What the database says.
pub fn find(conn: &Connection, workspace: WorkspaceId, id: ContactId) -> Result<Option<Contact>> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM contact c WHERE c.workspace = ? AND c.id = ?"
        ))?
        .query_row(params![workspace.as_bytes(), id.as_bytes()], contact_row)
        .optional()?)
}

/// Calls `each` for all contacts of the workspace that are not erased, by id, or for those that one
/// user's devices hold: owned or collaborated on.
///
/// # Errors
/// What the database says, or what `each` returns.
pub fn for_each(
    conn: &Connection,
    workspace: WorkspaceId,
    holder: Option<UserId>,
    mut each: impl FnMut(Contact) -> Result<()>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM contact c
         WHERE c.workspace = ?1 AND c.erased_at IS NULL
           AND (?2 IS NULL OR EXISTS (SELECT 1 FROM access a
                                      WHERE a.workspace = c.workspace AND a.contact = c.id
                                        AND a.user = ?2 AND a.kind <> ?3))
         ORDER BY c.id"
    ))?;
    let holder = holder.as_ref().map(UserId::as_bytes);
    let removed = access_code(Access::Removed);
    let mut rows = statement.query(params![workspace.as_bytes(), holder, removed])?;
    while let Some(row) = rows.next()? {
        each(contact_row(row)?)?;
    }
    Ok(())
}

/// How many contacts a user holds, as owner or beside one.
///
/// # Errors
/// What the database says.
pub fn count_held(conn: &Connection, workspace: WorkspaceId, user: UserId) -> Result<u64> {
    Ok(conn
        .prepare_cached(
            "SELECT count(*) FROM access WHERE workspace = ? AND user = ? AND kind <> 2",
        )?
        .query_row(params![workspace.as_bytes(), user.as_bytes()], |row| row.get(0))?)
}

/// How many contacts the workspace has that are not erased and have content.
///
/// # Errors
/// What the database says.
pub fn count(conn: &Connection, workspace: WorkspaceId) -> Result<u64> {
    Ok(conn
        .prepare_cached(
            "SELECT count(*) FROM contact WHERE workspace = ? AND erased_at IS NULL AND cursor > 0",
        )?
        .query_row([workspace.as_bytes()], |row| row.get(0))?)
}

/// Creates a contact without content, and shows it to its owner since `visible_cursor`: 0 where it
/// comes from one of the owner's devices, so that the others get its changes; the cursor of its first
/// merge where the server makes it, so that devices get it whole, with its row. Returns its number.
///
/// # Errors
/// What the database says; a contact of that id must not exist.
pub fn create(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ContactId,
    owner: Option<UserId>,
    visible_cursor: Cursor,
    now: UnixMs,
) -> Result<i64> {
    let epoch = u64::from(owner.is_some());
    tx.prepare_cached(
        "INSERT INTO contact (workspace, id, owner, epoch, created_at) VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        id.as_bytes(),
        owner.as_ref().map(UserId::as_bytes),
        epoch,
        now
    ])?;
    let n = tx.last_insert_rowid();
    if let Some(owner) = owner {
        set_access(tx, workspace, id, owner, Access::Owner, visible_cursor)?;
    }
    Ok(n)
}

/// What a merge came to, as the contact's row keeps it.
#[derive(Debug)]
pub struct MergedState<'a> {
    /// The heads, sorted.
    pub heads: &'a [ChangeHash],
    /// The cursor of this merge.
    pub cursor: Cursor,
    /// How many changes it added.
    pub changes: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the document, saved without compression.
    pub document_bytes: u64,
    /// Whether a snapshot with all of it was written.
    pub snapshot: bool,
}

/// Writes what a merge came to.
///
/// # Errors
/// What the database says.
pub fn set_merged(tx: &Transaction<'_>, n: i64, state: &MergedState<'_>) -> Result<()> {
    tx.prepare_cached(
        "UPDATE contact SET heads = ?1, cursor = ?2, changes = changes + ?3, document_bytes = ?4,
                bytes_since = CASE WHEN ?5 THEN 0 ELSE bytes_since + ?6 END
         WHERE n = ?7",
    )?
    .execute(params![
        pack_hashes(state.heads),
        state.cursor,
        state.changes,
        state.document_bytes,
        state.snapshot,
        state.bytes,
        n
    ])?;
    Ok(())
}

/// Notes that raw changes up to `cursor` were dropped.
///
/// # Errors
/// What the database says.
pub fn set_compacted(tx: &Transaction<'_>, n: i64, cursor: Cursor) -> Result<()> {
    tx.prepare_cached(
        "UPDATE contact SET compacted_cursor = max(compacted_cursor, ?) WHERE n = ?",
    )?
    .execute(params![cursor, n])?;
    Ok(())
}

/// Changes the owner: a new epoch.
///
/// # Errors
/// What the database says.
pub fn set_owner(tx: &Transaction<'_>, n: i64, owner: Option<UserId>) -> Result<()> {
    tx.prepare_cached("UPDATE contact SET owner = ?, epoch = epoch + 1 WHERE n = ?")?
        .execute(params![owner.as_ref().map(UserId::as_bytes), n])?;
    Ok(())
}

/// Raises the epoch to at least this, as evidence of a lost past tells it.
///
/// # Errors
/// What the database says.
pub fn raise_epoch(tx: &Transaction<'_>, n: i64, epoch: u64) -> Result<()> {
    tx.prepare_cached("UPDATE contact SET epoch = max(epoch, ?) WHERE n = ?")?
        .execute(params![epoch, n])?;
    Ok(())
}

/// Notes the cursor of a change of owner or collaborators.
///
/// # Errors
/// What the database says.
pub fn set_assigned(tx: &Transaction<'_>, n: i64, cursor: Cursor) -> Result<()> {
    tx.prepare_cached("UPDATE contact SET assigned_cursor = ? WHERE n = ?")?
        .execute(params![cursor, n])?;
    Ok(())
}

pub(crate) fn access_code(access: Access) -> i64 {
    match access {
        Access::Owner => 0,
        Access::Collaborator => 1,
        Access::Removed => 2,
    }
}

pub(crate) fn access_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Access> {
    Ok(match row.get::<_, i64>(index)? {
        0 => Access::Owner,
        1 => Access::Collaborator,
        _ => Access::Removed,
    })
}

/// How a user holds a contact: `None` and [`Access::Removed`] both mean not at all.
///
/// # Errors
/// What the database says.
pub fn access(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    user: UserId,
) -> Result<Option<Access>> {
    Ok(conn
        .prepare_cached("SELECT kind FROM access WHERE workspace = ? AND contact = ? AND user = ?")?
        .query_row(params![workspace.as_bytes(), contact.as_bytes(), user.as_bytes()], |row| {
            access_column(row, 0)
        })
        .optional()?)
}

/// All rows of access of a contact, removed ones too.
///
/// # Errors
/// What the database says.
pub fn accesses(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Vec<(UserId, Access)>> {
    let mut statement =
        conn.prepare_cached("SELECT user, kind FROM access WHERE workspace = ? AND contact = ?")?;
    let rows = statement.query_map(params![workspace.as_bytes(), contact.as_bytes()], |row| {
        Ok((id_column!(row, 0, UserId), access_column(row, 1)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The collaborators of a contact.
///
/// # Errors
/// What the database says.
pub fn collaborators(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Vec<UserId>> {
    let all = accesses(conn, workspace, contact)?;
    Ok(all.into_iter().filter(|(_, access)| *access == Access::Collaborator).map(|a| a.0).collect())
}

/// Shows a contact to a user, or takes it away, at `cursor`. Whoever saw it already keeps the cursor
/// since which they see it.
///
/// # Errors
/// What the database says.
pub fn set_access(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    user: UserId,
    access: Access,
    cursor: Cursor,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO access (workspace, contact, user, kind, visible_cursor, sort_cursor)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         ON CONFLICT (workspace, contact, user) DO UPDATE SET
            visible_cursor = CASE WHEN kind <> 2 AND excluded.kind <> 2
                             THEN visible_cursor ELSE excluded.visible_cursor END,
            kind = excluded.kind,
            sort_cursor = excluded.sort_cursor",
    )?
    .execute(params![
        workspace.as_bytes(),
        contact.as_bytes(),
        user.as_bytes(),
        access_code(access),
        cursor
    ])?;
    if access == Access::Removed {
        drops::expect(tx, workspace, contact, user, cursor)?;
    }
    Ok(())
}

/// Moves a contact to `cursor` in the order of everybody who sees it, and says who that is.
///
/// # Errors
/// What the database says.
pub fn raise_sort_cursor(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    cursor: Cursor,
) -> Result<Vec<UserId>> {
    let mut statement = tx.prepare_cached(
        "UPDATE access SET sort_cursor = ? WHERE workspace = ? AND contact = ? AND kind <> 2 RETURNING user",
    )?;
    let rows = statement
        .query_map(params![cursor, workspace.as_bytes(), contact.as_bytes()], |row| {
            Ok(id_column!(row, 0, UserId))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a contact was taken from a user beyond this cursor.
///
/// # Errors
/// What the database says.
pub fn lost_since(
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
    since: Cursor,
) -> Result<bool> {
    Ok(conn
        .prepare_cached(
            "SELECT 1 FROM access INDEXED BY access_by_user
             WHERE workspace = ? AND user = ? AND sort_cursor > ? AND kind = 2 LIMIT 1",
        )?
        .exists(params![workspace.as_bytes(), user.as_bytes(), since])?)
}

/// One contact in a user's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// The contact.
    pub contact: Contact,
    /// How the user holds it.
    pub access: Access,
    /// Since which cursor the user sees it; 0 from its first change on.
    pub visible_cursor: Cursor,
    /// Where it stands in the user's order.
    pub sort_cursor: Cursor,
}

/// Up to `limit` contacts of a user whose sort cursor is beyond `since`, in that order, removed ones
/// included.
///
/// # Errors
/// What the database says.
pub fn visible_since(
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
    since: Cursor,
    limit: usize,
) -> Result<Vec<Visible>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, a.kind, a.visible_cursor, a.sort_cursor
         FROM access a INDEXED BY access_by_user
         CROSS JOIN contact c ON c.workspace = a.workspace AND c.id = a.contact
         WHERE a.workspace = ? AND a.user = ? AND a.sort_cursor > ?
         ORDER BY a.sort_cursor LIMIT ?"
    ))?;
    let parameters = params![workspace.as_bytes(), user.as_bytes(), since, limit];
    let rows = statement.query_map(parameters, visible_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One contact as a user sees it; `None` if they never did.
///
/// # Errors
/// What the database says.
pub fn visible(
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
    contact: ContactId,
) -> Result<Option<Visible>> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, a.kind, a.visible_cursor, a.sort_cursor
             FROM access a JOIN contact c ON c.workspace = a.workspace AND c.id = a.contact
             WHERE a.workspace = ? AND a.contact = ? AND a.user = ?"
        ))?
        .query_row(params![workspace.as_bytes(), contact.as_bytes(), user.as_bytes()], visible_row)
        .optional()?)
}

fn visible_row(row: &Row<'_>) -> rusqlite::Result<Visible> {
    Ok(Visible {
        contact: contact_row(row)?,
        access: access_column(row, COLUMNS_LEN)?,
        visible_cursor: row.get(COLUMNS_LEN + 1)?,
        sort_cursor: row.get(COLUMNS_LEN + 2)?,
    })
}

/// Which contacts a user's first sync brings: those with content, next visit soonest (from `today`,
/// `YYYY-MM-DD`, on), then latest touched. With each the bytes of its document.
///
/// # Errors
/// What the database says.
pub fn manifest(
    conn: &Connection,
    workspace: WorkspaceId,
    user: UserId,
    today: &str,
) -> Result<Vec<(ContactId, u64)>> {
    let mut statement = conn.prepare_cached(
        "SELECT c.id, c.document_bytes
         FROM access a
         CROSS JOIN contact c ON c.workspace = a.workspace AND c.id = a.contact
         LEFT JOIN projection p ON p.n = c.n
         WHERE a.workspace = ? AND a.user = ? AND a.kind <> 2 AND c.cursor > 0
         ORDER BY p.next_visit IS NULL OR p.next_visit < ?3, p.next_visit, p.touched_at DESC, c.id",
    )?;
    let rows = statement
        .query_map(params![workspace.as_bytes(), user.as_bytes(), today], |row| {
            Ok((id_column!(row, 0, ContactId), row.get(1)?))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
