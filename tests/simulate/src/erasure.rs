//! Erased contacts: erasing one, and that it stays erased (P10). Everything that is written in a run
//! ends in random digits, so that whatever carries it can be told by its bytes: in the server's files,
//! on a device once it has purged.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use roadbook_protocol::ids::ContactId;
use roadbook_protocol::session::ClientEvent;
use roadbook_protocol::wire::Fate;
use roadbook_server::engine::{Erase, Outcome};
use roadbook_server::store::{EngineError, contacts};

use crate::device::Standing;
use crate::oracle::{Marker, Oracle};
use crate::world::World;

/// How many of the hexadecimal digits at the end of a marker are looked for: an index keeps of a word
/// only what tells it from the one before, and that is never so much.
const DIGITS: usize = 10;
const DIGITS_MASK: u64 = (1 << (4 * DIGITS)) - 1;

/// The promise.
const STAYS_ERASED: &str = "P10: erased stays erased";

/// What was written, and what of it must be gone.
#[derive(Debug, Default)]
pub struct Erasures {
    /// What was written about each contact: the last digits of it.
    written: BTreeMap<ContactId, Vec<u64>>,
    /// What is erased, as the server stands.
    now: BTreeSet<ContactId>,
    /// What was ever erased, and how many edits there were by then: those are destroyed on order.
    ever: BTreeMap<ContactId, usize>,
    /// Asked for and never answered: either is right.
    unsure: BTreeSet<ContactId>,
    /// What was written about contacts that are erased now.
    gone: HashSet<u64>,
    /// The server said that bytes are left until its next start, or could not say that none are.
    unscrubbed: bool,
}

impl Erasures {
    /// Something was written about a contact.
    pub fn write(&mut self, contact: ContactId, marker: &Marker) {
        let Some(digits) = digits(marker) else { return };
        self.written.entry(contact).or_default().push(digits);
        if self.now.contains(&contact) {
            self.gone.insert(digits);
        }
    }

    /// What is erased, as the server stands.
    pub fn now(&self) -> &BTreeSet<ContactId> {
        &self.now
    }

    /// Whether a contact is erased.
    pub fn is_erased(&self, contact: &ContactId) -> bool {
        self.now.contains(contact)
    }

    /// Whether it may be.
    pub fn may_be_erased(&self, contact: &ContactId) -> bool {
        self.now.contains(contact) || self.unsure.contains(contact)
    }

    /// Whether an edit of this number was destroyed on order, or may have been. A restore without the
    /// ledger brings a contact back and nothing that devices have destroyed of it since.
    pub fn excuses(&self, contact: &ContactId, edit: usize) -> bool {
        self.may_be_erased(contact) || self.ever.get(contact).is_some_and(|by_then| edit < *by_then)
    }

    /// Whether a contact was ever erased.
    pub fn was_erased(&self, contact: &ContactId) -> bool {
        self.ever.contains_key(contact)
    }

    fn of<'a>(&'a self, contacts: impl IntoIterator<Item = &'a ContactId>) -> HashSet<u64> {
        contacts.into_iter().filter_map(|id| self.written.get(id)).flatten().copied().collect()
    }

    /// About which contact this was written.
    fn about(&self, digits: u64) -> Option<ContactId> {
        let found = self.written.iter().find(|(_, written)| written.contains(&digits));
        found.map(|(contact, _)| *contact)
    }

    /// Everything that was ever written.
    pub fn everything(&self) -> HashSet<u64> {
        self.of(self.written.keys())
    }
}

impl Oracle {
    /// A contact is erased.
    fn erased(&mut self, contact: ContactId, users: usize) {
        let by_then = self.edits.len();
        self.erasures.now.insert(contact);
        self.erasures.ever.insert(contact, by_then);
        self.erasures.gone.extend(self.erasures.written.get(&contact).into_iter().flatten());
        self.rights.remove(&contact);
        self.makers.remove(&contact);
        self.regains.retain(|held| held.0 != contact);
        self.handed_over.extend((0..users).map(|user| (contact, user)));
    }

    /// A backup is back, and the ledger is not: what was erased after it is as it was then. Nobody is
    /// left who would know better, which is why the ledger belongs on another disk.
    pub fn erasures_forgotten(&mut self, before: &BTreeSet<ContactId>) {
        let by_then = self.edits.len();
        let erasures = &mut self.erasures;
        for contact in erasures.now.difference(before) {
            erasures.ever.insert(*contact, by_then);
        }
        erasures.now.clone_from(before);
        erasures.gone = erasures.of(&erasures.now);
    }
}

