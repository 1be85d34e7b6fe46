//! What must be true, known apart from the product: which edits were made, what was acknowledged,
//! who holds which contact.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use roadbook_client_core::Receipt;
use roadbook_protocol::ChangeHash;
use roadbook_protocol::ids::{ContactId, DeviceId, EditId, EntryId, TimelineId};

use crate::erasure::Erasures;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

/// By what an edit is recognised in a contact, whatever change carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// An interaction of this id with this summary.
    Interaction(EntryId, String),
    /// These words in the note, once.
    Note(String),
    /// Nothing that stays: a later edit may lawfully take its place. The words that it wrote stay in
    /// the contact's history; one that takes something away has none.
    Passing(Option<String>),
}

/// What has become of the replica that made an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It must arrive.
    Due,
    /// Its only copy was lost by a fault that no software survives: a lost or revoked device, an
    /// older state put back by its owner, a damaged disk.
    Lost,
}

/// One edit that a replica returned as saved.
#[derive(Debug, Clone)]
pub struct EditRecord {
    /// The device.
    pub device: usize,
    /// Names the edit on the device.
    pub edit: EditId,
    /// The contact.
    pub contact: ContactId,
    /// The change that it was at first.
    pub hash: ChangeHash,
    /// How to find it.
    pub marker: Marker,
    /// Whether it must arrive.
    pub fate: Fate,
    /// The furthest receipt that was seen, and under which timeline of the server.
    pub seen: (Receipt, Option<TimelineId>),
}

/// Who holds a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Its owner.
    pub owner: Option<usize>,
    /// Its collaborators.
    pub collaborators: BTreeSet<usize>,
}

impl Rights {
    /// Whether this user holds it.
    pub fn held_by(&self, user: usize) -> bool {
        self.owner == Some(user) || self.collaborators.contains(&user)
    }
}

/// One change that the server acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// The contact.
    pub contact: ContactId,
    /// The change.
    pub hash: ChangeHash,
    /// The device that sent it; none for the office's.
    pub device: Option<usize>,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Oracle {
    /// All edits of devices.
    pub edits: Vec<EditRecord>,
    /// Everything that the server acknowledged in the present line of its history.
    pub acknowledged: Vec<Acknowledged>,
    /// What a restored backup took back: devices that hold it bring it again.
    pub taken_back: Vec<Acknowledged>,
    /// Others' changes among them, and devices that hold them: they come back with any of these.
    pub held: Vec<(Acknowledged, Vec<usize>)>,
    /// Who holds what.
    pub rights: BTreeMap<ContactId, Rights>,
    /// Every time that somebody got a contact.
    pub granted: Vec<(ContactId, usize)>,
    /// Who held a contact in a past that a restore took from the server: their devices have its own
    /// signed word for that, and get the contact back (rule 3).
    pub regains: BTreeSet<(ContactId, usize)>,
    /// Who made a contact on a device: its owner as soon as the server has it.
    pub makers: BTreeMap<ContactId, usize>,
    /// Contacts that ever were taken from somebody: edits of those may be refused.
    pub handed_over: BTreeSet<(ContactId, usize)>,
    /// Everything that the server ever said of that it is stored.
    pub ever_stored: HashSet<(ContactId, ChangeHash)>,
    /// Everything that the server ever took for a copy's: its device authors it anew, or finds the
    /// contact as the edit wants it already.
    pub ever_forked: HashSet<(ContactId, ChangeHash)>,
    /// Devices whose replica was copied or put back: two go on from one state.
    pub twice: HashSet<DeviceId>,
    /// Whether the server was ever put back.
    pub went_back: bool,
    /// The server's changes that carry late edits which were accepted.
    pub accepted: HashSet<ChangeHash>,
    /// Late edits about which a decision was undone, by their changes: the version of the item then.
    pub undone: BTreeMap<ChangeHash, u64>,
    /// What is erased, and what was written about it.
    pub erasures: Erasures,
    /// Who is in the team.
    pub team: BTreeSet<usize>,
    /// Contacts that a restore took from the server while its ledger goes on saying whose they are:
    /// whoever brings one back writes to it once more, whoever holds it.
    pub absent: BTreeSet<ContactId>,
    /// Edits, the office's included.
    pub edits_made: u64,
    /// How far the present acknowledgements were verified.
    verified: usize,
}

/// How many older acknowledgements are looked at again each time.
const SAMPLE: usize = 32;

impl Oracle {
    /// Whether a user holds a contact. The server may have what a device made before it could say so.
    pub fn is_held(&self, contact: &ContactId, user: usize) -> bool {
        let by_rows = match self.rights.get(contact) {
            Some(rights) => rights.held_by(user),
            None => self.makers.get(contact) == Some(&user),
        };
        by_rows || self.regains.contains(&(*contact, user))
    }

    /// A contact has a new owner. `used` are those whose rights came back by evidence before.
    pub fn assigned(&mut self, contact: ContactId, user: usize, used: &BTreeSet<usize>) {
        let rights = self.rights.entry(contact).or_default();
        let before = rights.owner.replace(user);
        // One is the owner or a collaborator: who is given a contact is no collaborator any more.
        rights.collaborators.remove(&user);
        let rights = rights.clone();
        let void = self.void(contact, used);
        let lost: Vec<usize> =
            void.into_iter().chain(before).filter(|user| !rights.held_by(*user)).collect();
        self.handed_over.extend(lost.into_iter().map(|user| (contact, user)));
        self.granted.push((contact, user));
    }

