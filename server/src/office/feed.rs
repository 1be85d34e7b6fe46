//! The feed from the field: the newest changes of the log, each told in a line.
//!
//! Told from the change itself, without its document: its message says who and what, its operations
//! name the fields and their new values. Many changes that arrive together, as after hours offline,
//! are one line. Only merged changes are taken apart; what is quarantined is named, not read.

use automerge::legacy::{Key, ObjectId, OpType};
use automerge::{Change, ScalarValue};
use maud::{Markup, html};
use roadbook_protocol::document::schema::{self, Kind, STAGES};
use roadbook_protocol::document::{Collection, Value, change_message};
use roadbook_protocol::ids::{ContactId, UnixMs, UserId, WorkspaceId};
use rusqlite::{Connection, params};

use super::fields::{self, Names};
use super::layout::{self, Shape};
use crate::rights::Rights;
use crate::store;

/// Lines of the feed.
pub(super) const LINES: usize = 30;
/// So many log rows are looked at for them.
const ROWS_MAX: u32 = 600;
/// The log is looked through so far back.
const LOG_ROWS_MAX: i64 = 50_000;
/// More changes of one person than this within [`TOGETHER_MS`] are one line.
const ALONE_MAX: usize = 4;
/// Changes of one person that follow each other within this time came together.
const TOGETHER_MS: UnixMs = 3_000;
/// Of changes that came together, so many merged ones are read for what is worth telling.
const READ_MAX: usize = 100;
/// And so many of those are told one by one.
const NOTABLE_MAX: usize = 3;
/// Text of a change is cut to so many characters.
const TEXT_CHARS: usize = 160;

/// One row of the log, without its bytes.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    seq: i64,
    contact: ContactId,
    fate: i64,
    user: UserId,
    from_device: bool,
    received_at: UnixMs,
}

/// One line of the feed.
#[derive(Debug)]
pub(super) enum Line {
    One(Box<One>),
    Many {
        seq: i64,
        user: UserId,
        at: UnixMs,
        changes: usize,
        contacts: usize,
        merged: usize,
        aside: usize,
        tally: Tally,
        /// The newest of what a manager would want to read, at most [`NOTABLE_MAX`].
        notable: Vec<One>,
    },
}

/// How much of what happened in the field came together.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// There was more than was read.
    partly: bool,
    contacts: u64,
    visits: u64,
    others: u64,
    moves: u64,
}

impl Tally {
    fn count(&mut self, told: &Told) {
        match told.notable() {
            Some(Notable::Contact) => self.contacts += 1,
            Some(Notable::Visit) => self.visits += 1,
            Some(Notable::Other) => self.others += 1,
            Some(Notable::Move) => self.moves += 1,
            None => {}
        }
    }

    /// In words; empty if there was nothing of the kind.
    fn words(&self) -> String {
        let said = [
            (self.visits, t!("feed-n-visits", n = self.visits)),
            (self.contacts, t!("feed-n-new", n = self.contacts)),
            (self.moves, t!("feed-n-moved", n = self.moves)),
            (self.others, t!("feed-n-others", n = self.others)),
        ];
        let said = said.into_iter().filter(|(n, _)| *n > 0).map(|(_, words)| words);
        let said = said.collect::<Vec<_>>().join(" · ");
        if self.partly && !said.is_empty() {
            t!("feed-newest", n = READ_MAX as u64, what = said)
        } else {
            said
        }
    }
}

/// What a manager would want to read of what came in: the rest is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notable {
    Contact,
    Visit,
    Move,
    /// A call, a message, a complaint.
    Other,
}

/// One change.
#[derive(Debug)]
pub(super) struct One {
    seq: i64,
    contact: ContactId,
    name: Option<String>,
    by: UserId,
    at: UnixMs,
    fate: i64,
    office: bool,
    told: Told,
}

/// What a change did, for a person.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    command: String,
    detail: Option<String>,
    /// A deal came to another stage.
    moved: bool,
}

impl Told {
    fn notable(&self) -> Option<Notable> {
        match self.command.as_str() {
            "create" => Some(Notable::Contact),
            "visit" | "meeting" => Some(Notable::Visit),
            "call" | "email" | "message" | "complaint" | "return" | "survey" => {
                Some(Notable::Other)
            }
            _ if self.moved => Some(Notable::Move),
            _ => None,
        }
    }
}

const STORED: i64 = 0;
const MERGED: i64 = 1;

/// The newest lines of what somebody may read, newest first.
pub(super) fn latest(conn: &Connection, rights: &Rights) -> store::Result<Vec<Line>> {
    let workspace = rights.workspace;
    let mut statement = conn.prepare_cached(&format!(
        "SELECT seq, contact, fate, user, device IS NOT NULL, received_at FROM log NOT INDEXED
         WHERE workspace = ?1 AND seq > (SELECT coalesce(max(seq), 0) FROM log) - ?2{}
         ORDER BY seq DESC LIMIT ?3",
        rights.and_seen("log.contact")
    ))?;
    let rows =
        statement.query_map(params![workspace.as_bytes(), LOG_ROWS_MAX, ROWS_MAX], arrival)?;
    let arrivals: Vec<Arrival> = rows.collect::<rusqlite::Result<_>>()?;
    lines(conn, workspace, &arrivals)
}

