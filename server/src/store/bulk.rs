//! Bulk actions: what a manager did to many contacts at once, contact by contact, so that it is shown
//! before it is done, goes on after a restart, and can be taken back as a whole.
//!
//! An item is marked in the transaction of the edit itself: whenever the server dies, what is marked was
//! done, and what is not was not.

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::Result;
use super::sql::{id_column, id_column_or_null};

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE bulk (
    n         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    workspace BLOB NOT NULL,
    user      BLOB NOT NULL,                -- who
    what      TEXT NOT NULL CHECK (what IN ('assign', 'tag', 'untag', 'retag', 'status')),
    value     TEXT NOT NULL,                -- the new owner's id, the tag, [old, new] tag, the status; may be empty
    asked     TEXT NOT NULL,                -- the list that it was chosen from, until it is confirmed
    chosen    INTEGER NOT NULL,             -- contacts
    stage     TEXT NOT NULL
        CHECK (stage IN ('listing', 'listed', 'doing', 'done', 'undoing', 'undone')),
    made_at   INTEGER NOT NULL,
    ended_at  INTEGER,
    undo_by   BLOB,                         -- who takes it back
    FOREIGN KEY (workspace, user) REFERENCES user (workspace, id)
) STRICT;
CREATE INDEX bulk_by_user ON bulk (workspace, user, n);

CREATE TABLE bulk_item (
    bulk      INTEGER NOT NULL REFERENCES bulk (n),
    workspace BLOB NOT NULL,
    contact   BLOB NOT NULL,
    state     INTEGER NOT NULL,             -- 0 to do, 1 was so, 2 refused, 3 done, 4 taken back, 5 left
    why       TEXT NOT NULL DEFAULT '',     -- a short code
    change    BLOB,                         -- the edit that did it
    was       TEXT,                         -- an assignment: JSON of what was before
    PRIMARY KEY (bulk, contact)
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_item_by_state ON bulk_item (bulk, state, why, contact);
CREATE INDEX bulk_item_by_contact ON bulk_item (contact);
";

/// Contacts of one action at most.
pub const CONTACTS_MAX: usize = 50_000;
/// An action can be taken back for so long; then it is forgotten.
pub const KEPT_MS: UnixMs = 90 * 24 * 60 * 60 * 1000;
/// Where all contacts are listed.
const LIST: &str = "/contacts";
/// A list that nobody confirmed is forgotten after this time.
const UNCONFIRMED_MS: UnixMs = 24 * 60 * 60 * 1000;

/// What is done to each contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It gets this owner, or none.
    Assign(Option<UserId>),
    /// It gets a tag.
    Tag(String),
    /// It loses a tag.
    Untag(String),
    /// Another tag takes the place of one.
    Retag {
        /// The tag that goes.
        from: String,
        /// The one that comes.
        to: String,
    },
    /// It gets this status; empty takes the status away.
    Status(String),
}

impl What {
    /// The name of the kind, as it is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            What::Assign(_) => "assign",
            What::Tag(_) => "tag",
            What::Untag(_) => "untag",
            What::Retag { .. } => "retag",
            What::Status(_) => "status",
        }
    }

    /// The owner's id, the tag, the two tags as JSON, or the status.
    pub fn value(&self) -> String {
        match self {
            What::Assign(owner) => owner.map(|owner| owner.to_string()).unwrap_or_default(),
            What::Tag(text) | What::Untag(text) | What::Status(text) => text.clone(),
            What::Retag { from, to } => serde_json::json!([from, to]).to_string(),
        }
    }

    fn read(kind: &str, value: String) -> What {
        match kind {
            "assign" => What::Assign(value.parse().ok()),
            "tag" => What::Tag(value),
            "untag" => What::Untag(value),
            "retag" => {
                let (from, to) = serde_json::from_str(&value).unwrap_or_default();
                What::Retag { from, to }
            }
            _ => What::Status(value),
        }
    }
}

/// How far an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its contacts are being written down.
    Listing,
    /// It waits to be confirmed.
    Listed,
    /// It is being done.
    Doing,
    /// It was done.
    Done,
    /// It is being taken back.
    Undoing,
    /// It was taken back.
    Undone,
}

