//! The table of all requests. The router, the checks of parameters and the description are made from it.

use axum::http::Method;
use roadbook_protocol::document::Collection;
use serde_json::{Value, json};

use super::call::Handler;
use super::schemas::{self, of};
use super::webhooks::handlers as hooks;
use super::{changes, contacts, entries, people, stream, write};
use crate::rights::ApiScope;

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// A parameter.
pub(super) struct Param {
    pub name: &'static str,
    pub place: Place,
    pub schema: Value,
    pub what: &'static str,
}

/// What a request answers when all is well.
pub(super) struct Answer {
    pub status: u16,
    pub what: &'static str,
    /// Content type and schema.
    pub content: Vec<(&'static str, Value)>,
    pub etag: bool,
    pub location: bool,
}

/// One request.
pub(super) struct Endpoint {
    pub method: Method,
    pub path: String,
    pub scope: ApiScope,
    pub group: &'static str,
    pub name: String,
    pub what: String,
    pub params: Vec<Param>,
    pub body: Option<Value>,
    pub answers: Vec<Answer>,
    pub collection: Option<Collection>,
    pub handler: Handler,
}

impl Endpoint {
    fn new(
        method: Method,
        path: impl Into<String>,
        scope: ApiScope,
        (group, name): (&'static str, impl Into<String>),
        what: impl Into<String>,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            scope,
            group,
            name: name.into(),
            what: what.into(),
            params: Vec::new(),
            body: None,
            answers: Vec::new(),
            collection: None,
            handler,
        }
    }

    fn param(
        mut self,
        name: &'static str,
        place: Place,
        schema: Value,
        what: &'static str,
    ) -> Self {
        self.params.push(Param { name, place, schema, what });
        self
    }
    fn query(self, name: &'static str, schema: Value, what: &'static str) -> Self {
        self.param(name, Place::Query, schema, what)
    }
    fn contact(self) -> Self {
        self.param("id", Place::Path, schemas::uuid(), "The contact.")
    }
    fn entry(mut self, collection: Collection) -> Self {
        self.collection = Some(collection);
        self
    }
    fn body(mut self, schema: Value) -> Self {
        self.body = Some(schema);
        self
    }
    fn answers(mut self, status: u16, what: &'static str, schema: Value) -> Self {
        let content = match schema.is_null() {
            true => Vec::new(),
            false => vec![("application/json", schema)],
        };
        self.answers.push(Answer { status, what, content, etag: false, location: false });
        self
    }
    fn etag(mut self) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.etag = true;
        }
        self
    }
    fn location(mut self) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.location = true;
        }
        self
    }
    fn fields(self) -> Self {
        self.query(
            "fields",
            json!({ "type": "string", "maxLength": 2000 }),
            "Only these members of each answer, with commas between; `id` is always there.",
        )
    }
    fn if_none_match(self) -> Self {
        self.param(
            "If-None-Match",
            Place::Header,
            json!({ "type": "string" }),
            "The ETag that you have: the answer is 304 if it is still the one.",
        )
    }
    fn if_match(self) -> Self {
        self.param(
            "If-Match",
            Place::Header,
            json!({ "type": "string" }),
            "The ETag that you read: the answer is 412 if somebody wrote since.",
        )
    }
    fn once(self) -> Self {
        self.param("Idempotency-Key", Place::Header, json!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" }), "A name for this request: repeated within a day, it is not done twice and answers the same.")
    }
    fn paged(self) -> Self {
        self.query("limit", json!({ "type": "integer", "minimum": 1, "maximum": contacts::PAGE_MAX, "default": contacts::PAGE }), "How many at most.")
            .query("cursor", json!({ "type": "string", "maxLength": 2000 }), "Where to go on: `next` of the page before. Everything else must be as it was.")
    }
}

/// All requests.
pub(super) fn all() -> Vec<Endpoint> {
    let mut all = contacts();
    for collection in Collection::ALL {
        all.extend(entries_of(collection));
    }
    all.push(feed());
    all.extend(webhooks());
    all.extend(people());
    all
}

