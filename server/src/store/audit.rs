//! The append-only record of everything that changes access or destroys data.
//!
//! Each entry holds the SHA-256 over the hash before it and its own fields, so that an entry that was
//! altered or taken out later is found ([`verify`]). Entries of releases without the chain are covered
//! by the first hash after them. Entries hold ids and words of this program, never names nor contact
//! data: erasing a person must not break the chain.

use ring::digest::{Context, SHA256};
use roadbook_protocol::ids::{UnixMs, UserId, WorkspaceId};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::Result;
use super::sql::{id_column, id_column_or_null};

/// Schema version 3: the chain, and where it ends.
pub(crate) const TABLES_V3: &str = "
ALTER TABLE audit ADD COLUMN hash BLOB;     -- NULL: from before there was a chain
CREATE TABLE audit_head (
    workspace BLOB NOT NULL PRIMARY KEY,
    n         INTEGER NOT NULL,             -- of the newest entry, 0 if there is none
    hash      BLOB NOT NULL,
    entries   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What the first entry follows.
const BEGINNING: Hash = [0; 32];
/// What stands in front of everything that is hashed.
const DOMAIN: &[u8] = b"roadbook audit 1\0";
/// The action of an entry that says that entries were lost: see [`note_gap`].
pub const GAP: &str = "audit.gap";
/// The action of an entry that accepts such a gap.
pub const GAP_ACCEPTED: &str = "audit.gap_accepted";
/// So many findings are told; one altered table would make thousands.
const FINDINGS_MAX: usize = 100;

/// SHA-256 over an entry and all before it.
pub type Hash = [u8; 32];

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number: entries are ordered by it.
    pub n: i64,
    /// When, by the server's clock.
    pub at: UnixMs,
    /// Who; `None` for the operator at the shell.
    pub by: Option<UserId>,
    /// What was done: `user.add`, `device.revoke`, `contact.assign` ...
    pub action: String,
    /// To what.
    pub subject: String,
    /// Details as JSON; no contact data.
    pub detail: String,
    /// The hash over it and all before it, in hexadecimal; none from before there was a chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// The end of a workspace's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The number of the newest entry; 0 where there is none.
    pub n: i64,
    /// Its hash.
    pub hash: Hash,
    /// How many entries there are.
    pub entries: i64,
}

/// Which entries are asked for; everything that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Ask {
    /// The beginning of the action: `device`, `contact.assign`.
    #[serde(default)]
    pub action: Option<String>,
    /// Who did it.
    #[serde(default)]
    pub by: Option<UserId>,
    /// Done by nobody who signs in: the operator at the shell, the server itself.
    #[serde(default)]
    pub by_operator: bool,
    /// A text in subject or detail, such as the id of a contact, a device or a person.
    #[serde(default)]
    pub about: Option<String>,
    /// From this time on.
    #[serde(default)]
    pub since: Option<UnixMs>,
    /// Before this time.
    #[serde(default)]
    pub until: Option<UnixMs>,
}

/// Appends an entry. `detail` must hold ids and words of this program only: no names, no contact data.
///
/// # Errors
/// What the database says.
pub fn append(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    now: UnixMs,
    by: Option<UserId>,
    action: &str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    let head = adopt(tx, workspace)?;
    // Numbers are never used again, even if the newest entries were taken out by hand.
    let n: i64 = tx
        .prepare_cached(
            "SELECT max(?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0)) + 1",
        )?
        .query_row([head.n], |row| row.get(0))?;
    let detail = detail.to_string();
    let fields = Fields { n, at: now, by, action, subject, detail: &detail };
    let hash = fields.after(workspace, &head.hash);
    tx.prepare_cached(
        "INSERT INTO audit (n, workspace, at, by, action, subject, detail, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        n,
        workspace.as_bytes(),
        now,
        by.as_ref().map(UserId::as_bytes),
        action,
        subject,
        detail,
        hash,
    ])?;
    set_head(tx, &Head { workspace, n, hash, entries: head.entries + 1 })
}

