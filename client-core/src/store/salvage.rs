//! Opening the database file, and what to do when it can't be read: it is set aside under another
//! name, never deleted, and the edits that nobody else has are taken over from it.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use super::{Store, contacts, lists, meta};
use crate::env::OpenOptions;
use crate::error::{Error, Result};
use crate::identity::Home;
use meta::key;

const EXAMINE: &str = "examine";

/// At the next start the whole file is examined before anything is written to it.
pub(crate) fn mark_for_examination(home: &Home) {
    // If even this can't be written, the next error of the same kind tries again.
    let _ = fs::write(home.path().join(EXAMINE), b"");
}

/// Opens the replica's database; a broken one is set aside and replaced.
pub(crate) fn open(home: &Home, options: &OpenOptions) -> Result<Store> {
    let path = home.database();
    let examine = home.path().join(EXAMINE);
    let opened = if examine.exists() && path.exists() {
        examine_file(&path).and_then(|()| Store::open(&path, options.durability))
    } else {
        Store::open(&path, options.durability).and_then(|store| {
            // One read of a real table: a torn header or a lost page shows here.
            store.read(|conn| meta::get::<String>(conn, key::INCARNATION))?;
            Ok(store)
        })
    };
    let store = match opened {
        Err(error) if error.is_corruption() || matches!(error, Error::Damaged { .. }) => {
            let aside = set_aside(&path, options.clock.now_ms())?;
            tracing::error!(aside = %aside.display(), %error, "the database is damaged; set it aside");
            let store = Store::open(&path, options.durability)?;
            take_over(&store, &aside)?;
            store
        }
        other => other?,
    };
    if examine.exists() {
        fs::remove_file(&examine).map_err(Error::file(&examine))?;
    }
    Ok(store)
}

fn examine_file(path: &Path) -> Result<()> {
    let conn = Connection::open(path)?;
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(Error::Damaged { what: path.display().to_string(), reason: verdict })
}

/// Renames the file with its log. The name says when.
fn set_aside(path: &Path, now_ms: i64) -> Result<PathBuf> {
    let name = |suffix: &str, attempt: u32| {
        let mut text = path.as_os_str().to_owned();
        let again = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        text.push(format!(".damaged-{now_ms}{again}{suffix}"));
        PathBuf::from(text)
    };
    let attempt = (0..).find(|attempt| !name("", *attempt).exists()).unwrap_or(0);
    for suffix in ["", "-wal", "-shm"] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        let from = PathBuf::from(from);
        if from.exists() {
            fs::rename(&from, name(suffix, attempt)).map_err(Error::file(&from))?;
        }
    }
    Ok(name("", attempt))
}

/// What identifies the replica, so that it can go on as the same device.
const IDENTITY: &[&str] = &[
    key::WORKSPACE,
    key::WORKSPACE_NAME,
    key::WORKSPACE_KEY,
    key::USER,
    key::LOGIN,
    key::USER_NAME,
    key::ROLE,
    key::DEVICE,
    key::DEVICE_NAME,
    key::SERVER_URL,
    key::PIN,
];

/// Takes over what nobody else has: who the replica is, its unsettled local changes with their
/// commands, and the quarantine. Documents are fetched again; a contact with unsettled changes waits
/// for its document, then its commands are replayed by a new actor.
fn take_over(store: &Store, aside: &Path) -> Result<()> {
    let mut writer = store.lock_writer();
    let conn = writer.as_mut().ok_or(Error::Suspended)?;
    let tx = conn.transaction()?;
    let name = aside.file_name().map(|name| name.to_string_lossy().into_owned());
    meta::set(&tx, key::SET_ASIDE, name)?;
    // Each part is read as far as it can be read: a lost page must not cost what lies on others.
    if let Ok(old) = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        let _ = identity(&old, &tx);
        let _ = unsettled(&old, &tx);
        let _ = copy_table(&old, &tx, "quarantine", 12);
    }
    tx.commit()?;
    Ok(())
}

fn identity(old: &Connection, new: &Connection) -> Result<()> {
    for name in IDENTITY {
        if let Ok(Some(value)) = meta::get::<rusqlite::types::Value>(old, name) {
            meta::set(new, name, value)?;
        }
    }
    Ok(())
}

fn unsettled(old: &Connection, new: &Connection) -> Result<()> {
    let mut statement = old.prepare(
        "SELECT k.id, c.hash, c.bytes, c.actor, c.seq, c.edit, c.commands, c.label, c.at, c.replays
         FROM change c JOIN contact k ON k.num = c.contact
         WHERE c.settled = 0 AND c.edit IS NOT NULL ORDER BY c.pos",
    )?;
    let mut rows = statement.query([])?;
    // A row that can't be read ends the scan: what came before is kept.
    while let Ok(Some(row)) = rows.next() {
        let Ok(id) = row.get::<_, [u8; 16]>(0) else { continue };
        let id = roadbook_protocol::ids::ContactId::from_bytes(id);
        let contact = match contacts::find(new, id)? {
            Some(contact) => contact,
            None => {
                let contact = contacts::insert(new, id, contacts::Access::Owner)?;
                contacts::set_aside(new, contact.num, true)?;
                contacts::set_actor(new, id, None)?;
                lists::want(new, id, -1)?;
                contact
            }
        };
        let values = (1..10)
            .map(|column| row.get::<_, rusqlite::types::Value>(column))
            .collect::<Result<Vec<_>, _>>();
        let Ok(values) = values else { continue };
        new.execute(
            "INSERT OR IGNORE INTO change(contact, hash, bytes, actor, seq, edit, commands, label, at,
                                          replays, live, local, receipt, settled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 1, 'forked', 0)",
            rusqlite::params_from_iter(
                std::iter::once(rusqlite::types::Value::Integer(contact.num)).chain(values),
            ),
        )?;
    }
    Ok(())
}

fn copy_table(old: &Connection, new: &Connection, table: &str, columns: usize) -> Result<()> {
    let mut statement = old.prepare(&format!("SELECT * FROM {table}"))?;
    let mut rows = statement.query(params![])?;
    let places = vec!["?"; columns].join(", ");
    while let Ok(Some(row)) = rows.next() {
        let values = (0..columns)
            .map(|column| row.get::<_, rusqlite::types::Value>(column))
            .collect::<Result<Vec<_>, _>>();
        let Ok(values) = values else { continue };
        new.execute(
            &format!("INSERT OR IGNORE INTO {table} VALUES ({places})"),
            rusqlite::params_from_iter(values),
        )?;
    }
    Ok(())
}
