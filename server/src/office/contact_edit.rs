//! Edits from a contact's page. Each is one change in the editor's name, merged when it returns.
//!
//! A field is set only over the value that its editor saw: who wrote in the meantime is never
//! overwritten unseen. A note is edited at the heads that its editor read and replayed on what is
//! there now, so that two people writing in it both keep their words.

use std::collections::BTreeMap;

use automerge::{Automerge, ChangeHash};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use roadbook_protocol::document::schema::{self, FieldSpec, Kind};
use roadbook_protocol::document::{
    self, Assigner, Collection, Command, CommandError, Contact, CustomField, Entry, Value,
    in_parts, note_splices, parse_money, parse_value,
};
use roadbook_protocol::ids::{ContactId, EntryId, UnixMs, UserId};
use roadbook_protocol::limits::Limits;

use super::error::OfficeError;
use super::session::{Fields, Posted, read_only};
use super::{OfficeState, contact, fields, url, versus};
use crate::engine::{Assign, AuthorOutcome, Authored};
use crate::rights::{Action, Decision, Scope};
use crate::store::{EngineError, custom_fields};

type Answer = Result<Response, OfficeError>;

/// The contact of a form, and its document as it is now.
struct Open {
    state: OfficeState,
    posted: Posted,
    id: ContactId,
    doc: Automerge,
}

impl Open {
    async fn new(state: OfficeState, id: &str, posted: Posted) -> Result<Open, OfficeError> {
        Self::for_action(state, id, posted, Action::Edit).await
    }

    async fn for_action(
        state: OfficeState,
        id: &str,
        posted: Posted,
        action: Action,
    ) -> Result<Open, OfficeError> {
        let missing = || OfficeError::NotFound { what: "contact" };
        let id: ContactId = id.parse().map_err(|_| missing())?;
        let rights = posted.viewer.rights.clone();
        let found = state
            .read(move |conn| {
                let found = contact::load(conn, &rights, id)?;
                Ok(found.zip(Some(rights.on_contact(conn, action, id)?)))
            })
            .await?;
        match found {
            Some(((_, doc), Decision::Allow)) => Ok(Open { state, posted, id, doc }),
            Some((_, Decision::Forbid)) => Err(OfficeError::Forbidden {
                reason: if posted.viewer.edits() { t!("forbidden-beside") } else { read_only() },
            }),
            Some((_, Decision::Hide)) | None => Err(missing()),
        }
    }

    fn fields(&self) -> &Fields {
        &self.posted.fields
    }

    /// The custom field of that name, if the workspace has defined it.
    async fn defined(&self, name: &str) -> Result<Option<CustomField>, OfficeError> {
        let workspace = self.posted.viewer.workspace;
        let all = self.state.read(move |conn| custom_fields::all(conn, workspace)).await?;
        Ok(all.into_iter().find(|field| field.name == name))
    }

    /// Adds an entry, under the id that the form names: sent again because no answer came, it is not added
    /// twice.
    async fn add(
        &self,
        collection: Collection,
        contact: &Contact,
        fields: BTreeMap<String, Option<Value>>,
    ) -> Answer {
        let id = match self.fields().text("new_id").parse::<EntryId>() {
            Ok(id) if contact.entries(collection).iter().any(|there| there.id == id) => {
                return Ok(self.back());
            }
            Ok(id) => id,
            Err(_) => new_entry(self.state.now())?,
        };
        self.author(vec![Command::Put { collection, id, fields }]).await
    }

    /// Makes the edit, and leads back.
    async fn author(&self, commands: Vec<Command>) -> Answer {
        self.author_all(vec![Authored::edit(self.id, commands)]).await
    }

    async fn author_all(&self, edits: Vec<Authored>) -> Answer {
        write(&self.state, &self.posted, edits).await?;
        Ok(self.back())
    }

    /// Leads back to where the form stood: the contact's own page, unless it says another.
    fn back(&self) -> Response {
        match self.fields().text("back") {
            "" => Redirect::to(&format!("/contacts/{}", self.id)).into_response(),
            back => Redirect::to(url::local(back)).into_response(),
        }
    }
}

