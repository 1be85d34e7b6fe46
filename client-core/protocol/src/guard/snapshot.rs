//! Loading a whole document from outside: a snapshot that a device fetched, or one read back.
//!
//! The format is that of automerge 0.12.0 (`storage/document.rs`): actors, heads, the columns of
//! changes, the columns of operations, the indexes of the heads.

use std::collections::HashMap;

use automerge::{Automerge, LoadOptions, ReadDoc, TextEncoding};

use super::change::{DOCUMENT, open_chunk, read_actor};
use super::columns::{Booleans, Delta, ROWS, Rle, read_column_lengths};
use super::error::{Bound, GateError, MergeError, within};
use super::quiet::contained;
use super::reader::Reader;
use crate::limits::Limits;

/// Actors of bootstrap changes, which the limit on actors does not count.
const BOOTSTRAP_ACTORS_MAX: usize = 32;
/// What keys and messages of a snapshot may expand to, in document sizes.
const INFLATED_DOCUMENTS_MAX: u64 = 16;

const CHANGE_COLUMNS: [u64; 9] = [0x01, 0x03, 0x13, 0x23, 0x35, 0x40, 0x43, 0x56, 0x57];
const OP_COLUMNS: [u64; 16] = [
    0x01, 0x02, 0x11, 0x13, 0x15, 0x21, 0x23, 0x34, 0x42, 0x56, 0x57, 0x80, 0x81, 0x83, 0x94, 0xa5,
];

/// Loads a snapshot: one uncompressed document chunk and nothing else, bounded before automerge sees
/// it, with the heads verified and no change missing. Positions in texts are Unicode code points.
///
/// # Errors
/// [`MergeError::Refused`] with the limit or rule it breaks, or [`MergeError::Unloadable`].
pub fn load_snapshot(bytes: &[u8], limits: &Limits) -> Result<Automerge, MergeError> {
    check(bytes, limits)?;
    let outcome = contained(|| {
        let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
        let doc =
            Automerge::load_with_options(bytes, options).map_err(|error| error.to_string())?;
        if doc.get_missing_deps(&[]).is_empty() {
            Ok(doc)
        } else {
            Err("changes are missing in it".to_owned())
        }
    });
    outcome.unwrap_or_else(Err).map_err(|reason| MergeError::Unloadable { reason })
}

fn check(bytes: &[u8], limits: &Limits) -> Result<(), GateError> {
    within(Bound::DocumentBytes, bytes.len() as u64, limits.document_bytes_max as u64)?;
    let (_, mut body) = open_chunk(bytes, DOCUMENT)?;
    let actors = body.unsigned()?;
    within(
        Bound::DocumentActors,
        actors,
        (limits.document_actors_max + BOOTSTRAP_ACTORS_MAX) as u64,
    )?;
    let mut last = None;
    for _ in 0..actors {
        let actor = read_actor(&mut body)?;
        if last.is_some_and(|last| last >= actor) {
            return Err(GateError::ActorOrder);
        }
        last = Some(actor);
    }
    let heads = body.unsigned()?;
    within(Bound::DocumentChanges, heads, limits.document_changes_max)?;
    for _ in 0..heads {
        body.array::<32>()?;
    }
    let change_lengths = read_column_lengths(&mut body, &CHANGE_COLUMNS)?;
    let op_lengths = read_column_lengths(&mut body, &OP_COLUMNS)?;
    let changes = take_columns(&mut body, &CHANGE_COLUMNS, change_lengths)?;
    let ops = take_columns(&mut body, &OP_COLUMNS, op_lengths)?;
    for _ in 0..heads {
        body.unsigned()?;
    }
    if !body.is_empty() {
        return Err(GateError::TrailingBytes { bytes: body.remaining() });
    }
    let mut bounds = Bounds {
        inflated: 0,
        inflated_max: INFLATED_DOCUMENTS_MAX * limits.document_bytes_max as u64,
    };
    check_changes(&changes, limits, &mut bounds)?;
    check_ops(&ops, limits, &mut bounds)?;
    check_depth(&ops, limits)
}

type Column<'a> = (u64, &'a [u8]);

