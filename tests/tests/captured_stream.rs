//! Nothing of a contact goes to a device whose user does not hold it at that moment (P8), while
//! contacts are handed over at random under load: everything that the server sends to one device is
//! recorded in plain and judged by the history of assignments.
//!
//! A contact is the device's from the moment at which the command that gives it begins. It is no more
//! its own once the command that takes it has returned and what the server had sent by then has
//! arrived: the device asks for something then, and the answer comes behind that.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use roadbook_client_core::Replica;
use roadbook_protocol::ids::ContactId;
use roadbook_protocol::wire::{self, Access, Applied, Fetch, Frame, PageItem};
use roadbook_tests::devices;
use roadbook_tests::hostile::fast;
use roadbook_tests::raw::{Identity, LIMITS, Raw};
use roadbook_tests::scene::Scene;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

const CONTACTS: usize = 24;
/// Every word about a contact begins so, with its number behind it.
const MARKER: &[u8] = b"zzk";
const LOGINS: [&str; 3] = ["ada", "ben", "cyd"];
/// How many visits are noted between two exchanges.
const VISITS: u64 = 5;

/// The word by which everything about a contact is known.
fn marker(number: usize) -> String {
    format!("zzk{number:03}zz")
}

/// The numbers of the contacts that these bytes tell of.
fn told_of(bytes: &[u8]) -> Vec<usize> {
    let mut numbers: Vec<usize> = bytes
        .windows(MARKER.len() + 3)
        .filter(|window| window.starts_with(MARKER))
        .filter_map(|window| std::str::from_utf8(&window[MARKER.len()..]).ok()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// When the device's user held each contact.
#[derive(Default)]
struct Scope(BTreeMap<usize, Vec<(Instant, Option<Instant>)>>);

impl Scope {
    fn grant(&mut self, number: usize, begun: Instant) {
        self.0.entry(number).or_default().push((begun, None));
    }
    fn take(&mut self, number: usize, over: Instant) {
        self.0.get_mut(&number).unwrap().last_mut().unwrap().1 = Some(over);
    }
    fn holds(&self, number: usize, at: Instant) -> bool {
        let held =
            |(from, to): &(Instant, Option<Instant>)| *from <= at && to.is_none_or(|to| at <= to);
        self.0.get(&number).is_some_and(|times| times.iter().any(held))
    }
}

/// One message to the device.
struct Captured {
    at: Instant,
    bytes: Vec<u8>,
}

/// What was sent of contacts that were not the device's to have.
fn leaks(captured: &[Captured], scope: &Scope) -> Vec<(usize, &'static str)> {
    let mut all = Vec::new();
    for message in captured {
        for number in told_of(&message.bytes) {
            if !scope.holds(number, message.at) {
                let name = wire::decode(&message.bytes, &LIMITS).unwrap().name();
                all.push((number, name));
            }
        }
    }
    all
}

/// What the device is told to do.
enum Ask {
    /// To fetch these, and to say when the answer is complete.
    Fetch(Vec<ContactId>, oneshot::Sender<Instant>),
    End,
}

/// The device: keeps everything that comes, confirms it and fetches what it lacks.
struct Recorder {
    raw: Raw,
    captured: Vec<Captured>,
    cursor: u64,
    request: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Instant>>,
}

impl Recorder {
    async fn run(mut self, mut asks: mpsc::UnboundedReceiver<Ask>) -> Vec<Captured> {
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(Ask::Fetch(contacts, answered)) => {
                        let request = self.fetch(contacts).await;
                        self.waiting.insert(request, answered);
                    }
                    Some(Ask::End) | None => return self.captured,
                },
                bytes = self.raw.capture() => {
                    let bytes = bytes.expect("the connection lives");
                    self.came(bytes).await;
                }
            }
        }
    }

    async fn fetch(&mut self, contacts: Vec<ContactId>) -> u64 {
        self.request += 1;
        self.raw.send(Fetch { request: self.request, contacts }).await;
        self.request
    }

    async fn came(&mut self, bytes: Vec<u8>) {
        let frame = wire::decode(&bytes, &LIMITS).expect("the server sends frames");
        let at = Instant::now();
        self.captured.push(Captured { at, bytes });
        match frame {
            Frame::Page(page) => {
                self.cursor = page.cursor;
                self.applied().await;
                let lacks = |item: &&PageItem| {
                    item.access != Access::Removed
                        && item.changes.is_empty()
                        && item.snapshot.is_empty()
                };
                let lacking: Vec<_> = page.items.iter().filter(lacks).map(|i| i.contact).collect();
                if !lacking.is_empty() {
                    self.fetch(lacking).await;
                }
            }
            Frame::Manifest(manifest) => {
                if manifest.last {
                    self.cursor = manifest.cursor;
                }
                self.applied().await;
                self.fetch(manifest.contacts).await;
            }
            Frame::Fetched(fetched) => {
                self.applied().await;
                if fetched.last
                    && let Some(answered) = self.waiting.remove(&fetched.request)
                {
                    // Who asked may not want to know.
                    let _ = answered.send(at);
                }
            }
            Frame::Problem(problem) => panic!("the server is not content: {problem:?}"),
            _ => {}
        }
    }

    async fn applied(&mut self) {
        self.raw.send(Applied { cursor: self.cursor, unsent: 0, missing: 0 }).await;
    }
}

