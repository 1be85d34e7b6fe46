//! The replica itself: opening it, its one writer, its documents.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use automerge::{Automerge, ChangeHash};
use chrono::NaiveDate;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, EntryId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio_util::sync::CancellationToken;

use crate::apply::Asked;
use crate::at_rest;
use crate::copies::{Aftermath, Copies};
use crate::documents::{self, Cache};
use crate::env::{Entropy, OpenOptions, random10, random16};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::identity::{Home, Incarnation, machine_id};
use crate::observe::{Hub, Notices, Observer, Topic};
use crate::read::Totals;
use crate::state::Connectivity;
use crate::store::changes::{self, NewLocal};
use crate::store::contacts::{self, ActorChoice, ContactRow};
use crate::store::meta::{self, key};
use crate::store::{Store, bound, lists, projections, salvage};
use crate::wipe;

/// The contacts of one rep on one device, with everything that was edited and not yet sent.
///
/// Cheap to clone; all clones are the same replica. Every method may be called from any thread and
/// blocks for as long as the disk takes: in async code call it from a blocking task.
#[derive(Clone)]
pub struct Replica {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub home: Home,
    pub store: Store,
    pub documents: Cache,
    /// How many contacts the lists have that were asked for.
    pub totals: Totals,
    pub hub: Hub,
    pub options: OpenOptions,
    pub machine_id: String,
    pub limits: Limits,
    pub connectivity: Mutex<Connectivity>,
    /// Fetches that are on their way: which wish each contact had when it was asked for.
    pub in_flight: Mutex<HashMap<ContactId, Asked>>,
    /// Cancelled while the replica is suspended.
    pub pause: Mutex<CancellationToken>,
    /// Ends the wait before the next attempt to connect.
    pub nudge: tokio::sync::Notify,
    /// Held by the one connection that this replica may have.
    pub exchange: tokio::sync::Mutex<()>,
    /// Rings the sync engine when there is something to send.
    pub wake: tokio::sync::Notify,
    /// The permission to read.
    pub lease: Mutex<Option<crate::lease::Held>>,
    /// Set once the device was wiped.
    pub wiped: Mutex<Option<wipe::Note>>,
    /// Whether the server has said that it does not know this device.
    pub unknown: AtomicBool,
    /// Whether a contact left the device since the log was last emptied.
    pub dropped: AtomicBool,
    /// Whether there is something to send that no session was told of.
    pub news: AtomicBool,
    /// Grows with every actor that this replica takes.
    pub actors: AtomicU64,
    /// The sealed copies of edits (rule 17).
    pub copies: Copies,
    /// The replica that was here and can't be opened, until this one is enrolled.
    pub put_away: Mutex<Option<at_rest::lost::PutAway>>,
}

impl Inner {
    pub(crate) fn pause(&self) -> MutexGuard<'_, CancellationToken> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who the user of this replica is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Me {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub device: DeviceId,
}

impl Replica {
    /// Opens the replica in `home`, or makes an empty one. One process owns it at a time.
    ///
    /// A replica that was copied or restored is found and takes a new actor. A database that can't
    /// be read any more is set aside under another name, never deleted; what was not sent yet is
    /// taken over from it, the rest is fetched again.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it open, [`Error::NewerFile`] if a newer version of
    /// the program wrote it, [`Error::Encrypted`], [`Error::KeyLost`] or [`Error::Keys`] where it can't be
    /// decrypted.
    pub fn open(home: &Path, options: OpenOptions) -> Result<Replica> {
        Replica::open_after(home, options, at_rest::lost::put_back)
    }

