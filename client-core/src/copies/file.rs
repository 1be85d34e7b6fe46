//! The file of sealed copies: how it lies on the disk, how it is read, and how it grows.
//!
//! A head that names the format, then entries, each behind its length and a checksum: first the
//! [`CopiesHeader`], then one [`CopiedPart`] after the other. It is only ever appended to, emptied, or
//! written anew whole. What a power cut leaves at its end is cut off by the reader: what was not whole
//! was not returned as saved. Nothing in it can be read by anybody but the workspace.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use ring::signature::Ed25519KeyPair;
use roadbook_protocol::ids::EditId;
use roadbook_protocol::sealing::KEY_BYTES;
use roadbook_protocol::wire::{
    CopiedPart, CopiesHeader, SEALED_PARTS_MAX, Sealed, SealedEdit, copy_text,
};

use crate::env::{Entropy, random16};
use crate::files;

/// What the file begins with: what it is, and its format.
const HEAD: &[u8; 20] = b"roadbook copies\0\0\0\0\x01";
const CHECK_BYTES: usize = 8;
/// What stands before an entry: its length and the checksum.
const HEAD_BYTES: usize = 4 + CHECK_BYTES;
/// What every part begins with, by its encoding: a map of six, of which the first is an id of 16 bytes.
const PART_BEGINS: &[u8] = &[0xa6, 0x00, 0x50];
/// More than the largest part that is written: a length beyond it is none.
const ENTRY_BYTES_MAX: u32 = 64 << 20;
/// A file is not let grow beyond this: some 60,000 edits that were not sent.
pub(super) const FILE_BYTES_MAX: u64 = 64 << 20;

/// Tells what a copy is of: the hash of a change, or of what else was sealed.
pub(super) type Tag = [u8; 32];

/// What is to be copied.
pub(super) type Tagged = (Tag, SealedEdit);

/// What the sealing of parts takes of chance. Drawn before, so that it does not depend on who seals.
pub(super) struct Chance {
    bundle: [u8; 16],
    parts: Vec<[u8; KEY_BYTES]>,
}

impl Chance {
    pub(super) fn draw(entropy: &dyn Entropy, parts: usize) -> Chance {
        let mut drawn = vec![[0; KEY_BYTES]; parts];
        drawn.iter_mut().for_each(|random| entropy.fill(random));
        Chance { bundle: random16(entropy), parts: drawn }
    }
}

/// A file of copies that was read from beginning to end.
pub(super) struct Contents {
    pub header: CopiesHeader,
    /// Where the first part begins, and where the last whole one ends.
    pub parts_at: u64,
    pub end: u64,
    pub tags: HashSet<Tag>,
    /// Parts, and the edits in them.
    pub parts: u32,
    pub edits: u64,
    /// The place behind the last one.
    pub next: (EditId, u32),
    /// Whether something between the parts or behind the last one can't be read.
    pub torn: bool,
}

/// What stands at a place of the file.
enum Found {
    /// An entry, and how many damaged bytes there are before it.
    Entry(Vec<u8>, u64),
    /// Nothing more that is whole.
    End,
}

/// The next whole entry. What is damaged, be it a length, is passed over if a whole part follows
/// anywhere; else it is what a power cut left at the end.
fn entry(from: &mut (impl Read + Seek)) -> io::Result<Found> {
    let at = from.stream_position()?;
    if let Some(bytes) = whole_entry(from)? {
        return Ok(Found::Entry(bytes, 0));
    }
    from.seek(SeekFrom::Start(at))?;
    let mut rest = Vec::new();
    from.take(FILE_BYTES_MAX).read_to_end(&mut rest)?;
    let begins = |at: &usize| rest[at + HEAD_BYTES..].starts_with(PART_BEGINS);
    for damaged in (1..rest.len().saturating_sub(HEAD_BYTES)).filter(begins) {
        if let Some(bytes) = whole_entry(&mut &rest[damaged..])? {
            from.seek(SeekFrom::Start(at + damaged as u64 + entry_bytes(bytes.len())))?;
            return Ok(Found::Entry(bytes, damaged as u64));
        }
    }
    Ok(Found::End)
}

/// The entry that begins here, if it is whole.
fn whole_entry(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; HEAD_BYTES];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (length, check) = head.split_at(4);
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    if length > ENTRY_BYTES_MAX {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut bytes)?;
    Ok((bytes.len() == length as usize && checksum(&bytes) == *check).then_some(bytes))
}

fn checksum(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest(&SHA256, bytes).as_ref()[..CHECK_BYTES]);
    check
}

fn put_entry(into: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(&checksum(bytes));
    into.extend_from_slice(bytes);
}

const fn entry_bytes(bytes: usize) -> u64 {
    (HEAD_BYTES + bytes) as u64
}

