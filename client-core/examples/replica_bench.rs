//! W7, "in the hand": a replica of 10,000 contacts. Opening it to the first list, search as you
//! type, opening a contact, one durable edit.
//!
//! ```text
//! cargo run --release -p roadbook-client-core --example replica_bench -- [--contacts N] [--json]
//! ```
//! The contacts are made by the replica itself, with names and notes in several
//! languages, 2 phones, 2 emails, 10 interactions, a deal and a task each; the server that it enrols
//! with is a few lines at the end of this file.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::NaiveDate;
use futures_util::{SinkExt, StreamExt};
use ring::signature::{Ed25519KeyPair, KeyPair};
use roadbook_client_core::{Clock, Durability, ListQuery, OpenOptions, Replica, Sort, sync};
use roadbook_protocol::document::{Collection, Command, Splice, Value};
use roadbook_protocol::ids::{ContactId, DeviceId, EntryId, UnixMs, UserId, WorkspaceId};
use roadbook_protocol::limits::Limits;
use roadbook_protocol::sealing::{self, OpeningKey};
use roadbook_protocol::wire::{self, Enrolled, Frame, SealingKey, sealing_text};
use tokio_tungstenite::tungstenite::Message;

struct BenchClock;

impl Clock for BenchClock {
    fn now_ms(&self) -> UnixMs {
        chrono::Utc::now().timestamp_millis()
    }
    fn today(&self) -> NaiveDate {
        chrono::Utc::now().date_naive()
    }
}

/// A small generator (splitmix64): the same contacts in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
    fn words(&mut self, characters: usize) -> String {
        let mut text = String::new();
        while text.len() < characters {
            if !text.is_empty() {
                text.push(' ');
            }
            for _ in 0..1 + self.below(3) {
                text.push_str(self.pick(SYLLABLES));
            }
        }
        text
    }
    fn id(&mut self) -> EntryId {
        EntryId::from_time(1_700_000_000_000 + self.next() % 1_000_000_000, [self.next() as u8; 10])
    }
}

const GIVEN: &[&str] = &[
    "Karen",
    "Søren",
    "Jürgen",
    "Zoë",
    "Łukasz",
    "Иван",
    "Анна",
    "Giulia",
    "Åse",
    "Marie",
    "José",
    "Kenji",
    "Fatima",
    "Olaf",
    "Bjørn",
    "Chloé",
    "Артём",
    "Heike",
    "Paolo",
    "Ingrid",
];
const FAMILY: &[&str] = &[
    "Østergård",
    "Müller",
    "Иванов",
    "Rossi",
    "Kowalski",
    "Petersen",
    "Schmidt",
    "Straße",
    "García",
    "Tanaka",
    "Nielsen",
    "Weiß",
    "Петров",
    "Bianchi",
    "Lindqvist",
    "Holm",
    "Jensen",
    "Krüger",
];
const CITIES: &[&str] =
    &["København", "Berlin", "Milano", "Москва", "Warszawa", "Zürich", "Oslo", "Århus", "Köln"];
const SYLLABLES: &[&str] = &[
    "ka", "lo", "mi", "ter", "sun", "vo", "re", "an", "del", "pri", "ost", "hal", "ge", "bir",
    "no", "ska", "lin", "du", "fe", "wor", "che", "ty", "zan", "mo", "qui",
];

fn entry(collection: Collection, id: EntryId, fields: &[(&str, Value)]) -> Command {
    let fields =
        fields.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect();
    Command::Put { collection, id, fields }
}