    /// Opens it after something was done in its directory.
    pub(crate) fn open_after(
        home: &Path,
        options: OpenOptions,
        first: impl FnOnce(&Home) -> Result<()>,
    ) -> Result<Replica> {
        let home = Home::open(home, options.keys.clone())?.with_signer(options.signer.clone());
        let machine_id = options.machine_id.clone().unwrap_or_else(machine_id);
        let mut wiped = wipe::Note::load(&home)?;
        if let Some(note) = &mut wiped {
            wipe::destroy(&home, note)?;
        }
        first(&home)?;
        let key = at_rest::prepare(&home, &options)?;
        let store = salvage::open(&home, &options, key.as_ref())?;
        let replica = Replica {
            inner: Arc::new(Inner {
                home,
                store,
                documents: Cache::new(options.documents_max),
                totals: Totals::default(),
                hub: Hub::default(),
                machine_id,
                limits: Limits::DEFAULT,
                connectivity: Mutex::new(Connectivity::default()),
                in_flight: Mutex::new(HashMap::new()),
                pause: Mutex::new(CancellationToken::new()),
                nudge: tokio::sync::Notify::new(),
                exchange: tokio::sync::Mutex::new(()),
                wake: tokio::sync::Notify::new(),
                lease: Mutex::new(None),
                wiped: Mutex::new(wiped),
                unknown: AtomicBool::new(false),
                dropped: AtomicBool::new(false),
                news: AtomicBool::new(false),
                actors: AtomicU64::new(0),
                copies: Copies::default(),
                put_away: Mutex::new(None),
                options,
            }),
        };
        let wipe_due = replica.read(|conn| meta::get::<i64>(conn, key::WIPE_DUE))?.is_some();
        replica.inner.dropped.store(wipe_due, Ordering::SeqCst);
        replica.check_binding()?;
        replica.load_lease()?;
        let moved = replica.check_incarnation()?;
        replica.open_copies(moved)?;
        replica.refresh_outdated_rows()?;
        Ok(replica)
    }

    /// Closes the files and ends all observers. Later calls on any clone fail with
    /// [`Error::Suspended`].
    pub fn close(&self) {
        self.inner.hub.close();
        self.suspend();
        self.not_begun_anew();
    }

    /// Waits for what is running, then closes every file handle and lock, as a phone demands of an
    /// app that goes to the background.
    ///
    /// A connection that is open ends; [`crate::sync::Engine::run`] goes on after
    /// [`Self::resume`].
    pub fn suspend(&self) {
        self.inner.pause().cancel();
        self.note_time();
        if let Err(error) = self.wipe_dropped() {
            tracing::warn!(%error, "what a dropped contact left is wiped later");
        }
        self.inner.store.disconnect();
        self.copies().close();
        self.inner.documents.clear();
        self.inner.home.unlock();
    }

    /// Opens the files again after [`Self::suspend`].
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn resume(&self) -> Result<()> {
        self.inner.home.lock()?;
        let key = at_rest::prepare(&self.inner.home, &self.inner.options)?;
        self.inner.store.connect(key)?;
        self.check_binding()?;
        let moved = self.check_incarnation()?;
        self.open_copies(moved)?;
        *self.inner.pause() = CancellationToken::new();
        self.inner.nudge.notify_one();
        Ok(())
    }

    /// The directory of the replica.
    pub fn home(&self) -> &Path {
        self.inner.home.path()
    }

    /// The time by the replica's clock, milliseconds since 1970.
    pub fn now_ms(&self) -> UnixMs {
        self.inner.options.clock.now_ms()
    }

    /// The calendar day by the replica's clock.
    pub fn today(&self) -> NaiveDate {
        self.inner.options.clock.today()
    }

    /// A new id for an entry: a phone, an interaction, a task.
    pub fn new_entry_id(&self) -> EntryId {
        EntryId::from_time(self.now_ms().unsigned_abs(), random10(self.entropy()))
    }

    /// Observes a topic: the present state at once, then every change, coalesced.
    pub fn observe(&self, topic: Topic) -> Observer {
        self.inner.hub.observe(topic)
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        self.inner.options.entropy.as_ref()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn new_actor(&self) -> Actor {
        Actor::from_bytes(random16(self.entropy()))
    }

    /// Runs `work` on a read connection.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.inner.store.read(work).inspect_err(|error| self.note_corruption(error))
    }

