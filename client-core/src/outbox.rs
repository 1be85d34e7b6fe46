//! The outbox: every local edit with its receipt. Derived from the local changes, so that it can't
//! disagree with them; and the quarantine: what could not become part of a contact, with the reason.

use std::io::Write as IoWrite;

use roadbook_protocol::document::Command;
use roadbook_protocol::ids::{ContactId, EditId, UnixMs};
use rusqlite::params;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::receipt::Receipt;
use crate::replica::Replica;

/// One local edit and where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutboxEntry {
    /// Names the edit, whatever becomes of its change.
    pub edit_id: EditId,
    /// The contact.
    pub contact_id: ContactId,
    /// What the contact is called.
    pub display_name: String,
    /// The kind of the edit: `create`, `set`, `visit` ...
    pub command: String,
    /// When it was made, milliseconds since 1970.
    pub at: UnixMs,
    /// Where it is.
    pub receipt: Receipt,
    /// Why, where that needs a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The change that carries it now, lower-case hexadecimal.
    pub hash: String,
    /// What was decided about a proposed edit: `accepted`, `declined` or `in_part`; none as long as it
    /// waits (rule 23).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
}

/// Something that could not become part of a contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuarantineEntry {
    /// The contact.
    pub contact_id: ContactId,
    /// What the contact was called.
    pub display_name: String,
    /// The edit, if it was one of this device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit_id: Option<EditId>,
    /// The refused change, lower-case hexadecimal; none where only a command could not be replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The kind of the edit.
    pub command: String,
    /// The commands themselves.
    pub commands: Vec<Command>,
    /// When the edit was made.
    pub at: UnixMs,
    /// A stable short code of the reason.
    pub code: String,
    /// The reason, for a person.
    pub reason: String,
    /// The raw change, lower-case hexadecimal, so that nothing is lost with the export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}