fn record(random: &mut Random, number: usize) -> Vec<Command> {
    let set = |field: &str, value: String| Command::Set {
        field: field.into(),
        value: Some(Value::from(value)),
    };
    let company = random.words(10);
    let mut commands = vec![
        set("given_name", random.pick(GIVEN).into()),
        set("family_name", format!("{}{}", random.pick(FAMILY), number % 97)),
        set("company", company.clone()),
        set("job_title", random.words(12)),
        set("status", random.pick(&["lead", "prospect", "customer"]).into()),
        set("industry", random.words(8)),
    ];
    for label in ["work", "mobile"] {
        let number = format!("+45 {:08}", random.below(100_000_000));
        let id = random.id();
        commands.push(entry(
            Collection::Phones,
            id,
            &[("number", number.into()), ("label", label.into())],
        ));
        let address = format!(
            "{}@{}.example",
            random.words(6).replace(' ', "."),
            random.words(6).replace(' ', "")
        );
        let id = random.id();
        commands.push(entry(
            Collection::Emails,
            id,
            &[("address", address.into()), ("label", label.into())],
        ));
    }
    let id = random.id();
    let place = [
        ("street", random.words(14).into()),
        ("postal_code", format!("{}", 1000 + random.below(9000)).into()),
        ("city", random.pick(CITIES).into()),
        ("country", "DK".into()),
    ];
    commands.push(entry(Collection::Addresses, id, &place));
    for _ in 0..3 {
        commands.push(Command::Tag { tag: random.words(5), at: 1_700_000_000_000 });
    }
    let note = random.words(300);
    commands.push(Command::EditNote {
        splices: vec![Splice {
            at: 0,
            delete: 0,
            insert: note,
            before: String::new(),
            after: String::new(),
            deleted: String::new(),
            cursor: None,
        }],
    });
    for n in 0..10 {
        let id = random.id();
        let fields = [
            ("kind", random.pick(&["visit", "call", "email"]).into()),
            ("at", Value::Int(1_700_000_000_000 + n * 86_400_000)),
            ("summary", random.words(120).into()),
        ];
        commands.push(entry(Collection::Interactions, id, &fields));
    }
    let id = random.id();
    let deal = [
        ("title", random.words(16).into()),
        ("amount", Value::Int(random.below(10_000_000) as i64)),
        ("currency", "EUR".into()),
        ("stage", "offer".into()),
    ];
    commands.push(entry(Collection::Deals, id, &deal));
    let id = random.id();
    commands.push(entry(
        Collection::Tasks,
        id,
        &[("text", random.words(30).into()), ("due", "2026-12-01".into())],
    ));
    commands
}

struct Measured {
    name: &'static str,
    target_ms: Option<f64>,
    times: Vec<Duration>,
}

impl Measured {
    fn quantile(&self, q: f64) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() - 1) as f64 * q).round() as usize;
        sorted[at].as_secs_f64() * 1000.0
    }
}

fn measure(
    name: &'static str,
    target_ms: Option<f64>,
    times: usize,
    mut work: impl FnMut(usize),
) -> Measured {
    let times = (0..times)
        .map(|n| {
            let start = Instant::now();
            work(n);
            start.elapsed()
        })
        .collect();
    Measured { name, target_ms, times }
}

fn options(durability: Durability) -> OpenOptions {
    OpenOptions { clock: Arc::new(BenchClock), durability, ..OpenOptions::default() }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let contacts = arguments
        .iter()
        .position(|argument| argument == "--contacts")
        .and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(10_000);
    let dir = tempfile::tempdir().unwrap();
    let made = make(dir.path(), contacts);
    let mut results = vec![measure("open the replica to its first list", Some(50.0), 10, |_| {
        let replica = Replica::open(dir.path(), options(Durability::Full)).unwrap();
        assert_eq!(
            replica.list(&ListQuery { limit: 50, ..ListQuery::default() }).unwrap().total,
            contacts
        );
        replica.close();
    })];
    let replica = Replica::open(dir.path(), options(Durability::Full)).unwrap();
    results.extend(reading(&replica, &made));
    results.extend(editing(&replica, &made));
    let (copying, bytes) = copying();
    results.extend(copying);
    report(&results, contacts, &bytes, json);
}

fn make(home: &Path, contacts: usize) -> Vec<ContactId> {
    let replica = Replica::open(home, options(Durability::Off)).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(enrol(&replica, None));
    let mut random = Random(42);
    let ids = (0..contacts)
        .map(|number| {
            // A UUIDv7 of the same millisecond may repeat its random part: the id is made elsewhere.
            replica.create(&record(&mut random, number)).unwrap().contact_id
        })
        .collect();
    replica.close();
    ids
}

