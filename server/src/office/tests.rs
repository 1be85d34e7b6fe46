//! The pages over a real engine in a directory of their own, through the router as browsers use it.

use std::sync::Arc;

use automerge::Automerge;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use roadbook_protocol::document::{self, Applied, Author, Command, EditOptions};
use roadbook_protocol::guard;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::KeyAlgorithm;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{OfficeOptions, OfficeState, router};
use crate::engine::{AppendRequest, AuthorOutcome, Authored, Engine, EngineOptions};
use crate::store::devices::{self, Device};
use crate::store::people::{self, NewUser, Purpose, Role};
use crate::store::{contacts, documents};

const PASSWORD: &str = "four words in a row";

/// A server with one workspace and its people.
struct House {
    engine: Arc<Engine>,
    router: Router,
    workspace: WorkspaceId,
    dir: tempfile::TempDir,
}

/// What a page answered.
struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }
    fn assert_has(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "`{text}` is not in\n{}", self.body);
        self
    }
    fn assert_lacks(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "`{text}` is in\n{}", self.body);
        self
    }
}

/// Somebody's browser: a cookie, and the token of the last page.
#[derive(Clone)]
struct Browser {
    router: Router,
    cookie: String,
    csrf: String,
}

fn random<const N: usize>() -> [u8; N] {
    use ring::rand::SecureRandom;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

fn encode(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={}", super::url::encode(value).replace('/', "%2F"))).collect::<Vec<_>>().join("&")
}

async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 16 << 20).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::HOST, "office.example")
        .header(header::ORIGIN, "http://office.example")
        .body(Body::from(encode(fields)))
        .unwrap()
}

impl House {
    fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), EngineOptions::default()).unwrap();
        let workspace = engine.create_workspace("Ours").unwrap();
        let options = OfficeOptions { secure: false, shutdown: CancellationToken::new() };
        let router = router(OfficeState::new(engine.clone(), options));
        House { engine, router, workspace, dir }
    }

    fn user(&self, workspace: WorkspaceId, login: &'static str, role: Role) -> UserId {
        let id = UserId::from_random(random());
        let now = self.engine.now_ms();
        let new = NewUser { id, login, name: login, role, team: None };
        self.engine.write(move |tx| people::create_user(tx, workspace, &new, now)).unwrap();
        id
    }

    fn code(&self, workspace: WorkspaceId, user: UserId) -> String {
        let now = self.engine.now_ms();
        let bytes = random();
        self.engine.write(move |tx| people::new_code(tx, workspace, user, Purpose::SignIn, bytes, now, 60_000)).unwrap()
    }

    fn contact(&self, workspace: WorkspaceId, by: UserId, owner: Option<UserId>, fields: &[(&str, &str)]) -> ContactId {
        let id = ContactId::from_time(self.engine.now_ms().try_into().unwrap(), random());
        let commands = fields.iter().map(|(name, value)| set(name, value)).collect();
        let outcomes = self.engine.author(workspace, by, vec![Authored::create(id, owner, commands)]).unwrap();
        assert!(matches!(outcomes[..], [AuthorOutcome::Merged { .. }]), "{outcomes:?}");
        id
    }

    fn document(&self, id: ContactId) -> Automerge {
        let workspace = self.workspace;
        self.engine
            .read(|conn| documents::document(conn, workspace, &contacts::find(conn, workspace, id)?.unwrap()))
            .unwrap()
    }

    fn device(&self, user: UserId) -> (Device, Actor) {
        let workspace = self.workspace;
        let now = self.engine.now_ms();
        let device = Device {
            workspace,
            id: DeviceId::from_random(random()),
            user,
            algorithm: KeyAlgorithm::Ed25519,
            public_key: random::<32>().to_vec(),
            name: "Phone".into(),
            platform: "Test".into(),
            app: "roadbook/0".into(),
            created_at: now,
            last_seen: None,
            revoked_at: None,
            unsent: 0,
            cursor: 0,
            missing: 0,
        };
        let actor = Actor::from_random(random());
        let stored = device.clone();
        self.engine
            .write(move |tx| {
                devices::create_device(tx, &stored)?;
                devices::register_actor(tx, workspace, actor, stored.id, now)
            })
            .unwrap();
        (device, actor)
    }

    /// What a device sends that made an edit on `base`.
    async fn sent(&self, (device, actor): &(Device, Actor), contact: ContactId, base: &Automerge, commands: &[Command]) {
        let mut doc = base.fork();
        let author = Author { by: device.user, at: self.engine.now_ms() };
        let applied = document::apply(&mut doc, *actor, commands, &author, &EditOptions::default(), &Limits::DEFAULT).unwrap();
        let Applied::Change { bytes, .. } = applied else { panic!("unchanged") };
        let admitted = guard::gate1(&bytes, &Limits::DEFAULT, &[]).unwrap();
        let mut events = self.engine.events();
        let (reply, answer) = tokio::sync::oneshot::channel();
        let request = AppendRequest { workspace: self.workspace, device: device.id, user: device.user, batch: 1, changes: vec![(contact, admitted, bytes)] };
        self.engine.append(request, reply);
        answer.await.unwrap().unwrap();
        loop {
            if let crate::engine::Event::Merged { contacts, .. } = events.recv().await.unwrap()
                && contacts.iter().any(|merged| merged.contact == contact)
            {
                return;
            }
        }
    }

    /// Signs somebody in by a one-time code.
    async fn browser(&self, workspace: WorkspaceId, user: UserId) -> Browser {
        let code = self.code(workspace, user);
        let answer = ask(&self.router, form("/welcome", &[("code", &code), ("password", PASSWORD), ("again", PASSWORD)])).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        Browser::of(&self.router, &answer).await
    }

    async fn manager(&self) -> (UserId, Browser) {
        let id = self.user(self.workspace, "manager", Role::Manager);
        (id, self.browser(self.workspace, id).await)
    }
}