fn contacts() -> Vec<Endpoint> {
    use ApiScope::{ContactsRead, ContactsWrite};
    const GROUP: &str = "Contacts";
    vec![
        Endpoint::new(Method::GET, "/contacts", ContactsRead, (GROUP, "listContacts"),
            "List contacts: one line each, by any filter of the filter language. With the order `created` paging is stable: nothing is skipped and nothing comes twice, whatever is written meanwhile.",
            |call| Box::pin(contacts::list(call)))
            .query("filter", json!({ "type": "string", "maxLength": 4000 }), "Which: the language of segments (docs/filters.md), such as `status:customer contacted:>60d`. Archived contacts are left out unless the filter speaks of `archived`.")
            .query("sort", json!({ "type": "string", "enum": contacts::sorts(), "default": "created" }), "The order; `-` in front is downwards.")
            .paged().fields()
            .answers(200, "A page.", schemas::page("ContactLine")),
        Endpoint::new(Method::POST, "/contacts", ContactsWrite, (GROUP, "createContact"),
            "Make a contact. One change, in the name of the key's person. Without `owner` nobody owns it; with a manager of a team it is theirs until they give it away.",
            |call| Box::pin(write::create(call)))
            .once().body(of("NewContact"))
            .answers(201, "The contact.", of("Contact")).etag().location(),
        Endpoint::new(Method::GET, "/contacts/{id}", ContactsRead, (GROUP, "readContact"),
            "Read everything about a contact.", |call| Box::pin(contacts::read(call)))
            .contact().fields().if_none_match()
            .answers(200, "The contact.", of("Contact")).etag()
            .answers(304, "It is what you have.", Value::Null).etag(),
        Endpoint::new(Method::PATCH, "/contacts/{id}", ContactsWrite, (GROUP, "editContact"),
            "Change fields (JSON Merge Patch): what is not named stays, null clears. One change in the history. Phones, deals and so on have addresses of their own.",
            |call| Box::pin(write::patch(call)))
            .contact().if_match().once().body(of("ContactPatch"))
            .answers(200, "The contact as it is now.", of("Contact")).etag(),
        Endpoint::new(Method::DELETE, "/contacts/{id}", ContactsWrite, (GROUP, "archiveContact"),
            "Archive a contact: lists leave it out, nothing is lost, and `archived: false` brings it back. To erase somebody for good is an administrator's command.",
            |call| Box::pin(write::archive(call)))
            .contact().if_match().once()
            .answers(204, "It is archived.", Value::Null),
        Endpoint::new(Method::GET, "/custom-fields", ContactsRead, (GROUP, "listCustomFields"),
            "The custom fields that the workspace has defined, in their order: what `custom` of a contact may have. A contact may have others too, from before a definition or from a device that did not know it.",
            |call| Box::pin(contacts::custom_fields(call)))
            .answers(200, "All of them.", json!({ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "items": of("CustomField") } } })),
        Endpoint::new(Method::POST, "/contacts/{id}/assign", ContactsWrite, (GROUP, "assignContact"),
            "Give a contact to somebody, or to nobody; add or remove people who work on it beside the owner. Devices get or drop it at their next contact.",
            |call| Box::pin(write::assign(call)))
            .contact().once().body(of("Assignment"))
            .answers(200, "The contact as it is now.", of("Contact")).etag(),
    ]
}