    /// Runs `work` in the writer's transaction and commits it: durable on return. Then, and only
    /// then, the document cache and the observers learn of it.
    ///
    /// `name` names the failpoints around the commit.
    pub(crate) fn write<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut Write<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut writer = self.inner.store.lock_writer();
        let conn = writer.as_mut().ok_or(Error::Suspended)?;
        let result = (|| {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut write = Write {
                tx,
                replica: self,
                documents: Vec::new(),
                notices: Notices::default(),
                wake: false,
                added: Vec::new(),
                aftermath: Aftermath::Nothing,
            };
            let value = work(&mut write)?;
            let copying = self.copies().of(&write)?;
            let Write { tx, documents, notices, wake, aftermath, .. } = write;
            failpoint(before_commit(name));
            match copying {
                Some(copying) => copying.beside(|| tx.commit())?,
                None => tx.commit()?,
            }
            failpoint(after_commit(name));
            Ok((value, documents, notices, wake, aftermath))
        })()
        .and_then(|done| self.inner.store.keep_log(&mut writer).map(|()| done));
        let (value, documents, notices, wake, aftermath) =
            result.inspect_err(|error| self.note_corruption(error))?;
        self.inner.documents.committed(documents);
        if let Some(conn) = writer.as_ref() {
            self.settle_copies(conn, aftermath);
        }
        drop(writer);
        self.inner.hub.notify(&notices);
        if wake {
            self.inner.news.store(true, Ordering::SeqCst);
            self.inner.wake.notify_one();
        }
        Ok(value)
    }

    /// The document of a contact, from the cache or the store.
    pub(crate) fn document(&self, id: ContactId) -> Result<Arc<Automerge>> {
        let (cached, generation) = self.inner.documents.get(id);
        if let Some(doc) = cached {
            return Ok(doc);
        }
        let doc = self.read(|conn| {
            let row = contacts::find(conn, id)?.ok_or_else(|| Error::no_contact(id))?;
            documents::load(conn, row.num, id)
        });
        let doc = match doc {
            Ok(doc) => Arc::new(doc),
            Err(error) => {
                self.note_damage(id, &error)?;
                return Err(error);
            }
        };
        self.inner.documents.offer(id, &doc, generation);
        Ok(doc)
    }

    /// The server has it: a document that can't be opened is put on the list of what to fetch.
    pub(crate) fn note_damage(&self, id: ContactId, error: &Error) -> Result<()> {
        match error {
            Error::Damaged { .. } => self.write("damage", |write| lists::want(&write.tx, id, -1)),
            _ => Ok(()),
        }
    }

    /// A database that SQLite calls broken, or that contradicts itself, is examined at the next start,
    /// before anything is written to it; one with a value that can't be read is set aside then.
    fn note_corruption(&self, error: &Error) {
        if error.is_unreadable() {
            salvage::mark_as_damaged(&self.inner.home, error);
        } else if error.is_corruption() || error.is_contradiction() {
            salvage::mark_for_examination(&self.inner.home);
        }
    }

    /// Puts right what a bit that flipped on the disk has changed of who the replica is.
    pub(crate) fn check_binding(&self) -> Result<()> {
        if self.read(bound::is_right)? {
            return Ok(());
        }
        let mended = self.write("binding", |write| bound::mend(&write.tx))?;
        if !mended.is_empty() {
            tracing::warn!(?mended, "the disk had altered who this replica is; it was put right");
        }
        Ok(())
    }

    /// Finds a restored or copied replica, and gives it a new actor (rule 5). `true` where the database is
    /// another file than it was.
    pub(crate) fn check_incarnation(&self) -> Result<bool> {
        let database = self.inner.store.path();
        let beside = self.inner.home.incarnation();
        let inside = self.read(|conn| meta::get::<String>(conn, key::INCARNATION))?;
        if let (Some(beside), Some(inside)) = (&beside, &inside)
            && beside.marker == *inside
            && beside.is_here(database, &self.inner.machine_id)?
        {
            return Ok(false);
        }
        let incarnation = Incarnation::new(database, &self.inner.machine_id, self.entropy())?;
        let copied = inside.is_some();
        self.write("incarnation", |write| {
            write.take_new_actor()?;
            // Overrides may be in use in the other copy too.
            write.tx.execute("DELETE FROM contact_actor", [])?;
            meta::set(&write.tx, key::INCARNATION, &incarnation.marker)?;
            if copied {
                meta::set(&write.tx, key::COPIED_AT, self.now_ms())?;
            }
            Ok(())
        })?;
        self.inner.home.set_incarnation(&incarnation)?;
        Ok(true)
    }

    /// Who the user is.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`], [`Error::Wiped`].
    pub(crate) fn me(&self, conn: &Connection) -> Result<Me> {
        self.not_wiped()?;
        let workspace = meta::id(conn, key::WORKSPACE, WorkspaceId::from_bytes)?;
        let user = meta::id(conn, key::USER, UserId::from_bytes)?;
        let device = meta::id(conn, key::DEVICE, DeviceId::from_bytes)?;
        match (workspace, user, device) {
            (Some(workspace), Some(user), Some(device)) => Ok(Me { workspace, user, device }),
            _ => Err(Error::NotEnrolled),
        }
    }

    /// After a contact left the device: takes its words out of the search index, where they are only
    /// marked as deleted, and empties the log of what still holds its pages (P8, P10). The index is
    /// written anew, 0.2 s for 10,000 contacts; with the index's own `secure-delete` every edit of a
    /// name would cost 12 ms.
    pub(crate) fn wipe_dropped(&self) -> Result<()> {
        if !self.inner.dropped.load(Ordering::SeqCst) {
            return Ok(());
        }
        let writer = self.inner.store.lock_writer();
        let conn = writer.as_ref().ok_or(Error::Suspended)?;
        self.inner.dropped.store(false, Ordering::SeqCst);
        // Not `optimize`: it goes only so far as to leave one segment, and where that was merged in parts
        // it holds the words of rows that are gone (seen by the simulator).
        conn.execute("INSERT INTO search(search) VALUES ('rebuild')", [])?;
        // Where SQLite balances its pages it leaves copies of rows behind in their unused parts, where a
        // deletion never comes: only a database that is written anew holds nothing but its rows.
        conn.execute_batch("VACUUM")?;
        meta::remove(conn, key::WIPE_DUE)?;
        let busy: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy != 0 {
            meta::set(conn, key::WIPE_DUE, 1)?;
            self.inner.dropped.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    pub(crate) fn in_flight(&self) -> MutexGuard<'_, HashMap<ContactId, Asked>> {
        self.inner.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn before_commit(name: &'static str) -> &'static str {
    match name {
        "edit" => "edit_before_commit",
        "page" => "page_before_commit",
        "ack" => "ack_before_commit",
        _ => "",
    }
}

fn after_commit(name: &'static str) -> &'static str {
    match name {
        "edit" => "edit_after_commit",
        "page" => "page_after_commit",
        "ack" => "ack_after_commit",
        _ => "",
    }
}

/// One write transaction: the database, the documents it touches, and whom to tell afterwards.
pub(crate) struct Write<'a> {
    pub tx: Transaction<'a>,
    pub replica: &'a Replica,
    documents: Vec<(ContactId, Option<Automerge>)>,
    pub notices: Notices,
    /// Whether there is something new to send.
    pub wake: bool,
    /// Local changes that it adds.
    pub added: Vec<(i64, ChangeHash)>,
    /// What it means for the sealed copies.
    aftermath: Aftermath,
}

impl Write<'_> {
    /// Adds a local change, which gets a sealed copy. `true` if it was not here at all.
    pub(crate) fn insert_local(&mut self, contact: i64, new: &NewLocal<'_>) -> Result<bool> {
        self.added.push((contact, new.hash));
        changes::insert_local(&self.tx, contact, new)
    }

    /// After the commit the sealed copies are looked at.
    pub(crate) fn then(&mut self, aftermath: Aftermath) {
        self.aftermath = self.aftermath.max(aftermath);
    }

    /// The document of a contact, for changing: hand it back with [`Self::keep`].
    pub(crate) fn document(&mut self, row: &ContactRow) -> Result<Automerge> {
        if let Some(at) = self.documents.iter().position(|(id, _)| *id == row.id)
            && let Some(doc) = self.documents.swap_remove(at).1
        {
            return Ok(doc);
        }
        match self.replica.inner.documents.take(row.id) {
            Some(doc) => Ok(doc),
            None => documents::load(&self.tx, row.num, row.id),
        }
    }

    /// The document as this transaction has changed it, if it has.
    pub(crate) fn peek_document(&self, id: ContactId) -> Option<&Automerge> {
        self.documents.iter().find(|(known, _)| *known == id).and_then(|(_, doc)| doc.as_ref())
    }

    /// The document as it is after the commit.
    pub(crate) fn keep(&mut self, id: ContactId, doc: Automerge) {
        self.set_document(id, Some(doc));
    }

    /// The cached document is not to be used after the commit.
    pub(crate) fn forget(&mut self, id: ContactId) {
        self.set_document(id, None);
    }

    fn set_document(&mut self, id: ContactId, doc: Option<Automerge>) {
        match self.documents.iter_mut().find(|(known, _)| *known == id) {
            Some(slot) => slot.1 = doc,
            None => self.documents.push((id, doc)),
        }
    }

    /// What a contact is called; empty where it has no readable row.
    pub(crate) fn display_name(&self, row: &ContactRow) -> String {
        let found = projections::get(&self.tx, row.num).ok().flatten();
        found.map(|row| row.display_name).unwrap_or_default()
    }

    /// Observers of the contact and of the list are to look again.
    pub(crate) fn touched(&mut self, id: ContactId) {
        self.notices.contacts.insert(id);
        self.notices.list = true;
    }

    /// What this transaction removes is to be wiped from the files: [`Replica::wipe_dropped`].
    pub(crate) fn wipe_files(&self) -> Result<()> {
        meta::set(&self.tx, key::WIPE_DUE, 1)?;
        self.replica.inner.dropped.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Now, by the replica's clock.
    pub(crate) fn now(&self) -> UnixMs {
        self.replica.now_ms()
    }

    /// A new actor for all contacts that have none of their own.
    pub(crate) fn take_new_actor(&mut self) -> Result<Actor> {
        let actor = self.new_own_actor()?;
        meta::set(&self.tx, key::ACTOR, actor.as_bytes())?;
        Ok(actor)
    }

    /// A new actor, remembered as the replica's own.
    pub(crate) fn new_own_actor(&mut self) -> Result<Actor> {
        let actor = self.replica.new_actor();
        let device = meta::id(&self.tx, key::DEVICE, DeviceId::from_bytes)?;
        lists::add_own_actor(&self.tx, actor, device, self.now())?;
        self.replica.inner.actors.fetch_add(1, Ordering::SeqCst);
        Ok(actor)
    }

    /// The actor to write a contact with.
    pub(crate) fn actor(&mut self, id: ContactId) -> Result<Actor> {
        match contacts::actor(&self.tx, id)? {
            ActorChoice::This(actor) => return Ok(actor),
            ActorChoice::Fresh => {
                let actor = self.new_own_actor()?;
                contacts::set_actor(&self.tx, id, Some(actor))?;
                return Ok(actor);
            }
            ActorChoice::Usual => {}
        }
        match meta::id(&self.tx, key::ACTOR, Actor::from_bytes)? {
            Some(actor) => Ok(actor),
            None => self.take_new_actor(),
        }
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("home", &self.inner.home.path()).finish_non_exhaustive()
    }
}