/// The head of a workspace's chain. Where there is none yet, the entries there are begin it.
///
/// # Errors
/// What the database says.
pub fn adopt(tx: &Transaction<'_>, workspace: WorkspaceId) -> Result<Head> {
    if let Some(head) = head(tx, workspace)? {
        return Ok(head);
    }
    let mut found = Head { workspace, n: 0, hash: BEGINNING, entries: 0 };
    walk(tx, workspace, |row| {
        found.hash = row.stored.unwrap_or_else(|| row.fields().after(workspace, &found.hash));
        found.n = row.n;
        found.entries += 1;
        true
    })?;
    set_head(tx, &found)?;
    Ok(found)
}

/// Where the chain of a workspace ends.
///
/// # Errors
/// What the database says.
pub fn head(conn: &Connection, workspace: WorkspaceId) -> Result<Option<Head>> {
    Ok(conn
        .prepare_cached("SELECT workspace, n, hash, entries FROM audit_head WHERE workspace = ?")?
        .query_row([workspace.as_bytes()], head_row)
        .optional()?)
}

/// Appends that somebody did something to their own account.
///
/// # Errors
/// As [`append`].
pub fn append_own(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    now: UnixMs,
    user: UserId,
    action: &str,
) -> Result<()> {
    append(tx, workspace, now, Some(user), action, &user.to_string(), &serde_json::json!({}))
}

/// Where the chains of all workspaces end.
///
/// # Errors
/// What the database says.
pub fn heads(conn: &Connection) -> Result<Vec<Head>> {
    let mut statement =
        conn.prepare_cached("SELECT workspace, n, hash, entries FROM audit_head")?;
    let rows = statement.query_map([], head_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn head_row(row: &Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        workspace: id_column!(row, 0, WorkspaceId),
        n: row.get(1)?,
        hash: row.get(2)?,
        entries: row.get(3)?,
    })
}

fn set_head(tx: &Transaction<'_>, head: &Head) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO audit_head (workspace, n, hash, entries) VALUES (?, ?, ?, ?)",
    )?
    .execute(params![head.workspace.as_bytes(), head.n, head.hash, head.entries])?;
    Ok(())
}

/// The hash of the chain at entry `n`; `None` if there is no such entry.
///
/// # Errors
/// What the database says.
pub fn hash_at(conn: &Connection, workspace: WorkspaceId, n: i64) -> Result<Option<Hash>> {
    if n == 0 {
        return Ok(Some(BEGINNING));
    }
    let (mut hash, mut found) = (BEGINNING, None);
    let stored: Option<Option<Hash>> = conn
        .prepare_cached("SELECT hash FROM audit WHERE workspace = ? AND n = ?")?
        .query_row(params![workspace.as_bytes(), n], |row| row.get(0))
        .optional()?;
    match stored {
        None => return Ok(None),
        Some(Some(stored)) => return Ok(Some(stored)),
        // From before the chain: counted through.
        Some(None) => {}
    }
    walk(conn, workspace, |row| {
        hash = row.fields().after(workspace, &hash);
        if row.n == n {
            found = Some(hash);
        }
        row.n < n
    })?;
    Ok(found)
}

/// Records that an entry that was written once is not here: a restore of an older backup, or somebody
/// took entries out. [`verify`] tells of it until it is accepted.
///
/// # Errors
/// What the database says.
pub fn note_gap(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    now: UnixMs,
    n: i64,
    hash: &Hash,
) -> Result<()> {
    let detail = serde_json::json!({ "n": n, "hash": hex::encode(hash) });
    append(tx, workspace, now, None, GAP, &n.to_string(), &detail)
}

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// How many of them are from before there was a chain; the first hash covers them.
    pub before_chain: u64,
    /// The number of the newest entry, and its hash: note them elsewhere, and check them later.
    pub n: i64,
    /// The hash of the newest entry, in hexadecimal.
    pub hash: String,
    /// What does not fit; at most a hundred.
    pub findings: Vec<Finding>,
    /// Known losses: what was once written and was not there at a start.
    pub gaps: Vec<Gap>,
}

impl Verified {
    /// Whether nothing was altered or taken out, known losses accepted.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty() && self.gaps.iter().all(|gap| gap.accepted)
    }
}

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// At which entry it shows.
    pub n: i64,
    /// What it is, for people.
    pub what: String,
}

/// Entries that were there once and were not at a later start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The entry that says so.
    pub n: i64,
    /// When that was noticed.
    pub at: UnixMs,
    /// Up to which entry the log went before.
    pub reached: String,
    /// Whether somebody looked at it and accepted it.
    pub accepted: bool,
}