impl World {
    /// A contact is erased at the server.
    pub fn erase(&mut self, contact: u32, salt: u64) {
        let enough = self.plan.shape.contacts.div_ceil(2).max(2) as usize;
        if self.oracle.rights.len() <= enough || !self.server.is_up() {
            return;
        }
        let Some(contact) = self.nth_contact(contact) else { return };
        if self.oracle.absent.contains(&contact) {
            return;
        }
        self.edit_before_erasure(contact, salt);
        let (Some(engine), false) = (self.server.engine(), self.is_over()) else { return };
        // What is looked for afterwards is there before.
        let written = self.oracle.erasures.of([&contact]);
        if let Ok(found) = search(&self.server.dir, &written) {
            self.cover.add("event.erased_bytes_found_before", found.len() as u64);
        }
        // What the log has taken before is judged before, though its answers may come after.
        self.note_asked_to_erase(contact);
        let list = vec![Erase { contact, mentions: Vec::new() }];
        let report = engine.erase(self.server.workspace, Some(self.server.office), list, "request");
        match self.office("an erasure", report) {
            Some(report) => {
                self.cover.count("act.erase");
                self.oracle.erased(contact, self.server.users.len());
                self.oracle.erasures.unscrubbed |= !report.scrubbed;
                self.check_erased_at_server();
            }
            None => {
                self.oracle.erasures.unsure.insert(contact);
                self.settle_erasures();
            }
        }
    }

    /// Somebody who holds a contact and is away writes about it once more.
    fn edit_before_erasure(&mut self, contact: ContactId, salt: u64) {
        let mut rng = fastrand::Rng::with_seed(salt);
        let count = self.devices.len();
        let first = rng.usize(..count);
        let away = (0..count).map(|n| (first + n) % count).find(|index| {
            let device = &self.devices[*index];
            device.standing == Standing::Alive
                && device.conn.is_none()
                && self.oracle.is_held(&contact, device.user)
        });
        if let Some(index) = away {
            self.edit_one(index, contact, &mut rng);
        }
    }

    /// What became of erasures that were asked for and never answered.
    pub fn settle_erasures(&mut self) {
        let Some(engine) = self.server.engine() else { return };
        let workspace = self.server.workspace;
        for contact in self.oracle.erasures.unsure.clone() {
            let found = engine.read(|conn| -> Result<_, EngineError> {
                contacts::find(conn, workspace, contact)
            });
            let Ok(found) = found else { return };
            self.oracle.erasures.unsure.remove(&contact);
            if found.is_some_and(|found| found.erased_at.is_some()) {
                self.oracle.erased(contact, self.server.users.len());
                self.oracle.erasures.unscrubbed = true;
            }
        }
    }

    /// The server has started: it ends what was half done, and does again what it forgot.
    pub fn erasures_after_start(&mut self) {
        self.settle_erasures();
        self.oracle.erasures.unscrubbed = !self.oracle.erasures.unsure.is_empty();
        self.check_erased_at_server();
        let Some(engine) = self.server.engine() else { return };
        let (workspace, erased) = (self.server.workspace, self.oracle.erasures.now.clone());
        let back = engine.read(|conn| -> Result<Option<ContactId>, EngineError> {
            for contact in &erased {
                let found = contacts::find(conn, workspace, *contact)?;
                if found.is_none_or(|found| found.erased_at.is_none()) {
                    return Ok(Some(*contact));
                }
            }
            Ok(None)
        });
        if let Ok(Some(contact)) = back {
            let detail = format!("contact {contact} is not erased any more after a start");
            self.violated(STAYS_ERASED, detail);
        }
    }

