//! Copied, restored, damaged and locked replicas (rule 5, P7).

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::office::Office;
use super::{Device, enrol, field, options, person, set};
use crate::{Error, ListQuery, Replica};

fn copy_home(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Opens a copy of the device's home, with the marker bent so that the copy is not noticed.
fn unnoticed_copy(device: &Device, seed: u64) -> Device {
    let dir = TempDir::new().unwrap();
    device.replica.suspend();
    copy_home(device.home(), dir.path());
    device.replica.resume().unwrap();
    let database = dir.path().join("replica.db");
    let incarnation = dir.path().join("incarnation");
    let marker: serde_json::Value =
        serde_json::from_slice(&fs::read(&incarnation).unwrap()).unwrap();
    let mut here = serde_json::to_value(
        crate::identity::Incarnation::new(&database, "machine", &crate::SystemEntropy::default())
            .unwrap(),
    )
    .unwrap();
    here["marker"] = marker["marker"].clone();
    fs::write(&incarnation, here.to_string()).unwrap();
    let replica = Replica::open(dir.path(), options(seed)).unwrap();
    assert_eq!(replica.status().unwrap().copied_at, None);
    Device { dir, replica, seed }
}

#[test]
fn a_copied_home_is_noticed_and_writes_with_a_new_actor() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    let dir = TempDir::new().unwrap();
    a.replica.suspend();
    copy_home(a.home(), dir.path());
    a.replica.resume().unwrap();
    let copy = Device { replica: Replica::open(dir.path(), options(77)).unwrap(), dir, seed: 77 };
    assert!(copy.replica.status().unwrap().copied_at.is_some());
    assert_eq!(a.replica.status().unwrap().copied_at, None);
    a.replica.edit(id, &[set("company", "Original")]).unwrap();
    copy.replica.edit(id, &[set("industry", "Copy")]).unwrap();
    office.converge(&[&a, &copy]);
    assert_eq!(office.text(id, "company"), "Original");
    assert_eq!(office.text(id, "industry"), "Copy");
    assert_eq!(copy.replica.quarantine().unwrap(), []);
}

#[test]
fn a_bit_that_flips_in_who_the_replica_is_makes_no_stranger_of_it() {
    let names = ["workspace", "workspace_key", "user", "device", "server_url", "bound"];
    let mut device = Device::new(1);
    let me = |device: &Device| {
        let status = device.replica.status().unwrap();
        (status.workspace, status.user, status.device, status.server_url)
    };
    let enrolled = me(&device);
    for name in names {
        // Of a text this makes one that is none.
        let alter = "UPDATE meta SET value = CASE typeof(value)
                 WHEN 'text' THEN CAST(x'FF' || CAST(substr(value, 2) AS BLOB) AS TEXT)
                 ELSE CAST(x'FF' || substr(value, 2) AS BLOB) END
             WHERE key = ?1";
        let altered = device.replica.write("test", |write| Ok(write.tx.execute(alter, [name])?));
        assert_eq!(altered.unwrap(), 1, "{name}");
        device = device.reopen();
        assert_eq!(me(&device), enrolled, "{name}");
    }
    // The copy itself was made anew.
    device
        .replica
        .write("test", |write| Ok(write.tx.execute("DELETE FROM meta WHERE key = 'device'", [])?))
        .unwrap();
    device = device.reopen();
    assert_eq!(me(&device), enrolled);
}

#[test]
fn another_machine_is_another_incarnation() {
    let a = Device::new(1);
    person(&a.replica, "Karen", "Holm");
    a.replica.close();
    let elsewhere = crate::OpenOptions { machine_id: Some("other".into()), ..options(5) };
    let replica = Replica::open(a.home(), elsewhere).unwrap();
    assert!(replica.status().unwrap().copied_at.is_some());
}

#[test]
fn an_unnoticed_copy_is_found_as_forked_and_no_edit_of_either_is_lost() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    let copy = unnoticed_copy(&a, 77);
    a.replica.edit(id, &[set("company", "Original")]).unwrap();
    copy.replica.edit(id, &[set("industry", "Copy")]).unwrap();
    copy.replica.edit(id, &[set("job_title", "Copy too")]).unwrap();
    let alone = person(&copy.replica, "Only", "There");
    office.converge(&[&a, &copy]);
    assert_eq!(office.text(id, "company"), "Original");
    assert_eq!(office.text(id, "industry"), "Copy");
    assert_eq!(office.text(id, "job_title"), "Copy too");
    assert_eq!(office.text(alone, "given_name"), "Only");
    assert_eq!(copy.replica.quarantine().unwrap(), []);
}

