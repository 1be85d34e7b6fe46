//! The effects of a session that touch the replica: carried out in order on a thread of their own,
//! so that the disk never stalls the socket.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, TimelineId, WorkspaceId};
use roadbook_protocol::session::{ClientEffect, ClientEvent, OutboxChange, Standing};
use roadbook_protocol::wire::{Access, ContactHeads, DROPS_MAX, Dropped, PendingChanges, Welcome};
use rusqlite::params;

use super::dates::Doubt;
use super::engine::{SyncOptions, SyncReport};
use crate::apply::{self, standing};
use crate::binding::note_certificate;
use crate::copies::Aftermath;
use crate::error::{Error, Result};
use crate::offers::OfferQueue;
use crate::replica::Replica;
use crate::store::contacts;
use crate::store::meta::{self, key};
use crate::store::{changes, drops, evidence, handed, lists};

/// Merged edits are kept so long with their commands: the backup horizon (rule 12).
const HORIZON_MS: i64 = 35 * 24 * 60 * 60 * 1000;
/// Contacts that are folded into a snapshot after one exchange, so that no exchange ends slowly.
const FOLDS_MAX: i64 = 32;
/// Stored changes whose fate is asked for when a connection opens.
const PENDING_MAX: usize = 20_000;

/// Carries the effects of one connection's session out on the replica. For those who bring a
/// transport of their own: feed a [`ClientSession`](roadbook_protocol::session::ClientSession) with
/// what comes back, in order. Every method blocks for as long as the disk takes.
pub struct Worker {
    replica: Replica,
    known_actors: Vec<Actor>,
    actors_seen: u64,
    offers: OfferQueue,
    /// Erased contacts that are destroyed, and not confirmed while the log may still hold them.
    purged: Vec<Vec<ContactId>>,
    /// What is to be settled with the server's first word.
    doubt: Option<Doubt>,
    /// What this exchange brought so far.
    pub report: SyncReport,
}

impl Worker {
    /// For one connection of this replica. A replica has one connection at a time.
    pub fn new(replica: Replica) -> Self {
        replica.in_flight().clear();
        let actors_seen = replica.inner.actors.load(Ordering::SeqCst);
        Self {
            replica,
            known_actors: Vec::new(),
            actors_seen,
            offers: OfferQueue::default(),
            purged: Vec::new(),
            doubt: None,
            report: SyncReport::default(),
        }
    }

    /// For a connection to a server whose certificate is in doubt.
    pub(super) fn doubting(self, doubt: Option<Doubt>) -> Self {
        Self { doubt, ..self }
    }

    /// Where the replica stands, for the session.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`], or what the disk says.
    pub fn standing(&mut self, options: &SyncOptions) -> Result<Standing> {
        self.actors_seen = self.replica.inner.actors.load(Ordering::SeqCst);
        if let Some(note) = self.replica.wipe_note() {
            return Ok(Standing {
                workspace: note.workspace,
                device: note.device,
                app: options.app.clone(),
                platform: options.platform.clone(),
                timeline: None,
                cursor: 0,
                actors: Vec::new(),
                pending: Vec::new(),
                unsent: u32::try_from(note.edits).unwrap_or(u32::MAX),
                missing: 0,
                offers: false,
                lists: None,
                certificate: None,
                certified: true,
                wiped: true,
                copies: false,
            });
        }
        let standing = self.replica.read(|conn| {
            let me = self.replica.me(conn)?;
            let here = standing(conn)?;
            let certificate = meta::get::<Vec<u8>>(conn, key::CERTIFICATE)?;
            let unknown = self.replica.inner.unknown.load(Ordering::SeqCst);
            Ok(Standing {
                workspace: me.workspace,
                device: me.device,
                app: options.app.clone(),
                platform: options.platform.clone(),
                timeline: meta::id(conn, key::TIMELINE, TimelineId::from_bytes)?,
                cursor: here.cursor,
                actors: lists::own_actors(conn, me.device)?,
                pending: pending(conn)?,
                unsent: here.unsent,
                missing: here.missing,
                offers: evidence::next_offer(conn, 0)?.is_some(),
                lists: handed::state(conn)?,
                certified: certificate.is_some(),
                certificate: certificate.filter(|_| unknown),
                wiped: false,
                copies: self.replica.copies().are_due(),
            })
        })?;
        self.known_actors.clone_from(&standing.actors);
        Ok(standing)
    }