fn take_columns<'a, const N: usize>(
    body: &mut Reader<'a>,
    specs: &[u64; N],
    lengths: [usize; N],
) -> Result<[Column<'a>; N], GateError> {
    let mut columns = [(0, &[][..]); N];
    for ((column, spec), length) in columns.iter_mut().zip(specs).zip(lengths) {
        *column = (*spec, body.take(length)?);
    }
    Ok(columns)
}

fn column<'a>(columns: &[Column<'a>], spec: u64) -> &'a [u8] {
    columns.iter().find(|(known, _)| *known == spec).map(|(_, data)| *data).unwrap_or_default()
}

struct Bounds {
    inflated: u64,
    inflated_max: u64,
}

/// The rows of a column of integers, counted by runs and refused above `max`; also their sum.
fn count_integers(bytes: &[u8], what: Bound, max: u64) -> Result<(u64, u64), GateError> {
    let mut column = Rle::<u64>::of_document(bytes);
    let (mut rows, mut sum) = (0_u64, 0_u64);
    while let Some((run, value)) = column.next_run()? {
        rows = rows.saturating_add(run);
        sum = sum.saturating_add(run.saturating_mul(value.unwrap_or(0)));
        within(what, rows, max)?;
    }
    Ok((rows, sum))
}

fn count_deltas(bytes: &[u8], what: Bound, max: u64, highest: i64) -> Result<u64, GateError> {
    let mut column = Delta::of_document(bytes);
    let mut rows = 0_u64;
    while let Some(value) = column.next()? {
        rows += 1;
        within(what, rows, max)?;
        if value.is_some_and(|value| !(0..=highest).contains(&value)) {
            return Err(GateError::Malformed { what: "a number of the snapshot is out of range" });
        }
    }
    Ok(rows)
}

impl Bounds {
    fn count_strings(&mut self, bytes: &[u8], what: Bound, max: u64) -> Result<u64, GateError> {
        let mut column = Rle::<&str>::of_document(bytes);
        let mut rows = 0_u64;
        while let Some((run, value)) = column.next_run()? {
            rows = rows.saturating_add(run);
            within(what, rows, max)?;
            let length = value.map_or(0, str::len) as u64;
            self.inflated = self.inflated.saturating_add(run.saturating_mul(length));
            within(Bound::InflatedBytes, self.inflated, self.inflated_max)?;
        }
        Ok(rows)
    }
}

fn count_booleans(bytes: &[u8], what: Bound, max: u64) -> Result<u64, GateError> {
    let mut column = Booleans::new(bytes);
    let mut rows = 0_u64;
    while let Some(run) = column.next_run()? {
        rows = rows.saturating_add(run);
        within(what, rows, max)?;
    }
    Ok(rows)
}

/// The bytes that a column of value descriptions speaks of.
fn count_values(bytes: &[u8], what: Bound, max: u64) -> Result<(u64, u64), GateError> {
    let mut column = Rle::<u64>::of_document(bytes);
    let (mut rows, mut length) = (0_u64, 0_u64);
    while let Some((run, value)) = column.next_run()? {
        rows = rows.saturating_add(run);
        length = length.saturating_add(run.saturating_mul(value.unwrap_or(0) >> 4));
        within(what, rows, max)?;
    }
    Ok((rows, length))
}

