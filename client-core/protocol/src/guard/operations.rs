//! The operations of one change, read row by row and checked as they are read.

use super::columns::{Booleans, Delta, ROWS, Rle, read_column_lengths};
use super::error::{Bound, GateError, within};
use super::reader::{Reader, utf8};
use crate::limits::Limits;

/// A counter's start and each increment are below this, so that 100,000 of them can't overflow.
const COUNTER_MAX: i64 = 1 << 40;

/// An operation's id as it is written inside a change: the counter, and an index into the change's
/// actors, where 0 is the author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RawId {
    pub counter: u64,
    pub actor: usize,
}

/// What an operation is filed under in its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawKey<'a> {
    Prop(&'a str),
    Head,
    Element(RawId),
}

/// The operations that a contact is made of. Lists, tables, marks and blocks are not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    MakeMap,
    Set,
    Delete,
    MakeText,
    Increment,
}

impl Action {
    fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Action::MakeMap),
            1 => Some(Action::Set),
            3 => Some(Action::Delete),
            4 => Some(Action::MakeText),
            5 => Some(Action::Increment),
            _ => None,
        }
    }

    pub(super) fn makes(self) -> bool {
        matches!(self, Action::MakeMap | Action::MakeText)
    }
}

/// One operation. `None` for the object is the root map.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawOp<'a> {
    pub object: Option<RawId>,
    pub key: RawKey<'a>,
    pub action: Action,
    pub insert: bool,
    preds_from: usize,
    preds_to: usize,
}

impl RawOp<'_> {
    /// The values that the operation replaces, out of those of its whole change.
    pub(super) fn preds<'p>(&self, of_change: &'p [RawId]) -> &'p [RawId] {
        of_change.get(self.preds_from..self.preds_to).unwrap_or_default()
    }
}

const COLUMNS: [u64; 12] = [0x01, 0x02, 0x11, 0x13, 0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x73];
/// The columns of operations, by their specification: id * 16 + type.
pub(super) struct Columns<'a>([&'a [u8]; COLUMNS.len()]);

impl<'a> Columns<'a> {
    pub(super) fn read(body: &mut Reader<'a>) -> Result<Self, GateError> {
        let mut found = [&[][..]; COLUMNS.len()];
        let lengths = read_column_lengths(body, &COLUMNS)?;
        for (column, length) in found.iter_mut().zip(lengths) {
            *column = body.take(length)?;
        }
        match body.remaining() {
            0 => Ok(Self(found)),
            bytes => Err(GateError::TrailingBytes { bytes }),
        }
    }

    fn get(&self, spec: u64) -> &'a [u8] {
        COLUMNS
            .iter()
            .zip(self.0)
            .find(|(known, _)| **known == spec)
            .map(|(_, data)| data)
            .unwrap_or_default()
    }
}

const HALF_ID: GateError = GateError::Malformed { what: "half of an operation's id is missing" };

fn id(actor: u64, counter: u64, actors: usize) -> Result<RawId, GateError> {
    let actor = usize::try_from(actor).unwrap_or(usize::MAX);
    if actor > actors {
        return Err(GateError::Malformed { what: "an id names an actor that is not listed" });
    }
    if counter == 0 {
        return Err(GateError::Malformed { what: "an id has the counter 0" });
    }
    Ok(RawId { counter, actor })
}

