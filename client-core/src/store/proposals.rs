//! Late edits of others that wait for this user's decision, as the server listed them last; and what was
//! decided here and is not answered yet (rules 18 and 19).
//!
//! The sets are customer data: they are removed with their contact.

use rusqlite::{Connection, OptionalExtension, Row, params};

use roadbook_protocol::ids::{ContactId, DeviceId, EditId, UnixMs, UserId};
use roadbook_protocol::wire::{
    Decide, DecideItem, Decided, ProposalItem, ProposalSet, ProposalVerdict, Proposals,
};

use super::lists;
use super::meta::{self, key};
use crate::error::Result;

pub(crate) const TABLES_V3: &str = "
-- Sets of late edits, one per contact and device of the author. `list` is the last list it was in.
CREATE TABLE proposal_set(
  contact BLOB NOT NULL,
  device BLOB NOT NULL,
  n INTEGER NOT NULL,
  author BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  place INTEGER NOT NULL,
  list INTEGER NOT NULL,
  PRIMARY KEY(contact, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE proposal_item(
  contact BLOB NOT NULL,
  device BLOB NOT NULL,
  i INTEGER NOT NULL,
  version INTEGER NOT NULL,
  path TEXT NOT NULL,
  kind TEXT NOT NULL,
  base TEXT NOT NULL,                    -- JSON
  proposed TEXT NOT NULL,                -- JSON
  at INTEGER NOT NULL,
  state TEXT NOT NULL,                   -- due, open, accepted, declined
  decided_by BLOB,
  decided_at INTEGER,
  reason TEXT,
  list INTEGER NOT NULL,
  PRIMARY KEY(contact, device, i)
) STRICT, WITHOUT ROWID;

-- What was decided here, until the server has answered; and what it refused, with the reason. Items
-- that were decided together carry the same id.
CREATE TABLE proposal_decision(
  contact BLOB NOT NULL,
  device BLOB NOT NULL,
  i INTEGER NOT NULL,
  id BLOB NOT NULL,
  version INTEGER NOT NULL,              -- of the item, as it was seen
  path TEXT NOT NULL,
  verdict TEXT NOT NULL,                 -- accept, decline, undo
  at INTEGER NOT NULL,
  waits INTEGER NOT NULL DEFAULT 1,      -- 0: refused
  code TEXT,
  reason TEXT,
  PRIMARY KEY(contact, device, i)
) STRICT, WITHOUT ROWID;
CREATE INDEX proposal_decision_waits ON proposal_decision(at, id) WHERE waits = 1;
";

/// One set, in rows.
#[derive(Debug, Clone)]
pub(crate) struct SetRow {
    pub n: u64,
    pub contact: ContactId,
    pub device: DeviceId,
    pub author: UserId,
    pub received_at: UnixMs,
}

/// One item of a set, with what was decided here.
#[derive(Debug, Clone)]
pub(crate) struct ItemRow {
    pub item: ProposalItem,
    pub decision: Option<DecisionRow>,
}

/// What was decided here about an item.
#[derive(Debug, Clone)]
pub(crate) struct DecisionRow {
    pub verdict: ProposalVerdict,
    pub at: UnixMs,
    /// Why the server refused it; `None` as long as it waits for the answer.
    pub refused: Option<(String, String)>,
}

fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Takes a part of the list. With the last one, what is not in the list is gone. Gives whether something
/// was removed of a contact that is not here: no page will come that wipes it.
pub(crate) fn take(conn: &Connection, part: &Proposals) -> Result<bool> {
    let before = meta::get::<i64>(conn, key::PROPOSALS_LIST)?.unwrap_or(0);
    let list = if part.first { before + 1 } else { before };
    meta::set(conn, key::PROPOSALS_LIST, list)?;
    lists::learn(conn, &part.users, &[])?;
    for set in &part.sets {
        if !was_dropped(conn, set.contact, part.cursor)? {
            put(conn, set, list)?;
        }
    }
    if !part.last {
        return Ok(false);
    }
    meta::set(conn, key::PROPOSALS_LEFT_OUT, int(part.left_out))?;
    let orphans: bool = conn
        .prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM proposal_set s WHERE s.list <> ?1
                AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.id = s.contact))",
        )?
        .query_row([list], |row| row.get(0))?;
    for table in ["proposal_set", "proposal_item"] {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE list <> ?1"))?.execute([list])?;
    }
    conn.execute(
        "DELETE FROM proposal_decision WHERE waits = 0 AND NOT EXISTS (
           SELECT 1 FROM proposal_item i WHERE i.contact = proposal_decision.contact
             AND i.device = proposal_decision.device AND i.i = proposal_decision.i)",
        [],
    )?;
    Ok(orphans)
}