    /// The server's signed words of a past that it has lost count no more for this contact, but for
    /// whom they have served already. Returns those for whom they might have.
    fn void(&mut self, contact: ContactId, used: &BTreeSet<usize>) -> Vec<usize> {
        let is_void = |held: &(ContactId, usize)| held.0 == contact && !used.contains(&held.1);
        let users = self.regains.iter().filter(|held| is_void(held)).map(|held| held.1).collect();
        self.regains.retain(|held| !is_void(held));
        users
    }

    /// Who may have got this contact back by evidence.
    pub fn may_have_regained(&self, contact: ContactId) -> Vec<usize> {
        self.regains.iter().filter(|held| held.0 == contact).map(|held| held.1).collect()
    }

    /// A contact has, or has no more, this collaborator.
    pub fn collaborates(
        &mut self,
        contact: ContactId,
        user: usize,
        added: bool,
        used: &BTreeSet<usize>,
    ) {
        let void = self.void(contact, used);
        self.handed_over.extend(void.into_iter().map(|user| (contact, user)));
        let rights = self.rights.entry(contact).or_default();
        if added {
            // To the server it was not the owner, or nothing would have changed: evidence may have
            // given the contact to another since a restore.
            rights.collaborators.insert(user);
            self.granted.push((contact, user));
            return;
        }
        rights.collaborators.remove(&user);
        if !rights.held_by(user) {
            self.handed_over.insert((contact, user));
        }
    }

    /// Whether the server has acknowledged the change of an edit: its receipt may have been tidied up
    /// before it was looked at, by a clock that jumped past the horizon.
    pub fn is_acknowledged(&self, edit: &EditRecord) -> bool {
        self.acknowledged.iter().any(|one| one.hash == edit.hash && one.contact == edit.contact)
    }

    /// The server has a contact that a device of this user sent: who makes it owns it.
    pub fn created(&mut self, contact: ContactId, user: usize) {
        self.absent.remove(&contact);
        if let std::collections::btree_map::Entry::Vacant(slot) = self.rights.entry(contact) {
            slot.insert(Rights { owner: Some(user), ..Rights::default() });
            self.granted.push((contact, user));
        }
    }

    /// A device was told that these are dealt with, which it brought back with evidence: it won't
    /// offer them again, so they are acknowledged anew. Returns those of them that are known here.
    pub fn brought_back(
        &mut self,
        offered: &BTreeSet<(ContactId, ChangeHash)>,
    ) -> Vec<Acknowledged> {
        let known: BTreeMap<_, _> = self
            .taken_back
            .iter()
            .map(|one| ((one.contact, one.hash), *one))
            .filter(|(key, _)| offered.contains(key))
            .collect();
        let again: Vec<Acknowledged> = known.into_values().collect();
        self.acknowledged.extend(&again);
        again
    }

    /// What was acknowledged and not looked at since, and some of the others.
    pub fn to_verify(&mut self, rng: &mut fastrand::Rng) -> Vec<Acknowledged> {
        let mut due = self.acknowledged[self.verified.min(self.acknowledged.len())..].to_vec();
        if !self.acknowledged.is_empty() {
            due.extend(
                (0..SAMPLE).map(|_| self.acknowledged[rng.usize(..self.acknowledged.len())]),
            );
        }
        self.verified = self.acknowledged.len();
        due
    }

    /// An older state of the server is back: what was acknowledged since is taken back.
    pub fn restored(
        &mut self,
        acknowledged: usize,
        granted: usize,
        (rights, absent): (BTreeMap<ContactId, Rights>, BTreeSet<ContactId>),
        regains: BTreeSet<(ContactId, usize)>,
    ) {
        self.take_back(acknowledged, &rights);
        self.regains.extend(regains);
        self.regains.extend(&self.granted[granted.min(self.granted.len())..]);
        // A backup that was made between a restore with the ledger and the moment at which a device
        // brought a contact back lacks it too, and knows whose it is.
        self.absent = absent;
        self.rights = rights;
    }

    /// The same, and the ledger was kept: whose contacts are, and who had which device, is as it was
    /// before.
    pub fn restored_with_ledger(
        &mut self,
        acknowledged: usize,
        rights: &BTreeMap<ContactId, Rights>,
        absent: &BTreeSet<ContactId>,
    ) {
        self.take_back(acknowledged, rights);
        let here = |contact: &&ContactId| !rights.contains_key(contact) || absent.contains(contact);
        self.absent = self.rights.keys().filter(here).copied().collect();
    }

    fn take_back(&mut self, acknowledged: usize, rights: &BTreeMap<ContactId, Rights>) {
        self.went_back = true;
        let lost = self.acknowledged.split_off(acknowledged.min(self.acknowledged.len()));
        self.taken_back.extend(lost);
        self.verified = self.verified.min(self.acknowledged.len());
        // Where the past that is gone differs from the rows that are back, anybody may lose it.
        for contact in self.rights.keys().chain(rights.keys()) {
            let (before, now) = (self.rights.get(contact), rights.get(contact));
            if before != now {
                for held in before.into_iter().chain(now) {
                    let users = held.owner.iter().chain(&held.collaborators);
                    self.handed_over.extend(users.map(|user| (*contact, *user)));
                }
            }
        }
    }
}

/// How far a receipt is on its way; within one timeline it never goes back.
pub fn rank(receipt: Receipt) -> u8 {
    match receipt {
        // Being authored anew: on its way again.
        Receipt::Saved | Receipt::Forked => 0,
        Receipt::Stored => 2,
        Receipt::Proposed => 3,
        _ => 4,
    }
}