/// Reads the operations row by row. Each row is checked before the next is read, and there are never
/// more rows than `change_ops_max`, so run lengths can't inflate anything.
pub(super) fn read_ops<'a>(
    columns: &Columns<'a>,
    start_op: u64,
    actors: usize,
    limits: &Limits,
) -> Result<(Vec<RawOp<'a>>, Vec<RawId>), GateError> {
    let mut rows = Rows::new(columns, actors);
    let mut ops: Vec<RawOp<'a>> = Vec::with_capacity(8);
    let mut preds = Vec::new();
    let mut depths: Vec<u8> = Vec::new();
    let mut named = vec![false; actors];
    let mut inflated = 0_u64;
    while let Some(action) = rows.action.next()? {
        let index = ops.len();
        if index as u64 >= limits.change_ops_max {
            return Err(GateError::over(
                Bound::Operations,
                index as u64 + 1,
                limits.change_ops_max,
            ));
        }
        let own = start_op + index as u64;
        let op = rows.read(index, action, &mut preds, limits)?;
        inflated += rows.value_bytes as u64
            + if let RawKey::Prop(key) = op.key { key.len() as u64 } else { 0 };
        within(Bound::InflatedBytes, inflated, limits.change_inflated_bytes_max as u64)?;
        let op_preds = op.preds(&preds);
        let element = if let RawKey::Element(id) = op.key { Some(id) } else { None };
        for id in op.object.iter().chain(element.iter()).chain(op_preds) {
            if id.counter >= own {
                return Err(GateError::Reference {
                    op: index,
                    reason: "it refers to a later operation",
                });
            }
            if let Some(slot) = id.actor.checked_sub(1).and_then(|other| named.get_mut(other)) {
                *slot = true;
            }
        }
        check_own_references(&op, op_preds, index, start_op, &ops)?;
        depths.push(depth_within(&op, start_op, &depths));
        within(
            Bound::Depth,
            u64::from(depths.last().copied().unwrap_or(0)),
            limits.depth_max as u64,
        )?;
        ops.push(op);
    }
    if ops.is_empty() {
        return Err(GateError::Malformed { what: "the change has no operation" });
    }
    rows.finish()?;
    if named.contains(&false) {
        return Err(GateError::NotCanonical { what: "an actor is listed and not used" });
    }
    within(Bound::OperationCounter, start_op + ops.len() as u64 - 1, limits.op_counter_max)?;
    Ok((ops, preds))
}

fn own_index(id: RawId, start_op: u64) -> Option<usize> {
    if id.actor == 0 { id.counter.checked_sub(start_op).map(|index| index as usize) } else { None }
}

/// How deep the container that `op` makes is nested in containers of the same change; 0 if it makes none.
fn depth_within(op: &RawOp<'_>, start_op: u64, depths: &[u8]) -> u8 {
    if !op.action.makes() {
        return 0;
    }
    let parent = op.object.and_then(|object| own_index(object, start_op));
    parent.and_then(|parent| depths.get(parent).copied()).unwrap_or(0).saturating_add(1)
}

/// References to operations of the same change are resolved here; others are left to gate 2.
fn check_own_references(
    op: &RawOp<'_>,
    preds: &[RawId],
    index: usize,
    start_op: u64,
    ops: &[RawOp<'_>],
) -> Result<(), GateError> {
    let refuse = |reason| Err(GateError::Reference { op: index, reason });
    if let Some(object) = op.object.and_then(|object| own_index(object, start_op)) {
        let made = ops.get(object).map(|made| made.action);
        let fits = match op.key {
            RawKey::Prop(_) => made == Some(Action::MakeMap),
            RawKey::Head | RawKey::Element(_) => made == Some(Action::MakeText),
        };
        if !fits {
            return refuse("its object is not a container of the right kind");
        }
    }
    if let RawKey::Element(element) = op.key
        && let Some(element) = own_index(element, start_op)
        && !ops.get(element).is_some_and(|target| target.insert && target.object == op.object)
    {
        return refuse("its element is not an element of the same text");
    }
    for pred in preds {
        let Some(target) = own_index(*pred, start_op) else { continue };
        let Some(target_op) = ops.get(target) else {
            return refuse("a predecessor does not exist");
        };
        let same_place = target_op.object == op.object
            && match (op.key, target_op.insert) {
                // An element's own insertion is its first value.
                (RawKey::Element(element), true) => own_index(element, start_op) == Some(target),
                (key, _) => key == target_op.key,
            };
        let is_value = matches!(target_op.action, Action::Set | Action::MakeMap | Action::MakeText);
        if !same_place || !is_value {
            return refuse("a predecessor is not a value of the same key");
        }
    }
    Ok(())
}

/// All columns, advanced together.
struct Rows<'a> {
    object_actor: Rle<'a, u64>,
    object_counter: Rle<'a, u64>,
    key_actor: Rle<'a, u64>,
    key_counter: Delta<'a>,
    key_string: Rle<'a, &'a str>,
    insert: Booleans<'a>,
    action: Rle<'a, u64>,
    value_meta: Rle<'a, u64>,
    value: Reader<'a>,
    pred_count: Rle<'a, u64>,
    pred_actor: Rle<'a, u64>,
    pred_counter: Delta<'a>,
    actors: usize,
    /// Bytes of the value that was read last.
    value_bytes: usize,
}

