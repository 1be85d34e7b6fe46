//! The ledger (rule 4): an append-only file outside the database, and outside every backup of it. It
//! says, as ids only, what must hold even if the database is put back to an older state: erasures,
//! enrolments, revocations, whose contacts are.
//!
//! One record a line: number, time, what happened, and a hash over the hash of the line before and the
//! line itself. What a transaction notes ([`crate::store::ledger::note`]) is appended and synced before
//! that transaction commits, so nothing that was answered is missing in it. A last line that was cut off
//! in the middle of an append was never answered: it is taken off with a notice. Anything else that does
//! not fit is damage, and the server does not start on it.
//!
//! This file knows nothing of the database; `replay` brings the two together.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use roadbook_protocol::ids::UnixMs;

use crate::files;
use crate::store::ledger::Noted;
use crate::store::{EngineError, Result};

/// The file in the data directory, unless another is named.
pub const LEDGER_FILE: &str = "ledger";
/// The file in the data directory that remembers where the ledger is, if it is elsewhere.
const PLACE_FILE: &str = "ledger-at";
/// What a ledger begins with; behind it stands what tells it from every other one.
const HEADER: &str = "roadbook-ledger 1 ";
/// No line is as long.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// The hash of a line and of all lines before it.
pub type Hash = [u8; 32];

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was written.
    pub at: UnixMs,
    /// What happened.
    pub noted: Noted,
    /// Its hash.
    pub hash: Hash,
}

/// Where the ledger ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the last record; 0 where there is none.
    pub seq: u64,
    /// Its hash, or that of the header.
    pub hash: Hash,
    /// Bytes of the file.
    bytes: u64,
}

/// An open ledger. One process has it, the one that holds the lock of the data directory.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    head: Head,
    /// Why nothing more can be written.
    broken: Option<String>,
}

/// Where the ledger of a data directory is: where it was said to be, where it was the last time, or in
/// the directory itself.
///
/// # Errors
/// [`EngineError::Ledger`] where it is somewhere else than it is now said to be, so that two of them
/// never grow beside each other.
pub fn locate(dir: &Path, wanted: Option<&Path>) -> Result<PathBuf> {
    let note = dir.join(PLACE_FILE);
    let before = match std::fs::read_to_string(&note) {
        Ok(text) => PathBuf::from(text.trim_end_matches('\n')),
        Err(error) if error.kind() == ErrorKind::NotFound => dir.join(LEDGER_FILE),
        Err(source) => return Err(EngineError::Io { path: note, source }),
    };
    let Some(wanted) = wanted else { return Ok(before) };
    let wanted = std::path::absolute(wanted)
        .map_err(|source| EngineError::Io { path: wanted.to_owned(), source })?;
    if wanted == before {
        return Ok(before);
    }
    if before.exists() && !wanted.exists() {
        let reason = format!(
            "the ledger of this data directory is {}; stop the server and move that file there first",
            before.display()
        );
        return Err(EngineError::Ledger { path: wanted, reason });
    }
    let text = wanted.to_str().ok_or_else(|| EngineError::Ledger {
        path: wanted.clone(),
        reason: "its name is not UTF-8; choose another".to_owned(),
    })?;
    files::write_whole(&note, format!("{text}\n").as_bytes(), files::ORDINARY)
        .map_err(|source| EngineError::Io { path: note, source })?;
    Ok(wanted)
}