fn entries_of(collection: Collection) -> Vec<Endpoint> {
    use ApiScope::{ContactsRead, ContactsWrite};
    let (many, one) = (collection.name(), collection.singular());
    let camel = |text: &str| {
        let mut chars = text.chars();
        chars.next().map_or(String::new(), |c| c.to_uppercase().to_string() + chars.as_str())
    };
    let (list, item) =
        (format!("/contacts/{{id}}/{many}"), format!("/contacts/{{id}}/{many}/{{entry}}"));
    let entry = schemas::entry(collection);
    let entry_param = |endpoint: Endpoint| {
        endpoint.contact().param("entry", Place::Path, schemas::uuid(), "The entry.")
    };
    let group = "Inside a contact";
    vec![
        Endpoint::new(Method::GET, list.clone(), ContactsRead, (group, format!("list{}", camel(many))),
            format!("The {many} of a contact."), |call| Box::pin(entries::list(call)))
            .contact().entry(collection)
            .answers(200, "All of them.", json!({ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "items": entry.clone() } } })),
        Endpoint::new(Method::POST, list, ContactsWrite, (group, format!("add{}", camel(one))),
            format!("Add to the {many} of a contact. One change in the history."), |call| Box::pin(entries::add(call)))
            .contact().entry(collection).if_match().once().body(schemas::new_entry(collection))
            .answers(201, "The entry.", entry.clone()).etag().location(),
        entry_param(Endpoint::new(Method::GET, item.clone(), ContactsRead, (group, format!("read{}", camel(one))),
            format!("One of the {many}."), |call| Box::pin(entries::read(call))))
            .entry(collection)
            .answers(200, "The entry.", entry.clone()),
        entry_param(Endpoint::new(Method::PATCH, item.clone(), ContactsWrite, (group, format!("edit{}", camel(one))),
            format!("Change one of the {many} (JSON Merge Patch)."), |call| Box::pin(entries::patch(call))))
            .entry(collection).if_match().once().body(schemas::entry_patch(collection))
            .answers(200, "The entry as it is now.", entry).etag(),
        entry_param(Endpoint::new(Method::DELETE, item, ContactsWrite, (group, format!("remove{}", camel(one))),
            format!("Remove one of the {many}; it is kept with a tombstone."), |call| Box::pin(entries::remove(call))))
            .entry(collection).if_match().once()
            .answers(204, "It is removed.", Value::Null),
    ]
}

fn feed() -> Endpoint {
    let kinds: Vec<&str> = changes::EVENTS.iter().map(|(kind, _)| *kind).collect();
    let mut endpoint = Endpoint::new(Method::GET, "/changes", ApiScope::ChangesRead, ("Changes", "readChanges"),
        format!("Follow everything that happens to contacts, in the order in which it happened: {}. As lines of JSON (`Accept: application/x-ndjson`), the last of which is `feed.position`, or as server-sent events (`Accept: text/event-stream`, `Last-Event-ID`). Each event has a place, `cursor`; who goes on from the last one misses nothing and gets nothing twice. A place in a past that the server has lost answers 410 with `resume`.", kinds.join(", ")),
        |call| Box::pin(stream::stream(call)))
        .query("since", json!({ "type": "string", "maxLength": 100, "default": "start" }), "`cursor` of the last event or position that you have; `start`; or `now`.")
        .query("wait", json!({ "type": "integer", "minimum": 0, "maximum": stream::WAIT_S_MAX, "default": 0 }), "Lines only: for how many seconds to wait where there is nothing.")
        .query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 }), "How many events at most.")
        .param("Last-Event-ID", Place::Header, json!({ "type": "string", "maxLength": 100 }), "Server-sent events only: the place from which a browser goes on.");
    endpoint.answers.push(Answer {
        status: 200,
        what: "Events, one a line: see the schema `Event`.",
        content: vec![
            (
                "application/x-ndjson",
                json!({ "type": "string", "description": "Lines of `Event`." }),
            ),
            (
                "text/event-stream",
                json!({ "type": "string", "description": "`data` is an `Event`." }),
            ),
        ],
        etag: false,
        location: false,
    });
    endpoint
}

