//! Edits of the note: finding the smallest splices, finding their place again in another text, and
//! cutting a long text into parts that fit one change each.

use automerge::{Automerge, Cursor, MoveCursor, ReadDoc};

use super::bootstrap::note_text;
use super::diff;
use super::error::CommandError;
use super::{Command, Splice};
use crate::limits::Limits;

/// Code points of surrounding text that a splice carries on each side.
const CONTEXT: usize = 32;
/// Code points of context that must agree for a place to count as found again, if there are as many.
const CONTEXT_MIN: usize = 6;

/// The smallest splices that turn the present note into `new_text`, each with the words around it
/// and a cursor, so that it can be replayed on another document (rule 12).
pub fn note_splices(doc: &Automerge, new_text: &str) -> Vec<Splice> {
    let obj = note_text();
    let old = doc.text(&obj).unwrap_or_default();
    let mut splices = splices_between(&old, new_text);
    let length = old.chars().count();
    // Positions count the splices before; cursors belong to characters of the present text.
    let mut shift = 0isize;
    for splice in &mut splices {
        let at = splice.at.saturating_add_signed(-shift);
        let cursor = if at < length {
            doc.get_cursor(&obj, at, None)
        } else if let Some(last) = length.checked_sub(1) {
            doc.get_cursor_moving(&obj, last, None, MoveCursor::Before)
        } else {
            continue;
        };
        splice.cursor = cursor.ok().map(|cursor| cursor.to_string());
        shift += splice.insert.chars().count() as isize - splice.delete as isize;
    }
    splices
}

/// The same for a text that somebody wrote over an older state of the note, `shown`: only what they
/// changed of it is changed, what others wrote meanwhile stays. What has no place any more is put at
/// the end.
pub fn note_splices_from(doc: &Automerge, shown: &str, new_text: &str) -> Vec<Splice> {
    let now = doc.text(note_text()).unwrap_or_default();
    if now == shown {
        return note_splices(doc, new_text);
    }
    let mut plan = Plan::new(&now);
    for splice in &splices_between(shown, new_text) {
        plan.relocate(splice, None);
    }
    note_splices(doc, &plan.text())
}

/// The smallest splices from one text to another, with the words around them, without cursors.
pub(crate) fn splices_between(old: &str, new: &str) -> Vec<Splice> {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    diff::hunks(&old, &new)
        .into_iter()
        .map(|hunk| Splice {
            // All before the hunk is the new text already.
            at: hunk.new.start,
            delete: hunk.old.len(),
            insert: new[hunk.new.clone()].iter().collect(),
            before: new[hunk.new.start.saturating_sub(CONTEXT)..hunk.new.start].iter().collect(),
            after: old[hunk.old.end..(hunk.old.end + CONTEXT).min(old.len())].iter().collect(),
            deleted: old[hunk.old.clone()].iter().collect(),
            cursor: None,
        })
        .collect()
}

/// Where the character of a splice's cursor is in the document, if it is known there.
pub(crate) fn cursor_position(doc: &impl ReadDoc, splice: &Splice) -> Option<usize> {
    let text = splice.cursor.as_deref()?;
    // Automerge's own parser panics on other scripts and on counters above 32 bits.
    let (backward, op) = match text.strip_prefix('-') {
        Some(op) => (true, op),
        None => (false, text),
    };
    let (counter, actor) = op.split_once('@')?;
    counter.parse::<u32>().ok()?;
    if actor.len() > 64 || !actor.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let cursor = Cursor::try_from(text).ok()?;
    let at = doc.get_cursor_position(note_text(), &cursor, None).ok()?;
    Some(if backward { at + 1 } else { at })
}

/// One step of a plan: positions refer to the text after the steps before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: usize,
    pub(crate) delete: usize,
    pub(crate) insert: String,
}

/// Splices are planned on a copy of the text, so that a refused one leaves the document untouched.
pub(crate) struct Plan {
    text: Vec<char>,
    steps: Vec<Step>,
    told: Vec<String>,
}