fn digest(before: &[u8], text: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(before);
    context.update(text);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

impl Ledger {
    /// Makes a new one. `random` tells it from every other.
    ///
    /// # Errors
    /// [`EngineError::Io`]; a file that is there already is never replaced.
    pub fn create(path: &Path, random: [u8; 16]) -> Result<Ledger> {
        let io = |source| EngineError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Under another name until its header is on the disk: a file of this name is one.
        let part = part_of(path);
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let mut file = options.open(&part).map_err(io)?;
        let header = format!("{HEADER}{}\n", hex::encode(random));
        file.write_all(header.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        std::fs::hard_link(&part, path)
            .and_then(|()| std::fs::remove_file(&part))
            .or_else(|error| match error.kind() {
                ErrorKind::AlreadyExists => Err(error),
                // A file system without hard links.
                _ => std::fs::rename(&part, path),
            })
            .map_err(io)?;
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            files::sync_dir(dir).map_err(io)?;
        }
        let hash = digest(&[], header.trim_end().as_bytes());
        let head = Head { seq: 0, hash, bytes: header.len() as u64 };
        Ok(Ledger { path: path.to_owned(), file, head, broken: None })
    }

    /// Opens one and calls `each` with every record in order. `None` if there is no such file.
    ///
    /// # Errors
    /// [`EngineError::Ledger`] for a damaged file or one of a newer version, [`EngineError::Io`], or
    /// what `each` returns.
    pub fn open(path: &Path, mut each: impl FnMut(&Entry) -> Result<()>) -> Result<Option<Ledger>> {
        let io = |source| EngineError::Io { path: path.to_owned(), source };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let mut reader = BufReader::with_capacity(256 * 1024, &file);
        let mut line = Vec::new();
        let header = read_line(&mut reader, &mut line).map_err(io)?;
        let text = header.then(|| std::str::from_utf8(&line).ok()).flatten();
        let Some(text) = text.filter(|text| text.starts_with(HEADER)) else {
            let reason = "it does not begin as a ledger of this version does".to_owned();
            return Err(unfit(path, &reason));
        };
        let mut head =
            Head { seq: 0, hash: digest(&[], text.as_bytes()), bytes: text.len() as u64 + 1 };
        let mut torn = false;
        loop {
            let whole = read_line(&mut reader, &mut line).map_err(io)?;
            if line.is_empty() && !whole {
                break;
            }
            let parsed = match whole {
                true => parse(&head, &line),
                false => Err("it is cut off".to_owned()),
            };
            match parsed {
                Ok(entry) => {
                    each(&entry)?;
                    head.seq = entry.seq;
                    head.hash = entry.hash;
                    head.bytes += line.len() as u64 + 1;
                }
                Err(reason) => {
                    if is_torn(&mut reader, whole, &line).map_err(io)? {
                        torn = true;
                        break;
                    }
                    let reason = format!("its record {} is damaged: {reason}", head.seq + 1);
                    return Err(unfit(path, &reason));
                }
            }
        }
        drop(reader);
        if torn {
            tracing::warn!(
                ledger = %path.display(), kept = head.seq,
                "the last record of the ledger was cut off in the middle of being written; it was never \
                 acknowledged, and is taken off"
            );
            file.set_len(head.bytes).and_then(|()| file.sync_all()).map_err(io)?;
        }
        Ok(Some(Ledger { path: path.to_owned(), file, head, broken: None }))
    }

    /// Where it ends.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends records; they are on the disk when this returns. If it fails the file is as it was.
    ///
    /// # Errors
    /// [`EngineError::Io`], [`EngineError::Ledger`] where an earlier failure left it unsure what is in
    /// the file.
    pub fn append(&mut self, at: UnixMs, records: &[String]) -> Result<Head> {
        if let Some(reason) = &self.broken {
            return Err(unfit(&self.path, reason));
        }
        let before = self.head;
        let mut head = before;
        let mut text = String::new();
        for record in records {
            head.seq += 1;
            let line = format!("{} {at} {record}", head.seq);
            head.hash = digest(&head.hash, line.as_bytes());
            text.push_str(&line);
            text.push(' ');
            text.push_str(&hex::encode(head.hash));
            text.push('\n');
        }
        head.bytes += text.len() as u64;
        let io = |source| EngineError::Io { path: self.path.clone(), source };
        let written = self
            .file
            .seek(SeekFrom::Start(before.bytes))
            .and_then(|_| self.file.write_all(text.as_bytes()))
            .map_err(io);
        if let Err(error) = written {
            self.cut_back(before);
            return Err(error);
        }
        if let Err(source) = self.file.sync_data() {
            // What of it is on the disk nobody knows.
            self.broken = Some(format!("it could not be synced ({source}); restart the server"));
            return Err(EngineError::Io { path: self.path.clone(), source });
        }
        self.head = head;
        Ok(head)
    }

    /// Takes off what was appended after `head`: the transaction that it was for did not commit.
    pub fn cut_back(&mut self, head: Head) {
        match self.file.set_len(head.bytes).and_then(|()| self.file.sync_data()) {
            Ok(()) => self.head = head,
            Err(error) => {
                tracing::error!(%error, ledger = %self.path.display(), "the ledger could not be cut back");
                self.broken =
                    Some(format!("it could not be cut back ({error}); restart the server"));
            }
        }
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn unfit(path: &Path, reason: &str) -> EngineError {
    EngineError::Ledger {
        path: path.to_owned(),
        reason: format!(
            "{reason}; put a copy of it back, or, if there is none, set the file aside: the server then begins \
             another from what its database knows, and holds customer data back until `review confirm`"
        ),
    }
}

/// Reads up to the next line feed, which is left out. Whether there was one.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    reader.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', line)?;
    let whole = line.last() == Some(&b'\n');
    if whole {
        line.pop();
    }
    Ok(whole)
}

fn parse(head: &Head, line: &[u8]) -> std::result::Result<Entry, String> {
    let text = std::str::from_utf8(line).map_err(|_| "it is no text".to_owned())?;
    let (said, hash) = text.rsplit_once(' ').ok_or("it has one word")?;
    let expected = digest(&head.hash, said.as_bytes());
    if hex::decode(hash).ok().as_deref() != Some(&expected[..]) {
        return Err("its hash does not follow from what stands before it".to_owned());
    }
    let mut words = said.splitn(3, ' ');
    let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
    let (seq, at) = (number(), number());
    let (Some(seq), Some(at), Some(record)) = (seq, at, words.next()) else {
        return Err("it lacks its number or its time".to_owned());
    };
    if seq.unsigned_abs() != head.seq + 1 || seq < 1 {
        return Err(format!("it has the number {seq}"));
    }
    Ok(Entry { seq: seq.unsigned_abs(), at, noted: record.parse()?, hash: expected })
}

/// Whether what does not fit is the end of an append that a crash cut off: nothing behind it is a whole
/// line that has the form of a record. (A disk may keep a later block of an append and not an earlier
/// one: then zeros stand in it.)
fn is_torn(reader: &mut impl BufRead, whole: bool, line: &[u8]) -> std::io::Result<bool> {
    if whole && !line.contains(&0) {
        return Ok(false);
    }
    let mut next = Vec::new();
    loop {
        let whole = read_line(reader, &mut next)?;
        if !whole && next.is_empty() {
            return Ok(true);
        }
        let text = std::str::from_utf8(&next).unwrap_or_default();
        let hash = text.rsplit_once(' ').and_then(|(_, hash)| hex::decode(hash).ok());
        if whole && hash.is_some_and(|hash| hash.len() == 32) && !next.contains(&0) {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use roadbook_protocol::ids::{ContactId, WorkspaceId};

    use super::*;
    use crate::store::ledger::Record;

    struct World {
        dir: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap() }
        }
        fn path(&self) -> PathBuf {
            self.dir.path().join(LEDGER_FILE)
        }
        fn read(&self) -> Result<(Ledger, Vec<Entry>)> {
            let mut all = Vec::new();
            let ledger = Ledger::open(&self.path(), |entry| {
                all.push(entry.clone());
                Ok(())
            })?;
            Ok((ledger.unwrap(), all))
        }
    }

    fn erase(n: u8) -> String {
        let (workspace, contact) =
            (WorkspaceId::from_bytes([1; 16]), ContactId::from_bytes([n; 16]));
        Noted { workspace, record: Record::Erase { contact } }.to_string()
    }

    fn records(world: &World, count: u8) -> Vec<String> {
        let mut ledger = Ledger::create(&world.path(), [7; 16]).unwrap();
        let all: Vec<String> = (1..=count).map(erase).collect();
        for record in &all {
            ledger.append(17, std::slice::from_ref(record)).unwrap();
        }
        all
    }

    #[test]
    fn what_was_appended_is_read_back_in_order() {
        let world = World::new();
        assert!(Ledger::open(&world.path(), |_| Ok(())).unwrap().is_none());
        let mut ledger = Ledger::create(&world.path(), [7; 16]).unwrap();
        ledger.append(17, &[erase(1), erase(2)]).unwrap();
        let head = ledger.append(18, &[erase(3)]).unwrap();
        drop(ledger);
        let (mut ledger, all) = world.read().unwrap();
        assert_eq!(ledger.head(), head);
        let said: Vec<_> = all.iter().map(|e| (e.seq, e.at, e.noted.to_string())).collect();
        assert_eq!(said, [(1, 17, erase(1)), (2, 17, erase(2)), (3, 18, erase(3))]);
        ledger.append(19, &[erase(4)]).unwrap();
        assert_eq!(world.read().unwrap().1.len(), 4);
    }

    #[test]
    fn a_ledger_is_never_replaced() {
        let world = World::new();
        records(&world, 1);
        assert!(Ledger::create(&world.path(), [8; 16]).is_err());
        assert_eq!(world.read().unwrap().1.len(), 1);
    }

    /// Whatever a crash leaves of the last append, the records before it stand and new ones follow.
    #[test]
    fn an_append_that_was_cut_off_anywhere_is_taken_off() {
        let world = World::new();
        records(&world, 3);
        let whole = std::fs::read(world.path()).unwrap();
        let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        for end in last..whole.len() {
            for zeros in [0, 1, 300] {
                let mut bytes = whole[..end].to_vec();
                bytes.resize(end + zeros, 0);
                std::fs::write(world.path(), &bytes).unwrap();
                let (mut ledger, all) = world.read().unwrap();
                assert_eq!(all.len(), 2, "cut at {end}, {zeros} zeros");
                ledger.append(20, &[erase(9)]).unwrap();
                assert_eq!(world.read().unwrap().1[2].noted.to_string(), erase(9));
            }
        }
    }

    #[test]
    fn a_damaged_record_is_an_error_with_the_way_out_and_nothing_is_cut_off() {
        let world = World::new();
        records(&world, 4);
        let whole = std::fs::read(world.path()).unwrap();
        let lines: Vec<usize> = whole
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at + 1)
            .collect();
        let mut damages: Vec<(String, Vec<u8>)> = Vec::new();
        for at in [lines[0], lines[1] + 20, lines[3] - 2, lines[3] + 5] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            damages.push((format!("a bit at {at}"), bytes));
        }
        // A record taken out of the middle, two records exchanged, zeros in the middle.
        damages.push(("out".into(), [&whole[..lines[1]], &whole[lines[2]..]].concat()));
        let exchanged = [
            &whole[..lines[1]],
            &whole[lines[2]..lines[3]],
            &whole[lines[1]..lines[2]],
            &whole[lines[3]..],
        ];
        damages.push(("exchanged".into(), exchanged.concat()));
        let mut zeros = whole.clone();
        zeros[lines[1] + 3..lines[1] + 40].fill(0);
        damages.push(("zeros".into(), zeros));
        damages.push(("header".into(), b"something else\n".to_vec()));
        for (what, bytes) in damages {
            std::fs::write(world.path(), &bytes).unwrap();
            let error = world.read().unwrap_err();
            assert!(error.to_string().contains("put a copy of it back"), "{what}: {error}");
            assert_eq!(std::fs::read(world.path()).unwrap(), bytes, "{what}");
        }
    }

    #[test]
    fn a_transaction_that_did_not_commit_leaves_nothing() {
        let world = World::new();
        records(&world, 2);
        let (mut ledger, _) = world.read().unwrap();
        let before = ledger.head();
        ledger.append(20, &[erase(8)]).unwrap();
        ledger.cut_back(before);
        ledger.append(20, &[erase(9)]).unwrap();
        let all = world.read().unwrap().1;
        assert_eq!((all.len(), all[2].noted.to_string()), (3, erase(9)));
    }

    #[test]
    fn the_place_is_remembered_and_two_ledgers_never_grow_beside_each_other() {
        let world = World::new();
        let (dir, elsewhere) = (world.dir.path(), world.dir.path().join("disk2").join("ledger"));
        std::fs::create_dir(world.dir.path().join("disk2")).unwrap();
        assert_eq!(locate(dir, None).unwrap(), world.path());
        assert_eq!(locate(dir, Some(&elsewhere)).unwrap(), elsewhere);
        assert_eq!(locate(dir, None).unwrap(), elsewhere, "also for a command without the setting");
        Ledger::create(&elsewhere, [7; 16]).unwrap();
        let error = locate(dir, Some(&world.path())).unwrap_err().to_string();
        assert!(error.contains("move that file"), "{error}");
        std::fs::rename(&elsewhere, world.path()).unwrap();
        assert_eq!(locate(dir, Some(&world.path())).unwrap(), world.path());
        assert_eq!(locate(dir, None).unwrap(), world.path());
    }
}
