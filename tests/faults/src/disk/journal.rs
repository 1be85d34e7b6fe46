//! What was done to one file since it was last synced, and what a power cut makes of it.
//!
//! Writes go to the real file at once, so that every reader sees them; beside that, the journal
//! keeps for each what it took away and what it put there. At a power cut the file goes back to what
//! was synced, and a seeded choice of the later writes is done again, in order: each whole, not at
//! all, or only some of its 512-byte sectors.
//!
//! The model is never harsher than a disk: what was synced stays; bytes outside of a write's range
//! are never touched (SQLite counts on that: `SQLITE_IOCAP_POWERSAFE_OVERWRITE`); a sector is
//! written as a whole; where a truncate is undone, nothing later that lay beyond the cut is there,
//! as the file system orders its own metadata.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{Loss, Lost};
use crate::random::Random;

/// What a disk writes as one.
const SECTOR: u64 = 512;
/// What the system caches, and writes back, as one.
const PAGE: u64 = 4_096;
/// Unsynced bytes of a file beyond which the system writes the oldest back by itself.
const UNSYNCED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Memory kept for the next writes when everything is synced.
const KEPT_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A sync makes it durable.
    Unsynced,
    /// Synced, but kept here because something before it is doomed.
    Durable,
    /// A sync for it failed, and the system has forgotten it.
    Doomed,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Whether the file was made shorter, to `offset`.
    truncate: bool,
    offset: u64,
    /// Where the bytes that were there begin in the arena; those put there follow.
    at: usize,
    old: usize,
    new: usize,
    /// The length of the file before.
    length: u64,
    fate: Fate,
}

impl Entry {
    fn end(&self) -> u64 {
        self.offset + self.new as u64
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
    /// Old and new bytes of all entries, one after the other.
    bytes: Vec<u8>,
    doomed: usize,
}

impl Journal {
    /// Notes a write before it is done. `read` gives the bytes that are there, `length` is that of
    /// the file. How many old writes were written back to make room is returned; `None` if reading
    /// failed.
    pub(super) fn write(
        &mut self,
        offset: u64,
        data: &[u8],
        length: u64,
        read: impl FnOnce(&mut [u8]) -> bool,
    ) -> Option<u64> {
        let old = length.saturating_sub(offset).min(data.len() as u64) as usize;
        let written_back = self.note(offset, old, length, false, read)?;
        self.bytes.extend_from_slice(data);
        if let Some(entry) = self.entries.last_mut() {
            entry.new = data.len();
        }
        Some(written_back)
    }

    /// Notes that the file will be cut, before it is.
    pub(super) fn truncate(
        &mut self,
        to: u64,
        length: u64,
        read: impl FnOnce(&mut [u8]) -> bool,
    ) -> Option<u64> {
        self.note(to, length.saturating_sub(to) as usize, length, true, read)
    }

    fn note(
        &mut self,
        offset: u64,
        old: usize,
        length: u64,
        truncate: bool,
        read: impl FnOnce(&mut [u8]) -> bool,
    ) -> Option<u64> {
        let written_back =
            if self.bytes.len() > UNSYNCED_BYTES_MAX { self.write_back() } else { 0 };
        let at = self.bytes.len();
        self.bytes.resize(at + old, 0);
        if old > 0 && !read(&mut self.bytes[at..]) {
            self.bytes.truncate(at);
            return None;
        }
        let fate = Fate::Unsynced;
        self.entries.push(Entry { truncate, offset, at, old, new: 0, length, fate });
        Some(written_back)
    }

    /// Forgets the newest entry: the operation failed and changed nothing.
    pub(super) fn forget_last(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.bytes.truncate(entry.at);
        }
    }

    /// Makes the older half durable, as a system does whose memory is full of unsynced writes.
    fn write_back(&mut self) -> u64 {
        let half = self.entries.len().div_ceil(2);
        let cut = self.entries.get(half).map_or(self.bytes.len(), |entry| entry.at);
        self.entries.drain(..half);
        self.bytes.drain(..cut);
        for entry in &mut self.entries {
            entry.at -= cut;
        }
        self.doomed = self.entries.iter().filter(|entry| entry.fate == Fate::Doomed).count();
        half as u64
    }