/// Authors edits in the name of who posted the form.
async fn write(
    state: &OfficeState,
    posted: &Posted,
    edits: Vec<Authored>,
) -> Result<(), OfficeError> {
    let (workspace, by) = (posted.viewer.workspace, posted.viewer.user);
    let outcomes = state.engine_do(move |engine| engine.author(workspace, by, edits)).await?;
    for outcome in outcomes {
        match outcome {
            AuthorOutcome::Merged { not_replayed, .. } => {
                if let Some(left) = not_replayed.first() {
                    return Err(OfficeError::refused(t!(
                        "edit-not-all",
                        reasons = left.reason.to_string()
                    )));
                }
            }
            AuthorOutcome::Unchanged => {}
            AuthorOutcome::Refused(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn refused(error: CommandError) -> OfficeError {
    OfficeError::from(EngineError::from(error))
}

/// `POST /contacts/{id}/set`: one root scalar or custom field.
pub(super) async fn set(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::new(state, &id, posted).await?;
    let (path, text) = (open.fields().text("field"), open.fields().text("value"));
    let now = document::read(open.id, &open.doc);
    let custom = path.strip_prefix("custom.");
    let defined = match custom {
        Some(name) => open.defined(name).await?,
        None => None,
    };
    let (spec, current) = match custom {
        Some(name) => {
            let current = now.custom.get(name);
            let kind = match (&defined, current) {
                (Some(field), _) => field.kind.kind(),
                (None, Some(Value::Bool(_))) => Kind::Bool,
                (None, Some(Value::Int(_))) => Kind::Int,
                (None, Some(Value::Number(_))) => Kind::Number,
                (None, _) => Kind::Text,
            };
            (FieldSpec { name: "custom", kind, label: "custom" }, current)
        }
        None => {
            let spec = schema::field(path)
                .ok_or(CommandError::UnknownField { field: path.to_owned(), nearest: None })
                .map_err(refused)?;
            (*spec, now.fields.get(path))
        }
    };
    let value = match &defined {
        // What was there before the definition may stay as it is.
        Some(_) if current.is_some_and(|value| value.to_string() == text) => current.cloned(),
        Some(field) => field.parse(text).map_err(refused)?,
        None => parse(&spec, text, "", open.fields())?,
    };
    let there = fields::raw(&spec, current);
    if open.fields().raw("was").is_some_and(|was| was != there) && value.as_ref() != current {
        let shown = if there.is_empty() {
            t!("edit-nothing")
        } else {
            t!("edit-quoted", text = there.to_string())
        };
        return Err(OfficeError::Changed {
            reason: t!("edit-changed", now = shown),
            field: "was".to_owned(),
            now: there,
        });
    }
    let command = match custom {
        Some(name) => Command::Custom { name: name.to_owned(), value },
        None => Command::Set { field: path.to_owned(), value },
    };
    open.author(vec![command]).await
}

/// `POST /contacts/{id}/put`: an entry of a collection, new or changed or removed.
pub(super) async fn put(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::new(state, &id, posted).await?;
    let form = open.fields();
    let collection = Collection::from_name(form.text("collection"))
        .ok_or_else(|| OfficeError::refused(t!("edit-no-list")))?;
    let contact = document::read(open.id, &open.doc);
    if !form.has("id") {
        let mut set = entry_fields(collection, None, form, "")?;
        set.retain(|_, value| value.is_some());
        if set.is_empty() {
            return Err(OfficeError::refused(t!("edit-fill-in")));
        }
        if let Some(spec) =
            collection.fields().iter().find(|spec| spec.name == "at" && spec.kind == Kind::Instant)
        {
            set.entry(spec.name.to_owned()).or_insert(Some(Value::Int(open.state.now())));
        }
        return open.add(collection, &contact, set).await;
    }
    let entry: EntryId =
        form.text("id").parse().map_err(|_| OfficeError::NotFound { what: "entry" })?;
    if form.has("remove") {
        return open.author(vec![Command::Remove { collection, id: entry }]).await;
    }
    let there = contact.entries(collection).iter().find(|there| there.id == entry);
    let there = there.ok_or_else(|| OfficeError::refused(t!("edit-removed")))?;
    let mut set = entry_fields(collection, Some(there), form, "")?;
    let seen = entry_fields(collection, Some(there), form, SEEN)?;
    // What was not touched is not written: another's newer value stays.
    set.retain(|name, value| {
        there.fields.get(name) != value.as_ref() && seen.get(name) != Some(value)
    });
    let unseen = |spec: &&FieldSpec| {
        let then = set.contains_key(spec.name).then(|| seen.get(spec.name)).flatten();
        then.is_some_and(|then| then.as_ref() != there.fields.get(spec.name))
    };
    if let Some(spec) = collection.fields().iter().find(unseen) {
        return Err(changed(spec, there));
    }
    if collection == Collection::Tasks && set.get("done") == Some(&Some(Value::Bool(true))) {
        set.entry("done_at".to_owned()).or_insert(Some(Value::Int(open.state.now())));
    }
    if set.is_empty() {
        return Ok(open.back());
    }
    open.author(vec![Command::Put { collection, id: entry, fields: set }]).await
}

/// `POST /contacts/{id}/stage`: a deal to another stage.
pub(super) async fn stage(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::new(state, &id, posted).await?;
    let form = open.fields();
    let gone = || OfficeError::NotFound { what: "deal" };
    let deal: EntryId = form.text("deal").parse().map_err(|_| gone())?;
    let contact = document::read(open.id, &open.doc);
    let there = contact.deals.iter().find(|entry| entry.id == deal).ok_or_else(gone)?;
    let (stage, now) = (form.text("stage"), there.text("stage"));
    if form.raw("was").is_some_and(|was| was != now) && stage != now {
        return Err(OfficeError::Changed {
            reason: t!("edit-deal-moved", stage = fields::word(now)),
            field: "was".to_owned(),
            now: now.to_owned(),
        });
    }
    let mut set = BTreeMap::new();
    for name in ["stage", "lost_reason"] {
        let spec = Collection::Deals.fields().iter().find(|spec| spec.name == name);
        let text = form.text(name);
        if let Some(spec) = spec
            && !text.is_empty()
            && text != there.text(name)
        {
            set.insert(name.to_owned(), parse(spec, text, "", form)?);
        }
    }
    if set.is_empty() {
        return Ok(open.back());
    }
    open.author(vec![Command::Put { collection: Collection::Deals, id: deal, fields: set }]).await
}

/// Before the name of a field: what stood in it when the form was shown.
const SEEN: &str = "was-";

/// Somebody wrote another value than the form showed.
fn changed(spec: &FieldSpec, there: &Entry) -> OfficeError {
    let value = there.fields.get(spec.name);
    let now = match spec.kind {
        Kind::Minor => fields::money_text(value, there.text("currency")),
        _ => fields::raw(spec, value),
    };
    let shown = match spec.kind {
        _ if now.is_empty() => t!("edit-nothing"),
        Kind::Choice(_) => t!("edit-quoted", text = fields::word(&now)),
        _ => t!("edit-quoted", text = now.as_str()),
    };
    let field = format!("{SEEN}{}", spec.name);
    OfficeError::Changed { reason: t!("edit-changed", now = shown), field, now }
}

/// The fields of a form that belong to a collection; with `SEEN` before their names what was seen.
fn entry_fields(
    collection: Collection,
    there: Option<&Entry>,
    form: &Fields,
    before: &str,
) -> Result<BTreeMap<String, Option<Value>>, OfficeError> {
    let currency = match form.raw(&format!("{before}currency")) {
        Some(currency) => currency.trim().to_ascii_uppercase(),
        None => there.map_or(String::new(), |entry| entry.text("currency").to_owned()),
    };
    let mut set = BTreeMap::new();
    for spec in collection.fields() {
        let Some(text) = form.raw(&format!("{before}{}", spec.name)) else { continue };
        if spec.kind == Kind::Minor && !text.trim().is_empty() && currency.is_empty() {
            if before == SEEN {
                continue;
            }
            return Err(OfficeError::refused(t!("edit-currency")));
        }
        // A form shows minutes; the milliseconds of a time that was not touched stay.
        let current = there.and_then(|entry| entry.fields.get(spec.name));
        let parsed = match parse(spec, text.trim(), &currency, form) {
            // It came from elsewhere and can't be compared.
            Err(_) if before == SEEN => continue,
            parsed => parsed?,
        };
        let same_minute = match (spec.kind, &parsed, current) {
            (Kind::Instant, Some(Value::Int(new)), Some(Value::Int(old))) => {
                new.div_euclid(60_000) == old.div_euclid(60_000)
            }
            _ => false,
        };
        set.insert(spec.name.to_owned(), if same_minute { current.cloned() } else { parsed });
    }
    Ok(set)
}

/// What somebody typed, as a value of a field.
fn parse(
    spec: &FieldSpec,
    text: &str,
    currency: &str,
    form: &Fields,
) -> Result<Option<Value>, OfficeError> {
    match spec.kind {
        Kind::Minor if !text.is_empty() => {
            parse_money(text, currency).map(|minor| Some(Value::Int(minor))).map_err(refused)
        }
        Kind::Instant if !text.is_empty() => Ok(Some(Value::Int(instant(text, form)?))),
        _ => parse_value(spec, text).map_err(refused),
    }
}

/// A time of a form, in the zone that the form names (minutes east of UTC).
fn instant(text: &str, form: &Fields) -> Result<UnixMs, OfficeError> {
    let wrong = || OfficeError::refused(t!("edit-time"));
    let time = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|shape| chrono::NaiveDateTime::parse_from_str(text, shape).ok())
        .ok_or_else(wrong)?;
    let offset: i64 = form.text("utc_offset_min").parse().unwrap_or(0);
    Ok(time.and_utc().timestamp_millis() - offset.clamp(-1440, 1440) * 60_000)
}

fn new_entry(now: UnixMs) -> Result<EntryId, OfficeError> {
    Ok(EntryId::from_time(u64::try_from(now).unwrap_or(0), random()?))
}

fn random<const N: usize>() -> Result<[u8; N], OfficeError> {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| OfficeError::failed("the operating system gave no random bytes"))?;
    Ok(bytes)
}

/// `POST /contacts/{id}/tag`
pub(super) async fn tag(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::new(state, &id, posted).await?;
    let tag = open.fields().text("tag").to_owned();
    if tag.is_empty() {
        return Err(OfficeError::refused(t!("edit-tag-first")));
    }
    let at = open.state.now();
    open.author(vec![Command::Tag { tag, at }]).await
}

/// `POST /contacts/{id}/untag`
pub(super) async fn untag(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::new(state, &id, posted).await?;
    let tag = open.fields().raw("tag").unwrap_or_default().to_owned();
    open.author(vec![Command::Untag { tag }]).await
}

/// `POST /contacts/{id}/log`: an interaction.
pub(super) async fn log(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::new(state, &id, posted).await?;
    let form = open.fields();
    let mut set = entry_fields(Collection::Interactions, None, form, "")?;
    set.retain(|_, value| value.is_some());
    if !set.contains_key("summary") {
        return Err(OfficeError::refused(t!("edit-line")));
    }
    let now = open.state.now();
    set.entry("kind".to_owned()).or_insert(Some("note".into()));
    set.entry("at".to_owned()).or_insert(Some(Value::Int(now)));
    let contact = document::read(open.id, &open.doc);
    open.add(Collection::Interactions, &contact, set).await
}

/// `POST /contacts/{id}/note`
pub(super) async fn note(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::new(state, &id, posted).await?;
    let form = open.fields();
    // A browser sends line ends as CR LF.
    let text = form.raw("note").unwrap_or_default().replace("\r\n", "\n");
    let max = Limits::DEFAULT.text_bytes_max;
    if text.len() > max {
        return Err(OfficeError::refused(t!(
            "edit-note-long",
            n = text.len() as u64,
            max = max as u64
        )));
    }
    let heads: Option<Vec<ChangeHash>> =
        form.text("base").split_whitespace().map(|hash| hash.parse().ok()).collect();
    let stale = || OfficeError::refused(t!("edit-note-old"));
    let heads = heads.filter(|heads| !heads.is_empty()).ok_or_else(stale)?;
    let read = if heads == open.doc.get_heads() {
        None
    } else {
        Some(open.doc.fork_at(&heads).map_err(|_| stale())?)
    };
    let splices = note_splices(read.as_ref().unwrap_or(&open.doc), &text);
    // It stands there so already, as when it was sent twice.
    if splices.is_empty() || document::read(open.id, &open.doc).note == text {
        return Ok(open.back());
    }
    let parts = in_parts(vec![Command::EditNote { splices }], &Limits::DEFAULT);
    let edits = parts
        .into_iter()
        .map(|commands| Authored { replay: read.is_some(), ..Authored::edit(open.id, commands) })
        .collect();
    open.author_all(edits).await
}

/// `POST /contacts/{id}/resolve`: one side of a conflict, or another value.
pub(super) async fn resolve(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::new(state, &id, posted).await?;
    let form = open.fields();
    let field = form.text("field");
    let conflicts = document::conflicts(open.id, &open.doc);
    let Some(conflict) = conflicts.into_iter().find(|conflict| conflict.field == field) else {
        return Err(OfficeError::refused(t!("edit-decided")));
    };
    let value = if form.has("another") {
        let path = versus::path(field);
        let spec = FieldSpec { name: "value", kind: path.kind, label: "Value" };
        // A deal's amount is typed in its currency.
        let currency = path.entry.and_then(|(collection, id)| {
            let contact = document::read(open.id, &open.doc);
            let entry =
                contact.entries(collection).iter().find(|entry| entry.id.to_string() == id)?;
            Some(entry.text("currency").to_owned())
        });
        parse(&spec, form.text("value"), &currency.unwrap_or_default(), form)?
    } else {
        let change = form.text("change");
        let side = conflict.values.into_iter().find(|side| side.change == change);
        side.ok_or_else(|| OfficeError::refused(t!("edit-side-gone")))?.value
    };
    open.author(vec![Command::Resolve { field: field.to_owned(), value }]).await
}

/// `POST /contacts/{id}/assign`: another owner, or none.
pub(super) async fn assign(
    State(state): State<OfficeState>,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let open = Open::for_action(state, &id, posted, Action::Steer).await?;
    let owner: Option<UserId> = match open.fields().text("owner") {
        "" => None,
        user => Some(user.parse().map_err(|_| OfficeError::NotFound { what: "person" })?),
    };
    if let Some(owner) = owner
        && open.posted.viewer.rights.on_person(Action::GiveTo, owner) != Decision::Allow
    {
        return Err(OfficeError::NotFound { what: "person" });
    }
    let (workspace, by) = (open.posted.viewer.workspace, open.posted.viewer.user);
    let assign = Assign { contacts: vec![open.id], owner: Some(owner), ..Assign::default() };
    open.state.engine_do(move |engine| engine.assign(workspace, Some(by), assign)).await?;
    Ok(open.back())
}

/// `POST /contacts`: a new contact, without an owner; with a manager of a team it is theirs until they
/// give it away, since what nobody owns is nobody's team's.
pub(super) async fn create(State(state): State<OfficeState>, posted: Posted) -> Answer {
    posted.viewer.must(Action::Create)?;
    let now = state.now();
    let mut assigner = Assigner::new(None, now);
    let mut failed = None;
    let mut given = false;
    for name in ["name", "company", "phone", "email", "city"] {
        let text = posted.fields.text(name);
        if text.is_empty() {
            continue;
        }
        given = true;
        let mut ids = || {
            new_entry(now).unwrap_or_else(|error| {
                failed = Some(error);
                EntryId::from_bytes([0; 16])
            })
        };
        assigner.assign(name, text, &mut ids).map_err(refused)?;
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if !given {
        return Err(OfficeError::refused(t!("edit-name-or-reach")));
    }
    let id = ContactId::from_time(u64::try_from(now).unwrap_or(0), random()?);
    let owner = match &posted.viewer.rights.scope {
        Scope::Everything => None,
        Scope::People(_) => Some(posted.viewer.user),
    };
    write(&state, &posted, vec![Authored::create(id, owner, assigner.finish())]).await?;
    Ok(Redirect::to(&format!("/contacts/{id}")).into_response())
}
