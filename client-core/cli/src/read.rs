//! What reads: status, lists, one contact, conflicts, receipts, hashes.

use std::collections::BTreeMap;

use roadbook_client_core::{
    CopyStatus, Encryption, Lease, LeaseState, ListQuery, Recovered, Replica, Sort,
};
use roadbook_protocol::document::schema::{Collection, FIELDS};
use roadbook_protocol::document::{Conflict, Contact, Entry, Value};
use roadbook_protocol::ids::{ContactId, UserId};
use roadbook_protocol::projection::Row;
use serde_json::json;

use crate::args::{ListArgs, SortArg};
use crate::edit::parse_instant;
use crate::error::Failure;
use crate::output::{Output, table, time};

/// `status`.
pub fn status(replica: &Replica, out: &Output) -> Result<(), Failure> {
    let status = replica.status()?;
    out.print(&status, || {
        let mut rows = Vec::new();
        let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
        match &status.user {
            Some(user) => {
                row("user", format!("{} ({})", user.name, user.login));
                row(
                    "workspace",
                    status.workspace.as_ref().map_or(String::new(), |w| w.name.clone()),
                );
                row("server", status.server_url.clone().unwrap_or_default());
                if let Some(device) = &status.device {
                    row("device", format!("{} ({})", device.name, device.id));
                }
            }
            None => row("device", "not enrolled".into()),
        }
        if let Some(wiped) = &status.wiped {
            let handed = match (wiped.edits, wiped.handed_over) {
                (0, _) => "nothing was unsent".to_owned(),
                (n, true) => format!("{n} unsent edits were handed over"),
                (n, false) => format!("{n} sealed edits wait for the next sync"),
            };
            row("wiped", format!("revoked by the office on {}; {handed}", time(wiped.revoked_at)));
        }
        for (name, line) in copies_lines(&status.copies, status.user.is_some()) {
            row(name, line);
        }
        row("encryption", encryption_line(&status.encryption));
        if let Some(warning) = &status.encryption.warning {
            row("WARNING", warning.clone());
        }
        if let Some(lease) = &status.lease
            && lease.state != LeaseState::Valid
        {
            row("readable until", lease_line(lease));
        }
        row("contacts", status.contacts.to_string());
        row("unsent edits", status.unsent.to_string());
        row("stored, not merged yet", status.stored_not_merged.to_string());
        row("quarantined", status.quarantined.to_string());
        row("conflicts", status.conflicts.to_string());
        if status.proposals + status.decisions_unsent > 0 {
            row("late edits", late_edits(status.proposals, status.decisions_unsent));
        }
        if status.missing > 0 {
            row("first sync", format!("{} contacts still to fetch", status.missing));
        }
        row("last sync", status.last_sync_ms.map_or("never".into(), time));
        if let Some(error) = &status.connection.error {
            row("last error", error.clone());
        }
        if let Some(at) = status.copied_at {
            let what =
                "this replica was restored or copied; it goes on as an incarnation of its own";
            row("noticed", format!("{what} (found {})", time(at)));
        }
        if let Some(file) = &status.set_aside_file {
            row("noticed", format!("a damaged database was set aside as {file}"));
        }
        table(&rows)
    })
}

/// What there is to say of sealed copies; nothing as long as they are kept and none waits.
fn copies_lines(copies: &CopyStatus, enrolled: bool) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(trouble) = copies.trouble.as_ref().filter(|_| enrolled) {
        let what = "edits are saved, but no sealed copies of them are kept";
        lines.push(("WARNING", format!("{what}: {trouble}")));
    }
    if copies.waiting > 0 {
        let n = copies.waiting;
        lines.push(("sealed edits", format!("{n} of an earlier device are to be handed over")));
    }
    if let Some(reason) = &copies.refused {
        lines.push(("WARNING", format!("sealed edits were not handed over: {reason}")));
    }
    if let Some(Recovered { taken, proposed, kept }) = copies.recovered {
        lines.push((
            "sealed edits",
            format!("handed over: {taken} taken, {proposed} wait for a decision, {kept} kept by the office"),
        ));
    }
    lines
}

fn encryption_line(encryption: &Encryption) -> String {
    let kept_by = encryption.keys_kept_by.describe();
    match &encryption.cipher {
        Some(cipher) => format!("SQLCipher {cipher}; the keys are kept by {kept_by}"),
        None => format!("none; the device's key is kept by {kept_by}"),
    }
}

