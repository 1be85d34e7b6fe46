//! What commands read of contacts and write into them, over the engine.

use roadbook_protocol::document::{self, Contact, CustomField};
use roadbook_protocol::ids::{ContactId, EntryId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::projection::Row;

use crate::engine::{AuthorOutcome, Authored, Engine, Entropy, SystemEntropy};
use crate::store::{EngineError, Result, contacts, documents};

/// One workspace of an engine, in somebody's name.
pub struct Base<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Who makes the changes.
    pub by: UserId,
}

impl Base<'_> {
    /// The time.
    pub fn now(&self) -> UnixMs {
        self.engine.now_ms()
    }

    /// The custom fields that the workspace has defined.
    pub fn custom_fields(&self) -> Result<Vec<CustomField>> {
        self.engine.custom_fields(self.workspace)
    }

    /// Every contact's row.
    pub fn rows(&self, mut each: impl FnMut(Row)) -> Result<()> {
        let workspace = self.workspace;
        self.engine.read(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT row FROM projection WHERE workspace = ? ORDER BY n")?;
            let mut rows = statement.query([workspace.as_bytes()])?;
            while let Some(row) = rows.next()? {
                each(read_row(row.get_ref(0)?.as_str().unwrap_or_default())?);
            }
            Ok(())
        })
    }

    /// A contact's merged document, typed.
    pub fn contact(&self, id: ContactId) -> Result<Contact> {
        let workspace = self.workspace;
        self.engine.read(|conn| {
            let contact = contacts::find(conn, workspace, id)?
                .ok_or_else(|| EngineError::not_found(format!("contact {id}")))?;
            Ok(document::read(id, &documents::document(conn, workspace, &contact)?))
        })
    }

    /// Authors changes.
    pub fn author(&self, edits: Vec<Authored>) -> Result<Vec<AuthorOutcome>> {
        self.engine.author(self.workspace, self.by, edits)
    }

    /// An id for a new contact.
    pub fn new_contact_id(&self) -> ContactId {
        ContactId::from_time(self.now().unsigned_abs(), random())
    }

    /// An id for a new entry.
    pub fn new_entry_id(&self) -> EntryId {
        EntryId::from_time(self.now().unsigned_abs(), random())
    }
}

/// A projection row from its JSON.
pub fn read_row(json: &str) -> Result<Row> {
    serde_json::from_str(json).map_err(|error| EngineError::damaged("a projection row", error))
}

/// Fresh random bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemEntropy.fill(&mut bytes);
    bytes
}
