//! What happened with contacts, one row per visit, purchase, deal, task and consent: what totals,
//! funnels and analyses count. Derived from documents, as projection rows are, in the transaction of
//! the same merge; a merge writes only the rows that differ.
//!
//! The moves of deals are the one thing here that is not of the present: each change that wrote a
//! stage leaves a row, which stays. A document only grows, so what its merges added one by one is what
//! the whole document gives; where one is begun anew, which leaves its history behind, the rows go on
//! telling it.

use std::collections::{BTreeMap, BTreeSet};

use roadbook_protocol::facts::{
    Consent, Deal, Facts, Interaction, Move, Purchase, Task, facts, moves,
};
use roadbook_protocol::ids::{ContactId, EntryId, UserId, WorkspaceId};
use roadbook_protocol::projection;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, Transaction, params, params_from_iter};

use super::contacts::Contact;
use super::projections::Prepared;
use super::sql::{id_column, id_column_or_null};
use super::{EngineError, Result, contacts, documents, projections, sorting};

/// Tables of version 3. Each row has its workspace, so that an index alone answers a total.
pub(crate) const TABLES_V3: &str = "
CREATE TABLE interaction (
    n         INTEGER NOT NULL REFERENCES contact (n),
    id        BLOB NOT NULL,
    workspace BLOB NOT NULL,
    kind      TEXT NOT NULL,
    at        INTEGER NOT NULL,             -- as its author says
    by        BLOB,
    outcome   TEXT,
    nps       INTEGER,
    comment   TEXT,
    PRIMARY KEY (n, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX interaction_by_time ON interaction (workspace, at, kind, by, n);
CREATE INDEX interaction_answers ON interaction (workspace, at, nps) WHERE nps IS NOT NULL;

CREATE TABLE purchase (
    n         INTEGER NOT NULL REFERENCES contact (n),
    id        BLOB NOT NULL,
    workspace BLOB NOT NULL,
    date      TEXT,                         -- YYYY-MM-DD
    amount    INTEGER,                      -- minor units of the currency
    currency  TEXT,
    PRIMARY KEY (n, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX purchase_by_customer ON purchase (workspace, currency, n, date, amount);

CREATE TABLE deal (
    n              INTEGER NOT NULL REFERENCES contact (n),
    id             BLOB NOT NULL,
    workspace      BLOB NOT NULL,
    title          TEXT NOT NULL,
    stage          TEXT NOT NULL,
    amount         INTEGER,
    currency       TEXT,
    probability    INTEGER,
    expected_close TEXT,
    lost_reason    TEXT,
    entered_at     INTEGER NOT NULL,        -- as the author of the stage claims
    archived       INTEGER NOT NULL,        -- its contact is
    PRIMARY KEY (n, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deal_by_stage ON deal (workspace, archived, stage, entered_at, n, currency, amount,
    probability, expected_close);

CREATE INDEX deal_by_name ON deal (stage, n);

-- Every writing of a stage. Not taken back: it did happen.
CREATE TABLE deal_move (
    n         INTEGER NOT NULL REFERENCES contact (n),
    deal      BLOB NOT NULL,
    at        INTEGER NOT NULL,             -- as the author claims
    stage     TEXT NOT NULL,
    workspace BLOB NOT NULL,
    PRIMARY KEY (n, deal, at, stage)
) STRICT, WITHOUT ROWID;
CREATE INDEX deal_move_by_time ON deal_move (workspace, at, stage, n, deal);

CREATE TABLE task (
    n         INTEGER NOT NULL REFERENCES contact (n),
    id        BLOB NOT NULL,
    workspace BLOB NOT NULL,
    due       TEXT,                         -- YYYY-MM-DD
    done      INTEGER NOT NULL,
    done_at   INTEGER,
    PRIMARY KEY (n, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_by_due ON task (workspace, due, done, n) WHERE due IS NOT NULL;

CREATE TABLE consent (
    n         INTEGER NOT NULL REFERENCES contact (n),
    id        BLOB NOT NULL,
    workspace BLOB NOT NULL,
    channel   TEXT NOT NULL,                -- in lower case
    purpose   TEXT NOT NULL,                -- empty: everything
    given     INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (n, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_by_channel ON consent (channel, n, at, id, purpose, given);

-- How often purchases were written, so that what was counted over all of them is known to be stale; and
-- how far the tables above were made from contacts that were there before them, NULL when that is done.
CREATE TABLE facts_state (
    one       INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    purchases INTEGER NOT NULL,
    made_to   INTEGER
) STRICT;
INSERT INTO facts_state (one, purchases, made_to) VALUES (1, 0, 0);
CREATE TRIGGER purchase_added AFTER INSERT ON purchase
BEGIN UPDATE facts_state SET purchases = purchases + 1; END;
CREATE TRIGGER purchase_changed AFTER UPDATE ON purchase
BEGIN UPDATE facts_state SET purchases = purchases + 1; END;
CREATE TRIGGER purchase_removed AFTER DELETE ON purchase
BEGIN UPDATE facts_state SET purchases = purchases + 1; END;
";

/// Contacts that are read and written together where the tables are made anew.
const BATCH_CONTACTS: usize = 200;

/// An entry as a row of its table, behind `n`, `id` and `workspace`.
trait Fact: Sized + PartialEq {
    const TABLE: &'static str;
    const COLUMNS: &'static [&'static str];

    fn values(&self) -> Vec<Sql>;
    /// The columns stand from the second of the row on.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self>;
}

fn text(text: &str) -> Sql {
    Sql::Text(text.to_owned())
}

fn int_or_null(value: Option<i64>) -> Sql {
    value.map_or(Sql::Null, Sql::Integer)
}

fn text_or_null(value: Option<&String>) -> Sql {
    value.map_or(Sql::Null, |value| text(value))
}

fn user_or_null(user: Option<UserId>) -> Sql {
    user.map_or(Sql::Null, |user| Sql::Blob(user.as_bytes().to_vec()))
}

impl Fact for Interaction {
    const TABLE: &'static str = "interaction";
    const COLUMNS: &'static [&'static str] = &["kind", "at", "by", "outcome", "nps", "comment"];

    fn values(&self) -> Vec<Sql> {
        vec![
            text(&self.kind),
            Sql::Integer(self.at),
            user_or_null(self.by),
            text_or_null(self.outcome.as_ref()),
            int_or_null(self.nps),
            text_or_null(self.comment.as_ref()),
        ]
    }
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            kind: row.get(1)?,
            at: row.get(2)?,
            by: id_column_or_null!(row, 3, UserId),
            outcome: row.get(4)?,
            nps: row.get(5)?,
            comment: row.get(6)?,
        })
    }
}

impl Fact for Purchase {
    const TABLE: &'static str = "purchase";
    const COLUMNS: &'static [&'static str] = &["date", "amount", "currency"];

    fn values(&self) -> Vec<Sql> {
        let currency = text_or_null(self.currency.as_ref());
        vec![text_or_null(self.date.as_ref()), int_or_null(self.amount), currency]
    }
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { date: row.get(1)?, amount: row.get(2)?, currency: row.get(3)? })
    }
}

impl Fact for Deal {
    const TABLE: &'static str = "deal";
    const COLUMNS: &'static [&'static str] = &[
        "title",
        "stage",
        "amount",
        "currency",
        "probability",
        "expected_close",
        "lost_reason",
        "entered_at",
        "archived",
    ];

    fn values(&self) -> Vec<Sql> {
        vec![
            text(&self.title),
            text(&self.stage),
            int_or_null(self.amount),
            text_or_null(self.currency.as_ref()),
            int_or_null(self.probability),
            text_or_null(self.expected_close.as_ref()),
            text_or_null(self.lost_reason.as_ref()),
            Sql::Integer(self.entered_at),
            Sql::Integer(self.archived.into()),
        ]
    }
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            title: row.get(1)?,
            stage: row.get(2)?,
            amount: row.get(3)?,
            currency: row.get(4)?,
            probability: row.get(5)?,
            expected_close: row.get(6)?,
            lost_reason: row.get(7)?,
            entered_at: row.get(8)?,
            archived: row.get(9)?,
        })
    }
}