#[test]
fn a_fork_that_comes_from_above_sets_one_contact_aside_and_the_page_goes_on() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    let other = person(&a.replica, "Lars", "Holm");
    office.exchange(&a.replica);
    let copy = unnoticed_copy(&a, 77);
    a.replica.edit(id, &[set("company", "Original")]).unwrap();
    a.replica.edit(other, &[set("company", "Other")]).unwrap();
    office.exchange(&a.replica);
    copy.replica.edit(id, &[set("industry", "Copy")]).unwrap();
    // Down before up: the clash is found in the page.
    let page = office.page(&copy.replica, copy.replica.status().unwrap().cursor);
    assert_eq!(page.items.len(), 2);
    copy.replica.apply_page(office.timeline, &page).unwrap();
    assert_eq!(copy.replica.status().unwrap().set_aside, 1);
    assert_eq!(field(&copy.replica, other, "company"), "Other");
    office.converge(&[&a, &copy]);
    assert_eq!(office.text(id, "company"), "Original");
    assert_eq!(office.text(id, "industry"), "Copy");
}

#[test]
fn enrolling_again_keeps_unsent_edits_and_authors_them_anew() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    a.replica.edit(id, &[set("company", "Unsent")]).unwrap();
    let before = a.replica.outbox(false).unwrap().pop().unwrap();
    enrol(&a.replica, 99);
    office.converge(&[&a]);
    assert_eq!(office.text(id, "company"), "Unsent");
    let after = a.replica.outbox(true).unwrap().pop().unwrap();
    assert_eq!(after.edit_id, before.edit_id);
    assert_ne!(after.hash, before.hash, "the old actor belongs to the old device");
}

#[test]
fn a_replica_is_not_given_to_another_user() {
    let a = Device::new(1);
    let mut granted = roadbook_protocol::wire::Enrolled {
        workspace: super::WORKSPACE,
        workspace_name: String::new(),
        device: roadbook_protocol::ids::DeviceId::from_bytes([4; 16]),
        user: roadbook_protocol::ids::UserId::from_bytes([5; 16]),
        login: "other".into(),
        user_name: String::new(),
        workspace_key: Vec::new(),
        sealing: None,
        certificate: Vec::new(),
    };
    let bind = |granted: &roadbook_protocol::wire::Enrolled| {
        a.replica.inner.home.new_key().unwrap();
        a.replica.bind(&crate::binding::Binding {
            granted: granted.clone(),
            server_url: "http://127.0.0.1:1".into(),
            pin: None,
            device_name: "x".into(),
        })
    };
    assert!(matches!(bind(&granted), Err(Error::NotAllowed { .. })));
    granted.user = super::REP;
    assert!(bind(&granted).is_ok());
}

#[test]
fn a_second_process_is_told_who_holds_the_replica() {
    let a = Device::new(1);
    let second = Replica::open(a.home(), options(2));
    let Err(Error::Locked { holder, .. }) = second else { panic!("opened twice") };
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    a.replica.suspend();
    assert!(matches!(a.replica.status(), Err(Error::Suspended)));
    let second = Replica::open(a.home(), options(2)).unwrap();
    assert!(matches!(a.replica.resume(), Err(Error::Locked { .. })));
    second.close();
    a.replica.resume().unwrap();
    assert!(a.replica.status().is_ok());
}

#[test]
fn a_damaged_database_is_set_aside_and_unsent_edits_are_salvaged() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    for n in 0..200 {
        person(&a.replica, "Filler", &format!("Nr {n}"));
    }
    office.exchange(&a.replica);
    a.replica.edit(id, &[set("company", "Unsent")]).unwrap();
    let fresh = person(&a.replica, "Never", "Sent");
    a.replica.close();
    // The pages of the projection rows are hit; those of the changes are not.
    let database = a.home().join("replica.db");
    damage(&database, "projection");
    fs::write(a.home().join("examine"), b"").unwrap();
    let replica = Replica::open(a.home(), options(3)).unwrap();
    let status = replica.status().unwrap();
    let aside = status.set_aside_file.clone().unwrap();
    assert!(a.home().join(&aside).exists(), "{aside} is kept");
    assert!(status.enrolled && status.unsent == 2, "{status:?}");
    let salvaged = Device { dir: a.dir, replica, seed: 3 };
    office.converge(&[&salvaged]);
    assert_eq!(office.text(id, "company"), "Unsent");
    assert_eq!(office.text(fresh, "given_name"), "Never");
    assert_eq!(salvaged.replica.status().unwrap().contacts, 202);
}

