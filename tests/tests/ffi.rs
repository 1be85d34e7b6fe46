//! The SDK's object against a real server, from Rust: what an app does on its first day, and the
//! promises that other languages can't see as well: observers, panics, the log.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use roadbook_ffi::{
    ContactPage, Edit, Field, KeyStore, ListObserver, ListQuery, LogLevel, LogSink, Money,
    NewAddress, NewDeal, NewPhone, NewTask, OpenSettings, OutboxEntry, Receipt, ReceiptObserver,
    Roadbook, RoadbookError, Signer, SigningAlgorithm, Stage, SyncObserver, SyncState, Value,
    set_log_sink,
};
use roadbook_tests::process::ServerProcess;

/// Generous: machines are shared.
const WAIT: Duration = Duration::from_secs(60);

async fn open(home: &Path) -> Result<Arc<Roadbook>, RoadbookError> {
    let home = home.to_str().unwrap().to_owned();
    Roadbook::open(OpenSettings {
        home,
        app: None,
        key_store: None,
        signer: None,
        begin_anew: false,
    })
    .await
}

fn text(field: Field, text: &str) -> Edit {
    Edit::Set { field, value: Some(Value::Text { text: text.into() }) }
}

fn all() -> ListQuery {
    ListQuery { filter: None, sort: None, offset: 0, limit: 50 }
}

struct World {
    dir: tempfile::TempDir,
    server: ServerProcess,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let server = ServerProcess::start(&dir.path().join("server"));
        server.admin(&["user", "add", "rep", "--role", "rep"]).ok();
        World { dir, server }
    }

    async fn device(&self, name: &str) -> Arc<Roadbook> {
        let book = open(&self.dir.path().join(name)).await.unwrap();
        let code = self.server.admin(&["invite", "rep"]).last_line();
        book.enrol(self.server.url.clone(), code, name.into(), None).await.unwrap();
        book
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_enrols_edits_searches_and_syncs_through_the_bindings() {
    let world = World::new();
    let phone = world.device("phone").await;
    let street = NewAddress {
        street: Some("Store Torv 1".into()),
        city: Some("Århus".into()),
        postal_code: None,
        region: None,
        country: None,
        label: None,
    };
    let saved = phone
        .create(vec![
            text(Field::GivenName, "Åse"),
            text(Field::FamilyName, "Østergård"),
            Edit::AddAddress { address: street },
            Edit::AddPhone { phone: NewPhone { number: "+45 8612 3456".into(), label: None } },
        ])
        .unwrap();
    assert_eq!(saved.added.len(), 2);
    let found = phone.search("ostergard".into(), 10).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].id.as_str(), found[0].city.as_deref()),
        (&*saved.contact_id, Some("Århus"))
    );
    let company = || vec![text(Field::Company, "Østergård Handel")];
    assert!(phone.edit(saved.contact_id.clone(), company()).unwrap().is_some());
    assert_eq!(phone.edit(saved.contact_id.clone(), company()).unwrap(), None, "it was so already");
    assert_eq!(phone.status().unwrap().sync.unsent, 2);
    assert_eq!(phone.receipt(saved.edit_id.clone()).unwrap(), Some(Receipt::Saved));

    phone.sync_once(WAIT).await.unwrap();
    assert_eq!(phone.status().unwrap().sync.unsent, 0);
    assert_eq!(phone.receipt(saved.edit_id).unwrap(), Some(Receipt::Merged));
    let tablet = world.device("tablet").await;
    tablet.sync_once(WAIT).await.unwrap();
    let page = tablet.list(all()).unwrap();
    assert_eq!(page.rows[0].company.as_deref(), Some("Østergård Handel"));
    phone.close();
    assert_eq!(phone.status(), Err(RoadbookError::Closed));
    tablet.close();
}

/// A phone's secure hardware, as an app hands it over.
struct Enclave(EcdsaKeyPair);

impl Enclave {
    fn new() -> Arc<Self> {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Arc::new(Self(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()))
    }
}

impl Signer for Enclave {
    fn algorithm(&self) -> SigningAlgorithm {
        SigningAlgorithm::EcdsaP256
    }
    fn public_key(&self) -> Result<Vec<u8>, RoadbookError> {
        Ok(self.0.public_key().as_ref().to_vec())
    }
    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, RoadbookError> {
        Ok(self.0.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec())
    }
}

/// A phone's keystore.
#[derive(Default)]
struct Keys {
    secrets: Mutex<BTreeMap<String, Vec<u8>>>,
    locked: AtomicBool,
}

