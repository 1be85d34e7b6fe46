//! The pages over a real engine in a directory of their own, through the router as browsers use it.

mod account;
mod bulk;
mod edits;
mod entry;
mod handed;
mod insight;
mod late;
mod pages;
mod rights;
mod settings;
mod views;
mod watch;

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
use crate::engine::{AppendRequest, AuthorOutcome, Authored, Engine, EngineOptions, SealedBy};
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
    fields
        .iter()
        .map(|(name, value)| format!("{name}={}", super::url::encode(value).replace('/', "%2F")))
        .collect::<Vec<_>>()
        .join("&")
}

async fn ask(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 16 << 20).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
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
        let options =
            OfficeOptions { secure: false, oidc: None, shutdown: CancellationToken::new() };
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
        self.engine
            .write(move |tx| {
                people::new_code(tx, workspace, user, Purpose::SignIn, bytes, now, 60_000)
            })
            .unwrap()
    }

    fn contact(
        &self,
        workspace: WorkspaceId,
        by: UserId,
        owner: Option<UserId>,
        fields: &[(&str, &str)],
    ) -> ContactId {
        let id = ContactId::from_time(self.engine.now_ms().try_into().unwrap(), random());
        let commands = fields.iter().map(|(name, value)| set(name, value)).collect();
        let outcomes =
            self.engine.author(workspace, by, vec![Authored::create(id, owner, commands)]).unwrap();
        assert!(matches!(outcomes[..], [AuthorOutcome::Merged { .. }]), "{outcomes:?}");
        id
    }

    fn document(&self, id: ContactId) -> Automerge {
        let workspace = self.workspace;
        self.engine
            .read(|conn| {
                documents::document(conn, workspace, &contacts::find(conn, workspace, id)?.unwrap())
            })
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
    async fn sent(
        &self,
        (device, actor): &(Device, Actor),
        contact: ContactId,
        base: &Automerge,
        commands: &[Command],
    ) {
        let mut doc = base.fork();
        let author = Author { by: device.user, at: self.engine.now_ms() };
        let applied = document::apply(
            &mut doc,
            *actor,
            commands,
            &author,
            &EditOptions::default(),
            &Limits::DEFAULT,
        )
        .unwrap();
        let Applied::Change { bytes, .. } = applied else { panic!("unchanged") };
        let admitted = guard::gate1(&bytes, &Limits::DEFAULT, &[]).unwrap();
        let mut events = self.engine.events();
        let (reply, answer) = tokio::sync::oneshot::channel();
        let request = AppendRequest {
            workspace: self.workspace,
            device: device.id,
            user: device.user,
            batch: 1,
            changes: vec![(contact, admitted, bytes)],
            vouched: None,
            sealed: SealedBy::Nobody,
        };
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
        let answer = ask(
            &self.router,
            form("/welcome", &[("code", &code), ("password", PASSWORD), ("again", PASSWORD)]),
        )
        .await;
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
        let cookie = answer.headers[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let mut browser = Browser { router: router.clone(), cookie, csrf: String::new() };
        let page = browser.get("/").await;
        let (_, rest) = page.body.split_once("name=\"csrf\" value=\"").expect("a page has a form");
        browser.csrf = rest.split('"').next().unwrap().to_owned();
        browser
    }

    async fn get(&self, path: &str) -> Answer {
        ask(
            &self.router,
            Request::get(path).header(header::COOKIE, &self.cookie).body(Body::empty()).unwrap(),
        )
        .await
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
