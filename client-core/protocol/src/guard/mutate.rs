//! Hostile changes for tests: a valid change taken apart, altered and put together again with a
//! checksum that holds, so that the mutant gets past the first check and into the code behind it.
//!
//! Deterministic: the same bytes and seed give the same mutant. Not part of the product; it is
//! compiled for tests and with the feature `mutate` only.

use ring::digest::{SHA256, digest};

use super::change::{CHANGE, MAGIC};
use super::error::GateError;
use super::reader::Reader;

/// A small random number generator (splitmix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose numbers follow from the seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next_u64() % bound as u64) as usize }
    }

    /// One of the items, if there is one.
    pub fn pick<'i, T>(&mut self, items: &'i [T]) -> Option<&'i T> {
        items.get(self.below(items.len()))
    }
}

/// Appends an unsigned LEB128.
pub fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed LEB128.
pub fn put_signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// A chunk around `body`, with magic bytes, length and a checksum that holds.
pub fn chunk(chunk_type: u8, body: &[u8]) -> Vec<u8> {
    let mut hashed = vec![chunk_type];
    put_unsigned(&mut hashed, body.len() as u64);
    hashed.extend_from_slice(body);
    let checksum = digest(&SHA256, &hashed);
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(checksum.as_ref().get(..4).unwrap_or_default());
    out.extend(hashed);
    out
}

/// The same chunk with the length and checksum that its content demands. What is no chunk becomes
/// the content of a change, so that a fuzzer's bytes always get past the envelope.
pub fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let head =
        reader.array::<4>().is_ok_and(|magic| *magic == MAGIC) && reader.array::<4>().is_ok();
    match reader.byte() {
        Ok(chunk_type) if head && reader.unsigned().is_ok() => {
            chunk(chunk_type, reader.take(reader.remaining()).unwrap_or_default())
        }
        _ => chunk(CHANGE, bytes),
    }
}

/// A change taken apart. Nothing in it needs to be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The dependencies.
    pub deps: Vec<[u8; 32]>,
    /// The author.
    pub actor: Vec<u8>,
    /// The sequence number.
    pub seq: u64,
    /// The counter of the first operation.
    pub start_op: u64,
    /// The commit time.
    pub time: i64,
    /// The message.
    pub message: Vec<u8>,
    /// The other actors.
    pub others: Vec<Vec<u8>>,
    /// The columns: specification and data.
    pub columns: Vec<(u64, Vec<u8>)>,
    /// What follows the columns.
    pub extra: Vec<u8>,
}

impl Parts {
    /// Takes a change chunk apart. The checksum is not looked at.
    ///
    /// # Errors
    /// If the bytes are not a change chunk.
    pub fn parse(bytes: &[u8]) -> Result<Self, GateError> {
        let mut body = Reader::new(bytes);
        body.take(9)?;
        body.unsigned()?;
        let mut deps = Vec::new();
        for _ in 0..body.unsigned()? {
            deps.push(*body.array::<32>()?);
        }
        let actor = body.prefixed()?.to_vec();
        let (seq, start_op, time) = (body.unsigned()?, body.unsigned()?, body.signed()?);
        let message = body.prefixed()?.to_vec();
        let mut others = Vec::new();
        for _ in 0..body.unsigned()? {
            others.push(body.prefixed()?.to_vec());
        }
        let mut lengths = Vec::new();
        for _ in 0..body.unsigned()? {
            lengths.push((body.unsigned()?, body.unsigned()?));
        }
        let mut columns = Vec::new();
        for (spec, length) in lengths {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            columns.push((spec, body.take(length)?.to_vec()));
        }
        let extra = body.take(body.remaining())?.to_vec();
        Ok(Self { deps, actor, seq, start_op, time, message, others, columns, extra })
    }

