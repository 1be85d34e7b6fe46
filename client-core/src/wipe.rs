//! Wiping a device that was revoked (rule 20): what was not sent is sealed to the workspace, and
//! everything else is destroyed.
//!
//! Order: the sealed bundle is on the disk, then a note of it beside it, then the key of the data goes,
//! then the data. Whatever
//! ends the program in between, the next start goes on; nothing is destroyed before it is sealed, and
//! the bundle stays until the server has it. The note holds no customer data.

use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use roadbook_protocol::ids::{DeviceId, EditId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{
    self, Frame, SEALED_PARTS_MAX, Sealed, SealedEdit, SealedStored, WipeOrder, Wiped,
};
use serde::{Deserialize, Serialize};

use crate::at_rest::{self, lost};
use crate::copies::{self, parts, unsent};
use crate::env::random16;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::files;
use crate::identity::Home;
use crate::keys::DEVICE_KEY_NEW;
use crate::observe::Notices;
use crate::replica::{Me, Replica};
use crate::store::meta::{self, key};

/// Says that the device is wiped, and how far handing over is.
const NOTE: &str = "wiped";
/// The sealed parts, one after the other, each behind its length.
const BUNDLE: &str = "sealed";
/// What a replica keeps in its directory; nothing else there is touched.
const OURS: &[&str] = &["replica.db", "incarnation", "salvage", "examine"];

/// How far the wipe of a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub workspace: WorkspaceId,
    pub device: DeviceId,
    pub user: UserId,
    pub server_url: String,
    pub pin: Option<String>,
    /// When the office revoked the device, by the server's clock.
    pub revoked_at: UnixMs,
    /// When it was sealed, by the device's clock.
    pub sealed_at: UnixMs,
    /// The bundle, the last one where one did not hold everything.
    pub bundle: EditId,
    /// Parts of all bundles.
    pub parts: u32,
    /// Parts that the server has.
    pub stored: u32,
    /// Edits in the bundle.
    pub edits: u64,
    /// Whether nothing is left but the bundle.
    pub destroyed: bool,
    /// Whether the server knows of it.
    pub confirmed: bool,
}