/// The recording device of Ada, as it is seen from outside.
struct Device {
    asks: mpsc::UnboundedSender<Ask>,
    recorder: JoinHandle<Vec<Captured>>,
}

impl Device {
    async fn open(scene: &Scene) -> Self {
        let identity = Identity::enrol(&scene.url(), &scene.invite("ada")).await;
        let (raw, _) = identity.open(&scene.url(), &[]).await;
        let (asks, inbox) = mpsc::unbounded_channel();
        let recorder =
            Recorder { raw, captured: Vec::new(), cursor: 0, request: 0, waiting: BTreeMap::new() };
        Self { asks, recorder: tokio::spawn(recorder.run(inbox)) }
    }

    fn ask(&self, contacts: Vec<ContactId>) -> oneshot::Receiver<Instant> {
        let (answered, answer) = oneshot::channel();
        self.asks.send(Ask::Fetch(contacts, answered)).expect("the device runs");
        answer
    }

    /// Everything that the server had sent by now has arrived, at this moment at the latest.
    async fn caught_up(&self) -> Instant {
        // Of an id that nobody has: the answer is empty.
        self.ask(vec![ContactId::from_bytes([9; 16])]).await.expect("the device lives")
    }

    async fn end(self) -> Vec<Captured> {
        self.asks.send(Ask::End).expect("the device runs");
        self.recorder.await.unwrap()
    }
}

/// A rep who writes about all that they hold, and exchanges it, again and again.
fn at_work(
    replica: Replica,
    numbers: Arc<BTreeMap<ContactId, usize>>,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while !stop.load(Ordering::SeqCst) {
            devices::sync(&replica).await.unwrap();
            let ids = replica.ids(None).unwrap();
            for _ in 0..VISITS {
                let Some(id) = fastrand::choice(&ids) else { continue };
                let n = written.fetch_add(1, Ordering::SeqCst);
                devices::visit(&replica, *id, &format!("{} visit {n}", marker(numbers[id])));
            }
        }
        devices::sync(&replica).await.unwrap();
    })
}