    /// Carries one effect out; what it found out comes back as events, in order.
    ///
    /// # Errors
    /// What the disk says; the connection is to be ended then.
    pub fn perform(&mut self, effect: ClientEffect) -> Result<Vec<ClientEvent>> {
        let mut events = Vec::new();
        match effect {
            ClientEffect::Send(_) | ClientEffect::Close(_) => {}
            ClientEffect::Sign { text, .. } => {
                let key = self.replica.inner.home.key()?.ok_or(Error::NotEnrolled)?;
                events.push(ClientEvent::Signed(key.sign(&text)?));
            }
            ClientEffect::Opened(welcome) => self.opened(&welcome)?,
            ClientEffect::LoadOutbox { after, changes_max, bytes_max } => {
                let (changes, unsent) = self.replica.load_outbox(after, changes_max, bytes_max)?;
                self.announce_actors(&mut events)?;
                events.push(ClientEvent::Outbox { changes, unsent });
            }
            ClientEffect::RecordStored { changes, .. } => {
                self.report.sent += self.replica.record_stored(&changes)?;
            }
            ClientEffect::RecordFates { fates, .. } => {
                let heard = self.replica.record_fates(&fates)?;
                self.report.sent += heard.sent;
                self.report.late += heard.late;
                self.report.quarantined += heard.refused;
                self.wanted(&mut events)?;
                // What has met its fate may have been the last that kept a contact here.
                events.push(ClientEvent::Emptied);
            }
            ClientEffect::LoadDrops { timeline } => {
                self.replica.wipe_dropped()?;
                events.push(ClientEvent::Drops(self.replica.drops(timeline)?));
            }
            ClientEffect::RecordDropsKnown(known) => {
                self.replica.write("drops", |write| {
                    drops::told(&write.tx, &known.contacts, known.cursor)
                })?;
            }
            ClientEffect::StoreProposals(part) => self.replica.store_proposals(&part)?,
            ClientEffect::StoreLists(part) => self.replica.store_lists(&part)?,
            ClientEffect::LoadDecision => {
                events.push(ClientEvent::Decision(self.replica.next_decision()?));
            }
            ClientEffect::RecordDecided(decided) => self.replica.record_decided(&decided)?,
            ClientEffect::ApplyPage { timeline, page } => {
                let here = self.replica.apply_page(timeline, &page)?;
                let left = page.items.iter().filter(|item| item.access == Access::Removed).count();
                self.report.left += left as u64;
                self.report.received += (page.items.len() - left) as u64;
                self.durable(here, &mut events)?;
            }
            ClientEffect::StoreManifest { timeline, manifest } => {
                let here = self.replica.store_manifest(timeline, &manifest)?;
                self.durable(here, &mut events)?;
            }
            ClientEffect::ApplyFetched { timeline, fetched } => {
                let here = self.replica.apply_fetched(timeline, &fetched)?;
                self.report.received += fetched.items.len() as u64;
                self.durable(here, &mut events)?;
            }
            ClientEffect::LoadMissing { max, in_flight } => {
                events.push(ClientEvent::Missing(self.replica.load_missing(max, &in_flight)?));
            }
            ClientEffect::StoreDirectory(directory) => {
                self.replica.store_directory(&directory)?;
            }
            ClientEffect::VoidAcknowledgements { .. } => self.replica.void_acknowledgements()?,
            ClientEffect::LoadHeads => {
                events.push(ClientEvent::HeadsLoaded(self.replica.read(all_heads)?));
            }
            ClientEffect::Reoffer { unknown, known } => {
                self.replica.reoffer(&unknown, &known)?;
                self.offers.restart();
                events.push(ClientEvent::Edited);
            }
            ClientEffect::LoadOffer => {
                let changes_max = self.replica.limits().batch_changes_max;
                events.push(ClientEvent::Offer(self.offers.next(&self.replica, changes_max)?));
            }
            ClientEffect::RecordOffered { complete, refused } => {
                self.replica.record_offered(&complete, &refused)?;
            }
            ClientEffect::Supply(need) => {
                self.replica.supply(&need)?;
                self.wanted(&mut events)?;
                events.push(ClientEvent::Edited);
            }
            ClientEffect::Purge(erasures) => {
                self.purged.push(self.replica.purge_erased(&erasures)?);
            }
            ClientEffect::Wipe(order) => {
                if let Some(order) = order {
                    self.replica.wipe(&order)?;
                }
                self.next_sealed(&mut events)?;
            }
            ClientEffect::RecordSealed(stored) => {
                self.replica.record_sealed(&stored)?;
                self.next_sealed(&mut events)?;
            }
            ClientEffect::LoadCopy => {
                events.push(ClientEvent::Copy(self.replica.next_copy()?));
            }
            ClientEffect::RecordCopied(stored) => self.replica.record_copied(&stored)?,
            ClientEffect::WipeConfirmed => self.replica.wipe_confirmed()?,
            ClientEffect::ReplaceActors(actors) => {
                self.replica.replace_actors(&actors)?;
                self.wanted(&mut events)?;
            }
        }
        self.replica.wipe_dropped()?;
        if !self.purged.is_empty() && !self.replica.inner.dropped.load(Ordering::SeqCst) {
            // Now that no byte of them is left in the files.
            events.extend(self.purged.drain(..).map(ClientEvent::Purged));
        }
        if self.replica.inner.news.swap(false, Ordering::SeqCst) {
            self.announce_actors(&mut events)?;
            events.push(ClientEvent::Edited);
        }
        Ok(events)
    }

