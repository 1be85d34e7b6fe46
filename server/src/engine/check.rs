//! Is everything as it should be: the file, the log, the index, the documents, what is derived from
//! them, and the cursors. Reads only, but for the full-text index's own check.

use std::collections::HashMap;
use std::path::Path;

use automerge::{Automerge, ReadDoc};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::bootstraps;
use roadbook_protocol::ids::{ContactId, Cursor, WorkspaceId};
use roadbook_protocol::projection;
use roadbook_protocol::wire::{Access, Fate};
use rusqlite::{Connection, OptionalExtension, params};

use super::handle::Engine;
use super::reads::{begin, end};
use super::types::{CheckReport, Finding};
use crate::store::contacts::Contact;
use crate::store::projections::Prepared;
use crate::store::sql::{fate_column, hash_column, id_column, sha256};
use crate::store::{
    self, DATABASE_FILE, EngineError, Result, contacts, documents, facts, projections, sorting,
    workspaces,
};

/// More findings than this are not listed.
const FINDINGS_MAX: usize = 10_000;

impl Engine {
    /// Verifies everything that is stored. Takes as long as opening every document; work goes on
    /// meanwhile. Blocking.
    ///
    /// # Errors
    /// Only where the check itself could not be made; what it finds is in the report.
    pub fn check(&self) -> Result<CheckReport> {
        // Not one of the pool: FTS5 checks with the list of segments that a connection has read
        // before, and calls those damaged that were merged into others since.
        let conn = store::open_reader(&self.dir().join(DATABASE_FILE))?;
        let mut report = check_all(&conn)?;
        drop(conn);
        match self.write(|tx| check_search(tx)) {
            Ok(()) => {}
            Err(EngineError::Closed) => return Err(EngineError::Closed),
            Err(error) => report.findings.push(search_finding(&error)),
        }
        Ok(report)
    }
}

/// Verifies everything in a file that nothing else has open, such as a fresh backup.
///
/// # Errors
/// Only where the check itself could not be made; what it finds is in the report.
pub(super) fn check_file(path: &Path) -> Result<CheckReport> {
    let conn = store::open_reader(path)?;
    let mut report = check_all(&conn)?;
    conn.pragma_update(None, "query_only", "OFF")?;
    if let Err(error) = check_search(&conn) {
        report.findings.push(search_finding(&error));
    }
    Ok(report)
}

fn check_all(conn: &Connection) -> Result<CheckReport> {
    begin(conn)?;
    let mut check = Check { conn, report: CheckReport::default() };
    check.file()?;
    for workspace in workspaces::list(conn)? {
        check.workspace(workspace.id)?;
    }
    let report = check.report;
    end(conn)?;
    Ok(report)
}

/// The full-text index checks itself; it changes nothing.
fn check_search(conn: &Connection) -> Result<()> {
    conn.execute("INSERT INTO search (search) VALUES ('integrity-check')", [])?;
    Ok(())
}

fn search_finding(error: &EngineError) -> Finding {
    Finding {
        part: "search",
        contact: None,
        what: format!("the full-text index is damaged: {error}"),
    }
}

struct Check<'c> {
    conn: &'c Connection,
    report: CheckReport,
}

/// One row of the permanent index.
struct Indexed {
    fate: Fate,
    log_seq: i64,
    generation: u64,
    logged: bool,
}