impl Stage {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Listing => "listing",
            Stage::Listed => "listed",
            Stage::Doing => "doing",
            Stage::Done => "done",
            Stage::Undoing => "undoing",
            Stage::Undone => "undone",
        }
    }

    fn read(text: &str) -> Stage {
        match text {
            "listed" => Stage::Listed,
            "doing" => Stage::Doing,
            "done" => Stage::Done,
            "undoing" => Stage::Undoing,
            "undone" => Stage::Undone,
            _ => Stage::Listing,
        }
    }
}

/// What became of one contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemState {
    /// To be done.
    ToDo,
    /// It was so already.
    Same,
    /// It was not done; why is in its code.
    Refused,
    /// Done.
    Done,
    /// Taken back.
    Undone,
    /// Left as it is when the rest was taken back; why is in its code.
    Left,
}

impl ItemState {
    const ALL: [ItemState; 6] = [
        ItemState::ToDo,
        ItemState::Same,
        ItemState::Refused,
        ItemState::Done,
        ItemState::Undone,
        ItemState::Left,
    ];

    fn code(self) -> i64 {
        self as i64
    }

    fn read(code: i64) -> ItemState {
        Self::ALL.into_iter().find(|state| state.code() == code).unwrap_or(ItemState::Left)
    }
}

/// An action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// Its number.
    pub n: i64,
    /// Where.
    pub workspace: WorkspaceId,
    /// Who.
    pub user: UserId,
    /// What is done to each contact.
    pub what: What,
    /// The address of the list that the contacts were chosen from; once it is confirmed, of all contacts.
    pub asked: String,
    /// How many contacts were chosen.
    pub chosen: u64,
    /// How far it is.
    pub stage: Stage,
    /// When it was listed.
    pub made_at: UnixMs,
    /// When it was done or taken back.
    pub ended_at: Option<UnixMs>,
    /// Who takes it back, or did.
    pub undo_by: Option<UserId>,
}

impl Bulk {
    /// In whose name the present stage is carried out.
    pub fn actor(&self) -> UserId {
        match self.stage {
            Stage::Undoing | Stage::Undone => self.undo_by.unwrap_or(self.user),
            _ => self.user,
        }
    }
    /// Whether it can still be taken back, by its age.
    pub fn is_kept(&self, now: UnixMs) -> bool {
        now - self.made_at < KEPT_MS
    }
}

/// What a contact was before it was assigned, and what it became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    /// Its owner.
    pub owner: Option<UserId>,
    /// Whether the new owner worked on it beside the old one.
    pub beside: bool,
    /// The epoch that the assignment began.
    pub epoch: u64,
}

/// That an edit belongs to a bulk action: noted in the edit's own transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The action.
    pub bulk: i64,
    /// Whether it takes the action back.
    pub undo: bool,
}

/// One contact of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The contact.
    pub contact: ContactId,
    /// What became of it.
    pub state: ItemState,
    /// Why it was refused or left: a short code, empty where there is nothing to say.
    pub why: String,
    /// The edit that did it.
    pub change: Option<ChangeHash>,
    /// With an assignment: what was before.
    pub was: Option<Was>,
}

/// How many contacts are in a state, for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The state.
    pub state: ItemState,
    /// The reason's code.
    pub why: String,
    /// How many.
    pub count: u64,
}

/// Begins an action: its contacts are added with [`add`], and [`set_stage`] says when they are all there.
/// Forgets what is too old to be taken back. Returns its number.
///
/// # Errors
/// What the database says.
pub fn begin(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: UserId,
    what: &What,
    asked: &str,
    chosen: usize,
    now: UnixMs,
) -> Result<i64> {
    forget_old(tx, workspace, now)?;
    tx.prepare_cached(
        "INSERT INTO bulk (workspace, user, what, value, asked, chosen, stage, made_at)
         VALUES (?, ?, ?, ?, ?, ?, 'listing', ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        user.as_bytes(),
        what.kind(),
        what.value(),
        asked,
        chosen,
        now
    ])?;
    Ok(tx.last_insert_rowid())
}