impl Fact for Task {
    const TABLE: &'static str = "task";
    const COLUMNS: &'static [&'static str] = &["due", "done", "done_at"];

    fn values(&self) -> Vec<Sql> {
        vec![
            text_or_null(self.due.as_ref()),
            Sql::Integer(self.done.into()),
            int_or_null(self.done_at),
        ]
    }
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { due: row.get(1)?, done: row.get(2)?, done_at: row.get(3)? })
    }
}

impl Fact for Consent {
    const TABLE: &'static str = "consent";
    const COLUMNS: &'static [&'static str] = &["channel", "purpose", "given", "at"];

    fn values(&self) -> Vec<Sql> {
        let (channel, purpose) = (text(&self.channel), text(&self.purpose));
        vec![channel, purpose, Sql::Integer(self.given.into()), Sql::Integer(self.at)]
    }
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { channel: row.get(1)?, purpose: row.get(2)?, given: row.get(3)?, at: row.get(4)? })
    }
}

/// What differs between the tables and a document.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edits {
    puts: Vec<(&'static str, &'static [&'static str], EntryId, Vec<Sql>)>,
    removes: Vec<(&'static str, EntryId)>,
    moves: Vec<Move>,
}

impl Edits {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.removes.is_empty() && self.moves.is_empty()
    }

    fn compare<F: Fact>(&mut self, stored: &BTreeMap<EntryId, F>, now: &BTreeMap<EntryId, F>) {
        let differs = now.iter().filter(|(id, fact)| stored.get(id) != Some(fact));
        self.puts.extend(differs.map(|(id, fact)| (F::TABLE, F::COLUMNS, *id, fact.values())));
        let gone = stored.keys().filter(|id| !now.contains_key(id));
        self.removes.extend(gone.map(|id| (F::TABLE, *id)));
    }
}

/// What is to be written for a contact whose document is now `doc`: `contact` is as it stood before
/// the merge, `None` for a new one.
///
/// # Errors
/// What the database says.
pub fn edits(
    conn: &Connection,
    contact: Option<&Contact>,
    doc: &automerge::Automerge,
) -> Result<Edits> {
    let stored = contact.map_or_else(|| Ok(Facts::default()), |contact| load(conn, contact.n))?;
    let now = facts(doc);
    let before = contact.map_or(&[][..], |contact| contact.heads.as_slice());
    // A document that was begun anew has other changes.
    let anew = before.iter().any(|head| doc.get_change_meta_by_hash(head).is_none());
    let since = if anew { &[] } else { before };
    let mut edits = Edits { moves: moves(doc, since), ..Edits::default() };
    edits.compare(&stored.interactions, &now.interactions);
    edits.compare(&stored.purchases, &now.purchases);
    edits.compare(&stored.deals, &now.deals);
    edits.compare(&stored.tasks, &now.tasks);
    edits.compare(&stored.consents, &now.consents);
    Ok(edits)
}

/// What is stored of a contact.
///
/// # Errors
/// What the database says.
pub fn load(conn: &Connection, n: i64) -> Result<Facts> {
    Ok(Facts {
        interactions: rows(conn, n)?,
        purchases: rows(conn, n)?,
        deals: rows(conn, n)?,
        tasks: rows(conn, n)?,
        consents: rows(conn, n)?,
    })
}

fn rows<F: Fact>(conn: &Connection, n: i64) -> Result<BTreeMap<EntryId, F>> {
    let sql = format!("SELECT id, {} FROM {} WHERE n = ?", F::COLUMNS.join(", "), F::TABLE);
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map([n], |row| Ok((id_column!(row, 0, EntryId), F::read(row)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The moves of a contact's deals that are stored, in the order of [`moves`].
///
/// # Errors
/// What the database says.
pub fn stored_moves(conn: &Connection, n: i64) -> Result<BTreeSet<Move>> {
    let mut statement = conn.prepare_cached("SELECT deal, at, stage FROM deal_move WHERE n = ?")?;
    let rows = statement.query_map([n], |row| {
        Ok(Move { deal: id_column!(row, 0, EntryId), at: row.get(1)?, stage: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes what differs.
///
/// # Errors
/// What the database says.
pub fn write(tx: &Transaction<'_>, workspace: WorkspaceId, n: i64, edits: &Edits) -> Result<()> {
    for (table, id) in &edits.removes {
        tx.prepare_cached(&format!("DELETE FROM {table} WHERE n = ? AND id = ?"))?
            .execute(params![n, id.as_bytes()])?;
    }
    for (table, columns, id, values) in &edits.puts {
        let sets: Vec<String> =
            columns.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let sql = format!(
            "INSERT INTO {table} (n, id, workspace, {}) VALUES (?, ?, ?{})
             ON CONFLICT (n, id) DO UPDATE SET {}",
            columns.join(", "),
            ", ?".repeat(columns.len()),
            sets.join(", "),
        );
        let key = [
            Sql::Integer(n),
            Sql::Blob(id.as_bytes().to_vec()),
            Sql::Blob(workspace.as_bytes().to_vec()),
        ];
        tx.prepare_cached(&sql)?.execute(params_from_iter(key.iter().chain(values)))?;
    }
    for one in &edits.moves {
        tx.prepare_cached(
            "INSERT OR IGNORE INTO deal_move (n, deal, at, stage, workspace) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![n, one.deal.as_bytes(), one.at, one.stage, workspace.as_bytes()])?;
    }
    Ok(())
}

/// What of a contact's rows is not what its document gives, for a person; empty where all is.
///
/// # Errors
/// What the database says.
pub fn differences(
    conn: &Connection,
    contact: &Contact,
    doc: &automerge::Automerge,
) -> Result<Vec<&'static str>> {
    let edits = edits(conn, Some(&Contact { heads: Vec::new(), ..contact.clone() }), doc)?;
    let mut found: BTreeSet<&'static str> = edits.puts.iter().map(|put| put.0).collect();
    found.extend(edits.removes.iter().map(|remove| remove.0));
    // A document that was begun anew has forgotten moves that did happen.
    let (stored, told) = (stored_moves(conn, contact.n)?, edits.moves.into_iter().collect());
    let same = if contact.generation > 1 { stored.is_superset(&told) } else { stored == told };
    if !same {
        found.insert("deal_move");
    }
    Ok(found.into_iter().collect())
}

/// How often purchases were written: grows with each.
///
/// # Errors
/// What the database says.
pub fn purchases_version(conn: &Connection) -> Result<i64> {
    Ok(conn.prepare_cached("SELECT purchases FROM facts_state")?.query_row([], |row| row.get(0))?)
}

/// Makes the rows of contacts that were there before these tables, in steps that a crash repeats none
/// of. Returns of how many.
///
/// # Errors
/// What the database says. A document that can't be put together is passed over and named in the log:
/// `check` finds it.
pub fn make_missing(conn: &mut Connection) -> Result<u64> {
    let mut made = 0;
    loop {
        let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let made_to: Option<i64> =
            tx.query_row("SELECT made_to FROM facts_state", [], |row| row.get(0))?;
        let Some(made_to) = made_to else { return Ok(made) };
        let batch: Vec<(i64, WorkspaceId, ContactId)> = tx
            .prepare_cached(
                "SELECT n, workspace, id FROM contact
                 WHERE n > ? AND cursor > 0 AND erased_at IS NULL ORDER BY n LIMIT ?",
            )?
            .query_map(params![made_to, BATCH_CONTACTS], |row| {
                Ok((row.get(0)?, id_column!(row, 1, WorkspaceId), id_column!(row, 2, ContactId)))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (n, workspace, id) in &batch {
            let Some(contact) = contacts::find(&tx, *workspace, *id)? else { continue };
            let doc = match documents::document(&tx, *workspace, &contact) {
                Ok(doc) => doc,
                Err(EngineError::Damaged { .. }) => {
                    tracing::error!(contact = %id, "its document can't be put together, so that it is in no total; run `check`");
                    continue;
                }
                Err(error) => return Err(error),
            };
            let whole = Contact { heads: Vec::new(), ..contact };
            let edits = edits(&tx, Some(&whole), &doc)?;
            write(&tx, *workspace, *n, &edits)?;
            let sorting = sorting::of(&tx, *workspace)?;
            let row = Prepared::new(projection::project(*id, &doc), sorting)?;
            projections::put_missing(&tx, *n, &row)?;
            made += 1;
        }
        let to = batch.last().map(|last| last.0);
        tx.execute("UPDATE facts_state SET made_to = ?", [to])?;
        tx.commit()?;
    }
}

/// Forgets everything, so that the next start makes it anew.
///
/// # Errors
/// What the database says.
pub fn forget(tx: &Transaction<'_>) -> Result<()> {
    for table in ["interaction", "purchase", "deal", "deal_move", "task", "consent", "contact_tag"]
    {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
    }
    tx.execute("UPDATE facts_state SET made_to = 0", [])?;
    Ok(())
}