fn reading(replica: &Replica, made: &[ContactId]) -> Vec<Measured> {
    let mut random = Random(7);
    let typed = [
        "k",
        "ka",
        "kar",
        "kare",
        "karen",
        "karen o",
        "karen ost",
        "muller",
        "иван",
        "+45 12",
        "ter",
        "oslo ka",
    ];
    let mut at = move || random.below(1 << 30);
    let mut results = vec![
        measure("list by name, 50 of all", None, 100, |_| {
            replica.list(&ListQuery { limit: 50, ..ListQuery::default() }).unwrap();
        }),
        measure("list by city, a page in the middle", None, 50, |_| {
            let query = ListQuery {
                sort: Sort::City,
                limit: 50,
                offset: made.len() / 2,
                ..ListQuery::default()
            };
            replica.list(&query).unwrap();
        }),
        measure("list with a filter (status and not contacted)", None, 50, |_| {
            let filter = Some("status:customer contacted:>60d".to_owned());
            replica.list(&ListQuery { filter, limit: 50, ..ListQuery::default() }).unwrap();
        }),
    ];
    results.push(measure("search as you type (12 inputs)", Some(10.0), 240, |n| {
        replica.search(typed[n % typed.len()], 50).unwrap();
    }));
    for text in ["k", "karen ost"] {
        let name = if text == "k" { "search: one letter" } else { "search: two words" };
        results.push(measure(name, Some(10.0), 50, |_| {
            replica.search(text, 50).unwrap();
        }));
    }
    let mut random = at;
    results.push(measure("open a contact, cold", Some(5.0), 300, |_| {
        replica.contact(made[random() % made.len()]).unwrap();
    }));
    let one = made[0];
    replica.contact(one).unwrap();
    results.push(measure("open a contact, warm", Some(5.0), 300, |_| {
        replica.contact(one).unwrap();
    }));
    at = random;
    let _ = at();
    results
}

fn editing(replica: &Replica, made: &[ContactId]) -> Vec<Measured> {
    let mut random = Random(9);
    let set = |n: usize| {
        [Command::Set { field: "source".into(), value: Some(format!("source {n}").into()) }]
    };
    let mut cold = Vec::new();
    while cold.len() < 300.min(made.len()) {
        cold.push(made[random.below(made.len())]);
    }
    let fsync = fsync_times(replica.home());
    vec![
        measure("one edit, durable, cold contact", None, cold.len(), |n| {
            replica.edit(cold[n], &set(n)).unwrap();
        }),
        measure("one edit, durable, same contact", None, 300, |n| {
            replica.edit(made[1], &set(n)).unwrap();
        }),
        measure("one edit of the name (the search index too)", None, cold.len(), |n| {
            let name =
                Command::Set { field: "given_name".into(), value: Some(format!("Name{n}").into()) };
            replica.edit(cold[n], &[name]).unwrap();
        }),
        measure("a new contact, durable", None, 100, |n| {
            replica.create(&record(&mut Random(n as u64), n)).unwrap();
        }),
        fsync,
    ]
}