/// Walks the whole chain of a workspace. `known` are entries with their hashes that are kept
/// elsewhere: each must be where it was.
///
/// # Errors
/// What the database says; what does not fit is in the report.
pub fn verify(
    conn: &Connection,
    workspace: WorkspaceId,
    known: &[(i64, Hash)],
) -> Result<Verified> {
    let mut report = Verified::default();
    let mut known: Vec<(i64, Hash, bool)> =
        known.iter().map(|(n, hash)| (*n, *hash, *n == 0)).collect();
    let (mut last, mut at_n, mut chained) = (BEGINNING, 0, false);
    let mut accepted = Vec::new();
    walk(conn, workspace, |row| {
        let right = row.fields().after(workspace, &last);
        last = match row.stored {
            Some(stored) => {
                if stored != right {
                    report.find(row.n, format!(
                        "it does not follow from {}: it was altered, or what stood between them was altered or taken out",
                        if at_n == 0 { "the beginning".to_owned() } else { format!("entry {at_n}") }
                    ));
                }
                chained = true;
                stored
            }
            None => {
                if chained {
                    report.find(row.n, "it has no hash: it was put in from outside".to_owned());
                }
                report.before_chain += 1;
                right
            }
        };
        for (n, hash, seen) in known.iter_mut().filter(|(n, ..)| *n == row.n) {
            *seen = true;
            if *hash != last {
                report.find(*n, "it has another hash than the one that was kept outside the database: the log was written anew".to_owned());
            }
        }
        match row.action.as_str() {
            GAP => report.gaps.push(Gap {
                n: row.n,
                at: row.at,
                reached: row.subject.clone(),
                accepted: false,
            }),
            GAP_ACCEPTED => accepted.push(row.subject.clone()),
            _ => {}
        }
        (at_n, report.entries) = (row.n, report.entries + 1);
        true
    })?;
    for (n, ..) in known.iter().filter(|(.., seen)| !seen) {
        report.find(*n, "it was kept outside the database and is not in it: it was taken out, or an older backup was restored".to_owned());
    }
    if let Some(head) = head(conn, workspace)? {
        if head.n > at_n {
            report
                .find(head.n, "the log went up to here: the newest entries were taken out".into());
        } else if head.n != at_n || head.hash != last || head.entries as u64 != report.entries {
            report.find(head.n, "the end of the chain is recorded otherwise: entries were added or taken out from outside".into());
        }
    } else if report.entries > 0 {
        report.find(at_n, "the end of the chain is not recorded: the record was taken out".into());
    }
    for gap in &mut report.gaps {
        gap.accepted = accepted.contains(&gap.n.to_string());
    }
    (report.n, report.hash) = (at_n, hex::encode(last));
    Ok(report)
}

impl Verified {
    fn find(&mut self, n: i64, what: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { n, what });
        }
    }
}

