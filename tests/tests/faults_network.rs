//! A network that cuts, stalls, slows down and carries one way only, between real sockets: whatever it
//! does, all devices end with equal contacts and every edit once, by themselves.
//!
//! This is a proxy in user space, which sees byte streams: loss shows as stalls and cuts, delay as
//! pieces that wait. It can't lose or reorder single packets; the kernels at both ends would hide that.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use roadbook_client_core::sync::{Engine, SyncOptions};
use roadbook_client_core::{Error, OpenOptions, Phase, Receipt, Replica, Topic};
use roadbook_protocol::ids::ContactId;
use roadbook_tests::devices::{self, full, seed};
use roadbook_tests::proxy::{Carries, Proxy};
use roadbook_tests::scene::Scene;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// After the network is whole again all converge within this time; they try again after a few seconds.
const CONVERGE_MAX: Duration = Duration::from_secs(90);

/// A device that stays online as far as the network lets it.
struct Online {
    login: &'static str,
    replica: Replica,
    engine: Engine,
    link: Arc<Proxy>,
    cancel: CancellationToken,
    running: JoinHandle<Result<(), Error>>,
}

/// Notices a dead connection soon: the tests below make many.
fn impatient() -> SyncOptions {
    SyncOptions {
        ping_every: Duration::from_millis(150),
        dead_after: Duration::from_millis(700),
        ..SyncOptions::default()
    }
}

impl Online {
    async fn start(scene: &Scene, name: &str, login: &'static str) -> Self {
        let link = Arc::new(Proxy::start(scene.listen().parse().unwrap()).await);
        let url = format!("http://{}", link.addr);
        let replica = scene.replica_with(name, login, &url, OpenOptions::default()).await;
        let engine = Engine::new(replica.clone(), impatient());
        engine.sync_once(devices::SYNC_MAX).await.unwrap();
        let cancel = CancellationToken::new();
        let (runs, stop) = (engine.clone(), cancel.clone());
        let running = tokio::spawn(async move { runs.run(stop).await });
        Self { login, replica, engine, link, cancel, running }
    }

    /// Waits until the replica is in such a state.
    async fn wait_until(&self, what: impl Fn(&Replica) -> bool) {
        let mut observer = self.replica.observe(Topic::Sync);
        let reached = tokio::time::timeout(CONVERGE_MAX, async {
            while !what(&self.replica) {
                observer.next().await.unwrap();
            }
        });
        if reached.await.is_err() {
            panic!("never so: {:#?}", self.replica.status().unwrap());
        }
    }

    async fn until_merged(&self) {
        self.wait_until(|replica| {
            let status = replica.status().unwrap();
            status.unsent == 0 && status.stored_not_merged == 0 && status.missing == 0
        })
        .await;
    }

    async fn stop(self) -> Replica {
        self.cancel.cancel();
        self.running.await.unwrap().unwrap();
        self.replica
    }
}

/// Something happens to a link. Returns what it was.
fn disturb(rng: &mut Rng, link: &Proxy) -> &'static str {
    match rng.u8(..12) {
        0 => {
            link.cut();
            "cut"
        }
        1 => {
            link.break_link();
            "no network"
        }
        2 => {
            link.cut_after_up(rng.u64(1..1_500));
            "cut in the middle of a frame, up"
        }
        3 => {
            link.cut_after_down(rng.u64(1..1_500));
            "cut in the middle of a frame, down"
        }
        4 => {
            link.carry(Carries::NOTHING);
            "half-open"
        }
        5 => {
            link.carry(Carries::UP);
            "up only"
        }
        6 => {
            link.carry(Carries::DOWN);
            "down only"
        }
        7 => {
            link.delay(Duration::from_millis(rng.u64(1..40)));
            "slow"
        }
        _ => {
            heal(link);
            "healed"
        }
    }
}

