//! What edits: each verb is one group of commands, durable when it returns.

use std::collections::BTreeMap;
use std::process::Command as Process;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use roadbook_client_core::{Edited, Replica};
use roadbook_protocol::document::schema::Collection;
use roadbook_protocol::document::{Assigner, Command, Contact, Entry, Value, parse_money};
use roadbook_protocol::ids::{ContactId, EntryId, UnixMs};
use serde_json::json;

use crate::args::{
    AddressVerb, ConsentArgs, ConsentWhat, DealVerb, InteractionArgs, PurchaseArgs, ReachVerb,
    TagVerb, TaskVerb,
};
use crate::error::Failure;
use crate::output::Output;

/// Phones or emails: a collection, and the field that holds the value.
#[derive(Clone, Copy)]
pub enum Reach {
    /// `phone`.
    Phone,
    /// `email`.
    Email,
}

impl Reach {
    fn place(self) -> (Collection, &'static str) {
        match self {
            Reach::Phone => (Collection::Phones, "number"),
            Reach::Email => (Collection::Emails, "address"),
        }
    }
}

/// `add`.
pub fn add(replica: &Replica, out: &Output, assignments: &[String]) -> Result<(), Failure> {
    let commands = assigned(replica, None, assignments)?;
    let edit = replica.create(&commands)?;
    out.print(
        &json!({"contact_id": edit.contact_id, "edit_id": edit.edit_id, "receipt": "saved"}),
        || edit.contact_id.to_string(),
    )
}

/// `set`.
pub fn set(
    replica: &Replica,
    out: &Output,
    id: &str,
    assignments: &[String],
) -> Result<(), Failure> {
    let contact = replica.contact(replica.resolve_id(id)?)?;
    let commands = assigned(replica, Some(&contact), assignments)?;
    edit(replica, out, contact.id, &commands)
}

fn assigned(
    replica: &Replica,
    contact: Option<&Contact>,
    assignments: &[String],
) -> Result<Vec<Command>, Failure> {
    let defined = replica.custom_fields()?;
    let mut assigner = Assigner::new(contact, replica.now_ms()).defined(&defined);
    for assignment in assignments {
        let (field, value) = assignment.split_once('=').ok_or_else(|| {
            Failure::Usage(format!("`{assignment}` is not FIELD=VALUE, such as city=Berlin"))
        })?;
        assigner.assign(field.trim(), value, &mut || replica.new_entry_id())?;
    }
    Ok(assigner.finish())
}

fn edit(
    replica: &Replica,
    out: &Output,
    contact: ContactId,
    commands: &[Command],
) -> Result<(), Failure> {
    report(out, contact, replica.edit(contact, commands)?)
}

fn report(out: &Output, contact: ContactId, edited: Edited) -> Result<(), Failure> {
    match edited {
        Edited::Saved(edit) => out.print(
            &json!({"contact_id": edit.contact_id, "edit_id": edit.edit_id, "receipt": "saved"}),
            || "saved on this device".into(),
        ),
        Edited::Unchanged => out
            .print(&json!({"contact_id": contact, "receipt": "unchanged"}), || {
                "unchanged: it was so already".into()
            }),
    }
}