fn webhooks() -> Vec<Endpoint> {
    const SCOPE: ApiScope = ApiScope::WebhooksManage;
    const GROUP: &str = "Webhooks";
    let list = |schema: &str| json!({ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "items": of(schema) } } });
    let hook = |endpoint: Endpoint| {
        endpoint.param(
            "id",
            Place::Path,
            json!({ "type": "string", "maxLength": 64 }),
            "The webhook.",
        )
    };
    vec![
        Endpoint::new(Method::GET, "/webhooks", SCOPE, (GROUP, "listWebhooks"),
            "The webhooks whose reach is that of the key's person; with an administrator's key all.",
            |call| Box::pin(hooks::list(call)))
            .answers(200, "All of them.", list("Webhook")),
        Endpoint::new(Method::POST, "/webhooks", SCOPE, (GROUP, "addWebhook"),
            "Have events of the change feed sent to an address from now on, signed as in the Standard Webhooks specification. The answer holds the secret; it is not shown again.",
            |call| Box::pin(hooks::add(call)))
            .body(of("NewWebhook"))
            .answers(201, "The webhook.", of("Webhook")),
        hook(Endpoint::new(Method::GET, "/webhooks/{id}", SCOPE, (GROUP, "readWebhook"),
            "One webhook: how far it is, and what its last failure was.", |call| Box::pin(hooks::read(call))))
            .answers(200, "The webhook.", of("Webhook")),
        hook(Endpoint::new(Method::DELETE, "/webhooks/{id}", SCOPE, (GROUP, "removeWebhook"),
            "Remove a webhook, and what it has given up.", |call| Box::pin(hooks::remove(call))))
            .answers(204, "It is removed.", Value::Null),
        hook(Endpoint::new(Method::GET, "/webhooks/{id}/dead", SCOPE, (GROUP, "listDead"),
            "The events that a webhook has given up.", |call| Box::pin(hooks::dead(call))))
            .answers(200, "The oldest first, 1,000 at most.", list("Dead")),
        hook(Endpoint::new(Method::POST, "/webhooks/{id}/retry", SCOPE, (GROUP, "retryDead"),
            "Send again what a webhook has given up.", |call| Box::pin(hooks::retry(call))))
            .answers(200, "How many events.", json!({ "type": "object", "required": ["retried"], "properties": { "retried": { "type": "integer" } } })),
    ]
}

fn people() -> Vec<Endpoint> {
    use ApiScope::{DecisionsRead, DecisionsWrite, DevicesRead, PeopleRead};
    const GROUP: &str = "People and devices";
    const WAITING: &str = "What waits for a decision";
    let list = |schema: &str| json!({ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "items": of(schema) } } });
    vec![
        Endpoint::new(Method::GET, "/people", PeopleRead, (GROUP, "listPeople"),
            "The people within reach.", |call| Box::pin(people::list(call)))
            .answers(200, "All of them, by login.", list("Person")),
        Endpoint::new(Method::GET, "/people/{id}", PeopleRead, (GROUP, "readPerson"),
            "One person.", |call| Box::pin(people::read(call)))
            .param("id", Place::Path, schemas::uuid(), "The person.")
            .answers(200, "The person.", of("Person")),
        Endpoint::new(Method::GET, "/teams", PeopleRead, (GROUP, "listTeams"),
            "The teams.", |call| Box::pin(people::teams(call)))
            .answers(200, "All of them, by name.", list("Team")),
        Endpoint::new(Method::GET, "/devices", DevicesRead, (GROUP, "listDevices"),
            "The devices of the people within reach: how fresh each is, and what it has not sent.",
            |call| Box::pin(people::devices(call)))
            .query("person", schemas::uuid(), "Of this person only.")
            .answers(200, "All of them.", list("Device")),
        Endpoint::new(Method::GET, "/devices/{id}", DevicesRead, (GROUP, "readDevice"),
            "One device.", |call| Box::pin(people::device(call)))
            .param("id", Place::Path, schemas::uuid(), "The device.")
            .answers(200, "The device.", of("Device")),
        Endpoint::new(Method::GET, "/proposals", DecisionsRead, (WAITING, "listProposals"),
            "Late edits: made on a device after the contact was handed over.",
            |call| Box::pin(people::proposals(call)))
            .query("decided", json!({ "type": "boolean", "default": false }), "Those too that were decided.")
            .answers(200, "The newest first, 200 at most.", list("Proposal")),
        Endpoint::new(Method::POST, "/proposals/{n}/decide", DecisionsWrite, (WAITING, "decideProposal"),
            "Accept or decline late edits, or take a decision back.",
            |call| Box::pin(people::decide(call)))
            .param("n", Place::Path, json!({ "type": "integer", "minimum": 1 }), "Its number.")
            .body(of("Decision"))
            .answers(200, "As it is now.", of("Proposal")),
        Endpoint::new(Method::GET, "/quarantine", DecisionsRead, (WAITING, "listQuarantine"),
            "Changes that were set aside because they could not be merged, with the reason. Only for people whose reach is the whole base.",
            |call| Box::pin(people::quarantine(call)))
            .answers(200, "The newest first, 200 at most.", list("SetAside")),
    ]
}