fn heal(link: &Proxy) {
    link.restore();
    link.carry(Carries::BOTH);
    link.delay(Duration::ZERO);
    link.forget_cuts();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn devices_that_stay_online_over_a_broken_network_end_with_the_same() {
    let steps = if full() { 4_000 } else { 320 };
    let mut rng = Rng::with_seed(seed());
    let scene = Scene::new();
    scene.reps(&["ada", "ben"]);
    scene.import(101, 30, Some("ada"));
    scene.admin(&["assign", "--to", "ben", "--collaborator", "--filter", "*"]).ok();
    let mut all = Vec::new();
    for (name, login) in
        [("phone", "ada"), ("laptop", "ada"), ("colleague", "ben"), ("tablet", "ben")]
    {
        all.push(Online::start(&scene, name, login).await);
    }
    let ids: Vec<ContactId> = all[0].replica.ids(None).unwrap();
    let mut visits: Vec<(ContactId, String)> = Vec::new();
    let mut happened: BTreeMap<&str, usize> = BTreeMap::new();
    for step in 0..steps {
        let online = &all[rng.usize(..all.len())];
        for n in 0..rng.usize(..3) {
            let contact = ids[rng.usize(..ids.len())];
            let summary = format!("visit {step} {n}");
            devices::visit(&online.replica, contact, &summary);
            visits.push((contact, summary));
        }
        if rng.u8(..3) == 0 {
            *happened.entry(disturb(&mut rng, &online.link)).or_default() += 1;
        }
        if rng.u8(..6) == 0 {
            online.engine.wake();
        }
        // The pace of the world: faults and edits fall into exchanges, not between them.
        tokio::time::sleep(Duration::from_millis(rng.u64(..25))).await;
    }
    println!("{} edits; {happened:?}", visits.len());
    assert_eq!(happened.len(), 9, "each kind of fault was there: {happened:?}");
    for online in &all {
        heal(&online.link);
        online.engine.wake();
    }
    for online in &all {
        online.until_merged().await;
    }
    // What the others did arrives without anybody asking for it.
    for online in &all {
        let expected = scene.state_hash(online.login);
        online.wait_until(|replica| devices::state_hash(replica) == expected).await;
    }
    let mut replicas = Vec::new();
    for online in all {
        replicas.push(online.stop().await);
    }
    for replica in &replicas {
        devices::assert_all_merged(replica);
        for (contact, summary) in &visits {
            let times = devices::summaries(replica, *contact).get(summary).copied();
            assert_eq!(times, Some(1), "`{summary}` in {contact}");
        }
    }
    scene.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_link_that_carries_one_way_only_nothing_is_taken_for_more_than_it_is() {
    let scene = Scene::new();
    scene.reps(&["ada"]);
    scene.import(102, 5, Some("ada"));
    let online = Online::start(&scene, "phone", "ada").await;
    let id = online.replica.ids(None).unwrap()[0];
    online.wait_until(|replica| replica.status().unwrap().connection.phase == Phase::Idle).await;

    // Up only: the edit arrives and is stored, and the device must not believe it.
    online.link.carry(Carries::UP);
    devices::visit(&online.replica, id, "heard by the server alone");
    let stored = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let exported = scene.export();
            let interactions = exported[&id.to_string()]["interactions"].as_array().unwrap().len();
            if interactions == 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
    });
    stored.await.expect("the server has it");
    assert_eq!(online.replica.outbox(true).unwrap()[0].receipt, Receipt::Saved);

    // Down only: what the device makes now stays with it.
    online.link.carry(Carries::DOWN);
    devices::visit(&online.replica, id, "heard by nobody");
    let quiet = tokio::time::timeout(Duration::from_millis(2_000), online.until_merged()).await;
    assert!(quiet.is_err(), "nothing may be acknowledged that was not heard");
    assert_eq!(scene.export()[&id.to_string()]["interactions"].as_array().unwrap().len(), 1);

    heal(&online.link);
    online.engine.wake();
    online.until_merged().await;
    let replica = online.stop().await;
    let summaries = devices::summaries(&replica, id);
    assert_eq!(summaries.values().copied().collect::<Vec<_>>(), [1, 1], "{summaries:?}");
    assert_eq!(devices::state_hash(&replica), scene.state_hash("ada"));
    scene.assert_clean();
}