fn lease_line(lease: &Lease) -> String {
    let days = lease.left_ms / (24 * 60 * 60 * 1000);
    match lease.state {
        LeaseState::Ended => {
            format!("{}: reading is locked until this device reaches the server", time(lease.until))
        }
        LeaseState::Renew => {
            format!("{} ({days} days left); every sync renews it", time(lease.until))
        }
        LeaseState::Valid => format!("{} ({days} days left)", time(lease.until)),
    }
}

/// `lease`.
pub fn lease(replica: &Replica, out: &Output, code: &str) -> Result<(), Failure> {
    let lease = match code {
        "" => replica.lease(),
        code => replica.extend_lease(code)?,
    };
    out.print(&json!({ "lease": lease }), || match &lease {
        Some(lease) => lease_line(lease),
        None => "this device may be read without an end".to_owned(),
    })
}

/// `list`.
pub fn list(replica: &Replica, out: &Output, args: &ListArgs) -> Result<(), Failure> {
    let query = ListQuery {
        filter: (!args.filter.is_empty()).then(|| args.filter.join(" ")),
        sort: match args.sort {
            SortArg::Name => Sort::Name,
            SortArg::Company => Sort::Company,
            SortArg::City => Sort::City,
            SortArg::Touched => Sort::Touched,
            SortArg::NextVisit => Sort::NextVisit,
            SortArg::LastContact => Sort::LastContact,
        },
        limit: args.limit,
        offset: args.offset,
    };
    let list = replica.list(&query)?;
    out.print(&json!({"contacts": list.rows, "total": list.total}), || {
        let mut text = rows_text(&list.rows);
        if list.total > list.rows.len() {
            text.push_str(&format!("{} of {} shown\n", list.rows.len(), list.total));
        }
        text
    })
}

/// `find`.
pub fn find(replica: &Replica, out: &Output, text: &str, limit: usize) -> Result<(), Failure> {
    let rows = replica.search(text, limit)?;
    out.print(&json!({"contacts": rows}), || rows_text(&rows))
}

fn rows_text(rows: &[Row]) -> String {
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let field = |name: &str| row.fields.get(name).map(Value::to_string).unwrap_or_default();
            vec![
                row.id.to_string(),
                row.display_name.clone(),
                field("company"),
                row.city.clone(),
                field("status"),
                row.phones.first().cloned().unwrap_or_default(),
                marks(row),
            ]
        })
        .collect();
    table(&lines)
}

/// What must not be overlooked in a list.
fn marks(row: &Row) -> String {
    let mut marks = Vec::new();
    if row.do_not_contact() {
        marks.push("DO NOT CONTACT".to_owned());
    }
    if row.conflicts > 0 {
        marks.push(format!("{} in conflict", row.conflicts));
    }
    marks.join(", ")
}

