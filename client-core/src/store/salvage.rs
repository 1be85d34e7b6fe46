//! Opening the database file, and what to do when it can't be read: it is set aside under another
//! name, never deleted, and the edits that nobody else has are taken over from it. A start that ends
//! in the middle of that costs nothing: the next one goes on.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use roadbook_protocol::ids::UnixMs;
use rusqlite::{Connection, OpenFlags, Row, Transaction};

use super::mend::{self, Layout, mend};
use super::{Store, contacts, lists, meta};
use crate::at_rest::{self, DataKey};
use crate::env::OpenOptions;
use crate::error::{Error, Result};
use crate::identity::Home;
use meta::key;

const EXAMINE: &str = "examine";
/// Holds the name of a file that is being set aside, until everything was taken over from it.
const SALVAGE: &str = "salvage";

/// How the names of files begin that were set aside.
pub(crate) const ASIDE: &str = "replica.db.damaged-";
/// Behind the name of a copy that was mended, while it is read.
const MENDED: &str = ".mended";

/// Whether a file is left over from reading one that was set aside.
pub(crate) fn mended_from(name: &str) -> bool {
    name.contains(MENDED) || name.contains(mend::PATTERN)
}

/// At the next start the whole file is examined before anything is written to it.
pub(crate) fn mark_for_examination(home: &Home) {
    // If even this can't be written, the next error of the same kind tries again.
    let _ = fs::write(home.path().join(EXAMINE), b"");
}

/// A value in the file can't be read, which no examination finds: at the next start it is set aside.
pub(crate) fn mark_as_damaged(home: &Home, found: &Error) {
    let _ = home.write_beside(EXAMINE, found.to_string().as_bytes());
}

/// Opens the replica's database; a broken one is set aside and replaced.
pub(crate) fn open(home: &Home, options: &OpenOptions, key: Option<&DataKey>) -> Result<Store> {
    let path = home.database();
    let examine = home.path().join(EXAMINE);
    let store = match under_way(home)? {
        Some(aside) => replace(home, options, &aside, key)?,
        None => match open_whole(&path, &examine, options, key) {
            Err(error) if is_broken(&error) => {
                let aside = aside_name(&path, options.clock.now_ms());
                tracing::error!(aside = %aside.display(), %error, "the database is damaged; setting it aside");
                begin(home, &aside)?;
                replace(home, options, &aside, key)?
            }
            other => other?,
        },
    };
    forget_findings(&examine)?;
    Ok(store)
}

fn forget_findings(examine: &Path) -> Result<()> {
    if examine.exists() {
        fs::remove_file(examine).map_err(Error::file(examine))?;
    }
    Ok(())
}

fn is_broken(error: &Error) -> bool {
    error.is_corruption() || matches!(error, Error::Damaged { .. })
}

fn open_whole(
    path: &Path,
    examine: &Path,
    options: &OpenOptions,
    key: Option<&DataKey>,
) -> Result<Store> {
    if examine.exists() && path.exists() {
        // What was found already, where it was.
        let found = fs::read(examine).map_err(Error::file(examine))?;
        if !found.is_empty() {
            let reason = String::from_utf8_lossy(&found).into_owned();
            return Err(Error::Damaged { what: path.display().to_string(), reason });
        }
        examine_file(path, key)?;
    }
    let store = Store::open(path, options.durability, key)?;
    // One read of a real table: a torn header or a lost page shows here.
    store.read(|conn| meta::get::<String>(conn, key::INCARNATION))?;
    Ok(store)
}

fn examine_file(path: &Path, key: Option<&DataKey>) -> Result<()> {
    let conn = at_rest::connect(path, OpenFlags::default(), key)?;
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(Error::Damaged { what: path.display().to_string(), reason: verdict })
}

/// The name says when.
fn aside_name(path: &Path, now_ms: UnixMs) -> PathBuf {
    let name = |attempt: u32| {
        let again = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        path.with_file_name(format!("{ASIDE}{now_ms}{again}"))
    };
    (0..).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(0))
}

/// Notes, durably, that the database is being set aside under this name: if the program or the power
/// ends before everything is taken over, the next start goes on.
fn begin(home: &Home, aside: &Path) -> Result<()> {
    let name = aside.file_name().unwrap_or_default().to_string_lossy().into_owned();
    home.write_beside(SALVAGE, name.as_bytes())
}