/// The header of a file; `None` if it has none that can be read. The reader stands behind it.
fn header(from: &mut (impl Read + Seek)) -> io::Result<Option<(CopiesHeader, u64)>> {
    let mut head = [0; HEAD.len()];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    if head != *HEAD {
        return Ok(None);
    }
    let Found::Entry(bytes, 0) = entry(from)? else { return Ok(None) };
    let at = HEAD.len() as u64 + entry_bytes(bytes.len());
    Ok(CopiesHeader::from_bytes(&bytes).map(|header| (header, at)))
}

/// Reads a whole file; `None` if it is not there or has no header that can be read.
pub(super) fn read(path: &Path) -> io::Result<Option<Contents>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let length = file.metadata()?.len();
    let mut file = BufReader::new(file);
    let Some((header, parts_at)) = header(&mut file)? else { return Ok(None) };
    let mut contents = Contents {
        header,
        parts_at,
        end: parts_at,
        tags: HashSet::new(),
        parts: 0,
        edits: 0,
        next: (EditId::from_bytes([0; 16]), SEALED_PARTS_MAX),
        torn: false,
    };
    let mut damaged = 0;
    while let Found::Entry(bytes, before) = entry(&mut file)? {
        let Some(part) = CopiedPart::from_bytes(&bytes) else { break };
        damaged += before;
        contents.end += before + entry_bytes(bytes.len());
        contents.parts += 1;
        contents.edits += u64::from(part.edits);
        contents.next = (part.bundle, part.part.saturating_add(1));
        contents.tags.extend(part.tags.chunks_exact(32).filter_map(|tag| Tag::try_from(tag).ok()));
    }
    contents.torn = damaged > 0 || contents.end < length;
    Ok(Some(contents))
}

/// A part of a file, as it is handed over.
pub(super) struct Part {
    pub sealed: Sealed,
    /// Where the next one begins.
    pub next: u64,
    /// Whether something before it can't be read.
    pub behind_damage: bool,
}

/// The part at a place of a file (0: the first); `None` at the end.
pub(super) fn part_at(path: &Path, at: u64) -> io::Result<Option<Part>> {
    let mut file = BufReader::new(File::open(path)?);
    let Some((header, parts_at)) = header(&mut file)? else { return Ok(None) };
    let at = at.max(parts_at);
    file.seek(SeekFrom::Start(at))?;
    let Found::Entry(bytes, damaged) = entry(&mut file)? else { return Ok(None) };
    let next = at + damaged + entry_bytes(bytes.len());
    let part = CopiedPart::from_bytes(&bytes).map(|part| part.into_sealed(&header));
    Ok(part.map(|sealed| Part { sealed, next, behind_damage: damaged > 0 }))
}

/// The file that is being written.
pub(super) struct Book {
    file: File,
    pub header: CopiesHeader,
    pair: Ed25519KeyPair,
    parts_at: u64,
    end: u64,
    pub tags: HashSet<Tag>,
    pub parts: u32,
    next: (EditId, u32),
}

/// Where the file ended before it grew.
pub(super) struct Mark {
    end: u64,
    parts: u32,
    next: (EditId, u32),
}