/// The newest `limit` entries that fit, newest first, after leaving out `skip` of them.
///
/// # Errors
/// What the database says.
pub fn list(
    conn: &Connection,
    workspace: WorkspaceId,
    ask: &Ask,
    limit: u32,
    skip: u32,
) -> Result<Vec<Entry>> {
    let (clause, mut values) = conditions(workspace, ask);
    values.extend([Sql::Integer(limit.into()), Sql::Integer(skip.into())]);
    let mut statement = conn.prepare_cached(&format!(
        "SELECT n, at, by, action, subject, detail, hash FROM audit WHERE {clause}
         ORDER BY n DESC LIMIT ? OFFSET ?"
    ))?;
    let rows = statement.query_map(rusqlite::params_from_iter(values), entry_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many entries fit.
///
/// # Errors
/// What the database says.
pub fn count(conn: &Connection, workspace: WorkspaceId, ask: &Ask) -> Result<u64> {
    let (clause, values) = conditions(workspace, ask);
    Ok(conn
        .prepare_cached(&format!("SELECT count(*) FROM audit WHERE {clause}"))?
        .query_row(rusqlite::params_from_iter(values), |row| row.get(0))?)
}

/// Every entry that fits, oldest first, given to `each` one by one; it may end it with an error.
///
/// # Errors
/// What the database says, or `each`.
pub fn each<E: From<super::EngineError>>(
    conn: &Connection,
    workspace: WorkspaceId,
    ask: &Ask,
    mut each: impl FnMut(Entry) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let from = |error: rusqlite::Error| E::from(super::EngineError::from(error));
    let (clause, values) = conditions(workspace, ask);
    let sql = format!(
        "SELECT n, at, by, action, subject, detail, hash FROM audit WHERE {clause} ORDER BY n"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(from)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(from)?;
    while let Some(row) = rows.next().map_err(from)? {
        each(entry_row(row).map_err(from)?)?;
    }
    Ok(())
}

fn conditions(workspace: WorkspaceId, ask: &Ask) -> (String, Vec<Sql>) {
    let mut clause = "workspace = ?".to_owned();
    let mut values = vec![Sql::Blob(workspace.as_bytes().to_vec())];
    let mut and = |text: &str, value: Option<Sql>| {
        clause.push_str(" AND ");
        clause.push_str(text);
        values.extend(value);
    };
    if let Some(action) = ask.action.as_deref().filter(|action| !action.is_empty()) {
        and("instr(action, ?) = 1", Some(Sql::Text(action.to_owned())));
    }
    if let Some(by) = ask.by {
        and("by = ?", Some(Sql::Blob(by.as_bytes().to_vec())));
    }
    if ask.by_operator {
        and("by IS NULL", None);
    }
    if let Some(about) = ask.about.as_deref().filter(|about| !about.is_empty()) {
        and("instr(subject || char(10) || detail, ?) > 0", Some(Sql::Text(about.to_owned())));
    }
    if let Some(since) = ask.since {
        and("at >= ?", Some(Sql::Integer(since)));
    }
    if let Some(until) = ask.until {
        and("at < ?", Some(Sql::Integer(until)));
    }
    (clause, values)
}

fn entry_row(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        n: row.get(0)?,
        at: row.get(1)?,
        by: id_column_or_null!(row, 2, UserId),
        action: row.get(3)?,
        subject: row.get(4)?,
        detail: row.get(5)?,
        hash: row.get::<_, Option<Hash>>(6)?.map(hex::encode),
    })
}

/// One entry as it is walked.
struct Walked {
    n: i64,
    at: UnixMs,
    by: Option<UserId>,
    action: String,
    subject: String,
    detail: String,
    stored: Option<Hash>,
}

impl Walked {
    fn fields(&self) -> Fields<'_> {
        let Walked { n, at, by, action, subject, detail, .. } = self;
        Fields { n: *n, at: *at, by: *by, action, subject, detail }
    }
}

/// Gives every entry of a workspace to `each`, oldest first, until it says `false`.
fn walk(
    conn: &Connection,
    workspace: WorkspaceId,
    mut each: impl FnMut(Walked) -> bool,
) -> Result<()> {
    let mut statement = conn.prepare_cached(
        "SELECT n, at, by, action, subject, detail, hash FROM audit WHERE workspace = ? ORDER BY n",
    )?;
    let mut rows = statement.query([workspace.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let walked = Walked {
            n: row.get(0)?,
            at: row.get(1)?,
            by: id_column_or_null!(row, 2, UserId),
            action: row.get(3)?,
            subject: row.get(4)?,
            detail: row.get(5)?,
            stored: row.get(6)?,
        };
        if !each(walked) {
            break;
        }
    }
    Ok(())
}

/// What of an entry is hashed.
struct Fields<'a> {
    n: i64,
    at: UnixMs,
    by: Option<UserId>,
    action: &'a str,
    subject: &'a str,
    detail: &'a str,
}

impl Fields<'_> {
    /// The hash of this entry behind `before`. Texts with their lengths in front, so that nothing can
    /// be moved from one field into the next.
    fn after(&self, workspace: WorkspaceId, before: &Hash) -> Hash {
        let mut context = Context::new(&SHA256);
        context.update(DOMAIN);
        context.update(before);
        context.update(workspace.as_bytes());
        context.update(&self.n.to_be_bytes());
        context.update(&self.at.to_be_bytes());
        match &self.by {
            None => context.update(&[0]),
            Some(by) => {
                context.update(&[1]);
                context.update(by.as_bytes());
            }
        }
        for text in [self.action, self.subject, self.detail] {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut hash = BEGINNING;
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }
}

/// A hash from hexadecimal.
pub fn parse_hex(text: &str) -> Option<Hash> {
    let mut hash = BEGINNING;
    hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
}
