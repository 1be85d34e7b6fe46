//! Proposals: late edits that wait for the new owner's or the manager's decision (rules 8, 18, 19).
//!
//! One set per contact and device. Its raw changes have the fate `proposed` for ever and stay in the
//! log; what is decided about are its items, one per field, entry or edit of the note. An accepted
//! item became part of the contact as a new change of the server.

use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{Command, ProposedItem, ProposedKind};
use roadbook_protocol::ids::{ContactId, DeviceId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::wire::{ChangeFate, Fate};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::Result;
use super::sql::{hash_column, hashes_column, id_column, id_column_or_null, pack_hashes};

mod held;
mod states;

pub use held::{Recent, find_of, for_owner};
pub use states::{ItemState, SetState};

pub(crate) const TABLES_V3: &str = "
-- Rule 19: one set per contact and device. A contact may be one that the server does not have.
CREATE TABLE proposal (
    n          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    workspace  BLOB NOT NULL,
    contact    BLOB NOT NULL,
    device     BLOB NOT NULL,
    user       BLOB NOT NULL,             -- the author: the device's user
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    UNIQUE (workspace, contact, device)
) STRICT;

-- The raw changes of a set. `taken` says whether they were taken apart into items.
CREATE TABLE proposed_change (
    workspace BLOB NOT NULL,
    contact   BLOB NOT NULL,
    hash      BLOB NOT NULL,
    proposal  INTEGER NOT NULL REFERENCES proposal (n),
    log_seq   INTEGER NOT NULL,
    taken     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, contact, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX proposed_change_by_set ON proposed_change (proposal, log_seq);
CREATE INDEX proposed_change_new ON proposed_change (workspace, contact) WHERE taken = 0;

CREATE TABLE proposal_item (
    proposal   INTEGER NOT NULL REFERENCES proposal (n),
    i          INTEGER NOT NULL,
    workspace  BLOB NOT NULL,
    contact    BLOB NOT NULL,
    path       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    base       TEXT NOT NULL,             -- JSON
    proposed   TEXT NOT NULL,             -- JSON
    commands   TEXT NOT NULL,             -- JSON
    hashes     BLOB NOT NULL,             -- the raw changes that it comes from
    at         INTEGER NOT NULL,          -- as the device claims
    state      TEXT NOT NULL CHECK (state IN ('due', 'open', 'accepted', 'declined')),
    decided_by BLOB,                      -- NULL where it was taken at once
    decided_at INTEGER,
    change     BLOB,                      -- the server's change that carries it now
    reason     TEXT,
    version    INTEGER NOT NULL DEFAULT 0, -- grows with every decision
    PRIMARY KEY (proposal, i)
) STRICT, WITHOUT ROWID;
CREATE INDEX proposal_item_open ON proposal_item (workspace, contact, proposal)
    WHERE state IN ('due', 'open');
";

/// The late edits of one device to one contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    /// Its number.
    pub n: i64,
    /// The contact.
    pub contact: ContactId,
    /// The device that made the edits.
    pub device: DeviceId,
    /// The author.
    pub author: UserId,
    /// When the first of them arrived.
    pub received_at: UnixMs,
    /// When something about it changed last.
    pub changed_at: UnixMs,
    /// Where it stands.
    pub state: SetState,
    /// Raw changes in it.
    pub changes: u64,
    /// Its items.
    pub items: Vec<Item>,
}

/// One field, entry or edit of the note.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// Its number in the set.
    pub i: i64,
    /// The path of the field.
    pub path: String,
    /// What it is.
    pub kind: ProposedKind,
    /// What the author saw.
    pub base: serde_json::Value,
    /// What the author wants.
    pub proposed: serde_json::Value,
    /// The commands that author it anew.
    #[serde(skip)]
    pub commands: Vec<Command>,
    /// The raw changes that it comes from.
    #[serde(serialize_with = "hexes")]
    pub changes: Vec<ChangeHash>,
    /// When the author says it was made.
    pub at: UnixMs,
    /// Where it stands.
    pub state: ItemState,
    /// Who decided; `None` for an interaction that was taken at once.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<UnixMs>,
    /// The server's change that carries it now.
    #[serde(serialize_with = "hex")]
    pub change: Option<ChangeHash>,
    /// Why it could not be taken, if it could not.
    pub reason: Option<String>,
    /// Grows with every decision about it.
    pub version: u64,
}