impl Keys {
    fn open(&self) -> Result<MutexGuard<'_, BTreeMap<String, Vec<u8>>>, RoadbookError> {
        match self.locked.load(Ordering::SeqCst) {
            true => Err(RoadbookError::Keys { reason: "the phone is locked".into() }),
            false => Ok(self.secrets.lock().unwrap()),
        }
    }
}

impl KeyStore for Keys {
    fn get(&self, name: String) -> Result<Option<Vec<u8>>, RoadbookError> {
        Ok(self.open()?.get(&name).cloned())
    }
    fn put(&self, name: String, secret: Vec<u8>) -> Result<(), RoadbookError> {
        self.open()?.insert(name, secret);
        Ok(())
    }
    fn delete(&self, name: String) -> Result<(), RoadbookError> {
        self.open()?.remove(&name);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_stay_with_the_platform_and_a_p256_key_speaks_for_the_device() {
    let world = World::new();
    let (keys, enclave) = (Arc::new(Keys::default()), Enclave::new());
    let home = world.dir.path().join("phone");
    let open = |signer: Option<Arc<Enclave>>| {
        Roadbook::open(OpenSettings {
            home: home.to_str().unwrap().to_owned(),
            app: None,
            key_store: Some(keys.clone()),
            signer: signer.map(|signer| signer as Arc<dyn Signer>),
            begin_anew: false,
        })
    };
    let phone = open(Some(enclave.clone())).await.unwrap();
    let code = world.server.admin(&["invite", "rep"]).last_line();
    phone.enrol(world.server.url.clone(), code, "phone".into(), None).await.unwrap();
    phone.create(vec![text(Field::Company, "Signed by hardware")]).unwrap();
    phone.sync_once(WAIT).await.unwrap();
    assert_eq!(phone.status().unwrap().sync.unsent, 0);
    phone.close();
    assert!(keys.secrets.lock().unwrap().contains_key("device.key"));
    assert!(!home.join("device.key").exists(), "no secret lies in the directory");

    // Without the signer, or with another one, it can't speak for the device.
    for signer in [None, Some(Enclave::new())] {
        let phone = open(signer).await.unwrap();
        let refused = phone.sync_once(WAIT).await.unwrap_err();
        assert!(matches!(refused, RoadbookError::Keys { .. }), "{refused:?}");
        phone.close();
    }
    keys.locked.store(true, Ordering::SeqCst);
    let refused = match open(Some(enclave.clone())).await {
        Ok(phone) => phone.sync_once(WAIT).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(refused.to_string().contains("the phone is locked"), "{refused}");
    keys.locked.store(false, Ordering::SeqCst);
    let phone = open(Some(enclave)).await.unwrap();
    phone.sync_once(WAIT).await.unwrap();
    phone.wipe(false).unwrap();
    assert!(keys.secrets.lock().unwrap().is_empty(), "wiping takes the secrets along");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_edits_is_one_change_with_entries_that_can_be_changed_and_undone() {
    let world = World::new();
    let phone = world.device("phone").await;
    let deal = NewDeal {
        title: "Shelves".into(),
        amount: Some(Money { minor: 1_240_000, currency: "DKK".into() }),
        stage: None,
        probability: Some(40),
        expected_close: None,
        lost_reason: None,
    };
    let task = NewTask { text: "Send the offer".into(), due: None };
    let saved = phone
        .create(vec![
            text(Field::Company, "Nordsø Fisk"),
            Edit::AddDeal { deal },
            Edit::AddTask { task },
            Edit::SetNote { text: "likes tea".into(), shown: None },
        ])
        .unwrap();
    assert_eq!(phone.outbox(false).unwrap().len(), 1, "one group is one edit");
    let id = saved.contact_id.clone();
    let [deal, task] = &saved.added[..] else { panic!("{:?}", saved.added) };
    let amount = Value::Amount { money: Money { minor: 99, currency: "EUR".into() } };
    phone
        .edit(
            id.clone(),
            vec![
                Edit::Change {
                    id: deal.clone(),
                    field: roadbook_ffi::EntryField::DealAmount,
                    value: Some(amount),
                },
                Edit::Change {
                    id: deal.clone(),
                    field: roadbook_ffi::EntryField::DealStage,
                    value: Some(Value::Stage { stage: Stage::Won }),
                },
                Edit::CompleteTask { id: task.clone() },
                Edit::AppendNote { line: "and dogs".into() },
            ],
        )
        .unwrap();
    let contact = phone.contact(id.clone()).unwrap();
    let won = &contact.deals[0];
    assert_eq!(won.amount, Some(Money { minor: 99, currency: "EUR".into() }));
    assert_eq!((won.stage, won.probability), (Some(Stage::Won), Some(40)));
    assert!(contact.tasks[0].done && contact.tasks[0].done_at.is_some());
    assert_eq!(contact.note, "likes tea\nand dogs");
    // Written over the note as it was before that line: the line stays.
    let over = Edit::SetNote { text: "likes green tea".into(), shown: Some("likes tea".into()) };
    phone.edit(id.clone(), vec![over]).unwrap();
    assert_eq!(phone.contact(id.clone()).unwrap().note, "likes green tea\nand dogs");

    phone.undo(Some(id.clone())).unwrap();
    phone.undo(Some(id.clone())).unwrap();
    let contact = phone.contact(id.clone()).unwrap();
    assert_eq!(contact.deals[0].stage, Some(Stage::Lead));
    assert_eq!(contact.note, "likes tea");
    let missing = Edit::CompleteTask { id: deal.clone() };
    let refused = phone.edit(id.clone(), vec![missing]).unwrap_err();
    assert!(matches!(refused, RoadbookError::NotFound { .. }), "{refused:?}");
    let long = "x".repeat(2_000_000);
    let refused = phone.edit(id, vec![text(Field::Company, &long)]).unwrap_err();
    assert!(matches!(refused, RoadbookError::Invalid { .. }), "{refused:?}");
}

struct Pages(Sender<ContactPage>);
impl ListObserver for Pages {
    fn on_page(&self, page: ContactPage) {
        // The test may have ended.
        let _ = self.0.send(page);
    }
    fn on_error(&self, error: RoadbookError) {
        panic!("{error}");
    }
}

struct Throws;
impl ListObserver for Throws {
    fn on_page(&self, _: ContactPage) {
        panic!("thrown by the app");
    }
    fn on_error(&self, _: RoadbookError) {}
}
impl SyncObserver for Throws {
    fn on_sync(&self, _: SyncState) {
        panic!("thrown by the app");
    }
}

/// Never comes back from its first call until the test lets it.
struct Slow(Mutex<Receiver<()>>);
impl ListObserver for Slow {
    fn on_page(&self, _: ContactPage) {
        let _ = self.0.lock().unwrap().recv();
    }
    fn on_error(&self, _: RoadbookError) {}
}

struct Receipts(Sender<Vec<OutboxEntry>>);
impl ReceiptObserver for Receipts {
    fn on_receipts(&self, edits: Vec<OutboxEntry>) {
        let _ = self.0.send(edits);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_gets_the_present_state_and_changes_beside_others_that_are_slow_or_throw() {
    let world = World::new();
    let phone = world.device("phone").await;
    let (let_go, held) = channel();
    let _slow = phone.observe_list(all(), Arc::new(Slow(Mutex::new(held)))).unwrap();
    let _throws = phone.observe_list(all(), Arc::new(Throws)).unwrap();
    let _throws_too = phone.observe_sync(Arc::new(Throws)).unwrap();
    let (send, pages) = channel();
    let handle = phone.observe_list(all(), Arc::new(Pages(send))).unwrap();
    assert_eq!(pages.recv_timeout(WAIT).unwrap().total, 0, "the present state at once");
    let (send, receipts) = channel();
    let _receipts = phone.observe_receipts(Arc::new(Receipts(send))).unwrap();
    assert!(receipts.recv_timeout(WAIT).unwrap().is_empty());

    for n in 0..200 {
        phone.create(vec![text(Field::Company, &format!("Company {n}"))]).unwrap();
    }
    let mut calls = 0;
    while pages.recv_timeout(WAIT).unwrap().total < 200 {
        calls += 1;
        assert!(calls < 200, "many changes come as few calls");
    }
    phone.sync_once(WAIT).await.unwrap();
    let mut merged = 0;
    while merged < 200 {
        let edits = receipts.recv_timeout(WAIT).unwrap();
        merged += edits.iter().filter(|edit| edit.receipt == Receipt::Merged).count();
    }
    // Silent while suspended, told of everything after.
    phone.suspend().unwrap();
    assert_eq!(phone.list(all()), Err(RoadbookError::Suspended));
    phone.resume().unwrap();
    phone.create(vec![text(Field::Company, "After the pause")]).unwrap();
    while pages.recv_timeout(WAIT).unwrap().total < 201 {}
    // Thrown away: its end is seen by the channel's, which the observer owns.
    drop(handle);
    assert!(loop {
        match pages.recv_timeout(WAIT) {
            Ok(_) => {}
            Err(error) => break error == std::sync::mpsc::RecvTimeoutError::Disconnected,
        }
    });
    let mut handles = Vec::new();
    let refused = loop {
        match phone.observe_sync(Arc::new(Throws)) {
            Ok(handle) => handles.push(handle),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, RoadbookError::NotAllowed { .. }), "{refused:?}");
    assert!(handles.len() < 64);
    drop(let_go);
    phone.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_is_given_up_leaves_nothing_behind() {
    let world = World::new();
    let phone = world.device("phone").await;
    // A server that does not answer: the call can only end by being given up.
    world.server.signal("STOP");
    for _ in 0..3 {
        let given_up = tokio::time::timeout(Duration::from_millis(50), phone.sync_once(WAIT)).await;
        assert!(given_up.is_err(), "{given_up:?}");
    }
    let refused = phone.sync_once(Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(refused, RoadbookError::Offline { .. }), "{refused:?}");
    phone.start_sync().unwrap();
    let closing = phone.clone();
    let given_up = tokio::time::timeout(Duration::from_millis(50), phone.sync_once(WAIT)).await;
    assert!(given_up.is_err());
    world.server.signal("CONT");
    phone.create(vec![text(Field::Company, "Later")]).unwrap();
    phone.sync_once(WAIT).await.unwrap();
    assert_eq!(phone.status().unwrap().sync.unsent, 0);
    // While it goes on.
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    assert_eq!(phone.sync_once(WAIT).await, Err(RoadbookError::Closed));
    let again = open(&world.dir.path().join("phone")).await.unwrap();
    assert_eq!(again.list(all()).unwrap().total, 1, "the directory was let go");
}

#[tokio::test(flavor = "multi_thread")]
async fn wiping_destroys_the_replica_and_asks_before_edits_are_lost() {
    let world = World::new();
    let phone = world.device("phone").await;
    let home = world.dir.path().join("phone");
    phone.create(vec![text(Field::Company, "Only here")]).unwrap();
    let refused = phone.wipe(false).unwrap_err();
    assert!(refused.to_string().contains("1 edits"), "{refused}");
    assert_eq!(phone.list(all()).unwrap().total, 1, "nothing was done");
    phone.sync_once(WAIT).await.unwrap();
    phone.wipe(false).unwrap();
    assert_eq!(phone.list(all()), Err(RoadbookError::Closed));
    let left: Vec<_> = std::fs::read_dir(&home)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(left, ["lock"], "only the lock file is left, which says nothing");
    // The directory can be used again; the server kept what it has.
    let again = world.device("phone").await;
    again.sync_once(WAIT).await.unwrap();
    assert_eq!(again.list(all()).unwrap().total, 1);
    again.create(vec![text(Field::Company, "Thrown away")]).unwrap();
    again.wipe(true).unwrap();
}

struct Lines(Mutex<Vec<(LogLevel, String)>>);
impl LogSink for Lines {
    fn log(&self, level: LogLevel, target: String, message: String) {
        self.0.lock().unwrap().push((level, format!("{target}: {message}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_reaches_the_app_and_holds_no_data_of_contacts_above_trace() {
    const MARKER: &str = "Qxzv7MarkerOfAContact";
    let lines = Arc::new(Lines(Mutex::default()));
    set_log_sink(LogLevel::Debug, Some(lines.clone())).unwrap();
    let world = World::new();
    let phone = world.device("phone").await;
    let saved = phone
        .create(vec![
            text(Field::Company, MARKER),
            Edit::SetNote { text: MARKER.into(), shown: None },
            Edit::AddTag { tag: MARKER.into() },
        ])
        .unwrap();
    let invalid =
        Edit::Set { field: Field::Birthday, value: Some(Value::Text { text: MARKER.into() }) };
    phone.edit(saved.contact_id.clone(), vec![invalid]).unwrap_err();
    phone.list(ListQuery { filter: Some(format!("nosuch:{MARKER}")), ..all() }).unwrap_err();
    phone.search(MARKER.into(), 10).unwrap();
    let _throws = phone.observe_list(all(), Arc::new(Throws)).unwrap();
    phone.sync_once(WAIT).await.unwrap();
    phone.undo(None).unwrap();
    // Revoked: the exchange ends for good, which is a line of the log.
    world.server.signal("STOP");
    phone.sync_once(Duration::from_millis(100)).await.unwrap_err();
    world.server.signal("CONT");
    let until = std::time::Instant::now() + WAIT;
    while lines.0.lock().unwrap().is_empty() {
        assert!(std::time::Instant::now() < until, "not one line came");
        std::thread::yield_now();
    }
    phone.close();
    set_log_sink(LogLevel::Error, None).unwrap();
    for (level, line) in lines.0.lock().unwrap().iter() {
        assert!(!line.contains(MARKER), "{level:?} {line}");
        assert!(line.starts_with("roadbook"), "{line}");
    }
}