/// One at a time: an action may have 50,000 rows, and others wait.
fn forget_old(tx: &Transaction<'_>, workspace: WorkspaceId, now: UnixMs) -> Result<()> {
    let old: Option<i64> = tx
        .prepare_cached(
            "SELECT n FROM bulk WHERE workspace = ?1
               AND (made_at < ?2 OR (stage IN ('listing', 'listed') AND made_at < ?3))
               AND stage NOT IN ('doing', 'undoing')
             ORDER BY n LIMIT 1",
        )?
        .query_row(params![workspace.as_bytes(), now - KEPT_MS, now - UNCONFIRMED_MS], |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(n) = old {
        tx.execute("DELETE FROM bulk_item WHERE bulk = ?", [n])?;
        tx.execute("DELETE FROM bulk WHERE n = ?", [n])?;
    }
    Ok(())
}

/// Adds contacts to an action that is being listed.
///
/// # Errors
/// What the database says.
pub fn add(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    n: i64,
    items: &[(ContactId, ItemState, &'static str)],
) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT OR IGNORE INTO bulk_item (bulk, workspace, contact, state, why) VALUES (?, ?, ?, ?, ?)",
    )?;
    for (contact, state, why) in items {
        statement.execute(params![
            n,
            workspace.as_bytes(),
            contact.as_bytes(),
            state.code(),
            why
        ])?;
    }
    Ok(())
}

const COLUMNS: &str =
    "n, workspace, user, what, value, asked, chosen, stage, made_at, ended_at, undo_by";

fn read(row: &Row<'_>) -> rusqlite::Result<Bulk> {
    Ok(Bulk {
        n: row.get(0)?,
        workspace: id_column!(row, 1, WorkspaceId),
        user: id_column!(row, 2, UserId),
        what: What::read(row.get_ref(3)?.as_str()?, row.get(4)?),
        asked: row.get(5)?,
        chosen: row.get(6)?,
        stage: Stage::read(row.get_ref(7)?.as_str()?),
        made_at: row.get(8)?,
        ended_at: row.get(9)?,
        undo_by: id_column_or_null!(row, 10, UserId),
    })
}

/// An action; `None` where there is none of that number.
///
/// # Errors
/// What the database says.
pub fn find(conn: &Connection, workspace: WorkspaceId, n: i64) -> Result<Option<Bulk>> {
    let sql = format!("SELECT {COLUMNS} FROM bulk WHERE n = ? AND workspace = ?");
    let mut statement = conn.prepare_cached(&sql)?;
    Ok(statement.query_row(params![n, workspace.as_bytes()], read).optional()?)
}

/// The newest actions that were confirmed, of somebody or of everybody.
///
/// # Errors
/// What the database says.
pub fn list(
    conn: &Connection,
    workspace: WorkspaceId,
    user: Option<UserId>,
    limit: usize,
) -> Result<Vec<Bulk>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM bulk WHERE workspace = ?1 AND (?2 IS NULL OR user = ?2)
           AND stage NOT IN ('listing', 'listed') ORDER BY n DESC LIMIT ?3"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let user = user.as_ref().map(UserId::as_bytes);
    let rows = statement.query_map(params![workspace.as_bytes(), user, limit], read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Goes from one stage to another; `false` if it is not in that stage.
///
/// # Errors
/// What the database says.
pub fn set_stage(
    tx: &Transaction<'_>,
    n: i64,
    from: Stage,
    to: Stage,
    now: UnixMs,
) -> Result<bool> {
    let ended = matches!(to, Stage::Done | Stage::Undone).then_some(now);
    let changed = tx
        .prepare_cached(
            "UPDATE bulk SET stage = ?3, ended_at = coalesce(?4, ended_at) WHERE n = ?1 AND stage = ?2",
        )?
        .execute(params![n, from.as_str(), to.as_str(), ended])?;
    Ok(changed > 0)
}

/// Forgets the list that an action was chosen from, once it is confirmed: what was searched for there may
/// be somebody's name, and the action is kept for long.
///
/// # Errors
/// What the database says.
pub fn forget_asked(tx: &Transaction<'_>, n: i64) -> Result<()> {
    tx.prepare_cached("UPDATE bulk SET asked = ? WHERE n = ?")?.execute(params![LIST, n])?;
    Ok(())
}

/// The same for all actions of a workspace that wait to be confirmed, as one of its contacts is erased.
///
/// # Errors
/// What the database says.
pub fn forget_all_asked(tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<()> {
    tx.prepare_cached("UPDATE bulk SET asked = ?1 WHERE workspace = ?2 AND asked <> ?1")?
        .execute(params![LIST, workspace.as_bytes()])?;
    Ok(())
}

/// Notes who takes an action back.
///
/// # Errors
/// What the database says.
pub fn set_undo_by(tx: &Transaction<'_>, n: i64, user: UserId) -> Result<()> {
    tx.prepare_cached("UPDATE bulk SET undo_by = ? WHERE n = ?")?
        .execute(params![user.as_bytes(), n])?;
    Ok(())
}

/// How many contacts of an action are in which state, and why.
///
/// # Errors
/// What the database says.
pub fn tally(conn: &Connection, n: i64) -> Result<Vec<Tally>> {
    let mut statement = conn.prepare_cached(
        "SELECT state, why, count(*) FROM bulk_item INDEXED BY bulk_item_by_state
         WHERE bulk = ? GROUP BY state, why",
    )?;
    let rows = statement.query_map([n], |row| {
        Ok(Tally { state: ItemState::read(row.get(0)?), why: row.get(1)?, count: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Some contacts of an action that are in a state.
///
/// # Errors
/// What the database says.
pub fn items(conn: &Connection, n: i64, state: ItemState, limit: usize) -> Result<Vec<Item>> {
    let mut statement = conn.prepare_cached(
        "SELECT contact, state, why, change, was FROM bulk_item
         WHERE bulk = ? AND state = ? ORDER BY why, contact LIMIT ?",
    )?;
    let rows = statement.query_map(params![n, state.code(), limit], |row| {
        let was: Option<String> = row.get(4)?;
        Ok(Item {
            contact: id_column!(row, 0, ContactId),
            state: ItemState::read(row.get(1)?),
            why: row.get(2)?,
            change: row.get::<_, Option<[u8; 32]>>(3)?.map(ChangeHash),
            was: was.and_then(|json| serde_json::from_str(&json).ok()),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Says what became of a contact that was not edited.
///
/// # Errors
/// What the database says.
pub fn settle(
    tx: &Transaction<'_>,
    n: i64,
    contact: ContactId,
    from: ItemState,
    to: ItemState,
    why: &str,
) -> Result<()> {
    tx.prepare_cached(
        "UPDATE bulk_item SET state = ?4, why = ?5 WHERE bulk = ?1 AND contact = ?2 AND state = ?3",
    )?
    .execute(params![n, contact.as_bytes(), from.code(), to.code(), why])?;
    Ok(())
}

/// Notes an edit, in its own transaction.
///
/// # Errors
/// What the database says.
pub fn note_edit(
    tx: &Transaction<'_>,
    mark: Mark,
    contact: ContactId,
    change: &ChangeHash,
) -> Result<()> {
    if mark.undo {
        return settle(tx, mark.bulk, contact, ItemState::Done, ItemState::Undone, "");
    }
    tx.prepare_cached(
        "UPDATE bulk_item SET state = 3, why = '', change = ?3 WHERE bulk = ?1 AND contact = ?2",
    )?
    .execute(params![mark.bulk, contact.as_bytes(), change.0])?;
    Ok(())
}

/// Notes an assignment, in its own transaction.
///
/// # Errors
/// What the database says.
pub fn note_assignment(tx: &Transaction<'_>, n: i64, contact: ContactId, was: &Was) -> Result<()> {
    let was = serde_json::to_string(was).unwrap_or_default();
    tx.prepare_cached(
        "UPDATE bulk_item SET state = 3, why = '', was = ?3 WHERE bulk = ?1 AND contact = ?2",
    )?
    .execute(params![n, contact.as_bytes(), was])?;
    Ok(())
}