impl Plan {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.chars().collect(), steps: Vec::new(), told: Vec::new() }
    }

    /// Takes a splice at the position it names; what it deletes must be what it says.
    pub(crate) fn exact(&mut self, splice: &Splice) -> Result<(), CommandError> {
        let stale = |reason: String| CommandError::Invalid {
            field: "note".to_owned(),
            reason,
            way_out: "read the note again and make the edit on that".to_owned(),
        };
        let end = splice.at.checked_add(splice.delete).filter(|end| *end <= self.text.len());
        let Some(end) = end else {
            let length = self.text.len();
            return Err(stale(format!(
                "the edit ends at {} of {length} characters",
                splice.at.saturating_add(splice.delete)
            )));
        };
        if !splice.deleted.is_empty()
            && !splice.deleted.chars().eq(self.text[splice.at..end].iter().copied())
        {
            return Err(stale("the text to delete is not there".to_owned()));
        }
        self.step(splice.at, splice.delete, &splice.insert);
        Ok(())
    }

    /// Takes a splice wherever its place is found: by its cursor (`cursor` is its position in the
    /// text as the plan began), else by its words; else the text is appended.
    pub(crate) fn relocate(&mut self, splice: &Splice, cursor: Option<usize>) {
        let hint = cursor.map(|at| self.shifted(at).min(self.text.len()));
        let deleted: Vec<char> = splice.deleted.chars().collect();
        if splice.delete > 0
            && !deleted.is_empty()
            && let Some(at) = self.find_deleted(splice, &deleted, hint)
        {
            return self.step(at, deleted.len(), &splice.insert);
        }
        if splice.delete > 0 {
            let shown: String = deleted.iter().take(60).collect();
            self.told.push(format!("the text it deletes (`{shown}`) was changed by someone else"));
        }
        if splice.insert.is_empty() {
            return;
        }
        match self.find_gap(splice, hint) {
            Some(at) => self.step(at, 0, &splice.insert),
            None => self.append(&splice.insert),
        }
    }

    fn append(&mut self, insert: &str) {
        let line = self.text.last().is_some_and(|last| *last != '\n');
        let insert = if line { format!("\n{insert}") } else { insert.to_owned() };
        self.step(self.text.len(), 0, &insert);
        self.told.push("the place in the note was not found; the text was appended".to_owned());
    }

    fn step(&mut self, at: usize, delete: usize, insert: &str) {
        if delete == 0 && insert.is_empty() {
            return;
        }
        self.text.splice(at..at + delete, insert.chars());
        self.steps.push(Step { at, delete, insert: insert.to_owned() });
    }

    /// A position of the text as the plan began, after the steps so far.
    fn shifted(&self, mut at: usize) -> usize {
        for step in &self.steps {
            let inserted = step.insert.chars().count();
            if at >= step.at + step.delete {
                at = at - step.delete + inserted;
            } else if at > step.at {
                at = step.at + inserted;
            }
        }
        at
    }

    fn find_deleted(
        &self,
        splice: &Splice,
        deleted: &[char],
        hint: Option<usize>,
    ) -> Option<usize> {
        if let Some(at) = hint
            && self.text[at..].starts_with(deleted)
        {
            return Some(at);
        }
        let last = self.text.len().checked_sub(deleted.len())?;
        let context = Context::of(splice);
        // Words that are long enough stand for themselves; short ones need their surroundings.
        let enough = context.enough(deleted.len());
        (0..=last)
            .filter(|at| self.text[*at..].starts_with(deleted))
            .map(|at| (context.score(&self.text[..at], &self.text[at + deleted.len()..]), at))
            .filter(|(score, _)| *score >= enough)
            .max_by_key(|(score, at)| (*score, std::cmp::Reverse(at.abs_diff(splice.at))))
            .map(|(_, at)| at)
    }

    fn find_gap(&self, splice: &Splice, hint: Option<usize>) -> Option<usize> {
        let context = Context::of(splice);
        if context.is_empty() && self.text.is_empty() {
            return Some(0);
        }
        let score = |at: usize| context.score(&self.text[..at], &self.text[at..]);
        if let Some(at) = hint
            && score(at) > 0
        {
            return Some(at);
        }
        let enough = context.enough(0).max(1);
        (0..=self.text.len())
            .map(|at| (score(at), at))
            .filter(|(score, _)| *score >= enough)
            .max_by_key(|(score, at)| (*score, std::cmp::Reverse(at.abs_diff(splice.at))))
            .map(|(_, at)| at)
            // The words around were rewritten, the character itself or its neighbour is known.
            .or(hint)
    }

    /// Whether everything found its place as it was meant.
    pub(crate) fn is_faithful(&self) -> bool {
        self.told.is_empty()
    }

    /// The text after the steps.
    pub(crate) fn text(&self) -> String {
        self.text.iter().collect()
    }

    pub(crate) fn check_size(&self, limits: &Limits) -> Result<(), CommandError> {
        let size: usize = self.text.iter().map(|c| c.len_utf8()).sum();
        if size <= limits.text_bytes_max || self.steps.iter().all(|step| step.insert.is_empty()) {
            return Ok(());
        }
        Err(CommandError::TooLarge {
            field: "note".to_owned(),
            size: size as u64,
            max: limits.text_bytes_max as u64,
            unit: "bytes",
            way_out: "shorten the note, or log an interaction instead".to_owned(),
        })
    }

    /// The steps, and what is to be told about them.
    pub(crate) fn finish(self) -> (Vec<Step>, Option<String>) {
        let told = (!self.told.is_empty()).then(|| self.told.join("; "));
        (self.steps, told)
    }
}