impl Check<'_> {
    fn find(
        &mut self,
        part: &'static str,
        contact: impl Into<Option<ContactId>>,
        what: impl ToString,
    ) {
        if self.report.findings.len() < FINDINGS_MAX {
            let finding = Finding { part, contact: contact.into(), what: what.to_string() };
            self.report.findings.push(finding);
        }
    }

    fn file(&mut self) -> Result<()> {
        let mut statement = self.conn.prepare("PRAGMA integrity_check")?;
        let lines: Vec<String> =
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for line in lines.iter().filter(|line| *line != "ok") {
            self.find("file", None, line);
        }
        Ok(())
    }

    fn workspace(&mut self, workspace: WorkspaceId) -> Result<()> {
        let last = workspaces::cursor(self.conn, workspace)?;
        self.timelines(workspace, last)?;
        let mut all = Vec::new();
        contacts::for_each(self.conn, workspace, None, |contact| {
            all.push(contact.id);
            Ok(())
        })?;
        for id in all {
            if let Some(contact) = contacts::find(self.conn, workspace, id)? {
                self.report.contacts += 1;
                self.changes(workspace, &contact)?;
                self.access(workspace, &contact, last)?;
                self.document(workspace, &contact)?;
            }
        }
        self.orphans(workspace)
    }

    fn timelines(&mut self, workspace: WorkspaceId, last: Cursor) -> Result<()> {
        let mut statement = self
            .conn
            .prepare("SELECT first_cursor FROM timeline WHERE workspace = ? ORDER BY n")?;
        let firsts: Vec<Cursor> = statement
            .query_map([workspace.as_bytes()], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        if firsts.windows(2).any(|pair| pair[0] > pair[1]) {
            self.find("cursor", None, "the timelines of the workspace go backwards");
        }
        if firsts.last().is_none_or(|first| *first > last + 1) {
            self.find("cursor", None, "the open timeline begins beyond the last cursor");
        }
        Ok(())
    }

    /// The raw changes of a contact and their index.
    fn changes(&mut self, workspace: WorkspaceId, contact: &Contact) -> Result<()> {
        let id = contact.id;
        let key = params![workspace.as_bytes(), id.as_bytes()];
        let mut index: HashMap<ChangeHash, Indexed> = HashMap::new();
        let mut statement = self.conn.prepare_cached(
            "SELECT hash, fate, log_seq, generation FROM change_index WHERE workspace = ? AND contact = ?",
        )?;
        let mut rows = statement.query(key)?;
        while let Some(row) = rows.next()? {
            let entry = Indexed {
                fate: fate_column(row, 1)?,
                log_seq: row.get(2)?,
                generation: row.get(3)?,
                logged: false,
            };
            index.insert(hash_column(row, 0)?, entry);
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, hash, fate, fate_cursor, bytes FROM log WHERE workspace = ? AND contact = ?",
        )?;
        let mut rows = statement.query(key)?;
        while let Some(row) = rows.next()? {
            self.report.changes += 1;
            let (seq, hash, fate): (i64, _, _) =
                (row.get(0)?, hash_column(row, 1)?, fate_column(row, 2)?);
            let cursor: Cursor = row.get(3)?;
            let bytes = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
            // What gate 1 refused is filed under the hash of all its bytes: it has no other.
            let refused = fate == Fate::Quarantined && sha256(bytes) == hash.0;
            // What was set aside may have been emptied, to take a person out (rule 25).
            let emptied = !matches!(fate, Fate::Stored | Fate::Merged)
                && bytes.is_empty()
                && contact.generation > 1;
            if !refused && !emptied && !is_chunk_of(bytes, &hash) {
                self.find(
                    "log",
                    id,
                    format!("the bytes of change {hash} are not those of its hash"),
                );
            }
            if fate == Fate::Merged && (cursor == 0 || cursor > contact.cursor) {
                self.find(
                    "log",
                    id,
                    format!(
                        "change {hash} was merged at cursor {cursor}, the contact is at {}",
                        contact.cursor
                    ),
                );
            }
            match index.get_mut(&hash) {
                None => self.find(
                    "index",
                    id,
                    format!("change {hash} is in the log and not in the index"),
                ),
                Some(entry) => {
                    entry.logged = true;
                    if (entry.fate, entry.log_seq) != (fate, seq) {
                        self.find("index", id, format!("change {hash} has another fate or place in the index than in the log"));
                    }
                }
            }
        }
        let merged = index
            .values()
            .filter(|e| e.fate == Fate::Merged && e.generation == contact.generation)
            .count() as u64;
        if merged != contact.changes {
            self.find(
                "index",
                id,
                format!("{merged} changes are merged, the contact counts {}", contact.changes),
            );
        }
        let compacted = contact.compacted_cursor > 0;
        for (hash, entry) in index.iter().filter(|(_, entry)| !entry.logged) {
            if entry.fate != Fate::Merged || !compacted {
                self.find("log", id, format!("change {hash} is in the index and not in the log"));
            }
        }
        Ok(())
    }

    fn access(&mut self, workspace: WorkspaceId, contact: &Contact, last: Cursor) -> Result<()> {
        let id = contact.id;
        if contact.cursor > last || contact.assigned_cursor > last {
            self.find("cursor", id, format!("its cursor is beyond the workspace's last, {last}"));
        }
        let rows = contacts::accesses(self.conn, workspace, id)?;
        let owners: Vec<_> = rows.iter().filter(|(_, access)| *access == Access::Owner).collect();
        match (contact.owner, owners.as_slice()) {
            (None, []) => {}
            (Some(owner), [(user, _)]) if *user == owner => {}
            _ => self.find("access", id, "owner and access differ"),
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT count(*) FROM access
             WHERE workspace = ?1 AND contact = ?2
               AND (sort_cursor > ?3 OR visible_cursor > sort_cursor
                    OR (kind <> 2 AND sort_cursor < max(?4, ?5)))",
        )?;
        let wrong: u64 = statement.query_row(
            params![
                workspace.as_bytes(),
                id.as_bytes(),
                last,
                contact.cursor,
                contact.assigned_cursor
            ],
            |row| row.get(0),
        )?;
        if wrong > 0 {
            self.find(
                "access",
                id,
                "a device would skip it, or get it twice: its place in a user's order is wrong",
            );
        }
        Ok(())
    }

    /// Snapshot, document, projection and search text of a contact.
    fn document(&mut self, workspace: WorkspaceId, contact: &Contact) -> Result<()> {
        let id = contact.id;
        match documents::snapshot(self.conn, contact) {
            Ok(None) => {
                if contact.compacted_cursor > 0 {
                    self.find("snapshot", id, "raw changes were dropped, but there is no snapshot");
                }
            }
            Ok(Some(snapshot)) => {
                self.report.snapshots += 1;
                if let Err(reason) = documents::verify(&snapshot.bytes, &snapshot.heads) {
                    self.find("snapshot", id, reason);
                }
                if snapshot.cursor < contact.compacted_cursor {
                    self.find("snapshot", id, "raw changes were dropped that it does not hold");
                }
            }
            Err(EngineError::Damaged { reason, .. }) => self.find("snapshot", id, reason),
            Err(error) => return Err(error),
        }
        if contact.cursor == 0 {
            return Ok(());
        }
        let doc = match documents::document(self.conn, workspace, contact) {
            Ok(doc) => doc,
            Err(EngineError::Damaged { reason, .. }) => {
                self.find("document", id, reason);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let built_in = bootstraps()
            .iter()
            .filter(|bootstrap| doc.get_change_meta_by_hash(&bootstrap.hash).is_some())
            .count() as u64;
        let found = doc.stats().num_changes;
        if found != contact.changes + built_in {
            self.find(
                "document",
                id,
                format!("it has {found} changes, {} were merged", contact.changes + built_in),
            );
        }
        self.derived(workspace, contact, &doc)
    }

    fn derived(
        &mut self,
        workspace: WorkspaceId,
        contact: &Contact,
        doc: &Automerge,
    ) -> Result<()> {
        let id = contact.id;
        let sorting = sorting::of(self.conn, workspace)?;
        let expected = Prepared::new(projection::project(id, doc), sorting)?;
        // Where another order was chosen a moment ago, the rows behind still have the old keys.
        let keyed = sorting::keyed_to(self.conn, workspace)?.is_none_or(|to| contact.n <= to);
        let stored = self
            .conn
            .prepare_cached("SELECT row, sort_key, company_key, city_key, owner_login FROM projection WHERE n = ?")?
            .query_row([contact.n], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    [row.get::<_, Vec<u8>>(1)?, row.get(2)?, row.get(3)?],
                    row.get::<_, Option<String>>(4)?,
                ))
            })
            .optional()?;
        let owner: Option<String> = self
            .conn
            .prepare_cached(
                "SELECT u.login FROM contact c JOIN user u ON u.workspace = c.workspace AND u.id = c.owner
                 WHERE c.n = ?",
            )?
            .query_row([contact.n], |row| row.get(0))
            .optional()?;
        match stored {
            None => self.find("projection", id, "it has no row"),
            Some((json, keys, login)) => {
                if json != expected.json() || (keyed && keys != expected.sort_keys()) {
                    self.find("projection", id, "its row is not what its document gives");
                }
                if login != owner {
                    self.find("projection", id, "its row names another owner");
                }
            }
        }
        let sizes: Option<Vec<u8>> = self
            .conn
            .prepare_cached("SELECT sz FROM search_docsize WHERE id = ?")?
            .query_row([contact.n], |row| row.get(0))
            .optional()?;
        let words = expected.search().columns().map(|text| text.split_whitespace().count() as u64);
        if sizes.is_none_or(|sizes| read_varints(&sizes) != words) {
            self.find("search", id, "its search text is not what its document gives");
        }
        if projections::tags_of(self.conn, contact.n)? != expected.row().tags {
            self.find(
                "projection",
                id,
                "the tags that it is found by are not what its document gives",
            );
        }
        for table in facts::differences(self.conn, contact, doc)? {
            self.find(
                "facts",
                id,
                format!("its rows in `{table}` are not what its document gives"),
            );
        }
        Ok(())
    }

    /// Rows that belong to no contact.
    fn orphans(&mut self, workspace: WorkspaceId) -> Result<()> {
        let mut statement = self.conn.prepare(
            "SELECT l.seq, l.contact FROM log l
             LEFT JOIN contact c ON c.workspace = l.workspace AND c.id = l.contact
             WHERE l.workspace = ? AND c.n IS NULL AND l.fate IN (0, 1)",
        )?;
        let rows: Vec<(i64, ContactId)> = statement
            .query_map([workspace.as_bytes()], |row| {
                Ok((row.get(0)?, id_column!(row, 1, ContactId)))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (seq, contact) in rows {
            self.find("log", contact, format!("change {seq} of the log belongs to no contact"));
        }
        Ok(())
    }
}

/// Whether these are the bytes of a change chunk of this hash, by its checksum and its SHA-256.
fn is_chunk_of(bytes: &[u8], hash: &ChangeHash) -> bool {
    match (bytes.get(4..8), bytes.get(8..)) {
        (Some(checksum), Some(rest)) => sha256(rest) == hash.0 && *checksum == hash.0[..4],
        _ => false,
    }
}

/// The numbers of words per column, as FTS5 keeps them: SQLite's variable-length integers.
fn read_varints(mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    while !bytes.is_empty() {
        let mut value = 0_u64;
        let mut used = 0;
        for byte in bytes.iter().take(9) {
            used += 1;
            if used == 9 {
                value = value << 8 | u64::from(*byte);
                break;
            }
            value = value << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
        }
        numbers.push(value);
        bytes = bytes.get(used..).unwrap_or_default();
    }
    numbers
}