#[test]
fn a_file_with_a_text_that_can_not_be_read_is_set_aside_at_the_next_start() {
    let (mut office, a) = (Office::new(), Device::new(1));
    let id = person(&a.replica, "Karen", "Holm");
    office.exchange(&a.replica);
    a.replica.edit(id, &[set("company", "Unsent")]).unwrap();
    // A bit flips in a text: SQLite itself never notices.
    let conn = crate::at_rest::open_file(a.home());
    conn.execute("UPDATE projection SET row = CAST(x'7bff7d' AS TEXT)", []).unwrap();
    let verdict: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    drop(conn);
    let error = a.replica.list(&ListQuery::default()).unwrap_err();
    assert!(error.to_string().contains("open it again"), "{error}");
    a.replica.close();
    let replica = Replica::open(a.home(), options(3)).unwrap();
    let status = replica.status().unwrap();
    assert!(status.set_aside_file.is_some() && status.unsent == 1, "{status:?}");
    let salvaged = Device { dir: a.dir, replica, seed: 3 };
    office.converge(&[&salvaged]);
    assert_eq!(office.text(id, "company"), "Unsent");
    assert_eq!(salvaged.replica.list(&ListQuery::default()).unwrap().total, 1);
}

/// An index that says what its table does not shows as a statement that is refused.
#[test]
fn a_file_that_contradicts_itself_is_examined_at_the_next_start_and_kept_where_it_is_sound() {
    let a = Device::new(1);
    let twice = "INSERT INTO meta(key) VALUES ('twice'), ('twice')";
    let refused = a.replica.write("test", |write| Ok(write.tx.execute(twice, [])?));
    assert!(refused.unwrap_err().to_string().contains("constraint"));
    assert!(a.home().join("examine").exists());
    a.replica.close();
    let replica = Replica::open(a.home(), options(3)).unwrap();
    assert_eq!(replica.status().unwrap().set_aside_file, None);
    assert!(!a.home().join("examine").exists());
}

/// A file that is damaged is kept; that it was plain is no reason to leave it so.
#[test]
fn a_damaged_plain_database_is_kept_encrypted_where_the_replica_is() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("replica.db"), b"MarkerOfDamage".repeat(2000)).unwrap();
    fs::write(dir.path().join("replica.db.damaged-7"), b"MarkerOfDamage".repeat(9)).unwrap();
    let replica = Replica::open(dir.path(), options(1)).unwrap();
    let aside = replica.status().unwrap().set_aside_file.unwrap();
    replica.close();
    let held = |name: &str| fs::read(dir.path().join(name)).unwrap_or_default();
    let encrypted = crate::at_rest::BUILT_IN;
    for name in [aside.as_str(), "replica.db.damaged-7"] {
        let sealed = held(&format!("{name}.sealed"));
        assert_eq!((held(name).is_empty(), sealed.is_empty()), (encrypted, !encrypted), "{name}");
        assert!(!sealed.windows(14).any(|part| part == b"MarkerOfDamage"), "{name}");
    }
}

/// Where the tables are is said on the first page; they lie elsewhere once the database was written anew
/// as a whole, as it is when a contact has left.
#[test]
fn a_database_that_lost_its_first_page_still_gives_up_its_unsent_edits() {
    for vacuumed in [false, true] {
        let (mut office, a) = (Office::new(), Device::new(1));
        let id = person(&a.replica, "Karen", "Holm");
        for n in 0..50 {
            person(&a.replica, "Filler", &format!("Nr {n}"));
        }
        office.exchange(&a.replica);
        a.replica.edit(id, &[set("company", "Unsent")]).unwrap();
        a.replica.close();
        if vacuumed {
            crate::at_rest::open_file(a.home()).execute_batch("VACUUM").unwrap();
        }
        overwrite(&a.home().join("replica.db"), 0, 4096);
        let replica = Replica::open(a.home(), options(3)).unwrap();
        let status = replica.status().unwrap();
        assert!(status.set_aside_file.is_some());
        assert!(status.enrolled && status.unsent == 1, "vacuumed {vacuumed}: {status:?}");
        let salvaged = Device { dir: a.dir, replica, seed: 3 };
        office.converge(&[&salvaged]);
        assert_eq!(office.text(id, "company"), "Unsent");
    }
}

/// Overwrites the root page of a table.
fn damage(database: &Path, table: &str) {
    let conn = crate::at_rest::open_file(database.parent().unwrap());
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let (root, size): (u64, u64) = conn
        .query_row(
            "SELECT rootpage, (SELECT CAST(page_size AS INTEGER) FROM pragma_page_size) FROM sqlite_schema WHERE name = ?1",
            [table],
            |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)),
        )
        .unwrap();
    drop(conn);
    overwrite(database, (root - 1) * size, size);
}

fn overwrite(database: &Path, at: u64, bytes: u64) {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = fs::OpenOptions::new().write(true).open(database).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&vec![0xa5; bytes as usize]).unwrap();
}

#[test]
fn a_file_that_is_no_database_is_set_aside_too() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("replica.db"), vec![0x55; 20_000]).unwrap();
    let replica = Replica::open(dir.path(), options(1)).unwrap();
    assert!(replica.status().unwrap().set_aside_file.is_some());
    enrol(&replica, 1);
    person(&replica, "Karen", "Holm");
}
