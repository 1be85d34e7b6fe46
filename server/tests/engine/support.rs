//! A data directory, and devices that make changes as a replica would.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use automerge::{Automerge, ReadDoc};
use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_protocol::ChangeHash;
use roadbook_protocol::document::{
    self, Applied, Author, Command, EditOptions, Value, bootstraps, new_document,
};
use roadbook_protocol::guard::gate1;
use roadbook_protocol::ids::{Actor, ContactId, Cursor, DeviceId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::{Access, Fate, KeyAlgorithm, PageItem};
use roadbook_server::engine::{
    AppendRequest, Appended, AuthorOutcome, Authored, Clock, Engine, EngineOptions, Event, Page,
    PageLimits, SealedBy,
};
use roadbook_server::store::devices::{self, Device};
use roadbook_server::store::people::{self, NewUser, Role};

/// A clock that a test sets.
#[derive(Debug)]
pub struct TestClock(pub AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// An engine over a directory that goes away with it.
pub struct World {
    pub dir: tempfile::TempDir,
    pub engine: Arc<Engine>,
    pub clock: Arc<TestClock>,
    pub workspace: WorkspaceId,
    pub office: UserId,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_780_000_000_000)));
        let engine = open(dir.path(), &clock);
        let workspace = engine.create_workspace("Nordwind").unwrap();
        let mut world =
            Self { dir, engine, clock, workspace, office: UserId::from_random([0; 16]) };
        world.office = world.user("office", Role::Manager);
        world
    }

    /// Closes the engine and opens it again: a restart.
    pub fn restart(&mut self) {
        self.engine.shutdown();
        self.engine = open(self.dir.path(), &self.clock);
    }

    pub fn user(&self, login: &str, role: Role) -> UserId {
        let id = UserId::from_random(self.engine.random());
        let (workspace, now, login) = (self.workspace, self.engine.now_ms(), login.to_owned());
        self.engine
            .write(move |tx| {
                let new = NewUser { id, login: &login, name: "", role, team: None };
                people::create_user(tx, workspace, &new, now)
            })
            .unwrap();
        id
    }

    pub fn device(&self, user: UserId) -> TestDevice {
        let id = DeviceId::from_random(self.engine.random());
        let device = Device {
            workspace: self.workspace,
            id,
            user,
            algorithm: KeyAlgorithm::Ed25519,
            public_key: key_of(id).public_key().as_ref().to_vec(),
            name: "phone".to_owned(),
            platform: "test".to_owned(),
            app: "roadbook/0".to_owned(),
            created_at: self.engine.now_ms(),
            last_seen: None,
            revoked_at: None,
            unsent: 0,
            cursor: 0,
            missing: 0,
        };
        self.engine.write(move |tx| devices::create_device(tx, &device)).unwrap();
        TestDevice {
            workspace: self.workspace,
            user,
            id,
            actor: Actor::from_random(self.engine.random()),
            at: self.engine.now_ms(),
        }
    }

    pub fn rep(&self, login: &str) -> TestDevice {
        self.device(self.user(login, Role::Rep))
    }

    pub fn contact_id(&self) -> ContactId {
        ContactId::from_time(self.engine.now_ms() as u64, self.engine.random())
    }

    /// Contacts made by the office for a user.
    pub fn import(&self, owner: Option<UserId>, count: usize) -> Vec<ContactId> {
        let mut ids: Vec<ContactId> = (0..count).map(|_| self.contact_id()).collect();
        ids.sort_unstable();
        let items = ids
            .iter()
            .enumerate()
            .map(|(i, id)| {
                Authored::create(*id, owner, vec![set("company", &format!("Company {i}"))])
            })
            .collect();
        for outcome in self.engine.author(self.workspace, self.office, items).unwrap() {
            assert!(matches!(outcome, AuthorOutcome::Merged { .. }), "{outcome:?}");
        }
        ids
    }

    pub fn office_edit(&self, contact: ContactId, commands: Vec<Command>) -> AuthorOutcome {
        let items = vec![Authored::edit(contact, commands)];
        self.engine.author(self.workspace, self.office, items).unwrap().remove(0)
    }

    /// Waits until everything is merged.
    pub fn merged(&self) {
        assert!(self.engine.wait_merged(Duration::from_secs(60)).unwrap(), "not merged in time");
    }

    pub fn append(&self, device: &TestDevice, changes: &[Made]) -> Appended {
        self.engine.append_blocking(device.request(changes)).unwrap()
    }

    pub fn fates(&self, device: &TestDevice, changes: &[Made]) -> Vec<Fate> {
        let pending: Vec<_> = changes
            .iter()
            .map(|made| roadbook_protocol::wire::PendingChanges {
                contact: made.contact,
                hashes: vec![made.hash],
            })
            .collect();
        let fates = self.engine.fates(self.workspace, device.id, &pending).unwrap();
        fates.into_iter().map(|fate| fate.fate).collect()
    }

    pub fn page(&self, user: UserId, since: Cursor) -> Page {
        self.engine.page(self.workspace, user, since, PageLimits::default(), &|_| false).unwrap()
    }

    pub fn cursor(&self) -> Cursor {
        self.engine.public_cursor(self.workspace).unwrap()
    }

    pub fn company(&self, contact: ContactId) -> String {
        let doc = self.engine.document(self.workspace, contact).unwrap();
        document::read(contact, &doc).text("company").to_owned()
    }

    pub fn assert_clean(&self) {
        let report = self.engine.check().unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
    }
}

