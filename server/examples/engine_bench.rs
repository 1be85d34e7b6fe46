//! How fast the engine takes, merges and gives: `cargo run --release -p roadbook-server --example
//! engine_bench [CONTACTS] [one|append|import|fetch|cold|hot|check|shred|erase]`. Prints one line per measurement;
//! run it on a quiet machine.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::Automerge;
use roadbook_protocol::document::{
    self, Applied, Author, Collection, Command, EditOptions, Value, bootstraps, new_document,
};
use roadbook_protocol::guard::gate1;
use roadbook_protocol::ids::{Actor, ContactId, DeviceId, EntryId, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::wire::KeyAlgorithm;
use roadbook_server::engine::{
    AppendRequest, AuthorOutcome, Authored, Engine, EngineError, EngineOptions, Erase, PageLimits,
    SealedBy,
};
use roadbook_server::store::devices::{self, Device};
use roadbook_server::store::people::{self, NewUser, Role};
use tokio::sync::oneshot;

struct Bench {
    engine: Arc<Engine>,
    workspace: WorkspaceId,
    rep: UserId,
    device: DeviceId,
    actor: Actor,
    at: i64,
}

fn main() {
    let count: usize = std::env::args().nth(1).map_or(10_000, |n| n.parse().unwrap());
    let only = std::env::args().nth(2);
    let runs = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let dir = std::env::temp_dir().join(format!("roadbook-bench-{}", std::process::id()));
    let bench = Bench::open(&dir);
    if runs("one") {
        bench.one_by_one(300);
    }
    if runs("append") {
        bench.appends(count.min(20_000), 1_000);
    }
    if ["import", "fetch", "cold", "hot", "check", "shred", "erase"].into_iter().any(runs) {
        let ids = bench.import(count);
        bench.fetch(&ids);
        if runs("cold") {
            bench.cold(&ids);
        }
        if runs("hot") {
            bench.hot(ids[0], 2_000);
        }
        bench.pages();
        if runs("check") {
            bench.check();
        }
        if runs("shred") {
            bench.shred(&dir);
        }
        if runs("erase") {
            bench.erase(&dir, &ids);
        }
    }
    println!("{:#?}", bench.engine.metrics());
    bench.engine.shutdown();
    let size = std::fs::metadata(dir.join("roadbook.db")).unwrap().len();
    println!("{:40} {:>12} kB", "database", size / 1024);
    std::fs::remove_dir_all(&dir).unwrap();
}

fn report(what: &str, count: usize, unit: &str, took: Duration) {
    let seconds = took.as_secs_f64();
    println!("{what:40} {:>12.0} {unit}/s ({count} in {seconds:.3} s)", count as f64 / seconds);
}

fn set(field: &str, value: impl Into<Value>) -> Command {
    Command::Set { field: field.to_owned(), value: Some(value.into()) }
}

impl Bench {
    fn open(dir: &std::path::Path) -> Self {
        let engine = Engine::open(dir, EngineOptions::default()).unwrap();
        let workspace = engine.create_workspace("Bench").unwrap();
        let rep = UserId::from_random(engine.random());
        let device = DeviceId::from_random(engine.random());
        let now = engine.now_ms();
        engine
            .write(move |tx| {
                let new = NewUser { id: rep, login: "rep", name: "", role: Role::Rep, team: None };
                people::create_user(tx, workspace, &new, now)?;
                devices::create_device(
                    tx,
                    &Device {
                        workspace,
                        id: device,
                        user: rep,
                        algorithm: KeyAlgorithm::Ed25519,
                        public_key: vec![0; 32],
                        name: String::new(),
                        platform: String::new(),
                        app: String::new(),
                        created_at: now,
                        last_seen: None,
                        revoked_at: None,
                        unsent: 0,
                        cursor: 0,
                        missing: 0,
                    },
                )
            })
            .unwrap();
        let actor = Actor::from_random(engine.random());
        Self { engine, workspace, rep, device, actor, at: now }
    }

    fn contact_id(&self) -> ContactId {
        ContactId::from_time(self.at as u64, self.engine.random())
    }

    fn put(&self, collection: Collection, fields: &[(&str, Value)]) -> Command {
        Command::Put {
            collection,
            id: EntryId::from_time(self.at as u64, self.engine.random()),
            fields: fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Some(value.clone())))
                .collect(),
        }
    }

    /// A contact of about 3 kB of JSON.
    fn contact(&self, i: usize) -> Vec<Command> {
        let text = |words: usize| {
            (0..words).map(|w| format!("word{} ", (i * 31 + w * 17) % 5_003)).collect::<String>()
        };
        let mut commands = vec![
            set("given_name", format!("Given{}", i % 997)),
            set("family_name", format!("Family{i}")),
            set("company", format!("Company {}", i % 3_001)),
            set("job_title", "Buyer"),
            set("status", "customer"),
            set("industry", "Food"),
            self.put(
                Collection::Phones,
                &[("number", format!("+49 30 {i:07}").into()), ("label", "work".into())],
            ),
            self.put(
                Collection::Phones,
                &[("number", format!("+49 171 {i:07}").into()), ("label", "mobile".into())],
            ),
            self.put(Collection::Emails, &[("address", format!("mail{i}@example.org").into())]),
            self.put(
                Collection::Addresses,
                &[
                    ("street", format!("Street {}", i % 200).into()),
                    ("city", "Berlin".into()),
                    ("postal_code", format!("{:05}", i % 99_999).into()),
                    ("country", "DE".into()),
                ],
            ),
        ];
        for tag in ["fair", "vip", "north"] {
            commands.push(Command::Tag { tag: tag.to_owned(), at: self.at });
        }
        let doc = new_document();
        commands.push(Command::EditNote { splices: document::note_splices(&doc, &text(40)) });
        for visit in 0..10 {
            commands.push(self.put(
                Collection::Interactions,
                &[
                    ("kind", "visit".into()),
                    ("at", Value::Int(self.at - visit * 86_400_000)),
                    ("summary", text(16).into()),
                ],
            ));
        }
        commands
    }

    fn edit(
        &self,
        contact: ContactId,
        doc: &mut Automerge,
        commands: &[Command],
    ) -> (ContactId, Vec<u8>) {
        let author = Author { by: self.rep, at: self.at };
        let options = EditOptions::default();
        match document::apply(doc, self.actor, commands, &author, &options, &Limits::DEFAULT)
            .unwrap()
        {
            Applied::Change { bytes, .. } => (contact, bytes),
            Applied::Unchanged => panic!("nothing changed"),
        }
    }

    fn request(&self, changes: &[(ContactId, Vec<u8>)]) -> AppendRequest {
        let built_in: Vec<_> = bootstraps().iter().map(|b| (b.hash, b.bytes)).collect();
        AppendRequest {
            workspace: self.workspace,
            device: self.device,
            user: self.rep,
            batch: 1,
            changes: changes
                .iter()
                .map(|(contact, bytes)| {
                    (*contact, gate1(bytes, &Limits::DEFAULT, &built_in).unwrap(), bytes.clone())
                })
                .collect(),
            vouched: None,
            sealed: SealedBy::Nobody,
        }
    }

    fn import(&self, count: usize) -> Vec<ContactId> {
        let ids: Vec<ContactId> = (0..count).map(|_| self.contact_id()).collect();
        let items: Vec<Authored> = ids
            .iter()
            .enumerate()
            .map(|(i, id)| Authored::create(*id, Some(self.rep), self.contact(i)))
            .collect();
        let begun = Instant::now();
        let outcomes = self.engine.author(self.workspace, self.rep, items).unwrap();
        assert!(
            outcomes.iter().all(|o| matches!(o, AuthorOutcome::Merged { .. })),
            "{:?}",
            outcomes[0]
        );
        report("import (author), durable", count, "contacts", begun.elapsed());
        ids
    }

    fn fetch(&self, ids: &[ContactId]) {
        let begun = Instant::now();
        let mut bytes = 0;
        for part in ids.chunks(256) {
            let items = self.engine.fetch(self.workspace, self.rep, part, usize::MAX).unwrap();
            bytes += items.iter().map(|item| item.snapshot.len() + item.row.len()).sum::<usize>();
        }
        report("fetch of snapshots and rows", ids.len(), "contacts", begun.elapsed());
        println!("{:40} {:>12} bytes a contact", "", bytes / ids.len());
    }

    /// What a key per contact would cost (docs/adr/0010): sealing and opening the rows that hold a
    /// contact's history, and the table of keys; and which tables hold what in plain text.
    fn shred(&self, dir: &std::path::Path) {
        use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let rows: Vec<Vec<u8>> = self
            .engine
            .read(|conn| {
                let mut all = Vec::new();
                for sql in
                    ["SELECT bytes FROM log LIMIT 20000", "SELECT bytes FROM snapshot LIMIT 20000"]
                {
                    let mut statement = conn.prepare(sql)?;
                    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
                    all.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
                }
                Ok::<_, EngineError>(all)
            })
            .unwrap();
        let bytes: usize = rows.iter().map(Vec::len).sum();
        println!(
            "{:40} {:>12} rows of {} bytes",
            "log and snapshots",
            rows.len(),
            bytes / rows.len()
        );
        let key = |n: usize| {
            let mut key = [7; 32];
            key[..8].copy_from_slice(&n.to_le_bytes());
            LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap())
        };
        let nonce = || Nonce::assume_unique_for_key([0; 12]);
        let begun = Instant::now();
        let sealed: Vec<Vec<u8>> = rows
            .into_iter()
            .enumerate()
            .map(|(n, mut row)| {
                key(n).seal_in_place_append_tag(nonce(), Aad::empty(), &mut row).unwrap();
                row
            })
            .collect();
        let count = sealed.len();
        report("sealed, a key of its own each", count, "rows", begun.elapsed());
        let begun = Instant::now();
        for (n, mut row) in sealed.into_iter().enumerate() {
            key(n).open_in_place(nonce(), Aad::empty(), &mut row).unwrap();
        }
        report("opened, a key of its own each", count, "rows", begun.elapsed());
        let sizes: Vec<(String, i64)> = self
            .engine
            .read(|conn| {
                let mut statement = conn.prepare(
                    "SELECT CASE WHEN name LIKE 'search%' THEN 'search' ELSE name END AS part,
                            sum(pgsize) AS size
                     FROM dbstat GROUP BY part ORDER BY size DESC LIMIT 8",
                )?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok::<Vec<(String, i64)>, EngineError>(rows.collect::<rusqlite::Result<_>>()?)
            })
            .unwrap();
        for (name, size) in sizes {
            println!("{name:40} {size:>12} bytes");
        }
        let file = dir.join("keys.db");
        let mut conn = rusqlite::Connection::open(&file).unwrap();
        conn.execute_batch(
            "CREATE TABLE key (contact BLOB PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID",
        )
        .unwrap();
        let tx = conn.transaction().unwrap();
        for _ in 0..100_000 {
            let (id, key): ([u8; 16], [u8; 32]) = (self.engine.random(), self.engine.random());
            tx.execute("INSERT INTO key VALUES (?, ?)", (id, key)).unwrap();
        }
        tx.commit().unwrap();
        drop(conn);
        let size = std::fs::metadata(file).unwrap().len();
        println!("{:40} {size:>12} bytes", "100,000 keys in a table");
    }

    /// What an erasure costs, and how long others' writes wait for it.
    fn erase(&self, dir: &std::path::Path, ids: &[ContactId]) {
        use std::sync::atomic::{AtomicBool, Ordering};
        let size = |name: &str| std::fs::metadata(dir.join(name)).map_or(0, |file| file.len());
        println!("{:40} {:>12} bytes", "the database", size("roadbook.db"));
        let mut left = ids.iter().rev().copied();
        for count in [1, 1, 100] {
            let list: Vec<Erase> = left
                .by_ref()
                .take(count)
                .map(|contact| Erase { contact, mentions: Vec::new() })
                .collect();
            let over = AtomicBool::new(false);
            let (waited, took) = std::thread::scope(|scope| {
                let writes = scope.spawn(|| {
                    let mut longest = Duration::ZERO;
                    while !over.load(Ordering::SeqCst) {
                        let begun = Instant::now();
                        self.engine.write(|_| Ok::<_, EngineError>(())).unwrap();
                        longest = longest.max(begun.elapsed());
                    }
                    longest
                });
                let begun = Instant::now();
                let report = self.engine.erase(self.workspace, None, list, "bench").unwrap();
                assert!(report.scrubbed);
                let took = begun.elapsed();
                over.store(true, Ordering::SeqCst);
                (writes.join().unwrap(), took)
            });
            println!(
                "{:40} {:>12.2} s, the longest wait of a write {:.2} s",
                format!("erasure of {count}"),
                took.as_secs_f64(),
                waited.as_secs_f64()
            );
        }
    }

    fn pages(&self) {
        let page = |since| {
            self.engine
                .page(self.workspace, self.rep, since, PageLimits::default(), &|_| false)
                .unwrap()
        };
        let begun = Instant::now();
        let mut cursor = 0;
        let mut items = 0;
        loop {
            let page = page(cursor);
            (cursor, items) = (page.cursor, items + page.items.len());
            if !page.more {
                break;
            }
        }
        report("pages from cursor 0", items, "contacts", begun.elapsed());
        let begun = Instant::now();
        assert!(page(cursor).items.is_empty());
        println!("{:40} {:>12.3} ms", "page with nothing new", begun.elapsed().as_secs_f64() * 1e3);
    }

    fn check(&self) {
        let begun = Instant::now();
        let found = self.engine.check().unwrap();
        assert!(found.is_clean(), "{:#?}", &found.findings[..found.findings.len().min(5)]);
        report("check", found.contacts as usize, "contacts", begun.elapsed());
    }

    fn merged(&self) {
        assert!(self.engine.wait_merged(Duration::from_secs(300)).unwrap());
    }

    fn one_by_one(&self, count: usize) {
        let contact = self.contact_id();
        let mut doc = new_document();
        let requests: Vec<_> = (0..count)
            .map(|i| {
                self.request(&[self.edit(contact, &mut doc, &[set("company", format!("C {i}"))])])
            })
            .collect();
        let begun = Instant::now();
        for request in requests {
            self.engine.append_blocking(request).unwrap();
        }
        report("append, 1 change a commit", count, "changes", begun.elapsed());
        self.merged();
    }

    /// Edits of 20 contacts in turn, `batch` changes a request, all queued at once.
    fn appends(&self, count: usize, batch: usize) {
        let mut docs: Vec<_> = (0..200).map(|_| (self.contact_id(), new_document())).collect();
        let changes: Vec<_> = (0..count)
            .map(|i| {
                let (contact, doc) = &mut docs[i % 200];
                self.edit(*contact, doc, &[set("company", format!("C {i}"))])
            })
            .collect();
        let begun = Instant::now();
        let requests: Vec<_> = changes.chunks(batch).map(|part| self.request(part)).collect();
        report("gate 1", count, "changes", begun.elapsed());
        let begun = Instant::now();
        let answers: Vec<_> = requests
            .into_iter()
            .map(|request| {
                let (reply, answer) = oneshot::channel();
                self.engine.append(request, reply);
                answer
            })
            .collect();
        for answer in answers {
            answer.blocking_recv().unwrap().unwrap();
        }
        report(&format!("append, {batch} changes a request"), count, "changes", begun.elapsed());
        self.merged();
        report("  ... and merged (200 contacts)", count, "changes", begun.elapsed());
    }

    /// One edit on each contact; the cache holds a fraction of them.
    fn cold(&self, ids: &[ContactId]) {
        let changes: Vec<_> = ids
            .iter()
            .map(|id| {
                let mut doc = self.engine.document(self.workspace, *id).unwrap();
                self.edit(*id, &mut doc, &[set("job_title", "Head of purchasing")])
            })
            .collect();
        let requests: Vec<_> = changes.chunks(1_000).map(|part| self.request(part)).collect();
        let begun = Instant::now();
        for request in requests {
            self.engine.append_blocking(request).unwrap();
        }
        report("append, 1 change on each contact", ids.len(), "changes", begun.elapsed());
        self.merged();
        report("  ... and merged (cold)", ids.len(), "changes", begun.elapsed());
    }

    /// Many edits of one contact, one request each, as fast as they are acknowledged.
    fn hot(&self, contact: ContactId, count: usize) {
        let mut doc = self.engine.document(self.workspace, contact).unwrap();
        let changes: Vec<_> = (0..count)
            .map(|i| self.edit(contact, &mut doc, &[set("company", format!("C {i}"))]))
            .collect();
        let requests: Vec<_> = changes.chunks(1).map(|part| self.request(part)).collect();
        let begun = Instant::now();
        for request in requests {
            self.engine.append_blocking(request).unwrap();
        }
        self.merged();
        report("one contact, acknowledged and merged", count, "changes", begun.elapsed());
    }
}