impl Note {
    /// The note in a directory, if its replica is wiped.
    pub(crate) fn load(home: &Home) -> Result<Option<Note>> {
        let path = home.path().join(NOTE);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| Error::Damaged {
                what: path.display().to_string(),
                reason: format!(
                    "{error}; this device was wiped: use another --home to enrol it anew"
                ),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file(&path)(error)),
        }
    }

    fn save(&self, home: &Home) -> Result<()> {
        home.write_beside(NOTE, &serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The wipe of the device, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WipeStatus {
    /// When the office revoked the device, milliseconds since 1970.
    pub revoked_at: UnixMs,
    /// Edits that had not been sent and were sealed.
    pub edits: u64,
    /// Whether the office has all of them.
    pub handed_over: bool,
    /// Whether the office knows that the device is wiped.
    pub confirmed: bool,
}

/// Destroys everything in the directory that is a replica's, but for its key and the bundle. May be
/// done twice.
pub(crate) fn destroy(home: &Home, note: &mut Note) -> Result<()> {
    if note.destroyed {
        return Ok(());
    }
    destroy_files(home)?;
    failpoint("wipe_destroyed");
    note.destroyed = true;
    note.save(home)
}

/// Destroys the key of the database, and then everything that is a replica's but the device's key and
/// the bundle.
fn destroy_files(home: &Home) -> Result<()> {
    // First the key: from here on nothing that was encrypted can be read, whatever becomes of the files.
    at_rest::destroy_key(home)?;
    home.forget_secret(DEVICE_KEY_NEW)?;
    failpoint("wipe_key_destroyed");
    let path = home.path();
    for entry in fs::read_dir(path).map_err(Error::file(path))? {
        let entry = entry.map_err(Error::file(path))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if OURS.iter().any(|ours| name.starts_with(ours)) {
            files::erase(&entry.path())?;
        } else if lost::is_ours(&name) {
            lost::erase(&entry.path())?;
        }
    }
    home.sync();
    Ok(())
}

fn bundle_path(home: &Home) -> PathBuf {
    home.path().join(BUNDLE)
}

/// One part of the bundle.
fn read_part(home: &Home, number: u32) -> Result<Sealed> {
    let path = bundle_path(home);
    let damaged = || Error::Damaged {
        what: path.display().to_string(),
        reason: "a sealed part can't be read; what the office has of it stays there".into(),
    };
    let mut file = fs::File::open(&path).map_err(Error::file(&path))?;
    for at in 0.. {
        let mut length = [0; 4];
        file.read_exact(&mut length).map_err(Error::file(&path))?;
        let length = u32::from_be_bytes(length);
        if at < number {
            file.seek(SeekFrom::Current(i64::from(length))).map_err(Error::file(&path))?;
            continue;
        }
        let mut message = vec![0; usize::try_from(length).map_err(|_| damaged())?];
        file.read_exact(&mut message).map_err(Error::file(&path))?;
        return match wire::decode(&message, &Limits::DEFAULT) {
            Ok(Frame::Sealed(sealed)) => Ok(sealed),
            _ => Err(damaged()),
        };
    }
    Err(damaged())
}

/// How many of so many parts are in the last bundle.
fn in_last_bundle(parts: u32) -> u32 {
    match parts {
        0 => 0,
        parts => (parts - 1) % SEALED_PARTS_MAX + 1,
    }
}

impl Replica {
    /// The wipe, if this device was wiped.
    pub fn wipe_status(&self) -> Option<WipeStatus> {
        self.wipe_note().map(|note| WipeStatus {
            revoked_at: note.revoked_at,
            edits: note.edits,
            handed_over: note.stored >= note.parts,
            confirmed: note.confirmed,
        })
    }

    pub(crate) fn wipe_note(&self) -> Option<Note> {
        self.inner.wiped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_wipe_note(&self, note: Option<Note>) {
        *self.inner.wiped.lock().unwrap_or_else(PoisonError::into_inner) = note;
        self.inner.hub.notify(&Notices::of_everything());
    }

    /// # Errors
    /// [`Error::Wiped`] if this device was wiped.
    pub(crate) fn not_wiped(&self) -> Result<()> {
        match self.wipe_note() {
            Some(note) => Err(wiped(&note)),
            None => Ok(()),
        }
    }

    /// Obeys the order of the workspace: seals what is unsent, then destroys everything else. Durable,
    /// and done again from where it ended if the program ends meanwhile.
    ///
    /// # Errors
    /// [`Error::Untrusted`] for an order that the workspace's key did not sign: nothing was done then.
    pub(crate) fn wipe(&self, order: &WipeOrder) -> Result<()> {
        if self.wipe_note().is_some() {
            return Ok(());
        }
        let (me, workspace_key, server_url, pin) = self.read(|conn| {
            let workspace_key = meta::get::<Vec<u8>>(conn, key::WORKSPACE_KEY)?;
            let server_url = meta::get::<String>(conn, key::SERVER_URL)?;
            let pin = meta::get::<String>(conn, key::PIN)?;
            Ok((self.me(conn)?, workspace_key.unwrap_or_default(), server_url, pin))
        })?;
        if !order.holds(&me.workspace, &me.device, &workspace_key) {
            return Err(Error::Untrusted {
                reason: "it gave an order to wipe this device that the workspace did not sign; nothing was \
                         done; ask the office"
                    .into(),
            });
        }
        let Me { workspace, user, device } = me;
        // Nothing is edited between sealing and the note.
        let writer = self.inner.store.lock_writer();
        let edits = match writer.as_ref() {
            Some(conn) => unsent(conn)?,
            None => return Err(Error::Suspended),
        };
        let count = edits.iter().filter(|edit| edit.edit.is_some()).count() as u64;
        let (bundle, parts) = self.seal(me, order, parts(edits, |edit| edit), SEALED_PARTS_MAX)?;
        failpoint("wipe_sealed");
        let mut note = Note {
            workspace,
            device,
            user,
            server_url: server_url.unwrap_or_default(),
            pin,
            revoked_at: order.revoked_at,
            sealed_at: self.now_ms(),
            bundle,
            parts,
            stored: 0,
            edits: count,
            destroyed: false,
            confirmed: false,
        };
        note.save(&self.inner.home)?;
        self.set_wipe_note(Some(note.clone()));
        failpoint("wipe_noted");
        let mut destroyed = Ok(());
        // The copies are in the bundle too; they go once that has arrived.
        self.copies().close();
        // An empty database, so that everything that asks gets an answer.
        self.in_flight().clear();
        self.inner.store.replace(writer, || {
            self.inner.documents.clear();
            self.inner.dropped.store(false, Ordering::SeqCst);
            destroyed = destroy(&self.inner.home, &mut note);
            at_rest::prepare(&self.inner.home, &self.inner.options)
        })?;
        destroyed?;
        self.load_lease()?;
        self.check_incarnation()?;
        self.find_copies(workspace, user);
        self.set_wipe_note(Some(note));
        Ok(())
    }

    /// Seals parts and writes them, durably: bundles of at most so many, since that is what a server
    /// takes of one. Returns the id of the last bundle and the number of all parts.
    fn seal(
        &self,
        me: Me,
        order: &WipeOrder,
        parts: Vec<Vec<SealedEdit>>,
        bundle_parts_max: u32,
    ) -> Result<(EditId, u32)> {
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        let mut bundle = EditId::from_bytes(random16(self.entropy()));
        let mut bytes = Vec::new();
        for (number, edits) in (0..).zip(parts) {
            let in_bundle = number % bundle_parts_max;
            if number > 0 && in_bundle == 0 {
                bundle = EditId::from_bytes(random16(self.entropy()));
            }
            let of = (count - (number - in_bundle)).min(bundle_parts_max);
            let mut random = [0; 32];
            self.entropy().fill(&mut random);
            let whose = (&me.workspace, &me.device, &me.user);
            let place = (bundle, in_bundle, of);
            let sealed = Sealed::seal(whose, place, edits, &order.sealing_key, random)
                .map_err(|error| Error::Untrusted { reason: error.to_string() })?;
            let message = wire::encode(&sealed.into());
            let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&message);
        }
        self.inner.home.write_beside(BUNDLE, &bytes)?;
        Ok((bundle, count))
    }

    /// The next sealed part to hand over, or that there is none.
    pub(crate) fn next_sealed(&self) -> Result<std::result::Result<Sealed, Wiped>> {
        let Some(note) = self.wipe_note() else { return Err(Error::NotEnrolled) };
        if note.stored < note.parts {
            return read_part(&self.inner.home, note.stored).map(Ok);
        }
        // What an earlier device left behind goes up with it.
        if let Some(copy) = self.next_copy()? {
            return Ok(Ok(copy));
        }
        Ok(Err(Wiped { bundle: note.bundle, parts: in_last_bundle(note.parts) }))
    }

    /// The server has a part. With the last one the bundle is deleted, and the sealed copies of what
    /// it holds.
    pub(crate) fn record_sealed(&self, stored: &SealedStored) -> Result<()> {
        let SealedStored { bundle, part, .. } = *stored;
        let Some(mut note) = self.wipe_note() else { return Ok(()) };
        if note.stored >= note.parts {
            return self.record_copied(stored);
        }
        let next = read_part(&self.inner.home, note.stored)?;
        if (next.bundle, next.part) != (bundle, part) {
            return Ok(());
        }
        note.stored += 1;
        note.save(&self.inner.home)?;
        if note.stored == note.parts {
            files::erase(&bundle_path(&self.inner.home))?;
            files::erase(&self.copies_path())?;
        }
        self.set_wipe_note(Some(note));
        Ok(())
    }

    /// The server knows that the device is wiped: its key goes too.
    pub(crate) fn wipe_confirmed(&self) -> Result<()> {
        let Some(mut note) = self.wipe_note() else { return Ok(()) };
        note.confirmed = true;
        note.save(&self.inner.home)?;
        files::erase(&bundle_path(&self.inner.home))?;
        copies::erase_all(&self.inner.home)?;
        self.inner.home.forget_key()?;
        self.set_wipe_note(Some(note));
        Ok(())
    }

    /// Destroys the replica on this device because its user asks for it: contacts, edits, key. The
    /// replica is closed then; the directory may be enrolled anew. The server keeps what it has.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] where there are edits that only this device has, unless
    /// `discard_unsent`. Nothing is done then.
    pub fn forget(&self, discard_unsent: bool) -> Result<()> {
        let writer = self.inner.store.lock_writer();
        let conn = writer.as_ref().ok_or(Error::Suspended)?;
        let here = unsent(conn)?.iter().filter(|edit| edit.edit.is_some()).count() as u64;
        let sealed = self.wipe_note().filter(|note| note.stored < note.parts);
        let only_here = here + sealed.map_or(0, |note| note.edits) + self.copies().waiting();
        if only_here > 0 && !discard_unsent {
            return Err(Error::NotAllowed {
                reason: format!(
                    "{only_here} edits are on this device only: sync once and export the quarantine first, or \
                     say that they are to be thrown away"
                ),
            });
        }
        drop(writer);
        self.close();
        // Closing gave the lock back; nobody may open the directory while it is emptied.
        self.inner.home.lock()?;
        let destroyed = destroy_files(&self.inner.home)
            .and_then(|()| files::erase(&bundle_path(&self.inner.home)))
            .and_then(|()| copies::erase_all(&self.inner.home))
            .and_then(|()| self.inner.home.forget_key())
            .and_then(|()| files::erase(&self.inner.home.path().join(NOTE)));
        self.inner.home.sync();
        self.inner.home.unlock();
        destroyed
    }

    /// What stands in the way of enrolling this directory anew.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] while sealed edits wait to be handed over.
    pub(crate) fn may_enrol(&self) -> Result<()> {
        match self.wipe_note() {
            Some(note) if note.stored < note.parts => Err(Error::NotAllowed {
                reason: format!(
                    "this device was revoked and wiped, and {} sealed edits have still to be handed over: sync \
                     once (`roadbook sync`), then enrol; or use another --home",
                    note.edits
                ),
            }),
            _ => Ok(()),
        }
    }

    /// The device is enrolled anew: it is an empty replica like any other.
    pub(crate) fn forget_wipe(&self) -> Result<()> {
        if self.wipe_note().is_none() {
            return Ok(());
        }
        files::erase(&self.inner.home.path().join(NOTE))?;
        self.inner.home.sync();
        self.set_wipe_note(None);
        Ok(())
    }
}

pub(crate) fn wiped(note: &Note) -> Error {
    Error::Wiped {
        edits: match (note.edits, note.stored >= note.parts) {
            (0, _) => "nothing on it was unsent".to_owned(),
            (n, true) => format!("its {n} unsent edits were handed over to the office"),
            (n, false) => {
                format!("its {n} unsent edits are sealed and go to the office with the next sync")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use roadbook_protocol::ids::ContactId;
    use roadbook_protocol::sealing::OpeningKey;
    use roadbook_protocol::wire::SEALED_PART_BYTES_MAX;

    use super::*;

    #[test]
    fn an_order_that_the_workspace_did_not_sign_is_not_obeyed() {
        let device = crate::tests::Device::new(1);
        let order = WipeOrder { revoked_at: 1, sealing_key: vec![9; 32], signature: vec![7; 64] };
        let refused = device.replica.wipe(&order).unwrap_err();
        assert!(matches!(refused, Error::Untrusted { .. }), "{refused}");
        assert_eq!(device.replica.wipe_status(), None);
        assert!(device.replica.status().unwrap().enrolled, "nothing was done");
    }

    fn edit(n: u8, size: usize) -> SealedEdit {
        SealedEdit {
            contact: ContactId::from_bytes([n; 16]),
            hash: None,
            bytes: vec![n; size],
            actor: None,
            edit: None,
            commands: String::new(),
            label: String::new(),
            at: 0,
            code: String::new(),
            reason: String::new(),
        }
    }

    #[test]
    fn more_parts_than_a_bundle_holds_are_several_bundles_and_all_of_them_are_handed_over() {
        let device = crate::tests::Device::new(1);
        let replica = &device.replica;
        let me = replica.read(|conn| replica.me(conn)).unwrap();
        let sealing_key = OpeningKey::derive(&[9; 32]).public().to_vec();
        let order = WipeOrder { revoked_at: 1, sealing_key, signature: vec![7; 64] };
        let parts: Vec<_> = (0..7).map(|n| vec![edit(n, 10)]).collect();
        let (bundle, count) = replica.seal(me, &order, parts, 3).unwrap();
        assert_eq!(count, 7);
        let sealed: Vec<Sealed> =
            (0..7).map(|n| read_part(&replica.inner.home, n).unwrap()).collect();
        let places: Vec<_> = sealed.iter().map(|sealed| (sealed.part, sealed.parts)).collect();
        assert_eq!(places, [(0, 3), (1, 3), (2, 3), (0, 3), (1, 3), (2, 3), (0, 1)]);
        assert_eq!(sealed[6].bundle, bundle, "the last one is confirmed");
        let ids: std::collections::BTreeSet<_> =
            sealed.iter().map(|sealed| *sealed.bundle.as_bytes()).collect();
        assert_eq!(ids.len(), 3);
        assert!(sealed.iter().all(|sealed| sealed.parts <= SEALED_PARTS_MAX));
        assert_eq!(
            [0, 1, SEALED_PARTS_MAX, SEALED_PARTS_MAX + 1].map(in_last_bundle),
            [0, 1, SEALED_PARTS_MAX, 1]
        );

        // Handed over one by one; a receipt for another part moves nothing.
        let note = Note {
            workspace: me.workspace,
            device: me.device,
            user: me.user,
            server_url: String::new(),
            pin: None,
            revoked_at: 1,
            sealed_at: 1,
            bundle,
            parts: count,
            stored: 0,
            edits: 7,
            destroyed: true,
            confirmed: false,
        };
        replica.set_wipe_note(Some(note));
        for expected in &sealed {
            let next = replica.next_sealed().unwrap().unwrap();
            assert_eq!((next.bundle, next.part), (expected.bundle, expected.part));
            replica.record_sealed(&SealedStored::taken(bundle, 2)).unwrap();
            replica.record_sealed(&SealedStored::taken(next.bundle, next.part)).unwrap();
        }
        let done = replica.next_sealed().unwrap().unwrap_err();
        assert_eq!((done.bundle, done.parts), (bundle, 7));
        assert!(!bundle_path(&replica.inner.home).exists());
    }

    #[test]
    fn edits_are_cut_into_parts_in_their_order_and_a_large_one_is_alone() {
        let cut = |sizes: &[usize]| -> Vec<Vec<u8>> {
            let edits = (0..).zip(sizes).map(|(n, size)| edit(n, *size)).collect();
            parts(edits, |edit| edit)
                .into_iter()
                .map(|part| part.iter().map(|edit| edit.contact.as_bytes()[0]).collect())
                .collect()
        };
        let most = SEALED_PART_BYTES_MAX;
        assert!(cut(&[]).is_empty());
        assert_eq!(cut(&[10, 20, 30]), [[0, 1, 2]]);
        assert_eq!(cut(&[most, 10, most, most / 2, most / 4]), [&[0][..], &[1], &[2], &[3, 4]]);
    }
}