fn hexes<S: serde::Serializer>(
    hashes: &[ChangeHash],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(hashes.iter().map(ToString::to_string))
}

#[allow(clippy::ref_option, reason = "the form that serde asks for")]
fn hex<S: serde::Serializer>(
    hash: &Option<ChangeHash>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    hash.map(|hash| hash.to_string()).serialize(serializer)
}

/// Files a change that the log has just taken as proposed.
///
/// # Errors
/// What the database says.
pub fn add(
    tx: &Transaction<'_>,
    (workspace, contact): (WorkspaceId, ContactId),
    (device, user): (DeviceId, UserId),
    hash: &ChangeHash,
    log_seq: i64,
    now: UnixMs,
) -> Result<()> {
    let n: i64 = tx
        .prepare_cached(
            "INSERT INTO proposal (workspace, contact, device, user, created_at, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (workspace, contact, device) DO UPDATE SET changed_at = excluded.changed_at
             RETURNING n",
        )?
        .query_row(
            params![
                workspace.as_bytes(),
                contact.as_bytes(),
                device.as_bytes(),
                user.as_bytes(),
                now
            ],
            |row| row.get(0),
        )?;
    tx.prepare_cached(
        "INSERT OR IGNORE INTO proposed_change (workspace, contact, hash, proposal, log_seq)
         VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![workspace.as_bytes(), contact.as_bytes(), hash.0, n, log_seq])?;
    Ok(())
}