    /// Everything is exchanged, as of now.
    ///
    /// # Errors
    /// What the disk says.
    pub fn mark_synced(&mut self) -> Result<()> {
        mark_synced(&self.replica)
    }

    /// The report as it stands.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(&mut self) -> Result<SyncReport> {
        let here = self.replica.read(standing)?;
        self.report.unsent = u64::from(here.unsent);
        self.report.missing = u64::from(here.missing);
        Ok(self.report.clone())
    }

    fn opened(&mut self, welcome: &Welcome) -> Result<()> {
        if let Some(doubt) = self.doubt.take() {
            doubt.settle(self.replica.newer_time(welcome.lease.as_ref())?)?;
        }
        self.replica.inner.unknown.store(false, Ordering::SeqCst);
        self.replica.write("opened", |write| {
            let tx = &write.tx;
            meta::set(tx, key::LOGIN, &welcome.login)?;
            meta::set(tx, key::USER_NAME, &welcome.user_name)?;
            meta::set(tx, key::ROLE, &welcome.role)?;
            meta::set(tx, key::WORKSPACE_NAME, &welcome.workspace_name)?;
            meta::set(tx, key::MINIMUM_APP, &welcome.minimum_app)?;
            let mut new_key = false;
            if let (Some(sealing), Some(workspace), Some(workspace_key)) = (
                &welcome.sealing,
                meta::id(tx, key::WORKSPACE, WorkspaceId::from_bytes)?,
                meta::get::<Vec<u8>>(tx, key::WORKSPACE_KEY)?,
            ) && sealing.holds(&workspace, &workspace_key)
            {
                new_key =
                    meta::get::<Vec<u8>>(tx, key::SEALING_KEY)?.as_ref() != Some(&sealing.key);
                meta::set(tx, key::SEALING_KEY, &sealing.key)?;
            }
            note_certificate(tx, &welcome.certificate)?;
            let cursor = i64::try_from(welcome.cursor).unwrap_or(i64::MAX);
            meta::set(tx, key::SERVER_CURSOR, cursor)?;
            write.notices.sync = true;
            if new_key {
                write.then(Aftermath::Compare);
            }
            Ok(())
        })?;
        self.replica.take_lease(welcome.lease.as_ref())
    }

    /// The next part to hand over, or that all are.
    fn next_sealed(&self, events: &mut Vec<ClientEvent>) -> Result<()> {
        events.push(match self.replica.next_sealed()? {
            Ok(sealed) => ClientEvent::Sealed(sealed),
            Err(wiped) => ClientEvent::AllSealed(wiped),
        });
        Ok(())
    }

    fn durable(&mut self, here: apply::Standing, events: &mut Vec<ClientEvent>) -> Result<()> {
        self.announce_actors(events)?;
        let apply::Standing { cursor, unsent, missing } = here;
        events.push(ClientEvent::Durable { cursor, unsent, missing });
        Ok(())
    }

    fn wanted(&mut self, events: &mut Vec<ClientEvent>) -> Result<()> {
        self.announce_actors(events)?;
        let here = self.replica.read(standing)?;
        if here.missing > 0 {
            events.push(ClientEvent::Wanted { missing: here.missing });
        }
        Ok(())
    }

    /// A new actor is told before the first change that uses it.
    fn announce_actors(&mut self, events: &mut Vec<ClientEvent>) -> Result<()> {
        let now = self.replica.inner.actors.load(Ordering::SeqCst);
        if now == self.actors_seen {
            return Ok(());
        }
        self.actors_seen = now;
        let all =
            self.replica.read(|conn| match meta::id(conn, key::DEVICE, DeviceId::from_bytes)? {
                Some(device) => lists::own_actors(conn, device),
                None => Ok(Vec::new()),
            })?;
        let new: Vec<Actor> =
            all.iter().filter(|actor| !self.known_actors.contains(actor)).copied().collect();
        if !new.is_empty() {
            self.known_actors = all;
            events.push(ClientEvent::NewActors(new));
        }
        Ok(())
    }
}

