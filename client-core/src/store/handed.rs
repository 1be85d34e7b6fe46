//! Lists that the office has handed to this user, as the server told them last.
//!
//! Only ids stand here: a contact that is not on the device (yet, or any more) is in no list that
//! anybody sees, and its rows go with it.

use rusqlite::{Connection, params};

use roadbook_protocol::ids::{ContactId, ListId, UnixMs, UserId};
use roadbook_protocol::wire::Lists;

use super::meta::{self, key};
use crate::error::Result;

pub(crate) const TABLES_V3: &str = "
-- `told` is the number of the last telling that it was in.
CREATE TABLE handed_list(
  id BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  by BLOB NOT NULL,
  by_name TEXT NOT NULL,
  at INTEGER NOT NULL,
  place INTEGER NOT NULL,
  told INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE handed_contact(
  list BLOB NOT NULL,
  contact BLOB NOT NULL,
  told INTEGER NOT NULL,
  PRIMARY KEY(list, contact)
) STRICT, WITHOUT ROWID;
CREATE INDEX handed_contact_by_contact ON handed_contact(contact);
";

/// One list, and how many contacts a list with its filter shows.
pub(crate) struct ListRow {
    pub id: ListId,
    pub name: String,
    pub by: UserId,
    pub by_name: String,
    pub at: UnixMs,
    pub contacts: u64,
}

fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Takes a part of the lists. With the last one, what was not among them is gone.
pub(crate) fn take(conn: &Connection, part: &Lists) -> Result<()> {
    let before = meta::get::<i64>(conn, key::LISTS_TOLD)?.unwrap_or(0);
    let told = if part.first { before + 1 } else { before };
    if part.first {
        meta::set(conn, key::LISTS_TOLD, told)?;
        meta::remove(conn, key::LISTS_STATE)?;
        meta::remove(conn, key::LISTS_HOLES)?;
    }
    for list in &part.lists {
        let place: i64 = conn
            .prepare_cached("SELECT count(*) FROM handed_list WHERE told = ?1")?
            .query_row([told], |row| row.get(0))?;
        conn.prepare_cached(
            "INSERT INTO handed_list(id, name, by, by_name, at, place, told)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT(id) DO UPDATE SET name = excluded.name, by = excluded.by,
               by_name = excluded.by_name, at = excluded.at, told = excluded.told,
               place = iif(told = excluded.told, place, excluded.place)",
        )?
        .execute(params![
            list.id.as_bytes(),
            list.name,
            list.by.as_bytes(),
            list.by_name,
            list.at,
            place,
            told
        ])?;
        let mut statement = conn.prepare_cached(
            "INSERT INTO handed_contact(list, contact, told) VALUES (?1, ?2, ?3)
             ON CONFLICT(list, contact) DO UPDATE SET told = excluded.told",
        )?;
        for contact in &list.contacts {
            statement.execute(params![list.id.as_bytes(), contact.as_bytes(), told])?;
        }
    }
    // Taken away since the lists were read: what is told of it is over, and the state is not the one that
    // the server means.
    let late = conn
        .prepare_cached(
            "DELETE FROM handed_contact
             WHERE contact IN (SELECT id FROM dropped WHERE cursor > ?1)",
        )?
        .execute([int(part.cursor)])?;
    if late > 0 {
        meta::set(conn, key::LISTS_HOLES, 1)?;
    }
    if !part.last {
        return Ok(());
    }
    conn.prepare_cached("DELETE FROM handed_contact WHERE told <> ?1")?.execute([told])?;
    conn.prepare_cached("DELETE FROM handed_list WHERE told <> ?1")?.execute([told])?;
    meta::set(conn, key::LISTS_LEFT_OUT, int(part.left_out))?;
    if meta::get::<i64>(conn, key::LISTS_HOLES)?.is_none() {
        meta::set(conn, key::LISTS_STATE, part.state.to_be_bytes())?;
    }
    Ok(())
}

/// Which lists are here, as the server named them; `None` where it is to tell them anew.
pub(crate) fn state(conn: &Connection) -> Result<Option<u64>> {
    let bytes: Option<[u8; 8]> = meta::get(conn, key::LISTS_STATE)?;
    Ok(bytes.map(u64::from_be_bytes))
}

/// Takes a contact out of every list. It may come back, so the server is to tell the lists anew.
pub(crate) fn remove(conn: &Connection, contact: ContactId) -> Result<bool> {
    let removed = conn
        .prepare_cached("DELETE FROM handed_contact WHERE contact = ?1")?
        .execute(params![contact.as_bytes()])?;
    if removed > 0 {
        meta::remove(conn, key::LISTS_STATE)?;
    }
    Ok(removed > 0)
}

/// The lists, those that were handed over last first. Archived contacts do not count.
pub(crate) fn all(conn: &Connection) -> Result<Vec<ListRow>> {
    let mut statement = conn.prepare_cached(
        "SELECT l.id, l.name, l.by, l.by_name, l.at,
                (SELECT count(*) FROM handed_contact m JOIN projection p ON p.id = m.contact
                 WHERE m.list = l.id AND p.archived = 0)
         FROM handed_list l ORDER BY l.told DESC, l.place",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(ListRow {
            id: ListId::from_bytes(row.get(0)?),
            name: row.get(1)?,
            by: UserId::from_bytes(row.get(2)?),
            by_name: row.get(3)?,
            at: row.get(4)?,
            contacts: row.get::<_, i64>(5)?.unsigned_abs(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use roadbook_protocol::wire::HandedList;

    use super::*;
    use crate::store::{drops, schema};

    fn contact(n: u8) -> ContactId {
        ContactId::from_bytes([n; 16])
    }

    fn list(n: u8, contacts: &[u8]) -> HandedList {
        HandedList {
            id: ListId::from_bytes([n; 16]),
            name: format!("List {n}"),
            by: UserId::from_bytes([9; 16]),
            by_name: "Somebody".to_owned(),
            at: i64::from(n),
            contacts: contacts.iter().map(|n| contact(*n)).collect(),
        }
    }

    fn part(first: bool, last: bool, lists: Vec<HandedList>) -> Lists {
        Lists { cursor: 10, first, last, lists, state: 77, unchanged: false, left_out: 0 }
    }

    fn members(conn: &Connection) -> Vec<(u8, u8)> {
        let mut statement =
            conn.prepare("SELECT list, contact FROM handed_contact ORDER BY 1, 2").unwrap();
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, [u8; 16]>(0)?[0], row.get::<_, [u8; 16]>(1)?[0]))
        });
        rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
    }

    fn open() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        schema::migrate(&mut conn, Path::new("x")).unwrap();
        conn
    }

    #[test]
    fn lists_take_the_place_of_those_before_with_the_last_part_only() {
        let conn = open();
        take(&conn, &part(true, true, vec![list(1, &[1, 2]), list(2, &[2])])).unwrap();
        assert_eq!(state(&conn).unwrap(), Some(77));
        assert_eq!(members(&conn), [(1, 1), (1, 2), (2, 2)]);

        take(&conn, &part(true, false, vec![list(3, &[3]), list(1, &[2])])).unwrap();
        assert_eq!(state(&conn).unwrap(), None, "half of them is no state");
        assert_eq!(all(&conn).unwrap().len(), 3, "nothing is gone yet");
        take(&conn, &part(false, true, vec![list(1, &[4])])).unwrap();
        assert_eq!(members(&conn), [(1, 2), (1, 4), (3, 3)]);
        let names: Vec<String> = all(&conn).unwrap().into_iter().map(|list| list.name).collect();
        assert_eq!(names, ["List 3", "List 1"], "in the order in which they were told");
        assert_eq!(state(&conn).unwrap(), Some(77));
    }

    #[test]
    fn a_contact_that_was_taken_away_is_in_no_list_and_the_lists_are_told_anew() {
        let conn = open();
        take(&conn, &part(true, true, vec![list(1, &[1, 2])])).unwrap();
        assert!(remove(&conn, contact(1)).unwrap());
        assert_eq!((members(&conn), state(&conn).unwrap()), (vec![(1, 2)], None));
        assert!(!remove(&conn, contact(1)).unwrap());

        // Lists that were read before it was taken away, and come after the page that says so.
        drops::note(&conn, contact(2), 11).unwrap();
        take(&conn, &part(true, true, vec![list(1, &[2, 3])])).unwrap();
        assert_eq!((members(&conn), state(&conn).unwrap()), (vec![(1, 3)], None));
    }
}