/// All contacts with something to be done by itself: what a start has to take up again.
///
/// # Errors
/// What the database says.
pub fn contacts_due(conn: &Connection) -> Result<Vec<(WorkspaceId, ContactId)>> {
    let mut statement = conn.prepare(
        "SELECT workspace, contact FROM proposed_change WHERE taken = 0
         UNION SELECT workspace, contact FROM proposal_item
               WHERE state IN ('due', 'open') AND state = 'due'",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((id_column!(row, 0, WorkspaceId), id_column!(row, 1, ContactId)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A set of a contact with changes that were not taken apart yet.
///
/// # Errors
/// What the database says.
pub fn next_new(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Option<i64>> {
    Ok(conn
        .prepare_cached(
            "SELECT proposal FROM proposed_change INDEXED BY proposed_change_new
             WHERE workspace = ? AND contact = ? AND taken = 0 ORDER BY proposal LIMIT 1",
        )?
        .query_row(params![workspace.as_bytes(), contact.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// An interaction of a contact that is to be taken by itself: its set, its number, the author.
///
/// # Errors
/// What the database says.
pub fn next_due(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Option<(i64, i64, UserId)>> {
    Ok(conn
        .prepare_cached(
            "SELECT i.proposal, i.i, p.user FROM proposal_item i INDEXED BY proposal_item_open
             JOIN proposal p ON p.n = i.proposal
             WHERE i.workspace = ? AND i.contact = ? AND i.state IN ('due', 'open')
               AND i.state = 'due'
             ORDER BY i.proposal, i.i LIMIT 1",
        )?
        .query_row(params![workspace.as_bytes(), contact.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, id_column!(row, 2, UserId)))
        })
        .optional()?)
}

/// A raw change of a set.
#[derive(Debug, Clone)]
pub struct RawProposed {
    /// The change.
    pub hash: ChangeHash,
    /// Whether it was taken apart before.
    pub taken: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The raw changes of a set, in the order in which they arrived.
///
/// # Errors
/// What the database says.
pub fn raw(conn: &Connection, n: i64) -> Result<Vec<RawProposed>> {
    let mut statement = conn.prepare_cached(
        "SELECT c.hash, c.taken, l.bytes FROM proposed_change c JOIN log l ON l.seq = c.log_seq
         WHERE c.proposal = ? ORDER BY c.log_seq",
    )?;
    let rows = statement.query_map([n], |row| {
        Ok(RawProposed { hash: hash_column(row, 0)?, taken: row.get(1)?, bytes: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What a set was found to propose.
#[derive(Debug)]
pub struct TakenApart {
    /// The set.
    pub proposal: i64,
    /// The changes that were taken apart.
    pub hashes: Vec<ChangeHash>,
    /// What they propose. Interactions are taken by themselves if `at_once`.
    pub items: Vec<ProposedItem>,
    /// Whether interactions are taken by themselves: not where the contact is unknown here.
    pub at_once: bool,
    /// Why those changes that could not be read were not, each with its reason.
    pub reasons: Vec<(ChangeHash, String)>,
}

/// Writes what a set was found to propose. `false` if another did so meanwhile.
///
/// # Errors
/// What the database says.
pub fn write(
    tx: &Transaction<'_>,
    (workspace, contact): (WorkspaceId, ContactId),
    taken: &TakenApart,
    now: UnixMs,
) -> Result<bool> {
    for hash in &taken.hashes {
        let changed = tx
            .prepare_cached(
                "UPDATE proposed_change SET taken = 1
                 WHERE workspace = ? AND contact = ? AND hash = ? AND taken = 0",
            )?
            .execute(params![workspace.as_bytes(), contact.as_bytes(), hash.0])?;
        if changed == 0 {
            return Ok(false);
        }
    }
    let first: i64 = tx
        .prepare_cached("SELECT coalesce(max(i), 0) + 1 FROM proposal_item WHERE proposal = ?")?
        .query_row([taken.proposal], |row| row.get(0))?;
    for (next, item) in (first..).zip(&taken.items) {
        let state = match item.kind {
            ProposedKind::Interaction if taken.at_once => ItemState::Due,
            _ => ItemState::Open,
        };
        let reason = taken
            .reasons
            .iter()
            .find(|(hash, _)| item.changes.contains(hash))
            .map(|(_, reason)| reason.as_str());
        tx.prepare_cached(
            "INSERT INTO proposal_item (proposal, i, workspace, contact, path, kind, base, proposed,
                                        commands, hashes, at, state, reason)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            taken.proposal,
            next,
            workspace.as_bytes(),
            contact.as_bytes(),
            item.path,
            item.kind.as_str(),
            item.base.to_string(),
            item.proposed.to_string(),
            serde_json::to_string(&item.commands).unwrap_or_default(),
            pack_hashes(&item.changes),
            item.at,
            state.as_str(),
            reason,
        ])?;
    }
    touch(tx, taken.proposal, now)?;
    Ok(true)
}

fn touch(tx: &Transaction<'_>, n: i64, now: UnixMs) -> Result<()> {
    tx.prepare_cached("UPDATE proposal SET changed_at = ? WHERE n = ?")?
        .execute(params![now, n])?;
    Ok(())
}

/// A decision about items of one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The set.
    pub proposal: i64,
    /// The items.
    pub items: Vec<i64>,
    /// What they become. Back to `open` undoes an earlier decision.
    pub to: ItemState,
    /// Who decides; `None` for what is taken by itself.
    pub by: Option<UserId>,
    /// Why it could not be taken by itself.
    pub reason: Option<String>,
    /// Whether it holds only as long as who decides is the owner of the contact.
    pub as_owner: bool,
}

impl Decision {
    /// Whether an item in this state may be decided so.
    fn may(&self, from: ItemState) -> bool {
        match self.to {
            ItemState::Accepted | ItemState::Declined => from.waits(),
            ItemState::Open => from != ItemState::Open,
            ItemState::Due => false,
        }
    }
}

/// Whether every item of a decision still stands where it may be decided so, and who decides may do so.
///
/// # Errors
/// What the database says.
pub fn is_possible(conn: &Connection, decision: &Decision) -> Result<bool> {
    if decision.as_owner && !held::is_owner(conn, decision)? {
        return Ok(false);
    }
    for i in &decision.items {
        let state: Option<String> = conn
            .prepare_cached("SELECT state FROM proposal_item WHERE proposal = ? AND i = ?")?
            .query_row(params![decision.proposal, i], |row| row.get(0))
            .optional()?;
        if !state.is_some_and(|state| decision.may(ItemState::from_name(&state))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes a decision. `false`, and nothing certain written, if an item is not where it may be decided
/// so: the caller undoes its transaction.
///
/// # Errors
/// What the database says.
pub fn decide(
    tx: &Transaction<'_>,
    decision: &Decision,
    change: Option<&ChangeHash>,
    now: UnixMs,
) -> Result<bool> {
    if !is_possible(tx, decision)? {
        return Ok(false);
    }
    let reopened = decision.to == ItemState::Open;
    for i in &decision.items {
        tx.prepare_cached(
            "UPDATE proposal_item SET state = ?3, decided_by = ?4, decided_at = ?5, change = ?6,
                    reason = coalesce(?7, reason), version = version + 1
             WHERE proposal = ?1 AND i = ?2",
        )?
        .execute(params![
            decision.proposal,
            i,
            decision.to.as_str(),
            decision.by.filter(|_| !reopened).as_ref().map(UserId::as_bytes),
            (!reopened).then_some(now),
            change.filter(|_| !reopened).map(|hash| hash.0),
            decision.reason,
        ])?;
    }
    touch(tx, decision.proposal, now)?;
    Ok(true)
}

/// What the device is told of the raw changes behind these items (rule 23): the fate stays
/// `proposed`, the code says what was decided.
///
/// # Errors
/// What the database says.
pub fn fates(
    conn: &Connection,
    workspace: WorkspaceId,
    n: i64,
    items: &[i64],
) -> Result<Option<(DeviceId, Vec<ChangeFate>)>> {
    let Some(set) = find(conn, workspace, n)? else { return Ok(None) };
    let mut hashes: Vec<ChangeHash> = set
        .items
        .iter()
        .filter(|item| items.contains(&item.i))
        .flat_map(|item| item.changes.iter().copied())
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    let fates = hashes
        .into_iter()
        .map(|hash| {
            let (code, reason) = set.verdict(&hash);
            ChangeFate { contact: set.contact, hash, fate: Fate::Proposed, code, reason }
        })
        .collect();
    Ok(Some((set.device, fates)))
}

impl Proposal {
    /// What was decided about one raw change: code and reason.
    pub fn verdict(&self, hash: &ChangeHash) -> (String, String) {
        let of_it = self.items.iter().filter(|item| item.changes.contains(hash));
        let state = SetState::of(of_it.map(|item| item.state));
        let reason = match state {
            SetState::Open => late_reason(self.contact),
            SetState::Accepted => "the edit was accepted and is part of the contact".to_owned(),
            SetState::Declined => "the edit was declined; it is kept at the office".to_owned(),
            SetState::InPart => "a part of the edit was accepted".to_owned(),
        };
        let code = match state {
            SetState::Open => "late",
            other => other.as_str(),
        };
        (code.to_owned(), reason)
    }
}

/// What is said of a late edit as long as nothing is decided.
pub fn late_reason(contact: ContactId) -> String {
    format!(
        "contact {contact} was handed over before this edit arrived; it waits for the decision of the \
         new owner or the manager"
    )
}

/// What was decided about a proposed change; `None` if it is in no set.
///
/// # Errors
/// What the database says.
pub fn verdict(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    hash: &ChangeHash,
) -> Result<Option<(String, String)>> {
    let n: Option<i64> = conn
        .prepare_cached(
            "SELECT proposal FROM proposed_change WHERE workspace = ? AND contact = ? AND hash = ?",
        )?
        .query_row(params![workspace.as_bytes(), contact.as_bytes(), hash.0], |row| row.get(0))
        .optional()?;
    let Some(n) = n else { return Ok(None) };
    Ok(find(conn, workspace, n)?.map(|set| set.verdict(hash)))
}

const COLUMNS: &str = "p.n, p.contact, p.device, p.user, p.created_at, p.changed_at,
    (SELECT count(*) FROM proposed_change c WHERE c.proposal = p.n)";

fn proposal_row(row: &Row<'_>) -> rusqlite::Result<Proposal> {
    Ok(Proposal {
        n: row.get(0)?,
        contact: id_column!(row, 1, ContactId),
        device: id_column!(row, 2, DeviceId),
        author: id_column!(row, 3, UserId),
        received_at: row.get(4)?,
        changed_at: row.get(5)?,
        state: SetState::Open,
        changes: row.get(6)?,
        items: Vec::new(),
    })
}

fn items(conn: &Connection, n: i64) -> Result<Vec<Item>> {
    let mut statement = conn.prepare_cached(
        "SELECT i, path, kind, base, proposed, commands, hashes, at, state, decided_by, decided_at,
                change, reason, version
         FROM proposal_item WHERE proposal = ? ORDER BY i",
    )?;
    let json = |row: &Row<'_>, index: usize| -> rusqlite::Result<serde_json::Value> {
        Ok(serde_json::from_str(row.get_ref(index)?.as_str()?).unwrap_or_default())
    };
    let rows = statement.query_map([n], |row| {
        Ok(Item {
            i: row.get(0)?,
            path: row.get(1)?,
            kind: ProposedKind::from_name(row.get_ref(2)?.as_str()?),
            base: json(row, 3)?,
            proposed: json(row, 4)?,
            commands: serde_json::from_str(row.get_ref(5)?.as_str()?).unwrap_or_default(),
            changes: hashes_column(row, 6)?,
            at: row.get(7)?,
            state: ItemState::from_name(row.get_ref(8)?.as_str()?),
            decided_by: id_column_or_null!(row, 9, UserId),
            decided_at: row.get(10)?,
            change: row.get::<_, Option<[u8; 32]>>(11)?.map(ChangeHash),
            reason: row.get(12)?,
            version: row.get(13)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn with_items(conn: &Connection, mut set: Proposal) -> Result<Proposal> {
    set.items = items(conn, set.n)?;
    set.state = SetState::of(set.items.iter().map(|item| item.state));
    Ok(set)
}

/// One set with its items.
///
/// # Errors
/// What the database says.
pub fn find(conn: &Connection, workspace: WorkspaceId, n: i64) -> Result<Option<Proposal>> {
    let set = conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM proposal p WHERE p.workspace = ? AND p.n = ?"
        ))?
        .query_row(params![workspace.as_bytes(), n], proposal_row)
        .optional()?;
    set.map(|set| with_items(conn, set)).transpose()
}

/// What a list of sets is to hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Decided ones too.
    pub decided: bool,
    /// Of this contact only.
    pub contact: Option<ContactId>,
    /// Skip so many.
    pub offset: u32,
    /// At most so many.
    pub limit: u32,
}

const OPEN: &str = "(EXISTS (SELECT 1 FROM proposal_item i INDEXED BY proposal_item_open
        WHERE i.workspace = p.workspace AND i.contact = p.contact AND i.proposal = p.n
          AND i.state IN ('due', 'open'))
    OR EXISTS (SELECT 1 FROM proposed_change c INDEXED BY proposed_change_new
        WHERE c.workspace = p.workspace AND c.contact = p.contact AND c.proposal = p.n
          AND c.taken = 0))";

/// Sets with their items, those that changed last first.
///
/// # Errors
/// What the database says.
pub fn list(conn: &Connection, workspace: WorkspaceId, wanted: Wanted) -> Result<Vec<Proposal>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM proposal p
         WHERE p.workspace = ?1 AND (?2 IS NULL OR p.contact = ?2) AND (?3 OR {OPEN})
         ORDER BY p.changed_at DESC, p.n DESC LIMIT ?4 OFFSET ?5"
    ))?;
    let contact = wanted.contact.as_ref().map(ContactId::as_bytes);
    let rows = statement.query_map(
        params![workspace.as_bytes(), contact, wanted.decided, wanted.limit, wanted.offset],
        proposal_row,
    )?;
    let sets: Vec<Proposal> = rows.collect::<rusqlite::Result<_>>()?;
    sets.into_iter().map(|set| with_items(conn, set)).collect()
}

/// How many sets wait for a decision. `seen` is a further condition, such as
/// [`crate::rights::Rights::and_seen`] makes it for `p.contact`.
///
/// # Errors
/// What the database says.
pub fn count_open(conn: &Connection, workspace: WorkspaceId, seen: &str) -> Result<u64> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT count(*) FROM proposal p WHERE p.workspace = ?1 AND {OPEN}{seen}"
        ))?
        .query_row([workspace.as_bytes()], |row| row.get(0))?)
}