fn check_changes(
    columns: &[Column<'_>],
    limits: &Limits,
    bounds: &mut Bounds,
) -> Result<(), GateError> {
    let what = Bound::DocumentChanges;
    let max = limits.document_changes_max;
    let (rows, _) = count_integers(column(columns, 0x01), what, max)?;
    let counter_max = i64::try_from(limits.op_counter_max).unwrap_or(i64::MAX);
    let change_max = i64::try_from(max).unwrap_or(i64::MAX);
    let seqs = count_deltas(column(columns, 0x03), what, max, change_max)?;
    let max_ops = count_deltas(column(columns, 0x13), what, max, counter_max)?;
    let times = {
        let mut times = Delta::of_document(column(columns, 0x23));
        let mut rows = 0;
        while times.next()?.is_some() {
            rows += 1;
            within(what, rows, max)?;
        }
        rows
    };
    let messages = bounds.count_strings(column(columns, 0x35), what, max)?;
    let (dep_counts, deps) = count_integers(column(columns, 0x40), what, max)?;
    within(Bound::Dependencies, deps, max.saturating_mul(limits.change_deps_max as u64))?;
    let dep_rows = count_deltas(column(columns, 0x43), Bound::Dependencies, deps, change_max)?;
    let (extras, extra_bytes) = count_values(column(columns, 0x56), what, max)?;
    let whole = |found: u64| found == rows;
    let optional = |spec: u64, found: u64| column(columns, spec).is_empty() || found == rows;
    if !(whole(seqs)
        && whole(max_ops)
        && optional(0x23, times)
        && optional(0x35, messages)
        && whole(dep_counts)
        && dep_rows == deps
        && optional(0x56, extras)
        && extra_bytes == column(columns, 0x57).len() as u64)
    {
        return Err(ROWS);
    }
    Ok(())
}

fn check_ops(
    columns: &[Column<'_>],
    limits: &Limits,
    bounds: &mut Bounds,
) -> Result<(), GateError> {
    let what = Bound::DocumentOperations;
    let max = limits.document_ops_max;
    let counter_max = i64::try_from(limits.op_counter_max).unwrap_or(i64::MAX);
    let (rows, _) = count_integers(column(columns, 0x42), what, max)?;
    let integers = |spec| count_integers(column(columns, spec), what, max).map(|(rows, _)| rows);
    let deltas = |spec| count_deltas(column(columns, spec), what, max, counter_max);
    let (values, value_bytes) = count_values(column(columns, 0x56), what, max)?;
    let (succ_counts, succs) = count_integers(column(columns, 0x80), what, max)?;
    within(what, succs, max.saturating_mul(4))?;
    let (succ_actors, _) = count_integers(column(columns, 0x81), what, succs)?;
    let succ_counters = count_deltas(column(columns, 0x83), what, succs, counter_max)?;
    let found = [
        (0x01, integers(0x01)?),
        (0x02, integers(0x02)?),
        (0x11, integers(0x11)?),
        (0x13, deltas(0x13)?),
        (0x15, bounds.count_strings(column(columns, 0x15), what, max)?),
        (0x21, integers(0x21)?),
        (0x23, deltas(0x23)?),
        (0x34, count_booleans(column(columns, 0x34), what, max)?),
        (0x56, values),
        (0x80, succ_counts),
        (0x94, count_booleans(column(columns, 0x94), what, max)?),
        (0xa5, bounds.count_strings(column(columns, 0xa5), what, max)?),
    ];
    if found.iter().any(|(spec, found)| !column(columns, *spec).is_empty() && *found != rows)
        || value_bytes != column(columns, 0x57).len() as u64
        || succ_actors != succs
        || succ_counters != succs
    {
        return Err(ROWS);
    }
    Ok(())
}

/// Refuses containers that are nested too deep: reading them recurses. Objects are stored in the
/// order of their ids, and a container's id is higher than that of the one it is in.
fn check_depth(columns: &[Column<'_>], limits: &Limits) -> Result<(), GateError> {
    let mut object_actor = Rle::<u64>::of_document(column(columns, 0x01));
    let mut object_counter = Rle::<u64>::of_document(column(columns, 0x02));
    let mut id_actor = Rle::<u64>::of_document(column(columns, 0x21));
    let mut id_counter = Delta::of_document(column(columns, 0x23));
    let mut action = Rle::<u64>::of_document(column(columns, 0x42));
    let mut depths: HashMap<(u64, i64), u64> = HashMap::new();
    while let Some(action) = action.next()? {
        let object = (object_actor.optional()?, object_counter.optional()?);
        let (actor, counter) =
            (id_actor.optional()?.unwrap_or(0), id_counter.optional()?.unwrap_or(0));
        // 0, 2, 4 and 6 make a map, a list, a text and a table.
        if action.is_none_or(|action| action > 6 || action % 2 == 1) {
            continue;
        }
        let outer = match object {
            (Some(actor), Some(counter)) => {
                let counter = i64::try_from(counter).unwrap_or(i64::MAX);
                *depths.get(&(actor, counter)).ok_or(GateError::Malformed {
                    what: "a container is stored before the one it is in",
                })?
            }
            _ => 0,
        };
        within(Bound::Depth, outer + 1, limits.depth_max as u64)?;
        depths.insert((actor, counter), outer + 1);
    }
    Ok(())
}