/// Imports the contacts, dealt out to the reps; their numbers by id.
fn import(scene: &Scene) -> BTreeMap<ContactId, usize> {
    for (first, login) in LOGINS.iter().enumerate() {
        let mut csv = "customer_no,company,city,note\n".to_owned();
        for number in (first..CONTACTS).step_by(LOGINS.len()) {
            let word = marker(number);
            csv += &format!("{word}no,Company {word},City {word},Note of {word}\n");
        }
        let file = scene.dir().join(format!("{login}.csv"));
        std::fs::write(&file, csv).unwrap();
        let file = file.to_str().unwrap();
        scene.admin(&["import", file, "--key", "customer_no", "--owner", login]).ok();
    }
    let numbered = |(id, contact): (&String, &serde_json::Value)| {
        let [number] = told_of(contact["company"].as_str().unwrap().as_bytes())[..] else {
            panic!("a number: {contact}");
        };
        (id.parse().unwrap(), number)
    };
    let numbers: BTreeMap<_, _> = scene.export().iter().map(numbered).collect();
    assert_eq!(numbers.len(), CONTACTS);
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captured_stream_holds_no_byte_of_a_contact_outside_the_scope_at_that_moment() {
    fastrand::seed(devices::seed());
    let lasts = Duration::from_secs(if devices::full() { 60 } else { 5 });
    let scene = fast();
    scene.reps(&LOGINS);
    let numbers = Arc::new(import(&scene));
    let ids: BTreeMap<usize, ContactId> = numbers.iter().map(|(id, n)| (*n, *id)).collect();
    let mut owners: Vec<usize> = (0..CONTACTS).map(|number| number % LOGINS.len()).collect();
    let mut scope = Scope::default();
    let begun = Instant::now();
    for number in (0..CONTACTS).filter(|number| owners[*number] == 0) {
        scope.grant(number, begun);
    }

    let device = Device::open(&scene).await;
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut work = Vec::new();
    for (name, login) in [("phone", "ben"), ("laptop", "ben"), ("tablet", "cyd")] {
        let replica = scene.replica(name, login).await;
        work.push(at_work(replica, numbers.clone(), stop.clone(), written.clone()));
    }
    let (mut given, mut taken) = (0, 0);
    while begun.elapsed() < lasts || given < 3 || taken < 3 {
        // Every second time from or to the device.
        let number = match fastrand::bool() {
            true => fastrand::usize(..CONTACTS),
            false => {
                let own: Vec<usize> = (0..CONTACTS).filter(|n| owners[*n] == 0).collect();
                fastrand::choice(own).unwrap_or(0)
            }
        };
        let to = fastrand::usize(..LOGINS.len());
        let from = std::mem::replace(&mut owners[number], to);
        if from == to {
            continue;
        }
        if to == 0 {
            scope.grant(number, Instant::now());
            given += 1;
        }
        let id = ids[&number].to_string();
        let args = ["assign", "--to", LOGINS[to], "--ids", &id];
        tokio::task::block_in_place(|| scene.admin(&args).ok());
        if from == 0 {
            scope.take(number, device.caught_up().await);
            taken += 1;
        }
        // A device that asks for everything by its id is answered only what is its own.
        drop(device.ask(ids.values().copied().collect()));
    }
    stop.store(true, Ordering::SeqCst);
    for rep in work {
        rep.await.unwrap();
    }
    device.caught_up().await;
    let captured = device.end().await;

    let bytes: usize = captured.iter().map(|message| message.bytes.len()).sum();
    let told: usize = captured.iter().map(|message| told_of(&message.bytes).len()).sum();
    let visits = written.load(Ordering::SeqCst);
    println!(
        "{visits} visits; {given} contacts given, {taken} taken; {} messages of {bytes} bytes tell {told} times \
         of a contact",
        captured.len()
    );
    assert!(visits > 20 && told > 50, "there was load");
    // What is looked for is found: with nothing of what was given meanwhile in the scope, it is there.
    let mut before = Scope::default();
    (0..CONTACTS).step_by(LOGINS.len()).for_each(|number| before.grant(number, begun));
    assert!(!leaks(&captured, &before).is_empty(), "what was given meanwhile was sent");
    let live = captured.iter().filter(|message| message.bytes.windows(6).any(|w| w == b" visit"));
    assert!(live.count() > 5, "edits came while they were made");

    assert_eq!(leaks(&captured, &scope), [], "contacts that were not the device's");
    scene.assert_clean();
}