fn put(
    replica: &Replica,
    collection: Collection,
    fields: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Command {
    let fields: BTreeMap<String, Option<Value>> = fields
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Command::Put { collection, id: replica.new_entry_id(), fields }
}

fn text(value: &Option<String>) -> Option<Value> {
    value.as_deref().map(Value::from)
}

/// Finds the one entry that is meant: by the beginning of its id, or by the text of a field.
fn entry(
    replica: &Replica,
    contact: ContactId,
    collection: Collection,
    field: &str,
    named: &str,
) -> Result<EntryId, Failure> {
    let contact = replica.contact(contact)?;
    let fits = |entry: &&Entry| {
        let value = entry.text(field);
        value == named
            || (collection == Collection::Phones && same_number(value, named))
            || (named.len() >= 4 && entry.id.to_string().starts_with(&named.to_lowercase()))
    };
    let found: Vec<&Entry> = contact.entries(collection).iter().filter(fits).collect();
    match found[..] {
        [entry] => Ok(entry.id),
        [] => {
            let known: Vec<String> = contact
                .entries(collection)
                .iter()
                .map(|entry| format!("{} {}", entry.id, entry.text(field)))
                .collect();
            let known = if known.is_empty() { "there are none".into() } else { known.join("; ") };
            Err(Failure::NotFound(format!(
                "{} has no {} `{named}`: {known}",
                contact.display_name,
                collection.name()
            )))
        }
        _ => Err(Failure::NotFound(format!(
            "`{named}` fits {} of the {} of {}; name it by its id (`roadbook show {}`)",
            found.len(),
            collection.name(),
            contact.display_name,
            contact.id
        ))),
    }
}

fn same_number(a: &str, b: &str) -> bool {
    let digits = roadbook_protocol::fold::phone_digits;
    !digits(a).is_empty() && digits(a) == digits(b)
}

/// `phone`, `email`.
pub fn reach(
    replica: &Replica,
    out: &Output,
    reach: Reach,
    verb: &ReachVerb,
) -> Result<(), Failure> {
    let (collection, field) = reach.place();
    match verb {
        ReachVerb::Add { id, value, label } => {
            let id = replica.resolve_id(id)?;
            let command = put(
                replica,
                collection,
                [(field, Some(value.as_str().into())), ("label", text(label))],
            );
            edit(replica, out, id, &[command])
        }
        ReachVerb::Remove { id, value } => remove(replica, out, id, collection, field, value),
    }
}

fn remove(
    replica: &Replica,
    out: &Output,
    contact: &str,
    collection: Collection,
    field: &str,
    named: &str,
) -> Result<(), Failure> {
    let contact = replica.resolve_id(contact)?;
    let id = entry(replica, contact, collection, field, named)?;
    edit(replica, out, contact, &[Command::Remove { collection, id }])
}

/// `address`.
pub fn address(replica: &Replica, out: &Output, verb: &AddressVerb) -> Result<(), Failure> {
    match verb {
        AddressVerb::Add { id, street, postal_code, city, region, country, label } => {
            let contact = replica.resolve_id(id)?;
            let command = put(
                replica,
                Collection::Addresses,
                [
                    ("street", text(street)),
                    ("postal_code", text(postal_code)),
                    ("city", text(city)),
                    ("region", text(region)),
                    ("country", text(country)),
                    ("label", text(label)),
                ],
            );
            edit(replica, out, contact, &[command])
        }
        AddressVerb::Remove { id, value } => {
            remove(replica, out, id, Collection::Addresses, "street", value)
        }
    }
}

/// `tag`.
pub fn tag(replica: &Replica, out: &Output, verb: &TagVerb) -> Result<(), Failure> {
    let (id, commands): (_, Vec<Command>) = match verb {
        TagVerb::Add { id, tags } => {
            let at = replica.now_ms();
            (id, tags.iter().map(|tag| Command::Tag { tag: tag.trim().into(), at }).collect())
        }
        TagVerb::Remove { id, tags } => {
            (id, tags.iter().map(|tag| Command::Untag { tag: tag.trim().into() }).collect())
        }
    };
    edit(replica, out, replica.resolve_id(id)?, &commands)
}

/// `note`.
pub fn note(
    replica: &Replica,
    out: &Output,
    id: &str,
    append: Option<&str>,
    replace: Option<&str>,
) -> Result<(), Failure> {
    let id = replica.resolve_id(id)?;
    let present = replica.contact(id)?.note;
    let wanted = match (append, replace) {
        (Some(line), _) if present.is_empty() => line.to_owned(),
        (Some(line), _) => format!("{}\n{line}", present.trim_end_matches('\n')),
        (None, Some(text)) => text.to_owned(),
        (None, None) => in_editor(&present)?,
    };
    let splices = replica.note_splices(id, &wanted)?;
    if splices.is_empty() {
        return report(out, id, Edited::Unchanged);
    }
    edit(replica, out, id, &[Command::EditNote { splices }])
}

/// Lets the user edit the text in `$VISUAL` or `$EDITOR`. The file is readable by the user alone,
/// and gone afterwards.
fn in_editor(text: &str) -> Result<String, Failure> {
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|editor| !editor.trim().is_empty()))
        .ok_or_else(|| {
            Failure::Usage("no editor is set: export EDITOR, or give --append or --replace".into())
        })?;
    let file = tempfile::Builder::new()
        .prefix("roadbook-note-")
        .suffix(".txt")
        .tempfile()
        .map_err(Failure::io("a temporary file"))?;
    std::fs::write(file.path(), text).map_err(Failure::io("a temporary file"))?;
    let mut words = editor.split_whitespace();
    let status = Process::new(words.next().unwrap_or_default())
        .args(words)
        .arg(file.path())
        .status()
        .map_err(Failure::io(format!("the editor `{editor}`")))?;
    if !status.success() {
        return Err(Failure::Usage(format!(
            "`{editor}` ended with {status}; the note is unchanged"
        )));
    }
    let edited = std::fs::read_to_string(file.path()).map_err(Failure::io("the edited note"))?;
    // Editors end a file with a line end that nobody typed.
    Ok(if text.ends_with('\n') { edited } else { edited.trim_end_matches('\n').to_owned() })
}

