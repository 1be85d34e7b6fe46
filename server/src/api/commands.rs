//! JSON becomes typed edit commands: the same that devices and pages use, so that an edit over the API
//! is a change like any other.

use std::collections::BTreeMap;

use roadbook_protocol::document::schema::{self, FieldSpec, Kind};
use roadbook_protocol::document::{
    Assigner, Collection, Command, CommandError, Contact, CustomField, Entry, Value, parse_value,
};
use roadbook_protocol::ids::{EntryId, UnixMs};
use roadbook_protocol::limits::Limits;
use serde_json::{Map, Value as Json};

use super::problem::Problem;
use crate::store::EngineError;

/// Members that name the first entry of a collection, or more than one field.
pub(super) const SHORTHANDS: [&str; 8] =
    ["name", "phone", "email", "street", "postal_code", "city", "region", "country"];

fn refused(error: CommandError) -> Problem {
    EngineError::from(error).into()
}

fn wrong(field: &str, wanted: &str) -> Problem {
    Problem::refused(format!("`{field}` takes {wanted}.")).with("field", field)
}

/// A value of a field; `None` clears it.
fn value(path: &str, spec: &FieldSpec, json: &Json) -> Result<Option<Value>, Problem> {
    let value = match (spec.kind, json) {
        (_, Json::Null) => None,
        (Kind::Bool, Json::Bool(on)) => Some(Value::Bool(*on)),
        (Kind::Bool, _) => return Err(wrong(path, "true, false or null")),
        (Kind::Int | Kind::Minor | Kind::Instant, json) => {
            Some(Value::Int(whole(json).ok_or_else(|| wrong(path, "a whole number or null"))?))
        }
        (Kind::Number, json) => {
            Some(Value::Number(json.as_f64().ok_or_else(|| wrong(path, "a number or null"))?))
        }
        (_, Json::String(text)) => parse_value(spec, text).map_err(refused)?,
        _ => return Err(wrong(path, "text or null")),
    };
    Ok(value)
}

/// A whole number, `1.0` too: JSON knows one kind of number.
fn whole(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| {
        let number = json.as_f64()?;
        // Within these bounds every whole double is a whole number of 64 bits.
        let fits = number.fract() == 0.0 && number.abs() < 9e15;
        fits.then_some(number as i64)
    })
}

/// The value of a custom field, of whatever kind.
fn free(path: &str, json: &Json) -> Result<Option<Value>, Problem> {
    Ok(match json {
        Json::Null => None,
        Json::Bool(on) => Some(Value::Bool(*on)),
        Json::Number(number) => match number.as_i64() {
            Some(n) => Some(Value::Int(n)),
            None => Some(Value::Number(number.as_f64().unwrap_or_default())),
        },
        Json::String(text) if text.is_empty() => None,
        Json::String(text) => Some(Value::Text(text.clone())),
        _ => return Err(wrong(path, "text, a number, true, false or null")),
    })
}

/// The value of a custom field: where the workspace has defined it, one that it takes; text is read as on a
/// form.
fn custom(
    defined: Option<&CustomField>,
    path: &str,
    json: &Json,
) -> Result<Option<Value>, Problem> {
    let value = free(path, json)?;
    match (defined, value) {
        (Some(field), Some(value)) if !field.fits(&value) => {
            field.parse(&value.to_string()).map_err(refused)
        }
        (_, value) => Ok(value),
    }
}