/// The lines of what was merged for one contact at a cursor, newest first: what the event stream
/// sends. Empty if there were too many to tell one by one.
pub(super) fn of_contact(
    conn: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
    cursor: u64,
) -> store::Result<Vec<Line>> {
    let mut statement = conn.prepare_cached(
        "SELECT seq, contact, fate, user, device IS NOT NULL, received_at FROM log
         WHERE workspace = ?1 AND contact = ?2 AND fate = 1 AND fate_cursor = ?3
         ORDER BY seq DESC LIMIT ?4",
    )?;
    let rows = statement.query_map(
        params![workspace.as_bytes(), contact.as_bytes(), cursor, ALONE_MAX as i64 + 1],
        arrival,
    )?;
    let arrivals: Vec<Arrival> = rows.collect::<rusqlite::Result<_>>()?;
    if arrivals.len() > ALONE_MAX {
        return Ok(Vec::new());
    }
    lines(conn, workspace, &arrivals)
}

fn arrival(row: &rusqlite::Row<'_>) -> rusqlite::Result<Arrival> {
    Ok(Arrival {
        seq: row.get(0)?,
        contact: ContactId::from_bytes(row.get(1)?),
        fate: row.get(2)?,
        user: UserId::from_bytes(row.get(3)?),
        from_device: row.get(4)?,
        received_at: row.get(5)?,
    })
}

fn lines(
    conn: &Connection,
    workspace: WorkspaceId,
    arrivals: &[Arrival],
) -> store::Result<Vec<Line>> {
    let together = |a: &Arrival, b: &Arrival| {
        a.user == b.user
            && a.from_device == b.from_device
            && (a.received_at - b.received_at).abs() <= TOGETHER_MS
    };
    let mut lines = Vec::new();
    for run in arrivals.chunk_by(together) {
        if lines.len() >= LINES {
            break;
        }
        if run.len() <= ALONE_MAX {
            for arrival in run {
                lines.push(Line::One(Box::new(one(conn, workspace, arrival)?)));
            }
            continue;
        }
        let mut contacts: Vec<ContactId> = run.iter().map(|arrival| arrival.contact).collect();
        contacts.sort_unstable();
        contacts.dedup();
        let merged = run.iter().filter(|arrival| arrival.fate == MERGED).count();
        let stored = run.iter().filter(|arrival| arrival.fate == STORED).count();
        let mut tally = Tally { partly: merged > READ_MAX, ..Tally::default() };
        let mut notable = Vec::new();
        for arrival in run.iter().filter(|arrival| arrival.fate == MERGED).take(READ_MAX) {
            let one = one(conn, workspace, arrival)?;
            tally.count(&one.told);
            if one.told.notable().is_some() && notable.len() < NOTABLE_MAX {
                notable.push(one);
            }
        }
        lines.push(Line::Many {
            seq: run[0].seq,
            user: run[0].user,
            at: run[0].received_at,
            changes: run.len(),
            contacts: contacts.len(),
            merged,
            aside: run.len() - merged - stored,
            tally,
            notable,
        });
    }
    Ok(lines)
}

