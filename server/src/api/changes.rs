//! The change feed as programs see it: one page of events within the reach of a person, and the places
//! from which it can be gone on.
//!
//! A place is the timeline that assigned a cursor, and the cursor. A server that lost the end of its past
//! (a power cut, a restored backup) opens a new timeline; a place that lies in what was lost is answered
//! with where to go on instead, never with events of another past.

use roadbook_protocol::ids::{Cursor, TimelineId, UserId, WorkspaceId};
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::contacts::line_of;
use super::problem::Problem;
use crate::rights::{Action, Relation, Rights};
use crate::store::feed::{self, Happened, Kind};
use crate::store::{self, workspaces};

/// Rows that are looked at for one page.
const ROWS_MAX: usize = 128;
/// A page ends when it has so many bytes.
const BYTES_MAX: usize = 512 * 1024;

/// The kinds of events, and what each means.
pub(super) const EVENTS: [(&str, &str); 5] = [
    ("contact.created", "A contact has its first content."),
    ("contact.changed", "A contact has other content."),
    (
        "contact.assigned",
        "Another owner, or other people beside the owner: a hand-over. `assignment` says who.",
    ),
    (
        "contact.removed",
        "A contact left the reach of the key's person: delete your copy. A tombstone, without content.",
    ),
    (
        "contact.erased",
        "A contact was erased for good: delete every copy. A tombstone, without content.",
    ),
];

/// A place in the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub timeline: TimelineId,
    pub cursor: Cursor,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.timeline, self.cursor)
    }
}

impl Position {
    pub(super) fn parse(text: &str) -> Option<Position> {
        let (timeline, cursor) = text.split_once('.')?;
        // As it is written, and nothing that only means the same.
        let fits = cursor.bytes().all(|b| b.is_ascii_digit()) && cursor.parse::<i64>().is_ok();
        let position = Position { timeline: timeline.parse().ok()?, cursor: cursor.parse().ok()? };
        fits.then_some(position)
    }
}

/// One event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub cursor: Cursor,
    pub kind: &'static str,
    pub contact: roadbook_protocol::ids::ContactId,
    /// As it is sent.
    pub body: Map<String, Value>,
}

/// A page.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub events: Vec<Event>,
    /// Up to where it is complete.
    pub reached: Cursor,
    /// Whether more follows at once.
    pub more: bool,
}

/// Where a reader begins.
///
/// # Errors
/// `gone` where the place lies in a past that was lost, `bad-request` for what is no place.
pub(super) fn begin(
    conn: &Connection,
    workspace: WorkspaceId,
    since: Option<&str>,
) -> store::Result<Result<Cursor, Problem>> {
    let public = workspaces::cursor(conn, workspace)?;
    let text = match since {
        None | Some("start") => return Ok(Ok(0)),
        Some("now") => return Ok(Ok(public)),
        Some(text) => text,
    };
    let Some(position) = Position::parse(text) else {
        return Ok(Err(Problem::bad_request(
            "`since` is no place in the feed; give `cursor` of the last event that you have, `start`, or `now`.",
        )));
    };
    let last = workspaces::timeline_last_cursor(conn, workspace, position.timeline)?;
    Ok(match last {
        Some(last) if position.cursor <= last => Ok(position.cursor),
        Some(last) => {
            let resume = Position { timeline: position.timeline, cursor: last };
            Err(Problem::new(
                "gone",
                "The server lost the end of its past, in a power cut or by a restored backup, and what you read behind `resume` with it. What devices bring back comes again as new events. Go on from `resume`.",
            )
            .with("resume", resume.to_string())
            .with("reset", false))
        }
        None => Err(Problem::new(
            "gone",
            "This server does not know the past in which your place lies: it was restored from an older backup, or is another one. Read all contacts anew: begin at `resume`, and delete what you have and do not find.",
        )
        .with("resume", "start")
        .with("reset", true)),
    })
}

/// A page of events beyond a cursor.
///
/// # Errors
/// What the database says.
pub(super) fn page(
    conn: &Connection,
    rights: &Rights,
    timeline: TimelineId,
    since: Cursor,
) -> store::Result<Page> {
    let public = workspaces::cursor(conn, rights.workspace)?;
    let rows = feed::since(conn, rights.workspace, since, ROWS_MAX)?;
    let full = rows.len() == ROWS_MAX;
    let mut page = Page { reached: public.max(since), ..Page::default() };
    let (mut bytes, mut reached) = (0, since);
    for happened in rows {
        if bytes >= BYTES_MAX {
            page.more = true;
            break;
        }
        reached = happened.cursor;
        if let Some(event) = event(conn, rights, timeline, happened)? {
            bytes += event.body.get("data").map_or(256, |data| data.to_string().len() + 256);
            page.events.push(event);
        }
    }
    if full || page.more {
        page.more = true;
        page.reached = reached;
    }
    Ok(page)
}

/// What happened, as this person may know it.
fn event(
    conn: &Connection,
    rights: &Rights,
    timeline: TimelineId,
    happened: Happened,
) -> store::Result<Option<Event>> {
    let seen = rights.sees(conn, happened.contact)?;
    let held = happened.holders.clone().unwrap_or_default();
    let within = |users: &[UserId]| {
        rights.may(Action::Enter)
            && users.iter().any(|user| rights.person(*user) != Relation::Foreign)
    };
    let whole = rights.scope == crate::rights::Scope::Everything;
    let kind = match happened.kind {
        Kind::Erased if whole || within(&held.before) => "contact.erased",
        Kind::Created if seen => "contact.created",
        Kind::Changed if seen => "contact.changed",
        Kind::Assigned if seen => "contact.assigned",
        Kind::Assigned if within(&held.before) => "contact.removed",
        _ => return Ok(None),
    };
    let position = Position { timeline, cursor: happened.cursor };
    let mut body = Map::new();
    body.insert("cursor".to_owned(), json!(position.to_string()));
    body.insert("type".to_owned(), json!(kind));
    body.insert("at".to_owned(), if happened.at > 0 { json!(happened.at) } else { Value::Null });
    body.insert("contact".to_owned(), json!(happened.contact));
    if matches!(happened.kind, Kind::Created | Kind::Changed) {
        let by = feed::authors(conn, rights.workspace, happened.contact, happened.cursor)?;
        body.insert("by".to_owned(), json!(by));
    }
    if kind == "contact.assigned" {
        let assignment = match &happened.holders {
            None => Value::Null,
            Some(held) => json!({
                "from": held.from,
                "to": held.to,
                "epoch": held.epoch,
                "collaborators": held.after.iter().filter(|user| Some(**user) != held.to).collect::<Vec<_>>(),
            }),
        };
        body.insert("assignment".to_owned(), assignment);
    }
    if seen && happened.kind != Kind::Erased {
        // As it is now: at least what it was then.
        let line = line_of(conn, rights, happened.contact)?;
        body.insert("data".to_owned(), line.map_or(Value::Null, Value::Object));
    } else {
        body.insert("data".to_owned(), Value::Null);
    }
    Ok(Some(Event { cursor: happened.cursor, kind, contact: happened.contact, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_nothing_else_is_one() {
        let place = Position { timeline: TimelineId::from_bytes([7; 16]), cursor: 12 };
        assert_eq!(Position::parse(&place.to_string()), Some(place));
        let timeline = place.timeline;
        let texts = ["", ".", "12", "x.12"].map(str::to_owned);
        let more =
            ["", "-1", "+1", "1.2", "99999999999999999999"].map(|n| format!("{timeline}.{n}"));
        for bad in texts.iter().chain(&more) {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }
}
