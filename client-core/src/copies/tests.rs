//! The file beside the database, and what becomes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, UserId};
use roadbook_protocol::sealing::OpeningKey;
use roadbook_protocol::wire::{KeyAlgorithm, Sealed, SealedEdit, SealedStored};

use super::*;
use crate::tests::{
    Device, REP, WORKSPACE, enrol, enrol_as, opening_key, options, person, saved, sealing_key, set,
};

/// In every edit of these tests.
const MARKER: &str = "zzmarkerzz";

fn copies_of(home: &Path) -> PathBuf {
    home.join(file::FILE)
}

/// What the workspace finds in a file.
fn opened(path: &Path, key: &OpeningKey) -> Vec<SealedEdit> {
    let device = file::read(path).unwrap().unwrap().header.device;
    let (mut at, mut edits) = (0, Vec::new());
    while let Some(file::Part { sealed, next, .. }) = file::part_at(path, at).unwrap() {
        edits.extend(sealed.open((&WORKSPACE, &device, &REP), key, 1 << 24).unwrap());
        at = next;
    }
    edits
}

/// Every change that is not sent is in the file, in its order, and nothing else but those that arrived.
#[track_caller]
fn in_step(device: &Device) {
    let unsent = device.replica.read(unsent).unwrap();
    assert_eq!(opened(&copies_of(device.home()), &opening_key()), unsent);
    assert_eq!(device.replica.status().unwrap().copies, CopyStatus::default());
}

fn edited(seed: u64, edits: usize) -> (Device, ContactId) {
    let device = Device::new(seed);
    let id = person(&device.replica, MARKER, "Family");
    for n in 1..edits {
        edit(&device, id, n);
    }
    (device, id)
}

fn edit(device: &Device, id: ContactId, n: usize) {
    saved(device.replica.edit(id, &[set("job_title", &format!("{MARKER} {n}"))]).unwrap());
}

fn acknowledge(replica: &Replica) {
    let (changes, _) = replica.load_outbox(0, 10_000, usize::MAX).unwrap();
    let all: Vec<_> = changes.iter().map(|change| (change.contact, change.hash)).collect();
    replica.record_stored(&all).unwrap();
}

#[test]
fn every_edit_has_a_copy_that_the_workspace_alone_can_read_until_it_arrives() {
    let (device, id) = edited(1, 5);
    in_step(&device);
    let path = copies_of(device.home());
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(MARKER.len()).any(|part| part == MARKER.as_bytes()));
    let commands: Vec<String> =
        opened(&path, &opening_key()).into_iter().map(|edit| edit.commands).collect();
    assert!(commands.last().unwrap().contains("zzmarkerzz 4"), "{commands:?}");
    let head = fs::metadata(&path).unwrap().len();
    acknowledge(&device.replica);
    let emptied = fs::metadata(&path).unwrap().len();
    assert!(emptied < head / 2, "nothing is left of what arrived: {emptied} of {head}");
    in_step(&device);
    edit(&device, id, 9);
    in_step(&device);
    assert_eq!(opened(&path, &opening_key()).len(), 1);
    // A second opening finds it as it is and leaves it alone.
    let before = fs::read(&path).unwrap();
    let device = device.reopen();
    assert_eq!(fs::read(&path).unwrap(), before);
    edit(&device, id, 10);
    in_step(&device);
}

#[test]
fn a_file_that_is_torn_anywhere_is_whole_again_after_the_next_opening() {
    let (mut device, id) = edited(2, 4);
    let path = copies_of(device.home());
    let whole = fs::read(&path).unwrap();
    let mut cuts: Vec<usize> = (0..whole.len()).step_by(97).collect();
    cuts.extend([whole.len() - 1, 1, 19, 20]);
    for cut in cuts {
        device.replica.close();
        fs::write(&path, &whole[..cut]).unwrap();
        device = device.reopen();
        in_step(&device);
    }
    device.replica.close();
    // Something behind the last part, and a bit in the middle.
    for damage in 0..2 {
        let mut bytes = fs::read(&path).unwrap();
        match damage {
            0 => bytes.extend_from_slice(&[0; 7]),
            _ => bytes[whole.len() / 2] ^= 4,
        }
        fs::write(&path, bytes).unwrap();
        device = device.reopen();
        in_step(&device);
        device.replica.close();
    }
    fs::remove_file(&path).unwrap();
    device = device.reopen();
    in_step(&device);
    edit(&device, id, 20);
    in_step(&device);
}