/// Makes the commands of a new contact (`contact` is `None`) or of an edit. `skip` are members that were
/// read elsewhere.
pub(super) fn of_contact(
    contact: Option<&Contact>,
    body: &Map<String, Json>,
    skip: &[&str],
    defined: &[CustomField],
    now: UnixMs,
    ids: &mut dyn FnMut() -> EntryId,
) -> Result<Vec<Command>, Problem> {
    let mut assigner = Assigner::new(contact, now).defined(defined);
    let mut commands = Vec::new();
    for (name, json) in body.iter().filter(|(name, _)| !skip.contains(&name.as_str())) {
        if let Some(spec) = schema::field(name) {
            let value = value(name, spec, json)?;
            // The assigner has to know, so that `name` gives way to them.
            if let (true, Some(Value::Text(text))) =
                (matches!(name.as_str(), "given_name" | "family_name"), &value)
            {
                assigner.assign(name, text, ids).map_err(refused)?;
            } else {
                commands.push(Command::Set { field: name.clone(), value });
            }
            continue;
        }
        if name == "note" || SHORTHANDS.contains(&name.as_str()) {
            let text = match json {
                Json::Null => "",
                Json::String(text) => text,
                _ => return Err(wrong(name, "text or null")),
            };
            let max = Limits::DEFAULT.text_bytes_max;
            if text.len() > max {
                return Err(Problem::refused(format!(
                    "`{name}` would have {} bytes, {max} are allowed; shorten it.",
                    text.len()
                ))
                .with("field", name.as_str()));
            }
            assigner.assign(name, text, ids).map_err(refused)?;
            continue;
        }
        match name.as_str() {
            "tags" => {
                assigner.assign("tags", &tags(json)?, ids).map_err(refused)?;
            }
            "custom" | "external_ids" => {
                let Json::Object(members) = json else {
                    return Err(wrong(name, "an object; its members that are null are cleared"));
                };
                for (key, json) in members {
                    let path = format!("{name}.{key}");
                    commands.push(match (name.as_str(), json) {
                        ("custom", json) => {
                            let value = custom(CustomField::named(defined, key), &path, json)?;
                            Command::Custom { name: key.clone(), value }
                        }
                        (_, Json::Null) => Command::ExternalId { system: key.clone(), id: None },
                        (_, Json::String(id)) => Command::ExternalId {
                            system: key.clone(),
                            id: (!id.is_empty()).then(|| id.clone()),
                        },
                        _ => return Err(wrong(&path, "text or null")),
                    });
                }
            }
            _ => match Collection::from_name(name) {
                Some(collection) if contact.is_none() => {
                    let Json::Array(entries) = json else {
                        return Err(wrong(name, "a list of objects"));
                    };
                    for entry in entries {
                        let Json::Object(fields) = entry else {
                            return Err(wrong(name, "a list of objects"));
                        };
                        commands.push(of_entry(collection, None, fields, ids(), now)?);
                    }
                }
                Some(_) => {
                    return Err(Problem::refused(format!(
                        "`{name}` can't be replaced as a whole; its entries have addresses of their own, /contacts/ID/{name}."
                    ))
                    .with("field", name.as_str()));
                }
                // The error has the nearest name.
                None => assigner.assign(name, "", ids).map_err(refused)?,
            },
        }
    }
    let mut all = assigner.finish();
    all.extend(commands);
    Ok(all)
}

fn tags(json: &Json) -> Result<String, Problem> {
    let wanted = "a list of texts without commas";
    let texts: Option<Vec<&str>> = match json {
        Json::Null => Some(Vec::new()),
        Json::Array(tags) => {
            tags.iter().map(|tag| tag.as_str().filter(|t| !t.contains(','))).collect()
        }
        _ => None,
    };
    Ok(texts.ok_or_else(|| wrong("tags", wanted))?.join(","))
}

/// Makes the command of an entry, new or (`there`) changed.
pub(super) fn of_entry(
    collection: Collection,
    there: Option<&Entry>,
    body: &Map<String, Json>,
    id: EntryId,
    now: UnixMs,
) -> Result<Command, Problem> {
    let mut fields = BTreeMap::new();
    for (name, json) in body {
        let spec = collection.fields().iter().find(|spec| spec.name == name);
        let path = format!("{}/{name}", collection.name());
        let Some(spec) = spec else {
            let known: Vec<&str> = collection.fields().iter().map(|spec| spec.name).collect();
            return Err(Problem::refused(format!(
                "There is no field `{}` among the {}; there are {}.",
                name.chars().take(64).collect::<String>(),
                collection.name(),
                known.join(", ")
            ))
            .with("field", path));
        };
        fields.insert(name.clone(), value(&path, spec, json)?);
    }
    let has = |name: &str| collection.fields().iter().any(|spec| spec.name == name);
    if has("currency") && set(&fields, there, "amount") && !set(&fields, there, "currency") {
        return Err(wrong("amount", "a `currency` beside it, such as EUR"));
    }
    if there.is_none() && has("at") && !set(&fields, there, "at") {
        fields.insert("at".to_owned(), Some(Value::Int(now)));
    }
    if collection == Collection::Tasks
        && fields.get("done") == Some(&Some(Value::Bool(true)))
        && !set(&fields, there, "done_at")
    {
        fields.insert("done_at".to_owned(), Some(Value::Int(now)));
    }
    if there.is_none() {
        fields.retain(|_, value| value.is_some());
        if fields.is_empty() {
            return Err(Problem::refused("The entry is empty; give at least one field."));
        }
    }
    Ok(Command::Put { collection, id, fields })
}

/// Whether a field of an entry will have a value.
fn set(fields: &BTreeMap<String, Option<Value>>, there: Option<&Entry>, name: &str) -> bool {
    match fields.get(name) {
        Some(value) => value.is_some(),
        None => there.is_some_and(|entry| entry.fields.contains_key(name)),
    }
}