    /// The content of the chunk.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_unsigned(&mut out, self.deps.len() as u64);
        for dep in &self.deps {
            out.extend_from_slice(dep);
        }
        put_prefixed(&mut out, &self.actor);
        put_unsigned(&mut out, self.seq);
        put_unsigned(&mut out, self.start_op);
        put_signed(&mut out, self.time);
        put_prefixed(&mut out, &self.message);
        put_unsigned(&mut out, self.others.len() as u64);
        for other in &self.others {
            put_prefixed(&mut out, other);
        }
        put_unsigned(&mut out, self.columns.len() as u64);
        for (spec, data) in &self.columns {
            put_unsigned(&mut out, *spec);
            put_unsigned(&mut out, data.len() as u64);
        }
        for (_, data) in &self.columns {
            out.extend_from_slice(data);
        }
        out.extend_from_slice(&self.extra);
        out
    }

    /// The change, with a checksum that holds.
    pub fn change(&self) -> Vec<u8> {
        chunk(CHANGE, &self.body())
    }

    /// The data of the column with that specification, which is added if it isn't there.
    pub fn column(&mut self, spec: u64) -> &mut Vec<u8> {
        let at = match self.columns.iter().position(|(known, _)| *known >= spec) {
            Some(at) if self.columns.get(at).is_some_and(|(known, _)| *known == spec) => at,
            Some(at) => {
                self.columns.insert(at, (spec, Vec::new()));
                at
            }
            None => {
                self.columns.push((spec, Vec::new()));
                self.columns.len() - 1
            }
        };
        &mut self.columns[at].1
    }
}

fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    127,
    128,
    255,
    1 << 16,
    (1 << 30) - 1,
    1 << 30,
    (1 << 31) - 1,
    u32::MAX as u64 - 1,
    u32::MAX as u64,
    1 << 32,
    u64::MAX,
];

/// What [`mutate`] alters.
pub const KINDS: [&str; 15] = [
    "sequence",
    "first operation",
    "time",
    "actors",
    "dependencies",
    "message",
    "columns moved",
    "bytes behind the columns",
    "a column's content",
    "bytes of the content",
    "chunk type",
    "cut off",
    "a byte appended",
    "sent twice in one",
    "bytes under the checksum",
];

/// A mutant of a valid change: one to three alterations, and a checksum that holds (but in a few
/// cases, where that is what was altered).
pub fn mutate(bytes: &[u8], seed: u64) -> Vec<u8> {
    mutate_counted(bytes, seed, |_| ())
}

/// The same; tells each alteration by its place in [`KINDS`].
pub fn mutate_counted(bytes: &[u8], seed: u64, mut count: impl FnMut(usize)) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let Ok(mut parts) = Parts::parse(bytes) else { return bytes.to_vec() };
    let rounds = 1 + rng.below(3);
    for _ in 0..rounds {
        count(alter_parts(&mut parts, &mut rng));
    }
    let mut body = parts.body();
    if rng.below(3) == 0 {
        count(9);
        alter_bytes(&mut body, &mut rng);
    }
    let chunk_type = if rng.below(50) == 0 { rng.below(5) as u8 } else { CHANGE };
    if chunk_type != CHANGE {
        count(10);
    }
    let mut out = chunk(chunk_type, &body);
    let wrapped = rng.below(60);
    if wrapped < 4 {
        count(11 + wrapped);
    }
    match wrapped {
        0 => out.truncate(rng.below(out.len())),
        1 => out.push(rng.next_u64() as u8),
        2 => {
            let copy = out.clone();
            out.extend(copy);
        }
        3 => alter_bytes(&mut out, &mut rng),
        _ => {}
    }
    out
}

fn alter_bytes(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len());
        let noise = rng.next_u64() as u8;
        let Some(byte) = bytes.get_mut(at) else { return };
        match rng.below(6) {
            0 => *byte ^= 1 << (noise % 8),
            1 => *byte = noise,
            2 => *byte = byte.wrapping_add(1),
            3 => *byte = byte.wrapping_sub(1),
            4 => bytes.insert(at, noise),
            _ => {
                bytes.remove(at);
            }
        }
    }
}

fn number(rng: &mut Rng, near: u64) -> u64 {
    match rng.below(4) {
        0 => near.wrapping_add(1),
        1 => near.wrapping_sub(1),
        2 => near.wrapping_add(rng.below(64) as u64),
        _ => rng.pick(&NUMBERS).copied().unwrap_or(0),
    }
}

/// Alters one part; tells which, as a place in [`KINDS`].
fn alter_parts(parts: &mut Parts, rng: &mut Rng) -> usize {
    let kind = rng.below(16);
    match kind {
        0 => parts.seq = number(rng, parts.seq),
        1 => parts.start_op = number(rng, parts.start_op),
        2 => parts.time = number(rng, parts.time as u64) as i64,
        3 => alter_actors(parts, rng),
        4 => alter_deps(parts, rng),
        5 => alter_bytes(&mut parts.message, rng),
        6 => alter_layout(parts, rng),
        7 => parts.extra.push(rng.next_u64() as u8),
        // Most of the time the columns: that is where automerge trusts its input.
        _ => {
            let at = rng.below(parts.columns.len());
            if let Some((spec, data)) = parts.columns.get_mut(at) {
                *data = alter_column(*spec, data, rng);
            }
        }
    }
    kind.min(8)
}