impl Browser {
    async fn of(router: &Router, answer: &Answer) -> Browser {
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let mut browser = Browser { router: router.clone(), cookie, csrf: String::new() };
        let page = browser.get("/").await;
        let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").expect("a page has a form");
        browser.csrf = rest.split('"').next().unwrap().to_owned();
        browser
    }

    async fn get(&self, path: &str) -> Answer {
        ask(&self.router, Request::get(path).header(header::COOKIE, &self.cookie).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("csrf", self.csrf.as_str())];
        all.extend_from_slice(fields);
        let mut request = form(path, &all);
        request.headers_mut().insert(header::COOKIE, self.cookie.parse().unwrap());
        ask(&self.router, request).await
    }
}

fn set(name: &str, value: &str) -> Command {
    Command::Set { field: name.to_owned(), value: Some(value.into()) }
}

#[tokio::test]
async fn a_stranger_is_led_to_the_sign_in_and_back() {
    let house = House::new();
    let answer = ask(&house.router, Request::get("/contacts?q=a").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.location(), "/sign-in?next=/contacts%3Fq%3Da");
    let page = ask(&house.router, Request::get("/sign-in").body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers[header::CACHE_CONTROL], "private, no-store");
}

#[tokio::test]
async fn a_code_sets_a_password_once_and_the_password_signs_in() {
    let house = House::new();
    let id = house.user(house.workspace, "manager", Role::Manager);
    let code = house.code(house.workspace, id);
    let weak = ask(&house.router, form("/welcome", &[("code", &code), ("password", "short")])).await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    let looked = ask(&house.router, Request::get(format!("/welcome/{code}")).body(Body::empty()).unwrap()).await;
    looked.assert_has(&code);
    let first = ask(&house.router, form("/welcome", &[("code", &code), ("login", "manager"), ("password", PASSWORD)])).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "looking and a weak password use nothing up: {}", first.body);
    let cookie = first.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let second = ask(&house.router, form("/welcome", &[("code", &code), ("password", PASSWORD)])).await;
    second.assert_has("used already");

    let signed = ask(&house.router, form("/sign-in", &[("login", "MANAGER"), ("password", PASSWORD), ("next", "/contacts")])).await;
    assert_eq!(signed.status, StatusCode::SEE_OTHER);
    assert_eq!(signed.location(), "/contacts");
    let browser = Browser::of(&house.router, &signed).await;
    assert_eq!(browser.get("/contacts").await.status, StatusCode::OK);
    let out = browser.post("/sign-out", &[]).await;
    assert_eq!(out.location(), "/sign-in");
    assert_eq!(browser.get("/contacts").await.status, StatusCode::SEE_OTHER, "the session is over");
}

