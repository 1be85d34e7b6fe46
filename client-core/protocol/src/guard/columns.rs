//! Columns of automerge's storage format, walked run by run and never expanded: a run of 2^60 rows
//! costs as much as a run of two.
//!
//! In a change only the one encoding is accepted that automerge itself writes, so that what passes
//! here has the same hash after every save and load. In a document, whose columns grow piece by
//! piece, neighbouring runs need not be joined.

use super::error::GateError;
use super::reader::{Reader, utf8};

/// What is wrong with columns that don't belong together.
pub(super) const ROWS: GateError =
    GateError::Malformed { what: "the columns have different numbers of rows" };
const NOT_CANONICAL: GateError = GateError::NotCanonical { what: "runs of a column" };

/// Marks a compressed column in its specification.
const DEFLATED: u64 = 0x08;

/// Reads the description of columns: each known, uncompressed, not empty, once, in order. Gives the
/// length of each known column, 0 where it is absent.
pub(super) fn read_column_lengths<const N: usize>(
    body: &mut Reader<'_>,
    known: &[u64; N],
) -> Result<[usize; N], GateError> {
    let mut lengths = [0; N];
    let count = body.unsigned()?;
    let mut next = 0;
    for _ in 0..count {
        let spec = body.unsigned()?;
        let length = body.unsigned()?;
        let refused = GateError::Column { spec };
        if spec & DEFLATED != 0 || length == 0 {
            return Err(refused);
        }
        let Some(index) = known.iter().skip(next).position(|known| *known == spec) else {
            return Err(refused);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > body.remaining() {
            return Err(GateError::Malformed { what: "a column is longer than the data" });
        }
        if let Some(slot) = lengths.get_mut(next + index) {
            *slot = length;
        }
        next += index + 1;
    }
    Ok(lengths)
}

/// What one cell of a run-length encoded column holds.
pub(super) trait Cell<'a>: Copy + PartialEq {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateError>;
}

impl<'a> Cell<'a> for u64 {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateError> {
        reader.unsigned()
    }
}

impl<'a> Cell<'a> for i64 {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateError> {
        reader.signed()
    }
}

impl<'a> Cell<'a> for &'a str {
    fn read(reader: &mut Reader<'a>) -> Result<Self, GateError> {
        utf8(reader.prefixed()?, "a string is not UTF-8")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Start,
    Null,
    Repeat,
    Literal,
}

/// The rows of a run-length encoded column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rle<'a, C> {
    input: Reader<'a>,
    run: Run,
    left: u64,
    last: Option<C>,
    canonical: bool,
}