#[test]
fn an_edit_is_saved_where_its_copy_is_not_and_the_status_says_so_until_it_is() {
    let (device, id) = edited(3, 2);
    let replica = &device.replica;
    let waited = replica.copies().lock().book.as_mut().map(Book::fill_the_disk);
    assert_eq!(waited, Some(()));
    // It can't be written anew either.
    let in_the_way = device.home().join("copies.new");
    fs::create_dir(&in_the_way).unwrap();
    edit(&device, id, 2);
    edit(&device, id, 3);
    let status = replica.status().unwrap();
    assert_eq!(status.unsent, 4);
    let trouble = status.copies.trouble.unwrap();
    assert!(matches!(&trouble, CopyTrouble::Storage { reason } if !reason.is_empty()));
    assert!(trouble.to_string().contains("No space"), "{trouble}");
    // An acknowledgement is the moment to try again: in vain, then not.
    let (changes, _) = replica.load_outbox(0, 1, usize::MAX).unwrap();
    let first = [(changes[0].contact, changes[0].hash)];
    replica.record_stored(&first).unwrap();
    assert!(replica.status().unwrap().copies.trouble.is_some());
    fs::remove_dir(&in_the_way).unwrap();
    replica.record_stored(&first).unwrap();
    in_step(&device);
    edit(&device, id, 4);
    in_step(&device);
}

#[test]
fn the_copy_of_an_edit_that_was_not_committed_is_taken_back() {
    for durability in [Durability::Off, Durability::Full] {
        let dir = tempfile::TempDir::new().unwrap();
        let options = crate::OpenOptions { durability, ..options(4) };
        let device = Device { replica: Replica::open(dir.path(), options).unwrap(), dir, seed: 4 };
        enrol(&device.replica, 4);
        let id = person(&device.replica, MARKER, "Family");
        let before = fs::read(copies_of(device.home())).unwrap();
        let failed = device.replica.write("edit", |write| {
            write.tx.pragma_update(None, "defer_foreign_keys", true)?;
            write.tx.execute(
                "INSERT INTO change(contact, hash, bytes, live, local, receipt, settled, pos, actor, seq)
                 SELECT contact, zeroblob(32), bytes, 0, 1, 'saved', 0, 1000, actor, 99
                 FROM change WHERE edit IS NOT NULL",
                [],
            )?;
            // Nobody is there to belong to.
            write.tx.execute("INSERT INTO projection(num, id, version, row, sort_key, archived) \
                              SELECT 4711, x'00', version, row, sort_key, archived FROM projection", [])?;
            let contact =
                write.tx.query_row("SELECT contact FROM change WHERE pos = 1000", [], |row| row.get(0))?;
            write.added.push((contact, ChangeHash([0; 32])));
            assert!(device.replica.copies().of(write)?.is_some(), "there is something to copy");
            Ok(())
        });
        assert!(matches!(failed, Err(Error::Storage(_))), "{failed:?}");
        assert_eq!(fs::read(copies_of(device.home())).unwrap(), before);
        edit(&device, id, 1);
        in_step(&device);
    }
}

#[test]
fn after_the_workspace_has_another_key_everything_is_sealed_to_that() {
    let (device, _) = edited(5, 3);
    let new = OpeningKey::derive(&[33; 32]);
    let path = copies_of(device.home());
    device
        .replica
        .write("opened", |write| {
            meta::set(&write.tx, key::SEALING_KEY, sealing_key(&new).key)?;
            write.then(Aftermath::Compare);
            Ok(())
        })
        .unwrap();
    let edits = opened(&path, &new);
    assert_eq!(edits, device.replica.read(unsent).unwrap());
}

#[test]
fn without_a_key_to_seal_to_edits_are_saved_and_the_status_says_what_is_missing() {
    let (device, id) = edited(6, 1);
    let forget = |write: &mut Write<'_>| {
        meta::remove(&write.tx, key::SEALING_KEY)?;
        write.then(Aftermath::Compare);
        Ok(())
    };
    device.replica.write("test", forget).unwrap();
    edit(&device, id, 1);
    let status = device.replica.status().unwrap();
    assert_eq!((status.unsent, status.copies.trouble), (2, Some(CopyTrouble::NoSealingKey)));
}

