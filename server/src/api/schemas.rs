//! The schemas of the description, made from the one table of fields: a field that is added there is
//! described here.
//!
//! Answers are described loosely: a field that a newer version wrote is kept and shown.

use roadbook_protocol::document::schema::{self, FieldSpec, Kind};
use roadbook_protocol::document::{Collection, CustomKind};
use serde_json::{Map, Value, json};

use super::changes;
use super::commands::SHORTHANDS;

/// A reference to a schema by name.
pub(super) fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub(super) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn instant() -> Value {
    json!({ "type": "integer", "description": "Milliseconds since 1970." })
}

fn or_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get("type").cloned() {
        schema["type"] = json!([kind, "null"]);
        if let Some(Value::Array(words)) = schema.get_mut("enum") {
            words.push(Value::Null);
        }
    }
    schema
}

/// A page of a list.
pub(super) fn page(item: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": { "type": "array", "items": of(item) },
            "next": { "type": ["string", "null"], "description": "`cursor` of the next page; null on the last." },
        },
    })
}

/// A field as it is written.
fn written(spec: &FieldSpec) -> Value {
    let mut schema = match spec.kind {
        Kind::Text => json!({ "type": "string", "maxLength": 16384 }),
        Kind::Choice(words) => json!({ "type": "string", "enum": words }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Instant => instant(),
        Kind::Int => json!({ "type": "integer" }),
        Kind::Minor => {
            json!({ "type": "integer", "description": "Minor units (cents) of `currency`." })
        }
        Kind::Currency => json!({ "type": "string", "pattern": "^[A-Z]{3}$" }),
        Kind::Number => json!({ "type": "number" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Email => json!({ "type": "string", "maxLength": 254 }),
        Kind::Phone => json!({ "type": "string", "maxLength": 100 }),
    };
    let bounds = match spec.name {
        "nps" => Some((0, 10)),
        "probability" => Some((0, 100)),
        "cadence_days" => Some((1, 3650)),
        "latitude" => Some((-90, 90)),
        "longitude" => Some((-180, 180)),
        _ => None,
    };
    if let Some((least, most)) = bounds {
        schema["minimum"] = json!(least);
        schema["maximum"] = json!(most);
    }
    schema["title"] = json!(spec.label);
    schema
}

/// A field as it is read: what another version wrote may be of another kind.
fn read(spec: &FieldSpec) -> Value {
    json!({ "type": ["string", "number", "boolean"], "title": spec.label })
}

fn properties(specs: &[FieldSpec], each: impl Fn(&FieldSpec) -> Value) -> Map<String, Value> {
    specs.iter().map(|spec| (spec.name.to_owned(), each(spec))).collect()
}

/// An entry as it is read.
pub(super) fn entry(collection: Collection) -> Value {
    let mut properties = properties(collection.fields(), read);
    properties.insert("id".to_owned(), uuid());
    json!({ "type": "object", "required": ["id"], "properties": properties })
}

/// A new entry.
pub(super) fn new_entry(collection: Collection) -> Value {
    // When it took place is now, unless it is said.
    let required: Vec<&str> =
        collection.required().iter().copied().filter(|name| *name != "at").collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties(collection.fields(), written),
        "additionalProperties": false,
        "minProperties": 1,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Changes of an entry.
pub(super) fn entry_patch(collection: Collection) -> Value {
    json!({
        "type": "object",
        "properties": properties(collection.fields(), |spec| or_null(written(spec))),
        "additionalProperties": false,
    })
}

/// Everything that is written to a contact.
fn contact_written() -> Map<String, Value> {
    let mut all = properties(schema::FIELDS, |spec| or_null(written(spec)));
    for name in SHORTHANDS {
        let what = match name {
            "name" => "Full name; split into `given_name` and `family_name`.",
            "phone" => "Number of the first phone, which is made if there is none.",
            "email" => "Address of the first email, which is made if there is none.",
            _ => "Of the first address, which is made if there is none.",
        };
        all.insert(
            name.to_owned(),
            json!({ "type": ["string", "null"], "maxLength": 16384, "description": what }),
        );
    }
    all.insert("note".to_owned(), json!({ "type": ["string", "null"], "maxLength": 65536, "description": "Only what differs is written, so that concurrent edits merge." }));
    all.insert("tags".to_owned(), json!({ "type": ["array", "null"], "items": { "type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[^,]*$" }, "description": "The whole set." }));
    all.insert("custom".to_owned(), json!({ "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] }, "description": "Fields of your own; null clears one." }));
    all.insert("external_ids".to_owned(), json!({ "type": "object", "additionalProperties": { "type": ["string", "null"] }, "description": "The id of this contact in other systems; null clears one." }));
    all
}

fn new_contact() -> Value {
    let mut all = contact_written();
    all.insert("owner".to_owned(), json!({ "type": ["string", "null"], "format": "uuid", "description": "The person whose it becomes." }));
    for collection in Collection::ALL {
        all.insert(
            collection.name().to_owned(),
            json!({ "type": "array", "items": new_entry(collection) }),
        );
    }
    json!({ "type": "object", "properties": all, "additionalProperties": false, "minProperties": 1 })
}

/// What whole contacts and lines have in common.
fn contact_read() -> Map<String, Value> {
    let mut all = properties(schema::FIELDS, read);
    let free = json!({ "type": ["string", "number", "boolean"] });
    let more = [
        ("id", uuid()),
        (
            "display_name",
            json!({ "type": "string", "description": "What to call it; never empty." }),
        ),
        ("note", json!({ "type": "string" })),
        ("tags", json!({ "type": "array", "items": { "type": "string" } })),
        ("custom", json!({ "type": "object", "additionalProperties": free })),
        ("external_ids", json!({ "type": "object", "additionalProperties": { "type": "string" } })),
        ("owner", json!({ "type": ["string", "null"], "format": "uuid" })),
        ("epoch", json!({ "type": "integer", "description": "Grows with every change of owner." })),
        ("created_at", instant()),
        ("etag", json!({ "type": "string", "description": "For If-Match and If-None-Match." })),
    ];
    all.extend(more.map(|(name, schema)| (name.to_owned(), schema)));
    all
}

fn contact() -> Value {
    let mut all = contact_read();
    all.insert("collaborators".to_owned(), json!({ "type": "array", "items": uuid() }));
    for collection in Collection::ALL {
        all.insert(
            collection.name().to_owned(),
            json!({ "type": "array", "items": entry(collection) }),
        );
    }
    json!({ "type": "object", "required": ["id"], "properties": all })
}

fn line() -> Value {
    let mut all = contact_read();
    let amounts = json!({ "type": "object", "additionalProperties": { "type": "integer" }, "description": "Minor units per currency." });
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let more = [
        ("phones", texts.clone()),
        ("emails", texts.clone()),
        ("street", json!({ "type": "string" })),
        ("postal_code", json!({ "type": "string" })),
        ("city", json!({ "type": "string" })),
        ("region", json!({ "type": "string" })),
        ("country", json!({ "type": "string" })),
        ("last_contact_at", or_null(instant())),
        (
            "interaction_counts",
            json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
        ),
        ("open_tasks", json!({ "type": "integer" })),
        ("next_due", json!({ "type": ["string", "null"] })),
        ("stages", texts),
        ("open_amount", amounts.clone()),
        ("purchase_count", json!({ "type": "integer" })),
        ("last_purchase", json!({ "type": ["string", "null"] })),
        ("revenue", amounts),
        (
            "conflicts",
            json!({ "type": "integer", "description": "Fields that two people wrote at once and nobody has decided." }),
        ),
        ("touched_at", instant()),
    ];
    all.extend(more.map(|(name, schema)| (name.to_owned(), schema)));
    json!({ "type": "object", "required": ["id"], "properties": all })
}

/// All schemas that have names.
pub(super) fn all() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let list: Vec<(&str, Value)> = vec![
        (
            "Problem",
            json!({
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": { "type": "string", "format": "uri-reference" },
                    "title": text(),
                    "status": { "type": "integer" },
                    "detail": { "type": "string", "description": "The thing, the reason, the way out." },
                    "field": { "type": "string", "description": "The field that it is about." },
                },
            }),
        ),
        ("Contact", contact()),
        ("ContactLine", line()),
        ("NewContact", new_contact()),
        (
            "ContactPatch",
            json!({ "type": "object", "properties": contact_written(), "additionalProperties": false }),
        ),
        (
            "Assignment",
            json!({
                "type": "object",
                "properties": {
                    "owner": { "type": ["string", "null"], "format": "uuid", "description": "Null takes the owner away; left out, the owner stays." },
                    "add_collaborators": { "type": "array", "items": uuid() },
                    "remove_collaborators": { "type": "array", "items": uuid() },
                },
                "additionalProperties": false,
            }),
        ),
        (
            "Event",
            json!({
                "type": "object",
                "required": ["cursor", "type"],
                "properties": {
                    "cursor": { "type": "string", "description": "The place of this event." },
                    "type": { "type": "string", "enum": changes::EVENTS.iter().map(|(kind, _)| *kind).chain(["feed.position"]).collect::<Vec<_>>() },
                    "at": or_null(instant()),
                    "contact": uuid(),
                    "by": { "type": "array", "items": uuid(), "description": "In whose names; empty where that is long ago." },
                    "assignment": { "type": ["object", "null"], "properties": { "from": or_null(uuid()), "to": or_null(uuid()), "epoch": { "type": "integer" }, "collaborators": { "type": "array", "items": uuid() } } },
                    "data": { "anyOf": [of("ContactLine"), { "type": "null" }], "description": "The contact as it is when it is sent; null for tombstones." },
                    "more": { "type": "boolean", "description": "Of `feed.position`: whether more follows at once." },
                },
            }),
        ),
        (
            "Webhook",
            json!({
                "type": "object",
                "required": ["id", "url", "events"],
                "properties": {
                    "id": text(), "url": text(), "events": { "type": "array", "items": text() }, "user": uuid(),
                    "attempts_max": { "type": "integer" }, "backoff_ms": { "type": "integer" }, "created_at": instant(),
                    "cursor": { "type": "integer", "description": "Up to where everything is settled." },
                    "attempts": { "type": "integer", "description": "Failures of the event that is next." },
                    "next_at": instant(), "last_error": or_null(text()), "last_ok": or_null(instant()),
                    "dead": { "type": "integer", "description": "How many events it has given up." },
                    "secret": { "type": "string", "description": "What its signatures are made with; only in the answer that makes it." },
                },
            }),
        ),
        (
            "NewWebhook",
            json!({
                "type": "object",
                "required": ["url"],
                "properties": {
                    "url": { "type": "string", "maxLength": 2000, "description": "https://HOST/PATH." },
                    "events": { "type": ["array", "null"], "items": { "type": "string", "enum": changes::EVENTS.iter().map(|(kind, _)| *kind).chain(["*"]).collect::<Vec<_>>() }, "description": "All if left out." },
                },
                "additionalProperties": false,
            }),
        ),
        (
            "Dead",
            json!({
                "type": "object",
                "required": ["n", "contact", "event", "error"],
                "properties": {
                    "n": { "type": "integer" }, "webhook": text(), "contact": uuid(), "cursor": { "type": "integer" },
                    "event": text(), "at": instant(), "attempts": { "type": "integer" }, "error": text(),
                },
            }),
        ),
        (
            "CustomField",
            json!({
                "type": "object",
                "required": ["name", "kind", "choices"],
                "properties": {
                    "name": text(),
                    "kind": { "type": "string", "enum": CustomKind::ALL.map(CustomKind::as_str), "description": "What it takes: a date is text YYYY-MM-DD, a choice one of `choices`." },
                    "choices": { "type": "array", "items": text() },
                },
            }),
        ),
        (
            "Person",
            json!({
                "type": "object",
                "required": ["id", "login", "name", "role"],
                "properties": {
                    "id": uuid(), "login": text(), "name": text(),
                    "role": { "type": "string", "enum": ["rep", "manager", "admin", "read_only"] },
                    "team": or_null(text()), "created_at": instant(), "disabled_at": or_null(instant()),
                },
            }),
        ),
        (
            "Team",
            json!({
                "type": "object",
                "required": ["name"],
                "properties": { "name": text(), "parent": or_null(text()), "people": { "type": "integer" } },
            }),
        ),
        (
            "Device",
            json!({
                "type": "object",
                "required": ["id", "person"],
                "properties": {
                    "id": uuid(), "person": uuid(), "name": text(), "platform": text(), "app": text(),
                    "created_at": instant(), "last_seen": or_null(instant()), "revoked_at": or_null(instant()),
                    "unsent": { "type": "integer", "description": "Edits that it had not sent when it was here last." },
                    "missing": { "type": "integer", "description": "Contacts that it had still to fetch." },
                },
            }),
        ),
        (
            "Proposal",
            json!({
                "type": "object",
                "required": ["n", "contact", "author", "state", "items"],
                "properties": {
                    "n": { "type": "integer" }, "contact": uuid(), "device": uuid(), "author": uuid(),
                    "received_at": instant(), "changed_at": instant(), "state": text(),
                    "items": { "type": "array", "items": { "type": "object", "properties": { "i": { "type": "integer" }, "path": text(), "state": text() } } },
                },
            }),
        ),
        (
            "Decision",
            json!({
                "type": "object",
                "required": ["verdict"],
                "properties": {
                    "verdict": { "type": "string", "enum": ["accept", "decline", "undo"] },
                    "items": { "type": ["array", "null"], "items": { "type": "integer" }, "description": "These items only; all if left out." },
                },
                "additionalProperties": false,
            }),
        ),
        (
            "SetAside",
            json!({
                "type": "object",
                "required": ["seq", "contact", "code", "reason"],
                "properties": {
                    "seq": { "type": "integer" }, "contact": uuid(), "hash": text(), "fate": text(),
                    "user": uuid(), "received_at": instant(), "code": text(), "reason": text(),
                },
            }),
        ),
    ];
    list.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