/// The name under which an earlier start was setting the database aside, if it did not end that.
fn under_way(home: &Home) -> Result<Option<PathBuf>> {
    let note = home.path().join(SALVAGE);
    let name = match fs::read_to_string(&note) {
        Ok(name) => name,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file(&note)(error)),
    };
    let aside = home.path().join(name.trim());
    // It ended before the file was renamed: the damage is there to be found again.
    Ok((!name.trim().is_empty() && aside.exists()).then_some(aside))
}

/// Whether a database was being set aside when the program ended.
pub(crate) fn is_under_way(home: &Home) -> bool {
    matches!(under_way(home), Ok(Some(_)))
}

/// Sets the database aside, makes a new one and takes over what the old one holds. Each step may have
/// been done by an earlier start already.
fn replace(
    home: &Home,
    options: &OpenOptions,
    aside: &Path,
    key: Option<&DataKey>,
) -> Result<Store> {
    let path = home.database();
    set_aside(home, &path, aside)?;
    // What was found in it says nothing about the file that takes its place.
    forget_findings(&home.path().join(EXAMINE))?;
    let store = match Store::open(&path, options.durability, key) {
        // So is the new one. There is nothing in it that the old one has not got.
        Err(error) if is_broken(&error) => {
            set_aside(home, &path, &aside_name(&path, options.clock.now_ms()))?;
            Store::open(&path, options.durability, key)?
        }
        other => other?,
    };
    take_over(&store, aside, key)?;
    let note = home.path().join(SALVAGE);
    fs::remove_file(&note).map_err(Error::file(&note))?;
    Ok(store)
}

/// Renames the file with its log.
fn set_aside(home: &Home, path: &Path, aside: &Path) -> Result<()> {
    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(Error::file(from));
    if !aside.exists() {
        rename(path, aside)?;
    }
    // While there is no new file, the log is the old one's.
    for suffix in ["-wal", "-shm"] {
        let from = with_extension(path, suffix);
        if !path.exists() && from.exists() {
            rename(&from, &with_extension(aside, suffix))?;
        }
    }
    home.sync();
    Ok(())
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
    key::BOUND,
];

/// Takes over what nobody else has: who the replica is, its unsettled local changes with their
/// commands, and the quarantine. Documents are fetched again; a contact with unsettled changes waits
/// for its document, then its commands are replayed by a new actor.
fn take_over(store: &Store, aside: &Path, key: Option<&DataKey>) -> Result<()> {
    let mut writer = store.lock_writer();
    let conn = writer.as_mut().ok_or(Error::Suspended)?;
    let mut tx = conn.transaction()?;
    let name = aside.file_name().map(|name| name.to_string_lossy().into_owned());
    if meta::get::<String>(&tx, key::SET_ASIDE)? == name {
        // An earlier start did it, and ended before it could say so.
        return Ok(());
    }
    meta::set(&tx, key::SET_ASIDE, name)?;
    let mended = with_extension(aside, MENDED);
    let read = read_all(aside, &mended, &mut tx, key);
    mend::remove(&mended)?;
    if let Err(error) = read {
        tracing::error!(%error, "nothing could be taken over from the damaged database");
    }
    tx.commit()?;
    Ok(())
}

/// Reads the damaged file itself if it can be read, else copies of it that were mended.
fn read_all(
    aside: &Path,
    mended: &Path,
    tx: &mut Transaction<'_>,
    key: Option<&DataKey>,
) -> Result<()> {
    let whole = match key {
        Some(key) => at_rest::unreadable_pages(aside, key)?.is_empty(),
        None => true,
    };
    if whole && read_over(aside, tx, key).is_ok() {
        return Ok(());
    }
    let mut read = |layout, wanted: i64| -> Result<bool> {
        mend::remove(mended)?;
        mend(aside, mended, layout, key)?;
        let part = tx.savepoint()?;
        read_over(mended, &part, key)?;
        let found: i64 = part.query_row("SELECT count(*) FROM change", [], |row| row.get(0))?;
        // One that is not committed is taken back.
        if found >= wanted {
            part.commit()?;
        }
        Ok(found >= wanted)
    };
    if !whole && read(Layout::Own, 0).is_ok() {
        return Ok(());
    }
    // Not even its tables can be found: they are where they are in every replica.
    for (layout, wanted) in [(Layout::Migrated, 1), (Layout::Vacuumed, 1), (Layout::Migrated, 0)] {
        if matches!(read(layout, wanted), Ok(true)) {
            return Ok(());
        }
    }
    Err(Error::Damaged { what: aside.display().to_string(), reason: "no page is readable".into() })
}

