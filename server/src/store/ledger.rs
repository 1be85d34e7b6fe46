//! What the ledger is told (rule 4), on its way there; and how far this database has come in it.
//!
//! The ledger itself is a file outside the database ([`crate::engine::ledger`]). Whatever changes
//! rights or destroys data notes a [`Record`] in the same transaction; before that transaction commits
//! the writer moves what was noted into the file and syncs it. So a note that is rolled back was never
//! told, and what is committed stands in the file.
//!
//! A record holds ids only: no names, no contact data, no words that somebody typed.

use std::fmt;
use std::str::FromStr;

use roadbook_protocol::ids::{Actor, ContactId, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::wire::{Access, KeyAlgorithm};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::people::{self, Role};
use super::{Result, contacts};

/// Tables of version 3.
pub(crate) const TABLES_V3: &str = "
-- What the transaction under way tells the ledger; empty between transactions.
CREATE TABLE ledger_note (
    n      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    record TEXT NOT NULL
) STRICT;

-- Up to where this database has the ledger.
CREATE TABLE ledger_mark (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;

-- Whose a contact is that the ledger knows and this database does not: it was made after the backup
-- that was restored, and comes back with its first change.
CREATE TABLE ledger_claim (
    workspace     BLOB NOT NULL,
    contact       BLOB NOT NULL,
    epoch         INTEGER NOT NULL,
    owner         BLOB,
    collaborators BLOB NOT NULL,            -- 16 bytes each
    PRIMARY KEY (workspace, contact)
) STRICT, WITHOUT ROWID;
";

/// The words for users who may sign in and sync, and for those who may not.
const IN: &str = "in";
const OUT: &str = "out";

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A contact was erased.
    Erase {
        /// The contact.
        contact: ContactId,
    },
    /// A device has confirmed that it holds nothing of an erased contact any more.
    Purged {
        /// The contact.
        contact: ContactId,
        /// The device.
        device: DeviceId,
    },
    /// Whose a contact is, as of now.
    Assign {
        /// The contact.
        contact: ContactId,
        /// Its epoch.
        epoch: u64,
        /// Its owner.
        owner: Option<UserId>,
        /// Its collaborators.
        collaborators: Vec<UserId>,
    },
    /// A device was enrolled.
    Enrol {
        /// The device.
        device: DeviceId,
        /// Its user.
        user: UserId,
        /// The algorithm of its key.
        algorithm: KeyAlgorithm,
        /// Its public key.
        public_key: Vec<u8>,
    },
    /// An actor was registered to a device.
    Actor {
        /// The device.
        device: DeviceId,
        /// The actor.
        actor: Actor,
    },
    /// A device was revoked.
    Revoke {
        /// The device.
        device: DeviceId,
    },
    /// A contact's document was begun anew (rule 25).
    Generation {
        /// The contact.
        contact: ContactId,
        /// The generation of the fresh one.
        number: u64,
    },
    /// A user was added, let in, or kept out. Without their name: words that somebody typed stay in
    /// the database.
    User {
        /// The user.
        user: UserId,
        /// What they may do.
        role: Role,
        /// Whether they are kept out.
        disabled: bool,
    },
}

/// A record with its workspace, as the ledger holds it: words with one space between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What happened.
    pub record: Record,
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workspace = self.workspace;
        match &self.record {
            Record::Erase { contact } => write!(f, "erase {workspace} {contact}"),
            Record::Purged { contact, device } => {
                write!(f, "purged {workspace} {contact} {device}")
            }
            Record::Assign { contact, epoch, owner, collaborators } => {
                let owner = owner.map_or_else(|| "-".to_owned(), |owner| owner.to_string());
                let others: Vec<String> = collaborators.iter().map(ToString::to_string).collect();
                let others = if others.is_empty() { "-".to_owned() } else { others.join(",") };
                write!(f, "assign {workspace} {contact} {epoch} {owner} {others}")
            }
            Record::Enrol { device, user, algorithm, public_key } => {
                let algorithm = match algorithm {
                    KeyAlgorithm::Ed25519 => "ed25519",
                    KeyAlgorithm::EcdsaP256 => "ecdsa_p256",
                };
                write!(
                    f,
                    "enrol {workspace} {device} {user} {algorithm} {}",
                    hex::encode(public_key)
                )
            }
            Record::Actor { device, actor } => write!(f, "actor {workspace} {device} {actor}"),
            Record::Revoke { device } => write!(f, "revoke {workspace} {device}"),
            Record::Generation { contact, number } => {
                write!(f, "generation {workspace} {contact} {number}")
            }
            Record::User { user, role, disabled } => {
                let state = if *disabled { OUT } else { IN };
                write!(f, "user {workspace} {user} {} {state}", role.as_str())
            }
        }
    }
}