/// The words around a splice.
struct Context {
    before: Vec<char>,
    after: Vec<char>,
}

impl Context {
    fn of(splice: &Splice) -> Self {
        Self {
            before: splice.before.chars().rev().take(CONTEXT).collect(),
            after: splice.after.chars().take(CONTEXT).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// How many code points on both sides agree.
    fn score(&self, left: &[char], right: &[char]) -> usize {
        let agree = |a: &[char], b: &mut dyn Iterator<Item = &char>| {
            a.iter().zip(b).take_while(|(x, y)| x == y).count()
        };
        agree(&self.before, &mut left.iter().rev()) + agree(&self.after, &mut right.iter())
    }

    /// How many must agree when `known` code points agree already.
    fn enough(&self, known: usize) -> usize {
        CONTEXT_MIN.min(self.before.len() + self.after.len()).saturating_sub(known)
    }
}

/// Cuts commands into groups that fit one change each (`change_ops_max`: a change holds one
/// operation per character of the note). Nearly always one group. The caller applies them in order,
/// one change each, as one edit.
pub fn in_parts(commands: Vec<Command>, limits: &Limits) -> Vec<Vec<Command>> {
    // A fifth is left for deletions of values in conflict and the like.
    let room = usize::try_from(limits.change_ops_max).unwrap_or(usize::MAX) / 5 * 4;
    let mut parts: Vec<Vec<Command>> = Vec::new();
    let mut used = room;
    for command in commands.into_iter().flat_map(|command| cut(command, room.max(1))) {
        let ops = ops_guess(&command);
        if used + ops > room && used > 0 || parts.is_empty() {
            parts.push(Vec::new());
            used = 0;
        }
        used += ops;
        if let Some(part) = parts.last_mut() {
            part.push(command);
        }
    }
    parts
}

fn ops_guess(command: &Command) -> usize {
    match command {
        Command::Put { fields, .. } => 1 + 2 * fields.len(),
        Command::EditNote { splices } => {
            splices.iter().map(|splice| splice.insert.chars().count() + splice.delete).sum()
        }
        _ => 2,
    }
}

/// Cuts an edit of the note that is larger than `room` operations.
fn cut(command: Command, room: usize) -> Vec<Command> {
    let Command::EditNote { splices } = command else { return vec![command] };
    if ops_guess(&Command::EditNote { splices: splices.clone() }) <= room {
        return vec![Command::EditNote { splices }];
    }
    let pieces = splices.into_iter().flat_map(|splice| cut_splice(splice, room));
    pieces.map(|splice| Command::EditNote { splices: vec![splice] }).collect()
}

fn cut_splice(splice: Splice, room: usize) -> Vec<Splice> {
    let deleted: Vec<char> = splice.deleted.chars().collect();
    let insert: Vec<char> = splice.insert.chars().collect();
    let mut pieces = Vec::new();
    let tail = |text: &[char]| text[text.len().saturating_sub(CONTEXT)..].iter().collect();
    let mut removed = 0;
    while removed < splice.delete {
        let count = room.min(splice.delete - removed);
        let end = (removed + count).min(deleted.len());
        let rest = &deleted[end..];
        let after: String =
            rest.iter().copied().chain(splice.after.chars()).take(CONTEXT).collect();
        pieces.push(Splice {
            at: splice.at,
            delete: count,
            insert: String::new(),
            before: splice.before.clone(),
            after,
            deleted: deleted[removed.min(end)..end].iter().collect(),
            cursor: splice.cursor.clone().filter(|_| removed == 0),
        });
        removed += count;
    }
    let mut before: Vec<char> = splice.before.chars().collect();
    for (index, chunk) in insert.chunks(room).enumerate() {
        pieces.push(Splice {
            at: splice.at + index * room,
            delete: 0,
            insert: chunk.iter().collect(),
            before: tail(&before),
            after: splice.after.clone(),
            deleted: String::new(),
            cursor: splice.cursor.clone().filter(|_| index == 0 && splice.delete == 0),
        });
        before.extend(chunk);
    }
    pieces
}