/// `visit`, `call`, `mail`, `meeting`.
pub fn interaction(
    replica: &Replica,
    out: &Output,
    kind: &'static str,
    args: &InteractionArgs,
) -> Result<(), Failure> {
    let contact = replica.resolve_id(&args.id)?;
    let at = args.at.as_deref().map(parse_instant).transpose()?.unwrap_or_else(|| replica.now_ms());
    let command = put(
        replica,
        Collection::Interactions,
        [
            ("kind", Some(kind.into())),
            ("at", Some(Value::Int(at))),
            ("summary", Some(args.summary.as_str().into())),
            ("outcome", text(&args.outcome)),
            ("place", text(&args.place)),
            ("objections", text(&args.objections)),
            ("nps", args.nps.map(Value::Int)),
            ("comment", text(&args.comment)),
        ],
    );
    edit(replica, out, contact, &[command])
}

/// `deal`.
pub fn deal(replica: &Replica, out: &Output, verb: &DealVerb) -> Result<(), Failure> {
    match verb {
        DealVerb::Add { id, title, amount, currency, stage, probability, expected_close } => {
            let contact = replica.resolve_id(id)?;
            let minor = match (amount, currency) {
                (Some(amount), Some(currency)) => Some(parse_money(amount, currency)?),
                _ => None,
            };
            let command = put(
                replica,
                Collection::Deals,
                [
                    ("title", Some(title.as_str().into())),
                    ("amount", minor.map(Value::Int)),
                    ("currency", text(currency)),
                    ("stage", Some(stage.as_str().into())),
                    ("probability", probability.map(Value::Int)),
                    ("expected_close", text(expected_close)),
                ],
            );
            edit(replica, out, contact, &[command])
        }
        DealVerb::Move { id, deal, stage, lost_reason } => {
            let contact = replica.resolve_id(id)?;
            let id = entry(replica, contact, Collection::Deals, "title", deal)?;
            let mut fields =
                BTreeMap::from([("stage".to_owned(), Some(Value::from(stage.as_str())))]);
            if lost_reason.is_some() {
                fields.insert("lost_reason".into(), text(lost_reason));
            }
            let command = Command::Put { collection: Collection::Deals, id, fields };
            edit(replica, out, contact, &[command])
        }
        DealVerb::Remove { id, deal } => remove(replica, out, id, Collection::Deals, "title", deal),
    }
}

/// `purchase`.
pub fn purchase(replica: &Replica, out: &Output, args: &PurchaseArgs) -> Result<(), Failure> {
    let contact = replica.resolve_id(&args.id)?;
    let minor = parse_money(&args.amount, &args.currency)?;
    let date = args.date.clone().unwrap_or_else(|| replica.today().to_string());
    let command = put(
        replica,
        Collection::Purchases,
        [
            ("date", Some(date.into())),
            ("amount", Some(Value::Int(minor))),
            ("currency", Some(args.currency.as_str().into())),
            ("product", text(&args.product)),
            ("channel", text(&args.channel)),
            ("discount", text(&args.discount)),
            ("external_id", text(&args.order)),
        ],
    );
    edit(replica, out, contact, &[command])
}