    /// Everything noted is durable, but for what is doomed.
    pub(super) fn sync(&mut self) {
        if self.doomed == 0 {
            self.clear();
            return;
        }
        for entry in &mut self.entries {
            if entry.fate == Fate::Unsynced {
                entry.fate = Fate::Durable;
            }
        }
    }

    /// A sync failed, and no later one will make the writes durable.
    pub(super) fn lose_sync(&mut self) {
        for entry in &mut self.entries {
            if entry.fate == Fate::Unsynced {
                // The file system keeps its own metadata in order: a truncate is not forgotten.
                entry.fate = if entry.truncate { Fate::Durable } else { Fate::Doomed };
            }
        }
        self.doomed = self.entries.iter().filter(|entry| entry.fate == Fate::Doomed).count();
        if self.doomed == 0 {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.doomed = 0;
    }

    /// Operations that a power cut could undo.
    pub(super) fn unsynced(&self) -> usize {
        self.entries.iter().filter(|entry| entry.fate != Fate::Durable).count()
    }

    /// Makes of the real file what the disk holds after a power cut, and forgets everything.
    pub(super) fn cut(&mut self, file: &File, loss: Loss, random: &mut Random) -> io::Result<Lost> {
        let mut lost = Lost::default();
        if loss == Loss::Process || self.entries.is_empty() {
            return Ok(lost);
        }
        for entry in self.entries.iter().rev() {
            file.set_len(entry.length)?;
            file.write_all_at(&self.bytes[entry.at..entry.at + entry.old], entry.offset)?;
        }
        let chances = Chances::of(loss, self.entries.len(), random);
        // What lies from here on was cut off by a truncate that is undone.
        let mut beyond = u64::MAX;
        for (index, entry) in self.entries.iter().enumerate() {
            let share = match entry.fate {
                Fate::Durable => Share::All,
                Fate::Doomed => Share::Sectors(self.rescued(index)),
                Fate::Unsynced => chances.roll(index, entry, random),
            };
            if entry.truncate {
                match share {
                    Share::All => file.set_len(entry.offset)?,
                    _ => {
                        beyond = beyond.min(entry.offset);
                        lost.truncates_undone += 1;
                    }
                }
                continue;
            }
            match self.redo(file, entry, &share, beyond, random)? {
                Done::Nothing => lost.dropped += 1,
                Done::Part => lost.torn += 1,
                Done::Whole => lost.kept += u64::from(entry.fate == Fate::Unsynced),
            }
        }
        self.clear();
        Ok(lost)
    }

    /// Which sectors of a doomed write are durable even so: those in a cached page that a later,
    /// durable write touched as well.
    fn rescued(&self, index: usize) -> Vec<bool> {
        let doomed = &self.entries[index];
        let mut sectors = vec![false; sectors_of(doomed)];
        let later = self.entries[index + 1..]
            .iter()
            .filter(|entry| entry.fate == Fate::Durable && !entry.truncate && entry.new > 0);
        for entry in later {
            let (from, to) = (entry.offset / PAGE * PAGE, entry.end().div_ceil(PAGE) * PAGE);
            for (n, rescued) in sectors.iter_mut().enumerate() {
                let at = (doomed.offset / SECTOR + n as u64) * SECTOR;
                *rescued |= (from..to).contains(&at);
            }
        }
        sectors
    }

    fn redo(
        &self,
        file: &File,
        entry: &Entry,
        share: &Share,
        beyond: u64,
        random: &mut Random,
    ) -> io::Result<Done> {
        let data = &self.bytes[entry.at + entry.old..entry.at + entry.old + entry.new];
        let limit = beyond.saturating_sub(entry.offset).min(data.len() as u64) as usize;
        let sectors = match share {
            Share::All => {
                file.write_all_at(&data[..limit], entry.offset)?;
                return Ok(Done::of(limit, data.len()));
            }
            Share::Nothing => return Ok(Done::Nothing),
            Share::Sectors(sectors) => sectors,
        };
        let mut written = 0;
        for (n, _) in sectors.iter().enumerate().filter(|(_, kept)| **kept) {
            let start = (entry.offset / SECTOR + n as u64) * SECTOR;
            let from = start.saturating_sub(entry.offset) as usize;
            let to = ((start + SECTOR - entry.offset) as usize).min(limit);
            if from < to {
                file.write_all_at(&data[from..to], entry.offset + from as u64)?;
                written += to - from;
            }
        }
        // The new length of a file may reach the disk before what makes it longer.
        let end = entry.offset + limit as u64;
        if written > 0 && random.coin() && file.metadata()?.len() < end {
            file.set_len(end)?;
        }
        Ok(Done::of(written, data.len()))
    }
}

enum Done {
    Nothing,
    Part,
    Whole,
}

impl Done {
    fn of(written: usize, wanted: usize) -> Done {
        match written {
            0 => Done::Nothing,
            n if n < wanted => Done::Part,
            _ => Done::Whole,
        }
    }
}

/// How much of a write reached the disk.
enum Share {
    All,
    Nothing,
    /// By sector, from the one in which the write begins.
    Sectors(Vec<bool>),
}

/// How the writes of one file fare. One disk writes in order, another as it likes, so the way is
/// chosen anew for each file and cut.
enum Chances {
    Keep,
    Drop,
    /// In order up to here, where one is torn.
    Prefix(usize),
    Scatter,
}

impl Chances {
    fn of(loss: Loss, entries: usize, random: &mut Random) -> Chances {
        match loss {
            Loss::Process => Chances::Keep,
            Loss::All => Chances::Drop,
            Loss::Power => match random.below(6) {
                0 => Chances::Keep,
                1 => Chances::Drop,
                2 | 3 => Chances::Prefix(random.below(entries as u64 + 1) as usize),
                _ => Chances::Scatter,
            },
        }
    }