impl FromStr for Noted {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or_else(|| format!("`{text}` lacks a word"));
        fn id<T: FromStr>(word: &str) -> std::result::Result<T, String> {
            word.parse().map_err(|_| format!("`{word}` is no id"))
        }
        let kind = next()?;
        let workspace = id(next()?)?;
        let record = match kind {
            "erase" => Record::Erase { contact: id(next()?)? },
            "purged" => Record::Purged { contact: id(next()?)?, device: id(next()?)? },
            "assign" => Record::Assign {
                contact: id(next()?)?,
                epoch: id(next()?)?,
                owner: match next()? {
                    "-" => None,
                    owner => Some(id(owner)?),
                },
                collaborators: match next()? {
                    "-" => Vec::new(),
                    others => others.split(',').map(id).collect::<std::result::Result<_, _>>()?,
                },
            },
            "enrol" => Record::Enrol {
                device: id(next()?)?,
                user: id(next()?)?,
                algorithm: match next()? {
                    "ed25519" => KeyAlgorithm::Ed25519,
                    "ecdsa_p256" => KeyAlgorithm::EcdsaP256,
                    other => return Err(format!("`{other}` is no algorithm of this version")),
                },
                public_key: {
                    let word = next()?;
                    hex::decode(word).map_err(|_| format!("`{word}` is no key"))?
                },
            },
            "actor" => Record::Actor { device: id(next()?)?, actor: id(next()?)? },
            "revoke" => Record::Revoke { device: id(next()?)? },
            "generation" => Record::Generation {
                contact: id(next()?)?,
                number: next()?.parse().map_err(|_| format!("`{text}` has no generation"))?,
            },
            "user" => Record::User {
                user: id(next()?)?,
                role: {
                    let word = next()?;
                    word.parse().map_err(|_| format!("`{word}` is no role"))?
                },
                disabled: match next()? {
                    OUT => true,
                    IN => false,
                    other => return Err(format!("`{other}` is neither `{IN}` nor `{OUT}`")),
                },
            },
            other => return Err(format!("`{other}` is no record of this version")),
        };
        match words.next() {
            None => Ok(Noted { workspace, record }),
            Some(word) => Err(format!("`{word}` is one word too many")),
        }
    }
}

/// Notes a record for the ledger. It is in the ledger, durably, when the transaction is committed.
///
/// # Errors
/// What the database says.
pub fn note(tx: &Transaction<'_>, workspace: WorkspaceId, record: Record) -> Result<()> {
    tx.prepare_cached("INSERT INTO ledger_note (record) VALUES (?)")?.execute([Noted {
        workspace,
        record,
    }
    .to_string()])?;
    Ok(())
}

/// Notes a user as they are now. To be called after one was added, let in, or kept out.
///
/// # Errors
/// What the database says.
pub fn note_user(tx: &Transaction<'_>, workspace: WorkspaceId, user: UserId) -> Result<()> {
    let user = people::user(tx, workspace, user)?;
    let disabled = user.disabled_at.is_some();
    note(tx, workspace, Record::User { user: user.id, role: user.role, disabled })
}