/// Whether the contact was taken away after a cursor.
fn was_dropped(conn: &Connection, contact: ContactId, cursor: u64) -> Result<bool> {
    let dropped: Option<i64> = conn
        .prepare_cached("SELECT cursor FROM dropped WHERE id = ?1")?
        .query_row(params![contact.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(dropped.is_some_and(|dropped| dropped > int(cursor)))
}

fn put(conn: &Connection, set: &ProposalSet, list: i64) -> Result<()> {
    let place: i64 = conn
        .prepare_cached("SELECT count(*) FROM proposal_set WHERE list = ?1")?
        .query_row([list], |row| row.get(0))?;
    conn.prepare_cached(
        "INSERT INTO proposal_set(contact, device, n, author, received_at, place, list)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT(contact, device) DO UPDATE SET n = excluded.n, author = excluded.author,
           received_at = excluded.received_at, place = excluded.place, list = excluded.list",
    )?
    .execute(params![
        set.contact.as_bytes(),
        set.device.as_bytes(),
        int(set.n),
        set.author.as_bytes(),
        set.received_at,
        place,
        list
    ])?;
    // A list may have been read before a decision that this device has the answer to.
    let mut statement = conn.prepare_cached(
        "INSERT INTO proposal_item(contact, device, i, version, path, kind, base, proposed, at, state,
                                   decided_by, decided_at, reason, list)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT(contact, device, i) DO UPDATE SET
           path = excluded.path, kind = excluded.kind, base = excluded.base,
           proposed = excluded.proposed, at = excluded.at, list = excluded.list,
           state = iif(version > excluded.version, state, excluded.state),
           decided_by = iif(version > excluded.version, decided_by, excluded.decided_by),
           decided_at = iif(version > excluded.version, decided_at, excluded.decided_at),
           reason = iif(version > excluded.version, reason, excluded.reason),
           version = max(version, excluded.version)",
    )?;
    for item in &set.items {
        statement.execute(params![
            set.contact.as_bytes(),
            set.device.as_bytes(),
            int(item.i),
            int(item.version),
            item.path,
            item.kind,
            item.base,
            item.proposed,
            item.at,
            item.state,
            item.decided_by.map(|user| *user.as_bytes()),
            item.decided_at,
            item.reason,
            list
        ])?;
    }
    Ok(())
}

/// Removes what is here of a contact. Gives whether there was something.
pub(crate) fn remove(conn: &Connection, contact: ContactId) -> Result<bool> {
    let mut removed = 0;
    for table in ["proposal_set", "proposal_item", "proposal_decision"] {
        removed += conn
            .prepare_cached(&format!("DELETE FROM {table} WHERE contact = ?1"))?
            .execute(params![contact.as_bytes()])?;
    }
    Ok(removed > 0)
}

/// The server was restored: its versions may begin anew.
pub(crate) fn void(conn: &Connection) -> Result<()> {
    conn.execute("UPDATE proposal_item SET version = 0", [])?;
    Ok(())
}

/// The sets of contacts that are here and this user's, those that changed last first.
pub(crate) fn sets(conn: &Connection) -> Result<Vec<SetRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT s.n, s.contact, s.device, s.author, s.received_at FROM proposal_set s
         JOIN contact c ON c.id = s.contact WHERE c.access = 'owner'
         ORDER BY s.list DESC, s.place",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(SetRow {
            n: row.get::<_, i64>(0)?.unsigned_abs(),
            contact: ContactId::from_bytes(row.get(1)?),
            device: DeviceId::from_bytes(row.get(2)?),
            author: UserId::from_bytes(row.get(3)?),
            received_at: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The items of a set.
pub(crate) fn items(conn: &Connection, set: &SetRow) -> Result<Vec<ItemRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT i.i, i.version, i.path, i.kind, i.base, i.proposed, i.at, i.state, i.decided_by,
                i.decided_at, i.reason, d.verdict, d.at, d.waits, d.code, d.reason
         FROM proposal_item i LEFT JOIN proposal_decision d
           ON d.contact = i.contact AND d.device = i.device AND d.i = i.i
         WHERE i.contact = ?1 AND i.device = ?2 ORDER BY i.i",
    )?;
    let rows =
        statement.query_map(params![set.contact.as_bytes(), set.device.as_bytes()], item_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn item_row(row: &Row<'_>) -> rusqlite::Result<ItemRow> {
    let verdict: Option<String> = row.get(11)?;
    let decision = match verdict.as_deref().and_then(ProposalVerdict::from_name) {
        None => None,
        Some(verdict) => Some(DecisionRow {
            verdict,
            at: row.get(12)?,
            refused: match row.get::<_, bool>(13)? {
                true => None,
                false => Some((
                    row.get::<_, Option<String>>(14)?.unwrap_or_default(),
                    row.get::<_, Option<String>>(15)?.unwrap_or_default(),
                )),
            },
        }),
    };
    Ok(ItemRow {
        item: ProposalItem {
            i: row.get::<_, i64>(0)?.unsigned_abs(),
            version: row.get::<_, i64>(1)?.unsigned_abs(),
            path: row.get(2)?,
            kind: row.get(3)?,
            base: row.get(4)?,
            proposed: row.get(5)?,
            at: row.get(6)?,
            state: row.get(7)?,
            decided_by: row.get::<_, Option<[u8; 16]>>(8)?.map(UserId::from_bytes),
            decided_at: row.get(9)?,
            reason: row.get(10)?,
        },
        decision,
    })
}

/// Notes a decision about items as they are here. One that was made before and not answered is replaced.
pub(crate) fn decide(
    conn: &Connection,
    set: &SetRow,
    items: &[&ItemRow],
    (id, verdict): (EditId, ProposalVerdict),
    now: UnixMs,
) -> Result<()> {
    for ItemRow { item, .. } in items {
        conn.prepare_cached(
            "INSERT OR REPLACE INTO proposal_decision(contact, device, i, id, version, path, verdict, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            set.contact.as_bytes(),
            set.device.as_bytes(),
            int(item.i),
            id.as_bytes(),
            int(item.version),
            item.path,
            verdict.as_str(),
            now
        ])?;
    }
    Ok(())
}