/// Each part is read as far as it can be read: a lost page must not cost what lies on others.
///
/// # Errors
/// Where nothing at all can be read.
fn read_over(from: &Path, tx: &Connection, key: Option<&DataKey>) -> Result<()> {
    let old = at_rest::connect(from, OpenFlags::SQLITE_OPEN_READ_WRITE, key)?;
    old.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let _ = identity(&old, tx);
    let _ = unsettled(&old, tx);
    let _ = decisions(&old, tx);
    for order in ["", "ORDER BY pos DESC"] {
        let _ = quarantine(&old, tx, order);
    }
    Ok(())
}

fn with_extension(path: &Path, extension: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(extension);
    text.into()
}

/// Decisions about late edits that the server has not answered: nobody else has them.
fn decisions(old: &Connection, new: &Connection) -> Result<()> {
    const COLUMNS: &str = "contact, device, i, id, version, path, verdict, at";
    let query = format!(
        "SELECT {COLUMNS} FROM proposal_decision WHERE waits = 1 ORDER BY contact $, device, i"
    );
    let rows = gather(old, &[&query], |row| {
        (0..8)
            .map(|column| row.get(column))
            .collect::<rusqlite::Result<Vec<rusqlite::types::Value>>>()
    });
    for row in rows {
        new.execute(
            &format!(
                "INSERT OR IGNORE INTO proposal_decision({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            ),
            rusqlite::params_from_iter(row),
        )?;
    }
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

/// What the rows of several queries give, each as far as it can be read. A row that can't be read ends
/// a query: so the same is asked from the other end, and of what else holds it.
fn gather<T>(
    old: &Connection,
    queries: &[&str],
    take: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut all = Vec::new();
    for query in queries {
        for order in ["ASC", "DESC"] {
            let Ok(mut statement) = old.prepare(&query.replace("$", order)) else { continue };
            let Ok(mut rows) = statement.query([]) else { continue };
            while let Ok(Some(row)) = rows.next() {
                all.extend(take(row).ok());
            }
        }
    }
    all
}

fn unsettled(old: &Connection, new: &Connection) -> Result<()> {
    // The contact's table, its index and the projection say the same three times.
    let ids: HashMap<i64, [u8; 16]> = gather(
        old,
        &[
            "SELECT num, id FROM contact NOT INDEXED ORDER BY num $",
            "SELECT num, id FROM contact INDEXED BY sqlite_autoindex_contact_1 ORDER BY id $",
            "SELECT num, id FROM projection NOT INDEXED ORDER BY num $",
            "SELECT num, id FROM projection INDEXED BY sqlite_autoindex_projection_1 ORDER BY id $",
        ],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
    .into_iter()
    .collect();
    let positions: BTreeSet<i64> = gather(
        old,
        &[
            "SELECT pos FROM change NOT INDEXED WHERE settled = 0 ORDER BY pos $",
            "SELECT pos FROM change INDEXED BY change_unsettled WHERE settled = 0 ORDER BY contact $",
            "SELECT pos FROM change INDEXED BY change_local WHERE local = 1 ORDER BY pos $",
        ],
        |row| row.get(0),
    )
    .into_iter()
    .collect();
    let mut statement = old.prepare(
        "SELECT contact, hash, bytes, actor, seq, edit, commands, label, at, replays
         FROM change NOT INDEXED WHERE pos = ?1 AND settled = 0 AND edit IS NOT NULL",
    )?;
    for position in positions {
        let values = statement.query_row([position], |row| {
            let values = (1..10)
                .map(|column| row.get::<_, rusqlite::types::Value>(column))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((row.get::<_, i64>(0)?, values))
        });
        let Ok((num, values)) = values else { continue };
        let Some(id) = ids.get(&num) else {
            tracing::error!(
                position,
                "an unsent edit can't be taken over: its contact can't be read"
            );
            continue;
        };
        let id = roadbook_protocol::ids::ContactId::from_bytes(*id);
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

const QUARANTINE_COLUMNS: usize = 12;

fn quarantine(old: &Connection, new: &Connection, order: &str) -> Result<()> {
    let mut statement = old.prepare(&format!("SELECT * FROM quarantine {order}"))?;
    let mut rows = statement.query([])?;
    let places = ["?"; QUARANTINE_COLUMNS].join(", ");
    while let Ok(Some(row)) = rows.next() {
        let values = (0..QUARANTINE_COLUMNS)
            .map(|column| row.get::<_, rusqlite::types::Value>(column))
            .collect::<Result<Vec<_>, _>>();
        let Ok(values) = values else { continue };
        new.execute(
            &format!("INSERT OR IGNORE INTO quarantine VALUES ({places})"),
            rusqlite::params_from_iter(values),
        )?;
    }
    Ok(())
}
