//! What binds the replica to its server, kept twice: SQLite has no checksum for a page that is not
//! encrypted, and a device with one wrong bit in an id is a stranger whose edits nobody takes.

use std::collections::BTreeMap;

use ring::digest;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::store::meta::{self, key};

/// Set by an enrolment, and by nothing else.
const BINDING: [&str; 6] =
    [key::WORKSPACE, key::WORKSPACE_KEY, key::USER, key::DEVICE, key::SERVER_URL, key::PIN];

/// A value as the copy holds it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kept {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Kept> for Value {
    fn from(kept: Kept) -> Value {
        match kept {
            Kept::Text(text) => Value::Text(text),
            Kept::Bytes(bytes) => Value::Blob(bytes),
        }
    }
}

type Copy = BTreeMap<String, Kept>;

/// Keeps the second copy, after an enrolment.
pub(crate) fn keep(conn: &Connection) -> Result<()> {
    let text =
        serde_json::to_string(&values(conn)?).expect("names and bytes can be written as JSON");
    meta::set(conn, key::BOUND, format!("{}{text}", checksum(&text)))
}

/// Whether the values are those of the copy, and the copy is there if there are values.
pub(crate) fn is_right(conn: &Connection) -> Result<bool> {
    let values = values(conn)?;
    Ok(match copy(conn)? {
        Some(copy) => copy == values,
        None => values.is_empty(),
    })
}

/// Puts the values back that are not those of the copy; where it is the copy that is not whole, or
/// there is none yet, it is made anew. Returns the names of what was put back.
pub(crate) fn mend(conn: &Connection) -> Result<Vec<String>> {
    let Some(copy) = copy(conn)? else {
        keep(conn)?;
        return Ok(Vec::new());
    };
    let mut now = values(conn)?;
    let mut mended = Vec::new();
    for name in BINDING {
        if !copy.contains_key(name) && now.contains_key(name) {
            meta::remove(conn, name)?;
            mended.push(name.to_owned());
        }
    }
    for (name, kept) in copy {
        if now.remove(&name).as_ref() != Some(&kept) {
            meta::set(conn, &name, Value::from(kept))?;
            mended.push(name);
        }
    }
    Ok(mended)
}

fn values(conn: &Connection) -> Result<Copy> {
    let mut values = Copy::new();
    for name in BINDING {
        if let Some(kept) = read(conn, name)? {
            values.insert(name.to_owned(), kept);
        }
    }
    Ok(values)
}

/// A value, where it is of a kind that is written here: a bit may have made its text unreadable.
fn read(conn: &Connection, name: &str) -> Result<Option<Kept>> {
    let kept = conn
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([name], |row| {
            Ok(match row.get_ref(0)? {
                ValueRef::Text(text) => {
                    str::from_utf8(text).ok().map(|text| Kept::Text(text.into()))
                }
                ValueRef::Blob(bytes) => Some(Kept::Bytes(bytes.into())),
                _ => None,
            })
        })
        .optional()?;
    Ok(kept.flatten())
}

/// The copy, if it is there and whole.
fn copy(conn: &Connection) -> Result<Option<Copy>> {
    let Some(Kept::Text(kept)) = read(conn, key::BOUND)? else { return Ok(None) };
    let Some((sum, text)) = kept.split_at_checked(checksum("").len()) else { return Ok(None) };
    if sum != checksum(text) {
        return Ok(None);
    }
    Ok(serde_json::from_str(text).ok())
}

fn checksum(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