/// What a sealed copy of each edit (rule 17) adds: the same edits on two small replicas by turns, one of
/// which has no key to seal to.
fn copying() -> (Vec<Measured>, [(&'static str, u64); 3]) {
    let key = OpeningKey::derive(&[9; 32]).public();
    let [with, without] = [Some(key.as_slice()), None].map(|key| {
        let dir = tempfile::tempdir().unwrap();
        let replica = Replica::open(dir.path(), options(Durability::Full)).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(enrol(&replica, key));
        let id = replica.create(&record(&mut Random(3), 3)).unwrap().contact_id;
        assert_eq!(replica.status().unwrap().copies.trouble.is_none(), key.is_some());
        (dir, replica, id)
    });
    let edit = |(_, replica, id): &(tempfile::TempDir, Replica, ContactId), n: usize| {
        let start = Instant::now();
        let value = Some(format!("source {n}").into());
        replica.edit(*id, &[Command::Set { field: "source".into(), value }]).unwrap();
        start.elapsed()
    };
    let database =
        |home: &Path| size(&home.join("replica.db")) + size(&home.join("replica.db-wal"));
    let copies = || size(&with.0.path().join("copies"));
    let copies_before = copies();
    let before = [&with, &without].map(|(dir, _, _)| database(dir.path()));
    let (with_times, without_times) = (0..300).map(|n| (edit(&with, n), edit(&without, n))).unzip();
    let after = [&with, &without].map(|(dir, _, _)| database(dir.path()));
    let bytes = [
        ("sealed copies", copies().saturating_sub(copies_before)),
        ("the database and its log grew beside them", after[0].saturating_sub(before[0])),
        ("and without them", after[1].saturating_sub(before[1])),
    ];
    let measured = |name, times| Measured { name, target_ms: None, times };
    let results = vec![
        measured("one edit, durable, with its sealed copy", with_times),
        measured("(the same by turns, without)", without_times),
        measure("(sealing 600 bytes to the workspace)", None, 300, |n| {
            let mut random = [0; 32];
            random[..8].copy_from_slice(&n.to_le_bytes());
            sealing::seal(&key, b"a bench", &[7; 600], random).unwrap();
        }),
    ];
    (results, bytes)
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// What one write and fsync of 4 KiB cost here: the floor of a durable edit.
fn fsync_times(dir: &Path) -> Measured {
    use std::io::Write;
    let path = dir.join("fsync-probe");
    let mut file = std::fs::File::create(&path).unwrap();
    let measured = measure("(one fsync of 4 KiB on this disk)", None, 200, |_| {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    });
    std::fs::remove_file(path).unwrap();
    measured
}

fn report(results: &[Measured], contacts: usize, bytes: &[(&str, u64)], json: bool) {
    let machine = format!(
        "{} {}, {} cores, {} build",
        std::env::consts::OS,
        std::env::consts::ARCH,
        std::thread::available_parallelism().map_or(0, usize::from),
        if cfg!(debug_assertions) { "debug" } else { "release" },
    );
    if json {
        let rows: Vec<_> = results
            .iter()
            .map(|m| {
                serde_json::json!({
                    "what": m.name, "runs": m.times.len(), "median_ms": m.quantile(0.5),
                    "p99_ms": m.quantile(0.99), "target_ms": m.target_ms,
                })
            })
            .collect();
        println!(
            "{}",
            serde_json::json!({
                "workload": "W7", "contacts": contacts, "machine": machine, "results": rows,
                "bytes_of_300_edits": bytes,
            })
        );
        return;
    }
    println!("W7, in the hand: {contacts} contacts; {machine}");
    println!("{:<48} {:>6} {:>10} {:>10} {:>8}", "", "runs", "median ms", "p99 ms", "target");
    for m in results {
        let target = m.target_ms.map_or(String::new(), |target| format!("{target:.0}"));
        println!(
            "{:<48} {:>6} {:>10.2} {:>10.2} {:>8}",
            m.name,
            m.times.len(),
            m.quantile(0.5),
            m.quantile(0.99),
            target
        );
    }
    for (what, bytes) in bytes {
        println!("{what}, of 300 edits: {bytes} bytes");
    }
}

/// Enrols with a server that grants everything to everybody, on this machine, and tells this key to seal
/// to.
async fn enrol(replica: &Replica, seal_to: Option<&[u8]>) {
    let workspace = WorkspaceId::from_bytes([1; 16]);
    let pair = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let workspace_key = pair.public_key().as_ref().to_vec();
    let sealing = seal_to.map(|key| SealingKey {
        key: key.to_vec(),
        signature: pair.sign(&sealing_text(&workspace, key)).as_ref().to_vec(),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let granted = Enrolled {
        workspace,
        workspace_name: "Bench".into(),
        device: DeviceId::from_bytes([2; 16]),
        user: UserId::from_bytes([3; 16]),
        login: "bench".into(),
        user_name: "Bench".into(),
        workspace_key,
        sealing,
        certificate: Vec::new(),
    };
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
        while let Some(Ok(Message::Binary(bytes))) = socket.next().await {
            if let Ok(Frame::Enrol(_)) = wire::decode(&bytes, &Limits::DEFAULT) {
                socket
                    .send(Message::Binary(wire::encode(&granted.clone().into()).into()))
                    .await
                    .unwrap();
            }
        }
    });
    sync::enrol(replica, &url, "code", None, "bench").await.unwrap();
    server.abort();
}