/// Notes whose a contact is now. To be called after its owner, epoch or collaborators have changed.
///
/// # Errors
/// What the database says.
pub fn note_assignment(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<()> {
    match assignment(tx, workspace, contact)? {
        Some(record) => note(tx, workspace, record),
        None => Ok(()),
    }
}

/// Whose a contact is, as a record; `None` for one that is not there or is erased.
fn assignment(conn: &Connection, workspace: WorkspaceId, id: ContactId) -> Result<Option<Record>> {
    let Some(contact) = contacts::find(conn, workspace, id)? else { return Ok(None) };
    if contact.erased_at.is_some() {
        return Ok(None);
    }
    let collaborators = contacts::accesses(conn, workspace, id)?
        .into_iter()
        .filter(|(_, access)| *access == Access::Collaborator)
        .map(|(user, _)| user)
        .collect();
    Ok(Some(Record::Assign {
        contact: id,
        epoch: contact.epoch,
        owner: contact.owner,
        collaborators,
    }))
}

/// What was noted and is not in the file yet, in order.
///
/// # Errors
/// What the database says.
pub fn noted(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT record FROM ledger_note ORDER BY n")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets what was noted: it is in the file.
///
/// # Errors
/// What the database says.
pub fn clear_noted(tx: &Transaction<'_>) -> Result<()> {
    tx.prepare_cached("DELETE FROM ledger_note")?.execute([])?;
    Ok(())
}

/// Up to where this database has the ledger: number and hash of the record.
///
/// # Errors
/// What the database says.
pub fn mark(conn: &Connection) -> Result<Option<(u64, [u8; 32])>> {
    Ok(conn
        .prepare_cached("SELECT seq, hash FROM ledger_mark")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// Sets up to where this database has the ledger.
///
/// # Errors
/// What the database says.
pub fn set_mark(tx: &Transaction<'_>, seq: u64, hash: &[u8; 32]) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO ledger_mark (only, seq, hash) VALUES (1, ?1, ?2)
         ON CONFLICT (only) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
    )?
    .execute(params![seq, hash])?;
    Ok(())
}

/// Notes everything that a new ledger has to know of this database: users, devices with their actors, which of
/// them are revoked, contacts that were assigned after they were made, erasures and who confirmed them.
///
/// # Errors
/// What the database says.
pub fn note_everything(tx: &Transaction<'_>) -> Result<()> {
    for workspace in super::workspaces::list(tx)? {
        let workspace = workspace.id;
        // Before what belongs to them.
        for user in people::list_users(tx, workspace)? {
            note_user(tx, workspace, user.id)?;
        }
        for device in super::devices::list_devices(tx, workspace, None)? {
            let (id, user) = (device.id, device.user);
            let (algorithm, public_key) = (device.algorithm, device.public_key);
            note(tx, workspace, Record::Enrol { device: id, user, algorithm, public_key })?;
            if device.revoked_at.is_some() {
                note(tx, workspace, Record::Revoke { device: id })?;
            }
        }
        let mut actors = tx.prepare_cached(
            "SELECT device, actor FROM actor WHERE workspace = ? AND device IS NOT NULL",
        )?;
        let mut rows = actors.query([workspace.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let record = Record::Actor {
                device: DeviceId::from_bytes(row.get(0)?),
                actor: Actor::from_bytes(row.get(1)?),
            };
            note(tx, workspace, record)?;
        }
        let mut assigned = tx.prepare_cached(
            "SELECT id FROM contact WHERE workspace = ? AND assigned_cursor > 0 AND erased_at IS NULL",
        )?;
        let mut rows = assigned.query([workspace.as_bytes()])?;
        while let Some(row) = rows.next()? {
            note_assignment(tx, workspace, ContactId::from_bytes(row.get(0)?))?;
        }
        let mut begun = tx.prepare_cached(
            "SELECT id, generation FROM contact
             WHERE workspace = ? AND generation > 1 AND erased_at IS NULL",
        )?;
        let mut rows = begun.query([workspace.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let contact = ContactId::from_bytes(row.get(0)?);
            note(tx, workspace, Record::Generation { contact, number: row.get(1)? })?;
        }
        for (contact, confirmed) in super::erasures::all_confirmed(tx, workspace)? {
            note(tx, workspace, Record::Erase { contact })?;
            for device in confirmed {
                note(tx, workspace, Record::Purged { contact, device })?;
            }
        }
    }
    Ok(())
}

/// Whose a contact is that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerClaim {
    /// Its epoch.
    pub epoch: u64,
    /// Its owner.
    pub owner: Option<UserId>,
    /// Its collaborators.
    pub collaborators: Vec<UserId>,
}

/// Keeps whose a contact is that is not here yet.
///
/// # Errors
/// What the database says.
pub fn keep_claim(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
    claim: &LedgerClaim,
) -> Result<()> {
    let others: Vec<u8> = claim.collaborators.iter().flat_map(|user| *user.as_bytes()).collect();
    tx.prepare_cached(
        "INSERT OR REPLACE INTO ledger_claim (workspace, contact, epoch, owner, collaborators)
         VALUES (?, ?, ?, ?, ?)",
    )?
    .execute(params![
        workspace.as_bytes(),
        contact.as_bytes(),
        claim.epoch,
        claim.owner.as_ref().map(UserId::as_bytes),
        others
    ])?;
    Ok(())
}

/// Takes out whose a contact is that comes back now.
///
/// # Errors
/// What the database says.
pub fn take_claim(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Option<LedgerClaim>> {
    Ok(tx
        .prepare_cached(
            "DELETE FROM ledger_claim WHERE workspace = ? AND contact = ?
             RETURNING epoch, owner, collaborators",
        )?
        .query_row(params![workspace.as_bytes(), contact.as_bytes()], |row| {
            let others = row.get_ref(2)?.as_blob()?;
            Ok(LedgerClaim {
                epoch: row.get(0)?,
                owner: row.get::<_, Option<[u8; 16]>>(1)?.map(UserId::from_bytes),
                collaborators: others
                    .as_chunks::<16>()
                    .0
                    .iter()
                    .map(|id| UserId::from_bytes(*id))
                    .collect(),
            })
        })
        .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_reads_back() {
        let workspace = WorkspaceId::from_bytes([1; 16]);
        let contact = ContactId::from_bytes([2; 16]);
        let device = DeviceId::from_bytes([3; 16]);
        let (ada, ben) = (UserId::from_bytes([4; 16]), UserId::from_bytes([5; 16]));
        let all = [
            Record::Erase { contact },
            Record::Purged { contact, device },
            Record::Assign { contact, epoch: 0, owner: None, collaborators: Vec::new() },
            Record::Assign { contact, epoch: 7, owner: Some(ada), collaborators: vec![ada, ben] },
            Record::Enrol {
                device,
                user: ada,
                algorithm: KeyAlgorithm::EcdsaP256,
                public_key: vec![0, 0x1f, 0xff],
            },
            Record::Actor { device, actor: Actor::from_bytes([6; 16]) },
            Record::Revoke { device },
            Record::Generation { contact, number: 2 },
            Record::User { user: ada, role: Role::ReadOnly, disabled: false },
            Record::User { user: ben, role: Role::Manager, disabled: true },
        ];
        for record in all {
            let noted = Noted { workspace, record };
            assert_eq!(noted.to_string().parse::<Noted>(), Ok(noted));
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_word() {
        let id = WorkspaceId::from_bytes([1; 16]);
        for (text, word) in [
            ("", "lacks"),
            ("erase x y", "`x`"),
            (&format!("melt {id} {id}"), "`melt`"),
            (&format!("erase {id} {id} {id}"), "one word too many"),
            (&format!("enrol {id} {id} {id} ed25519 0"), "`0`"),
            (&format!("user {id} {id} queen in"), "`queen`"),
            (&format!("user {id} {id} rep away"), "`away`"),
        ] {
            let error = text.parse::<Noted>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