/// `show`.
pub fn show(
    replica: &Replica,
    out: &Output,
    id: &str,
    at: Option<&str>,
    authors: bool,
) -> Result<(), Failure> {
    let id = replica.resolve_id(id)?;
    let contact = match at {
        None => replica.contact(id)?,
        Some(at) => replica.contact_as_of(id, parse_instant(at)?)?,
    };
    let authorship = if authors { replica.authorship(id)? } else { BTreeMap::new() };
    let mut value = serde_json::to_value(&contact).map_err(|error| {
        Failure::Usage(format!("this contact can't be written as JSON: {error}"))
    })?;
    if authors {
        value["authors"] = authorship
            .iter()
            .map(|(path, by)| {
                let said =
                    json!({"author": author(replica, by.author), "at": by.at, "change": by.change});
                (path.clone(), said)
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    out.print(&value, || {
        let by = |path: &str| {
            authorship
                .get(path)
                .map(|a| format!("{}, {}", author(replica, a.author), time(a.at)))
                .unwrap_or_default()
        };
        contact_text(&contact, &by)
    })
}

fn contact_text(contact: &Contact, by: &dyn Fn(&str) -> String) -> String {
    let mut rows = vec![vec!["name".into(), contact.display_name.clone()]];
    let mut row =
        |label: &str, value: String, path: &str| rows.push(vec![label.to_owned(), value, by(path)]);
    for (name, value) in &contact.fields {
        let label =
            FIELDS.iter().find(|spec| spec.name == name).map_or(name.as_str(), |spec| spec.label);
        row(&label.to_lowercase(), value.to_string(), name);
    }
    if !contact.tags.is_empty() {
        row("tags", contact.tags.join(", "), "tags");
    }
    for (name, value) in &contact.custom {
        row(name, value.to_string(), &format!("custom.{name}"));
    }
    for (system, id) in &contact.external_ids {
        row(&format!("{system} id"), id.clone(), &format!("external_ids.{system}"));
    }
    let mut text = String::new();
    if contact.do_not_contact() {
        text.push_str("DO NOT CONTACT: this person asked not to be contacted\n");
    }
    text.push_str(&table(&rows));
    text.push_str(&consents_text(contact));
    for collection in Collection::ALL {
        let entries = contact.entries(collection);
        if !entries.is_empty() {
            text.push_str(&format!("{}:\n", collection.name()));
            let lines: Vec<Vec<String>> = entries
                .iter()
                .map(|entry| vec![format!("  {}", entry.id), entry_text(collection, entry)])
                .collect();
            text.push_str(&table(&lines));
        }
    }
    if !contact.note.is_empty() {
        text.push_str("note:\n");
        for line in contact.note.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// What holds now, for each channel and purpose, with its proof; every statement there was stands under
/// `consents`.
fn consents_text(contact: &Contact) -> String {
    let now = contact.consents_now();
    if now.is_empty() {
        return String::new();
    }
    let lines: Vec<Vec<String>> = now
        .iter()
        .map(|consent| {
            let purpose = match consent.text("purpose") {
                "" => "any purpose".to_owned(),
                purpose => purpose.to_owned(),
            };
            let may = match consent.text("state") {
                "given" if contact.do_not_contact() => "given, but do not contact",
                "given" => "may be written to",
                _ => "may not: withdrawn",
            };
            vec![
                format!("  {}", consent.text("channel")),
                purpose,
                may.to_owned(),
                consent.int("at").map(time).unwrap_or_default(),
                consent.text("how").to_owned(),
            ]
        })
        .collect();
    format!("consent now:\n{}", table(&lines))
}

fn entry_text(collection: Collection, entry: &Entry) -> String {
    use roadbook_protocol::document::schema::Kind;
    let mut parts = Vec::new();
    for spec in collection.fields() {
        let Some(value) = entry.fields.get(spec.name) else { continue };
        parts.push(match (spec.kind, value) {
            (Kind::Instant, Value::Int(at)) => time(*at),
            (Kind::Minor, Value::Int(minor)) => money(*minor, entry.text("currency")),
            (Kind::Currency, _) => continue,
            (Kind::Bool, Value::Bool(yes)) => {
                if *yes {
                    spec.label.to_lowercase()
                } else {
                    format!("not {}", spec.label.to_lowercase())
                }
            }
            _ => value.to_string(),
        });
    }
    parts.join(" · ")
}

/// An amount as people read it.
pub fn money(minor: i64, currency: &str) -> String {
    let digits = roadbook_protocol::document::minor_digits(currency);
    let scale = 10_i128.pow(digits);
    let (sign, value) = if minor < 0 { ("-", -i128::from(minor)) } else { ("", i128::from(minor)) };
    let whole = value / scale;
    if digits == 0 {
        return format!("{sign}{whole} {currency}");
    }
    format!("{sign}{whole}.{:0width$} {currency}", value % scale, width = digits as usize)
}

/// `history`.
pub fn history(replica: &Replica, out: &Output, id: &str, limit: usize) -> Result<(), Failure> {
    let id = replica.resolve_id(id)?;
    let items = replica.history(id, limit)?;
    let list: Vec<_> = items
        .iter()
        .map(|item| {
            json!({"change": item.change, "author": author(replica, item.author), "author_id": item.author,
                   "at": item.at, "command": item.command, "fields": item.fields})
        })
        .collect();
    out.print(&json!({"contact_id": id, "history": list}), || {
        let mut rows = Vec::new();
        for item in &items {
            let mut head = vec![time(item.at), author(replica, item.author), item.command.clone()];
            for field in &item.fields {
                let show =
                    |value: &Option<Value>| value.as_ref().map_or("-".into(), Value::to_string);
                head.push(format!(
                    "{}: {} -> {}",
                    field.field,
                    show(&field.before),
                    show(&field.after)
                ));
                rows.push(std::mem::replace(
                    &mut head,
                    vec![String::new(), String::new(), String::new()],
                ));
            }
            if item.fields.is_empty() {
                rows.push(head);
            }
        }
        table(&rows)
    })
}

fn late_edits(waiting: u64, unsent: u64) -> String {
    let decisions = match unsent {
        0 => String::new(),
        1 => "; 1 decision goes up with the next sync".to_owned(),
        n => format!("; {n} decisions go up with the next sync"),
    };
    format!("{waiting} wait for your decision (roadbook proposals){decisions}")
}

/// `conflicts`.
pub fn conflicts(replica: &Replica, out: &Output, id: Option<&str>) -> Result<(), Failure> {
    let id = id.map(|id| replica.resolve_id(id)).transpose()?;
    let conflicts = replica.conflicts(id)?;
    let list: Vec<_> = conflicts.iter().map(|conflict| conflict_json(replica, conflict)).collect();
    out.print(&json!({"conflicts": list}), || {
        let mut text = String::new();
        for conflict in &conflicts {
            let name =
                replica.row(conflict.contact_id).map(|row| row.display_name).unwrap_or_default();
            text.push_str(&format!("{}  {name}: {}\n", conflict.contact_id, conflict.field));
            let rows: Vec<Vec<String>> = conflict
                .values
                .iter()
                .enumerate()
                .map(|(n, side)| {
                    vec![
                        format!("  {}", n + 1),
                        side.value.as_ref().map_or("(removed)".into(), Value::to_string),
                        author(replica, side.author),
                        time(side.at),
                        if side.shown { "shown".into() } else { String::new() },
                    ]
                })
                .collect();
            text.push_str(&table(&rows));
        }
        if text.is_empty() {
            text.push_str("no conflicts\n");
        }
        text
    })
}

fn conflict_json(replica: &Replica, conflict: &Conflict) -> serde_json::Value {
    let values: Vec<_> = conflict
        .values
        .iter()
        .map(|side| {
            json!({"value": side.value, "author": author(replica, side.author), "author_id": side.author,
                   "at": side.at, "shown": side.shown, "change": side.change})
        })
        .collect();
    json!({"contact_id": conflict.contact_id, "field": conflict.field, "values": values})
}

/// A user's name as far as this device knows it, else the id.
fn author(replica: &Replica, user: UserId) -> String {
    replica.user_name(user).unwrap_or_else(|| user.to_string())
}

/// `outbox`.
pub fn outbox(replica: &Replica, out: &Output, all: bool) -> Result<(), Failure> {
    let entries = replica.outbox(all)?;
    out.print(&json!({"outbox": entries}), || {
        let rows: Vec<Vec<String>> = entries
            .iter()
            .map(|entry| {
                vec![
                    time(entry.at),
                    entry.receipt.to_string(),
                    entry.command.clone(),
                    entry.display_name.clone(),
                    entry.reason.clone().unwrap_or_default(),
                ]
            })
            .collect();
        if rows.is_empty() { "nothing waits\n".into() } else { table(&rows) }
    })
}

/// `quarantine`.
pub fn quarantine(replica: &Replica, out: &Output) -> Result<(), Failure> {
    let entries = replica.quarantine()?;
    out.print(&json!({"quarantine": entries}), || {
        let rows: Vec<Vec<String>> = entries
            .iter()
            .map(|entry| {
                vec![
                    time(entry.at),
                    entry.command.clone(),
                    entry.display_name.clone(),
                    entry.reason.clone(),
                ]
            })
            .collect();
        if rows.is_empty() { "nothing is in quarantine\n".into() } else { table(&rows) }
    })
}

/// `state-hash`: the hash on stdout; what is not in it on stderr.
pub fn state_hash(
    replica: &Replica,
    out: &Output,
    each: bool,
    ids: &[String],
) -> Result<(), Failure> {
    let ids: Vec<ContactId> =
        ids.iter().map(|id| replica.resolve_id(id)).collect::<Result<_, _>>()?;
    let state = replica.state_hash((!ids.is_empty()).then_some(&ids[..]))?;
    if state.unmerged > 0 {
        eprintln!("{} local changes are not merged yet and not in this hash", state.unmerged);
    }
    let each_json: BTreeMap<String, &String> =
        state.each.iter().map(|(id, hash)| (id.to_string(), hash)).collect();
    let value = json!({"hash": state.hash, "unmerged": state.unmerged,
                       "each": if each { Some(each_json) } else { None }});
    out.print(&value, || {
        if each {
            let rows: Vec<Vec<String>> =
                state.each.iter().map(|(id, hash)| vec![id.to_string(), hash.clone()]).collect();
            table(&rows)
        } else {
            state.hash.clone()
        }
    })
}