/// Notes that everything is exchanged, and tidies up what is finished for longer than the horizon.
pub(crate) fn mark_synced(replica: &Replica) -> Result<()> {
    replica.write("synced", |write| {
        let now = write.now();
        meta::set(&write.tx, key::LAST_SYNC, now)?;
        for id in changes::finished_live(&write.tx, now - HORIZON_MS, FOLDS_MAX)? {
            let Some(row) = contacts::find(&write.tx, id)? else { continue };
            let folded = write.document(&row).and_then(|doc| {
                write.fold(&row, &doc)?;
                write.keep(id, doc);
                Ok(())
            });
            match folded {
                // One document that can't be opened must not keep the whole replica from being in step.
                Err(Error::Damaged { what, reason }) => {
                    tracing::warn!(what, reason, "it is fetched anew");
                    write.forget(id);
                    lists::want(&write.tx, id, -1)?;
                }
                other => other?,
            }
        }
        changes::prune_finished(&write.tx, now - HORIZON_MS)?;
        drops::prune(&write.tx, now - HORIZON_MS)?;
        write.notices.sync = true;
        Ok(())
    })
}

impl Replica {
    /// Contacts that were taken away and of which nothing is left here, files included, as of the
    /// replica's cursor; nothing as long as that belongs to another timeline than this.
    pub(crate) fn drops(&self, timeline: TimelineId) -> Result<Option<Dropped>> {
        if self.inner.dropped.load(Ordering::SeqCst) {
            // A reader is in the way of wiping the files: with the next page.
            return Ok(None);
        }
        self.read(|conn| {
            if meta::id(conn, key::TIMELINE, TimelineId::from_bytes)? != Some(timeline) {
                return Ok(None);
            }
            let contacts = drops::untold(conn, DROPS_MAX)?;
            let cursor = standing(conn)?.cursor;
            Ok((!contacts.is_empty()).then_some(Dropped { cursor, contacts }))
        })
    }

    /// Local changes to send, in causal order, after a position; and how many edits are unsent.
    /// Contacts that wait for the server's document are held back.
    pub(crate) fn load_outbox(
        &self,
        after: i64,
        changes_max: usize,
        bytes_max: usize,
    ) -> Result<(Vec<OutboxChange>, u32)> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT c.pos, k.id, c.hash, c.bytes FROM change c JOIN contact k ON k.num = c.contact
                 WHERE c.local = 1 AND c.receipt = 'saved' AND c.pos > ?1 AND k.set_aside = 0
                 ORDER BY c.pos LIMIT ?2",
            )?;
            let mut rows =
                statement.query(params![after, i64::try_from(changes_max).unwrap_or(i64::MAX)])?;
            let (mut found, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let change = OutboxChange {
                    position: row.get(0)?,
                    contact: ContactId::from_bytes(row.get(1)?),
                    hash: ChangeHash(row.get(2)?),
                    bytes: row.get(3)?,
                };
                bytes += change.bytes.len();
                if bytes > bytes_max && !found.is_empty() {
                    break;
                }
                found.push(change);
            }
            Ok((found, standing(conn)?.unsent))
        })
    }
}

/// Stored changes whose fate is not known, by contact.
fn pending(conn: &rusqlite::Connection) -> Result<Vec<PendingChanges>> {
    let mut by_contact: BTreeMap<ContactId, Vec<ChangeHash>> = BTreeMap::new();
    let stored =
        changes::locals(conn, "c.settled = 0 AND c.receipt = 'stored' ORDER BY c.pos", [])?;
    for change in stored.into_iter().take(PENDING_MAX) {
        by_contact.entry(change.contact_id).or_default().push(change.hash);
    }
    for (contact, hash) in drops::asked(conn, PENDING_MAX)? {
        by_contact.entry(contact).or_default().push(hash);
    }
    Ok(by_contact.into_iter().map(|(contact, hashes)| PendingChanges { contact, hashes }).collect())
}

/// The merged heads of every contact, one that was taken away and is not gone yet among them: what it
/// holds may be nowhere else. With all that a server has ever signed as merged: a server may
/// be restored again before it has merged what it got back.
pub(crate) fn all_heads(conn: &rusqlite::Connection) -> Result<Vec<ContactHeads>> {
    let mut all = Vec::new();
    for row in contacts::all(conn, "TRUE")? {
        let mut heads = row.merged_heads;
        heads.extend(evidence::of(conn, row.num)?.into_iter().flat_map(|evidence| evidence.tips));
        heads.sort_unstable();
        heads.dedup();
        if !heads.is_empty() {
            all.push(ContactHeads { contact: row.id, heads });
        }
    }
    Ok(all)
}