/// `task`.
pub fn task(replica: &Replica, out: &Output, verb: &TaskVerb) -> Result<(), Failure> {
    match verb {
        TaskVerb::Add { id, text: what, due } => {
            let contact = replica.resolve_id(id)?;
            let command = put(
                replica,
                Collection::Tasks,
                [
                    ("text", Some(what.as_str().into())),
                    ("due", text(due)),
                    ("done", Some(false.into())),
                ],
            );
            edit(replica, out, contact, &[command])
        }
        TaskVerb::Done { id, task } => {
            let contact = replica.resolve_id(id)?;
            let id = entry(replica, contact, Collection::Tasks, "text", task)?;
            let fields = BTreeMap::from([
                ("done".to_owned(), Some(Value::Bool(true))),
                ("done_at".to_owned(), Some(Value::Int(replica.now_ms()))),
            ]);
            let command = Command::Put { collection: Collection::Tasks, id, fields };
            edit(replica, out, contact, &[command])
        }
        TaskVerb::Remove { id, task } => remove(replica, out, id, Collection::Tasks, "text", task),
    }
}

/// `consent`: always a new entry, so that re-affirming is a statement of its own (rule 14).
pub fn consent(replica: &Replica, out: &Output, args: &ConsentArgs) -> Result<(), Failure> {
    let contact = replica.resolve_id(&args.id)?;
    let state = match args.what {
        ConsentWhat::Give => "given",
        ConsentWhat::Withdraw => "withdrawn",
    };
    let command = put(
        replica,
        Collection::Consents,
        [
            ("channel", Some(args.channel.as_str().into())),
            ("purpose", Some(args.purpose.as_str().into())),
            ("state", Some(state.into())),
            ("at", Some(Value::Int(replica.now_ms()))),
            ("how", text(&args.how)),
        ],
    );
    edit(replica, out, contact, &[command])
}

/// `archive`.
pub fn archive(replica: &Replica, out: &Output, id: &str, archived: bool) -> Result<(), Failure> {
    let contact = replica.resolve_id(id)?;
    let value = archived.then_some(Value::Bool(true));
    edit(replica, out, contact, &[Command::Set { field: "archived".into(), value }])
}

/// `undo`.
pub fn undo(replica: &Replica, out: &Output, id: Option<&str>) -> Result<(), Failure> {
    let id = id.map(|id| replica.resolve_id(id)).transpose()?;
    match replica.undo(id)? {
        Edited::Saved(edit) => report(out, edit.contact_id, Edited::Saved(edit)),
        Edited::Unchanged => Err(Failure::NotFound("there is no edit of yours to undo".into())),
    }
}

/// `conflicts resolve`.
pub fn resolve(
    replica: &Replica,
    out: &Output,
    id: &str,
    field: &str,
    pick: Option<usize>,
    value: Option<&str>,
) -> Result<(), Failure> {
    let id = replica.resolve_id(id)?;
    let conflicts = replica.conflicts(Some(id))?;
    let Some(conflict) = conflicts.iter().find(|conflict| conflict.field == field) else {
        let open: Vec<&str> = conflicts.iter().map(|conflict| conflict.field.as_str()).collect();
        let open = if open.is_empty() { "nothing is".into() } else { open.join(", ") };
        return Err(Failure::NotFound(format!(
            "`{field}` is not in conflict here; in conflict: {open}"
        )));
    };
    let value = match (pick, value) {
        (Some(number), _) => {
            let side =
                number.checked_sub(1).and_then(|n| conflict.values.get(n)).ok_or_else(|| {
                    Failure::Usage(format!("--pick goes from 1 to {} here", conflict.values.len()))
                })?;
            side.value.clone()
        }
        (None, text) => text.filter(|text| !text.is_empty()).map(Value::from),
    };
    report(out, id, replica.resolve(id, field, value)?)
}

/// `YYYY-MM-DD`, or with `THH:MM` or `THH:MM:SS`, UTC; or RFC 3339 with an offset.
pub fn parse_instant(text: &str) -> Result<UnixMs, Failure> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    for format in ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(time.and_utc().timestamp_millis());
        }
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map(|time| time.and_utc().timestamp_millis())
        .ok_or_else(|| {
            Failure::Usage(format!(
                "`{text}` is not a time: write 2026-05-03 or 2026-05-03T14:30 (UTC)"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_utc_unless_they_say_otherwise() {
        assert_eq!(parse_instant("1970-01-02").unwrap(), 86_400_000);
        assert_eq!(parse_instant("1970-01-01T01:00").unwrap(), 3_600_000);
        assert_eq!(parse_instant("1970-01-01T01:00:00+01:00").unwrap(), 0);
        let error = parse_instant("yesterday").unwrap_err().to_string();
        assert!(error.contains("`yesterday` is not a time"), "{error}");
    }
}