#[test]
fn the_file_stays_small_however_long_a_device_is_away() {
    let (device, id) = edited(7, 1);
    let many = PARTS_MAX as usize + 40;
    for n in 0..many {
        edit(&device, id, n);
    }
    let contents = file::read(&copies_of(device.home())).unwrap().unwrap();
    assert!(contents.parts < PARTS_MAX / 4, "{} parts", contents.parts);
    assert_eq!(contents.edits, many as u64 + 1);
    in_step(&device);
    // Most of it arrives: what is left is written anew.
    let (changes, _) = device.replica.load_outbox(0, 10_000, usize::MAX).unwrap();
    let some: Vec<_> =
        changes[..many - 20].iter().map(|change| (change.contact, change.hash)).collect();
    device.replica.record_stored(&some).unwrap();
    let device = device.reopen();
    in_step(&device);
}

/// As a lost key leaves it: nothing of the database can be read, the copies lie there.
fn lose_the_key(device: &Device) {
    device.replica.close();
    for entry in fs::read_dir(device.home()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != file::FILE {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn handed_over(replica: &Replica) -> Vec<Sealed> {
    let mut all = Vec::new();
    while let Some(sealed) = replica.next_copy().unwrap() {
        let stored =
            SealedStored { taken: sealed.edits, ..SealedStored::taken(sealed.bundle, sealed.part) };
        replica.record_copied(&stored).unwrap();
        all.push(sealed);
    }
    all
}

#[test]
fn a_replica_whose_key_is_lost_hands_its_copies_over_under_its_next_enrolment() {
    let (device, _) = edited(8, 3);
    let own = device.replica.inner.home.key().unwrap().unwrap().public().to_vec();
    let device_id = device.replica.read(|conn| device.replica.me(conn)).unwrap().device;
    let unsent_then = device.replica.read(unsent).unwrap();
    lose_the_key(&device);
    let device = device.reopen();
    let replica = &device.replica;
    assert!(!replica.status().unwrap().enrolled);
    assert_eq!(replica.status().unwrap().copies.waiting, 0, "it is nobody's yet");
    enrol(replica, 80);
    assert_eq!(replica.status().unwrap().copies.waiting, 3);
    assert!(replica.copies().are_due());
    // An edit of the new device does not touch them, nor does a restart.
    let id = person(replica, "New", "Family");
    let device = device.reopen();
    let replica = &device.replica;
    assert_eq!(replica.status().unwrap().copies.waiting, 3);
    let refused = replica.forget(false).unwrap_err();
    assert!(matches!(refused, Error::NotAllowed { .. }), "{refused}");

    let parts = handed_over(replica);
    let mut edits = Vec::new();
    for sealed in &parts {
        let origin = sealed.origin.as_ref().unwrap();
        assert_eq!(origin.device, device_id);
        assert!(origin.holds(sealed, &WORKSPACE, &REP, (KeyAlgorithm::Ed25519, &own)));
        let whose = (&WORKSPACE, &device_id, &REP);
        edits.extend(sealed.open(whose, &opening_key(), 1 << 24).unwrap());
    }
    assert_eq!(edits, unsent_then);
    let places: BTreeSet<_> =
        parts.iter().map(|sealed| (*sealed.bundle.as_bytes(), sealed.part)).collect();
    assert_eq!(places.len(), parts.len(), "each has a place of its own");
    let status = replica.status().unwrap().copies;
    assert_eq!(status.waiting, 0);
    assert_eq!(status.recovered, Some(Recovered { taken: 3, proposed: 0, kept: 0 }));
    assert!(file::waiting(device.home()).unwrap().is_empty());
    edit(&device, id, 1);
    let unsent_now = replica.read(unsent).unwrap();
    assert_eq!(opened(&copies_of(device.home()), &opening_key()), unsent_now);
}

#[test]
fn copies_of_another_user_and_those_that_are_refused_are_kept() {
    let (device, _) = edited(9, 2);
    lose_the_key(&device);
    let device = device.reopen();
    enrol_as(&device.replica, 90, UserId::from_bytes([77; 16]));
    assert_eq!(device.replica.next_copy().unwrap(), None);
    let status = device.replica.status().unwrap().copies;
    assert!(status.refused.unwrap().contains("another user"));
    assert_eq!(status.waiting, 2);

    // Their own user: the server refuses one of the parts.
    lose_the_key_but_keep_waiting(&device);
    let device = device.reopen();
    let replica = &device.replica;
    enrol(replica, 91);
    let first = replica.next_copy().unwrap().unwrap();
    let refused = SealedStored {
        code: "unknown_device".into(),
        reason: "it is not known here".into(),
        ..SealedStored::taken(first.bundle, first.part)
    };
    replica.record_copied(&refused).unwrap();
    let rest = handed_over(replica);
    assert!(!rest.is_empty() && !rest.contains(&first), "each once");
    assert_eq!(file::waiting(device.home()).unwrap().len(), 1, "the file is kept");
    let status = replica.status().unwrap().copies;
    assert!(status.refused.unwrap().contains("unknown_device"));
    // And tried again after the next opening.
    let device = device.reopen();
    assert_eq!(handed_over(&device.replica).len(), rest.len() + 1);
    assert!(file::waiting(device.home()).unwrap().is_empty());
}

#[test]
fn a_damaged_part_costs_itself_alone_and_its_file_is_kept() {
    /// A place in a part that lies between the two: from its beginning, or from its end.
    #[derive(Clone, Copy)]
    enum At {
        Begin(u64),
        End(u64),
    }
    // The last byte of a part, and the first, third and fourth of the length that stands before it.
    let cases = [
        (20, 0, At::End(1)),
        (21, 1, At::End(1)),
        (22, 3, At::End(1)),
        (23, 0, At::Begin(0)),
        (24, 1, At::Begin(0)),
        (25, 1, At::Begin(2)),
        (26, 2, At::Begin(3)),
        (27, 3, At::Begin(3)),
        (28, 3, At::Begin(0)),
    ];
    for (seed, damaged, place) in cases {
        let (device, _) = edited(seed, 4);
        let path = copies_of(device.home());
        let (mut at, mut places) = (0, vec![file::read(&path).unwrap().unwrap().parts_at]);
        while let Some(part) = file::part_at(&path, at).unwrap() {
            places.push(part.next);
            at = part.next;
        }
        assert_eq!(places.len(), 5);
        lose_the_key(&device);
        let mut bytes = fs::read(&path).unwrap();
        let flipped = match place {
            At::Begin(byte) => places[damaged] + byte,
            At::End(byte) => places[damaged + 1] - byte,
        };
        bytes[usize::try_from(flipped).unwrap()] ^= 1;
        fs::write(&path, bytes).unwrap();
        let device = device.reopen();
        enrol(&device.replica, seed * 10);
        assert_eq!(handed_over(&device.replica).len(), 3, "part {damaged}");
        let waiting = file::waiting(device.home()).unwrap();
        assert_eq!(waiting.len(), 1, "what can't be read is nowhere else: part {damaged}");
        let status = device.replica.status().unwrap().copies;
        assert!(status.refused.is_some_and(|reason| reason.contains("damaged")), "part {damaged}");
    }
}

fn lose_the_key_but_keep_waiting(device: &Device) {
    device.replica.close();
    for entry in fs::read_dir(device.home()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("copies.waiting-") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// A database that was put back to an older state does not know what was edited since; the file does.
#[test]
fn what_a_restored_database_does_not_know_is_handed_over_from_the_copies() {
    let (mut device, id) = edited(10, 2);
    device.replica.close();
    let old = fs::read(device.home().join("replica.db")).unwrap();
    device = device.reopen();
    edit(&device, id, 7);
    let known = device.replica.read(unsent).unwrap();
    device.replica.close();
    fs::remove_file(device.home().join("replica.db")).unwrap();
    fs::write(device.home().join("replica.db"), old).unwrap();
    let device = device.reopen();
    assert!(device.replica.status().unwrap().copied_at.is_some(), "it is found to be restored");
    let waiting = file::waiting(device.home()).unwrap();
    assert_eq!(opened(&waiting[0], &opening_key()), known);
    assert!(device.replica.copies().are_due());
}