impl<'a> Rows<'a> {
    fn new(columns: &Columns<'a>, actors: usize) -> Self {
        Self {
            object_actor: Rle::new(columns.get(0x01)),
            object_counter: Rle::new(columns.get(0x02)),
            key_actor: Rle::new(columns.get(0x11)),
            key_counter: Delta::new(columns.get(0x13)),
            key_string: Rle::new(columns.get(0x15)),
            insert: Booleans::new(columns.get(0x34)),
            action: Rle::new(columns.get(0x42)),
            value_meta: Rle::new(columns.get(0x56)),
            value: Reader::new(columns.get(0x57)),
            pred_count: Rle::new(columns.get(0x70)),
            pred_actor: Rle::new(columns.get(0x71)),
            pred_counter: Delta::new(columns.get(0x73)),
            actors,
            value_bytes: 0,
        }
    }

    fn read(
        &mut self,
        index: usize,
        action: Option<u64>,
        preds: &mut Vec<RawId>,
        limits: &Limits,
    ) -> Result<RawOp<'a>, GateError> {
        let code = action.ok_or(ROWS)?;
        let action =
            Action::from_code(code).ok_or(GateError::Action { op: index, action: code })?;
        let object = match (self.object_actor.optional()?, self.object_counter.optional()?) {
            (None, None) => None,
            (Some(actor), Some(counter)) => Some(id(actor, counter, self.actors)?),
            _ => return Err(HALF_ID),
        };
        let key = self.read_key(limits)?;
        let insert = self.insert.next()?.ok_or(ROWS)?;
        let value = self.read_value(index, limits)?;
        let preds_from = preds.len();
        self.read_preds(preds, limits)?;
        let op = RawOp { object, key, action, insert, preds_from, preds_to: preds.len() };
        check_shape(&op, index, value)?;
        Ok(op)
    }

    fn read_key(&mut self, limits: &Limits) -> Result<RawKey<'a>, GateError> {
        let actor = self.key_actor.optional()?;
        let counter = self.key_counter.optional()?;
        match (actor, counter, self.key_string.optional()?) {
            (None, None, Some(key)) => {
                within(Bound::StringBytes, key.len() as u64, limits.string_bytes_max as u64)?;
                if key.is_empty() {
                    return Err(GateError::Malformed { what: "a key is empty" });
                }
                Ok(RawKey::Prop(key))
            }
            (None, Some(0), None) => Ok(RawKey::Head),
            (Some(actor), Some(counter), None) => {
                let counter = u64::try_from(counter).map_err(|_| HALF_ID)?;
                Ok(RawKey::Element(id(actor, counter, self.actors)?))
            }
            _ => Err(GateError::Malformed { what: "a key is neither a name nor an element" }),
        }
    }

    fn read_preds(&mut self, preds: &mut Vec<RawId>, limits: &Limits) -> Result<(), GateError> {
        let count = self.pred_count.next()?.flatten().ok_or(ROWS)?;
        // Each actor has at most one visible value under a key.
        within(Bound::Predecessors, count, limits.document_actors_max as u64)?;
        within(Bound::Predecessors, preds.len() as u64 + count, 4 * limits.change_ops_max)?;
        let mut last: Option<RawId> = None;
        for _ in 0..count {
            let actor = self.pred_actor.next()?.flatten().ok_or(HALF_ID)?;
            let counter = self.pred_counter.next()?.flatten().ok_or(HALF_ID)?;
            let pred = id(actor, u64::try_from(counter).map_err(|_| HALF_ID)?, self.actors)?;
            // Equal counters are in the order of the actors' bytes. The author's place in that order
            // is not its index, so it is left to the re-encoding.
            if last.is_some_and(|last| {
                last == pred
                    || last.counter > pred.counter
                    || (last.counter == pred.counter && last.actor > pred.actor && pred.actor != 0)
            }) {
                return Err(GateError::NotCanonical { what: "predecessors are not sorted" });
            }
            last = Some(pred);
            preds.push(pred);
        }
        Ok(())
    }

    /// Reads the value of the row and checks that its bytes fit its type.
    fn read_value(&mut self, index: usize, limits: &Limits) -> Result<ValueKind, GateError> {
        let meta = self.value_meta.next()?.flatten().ok_or(ROWS)?;
        let length = usize::try_from(meta >> 4).unwrap_or(usize::MAX);
        let mut bytes = Reader::new(self.value.take(length)?);
        self.value_bytes = length;
        let refuse = |reason| Err(GateError::Value { op: index, reason });
        let kind = match meta & 0x0f {
            0 => ValueKind::Null,
            1 | 2 => ValueKind::Other,
            3 => {
                bytes.unsigned()?;
                ValueKind::Other
            }
            4 => ValueKind::Int(bytes.signed()?),
            5 if f64::from_le_bytes(*bytes.array::<8>()?).is_finite() => ValueKind::Other,
            5 => return refuse("a number is infinite or not a number"),
            6 | 7 => {
                within(Bound::StringBytes, length as u64, limits.string_bytes_max as u64)?;
                let content = bytes.take(length)?;
                if meta & 0x0f == 6 && !utf8(content, "a value is not UTF-8")?.is_empty() {
                    ValueKind::Text
                } else {
                    ValueKind::Other
                }
            }
            8 if bytes.signed()?.unsigned_abs() > COUNTER_MAX.unsigned_abs() => {
                return refuse("a counter starts out of range");
            }
            8 => ValueKind::Other,
            9 => {
                bytes.signed()?;
                ValueKind::Other
            }
            _ => return refuse("its type is unknown"),
        };
        if bytes.is_empty() { Ok(kind) } else { refuse("it has more bytes than its type") }
    }

    /// Every column must end where the operations end.
    fn finish(mut self) -> Result<(), GateError> {
        let ended = self.object_actor.next()?.is_none()
            && self.object_counter.next()?.is_none()
            && self.key_actor.next()?.is_none()
            && self.key_counter.next()?.is_none()
            && self.key_string.next()?.is_none()
            && self.insert.next()?.is_none()
            && self.value_meta.next()?.is_none()
            && self.pred_count.next()?.is_none()
            && self.pred_actor.next()?.is_none()
            && self.pred_counter.next()?.is_none();
        if !ended {
            return Err(ROWS);
        }
        match self.value.remaining() {
            0 => Ok(()),
            bytes => Err(GateError::TrailingBytes { bytes }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Null,
    Int(i64),
    /// A string that is not empty.
    Text,
    Other,
}

/// Checks that action, key, value, predecessors and the insert flag fit each other, as they do in
/// every change that automerge's own transactions write.
fn check_shape(op: &RawOp<'_>, index: usize, value: ValueKind) -> Result<(), GateError> {
    let refuse = |reason| Err(GateError::Reference { op: index, reason });
    let has_preds = op.preds_from != op.preds_to;
    let in_text = !matches!(op.key, RawKey::Prop(_));
    if in_text && op.object.is_none() {
        return refuse("the root is a map, it has no elements");
    }
    if in_text && (op.action.makes() || op.action == Action::Increment) {
        return refuse("a text holds characters only");
    }
    if op.insert && (!in_text || has_preds || op.action != Action::Set) {
        return refuse("an insertion must be a new character of a text");
    }
    if !op.insert && op.key == RawKey::Head {
        return refuse("the head of a text is not an element");
    }
    if !op.insert && in_text && !has_preds {
        return refuse("it changes an element without naming its value");
    }
    if matches!(op.action, Action::Delete | Action::Increment) && !has_preds {
        return refuse("it deletes or increments nothing");
    }
    let value_fits = match op.action {
        Action::Delete | Action::MakeMap | Action::MakeText => value == ValueKind::Null,
        Action::Set if in_text => value == ValueKind::Text,
        Action::Set => true,
        Action::Increment => {
            matches!(value, ValueKind::Int(step) if step.unsigned_abs() <= COUNTER_MAX.unsigned_abs())
        }
    };
    if !value_fits {
        return Err(GateError::Value { op: index, reason: "the value does not fit the operation" });
    }
    Ok(())
}