fn alter_actors(parts: &mut Parts, rng: &mut Rng) {
    let noise: Vec<u8> = (0..16).map(|_| rng.next_u64() as u8).collect();
    match rng.below(7) {
        0 => parts.actor = noise,
        1 => parts.actor.truncate(rng.below(16)),
        2 => parts.others.push(noise),
        3 => parts.others.reverse(),
        4 => {
            parts.others.pop();
        }
        5 => parts.others.push(parts.actor.clone()),
        _ => {
            if let Some(other) = parts.others.first_mut() {
                std::mem::swap(other, &mut parts.actor);
            }
        }
    }
}

fn alter_deps(parts: &mut Parts, rng: &mut Rng) {
    match rng.below(4) {
        0 => {
            parts.deps.pop();
        }
        1 => parts.deps.push([rng.next_u64() as u8; 32]),
        2 => parts.deps.extend(parts.deps.clone()),
        _ => parts.deps.reverse(),
    }
}

fn alter_layout(parts: &mut Parts, rng: &mut Rng) {
    let (one, two) = (rng.below(parts.columns.len()), rng.below(parts.columns.len()));
    match rng.below(6) {
        0 => {
            if one < parts.columns.len() {
                parts.columns.remove(one);
            }
        }
        1 => {
            if let Some(column) = parts.columns.get(one).cloned() {
                parts.columns.insert(one, column);
            }
        }
        2 => {
            if one < parts.columns.len() {
                parts.columns.swap(one, two);
            }
        }
        3 => {
            if let Some(column) = parts.columns.get_mut(one) {
                column.0 |= 0x08;
            }
        }
        4 => {
            if let Some(column) = parts.columns.get_mut(one) {
                column.0 = rng.below(0xc0) as u64;
            }
        }
        // The end of a column becomes the start of the next.
        _ => {
            let moved = parts.columns.get_mut(one).and_then(|(_, data)| data.pop());
            if let (Some(byte), Some((_, next))) = (moved, parts.columns.get_mut(one + 1)) {
                next.insert(0, byte);
            }
        }
    }
}

/// A token of a column: a LEB128, with the bytes of a string behind it where it is a string.
fn tokens(spec: u64, data: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = Reader::new(data);
    let mut tokens = Vec::new();
    while !reader.is_empty() {
        let before = reader;
        let read = reader.unsigned().is_ok() || {
            reader = before;
            reader.take(1).is_ok()
        };
        if !read {
            break;
        }
        let length = before.remaining() - reader.remaining();
        let mut at = before;
        tokens.push(at.take(length).unwrap_or_default().to_vec());
    }
    // In columns of raw or text bytes a token is a byte.
    if spec & 0x07 == 5 || spec & 0x07 == 7 {
        data.iter().map(|byte| vec![*byte]).collect()
    } else {
        tokens
    }
}

fn alter_column(spec: u64, data: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut tokens = tokens(spec, data);
    let at = rng.below(tokens.len());
    let mut fresh = Vec::new();
    match rng.below(3) {
        0 => put_unsigned(&mut fresh, rng.below(12) as u64),
        1 => put_signed(&mut fresh, rng.below(9) as i64 - 4),
        _ => put_unsigned(&mut fresh, rng.pick(&NUMBERS).copied().unwrap_or(0)),
    }
    match rng.below(9) {
        0..=2 => {
            if let Some(token) = tokens.get_mut(at) {
                *token = fresh;
            }
        }
        3 => tokens.insert(at, fresh),
        4 => {
            if at < tokens.len() {
                tokens.remove(at);
            }
        }
        5 => {
            let other = rng.below(tokens.len());
            if at < tokens.len() {
                tokens.swap(at, other);
            }
        }
        // An overlong integer.
        6 => {
            if let Some(last) = tokens.get_mut(at).and_then(|token| token.last_mut()) {
                *last |= 0x80;
                tokens.insert(at + 1, vec![0]);
            }
        }
        // A run that never ends.
        7 => {
            let mut run = Vec::new();
            put_signed(
                &mut run,
                rng.pick(&[i64::MAX, i64::MIN, 1 << 40, -(1 << 40), 2_000, 2_001])
                    .copied()
                    .unwrap_or(0),
            );
            if let Some(token) = tokens.first_mut() {
                *token = run;
            }
        }
        _ => {
            let mut bytes = tokens.concat();
            alter_bytes(&mut bytes, rng);
            return bytes;
        }
    }
    tokens.concat()
}