#[tokio::test]
async fn an_unknown_login_and_a_wrong_password_get_the_same_answer() {
    let house = House::new();
    house.manager().await;
    let wrong = ask(&house.router, form("/sign-in", &[("login", "manager"), ("password", "not the password")])).await;
    let unknown = ask(&house.router, form("/sign-in", &[("login", "manages"), ("password", "not the password")])).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(unknown.status, wrong.status);
    assert_eq!(unknown.body, wrong.body.replace("value=\"manager\"", "value=\"manages\""));
}

#[tokio::test]
async fn guessing_is_slowed_down_and_other_logins_are_not() {
    let house = House::new();
    house.manager().await;
    let guess = |login: &'static str| ask(&house.router, form("/sign-in", &[("login", login), ("password", "guess")]));
    for _ in 0..10 {
        assert_eq!(guess("manager").await.status, StatusCode::UNAUTHORIZED);
    }
    let limited = guess("manager").await;
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(guess("other").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_rep_is_told_to_use_the_app() {
    let house = House::new();
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let code = house.code(house.workspace, rep);
    let answer = ask(&house.router, form("/welcome", &[("code", &code), ("password", PASSWORD)])).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    answer.assert_has("Roadbook app");
    assert!(!answer.headers.contains_key(header::SET_COOKIE));
}

#[tokio::test]
async fn a_form_without_the_token_or_from_another_site_changes_nothing() {
    let house = House::new();
    let (by, mut browser) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Toms Spezialitäten")]);
    let path = format!("/contacts/{id}/set");
    let fields = [("field", "company"), ("value", "Changed")];
    let token = std::mem::take(&mut browser.csrf);
    assert_eq!(browser.post(&path, &fields).await.status, StatusCode::FORBIDDEN);
    browser.csrf = "0".repeat(64);
    assert_eq!(browser.post(&path, &fields).await.status, StatusCode::FORBIDDEN);
    browser.csrf = token.clone();
    let mut foreign = form(&path, &[("csrf", token.as_str()), fields[0], fields[1]]);
    foreign.headers_mut().insert(header::COOKIE, browser.cookie.parse().unwrap());
    foreign.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
    assert_eq!(ask(&house.router, foreign).await.status, StatusCode::FORBIDDEN);
    assert_eq!(document::read(id, &house.document(id)).text("company"), "Toms Spezialitäten");
    assert_eq!(browser.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(document::read(id, &house.document(id)).text("company"), "Changed");
}

#[tokio::test]
async fn the_list_searches_filters_and_tells_a_wrong_filter_where_it_is_wrong() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    house.contact(house.workspace, by, None, &[("company", "Østergård Handel"), ("status", "customer")]);
    house.contact(house.workspace, by, None, &[("company", "Müller & Söhne"), ("status", "lead")]);
    browser.get("/contacts").await.assert_has("Østergård Handel").assert_has("Müller &amp; Söhne").assert_has("2 contacts");
    browser.get("/contacts?q=ostergard").await.assert_has("Østergård Handel").assert_lacks("Söhne").assert_has("1 contact of 2");
    browser.get("/contacts?filter=status%3Alead").await.assert_has("Söhne").assert_lacks("Østergård Handel");
    browser.get("/contacts?q=%22%27%28NOT").await.assert_has("Nothing fits");
    let wrong = browser.get("/contacts?filter=staatus%3Alead").await;
    assert_eq!(wrong.status, StatusCode::OK);
    wrong.assert_has("filter, character 1").assert_lacks("Østergård Handel");
    for sort in ["touched", "contacted", "silent", "visit", "due", "nonsense"] {
        let page = browser.get(&format!("/contacts?sort={sort}&page=2&q=a&filter=city%3AA")).await;
        assert_eq!(page.status, StatusCode::OK, "{sort}: {}", page.body);
        assert_eq!(browser.get(&format!("/contacts?sort={sort}")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn pages_of_the_list_follow_one_another_without_a_gap() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    for n in 0..53 {
        house.contact(house.workspace, by, None, &[("company", &format!("Firm {n:03}"))]);
    }
    browser.get("/contacts").await.assert_has("Firm 049").assert_lacks("Firm 050").assert_has("page=2").assert_has("53 contacts");
    browser.get("/contacts?page=2").await.assert_has("Firm 050").assert_has("Firm 052").assert_lacks("Firm 049").assert_lacks("page=3");
    browser.get("/contacts?page=999999999").await.assert_lacks("Firm 0");
}

#[tokio::test]
async fn what_people_type_is_text_and_never_markup() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let id = house.contact(house.workspace, by, None, &[("company", evil), ("job_title", evil), ("personal_note", evil)]);
    browser.post(&format!("/contacts/{id}/tag"), &[("tag", evil)]).await;
    browser.post(&format!("/contacts/{id}/log"), &[("kind", "visit"), ("summary", evil)]).await;
    for path in [format!("/contacts/{id}?authors=1"), "/contacts".into(), "/".into(), format!("/contacts?q={}", super::url::encode(evil)), "/contacts?filter=%3Cscript%3Ealert(1)".into()] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        page.assert_lacks("<script>alert").assert_lacks("<img").assert_has("&lt;script&gt;");
    }
}

#[tokio::test]
async fn every_edit_of_a_page_is_a_change_in_the_managers_name() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Ernst Handel")]);
    let path = |verb: &str| format!("/contacts/{id}/{verb}");
    for (verb, fields) in [
        ("set", vec![("field", "job_title"), ("value", "Owner"), ("was", "")]),
        ("put", vec![("collection", "phones"), ("number", "+43 7675 3425"), ("label", "office")]),
        ("put", vec![("collection", "deals"), ("title", "Autumn order"), ("amount", "12.400,50"), ("currency", "eur"), ("stage", "offer")]),
        ("tag", vec![("tag", "fair")]),
        ("log", vec![("kind", "call"), ("at", "2026-05-31T14:30"), ("utc_offset_min", "120"), ("summary", "Wants a sample")]),
    ] {
        let answer = browser.post(&path(verb), &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{verb}: {}", answer.body);
    }
    let base = super::contact::heads_text(&house.document(id).get_heads());
    browser.post(&path("note"), &[("note", "First line\r\nSecond line"), ("base", &base)]).await;
    let doc = house.document(id);
    let contact = document::read(id, &doc);
    assert_eq!(contact.text("job_title"), "Owner");
    assert_eq!(contact.phones[0].text("number"), "+43 7675 3425");
    assert_eq!(contact.deals[0].int("amount"), Some(1_240_050));
    assert_eq!(contact.deals[0].text("currency"), "EUR");
    assert_eq!(contact.tags, ["fair"]);
    assert_eq!(contact.interactions[0].int("at"), Some(1_780_230_600_000), "12:30 UTC");
    assert_eq!(contact.note, "First line\nSecond line");
    assert!(document::history(id, &doc, 50).iter().all(|item| item.author == by));
    let page = browser.get(&format!("/contacts/{id}?authors=1")).await;
    page.assert_has("Ernst Handel").assert_has("+43 7675 3425").assert_has("12\u{202F}400.50 EUR").assert_has("Wants a sample").assert_has("First line");

    let phone = contact.phones[0].id.to_string();
    browser.post(&path("put"), &[("collection", "phones"), ("id", &phone), ("remove", "1")]).await;
    browser.post(&path("untag"), &[("tag", "fair")]).await;
    let contact = document::read(id, &house.document(id));
    assert!(contact.phones.is_empty() && contact.tags.is_empty());
}

#[tokio::test]
async fn a_contact_is_assigned_to_a_person_of_this_workspace_only() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let id = house.contact(house.workspace, by, None, &[("company", "Ernst Handel")]);
    let path = format!("/contacts/{id}/assign");
    assert_eq!(browser.post(&path, &[("owner", &rep.to_string())]).await.status, StatusCode::SEE_OTHER);
    browser.get("/contacts?filter=owner%3Arep").await.assert_has("Ernst Handel");
    let theirs = house.engine.create_workspace("Theirs").unwrap();
    let stranger = house.user(theirs, "stranger", Role::Rep);
    assert_eq!(browser.post(&path, &[("owner", &stranger.to_string())]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post(&path, &[("owner", "")]).await.status, StatusCode::SEE_OTHER);
    browser.get("/contacts?filter=no%3Aowner").await.assert_has("Ernst Handel");
}

#[tokio::test]
async fn an_open_page_alone_does_not_keep_a_session_alive() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let token = browser.cookie.split_once('=').unwrap().1.to_owned();
    let now = house.engine.now_ms();
    // A session that was used last an hour ago.
    let hour = 3_600_000;
    let key = token.clone();
    house
        .engine
        .write(move |tx| -> crate::store::Result<()> {
            let session = people::find_web_session(tx, &key, now)?.unwrap();
            people::delete_web_session(tx, &key)?;
            people::create_web_session(tx, session.user.workspace, session.user.id, &key, &session.csrf, now - hour, 12 * hour)
        })
        .unwrap();
    let ends = || {
        let session = house.engine.read(|conn| people::find_web_session(conn, &token, now)).unwrap();
        session.unwrap().expires_at
    };
    let before = ends();
    let request = |name: &'static str, value: &'static str| {
        Request::get("/contacts").header(header::COOKIE, &browser.cookie).header(name, value).body(Body::empty()).unwrap()
    };
    ask(&house.router, request("x-office", "units")).await;
    assert_eq!(ends(), before);
    ask(&house.router, request("accept", "text/html")).await;
    assert!(ends() > before);
    let stream = Request::get("/events").header(header::ACCEPT, "text/event-stream").body(Body::empty()).unwrap();
    assert_eq!(ask(&house.router, stream).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_value_that_somebody_else_wrote_is_not_overwritten_unseen() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Before")]);
    house.engine.author(house.workspace, by, vec![Authored::edit(id, vec![set("company", "Theirs")])]).unwrap();
    let path = format!("/contacts/{id}/set");
    let refused = browser.post(&path, &[("field", "company"), ("value", "Mine"), ("was", "Before")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.assert_has("Theirs");
    assert_eq!(document::read(id, &house.document(id)).text("company"), "Theirs");
    let knowing = browser.post(&path, &[("field", "company"), ("value", "Mine"), ("was", "Theirs")]).await;
    assert_eq!(knowing.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn two_people_writing_in_a_note_both_keep_their_words() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Ernst Handel")]);
    let path = format!("/contacts/{id}/note");
    let base = super::contact::heads_text(&house.document(id).get_heads());
    browser.post(&path, &[("note", "The first line is long enough."), ("base", &base)]).await;
    let base = super::contact::heads_text(&house.document(id).get_heads());
    browser.post(&path, &[("note", "Before it. The first line is long enough."), ("base", &base)]).await;
    let second = browser.post(&path, &[("note", "The first line is long enough. After it."), ("base", &base)]).await;
    assert_eq!(second.status, StatusCode::SEE_OTHER, "{}", second.body);
    let note = document::read(id, &house.document(id)).note;
    assert_eq!(note, "Before it. The first line is long enough. After it.");
    let stale = browser.post(&path, &[("note", "x"), ("base", "nonsense")]).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_conflict_is_shown_with_both_sides_and_decided() {
    let house = House::new();
    let (by, browser) = house.manager().await;
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let device = house.device(rep);
    let id = house.contact(house.workspace, by, Some(rep), &[("company", "Alfreds Futterkiste"), ("job_title", "Buyer")]);
    let base = house.document(id);
    house.sent(&device, id, &base, &[set("job_title", "Head of purchasing")]).await;
    // A second device of the same rep, which has not seen the first.
    let second = house.device(rep);
    house.sent(&second, id, &base, &[set("job_title", "Chief buyer")]).await;

    for path in [format!("/contacts/{id}"), "/decide".into()] {
        browser.get(&path).await.assert_has("Head of purchasing").assert_has("Chief buyer").assert_has("Job title").assert_has("rep");
    }
    browser.get("/contacts").await.assert_has("1 conflict");
    let conflict = document::conflicts(id, &house.document(id)).remove(0);
    let loser = conflict.values.iter().find(|side| !side.shown).unwrap();
    let wanted = loser.value.clone().unwrap().to_string();
    let path = format!("/contacts/{id}/resolve");
    let fields = [("field", "job_title"), ("change", loser.change.as_str())];
    assert_eq!(browser.post(&path, &fields).await.status, StatusCode::SEE_OTHER);
    let doc = house.document(id);
    assert!(document::conflicts(id, &doc).is_empty());
    assert_eq!(document::read(id, &doc).text("job_title"), wanted);
    browser.get("/decide").await.assert_has("Nothing to decide");
    let again = browser.post(&path, &fields).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    again.assert_has("decided this already");
}

#[tokio::test]
async fn another_workspace_and_an_unknown_id_look_the_same() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let theirs = house.engine.create_workspace("Theirs").unwrap();
    let stranger = house.user(theirs, "stranger", Role::Admin);
    let id = house.contact(theirs, stranger, None, &[("company", "Secret customer")]);
    for path in ["/contacts", "/", "/contacts?q=secret", "/decide", "/devices"] {
        browser.get(path).await.assert_lacks("Secret customer").assert_lacks("stranger");
    }
    let foreign = browser.get(&format!("/contacts/{id}")).await;
    let unknown = browser.get(&format!("/contacts/{}", ContactId::from_random(random()))).await;
    let nonsense = browser.get("/contacts/nonsense").await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(foreign.body, unknown.body);
    assert_eq!(nonsense.status, StatusCode::NOT_FOUND);
    for verb in ["set", "put", "tag", "untag", "note", "log", "resolve"] {
        let answer = browser.post(&format!("/contacts/{id}/{verb}"), &[("field", "company"), ("value", "x"), ("tag", "x")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{verb}");
    }
    assert_eq!(browser.get("/nowhere").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_may_only_read_changes_nothing_and_sees_no_form() {
    let house = House::new();
    let (by, _) = house.manager().await;
    let id = house.contact(house.workspace, by, None, &[("company", "Ernst Handel")]);
    let reader = house.user(house.workspace, "auditor", Role::ReadOnly);
    let browser = house.browser(house.workspace, reader).await;
    let page = browser.get(&format!("/contacts/{id}")).await;
    assert_eq!(page.status, StatusCode::OK);
    page.assert_has("Ernst Handel").assert_lacks("/set\"").assert_lacks("/log\"");
    let refused = browser.post(&format!("/contacts/{id}/set"), &[("field", "company"), ("value", "x")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn devices_are_listed_with_their_freshness_and_revoked() {
    let house = House::new();
    let (_, browser) = house.manager().await;
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let (device, _) = house.device(rep);
    browser.get("/devices").await.assert_has("Phone").assert_has("never seen").assert_has("nothing unsent");
    let answer = browser.post(&format!("/devices/{}/revoke", device.id), &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    browser.get("/devices").await.assert_has(">revoked<");
}

#[tokio::test]
async fn an_edit_from_the_field_reaches_an_open_page_as_an_event() {
    use futures_util::StreamExt;
    let house = House::new();
    let (by, browser) = house.manager().await;
    let rep = house.user(house.workspace, "rep", Role::Rep);
    let device = house.device(rep);
    let id = house.contact(house.workspace, by, Some(rep), &[("company", "Ernst Handel")]);
    let cursor = house.engine.public_cursor(house.workspace).unwrap();
    let request = Request::get(format!("/events?since={cursor}")).header(header::COOKIE, &browser.cookie).body(Body::empty()).unwrap();
    let response = house.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    house.sent(&device, id, &house.document(id), &[set("job_title", "Owner & <b>founder</b>")]).await;
    let mut seen = String::new();
    while !seen.contains("event: merged") || !seen.ends_with("\n\n") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(seen.contains(&id.to_string()) && seen.contains("Ernst Handel"), "{seen}");
    assert!(seen.contains("Owner &amp; &lt;b&gt;founder"), "{seen}");
    assert!(!seen.contains("event: refresh"), "nothing was missed before: {seen}");

    // A page that knows less is told to read itself again, at once.
    let request = Request::get("/events").header(header::COOKIE, &browser.cookie).header("last-event-id", cursor.to_string()).body(Body::empty()).unwrap();
    let mut stream = house.router.clone().oneshot(request).await.unwrap().into_body().into_data_stream();
    let mut seen = String::new();
    while !seen.contains("event: refresh") {
        seen.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    drop(house.dir);
}

#[tokio::test]
async fn assets_are_kept_for_good_under_the_hash_of_their_content() {
    let house = House::new();
    for address in [super::assets::style(), super::assets::script(), super::assets::icon()] {
        let answer = ask(&house.router, Request::get(address).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }
    let missing = ask(&house.router, Request::get("/assets/style.css").body(Body::empty()).unwrap()).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}