/// Late edits: their receipts outlive the contact, which is not named any more.
fn late(conn: &rusqlite::Connection, all: bool) -> Result<Vec<OutboxEntry>> {
    let mut statement = conn.prepare_cached(
        "SELECT edit, contact, label, at, code, reason, hash FROM proposed
         WHERE edit IS NOT NULL AND (?1 OR code <> 'accepted') ORDER BY at",
    )?;
    let rows = statement.query_map(params![all], |row| {
        let code: String = row.get(4)?;
        Ok(OutboxEntry {
            edit_id: EditId::from_bytes(row.get(0)?),
            contact_id: ContactId::from_bytes(row.get(1)?),
            display_name: String::new(),
            command: row.get(2)?,
            at: row.get(3)?,
            receipt: Receipt::Proposed,
            reason: Some(row.get(5)?),
            hash: hex::encode(row.get::<_, [u8; 32]>(6)?),
            decision: Some(code)
                .filter(|code| matches!(code.as_str(), "accepted" | "declined" | "in_part")),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl Replica {
    /// The local edits with their receipts, oldest first: those that are still on their way or were
    /// refused, or (`all`) also the merged ones of the last weeks. An edit that was authored anew is
    /// listed once. While reading is locked (rule 21) they name nobody.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn outbox(&self, all: bool) -> Result<Vec<OutboxEntry>> {
        self.outbox_where(all, i64::MAX)
    }

    /// The edits that are still on their way or were refused, and all that were made after a position,
    /// whatever became of them; with the position to ask from the next time. For those who follow
    /// receipts: an edit that is merged between two looks is not missed.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn outbox_after(&self, position: Option<i64>) -> Result<(Vec<OutboxEntry>, i64)> {
        // First the position: what is made meanwhile is told twice and not left out.
        let newest = self.read(|conn| {
            Ok(conn
                .prepare_cached("SELECT coalesce(max(pos), 0) FROM change")?
                .query_row([], |row| row.get(0))?)
        })?;
        Ok((self.outbox_where(false, position.unwrap_or(i64::MAX))?, newest))
    }

    fn outbox_where(&self, all: bool, after: i64) -> Result<Vec<OutboxEntry>> {
        let locked = self.may_read().is_err();
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT c.edit, k.id, coalesce(p.display_name, ''), c.label, c.at, c.receipt, c.reason,
                        c.hash
                 FROM change c JOIN contact k ON k.num = c.contact
                 LEFT JOIN projection p ON p.num = c.contact
                 WHERE c.local = 1 AND c.edit IS NOT NULL
                   AND (?1 OR c.receipt NOT IN ('merged', 'replaced', 'erased') OR c.pos > ?2)
                   AND c.receipt <> 'proposed'
                   AND NOT EXISTS (SELECT 1 FROM change other
                                   WHERE other.edit = c.edit AND other.pos <> c.pos
                                     AND CASE WHEN (other.receipt = 'replaced') = (c.receipt = 'replaced')
                                         THEN other.pos > c.pos ELSE c.receipt = 'replaced' END)
                 ORDER BY c.pos",
            )?;
            let rows = statement.query_map(params![all, after], |row| {
                Ok(OutboxEntry {
                    edit_id: EditId::from_bytes(row.get(0)?),
                    contact_id: ContactId::from_bytes(row.get(1)?),
                    display_name: row.get(2)?,
                    command: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                    at: row.get::<_, Option<i64>>(4)?.unwrap_or_default(),
                    receipt: Receipt::from_name(row.get_ref(5)?.as_str()?),
                    reason: row.get(6)?,
                    hash: hex::encode(row.get::<_, [u8; 32]>(7)?),
                    decision: None,
                })
            })?;
            // Late ones were sent: they come before what is still on its way.
            let mut entries = late(conn, all)?;
            for row in rows {
                entries.push(row?);
            }
            if locked {
                entries.iter_mut().for_each(|entry| entry.display_name.clear());
            }
            Ok(entries)
        })
    }

    /// The receipt of one edit; `None` if it is not known here (any more).
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn receipt(&self, edit: EditId) -> Result<Option<Receipt>> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT receipt FROM (
                   SELECT receipt, pos FROM change WHERE edit = ?1
                   UNION ALL SELECT 'proposed', 0 FROM proposed WHERE edit = ?1)
                 ORDER BY receipt = 'replaced', pos DESC LIMIT 1",
            )?;
            let mut rows = statement.query(params![edit.as_bytes()])?;
            Ok(match rows.next()? {
                Some(row) => Some(Receipt::from_name(
                    row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?,
                )),
                None => None,
            })
        })
    }

    /// What could not become part of a contact, oldest first.
    ///
    /// # Errors
    /// Only if the storage fails.
    pub fn quarantine(&self) -> Result<Vec<QuarantineEntry>> {
        self.may_read()?;
        self.read(Self::quarantined)
    }

    /// The same, whoever asks.
    pub(crate) fn quarantined(conn: &rusqlite::Connection) -> Result<Vec<QuarantineEntry>> {
        let mut statement = conn.prepare_cached(
            "SELECT contact, display_name, edit, hash, label, commands, at, code, reason, bytes
             FROM quarantine ORDER BY pos",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(QuarantineEntry {
                contact_id: ContactId::from_bytes(row.get(0)?),
                display_name: row.get(1)?,
                edit_id: row.get::<_, Option<[u8; 16]>>(2)?.map(EditId::from_bytes),
                hash: row.get::<_, Option<[u8; 32]>>(3)?.map(hex::encode),
                command: row.get(4)?,
                commands: serde_json::from_str(row.get_ref(5)?.as_str()?).unwrap_or_default(),
                at: row.get(6)?,
                code: row.get(7)?,
                reason: row.get(8)?,
                bytes: row.get::<_, Option<Vec<u8>>>(9)?.map(|bytes| hex::encode(&bytes)),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes the quarantine as JSON, one entry per line, complete with commands and raw bytes.
    ///
    /// # Errors
    /// [`Error::File`] if the writer fails.
    pub fn export_quarantine(&self, writer: &mut dyn IoWrite) -> Result<usize> {
        let entries = self.quarantine()?;
        for entry in &entries {
            let line = serde_json::to_string(entry).unwrap_or_default();
            writeln!(writer, "{line}").map_err(Error::file("quarantine export"))?;
        }
        Ok(entries.len())
    }
}