pub fn open(dir: &std::path::Path, clock: &Arc<TestClock>) -> Arc<Engine> {
    let clock: Arc<TestClock> = Arc::clone(clock);
    Engine::open(dir, EngineOptions { clock, merge_threads: 2, ..EngineOptions::default() })
        .unwrap()
}

pub fn set(field: &str, value: &str) -> Command {
    Command::Set { field: field.to_owned(), value: Some(Value::from(value)) }
}

/// The key of a device.
pub fn key_of(device: DeviceId) -> Ed25519KeyPair {
    let seed = [device.as_bytes().as_slice(), device.as_bytes()].concat();
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

/// A change that a device made.
#[derive(Debug, Clone)]
pub struct Made {
    pub contact: ContactId,
    pub hash: ChangeHash,
    pub bytes: Vec<u8>,
}

/// A replica, as far as changes are concerned.
#[derive(Debug, Clone)]
pub struct TestDevice {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub id: DeviceId,
    pub actor: Actor,
    pub at: i64,
}

impl TestDevice {
    pub fn edit(&self, contact: ContactId, doc: &mut Automerge, commands: &[Command]) -> Made {
        self.edit_with(contact, doc, commands, EditOptions::default(), self.user)
    }

    pub fn edit_with(
        &self,
        contact: ContactId,
        doc: &mut Automerge,
        commands: &[Command],
        options: EditOptions,
        by: UserId,
    ) -> Made {
        let author = Author { by, at: self.at };
        let applied =
            document::apply(doc, self.actor, commands, &author, &options, &Limits::DEFAULT)
                .unwrap();
        match applied {
            Applied::Change { hash, bytes } => Made { contact, hash, bytes },
            Applied::Unchanged => panic!("the edit changed nothing"),
        }
    }

    /// A new contact of this device, with so many edits.
    pub fn create(&self, contact: ContactId, edits: usize) -> (Automerge, Vec<Made>) {
        let mut doc = new_document();
        let made = (0..edits)
            .map(|i| self.edit(contact, &mut doc, &[set("company", &format!("Edit {i}"))]))
            .collect();
        (doc, made)
    }

    pub fn request(&self, changes: &[Made]) -> AppendRequest {
        let built_in: Vec<_> = bootstraps().iter().map(|b| (b.hash, b.bytes)).collect();
        AppendRequest {
            workspace: self.workspace,
            device: self.id,
            user: self.user,
            batch: 1,
            changes: changes
                .iter()
                .map(|made| {
                    let admitted = gate1(&made.bytes, &Limits::DEFAULT, &built_in).unwrap();
                    (made.contact, admitted, made.bytes.clone())
                })
                .collect(),
            vouched: None,
            sealed: SealedBy::Nobody,
        }
    }
}

/// What a device holds after it has applied pages: contact to document.
#[derive(Default)]
pub struct Replica {
    pub cursor: Cursor,
    pub documents: std::collections::BTreeMap<ContactId, Automerge>,
}

impl Replica {
    pub fn apply(&mut self, page: Page) {
        for item in page.items {
            self.apply_item(item);
        }
        assert!(page.cursor >= self.cursor, "a page went back");
        self.cursor = page.cursor;
    }

    pub fn apply_item(&mut self, item: PageItem) {
        if item.access == Access::Removed {
            self.documents.remove(&item.contact);
            return;
        }
        let doc = self.documents.entry(item.contact).or_insert_with(new_document);
        if !item.snapshot.is_empty() {
            *doc =
                roadbook_protocol::guard::load_snapshot(&item.snapshot, &Limits::DEFAULT).unwrap();
        }
        for bytes in &item.changes {
            let change = automerge::Change::from_bytes(bytes.clone()).unwrap();
            doc.apply_changes([change]).unwrap();
        }
        assert!(doc.get_missing_deps(&[]).is_empty(), "a page left a gap");
        let mut heads = doc.get_heads();
        heads.sort_unstable();
        assert_eq!(heads, item.heads);
    }

    pub fn catch_up(&mut self, world: &World, user: UserId) {
        loop {
            let page = world.page(user, self.cursor);
            let more = page.more;
            self.apply(page);
            if !more {
                return;
            }
        }
    }
}

/// Waits for the next event that `pick` takes.
pub fn next_event<T>(
    events: &mut tokio::sync::broadcast::Receiver<Event>,
    mut pick: impl FnMut(Event) -> Option<T>,
) -> T {
    loop {
        let event = events.blocking_recv().unwrap();
        if let Some(found) = pick(event) {
            return found;
        }
    }
}