    fn roll(&self, index: usize, entry: &Entry, random: &mut Random) -> Share {
        match self {
            Chances::Keep => Share::All,
            Chances::Drop => Share::Nothing,
            Chances::Prefix(at) if index < *at => Share::All,
            Chances::Prefix(at) if index == *at => tear(entry, random),
            Chances::Prefix(_) => Share::Nothing,
            Chances::Scatter => match random.below(3) {
                0 => Share::All,
                1 => Share::Nothing,
                _ => tear(entry, random),
            },
        }
    }
}

fn tear(entry: &Entry, random: &mut Random) -> Share {
    let sectors = sectors_of(entry);
    if entry.truncate || sectors < 2 {
        return if random.coin() { Share::All } else { Share::Nothing };
    }
    if random.coin() {
        let first = 1 + random.below(sectors as u64 - 1) as usize;
        return Share::Sectors((0..sectors).map(|n| n < first).collect());
    }
    Share::Sectors((0..sectors).map(|_| random.coin()).collect())
}

fn sectors_of(entry: &Entry) -> usize {
    (entry.end().div_ceil(SECTOR) - entry.offset / SECTOR) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with its journal, as the disk drives them.
    struct Model {
        file: File,
        journal: Journal,
        synced: Vec<u8>,
        /// For each byte what it may be after a cut.
        may_be: Vec<Vec<u8>>,
    }

    impl Model {
        fn new() -> Self {
            let memory = std::path::Path::new("/dev/shm");
            let file = if memory.is_dir() {
                tempfile::tempfile_in(memory).unwrap()
            } else {
                tempfile::tempfile().unwrap()
            };
            Self { file, journal: Journal::default(), synced: Vec::new(), may_be: Vec::new() }
        }

        fn length(&self) -> u64 {
            self.file.metadata().unwrap().len()
        }

        fn write(&mut self, offset: u64, data: &[u8]) {
            let (file, length) = (&self.file, self.length());
            let read = |old: &mut [u8]| file.read_exact_at(old, offset).is_ok();
            self.journal.write(offset, data, length, read).unwrap();
            self.file.write_all_at(data, offset).unwrap();
            for (at, byte) in (offset as usize..).zip(data) {
                if at >= self.may_be.len() {
                    self.may_be.resize(at + 1, vec![0]);
                }
                self.may_be[at].push(*byte);
            }
        }

        fn truncate(&mut self, to: u64) {
            let (file, length) = (&self.file, self.length());
            let read = |old: &mut [u8]| file.read_exact_at(old, to).is_ok();
            self.journal.truncate(to, length, read).unwrap();
            self.file.set_len(to).unwrap();
            // A hole reads as zeros if the file grows again.
            self.may_be[to as usize..].iter_mut().for_each(|values| values.push(0));
        }

        fn content(&self) -> Vec<u8> {
            let mut content = vec![0; self.length() as usize];
            self.file.read_exact_at(&mut content, 0).unwrap();
            content
        }

        fn sync(&mut self) {
            self.journal.sync();
            self.synced = self.content();
            self.may_be = self.synced.iter().map(|byte| vec![*byte]).collect();
        }
    }

    fn play(seed: u64) -> Model {
        let mut random = Random::new(seed);
        let mut model = Model::new();
        for step in 1..80_u64 {
            match random.below(12) {
                0 => model.sync(),
                1 => {
                    let to = random.below(model.length() + 1);
                    model.truncate(to);
                }
                _ => {
                    let offset = random.below(model.length().min(20_000) + 1);
                    let data = vec![step as u8; 1 + random.below(5_000) as usize];
                    model.write(offset, &data);
                }
            }
        }
        model
    }

    #[test]
    fn losing_everything_unsynced_gives_what_was_synced() {
        for seed in 0..100 {
            let mut model = play(seed);
            let mut random = Random::new(seed);
            model.journal.cut(&model.file, Loss::All, &mut random).unwrap();
            assert!(model.content() == model.synced, "seed {seed}");
            assert_eq!(model.journal.unsynced(), 0);
        }
    }

    #[test]
    fn after_a_power_cut_each_byte_was_there_or_was_written() {
        let mut total = Lost::default();
        for seed in 0..150 {
            let mut model = play(seed);
            let mut random = Random::new(seed);
            total.add(model.journal.cut(&model.file, Loss::Power, &mut random).unwrap());
            for (at, byte) in model.content().iter().enumerate() {
                let may_be = &model.may_be[at];
                // Beyond a kept end lie zeros.
                assert!(may_be.contains(byte) || *byte == 0, "seed {seed}, byte {at}: {byte}");
            }
        }
        assert!(total.kept > 0 && total.dropped > 0 && total.torn > 0, "{total:?}");
        assert!(total.truncates_undone > 0, "{total:?}");
    }

    #[test]
    fn a_tear_is_between_sectors() {
        let mut torn = 0;
        for seed in 0..300 {
            let mut model = Model::new();
            model.write(0, &[1; 9_000]);
            model.sync();
            model.write(700, &[2; 4_120]);
            let mut random = Random::new(seed);
            torn += model.journal.cut(&model.file, Loss::Power, &mut random).unwrap().torn;
            let content = model.content();
            assert_eq!(content.len(), 9_000);
            assert!(content[..700].iter().chain(&content[4_820..]).all(|byte| *byte == 1));
            for sector in content.chunks(512) {
                let inside: Vec<u8> = sector.to_vec();
                let changes = inside.windows(2).filter(|pair| pair[0] != pair[1]).count();
                assert!(changes <= 1, "a sector was torn");
            }
        }
        assert!(torn > 20, "{torn}");
    }

    #[test]
    fn what_a_failed_sync_lost_stays_lost_but_for_pages_written_again() {
        let mut model = Model::new();
        model.write(0, &[1; 16_384]);
        model.sync();
        model.write(0, &[2; 16_384]);
        model.journal.lose_sync();
        model.write(4_096, &[3; 10]);
        model.journal.sync();
        assert!(model.journal.unsynced() > 0);
        model.journal.cut(&model.file, Loss::All, &mut Random::new(1)).unwrap();
        let content = model.content();
        assert!(content[..4_096].iter().all(|byte| *byte == 1));
        assert!(content[4_096..4_106].iter().all(|byte| *byte == 3));
        assert!(content[4_106..8_192].iter().all(|byte| *byte == 2), "its page was written again");
        assert!(content[8_192..].iter().all(|byte| *byte == 1));
    }

    #[test]
    fn the_journal_is_bounded() {
        let mut journal = Journal::default();
        let data = vec![0; 1024 * 1024];
        let mut written_back = 0;
        for n in 0..200 {
            let at = n * data.len() as u64;
            written_back += journal.write(at, &data, at, |_| true).unwrap();
            assert!(journal.bytes.len() <= UNSYNCED_BYTES_MAX + 2 * data.len());
        }
        assert_eq!(written_back + journal.unsynced() as u64, 200);
        assert!(written_back > 0);
    }
}