/// Takes a decision back that was not answered yet.
pub(crate) fn take_back(conn: &Connection, set: &SetRow, i: u64) -> Result<()> {
    conn.prepare_cached(
        "DELETE FROM proposal_decision WHERE contact = ?1 AND device = ?2 AND i = ?3 AND waits = 1",
    )?
    .execute(params![set.contact.as_bytes(), set.device.as_bytes(), int(i)])?;
    Ok(())
}

/// The oldest decision that waits for its answer.
pub(crate) fn next_decision(conn: &Connection) -> Result<Option<Decide>> {
    let id: Option<[u8; 16]> = conn
        .prepare_cached("SELECT id FROM proposal_decision WHERE waits = 1 ORDER BY at, id LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT contact, device, verdict, i, version, path FROM proposal_decision
         WHERE waits = 1 AND id = ?1 ORDER BY i",
    )?;
    let mut rows = statement.query(params![id])?;
    let mut found: Option<Decide> = None;
    while let Some(row) = rows.next()? {
        let item = DecideItem {
            i: row.get::<_, i64>(3)?.unsigned_abs(),
            version: row.get::<_, i64>(4)?.unsigned_abs(),
            path: row.get(5)?,
        };
        match &mut found {
            Some(decide) => decide.items.push(item),
            None => {
                found = Some(Decide {
                    id: EditId::from_bytes(id),
                    contact: ContactId::from_bytes(row.get(0)?),
                    device: DeviceId::from_bytes(row.get(1)?),
                    verdict: ProposalVerdict::from_name(&row.get::<_, String>(2)?)
                        .unwrap_or(ProposalVerdict::Decline),
                    items: vec![item],
                });
            }
        }
    }
    Ok(found)
}

/// Notes what became of a decision: what was taken shows at once, what was refused is kept with the
/// reason.
pub(crate) fn answered(
    conn: &Connection,
    decided: &Decided,
    me: UserId,
    now: UnixMs,
) -> Result<()> {
    for refused in &decided.refused {
        conn.prepare_cached(
            "UPDATE proposal_decision SET waits = 0, code = ?3, reason = ?4
             WHERE id = ?1 AND i = ?2 AND waits = 1",
        )?
        .execute(params![
            decided.id.as_bytes(),
            int(refused.i),
            refused.code,
            refused.reason
        ])?;
    }
    for verdict in ProposalVerdict::ALL {
        let open = verdict == ProposalVerdict::Undo;
        conn.prepare_cached(
            "UPDATE proposal_item SET state = ?3, version = d.version + 1, decided_by = ?4,
                    decided_at = ?5
             FROM proposal_decision d
             WHERE d.id = ?1 AND d.waits = 1 AND d.verdict = ?2
               AND proposal_item.contact = d.contact AND proposal_item.device = d.device
               AND proposal_item.i = d.i AND proposal_item.version = d.version",
        )?
        .execute(params![
            decided.id.as_bytes(),
            verdict.as_str(),
            verdict.outcome(),
            (!open).then_some(*me.as_bytes()),
            (!open).then_some(now)
        ])?;
    }
    conn.prepare_cached("DELETE FROM proposal_decision WHERE id = ?1 AND waits = 1")?
        .execute(params![decided.id.as_bytes()])?;
    Ok(())
}

/// Sets that wait for a decision of this user; and decisions that were not answered yet.
pub(crate) fn counts(conn: &Connection) -> Result<(u64, u64)> {
    let open: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM proposal_set s JOIN contact c ON c.id = s.contact
             WHERE c.access = 'owner' AND EXISTS (
               SELECT 1 FROM proposal_item i WHERE i.contact = s.contact AND i.device = s.device
                 AND i.state = 'open' AND NOT EXISTS (
                   SELECT 1 FROM proposal_decision d WHERE d.contact = i.contact
                     AND d.device = i.device AND d.i = i.i AND d.waits = 1))",
        )?
        .query_row([], |row| row.get(0))?;
    let unsent: i64 = conn
        .prepare_cached("SELECT count(DISTINCT id) FROM proposal_decision WHERE waits = 1")?
        .query_row([], |row| row.get(0))?;
    Ok((open.unsigned_abs(), unsent.unsigned_abs()))
}