impl Book {
    /// Writes the file anew, whole, with these in it: parts of what is bound together. Those beyond
    /// the largest size are left out; the second value says whether there were any.
    pub(super) fn write(
        path: &Path,
        header: CopiesHeader,
        pair: Ed25519KeyPair,
        parts: Vec<Vec<Tagged>>,
        chance: Chance,
    ) -> io::Result<(Book, bool)> {
        let mut bytes = HEAD.to_vec();
        put_entry(&mut bytes, &header.to_bytes());
        let parts_at = bytes.len() as u64;
        let mut next = (EditId::from_bytes(chance.bundle), 0);
        let (mut tags, mut count, mut left_out) = (HashSet::new(), 0, false);
        for (edits, random) in parts.into_iter().zip(chance.parts) {
            let new: Vec<Tag> = edits.iter().map(|(tag, _)| *tag).collect();
            let before = bytes.len();
            if next.1 >= SEALED_PARTS_MAX {
                next = (following(&chance.bundle, next.0), 0);
            }
            put_entry(&mut bytes, &seal(&header, &pair, next, edits, random)?.to_bytes());
            if bytes.len() as u64 > FILE_BYTES_MAX {
                bytes.truncate(before);
                left_out = true;
                break;
            }
            next.1 += 1;
            count += 1;
            tags.extend(new);
        }
        files::write_whole(path, &bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let file = open(path)?;
        let end = bytes.len() as u64;
        Ok((Book { file, header, pair, parts_at, end, tags, parts: count, next }, left_out))
    }

    /// Goes on with a file that was read.
    pub(super) fn go_on(path: &Path, contents: Contents, pair: Ed25519KeyPair) -> io::Result<Book> {
        let Contents { header, parts_at, end, tags, parts, next, .. } = contents;
        Ok(Book { file: open(path)?, header, pair, parts_at, end, tags, parts, next })
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { end: self.end, parts: self.parts, next: self.next }
    }

    /// Seals these as one part and appends it; with `sync` it is on the disk on return.
    ///
    /// # Errors
    /// What the disk says: the file may have grown, [`Self::take_back`] it.
    pub(super) fn append(
        &mut self,
        edits: Vec<Tagged>,
        chance: &Chance,
        sync: bool,
    ) -> io::Result<()> {
        let tags: Vec<Tag> = edits.iter().map(|(tag, _)| *tag).collect();
        if self.next.1 >= SEALED_PARTS_MAX {
            self.next = (EditId::from_bytes(chance.bundle), 0);
        }
        let Some(random) = chance.parts.first() else { return Ok(()) };
        let part = seal(&self.header, &self.pair, self.next, edits, *random)?;
        let mut bytes = Vec::new();
        put_entry(&mut bytes, &part.to_bytes());
        if self.end + bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::Error::from(ErrorKind::FileTooLarge));
        }
        self.file.write_all(&bytes)?;
        if sync {
            self.file.sync_data()?;
        }
        self.end += bytes.len() as u64;
        self.parts += 1;
        self.next.1 += 1;
        self.tags.extend(tags);
        Ok(())
    }

    /// The file as it was: what was appended is of an edit that is none.
    pub(super) fn take_back(&mut self, mark: &Mark, tags: &[Tag]) -> io::Result<()> {
        self.file.set_len(mark.end)?;
        self.file.seek(SeekFrom::Start(mark.end))?;
        (self.end, self.parts) = (mark.end, mark.parts);
        // The number is not used again: a part of it may have reached the disk.
        self.next = match self.next.0 == mark.next.0 {
            true => (self.next.0, self.next.1.max(mark.next.1) + 1),
            false => self.next,
        };
        tags.iter().for_each(|tag| {
            self.tags.remove(tag);
        });
        Ok(())
    }

    /// Everything in it has arrived. Not synced: what a power cut brings back is taken for what it is.
    pub(super) fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(self.parts_at)?;
        self.file.seek(SeekFrom::Start(self.parts_at))?;
        (self.end, self.parts) = (self.parts_at, 0);
        self.tags.clear();
        Ok(())
    }
}

#[cfg(test)]
impl Book {
    /// From now on the disk is full.
    pub(super) fn fill_the_disk(&mut self) {
        self.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
    }
}

/// The bundle behind the one of a full number of parts.
fn following(first: &[u8; 16], bundle: EditId) -> EditId {
    let bytes = digest(&SHA256, &[first.as_slice(), bundle.as_bytes()].concat());
    let mut id = [0; 16];
    id.copy_from_slice(&bytes.as_ref()[..16]);
    EditId::from_bytes(id)
}

fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

fn seal(
    header: &CopiesHeader,
    pair: &Ed25519KeyPair,
    (bundle, part): (EditId, u32),
    edits: Vec<Tagged>,
    random: [u8; KEY_BYTES],
) -> io::Result<CopiedPart> {
    let tags = edits.iter().flat_map(|(tag, _)| *tag).collect();
    let people = edits.iter().filter(|(_, edit)| edit.edit.is_some()).count();
    let edits = edits.into_iter().map(|(_, edit)| edit).collect();
    let whose = (&header.workspace, &header.device, &header.user);
    let place = (bundle, part, SEALED_PARTS_MAX);
    let sealed =
        Sealed::seal(whose, place, edits, &header.sealed_to, random).map_err(io::Error::other)?;
    let signature = pair.sign(&copy_text(bundle, part, &header.sealed_to, &sealed.bytes));
    Ok(CopiedPart {
        bundle,
        part,
        edits: u32::try_from(people).unwrap_or(u32::MAX),
        tags,
        bytes: sealed.bytes,
        signature: signature.as_ref().to_vec(),
    })
}

/// The name of the file, and the beginning of the names of those that wait to be handed over.
pub(super) const FILE: &str = "copies";
const WAITING: &str = "copies.waiting-";

/// Whether a file in the replica's directory is one of copies.
pub(super) fn is_ours(name: &str) -> bool {
    name == FILE || name.starts_with(WAITING) || name == "copies.new"
}

/// The files that wait to be handed over, oldest first.
pub(super) fn waiting(home: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(home)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(number) = name.strip_prefix(WAITING).and_then(|n| n.parse::<u64>().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Lets the file wait to be handed over under another name, durably.
pub(super) fn let_wait(home: &Path) -> io::Result<PathBuf> {
    let last = waiting(home)?.pop();
    let number = last
        .and_then(|path| path.extension()?.to_str()?.strip_prefix("waiting-")?.parse::<u64>().ok())
        .unwrap_or(0);
    let path = home.join(format!("{WAITING}{}", number + 1));
    std::fs::rename(home.join(FILE), &path)?;
    files::sync_directory(home);
    Ok(path)
}