fn one(conn: &Connection, workspace: WorkspaceId, arrival: &Arrival) -> store::Result<One> {
    let (bytes, name): (Vec<u8>, Option<String>) = conn
        .prepare_cached(
            "SELECT l.bytes, p.display_name FROM log l
             LEFT JOIN contact c ON c.workspace = l.workspace AND c.id = l.contact
             LEFT JOIN projection p ON p.n = c.n
             WHERE l.seq = ?1 AND l.workspace = ?2",
        )?
        .query_row(params![arrival.seq, workspace.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let (by, told) = match arrival.fate {
        MERGED => tell(bytes),
        _ => (None, Told::default()),
    };
    Ok(One {
        seq: arrival.seq,
        contact: arrival.contact,
        name,
        by: by.unwrap_or(arrival.user),
        at: arrival.received_at,
        fate: arrival.fate,
        office: !arrival.from_device,
        told,
    })
}

/// Takes a merged change apart: who made it, and what it did.
fn tell(bytes: Vec<u8>) -> (Option<UserId>, Told) {
    let Ok(change) = Change::from_bytes(bytes) else { return (None, Told::default()) };
    let message = change_message(&change);
    let command = message.as_ref().map_or(String::new(), |message| message.command.clone());
    let mut parts: Vec<(u8, String)> = Vec::new();
    let mut moved = false;
    for op in &change.decode().operations {
        let (Key::Map(key), OpType::Put(value)) = (&op.key, &op.action) else { continue };
        let (rank, label, kind) = match op.obj {
            ObjectId::Root => match schema::field(key) {
                Some(spec) => (1, Some(fields::label_of(spec)), spec.kind),
                None => continue,
            },
            // Operations name the entry by its number only; the keys say enough.
            ObjectId::Id(_) => match key.as_str() {
                "summary" | "title" | "text" | "number" | "address" => (0, None, Kind::Text),
                other => match spec(other) {
                    Some(spec)
                        if !matches!(spec.kind, Kind::Instant | Kind::Minor) && other != "kind" =>
                    {
                        (2, Some(fields::label_of(spec)), spec.kind)
                    }
                    _ => continue,
                },
            },
        };
        let text = match value {
            ScalarValue::Str(text) if key == "stage" && STAGES.contains(&text.as_str()) => {
                moved = true;
                text.to_string()
            }
            ScalarValue::Str(text) => text.to_string(),
            ScalarValue::Boolean(b) => Value::Bool(*b).to_string(),
            ScalarValue::Int(n) => n.to_string(),
            ScalarValue::F64(n) => n.to_string(),
            ScalarValue::Null => t!("feed-removed"),
            _ => continue,
        };
        if text.is_empty() {
            continue;
        }
        let text = if matches!(kind, Kind::Choice(_)) { fields::word(&text) } else { text };
        parts.push((rank, label.map_or(text.clone(), |label| format!("{label}: {text}"))));
    }
    parts.sort_by_key(|(rank, _)| *rank);
    let detail = parts.into_iter().take(3).map(|(_, part)| part).collect::<Vec<_>>().join(" · ");
    let cut = detail.char_indices().nth(TEXT_CHARS).map(|(at, _)| format!("{}…", &detail[..at]));
    let detail = (!detail.is_empty()).then(|| cut.unwrap_or(detail));
    (message.map(|message| message.by), Told { command, detail, moved })
}

/// The field of an entry of any collection.
fn spec(name: &str) -> Option<&'static schema::FieldSpec> {
    Collection::ALL.into_iter().flat_map(Collection::fields).find(|spec| spec.name == name)
}

impl Line {
    pub(super) fn render(&self, names: &Names) -> Markup {
        match self {
            Line::One(one) => one.render(names),
            Line::Many { seq, user, at, changes, contacts, merged, aside, tally, notable } => {
                html! {
                    li id={ "l-" (seq) } data-rev={ (changes) "-" (merged) "-" (aside) } {
                        (layout::time(*at, Shape::Short))
                        div {
                            (rich!("feed-sent", edits = *changes as u64, contacts = *contacts as u64; person = html! { b { (names.of(*user)) } }))
                            @let words = tally.words();
                            @if !words.is_empty() { div { (words) } }
                            @if !notable.is_empty() {
                                ul.notable { @for one in notable { li { (one.said()) @if let Some(detail) = &one.told.detail { span.k { " " (detail) } } } } }
                            }
                            div.k { (t!("feed-merged", n = *merged as u64)) @if *aside > 0 { ", " (t!("feed-aside", n = *aside as u64)) } }
                        }
                        (layout::receipt(merged == changes, *aside > 0))
                    }
                }
            }
        }
    }
}

impl One {
    /// What was done, with the contact's name as a link to it.
    fn said(&self) -> Markup {
        let name = self.name.clone().unwrap_or_else(|| t!("feed-a-contact"));
        told(&self.told, html! { a href={ "/contacts/" (self.contact) } { (name) } })
    }

    fn render(&self, names: &Names) -> Markup {
        html! {
            li id={ "l-" (self.seq) } data-rev=(self.fate) {
                (layout::time(self.at, Shape::Short))
                div {
                    (self.said())
                    @if let Some(detail) = &self.told.detail { div.pre { (detail) } }
                    div.k { (names.of(self.by)) @if self.office { ", " (t!("office")) } }
                }
                @if self.fate > MERGED { a.chip.stop href="/decide" { (t!("fate-set-aside")) } } @else { (layout::receipt(self.fate == MERGED, false)) }
            }
        }
    }
}

/// What somebody did with a contact.
fn told(told: &Told, contact: Markup) -> Markup {
    match told.command.as_str() {
        "create" => rich!("verb-create"; name = contact),
        "visit" => rich!("verb-visit"; name = contact),
        "call" => rich!("verb-call"; name = contact),
        "email" => rich!("verb-email"; name = contact),
        "message" => rich!("verb-message"; name = contact),
        "meeting" => rich!("verb-meeting"; name = contact),
        "complaint" => rich!("verb-complaint"; name = contact),
        "return" => rich!("verb-return"; name = contact),
        "survey" => rich!("verb-survey"; name = contact),
        "note" => rich!("verb-note"; name = contact),
        "resolve" => rich!("verb-resolve"; name = contact),
        "import" => rich!("verb-import"; name = contact),
        "" | "set" | "group" | "put" if told.moved => rich!("verb-moved"; name = contact),
        "" | "set" | "group" | "put" => rich!("verb-edited"; name = contact),
        other => rich!("verb-other", what = fields::word(other); name = contact),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_change_is_told_without_words() {
        assert_eq!(tell(b"not a change".to_vec()), (None, Told::default()));
    }
}