impl<'a, C: Cell<'a>> Rle<'a, C> {
    /// A column of a change.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { input: Reader::new(bytes), run: Run::Start, left: 0, last: None, canonical: true }
    }

    /// A column of a document.
    pub(super) fn of_document(bytes: &'a [u8]) -> Self {
        Self { canonical: false, ..Self::new(bytes) }
    }

    /// The next row: `None` at the end, `Some(None)` for a null.
    pub(super) fn next(&mut self) -> Result<Option<Option<C>>, GateError> {
        if self.left == 0 && !self.start_run()? {
            return Ok(None);
        }
        self.left -= 1;
        match self.run {
            Run::Literal => {
                let cell = C::read(&mut self.input)?;
                // A value that follows its equal belongs into a repeat.
                self.refuse_if(self.last == Some(cell))?;
                self.last = Some(cell);
                Ok(Some(Some(cell)))
            }
            Run::Repeat => Ok(Some(self.last)),
            Run::Null | Run::Start => Ok(Some(None)),
        }
    }

    /// The next row of a column that may be absent, which means nulls only. One that is there must
    /// have a row for each operation.
    pub(super) fn optional(&mut self) -> Result<Option<C>, GateError> {
        match self.next()? {
            Some(cell) => Ok(cell),
            None if self.run == Run::Start => Ok(None),
            None => Err(ROWS),
        }
    }

    /// The rows that are left of the present run, which are then skipped, and their value. A literal
    /// run is given row by row. `None` at the end.
    pub(super) fn next_run(&mut self) -> Result<Option<(u64, Option<C>)>, GateError> {
        let Some(cell) = self.next()? else { return Ok(None) };
        let rows = if self.run == Run::Literal { 1 } else { 1 + std::mem::take(&mut self.left) };
        Ok(Some((rows, cell)))
    }

    fn start_run(&mut self) -> Result<bool, GateError> {
        if self.input.is_empty() {
            // Automerge leaves out a column that is nothing but nulls.
            self.refuse_if(self.run == Run::Null && self.last.is_none())?;
            return Ok(false);
        }
        let count = self.input.signed()?;
        let before = self.run;
        if count > 0 {
            let cell = C::read(&mut self.input)?;
            self.refuse_if(count == 1 || (before != Run::Null && self.last == Some(cell)))?;
            self.run = Run::Repeat;
            self.left = count.unsigned_abs();
            self.last = Some(cell);
        } else if count < 0 {
            self.refuse_if(before == Run::Literal)?;
            self.run = Run::Literal;
            self.left = count.unsigned_abs();
            if before == Run::Null {
                self.last = None;
            }
        } else {
            self.left = self.input.unsigned()?;
            self.refuse_if(before == Run::Null)?;
            if self.left == 0 {
                return Err(NOT_CANONICAL);
            }
            self.run = Run::Null;
        }
        Ok(true)
    }

    fn refuse_if(&self, otherwise_encoded: bool) -> Result<(), GateError> {
        if self.canonical && otherwise_encoded { Err(NOT_CANONICAL) } else { Ok(()) }
    }
}

/// The rows of a column of integers that are stored as differences.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delta<'a> {
    rows: Rle<'a, i64>,
    value: i64,
}

impl<'a> Delta<'a> {
    /// A column of a change.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rows: Rle::new(bytes), value: 0 }
    }

    /// A column of a document.
    pub(super) fn of_document(bytes: &'a [u8]) -> Self {
        Self { rows: Rle::of_document(bytes), value: 0 }
    }

    /// The next row: `None` at the end, `Some(None)` for a null.
    pub(super) fn next(&mut self) -> Result<Option<Option<i64>>, GateError> {
        match self.rows.next()? {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(difference)) => {
                self.value = self
                    .value
                    .checked_add(difference)
                    .ok_or(GateError::Malformed { what: "a difference overflows" })?;
                Ok(Some(Some(self.value)))
            }
        }
    }
}

impl Delta<'_> {
    /// As [`Rle::optional`].
    pub(super) fn optional(&mut self) -> Result<Option<i64>, GateError> {
        match self.next()? {
            Some(value) => Ok(value),
            None if self.rows.run == Run::Start => Ok(None),
            None => Err(ROWS),
        }
    }
}

/// The rows of a column of booleans: run lengths of false and true in turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booleans<'a> {
    input: Reader<'a>,
    left: u64,
    value: bool,
    started: bool,
}

impl<'a> Booleans<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { input: Reader::new(bytes), left: 0, value: true, started: false }
    }

    /// The next row, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<bool>, GateError> {
        while self.left == 0 {
            if self.input.is_empty() {
                return Ok(None);
            }
            self.left = self.input.unsigned()?;
            self.value = !self.value;
            // Only the first run, of false, may be empty, and then something follows.
            if self.left == 0 && (self.started || self.input.is_empty()) {
                return Err(NOT_CANONICAL);
            }
            self.started = true;
        }
        self.left -= 1;
        Ok(Some(self.value))
    }

    /// The rows that are left of the present run, which are then skipped. `None` at the end.
    pub(super) fn next_run(&mut self) -> Result<Option<u64>, GateError> {
        Ok(self.next()?.map(|_| 1 + std::mem::take(&mut self.left)))
    }
}