    /// No byte of what is erased is in the server's files.
    pub fn check_erased_at_server(&mut self) {
        let erasures = &self.oracle.erasures;
        if erasures.unscrubbed || erasures.gone.is_empty() {
            return;
        }
        match search(&self.server.dir, &erasures.gone) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                let detail = format!("the server: {}", told(&found, &self.oracle.erasures));
                self.violated(STAYS_ERASED, detail);
            }
            Err(error) => self.violated("files are read", error.to_string()),
        }
    }

    /// What the log answered about a contact that is erased, or said of one that it is. `erased_since`
    /// are those whose erasure was asked for when the log had this already: it is judged as the
    /// contact stood before, and went with it. (That no word of it is left is looked for in the files.)
    pub fn note_erased_fate(
        &mut self,
        device: usize,
        outcome: &Outcome,
        erased_since: &BTreeSet<ContactId>,
    ) {
        let contact = outcome.contact;
        if outcome.fate == Fate::Erased {
            if self.oracle.erasures.may_be_erased(&contact) {
                return self.cover.count("event.late_refused_erased");
            }
            let detail =
                format!("contact {contact} is called erased to device {device} and is not");
            return self.violated("no edit is refused without a cause", detail);
        }
        // The same everywhere, and no content: a bootstrap.
        let nothing = outcome.fate == Fate::Merged && outcome.duplicate;
        let before = erased_since.contains(&contact);
        if self.oracle.erasures.is_erased(&contact) && !nothing && !before {
            let detail = format!(
                "change {} of device {device} for the erased contact {contact} became {:?}",
                outcome.hash, outcome.fate
            );
            self.violated(STAYS_ERASED, detail);
        }
    }

    /// A device is about to confirm that nothing of these contacts is left on it.
    pub fn note_purged(&mut self, index: usize, events: &[ClientEvent]) {
        for event in events {
            let ClientEvent::Purged(contacts) = event else { continue };
            if contacts.is_empty() {
                continue;
            }
            self.cover.add("event.purged", contacts.len() as u64);
            self.devices[index].stale = true;
            // A bit that flipped may have hidden from the replica what a row or a page is about.
            if !self.devices[index].damaged {
                let written = self.oracle.erasures.of(contacts);
                self.check_absent(index, &written, STAYS_ERASED);
            }
        }
    }

    /// When all devices had their contact: nothing of what is erased is left on any.
    pub fn check_erased_on_devices(&mut self) {
        let gone = self.oracle.erasures.gone.clone();
        for index in 0..self.devices.len() {
            let device = &self.devices[index];
            if device.standing == Standing::Alive && !device.damaged && !self.is_over() {
                self.check_absent(index, &gone, STAYS_ERASED);
            }
        }
    }

    /// None of these digits are in the files of a device.
    pub fn check_absent(&mut self, index: usize, digits: &HashSet<u64>, promise: &'static str) {
        if digits.is_empty() {
            return;
        }
        match search(&self.devices[index].home, digits) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                let found = told(&found, &self.oracle.erasures);
                self.violated(promise, format!("device {index}: {found}"));
            }
            Err(error) => self.violated("files are read", error.to_string()),
        }
    }
}

/// What a marker is told by.
fn digits(marker: &Marker) -> Option<u64> {
    let text = match marker {
        Marker::Interaction(_, summary) => summary.as_str(),
        Marker::Note(words) => words.trim_end_matches(']'),
        Marker::Passing(_) => return None,
    };
    let last = text.get(text.len().checked_sub(DIGITS)?..)?;
    u64::from_str_radix(last, 16).ok()
}

/// Where one of these stands in a file.
struct Found {
    path: PathBuf,
    offset: usize,
    digits: u64,
}

fn told(found: &[Found], erasures: &Erasures) -> String {
    let first = found.first().map(|found| {
        let Found { path, offset, digits } = found;
        let about = erasures.about(*digits).map(|contact| format!(" about contact {contact}"));
        let (width, about) = (DIGITS, about.unwrap_or_default());
        format!("first ..{digits:0width$x}{about} at {offset} of {}", path.display())
    });
    format!("{} words that are to be gone, {}", found.len(), first.unwrap_or_default())
}

/// Looks for these in the files of a directory and below.
fn search(dir: &Path, wanted: &HashSet<u64>) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if fs::symlink_metadata(&path)?.is_dir() {
            found.extend(search(&path, wanted)?);
            continue;
        }
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let places = places(&bytes, wanted);
        found.extend(places.map(|(offset, digits)| Found { path: path.clone(), offset, digits }));
    }
    Ok(found)
}

/// Where any of these ends in the bytes, as hexadecimal digits.
fn places<'a>(
    bytes: &'a [u8],
    wanted: &'a HashSet<u64>,
) -> impl Iterator<Item = (usize, u64)> + 'a {
    let (mut value, mut run) = (0_u64, 0_usize);
    bytes.iter().enumerate().filter_map(move |(offset, byte)| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => {
                run = 0;
                return None;
            }
        };
        value = (value << 4 | u64::from(digit)) & DIGITS_MASK;
        run += 1;
        (run >= DIGITS && wanted.contains(&value)).then_some((offset, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_found_by_its_last_digits_wherever_it_stands() {
        let marker = Marker::Note("[0123456789abcdef]".to_owned());
        let wanted: HashSet<u64> = digits(&marker).into_iter().collect();
        assert_eq!(wanted, HashSet::from([0x0067_89ab_cdef]));
        assert_eq!(places(b"\0visit 0123456789abcdefcafe [0123456789abcdef]", &wanted).count(), 2);
        assert_eq!(
            places(b"\x04456789abcdef\x01", &wanted).count(),
            1,
            "what an index keeps of a word"
        );
        assert_eq!(places(b"0123456789abcde", &wanted).count(), 0);
        assert_eq!(digits(&Marker::Passing(None)), None);
    }
}
